/*
 * worker_lease.c - who gets a task, and who may speak for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker_fix.h"

#include <string.h>

#define GRAPH "'graphs':[{'id':'g'}]"
#define NODE  "'nodes':[{'name':'n'}]"
#define QUICK ((struct workers_options){ .shards = 1, .lease = 300, .poll = 5000, .grace = 300, \
	.sticky = 40 })

static struct str
token_of(const struct job *j)
{
	return (struct str){ j->token, sizeof j->token };
}

static struct str
id_of(const struct job *j)
{
	return (struct str){ j->id, sizeof j->id };
}

TEST(worker_task_goes_to_who_polls_and_ends_once)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a;
	struct job j = { .end = true, .offer = { .members = S("\"input\":{\"a\":1}") } };
	struct uuid w;
	const char *why = NULL;
	struct buf b = BUF(KB);

	place_open(&p, &o);
	w = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w, 1, 0);
	job_offer(&p, &j, "g", 7);
	CHECK_INT(answer_tasks(&p, &a), 1);
	CHECK_STR(json_str(json_get(answer_task(&a, 0), S("kind"))), "run");
	CHECK_STR(json_str(json_get(answer_task(&a, 0), S("name"))), "g");
	CHECK(str_eq(json_str(json_get(answer_task(&a, 0), S("token"))), token_of(&j)));
	CHECK(json_get(json_get(answer_task(&a, 0), S("input")), S("a")) != NULL);
	CHECK_INT(j.taken, 1);

	CHECK_RC(call_about(&p, WORKER_EVENTS, id_of(&j), token_of(&j), 0, "{}", &why, &b), OK);
	CHECK(str_contains(buf_str(&b), S("\"lease_until\":")));
	CHECK(str_contains(buf_str(&b), S("\"x\":1")));
	CHECK_RC(call_about(&p, WORKER_EVENTS, id_of(&j),
	    S("00000000000000000000000000000000"), 0, "{}", &why, NULL), ERR_DENIED);
	CHECK_STR(str_of(why), "wrong_token");
	CHECK_RC(call_about(&p, WORKER_EVENTS, id_of(&j), S("short"), 0, "{}", &why, NULL),
	    ERR_DENIED);
	CHECK_RC(call_about(&p, WORKER_EVENTS, id_of(&j), token_of(&j), 9, "{}", &why, NULL),
	    ERR_DENIED);
	CHECK_STR(str_of(why), "other_key");
	CHECK_INT(j.calls, 1);

	CHECK_RC(call_about(&p, WORKER_END, id_of(&j), token_of(&j), 0, "{\"status\":1}", &why,
	    NULL), OK);
	CHECK_RC(call_about(&p, WORKER_END, id_of(&j), token_of(&j), 0, "{\"status\":1}", &why,
	    NULL), OK);
	CHECK_INT(j.calls, 2);
	CHECK_RC(call_about(&p, WORKER_END, id_of(&j), token_of(&j), 0, "{\"status\":2}", &why,
	    NULL), ERR_CONFLICT);
	CHECK_STR(str_of(why), "lost_lease");
	CHECK_RC(call_about(&p, WORKER_SAVER, id_of(&j), token_of(&j), 0, "{}", &why, NULL),
	    ERR_CONFLICT);
	asked_end(&a);
	buf_release(&b);
	place_close(&p);
}

TEST(worker_that_is_silent_loses_its_task_and_is_fenced)
{
	struct place p;
	struct asked a;
	struct job j = { .end = true };
	struct uuid w;
	char id[UUID_TEXT], token[WORKER_TOKEN_CHARS];
	const char *why = NULL;

	place_open(&p, &QUICK);
	w = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w, 1, 0);
	job_offer(&p, &j, "g", 7);
	CHECK_INT(answer_tasks(&p, &a), 1);
	asked_end(&a);
	memcpy(id, j.id, sizeof id);
	memcpy(token, j.token, sizeof token);
	TURNS_UNTIL(&p, j.lost == 1);
	CHECK_STR(str_of(j.why), "silent");
	job_offer(&p, &j, "g", 7);
	CHECK_RC(call_about(&p, WORKER_SAVER, (struct str){ id, sizeof id },
	    (struct str){ token, sizeof token }, 0, "{}", &why, NULL), ERR_CONFLICT);
	CHECK_STR(str_of(why), "lost_lease");
	ask(&p, &a, &w, 1, 0);
	CHECK_INT(answer_tasks(&p, &a), 1);
	CHECK_INT(json_int(json_get(answer_task(&a, 0), S("attempt"))), 2);
	CHECK_RC(call_about(&p, WORKER_END, id_of(&j), token_of(&j), 0, "{}", &why, NULL), OK);
	CHECK_INT(j.lost, 1);
	asked_end(&a);
	place_close(&p);
}

TEST(worker_beats_keep_a_lease)
{
	struct place p;
	struct asked a;
	struct job j = { .end = true };
	struct uuid w;
	struct workers_options o = QUICK;

	o.lease = 1000;
	place_open(&p, &o);
	w = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w, 1, 0);
	job_offer(&p, &j, "g", 7);
	answer_tasks(&p, &a);
	asked_end(&a);
	for (int i = 0; i < 20; i++) {
		place_wait(&p, 60);
		CHECK_RC(call_about(&p, WORKER_EVENTS, id_of(&j), token_of(&j), 0,
		    "{\"events\":[]}", NULL, NULL), OK);
	}
	CHECK_INT(j.lost, 0);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
}

TEST(worker_owners_take_turns)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a;
	struct job many[6] = { 0 }, one = { 0 };
	struct uuid w;

	place_open(&p, &o);
	w = worker_new(&p, NODE, "b1");
	for (size_t i = 0; i < COUNT(many); i++) {
		many[i].offer.kind = WORKER_NODE;
		job_offer(&p, &many[i], "n", 1);
	}
	one.offer.kind = WORKER_NODE;
	job_offer(&p, &one, "n", 2);
	ask(&p, &a, &w, 0, 2);
	while (many[0].taken + one.taken < 2)
		shard_turn(p.shard);
	CHECK_INT(many[1].taken, 0);
	CHECK(answer_tasks(&p, &a) >= 1);
	asked_end(&a);
	for (size_t i = 0; i < COUNT(many); i++)
		workers_withdraw(&many[i].offer, "over");
	workers_withdraw(&one.offer, "over");
	place_close(&p);
}

static bool
took(const struct job *j, const struct uuid *worker)
{
	char text[UUID_TEXT];

	uuid_format(worker, text);
	return j->offer.session != NULL && str_eq(j->worker, (struct str){ text, sizeof text });
}

TEST(worker_run_keeps_its_build_while_one_lives)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked old, fresh;
	struct job pinned = { .offer.build = S("b1") }, newest = { .offer.newest = true },
	    any = { 0 };
	struct uuid w1, w2;
	uint8_t key[SHA256_SIZE] = { 0 };
	struct err e;

	place_open(&p, &o);
	w1 = worker_new(&p, GRAPH, "b1");
	w2 = worker_new(&p, GRAPH, "b2");
	ask(&p, &old, &w1, 8, 0);
	ask(&p, &fresh, &w2, 8, 0);
	job_offer(&p, &pinned, "g", 1);
	job_offer(&p, &newest, "g", 1);
	job_offer(&p, &any, "g", 1);
	TURNS_UNTIL(&p, pinned.taken + newest.taken + any.taken == 3);
	CHECK(took(&pinned, &w1) && took(&newest, &w2) && took(&any, &w2));
	answer_tasks(&p, &old);
	answer_tasks(&p, &fresh);
	asked_end(&old);
	asked_end(&fresh);

	/* The pinned one is lost with the only worker of its build: then any may have it. */
	CHECK_RC(workers_leave(p.desk, &w1, key, &e), OK);
	TURNS_UNTIL(&p, pinned.lost == 1);
	CHECK_STR(str_of(pinned.why), "left");
	job_offer(&p, &pinned, "g", 1);
	ask(&p, &fresh, &w2, 8, 0);
	answer_tasks(&p, &fresh);
	CHECK(took(&pinned, &w2));
	asked_end(&fresh);
	workers_withdraw(&pinned.offer, "success");
	workers_withdraw(&newest.offer, "success");
	workers_withdraw(&any.offer, "success");
	place_close(&p);
}

