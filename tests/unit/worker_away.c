/*
 * worker_away.c - two nodes on one shard: offers of one for workers that poll at the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker_fix.h"

#include <string.h>

#include "base/mem.h"
#include "worker/away.h"

#define GRAPH "'graphs':[{'id':'g'}]"
#define NODE  "'nodes':[{'name':'n','description':'adds','idempotent':true}]"

enum { NODES = 2 };
static struct place places[NODES];
static struct worker_away *aways[NODES];

/* Words on their way; they arrive between two turns. */
static struct sent { size_t from; uint64_t to; struct buf text; } words[4096];
static size_t words_n, words_read;
static bool lossy;                           /* none arrives */

static bool
say(void *ctx, uint64_t to, const struct str *pieces, size_t n)
{
	struct sent *s = &words[words_n++];

	CHECK(words_n < COUNT(words));
	*s = (struct sent){ (size_t)((struct place *)ctx - places), to, BUF(MB) };
	for (size_t i = 0; i < n; i++)
		buf_add(&s->text, pieces[i]);
	return true;
}

static void
pump(void)
{
	shard_turn(places[0].shard);
	while (words_read < words_n) {
		struct sent *s = &words[words_read++];

		if (!lossy)
			worker_away_heard(aways[1 - s->from], s->from + 1, buf_str(&s->text));
		buf_release(&s->text);
	}
}

#define PUMP_UNTIL(condition) do { while (!(condition)) pump(); } while (0)

static void
start(void)
{
	struct workers_options o = WORKER_OPTIONS;

	o.sticky = 1;
	place_open(&places[0], &o);
	places[1] = (struct place){ .ws = workers_new(&o), .shard = places[0].shard };
	places[1].desk = worker_desk_new(places[1].ws, places[1].shard);
	for (size_t i = 0; i < NODES; i++) {
		workers_set_node(places[i].ws, (int64_t)i + 7);
		aways[i] = worker_away_new(places[i].desk, &(struct worker_away_options){ say,
		    &places[i] });
	}
}

static void
finish(void)
{
	for (size_t i = 0; i < NODES; i++)
		worker_away_drain(aways[i]);
	worker_desk_drain(places[1].desk);
	place_wait(&places[0], 3);
	worker_desk_free(places[1].desk);
	workers_free(places[1].ws);
	place_close(&places[0]);
	for (size_t i = 0; i < NODES; i++)
		worker_away_free(aways[i]);
}

/* What the answered poll has. */
static size_t
tasks_n(struct asked *a)
{
	PUMP_UNTIL(a->answered);
	return answer_tasks(&places[1], a);
}

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

/* An offer of node 7 goes to a worker that polls at node 8; the worker's calls are about a
 * task whose name tells node 7, with the worker's key. */
TEST(away_offer_reaches_a_worker_of_another_node)
{
	struct job j = { .end = true, .offer = { .members = S("\"input\":{\"a\":[],"
	    "\"quiet\":1}") } };
	struct uuid w, task;
	struct buf list = BUF(MB);
	const char *why = NULL;
	struct asked a;

	start();
	w = worker_new(&places[1], GRAPH, "b1");
	CHECK_INT(worker_name_node(&w), 8);
	PUMP_UNTIL(workers_serving(places[0].ws, WORKER_RUN, S("g")) == 1);
	ask(&places[1], &a, &w, 1, 0);
	job_offer(&places[0], &j, "g", 7);
	CHECK_INT(tasks_n(&a), 1);
	CHECK(str_eq(json_str(json_get(answer_task(&a, 0), S("token"))), token_of(&j)));
	CHECK(json_get(json_get(answer_task(&a, 0), S("input")), S("quiet")) != NULL);
	CHECK(uuid_parse(id_of(&j), &task));
	CHECK_INT(worker_name_node(&task), 7);
	CHECK_RC(call_about(&places[1], WORKER_EVENTS, id_of(&j), token_of(&j), 0, "{}", &why,
	    NULL), ERR_CONFLICT);        /* it is not there */
	CHECK_RC(call_about(&places[0], WORKER_EVENTS, id_of(&j), token_of(&j), 9, "{}", &why,
	    NULL), ERR_DENIED);
	CHECK_STR(str_of(why), "other_key");
	CHECK_RC(call_about(&places[0], WORKER_END, id_of(&j), token_of(&j), 0, "{}", &why,
	    NULL), OK);
	CHECK_INT(j.calls, 1);
	workers_add_list(places[0].ws, 0, &list);    /* its own node lists the worker */
	CHECK_INT(list.n, 0);
	workers_add_list(places[1].ws, 0, &list);
	CHECK(list.n > 0);
	buf_release(&list);
	asked_end(&a);
	finish();
}

/* A worker gets as many tasks of both nodes together as it has places, and those that are
 * too many wait for its next poll. */
