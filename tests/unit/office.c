/*
 * office.c - agents on shards: spawned, heard, restarted, stopped; their books.
 *
 * SPDX-License-Identifier: MIT
 */
#include "office_fix.h"

#include <string.h>

#include "base/mem.h"

/* ---- charts --------------------------------------------------------------------------- */

TEST(office_a_chart_hears_and_answers_on_one_shard)
{
	struct office_spec external = { .owner = 1, .name = S("ann") };
	struct office_spec echo = chart("echo");
	struct office_shown x;
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 1, office_texts);
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
	inbox_close(&f, 0, &in);
	office_fix_close(&f);
}

TEST(office_letters_and_answers_cross_shards)
{
	struct office_spec external = { .owner = 1, .name = S("ann") };
	struct office_spec echo = chart("echo");
	struct office_stats s;
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
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
	inbox_close(&f, 1, &in);
	office_quiet(&f);
	CHECK_INT(office_stats_of(&f).conns_open, 0);
	office_fix_close(&f);
}

TEST(office_who_is_not_there_is_named)
{
	struct office_spec echo = chart("echo");
	struct office_fix f;

	office_fix_open(&f, 2, office_texts);
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

/* ---- protocols --------------------------------------------------------------------------- */

/* Goal: the lowest price gets the work, everyone else is told, whatever shards they are on. */
static void
contract_net(unsigned desks, int bidders)
{
	static const struct str dig = { "dig", 3 };
	struct office_spec manager = agent_of("manager", "manager");
	struct office_fix f;
	struct inbox in;
	char text[64];

	office_fix_open(&f, desks, office_texts);
	manager.mailbox_max = 10000;
	CHECK_RC(office_spawn_wait(&f, 0, &manager, NULL), OK);
	for (int i = 0; i < bidders; i++) {
		struct office_spec s = { .owner = 1, .graph_id = S("digger"),
			.capabilities = &dig, .capabilities_n = 1 };

		snprintf(text, sizeof text, "{\"price\":%d}", 100 + (i * 7919) % bidders);
		s.input_json = str_of(text);
		CHECK_RC(office_spawn_wait(&f, (unsigned)i % desks, &s, NULL), OK);
	}
	spawn_ann(&f, &in);
	snprintf(text, sizeof text, "{\"bidders\":%d}", bidders);
	CHECK_RC(office_say(&f, 0, 1, "ann", "manager", ACL_REQUEST, text), OK);
	office_until(&f, inbox_has_one, &in);
	CHECK(strcmp(in.content, "100") == 0);
	office_quiet(&f);
	/* A call and a proposal each, an award or a rejection each, two results, a request. */
	CHECK_INT(office_stats_of(&f).books.delivered, 3 * bidders + 3);
	inbox_close(&f, 0, &in);
	office_fix_close(&f);
}

TEST(office_a_contract_net_of_charts_awards_the_lowest_bid)
{
	contract_net(2, 10);
}

TEST(office_a_contract_net_has_a_thousand_bidders)
{
	contract_net(2, 1000);
}

TEST(office_a_late_proposal_is_rejected_by_the_router)
{
	struct office_spec hasty = agent_of("hasty", "hasty"), slow = agent_of("slow", "slow");
	struct office_fix f;
	struct inbox in;
	msec until;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 0, &hasty, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 1, &slow, NULL), OK);
	spawn_ann(&f, &in);
	CHECK_RC(office_say(&f, 0, 1, "ann", "hasty", ACL_REQUEST, "1"), OK);
	office_quiet(&f);
	for (until = clock_wall_ms() + 31; clock_wall_ms() < until; )
		office_quiet(&f);
	CHECK_RC(office_say(&f, 0, 1, "ann", "slow", ACL_CONFIRM, "1"), OK);
	office_until(&f, inbox_has_one, &in);
	CHECK(strcmp(in.content, "\"rejected\"") == 0);
	inbox_close(&f, 0, &in);
	office_fix_close(&f);
}

