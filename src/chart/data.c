/*
 * data.c - the data model: slots, system variables, and values of the
 * document's parts.
 *
 * System variables are not slots, so they cannot be assigned to.  Their
 * objects are made when first read in a turn.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>

#include "base/mem.h"

#define COPIED_BYTES 8           /* of a copied constant: one step of work */
#define MEMBER_WORK  8           /* steps to add a member to an object */

static const char *const event_types[] = {
	[EVENT_INTERNAL] = "internal", [EVENT_PLATFORM] = "platform",
	[EVENT_EXTERNAL] = "external",
};

/* ---- names --------------------------------------------------------------- */

static int
event_field(void *ctx, enum expr_field field, struct val *out)
{
	const struct session *s = ctx;
	const struct event *ev = &s->turn->now;

	if (!s->turn->has_event)
		return ERR_NOTFOUND;
	switch (field) {
	case FIELD_NAME:
		*out = val_string(ev->name);
		break;
	case FIELD_TYPE:
		*out = val_string(str_of(event_types[ev->type]));
		break;
	case FIELD_SENDID:
		*out = val_ref(ev->sendid);
		break;
	case FIELD_ORIGIN:
		*out = val_of_text(ev->origin);
		break;
	case FIELD_ORIGINTYPE:
		*out = val_of_text(ev->origintype);
		break;
	case FIELD_INVOKEID:
		*out = val_of_text(ev->invokeid);
		break;
	default:
		*out = val_ref(ev->data);
		break;
	}
	return OK;
}

static struct val
event_object(struct session *s)
{
	struct val object = val_object_empty();

	for (int i = 0; i < FIELD_COUNT; i++) {
		struct val v = VAL_UNDEF;

		(void)event_field(s, (enum expr_field)i, &v);
		object = val_set_take(object, str_of(expr_field_names[i]), v);
	}
	return object;
}

struct val
data_object(const struct session *s)
{
	struct val object = val_object_empty();

	for (uint32_t i = 0; i < s->c->slots.n; i++)
		if (bit_get(s->declared, i))
			object = val_set_take(object, s->c->slots.at[i]->name,
			    val_ref(s->slots[i]));
	return object;
}

struct val
session_location(struct str id)
{
	struct buf b = BUF(2 * LIMIT_NAME_BYTES);
	struct val v;

	buf_lit(&b, "#_scxml_");
	buf_add(&b, id);
	v = val_string(buf_str(&b));
	buf_release(&b);
	return v;
}

/* _ioprocessors: the location of this session for the SCXML processor. */
static struct val
processors(const struct session *s)
{
	struct val entry, all = val_object_empty();

	entry = val_set_take(val_object_empty(), S("location"),
	    session_location(val_str(s->id)));
	all = val_set_take(all, S("scxml"), val_ref(entry));
	return val_set_take(all, S(SCXML_PROCESSOR), entry);
}

static int
lookup(void *ctx, struct str name, struct val *out)
{
	struct session *s = ctx;
	struct turn *t = s->turn;

	if (str_eq(name, S("_event")) || str_eq(name, S("event"))) {
		if (t->event_object.kind == VAL_UNDEFINED && t->has_event)
			t->event_object = event_object(s);
		*out = t->event_object;
	} else if (str_eq(name, S("_sessionid"))) {
		*out = s->id;
	} else if (str_eq(name, S("data"))) {
		if (t->data_object.kind == VAL_UNDEFINED) {
			t->data_object = data_object(s);
			t->work += s->c->slots.n * MEMBER_WORK;
		}
		*out = t->data_object;
	} else if (s->given.kind == VAL_OBJECT && val_has(s->given, name)) {
		*out = val_get(s->given, name);
	} else if (str_eq(name, S("params"))) {
		*out = s->params;
	} else if (str_eq(name, S("_name"))) {
		if (t->name.kind == VAL_UNDEFINED)
			t->name = val_string(s->c->name);
		*out = t->name;
	} else if (str_eq(name, S("_ioprocessors"))) {
		if (t->processors.kind == VAL_UNDEFINED)
			t->processors = processors(s);
		*out = t->processors;
	} else if (s->c->lenient && (str_eq(name, S("config")) ||
	    str_eq(name, S("context")) || str_eq(name, S("input")) ||
	    str_eq(name, S("result")))) {
		*out = VAL_NIL;              /* the host did not give it */
	} else if (str_eq(name, S("_x"))) {
		*out = VAL_NIL;
	} else {
		return ERR_NOTFOUND;
	}
	if (s->c->lenient && out->kind == VAL_UNDEFINED)
		*out = VAL_NIL;
	return OK;
}

