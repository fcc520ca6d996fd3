/*
 * acl_json.c - a message as a JSON object.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "base/fields.h"
#include "mail/acl_priv.h"

/* What is read into, and from where. */
struct reader {
	struct fields f;
	struct acl *m;
	struct acl_room *room;
	struct arena *a;
	bool trusted;
};

/* A failure that one of the checks of acl_priv.h put into words. */
static void
refuse(struct fields *f, const char *key, int rc, const struct err *e)
{
	if (rc != OK)
		fields_fail(f, key, rc, "%s", e->text);
}

/* A value as JSON text, in the arena. */
static struct str
text_of(struct reader *r, jnode n)
{
	struct buf b = BUF(LIMIT_HTTP_BODY_BYTES);
	struct str s;

	json_add_node(&b, n);
	s = arena_str(r->a, buf_str(&b));
	buf_release(&b);
	return s;
}

static void
read_act(struct reader *r)
{
	struct str name = STR_NONE;
	struct err e;
	int act;

	fields_str(&r->f, "performative", LIMIT_ACL_PARAM_BYTES, &name);
	if (r->f.rc != OK)
		return;
	act = acl_act_find(name);
	if (name.p == NULL)
		fields_fail(&r->f, "performative", ERR_INVALID,
		    "missing; expected a communicative act, as in \"inform\"");
	else if (act < 0)
		refuse(&r->f, "performative", acl_bad_act(name, &e), &e);
	else
		r->m->act = (enum acl_act)act;
}

static void
read_text(struct reader *r, const struct acl_param *p)
{
	struct str *s = acl_str_at(r->m, p);
	struct err e;
	int rc = OK;

	fields_str(&r->f, p->name, LIMIT_ACL_PARAM_BYTES, s);
	if (r->f.rc != OK || s->n == 0)
		return;
	rc = p->kind == ACL_AS_ADDRESS ? acl_check_address(*s, &e) :
	    p == &acl_params[ACL_TRACE] ? acl_check_trace(*s, &e) : acl_check_text(*s, &e);
	refuse(&r->f, p->name, rc, &e);
	if (p == &acl_params[ACL_SENDER] && !r->trusted)
		fields_fail(&r->f, p->name, ERR_INVALID,
		    "the server sets it; expected a message without one");
}

static void
read_receivers(struct reader *r)
{
	jnode n = fields_any(&r->f, "receiver");
	struct json_iter it = json_each(json_is_array(n) ? n : NULL);
	size_t count = json_is_array(n) ? json_count(n) : json_is_null(n) ? 0 : 1;

	if (r->f.rc != OK)
		return;
	if (count > LIMIT_ACL_RECEIVERS)
		fields_fail(&r->f, "receiver", ERR_LIMIT, "expected at most %d addresses, got "
		    "%zu; an address all:NAME reaches more", LIMIT_ACL_RECEIVERS, count);
	else if (count == 0 && !r->trusted)
		fields_fail(&r->f, "receiver", ERR_INVALID,
		    "missing; expected an agent's id or name, cap:NAME or all:NAME");
	for (size_t i = 0; r->f.rc == OK && i < count; i++) {
		jnode one = json_next(&it) ? it.value : n;
		char key[32] = "receiver";
		struct err e;

		if (json_is_array(n))
			snprintf(key, sizeof key, "receiver.%zu", i);
		if (!json_is_string(one))
			fields_fail(&r->f, key, ERR_INVALID, "expected an address%s, got %s",
			    json_is_array(n) ? "" : ", or an array of them", json_kind(one));
		else
			refuse(&r->f, key, acl_check_address(json_str(one), &e), &e);
		r->room->receivers[i] = json_str(one);
	}
	r->m->receivers_n = r->f.rc == OK ? count : 0;
}

