/*
 * ring.h - two rings of frames in shared memory, one each way, between a server's shard and
 * a host process of guests.
 *
 * One memfd, of a size that is sealed: a page of control of each ring, then the bytes of
 * each.  One writer and one reader a ring.  A frame (protocol.h) is not split: where the end
 * of the memory is too near, or the ring is empty and far from its start, a frame of type
 * WASM_NO_FRAME says that the next one is at the start, so a ring that is read in time uses
 * its first RING_NEAR bytes only, and the rest takes no memory.
 *
 * A side sleeps on its bell, an eventfd that does not block.  Before, it says so in the
 * ring (ring_sleep, ring_want), and only then the other side rings: once a batch.
 *
 * Trust: this side keeps its own positions to itself.  What the other side wrote, positions
 * and headers, is copied once and then checked; ERR_INVALID: no writer that keeps to these
 * rules could have written it.  A body is stable only after it was copied (ring_take).
 *
 * Threads: one a side.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_RING_H
#define WASM_RING_H

#include "base/buf.h"
#include "base/rc.h"
#include "wasm/protocol.h"

#define RING_NEAR ((size_t)64 * KB)

struct ring_control;                         /* in the shared memory */

struct ring_out {                            /* that this side writes */
	struct ring_control *control;
	char *data;
	size_t size;
	uint64_t head, shown, tail;          /* shown: head that the reader may see; tail: the
	                                        reader's, as last looked at */
	int bell;                            /* the reader's */
};

struct ring_in {                             /* that this side reads */
	struct ring_control *control;
	const char *data;
	size_t size;
	uint64_t tail, head, told;           /* told: tail when the writer was last looked after;
	                                        head: the writer's, as last looked at */
	size_t peeked;                       /* bytes of the frame that was last peeked */
	int bell;                            /* the writer's */
};

struct rings {
	void *map;
	size_t map_bytes;
	int memory, bell, other_bell;        /* descriptors: bell is this side's; -1: none */
	struct ring_out out;
	struct ring_in in;
};

/* The server's side; bytes of one ring: a power of two >= 4 x RING_NEAR.  ERR_LIMIT: no
 * descriptors or memory. */
int  rings_new(struct rings *r, size_t bytes, struct err *e);
/* The host's side, of descriptors that it was given: they are r's now. */
int  rings_join(struct rings *r, int memory, int bell, int other_bell, struct err *e);
void rings_release(struct rings *r);         /* zeroed, or released before: fine */

/* Writing.  f->n is set here: the bytes of all parts.  ERR_AGAIN: no room now; ERR_TOOBIG:
 * over LIMIT_WASM_FRAME_BYTES; ERR_INVALID: the reader's position cannot be. */
int  ring_put(struct ring_out *r, const struct wasm_frame *f, const struct str *parts, size_t n);
/* Shows what was put, and rings if the reader sleeps. */
void ring_flush(struct ring_out *r);
/* After ERR_AGAIN: the reader will ring when it has read.  False: there is room now. */
bool ring_want(struct ring_out *r);

/* Reading.  OK: f is a copy; body is in the ring and good until ring_done: the other side can
 * change it.  ERR_AGAIN: nothing is there.  ERR_INVALID. */
int  ring_peek(struct ring_in *r, struct wasm_frame *f, struct str *body);
void ring_done(struct ring_in *r);           /* with the frame that was peeked */
/* Peek and done, with a copy of the body in place of what was in it. */
int  ring_take(struct ring_in *r, struct wasm_frame *f, struct buf *body);
/* This side is going to sleep: the writer rings when something comes.  False: something is
 * there (or a position that cannot be). */
bool ring_sleep(struct ring_in *r);

/* Silences this side's bell; true if it had been rung. */
bool rings_silence(struct rings *r);
void rings_ring(struct rings *r);            /* this side's own: it will not sleep */
/* Sleeps until the bell rings (and silences it), at most ms (-1: for ever).  ERR_TIMEOUT;
 * ERR_CLOSED: the other end of `other`, a pipe, is closed (-1: not watched). */
int  rings_wait(struct rings *r, int other, int ms);

#endif
