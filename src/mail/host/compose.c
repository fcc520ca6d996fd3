/*
 * compose.c - see compose.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/compose.h"

#include <string.h>

#include "base/scan.h"

/* ---- what an agent writes ---------------------------------------------------------- */

/* One field: reads v into the member at `at`. */
struct writing { struct acl *m; msec now; struct buf *content; struct err *e; };

static int
wrong(struct writing *w, const char *expected, struct val v)
{
	return err_set(w->e, ERR_INVALID, "expected %s, got %s", expected, val_kind_name(v));
}

static int
read_content(struct writing *w, void *at, struct val v)
{
	buf_clear(w->content);
	val_add_json(w->content, v);
	if (w->content->failed)
		return err_set(w->e, ERR_TOOBIG, "larger than %d bytes", LIMIT_ACL_BYTES);
	*(struct str *)at = buf_str(w->content);
	return OK;
}

static int
read_text(struct writing *w, void *at, struct val v)
{
	if (v.kind != VAL_STRING)
		return wrong(w, "a text", v);
	if (val_str(v).n > LIMIT_ACL_PARAM_BYTES)
		return err_set(w->e, ERR_TOOBIG, "longer than %d bytes", LIMIT_ACL_PARAM_BYTES);
	*(struct str *)at = val_str(v);
	return OK;
}

/* A time from now; of a moment, what is left until then. */
static int
read_span(struct writing *w, struct val v, msec *out)
{
	nsec span;

	if (v.kind == VAL_INT && v.u.i > 0) {
		*out = v.u.i;
	} else if (v.kind == VAL_STRING && clock_parse(val_str(v), 0, &span)) {
		*out = span / NS_PER_MS;
	} else if (v.kind == VAL_STRING && clock_read_iso(val_str(v), out)) {
		*out -= w->now;
	} else {
		return err_set(w->e, ERR_INVALID, "expected a time, as 30s, milliseconds, or "
		    "2026-11-21T00:15:07Z");
	}
	return OK;
}

static int
read_moment(struct writing *w, void *at, struct val v)
{
	msec span = 0;
	int rc = read_span(w, v, &span);

	*(msec *)at = w->now + span;
	return rc;
}

static int
read_ttl(struct writing *w, void *at, struct val v)
{
	int rc = read_span(w, v, at);

	if (rc == OK && *(msec *)at <= 0)
		return err_set(w->e, ERR_INVALID, "expected a time that is not over");
	return rc;
}

static int
read_flag(struct writing *w, void *at, struct val v)
{
	if (v.kind != VAL_BOOL)
		return wrong(w, "true or false", v);
	*(bool *)at = v.u.b;
	return OK;
}

static int
read_small(struct writing *w, void *at, struct val v, int64_t max)
{
	if (v.kind != VAL_INT || v.u.i < 0 || v.u.i > max)
		return err_set(w->e, ERR_INVALID, "expected a whole number from 0 to %lld",
		    (long long)max);
	*(uint8_t *)at = (uint8_t)v.u.i;
	return OK;
}

static int
read_priority(struct writing *w, void *at, struct val v)
{
	return read_small(w, at, v, 3);
}

static int
read_retries(struct writing *w, void *at, struct val v)
{
	return read_small(w, at, v, 100);
}

#define FIELD(member, read) { #member, offsetof(struct acl, member), read }
#define DELIVERY(member, read) { #member, offsetof(struct acl, delivery.member), read }

static const struct {
	const char *name;
	size_t at;
	int (*read)(struct writing *w, void *at, struct val v);
} fields_known[] = {
	FIELD(content, read_content), FIELD(protocol, read_text),
	FIELD(conversation_id, read_text), FIELD(reply_with, read_text),
	FIELD(in_reply_to, read_text), FIELD(reply_by, read_moment),
	FIELD(reply_to, read_text), FIELD(language, read_text), FIELD(encoding, read_text),
	FIELD(ontology, read_text), DELIVERY(priority, read_priority),
	DELIVERY(ttl, read_ttl), DELIVERY(durable, read_flag), DELIVERY(receipt, read_flag),
	DELIVERY(max_retries, read_retries),
};

static bool
is_absent(struct val v)
{
	return v.kind == VAL_UNDEFINED || v.kind == VAL_NULL ||
	    (v.kind == VAL_STRING && val_str(v).n == 0);
}

static int
read_field(struct writing *w, struct str name, struct val v)
{
	struct err words;
	int rc;

	for (size_t i = 0; i < COUNT(fields_known); i++) {
		if (!str_eq(str_of(fields_known[i].name), name))
			continue;
		if (is_absent(v) && fields_known[i].read != read_content)
			return OK;
		rc = fields_known[i].read(w, (char *)w->m + fields_known[i].at, v);
		if (rc != OK && w->e != NULL) {
			words = *w->e;
			err_set(w->e, rc, "%s: %s", fields_known[i].name, words.text);
		}
		return rc;
	}
	return err_set(w->e, ERR_INVALID, "a message has no field '%.*s'",
	    FMT(str_sub(name, 0, LIMIT_NAME_BYTES)));
}

