/*
 * wire.c - see wire_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "work/wire_priv.h"

#define VERSION_MAX 64

static const char *const keys[] = {
	"operation", "args", "actor", "request_id", "deadline_ms", "once",
	"progress", "version"
};

static const char *
key_at(const void *table, size_t i)
{
	return ((const char *const *)table)[i];
}

static int
unknown_key(struct str key, struct err *e)
{
	const char *near = str_nearest(key, key_at, keys, COUNT(keys));

	return err_set(e, ERR_INVALID, "request: unknown key \"%.*s\"%s%s%s",
	    key.n > 64 ? 64 : (int)key.n, key.p,
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}

static int
keys_check(jnode o, struct err *e)
{
	struct json_iter it = json_each(o);

	while (json_next(&it)) {
		struct str key = json_str(it.key);
		bool known = false;

		for (size_t i = 0; i < COUNT(keys) && !known; i++)
			known = str_eq(key, str_of(keys[i]));
		if (!known)
			return unknown_key(key, e);
	}
	return OK;
}

/* A string or a number; what else it could be is no name for a request. */
static int
read_id(struct request *r, jnode o, struct err *e)
{
	jnode id = json_get(o, S("request_id"));

	if (json_is_null(id))
		return OK;
	if (!json_is_string(id) && !json_is_number(id))
		return err_set(e, ERR_INVALID, "request_id: expected a string or a "
		    "number, got %s", json_kind(id));
	if (json_is_string(id) && json_str(id).n > LIMIT_WORK_REQUEST_ID_BYTES)
		return err_set(e, ERR_TOOBIG, "request_id: at most %d bytes",
		    LIMIT_WORK_REQUEST_ID_BYTES);
	r->id = id;
	return OK;
}

static int
read_fields(struct request *r, jnode o, struct err *e)
{
	int64_t ms;
	int rc = json_get_str(o, "operation", "operation", STR_NONE, LIMIT_NAME_BYTES,
	    &r->operation, e);

	if (rc == OK && r->operation.n == 0)
		rc = err_set(e, ERR_INVALID, "request: \"operation\" is missing");
	if (rc == OK)
		rc = json_get_object(o, "args", "args", &r->args, e);
	if (rc == OK)
		rc = json_get_str(o, "actor", "actor", STR_NONE,
		    LIMIT_WORK_NAME_BYTES, &r->actor, e);
	if (rc == OK)
		rc = json_get_str(o, "once", "once", STR_NONE,
		    LIMIT_WORK_ONCE_BYTES, &r->once, e);
	if (rc == OK)
		rc = json_get_str(o, "version", "version", STR_NONE, VERSION_MAX,
		    &r->version, e);
	if (rc == OK)
		rc = json_get_bool(o, "progress", "progress", false, &r->progress, e);
	if (rc == OK)
		rc = json_get_int(o, "deadline_ms", "deadline_ms", -1, 0,
		    LIMIT_WORK_TIMEOUT_MS, &ms, e);
	if (rc == OK)
		r->deadline_ms = ms;
	return rc;
}

int
wire_parse(struct request *r, struct str line, struct err *e)
{
	int rc;

	*r = (struct request){ .deadline_ms = -1 };
	rc = json_parse(&r->doc, line, e);
	if (rc != OK)
		return rc;
	if (!json_is_object(r->doc.root))
		return err_set(e, ERR_INVALID, "request: expected an object, got %s",
		    json_kind(r->doc.root));
	rc = read_id(r, r->doc.root, e);
	if (rc == OK)
		rc = keys_check(r->doc.root, e);
	return rc == OK ? read_fields(r, r->doc.root, e) : rc;
}

void
wire_release(struct request *r)
{
	json_release(&r->doc);
	*r = (struct request){ .deadline_ms = -1 };
}

void
wire_answer(struct buf *out, jnode id, int rc, const char *words, struct str data,
    const char *version)
{
	buf_lit(out, "{\"request_id\":");
	json_add_node(out, id);
	if (rc == OK) {
		buf_lit(out, ",\"success\":true");
	} else {
		buf_lit(out, ",\"success\":false,\"error\":");
		json_add_str(out, str_of(words[0] != '\0' ? words : rc_text(rc)));
		buf_lit(out, ",\"code\":");
		json_add_str(out, str_of(rc_name(rc)));
	}
	if (version != NULL) {
		buf_lit(out, ",\"version\":");
		json_add_str(out, str_of(version));
	}
	if (data.n > 0) {
		buf_lit(out, ",\"data\":");
		buf_add(out, data);
	}
	buf_lit(out, "}\n");
}
