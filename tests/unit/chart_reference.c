/*
 * chart_reference.c - random charts against a second interpreter: appendix D of
 * the Recommendation, written down plainly, with sets as arrays.
 *
 * It knows two places where the appendix contradicts the text around it: a
 * parallel state is done when its regions are, however deep they are nested
 * (3.4), and the domain of a transition is the one it had when it was selected,
 * though the exits record a history that is its target.
 *
 * CHART_CASES: how many charts (1,000), from CHART_SEED (1) on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "chart/chart.h"

#define STATES_MAX 16
#define ARROWS_MAX (4 * STATES_MAX)
#define QUEUE_MAX  512
#define EVENTS     12            /* given to a chart */

enum kind { COMPOUND, PARALLEL, ATOMIC, FINAL, HISTORY };

/* Events are letters; done.state of state i is 'A' + i. */
struct arrow {
	int source, targets[2], targets_n;
	char event;                  /* 0: none */
	char raises;                 /* 0: none */
	int in;                      /* guard: In(state); -1: none */
	int below;                   /* guard: visits of the first target; 0: none */
	bool internal;
};

struct model {
	int n;                       /* states; 0 is the chart, a compound state */
	int parent[STATES_MAX], initial[STATES_MAX];         /* of a HISTORY: its default */
	enum kind kind[STATES_MAX];
	bool deep[STATES_MAX];
	struct arrow arrows[ARROWS_MAX];
	int arrows_n;
};

typedef bool set[STATES_MAX];

/* ---- the reference --------------------------------------------------------------- */

struct reference {
	const struct model *m;
	set conf, history[STATES_MAX], recorded;
	int visits[STATES_MAX];
	char queue[QUEUE_MAX];
	int first, last;
	bool running;
	struct buf *out;
};

static bool
is_under(const struct model *m, int s, int of)
{
	while (s > of)
		s = m->parent[s];
	return s == of;
}

static bool
is_descendant(const struct model *m, int s, int of)
{
	return s != of && is_under(m, s, of);
}

static void
effective_targets(const struct reference *r, const struct arrow *a, set out)
{
	memset(out, 0, sizeof(set));
	for (int i = 0; i < a->targets_n; i++) {
		int t = a->targets[i];

		if (r->m->kind[t] != HISTORY)
			out[t] = true;
		else if (!r->recorded[t])
			out[r->m->initial[t]] = true;
		for (int k = 0; r->m->kind[t] == HISTORY && r->recorded[t] && k < r->m->n; k++)
			out[k] = out[k] || r->history[t][k];
	}
}

static bool
all_inside(const struct model *m, const set s, int of)
{
	for (int i = 0; i < m->n; i++)
		if (s[i] && !is_descendant(m, i, of))
			return false;
	return true;
}

static int
domain(const struct reference *r, const struct arrow *a)
{
	set targets;
	int at;

	if (a->targets_n == 0)
		return -1;
	effective_targets(r, a, targets);
	if (a->internal && r->m->kind[a->source] == COMPOUND &&
	    all_inside(r->m, targets, a->source))
		return a->source;
	at = r->m->parent[a->source];
	while (at != 0 && (r->m->kind[at] != COMPOUND || !all_inside(r->m, targets, at)))
		at = r->m->parent[at];
	return at;
}

static bool
holds(const struct reference *r, const struct arrow *a)
{
	return (a->in < 0 || r->conf[a->in]) &&
	    (a->below == 0 || r->visits[a->targets[0]] < a->below);
}

static bool
intersect(const struct reference *r, int d1, int d2)
{
	for (int i = 0; i < r->m->n; i++)
		if (d1 >= 0 && d2 >= 0 && r->conf[i] && is_descendant(r->m, i, d1) &&
		    is_descendant(r->m, i, d2))
			return true;
	return false;
}

