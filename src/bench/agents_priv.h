/*
 * agents_priv.h - the parts of `bench agents`, and the agents that they share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_AGENTS_PRIV_H
#define BENCH_AGENTS_PRIV_H

#include "base/hist.h"
#include "bench/agents.h"
#include "bench/report.h"
#include "mail/post.h"

struct farm;

/* An agent with a compiled handler. */
struct farm_agent {
	_Alignas(64) uint64_t taken;
	struct mail_ref at;
	struct farm *farm;
};

/* A post office, its agents and what their handlers note. */
struct farm {
	struct post *post;
	struct farm_agent *agent;
	size_t n;
	uint64_t random;                     /* of farm_pick; fixed at the start */
	struct hist times;                   /* of what came, from when it was due */
	uint64_t taken;                      /* all of it, by handlers that time it */
	nsec began;
	struct slow slow;
};

/* Their handler counts. */
extern const struct mail_kind farm_counting;
/* n agents of this kind, which get a struct farm_agent; kind NULL: they count. */
void farm_open(struct farm *f, const struct mail_kind *kind, size_t n, uint32_t mailbox);
/* The books have to balance: a check of the report. */
void farm_close(struct farm *f, struct report *r);
/* One of the agents, at random. */
struct farm_agent *farm_pick(struct farm *f);
/* Delivers all that is there. */
void farm_run(struct farm *f);
/* ERR_AGAIN is an answer; anything else but OK ends the process. */
int  farm_send(struct farm *f, const struct farm_agent *from, const struct farm_agent *to,
    struct mail_text *text, enum acl_act act);

/* A message of at least so many bytes, packed; drop it. */
struct mail_text *farm_text(size_t bytes);

/* Nanoseconds of this thread's CPU since *since, which is set to now. */
nsec farm_lap(nsec *since);

/* A part fills r.  ERR_INVALID: a flag it cannot do. */
typedef int part_run(const struct agents_options *o, struct report *r, struct err *e);

part_run part_pool, part_request, part_response;   /* agents_flow.c */
part_run part_rate, part_burst;                                  /* agents_rate.c */
part_run part_batches;                                           /* agents_batch.c */
part_run part_scale, part_memory, part_cpu, part_copies, part_lookup, part_codec;        /* agents_cost.c */
part_run part_checkpoint;                                        /* agents_checkpoint.c */
part_run part_books, part_contract_net;                                          /* agents_books.c */

#endif
