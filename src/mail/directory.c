/*
 * directory.c - agents by id and by name; addresses.  See directory_priv.h for the locks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/directory_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ID_PARTS    64                       /* also bounds how long a table that grows keeps
                                                others waiting */
#define BOOK_PARTS  16
#define NEAR_SHOWN  3
#define WORDS_BYTES 100                      /* of an address in an error */

struct part {
	_Alignas(64) pthread_mutex_t lock;
	struct map map;
};

struct mail_directory {
	struct part ids[ID_PARTS], books[BOOK_PARTS];
};

/* ---- tables ------------------------------------------------------------------------ */

static uint64_t
id_hash(const void *key)
{
	return ((const struct id_key *)key)->hash;
}

static bool
id_eq(const void *value, const void *key)
{
	return uuid_eq(&((const struct entry *)value)->key.id, &((const struct id_key *)key)->id);
}

static const void *
id_key_of(const void *value)
{
	return &((const struct entry *)value)->key;
}

static uint64_t
name_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
name_eq(const void *value, const void *key)
{
	return str_eq(((const struct entry *)value)->name, *(const struct str *)key);
}

static const void *
name_of(const void *value)
{
	return &((const struct entry *)value)->name;
}

/* Owners are row numbers, one after the other. */
static uint64_t
owner_hash(const void *key)
{
	return (uint64_t)*(const mail_owner *)key * UINT64_C(0x9e3779b97f4a7c15) >> 32;
}

static bool
owner_eq(const void *value, const void *key)
{
	return ((const struct book *)value)->owner == *(const mail_owner *)key;
}

static const void *
owner_of(const void *value)
{
	return &((const struct book *)value)->owner;
}

struct mail_directory *
mail_directory_new(void)
{
	struct mail_directory *d = aligned_alloc(64, sizeof *d);

	assert(d != NULL);
	memset(d, 0, sizeof *d);
	for (size_t i = 0; i < ID_PARTS; i++) {
		pthread_mutex_init(&d->ids[i].lock, NULL);
		map_init(&d->ids[i].map, id_hash, id_eq, id_key_of);
	}
	for (size_t i = 0; i < BOOK_PARTS; i++) {
		pthread_mutex_init(&d->books[i].lock, NULL);
		map_init(&d->books[i].map, owner_hash, owner_eq, owner_of);
	}
	return d;
}

/* ---- parts and books ------------------------------------------------------------------ */

static struct id_key
key_of(const struct uuid *id)
{
	return (struct id_key){ *id, uuid_hash(id) };
}

static struct part *
ids_lock(struct mail_directory *d, const struct id_key *key)
{
	struct part *part = &d->ids[key->hash >> 58];

	_Static_assert(ID_PARTS == 1 << (64 - 58), "the highest bits choose the part");
	pthread_mutex_lock(&part->lock);
	return part;
}

static struct part *
books_lock(struct mail_directory *d, mail_owner owner)
{
	struct part *part = &d->books[(uint64_t)owner % BOOK_PARTS];

	pthread_mutex_lock(&part->lock);
	return part;
}

static void
part_unlock(struct part *part)
{
	if (part != NULL)
		pthread_mutex_unlock(&part->lock);
}

static struct book *
book_get(struct part *part, mail_owner owner)
{
	struct book *b = map_get(&part->map, &owner);

	if (b != NULL)
		return b;
	b = mem_new(struct book);
	b->owner = owner;
	map_init(&b->names, name_hash, name_eq, name_of);
	pools_init(&b->pools);
	list_init(&b->named);
	list_init(&b->all_pools);
	map_put(&part->map, b);
	return b;
}

static void
book_drop(struct part *part, struct book *b)
{
	if (b->names.n + b->pools.n > 0)
		return;
	map_take(&part->map, &b->owner);
	map_release(&b->names);
	map_release(&b->pools);
	free(b);
}

/* Does its owner's book have it? */
static bool
is_in_book(const struct entry *x)
{
	return x->name.n + x->providers_n > 0;
}

static void
book_leave(struct part *part, struct entry *x)
{
	struct book *b = map_get(&part->map, &x->owner);

	providers_leave(b, x);
	if (x->name.n > 0) {
		map_take(&b->names, &x->name);
		list_remove(&x->named);
	}
	book_drop(part, b);
}

