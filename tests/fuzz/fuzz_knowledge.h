/*
 * fuzz_knowledge.h - a document of any bytes: refused, or chunks that are UTF-8, of a bounded
 * size, in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>

#include "knowledge/knowledge.h"

/* The first byte says how large its chunks are. */
static int
fuzz_document(enum knowledge_kind kind, const uint8_t *data, size_t n)
{
	struct knowledge_size size = { 200 + (n > 0 ? data[0] % 16 : 0) * 50u, 0 };
	struct arena a = ARENA(KNOWLEDGE_ARENA_BYTES);
	struct knowledge k;
	struct err e;

	size.overlap = n > 0 ? data[0] / 16 * 6u : 0;
	if (n > 0 && knowledge_read(kind, (struct str){ (const char *)data + 1, n - 1 }, size, &a, &k,
	    &e) == OK) {
		assert(str_is_utf8(k.title) && k.n <= 2 * n);
		for (size_t i = 0; i < k.n; i++) {
			const struct knowledge_chunk *c = &k.at[i];

			assert(c->text.n > 0 && c->text.n <= 3 * size.target + 500);
			assert(str_is_utf8(c->text) && str_is_utf8(c->heading));
			assert(c->first >= 1 && c->first <= c->last && c->last <= n + 1);
		}
	}
	arena_release(&a);
	return 0;
}
