/*
 * command_run.c - commands that start a run: run.start, input.respond, state.fork.
 *
 * Each becomes the body of a POST /threads/{thread_id}/runs, which is read and checked
 * as if a client had sent it: nothing can be asked for here that cannot be asked for
 * there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/command_priv.h"

#include <stdio.h>

#include "base/hmac.h"
#include "base/scan.h"

/* What every run of the protocol is. */
#define PROTOCOL_RUN "'stream_subgraphs':true,'stream_resumable':true,'stream_mode':" \
	"['values','updates','messages','messages-tuple','tools','custom','tasks'," \
	"'checkpoints','lifecycle']"

/* ---- what a run of the protocol does not take ---------------------------------------- */

/* Fields that POST /threads/{thread_id}/runs takes and the protocol does not.  Unknown fields
 * are ignored, but of these a client expects an effect.  instead: what to do; NULL:
 * nothing replaces it. */
static const struct { const char *name, *instead; } elsewhere[] = {
	{ "command", "answer questions with input.respond" },
	{ "checkpoint", "send config.configurable.checkpoint_id" },
	{ "checkpoint_id", "send config.configurable.checkpoint_id" },
	{ "forkFrom", "send config.configurable.checkpoint_id" },
	{ "context", "send config.configurable" },
	{ "webhook", NULL }, { "interrupt_before", NULL }, { "interrupt_after", NULL },
	{ "after_seconds", NULL }, { "durability", NULL }, { "on_disconnect", NULL },
};

/* True: x was refused. */
static bool
refuse_elsewhere(struct command *x)
{
	jnode params = x->params.node;

	for (size_t i = 0; i < COUNT(elsewhere); i++) {
		const char *instead = elsewhere[i].instead;

		if (json_is_null(json_get(params, str_of(elsewhere[i].name))) ||
		    (x->method->run == command_state_fork &&
		    str_eq(str_of(elsewhere[i].name), S("checkpoint_id"))))
			continue;
		command_refuse(x, COMMAND_NOT_SUPPORTED, "%s: %s does not take it; %s",
		    elsewhere[i].name, x->method->name, instead != NULL ? instead :
		    "POST /threads/{thread_id}/runs does");
		return true;
	}
	return false;
}

/* ---- starting ---------------------------------------------------------------------- */

static int start_input(struct command *x, bool there, const struct uuid *question);

static void
created(void *ctx, int rc, const struct store_run *run, const struct err *e)
{
	struct command *x = ctx;

	if (rc == ERR_CONFLICT && x->answers) {
		/* Another run was first: what it answered waits no more. */
		rc = start_input(x, true, NULL);
		if (rc < 0)
			call_fail(&x->c, rc, &x->c.err);
		return;
	}
	if (rc == ERR_CONFLICT && x->questions_n > 0) {
		command_refuse(x, COMMAND_NO_SUCH_INTERRUPT, "interrupt_id: another answer "
		    "was first");
		return;
	}
	if (rc < 0) {
		call_fail(&x->c, rc, e);
		return;
	}
	x->add_result(command_result(x), run);
	command_answer(x);
}

/* x->body is the request's. */
static int
start(struct command *x)
{
	struct json_doc doc = { 0 };
	struct call *c = &x->c;
	struct run_ask ask;
	struct fields in;
	int rc;

	if (x->body.failed)
		return err_set(&c->err, ERR_TOOBIG, "params: too large");
	x->r.body = buf_str(&x->body);
	rc = json_parse(&doc, x->r.body, &c->err);
	fields_open(&in, doc.root, "params", &c->err);
	c->in = &in;
	x->missing = COMMAND_NO_SUCH_CHECKPOINT;
	if (rc == OK)
		rc = call_read_run(c, &ask);
	if (rc == OK) {
		x->missing = COMMAND_NO_SUCH_RUN;
		ask.q.questions = x->questions;
		ask.q.questions_n = x->questions_n;
		rc = run_start(c->api->runs, &ask.q, NULL, created, x, &c->err);
	}
	c->in = NULL;
	json_release(&doc);
	return rc;
}

static void
add_run_id(struct buf *b, const struct store_run *run)
{
	json_add_fmt(b, "{");
	show_id(b, "run_id", &run->id);
	buf_add_char(b, '}');
}