void
mail_directory_free(struct mail_directory *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < ID_PARTS; i++) {
		struct entry *x;
		size_t at = 0;

		while ((x = map_each(&d->ids[i].map, &at)) != NULL) {
			if (is_in_book(x))
				book_leave(&d->books[(uint64_t)x->owner % BOOK_PARTS], x);
			free(x);
		}
		map_release(&d->ids[i].map);
		pthread_mutex_destroy(&d->ids[i].lock);
	}
	for (size_t i = 0; i < BOOK_PARTS; i++) {
		map_release(&d->books[i].map);
		pthread_mutex_destroy(&d->books[i].lock);
	}
	free(d);
}

/* ---- entries ----------------------------------------------------------------------------- */

static bool
is_group(struct str address)
{
	return str_starts(address, S("cap:")) || str_starts(address, S("all:"));
}

static int
name_check(struct str name, struct err *e)
{
	struct uuid id;

	if (uuid_parse(name, &id))
		return err_set(e, ERR_INVALID, "name: expected a name, got the id %.*s", FMT(name));
	if (is_group(name))
		return err_set(e, ERR_INVALID,
		    "name: \"%.4s\" begins an address by capability, not a name", name.p);
	return OK;
}

static struct entry *
entry_new(const struct mail_entry *from, size_t providers)
{
	size_t size = sizeof(struct entry) + providers * sizeof(struct provider);
	struct entry *x = mem_alloc(size + from->name.n + 1);
	char *name = (char *)x + size;

	*x = (struct entry){ .key = key_of(&from->id), .owner = from->owner, .ref = from->ref,
		.state = from->state, .name = { name, from->name.n } };
	if (from->name.n > 0)
		memcpy(name, from->name.p, from->name.n);
	name[from->name.n] = '\0';
	return x;
}

/* Into its owner's book.  ERR_CONFLICT: the name is taken. */
static int
book_join(struct part *part, struct entry *x, const struct mail_entry *from, struct err *e)
{
	struct book *b = book_get(part, x->owner);

	if (x->name.n > 0 && map_get(&b->names, &x->name) != NULL)
		return err_set(e, ERR_CONFLICT, "the name \"%.*s\" is taken",
		    FMT(str_cut(x->name, WORDS_BYTES)));
	if (x->name.n > 0) {
		map_put(&b->names, x);
		list_prepend(&b->named, &x->named);
	}
	providers_join(b, x, from);
	return OK;
}

int
mail_directory_put(struct mail_directory *d, const struct mail_entry *from, struct err *e)
{
	struct part *ids, *books = NULL;
	struct entry *x;
	size_t providers;
	int rc = capabilities_check(from, &providers, e);

	if (rc == OK && from->name.n > 0)
		rc = name_check(from->name, e);
	if (rc < 0)
		return rc;
	x = entry_new(from, providers);
	ids = ids_lock(d, &x->key);
	if (map_get(&ids->map, &x->key) != NULL) {
		rc = err_set(e, ERR_CONFLICT, "the id is taken");
	} else if (x->name.n + providers > 0) {
		books = books_lock(d, x->owner);
		rc = book_join(books, x, from, e);
	}
	if (rc == OK)
		map_put(&ids->map, x);
	else
		free(x);
	part_unlock(books);
	part_unlock(ids);
	return rc;
}

void
mail_directory_remove(struct mail_directory *d, mail_owner o, const struct uuid *id)
{
	mail_directory_remove_if(d, o, id, NULL);
}

void
mail_directory_remove_if(struct mail_directory *d, mail_owner o, const struct uuid *id,
    bool (*only)(struct mail_ref at))
{
	struct id_key key = key_of(id);
	struct part *ids = ids_lock(d, &key), *books = NULL;
	struct entry *x = map_get(&ids->map, &key);

	if (x != NULL && x->owner == o && (only == NULL || only(x->ref))) {
		map_take(&ids->map, &key);
		if (is_in_book(x)) {
			books = books_lock(d, o);
			book_leave(books, x);
		}
		free(x);
	}
	part_unlock(books);
	part_unlock(ids);
}

