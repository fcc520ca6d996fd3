/*
 * guest.c - see guest.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/guest.h"

#include "base/log.h"
#include "base/mem.h"

#define TO_BYTES ((LIMIT_ACL_PARAM_BYTES + 1) * (LIMIT_ACL_RECEIVERS + 1))

static int
read_to(struct wasm_outgoing *out, struct val v, struct err *e)
{
	struct buf b = BUF(TO_BYTES);
	bool texts = v.kind == VAL_STRING || v.kind == VAL_ARRAY;

	if (v.kind == VAL_STRING)
		buf_add(&b, val_str(v));
	for (size_t i = 0; texts && i < val_count(v); i++) {
		struct val one = val_at(v, i);

		texts = one.kind == VAL_STRING;
		buf_add_char(&b, ' ');
		if (texts)
			buf_add(&b, val_str(one));
	}
	texts = texts && !b.failed;
	if (texts) {
		out->to_text = mem_cstr(buf_str(&b));
		out->to = str_of(out->to_text);
	}
	buf_release(&b);
	return texts ? OK : err_set(e, ERR_INVALID, "to: expected an address or a list of at most "
	    "%d, each at most %d bytes", LIMIT_ACL_RECEIVERS, LIMIT_ACL_PARAM_BYTES);
}

static int
read_members(struct wasm_outgoing *out, struct val v, bool reply, struct err *e)
{
	struct val to = val_get(v, S("to")), act = val_get(v, S("performative"));

	if (v.kind != VAL_OBJECT)
		return err_set(e, ERR_INVALID, "expected an object, as in {\"content\": 1}, got %s",
		    val_kind_name(v));
	if (reply && to.kind != VAL_UNDEFINED)
		return err_set(e, ERR_INVALID, "to: not accepted here: a reply goes to the "
		    "sender of the message");
	if (act.kind != VAL_UNDEFINED && act.kind != VAL_STRING)
		return err_set(e, ERR_INVALID, "performative: expected a text, got %s",
		    val_kind_name(act));
	out->act = S("inform");
	if (act.kind == VAL_STRING) {
		out->act_value = val_ref(act);
		out->act = val_str(out->act_value);
	}
	out->fields = val_unset_take(val_unset_take(val_ref(v), S("to")), S("performative"));
	return reply ? OK : read_to(out, to, e);
}

int
wasm_outgoing_read(struct wasm_outgoing *out, struct str json, bool reply, struct err *e)
{
	struct val v;
	int rc = val_json(&v, json, e);

	*out = (struct wasm_outgoing){ .fields = VAL_UNDEF, .act_value = VAL_UNDEF };
	if (rc != OK)
		return rc;
	rc = read_members(out, v, reply, e);
	val_drop(v);
	if (rc != OK)
		wasm_outgoing_release(out);
	return rc;
}

void
wasm_outgoing_release(struct wasm_outgoing *o)
{
	val_drop(o->fields);
	val_drop(o->act_value);
	free(o->to_text);
	*o = (struct wasm_outgoing){ .fields = VAL_UNDEF, .act_value = VAL_UNDEF };
}

void
wasm_namespace_add(struct buf *b, struct str name)
{
	buf_lit(b, "wasm.");
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '.' || name.p[i] == '%')
			buf_add_fmt(b, "%%%02X", (unsigned)name.p[i]);
		else
			buf_add_char(b, name.p[i]);
}

void
wasm_log(int level, struct str of, struct str text)
{
	static const enum log_level levels[] = { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_WARN };
	enum log_level at = level >= 0 && level < (int)COUNT(levels) ? levels[level] : LOG_INFO;
	struct str cut = str_cut(text, KB);

	if (at <= log_threshold)
		log_event(at, "wasm", "guest", "of=%.*s text=%.*s", FMT(of), FMT(cut));
}
