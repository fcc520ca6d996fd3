/*
 * sse.c - events to one client, on a streamed answer; and the blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/account.h"
#include "base/log.h"
#include "base/mem.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>

/* Never freed: the first reference is the program's. */
static struct sse_block heartbeat = {
	.refs = 1, .charged = 13, .n = 13, .bytes = ": heartbeat\n\n",
};

static struct sse_block bare_heartbeat = {
	.refs = 1, .charged = 12, .n = 12, .bytes = ": heartbeat\n",
};

/* Small blocks wait for the next ones of their size: each thread keeps some of
 * those it drops, until it ends. */
#define POOL_STEP   256                      /* bytes from size to size, with head */
#define POOL_SIZES  8
#define POOL_BLOCKS 16                       /* of a size */

struct spare {
	struct spare *next;
};

static _Thread_local struct {
	struct { struct spare *first; unsigned n; } of[POOL_SIZES];
	bool known;                          /* to pool_key */
} pool;
static pthread_key_t pool_key;
static pthread_once_t pool_once = PTHREAD_ONCE_INIT;

static void
pool_empty(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < POOL_SIZES; i++) {
		while (pool.of[i].first != NULL) {
			struct spare *s = pool.of[i].first;

			pool.of[i].first = s->next;
			free(s);
		}
		pool.of[i].n = POOL_BLOCKS;  /* what comes later is freed at once */
	}
}

static void
pool_begin(void)
{
	pthread_key_create(&pool_key, pool_empty);
}

static struct sse_block *
block_take(size_t bytes)
{
	size_t i = (bytes - 1) / POOL_STEP;
	struct sse_block *b;

	if (i >= POOL_SIZES) {
		b = mem_alloc(bytes);
		i = POOL_SIZES;
	} else if (pool.of[i].first == NULL) {
		b = mem_alloc((i + 1) * POOL_STEP);
	} else {
		b = (struct sse_block *)pool.of[i].first;
		pool.of[i].first = pool.of[i].first->next;
		pool.of[i].n--;
	}
	b->size = (uint32_t)i;
	return b;
}

static void
block_give(struct sse_block *b)
{
	struct spare *s = (struct spare *)b;
	size_t i = b->size;

	if (i == POOL_SIZES || pool.of[i].n >= POOL_BLOCKS) {
		free(b);
		return;
	}
	if (!pool.known) {
		pthread_once(&pool_once, pool_begin);
		pthread_setspecific(pool_key, &pool);
		pool.known = true;
	}
	s->next = pool.of[i].first;
	pool.of[i].first = s;
	pool.of[i].n++;
}

struct sse_block *
sse_block_alloc(size_t n)
{
	struct sse_block *b;

	assert(n <= UINT32_MAX);
	b = block_take(sizeof *b + n);
	atomic_init(&b->refs, 1);
	atomic_init(&b->charged, 0);
	b->n = (uint32_t)n;
	return b;
}

void
sse_block_charge(struct sse_block *b)
{
	unsigned none = 0;

	if (atomic_load_explicit(&b->charged, memory_order_relaxed) == 0 &&
	    atomic_compare_exchange_strong_explicit(&b->charged, &none, b->n,
	    memory_order_relaxed, memory_order_relaxed))
		account_charge(&account_output, b->n);
}

struct sse_block *
sse_block_new(struct str bytes)
{
	return sse_block_join(&bytes, 1);
}

struct sse_block *
sse_block_join(const struct str *parts, size_t n)
{
	struct sse_block *b;
	size_t total = 0;
	char *to;

	for (size_t i = 0; i < n; i++)
		total += parts[i].n;
	b = sse_block_alloc(total);
	to = b->bytes;
	for (size_t i = 0; i < n; i++)
		str_put(&to, parts[i]);
	return b;
}

struct sse_block *
sse_block_ref(struct sse_block *b)
{
	unsigned was = atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);

	assert(was > 0 && was < UINT_MAX);
	return b;
}

void
sse_block_drop(struct sse_block *b)
{
	unsigned was;

	assert(b != NULL);
	was = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);

	assert(was > 0);
	if (was > 1)
		return;
	was = atomic_load_explicit(&b->charged, memory_order_relaxed);
	if (was > 0)
		account_give(&account_output, was);
	block_give(b);
}

static struct sse *
sse_of(struct http_req *r)
{
	return &request_of(r)->sse;
}

/* True from sse_begin to its end, or until it was told gone. */
static void
check_sse(const struct sse *s)
{
	assert(s != NULL && s->r != NULL && s == sse_of(s->r));
	assert(s->r->streaming && !request_of(s->r)->answered);
	assert(s->gone != NULL && s->beat.fire != NULL);
}

static void
sse_flush(struct http_conn *c)
{
	struct sse *s = &c->req->sse;

	check_sse(s);
	if (s->r->head_only)
		http_out_release(&s->turn.out);
	http_turn_flush(c, &s->turn, c->req->framed);
}

