/*
 * door.c - see door.h.
 *
 *             started              end
 *   ASKED ------------> EXISTS ---------> (answered)
 *     | end: it never      | door_stream
 *     v began              v              end
 *   (answered)         STREAMS ---------> (stream ended)
 *
 * In each of them the client may leave, and the door is freed; see follow.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/door.h"

#include <assert.h>

#include "agent/agent.h"
#include "api/follow.h"
#include "api/hear.h"
#include "api/trace.h"
#include "base/mem.h"
#include "run/view.h"

struct door {
	struct follow f;
	const struct door_events *on;
	void *ctx;
	struct hearing hearing;
	struct uuid thread_id;
	bool begun;                          /* a message was told; */
	bool joint;                          /* another begins with the next piece */
	bool broken;                         /* an event was too large for its stream */
};

static void
door_release(struct follow *f)
{
	struct door *d = CONTAINER_OF(f, struct door, f);

	if (d->ctx != NULL)
		d->on->release(d->ctx);
	hearing_release(&d->hearing);
	free(d);
}

/* ---- what the run tells ------------------------------------------------------ */

static void
run_started(struct run_watch *w, const struct uuid *thread_id, const struct uuid *run_id)
{
	struct door *d = CONTAINER_OF(w, struct door, f.w);

	(void)run_id;                        /* w has it */
	if (d->f.leaving)
		return;
	d->thread_id = *thread_id;
	d->on->started(d, d->ctx);
}

static void
run_frames(struct run_watch *w, struct sse_block *b)
{
	struct door *d = CONTAINER_OF(w, struct door, f.w);

	if (d->f.leaving)
		return;
	if (d->on->frames != NULL)
		d->on->frames(d, d->ctx, (struct str){ b->bytes, b->n });
	else
		hearing_take(&d->hearing, (struct str){ b->bytes, b->n });
}

static void
run_ended(struct run_watch *w, int rc, const struct run_end *end, const struct err *e)
{
	struct door *d = CONTAINER_OF(w, struct door, f.w);
	struct call *c = d->f.client.call;

	if (!d->f.leaving)
		hearing_end(&d->hearing);
	d->f.ended = true;
	if (d->f.leaving)
		return;                      /* it is freed at the turn's end */
	if (c != NULL)
		http_on_gone(c->r, NULL);
	d->on->end(d, d->ctx, rc, end, e);
	assert(d->f.client.sse == NULL);            /* door_end_stream was called */
	follow_free(&d->f);
}

static void
heard_message(void *ctx, struct str id)
{
	struct door *d = ctx;

	d->joint = d->begun;
	d->begun = true;
	if (d->on->message != NULL)
		d->on->message(d, d->ctx, id);
}

static void
heard_text(void *ctx, struct str raw)
{
	struct door *d = ctx;

	d->on->text(d, d->ctx, raw);
}

/* ---- the stream -------------------------------------------------------------- */

void
door_stream(struct door *d, struct str lines)
{
	follow_stream(&d->f, lines);
	sse_beat_bare(d->f.client.sse);
}

void
door_send_parts(struct door *d, const struct str *parts, size_t n)
{
	struct sse_block *b = sse_block_join(parts, n);

	assert(d->f.client.sse != NULL);
	sse_send(d->f.client.sse, b);
	sse_block_drop(b);
}

void
door_send(struct door *d, struct str frames)
{
	door_send_parts(d, &frames, 1);
}

void
door_send_buf(struct door *d, struct buf *b)
{
	if (b->failed)
		d->broken = true;
	else
		door_send(d, buf_str(b));
	buf_release(b);
}

void
door_end_stream(struct door *d)
{
	struct sse *sse = d->f.client.sse;

	assert(sse != NULL && d->f.ended);
	d->f.client.sse = NULL;
	if (d->broken)
		sse_abort(sse);
	else
		sse_end(sse);
}

/* ---- beginning ------------------------------------------------------------------ */

