/*
 * mail_slab.c - chunks come when they are needed, and go when they are empty, but one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "mail/slab.h"

#define SIZE 1024
#define MANY (3 * SLAB_CHUNK / SIZE)

TEST(slab_chunks_come_and_go)
{
	static uint64_t *things[MANY];
	struct slab s;
	void *last;

	slab_init(&s, SIZE);
	for (size_t i = 0; i < MANY; i++) {
		things[i] = slab_take(&s);
		CHECK(things[i][0] == 0 && things[i][SIZE / 8 - 1] == 0);
		things[i][0] = things[i][SIZE / 8 - 1] = i;
	}
	CHECK_INT(s.used, MANY);
	CHECK_INT(s.chunks, MANY / s.per_chunk + 1);
	for (size_t i = 0; i < MANY; i++) {
		CHECK(things[i][0] == i && things[i][SIZE / 8 - 1] == i);
		CHECK(s.chunk[slab_chunk_of(things[i])->number] == slab_chunk_of(things[i]));
	}
	for (size_t i = 0; i < MANY; i += 2)
		slab_give(&s, things[i]);
	CHECK_INT(s.chunks, MANY / s.per_chunk + 1);         /* none is empty */
	last = slab_take(&s);
	slab_give(&s, last);
	CHECK(slab_take(&s) == last);                /* it is warm */
	slab_give(&s, last);
	for (size_t i = 1; i < MANY; i += 2)
		slab_give(&s, things[i]);
	CHECK_INT(s.used, 0);
	CHECK_INT(s.chunks, 1);
	CHECK_INT(s.empty, 1);
	CHECK(slab_take(&s) != NULL);
	CHECK_INT(s.chunks, 1);
	CHECK_INT(s.empty, 0);
	slab_release(&s);
}
