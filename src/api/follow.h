/*
 * follow.h - an answer that follows a run (watch.c, door.c), until the run ends, the
 * client leaves, or its credentials are good no longer.
 *
 *           follow_stream              the user ends the answer
 *   WAITS ----------------> STREAMS ----------------------------> follow_free
 *     |                        |
 *     +---- the client leaves -+----> LEAVING --at the turn's end--> follow_free
 *
 * The run is unwatched at the end of the turn, never inside one of its callbacks, which
 * may still come until then: LEAVING, the user tells nothing any more.
 *
 * Thread: the call's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_FOLLOW_H
#define API_FOLLOW_H

#include "api/client.h"

struct follow {
	struct run_watch w;
	struct api *api;
	struct client client;                /* both NULL: it leaves */
	bool open;                           /* the head was sent; set by http_stream_begin's
	                                        caller */
	bool ended;                          /* the run, as its `end` tells: w is free */
	bool leaving;
	bool resumes;                        /* with new credentials the client comes back,
	                                        so the run goes on */
	void (*release)(struct follow *f);   /* frees it */
	/* private */
	struct shard_job job;
};

/* c waits for the run from now on.  w and release are set. */
void follow_begin(struct follow *f, struct call *c);
/* Begins server-sent events; lines: more headers. */
void follow_stream(struct follow *f, struct str lines);
/* When the answer has ended, or c is answered otherwise; w is not watching. */
void follow_free(struct follow *f);

#endif
