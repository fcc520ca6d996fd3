/*
 * run_stream.c - readers of one stream: who hears what, and what is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "run/frame_priv.h"
#include "run/stream_priv.h"

struct reader {
	struct run_watch w;
	struct stream *s;
	struct buf heard;                    /* one letter an event */
	char leaves_at;                      /* on hearing this it leaves, */
	struct reader *takes;                /* and takes this one with it */
};

static void
hear(struct run_watch *w, struct sse_block *b)
{
	struct reader *r = (struct reader *)w;
	struct str rest = { b->bytes, b->n }, frame, event;
	int64_t id;

	while (frame_next(&rest, &frame, &event, &id)) {
		char letter = event.p[0];

		buf_add_char(&r->heard, letter);
		if (letter != r->leaves_at)
			continue;
		CHECK(stream_detach(r->s, &r->w));
		if (r->takes != NULL)
			CHECK(stream_detach(r->s, &r->takes->w));
	}
}

static void
reader_init(struct reader *r, struct stream *s, unsigned modes, int64_t after)
{
	*r = (struct reader){ .s = s, .heard = BUF(1024) };
	r->w = (struct run_watch){ .modes = modes, .after = after, .wants_events = true,
	    .frames = hear };
}

static void
send(struct stream *s, unsigned mode, const char *name)
{
	struct str data = S("{}");

	if (stream_wants(s, mode))
		stream_send(s, mode, frame_make(str_of(name), &data, 1, stream_id(s)));
	else
		stream_skip(s);
}

static void
send_all(struct stream *s)
{
	send(s, MODE_META, "metadata");
	send(s, MODE_VALUES, "values");
	send(s, MODE_UPDATES, "updates");
}

static void
stop(struct stream *s, struct reader *r, size_t n)
{
	while (stream_pop(s) != NULL)
		continue;
	for (size_t i = 0; i < n; i++)
		buf_release(&r[i].heard);
	stream_release(s);
}

TEST(stream_gives_each_reader_its_modes)
{
	struct stream s = { 0 };
	struct reader r[3];

	stream_init(&s, MODE_VALUES | MODE_UPDATES, true, false, 0);
	CHECK(!stream_wants(&s, MODE_VALUES));
	reader_init(&r[0], &s, MODE_VALUES, -1);
	reader_init(&r[1], &s, MODE_UPDATES, -1);
	reader_init(&r[2], &s, MODE_VALUES | MODE_UPDATES, -1);
	r[2].w.wants_events = false;
	for (int i = 0; i < 3; i++)
		stream_attach(&s, &r[i].w);
	send_all(&s);
	CHECK_STR(buf_str(&r[0].heard), "mv");
	CHECK_STR(buf_str(&r[1].heard), "mu");
	CHECK_INT(r[2].heard.n, 0);
	CHECK(stream_detach(&s, &r[0].w));
	CHECK(!stream_detach(&s, &r[0].w));
	CHECK(!stream_wants(&s, MODE_VALUES));
	send_all(&s);
	CHECK_INT(s.next_id, 6);         /* also those nobody read */
	stop(&s, r, 3);
}

TEST(stream_reader_may_leave_while_it_hears)
{
	struct stream s = { 0 };
	struct reader r[4];

	stream_init(&s, MODE_VALUES | MODE_UPDATES, true, true, 0);
	for (int i = 0; i < 4; i++) {
		reader_init(&r[i], &s, MODE_VALUES | MODE_UPDATES, -1);
		stream_attach(&s, &r[i].w);
	}
	r[0].leaves_at = 'v';
	r[1].leaves_at = 'u';
	r[1].takes = &r[2];
	send_all(&s);
	CHECK_STR(buf_str(&r[0].heard), "mv");
	CHECK_STR(buf_str(&r[1].heard), "mvu");
	CHECK_STR(buf_str(&r[2].heard), "mv");
	CHECK_STR(buf_str(&r[3].heard), "mvu");
	stop(&s, r, 4);
}

