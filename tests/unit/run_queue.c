/*
 * run_queue.c - several runs on one thread, readers that come later or from
 * another shard, and what a crash leaves.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "run/frame_priv.h"
#include "run_fix.h"

#define RULES "{\"rules\":[" \
	"{\"match\":\"gate\",\"tool_calls\":[{\"name\":\"gate\"}]}," \
	"{\"match\":\"both\",\"tool_calls\":[{\"name\":\"note\"},{\"name\":\"gate\"}]}," \
	"{\"match\":\"notes echo\",\"tool_calls\":[{\"name\":\"note\"},{\"name\":\"echo\"}]}," \
	"{\"match\":\"echo\",\"tool_calls\":[{\"name\":\"echo\"}]}," \
	"{\"match\":\"hold\",\"reply\":\"one two three\",\"token_ms\":600000}," \
	"{\"match\":\"silent\",\"reply\":\"x\",\"ttft_ms\":600000}" \
	"],\"default\":{\"reply\":\"Done .\"}}"

TEST(queue_runs_of_a_thread_in_order)
{
	static const char *const says[] = { SAY("gate"), SAY("second"), SAY("third") };
	struct fix f;
	struct ear x[3], reject;

	fix_open(&f, "memory", 1, RULES);
	for (int i = 0; i < 3; i++) {
		CHECK_RC(ear_wait_start(&x[i], &f.desks[0], (struct ask){
		    .thread = thread_no(1), .input = says[i] }), OK);
		ear_until_started(&x[i]);
	}
	gate_until_held(&f, 1);
	CHECK_INT(run_row(&f, &x[1].run_id).status, RUN_PENDING);
	CHECK_RC(ear_wait_start(&reject, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI, .multitask = MULTITASK_REJECT }), OK);
	ear_until_rc(&reject, ERR_CONFLICT);
	CHECK(!x[0].ended);
	gate_open(&f);
	for (int i = 0; i < 3; i++)
		ear_until_end(&x[i]);
	/* Each saw what the ones before it had left, and nothing else. */
	CHECK(!str_contains(buf_str(&x[0].values), S("second")));
	CHECK(str_contains(buf_str(&x[1].values), S("second")));
	CHECK(!str_contains(buf_str(&x[1].values), S("third")));
	CHECK(str_contains(buf_str(&x[2].values), S("third")));
	for (int i = 0; i < 3; i++)
		ear_free(&x[i]);
	ear_free(&reject);
	fix_close(&f);
}

TEST(queue_pending_run_is_joined_and_cancelled)
{
	struct fix f;
	struct ear x, y, z, late;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate") }), OK);
	CHECK_RC(ear_wait_start(&y, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI }), OK);
	CHECK_RC(ear_start(&z, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI, .modes = MODE_VALUES }), OK);
	ear_until_started(&z);
	ear_join(&late, &f.desks[0], &y, MODE_VALUES, -1);
	CHECK_INT(order_cancel_and_wait(&f.desks[0], &y), OK);
	ear_until_end(&y);
	ear_until_end(&late);
	CHECK_INT(y.status, RUN_INTERRUPTED);
	CHECK_INT(late.status, RUN_INTERRUPTED);
	CHECK_INT(run_row(&f, &y.run_id).status, RUN_INTERRUPTED);
	gate_until_held(&f, 1);
	gate_open(&f);
	ear_until_end(&x);
	ear_until_end(&z);
	CHECK_INT(z.status, RUN_SUCCESS);
	ear_free(&x);
	ear_free(&y);
	ear_free(&z);
	ear_free(&late);
	fix_close(&f);
}

