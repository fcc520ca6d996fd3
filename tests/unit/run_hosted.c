/*
 * run_hosted.c - runs whose graph is in a worker: a stand-in worker, here, says what
 * langgraph says, and clients see what they see of a native agent.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/mem.h"
#include "run_fix.h"

#define GRAPH "{\"hosted\":{\"id\":\"g\",\"build\":\"b1\"}}"
#define ALL (MODE_VALUES | MODE_UPDATES | MODE_MESSAGES_TUPLE | MODE_TASKS)

/* Checkpoints and tasks of a run of two steps: __start__, then node a. */
#define C0 "1f1e540b-1445-6870-bfff-44e8c1bca521"
#define C1 "1f1e540b-1454-62d0-8000-38663c777928"
#define C2 "1f1e540b-1476-65b0-8001-65bb9142371f"
#define TA "8bcb3ce7-18d3-5825-aa13-2395b88ca5f7"

/* ---- a worker --------------------------------------------------------------------- */

struct hand {
	struct desk *d;
	struct uuid worker_id, task_id;
	char token[64];
	char task[65536];                    /* the task as it came */
	int64_t n;                           /* of its events */
	bool done;
	int rc;
	char out[65536];
};

static void
hand_done(struct hand *h, int rc)
{
	struct fix *f = h->d->f;

	pthread_mutex_lock(&f->lock);
	h->rc = rc;
	h->done = true;
	fix_changed(f);
	pthread_mutex_unlock(&f->lock);
}

static bool
is_done(void *arg)
{
	return ((struct hand *)arg)->done;
}

static void
hand_wait(struct hand *h, const char *what)
{
	fix_until(h->d->f, is_done, h, what);
	h->done = false;
}

static void
registered(struct worker_intake *in, int rc, const char *why, const struct err *e)
{
	struct hand *h = in->ctx;

	(void)why, (void)e;
	h->worker_id = in->worker_id;
	arena_release(&in->arena);
	hand_done(h, rc);
}

static void
graphs(void *ctx, struct worker_intake *in)
{
	(void)ctx;
	workers_graphs_done(in, OK, NULL);
}

static struct worker_intake intake;

static void
register_do(struct desk *d, void *arg)
{
	struct json_doc doc;
	struct err e = { 0 };

	workers_on_graphs(d->f->workers, graphs, NULL);
	intake = (struct worker_intake){ .desk = d->work, .done = registered, .ctx = arg,
	    .arena = ARENA(MB) };
	CHECK_RC(json_parse(&doc, S("{\"name\":\"hand\",\"build\":\"b1\",\"lang\":\"js\","
	    "\"protocol\":1,\"slots\":{\"run\":8,\"node\":8},\"graphs\":[{\"id\":\"g\"}],"
	    "\"runs\":[],\"nodes\":[],\"tools\":[]}"), NULL), OK);
	CHECK_RC(worker_intake_read(&intake, doc.root, (struct worker_may){ 0 }, &e), OK);
	json_release(&doc);
	workers_register(d->work, &intake);
}

static void
hand_register(struct hand *h, struct desk *d)
{
	*h = (struct hand){ .d = d };
	desk_do(d, register_do, h);
	hand_wait(h, "registered");
	CHECK_RC(h->rc, OK);
}

static struct worker_poll poll;

static void
polled(struct worker_poll *p)
{
	struct hand *h = p->ctx;

	snprintf(h->out, sizeof h->out, "{%.*s}", FMT(buf_str(&p->text)));
	if (p->text.n > 0 && p->text.p[0] == '{')
		snprintf(h->out, sizeof h->out, "%.*s", FMT(buf_str(&p->text)));
	buf_release(&p->text);
	hand_done(h, OK);
}

static void
poll_do(struct desk *d, void *arg)
{
	struct hand *h = arg;
	static const uint8_t key[SHA256_SIZE];
	struct err e;

	poll = (struct worker_poll){ .free = { 8, 8 }, .answered = polled, .ctx = h };
	CHECK_RC(workers_poll(d->work, &poll, &h->worker_id, key, &e), OK);
}