static struct str
headers_json(struct call *c)
{
	struct buf *b = &c->api->scratch;

	buf_clear(b);
	header_add_json(b, c->r, &c->api->shared->o.configurable);
	return arena_str(&c->r->arena, buf_str(b));
}

static unsigned
modes_of(const struct door_ask *ask)
{
	return ask->modes != 0 ? ask->modes : MODE_MESSAGES_TUPLE;
}

static struct str
modes_json(struct call *c, unsigned modes)
{
	struct buf *b = &c->api->scratch;

	buf_clear(b);
	buf_add_char(b, '[');
	for (size_t i = 0; stream_mode_names[i] != NULL; i++)
		if ((modes >> i & 1) != 0)
			json_add_fmt(b, ",%s", stream_mode_names[i]);
	buf_add_char(b, ']');
	return arena_str(&c->r->arena, buf_str(b));
}

/* As for POST /threads/{thread_id}/runs, whatever the door's route is about. */
static int
may_run(struct call *c, const struct door_ask *ask)
{
	int rc = call_may(c, THREADS_CREATE_RUN, STR_NONE);

	if (rc == OK && ask->create_thread)
		rc = call_may(c, THREADS_CREATE, STR_NONE);
	if (rc == OK && !uuid_is_zero(&ask->thread_id))
		rc = call_may_thread(c, THREADS_CREATE_RUN, &ask->thread_id);
	return rc;
}

static struct run_request
request_of(struct call *c, const struct door_ask *ask)
{
	return (struct run_request){ .owner = c->owner, .subject = c->who.subject,
	    .payer = c->who.payer, .quota = c->who.limits.stored,
	    .stamp_json = call_stamp(c),
	    .stateless = uuid_is_zero(&ask->thread_id), .thread_id = ask->thread_id,
	    .create_thread = ask->create_thread, .assistant = ask->assistant,
	    .input = ask->input, .command = ask->command, .config = ask->config, .context = ask->context,
	    .metadata = ask->metadata, .trace = call_trace(c), .headers_json = headers_json(c),
	    .subgraphs = true, .checkpoint = ask->checkpoint,
	    .modes = modes_of(ask), .modes_json = modes_json(c, modes_of(ask)),
	    .webhook = ask->webhook, .push_json = ask->push_json,
	    .questions = ask->questions, .questions_n = ask->questions_n,
	    .multitask = ask->questions_n > 0 ? MULTITASK_REJECT : MULTITASK_ENQUEUE,
	    .passing = ask->passing };
}

const struct agent *
door_agent(struct call *c, const struct door_ask *ask)
{
	struct store_thread t;

	if (json_is_null(ask->command) || store_thread_get(c->api->reader, c->owner,
	    &ask->thread_id, &c->r->arena, &t) != OK)
		return runs_agent(c->api->runs, ask->assistant.graph_id);
	return runs_thread_agent(c->api->runs, c->owner, &t, ask->assistant.graph_id);
}

static struct door *
door_new(struct call *c, const struct door_events *on, void *ctx,
    const struct agent *agent)
{
	struct buf body = http_take_body(c->r);
	struct door *d = mem_new(struct door);

	buf_release(&body);                  /* it was read, and a run may take hours */
	d->on = on;
	d->ctx = ctx;
	d->f.release = door_release;
	d->f.w = (struct run_watch){ .modes = MODE_MESSAGES_TUPLE, .after = -1,
	    .wants_events = true, .wants_values = true, .started = run_started,
	    .frames = run_frames, .end = run_ended };
	d->hearing = (struct hearing){ .message = heard_message, .text = heard_text,
	    .ctx = d };
	hearing_init(&d->hearing, agent);
	follow_begin(&d->f, c);
	http_left_by_eof(c->r);
	return d;
}

