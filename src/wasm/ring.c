/*
 * ring.c - see ring.h.
 *
 * Positions count bytes from the start of time, as multiples of RING_ALIGN; their place is
 * the remainder by the size, so head - tail is what is in the ring, and a header, of
 * RING_ALIGN bytes, never goes over the end.
 *
 *     tail              head              tail + size
 *       | frames to read  | room to write      |
 *
 * Sleeping is Dekker's: a side writes its flag, then looks at the other's position; the
 * other writes its position, then looks at the flag; with a full barrier between, one of
 * them sees the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/ring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"

#define RING_ALIGN 32
#define PAGE       4096

/* What each side writes is in cache lines of its own. */
struct ring_control {
	_Alignas(128) _Atomic uint64_t head; /* the writer's */
	_Atomic uint32_t starved;            /* the writer waits for room; either clears it */
	_Alignas(128) _Atomic uint64_t tail; /* the reader's */
	_Atomic uint32_t asleep;             /* the reader waits for frames; either clears it */
};
_Static_assert(sizeof(struct ring_control) <= PAGE, "one page a ring");
_Static_assert(sizeof(struct wasm_frame) == RING_ALIGN, "a header is never split");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "positions are shared between processes");

static size_t
frame_bytes(uint32_t n)
{
	return (sizeof(struct wasm_frame) + (size_t)n + RING_ALIGN - 1) & ~((size_t)RING_ALIGN - 1);
}

/* Cannot block; a count at its top is ringing already. */
static void
ring_bell(int fd)
{
	const uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof one);

	(void)n;
}

/* Life. */

static void
lay_out(struct rings *r, size_t bytes, bool server)
{
	char *base = r->map;
	struct ring_control *a = (void *)base, *b = (void *)(base + PAGE);
	char *to_host = base + 2 * PAGE, *to_server = to_host + bytes;

	r->out = (struct ring_out){ .control = server ? a : b, .size = bytes,
		.data = server ? to_host : to_server, .bell = r->other_bell };
	r->in = (struct ring_in){ .control = server ? b : a, .size = bytes,
		.data = server ? to_server : to_host, .bell = r->other_bell };
}

static int
map(struct rings *r, size_t bytes, struct err *e)
{
	r->map_bytes = 2 * (PAGE + bytes);
	r->map = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->memory, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return err_set(e, ERR_LIMIT, "no memory for the rings of a host process: %s",
		    strerror(errno));
	}
	return OK;
}

