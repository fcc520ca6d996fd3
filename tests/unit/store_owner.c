/*
 * store_owner.c - an owner goes, step by step; also after the steps were cut off; and what is
 * left of him in the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

#include "base/file.h"
#include "store/items.h"
#include "store/owner.h"

static owner_t
intern(struct fix *f, const char *name)
{
	struct store_owner_intern c = { .subject = str_of(name) };

	CHECK_RC(fix_do(f, &c, STORE_OWNER_INTERN, 0), OK);
	return c.id;
}

static int
step(struct fix *f, enum owner_step s, owner_t owner, const char *name,
    struct store_owner_erase *x)
{
	do {
		*x = (struct store_owner_erase){ .step = s, .subject = str_of(name) };
		CHECK(fix_do(f, x, STORE_OWNER_ERASE, owner) == x->cmd.rc);
	} while (x->more && s == OWNER_RESTS);
	return x->cmd.rc;
}

static void
put(struct fix *f, owner_t owner, const char *key, const char *value)
{
	struct store_item_put p = { .item = { .ns = S("place"), .key = str_of(key),
	    .value_json = str_of(value), .created = 1, .updated = 1 } };

	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, owner), OK);
}

static void
take_all(struct fix *f, owner_t owner)
{
	for (int kind = 0; kind < TRUNCATES; kind++) {
		struct store_truncate t = { .what = (enum store_truncated)kind };

		CHECK_RC(fix_do(f, &t, STORE_TRUNCATE, owner), OK);
		CHECK(!t.more);
	}
}

CONTRACT(owner_goes)
{
	owner_t ann = intern(f, "ann"), bob = intern(f, "bob"), again, found;
	struct store_thread_create t = thread_new(1), b = thread_new(2);
	struct store_owner_erase x;

	CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, ann), OK);
	CHECK_RC(fix_do(f, &b, STORE_THREAD_CREATE, bob), OK);
	put(f, ann, "k", "{\"v\":\"hers\"}");
	put(f, bob, "k", "{\"v\":\"his\"}");
	CHECK_RC(step(f, OWNER_LEAVES, 0, "carol", &x), ERR_NOTFOUND);
	CHECK_RC(store_owner_leaving(f->r, S("ann"), &found), ERR_NOTFOUND);
	CHECK_RC(step(f, OWNER_LEAVES, 0, "ann", &x), OK);
	CHECK(x.id == ann && !x.more);
	CHECK_RC(store_owner_find(f->r, S("ann"), &found), ERR_NOTFOUND);
	CHECK_RC(store_owner_leaving(f->r, S("ann"), &found), OK);
	CHECK(found == ann);
	/* Cut off: there is nobody else of the name, whom that would be about. */
	CHECK_RC(step(f, OWNER_LEAVES, 0, "ann", &x), OK);
	CHECK(x.id == ann && !x.more);
	/* She comes again before that is done: as somebody new, who has nothing. */
	again = intern(f, "ann");
	CHECK(again != ann);
	put(f, again, "k", "{\"v\":\"new\"}");
	/* Cut off, and begun again: she who left goes first. */
	CHECK_RC(step(f, OWNER_LEAVES, 0, "ann", &x), OK);
	CHECK(x.id == ann && x.more);
	CHECK_RC(step(f, OWNER_STILLS, ann, "", &x), OK);
	take_all(f, ann);
	CHECK_RC(step(f, OWNER_RESTS, ann, "", &x), OK);
	CHECK_RC(step(f, OWNER_GONE, ann, "ann", &x), OK);
	/* Cut off before the file was scrubbed. */
	CHECK_RC(store_owner_leaving(f->r, S("ann"), &found), OK);
	CHECK(found == ann);
	CHECK_RC(step(f, OWNER_LEAVES, 0, "ann", &x), OK);
	CHECK(x.id == ann && x.more);
	CHECK_RC(step(f, OWNER_ENDS, ann, "", &x), OK);
	CHECK_RC(store_owner_leaving(f->r, S("ann"), &found), ERR_NOTFOUND);
	CHECK_INT(count_rows(f, "item"), 2);
	CHECK_INT(count_rows(f, "item_total"), 2);
	CHECK_INT(count_rows(f, "thread"), 1);
	CHECK_INT(count_rows(f, "owner WHERE subject = 'ann' OR subject = 'bob'"), 2);
	CHECK_RC(step(f, OWNER_LEAVES, 0, "ann", &x), OK);
	CHECK(x.id == again && !x.more);
}

/* Is the word in a file? */
static bool
has(const char *path, const char *word)
{
	struct buf b = BUF(64 * MB);
	struct err e;
	bool yes = file_add(path, &b, &e) == OK && b.n > 0 &&
	    memmem(b.p, b.n, word, strlen(word)) != NULL;

	buf_release(&b);
	return yes;
}

#define DIGEST "2752cd79fabd4b3e6f26dccc6dedcd63"   /* SHA-256 of annsname, half of it */

TEST(owner_leaves_no_byte_in_the_file)
{
	struct store_owner_erase x;
	char value[200];
	struct fix f;
	owner_t ann, bob;

	fix_open(&f, "sqlite");
	ann = intern(&f, "annsname");
	bob = intern(&f, "bobsname");
	for (int i = 0; i < 300; i++) {
		char key[32];

		snprintf(key, sizeof key, "annskey%d", i);
		snprintf(value, sizeof value, "{\"v\":\"annsword and annsother%d\"}", i);
		put(&f, ann, key, value);
		put(&f, bob, key + 4, "{\"v\":\"bobsword\"}");
	}
	CHECK(has("db-wal", "annsword") && has("db-wal", "annskey1"));
	CHECK_RC(step(&f, OWNER_LEAVES, 0, "annsname", &x), OK);
	for (struct store_truncate t = { .more = true }; t.more; ) {
		t = (struct store_truncate){ .what = TRUNCATE_ITEMS };
		CHECK_RC(fix_do(&f, &t, STORE_TRUNCATE, ann), OK);
	}
	CHECK_RC(step(&f, OWNER_RESTS, ann, "", &x), OK);
	CHECK_RC(step(&f, OWNER_GONE, ann, "annsname", &x), OK);
	CHECK(has("db-wal", "annsword"));
	CHECK(has("db-wal", DIGEST));
	CHECK_RC(step(&f, OWNER_SCRUB, 0, "", &x), OK);
	CHECK_RC(step(&f, OWNER_SCRUBBED, 0, "", &x), OK);
	CHECK(has("db", DIGEST));
	CHECK_RC(step(&f, OWNER_ENDS, ann, "", &x), OK);
	for (size_t i = 0; i < 2; i++) {
		const char *path = i == 0 ? "db" : "db-wal";

		CHECK(!has(path, "annsword") && !has(path, "annsother") && !has(path, "annskey") &&
		    !has(path, "annsname"));
	}
	CHECK(has("db", "bobsword") && has("db", "bobsname"));
	put(&f, bob, "more", "{\"v\":\"x\"}");
	fix_close(&f);
	CHECK(!has("db", "annsword") && !has("db", DIGEST));
}
