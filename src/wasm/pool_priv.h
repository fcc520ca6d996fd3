/*
 * pool_priv.h - the parts of a pool of host processes.
 *
 *   pool.c           the pool, its turn's end, offenders
 *   pool_instance.c  instances: what users call
 *   pool_group.c     groups: which code in which process
 *   pool_move.c      from one process to the next
 *   pool_host.c      one process: start, the bell, its end
 *   pool_send.c      frames to it: ring, queue, numbers
 *   pool_frame.c     what it says, checked
 *
 * A group's processes are its *generations*.  `current` takes new instances, `coming` loads
 * its objects, the others are left by their instances one by one.
 *
 *            HOST_STARTS --READY--> HOST_LIVES --empty and not current--> HOST_DEAD
 *                 '------ breach, exit, wedged, pool_free ------------------^
 *
 * An instance (struct wasm_instance), in the process `host` under `number`:
 *
 *   WAITS ---> STARTS ---> IDLE <---> CALLS <---> ASKS
 *     ^           |         | ^--> SAVES
 *     |           v         v
 *     |         (gone)    LEAVES ---> ARRIVES ---> IDLE, in `next`
 *     '-- never                          '-------> IDLE, where it was, if that fails
 *   any of them but WAITS --- the process is lost ---> LOST, told in a later turn
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_POOL_PRIV_H
#define WASM_POOL_PRIV_H

#include <stdatomic.h>
#include <uv.h>

#include "base/buf.h"
#include "base/list.h"
#include "net/process.h"
#include "wasm/pool.h"
#include "wasm/ring.h"

#define POOL_MARK     0x77706f6cu
#define HOST_MARK     0x77686f73u
#define INSTANCE_MARK 0x77696e73u

#define QUARANTINE  WASM_GROUPS              /* the last group */
#define GROUPS      (WASM_GROUPS + 1)
#define OFFENDERS   256                      /* remembered; the oldest is forgotten */
#define NOWHERE     UINT32_MAX

#define PART_BYTES  (256 * KB)               /* of a checkpoint, in one frame */
#define MOVES_MAX   64                       /* of one group, under way */
#define MOVES_BYTES (64 * MB)                /* held for them */

enum instance_state { WAITS, STARTS, IDLE, CALLS, ASKS, SAVES, LEAVES, ARRIVES, LOST };
enum host_state { HOST_STARTS, HOST_LIVES, HOST_DEAD };

/* A compiled module that a group uses. */
struct unit {
	struct wasm_code *code;              /* held */
	uint32_t at;                         /* place in the current process; NOWHERE */
	uint32_t users;                      /* instances */
	nsec used;                           /* when it last had a new one */
	bool bad;                            /* it could not be loaded: not again before a new one */
};

struct group {
	struct wasm_pool *pool;
	struct list hosts;                   /* struct host.in, oldest first */
	struct host *current, *coming;       /* NULL: none */
	struct list waiting;                 /* instances in WAITS */
	struct unit **units;
	size_t units_n, units_cap;
	uint32_t instances, moves;           /* moves: LEAVES and ARRIVES */
	size_t moves_bytes;
	unsigned failures;                   /* processes in a row that could not start */
	bool idle_class;                     /* SCHED_IDLE */
	bool counted;                        /* in the process's count of groups */
	bool renew;                          /* a newer object waits to be used */
	nsec empty_since, stuck_since;       /* stuck: a generation is wanted, none is free */
	struct wheel_timer soon;             /* the next generation */
	struct err why;                      /* of the last process that could not start */
};

struct slot {                                /* an agent number */
	struct wasm_instance *i;             /* NULL: free, or stopping */
	uint32_t next;                       /* free one */
	bool stopping;                       /* until GONE */
};

struct host {
	unsigned mark;
	struct wasm_pool *pool;
	struct group *group;
	struct list in, dirty;               /* group's; pool's */
	enum host_state state;
	struct process *process;
	struct rings rings;
	uv_poll_t bell;
	bool broken, quits;
	uint32_t bad_object;                 /* it could not load; NOWHERE: none */
	struct list idle, busy;              /* instances, by state */
	uint32_t lives;                      /* of both lists, and those that arrive */
	struct wasm_code **objects;          /* held */
	size_t objects_n;
	struct slot *slots;
	size_t slots_n, slots_cap;
	uint32_t free_slot, stopping;
	struct buf queue;                    /* frames that found no room in the ring */
	size_t queue_at;
	uint32_t owes;                       /* answers: START, CALL, SAVE, STOP */
	nsec last_frame, started;
	nsec seen, seen_cpu;                 /* last_frame, and its CPU time, in host_look */
	uint32_t empty_wakes;
	struct err why;                      /* of its end */
};

struct wasm_instance {
	unsigned mark;
	enum instance_state state;
	struct wasm_pool *pool;
	struct group *group;
	struct unit *unit;
	struct host *host, *next;            /* next: ARRIVES */
	uint32_t number, next_number;
	struct list in;                      /* the list of its state */
	struct wasm_hooks hooks;
	void *arg;
	int64_t owner;
	struct wasm_limits limits;           /* with the usual in place of 0 */
	uint32_t allow, said;                /* said: frames of this call */
	bool started;                        /* told */
	bool fixed;                          /* could not be moved: stays */
	bool save;                           /* asked for while it moves */
	uint64_t call;
	nsec since;                          /* of the call */
	char *held;                          /* a call that came while it moves */
	size_t held_n;
	struct buf image;                    /* to restore, or being saved */
	struct loss *loss;                   /* LOST */
};

