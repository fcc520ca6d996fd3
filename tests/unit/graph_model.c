/*
 * graph_model.c - random graphs against a plain interpreter of Pregel's
 * channels (LangGraph's pregel/algo.ts, in its words and order), which knows
 * nothing of sets: channels with values and versions, and what nodes have seen.
 *
 * Where the interpreter differs from LangGraph 1.7 on purpose, it says so.
 * GRAPH_MODEL_GRAPHS=1000000 GRAPH_MODEL_SEED=7 build/unit-graph model
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "graph/graph.h"

enum { NODES = 7, EDGES = 24, FROM = 3, CHANNELS = NODES + 1 + EDGES, SENDS = 64,
	WRITES = 512, OPS = 12, CROWD = 12 };

/* Code points and UTF-16 units order the last three differently. */
static const char *const names[] = { "a", "b", "B", "aa", "a.b", "\xc3\xa9", "z z",
	"\xef\xbd\x9e", "\xf0\x9d\x92\xb3", "\xe6\x97\xa5" };

static uint64_t
mix(uint64_t x)                              /* splitmix64 */
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t state;
static unsigned
pick(unsigned n)
{
	return (unsigned)(mix(state++) % n);
}

/* ---- a random graph ------------------------------------------------------ */

struct spec {
	struct graph_node node[NODES];
	struct graph_edge edge[EDGES];
	int from[EDGES][FROM];
	struct graph_spec s;
};

static struct graph_edge *
edge_add(struct spec *sp, int from, int to)
{
	size_t i = sp->s.edges_n++;

	sp->from[i][0] = from;
	sp->edge[i] = (struct graph_edge){ .from = sp->from[i], .from_n = 1, .to = to };
	return &sp->edge[i];
}

static void
join_add(struct spec *sp, int to)
{
	struct graph_edge *ed = edge_add(sp, (int)pick((unsigned)sp->s.nodes_n), to);
	int *from = sp->from[ed - sp->edge];

	for (unsigned tries = 0; tries < 4 && ed->from_n < FROM; tries++) {
		int one = (int)pick((unsigned)sp->s.nodes_n);
		bool there = false;

		for (size_t k = 0; k < ed->from_n; k++)
			there = there || from[k] == one;
		if (!there)
			from[ed->from_n++] = one;
	}
	/* The same join twice is refused: leave it out. */
	for (size_t i = 0; i + 1 < sp->s.edges_n; i++)
		if (ed->from_n > 1 && sp->edge[i].from_n == ed->from_n && sp->edge[i].to == to &&
		    memcmp(sp->from[i], from, ed->from_n * sizeof *from) == 0)
			ed->to = GRAPH_END;
}

static void
spec_random(struct spec *sp)
{
	unsigned n = 1 + pick(NODES), shift = pick(COUNT(names)), extra = pick(16);

	*sp = (struct spec){ .s = { .nodes = sp->node, .nodes_n = n, .edges = sp->edge } };
	for (unsigned i = 0; i < n; i++) {
		sp->node[i] = (struct graph_node){ .defer = pick(4) == 0,
			.name = str_of(names[(i * 3 + shift) % COUNT(names)]) };
		(void)edge_add(sp, i == 0 || pick(3) == 0 ? GRAPH_START : (int)pick(i), (int)i);
	}
	while (extra-- > 0) {
		int from = (int)pick(n + 1) - 1, to = (int)pick(n + 1) - 1;
		struct graph_edge *ed;

		if (pick(4) == 0) {
			join_add(sp, to);
			continue;
		}
		ed = edge_add(sp, from < 0 ? GRAPH_START : from, to);
		ed->when = pick(3) > 0;
		ed->all = ed->when && (from & 1) != 0;
		ed->send = to != GRAPH_END && pick(4) == 0;
	}
}

/* What expressions would say, of one task's edge. */
struct asked {
	const struct spec *sp;
	uint64_t seed;                       /* of the task */
	bool crowded;                        /* no more sends, or they explode */
};

static bool
holds(const struct asked *a, size_t edge)
{
	return mix(a->seed + edge) % 3 == 0;
}

static unsigned
elements(const struct asked *a, size_t edge)
{
	return a->crowded ? 0 : (unsigned)(mix(a->seed - edge) % 3);
}

/* ---- the interpreter ----------------------------------------------------- */

enum kind { EPHEMERAL, LAST_AFTER_FINISH, BARRIER, BARRIER_AFTER_FINISH };