static void
read_time(struct reader *r, const struct acl_param *p)
{
	jnode n = fields_any(&r->f, p->name);
	msec *out = acl_time_at(r->m, p);
	bool good;

	if (r->f.rc != OK || json_is_null(n))
		return;
	if (json_is_string(n))
		good = clock_read_iso(json_str(n), out);
	else
		good = json_is_int(n), *out = json_int(n);
	if (!good || *out <= 0 || *out > ACL_TIME_MAX)
		fields_fail(&r->f, p->name, ERR_INVALID, "expected a date of RFC 3339 with its "
		    "zone, as in \"2026-11-30T12:00:00Z\", or Unix milliseconds, got %s%.*s%s",
		    json_is_string(n) ? "\"" : json_kind(n), FMT(str_cut(json_str(n), 64)),
		    json_is_string(n) ? "\"" : "");
	else if (p == &acl_params[ACL_CREATED] && !r->trusted)
		fields_fail(&r->f, p->name, ERR_INVALID,
		    "the server sets it; expected a message without one");
}

static void
read_id(struct reader *r)
{
	struct str s = STR_NONE;

	fields_str(&r->f, "message_id", LIMIT_ACL_PARAM_BYTES, &s);
	if (r->f.rc == OK && s.n > 0 && (!uuid_parse(s, &r->m->message_id) ||
	    uuid_is_zero(&r->m->message_id)))
		fields_fail(&r->f, "message_id", ERR_INVALID, "expected a UUID, got \"%.*s\"",
		    FMT(str_cut(s, 64)));
}

static void
read_ttl(struct fields *f, struct acl_delivery *d)
{
	jnode n = fields_any(f, "ttl");
	nsec ns = 0;

	if (f->rc != OK || json_is_null(n))
		return;
	if (json_is_int(n) && json_int(n) <= ACL_TTL_MAX)
		d->ttl = json_int(n);
	else if (json_is_string(n) && clock_parse(json_str(n), NS_PER_MS, &ns))
		d->ttl = ns / NS_PER_MS;
	if (d->ttl < 1 || d->ttl > ACL_TTL_MAX)
		fields_fail(f, "ttl", ERR_INVALID, "expected milliseconds, or a time as in \"30s\", "
		    "from 1 ms to %d days", LIMIT_WAIT_DAYS);
}

static void
read_delivery(struct reader *r)
{
	struct acl_delivery *d = &r->m->delivery;
	int64_t priority = 0, retries = 0;
	struct fields f;

	if (!fields_object(&r->f, "delivery", &f))
		return;
	fields_int(&f, "priority", 0, ACL_PRIORITIES - 1, &priority);
	fields_int(&f, "max_retries", 1, ACL_RETRIES_MAX, &retries);
	fields_bool(&f, "receipt", &d->receipt);
	fields_bool(&f, "durable", &d->durable);
	read_ttl(&f, d);
	d->priority = (uint8_t)priority;
	d->max_retries = (uint8_t)retries;
	fields_end(&f);
}

static void
read_content(struct reader *r)
{
	jnode n = fields_any(&r->f, "content");
	struct err e;

	if (r->f.rc != OK || n == NULL)      /* null is a value of its own */
		return;
	r->m->content = text_of(r, n);
	refuse(&r->f, "content", acl_check_content(r->m->content, &e), &e);
}

static void
read_extras(struct reader *r)
{
	struct json_iter it = json_each(r->f.node);

	while (r->f.rc == OK && json_next(&it)) {
		struct str name = json_str(it.key);
		struct err e;
		int rc;

		if (!acl_is_extra(name))
			continue;
		rc = acl_check_extra_name(name, &e);
		if (rc == OK)
			rc = acl_put_extra(r->m, r->room, name, text_of(r, it.value), &e);
		refuse(&r->f, str_cut(name, 64).n == name.n ? name.p : "x-...", rc, &e);
	}
}

int
acl_from_json(struct acl *out, jnode object, bool trusted, struct arena *a,
    struct acl_room *room, struct err *e)
{
	struct reader r = { .m = out, .room = room, .a = a, .trusted = trusted };

