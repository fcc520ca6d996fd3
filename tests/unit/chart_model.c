/*
 * chart_model.c - random charts, random events: a stepper that is saved,
 * forgotten and restored after every call goes the same way as one that is
 * not, byte for byte, and the same calls give the same again.
 *
 * CHART_CASES: how many charts (300; the whole proof is 100,000), from
 * CHART_SEED (1) on.  A failure names its seed; CHART_SHOW shows the charts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "chart/stepper.h"

#define STATES_MAX 14
#define CALLS      40
#define TASKS_MAX  64

/* ---- random numbers ------------------------------------------------------ */

static uint64_t seed;

/* splitmix64 */
static unsigned
below(unsigned n)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ z >> 31) % n);
}

static bool
chance(unsigned percent)
{
	return below(100) < percent;
}

/* ---- random charts ------------------------------------------------------- */

enum kind { ATOMIC, COMPOUND, PARALLEL, FINAL, HISTORY };

struct plan {
	struct buf *out;
	unsigned n;                  /* states; 0 is the chart */
	unsigned parent[STATES_MAX], children[STATES_MAX];   /* histories not counted */
	unsigned nesting;            /* of the chart in others */
	unsigned *ids;               /* of invokes, in all */
	enum kind kind[STATES_MAX];
};

static void random_chart(struct buf *out, unsigned nesting, unsigned *ids);

static const char *
event_name(void)
{
	static const char *const names[] = { "e0", "e1", "e2", "e3", "t0", "t1" };

	return names[below(COUNT(names))];
}

static void
random_target(const struct plan *p, struct buf *b)
{
	switch (below(8)) {
	case 0:
		buf_lit(b, "#_parent");
		break;
	case 1:
		buf_lit(b, "#_nobody");
		break;
	case 2: case 3:
		buf_add_fmt(b, "#_k%u", below(*p->ids + 1));
		break;
	default:
		break;
	}
}

static void
random_action(const struct plan *p, unsigned depth)
{
	struct buf *b = p->out;

	switch (below(depth < 2 ? 9 : 7)) {
	case 0:
		buf_add_fmt(b, "<log label='l%u' expr='x'/>", below(9));
		break;
	case 1: case 2:
		buf_lit(b, "<assign location='x' expr='x + 1'/>");
		break;
	case 3:
		buf_add_fmt(b, "<assign location='o.v%u' expr=\"[x, _event?.name, undefined]\"/>",
		    below(3));
		break;
	case 4:
		buf_add_fmt(b, "<if cond='x &lt; 30'><assign location='x' expr='x + 1'/>"
		    "<raise event='%s'/></if>", event_name());
		break;
	case 5:
		buf_add_fmt(b, "<send event='%s' id='i%u' delay='%us' target='", event_name(),
		    below(3), below(3));
		random_target(p, b);
		buf_lit(b, "'><param name='x' expr='x'/></send>");
		break;
	case 6:
		buf_add_fmt(b, "<cancel sendid='i%u'/>", below(3));
		break;
	case 7:
		buf_add_fmt(b, "<if cond='x %% %u == 0'>", 2 + below(3));
		random_action(p, depth + 1);
		buf_lit(b, "<else/>");
		random_action(p, depth + 1);
		buf_lit(b, "</if>");
		break;
	default:
		buf_add_fmt(b, "<foreach item='y' index='z' array='range(%u)'>", below(4));
		random_action(p, depth + 1);
		buf_lit(b, "</foreach>");
	}
}

static void
random_content(const struct plan *p, const char *element, unsigned percent)
{
	if (!chance(percent))
		return;
	buf_add_fmt(p->out, "<%s>", element);
	for (unsigned i = below(3) + 1; i > 0; i--)
		random_action(p, 0);
	buf_add_fmt(p->out, "</%s>", element);
}

