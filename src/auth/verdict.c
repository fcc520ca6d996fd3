/*
 * verdict.c - see verdict_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/verdict_priv.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

struct entry {
	uint8_t mark[SHA256_SIZE];
	struct list used;                    /* of its kind, the latest last; not ASKING */
	struct verdict v;                    /* texts owned */
	struct auth_wait *waiting;
};

struct verdicts {
	pthread_mutex_t lock;                /* of all of it */
	struct map map;
	struct list good, bad;               /* YES; NO and DOWN */
	size_t good_n, bad_n, max;
	size_t asking, waiting;
};

/* A mark is a digest: any eight bytes of it are a hash. */
static uint64_t
mark_hash(const void *key)
{
	uint64_t h;

	memcpy(&h, key, sizeof h);
	return h;
}

static bool
mark_is(const void *value, const void *key)
{
	return hmac_equal(((const struct entry *)value)->mark, key, SHA256_SIZE);
}

static const void *
mark_of(const void *value)
{
	return ((const struct entry *)value)->mark;
}

struct verdicts *
verdicts_new(size_t max)
{
	struct verdicts *vs = mem_new(struct verdicts);

	pthread_mutex_init(&vs->lock, NULL);
	map_init(&vs->map, mark_hash, mark_is, mark_of);
	list_init(&vs->good);
	list_init(&vs->bad);
	vs->max = max;
	return vs;
}

static void
forget_texts(struct entry *x)
{
	free((char *)(uintptr_t)x->v.user.p);
	free((char *)(uintptr_t)x->v.claims_json.p);
	x->v.user = x->v.claims_json = STR_NONE;
}

void
verdicts_free(struct verdicts *vs)
{
	size_t at = 0;
	struct entry *x;

	if (vs == NULL)
		return;
	for (x = map_each(&vs->map, &at); x != NULL; x = map_each(&vs->map, &at)) {
		forget_texts(x);
		free(x);
	}
	map_release(&vs->map);
	pthread_mutex_destroy(&vs->lock);
	free(vs);
}

/* ---- the lists by use -------------------------------------------------------- */

static void
leave_list(struct verdicts *vs, struct entry *x)
{
	if (x->v.kind == VERDICT_ASKING)
		return;
	list_remove(&x->used);
	*(x->v.kind == VERDICT_YES ? &vs->good_n : &vs->bad_n) -= 1;
}

static void
join_list(struct verdicts *vs, struct entry *x)
{
	bool good = x->v.kind == VERDICT_YES;
	struct list *l = good ? &vs->good : &vs->bad;
	size_t *n = good ? &vs->good_n : &vs->bad_n;

	list_append(l, &x->used);
	if (++*n <= vs->max)
		return;
	x = CONTAINER_OF(l->next, struct entry, used);
	leave_list(vs, x);
	map_take(&vs->map, x->mark);
	forget_texts(x);
	free(x);
}

/* ---- questions --------------------------------------------------------------- */

bool
verdicts_find(struct verdicts *vs, const uint8_t mark[SHA256_SIZE], struct arena *arena,
    struct verdict *out)
{
	struct entry *x;

	pthread_mutex_lock(&vs->lock);
	x = map_get(&vs->map, mark);
	if (x != NULL) {
		*out = x->v;
		out->user = arena != NULL ? arena_str(arena, x->v.user) : STR_NONE;
		out->claims_json = arena != NULL ? arena_str(arena, x->v.claims_json) : STR_NONE;
		leave_list(vs, x);
		if (x->v.kind != VERDICT_ASKING)
			join_list(vs, x);
	}
	pthread_mutex_unlock(&vs->lock);
	return x != NULL;
}

static struct entry *
entry_make(struct verdicts *vs, const uint8_t mark[SHA256_SIZE])
{
	struct entry *x = mem_new(struct entry);

	memcpy(x->mark, mark, SHA256_SIZE);
	x->v.kind = VERDICT_ASKING;
	map_put(&vs->map, x);
	return x;
}

int
verdicts_ask(struct verdicts *vs, const uint8_t mark[SHA256_SIZE], struct auth_wait *w,
    bool *asks)
{
	struct entry *x;
	int rc = ERR_BUSY;

	*asks = false;
	pthread_mutex_lock(&vs->lock);
	x = map_get(&vs->map, mark);
	*asks = x == NULL || x->v.kind != VERDICT_ASKING;
	if ((!*asks || vs->asking < LIMIT_AUTH_ASKING) &&
	    (w == NULL || vs->waiting < LIMIT_AUTH_WAITING)) {
		rc = OK;
		if (x == NULL)
			x = entry_make(vs, mark);
		leave_list(vs, x);
		x->v.kind = VERDICT_ASKING;
		vs->asking += *asks;
		if (w != NULL) {
			w->next = x->waiting;
			x->waiting = w;
			vs->waiting++;
		}
	}
	pthread_mutex_unlock(&vs->lock);
	*asks = *asks && rc == OK;
	return rc;
}

static void
tell(struct shard_job *job)
{
	struct auth_wait *w = CONTAINER_OF(job, struct auth_wait, job);

	w->done(w);
}

void
waits_tell(struct auth_wait *list)
{
	struct auth_wait *next;

	for (; list != NULL; list = next) {
		next = list->next;
		list->job.run = tell;
		shard_post(list->shard, &list->job);
	}
}

static struct str
own(struct str s)
{
	return s.n > 0 ? (struct str){ mem_cstr(s), s.n } : STR_NONE;
}

void
verdicts_tell(struct verdicts *vs, const uint8_t mark[SHA256_SIZE], const struct verdict *v)
{
	struct auth_wait *waiting;
	struct entry *x;

	assert(v->kind != VERDICT_ASKING);
	pthread_mutex_lock(&vs->lock);
	x = map_get(&vs->map, mark);
	if (x == NULL) {
		x = entry_make(vs, mark);    /* known without a question */
		vs->asking++;
	}
	leave_list(vs, x);
	vs->asking -= x->v.kind == VERDICT_ASKING;
	forget_texts(x);
	x->v = *v;
	x->v.user = own(v->user);
	x->v.claims_json = own(v->claims_json);
	waiting = x->waiting;
	x->waiting = NULL;
	for (struct auth_wait *w = waiting; w != NULL; w = w->next)
		vs->waiting--;
	join_list(vs, x);
	pthread_mutex_unlock(&vs->lock);
	waits_tell(waiting);
}
