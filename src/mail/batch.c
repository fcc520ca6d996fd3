/*
 * batch.c - see batch.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/batch.h"

#include <assert.h>

struct mail_batch
mail_batch(uint32_t size, msec timeout)
{
	assert(size > 0 && timeout >= 0);
	return (struct mail_batch){ .size = size, .timeout = timeout };
}

void
mail_batch_take(struct mail_batch *b, msec since)
{
	assert(b->n < b->size);
	if (b->n++ == 0 || since < b->oldest)
		b->oldest = since;
}

bool
mail_batch_full(const struct mail_batch *b)
{
	return b->n == b->size;
}

msec
mail_batch_due(const struct mail_batch *b)
{
	if (b->n == 0)
		return NEVER;
	return mail_batch_full(b) ? b->oldest : b->oldest + b->timeout;
}

void
mail_batch_done(struct mail_batch *b)
{
	b->n = 0;
}
