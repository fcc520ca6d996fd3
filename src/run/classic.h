/*
 * classic.h - the classic wire: a run's events as frames of stream modes.
 *
 * Every mode the run has is served from the same events; a frame is made when
 * somebody reads its mode, or will be able to, and shared by all who do.  What
 * nobody reads is counted.  Without `subgraphs` only the root's events are
 * frames, but for `lifecycle`, whose names always have a namespace, and `events`,
 * which tells of all that runs.  Names of `messages` have the node's namespace,
 * others the graph's.
 *
 * Threads: the home shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_CLASSIC_H
#define RUN_CLASSIC_H

#include <stdatomic.h>

#include "run/event.h"
#include "run/stream_priv.h"

/* What frames say of their run; the texts must outlive the encoder. */
struct classic_run {
	struct uuid thread_id, run_id;       /* thread zero: none */
	struct str members;                  /* run_members_write, with the thread's id */
	struct str task_members;             /* the same without it */
	struct str configurable;             /* members of config.configurable; or empty */
	struct str tags;                     /* config.tags, an array; empty: [] */
	int64_t recursion_limit;
	bool subgraphs;
};

struct classic_answer;
struct classic_graph;

struct classic {
	struct classic_run run;
	struct stream *stream;
	atomic_ullong *told;                 /* counts events of modes that the run
	                                        has; NULL: nobody counts */
	struct classic_answer *answers;      /* that stream; a list */
	struct classic_graph *graphs;        /* that run, in mode events */
	size_t graphs_n, graphs_cap;
};

void classic_init(struct classic *c, const struct classic_run *run,
    struct stream *s, atomic_ullong *told);
void classic_release(struct classic *c);

void classic_tell(struct classic *c, const struct run_event *ev);

/* All of c->run but its ids, and the run's modes, as a value; and back: *run's texts
 * lie in facts.  False: they are not such. */
struct val classic_facts(const struct classic *c);
bool classic_facts_read(struct val facts, struct classic_run *run, unsigned *modes);

/* Are deltas of answers worth asking a model for? */
bool classic_wants_deltas(const struct classic *c);

#endif
