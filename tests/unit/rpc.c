/*
 * net_rpc.c - lines over a Unix socket: the two ends in one process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rpc/rpc.h"

#define SOON (clock_mono() + 10 * NS_PER_S)

static struct rpc *
serve(const char *path, size_t conns, size_t line, size_t out)
{
	struct rpc_options o = { .path = path, .conns_max = conns, .line_max = line,
		.out_max = out, .full = S("full\n") };
	struct rpc *r;
	struct err e;

	CHECK_RC(rpc_new(&r, &o, &e), OK);
	return r;
}

static struct rpc_client
dial(const char *path)
{
	struct rpc_client c;
	struct err e;

	CHECK_RC(rpc_connect(&c, path, 1 * MB, SOON, &e), OK);
	return c;
}

static void
tell(struct rpc_client *c, const char *text)
{
	struct err e;

	CHECK_RC(rpc_send(c, str_of(text), SOON, &e), OK);
}

static int
hear(struct rpc_client *c, struct str *line)
{
	struct err e;

	return rpc_receive(c, line, SOON, &e);
}

static struct str
next(struct rpc *r, struct rpc_conn **c)
{
	struct str line;

	while (!rpc_next(r, c, &line))
		rpc_wait(r, SOON);
	return line;
}

TEST(rpc_gives_each_connection_its_turn)
{
	struct rpc *r = serve("s", 8, 1000, 1000);
	struct rpc_client a = dial("s"), b = dial("s");
	struct rpc_conn *first, *second, *c;
	struct str line;

	tell(&a, "a1\na2\n\n\na3\nrest");
	tell(&b, "b1\n");
	rpc_wait(r, SOON);
	CHECK_STR(next(r, &first), "a1");
	CHECK_STR(next(r, &second), "b1");
	CHECK(first != second);
	CHECK_STR(next(r, &c), "a2");
	CHECK_STR(next(r, &c), "a3");
	CHECK(!rpc_next(r, &c, &line));
	tell(&a, " of it\n");
	CHECK_STR(next(r, &c), "rest of it");
	buf_lit(rpc_out(first), "one\ntwo\n");
	buf_lit(rpc_out(second), "other\n");
	rpc_wait(r, 0);
	CHECK_RC(hear(&a, &line), OK);
	CHECK_STR(line, "one");
	CHECK_RC(hear(&a, &line), OK);
	CHECK_STR(line, "two");
	CHECK_RC(hear(&b, &line), OK);
	CHECK_STR(line, "other");
	rpc_close(&a);
	rpc_close(&b);
	rpc_free(r);
}

TEST(rpc_takes_a_long_path_and_is_private)
{
	char path[300];
	size_t n = 0;
	struct rpc_client c;
	struct rpc *r;
	struct stat st;

	for (int i = 0; i < 4; i++) {
		n += (size_t)snprintf(path + n, sizeof path - n, "%s%050d",
		    i == 0 ? "" : "/", i);
		CHECK(mkdir(path, 0700) == 0);
	}
	snprintf(path + n, sizeof path - n, "/sock");
	r = serve(path, 8, 1000, 1000);
	CHECK(stat(path, &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	c = dial(path);
	rpc_close(&c);
	rpc_free(r);
}

TEST(rpc_tells_of_a_line_too_long)
{
	struct rpc *r = serve("s", 8, 100, 1000);
	struct rpc_client a = dial("s");
	char long_line[102];
	struct rpc_conn *c;
	struct str line;

	memset(long_line, 'x', 100);
	memcpy(long_line + 100, "\n", 2);
	tell(&a, long_line);                         /* the longest there is */
	CHECK_INT(next(r, &c).n, 100);
	memcpy(long_line + 100, "y", 2);
	tell(&a, long_line);
	CHECK(next(r, &c).p == NULL);
	buf_lit(rpc_out(c), "no\n");
	rpc_wait(r, 0);
	CHECK_RC(hear(&a, &line), OK);
	CHECK_STR(line, "no");
	tell(&a, "the rest\n");
	rpc_wait(r, SOON);
	CHECK_RC(hear(&a, &line), ERR_CLOSED);
	CHECK(!rpc_next(r, &c, &line));
	rpc_close(&a);
	rpc_free(r);
}

