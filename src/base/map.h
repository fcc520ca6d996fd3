/*
 * map.h - an open-addressing hash table from keys inside the values.
 *
 * Stores pointers; the owner of the values keeps them alive.  One table has
 * one key type, told by the two functions given to map_init.  Not
 * thread-safe.  Removing while iterating with map_each is allowed for the
 * current element only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot {
	uint64_t hash;
	void *value;                         /* NULL: never used */
};

struct map {
	struct map_slot *slots;
	size_t n, used, cap;                 /* live; live and graves; slots */
	uint64_t (*hash)(const void *key);
	bool (*eq)(const void *value, const void *key);
	const void *(*key_of)(const void *value);
};

void map_init(struct map *m, uint64_t (*hash)(const void *key),
    bool (*eq)(const void *value, const void *key),
    const void *(*key_of)(const void *value));
void map_release(struct map *m);             /* does not free the values */
void *map_get(const struct map *m, const void *key);     /* NULL if absent */
void *map_put(struct map *m, void *value);   /* returns the one it replaced */
void *map_take(struct map *m, const void *key);          /* removes, returns */

/* Iterates in no order: start with at = 0, ends with NULL. */
void *map_each(const struct map *m, size_t *at);

#endif
