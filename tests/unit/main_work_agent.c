/*
 * main_work_agent.c - an agent subscribes to the tracker, and hears of what becomes ready.
 *
 * One shard, turned by the test.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "agent/agent.h"
#include "base/mem.h"
#include "mail/host/external.h"
#include "main/work_agent.h"
#include "work/host/guest.h"

#define HEARD 16

struct bed {
	struct work_board *board;
	struct store *st;
	struct store_reader *reader;
	struct shard *shard;
	struct agents *agents;
	struct offices *all;
	struct office *office;
	struct work_agent *work;
	struct external_reader r;
	struct uuid ann;
	bool opened, ended, spawned, drained;
	size_t n;
	enum acl_act act[HEARD];
	char content[HEARD][400];
};

static void
nothing(struct shard_job *job)
{
	(void)job;
}

/* A turn waits for something; here it may all have happened already. */
static void
turn(struct bed *b)
{
	struct shard_job job = { .run = nothing };

	shard_post(b->shard, &job);
	shard_turn(b->shard);
}

static void
on_opened(struct external_reader *r, int rc, const struct uuid *id, const struct err *e)
{
	struct bed *b = CONTAINER_OF(r, struct bed, r);

	(void)id, (void)e;
	CHECK_RC(rc, OK);
	b->opened = true;
}

static void
on_come(struct external_reader *r, const struct external_letter *at, size_t n)
{
	struct bed *b = CONTAINER_OF(r, struct bed, r);
	struct acl_room room;
	struct acl m;

	for (size_t i = 0; i < n; i++) {
		CHECK(b->n < HEARD);
		CHECK_RC(acl_unpack(&m, at[i].packed, &room, NULL), OK);
		CHECK_STR(m.sender, "work");
		CHECK_STR(m.conversation_id, "c1");
		b->act[b->n] = m.act;
		snprintf(b->content[b->n++], sizeof b->content[0], "%.*s", FMT(m.content));
	}
}

static void
on_ended(struct external_reader *r, int rc)
{
	CHECK_RC(rc, OK);
	CONTAINER_OF(r, struct bed, r)->ended = true;
}

static void
spawned(struct office_spawn *s, int rc, const struct err *e)
{
	(void)s, (void)e;
	CHECK_RC(rc, OK);
}

static void
bed_open(struct bed *b)
{
	struct office_spawn s = { .spec = { .owner = 1, .name = S("ann") }, .done = spawned };
	struct store_options o = { .driver = S("memory") };
	struct err e;

	*b = (struct bed){ .board = work_board_new() };
	o.guests = (const struct store_guest *const[]){ work_board_guest(b->board), NULL };
	CHECK_RC(shard_new(&b->shard, 0, &e), OK);
	CHECK_RC(store_open(&b->st, &o, &e), OK);
	CHECK_RC(store_reader_open(b->st, &b->reader, &e), OK);
	b->agents = agents_new();
	b->all = offices_new(b->st, b->agents);
	CHECK_RC(office_new(&b->office, b->all, b->shard, b->reader, &e), OK);
	b->work = work_agent_new(b->office, b->st);
	office_spawn(b->office, &s);
	b->ann = s.spec.id;
	b->r = (struct external_reader){ .owner = 1, .agent = S("ann"), .room = MB,
	    .opened = on_opened, .come = on_come, .ended = on_ended };
	external_open(b->office, &b->r);
	while (!b->opened)
		turn(b);
}

static void
drained(void *ctx)
{
	*(bool *)ctx = true;
}

static void
bed_close(struct bed *b)
{
	bool work = false, office = false;

	external_close(&b->r);
	while (!b->ended)
		turn(b);
	work_agent_drain(b->work, drained, &work);
	while (!work)
		turn(b);
	office_drain(b->office, drained, &office);
	while (!office)
		turn(b);
	office_free(b->office);
	turn(b);
	work_agent_free(b->work);
	offices_free(b->all);
	agents_free(b->agents);
	store_reader_close(b->reader);
	store_close(b->st);
	shard_free(b->shard);
	work_board_free(b->board);
}

static void
sent(struct office_send *s, int rc, const struct err *e)
{
	(void)s, (void)e;
	CHECK_RC(rc, OK);
}

static void
say(struct bed *b, enum acl_act act, const char *content)
{
	static const struct str to = { "work", 4 };
	const struct acl m = { .act = act, .receivers = &to, .receivers_n = 1,
		.protocol = S("fipa-subscribe"), .conversation_id = S("c1"),
		.content = str_of(content) };
	struct office_send s = { .owner = 1, .sender = b->ann, .m = &m, .done = sent };

	office_send(b->office, &s);
}

static void
until_heard(struct bed *b, size_t n)
{
	while (b->n < n)
		turn(b);
	CHECK_INT(b->n, n);
}

struct ask { struct work_cmd cmd; bool done; };

static void
asked(struct store_cmd *c)
{
	CONTAINER_OF(c, struct ask, cmd.cmd)->done = true;
}

static void
ask(struct bed *b, const char *project, const char *operation, const char *args)
{
	struct arena a = ARENA(64 * MB);
	struct ask q = { .cmd = { .cmd = { .owner = 1, .arena = &a, .done = asked },
	    .project = str_of(project), .operation = str_of(operation),
	    .args_json = str_of(args), .actor = S("ann"), .now = 1763700000000, .after = -1 } };

	CHECK_RC(work_submit(b->st, b->shard, &q.cmd), OK);
	while (!q.done)
		turn(b);
	CHECK_RC(q.cmd.cmd.rc, OK);
	arena_release(&a);
}

TEST(work_agent_tells_of_items_that_become_ready)
{
	struct bed b;

	bed_open(&b);
	ask(&b, "p", "create", "{\"title\":\"before\"}");
	say(&b, ACL_SUBSCRIBE, "{\"project\":\"p\"}");
	until_heard(&b, 1);
	CHECK_INT(b.act[0], ACL_AGREE);
	ask(&b, "other", "create", "{\"title\":\"elsewhere\"}");
	ask(&b, "p", "create", "{\"title\":\"paint\"}");
	until_heard(&b, 2);
	CHECK_INT(b.act[1], ACL_INFORM);
	CHECK(strstr(b.content[1], "\"ready\":true") != NULL);
	ask(&b, "p", "create", "{\"title\":\"dry\"}");
	ask(&b, "p", "create", "{\"title\":\"hang\"}");
	until_heard(&b, 4);
	say(&b, ACL_CANCEL, "");
	until_heard(&b, 5);
	CHECK_INT(b.act[4], ACL_INFORM);
	CHECK_STR(str_of(b.content[4]), "");
	ask(&b, "p", "create", "{\"title\":\"nobody hears\"}");
	say(&b, ACL_SUBSCRIBE, "{\"project\":\"p\"}");
	until_heard(&b, 6);
	CHECK_INT(b.act[5], ACL_AGREE);
	bed_close(&b);
}

TEST(work_agent_refuses_what_it_does_not_know)
{
	struct bed b;

	bed_open(&b);
	say(&b, ACL_SUBSCRIBE, "{\"project\":\"p\",\"label\":\"x\"}");
	until_heard(&b, 1);
	CHECK_INT(b.act[0], ACL_REFUSE);
	CHECK(strstr(b.content[0], "label") != NULL);
	say(&b, ACL_SUBSCRIBE, "{\"project\":\"\"}");
	until_heard(&b, 2);
	CHECK_INT(b.act[1], ACL_REFUSE);
	bed_close(&b);
}
