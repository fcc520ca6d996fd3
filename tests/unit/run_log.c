/*
 * run_log.c - a thread's events: numbers, readers, what is kept and what goes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "harness/test.h"
#include "run/event_log.h"
#include "run/pack.h"

static struct uuid
run_id(uint8_t n)
{
	return (struct uuid){ .b = { n } };
}

static int64_t
add(struct event_log *l, enum event_kind kind, const char *ns)
{
	struct run_event ev = { .kind = kind, .ns = str_of(ns), .now = 1000 };

	return event_log_add(l, &ev, 0);
}

/* An event of about n bytes. */
static int64_t
add_large(struct event_log *l, size_t n)
{
	struct run_event ev = { .kind = EVENT_CUSTOM, .now = 1000 };
	struct str text = { memset(malloc(n), 'x', n), n };
	int64_t seq;

	ev.u.custom.data = val_string(text);
	seq = event_log_add(l, &ev, 0);
	val_drop(ev.u.custom.data);
	free((char *)text.p);
	return seq;
}

struct reader {
	struct event_cursor c;
	struct buf heard;                    /* a letter a kind */
	unsigned told;
	bool reads, leaves;
	struct reader *takes;
};

static void
read_all(struct reader *r)
{
	static const char letters[] = "MIARVKmcSDEXCTiafFe";   /* by kind */
	struct event_entry e;
	int64_t last = r->c.after;

	while (event_cursor_read(&r->c, &e)) {
		CHECK(e.seq > last);
		last = e.seq;
		buf_add_char(&r->heard, letters[(int)e.fields.p[0]]);
	}
}

static void
ready(struct event_cursor *c)
{
	struct reader *r = (struct reader *)c;

	r->told++;
	if (r->reads)
		read_all(r);
	if (r->takes != NULL)
		event_cursor_close(&r->takes->c);
	if (r->leaves)
		event_cursor_close(c);
}

static struct reader
reader(int64_t after, uint32_t kinds)
{
	return (struct reader){ .c = { .after = after, .kinds = kinds, .ready = ready },
	    .heard = BUF(1 << 20), .reads = true };
}

static void
done(struct reader *r)
{
	if (r->c.log != NULL)
		event_cursor_close(&r->c);
	buf_release(&r->heard);
}

TEST(log_numbers_rise_and_readers_hear_their_kinds)
{
	struct event_log *l = event_log_new(100);
	struct uuid id = run_id(1);
	struct reader all = reader(-1, 0), late = reader(101, 0);
	struct reader some = reader(-1, 1u << EVENT_LIFECYCLE | 1u << EVENT_ERROR);

	event_log_begin(l, &id, false);
	event_cursor_open(l, &all.c);
	event_cursor_open(l, &some.c);
	read_all(&all);
	read_all(&some);
	CHECK_INT(add(l, EVENT_METADATA, ""), 100);
	CHECK_INT(add(l, EVENT_LIFECYCLE, ""), 101);
	CHECK_INT(add(l, EVENT_CUSTOM, ""), 102);
	event_log_seek(l, 5000);
	CHECK_INT(add(l, EVENT_ERROR, ""), 5000);
	event_log_end(l);
	CHECK_STR(buf_str(&all.heard), "MfCe");
	CHECK_STR(buf_str(&some.heard), "fe");
	event_cursor_open(l, &late.c);
	read_all(&late);
	CHECK_STR(buf_str(&late.heard), "Ce");
	CHECK(!late.c.missed && !all.c.missed && !event_log_is_idle(l));
	done(&all);
	done(&some);
	done(&late);
	CHECK(event_log_is_idle(l));
	CHECK_INT(event_log_last(l), 5000);
	event_log_free(l);
}

