/*
 * exchange.h - items in files: lines of JSON that git carries between clones,
 * their three-way merge, and markdown.
 *
 * The operations export, import and rename_prefix are rows of table.c, which
 * completes the engine's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_EXCHANGE_EXCHANGE_H
#define WORK_EXCHANGE_EXCHANGE_H

#include "base/buf.h"
#include "base/rc.h"

/* ---- merge (merge.c) ------------------------------------------------------- */

/* Merges three files of items by item and field, for git's merge driver; the rules
 * are in record_priv.h. */
struct merge_count {
	size_t items, clashes, moved;        /* in `out`; fields; new ids */
};

/* Appends the merged lines, sorted by id, to `out`, and to `notes` a line for each
 * clash and each new id.  Ours and theirs may be swapped: the result is the same.
 * ERR_INVALID, ERR_TOOBIG, ERR_LIMIT: a file is not a list of items, or has
 * conflict markers; e names file and line. */
int exchange_merge(struct str base, struct str ours, struct str theirs,
    struct buf *out, struct buf *notes, struct merge_count *n, struct err *e);

/* The next line that is not blank, trimmed; false at the end.  *line counts all
 * lines. */
bool exchange_line_next(struct str *rest, struct str *text, size_t *line);
/* Which of git's conflict markers is the line?  Ours, base and theirs follow it. */
enum marker { MARKER_NONE, MARKER_OURS, MARKER_BASE, MARKER_THEIRS, MARKER_END };
enum marker exchange_line_marker(struct str text);

/* ---- markdown (markdown.c) ------------------------------------------------- */

/* Reads the items of a markdown file, for `create -f`.
 *
 *   ## Title                 an item
 *   text                     its description, all lines up to a section
 *   ### Priority             a section: Priority, Type, Description, Design,
 *   1                        Acceptance Criteria, Notes, Assignee,
 *                            Labels, Dependencies
 *
 * Text before the first `##` is ignored.
 *
 * Appends the arguments of operation `batch`: {"operations":[{"operation":
 * "create","args":{..}},..]}.  *n: how many.  ERR_INVALID, ERR_TOOBIG with the
 * line number in e. */
int markdown_parse(struct str text, struct buf *out, size_t *n, struct err *e);

#endif
