/*
 * protocol.h - the frames between a server's shard and a host process of guests.
 *
 * Two rings (ring.h), one each way.  The host process loads its objects, says WASM_READY,
 * locks itself in and from then on only reads frames.  It is not trusted: what it sends is
 * checked like anything from outside, and a breach ends it.
 *
 * An agent number is the server's; it is used again after GONE or TRAPPED.  A STOP may cross
 * a TRAPPED: GONE comes all the same.  One call an agent at a time; while it waits for an
 * ANSWER (a host call that asked the server) the host runs other agents.
 *
 * Checkpoints go in parts of at most 256 KB, of which only the last may be empty.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_PROTOCOL_H
#define WASM_PROTOCOL_H

#include <stdint.h>

#define WASM_PROTOCOL 1

/* Server to host, then host to server. */
#define WASM_FRAME_MAP(X)                                                            \
	X(START)     /* struct wasm_start_frame; answered by STARTED or TRAPPED */    \
	X(RESTORE)   /* a part of a checkpoint, before its START; a = 1: the last */  \
	X(CALL)      /* the message, JSON; answered by DONE or TRAPPED */             \
	X(ANSWER)    /* to an ASK; a = rc (0, or as cohort_guest.h has them); bytes */ \
	X(SAVE)      /* answered by SAVED ...; not while a call is under way */       \
	X(STOP)      /* answered by GONE; a call that waits is thrown away */         \
	X(QUIT)      /* the process ends; nothing follows */                          \
	X(READY)     /* a = objects loaded, b = WASM_PROTOCOL; text: what failed, or empty */ \
	X(STARTED)   /* b = nanoseconds */                                            \
	X(DONE)      /* a = result of handle_message; struct wasm_cost_frame */       \
	X(TRAPPED)   /* a = enum wasm_trap; struct wasm_cost_frame, then text; the instance is gone */ \
	X(GONE)      /* after STOP */                                                 \
	X(LOG)       /* a = level; text */                                            \
	X(SEND)      /* JSON of a message */                                          \
	X(REPLY)     /* JSON of a reply to the message of this call */                \
	X(ASK)       /* a = enum wasm_import; b = bytes of the first text; two texts */ \
	X(SAVED)     /* a part of the checkpoint; a = 1: the last; b = 1: not possible, text */
enum wasm_frame_type {
	WASM_NO_FRAME,
#define X(name) WASM_##name##_FRAME,
	WASM_FRAME_MAP(X)
#undef X
	WASM_FRAMES
};

struct wasm_frame {                          /* 32 bytes, then n bytes of body */
	uint32_t n;
	uint16_t type, zero;
	uint32_t agent;
	int32_t a;
	uint64_t b;
	uint64_t call;                       /* number of the call, from 1; 0: none */
};

struct wasm_start_frame {
	uint32_t object;                     /* place in the host's list */
	uint32_t allow;                      /* enum wasm_import, a bit each */
	uint32_t pages_max, depth_max;
	int64_t fuel;                        /* of each call, and of the start */
	uint32_t cpu_us;                     /* of each call */
	uint32_t host_calls_max;             /* of each call */
	uint32_t restore;                    /* 1: RESTORE frames came before */
	uint32_t message_max;                /* bytes: of what it is given and of what it makes */
};

struct wasm_cost_frame { int64_t fuel; uint64_t cpu_ns; uint32_t pages, host_calls; };

#endif
