/*
 * snapshot.c - a session as JSON, and back.
 *
 *	{"shape":"00ff...","states":["a"],"data":{"x":1},"unset":["y"],"seq":3,
 *	 "serial":1,"history":{"h":["b"]},"entered":["a"],"params":{},"invokeid":"i",
 *	 "invokes":[{"state":"a","n":0,"serial":1,"id":"a.1","type":"llm","params":{}}],
 *	 "final":"end","over":true}
 *
 * Only active atomic states are written; those around them follow.  "shape"
 * is a hash of the chart's states and invokes: states without an id and
 * invokes go by their place, so a snapshot of a chart that has others by now
 * is refused (ERR_CONFLICT), never guessed at.  What is done in the states
 * may have changed.  _event is not kept: between macrosteps nobody reads it.
 *
 * JSON has no undefined.  A name that has none is in "unset"; a value with
 * one inside has null there, and its place in KEY_undefined:
 * "data":{"x":[null]},"data_undefined":[["x",0]].
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* ---- writing ------------------------------------------------------------- */

static void
add_ids(struct buf *b, const struct chart *c, const uint64_t *set, bool atomic)
{
	uint32_t n = (uint32_t)c->states.n;
	bool first = true;

	buf_add_char(b, '[');
	for (uint32_t i = bit_next(set, 1, n); i < n; i = bit_next(set, i + 1, n)) {
		if (atomic && !is_atomic(&c->states.at[i]))
			continue;
		if (!first)
			buf_add_char(b, ',');
		first = false;
		json_add_str(b, c->states.at[i].id);
	}
	buf_add_char(b, ']');
}

static void
add_unset(struct buf *b, const struct session *s)
{
	bool first = true;

	buf_add_char(b, '[');
	for (uint32_t i = 0; i < s->c->slots.n; i++) {
		if (!bit_get(s->declared, i) || s->slots[i].kind != VAL_UNDEFINED)
			continue;
		if (!first)
			buf_add_char(b, ',');
		first = false;
		json_add_str(b, s->c->slots.at[i]->name);
	}
	buf_add_char(b, ']');
}

static void
add_history(struct buf *b, const struct session *s)
{
	const struct chart *c = s->c;
	bool first = true;

	buf_add_char(b, '{');
	for (uint32_t i = 1; i < c->states.n; i++) {
		const struct state *st = &c->states.at[i];

		if (st->kind != STATE_HISTORY || s->history[st->number] == NULL)
			continue;
		if (!first)
			buf_add_char(b, ',');
		first = false;
		json_add_str(b, st->id);
		buf_add_char(b, ':');
		add_ids(b, c, s->history[st->number], false);
	}
	buf_add_char(b, '}');
}

/* Bounded: values nest no deeper than LIMIT_JSON_DEPTH. */
static bool
has_undefined(struct val v)
{
	bool object = v.kind == VAL_OBJECT;

	if (v.kind == VAL_UNDEFINED)
		return true;
	if (v.kind != VAL_ARRAY && !object)
		return false;
	for (size_t i = 0; i < val_count(v); i++)
		if (has_undefined(object ? val_member(v, i) : val_at(v, i)))
			return true;
	return false;
}

/* The way from the outermost value to one inside. */
struct way {
	const struct way *up;
	struct val of;
	size_t at;
};

static void
add_way(struct buf *b, const struct way *w, bool last)
{
	if (w == NULL)
		return;
	add_way(b, w->up, false);
	if (w->of.kind == VAL_OBJECT)
		json_add_str(b, val_key(w->of, w->at));
	else
		buf_add_u64(b, w->at);
	if (!last)
		buf_add_char(b, ',');
}

/* As val_add_json, but undefined members are null and noted in `ways`. */
static void
add_with_nulls(struct buf *b, struct val v, const struct way *up, struct buf *ways)
{
	bool object = v.kind == VAL_OBJECT;

	if (v.kind == VAL_UNDEFINED) {
		buf_lit(b, "null");
		buf_add_char(ways, ways->n == 0 ? '[' : ',');
		buf_add_char(ways, '[');
		add_way(ways, up, true);
		buf_add_char(ways, ']');
		return;
	}
	if (v.kind != VAL_ARRAY && !object) {
		val_add_json(b, v);
		return;
	}
	buf_add_char(b, object ? '{' : '[');
	for (size_t i = 0; i < val_count(v); i++) {
		const struct way w = { up, v, i };

		if (i > 0)
			buf_add_char(b, ',');
		if (object) {
			json_add_str(b, val_key(v, i));
			buf_add_char(b, ':');
		}
		add_with_nulls(b, object ? val_member(v, i) : val_at(v, i), &w, ways);
	}
	buf_add_char(b, object ? '}' : ']');
}

