/*
 * acl_pack.c - the packed form.
 *
 *   version (1)  act  { tag  length (LEB128)  bytes }...
 *
 * Tags ascend; only those of receivers and of parameters of one's own repeat.  What was not given
 * is not there: no empty text, no zero time, no delivery of all zeros.
 *   message_id 16 bytes;  times: big endian, without leading zeros
 *   delivery   flags (1 durable, 2 receipt, priority << 2), max_retries, ttl as a time
 *   x-...      length of the name (1 byte + high byte), name, value
 * So equal messages are equal bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "mail/acl_priv.h"

#define VERSION 1
#define TAG_HEAD 6                           /* bytes, at most: tag and length */

enum { D_DURABLE = 1, D_RECEIPT = 2, D_PRIORITY = 2 /* shift */ };

/* ---- packing ---------------------------------------------------------------------- */

static uint8_t *
put_head(uint8_t *to, int tag, size_t n)
{
	*to++ = (uint8_t)tag;
	for (; n >= 0x80; n >>= 7)
		*to++ = (uint8_t)(n | 0x80);
	*to++ = (uint8_t)n;
	return to;
}

static uint8_t *
put_bytes(uint8_t *to, int tag, const void *p, size_t n)
{
	to = put_head(to, tag, n);
	memcpy(to, p, n);
	return to + n;
}

static uint8_t *
put_text(uint8_t *to, int tag, struct str s)
{
	return s.n > 0 ? put_bytes(to, tag, s.p, s.n) : to;
}

/* Big endian, without leading zeros: 0 is nothing. */
static size_t
time_bytes(msec t, uint8_t out[8])
{
	size_t n = 0;

	for (int shift = 56; shift >= 0; shift -= 8)
		if (n > 0 || (t >> shift & 0xff) != 0)
			out[n++] = (uint8_t)(t >> shift);
	return n;
}

static uint8_t *
put_time(uint8_t *to, int tag, msec t)
{
	uint8_t bytes[8];
	size_t n = time_bytes(t, bytes);

	return n > 0 ? put_bytes(to, tag, bytes, n) : to;
}

static uint8_t *
put_delivery(uint8_t *to, int tag, const struct acl_delivery *d)
{
	uint8_t bytes[10];
	size_t n;

	bytes[0] = (uint8_t)((d->durable ? D_DURABLE : 0) | (d->receipt ? D_RECEIPT : 0) |
	    d->priority << D_PRIORITY);
	bytes[1] = d->max_retries;
	n = 2 + time_bytes(d->ttl, bytes + 2);
	return n > 2 || bytes[0] != 0 || bytes[1] != 0 ? put_bytes(to, tag, bytes, n) : to;
}

static uint8_t *
put_extra(uint8_t *to, int tag, const struct acl_extra *x)
{
	to = put_head(to, tag, 2 + x->name.n + x->value.n);
	*to++ = (uint8_t)(x->name.n >> 8);
	*to++ = (uint8_t)x->name.n;
	memcpy(to, x->name.p, x->name.n);
	memcpy(to + x->name.n, x->value.p, x->value.n);
	return to + x->name.n + x->value.n;
}

static uint8_t *
put_param(uint8_t *to, int tag, const struct acl *m)
{
	const char *at = (const char *)m + acl_params[tag].at;

	switch (acl_params[tag].kind) {
	case ACL_AS_ID:
		return uuid_is_zero(&m->message_id) ? to : put_bytes(to, tag, m->message_id.b, 16);
	case ACL_AS_TIME:
		return put_time(to, tag, *(const msec *)(const void *)at);
	case ACL_AS_DELIVERY:
		return put_delivery(to, tag, &m->delivery);
	case ACL_AS_ADDRESSES:
		for (size_t i = 0; i < m->receivers_n; i++)
			to = put_text(to, tag, m->receivers[i]);
		return to;
	case ACL_AS_EXTRA:
		for (size_t i = 0; i < m->extras_n; i++)
			to = put_extra(to, tag, &m->extras[i]);
		return to;
	default:
		return put_text(to, tag, *(const struct str *)(const void *)at);
	}
}

