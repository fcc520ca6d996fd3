/*
 * account.h - what the whole process may use of one resource, and what it
 * uses now: descriptors, bytes of request bodies, bytes of unsent output.
 *
 * A limit of one connection bounds nothing when there are 20,000 of them.
 * Whoever holds such a resource takes it from the account first and gives
 * it back with the same number; who cannot take refuses the work, or frees
 * something less useful and tries again.
 *
 * Invariant: used is the sum of what was taken and not yet given.  It may
 * exceed the capacity only through account_charge.
 *
 * Threads: any; the counters are atomic and no order with other memory is
 * promised.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_ACCOUNT_H
#define BASE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct account {
	const char *name;                    /* for logs and metrics */
	_Atomic size_t used;
	_Atomic size_t capacity;             /* SIZE_MAX until it is set */
};

extern struct account account_files;         /* open descriptors */
extern struct account account_bodies;        /* buffered request bodies, bytes */
extern struct account account_output;        /* encoded, unsent output, bytes */
extern struct account account_tls;           /* connections with TLS, bytes */
extern struct account account_mail;          /* messages that wait for agents, bytes */
extern struct account account_vectors;       /* embeddings kept for searches, bytes */

void   account_set_capacity(struct account *a, size_t capacity);
/* Takes n when used + n stays within the capacity; else changes nothing and
 * returns false. */
bool   account_take(struct account *a, size_t n);
/* Counts n that exists already, beyond the capacity if need be.  True when
 * the account is within its capacity afterwards. */
bool   account_charge(struct account *a, size_t n);
/* n was taken or charged before. */
void   account_give(struct account *a, size_t n);
size_t account_used(const struct account *a);
/* What account_take could still take. */
size_t account_room(const struct account *a);

/* Bytes of memory that this process may use: the smallest of the machine's
 * and of its control groups' limits (cgroup v2 memory.max and v1
 * memory.limit_in_bytes, the group itself and those above it). */
uint64_t account_memory_limit(void);
/* What one account may have of so much memory. */
size_t account_share(uint64_t memory, size_t most);

#endif
