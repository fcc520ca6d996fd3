/*
 * snapshot.c - a session as JSON, and back.
 *
 *	{"shape":"00ff...","states":["a"],"data":{"x":1},"unset":["y"],"seq":3,
 *	 "serial":1,"history":{"h":["b"]},"entered":["a"],"visits":{"a":2},
 *	 "params":{},"invokeid":"i",
 *	 "invokes":[{"state":"a","n":0,"serial":1,"id":"a.1","type":"llm","params":{}}],
 *	 "final":"end","over":true}
 *
 * Only active atomic states are written; their ancestors are implied.  "shape"
 * is a hash of the chart's states and invokes: states without an id and
 * invokes are identified by position, so a snapshot is refused (ERR_CONFLICT)
 * if these have changed.  Executable content may have changed.  _event is not
 * kept: it is not read between macrosteps.
 *
 * JSON has no undefined.  A name whose value is undefined is in "unset"; inside
 * a value, undefined is written as null, and its path is in KEY_undefined:
 * "data":{"x":[null]},"data_undefined":[["x",0]].
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/snapshot_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* ---- writing ------------------------------------------------------------- */

static void
add_ids(struct buf *b, const struct chart *c, const uint64_t *set, bool atomic)
{
	uint32_t n = (uint32_t)c->states.n;

	buf_add_char(b, '[');
	for each_bit(i, set, 1, n)
		if (!atomic || is_atomic(&c->states.at[i]))
			json_add_fmt(b, ",%.*s", FMT(c->states.at[i].id));
	buf_add_char(b, ']');
}

static void
add_unset(struct buf *b, const struct session *s)
{
	json_add_fmt(b, ",'unset':[");
	for (uint32_t i = 0; i < s->c->slots.n; i++)
		if (bit_get(s->declared, i) && s->slots[i].kind == VAL_UNDEFINED)
			json_add_fmt(b, ",%.*s", FMT(s->c->slots.at[i]->name));
	buf_add_char(b, ']');
}

static void
add_history(struct buf *b, const struct session *s)
{
	const struct chart *c = s->c;

	json_add_fmt(b, ",'history':{");
	for (uint32_t i = 1; i < c->states.n; i++) {
		const struct state *st = &c->states.at[i];

		if (st->kind != STATE_HISTORY || s->history[st->number] == NULL)
			continue;
		json_add_fmt(b, ",%.*s:", FMT(st->id));
		add_ids(b, c, s->history[st->number], false);
	}
	buf_add_char(b, '}');
}

