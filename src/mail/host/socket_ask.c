/*
 * socket_ask.c - what a client of the socket asks of the server: to be an agent, acks, its
 * end.
 *
 *   register  who -> owner -> spawn -> mailbox -> AGENT
 *   attach    who -> owner -----------^
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/fields.h"
#include "base/mem.h"
#include "mail/host/socket_priv.h"
#include "mail/host/spec_read.h"

bool
client_is_ask(const struct acl *m)
{
	return m->act == ACL_REQUEST && m->receivers_n == 1 && str_eq(m->receivers[0], AMS);
}

/* ---- the answer ---------------------------------------------------------------------- */

static void
asked(struct client *c)
{
	c->asking = false;
	c->reply_with = c->attach = STR_NONE;
	arena_release(&c->arena);
	client_settle(c);
}

static void
refuse(struct client *c, int rc, const struct err *e)
{
	client_tell_error(c, ACL_FAILURE, c->reply_with, rc, e->text[0] != '\0' ? e->text :
	    rc_text(rc), 0);
	asked(c);
}

static void
grant(struct client *c, struct buf *content)
{
	client_tell(c, ACL_INFORM, c->reply_with, buf_str(content));
	buf_release(content);
	asked(c);
}

/* ---- becoming an agent ----------------------------------------------------------------- */

void
client_opened(struct client *c, int rc, const struct uuid *id, const struct err *e)
{
	struct buf b = BUF(KB);

	if (rc < 0) {
		refuse(c, rc, e);
		return;
	}
	if (c->pipe != NULL)
		c->state = CLIENT_AGENT;
	c->agent = *id;
	json_add_fmt(&b, "{'agent_id':'");
	uuid_add(&b, id);
	buf_lit(&b, "\"}");
	grant(c, &b);
}

static void
spawned(struct office_spawn *s, int rc, const struct err *e)
{
	struct client *c = CONTAINER_OF(s, struct client, spawn);
	struct str id = { arena_alloc(&c->arena, UUID_TEXT), UUID_TEXT };

	if (rc < 0 || !c->reads || c->pipe == NULL || id.p == NULL) {
		client_opened(c, rc, &s->spec.id, e);
		return;
	}
	uuid_format(&s->spec.id, (char *)id.p);
	client_read_mailbox(c, id);
}

static void
join(struct client *c)
{
	struct office *o = c->bay->o;
	struct uuid id;
	struct err e = { 0 };
	int rc;

	if (c->attach.n == 0) {
		c->spawn.spec.owner = c->owner;
		c->spawn.spec.subject = str_of(c->subject);
		c->spawn.spec.kind = S("external");
		c->spawn.done = spawned;
		office_spawn(o, &c->spawn);
	} else if (c->reads) {
		client_read_mailbox(c, c->attach);
	} else {
		rc = external_id(o, c->owner, c->attach, &id, &e);
		client_opened(c, rc, &id, &e);
	}
}

static void
interned(struct store_cmd *cmd)
{
	struct client *c = CONTAINER_OF(cmd, struct client, intern.cmd);

	c->owner = c->intern.id;
	if (cmd->rc < 0 || c->pipe == NULL)
		refuse(c, cmd->rc, &cmd->err);
	else
		join(c);
}

static void
find_owner(struct client *c)
{
	struct bay *y = c->bay;
	struct str subject = str_of(c->subject);
	struct err e = { 0 };
	int rc = OK;

	c->owner = 0;
	if (subject.n > 0)
		rc = store_owner_find(y->reader, subject, &c->owner);
	if (rc == OK) {
		join(c);
		return;
	}
	if (rc == ERR_NOTFOUND) {
		c->intern = (struct store_owner_intern){ .subject = subject, .cmd = {
		    .op = STORE_OWNER_INTERN, .arena = &c->arena, .done = interned } };
		rc = store_submit(y->ms->store, y->o->shard, &c->intern.cmd, false);
	}
	if (rc < 0) {
		err_set(&e, rc, "the store is busy; try again");
		refuse(c, rc, &e);
	}
}