TEST(queue_past_the_cap_waits_its_turn)
{
	struct fix f;
	struct ear x, y, z;

	fix_open(&f, "memory", 1, RULES);
	f.desks[0].runs->live_max = 1;
	CHECK_RC(ear_wait_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate") }), OK);
	gate_until_held(&f, 1);
	CHECK_RC(ear_wait_start(&y, &f.desks[0], (struct ask){ .thread = thread_no(2),
	    .input = SAY("gate") }), OK);
	ear_until_started(&y);
	CHECK_RC(ear_wait_start(&z, &f.desks[0], (struct ask){ .stateless = true,
	    .input = HI }), OK);
	ear_until_started(&z);
	CHECK_INT(run_row(&f, &y.run_id).status, RUN_PENDING);
	gate_open(&f);
	ear_until_end(&x);
	gate_until_held(&f, 1);
	CHECK(!z.ended);
	gate_open(&f);
	ear_until_end(&y);
	ear_until_end(&z);
	CHECK_INT(z.status, RUN_SUCCESS);
	ear_free(&x);
	ear_free(&y);
	ear_free(&z);
	fix_close(&f);
}

/* Goal: a run whose row is written while the last place becomes free takes the place. */
TEST(queue_takes_a_place_that_became_free_meanwhile)
{
	struct fix f;
	struct ear x[2];

	fix_open(&f, "memory", 1, RULES);
	f.desks[0].runs->live_max = 1;
	for (unsigned round = 0; round < test_rounds(300); round++) {
		/* Other threads, whose states are short. */
		for (unsigned i = 0; i < COUNT(x); i++)
			CHECK_RC(ear_wait_start(&x[i], &f.desks[0], (struct ask){
			    .thread = thread_no(round % 100 * 2 + i), .input = HI }), OK);
		for (unsigned i = 0; i < COUNT(x); i++) {
			ear_until_end(&x[i]);
			ear_free(&x[i]);
		}
	}
	fix_close(&f);
}

TEST(join_replays_what_a_resumable_run_has_told)
{
	struct fix f;
	struct ear x, all, some, only, none;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate"), .modes = MODE_VALUES | MODE_UPDATES, .resumable = true }), OK);
	gate_until_held(&f, 1);
	ear_join(&all, &f.desks[0], &x, MODE_VALUES | MODE_UPDATES, -1);
	ear_join(&some, &f.desks[0], &x, MODE_VALUES | MODE_UPDATES, 1);
	ear_until_text(&some, "id: 3\n");
	gate_open(&f);
	ear_until_end(&x);
	ear_until_end(&all);
	ear_until_end(&some);
	CHECK(str_eq(ear_text(&all), ear_text(&x)));
	ear_check_ids(&some, 2);
	CHECK_STR(ear_events(&some), "updates values updates values updates values");
	ear_free(&all);
	ear_free(&some);
	/* And once more when it is over, from the store. */
	ear_join(&all, &f.desks[0], &x, MODE_VALUES | MODE_UPDATES, -1);
	ear_join(&some, &f.desks[0], &x, MODE_VALUES | MODE_UPDATES, 5);
	ear_join(&only, &f.desks[0], &x, MODE_UPDATES, 0);
	ear_join(&none, &f.desks[0], &x, MODE_VALUES, INT64_MAX);
	ear_until_end(&all);
	ear_until_end(&some);
	ear_until_end(&only);
	ear_until_end(&none);
	CHECK(str_eq(ear_text(&all), ear_text(&x)));
	ear_check_ids(&some, 6);
	CHECK_STR(ear_events(&only), "updates*3");
	CHECK_INT(none.text.n, 0);
	ear_free(&none);
	/* A join that waits has the values. */
	ear_join(&none, &f.desks[0], &x, 0, -1);
	ear_until_end(&none);
	CHECK(str_contains(buf_str(&none.values), S("Done .")));
	ear_free(&x);
	ear_free(&all);
	ear_free(&some);
	ear_free(&only);
	ear_free(&none);
	fix_close(&f);
}

TEST(join_of_a_run_that_keeps_nothing_hears_what_comes)
{
	struct fix f;
	struct ear x, late, over;

	fix_open(&f, "memory", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate"), .modes = MODE_VALUES }), OK);
	gate_until_held(&f, 1);
	ear_join(&late, &f.desks[0], &x, MODE_VALUES, INT64_MAX);
	ear_join(&over, &f.desks[0], &x, MODE_VALUES, INT64_MAX);
	ear_leave(&over);
	gate_open(&f);
	ear_until_end(&x);
	ear_until_end(&late);
	CHECK_STR(ear_events(&late), "values*2");
	CHECK_INT(over.text.n, 0);
	ear_free(&over);
	ear_join(&over, &f.desks[0], &x, MODE_VALUES, -1);
	ear_until_end(&over);
	CHECK_INT(over.text.n, 0);       /* closed at once */
	ear_free(&x);
	ear_free(&late);
	ear_free(&over);
	fix_close(&f);
}

/* Goal: on which shard a request lands makes no difference. */
TEST(shards_share_a_thread)
{
	struct fix f;
	struct ear x, near, far, next, gone;

	fix_open(&f, "memory", 2, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate"), .modes = MODE_VALUES | MODE_MESSAGES_TUPLE,
	    .resumable = true }), OK);
	gate_until_held(&f, 1);
	ear_join(&near, &f.desks[0], &x, MODE_VALUES | MODE_MESSAGES_TUPLE, -1);
	ear_join(&far, &f.desks[1], &x, MODE_VALUES | MODE_MESSAGES_TUPLE, -1);
	ear_join(&gone, &f.desks[1], &x, MODE_VALUES, -1);
	ear_until_text(&gone, "event: values");
	ear_leave(&gone);
	/* A run that starts on the other shard queues behind it at home. */
	CHECK_RC(ear_start(&next, &f.desks[1], (struct ask){ .thread = thread_no(1),
	    .input = SAY("after"), .modes = MODE_VALUES }), OK);
	ear_until_started(&next);
	CHECK_INT(run_row(&f, &next.run_id).status, RUN_PENDING);
	gate_open(&f);
	ear_until_end(&x);
	ear_until_end(&near);
	ear_until_end(&far);
	ear_until_end(&next);
	CHECK(str_eq(ear_text(&near), ear_text(&x)));
	CHECK(str_eq(ear_text(&far), ear_text(&x)));
	CHECK_STR(ear_events(&next), "metadata values*2");
	ear_free(&x);
	ear_free(&near);
	ear_free(&far);
	ear_free(&next);
	ear_free(&gone);
	fix_close(&f);
}

