/*
 * states_priv.h - the statechart of an agent being made: shared by states.c
 * (states and transitions), statements.c and say.c (what they do).
 *
 * Both write a draft (chart/draft.h).  Expressions are checked here, where their
 * place in the file is known, and given to the draft as text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_STATES_PRIV_H
#define AGENT_STATES_PRIV_H

#include "agent/load_priv.h"
#include "chart/draft.h"

/* The place of a node's value, and of its key. */
struct spot states_at(const struct tree_node *n);
struct spot states_at_key(const struct tree_node *n);

/* An expression, of a string; the text of data with expressions in it; a text
 * with ${} holes.  Checked; empty after a failure. */
struct draft_text states_expr(struct load *l, struct draft *d, const struct tree_node *n);
struct draft_text states_data(struct load *l, struct draft *d, const struct tree_node *n);
struct draft_text states_template(struct load *l, const struct tree_node *n);
/* A string as it is; what: "an event's name". */
struct draft_text states_plain(struct load *l, const struct tree_node *n, const char *what);
/* `delay` of a send: milliseconds, a time as in 1.5s, or an expression. */
void states_delay(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a);

/* Can it name a state or an invoke? */
bool states_is_name(struct str s);
/* The channels as data of the chart. */
void states_channels(struct load *l, struct draft *d, struct draft_state *root);
/* The work in a map as a node of that name; own: keys that are not of the work. */
void states_node(struct load *l, const struct tree_node *n, struct str name,
    const char *const *own, struct agent_node *node);

/* One statement or a list of them, appended at *tail. */
void states_actions(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action ***tail);
/* One of `after`, whose key is a time: sends and cancels are added to the state.
 * Returns the event that comes. */
struct draft_text states_after(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_state *s, unsigned number);
/* The last transition of such an event: no '*' takes one that was not wanted. */
void states_after_end(struct load *l, struct draft *d, struct draft_text event,
    struct draft_transition ***tail);
/* The condition that such an event is of the present visit. */
struct str states_same_visit(struct draft *d, const struct draft_state *s);
/* `timeout` of a state without work: error.timeout is raised. */
void states_timeout(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_state *s, struct draft_transition ***tail);
/* `assign: {key: data}`, appended. */
void states_assign(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action ***tail);


/* say.c: `send` to another agent, told from an event of the chart itself by its keys;
 * and `reply`. */
bool states_is_message(struct load *l, const struct tree_node *n);
void states_message(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a);
/* Refuses keys of a message in a send of an event. */
void states_no_message(struct load *l, const struct tree_node *n);
void states_reply(struct load *l, struct draft *d, const struct tree_node *n,
    struct draft_action *a);

#endif
