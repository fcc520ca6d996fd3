/*
 * run_hosted.c - runs whose graph is in a worker: a stand-in says what langgraph says, and
 * clients see what they see of a native agent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_hosted_fix.h"

#include <string.h>

/* ---- what clients see --------------------------------------------------------------------- */

TEST(a_worker_s_run_is_told_and_kept_as_any_other)
{
	struct store_history_item *items;
	struct fix f;
	struct ear x;
	struct hand h;

	begin_g(&f, &h, &x, "memory", ALL);
	CHECK(strstr(h.task, "\"again\":false") != NULL);
	CHECK(strstr(h.task, "\"input\":{\"messages\":[{\"role\":\"user\"") != NULL);
	say_input(&h);
	say_tokens(&h);
	say_result(&h);
	end_g(&h, &x);
	CHECK_STR(ear_events(&x), "metadata values tasks messages*2 updates tasks values");
	CHECK(ear_has(&x, "event: messages\ndata: [{\"type\":\"ai\",\"content\":"
	    "\" b\",\"id\":\"m1\",\"tool_call_chunks\":[]}," META "]\n"));
	CHECK(ear_has(&x, "event: updates\ndata: {\"a\":{\"messages\":[" M_AI "]}}\n"));
	CHECK(ear_has(&x, "event: values\ndata: {\"messages\":[" M_HI "," M_AI "]}\n"));
	CHECK_INT(x.status, RUN_SUCCESS);
	CHECK_INT(history(&f, &x.thread_id, &items), 3);
	CHECK_INT(items[0].messages_n, 2);
	CHECK_STR(items[1].c.next, "a");
	CHECK_INT(run_row(&f, &x.run_id).status, RUN_SUCCESS);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	/* What its saver put, the next run gets. */
	ear_free(&x);
	CHECK_RC(run_g(&x, &f, 1, MODE_VALUES), OK);
	hand_take(&h);
	CHECK_RC(hand_call(&h, WORKER_SAVER, "{\"op\":\"get\",\"ns\":\"\"}"), OK);
	CHECK(strstr(h.out, "\"id\":\"" C2 "\"") != NULL);
	CHECK_RC(hand_call(&h, WORKER_SAVER, "{\"op\":\"get\",\"ns\":\"x\"}"), OK);
	CHECK(strstr(h.out, "\"found\":null}") != NULL);
	CHECK_RC(hand_call(&h, WORKER_SAVER, "{\"op\":\"list\",\"limit\":2}"), OK);
	CHECK(strstr(h.out, C1) != NULL && strstr(h.out, "\"id\":\"" C0 "\"") == NULL);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"error\",\"error\":{\"type\":"
	    "\"TypeError\",\"message\":\"x is not a function\"}}"), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_ERROR);
	CHECK(ear_has(&x, "{\"error\":\"TypeError\",\"message\":\"x is not a function\"}"));
	ear_free(&x);
	fix_close(&f);
}

/* Goal: what a dead worker said and did not save is taken back, and is said anew by the
 * next, which goes on from what is saved; three losses without a step end the run. */
TEST(a_lost_lease_goes_on_with_another_worker)
{
	struct fix f;
	struct ear x;
	struct hand h;

	begin_g(&f, &h, &x, "sqlite", ALL);
	say_input(&h);
	say_tokens(&h);
	fix_crash(&f);                       /* the server's: the lease is gone, too */
	ear_free(&x);
	hand_register(&h, &f.desks[0]);
	hand_take(&h);
	CHECK(strstr(h.task, "\"again\":true") != NULL);
	CHECK(strstr(h.task, "\"attempt\":2") != NULL);
	say_result(&h);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	CHECK(hand_call(&h, WORKER_EVENTS, "{\"events\":[]}") != OK);
	fix_close(&f);
}

/* Goal: a question is in the rows with the run's end, told after that, and answered by the
 * run that resumes. */
