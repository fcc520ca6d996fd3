/*
 * chart_agent.c - the kind "chart": an agent whose chart only hears and sends messages
 * lives in memory as a session, without a thread, checkpoints or tasks.
 *
 * A letter is the event `message.ACT`; a send of type `fipa` is a message.  A chart that
 * uses delays, other sends or invokes of charts has a stepper around its session, which
 * keeps events; all others are the session alone.
 *
 * What a macrostep sends in vain is an event error.communication after it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/chart_agent.h"

#include <assert.h>

#include "agent/agent.h"
#include "base/mem.h"
#include "chart/chart.h"
#include "chart/stepper.h"
#include "mail/host/compose.h"
#include "mail/host/office_priv.h"

struct chart_agent {
	struct office_agent *agent;
	struct session *session;             /* NULL: a stepper */
	struct chart_stepper *stepper;
	struct val troubles;                 /* sends that failed: a list, or UNDEFINED */
	struct wheel_timer due;              /* of the stepper */
};

/* ---- what it sends ------------------------------------------------------------------- */

/* As a run has it: {reason, message, to, performative}. */
static void
note_trouble(struct chart_agent *c, const struct effect *f, int rc, const struct err *e)
{
	struct val v = val_object_empty();

	v = val_set_take(v, S("reason"), val_string(str_of(rc_text(rc))));
	v = val_set_take(v, S("message"), val_string(str_of(e->text)));
	v = val_set_take(v, S("to"), val_string(f->target));
	v = val_set_take(v, S("performative"), val_string(f->name));
	if (c->troubles.kind == VAL_UNDEFINED)
		c->troubles = val_array_empty();
	c->troubles = val_push_take(c->troubles, v);
}

static void
send(struct chart_agent *c, const struct effect *f)
{
	struct office *o = c->agent->o;
	struct acl_room room;
	struct acl m;
	struct err e;
	int rc = mail_compose(&m, f->target, f->name, f->data, office_now(o), &room,
	    &o->content, &e);

	if (rc == OK)
		rc = office_agent_send(c->agent, &m, &e);
	if (rc != OK)
		note_trouble(c, f, rc, &e);
}

static void
on_effect(void *ctx, const struct effect *f)
{
	if (f->kind == EFFECT_SEND)
		send(ctx, f);
}

static int
on_reach(void *ctx, struct str target, struct str type, bool delayed)
{
	(void)ctx, (void)target, (void)delayed;
	return str_eq(type, S(AGENT_SEND_TYPE)) ? OK : ERR_INVALID;
}

static void
on_send(void *ctx, const struct effect *f)
{
	send(ctx, f);
}

static const struct stepper_ops stepper_ops = { .reach = on_reach, .send = on_send };

/* ---- events -------------------------------------------------------------------------- */

static void
check_over(struct chart_agent *c, int rc)
{
	const struct session *s = c->session != NULL ? c->session : stepper_session(c->stepper);
	bool over = c->session != NULL ? session_over(s) : stepper_over(c->stepper);

	if (!over)
		return;
	office_ended(c->agent, rc == ERR_LIMIT ? ERR_LIMIT : OK,
	    rc == ERR_LIMIT ? session_why(s) : STR_NONE);
}