	*out = (struct acl){ .receivers = room->receivers, .extras = room->extras };
	fields_open(&r.f, object, "message", e);
	r.f.own = "x-";
	read_act(&r);
	read_receivers(&r);
	for (int tag = ACL_MESSAGE_ID; tag < ACL_TAGS; tag++) {
		const struct acl_param *p = &acl_params[tag];

		if (p->kind == ACL_AS_TEXT || p->kind == ACL_AS_ADDRESS)
			read_text(&r, p);
		else if (p->kind == ACL_AS_TIME)
			read_time(&r, p);
	}
	read_id(&r);
	read_delivery(&r);
	read_content(&r);
	read_extras(&r);
	if (arena_rc(a) != OK)
		fields_fail(&r.f, NULL, ERR_TOOBIG, "too large");
	return fields_end(&r.f);
}

/* ---- writing ----------------------------------------------------------------------- */

static void
add_receivers(const struct acl *m, struct buf *out)
{
	if (m->receivers_n == 0)
		return;
	json_add_key(out, "receiver");
	if (m->receivers_n > 1)
		buf_add_char(out, '[');
	for (size_t i = 0; i < m->receivers_n; i++)
		json_add_fmt(out, i > 0 ? ",%.*s" : "%.*s", FMT(m->receivers[i]));
	if (m->receivers_n > 1)
		buf_add_char(out, ']');
}

static void
add_delivery(const struct acl_delivery *d, struct buf *out)
{
	if (d->priority == 0 && d->ttl == 0 && !d->receipt && d->max_retries == 0 && !d->durable)
		return;
	json_add_fmt(out, ",'delivery':{");
	if (d->priority > 0)
		json_add_fmt(out, ",'priority':%d", d->priority);
	if (d->ttl > 0)
		json_add_fmt(out, ",'ttl':%lld", (long long)d->ttl);
	if (d->receipt)
		json_add_fmt(out, ",'receipt':%hhd", true);
	if (d->max_retries > 0)
		json_add_fmt(out, ",'max_retries':%d", d->max_retries);
	if (d->durable)
		json_add_fmt(out, ",'durable':%hhd", true);
	buf_add_char(out, '}');
}

static void
add_param(const struct acl *m, const struct acl_param *p, struct buf *out)
{
	const char *at = (const char *)m + p->at;
	const struct str *s = (const void *)at;
	const msec *t = (const void *)at;

	switch (p->kind) {
	case ACL_AS_TEXT: case ACL_AS_ADDRESS:
		if (s->n == 0)
			return;
		json_add_key(out, p->name);
		json_add_str(out, *s);
		return;
	case ACL_AS_TIME:
		if (*t == 0)
			return;
		json_add_key(out, p->name);
		buf_add_char(out, '"');
		clock_add_iso(out, *t);
		buf_add_char(out, '"');
		return;
	case ACL_AS_ADDRESSES:
		add_receivers(m, out);
		return;
	case ACL_AS_DELIVERY:
		add_delivery(&m->delivery, out);
		return;
	case ACL_AS_ID:
		if (uuid_is_zero(&m->message_id))
			return;
		json_add_key(out, p->name);
		buf_add_char(out, '"');
		uuid_add(out, &m->message_id);
		buf_add_char(out, '"');
		return;
	case ACL_AS_EXTRA:
		for (size_t i = 0; i < m->extras_n; i++)
			json_add_fmt(out, ",%.*s:%-.*s", FMT(m->extras[i].name),
			    FMT(m->extras[i].value));
		return;
	case ACL_AS_JSON:
		if (s->n == 0)
			return;
		json_add_key(out, p->name);
		buf_add(out, *s);
	}
}

void
acl_add_json(const struct acl *m, struct buf *out)
{
	assert(m->act < ACL_ACTS);
	json_add_fmt(out, "{'performative':%s", acl_act_names[m->act]);
	for (int tag = ACL_MESSAGE_ID; tag < ACL_TAGS; tag++)
		add_param(m, &acl_params[tag], out);
	buf_add_char(out, '}');
}
