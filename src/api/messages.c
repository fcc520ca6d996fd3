/*
 * messages.c - messages that clients send: one, or many in one request.
 *
 * A body is JSON, or by its content type
 *   text/x-fipa-acl           one message in FIPA's string encoding
 *   application/x-cohort-acl  frames, as on the Unix socket: length, packed message
 * Of many each has its own result, in order: one that is refused stops none behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>

#include "mail/host/external.h"

struct sent {
	struct office_send s;
	struct sending *of;
	int rc;
	struct str words;                    /* of a failure */
};

/* A request and its messages, in its arena. */
struct sending {
	struct call *c;
	struct uuid sender;                  /* zero: the client itself */
	bool many;
	size_t n, left;                      /* left: not answered yet, and 1 while it sends */
	struct sent *at;
};

/* ---- what a body is ------------------------------------------------------------- */

enum acl_form
call_acl_form(const struct call *c)
{
	static const struct { struct str type; enum acl_form form; } forms[] = {
		{ { "text/x-fipa-acl", 15 }, ACL_STRING },
		{ { "application/x-cohort-acl", 24 }, ACL_FRAMES },
	};
	struct str rest = http_header(c->r, S("content-type")), type = STR_NONE;

	(void)str_next(&rest, ';', &type);
	for (size_t i = 0; i < COUNT(forms); i++)
		if (str_eq_nocase(str_trim(type), forms[i].type))
			return forms[i].form;
	return ACL_JSON;
}

/* ---- answers ---------------------------------------------------------------------- */

static void
add_result(struct buf *b, const struct sent *x)
{
	if (x->rc == OK) {
		json_add_fmt(b, ",{'message_id':'");
		uuid_add(b, &x->s.message_id);
		json_add_fmt(b, "','receivers':%u}", x->s.letters);
		return;
	}
	json_add_fmt(b, ",{'error':{'code':%s,'detail':%.*s", rc_name(x->rc), FMT(x->words));
	if (x->rc == ERR_AGAIN)
		json_add_fmt(b, ",'retry_after':%lld", (long long)x->s.retry_after);
	buf_lit(b, "}}");
}

/* FIPA answers what it does not understand in the same language; but never another
 * answer of that kind. */
static int
answer_not_understood(struct call *c, int rc)
{
	struct buf content = BUF(KB), *b = call_out(c);
	struct acl_room room;
	struct acl m = { .act = ACL_NOT_UNDERSTOOD, .sender = S("ams"),
	    .receivers = room.receivers, .language = S("json") };

	if (c->param[0].n > 0 || c->who.subject.n > 0)
		room.receivers[m.receivers_n++] = c->param[0].n > 0 ? c->param[0] :
		    c->who.subject;
	json_add_str(&content, str_of(c->err.text));
	m.content = buf_str(&content);
	acl_add_text(&m, b);
	call_reply(c, api_status(rc), S("text/x-fipa-acl; charset=utf-8"), STR_NONE,
	    buf_str(b));
	buf_release(&content);
	return OK;
}

static int
answer(struct sending *q)
{
	struct call *c = q->c;
	const struct sent *one = &q->at[0];
	struct buf *b = call_out(c);

	if (!q->many && one->rc < 0)
		return err_set(&c->err, one->rc, "%.*s", FMT(one->words));
	if (q->many)
		buf_lit(b, "{\"results\":[");
	for (size_t i = 0; i < q->n; i++)
		add_result(b, &q->at[i]);
	if (q->many)
		buf_lit(b, "]}");
	return call_json(c, STR_NONE);
}

static void
settled(struct sending *q)
{
	struct call *c = q->c;               /* q is gone with the answer */

	assert(q->left > 0);
	if (--q->left == 0)
		call_finish(c, answer(q));
}

static void
sent(struct office_send *s, int rc, const struct err *e)
{
	struct sent *x = CONTAINER_OF(s, struct sent, s);
	struct sending *q = x->of;

	x->rc = rc;
	if (rc < 0)
		x->words = arena_str(&q->c->r->arena, str_of(e->text));
	settled(q);
}

/* ---- sending ------------------------------------------------------------------------ */

static struct sending *
sending_new(struct call *c, size_t n, bool many)
{
	struct sending *q = arena_new(&c->r->arena, struct sending);

	if (q != NULL)
		q->at = arena_zero(&c->r->arena, n * sizeof *q->at);
	if (q == NULL || q->at == NULL) {
		fields_fail(c->in, NULL, ERR_TOOBIG, "too large");
		return NULL;
	}
	q->c = c;
	q->n = n;
	q->many = many;
	q->left = n + 1;
	for (size_t i = 0; i < n; i++)
		q->at[i].of = q;
	/* Of /agents/{agent}/messages. */
	if (c->param[0].n > 0 && c->in->rc == OK)
		c->in->rc = external_id(c->api->office, c->owner, c->param[0], &q->sender,
		    &c->err);
	return c->in->rc == OK ? q : NULL;
}

