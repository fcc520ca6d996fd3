/*
 * net_pause.c - after a pause (the process was stopped, a job took long) what
 * came in time is heard before the timers that became due meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define LIMIT_MS 1000
#define PAUSE_MS (LIMIT_MS + 200)

/* The thread stands still, and takes no time of a processor. */
static void
pause_for(int ms)
{
	nsec end = clock_mono() + ms * NS_PER_MS;

	do
		poll(NULL, 0, ms);
	while (clock_mono() < end);
}

static struct shard *shard;
static char order[8];

struct source {
	uv_poll_t poll;
	int fd[2];
};

static struct source first, second;

static void
source_init(struct source *x)
{
	CHECK(pipe(x->fd) == 0);
	CHECK(uv_poll_init(shard_loop(shard), &x->poll, x->fd[0]) == 0);
}

static void
source_end(struct source *x)
{
	uv_close((uv_handle_t *)&x->poll, NULL);
	close(x->fd[0]);
	close(x->fd[1]);
}

/* Within the callbacks of a poll that has not heard of the second source. */
static void
on_first(uv_poll_t *p, int status, int events)
{
	char byte;

	(void)p, (void)events;
	CHECK(status == 0 && read(first.fd[0], &byte, 1) == 1);
	pause_for(PAUSE_MS);
	CHECK(write(second.fd[1], "x", 1) == 1);
}

static void
on_second(uv_poll_t *p, int status, int events)
{
	char byte;

	(void)p, (void)events;
	CHECK(status == 0 && read(second.fd[0], &byte, 1) == 1);
	order[strlen(order)] = 'r';
}

static void
on_due(struct wheel_timer *t)
{
	(void)t;
	order[strlen(order)] = 't';
	shard_stop(shard);
}

TEST(pause_bytes_are_read_before_timers_fire)
{
	struct wheel_timer due = { .fire = on_due };

	CHECK_RC(shard_new(&shard, 0, NULL), OK);
	source_init(&first);
	source_init(&second);
	CHECK(write(first.fd[1], "x", 1) == 1);
	uv_poll_start(&first.poll, UV_READABLE, on_first);
	uv_poll_start(&second.poll, UV_READABLE, on_second);
	shard_timer_set(shard, &due, LIMIT_MS);
	CHECK_RC(shard_run(shard), OK);
	CHECK_STR(str_of(order), "rt");
	source_end(&first);
	source_end(&second);
	shard_free(shard);
}

/* And so the rest of a body that waits in the socket is no 408. */

static int client;

static void
send_rest_and_pause(struct serve *s)
{
	(void)s;
	say(client, S("67890"));
	pause_for(PAUSE_MS);
}

TEST(pause_of_the_server_is_not_held_against_a_body)
{
	struct serve *s = serve_new(1);
	char heard[1024];

	http_server_limits(s->hs)->body = LIMIT_MS;
	serve_run(s);
	client = dial(s);
	say(client, S("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
	    "Expect: 100-continue\r\n\r\n"));
	hear_until(client, heard, sizeof heard, "100 Continue\r\n\r\n");
	say(client, S("12345"));
	serve_on(s, 0, send_rest_and_pause);
	CHECK_INT(hear_status(client), 200);
	close(client);
	serve_stop(s);
}

/* Who sends nothing is still told. */
TEST(pause_does_not_lengthen_a_limit)
{
	struct serve *s = serve_new(1);

	http_server_limits(s->hs)->body = LIMIT_MS;
	serve_run(s);
	client = dial(s);
	say(client, S("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"));
	CHECK_INT(hear_status(client), 408);
	close(client);
	serve_stop(s);
}
