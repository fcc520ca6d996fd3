/*
 * trace.c - mode events: objects of LangChain's astream_events, version 2.
 *
 * A graph is told under the run's id (a child's is derived from its namespace),
 * a node under its task's, a model or tool under its call's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/classic_priv.h"

#include "base/mem.h"
#include "run/chunk_priv.h"

/* A graph that runs: what it was given and has shown last. */
struct classic_graph {
	char *ns;
	struct val input, values;            /* ours */
};

static struct classic_graph *
find(const struct classic *c, struct str ns)
{
	for (size_t i = 0; i < c->graphs_n; i++)
		if (str_eq(str_of(c->graphs[i].ns), ns))
			return &c->graphs[i];
	return NULL;
}

static void
forget(struct classic *c, struct classic_graph *g)
{
	free(g->ns);
	val_drop(g->input);
	val_drop(g->values);
	*g = c->graphs[--c->graphs_n];
}

void
classic_graphs_release(struct classic *c)
{
	while (c->graphs_n > 0)
		forget(c, &c->graphs[c->graphs_n - 1]);
	free(c->graphs);
}

/* ---- one object --------------------------------------------------------------- */

/* An object is opened, gets members of `data`, and is sent with what it is about. */
static struct buf
open_object(const char *event)
{
	struct buf b = classic_data();

	json_add_fmt(&b, "{'event':%s,'data':{", event);
	return b;
}

static void
add_about(struct buf *b, struct str name, struct str tags, const struct uuid *id)
{
	json_add_fmt(b, "},'name':%.*s,'tags':[%-.*s]", FMT(name), FMT(tags));
	classic_add_id(b, "run_id", id);
	json_add_key(b, "metadata");
}

static void
send(struct classic *c, struct buf *b)
{
	buf_add_char(b, '}');
	classic_send(c, MODE_EVENTS, "events", STR_NONE, b);
}

/* ---- graphs ------------------------------------------------------------------- */

static struct uuid
graph_id(const struct classic *c, struct str ns)
{
	return ns.n == 0 ? c->run.run_id : uuid_v5(&c->run.run_id, ns);
}

static void
add_graph(struct buf *b, const struct classic *c, struct str ns)
{
	struct uuid id = graph_id(c, ns);

	add_about(b, S("LangGraph"), S(""), &id);
	json_add_fmt(b, "{'ls_integration':'langgraph',%-.*s", FMT(c->run.members));
	if (ns.n > 0)
		json_add_fmt(b, ",'langgraph_checkpoint_ns':%.*s,'checkpoint_ns':%.*s",
		    FMT(ns), FMT(ns));
	buf_add_char(b, '}');
}

void
classic_graph_start(struct classic *c, const struct run_event *ev, struct val input)
{
	struct classic_graph *g;
	struct buf b;

	if ((c->stream->modes & MODE_EVENTS) == 0)
		return;
	if (find(c, ev->ns) == NULL) {
		mem_grow(c->graphs, c->graphs_n, c->graphs_cap);
		g = &c->graphs[c->graphs_n++];
		*g = (struct classic_graph){ mem_cstr(ev->ns), val_ref(input), VAL_UNDEF };
	}
	if (!classic_wanted(c, MODE_EVENTS, ev))
		return;
	b = open_object("on_chain_start");
	classic_add_val(&b, "input", input);
	add_graph(&b, c, ev->ns);
	send(c, &b);
}

void
classic_graph_shows(struct classic *c, const struct run_event *ev)
{
	struct classic_graph *g = find(c, ev->ns);

	if (g == NULL)
		return;
	val_drop(g->values);
	g->values = val_ref(ev->u.state.values);
}

void
classic_graph_end(struct classic *c, const struct run_event *ev)
{
	struct classic_graph *g = find(c, ev->ns);
	struct buf b;

	if (g == NULL)
		return;
	if (classic_wanted(c, MODE_EVENTS, ev)) {
		b = open_object("on_chain_end");
		classic_add_val(&b, "output", g->values);
		add_graph(&b, c, ev->ns);
		send(c, &b);
	}
	forget(c, g);
}

/* ---- nodes -------------------------------------------------------------------- */

static void
add_node(struct buf *b, const struct classic *c, const struct run_event *ev,
    struct str name, bool step_tag, const struct uuid *id)
{
	struct buf tags = BUF(64);
	struct classic_place p;

	if (step_tag)
		buf_add_fmt(&tags, "\"graph:step:%d\"", ev->step);
	add_about(b, name, buf_str(&tags), id);
	buf_lit(b, "{\"ls_integration\":\"langgraph\",");
	classic_place_open(&p, c, ev);
	frame_add_place(b, &p.at);
	classic_place_close(&p);
	buf_add_char(b, '}');
	buf_release(&tags);
}

static void
tell_node(struct classic *c, const struct run_event *ev, const char *event,
    struct val output)
{
	struct buf b;

	if (!classic_wanted(c, MODE_EVENTS, ev))
		return;
	b = open_object(event);
	classic_add_val(&b, "output", output);
	classic_add_val(&b, "input", ev->task->input);
	add_node(&b, c, ev, ev->task->name, true, &ev->task->id);
	send(c, &b);
}

void
classic_node_start(struct classic *c, const struct run_event *ev)
{
	tell_node(c, ev, "on_chain_start", VAL_UNDEF);
}

void
classic_node_end(struct classic *c, const struct run_event *ev)
{
	if (ev->task->result.kind != VAL_UNDEFINED && ev->task->error.kind == VAL_UNDEFINED)
		tell_node(c, ev, "on_chain_end", ev->task->result);
}

/* ---- models and tools ----------------------------------------------------------- */

static void
tell_model(struct classic *c, const struct run_event *ev, const char *event,
    struct val output)
{
	const struct event_model *m = &ev->u.model;
	struct classic_place p;
	struct buf b;

	if (!classic_wanted(c, MODE_EVENTS, ev))
		return;
	b = open_object(event);
	classic_add_val(&b, "output", output);
	if (m->messages.kind != VAL_UNDEFINED) {
		json_add_key(&b, "input");
		buf_lit(&b, "{\"messages\":[");
		val_add_json(&b, m->messages);
		buf_lit(&b, "]}");
	}
	add_about(&b, chunk_model_class(m->provider), S(""), &m->call);
	classic_place_open(&p, c, ev);
	if (m->metadata.kind != VAL_UNDEFINED)
		val_add_json(&b, m->metadata);
	else
		frame_add_model_metadata(&b, &p.at, m->provider, m->model, false);
	classic_place_close(&p);
	send(c, &b);
}

void
classic_model_start(struct classic *c, const struct run_event *ev)
{
	tell_model(c, ev, "on_chat_model_start", VAL_UNDEF);
}

void
classic_model_answers(struct classic *c, const struct run_event *ev)
{
	if (ev->u.model.message.kind != VAL_UNDEFINED)
		tell_model(c, ev, "on_chat_model_end", ev->u.model.message);
}

void
classic_tool_event(struct classic *c, const struct run_event *ev, const char *event)
{
	const struct event_tool *t = &ev->u.tool;
	struct buf b;

	if (t->what == EVENT_TOOL_DELTA || !classic_wanted(c, MODE_EVENTS, ev))
		return;
	b = open_object(event);
	classic_add_tool_payload(&b, t);
	add_node(&b, c, ev, t->name, false, &t->call);
	send(c, &b);
}
