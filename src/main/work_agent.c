/*
 * work_agent.c - see work_agent.h.
 *
 *   subscribe --> READING --the last event's number--> LISTENING --news--> READING ...
 *                    | it failed: refuse                   | cancel, the subscriber is gone
 *                    v                                     v
 *                  (freed) <--- nothing is under way --- LEAVING
 *
 * It listens before its first read, so that no commit is missed.  Each event of the project
 * by which an item became ready is an `inform` with the event as content.  A subscription
 * lives in memory, on its subscriber's shard.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/work_agent.h"

#include <assert.h>

#include "base/list.h"
#include "base/mem.h"
#include "work/host/guest.h"

#define READ_BYTES (LIMIT_WORK_MEMORY_BYTES + MB)

struct work_agent {
	struct office *o;
	struct store *st;
	struct list subscriptions;
	bool draining;
	void (*drained)(void *ctx);
	void *drained_ctx;
};

struct subscription {
	struct list in;
	struct work_agent *w;
	owner_t owner;
	struct uuid subscriber;
	struct str conversation, reply_with; /* behind this struct */
	struct work_listener listener;
	struct work_cmd cmd;
	struct arena arena;                  /* of one read */
	char project[LIMIT_WORK_PROJECT_BYTES + 1];
	int64_t after;                       /* the last event that was looked at; -1: none yet */
	bool reading, more, listening, posted, leaving;
};

static void hear(void *ctx, owner_t owner, const struct uuid *sender, const struct acl *m);
static const struct office_system work_system = { "work", hear };

/* ---- leaving ------------------------------------------------------------------------ */

static void
drain_check(struct work_agent *w)
{
	void (*drained)(void *ctx) = w->drained;

	if (drained == NULL || !list_empty(&w->subscriptions))
		return;
	w->drained = NULL;
	drained(w->drained_ctx);
}

static void
release(struct subscription *s)
{
	struct work_agent *w = s->w;

	if (s->reading || s->posted)
		return;
	list_remove(&s->in);
	arena_release(&s->arena);
	free(s);
	drain_check(w);
}

/* Freed once no read and no notification of it is under way. */
static void
leave(struct subscription *s)
{
	if (s->leaving)
		return;
	s->leaving = true;
	if (s->listening)
		s->posted = work_unlisten(s->w->st, &s->listener);
	s->listening = false;
	release(s);
}

/* ---- telling ------------------------------------------------------------------------- */

static int
tell(struct subscription *s, enum acl_act act, struct str content)
{
	char text[UUID_TEXT];
	const struct str to = { text, UUID_TEXT };
	const struct acl m = { .act = act, .receivers = &to, .receivers_n = 1,
		.content = content, .protocol = S("fipa-subscribe"),
		.conversation_id = s->conversation, .in_reply_to = s->reply_with };

	uuid_format(&s->subscriber, text);
	return office_system_send(s->w->o, &work_system, s->owner, &s->subscriber, &m);
}

static int
tell_rows(struct subscription *s)
{
	struct str rest = s->cmd.data, line;
	int rc = OK;

	while (rc == OK && rest.n > 0 && str_next(&rest, '\n', &line)) {
		struct json_doc d = { 0 };

		if (line.n > 0 && json_parse(&d, line, NULL) == OK) {
			s->after = json_int(json_get(d.root, S("seq")));
			if (json_bool(json_get(d.root, S("ready"))))
				rc = tell(s, ACL_INFORM, line);
		}
		json_release(&d);
	}
	return rc;
}

/* ---- reading -------------------------------------------------------------------------- */

static void read_on(struct subscription *s);

static void
failed(struct subscription *s)
{
	struct buf b = BUF(KB);

	json_add_str(&b, str_of(s->cmd.cmd.err.text));
	(void)tell(s, s->after < 0 ? ACL_REFUSE : ACL_FAILURE, buf_str(&b));
	buf_release(&b);
	leave(s);
}

static void
read_done(struct store_cmd *c)
{
	struct subscription *s = CONTAINER_OF(c, struct subscription, cmd.cmd);
	int64_t before = s->after;

	s->reading = false;
	if (s->leaving) {
		release(s);
	} else if (c->rc != OK) {
		failed(s);
	} else if (before < 0) {
		s->after = s->cmd.last;
		if (tell(s, ACL_AGREE, STR_NONE) != OK)
			leave(s);
		else if (s->more)
			read_on(s);
	} else if (tell_rows(s) != OK) {
		leave(s);
	} else if (s->after < s->cmd.last || s->more) {
		read_on(s);
	}
}

/* While it reads, news is noted; the listener is not told again before it is asked to. */
static void
read_on(struct subscription *s)
{
	int rc;

	s->more = false;
	if (s->posted) {
		s->posted = false;
		work_listen_again(s->w->st, &s->listener);
	}
	arena_clear(&s->arena);
	s->cmd = (struct work_cmd){
		.cmd = { .owner = s->owner, .arena = &s->arena, .done = read_done },
		.project = str_of(s->project), .actor = S("work"),
		.now = shard_wall(office_shard(s->w->o)), .after = s->after };
	s->reading = true;
	rc = work_submit(s->w->st, office_shard(s->w->o), &s->cmd);
	if (rc != OK) {
		s->reading = false;
		err_set(&s->cmd.cmd.err, rc, "the tracker is busy");
		failed(s);
	}
}

