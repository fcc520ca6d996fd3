/*
 * pool_host.c - one host process: how it starts, what its bell brings, how it ends.
 *
 * The process gets nothing but its arguments, an empty environment, the rings and two bells
 * as descriptors 3, 4, 5, and its modules as texts on its stdin, which stays open: when it
 * closes, the process knows that the server is gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/pool_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/account.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define FILES     3                          /* rings and bells */
#define SAID_MAX  400                        /* bytes of its stderr in one line of the log */
#define NICE      5                          /* of the process: below the server */
#define PATIENT   5                          /* times the bound, if it gets little CPU time */
#define PATIENT_IDLE 15                      /* the same at SCHED_IDLE */

static void
check_host(const struct host *h)
{
	CHECK_MARK(h, HOST_MARK);
	assert(h->state == HOST_DEAD || list_joined(&h->in));
	assert(h->queue_at <= h->queue.n);
}

/* The end. */

static void
release(struct host *h)
{
	struct wasm_pool *p = h->pool;

	rings_release(&h->rings);
	account_give(&account_files, FILES);
	for (size_t k = 0; k < h->objects_n; k++)
		wasm_code_drop(h->objects[k]);
	free(h->objects);
	free(h->slots);
	buf_release(&h->queue);
	CHECK_END(h);
	free(h);
	pool_drop(p);
}

static void
on_closed(uv_handle_t *handle)
{
	release(handle->data);
}

static void
lose_all(struct host *h)
{
	struct list *lists[] = { &h->idle, &h->busy };
	struct loss *loss;
	struct err why;

	err_set(&why, ERR_CLOSED, "the host process ended: %s", h->why.text);
	loss = loss_new(&why);
	for (size_t k = 0; k < COUNT(lists); k++) {
		while (!list_empty(lists[k])) {
			struct wasm_instance *i = CONTAINER_OF(lists[k]->next,
			    struct wasm_instance, in);

			if (i->state == ARRIVES)
				move_orphan(i);
			else
				instance_lose(i, loss);
		}
	}
	for (size_t k = 0; k < h->slots_n && h->lives > 0; k++) {
		struct wasm_instance *i = h->slots[k].i;

		if (i != NULL && i->next == h)
			move_end(i, false, false);
	}
	assert(h->lives == 0);
	loss_drop(loss);
}

void
host_end(struct host *h, const struct err *why)
{
	enum host_state was = h->state;

	check_host(h);
	if (was == HOST_DEAD)
		return;
	h->state = HOST_DEAD;
	h->why = *why;
	if (h->quits || h->pool->stops)
		log_info("wasm", "host-end", "shard=%u group=%d", shard_id(h->pool->shard),
		    (int)(h->group - h->pool->groups));
	else
		log_warn("wasm", "host-end", "shard=%u group=%d guests=%u reason=%s",
		    shard_id(h->pool->shard), (int)(h->group - h->pool->groups), h->lives,
		    h->why.text);
	process_stop(h->process, 0);
	h->process = NULL;
	list_remove(&h->in);
	list_remove(&h->dirty);
	TALLY(h->pool->hosts, -1);
	lose_all(h);
	group_gone(h);
	uv_close((uv_handle_t *)&h->bell, on_closed);
}

void
host_break(struct host *h, const char *format, ...)
{
	va_list ap;

	if (h->broken || h->state == HOST_DEAD)
		return;
	h->broken = true;
	va_start(ap, format);
	err_vset(&h->why, ERR_IO, format, ap);
	va_end(ap);
	if (!list_joined(&h->dirty))
		list_append(&h->pool->dirty, &h->dirty);
	pool_turn(h->pool);
}

void
host_quit(struct host *h)
{
	const struct wasm_frame f = { .type = WASM_QUIT_FRAME };

	if (h->quits || h->state != HOST_LIVES)
		return;
	(void)host_send(h, &f, NULL, 0, true);
	h->quits = true;
	host_owes(h, 1);                     /* to end */
}

void
host_owes(struct host *h, int more)
{
	if (h->owes == 0 && more > 0)
		h->last_frame = shard_now(h->pool->shard);
	h->owes = h->owes + (uint32_t)more;
}

