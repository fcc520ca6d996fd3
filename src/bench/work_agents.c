/*
 * work_agents.c - several agents at once: S1, S3, S5 and B5.
 *
 * After each the number of stored items must equal the number of acknowledged
 * creates, and a recount must find no difference.  Other properties of many
 * agents are tested in tests/e2e/work-many.mjs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#define S1_AGENTS      8
#define S1_EACH        100
#define S1_PIPELINED   20000.0
#define S1_UNPIPELINED 5000.0
#define GENERATOR_MAX  0.95
#define S3_AGENTS      6
#define S3_EACH        50
#define S5_AGENTS      10
#define B5_AGENTS      4

/* All of S3; the others only create. */
static const char *const operations[] = { "create", "update", "show", "list", "ready" };
#define OPERATIONS COUNT(operations)

struct makers {
	struct trial *t;
	struct meter *m[OPERATIONS];
	size_t kinds;                        /* of operations, in turns */
	int64_t each;                        /* turns of an agent; 0: until `until` */
	int64_t asked[WB_AGENTS_MAX];
	nsec since, until;                   /* what is answered within counts */
	uint64_t counts;
	int64_t created, errors;
};

/* The agent's own newest item, under a name that it knows before the answer. */
static void
mix_add(struct buf *b, size_t agent, int64_t turn, int tag)
{
	if (tag == 0)
		buf_add_fmt(b, ",\"labels\":[\"agent-%zu\"],", agent);
	if (tag == 1)
		buf_add_fmt(b, "\"priority\":%lld,", (long long)(turn % 5));
	if (tag <= 2)
		buf_add_fmt(b, "\"id\":\"w-of%zu-%lld\"", agent, (long long)turn);
	if (tag == 3)
		buf_add_fmt(b, "\"labels\":[\"agent-%zu\"],\"limit\":50", agent);
}

static bool
maker_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct makers *k = ctx;
	int64_t step = k->asked[a->index], turn = step / (int64_t)k->kinds;

	if (k->each > 0 ? turn == k->each : clock_mono() >= k->until)
		return false;
	k->asked[a->index]++;
	q->tag = (int)(step % (int64_t)k->kinds);
	q->operation = operations[q->tag];
	if (q->tag == 0)
		buf_add_fmt(q->args, "\"title\":\"item %lld of agent %zu\",\"priority\":%lld",
		    (long long)turn, a->index, (long long)(turn % 5));
	if (k->kinds > 1)
		mix_add(q->args, a->index, turn, q->tag);
	return true;
}

static int
maker_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct makers *k = ctx;
	bool counts = k->each > 0 || (r->at >= k->since && r->at < k->until);

	(void)a, (void)e;
	trial_answer(k->t, k->m[r->tag], r, counts);
	k->counts += r->success && counts;
	k->created += r->success && r->tag == 0;
	k->errors += !r->success;
	return OK;
}

static int
makers_run(struct makers *k, struct space *p, size_t n, size_t depth, struct crowd *c,
    struct err *e)
{
	*c = (struct crowd){ .space = p, .n = n, .depth = depth, .next = maker_next,
		.answer = maker_answer, .ctx = k };
	return crowd_run(c, e);
}

static int
totals_check(struct trial *t, struct space *p, int64_t created, int64_t errors,
    struct err *e)
{
	struct json_doc stats = { 0 }, again = { 0 };
	int64_t total = -1;
	bool ok = false;
	struct agent a;
	int rc = agent_open(&a, p, 0, e);

	if (rc == OK)
		rc = agent_call(&a, "stats", &stats, e, "%s", "");
	if (rc == OK)
		rc = json_get_int(json_get(stats.root, S("data")), "total_issues",
		    "stats: total_issues", -1, 0, INT64_MAX, &total, e);
	if (rc == OK)
		rc = agent_call(&a, "recount", &again, e, "%s", "");
	if (rc == OK) {
		ok = json_bool(json_get(json_get(again.root, S("data")), S("ok")));
		trial_check(t, errors == 0 && total == created && ok, "%lld items are stored "
		    "(acknowledged %lld, %lld errors); a recount finds %s", (long long)total,
		    (long long)created, (long long)errors, ok ? "the same" : "differences");
	}
	json_release(&stats);
	json_release(&again);
	agent_close(&a);
	return rc;
}

