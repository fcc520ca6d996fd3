/*
 * room.c - large answers wait for room.
 *
 * What a handler has read for its answer is in the request's arena, so its
 * size is known before the answer is encoded.  When the process already holds
 * too much unsent output (account_output), that data is dropped, the request
 * waits in line and is handled again from the start.  So only routes that read
 * (ROUTE_READS) may wait.  Small answers never do.
 *
 *   handled --too large for now--> in line --room, and first--> handled again
 *                                    | LIMIT_ANSWER_WAIT_MS since it came
 *                                    v
 *                                   503
 *
 * The line is checked every LOOK_MS.  Once its first call has waited WANT_MS,
 * clients that read nothing are cut (net/http_room.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>

#include "base/account.h"
#include "base/mem.h"

#define LOOK_MS   20
#define WANT_MS   1000
#define AT_ONCE   4                          /* handled again at one look */

struct waiting {
	struct waiting *next;
	struct http_req *r;                  /* NULL: its client has left */
	size_t bytes;
};

static void
line_check(const struct api *a)
{
	assert((a->waiting == NULL) == (a->waiting_n == 0));
	assert((a->waiting == NULL) == (a->waiting_end == &a->waiting));
	assert(*a->waiting_end == NULL && a->waiting_n <= LIMIT_ANSWERS_WAITING);
}

static bool
has_room(size_t bytes)
{
	size_t half = account_output.capacity / 2;

	/* The largest answer may exceed a small machine's account. */
	return account_room(&account_output) >= (bytes < half ? bytes : half);
}

static void
left(struct http_req *r)
{
	struct waiting *w = r->user;

	w->r = NULL;
	r->user = NULL;                      /* for the hooks: it is no call */
	http_reply(r, 204, STR_NONE, STR_NONE, STR_NONE);
}

static void
refuse(struct call *c)
{
	call_finish(c, err_set(&c->err, ERR_BUSY, "too many large answers wait for "
	    "their readers; try again"));
}

static bool
is_late(const struct http_req *r)
{
	return shard_now(r->shard) - r->started >=
	    LIMIT_ANSWER_WAIT_MS * NS_PER_MS;
}

/* Call the handler again, or refuse. */
static void
resume(struct api *a, struct http_req *r)
{
	struct call *c;

	http_on_gone(r, NULL);
	if (!is_late(r)) {
		a->resumed = r;
		api_handle(a->shared, r);
		return;
	}
	c = arena_new(&r->arena, struct call);
	c->api = a;
	c->r = r;
	c->route = r->tag;
	r->user = c;
	refuse(c);
}

static void
look(struct wheel_timer *t)
{
	struct api *a = CONTAINER_OF(t, struct api, room_timer);
	struct waiting *w = a->waiting;
	unsigned n = 0;

	line_check(a);
	while (w != NULL && (w->r == NULL || is_late(w->r) ||
	    (n < AT_ONCE && has_room(w->bytes)))) {
		a->waiting = w->next;
		if (a->waiting == NULL)
			a->waiting_end = &a->waiting;
		a->waiting_n--;
		if (w->r != NULL) {
			n++;
			resume(a, w->r);
		}
		free(w);
		w = a->waiting;
	}
	if (w == NULL)
		return;
	if (w->r != NULL && shard_now(a->shard) - w->r->started > WANT_MS * NS_PER_MS)
		http_want_room(w->r);
	shard_timer_set(a->shard, &a->room_timer, LOOK_MS);
}

static void
wait_in_line(struct api *a, struct http_req *r, size_t bytes)
{
	struct waiting *w = mem_new(struct waiting);

	w->r = r;
	w->bytes = bytes;
	*a->waiting_end = w;
	a->waiting_end = &w->next;
	a->waiting_n++;
	/* The handler reads its data again. */
	arena_clear(&r->arena);
	r->user = w;
	http_on_gone(r, left);
	if (!wheel_armed(&a->room_timer))
		shard_timer_set(a->shard, &a->room_timer, LOOK_MS);
}

void
room_init(struct api *a)
{
	a->waiting_end = &a->waiting;
	a->room_timer.fire = look;
}

void
room_release(struct api *a)
{
	shard_timer_cancel(a->shard, &a->room_timer);
	while (a->waiting != NULL) {
		struct waiting *w = a->waiting;

		assert(w->r == NULL);        /* the listener was drained */
		a->waiting = w->next;
		free(w);
	}
}

bool
call_has_room(struct call *c)
{
	struct api *a = c->api;
	size_t bytes = c->r->arena.used;
	bool first = a->resumed == c->r;

	api_call_check(c);
	line_check(a);
	a->resumed = NULL;
	if (bytes <= LIMIT_ANSWER_LARGE_BYTES || !(c->route->flags & ROUTE_READS) ||
	    ((first || a->waiting == NULL) && has_room(bytes)))
		return true;
	if (is_late(c->r) || a->waiting_n >= LIMIT_ANSWERS_WAITING)
		refuse(c);
	else
		wait_in_line(a, c->r, bytes);
	return false;
}
