/*
 * otlp.c - ExportTraceServiceRequest as JSON, and what its answer says.
 *
 * The JSON form of OTLP: ids are hexadecimal, 64-bit numbers are strings, enums are
 * numbers, and texts are valid UTF-8.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/hmac.h"
#include "base/json.h"
#include "trace/trace_priv.h"

/* Texts were cut in whole characters; bytes of others may be anything. */
static void
add_text(struct buf *b, struct str s)
{
	struct buf mended = BUF(4 * (size_t)LIMIT_TRACE_CONTENT_BYTES);

	if (str_is_utf8(s)) {
		json_add_str(b, s);
		return;
	}
	buf_add_mended(&mended, s);
	json_add_str(b, buf_str(&mended));
	buf_release(&mended);
}

/* Keys are literals of plain letters: nothing is to be escaped. */
static void
open_attr(struct buf *b, const char *key, struct str kind)
{
	json_add_comma(b);
	buf_lit(b, "{\"key\":\"");
	buf_add(b, str_of(key));
	buf_lit(b, "\",\"value\":{\"");
	buf_add(b, kind);
	buf_lit(b, "\":");
}

static void
add_text_attr(struct buf *b, const char *key, struct str value)
{
	open_attr(b, key, S("stringValue"));
	add_text(b, value);
	buf_lit(b, "}}");
}

static void
add_attr(struct buf *b, const struct trace_span *s, const struct trace_attr *a)
{
	struct str text = { s->text + a->u.text.at, a->u.text.n };

	switch (a->kind) {
	case ATTR_TEXT:
		add_text_attr(b, a->key, text);
		break;
	case ATTR_TEXTS:
		open_attr(b, a->key, S("arrayValue"));
		buf_lit(b, "{\"values\":[{\"stringValue\":");
		add_text(b, text);
		buf_lit(b, "}]}}}");
		break;
	case ATTR_INT:
		open_attr(b, a->key, S("intValue"));
		buf_add_char(b, '"');
		buf_add_i64(b, a->u.number);
		buf_lit(b, "\"}}");
		break;
	case ATTR_REAL:
		open_attr(b, a->key, S("doubleValue"));
		json_add_double(b, isfinite(a->u.real) ? a->u.real : 0);
		buf_lit(b, "}}");
		break;
	}
}

static void
add_id(struct buf *b, struct str member, uint64_t id)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(id >> (56 - 8 * i));
	buf_add(b, member);
	hex_add(b, bytes, sizeof bytes);
	buf_add_char(b, '"');
}

static void
add_time(struct buf *b, struct str member, nsec at)
{
	buf_add(b, member);
	buf_add_i64(b, at);
	buf_add_char(b, '"');
}

static void
add_status(struct buf *b, const struct trace_span *s)
{
	if (!s->failed)
		return;
	buf_lit(b, ",\"status\":{\"code\":2");
	if (s->message_n > 0) {
		buf_lit(b, ",\"message\":");
		add_text(b, (struct str){ s->text + s->message_at, s->message_n });
	}
	buf_add_char(b, '}');
}

static void
add_span(struct buf *b, const struct trace_span *s)
{
	json_add_comma(b);
	buf_lit(b, "{\"traceId\":\"");
	hex_add(b, s->at.trace.b, sizeof s->at.trace.b);
	buf_add_char(b, '"');
	add_id(b, S(",\"spanId\":\""), s->at.span);
	if (s->parent != 0)
		add_id(b, S(",\"parentSpanId\":\""), s->parent);
	buf_lit(b, ",\"name\":");
	add_text(b, (struct str){ s->text, s->name_n });
	buf_lit(b, ",\"kind\":");
	buf_add_i64(b, s->kind);
	add_time(b, S(",\"startTimeUnixNano\":\""), s->start);
	add_time(b, S(",\"endTimeUnixNano\":\""), s->end);
	buf_lit(b, ",\"attributes\":[");
	for (unsigned i = 0; i < s->attrs_n; i++)
		add_attr(b, s, &s->attrs[i]);
	for (unsigned i = 0; i < s->contents_n; i++)
		add_text_attr(b, s->contents[i].key,
		    (struct str){ s->contents[i].text, s->contents[i].n });
	buf_add_char(b, ']');
	add_status(b, s);
	buf_add_char(b, '}');
}

static void
add_resource(struct buf *b, const struct tracing *t)
{
	int64_t node = atomic_load_explicit(&t->node, memory_order_relaxed);

	buf_lit(b, "\"resource\":{\"attributes\":[");
	add_text_attr(b, "service.name", buf_str(&t->service));
	add_text_attr(b, "service.version", S(COHORT_VERSION));
	add_text_attr(b, "service.instance.id", buf_str(&t->instance));
	if (node > 0)
		json_add_fmt(b, ",{'key':'cohort.node.id','value':{'intValue':'%lld'}}",
		    (long long)node);
	buf_lit(b, "]}");
}

void
otlp_write(struct buf *b, const struct tracer *t, size_t *n)
{
	size_t i = 0;

	buf_lit(b, "{\"resourceSpans\":[{");
	add_resource(b, t->of);
	buf_lit(b, ",\"scopeSpans\":[{\"scope\":{\"name\":\"cohort\",\"version\":\""
	    COHORT_VERSION "\"},\"spans\":[");
	for (; i < t->n && i < LIMIT_TRACE_BATCH && b->n < LIMIT_TRACE_BATCH_BYTES; i++)
		add_span(b, &t->ring[(t->first + i) % LIMIT_TRACE_SPANS]);
	buf_lit(b, "]}]}]}");
	*n = i;
}

/* A number, or as JSON of OTLP has it, a string of one. */
uint64_t
otlp_rejected(struct str answer, struct buf *why)
{
	struct json_doc d = { 0 };
	uint64_t n = 0;
	jnode part, count;

	if (json_parse(&d, answer, NULL) != OK)
		return 0;
	part = json_get(d.root, S("partialSuccess"));
	count = json_get(part, S("rejectedSpans"));
	if (json_is_string(count) && !str_to_u64(json_str(count), &n))
		n = 0;
	else if (json_is_int(count) && json_int(count) > 0)
		n = (uint64_t)json_int(count);
	buf_add(why, str_cut(json_str(json_get(part, S("errorMessage"))), 200));
	json_release(&d);
	return n;
}
