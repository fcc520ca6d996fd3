/*
 * relay_priv.h - what the files of the relay share.
 *
 *   relay_frame.c   a frame's bytes
 *   relay.c         links: numbers, pings, loss; the life of a relay
 *   relay_out.c     requests of our clients that another node serves
 *   relay_in.c      requests of other nodes' clients that we serve
 *   relay_find.c    which node has something
 *   relay_claim.c   which threads are listened to, on all nodes
 *
 * A link is the frames between one shard of ours and one of another node.  Sending never
 * calls out: a link that lost a frame is noted, and its streams are cut at the end of the
 * turn.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_RELAY_PRIV_H
#define CLUSTER_RELAY_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "cluster/relay.h"
#include "net/http_port.h"
#include "net/http_tunnel.h"

#define PIECE_MAX ((size_t)64 * KB)          /* of a stream, in one frame */

enum frame_kind {
	FRAME_OPEN = 1,                      /* arg: hops; payload: peer, 0, request */
	FRAME_BYTES,                         /* arg: 0, or 1 + enum http_port_end: the last ones;
	                                        FRAME_END comes too */
	FRAME_CREDIT,                        /* value: so many bytes more may be sent */
	FRAME_EOF,                           /* the client sends no more */
	FRAME_END,                           /* arg: enum http_port_end */
	FRAME_ABORT,
	FRAME_MOVED,                         /* value: the node to ask instead */
	FRAME_PING, FRAME_PONG,              /* value: shards of the sender */
	FRAME_ASK,                           /* arg: enum relay_kind; payload: key */
	FRAME_ANSWER,                        /* arg: 1: it has it */
	FRAME_CLAIM,                         /* arg: 1: more, 0: no more; payload: threads */
	FRAME_BROKEN,                        /* a frame of yours is missing: begin anew; arg 1:
	                                        behind number id, where nobody has looked */
	FRAME_IDLE,                          /* value: ms; payload: for the client, now and each
	                                        so long, until more comes */
	FRAME_KINDS
};

struct frame {
	enum frame_kind kind;
	bool opener;                         /* by the side whose client it is */
	unsigned arg, shard;                 /* of the sender */
	int64_t node;
	uint32_t epoch;                      /* of its numbers: others when it begins anew */
	uint32_t base_epoch;                 /* the last it had received of ours then */
	uint64_t base_number;
	uint64_t number, id, value;
	struct str payload;                  /* borrowed */
};

#define FRAME_HEAD 56                        /* bytes */

void frame_write(char out[FRAME_HEAD], const struct frame *f);
bool frame_read(struct str bytes, struct frame *out);    /* false: it is none */

#define EPOCHS_LEFT 8                        /* a node connects again less often while frames of
                                                its old connections are on their way */

struct link {
	struct list all;
	struct relay *rl;
	int64_t node;
	unsigned shard;
	unsigned shards;                     /* of its node; 0: not known yet */
	uint32_t epoch, epoch_in;            /* ours; theirs, 0: nothing was received */
	uint32_t left[EPOCHS_LEFT];          /* theirs before; left_n counts all */
	unsigned left_n;
	uint64_t sent, heard;                /* the last number */
	uint32_t base_epoch;                 /* epoch_in and heard when ours began */
	uint64_t base_number;
	bool deaf;                           /* to epoch_in: a frame was missing */
	bool told;                           /* all that is listened to here */
	bool broken;                         /* its streams are cut at the turn's end */
	bool silent;                         /* cut for a ping that was not answered; none was
	                                        since */
	nsec pinged;                         /* 0: no answer is waited for */
	struct list streams;
};