int
door_start(struct call *c, const struct door_ask *ask, const struct door_events *on,
    void *ctx)
{
	struct run_request q = request_of(c, ask);
	int rc = may_run(c, ask);
	struct door *d;

	if (rc < 0)
		return rc;
	d = door_new(c, on, ctx, door_agent(c, ask));
	d->f.w.modes = modes_of(ask);
	d->f.w.cancel_on_gone = !ask->keeps_on;
	d->f.w.wants_values = ask->wants_values;
	rc = run_start(c->api->runs, &q, &d->f.w, NULL, NULL, &c->err);
	if (rc == OK)
		return OK;
	http_on_gone(c->r, NULL);
	d->ctx = NULL;                       /* it is the caller's */
	follow_free(&d->f);
	return rc;
}

void
door_join(struct call *c, const struct store_thread *t, const struct store_run *run,
    const struct door_events *on, void *ctx)
{
	struct door *d = door_new(c, on, ctx, runs_thread_agent(c->api->runs, c->owner, t,
	    run->graph_id));
	struct runs *rs = c->api->runs;
	owner_t owner = c->owner;

	d->f.w.run_id = run->id;
	run_started(&d->f.w, &t->id, &run->id);
	/* The end may come before this returns, and d with it. */
	run_join(rs, owner, &t->id, &run->id, &d->f.w);
}

int
door_start_background(struct call *c, const struct door_ask *ask,
    void (*created)(void *ctx, int rc, const struct store_run *run, const struct err *e),
    void *ctx)
{
	struct run_request q = request_of(c, ask);
	int rc = may_run(c, ask);

	return rc < 0 ? rc : run_start(c->api->runs, &q, NULL, created, ctx, &c->err);
}

/* ---- asking the store first --------------------------------------------------------- */

/* The body's document goes when the handler returns. */
struct door_kept {
	int (*again)(struct call *c);
	struct buf body;                     /* empty: there was none */
};

void
door_keep(struct call *c, int (*again)(struct call *c))
{
	struct door_kept *k = mem_new(struct door_kept);

	assert(c->kept == NULL);
	k->again = again;
	k->body = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	if (c->in->node != NULL)
		json_add_node(&k->body, c->in->node);
	c->kept = k;
}

void
door_forget(struct call *c)
{
	struct door_kept *k = c->kept;

	if (k != NULL)
		buf_release(&k->body);
	free(k);
	c->kept = NULL;
}

int
door_read_again(struct call *c)
{
	struct door_kept *k = c->kept;
	struct json_doc doc = { 0 };
	struct fields in;
	int rc = OK;

	c->kept = NULL;
	if (k->body.n > 0)
		rc = json_parse(&doc, buf_str(&k->body), &c->err);
	fields_open(&in, doc.root, "body", &c->err);
	c->in = &in;
	if (rc == OK)
		rc = k->again(c);
	json_release(&doc);
	buf_release(&k->body);
	free(k);
	return rc;
}

/* ---- finding an assistant --------------------------------------------------------- */

/* A name is looked for by a command. */
struct door_name {
	struct str name;
	struct store_assistant *found;       /* the first of that name */
	size_t n;
};

static int
name_looked_up(struct call *c)
{
	struct door_name *x = c->named;
	const struct store_assistant_search *op = &c->op.assistant_search;

	for (size_t i = 0; i < op->found_n; i++)
		if (str_eq(op->found[i].name, x->name) && x->n++ == 0)
			x->found = &op->found[i];
	return door_read_again(c);
}

static int
name_look_up(struct call *c, struct str name, int (*again)(struct call *c))
{
	struct door_name *x = arena_new(&c->r->arena, struct door_name);
	int rc;

	if (x == NULL)
		return err_set(&c->err, ERR_TOOBIG, "the request is too large");
	x->name = arena_str(&c->r->arena, name);
	c->named = x;
	door_keep(c, again);
	c->op.assistant_search = (struct store_assistant_search){ .name = x->name,
	    .metadata_json = S("{}"), .page = { .limit = LIMIT_PAGE_ROWS } };
	rc = call_submit(c, STORE_ASSISTANT_SEARCH, name_looked_up);
	if (rc != OK)
		door_forget(c);
	return rc;
}

