/*
 * cohort_guest.h - what a sandboxed agent of Cohort compiles against: any language that
 * makes wasm32 modules fits; this is the C form.  docs/sandbox.md tells how.
 *
 * A guest exports `memory`, `alloc` and `handle_message`.  Each message comes as JSON:
 *
 *   {"message_id", "performative", "sender", "content", "conversation_id", "reply_with",
 *    "protocol", "language", "ontology", ...}   (what it does not have is left out)
 *
 * handle_message returns 0 when the message is dealt with.  Any other value is a failure: the
 * message is given again later, or is dead.  What it sent and replied leaves when it returned 0.
 * After a failure the memory of a durable agent is as it was before the message; an agent in
 * memory keeps what the call has changed.  What was put into the store stays in any case.
 * A call has a limit of instructions and time; one that is over it, or traps, is thrown away
 * with the instance: the next message finds a new one.  Nothing calls into the guest while it
 * waits in a host call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COHORT_GUEST_H
#define COHORT_GUEST_H

#include <stdint.h>

#define COHORT_EXPORT(name) __attribute__((export_name(name), used))
#define COHORT_IMPORT(name) __attribute__((import_module("cohort"), import_name(name)))

/* Bytes for a message, good until handle_message returns. */
COHORT_EXPORT("alloc") void *alloc(uint32_t n);
COHORT_EXPORT("handle_message") int32_t handle_message(const char *message, uint32_t n);

/* Results below 0. */
enum {
	COHORT_ENOENT  = -1,                 /* there is no such thing */
	COHORT_EDENIED = -2,                 /* it is not allowed */
	COHORT_EINVAL  = -3,                 /* a pointer, a length, a text that is no JSON */
	COHORT_ETOOBIG = -4,                 /* over a limit */
	COHORT_EAGAIN  = -5,                 /* not now: a rate, a full queue */
	COHORT_EFAIL   = -6                  /* it was done, and failed; text in `out` */
};

/* Each is a capability: a module that imports one must be allowed it where it is deployed. */

/* level: 0 debug, 1 info, 2 warning, 3 error. */
COHORT_IMPORT("log") void cohort_log(int32_t level, const char *text, uint32_t n);
/* Unix time in milliseconds; the same during one call. */
COHORT_IMPORT("now_ms") int64_t cohort_now_ms(void);
/* A message, JSON: {"to": "NAME" or [...], "performative": "inform", "content": ...}; 0: it
 * leaves with this call. */
COHORT_IMPORT("send") int32_t cohort_send(const char *json, uint32_t n);
/* The answer to the message of this call: {"content": ..., "performative": "inform"}. */
COHORT_IMPORT("reply") int32_t cohort_reply(const char *json, uint32_t n);
/* A value of the agent's own, JSON: its length; at most out_cap bytes of it are in out. */
COHORT_IMPORT("store_get") int32_t cohort_store_get(const char *key, uint32_t key_n, char *out, uint32_t out_cap);
/* 0: it is on disk. */
COHORT_IMPORT("store_put") int32_t cohort_store_put(const char *key, uint32_t key_n, const char *value, uint32_t value_n);
/* A tool of the server, args as JSON: the length of its answer, as store_get. */
COHORT_IMPORT("tool_call") int32_t cohort_tool_call(const char *name, uint32_t name_n, const char *args, uint32_t args_n,
    char *out, uint32_t out_cap);

#endif
