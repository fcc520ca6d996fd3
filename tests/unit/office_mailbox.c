/*
 * office_mailbox.c - clients that read their mailbox: durable letters, acks, receipts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "office_fix.h"

#include <string.h>

#include "base/mem.h"
#include "store/mail.h"

static void
on_acked(void *ctx, int rc, size_t n, const struct err *e)
{
	struct inbox *x = ctx;

	(void)e;
	pthread_mutex_lock(&x->f->lock);
	x->rc = rc;
	x->acked = n;
	x->ack_done = true;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
do_ack(struct office_desk *d, void *arg)
{
	struct inbox *x = arg;

	external_ack(d->office, 1, x->r.agent, &x->last, 1, true, on_acked, x);
}

static bool
is_acked(void *arg)
{
	return ((struct inbox *)arg)->ack_done;
}

/* Up to the last that came. */
static size_t
ack_all(struct office_fix *f, struct inbox *x)
{
	x->ack_done = false;
	office_do(f, 0, do_ack, x);
	office_until(f, is_acked, x);
	CHECK_RC(x->rc, OK);
	return x->acked;
}

static int
say_durable(struct office_fix *f, const char *to, const char *content)
{
	const struct str receiver = str_of(to);
	const struct acl m = { .act = ACL_INFORM, .receivers = &receiver, .receivers_n = 1,
		.content = str_of(content), .delivery.durable = true };

	return office_send_wait(f, 0, 1, NULL, &m);
}

static bool
inbox_has_four(void *arg)
{
	return ((struct inbox *)arg)->n >= 4;
}

/* Goal: what was accepted is there after a start, in order, until it is acked. */
/* ---- the end of a durable agent ---------------------------------------------------------- */

struct leaving { struct office_fix *f; struct office_desk *d; size_t rows; bool answered; };

static void
count_row(void *ctx, const struct store_mailer *m)
{
	(void)m;
	((struct leaving *)ctx)->rows++;
}

static void
left(void *ctx, int rc, const struct err *e)
{
	struct leaving *x = ctx;

	(void)e;
	CHECK_RC(rc, OK);
	CHECK_RC(store_mailers_each(x->d->reader, count_row, x), OK);
	pthread_mutex_lock(&x->f->lock);
	x->answered = true;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
leave(struct office_desk *d, void *arg)
{
	struct leaving *x = arg;

	x->d = d;
	office_stop(d->office, 1, S("ann"), false, 0, left, x);
}

static bool
has_left(void *arg)
{
	return ((struct leaving *)arg)->answered;
}

/* Goal: when its end is acknowledged, a start does not bring it back. */
TEST(office_the_end_of_a_durable_agent_is_answered_when_it_is_stored)
{
	const struct office_spec ann = { .owner = 1, .name = S("ann"), .durable = true };
	struct office_fix f;
	struct leaving x = { .f = &f };

	office_fix_open(&f, 1, office_texts);
	CHECK_RC(office_spawn_wait(&f, 0, &ann, NULL), OK);
	office_do(&f, 0, leave, &x);
	office_until(&f, has_left, &x);
	CHECK_INT(x.rows, 0);
	office_fix_close(&f);
}

TEST(office_durable_letters_wait_for_their_ack_across_starts)
{
	struct office_spec ann = { .owner = 1, .name = S("ann"), .durable = true };
	static const char *const contents[] = { "1", "2", "3", "4" };
	struct office_shown x;
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 1, &ann, NULL), OK);
	for (size_t i = 0; i < COUNT(contents); i++)
		CHECK_RC(say_durable(&f, "ann", contents[i]), OK);
	office_fix_restart(&f);
	CHECK_INT(office_state(&f, 0, 1, "ann", &x), AGENT_READY);
	CHECK_INT(x.waiting, 4);
	for (int round = 0; round < 2; round++) {    /* the first reader acks nothing */
		inbox_open(&f, 0, &in, "ann");
		CHECK_RC(in.rc, OK);
		office_until(&f, inbox_has_four, &in);
		CHECK(strcmp(in.all, "1234") == 0);
		if (round == 0)
			inbox_close(&f, 0, &in);
	}
	CHECK_INT(ack_all(&f, &in), 4);
	CHECK_INT(ack_all(&f, &in), 0);
	inbox_close(&f, 0, &in);
	office_fix_restart(&f);
	CHECK_INT(office_state(&f, 1, 1, "ann", &x), AGENT_READY);
	CHECK_INT(x.waiting, 0);
	CHECK_RC(office_stop_wait(&f, 0, 1, "ann", false, 0), OK);
	office_fix_restart(&f);
	CHECK_INT(office_state(&f, 0, 1, "ann", &x), -1);
	office_fix_close(&f);
}

