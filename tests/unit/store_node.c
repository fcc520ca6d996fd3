/*
 * store_node.c - the contract of several nodes on one database: whose a thread is, what
 * a node that lost its lease may still write, and how others take over.  The nodes take
 * turns in one store.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/node.h"

#include "store_fix.h"

#define LEASE 60000
#define OVER  (-1)                           /* a lease that has ended when it begins */

static int64_t
join(struct fix *f, const char *name, msec lease, int64_t before)
{
	struct store_node_join x = { .name = str_of(name), .address = S("here"),
	    .info = S("{}"), .lease = lease, .before = before };

	CHECK_RC(fix_do(f, &x, STORE_NODE_JOIN, 0), OK);
	CHECK(x.node > 0);
	return x.node;
}

static struct store_node_take
take(struct fix *f, int64_t limit)
{
	struct store_node_take x = { .limit = limit, .tidy = true, .now = 99 };

	CHECK_RC(fix_do(f, &x, STORE_NODE_TAKE, 0), OK);
	return x;
}

static int64_t
node_of(struct fix *f, unsigned thread)
{
	struct uuid id = id_of(ID_THREAD, thread);
	int64_t node = -9;

	CHECK_RC(store_thread_node(f->r, &id, &node), OK);
	return node;
}

static struct store_run
row(struct fix *f, unsigned run)
{
	struct uuid id = id_of(ID_RUN, run);
	struct store_run r;

	CHECK_RC(store_run_get(f->r, 7, &id, &f->a, &r), OK);
	return r;
}

static int
end(struct fix *f, const struct store_run *run, struct store_run_end *x)
{
	*x = (struct store_run_end){ .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .status = RUN_SUCCESS, .thread_status = THREAD_IDLE, .now = 77 };
	return fix_do(f, x, STORE_RUN_END, 7);
}

static int
park(struct fix *f, const struct store_run *run, enum store_park how)
{
	struct store_run_save x = { .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .park = how, .due = 5000 };

	return fix_do(f, &x, STORE_RUN_SAVE, 7);
}

/* Goal: a thread is its node's while a run is under way, and nobody's after. */
CONTRACT(node_has_a_thread_while_a_run_is_under_way)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_run_create second = run_new(1, 2);
	struct store_run_end x;
	struct store_run run;

	CHECK_INT(store_node(f->st), NODE_ALONE);
	store_set_node(f->st, a);
	CHECK_INT(node_of(f, 1), 0);
	run = start_run(f, 7, 1, 1);
	CHECK_INT(node_of(f, 1), a);
	CHECK_RC(fix_do(f, &second, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(second.foreign, 0);
	CHECK_RC(end(f, &run, &x), OK);
	CHECK(x.has_next);
	CHECK_INT(node_of(f, 1), a);
	CHECK_RC(end(f, &second.run, &x), OK);
	CHECK_INT(node_of(f, 1), 0);
	store_set_node(f->st, b);
	run = start_run(f, 7, 2, 3);
	CHECK_INT(node_of(f, 2), b);
}

/* Goal: many runs and threads are looked up at once, each by its owner alone. */
CONTRACT(node_looks_at_many_runs_of_others)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_events_append e = { .first = 3, .last = 5, .next = 9, .bytes = S("events") };
	struct store_run_news runs[4];
	struct store_thread_there threads[3];
	struct store_run first, second;
	struct store_run_end x;

	store_set_node(f->st, a);
	first = start_run(f, 7, 1, 1);
	second = start_run(f, 8, 2, 2);
	e.run_seq = first.seq;
	e.thread_seq = first.thread_seq;
	CHECK_RC(fix_do(f, &e, STORE_EVENTS_APPEND, 7), OK);
	store_set_node(f->st, b);
	runs[0] = (struct store_run_news){ .owner = 8, .run_seq = second.seq };
	runs[1] = (struct store_run_news){ .owner = 7, .run_seq = 999 };
	runs[2] = (struct store_run_news){ .owner = 8, .run_seq = first.seq };
	runs[3] = (struct store_run_news){ .owner = 7, .run_seq = first.seq };
	CHECK_RC(store_runs_news(f->r, runs, COUNT(runs)), OK);
	CHECK(!runs[0].gone && runs[1].gone && runs[2].gone && !runs[3].gone);
	CHECK(runs[0].last == -1 && runs[3].last == 5);
	CHECK(runs[3].node == a && runs[3].status == RUN_RUNNING);
	threads[0] = (struct store_thread_there){ .owner = 8, .thread_seq = first.thread_seq };
	threads[1] = (struct store_thread_there){ .owner = 7, .thread_seq = first.thread_seq };
	threads[2] = (struct store_thread_there){ .owner = 7, .thread_seq = 999 };
	CHECK_RC(store_threads_there(f->r, threads, COUNT(threads)), OK);
	CHECK(!threads[0].there && threads[1].there && !threads[2].there);
	store_set_node(f->st, a);
	CHECK_RC(end(f, &first, &x), OK);
	CHECK_RC(store_runs_news(f->r, &runs[3], 1), OK);
	CHECK(runs[3].node == 0 && runs[3].status == RUN_SUCCESS);
}

