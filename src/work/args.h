/*
 * args.h - the words that a table of operations is written in.
 *
 * A row of an argument is read by the engine, which checks it, by the schemas of
 * MCP (host/tool.c), the HTTP routes (api/work.c) and the command line.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_ARGS_H
#define WORK_ARGS_H

#include "work/operation.h"

#define TEXT(name, max, help) { name, ARG_TEXT, false, 0, max, NULL, help }
#define NEED(name, max, help) { name, ARG_TEXT, true, 0, max, NULL, help }
#define LONG(name, help)      TEXT(name, LIMIT_WORK_TEXT_BYTES, help)
#define INT(name, min, max, help) { name, ARG_INT, false, min, max, NULL, help }
#define BOOL(name, help)      { name, ARG_BOOL, false, 0, 0, NULL, help }
#define WORD(name, words, help)  { name, ARG_WORD, false, 0, 0, words, help }
#define WORDS(name, words, help) { name, ARG_WORDS, false, 0, 0, words, help }
#define TIME(name, help)      { name, ARG_TIME, false, 0, 64, NULL, help }
#define LIST(name, count, max, help)                                           \
	{ name, ARG_TEXTS, false, count, max, NULL, help }
#define LABELS(name, help)                                                     \
	LIST(name, LIMIT_WORK_LABELS, LIMIT_WORK_LABEL_BYTES, help)
#define ID              NEED("id", LIMIT_WORK_ID_BYTES, "the item's id")
#define IDS(name, count, help) LIST(name, count, LIMIT_WORK_ID_BYTES, help)
#define PRIORITY(help)  INT("priority", 0, PRIORITY_MAX, help)
#define ASSIGNEE(help)  TEXT("assignee", LIMIT_WORK_NAME_BYTES, help)
#define ROWS(help)      INT("limit", 0, LIMIT_WORK_ROWS, help)
#define PAGES           BOOL("page", "answer with a page: {\"items\", \"next\"}"), \
	TEXT("after", LIMIT_WORK_ID_BYTES, "the \"next\" of the page before")
#define END             { NULL }
#define ARGS(...)       (const struct work_arg[]){ __VA_ARGS__ }

#define STATUSES "open, in_progress, blocked, deferred or closed"
#define TYPES    "bug, feature, task, epic or chore"
#define DEPS     "blocks, related, parent-child, discovered-from or relates-to"

#define STATUS_FILTER WORDS("status", work_status_names,                       \
	STATUSES "; several with commas; all: any")

#define OP_ALONE (OP_WRITES | OP_SAVEPOINT | OP_WHOLE)

#endif
