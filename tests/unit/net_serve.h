/*
 * net_serve.h - an HTTP server on shards of its own, for tests, and a client
 * of plain blocking sockets.
 *
 * What the server sees is told through a pipe, one letter an event, so tests
 * wait for things to happen and never for time to pass:
 *   'h' a request is held   'g' its client is gone   'd' an answer is done
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_NET_SERVE_H
#define TESTS_NET_SERVE_H

#include <stdatomic.h>
#include "net/http_priv.h"

struct serve {
	struct shard *shards[2];
	unsigned n;
	struct http_server *hs;
	int events[2];
	atomic_uint ends, done, handled[2];
	atomic_int client;                   /* has nothing when an answer ends; 0: not looked at */
	atomic_int last_status;
	atomic_size_t last_bytes;
	struct http_req *held;               /* of the shard's thread */
	/* Paths the server itself does not know; may be NULL. */
	void (*handle)(struct serve *s, struct http_req *r);
	void *user;
	bool any_peer;                       /* not this machine's only */
};

struct serve *serve_new(unsigned shards);    /* not yet attached: tune it */
struct serve *serve_with(unsigned shards, const struct http_options *o); /* the same */
void serve_run(struct serve *s);
struct serve *serve_start(unsigned shards);  /* both */
void serve_drain(struct serve *s);
void serve_free(struct serve *s);            /* that was drained */
void serve_stop(struct serve *s);            /* both */
void serve_tell(struct serve *s, char event);
void serve_wait(struct serve *s, char event);    /* others before it are lost */
/* Runs fn on a shard and waits for its end. */
void serve_on(struct serve *s, unsigned shard, void (*fn)(struct serve *s));

int  dial(struct serve *s);
void say(int fd, struct str bytes);
/* One answer, head and body as on the wire, NUL-ended; its length, 0 at the
 * end of the connection. */
size_t hear(int fd, char *out, size_t size);
/* Up to and with `mark`, which must come. */
size_t hear_until(int fd, char *out, size_t size, const char *mark);
int  hear_status(int fd);                    /* of one whole answer; 0: closed */
size_t hear_all(int fd, char *out, size_t size); /* until the end */
bool hear_end(int fd);                       /* closed, and nothing before */
int  ask(struct serve *s, struct str raw);   /* dial, say, status, close */

#endif