/* Goal: a run for a thread of another node waits there, and comes when its turn does. */
CONTRACT(node_leaves_a_run_to_the_one_that_has_the_thread)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_run_create second = run_new(1, 2), refused = run_new(1, 3);
	struct store_run_claim claim = { .now = 50, .wake = true };
	struct store_run_end x;
	struct store_run run;

	store_set_node(f->st, a);
	run = start_run(f, 7, 1, 1);
	store_set_node(f->st, b);
	CHECK_RC(fix_do(f, &second, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(second.foreign, a);
	CHECK_INT(second.run.status, RUN_PENDING);
	refused.run.multitask = MULTITASK_REJECT;
	CHECK_RC(fix_do(f, &refused, STORE_RUN_CREATE, 7), ERR_CONFLICT);
	claim.thread_seq = run.thread_seq;
	CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 7), ERR_NOTFOUND);
	CHECK_INT(claim.foreign, a);
	CHECK_INT(node_of(f, 1), a);
	store_set_node(f->st, a);
	CHECK_RC(end(f, &run, &x), OK);
	CHECK(x.has_next && uuid_eq(&x.next.id, &second.run.id));
	CHECK_INT(node_of(f, 1), a);
}

/* Goal: cancels for another node's runs are written down for it, whatever their state,
 * and go when the runs are over. */
CONTRACT(node_asks_another_to_cancel)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_run_create second = run_new(1, 2), third = run_new(1, 3);
	struct store_run_cancel cancel = { .run_id = id_of(ID_RUN, 1), .now = 60,
	    .reason = S("enough"), .rollback = true };
	struct store_node_wanted w = { 0 };
	struct store_run_end x;
	struct store_run run;

	store_set_node(f->st, a);
	run = start_run(f, 7, 1, 1);
	CHECK_RC(fix_do(f, &second, STORE_RUN_CREATE, 7), OK);
	store_set_node(f->st, b);
	third.run.multitask = MULTITASK_INTERRUPT;
	CHECK_RC(fix_do(f, &third, STORE_RUN_CREATE, 7), OK);
	CHECK(third.foreign == a && !third.has_busy && third.ended_n == 0);
	CHECK_RC(fix_do(f, &cancel, STORE_RUN_CANCEL, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &cancel, STORE_RUN_CANCEL, 7), OK);
	CHECK(cancel.foreign == a && !cancel.was_done);
	CHECK_INT(row(f, 1).status, RUN_RUNNING);
	CHECK_INT(row(f, 2).status, RUN_PENDING);
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	CHECK_INT(w.cancels_n, 0);
	store_set_node(f->st, a);
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	CHECK_INT(w.cancels_n, 2);
	CHECK(w.cancels[0].rollback && !w.cancels[1].rollback && !w.stale);
	CHECK(uuid_eq(&w.cancels[0].run_id, &run.id) && w.cancels[0].owner == 7);
	CHECK(uuid_eq(&w.cancels[1].run_id, &second.run.id));
	CHECK(str_starts(w.cancels[1].why, S(RUN_DISPLACED)));
	CHECK_RC(end(f, &run, &x), OK);
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	CHECK(w.cancels_n == 1 && w.stale);
	(void)take(f, 10);
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	CHECK(w.cancels_n == 1 && !w.stale);
	CHECK_INT(count_rows(f, "run_wanted"), 1);
}

