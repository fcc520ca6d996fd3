/*
 * worker.c - the words of worker.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/worker.h"

#include <assert.h>

const char *
worker_kind_name(enum worker_kind k)
{
	static const char *const names[] = { "run", "state_update", "node", "tool" };

	assert(k < COUNT(names));
	return names[k];
}

const char *
worker_verb_name(enum worker_verb v)
{
	static const char *const names[] = { "events", "saver", "store", "end" };

	assert(v < COUNT(names));
	return names[v];
}

void
worker_key_text(struct buf *b, const uint8_t key[SHA256_SIZE])
{
	static const uint8_t none[SHA256_SIZE];

	if (memcmp(key, none, sizeof none) != 0)
		hex_add(b, key, SHA256_SIZE);
}
