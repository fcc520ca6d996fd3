/*
 * run_spec.c - what the simulator plays: chance, agents, what their tasks do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_sim.h"

#include "base/mem.h"

/* ---- chance ------------------------------------------------------------------- */

uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static uint64_t chance;
uint64_t root_key;

void
chance_seed(uint64_t seed)
{
	chance = mix(seed);
	root_key = mix(chance);
}

unsigned
pick(unsigned n)
{
	return (unsigned)(mix(chance++) % n);
}

/* ---- agents ------------------------------------------------------------------- */

const struct sim_channel sim_channels[CHANNELS] = {
	[CH_N] = { "n", "{reducer: sum, default: 0}", REDUCE_SUM, false, true, true },
	[CH_LOG] = { "log", "{reducer: append}", REDUCE_APPEND, false, true, true },
	[CH_LAST] = { "l", "{}", REDUCE_LAST, false, true, true },
	[CH_MAX] = { "hi", "{reducer: max}", REDUCE_MAX, false, true, true },
	[CH_MIN] = { "lo", "{reducer: min, default: 50}", REDUCE_MIN, false, false, false },
	[CH_MERGE] = { "m", "{reducer: merge}", REDUCE_MERGE, false, true, true },
	[CH_MESSAGES] = { "msgs", "{reducer: messages}", REDUCE_MESSAGES, false, true,
	    true },
	[CH_EPHEMERAL] = { "e", "{ephemeral: true}", REDUCE_LAST, true, true, false },
	[CH_PRIVATE] = { "h", "{}", REDUCE_LAST, false, false, false },
};

const char *
sim_node_name(int node)
{
	static const char *const names[NODES] = { "a", "b", "c", "d", "e1", "f" };

	return node == AT_START ? "__start__" : names[node];
}

static struct sim_edge *
edge_add(struct sim_agent *a, int from, int to)
{
	struct sim_edge *ed = &a->edge[a->edges_n++];

	*ed = (struct sim_edge){ .from = { from }, .from_n = 1, .to = to };
	return ed;
}

/* A join of two or three nodes, unless there is the same. */
static void
join_add(struct sim_agent *a)
{
	int first = (int)pick((unsigned)a->nodes_n), to = (int)pick((unsigned)a->nodes_n);
	struct sim_edge *ed = edge_add(a, first, to);

	for (int k = 1; k < FROM && (size_t)k < a->nodes_n; k++)
		if (k == 1 || pick(2) == 0)
			ed->from[ed->from_n++] = (first + k) % (int)a->nodes_n;
	for (size_t i = 0; i + 1 < a->edges_n; i++)
		if (ed->from_n < 2 || (a->edge[i].from_n == ed->from_n &&
		    a->edge[i].to == to && a->edge[i].from[0] == first)) {
			a->edges_n--;
			return;
		}
}

struct sim_agent *
sim_agent_random(unsigned levels, bool stops, bool persist)
{
	struct sim_agent *a = mem_new(struct sim_agent);
	unsigned n = 1 + pick(NODES), extra = pick(8);

	a->nodes_n = n;
	for (unsigned i = 0; i < n; i++) {
		struct sim_node *x = &a->node[i];

		x->defer = pick(8) == 0;
		x->before = stops && pick(6) == 0;
		x->after = stops && pick(6) == 0;
		if (levels > 0 && pick(4) == 0) {
			x->child = sim_agent_random(levels - 1, stops && pick(2) == 0,
			    persist);
			x->persist = persist && pick(2) == 0;
		}
		(void)edge_add(a, i == 0 || pick(3) == 0 ? AT_START : (int)pick(i), (int)i);
	}
	while (extra-- > 0 && a->edges_n < EDGES) {
		int from = (int)pick(n + 1) - 1, to = (int)pick(n + 1) - 1;
		struct sim_edge *ed;

		if (pick(4) == 0 && n > 1) {
			join_add(a);
			continue;
		}
		ed = edge_add(a, from < 0 ? AT_START : from, to);
		if (pick(4) > 0) {
			ed->mod = 2 + (int)pick(3);
			ed->rest = (int)pick((unsigned)ed->mod);
			ed->all = (from & 1) != 0;
		}
		ed->send = to != TO_END && pick(3) == 0;
		if (ed->send && a->node[to].persist)
			ed->send = false;    /* one call at a time */
	}
	return a;
}