/* A process that hangs has a poll that waits: no run that it lost goes to it or waits for it,
 * not even one of its build.  Once it polls again it is as good as any. */
TEST(worker_that_hangs_is_not_waited_for)
{
	struct place p;
	struct asked first, waits, other;
	struct job j = { .offer.build = S("b1"), .end = true };
	struct uuid hangs, lives;

	place_open(&p, &QUICK);
	hangs = worker_new(&p, GRAPH, "b1");
	lives = worker_new(&p, GRAPH, "b2");
	ask(&p, &first, &hangs, 8, 0);
	job_offer(&p, &j, "g", 1);
	CHECK_INT(answer_tasks(&p, &first), 1);
	asked_end(&first);
	ask(&p, &waits, &hangs, 8, 0);
	ask(&p, &other, &lives, 8, 0);
	TURNS_UNTIL(&p, j.lost == 1);
	j.offer.prefer = j.worker;
	job_offer(&p, &j, "g", 1);
	CHECK_INT(answer_tasks(&p, &other), 1);
	CHECK(took(&j, &lives));
	CHECK_INT(answer_tasks(&p, &waits), 0);
	CHECK_INT(workers_serving(p.ws, WORKER_RUN, S("g")), 1);
	asked_end(&other);
	asked_end(&waits);
	workers_withdraw(&j.offer, "success");

	ask(&p, &waits, &hangs, 8, 0);
	CHECK_INT(workers_serving(p.ws, WORKER_RUN, S("g")), 2);
	job_offer(&p, &j, "g", 1);
	CHECK_INT(answer_tasks(&p, &waits), 1);
	CHECK(took(&j, &hangs));
	asked_end(&waits);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
}

