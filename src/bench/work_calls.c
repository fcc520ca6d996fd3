/*
 * work_calls.c - one agent and one request at a time: B1 to B4 over the socket
 * and as processes, B6 whole processes, and the same for another program.
 *
 * Two ways that are compared take turns, so that the machine's load affects
 * both.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/work_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define LIST_ITEMS      100
#define OUT_BYTES       (64 * MB)
#define BLOCK_WARM      3

/* Bounds.  At a floor of 0.75 ms: a list in 0.1 ms, a ping in 15 us, whole
 * processes in 1.5 and 2.25 ms. */
#define LIST_FLOORS     0.135
#define PING_FLOORS     0.02
#define PROCESS_FLOORS  2.0
#define DIRECT_FLOORS   3.0
#define DIRECT_COMMITS  2.0

/* Two equal workspaces: one with a daemon, one without. */
struct pair {
	struct space with, without;
	struct agent agent;
	char id[2][WB_ID];                   /* an item of each */
};

/* Runs a command, which must succeed; out: its output. */
static int
tool_must(struct space *p, const char *const *args, const char *last, struct buf *out,
    struct err *e)
{
	struct buf words = BUF(OUT_BYTES);
	struct process r = { .space = p, .args = args, .last = last,
		.out = out != NULL ? out : &words };
	int rc = process_run(&r, e);

	if (rc == OK && r.code != 0)
		rc = err_set(e, ERR_INVALID, "%s: exit code %d: %.300s", args[0], r.code,
		    r.out->n > 0 ? r.out->p : "");
	buf_release(&words);
	return rc;
}

/* Makes an item by a process, and keeps its id. */
static int
tool_create(struct space *p, const char *title, const char *last, char id[WB_ID],
    struct err *e)
{
	const char *const args[] = { "create", title, "--json", NULL };
	struct buf out = BUF(OUT_BYTES);
	struct json_doc d = { 0 };
	struct str got;
	int rc = tool_must(p, args, last, &out, e);

	if (rc == OK)
		rc = json_parse(&d, buf_str(&out), e);
	if (rc == OK) {
		got = answer_id(json_is_array(d.root) ? json_at(d.root, 0) : d.root);
		if (got.n == 0 || got.n >= WB_ID)
			rc = err_set(e, ERR_INVALID, "create --json told no id");
		else
			snprintf(id, WB_ID, "%.*s", FMT(got));
	}
	json_release(&d);
	buf_release(&out);
	return rc;
}

static int
pair_open(struct pair *p, struct trial *t, int items, struct err *e)
{
	int rc = OK;

	*p = (struct pair){ .agent = { .fd = -1 } };
	if (t->mode & MODE_DAEMON) {
		rc = space_new(&p->with, &t->scratch, t->tool, true, e);
		if (rc == OK)
			rc = agent_open(&p->agent, &p->with, 0, e);
		for (int i = 0; i < items && rc == OK; i++)
			rc = agent_call(&p->agent, "create", NULL, e,
			    "\"title\":\"item %d\",\"priority\":%d", i, i % 5);
		if (rc == OK)
			rc = tool_create(&p->with, "the item", NULL, p->id[0], e);
	}
	if (rc == OK && (t->mode & MODE_DIRECT))
		rc = space_new(&p->without, &t->scratch, t->tool, false, e);
	for (int i = 0; i < items && rc == OK && (t->mode & MODE_DIRECT); i++) {
		char title[32];

		snprintf(title, sizeof title, "item %d", i);
		rc = tool_must(&p->without, (const char *[]){ "create", title, "-p",
		    (const char *[]){ "0", "1", "2", "3", "4" }[i % 5], NULL },
		    "--no-daemon", NULL, e);
	}
	if (rc == OK && (t->mode & MODE_DIRECT))
		rc = tool_create(&p->without, "the item", "--no-daemon", p->id[1], e);
	return rc;
}

static int
pair_close(struct pair *p, int rc, struct err *e)
{
	agent_close(&p->agent);
	return space_close(&p->with, rc, e);
}

static int
socket_sample(struct trial *t, struct meter *m, struct agent *a, const struct ask *q,
    bool counts, struct err *e)
{
	struct answer r;
	int rc = agent_ask(a, q, true, &r, e);

	if (rc == OK)
		trial_answer(t, m, &r, counts);
	return rc;
}

