/*
 * view.c - what a piece sees and writes: state, names, evaluation.
 *
 * A task has one scope (agent.h).  It is filled, with borrowed values, for
 * whoever evaluates; so a piece costs no slots of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "task/task_priv.h"

/* ---- writes --------------------------------------------------------------------- */

void
view_release(struct view *v)
{
	for (size_t i = 0; i < v->n; i++) {
		val_drop(v->writes[i].value);
		val_drop(v->writes[i].shown);
	}
	free(v->writes);
	channels_free(v->state);
	*v = (struct view){ 0 };
}

void
view_join(struct view *to, struct view *from)
{
	for (size_t i = 0; i < from->n; i++) {
		mem_grow(to->writes, to->n, to->cap);
		to->writes[to->n++] = from->writes[i];
	}
	from->n = 0;
}

static void
fail_write(struct piece *p, unsigned channel, const struct err *e)
{
	(void)channel;
	piece_fail(p, "error.execution", "InvalidUpdateError", "%s", e->text);
}

/* Messages are coerced once, so that their ids stay what they are. */
static bool
messages_settle(struct piece *p, unsigned channel, struct val *v, unsigned *known)
{
	const struct channel *def = channels_def(p->task->view.state, channel);
	struct val inside, settled;
	char path[64];
	struct err e = { 0 };
	bool minted = false;

	if (def->reducer != REDUCE_MESSAGES || (*known & REDUCE_STORED) != 0 ||
	    reduce_is_overwrite(*v, &inside))
		return true;
	snprintf(path, sizeof path, "%.*s", FMT(str_cut(def->name, sizeof path - 1)));
	if (messages_from(*v, path, &settled, &minted, &e) != OK) {
		fail_write(p, channel, &e);
		return false;
	}
	val_drop(*v);
	*v = settled;
	*known |= REDUCE_STORED | (minted ? REDUCE_NEW_IDS : 0);
	return true;
}

bool
piece_write(struct piece *p, unsigned channel, struct val v, unsigned known)
{
	struct view *view = p->view;

	if (v.kind == VAL_UNDEFINED)
		v = VAL_NIL;
	if (!messages_settle(p, channel, &v, &known)) {
		val_drop(v);
		return false;
	}
	mem_grow(view->writes, view->n, view->cap);
	view->writes[view->n++] = (struct task_write){ channel, known, v, VAL_UNDEF };
	return true;
}

bool
piece_write_messages(struct piece *p, struct val messages, unsigned known)
{
	if (p->spec->keep >= 0)
		return piece_write(p, (unsigned)p->spec->keep, messages, known);
	if (p->spec->keep == AGENT_KEEP_NONE && piece_writes_default(p) && p->task->messages != CHANNEL_NONE)
		return piece_write(p, (unsigned)p->task->messages, messages, known);
	val_drop(messages);
	return true;
}

bool
piece_write_file(struct piece *p, struct val result)
{
	const struct agent_work *w = p->spec;

	for (size_t i = 0; i < w->writes_n; i++) {
		struct val v;

		p->result = result;          /* seen as `result` and by its name */
		p->task->filled = NULL;
		if (!piece_eval_value(p, &w->writes[i].value, "writes", &v)) {
			p->result = VAL_UNDEF;
			return false;
		}
		p->result = VAL_UNDEF;
		if (!piece_write(p, w->writes[i].channel, v, 0))
			return false;
	}
	p->task->filled = NULL;
	return true;
}

bool
piece_write_named(struct piece *p, struct val result)
{
	const struct channels *cs = p->task->view.state;

	for (size_t i = 0; result.kind == VAL_OBJECT && i < channels_count(cs); i++) {
		struct val v = val_get(result, channels_def(cs, i)->name);

		if (v.kind != VAL_UNDEFINED && !piece_write(p, (unsigned)i, val_ref(v), 0))
			return false;
	}
	return true;
}

/* ---- state ------------------------------------------------------------------------ */

static int
view_apply(struct view *v, struct err *e)
{
	int rc = OK;

	while (rc == OK && v->applied < v->n) {
		const struct task_write *w = &v->writes[v->applied];

		rc = channels_put(v->state, w->channel, w->value, w->known, e);
		if (rc == OK)
			v->applied++;
	}
	return rc;
}

/* Up's writes do not change while somebody below it writes. */
static int
view_state(struct view *v, const struct channels **out, struct err *e)
{
	int rc = OK;

	if (v->state == NULL && v->n == 0)
		return view_state(v->up, out, e);
	if (v->state == NULL) {
		const struct channels *base;

		rc = view_state(v->up, &base, e);
		if (rc != OK)
			return rc;
		v->state = channels_clone(base);
	}
	rc = view_apply(v, e);
	*out = v->state;
	return rc;
}

const struct channels *
piece_state(struct piece *p)
{
	const struct channels *cs = NULL;
	struct err e = { 0 };

	if (view_state(p->view, &cs, &e) != OK) {
		fail_write(p, 0, &e);
		return NULL;
	}
	return cs;
}

