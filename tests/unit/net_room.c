/*
 * net_room.c - what connections may hold of the process, and who goes first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/account.h"
#include "base/mem.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_LINE "Host: test\r\n"
#define CHUNKED   "Transfer-Encoding: chunked\r\n"

static char heard[64 * KB];
static char lots[4 * MB];

/* The connection after c of the first listener; c NULL: its first. */
static struct http_conn *
conn_next(struct serve *s, struct http_conn *c)
{
	struct list *all = &s->hs->listeners->conns;
	struct list *next = c == NULL ? all->next : c->all.next;

	return next == all ? NULL : conn_of(next);
}

/* ---- before the body ------------------------------------------------------ */

TEST(http_a_head_is_refused_before_its_body)
{
	struct serve *s = serve_start(1);
	int fd = dial(s);

	say(fd, S("POST /denied HTTP/1.1\r\n" HOST_LINE "Content-Length: 900000\r\n\r\n"));
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK(strncmp(heard, "HTTP/1.1 401 ", 13) == 0);
	CHECK(strstr(heard, "\r\nConnection: close\r\n") != NULL);
	say(fd, (struct str){ lots, 900000 });
	CHECK(hear_end(fd));
	fd = dial(s);
	say(fd, S("POST /denied HTTP/1.1\r\n" HOST_LINE CHUNKED "\r\n"));
	CHECK_INT(hear_status(fd), 401);
	CHECK(hear_end(fd));
	fd = dial(s);
	say(fd, S("POST /denied HTTP/1.1\r\n" HOST_LINE
	    "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
	CHECK_INT(hear_status(fd), 401);
	CHECK(hear_end(fd));
	CHECK_INT(s->handled[0], 0);
	CHECK(account_used(&account_bodies) == 0);
	serve_stop(s);
}

/* The body that nobody reads is small: what follows it is the next request. */
TEST(http_a_small_body_of_a_refused_head_is_read_over)
{
	struct str post = S("POST /denied HTTP/1.1\r\n" HOST_LINE
	    "Content-Length: 5\r\n\r\n");
	struct serve *s = serve_start(1);
	struct buf many = BUF(1 * MB);
	int fd = dial(s);

	say(fd, post);
	CHECK_INT(hear_status(fd), 401);
	say(fd, S("GET "));
	say(fd, S("/GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n"));
	CHECK_INT(hear_status(fd), 200);
	for (int i = 0; i < 2000; i++) {
		buf_add(&many, post);
		buf_lit(&many, "hello");
	}
	buf_lit(&many, "GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n");
	say(fd, buf_str(&many));
	for (int i = 0; i < 2000; i++)
		CHECK_INT(hear_status(fd), 401);
	CHECK_INT(hear_status(fd), 200);
	say(fd, S("POST /denied HTTP/1.1\r\n" HOST_LINE "Connection: close\r\n"
	    "Content-Length: 5\r\n\r\n"));
	CHECK_INT(hear_status(fd), 401);
	say(fd, S("hello"));
	CHECK(hear_end(fd));
	CHECK_INT(s->handled[0], 2);
	buf_release(&many);
	serve_stop(s);
}

/* ---- the account of bodies -------------------------------------------------- */

static int
begin_body(struct serve *s, size_t n)
{
	int fd = dial(s);

	say(fd, S("POST /echo HTTP/1.1\r\n" HOST_LINE "Content-Length: 1000000\r\n\r\n"));
	say(fd, (struct str){ lots, n });
	return fd;
}

static void
wait_until_held(size_t n)
{
	while (account_used(&account_bodies) < n)
		poll(NULL, 0, 1);
}

static struct serve *
start_full(msec still)
{
	struct serve *s = serve_new(1);

	http_server_limits(s->hs)->body_still = still;
	account_set_capacity(&account_bodies, 1500 * KB);
	serve_run(s);
	return s;
}

TEST(http_a_body_too_many_is_told_to_come_back)
{
	struct serve *s = start_full(60000);
	int first = begin_body(s, 999999), second;

	wait_until_held(999999);
	second = begin_body(s, 999999);
	CHECK(hear(second, heard, sizeof heard) > 0);
	CHECK(strncmp(heard, "HTTP/1.1 503 ", 13) == 0);
	CHECK(strcasestr(heard, "\r\nretry-after: 1\r\n") != NULL);
	CHECK(strstr(heard, "too many bodies") != NULL);
	close(second);
	say(first, S("!"));
	CHECK_INT(hear_status(first), 200);
	close(first);
	serve_stop(s);
	CHECK(account_used(&account_bodies) == 0);
}

TEST(http_the_idlest_body_goes_for_a_new_one)
{
	struct serve *s = start_full(1);
	int first = begin_body(s, 999999), second, status = 503;

	wait_until_held(999999);
	while (status == 503) {
		second = begin_body(s, 1000000);
		status = hear_status(second);
		close(second);
	}
	CHECK_INT(status, 200);
	CHECK_INT(hear_status(first), 503);
	CHECK(hear_end(first));
	serve_stop(s);
	CHECK(account_used(&account_bodies) == 0);
}

static bool
is_silent(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

static size_t bodies_read;

static void
note_bodies(struct serve *s)
{
	bodies_read = 0;
	for (struct http_conn *c = conn_next(s, NULL); c != NULL; c = conn_next(s, c))
		bodies_read += c->req != NULL ? c->req->body.n : 0;
}

/* All bodies stopped moving two minutes ago. */
static void
make_still(struct serve *s)
{
	for (struct http_conn *c = conn_next(s, NULL); c != NULL; c = conn_next(s, c))
		c->moved_at -= 120 * NS_PER_S;
}

/* No more of them than there must be room. */
TEST(http_only_as_many_bodies_go_as_there_must)
{
	struct serve *s = start_full(60000);
	int old[4], late, left = 0;

	account_set_capacity(&account_bodies, 1600 * KB);
	for (size_t i = 0; i < COUNT(old); i++)
		old[i] = begin_body(s, 200000);
	while (bodies_read < 4 * 200000)
		serve_on(s, 0, note_bodies);
	serve_on(s, 0, make_still);
	late = begin_body(s, 1000000);
	CHECK_INT(hear_status(late), 200);
	close(late);
	for (size_t i = 0; i < COUNT(old); i++) {
		if (is_silent(old[i])) {
			left++;
			say(old[i], (struct str){ lots, 800000 });
			CHECK_INT(hear_status(old[i]), 200);
		}
		close(old[i]);
	}
	CHECK_INT(left, 1);                  /* half the account is free by then */
	serve_stop(s);
}

static void
answer_held(struct serve *s)
{
	http_reply(s->held, 200, STR_NONE, STR_NONE, STR_NONE);
}

/* It has hardly moved either, but it is the one that asks. */
TEST(http_a_body_does_not_make_room_for_itself)
{
	struct serve *s = start_full(1);
	int fd;
	nsec since;

	account_set_capacity(&account_bodies, 300 * KB);
	fd = begin_body(s, 261000);
	wait_until_held(261000);
	for (since = clock_mono(); clock_mono() < since + 20 * NS_PER_MS;)
		continue;
	say(fd, (struct str){ lots, 8000 });
	CHECK_INT(hear_status(fd), 503);
	CHECK(hear_end(fd));
	serve_stop(s);
	CHECK(account_used(&account_bodies) == 0);
}

/* What is read ahead of an open answer, and a long head, are held as well. */
TEST(http_requests_not_yet_read_are_held_too)
{
	struct serve *s = serve_new(1);
	int fd, ahead;

	account_set_capacity(&account_bodies, 20 * KB);
	serve_run(s);
	fd = dial(s);
	say(fd, S("GET /hello HTTP/1.1\r\n" HOST_LINE "A: "));
	memset(lots, 'a', 30000);
	say(fd, (struct str){ lots, 30000 });
	CHECK_INT(hear_status(fd), 503);
	CHECK(hear_end(fd));
	ahead = dial(s);
	say(ahead, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	say(ahead, (struct str){ lots, 30000 });
	serve_wait(s, 'g');
	CHECK(hear_end(ahead));
	serve_on(s, 0, answer_held);
	serve_stop(s);
	CHECK(account_used(&account_bodies) == 0);
}

/* They are given back when they are read. */
TEST(http_requests_read_ahead_are_held_until_they_are_answered)
{
	const struct str hello = S("GET /hello HTTP/1.1\r\n" HOST_LINE "\r\n");
	struct serve *s = serve_start(1);
	struct buf many = BUF(1 * MB);
	int fd = dial(s);

	for (int i = 0; i < 500; i++)
		buf_add(&many, hello);
	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	say(fd, buf_str(&many));
	wait_until_held(many.n);
	serve_on(s, 0, answer_held);
	for (int i = 0; i < 501; i++)
		CHECK_INT(hear_status(fd), 200);
	CHECK(account_used(&account_bodies) == 0);
	close(fd);
	buf_release(&many);
	serve_stop(s);
}

static void
take_body_of_held(struct serve *s)
{
	struct buf body = http_take_body(s->held);

	CHECK(body.n == 1000000 && s->held->body.p == body.p);
	buf_release(&body);
}

TEST(http_a_request_that_waits_can_hand_its_body_over)
{
	struct serve *s = start_full(60000);
	int fd = dial(s);

	say(fd, S("POST /hold HTTP/1.1\r\n" HOST_LINE "Content-Length: 1000000\r\n\r\n"));
	say(fd, (struct str){ lots, 1000000 });
	serve_wait(s, 'h');
	CHECK(account_used(&account_bodies) > 1000000);
	serve_on(s, 0, take_body_of_held);
	CHECK(account_used(&account_bodies) == 0);
	serve_on(s, 0, answer_held);
	CHECK_INT(hear_status(fd), 200);
	close(fd);
	serve_stop(s);
}

/* ---- the time of a body ------------------------------------------------------ */

static struct serve *
start_slow(msec slow, size_t rate)
{
	struct serve *s = serve_new(1);

	http_server_limits(s->hs)->body_slow = slow;
	http_server_limits(s->hs)->body_rate = rate;
	serve_run(s);
	return s;
}

/* It never pauses for long, and never ends. */
TEST(http_a_body_that_trickles_is_given_up)
{
	struct serve *s = start_slow(50, 1000000);
	int fd = begin_body(s, 1);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (poll(&p, 1, 1) == 0)
		say(fd, S("a"));
	CHECK(hear(fd, heard, sizeof heard) > 0);
	CHECK(strncmp(heard, "HTTP/1.1 408 ", 13) == 0);
	CHECK(strstr(heard, "the body came too slowly") != NULL);
	CHECK(hear_end(fd));
	serve_stop(s);
}

/* Ten times as long as the trickle was given, but at the rate. */
TEST(http_a_large_body_may_take_its_time)
{
	struct serve *s = start_slow(50, 100000);
	int fd = begin_body(s, 0);

	for (int i = 0; i < 100; i++) {
		say(fd, (struct str){ lots, 10000 });
		poll(NULL, 0, 5);
	}
	CHECK_INT(hear_status(fd), 200);
	close(fd);
	serve_stop(s);
}

/* ---- the account of output ---------------------------------------------------- */

/* Answers with as many bytes as the query says. */
static void
reply_bytes(struct serve *s, struct http_req *r)
{
	uint64_t n = 0;

	(void)s;
	CHECK(str_to_u64(r->query, &n) && n <= sizeof lots);
	http_reply(r, 200, S("text/plain"), STR_NONE, (struct str){ lots, n });
	serve_tell(s, 'r');
}

static struct serve *
start_output(unsigned shards, size_t capacity)
{
	struct serve *s = serve_new(shards);

	s->handle = reply_bytes;
	http_server_limits(s->hs)->out_still = 1;
	account_set_capacity(&account_output, capacity);
	serve_run(s);
	return s;
}

/* Asks for n bytes and reads none. */
static int
leave_unread(struct serve *s, size_t n)
{
	char raw[100];
	int fd = dial(s);

	snprintf(raw, sizeof raw, "GET /bytes?%zu HTTP/1.1\r\n" HOST_LINE "\r\n", n);
	say(fd, str_of(raw));
	serve_wait(s, 'r');
	return fd;
}

/* Reads to the end; how many bytes came. */
static size_t
drink(int fd)
{
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, heard, sizeof heard, 0)) > 0)
		n += (size_t)got;
	close(fd);
	return n;
}

static void
wait_until_unsent(size_t least, size_t most)
{
	while (account_used(&account_output) < least ||
	    account_used(&account_output) > most)
		poll(NULL, 0, 1);
}

TEST(http_unsent_answers_are_in_the_account_until_they_are_read)
{
	struct serve *s = start_output(1, SIZE_MAX);
	int fd = leave_unread(s, 3 * MB);
	size_t n = 0;

	wait_until_unsent(1 * MB, 3 * MB + 64 * KB);
	while (n < 3 * MB) {
		ssize_t got = recv(fd, heard, sizeof heard, 0);

		CHECK(got > 0);
		n += (size_t)got;
	}
	wait_until_unsent(0, 0);
	close(fd);
	fd = leave_unread(s, 3 * MB);
	wait_until_unsent(1 * MB, 3 * MB + 64 * KB);
	close(fd);                           /* with unread bytes: a reset */
	wait_until_unsent(0, 0);
	serve_stop(s);
}

/* On whatever shard it is. */
TEST(http_the_largest_queue_goes_first)
{
	struct serve *s = start_output(2, 6 * MB);
	int small[3], large;

	for (int i = 0; i < 2; i++)
		small[i] = leave_unread(s, 1536 * KB);
	large = leave_unread(s, 4 * MB);
	small[2] = leave_unread(s, 1536 * KB);
	wait_until_unsent(1 * MB, 6 * MB);
	CHECK(drink(large) < 4 * MB);
	for (int i = 0; i < 3; i++) {
		shutdown(small[i], SHUT_WR);
		CHECK(drink(small[i]) > 1536 * KB);
	}
	serve_stop(s);
	CHECK(account_used(&account_output) == 0);
}

static void
want_room(struct serve *s)
{
	http_want_room(s->held);
}

/* When another answer waits for room, and not before. */
TEST(http_a_client_that_takes_nothing_goes_when_others_wait)
{
	struct serve *s = start_output(2, 4 * MB);
	int stuck = leave_unread(s, 4 * MB), fd = dial(s);

	wait_until_unsent(3 * MB, 4 * MB);
	account_set_capacity(&account_output, account_used(&account_output));
	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	while (account_used(&account_output) > 0)
		for (unsigned i = 0; i < 2; i++)
			if (shard_id(s->held->shard) == i)
				serve_on(s, i, want_room);
	CHECK(drink(stuck) < 4 * MB);
	serve_on(s, shard_id(s->held->shard), answer_held);
	CHECK_INT(hear_status(fd), 200);
	close(fd);
	serve_stop(s);
}

static size_t taken;

static void
note_taken(struct serve *s)
{
	taken = 0;
	for (struct http_conn *c = conn_next(s, NULL); c != NULL; c = conn_next(s, c))
		if (c->out.bytes > 0)
			taken = http_conn_taken(c);
}

/* Reads from the only client that has not read all, until the server has noticed;
 * how many bytes. */
static size_t
sip(struct serve *s, int fd)
{
	size_t before, n = 0;

	serve_on(s, 0, note_taken);
	for (before = taken; taken == before; serve_on(s, 0, note_taken)) {
		ssize_t got = recv(fd, heard, sizeof heard, MSG_DONTWAIT);

		if (got > 0)
			n += (size_t)got;
		else
			poll(NULL, 0, 1);
	}
	return n;
}

/* Who reads, however slowly, stays when others wait. */
TEST(http_a_client_that_takes_a_little_stays_when_others_wait)
{
	struct serve *s = start_output(1, 4 * MB);
	int slow = leave_unread(s, 4 * MB), fd = dial(s);
	size_t n = 0;

	wait_until_unsent(3 * MB, 4 * MB);
	account_set_capacity(&account_output, account_used(&account_output));
	say(fd, S("GET /hold HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'h');
	for (int i = 0; i < 4; i++) {
		n += sip(s, slow);
		serve_on(s, 0, want_room);
		poll(NULL, 0, 2);
	}
	shutdown(slow, SHUT_WR);
	CHECK(n + drink(slow) > 4 * MB);
	serve_on(s, 0, answer_held);
	CHECK_INT(hear_status(fd), 200);
	close(fd);
	serve_stop(s);
}

static void
begin_held(struct serve *s, struct http_req *r)
{
	s->held = r;
	http_stream_begin(r, 200, S("text/plain"), STR_NONE);
	serve_tell(s, 'r');
}

static void
write_held(struct serve *s)
{
	http_stream_write(s->held, (struct str){ lots, 4 * MB });
}

static void
end_held(struct serve *s)
{
	http_stream_end(s->held);
}

static int
start_held(struct serve *s)
{
	int fd;

	s->handle = begin_held;
	serve_run(s);
	fd = dial(s);
	say(fd, S("GET /bytes HTTP/1.1\r\n" HOST_LINE "\r\n"));
	serve_wait(s, 'r');
	return fd;
}

static void
write_all_held(struct serve *s)
{
	for (size_t i = 0; i < LIMIT_HTTP_OUT_BYTES / (4 * MB) + 2; i++)
		write_held(s);
	end_held(s);
}

/* One answer may be larger than what may wait, written at once or in parts. */
TEST(http_a_streamed_answer_of_any_size_reaches_a_reader)
{
	struct serve *s = serve_new(1);
	int fd = start_held(s);

	serve_on(s, 0, write_all_held);
	shutdown(fd, SHUT_WR);
	CHECK(drink(fd) > LIMIT_HTTP_OUT_BYTES + 8 * MB);
	serve_stop(s);
}

/* The bound is for who reads nothing of it. */
TEST(http_a_reader_gets_more_than_may_wait)
{
	struct serve *s = serve_new(1);
	size_t n = 0, sent = 3 * 4 * MB + LIMIT_HTTP_OUT_BYTES;
	int fd = start_held(s);

	for (size_t i = 0; i < sent / (4 * MB); i++) {
		serve_on(s, 0, write_held);
		serve_on(s, 0, note_taken);
		if (taken > 0)
			n += sip(s, fd);
	}
	serve_on(s, 0, end_held);
	shutdown(fd, SHUT_WR);
	CHECK(n + drink(fd) > sent);
	serve_stop(s);
}
