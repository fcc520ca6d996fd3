/*
 * store_mail.c - the contract of messages between agents, and of agents that live on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

#include "store/mail.h"

enum { ID_MESSAGE = 20, ID_AGENT };

static struct store_mail
mail_new(unsigned n, const struct uuid *to, size_t to_n)
{
	return (struct store_mail){ .id = id_of(ID_MESSAGE, n), .to = to, .to_n = to_n,
	    .sender = id_of(ID_AGENT, 99), .conversation = S("c1"),
	    .packed = S("packed"), .created = 1000 + n };
}

static int
put(struct fix *f, owner_t owner, struct store_mail *mails, size_t n)
{
	struct store_mail_put c = { .mails = mails, .mails_n = n };

	return fix_do(f, &c, STORE_MAIL_PUT, owner);
}

static int64_t
put_one(struct fix *f, owner_t owner, unsigned n)
{
	struct uuid to = id_of(ID_AGENT, n);
	struct store_mail m = mail_new(n, &to, 1);

	CHECK_RC(put(f, owner, &m, 1), OK);
	CHECK(!m.known && m.first > 0);
	return m.first;
}

static int
set(struct fix *f, int64_t number, enum store_mail_state state, msec now)
{
	const struct store_mail_became b = { .number = number, .state = state,
	    .reason = 3, .tries = 5 };
	struct store_mail_set c = { .at = &b, .n = 1, .now = now };

	return fix_do(f, &c, STORE_MAIL_SET, 0);
}

static struct letters { struct fix *f; struct store_letter at[16]; size_t n; } seen;

static void
see_letter(void *ctx, const struct store_letter *l)
{
	struct letters *x = ctx;

	CHECK(x->n < COUNT(x->at));
	x->at[x->n] = *l;
	x->at[x->n].packed = arena_str(&x->f->a, l->packed);
	x->at[x->n++].conversation = arena_str(&x->f->a, l->conversation);
}

/* *out is good until the next call. */
static size_t
waiting(struct fix *f, struct store_letter **out)
{
	seen.f = f;
	seen.n = 0;
	CHECK_RC(store_letters_each(f->r, see_letter, &seen), OK);
	*out = seen.at;
	return seen.n;
}

static struct store_mail_list
list(struct fix *f, owner_t owner, const char *conversation)
{
	struct store_mail_list c = { .conversation = str_of(conversation), .limit = 10 };

	CHECK_RC(fix_do(f, &c, STORE_MAIL_LIST, owner), OK);
	return c;
}

/* Goal: a message is there once however often it is sent, for each owner. */
CONTRACT(mail_put_again)
{
	struct uuid to[2] = { id_of(ID_AGENT, 1), id_of(ID_AGENT, 2) };
	struct store_mail m[3] = { mail_new(1, to, 2), mail_new(2, to, 1),
	    mail_new(1, to, 1) };
	struct store_letter *l;

	m[0].expires = 77;
	m[1].sender = (struct uuid){ { 0 } };
	m[1].conversation = STR_NONE;
	CHECK_RC(put(f, 7, m, 3), OK);
	CHECK(!m[0].known && !m[1].known && m[2].known);
	CHECK(m[1].first == m[0].first + 2 && m[2].first == 0);
	CHECK_RC(put(f, 7, m, 2), OK);
	CHECK(m[0].known && m[1].known);
	CHECK_RC(put(f, 8, m, 1), OK);
	CHECK(!m[0].known);
	CHECK_INT(waiting(f, &l), 5);
	CHECK(uuid_eq(&l[0].id, &m[0].id) && uuid_eq(&l[1].id, &m[0].id));
	CHECK(uuid_eq(&l[0].to, &to[0]) && uuid_eq(&l[1].to, &to[1]));
	CHECK(uuid_eq(&l[1].sender, &m[0].sender));
	CHECK_STR(l[1].packed, "packed");
	CHECK_STR(l[1].conversation, "c1");
	CHECK_INT(l[1].expires, 77);
	CHECK_INT(l[1].created, 1001);
	CHECK(uuid_is_zero(&l[2].sender) && l[2].conversation.n == 0);
	CHECK_INT(l[2].owner, 7);
	CHECK_INT(l[4].owner, 8);
}