/* The ith message was read, or not (rc). */
static void
send_one(struct sending *q, size_t i, int rc, const struct acl *m, const struct err *e)
{
	struct call *c = q->c;
	struct sent *x = &q->at[i];

	x->s = (struct office_send){ .owner = c->owner, .subject = c->who.subject,
	    .sender = q->sender, .m = m, .done = sent };
	if (rc == OK)
		office_send(c->api->office, &x->s);
	else
		sent(&x->s, rc, e);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void
send_json(struct sending *q, size_t i, jnode object)
{
	struct acl_room room;
	struct acl m;
	struct err e = { 0 };
	int rc = acl_from_json(&m, object, false, &q->c->r->arena, &room, &e);

	send_one(q, i, rc, &m, &e);
}

static int
send_object(struct call *c)
{
	struct sending *q = sending_new(c, 1, false);
	jnode object = c->in->node;

	if (q == NULL)
		return c->in->rc;
	c->in = NULL;
	send_json(q, 0, object);
	settled(q);
	return OK;
}

static int
send_array(struct call *c)
{
	jnode array = fields_any(c->in, "messages");
	struct json_iter it = json_each(array);
	struct sending *q = NULL;
	size_t n = json_count(array);

	fields_end(c->in);
	if (!json_is_array(array))
		fields_fail(c->in, "messages", ERR_INVALID, "expected an array of messages, got %s",
		    json_kind(array));
	else if (n == 0 || n > LIMIT_ACL_BATCH)
		fields_fail(c->in, "messages", ERR_INVALID, "expected 1 to %d messages, got %zu",
		    LIMIT_ACL_BATCH, n);
	if (c->in->rc == OK)
		q = sending_new(c, n, true);
	if (q == NULL)
		return c->in->rc;
	c->in = NULL;
	for (size_t i = 0; json_next(&it); i++)
		send_json(q, i, it.value);
	settled(q);
	return OK;
}

/* ---- FIPA's string encoding ---------------------------------------------------------------- */

static int
send_string(struct call *c)
{
	struct str text = c->r->body;
	bool answerable = !str_starts(str_trim(text), S("(not-understood"));
	struct sending *q = sending_new(c, 1, false);
	struct acl_room room;
	struct acl m;
	int rc;

	if (q == NULL)
		return c->in->rc;
	rc = acl_from_text(&m, text, false, shard_wall(c->api->shard), &c->r->arena, &room,
	    &c->err);
	if (rc == OK)
		rc = acl_check_sender(&m, &q->sender, c->param[0].n > 0 ? c->param[0] :
		    c->who.subject, &c->err);
	if (rc < 0)
		return answerable ? answer_not_understood(c, rc) : rc;
	c->in = NULL;
	send_one(q, 0, OK, &m, NULL);
	settled(q);
	return OK;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* The next frame's message; false: there is no whole one. */
static bool
next_frame(struct str *rest, struct str *packed)
{
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t n;

	if (rest->n < ACL_FRAME_HEAD)
		return false;
	n = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (n > rest->n - ACL_FRAME_HEAD)
		return false;
	*packed = str_sub(*rest, ACL_FRAME_HEAD, n);
	*rest = str_sub(*rest, ACL_FRAME_HEAD + n, rest->n);
	return true;
}

static int
send_frames(struct call *c)
{
	struct str rest = c->r->body, packed;
	struct sending *q = NULL;
	size_t n = 0;

	while (next_frame(&rest, &packed))
		n++;
	if (rest.n > 0)
		fields_fail(c->in, NULL, ERR_INVALID, "frame %zu ends early: its length says "
		    "more than the body has", n + 1);
	else if (n == 0 || n > LIMIT_ACL_BATCH)
		fields_fail(c->in, NULL, ERR_INVALID, "expected 1 to %d frames, got %zu",
		    LIMIT_ACL_BATCH, n);
	if (c->in->rc == OK)
		q = sending_new(c, n, true);
	if (q == NULL)
		return c->in->rc;
	c->in = NULL;
	rest = c->r->body;
	for (size_t i = 0; i < n; i++) {
		struct acl_room room;
		struct acl m;
		struct err e = { 0 };

		(void)next_frame(&rest, &packed);
		send_one(q, i, acl_from_frame(&m, packed, &room, &e), &m, &e);
	}
	settled(q);
	return OK;
}

int
api_message_send(struct call *c)
{
	switch (call_acl_form(c)) {
	case ACL_STRING:
		return send_string(c);
	case ACL_FRAMES:
		return send_frames(c);
	default:
		return json_get(c->in->node, S("messages")) != NULL ? send_array(c) :
		    send_object(c);
	}
}