/* Whoever comes here registers, sends and reads. */
static int
authorise(struct client *c, const struct principal *who, struct err *e)
{
	static const enum access all[] = { AGENTS_CREATE, MESSAGES_SEND, MESSAGES_READ };
	struct policy *p = c->bay->ms->policy;
	struct grant g;
	int rc = principal_is_worker(who) ? err_set(e, ERR_DENIED, "a worker's key opens no "
	    "mailbox") : OK;

	for (size_t i = 0; p != NULL && rc == OK && i < COUNT(all); i++)
		rc = policy_ask(p, all[i], who, &c->arena, &g, e);
	return rc;
}

static void
known(struct client *c, const struct principal *who)
{
	msec now = office_now(c->bay->o);

	free(c->subject);
	free(c->shown);
	c->subject = mem_cstr(who->subject);
	c->shown = mem_cstr(who->shown);
	c->who = *who;
	c->who.shown = str_of(c->shown);
	if (who->again != NEVER)
		shard_timer_set(c->bay->o->shard, &c->expiry,
		    who->again > now ? who->again - now : 0);
	find_owner(c);
}

static void
auth_asked(struct auth_wait *w)
{
	struct client *c = CONTAINER_OF(w, struct client, auth_wait);
	struct principal who;
	struct err e = { 0 };
	int rc;

	c->shows.asked = true;
	rc = auth_check(c->bay->ms->auth, &c->shows, office_now(c->bay->o), &c->arena, &who, &e);
	if (rc == OK)
		rc = authorise(c, &who, &e);
	if (rc < 0 || c->pipe == NULL)
		refuse(c, rc, &e);
	else
		known(c, &who);
}

static void
authenticate(struct client *c, struct str token)
{
	struct principal who;
	struct err e = { 0 };
	int rc;

	c->shows = (struct credentials){ .authorization = token.n > 0 ?
	    arena_join(&c->arena, S("Bearer "), STR_NONE, token) : STR_NONE };
	rc = auth_check(c->bay->ms->auth, &c->shows, office_now(c->bay->o), &c->arena, &who, &e);
	if (rc == OK)
		rc = authorise(c, &who, &e);
	if (rc == OK) {
		known(c, &who);
		return;
	}
	c->auth_wait = (struct auth_wait){ .shard = c->bay->o->shard, .done = auth_asked };
	if (rc == ERR_AGAIN)
		rc = auth_ask(c->bay->ms->auth, &c->shows, &c->auth_wait, &e);
	if (rc < 0)
		refuse(c, rc, &e);
}

static struct str
read_text(struct client *c, struct fields *f, const char *key, size_t max)
{
	struct str s = STR_NONE;

	fields_str(f, key, max, &s);
	return s.p != NULL ? arena_str(&c->arena, s) : STR_NONE;
}

static int
op_register(struct client *c, struct fields *f)
{
	struct str token = read_text(c, f, "token", LIMIT_HTTP_HEADER_BYTES);

	c->spawn = (struct office_spawn){ .spec.durable = true };
	office_spec_read(f, &c->arena, &c->spawn.spec);
	fields_bool(f, "read", &c->reads);
	if (fields_end(f) == OK)
		authenticate(c, token);
	return f->rc;
}

static int
op_attach(struct client *c, struct fields *f)
{
	struct str token = read_text(c, f, "token", LIMIT_HTTP_HEADER_BYTES);

	c->attach = read_text(c, f, "agent", LIMIT_NAME_BYTES);
	fields_bool(f, "read", &c->reads);
	if (c->attach.n == 0)
		fields_fail(f, "agent", ERR_INVALID, "expected the id or name of an agent");
	if (fields_end(f) == OK)
		authenticate(c, token);
	return f->rc;
}

/* ---- an agent's --------------------------------------------------------------------------- */

static struct str
own_id(struct client *c)
{
	char *id = arena_alloc(&c->arena, UUID_TEXT);

	assert(id != NULL);                  /* the arena has room for what was read */
	uuid_format(&c->agent, id);
	return (struct str){ id, UUID_TEXT };
}

static void
acked(void *ctx, int rc, size_t n, const struct err *e)
{
	struct client *c = ctx;
	struct buf b = BUF(KB);

	if (rc < 0) {
		refuse(c, rc, e);
		return;
	}
	json_add_fmt(&b, "{'acked':%zu}", n);
	grant(c, &b);
}

