/*
 * invoke.c - services that live as long as a state (SCXML 6.4, 6.5).
 *
 * The arguments of an invoke are kept while it runs, so that a restored
 * session can start it again.  Each start has a serial number, because an id
 * may be used again while events of the previous invoke are queued.  It has
 * ended when the host says so (TIE_DONE, TIE_ERROR).
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

const char *const active_names[ACTIVE_VALS] = {
	"id", "type", "src", "params", "content" };

void
active_release(struct active *a)
{
	for (size_t i = 0; i < ACTIVE_VALS; i++)
		val_drop(a->vals[i]);
}

/* Grows from one: most sessions have one. */
void
active_add(struct session *s, struct active a)
{
	if (s->active_n == s->active_cap) {
		s->active_cap = s->active_cap > 0 ? s->active_cap * 2 : 1;
		s->active = mem_resize(s->active, s->active_cap * sizeof a);
	}
	s->active[s->active_n++] = a;
}

void
invoke_effect(struct session *s, const struct active *a)
{
	const struct invoke *from = &s->c->invokes.at[a->invoke];
	struct effect f = { .kind = EFFECT_INVOKE, .data = a->params, .type = val_text(a->type),
		.invokeid = val_str(a->id), .src = val_text(a->src),
		.content = val_text(a->content), .state = from->state,
		.serial = a->serial, .autoforward = from->autoforward };

	if (from->payload.content.kind == CONTENT_CHILD) {
		f.child = s->c->children.at[from->payload.content.at];
		f.content = from->payload.content.text;
	}
	turn_effect(s, &f);
}

/* The id: given, or generated from the state's id and a number (6.4.1). */
static int
make_id(struct session *s, const struct invoke *from, struct active *a, struct err *e)
{
	struct buf b = BUF(2 * LIMIT_NAME_BYTES);

	if (from->id.text.n > 0) {
		a->id = val_string(from->id.text);
		return OK;
	}
	buf_add(&b, s->c->states.at[from->state].id);
	buf_add_fmt(&b, ".%u", ++s->seq);
	a->id = val_string(buf_str(&b));
	buf_release(&b);
	if (from->idlocation == 0)
		return OK;
	return data_assign(s, from->idlocation, false, val_ref(a->id), e);
}

static int
read_text(struct session *s, const struct value *from, struct str otherwise,
    struct val *out, struct err *e)
{
	struct str text;
	int rc = data_text(s, from, out, &text, e);

	if (rc == OK && out->kind == VAL_UNDEFINED && (text.n > 0 || otherwise.n > 0))
		*out = val_string(text.n > 0 ? text : otherwise);
	return rc;
}

/* Inline content: a chart is compiled already, text is passed as written, a
 * computed value other than a string as JSON. */
static int
read_content(struct session *s, const struct content *from, struct val *out,
    struct err *e)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	int rc;

	if (from->kind == CONTENT_CONST)
		*out = val_string(from->text);
	if (from->kind != CONTENT_CODE)
		return OK;
	rc = data_eval(s, from->at, out, e);
	if (rc != OK || out->kind == VAL_STRING)
		return rc;
	val_add_json(&b, *out);
	val_drop(*out);
	*out = val_string(buf_str(&b));
	buf_release(&b);
	return OK;
}

static int
read_invoke(struct session *s, const struct invoke *from, struct active *a, struct err *e)
{
	int rc = make_id(s, from, a, e);

	if (rc == OK)
		rc = read_text(s, &from->type, S(SCXML_TYPE), &a->type, e);
	if (rc == OK)
		rc = read_text(s, &from->src, STR_NONE, &a->src, e);
	if (rc == OK)
		rc = data_params(s, from->payload.params, &a->params, e);
	if (rc == OK)
		rc = read_content(s, &from->payload.content, &a->content, e);
	return rc;
}

