/*
 * mail_send.c - messages that a run sends.
 *
 * Each is prepared at once, so that an address at which nobody is fails where it is
 * written, and committed with what the run does next; the office delivers it after that
 * (mail_committed).  A crash in between loses nothing and repeats nothing: what was sent
 * is there with the state that sent it, or neither is.
 *
 * With durability exit nothing is written before the end, so messages go by themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "run/job_priv.h"
#include "run/mail_priv.h"

struct val
mail_value(const struct acl *m)
{
	struct buf json = BUF(2 * (size_t)LIMIT_ACL_BYTES);
	struct val v;

	acl_add_json(m, &json);
	v = val_json_trusted(buf_str(&json));
	buf_release(&json);
	return v;
}

struct val
mail_event(const char *direction, struct val message)
{
	struct val data = val_set_take(val_object_empty(), S("type"), val_string(S("message")));

	data = val_set_take(data, S("direction"), val_string(str_of(direction)));
	return val_set_take(data, S("message"), val_ref(message));
}

void
mail_tell(struct job *j, const struct run_event *at, const char *direction,
    struct val message, size_t receivers)
{
	struct note note = job_note(j);
	struct run_event ev = *at;

	note.at.ns = at->ns;
	note_message(&note, direction, message, receivers);
	ev.kind = EVENT_CUSTOM;
	ev.u.custom.name = STR_NONE;
	ev.u.custom.data = mail_event(direction, message);
	job_tell_event(j, &ev);
	val_drop(ev.u.custom.data);
}

/* As it was prepared: with its sender, id and time. */
static void
tell_sent(struct job *j, const struct run_event *at, const struct store_mail *mail)
{
	struct acl_room room;
	struct val message;
	struct acl acl;

	if (acl_unpack(&acl, mail->packed, &room, NULL) != OK)
		return;
	message = mail_value(&acl);
	mail_tell(j, at, "sent", message, mail->to_n);
	val_drop(message);
}

static int
prepare(struct job *j, struct changes *to, const struct run_event *at,
    const struct mailer *from, const struct task_mail *m, size_t *receivers, struct err *e)
{
	struct runs *rs = j->run->rs;
	struct buf content = BUF(LIMIT_ACL_BYTES);
	struct store_mail mail = { 0 };
	char trace[TRACE_PARENT_SIZE + 1];
	struct acl_room room;
	struct acl acl;
	int rc = mail_compose(&acl, m->to, m->act, m->fields, shard_wall(rs->shard), &room,
	    &content, e);

	acl.delivery.durable = true;         /* as all that a run writes */
	if (rc == OK && acl.trace.n == 0)
		acl.trace = job_trace_parent(j, trace);
	if (rc == OK)
		rc = office_prepare(rs->office, mailer_agent(from), &acl, &to->arena, &mail, e);
	buf_release(&content);
	if (rc != OK)
		return rc;
	*receivers = mail.to_n;
	changes_mail(to, &mail);
	tell_sent(j, at, &mail);
	return OK;
}

int
mail_send(struct job *j, const struct run_event *at, const struct task_mail *m,
    size_t *receivers, struct err *e)
{
	struct mailer *from = mail_attach(j->run, e);
	struct changes own;
	int rc;

	*receivers = 0;
	if (from == NULL)
		return e->code;
	if (j->plan->durability != DURABILITY_EXIT)
		return prepare(j, &j->changes, at, from, m, receivers, e);
	changes_init(&own);
	rc = prepare(j, &own, at, from, m, receivers, e);
	if (rc == OK)
		record_these(j->run, &own);
	changes_release(&own);
	return rc;
}

int
host_mail_send(void *ctx, const struct task_mail *m, size_t *receivers, struct err *e)
{
	struct job_task *t = ctx;
	struct run_event at = job_event(t, EVENT_CUSTOM);

	return mail_send(t->job, &at, m, receivers, e);
}

int
job_mail(void *ctx, const struct run_event *at, const struct task_mail *m, struct err *e)
{
	size_t receivers;

	return mail_send(ctx, at, m, &receivers, e);
}
