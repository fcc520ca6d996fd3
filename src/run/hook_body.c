/*
 * hook_body.c - what a webhook says: the run as it ended, the values that it left, its
 * error.  And the lines that go before it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hmac.h"
#include "base/scan.h"
#include "run/hook_priv.h"
#include "trace/trace.h"

const char *const hook_fields[] = { "run_id", "thread_id", "assistant_id", "metadata",
	"status", "kwargs", "multitask_strategy", "created_at", "updated_at",
	"cancel_reason", "run_started_at", "run_ended_at", "webhook_sent_at", "values",
	"values_omitted", "error", NULL };

static void
add_time(struct buf *b, const char *key, msec at)
{
	json_add_key(b, key);
	if (at == 0) {
		buf_lit(b, "null");
		return;
	}
	buf_add_char(b, '"');
	clock_add_iso(b, at);
	buf_add_char(b, '"');
}

static void
write_whole(struct buf *b, struct runs *rs, const struct store_hook *h, struct str values)
{
	buf_add_char(b, '{');
	rs->sh->hook_run(b, h);
	if (h->push_json.n > 0)
		return;
	add_time(b, "run_started_at", h->started);
	add_time(b, "run_ended_at", h->ended);
	add_time(b, "webhook_sent_at", shard_wall(rs->shard));
	json_add_fmt(b, ",'values':%-.*s", FMT(values.n > 0 ? values : S("null")));
	if (h->run.error_json.n > 0)
		json_add_fmt(b, ",'error':%-.*s", FMT(h->run.error_json));
}

static bool
is_asked(struct str fields, struct str name)
{
	struct str entry;

	while (str_next(&fields, ',', &entry))
		if (str_eq(str_trim(entry), name))
			return true;
	return false;
}

/* Only the members that the operator lists. */
static int
select_fields(struct buf *b, struct str fields)
{
	struct json_doc d = { 0 };
	struct buf all = *b;
	struct json_iter it;
	int rc = json_parse(&d, buf_str(&all), NULL);

	*b = BUF(all.max);
	buf_add_char(b, '{');
	it = json_each(d.root);
	while (rc == OK && json_next(&it)) {
		if (!is_asked(fields, json_str(it.key)))
			continue;
		json_add_comma(b);
		json_add_str(b, json_str(it.key));
		buf_add_char(b, ':');
		json_add_node(b, it.value);
	}
	buf_add_char(b, '}');
	json_release(&d);
	buf_release(&all);
	return rc;
}

static int
body_of(struct buf *b, struct runs *rs, const struct store_hook *h, struct str values)
{
	const struct hook_rules *r = rs->sh->hook_rules;

	*b = BUF((size_t)LIMIT_HOOK_BODY_BYTES);
	write_whole(b, rs, h, values);
	buf_add_char(b, '}');
	if (b->failed) {
		buf_release(b);
		*b = BUF((size_t)LIMIT_HOOK_BODY_BYTES);
		write_whole(b, rs, h, STR_NONE);
		buf_lit(b, ",\"values_omitted\":true}");
	}
	if (!b->failed && r->payload_fields.n > 0 && h->push_json.n == 0)
		return select_fields(b, r->payload_fields);
	return b->failed ? ERR_TOOBIG : OK;
}

int
hook_body_write(struct buf *b, struct runs *rs, const struct store_hook *h)
{
	struct buf values = BUF(2u * LIMIT_STATE_BYTES);
	int rc;

	if (!h->of_run) {
		*b = BUF((size_t)LIMIT_HOOK_BODY_BYTES);
		buf_add(b, h->body);
		return b->failed ? ERR_TOOBIG : OK;
	}
	if (!uuid_is_zero(&h->checkpoint))
		thread_values_at(rs, h->owner, h->thread_seq, &h->checkpoint, &values);
	rc = body_of(b, rs, h, buf_str(&values));
	buf_release(&values);
	return rc;
}

/* ---- headers ------------------------------------------------------------------------ */

static void
add_signature(struct buf *b, struct str secret, struct str stamp, struct str body)
{
	struct buf text = BUF((size_t)LIMIT_HOOK_BODY_BYTES + 32);
	uint8_t mac[SHA256_SIZE];

	buf_add(&text, stamp);
	buf_add_char(&text, '.');
	buf_add(&text, body);
	hmac_sha256(secret, buf_str(&text), mac);
	buf_lit(b, "x-cohort-signature: sha256=");
	hex_add(b, mac, sizeof mac);
	buf_lit(b, "\r\n");
	buf_release(&text);
}

/* What the client shall know the message by.  The texts were checked when they came. */
static void
add_push_lines(struct buf *b, struct str push_json)
{
	struct json_doc d = { 0 };
	struct str token, scheme;

	if (push_json.n > 0 && json_parse(&d, push_json, NULL) == OK) {
		token = json_str(json_get(d.root, S("token")));
		scheme = json_str(json_get(d.root, S("scheme")));
		if (token.n > 0)
			buf_add_fmt(b, "x-a2a-notification-token: %.*s\r\n", FMT(token));
		if (scheme.n > 0)
			buf_add_fmt(b, "authorization: %.*s %.*s\r\n", FMT(scheme),
			    FMT(json_str(json_get(d.root, S("credentials")))));
	}
	json_release(&d);
}

void
hook_headers_write(struct buf *b, const struct hook_rules *r, const struct store_hook *h,
    struct str body, msec now)
{
	struct buf stamp = BUF(24);
	char id[UUID_TEXT];

	uuid_format(&h->id, id);
	buf_add_i64(&stamp, now / 1000);
	buf_add_fmt(b, "content-type: application/json\r\nx-cohort-delivery: %.*s\r\n"
	    "x-cohort-timestamp: %.*s\r\n", UUID_TEXT, id, FMT(buf_str(&stamp)));
	if (r->secret.n > 0)
		add_signature(b, r->secret, buf_str(&stamp), body);
	buf_add(b, r->headers);
	buf_add(b, h->headers);
	add_push_lines(b, h->push_json);
	buf_release(&stamp);
}

/* The receiver's spans are below the run's. */
void
hook_add_trace(struct buf *b, const struct runs *rs, const struct store_hook *h)
{
	struct str given;
	struct trace_at at;

	if (rs->tracer == NULL || !h->of_run)
		return;
	given = scan_find(h->run.kwargs_json, S("traceparent"));
	tracer_begin(rs->tracer, &at, given.n > 2 ? str_sub(given, 1, given.n - 2) : STR_NONE,
	    &h->run.id);
	at.span = trace_span_of(&h->run.id, S("run"), 0);
	buf_lit(b, "traceparent: ");
	trace_at_add(b, &at);
	buf_lit(b, "\r\n");
}