/* One that may follow from itself counts, so that macrosteps end. */
static void
random_transition(const struct plan *p)
{
	static const char *const others[] = { "done.invoke", "done.state", "error", "answer",
		"*" };
	struct buf *b = p->out;
	bool eventless = chance(8), own = eventless || chance(40);

	buf_lit(b, "<transition");
	if (!eventless)
		buf_add_fmt(b, " event='%s'", !own ? event_name() :
		    others[below(COUNT(others))]);
	if (own)
		buf_add_fmt(b, " cond='x &lt; %u'", 10 + below(50));
	else if (chance(20))
		buf_add_fmt(b, " cond=\"visits('s%u') %s %u\"", 1 + below(p->n - 1),
		    chance(50) ? "&lt;" : "!=", below(4));
	else if (chance(20))
		buf_add_fmt(b, " cond=\"In('s%u') || x %% 2 == 0\"", 1 + below(p->n - 1));
	if (eventless || chance(80))
		buf_add_fmt(b, " target='s%u'", 1 + below(p->n - 1));
	if (chance(20))
		buf_lit(b, " type='internal'");
	buf_lit(b, ">");
	if (own)
		buf_lit(b, "<assign location='x' expr='x + 1'/>");
	if (chance(50))
		random_action(p, 0);
	buf_lit(b, "</transition>");
}

static void
random_invoke(const struct plan *p)
{
	struct buf *b = p->out;
	bool child = p->nesting < 2 && chance(40);

	buf_lit(b, "<invoke");
	if (!child)
		buf_lit(b, " type='work'");
	if (chance(60))
		buf_add_fmt(b, " id='k%u'", (*p->ids)++);
	if (chance(20))
		buf_lit(b, " autoforward='true'");
	buf_lit(b, "><param name='x' expr='x'/>");
	if (chance(20))
		buf_lit(b, "<finalize><assign location='x' expr='x + 10'/></finalize>");
	if (child) {
		buf_lit(b, "<content>");
		random_chart(b, p->nesting + 1, p->ids);
		buf_lit(b, "</content>");
	}
	buf_lit(b, "</invoke>");
}

static void
add_history(const struct plan *p, unsigned at)
{
	unsigned target = 1;

	while (p->parent[target] != p->parent[at] || p->kind[target] == HISTORY)
		target++;
	buf_add_fmt(p->out, "<history id='s%u'%s><transition target='s%u'/></history>", at,
	    chance(50) ? " type='deep'" : "", target);
}

static void
add_state(const struct plan *p, unsigned at)
{
	static const char *const names[] = { [ATOMIC] = "state", [COMPOUND] = "state",
		[PARALLEL] = "parallel", [FINAL] = "final" };
	struct buf *b = p->out;

	if (p->kind[at] == HISTORY) {
		add_history(p, at);
		return;
	}
	buf_add_fmt(b, "<%s id='s%u'>", names[p->kind[at]], at);
	random_content(p, "onentry", 30);
	random_content(p, "onexit", 30);
	for (unsigned i = below(4); i > 0 && p->kind[at] != FINAL; i--)
		random_transition(p);
	while (p->kind[at] != FINAL && chance(20))
		random_invoke(p);
	for (unsigned i = at + 1; i < p->n; i++)
		if (p->parent[i] == at)
			add_state(p, i);
	if (p->kind[at] == FINAL && chance(50))
		buf_lit(b, "<donedata><param name='x' expr='x'/></donedata>");
	buf_add_fmt(b, "</%s>", names[p->kind[at]]);
}

/* A tree of states, and then what each of them is. */
static void
plan_states(struct plan *p)
{
	unsigned depth[STATES_MAX] = { 0 };
	bool leaf[STATES_MAX];

	p->n = 3 + below(p->nesting == 0 ? STATES_MAX - 2 : 4);
	for (unsigned i = 1; i < p->n; i++) {
		do
			p->parent[i] = below(i);
		while (depth[p->parent[i]] > 3);
		depth[i] = depth[p->parent[i]] + 1;
		leaf[i] = true;
		leaf[p->parent[i]] = false;
		p->children[p->parent[i]]++;
	}
	for (unsigned i = 1; i < p->n; i++) {
		unsigned up = p->parent[i];

		p->kind[i] = ATOMIC;
		if (!leaf[i]) {
			p->kind[i] = chance(40) ? PARALLEL : COMPOUND;
		} else if (up > 0 && p->children[up] > 1 && chance(20)) {
			p->kind[i] = HISTORY;
			p->children[up]--;
		} else if (p->kind[up] != PARALLEL && chance(25)) {
			p->kind[i] = FINAL;
		}
	}
}