/* Goal: the order is that of the commands, also over a restart. */
TEST(mail_order)
{
	struct uuid to = id_of(ID_AGENT, 1);
	struct store_mail m[10];
	struct store_letter *l;
	int64_t last = -1;
	struct fix f;

	fix_open(&f, "sqlite");
	CHECK_RC(store_letters_last(f.r, &last), OK);
	CHECK_INT(last, 0);
	/* ids fall, and yet */
	for (unsigned i = 0; i < 10; i++)
		m[i] = mail_new(100 - i, &to, 1);
	CHECK_RC(put(&f, 7, m, 5), OK);
	fix_reopen(&f);
	CHECK_RC(put(&f, 7, m + 5, 5), OK);
	CHECK_INT(waiting(&f, &l), 10);
	CHECK_RC(store_letters_last(f.r, &last), OK);
	CHECK_INT(last, m[9].first);
	for (size_t i = 0; i < 10; i++)
		CHECK(uuid_eq(&l[i].id, &m[i].id));
	fix_close(&f);
}

/* Goal: another owner's messages are not there. */
CONTRACT(mail_of_others)
{
	int64_t number = put_one(f, 7, 1);
	struct store_mail_dead d = { .id = id_of(ID_MESSAGE, 1) };

	CHECK_RC(set(f, number, MAIL_DEAD, 5), OK);
	CHECK_RC(fix_do(f, &d, STORE_MAIL_DEAD, 8), ERR_NOTFOUND);
	d.drop = true;
	CHECK_RC(fix_do(f, &d, STORE_MAIL_DEAD, 8), ERR_NOTFOUND);
	CHECK_INT(list(f, 8, "").found_n, 0);
	CHECK_INT(list(f, 7, "").found_n, 1);
	CHECK_INT(list(f, 8, "c1").found_n, 0);
	CHECK_INT(list(f, 7, "c1").found_n, 1);
}

/* Goal: a letter that is over stays so. */
CONTRACT(mail_over)
{
	int64_t number = put_one(f, 7, 1);
	struct store_letter *l;

	CHECK_RC(set(f, number, MAIL_EXPIRED, 6), OK);
	CHECK_INT(waiting(f, &l), 0);
	CHECK_RC(set(f, number, MAIL_DEAD, 7), OK);
	CHECK_RC(set(f, number, MAIL_DELIVERED, 7), OK);
	CHECK_INT(list(f, 7, "").found_n, 0);
	CHECK_INT(list(f, 7, "c1").found[0].letter.state, MAIL_EXPIRED);
	CHECK_INT(list(f, 7, "c1").found[0].letter.since, 6);
}

/* Goal: a dead letter tells why, and is retried or dropped, once. */
CONTRACT(mail_dead)
{
	struct uuid to[3] = { id_of(ID_AGENT, 1), id_of(ID_AGENT, 2), id_of(ID_AGENT, 3) };
	struct store_mail m = mail_new(1, to, 3);
	struct store_mail_dead d = { .id = m.id, .now = 9 };
	struct store_mail_list found;
	struct store_letter *l;

	CHECK_RC(put(f, 7, &m, 1), OK);
	CHECK_RC(fix_do(f, &d, STORE_MAIL_DEAD, 7), ERR_NOTFOUND);
	CHECK_RC(set(f, m.first, MAIL_DEAD, 5), OK);
	CHECK_RC(set(f, m.first + 2, MAIL_DEAD, 6), OK);
	found = list(f, 7, "");
	CHECK_INT(found.found_n, 2);
	CHECK_INT(found.found[0].letter.number, m.first + 2);
	CHECK_INT(found.found[0].letter.reason, 3);
	CHECK_INT(found.found[0].letter.tries, 5);
	CHECK_INT(found.found[0].letter.since, 6);
	CHECK_STR(found.found[0].letter.packed, "packed");
	CHECK_INT(found.found[0].letters, 3);
	CHECK_INT(found.found[0].waiting, 1);
	CHECK_INT(found.found[0].dead, 2);
	CHECK_RC(fix_do(f, &d, STORE_MAIL_DEAD, 7), OK);
	CHECK_INT(d.letters_n, 2);
	CHECK(uuid_eq(&d.letters[1].to, &to[2]));
	CHECK(d.letters[1].state == MAIL_WAITING && d.letters[1].tries == 0);
	CHECK_INT(waiting(f, &l), 3);
	CHECK_RC(fix_do(f, &d, STORE_MAIL_DEAD, 7), ERR_NOTFOUND);
	CHECK_RC(set(f, m.first, MAIL_DEAD, 5), OK);
	d.drop = true;
	CHECK_RC(fix_do(f, &d, STORE_MAIL_DEAD, 7), OK);
	CHECK_INT(d.letters_n, 1);
	CHECK_INT(waiting(f, &l), 2);
	CHECK_INT(list(f, 7, "").found_n, 0);
	CHECK_INT(count_rows(f, "letter WHERE state = 4 AND since = 9"), 1);
}