/* A reader that is told reads when it likes, and is told once until then. */
TEST(log_readers_are_told_once_and_may_leave)
{
	struct event_log *l = event_log_new(0);
	struct uuid id = run_id(1);
	struct reader lazy = reader(-1, 0), leaves = reader(-1, 0), taken = reader(-1, 0);

	lazy.reads = false;
	leaves.leaves = true;
	leaves.takes = &taken;
	event_log_begin(l, &id, false);
	event_cursor_open(l, &leaves.c);
	event_cursor_open(l, &taken.c);
	event_cursor_open(l, &lazy.c);
	read_all(&lazy);
	read_all(&leaves);
	read_all(&taken);
	for (int i = 0; i < 3; i++)
		add(l, EVENT_CUSTOM, "");
	CHECK_INT(lazy.told, 1);
	CHECK_INT(leaves.told, 1);
	CHECK_INT(taken.told, 0);
	read_all(&lazy);
	CHECK_STR(buf_str(&lazy.heard), "CCC");
	CHECK_STR(buf_str(&leaves.heard), "C");
	add(l, EVENT_CUSTOM, "");
	CHECK_INT(lazy.told, 2);
	done(&lazy);
	done(&leaves);
	done(&taken);
	event_log_end(l);
	event_log_free(l);
}

TEST(log_drops_the_oldest_ended_run_whole)
{
	struct event_log *l = event_log_new(0);
	struct reader slow = reader(0, 0), fresh = reader(-1, 0);

	slow.reads = false;
	for (uint8_t n = 1; n < 5; n++) {
		struct uuid id = run_id(n);

		event_log_begin(l, &id, false);
		add(l, EVENT_METADATA, "");
		if (n == 1)
			event_cursor_open(l, &slow.c);
		for (int i = 0; i < 4; i++)
			add_large(l, 100000);
		event_log_end(l);
	}
	CHECK(event_log_bytes(l) <= LIMIT_LOG_BYTES);
	event_cursor_open(l, &fresh.c);
	read_all(&fresh);
	CHECK_STR(buf_str(&fresh.heard), "MCCCCMCCCC");
	CHECK(!fresh.c.missed);
	read_all(&slow);
	CHECK_STR(buf_str(&slow.heard), "MCCCCMCCCC");
	CHECK(slow.c.missed);
	done(&fresh);
	done(&slow);
	event_log_free(l);
}

/* Of a run that is too long alone stays what a reader cannot do without. */
TEST(log_of_a_long_run_keeps_its_frame)
{
	struct event_log *l = event_log_new(0);
	struct uuid id = run_id(1);
	struct reader r = reader(-1, 0);
	struct str heard;

	event_log_begin(l, &id, false);
	add(l, EVENT_METADATA, "");
	add(l, EVENT_LIFECYCLE, "");
	for (int i = 0; i < 40; i++) {
		add(l, EVENT_VALUES, i % 2 == 0 ? "" : "sub:1");
		add(l, EVENT_CHECKPOINT, "");
		add_large(l, 50000);
		if (i == 3)
			add(l, EVENT_INTERRUPT, "");
	}
	CHECK(event_log_bytes(l) <= LIMIT_LOG_BYTES);
	event_cursor_open(l, &r.c);
	read_all(&r);
	heard = buf_str(&r.heard);
	CHECK(str_starts(heard, S("MfiVK")));
	CHECK(str_ends(heard, S("VKC")));
	CHECK(!str_contains(str_sub(heard, 5, heard.n), S("i")));
	done(&r);
	event_log_end(l);
	event_log_free(l);
}

/* A reader finds each event in the store or here: what is not stored yet stays. */
TEST(log_keeps_what_is_not_stored)
{
	struct event_log *l = event_log_new(0);
	struct uuid id = run_id(1);
	struct reader all = reader(-1, 0), late = reader(-1, 0);
	int64_t middle = 0;

	event_log_keep(l);
	event_log_begin(l, &id, false);
	for (int i = 0; i < 60; i++) {
		int64_t seq = add_large(l, 50000);

		middle = i == 39 ? seq : middle;
	}
	CHECK(event_log_bytes(l) > 2 * LIMIT_LOG_BYTES);
	event_cursor_open(l, &all.c);
	read_all(&all);
	CHECK_INT(all.heard.n, 60);
	event_log_stored(l, middle);
	CHECK(event_log_bytes(l) <= LIMIT_LOG_BYTES + 100000);
	late.c.after = middle;
	event_cursor_open(l, &late.c);
	read_all(&late);
	CHECK_INT(late.heard.n, 20);
	CHECK(!late.c.missed);
	done(&all);
	done(&late);
	event_log_end(l);
	event_log_free(l);
}