struct val
piece_messages(struct piece *p)
{
	const struct channels *cs = p->task->messages == CHANNEL_NONE ? NULL :
	    piece_state(p);

	return cs == NULL ? VAL_UNDEF : channels_get(cs, (size_t)p->task->messages);
}

/* ---- evaluation --------------------------------------------------------------------- */

static struct val
member(struct val object, struct str key)
{
	return object.kind == VAL_OBJECT ? val_get(object, key) : VAL_UNDEF;
}

/* Fills the scope for the piece; everything in it is borrowed but `data`. */
static bool
fill(struct piece *p)
{
	struct task *t = p->task;
	const struct channels *cs;
	size_t first = SLOT_CHANNEL, n = t->agent->channels_n;

	if (t->filled == p && t->filled_n == p->view->n)
		return true;
	cs = piece_state(p);
	if (cs == NULL)
		return false;
	agent_scope_changed(&(struct agent_scope){ t->agent, t->slots, NULL });
	t->slots[SLOT_INPUT] = t->input;
	t->slots[SLOT_RESULT] = p->result;
	t->slots[SLOT_CONFIG] = t->config;
	t->slots[SLOT_CONTEXT] = t->context;
	t->slots[SLOT_PARAMS] = member(t->config, S("configurable"));
	t->slots[SLOT_EVENT] = t->event;
	for (size_t i = 0; i < n; i++)
		t->slots[first + i] = channels_get(cs, i);
	for (size_t i = first + n; i < t->agent->slots_n; i++)
		t->slots[i] = VAL_UNDEF;
	for (const struct name *name = p->names; name != NULL; name = name->up)
		if (name->slot >= 0 && t->slots[name->slot].kind == VAL_UNDEFINED)
			t->slots[name->slot] = name->value;
	if (p->spec->as >= 0 && p->result.kind != VAL_UNDEFINED && !p->inner)
		t->slots[p->spec->as] = p->result;
	t->filled = p;
	t->filled_n = p->view->n;
	return true;
}

static bool
fail_expression(struct piece *p, const struct agent_value *v, const char *what,
    const struct err *e)
{
	piece_fail(p, "error.execution", "ExpressionError", "line %u: %s.%s: %s", v->line,
	    piece_kind(p), what, e->text);
	return false;
}

bool
piece_eval_value(struct piece *p, const struct agent_value *v, const char *what,
    struct val *out)
{
	struct task *t = p->task;
	struct agent_scope scope = { t->agent, t->slots, &t->steps };
	struct err e = { 0 };

	*out = VAL_UNDEF;
	if (!agent_has(v))
		return true;
	/* Constants belong to the agent, which every shard reads. */
	if (v->form == VALUE_CONST) {
		*out = val_copy(v->constant);
		return true;
	}
	if (!fill(p))
		return false;
	if (agent_eval(v, &scope, out, &e) != OK)
		return fail_expression(p, v, what, &e);
	return true;
}

static const char *
field_name(const struct piece *p, unsigned field)
{
	return p->spec->kind->fields[field].name;
}

bool
piece_eval(struct piece *p, unsigned field, struct val *out)
{
	return piece_eval_value(p, piece_field(p, field), field_name(p, field), out);
}

bool
piece_eval_text(struct piece *p, unsigned field, struct val *out)
{
	if (!piece_eval(p, field, out))
		return false;
	if (out->kind == VAL_STRING || out->kind == VAL_UNDEFINED)
		return true;
	val_drop(*out);
	return fail_expression(p, piece_field(p, field), field_name(p, field),
	    &(struct err){ .text = "expected a text" });
}

bool
piece_eval_bool(struct piece *p, const struct agent_value *v, const char *what,
    bool *out)
{
	struct val value;

	*out = true;
	if (!agent_has(v))
		return true;
	if (!piece_eval_value(p, v, what, &value))
		return false;
	*out = val_truthy(value);
	val_drop(value);
	return true;
}

bool
piece_eval_int(struct piece *p, unsigned field, int64_t min, int64_t max,
    int64_t *out)
{
	struct val v;
	struct err e;

	if (!piece_eval(p, field, &v))
		return false;
	if (v.kind == VAL_UNDEFINED || v.kind == VAL_NULL)
		return true;
	if (v.kind == VAL_INT && v.u.i >= min && v.u.i <= max) {
		*out = v.u.i;
		return true;
	}
	val_drop(v);
	err_set(&e, ERR_INVALID, "expected a whole number from %lld to %lld",
	    (long long)min, (long long)max);
	return fail_expression(p, piece_field(p, field), field_name(p, field), &e);
}

int
piece_eval_input(struct piece *p, const struct agent_value *v, struct val input,
    struct val *out, struct err *e)
{
	struct task *t = p->task;
	struct agent_scope scope = { t->agent, t->slots, &t->steps };
	int rc;

	*out = VAL_UNDEF;
	if (!fill(p))
		return err_set(e, ERR_CANCELLED, "the state could not be read");
	t->slots[SLOT_INPUT] = input;
	rc = agent_eval(v, &scope, out, e);
	t->filled = NULL;
	return rc;
}