TEST(office_a_dead_letter_is_tried_again_or_dropped)
{
	struct office_spec ann = { .owner = 1, .name = S("ann"), .durable = true };
	struct office_fix f;
	struct uuid message;
	size_t letters;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 1, &ann, &ann.id), OK);
	CHECK_RC(say_durable(&f, "ann", "1"), OK);
	message = f.message_id;
	CHECK_RC(office_dead_wait(&f, 0, 1, &message, false, &letters), ERR_NOTFOUND);
	CHECK_RC(office_stop_wait(&f, 0, 1, "ann", false, 0), OK);
	office_fix_restart(&f);
	CHECK_RC(office_spawn_wait(&f, 0, &ann, NULL), OK);
	CHECK_RC(office_dead_wait(&f, 0, 2, &message, false, &letters), ERR_NOTFOUND);
	CHECK_RC(office_dead_wait(&f, 0, 1, &message, false, &letters), OK);
	CHECK_INT(letters, 1);
	inbox_open(&f, 0, &in, "ann");
	office_until(&f, inbox_has_one, &in);
	CHECK(strcmp(in.content, "1") == 0);
	inbox_close(&f, 0, &in);
	CHECK_RC(office_stop_wait(&f, 1, 1, "ann", false, 0), OK);
	office_fix_restart(&f);
	CHECK_RC(office_dead_wait(&f, 1, 1, &message, true, &letters), OK);
	CHECK_INT(letters, 1);
	CHECK_RC(office_dead_wait(&f, 1, 1, &message, true, &letters), ERR_NOTFOUND);
	office_fix_close(&f);
}

/* Goal: a sender is known by its name, whichever shard its client speaks to. */
TEST(office_a_sender_has_one_address)
{
	struct office_spec bob = { .owner = 1, .name = S("bob") }, nameless = { .owner = 1 };
	struct office_fix f;
	struct inbox in;
	char id[UUID_TEXT + 1] = "";

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 1, &bob, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 1, &nameless, &nameless.id), OK);
	uuid_format(&nameless.id, id);
	spawn_ann(&f, &in);
	for (unsigned desk = 0; desk < 2; desk++) {
		in.n = 0;
		CHECK_RC(office_say(&f, desk, 1, "bob", "ann", ACL_INFORM, "1"), OK);
		office_until(&f, inbox_has_one, &in);
		CHECK_STR(str_of(in.sender), "bob");
		in.n = 0;
		CHECK_RC(office_say(&f, desk, 1, id, "ann", ACL_INFORM, "1"), OK);
		office_until(&f, inbox_has_one, &in);
		CHECK(strcmp(in.sender, id) == 0);
	}
	inbox_close(&f, 0, &in);
	office_fix_close(&f);
}

TEST(office_a_new_reader_ends_the_one_before)
{
	struct office_spec ann = { .owner = 1, .name = S("ann") };
	struct inbox first, second;
	struct office_fix f;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 0, &ann, NULL), OK);
	inbox_open(&f, 0, &first, "ann");
	inbox_open(&f, 1, &second, "ann");
	office_until(&f, inbox_ended, &first);
	CHECK_INT(first.ended, ERR_CONFLICT);
	CHECK_RC(office_say(&f, 0, 1, NULL, "ann", ACL_INFORM, "1"), OK);
	office_until(&f, inbox_has_one, &second);
	CHECK_INT(first.n, 0);
	CHECK_RC(office_stop_wait(&f, 1, 1, "ann", false, 0), OK);
	office_until(&f, inbox_ended, &second);
	CHECK_INT(second.ended, ERR_CLOSED);
	inbox_open(&f, 1, &second, "ann");
	CHECK_RC(second.rc, ERR_NOTFOUND);
	office_fix_close(&f);
}

