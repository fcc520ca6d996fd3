/*
 * letter.c - the texts of letters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/account.h"
#include "mail/post.h"

#include <stdatomic.h>
#include <string.h>

struct mail_text *
mail_text_new(const void *bytes, size_t n)
{
	struct mail_text *t;

	assert(n <= UINT32_MAX);
	t = mem_alloc(sizeof *t + n);
	atomic_init(&t->refs, 1);
	t->n = (uint32_t)n;
	account_charge(&account_mail, sizeof *t + n);
	if (n > 0)
		memcpy(t->bytes, bytes, n);
	return t;
}

struct mail_text *
mail_text_hold(struct mail_text *t)
{
	uint32_t before = atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);

	assert(before > 0 && before < UINT32_MAX);
	return t;
}

void
mail_text_drop(struct mail_text *t)
{
	if (t == NULL)
		return;
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_release) > 1)
		return;
	atomic_thread_fence(memory_order_acquire);
	account_give(&account_mail, sizeof *t + t->n);
	free(t);
}

struct str
letter_packed(const struct letter *l)
{
	const uint8_t *bytes = l->text != NULL ? l->text->bytes : l->small;

	return (struct str){ (const char *)bytes, l->n };
}
