/*
 * state_channels.c - a namespace's values: steps, changes, views.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "state/channels.h"

enum { MESSAGES, TOPIC, COUNTER, NOTES, FLASH, SECRET, CHANNELS_N };

static const struct channel defs[CHANNELS_N] = {
	[MESSAGES] = { .name = { "messages", 8 }, .reducer = REDUCE_MESSAGES },
	[TOPIC] = { .name = { "topic", 5 }, .reducer = REDUCE_LAST },
	[COUNTER] = { .name = { "counter", 7 }, .reducer = REDUCE_SUM,
		.initial = { .kind = VAL_INT, .u.i = 10 } },
	[NOTES] = { .name = { "notes", 5 }, .reducer = REDUCE_APPEND },
	[FLASH] = { .name = { "flash", 5 }, .reducer = REDUCE_APPEND, .ephemeral = true },
	[SECRET] = { .name = { "secret", 6 }, .reducer = REDUCE_LAST, .private = true },
};

static struct val
json_of(const char *text)
{
	struct val v;

	CHECK_RC(val_json(&v, str_of(text), NULL), OK);
	return v;
}

static int
apply(struct channels *cs, size_t i, const char *json, struct err *e)
{
	struct val v = json_of(json);
	int rc = channels_apply(cs, i, v, 0, e);

	val_drop(v);
	return rc;
}

/* "name keep value; " for each change. */
static void
check_changes(struct channels *cs, const char *want, int line)
{
	struct buf b = BUF(4 * KB);
	struct channel_change c;
	size_t at = 0;

	buf_add(&b, STR_NONE);
	while (channels_change(cs, &at, &c)) {
		buf_add_fmt(&b, "%.*s %zu ", FMT(channels_def(cs, c.index)->name), c.keep);
		if (c.value.kind == VAL_UNDEFINED)
			buf_lit(&b, "-");
		else
			val_add_json(&b, c.value);
		buf_lit(&b, "; ");
	}
	if (!str_eq(buf_str(&b), str_of(want)))
		test_fail(__FILE__, line, "got \"%.*s\", not \"%s\"", FMT(buf_str(&b)), want);
	buf_release(&b);
	channels_settle(cs);
}

#define CHECK_CHANGES(cs, want) check_changes(cs, want, __LINE__)

static void
check_values(const struct channels *cs, const char *want, int line)
{
	struct buf b = BUF(4 * KB);

	channels_values_add_json(&b, cs);
	if (!str_eq(buf_str(&b), str_of(want)))
		test_fail(__FILE__, line, "got %.*s, not %s", FMT(buf_str(&b)), want);
	buf_release(&b);
}

#define CHECK_VALUES(cs, want) check_values(cs, want, __LINE__)

TEST(channels_hold_what_was_written_and_tell_it_once)
{
	struct channels *cs = channels_new(defs, CHANNELS_N);
	struct err e;

	CHECK_VALUES(cs, "{\"counter\":10}");
	CHECK_CHANGES(cs, "");
	CHECK_RC(apply(cs, TOPIC, "\"tea\"", &e), OK);
	CHECK_RC(apply(cs, COUNTER, "2", &e), OK);
	CHECK_RC(apply(cs, COUNTER, "3", &e), OK);
	CHECK_RC(apply(cs, NOTES, "[1,2]", &e), OK);
	CHECK_RC(apply(cs, SECRET, "{\"k\":1}", &e), OK);
	channels_end_step(cs);
	CHECK_VALUES(cs, "{\"topic\":\"tea\",\"counter\":15,\"notes\":[1,2]}");
	CHECK_CHANGES(cs, "topic 0 \"tea\"; counter 0 15; notes 0 [1,2]; secret 0 {\"k\":1}; ");
	CHECK_CHANGES(cs, "");
	CHECK_RC(apply(cs, NOTES, "3", &e), OK);
	CHECK_RC(apply(cs, NOTES, "4", &e), OK);
	channels_end_step(cs);
	CHECK_CHANGES(cs, "notes 2 [1,2,3,4]; ");
	CHECK_INT(channels_find(cs, S("notes")), NOTES);
	CHECK_INT(channels_find(cs, S("note")), CHANNEL_NONE);
	CHECK_INT(channels_count(cs), CHANNELS_N);
	channels_free(cs);
}

TEST(channels_refuse_two_writers_of_one_last)
{
	struct channels *cs = channels_new(defs, CHANNELS_N);
	struct err e;

	CHECK_RC(apply(cs, TOPIC, "1", &e), OK);
	CHECK_RC(apply(cs, TOPIC, "1", &e), ERR_CONFLICT);
	CHECK(str_starts(str_of(e.text), S("LastValue can only receive one value per step.\n\n"
	    "Troubleshooting URL: https://")));
	CHECK_RC(apply(cs, FLASH, "1", &e), OK);
	CHECK_RC(apply(cs, FLASH, "1", &e), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "EphemeralValue can only receive one value per step.");
	CHECK_RC(apply(cs, COUNTER, "{\"__overwrite__\":1}", &e), OK);
	CHECK_RC(apply(cs, COUNTER, "5", &e), OK);        /* the overwrite stands */
	CHECK_RC(apply(cs, COUNTER, "{\"__overwrite__\":2}", &e), ERR_CONFLICT);
	CHECK_STR(str_of(e.text), "Can receive only one Overwrite value per step.");
	CHECK_INT(channels_get(cs, COUNTER).u.i, 1);
	channels_end_step(cs);
	CHECK_RC(apply(cs, TOPIC, "2", &e), OK);
	CHECK_RC(apply(cs, COUNTER, "5", &e), OK);
	CHECK_INT(channels_get(cs, COUNTER).u.i, 6);
	CHECK_RC(apply(cs, COUNTER, "\"x\"", &e), ERR_INVALID);
	CHECK(str_starts(str_of(e.text), S("counter: expected a number")));
	channels_free(cs);
}

