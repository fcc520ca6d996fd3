/*
 * mail.c - what the kinds message, contract_net and subscribe share: a conversation
 * with other agents.
 *
 * What begins it is sent once: the record "sent", which is committed with the message,
 * says so to later attempts.  Each message that comes is a record, "heard/N", committed
 * with the fact that it was taken; another attempt hears them again, in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/json.h"
#include "task/task_priv.h"

static struct str
part_of(char buf[32], size_t n)
{
	return (struct str){ buf, (size_t)snprintf(buf, 32, "heard/%zu", n) };
}

/* ---- fields ---------------------------------------------------------------------- */

bool
mail_to(struct piece *p, unsigned field, struct buf *b)
{
	struct val list;

	if (!piece_eval(p, field, &list))
		return false;
	for (size_t i = 0; i < val_count(list); i++) {
		if (i > 0)
			buf_add_char(b, ' ');
		buf_add(b, val_str(val_at(list, i)));
	}
	val_drop(list);
	return true;
}

bool
mail_field(struct piece *p, unsigned field, struct val *fields)
{
	struct val v;

	if (!piece_eval(p, field, &v))
		return false;
	if (p->spec->kind->fields[field].kind == AGENT_TEXT && v.kind == VAL_STRING &&
	    val_str(v).n == 0) {             /* a template without a value */
		val_drop(v);
		return true;
	}
	if (v.kind != VAL_UNDEFINED)
		*fields = val_set_take(*fields, str_of(p->spec->kind->fields[field].name), v);
	return true;
}

bool
mail_time(struct str text, msec now, msec *out)
{
	nsec ns = 0;

	if (clock_parse(text, 0, &ns)) {
		*out = now + ns / NS_PER_MS + (ns % NS_PER_MS > 0);
		return true;
	}
	return clock_read_iso(text, out);
}

int
mail_time_check(struct val v, struct err *e)
{
	msec at;

	if (v.kind == VAL_STRING && !mail_time(val_str(v), 0, &at))
		return err_set(e, ERR_INVALID, "expected a time with its unit, as in 30s, or a "
		    "moment, as in 2026-11-21T00:15:07Z, got '%.*s'",
		    FMT(str_cut(val_str(v), 100)));
	return OK;
}

/* A name alone, or cap: or all: before it; the server knows which of them are there. */
static int
address_check(struct str address, struct err *e)
{
	struct str name = address;

	if (str_starts(name, S("cap:")) || str_starts(name, S("all:")))
		name = str_sub(name, 4, SIZE_MAX);
	if (name.n == 0 || name.p[0] == ':' || name.n > LIMIT_ACL_PARAM_BYTES)
		return err_set(e, ERR_INVALID, "'%.*s' is no address: expected an agent's id or "
		    "name, cap:NAME or all:NAME", FMT(str_cut(address, 100)));
	return OK;
}

int
mail_to_check(struct val v, struct err *e)
{
	size_t found = 0;
	int rc = OK;

	for (size_t i = 0; i < val_count(v) && rc == OK; i++) {
		struct str rest = val_str(val_at(v, i)), word;

		while (rc == OK && str_next(&rest, ' ', &word)) {
			found += word.n > 0;
			rc = word.n > 0 ? address_check(word, e) : OK;
		}
	}
	if (rc == OK && v.kind == VAL_ARRAY && found == 0)
		return err_set(e, ERR_INVALID, "expected at least one address");
	return rc;
}

/* ---- sending ----------------------------------------------------------------------- */

void
mailing_init(struct mailing *d)
{
	struct buf key = BUF(KEY_BYTES);
	struct uuid id;

	piece_add_key(&key, &d->p, S("mailing"));
	id = uuid_v5(&d->p.task->id, buf_str(&key));
	d->id = mem_zero(UUID_TEXT + 1);
	uuid_format(&id, d->id);
	buf_release(&key);
}

void
mailing_release(struct piece *p)
{
	free(mailing_of(p)->id);
}

static int
send(struct mailing *d, struct str to, const char *act, struct val fields, size_t *receivers,
    struct err *e)
{
	struct task *t = d->p.task;
	struct task_mail m = { .to = to, .act = str_of(act), .fields = fields };

	if (t->host->mail_send == NULL)
		return err_set(e, ERR_NOTFOUND, "messages need a server, and a run on a thread");
	return t->host->mail_send(t->ctx, &m, receivers, e);
}

bool
mailing_send(struct mailing *d, struct str to, const char *act, struct val fields,
    size_t *receivers)
{
	struct err e = { 0 };
	int rc = send(d, to, act, fields, receivers, &e);

	val_drop(fields);
	if (rc != OK)
		piece_fail(&d->p, "error.communication", "MessageError", "line %u: %s: %s",
		    d->p.spec->line, piece_kind(&d->p), e.text);
	return rc == OK;
}

void
mailing_tell(struct mailing *d, struct str to, const char *act, struct val fields)
{
	struct err e;
	size_t receivers;

	(void)send(d, to, act, fields, &receivers, &e);
	val_drop(fields);
}

/* An earlier attempt has sent it. */
static bool
was_sent(struct mailing *d, msec *due)
{
	const struct known *k = record_find(&d->p, S("sent"));
	struct val v;

	if (k == NULL)
		return false;
	v = val_json_trusted(k->result_json);
	d->receivers = (size_t)val_get(v, S("receivers")).u.i;
	*due = val_get(v, S("due")).u.i;
	val_drop(v);
	return true;
}

