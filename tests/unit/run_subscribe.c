/*
 * run_subscribe.c - readers of threads in the thread protocol, on the home shard and
 * away from it: who comes when, who is slow, who stops when.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_fix.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "run/subscribe.h"

#define ALL (2u * CHANNEL_CUSTOM - 1)
#define MODES (MODE_VALUES | MODE_UPDATES | MODE_MESSAGES_TUPLE | MODE_TOOLS | MODE_TASKS)
#define RULES "{\"rules\":[" \
	"{\"match\":{\"last\":\"an echo\",\"role\":\"tool\"},\"reply\":\"It said so .\"}," \
	"{\"match\":{\"last\":\"open\",\"role\":\"tool\"},\"reply\":\"It is open now .\"}," \
	"{\"match\":\"gate\",\"tool_calls\":[{\"name\":\"gate\",\"args\":{}}]}," \
	"{\"match\":\"echo\",\"tool_calls\":[{\"name\":\"echo\",\"args\":{}}]}," \
	"{\"match\":\"hold\",\"reply\":\"one two three\",\"token_ms\":600000}," \
	"{\"match\":\"fail500\",\"status\":500}" \
	"],\"default\":{\"reply\":\"One two three four .\"}}"

struct hearer {
	struct subscription s;
	struct protocol_filter filter;
	struct desk *d;
	owner_t owner;
	struct uuid thread;
	struct buf text;                     /* all frames */
	int64_t replayed, first, last;       /* seq of the first event, of the newest */
	size_t room;                         /* blocks that are taken until it is full */
	bool open, ended, full, beyond;
	int rc;
	const char *needle;                  /* waited for */
	size_t times;
};

/* ---- callbacks ---------------------------------------------------------------------- */

static void
enter(struct hearer *h)
{
	CHECK(shard_is_current(h->d->shard));
	pthread_mutex_lock(&h->d->f->lock);
	CHECK(!h->ended);
}

static void
leave(struct hearer *h)
{
	fix_changed(h->d->f);
	pthread_mutex_unlock(&h->d->f->lock);
}

static void
on_opened(struct subscription *s, int64_t replayed)
{
	struct hearer *h = CONTAINER_OF(s, struct hearer, s);

	enter(h);
	CHECK(!h->open);
	h->open = true;
	h->replayed = replayed;
	leave(h);
}

static bool
on_events(struct subscription *s, struct sse_block *b, int64_t first, int64_t last)
{
	struct hearer *h = CONTAINER_OF(s, struct hearer, s);
	bool room = h->room > 1;

	enter(h);
	CHECK(h->open && !h->full);
	CHECK(first <= last && first > h->last && (first > s->since || h->beyond));
	if (h->first == 0)
		h->first = first;
	h->last = last;
	buf_add(&h->text, (struct str){ b->bytes, b->n });
	h->room--;
	h->full = !room;
	leave(h);
	return room;
}

static void
on_end(struct subscription *s, int rc)
{
	struct hearer *h = CONTAINER_OF(s, struct hearer, s);

	enter(h);
	h->ended = true;
	h->rc = rc;
	leave(h);
}

/* ---- on a shard ---------------------------------------------------------------------- */

static void
subscribe_do(struct desk *d, void *arg)
{
	struct hearer *h = arg;

	CHECK_RC(subscribe(d->runs, h->owner, &h->thread, &h->s), OK);
}

static void
unsubscribe_do(struct desk *d, void *arg)
{
	(void)d;
	unsubscribe(&((struct hearer *)arg)->s);
}

static void
ready_do(struct desk *d, void *arg)
{
	struct hearer *h = arg;

	(void)d;
	h->room = SIZE_MAX;
	h->full = false;
	subscription_ready(&h->s);
}

static void
gone_do(struct desk *d, void *arg)
{
	runs_thread_deleted(d->runs, arg);
}

static void
ears_do(struct desk *d, void *arg)
{
	*(size_t *)arg += d->runs->ears.n;
}