/* Creates per second, after a warm-up of a sixth of the duration. */
static int
rate_run(struct trial *t, struct space *p, int64_t *created, size_t depth,
    const char *label, double target, struct err *e)
{
	nsec length = t->o->duration * NS_PER_MS, now = clock_mono();
	struct makers k = { .t = t, .kinds = 1, .since = now + length / 6,
		.until = now + length / 6 + length };
	double rate, share, disk, open = (double)t->o->connections * (double)depth;
	struct crowd c;
	int rc;

	k.m[0] = trial_meter(t, "s1_create_%s", label);
	rc = makers_run(&k, p, (size_t)t->o->connections, depth, &c, e);
	*created += k.created;
	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	if (rc != OK)
		return rc;
	/* All open requests share a commit, so a slow disk limits the rate. */
	disk = open * 1000 / trial_limit(t, WB_WRITE_FLOORS, WB_WRITE_COMMITS);
	target = target < disk ? target : disk;
	rate = (double)k.counts / ((double)length / (double)NS_PER_S);
	share = (double)c.cpu / (double)(c.ended - c.began);
	trial_value(t, rate, 0, "s1_%s_creates_per_s", label);
	trial_value(t, c.daemon_cpu_s * 1e6 / (double)c.answered, 1,
	    "s1_%s_daemon_cpu_us_per_create", label);
	trial_value(t, c.daemon_cpu_s / ((double)(c.ended - c.began) / (double)NS_PER_S), 3,
	    "s1_%s_daemon_cpu_share", label);
	trial_value(t, share, 3, "s1_%s_generator_cpu_share", label);
	trial_check(t, k.errors == 0 && rate >= target,
	    "%s: %.0f durable creates/s >= %.0f", label, rate, target);
	trial_check(t, share < GENERATOR_MAX, "%s: the generator was not the bottleneck "
	    "(%.0f %% of a core)", label, share * 100);
	return OK;
}

/* So many agents, one request open each, in a workspace of their own. */
static int
makers_only(struct trial *t, const char *label, size_t n, size_t kinds, int64_t each,
    struct err *e)
{
	struct makers k = { .t = t, .kinds = kinds, .each = each };
	struct crowd c;
	struct space p;
	int rc = space_new(&p, &t->scratch, t->tool, true, e);

	for (size_t i = 0; i < kinds; i++)
		k.m[i] = trial_meter(t, "%s_%s", label, operations[i]);
	if (rc == OK)
		rc = makers_run(&k, &p, n, 1, &c, e);
	if (rc == OK) {
		trial_value(t, (double)c.answered * 1e9 / (double)(c.ended - c.began), 0,
		    "%s_answers_per_s", label);
		trial_value(t, (double)(c.ended - c.began) / (double)NS_PER_MS, 1,
		    "%s_wall_ms", label);
		rc = totals_check(t, &p, k.created, k.errors, e);
	}
	return space_close(&p, rc, e);
}

int
workload_s1(struct trial *t, struct err *e)
{
	int64_t created = 0;
	struct space p;
	int rc = makers_only(t, "s1", S1_AGENTS, 1, S1_EACH, e);

	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	if (rc == OK)
		rc = space_new(&p, &t->scratch, t->tool, true, e);
	if (rc != OK)
		return rc;
	rc = rate_run(t, &p, &created, (size_t)t->o->depth, "pipelined", S1_PIPELINED, e);
	if (rc == OK)
		rc = rate_run(t, &p, &created, 1, "unpipelined", S1_UNPIPELINED, e);
	if (rc == OK)
		rc = totals_check(t, &p, created, 0, e);
	return space_close(&p, rc, e);
}

int
workload_s3(struct trial *t, struct err *e)
{
	return makers_only(t, "s3", S3_AGENTS, OPERATIONS, S3_EACH, e);
}

int
workload_s5(struct trial *t, struct err *e)
{
	return makers_only(t, "s5", S5_AGENTS, 1, S1_EACH, e);
}

int
workload_b5(struct trial *t, struct err *e)
{
	return makers_only(t, "b5", B5_AGENTS, 1, t->iterations / B5_AGENTS, e);
}