/* Frames that an earlier version stored go to a reader by mode and id. */
TEST(stream_replays_frames_that_were_stored)
{
	struct stream s = { 0 };
	struct reader r;

	stream_init(&s, MODE_VALUES | MODE_UPDATES, true, true, 10);
	reader_init(&r, &s, MODE_UPDATES, 13);
	stream_replay_text(&r.w, S("event: updates\ndata: {}\nid: 13\n\n"
	    "event: values\ndata: {}\nid: 14\n\nevent: updates\ndata: {}\nid: 15\n\n"
	    "event: upd"), &r.w.after);
	CHECK_STR(buf_str(&r.heard), "u");
	CHECK_INT(r.w.after, 15);
	stop(&s, &r, 1);
}

TEST(stream_closed_holds_back_in_order)
{
	struct stream s = { 0 };
	struct reader r[2];

	stream_init(&s, MODE_VALUES | MODE_UPDATES, true, true, 0);
	reader_init(&r[0], &s, MODE_VALUES | MODE_UPDATES, -1);
	stream_attach(&s, &r[0].w);
	send(&s, MODE_META, "metadata");
	stream_close(&s);
	send(&s, MODE_VALUES, "values");
	send(&s, MODE_UPDATES, "updates");
	CHECK_STR(buf_str(&r[0].heard), "m");
	/* who comes now does not hear them early, nor twice */
	reader_init(&r[1], &s, MODE_VALUES | MODE_UPDATES, -1);
	stream_attach(&s, &r[1].w);
	CHECK_INT(r[1].heard.n, 0);
	stream_open(&s);
	CHECK_STR(buf_str(&r[0].heard), "mvu");
	CHECK_STR(buf_str(&r[1].heard), "vu");
	stop(&s, r, 2);
}

/* What must be in the store first is held until it is, whoever opens the stream meanwhile. */
TEST(stream_waits_for_what_is_being_written)
{
	struct stream s = { 0 };
	struct reader r;

	stream_init(&s, MODE_VALUES | MODE_UPDATES, true, true, 0);
	CHECK(!stream_wait(&s));             /* nothing is kept */
	s.log = event_log_new(0);
	reader_init(&r, &s, MODE_VALUES | MODE_UPDATES, -1);
	stream_attach(&s, &r.w);
	CHECK(stream_wait(&s));
	send(&s, MODE_VALUES, "values");
	CHECK(stream_wait(&s));
	stream_go(&s);
	stream_close(&s);
	CHECK(!stream_wait(&s));             /* it is held anyway */
	send(&s, MODE_UPDATES, "updates");
	stream_open(&s);
	CHECK_INT(r.heard.n, 0);
	stream_go(&s);
	CHECK_STR(buf_str(&r.heard), "vu");
	CHECK(stream_wait(&s));
	send(&s, MODE_VALUES, "values");
	stream_discard(&s);
	stream_go(&s);                       /* late */
	send(&s, MODE_UPDATES, "updates");
	CHECK_STR(buf_str(&r.heard), "vuu");
	stop(&s, &r, 1);
}

/* Who has read it in the store already gets it once. */
TEST(stream_what_was_written_is_shown_once)
{
	struct stream s = { 0 };
	struct reader early, late;

	stream_init(&s, MODE_VALUES | MODE_UPDATES, true, true, 0);
	s.log = event_log_new(0);
	reader_init(&early, &s, MODE_VALUES | MODE_UPDATES, -1);
	stream_attach(&s, &early.w);
	CHECK(stream_wait(&s));
	send(&s, MODE_VALUES, "values");
	send(&s, MODE_UPDATES, "updates");
	reader_init(&late, &s, MODE_VALUES | MODE_UPDATES, 0);
	stream_attach(&s, &late.w);
	stream_go(&s);
	CHECK_STR(buf_str(&early.heard), "vu");
	CHECK_STR(buf_str(&late.heard), "u");
	CHECK(stream_detach(&s, &late.w));
	buf_release(&late.heard);
	stop(&s, &early, 1);
}

/* Of a resumable run what is held is held for those who come meanwhile, too. */
TEST(stream_closed_without_readers_holds_for_the_next)
{
	for (int keeps = 0; keeps < 2; keeps++) {
		struct stream s = { 0 };
		struct reader r;

		stream_init(&s, MODE_VALUES, true, keeps, 0);
		stream_close(&s);
		send(&s, MODE_VALUES, "values");
		reader_init(&r, &s, MODE_VALUES, -1);
		stream_attach(&s, &r.w);
		stream_open(&s);
		CHECK_INT(r.heard.n, keeps);
		stop(&s, &r, 1);
	}
}