void
sim_agent_free(struct sim_agent *a)
{
	for (size_t i = 0; a != NULL && i < a->nodes_n; i++)
		sim_agent_free(a->node[i].child);
	free(a);
}

static const char *
end_name(int node)
{
	return node == AT_START ? "START" : node == TO_END ? "END" : sim_node_name(node);
}

static void
edge_yaml(struct buf *b, const struct sim_edge *ed)
{
	buf_lit(b, "{from: [");
	for (size_t k = 0; k < ed->from_n; k++)
		buf_add_fmt(b, "%s%s", k > 0 ? ", " : "", end_name(ed->from[k]));
	buf_lit(b, "], ");
	if (ed->send)
		buf_add_fmt(b, "send: {over: \"range(n %% 3)\", as: x, to: %s}",
		    end_name(ed->to));
	else
		buf_add_fmt(b, "to: %s", end_name(ed->to));
	if (ed->mod > 0)
		buf_add_fmt(b, ", when: \"n %% %d == %d\"", ed->mod, ed->rest);
	if (ed->all)
		buf_lit(b, ", all: true");
	buf_lit(b, "}");
}

static void
stops_yaml(struct buf *b, const struct sim_agent *a, bool before)
{
	bool any = false;

	for (size_t i = 0; i < a->nodes_n; i++) {
		if (!(before ? a->node[i].before : a->node[i].after))
			continue;
		buf_add_fmt(b, any ? ", %s" : before ? ", interrupt_before: [%s" :
		    ", interrupt_after: [%s", sim_node_name((int)i));
		any = true;
	}
	if (any)
		buf_lit(b, "]");
}

/* Of flow style, so that it can stand inside another. */
void
sim_agent_yaml(struct buf *b, const struct sim_agent *a)
{
	buf_lit(b, "{state: {");
	for (size_t i = 0; i < CHANNELS; i++)
		buf_add_fmt(b, "%s%s: %s", i > 0 ? ", " : "", sim_channels[i].name,
		    sim_channels[i].yaml);
	buf_lit(b, "}, input: [n, log, l, hi, m, msgs, e], "
	    "output: [n, log, l, hi, m, msgs], private: [h], nodes: {");
	for (size_t i = 0; i < a->nodes_n; i++) {
		const struct sim_node *x = &a->node[i];

		buf_add_fmt(b, "%s%s: {", i > 0 ? ", " : "", sim_node_name((int)i));
		if (x->child != NULL) {
			buf_lit(b, "agent: ");
			sim_agent_yaml(b, x->child);
			buf_add(b, str_of(x->persist ? ", persist: true" : ""));
		} else {
			buf_lit(b, "set: {n: 1}");
		}
		buf_add(b, str_of(x->defer ? ", defer: true}" : "}"));
	}
	buf_lit(b, "}, edges: [");
	for (size_t i = 0; i < a->edges_n; i++) {
		buf_add(b, str_of(i > 0 ? ", " : ""));
		edge_yaml(b, &a->edge[i]);
	}
	buf_lit(b, "]");
	stops_yaml(b, a, true);
	stops_yaml(b, a, false);
	/* so large that it refuses nothing; what is spent is counted */
	buf_lit(b, ", budget: {turns: 1000000}}");
}

/* ---- what tasks do -------------------------------------------------------------- */

const char *const ask_keys[ASKS] = { "0", "1" };

uint64_t
task_key(uint64_t scope_key, int step, int node, bool push, unsigned index)
{
	return mix(scope_key * 31 + (uint64_t)(step + 5) * 1009 + (uint64_t)(node + 3) * 17 +
	    (push ? 1000003 * (uint64_t)(index + 1) : 0));
}

