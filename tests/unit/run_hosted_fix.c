/*
 * run_hosted_fix.c - see run_hosted_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_hosted_fix.h"

#include <string.h>

#include "base/mem.h"

/* ---- a worker --------------------------------------------------------------------- */

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

void
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
void
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

int
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
void
say(struct hand *h, const char *ns, const char *mode, const char *data)
{
	char body[16384];

	snprintf(body, sizeof body, "{\"events\":[{\"n\":%lld,\"ns\":[%s],\"mode\":\"%s\","
	    "\"data\":%s}]}", (long long)++h->n, ns, mode, data);
	CHECK_RC(hand_call(h, WORKER_EVENTS, body), OK);
}

void
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

void
write_of(struct hand *h, const char *id, const char *task, const char *more)
{
	char body[4096];

	snprintf(body, sizeof body, "{\"op\":\"writes\",\"groups\":[{\"ns\":\"\",\"id\":\"%s\","
	    "\"task_id\":\"%s\",\"task_path\":\"\",\"writes\":[{\"idx\":0,\"channel\":"
	    "\"messages\",\"type\":\"json\",\"text\":\"1\"}]%s}]}", id, task, more);
	CHECK_RC(hand_call(h, WORKER_SAVER, body), OK);
}

/* Its input, up to the beginning of node a. */
void
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

void
say_tokens(struct hand *h)
{
	say(h, "\"a:" TA "\"", "messages", "[{\"type\":\"AIMessageChunk\",\"content\":\"a\","
	    "\"id\":\"m1\",\"tool_call_chunks\":[]}," META "]");
	say(h, "\"a:" TA "\"", "messages", "[{\"type\":\"AIMessageChunk\",\"content\":\" b\","
	    "\"id\":\"m1\",\"tool_call_chunks\":[]}]");
}

void
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

int
run_g(struct ear *x, struct fix *f, unsigned thread, unsigned modes)
{
	return ear_start(x, &f->desks[0], (struct ask){ .thread = thread_no(thread),
	    .input = HI, .modes = modes, .graph = "g" });
}

static void
leave_do(struct desk *d, void *arg)
{
	static const uint8_t key[SHA256_SIZE];
	struct hand *h = arg;
	struct err e;

	CHECK_RC(workers_leave(d->work, &h->worker_id, key, &e), OK);
}

void
hand_leave(struct hand *h)
{
	desk_do(h->d, leave_do, h);
}

void
hand_change(struct hand *h)
{
	struct desk *d = h->d;

	hand_leave(h);
	hand_register(h, d);
	hand_take(h);
}

void
begin_g(struct fix *f, struct hand *h, struct ear *x, const char *medium, unsigned modes)
{
	fix_open_workers(f, medium, 1, GRAPH);
	hand_register(h, &f->desks[0]);
	CHECK_RC(run_g(x, f, 1, modes), OK);
	hand_take(h);
}

void
end_g(struct hand *h, struct ear *x)
{
	CHECK_RC(hand_call(h, WORKER_END, "{\"status\":\"success\"}"), OK);
	ear_until_end(x);
}
