/*
 * say.c - what a guest sends and replies: kept until its call has ended well.
 *
 * A reply goes to the letter's reply_to, or else to its sender, in its conversation.  A reply
 * to the server, or to a client that is not an agent, is dropped: a guest that replies to
 * everything would answer each failure to deliver with another message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/compose.h"
#include "store/mail.h"
#include "wasm/agent/agents_priv.h"

/* ---- while it works ---------------------------------------------------------------------- */

void
say_add(struct wasm_agent *w, struct str json, bool reply)
{
	struct wasm_outgoing o;
	struct err e;

	if (w->phase != CALLS || w->bad.text[0] != '\0')
		return;
	w->sends_bytes += json.n;
	if (w->sends_bytes > LIMIT_WASM_SAID_BYTES) {
		err_set(&w->bad, ERR_LIMIT, "it sent more than %d bytes in one call",
		    LIMIT_WASM_SAID_BYTES);
	} else if (wasm_outgoing_read(&o, json, reply, &e) != OK) {
		w->bad = e;
	} else if (reply) {
		if (w->replied)
			wasm_outgoing_release(&w->reply);
		w->reply = o;
		w->replied = true;
	} else {
		mem_grow(w->sends, w->sends_n, w->sends_cap);
		w->sends[w->sends_n++] = o;
	}
}

/* ---- as messages ----------------------------------------------------------------------------- */

/* What it is made of is borrowed; good until the next one is made. */
struct made { struct acl m; struct acl_room room; struct buf content; };

static int
make_send(struct wasm_agent *w, const struct wasm_outgoing *o, struct made *x, struct err *e)
{
	return mail_compose(&x->m, o->to, o->act, o->fields, shard_wall(w->all->o.shard),
	    &x->room, &x->content, e);
}

static void
fill(struct str *member, struct str usual)
{
	if (member->n == 0)
		*member = usual;
}

/* asked: the letter, unpacked.  ERR_NOTFOUND: there is no receiver for a reply. */
static int
make_reply(struct wasm_agent *w, const struct acl *asked, struct made *x, struct err *e)
{
	struct str to = asked->reply_to.n > 0 ? asked->reply_to : asked->sender;
	int rc = mail_compose(&x->m, to, w->reply.act, w->reply.fields,
	    shard_wall(w->all->o.shard), &x->room, &x->content, e);

	if (rc != OK)
		return str_eq(to, S("ams")) || to.n == 0 ? ERR_NOTFOUND : rc;
	fill(&x->m.conversation_id, asked->conversation_id);
	fill(&x->m.protocol, asked->protocol);
	fill(&x->m.in_reply_to, asked->reply_with);
	return str_eq(to, S("ams")) ? ERR_NOTFOUND : OK;
}

/* ---- one in memory -------------------------------------------------------------------------- */

static void
on_sent(struct office_send *s, int rc, const struct err *e)
{
	if (rc != OK)
		log_debug("wasm", "not_sent", "error=%s", e->text);
	free(s);
}

/* The office tells the guest (`ams`) what cannot be delivered. */
static void
send(struct wasm_agent *w, const struct acl *m)
{
	struct office_send *s = mem_new(struct office_send);

	*s = (struct office_send){ .owner = w->owner, .sender = w->id, .itself = true, .m = m,
		.done = on_sent };
	office_send(w->all->o.office, s);
}

static void
reply(struct wasm_agent *w, const struct acl *m)
{
	struct arena a = ARENA(2u * LIMIT_ACL_BYTES);
	struct store_mail mail;
	struct err e;

	if (m->delivery.durable) {
		send(w, m);
	} else if (office_prepare(w->all->o.office, w->agent, m, &a, &mail, &e) == OK) {
		office_post_mail(w->all->o.office, w->owner, &mail);
	} else {
		log_debug("wasm", "not_replied", "agent=%.*s error=%s", FMT(agent_address(w)),
		    e.text);
	}
	arena_release(&a);
}

static int
reply_if_any(struct wasm_agent *w, struct made *x, bool leave, struct err *e)
{
	struct acl_room room;
	struct acl asked;
	int rc;

	if (!w->replied || acl_unpack(&asked, letter_packed(w->l), &room, NULL) != OK)
		return OK;
	rc = make_reply(w, &asked, x, e);
	if (rc == OK && leave)
		reply(w, &x->m);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
each(struct wasm_agent *w, struct made *x, bool leave, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < w->sends_n; i++) {
		rc = make_send(w, &w->sends[i], x, e);
		if (rc == OK && leave)
			send(w, &x->m);
	}
	return rc == OK ? reply_if_any(w, x, leave, e) : rc;
}

/* First all are looked at, so that all leave or none. */
int
say_all(struct wasm_agent *w, struct err *e)
{
	struct made x = { .content = BUF(LIMIT_ACL_BYTES) };
	int rc = each(w, &x, false, e);

	if (rc == OK)
		rc = each(w, &x, true, e);
	buf_release(&x.content);
	return rc;
}

/* ---- a durable one ---------------------------------------------------------------------------- */

struct rows { struct arena *a; struct store_mail *at; size_t n; };

static int
prepare(struct wasm_agent *w, struct made *x, bool told, struct rows *out, struct err *e)
{
	int rc;

	x->m.delivery.durable = true;        /* it leaves with what is saved */
	rc = office_prepare(w->all->o.office, w->agent, &x->m, out->a, &out->at[out->n], e);
	if (rc == OK)
		out->n++;
	else if (rc == ERR_NOTFOUND && told)
		send(w, &x->m);              /* the office reports the failure to the guest */
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
say_prepare(struct wasm_agent *w, struct arena *a, struct store_mail **out, size_t *n,
    struct err *e)
{
	struct made x = { .content = BUF(LIMIT_ACL_BYTES) };
	struct rows rows = { a, arena_zero(a, (w->sends_n + 1) * sizeof **out), 0 };
	struct acl_room room;
	struct acl asked;
	int rc = each(w, &x, false, e);

	for (size_t i = 0; rc == OK && i < w->sends_n; i++) {
		rc = make_send(w, &w->sends[i], &x, e);
		if (rc == OK)
			rc = prepare(w, &x, true, &rows, e);
	}
	if (rc == OK && w->replied &&
	    acl_unpack(&asked, letter_packed(w->l), &room, NULL) == OK &&
	    make_reply(w, &asked, &x, e) == OK)
		rc = prepare(w, &x, false, &rows, e);
	buf_release(&x.content);
	*out = rows.at;
	*n = rows.n;
	return rc == OK ? arena_rc(a) : rc;
}
