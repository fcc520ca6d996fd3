/*
 * work_agents.c - several agents at once: S1 to S5 and B5.
 *
 * After each of S1 to S5 the books must balance: as many items as creates were
 * acknowledged, no id twice, and nothing a recount finds different.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define TOLD_MAX       4000000
#define S1_AGENTS      8
#define S1_EACH        100
#define S1_PIPELINED   20000.0
#define S1_UNPIPELINED 5000.0
#define GENERATOR_MAX  0.95
#define S2_AGENTS      4
#define S2_BATCHES     50
#define S2_FAILS_EVERY 5
#define S3_AGENTS      6
#define S3_ROUNDS      50
#define S4_TIMES       100
#define S4_BATCH       2000
#define S5_AGENTS      10
#define B5_AGENTS      4
#define EXIT_TIMED_OUT 124

/* Ids that were told to us. */

int
told_add(struct told *t, struct str id, int64_t number, size_t agent, struct err *e)
{
	struct told_id *row;

	if (id.n == 0 || id.n >= WB_ID)
		return err_set(e, ERR_INVALID, "an answer without an id");
	if (t->n == TOLD_MAX)
		return err_set(e, ERR_LIMIT, "more than %d ids", TOLD_MAX);
	mem_grow(t->row, t->n, t->cap);
	row = &t->row[t->n++];
	*row = (struct told_id){ .number = number, .agent = agent };
	memcpy(row->id, id.p, id.n);
	return OK;
}

static int
told_cmp(const void *a, const void *b)
{
	return strcmp(((const struct told_id *)a)->id, ((const struct told_id *)b)->id);
}

size_t
told_twice(struct told *t)
{
	size_t twice = 0;

	if (t->n > 0)
		qsort(t->row, t->n, sizeof t->row[0], told_cmp);
	for (size_t i = 1; i < t->n; i++)
		twice += strcmp(t->row[i - 1].id, t->row[i].id) == 0;
	return twice;
}

const struct told_id *
told_find(const struct told *t, struct str id)
{
	struct told_id key = { .id = "" };

	snprintf(key.id, sizeof key.id, "%.*s", FMT(id));
	return t->n == 0 ? NULL : bsearch(&key, t->row, t->n, sizeof key, told_cmp);
}

void
told_release(struct told *t)
{
	free(t->row);
	*t = (struct told){ 0 };
}

/* The books. */

static int
counted(struct agent *a, int64_t *total, bool *ok, struct err *e)
{
	struct json_doc d = { 0 };
	int rc = agent_call(a, "stats", &d, e, "%s", "");

	if (rc == OK)
		rc = json_get_int(json_get(d.root, S("data")), "total_issues",
		    "stats: total_issues", -1, 0, INT64_MAX, total, e);
	json_release(&d);
	d = (struct json_doc){ 0 };
	if (rc == OK)
		rc = agent_call(a, "recount", &d, e, "%s", "");
	if (rc == OK)
		*ok = json_bool(json_get(json_get(d.root, S("data")), S("ok")));
	json_release(&d);
	return rc;
}

int
verify_counts(struct trial *t, const struct place *p, int64_t items, struct err *e)
{
	int64_t total = -1;
	bool ok = false;
	struct agent a;
	int rc = agent_open(&a, p, 0, e);

	if (rc == OK)
		rc = counted(&a, &total, &ok, e);
	agent_close(&a);
	if (rc != OK)
		return rc;
	trial_check(t, total == items && ok, "%lld items are stored (acknowledged %lld); "
	    "a recount finds %s", (long long)total, (long long)items,
	    ok ? "the same" : "differences");
	return OK;
}

static int
books_close(struct trial *t, struct place *p, struct told *told, uint64_t errors,
    struct err *e)
{
	size_t twice = told_twice(told);

	trial_check(t, errors == 0 && twice == 0, "%zu items, %llu errors, %zu ids twice",
	    told->n, (unsigned long long)errors, twice);
	return verify_counts(t, p, (int64_t)told->n, e);
}

