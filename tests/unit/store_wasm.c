/*
 * store_wasm.c - modules of WebAssembly are an owner's, keep their last versions and share
 * their bytes; what a durable agent saves is saved whole or not at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/mail.h"
#include "store/wasm.h"

enum { ID_AGENT = 70, ID_MESSAGE };

/* The hash is any name of the bytes here. */
static struct store_wasm_put
module(const char *name, const char *bytes, bool current)
{
	static char hashes[16][STORE_HASH];
	static size_t n;
	char *hash = hashes[n++ % COUNT(hashes)];

	memset(hash, 0, STORE_HASH);
	memcpy(hash, bytes, strlen(bytes));
	return (struct store_wasm_put){ .bytes = str_of(bytes), .x = { .name = str_of(name),
	    .hash = { hash, STORE_HASH }, .policy_json = S("{\"rate\":5}"), .created = 9,
	    .current = current } };
}

static int
put(struct fix *f, owner_t owner, const char *name, const char *bytes, bool current)
{
	struct store_wasm_put p = module(name, bytes, current);

	return fix_do(f, &p, STORE_WASM_PUT, owner);
}

static struct str
bytes_of(struct fix *f, owner_t owner, const char *name, int64_t number)
{
	struct str s = STR_NONE;
	int rc = store_wasm_bytes(f->r, owner, str_of(name), number, &f->a, &s);

	CHECK(rc == OK || rc == ERR_NOTFOUND);
	return s;
}

/* "7:a1 7:a2*": what there is, the current ones marked. */
static void
see(void *ctx, const struct store_wasm_release *x)
{
	buf_add_fmt(ctx, "%lld:%.*s%lld%s ", (long long)x->owner, FMT(x->name),
	    (long long)x->number, x->current ? "*" : "");
	CHECK_STR(x->policy_json, "{\"rate\":5}");
	CHECK_INT(x->hash.n, STORE_HASH);
	CHECK_INT(x->created, 9);
}

static void
expect(struct fix *f, const char *want)
{
	struct buf b = BUF(1000);

	CHECK_RC(store_wasm_each(f->r, see, &b), OK);
	CHECK_STR(buf_str(&b), want);
	buf_release(&b);
}

/* ---- modules ------------------------------------------------------------------ */

/* Goal: each put is the next version of its owner's name; nobody sees another's, also when
 * the bytes are the same. */
CONTRACT(wasm_owners)
{
	struct store_wasm_delete d = { .name = S("a") };
	struct store_wasm_current to = { .name = S("a"), .number = 1 };

	CHECK_RC(put(f, 7, "a", "one", true), OK);
	CHECK_RC(put(f, 7, "a", "two", true), OK);
	CHECK_RC(put(f, 8, "a", "one", true), OK);
	CHECK_RC(put(f, 7, "b", "one", true), OK);
	expect(f, "7:a1 7:a2* 7:b1* 8:a1* ");
	CHECK_INT(count_rows(f, "wasm_bytes"), 2);
	CHECK_STR(bytes_of(f, 7, "a", 2), "two");
	CHECK_STR(bytes_of(f, 8, "a", 1), "one");
	CHECK(bytes_of(f, 8, "a", 2).p == NULL && bytes_of(f, 8, "b", 1).p == NULL);
	CHECK_RC(fix_do(f, &to, STORE_WASM_CURRENT, 9), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &d, STORE_WASM_DELETE, 9), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &to, STORE_WASM_CURRENT, 7), OK);
	expect(f, "7:a1* 7:a2 7:b1* 8:a1* ");
	CHECK_RC(fix_do(f, &d, STORE_WASM_DELETE, 7), OK);
	expect(f, "7:b1* 8:a1* ");
	CHECK_INT(count_rows(f, "wasm_bytes"), 1);
	CHECK_STR(bytes_of(f, 8, "a", 1), "one");
}

