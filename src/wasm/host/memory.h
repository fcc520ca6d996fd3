/*
 * memory.h - the linear memories of guests, and the account of all that guests may touch.
 *
 * A place is 8 GiB and 64 KB of addresses: wherever an address of 32 bits and an offset of
 * 32 bits point, it is in the place, and what the guest may not touch faults.  All places
 * are reserved at once.  A memory that was given back is empty, and its place is taken first,
 * with the same pages open: a fresh instance of the same module takes no system call.
 *
 * Invariant: the account is the sum of the open pages of all memories that are taken, of
 * tables, and of what else account_take counted; it is never over its maximum.
 *
 * Threads: one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include "base/rc.h"
#include "base/str.h"

#define MEMORY_PAGE  (64 * KB)
#define MEMORY_PLACE (((size_t)8 << 30) + MEMORY_PAGE)

/* Reserves fewer places if the address space has no room for all. */
int  memories_setup(uint32_t places, size_t account_max, struct err *e);

bool account_take(size_t bytes);             /* false: too much */
void account_give(size_t bytes);
size_t account_used(void);

/* Zeroed.  NULL: no place, or too much for the account. */
uint8_t *memory_take(uint32_t pages);
bool memory_grow(uint8_t *data, uint32_t to);        /* false: as memory_take, and as it was */
void memory_clear(uint8_t *data);            /* all of it zero */
void memory_give(uint8_t *data);
uint32_t memory_pages(const uint8_t *data);

#endif