/* At least as many bytes as m takes. */
static size_t
bound(const struct acl *m)
{
	size_t n = 2 + (TAG_HEAD + 16) * ACL_TAGS + m->sender.n + m->reply_to.n + m->content.n +
	    m->language.n + m->encoding.n + m->ontology.n + m->protocol.n +
	    m->conversation_id.n + m->reply_with.n + m->in_reply_to.n + m->trace.n;

	for (size_t i = 0; i < m->receivers_n; i++)
		n += TAG_HEAD + m->receivers[i].n;
	for (size_t i = 0; i < m->extras_n; i++)
		n += TAG_HEAD + 2 + m->extras[i].name.n + m->extras[i].value.n;
	return n;
}

void
acl_pack(const struct acl *m, struct buf *out)
{
	uint8_t *from = (uint8_t *)buf_room(out, bound(m)), *to = from;

	assert(m->act < ACL_ACTS && m->delivery.priority < ACL_PRIORITIES);
	if (from == NULL)
		return;
	*to++ = VERSION;
	*to++ = (uint8_t)m->act;
	for (int tag = ACL_MESSAGE_ID; tag < ACL_TAGS; tag++)
		to = put_param(to, tag, m);
	buf_added(out, (size_t)(to - from));
}

void
acl_add_frame(const struct acl *m, struct buf *out)
{
	size_t at = out->n;
	uint32_t n;

	buf_add(out, (struct str){ "\0\0\0\0", ACL_FRAME_HEAD });
	acl_pack(m, out);
	if (out->failed)
		return;
	n = (uint32_t)(out->n - at - ACL_FRAME_HEAD);
	for (int i = 0; i < ACL_FRAME_HEAD; i++)
		out->p[at + (size_t)i] = (char)(n >> (8 * (ACL_FRAME_HEAD - 1 - i)));
}

/* ---- unpacking ---------------------------------------------------------------------- */

struct reader {
	const uint8_t *p, *end;
	struct acl *m;
	struct acl_room *room;
	struct err *e;
};

static int
fail(struct reader *r, int tag, const char *words)
{
	return err_set(r->e, ERR_SYNTAX, "packed message: %s%s%s", tag > 0 ?
	    acl_params[tag].name : "", tag > 0 ? ": " : "", words);
}

/* Lengths have one form: no zeros at the end. */
static int
read_head(struct reader *r, int *tag, struct str *value)
{
	size_t n = 0;
	unsigned shift = 0;

	*tag = *r->p++;
	if (*tag == 0 || *tag >= ACL_TAGS) {
		err_set(r->e, ERR_SYNTAX, "packed message: unknown tag %d; expected 1 to %d", *tag,
		    ACL_TAGS - 1);
		return ERR_SYNTAX;
	}
	for (;; shift += 7) {
		if (r->p == r->end || shift > 21)
			return fail(r, *tag, "expected a length of up to 4 bytes");
		n |= (size_t)(*r->p & 0x7f) << shift;
		if ((*r->p++ & 0x80) == 0)
			break;
	}
	if (shift > 0 && r->p[-1] == 0)
		return fail(r, *tag, "a length with zeros at its end");
	if (n == 0 || n > (size_t)(r->end - r->p))
		return fail(r, *tag, n == 0 ? "empty" : "longer than the message");
	*value = (struct str){ (const char *)r->p, n };
	r->p += n;
	return OK;
}

static int
get_time(struct reader *r, int tag, struct str v, msec max, msec *out)
{
	if (v.n > 8 || (v.n > 0 && v.p[0] == 0))
		return fail(r, tag, "expected a time of up to 8 bytes that does not begin with 0");
	*out = 0;
	for (size_t i = 0; i < v.n; i++)
		*out = (msec)((uint64_t)*out << 8 | (uint8_t)v.p[i]);
	return *out < 0 || *out > max ? fail(r, tag, "a time past the year 9999, or too long") : OK;
}

