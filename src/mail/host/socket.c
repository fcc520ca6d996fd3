/*
 * socket.c - see socket.h.
 *
 *                register, attach                    hung up, by whomever
 *   STRANGER ----------------------------> AGENT ---------------------------> GONE
 *                                                     nothing is under way any more: freed
 *
 * While something is asked of the server, or LIMIT_MAIL_SENDS messages are on their way, no more
 * is read.  Room for further letters is given back when the client has taken what was
 * written; so what waits for a slow one has a bound, and the rest stays in the mailbox.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "mail/host/socket_priv.h"

#define IN_MAX     (2 * (size_t)LIMIT_ACL_BYTES)     /* JSON has escapes */
#define OUT_MAX    (8 * MB)                  /* a letter or two beyond the room */
#define ASK_BYTES  (256 * KB)
#define SPARES_MAX 64                        /* struct sent kept for reuse */

/* A message on its way; the answer needs its reply_with. */
struct sent {
	struct office_send s;
	struct client *c;
	struct sent *next;                   /* spare */
	bool durable;
	size_t n;
	char reply_with[LIMIT_ACL_PARAM_BYTES];
};

static void
check_client(const struct client *c)
{
	assert(c->bay != NULL && (c->state == CLIENT_GONE) == (c->pipe == NULL));
	assert(c->sends <= LIMIT_MAIL_SENDS);
}

/* ---- telling ---------------------------------------------------------------------- */

/* y->out has the message in the client's form. */
static void
write_out(struct client *c)
{
	struct buf *out = &c->bay->out;

	if (c->framing == FRAMING_LINES)
		buf_add_char(out, '\n');
	if (!out->failed)
		pipe_write(c->pipe, buf_str(out));
	if (out->cap > 64 * KB)
		buf_release(out);
	buf_clear(out);
	out->failed = false;
}

static void
add_message(struct client *c, const struct acl *m)
{
	if (c->framing == FRAMING_LINES)
		acl_add_json(m, &c->bay->out);
	else
		acl_add_frame(m, &c->bay->out);
	write_out(c);
}

void
client_tell(struct client *c, enum acl_act act, struct str in_reply_to, struct str content)
{
	char id[UUID_TEXT];
	struct str to = { id, UUID_TEXT };
	struct acl m = { .act = act, .sender = AMS, .receivers = &to,
	    .receivers_n = c->state == CLIENT_AGENT, .in_reply_to = in_reply_to,
	    .content = content, .message_id = uuid_v7(), .created = office_now(c->bay->o) };

	if (c->pipe == NULL)
		return;
	uuid_format(&c->agent, id);
	add_message(c, &m);
}

void
client_tell_error(struct client *c, enum acl_act act, struct str in_reply_to, int rc,
    const char *words, msec retry_after)
{
	struct buf b = BUF(4 * KB);

	json_add_fmt(&b, "{'code':%s,'detail':%s", rc_name(rc), words);
	if (retry_after > 0)
		json_add_fmt(&b, ",'retry_after':%lld", (long long)retry_after);
	buf_add_char(&b, '}');
	client_tell(c, act, in_reply_to, buf_str(&b));
	buf_release(&b);
}

/* ---- the end of a client ------------------------------------------------------------- */

static void
client_free(struct client *c)
{
	struct bay *y = c->bay;

	check_client(c);
	arena_release(&c->arena);
	free(c->subject);
	free(c->shown);
	free(c);
	y->clients--;
	if (y->hung_up && y->clients == 0)
		y->drained(y->drained_ctx);
}

void
client_settle(struct client *c)
{
	bool busy = c->asking || c->sends > 0;

	check_client(c);
	if (c->state == CLIENT_GONE) {
		if (!busy && !c->reading)
			client_free(c);
		return;
	}
	pipe_hold(c->pipe, c->asking || c->sends == LIMIT_MAIL_SENDS);
}

static void
on_closed(void *user)
{
	struct client *c = user;

	check_client(c);
	c->state = CLIENT_GONE;
	c->pipe = NULL;
	shard_timer_cancel(c->bay->o->shard, &c->expiry);
	if (c->reading)
		external_close(&c->reader);
	client_settle(c);
}

static void
on_expiry(struct wheel_timer *t)
{
	struct client *c = CONTAINER_OF(t, struct client, expiry);
	struct shard *s = c->bay->o->shard;
	msec now = office_now(c->bay->o);

	if (auth_again(c->bay->ms->auth, &c->who, s, now) == OK) {
		shard_timer_set(s, t, c->who.again > now ? c->who.again - now : 0);
		return;
	}
	client_tell_error(c, ACL_FAILURE, STR_NONE, ERR_UNAUTH, "the token has expired", 0);
	pipe_close(c->pipe);
}

/* ---- its mailbox ------------------------------------------------------------------------ */

