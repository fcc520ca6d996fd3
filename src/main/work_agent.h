/*
 * work_agent.h - the agent `work`: whoever subscribes to it (fipa-subscribe) with content
 * {"project": NAME} is told of each item that becomes ready.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WORK_AGENT_H
#define MAIN_WORK_AGENT_H

#include "mail/host/office.h"

struct work_agent;                           /* one an office */

/* The board must be a guest of the store. */
struct work_agent *work_agent_new(struct office *o, struct store *st);
/* Ends all subscriptions; done: nothing of them is under way. */
void work_agent_drain(struct work_agent *w, void (*done)(void *ctx), void *ctx);
void work_agent_free(struct work_agent *w);  /* NULL: nothing */

#endif
