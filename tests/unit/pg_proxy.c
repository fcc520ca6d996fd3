/*
 * pg_proxy.c - see pg_proxy.h.  One thread polls all connections.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/pg_proxy.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINKS 64

struct link {
	int client, server;                  /* -1: closed */
	bool answer;                         /* the next answer is lost */
};

static int
socket_at(const char *path, bool listens)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	rc = listens ? bind(fd, (struct sockaddr *)&a, sizeof a) :
	    connect(fd, (struct sockaddr *)&a, sizeof a);
	if (rc == 0 && listens)
		rc = listen(fd, 16);
	CHECK(rc == 0);
	return fd;
}

static void
shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t m = send(fd, p, n, MSG_NOSIGNAL);

		if (m <= 0)
			return;
		p += m;
		n -= (size_t)m;
	}
}

static void
from_client(struct pg_proxy *p, struct link *l)
{
	char bytes[65536];
	ssize_t n = read(l->client, bytes, sizeof bytes);
	int cut = atomic_load(&p->cut);

	if (n <= 0) {
		shut(&l->client);
		shut(&l->server);
		return;
	}
	if (cut != PG_CUT_NOT && memmem(bytes, (size_t)n, "COMMIT", 7) != NULL) {
		atomic_store(&p->cut, atomic_load(&p->after));
		atomic_fetch_add(&p->cuts, 1);
		l->answer = cut == PG_CUT_ANSWER;
		if (cut != PG_CUT_ANSWER)
			shut(&l->client);
		if (cut == PG_CUT_COMMIT)
			shut(&l->server);
		if (cut != PG_CUT_ANSWER)
			return;
	}
	send_all(l->server, bytes, (size_t)n);
}

static void
from_server(struct link *l)
{
	char bytes[65536];
	ssize_t n = read(l->server, bytes, sizeof bytes);

	if (n <= 0 || l->answer) {
		shut(&l->client);
		shut(&l->server);
	} else if (l->client >= 0) {
		send_all(l->client, bytes, (size_t)n);
	}
}

static void
link_new(struct pg_proxy *p, struct link *l)
{
	int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);

	atomic_fetch_add(&p->connects, 1);
	if (atomic_load(&p->cut) == PG_CUT_ALL) {
		shut(&fd);
		return;
	}
	*l = (struct link){ .client = fd, .server = socket_at(p->to, false) };
}

static void *
proxy_main(void *arg)
{
	struct pg_proxy *p = arg;
	struct link at[LINKS];

	for (int i = 0; i < LINKS; i++)
		at[i] = (struct link){ -1, -1, false };
	while (!atomic_load(&p->ends)) {
		struct pollfd fd[2 * LINKS + 1];
		int spare = 0;

		for (int i = 0; i < LINKS; i++) {
			if (at[i].client < 0 && at[i].server < 0)
				spare = i;
			fd[2 * i] = (struct pollfd){ at[i].client, POLLIN, 0 };
			fd[2 * i + 1] = (struct pollfd){ at[i].server, POLLIN, 0 };
		}
		fd[2 * LINKS] = (struct pollfd){ p->fd, POLLIN, 0 };
		if (poll(fd, 2 * LINKS + 1, 20) <= 0)
			continue;
		for (int i = 0; i < LINKS; i++) {
			if (at[i].client >= 0 && fd[2 * i].revents != 0)
				from_client(p, &at[i]);
			if (at[i].server >= 0 && fd[2 * i + 1].revents != 0)
				from_server(&at[i]);
		}
		if (fd[2 * LINKS].revents != 0)
			link_new(p, &at[spare]);
	}
	for (int i = 0; i < LINKS; i++) {
		shut(&at[i].client);
		shut(&at[i].server);
	}
	return NULL;
}

void
pg_proxy_start(struct pg_proxy *p, const char *url)
{
	char path[128], host[128] = "";
	const char *at = strstr(url, "host="), *rest = strstr(url, "&options");
	size_t n = 0;

	memset(p, 0, sizeof *p);
	CHECK(at != NULL && rest != NULL);
	for (at += 5; at < rest && n + 1 < sizeof host; at++) {
		bool slash = strncmp(at, "%2F", 3) == 0;

		host[n++] = slash ? '/' : *at;
		at += slash ? 2 : 0;
	}
	snprintf(p->to, sizeof p->to, "%.80s/.s.PGSQL.5432", host);
	snprintf(p->dir, sizeof p->dir, "/tmp/cohort-proxy-XXXXXX");
	CHECK(mkdtemp(p->dir) != NULL);
	snprintf(path, sizeof path, "%s/.s.PGSQL.5432", p->dir);
	snprintf(p->url, sizeof p->url, "postgresql://cohort@/cohort?host=%%2Ftmp%%2F%s%s",
	    p->dir + 5, rest);
	p->fd = socket_at(path, true);
	CHECK(pthread_create(&p->thread, NULL, proxy_main, p) == 0);
}

void
pg_proxy_end(struct pg_proxy *p)
{
	char path[128];

	atomic_store(&p->ends, true);
	pthread_join(p->thread, NULL);
	close(p->fd);
	snprintf(path, sizeof path, "%s/.s.PGSQL.5432", p->dir);
	unlink(path);
	rmdir(p->dir);
}