/* S1, S5, B5: agents that only create. */

struct makers {
	struct trial *t;
	struct meter *m;
	struct told *told;
	int64_t each;                        /* 0: until `until` */
	int64_t asked[WB_AGENTS_MAX];
	nsec since, until;                   /* what is answered within counts */
	uint64_t counts;
};

static bool
maker_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct makers *k = ctx;

	if (k->each > 0 ? k->asked[a->index] == k->each : clock_mono() >= k->until)
		return false;
	q->operation = "create";
	q->number = k->asked[a->index]++;
	buf_add_fmt(q->args, "\"title\":\"item %lld of agent %zu\",\"priority\":%lld",
	    (long long)q->number, a->index, (long long)(q->number % 5));
	return true;
}

/* The id is the first member of the item, and that of the data: a document is
 * not needed at 20,000 a second. */
static struct str
id_of_line(struct str line)
{
	static const char mark[] = "\"data\":{\"id\":\"";
	const char *at = memmem(line.p, line.n, mark, sizeof mark - 1);
	struct str rest;
	ptrdiff_t end;

	if (at == NULL)
		return STR_NONE;
	at += sizeof mark - 1;
	rest = (struct str){ at, (size_t)(line.p + line.n - at) };
	end = str_index(rest, '"');
	return end < 0 ? STR_NONE : str_sub(rest, 0, (size_t)end);
}

static int
maker_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct makers *k = ctx;

	if (!r->success) {
		struct err why;

		answer_words(r, &why);
		trial_error(k->t, k->m, &why);
		return OK;
	}
	if (k->each > 0 || (r->at >= k->since && r->at < k->until)) {
		hist_add(&k->m->times, (uint64_t)r->took);
		k->counts++;
	}
	return told_add(k->told, id_of_line(r->line), r->number, a->index, e);
}

static int
makers_run(struct makers *k, struct place *p, size_t n, size_t depth, struct crowd *c,
    struct err *e)
{
	*c = (struct crowd){ .place = p, .n = n, .depth = depth, .next = maker_next,
		.answer = maker_answer, .ctx = k };
	return crowd_run(c, e);
}

/* Creates a second for a while, after a sixth of it that is left out. */
static int
rate_run(struct trial *t, struct place *p, struct told *told, size_t depth,
    const char *label, double target, struct err *e)
{
	nsec length = t->o->duration * NS_PER_MS, now = clock_mono();
	struct makers k = { .t = t, .told = told, .since = now + length / 6,
		.until = now + length / 6 + length };
	struct crowd c;
	double rate, share;
	int rc;

	k.m = trial_meter(t, "s1_create_%s", label);
	rc = makers_run(&k, p, (size_t)t->o->connections, depth, &c, e);
	if (rc != OK)
		return rc;
	rate = (double)k.counts / ((double)length / (double)NS_PER_S);
	share = (double)c.cpu / (double)(c.ended - c.began);
	trial_value(t, rate, 0, "s1_%s_creates_per_s", label);
	trial_value(t, c.daemon_cpu_s * 1e6 / (double)c.answered, 1,
	    "s1_%s_daemon_cpu_us_per_create", label);
	trial_value(t, c.daemon_cpu_s / ((double)(c.ended - c.began) / (double)NS_PER_S), 3,
	    "s1_%s_daemon_cpu_share", label);
	trial_value(t, share, 3, "s1_%s_generator_cpu_share", label);
	trial_check(t, k.m->errors == 0 && rate >= target,
	    "%s: %.0f durable creates/s >= %.0f", label, rate, target);
	trial_check(t, share < GENERATOR_MAX, "%s: the generator was not the bottleneck "
	    "(%.0f %% of a core)", label, share * 100);
	return OK;
}

