/*
 * pool.h - one shard's host processes of guests, and the instances that live in them.
 *
 * Owners are spread over WASM_GROUPS groups; a group has its own processes.  A process
 * loads its objects, then locks itself in, so code that is new starts another one, the next
 * *generation* of the group, with all that is in use; idle instances move there by
 * checkpoint, and the old process ends when it is empty (at most WASM_GENERATIONS live).
 * Host processes have a lower priority than the server.  Where instances of an owner's module
 * were stopped by time or fuel LIMIT_WASM_OFFENCES times within a minute, new ones of it start
 * in the quarantine process of the shard, which runs at SCHED_IDLE.
 *
 * A process that breaks the protocol, ends, or does not answer for LIMIT_WASM_WEDGED_MS
 * is killed: its instances are lost, and each one's hooks report it.
 *
 *   wasm_instance_new --> started(OK) --> call --> done ... --> wasm_instance_free
 *        started(rc): it never was        '--> trapped, lost: it is gone; free it, or
 *                                              start another
 *
 * Threads: the shard's.  Hooks are called from the loop, never from inside a call of this
 * header, and may call everything here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_POOL_H
#define WASM_POOL_H

#include "base/wheel.h"
#include "net/shard.h"
#include "wasm/abi.h"
#include "wasm/build.h"

#define WASM_GROUPS      2
#define WASM_GENERATIONS 4

struct wasm_pool;
struct wasm_instance;

struct wasm_pool_options {
	const char *host_program;            /* path of cohort-wasm-host */
	unsigned hosts_max;                  /* groups with processes, of all shards; 0: 2 x cores */
	size_t memory_max;                   /* bytes, of one host process; 0: the usual */
	bool all_quarantine;                 /* for measuring: every host at SCHED_IDLE */
};
int  wasm_pool_new(struct wasm_pool **out, struct shard *s, const struct wasm_pool_options *o,
    struct err *e);
/* Kills its processes; NULL is fine.  No hooks are called; instances may be freed later. */
void wasm_pool_free(struct wasm_pool *p);

struct wasm_limits {                         /* 0: the usual (base/limits.h) */
	uint32_t pages, depth, cpu_us, host_calls;
	int64_t fuel;
	uint32_t message_bytes;              /* of one that it is given, or makes */
};

struct wasm_cost { int64_t fuel; nsec cpu; uint32_t pages, host_calls; };

/* A host call that waits for its answer.  Texts are good until the hook returns. */
struct wasm_ask {
	enum wasm_import what;               /* STORE_GET, STORE_PUT, TOOL_CALL */
	struct str name, body;               /* key; value.  tool; arguments */
};

struct wasm_hooks {
	void (*started)(void *arg, int rc, const struct err *e);
	/* level: 0 debug, 1 info, 2 warning, 3 error */
	void (*log)(void *arg, int level, struct str text);
	void (*send)(void *arg, struct str json);
	void (*reply)(void *arg, struct str json);
	/* Answer with wasm_instance_answer, now or later. */
	void (*ask)(void *arg, const struct wasm_ask *q);
	void (*done)(void *arg, int32_t result, const struct wasm_cost *cost);
	/* The call was stopped, or (why OTHER) the host process is gone; so is the instance. */
	void (*trapped)(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost);
	/* After wasm_instance_save: body is borrowed; rc ERR_TOOBIG, ERR_CLOSED. */
	void (*saved)(void *arg, int rc, struct str body);
};

struct wasm_instance_options {
	int64_t owner;
	struct wasm_code *code;              /* held */
	struct wasm_limits limits;
	uint32_t allow;
	struct str restore;                  /* a checkpoint of this code (any compiler), or empty; copied */
};
/* ERR_LIMIT: too many instances; ERR_BUSY: the pool stops. */
int  wasm_instance_new(struct wasm_instance **out, struct wasm_pool *p,
    const struct wasm_instance_options *o, const struct wasm_hooks *h, void *arg, struct err *e);
/* No hook any more.  NULL is fine. */
void wasm_instance_free(struct wasm_instance *i);
/* One at a time, after started; copied.  ERR_CONFLICT: one is under way, or it was not
 * started; ERR_TOOBIG; ERR_BUSY: too much waits for its process, try again in some
 * milliseconds; ERR_CLOSED. */
int  wasm_instance_call(struct wasm_instance *i, struct str message);
/* rc: 0, or a code of cohort_guest.h; body: copied. */
void wasm_instance_answer(struct wasm_instance *i, int32_t rc, struct str body);
/* Not while a call is under way: ERR_CONFLICT. */
int  wasm_instance_save(struct wasm_instance *i);
bool wasm_instance_live(const struct wasm_instance *i);
/* Newer object of the same module (gcc's): it is used when the instance next moves. */
void wasm_pool_replace(struct wasm_pool *p, struct wasm_code *old, struct wasm_code *now);

struct wasm_pool_stats {
	uint32_t hosts, instances, quarantined, waiting;
	uint64_t calls, traps[WASM_TRAPS], lost, moved;
	nsec cpu;
	uint64_t fuel;
};
/* Any thread.  p NULL: there is no program of host processes; all zero. */
void wasm_pool_stats(const struct wasm_pool *p, struct wasm_pool_stats *out);

#endif