/* The commands that are measured: as processes, and over the socket. */

enum { CREATE, SHOW, READY, LIST, UPDATE, COMMANDS };
static const char *const command_names[COMMANDS] = {
	"create", "show", "ready", "list", "update",
};

static void
command_words(size_t which, const char *id, int64_t i, const char **out, char *text,
    size_t size)
{
	static const char *const priority[] = { "0", "1", "2", "3", "4" };
	size_t n = 0;

	out[n++] = command_names[which];
	snprintf(text, size, "item %lld", (long long)i);
	if (which == CREATE)
		out[n++] = text;
	if (which == SHOW || which == UPDATE)
		out[n++] = id;
	if (which == LIST)
		out[n++] = "-n", out[n++] = "50";
	if (which == UPDATE) {
		out[n++] = "--title", out[n++] = text;
		out[n++] = "-p", out[n++] = priority[(i + 5) % 5];
	}
	out[n++] = "--json";
	out[n] = NULL;
}

static void
command_args(size_t which, const char *id, int64_t i, struct buf *out)
{
	if (which == CREATE)
		json_add_fmt(out, "'title':'item %lld','priority':2", (long long)i);
	if (which == UPDATE)
		json_add_fmt(out, "'id':%s,'title':'item %lld','priority':%lld", id,
		    (long long)i, (long long)(i % 5));
	if (which == LIST)
		json_add_fmt(out, "'limit':50");
}

/* B1 to B3: one operation over the socket, and as a process that opens the
 * file itself. */
struct one {
	const char *label;
	size_t command;
	double floors, commits;              /* the bound */
	int items;
};

static void
ratio(struct trial *t, const char *label, const struct meter *daemon,
    const struct meter *direct)
{
	if (daemon != NULL && direct != NULL && meter_p50(daemon) > 0)
		trial_value(t, meter_p50(direct) / meter_p50(daemon), 2,
		    "%s_direct_over_daemon", label);
}

/* A block of samples of one way, after a warm-up: the other way's block has
 * evicted the caches. */
static int
one_block(struct trial *t, const struct one *w, struct pair *p, struct meter *m,
    bool direct, int64_t at, struct err *e)
{
	struct buf args = BUF(MB);
	const struct ask q = { .operation = command_names[w->command], .args = &args };
	const char *words[RUN_ARGS_MAX];
	char text[128];
	int rc = OK;

	for (int64_t i = -BLOCK_WARM; i < WB_BLOCK && rc == OK; i++) {
		int64_t number = at + i + BLOCK_WARM;

		buf_clear(&args);
		command_args(w->command, p->id[0], number, &args);
		command_words(w->command, p->id[1], number, words, text, sizeof text);
		rc = direct ? trial_process(t, m, &p->without, words, "--no-daemon",
		    i >= 0, e) : socket_sample(t, m, &p->agent, &q, i >= 0, e);
	}
	buf_release(&args);
	return rc;
}

/* The daemon, direct access and the calibration, in turn. */
static int
one_run(struct trial *t, const struct one *w, struct err *e)
{
	struct meter *m[2] = { NULL };
	struct pair *p = mem_new(struct pair);
	int rc = pair_open(p, t, w->items, e);

	if (t->mode & MODE_DAEMON)
		m[0] = trial_meter(t, "%s_daemon", w->label);
	if (t->mode & MODE_DIRECT)
		m[1] = trial_meter(t, "%s_direct", w->label);
	for (int64_t i = 0; i < t->iterations && rc == OK; i += WB_BLOCK) {
		for (int way = 0; way < 2 && rc == OK; way++)
			if (m[way] != NULL)
				rc = one_block(t, w, p, m[way], way == 1, i, e);
		if (rc == OK)
			rc = trial_calibrate(t, WB_BLOCK, e);
		trial_progress(t, (double)i / (double)t->iterations, w->label);
	}
	rc = pair_close(p, rc, e);
	free(p);
	if (rc != OK)
		return rc;
	ratio(t, w->label, m[0], m[1]);
	if (m[0] != NULL)
		trial_p50(t, m[0], w->floors, w->commits);
	return OK;
}

int
workload_b1(struct trial *t, struct err *e)
{
	static const struct one w = { "b1_create", CREATE, WB_WRITE_FLOORS,
		WB_WRITE_COMMITS, 0 };

	return one_run(t, &w, e);
}

