/*
 * hosted_message.c - messages that a worker's graph streams: [message, metadata].
 *
 * A piece of one (AIMessageChunk) becomes deltas, the first of which carries the piece as
 * it came, which the classic wire shows; other wires show the deltas.  A message ends with
 * its task: its whole is then in what the task gave, or is put together here.
 *
 * Messages are void if the lease is lost before the task's writes are saved, because the task
 * then sends them again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/hosted_priv.h"
#include "state/message.h"

/* ---- what was said -------------------------------------------------------------------- */

static void
said_free(struct hosted *h, struct hosted_said *s)
{
	struct hosted_said **at = &h->said;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	h->said_n--;
	hosted_task_drop(s->task);
	val_drop(s->shown.metadata);
	buf_release(&s->text);
	buf_release(&s->usage);
	buf_release(&s->response);
	free(s->id);
	free(s->provider);
	free(s->model);
	free(s);
}

void
hosted_said_free(struct hosted *h)
{
	while (h->said != NULL)
		said_free(h, h->said);
}

static struct hosted_said *
said_find(const struct hosted *h, struct str id)
{
	struct hosted_said *s = h->said;

	while (s != NULL && !str_eq(str_of(s->id), id))
		s = s->next;
	return s;
}

/* Its task, or one above it, is saved. */
static bool
is_of(const struct hosted_said *s, struct str task)
{
	char own[UUID_TEXT];

	uuid_format(&s->task->shown.id, own);
	return str_eq((struct str){ own, UUID_TEXT }, task) ||
	    (task.n == UUID_TEXT && str_contains(str_of(s->task->ns), task));
}

static bool
is_below(const struct hosted_said *s, struct str ns)
{
	struct str own = str_of(s->task->ns);

	return ns.n == 0 || (str_starts(own, ns) && own.n > ns.n && own.p[ns.n] == '|');
}

void
hosted_said_saved(struct hosted *h, const struct changes *x)
{
	struct hosted_said *s = h->said, *next;

	for (; s != NULL; s = next) {
		bool saved = false;

		next = s->next;
		for (size_t i = 0; s->ended && !saved && i < x->saver_writes_n; i++)
			saved = is_of(s, x->saver_writes[i].task);
		for (size_t i = 0; s->ended && !saved && i < x->saver_puts_n; i++)
			saved = is_below(s, x->saver_puts[i].ns);
		if (saved)
			said_free(h, s);
	}
}

static struct run_event
said_event(const struct hosted *h, const struct hosted_said *s, enum event_kind kind)
{
	const struct hosted_task *t = s->task;
	struct str ns = str_of(t->ns);
	struct run_event ev = { .kind = kind, .step = s->step, .task = &t->shown };

	while (ns.n > 0 && ns.p[ns.n - 1] != '|')
		ns.n--;
	ev.ns = str_sub(ns, 0, ns.n > 0 ? ns.n - 1 : 0);
	if (t->graph != NULL)
		ev.checkpoint = hosted_event(h, t->graph, kind).checkpoint;
	ev.u.model = s->shown;
	return ev;
}

void
hosted_retract(struct hosted *h)
{
	while (h->said != NULL) {
		struct run_event ev = said_event(h, h->said, EVENT_RETRACT);

		job_tell_event(h->job, &ev);
		said_free(h, h->said);
	}
}

/* ---- where ------------------------------------------------------------------------------ */

/* The task with that namespace of its own: "graph|name:id", maybe with numbers behind it
 * (the task's further graphs).  NULL: it is none, or there are too many. */
static struct hosted_task *
task_of(struct hosted *h, struct str own)
{
	struct str up = own, name;
	struct hosted_graph *g;
	struct hosted_task *t;
	struct uuid id;

	for (;;) {
		while (up.n > 0 && up.p[up.n - 1] != '|')
			up.n--;
		name = str_sub(own, up.n, own.n);
		up.n -= up.n > 0;
		if (name.n > UUID_TEXT && name.p[name.n - UUID_TEXT - 1] == ':' &&
		    uuid_parse(str_sub(name, name.n - UUID_TEXT, UUID_TEXT), &id))
			break;
		if (up.n == 0)
			return NULL;
		own = up;
	}
	name.n -= UUID_TEXT + 1;
	g = hosted_graph(h, up);
	for (t = g != NULL ? g->tasks : NULL; t != NULL; t = t->next)
		if (uuid_eq(&t->shown.id, &id))
			return t;
	t = g != NULL ? hosted_task_new(g, name, &id) : NULL;
	if (t != NULL)
		t->told = true;              /* without an event of its begin */
	return t;
}

