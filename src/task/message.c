/*
 * message.c - sends a message to other agents; with `wait: true` its result is the reply.
 *
 * An `agree` says that the reply is to come: it is heard, and the wait goes on.  What the
 * server says is that there will be none: nobody could be reached, or `reply_by` is over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/acl.h"
#include "task/task_priv.h"

/* Of a conversation with a name in the file, it is that. */
static bool
read_fields(struct mailing *d, bool wait, struct val *fields)
{
	static const struct { const char *name; unsigned field; } ids[] = {
		{ "reply_with", MESSAGE_REPLY_WITH }, { "conversation_id", MESSAGE_CONVERSATION },
	};

	for (unsigned i = MESSAGE_CONTENT; i < MESSAGE_WAIT; i++)
		if (!mail_field(&d->p, i, fields))
			return false;
	for (size_t i = 0; i < COUNT(ids) && wait; i++) {
		struct val given = val_get(*fields, str_of(ids[i].name));

		if (given.kind != VAL_STRING) {
			*fields = val_set_take(*fields, str_of(ids[i].name),
			    val_string(str_of(d->id)));
		} else if (ids[i].field == MESSAGE_REPLY_WITH) {
			free(d->id);
			d->id = mem_cstr(val_str(given));
		}
	}
	return true;
}

static void
message_start(struct piece *p)
{
	struct mailing *d = mailing_of(p);
	bool wait = agent_bool(piece_field(p, MESSAGE_WAIT), false);
	int64_t act = agent_int(piece_field(p, MESSAGE_ACT), 0);
	struct buf to = BUF(LIMIT_ACL_BYTES);
	struct val fields = val_object_empty();
	msec due = 0;

	mailing_init(d);
	d->keeps = true;
	if (!mail_to(p, MESSAGE_TO, &to) || !read_fields(d, wait, &fields)) {
		val_drop(fields);
	} else if (mailing_begin(d, buf_str(&to), acl_act_names[act], fields, &due)) {
		if (wait)
			mailing_repeat(d);
		else
			piece_done(p, VAL_NIL);
	}
	buf_release(&to);
}

static void
message_heard(struct piece *p, struct val message, bool again)
{
	(void)again;
	if (mailing_is_of_server(message))
		mailing_fail(mailing_of(p), message);
	else if (!mailing_is(message, "agree"))
		piece_done(p, val_ref(message));
}

static bool
message_sleeps(const struct piece *p, msec *until)
{
	(void)p;
	*until = TASK_NEVER;
	return true;
}

const struct task_run task_message = {
	.size = sizeof(struct mailing), .traits = TASK_EFFECT, .start = message_start,
	.heard = message_heard, .release = mailing_release, .sleeps = message_sleeps,
};