static bool
in_state(void *ctx, struct str id)
{
	return id.n <= LIMIT_NAME_BYTES && session_in(ctx, id);
}

int64_t
session_visits(const struct session *s, struct str id)
{
	uint32_t state = id.n <= LIMIT_NAME_BYTES ? chart_find(s->c, id) : NO_STATE;

	return state != NO_STATE && s->c->visits ? s->visits[state] : 0;
}

static int64_t
visits(void *ctx, struct str id)
{
	return session_visits(ctx, id);
}

void
data_scope(struct session *s)
{
	s->turn->scope = (struct expr_scope){ .lookup = lookup, .in_state = in_state,
		.visits = visits, .ctx = s, .slots = s->slots, .declared = s->declared,
		.event_field = event_field, .work = &s->turn->work };
}

/* ---- reading ------------------------------------------------------------- */

/* Is the turn within its limit of work? */
static bool
may_work(struct session *s)
{
	if (s->turn->work > LIMIT_CHART_WORK)
		turn_limit(s, BOUND_WORK);
	return !s->turn->limit;
}

static int
bad_code(const struct code *code, struct err *e)
{
	return err_set(e, ERR_INVALID, "%.*s", FMT(code->bad));
}

int
data_eval(struct session *s, uint32_t code, struct val *out, struct err *e)
{
	const struct code *c = &s->c->codes.at[code];

	assert(code > 0 && code < s->c->codes.n);
	*out = VAL_UNDEF;
	if (!may_work(s))
		return err_set(e, ERR_LIMIT, "too much work for one event");
	if (c->x == NULL)
		return bad_code(c, e);
	return expr_eval(c->x, &s->turn->scope, out, e);
}

bool
data_cond(struct session *s, uint32_t code)
{
	const struct code *c = &s->c->codes.at[code];
	struct err e;
	bool yes = false;
	int rc;

	if (!may_work(s))
		return false;
	rc = c->x == NULL ? bad_code(c, &e) :
	    expr_eval_bool(c->x, &s->turn->scope, &yes, &e);
	if (rc != OK)
		turn_error(s, rc, VAL_UNDEF, &e);
	return yes;
}

int
data_text(struct session *s, const struct value *v, struct val *hold, struct str *out,
    struct err *e)
{
	int rc;

	*hold = VAL_UNDEF;
	*out = v->text;
	if (v->code == 0)
		return OK;
	rc = data_eval(s, v->code, hold, e);
	if (rc == OK && hold->kind != VAL_STRING) {
		val_drop(*hold);
		*hold = VAL_UNDEF;
		return err_set(e, ERR_INVALID, "expected a string");
	}
	if (rc == OK)
		*out = val_str(*hold);
	return rc;
}

int
data_content(struct session *s, const struct content *from, struct val *out,
    struct err *e)
{
	*out = VAL_UNDEF;
	if (from->kind == CONTENT_CODE)
		return data_eval(s, from->at, out, e);
	if (from->kind == CONTENT_CONST && !may_work(s))
		return err_set(e, ERR_LIMIT, "too much work for one event");
	if (from->kind == CONTENT_CONST) {
		*out = val_copy(s->c->consts.at[from->at]);
		s->turn->work += val_bytes(*out) / COPIED_BYTES;
	}
	return OK;
}

