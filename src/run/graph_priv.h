/*
 * graph_priv.h - the graphs that exist: built-in charts, by graph id.
 *
 * A *node* in LangGraph's sense is an atomic state with an invoke; what the
 * invoke's type asks for is its kind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_GRAPH_PRIV_H
#define RUN_GRAPH_PRIV_H

#include "chart/chart.h"

enum node_kind { NODE_LLM, NODE_TOOLS, NODE_UNKNOWN };

struct graphs;

struct graphs *graphs_new(struct err *e);    /* NULL: a chart is broken */
void graphs_free(struct graphs *g);

/* NULL: no such graph. */
const struct chart *graphs_chart(const struct graphs *g, struct str graph_id);
size_t graphs_count(void);
struct str graphs_name(size_t i);
enum node_kind node_kind_of(struct str invoke_type);

#endif
