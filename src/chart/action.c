/*
 * action.c - executable content (SCXML 4 and 6.2, 6.3).
 *
 * A block runs in order; the first element that fails raises its error and
 * ends the block (4.9).  if and foreach recurse; the compiler bounds their
 * nesting.  Every element counts against the limit of the turn, so nested
 * loops end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>
#include <stdio.h>

static int
run_raise(struct session *s, const struct action *a, struct err *e)
{
	struct event ev = { .type = EVENT_INTERNAL, .name = a->text.text };

	if (a->b != 0) {
		int rc = data_eval(s, a->b, &ev.data, e);

		if (rc != OK)
			return rc;
	}
	turn_raise(s, ev);
	return OK;
}

static int
run_assign(struct session *s, const struct action *a, struct err *e)
{
	bool bare = a->b == 0 && a->content.kind == CONTENT_NONE;
	struct val v;
	int rc;

	/* `var x` alone declares x and keeps its value. */
	if (bare && a->slot >= 0 && bit_get(s->declared, (uint32_t)a->slot))
		return OK;
	rc = a->b != 0 ? data_eval(s, a->b, &v, e) :
	    data_content(s, &a->content, &v, e);
	return rc == OK ? data_assign(s, a->a, a->declare, v, e) : rc;
}

static int
run_log(struct session *s, const struct action *a, struct err *e)
{
	struct effect f = { .kind = EFFECT_LOG, .name = a->text.text };
	int rc = a->b != 0 ? data_eval(s, a->b, &f.data, e) : OK;

	if (rc != OK)
		return rc;
	turn_effect(s, &f);
	drop(f.data);
	return OK;
}

static int
run_cancel(struct session *s, const struct action *a, struct err *e)
{
	struct effect f = { .kind = EFFECT_CANCEL };
	struct val hold;
	int rc = data_text(s, &a->text, &hold, &f.sendid, e);

	if (rc == OK)
		turn_effect(s, &f);
	drop(hold);
	return rc;
}

static int
run_if(struct session *s, const struct action *a, struct err *e)
{
	(void)e;
	for (uint32_t i = 0; i < a->range.n; i++) {
		const struct branch *b = &s->c->branches.at[a->range.first + i];

		if (b->cond == 0 || data_cond(s, b->cond))
			return action_run(s, b->body);
	}
	return OK;
}

/* Holds a reference, so that the body may assign to the array's variable. */
static int
run_foreach(struct session *s, const struct action *a, struct err *e)
{
	struct val array;
	int rc = data_eval(s, a->a, &array, e);

	if (rc != OK)
		return rc;
	if (array.kind != VAL_ARRAY)
		rc = err_set(e, ERR_INVALID, "foreach wants an array");
	else if (a->slot < 0)
		rc = err_set(e, ERR_INVALID, "foreach: item is not a name");
	if (rc != OK) {
		val_drop(array);
		return rc;
	}
	for (size_t i = 0; i < val_count(array) && rc == OK && !s->turn->limit; i++) {
		data_set_slot(s, (uint32_t)a->slot, val_ref(val_at(array, i)));
		if (a->slot2 >= 0)
			data_set_slot(s, (uint32_t)a->slot2, val_int((int64_t)i));
		s->turn->actions++;
		/* An error of the body was raised there; it ends the loop. */
		if (action_run(s, a->range) != OK)
			rc = ERR_CANCELLED;
	}
	val_drop(array);
	return rc;
}

/* ---- send ---------------------------------------------------------------- */

/* A send, evaluated. */
struct sending {
	struct effect f;
	struct val event, target, type, sendid;      /* owners of its texts */
};

static int
send_delay(struct session *s, const struct send *from, int64_t *ms, struct err *e)
{
	struct val v;
	int rc;

	*ms = from->delay_ms;
	if (from->delay.code == 0)
		return OK;
	rc = data_eval(s, from->delay.code, &v, e);
	if (rc != OK)
		return rc;
	if (v.kind == VAL_INT && v.u.i >= 0)
		*ms = v.u.i;
	else if (v.kind != VAL_STRING || !delay_parse(val_str(v), ms))
		rc = err_set(e, ERR_INVALID, "the delay is not a time, as in '1.5s'");
	val_drop(v);
	return rc;
}