int
door_find(struct call *c, const char *param, struct str name,
    int (*again)(struct call *c), struct store_assistant *out)
{
	struct door_name *x = c->named;
	int rc;

	if (x == NULL) {
		rc = api_assistant_find(c, name, out);
		if (rc != ERR_NOTFOUND)
			return rc;
		rc = name_look_up(c, name, again);
		return rc == OK ? ERR_AGAIN : rc;
	}
	if (x->n > 1)
		return err_set(&c->err, ERR_INVALID, "%s: %zu assistants have the name "
		    "\"%.*s\"; give the id of one", param, x->n, FMT(param_shown(name)));
	rc = x->n == 0 ? ERR_NOTFOUND : call_may(c, ASSISTANTS_READ, x->found->metadata_json);
	if (rc == ERR_NOTFOUND)
		return err_set(&c->err, rc, "%s: no assistant has the id, the graph or the "
		    "name \"%.*s\"", param, FMT(param_shown(name)));
	if (rc == OK)
		*out = *x->found;
	return rc;
}

int
door_list(struct call *c, int (*then)(struct call *c))
{
	c->op.assistant_search = (struct store_assistant_search){ .metadata_json = S("{}"),
	    .page = { .limit = LIMIT_PAGE_ROWS, .sort = STORE_SORT_CREATED } };
	return call_submit(c, STORE_ASSISTANT_SEARCH, then);
}

int
door_takes_messages(struct call *c, const char *param, const struct store_assistant *a)
{
	const struct agent *agent = runs_agent(c->api->runs, a->graph_id);
	int at = agent == NULL ? -1 : agent_channel_find(agent, S("messages"));

	if (agent == NULL || (agent->hosted != NULL &&
	    agent_hosted_takes(agent->hosted, S("messages"))) ||
	    (at >= 0 && agent->channels[at].input &&
	    agent->channels[at].reducer == REDUCE_MESSAGES))
		return OK;                   /* run_start refuses an agent that is gone */
	return err_set(&c->err, ERR_INVALID, "%s: the agent \"%.*s\" has no conversation: "
	    "no channel `messages` that a client may write", param, FMT(a->graph_id));
}

/* ---- threads and runs that are there ------------------------------------------------- */

int
door_find_thread(struct call *c, const struct uuid *id, enum access access,
    struct store_thread *out)
{
	int rc = store_thread_get(c->api->reader, c->owner, id, &c->r->arena, out);

	return rc == OK ? call_may(c, access, out->metadata_json) : rc;
}

int
door_find_run(struct call *c, const struct uuid *id, enum access access,
    struct store_run *run, struct store_thread *t)
{
	int rc = store_run_get(c->api->reader, c->owner, id, &c->r->arena, run);

	return rc == OK ? door_find_thread(c, &run->thread_id, access, t) : rc;
}

int
door_waits(struct call *c, const struct uuid *thread_id, size_t *n)
{
	struct store_interrupt *list;
	struct store_thread t;
	int rc = door_find_thread(c, thread_id, THREADS_CREATE_RUN, &t);

	*n = 0;
	if (rc < 0)
		return rc != ERR_NOTFOUND ? rc : err_set(&c->err, rc, "Thread not found");
	if (t.status != THREAD_INTERRUPTED)
		return OK;
	return store_interrupts_get(c->api->reader, c->owner, t.seq, &c->r->arena, &list, n);
}

int
door_ask_state(struct call *c, int64_t thread_seq, const struct uuid *run_id,
    int (*then)(struct call *c))
{
	char id[UUID_TEXT];

	uuid_format(run_id, id);
	c->op.history = (struct store_history){ .thread_seq = thread_seq, .whole = true,
	    .limit = 1, .metadata_json = arena_fmt(&c->r->arena, "{\"run_id\":\"%.*s\"}",
	    UUID_TEXT, id) };
	return call_submit(c, STORE_HISTORY, then);
}