struct channel {
	char name[128];
	enum kind kind;
	int node;                            /* that it triggers; NODES: START */
	const char *of[FROM];                /* a barrier's names */
	size_t of_n;
	bool seen[FROM], value, finished;
	unsigned version;
};

struct write {
	char channel[128], value[64];        /* JSON */
};

struct packet { int node; char input[32]; };

struct task { int node; bool push; unsigned index; };

struct model {
	const struct spec *sp;
	struct channel c[CHANNELS];
	size_t n;
	unsigned versions_seen[NODES + 1][CHANNELS], version;
	struct packet sends[SENDS];
	size_t sends_n;
	struct task tasks[NODES + 1 + SENDS];
	size_t tasks_n;
};

static void
channel_add(struct model *m, enum kind kind, int node, const char *name)
{
	struct channel *c = &m->c[m->n++];

	*c = (struct channel){ .kind = kind, .node = node };
	snprintf(c->name, sizeof c->name, "%s", name);
}

static void
model_new(struct model *m, const struct spec *sp)
{
	char name[128];

	*m = (struct model){ .sp = sp };
	channel_add(m, EPHEMERAL, NODES, "__start__");
	for (size_t i = 0; i < sp->s.nodes_n; i++) {
		snprintf(name, sizeof name, "branch:to:%s", sp->node[i].name.p);
		channel_add(m, sp->node[i].defer ? LAST_AFTER_FINISH : EPHEMERAL, (int)i, name);
	}
	for (size_t i = 0; i < sp->s.edges_n; i++) {
		const struct graph_edge *ed = &sp->edge[i];
		size_t n = 0;

		if (ed->from_n < 2 || ed->to == GRAPH_END)
			continue;
		for (size_t k = 0; k < ed->from_n; k++)
			n += (size_t)snprintf(name + n, sizeof name - n, "%s%s",
			    k == 0 ? "join:" : "+", sp->node[ed->from[k]].name.p);
		snprintf(name + n, sizeof name - n, ":%s", sp->node[ed->to].name.p);
		channel_add(m, sp->node[ed->to].defer ? BARRIER_AFTER_FINISH : BARRIER, ed->to,
		    name);
		for (size_t k = 0; k < ed->from_n; k++)
			m->c[m->n - 1].of[k] = sp->node[ed->from[k]].name.p;
		m->c[m->n - 1].of_n = ed->from_n;
	}
}

static bool
is_full(const struct channel *c)
{
	for (size_t i = 0; i < c->of_n; i++)
		if (!c->seen[i])
			return false;
	return true;
}

static bool
is_available(const struct channel *c)
{
	switch (c->kind) {
	case EPHEMERAL:            return c->value;
	case LAST_AFTER_FINISH:    return c->value && c->finished;
	case BARRIER:              return is_full(c);
	case BARRIER_AFTER_FINISH: return is_full(c) && c->finished;
	}
	return false;
}

static void
consume(struct channel *c)
{
	if (c->kind == EPHEMERAL || !is_available(c))
		return;
	c->value = c->finished = false;
	memset(c->seen, 0, sizeof c->seen);
}

/* One value.  LastValueAfterFinish is not unfinished by a goto here: that would
 * take a waiting task away. */
static void
update(struct channel *c, const char *json)
{
	c->value = true;
	for (size_t i = 0; i < c->of_n; i++)
		if (strncmp(json + 1, c->of[i], strlen(json) - 2) == 0 &&
		    strlen(c->of[i]) == strlen(json) - 2)
			c->seen[i] = true;
}

static bool
finish(struct channel *c)
{
	bool some = c->kind == LAST_AFTER_FINISH ? c->value :
	    c->kind == BARRIER_AFTER_FINISH && is_full(c);

	if (!some || c->finished)
		return false;
	return c->finished = true;
}

static bool
is_triggered(const struct model *m, int node)
{
	for (size_t k = 0; k < m->n; k++)
		if (m->c[k].node == node && is_available(&m->c[k]) &&
		    m->c[k].version > m->versions_seen[node][k])
			return true;
	return false;
}

/* A task consumes all channels that triggered it; LangGraph's the first only,
 * and may run its node again for another. */