TEST(rpc_answers_a_line_too_long_that_came_with_its_end)
{
	struct rpc *r = serve("s", 8, 100, 1000);
	struct rpc_client a = dial("s");
	char long_line[103];
	struct rpc_conn *c;
	struct str line;

	memset(long_line, 'x', 101);
	memcpy(long_line + 101, "\n", 2);
	tell(&a, long_line);
	CHECK(next(r, &c).p == NULL);
	buf_lit(rpc_out(c), "no\n");
	rpc_wait(r, 0);
	CHECK_RC(hear(&a, &line), OK);
	CHECK_STR(line, "no");
	CHECK_RC(hear(&a, &line), ERR_CLOSED);
	CHECK_INT(rpc_conns(r), 0);
	rpc_close(&a);
	rpc_free(r);
}

TEST(rpc_turns_away_who_is_too_many)
{
	struct rpc *r = serve("s", 1, 100, 1000);
	struct rpc_client a = dial("s"), b = dial("s"), again;
	struct rpc_conn *c;
	struct str line;

	rpc_wait(r, SOON);
	CHECK_RC(hear(&b, &line), OK);
	CHECK_STR(line, "full");
	CHECK_RC(hear(&b, &line), ERR_CLOSED);
	rpc_close(&a);
	while (rpc_conns(r) > 0)
		rpc_wait(r, SOON);
	again = dial("s");
	tell(&again, "x\n");
	CHECK_STR(next(r, &c), "x");
	rpc_close(&b);
	rpc_close(&again);
	rpc_free(r);
}

static void
set_files(rlim_t n)
{
	struct rlimit l;

	CHECK(getrlimit(RLIMIT_NOFILE, &l) == 0);
	l.rlim_cur = n;
	CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
}

/* Without files for it a client is told so at once, rather than at its own
 * deadline; those that have theirs go on. */
TEST(rpc_tells_who_comes_when_there_are_no_files)
{
	struct rpc *r = serve("s", 100, 1000, 1000);
	struct rpc_client c[5];
	struct rpc_conn *conn;
	struct str line;

	for (size_t i = 0; i < COUNT(c); i++)
		c[i] = dial("s");
	set_files((rlim_t)c[4].fd + 1 + 2);
	rpc_wait(r, SOON);
	CHECK_INT(rpc_conns(r), 2);
	for (size_t i = 2; i < COUNT(c); i++) {
		CHECK_RC(hear(&c[i], &line), OK);
		CHECK_STR(line, "full");
		rpc_close(&c[i]);
	}
	tell(&c[1], "x\n");
	CHECK_STR(next(r, &conn), "x");
	c[2] = dial("s");                    /* there are some again */
	tell(&c[2], "y\n");
	CHECK_STR(next(r, &conn), "y");
	for (size_t i = 0; i < 3; i++)
		rpc_close(&c[i]);
	rpc_free(r);
}

/* Not one file: it does not spin, and goes on when there are some, whoever
 * closed them. */
TEST(rpc_waits_for_files)
{
	struct rpc *r = serve("s", 100, 1000, 1000);
	struct rpc_client c = dial("s");
	struct rpc_conn *conn;
	nsec end = clock_mono() + 200 * NS_PER_MS;
	int rounds = 0;

	tell(&c, "x\n");
	set_files(1);
	for (; clock_mono() < end; rounds++)
		rpc_wait(r, end);
	CHECK(rounds < 20);
	CHECK_INT(rpc_conns(r), 0);
	set_files(64);
	CHECK_STR(next(r, &conn), "x");
	rpc_close(&c);
	rpc_free(r);
}