static void
add_val(struct buf *b, const char *key, struct val v)
{
	struct buf ways = BUF(LIMIT_STATE_BYTES);
	char name[40];

	if (v.kind == VAL_UNDEFINED)
		return;
	json_add_key(b, key);
	if (!has_undefined(v)) {
		val_add_json(b, v);
		return;
	}
	add_with_nulls(b, v, NULL, &ways);
	snprintf(name, sizeof name, "%s_undefined", key);
	json_add_key(b, name);
	buf_add(b, buf_str(&ways));
	buf_add_char(b, ']');
	b->failed = b->failed || ways.failed;
	buf_release(&ways);
}

static struct val
set_data(const struct session *s)
{
	struct val object = val_object_empty();

	for (uint32_t i = 0; i < s->c->slots.n; i++)
		if (bit_get(s->declared, i) && s->slots[i].kind != VAL_UNDEFINED)
			object = val_set_take(object, s->c->slots.at[i]->name,
			    val_ref(s->slots[i]));
	return object;
}

static void
add_invoke(struct buf *b, const struct session *s, const struct active *a)
{
	uint32_t state = s->c->invokes.at[a->invoke].state;

	buf_add_char(b, '{');
	json_add_key(b, "state");
	json_add_str(b, s->c->states.at[state].id);
	json_add_key(b, "n");
	buf_add_u64(b, a->invoke - s->c->states.at[state].invokes.first);
	json_add_key(b, "serial");
	buf_add_u64(b, a->serial);
	add_val(b, "id", a->id);
	add_val(b, "type", a->type);
	add_val(b, "src", a->src);
	add_val(b, "params", a->params);
	add_val(b, "content", a->content);
	if (a->ended)
		buf_lit(b, ",\"ended\":true");
	buf_add_char(b, '}');
}

void
session_save(const struct session *s, struct buf *out)
{
	struct val data = set_data(s);

	buf_add_fmt(out, "{\"shape\":\"%016llx\"", (unsigned long long)s->c->shape);
	json_add_key(out, "states");
	add_ids(out, s->c, s->conf, true);
	add_val(out, "data", data);
	val_drop(data);
	json_add_key(out, "unset");
	add_unset(out, s);
	json_add_key(out, "seq");
	buf_add_u64(out, s->seq);
	json_add_key(out, "serial");
	buf_add_u64(out, s->serial);
	if (s->c->histories > 0) {
		json_add_key(out, "history");
		add_history(out, s);
	}
	if (s->c->late) {
		json_add_key(out, "entered");
		add_ids(out, s->c, s->entered, false);
	}
	add_val(out, "params", s->params);
	add_val(out, "invokeid", s->invokeid);
	if (s->active_n > 0) {
		json_add_key(out, "invokes");
		for (size_t i = 0; i < s->active_n; i++) {
			buf_add_char(out, i == 0 ? '[' : ',');
			add_invoke(out, s, &s->active[i]);
		}
		buf_add_char(out, ']');
	}
	if (s->final != NO_STATE) {
		json_add_key(out, "final");
		json_add_str(out, s->c->states.at[s->final].id);
	}
	if (s->over)
		buf_lit(out, ",\"over\":true");
	buf_add_char(out, '}');
}

/* ---- reading ------------------------------------------------------------- */

static int
misfit(struct err *e, const char *what, struct str name)
{
	return err_set(e, ERR_CONFLICT, "the snapshot does not fit the chart: %s '%.*s'",
	    what, FMT(str_sub(name, 0, 100)));
}

/* Ids into a set; those around them too when `closed`. */
static int
read_ids(const struct chart *c, jnode list, bool closed, uint64_t *set, struct err *e)
{
	struct json_iter it = json_each(list);

	while (json_next(&it)) {
		struct str id = json_str(it.value);
		uint32_t state = chart_find(c, id);

		if (state == NO_STATE)
			return misfit(e, "no state", id);
		for (uint32_t a = state; a != 0; a = closed ? c->states.at[a].parent : 0)
			bit_set(set, a);
	}
	return OK;
}

/* Exactly one child of a compound state and all of a parallel one are active. */
static int
check_configuration(const struct session *s, struct err *e)
{
	const struct chart *c = s->c;

	for (uint32_t i = 0; i < c->states.n; i++) {
		const struct state *st = &c->states.at[i];
		bool one = st->kind == STATE_COMPOUND || st->kind == STATE_ROOT;
		size_t active = 0, children = 0;

		if (i > 0 && !bit_get(s->conf, i))
			continue;
		if (st->kind == STATE_HISTORY)
			return misfit(e, "cannot be active:", st->id);
		for (uint32_t k = i + 1; k <= st->last; k = c->states.at[k].last + 1) {
			children += c->states.at[k].kind != STATE_HISTORY;
			active += bit_get(s->conf, k);
		}
		if (active != (one ? 1 : children))
			return misfit(e, "what is active inside", st->id);
	}
	return OK;
}

