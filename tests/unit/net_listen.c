/*
 * net_listen.c - several addresses, Unix sockets, and sockets of a process before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net_serve.h"
#include "harness/test.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HELLO "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n"

static int
dial_name(const struct sockaddr *name, socklen_t size)
{
	struct timeval patience = { .tv_sec = 10 };
	int fd = socket(name->sa_family, SOCK_STREAM, 0);

	CHECK(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, name, size) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
dial_port(uint16_t port)
{
	const struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return dial_name((const struct sockaddr *)&a, sizeof a);
}

static int
dial_path(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	return dial_name((const struct sockaddr *)&a, sizeof a);
}

static bool
greets(int fd)
{
	int status;

	CHECK(fd >= 0);
	say(fd, S(HELLO));
	status = hear_status(fd);
	close(fd);
	return status == 200;
}

static const struct http_listen here = { .host = { "127.0.0.1", 9 } };

TEST(listen_on_several_addresses_at_once)
{
	const struct http_listen at[] = { here, here, { .path = S("s") } };
	const struct http_options o = { .at = at, .at_n = COUNT(at), .shards = 2 };
	struct serve *s = serve_with(2, &o);
	struct stat st;

	serve_run(s);
	CHECK(http_server_port_at(s->hs, 0) != http_server_port_at(s->hs, 1));
	CHECK_INT(http_server_port_at(s->hs, 2), 0);
	for (int i = 0; i < 20; i++) {
		CHECK(greets(dial_port(http_server_port_at(s->hs, 0))));
		CHECK(greets(dial_port(http_server_port_at(s->hs, 1))));
		CHECK(greets(dial_path("s")));
	}
	CHECK(stat("s", &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	serve_stop(s);
	CHECK(stat("s", &st) != 0);
}

/* The name of a server that was killed is taken over, that of one that lives is not. */
TEST(listen_takes_a_dead_unix_socket_and_no_other)
{
	const struct http_listen at = { .path = S("s") }, file = { .path = S("f") };
	struct http_options o = { .at = &at, .at_n = 1, .shards = 1 };
	struct sockaddr_un dead = { .sun_family = AF_UNIX, .sun_path = "s" };
	struct http_server *first, *second;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;
	struct err e;

	CHECK(bind(fd, (struct sockaddr *)&dead, sizeof dead) == 0);
	close(fd);
	CHECK_RC(http_server_open(&first, &o, &e), OK);
	CHECK_RC(http_server_open(&second, &o, &e), ERR_BUSY);
	CHECK_STR(str_of(e.text), "unix:s: another server listens there");
	CHECK(stat("s", &st) == 0);          /* still the first one's */
	http_server_free(first);

	close(open("f", O_CREAT | O_WRONLY, 0644));
	o.at = &file;
	CHECK_RC(http_server_open(&second, &o, &e), ERR_INVALID);
	CHECK(stat("f", &st) == 0);
}

TEST(listen_refuses_a_path_that_is_too_long)
{
	char path[200];
	const struct http_listen at = { .path = { path, sizeof path } };
	struct http_server *hs;
	struct err e;

	memset(path, 'x', sizeof path);
	CHECK_RC(http_server_open(&hs, &(struct http_options){ .at = &at, .at_n = 1,
	    .shards = 1 }, &e), ERR_INVALID);
}

static void
wait_for_conns(const struct serve *s, size_t n)
{
	while (http_server_conns(s->hs) < n)
		sched_yield();
}

/* A client that has connected, and nobody has accepted, is served by the server that comes
 * after; so the queue was handed over and not only the address.  So is one that was accepted and
 * has said nothing. */
static void
hand_over(unsigned before, unsigned after)
{
	struct http_listen at[] = { here, { .path = S("s") } };
	struct http_options o = { .at = at, .at_n = COUNT(at), .shards = before };
	struct serve *s = serve_with(before, &o);
	int fds[48], kept[9], waiting[20];
	uint16_t port;

	serve_run(s);
	port = http_server_port(s->hs);
	for (size_t i = 0; i < COUNT(kept); i++)
		kept[i] = i % 2 == 0 ? dial_port(port) : dial_path("s");
	wait_for_conns(s, COUNT(kept));
	o.inherited = fds;
	o.inherited_n = http_server_hand_over(s->hs, 10, fds, COUNT(fds));
	CHECK_INT(o.inherited_n, before + 1);
	serve_drain(s);
	CHECK_INT(http_server_connections(s->hs, fds + o.inherited_n, 20), COUNT(kept));
	o.inherited_n += COUNT(kept);
	serve_free(s);
	for (size_t i = 0; i < COUNT(waiting); i++)
		waiting[i] = i % 2 == 0 ? dial_port(port) : dial_path("s");
	at[0].port = port;
	o.shards = after;
	s = serve_with(after, &o);
	serve_run(s);
	for (size_t i = 0; i < COUNT(kept); i++)
		CHECK(greets(kept[i]));
	for (size_t i = 0; i < COUNT(waiting); i++)
		CHECK(greets(waiting[i]));
	for (int i = 0; i < 20; i++)
		CHECK(greets(dial_port(port)));
	serve_stop(s);
}

TEST(listen_hands_its_sockets_over)
{
	hand_over(2, 2);
}

TEST(listen_hands_its_sockets_to_fewer_shards)
{
	hand_over(2, 1);
}

TEST(listen_hands_its_sockets_to_more_shards)
{
	hand_over(1, 2);
}

/* As of systemd: without SO_REUSEPORT, and the port is not said. */
TEST(listen_shares_an_inherited_socket_without_reuseport)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fds[3] = { socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0), -1 };
	struct http_options o = { .at = &here, .at_n = 1, .inherited = fds, .inherited_n = 2,
	    .shards = 2 };
	socklen_t size = sizeof a;
	struct stat before, after;
	struct serve *s;

	CHECK(bind(fds[0], (struct sockaddr *)&a, sizeof a) == 0 && listen(fds[0], 10) == 0);
	CHECK(getsockname(fds[0], (struct sockaddr *)&a, &size) == 0);
	CHECK(fstat(fds[1], &before) == 0);
	s = serve_with(2, &o);               /* the other one does not listen: closed */
	CHECK(fstat(fds[1], &after) != 0 || after.st_ino != before.st_ino);
	CHECK_INT(http_server_port(s->hs), ntohs(a.sin_port));
	serve_run(s);
	for (int i = 0; i < 50; i++)
		CHECK(greets(dial_port(http_server_port(s->hs))));
	serve_stop(s);
}

/* A drained server refuses, also on a shared socket, where the kernel would queue. */
TEST(listen_refuses_once_it_drains)
{
	const struct http_listen at[] = { here, { .path = S("s") } };
	const struct http_options o = { .at = at, .at_n = COUNT(at), .shards = 1 };
	struct serve *s = serve_with(1, &o);
	uint16_t port;

	serve_run(s);
	port = http_server_port(s->hs);
	serve_stop(s);
	CHECK_INT(dial_port(port), -1);
	CHECK_INT(dial_path("s"), -1);
}