static void
consume_triggers(struct model *m)
{
	for (size_t i = 0; i < m->tasks_n; i++) {
		int node = m->tasks[i].node;

		for (size_t k = 0; k < m->n && !m->tasks[i].push; k++) {
			if (m->c[k].node != node || !is_available(&m->c[k]))
				continue;
			m->versions_seen[node][k] = m->c[k].version;
			consume(&m->c[k]);
		}
	}
}

/* A goto's sends come beside those that wait; in LangGraph instead of them.  A
 * goto to a deferred node whose task waits is that task; in LangGraph a second.
 * Deferred nodes wait for sends, too; in LangGraph they run beside them. */
static void
apply_writes(struct model *m, bool step, const struct write *w, size_t n)
{
	bool updated[CHANNELS] = { false }, left;

	if (step) {
		consume_triggers(m);
		m->sends_n = 0;
	}
	m->version++;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < m->n; k++) {
			if (strcmp(m->c[k].name, w[i].channel) != 0)
				continue;
			update(&m->c[k], w[i].value);
			m->c[k].version = m->version;
			updated[k] = true;
		}
		if (strcmp(w[i].channel, "__pregel_tasks") == 0) {
			struct packet *p = &m->sends[m->sends_n++];
			char name[32];

			CHECK(m->sends_n <= SENDS);
			CHECK(sscanf(w[i].value, "{\"node\":\"%31[^\"]\",\"input\":%31[^}]}", name,
			    p->input) == 2);
			for (p->node = 0; strcmp(m->sp->node[p->node].name.p, name) != 0; )
				p->node++;
		}
	}
	for (size_t k = 0; k < m->n && !step; k++)
		if (updated[k] && is_triggered(m, m->c[k].node))
			(void)finish(&m->c[k]);
	left = m->sends_n > 0;
	for (size_t k = 0; k < m->n; k++) {
		if (step && !updated[k] && m->c[k].kind == EPHEMERAL)
			m->c[k].value = false;
		left = left || (is_available(&m->c[k]) &&
		    m->c[k].version > m->versions_seen[m->c[k].node][k]);
	}
	for (size_t k = 0; k < m->n && !left; k++)
		if (finish(&m->c[k]))
			m->c[k].version = m->version;
}

static const char *
model_name(const struct model *m, int node)
{
	return node == NODES ? "__start__" : m->sp->node[node].name.p;
}

static void
prepare_next_tasks(struct model *m)
{
	m->tasks_n = 0;
	for (int node = 0; node <= NODES; node++) {
		size_t at = m->tasks_n;

		if (!is_triggered(m, node))
			continue;
		for (; at > 0 && strcmp(model_name(m, m->tasks[at - 1].node),
		    model_name(m, node)) > 0; at--)
			m->tasks[at] = m->tasks[at - 1];
		m->tasks[at] = (struct task){ .node = node };
		m->tasks_n++;
	}
	for (size_t i = 0; i < m->sends_n; i++)
		m->tasks[m->tasks_n++] = (struct task){ m->sends[i].node, true, (unsigned)i };
}

/* "Edges of a node", charts.md. */
static void
follow(const struct model *m, const struct asked *a, size_t edge, const char *from,
    struct write *w, size_t *n)
{
	const struct graph_edge *ed = &a->sp->edge[edge];
	const char *to = ed->to != GRAPH_END ? a->sp->node[ed->to].name.p : NULL;

	for (unsigned k = 0; ed->send && k < elements(a, edge); k++, ++*n) {
		snprintf(w[*n].channel, sizeof w->channel, "__pregel_tasks");
		snprintf(w[*n].value, sizeof w->value, "{\"node\":\"%s\",\"input\":%u}", to,
		    k + 10 * (unsigned)edge);
	}
	if (ed->send || to == NULL)
		return;
	if (ed->from_n > 1) {
		size_t join = 1 + a->sp->s.nodes_n;

		for (size_t i = 0; i < edge; i++)
			join += a->sp->edge[i].from_n > 1 && a->sp->edge[i].to != GRAPH_END;
		snprintf(w[*n].channel, sizeof w->channel, "%s", m->c[join].name);
		snprintf(w[*n].value, sizeof w->value, "\"%s\"", from);
	} else {
		snprintf(w[*n].channel, sizeof w->channel, "branch:to:%s", to);
		snprintf(w[*n].value, sizeof w->value, "null");
	}
	++*n;
}

static bool
leaves(const struct graph_edge *ed, int node)
{
	for (size_t k = 0; k < ed->from_n; k++)
		if (ed->from[k] == (node == NODES ? GRAPH_START : node))
			return true;
	return false;
}

