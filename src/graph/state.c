/*
 * state.c - one execution of a graph: writes in, tasks out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "graph/graph_priv.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define SEND_LEVELS 3            /* of a snapshot's JSON around a send's input */

struct graph_state *
graph_state_new(const struct graph *g)
{
	struct graph_state *s;
	size_t ranks, joins, sources;

	check_graph(g);
	ranks = bit_words(g->nodes_n), joins = bit_words(g->joins_n);
	sources = bit_words(g->sources_n);
	s = mem_zero(sizeof *s + (2 * ranks + joins + sources) * sizeof s->sets[0] +
	    g->joins_n * sizeof s->counts[0]);
	s->mark = GRAPH_STATE_MARK;
	s->g = g;
	s->next = s->sets;
	s->reached = s->next + ranks;
	s->complete = s->reached + ranks;
	s->arrived = s->complete + joins;
	s->counts = (uint32_t *)(void *)(s->arrived + sources);
	return s;
}

static void
drop_sends(struct graph_state *s)
{
	for (size_t i = 0; i < s->sends_n; i++)
		val_drop(s->sends[i].input);
	s->sends_n = 0;
}

void
graph_state_free(struct graph_state *s)
{
	if (s == NULL)
		return;
	check_state(s);
	drop_sends(s);
	CHECK_END(s);
	free(s->sends);
	free(s->tasks);
	free(s);
}

/* ---- a step -------------------------------------------------------------- */

static void
join_reset(struct graph_state *s, uint32_t join)
{
	const struct join *j = &s->g->joins[join];

	for (uint32_t i = 0; i < j->n; i++)
		bit_clear(s->arrived, j->first + i);
	bit_clear(s->complete, join);
	s->counts[join] = 0;
}

void
join_arrive(struct graph_state *s, uint32_t join, uint32_t source)
{
	const struct join *j = &s->g->joins[join];

	if (bit_get(s->arrived, j->first + source))
		return;
	bit_set(s->arrived, j->first + source);
	if (++s->counts[join] == j->n)
		bit_set(s->complete, join);
}

void
graph_step_begin(struct graph_state *s)
{
	check_state(s);
	for each_bit(i, s->complete, 0, s->g->joins_n)
		if (bit_get(s->next, s->g->joins[i].to))
			join_reset(s, i);
	graph_step_drop(s);
}

void
graph_step_drop(struct graph_state *s)
{
	check_state(s);
	for (size_t i = 0; i < bit_words(s->g->nodes_n); i++) {
		s->reached[i] &= ~s->next[i];
		s->next[i] = 0;
	}
	drop_sends(s);
	s->open = true;
}

void
state_settle(struct graph_state *s)
{
	const struct graph *g = s->g;
	size_t words = bit_words(g->nodes_n);
	uint64_t any = s->sends_n;

	for each_bit(i, s->complete, 0, g->joins_n)
		if (!g->nodes[g->joins[i].to].defer)
			bit_set(s->next, g->joins[i].to);
	for (size_t i = 0; i < words; i++) {
		s->next[i] |= s->reached[i] & ~g->deferred[i];
		any |= s->next[i];
	}
	if (any != 0)
		return;
	/* Nothing is left but deferred nodes. */
	memcpy(s->next, s->reached, words * sizeof s->next[0]);
	for each_bit(i, s->complete, 0, g->joins_n)
		bit_set(s->next, g->joins[i].to);
}

void
graph_step_end(struct graph_state *s)
{
	check_state(s);
	state_settle(s);
	s->open = false;
}

/* ---- control writes ------------------------------------------------------ */

/* For a goto or a send to a name that is no node. */
static int
no_node(const struct graph *g, const char *what, struct str name, struct err *e)
{
	struct str_near near = { .word = name };

	for (uint32_t i = 0; i < g->nodes_n; i++)
		if (i != g->start)
			str_near_try(&near, g->nodes[i].name.p);
	return err_near(e, ERR_INVALID, near.best, "'", "%s: the graph has no node '%.*s'",
	    what, FMT(name));
}