static void
give_room(struct client *c)
{
	if (!c->reading || c->owed == 0 || pipe_unsent(c->pipe) > PIPE_LOW)
		return;
	external_room(&c->reader, c->owed);
	c->owed = 0;
}

static void
on_sent(void *user)
{
	give_room(user);
}

static void
reader_came(struct external_reader *r, const struct external_letter *at, size_t n)
{
	struct client *c = CONTAINER_OF(r, struct client, reader);

	check_client(c);
	for (size_t i = 0; i < n; i++) {
		struct str packed = at[i].packed;
		const unsigned char head[ACL_FRAME_HEAD] = { (unsigned char)(packed.n >> 24),
		    (unsigned char)(packed.n >> 16), (unsigned char)(packed.n >> 8),
		    (unsigned char)packed.n };
		struct acl_room room;
		struct acl m;

		c->owed += (int64_t)packed.n;
		if (c->framing == FRAMING_FRAMES) {
			pipe_write(c->pipe, (struct str){ (const char *)head, sizeof head });
			pipe_write(c->pipe, packed);
		} else if (acl_unpack(&m, packed, &room, NULL) == OK) {
			add_message(c, &m);
		}
	}
	give_room(c);
}

static void
reader_opened(struct external_reader *r, int rc, const struct uuid *id, const struct err *e)
{
	struct client *c = CONTAINER_OF(r, struct client, reader);

	c->opening = false;
	c->reading = rc == OK;
	client_opened(c, rc, id, e);
}

static void
reader_ended(struct external_reader *r, int rc)
{
	struct client *c = CONTAINER_OF(r, struct client, reader);

	c->reading = false;
	if (c->opening)                      /* the client left before */
		c->opening = c->asking = false;
	if (c->pipe != NULL && !c->stopping) {       /* else its answer is the end */
		client_tell_error(c, ACL_FAILURE, STR_NONE, rc, rc == ERR_CONFLICT ?
		    "another reader of this mailbox came" : "the agent has stopped", 0);
		pipe_close(c->pipe);
	}
	client_settle(c);
}

void
client_read_mailbox(struct client *c, struct str agent)
{
	c->reader = (struct external_reader){ .owner = c->owner, .agent = agent,
	    .room = LIMIT_MAILBOX_ROOM_BYTES, .batch_timeout = BATCH_SET, .opened = reader_opened, .come = reader_came,
	    .ended = reader_ended };
	c->reading = c->opening = true;
	external_open(c->bay->o, &c->reader);
}

/* ---- its messages ------------------------------------------------------------------------- */

static struct sent *
sent_new(struct bay *y)
{
	struct sent *x = y->spares;

	if (x == NULL)
		return mem_alloc(sizeof *x);
	y->spares = x->next;
	y->spares_n--;
	return x;
}

static void
sent_free(struct bay *y, struct sent *x)
{
	if (y->spares_n == SPARES_MAX) {
		free(x);
		return;
	}
	x->next = y->spares;
	y->spares = x;
	y->spares_n++;
}

static void
sent_done(struct office_send *s, int rc, const struct err *e)
{
	struct sent *x = CONTAINER_OF(s, struct sent, s);
	struct str reply_with = { x->reply_with, x->n };
	struct client *c = x->c;
	struct buf b = BUF(KB);

	if (rc < 0) {
		client_tell_error(c, ACL_FAILURE, reply_with, rc, e->text, s->retry_after);
	} else if (x->durable) {
		json_add_fmt(&b, "{'message_id':'");
		uuid_add(&b, &s->message_id);
		json_add_fmt(&b, "','receivers':%u}", s->letters);
		client_tell(c, ACL_INFORM, reply_with, buf_str(&b));
		buf_release(&b);
	}
	c->sends--;
	sent_free(c->bay, x);
	client_settle(c);
}

static void
send_message(struct client *c, const struct acl *m)
{
	struct sent *x = sent_new(c->bay);

	x->s = (struct office_send){ .owner = c->owner, .subject = str_of(c->subject),
	    .sender = c->agent, .m = m, .done = sent_done };
	x->c = c;
	x->durable = m->delivery.durable;
	x->n = m->reply_with.n;
	assert(x->n <= sizeof x->reply_with);
	if (x->n > 0)
		memcpy(x->reply_with, m->reply_with.p, x->n);
	c->sends++;
	client_settle(c);
	office_send(c->bay->o, &x->s);
}

static void
take_message(struct client *c, const struct acl *m)
{
	if (client_is_ask(m))
		client_ask(c, m);
	else if (c->state == CLIENT_AGENT)
		send_message(c, m);
	else
		client_tell_error(c, ACL_FAILURE, m->reply_with, ERR_UNAUTH, "expected a request "
		    "to ams first, whose content is an object with op register or attach", 0);
}