bool
mailing_begin(struct mailing *d, struct str to, const char *act, struct val fields, msec *due)
{
	struct buf json = BUF(KB);

	if (was_sent(d, due)) {
		val_drop(fields);
		return true;
	}
	if (!mailing_send(d, to, act, fields, &d->receivers))
		return false;
	json_add_fmt(&json, "{'receivers':%zu,'due':%lld}", d->receivers, (long long)*due);
	record_part(&d->p, S("sent"), str_of(piece_kind(&d->p)), buf_str(&json));
	buf_release(&json);
	return true;
}

/* ---- what comes ---------------------------------------------------------------------- */

static struct str
text_of(struct val message, const char *member)
{
	struct val v = val_get(message, str_of(member));

	return v.kind == VAL_STRING ? val_str(v) : STR_NONE;
}

bool
mailing_is(struct val message, const char *act)
{
	return str_eq(text_of(message, "performative"), str_of(act));
}

bool
mailing_is_of_server(struct val message)
{
	return str_eq(text_of(message, "sender"), S("ams"));
}

struct str
mailing_sender(struct val message)
{
	struct str to = text_of(message, "reply_to");

	return to.n > 0 ? to : text_of(message, "sender");
}

struct val
mailing_answer(const struct mailing *d, struct val message)
{
	struct val fields = val_object_empty(), with = val_get(message, S("reply_with"));
	struct val protocol = val_get(message, S("protocol"));

	fields = val_set_take(fields, S("conversation_id"), val_string(str_of(d->id)));
	if (protocol.kind == VAL_STRING)
		fields = val_set_take(fields, S("protocol"), val_ref(protocol));
	if (with.kind == VAL_STRING)
		fields = val_set_take(fields, S("in_reply_to"), val_ref(with));
	return fields;
}

void
mailing_fail(struct mailing *d, struct val message)
{
	struct buf content = BUF(LIMIT_TOOL_RESULT_BYTES);
	struct str act = text_of(message, "performative");

	val_add_json(&content, val_get(message, S("content")));
	piece_fail(&d->p, "error.communication", "MessageError", "line %u: %s: %.*s answered "
	    "%.*s: %.*s", d->p.spec->line, piece_kind(&d->p), FMT(text_of(message, "sender")),
	    FMT(act), FMT(str_cut(buf_str(&content), 500)));
	buf_release(&content);
}

/* Pieces that hear one: by what it answers, else by its conversation. */
static struct mailing *
find(struct task *t, struct val message)
{
	static const char *const members[] = { "in_reply_to", "conversation_id" };

	for (size_t i = 0; i < COUNT(members); i++) {
		struct str id = text_of(message, members[i]);

		for (struct list *l = t->all.next; l != &t->all && id.n > 0; l = l->next) {
			struct piece *p = CONTAINER_OF(l, struct piece, all);

			if (p->run->heard != NULL && p->state == PIECE_RUNS &&
			    str_eq(str_of(mailing_of(p)->id), id))
				return mailing_of(p);
		}
	}
	return NULL;
}

int
task_mail_event(struct task *t, struct val message, struct buf *key)
{
	struct mailing *d = find(t, message);
	char buf[32];

	if (d == NULL)
		return ERR_CONFLICT;
	if (d->keeps)
		piece_add_key(key, &d->p, part_of(buf, d->heard));
	d->heard++;
	mem_grow(t->mails, t->mails_n, t->mails_cap);
	t->mails[t->mails_n].p = &d->p;
	t->mails[t->mails_n++].message = val_ref(message);
	return OK;
}

/* What it looks at may end the piece, and what is behind it then is nobody's. */
void
task_hear(struct task *t)
{
	if (!task_enter(t))
		return;
	while (t->mails_n > 0 && !t->over) {
		struct piece *p = t->mails[0].p;
		struct val message = t->mails[0].message;

		for (size_t i = 1; i < t->mails_n; i++)
			t->mails[i - 1] = t->mails[i];
		t->mails_n--;
		if (p->state == PIECE_RUNS)
			p->run->heard(p, message, false);
		val_drop(message);
	}
	task_leave(t);
}

bool
task_hears(const struct task *t)
{
	bool yes = false;

	for (const struct list *l = t->all.next; l != &t->all && !yes; l = l->next) {
		const struct piece *p = CONTAINER_OF(l, struct piece, all);

		yes = p->run->heard != NULL && p->state == PIECE_RUNS;
	}
	return yes;
}

void
task_mail_release(struct task *t)
{
	for (size_t i = 0; i < t->mails_n; i++)
		val_drop(t->mails[i].message);
	free(t->mails);
}

void
mailing_repeat(struct mailing *d)
{
	char buf[32];
	const struct known *k;

	while (d->p.state == PIECE_RUNS && !d->p.task->over &&
	    (k = record_find(&d->p, part_of(buf, d->heard))) != NULL) {
		struct val message = val_json_trusted(k->result_json);

		d->heard++;
		d->p.run->heard(&d->p, message, true);
		val_drop(message);
	}
}

void
task_quit(struct task *t)
{
	CHECK_MARK(t, TASK_MARK);
	for (struct list *l = t->all.next; l != &t->all && !t->over; l = l->next) {
		struct piece *p = CONTAINER_OF(l, struct piece, all);

		if (p->state == PIECE_RUNS && p->run->quit != NULL)
			p->run->quit(p);
	}
}
