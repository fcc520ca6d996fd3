/*
 * acl_text_add.c - writes the string encoding of FIPA00070.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "mail/acl_priv.h"

/* A Word of the grammar that no reader takes for something else. */
static bool
is_word(struct str s)
{
	if (s.n == 0 || strchr("#0123456789-@:+", s.p[0]) != NULL)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || strchr("()\"", s.p[i]) != NULL)
			return false;
	return true;
}

/* The grammar has no way to end a literal with a backslash. */
static void
add_string(struct buf *out, struct str s)
{
	if (str_ends(s, S("\\"))) {
		buf_add_fmt(out, "#%zu\"", s.n);
		buf_add(out, s);
		return;
	}
	buf_add_char(out, '"');
	for (struct str rest = s; rest.n > 0; ) {
		const char *quote = memchr(rest.p, '"', rest.n);
		size_t n = quote != NULL ? (size_t)(quote - rest.p) : rest.n;

		buf_add(out, str_sub(rest, 0, n));
		if (quote != NULL)
			buf_lit(out, "\\\"");
		rest = str_sub(rest, n + (quote != NULL), rest.n);
	}
	buf_add_char(out, '"');
}

static void
add_plain(struct buf *out, struct str s)
{
	if (is_word(s))
		buf_add(out, s);
	else
		add_string(out, s);
}

static void
add_agent(struct buf *out, struct str address)
{
	buf_lit(out, "(agent-identifier :name ");
	add_plain(out, address);
	buf_add_char(out, ')');
}

/* The text of a JSON string; false: it is another value. */
static bool
plain_text(struct str json, struct buf *out)
{
	return json.n >= 2 && json.p[0] == '"' &&
	    json_unescape(str_sub(json, 1, json.n - 2), out) == OK;
}

static void
add_date(struct buf *out, msec t)
{
	char iso[CLOCK_ISO_SIZE];

	clock_write_iso(iso, t);
	for (size_t i = 0; i < sizeof iso; i++)
		if (strchr("-:.", iso[i]) == NULL)
			buf_add_char(out, iso[i]);
}

static void
add_extra(struct buf *out, const struct acl_extra *x)
{
	struct buf text = BUF(LIMIT_ACL_PARAM_BYTES);

	buf_add_fmt(out, "\n :%.*s ", FMT(x->name));
	if (plain_text(x->value, &text)) {
		add_plain(out, buf_str(&text));
	} else if (x->value.n > 0 && strchr("-0123456789", x->value.p[0]) != NULL) {
		buf_add(out, x->value);
	} else {
		buf_lit(out, "(json ");
		add_string(out, x->value);
		buf_add_char(out, ')');
	}
	buf_release(&text);
}

static void
add_content(struct buf *out, const struct acl *m)
{
	struct buf text = BUF(LIMIT_ACL_CONTENT_BYTES);

	buf_lit(out, "\n :content ");
	if (acl_is_json(m)) {
		add_string(out, m->content);
	} else if (plain_text(m->content, &text)) {
		add_string(out, buf_str(&text));
	} else {
		add_string(out, m->content);
		buf_lit(out, "\n :x-content json");
	}
	buf_release(&text);
}

static void
add_delivery(struct buf *out, const struct acl_delivery *d)
{
	if (d->priority > 0)
		buf_add_fmt(out, "\n :x-priority %d", d->priority);
	if (d->ttl > 0)
		buf_add_fmt(out, "\n :x-ttl %lld", (long long)d->ttl);
	if (d->max_retries > 0)
		buf_add_fmt(out, "\n :x-max-retries %d", d->max_retries);
	if (d->receipt)
		buf_lit(out, "\n :x-receipt true");
	if (d->durable)
		buf_lit(out, "\n :x-durable true");
}

static void
add_text(struct buf *out, const struct acl_param *p, struct str s)
{
	bool agent = p->kind == ACL_AS_ADDRESS || p == &acl_params[ACL_SENDER];

	if (s.n == 0)
		return;
	buf_add_fmt(out, "\n :%s ", p->word);
	if (p->kind == ACL_AS_ADDRESS)       /* FIPA00070 wants a set, of one too */
		buf_lit(out, "(set ");
	if (agent)
		add_agent(out, s);
	else
		add_plain(out, s);
	if (p->kind == ACL_AS_ADDRESS)
		buf_add_char(out, ')');
}

static void
add_receivers(struct buf *out, const struct acl *m)
{
	if (m->receivers_n == 0)
		return;
	buf_lit(out, "\n :receiver (set");
	for (size_t i = 0; i < m->receivers_n; i++) {
		buf_add_char(out, ' ');
		add_agent(out, m->receivers[i]);
	}
	buf_add_char(out, ')');
}

static void
add_time(struct buf *out, const struct acl_param *p, msec t)
{
	if (t == 0)
		return;
	buf_add_fmt(out, "\n :%s ", p->word);
	add_date(out, t);
}

static void
add_param(struct buf *out, const struct acl *m, const struct acl_param *p)
{
	const char *at = (const char *)m + p->at;

	switch (p->kind) {
	case ACL_AS_TEXT: case ACL_AS_ADDRESS:
		add_text(out, p, *(const struct str *)(const void *)at);
		return;
	case ACL_AS_TIME:
		add_time(out, p, *(const msec *)(const void *)at);
		return;
	case ACL_AS_ADDRESSES:
		add_receivers(out, m);
		return;
	case ACL_AS_DELIVERY:
		add_delivery(out, &m->delivery);
		return;
	case ACL_AS_ID:
		if (uuid_is_zero(&m->message_id))
			return;
		buf_add_fmt(out, "\n :%s \"", p->word);
		uuid_add(out, &m->message_id);
		buf_add_char(out, '"');
		return;
	case ACL_AS_EXTRA:
		for (size_t i = 0; i < m->extras_n; i++)
			add_extra(out, &m->extras[i]);
		return;
	case ACL_AS_JSON:
		if (m->content.n > 0)
			add_content(out, m);
	}
}

void
acl_add_text(const struct acl *m, struct buf *out)
{
	assert(m->act < ACL_ACTS);
	buf_add_fmt(out, "(%s", acl_act_names[m->act]);
	for (int tag = ACL_MESSAGE_ID; tag < ACL_TAGS; tag++)
		add_param(out, m, &acl_params[tag]);
	buf_lit(out, ")\n");
}
