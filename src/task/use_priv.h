/*
 * use_priv.h - a tool call with a policy (use.c), done by another agent (use_agent.c)
 * or a page of the web (use_page.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TASK_USE_PRIV_H
#define TASK_USE_PRIV_H

#include "task/task_priv.h"

enum use_form { USE_TOOL, USE_HTTP, USE_AGENT };

struct task_use {
	struct piece *p;
	struct task *task;
	void (*done)(struct piece *p, void *arg, const struct call_end *end);
	void *arg;
	const struct agent_policy *policy;   /* NULL: the file says nothing */
	enum use_form form;
	unsigned tried;                      /* calls that failed */
	bool pauses, timed, ended;
	bool inside;                         /* somebody on the stack needs it */
	char *id, *name, *args;
	struct task_timer timer;
	struct task_call *call;              /* under way */
	/* an agent */
	struct task_child child;
	struct val input;
	char *child_key;
	bool child_open;
	/* a page */
	struct task_http http;
	char *url;
	bool http_open;
};

/* How it ended: it may be called again. */
void use_heard(struct task_use *u, const struct call_end *end);
/* May a page or an agent be asked twice? */
bool use_may_repeat(const struct task_use *u);
/* Tells the listeners of the run that the call begins; one of them may stop it (u->ended). */
void use_tell_start(struct task_use *u);

void use_agent(struct task_use *u);          /* begins; both may end at once */
void use_page(struct task_use *u);

#endif