TEST(channels_ephemeral_ones_last_a_step)
{
	struct channels *cs = channels_new(defs, CHANNELS_N);
	struct err e;

	CHECK_RC(apply(cs, FLASH, "[1]", &e), OK);
	channels_end_step(cs);
	CHECK_VALUES(cs, "{\"counter\":10,\"flash\":[1]}");
	CHECK_CHANGES(cs, "flash 0 [1]; ");
	CHECK_RC(apply(cs, FLASH, "[2]", &e), OK);        /* not onto the last step's */
	channels_end_step(cs);
	CHECK_CHANGES(cs, "flash 0 [2]; ");
	channels_end_step(cs);
	CHECK_VALUES(cs, "{\"counter\":10}");
	CHECK_CHANGES(cs, "flash 0 -; ");
	channels_end_step(cs);
	CHECK_CHANGES(cs, "");
	channels_free(cs);
}

#define M(id) "{\"content\":\"" id "\",\"id\":\"" id "\",\"type\":\"human\"}"

/* Goal: storage writes the entries that are new; an edit, a remove and what was
 * loaded from another place say how much of the stored list is left. */
TEST(channels_tell_how_much_of_a_list_is_stored)
{
	struct channels *cs = channels_new(defs, CHANNELS_N);
	struct channel_change c;
	size_t at = 0;
	struct err e;

	channels_load(cs, MESSAGES, json_of("[" M("a") "," M("b") "," M("c") "]"));
	channels_load(cs, COUNTER, VAL_UNDEF);
	CHECK_CHANGES(cs, "");
	CHECK_VALUES(cs, "{\"messages\":[" M("a") "," M("b") "," M("c") "]}");
	CHECK_RC(apply(cs, MESSAGES, "[" M("d") "]", &e), OK);
	CHECK_RC(apply(cs, MESSAGES, "[{\"type\":\"remove\",\"id\":\"b\"}]", &e), OK);
	CHECK_RC(apply(cs, MESSAGES, "[" M("e") "]", &e), OK);
	CHECK(channels_change(cs, &at, &c));
	CHECK_INT(c.keep, 1);
	CHECK_INT(val_count(c.value), 4);
	channels_settle(cs);
	CHECK_RC(apply(cs, MESSAGES, "[" M("f") "]", &e), OK);
	at = 0;
	CHECK(channels_change(cs, &at, &c));
	CHECK_INT(c.keep, 4);
	channels_free(cs);
}

TEST(channels_views_are_of_their_own)
{
	struct channels *cs = channels_new(defs, CHANNELS_N), *view;
	struct val v = json_of("[1]"), data;
	struct err e;

	CHECK_RC(channels_put(cs, NOTES, v, 0, &e), OK);
	CHECK_RC(channels_put(cs, TOPIC, v, 0, &e), OK);
	CHECK_RC(channels_put(cs, TOPIC, v, 0, &e), OK);  /* one writer may write twice */
	view = channels_clone(cs);
	CHECK_CHANGES(view, "");
	CHECK_RC(channels_put(view, NOTES, v, 0, &e), OK);
	CHECK_RC(channels_put(view, SECRET, v, 0, &e), OK);
	CHECK_VALUES(cs, "{\"topic\":[1],\"counter\":10,\"notes\":[1]}");
	CHECK_VALUES(view, "{\"topic\":[1],\"counter\":10,\"notes\":[1,1]}");
	data = channels_data(view);
	CHECK_INT(val_count(data), 4);
	channels_free(cs);
	CHECK_CHANGES(view, "notes 1 [1,1]; secret 0 [1]; ");
	channels_free(view);
	val_drop(v), val_drop(data);
}

TEST(channels_bound_what_a_thread_holds)
{
	struct channels *cs = channels_new(defs, CHANNELS_N);
	struct buf b = BUF(LIMIT_JSON_STRING_BYTES + 1);
	struct val v;
	struct err e;
	int rc = OK;

	while (b.n < LIMIT_JSON_STRING_BYTES / 2)
		buf_lit(&b, "0123456789abcdef");
	v = val_string(buf_str(&b));
	for (int i = 0; i < 9 && rc == OK; i++)
		rc = channels_apply(cs, NOTES, v, 0, &e);
	CHECK_RC(rc, ERR_TOOBIG);
	CHECK(val_count(channels_get(cs, NOTES)) >= 6);
	CHECK_RC(channels_apply(cs, TOPIC, v, 0, &e), ERR_TOOBIG);
	channels_free(cs);
	val_drop(v);
	buf_release(&b);
}