TEST(shards_cancel_for_each_other)
{
	struct fix f;
	struct ear x, y, z;

	fix_open(&f, "memory", 2, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("hold"), .modes = MODE_MESSAGES_TUPLE }), OK);
	CHECK_RC(ear_start(&y, &f.desks[1], (struct ask){ .thread = thread_no(1),
	    .input = HI, .modes = MODE_VALUES }), OK);
	CHECK_RC(ear_start(&z, &f.desks[1], (struct ask){ .thread = thread_no(1),
	    .input = SAY("hold"), .modes = MODE_MESSAGES_TUPLE, .cancel_on_gone = true }), OK);
	ear_until_started(&z);
	ear_until_text(&x, "\"content\":\"one\"");
	CHECK_INT(order_cancel_and_wait(&f.desks[1], &x), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_INTERRUPTED);
	ear_until_end(&y);
	CHECK_INT(y.status, RUN_SUCCESS);
	ear_until_text(&z, "\"content\":\"one\"");
	ear_leave(&z);
	ear_free(&x);
	ear_join(&x, &f.desks[1], &z, MODE_VALUES, INT64_MAX);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_INTERRUPTED);
	ear_free(&x);
	ear_free(&y);
	ear_free(&z);
	fix_close(&f);
}

/* Goal: shards run one graph at the same time without touching each other. */
TEST(shards_run_the_same_graph_at_once)
{
	struct fix f;
	struct ear x[24];

	fix_open(&f, "memory", 2, RULES);
	for (unsigned i = 0; i < COUNT(x); i++)
		CHECK_RC(ear_start(&x[i], &f.desks[i % 2], (struct ask){
		    .thread = thread_no(i), .input = SAY("echo"),
		    .modes = MODE_VALUES | MODE_MESSAGES_TUPLE }), OK);
	for (unsigned i = 0; i < COUNT(x); i++) {
		ear_until_end(&x[i]);
		CHECK_INT(x[i].status, RUN_SUCCESS);
		CHECK(ear_has(&x[i], "\"content\":\"an echo\""));
		ear_free(&x[i]);
	}
	fix_close(&f);
}

