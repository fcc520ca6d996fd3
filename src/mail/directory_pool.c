/*
 * directory_pool.c - agents by capability.
 *
 * One who says NAME:VERSION is in two pools, NAME and NAME:VERSION, so both are found by
 * one look-up.  In a pool agents are sorted by load, as a power of two; the first of the
 * lowest list goes to its end when it is chosen: least loaded, and in turn among equals,
 * at a price that does not depend on how many there are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/directory_priv.h"

#include <string.h>

/* ---- texts --------------------------------------------------------------------- */

static struct str
name_of(struct str capability)
{
	ptrdiff_t colon = str_index(capability, ':');

	return colon < 0 ? capability : str_sub(capability, 0, (size_t)colon);
}

static struct str
version_of(const struct pool *pool)
{
	return str_sub(pool->key, pool->name_n + 1, pool->key.n);
}

/* The number at *at, without zeros in front; *at is behind it. */
static struct str
number_at(struct str s, size_t *at)
{
	size_t from;

	while (*at < s.n && s.p[*at] == '0')
		++*at;
	from = *at;
	while (*at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9')
		++*at;
	return (struct str){ s.p + from, *at - from };
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* As people count: v2 is before v10, and 1.9 before 1.10. */
static int
version_cmp(struct str a, struct str b)
{
	size_t i = 0, k = 0;

	while (i < a.n && k < b.n) {
		if (is_digit(a.p[i]) && is_digit(b.p[k])) {
			struct str x = number_at(a, &i), y = number_at(b, &k);

			if (x.n != y.n)
				return x.n < y.n ? -1 : 1;
			if (!str_eq(x, y))
				return str_cmp(x, y);
		} else if (a.p[i++] != b.p[k++]) {
			return (uint8_t)a.p[i - 1] < (uint8_t)b.p[k - 1] ? -1 : 1;
		}
	}
	return (i < a.n) - (k < b.n);
}

static bool
said_before(const struct mail_entry *x, size_t i, bool (*same)(struct str a, struct str b))
{
	for (size_t k = 0; k < i; k++)
		if (same(x->capabilities[k], x->capabilities[i]))
			return true;
	return false;
}

static bool
same_name(struct str a, struct str b)
{
	return str_eq(name_of(a), name_of(b));
}

int
capabilities_check(const struct mail_entry *x, size_t *providers_n, struct err *e)
{
	*providers_n = 0;
	if (x->capabilities_n > LIMIT_MAIL_CAPABILITIES)
		return err_set(e, ERR_LIMIT, "%zu capabilities; at most %d", x->capabilities_n,
		    LIMIT_MAIL_CAPABILITIES);
	for (size_t i = 0; i < x->capabilities_n; i++) {
		struct str c = x->capabilities[i], name = name_of(c);

		if (name.n == 0 || c.n == name.n + 1)
			return err_set(e, ERR_INVALID,
			    "capabilities[%zu]: expected NAME or NAME:VERSION, got \"%.*s\"", i, FMT(c));
		if (said_before(x, i, str_eq))
			return err_set(e, ERR_INVALID, "capabilities[%zu]: \"%.*s\" is there twice", i,
			    FMT(c));
		*providers_n += (c.n > name.n) + !said_before(x, i, same_name);
	}
	return OK;
}

/* ---- pools ------------------------------------------------------------------------ */

static uint64_t
key_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
key_eq(const void *value, const void *key)
{
	return str_eq(((const struct pool *)value)->key, *(const struct str *)key);
}

static const void *
key_of(const void *value)
{
	return &((const struct pool *)value)->key;
}

void
pools_init(struct map *m)
{
	map_init(m, key_hash, key_eq, key_of);
}

/* The link of a name's list that is, or would be, that of this version. */
static struct pool **
version_link(struct pool *of, struct str version)
{
	struct pool **at = &of->versions;

	while (*at != NULL && version_cmp(version_of(*at), version) < 0)
		at = &(*at)->newer;
	return at;
}

/* of: the pool of the name, for one with a version. */
static struct pool *
pool_get(struct book *b, struct str key, size_t name_n, struct pool *of)
{
	struct pool *pool = map_get(&b->pools, &key);

	if (pool != NULL)
		return pool;
	pool = mem_zero(sizeof *pool + key.n + 1);
	memcpy((char *)(pool + 1), key.p, key.n);
	pool->key = (struct str){ (char *)(pool + 1), key.n };
	pool->name_n = name_n;
	for (size_t i = 0; i < LOADS; i++)
		list_init(&pool->by_load[i]);
	map_put(&b->pools, pool);
	list_append(&b->all_pools, &pool->in);
	if (of != NULL) {
		struct pool **at = version_link(of, version_of(pool));

		pool->newer = *at;
		*at = pool;
	}
	return pool;
}

static void
pool_drop(struct book *b, struct pool *pool)
{
	struct str name = str_sub(pool->key, 0, pool->name_n);

	if (pool->members > 0)
		return;
	assert(pool->versions == NULL && pool->busy == 0);
	if (name.n < pool->key.n) {
		struct pool **at = &((struct pool *)map_get(&b->pools, &name))->versions;

		while (*at != pool)
			at = &(*at)->newer;
		*at = pool->newer;
	}
	map_take(&b->pools, &pool->key);
	list_remove(&pool->in);
	free(pool);
}

static bool
can_now(const struct pool *pool)
{
	return pool != NULL && pool->live > 0;
}

struct pool *
pool_find(const struct book *b, struct str key)
{
	struct pool *pool = map_get(&b->pools, &key), *of, *older = NULL;
	struct str name = name_of(key);

	if (can_now(pool) || name.n == key.n)
		return can_now(pool) ? pool : NULL;
	of = map_get(&b->pools, &name);
	if (!can_now(of))
		return NULL;
	key = str_sub(key, name.n + 1, key.n);
	for (pool = of->versions; pool != NULL; pool = pool->newer) {
		if (!can_now(pool))
			continue;
		if (version_cmp(version_of(pool), key) > 0)
			return older != NULL ? older : pool;
		older = pool;
	}
	return older != NULL ? older : of;
}

/* ---- members ------------------------------------------------------------------------- */

static void
join(struct entry *x, struct pool *pool)
{
	pool->members++;
	x->providers[x->providers_n++] = (struct provider){ .pool = pool, .entry = x };
}

void
providers_join(struct book *b, struct entry *x, const struct mail_entry *from)
{
	for (size_t i = 0; i < from->capabilities_n; i++) {
		struct str c = from->capabilities[i], name = name_of(c);
		struct pool *of = pool_get(b, name, name.n, NULL);

		if (!said_before(from, i, same_name))
			join(x, of);
		if (c.n > name.n)
			join(x, pool_get(b, c, name.n, of));
	}
	providers_place(x);
}

void
providers_leave(struct book *b, struct entry *x)
{
	providers_unplace(x);
	/* From the end: those with a version go before the pool of their name. */
	while (x->providers_n > 0) {
		struct pool *pool = x->providers[--x->providers_n].pool;

		pool->members--;
		pool_drop(b, pool);
	}
}

void
providers_unplace(struct entry *x)
{
	for (size_t i = 0; i < x->providers_n; i++) {
		struct provider *p = &x->providers[i];

		if (!list_joined(&p->in))
			continue;
		list_remove(&p->in);
		p->pool->live--;
		if (list_empty(&p->pool->by_load[x->load]))
			p->pool->busy &= ~(1u << x->load);
	}
}

void
providers_place(struct entry *x)
{
	for (size_t i = 0; i < x->providers_n && x->state < AGENT_DRAINING; i++) {
		struct provider *p = &x->providers[i];

		list_append(&p->pool->by_load[x->load], &p->in);
		p->pool->live++;
		p->pool->busy |= 1u << x->load;
	}
}

struct entry *
pool_next(struct pool *pool)
{
	struct list *least = &pool->by_load[__builtin_ctz(pool->busy)], *first = least->next;

	list_remove(first);
	list_append(least, first);
	return CONTAINER_OF(first, struct provider, in)->entry;
}
