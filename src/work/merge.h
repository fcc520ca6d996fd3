/*
 * merge.h - three files of items become one; what `git merge` calls for
 * .cohort/issues.jsonl, item by item and field by field (record_priv.h says how).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_MERGE_H
#define WORK_MERGE_H

#include "base/buf.h"
#include "base/rc.h"

struct merge_count {
	size_t items, clashes, moved;        /* of `out`; fields; ids given anew */
};

/* Appends the merged lines, sorted by id, to `out`; and to `notes` a line for
 * each clash and each item that got another id.  ERR_INVALID: a file
 * is no list of items (conflict markers too); e names file and line. */
int merge_files(struct str base, struct str ours, struct str theirs,
    struct buf *out, struct buf *notes, struct merge_count *n, struct err *e);

/* Reads lines one after another: false at the end.  *line counts all lines;
 * blank ones are skipped. */
bool line_next(struct str *rest, struct str *text, size_t *line);
/* Is it one of git's conflict markers? */
bool line_is_marker(struct str text);

#endif