/* v (taken) with undefined at the end of a way. */
static int
put_undefined(struct val *v, struct json_iter *way, struct err *e)
{
	struct val inner = VAL_UNDEF;
	int64_t at;
	int rc = OK;

	if (!json_next(way))
		return misfit(e, "no way to", S("undefined"));
	at = json_int(way->value);
	if (v->kind == VAL_OBJECT && val_has(*v, json_str(way->value)))
		inner = val_ref(val_get(*v, json_str(way->value)));
	else if (v->kind == VAL_ARRAY && at >= 0 && (size_t)at < val_count(*v))
		inner = val_ref(val_at(*v, (size_t)at));
	else
		return misfit(e, "no place for", S("undefined"));
	struct json_iter here = *way;

	if (inner.kind == VAL_NULL)
		inner = VAL_UNDEF;
	else
		rc = put_undefined(&inner, way, e);
	if (v->kind == VAL_OBJECT)
		*v = val_set_take(*v, json_str(here.value), inner);
	else
		*v = val_set_at_take(*v, (size_t)at, inner);
	return rc;
}

static int
read_val(jnode o, const char *key, struct val *out, struct err *e)
{
	jnode n = json_get(o, str_of(key));
	struct json_iter it;
	char name[40];
	int rc = OK;

	*out = VAL_UNDEF;
	if (n != NULL)
		rc = json_to_val(n, out, e);
	snprintf(name, sizeof name, "%s_undefined", key);
	it = json_each(json_get(o, str_of(name)));
	while (rc == OK && json_next(&it)) {
		struct json_iter way = json_each(it.value);

		rc = put_undefined(out, &way, e);
	}
	return rc;
}

static int
read_data(struct session *s, jnode root, struct err *e)
{
	struct json_iter it = json_each(json_get(root, S("unset")));
	struct val data;
	int rc = read_val(root, "data", &data, e);

	for (size_t i = 0; rc == OK && data.kind == VAL_OBJECT && i < val_count(data); i++) {
		int slot = chart_slot(s->c, val_key(data, i));

		if (slot < 0) {
			rc = misfit(e, "no data", val_key(data, i));
			break;
		}
		val_drop(s->slots[slot]);
		s->slots[slot] = val_ref(val_member(data, i));
		bit_set(s->declared, (uint32_t)slot);
	}
	val_drop(data);
	if (rc != OK)
		return rc;
	while (json_next(&it)) {
		int slot = chart_slot(s->c, json_str(it.value));

		if (slot < 0)
			return misfit(e, "no data", json_str(it.value));
		bit_set(s->declared, (uint32_t)slot);
	}
	return OK;
}

static int
read_history(struct session *s, jnode root, struct err *e)
{
	const struct chart *c = s->c;
	struct json_iter it = json_each(json_get(root, S("history")));

	while (json_next(&it)) {
		uint32_t h = chart_find(c, json_str(it.key)), n = (uint32_t)c->states.n;
		const struct state *st = h != NO_STATE ? &c->states.at[h] : NULL;
		uint64_t *kept;
		int rc;

		if (st == NULL || st->kind != STATE_HISTORY)
			return misfit(e, "no history", json_str(it.key));
		free(s->history[st->number]);
		kept = mem_zero(c->words * sizeof *kept);
		s->history[st->number] = kept;
		rc = read_ids(c, it.value, false, kept, e);
		if (rc != OK)
			return rc;
		for (uint32_t i = bit_next(kept, 0, n); i < n; i = bit_next(kept, i + 1, n))
			if (!is_descendant(c, i, st->parent) ||
			    c->states.at[i].kind == STATE_HISTORY ||
			    (!st->deep && c->states.at[i].parent != st->parent))
				return misfit(e, "not in the history's state:",
				    c->states.at[i].id);
	}
	return OK;
}

/* They rise in the order of starting.  A snapshot of a version that had none
 * gets some. */
static int
read_serial(struct session *s, jnode n, uint32_t *out, struct err *e)
{
	uint32_t before = s->active_n > 0 ? s->active[s->active_n - 1].serial : 0;
	int64_t given = json_int(n);

	if (n == NULL)
		given = ++s->serial;
	if (given <= before || given > s->serial)
		return misfit(e, "the serial number of", S("an invoke"));
	*out = (uint32_t)given;
	return OK;
}