struct asked {
	struct fix *f;
	struct uuid thread;
	owner_t owner;
	int64_t seq;
	bool told;
};

static void
on_position(void *ctx, int64_t seq)
{
	struct asked *a = ctx;

	pthread_mutex_lock(&a->f->lock);
	a->seq = seq;
	a->told = true;
	fix_changed(a->f);
	pthread_mutex_unlock(&a->f->lock);
}

static void
position_do(struct desk *d, void *arg)
{
	struct asked *a = arg;

	thread_position(d->runs, a->owner, &a->thread, on_position, a);
}

static bool
is_told(void *arg)
{
	return ((struct asked *)arg)->told;
}

/* ---- what tests say ------------------------------------------------------------------- */

static void
hear(struct hearer *h, struct desk *d, unsigned thread, unsigned channels, int64_t since)
{
	*h = (struct hearer){ .d = d, .text = BUF(64 * MB), .thread = thread_no(thread),
	    .room = SIZE_MAX, .filter = { .channels = channels, .depth = -1 } };
	h->s = (struct subscription){ .filter = &h->filter, .since = since,
	    .wire = PROTOCOL_SSE, .opened = on_opened, .events = on_events, .end = on_end };
}

static bool
is_open(void *arg)
{
	return ((struct hearer *)arg)->open;
}

static void
subscribe_now(struct hearer *h)
{
	desk_do(h->d, subscribe_do, h);
	fix_until(h->d->f, is_open, h, "a reader is open");
}

static void
leave_now(struct hearer *h)
{
	desk_do(h->d, unsubscribe_do, h);
	buf_release(&h->text);
}

static size_t
count(struct str text, const char *needle)
{
	size_t n = 0, len = strlen(needle);

	for (const char *at = text.p, *end = text.p + text.n; text.n > 0 && at < end; n++) {
		at = memmem(at, (size_t)(end - at), needle, len);
		if (at == NULL)
			return n;
		at += len;
	}
	return n;
}

static bool
has_heard(void *arg)
{
	struct hearer *h = arg;

	return count(buf_str(&h->text), h->needle) >= h->times;
}

static void
until_heard(struct hearer *h, const char *needle, size_t times)
{
	h->needle = needle;
	h->times = times;
	fix_until(h->d->f, has_heard, h, needle);
}

#define ENDED "{\"event\":\"completed\",\"graph_name\":\"agent\"}"

static bool
has_ended(void *arg)
{
	return ((struct hearer *)arg)->ended;
}

static void
until_end(struct hearer *h, int rc)
{
	fix_until(h->d->f, has_ended, h, "the end of a reader");
	CHECK_INT(h->rc, rc);
	buf_release(&h->text);
}

static struct uuid
run_once(struct desk *d, unsigned thread, const char *input, bool resumable)
{
	struct ear x;
	struct uuid id;

	CHECK_RC(ear_start(&x, d, (struct ask){ .thread = thread_no(thread), .input = input,
	    .modes = resumable ? MODES : MODE_VALUES, .resumable = resumable }), OK);
	ear_until_end(&x);
	id = x.run_id;
	ear_free(&x);
	return id;
}

static int64_t
position(struct desk *d, unsigned thread, owner_t owner)
{
	struct asked a = { .f = d->f, .thread = thread_no(thread), .owner = owner };

	desk_do(d, position_do, &a);
	fix_until(d->f, is_told, &a, "a position");
	return a.seq;
}

/* Nothing of readers is left on any shard; see check_nobody of run_listen.c. */
static void
check_nobody(struct fix *f)
{
	size_t ears = 1;

	for (unsigned tries = 0; tries < 100 && (ears > 0 ||
	    atomic_load(&f->sh->listeners) > 0); tries++) {
		ears = 0;
		for (unsigned i = 0; i < f->n; i++)
			desk_do(&f->desks[i], ears_do, &ears);
	}
	CHECK_INT(ears, 0);
	CHECK_INT(atomic_load(&f->sh->listeners), 0);
}