static int
makers_only(struct trial *t, const char *label, size_t n, int64_t each, struct err *e)
{
	struct told told = { 0 };
	struct makers k = { .t = t, .told = &told, .each = each };
	struct crowd c;
	struct place p;
	int rc = place_new(&p, &t->scratch, t->tool, true, e);

	k.m = trial_meter(t, "%s", label);
	if (rc == OK)
		rc = makers_run(&k, &p, n, 1, &c, e);
	if (rc == OK) {
		trial_value(t, (double)c.answered * 1e9 / (double)(c.ended - c.began), 0,
		    "%s_per_s", label);
		rc = books_close(t, &p, &told, k.m->errors, e);
	}
	told_release(&told);
	return place_close(&p, rc, e);
}

int
load_s1(struct trial *t, struct err *e)
{
	struct told told = { 0 };
	struct place p;
	int rc = makers_only(t, "s1_create", S1_AGENTS, S1_EACH, e);

	if (rc == OK)
		rc = place_new(&p, &t->scratch, t->tool, true, e);
	if (rc != OK)
		return rc;
	rc = rate_run(t, &p, &told, (size_t)t->o->depth, "pipelined", S1_PIPELINED, e);
	if (rc == OK)
		rc = rate_run(t, &p, &told, 1, "unpipelined", S1_UNPIPELINED, e);
	if (rc == OK)
		rc = books_close(t, &p, &told, 0, e);
	told_release(&told);
	return place_close(&p, rc, e);
}

int
load_s5(struct trial *t, struct err *e)
{
	return makers_only(t, "s5_create", S5_AGENTS, S1_EACH, e);
}

int
load_b5(struct trial *t, struct err *e)
{
	return makers_only(t, "b5_create", B5_AGENTS, t->iterations / B5_AGENTS, e);
}

/* S2: batches whole or absent. */

struct batches {
	struct trial *t;
	struct meter *m;
	int64_t asked[S2_AGENTS];
	uint64_t refused, wrong;
};

static bool
batch_fails(int64_t number)
{
	return number % S2_FAILS_EVERY == S2_FAILS_EVERY - 1;
}

/* Two creates of which the second depends on the first; a failing one has a
 * third part that closes what is not there. */
static bool
batch_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct batches *b = ctx;
	int64_t i = b->asked[a->index];
	const char *kind;

	if (i == S2_BATCHES)
		return false;
	b->asked[a->index]++;
	q->operation = "batch";
	q->number = i;
	kind = batch_fails(i) ? "absent" : "whole";
	buf_add_fmt(q->args, "\"operations\":["
	    "{\"operation\":\"create\",\"args\":{\"title\":\"%s a %lld %zu\"}},"
	    "{\"operation\":\"create\",\"args\":{\"title\":\"%s b %lld %zu\"}},",
	    kind, (long long)i, a->index, kind, (long long)i, a->index);
	if (batch_fails(i))
		buf_lit(q->args, "{\"operation\":\"close\",\"args\":{\"id\":\"w-nowhere\"}}]");
	else
		buf_lit(q->args, "{\"operation\":\"dep_add\",\"args\":"
		    "{\"from_id\":{\"$ref\":1},\"to_id\":{\"$ref\":0}}}]");
	return true;
}

static int
batch_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct batches *b = ctx;

	(void)a, (void)e;
	hist_add(&b->m->times, (uint64_t)r->took);
	if (r->success == batch_fails(r->number)) {
		struct err why;

		b->wrong++;
		answer_words(r, &why);
		trial_error(b->t, b->m, &why);
	}
	b->refused += !r->success;
	return OK;
}

/* How many items carry text in their title. */
static int
titles_count(const struct place *p, const char *text, size_t *n, struct err *e)
{
	struct json_doc d = { 0 };
	struct agent a;
	int rc = agent_open(&a, p, 0, e);

	if (rc == OK)
		rc = agent_call(&a, "list", &d, e, "\"title\":\"%s\"", text);
	if (rc == OK)
		*n = json_count(json_get(d.root, S("data")));
	json_release(&d);
	agent_close(&a);
	return rc;
}

