/*
 * counter.c - a guest without a library: it counts the messages that it got, and says each
 * back.  Its count is in its memory, so a durable agent has it after a restart.
 *
 *	{"content": X}  ->  {"content": {"count": 1, "echo": X}}
 *
 * SPDX-License-Identifier: MIT
 */
#include "cohort_guest.h"
#include "cohort_json.h"

#define MESSAGE_BYTES 65536

static char message[MESSAGE_BYTES], answer[MESSAGE_BYTES + 100];
static int64_t count;

/* A longer message is refused by this agent alone: 0 is a bad result of alloc. */
void *
alloc(uint32_t n)
{
	return n <= sizeof message ? message : 0;
}

int32_t
handle_message(const char *text, uint32_t n)
{
	struct json content = json_get(json_of(text, n), "content");
	struct json_out o = { answer, sizeof answer, 0 };

	json_text(&o, "{\"content\":{\"count\":");
	json_number(&o, ++count);
	json_text(&o, ",\"echo\":");
	json_value(&o, content);
	json_text(&o, "}}");
	return cohort_reply(o.p, o.n);
}
