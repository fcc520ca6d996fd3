/*
 * work_sizes.c - scaling: B7 with the number of items, B8 with the length of
 * chains and the depth of epics.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define BATCH        200
#define FLAT         1.3
#define WAKE_FLOORS  0.013                   /* what a wake-up may differ by */
#define BLOCK_WARM   3
#define PROBE        "w-probe"
#define CHAIN_FLOORS 1.3
#define CHAIN_SLICE  250
#define EPIC_DEPTH   50
#define EPIC_LEAVES  50

/* B7. */

/* Batches of typical items: a third closed, a tenth blocked by the previous one,
 * labels and a description. */
struct filler {
	struct trial *t;
	size_t at, to;
};

static bool
fill_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct filler *f = ctx;
	size_t end = f->to - f->at > BATCH ? f->at + BATCH : f->to, op = 0;
	struct buf *b = q->args;

	(void)a;
	if (f->at == f->to)
		return false;
	q->operation = "batch";
	q->deadline = 300000;
	buf_lit(b, "\"operations\":[");
	for (size_t i = f->at, made = 0; i < end; i++) {
		size_t before = made;

		json_add_fmt(b, ",{'operation':'create','args':{'title':'item %zu',"
		    "'description':'What has to be done about part %zu, and how one can "
		    "tell that it was.','priority':%zu,'labels':['part-%zu']}}", i, i,
		    i % 5, i % 20);
		made = op++;
		if (i % 3 == 0)
			buf_add_fmt(b, ",{\"operation\":\"close\",\"args\":{\"id\":"
			    "{\"$ref\":%zu},\"reason\":\"done\"}}", made), op++;
		else if (i % 10 == 1 && i > f->at)
			buf_add_fmt(b, ",{\"operation\":\"dep_add\",\"args\":{\"from_id\":"
			    "{\"$ref\":%zu},\"to_id\":{\"$ref\":%zu}}}", made, before), op++;
	}
	buf_lit(b, "]");
	f->at = end;
	return true;
}

static int
must_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct filler *f = ctx;

	(void)a;
	trial_progress(f->t, (double)f->at / (double)f->to, "filling");
	if (r->success)
		return OK;
	answer_words(r, e);
	return e->code;
}

static int
fill(struct trial *t, struct space *p, size_t to, struct err *e)
{
	struct filler f = { .t = t, .to = to };
	struct crowd c = { .space = p, .n = 1, .depth = 2, .next = fill_next,
		.answer = must_answer, .ctx = &f };

	return crowd_run(&c, e);
}

/* Reads first, at the size; then creates, which change it. */
static const struct asks {
	const char *operation, *args;
	const char *undo;                    /* the operation that does; or NULL */
	const char *refused;                 /* it must fail with this word; or NULL */
} sized[] = {
	{ "ready", "\"limit\":10", NULL, NULL },
	{ "list", "\"limit\":50", NULL, NULL },
	{ "stats", "", NULL, NULL },
	{ "show", "\"id\":\"" PROBE "\"", NULL, NULL },
	{ "create", "\"title\":\"one more\",\"description\":\"short\"", NULL, NULL },
};

/* times samples, after a warm-up that is left out. */
static int
ask_sample(struct agent *a, const struct asks *s, struct meter *m, int64_t times,
    int64_t warm, struct err *e)
{
	struct buf args = BUF(KB);
	const struct ask q = { .operation = s->operation, .args = &args };
	struct answer r;
	int rc = OK;

	buf_add(&args, str_of(s->args));
	for (int64_t i = -warm; i < times && rc == OK; i++) {
		rc = agent_ask(a, &q, true, &r, e);
		if (rc == OK && !(s->refused == NULL ? r.success :
		    !r.success && str_contains(r.line, str_of(s->refused))))
			rc = err_set(e, ERR_INVALID, "%s: %.*s", s->operation, FMT(r.line));
		if (rc == OK && i >= 0)
			hist_add(&m->times, (uint64_t)r.took);
		if (rc == OK && s->undo != NULL)
			rc = agent_call(a, s->undo, NULL, e, "%s", s->args);
	}
	buf_release(&args);
	return rc;
}