static void
add_run_and_thread(struct buf *b, const struct store_run *run)
{
	json_add_fmt(b, "{");
	show_id(b, "run_id", &run->id);
	show_id(b, "thread_id", &run->thread_id);
	buf_add_char(b, '}');
}

static void
add_nothing(struct buf *b, const struct store_run *run)
{
	(void)run;
	buf_lit(b, "{}");
}

/* ---- what waits ---------------------------------------------------------------------- */

/* Questions of a thread; answered ones are those of the run under way. */
struct questions {
	struct store_interrupt *at;
	size_t n;
	bool open;                           /* the thread is at rest: they can be answered */
};

static int
questions_get(struct call *c, const struct store_thread *t, struct questions *q)
{
	q->open = t->status != THREAD_BUSY;
	return store_interrupts_get(c->api->reader, c->owner, t->seq, &c->r->arena, &q->at,
	    &q->n);
}

/* One that waits; NULL: none does. */
static const struct store_interrupt *
question_waits(const struct questions *q)
{
	for (size_t i = 0; q->open && i < q->n; i++)
		if (q->at[i].state == INTERRUPT_WAITING)
			return &q->at[i];
	return NULL;
}

/* As ids of questions are written. */
static bool
is_hex(struct str id)
{
	struct uuid u;

	return hex_decode(id, u.b, sizeof u.b);
}

static const struct store_interrupt *
question_find(const struct questions *q, struct str hex)
{
	struct uuid id;

	for (size_t i = 0; hex_decode(hex, id.b, sizeof id.b) && i < q->n; i++)
		if (uuid_eq(&q->at[i].id, &id))
			return &q->at[i];
	return NULL;
}

/* ---- run.start ------------------------------------------------------------------------- */

/* Clients send the strategy under both names; older ones under the first. */
static int
read_strategy(struct command *x)
{
	struct fields *in = x->c.in;

	x->strategy = MULTITASK_ENQUEUE;
	fields_enum(in, "multitaskStrategy", multitask_names, &x->strategy);
	fields_enum(in, "multitask_strategy", multitask_names, &x->strategy);
	return in->rc;
}

/* A thread has one assistant: its clients know it by that. */
static int
check_bound(struct call *c, const struct store_thread *t, const struct uuid *assistant)
{
	struct str bound = scan_find(t->metadata_json, S("assistant_id"));
	struct uuid id;

	if (bound.n < 2 || !uuid_parse(str_sub(bound, 1, bound.n - 2), &id) ||
	    uuid_eq(&id, assistant))
		return OK;
	return err_set(&c->err, ERR_INVALID, "assistant_id: the thread is bound to the "
	    "assistant %.*s; run that, or take another thread",
	    FMT(str_sub(bound, 1, bound.n - 2)));
}

/* An assistant that is not there is a wrong argument: ERR_NOTFOUND is of threads. */
static int
check_assistant(struct call *c, struct store_assistant *a)
{
	struct str id = STR_NONE;
	int rc;

	fields_need_str(c->in, "assistant_id", LIMIT_NAME_BYTES,
	    "an assistant's or a graph's id", &id);
	if (c->in->rc < 0)
		return c->in->rc;
	rc = api_assistant_find(c, id, a);
	return rc != ERR_NOTFOUND ? rc : err_set(&c->err, ERR_INVALID, "assistant_id: no "
	    "assistant or graph has the id \"%.*s\"", FMT(param_shown(id)));
}

/* question: it waits, so the input is an answer; NULL: it is input. */
static int
start_input(struct command *x, bool there, const struct uuid *question)
{
	jnode params = x->params.node, input = json_get(params, S("input"));

	x->answers = question != NULL;
	x->questions = question;
	x->questions_n = question != NULL;
	buf_clear(&x->body);
	json_add_fmt(&x->body, "{" PROTOCOL_RUN ",'if_not_exists':%s,'assistant_id':%p,"
	    "'config':%p,'metadata':%p,'langsmith_tracer':%p,",
	    there ? "reject" : "create", (void *)json_get(params, S("assistant_id")),
	    (void *)json_get(params, S("config")), (void *)json_get(params, S("metadata")),
	    (void *)json_get(params, S("langsmith_tracer")));
	json_add_fmt(&x->body, x->answers ? "'input':null,'command':{'resume':%p}," :
	    "'input':%p,", (void *)input);
	json_add_fmt(&x->body, "'multitask_strategy':%s}",
	    multitask_names[x->answers ? MULTITASK_REJECT : x->strategy]);
	return start(x);
}

