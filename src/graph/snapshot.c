/*
 * snapshot.c - a state as JSON, and back.
 *
 *	{"shape":"00ff...","next":["a"],"joined":["d"],"waiting":["z"],
 *	 "joins":{"join:a+b:d":["a","b"]},"sends":[{"node":"c","input":{"x":1}}]}
 *
 *   next      nodes that an edge reached and that come next
 *   joined    nodes that come next, and only joins reached them
 *   waiting   deferred nodes that an edge reached and that do not come next
 *   joins     the nodes that have arrived, of each join that has any
 *   sends     in order
 *
 * Parts that are empty are left out.  "shape" is a hash of the names of nodes,
 * of `defer` and of the joins: a snapshot of a graph where these differ is
 * refused (ERR_CONFLICT), for a count of arrivals would mean something else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "graph/graph_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* ---- writing ------------------------------------------------------------- */

/* The members of set that are members of other too, or are not. */
static void
add_names(struct buf *b, const struct graph *g, const char *key, const uint64_t *set,
    const uint64_t *other, bool in_other)
{
	bool any = false;

	for each_bit(i, set, 0, g->nodes_n) {
		if (bit_get(other, i) != in_other)
			continue;
		if (!any)
			json_add_fmt(b, ",%s:[", key);
		any = true;
		json_add_fmt(b, ",%.*s", FMT(g->nodes[i].name));
	}
	if (any)
		buf_add_char(b, ']');
}

static void
add_joins(struct buf *b, const struct graph_state *s)
{
	const struct graph *g = s->g;
	bool any = false;

	for (uint32_t i = 0; i < g->joins_n; i++) {
		const struct join *j = &g->joins[i];

		if (s->counts[i] == 0)
			continue;
		json_add_fmt(b, any ? ",%.*s:[" : ",'joins':{%.*s:[", FMT(j->channel));
		any = true;
		for each_bit(k, s->arrived, j->first, j->first + j->n)
			json_add_fmt(b, ",%.*s", FMT(g->nodes[g->sources[k]].name));
		buf_add_char(b, ']');
	}
	if (any)
		buf_add_char(b, '}');
}