/* How a process ended, for each of its instances; counted. */
struct loss { unsigned refs; struct err why; };

struct offender { int64_t owner; char hash[16]; unsigned n; nsec first, until; };

struct wasm_pool {
	unsigned mark;
	struct shard *shard;
	struct wasm_pool_options options;
	char *program;
	bool stops;
	struct group groups[GROUPS];
	struct list lost;                    /* instances to be told */
	struct list dirty;                   /* hosts with frames to show, or broken */
	struct shard_job turn;
	struct wheel_timer look;             /* wedged, empty, stuck */
	unsigned holds;                      /* hosts whose handles are open, and the owner */
	struct buf body;                     /* of the frame at hand */
	struct offender offenders[OFFENDERS];
	unsigned offenders_at;
	_Atomic uint64_t calls, traps[WASM_TRAPS], lost_n, moved, cpu, fuel;
	_Atomic uint32_t hosts, instances, quarantined, waiting;
};

/* Relaxed: each is written by the shard alone. */
#define TALLY(counter, n) \
	((void)atomic_fetch_add_explicit(&(counter), (n), memory_order_relaxed))

/* ---- pool.c */
void pool_drop(struct wasm_pool *p);                 /* one hold */
void pool_turn(struct wasm_pool *p);                 /* there is work for the turn's end */
void pool_watch(struct wasm_pool *p);                /* the timer runs while there are hosts */
void pool_offend(struct wasm_instance *i);
struct group *pool_group(struct wasm_pool *p, int64_t owner, const struct wasm_code *code);

/* ---- pool_instance.c */
/* From the list and count of one state to another's. */
void instance_become(struct wasm_instance *i, enum instance_state to);
/* It lives nowhere any more; its number is free, or free after GONE (stop). */
void instance_leave(struct wasm_instance *i, bool stop);
/* must: as host_send. */
int  instance_send_call(struct wasm_instance *i, struct str message, bool must);
int  instance_send_save(struct wasm_instance *i, enum instance_state to, bool must);
/* The caller's, which drops it after instance_lose of all that share it. */
struct loss *loss_new(const struct err *why);
void loss_drop(struct loss *loss);                   /* NULL: nothing */
void instance_lose(struct wasm_instance *i, struct loss *why);       /* told later; counted */
bool instance_tell_lost(struct wasm_pool *p, unsigned most);         /* true: there are more */
/* A number that is not its instance's any more. */
void instance_drop_number(struct host *h, uint32_t number, bool stop);

/* ---- pool_group.c */
void group_init(struct group *g, struct wasm_pool *p, bool idle_class);
void group_release(struct group *g);                 /* ends its processes */
void group_free_units(struct group *g);              /* no instance is left */
/* May it have processes?  Groups are counted, over all shards. */
bool group_open(struct group *g);
void group_close_empty(struct group *g);             /* not counted without processes and instances */
struct unit *group_unit(struct group *g, struct wasm_code *code);
void group_add(struct group *g, struct wasm_instance *i);    /* in WAITS */
/* Starts what waits, or gets a process for it; moves what can be moved; ends what is empty. */
void group_work(struct group *g);
/* RESTORE frames of what is in its image, which is released, and START. */
void group_send_start(struct wasm_instance *i, struct host *h, uint32_t number);
void group_ready(struct host *h);
void group_gone(struct host *h);
void group_replace(struct group *g, struct wasm_code *old, struct wasm_code *now);
void group_look(struct group *g);                    /* at times */

/* ---- pool_move.c */
/* i is idle: on to the next process, if there is one and room for a move. */
void move_begin(struct wasm_instance *i);
void move_all(struct group *g);                      /* of those that are idle, what can be */
void move_saved(struct wasm_instance *i, bool possible);     /* its image is whole */
/* In `next`; or it could not: fixed, it stays where it is for good. */
void move_end(struct wasm_instance *i, bool arrived, bool fixed);
/* The old process is dead; it lives on in the next if that starts it. */
void move_orphan(struct wasm_instance *i);
void move_resume(struct wasm_instance *i);           /* sends the call, or the save, that was held */
void move_drop(struct wasm_instance *i);             /* it is freed or lost: nothing if it does not move */

/* ---- pool_host.c */
/* Without a process: for tests that are its other side. */
int  host_make(struct host **out, struct group *g, struct wasm_code *const *objects, size_t n,
    struct err *e);
int  host_new(struct host **out, struct group *g, struct wasm_code *const *objects, size_t n,
    struct err *e);
/* At the turn's end it is killed, and its instances are lost. */
void host_break(struct host *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void host_end(struct host *h, const struct err *why);
void host_quit(struct host *h);                      /* it is empty */
void host_look(struct host *h);                      /* wedged? */
void host_owes(struct host *h, int more);

/* ---- pool_send.c */
/* must: over the bound of its queue, too.  ERR_BUSY, ERR_CLOSED. */
int  host_send(struct host *h, const struct wasm_frame *f, const struct str *parts, size_t n,
    bool must);
bool host_has_room(const struct host *h);
void host_flush(struct host *h);                     /* queue to ring, and shows it */
uint32_t host_number(struct host *h, struct wasm_instance *i);       /* NOWHERE: none is free */
void host_number_free(struct host *h, uint32_t number);

/* ---- pool_frame.c */
/* OK, or ERR_INVALID with words: a breach. */
int  frame_take(struct host *h, const struct wasm_frame *f, struct str body, struct err *e);

#endif