static int
read_invoke(struct session *s, jnode n, struct err *e)
{
	const struct chart *c = s->c;
	struct str id = json_str(json_get(n, S("state")));
	uint32_t state = chart_find(c, id);
	int64_t at = json_int(json_get(n, S("n")));
	struct active a = { .id = VAL_UNDEF, .type = VAL_UNDEF, .src = VAL_UNDEF,
		.params = VAL_UNDEF, .content = VAL_UNDEF };
	int rc;

	if (state == NO_STATE || !bit_get(s->conf, state) || at < 0 ||
	    at >= c->states.at[state].invokes.n)
		return misfit(e, "no invoke in", id);
	a.invoke = c->states.at[state].invokes.first + (uint32_t)at;
	rc = read_serial(s, json_get(n, S("serial")), &a.serial, e);
	a.ended = json_bool(json_get(n, S("ended")));
	if (rc == OK)
		rc = read_val(n, "id", &a.id, e);
	if (rc == OK)
		rc = read_val(n, "type", &a.type, e);
	if (rc == OK)
		rc = read_val(n, "src", &a.src, e);
	if (rc == OK)
		rc = read_val(n, "params", &a.params, e);
	if (rc == OK)
		rc = read_val(n, "content", &a.content, e);
	if (rc == OK && (a.id.kind != VAL_STRING || a.type.kind != VAL_STRING))
		rc = misfit(e, "an invoke without id or type in", id);
	active_add(s, a);
	return rc;
}

/* Versions before had no shape; then the ids must do. */
static int
check_shape(const struct chart *c, jnode shape, struct err *e)
{
	char want[20];

	snprintf(want, sizeof want, "%016llx", (unsigned long long)c->shape);
	if (shape == NULL || str_eq(json_str(shape), str_of(want)))
		return OK;
	return err_set(e, ERR_CONFLICT, "the snapshot does not fit the chart: its states "
	    "or invokes have changed since");
}

static void
count_finals(struct session *s)
{
	uint32_t n = (uint32_t)s->c->states.n;

	for (uint32_t i = bit_next(s->conf, 1, n); i < n; i = bit_next(s->conf, i + 1, n))
		if (s->c->states.at[i].kind == STATE_FINAL)
			final_restored(s, i);
}

static int
read_session(struct session *s, jnode root, struct err *e)
{
	struct json_iter it;
	jnode final = json_get(root, S("final"));
	int rc = check_shape(s->c, json_get(root, S("shape")), e);

	if (rc == OK)
		rc = read_ids(s->c, json_get(root, S("states")), true, s->conf, e);
	s->over = json_bool(json_get(root, S("over")));
	s->seq = (uint32_t)json_int(json_get(root, S("seq")));
	s->serial = (uint32_t)json_int(json_get(root, S("serial")));
	if (rc == OK && !s->over)
		rc = check_configuration(s, e);
	if (rc == OK)
		count_finals(s);
	if (rc == OK && final != NULL) {
		s->final = chart_find(s->c, json_str(final));
		if (s->final == NO_STATE)
			rc = misfit(e, "no state", json_str(final));
	}
	if (rc == OK)
		rc = read_data(s, root, e);
	if (rc == OK)
		rc = read_history(s, root, e);
	if (rc == OK && s->c->late)
		rc = read_ids(s->c, json_get(root, S("entered")), false, s->entered, e);
	if (rc == OK)
		rc = read_val(root, "params", &s->params, e);
	if (rc == OK)
		rc = read_val(root, "invokeid", &s->invokeid, e);
	it = json_each(json_get(root, S("invokes")));
	while (rc == OK && !s->over && json_next(&it))
		rc = read_invoke(s, it.value, e);
	return rc;
}

/* Starts again what was under way; what cannot be is an error event. */
static int
restart_invokes(struct session *s, const struct effect_sink *sink)
{
	struct turn turn;

	turn_begin(s, &turn, sink);
	for (size_t i = 0; i < s->active_n; i++) {
		struct active *a = &s->active[i];
		struct err e;
		int rc = a->ended ? OK : invoke_effect(s, a);

		if (rc == OK)
			continue;
		a->ended = true;
		err_set(&e, rc, "cannot invoke '%.*s' again", FMT(val_str(a->type)));
		turn_error(s, rc, VAL_UNDEF, &e);
	}
	if (turn.queue_n > 0)
		step_run(s);
	return turn_end(s);
}

int
session_restore(struct session **out, const struct chart *c, struct str id,
    struct str snapshot, const struct effect_sink *sink, struct err *e)
{
	struct json_doc doc;
	struct session *s;
	int rc = json_parse(&doc, snapshot, e);

	*out = NULL;
	if (rc == OK && !json_is_object(doc.root))
		rc = err_set(e, ERR_INVALID, "a snapshot is an object");
	if (rc != OK) {
		json_release(&doc);
		return rc;
	}
	s = session_make(c, id);
	s->started = true;
	rc = read_session(s, doc.root, e);
	json_release(&doc);
	if (rc != OK) {
		session_free(s);
		return rc;
	}
	*out = s;
	rc = restart_invokes(s, sink);
	return rc == OK ? OK : err_set(e, rc, "%.*s", FMT(session_why(s)));
}