TEST(a_worker_s_question_waits_and_is_answered)
{
	struct store_thread t;
	struct fix f;
	struct ear x;
	struct hand h;

	begin_g(&f, &h, &x, "memory", ALL);
	say_input(&h);
	write_of(&h, C1, TA, ",\"interrupts\":[{\"id\":\"0123456789abcdef0123456789abcdef\","
	    "\"value\":\"sure?\"}]");
	say(&h, "", "updates", "{\"__interrupt__\":[{\"id\":\"0123456789abcdef0123456789abcdef\","
	    "\"value\":\"sure?\"}]}");
	say(&h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"result\":{},\"error\":null,"
	    "\"interrupts\":[{\"id\":\"0123456789abcdef0123456789abcdef\",\"value\":\"sure?\"}]}");
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"interrupted\",\"view\":{\"checkpoint\":"
	    "{\"checkpoint_ns\":\"\",\"checkpoint_id\":\"" C1 "\"},\"values\":{},\"next\":[\"a\"],"
	    "\"tasks\":[{\"id\":\"" TA "\",\"name\":\"a\",\"interrupts\":[]}]}}"), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata values tasks updates values tasks");
	CHECK(ear_has(&x, "{\"__interrupt__\":[{\"id\":\"0123456789abcdef0123456789abcdef\","
	    "\"value\":\"sure?\"}]}"));
	CHECK_INT(x.status, RUN_INTERRUPTED);
	t = thread_row(&f, &x.thread_id);
	CHECK_INT(t.status, THREAD_INTERRUPTED);
	ear_free(&x);
	CHECK_RC(ear_start(&x, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .command = "{\"resume\":\"yes\"}", .modes = ALL, .graph = "g" }), OK);
	hand_take(&h);
	CHECK(strstr(h.task, "\"command\":{\"resume\":\"yes\"}") != NULL);
	say(&h, "", "checkpoints", "{\"id\":\"" C1 "\",\"parent_id\":\"" C0 "\",\"step\":0,"
	    "\"source\":\"loop\"}");
	say(&h, "", "values", "{\"messages\":[" M_HI "]}");
	say(&h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"input\":{},\"triggers\":"
	    "[\"branch:to:a\"],\"interrupts\":[]}");
	say_result(&h);
	end_g(&h, &x);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	ear_free(&x);
	fix_close(&f);
}

/* Goal: what a dead worker has said and not saved is taken back; what it has saved makes the
 * run go on from there; losses in a row without a step saved end it. */
TEST(what_a_lost_worker_said_is_taken_back)
{
	struct fix f;
	struct ear x;
	struct hand h;

	begin_g(&f, &h, &x, "memory", ALL);
	say_input(&h);
	say_tokens(&h);
	hand_change(&h);
	CHECK(strstr(h.task, "\"again\":true") != NULL);
	CHECK(strstr(h.task, "\"attempt\":2") != NULL);
	ear_until_text(&x, "\"type\":\"remove\"");
	say_tokens(&h);
	say_result(&h);                      /* saved: this stays */
	hand_change(&h);
	hand_change(&h);
	hand_change(&h);
	hand_leave(&h);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_ERROR);
	CHECK(ear_has(&x, "{\"error\":\"WorkerLost\",\"message\":\"worker lost\"}"));
	CHECK_STR(ear_events(&x), "metadata values tasks messages*5 updates tasks values error");
	ear_free(&x);
	fix_close(&f);
}

static void
cancel_do(struct desk *d, void *arg)
{
	const struct ear *x = arg;

	run_cancel(d->runs, 0, &x->thread_id, &x->run_id, 0, S("enough"), NULL, NULL);
}

/* Goal: a cancel is told to the worker and ends with it; one that no worker has is ended at
 * once; what the worker sends late is refused. */
