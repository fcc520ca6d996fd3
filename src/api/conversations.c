/*
 * conversations.c - what the store knows of durable messages: conversations, and dead
 * letters, which are retried or dropped.
 *
 * A page has no total: it says where the next one begins, while there is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include "mail/host/office.h"

#define PAGE_DEFAULT 100

static const char *const states[] = {
	[MAIL_WAITING] = "waiting", [MAIL_DEAD] = "dead", [MAIL_DELIVERED] = "delivered",
	[MAIL_EXPIRED] = "expired", [MAIL_DROPPED] = "dropped",
};

/* ---- showing -------------------------------------------------------------------- */

/* null: a long content is not kept when the message is over. */
static void
add_message(struct buf *b, struct str packed)
{
	struct acl_room room;
	struct acl m;

	json_add_key(b, "message");
	if (packed.n > 0 && acl_unpack(&m, packed, &room, NULL) == OK)
		acl_add_json(&m, b);
	else
		buf_lit(b, "null");
}

static void
add_mail(struct buf *b, const struct store_mail_found *f)
{
	const struct store_letter *l = &f->letter;

	json_add_fmt(b, ",{");
	show_id(b, "message_id", &l->id);
	show_id(b, "sender", &l->sender);
	show_id(b, "receiver", &l->to);
	json_add_fmt(b, ",'state':%s,'letters':%lld,'waiting':%lld,'dead':%lld",
	    states[l->state], (long long)f->letters, (long long)f->waiting,
	    (long long)f->dead);
	show_time(b, "created_at", l->created);
	add_message(b, l->packed);
	buf_add_char(b, '}');
}

static void
add_dead(struct buf *b, const struct store_mail_found *f, msec now)
{
	const struct store_letter *l = &f->letter;

	json_add_fmt(b, ",{");
	show_id(b, "message_id", &l->id);
	show_id(b, "receiver", &l->to);
	json_add_fmt(b, ",'reason':%s,'tries':%u,'age':%lld", mail_dead_names[l->reason],
	    l->tries, (long long)(now - l->since));
	show_time(b, "created_at", l->created);
	show_time(b, "dead_at", l->since);
	add_message(b, l->packed);
	buf_add_char(b, '}');
}

/* ---- pages ------------------------------------------------------------------------ */

static int
mail_listed(struct call *c)
{
	const struct store_mail_list *op = &c->op.mail_list;
	size_t n = op->found_n, limit = (size_t)op->limit - 1;
	bool dead = op->conversation.n == 0 && !op->all;
	struct str lines = STR_NONE;
	struct buf *b;

	if (n == 0 && op->conversation.n > 0 && op->offset == 0)
		return err_set(&c->err, ERR_NOTFOUND, "no conversation '%.*s', or none of its "
		    "messages is durable", FMT(param_shown(op->conversation)));
	if (!call_has_room(c))
		return OK;
	if (n > limit) {
		n = limit;
		lines = arena_fmt(&c->r->arena, "x-pagination-next: %lld\r\n",
		    (long long)op->offset + (long long)n);
	}
	b = call_out(c);
	buf_add_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (dead)
			add_dead(b, &op->found[i], shard_wall(c->api->shard));
		else
			add_mail(b, &op->found[i]);
	}
	buf_add_char(b, ']');
	return call_json(c, lines);
}

/* One more than the page, to know whether there is a next one. */
static int
mail_list(struct call *c, struct str conversation, bool all)
{
	struct store_mail_list *op = &c->op.mail_list;
	int64_t limit = PAGE_DEFAULT, offset = 0;

	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &limit);
	param_int(c, "offset", 0, INT32_MAX, &offset);
	*op = (struct store_mail_list){ .conversation = conversation, .all = all,
	    .limit = limit + 1, .offset = offset };
	return call_submit(c, STORE_MAIL_LIST, mail_listed);
}

int
api_conversation(struct call *c)
{
	return mail_list(c, c->param[0], false);
}

int
api_message_list(struct call *c)
{
	return mail_list(c, STR_NONE, true);
}

int
api_message_dead_list(struct call *c)
{
	return mail_list(c, STR_NONE, false);
}

/* ---- dead letters -------------------------------------------------------------------- */

static void
retried(void *ctx, int rc, size_t letters, const struct err *e)
{
	struct call *c = ctx;

	if (rc < 0) {
		call_fail(c, rc, e);
		return;
	}
	json_add_fmt(call_out(c), "{'letters':%zu}", letters);
	call_finish(c, call_json(c, STR_NONE));
}

static void
dropped(void *ctx, int rc, size_t letters, const struct err *e)
{
	struct call *c = ctx;

	(void)letters;
	if (rc < 0)
		call_fail(c, rc, e);
	else
		call_empty(c, 204);
}

static int
dead(struct call *c, bool drop, void (*done)(void *ctx, int rc, size_t letters,
    const struct err *e))
{
	struct uuid id;

	if (!uuid_parse(c->param[0], &id))
		return err_set(&c->err, ERR_INVALID, "message_id: expected a UUID, got \"%.*s\"",
		    FMT(param_shown(c->param[0])));
	c->in = NULL;
	office_dead(c->api->office, c->owner, &id, drop, done, c);
	return OK;
}

int
api_message_dead_retry(struct call *c)
{
	return dead(c, false, retried);
}

int
api_message_dead_drop(struct call *c)
{
	return dead(c, true, dropped);
}