void
task_act(struct act *a, const struct sim_rules *r, uint64_t key, unsigned run)
{
	*a = (struct act){ .together = key % 3 == 0 };
	if (r->asks > 0 && mix(key + 1) % r->asks == 0)
		a->asks = 1 + mix(key + 2) % ASKS;
	if (r->fails > 0 && mix(key + 3) % r->fails == 0)
		a->fails = mix(key + run) % 2 == 0;
	a->n = mix(key + 4) % 4;
}

static struct val
message(uint64_t key)
{
	struct val m = val_object_empty();
	char id[16];

	snprintf(id, sizeof id, "m%u", (unsigned)(key % 5));
	m = val_set_take(m, S("type"), val_string(S("human")));
	m = val_set_take(m, S("content"), val_int((int64_t)(key % 1000)));
	m = val_set_take(m, S("content"), val_string(str_of(id)));
	m = val_set_take(m, S("id"), val_string(str_of(id)));
	return val_push_take(val_array_empty(), m);
}

static struct val
value_for(enum channel_no channel, uint64_t key)
{
	int64_t small = (int64_t)(key % 7);
	char name[8];

	switch (channel) {
	case CH_LOG:
		return key % 3 == 0 ? val_int(small) : val_push_take(val_push_take(
		    val_array_empty(), val_int((int64_t)(key % 1000))), val_int(small));
	case CH_MERGE:
		snprintf(name, sizeof name, "k%d", (int)(key % 4));
		return val_set_take(val_object_empty(), str_of(name), val_int(small));
	case CH_MESSAGES:
		return message(key);
	default:
		return val_int(small);
	}
}

static bool
may_clash(enum channel_no channel)
{
	return sim_channels[channel].reducer == REDUCE_LAST;
}

/* The answers and the input go to the log. */
void
task_act_writes(struct act *a, uint64_t key, const struct val *answers, struct val input)
{
	struct val log = val_array_empty();

	for (size_t i = 0; i < a->n; i++) {
		uint64_t k = mix(key + 10 + i);
		enum channel_no c = (enum channel_no)(k % CHANNELS);

		if (may_clash(c) && mix(k) % 4 > 0)
			c = CH_N;
		a->write[i] = (struct act_write){ c, value_for(c, mix(k + 1)) };
		if (c != CH_LOG || mix(k + 2) % 8 > 0)
			continue;
		val_drop(a->write[i].value);
		a->write[i].value = val_set_take(val_object_empty(), S("__overwrite__"),
		    val_push_take(val_array_empty(), val_int((int64_t)(k % 100))));
	}
	for (unsigned i = 0; i < a->asks; i++)
		log = val_push_take(log, val_ref(answers[i]));
	if (input.kind != VAL_UNDEFINED)
		log = val_push_take(log, val_ref(input));
	log = val_push_take(log, val_int((int64_t)(key % 10000)));
	a->write[a->n++] = (struct act_write){ CH_LOG, log };
	for (size_t i = 0; i + 1 < a->n; i++)        /* one overwrite at most */
		for (size_t k = i + 1; k < a->n; k++)
			if (a->write[i].channel == CH_LOG && a->write[k].channel == CH_LOG &&
			    a->write[k].value.kind == VAL_OBJECT) {
				val_drop(a->write[k].value);
				a->write[k].value = val_int(3);
			}
}

void
act_release(struct act *a)
{
	for (size_t i = 0; i < a->n; i++)
		val_drop(a->write[i].value);
}

struct val
child_input(uint64_t key)
{
	struct val in = val_set_take(val_object_empty(), S("n"),
	    val_int((int64_t)(mix(key + 7) % 4)));

	if (key % 2 == 0)
		in = val_set_take(in, S("log"), val_push_take(val_array_empty(),
		    val_int((int64_t)(key % 50))));
	if (key % 5 == 0)
		in = val_set_take(in, S("msgs"), message(key));
	if (key % 7 == 0)
		in = val_set_take(in, S("unknown"), val_int(1));
	return in;
}
