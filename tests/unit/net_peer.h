/*
 * net_peer.h - the other side of a connection, for tests of HTTP clients: a
 * listening socket whose connections are each served by a function in a thread
 * of its own, with blocking calls.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_NET_PEER_H
#define TESTS_NET_PEER_H

#include <stdatomic.h>
#include <stdint.h>
#include "base/str.h"

struct peer {
	int fd;
	uint16_t port;
	atomic_int conns, requests;
	/* nth: 0 for the first connection */
	void (*serve)(struct peer *p, int fd, int nth);
	void *user;
};

/* Lives until the test ends: its threads do. */
struct peer *peer_start(void (*serve)(struct peer *, int, int), void *user);
void peer_refuse(struct peer *p);            /* closes the listening socket */

/* Reads one request, head and body, NUL-ended; false at the end. */
bool peer_request(struct peer *p, int fd, char *out, size_t size);
void peer_write(int fd, const char *text);
void peer_wait_closed(int fd);               /* reads until the client is gone */

/* Answers every request of a connection with 200 and its number on it. */
void peer_serve_count(struct peer *p, int fd, int nth);

#endif
