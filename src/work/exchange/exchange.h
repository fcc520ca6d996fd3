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

/* ---- merge (merge.c) ------------------------------------------------------ */

/* Three files of items become one: what `git merge` calls for
 * .cohort/issues.jsonl, item by item and field by field (record_priv.h says how).
 */
struct merge_count {
	size_t items, clashes, moved;        /* of `out`; fields; ids given anew */
};

/* Appends the merged lines, sorted by id, to `out`; and to `notes` a line for
 * each clash and each item that got another id.  ERR_INVALID: a file
 * is no list of items (conflict markers too); e names file and line. */
int exchange_merge(struct str base, struct str ours, struct str theirs,
    struct buf *out, struct buf *notes, struct merge_count *n, struct err *e);

/* Reads lines one after another: false at the end.  *line counts all lines;
 * blank ones are skipped. */
bool exchange_line_next(struct str *rest, struct str *text, size_t *line);
/* Is it one of git's conflict markers? */
bool exchange_line_is_marker(struct str text);

/* ---- markdown (markdown.c) ------------------------------------------------ */

/* Many items from a markdown file, as `create -f` takes them.
 *
 *   ## Title                 an item
 *   text                     its description, all lines up to a section
 *   ### Priority             a section: Priority, Type, Description, Design,
 *   1                        Acceptance Criteria, Notes, Assignee,
 *                            Labels, Dependencies
 *
 * What stands before the first `##` is not looked at.
 *
 * Appends the arguments of operation `batch`: {"operations":[{"operation":
 * "create","args":{..}},..]}.  *n: how many.  ERR_INVALID, ERR_TOOBIG with the
 * line number in e. */
int markdown_parse(struct str text, struct buf *out, size_t *n, struct err *e);

#endif