static void
stop(struct sse *s)
{
	shard_timer_cancel(s->r->shard, &s->beat);
	http_out_release(&s->turn.out);
}

/* Strictly periodic: the next beat counts from the last one's due time. */
static void
set_beat(struct sse *s)
{
	nsec now = shard_now(s->r->shard), wait;
	nsec every = s->r->conn->l->hs->limits.heartbeat * NS_PER_MS;

	s->beat_at += every;
	if (s->away && s->beat_at <= now)
		s->beat_at += ((now - s->beat_at) / every + 1) * every;
	wait = (s->beat_at - now) / NS_PER_MS;
	shard_timer_set(s->r->shard, &s->beat, wait > 0 ? wait : 0);
}

/* Of a client of another node, which is up to date: that node makes the beats of a stream
 * that says nothing, and nothing goes between the two. */
static bool
leave_beat(struct sse *s, const struct sse_block *b)
{
	struct http_conn *c = s->r->conn;
	char text[HTTP_PORT_BEAT], size[20], *to = text;
	bool framed = request_of(s->r)->framed;

	if (!http_conn_is_port(c) || c->failed || s->r->head_only ||
	    sse_queued(s) > 0)
		return false;
	if (framed)
		str_put(&to, (struct str){ size, http_turn_size(size, b->n) });
	str_put(&to, (struct str){ b->bytes, b->n });
	if (framed)
		str_put(&to, S("\r\n"));
	http_port_idle(c, (struct str){ text, (size_t)(to - text) },
	    c->l->hs->limits.heartbeat);
	s->away = true;
	return true;
}

static void
on_beat(struct wheel_timer *t)
{
	struct sse *s = CONTAINER_OF(t, struct sse, beat);
	struct sse_block *b = s->bare ? &bare_heartbeat : &heartbeat;

	check_sse(s);
	if (leave_beat(s, b))
		return;
	sse_send(s, b);
	set_beat(s);
}

static void
sse_gone(struct http_req *r)
{
	struct sse *s = sse_of(r);

	check_sse(s);
	stop(s);
	s->gone(s->ctx);
	http_stream_end(r);
}

struct sse *
sse_begin(struct http_req *r, struct str extra, void (*gone)(void *ctx), void *ctx)
{
	struct sse *s = sse_of(r);
	msec beat;

	*s = (struct sse){ .r = r, .gone = gone, .ctx = ctx };
	s->beat.fire = on_beat;
	http_stream_open(r, 200, S("text/event-stream"),
	    S("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"), extra);
	http_on_gone(r, sse_gone);
	if (r->conn == NULL)
		return s;
	request_of(r)->flush = sse_flush;
	beat = r->conn->l->hs->limits.heartbeat;
	s->beat_at = shard_now(r->shard) + beat * NS_PER_MS;
	shard_timer_set(r->shard, &s->beat, beat);
	return s;
}

void
sse_beat_bare(struct sse *s)
{
	s->bare = true;
}

void
sse_trim(struct sse *s)
{
	check_sse(s);
	http_request_fit(request_of(s->r));
}

void
sse_send(struct sse *s, struct sse_block *b)
{
	struct http_conn *c = s->r->conn;

	check_sse(s);
	if (c == NULL || c->failed)
		return;
	if (s->away)
		set_beat(s);
	s->away = false;
	http_turn_push(c, &s->turn, b);
}

size_t
sse_queued(const struct sse *s)
{
	check_sse(s);
	return s->r->conn == NULL ? 0 : http_turn_queued(s->r->conn, &s->turn);
}

void
sse_when_empty(struct sse *s, void (*empty)(void *ctx))
{
	check_sse(s);
	http_turn_when_empty(request_of(s->r), empty, s->ctx);
}

static void
finish(struct sse *s, void (*end)(struct http_req *r))
{
	struct http_req *r = s->r;
	struct request *q = request_of(r);

	check_sse(s);
	if (r->conn != NULL && !r->conn->failed)
		sse_flush(r->conn);
	stop(s);
	q->r.gone = NULL;
	q->flush = NULL;
	end(r);
}

void
sse_end(struct sse *s)
{
	finish(s, http_stream_end);
}

void
sse_abort(struct sse *s)
{
	struct http_conn *c = s->r->conn;

	/* The head too: without it a client would ask for a second run. */
	if (c != NULL && !c->failed && c->out.bytes > 0)
		http_conn_send(c, NULL, 0);
	finish(s, http_stream_abort);
}

void
sse_add_frame(struct buf *b, struct str name, struct str data, int64_t id)
{
	buf_lit(b, "event: ");
	buf_add(b, name);
	buf_lit(b, "\ndata: ");
	buf_add(b, data);
	if (id >= 0) {
		buf_lit(b, "\nid: ");
		buf_add_i64(b, id);
	}
	buf_lit(b, "\n\n");
}