/* selectTransitions and removeConflictingTransitions. */
static int
select_arrows(const struct reference *r, char event, int out[STATES_MAX])
{
	const struct model *m = r->m;
	int enabled[STATES_MAX], n = 0, kept = 0;

	for (int s = 1; s < m->n; s++) {
		bool found = false;

		if (!r->conf[s] || (m->kind[s] != ATOMIC && m->kind[s] != FINAL))
			continue;
		for (int at = s; at != 0 && !found; at = m->parent[at])
			for (int i = 0; i < m->arrows_n && !found; i++) {
				const struct arrow *a = &m->arrows[i];

				if (a->source != at || a->event != event || !holds(r, a))
					continue;
				found = true;
				for (int k = 0; k < n; k++)
					found = found && enabled[k] != i;
				if (found)
					enabled[n++] = i;
				found = true;
			}
	}
	for (int i = 0; i < n; i++) {
		const struct arrow *a = &m->arrows[enabled[i]];
		bool preempted = false;
		int left = 0, next[STATES_MAX];

		for (int k = 0; k < kept; k++) {
			const struct arrow *b = &m->arrows[out[k]];
			bool conflict = intersect(r, domain(r, a), domain(r, b));

			preempted = preempted || (conflict &&
			    !is_descendant(m, a->source, b->source));
			if (!conflict || !is_descendant(m, a->source, b->source))
				next[left++] = out[k];
		}
		if (preempted)
			continue;
		memcpy(out, next, sizeof next[0] * (size_t)left);
		out[left++] = enabled[i];
		kept = left;
	}
	return kept;
}

static void
exit_states(struct reference *r, const set exits)
{
	const struct model *m = r->m;

	for (int h = 1; h < m->n; h++) {
		int up = m->parent[h];

		if (m->kind[h] != HISTORY || !exits[up])
			continue;
		r->recorded[h] = true;
		for (int s = 0; s < m->n; s++)
			r->history[h][s] = r->conf[s] && (m->deep[h] ?
			    is_descendant(m, s, up) && (m->kind[s] == ATOMIC || m->kind[s] == FINAL) :
			    m->parent[s] == up && s != 0);
	}
	for (int s = m->n - 1; s > 0; s--)
		if (exits[s]) {
			buf_add_fmt(r->out, " -%d", s);
			r->conf[s] = false;
		}
}

static void add_descendants(const struct reference *r, int s, set enter);

static void
add_regions(const struct reference *r, int parallel, set enter)
{
	for (int c = 1; c < r->m->n; c++) {
		bool there = false;

		if (r->m->parent[c] != parallel || r->m->kind[c] == HISTORY)
			continue;
		for (int s = 0; s < r->m->n; s++)
			there = there || (enter[s] && is_descendant(r->m, s, c));
		if (!there)
			add_descendants(r, c, enter);
	}
}

static void
add_ancestors(const struct reference *r, int s, int until, set enter)
{
	for (int at = r->m->parent[s]; at != until && at != 0; at = r->m->parent[at]) {
		enter[at] = true;
		if (r->m->kind[at] == PARALLEL)
			add_regions(r, at, enter);
	}
}

static void
add_descendants(const struct reference *r, int s, set enter)
{
	const struct model *m = r->m;

	if (m->kind[s] == HISTORY) {
		const struct arrow to = { .targets = { s }, .targets_n = 1 };
		set targets;

		effective_targets(r, &to, targets);
		for (int k = 0; k < m->n; k++)
			if (targets[k])
				add_descendants(r, k, enter);
		for (int k = 0; k < m->n; k++)
			if (targets[k])
				add_ancestors(r, k, m->parent[s], enter);
		return;
	}
	enter[s] = true;
	if (m->kind[s] == COMPOUND) {
		add_descendants(r, m->initial[s], enter);
		add_ancestors(r, m->initial[s], s, enter);
	} else if (m->kind[s] == PARALLEL) {
		add_regions(r, s, enter);
	}
}

static bool
is_in_final(const struct reference *r, int s)
{
	bool all = r->m->kind[s] == PARALLEL;

	for (int c = 1; c < r->m->n; c++) {
		if (r->m->parent[c] != s)
			continue;
		if (r->m->kind[s] == COMPOUND && r->m->kind[c] == FINAL && r->conf[c])
			return true;
		if (all && r->m->kind[c] != HISTORY && !is_in_final(r, c))
			return false;
	}
	return all;
}

static void
raise_event(struct reference *r, char event)
{
	CHECK(r->last < QUEUE_MAX);
	r->queue[r->last++] = event;
}

