/*
 * map.c - linear probing with stored hashes.
 *
 * A removed entry becomes a grave, unless the next slot is empty; graves go
 * at the next rebuild.  map_take never moves an entry, so removing while
 * iterating is safe.  Live entries and graves together fill at most 3/4.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define MAP_FIRST 16

static char grave_mark;
#define GRAVE ((void *)&grave_mark)

static void
check_map(const struct map *m)
{
	assert(m->hash != NULL);
	assert(m->n <= m->used && m->used <= m->cap);
}

void
map_init(struct map *m, uint64_t (*hash)(const void *key),
    bool (*eq)(const void *value, const void *key),
    const void *(*key_of)(const void *value))
{
	*m = (struct map){ .hash = hash, .eq = eq, .key_of = key_of };
}

void
map_release(struct map *m)
{
	free(m->slots);
	map_init(m, m->hash, m->eq, m->key_of);
}

/* The slot with this key, or NULL. */
static struct map_slot *
find(const struct map *m, const void *key, uint64_t hash)
{
	size_t mask = m->cap - 1;

	if (m->n == 0)
		return NULL;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct map_slot *s = &m->slots[i];

		if (s->value == NULL)
			return NULL;
		if (s->hash == hash && s->value != GRAVE && m->eq(s->value, key))
			return s;
	}
}

/* The first slot for a key that is not in the map. */
static struct map_slot *
vacant(const struct map *m, uint64_t hash)
{
	size_t mask = m->cap - 1, i = hash & mask;

	while (m->slots[i].value != NULL && m->slots[i].value != GRAVE)
		i = (i + 1) & mask;
	return &m->slots[i];
}

/* Sized for the live entries to fill at most half. */
static void
rebuild(struct map *m)
{
	struct map old = *m;
	size_t cap = MAP_FIRST;

	while (cap < (m->n + 1) * 2)
		cap *= 2;
	m->slots = mem_zero(cap * sizeof m->slots[0]);
	m->cap = cap;
	m->used = m->n;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].value != NULL && old.slots[i].value != GRAVE)
			*vacant(m, old.slots[i].hash) = old.slots[i];
	free(old.slots);
}

void *
map_get(const struct map *m, const void *key)
{
	struct map_slot *s;

	check_map(m);
	if (m->n == 0)
		return NULL;
	s = find(m, key, m->hash(key));
	return s == NULL ? NULL : s->value;
}

void *
map_put(struct map *m, void *value)
{
	const void *key = m->key_of(value);
	uint64_t hash = m->hash(key);
	struct map_slot *s;

	check_map(m);
	assert(value != NULL);
	s = find(m, key, hash);
	if (s != NULL) {
		void *replaced = s->value;

		s->value = value;
		return replaced;
	}
	if (m->used + 1 > m->cap / 4 * 3)
		rebuild(m);
	s = vacant(m, hash);
	if (s->value == NULL)
		m->used++;
	m->n++;
	*s = (struct map_slot){ hash, value };
	return NULL;
}

void *
map_take(struct map *m, const void *key)
{
	struct map_slot *s;
	void *value;
	size_t mask = m->cap - 1, i;

	check_map(m);
	s = m->n == 0 ? NULL : find(m, key, m->hash(key));
	if (s == NULL)
		return NULL;
	value = s->value;
	s->value = GRAVE;
	m->n--;
	i = (size_t)(s - m->slots);
	if (m->slots[(i + 1) & mask].value != NULL)
		return value;
	for (; m->slots[i].value == GRAVE; i = (i - 1) & mask) {
		m->slots[i].value = NULL;
		m->used--;
	}
	return value;
}

void *
map_each(const struct map *m, size_t *at)
{
	while (*at < m->cap) {
		void *value = m->slots[(*at)++].value;

		if (value != NULL && value != GRAVE)
			return value;
	}
	return NULL;
}