int
load_s2(struct trial *t, struct err *e)
{
	struct batches b = { .t = t, .m = trial_meter(t, "s2_batch") };
	struct crowd c = { .n = S2_AGENTS, .depth = 1, .next = batch_next,
		.answer = batch_answer, .ctx = &b };
	int64_t due = S2_AGENTS * (S2_BATCHES - S2_BATCHES / S2_FAILS_EVERY) * 2;
	size_t whole = 0, absent = 0;
	struct place p;
	int rc = place_new(&p, &t->scratch, t->tool, true, e);

	c.place = &p;
	if (rc == OK)
		rc = crowd_run(&c, e);
	if (rc == OK)
		rc = titles_count(&p, "whole", &whole, e);
	if (rc == OK)
		rc = titles_count(&p, "absent", &absent, e);
	if (rc == OK) {
		trial_check(t, b.wrong == 0 && absent == 0 && whole == (size_t)due,
		    "%zu items of whole batches (of %lld), %zu of the %llu that failed",
		    whole, (long long)due, absent, (unsigned long long)b.refused);
		rc = verify_counts(t, &p, due, e);
	}
	return place_close(&p, rc, e);
}

/* S3: what agents do. */

#define MIX 5
static const char *const mix_names[MIX] = { "create", "update", "show", "list", "ready" };

struct mixers {
	struct trial *t;
	struct meter *m[MIX];
	struct told told;
	int64_t step[S3_AGENTS];
	char id[S3_AGENTS][WB_ID];           /* the agent's newest item */
	int64_t rounds;
};

static bool
mix_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct mixers *x = ctx;
	int64_t i = x->step[a->index];
	int which = (int)(i % MIX);

	if (i == x->rounds * MIX)
		return false;
	x->step[a->index]++;
	q->operation = mix_names[which];
	q->tag = which;
	q->number = i / MIX;
	if (which == 0)
		buf_add_fmt(q->args, "\"title\":\"item %lld\",\"labels\":[\"agent-%zu\"]",
		    (long long)q->number, a->index);
	else if (which == 1)
		buf_add_fmt(q->args, "\"id\":\"%s\",\"priority\":%lld", x->id[a->index],
		    (long long)(q->number % 5));
	else if (which == 2)
		buf_add_fmt(q->args, "\"id\":\"%s\"", x->id[a->index]);
	else if (which == 3)
		buf_add_fmt(q->args, "\"labels\":[\"agent-%zu\"],\"limit\":50", a->index);
	return true;
}

static int
mix_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct mixers *x = ctx;
	struct str id = id_of_line(r->line);

	if (!r->success) {
		struct err why;

		answer_words(r, &why);
		trial_error(x->t, x->m[r->tag], &why);
		return OK;
	}
	hist_add(&x->m[r->tag]->times, (uint64_t)r->took);
	if (r->tag != 0)
		return OK;
	snprintf(x->id[a->index], WB_ID, "%.*s", FMT(id));
	return told_add(&x->told, id, r->number, a->index, e);
}

int
load_s3(struct trial *t, struct err *e)
{
	struct mixers x = { .t = t, .rounds = S3_ROUNDS };
	struct crowd c = { .n = S3_AGENTS, .depth = 1, .next = mix_next,
		.answer = mix_answer, .ctx = &x };
	uint64_t errors = 0;
	struct place p;
	int rc = place_new(&p, &t->scratch, t->tool, true, e);

	for (size_t i = 0; i < MIX; i++)
		x.m[i] = trial_meter(t, "s3_%s", mix_names[i]);
	c.place = &p;
	if (rc == OK)
		rc = crowd_run(&c, e);
	for (size_t i = 0; i < MIX; i++)
		errors += x.m[i]->errors;
	if (rc == OK) {
		trial_value(t, (double)(c.ended - c.began) / (double)NS_PER_MS, 1,
		    "s3_wall_ms");
		rc = books_close(t, &p, &x.told, errors, e);
	}
	rc = place_close(&p, rc, e);
	told_release(&x.told);
	return rc;
}