/* The frames of b are those of a behind some number. */
static void
check_tail(const struct hearer *a, const struct hearer *b)
{
	CHECK(b->text.n > 0 && b->text.n <= a->text.n);
	CHECK(memcmp(a->text.p + a->text.n - b->text.n, b->text.p, b->text.n) == 0);
}

/* ---- tests ------------------------------------------------------------------------------ */

/* Goal: wherever they are, and whenever they come, readers get the same bytes. */
TEST(readers_hear_the_same_live_and_later)
{
	struct hearer h[4], late;
	struct fix f;

	fix_open(&f, "memory", 2, RULES);
	for (unsigned i = 0; i < 4; i++) {
		hear(&h[i], &f.desks[i % 2], 1, i < 3 ? ALL : CHANNEL_TOOLS, -1);
		subscribe_now(&h[i]);
		CHECK_INT(h[i].replayed, 0);
	}
	run_once(&f.desks[0], 1, SAY("echo"), true);
	run_once(&f.desks[1], 1, HI, false);
	for (unsigned i = 0; i < 3; i++)
		until_heard(&h[i], ENDED, 2);
	for (unsigned i = 1; i < 3; i++)
		CHECK(str_eq(buf_str(&h[0].text), buf_str(&h[i].text)));
	until_heard(&h[3], "tool-finished", 1);
	CHECK_INT(count(buf_str(&h[3].text), "event: "), 2);
	CHECK(count(buf_str(&h[0].text), "text-delta") >= 9);
	CHECK_INT(count(buf_str(&h[0].text), "\"method\":\"checkpoints\""),
	    count(buf_str(&h[0].text), "\"method\":\"values\""));
	for (unsigned i = 0; i < 2; i++) {
		hear(&late, &f.desks[i], 1, ALL, -1);
		subscribe_now(&late);
		until_heard(&late, ENDED, 2);
		CHECK(str_eq(buf_str(&h[0].text), buf_str(&late.text)));
		CHECK_INT(late.replayed, count(buf_str(&late.text), "event: "));
		leave_now(&late);
	}
	/* every number of the stream */
	for (const char *at = h[0].text.p; (at = strstr(at, "\"seq\":")) != NULL; at++) {
		hear(&late, &f.desks[0], 1, ALL, strtoll(at + 6, NULL, 10));
		subscribe_now(&late);
		if (late.s.since < h[0].last) {
			until_heard(&late, ENDED, 1 + (late.replayed > 30));
			while (late.last < h[0].last)
				until_heard(&late, "event: ", (size_t)late.replayed);
			check_tail(&h[0], &late);
			CHECK(late.first > late.s.since);
		}
		leave_now(&late);
	}
	CHECK(position(&f.desks[1], 1, 0) >= h[0].last);
	CHECK_INT(position(&f.desks[0], 1, 1), 0);
	CHECK_INT(position(&f.desks[0], 2, 0), 0);
	for (unsigned i = 0; i < 4; i++)
		leave_now(&h[i]);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: a since that no event of the thread has is of another store: all is told. */
TEST(reader_from_beyond_the_last_event_hears_all)
{
	struct hearer h;
	struct fix f;

	fix_open(&f, "memory", 1, RULES);
	run_once(&f.desks[0], 1, HI, true);
	hear(&h, &f.desks[0], 1, CHANNEL_LIFECYCLE, -1);
	subscribe_now(&h);
	until_heard(&h, ENDED, 1);
	leave_now(&h);
	hear(&h, &f.desks[0], 1, CHANNEL_LIFECYCLE, INT64_C(1) << 50);
	h.beyond = true;
	desk_do(h.d, subscribe_do, &h);
	fix_until(h.d->f, is_open, &h, "a reader is open");
	until_heard(&h, ENDED, 1);
	CHECK_INT(h.replayed, 2);
	leave_now(&h);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: a run that told nobody is told in short, with numbers that stay. */
TEST(run_without_a_log_is_told_in_short)
{
	struct hearer h[3];
	struct fix f;

	fix_open(&f, "sqlite", 2, RULES);
	run_once(&f.desks[0], 1, SAY("echo"), false);
	for (unsigned i = 0; i < 2; i++) {
		hear(&h[i], &f.desks[i], 1, ALL, -1);
		subscribe_now(&h[i]);
		until_heard(&h[i], ENDED, 1);
	}
	CHECK_INT(count(buf_str(&h[0].text), "event: "), 4);
	CHECK_INT(count(buf_str(&h[0].text), "\"event\":\"running\""), 1);
	CHECK_INT(count(buf_str(&h[0].text), "It said so ."), 1);
	CHECK(str_eq(buf_str(&h[0].text), buf_str(&h[1].text)));
	run_once(&f.desks[0], 1, HI, false);
	until_heard(&h[0], ENDED, 2);
	until_heard(&h[1], ENDED, 2);
	fix_crash(&f);
	hear(&h[2], &f.desks[0], 1, ALL, -1);
	subscribe_now(&h[2]);
	until_heard(&h[2], ENDED, 2);
	CHECK(str_eq(buf_str(&h[0].text), buf_str(&h[2].text)));
	buf_release(&h[0].text);
	buf_release(&h[1].text);
	leave_now(&h[2]);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: who comes in the middle of a run hears where it stands and all that follows. */
TEST(reader_in_the_middle_of_a_run_hears_the_rest)
{
	struct hearer h, late;
	struct fix f;
	struct ear x;

	for (unsigned i = 0; i < 2; i++) {
		fix_open(&f, "memory", 2, RULES);
		CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = SAY("gate"), .modes = MODE_UPDATES, .resumable = i == 1 }), OK);
		gate_until_held(&f, 1);
		hear(&h, &f.desks[1], 1, ALL, -1);
		subscribe_now(&h);
		until_heard(&h, "\"event\":\"running\"", 1);
		until_heard(&h, "event: values", 1);
		gate_open(&f);
		until_heard(&h, ENDED, 1);
		ear_until_end(&x);
		CHECK_INT(count(buf_str(&h.text), "\"text-delta\",\"text\":"), 5);
		CHECK_INT(count(buf_str(&h.text), "\"event\":\"running\""), 1);
		hear(&late, &f.desks[0], 1, ALL, -1);
		subscribe_now(&late);
		until_heard(&late, ENDED, 1);
		CHECK(str_eq(buf_str(&h.text), buf_str(&late.text)));
		leave_now(&h);
		leave_now(&late);
		ear_free(&x);
		check_nobody(&f);
		fix_close(&f);
	}
}

