/*
 * wire.c - see wire_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/fields.h"
#include "work/host/wire_priv.h"

#define VERSION_MAX 64

/* A request id is a string or a number. */
static void
read_id(struct request *r, struct fields *f)
{
	jnode id = fields_any(f, "request_id");

	if (json_is_null(id))
		return;
	if (!json_is_string(id) && !json_is_number(id))
		fields_fail(f, "request_id", ERR_INVALID, "expected a string or a "
		    "number, got %s", json_kind(id));
	else if (json_is_string(id) && json_str(id).n > LIMIT_WORK_REQUEST_ID_BYTES)
		fields_fail(f, "request_id", ERR_TOOBIG, "at most %d bytes",
		    LIMIT_WORK_REQUEST_ID_BYTES);
	else
		r->id = id;
}

int
wire_parse(struct request *r, struct str line, struct err *e)
{
	struct fields f, args;
	int rc;

	*r = (struct request){ .deadline_ms = -1 };
	rc = json_parse(&r->doc, line, e);
	if (rc != OK)
		return rc;
	fields_open(&f, r->doc.root, "request", e);
	read_id(r, &f);
	fields_str(&f, "operation", LIMIT_NAME_BYTES, &r->operation);
	if (r->operation.n == 0)
		fields_fail(&f, NULL, ERR_INVALID, "\"operation\" is missing");
	fields_object(&f, "args", &args);
	r->args = args.node;
	fields_str(&f, "actor", LIMIT_WORK_NAME_BYTES, &r->actor);
	fields_str(&f, "once", LIMIT_WORK_ONCE_BYTES, &r->once);
	fields_str(&f, "version", VERSION_MAX, &r->version);
	fields_bool(&f, "progress", &r->progress);
	fields_int(&f, "deadline_ms", 0, LIMIT_WORK_TIMEOUT_MS, &r->deadline_ms);
	return fields_end(&f);
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
	json_add_fmt(out, "{'request_id':%p", id);
	if (rc == OK) {
		buf_lit(out, ",\"success\":true");
	} else {
		json_add_fmt(out, ",'success':false,'error':%s,'code':%s",
		    words[0] != '\0' ? words : rc_text(rc), rc_name(rc));
	}
	if (version != NULL)
		json_add_fmt(out, ",'version':%s", version);
	if (data.n > 0)
		json_add_fmt(out, ",'data':%-.*s", FMT(data));
	buf_lit(out, "}\n");
}
