/*
 * guest_priv.h - what guest.c, calls.c and image.c share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_GUEST_PRIV_H
#define HOST_GUEST_PRIV_H

#include <stdalign.h>

#include "wasm/host/guest.h"

struct guest {
	struct object *object;
	struct guest_limits limits;
	void *arg;                           /* of the host's hooks */
	struct run run;
	struct wasm_meter meter;             /* while it is not running */
	uint8_t *data;                       /* its memory; NULL: none yet */
	bool started;
	bool denied;                         /* the account, not its limits, refused it memory */
	bool open;                           /* host calls other than log and now_ms are possible */
	uint32_t host_calls;                 /* of this call */
	int64_t now_ms;                      /* of this call; 0: not asked yet */
	struct str message;                  /* of this call, until it was copied in */
	int32_t result;
	uint32_t invoke;                     /* export */
	uint64_t *slots;
	/* A host call that waits. */
	uint32_t out, out_max;               /* where its answer goes */
	int32_t answer;
	alignas(16) unsigned char instance[];
};

/* The one whose code, or whose host call, is under way. */
extern struct guest *guest_running;
extern const struct wasm_env guest_env;
extern struct guest_host guest_hooks;

/* job runs on the guest's stack, with these limits of fuel and time. */
enum guest_end guest_run(struct guest *g, void (*job)(void *arg), void *arg, int64_t fuel, nsec cpu);
/* Runs the job of a start: the CPU limit, plus the time to copy the data of the largest
 * module. */
enum guest_end guest_run_start(struct guest *g, void (*job)(void *arg), void *arg);
/* Bytes of the guest's memory; p NULL: they are not all in it. */
uint8_t *guest_bytes(const struct guest *g, uint32_t at, uint32_t n);

#endif