/* A build that comes back is as old as it was. */
TEST(worker_build_that_comes_back_is_not_the_newest)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a, b;
	struct job j = { .offer.newest = true };
	struct uuid w1, w2;
	uint8_t key[SHA256_SIZE] = { 0 };
	struct err e;

	place_open(&p, &o);
	w1 = worker_new(&p, GRAPH, "b1");
	w2 = worker_new(&p, GRAPH, "b2");
	CHECK_RC(workers_leave(p.desk, &w1, key, &e), OK);
	w1 = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w1, 1, 0);
	ask(&p, &b, &w2, 1, 0);
	job_offer(&p, &j, "g", 1);
	CHECK_INT(answer_tasks(&p, &b), 1);
	CHECK(!a.answered);
	asked_end(&b);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
	asked_end(&a);                       /* its answer came with the end */
}

TEST(worker_that_has_the_thread_is_waited_for_a_while)
{
	struct place p;
	struct asked other;
	struct job j = { 0 };
	struct uuid w1, w2;
	char text[UUID_TEXT];
	struct workers_options o = QUICK;

	o.lease = 60000;                     /* it lives, however slow this machine is */
	place_open(&p, &o);
	w1 = worker_new(&p, GRAPH, "b1");
	w2 = worker_new(&p, GRAPH, "b1");
	uuid_format(&w1, text);
	j.offer.prefer = (struct str){ text, sizeof text };
	ask(&p, &other, &w2, 1, 0);
	job_offer(&p, &j, "g", 1);
	CHECK_INT(answer_tasks(&p, &other), 1);
	CHECK(clock_mono() >= j.offer.patient);
	asked_end(&other);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
}