static struct hosted_task *
place_of(struct hosted *h, struct str ns, jnode metadata)
{
	jnode own = json_get(metadata, S("langgraph_checkpoint_ns"));
	struct hosted_task *t = task_of(h, json_is_string(own) ? json_str(own) : ns);

	if (t == NULL)
		return NULL;
	if (t->shown.triggers.kind == VAL_UNDEFINED)
		t->shown.triggers = hosted_val(json_get(metadata, S("langgraph_triggers")));
	if (t->shown.path.kind == VAL_UNDEFINED)
		t->shown.path = hosted_val(json_get(metadata, S("langgraph_path")));
	return t;
}

/* ---- a message begins ----------------------------------------------------------------------- */

/* What the task had said in an attempt before a crash of the server. */
static void
retract_past(struct hosted *h, const struct hosted_said *s)
{
	struct tape_past *past = h->job->past;

	for (size_t i = 0; past != NULL && i < past->n; i++) {
		struct tape_message *m = &past->messages[i];
		struct run_event ev = said_event(h, s, EVENT_RETRACT);

		if (m->told || !uuid_eq(&m->task.id, &s->task->shown.id))
			continue;
		m->told = true;
		ev.u.model = m->ev.u.model;
		job_tell_event(h->job, &ev);
	}
}

static void
make_room(struct hosted *h)
{
	struct hosted_said *last = NULL;

	if (h->said_n < LIMIT_HOSTED_SAID)
		return;
	for (struct hosted_said *s = h->said; s != NULL; s = s->next)
		last = s->ended || last == NULL ? s : last;
	said_free(h, last);
}

static struct hosted_said *
said_new(struct hosted *h, struct hosted_task *t, struct str id, jnode metadata)
{
	struct hosted_said *s = mem_new(struct hosted_said);
	jnode step = json_get(metadata, S("langgraph_step"));

	make_room(h);
	t->refs++;
	s->task = t;
	s->id = mem_cstr(id);
	s->provider = mem_cstr(json_str(json_get(metadata, S("ls_provider"))));
	s->model = mem_cstr(json_str(json_get(metadata, S("ls_model_name"))));
	s->step = json_is_int(step) ? (int)json_int(step) :
	    t->graph != NULL ? t->graph->step + 1 : 0;
	s->text = s->usage = s->response = BUF(LIMIT_LLM_BODY_BYTES);
	s->shown = (struct event_model){ .provider = str_of(s->provider),
	    .model = str_of(s->model), .id = str_of(s->id),
	    .metadata = json_is_object(metadata) ? hosted_val(metadata) : val_object_empty() };
	s->next = h->said;
	h->said = s;
	h->said_n++;
	return s;
}

static struct hosted_said *
begin(struct hosted *h, struct hosted_task *t, struct str id, jnode metadata)
{
	struct hosted_said *s = said_new(h, t, id, metadata);
	struct run_event ev;

	s->shown.stream = ++h->job->streams;
	if ((h->job->plan->modes & MODE_EVENTS) != 0)
		s->shown.call = uuid_v7();
	retract_past(h, s);
	ev = said_event(h, s, EVENT_MODEL_START);
	job_tell_event(h->job, &ev);
	return s;
}

/* ---- its pieces ------------------------------------------------------------------------------- */

struct piece {
	struct hosted *h;
	struct hosted_said *said;
	struct str json;                     /* told with the first delta */
};

static void
tell_delta(struct piece *p, struct llm_delta d)
{
	struct run_event ev = said_event(p->h, p->said, EVENT_DELTA);

	d.id = str_of(p->said->id);
	d.piece = p->json;
	p->json = STR_NONE;
	ev.u.model.delta = &d;
	job_tell_event(p->h->job, &ev);
}

static void
tell_text(struct piece *p, int kind, struct str text)
{
	struct buf raw = BUF(LIMIT_LLM_BODY_BYTES);

	if (text.n == 0)
		return;
	json_add_escaped(&raw, text);
	if (kind == LLM_DELTA_TEXT)
		buf_add(&p->said->text, buf_str(&raw));
	tell_delta(p, (struct llm_delta){ .kind = kind, .text_raw = buf_str(&raw) });
	buf_release(&raw);
}