/* ---- crashes ------------------------------------------------------------- */

/* Ids of one attempt have no gaps; the next attempt's are greater than any
 * that can have been told. */
static void
check_attempts_ids(struct ear *x)
{
	struct str rest = ear_text(x), frame, event;
	int64_t id, expected = 0;
	int attempts = 0;

	while (frame_next(&rest, &frame, &event, &id)) {
		if (str_eq(event, S("metadata")) && attempts++ > 0) {
			CHECK(id > expected + 1000);
			expected = id;
		}
		CHECK_INT(id, expected);
		expected = id + 1;
	}
	CHECK_INT(attempts, 2);
}

/* Goal: what a tool was recorded to have said is used, what it was only told
 * to do is not done again, and the run goes on. */
TEST(crash_repeats_no_recorded_call)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x, late;
	size_t notes;

	fix_open(&f, "sqlite", 1, RULES);
	notes = note_count();
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("both"), .modes = MODE_VALUES, .resumable = true }), OK);
	ear_until_started(&x);
	gate_until_held(&f, 1);
	CHECK_INT(note_count() - notes, 1);
	fix_crash(&f);
	ear_join(&late, &f.desks[0], &x, MODE_VALUES, -1);
	ear_until_end(&late);
	CHECK_INT(late.status, RUN_SUCCESS);
	CHECK_INT(note_count() - notes, 1);
	CHECK(ear_has(&late, "\"attempt\":1}"));
	CHECK(ear_has(&late, "\"attempt\":2}"));
	check_attempts_ids(&late);
	CHECK(ear_has(&late, "\"content\":\"noted\""));
	CHECK(ear_has(&late, "unknown_outcome"));
	CHECK_INT(history(&f, &x.thread_id, &h), 5);
	CHECK_INT(h[0].messages_n, 5);
	CHECK_INT(run_row(&f, &x.run_id).attempt, 2);
	ear_free(&x);
	ear_free(&late);
	fix_close(&f);
}

/* Goal: the limit is the run's, however many attempts it takes; and its states
 * tell which one it was. */
TEST(crash_does_not_begin_the_count_anew)
{
	struct store_history_item *h;
	struct fix f;
	struct ear x, late;

	fix_open(&f, "sqlite", 1, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate"), .modes = MODE_UPDATES, .resumable = true,
	    .config = "{\"recursion_limit\":2}" }), OK);
	ear_until_started(&x);
	gate_until_held(&f, 1);
	CHECK_INT(history(&f, &x.thread_id, &h), 3);
	CHECK(str_contains(h[0].c.base_json, S("\"run_attempt\":1,")));
	fix_crash(&f);
	ear_join(&late, &f.desks[0], &x, MODE_UPDATES, -1);
	ear_until_end(&late);
	CHECK_INT(late.status, RUN_ERROR);
	CHECK(ear_has(&late, "GraphRecursionError"));
	CHECK_INT(history(&f, &x.thread_id, &h), 4);
	CHECK_INT(h[0].c.task_error.n, 0);
	CHECK(str_contains(h[0].c.base_json, S("\"run_attempt\":2,")));
	ear_free(&x);
	ear_free(&late);
	fix_close(&f);
}