int
command_run_start(struct command *x)
{
	struct call *c = &x->c;
	struct questions q = { .n = 0 };
	const struct store_interrupt *asked;
	struct store_assistant a;
	struct store_thread t;
	bool there;
	int rc;

	if (refuse_elsewhere(x))
		return OK;
	rc = check_assistant(c, &a);
	if (rc == OK)
		rc = read_strategy(x);
	if (rc < 0)
		return rc;
	rc = api_thread_find(c, &t);
	there = rc == OK;
	if (there)
		rc = check_bound(c, &t, &a.id);
	if (rc == OK && !json_is_null(json_get(x->params.node, S("input"))))
		rc = questions_get(c, &t, &q);
	if (rc < 0 && rc != ERR_NOTFOUND)
		return rc;
	x->add_result = add_run_id;
	asked = question_waits(&q);
	return start_input(x, there, asked != NULL ? &asked->id : NULL);
}

/* ---- input.respond ------------------------------------------------------------------------ */

/* The answers, and the questions that they are for. */
struct answers {
	struct command *x;
	struct questions q;
	struct buf resume;                   /* {id: answer} */
	struct uuid *ids;                    /* of those that wait */
	size_t ids_n;
	size_t n;
	bool strict;
};

/* strict: the run itself refuses an id that nothing waits for. */
static void
answer_check(struct answers *a, const char *path, struct str id)
{
	const struct store_interrupt *i = question_find(&a->q, id);
	bool waits = question_waits(&a->q) != NULL;
	struct call *c = &a->x->c;

	if (waits && i != NULL && i->state == INTERRUPT_WAITING)
		a->ids[a->ids_n++] = i->id;
	if (waits && (i != NULL ? i->state == INTERRUPT_WAITING : a->strict && is_hex(id)))
		return;
	a->x->missing = COMMAND_NO_SUCH_INTERRUPT;
	if (i != NULL && i->state == INTERRUPT_WAITING)
		fields_fail(c->in, path, ERR_NOTFOUND, "\"%.*s\" cannot be answered while a run "
		    "of the thread is under way; answer when the thread is interrupted",
		    FMT(param_shown(id)));
	else if (i != NULL)
		fields_fail(c->in, path, ERR_NOTFOUND, "\"%.*s\" has been answered",
		    FMT(param_shown(id)));
	else if (waits)
		fields_fail(c->in, path, ERR_NOTFOUND, "nothing waits for an answer to "
		    "\"%.*s\"", FMT(param_shown(id)));
	else if (c->in->rc == OK)
		c->in->rc = err_set(&c->err, ERR_INVALID, "input.respond can only be used "
		    "while the thread is interrupted and waits for an answer");
}

static void
answer_read(struct answers *a, const char *place, jnode entry)
{
	jnode id = json_get(entry, S("interrupt_id")), said = json_get(entry, S("response"));
	jnode ns = json_get(entry, S("namespace"));
	struct fields *in = a->x->c.in;
	char path[64];

	snprintf(path, sizeof path, "%snamespace", place);
	if (!json_is_null(ns))
		words_read(&a->x->c, path, ns, LIMIT_NAMESPACE_SEGMENTS);
	snprintf(path, sizeof path, "%sresponse", place);
	if (said == NULL)
		fields_fail(in, path, ERR_INVALID, "expected an answer, got nothing");
	snprintf(path, sizeof path, "%sinterrupt_id", place);
	if (!json_is_string(id))
		fields_fail(in, path, ERR_INVALID, "expected an interrupt's id, got %s",
		    id == NULL ? "nothing" : json_kind(id));
	if (in->rc == OK)
		answer_check(a, path, json_str(id));
	json_add_fmt(&a->resume, ",%.*s:%p", FMT(json_str(id)), (void *)said);
	a->n++;
}

