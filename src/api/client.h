/*
 * client.h - the client of an answer that lasts: it waits until there is something to
 * send, then takes server-sent events.
 *
 *           client_stream               client_leave
 *   WAITS ----------------> STREAMS ----------------------> LEFT
 *     |                        | the client leaves, or        ^
 *     +------------------------+ its credentials are over ----+  gone is called
 *
 * Embedded in the struct of the answer, whose user ends WAITS by answering the call and
 * STREAMS by sse_end or sse_abort, after client_leave.
 *
 * Thread: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include "api/api_priv.h"
#include "net/sse.h"

struct client {
	struct call *call;                   /* WAITS; else NULL */
	struct sse *sse;                     /* STREAMS; else NULL */
	/* private */
	/* The last call, unless client_leave was called; cl is LEFT, and its answer is
	 * ended here.  expired: the credentials are over. */
	void (*gone)(struct client *cl, bool expired);
	struct standing standing;
};

void client_wait(struct client *cl, struct call *c,
    void (*gone)(struct client *cl, bool expired));
/* The call is gone.  lines: headers. */
void client_stream(struct client *cl, struct str lines);
/* Drops what only the call needed: for answers that last for days. */
void client_trim(struct client *cl);
/* Call and stream are the caller's, to be ended. */
void client_leave(struct client *cl);
/* Also when it has left, or never came. */
void client_release(struct client *cl);

#endif
