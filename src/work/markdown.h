/*
 * markdown.h - many items from a markdown file, as `create -f` takes them.
 *
 *   ## Title                 an item
 *   text                     its description, all lines up to a section
 *   ### Priority             a section: Priority, Type, Description, Design,
 *   1                        Acceptance Criteria, Notes, Assignee,
 *                            Labels, Dependencies
 *
 * What stands before the first `##` is not looked at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_MARKDOWN_H
#define WORK_MARKDOWN_H

#include "base/buf.h"
#include "base/rc.h"

/* Appends the arguments of operation `batch`: {"operations":[{"operation":
 * "create","args":{..}},..]}.  *n: how many.  ERR_INVALID, ERR_TOOBIG with the
 * line number in e. */
int markdown_parse(struct str text, struct buf *out, size_t *n, struct err *e);

#endif