TEST(a_worker_s_run_is_cancelled)
{
	struct fix f;
	struct ear x, y;
	struct hand h;

	fix_open_workers(&f, "memory", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	CHECK_RC(run_g(&x, &f, 1, MODE_VALUES), OK);
	ear_until_started(&x);
	hand_take(&h);
	say_input(&h);
	CHECK_RC(run_g(&y, &f, 2, MODE_VALUES), OK);
	ear_until_started(&y);
	CHECK_RC(order_cancel_and_wait(&f.desks[0], &y), OK);
	ear_until_end(&y);
	CHECK_INT(y.status, RUN_INTERRUPTED);
	desk_do(&f.desks[0], cancel_do, &x);
	do {                                 /* a beat tells it */
		CHECK_RC(hand_call(&h, WORKER_EVENTS, "{\"events\":[]}"), OK);
	} while (strstr(h.out, "\"cancel\"") == NULL);
	CHECK(strstr(h.out, "\"cancel\":{\"action\":\"interrupt\"") != NULL);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"interrupted\"}"), OK);
	ear_until_end(&x);
	CHECK_INT(x.status, RUN_INTERRUPTED);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	CHECK(hand_call(&h, WORKER_EVENTS, "{\"events\":[]}") != OK);
	ear_free(&x);
	ear_free(&y);
	fix_close(&f);
}

/* Goal: modes that no worker streams are made here: checkpoints and debug, with the tasks
 * that come next; and graphs below the root are told with their names. */
TEST(checkpoints_and_lifecycle_of_a_worker_s_graph)
{
	const char *sub = "\"a:" TA "\"";
	struct fix f;
	struct ear x;
	struct hand h;

	begin_g(&f, &h, &x, "memory", MODE_CHECKPOINTS | MODE_LIFECYCLE | MODE_TASKS);
	say_input(&h);
	say(&h, sub, "checkpoints", "{\"id\":\"" C0 "\",\"step\":0,\"source\":\"loop\"}");
	say(&h, sub, "values", "{\"messages\":[]}");
	say_result(&h);
	end_g(&h, &x);
	CHECK_STR(ear_events(&x), "metadata checkpoints tasks lifecycle|a:" TA "*2 tasks "
	    "checkpoints");
	CHECK(ear_has(&x, "\"metadata\":{\"source\":\"loop\",\"step\":0,\"parents\":{}},"
	    "\"next\":[\"a\"]}"));
	CHECK(ear_has(&x, "{\"event\":\"started\",\"namespace\":[\"a:" TA "\"]}"));
	CHECK(ear_has(&x, "{\"event\":\"completed\",\"namespace\":[\"a:" TA "\"]}"));
	ear_free(&x);
	fix_close(&f);
}


static void
few_places(struct desk *d, void *arg)
{
	(void)arg;
	d->runs->live_max = 2;               /* one of them for graphs in workers */
}

/* Goal: runs that no worker takes leave room for others, wait in order, can be cancelled, and
 * begin as soon as there is room. */
TEST(runs_that_wait_for_workers_leave_room_for_others)
{
	struct ear first, second, third, fourth, native;
	struct fix f;
	struct hand h;

	fix_open_workers(&f, "memory", 1, GRAPH);
	desk_do(&f.desks[0], few_places, NULL);
	CHECK_RC(run_g(&first, &f, 1, MODE_VALUES), OK);
	ear_until_started(&first);
	CHECK_RC(run_g(&second, &f, 2, MODE_VALUES), OK);
	ear_until_started(&second);
	CHECK_RC(run_g(&third, &f, 3, MODE_VALUES), OK);
	ear_until_started(&third);
	CHECK_RC(run_g(&fourth, &f, 5, MODE_VALUES), OK);
	ear_until_started(&fourth);
	CHECK_RC(ear_start(&native, &f.desks[0], (struct ask){ .thread = thread_no(4),
	    .input = HI, .modes = MODE_VALUES }), OK);
	ear_until_end(&native);
	CHECK_INT(native.status, RUN_SUCCESS);
	CHECK_RC(order_cancel_and_wait(&f.desks[0], &second), OK);
	ear_until_end(&second);
	CHECK_INT(second.status, RUN_INTERRUPTED);
	hand_register(&h, &f.desks[0]);
	hand_take(&h);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(&first);
	CHECK(!third.ended);
	hand_take(&h);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(&third);
	CHECK_INT(third.status, RUN_SUCCESS);
	CHECK(!fourth.ended);
	hand_take(&h);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(&fourth);
	CHECK_INT(fourth.status, RUN_SUCCESS);
	ear_free(&first);
	ear_free(&second);
	ear_free(&third);
	ear_free(&fourth);
	ear_free(&native);
	fix_close(&f);
}