/* Goal: who asks for a receipt hears what became of the message, from `ams`. */
TEST(office_a_receipt_tells_of_delivery_and_of_death)
{
	struct office_spec echo = chart("echo"), bob = { .owner = 1, .name = S("bob") };
	const struct str to[] = { S("echo"), S("bob") };
	struct acl m = { .act = ACL_INFORM, .receivers = to, .receivers_n = 1,
		.content = S("1"), .delivery.receipt = true };
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 1, &echo, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 1, &bob, NULL), OK);
	spawn_ann(&f, &in);
	CHECK_RC(office_send_wait(&f, 0, 1, "ann", &m), OK);
	office_until(&f, inbox_has_one, &in);
	CHECK(in.act == ACL_INFORM && strstr(in.content, "\"delivered\"") != NULL);
	m.receivers = &to[1];
	CHECK_RC(office_send_wait(&f, 0, 1, "ann", &m), OK);
	in.n = 0;
	CHECK_RC(office_stop_wait(&f, 0, 1, "bob", false, 0), OK);
	office_until(&f, inbox_has_one, &in);
	CHECK(in.act == ACL_FAILURE && strstr(in.content, "\"stopped\"") != NULL);
	inbox_close(&f, 0, &in);
	office_fix_close(&f);
}

struct listed { struct office_fix *f; size_t n; bool done; };

static void
on_each(void *ctx, const struct office_shown *x)
{
	struct listed *l = ctx;

	CHECK(x->spec.owner == 1 && str_eq(x->spec.kind, S("chart")));
	l->n++;
}

static void
on_end(void *ctx)
{
	struct listed *l = ctx;

	pthread_mutex_lock(&l->f->lock);
	l->done = true;
	office_changed(l->f);
	pthread_mutex_unlock(&l->f->lock);
}

static void
do_list(struct office_desk *d, void *arg)
{
	office_list(d->office, 1, on_each, on_end, arg);
}

static bool
is_listed(void *arg)
{
	return ((struct listed *)arg)->done;
}

TEST(office_lists_the_agents_of_all_shards)
{
	struct listed l = { 0 };
	struct office_fix f;

	office_fix_open(&f, 4, office_texts);
	for (unsigned i = 0; i < 20; i++) {
		struct office_spec s = { .owner = 1 + i % 2, .graph_id = S("echo") };

		CHECK_RC(office_spawn_wait(&f, i % 4, &s, NULL), OK);
		s.owner = 1;
		CHECK_RC(office_spawn_wait(&f, i % 4, &s, NULL), OK);
	}
	l.f = &f;
	office_do(&f, 2, do_list, &l);
	office_until(&f, is_listed, &l);
	CHECK_INT(l.n, 30);
	office_fix_close(&f);
}

/* Goal: a letter that is on its way to a reader when the agent stops is delivered or dead, never
 * lost.  Method: stop while letters fly between shards, many times. */
TEST(office_an_agent_stops_while_letters_fly_to_its_reader)
{
	struct office_spec ann = { .owner = 1, .name = S("ann") };
	struct mail_books b;
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
	for (int i = 0; i < 100; i++) {
		CHECK_RC(office_spawn_wait(&f, 0, &ann, NULL), OK);
		inbox_open(&f, 1, &in, "ann");
		for (int k = 0; k < 3; k++)
			CHECK_RC(office_say(&f, 0, 1, NULL, "ann", ACL_INFORM, "1"), OK);
		CHECK_RC(office_stop_wait(&f, (unsigned)i % 2, 1, "ann", false, 0), OK);
		office_until(&f, inbox_ended, &in);
	}
	office_quiet(&f);
	b = office_stats_of(&f).books;
	CHECK_INT(b.sent, 300);
	CHECK_INT(b.delivered + b.dead, 300);
	office_fix_close(&f);
}
