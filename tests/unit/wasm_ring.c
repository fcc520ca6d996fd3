/*
 * wasm_ring.c - the rings between a shard and a host process: order, room, sleep, and a
 * peer that writes what it likes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "wasm/ring.h"

/* Places in the shared memory that a hostile peer would write to. */
#define PAGE       4096
#define HEAD       0
#define TAIL       128
#define TO_SERVER  PAGE                      /* control page of the ring to the server */

static struct rings server, host;

static void
make(size_t bytes)
{
	struct err e;

	CHECK_RC(rings_new(&server, bytes, &e), OK);
	CHECK_RC(rings_join(&host, dup(server.memory), dup(server.other_bell),
	    dup(server.bell), &e), OK);
}

static void
unmake(void)
{
	rings_release(&server);
	rings_release(&host);
}

static int
put(struct ring_out *r, uint32_t agent, struct str body)
{
	struct wasm_frame f = { .type = WASM_CALL_FRAME, .agent = agent };

	return ring_put(r, &f, &body, 1);
}

static _Atomic uint64_t *
word(size_t page, size_t at)
{
	return (void *)((char *)host.map + page + at);
}

static char *
bytes_to_server(void)
{
	return (char *)host.map + 2 * PAGE + server.in.size;
}

TEST(wasm_ring_carries_frames_both_ways_in_order)
{
	struct buf body = BUF(LIMIT_WASM_FRAME_BYTES);
	struct wasm_frame f;

	make(LIMIT_WASM_RING_BYTES);
	CHECK_RC(ring_take(&host.in, &f, &body), ERR_AGAIN);
	CHECK_RC(put(&server.out, 1, S("one")), OK);
	CHECK_RC(put(&server.out, 2, STR_NONE), OK);
	CHECK_RC(ring_take(&host.in, &f, &body), ERR_AGAIN);
	ring_flush(&server.out);
	CHECK_RC(ring_take(&host.in, &f, &body), OK);
	CHECK(f.agent == 1 && f.type == WASM_CALL_FRAME && f.n == 3);
	CHECK_STR(buf_str(&body), "one");
	CHECK_RC(ring_take(&host.in, &f, &body), OK);
	CHECK(f.agent == 2 && f.n == 0 && body.n == 0);
	CHECK_RC(put(&host.out, 3, S("back")), OK);
	ring_flush(&host.out);
	CHECK_RC(ring_take(&server.in, &f, &body), OK);
	CHECK_STR(buf_str(&body), "back");
	buf_release(&body);
	unmake();
}

static size_t
resident(const char *p, size_t n)
{
	size_t pages = n / PAGE, here = 0;
	unsigned char *in = malloc(pages);

	CHECK(in != NULL && mincore((void *)p, n, in) == 0);
	for (size_t i = 0; i < pages; i++)
		here += in[i] & 1;
	free(in);
	return here * PAGE;
}

/* A ring that is read in time stays in its first pages, however much goes through. */
TEST(wasm_ring_that_is_read_takes_little_memory)
{
	static char text[1000];
	struct wasm_frame f;
	struct str body;

	make(LIMIT_WASM_RING_BYTES);
	for (int i = 0; i < 20000; i++) {
		CHECK_RC(put(&server.out, 1, (struct str){ text, sizeof text }), OK);
		ring_flush(&server.out);
		CHECK_RC(ring_peek(&host.in, &f, &body), OK);
		CHECK(f.n == sizeof text);
		ring_done(&host.in);
	}
	CHECK(resident(server.out.data, server.out.size) <= 2 * RING_NEAR);
	unmake();
}