static size_t
model_route(const struct model *m, const struct asked *a, int node, struct write *w)
{
	const struct graph_spec *s = &a->sp->s;
	size_t n = 0;
	bool won = false;

	for (size_t i = 0; i < s->edges_n; i++)
		if (leaves(&s->edges[i], node) && s->edges[i].when && holds(a, i) &&
		    (!won || s->edges[i].all)) {
			follow(m, a, i, model_name(m, node), w, &n);
			won = true;
		}
	for (size_t i = 0; i < s->edges_n && !won; i++)
		if (leaves(&s->edges[i], node) && !s->edges[i].when)
			follow(m, a, i, model_name(m, node), w, &n);
	return n;
}

/* ---- the graph under test ------------------------------------------------ */

static int
on_when(void *ctx, size_t edge, bool *held, struct err *e)
{
	const struct asked *const *a = ctx;

	(void)e;
	*held = holds(*a, edge);
	return OK;
}

static int
on_over(void *ctx, size_t edge, struct val *list, struct err *e)
{
	const struct asked *const *a = ctx;

	(void)e;
	*list = val_array_empty();
	for (unsigned k = 0; k < elements(*a, edge); k++)
		*list = val_push_take(*list, val_int(k));
	return OK;
}

static int
on_input(void *ctx, size_t edge, struct val element, struct val *input, struct err *e)
{
	(void)ctx, (void)e;
	*input = val_int(element.u.i + 10 * (int64_t)edge);
	return OK;
}

struct got {
	const struct asked *a;               /* first: the router's ctx */
	struct write *w;
	size_t n;
};

static int
on_write(void *ctx, struct str channel, struct val value)
{
	struct got *got = ctx;
	struct write *w = &got->w[got->n++];
	struct buf json = BUF(sizeof w->value - 1);

	CHECK(graph_channel_is_control(channel));
	val_add_json(&json, value);
	snprintf(w->channel, sizeof w->channel, "%.*s", FMT(channel));
	snprintf(w->value, sizeof w->value, "%.*s", FMT(buf_str(&json)));
	buf_release(&json);
	return OK;
}

static void
write_all(struct graph_state *s, const struct write *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct val value = VAL_UNDEF;
		struct err e = { 0 };

		CHECK_RC(json_text_to_val(str_of(w[i].value), &value, &e), OK);
		if (graph_step_write(s, str_of(w[i].channel), value, &e) != OK)
			test_fail(__FILE__, __LINE__, "%s", e.text);
		val_drop(value);
	}
}

/* Goal: a saved state restores to the same, text and all that follows. */
static void
save_and_restore(struct graph_state **s, const struct graph *g)
{
	struct buf saved = BUF(1 * MB), again = BUF(1 * MB);
	struct graph_state *copy;
	struct err e = { 0 };

	graph_state_save(*s, &saved);
	if (graph_state_restore(&copy, g, buf_str(&saved), &e) != OK)
		test_fail(__FILE__, __LINE__, "%s\n%s", e.text, saved.p);
	graph_state_save(copy, &again);
	CHECK(str_eq(buf_str(&saved), buf_str(&again)));
	if (pick(2) == 0) {
		struct graph_state *other = *s;

		*s = copy;
		copy = other;
	}
	graph_state_free(copy);
	buf_release(&saved);
	buf_release(&again);
}

static void
show(struct buf *b, const char *name, bool push, unsigned index, const char *input)
{
	buf_add_fmt(b, push ? "%s[%u %s] " : "%s ", name, index, input);
}

static void
compare_next(const struct model *m, struct graph_state *s, uint64_t seed, unsigned op)
{
	struct buf got = BUF(1 * MB), want = BUF(1 * MB), input = BUF(1 * MB);
	const struct graph_task *tasks;
	size_t n = graph_next(s, &tasks);

	for (size_t i = 0; i < n; i++) {
		buf_clear(&input);
		val_add_json(&input, tasks[i].input);
		show(&got, tasks[i].name.p, tasks[i].push, tasks[i].index, input.p);
		CHECK(tasks[i].push ? str_eq(tasks[i].trigger, S("__pregel_push")) :
		    graph_channel_is_control(tasks[i].trigger));
	}
	for (size_t i = 0; i < m->tasks_n; i++)
		show(&want, model_name(m, m->tasks[i].node), m->tasks[i].push,
		    m->tasks[i].index, m->tasks[i].push ? m->sends[m->tasks[i].index].input : "");
	if (!str_eq(buf_str(&got), buf_str(&want)))
		test_fail(__FILE__, __LINE__, "graph of seed %" PRIu64 ", step %u:\n"
		    "   got  %.*s\n   want %.*s", seed, op, FMT(buf_str(&got)),
		    FMT(buf_str(&want)));
	buf_release(&got);
	buf_release(&want);
	buf_release(&input);
}