static int
step_all(struct chart_agent *c)
{
	struct office *o = c->agent->o;
	msec now = office_now(o), due;
	int rc;

	do
		rc = stepper_step(c->stepper, now);
	while (rc == OK);
	due = stepper_due(c->stepper);
	if (due == STEPPER_NEVER)
		shard_timer_cancel(o->shard, &c->due);
	else
		shard_timer_set(o->shard, &c->due, due > now ? due - now : 0);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
give_event(struct chart_agent *c, struct str name, struct val data)
{
	const struct effect_sink sink = { .effect = on_effect, .reach = on_reach, .ctx = c };
	const struct chart_event ev = { .name = name, .data = data };
	int rc;

	if (c->session != NULL)
		return session_event(c->session, &ev, &sink);
	rc = stepper_event(c->stepper, name, data);
	return rc == OK ? step_all(c) : rc;
}

/* What the chart sends wrongly in answer to its errors is told in turn, but not for ever. */
static int
tell_troubles(struct chart_agent *c, int rc)
{
	for (int i = 0; rc == OK && c->troubles.kind == VAL_ARRAY; i++) {
		struct val list = c->troubles;

		c->troubles = VAL_UNDEF;
		for (size_t k = 0; rc == OK && i < LIMIT_MAIL_TROUBLES && k < val_count(list); k++)
			rc = give_event(c, S("error.communication"), val_at(list, k));
		val_drop(list);
	}
	return rc;
}

static enum mail_taken
take(void *self, struct letter *l)
{
	struct chart_agent *c = self;
	struct val data = mail_event_data(l);
	int rc = give_event(c, mail_event_names[l->act], data);

	val_view_end(data);
	check_over(c, tell_troubles(c, rc));
	return MAIL_TAKEN;
}

static void
fell_due(struct wheel_timer *t)
{
	struct chart_agent *c = CONTAINER_OF(t, struct chart_agent, due);
	int rc;

	if (c->agent->o->still)
		return;
	(void)stepper_fire(c->stepper, office_now(c->agent->o));
	rc = tell_troubles(c, step_all(c));
	check_over(c, rc);
	office_stir(c->agent->o);
}

/* ---- its life ------------------------------------------------------------------------- */

static void
chart_stop(void *self)
{
	struct chart_agent *c = self;

	shard_timer_cancel(c->agent->o->shard, &c->due);
	session_free(c->session);
	stepper_free(c->stepper);
	val_drop(c->troubles);
	free(c);
}

/* A member of the spec that must be an object; UNDEFINED if there is none. */
static int
read_object(struct str json, const char *what, struct val *out, struct err *e)
{
	int rc;

	*out = VAL_UNDEF;
	if (json.n == 0)
		return OK;
	rc = val_json(out, json, e);
	if (rc == OK && out->kind != VAL_OBJECT) {
		rc = err_set(e, ERR_INVALID, "%s: expected an object, got %s", what,
		    val_kind_name(*out));
		val_drop(*out);
		*out = VAL_UNDEF;
	}
	return rc;
}

/* Names beside the data, as a run has them. */
static struct val
names_of(struct val config)
{
	struct val names = val_object_empty();

	names = val_set_take(names, S("config"), val_ref(config));
	return val_set_take(names, S("params"),
	    val_ref(val_get(config, S("configurable"))));
}

static int
begin(struct chart_agent *c, const struct chart *chart, struct val input, struct val config)
{
	const struct effect_sink sink = { .effect = on_effect, .reach = on_reach, .ctx = c };
	struct str id = { c->agent->id_text, UUID_TEXT };
	struct val names = config.kind == VAL_OBJECT ? names_of(config) : VAL_UNDEF;
	int rc;

	if (chart_sends_only(chart, S(AGENT_SEND_TYPE))) {
		c->session = session_new(chart, id, input, STR_NONE);
		session_give(c->session, names);
		rc = session_start(c->session, &sink);
	} else {
		c->stepper = stepper_new(chart, id, &stepper_ops, c);
		stepper_give(c->stepper, names);
		stepper_start(c->stepper, input);
		rc = step_all(c);
	}
	val_drop(names);
	return rc;
}

static int
chart_start(void *ctx, struct office_agent *a, void **self, enum office_start how,
    struct err *e)
{
	const struct office_spec *s = office_agent_spec(a);
	const struct agent *definition = office_agent_definition(a);
	struct chart_agent *c;
	struct val input, config;
	int rc;

	(void)ctx, (void)how;
	if (definition == NULL || definition->chart == NULL || definition->nodes_n > 0)
		return err_set(e, ERR_INVALID, "graph_id: an agent of kind chart is defined by a "
		    "chart without tasks");
	rc = read_object(s->input_json, "input", &input, e);
	if (rc != OK)
		return rc;
	rc = read_object(s->config_json, "config", &config, e);
	if (rc != OK) {
		val_drop(input);
		return rc;
	}
	c = mem_new(struct chart_agent);
	c->agent = a;
	c->due.fire = fell_due;
	*self = c;
	rc = begin(c, definition->chart, input, config);
	check_over(c, tell_troubles(c, rc));
	val_drop(input);
	val_drop(config);
	return OK;
}

const struct office_kind chart_agent_kind = { .name = "chart", .start = chart_start,
	.take = take, .stop = chart_stop };