struct tracker_size {
	struct space p;
	struct agent a;
	struct meter *m[COUNT(sized)];
};

static int
size_open(struct trial *t, struct tracker_size *z, size_t items, struct err *e)
{
	int rc = space_new(&z->p, &t->scratch, t->tool, true, e);

	if (rc == OK)
		rc = fill(t, &z->p, items - 1, e);
	if (rc == OK)
		rc = agent_open(&z->a, &z->p, 0, e);
	if (rc == OK)
		rc = agent_call(&z->a, "create", NULL, e, "\"id\":\"" PROBE "\","
		    "\"title\":\"the probe\",\"labels\":[\"one\",\"two\"]");
	for (size_t i = 0; i < COUNT(sized); i++)
		z->m[i] = trial_meter(t, "b7_%s_%zu", sized[i].operation, items);
	return rc;
}

/* All sizes in turn, a block each, so that the machine's load affects all.
 * Operations that add items end for all when the smallest has grown by half. */
static int
sizes_run(struct trial *t, struct tracker_size *z, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; i < COUNT(sized) && rc == OK; i++) {
		bool grows = strcmp(sized[i].operation, "create") == 0;

		for (int64_t done = 0; done < t->iterations && rc == OK; done += WB_BLOCK) {
			if (grows && done > (int64_t)t->sizes[0] / 2)
				break;
			rc = trial_calibrate(t, WB_BLOCK / 5, e);
			for (size_t k = 0; k < t->sizes_n && rc == OK; k++)
				rc = ask_sample(&z[k].a, &sized[i], z[k].m[i], WB_BLOCK,
				    BLOCK_WARM, e);
		}
	}
	return rc;
}

static void
sizes_judge(struct trial *t, const struct tracker_size *z)
{
	for (size_t i = 0; i < COUNT(sized); i++) {
		bool grows = strcmp(sized[i].operation, "create") == 0;
		double more = trial_limit(t, WAKE_FLOORS, grows ? WB_WRITE_COMMITS : 0);
		double least = meter_p50(z[0].m[i]), most = least;

		for (size_t k = 1; k < t->sizes_n; k++)
			if (meter_p50(z[k].m[i]) > most)
				most = meter_p50(z[k].m[i]);
		trial_value(t, least > 0 ? most / least : 0, 2, "b7_%s_growth",
		    sized[i].operation);
		trial_check(t, least > 0 && most <= least * FLAT + more,
		    "%s: from %zu to %zu items %.2fx <= %.1fx and %.4f ms (%.4f to %.4f ms)",
		    sized[i].operation, t->sizes[0], t->sizes[t->sizes_n - 1],
		    least > 0 ? most / least : 0, FLAT, more, least, most);
	}
}

/* Each size has its own workspace, so that the others do not affect it. */
int
workload_b7(struct trial *t, struct err *e)
{
	struct tracker_size *z = mem_zero(WB_SIZES_MAX * sizeof *z);
	int rc = OK;

	for (size_t k = 0; k < t->sizes_n; k++)
		z[k].a.fd = -1;
	for (size_t k = 0; k < t->sizes_n && rc == OK; k++)
		rc = size_open(t, &z[k], t->sizes[k], e);
	if (rc == OK)
		rc = sizes_run(t, z, e);
	for (size_t k = 0; k < t->sizes_n; k++) {
		agent_close(&z[k].a);
		rc = space_close(&z[k].p, rc, e);
	}
	if (rc == OK)
		sizes_judge(t, z);
	free(z);
	return rc;
}

/* B8. */

/* Items NAME-0 to NAME-(n-1), each depending on the one before it. */
static int
chain_make(struct agent *a, const char *name, size_t n, const char *type,
    const char *kind, struct err *e)
{
	struct buf b = BUF(4 * MB);
	int rc = OK;

	for (size_t from = 0; from < n && rc == OK; from += CHAIN_SLICE) {
		buf_clear(&b);
		for (size_t i = from; i < n && i < from + CHAIN_SLICE; i++) {
			json_add_fmt(&b, ",{'operation':'create','args':{'id':'w-%-s-%zu',"
			    "'title':'link %zu','issue_type':%s", name, i, i, kind);
			if (i > 0)
				json_add_fmt(&b, ",'dependencies':['%-s:w-%-s-%zu']",
				    type, name, i - 1);
			buf_lit(&b, "}}");
		}
		rc = agent_call(a, "batch", NULL, e, "\"operations\":[%s]", b.p);
	}
	buf_release(&b);
	return rc;
}

