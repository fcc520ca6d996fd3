/*
 * work_fix.h - a tracker in a file of its own for one test.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_FIX_H
#define WORK_FIX_H

#include <string.h>

#include "harness/test.h"
#include "work/graph.h"
#include "work/row.h"

struct fix {
	struct db db;
	struct work *w;
	int64_t tracker;
	msec now;
	const char *actor;
	struct buf data;                     /* of the last call */
	struct json_doc doc;                 /* the same, parsed */
	struct err e;
	bool filling;
};

void fix_open(struct fix *f);
void fix_close(struct fix *f);
/* One transaction for many operations, all of which must be OK. */
void fix_fill(struct fix *f, bool on);

/* Runs one operation in a transaction of its own, committed if it is OK.  args
 * is printf's format of a JSON object with ' for ". */
int fix_call(struct fix *f, const char *operation, const char *args, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, and it must be OK. */
void fix_ok(struct fix *f, const char *operation, const char *args, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the arguments as they are. */
int fix_json(struct fix *f, const char *operation, struct str args);

/* A member of the last answer, as text; "" if absent.  path: "lease.holder",
 * "0.id". */
struct str fix_get(struct fix *f, const char *path);
/* The ids of the last answer, which is a list of items: "t-1 t-2". */
const char *fix_ids(struct fix *f);
#define CHECK_IDS(f, want)                                                  \
	do {                                                                \
		const char *ids_ = fix_ids(f);                              \
		if (strcmp(ids_, want) != 0)                                \
			test_fail(__FILE__, __LINE__,                       \
			    "ids:\n   got \"%s\"\n   not \"%s\"", ids_, want); \
	} while (0)
/* One number out of the database. */
int64_t fix_count(struct fix *f, const char *sql);

#endif
