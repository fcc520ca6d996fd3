/*
 * fuzz_state.c - any JSON as messages, as a write of each reducer and as an
 * overwrite: what is taken is stored text that reads back alike and reduces;
 * the rest is refused with words and changes nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/json.h"
#include "state/channels.h"
#include "state/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_message(struct val m)
{
	struct buf b = BUF(64 * MB);
	struct val back;
	struct err e;

	val_add_json(&b, m);
	assert(json_check(buf_str(&b), &e) == OK);
	back = val_json_trusted(buf_str(&b));
	assert(message_type(m) != MSG_NONE && message_type(back) == message_type(m));
	assert(message_id(m).n > 0 && str_eq(message_id(back), message_id(m)));
	assert(val_get(m, S("id")).kind == VAL_STRING);
	assert(val_equal(m, back));
	val_drop(back);
	buf_release(&b);
}

static void
as_messages(struct val v)
{
	struct val list;
	struct err e = { 0 };

	if (messages_from(v, "messages", &list, NULL, &e) != OK)
		assert(e.text[0] != '\0' && list.kind == VAL_UNDEFINED);
	for (size_t i = 0; i < val_count(list); i++)
		check_message(val_at(list, i));
	val_drop(list);
}

/* Twice, so that the second finds what the first wrote. */
static void
as_writes(struct val v)
{
	static const struct channel defs[] = {
		{ .name = { "last", 4 }, .reducer = REDUCE_LAST },
		{ .name = { "messages", 8 }, .reducer = REDUCE_MESSAGES },
		{ .name = { "append", 6 }, .reducer = REDUCE_APPEND },
		{ .name = { "merge", 5 }, .reducer = REDUCE_MERGE },
		{ .name = { "sum", 3 }, .reducer = REDUCE_SUM },
		{ .name = { "min", 3 }, .reducer = REDUCE_MIN },
		{ .name = { "flash", 5 }, .reducer = REDUCE_MAX, .ephemeral = true },
	};
	struct channels *cs = channels_new(defs, COUNT(defs));
	struct buf b = BUF(64 * MB);
	struct err e = { 0 };

	for (size_t i = 0; i < 2 * COUNT(defs); i++) {
		struct val before = val_ref(channels_get(cs, i / 2));

		if (channels_apply(cs, i / 2, v, 0, &e) != OK) {
			assert(e.text[0] != '\0');
			assert(val_equal(before, channels_get(cs, i / 2)) ||
			    before.kind == VAL_UNDEFINED);
		}
		val_drop(before);
		channels_end_step(cs);
	}
	channels_values_add_json(&b, cs);
	assert(!b.failed && str_is_utf8(buf_str(&b)));
	buf_release(&b);
	channels_free(cs);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct val v;

	if (val_json(&v, (struct str){ (const char *)data, n }, NULL) == OK) {
		as_messages(v);
		as_writes(v);
	}
	val_drop(v);
	return 0;
}