/* Two chains: the check for a cycle has to follow one of them to its end. */
static int
chains_run(struct trial *t, struct agent *a, size_t n, struct err *e)
{
	struct meter *accepted = trial_meter(t, "b8_dep_add_%zu", n);
	struct meter *refused = trial_meter(t, "b8_cycle_refused_%zu", n);
	char meet[128], close[128];
	const struct asks add = { "dep_add", meet, "dep_remove", NULL };
	const struct asks cycle = { "dep_add", close, NULL, "cycle" };
	int rc = chain_make(a, "a", n, "blocks", "task", e);

	snprintf(meet, sizeof meet, "\"from_id\":\"w-a-0\",\"to_id\":\"w-b-%zu\"", n - 1);
	snprintf(close, sizeof close, "\"from_id\":\"w-a-0\",\"to_id\":\"w-a-%zu\"", n - 1);
	if (rc == OK)
		rc = chain_make(a, "b", n, "blocks", "task", e);
	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	if (rc == OK)
		rc = ask_sample(a, &add, accepted, t->iterations, t->warmup, e);
	if (rc == OK)
		rc = ask_sample(a, &cycle, refused, t->iterations, t->warmup, e);
	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	if (rc != OK)
		return rc;
	trial_p50(t, accepted, CHAIN_FLOORS, WB_WRITE_COMMITS);
	trial_p50(t, refused, CHAIN_FLOORS, 0);
	return OK;
}

/* Tasks below nested epics: a blocker of the topmost epic blocks all of them. */
static int
epics_run(struct trial *t, struct agent *a, struct err *e)
{
	static const struct asks ready = { "ready", "\"limit\":100", NULL, NULL }, hold = {
		"dep_add", "\"from_id\":\"w-epic-0\",\"to_id\":\"w-blocker\"",
		"dep_remove", NULL };
	struct meter *held = trial_meter(t, "b8_epic_hold");
	struct meter *read = trial_meter(t, "b8_epic_ready");
	int rc = chain_make(a, "epic", EPIC_DEPTH, "parent-child", "epic", e);

	for (int i = 0; i < EPIC_LEAVES && rc == OK; i++)
		rc = agent_call(a, "create", NULL, e, "\"title\":\"leaf %d\",\"dependencies\":"
		    "[\"parent-child:w-epic-%d\"]", i, EPIC_DEPTH - 1);
	if (rc == OK)
		rc = agent_call(a, "create", NULL, e, "\"id\":\"w-blocker\",\"title\":"
		    "\"what holds all\"");
	if (rc == OK)
		rc = ask_sample(a, &ready, read, t->iterations, t->warmup, e);
	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	if (rc == OK)
		rc = ask_sample(a, &hold, held, t->iterations, t->warmup, e);
	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	if (rc != OK)
		return rc;
	trial_p50(t, read, CHAIN_FLOORS, 0);
	trial_p50(t, held, CHAIN_FLOORS, WB_WRITE_COMMITS);
	return OK;
}

int
workload_b8(struct trial *t, struct err *e)
{
	static const size_t lengths[] = { 100, 1000, 5000 };
	int rc = OK;

	for (size_t i = 0; i <= COUNT(lengths) && rc == OK; i++) {
		struct agent a = { .fd = -1 };
		struct space p;

		rc = space_new(&p, &t->scratch, t->tool, true, e);
		if (rc == OK)
			rc = agent_open(&a, &p, 0, e);
		if (rc == OK)
			rc = i < COUNT(lengths) ? chains_run(t, &a, lengths[i], e) :
			    epics_run(t, &a, e);
		agent_close(&a);
		rc = space_close(&p, rc, e);
	}
	return rc;
}