/* A content that is made of parts. */
static void
tell_part(struct piece *p, jnode part)
{
	struct str type = json_str(json_get(part, S("type")));

	if (str_eq(type, S("text")) || str_eq(type, S("text_delta")))
		tell_text(p, LLM_DELTA_TEXT, json_str(json_get(part, S("text"))));
	else if (str_eq(type, S("reasoning")))
		tell_text(p, LLM_DELTA_REASONING, json_str(json_get(part, S("reasoning"))));
	else if (str_eq(type, S("thinking")))
		tell_text(p, LLM_DELTA_REASONING, json_str(json_get(part, S("thinking"))));
}

static void
tell_call(struct piece *p, jnode call)
{
	jnode id = json_get(call, S("id")), name = json_get(call, S("name"));
	jnode args = json_get(call, S("args")), index = json_get(call, S("index"));
	struct buf raw[3] = { BUF(LIMIT_LLM_BODY_BYTES), BUF(LIMIT_LLM_BODY_BYTES),
	    BUF(LIMIT_LLM_BODY_BYTES) };
	struct llm_delta d = { .kind = LLM_DELTA_TOOL,
	    .index = json_is_int(index) ? json_int(index) : 0 };

	json_add_escaped(&raw[0], json_str(id));
	json_add_escaped(&raw[1], json_str(name));
	json_add_escaped(&raw[2], json_str(args));
	if (json_is_string(id))
		d.id_raw = buf_str(&raw[0]);
	if (json_is_string(name))
		d.name_raw = buf_str(&raw[1]);
	if (json_is_string(args))
		d.args_raw = buf_str(&raw[2]);
	tell_delta(p, d);
	for (size_t i = 0; i < COUNT(raw); i++)
		buf_release(&raw[i]);
}

/* LangChain's counts as OpenAI has them, which deltas are made of. */
static void
tell_usage(struct piece *p, jnode usage)
{
	struct buf b = BUF(LIMIT_METADATA_BYTES);

	if (!json_is_object(usage))
		return;
	buf_clear(&p->said->usage);
	json_add_node(&p->said->usage, usage);
	json_add_fmt(&b, "{'prompt_tokens':%lld,'completion_tokens':%lld,'total_tokens':%lld}",
	    (long long)json_int(json_get(usage, S("input_tokens"))),
	    (long long)json_int(json_get(usage, S("output_tokens"))),
	    (long long)json_int(json_get(usage, S("total_tokens"))));
	tell_delta(p, (struct llm_delta){ .kind = LLM_DELTA_USAGE, .usage_raw = buf_str(&b) });
	buf_release(&b);
}

static void
note_response(struct hosted_said *s, jnode metadata)
{
	if (json_count(metadata) == 0 || (s->response.n > 0 &&
	    json_get(metadata, S("finish_reason")) == NULL &&
	    json_get(metadata, S("stop_reason")) == NULL))
		return;
	buf_clear(&s->response);
	json_add_node(&s->response, metadata);
}

static void
tell_piece(struct piece *p, jnode message)
{
	jnode content = json_get(message, S("content"));
	struct json_iter parts = json_each(content);
	struct json_iter calls = json_each(json_get(message, S("tool_call_chunks")));

	tell_text(p, LLM_DELTA_REASONING, json_str(json_get(json_get(message,
	    S("additional_kwargs")), S("reasoning_content"))));
	if (json_is_string(content))
		tell_text(p, LLM_DELTA_TEXT, json_str(content));
	while (json_is_array(content) && json_next(&parts))
		tell_part(p, parts.value);
	while (json_next(&calls))
		tell_call(p, calls.value);
	tell_usage(p, json_get(message, S("usage_metadata")));
	note_response(p->said, json_get(message, S("response_metadata")));
	if (p->json.p != NULL)               /* it says nothing, and is shown */
		tell_delta(p, (struct llm_delta){ .kind = LLM_DELTA_TEXT, .text_raw = S("") });
}

static bool
is_piece(jnode message)
{
	struct str type = json_str(json_get(message, S("type")));

	return str_ends(type, S("Chunk")) || (str_eq(type, S("ai")) &&
	    json_is_array(json_get(message, S("tool_call_chunks"))));
}