TEST(crash_in_the_model_asks_again)
{
	struct fix f;
	struct ear x, y, late;

	fix_open(&f, "sqlite", 2, RULES);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("silent"), .modes = MODE_MESSAGES_TUPLE }), OK);
	CHECK_RC(ear_start(&y, &f.desks[1], (struct ask){ .thread = thread_no(1),
	    .input = SAY("next"), .modes = MODE_VALUES }), OK);
	ear_until_started(&y);
	fix_crash(&f);
	CHECK(x.ended && x.rc == ERR_CLOSED);
	ear_join(&late, &f.desks[1], &x, MODE_MESSAGES_TUPLE, INT64_MAX);
	ear_free(&x);
	ear_join(&x, &f.desks[0], &y, 0, -1);
	CHECK_INT(order_cancel_and_wait(&f.desks[1], &late), OK);
	ear_until_end(&late);
	CHECK_INT(late.status, RUN_INTERRUPTED);
	ear_until_end(&x);               /* the one behind it was not lost */
	CHECK_INT(x.status, RUN_SUCCESS);
	CHECK(str_contains(buf_str(&x.values), S("\"content\":\"next\"")));
	CHECK_INT(run_row(&f, &late.run_id).attempt, 2);
	ear_free(&x);
	ear_free(&y);
	ear_free(&late);
	fix_close(&f);
}

/* ---- a store that fails -------------------------------------------------- */

/* Goal: whichever write fails, everybody hears an end, and the thread can be
 * used again. */
TEST(store_failure_ends_the_run_and_frees_the_thread)
{
	for (int64_t nth = 2; nth <= 9; nth++) {     /* 1: recovery */
		struct fix f;
		struct ear x, y;
		int rc;

		fix_open_failing(&f, "memory", 1, RULES, nth);
		rc = ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = SAY("notes echo"), .modes = MODE_VALUES, .resumable = true });
		CHECK_RC(rc, OK);
		ear_until_any_end(&x);
		if (nth == 2)
			CHECK_INT(x.rc, ERR_IO);         /* it never existed */
		else
			CHECK_INT(x.rc, OK);
		CHECK_RC(ear_wait_start(&y, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = HI }), OK);
		ear_until_any_end(&y);
		ear_free(&y);
		CHECK_RC(ear_wait_start(&y, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = HI }), OK);
		ear_until_end(&y);
		CHECK_INT(y.status, RUN_SUCCESS);
		CHECK(thread_row(&f, &y.thread_id).status == THREAD_IDLE);
		ear_free(&x);
		ear_free(&y);
		fix_close(&f);
	}
}

/* Goal: a stream that showed what could not be written says so; with
 * durability sync it did not show it. */
TEST(store_failure_is_told_to_readers)
{
	for (int64_t nth = 3; nth <= 8; nth++) {
		bool sync = nth % 2 == 0;
		struct fix f;
		struct ear x;

		fix_open_failing(&f, "memory", 1, RULES, sync ? nth / 2 + 1 : nth / 2 + 2);
		CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
		    .input = HI, .modes = MODE_VALUES,
		    .durability = sync ? DURABILITY_SYNC : DURABILITY_ASYNC }), OK);
		ear_until_any_end(&x);
		if (x.rc == OK) {
			CHECK((x.status != RUN_SUCCESS) == ear_has(&x, "event: error"));
			CHECK(!sync || x.status == RUN_SUCCESS ||
			    !ear_has(&x, "\"type\":\"ai\""));
		}
		ear_free(&x);
		fix_close(&f);
	}
}

/* Goal: a pending run whose cancellation could not be written stays in line,
 * and can be cancelled again. */