/* Goal: the newest three stay, and those that somebody needs. */
CONTRACT(wasm_versions)
{
	struct store_wasm_put p;
	int64_t used[] = { 2 };
	struct store_wasm_delete d = { .name = S("a"), .number = 5 };

	for (char b[] = "1"; b[0] <= '4'; b[0]++)
		CHECK_RC(put(f, 7, "a", b, b[0] != '4'), OK);
	expect(f, "7:a2 7:a3* 7:a4 ");
	p = module("a", "5", true);
	p.used = used;
	p.used_n = 1;
	CHECK_RC(fix_do(f, &p, STORE_WASM_PUT, 7), OK);
	CHECK_INT(p.x.number, 5);
	CHECK_INT(p.kept_n, 4);
	CHECK_INT(p.kept[0], 2);
	expect(f, "7:a2 7:a3 7:a4 7:a5* ");
	CHECK_RC(fix_do(f, &d, STORE_WASM_DELETE, 7), ERR_CONFLICT);
	d.number = 2;
	CHECK_RC(fix_do(f, &d, STORE_WASM_DELETE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_WASM_DELETE, 7), ERR_NOTFOUND);
	expect(f, "7:a3 7:a4 7:a5* ");
	CHECK_INT(count_rows(f, "wasm_bytes"), 3);
}

/* Goal: an owner's modules are bounded, others' do not count; a new version of one that is
 * there is no new module. */
TEST(wasm_too_many)
{
	struct fix f;
	char name[16];

	fix_open(&f, "memory");
	CHECK_RC(put(&f, 8, "other", "x", true), OK);
	for (int i = 0; i < LIMIT_WASM_MODULES; i++) {
		snprintf(name, sizeof name, "m%d", i);
		CHECK_RC(put(&f, 7, name, "x", true), OK);
	}
	CHECK_RC(put(&f, 7, "more", "y", true), ERR_LIMIT);
	CHECK_RC(put(&f, 7, "m0", "y", true), OK);
	CHECK_INT(count_rows(&f, "wasm_release"), LIMIT_WASM_MODULES + 2);
	fix_close(&f);
}

/* ---- what agents leave ------------------------------------------------------------ */

static void
agent(struct fix *f, owner_t owner, unsigned n)
{
	struct store_mailer_put p = { .m = { .id = id_of(ID_AGENT, n), .kind = S("wasm"),
	    .graph_id = S("a"), .created = 1, .updated = 1 } };

	CHECK_RC(fix_do(f, &p, STORE_MAILER_PUT, owner), OK);
}

/* A message to agent 1; its letter's number. */
static int64_t
letter(struct fix *f, owner_t owner, unsigned n)
{
	struct uuid to = id_of(ID_AGENT, 1);
	struct store_mail m = { .id = id_of(ID_MESSAGE, n), .to = &to, .to_n = 1,
	    .packed = S("x"), .created = 1 };
	struct store_mail_put p = { .mails = &m, .mails_n = 1 };

	return fix_do(f, &p, STORE_MAIL_PUT, owner) == OK ? m.first : -1;
}

/* Agent 1 has handled the letter, and answers agent 2. */
static int
save(struct fix *f, owner_t owner, int64_t taken, unsigned answer, const char *body)
{
	struct uuid to = id_of(ID_AGENT, 2);
	struct store_mail m = { .id = id_of(ID_MESSAGE, answer), .to = &to, .to_n = 1,
	    .packed = S("y"), .sender = id_of(ID_AGENT, 1), .created = 2 };
	struct store_wasm_save s = { .agent = id_of(ID_AGENT, 1), .name = S("a"), .number = 1,
	    .keeps = body == NULL, .body = str_of(body == NULL ? "-" : body), .mails = &m,
	    .mails_n = 1, .taken = &taken, .taken_n = 1, .now = 3 };
	int rc = fix_do(f, &s, STORE_WASM_SAVE, owner);

	CHECK(rc != OK || m.first > 0);
	return rc;
}

static struct str
image(struct fix *f, owner_t owner, unsigned n)
{
	struct store_wasm_image x = { .body = S("none") };
	struct uuid id = id_of(ID_AGENT, n);
	int rc = store_wasm_image(f->r, owner, &id, &f->a, &x);

	CHECK(rc == OK || rc == ERR_NOTFOUND);
	CHECK(rc != OK || (str_eq(x.name, S("a")) && x.number == 1 && x.updated == 3));
	return x.body;
}