static void
add_sends(struct buf *b, const struct graph_state *s)
{
	if (s->sends_n == 0)
		return;
	json_add_fmt(b, ",'sends':[");
	for (size_t i = 0; i < s->sends_n; i++) {
		json_add_fmt(b, ",{'node':%.*s,'input':", FMT(s->g->nodes[s->sends[i].node].name));
		val_add_json(b, s->sends[i].input);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

void
graph_state_save(const struct graph_state *s, struct buf *out)
{
	check_state(s);
	assert(!s->open);
	buf_add_fmt(out, "{\"shape\":\"%016llx\"", (unsigned long long)s->g->shape);
	add_names(out, s->g, "next", s->next, s->reached, true);
	add_names(out, s->g, "joined", s->next, s->reached, false);
	add_names(out, s->g, "waiting", s->reached, s->next, false);
	add_joins(out, s);
	add_sends(out, s);
	buf_add_char(out, '}');
}

/* ---- reading ------------------------------------------------------------- */

/* The first error stays; later steps do nothing. */
struct reading {
	struct graph_state *s;
	jnode root;
	int rc;
	struct err *e;
};

static void
misfit(struct reading *r, int rc, const char *what, struct str name)
{
	if (r->rc == OK)
		r->rc = err_set(r->e, rc, "the snapshot of the graph: %s%s%.*s%s", what,
		    name.n > 0 ? " '" : "", FMT(name), name.n > 0 ? "'" : "");
}

static void
read_shape(struct reading *r)
{
	char want[20];

	snprintf(want, sizeof want, "%016llx", (unsigned long long)r->s->g->shape);
	if (r->rc == OK && !str_eq(json_str(json_get(r->root, S("shape"))), str_of(want)))
		r->rc = err_set(r->e, ERR_CONFLICT, "the snapshot does not fit the graph: its "
		    "nodes or joins have changed since");
}

/* An array, or absent. */
static struct json_iter
read_array(struct reading *r, jnode n, const char *what)
{
	if (n != NULL && !json_is_array(n))
		misfit(r, ERR_INVALID, "not an array:", str_of(what));
	return json_each(r->rc == OK ? n : NULL);
}

/* Into both sets; either may be NULL. */
static void
read_names(struct reading *r, const char *key, uint64_t *set, uint64_t *other)
{
	struct json_iter it = read_array(r, json_get(r->root, str_of(key)), key);

	while (r->rc == OK && json_next(&it)) {
		struct str name = json_str(it.value);
		uint32_t rank = rank_of_name(r->s->g, name);

		if (rank == NOWHERE) {
			misfit(r, ERR_INVALID, "no node", name);
			return;
		}
		if (set != NULL)
			bit_set(set, rank);
		if (other != NULL)
			bit_set(other, rank);
	}
}

static void
read_joins(struct reading *r)
{
	const struct graph *g = r->s->g;
	jnode joins = json_get(r->root, S("joins"));
	struct json_iter it = json_each(joins);

	if (joins != NULL && !json_is_object(joins))
		misfit(r, ERR_INVALID, "not an object:", S("joins"));
	while (r->rc == OK && json_next(&it)) {
		struct str channel = json_str(it.key);
		uint32_t join = join_of_channel(g, channel);
		struct json_iter names = read_array(r, it.value, "joins");

		if (join == NOWHERE)
			misfit(r, ERR_INVALID, "no join", channel);
		while (r->rc == OK && json_next(&names)) {
			struct str name = json_str(names.value);
			uint32_t source = join_source(g, &g->joins[join],
			    rank_of_name(g, name));

			if (source == NOWHERE)
				misfit(r, ERR_INVALID, "no node of its join", name);
			else
				join_arrive(r->s, join, source);
		}
	}
}

static void
read_sends(struct reading *r)
{
	struct json_iter it = read_array(r, json_get(r->root, S("sends")), "sends");

	while (r->rc == OK && json_next(&it)) {
		struct val input = VAL_NIL;

		r->rc = json_to_val(json_get(it.value, S("input")), &input, r->e);
		if (r->rc == OK)
			r->rc = send_add(r->s, json_str(json_get(it.value, S("node"))), input,
			    r->e);
		val_drop(input);
	}
}

/* The invariants of graph_priv.h. */
static void
check_rest(struct reading *r)
{
	struct graph_state *s = r->s;
	const struct graph *g = s->g;

	if (r->rc != OK)
		return;
	for each_bit(i, s->next, 0, g->nodes_n) {
		uint32_t join = g->nodes[i].join;

		if (bit_get(s->reached, i))
			continue;
		while (join != NOWHERE && !bit_get(s->complete, join))
			join = g->joins[join].next;
		if (join == NOWHERE)
			misfit(r, ERR_INVALID, "nothing has reached", g->nodes[i].name);
	}
	for each_bit(i, s->reached, 0, g->nodes_n)
		if (!bit_get(s->next, i) && !g->nodes[i].defer)
			misfit(r, ERR_INVALID, "it need not wait:", g->nodes[i].name);
	for each_bit(i, s->complete, 0, g->joins_n)
		if (!bit_get(s->next, g->joins[i].to) && !g->nodes[g->joins[i].to].defer)
			misfit(r, ERR_INVALID, "it is complete:", g->joins[i].channel);
	if (s->sends_n == 0 && bit_next(s->next, 0, g->nodes_n) == g->nodes_n &&
	    (bit_next(s->reached, 0, g->nodes_n) < g->nodes_n ||
	    bit_next(s->complete, 0, g->joins_n) < g->joins_n))
		misfit(r, ERR_INVALID, "deferred nodes wait for nothing", S(""));
}

int
graph_state_restore(struct graph_state **out, const struct graph *g, struct str text,
    struct err *e)
{
	struct reading r = { .s = graph_state_new(g), .e = e };
	struct json_doc doc;

	*out = NULL;
	r.rc = json_parse(&doc, text, e);
	r.root = doc.root;
	if (r.rc == OK && !json_is_object(doc.root))
		misfit(&r, ERR_INVALID, "not an object", S(""));
	if (r.rc == OK) {
		read_shape(&r);
		read_names(&r, "next", r.s->next, r.s->reached);
		read_names(&r, "joined", r.s->next, NULL);
		read_names(&r, "waiting", NULL, r.s->reached);
		read_joins(&r);
		read_sends(&r);
		check_rest(&r);
	}
	json_release(&doc);
	if (r.rc != OK) {
		graph_state_free(r.s);
		return r.rc;
	}
	*out = r.s;
	return OK;
}