static void
enter_states(struct reference *r, const set enter)
{
	const struct model *m = r->m;

	for (int s = 1; s < m->n; s++) {
		int up = m->parent[s];

		if (!enter[s] || r->conf[s])
			continue;
		r->conf[s] = true;
		r->visits[s]++;
		buf_add_fmt(r->out, " +%d", s);
		if (m->kind[s] != FINAL)
			continue;
		if (up == 0) {
			r->running = false;
			continue;
		}
		raise_event(r, (char)('A' + up));
		for (up = m->parent[up]; m->kind[up] == PARALLEL && is_in_final(r, up);
		    up = m->parent[up])
			raise_event(r, (char)('A' + up));
	}
}

static void
microstep(struct reference *r, const int *taken, int n)
{
	const struct model *m = r->m;
	int domains[STATES_MAX];
	set exits = { 0 }, enter = { 0 };

	for (int i = 0; i < n; i++) {
		buf_add_fmt(r->out, " t%d", m->arrows[taken[i]].source);
		domains[i] = domain(r, &m->arrows[taken[i]]);
		for (int s = 1; s < m->n; s++)
			exits[s] = exits[s] || (domains[i] >= 0 && r->conf[s] &&
			    is_descendant(m, s, domains[i]));
	}
	exit_states(r, exits);
	for (int i = 0; i < n; i++)
		if (m->arrows[taken[i]].raises != 0)
			raise_event(r, m->arrows[taken[i]].raises);
	for (int i = 0; i < n; i++) {
		const struct arrow *a = &m->arrows[taken[i]];
		set targets;

		for (int k = 0; k < a->targets_n; k++)
			add_descendants(r, a->targets[k], enter);
		effective_targets(r, a, targets);
		for (int s = 0; s < m->n; s++)
			if (targets[s])
				add_ancestors(r, s, domains[i], enter);
	}
	enter_states(r, enter);
}

static void
macrostep(struct reference *r, char event)
{
	int taken[STATES_MAX], n;
	set all;

	while (r->running) {
		n = event != 0 ? 0 : select_arrows(r, 0, taken);
		if (n == 0 && event == 0) {
			if (r->first == r->last)
				break;
			event = r->queue[r->first++];
		}
		if (n == 0) {
			n = select_arrows(r, event, taken);
			if (n == 0)
				buf_add_fmt(r->out, " ?%c", event);
			event = 0;
		}
		if (n > 0)
			microstep(r, taken, n);
	}
	r->first = r->last = 0;
	if (r->running)
		return;
	memcpy(all, r->conf, sizeof all);
	exit_states(r, all);
	buf_lit(r->out, " end");
}

static void
play_reference(const struct model *m, const char *events, struct buf *out)
{
	struct reference r = { .m = m, .running = true, .out = out };
	set enter = { 0 };

	add_descendants(&r, m->initial[0], enter);
	add_ancestors(&r, m->initial[0], 0, enter);
	enter_states(&r, enter);
	macrostep(&r, 0);
	for (; *events != '\0' && r.running; events++) {
		buf_lit(out, " |");
		macrostep(&r, *events);
	}
}

/* ---- the session ------------------------------------------------------------------- */

static void
on_effect(void *ctx, const struct effect *f)
{
	struct buf *b = ctx;
	struct str done = S("done.state.");

	if (f->kind == EFFECT_TAKEN)
		buf_add_fmt(b, " t%u", f->state);
	if (f->kind == EFFECT_ENTERED)
		buf_add_fmt(b, " +%u", f->state);
	if (f->kind == EFFECT_EXITED)
		buf_add_fmt(b, " -%u", f->state);
	if (f->kind == EFFECT_DONE)
		buf_lit(b, " end");
	if (f->kind == EFFECT_UNTAKEN && str_starts(f->name, done))
		buf_add_fmt(b, " ?%c", 'A' + (int)strtoul(f->name.p + done.n + 1, NULL, 10));
	else if (f->kind == EFFECT_UNTAKEN)
		buf_add_fmt(b, " ?%.*s", FMT(f->name));
}

static void
play_session(const struct chart *c, const char *events, struct buf *out)
{
	const struct effect_sink sink = { .effect = on_effect, .ctx = out, .path = true };
	struct session *s = session_new(c, S("s"), VAL_UNDEF, STR_NONE);

	CHECK_RC(session_start(s, &sink), OK);
	for (; *events != '\0' && !session_over(s); events++) {
		const struct chart_event ev = { .name = { events, 1 } };

		buf_lit(out, " |");
		CHECK_RC(session_event(s, &ev, &sink), OK);
	}
	session_free(s);
}