/* Takes a task. */
static void
hand_take(struct hand *h)
{
	struct json_doc doc;
	jnode task;

	desk_do(h->d, poll_do, h);
	hand_wait(h, "a task");
	CHECK_RC(json_parse(&doc, str_of(h->out), NULL), OK);
	task = json_at(json_get(doc.root, S("tasks")), 0);
	CHECK(task != NULL);
	CHECK(uuid_parse(json_str(json_get(task, S("task_id"))), &h->task_id));
	snprintf(h->token, sizeof h->token, "%.*s", FMT(json_str(json_get(task, S("token")))));
	memcpy(h->task, h->out, sizeof h->task);
	h->n = 0;
	json_release(&doc);
}

struct hand_call {
	struct worker_call c;
	struct hand *h;
};

static void
call_done(struct worker_call *c)
{
	struct hand_call *x = CONTAINER_OF(c, struct hand_call, c);

	snprintf(x->h->out, sizeof x->h->out, "{%.*s}%s", FMT(buf_str(&c->out)),
	    c->rc != OK ? c->err.text : "");
	buf_release(&c->out);
	hand_done(x->h, c->rc);
}

static void
call_do(struct desk *d, void *arg)
{
	struct hand_call *x = arg;

	workers_call(d->work, &x->c);
}

static int
hand_call(struct hand *h, enum worker_verb verb, const char *body)
{
	struct hand_call x = { .c = { .verb = verb, .task_id = h->task_id,
	    .done = call_done, .token = str_of(h->token), .text = str_of(body) }, .h = h };
	struct json_doc doc;

	CHECK_RC(json_parse(&doc, str_of(body), NULL), OK);
	x.c.body = doc.root;
	desk_do(h->d, call_do, &x);
	hand_wait(h, "a call");
	json_release(&doc);
	return h->rc;
}

/* An event of the graph; ns: labels as JSON. */
static void
say(struct hand *h, const char *ns, const char *mode, const char *data)
{
	char body[16384];

	snprintf(body, sizeof body, "{\"events\":[{\"n\":%lld,\"ns\":[%s],\"mode\":\"%s\","
	    "\"data\":%s}]}", (long long)++h->n, ns, mode, data);
	CHECK_RC(hand_call(h, WORKER_EVENTS, body), OK);
}

static void
put(struct hand *h, const char *id, const char *parent, int step, const char *source,
    const char *values)
{
	char body[16384], up[80] = "";

	if (parent != NULL)
		snprintf(up, sizeof up, "\"parent_id\":\"%s\",", parent);
	snprintf(body, sizeof body, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"%s\",%s"
	    "\"checkpoint\":{\"type\":\"json\",\"text\":\"{}\"},\"metadata\":{\"type\":\"json\","
	    "\"text\":\"{}\"},\"versions\":{\"messages\":\"%d\"},\"blobs\":[{\"channel\":"
	    "\"messages\",\"type\":\"json\",\"text\":\"[]\"}],\"view\":{\"values\":%s,"
	    "\"source\":\"%s\",\"step\":%d}}", id, up, step, values, source, step);
	CHECK_RC(hand_call(h, WORKER_SAVER, body), OK);
}

static void
write_of(struct hand *h, const char *id, const char *task, const char *more)
{
	char body[4096];

	snprintf(body, sizeof body, "{\"op\":\"writes\",\"groups\":[{\"ns\":\"\",\"id\":\"%s\","
	    "\"task_id\":\"%s\",\"task_path\":\"\",\"writes\":[{\"idx\":0,\"channel\":"
	    "\"messages\",\"type\":\"json\",\"text\":\"1\"}]%s}]}", id, task, more);
	CHECK_RC(hand_call(h, WORKER_SAVER, body), OK);
}

#define M_HI "{\"type\":\"human\",\"content\":\"hi\",\"id\":\"h1\"}"
#define M_AI "{\"type\":\"ai\",\"content\":\"a b\",\"id\":\"m1\",\"tool_calls\":[]}"
#define META "{\"langgraph_node\":\"a\",\"langgraph_step\":1,\"langgraph_checkpoint_ns\":" \
	"\"a:" TA "\",\"tags\":[\"mine\"],\"ls_provider\":\"p\",\"ls_model_name\":\"m\"}"