/* Python's langgraph names the class of a piece where JavaScript's server, and this one, name
 * the message's type. */
static void
add_piece(struct buf *b, jnode message)
{
	struct json_iter it = json_each(message);

	buf_add_char(b, '{');
	while (json_next(&it)) {
		json_add_comma(b);
		json_add_str(b, json_str(it.key));
		buf_add_char(b, ':');
		if (str_eq(json_str(it.key), S("type")))
			json_add_str(b, S("ai"));
		else
			json_add_node(b, it.value);
	}
	buf_add_char(b, '}');
}

static void
take_piece(struct hosted *h, struct hosted_said *s, jnode message, bool first)
{
	struct buf json = BUF(LIMIT_LLM_BODY_BYTES);
	struct piece p = { h, s, STR_NONE };

	add_piece(&json, message);
	p.json = buf_str(&json);
	if (first)
		tell_delta(&p, (struct llm_delta){ .kind = LLM_DELTA_START });
	tell_piece(&p, message);
	buf_release(&json);
}

/* ---- what it took ------------------------------------------------------------------------------- */

static int64_t
count_of(jnode usage, const char *details, const char *name)
{
	jnode n = json_get(details == NULL ? usage : json_get(usage, str_of(details)),
	    str_of(name));

	return json_is_int(n) && json_int(n) > 0 ? json_int(n) : 0;
}

/* usage: LangChain's. */
static void
bill(struct hosted *h, const struct hosted_said *s, jnode usage)
{
	struct llm_usage u = { .input_tokens = count_of(usage, NULL, "input_tokens"),
	    .output_tokens = count_of(usage, NULL, "output_tokens"),
	    .cached_tokens = count_of(usage, "input_token_details", "cache_read"),
	    .reasoning_tokens = count_of(usage, "output_token_details", "reasoning") };
	struct buf model = BUF(2 * LIMIT_NAME_BYTES);

	if (!json_is_object(usage))
		return;
	buf_add(&model, str_cut(str_of(s->provider), LIMIT_NAME_BYTES - 1));
	buf_add_char(&model, ':');
	buf_add(&model, str_cut(str_of(s->model), LIMIT_NAME_BYTES));
	job_billed(h->job, &u, buf_str(&model));
	buf_release(&model);
}

/* ---- whole ones --------------------------------------------------------------------------------- */

/* A node's message is told from a model's by the first tag of its metadata (api/said.c). */
static struct val
whole_metadata(const struct hosted_said *s, jnode metadata)
{
	struct json_iter tags = json_each(json_get(metadata, S("tags")));
	struct json_iter it = json_each(metadata);
	struct buf b = BUF(LIMIT_STATE_BYTES);
	struct val v;

	buf_add_fmt(&b, "{\"tags\":[\"graph:step:%d\"", s->step);
	while (json_next(&tags))
		if (!str_starts(json_str(tags.value), S("graph:step:")))
			json_add_fmt(&b, ",%p", (void *)tags.value);
	buf_add_char(&b, ']');
	while (json_is_object(metadata) && json_next(&it))
		if (!str_eq(json_str(it.key), S("tags")))
			json_add_fmt(&b, ",%.*s:%p", FMT(json_str(it.key)), (void *)it.value);
	buf_add_char(&b, '}');
	v = b.failed ? val_object_empty() : val_json_trusted(buf_str(&b));
	buf_release(&b);
	return v;
}

static void
tell_whole(struct hosted *h, struct hosted_task *t, jnode message, jnode metadata)
{
	struct hosted_said *s = said_new(h, t, json_str(json_get(message, S("id"))), metadata);
	struct run_event ev = said_event(h, s, EVENT_MESSAGE);

	ev.u.message.message = hosted_val(message);
	ev.u.message.metadata = whole_metadata(s, metadata);
	job_tell_event(h->job, &ev);
	bill(h, s, json_get(message, S("usage_metadata")));
	val_drop(ev.u.message.message);
	val_drop(ev.u.message.metadata);
	said_free(h, s);
}