static void
answers_read(struct answers *a, jnode params)
{
	jnode list = json_get(params, S("responses"));
	struct json_iter it = json_each(list);
	struct fields *in = a->x->c.in;
	char place[32];

	if (json_is_null(list)) {
		answer_read(a, "", params);
		return;
	}
	if (!json_is_array(list) || json_count(list) == 0 ||
	    json_count(list) > LIMIT_PAGE_ROWS)
		fields_fail(in, "responses", ERR_INVALID, "expected an array of at least one "
		    "{namespace, interrupt_id, response} and at most %d, got %s",
		    LIMIT_PAGE_ROWS, !json_is_array(list) ? json_kind(list) :
		    json_count(list) == 0 ? "an empty one" : "a longer one");
	if (json_get(params, S("interrupt_id")) != NULL)
		fields_fail(in, "interrupt_id", ERR_INVALID, "not together with responses");
	while (in->rc == OK && json_next(&it)) {
		snprintf(place, sizeof place, "responses[%zu].", a->n);
		if (!json_is_object(it.value))
			words_fail(&a->x->c, "responses", a->n, "expected an object, got %s",
			    json_kind(it.value));
		else
			answer_read(a, place, it.value);
	}
}

/* Two clients may answer at once: who is first is seen when the run is made. */
static void
add_responding(struct command *x, struct str assistant, struct str resume, bool strict)
{
	jnode params = x->params.node;

	json_add_fmt(&x->body, "{" PROTOCOL_RUN ",'multitask_strategy':'reject',"
	    "'assistant_id':%-.*s,'input':null,'command':{'resume':%-.*s,'update':%p,"
	    "'goto':%p},'config':%p,'metadata':%p,'strict_resume':%hhd}", FMT(assistant),
	    FMT(resume), (void *)json_get(params, S("update")),
	    (void *)json_get(params, S("goto")), (void *)json_get(params, S("config")),
	    (void *)json_get(params, S("metadata")), strict);
}

int
command_input_respond(struct command *x)
{
	struct answers a = { .x = x, .resume = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES) };
	struct call *c = &x->c;
	struct store_thread t;
	int rc;

	if (refuse_elsewhere(x))
		return OK;
	rc = command_thread(x, &t);
	if (rc < 0)
		return rc;
	a.ids = arena_alloc(&c->r->arena, (LIMIT_PAGE_ROWS + 1) * sizeof *a.ids);
	fields_bool(c->in, "strict_resume", &a.strict);
	rc = questions_get(c, &t, &a.q);
	if (rc == OK)
		rc = arena_rc(&c->r->arena);
	if (rc < 0)
		return rc;
	buf_add_char(&a.resume, '{');
	answers_read(&a, x->params.node);
	buf_add_char(&a.resume, '}');
	rc = c->in->rc;
	if (rc == OK)
		add_responding(x, scan_find(t.metadata_json, S("assistant_id")),
		    buf_str(&a.resume), a.strict);
	buf_release(&a.resume);
	x->questions = a.ids;
	x->questions_n = a.ids_n;
	x->add_result = add_nothing;
	return rc == OK ? start(x) : rc;
}

/* ---- state.fork ------------------------------------------------------------------------------ */

int
command_state_fork(struct command *x)
{
	jnode params = x->params.node;
	struct call *c = &x->c;
	struct str id = STR_NONE;
	struct store_thread t;
	int rc;

	if (refuse_elsewhere(x))
		return OK;
	rc = command_thread(x, &t);
	if (rc < 0)
		return rc;
	fields_need_str(c->in, "checkpoint_id", LIMIT_NAME_BYTES,
	    "a checkpoint's id, a UUID", &id);
	if (c->in->rc < 0)
		return c->in->rc;
	json_add_fmt(&x->body, "{" PROTOCOL_RUN ",'multitask_strategy':'enqueue',"
	    "'assistant_id':%-.*s,'checkpoint_id':%.*s,'input':%p,'config':%p}",
	    FMT(scan_find(t.metadata_json, S("assistant_id"))), FMT(id),
	    (void *)json_get(params, S("input")), (void *)json_get(params, S("config")));
	x->add_result = add_run_and_thread;
	return start(x);
}