static int
get_delivery(struct reader *r, int tag, struct str v)
{
	struct acl_delivery *d = &r->m->delivery;
	uint8_t flags;

	if (v.n < 2)
		return fail(r, tag, "expected at least 2 bytes");
	flags = (uint8_t)v.p[0];
	*d = (struct acl_delivery){ .priority = flags >> D_PRIORITY,
	    .durable = (flags & D_DURABLE) != 0, .receipt = (flags & D_RECEIPT) != 0,
	    .max_retries = (uint8_t)v.p[1] };
	if (d->priority >= ACL_PRIORITIES || d->max_retries > ACL_RETRIES_MAX)
		return fail(r, tag, "expected a priority up to 3 and up to 100 retries");
	if (v.n == 2 && flags == 0 && d->max_retries == 0)
		return fail(r, tag, "all zero");
	return get_time(r, tag, str_sub(v, 2, v.n), ACL_TTL_MAX, &d->ttl);
}

static int
get_extra(struct reader *r, int tag, struct str v)
{
	size_t n = v.n >= 2 ? (size_t)(uint8_t)v.p[0] << 8 | (uint8_t)v.p[1] : 0, before;
	struct str name = str_sub(v, 2, n);
	int rc;

	if (v.n < 2 || n == 0 || 2 + n >= v.n)
		return fail(r, tag, "expected a name and a value");
	if (!str_is_utf8(name) || !str_is_utf8(str_sub(v, 2 + n, v.n)))
		return fail(r, tag, "expected UTF-8");
	before = r->m->extras_n;
	rc = acl_put_extra(r->m, r->room, name, str_sub(v, 2 + n, v.n), r->e);
	return rc == OK && r->m->extras_n == before ? fail(r, tag, "a name twice") : rc;
}

static int
get_receiver(struct reader *r, int tag, struct str v)
{
	if (r->m->receivers_n == LIMIT_ACL_RECEIVERS)
		return err_set(r->e, ERR_LIMIT, "packed message: receiver: expected at most %d",
		    LIMIT_ACL_RECEIVERS);
	if (!str_is_utf8(v))
		return fail(r, tag, "expected UTF-8");
	r->room->receivers[r->m->receivers_n++] = v;
	return OK;
}

static int
get_param(struct reader *r, int tag, struct str v)
{
	const struct acl_param *p = &acl_params[tag];

	switch (p->kind) {
	case ACL_AS_ID:
		if (v.n != sizeof r->m->message_id.b)
			return fail(r, tag, "expected 16 bytes");
		memcpy(r->m->message_id.b, v.p, v.n);
		return uuid_is_zero(&r->m->message_id) ? fail(r, tag, "all zero") : OK;
	case ACL_AS_TIME:
		return get_time(r, tag, v, ACL_TIME_MAX, acl_time_at(r->m, p));
	case ACL_AS_DELIVERY:
		return get_delivery(r, tag, v);
	case ACL_AS_ADDRESSES:
		return get_receiver(r, tag, v);
	case ACL_AS_EXTRA:
		return get_extra(r, tag, v);
	default:
		if (!str_is_utf8(v))
			return fail(r, tag, "expected UTF-8");
		*acl_str_at(r->m, p) = v;
		return OK;
	}
}

int
acl_unpack(struct acl *out, struct str packed, struct acl_room *room, struct err *e)
{
	struct reader r = { .p = (const uint8_t *)packed.p, .m = out, .room = room, .e = e };
	int last = 0, tag, rc = OK;
	struct str value = STR_NONE;

	*out = (struct acl){ .receivers = room->receivers, .extras = room->extras };
	if (packed.n > LIMIT_ACL_BYTES)
		return err_set(e, ERR_TOOBIG, "packed message: expected at most %d bytes, got %zu",
		    LIMIT_ACL_BYTES, packed.n);
	if (packed.n < 2 || r.p[0] != VERSION || r.p[1] >= ACL_ACTS)
		return fail(&r, 0, "expected version 1 and one of 22 acts");
	out->act = (enum acl_act)r.p[1];
	r.end = r.p + packed.n;
	for (r.p += 2; rc == OK && r.p < r.end; last = tag) {
		rc = read_head(&r, &tag, &value);
		if (rc != OK)
			return rc;
		if (tag < last || (tag == last && tag != ACL_RECEIVER && tag != ACL_EXTRA))
			return fail(&r, tag, tag == last ? "twice" : "out of order");
		rc = get_param(&r, tag, value);
	}
	return rc;
}