/* All text that a reader was told, joined. */
static void
joined_text(const struct hearer *h, struct buf *out)
{
	static const char mark[] = "\"text-delta\",\"text\":\"";

	for (const char *at = h->text.p; (at = strstr(at, mark)) != NULL; ) {
		at += sizeof mark - 1;
		buf_add(out, (struct str){ at, (size_t)(strchr(at, '"') - at) });
	}
}

/* Goal: a reader that is full hears later what it missed: each event but joined deltas,
 * none twice. */
TEST(slow_reader_hears_all_with_deltas_joined)
{
	struct buf text[2] = { BUF(MB), BUF(MB) };
	struct hearer fast, slow;
	struct fix f;

	fix_open(&f, "memory", 2, RULES);
	hear(&fast, &f.desks[0], 1, ALL, -1);
	hear(&slow, &f.desks[1], 1, ALL, -1);
	slow.room = 7;
	subscribe_now(&fast);
	subscribe_now(&slow);
	run_once(&f.desks[0], 1, SAY("echo"), true);
	run_once(&f.desks[0], 1, HI, true);
	until_heard(&fast, ENDED, 2);
	until_heard(&slow, "event: ", 7);
	CHECK_INT(count(buf_str(&slow.text), "event: "), 7);
	desk_do(slow.d, ready_do, &slow);
	until_heard(&slow, ENDED, 2);
	CHECK_INT(slow.last, fast.last);
	joined_text(&fast, &text[0]);
	joined_text(&slow, &text[1]);
	CHECK_STR(buf_str(&text[0]), "It said so .One two three four .");
	CHECK(str_eq(buf_str(&text[0]), buf_str(&text[1])));
	CHECK_INT(count(buf_str(&fast.text), "text-delta"), 9);
	CHECK_INT(count(buf_str(&slow.text), "text-delta"), 2);
	CHECK_INT(count(buf_str(&fast.text), "event: ") - count(buf_str(&slow.text), "event: "),
	    7 + count(buf_str(&fast.text), "\"block-delta\"") -
	    count(buf_str(&slow.text), "\"block-delta\""));
	/* and is live again */
	run_once(&f.desks[0], 1, HI, true);
	until_heard(&fast, ENDED, 3);
	until_heard(&slow, ENDED, 3);
	CHECK_INT(count(buf_str(&slow.text), "text-delta"), 2 + 5);
	buf_release(&text[0]);
	buf_release(&text[1]);
	leave_now(&fast);
	leave_now(&slow);
	check_nobody(&f);
	fix_close(&f);
}