struct passage {
	struct list of_link;
	struct link *link;
	uint64_t id;
	bool opener;
	uint64_t number;                     /* of an opener's FRAME_OPEN */
	size_t credit;                       /* bytes that we may send */
	size_t owed;                         /* bytes taken that they have no credit for */
	unsigned hops;                       /* other nodes that were asked before */
	/* Of an opener. */
	struct http_tunnel *tunnel;
	struct buf out;                      /* for the other node; out_at were sent */
	size_t out_at, charged;              /* charged: to account_bodies */
	struct buf lines;                    /* of a 503 */
	struct str error, error_type;
	char *peer;
	struct relay_guard *guard;           /* or NULL */
	bool answered, opened, held, asked, eof;
	/* In place of the tunnel: who gets the answer, whole. */
	void (*whole)(void *ctx, struct str answer);
	void *whole_ctx;
	struct buf answer;
	struct wheel_timer beat;             /* runs while the answer is idle */
	msec beat_every;
	size_t beat_n;
	char beat_text[HTTP_PORT_BEAT];
	/* Of the other side. */
	struct http_port *port;
	bool paused, moved;
	struct buf pend;                     /* of the answer: sent at the turn's end */
	struct list pending;
};

struct find;

/* Between shards 0: what is listened to.  A link that begins anew begins with all of it. */
struct claims {
	pthread_mutex_t lock;
	struct map own, others;              /* by thread */
	struct uuid *changed;                /* of ours, to be told */
	size_t changed_n, changed_cap;
	struct shard *shard;                 /* 0; NULL: not yet */
	struct relay *relay;                 /* its */
	struct shard_job job;
	bool posted;
};

struct relays {
	struct relay_bus bus;
	struct http_server *hs;
	unsigned shards;
	_Atomic int64_t node;
	struct claims claims;
};

struct relay {
	struct relays *all;
	struct shard *shard;
	unsigned id;                         /* of the shard */
	int64_t node;                        /* as which its links began */
	bool up, stopped;
	struct list links, finds;
	size_t finds_n;
	struct map streams;
	size_t served_n;                     /* of them, of other nodes */
	uint64_t last_id;
	struct shard_job turn;               /* cuts what is broken */
	struct list pending;                 /* passages with bytes that are not sent */
	struct shard_job flush;
	struct wheel_timer beat, down;
	_Atomic uint64_t sent, served, lost;
	_Atomic size_t under_way;
};

/* relay.c */

/* Has this node another number?  Then all is cut. */
void relay_look(struct relay *rl);
struct link *link_find(struct relay *rl, int64_t node, unsigned shard);
struct link *link_get(struct relay *rl, int64_t node, unsigned shard);   /* NULL: too many */
/* The one that a request to this node takes. */
struct link *link_for(struct relay *rl, int64_t node);
/* Numbers it and sends it; a failure breaks the link. */
void link_send(struct link *l, struct frame f, const struct str *pieces, size_t n);
void passage_send(struct passage *s, enum frame_kind kind, unsigned arg, uint64_t value,
    struct str payload);
struct passage *passage_find(const struct link *l, uint64_t id, bool opener);    /* or NULL */
void passage_add(struct passage *s, struct link *l);
void passage_leave(struct passage *s);          /* its link */
void passage_discard(struct passage *s);       /* it has left, or never came */
void passage_free(struct passage *s);          /* both */
/* Bytes of ours were taken: gives credit when it is worth a frame, or `all` of it. */
void passage_owe(struct passage *s, size_t n, size_t worth);

/* relay_out.c */

void out_frame(struct passage *s, const struct frame *f);
void out_cut(struct passage *s);              /* the link is gone; frees it */
/* Its link began anew, and the other node has not looked at it: it is sent again. */
void out_again(struct passage *s);

/* relay_in.c */

void in_open(struct link *l, const struct frame *f);
void in_frame(struct passage *s, const struct frame *f);
void in_cut(struct passage *s);
void in_flush(struct shard_job *job);        /* of a relay */

/* relay_claim.c */

void claims_init(struct claims *c);
void claims_release(struct claims *c);
void claims_open(struct relay *rl);          /* of shard 0 */
void claims_stop(struct relay *rl);
void claims_beat(struct relay *rl);          /* tells those that do not know yet */
/* A thread of 16 bytes, as a key of RELAY_LISTEN. */
void claims_told(struct link *l, struct str key);
void claims_heard(struct link *l, const struct frame *f);
void claims_forget(struct link *l);          /* what the other node listens to */

/* relay_find.c */

void find_asked(struct link *l, const struct frame *f);
void find_answered(struct relay *rl, const struct frame *f);
void finds_stop(struct relay *rl);

#endif