static struct str
value_of(struct str packed, int wanted)
{
	const uint8_t *p = (const uint8_t *)packed.p, *end = p + packed.n;

	for (p += 2; p < end && *p <= wanted; ) {
		int tag = *p++;
		unsigned shift = 0;
		size_t n = 0;

		for (; p < end && (*p & 0x80) != 0; shift += 7)
			n |= (size_t)(*p++ & 0x7f) << shift;
		n |= (size_t)*p++ << shift;
		if (tag == wanted)
			return (struct str){ (const char *)p, n };
		p += n;
	}
	return STR_NONE;
}

struct str
acl_peek_content(struct str packed)
{
	return value_of(packed, ACL_CONTENT);
}

bool
acl_peek(struct str packed, struct str name, struct str *out)
{
	for (int tag = ACL_MESSAGE_ID; tag < ACL_TAGS; tag++) {
		enum acl_kind kind = acl_params[tag].kind;

		if (name.n == 0 || acl_params[tag].name[0] != name.p[0] ||
		    !str_eq(name, str_of(acl_params[tag].name)))
			continue;
		*out = value_of(packed, tag);
		return kind == ACL_AS_TEXT || kind == ACL_AS_ADDRESS || kind == ACL_AS_JSON;
	}
	return false;
}

/* Its tag is the first. */
bool
acl_peek_id(struct str packed, struct uuid *out)
{
	const size_t head = 4;

	if (packed.n < head + sizeof out->b || packed.p[2] != ACL_MESSAGE_ID)
		return false;
	memcpy(out->b, packed.p + head, sizeof out->b);
	return true;
}

/* ---- frames of clients ----------------------------------------------------------------- */

/* In e are words without a path. */
static int
at_param(struct err *e, const char *name, int rc)
{
	struct err words;

	if (rc == OK || e == NULL)
		return rc;
	words = *e;
	return err_set(e, rc, "%s: %s", name, words.text);
}

static int
check_param(struct acl *m, const struct acl_param *p, struct err *e)
{
	struct str *s = acl_str_at(m, p);
	int rc = OK;

	switch (p->kind) {
	case ACL_AS_TEXT:
		return s->n == 0 ? OK : p == &acl_params[ACL_TRACE] ? acl_check_trace(*s, e) :
		    acl_check_text(*s, e);
	case ACL_AS_ADDRESS:
		return s->n == 0 ? OK : acl_check_address(*s, e);
	case ACL_AS_ADDRESSES:
		for (size_t i = 0; rc == OK && i < m->receivers_n; i++)
			rc = acl_check_address(m->receivers[i], e);
		return m->receivers_n == 0 ? err_set(e, ERR_INVALID,
		    "missing; expected an agent's id or name, cap:NAME or all:NAME") : rc;
	case ACL_AS_EXTRA:
		for (size_t i = 0; rc == OK && i < m->extras_n; i++) {
			rc = acl_check_extra_name(m->extras[i].name, e);
			if (rc == OK)
				rc = json_check(m->extras[i].value, e);
		}
		return rc;
	case ACL_AS_JSON:
		rc = acl_check_content(*s, e);
		return rc == OK && s->n > 0 ? json_check(*s, e) : rc;
	default:
		return OK;
	}
}

int
acl_from_frame(struct acl *out, struct str packed, struct acl_room *room, struct err *e)
{
	int rc = acl_unpack(out, packed, room, e);

	for (int tag = ACL_MESSAGE_ID; rc == OK && tag < ACL_TAGS; tag++)
		rc = at_param(e, acl_params[tag].name, check_param(out, &acl_params[tag], e));
	if (rc == OK && (out->sender.n > 0 || out->created != 0))
		return err_set(e, ERR_INVALID, "%s: the server sets it; expected a message without "
		    "one", out->sender.n > 0 ? "sender" : "created_at");
	return rc;
}