static void
on_news(struct shard_job *job)
{
	struct subscription *s = CONTAINER_OF(job, struct subscription, listener.job);

	s->posted = true;
	if (s->leaving) {
		s->posted = false;
		release(s);
	} else if (s->reading) {
		s->more = true;
	} else {
		read_on(s);
	}
}

/* ---- subscribing ----------------------------------------------------------------------- */

static struct subscription *
find(struct work_agent *w, owner_t owner, const struct uuid *sender, struct str conversation)
{
	for (struct list *l = w->subscriptions.next; l != &w->subscriptions; l = l->next) {
		struct subscription *s = CONTAINER_OF(l, struct subscription, in);

		if (!s->leaving && s->owner == owner && uuid_eq(&s->subscriber, sender) &&
		    str_eq(s->conversation, conversation))
			return s;
	}
	return NULL;
}

/* {"project": NAME}, or nothing: the usual one. */
static int
read_content(struct str content, char project[], struct err *e)
{
	struct json_doc d = { 0 };
	struct str name = S(WORK_PROJECT);
	struct json_iter it;
	int rc = content.n > 0 ? json_parse(&d, content, e) : OK;

	if (rc == OK && d.root != NULL && !json_is_object(d.root))
		rc = err_set(e, ERR_INVALID, "content: expected {\"project\": NAME}");
	for (it = json_each(d.root); rc == OK && json_next(&it); )
		if (!str_eq(json_str(it.key), S("project")) || !json_is_string(it.value))
			rc = err_set(e, ERR_INVALID, "content: expected {\"project\": NAME}, got "
			    "a member \"%.*s\"", FMT(str_cut(json_str(it.key), LIMIT_NAME_BYTES)));
		else
			name = json_str(it.value);
	if (rc == OK)
		rc = work_project_check(name, e);
	if (rc == OK) {
		memcpy(project, name.p, name.n);
		project[name.n] = '\0';
	}
	json_release(&d);
	return rc;
}

static void
refuse(struct subscription *s, const struct err *e)
{
	struct buf b = BUF(KB);

	json_add_str(&b, str_of(e->text));
	(void)tell(s, ACL_REFUSE, buf_str(&b));
	buf_release(&b);
	leave(s);
}

static void
subscribe(struct work_agent *w, owner_t owner, const struct uuid *sender, const struct acl *m)
{
	struct subscription *s = mem_zero(sizeof *s + m->conversation_id.n + m->reply_with.n);
	char *at = (char *)(s + 1);
	struct err e;

	s->w = w;
	s->owner = owner;
	s->subscriber = *sender;
	s->after = -1;
	s->arena = (struct arena)ARENA(READ_BYTES);
	s->conversation = str_put(&at, m->conversation_id);
	s->reply_with = str_put(&at, m->reply_with);
	list_append(&w->subscriptions, &s->in);
	if (read_content(m->content, s->project, &e) != OK) {
		refuse(s, &e);
		return;
	}
	s->listener = (struct work_listener){ .shard = office_shard(w->o), .job.run = on_news,
		.owner = owner, .project = str_of(s->project) };
	work_listen(w->st, &s->listener);
	s->listening = true;
	read_on(s);
}

static void
not_understood(struct work_agent *w, owner_t owner, const struct uuid *sender,
    const struct acl *m)
{
	char text[UUID_TEXT];
	const struct str to = { text, UUID_TEXT };
	const struct acl n = { .act = ACL_NOT_UNDERSTOOD, .receivers = &to, .receivers_n = 1,
		.content = S("\"expected subscribe or cancel, with protocol fipa-subscribe and a "
		    "conversation_id\""), .protocol = m->protocol,
		.conversation_id = m->conversation_id, .in_reply_to = m->reply_with };

	uuid_format(sender, text);
	(void)office_system_send(w->o, &work_system, owner, sender, &n);
}

static void
hear(void *ctx, owner_t owner, const struct uuid *sender, const struct acl *m)
{
	struct work_agent *w = ctx;
	struct subscription *s = find(w, owner, sender, m->conversation_id);

	if (w->draining)
		return;
	if (s != NULL && m->act == ACL_CANCEL) {
		s->reply_with = m->reply_with;       /* it is this that is answered now */
		(void)tell(s, ACL_INFORM, STR_NONE);
		s->reply_with = STR_NONE;
		leave(s);
	} else if (s == NULL && m->act == ACL_SUBSCRIBE && m->conversation_id.n > 0 &&
	    str_eq(m->protocol, S("fipa-subscribe"))) {
		subscribe(w, owner, sender, m);
	} else if (m->act != ACL_NOT_UNDERSTOOD) {
		not_understood(w, owner, sender, m);
	}
}

struct work_agent *
work_agent_new(struct office *o, struct store *st)
{
	struct work_agent *w = mem_new(struct work_agent);

	w->o = o;
	w->st = st;
	list_init(&w->subscriptions);
	office_system_add(o, &work_system, w);
	return w;
}

void
work_agent_drain(struct work_agent *w, void (*done)(void *ctx), void *ctx)
{
	struct list *next;

	w->draining = true;
	w->drained = done;
	w->drained_ctx = ctx;
	for (struct list *l = w->subscriptions.next; l != &w->subscriptions; l = next) {
		next = l->next;
		leave(CONTAINER_OF(l, struct subscription, in));
	}
	drain_check(w);
}

void
work_agent_free(struct work_agent *w)
{
	free(w);
}
