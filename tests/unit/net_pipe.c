/*
 * net_pipe.c - streams on a Unix socket: bytes in pieces, both bounds, who may connect,
 * which shard gets whom, and the end.
 *
 * The server echoes lines; "!hold\n" stops reading until the test says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/account.h"
#include "base/mem.h"
#include "net/files.h"
#include "net/pipe.h"

#define SHARDS  2
#define IN_MAX  (256 * KB)
#define OUT_MAX (512 * KB)

static struct shard *shard[SHARDS];
static struct pipe_server *server;
static atomic_uint opened[SHARDS], closed, drained;
static sem_t attached;
static struct pipe_conn *held;
static struct shard_job release_job;

static void *
on_opened(void *ctx, struct pipe_conn *c)
{
	CHECK(ctx == &opened && shard_is_current(pipe_shard(c)));
	atomic_fetch_add(&opened[shard_id(pipe_shard(c))], 1);
	return c;
}

static size_t
on_bytes(void *user, struct str in)
{
	ptrdiff_t end = str_index(in, '\n');
	struct str line = str_sub(in, 0, (size_t)end + 1);

	if (end < 0)
		return 0;
	if (str_eq(line, S("!hold\n"))) {
		held = user;
		pipe_hold(user, true);
	} else if (str_eq(line, S("!close\n"))) {
		pipe_write(user, S("bye\n"));
		pipe_close(user);
	} else {
		pipe_write(user, line);
	}
	return line.n;
}

static void
on_end(void *user)
{
	(void)user;
	atomic_fetch_add(&closed, 1);
}

static const struct pipe_hooks hooks = { on_opened, on_bytes, NULL, on_end };

static int
make(struct pipe_server **out, const char *path, struct err *e)
{
	struct pipe_options o = { path, SHARDS, 100, IN_MAX, OUT_MAX };

	return pipe_server_new(out, &o, &hooks, &opened, e);
}

struct attach { struct shard_job job; unsigned i; };

static void
attach(struct shard_job *job)
{
	pipe_server_attach(server, shard[CONTAINER_OF(job, struct attach, job)->i]);
	sem_post(&attached);
}

static void
start(void)
{
	static struct attach at[SHARDS];
	struct err e;

	CHECK(sem_init(&attached, 0, 0) == 0);
	CHECK_RC(make(&server, "s", &e), OK);
	for (unsigned i = 0; i < SHARDS; i++) {
		CHECK_RC(shard_new(&shard[i], i, &e), OK);
		CHECK_RC(shard_start(shard[i], &e), OK);
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		at[i] = (struct attach){ { .run = attach }, i };
		shard_post(shard[i], &at[i].job);
	}
	for (unsigned i = 0; i < SHARDS; i++)
		CHECK(sem_wait(&attached) == 0);     /* it may be drained from now on */
}

static void
on_drained(void *ctx)
{
	atomic_fetch_add(&drained, 1);
	shard_stop(ctx);
}

static void
drain(struct shard_job *job)
{
	struct shard *s = shard[CONTAINER_OF(job, struct attach, job)->i];

	pipe_server_drain(server, s, on_drained, s);
}

static void
stop(void)
{
	static struct attach at[SHARDS];

	for (unsigned i = 0; i < SHARDS; i++) {
		at[i] = (struct attach){ { .run = drain }, i };
		shard_post(shard[i], &at[i].job);
	}
	for (unsigned i = 0; i < SHARDS; i++)
		shard_join(shard[i]);
	CHECK_INT(drained, SHARDS);
	CHECK_INT(closed, opened[0] + opened[1]);
	for (unsigned i = 0; i < SHARDS; i++)
		shard_free(shard[i]);
	pipe_server_free(server);
	CHECK(access("s", F_OK) != 0);
	CHECK_INT(account_used(&account_files), 0);
	CHECK_INT(account_used(&account_bodies), 0);
	CHECK_INT(account_used(&account_output), 0);
}

static int
client(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "s" };
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(connect(fd, (struct sockaddr *)&name, sizeof name) == 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return fd;
}

