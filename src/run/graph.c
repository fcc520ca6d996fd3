/*
 * graph.c - see graph_priv.h.
 *
 * `agent` is ReAct: the model answers; if it asks for tools they run and it
 * answers again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/graph_priv.h"

#include "base/mem.h"

static const char agent_chart[] =
    "<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' name='agent'"
    " initial='agent'>\n"
    " <state id='agent'>\n"
    "  <invoke type='llm' id='model'/>\n"
    "  <transition event='done.invoke.model' cond='_event.data.tool_calls'"
    " target='tools'/>\n"
    "  <transition event='done.invoke.model' target='__end__'/>\n"
    " </state>\n"
    " <state id='tools'>\n"
    "  <invoke type='tools' id='calls'/>\n"
    "  <transition event='done.invoke.calls' target='agent'/>\n"
    " </state>\n"
    " <final id='__end__'/>\n"
    "</scxml>\n";

static const struct {
	const char *id, *scxml;
} built_in[] = {
	{ "agent", agent_chart },
};

struct graphs {
	struct chart *charts[COUNT(built_in)];
};

struct graphs *
graphs_new(struct err *e)
{
	struct graphs *g = mem_new(struct graphs);

	for (size_t i = 0; i < COUNT(built_in); i++) {
		if (chart_from_scxml(&g->charts[i], str_of(built_in[i].scxml), NULL,
		    e) != OK) {
			graphs_free(g);
			return NULL;
		}
	}
	return g;
}

void
graphs_free(struct graphs *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < COUNT(g->charts); i++)
		if (g->charts[i] != NULL)
			chart_free(g->charts[i]);
	free(g);
}

const struct chart *
graphs_chart(const struct graphs *g, struct str graph_id)
{
	for (size_t i = 0; i < COUNT(built_in); i++)
		if (str_eq(graph_id, str_of(built_in[i].id)))
			return g->charts[i];
	return NULL;
}

size_t
graphs_count(void)
{
	return COUNT(built_in);
}

struct str
graphs_name(size_t i)
{
	return i < COUNT(built_in) ? str_of(built_in[i].id) : STR_NONE;
}

enum node_kind
node_kind_of(struct str invoke_type)
{
	static const char *const types[] = {
		[NODE_LLM] = "llm", [NODE_TOOLS] = "tools",
	};

	for (unsigned i = 0; i < COUNT(types); i++)
		if (str_eq(invoke_type, str_of(types[i])))
			return (enum node_kind)i;
	return NODE_UNKNOWN;
}
