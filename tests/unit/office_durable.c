/*
 * office_durable.c - an office's side of the store: messages are answered after their commit,
 * what became of letters is written, once the store can.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "mail/host/durable.h"

#include <string.h>

struct fix {
	struct store_options options;
	struct store *st;
	struct store_reader *r;
	struct shard *shard;
	struct durable *d;
	/* the last answer */
	bool came;
	int rc;
	int64_t first;
	bool known;
	size_t letters_n;
	int64_t number;
	bool drained;
};

/* fail_at: the write command that fails; 0: none. */
static void
fix_open(struct fix *f, int64_t fail_at)
{
	struct err e;

	memset(f, 0, sizeof *f);
	f->options = (struct store_options){ .driver = S("memory"), .fail_at = fail_at };
	CHECK_RC(shard_new(&f->shard, 0, &e), OK);
	CHECK_RC(store_open(&f->st, &f->options, &e), OK);
	CHECK_RC(store_reader_open(f->st, &f->r, &e), OK);
	f->d = durable_new(f->st, f->shard);
}

static void
fix_close(struct fix *f)
{
	durable_free(f->d);
	store_reader_close(f->r);
	store_close(f->st);
	shard_free(f->shard);
}

static void
settle(struct fix *f)
{
	while (!durable_is_idle(f->d))
		shard_turn(f->shard);
}

static void
put_came(void *ctx, int rc, const struct store_mail *m, const struct err *e)
{
	struct fix *f = ctx;

	f->came = true;
	f->rc = rc;
	f->first = m->first;
	f->known = m->known;
	CHECK(rc == OK || e->text[0] != '\0');
}

/* To so many receivers. */
static void
put(struct fix *f, unsigned id, size_t to_n)
{
	struct uuid *to = calloc(to_n, sizeof *to);
	char packed[] = "packed";
	struct store_mail m = { .id = { { 1, (uint8_t)id } }, .to = to, .to_n = to_n,
	    .packed = { packed, 6 }, .conversation = S("c"), .created = 1 };

	for (size_t i = 0; i < to_n; i++)
		to[i].b[0] = 9;
	f->came = false;
	durable_put(f->d, 7, &m, put_came, f);
	memset(packed, 'x', sizeof packed);
	free(to);
	CHECK(!f->came);
	settle(f);
	CHECK(f->came);
}

static void
count(void *ctx, const struct store_letter *l)
{
	size_t *n = ctx;

	CHECK_STR(l->packed, "packed");
	CHECK_INT(l->owner, 7);
	++*n;
}

static size_t
waiting(struct fix *f)
{
	size_t n = 0;

	CHECK_RC(store_letters_each(f->r, count, &n), OK);
	return n;
}

static void
became(struct fix *f, int64_t row, enum store_mail_state state)
{
	const struct letter l = { .flags = LETTER_DURABLE, .row = row, .tries = 3 };

	durable_became(f->d, &l, state, DEAD_FULL);
}

/* Goal: a message is there when it is answered, with what the caller had; once. */
TEST(durable_put_is_answered_after_its_commit)
{
	struct fix f;

	fix_open(&f, 0);
	put(&f, 1, 2);
	CHECK_RC(f.rc, OK);
	CHECK(f.first > 0 && !f.known);
	CHECK_INT(waiting(&f), 2);
	put(&f, 1, 2);
	CHECK_RC(f.rc, OK);
	CHECK(f.known);
	CHECK_INT(waiting(&f), 2);
	fix_close(&f);
}

TEST(durable_put_that_fails_says_so)
{
	struct fix f;

	fix_open(&f, 1);
	put(&f, 1, 1);
	CHECK_RC(f.rc, ERR_IO);
	CHECK_INT(waiting(&f), 0);
	fix_close(&f);
}

/* Goal: all that ended in a turn is written, however many; what is not durable is not. */
TEST(durable_ends_of_a_turn_are_written)
{
	const struct letter other = { .row = 1 };
	struct fix f;

	fix_open(&f, 0);
	put(&f, 1, 1000);
	durable_became(f.d, &other, MAIL_DELIVERED, 0);
	CHECK(durable_is_idle(f.d));
	for (int64_t i = 0; i < 998; i++)
		became(&f, f.first + i, i % 2 == 0 ? MAIL_DELIVERED : MAIL_DEAD);
	CHECK(!durable_is_idle(f.d));
	settle(&f);
	CHECK_INT(waiting(&f), 2);
	fix_close(&f);
}

/* Goal: what the store cannot write now is written later. */
TEST(durable_ends_are_written_when_the_store_can)
{
	struct fix f;

	fix_open(&f, 2);
	put(&f, 1, 3);
	became(&f, f.first, MAIL_DELIVERED);
	shard_turn(f.shard);
	became(&f, f.first + 1, MAIL_EXPIRED);
	settle(&f);
	CHECK_INT(waiting(&f), 1);
	fix_close(&f);
}

static void
drained(void *ctx)
{
	((struct fix *)ctx)->drained = true;
}

/* Goal: who stops waits for what is under way, and not for a store that cannot. */
TEST(durable_drain)
{
	struct fix f;

	fix_open(&f, 3);
	put(&f, 1, 2);
	became(&f, f.first, MAIL_DELIVERED);
	durable_drain(f.d, drained, &f);
	CHECK(!f.drained);
	while (!f.drained)
		shard_turn(f.shard);
	CHECK(durable_is_idle(f.d));
	CHECK_INT(waiting(&f), 1);
	f.drained = false;
	became(&f, f.first + 1, MAIL_DELIVERED);     /* the one that fails */
	durable_drain(f.d, drained, &f);
	while (!f.drained)
		shard_turn(f.shard);
	CHECK(durable_is_idle(f.d));
	CHECK_INT(waiting(&f), 1);
	fix_close(&f);
}

static void
revived(void *ctx, int rc, const struct store_letter *letters, size_t n, const struct err *e)
{
	struct fix *f = ctx;

	f->rc = rc;
	f->letters_n = n;
	f->number = n > 0 ? letters[0].number : 0;
	CHECK(rc == OK || e->text[0] != '\0');
}

/* Goal: dead letters wait again, or are gone, once. */
TEST(durable_dead_letters)
{
	const struct uuid id = { { 1, 1 } };
	struct fix f;

	fix_open(&f, 0);
	put(&f, 1, 2);
	became(&f, f.first + 1, MAIL_DEAD);
	settle(&f);
	CHECK_INT(waiting(&f), 1);
	durable_dead(f.d, 8, &id, false, revived, &f);
	settle(&f);
	CHECK_RC(f.rc, ERR_NOTFOUND);
	durable_dead(f.d, 7, &id, false, revived, &f);
	settle(&f);
	CHECK_RC(f.rc, OK);
	CHECK(f.letters_n == 1 && f.number == f.first + 1);
	CHECK_INT(waiting(&f), 2);
	became(&f, f.first + 1, MAIL_DEAD);
	settle(&f);
	durable_dead(f.d, 7, &id, true, revived, &f);
	settle(&f);
	CHECK_RC(f.rc, OK);
	CHECK_INT(waiting(&f), 1);
	durable_dead(f.d, 7, &id, true, revived, &f);
	settle(&f);
	CHECK_RC(f.rc, ERR_NOTFOUND);
	fix_close(&f);
}