int
rings_new(struct rings *r, size_t bytes, struct err *e)
{
	int rc = OK;

	assert(bytes >= 4 * RING_NEAR && (bytes & (bytes - 1)) == 0);
	assert(frame_bytes(LIMIT_WASM_FRAME_BYTES) <= bytes / 2);
	*r = (struct rings){ .memory = -1, .bell = -1, .other_bell = -1 };
	r->memory = memfd_create("cohort-wasm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	r->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->other_bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->memory < 0 || r->bell < 0 || r->other_bell < 0 ||
	    ftruncate(r->memory, (off_t)(2 * (PAGE + bytes))) != 0 ||
	    fcntl(r->memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		rc = err_set(e, ERR_LIMIT, "no rings for a host process: %s", strerror(errno));
	if (rc == OK)
		rc = map(r, bytes, e);
	if (rc != OK) {
		rings_release(r);
		return rc;
	}
	lay_out(r, bytes, true);
	return OK;
}

int
rings_join(struct rings *r, int memory, int bell, int other_bell, struct err *e)
{
	struct stat st;
	size_t bytes;

	*r = (struct rings){ .memory = memory, .bell = bell, .other_bell = other_bell };
	if (fstat(memory, &st) != 0)
		return err_set(e, ERR_IO, "descriptor %d is no memory of rings: %s", memory,
		    strerror(errno));
	bytes = (size_t)st.st_size / 2 - PAGE;
	if (st.st_size <= 2 * PAGE || bytes < 4 * RING_NEAR || (bytes & (bytes - 1)) != 0)
		return err_set(e, ERR_INVALID, "descriptor %d has %lld bytes: rings have 8,192 and "
		    "twice a power of two", memory, (long long)st.st_size);
	if (map(r, bytes, e) != OK)
		return ERR_LIMIT;
	lay_out(r, bytes, false);
	return OK;
}

static void
close_one(int *fd)
{
	if (*fd > 0)
		close(*fd);
	*fd = -1;
}

void
rings_release(struct rings *r)
{
	if (r->map != NULL)
		munmap(r->map, r->map_bytes);
	r->map = NULL;
	close_one(&r->memory);
	close_one(&r->bell);
	close_one(&r->other_bell);
}

/* Writing. */

/* Takes the reader's position again. */
static int
look_at_tail(struct ring_out *r)
{
	uint64_t tail = atomic_load_explicit(&r->control->tail, memory_order_acquire);

	if (tail - r->tail > r->head - r->tail || tail % RING_ALIGN != 0)
		return ERR_INVALID;
	r->tail = tail;
	return OK;
}

static void
write_skip(struct ring_out *r, size_t bytes)
{
	const struct wasm_frame skip = { .type = WASM_NO_FRAME };

	if (bytes == 0)
		return;
	memcpy(r->data + r->head % r->size, &skip, sizeof skip);
	r->head += bytes;
}

/* Makes room for a frame of so many bytes at r->head. */
static int
make_room(struct ring_out *r, size_t need)
{
	size_t at = r->head % r->size, end = r->size - at, skip = need > end ? end : 0;

	if (r->shown == r->head && at > RING_NEAR) {
		if (look_at_tail(r) != OK)
			return ERR_INVALID;
		if (r->tail == r->head && end + need <= r->size)
			skip = end;
	}
	if (r->size - (r->head - r->tail) < skip + need) {
		if (look_at_tail(r) != OK)
			return ERR_INVALID;
		if (r->size - (r->head - r->tail) < skip + need)
			return ERR_AGAIN;
	}
	write_skip(r, skip);
	return OK;
}

int
ring_put(struct ring_out *r, const struct wasm_frame *f, const struct str *parts, size_t n)
{
	struct wasm_frame head = *f;
	size_t total = 0;
	char *to;
	int rc;

	for (size_t i = 0; i < n; i++) {
		if (parts[i].n > LIMIT_WASM_FRAME_BYTES - total)
			return ERR_TOOBIG;
		total += parts[i].n;
	}
	head.n = (uint32_t)total;
	rc = make_room(r, frame_bytes(head.n));
	if (rc != OK)
		return rc;
	to = r->data + r->head % r->size;
	memcpy(to, &head, sizeof head);
	to += sizeof head;
	for (size_t i = 0; i < n; i++) {
		if (parts[i].n == 0)
			continue;
		memcpy(to, parts[i].p, parts[i].n);
		to += parts[i].n;
	}
	r->head += frame_bytes(head.n);
	return OK;
}

void
ring_flush(struct ring_out *r)
{
	if (r->shown == r->head)
		return;
	r->shown = r->head;
	atomic_store_explicit(&r->control->head, r->head, memory_order_seq_cst);
	if (atomic_load_explicit(&r->control->asleep, memory_order_seq_cst) != 0 &&
	    atomic_exchange_explicit(&r->control->asleep, 0, memory_order_relaxed) != 0)
		ring_bell(r->bell);
}

bool
ring_want(struct ring_out *r)
{
	uint64_t before = r->tail;

	atomic_store_explicit(&r->control->starved, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&r->control->tail, memory_order_seq_cst) == before)
		return true;
	atomic_store_explicit(&r->control->starved, 0, memory_order_relaxed);
	return false;
}

/* Reading. */

static int
look_at_head(struct ring_in *r)
{
	uint64_t head = atomic_load_explicit(&r->control->head, memory_order_acquire);

	if (head - r->tail > r->size || head % RING_ALIGN != 0)
		return ERR_INVALID;
	r->head = head;
	return head == r->tail ? ERR_AGAIN : OK;
}

/* Rings for a writer that waits for room. */
static void
tell_room(struct ring_in *r)
{
	r->told = r->tail;
	atomic_store_explicit(&r->control->tail, r->tail, memory_order_seq_cst);
	if (atomic_load_explicit(&r->control->starved, memory_order_seq_cst) != 0 &&
	    atomic_exchange_explicit(&r->control->starved, 0, memory_order_relaxed) != 0)
		ring_bell(r->bell);
}

static void
advance(struct ring_in *r, size_t bytes)
{
	r->tail += bytes;
	r->peeked = 0;
	if (r->tail - r->told >= r->size / 4)
		tell_room(r);
	else
		atomic_store_explicit(&r->control->tail, r->tail, memory_order_release);
}

/* One read of each word: what is checked is what is used. */
static void
copy_header(struct wasm_frame *f, const char *from)
{
	const _Atomic uint64_t *words = (const void *)from;
	uint64_t copy[sizeof *f / sizeof(uint64_t)];

	for (size_t i = 0; i < COUNT(copy); i++)
		copy[i] = atomic_load_explicit(&words[i], memory_order_relaxed);
	memcpy(f, copy, sizeof *f);
}

int
ring_peek(struct ring_in *r, struct wasm_frame *f, struct str *body)
{
	size_t at, bytes;
	int rc;

	for (;;) {
		rc = r->head == r->tail ? look_at_head(r) : OK;
		if (rc != OK)
			return rc;
		at = r->tail % r->size;
		copy_header(f, r->data + at);
		if (f->type != WASM_NO_FRAME)
			break;
		if (at == 0 || r->size - at > r->head - r->tail)
			return ERR_INVALID;
		advance(r, r->size - at);
	}
	if (f->n > LIMIT_WASM_FRAME_BYTES)
		return ERR_INVALID;
	bytes = frame_bytes(f->n);
	if (bytes > r->head - r->tail || bytes > r->size - at)
		return ERR_INVALID;
	r->peeked = bytes;
	*body = (struct str){ r->data + at + sizeof *f, f->n };
	return OK;
}

void
ring_done(struct ring_in *r)
{
	assert(r->peeked > 0);
	advance(r, r->peeked);
}

int
ring_take(struct ring_in *r, struct wasm_frame *f, struct buf *body)
{
	struct str there;
	int rc = ring_peek(r, f, &there);

	if (rc != OK)
		return rc;
	buf_clear(body);
	buf_add(body, there);
	ring_done(r);
	return body->failed ? ERR_TOOBIG : OK;
}

bool
ring_sleep(struct ring_in *r)
{
	tell_room(r);
	atomic_store_explicit(&r->control->asleep, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&r->control->head, memory_order_seq_cst) == r->tail)
		return true;
	atomic_store_explicit(&r->control->asleep, 0, memory_order_relaxed);
	return false;
}

/* Bells. */

bool
rings_silence(struct rings *r)
{
	uint64_t count;

	return read(r->bell, &count, sizeof count) == (ssize_t)sizeof count;
}

void
rings_ring(struct rings *r)
{
	ring_bell(r->bell);
}

int
rings_wait(struct rings *r, int other, int ms)
{
	struct pollfd p[2] = { { .fd = r->bell, .events = POLLIN }, { .fd = other } };
	int n = poll(p, 2, ms);

	if (n == 0)
		return ERR_TIMEOUT;
	if (n > 0 && p[0].revents != 0)
		rings_silence(r);
	if (n > 0 && (p[1].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0)
		return ERR_CLOSED;
	return OK;
}
