/*
 * spec_read.c - see spec_read.h.
 *
 * Names and capabilities are written where addresses are (acl.h), so they must read as
 * such there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/spec_read.h"

#include <stdio.h>

#define SHOWN_BYTES 64                       /* of a wrong value */

static void
copy(struct fields *f, struct arena *a, const char *key, size_t max, struct str *out)
{
	struct str s = STR_NONE;

	fields_str(f, key, max, &s);
	if (s.p != NULL)
		*out = arena_str(a, s);
}

static void
read_id(struct fields *f, struct uuid *id)
{
	struct str s = STR_NONE;

	fields_str(f, "agent_id", LIMIT_NAME_BYTES, &s);
	if (s.p != NULL && !uuid_parse(s, id))
		fields_fail(f, "agent_id", ERR_INVALID, "expected a UUID, got \"%.*s\"",
		    FMT(str_cut(s, SHOWN_BYTES)));
}

static void
read_name(struct fields *f, struct arena *a, struct str *name)
{
	struct acl_address parsed;
	struct err e;

	copy(f, a, "name", LIMIT_NAME_BYTES, name);
	if (name->p == NULL || f->rc != OK)
		return;
	if (acl_address_parse(*name, &parsed, &e) != OK || parsed.kind != ACL_TO_NAME)
		fields_fail(f, "name", ERR_INVALID, "expected a name: no UUID, not cap: or all:, "
		    "no blanks, quotes and parentheses, got \"%.*s\"",
		    FMT(str_cut(*name, SHOWN_BYTES)));
}

static bool
is_capability(struct arena *a, struct str s)
{
	struct acl_address parsed;
	struct err e;

	return s.n <= LIMIT_NAME_BYTES && acl_address_parse(arena_join(a, S("cap:"), STR_NONE, s),
	    &parsed, &e) == OK;
}

static void
read_capabilities(struct fields *f, struct arena *a, struct office_spec *out)
{
	jnode array = fields_any(f, "capabilities");
	struct json_iter it = json_each(array);
	size_t n = json_count(array);
	struct str *at;

	if (json_is_null(array) || f->rc != OK)
		return;
	if (!json_is_array(array) || n > LIMIT_MAIL_CAPABILITIES) {
		fields_fail(f, "capabilities", ERR_INVALID, "expected an array of at most %d "
		    "strings, got %s", LIMIT_MAIL_CAPABILITIES, json_kind(array));
		return;
	}
	at = arena_zero(a, (n + 1) * sizeof *at);
	for (size_t i = 0; at != NULL && json_next(&it); i++) {
		char place[64];

		at[i] = arena_str(a, json_str(it.value));
		snprintf(place, sizeof place, "capabilities[%zu]", i);
		if (!json_is_string(it.value) || !is_capability(a, at[i]))
			fields_fail(f, place, ERR_INVALID, "expected NAME or NAME:VERSION, "
			    "without blanks, quotes and parentheses, got %s%.*s",
			    json_is_string(it.value) ? "" : json_kind(it.value),
			    FMT(str_cut(at[i], SHOWN_BYTES)));
	}
	out->capabilities = at;
	out->capabilities_n = n;
}

void
office_json_read(struct fields *f, struct arena *a, const char *key, size_t max,
    struct str *out)
{
	jnode n = fields_any(f, key);
	struct buf b = BUF(max);

	if (json_is_null(n) || f->rc != OK)
		return;
	json_add_node(&b, n);
	if (b.failed)
		fields_fail(f, key, ERR_INVALID, "larger than %zu bytes", max);
	else
		*out = arena_str(a, buf_str(&b));
	buf_release(&b);
}

void
office_spec_read(struct fields *f, struct arena *a, struct office_spec *out)
{
	int64_t mailbox_max = out->mailbox_max;
	struct fields metadata;

	read_id(f, &out->id);
	read_name(f, a, &out->name);
	read_capabilities(f, a, out);
	fields_bool(f, "durable", &out->durable);
	fields_int(f, "mailbox_max", 1, LIMIT_MAILBOX_LETTERS_MAX, &mailbox_max);
	out->mailbox_max = (uint32_t)mailbox_max;
	if (fields_object(f, "metadata", &metadata))
		office_json_read(f, a, "metadata", LIMIT_METADATA_BYTES, &out->metadata_json);
	if (a->failed)
		fields_fail(f, NULL, ERR_TOOBIG, "too large");
}
