/*
 * node.h - several nodes on one database: who is there, until when, and whose the
 * runs of a thread are.
 *
 * A *node* is one start of a server: a row with a number that no other start gets.
 * It holds a lease, which it renews (store_pulse) by the database's clock.  When the
 * lease is over any other node may mark the row, and then take the threads.  Each
 * transaction of a node's writer holds its row, so it either commits before the row
 * is marked or finds it marked: then commands of runs fail with ERR_CANCELLED, and the
 * others go on.
 *
 * A thread belongs to a node while one of its runs is under way there.  Runs that are
 * parked or held, and threads without runs, belong to nobody: whoever claims has them.
 *
 * On SQLite the node is 0 and nothing of this costs anything.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_NODE_H
#define STORE_NODE_H

#include "store/store.h"

enum { NODE_ALONE = 0, NODE_NONE = -1 };
enum { NODE_TAKE_NODES = 8 };

/* Who writes here; NODE_ALONE at first.  NODE_NONE: nobody now, since the lease is
 * lost; commands of runs fail with ERR_CANCELLED.  Any thread. */
void store_set_node(struct store *st, int64_t node);
int64_t store_node(const struct store *st);
/* Was it submitted by a node that this process is no more? */
bool store_is_late(const struct store *st, const struct store_cmd *c);
/* The last write that failed did for want of room. */
bool store_is_full(const struct store *st);

/* Whose the thread's runs are, whatever its owner; 0: nobody's, or there is no such
 * thread. */
int store_thread_node(struct store_reader *r, const struct uuid *thread_id, int64_t *node);
/* Many runs of an owner's, at once (n: LIMIT_FOREIGN_BATCH at most). */
struct store_run_news {
	owner_t owner;                       /* in */
	int64_t run_seq;
	bool gone;                           /* out: it is not there; or it is, and: */
	enum run_status status;
	int64_t node;                        /* as of store_thread_node */
	int64_t last;                        /* the number of its last event; -1 */
};
int store_runs_news(struct store_reader *r, struct store_run_news *at, size_t n);
/* The same of threads: are they there? */
struct store_thread_there {
	owner_t owner;                       /* in */
	int64_t thread_seq;
	bool there;                          /* out */
};
int store_threads_there(struct store_reader *r, struct store_thread_there *at, size_t n);

/* ---- the lease ------------------------------------------------------------ */

/* The newest format of a server's tables that this program knows.  Nodes say it in their info,
 * as the member `format`: tables are not changed to what a node that lives does not know. */
int64_t store_server_format(void);

/* A connection of its own, on a thread of its own: a busy writer delays no beat. */
struct store_pulse;
int  store_pulse_open(struct store *st, struct store_pulse **out, struct err *e);
void store_pulse_close(struct store_pulse *p);       /* accepts NULL */
/* From now for `lease` ms.  A lease that is over is renewed too if nobody has marked
 * it.  ERR_NOTFOUND: it is lost.  ERR_IO, ERR_BUSY: the database did not answer for
 * `patience`; the next beat connects again. */
int  store_pulse_beat(struct store_pulse *p, int64_t node, msec lease, nsec patience,
    struct err *e);

/* ---- commands -------------------------------------------------------------- */

/* A new row.  `before` (0: none), which this process was, is marked as one that left;
 * `dead` as lost: their processes are known to be gone.  ERR_CONFLICT: the tables are of a
 * format that nodes which know no newer one than this cannot live with. */
struct store_node_join {
	struct store_cmd cmd;
	const int64_t *dead;
	size_t dead_n;
	struct str name, address, info;      /* for people, and for other nodes */
	msec lease;
	int64_t before;
	int64_t node;                        /* out */
};

/* It takes no work any more: what it has may be taken at once, and no run is given up
 * for that. */
struct store_node_leave {
	struct store_cmd cmd;
	int64_t node;
};

/* Marks nodes whose lease is over, and takes threads of those that are marked, `limit`
 * at most, of NODE_TAKE_NODES nodes: runs that were running become pending, with one more attempt; or they end,
 * after LIMIT_RUN_ATTEMPTS, unless their node had left.  Several nodes share the work.
 * Then the rows go. */
struct store_node_take {
	struct store_cmd cmd;
	int64_t limit;
	const struct store_lost {
		int64_t thread_seq, run_seq;
	} *lost;                             /* runs of ours that are running and in */
	size_t lost_n;                       /* nobody's memory: they are taken anew */
	bool spare;                          /* marks none: only what is marked already */
	bool tidy;                           /* cancels of runs that are over go, too */
	msec now;
	struct store_taken {
		owner_t owner;
		int64_t thread_seq;
		struct uuid thread_id;
	} *taken;                            /* out: those with runs to claim */
	size_t taken_n;
	int64_t marked;                      /* out: nodes whose lease was found over */
	int64_t from;                        /* out: one of them, or one that left; or 0 */
	bool more;                           /* out: there may be others */
};

/* All that are there. */
enum node_state { NODE_LIVE, NODE_LEFT, NODE_LOST };
struct store_node_row {
	int64_t node;
	struct str name, address, info;
	enum node_state state;
	msec started, left;                  /* left: of the lease; < 0: it is over */
	int64_t threads;                     /* that are its */
};
struct store_node_list {
	struct store_cmd cmd;
	bool counts;                         /* of threads, too */
	struct store_node_row *nodes;        /* out, by number */
	size_t nodes_n;
};

/* What other nodes have written that concerns this one: runs that are to be
 * cancelled; and the runs that it should have in memory. */
struct store_node_wanted {
	struct store_cmd cmd;
	bool cancels_only;                   /* `runs` stays empty */
	int64_t after;                       /* threads behind this one */
	struct store_wanted_run {
		owner_t owner;
		struct uuid thread_id, run_id;
		bool rollback;
		struct str why;
	} *cancels;                          /* out */
	size_t cancels_n;
	struct store_under_way {
		struct store_taken thread;
		struct uuid run_id;
		int64_t run_seq;
		bool running;                /* and not parked */
	} *runs;                             /* out: of our threads, in their order, the */
	                                     /* running one first; LIMIT_NODE_RUNS at most */
	size_t runs_n;
	bool stale;                          /* out: some are of runs that are over */
};

#endif
