/*
 * fuzz_work_batch.c - a batch of operations with any arguments: it answers JSON,
 * and one that fails has changed nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "work/operation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct db db;
static struct work *w;
static int64_t tracker;

static void
open_once(void)
{
	struct err e;

	if (w != NULL)
		return;
	assert(db_open(&db, ":memory:", NULL, &work_sql, DB_WRITE, &e) == OK);
	assert(db_migrate(&db, &work_format, &e) == OK);
	w = work_new(&db);
	assert(work_tracker_make(w, 0, S(""), S("t"), 1, &tracker, &e) == OK);
}

static int64_t
rows(void)
{
	int64_t n = -1;
	struct err e;

	assert(db_read_i64(&db, "SELECT (SELECT count(*) FROM work_item) +"
	    " (SELECT count(*) FROM work_event) + (SELECT count(*) FROM work_edge)"
	    " + (SELECT total(abs(n)) FROM work_count)", &n, &e) == OK);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf out = BUF(LIMIT_WORK_MEMORY_BYTES);
	struct work_call c = { .operation = S("batch"), .actor = S("fuzz"),
		.now = 1763700000000, .data = &out };
	struct json_doc args = { 0 }, answer = { 0 };
	struct err e;

	open_once();
	if (json_parse(&args, (struct str){ (const char *)data, n }, &e) == OK) {
		c.tracker = tracker;
		c.args = args.root;
		assert(db_exec(&db, "BEGIN", &e) == OK);
		if (work_run(w, &c) != OK)
			assert(c.err.text[0] != '\0' && rows() == 0);
		if (out.n > 0)
			assert(json_parse(&answer, buf_str(&out), &e) == OK);
		assert(db_exec(&db, "ROLLBACK", &e) == OK);
	}
	json_release(&answer);
	json_release(&args);
	buf_release(&out);
	return 0;
}