/* One byte more than may be: the one before stays. */
static void
too_large(struct fix *f)
{
	struct store_wasm_save s = { .agent = id_of(ID_AGENT, 1), .name = S("a"), .number = 1,
	    .body = { .n = LIMIT_WASM_IMAGE_BYTES + 1 }, .now = 3 };

	s.body.p = mem_zero(s.body.n);
	CHECK_RC(fix_do(f, &s, STORE_WASM_SAVE, 7), ERR_TOOBIG);
	free((char *)s.body.p);
}

/* Goal: image, letter and answer are one; an image stays where it has not changed; another
 * owner can neither save nor read; it goes with the agent. */
CONTRACT(wasm_image)
{
	struct store_mailer_delete gone = { .id = id_of(ID_AGENT, 1) };
	struct store_wasm_delete d = { .name = S("a") };
	int64_t l;

	CHECK_RC(put(f, 7, "a", "one", true), OK);
	agent(f, 7, 1);
	agent(f, 7, 2);
	l = letter(f, 7, 1);
	CHECK_RC(save(f, 8, l, 2, "other"), ERR_NOTFOUND);
	CHECK_RC(save(f, 7, l, 3, "first"), OK);
	CHECK_STR(image(f, 7, 1), "first");
	CHECK_STR(image(f, 8, 1), "none");
	CHECK_INT(count_rows(f, "letter WHERE state = 0"), 1);
	CHECK_INT(count_rows(f, "mail"), 2);
	CHECK_RC(save(f, 7, letter(f, 7, 4), 5, NULL), OK);
	CHECK_STR(image(f, 7, 1), "first");
	too_large(f);
	CHECK_RC(save(f, 7, letter(f, 7, 6), 7, "second"), OK);
	CHECK_STR(image(f, 7, 1), "second");
	CHECK_INT(count_rows(f, "wasm_image"), 1);
	CHECK_RC(fix_do(f, &d, STORE_WASM_DELETE, 7), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &gone, STORE_MAILER_DELETE, 8), OK);
	CHECK_STR(image(f, 7, 1), "second");
	CHECK_RC(fix_do(f, &gone, STORE_MAILER_DELETE, 7), OK);
	CHECK_STR(image(f, 7, 1), "none");
	CHECK_RC(save(f, 7, letter(f, 7, 8), 9, "late"), ERR_NOTFOUND);
	CHECK_INT(count_rows(f, "mail WHERE sender IS NOT NULL"), 3);
	CHECK_RC(fix_do(f, &d, STORE_WASM_DELETE, 7), OK);
}

/* Goal: a version that an image needs is not trimmed, and the image goes when it is told so. */
CONTRACT(wasm_image_keeps_its_version)
{
	CHECK_RC(put(f, 7, "a", "1", true), OK);
	agent(f, 7, 1);
	agent(f, 7, 2);
	CHECK_RC(save(f, 7, letter(f, 7, 1), 2, "state"), OK);
	for (char b[] = "2"; b[0] <= '5'; b[0]++)
		CHECK_RC(put(f, 7, "a", b, true), OK);
	expect(f, "7:a1 7:a3 7:a4 7:a5* ");
	CHECK_RC(save(f, 7, letter(f, 7, 3), 4, ""), OK);
	CHECK_STR(image(f, 7, 1), "none");
	CHECK_RC(put(f, 7, "a", "6", true), OK);
	expect(f, "7:a4 7:a5 7:a6* ");
}

/* ---- faults ------------------------------------------------------------------------ */

enum { LIFE = 10 };