int
workload_b2(struct trial *t, struct err *e)
{
	static const struct one w = { "b2_update", UPDATE, WB_WRITE_FLOORS,
		WB_WRITE_COMMITS, 0 };

	return one_run(t, &w, e);
}

int
workload_b3(struct trial *t, struct err *e)
{
	static const struct one w = { "b3_list", LIST, LIST_FLOORS, 0, LIST_ITEMS };

	return one_run(t, &w, e);
}

/* Twice: with a client that polls before it sleeps, as the command line's does,
 * and with one that sleeps at once. */
int
workload_b4(struct trial *t, struct err *e)
{
	struct meter *watched = trial_meter(t, "b4_ping");
	struct meter *asleep = trial_meter(t, "b4_ping_asleep");
	const struct ask q = { .operation = "ping" };
	struct space p;
	struct agent a;
	int64_t n = t->iterations * 10;
	int rc = space_new(&p, &t->scratch, t->tool, true, e);

	if (rc != OK)
		return rc;
	rc = agent_open(&a, &p, 0, e);
	for (int64_t i = -n / 10; i < 2 * n && rc == OK; i++) {
		struct answer r;

		rc = agent_ask(&a, &q, i < n, &r, e);
		if (rc == OK && i >= 0)
			hist_add(&(i < n ? watched : asleep)->times, (uint64_t)r.took);
	}
	agent_close(&a);
	if (rc == OK)
		rc = trial_calibrate(t, WB_BLOCK, e);
	rc = space_close(&p, rc, e);
	if (rc == OK)
		trial_p50(t, watched, PING_FLOORS, 0);
	return rc;
}

/* B6: whole processes. */

/* One command by each way, in turn. */
static int
commands_run(struct trial *t, struct pair *p, struct meter *m[2][COMMANDS],
    struct err *e)
{
	const char *words[RUN_ARGS_MAX];
	char text[128];
	int rc = OK;

	for (int64_t i = -t->warmup; i < t->iterations && rc == OK; i++) {
		rc = trial_calibrate(t, 1, e);
		for (size_t k = 0; k < COMMANDS && rc == OK; k++) {
			command_words(k, p->id[0], i, words, text, sizeof text);
			if (m[0][k] != NULL)
				rc = trial_process(t, m[0][k], &p->with, words, NULL,
				    i >= 0, e);
			command_words(k, p->id[1], i, words, text, sizeof text);
			if (rc == OK && m[1][k] != NULL)
				rc = trial_process(t, m[1][k], &p->without, words,
				    "--no-daemon", i >= 0, e);
		}
		trial_progress(t, (double)(i + t->warmup) /
		    (double)(t->iterations + t->warmup), "processes");
	}
	return rc;
}

int
workload_b6(struct trial *t, struct err *e)
{
	struct meter *m[2][COMMANDS] = { { NULL } };
	struct pair *p = mem_new(struct pair);
	int rc = pair_open(p, t, LIST_ITEMS, e);

	for (size_t k = 0; k < COMMANDS; k++) {
		if (t->mode & MODE_DAEMON)
			m[0][k] = trial_meter(t, "b6_%s_daemon", command_names[k]);
		if (t->mode & MODE_DIRECT)
			m[1][k] = trial_meter(t, "b6_%s_direct", command_names[k]);
	}
	if (rc == OK)
		rc = commands_run(t, p, m, e);
	rc = pair_close(p, rc, e);
	free(p);
	for (size_t k = 0; k < COMMANDS && rc == OK; k++) {
		bool writes = k == CREATE || k == UPDATE;
		char label[32];

		if (m[0][k] != NULL)
			trial_p50(t, m[0][k], PROCESS_FLOORS,
			    writes ? WB_WRITE_COMMITS : 0);
		if (m[1][k] != NULL)
			trial_p50(t, m[1][k], DIRECT_FLOORS, writes ? DIRECT_COMMITS : 0);
		snprintf(label, sizeof label, "b6_%s", command_names[k]);
		ratio(t, label, m[0][k], m[1][k]);
	}
	return rc;
}

/* Two programs with the same command line, side by side. */

#define SIDES 2
static const char *const side_names[SIDES] = { "cohort", "bd" };
static const char *const bd_names[] = {
	"init", "create", "show", "ready", "list", "update", "dep_add",
};

