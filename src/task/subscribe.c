/*
 * subscribe.c - subscribes at other agents (FIPA00035) while its state is active.  Each
 * `inform` is an event for the chart, `message.inform`; when the state is left the
 * subscription is cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

static struct val
fields_of(const struct mailing *d)
{
	struct val fields = val_object_empty();

	fields = val_set_take(fields, S("protocol"), val_string(S("fipa-subscribe")));
	return val_set_take(fields, S("conversation_id"), val_string(str_of(d->id)));
}

static void
subscribe_start(struct piece *p)
{
	struct mailing *d = mailing_of(p);
	struct buf to = BUF(LIMIT_ACL_BYTES);
	struct val fields;
	msec due = 0;

	if (!piece_may_post(p)) {
		piece_fail(p, "error.execution", "ChartError", "line %u: subscribe: there is no "
		    "chart that takes its events", p->spec->line);
		return;
	}
	mailing_init(d);
	fields = val_set_take(fields_of(d), S("reply_with"), val_string(str_of(d->id)));
	if (!mail_to(p, SUBSCRIBE_TO, &to) || !mail_field(p, SUBSCRIBE_CONTENT, &fields) ||
	    !mail_field(p, SUBSCRIBE_ONTOLOGY, &fields))
		val_drop(fields);
	else
		(void)mailing_begin(d, buf_str(&to), "subscribe", fields, &due);
	buf_release(&to);
}

/* What is told is in the chart's state with its event: nothing more need be kept. */
static void
subscribe_heard(struct piece *p, struct val message, bool again)
{
	struct val one, events;

	if (mailing_is(message, "agree"))
		return;
	if (!mailing_is(message, "inform")) {
		mailing_fail(mailing_of(p), message);
		return;
	}
	one = val_set_take(val_object_empty(), S("name"), val_string(S("message.inform")));
	one = val_set_take(one, S("data"), val_ref(message));
	events = val_push_take(val_array_empty(), one);
	piece_post(p, S("told"), S("null"), events, again);
	val_drop(events);
}

static void
subscribe_quit(struct piece *p)
{
	struct mailing *d = mailing_of(p);
	struct buf to = BUF(LIMIT_ACL_BYTES);

	if (mail_to(p, SUBSCRIBE_TO, &to))
		mailing_tell(d, buf_str(&to), "cancel", fields_of(d));
	buf_release(&to);
}

static bool
subscribe_sleeps(const struct piece *p, msec *until)
{
	(void)p;
	*until = TASK_NEVER;
	return true;
}

const struct task_run task_subscribe = {
	.size = sizeof(struct mailing), .traits = TASK_EFFECT, .start = subscribe_start,
	.heard = subscribe_heard, .quit = subscribe_quit, .release = mailing_release,
	.sleeps = subscribe_sleeps,
};