static int
read_receivers(struct acl *out, struct str to, struct acl_room *room, struct err *e)
{
	struct str word;

	while (str_next(&to, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (out->receivers_n == COUNT(room->receivers))
			return err_set(e, ERR_LIMIT, "to: more than %zu addresses",
			    COUNT(room->receivers));
		room->receivers[out->receivers_n++] = word;
	}
	return out->receivers_n > 0 ? OK : err_set(e, ERR_INVALID, "to: expected an address: an "
	    "agent's id or name, cap:NAME or all:NAME");
}

int
mail_compose(struct acl *out, struct str to, struct str act, struct val fields, msec now,
    struct acl_room *room, struct buf *content, struct err *e)
{
	struct writing w = { .m = out, .now = now, .content = content, .e = e };
	int known = acl_act_find(act), rc;

	*out = (struct acl){ .receivers = room->receivers };
	if (known < 0)
		return err_set(e, ERR_INVALID, "performative: there is no act '%.*s'",
		    FMT(str_sub(act, 0, LIMIT_NAME_BYTES)));
	out->act = (enum acl_act)known;
	rc = read_receivers(out, to, room, e);
	for (size_t i = 0; rc == OK && fields.kind == VAL_OBJECT && i < val_count(fields); i++)
		rc = read_field(&w, val_key(fields, i), val_member(fields, i));
	return rc;
}

/* ---- what an agent reads ------------------------------------------------------------ */

#define EVENT(act, name) [act] = { "message." name, sizeof("message." name) - 1 }

const struct str mail_event_names[ACL_ACTS] = {
	EVENT(ACL_ACCEPT_PROPOSAL, "accept-proposal"), EVENT(ACL_AGREE, "agree"),
	EVENT(ACL_CANCEL, "cancel"), EVENT(ACL_CFP, "cfp"), EVENT(ACL_CONFIRM, "confirm"),
	EVENT(ACL_DISCONFIRM, "disconfirm"), EVENT(ACL_FAILURE, "failure"),
	EVENT(ACL_INFORM, "inform"), EVENT(ACL_INFORM_IF, "inform-if"),
	EVENT(ACL_INFORM_REF, "inform-ref"), EVENT(ACL_NOT_UNDERSTOOD, "not-understood"),
	EVENT(ACL_PROPAGATE, "propagate"), EVENT(ACL_PROPOSE, "propose"),
	EVENT(ACL_PROXY, "proxy"), EVENT(ACL_QUERY_IF, "query-if"),
	EVENT(ACL_QUERY_REF, "query-ref"), EVENT(ACL_REFUSE, "refuse"),
	EVENT(ACL_REJECT_PROPOSAL, "reject-proposal"), EVENT(ACL_REQUEST, "request"),
	EVENT(ACL_REQUEST_WHEN, "request-when"),
	EVENT(ACL_REQUEST_WHENEVER, "request-whenever"), EVENT(ACL_SUBSCRIBE, "subscribe"),
};

/* Of the content, where that is an object.  Of equal keys the last counts. */
static bool
content_member(const void *of, struct str key, struct val *out)
{
	struct str text = acl_peek_content(letter_packed(of)), name, raw, found = STR_NONE;
	struct scan s = scan_of(text);
	bool first = true;

	if (memchr(text.p, '\\', text.n) != NULL)
		return false;                /* a key may be written in another way */
	for (scan_open(&s, '{'); scan_member(&s, &first, &name); )
		if (scan_value(&s, &raw) && str_eq(name, key))
			found = raw;
	*out = found.n > 0 ? val_json_trusted(found) : VAL_UNDEF;
	return true;
}

static struct val
content_whole(const void *of)
{
	return val_json_trusted(str_trim(acl_peek_content(letter_packed(of))));
}

static const struct val_view_type content_view = { content_member, content_whole };

static struct val
content_of(const struct letter *l)
{
	struct str text = str_trim(acl_peek_content(letter_packed(l)));

	if (text.n == 0)
		return VAL_UNDEF;
	return text.p[0] == '{' ? val_view(&content_view, l) : val_json_trusted(text);
}

static bool
message_member(const void *of, struct str key, struct val *out)
{
	struct str value;

	if (str_eq(key, S("content"))) {
		*out = content_of(of);
		return true;
	}
	if (!acl_peek(letter_packed(of), key, &value))
		return false;
	*out = value.n == 0 ? VAL_UNDEF : val_string(value);
	return true;
}

static struct val
message_whole(const void *of)
{
	struct buf json = BUF(2 * LIMIT_ACL_BYTES);
	struct val v = val_object_empty();
	struct acl_room room;
	struct acl m;

	if (acl_unpack(&m, letter_packed(of), &room, NULL) == OK) {
		val_drop(v);
		acl_add_json(&m, &json);
		v = val_json_trusted(buf_str(&json));
	}
	buf_release(&json);
	return v;
}

static const struct val_view_type message_view = { message_member, message_whole };

struct val
mail_event_data(const struct letter *l)
{
	return val_view(&message_view, l);
}