/* Its input, up to the beginning of node a. */
static void
say_input(struct hand *h)
{
	put(h, C0, NULL, -1, "input", "{}");
	put(h, C1, C0, 0, "loop", "{\"messages\":[" M_HI "]}");
	say(h, "", "checkpoints", "{\"id\":\"" C1 "\",\"parent_id\":\"" C0 "\",\"step\":0,"
	    "\"source\":\"loop\"}");
	say(h, "", "values", "{\"messages\":[" M_HI "]}");
	say(h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"input\":{},\"triggers\":"
	    "[\"branch:to:a\"],\"interrupts\":[]}");
}

static void
say_tokens(struct hand *h)
{
	say(h, "\"a:" TA "\"", "messages", "[{\"type\":\"AIMessageChunk\",\"content\":\"a\","
	    "\"id\":\"m1\",\"tool_call_chunks\":[]}," META "]");
	say(h, "\"a:" TA "\"", "messages", "[{\"type\":\"AIMessageChunk\",\"content\":\" b\","
	    "\"id\":\"m1\",\"tool_call_chunks\":[]}]");
}

static void
say_result(struct hand *h)
{
	say(h, "", "updates", "{\"a\":{\"messages\":[" M_AI "]}}");
	say(h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"result\":{\"messages\":[" M_AI
	    "]},\"interrupts\":[],\"error\":null}");
	write_of(h, C1, TA, "");
	put(h, C2, C1, 1, "loop", "{\"messages\":[" M_HI "," M_AI "]}");
	say(h, "", "checkpoints", "{\"id\":\"" C2 "\",\"parent_id\":\"" C1 "\",\"step\":1,"
	    "\"source\":\"loop\"}");
	say(h, "", "values", "{\"messages\":[" M_HI "," M_AI "]}");
}

static int
run_g(struct ear *x, struct fix *f, unsigned thread, unsigned modes)
{
	return ear_start(x, &f->desks[0], (struct ask){ .thread = thread_no(thread),
	    .input = HI, .modes = modes, .graph = "g" });
}

/* ---- what clients see --------------------------------------------------------------------- */

