/*
 * farm.h - a post office with agents whose handlers are compiled: what benchmarks of
 * messages share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FARM_H
#define BENCH_FARM_H

#include "base/hist.h"
#include "bench/report.h"
#include "bench/slow.h"
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
/* The books have to balance: a check of the report; r NULL: the caller has checked them. */
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

#endif