/* A worker whose client went before its task was sent is waited for no longer than any. */
TEST(worker_that_did_not_fetch_its_task_is_waited_for_a_while)
{
	struct place p;
	struct asked mine, other;
	struct job j = { .hold = true };
	struct workers_options o = QUICK;
	struct uuid w1, w2;
	char text[UUID_TEXT];

	o.lease = o.poll = 60000;
	place_open(&p, &o);
	w1 = worker_new(&p, GRAPH, "b1");
	w2 = worker_new(&p, GRAPH, "b1");
	uuid_format(&w1, text);
	j.offer.prefer = (struct str){ text, sizeof text };
	ask(&p, &mine, &w1, 1, 0);
	job_offer(&p, &j, "g", 1);
	TURNS_UNTIL(&p, j.taken == 1);
	j.hold = false;
	workers_deliver(&j.offer);
	worker_poll_leave(&mine.poll);
	ask(&p, &other, &w2, 1, 0);
	CHECK_INT(answer_tasks(&p, &other), 1);
	CHECK_INT(j.taken, 2);
	CHECK_INT(j.lost, 0);
	asked_end(&other);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
}

TEST(worker_cancel_is_told_at_once_and_ends_the_lease_after_the_grace)
{
	struct place p;
	struct asked a;
	struct job j = { 0 }, waits = { 0 };
	struct uuid w;
	struct buf b = BUF(KB);
	struct workers_options o = QUICK;
	jnode n;

	o.lease = 5000;
	place_open(&p, &o);
	w = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w, 1, 0);
	job_offer(&p, &j, "g", 1);
	answer_tasks(&p, &a);
	asked_end(&a);
	ask(&p, &a, &w, 0, 0);
	workers_cancel(&j.offer, true, S("why not"));
	CHECK_INT(answer_tasks(&p, &a), 0);
	n = json_at(json_get(a.doc.root, S("cancel")), 0);
	CHECK(str_eq(json_str(json_get(n, S("task_id"))), id_of(&j)));
	CHECK_STR(json_str(json_get(n, S("action"))), "rollback");
	CHECK_RC(call_about(&p, WORKER_EVENTS, id_of(&j), token_of(&j), 0, "{}", NULL, &b), OK);
	CHECK(str_contains(buf_str(&b), S("\"cancel\":{\"action\":\"rollback\","
	    "\"reason\":\"why not\"}")));
	TURNS_UNTIL(&p, j.lost == 1);
	CHECK_STR(str_of(j.why), "cancelled");

	job_offer(&p, &waits, "g", 1);
	workers_cancel(&waits.offer, false, S("x"));
	CHECK_INT(waits.lost, 0);
	TURNS_UNTIL(&p, waits.lost == 1);
	CHECK_INT(waits.taken, 0);
	asked_end(&a);
	buf_release(&b);
	place_close(&p);
}

TEST(worker_that_drains_gets_no_more)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a, b;
	struct job j = { 0 };
	struct uuid w1, w2;
	struct err e;

	place_open(&p, &o);
	w1 = worker_new(&p, GRAPH, "b1");
	w2 = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w1, 8, 0);
	CHECK_RC(workers_quiet(p.desk, &w1, &e), OK);
	CHECK_INT(answer_tasks(&p, &a), 0);
	CHECK(json_bool(json_get(a.doc.root, S("quiet"))));
	asked_end(&a);
	ask(&p, &a, &w1, 8, 0);
	CHECK_INT(workers_serving(p.ws, WORKER_RUN, S("g")), 1);
	job_offer(&p, &j, "g", 1);
	ask(&p, &b, &w2, 8, 0);
	CHECK_INT(answer_tasks(&p, &b), 1);
	CHECK(!a.answered && took(&j, &w2));
	asked_end(&b);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
	asked_end(&a);                       /* its answer came with the end */
}