static size_t
cancels_wanted(struct fix *f, int64_t node)
{
	struct store_node_wanted w = { 0 };

	store_set_node(f->st, node);
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	return w.cancels_n;
}

/* Goal: a cancel is not lost that its node was asked for before it left the thread: whoever
 * looks sees it then. */
CONTRACT(node_is_asked_to_cancel_what_it_leaves)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_run_cancel cancel = { .run_id = id_of(ID_RUN, 1), .now = 60 };
	struct store_run_claim claim = { .now = 60, .wake = true };
	struct store_run_create held = run_new(2, 3);
	struct store_run_end x;
	struct store_run run;

	store_set_node(f->st, a);
	run = start_run(f, 7, 1, 1);
	store_set_node(f->st, b);
	CHECK_RC(fix_do(f, &cancel, STORE_RUN_CANCEL, 7), OK);
	CHECK_INT(cancel.foreign, a);
	CHECK_INT(cancels_wanted(f, b), 0);
	CHECK_INT(cancels_wanted(f, a), 1);
	CHECK_RC(park(f, &run, PARK_SET), OK);
	CHECK_INT(cancels_wanted(f, a), 1);
	CHECK_INT(cancels_wanted(f, b), 1);
	claim.thread_seq = run.thread_seq;
	CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 7), OK);
	CHECK_RC(end(f, &run, &x), OK);
	CHECK_INT(cancels_wanted(f, b), 0);

	store_set_node(f->st, a);
	run = start_run(f, 7, 2, 2);
	held.run.held = 5000;
	CHECK_RC(fix_do(f, &held, STORE_RUN_CREATE, 7), OK);
	store_set_node(f->st, b);
	cancel.run_id = held.run.id;
	CHECK_RC(fix_do(f, &cancel, STORE_RUN_CANCEL, 7), OK);
	CHECK_INT(cancel.foreign, a);
	store_set_node(f->st, a);
	CHECK_RC(end(f, &run, &x), OK);
	CHECK_INT(cancels_wanted(f, b), 1);
}

/* Goal: what a run writes after another node has its thread is refused; so is what was
 * queued before the lease was lost, and what begins before a new one is there. */
CONTRACT(node_that_lost_its_lease_writes_nothing_of_runs)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_events_append events = { .first = 1, .last = 1, .next = 2,
	    .begins = true, .bytes = S("x") };
	struct store_run_create fresh = run_new(2, 2);
	struct store_thread_create plain = thread_new(3);
	struct store_run_end x;
	struct store_run run;

	store_set_node(f->st, a);
	run = start_run(f, 7, 1, 1);
	events.run_seq = run.seq;
	events.thread_seq = run.thread_seq;
	store_set_node(f->st, NODE_NONE);
	fresh.create_thread = true;
	CHECK_RC(fix_do(f, &fresh, STORE_RUN_CREATE, 7), ERR_CANCELLED);
	CHECK_RC(fix_do(f, &plain, STORE_THREAD_CREATE, 7), OK);
	fix_submit(f, &events, STORE_EVENTS_APPEND, 7);
	fix_wait(f, f->back + 1);
	CHECK_RC(events.cmd.rc, ERR_CANCELLED);
	store_set_node(f->st, b);
	/* Tried again: it is still the command of before. */
	CHECK_RC(fix_do(f, &events, STORE_EVENTS_APPEND, 7), ERR_CANCELLED);
	CHECK_RC(end(f, &run, &x), ERR_CANCELLED);
	CHECK_RC(park(f, &run, PARK_AS_IT_IS), ERR_CANCELLED);
	CHECK_INT(row(f, 1).status, RUN_RUNNING);
	store_set_node(f->st, a);
	CHECK_RC(end(f, &run, &x), OK);
}