TEST(a_worker_s_run_is_told_and_kept_as_any_other)
{
	struct store_history_item *items;
	struct fix f;
	struct ear x;
	struct hand h;

	fix_open_workers(&f, "memory", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	CHECK_RC(run_g(&x, &f, 1, ALL), OK);
	hand_take(&h);
	CHECK(strstr(h.task, "\"again\":false") != NULL);
	CHECK(strstr(h.task, "\"input\":{\"messages\":[{\"role\":\"user\"") != NULL);
	say_input(&h);
	say_tokens(&h);
	say_result(&h);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(&x);
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

	fix_open_workers(&f, "sqlite", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	CHECK_RC(run_g(&x, &f, 1, ALL), OK);
	hand_take(&h);
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

	fix_open_workers(&f, "memory", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	CHECK_RC(run_g(&x, &f, 1, ALL), OK);
	hand_take(&h);
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
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(&x);
	CHECK_INT(thread_row(&f, &x.thread_id).status, THREAD_IDLE);
	ear_free(&x);
	fix_close(&f);
}

static void
leave_do(struct desk *d, void *arg)
{
	static const uint8_t key[SHA256_SIZE];
	struct hand *h = arg;
	struct err e;

	CHECK_RC(workers_leave(d->work, &h->worker_id, key, &e), OK);
}

/* It goes, and another comes. */
static void
hand_change(struct hand *h)
{
	struct desk *d = h->d;

	desk_do(d, leave_do, h);
	hand_register(h, d);
	hand_take(h);
}

/* Goal: what a dead worker has said and not saved is taken back; what it has saved makes the
 * run go on from there; losses in a row without a step saved end it. */
TEST(what_a_lost_worker_said_is_taken_back)
{
	struct fix f;
	struct ear x;
	struct hand h;

	fix_open_workers(&f, "memory", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	CHECK_RC(run_g(&x, &f, 1, ALL), OK);
	hand_take(&h);
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
	desk_do(h.d, leave_do, &h);
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

	fix_open_workers(&f, "memory", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	CHECK_RC(run_g(&x, &f, 1, MODE_CHECKPOINTS | MODE_LIFECYCLE | MODE_TASKS), OK);
	hand_take(&h);
	say_input(&h);
	say(&h, sub, "checkpoints", "{\"id\":\"" C0 "\",\"step\":0,\"source\":\"loop\"}");
	say(&h, sub, "values", "{\"messages\":[]}");
	say_result(&h);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(&x);
	CHECK_STR(ear_events(&x), "metadata checkpoints tasks lifecycle|a:" TA "*2 tasks "
	    "checkpoints");
	CHECK(ear_has(&x, "\"metadata\":{\"source\":\"loop\",\"step\":0,\"parents\":{}},"
	    "\"next\":[\"a\"]}"));
	CHECK(ear_has(&x, "{\"event\":\"started\",\"namespace\":[\"a:" TA "\"]}"));
	CHECK(ear_has(&x, "{\"event\":\"completed\",\"namespace\":[\"a:" TA "\"]}"));
	ear_free(&x);
	fix_close(&f);
}

static const struct { enum worker_verb verb; const char *body, *words; } bad[] = {
	{ WORKER_EVENTS, "{\"events\":1}", "events: expected an array" },
	{ WORKER_EVENTS, "{\"events\":[{}]}", "events[0].n: expected an integer" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":1,\"mode\":\"values\"}]}",
	    "events[0].ns: expected an array" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[1],\"mode\":\"values\"}]}",
	    "events[0].ns: expected an array of strings" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"x\"}]}",
	    "events[0].mode: \"x\" is no mode" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"tasks\",\"data\":{}}]}",
	    "events[0].data: expected a task" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"updates\","
	    "\"data\":[]}]}", "events[0].data: expected {node: update}" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"messages\","
	    "\"data\":[{\"type\":\"ai\"}]}]}", "a message needs the namespace of its task" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"checkpoints\","
	    "\"data\":{\"id\":\"x\"}}]}", "events[0].data: expected {id: a UUID" },
	{ WORKER_EVENTS, "{\"events\":[{\"n\":9,\"ns\":[],\"mode\":\"tools\","
	    "\"data\":{\"event\":\"x\"}}]}", "events[0].data.event" },
	{ WORKER_SAVER, "{}", "op: expected" },
	{ WORKER_SAVER, "{\"op\":\"x\"}", "op: expected" },
	{ WORKER_SAVER, "{\"op\":\"get\"}", "ns: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":1}", "id: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":{}}",
	    "checkpoint.type: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":"
	    "{\"type\":\"pickle\",\"b64\":\"\"}}", "checkpoint.type: \"pickle\" is refused" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":"
	    "{\"type\":\"json\",\"b64\":\"?\"}}", "checkpoint.b64: not base64" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"x\",\"checkpoint\":"
	    "{\"type\":\"json\",\"text\":\"1\"},\"metadata\":{\"type\":\"json\",\"text\":"
	    "\"1\"},\"view\":{\"values\":{},\"step\":1}}", "id: expected a UUID" },
	{ WORKER_SAVER, "{\"op\":\"put\",\"ns\":\"\",\"id\":\"" C0 "\",\"checkpoint\":"
	    "{\"type\":\"json\",\"text\":\"1\"},\"metadata\":{\"type\":\"json\",\"text\":"
	    "\"1\"},\"view\":{\"values\":{}}}", "view.step: expected an integer" },
	{ WORKER_SAVER, "{\"op\":\"writes\",\"groups\":[{\"ns\":\"\",\"id\":\"x\"}]}",
	    "groups[0].task_id: expected a string" },
	{ WORKER_SAVER, "{\"op\":\"writes\",\"groups\":[{\"ns\":\"\",\"id\":\"x\","
	    "\"task_id\":\"t\",\"writes\":[{\"channel\":\"c\"}]}]}",
	    "groups[0].writes[0].idx: expected an integer" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"x\"}]}", "op: expected" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"get\",\"namespace\":[]}]}",
	    "ops[0].namespace: expected an array" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"get\",\"namespace\":[\"a.b\"]}]}",
	    "ops[0].namespace: a label" },
	{ WORKER_STORE, "{\"ops\":[{\"op\":\"put\",\"namespace\":[\"a\"],\"key\":\"k\","
	    "\"value\":1}]}", "ops[0].value: expected an object or null" },
	{ WORKER_END, "{}", "status: expected" },
	{ WORKER_END, "{\"status\":\"done\"}", "status: expected" },
};

/* Goal: whatever a worker says wrongly is refused with its place, and changes nothing. */
TEST(bad_calls_of_a_worker_are_refused)
{
	struct fix f;
	struct ear x;
	struct hand h;

	fix_open_workers(&f, "memory", 1, GRAPH);
	hand_register(&h, &f.desks[0]);
	CHECK_RC(run_g(&x, &f, 1, MODE_VALUES), OK);
	hand_take(&h);
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK(hand_call(&h, bad[i].verb, bad[i].body) != OK);
		if (strstr(h.out, bad[i].words) == NULL)
			fprintf(stderr, "%zu: %s\n", i, h.out);
		CHECK(strstr(h.out, bad[i].words) != NULL);
	}
	CHECK_RC(hand_call(&h, WORKER_SAVER, "{\"op\":\"get\",\"ns\":\"\"}"), OK);
	CHECK(strstr(h.out, "\"found\":null}") != NULL);
	CHECK_RC(hand_call(&h, WORKER_STORE, "{\"ops\":[{\"op\":\"put\",\"namespace\":[\"a\",\"b\"],"
	    "\"key\":\"k\",\"value\":{\"v\":1}},{\"op\":\"get\",\"namespace\":[\"a\",\"b\"],"
	    "\"key\":\"k\"},{\"op\":\"search\",\"namespace\":[\"a\"]},{\"op\":\"namespaces\"},"
	    "{\"op\":\"put\",\"namespace\":[\"a\",\"b\"],\"key\":\"k\",\"value\":null},"
	    "{\"op\":\"get\",\"namespace\":[\"a\",\"b\"],\"key\":\"k\"}]}"), OK);
	CHECK(strstr(h.out, "\"results\":[null,{\"namespace\":[\"a\",\"b\"],\"key\":\"k\",\"value\":"
	    "{\"v\":1}") != NULL);
	CHECK(strstr(h.out, ",[[\"a\",\"b\"]],null,null]") != NULL);
	CHECK_RC(hand_call(&h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(&x);
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
	struct ear first, second, third, native;
	struct fix f;
	struct hand h;

	fix_open_workers(&f, "memory", 1, GRAPH);
	desk_do(&f.desks[0], few_places, NULL);
	CHECK_RC(run_g(&first, &f, 1, MODE_VALUES), OK);
	CHECK_RC(run_g(&second, &f, 2, MODE_VALUES), OK);
	CHECK_RC(run_g(&third, &f, 3, MODE_VALUES), OK);
	ear_until_started(&third);
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
	ear_free(&first);
	ear_free(&second);
	ear_free(&third);
	ear_free(&native);
	fix_close(&f);
}

/* ---- lost at any call ------------------------------------------------------------------ */

static int calls_left;
static bool put_any;

#define CALL(x) do {                                                           \
		if (calls_left-- == 0)                                         \
			return false;                                          \
		x;                                                             \
	} while (0)

/* A worker that goes on from what its saver has; false: it is to be lost here. */
static bool
drive(struct hand *h)
{
	bool told = strstr(h->task, "\"again\":true") != NULL, done, written;

	CALL(CHECK_RC(hand_call(h, WORKER_SAVER, "{\"op\":\"get\",\"ns\":\"\"}"), OK));
	done = strstr(h->out, "\"id\":\"" C2 "\"") != NULL;
	written = strstr(h->out, TA) != NULL;
	CHECK(told == put_any);
	if (strstr(h->out, "\"id\":\"" C1 "\"") == NULL && !done) {
		CALL(put(h, C0, NULL, -1, "input", "{}"));
		put_any = true;
		CALL(put(h, C1, C0, 0, "loop", "{\"messages\":[" M_HI "]}"));
	}
	if (!done) {
		CALL(say(h, "", "checkpoints", "{\"id\":\"" C1 "\",\"parent_id\":\"" C0
		    "\",\"step\":0,\"source\":\"loop\"}"));
		CALL(say(h, "", "values", "{\"messages\":[" M_HI "]}"));
		CALL(say(h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"input\":{},"
		    "\"triggers\":[\"branch:to:a\"],\"interrupts\":[]}"));
	}
	if (!done && !written) {
		CALL(say(h, "\"a:" TA "\"", "messages", "[{\"type\":\"AIMessageChunk\","
		    "\"content\":\"a b\",\"id\":\"m1\",\"tool_call_chunks\":[]}," META "]"));
		CALL(say(h, "", "updates", "{\"a\":{\"messages\":[" M_AI "]}}"));
		CALL(say(h, "", "tasks", "{\"id\":\"" TA "\",\"name\":\"a\",\"result\":{"
		    "\"messages\":[" M_AI "]},\"interrupts\":[],\"error\":null}"));
		CALL(write_of(h, C1, TA, ""));
	}
	if (!done)
		CALL(put(h, C2, C1, 1, "loop", "{\"messages\":[" M_HI "," M_AI "]}"));
	CALL(say(h, "", "checkpoints", "{\"id\":\"" C2 "\",\"parent_id\":\"" C1 "\",\"step\":1,"
	    "\"source\":\"loop\"}"));
	CALL(say(h, "", "values", "{\"messages\":[" M_HI "," M_AI "]}"));
	calls_left = 0;                      /* the end is the run's own */
	CHECK_RC(hand_call(h, WORKER_END, "{\"status\":\"success\"}"), OK);
	return true;
}

static void
check_history(struct fix *f, unsigned thread)
{
	struct store_history_item *items;
	struct uuid id = thread_no(thread);

	CHECK_INT(history(f, &id, &items), 3);
	CHECK_INT(items[0].messages_n, 2);
	CHECK_STR(items[0].c.next, "");
	CHECK_STR(items[1].c.next, "a");
	CHECK_INT(items[1].messages_n, 1);
	CHECK_STR(items[2].c.next, "__start__");
	CHECK_INT(thread_row(f, &id).status, THREAD_IDLE);
}

/* Goal: whichever call is the worker's last, another brings the run to the same end. */
TEST(a_worker_may_be_lost_at_any_call)
{
	struct fix f;
	struct ear x;
	struct hand h;
	bool whole = false;

	fix_open_workers(&f, "memory", 2, GRAPH);
	for (unsigned n = 0; !whole; n++) {
		CHECK_RC(run_g(&x, &f, n, ALL), OK);
		hand_register(&h, &f.desks[n % 2]);
		hand_take(&h);
		calls_left = (int)n;
		put_any = false;
		whole = drive(&h);
		if (!whole) {
			hand_change(&h);
			calls_left = INT32_MAX;
			CHECK(drive(&h));
		}
		ear_until_end(&x);
		CHECK_INT(x.status, RUN_SUCCESS);
		check_history(&f, n);
		ear_free(&x);
		desk_do(h.d, leave_do, &h);
		CHECK(n < 40);
	}
	fix_close(&f);
}

/* The same of the server. */
TEST(a_server_may_be_lost_at_any_call_of_a_worker)
{
	bool whole = false;

	for (unsigned n = 0; !whole; n++) {
		struct fix f;
		struct ear x;
		struct hand h;

		remove("db");
		remove("db-wal");
		remove("db-shm");
		fix_open_workers(&f, "sqlite", 1, GRAPH);
		CHECK_RC(run_g(&x, &f, 1, ALL), OK);
		hand_register(&h, &f.desks[0]);
		hand_take(&h);
		calls_left = (int)n;
		put_any = false;
		whole = drive(&h);
		if (!whole) {
			fix_crash(&f);
			hand_register(&h, &f.desks[0]);
			hand_take(&h);
			calls_left = INT32_MAX;
			CHECK(drive(&h));
		}
		fix_crash(&f);               /* the end is in the store */
		check_history(&f, 1);
		ear_free(&x);
		fix_close(&f);
		CHECK(n < 40);
	}
}
