/*
 * mail_make.c - a message as an agent's file writes it, to a message of mail/acl.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/mail_priv.h"

#include "base/limits.h"

static bool
is_of_delivery(struct str name)
{
	static const char *const names[] = { "priority", "ttl", "durable", "receipt",
		"max_retries" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq(name, str_of(names[i])))
			return true;
	return false;
}

/* 30s from now, or a moment, which acl.h reads itself. */
static void
add_time(struct buf *b, struct val v, msec now)
{
	nsec ns = 0;

	if (v.kind == VAL_STRING && clock_parse(val_str(v), 0, &ns))
		buf_add_fmt(b, "%lld", (long long)(now + ns / NS_PER_MS));
	else
		val_add_json(b, v);
}

static void
add_members(struct buf *b, struct val fields, bool delivery, msec now)
{
	for (size_t i = 0; i < val_count(fields); i++) {
		struct str name = val_key(fields, i);
		struct val v = val_member(fields, i);

		if (is_of_delivery(name) != delivery || v.kind == VAL_UNDEFINED ||
		    (v.kind == VAL_NULL && !str_eq(name, S("content"))))
			continue;
		json_add_fmt(b, ",%.*s:", FMT(name));
		if (str_eq(name, S("reply_by")))
			add_time(b, v, now);
		else
			val_add_json(b, v);
	}
}

static void
add_message(struct buf *b, const struct task_mail *m, msec now)
{
	struct str rest = m->to, word;

	json_add_fmt(b, "{'performative':%.*s,'receiver':[", FMT(m->act));
	while (str_next(&rest, ' ', &word))
		if (word.n > 0)
			json_add_fmt(b, ",%.*s", FMT(word));
	buf_add_char(b, ']');
	add_members(b, m->fields, false, now);
	json_add_key(b, "delivery");
	buf_add_char(b, '{');
	add_members(b, m->fields, true, now);
	buf_lit(b, "}}");
}

int
mail_make(struct mail_made *x, const struct task_mail *m, msec now, struct err *e)
{
	int rc;

	*x = (struct mail_made){ .text = BUF(2 * (size_t)LIMIT_ACL_BYTES),
		.arena = ARENA(4 * (size_t)LIMIT_ACL_BYTES) };
	add_message(&x->text, m, now);
	rc = x->text.failed ? err_set(e, ERR_TOOBIG, "the message has more than %d bytes",
	    LIMIT_ACL_BYTES) : json_parse(&x->doc, buf_str(&x->text), e);
	if (rc == OK)
		rc = acl_from_json(&x->acl, x->doc.root, false, &x->arena, &x->room, e);
	return rc;
}

void
mail_made_release(struct mail_made *x)
{
	json_release(&x->doc);
	buf_release(&x->text);
	arena_release(&x->arena);
}

struct val
mail_event(const char *direction, struct val message)
{
	struct val data = val_set_take(val_object_empty(), S("type"), val_string(S("message")));

	data = val_set_take(data, S("direction"), val_string(str_of(direction)));
	return val_set_take(data, S("message"), val_ref(message));
}