/* Goal: of a node whose lease is over, or that left, the runs go on elsewhere, with one
 * attempt more; in chunks, each thread once. */
CONTRACT(node_takes_what_others_have_lost)
{
	int64_t lost = join(f, "lost", OVER, 0), left = join(f, "left", LEASE, 0);
	int64_t us = join(f, "us", LEASE, 0);
	struct store_node_leave leave = { .node = left };
	struct store_run_claim claim = { .now = 50 };
	struct store_node_take x;

	CHECK(lost < left && left < us);
	store_set_node(f->st, lost);
	for (unsigned i = 1; i <= 3; i++)
		(void)start_run(f, 7, i, i);
	store_set_node(f->st, left);
	(void)start_run(f, 7, 4, 4);
	store_set_node(f->st, us);
	(void)start_run(f, 7, 5, 5);
	CHECK_RC(fix_do(f, &leave, STORE_NODE_LEAVE, 0), OK);
	x = take(f, 2);
	CHECK(x.marked == 1 && x.from == lost && x.taken_n == 2 && x.more);
	CHECK(uuid_eq(&x.taken[0].thread_id, &(struct uuid){ 0 }) == false);
	CHECK_INT(x.taken[0].owner, 7);
	x = take(f, 2);
	CHECK(x.marked == 0 && x.taken_n == 2 && x.from == left);
	x = take(f, 2);
	CHECK(x.taken_n == 0 && !x.more && x.from == 0);
	CHECK_INT(count_rows(f, "node"), 1);
	for (unsigned i = 1; i <= 4; i++) {
		CHECK_INT(node_of(f, i), us);
		CHECK_INT(row(f, i).status, RUN_PENDING);
		CHECK_INT(row(f, i).attempt, 2);
		claim.thread_seq = row(f, i).thread_seq;
		CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 7), OK);
		CHECK(claim.taken && !claim.woken);
	}
	CHECK_INT(row(f, 5).attempt, 1);
	CHECK_INT(row(f, 5).status, RUN_RUNNING);
}

/* Goal: who joins again leaves its old number, whose runs are then taken, and are not given
 * up however often that is; those of a node that was lost are.  A node does not mark
 * itself. */
CONTRACT(node_joins_again)
{
	int64_t before = join(f, "a", OVER, 0), us = 0;
	struct store_run_claim claim = { .now = 50 };
	struct store_node_take x;

	store_set_node(f->st, before);
	(void)start_run(f, 7, 1, 1);
	claim.thread_seq = row(f, 1).thread_seq;
	x = take(f, 10);
	CHECK(x.marked == 0 && x.taken_n == 0);
	for (int i = 0; i <= LIMIT_RUN_ATTEMPTS; i++, before = us) {
		store_set_node(f->st, NODE_NONE);
		us = join(f, "a", OVER, before);
		CHECK(us > before);
		store_set_node(f->st, us);
		x = take(f, 10);
		CHECK(x.taken_n == 1 && x.from == before);
		CHECK_INT(node_of(f, 1), us);
		claim.cmd.node = 0;          /* another command, not one that is tried again */
		CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 7), OK);
		CHECK_INT(row(f, 1).attempt, i + 2);
	}
	store_set_node(f->st, join(f, "b", LEASE, 0));
	x = take(f, 10);
	CHECK(x.taken_n == 0 && x.marked == 1);
	CHECK_INT(row(f, 1).status, RUN_ERROR);
	CHECK_INT(node_of(f, 1), 0);
}

/* Goal: a parked run is nobody's: any node wakes it, and then what the one that parked it
 * still writes is refused.  Before that it may go on with it. */