TEST(store_failure_leaves_a_pending_run_in_line)
{
	struct fix f;
	struct ear x, y;

	/* Recovery, a run, its checkpoints, the run behind it, its cancelling. */
	fix_open_failing(&f, "memory", 1, RULES, 5);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("hold"), .modes = MODE_MESSAGES_TUPLE }), OK);
	ear_until_text(&x, "event: messages");
	CHECK_RC(ear_start(&y, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("hold"), .modes = MODE_MESSAGES_TUPLE }), OK);
	ear_until_started(&y);
	CHECK_RC(order_cancel_and_wait(&f.desks[0], &y), ERR_IO);
	CHECK(!y.ended);
	CHECK_INT(run_row(&f, &y.run_id).status, RUN_PENDING);
	CHECK_RC(order_cancel_and_wait(&f.desks[0], &y), OK);
	ear_until_end(&y);
	CHECK_INT(y.status, RUN_INTERRUPTED);
	CHECK_RC(order_cancel_and_wait(&f.desks[0], &x), OK);
	ear_until_end(&x);
	CHECK(thread_row(&f, &x.thread_id).status == THREAD_IDLE);
	ear_free(&x);
	ear_free(&y);
	fix_close(&f);
}

/* ---- of several nodes ---------------------------------------------------------------- */

static bool
lease_is_over(void *ctx)
{
	struct fix *f = ctx;

	pthread_mutex_lock(&f->lock);
	f->asked++;
	fix_changed(f);
	pthread_mutex_unlock(&f->lock);
	return false;
}

static bool
lease_was_asked(void *arg)
{
	return ((struct fix *)arg)->asked > 0;
}

static void
abandon_do(struct desk *d, void *arg)
{
	(void)arg;
	runs_abandon(d->runs);
}

/* Goal: behind the end of the lease no task begins, and nobody is told of what it did not
 * do; runs without a thread are nobody else's, and go on. */
TEST(queue_without_a_lease_no_task_begins)
{
	struct fix f;
	struct ear x, y;

	fix_open(&f, "memory", 1, RULES);
	runs_shared_set_lease(f.sh, lease_is_over, NULL, &f);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("notes echo"), .modes = MODE_UPDATES }), OK);
	fix_until(&f, lease_was_asked, &f, "the lease to be asked about");
	desk_do(&f.desks[0], abandon_do, NULL);
	ear_until_rc(&x, ERR_CLOSED);
	CHECK_INT(note_count(), 0);
	CHECK(!ear_has(&x, "event: updates") && !ear_has(&x, "event: error"));
	CHECK_RC(ear_start(&y, &f.desks[0], (struct ask){ .stateless = true,
	    .input = SAY("notes echo"), .modes = MODE_UPDATES }), OK);
	ear_until_end(&y);
	CHECK_INT(note_count(), 1);
	ear_free(&x);
	ear_free(&y);
	fix_close(&f);
}

static void
give_up(void *ctx)
{
	(void)lease_is_over(ctx);
}

static bool
lease_holds_on(void *ctx)
{
	(void)ctx;
	return true;
}

/* Goal: of several nodes, one whose store cannot be reached gives up its lease; nobody is told
 * that the run failed, and it is running still for who comes next. */
TEST(queue_without_a_store_the_lease_is_given_up)
{
	struct fix f;
	struct ear x;

	fix_open(&f, "sqlite", 1, RULES);
	runs_shared_set_lease(f.sh, lease_holds_on, give_up, &f);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate"), .modes = MODE_UPDATES, .resumable = true }), OK);
	ear_until_started(&x);
	gate_until_held(&f, 1);
	CHECK_INT(f.asked, 0);
	CHECK(rename("db", "away") == 0);
	gate_open(&f);
	fix_until(&f, lease_was_asked, &f, "the lease to be given up");
	desk_do(&f.desks[0], abandon_do, NULL);
	ear_until_rc(&x, ERR_CLOSED);
	CHECK(!ear_has(&x, "event: error") && !ear_has(&x, "StorageError"));
	CHECK(rename("away", "db") == 0);
	CHECK_INT(run_row(&f, &x.run_id).status, RUN_RUNNING);
	ear_free(&x);
	fix_close(&f);
}