int
send_add(struct graph_state *s, struct str node, struct val input, struct err *e)
{
	uint32_t rank = rank_of_name(s->g, node);

	if (rank == NOWHERE || rank == s->g->start)
		return no_node(s->g, "send", node, e);
	if (val_depth(input) + SEND_LEVELS > LIMIT_JSON_DEPTH)
		return err_set(e, ERR_TOOBIG, "send to '%.*s': its input has %u levels, at most "
		    "%d", FMT(node), val_depth(input), LIMIT_JSON_DEPTH - SEND_LEVELS);
	if (s->sends_n >= LIMIT_GRAPH_SENDS)
		return err_set(e, ERR_LIMIT, "more than %d sends in one step",
		    LIMIT_GRAPH_SENDS);
	mem_grow(s->sends, s->sends_n, s->sends_cap);
	s->sends[s->sends_n++] = (struct send){ rank,
		input.kind == VAL_UNDEFINED ? VAL_NIL : val_ref(input) };
	return OK;
}

static int
write_send(struct graph_state *s, struct str channel, struct val value, struct err *e)
{
	struct val node = val_get(value, S("node"));

	if (node.kind != VAL_STRING)
		return err_set(e, ERR_INVALID, "%.*s: a send is {\"node\": name, \"input\": "
		    "value}", FMT(channel));
	return send_add(s, val_str(node), val_get(value, S("input")), e);
}

static int
write_branch(struct graph_state *s, struct str channel, struct err *e)
{
	struct str name = str_sub(channel, BRANCH_PREFIX.n, channel.n);
	uint32_t rank = rank_of_name(s->g, name);

	if (rank == NOWHERE || rank == s->g->start)
		return no_node(s->g, "goto", name, e);
	bit_set(s->reached, rank);
	return OK;
}

static int
write_join(struct graph_state *s, struct str channel, struct val value, struct err *e)
{
	uint32_t join = join_of_channel(s->g, channel), rank, source;

	if (join == NOWHERE)
		return err_set(e, ERR_INVALID, "%.*s: the graph has no such join",
		    FMT(channel));
	rank = value.kind == VAL_STRING ? rank_of_name(s->g, val_str(value)) : NOWHERE;
	source = join_source(s->g, &s->g->joins[join], rank);
	if (source == NOWHERE)
		return err_set(e, ERR_INVALID, "%.*s: the value must be the name of one of "
		    "its nodes", FMT(channel));
	join_arrive(s, join, source);
	return OK;
}

int
graph_step_write(struct graph_state *s, struct str channel, struct val value,
    struct err *e)
{
	check_state(s);
	s->open = true;
	if (str_starts(channel, BRANCH_PREFIX))
		return write_branch(s, channel, e);
	if (str_starts(channel, JOIN_PREFIX))
		return write_join(s, channel, value, e);
	if (str_eq(channel, SENDS_CHANNEL))
		return write_send(s, channel, value, e);
	if (!str_eq(channel, START_NAME))
		return err_set(e, ERR_INVALID, "'%.*s' is not a channel of the graph's own",
		    FMT(channel));
	bit_set(s->reached, s->g->start);
	return OK;
}

/* ---- the tasks that come next -------------------------------------------- */

/* Of several the edge, else the first complete join of the spec. */
static struct str
trigger_of(const struct graph_state *s, uint32_t rank)
{
	const struct node *n = &s->g->nodes[rank];
	uint32_t join = n->join;

	if (bit_get(s->reached, rank))
		return n->channel;
	while (!bit_get(s->complete, join))
		join = s->g->joins[join].next;
	return s->g->joins[join].channel;
}

static void
task_add(struct graph_state *s, size_t *n, struct graph_task task)
{
	mem_grow(s->tasks, *n, s->tasks_cap);
	s->tasks[(*n)++] = task;
}

size_t
graph_next(struct graph_state *s, const struct graph_task **out)
{
	const struct graph *g = s->g;
	size_t n = 0;

	check_state(s);
	assert(!s->open);
	for each_bit(i, s->next, 0, g->nodes_n)
		task_add(s, &n, (struct graph_task){ .node = g->nodes[i].number,
			.name = g->nodes[i].name, .trigger = trigger_of(s, i) });
	for (size_t i = 0; i < s->sends_n; i++) {
		const struct node *to = &g->nodes[s->sends[i].node];

		task_add(s, &n, (struct graph_task){ .node = to->number, .push = true,
			.index = (unsigned)i, .name = to->name, .trigger = PUSH_TRIGGER,
			.input = s->sends[i].input });
	}
	*out = s->tasks;
	return n;
}