/* Where an agent is in its pools follows from its state and load. */
static void
entry_move(struct mail_directory *d, struct entry *x, enum mail_state state, uint8_t load)
{
	struct part *books = books_lock(d, x->owner);

	providers_unplace(x);
	x->state = state;
	x->load = load;
	providers_place(x);
	part_unlock(books);
}

void
mail_directory_set_state(struct mail_directory *d, const struct uuid *id, enum mail_state s)
{
	struct id_key key = key_of(id);
	struct part *ids = ids_lock(d, &key);
	struct entry *x = map_get(&ids->map, &key);

	if (x != NULL && x->state != s)
		entry_move(d, x, s, x->load);
	part_unlock(ids);
}

void
mail_directory_load(struct mail_directory *d, const struct uuid *id, uint32_t waiting)
{
	struct id_key key = key_of(id);
	struct part *ids = ids_lock(d, &key);
	struct entry *x = map_get(&ids->map, &key);
	unsigned load = waiting == 0 ? 0 : 32 - (unsigned)__builtin_clz(waiting);

	if (load >= LOADS)
		load = LOADS - 1;
	if (x != NULL && x->load != load)
		entry_move(d, x, x->state, (uint8_t)load);
	part_unlock(ids);
}

/* ---- look-ups ------------------------------------------------------------------------------- */

int
mail_directory_id(struct mail_directory *d, mail_owner o, const struct uuid *id,
    struct mail_ref *out)
{
	struct id_key key = key_of(id);
	struct part *ids = ids_lock(d, &key);
	const struct entry *x = map_get(&ids->map, &key);
	int rc = x != NULL && x->owner == o ? OK : ERR_NOTFOUND;

	if (rc == OK)
		*out = x->ref;
	part_unlock(ids);
	return rc;
}

void
mail_directory_name(struct mail_directory *d, mail_owner o, const struct uuid *id,
    struct buf *out)
{
	struct id_key key = key_of(id);
	struct part *ids = ids_lock(d, &key);
	const struct entry *x = map_get(&ids->map, &key);

	if (x != NULL && x->owner == o)
		buf_add(out, x->name);
	part_unlock(ids);
}

int
mail_directory_find(struct mail_directory *d, mail_owner o, struct str id_or_name,
    struct uuid *id, struct mail_ref *out)
{
	const struct entry *x = NULL;
	const struct book *b;
	struct part *books;

	if (uuid_parse(id_or_name, id))
		return mail_directory_id(d, o, id, out);
	books = books_lock(d, o);
	b = map_get(&books->map, &o);
	if (b != NULL)
		x = map_get(&b->names, &id_or_name);
	if (x != NULL) {
		*id = x->key.id;
		*out = x->ref;
	}
	part_unlock(books);
	return x != NULL ? OK : ERR_NOTFOUND;
}

/* ---- near matches ------------------------------------------------------------------------------ */

/* The nearest few, the nearest first; none that is clearly farther than the first. */
struct near {
	struct str word;
	const char *best[NEAR_SHOWN];
	unsigned distance[NEAR_SHOWN];
	size_t n, tried;
};

static void
near_insert(struct near *n, const char *name, unsigned distance)
{
	size_t at = n->n;

	while (at > 0 && n->distance[at - 1] > distance)
		at--;
	if (at == NEAR_SHOWN)
		return;
	n->n += n->n < NEAR_SHOWN;
	for (size_t i = n->n - 1; i > at; i--) {
		n->best[i] = n->best[i - 1];
		n->distance[i] = n->distance[i - 1];
	}
	n->best[at] = name;
	n->distance[at] = distance;
	while (n->distance[n->n - 1] > n->distance[0] + 1)
		n->n--;
}

/* false: enough were tried. */
static bool
near_try(struct near *n, const char *name)
{
	struct str_near one = { .word = n->word };

	str_near_try(&one, name);
	if (one.best != NULL)
		near_insert(n, name, one.distance);
	return ++n->tried < LIMIT_MAIL_NEAR;
}