static void
random_chart(struct buf *out, unsigned nesting, unsigned *ids)
{
	struct plan p = { .out = out, .nesting = nesting, .ids = ids };

	plan_states(&p);
	buf_add_fmt(out, "<scxml%s><datamodel><data id='x' expr='0'/><data id='o' expr='{}'/>"
	    "<data id='y'/><data id='z'/></datamodel>", chance(20) ? " binding='late'" : "");
	for (unsigned i = 1; i < p.n; i++)
		if (p.parent[i] == 0)
			add_state(&p, i);
	buf_lit(out, "</scxml>");
}

/* ---- a stepper with a trace ---------------------------------------------- */

struct twin {
	struct chart_stepper *st;
	struct buf trace;
	uint64_t tasks[TASKS_MAX];   /* under way */
	size_t tasks_n;
};

static void
begin(void *ctx, const struct stepper_task *t)
{
	struct twin *w = ctx;

	if (t->again)
		return;
	buf_add_fmt(&w->trace, "+%llx ", (unsigned long long)t->serial);
	val_add_json(&w->trace, t->args);
	if (w->tasks_n < TASKS_MAX)
		w->tasks[w->tasks_n++] = t->serial;
}

static void
stop(void *ctx, uint64_t serial)
{
	struct twin *w = ctx;

	buf_add_fmt(&w->trace, "-%llx ", (unsigned long long)serial);
	for (size_t i = 0; i < w->tasks_n; i++)
		if (w->tasks[i] == serial)
			w->tasks[i--] = w->tasks[--w->tasks_n];
}

static void
told(void *ctx, const struct chart *c, struct str session, const struct effect *f)
{
	struct twin *w = ctx;

	(void)c;
	buf_add_fmt(&w->trace, "%.*s:%d %.*s %u ", FMT(session), f->kind, FMT(f->name),
	    f->state);
	val_add_json(&w->trace, f->data);
}

static const struct stepper_ops ops = { .begin = begin, .stop = stop, .told = told,
	.path = true };

/* ---- calls --------------------------------------------------------------- */

struct call {
	enum { STEP, EVENT, DONE, FAILED, ANSWER, OTHER, FIRE } what;
	const char *event;
	uint64_t task;
	msec now;
};

static struct call
random_call(const struct twin *w, msec *now)
{
	struct call c = { .event = event_name(), .now = *now };
	unsigned what = below(20);

	if (stepper_busy(w->st) && what < 13) {
		c.what = STEP;
	} else if (what < 10 && w->tasks_n > 0) {
		c.what = what < 5 ? DONE : what < 7 ? FAILED : what < 8 ? ANSWER : OTHER;
		c.task = w->tasks[below((unsigned)w->tasks_n)];
	} else if (what < 16 && stepper_due(w->st) != STEPPER_NEVER) {
		c.what = FIRE;
		c.now = *now = stepper_due(w->st) > *now ? stepper_due(w->st) : *now;
	} else {
		c.what = EVENT;
	}
	return c;
}

static void
make_call(struct twin *w, const struct call *c)
{
	struct val data = val_string(str_of(c->event));
	int rc = OK;

	buf_clear(&w->trace);
	if (c->what == STEP)
		rc = stepper_step(w->st, c->now);
	if (c->what == EVENT)
		rc = stepper_event(w->st, str_of(c->event), data);
	if (c->what == DONE)
		rc = stepper_task_done(w->st, c->task, data);
	if (c->what == FAILED)
		rc = stepper_task_failed(w->st, c->task, S("error.work"), data);
	if (c->what == ANSWER)
		rc = stepper_task_answer(w->st, c->task, data);
	if (c->what == OTHER)
		rc = stepper_task_event(w->st, c->task, str_of(c->event), data);
	if (c->what == FIRE)
		rc = stepper_fire(w->st, c->now);
	buf_add_fmt(&w->trace, "=%d", rc);
	val_drop(data);
}

/* ---- a case -------------------------------------------------------------- */

struct trial {
	uint64_t seed;
	struct buf text;
	struct chart *chart;
	struct call calls[CALLS];
	size_t n;
	struct buf end;              /* the last snapshot */
};

