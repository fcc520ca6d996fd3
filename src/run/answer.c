/*
 * answer.c - models' answers on the classic wire: several may stream at once,
 * each with its own place.
 *
 * An answer's texts are prepared at its first delta that somebody reads; for
 * mode messages, which shows all that came, at its first delta.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/classic_priv.h"

#include "base/mem.h"
#include "run/chunk_priv.h"

struct classic_answer {
	struct classic_answer *next;
	uint32_t stream;
	char *id, *model;
	struct frame_place at;               /* of these */
	char *node, *task_ns;
	struct classic_place place;
	struct chunks chunks;
};

static struct classic_answer *
find(const struct classic *c, uint32_t stream)
{
	struct classic_answer *a = c->answers;

	while (a != NULL && a->stream != stream)
		a = a->next;
	return a;
}

static void
start(struct classic *c, struct classic_answer *a, const struct run_event *ev)
{
	const struct event_model *m = &ev->u.model;
	char call[UUID_TEXT];
	struct chunk_spec s = { .provider = m->provider, .model = m->model,
	    .modes = c->stream->modes, .call = { call, UUID_TEXT },
	    .metadata = m->metadata };

	*a = (struct classic_answer){ .stream = m->stream, .id = mem_cstr(m->id),
	    .model = mem_cstr(m->model), .node = mem_cstr(ev->task->name),
	    .task_ns = mem_cstr(ev->task->ns) };
	uuid_format(&m->call, call);
	classic_place_open(&a->place, c, ev);
	a->at = a->place.at;
	a->at.node = str_of(a->node);
	a->at.task_ns = str_of(a->task_ns);
	s.id = str_of(a->id);
	s.at = a->at;
	s.ns = c->run.subgraphs ? a->at.task_ns : STR_NONE;
	chunks_init(&a->chunks, &s);
}

static void
stop(struct classic_answer *a)
{
	chunks_release(&a->chunks);
	classic_place_close(&a->place);
	free(a->id);
	free(a->model);
	free(a->node);
	free(a->task_ns);
}

static struct classic_answer *
answer(struct classic *c, const struct run_event *ev)
{
	struct classic_answer *a = find(c, ev->u.model.stream);

	if (a == NULL) {
		a = mem_new(struct classic_answer);
		start(c, a, ev);
		a->next = c->answers;
		c->answers = a;
	}
	return a;
}

static void
forget(struct classic *c, struct classic_answer *a)
{
	struct classic_answer **at = &c->answers;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	stop(a);
	free(a);
}

void
classic_answers_release(struct classic *c)
{
	while (c->answers != NULL)
		forget(c, c->answers);
}

/* ---- deltas ---------------------------------------------------------------- */

bool
classic_wants_deltas(const struct classic *c)
{
	const unsigned modes = MODE_MESSAGES_TUPLE | MODE_MESSAGES | MODE_EVENTS;
	const struct stream *s = c->stream;

	return (s->modes & modes) != 0 && (s->keeps || (s->reading & s->modes & modes) != 0);
}

static void
whole_so_far(struct classic *c, const struct run_event *ev)
{
	const struct llm_delta *d = ev->u.model.delta;
	struct classic_answer *a = answer(c, ev);
	struct stream *s = c->stream;

	chunk_collect(&a->chunks, d);
	if (d->kind == LLM_DELTA_START && classic_wanted(c, MODE_MESSAGES, ev))
		stream_send(s, MODE_MESSAGES, chunk_metadata(&a->chunks, &a->at,
		    str_of(a->model), stream_id(s)));
	if (classic_wanted(c, MODE_MESSAGES, ev))
		stream_send(s, MODE_MESSAGES, chunk_partial(&a->chunks, stream_id(s)));
}

/* A worker's message is shown as it came, whatever deltas it is here. */
static bool
has_come(const struct run_event *ev)
{
	const struct event_model *m = &ev->u.model;

	return m->metadata.kind != VAL_UNDEFINED && m->delta->piece.p == NULL;
}

/* Pieces without text begin and end what a model says; what a file says
 * (task/llm_script.c) has none. */
static bool
is_empty_of_file(const struct run_event *ev)
{
	const struct event_model *m = &ev->u.model;

	return (m->delta->kind == LLM_DELTA_START || m->delta->kind == LLM_DELTA_FINISH) &&
	    str_eq(m->provider, S("scripted")) && str_eq(m->model, S("reply"));
}

void
classic_delta(struct classic *c, const struct run_event *ev)
{
	const struct llm_delta *d = ev->u.model.delta;
	struct stream *s = c->stream;
	bool shown = ev->ns.n == 0 || c->run.subgraphs;
	struct classic_answer *a;

	if (!has_come(ev) && classic_wanted(c, MODE_MESSAGES_TUPLE, ev) &&
	    !is_empty_of_file(ev)) {
		a = answer(c, ev);
		stream_send(s, MODE_MESSAGES_TUPLE,
		    chunk_frame(&a->chunks, &a->chunks.tuple, d, stream_id(s)));
	}
	if (shown && (s->modes & MODE_MESSAGES) != 0)
		whole_so_far(c, ev);
	if (!has_come(ev) && classic_wanted(c, MODE_EVENTS, ev)) {
		a = answer(c, ev);
		stream_send(s, MODE_EVENTS,
		    chunk_frame(&a->chunks, &a->chunks.events, d, stream_id(s)));
	}
}

void
classic_model_end(struct classic *c, const struct run_event *ev)
{
	struct classic_answer *a = find(c, ev->u.model.stream);

	classic_model_answers(c, ev);
	if (a != NULL)
		forget(c, a);
}

/* ---- after a crash ---------------------------------------------------------- */

/* Clients that collect chunks by id hold the beginning of a message that never
 * came to be; a message of type remove takes it out of their lists, and makes
 * what follows under the same id begin anew. */
static void
add_removal(struct buf *b, struct str id)
{
	json_add_fmt(b, "[{'content':'','additional_kwargs':{},'response_metadata':{},"
	    "'id':%.*s,'type':'remove'}", FMT(id));
}

void
classic_retract(struct classic *c, const struct run_event *ev)
{
	const struct event_model *m = &ev->u.model;
	struct classic_place p;
	struct buf b;

	if (classic_wanted(c, MODE_MESSAGES_TUPLE, ev)) {
		b = classic_data();
		classic_place_open(&p, c, ev);
		add_removal(&b, m->id);
		buf_add_char(&b, ',');
		frame_add_model_metadata(&b, &p.at, m->provider, m->model, true);
		buf_add_char(&b, ']');
		classic_place_close(&p);
		classic_send(c, MODE_MESSAGES_TUPLE, "messages", ev->task->ns, &b);
	}
	if (classic_wanted(c, MODE_MESSAGES, ev)) {
		b = classic_data();
		add_removal(&b, m->id);
		buf_add_char(&b, ']');
		classic_send(c, MODE_MESSAGES, "messages/partial", ev->task->ns, &b);
	}
}