/* SCXML 5.7: a param that cannot be evaluated is omitted, with an error event;
 * a name of a namelist that cannot be evaluated is an error. */
int
data_params(struct session *s, struct range params, struct val *out, struct err *e)
{
	struct val object = VAL_UNDEF;

	*out = VAL_UNDEF;
	s->turn->work += params.n * MEMBER_WORK;
	for (uint32_t i = 0; i < params.n; i++) {
		const struct param *param = &s->c->params.at[params.first + i];
		struct val v;
		int rc = data_eval(s, param->code, &v, e);

		if (rc != OK && param->required) {
			val_drop(object);
			return rc;
		}
		if (rc != OK) {
			turn_error(s, rc, VAL_UNDEF, e);
			continue;
		}
		if (object.kind == VAL_UNDEFINED)
			object = val_object_empty();
		object = val_set_take(object, param->name, v);
	}
	if (val_check(object, LIMIT_EXPR_BYTES_OUT) != OK) {
		val_drop(object);
		return err_set(e, ERR_LIMIT, "the data is nested too deep or too large");
	}
	*out = object;
	return OK;
}

int
data_payload(struct session *s, const struct payload *p, struct val *out, struct err *e)
{
	return p->content.kind != CONTENT_NONE ? data_content(s, &p->content, out, e) :
	    data_params(s, p->params, out, e);
}

/* ---- writing ------------------------------------------------------------- */

void
data_set_slot(struct session *s, uint32_t slot, struct val v)
{
	struct turn *t = s->turn;

	assert(slot < s->c->slots.n);
	if (t->data_object.kind != VAL_UNDEFINED) {
		drop(t->data_object);
		t->data_object = VAL_UNDEF;
	}
	drop(s->slots[slot]);
	s->slots[slot] = v;
	bit_set(s->declared, slot);
	bit_set(s->changed, slot);
}

int
data_assign(struct session *s, uint32_t location, bool declare, struct val v, struct err *e)
{
	const struct code *c = &s->c->codes.at[location];
	struct turn *t = s->turn;
	struct val changed;
	struct str root;
	int slot, rc;

	if (c->x == NULL) {
		val_drop(v);
		return bad_code(c, e);
	}
	slot = expr_root_slot(c->x);
	if (slot < 0 || (!declare && !bit_get(s->declared, (uint32_t)slot))) {
		(void)expr_is_location(c->x, &root);
		val_drop(v);
		return err_set(e, ERR_INVALID, "'%.*s' is %s", FMT(root),
		    root.n > 0 && root.p[0] == '_' ? "read-only" : "not declared");
	}
	/* Drops the cache's reference, so that the value is changed in place. */
	drop(t->data_object);
	t->data_object = VAL_UNDEF;
	rc = expr_store(c->x, &t->scope, s->slots[slot], v, &changed, e);
	s->slots[slot] = changed;
	bit_set(s->declared, (uint32_t)slot);
	if (rc == OK)
		bit_set(s->changed, (uint32_t)slot);
	return rc;
}

/* Initialises declared names; an illegal value is an error event and leaves the
 * name undefined (SCXML 5.3.3). */
void
data_init(struct session *s, struct range data, bool top)
{
	for (uint32_t i = 0; i < data.n; i++) {
		const struct datum *d = &s->c->data.at[data.first + i];
		struct str name = s->c->slots.at[d->slot]->name;
		struct val v = VAL_UNDEF;
		struct err e;
		bool given = top && d->top && val_has(s->params, name);
		int rc = OK;

		if (given)
			v = val_ref(val_get(s->params, name));
		else
			rc = data_content(s, &d->content, &v, &e);
		data_set_slot(s, (uint32_t)d->slot, v);
		if (given)                   /* the host knows it */
			bit_clear(s->changed, (uint32_t)d->slot);
		if (rc != OK)
			turn_error(s, rc, VAL_UNDEF, &e);
	}
}