/* The id: given, or generated for idlocation. */
static int
send_id(struct session *s, const struct send *from, struct sending *to, struct err *e)
{
	char text[32];
	int n;

	if (from->id.text.n > 0)
		to->sendid = val_string(from->id.text);
	if (from->idlocation != 0) {
		n = snprintf(text, sizeof text, "send.%u", ++s->seq);
		to->sendid = val_string((struct str){ text, (size_t)n });
	}
	if (to->sendid.kind == VAL_STRING)
		to->f.sendid = val_str(to->sendid);
	if (from->idlocation == 0)
		return OK;
	return data_assign(s, from->idlocation, false, val_ref(to->sendid), e);
}

static int
send_read(struct session *s, const struct send *from, struct sending *to, struct err *e)
{
	int rc = send_id(s, from, to, e);

	if (rc == OK)
		rc = data_text(s, &from->event, &to->event, &to->f.name, e);
	if (rc == OK)
		rc = data_text(s, &from->target, &to->target, &to->f.target, e);
	if (rc == OK)
		rc = data_text(s, &from->type, &to->type, &to->f.type, e);
	if (rc == OK)
		rc = send_delay(s, from, &to->f.delay_ms, e);
	if (rc == OK)
		rc = data_payload(s, &from->payload, &to->f.data, e);
	if (rc == OK && from->event.code != 0 && !chart_is_event_name(to->f.name))
		rc = err_set(e, ERR_INVALID, "'%.*s' is not the name of an event",
		    FMT(str_sub(to->f.name, 0, 60)));
	return rc;
}

static bool
is_scxml_processor(struct str type)
{
	return type.n == 0 || str_eq(type, S("scxml")) || str_eq(type, S(SCXML_PROCESSOR));
}

static int
send_internal(struct session *s, struct sending *m, struct err *e)
{
	if (m->f.delay_ms > 0)
		return err_set(e, ERR_INVALID, "#_internal takes no delay");
	turn_raise(s, (struct event){ .type = EVENT_INTERNAL,
		.hold = val_string(m->f.name), .data = val_ref(m->f.data),
		.sendid = val_ref(m->sendid) });
	return OK;
}

static int
run_send(struct session *s, const struct action *a, struct err *e)
{
	struct sending m = { .f = { .kind = EFFECT_SEND } };
	int rc = send_read(s, &s->c->sends.at[a->a], &m, e);

	if (rc == OK && is_scxml_processor(m.f.type) && str_eq(m.f.target, S("#_internal"))) {
		rc = send_internal(s, &m, e);
	} else if (rc == OK) {
		rc = turn_reach(s, &m.f);
		if (rc == OK)
			turn_effect(s, &m.f);
		else
			err_set(e, rc, "cannot send '%.*s' to '%.*s'", FMT(m.f.name),
			    FMT(m.f.target));
	}
	if (rc != OK) {
		turn_error(s, rc, m.sendid, e);
		rc = ERR_CANCELLED;
	}
	drop(m.f.data);
	drop(m.event);
	drop(m.target);
	drop(m.type);
	drop(m.sendid);
	return rc;
}

/* ---- blocks -------------------------------------------------------------- */

/* Each returns ERR_CANCELLED if its error is raised already. */
static int (*const actions[])(struct session *s, const struct action *a,
    struct err *e) = {
	[ACTION_RAISE] = run_raise, [ACTION_SEND] = run_send,
	[ACTION_CANCEL] = run_cancel, [ACTION_ASSIGN] = run_assign,
	[ACTION_LOG] = run_log, [ACTION_IF] = run_if, [ACTION_FOREACH] = run_foreach,
};

int
action_run(struct session *s, struct range block)
{
	const struct action *a = block.n > 0 ? s->c->actions.at + block.first : NULL;
	struct err e;

	assert(block.first + block.n <= s->c->actions.n);
	for (uint32_t i = 0; i < block.n; i++) {
		int rc;

		if (++s->turn->actions > LIMIT_CHART_ACTIONS)
			turn_limit(s, BOUND_ACTIONS);
		if (s->turn->limit)
			return ERR_CANCELLED;
		rc = actions[a[i].kind](s, &a[i], &e);
		if (rc == OK)
			continue;
		if (rc != ERR_CANCELLED)
			turn_error(s, rc, VAL_UNDEF, &e);
		return ERR_CANCELLED;
	}
	return OK;
}