/* Frames of all sizes go around; none is split, none is lost, a full ring says so. */
TEST(wasm_ring_goes_around_and_says_when_it_is_full)
{
	size_t sent = 0, read = 0, full = 0, seed = 7;
	char *text = mem_zero(LIMIT_WASM_FRAME_BYTES);
	struct wasm_frame f;
	struct str body;

	make(LIMIT_WASM_RING_BYTES);
	while (read < 3000) {
		size_t n;
		int rc;

		seed = seed * 1103515245 + 12345;
		n = (seed >> 16) % ((seed >> 8) % 16 == 0 ? LIMIT_WASM_FRAME_BYTES : 5000);
		memcpy(text, &sent, sizeof sent);
		rc = put(&server.out, (uint32_t)sent, (struct str){ text, n < 8 ? 8 : n });
		ring_flush(&server.out);
		if (rc == OK) {
			sent++;
			if ((seed >> 12) % 3 != 0)
				continue;
		} else {
			CHECK_RC(rc, ERR_AGAIN);
			full++;
		}
		for (int i = 0; i < 5 && ring_peek(&host.in, &f, &body) == OK; i++) {
			CHECK(f.agent == read && memcmp(body.p, &read, sizeof read) == 0);
			ring_done(&host.in);
			read++;
		}
	}
	CHECK(full > 0);
	CHECK_RC(put(&server.out, 1, (struct str){ text, LIMIT_WASM_FRAME_BYTES + 1 }), ERR_TOOBIG);
	free(text);
	unmake();
}

TEST(wasm_ring_rings_only_for_who_sleeps)
{
	struct wasm_frame f;
	struct str body;

	make(LIMIT_WASM_RING_BYTES);
	CHECK_RC(put(&server.out, 1, S("x")), OK);
	ring_flush(&server.out);
	CHECK(!rings_silence(&host));
	CHECK(!ring_sleep(&host.in));                /* something is there */
	CHECK_RC(ring_peek(&host.in, &f, &body), OK);
	ring_done(&host.in);
	CHECK(ring_sleep(&host.in));
	CHECK_RC(put(&server.out, 1, S("x")), OK);
	CHECK_RC(put(&server.out, 2, S("y")), OK);
	ring_flush(&server.out);
	CHECK_RC(rings_wait(&host, -1, 0), OK);
	CHECK_RC(put(&server.out, 3, S("z")), OK);
	ring_flush(&server.out);
	CHECK_RC(rings_wait(&host, -1, 0), ERR_TIMEOUT);
	unmake();
}

TEST(wasm_ring_rings_for_who_waits_for_room)
{
	char *text = mem_zero(LIMIT_WASM_FRAME_BYTES);
	struct wasm_frame f;
	struct str body;
	int n = 0;

	make(LIMIT_WASM_RING_BYTES);
	while (put(&host.out, 1, (struct str){ text, 100000 }) == OK)
		n++;
	ring_flush(&host.out);
	CHECK(n > 30 && ring_want(&host.out));
	CHECK(!rings_silence(&host));
	for (int i = 0; i < n / 2; i++) {
		CHECK_RC(ring_peek(&server.in, &f, &body), OK);
		ring_done(&server.in);
	}
	CHECK(rings_silence(&host));
	CHECK_RC(put(&host.out, 1, (struct str){ text, 100000 }), OK);
	free(text);
	unmake();
}

TEST(wasm_ring_waiter_hears_that_the_other_process_is_gone)
{
	int p[2];

	make(LIMIT_WASM_RING_BYTES);
	CHECK(pipe(p) == 0);
	CHECK_RC(rings_wait(&host, p[0], 0), ERR_TIMEOUT);
	close(p[1]);
	CHECK_RC(rings_wait(&host, p[0], 0), ERR_CLOSED);
	unmake();
}

/* Two threads as fast as they can: the sleep protocol loses no wake-up. */

#define ROUNDS 50000

static void *
echo(void *arg)
{
	struct wasm_frame f;
	struct str body;

	(void)arg;
	for (int i = 0; i < ROUNDS;) {
		int rc = ring_peek(&host.in, &f, &body);

		if (rc == ERR_AGAIN) {
			ring_flush(&host.out);
			if (ring_sleep(&host.in))
				CHECK_RC(rings_wait(&host, -1, 10000), OK);
			continue;
		}
		CHECK_RC(rc, OK);
		while ((rc = ring_put(&host.out, &f, &body, 1)) == ERR_AGAIN) {
			ring_flush(&host.out);
			if (ring_want(&host.out))
				CHECK_RC(rings_wait(&host, -1, 10000), OK);
		}
		CHECK_RC(rc, OK);
		ring_done(&host.in);
		i++;
	}
	ring_flush(&host.out);
	return NULL;
}