CONTRACT(node_that_parked_a_run_may_lose_it)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_run_claim claim = { .now = 6000, .wake = true };
	struct store_run run;

	store_set_node(f->st, a);
	run = start_run(f, 7, 1, 1);
	CHECK_RC(park(f, &run, PARK_SET), OK);
	CHECK_INT(node_of(f, 1), 0);
	CHECK_RC(park(f, &run, PARK_CLEAR), OK);
	CHECK_INT(node_of(f, 1), a);
	CHECK_RC(park(f, &run, PARK_SET), OK);
	store_set_node(f->st, b);
	claim.thread_seq = run.thread_seq;
	CHECK_RC(fix_do(f, &claim, STORE_RUN_CLAIM, 7), OK);
	CHECK(claim.woken && claim.taken);
	CHECK_INT(node_of(f, 1), b);
	CHECK_RC(park(f, &run, PARK_SET), OK);
	store_set_node(f->st, a);
	CHECK_RC(park(f, &run, PARK_CLEAR), ERR_CANCELLED);
	CHECK_INT(count_rows(f, "wait"), 1);
}

/* Goal: what falls due on a thread of another node is left to it.  A lost node's parked
 * runs stay parked, without an attempt. */
CONTRACT(node_sees_what_is_due_and_nobody_has)
{
	int64_t lost = join(f, "lost", OVER, 0), us = join(f, "us", LEASE, 0);
	struct store_run_create behind = run_new(1, 2);
	struct store_due *due;
	struct store_run run;
	size_t n = 0;
	msec next = 0;

	store_set_node(f->st, lost);
	run = start_run(f, 7, 1, 1);
	CHECK_RC(park(f, &run, PARK_SET), OK);
	store_set_node(f->st, us);
	CHECK_RC(store_due_get(f->r, 9000, 10, &f->a, &due, &n), OK);
	CHECK_INT(n, 1);
	store_set_node(f->st, lost);
	CHECK_RC(fix_do(f, &behind, STORE_RUN_CREATE, 7), OK);
	CHECK_INT(node_of(f, 1), lost);
	CHECK_RC(store_due_get(f->r, 9000, 10, &f->a, &due, &n), OK);
	CHECK_INT(n, 1);
	store_set_node(f->st, us);
	CHECK_RC(store_due_get(f->r, 9000, 10, &f->a, &due, &n), OK);
	CHECK_INT(n, 0);
	CHECK_RC(store_due_next(f->r, &next), OK);
	CHECK(next == INT64_MAX);
	CHECK_INT(take(f, 10).taken_n, 1);   /* the one behind it */
	CHECK_INT(row(f, 1).attempt, 1);
	CHECK_INT(row(f, 1).status, RUN_RUNNING);
	CHECK_RC(store_due_get(f->r, 9000, 10, &f->a, &due, &n), OK);
	CHECK_INT(n, 1);
}

/* Goal: of many lost nodes a transaction takes some, and all are taken and gone after as many
 * as they need; what a node looks for may leave out its own runs. */
CONTRACT(node_takes_from_many_in_turn)
{
	int64_t us = join(f, "us", LEASE, 0);
	struct store_node_wanted w = { 0 };
	struct store_node_list l = { 0 };
	struct store_node_take x = { .more = true };
	unsigned threads = 0;

	for (unsigned i = 1; i <= 3 * NODE_TAKE_NODES; i++) {
		int64_t lost = join(f, "lost", OVER, 0);

		if (i % 5 == 0) {
			store_set_node(f->st, lost);
			threads++;
			(void)start_run(f, 7, threads, threads);
		}
	}
	store_set_node(f->st, us);
	for (unsigned i = 0; x.more; i++) {
		x = take(f, 100);
		CHECK(i < 200);
	}
	CHECK_RC(fix_do(f, &l, STORE_NODE_LIST, 0), OK);
	CHECK(l.nodes_n == 1 && l.nodes[0].node == us);
	for (unsigned i = 1; i <= threads; i++)
		CHECK_INT(node_of(f, i), us);
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	CHECK_INT(w.runs_n, threads);
	w = (struct store_node_wanted){ .cancels_only = true };
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	CHECK_INT(w.runs_n, 0);
}

