/*
 * mail_socket_bench.c - what a request and its reply take over the Unix socket, in binary.
 *
 *   mail-socket-bench SOCKET AGENT [REQUESTS]
 *
 * AGENT answers each request.  Or "-": a second connection of this process does, so that
 * there are two passages of the server in a round trip.  One request at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hist.h"
#include "base/mem.h"
#include "mail/acl.h"

#define WARM 1000                            /* requests that are not counted */

struct conn {
	int fd;
	struct buf out, in;
	size_t at;                           /* of in that was read */
	struct acl_room room;
};

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
open_conn(struct conn *c, const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof name.sun_path)
		die(path);
	memcpy(name.sun_path, path, strlen(path) + 1);
	*c = (struct conn){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	    .out = BUF(MB), .in = BUF(4 * MB) };
	if (connect(c->fd, (struct sockaddr *)&name, sizeof name) != 0)
		die(path);
}

static void
say(struct conn *c, const struct acl *m)
{
	buf_clear(&c->out);
	acl_add_frame(m, &c->out);
	if (send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL) != (ssize_t)c->out.n)
		die("send");
}

/* The next message; its texts are good until the one after it. */
static void
hear(struct conn *c, struct acl *m)
{
	for (;;) {
		const unsigned char *p = (const unsigned char *)c->in.p + c->at;
		size_t left = c->in.n - c->at, n = left < 4 ? 0 :
		    (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		ssize_t got;

		if (left >= 4 && left - 4 >= n) {
			c->at += 4 + n;
			if (acl_unpack(m, (struct str){ (const char *)p + 4, n }, &c->room,
			    NULL) != OK)
				die("unpack");
			return;
		}
		buf_drop_front(&c->in, c->at);
		c->at = 0;
		got = recv(c->fd, buf_room(&c->in, 64 * KB), 64 * KB, 0);
		if (got <= 0)
			die("recv");
		buf_added(&c->in, (size_t)got);
	}
}

/* Becomes an agent; its id. */
static struct uuid
enter(struct conn *c)
{
	static const struct str ams = { "ams", 3 };
	struct acl m = { .act = ACL_REQUEST, .receivers = &ams, .receivers_n = 1,
	    .content = S("{\"op\":\"register\",\"durable\":false}") };
	struct uuid id;

	say(c, &m);
	hear(c, &m);
	if (m.act != ACL_INFORM || m.receivers_n != 1 || !uuid_parse(m.receivers[0], &id)) {
		fprintf(stderr, "%.*s\n", FMT(m.content));
		exit(1);
	}
	return id;
}

static void
echo(struct conn *c)
{
	struct acl_room room;
	struct acl m, reply;

	hear(c, &m);
	acl_reply(&reply, &m, ACL_INFORM, &room);
	reply.content = m.content;
	say(c, &reply);
}

int
main(int argc, char **argv)
{
	struct hist *h = mem_new(struct hist);
	struct conn a, b;
	char id[UUID_TEXT];
	struct str to;
	struct acl m;
	long n;

	if (argc < 3) {
		fprintf(stderr, "usage: mail-socket-bench SOCKET AGENT|- [REQUESTS]\n");
		return 2;
	}
	n = argc > 3 ? strtol(argv[3], NULL, 10) : 20000;
	to = str_of(argv[2]);
	open_conn(&a, argv[1]);
	(void)enter(&a);
	b.fd = -1;
	if (str_eq(to, S("-"))) {
		struct uuid other;

		open_conn(&b, argv[1]);
		other = enter(&b);
		uuid_format(&other, id);
		to = (struct str){ id, UUID_TEXT };
	}
	for (long i = -WARM; i < n; i++) {
		struct acl q = { .act = ACL_REQUEST, .receivers = &to, .receivers_n = 1,
		    .content = S("42"), .reply_with = S("q") };
		nsec began = clock_mono();

		say(&a, &q);
		if (b.fd >= 0)
			echo(&b);
		hear(&a, &m);
		if (m.act != ACL_INFORM) {
			fprintf(stderr, "%.*s\n", FMT(m.content));
			return 1;
		}
		if (i >= 0)
			hist_add(h, (uint64_t)(clock_mono() - began));
	}
	printf("%ld requests  p50 %.1f us  p99 %.1f us  mean %.1f us\n", n,
	    (double)hist_percentile(h, 50) / 1e3, (double)hist_percentile(h, 99) / 1e3,
	    hist_mean(h) / 1e3);
	free(h);
	return 0;
}
