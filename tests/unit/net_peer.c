/*
 * net_peer.c - see net_peer.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/net_peer.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "harness/test.h"

static struct peer peers[4];                 /* static: threads outlive a test */
static int peers_n;

struct serving {
	struct peer *peer;
	int fd, nth;
};

static void *
serve_main(void *arg)
{
	struct serving s = *(struct serving *)arg;

	free(arg);
	s.peer->serve(s.peer, s.fd, s.nth);
	close(s.fd);
	return NULL;
}

static void
thread_new(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	CHECK(pthread_create(&t, NULL, fn, arg) == 0);
	pthread_detach(t);
}

static void *
accept_main(void *arg)
{
	struct peer *p = arg;

	for (;;) {
		struct serving *s;
		int fd = accept(p->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		s = mem_new(struct serving);
		*s = (struct serving){ p, fd, atomic_fetch_add(&p->conns, 1) };
		thread_new(serve_main, s);
	}
}

struct peer *
peer_start(void (*serve)(struct peer *, int, int), void *user)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct peer *p = &peers[peers_n++];
	socklen_t n = sizeof a;

	CHECK(peers_n <= (int)COUNT(peers));
	p->serve = serve;
	p->user = user;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(p->fd, (struct sockaddr *)&a, n) == 0);
	CHECK(listen(p->fd, 512) == 0);
	CHECK(getsockname(p->fd, (struct sockaddr *)&a, &n) == 0);
	p->port = ntohs(a.sin_port);
	thread_new(accept_main, p);
	return p;
}

void
peer_refuse(struct peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
}

static size_t
content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");

	return at == NULL ? 0 : strtoul(at + 17, NULL, 10);
}

bool
peer_request(struct peer *p, int fd, char *out, size_t size)
{
	size_t n = 0, want = SIZE_MAX;

	while (n < want) {
		ssize_t got;
		char *end;

		CHECK(n + 1 < size);
		got = read(fd, out + n, size - 1 - n);
		if (got <= 0)
			return false;
		n += (size_t)got;
		out[n] = '\0';
		end = strstr(out, "\r\n\r\n");
		if (end != NULL)
			want = (size_t)(end + 4 - out) + content_length(out);
	}
	atomic_fetch_add(&p->requests, 1);
	return true;
}

void
peer_write(int fd, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t put = send(fd, text, n, MSG_NOSIGNAL);

		if (put <= 0)
			return;
		text += put;
		n -= (size_t)put;
	}
}

void
peer_wait_closed(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0)
		;
}

void
peer_serve_count(struct peer *p, int fd, int nth)
{
	char request[65536], answer[256];

	(void)nth;
	for (int i = 1; peer_request(p, fd, request, sizeof request); i++) {
		snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Type: "
		    "text/plain\r\nContent-Length: %d\r\n\r\n%d", i > 9 ? 2 : 1, i);
		peer_write(fd, answer);
	}
}