static unsigned seed;

static unsigned
rnd(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Goal: whoever is slow when, nothing is lost and nothing comes twice.  Method: readers
 * that are full and ready again at random while runs go on; on_events checks numbers. */
TEST(readers_that_are_slow_at_random_lose_nothing)
{
	static struct hearer h[6];
	struct buf expected = BUF(MB), got = BUF(MB);
	struct fix f;

	seed = 7;
	fix_open(&f, "memory", 2, RULES);
	for (unsigned i = 0; i < 6; i++) {
		hear(&h[i], &f.desks[i % 2], 1, ALL, -1);
		h[i].room = i == 0 ? SIZE_MAX : 1 + rnd(20);
		subscribe_now(&h[i]);
	}
	for (unsigned round = 0; round < 12; round++) {
		run_once(&f.desks[rnd(2)], 1, rnd(2) ? SAY("echo") : HI, rnd(2));
		for (unsigned i = 1; i < 6; i++) {
			if (h[i].full && rnd(2)) {
				desk_do(h[i].d, ready_do, &h[i]);
				h[i].room = 1 + rnd(40);
			}
		}
	}
	until_heard(&h[0], ENDED, 12);
	joined_text(&h[0], &expected);
	for (unsigned i = 1; i < 6; i++) {
		if (h[i].full)
			desk_do(h[i].d, ready_do, &h[i]);
		h[i].room = SIZE_MAX;
		until_heard(&h[i], ENDED, 12);
		buf_clear(&got);
		joined_text(&h[i], &got);
		CHECK(str_eq(buf_str(&expected), buf_str(&got)));
		CHECK_INT(h[i].last, h[0].last);
		CHECK_INT(count(buf_str(&h[i].text), "\"method\":\"values\""),
		    count(buf_str(&h[0].text), "\"method\":\"values\""));
	}
	for (unsigned i = 0; i < 6; i++)
		leave_now(&h[i]);
	buf_release(&expected);
	buf_release(&got);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: a thread that is another's is as one that is not there, before and after. */
TEST(readers_hear_their_own_owners_thread_only)
{
	struct hearer own, other;
	struct fix f;
	struct uuid id = thread_no(1);

	fix_open(&f, "memory", 2, RULES);
	hear(&own, &f.desks[0], 1, ALL, -1);
	hear(&other, &f.desks[1], 1, ALL, -1);
	other.owner = 9;
	subscribe_now(&other);
	subscribe_now(&own);
	run_once(&f.desks[0], 1, HI, true);
	until_heard(&own, ENDED, 1);
	CHECK_INT(other.text.n, 0);
	/* it is gone: only its owner's readers hear that */
	desk_do(&f.desks[0], gone_do, &id);
	until_end(&own, ERR_NOTFOUND);
	CHECK(!other.ended);
	leave_now(&other);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: a question is told before the run's end, to who comes later too; so is a failure. */
TEST(ends_of_runs_are_told_as_they_were)
{
	static const char *const asks =
	    "{\"configurable\":{\"interrupt_on\":{\"echo\":true}}}";
	struct hearer h, late;
	struct fix f;
	struct ear x;
	const char *asked, *end;

	fix_open(&f, "memory", 2, RULES);
	hear(&h, &f.desks[1], 1, CHANNEL_INPUT | CHANNEL_LIFECYCLE, -1);
	subscribe_now(&h);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("echo"), .config = asks, .modes = MODE_VALUES }), OK);
	ear_until_end(&x);
	ear_free(&x);
	until_heard(&h, "\"event\":\"interrupted\"", 1);
	asked = strstr(h.text.p, "event: input.requested");
	end = strstr(h.text.p, "\"event\":\"interrupted\"");
	CHECK(asked != NULL && asked < end);
	CHECK_INT(count(buf_str(&h.text), "\"payload\":"), 1);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("fail500"), .modes = MODE_VALUES }), OK);
	ear_until_end(&x);
	ear_free(&x);
	until_heard(&h, "\"event\":\"failed\",\"graph_name\":\"agent\",\"error\":\"", 1);
	CHECK_INT(count(buf_str(&h.text), "event: "), 5);
	hear(&late, &f.desks[0], 1, CHANNEL_INPUT | CHANNEL_LIFECYCLE, -1);
	subscribe_now(&late);
	until_heard(&late, "\"event\":\"failed\"", 1);
	CHECK(str_eq(buf_str(&h.text), buf_str(&late.text)));
	leave_now(&h);
	leave_now(&late);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: after a crash, whatever was written of what was told, no number is given again,
 * and what a model had begun to say is taken back. */