static void
add_visits(struct buf *b, const struct session *s)
{
	json_add_fmt(b, ",'visits':{");
	for (uint32_t i = 1; i < s->c->states.n; i++)
		if (s->visits[i] > 0)
			json_add_fmt(b, ",%.*s:%u", FMT(s->c->states.at[i].id),
			    s->visits[i]);
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

/* The path from the outermost value to one inside. */
struct path {
	const struct path *up;
	struct val of;
	size_t at;
};

static void
add_path(struct buf *b, const struct path *w, bool last)
{
	if (w == NULL)
		return;
	add_path(b, w->up, false);
	if (w->of.kind == VAL_OBJECT)
		json_add_str(b, val_key(w->of, w->at));
	else
		buf_add_u64(b, w->at);
	if (!last)
		buf_add_char(b, ',');
}

/* As val_add_json, but undefined members are null, with their paths in `paths`. */
static void
add_with_nulls(struct buf *b, struct val v, const struct path *up, struct buf *paths)
{
	bool object = v.kind == VAL_OBJECT;

	if (v.kind == VAL_UNDEFINED) {
		buf_lit(b, "null");
		buf_add_char(paths, paths->n == 0 ? '[' : ',');
		buf_add_char(paths, '[');
		add_path(paths, up, true);
		buf_add_char(paths, ']');
		return;
	}
	if (v.kind != VAL_ARRAY && !object) {
		val_add_json(b, v);
		return;
	}
	buf_add_char(b, object ? '{' : '[');
	for (size_t i = 0; i < val_count(v); i++) {
		const struct path w = { up, v, i };

		if (i > 0)
			buf_add_char(b, ',');
		if (object) {
			json_add_str(b, val_key(v, i));
			buf_add_char(b, ':');
		}
		add_with_nulls(b, object ? val_member(v, i) : val_at(v, i), &w, paths);
	}
	buf_add_char(b, object ? '}' : ']');
}

void
snapshot_add_val(struct buf *b, const char *key, struct val v)
{
	struct buf paths = BUF(LIMIT_STATE_BYTES);

	if (v.kind == VAL_UNDEFINED)
		return;
	json_add_fmt(b, ",%s:", key);
	if (!has_undefined(v)) {
		val_add_json(b, v);
		return;
	}
	add_with_nulls(b, v, NULL, &paths);
	buf_add_fmt(b, ",\"%s_undefined\":%s]", key, paths.p);
	b->failed = b->failed || paths.failed;
	buf_release(&paths);
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
	const struct state *st = &s->c->states.at[s->c->invokes.at[a->invoke].state];

	json_add_fmt(b, ",{'state':%.*s,'n':%u,'serial':%u", FMT(st->id),
	    a->invoke - st->invokes.first, a->serial);
	for (size_t i = 0; i < ACTIVE_VALS; i++)
		snapshot_add_val(b, active_names[i], a->vals[i]);
	if (a->ended)
		json_add_fmt(b, ",'ended':true");
	buf_add_char(b, '}');
}

static void
add_data(const struct session *s, struct buf *out)
{
	struct val data = set_data(s);

	snapshot_add_val(out, "data", data);
	val_drop(data);
	add_unset(out, s);
}

static void
save(const struct session *s, bool with_data, struct buf *out)
{
	check_session(s);
	buf_add_fmt(out, "{\"shape\":\"%016llx\",\"states\":",
	    (unsigned long long)s->c->shape);
	add_ids(out, s->c, s->conf, true);
	if (with_data)
		add_data(s, out);
	json_add_fmt(out, ",'seq':%u,'serial':%u", s->seq, s->serial);
	if (s->c->histories > 0)
		add_history(out, s);
	if (s->c->late) {
		json_add_fmt(out, ",'entered':");
		add_ids(out, s->c, s->entered, false);
	}
	if (s->c->visits)
		add_visits(out, s);
	snapshot_add_val(out, "params", s->params);
	snapshot_add_val(out, "invokeid", s->invokeid);
	if (s->active_n > 0) {
		json_add_fmt(out, ",'invokes':[");
		for (size_t i = 0; i < s->active_n; i++)
			add_invoke(out, s, &s->active[i]);
		buf_add_char(out, ']');
	}
	if (s->final != NO_STATE)
		json_add_fmt(out, ",'final':%.*s", FMT(s->c->states.at[s->final].id));
	if (s->over)
		json_add_fmt(out, ",'over':true");
	buf_add_char(out, '}');
}

void
session_save(const struct session *s, struct buf *out)
{
	save(s, true, out);
}

void
session_save_bare(const struct session *s, struct buf *out)
{
	save(s, false, out);
}

/* ---- reading ------------------------------------------------------------- */

void
snapshot_misfit(struct reading *r, const char *what, struct str name)
{
	if (r->rc == OK)
		r->rc = err_set(r->e, ERR_CONFLICT,
		    "the snapshot does not fit the chart: %s '%.*s'", what,
		    FMT(str_sub(name, 0, 100)));
}

/* Ids into a set; with `closed` their ancestors too. */
static void
read_ids(struct reading *r, jnode list, bool closed, uint64_t *set)
{
	const struct chart *c = r->c;
	struct json_iter it = json_each(list);

	while (r->rc == OK && json_next(&it)) {
		struct str id = json_str(it.value);
		uint32_t state = chart_find(c, id);

		if (state == NO_STATE) {
			snapshot_misfit(r, "no state", id);
			return;
		}
		for (uint32_t a = state; a != 0; a = closed ? c->states.at[a].parent : 0)
			bit_set(set, a);
	}
}

/* Sets undefined at the end of a path. */
static void
put_undefined(struct reading *r, struct val *v, struct json_iter *path)
{
	struct val inner = VAL_UNDEF;
	struct json_iter here;
	int64_t at;

	if (!json_next(path)) {
		snapshot_misfit(r, "no path to", S("undefined"));
		return;
	}
	here = *path;
	at = json_int(path->value);
	if (v->kind == VAL_OBJECT && val_has(*v, json_str(path->value))) {
		inner = val_ref(val_get(*v, json_str(path->value)));
	} else if (v->kind == VAL_ARRAY && at >= 0 && (size_t)at < val_count(*v)) {
		inner = val_ref(val_at(*v, (size_t)at));
	} else {
		snapshot_misfit(r, "no place for", S("undefined"));
		return;
	}
	if (inner.kind == VAL_NULL)
		inner = VAL_UNDEF;
	else
		put_undefined(r, &inner, path);
	if (v->kind == VAL_OBJECT)
		*v = val_set_take(*v, json_str(here.value), inner);
	else
		*v = val_set_at_take(*v, (size_t)at, inner);
}

struct val
snapshot_read_val(struct reading *r, jnode o, const char *key)
{
	jnode n = json_get(o, str_of(key));
	struct val v = VAL_UNDEF;
	struct json_iter it;
	char name[40];

	if (r->rc == OK && n != NULL)
		r->rc = json_to_val(n, &v, r->e);
	snprintf(name, sizeof name, "%s_undefined", key);
	it = json_each(json_get(o, str_of(name)));
	while (r->rc == OK && json_next(&it)) {
		struct json_iter path = json_each(it.value);

		put_undefined(r, &v, &path);
	}
	return v;
}

static void
read_slot(struct reading *r, struct str name, struct val v)
{
	int slot = chart_slot(r->c, name);

	if (slot < 0) {
		snapshot_misfit(r, "no data", name);
		return;
	}
	val_drop(r->s->slots[slot]);
	r->s->slots[slot] = val_ref(v);
	bit_set(r->s->declared, (uint32_t)slot);
}

static void
read_data(struct reading *r, jnode root)
{
	struct json_iter it = json_each(json_get(root, S("unset")));
	struct val data = snapshot_read_val(r, root, "data");

	for (size_t i = 0; r->rc == OK && data.kind == VAL_OBJECT && i < val_count(data); i++)
		read_slot(r, val_key(data, i), val_member(data, i));
	val_drop(data);
	while (r->rc == OK && json_next(&it))
		read_slot(r, json_str(it.value), VAL_UNDEF);
}

/* What a history recorded must be a legal configuration of its parent: of its
 * children, or (deep) of all inside, given by the atomic states. */
static void
check_history(struct reading *r, const struct state *h, const uint64_t *kept)
{
	const struct chart *c = r->c;
	uint64_t closed[SET_WORDS] = { 0 };
	uint32_t n = (uint32_t)c->states.n, at;

	for each_bit(i, kept, 0, n) {
		if (!is_descendant(c, i, h->parent) || c->states.at[i].kind == STATE_HISTORY ||
		    (h->deep ? !is_atomic(&c->states.at[i]) : c->states.at[i].parent != h->parent)) {
			snapshot_misfit(r, "not in the history's state:", c->states.at[i].id);
			return;
		}
		for (uint32_t a = i; a != h->parent; a = c->states.at[a].parent)
			bit_set(closed, a);
	}
	at = set_illegal_state(c, closed, h->parent, h->deep);
	if (at != NO_STATE)
		snapshot_misfit(r, "the history of", c->states.at[at].id);
}

static void
read_history(struct reading *r, jnode root)
{
	const struct chart *c = r->c;
	struct json_iter it = json_each(json_get(root, S("history")));

	while (r->rc == OK && json_next(&it)) {
		uint32_t h = chart_find(c, json_str(it.key));
		const struct state *st = h != NO_STATE ? &c->states.at[h] : NULL;
		uint64_t *kept;

		if (st == NULL || st->kind != STATE_HISTORY) {
			snapshot_misfit(r, "no history", json_str(it.key));
			return;
		}
		free(r->s->history[st->number]);
		kept = mem_zero(c->words * sizeof *kept);
		r->s->history[st->number] = kept;
		read_ids(r, it.value, false, kept);
		if (r->rc == OK)
			check_history(r, st, kept);
	}
}

uint32_t
snapshot_read_count(struct reading *r, jnode o, struct str key)
{
	int64_t n = json_int(json_get(o, key));

	if (n < 0 || n > INT32_MAX)
		snapshot_misfit(r, "the number", key);
	return (uint32_t)n;
}

static void
read_visits(struct reading *r, jnode root)
{
	struct json_iter it = json_each(json_get(root, S("visits")));

	while (r->rc == OK && json_next(&it)) {
		uint32_t state = chart_find(r->c, json_str(it.key));

		if (state == NO_STATE)
			snapshot_misfit(r, "no state", json_str(it.key));
		else
			r->s->visits[state] = snapshot_read_count(r, json_get(root, S("visits")),
			    json_str(it.key));
	}
}

/* Serial numbers increase in the order of starting.  Snapshots of versions
 * without them get new ones. */
static uint32_t
read_serial(struct reading *r, jnode n)
{
	struct session *s = r->s;
	uint32_t before = s->active_n > 0 ? s->active[s->active_n - 1].serial : 0;
	int64_t given = n != NULL ? json_int(n) : ++s->serial;

	if (given <= before || given > s->serial)
		snapshot_misfit(r, "the serial number of", S("an invoke"));
	return (uint32_t)given;
}

static void
read_invoke(struct reading *r, jnode n)
{
	const struct chart *c = r->c;
	struct str id = json_str(json_get(n, S("state")));
	uint32_t state = chart_find(c, id);
	int64_t at = json_int(json_get(n, S("n")));
	struct active a;

	if (state == NO_STATE || !bit_get(r->s->conf, state) || at < 0 ||
	    at >= c->states.at[state].invokes.n) {
		snapshot_misfit(r, "no invoke in", id);
		return;
	}
	a = (struct active){
		.invoke = c->states.at[state].invokes.first + (uint32_t)at,
		.serial = read_serial(r, json_get(n, S("serial"))),
		.ended = json_bool(json_get(n, S("ended"))) };
	for (size_t i = 0; i < ACTIVE_VALS; i++)
		a.vals[i] = snapshot_read_val(r, n, active_names[i]);
	if (a.id.kind != VAL_STRING || a.type.kind != VAL_STRING)
		snapshot_misfit(r, "an invoke without id or type in", id);
	active_add(r->s, a);
}

/* Older versions had no shape; then only ids are checked. */
static void
check_shape(struct reading *r, jnode shape)
{
	char want[20];

	snprintf(want, sizeof want, "%016llx", (unsigned long long)r->c->shape);
	if (shape != NULL && !str_eq(json_str(shape), str_of(want)))
		r->rc = err_set(r->e, ERR_CONFLICT, "the snapshot does not fit the chart: "
		    "its states or invokes have changed since");
}

/* The active states and the counts of finals. */
static void
read_configuration(struct reading *r, jnode root)
{
	struct session *s = r->s;
	uint32_t n = (uint32_t)r->c->states.n, at;

	read_ids(r, json_get(root, S("states")), true, s->conf);
	at = s->over ? NO_STATE : session_illegal_state(s);
	if (at != NO_STATE)
		snapshot_misfit(r, r->c->states.at[at].kind == STATE_HISTORY ? "cannot be active:" :
		    "the active states inside", r->c->states.at[at].id);
	for each_bit(i, s->conf, 1, n)
		if (r->c->states.at[i].kind == STATE_FINAL && r->rc == OK)
			final_restored(s, i);
}

static int
read_session(struct session *s, jnode root, struct err *e)
{
	struct reading r = { .s = s, .c = s->c, .e = e };
	jnode final = json_get(root, S("final"));
	struct json_iter it = json_each(json_get(root, S("invokes")));

	s->over = json_bool(json_get(root, S("over")));
	s->seq = snapshot_read_count(&r, root, S("seq"));
	s->serial = snapshot_read_count(&r, root, S("serial"));
	check_shape(&r, json_get(root, S("shape")));
	read_configuration(&r, root);
	if (final != NULL) {
		s->final = chart_find(s->c, json_str(final));
		if (s->final == NO_STATE || s->c->states.at[s->final].kind != STATE_FINAL)
			snapshot_misfit(&r, "no state", json_str(final));
	}
	read_data(&r, root);
	read_history(&r, root);
	if (s->c->late)
		read_ids(&r, json_get(root, S("entered")), false, s->entered);
	if (s->c->visits)
		read_visits(&r, root);
	s->params = snapshot_read_val(&r, root, "params");
	s->invokeid = snapshot_read_val(&r, root, "invokeid");
	while (r.rc == OK && !s->over && json_next(&it))
		read_invoke(&r, it.value);
	return r.rc;
}

static void
restart_invokes(struct session *s, const struct effect_sink *sink)
{
	struct turn turn;

	turn_begin(s, &turn, sink);
	for (size_t i = 0; i < s->active_n; i++)
		if (!s->active[i].ended)
			invoke_effect(s, &s->active[i]);
	(void)turn_end(s);
}

int
session_restore_node(struct session **out, const struct chart *c, struct str id,
    jnode snapshot, const struct effect_sink *sink, struct err *e)
{
	struct session *s;
	int rc;

	*out = NULL;
	if (!json_is_object(snapshot))
		return err_set(e, ERR_INVALID, "a snapshot is an object");
	s = session_make(c, id);
	s->started = true;
	rc = read_session(s, snapshot, e);
	if (rc != OK) {
		session_free(s);
		return rc;
	}
	*out = s;
	session_settle(s);
	restart_invokes(s, sink);
	return OK;
}

int
session_restore(struct session **out, const struct chart *c, struct str id,
    struct str snapshot, const struct effect_sink *sink, struct err *e)
{
	struct json_doc doc;
	int rc = json_parse(&doc, snapshot, e);

	*out = NULL;
	if (rc == OK)
		rc = session_restore_node(out, c, id, doc.root, sink, e);
	json_release(&doc);
	return rc;
}
