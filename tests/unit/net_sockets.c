/*
 * net_sockets.c - descriptors that are closed and opened again under the
 * watcher's feet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "net/sockets_priv.h"

static uv_loop_t loop;
static int ready_fd, ready_n;

static void
on_ready(struct sockets *ss, int fd, int events)
{
	char c;

	(void)ss;
	CHECK((events & CURL_CSELECT_IN) != 0);
	CHECK(read(fd, &c, 1) == 1);
	ready_fd = fd;
	ready_n++;
}

static void
pair(int fd[2])
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
}

/* Says something on the other end, and turns the loop; how often it was told. */
static int
told(int other)
{
	ready_n = 0;
	CHECK(write(other, "x", 1) == 1);
	uv_run(&loop, UV_RUN_NOWAIT);
	return ready_n;
}

static void
finish(struct sockets *ss)
{
	sockets_release(ss);
	uv_run(&loop, UV_RUN_NOWAIT);
	CHECK(uv_loop_close(&loop) == 0);
}

TEST(sockets_watch_a_number_that_was_opened_again)
{
	struct sockets ss = { .loop = &loop, .ready = on_ready };
	int old[2], fresh[2];

	uv_loop_init(&loop);
	pair(old);
	sockets_want(&ss, old[0], CURL_POLL_IN);
	CHECK_INT(told(old[1]), 1);
	close(old[0]);                       /* libcurl does not say */
	pair(fresh);
	if (fresh[0] != old[0]) {
		CHECK(dup2(fresh[0], old[0]) == old[0]);
		close(fresh[0]);
	}
	sockets_opened(&ss, old[0]);
	CHECK_INT(told(fresh[1]), 1);
	CHECK_INT(ready_fd, old[0]);
	finish(&ss);
}

/* Between two requests it stays armed, is not told, and is told again. */
TEST(sockets_keep_a_proven_one_armed)
{
	struct sockets ss = { .loop = &loop, .ready = on_ready };
	int fd[2];
	char c;

	uv_loop_init(&loop);
	pair(fd);
	sockets_want(&ss, fd[0], CURL_POLL_IN);
	sockets_proven(&ss, fd[0]);
	sockets_want(&ss, fd[0], CURL_POLL_REMOVE);
	CHECK_INT(told(fd[1]), 0);
	CHECK_INT(told(fd[1]), 0);
	CHECK(read(fd[0], &c, 1) == 1 && read(fd[0], &c, 1) == 1);
	sockets_want(&ss, fd[0], CURL_POLL_IN);
	CHECK_INT(told(fd[1]), 1);
	finish(&ss);
}

/* After either, the number is free for others on the same loop. */
TEST(sockets_give_a_number_back)
{
	struct sockets ss = { .loop = &loop, .ready = on_ready };
	uv_poll_t other;
	int fd[2];

	uv_loop_init(&loop);
	pair(fd);
	sockets_want(&ss, fd[0], CURL_POLL_INOUT);
	sockets_want(&ss, fd[0], CURL_POLL_REMOVE);
	CHECK(uv_poll_init(&loop, &other, fd[0]) == 0);
	uv_close((uv_handle_t *)&other, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	sockets_want(&ss, fd[0], CURL_POLL_IN);
	sockets_proven(&ss, fd[0]);
	sockets_want(&ss, fd[0], CURL_POLL_REMOVE);
	CHECK(uv_poll_init(&loop, &other, fd[0]) == UV_EEXIST);
	sockets_closing(&ss, fd[0]);
	CHECK(uv_poll_init(&loop, &other, fd[0]) == 0);
	uv_close((uv_handle_t *)&other, NULL);
	finish(&ss);
}
