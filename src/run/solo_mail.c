/*
 * solo_mail.c - messages of a run by itself: the caller says who is there, beside the
 * agents that the run has spawned, and what comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "run/mail_priv.h"
#include "run/solo_priv.h"

/* Told as a server does: a custom event. */
static void
tell(struct solo *s, const struct run_event *at, const char *direction, struct val message,
    size_t receivers)
{
	struct note note = solo_note(s);
	struct run_event ev = *at;

	note.at.ns = at->ns;
	note_message(&note, direction, message, receivers);
	ev.now = solo_now(s);
	ev.u.custom.name = STR_NONE;
	ev.u.custom.data = mail_event(direction, message);
	if (s->o->told != NULL)
		s->o->told(s->o->ctx, &ev);
	val_drop(ev.u.custom.data);
}

/* ---- agents -------------------------------------------------------------------------- */

/* Where an address is in the list of those that were spawned: [[address, ...], ...]. */
static size_t
spawned_at(const struct solo *s, struct str address)
{
	for (size_t i = 0; i < val_count(s->spawned); i++) {
		struct val one = val_at(s->spawned, i);

		for (size_t k = 0; k < val_count(one); k++)
			if (str_eq(val_str(val_at(one, k)), address))
				return i;
	}
	return SIZE_MAX;
}

static bool
is_there(const struct solo *s, struct str address)
{
	return s->o->reach != NULL &&
	    (spawned_at(s, address) != SIZE_MAX || s->o->reach(s->o->ctx, address));
}

static struct val
add_address(struct val list, const char *before, struct str name)
{
	struct buf b = BUF(2 * LIMIT_NAME_BYTES);

	buf_add(&b, str_of(before));
	buf_add(&b, name);
	list = val_push_take(list, val_string(buf_str(&b)));
	buf_release(&b);
	return list;
}

/* The folder of its definition need not be read here. */
static int
spawn(struct solo *s, const struct task_peer *p, struct err *e)
{
	struct val one = val_array_empty();
	char id[UUID_TEXT];

	if (s->o->reach == NULL)
		return err_set(e, ERR_NOTFOUND, "other agents need a server");
	if (p->name.n > 0 && is_there(s, p->name))
		return err_set(e, ERR_CONFLICT, "the name \"%.*s\" is taken",
		    FMT(str_cut(p->name, 100)));
	uuid_format(&p->id, id);
	one = add_address(one, "", (struct str){ id, UUID_TEXT });
	if (p->name.n > 0)
		one = add_address(one, "", p->name);
	for (size_t i = 0; i < p->capabilities_n; i++) {
		one = add_address(one, "cap:", p->capabilities[i]);
		one = add_address(one, "all:", p->capabilities[i]);
	}
	s->spawned = val_push_take(s->spawned, one);
	return OK;
}

/* An agent that the caller has is there for good. */
static int
stop(struct solo *s, const struct task_peer *p, struct err *e)
{
	size_t at = spawned_at(s, p->agent);
	struct val left = val_array_empty();

	if (!is_there(s, p->agent))
		return err_set(e, ERR_NOTFOUND, "there is no agent '%.*s' here",
		    FMT(str_cut(p->agent, 100)));
	for (size_t i = 0; i < val_count(s->spawned); i++)
		if (i != at)
			left = val_push_take(left, val_ref(val_at(s->spawned, i)));
	val_drop(s->spawned);
	s->spawned = left;
	return OK;
}

void
solo_peer(void *ctx, struct task_peer *p)
{
	struct solo *s = ((struct solo_task *)ctx)->solo;
	struct err e;
	int rc = p->op == TASK_PEER_SPAWN ? spawn(s, p, &e) : stop(s, p, &e);

	p->done(p, rc, rc == OK ? NULL : &e);
}

void
solo_peer_forget(void *ctx, struct task_peer *p)
{
	(void)ctx;
	(void)p;
}

/* ---- what it sends ------------------------------------------------------------------- */

/* Nobody knows how many can do it: more than will answer. */
static int
count(const struct solo *s, const struct acl *m, size_t *receivers, struct err *e)
{
	for (size_t i = 0; i < m->receivers_n; i++) {
		struct str to = m->receivers[i];

		if (!is_there(s, to))
			return err_set(e, ERR_NOTFOUND, "there is no agent '%.*s' here", FMT(to));
		*receivers += str_starts(to, S("all:")) ? LIMIT_MAILBOX_LETTERS_MAX : 1;
	}
	return OK;
}

int
solo_mail(struct solo *s, const struct run_event *at, const struct task_mail *m,
    size_t *receivers, struct err *e)
{
	struct buf content = BUF(LIMIT_ACL_BYTES);
	struct acl_room room;
	struct val message;
	struct acl acl;
	int rc = mail_compose(&acl, m->to, m->act, m->fields, solo_now(s), &room, &content, e);

	*receivers = 0;
	if (rc == OK && s->replay != NULL)
		*receivers = replay_sent(s);
	else if (rc == OK)
		rc = count(s, &acl, receivers, e);
	if (rc == OK) {
		message = mail_value(&acl);
		tell(s, at, "sent", message, *receivers);
		if (s->o->sent != NULL)
			s->o->sent(s->o->ctx, message);
		val_drop(message);
	}
	buf_release(&content);
	return rc;
}

int
solo_mail_send(void *ctx, const struct task_mail *m, size_t *receivers, struct err *e)
{
	struct run_event at = solo_event(ctx, EVENT_CUSTOM);

	return solo_mail(((struct solo_task *)ctx)->solo, &at, m, receivers, e);
}

/* ---- what comes ---------------------------------------------------------------------- */

/* A task of the conversation, else the chart. */
void
solo_hear(struct solo *s, struct val message)
{
	struct buf key = BUF(64 * KB), json = BUF(2 * (size_t)LIMIT_ACL_BYTES);
	struct run_event at = core_root_event(s->core, EVENT_CUSTOM);
	struct solo_task *t = s->tasks;

	tell(s, &at, "received", message, 0);
	while (t != NULL && task_event(t->task, S("message"), message, &key) != OK)
		t = t->next;
	if (t != NULL && key.n > 0) {
		val_add_json(&json, message);
		keep_records(&s->keep, t->core, &(struct task_record){ buf_str(&key),
		    S("message"), buf_str(&json) }, 1);
	}
	if (t != NULL)
		task_hear(t->task);
	else if (core_takes(s->core))
		core_hear(s->core, message);
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

/* Would the chart or a task take a message now? */
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
		solo_hear(s, message);
		val_drop(message);
		return true;
	}
	if (!only_listens(s))
		return false;
	s->result->end = SOLO_LISTENS;
	s->over = true;
	return true;
}