/* What waits for its commit is heard when it is shown, or never. */
TEST(log_hides_what_may_not_be_so)
{
	struct event_log *l = event_log_new(0);
	struct uuid id = run_id(1);
	struct reader r = reader(-1, 0);
	struct buf batch = BUF(1 << 20);
	int64_t first, last;

	event_log_begin(l, &id, false);
	event_cursor_open(l, &r.c);
	read_all(&r);
	event_log_hide(l);
	add(l, EVENT_METADATA, "");
	add(l, EVENT_LIFECYCLE, "");
	event_log_hide(l);
	CHECK_INT(r.told, 0);
	CHECK(!event_log_take(l, &batch, &first, &last));
	event_log_show(l);
	CHECK_STR(buf_str(&r.heard), "Mf");
	event_log_hide(l);
	for (int i = 0; i < 40; i++)
		add_large(l, 1000);
	event_log_drop(l);
	CHECK_INT(add(l, EVENT_ERROR, ""), 42);
	CHECK_STR(buf_str(&r.heard), "Mfe");
	CHECK(event_log_take(l, &batch, &first, &last));
	CHECK_INT(first, 0);
	CHECK_INT(last, 42);
	CHECK(batch.n < 100);
	done(&r);
	event_log_end(l);
	event_log_free(l);
	buf_release(&batch);
}

/* Thousands of tokens: a slot and some bytes each. */
TEST(log_of_tokens_is_small)
{
	struct event_log *l = event_log_new(0), *again = event_log_new(0);
	struct uuid id = run_id(1);
	struct event_task task = { .name = S("agent"), .ns = S("agent:1") };
	struct llm_delta d = { .kind = LLM_DELTA_TEXT, .text_raw = S(" word") };
	struct run_event ev = { .kind = EVENT_MODEL_START, .task = &task };
	struct reader a = reader(-1, 0), b = reader(-1, 0);
	struct buf batch = BUF(1 << 20);
	int64_t first, last, next = 0;

	event_log_begin(l, &id, false);
	ev.u.model.stream = 1;
	event_log_add(l, &ev, 0);
	ev.kind = EVENT_DELTA;
	ev.u.model.delta = &d;
	for (int i = 0; i < 10000; i++) {
		ev.now = i * 20;
		event_log_add(l, &ev, i);
	}
	CHECK(event_log_bytes(l) < 10000 * 32);
	while (event_log_take(l, &batch, &first, &last)) {
		CHECK_INT(first, next);
		next = last + 1;
		CHECK(batch.n <= LIMIT_LOG_BATCH_BYTES + 4096);
		CHECK_RC(event_log_load(again, &id, buf_str(&batch)), OK);
		buf_clear(&batch);
	}
	CHECK_INT(next, 10001);
	CHECK_INT(event_log_fresh(l), 0);
	event_cursor_open(l, &a.c);
	event_cursor_open(again, &b.c);
	read_all(&a);
	read_all(&b);
	CHECK(str_eq(buf_str(&a.heard), buf_str(&b.heard)));
	CHECK_INT(event_log_last(again), 10000);
	done(&a);
	done(&b);
	event_log_end(l);
	event_log_free(l);
	event_log_free(again);
	buf_release(&batch);
}

TEST(log_refuses_batches_that_are_none)
{
	static const struct str wrong[] = {
		S("\x02"), S("\x02\x02\x02"), S("\x02\x02\x02\x00"), S("\x02\x02\x02\x10x"),
		S("\x01\x02\x02\x02x"), S("\x02\x02\x02\x02x\x01\x00\x00\x02x"),
		S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x02\x02x"),
	};

	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct event_log *l = event_log_new(0);
		struct uuid id = run_id(1);

		CHECK_RC(event_log_load(l, &id, wrong[i]), ERR_SYNTAX);
		event_log_free(l);
	}
}