struct sides {
	struct space space[SIDES];
	char id[SIDES][WB_ID], other[SIDES][WB_ID];
	const char *last;                    /* "--no-daemon", or NULL */
	struct meter *m[SIDES][COUNT(bd_names)];
};

static int
sides_open(struct trial *t, struct sides *s, const char *way, struct err *e)
{
	char *bd = realpath(t->o->bd, NULL);
	static char kept[WB_PATH];
	struct tool tools[SIDES] = { t->tool, { kept, NULL } };
	int rc = OK;

	if (bd == NULL || strlen(bd) >= sizeof kept) {
		free(bd);
		return err_set(e, ERR_NOTFOUND, "--bd: there is no %s", t->o->bd);
	}
	/* As given: a program may depend on its name. */
	snprintf(kept, sizeof kept, "%s", t->o->bd[0] == '/' ? t->o->bd : bd);
	free(bd);
	for (size_t i = 0; i < SIDES && rc == OK; i++) {
		nsec began;

		for (size_t k = 0; k < COUNT(bd_names); k++)
			s->m[i][k] = trial_meter(t, "%s_%s_%s", side_names[i], bd_names[k], way);
		began = clock_mono();
		rc = space_new(&s->space[i], &t->scratch, tools[i], false, e);
		if (rc == OK)
			hist_add(&s->m[i][0]->times, (uint64_t)(clock_mono() - began));
		if (rc == OK)
			rc = tool_create(&s->space[i], "the item", s->last, s->id[i], e);
	}
	return rc;
}

/* An item that depends on the first one; the item is new each time. */
static int
side_depends(struct trial *t, struct sides *s, size_t side, bool counts, struct err *e)
{
	const char *const add[] = { "dep", "add", s->other[side], s->id[side], NULL };
	int rc = tool_create(&s->space[side], "depends", s->last, s->other[side], e);

	if (rc != OK)
		return rc;
	return trial_process(t, s->m[side][COUNT(bd_names) - 1], &s->space[side], add,
	    s->last, counts, e);
}

static int
sides_run(struct trial *t, struct sides *s, struct err *e)
{
	const char *words[RUN_ARGS_MAX];
	char text[128];
	int rc = OK;

	for (int64_t i = -t->warmup; i < t->iterations && rc == OK; i++) {
		for (size_t k = 0; k < COMMANDS * SIDES && rc == OK; k++) {
			size_t side = k % SIDES, which = k / SIDES;

			command_words(which, s->id[side], i, words, text, sizeof text);
			rc = trial_process(t, s->m[side][1 + which], &s->space[side], words,
			    s->last, i >= 0, e);
		}
		for (size_t side = 0; side < SIDES && rc == OK; side++)
			rc = side_depends(t, s, side, i >= 0, e);
		trial_progress(t, (double)(i + t->warmup) /
		    (double)(t->iterations + t->warmup), "side by side");
	}
	return rc;
}

static int
sides_way(struct trial *t, const char *way, const char *last, struct err *e)
{
	static const char *const stop[] = { "daemon", "--stop", NULL };
	struct sides *s = mem_new(struct sides);
	int rc;

	s->last = last;
	rc = sides_open(t, s, way, e);
	if (rc == OK)
		rc = sides_run(t, s, e);
	for (size_t i = 0; i < SIDES && last == NULL; i++) {
		struct process r = { .space = &s->space[i], .args = stop };

		if (s->space[i].dir[0] != '\0')
			process_run(&r, &(struct err){ 0 });
	}
	for (size_t k = 0; k < COUNT(bd_names) && rc == OK; k++) {
		trial_check(t, s->m[0][k]->errors + s->m[1][k]->errors == 0,
		    "%s %s: no errors", bd_names[k], way);
		if (meter_p50(s->m[0][k]) > 0)
			trial_value(t, meter_p50(s->m[1][k]) / meter_p50(s->m[0][k]), 2,
			    "bd_over_cohort_%s_%s", bd_names[k], way);
	}
	free(s);
	return rc;
}

/* With the daemon each program starts its own. */
int
workload_bd(struct trial *t, struct err *e)
{
	int rc = OK;

	if (t->mode & MODE_DAEMON)
		rc = sides_way(t, "daemon", NULL, e);
	if (rc == OK && (t->mode & MODE_DIRECT))
		rc = sides_way(t, "direct", "--no-daemon", e);
	return rc;
}
