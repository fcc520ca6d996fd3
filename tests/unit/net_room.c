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

static void
answer_held(struct serve *s)
{
	http_reply(s->held, 200, STR_NONE, STR_NONE, STR_NONE);
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