TEST(away_places_of_a_worker_are_not_given_twice)
{
	struct job j[3] = { { .end = true }, { .end = true }, { .end = true } };
	struct uuid w;
	struct asked a;
	size_t got;

	start();
	w = worker_new(&places[1], GRAPH, "b1");
	ask(&places[1], &a, &w, 2, 0);
	for (int i = 0; i < 2; i++)
		job_offer(&places[0], &j[i], "g", 7);
	PUMP_UNTIL(j[0].taken == 1 && j[1].taken == 1);
	job_offer(&places[1], &j[2], "g", 7);
	got = tasks_n(&a);
	CHECK_INT(j[2].taken, 0);
	asked_end(&a);
	ask(&places[1], &a, &w, 1, 0);
	got += tasks_n(&a);
	while (got < 3) {
		asked_end(&a);
		ask(&places[1], &a, &w, 1, 0);
		got += tasks_n(&a);
	}
	CHECK_INT(j[2].taken, 1);
	asked_end(&a);
	for (int i = 0; i < 3; i++)
		workers_withdraw(&j[i].offer, "success");
	finish();
}

/* Lost words cost a second. */
TEST(away_asks_again)
{
	struct job j = { .end = true };
	struct uuid w;
	struct asked a;

	start();
	w = worker_new(&places[1], GRAPH, "b1");
	ask(&places[1], &a, &w, 1, 0);
	lossy = true;
	job_offer(&places[0], &j, "g", 7);
	PUMP_UNTIL(words_n > 1 && words_read == words_n);
	lossy = false;
	CHECK_INT(tasks_n(&a), 1);
	CHECK_INT(j.taken, 1);
	asked_end(&a);
	workers_withdraw(&j.offer, "success");
	finish();
}

/* What a worker registered of a node is known at the other node, with its facts. */
TEST(away_facts_are_told)
{
	struct arena arena = ARENA(MB);
	struct worker_facts f;

	start();
	worker_new(&places[1], NODE, "b1");
	PUMP_UNTIL(workers_find(places[0].ws, WORKER_NODE, S("n"), &arena, &f));
	CHECK_STR(f.description, "adds");
	CHECK(f.idempotent);
	CHECK_INT(workers_serving(places[0].ws, WORKER_NODE, S("n")), 1);
	arena_release(&arena);
	finish();
}

/* A run keeps its build, and one that is to have the newest gets it, wherever they are. */
TEST(away_builds_are_those_of_all_nodes)
{
	struct job pinned = { .end = true, .offer = { .build = S("b1") } };
	struct job fresh = { .end = true, .offer = { .newest = true } };
	struct job free = { .end = true, .offer = { .build = S("b1") } };
	struct asked a, b, c;
	struct uuid old, next;

	start();
	old = worker_new(&places[1], GRAPH, "b1");
	next = worker_new(&places[1], GRAPH, "b2");
	PUMP_UNTIL(workers_serving(places[0].ws, WORKER_RUN, S("g")) == 2);
	ask(&places[1], &a, &next, 2, 0);
	ask(&places[1], &b, &old, 2, 0);
	job_offer(&places[0], &pinned, "g", 7);
	job_offer(&places[0], &fresh, "g", 7);
	CHECK_INT(tasks_n(&a), 1);
	CHECK_INT(tasks_n(&b), 1);
	CHECK(str_eq(json_str(json_get(answer_task(&a, 0), S("token"))), token_of(&fresh)));
	CHECK(str_eq(json_str(json_get(answer_task(&b, 0), S("token"))), token_of(&pinned)));
	asked_end(&a);
	asked_end(&b);
	workers_withdraw(&pinned.offer, "success");
	workers_withdraw(&fresh.offer, "success");
	/* The last worker of the build goes: it waits no more. */
	ask(&places[1], &c, &next, 1, 0);
	job_offer(&places[0], &free, "g", 7);
	CHECK_RC(workers_leave(places[1].desk, &old, (uint8_t[SHA256_SIZE]){ 0 }, NULL), OK);
	CHECK_INT(tasks_n(&c), 1);
	CHECK_INT(workers_serving(places[0].ws, WORKER_RUN, S("g")), 1);
	asked_end(&c);
	workers_withdraw(&free.offer, "success");
	finish();
}

/* A cancel is in the answer to a poll that waits at the worker's node. */
TEST(away_cancel_reaches_the_poll)
{
	struct job j = { .end = true };
	struct asked a, b;
	struct uuid w;
	jnode cancel;

	start();
	w = worker_new(&places[1], GRAPH, "b1");
	ask(&places[1], &a, &w, 1, 0);
	job_offer(&places[0], &j, "g", 7);
	CHECK_INT(tasks_n(&a), 1);
	asked_end(&a);
	ask(&places[1], &b, &w, 1, 0);
	workers_cancel(&j.offer, true, S("enough"));
	CHECK_INT(tasks_n(&b), 0);
	cancel = json_at(json_get(b.doc.root, S("cancel")), 0);
	CHECK(str_eq(json_str(json_get(cancel, S("task_id"))), id_of(&j)));
	CHECK_STR(json_str(json_get(cancel, S("action"))), "rollback");
	CHECK_STR(json_str(json_get(cancel, S("reason"))), "enough");
	asked_end(&b);
	workers_withdraw(&j.offer, "cancelled");
	finish();
}