_Noreturn static void
disagree(const struct trial *t, const char *what, struct str a, struct str b)
{
	test_fail(__FILE__, __LINE__, "seed %llu, call %zu: %s\n%.*s\n%.*s\n%.*s",
	    (unsigned long long)t->seed, t->n, what, FMT(buf_str(&t->text)), FMT(a), FMT(b));
}

static void
twin_free(struct twin *w)
{
	stepper_free(w->st);
	buf_release(&w->trace);
}

/* Saves b, restores it, and compares what is saved with a's. */
static void
restore(struct trial *t, const struct twin *a, struct twin *b)
{
	struct buf saved = BUF(64 * MB);
	struct err e = { 0 };

	buf_clear(&t->end);
	stepper_save(a->st, &t->end);
	stepper_save(b->st, &saved);
	if (!str_eq(buf_str(&t->end), buf_str(&saved)))
		disagree(t, "the snapshots", buf_str(&t->end), buf_str(&saved));
	stepper_free(b->st);
	if (stepper_restore(&b->st, t->chart, S("s"), buf_str(&saved), &ops, b, &e) != OK)
		disagree(t, e.text, buf_str(&saved), STR_NONE);
	buf_release(&saved);
}

static void
run_twins(struct trial *t, struct twin *a, struct twin *b)
{
	msec now = 0;

	for (t->n = 0; t->n < CALLS && !stepper_over(a->st); t->n++) {
		struct call *c = &t->calls[t->n];

		*c = t->n == 0 ? (struct call){ .what = STEP, .event = "" } :
		    random_call(a, &now);
		make_call(a, c);
		make_call(b, c);
		if (!str_eq(buf_str(&a->trace), buf_str(&b->trace)))
			disagree(t, "the effects", buf_str(&a->trace), buf_str(&b->trace));
		restore(t, a, b);
	}
}

/* The same calls once more. */
static void
replay(struct trial *t)
{
	struct twin w = { .trace = BUF(64 * MB) };
	struct buf saved = BUF(64 * MB);

	w.st = stepper_new(t->chart, S("s"), &ops, &w);
	stepper_start(w.st, VAL_UNDEF);
	for (size_t i = 0; i < t->n; i++)
		make_call(&w, &t->calls[i]);
	stepper_save(w.st, &saved);
	if (!str_eq(buf_str(&t->end), buf_str(&saved)))
		disagree(t, "the replay", buf_str(&t->end), buf_str(&saved));
	buf_release(&saved);
	twin_free(&w);
}

/* Calls made in all. */
static size_t
run_case(uint64_t number)
{
	struct trial t = { .seed = number, .text = BUF(1 * MB), .end = BUF(64 * MB) };
	struct twin a = { .trace = BUF(64 * MB) }, b = { .trace = BUF(64 * MB) };
	unsigned ids = 0;
	struct err e = { 0 };

	seed = number * UINT64_C(0x2545f4914f6cdd1d);
	random_chart(&t.text, 0, &ids);
	if (getenv("CHART_SHOW") != NULL)
		printf("%s\n", t.text.p);
	if (chart_from_scxml(&t.chart, buf_str(&t.text), NULL, &e) != OK)
		disagree(&t, e.text, STR_NONE, STR_NONE);
	a.st = stepper_new(t.chart, S("s"), &ops, &a);
	b.st = stepper_new(t.chart, S("s"), &ops, &b);
	stepper_start(a.st, VAL_UNDEF);
	stepper_start(b.st, VAL_UNDEF);
	run_twins(&t, &a, &b);
	replay(&t);
	twin_free(&a);
	twin_free(&b);
	chart_free(t.chart);
	buf_release(&t.text);
	buf_release(&t.end);
	return t.n;
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 10) : otherwise;
}

TEST(model_saved_at_every_call)
{
	uint64_t first = setting("CHART_SEED", 1), n = setting("CHART_CASES", test_rounds(300));
	size_t calls = 0;

	for (uint64_t i = 0; i < n; i++)
		calls += run_case(first + i);
	printf("seeds %llu to %llu: %zu calls\n", (unsigned long long)first,
	    (unsigned long long)(first + n - 1), calls);
	CHECK(calls > 5 * n || n < 100);     /* the charts are alive */
}
