/*
 * http_out.c - bytes that wait for the kernel: a ring of shared blocks.
 *
 * A block that others hold as well is queued by reference.  Bytes of a single
 * connection are copied into private blocks, which fill up before the next is
 * made.  `bytes` is what is still to be sent and is what the caps look at.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/http_priv.h"
#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define RING_FIRST 8
#define COPY_SIZE  ((size_t)4 * KB - sizeof(struct sse_block) - 16)

static struct sse_block *
block_at(const struct out *o, uint32_t i)
{
	return o->ring[(o->first + i) & (o->cap - 1)];
}

void
out_release(struct out *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		sse_block_drop(block_at(o, i));
	free(o->ring);
	*o = (struct out){ 0 };
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
out_push(struct out *o, struct sse_block *b)
{
	if (b->n == 0) {
		sse_block_drop(b);
		return;
	}
	if (o->n == o->cap)
		grow(o);
	o->ring[(o->first + o->n++) & (o->cap - 1)] = b;
	o->bytes += b->n;
	o->room = 0;
}

void
out_copy(struct out *o, const char *p, size_t n)
{
	size_t fits = n < o->room ? n : o->room;
	struct sse_block *b;

	if (fits > 0) {
		b = block_at(o, o->n - 1);
		memcpy(b->bytes + b->n, p, fits);
		b->n += (uint32_t)fits;
		o->bytes += fits;
		o->room -= fits;
		p += fits;
		n -= fits;
	}
	if (n == 0)
		return;
	assert(n <= UINT32_MAX);
	b = mem_alloc(sizeof *b + (n < COPY_SIZE ? COPY_SIZE : n));
	atomic_init(&b->refs, 1);
	b->n = (uint32_t)n;
	memcpy(b->bytes, p, n);
	out_push(o, b);
	o->room = n < COPY_SIZE ? COPY_SIZE - n : 0;
}

/* Points iov at what comes first; the number of pieces. */
unsigned
out_iov(const struct out *o, uv_buf_t *iov, unsigned max, size_t *bytes)
{
	unsigned n = o->n < max ? o->n : max;

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
out_sent(struct out *o, size_t n)
{
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
			out_release(o);
	}
}