TEST(office_what_a_protocol_forbids_is_refused)
{
	struct office_spec ann = agent_of("ann", ""), bob = agent_of("bob", "");
	const struct str to = S("bob"), back = S("ann");
	struct acl m = { .act = ACL_REQUEST, .receivers = &to, .receivers_n = 1,
		.protocol = S("fipa-request"), .conversation_id = S("c1") };
	struct office_fix f;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 0, &ann, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 1, &bob, NULL), OK);
	m.act = ACL_AGREE;
	CHECK_RC(office_send_wait(&f, 0, 1, "ann", &m), ERR_CONFLICT);
	m.act = ACL_REQUEST;
	CHECK_RC(office_send_wait(&f, 0, 1, "ann", &m), OK);
	CHECK_RC(office_send_wait(&f, 0, 1, "ann", &m), ERR_CONFLICT);
	m.receivers = &back;
	m.act = ACL_PROPOSE;
	CHECK_RC(office_send_wait(&f, 1, 1, "bob", &m), ERR_CONFLICT);
	m.act = ACL_INFORM;
	CHECK_RC(office_send_wait(&f, 1, 1, "bob", &m), OK);
	CHECK_RC(office_send_wait(&f, 1, 1, "bob", &m), ERR_CONFLICT);
	CHECK_INT(office_stats_of(&f).talks, 0);
	office_fix_close(&f);
}

/* Goal: a message that was refused because the mailbox is full was never said, and may be said
 * again. */
TEST(office_a_full_mailbox_refuses_a_client_and_takes_the_words_back)
{
	struct office_spec ann = agent_of("ann", ""), bob = agent_of("bob", "");
	const struct str to = S("bob");
	struct acl m = { .act = ACL_REQUEST, .receivers = &to, .receivers_n = 1,
		.protocol = S("fipa-request"), .conversation_id = S("c1") };
	struct office_shown x;
	struct office_fix f;

	office_fix_open(&f, 2, office_texts);
	bob.mailbox_max = 2;
	CHECK_RC(office_spawn_wait(&f, 0, &ann, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 1, &bob, NULL), OK);
	for (unsigned desk = 0; desk < 2; desk++)
		CHECK_RC(office_say(&f, desk, 1, "ann", "bob", ACL_INFORM, "1"), OK);
	for (unsigned desk = 0; desk < 2; desk++)
		for (int i = 0; i < 3; i++)
			CHECK_RC(office_send_wait(&f, desk, 1, "ann", &m), ERR_AGAIN);
	CHECK_INT(office_stats_of(&f).talks, 0);
	CHECK_INT(office_state(&f, 0, 1, "bob", &x), AGENT_READY);
	CHECK_INT(x.waiting, 2);
	CHECK_RC(office_stop_wait(&f, 0, 1, "bob", false, 0), OK);
	office_quiet(&f);
	CHECK_INT(office_stats_of(&f).books.dead, 2);
	CHECK_INT(office_stats_of(&f).books.refused, 6);
	office_fix_close(&f);
}

TEST(office_a_chart_hears_that_nobody_is_there)
{
	struct office_spec lost = agent_of("lost", "lost");
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 1, &lost, NULL), OK);
	spawn_ann(&f, &in);
	CHECK_RC(office_say(&f, 0, 1, "ann", "lost", ACL_REQUEST, "1"), OK);
	office_until(&f, inbox_has_one, &in);
	CHECK(strcmp(in.content, "\"ann2\"") == 0);
	inbox_close(&f, 0, &in);
	office_fix_close(&f);
}

/* ---- lives ---------------------------------------------------------------------------------- */

/* Until an agent is in a state; -1: it is gone. */
static void
until_state(struct office_fix *f, const char *name, int state)
{
	struct office_shown x;

	while (office_state(f, 0, 1, name, &x) != state)
		;
}