/* ---- with what a run saves ------------------------------------------------------- */

/* Goal: what a run sends and takes is written with its checkpoint, or not at all. */
TEST(mail_in_the_transaction_of_a_checkpoint)
{
	struct str said = S("{\"a\":1}");
	struct step step = step_new(1, 0, 0, &said, 1);
	struct uuid to = id_of(ID_AGENT, 5);
	struct store_mail out = mail_new(50, &to, 1);
	struct store_run_save save;
	struct store_letter *l;
	struct store_run run;
	int64_t taken;
	struct fix f;

	fix_open(&f, "sqlite");
	run = start_run(&f, 7, 1, 1);
	taken = put_one(&f, 7, 1);
	f.options.fail_at = 1;
	fix_reopen(&f);
	save = save_of(&f, &run, &step, 1);
	save.changes.mails = &out;
	save.changes.mails_n = 1;
	save.changes.mails_taken = &taken;
	save.changes.mails_taken_n = 1;
	save.changes.mails_now = 5;
	CHECK_RC(fix_do(&f, &save, STORE_RUN_SAVE, 7), ERR_IO);
	CHECK_INT(count_rows(&f, "checkpoint"), 0);
	CHECK_INT(waiting(&f, &l), 1);
	CHECK_INT(l[0].number, taken);
	CHECK_RC(fix_do(&f, &save, STORE_RUN_SAVE, 7), OK);
	CHECK(!out.known);
	CHECK_INT(count_rows(&f, "checkpoint"), 1);
	CHECK_INT(waiting(&f, &l), 1);
	CHECK_INT(l[0].number, out.first);
	/* A run of another owner cannot take it. */
	taken = out.first;
	run = start_run(&f, 8, 2, 2);
	save = (struct store_run_save){ .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .mails_taken = &taken, .mails_taken_n = 1, .mails_now = 5 } };
	CHECK_RC(fix_do(&f, &save, STORE_RUN_SAVE, 8), OK);
	CHECK_INT(waiting(&f, &l), 1);
	fix_close(&f);
}

/* Goal: one of a group fails after its writes; the others' letters are what they
 * would have been without it. */
TEST(mail_of_a_group_that_ran_again)
{
	struct store_thread_create first = thread_new(1);
	struct uuid to = id_of(ID_AGENT, 1);
	struct store_mail m[3] = { mail_new(1, &to, 1), mail_new(2, &to, 1),
	    mail_new(3, &to, 1) };
	struct store_mail_put c[3];
	struct store_letter *l;
	struct gate g;
	struct fix f;

	fix_open(&f, "sqlite");
	f.options.fail_at = 3;               /* the second of the three */
	fix_reopen(&f);
	first.cmd = (struct store_cmd){ .op = STORE_THREAD_CREATE, .owner = 7, .arena = &f.a };
	gate_shut(&f, &g, &first.cmd);
	for (size_t i = 0; i < 3; i++) {
		c[i] = (struct store_mail_put){ .mails = &m[i], .mails_n = 1 };
		fix_submit(&f, &c[i], STORE_MAIL_PUT, 7);
	}
	pthread_mutex_unlock(&g.lock);
	fix_wait(&f, 3);
	CHECK_RC(c[0].cmd.rc, OK);
	CHECK_RC(c[1].cmd.rc, ERR_IO);
	CHECK_RC(c[2].cmd.rc, OK);
	CHECK(!m[0].known && !m[2].known);
	CHECK_INT(waiting(&f, &l), 2);
	CHECK_INT(l[0].number, m[0].first);
	CHECK_INT(l[1].number, m[2].first);
	CHECK(uuid_eq(&l[1].id, &m[2].id));
	fix_close(&f);
}