/* CPU time of the process. */
static nsec
host_cpu(const struct host *h)
{
	struct timespec t = { 0 };
	clockid_t clock;
	int id = process_id(h->process);

	if (id > 0 && clock_getcpuclockid(id, &clock) == 0)
		(void)clock_gettime(clock, &t);
	return (nsec)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* It owes something and has said nothing for long, although it had the processor for longer
 * than any call may (LIMIT_WASM_CPU_MAX_US), or waits for something: then it has no time at
 * all.  One that gets little of a busy machine is given longer. */
void
host_look(struct host *h)
{
	nsec silent = shard_now(h->pool->shard) - h->last_frame, bound, used;
	bool idle_class = h->group->idle_class;
	struct err e;

	check_host(h);
	if (h->state == HOST_DEAD || h->owes == 0)
		return;
	if (h->seen != h->last_frame) {
		h->seen = h->last_frame;
		h->seen_cpu = host_cpu(h);
		return;
	}
	bound = (h->state == HOST_STARTS ? LIMIT_WASM_START_MS : LIMIT_WASM_WEDGED_MS) * NS_PER_MS;
	if (silent < bound)
		return;
	used = host_cpu(h) - h->seen_cpu;
	if (used < bound * 5 / 8 && silent < (idle_class ? PATIENT_IDLE : PATIENT) * bound &&
	    (idle_class || used > bound / 20))
		return;
	err_set(&e, ERR_TIMEOUT, "it sent nothing for %lld ms, with work under way",
	    (long long)(silent / NS_PER_MS));
	host_end(h, &e);
}

/* Frames from it. */

/* At most that many frames; false: there are more. */
static bool
read_frames(struct host *h, size_t frames, size_t bytes, bool *rung)
{
	struct wasm_pool *p = h->pool;
	struct wasm_frame f;
	struct err e;
	size_t n = 0, took = 0;
	int rc;

	while (n < frames && took < bytes) {
		rc = ring_take(&h->rings.in, &f, &p->body);
		if (rc == ERR_AGAIN) {
			*rung = *rung && !rings_silence(&h->rings);
			if (ring_sleep(&h->rings.in))
				break;
			continue;
		}
		n++;
		took += sizeof f + f.n;
		if (rc == OK)
			rc = frame_take(h, &f, buf_str(&p->body), &e);
		else
			err_set(&e, rc, "it wrote an invalid frame into its ring");
		if (rc != OK) {
			host_break(h, "%s", e.text);
			break;
		}
		if (h->state == HOST_DEAD || h->broken)
			break;
	}
	if (n > 0)
		h->last_frame = shard_now(p->shard);
	h->empty_wakes = n > 0 ? 0 : h->empty_wakes + 1;
	if (h->empty_wakes > LIMIT_WASM_EMPTY_WAKES)
		host_break(h, "it woke the server %d times for nothing", LIMIT_WASM_EMPTY_WAKES);
	return n < frames && took < bytes;
}

/* Frames may be left for the next turn: the bell was not silenced, or is rung here again. */
static void
on_bell(uv_poll_t *bell, int status, int events)
{
	struct host *h = bell->data;
	struct wasm_pool *p = h->pool;
	struct shard *s = p->shard;
	bool rung = true;

	check_host(h);
	(void)status;
	(void)events;
	if (h->state == HOST_DEAD || h->broken)
		return;
	p->holds++;
	if (!read_frames(h, LIMIT_WASM_TURN_FRAMES, LIMIT_WASM_TURN_BYTES, &rung) && !rung)
		rings_ring(&h->rings);
	if (h->state != HOST_DEAD && h->queue.n > h->queue_at) {
		host_flush(h);
		if (host_has_room(h))
			group_work(h->group);
	}
	pool_drop(p);
	shard_event_done(s);
}

static void
on_err(void *ctx, struct str bytes)
{
	const struct host *h = ctx;

	log_warn("wasm", "host", "shard=%u text=%.*s", shard_id(h->pool->shard),
	    FMT(str_trim(str_cut(bytes, SAID_MAX))));
}

static void
on_out(void *ctx, struct str bytes)
{
	(void)bytes;
	host_break(ctx, "it wrote to its stdout, which the protocol does not use");
}

/* Frames that it wrote before its end count. */
static void
on_gone(void *ctx, const struct err *e)
{
	struct host *h = ctx;
	struct wasm_pool *p = h->pool;
	bool rung = true;

	check_host(h);
	h->process = NULL;
	p->holds++;
	if (h->state != HOST_DEAD && !h->broken)
		(void)read_frames(h, SIZE_MAX, SIZE_MAX, &rung);
	if (h->state != HOST_DEAD)
		host_end(h, h->broken ? &h->why : e);
	pool_drop(p);
}

/* The start. */

static int
tell_objects(struct host *h)
{
	struct buf list = BUF(LIMIT_PROCESS_QUEUE_BYTES);
	int rc;

	for (size_t k = 0; k < h->objects_n; k++) {
		buf_add(&list, str_of(h->objects[k]->hash));
		buf_add_char(&list, '\0');
		buf_add(&list, h->objects[k]->path);
		buf_add_char(&list, '\0');
	}
	buf_add_char(&list, '\0');
	rc = list.failed ? ERR_LIMIT : process_write(h->process, buf_str(&list));
	buf_release(&list);
	return rc;
}

static int
start(struct host *h, struct err *e)
{
	const struct wasm_pool_options *o = &h->pool->options;
	char memory[48], instances[48];
	const char *argv[] = { o->host_program, "serve", memory, instances,
		h->group->idle_class ? "--idle" : NULL, NULL };
	const char *env[] = { NULL };
	const int fds[] = { h->rings.memory, h->rings.other_bell, h->rings.bell };
	const struct process_options options = { .argv = argv, .env = env, .cwd = "/",
		.fds = fds, .fds_n = COUNT(fds), .same_session = true };
	const struct process_hooks hooks = { .out = on_out, .err = on_err, .gone = on_gone,
		.ctx = h };
	int rc;

	snprintf(memory, sizeof memory, "--memory=%zu", o->memory_max);
	snprintf(instances, sizeof instances, "--instances=%d", LIMIT_WASM_SLOTS);
	rc = process_start(&h->process, h->pool->shard, &options, &hooks, e);
	if (rc == OK && tell_objects(h) != OK)
		rc = err_set(e, ERR_LIMIT, "the list of modules cannot be sent to a host process");
	return rc;
}

static void
init(struct host *h, struct group *g, struct wasm_code *const *objects, size_t n)
{
	h->mark = HOST_MARK;
	h->pool = g->pool;
	h->group = g;
	h->state = HOST_STARTS;
	h->free_slot = h->bad_object = NOWHERE;
	h->started = shard_now(g->pool->shard);
	h->queue = BUF(LIMIT_WASM_QUEUE_MAX_BYTES);
	list_init(&h->idle);
	list_init(&h->busy);
	h->objects = mem_alloc((n + 1) * sizeof *h->objects);
	for (h->objects_n = 0; h->objects_n < n; h->objects_n++)
		h->objects[h->objects_n] = wasm_code_hold(objects[h->objects_n]);
	g->pool->holds++;
}

int
host_make(struct host **out, struct group *g, struct wasm_code *const *objects, size_t n,
    struct err *e)
{
	struct host *h;
	int rc;

	*out = NULL;
	if (!account_take(&account_files, FILES))
		return err_set(e, ERR_LIMIT, "no descriptors are free for a host process");
	h = mem_new(struct host);
	init(h, g, objects, n);
	rc = rings_new(&h->rings, LIMIT_WASM_RING_BYTES, e);
	if (rc == OK && uv_poll_init(shard_loop(g->pool->shard), &h->bell, h->rings.bell) != 0)
		rc = err_set(e, ERR_LIMIT, "the bell of a host process cannot be watched");
	if (rc != OK) {
		release(h);
		return rc;
	}
	h->bell.data = h;
	uv_poll_start(&h->bell, UV_READABLE, on_bell);
	(void)ring_sleep(&h->rings.in);
	list_append(&g->hosts, &h->in);
	TALLY(g->pool->hosts, 1);
	host_owes(h, 1);                     /* READY */
	*out = h;
	return OK;
}

int
host_new(struct host **out, struct group *g, struct wasm_code *const *objects, size_t n,
    struct err *e)
{
	struct host *h;
	int rc = host_make(out, g, objects, n, e);

	if (rc != OK)
		return rc;
	h = *out;
	rc = start(h, e);
	if (rc != OK) {
		*out = NULL;
		host_end(h, e);
		return rc;
	}
	(void)setpriority(PRIO_PROCESS, (id_t)process_id(h->process), NICE);
	log_info("wasm", "host-start", "shard=%u group=%d modules=%zu pid=%d",
	    shard_id(g->pool->shard), (int)(g - g->pool->groups), n, process_id(h->process));
	pool_watch(g->pool);
	return OK;
}