static void
start_one(struct session *s, uint32_t invoke)
{
	struct active a = { .invoke = invoke };
	struct err e;
	int rc = read_invoke(s, &s->c->invokes.at[invoke], &a, &e);

	if (rc != OK) {
		turn_error(s, rc, VAL_UNDEF, &e);
		active_release(&a);
		return;
	}
	a.serial = ++s->serial;
	active_add(s, a);
	invoke_effect(s, &a);
}

void
invoke_start(struct session *s, uint32_t state)
{
	struct range r = s->c->states.at[state].invokes;

	assert(bit_get(s->conf, state));
	for (uint32_t i = 0; i < r.n && !s->turn->limit; i++)
		start_one(s, r.first + i);
}

void
invoke_stop(struct session *s, uint32_t state)
{
	size_t kept = 0;

	s->turn->work += s->active_n;
	for (size_t i = 0; i < s->active_n; i++) {
		struct active *a = &s->active[i];
		struct effect f = { .kind = EFFECT_UNINVOKE,
			.invokeid = val_str(a->id), .type = val_text(a->type),
			.serial = a->serial, .state = state };

		if (s->c->invokes.at[a->invoke].state != state) {
			s->active[kept++] = *a;
			continue;
		}
		if (!a->ended)
			turn_effect(s, &f);
		active_release(a);
	}
	s->active_n = kept;
}

/* ---- events from outside ------------------------------------------------- */

/* An empty finalize assigns to the locations of params and namelist (6.5.2). */
static void
finalize_locations(struct session *s, const struct invoke *from)
{
	const struct event *ev = &s->turn->now;

	for (uint32_t i = 0; i < from->payload.params.n; i++) {
		const struct param *p = &s->c->params.at[from->payload.params.first + i];
		struct err e;
		int rc;

		if (p->location == 0 || !val_has(ev->data, p->name))
			continue;
		rc = data_assign(s, p->location, false, val_ref(val_get(ev->data, p->name)), &e);
		if (rc != OK)
			turn_error(s, rc, VAL_UNDEF, &e);
	}
}

static void
from_invoke(struct session *s, struct active *a, bool end)
{
	const struct invoke *from = &s->c->invokes.at[a->invoke];

	if (end) {
		a->ended = true;
		val_drop(a->params);
		val_drop(a->content);
		a->params = a->content = VAL_UNDEF;
	}
	if (from->has_finalize && from->finalize.n == 0)
		finalize_locations(s, from);
	else
		(void)action_run(s, from->finalize);
}

/* An id in the document may be used again, a generated one never is. */
static bool
is_given_id(const struct chart *c, struct str id)
{
	for (size_t i = 0; i < c->invokes.n; i++)
		if (str_eq(c->invokes.at[i].id.text, id))
			return true;
	return false;
}

const struct active *
session_active(const struct session *s, uint32_t serial)
{
	for (size_t i = 0; i < s->active_n; i++)
		if (s->active[i].serial == serial)
			return &s->active[i];
	return NULL;
}

bool
invoke_admits(const struct session *s, const struct chart_event *ev)
{
	const struct active *a = session_active(s, ev->serial);

	if (a != NULL)
		return !a->ended;
	return ev->tie == TIE_DONE && ev->invokeid.n > 0 &&
	    !is_given_id(s->c, ev->invokeid);
}

/* Runs finalize for an event of an invoke, and autoforwards the event. */
void
invoke_event(struct session *s, const struct chart_event *ev)
{
	for (size_t i = 0; i < s->active_n; i++) {
		struct active *a = &s->active[i];
		struct effect f = { .kind = EFFECT_FORWARD, .name = ev->name, .data = ev->data,
			.invokeid = val_str(a->id), .serial = a->serial };

		if (ev->serial == a->serial)
			from_invoke(s, a, ev->tie >= TIE_ERROR);
		if (s->c->invokes.at[a->invoke].autoforward && !a->ended)
			turn_effect(s, &f);
	}
}
