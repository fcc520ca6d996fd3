/*
 * work_exchange.c - B9: files.  An import, an export, and the merge of two
 * branches that have created items and changed different fields of the same
 * items.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <stdio.h>
#include <string.h>

#define ITEMS          10000
#define CREATES        100                   /* of each branch */
#define EDITS          20                    /* of each, of the same items */
#define ROUNDS         9
#define QUICK_ROUNDS   3
#define OUT_BYTES      (64 * MB)

/* Bounds.  At a floor of 0.75 ms an import in 0.6 s, an export in 0.1 s, a merge
 * in 0.3 s. */
#define IMPORT_FLOORS  800.0
#define EXPORT_FLOORS  133.0
#define MERGE_FLOORS   400.0
#define FILE_COMMITS   10.0

enum branch { BASE, OURS, THEIRS, BRANCHES };
static const char *const names[BRANCHES] = { "base", "ours", "theirs" };

static void
item_add(struct buf *b, char kind, int number, const char *title, int priority)
{
	buf_add_fmt(b, "{\"id\":\"w-%c%05d\",\"title\":\"%s\",\"description\":\"What has to be "
	    "done about part %d, and how one can tell that it was.\",\"status\":\"open\","
	    "\"priority\":%d,\"issue_type\":\"task\",\"created_at\":\"2026-01-01T00:00:00Z\","
	    "\"updated_at\":\"2026-01-01T00:00:00Z\"}\n", kind, number, title, number, priority);
}

/* In the order of an export. */
static int
branch_write(const struct space *p, enum branch branch, struct err *e)
{
	struct buf b = BUF(OUT_BYTES);
	int rc;

	for (int i = 0; i < ITEMS; i++)
		item_add(&b, 'a', i, branch == OURS && i < EDITS ? "edited" : "item",
		    branch == THEIRS && i < EDITS ? 0 : 2);
	for (int i = 0; i < CREATES && branch != BASE; i++)
		item_add(&b, branch == OURS ? 'b' : 'c', i, "made", 2);
	rc = space_file_write(p, names[branch], buf_str(&b), e);
	buf_release(&b);
	return rc;
}

static size_t
times_in(const struct buf *b, struct str what)
{
	size_t n = 0;
	const char *at = b->p, *end = b->p + b->n;

	while (at < end && (at = memmem(at, (size_t)(end - at), what.p, what.n)) != NULL) {
		at += what.n;
		n++;
	}
	return n;
}

struct exchange {
	struct meter *import, *export, *merge;
	size_t exported, merged, titles, priorities;         /* lines of the last round */
};

static int
exchange_round(struct trial *t, struct exchange *x, struct err *e)
{
	static const char *const in[] = { "import", "-i", "base", NULL };
	static const char *const out[] = { "export", "-o", "exported", NULL };
	static const char *const merge[] = { "merge", "base", "ours", "theirs", NULL };
	struct buf exported = BUF(OUT_BYTES), merged = BUF(OUT_BYTES);
	struct space p;
	int rc = space_new(&p, &t->scratch, t->tool, false, e);

	for (enum branch i = BASE; i < BRANCHES && rc == OK; i++)
		rc = branch_write(&p, i, e);
	if (rc == OK)
		rc = trial_process(t, x->import, &p, in, "--no-daemon", true, e);
	if (rc == OK)
		rc = trial_process(t, x->export, &p, out, "--no-daemon", true, e);
	if (rc == OK)
		rc = trial_process(t, x->merge, &p, merge, NULL, true, e);
	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	if (rc == OK)
		rc = space_file_read(&p, "exported", &exported, e);
	if (rc == OK)
		rc = space_file_read(&p, names[OURS], &merged, e);
	x->exported = times_in(&exported, S("\n"));
	x->merged = times_in(&merged, S("\n"));
	x->titles = times_in(&merged, S("\"title\":\"edited\""));
	x->priorities = times_in(&merged, S("\"priority\":0,"));
	buf_release(&exported);
	buf_release(&merged);
	return rc;
}

int
workload_b9(struct trial *t, struct err *e)
{
	struct exchange x = { trial_meter(t, "b9_import"), trial_meter(t, "b9_export"),
		trial_meter(t, "b9_merge"), 0, 0, 0, 0 };
	int rounds = t->o->quick ? QUICK_ROUNDS : ROUNDS, rc = OK;

	for (int i = 0; i < rounds && rc == OK; i++) {
		rc = exchange_round(t, &x, e);
		trial_progress(t, (double)i / rounds, "export, import, merge");
	}
	if (rc != OK)
		return rc;
	trial_check(t, x.exported == ITEMS && x.merged == ITEMS + 2 * CREATES &&
	    x.titles == EDITS && x.priorities == EDITS, "%zu exported; of two branches %zu "
	    "items, %zu and %zu edits", x.exported, x.merged, x.titles, x.priorities);
	trial_p50(t, x.import, IMPORT_FLOORS, FILE_COMMITS);
	trial_p50(t, x.export, EXPORT_FLOORS, FILE_COMMITS);
	trial_p50(t, x.merge, MERGE_FLOORS, FILE_COMMITS);
	return OK;
}