int
hosted_message(struct hosted *h, struct str ns, jnode data, struct err *e)
{
	jnode message = json_at(data, 0), metadata = json_at(data, 1);
	struct str id = json_str(json_get(message, S("id")));
	struct hosted_said *s = said_find(h, id);
	struct hosted_task *t;
	bool first = s == NULL;

	if (!json_is_object(message))
		return err_set(e, ERR_INVALID, "data: expected [message, metadata], got %s",
		    json_kind(data));
	if (s != NULL && (s->ended || !is_piece(message)))
		return OK;                   /* it was said */
	t = first ? place_of(h, ns, metadata) : s->task;
	if (t == NULL)
		return err_set(e, ERR_INVALID, "ns: a message needs the namespace of its task, "
		    "\"...|node:id\"; or metadata.langgraph_checkpoint_ns");
	if (!is_piece(message)) {
		tell_whole(h, t, message, metadata);
		return OK;
	}
	if (first && !job_id_is_plain(id))
		return err_set(e, ERR_INVALID, "data[0].id: expected a string of 1 to %d plain "
		    "characters", LIMIT_NAME_BYTES);
	if (first)
		s = begin(h, t, id, metadata);
	take_piece(h, s, message, first);
	return OK;
}

/* ---- the end ---------------------------------------------------------------------------------------- */

static struct val
find_in(struct val list, struct str id)
{
	for (size_t i = 0; list.kind == VAL_ARRAY && i < val_count(list); i++)
		if (str_eq(message_id(val_at(list, i)), id))
			return val_ref(val_at(list, i));
	return list.kind == VAL_OBJECT && str_eq(message_id(list), id) ? val_ref(list) :
	    VAL_UNDEF;
}

/* The message among what its task gave; UNDEF: it is not. */
static struct val
find_whole(struct val result, struct str id)
{
	struct val found = VAL_UNDEF;

	for (size_t i = 0; i < val_count(result) && found.kind == VAL_UNDEFINED; i++) {
		struct val part = result.kind == VAL_OBJECT ? val_member(result, i) :
		    val_at(result, i);

		found = find_in(part, id);
		for (size_t k = 0; result.kind == VAL_ARRAY && k < val_count(part) &&
		    found.kind == VAL_UNDEFINED; k++)
			found = find_in(val_member(part, k), id);
	}
	return found;
}

static struct val
put_together(const struct hosted_said *s)
{
	struct buf b = BUF(2 * (size_t)LIMIT_LLM_BODY_BYTES);
	struct val message;

	buf_lit(&b, "{\"content\":\"");
	buf_add(&b, buf_str(&s->text));
	json_add_fmt(&b, "','additional_kwargs':{},'response_metadata':%-.*s,'tool_calls':[],"
	    "'invalid_tool_calls':[],'id':%.*s", FMT(s->response.n > 0 ?
	    buf_str(&s->response) : S("{}")), FMT(str_of(s->id)));
	if (s->usage.n > 0)
		json_add_fmt(&b, ",'usage_metadata':%-.*s", FMT(buf_str(&s->usage)));
	buf_lit(&b, ",\"type\":\"ai\"}");
	message = b.failed ? VAL_UNDEF : val_json_trusted(buf_str(&b));
	buf_release(&b);
	return message;
}

static void
end(struct hosted *h, struct hosted_said *s, struct val result)
{
	struct run_event ev = said_event(h, s, EVENT_MODEL_END);
	struct json_doc usage = { 0 };

	s->ended = true;
	ev.u.model.message = find_whole(result, str_of(s->id));
	if (ev.u.model.message.kind == VAL_UNDEFINED)
		ev.u.model.message = put_together(s);
	job_tell_event(h->job, &ev);
	if (ev.u.model.message.kind != VAL_UNDEFINED) {
		struct note n = hosted_note(h, s->task);

		note_answer(&n, s->shown.stream, str_of(s->model), ev.u.model.message);
	}
	val_drop(ev.u.model.message);
	if (s->usage.n > 0 && json_parse(&usage, buf_str(&s->usage), NULL) == OK)
		bill(h, s, usage.root);
	json_release(&usage);
	buf_release(&s->text);
	buf_release(&s->usage);
	buf_release(&s->response);
}

void
hosted_said_end(struct hosted *h, const struct hosted_task *t, struct val result)
{
	for (struct hosted_said *s = h->said; s != NULL; s = s->next)
		if (!s->ended && (t == NULL || s->task == t))
			end(h, s, result);
}