static void
say(int fd, struct str s)
{
	CHECK_INT(send(fd, s.p, s.n, MSG_NOSIGNAL), s.n);
}

static void
hear(int fd, const char *text)
{
	char got[256] = "";
	size_t n = strlen(text), at = 0;
	ssize_t k = 1;

	CHECK(n < sizeof got);
	for (; at < n && k > 0; at += (size_t)(k > 0 ? k : 0))
		k = recv(fd, got + at, n - at, 0);
	CHECK_STR(((struct str){ got, at }), text);
}

static void
hear_end(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);

	CHECK(n == 0 || (n < 0 && errno == ECONNRESET));
	close(fd);
}

TEST(pipe_takes_bytes_as_they_come)
{
	int fd;

	start();
	fd = client();
	say(fd, S("one\ntw"));
	hear(fd, "one\n");
	say(fd, S("o\n"));
	say(fd, S("three\n"));
	hear(fd, "two\nthree\n");
	say(fd, S("last\n"));
	CHECK(shutdown(fd, SHUT_WR) == 0);
	hear(fd, "last\n");
	hear_end(fd);
	fd = client();
	say(fd, S("!close\nnot this\n"));
	hear(fd, "bye\n");
	hear_end(fd);
	stop();
}

TEST(pipe_hands_connections_out_in_turn)
{
	int fd[6];

	start();
	for (unsigned i = 0; i < COUNT(fd); i++) {
		fd[i] = client();
		say(fd[i], S("x\n"));
		hear(fd[i], "x\n");
	}
	CHECK_INT(opened[0], 3);
	CHECK_INT(opened[1], 3);
	stop();                              /* ends them */
	for (unsigned i = 0; i < COUNT(fd); i++)
		hear_end(fd[i]);
}

static void
release_held(struct shard_job *job)
{
	(void)job;
	pipe_hold(held, false);
}

TEST(pipe_keeps_what_came_while_it_is_held)
{
	int fd, other;

	start();
	fd = client();
	other = client();                    /* of the other shard */
	say(fd, S("a\n!hold\nb\nc"));
	hear(fd, "a\n");
	say(fd, S("\n"));
	say(other, S("goes on\n"));
	hear(other, "goes on\n");
	release_job.run = release_held;
	shard_post(pipe_shard(held), &release_job);
	hear(fd, "b\nc\n");
	close(fd);
	close(other);
	stop();
}

static void
fill(int fd, char what, size_t n)
{
	char block[4096];
	ssize_t k = 1;

	memset(block, what, sizeof block);
	for (; n > 0 && k > 0; n -= (size_t)(k > 0 ? k : 0))
		k = send(fd, block, n < sizeof block ? n : sizeof block, MSG_NOSIGNAL);
}

TEST(pipe_cuts_a_message_without_end)
{
	int fd;

	start();
	fd = client();
	fill(fd, 'x', 2 * IN_MAX);
	hear_end(fd);
	stop();
}

TEST(pipe_cuts_a_reader_that_takes_nothing)
{
	int fd;

	start();
	fd = client();
	fill(fd, '\n', 16 * MB);             /* each is an answer */
	fill(fd, '\n', 1);
	while (closed == 0)
		;
	close(fd);
	stop();
}

TEST(pipe_takes_its_name_only_from_the_dead)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "s" };
	struct pipe_server *two;
	struct err e = { 0 };
	struct stat st;
	char path[200];
	FILE *f;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(bind(fd, (struct sockaddr *)&name, sizeof name) == 0);
	close(fd);
	start();
	CHECK(stat("s", &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK_RC(make(&two, "s", &e), ERR_BUSY);
	CHECK_STR(str_of(e.text), "s: another server listens there");
	f = fopen("file", "w");
	fclose(f);
	CHECK_RC(make(&two, "file", &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "file is not a socket");
	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	CHECK_RC(make(&two, path, &e), ERR_INVALID);
	CHECK(strstr(e.text, "expected at most 107 bytes, got 199") != NULL);
	CHECK_RC(make(&two, "no/such/folder", &e), ERR_IO);
	stop();
}