TEST(numbers_are_not_given_again_after_a_crash)
{
	struct hearer h, after;
	struct fix f;
	struct ear x;

	for (unsigned i = 0; i < 2; i++) {
		fix_open(&f, "sqlite", 1, RULES);
		hear(&h, &f.desks[0], 1 + i, ALL, -1);
		subscribe_now(&h);
		CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1 + i),
		    .input = SAY("hold"), .modes = i == 1 ? MODES : MODE_VALUES,
		    .resumable = i == 1 }), OK);
		until_heard(&h, "\"text-delta\",\"text\":\"one\"", 1);
		fix_crash(&f);
		until_end(&h, ERR_CLOSED);

		hear(&after, &f.desks[0], 1 + i, ALL, h.last);
		subscribe_now(&after);
		until_heard(&after, "\"text-delta\",\"text\":\"one\"", 1);
		CHECK(after.first > h.last);
		until_heard(&after, "\"code\":\"retracted\"", 1);
		CHECK_INT(count(buf_str(&after.text), "\"event\":\"running\""), 0);
		CHECK_RC(order_cancel_and_wait(&f.desks[0], &x), OK);
		until_heard(&after, "\"event\":\"interrupted\"", 1);
		ear_free(&x);
		leave_now(&after);
		check_nobody(&f);
		fix_close(&f);
	}
}

/* Goal: the end of a run has a number of its own, also when all of the run was written at
 * once. */
TEST(ends_of_runs_have_their_own_numbers)
{
	struct hearer h;
	struct fix f;
	struct ear x;
	int64_t last = 0;

	fix_open(&f, "memory", 1, RULES);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = HI, .modes = MODE_VALUES, .resumable = true }), OK);
		ear_until_end(&x);
		ear_free(&x);
	}
	hear(&h, &f.desks[0], 1, ALL, -1);
	subscribe_now(&h);
	until_heard(&h, ENDED, 3);
	for (const char *at = h.text.p; (at = strstr(at, "\"seq\":")) != NULL; at++) {
		int64_t seq = strtoll(at + 6, NULL, 10);

		CHECK(seq > last);
		last = seq;
	}
	CHECK(position(&f.desks[0], 1, 0) >= last);
	leave_now(&h);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: a last run that is long is told to who comes by its beginning, its last state and
 * its end; runs before it are not; who was there has heard all. */
