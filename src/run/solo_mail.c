/*
 * solo_mail.c - messages of a run by itself: the caller says who is there, and what
 * comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "run/mail_priv.h"
#include "run/solo_priv.h"

/* Told as a server does: a custom event. */
static void
tell(struct solo *s, const char *direction, struct val message)
{
	struct run_event ev = { .kind = EVENT_CUSTOM, .now = solo_now(s) };
	struct val data = mail_event(direction, message);

	ev.u.custom.data = data;
	if (s->o->told != NULL)
		s->o->told(s->o->ctx, &ev);
	val_drop(data);
}

static int
send(struct solo *s, const struct mail_made *x, struct err *e)
{
	struct buf json = BUF(2 * (size_t)LIMIT_ACL_BYTES);
	struct val message;

	for (size_t i = 0; i < x->acl.receivers_n; i++)
		if (s->o->reach == NULL || !s->o->reach(s->o->ctx, x->acl.receivers[i]))
			return err_set(e, ERR_NOTFOUND, "there is no agent '%.*s' here",
			    FMT(x->acl.receivers[i]));
	acl_add_json(&x->acl, &json);
	message = val_json_trusted(buf_str(&json));
	tell(s, "sent", message);
	if (s->o->sent != NULL)
		s->o->sent(s->o->ctx, message);
	val_drop(message);
	buf_release(&json);
	return OK;
}

int
solo_mail(struct solo *s, const struct task_mail *m, size_t *receivers, struct err *e)
{
	struct mail_made x;
	int rc = mail_make(&x, m, solo_now(s), e);

	if (rc == OK)
		rc = send(s, &x, e);
	*receivers = 0;
	/* Nobody knows how many can: more than will answer. */
	for (size_t i = 0; rc == OK && i < x.acl.receivers_n; i++)
		*receivers += str_starts(x.acl.receivers[i], S("all:")) ?
		    LIMIT_MAILBOX_LETTERS_MAX : 1;
	mail_made_release(&x);
	return rc;
}

int
solo_mail_send(void *ctx, const struct task_mail *m, size_t *receivers, struct err *e)
{
	return solo_mail(((struct solo_task *)ctx)->solo, m, receivers, e);
}

/* ---- what comes ---------------------------------------------------------------------- */

/* A task of the conversation, else the chart. */
static void
deliver(struct solo *s, struct val message)
{
	struct buf key = BUF(64 * KB), json = BUF(2 * (size_t)LIMIT_ACL_BYTES);
	struct solo_task *t = s->tasks;

	tell(s, "received", message);
	while (t != NULL && task_event(t->task, S("message"), message, &key) != OK)
		t = t->next;
	if (t != NULL && key.n > 0) {
		val_add_json(&json, message);
		keep_records(&s->keep, t->core, &(struct task_record){ buf_str(&key),
		    S("message"), buf_str(&json) }, 1);
	}
	if (t != NULL)
		task_hear(t->task);
	else
		(void)core_hear(s->core, message);
	buf_release(&key);
	buf_release(&json);
}

/* Nothing in it goes on by itself, or when a time comes. */
static bool
only_listens(const struct solo *s)
{
	msec until = core_due(s->core);

	for (const struct solo_task *t = s->tasks; t != NULL; t = t->next) {
		msec due;

		if (!task_sleeps(t->task, &due))
			return false;
		until = due < until ? due : until;
	}
	return until == CORE_NEVER && (s->tasks != NULL || core_listens(s->core));
}

/* Is there anybody who would hear one? */
static bool
hears(const struct solo *s)
{
	bool yes = core_hears(s->core);

	for (const struct solo_task *t = s->tasks; t != NULL; t = t->next)
		yes = yes || task_hears(t->task);
	return yes;
}

bool
solo_mail_next(struct solo *s)
{
	struct val message = hears(s) ? s->o->letter(s->o->ctx) : VAL_UNDEF;

	if (message.kind != VAL_UNDEFINED) {
		deliver(s, message);
		val_drop(message);
		return true;
	}
	if (!only_listens(s))
		return false;
	s->result->end = SOLO_LISTENS;
	s->over = true;
	return true;
}
