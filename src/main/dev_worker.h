/*
 * dev_worker.h - the worker of `cohort dev`: a child process that serves the graphs of a
 * project in one language, started again when its files change.
 *
 *            start, restart            exits by itself
 *   NONE ----------------------> ON -------------------> NONE (told)
 *                                 | restart, stop: SIGTERM
 *                                 v
 *                                OLD: ends what it does, then it is gone
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_DEV_WORKER_H
#define MAIN_DEV_WORKER_H

#include "base/rc.h"
#include "main/langgraph_json.h"

struct dev_worker;
struct shard;

struct dev_worker_spec {
	struct shard *shard;
	enum code_lang lang;
	const char *folder;                  /* of the project; whole paths */
	const char *file;                    /* its langgraph.json, */
	bool program;                        /* or a program that serves by itself */
	const char *url;                     /* of the server */
	int64_t runs;                        /* at once; 0: as the client has it */
	/* The present one has ended by itself; how: words. */
	void (*fell)(void *ctx, const char *how);
	void (*gone)(void *ctx);             /* after dev_worker_stop: none lives any more */
	void *ctx;
};

/* Texts are copied.  ERR_NOTFOUND: its client is nowhere. */
int  dev_worker_new(struct dev_worker **out, const struct dev_worker_spec *s, struct err *e);
const char *dev_worker_name(enum code_lang lang);    /* "js" */
const char *dev_worker_client(const struct dev_worker *w);   /* where it is from */
/* A new process; the one of before ends what it does. */
void dev_worker_start(struct dev_worker *w);
/* All end; gone follows, later.  False: there is none. */
bool dev_worker_stop(struct dev_worker *w);
void dev_worker_kill(struct dev_worker *w);
void dev_worker_free(struct dev_worker *w);  /* NULL: nothing; kills */

#endif