/* ---- history --------------------------------------------------------------------- */

/* Goal: a conversation is read in order, page by page, delivered or not. */
CONTRACT(mail_conversation)
{
	struct store_mail_list c = { .conversation = S("c1"), .limit = 2, .offset = 1 };
	struct uuid to[2] = { id_of(ID_AGENT, 8), id_of(ID_AGENT, 9) };
	struct store_mail m[2] = { mail_new(8, to, 2), mail_new(9, to, 1) };

	m[1].conversation = S("c2");
	CHECK_RC(set(f, put_one(f, 7, 1), MAIL_DELIVERED, 5), OK);
	CHECK_RC(put(f, 7, m, 2), OK);
	put_one(f, 7, 2);
	CHECK_RC(set(f, m[0].first + 1, MAIL_DELIVERED, 5), OK);
	CHECK_RC(fix_do(f, &c, STORE_MAIL_LIST, 7), OK);
	CHECK_INT(c.found_n, 2);
	CHECK(uuid_eq(&c.found[0].letter.id, &m[0].id));
	CHECK_INT(c.found[0].letters, 2);
	CHECK_INT(c.found[0].waiting, 1);
	c.offset = 0;
	CHECK_RC(fix_do(f, &c, STORE_MAIL_LIST, 7), OK);
	CHECK_INT(c.found[0].letter.state, MAIL_DELIVERED);
	CHECK_STR(c.found[0].letter.packed, "packed");
	CHECK_INT(list(f, 7, "c2").found_n, 1);
}

/* Goal: history goes after its time; what waits or is dead stays, and a message goes
 * with its last letter. */
CONTRACT(mail_history_of_before)
{
	const msec later = 2000 + LIMIT_MAIL_KEPT_MS;
	struct uuid to[2] = { id_of(ID_AGENT, 1), id_of(ID_AGENT, 2) };
	struct store_mail m = mail_new(1, to, 2), again = mail_new(1, to, 2);
	struct store_mail young = mail_new(3, to, 1);
	int64_t dead;

	CHECK_RC(put(f, 7, &m, 1), OK);
	dead = put_one(f, 7, 2);
	CHECK_RC(set(f, dead, MAIL_DEAD, 5), OK);
	CHECK_RC(set(f, m.first, MAIL_DELIVERED, 5), OK);
	CHECK_INT(count_rows(f, "letter"), 3);
	young.created = later;
	CHECK_RC(put(f, 7, &young, 1), OK);
	CHECK_RC(set(f, young.first, MAIL_DELIVERED, later), OK);
	CHECK_INT(count_rows(f, "letter"), 3);
	CHECK_INT(count_rows(f, "mail"), 3);
	CHECK_INT(list(f, 7, "c1").found_n, 3);
	CHECK_RC(put(f, 7, &again, 1), OK);
	CHECK(again.known);
	CHECK_RC(set(f, m.first + 1, MAIL_DELIVERED, later), OK);
	CHECK_INT(count_rows(f, "mail"), 2);
	CHECK_RC(put(f, 7, &again, 1), OK);
	CHECK(!again.known);
}