/* ---- random models -------------------------------------------------------------------- */

static uint64_t seed;

/* splitmix64 */
static int
below(int n)
{
	uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (int)((z ^ z >> 31) % (uint64_t)n);
}

static int
real_children(const struct model *m, int s)
{
	int n = 0;

	for (int c = s + 1; c < m->n; c++)
		n += m->parent[c] == s && m->kind[c] != HISTORY;
	return n;
}

/* In document order: the parent is the last state or one around it. */
static void
random_states(struct model *m)
{
	m->n = 3 + below(STATES_MAX - 2);
	for (int i = 1; i < m->n; i++) {
		m->parent[i] = i - 1;
		m->kind[i] = ATOMIC;
		while (m->parent[i] != 0 && below(2) == 0)
			m->parent[i] = m->parent[m->parent[i]];
	}
	for (int i = 1; i < m->n; i++) {
		int up = m->parent[i];

		if (real_children(m, i) > 0)
			m->kind[i] = below(5) < 2 ? PARALLEL : COMPOUND;
		else if (up != 0 && real_children(m, up) > 1 && below(5) == 0)
			m->kind[i] = HISTORY;
		else if (m->kind[up] != PARALLEL && below(4) == 0)
			m->kind[i] = FINAL;
		m->deep[i] = below(2) == 0;
	}
}

/* A state inside of `s`, not a history; its first child when there is no luck. */
static int
inside(const struct model *m, int s)
{
	for (int tries = 0; tries < 8; tries++) {
		int t = s + 1 + below(m->n - s);

		if (t < m->n && is_descendant(m, t, s) && m->kind[t] != HISTORY)
			return t;
	}
	for (int t = s + 1; t < m->n; t++)
		if (m->parent[t] == s && m->kind[t] != HISTORY)
			return t;
	return s;
}

static void
random_arrow(struct model *m, int source)
{
	struct arrow *a = &m->arrows[m->arrows_n++];
	int done = 1 + below(m->n - 1);

	*a = (struct arrow){ .source = source, .event = (char)('a' + below(4)), .in = -1,
		.internal = below(3) == 0 };
	if (below(5) < 4)
		a->targets[a->targets_n++] = 1 + below(m->n - 1);
	if (below(4) == 0)
		a->in = 1 + below(m->n - 1);
	if (below(4) == 0)
		a->raises = (char)('a' + below(4));
	if (below(6) == 0)
		a->event = 0;
	else if (below(4) == 0)
		a->event = (char)('A' + done);
	/* One that may follow from itself ends after some rounds. */
	if (a->event == 0 || a->event < 'a' || a->raises != 0) {
		a->below = 3;
		if (a->targets_n == 0)
			a->targets[a->targets_n++] = 1 + below(m->n - 1);
		if (m->kind[a->targets[0]] == HISTORY)
			a->targets[0] = m->parent[a->targets[0]];
	}
	/* Two regions of a parallel state. */
	for (int p = 1; p < m->n && a->below == 0 && below(3) == 0; p++) {
		int first = p + 1, second = first + 1;

		if (m->kind[p] != PARALLEL || m->kind[first] == HISTORY)
			continue;
		while (second < m->n && (m->parent[second] != p || m->kind[second] == HISTORY))
			second++;
		if (second == m->n)
			continue;
		a->targets[0] = real_children(m, first) > 0 ? inside(m, first) : first;
		a->targets[1] = real_children(m, second) > 0 ? inside(m, second) : second;
		a->targets_n = 2;
	}
}

static void
random_model(struct model *m)
{
	*m = (struct model){ 0 };
	random_states(m);
	for (int i = 0; i < m->n; i++)
		if (m->kind[i] == COMPOUND)
			m->initial[i] = inside(m, i);
		else if (m->kind[i] == HISTORY)
			m->initial[i] = inside(m, m->parent[i]);
	for (int i = 1; i < m->n; i++)
		for (int k = below(4); k > 0 && m->kind[i] != FINAL && m->kind[i] != HISTORY; k--)
			random_arrow(m, i);
}