/* FIPA's answer to what is ill-formed; never to another such answer. */
static void
not_understood(struct client *c, bool answerable, int rc, const struct err *e)
{
	if (answerable)
		client_tell_error(c, ACL_NOT_UNDERSTOOD, STR_NONE, rc, e->text, 0);
}

static void
read_line(struct client *c, struct str line)
{
	struct arena *a = &c->bay->arena;
	struct json_doc d = { 0 };
	struct acl_room room;
	struct acl m;
	struct err e = { 0 };
	int rc = json_parse(&d, line, &e);

	if (rc == OK)
		rc = acl_from_json(&m, d.root, false, a, &room, &e);
	if (rc == OK)
		take_message(c, &m);
	else
		not_understood(c, !str_eq(json_str(json_get(d.root, S("performative"))),
		    S("not-understood")), rc, &e);
	json_release(&d);
	arena_clear(a);
}

static void
read_frame(struct client *c, struct str packed)
{
	struct acl_room room;
	struct acl m;
	struct err e = { 0 };
	int rc = acl_from_frame(&m, packed, &room, &e);

	/* The second byte of a packed message is its act. */
	if (rc == OK)
		take_message(c, &m);
	else
		not_understood(c, packed.n < 2 || packed.p[1] != ACL_NOT_UNDERSTOOD, rc, &e);
}

static size_t
on_bytes(void *user, struct str in)
{
	struct client *c = user;
	struct str message;
	struct err e;
	size_t taken;
	int rc = framing_next(&c->framing, in, IN_MAX, &message, &taken);

	check_client(c);
	if (rc == ERR_TOOBIG) {
		err_set(&e, rc, "expected a message of at most %zu bytes", IN_MAX);
		not_understood(c, true, rc, &e);
		pipe_close(c->pipe);
	} else if (rc == ERR_INVALID) {
		err_set(&e, rc, "expected a frame with a message, got one of 0 bytes");
		not_understood(c, true, rc, &e);
	} else if (message.n > 0) {
		(c->framing == FRAMING_LINES ? read_line : read_frame)(c, message);
	}
	return taken;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void *
on_opened(void *ctx, struct pipe_conn *pipe)
{
	struct mail_socket *ms = ctx;
	struct client *c = mem_new(struct client);

	c->bay = &ms->bay[shard_id(pipe_shard(pipe))];
	c->pipe = pipe;
	c->arena = ARENA(ASK_BYTES);
	c->expiry.fire = on_expiry;
	c->bay->clients++;
	return c;
}

int
mail_socket_new(struct mail_socket **out, const char *path, struct auth *auth,
    struct policy *policy, struct store *st, unsigned shards, struct err *e)
{
	static const struct pipe_hooks hooks = { on_opened, on_bytes, on_sent, on_closed };
	const struct pipe_options o = { .path = path, .shards = shards,
	    .conns_max = LIMIT_HTTP_CONNS, .in_max = IN_MAX + 64 * KB, .out_max = OUT_MAX };
	struct mail_socket *ms = mem_zero(sizeof *ms + shards * sizeof *ms->bay);
	int rc;

	ms->auth = auth;
	ms->policy = policy;
	ms->store = st;
	ms->shards = shards;
	*out = ms;
	rc = pipe_server_new(&ms->pipe, &o, &hooks, ms, e);
	if (rc != OK) {
		mail_socket_free(ms);
		*out = NULL;
	}
	return rc;
}

void
mail_socket_attach(struct mail_socket *ms, struct office *o, struct store_reader *r)
{
	struct bay *y = &ms->bay[shard_id(o->shard)];

	y->ms = ms;
	y->o = o;
	y->reader = r;
	y->arena = ARENA(2 * IN_MAX);
	y->out = BUF(16 * MB);
	pipe_server_attach(ms->pipe, o->shard);
}

static void
hung_up(void *ctx)
{
	struct bay *y = ctx;

	y->hung_up = true;
	if (y->clients == 0)
		y->drained(y->drained_ctx);
}

void
mail_socket_drain(struct mail_socket *ms, struct shard *s, void (*done)(void *ctx), void *ctx)
{
	struct bay *y = &ms->bay[shard_id(s)];

	y->drained = done;
	y->drained_ctx = ctx;
	pipe_server_drain(ms->pipe, s, hung_up, y);
}

void
mail_socket_free(struct mail_socket *ms)
{
	if (ms == NULL)
		return;
	pipe_server_free(ms->pipe);
	for (unsigned i = 0; i < ms->shards; i++) {
		struct bay *y = &ms->bay[i];

		assert(y->clients == 0);
		arena_release(&y->arena);
		buf_release(&y->out);
		while (y->spares != NULL) {
			struct sent *x = y->spares;

			y->spares = x->next;
			free(x);
		}
	}
	free(ms);
}
