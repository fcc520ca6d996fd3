/*
 * fleet.h - more nodes than a machine holds, under a virtual clock: the decisions of
 * cluster/pace.h over a model of PostgreSQL.
 *
 *   fleet_node.c  what node.c and node_take.c of cluster/ do with those decisions
 *   fleet_pg.c    the database: rows of nodes, whose threads are, cores, the log
 *   fleet.c       the clock, what goes wrong when, what is counted
 *
 * A thread is *run* by the process that adopted it, until that process dies or counts its
 * lease as lost; the database says whose it is.  `twice` counts threads that were adopted
 * while another process still ran them, `stuck` those that nobody runs at the end.
 *
 * The same options give the same result: all that is random comes from the seed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "base/clock.h"
#include "base/rc.h"

/* What happens ten seconds after the start.  `kill` is how many nodes it happens to. */
#define FLEET_MAP(X)                                                           \
	X(STEADY,  "steady",  "nothing")                                       \
	X(ONE,     "one",     "a node dies")                                   \
	X(TENTH,   "tenth",   "--kill nodes die at once")                      \
	X(CUT,     "cut",     "--kill nodes do not reach PostgreSQL for three leases") \
	X(AWAY,    "away",    "PostgreSQL is away for three leases")           \
	X(ROLLING, "rolling", "all nodes are restarted, a hundredth at a time")

enum fleet_scenario {
#define X(name, text, what) FLEET_##name,
	FLEET_MAP(X)
#undef X
	FLEET_SCENARIOS
};
extern const char *const fleet_names[];      /* by value */
extern const char *const fleet_texts[];      /* what happens */

struct fleet_options {
	enum fleet_scenario scenario;
	int64_t nodes, threads, kill;
	msec lease;
	int64_t cores;                       /* of PostgreSQL */
	int64_t connections;                 /* of a node */
	nsec flush, trip;                    /* of its log; from a node and back */
	uint64_t seed;
};

struct fleet_load {                          /* a second */
	double statements, rows, commits, cores;
};

struct fleet_result {
	struct fleet_load mean, peak;        /* from then on; of the busiest second */
	double messages;                     /* of NATS, in the busiest second */
	double saturated, saturated_longest; /* s in which work waited for a core */
	double beat_max;                     /* ms, of a renewal that succeeded */
	double beat_late;                    /* ms that was left of the lease, at the least */
	int64_t lost;                        /* leases of nodes that nothing had happened to */
	int64_t joined;
	int64_t moved;                       /* threads taken over */
	int64_t counted;                     /* of nodes that were marked as lost: that may have
	                                        been the run's last attempt */
	double takeover_max, takeover_p50;   /* s until a thread is run again */
	int64_t stuck, twice;
	double settled;                      /* s until all is as it should be; < 0: never */
	int64_t events;
	uint64_t hash;                       /* of all that happened, in order */
};

void fleet_run(const struct fleet_options *o, struct fleet_result *out);

#endif
