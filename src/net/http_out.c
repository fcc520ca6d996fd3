/*
 * http_out.c - bytes that wait for the kernel: a ring of shared blocks.
 *
 * A block that others hold as well is queued by reference.  Bytes of a single
 * connection are copied into private blocks, which fill up before the next is
 * made; what is large is cut into several, so that its memory goes as it is
 * sent.  `bytes` is what is still to be sent and is what the caps look at.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define RING_FIRST 8
#define COPY_SIZE  ((size_t)4 * KB - sizeof(struct sse_block) - 16)
#define COPY_MAX   ((size_t)256 * KB - sizeof(struct sse_block) - 16)

static void
check_out(const struct out *o)
{
	assert(o->n <= o->cap && (o->cap & (o->cap - 1)) == 0);
	assert((o->n == 0) == (o->bytes == 0));
	assert(o->room == 0 || o->n > 0);
}

static struct sse_block *
block_at(const struct out *o, uint32_t i)
{
	return o->ring[(o->first + i) & (o->cap - 1)];
}

void
http_out_release(struct out *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		sse_block_drop(block_at(o, i));
	free(o->ring);
	*o = (struct out){ .waits = o->waits };
}

static void
grow(struct out *o)
{
	uint32_t cap = o->cap == 0 ? RING_FIRST : o->cap * 2;
	struct sse_block **ring = mem_alloc(cap * sizeof *ring);

	assert(cap > o->cap);
	for (uint32_t i = 0; i < o->n; i++)
		ring[i] = block_at(o, i);
	free(o->ring);
	o->ring = ring;
	o->first = 0;
	o->cap = cap;
}

void
http_out_push(struct out *o, struct sse_block *b)
{
	check_out(o);
	if (b->n == 0) {
		sse_block_drop(b);
		return;
	}
	if (o->waits)
		sse_block_charge(b);
	if (o->n == o->cap)
		grow(o);
	o->ring[(o->first + o->n++) & (o->cap - 1)] = b;
	o->bytes += b->n;
	o->room = 0;
}

/* A block of our own with n bytes, and room for more when n is little. */
static void
push_copy(struct out *o, const char *p, size_t n)
{
	size_t size = n < COPY_SIZE ? COPY_SIZE : n;
	struct sse_block *b = sse_block_alloc(size);

	if (o->waits)
		sse_block_charge(b);
	b->n = (uint32_t)n;
	memcpy(b->bytes, p, n);
	http_out_push(o, b);
	o->room = size - n;
}

void
http_out_copy(struct out *o, const char *p, size_t n)
{
	size_t fits = n < o->room ? n : o->room;
	struct sse_block *b;

	check_out(o);
	if (fits > 0) {
		b = block_at(o, o->n - 1);
		memcpy(b->bytes + b->n, p, fits);
		b->n += (uint32_t)fits;
		o->bytes += fits;
		o->room -= fits;
		p += fits;
		n -= fits;
	}
	for (; n > COPY_MAX; n -= COPY_MAX, p += COPY_MAX)
		push_copy(o, p, COPY_MAX);
	if (n > 0)
		push_copy(o, p, n);
}

/* Points iov at what comes first; the number of pieces. */
unsigned
http_out_iov(const struct out *o, uv_buf_t *iov, unsigned max, size_t *bytes)
{
	unsigned n = o->n < max ? o->n : max;

	check_out(o);
	*bytes = 0;
	for (unsigned i = 0; i < n; i++) {
		struct sse_block *b = block_at(o, i);
		size_t skip = i == 0 ? o->skip : 0;

		iov[i] = uv_buf_init(b->bytes + skip, (unsigned)(b->n - skip));
		*bytes += b->n - skip;
	}
	return n;
}

void
http_out_sent(struct out *o, size_t n)
{
	check_out(o);
	assert(n <= o->bytes);
	o->bytes -= n;
	n += o->skip;
	while (o->n > 0 && n >= block_at(o, 0)->n) {
		n -= block_at(o, 0)->n;
		sse_block_drop(block_at(o, 0));
		o->first = (o->first + 1) & (o->cap - 1);
		o->n--;
	}
	o->skip = n;
	if (o->n == 0) {
		assert(n == 0);
		o->room = 0;
		if (o->cap > RING_FIRST)
			http_out_release(o);
	}
}
