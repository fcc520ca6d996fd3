/*
 * fuzz_checkpoint.c - any text as a checkpoint's channels and as its tasks: what is
 * taken is written as the store writes it, and that reads back alike.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
as_channels(struct str text)
{
	struct arena a = ARENA(16 * MB);
	struct channel_map one = { 0 }, two = { 0 };
	struct buf b = BUF(16 * MB);

	if (channels_parse(&one, text, &a) == OK) {
		channels_add_json(&b, &one);
		assert(channels_parse(&two, buf_str(&b), &a) == OK && one.n == two.n);
	}
	for (size_t i = 0; i < two.n; i++) {
		const struct channel_ref *x = &one.at[i], *y = &two.at[i];

		assert(str_eq(x->name, y->name) && x->is_list == y->is_list);
		assert(x->value == y->value && x->list == y->list && x->len == y->len);
		assert(channels_ref(&two, x->name) != NULL);
	}
	buf_release(&b);
	arena_release(&a);
}

static void
as_tasks(struct str text)
{
	struct arena a = ARENA(16 * MB);
	struct task_ref *tasks;
	size_t n;

	if (tasks_parse(text, &a, &tasks, &n) == OK)
		assert(n <= LIMIT_TASKS && (n == 0 || tasks != NULL));
	arena_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };

	as_channels(text);
	as_tasks(text);
	return 0;
}