/* S4: time limits. */

/* A request must time out, and the server must go on. */
static int
late_request(struct trial *t, struct agent *a, const struct ask *q, const char *what,
    struct err *e)
{
	struct answer r;
	struct err words = { 0 };
	int rc = agent_ask(a, q, true, &r, e);

	if (rc != OK)
		return rc;
	if (!r.success)
		answer_words(&r, &words);
	trial_check(t, !r.success && str_contains(r.line, S("TIMEOUT")),
	    "%s times out (%.80s)", what, r.success ? "but it passed" : words.text);
	return OK;
}

static int
late_batch(struct trial *t, struct agent *a, struct err *e)
{
	struct buf args = BUF(16 * MB);
	const struct ask q = { .operation = "batch", .args = &args, .deadline = 1 };
	int rc;

	buf_lit(&args, "\"operations\":[");
	for (int i = 0; i < S4_BATCH; i++)
		buf_add_fmt(&args, "%s{\"operation\":\"create\",\"args\":{\"title\":"
		    "\"late %d\"}}", i > 0 ? "," : "", i);
	buf_lit(&args, "]");
	rc = late_request(t, a, &q, "a batch of 2,000 within 1 ms", e);
	buf_release(&args);
	return rc;
}

/* 1 ns on the command line, where the whole of a request is limited. */
static int
late_process(struct trial *t, struct place *p, struct err *e)
{
	static const char *const late[] = { "create", "late", "--timeout", "1ns", NULL };
	static const char *const timely[] = { "create", "timely", "--timeout", "5s", NULL };
	struct run r = { .place = p, .args = late };
	int rc = run_process(&r, e);

	if (rc != OK)
		return rc;
	trial_check(t, r.code == EXIT_TIMED_OUT, "--timeout 1ns ends with code %d (is %d)",
	    EXIT_TIMED_OUT, r.code);
	r.args = timely;
	rc = run_process(&r, e);
	if (rc == OK)
		trial_check(t, r.code == 0, "--timeout 5s passes (code %d)", r.code);
	return rc;
}

static int
timely_requests(struct meter *m, struct trial *t, struct agent *a, struct err *e)
{
	struct buf args = BUF(KB);
	const struct ask q = { .operation = "create", .args = &args, .deadline = 5000 };
	struct answer r;
	int rc = OK;

	for (int i = 0; i < S4_TIMES && rc == OK; i++) {
		buf_clear(&args);
		buf_add_fmt(&args, "\"title\":\"timely %d\"", i);
		rc = agent_ask(a, &q, true, &r, e);
		if (rc != OK)
			break;
		if (r.success) {
			hist_add(&m->times, (uint64_t)r.took);
		} else {
			struct err why;

			answer_words(&r, &why);
			trial_error(t, m, &why);
		}
	}
	buf_release(&args);
	return rc;
}

int
load_s4(struct trial *t, struct err *e)
{
	struct meter *m = trial_meter(t, "s4_create_within_5s");
	size_t late = 0;
	struct place p;
	struct agent a = { .fd = -1 };
	int rc = place_new(&p, &t->scratch, t->tool, true, e);

	if (rc == OK)
		rc = agent_open(&a, &p, 0, e);
	if (rc == OK)
		rc = timely_requests(m, t, &a, e);
	if (rc == OK)
		rc = late_batch(t, &a, e);
	if (rc == OK)
		rc = late_process(t, &p, e);
	if (rc == OK)
		rc = agent_call(&a, "ping", NULL, e, "%s", "");
	agent_close(&a);
	if (rc == OK)
		rc = titles_count(&p, "late", &late, e);
	if (rc == OK) {
		trial_check(t, m->errors == 0, "%d creates within 5 s", S4_TIMES);
		trial_check(t, late == 0, "%zu items of requests that timed out", late);
		rc = verify_counts(t, &p, S4_TIMES + 1, e);
	}
	return place_close(&p, rc, e);
}