jnode
door_values(struct call *c, const struct store_thread *t, const struct store_state *s,
    const struct str *channel, struct json_doc *doc)
{
	struct view v = { .thread_id = t->id, .members = VIEW_VALUES, .newest = true,
	    .agent = runs_thread_agent(c->api->runs, c->owner, t, api_thread_graph(t)),
	    .channels = channel, .channels_n = channel != NULL };
	struct buf b = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	jnode values = NULL;

	if (view_add_state(&b, &v, s) == OK && json_parse(doc, buf_str(&b), NULL) == OK)
		values = json_get(doc->root, S("values"));
	buf_release(&b);
	return values;
}

size_t
door_answer_begins(jnode messages)
{
	size_t from = 0, i = 0;

	for (struct json_iter it = json_each(messages); json_next(&it); i++)
		if (str_eq(json_str(json_get(it.value, S("type"))), S("human")))
			from = i + 1;
	return from;
}

/* ---- what a door knows ----------------------------------------------------------- */

struct call *
door_call(struct door *d)
{
	return d->f.client.call;
}

struct shard *
door_shard(struct door *d)
{
	return d->f.api->shard;
}

const struct uuid *
door_thread(const struct door *d)
{
	return &d->thread_id;
}

const struct uuid *
door_run(const struct door *d)
{
	return &d->f.w.run_id;
}

struct str
door_joint(struct door *d)
{
	bool due = d->joint;

	d->joint = false;
	return due ? S("\\n\\n") : STR_NONE;
}

struct str
door_finish_reason(const struct door *d)
{
	return buf_str(&d->hearing.finish);
}

/* ---- words ------------------------------------------------------------------------- */

static void
add_options(struct buf *b, jnode options)
{
	struct json_iter it = json_each(options);
	bool first = true;

	while (json_is_array(options) && json_next(&it)) {
		buf_add(b, first ? S(" (") : S(" / "));
		first = false;
		if (json_is_string(it.value))
			buf_add(b, json_str(it.value));
		else
			json_add_node(b, it.value);
	}
	if (!first)
		buf_add_char(b, ')');
}

static void
add_question(struct buf *b, jnode value)
{
	static const char *const names[] = { "prompt", "question", "message" };

	if (json_is_string(value)) {
		buf_add(b, json_str(value));
		return;
	}
	for (size_t i = 0; i < COUNT(names); i++) {
		jnode text = json_get(value, str_of(names[i]));

		if (!json_is_string(text))
			continue;
		buf_add(b, json_str(text));
		add_options(b, json_get(value, S("options")));
		return;
	}
	json_add_node(b, value);
}

void
door_add_questions(struct buf *b, struct str interrupts_json)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	bool first = true;

	if (json_parse(&d, interrupts_json, NULL) == OK) {
		it = json_each(d.root);
		while (json_next(&it)) {
			if (!first)
				buf_add(b, S("\n\n"));
			first = false;
			add_question(b, json_get(it.value, S("value")));
		}
	}
	json_release(&d);
}

void
door_tell_questions(struct door *d, struct str interrupts_json)
{
	struct buf text = BUF(LIMIT_STATE_BYTES), raw = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	char id[UUID_TEXT];

	uuid_format(&d->f.w.run_id, id);
	door_add_questions(&text, interrupts_json);
	json_add_escaped(&raw, buf_str(&text));
	heard_message(d, (struct str){ id, UUID_TEXT });
	heard_text(d, buf_str(&raw));
	buf_release(&text);
	buf_release(&raw);
}

struct door_failure
door_failure(struct arena *a, struct str error_json)
{
	struct door_failure f = { S("Error"), S("the run failed") };
	struct json_doc d = { 0 };

	if (json_parse(&d, error_json, NULL) == OK) {
		jnode name = json_get(d.root, S("error"));
		jnode message = json_get(d.root, S("message"));

		if (json_is_string(name))
			f.name = arena_str(a, json_str(name));
		if (json_is_string(message))
			f.message = arena_str(a, json_str(message));
	}
	json_release(&d);
	return f;
}