static struct uuid *
read_ids(struct client *c, struct fields *f, jnode array, size_t n)
{
	struct json_iter it = json_each(array);
	struct uuid *ids = arena_zero(&c->arena, n * sizeof *ids);

	assert(ids != NULL);
	for (size_t i = 0; i < n && json_next(&it); i++)
		if (!uuid_parse(json_str(it.value), &ids[i]))
			fields_fail(f, "message_ids", ERR_INVALID, "expected UUIDs");
	return ids;
}

static int
op_ack(struct client *c, struct fields *f)
{
	jnode array = fields_any(f, "message_ids");
	struct str up_to = STR_NONE;
	size_t n = json_count(array);
	struct uuid one, *ids = &one;

	fields_str(f, "up_to", LIMIT_NAME_BYTES, &up_to);
	if (fields_end(f) != OK)
		return f->rc;
	if ((up_to.n > 0) == (array != NULL) || n > LIMIT_PAGE_ROWS ||
	    (array != NULL && (!json_is_array(array) || n == 0)))
		fields_fail(f, "message_ids", ERR_INVALID, "expected an array of 1 to %d "
		    "message_ids, or one as up_to", LIMIT_PAGE_ROWS);
	else if (up_to.n > 0 && !uuid_parse(up_to, &one))
		fields_fail(f, "up_to", ERR_INVALID, "expected a UUID");
	else if (up_to.n == 0)
		ids = read_ids(c, f, array, n);
	if (f->rc == OK)
		external_ack(c->bay->o, c->owner, own_id(c), ids, up_to.n > 0 ? 1 : n,
		    up_to.n > 0, acked, c);
	return f->rc;
}

static void
stopped(void *ctx, int rc, const struct err *e)
{
	struct client *c = ctx;
	struct buf b = BUF(KB);

	c->stopping = false;
	if (rc < 0) {
		refuse(c, rc, e);
		return;
	}
	buf_lit(&b, "{}");
	if (c->pipe != NULL) {
		client_tell(c, ACL_INFORM, c->reply_with, buf_str(&b));
		pipe_close(c->pipe);
	}
	buf_release(&b);
	asked(c);
}

static int
op_stop(struct client *c, struct fields *f)
{
	c->stopping = fields_end(f) == OK;
	if (c->stopping)
		office_stop(c->bay->o, c->owner, own_id(c), false, 0, stopped, c);
	return f->rc;
}

/* ---- the door ------------------------------------------------------------------------------ */

static const struct {
	enum client_state state;             /* that it is for */
	int (*run)(struct client *c, struct fields *f);
} ops[] = {
	{ CLIENT_STRANGER, op_register }, { CLIENT_STRANGER, op_attach },
	{ CLIENT_AGENT, op_ack }, { CLIENT_AGENT, op_stop },
};
static const char *const op_names[] = { "register", "attach", "ack", "stop", NULL };

/* Begins one, and answers what is wrong with it at once. */
static int
run_op(struct client *c, struct fields *f)
{
	int op = -1;

	fields_enum(f, "op", op_names, &op);
	if (op < 0)
		fields_fail(f, "op", ERR_INVALID, "expected register, attach, ack or stop");
	else if (ops[op].state != c->state)
		fields_fail(f, "op", ERR_CONFLICT, "%s", c->state == CLIENT_AGENT ?
		    "this connection is an agent already" :
		    "expected register or attach before it");
	return f->rc == OK ? ops[op].run(c, f) : f->rc;
}

void
client_ask(struct client *c, const struct acl *m)
{
	struct json_doc d = { 0 };
	struct fields f;
	struct err e = { 0 };
	int rc = m->content.n > 0 ? json_parse(&d, m->content, &e) :
	    err_set(&e, ERR_INVALID, "content: missing");

	assert(!c->asking);
	c->asking = true;
	c->reads = true;
	c->attach = STR_NONE;
	c->reply_with = arena_str(&c->arena, m->reply_with);
	client_settle(c);
	fields_open(&f, d.root, "content", &e);
	if (rc == OK)
		rc = f.rc != OK ? f.rc : run_op(c, &f);
	if (rc < 0)
		refuse(c, rc, &e);
	json_release(&d);
}
