/*
 * sockets_priv.h - the file descriptors libcurl wants to hear about.
 *
 * A table by descriptor, because libcurl may close one and open another of
 * the same number within one callback.  Between two requests on a kept
 * connection the watch stays armed, which saves five system calls a request;
 * that is safe only for a connection that has answered once (proven), since
 * libcurl closes others without telling.  A proven one is charged to the account
 * of descriptors, until it is closed.
 *
 * Invariants: at most one live uv_poll_t a descriptor; a watch that is neither
 * wanted nor proven is closed at once; its memory goes in the close callback.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_SOCKETS_PRIV_H
#define NET_SOCKETS_PRIV_H

#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;
struct socket_slot;

struct sockets {
	struct uv_loop_s *loop;
	struct socket_slot *by_fd;
	size_t cap;
	size_t idle;                         /* proven and not wanted */
	/* events: CURL_CSELECT_* bits */
	void (*ready)(struct sockets *ss, int fd, int events);
};

/* Of all, any thread reads: proven ones, and those of them that are idle. */
extern _Atomic int64_t sockets_open_now, sockets_idle_now;

void sockets_release(struct sockets *ss);
/* what: CURL_POLL_IN, _OUT, _INOUT or _REMOVE. */
void sockets_want(struct sockets *ss, int fd, int what);
void sockets_proven(struct sockets *ss, int fd);
void sockets_opened(struct sockets *ss, int fd);     /* after socket(2) */
void sockets_closing(struct sockets *ss, int fd);    /* before close(2) */

#endif
