/*
 * relay.c - requests that go to another node.
 *
 * SPDX-License-Identifier: MIT
 */
#include "relay_fix.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(relay_answers_as_the_owner_does)
{
	char out[4096];
	int fd;

	nodes_start(2, 2);
	fd = dial(server(1));
	say(fd, S("POST /to/2/some HTTP/1.1\r\nHost: a\r\nCookie: secret\r\nX-Tag: mine\r\n"
	    "Content-Length: 5\r\n\r\nhello"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "\r\n\r\nnode 2 by-relay hello ") != NULL);
	/* A stream, and the same connection goes on. */
	say(fd, S("GET /to/2/stream HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "three") != NULL && strstr(out, "0\r\n\r\n") != NULL);
	/* The body in chunks, and what the server itself refuses. */
	say(fd, S("POST /to/2/small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "c\r\nmore than ten\r\n0\r\n\r\n"));
	hear(fd, out, sizeof out);
	close(fd);
	CHECK_INT(ask(server(1), S("GET /to/2/denied HTTP/1.1\r\nHost: a\r\n\r\n")), 401);
	nodes_stop();
}

/* Many windows up and down. */
TEST(relay_carries_large_bodies)
{
	size_t n = 900 * KB, size = 2 * n;
	char *out = mem_alloc(size);
	struct buf b = BUF(size);
	int fd;

	nodes_start(2, 1);
	fd = dial(server(1));
	buf_add_fmt(&b, "POST /to/2/large HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", n);
	for (size_t i = 0; i < n; i++)
		buf_add_char(&b, (char)('a' + i % 23));
	say(fd, buf_str(&b));
	CHECK(hear(fd, out, size) > n);
	CHECK(memmem(out, size, b.p + b.n - n, n) != NULL);
	CHECK(atomic_load(&world.frames[FRAME_CREDIT]) > 4);
	close(fd);
	free(out);
	buf_release(&b);
	nodes_stop();
}

TEST(relay_carries_all_events_of_a_turn)
{
	char out[8192], *at = out;
	int fd;

	nodes_start(2, 1);
	fd = dial(server(1));
	say(fd, S("GET /to/2/events HTTP/1.1\r\nHost: a\r\n\r\n"));
	hear_until(fd, out, sizeof out, "data: 199\n\n");
	for (int i = 0; i < EVENTS && at != NULL; i++) {
		char text[16];

		snprintf(text, sizeof text, "data: %03d\n\n", i);
		at = strstr(at, text);
	}
	CHECK(at != NULL);
	close(fd);
	nodes_stop();
}

/* Chunks of events and, between whole ones, heartbeats: the next chunk. */
static void
hear_chunk(int fd, char *out, size_t size)
{
	char head[16];
	size_t n;

	hear_until(fd, head, sizeof head, "\r\n");
	n = strtoul(head, NULL, 16);
	CHECK(n < size);
	CHECK_INT(recv(fd, out, n, MSG_WAITALL), (ssize_t)n);
	out[n] = '\0';
	hear_until(fd, head, sizeof head, "\r\n");
}

static void
hear_beats(int fd, int n)
{
	char out[8192];

	for (int i = 0; i < n; i++) {
		hear_chunk(fd, out, sizeof out);
		CHECK(strcmp(out, ": heartbeat\n\n") == 0);
	}
}

static void
hear_events(int fd)
{
	char out[8192];

	do
		hear_chunk(fd, out, sizeof out);
	while (strcmp(out, ": heartbeat\n\n") == 0);
	CHECK(str_starts(str_of(out), S("data: 000\n\n")));
	while (strstr(out, "data: 199\n\n") == NULL)
		hear_chunk(fd, out, sizeof out);
}

/* The node that has the client makes them. */
TEST(relay_carries_no_heartbeats_of_an_idle_stream)
{
	char out[8192];
	int fd, sent;

	world.heartbeat = 20;
	nodes_start(2, 1);
	fd = dial(server(1));
	say(fd, S("GET /to/2/events HTTP/1.1\r\nHost: a\r\n\r\n"));
	hear_until(fd, out, sizeof out, "\r\n\r\n");
	hear_events(fd);
	hear_beats(fd, 1);
	sent = atomic_load(&world.frames[FRAME_BYTES]);
	hear_beats(fd, 20);
	CHECK_INT(atomic_load(&world.frames[FRAME_BYTES]), sent);
	CHECK_INT(atomic_load(&world.frames[FRAME_IDLE]), 1);
	/* It goes on, and is idle again. */
	CHECK_INT(ask(server(2), S("GET /more HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
	hear_events(fd);
	hear_beats(fd, 5);
	CHECK_INT(atomic_load(&world.frames[FRAME_IDLE]), 2);
	CHECK_INT(ask(server(2), S("GET /end HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
	hear_until(fd, out, sizeof out, "0\r\n\r\n");
	close(fd);
	world.heartbeat = 0;
	nodes_stop();
}

TEST(relay_tells_that_a_client_left)
{
	const struct linger now = { .l_onoff = 1 };
	int fd;

	nodes_start(2, 1);
	fd = dial(server(1));
	say(fd, S("GET /to/2/hold HTTP/1.1\r\nHost: a\r\n\r\n"));
	serve_wait(server(2), 'h');
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
	serve_wait(server(2), 'g');
	http_reply(server(2)->held, 200, STR_NONE, STR_NONE, STR_NONE);
	nodes_stop();
}

TEST(relay_carries_a_websocket)
{
	static const char hello[] = "\x81\x85\0\0\0\0hello", bye[] = "\x88\x82\0\0\0\0\x03\xe8";
	char out[4096];
	int fd;

	nodes_start(2, 1);
	fd = dial(server(1));
	say(fd, S("GET /to/2/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
	hear_until(fd, out, sizeof out, "\r\n\r\n");
	CHECK(strncmp(out, "HTTP/1.1 101 ", 13) == 0);
	for (int i = 0; i < 100; i++) {
		say(fd, (struct str){ hello, sizeof hello - 1 });
		CHECK_INT(hear_until(fd, out, sizeof out, "hello"), 7);
	}
	say(fd, (struct str){ bye, sizeof bye - 1 });
	serve_wait(server(2), 'w');
	CHECK_INT(hear_until(fd, out, sizeof out, "\x03\xe8"), 4);
	CHECK(hear_end(fd));
	nodes_stop();
}

TEST(relay_follows_an_owner_that_has_moved)
{
	char out[4096];
	int fd;

	nodes_start(3, 1);
	fd = dial(server(1));
	say(fd, S("POST /to/2/moved/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"));
	/* Node 3 names itself: it has nobody else, and the way ends after some hops. */
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strncmp(out, "HTTP/1.1 503 ", 13) == 0);
	CHECK(strstr(out, "Retry-After: 1") != NULL && strstr(out, "try again") != NULL);
	CHECK_INT(atomic_load(&world.frames[FRAME_MOVED]), LIMIT_RELAY_HOPS);
	close(fd);
	/* The node that asks, and the last one of too many: who was asked answers. */
	CHECK_INT(ask(server(1), S("GET /to/2/may/1 HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
	CHECK_INT(ask(server(1), S("GET /to/2/may/3 HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
	nodes_stop();
}

/* A frame that the bus loses cuts what the link carries; the link goes on. */
TEST(relay_misses_a_lost_frame)
{
	static const enum frame_kind lost[] = { FRAME_BYTES, FRAME_END, FRAME_OPEN };
	char out[4096];

	nodes_start(2, 1);
	for (size_t i = 0; i < COUNT(lost); i++) {
		int fd = dial(server(1));

		atomic_store(&world.lose, lost[i]);
		say(fd, S("GET /to/2/stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
		hear_all(fd, out, sizeof out);
		CHECK(strstr(out, "0\r\n\r\n") == NULL || lost[i] != FRAME_BYTES);
		CHECK(lost[i] != FRAME_BYTES || strncmp(out, "HTTP/1.1 503 ", 13) == 0);
		/* Nobody has seen the request: it is sent again. */
		CHECK(lost[i] != FRAME_OPEN || strncmp(out, "HTTP/1.1 200 ", 13) == 0);
		close(fd);
		/* The last bytes say that they are: that the end itself is missing is seen with
		 * the next frame, which may be of the next request. */
		if (lost[i] == FRAME_END)
			(void)ask(server(1), S("GET /to/2/hello HTTP/1.1\r\nHost: a\r\n\r\n"));
		CHECK_INT(ask(server(1), S("GET /to/2/hello HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
	}
	nodes_stop();
}

static void
answer_held(struct serve *s)
{
	http_reply(s->held, 200, STR_NONE, STR_NONE, STR_NONE);
}

/* Goal: a frame that comes late, when its epoch was left, does nothing: no request is cut or
 * done again for it. */
TEST(relay_takes_no_late_frame)
{
	int fd, opens;

	nodes_start(2, 1);
	opens = atomic_load(&world.frames[FRAME_OPEN]);
	atomic_store(&world.lose, FRAME_OPEN);
	CHECK_INT(ask(server(1), S("GET /to/2/hello HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
	fd = dial(server(1));
	say(fd, S("GET /to/2/hold HTTP/1.1\r\nHost: a\r\n\r\n"));
	serve_wait(server(2), 'h');
	lost_comes_late(2);
	CHECK_INT(ask(server(1), S("GET /to/2/hello HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
	CHECK_INT(atomic_load(&world.frames[FRAME_OPEN]) - opens, 4);        /* the first one twice */
	serve_on(server(2), 0, answer_held);
	CHECK_INT(hear_status(fd), 200);
	close(fd);
	nodes_stop();
}

static struct http_req *held[2];

static void
end_held(struct serve *s)
{
	(void)s;
	http_stream_end(held[0]);
	http_reply(held[1], 200, STR_NONE, STR_NONE, STR_NONE);
}

static void
begin_held(struct serve *s)
{
	held[0] = s->held;
	http_stream_begin(held[0], 200, S("text/plain"), STR_NONE);
	http_stream_write(held[0], S("first"));
}

/* One request that waits, one stream that has begun: 503, and a reset.  The other node
 * hears that both clients are gone. */
static void
check_cut(void (*lose)(void))
{
	char out[4096];
	int waits, streams;

	nodes_start(2, 1);
	streams = dial(server(1));
	say(streams, S("GET /to/2/hold HTTP/1.1\r\nHost: a\r\n\r\n"));
	serve_wait(server(2), 'h');
	serve_on(server(2), 0, begin_held);
	hear_until(streams, out, sizeof out, "first");
	waits = dial(server(1));
	say(waits, S("GET /to/2/hold HTTP/1.1\r\nHost: a\r\n\r\n"));
	serve_wait(server(2), 'h');
	held[1] = server(2)->held;
	lose();
	CHECK_INT(hear_status(waits), 503);
	hear_all(streams, out, sizeof out);
	CHECK(strstr(out, "0\r\n\r\n") == NULL);
	close(waits);
	close(streams);
	serve_wait(server(2), 'g');
	serve_wait(server(2), 'g');
	serve_on(server(2), 0, end_held);
}

static void
lose_node(void)
{
	atomic_store(&node_of(2)->gone, true);
}

static void
lose_frames(void)
{
	atomic_store(&world.mute, true);
}

TEST(relay_cuts_what_a_lost_node_has)
{
	check_cut(lose_node);
	nodes_stop();
}

/* Goal: a node that was silent is not asked again until it answers: its callers go on through
 * the store at once, as without a bus. */
TEST(relay_cuts_what_is_not_answered)
{
	const struct str hello = S("GET /to/2/hello HTTP/1.1\r\nHost: a\r\n\r\n");

	check_cut(lose_frames);
	CHECK_INT(ask(server(1), hello), 502);
	atomic_store(&world.mute, false);
	while (ask(server(1), hello) != 200)
		poll(NULL, 0, 10);
	nodes_stop();
}

static atomic_int reaches;                   /* 1: node 2 may be asked; -1: not looked yet */

static void
look(struct serve *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (shard_is_current(s->shards[i]))
			atomic_store(&reaches, relay_reaches(((struct node *)s->user)->relay[i], 2));
}

static bool
shard_reaches(unsigned shard)
{
	atomic_store(&reaches, -1);
	serve_on(server(1), shard, look);
	while (atomic_load(&reaches) < 0)
		poll(NULL, 0, 1);
	return atomic_load(&reaches) == 1;
}

/* Goal: each shard notices that a silent node is back, without a request that tries. */
TEST(relay_every_shard_notices_that_a_node_is_back)
{
	const struct str hello = S("GET /to/2/hello HTTP/1.1\r\nHost: a\r\n\r\n");

	nodes_start(2, 2);
	lose_frames();
	while (shard_reaches(0) || shard_reaches(1))
		CHECK(ask(server(1), hello) != 200);
	atomic_store(&world.mute, false);
	while (!shard_reaches(0) || !shard_reaches(1))
		poll(NULL, 0, 10);
	for (unsigned i = 0; i < 8; i++)
		CHECK_INT(ask(server(1), hello), 200);
	nodes_stop();
}

static void
bus_down(struct serve *s)
{
	relay_bus_changed(((struct node *)s->user)->relay[0], false);
}

static void
lose_bus(void)
{
	serve_on(server(1), 0, bus_down);
}

TEST(relay_cuts_when_the_bus_is_down)
{
	check_cut(lose_bus);
	CHECK_INT(ask(server(1), S("GET /to/2/hello HTTP/1.1\r\nHost: a\r\n\r\n")), 502);
	nodes_stop();
}

static void
rename_second(struct serve *s)
{
	(void)s;
	relays_set_node(node_of(2)->all, 3);
}

static void
lose_number(void)
{
	serve_on(server(2), 0, rename_second);
}

/* A node that lost its lease has another number; what it serves is not its any more. */
TEST(relay_cuts_when_a_node_has_another_number)
{
	check_cut(lose_number);
	nodes_stop();
}

TEST(relay_finds_who_has_a_run)
{
	char out[4096];
	int fd;

	nodes_start(3, 1);
	fd = dial(server(1));
	say(fd, S("GET /find/three HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "node 3") != NULL);
	say(fd, S("GET /find/four HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "node 0") != NULL);
	atomic_store(&world.mute, true);
	say(fd, S("GET /find/three HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "node 0") != NULL);
	close(fd);
	nodes_stop();
}

/* Goal: a question to another node has one answer: all of it, or nothing if that did not come
 * whole or is too long. */
TEST(relay_asks_and_gets_the_whole_answer)
{
	char out[4096];
	int fd;

	nodes_start(2, 2);
	fd = dial(server(1));
	say(fd, S("POST /ask/2/some HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "bytes: HTTP/1.1 200 ") != NULL);
	CHECK(strstr(out, "node 2 by-relay hello ") != NULL);
	say(fd, S("GET /ask/2/large/1 HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "\r\n\r\n1048") != NULL);
	say(fd, S("GET /ask/2/large/3 HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "\r\n\r\n0 bytes: ") != NULL);
	say(fd, S("GET /ask/2/moved/1 HTTP/1.1\r\nHost: a\r\n\r\n"));
	CHECK(hear(fd, out, sizeof out) > 0);
	CHECK(strstr(out, "\r\n\r\n0 bytes: ") != NULL);
	close(fd);
	nodes_stop();
}

#define THREAD "/6f0c7d11-4e0a-4c5e-9a53-6f1d8e40c627 HTTP/1.1\r\nHost: a\r\n\r\n"

/* Asks until it is so. */
static void
wait_listened(int64_t at, const char *node)
{
	char out[4096] = "";
	int fd = dial(server(at));

	while (strstr(out, node) == NULL) {
		say(fd, S("GET /listened" THREAD));
		CHECK(hear(fd, out, sizeof out) > 0);
	}
	close(fd);
}

/* All nodes know where a thread is listened to; a lost frame is made good. */
TEST(relay_tells_who_listens)
{
	nodes_start(3, 2);
	CHECK_INT(ask(server(2), S("POST /listen" THREAD)), 200);
	wait_listened(1, "node 2");
	wait_listened(3, "node 2");
	wait_listened(2, "node 0");
	/* Of two the same one for all. */
	CHECK_INT(ask(server(3), S("POST /listen" THREAD)), 200);
	CHECK_INT(ask(server(2), S("POST /listen" THREAD)), 200);
	CHECK_INT(ask(server(2), S("DELETE /listen" THREAD)), 200);
	wait_listened(1, "node 2");
	wait_listened(2, "node 0");
	wait_listened(3, "node 2");
	atomic_store(&world.lose, FRAME_CLAIM);
	CHECK_INT(ask(server(2), S("DELETE /listen" THREAD)), 200);
	CHECK_INT(ask(server(3), S("DELETE /listen" THREAD)), 200);
	wait_listened(1, "node 0");
	wait_listened(3, "node 0");
	nodes_stop();
}

TEST(relay_frame_is_read_as_it_was_written)
{
	struct frame f = { .kind = FRAME_MOVED, .opener = true, .arg = 200, .shard = 513,
	    .node = 1LL << 40, .epoch = 0x80000001u, .number = 1ULL << 63, .id = 77,
	    .value = UINT64_MAX, .base_epoch = 5, .base_number = 1ULL << 40 }, g;
	char bytes[FRAME_HEAD];

	frame_write(bytes, &f);
	CHECK(frame_read((struct str){ bytes, sizeof bytes }, &g));
	CHECK(g.kind == f.kind && g.opener && g.arg == 200 && g.shard == 513 &&
	    g.node == f.node && g.epoch == f.epoch && g.number == f.number && g.id == 77 &&
	    g.value == UINT64_MAX && g.base_epoch == 5 && g.base_number == 1ULL << 40 && g.payload.n == 0);
	CHECK(!frame_read((struct str){ bytes, sizeof bytes - 1 }, &g));
	bytes[1] = FRAME_KINDS;              /* of a later version */
	CHECK(frame_read((struct str){ bytes, sizeof bytes }, &g));
	bytes[1] = 0;
	CHECK(!frame_read((struct str){ bytes, sizeof bytes }, &g));
	bytes[1] = FRAME_PING;
	bytes[0] = 2;
	CHECK(!frame_read((struct str){ bytes, sizeof bytes }, &g));
}