/* `; did you mean "PREFIX..." or "..."?` */
static void
near_words(const struct near *n, struct str prefix, char *out, size_t size)
{
	static const char *const before[] = { "; did you mean ", ", ", " or " };
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n->n && at < size; i++) {
		const char *join = before[i == 0 ? 0 : i + 1 < n->n ? 1 : 2];

		at += (size_t)snprintf(out + at, size - at, "%s\"%.*s%.*s\"%s", join, FMT(prefix),
		    FMT(str_cut(str_of(n->best[i]), WORDS_BYTES)), i + 1 == n->n ? "?" : "");
	}
}

static int
no_such_agent(struct mail_directory *d, mail_owner o, struct str name, struct err *e)
{
	struct part *books = books_lock(d, o);
	const struct book *b = map_get(&books->map, &o);
	struct near near = { .word = name };
	char words[NEAR_SHOWN * (WORDS_BYTES + 20)];

	for (const struct list *l = b != NULL ? b->named.next : NULL; l != NULL && l != &b->named;
	    l = l->next)
		if (!near_try(&near, CONTAINER_OF(l, struct entry, named)->name.p))
			break;
	near_words(&near, STR_NONE, words, sizeof words);
	part_unlock(books);
	return err_set(e, ERR_NOTFOUND, "there is no agent \"%.*s\"%s",
	    FMT(str_cut(name, WORDS_BYTES)), words);
}

/* Under the book's lock; b: NULL or the book. */
static int
nobody_can(const struct book *b, struct str prefix, struct str capability, struct err *e)
{
	struct near near = { .word = capability };
	char words[NEAR_SHOWN * (WORDS_BYTES + 20)];

	for (const struct list *l = b != NULL ? b->all_pools.next : NULL;
	    l != NULL && l != &b->all_pools; l = l->next) {
		const struct pool *pool = CONTAINER_OF(l, struct pool, in);

		if (pool->live > 0 && !near_try(&near, pool->key.p))
			break;
	}
	near_words(&near, prefix, words, sizeof words);
	return err_set(e, ERR_NOTFOUND, "no agent has the capability \"%.*s\"%s",
	    FMT(str_cut(capability, WORDS_BYTES)), words);
}

/* ---- addresses ------------------------------------------------------------------------------------ */

struct found { struct uuid id; struct mail_ref ref; };

static struct found
found_of(const struct entry *x)
{
	return (struct found){ x->key.id, x->ref };
}

/* Copied under the lock. */
static struct found *
pool_all(const struct pool *pool, size_t *n)
{
	struct found *all = mem_alloc(pool->live * sizeof *all);

	*n = 0;
	for (size_t i = 0; i < LOADS; i++)
		for (const struct list *l = pool->by_load[i].next; l != &pool->by_load[i]; l = l->next)
			all[(*n)++] = found_of(CONTAINER_OF(l, struct provider, in)->entry);
	assert(*n == pool->live);
	return all;
}

static int
group_resolve(struct mail_directory *d, mail_owner o, struct str address,
    void (*each)(void *ctx, const struct uuid *id, struct mail_ref ref), void *ctx, struct err *e)
{
	struct str prefix = str_sub(address, 0, 4), capability = str_sub(address, 4, address.n);
	bool is_all = str_eq(prefix, S("all:"));
	struct part *books = books_lock(d, o);
	const struct book *b = map_get(&books->map, &o);
	struct pool *pool = b != NULL ? pool_find(b, capability) : NULL;
	struct found one, *all = &one;
	size_t n = 1;
	int rc = OK;

	if (pool == NULL)
		rc = nobody_can(b, prefix, capability, e);
	else if (is_all)
		all = pool_all(pool, &n);
	else
		one = found_of(pool_next(pool));
	part_unlock(books);
	if (rc == OK)
		for (size_t i = 0; i < n; i++)
			each(ctx, &all[i].id, all[i].ref);
	if (all != &one)
		free(all);
	return rc;
}

int
mail_directory_resolve(struct mail_directory *d, mail_owner o, struct str address,
    void (*each)(void *ctx, const struct uuid *id, struct mail_ref ref), void *ctx, struct err *e)
{
	struct uuid id;
	struct mail_ref ref;

	if (is_group(address))
		return group_resolve(d, o, address, each, ctx, e);
	if (mail_directory_find(d, o, address, &id, &ref) != OK)
		return no_such_agent(d, o, address, e);
	each(ctx, &id, ref);
	return OK;
}
