/*
 * office.c - agents on shards: spawned, heard, restarted, stopped; their books.
 *
 * SPDX-License-Identifier: MIT
 */
#include "office_fix.h"

#include <string.h>

#include "base/mem.h"

/* Counts what it is told, and answers a request. */
#define ECHO \
	"<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' name='echo'>" \
	"<datamodel><data id='n' expr='0'/></datamodel>" \
	"<state id='s'>" \
	"<transition event='message.inform' cond='event.data.content &lt; 100'>" \
	"<assign location='n' expr='n + 1'/></transition>" \
	"<transition event='message.request'>" \
	"<send type='fipa' event='inform' targetexpr='event.data.sender'>" \
	"<param name='content' expr='n'/>" \
	"<param name='in_reply_to' expr='event.data.reply_with'/></send></transition>" \
	"<transition event='message.cancel' target='end'/>" \
	"<transition event='message.confirm' cond='event.data.content.again'>" \
	"<raise event='x'/></transition>" \
	"</state><final id='end'/></scxml>"

static const char *const texts[] = { ECHO, NULL };

static struct office_spec
chart(const char *name)
{
	return (struct office_spec){ .owner = 1, .name = str_of(name), .graph_id = S("echo") };
}

/* ---- a client's mailbox, read to the end ------------------------------------------- */

struct inbox {
	struct external_reader r;
	struct office_fix *f;
	size_t n, opened;
	int rc, ended;
	enum acl_act act;
	char content[200];
};

static void
on_opened(struct external_reader *r, int rc, const struct uuid *id, const struct err *e)
{
	struct inbox *x = CONTAINER_OF(r, struct inbox, r);

	(void)id, (void)e;
	pthread_mutex_lock(&x->f->lock);
	x->rc = rc;
	x->opened++;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
on_come(struct external_reader *r, const struct external_letter *at, size_t n)
{
	struct inbox *x = CONTAINER_OF(r, struct inbox, r);
	struct acl_room room;
	struct acl m;
	struct err e;

	pthread_mutex_lock(&x->f->lock);
	for (size_t i = 0; i < n; i++) {
		CHECK_RC(acl_unpack(&m, at[i].packed, &room, &e), OK);
		CHECK(m.content.n < sizeof x->content);
		memcpy(x->content, m.content.p, m.content.n);
		x->content[m.content.n] = '\0';
		x->act = m.act;
	}
	x->n += n;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
on_ended(struct external_reader *r, int rc)
{
	struct inbox *x = CONTAINER_OF(r, struct inbox, r);

	pthread_mutex_lock(&x->f->lock);
	x->ended = rc == OK ? 1 : rc;
	office_changed(x->f);
	pthread_mutex_unlock(&x->f->lock);
}

static void
open_inbox(struct office_desk *d, void *arg)
{
	struct inbox *x = arg;

	external_open(d->office, &x->r);
}

static bool
inbox_opened(void *arg)
{
	return ((struct inbox *)arg)->opened > 0;
}

static void
inbox_open(struct office_fix *f, unsigned desk, struct inbox *x, const char *agent)
{
	*x = (struct inbox){ .f = f, .r = { .owner = 1, .agent = str_of(agent), .room = MB,
	    .opened = on_opened, .come = on_come, .ended = on_ended } };
	office_do(f, desk, open_inbox, x);
	office_until(f, inbox_opened, x);
}

static void
do_close(struct office_desk *d, void *arg)
{
	struct inbox *x = arg;

	(void)d;
	external_close(&x->r);
}

static bool
inbox_ended(void *arg)
{
	return ((struct inbox *)arg)->ended != 0;
}

static bool
inbox_has_one(void *arg)
{
	return ((struct inbox *)arg)->n > 0;
}

/* ---- charts --------------------------------------------------------------------------- */

TEST(office_a_chart_hears_and_answers_on_one_shard)
{
	struct office_spec external = { .owner = 1, .name = S("ann") };
	struct office_spec echo = chart("echo");
	struct office_shown x;
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 1, texts);
	CHECK_RC(office_spawn_wait(&f, 0, &echo, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 0, &external, NULL), OK);
	inbox_open(&f, 0, &in, "ann");
	CHECK_RC(in.rc, OK);
	CHECK_RC(office_say(&f, 0, 1, "ann", "echo", ACL_INFORM, "7"), OK);
	CHECK_RC(office_say(&f, 0, 1, "ann", "echo", ACL_INFORM, "700"), OK);
	CHECK_RC(office_say(&f, 0, 1, "ann", "echo", ACL_REQUEST, NULL), OK);
	office_until(&f, inbox_has_one, &in);
	CHECK(in.act == ACL_INFORM && strcmp(in.content, "1") == 0);
	CHECK_INT(office_state(&f, 0, 1, "echo", &x), AGENT_RUNNING);
	CHECK_INT(x.books.delivered, 3);
	office_do(&f, 0, do_close, &in);
	office_until(&f, inbox_ended, &in);
	office_fix_close(&f);
}

TEST(office_letters_and_answers_cross_shards)
{
	struct office_spec external = { .owner = 1, .name = S("ann") };
	struct office_spec echo = chart("echo");
	struct office_stats s;
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, texts);
	CHECK_RC(office_spawn_wait(&f, 1, &echo, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 0, &external, NULL), OK);
	inbox_open(&f, 1, &in, "ann");
	for (int i = 0; i < 50; i++)
		CHECK_RC(office_say(&f, 0, 1, "ann", "echo", ACL_INFORM, "7"), OK);
	CHECK_RC(office_say(&f, 0, 1, "ann", "echo", ACL_REQUEST, NULL), OK);
	office_until(&f, inbox_has_one, &in);
	CHECK(strcmp(in.content, "50") == 0);
	office_quiet(&f);
	s = office_stats_of(&f);
	CHECK_INT(s.books.delivered, 52);
	CHECK_INT(s.agents[AGENT_RUNNING], 2);
	CHECK_INT(s.conns_open, 1);
	office_do(&f, 1, do_close, &in);
	office_until(&f, inbox_ended, &in);
	CHECK_INT(office_stats_of(&f).conns_open, 0);
	office_fix_close(&f);
}

TEST(office_who_is_not_there_is_named)
{
	struct office_spec echo = chart("echo");
	struct office_fix f;

	office_fix_open(&f, 2, texts);
	CHECK_RC(office_spawn_wait(&f, 1, &echo, NULL), OK);
	CHECK_RC(office_say(&f, 0, 1, NULL, "nobody", ACL_INFORM, "7"), ERR_NOTFOUND);
	CHECK_RC(office_say(&f, 0, 1, "echo", "echo", ACL_INFORM, "7"), ERR_INVALID);
	CHECK_RC(office_say(&f, 0, 2, NULL, "echo", ACL_INFORM, "7"), ERR_NOTFOUND);
	CHECK_RC(office_spawn_wait(&f, 0, &echo, NULL), ERR_CONFLICT);
	echo.graph_id = S("nothing");
	CHECK_RC(office_spawn_wait(&f, 0, &echo, NULL), ERR_NOTFOUND);
	echo = chart("other");
	echo.kind = S("magic");
	CHECK_RC(office_spawn_wait(&f, 0, &echo, NULL), ERR_INVALID);
	CHECK_INT(office_stats_of(&f).agents[AGENT_READY], 1);
	office_fix_close(&f);
}