/* ---- as SCXML -------------------------------------------------------------------------- */

static void
add_arrows(const struct model *m, int source, struct buf *b)
{
	for (int i = 0; i < m->arrows_n; i++) {
		const struct arrow *a = &m->arrows[i];

		if (a->source != source)
			continue;
		buf_lit(b, "<transition");
		if (a->event >= 'a')
			buf_add_fmt(b, " event='%c'", a->event);
		else if (a->event != 0)
			buf_add_fmt(b, " event='done.state.s%d'", a->event - 'A');
		if (a->in >= 0 || a->below > 0)
			buf_lit(b, " cond=\"true");
		if (a->in >= 0)
			buf_add_fmt(b, " &amp;&amp; In('s%d')", a->in);
		if (a->below > 0)
			buf_add_fmt(b, " &amp;&amp; visits('s%d') &lt; %d", a->targets[0], a->below);
		if (a->in >= 0 || a->below > 0)
			buf_add_char(b, '"');
		for (int k = 0; k < a->targets_n; k++)
			buf_add_fmt(b, "%ss%d", k == 0 ? " target='" : " ", a->targets[k]);
		buf_add_fmt(b, "%s%s>", a->targets_n > 0 ? "'" : "",
		    a->internal ? " type='internal'" : "");
		if (a->raises != 0)
			buf_add_fmt(b, "<raise event='%c'/>", a->raises);
		buf_lit(b, "</transition>");
	}
}

static void
add_scxml(const struct model *m, int s, struct buf *b)
{
	static const char *const names[] = { "state", "parallel", "state", "final", "history" };
	const char *name = s == 0 ? "scxml" : names[m->kind[s]];

	buf_add_fmt(b, "<%s", name);
	if (s > 0)
		buf_add_fmt(b, " id='s%d'", s);
	if (m->kind[s] == COMPOUND)
		buf_add_fmt(b, " initial='s%d'", m->initial[s]);
	buf_add_fmt(b, "%s>", m->kind[s] == HISTORY && m->deep[s] ? " type='deep'" : "");
	if (m->kind[s] == HISTORY)
		buf_add_fmt(b, "<transition target='s%d'/>", m->initial[s]);
	add_arrows(m, s, b);
	for (int c = s + 1; c < m->n; c++)
		if (m->parent[c] == s)
			add_scxml(m, c, b);
	buf_add_fmt(b, "</%s>", name);
}

/* Events in a trace. */
static size_t
run_case(uint64_t number)
{
	struct buf text = BUF(1 * MB), a = BUF(16 * MB), b = BUF(16 * MB);
	char events[EVENTS + 1] = "";
	struct model m;
	struct chart *c;
	struct err e = { 0 };
	size_t n;

	seed = number * UINT64_C(0x2545f4914f6cdd1d);
	random_model(&m);
	for (int i = 0; i < EVENTS; i++)
		events[i] = (char)('a' + below(5));
	add_scxml(&m, 0, &text);
	if (chart_from_scxml(&c, buf_str(&text), NULL, &e) != OK)
		test_fail(__FILE__, __LINE__, "seed %llu: %s\n%s", (unsigned long long)number,
		    e.text, text.p);
	play_reference(&m, events, &a);
	play_session(c, events, &b);
	if (!str_eq(buf_str(&a), buf_str(&b)))
		test_fail(__FILE__, __LINE__, "seed %llu, events %s\n%s\n   reference %s\n"
		    "   session   %s", (unsigned long long)number, events, text.p, a.p, b.p);
	n = a.n;
	chart_free(c);
	buf_release(&text);
	buf_release(&a);
	buf_release(&b);
	return n;
}

static uint64_t
setting(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? strtoull(value, NULL, 10) : otherwise;
}

TEST(reference_goes_the_same_way)
{
	uint64_t first = setting("CHART_SEED", 1), n = setting("CHART_CASES", 1000);
	size_t bytes = 0;

	for (uint64_t i = 0; i < n; i++)
		bytes += run_case(first + i);
	printf("seeds %llu to %llu: traces of %zu bytes\n", (unsigned long long)first,
	    (unsigned long long)(first + n - 1), bytes);
	CHECK(bytes > 80 * n || n < 100);    /* the charts are alive */
}