/* Goal: an owner keeps so many dead letters, the newest; another's are not touched. */
CONTRACT(mail_dead_are_bounded)
{
	const size_t n = LIMIT_MAIL_DEAD + 300;
	struct uuid *to = arena_alloc(&f->a, n * sizeof *to);
	struct store_mail_became *became = arena_alloc(&f->a, n * sizeof *became);
	struct store_mail m = mail_new(50, to, n);
	struct store_mail_set all = { .at = became, .n = n, .now = 5 };
	int64_t other = put_one(f, 8, 1), left;

	CHECK_RC(set(f, other, MAIL_DEAD, 5), OK);
	for (size_t i = 0; i < n; i++)
		to[i] = id_of(ID_AGENT, (unsigned)i + 1);
	CHECK_RC(put(f, 7, &m, 1), OK);
	for (size_t i = 0; i < n; i++)
		became[i] = (struct store_mail_became){ .number = m.first + (int64_t)i,
			.state = MAIL_DEAD, .reason = 3 };
	CHECK_RC(fix_do(f, &all, STORE_MAIL_SET, 0), OK);
	left = count_rows(f, "letter WHERE state = 1 AND owner = 7");
	CHECK(left >= LIMIT_MAIL_DEAD && left < LIMIT_MAIL_DEAD + 64);
	CHECK_INT(list(f, 7, "").found[0].letter.number, m.first + (int64_t)n - 1);
	CHECK_INT(count_rows(f, "letter WHERE state = 1 AND owner = 8"), 1);
}

/* Goal: history is not longer than its limit. */
CONTRACT_OF_FILES(mail_history_is_bounded)
{
	struct uuid *to = arena_alloc(&f->a, LIMIT_MAIL_KEPT * sizeof *to);
	struct store_mail m = mail_new(50, to, LIMIT_MAIL_KEPT);
	int64_t last;

	for (size_t i = 0; i < LIMIT_MAIL_KEPT; i++)
		to[i] = id_of(ID_AGENT, (unsigned)i + 1);
	for (unsigned i = 1; i <= 5; i++)
		CHECK_RC(set(f, put_one(f, 7, i), MAIL_DELIVERED, 2000), OK);
	CHECK_RC(put(f, 7, &m, 1), OK);
	last = put_one(f, 7, 60);
	CHECK_INT(count_rows(f, "letter WHERE state > 1"), 5);
	CHECK_RC(set(f, last, MAIL_DELIVERED, 2000), OK);
	CHECK_INT(count_rows(f, "letter WHERE state > 1"), 4);
	CHECK_RC(set(f, m.first, MAIL_DELIVERED, 2000), OK);
	CHECK_INT(count_rows(f, "letter WHERE state > 1"), 3);
	CHECK_INT(count_rows(f, "mail"), 3);
}

/* Goal: a long content stays until the last receiver has it, and not longer. */
CONTRACT(mail_long_content)
{
	struct uuid to[2] = { id_of(ID_AGENT, 1), id_of(ID_AGENT, 2) };
	struct store_mail m = mail_new(1, to, 2);
	struct store_letter *l;

	m.packed = (struct str){ arena_zero(&f->a, LIMIT_MAIL_KEPT_BYTES + 1),
	    LIMIT_MAIL_KEPT_BYTES + 1 };
	CHECK_RC(put(f, 7, &m, 1), OK);
	CHECK_RC(set(f, m.first, MAIL_DELIVERED, 5), OK);
	CHECK_INT(waiting(f, &l), 1);
	CHECK_INT(l[0].packed.n, LIMIT_MAIL_KEPT_BYTES + 1);
	CHECK_RC(set(f, m.first + 1, MAIL_EXPIRED, 5), OK);
	CHECK_INT(list(f, 7, "c1").found[0].letter.packed.n, 0);
	CHECK_INT(list(f, 7, "c1").found_n, 1);
}

/* ---- agents that live on --------------------------------------------------------- */

static struct mailers { struct fix *f; struct store_mailer at[8]; size_t n; } agents;

static void
see_mailer(void *ctx, const struct store_mailer *m)
{
	struct mailers *x = ctx;
	struct arena *a = &x->f->a;
	struct store_mailer *to = &x->at[x->n++];

	CHECK(x->n <= COUNT(x->at));
	*to = *m;
	to->name = arena_str(a, m->name);
	to->kind = arena_str(a, m->kind);
	to->graph_id = arena_str(a, m->graph_id);
	to->spec_json = arena_str(a, m->spec_json);
	to->error = arena_str(a, m->error);
}

