/*
 * relay_frame.c - a frame between two nodes: a head of FRAME_HEAD bytes, integers little
 * endian, and the payload.  A kind that is not known here is of a later version, and
 * without effect.
 *
 *   0 version   1 kind   2 opener   3 arg   4 shard (2)   8 node (8)   16 epoch (4)
 *   20 base epoch (4)   24 number (8)   32 id (8)   40 value (8)   48 base number (8)
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/relay_priv.h"

#include <string.h>

#define VERSION 1

static void
put(char *at, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (char)(v >> (8 * i) & 255);
}

static uint64_t
get(const char *at, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = bytes; i-- > 0;)
		v = v << 8 | (unsigned char)at[i];
	return v;
}

void
frame_write(char out[FRAME_HEAD], const struct frame *f)
{
	memset(out, 0, FRAME_HEAD);
	put(out, VERSION, 1);
	put(out + 1, f->kind, 1);
	put(out + 2, f->opener, 1);
	put(out + 3, f->arg, 1);
	put(out + 4, f->shard, 2);
	put(out + 8, (uint64_t)f->node, 8);
	put(out + 16, f->epoch, 4);
	put(out + 20, f->base_epoch, 4);
	put(out + 24, f->number, 8);
	put(out + 32, f->id, 8);
	put(out + 40, f->value, 8);
	put(out + 48, f->base_number, 8);
}

bool
frame_read(struct str bytes, struct frame *out)
{
	const char *at = bytes.p;

	if (bytes.n < FRAME_HEAD || get(at, 1) != VERSION || get(at + 1, 1) == 0)
		return false;
	*out = (struct frame){ .kind = (enum frame_kind)get(at + 1, 1),
	    .opener = get(at + 2, 1) != 0, .arg = (unsigned)get(at + 3, 1),
	    .shard = (unsigned)get(at + 4, 2), .node = (int64_t)get(at + 8, 8),
	    .epoch = (uint32_t)get(at + 16, 4), .base_epoch = (uint32_t)get(at + 20, 4),
	    .base_number = get(at + 48, 8), .number = get(at + 24, 8),
	    .id = get(at + 32, 8), .value = get(at + 40, 8),
	    .payload = str_sub(bytes, FRAME_HEAD, bytes.n) };
	return out->node > 0 && out->epoch != 0;
}