static int
life(struct fix *f)
{
	struct store_wasm_delete d = { .name = S("a") };
	struct store_mailer_put p = { .m = { .id = id_of(ID_AGENT, 1), .kind = S("wasm"),
	    .created = 1, .updated = 1 } };
	struct store_mailer_delete gone = { .id = id_of(ID_AGENT, 1) };
	int64_t l = -1;
	int done = 0;

	for (char b[] = "1"; b[0] <= '4'; b[0]++)
		done += put(f, 7, "a", b, true) == OK;
	done += fix_do(f, &p, STORE_MAILER_PUT, 7) == OK;
	l = letter(f, 7, 1);
	done += l > 0;
	if (l > 0 && save(f, 7, l, 2, "state") == OK) {
		CHECK_STR(image(f, 7, 1), "state");
		done++;
	} else {
		/* Neither: the letter waits, nothing was answered. */
		CHECK_STR(image(f, 7, 1), "none");
		CHECK_INT(count_rows(f, "mail WHERE sender IS NOT NULL"), 0);
		CHECK_INT(count_rows(f, "letter WHERE state = 2"), 0);
	}
	done += put(f, 7, "a", "5", false) == OK;
	done += fix_do(f, &gone, STORE_MAILER_DELETE, 7) == OK;
	done += fix_do(f, &d, STORE_WASM_DELETE, 7) == OK;
	return done;
}

/* Goal: whichever command fails, there are no bytes without a row, no row without bytes. */
TEST(wasm_commands_fail_in_turn)
{
	for (int64_t nth = 1; nth <= LIFE + 1; nth++) {
		struct fix f;

		fix_open(&f, "memory");
		f.st->fail_at = nth;
		CHECK((life(&f) == LIFE) == (nth > LIFE));
		f.st->fail_at = 0;
		fix_close(&f);
	}
}

/* Goal: whichever write to the disk fails, between bytes and row as anywhere, the file is
 * whole after a restart. */
TEST(wasm_writes_fail_in_turn)
{
	bool done = false;

	for (int64_t nth = 1; !done; nth++) {
		struct vfs_faults x = { 0 };
		struct fix f;

		unlink("db");
		fix_open_with(&f, "sqlite", &x);
		x.fail_write = x.writes + nth;
		done = life(&f) == LIFE;
		x.fail_write = 0;
		store_reader_close(f.r);
		store_close(f.st);
		CHECK_RC(store_open(&f.st, &f.options, &f.e), OK);
		CHECK_RC(store_reader_open(f.st, &f.r, &f.e), OK);
		fix_close(&f);
		CHECK(nth < 1000);
	}
}

/* Goal: what was acknowledged is there after a restart. */
TEST(wasm_survives)
{
	struct fix f;

	fix_open(&f, "sqlite");
	CHECK_RC(put(&f, 7, "a", "one", true), OK);
	agent(&f, 7, 1);
	agent(&f, 7, 2);
	CHECK_RC(save(&f, 7, letter(&f, 7, 1), 2, "state"), OK);
	fix_reopen(&f);
	expect(&f, "7:a1* ");
	CHECK_STR(bytes_of(&f, 7, "a", 1), "one");
	CHECK_STR(image(&f, 7, 1), "state");
	CHECK_INT(count_rows(&f, "letter WHERE state = 0"), 1);
	fix_close(&f);
}

/* Goal: a file of version 9 goes on, keeps what it had, and takes modules and images. */
TEST(wasm_in_a_file_of_version_9)
{
	static const char back[] = STORE_BACK_TO_10 "DROP TABLE wasm_bytes; DROP TABLE wasm_release;"
	    " DROP TABLE wasm_image; PRAGMA user_version = 9";
	int64_t before;
	struct db db;
	struct fix f;

	memset(&f, 0, sizeof f);
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_exec(&db, store_v6, &f.e), OK);
	CHECK_RC(db_exec(&db, "PRAGMA application_id = 1131374706; PRAGMA user_version = 6",
	    &f.e), OK);
	CHECK_RC(store_migrate(&db, &f.e), OK);
	CHECK_RC(db_exec(&db, back, &f.e), OK);
	CHECK_RC(db_read_i64(&db, "SELECT count(*) FROM checkpoint", &before, &f.e), OK);
	db_close(&db);
	fix_open(&f, "sqlite");
	CHECK(access("db.bak-v9", F_OK) == 0);
	CHECK_INT(count_rows(&f, "checkpoint"), before);
	CHECK_RC(put(&f, 7, "a", "one", true), OK);
	agent(&f, 7, 1);
	agent(&f, 7, 2);
	CHECK_RC(save(&f, 7, letter(&f, 7, 1), 2, "state"), OK);
	fix_reopen(&f);
	CHECK_STR(image(&f, 7, 1), "state");
	fix_close(&f);
}
