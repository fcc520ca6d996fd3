/*
 * acl.c - acts, parameters and addresses: what the three forms of a message share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/acl.h"

#include <assert.h>
#include <stddef.h>

#include "mail/acl_priv.h"

const char *const acl_act_names[] = {
	"accept-proposal", "agree", "cancel", "cfp", "confirm", "disconfirm", "failure",
	"inform", "inform-if", "inform-ref", "not-understood", "propagate", "propose", "proxy",
	"query-if", "query-ref", "refuse", "reject-proposal", "request", "request-when",
	"request-whenever", "subscribe", NULL
};
_Static_assert(COUNT(acl_act_names) == ACL_ACTS + 1, "every act has a name");

const struct acl_param acl_params[ACL_TAGS] = {
#define P(tag, name, word, kind, field) [tag] = { name, word, kind, offsetof(struct acl, field) }
	P(ACL_MESSAGE_ID, "message_id", "x-message-id", ACL_AS_ID, message_id),
	P(ACL_CREATED, "created_at", "x-created-at", ACL_AS_TIME, created),
	P(ACL_DELIVERY, "delivery", NULL, ACL_AS_DELIVERY, delivery),
	P(ACL_SENDER, "sender", "sender", ACL_AS_TEXT, sender),
	P(ACL_RECEIVER, "receiver", "receiver", ACL_AS_ADDRESSES, receivers),
	P(ACL_REPLY_TO, "reply_to", "reply-to", ACL_AS_ADDRESS, reply_to),
	P(ACL_PROTOCOL, "protocol", "protocol", ACL_AS_TEXT, protocol),
	P(ACL_CONVERSATION_ID, "conversation_id", "conversation-id", ACL_AS_TEXT, conversation_id),
	P(ACL_REPLY_WITH, "reply_with", "reply-with", ACL_AS_TEXT, reply_with),
	P(ACL_IN_REPLY_TO, "in_reply_to", "in-reply-to", ACL_AS_TEXT, in_reply_to),
	P(ACL_REPLY_BY, "reply_by", "reply-by", ACL_AS_TIME, reply_by),
	P(ACL_LANGUAGE, "language", "language", ACL_AS_TEXT, language),
	P(ACL_ENCODING, "encoding", "encoding", ACL_AS_TEXT, encoding),
	P(ACL_ONTOLOGY, "ontology", "ontology", ACL_AS_TEXT, ontology),
	P(ACL_TRACE, "trace", "x-trace", ACL_AS_TEXT, trace),
	P(ACL_EXTRA, "x-...", NULL, ACL_AS_EXTRA, extras),
	P(ACL_CONTENT, "content", "content", ACL_AS_JSON, content),
#undef P
};

/* Names of the text form for what is not a parameter of FIPA's. */
static const char *const reserved[] = {
	"x-message-id", "x-created-at", "x-trace", "x-content", "x-priority", "x-ttl",
	"x-receipt", "x-max-retries", "x-durable"
};

int
acl_act_find(struct str name)
{
	for (int i = 0; i < ACL_ACTS; i++)
		if (str_eq_nocase(name, str_of(acl_act_names[i])))
			return i;
	return -1;
}

int
acl_bad_act(struct str name, struct err *e)
{
	struct str_near near = { .word = str_cut(name, 64) };

	for (int i = 0; i < ACL_ACTS; i++)
		str_near_try(&near, acl_act_names[i]);
	return err_near(e, ERR_INVALID, near.best, "\"",
	    "\"%.*s\" is none of the 22 communicative acts of FIPA", FMT(near.word));
}

/* ---- one value --------------------------------------------------------------- */

int
acl_check_text(struct str s, struct err *e)
{
	if (s.n > LIMIT_ACL_PARAM_BYTES)
		return err_set(e, ERR_TOOBIG, "expected at most %d bytes, got %zu",
		    LIMIT_ACL_PARAM_BYTES, s.n);
	if (!str_is_utf8(s))
		return err_set(e, ERR_INVALID, "expected UTF-8");
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return err_set(e, ERR_INVALID, "expected a text without control "
			    "characters, got 0x%02x as byte %zu", (unsigned char)s.p[i], i + 1);
	return OK;
}

static bool
name_is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ' || s.p[i] == '"' || s.p[i] == '(' || s.p[i] == ')')
			return false;
	return s.n > 0;
}

static int
parse_capability(struct str s, struct acl_address *out, struct err *e)
{
	struct str rest = str_sub(s, 4, s.n);

	out->kind = (s.p[0] | 0x20) == 'c' ? ACL_TO_ONE : ACL_TO_ALL;
	if (!str_next(&rest, ':', &out->name) || !name_is_plain(out->name) ||
	    (rest.p != NULL && !name_is_plain(rest)) || str_index(rest, ':') >= 0)
		return err_set(e, ERR_INVALID,
		    "expected %.4s and a capability's NAME or NAME:VERSION, got \"%.*s\"",
		    s.p, FMT(str_cut(s, 64)));
	out->version = rest;
	return OK;
}