/* Goal: a beat renews a lease, also one that is over; once it is marked it is lost. */
CONTRACT(node_renews_its_lease)
{
	int64_t a = join(f, "a", OVER, 0), b = join(f, "b", LEASE, 0);
	struct store_node_take spare = { .limit = 10, .spare = true };
	struct store_node_list l = { .counts = true };
	struct store_pulse *p;

	CHECK_RC(store_pulse_open(f->st, &p, &f->e), OK);
	CHECK_RC(fix_do(f, &l, STORE_NODE_LIST, 0), OK);
	CHECK(l.nodes_n == 2 && l.nodes[0].left < 0 && l.nodes[0].node == a);
	CHECK_STR(l.nodes[1].name, "b");
	CHECK(l.nodes[1].left > LEASE / 2 && l.nodes[1].left <= LEASE);
	CHECK_RC(store_pulse_beat(p, a, LEASE, NS_PER_S, &f->e), OK);
	store_set_node(f->st, b);
	CHECK_INT(take(f, 10).marked, 0);
	CHECK_RC(store_pulse_beat(p, a, OVER, NS_PER_S, &f->e), OK);
	(void)start_run(f, 7, 1, 1);
	store_set_node(f->st, a);
	(void)start_run(f, 7, 2, 2);
	store_set_node(f->st, b);
	CHECK_RC(fix_do(f, &l, STORE_NODE_LIST, 0), OK);
	CHECK(l.nodes[0].threads == 1 && l.nodes[1].threads == 1);
	CHECK_RC(fix_do(f, &spare, STORE_NODE_TAKE, 0), OK);
	CHECK_INT(spare.marked, 0);
	CHECK_INT(take(f, 0).marked, 1);
	CHECK_RC(fix_do(f, &l, STORE_NODE_LIST, 0), OK);
	CHECK(l.nodes_n == 2 && l.nodes[0].state == NODE_LOST);
	CHECK_RC(store_pulse_beat(p, a, LEASE, NS_PER_S, &f->e), ERR_NOTFOUND);
	store_pulse_close(p);
}

/* Goal: a node can compare what it has in memory with what the store says is its; a run
 * that nobody has goes on, and one of another node's threads is left alone. */
CONTRACT(node_takes_anew_what_it_does_not_have)
{
	int64_t a = join(f, "a", LEASE, 0), b = join(f, "b", LEASE, 0);
	struct store_run_create behind = run_new(1, 2);
	struct store_lost lost[3];
	struct store_node_wanted w = { 0 };
	struct store_node_take x = { .limit = 10, .now = 99, .lost = lost, .lost_n = 3 };
	struct store_run mine, fine, other;

	store_set_node(f->st, a);
	other = start_run(f, 7, 2, 3);
	store_set_node(f->st, b);
	mine = start_run(f, 7, 1, 1);
	CHECK_RC(fix_do(f, &behind, STORE_RUN_CREATE, 7), OK);
	fine = start_run(f, 7, 3, 4);
	CHECK_RC(fix_do(f, &w, STORE_NODE_WANTED, 0), OK);
	CHECK_INT(w.runs_n, 3);
	CHECK(w.runs[0].running && !w.runs[1].running && w.runs[0].thread.owner == 7);
	CHECK_INT(w.runs[0].thread.thread_seq, mine.thread_seq);
	CHECK_INT(w.runs[0].run_seq, mine.seq);
	lost[0] = (struct store_lost){ mine.thread_seq, mine.seq };
	lost[1] = (struct store_lost){ other.thread_seq, other.seq };
	lost[2] = (struct store_lost){ fine.thread_seq, mine.seq };      /* over meanwhile */
	CHECK_RC(fix_do(f, &x, STORE_NODE_TAKE, 0), OK);
	CHECK(x.taken_n == 1 && uuid_eq(&x.taken[0].thread_id, &mine.thread_id));
	CHECK(row(f, 1).status == RUN_PENDING && row(f, 1).attempt == 2);
	CHECK(row(f, 3).status == RUN_RUNNING && row(f, 3).attempt == 1);
	CHECK(row(f, 4).status == RUN_RUNNING && row(f, 4).attempt == 1);
	CHECK(node_of(f, 1) == b && node_of(f, 2) == a);
}