TEST(office_a_supervisor_starts_what_failed_again_and_gives_up)
{
	struct office_spec s = agent_of("frail", "fragile");
	struct office_shown x;
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
	s.restart = RESTART_ON_FAILURE;
	s.restarts_max = 2;
	s.restarts_window = 60000;
	s.backoff = 1;
	CHECK_RC(office_spawn_wait(&f, 1, &s, NULL), OK);
	spawn_ann(&f, &in);
	for (unsigned i = 1; i <= 2; i++) {
		CHECK_RC(office_say(&f, 0, 1, "ann", "frail", ACL_INFORM, "1"), OK);
		CHECK_RC(office_say(&f, 0, 1, "ann", "frail", ACL_CANCEL, NULL), OK);
		/* It waits in the mailbox until it lives again, with fresh data. */
		CHECK_RC(office_say(&f, 0, 1, "ann", "frail", ACL_REQUEST, NULL), OK);
		office_quiet(&f);
		CHECK_INT(in.n, i);
		CHECK(strcmp(in.content, "0") == 0);
		CHECK_INT(office_state(&f, 0, 1, "frail", &x), AGENT_RUNNING);
		CHECK_INT(x.restarts, i);
	}
	CHECK_RC(office_say(&f, 0, 1, "ann", "frail", ACL_CANCEL, NULL), OK);
	until_state(&f, "frail", AGENT_FAILED);
	office_quiet(&f);
	CHECK_INT(in.n, 2);
	CHECK_RC(office_say(&f, 0, 1, "ann", "frail", ACL_REQUEST, NULL), ERR_NOTFOUND);
	CHECK_RC(office_stop_wait(&f, 0, 1, "frail", false, 0), OK);
	CHECK_INT(office_state(&f, 0, 1, "frail", &x), -1);
	inbox_close(&f, 0, &in);
	office_fix_close(&f);
}

TEST(office_an_agent_that_ends_is_gone_or_lives_again)
{
	struct office_spec echo = chart("echo"), always = chart("always");
	struct office_shown x;
	struct office_fix f;

	office_fix_open(&f, 2, office_texts);
	always.restart = RESTART_ALWAYS;
	always.restarts_max = 1;
	always.restarts_window = 60000;
	CHECK_RC(office_spawn_wait(&f, 0, &echo, NULL), OK);
	CHECK_RC(office_spawn_wait(&f, 1, &always, NULL), OK);
	CHECK_RC(office_say(&f, 0, 1, NULL, "echo", ACL_CANCEL, NULL), OK);
	CHECK_RC(office_say(&f, 0, 1, NULL, "always", ACL_CANCEL, NULL), OK);
	until_state(&f, "echo", -1);
	until_state(&f, "always", AGENT_READY);
	CHECK_INT(office_state(&f, 0, 1, "always", &x), AGENT_READY);
	CHECK_INT(x.restarts, 1);
	CHECK_RC(office_say(&f, 0, 1, NULL, "always", ACL_CANCEL, NULL), OK);
	until_state(&f, "always", -1);
	CHECK_RC(office_spawn_wait(&f, 0, &echo, NULL), OK);
	office_fix_close(&f);
}

/* Goal: a drain ends when nothing is pending any more, or at its deadline, and takes in nothing
 * meanwhile. */
TEST(office_drain_delivers_what_waits)
{
	struct office_spec bob = agent_of("bob", "");
	struct office_fix f;
	struct inbox in;

	office_fix_open(&f, 2, office_texts);
	CHECK_RC(office_spawn_wait(&f, 1, &bob, NULL), OK);
	for (int i = 0; i < 20; i++)
		CHECK_RC(office_say(&f, 0, 1, NULL, "bob", ACL_INFORM, "1"), OK);
	inbox_open(&f, 0, &in, "bob");
	CHECK_RC(office_stop_wait(&f, 0, 1, "bob", true, 60000), OK);
	office_until(&f, inbox_ended, &in);
	CHECK_INT(in.ended, ERR_CLOSED);
	CHECK_INT(in.n, 20);
	CHECK_INT(office_stats_of(&f).books.dead, 0);
	CHECK_RC(office_spawn_wait(&f, 1, &bob, NULL), OK);
	CHECK_RC(office_say(&f, 0, 1, NULL, "bob", ACL_INFORM, "1"), OK);
	CHECK_RC(office_stop_wait(&f, 0, 1, "bob", true, 5), OK);
	office_quiet(&f);
	CHECK_INT(office_stats_of(&f).books.dead, 1);
	office_fix_close(&f);
}