int
acl_address_parse(struct str s, struct acl_address *out, struct err *e)
{
	struct str scheme = str_sub(s, 0, 4);
	int rc = acl_check_text(s, e);

	*out = (struct acl_address){ .kind = ACL_TO_NAME, .name = s };
	if (rc != OK)
		return rc;
	if (str_eq_nocase(scheme, S("cap:")) || str_eq_nocase(scheme, S("all:")))
		return parse_capability(s, out, e);
	if (uuid_parse(s, &out->id))
		out->kind = ACL_TO_ID;
	else if (!name_is_plain(s))
		return err_set(e, ERR_INVALID, "expected an agent's id or name, cap:NAME or "
		    "all:NAME, without blanks, quotes and parentheses, got \"%.*s\"",
		    FMT(str_cut(s, 64)));
	return OK;
}

int
acl_check_address(struct str s, struct err *e)
{
	struct acl_address ignored;

	return acl_address_parse(s, &ignored, e);
}

/* 00-, 32 hex digits, -, 16, -, 2; lower case, as W3C Trace Context has it. */
int
acl_check_trace(struct str s, struct err *e)
{
	static const char shape[] = "hh-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh";
	bool good = s.n == sizeof shape - 1;

	for (size_t i = 0; good && i < s.n; i++)
		good = shape[i] == '-' ? s.p[i] == '-' :
		    str_hex_digit(s.p[i]) >= 0 && (s.p[i] < 'A' || s.p[i] > 'F');
	if (!good)
		return err_set(e, ERR_INVALID, "expected a traceparent, as in 00-0af7651916cd43dd"
		    "8448eb211c80319c-b7ad6b7169203331-01, got \"%.*s\"", FMT(str_cut(s, 64)));
	return OK;
}

int
acl_check_content(struct str s, struct err *e)
{
	if (s.n > LIMIT_ACL_CONTENT_BYTES)
		return err_set(e, ERR_TOOBIG, "expected at most %d bytes, got %zu",
		    LIMIT_ACL_CONTENT_BYTES, s.n);
	return OK;
}

bool
acl_is_json(const struct acl *m)
{
	return str_eq_nocase(m->language, S("json")) ||
	    str_eq_nocase(m->language, S("application/json"));
}

/* ---- parameters of one's own ---------------------------------------------------- */

bool
acl_is_extra(struct str name)
{
	return name.n >= 2 && (name.p[0] | 0x20) == 'x' && name.p[1] == '-';
}

int
acl_check_extra_name(struct str s, struct err *e)
{
	int rc = acl_check_text(s, e);

	if (rc != OK)
		return rc;
	if (!acl_is_extra(s) || s.n == 2 || !name_is_plain(s))
		return err_set(e, ERR_INVALID, "expected a name that begins with x- and has no "
		    "blanks, quotes and parentheses");
	for (size_t i = 0; i < COUNT(reserved); i++)
		if (str_eq_nocase(s, str_of(reserved[i])))
			return err_set(e, ERR_INVALID, "this name has a meaning in the text form "
			    "of a message; expected another");
	return OK;
}

int
acl_put_extra(struct acl *m, struct acl_room *room, struct str name, struct str value,
    struct err *e)
{
	size_t i = 0;

	while (i < m->extras_n && !str_eq_nocase(room->extras[i].name, name))
		i++;
	if (i == LIMIT_ACL_EXTRAS)
		return err_set(e, ERR_LIMIT, "expected at most %d parameters that begin with x-",
		    LIMIT_ACL_EXTRAS);
	if (value.n > LIMIT_ACL_PARAM_BYTES)
		return err_set(e, ERR_TOOBIG, "expected at most %d bytes, got %zu",
		    LIMIT_ACL_PARAM_BYTES, value.n);
	room->extras[i] = (struct acl_extra){ name, value };
	m->extras_n += i == m->extras_n;
	return OK;
}

/* ---- whole messages --------------------------------------------------------------- */

int
acl_check_sender(const struct acl *m, const struct uuid *id, struct str name, struct err *e)
{
	struct uuid given;
	char text[UUID_TEXT];

	if (m->sender.n == 0 || (name.n > 0 && str_eq(m->sender, name)) ||
	    (uuid_parse(m->sender, &given) && uuid_eq(&given, id)))
		return OK;
	uuid_format(id, text);
	return err_set(e, ERR_INVALID, "sender: expected none, for the server sets it, or %.*s%s%.*s, "
	    "got \"%.*s\"", FMT(name), name.n > 0 ? " or " : "", UUID_TEXT, text,
	    FMT(str_cut(m->sender, 64)));
}

void
acl_reply(struct acl *out, const struct acl *m, enum acl_act act, struct acl_room *room)
{
	assert(act < ACL_ACTS);
	*out = (struct acl){ .act = act, .receivers = room->receivers, .receivers_n = 1,
	    .extras = room->extras, .conversation_id = m->conversation_id,
	    .protocol = m->protocol, .in_reply_to = m->reply_with };
	room->receivers[0] = m->reply_to.n > 0 ? m->reply_to : m->sender;
}