TEST(long_last_run_is_told_in_short)
{
	struct buf script = BUF(4 * MB);
	struct hearer h, late;
	struct fix f;

	buf_lit(&script, "{\"rules\":[{\"match\":\"much\",\"reply\":\"");
	for (unsigned i = 0; i < 900000; i++)
		buf_add_char(&script, i % 10000 == 0 ? ' ' : 'x');
	buf_lit(&script, "\"}],\"default\":{\"reply\":\"One .\"}}");
	fix_open(&f, "memory", 1, script.p);
	run_once(&f.desks[0], 1, HI, true);
	hear(&h, &f.desks[0], 1, CHANNEL_LIFECYCLE | CHANNEL_TASKS, -1);
	subscribe_now(&h);
	run_once(&f.desks[0], 1, SAY("much"), true);
	until_heard(&h, ENDED, 2);
	hear(&late, &f.desks[0], 1, ALL, -1);
	subscribe_now(&late);
	until_heard(&late, ENDED, 1);
	CHECK_INT(late.replayed, 4);
	CHECK_INT(count(buf_str(&late.text), "event: values"), 1);
	CHECK_INT(count(buf_str(&late.text), "event: lifecycle"), 2);
	CHECK(late.last == h.last);
	buf_release(&script);
	leave_now(&h);
	leave_now(&late);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: a pending run that is cancelled has an end for who reads, though it never lived. */
TEST(run_that_never_lived_has_its_end)
{
	struct hearer h;
	struct fix f;
	struct ear x, y;

	fix_open(&f, "memory", 2, RULES);
	hear(&h, &f.desks[1], 1, ALL, -1);
	subscribe_now(&h);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate"), .modes = MODE_VALUES }), OK);
	gate_until_held(&f, 1);
	CHECK_RC(ear_start(&y, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI, .modes = MODE_VALUES, .multitask = MULTITASK_ENQUEUE }), OK);
	ear_until_started(&y);
	CHECK_RC(order_cancel_and_wait(&f.desks[1], &y), OK);
	until_heard(&h, "\"event\":\"interrupted\"", 1);
	gate_open(&f);
	until_heard(&h, ENDED, 1);
	ear_until_end(&x);
	CHECK_INT(count(buf_str(&h.text), "event: lifecycle"), 4);
	CHECK_INT(count(buf_str(&h.text), "tool-finished"), 1);  /* with a number of its own */
	ear_until_end(&y);
	ear_free(&x);
	ear_free(&y);
	leave_now(&h);
	check_nobody(&f);
	fix_close(&f);
}

/* Goal: past its limit a thread takes no reader; others are not affected. */
TEST(readers_of_one_thread_are_limited)
{
	static struct hearer h[LIMIT_THREAD_LISTENERS + 1];
	struct hearer other;
	size_t refused = 0;
	struct fix f;

	fix_open(&f, "memory", 2, RULES);
	for (size_t i = 0; i < COUNT(h); i++) {
		hear(&h[i], &f.desks[i % 2], 1, CHANNEL_LIFECYCLE, -1);
		desk_do(h[i].d, subscribe_do, &h[i]);
	}
	hear(&other, &f.desks[0], 1, CHANNEL_LIFECYCLE, -1);
	other.owner = 9;
	subscribe_now(&other);
	run_once(&f.desks[0], 1, HI, true);
	for (size_t i = 0; i < COUNT(h); i++) {
		if (h[i].ended) {
			CHECK_INT(h[i].rc, ERR_LIMIT);
			CHECK(!h[i].open);
			refused++;
			continue;
		}
		until_heard(&h[i], ENDED, 1);
		leave_now(&h[i]);
	}
	CHECK_INT(refused, 1);
	leave_now(&other);
	check_nobody(&f);
	fix_close(&f);
}