TEST(rpc_closes_a_slow_reader)
{
	struct rpc *r = serve("s", 8, 1000, 4 * MB);
	struct rpc_client a = dial("s");
	static char block[64 * 1024];
	struct rpc_conn *c;

	tell(&a, "x\n");
	next(r, &c);
	memset(block, 'x', sizeof block);
	rpc_hold(c);
	while (!rpc_gone(c)) {
		buf_add(rpc_out(c), (struct str){ block, sizeof block });
		rpc_wait(r, 0);
	}
	rpc_drop(c);
	rpc_wait(r, 0);
	CHECK_INT(rpc_conns(r), 0);
	rpc_close(&a);
	rpc_free(r);
}

TEST(rpc_answers_who_only_stopped_sending)
{
	struct rpc *r = serve("s", 8, 1000, 1000);
	struct rpc_client a = dial("s");
	struct rpc_conn *c;
	struct str line;

	tell(&a, "x\ny\nunfinished");
	shutdown(a.fd, SHUT_WR);
	for (int i = 0; i < 2; i++) {
		next(r, &c);
		buf_lit(rpc_out(c), "yes\n");
		rpc_wait(r, 0);
	}
	CHECK_RC(hear(&a, &line), OK);
	CHECK_RC(hear(&a, &line), OK);
	CHECK_STR(line, "yes");
	CHECK_RC(hear(&a, &line), ERR_CLOSED);
	CHECK_INT(rpc_conns(r), 0);
	rpc_close(&a);
	rpc_free(r);
}

/* Lines come out whole however they were cut into packets. */
TEST(rpc_client_puts_lines_together)
{
	struct rpc_client a = { .in = BUF(1 * MB) };
	struct str line;
	int fd[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	a.fd = fd[0];
	CHECK(write(fd[1], "a long first line\nsec", 21) == 21);
	CHECK_RC(hear(&a, &line), OK);
	CHECK_STR(line, "a long first line");
	CHECK(write(fd[1], "ond\n", 4) == 4);
	CHECK_RC(hear(&a, &line), OK);
	CHECK_STR(line, "second");
	rpc_close(&a);
	close(fd[1]);
}

TEST(rpc_client_keeps_its_deadline)
{
	struct rpc *r = serve("s", 8, 1000, 1000);
	struct rpc_client a;
	struct str line;
	struct err e;
	nsec before;

	CHECK_RC(rpc_connect(&a, "s", 1000, clock_mono(), &e), ERR_TIMEOUT);
	CHECK_RC(rpc_connect(&a, "nobody", 1000, SOON, &e), ERR_NOTFOUND);
	a = dial("s");
	tell(&a, "x\n");
	before = clock_mono();
	CHECK_RC(rpc_receive(&a, &line, before + 20 * NS_PER_MS, &e), ERR_TIMEOUT);
	CHECK(clock_mono() >= before + 20 * NS_PER_MS);
	CHECK_RC(rpc_receive(&a, &line, before, &e), ERR_TIMEOUT);
	rpc_free(r);                                 /* it never read that x */
	CHECK_RC(hear(&a, &line), ERR_AGAIN);
	CHECK_RC(rpc_send(&a, S("y\n"), SOON, &e), ERR_CLOSED);
	rpc_close(&a);
	CHECK_RC(rpc_connect(&a, "s", 1000, SOON, &e), ERR_NOTFOUND);
}

TEST(rpc_client_waits_for_room_to_connect_no_longer_than_it_may)
{
	struct rpc *r = serve("s", 8, 1000, 1000);
	struct rpc_client a;
	int rc = OK;
	struct err e;

	/* Nobody accepts: the queue fills up. */
	for (int i = 0; i < 10000 && rc == OK; i++)
		rc = rpc_connect(&a, "s", 1000, clock_mono() + 20 * NS_PER_MS, &e);
	CHECK(rc == ERR_TIMEOUT || rc == ERR_IO);    /* or no more files */
	rpc_free(r);
}