/* All tasks of a step end, in any order; their writes apply in the tasks'. */
static void
play_step(struct model *m, const struct graph *g, struct graph_state *s, uint64_t seed)
{
	static struct write want[WRITES], got[WRITES];
	size_t want_n = 0, got_n = 0;

	for (size_t i = 0; i < m->tasks_n; i++) {
		int node = m->tasks[i].node;
		struct asked a = { m->sp, seed + i * 1000, m->tasks_n > CROWD };
		struct got sink = { &a, got + got_n, 0 };
		struct graph_router r = { on_when, on_over, on_input, on_write, &sink };

		CHECK_RC(graph_route(g, node == NODES ? GRAPH_START : node, &r, NULL), OK);
		want_n += model_route(m, &a, node, want + want_n);
		got_n += sink.n;
		CHECK(got_n == want_n && got_n < WRITES - 2 * EDGES);
	}
	for (size_t i = 0; i < got_n; i++) {
		CHECK_STR(str_of(got[i].channel), want[i].channel);
		CHECK_STR(str_of(got[i].value), want[i].value);
	}
	graph_step_begin(s);
	write_all(s, got, got_n);
	graph_step_end(s);
	apply_writes(m, true, want, want_n);
}

static void
play_goto(struct model *m, struct graph_state *s)
{
	struct write w[3];
	size_t n = 1 + pick(COUNT(w));

	for (size_t i = 0; i < n; i++) {
		const char *to = m->sp->node[pick((unsigned)m->sp->s.nodes_n)].name.p;
		bool send = pick(2) == 0 && m->sends_n + n < SENDS;

		snprintf(w[i].channel, sizeof w->channel, send ? "__pregel_tasks" :
		    "branch:to:%s", to);
		snprintf(w[i].value, sizeof w->value, send ? "{\"node\":\"%s\",\"input\":7}" :
		    "null", to);
	}
	write_all(s, w, n);
	graph_step_end(s);
	apply_writes(m, false, w, n);
}

/* New input: the tasks that wait are dropped, arrivals stay. */
static void
play_input(struct model *m, struct graph_state *s)
{
	const struct write w = { "__start__", "null" };

	graph_step_begin(s);
	write_all(s, &w, 1);
	graph_step_end(s);
	apply_writes(m, true, &w, 1);
}

static void
play_graph(uint64_t seed)
{
	static struct model m;
	struct spec sp;
	struct graph_place where;
	struct graph_state *s;
	struct graph *g;
	struct err e = { 0 };

	state = mix(seed);
	spec_random(&sp);
	if (graph_new(&g, &sp.s, &where, &e) != OK)
		test_fail(__FILE__, __LINE__, "graph of seed %" PRIu64 ": %s", seed, e.text);
	s = graph_state_new(g);
	model_new(&m, &sp);
	for (unsigned op = 0; op < OPS; op++) {
		unsigned what = pick(16);

		if (m.tasks_n == 0 || what == 0)
			play_input(&m, s);
		else if (what == 1)
			play_goto(&m, s);
		else
			play_step(&m, g, s, mix(seed + op));
		prepare_next_tasks(&m);
		compare_next(&m, s, seed, op);
		save_and_restore(&s, g);
	}
	graph_state_free(s);
	graph_free(g);
}

static uint64_t
number_of(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

/* Goal: random graphs, steps, gotos and new inputs give the tasks that Pregel's
 * channels give, in their order, whether or not the state was stored between. */
TEST(graph_model_is_pregel)
{
	uint64_t n = number_of("GRAPH_MODEL_GRAPHS", test_rounds(20000));
	uint64_t seed = number_of("GRAPH_MODEL_SEED", 1);

	printf("%" PRIu64 " graphs from seed %" PRIu64 "\n", n, seed);
	for (uint64_t i = 0; i < n; i++)
		play_graph(seed + i);
}