TEST(wasm_ring_loses_no_wake_up_between_two_threads)
{
	static char text[700];
	uint32_t sent = 0, got = 0;
	struct wasm_frame f;
	struct str body;
	pthread_t t;

	make(4 * RING_NEAR * 16);
	CHECK(pthread_create(&t, NULL, echo, NULL) == 0);
	while (got < ROUNDS) {
		for (int i = 0; i < 97 && sent < ROUNDS && sent - got < 20000; i++)
			if (put(&server.out, sent, (struct str){ text, sent % 700 }) != OK)
				break;
			else
				sent++;
		ring_flush(&server.out);
		while (ring_peek(&server.in, &f, &body) == OK) {
			CHECK(f.agent == got && f.n == got % 700);
			ring_done(&server.in);
			got++;
		}
		if (got < ROUNDS && sent - got > 15000 && ring_sleep(&server.in))
			CHECK_RC(rings_wait(&server, -1, 10000), OK);
	}
	pthread_join(t, NULL);
	unmake();
}

/* A hostile peer. */

TEST(wasm_ring_memory_cannot_be_resized_by_the_host)
{
	make(LIMIT_WASM_RING_BYTES);
	CHECK(ftruncate(host.memory, 0) != 0);
	CHECK(ftruncate(host.memory, 64 * 1024 * 1024) != 0);
	CHECK(fcntl(host.memory, F_ADD_SEALS, F_SEAL_WRITE) != 0);
	unmake();
}

TEST(wasm_ring_positions_that_cannot_be_are_refused)
{
	static const uint64_t bad[] = { 1, 31, 33, LIMIT_WASM_RING_BYTES + 32, UINT64_MAX - 31,
		UINT64_MAX, UINT64_C(1) << 63, UINT64_C(1) << 32 };
	struct buf body = BUF(LIMIT_WASM_FRAME_BYTES);
	struct wasm_frame f;

	for (size_t i = 0; i < COUNT(bad); i++) {
		make(LIMIT_WASM_RING_BYTES);
		atomic_store(word(TO_SERVER, HEAD), bad[i]);
		CHECK(!ring_sleep(&server.in));
		CHECK_RC(ring_take(&server.in, &f, &body), ERR_INVALID);
		unmake();
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		int rc = OK;

		make(LIMIT_WASM_RING_BYTES);
		atomic_store(word(0, TAIL), bad[i]);
		for (int n = 0; rc == OK && n < 1000; n++)
			rc = put(&server.out, 1, (struct str){ server.in.data, 100000 });
		CHECK_RC(rc, ERR_INVALID);
		unmake();
	}
	buf_release(&body);
}

TEST(wasm_ring_headers_that_cannot_be_are_refused)
{
	static const struct { struct wasm_frame f; uint64_t head; } bad[] = {
		{ { .type = WASM_NO_FRAME }, 32 },                     /* a skip at the start */
		{ { .type = WASM_DONE_FRAME, .n = UINT32_MAX }, 64 },
		{ { .type = WASM_DONE_FRAME, .n = LIMIT_WASM_FRAME_BYTES + 1 }, LIMIT_WASM_RING_BYTES },
		{ { .type = WASM_DONE_FRAME, .n = 33 }, 64 },          /* more than was shown */
		{ { .type = WASM_DONE_FRAME, .n = UINT32_MAX - 31 }, 64 },
	};
	struct buf body = BUF(LIMIT_WASM_FRAME_BYTES);
	struct wasm_frame f;

	for (size_t i = 0; i < COUNT(bad); i++) {
		make(LIMIT_WASM_RING_BYTES);
		memcpy(bytes_to_server(), &bad[i].f, sizeof bad[i].f);
		atomic_store(word(TO_SERVER, HEAD), bad[i].head);
		CHECK_RC(ring_take(&server.in, &f, &body), ERR_INVALID);
		unmake();
	}
	buf_release(&body);
}
