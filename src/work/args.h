/*
 * args.h - the words that a table of operations is written in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_ARGS_H
#define WORK_ARGS_H

#include "work/operation.h"

#define TEXT(name, max) { name, ARG_TEXT, false, 0, max }
#define NEED(name, max) { name, ARG_TEXT, true, 0, max }
#define LONG(name)      { name, ARG_TEXT, false, 0, LIMIT_WORK_TEXT_BYTES }
#define INT(name, min, max) { name, ARG_INT, false, min, max }
#define BOOL(name)      { name, ARG_BOOL, false, 0, 0 }
#define WORDS(name, kind) { name, kind, false, 0, 0 }
#define LIST(name, count, max) { name, ARG_TEXTS, false, count, max }
#define LABELS(name)    LIST(name, LIMIT_WORK_LABELS, LIMIT_WORK_LABEL_BYTES)
#define ID              NEED("id", LIMIT_WORK_ID_BYTES)
#define PRIORITY        INT("priority", 0, PRIORITY_MAX)
#define ASSIGNEE        TEXT("assignee", LIMIT_WORK_NAME_BYTES)
#define ROWS            INT("limit", 0, LIMIT_WORK_ROWS)
#define PAGES           BOOL("page"), TEXT("after", LIMIT_WORK_ID_BYTES)
#define END             { NULL }
#define ARGS(...)       (const struct arg[]){ __VA_ARGS__ }

#define ITEM_TEXTS LONG("description"), LONG("design"),                        \
	LONG("acceptance_criteria"), LONG("notes")
#define ITEM_FIELDS ITEM_TEXTS, WORDS("status", ARG_STATUS), PRIORITY,         \
	WORDS("issue_type", ARG_TYPE), ASSIGNEE,                               \
	INT("estimated_minutes", 0, LIMIT_WORK_MINUTES),                       \
	TEXT("external_ref", LIMIT_WORK_NAME_BYTES)

#define OP_ALONE (OP_WRITES | OP_SAVEPOINT | OP_WHOLE)

#endif
