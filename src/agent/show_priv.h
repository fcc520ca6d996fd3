/*
 * show_priv.h - what the drawings of graphs (show.c) and of charts share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_SHOW_PRIV_H
#define AGENT_SHOW_PRIV_H

#include "agent/agent.h"

/* A quote and what Mermaid reads in texts become entities. */
void show_mermaid_text(struct buf *b, struct str s);

/* As XML has it, inside of quotes too. */
void show_xml_text(struct buf *b, struct str s);
/* Of a chart: an event and a guard as the file has them; nothing of a guard that only
 * says whose event it is.  False: the file does not have the transition. */
struct chart_transition;
struct str show_event(const struct agent *a, struct str event, struct str state);
struct str show_guard(const struct agent *a, const struct chart_transition *t,
    struct arena *to);
bool show_has(const struct agent *a, const struct chart_transition *t);
/* What stands beside a piece of work: `retry 3`, `timeout 30s`. */
void show_terms(struct buf *b, const struct agent_work *w);
void show_budget(struct buf *b, const struct agent_budget *of);      /* `, budget ...` */

/* What is written beside an edge: `each n of notes when n > 2`. */
void show_edge_label(struct buf *b, const struct agent *a, size_t i);

void show_chart_outline(struct buf *b, const struct agent *a);       /* its states */
void show_chart_dot(struct buf *b, const struct agent *a);
void show_chart_mermaid(struct buf *b, const struct agent *a);

#endif
