/*
 * fuzz_message.c - what a client sends as messages: what is taken must become
 * well-formed stored text that reads back alike, and must reduce; the rest
 * must be refused with words.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "run/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_message(const struct message *m)
{
	struct message *back;
	struct err e;

	assert(json_check(m->json, &e) == OK);
	assert(message_from_stored(&back, m->json, &e) == OK);
	assert(back->kind == m->kind && str_eq(back->id, m->id));
	message_drop(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct message_list list, state = { 0 };
	struct json_doc d = { 0 };
	struct err e = { 0 };
	size_t keep;

	if (json_parse(&d, (struct str){ (const char *)data, n }, &e) == OK) {
		if (message_list_coerce(&list, d.root, "messages", &e) != OK)
			assert(e.text[0] != '\0');
		for (size_t i = 0; i < list.n; i++)
			check_message(list.at[i]);
		if (message_reduce(&state, &list, &keep, &e) == OK) {
			assert(keep == 0);
			/* The same once more replaces in place, or starts over. */
			if (message_reduce(&state, &list, &keep, &e) == OK)
				assert(keep <= state.n);
		}
		message_list_release(&list);
		message_list_release(&state);
	}
	json_release(&d);
	return 0;
}
