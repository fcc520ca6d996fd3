/*
 * task_peer.c - agents that are spawned and stopped: once, whatever is made again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task_fix.h"

#define AGENT(work) "id: t\nstate: {a: {}}\nnodes: {n: {do: [" work ", {wait: {ms: 1000}}]}}\n" \
	"edges: [[START, n], [n, END]]\n"

/* What is there. */
static struct {
	struct uuid id;                      /* of the one that was spawned last */
	int spawned;
	bool there;                          /* the one that is to be stopped */
} office;

static void
on_peer(void *ctx, struct task_peer *x)
{
	bool was = office.there;
	struct err e;

	(void)ctx;
	if (x->op == TASK_PEER_SPAWN) {
		office.spawned += !uuid_eq(&office.id, &x->id);
		office.id = x->id;
		x->done(x, OK, NULL);
		return;
	}
	office.there = false;
	if (was || x->again)
		x->done(x, OK, NULL);
	else
		x->done(x, ERR_NOTFOUND, (err_set(&e, ERR_NOTFOUND, "nobody is there"), &e));
}

static void
open(struct bed *b, const char *agent, bool there)
{
	bed_open(b, agent);
	b->host.peer = on_peer;
	memset(&office, 0, sizeof office);
	office.there = there;
}

TEST(what_is_spawned_has_one_id_in_every_attempt)
{
	struct bed b;

	open(&b, AGENT("{spawn: {agent: w, name: bob, capabilities: [x]}, writes: {a: result.name}}"),
	    false);
	bed_start(&b, "n");
	CHECK_INT(office.spawned, 1);
	bed_crash(&b, b.journal_n);
	bed_run(&b, "n");
	CHECK_INT(office.spawned, 1);
	CHECK(str_ends(bed_text(&b), S("[[\"a\",\"bob\"]]")));
	bed_close(&b);
}

TEST(spawned_at_two_places_there_are_two)
{
	struct bed b;

	open(&b, AGENT("{spawn: {agent: w}}, {spawn: {agent: w}}"), false);
	bed_run(&b, "n");
	CHECK_INT(office.spawned, 2);
	bed_close(&b);
}

#define STOP AGENT("{stop: {agent: bob}}")
#define NOBODY "failed AgentError error.communication stop: nobody is there"

TEST(stopped_before_a_crash_is_stopped)
{
	struct bed b;

	open(&b, STOP, true);
	bed_start(&b, "n");
	CHECK(office.there);                 /* not before it is in the journal */
	CHECK(bed_step(&b));
	CHECK(!office.there);
	CHECK_INT(b.journal_n, 3);           /* begun, done, until when it waits */
	bed_crash(&b, 2);
	bed_run(&b, "n");
	CHECK_INT(b.end, BED_DONE);
	bed_close(&b);
}

TEST(who_was_never_there_cannot_be_stopped)
{
	struct bed b;

	open(&b, STOP, false);
	bed_run(&b, "n");
	CHECK_STR(bed_text(&b), NOBODY);
	bed_close(&b);
}

TEST(a_task_that_is_stopped_before_its_start_is_written_stops_nobody)
{
	struct bed b;

	open(&b, STOP, true);
	bed_start(&b, "n");
	task_stop(b.task);
	while (bed_step(&b))
		continue;
	CHECK(office.there);
	bed_close(&b);
}
