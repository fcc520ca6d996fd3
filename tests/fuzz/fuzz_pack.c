/*
 * fuzz_pack.c - events as a log keeps them: any bytes are refused or read, and
 * what was read packs and reads the same again.  Input: events, each behind two
 * bytes of its length; and the whole as a batch of a log.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "run/event_log.h"
#include "run/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(const struct run_event *ev, bool refers, struct event_reader *twin)
{
	struct buf first = BUF(16 * MB), second = BUF(16 * MB);
	const struct run_event *read;
	bool again;

	event_pack(&first, ev, refers);
	if (!first.failed) {
		assert(event_unpack(twin, buf_str(&first), &read, &again) == OK);
		event_pack(&second, read, again);
		assert(str_eq(buf_str(&first), buf_str(&second)));
	}
	buf_release(&first);
	buf_release(&second);
}

static void
load(struct str batch)
{
	struct event_log *l = event_log_new(0);
	struct event_cursor c = { .after = -1 };
	struct event_entry e;
	struct uuid run_id = { .b = { 1 } };
	size_t bytes = 0;

	(void)event_log_load(l, &run_id, batch);
	event_cursor_open(l, &c);
	while (event_cursor_read(&c, &e))
		bytes += e.fields.n;
	assert(bytes <= batch.n);
	event_cursor_close(&c);
	event_log_free(l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct event_reader r = { 0 }, twin = { 0 };
	struct str rest = { (const char *)data, n };
	const struct run_event *ev;
	bool refers;

	load(rest);
	while (rest.n >= 2) {
		size_t size = (size_t)(unsigned char)rest.p[0] << 8 | (unsigned char)rest.p[1];
		struct str fields = str_sub(rest, 2, size);

		rest = str_sub(rest, 2 + fields.n, rest.n);
		if (event_unpack(&r, fields, &ev, &refers) == OK)
			check(ev, refers, &twin);
	}
	event_reader_release(&r);
	event_reader_release(&twin);
	return 0;
}
