/*
 * pool_send.c - frames to a host process, and the numbers of its instances.
 *
 * What finds no room in the ring waits in a queue, in order.  Its bound stops new calls and
 * new instances; answers and what ends instances go over it, up to a second bound, past
 * which the process is killed: it has not read for long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/pool_priv.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static void
show_later(struct host *h)
{
	if (!list_joined(&h->dirty))
		list_append(&h->pool->dirty, &h->dirty);
	pool_turn(h->pool);
}

bool
host_has_room(const struct host *h)
{
	return h->queue.n - h->queue_at < LIMIT_WASM_QUEUE_BYTES;
}

static int
enqueue(struct host *h, const struct wasm_frame *f, const struct str *parts, size_t n, bool must)
{
	struct wasm_frame head = *f;
	size_t total = 0;

	if (!must && !host_has_room(h))
		return ERR_BUSY;
	for (size_t k = 0; k < n; k++)
		total += parts[k].n;
	if (total > LIMIT_WASM_FRAME_BYTES)
		return ERR_TOOBIG;
	head.n = (uint32_t)total;
	buf_add(&h->queue, (struct str){ (const char *)&head, sizeof head });
	for (size_t k = 0; k < n; k++)
		buf_add(&h->queue, parts[k]);
	if (h->queue.failed) {
		host_break(h, "it reads nothing: more than %d bytes wait for it",
		    LIMIT_WASM_QUEUE_MAX_BYTES);
		return ERR_CLOSED;
	}
	return OK;
}

int
host_send(struct host *h, const struct wasm_frame *f, const struct str *parts, size_t n,
    bool must)
{
	int rc = ERR_AGAIN;

	if (h->state == HOST_DEAD || h->broken)
		return ERR_CLOSED;
	if (h->queue.n == h->queue_at)
		rc = ring_put(&h->rings.out, f, parts, n);
	if (rc == ERR_AGAIN)
		rc = enqueue(h, f, parts, n, must);
	if (rc == ERR_INVALID) {
		host_break(h, "it wrote an invalid position into its ring");
		return ERR_CLOSED;
	}
	if (rc == OK)
		show_later(h);
	return rc;
}

/* From the queue to the ring; ERR_AGAIN: some is left. */
static int
drain(struct host *h)
{
	struct wasm_frame f;
	struct str body;
	int rc;

	while (h->queue_at < h->queue.n) {
		memcpy(&f, h->queue.p + h->queue_at, sizeof f);
		body = (struct str){ h->queue.p + h->queue_at + sizeof f, f.n };
		rc = ring_put(&h->rings.out, &f, &body, 1);
		if (rc != OK)
			return rc;
		h->queue_at += sizeof f + body.n;
	}
	h->queue_at = 0;
	buf_release(&h->queue);
	return OK;
}

static void
compact(struct host *h)
{
	if (h->queue_at < h->queue.n / 2)
		return;
	buf_drop_front(&h->queue, h->queue_at);
	h->queue_at = 0;
}

void
host_flush(struct host *h)
{
	int rc;

	if (h->state == HOST_DEAD)
		return;
	do
		rc = drain(h);
	while (rc == ERR_AGAIN && !ring_want(&h->rings.out));
	ring_flush(&h->rings.out);
	if (rc == ERR_INVALID)
		host_break(h, "it wrote an invalid position into its ring");
	else if (rc == ERR_AGAIN)
		compact(h);
}

/* Numbers. */

static void
more_slots(struct host *h)
{
	struct slot *s;

	if (h->slots_n >= LIMIT_WASM_SLOTS)
		return;
	mem_grow(h->slots, h->slots_n, h->slots_cap);
	s = &h->slots[h->slots_n];
	*s = (struct slot){ .next = NOWHERE };
	h->free_slot = (uint32_t)h->slots_n++;
}

uint32_t
host_number(struct host *h, struct wasm_instance *i)
{
	uint32_t number;

	if (h->free_slot == NOWHERE)
		more_slots(h);
	number = h->free_slot;
	if (number == NOWHERE)
		return NOWHERE;
	h->free_slot = h->slots[number].next;
	h->slots[number] = (struct slot){ .i = i, .next = NOWHERE };
	h->lives++;
	return number;
}

void
host_number_free(struct host *h, uint32_t number)
{
	struct slot *s = &h->slots[number];

	assert(number < h->slots_n);
	*s = (struct slot){ .next = h->free_slot };
	h->free_slot = number;
}