/* ---- owners ---------------------------------------------------------------------------------- */

/* Goal: whatever is asked by whom, an agent of another owner is not there. */
TEST(office_owners_never_meet)
{
	static const struct str cap = { "dig", 3 };
	struct office_shown x;
	struct office_fix f;

	office_fix_open(&f, 2, office_texts);
	for (owner_t o = 1; o <= 3; o++) {
		struct office_spec s = { .owner = o, .name = S("echo"), .graph_id = S("echo"),
			.capabilities = &cap, .capabilities_n = 1 };
		char own[16];

		CHECK_RC(office_spawn_wait(&f, (unsigned)o % 2, &s, NULL), OK);
		snprintf(own, sizeof own, "own%d", (int)o);
		s.name = str_of(own);
		CHECK_RC(office_spawn_wait(&f, (unsigned)o % 2, &s, NULL), OK);
	}
	for (owner_t asks = 1; asks <= 3; asks++)
		for (owner_t has = 1; has <= 3; has++) {
			int expected = asks == has ? OK : ERR_NOTFOUND;
			char own[16];

			snprintf(own, sizeof own, "own%d", (int)has);
			CHECK_RC(office_say(&f, 0, asks, NULL, own, ACL_INFORM, "1"), expected);
			if (asks != has)
				CHECK(strstr(f.e.text, "own") == NULL ||
				    strchr(f.e.text, '0' + (int)asks) != NULL);
			CHECK((office_state(&f, 1, asks, own, &x) >= 0) == (asks == has));
			if (asks != has)
				CHECK_RC(office_stop_wait(&f, 0, asks, own, false, 0), ERR_NOTFOUND);
		}
	for (owner_t o = 1; o <= 3; o++) {
		CHECK_RC(office_say(&f, 0, o, NULL, "all:dig", ACL_INFORM, "1"), OK);
		CHECK_INT(f.letters, 2);
	}
	office_fix_close(&f);
}

/* ---- books ----------------------------------------------------------------------------------- */

struct load { struct office_fix *f; pthread_t thread; _Atomic bool stop; size_t looks; };

static void *
look(void *arg)
{
	struct load *l = arg;

	while (!l->stop) {
		(void)office_stats_of(l->f);
		l->looks++;
	}
	return NULL;
}

/* Goal: the books balance whenever they are read, from whichever thread. */
TEST(office_books_balance_while_letters_move)
{
	struct load l = { 0 };
	struct office_fix f;
	char name[16];

	office_fix_open(&f, 2, office_texts);
	for (int i = 0; i < 8; i++) {
		struct office_spec s = agent_of(name, i % 2 == 0 ? "echo" : "");

		snprintf(name, sizeof name, "a%d", i);
		s.name = str_of(name);
		s.mailbox_max = 20;
		CHECK_RC(office_spawn_wait(&f, (unsigned)i / 4, &s, NULL), OK);
	}
	l.f = &f;
	CHECK(pthread_create(&l.thread, NULL, look, &l) == 0);
	for (int i = 0; i < 3000; i++) {
		enum acl_act act = i % 3 == 0 ? ACL_REQUEST : ACL_INFORM;
		char from[16];

		snprintf(name, sizeof name, "a%d", i * 7 % 8);
		snprintf(from, sizeof from, "a%d", i % 4);
		(void)office_say(&f, (unsigned)i % 2, 1, from, name, act, "5");
		if (i % 500 == 499 && i < 2000) {    /* the senders stay */
			snprintf(name, sizeof name, "a%d", 4 + i / 500);
			CHECK_RC(office_stop_wait(&f, 0, 1, name, false, 0), OK);
		}
	}
	l.stop = true;
	CHECK(pthread_join(l.thread, NULL) == 0);
	CHECK(l.looks > 0);
	CHECK(office_stats_of(&f).books.delivered > 200);
	CHECK(office_stats_of(&f).books.dead > 0);
	office_fix_close(&f);
}