TEST(worker_task_that_was_not_sent_is_no_attempt)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a, b;
	struct job j = { .hold = true };
	struct uuid w1, w2;
	uint8_t key[SHA256_SIZE] = { 0 };
	char before[UUID_TEXT];
	struct err e;

	place_open(&p, &o);
	w1 = worker_new(&p, GRAPH, "b1");
	w2 = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w1, 1, 0);
	job_offer(&p, &j, "g", 1);
	TURNS_UNTIL(&p, j.taken == 1);
	memcpy(before, j.id, sizeof before);
	ask(&p, &b, &w2, 1, 0);
	CHECK_RC(workers_leave(p.desk, &w1, key, &e), OK);
	workers_deliver(&j.offer);           /* too late or not: it must not be lost */
	TURNS_UNTIL(&p, j.taken == 2);
	CHECK_INT(j.lost, 0);
	CHECK(memcmp(before, j.id, sizeof before) != 0 && took(&j, &w2));
	workers_deliver(&j.offer);
	CHECK_INT(answer_tasks(&p, &b), 1);
	CHECK(a.answered);
	asked_end(&a);
	asked_end(&b);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
}

TEST(worker_task_is_given_back_when_the_client_of_the_poll_is_gone)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a, b;
	struct job j = { .hold = true };
	struct uuid w1, w2;

	place_open(&p, &o);
	w1 = worker_new(&p, GRAPH, "b1");
	w2 = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w1, 1, 0);
	job_offer(&p, &j, "g", 1);
	TURNS_UNTIL(&p, j.taken == 1);
	workers_deliver(&j.offer);           /* its answer is made in the next turn */
	worker_poll_leave(&a.poll);
	buf_release(&a.poll.text);
	j.hold = false;
	ask(&p, &b, &w2, 1, 0);
	CHECK_INT(answer_tasks(&p, &b), 1);
	CHECK(took(&j, &w2) && j.lost == 0);
	asked_end(&b);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
}

TEST(worker_poll_of_the_same_worker_ends_the_one_before)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a, b;
	struct job j = { 0 };
	struct uuid w;

	place_open(&p, &o);
	w = worker_new(&p, GRAPH, "b1");
	ask(&p, &a, &w, 1, 0);
	ask(&p, &b, &w, 1, 0);
	CHECK_INT(answer_tasks(&p, &a), 0);
	CHECK(!b.answered);
	job_offer(&p, &j, "g", 1);
	CHECK_INT(answer_tasks(&p, &b), 1);
	asked_end(&a);
	asked_end(&b);
	workers_withdraw(&j.offer, "success");
	place_close(&p);
}

TEST(worker_gets_what_it_has_room_for)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a;
	struct job j[5] = { 0 };
	struct uuid w;
	size_t n = 0;

	place_open(&p, &o);
	w = worker_new(&p, GRAPH "," NODE, "b1");
	for (size_t i = 0; i < COUNT(j); i++) {
		j[i].offer.kind = i < 3 ? WORKER_RUN : WORKER_NODE;
		job_offer(&p, &j[i], i < 3 ? "g" : "n", 1);
	}
	ask(&p, &a, &w, 2, 1);
	for (n = answer_tasks(&p, &a); n < 3; n += answer_tasks(&p, &a)) {
		asked_end(&a);
		ask(&p, &a, &w, 0, 0);
	}
	CHECK_INT(n, 3);
	CHECK_INT(j[0].taken + j[1].taken, 2);
	CHECK_INT(j[2].taken, 0);
	CHECK_INT(j[3].taken + j[4].taken, 1);
	asked_end(&a);
	/* The client of a poll is gone: nothing is matched with it any more. */
	ask(&p, &a, &w, 1, 0);
	worker_poll_leave(&a.poll);
	buf_release(&a.poll.text);
	for (size_t i = 0; i < COUNT(j); i++)
		workers_withdraw(&j[i].offer, "over");
	place_close(&p);
}
