/*
 * guest.h - an instance of a module: made, called, saved, thrown away.
 *
 *        guest_new
 *            |  guest_start / guest_restore: once
 *            v
 *          IDLE --- guest_call, guest_invoke ---> (DONE) ---> IDLE
 *            |            | GUEST_WAITS
 *            |            v
 *            |         WAITING --- guest_answer ---> (as a call)
 *            v
 *        guest_free   (after GUEST_TRAPPED nothing else is of use, but for the console)
 *
 * An operation runs guest code on a stack of its own (run.h) with the meters of its limits.
 * What the guest asks of the host goes to `struct guest_host`; STORE_GET, STORE_PUT and
 * TOOL_CALL make it wait.  In its start function, in `_initialize` and in `alloc` there are only
 * log and now_ms; the rest is GUEST_EAGAIN.
 *
 * Threads: one; all guests of a process share it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_GUEST_H
#define HOST_GUEST_H

#include "base/buf.h"
#include "wasm/abi.h"
#include "wasm/host/run.h"
#include "wasm/module.h"

struct object {                              /* a loaded module */
	const struct wasm_object *table;
	char hash[65];                       /* of the original module; empty: not told */
	struct guest *fresh;                 /* what images are differences of; NULL: not made yet */
	bool has_refs;                       /* refs was called */
};

/* Loads and binds.  ERR_INVALID: not an object of this ABI. */
int object_load(struct object *out, const char *path, const char *hash, struct err *e);

struct guest_limits {
	uint32_t allow, pages, depth, host_calls, message_bytes;
	int64_t fuel;
	nsec cpu;                            /* NEVER: no limit */
};

struct guest_cost { int64_t fuel; nsec cpu; uint32_t pages, host_calls; };

/* What host calls answer, as include/cohort_guest.h has them. */
enum guest_code {
	GUEST_ENOENT = -1, GUEST_EDENIED = -2, GUEST_EINVAL = -3, GUEST_ETOOBIG = -4, GUEST_EAGAIN = -5, GUEST_EFAIL = -6
};

enum guest_end { GUEST_DONE, GUEST_WAITS, GUEST_TRAPPED };

struct guest;

struct guest_host {
	void (*log)(void *arg, int level, struct str text);
	void (*send)(void *arg, struct str json);
	void (*reply)(void *arg, struct str json);
	void (*ask)(void *arg, enum wasm_import what, struct str name, struct str body);
};
void guests_setup(const struct guest_host *h);       /* after memories_setup and run_setup */

struct guest *guest_new(struct object *o, const struct guest_limits *limits, void *arg);
void guest_free(struct guest *g);            /* NULL is fine; also while it waits */
void guest_limit(struct guest *g, const struct guest_limits *limits);        /* of later calls */

/* DONE or TRAPPED. */
enum guest_end guest_start(struct guest *g);
/* In place of guest_start, from what guest_save made.  ERR_INVALID: it is not of this module,
 * or does not fit its limits; ERR_LIMIT: it fits them, but the account is full. */
int  guest_restore(struct guest *g, struct str image, struct err *e);
/* Appends; ERR_INVALID: it holds a reference, ERR_TOOBIG.  Not while it waits. */
int  guest_save(struct guest *g, struct buf *out, struct err *e);

enum guest_end guest_call(struct guest *g, struct str message);
/* Export n; slots as abi.h has them, good until it is done. */
enum guest_end guest_invoke(struct guest *g, uint32_t n, uint64_t *slots);
/* rc: 0 or an enum guest_code. */
enum guest_end guest_answer(struct guest *g, int32_t rc, struct str body);

bool guest_started(const struct guest *g);
bool guest_waits(const struct guest *g);
int32_t guest_result(const struct guest *g);         /* of handle_message, after DONE */
enum wasm_trap guest_trap(const struct guest *g);    /* after TRAPPED */
void guest_cost(const struct guest *g, struct guest_cost *out);      /* of the last call */
const uint8_t *guest_memory(const struct guest *g, uint32_t *pages); /* NULL: none */
struct object *guest_object(const struct guest *g);
void *guest_instance(struct guest *g);

#endif