static const struct store_mailer *
mailers_read(struct fix *f, size_t n)
{
	agents.f = f;
	agents.n = 0;
	CHECK_RC(store_mailers_each(f->r, see_mailer, &agents), OK);
	CHECK_INT(agents.n, n);
	return agents.at;
}

static struct store_mailer_put
mailer_new(unsigned n, const char *name, const char *kind)
{
	return (struct store_mailer_put){ .m = { .id = id_of(ID_AGENT, n),
	    .name = str_of(name), .kind = str_of(kind), .graph_id = S("g"),
	    .spec_json = S("{\"x\":1}"), .state = 2, .created = 10 + n, .updated = 10 + n } };
}

/* Goal: ids and names are unique for an owner; others do not see it. */
CONTRACT(mailers)
{
	struct store_mailer_put a = mailer_new(1, "ann", "run"),
	    same = mailer_new(1, "bob", "run"), name = mailer_new(2, "ann", "run"),
	    bare = mailer_new(3, "", "external"), bare2 = mailer_new(4, "", "external");
	struct store_mailer_set s = { .id = a.m.id, .state = 6, .error = S("broke"),
	    .restarts = 3, .now = 99 };
	struct store_mailer_delete d = { .id = a.m.id };
	const struct store_mailer *m;

	bare.m.graph_id = STR_NONE;
	CHECK_RC(fix_do(f, &a, STORE_MAILER_PUT, 7), OK);
	CHECK_RC(fix_do(f, &same, STORE_MAILER_PUT, 7), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &name, STORE_MAILER_PUT, 7), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &name, STORE_MAILER_PUT, 8), OK);
	CHECK_RC(fix_do(f, &bare, STORE_MAILER_PUT, 7), OK);
	CHECK_RC(fix_do(f, &bare2, STORE_MAILER_PUT, 7), OK);
	CHECK_RC(fix_do(f, &s, STORE_MAILER_SET, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &s, STORE_MAILER_SET, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_MAILER_DELETE, 8), OK);
	m = mailers_read(f, 4);
	CHECK(uuid_eq(&m[0].id, &a.m.id) && m[0].owner == 7 && m[1].owner == 8);
	CHECK_STR(m[0].name, "ann");
	CHECK_STR(m[0].kind, "run");
	CHECK_STR(m[0].graph_id, "g");
	CHECK_STR(m[0].spec_json, "{\"x\":1}");
	CHECK_INT(m[0].state, 6);
	CHECK_STR(m[0].error, "broke");
	CHECK_INT(m[0].restarts, 3);
	CHECK_INT(m[0].created, 11);
	CHECK_INT(m[0].updated, 99);
	CHECK(m[2].name.n == 0 && m[2].graph_id.n == 0 && m[2].error.n == 0);
	CHECK(uuid_eq(&m[3].id, &bare2.m.id));
	CHECK_RC(fix_do(f, &d, STORE_MAILER_DELETE, 7), OK);
	CHECK_RC(fix_do(f, &same, STORE_MAILER_PUT, 7), OK);
}

/* Goal: an agent that is a run goes with its thread, and no other does. */
CONTRACT(mailer_goes_with_its_thread)
{
	struct store_mailer_put run = mailer_new(1, "ann", "run"),
	    other = mailer_new(1, "bob", "external"), foreign = mailer_new(1, "x", "run");
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_thread_create t = thread_new(1);

	run.m.id = foreign.m.id = d.id;
	CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &run, STORE_MAILER_PUT, 7), OK);
	CHECK_RC(fix_do(f, &other, STORE_MAILER_PUT, 7), OK);
	CHECK_RC(fix_do(f, &foreign, STORE_MAILER_PUT, 8), OK);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	CHECK_INT(count_rows(f, "mailer"), 2);
	CHECK_INT(count_rows(f, "mailer WHERE kind = 'external'"), 1);
}
