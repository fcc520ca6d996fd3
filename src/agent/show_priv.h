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
/* What is written beside an edge: `each n of notes when n > 2`. */
void show_edge_label(struct buf *b, const struct agent *a, size_t i);

void show_chart_outline(struct buf *b, const struct agent *a);       /* its states */
void show_chart_dot(struct buf *b, const struct agent *a);
void show_chart_mermaid(struct buf *b, const struct agent *a);

#endif
