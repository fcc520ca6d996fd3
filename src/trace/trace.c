/*
 * trace.c - see trace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/trace_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct tracing *the_tracing;          /* for trace_stats; one a process */

/* ---- settings --------------------------------------------------------------------- */

/* One of a list `name=value,...`; the value decoded into b. */
static int
next_pair(struct str *rest, struct str *name, struct buf *value, struct err *e)
{
	struct str part;
	ptrdiff_t eq;

	str_next(rest, ',', &part);
	part = str_trim(part);
	eq = str_index(part, '=');
	if (eq <= 0)
		return err_set(e, ERR_INVALID, "expected name=value with commas between them, "
		    "got \"%.*s\"", FMT(str_cut(part, eq < 0 ? 20 : 0)));
	*name = str_trim(str_sub(part, 0, (size_t)eq));
	part = str_trim(str_sub(part, (size_t)eq + 1, part.n));
	buf_clear(value);
	for (size_t i = 0; i < part.n; i++) {
		int high = part.p[i] == '%' && i + 2 < part.n ? str_hex_digit(part.p[i + 1]) : -1;
		int low = high >= 0 ? str_hex_digit(part.p[i + 2]) : -1;

		buf_add_char(value, low >= 0 ? (char)(high << 4 | low) : part.p[i]);
		i += low >= 0 ? 2 : 0;
	}
	for (size_t i = 0; i < name->n; i++)
		if (name->p[i] <= ' ' || name->p[i] > '~' || name->p[i] == ':')
			return err_set(e, ERR_INVALID, "\"%.*s\" is not the name of a header",
			    FMT(str_cut(*name, 40)));
	for (size_t i = 0; i < value->n; i++)
		if ((unsigned char)value->p[i] < ' ' || value->p[i] == 0x7f)
			return err_set(e, ERR_INVALID, "the value of %.*s has a control "
			    "character", FMT(str_cut(*name, 40)));
	return OK;
}

/* As lines of a request. */
int
tracing_add_headers(struct str list, struct buf *out, struct err *e)
{
	struct buf value = BUF(LIMIT_HTTP_HEADER_BYTES);
	struct str name;
	int rc = OK;

	while (rc == OK && list.n > 0) {
		rc = next_pair(&list, &name, &value, e);
		if (rc == OK)
			buf_add_fmt(out, "%.*s: %.*s\r\n", FMT(name), FMT(buf_str(&value)));
	}
	buf_release(&value);
	return rc == OK && out->failed ? err_set(e, ERR_INVALID, "longer than %d bytes",
	    LIMIT_HTTP_HEADER_BYTES) : rc;
}

int
tracing_check_headers(struct str list, struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_HEADER_BYTES);
	int rc = tracing_add_headers(list, &b, e);

	buf_release(&b);
	return rc;
}

int
tracing_check_url(struct str url, struct err *e)
{
	struct str host = str_starts(url, S("http://")) ? str_sub(url, 7, url.n) :
	    str_starts(url, S("https://")) ? str_sub(url, 8, url.n) : STR_NONE;

	if (host.n == 0 || host.p[0] == '/' || host.p[0] == ':' || url.n > LIMIT_HTTP_URL_BYTES)
		return err_set(e, ERR_INVALID, "expected http://HOST:PORT or https://HOST/PATH "
		    "of an OTLP collector, got \"%.*s\"", FMT(str_cut(url, 100)));
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~' || str_index(S("\"<>\\#"), url.p[i]) >= 0)
			return err_set(e, ERR_INVALID, "byte %zu may not be there", i);
	return OK;
}

/* ---- life -------------------------------------------------------------------------- */

static void
set(struct buf *b, struct str s)
{
	*b = BUF(LIMIT_HTTP_HEADER_BYTES);
	buf_add(b, s);
}

int
tracing_new(struct tracing **out, const struct tracing_options *o, struct err *e)
{
	struct tracing *t = mem_new(struct tracing);
	int rc;

	set(&t->url, o->url);
	set(&t->service, o->service);
	set(&t->instance, o->instance);
	set(&t->headers, S("Content-Type: application/json\r\n"));
	t->sample = o->sample;
	t->content = o->content;
	rc = tracing_check_url(o->url, e);
	if (rc == OK)
		rc = tracing_add_headers(o->headers, &t->headers, e);
	if (rc != OK) {
		tracing_free(t);
		t = NULL;
	}
	*out = the_tracing = t;
	return rc;
}

void
tracing_free(struct tracing *t)
{
	if (t == NULL)
		return;
	if (the_tracing == t)
		the_tracing = NULL;
	buf_release(&t->url);
	buf_release(&t->headers);
	buf_release(&t->service);
	buf_release(&t->instance);
	free(t);
}

void
tracing_set_node(struct tracing *t, int64_t node)
{
	atomic_store_explicit(&t->node, node, memory_order_relaxed);
}

void
trace_stats(struct trace_stats *out)
{
	struct tracing *t = the_tracing;

	*out = (struct trace_stats){ 0 };
	if (t == NULL)
		return;
	out->exported = atomic_load_explicit(&t->exported, memory_order_relaxed);
	out->dropped = atomic_load_explicit(&t->dropped, memory_order_relaxed);
	out->rejected = atomic_load_explicit(&t->rejected, memory_order_relaxed);
	out->failed = atomic_load_explicit(&t->failed, memory_order_relaxed);
	out->waiting = atomic_load_explicit(&t->waiting, memory_order_relaxed);
}

bool
tracer_keeps_content(const struct tracer *t)
{
	return t != NULL && t->of->content;
}

void
tracer_begin(const struct tracer *t, struct trace_at *at, struct str traceparent,
    const struct uuid *id)
{
	if (trace_at_parse(traceparent, at))
		return;
	*at = (struct trace_at){ .trace = *id,
	    .sampled = trace_in_ratio(id, t->of->sample) };
}

nsec
trace_now(void)
{
	return clock_wall();
}

/* ---- records ------------------------------------------------------------------------ */

void
ring_drop(struct tracer *t, size_t n)
{
	assert(n <= t->n);
	for (size_t i = 0; i < n; i++) {
		struct trace_span *s = &t->ring[(t->first + i) % LIMIT_TRACE_SPANS];

		for (size_t k = 0; k < s->contents_n; k++) {
			t->content -= s->contents[k].n;
			free(s->contents[k].text);
		}
	}
	t->n -= n;
	/* An empty ring begins anew: what was in the cache is used again. */
	t->first = t->n > 0 ? (t->first + n) % LIMIT_TRACE_SPANS : 0;
	atomic_fetch_sub_explicit(&t->of->waiting, n, memory_order_relaxed);
}

/* As much of it as fits, in whole characters. */
static bool
put(struct trace_span *s, struct str value, uint16_t *at, uint16_t *n)
{
	struct str fits = str_cut(value, SPAN_TEXT - s->text_n);

	*at = (uint16_t)s->text_n;
	*n = (uint16_t)fits.n;
	if (fits.n > 0)
		memcpy(s->text + s->text_n, fits.p, fits.n);
	s->text_n += fits.n;
	return fits.n > 0 || value.n == 0;
}

struct trace_span *
trace_add(struct tracer *t, const struct trace_at *parent, uint64_t id, enum trace_kind kind,
    struct str name, nsec start, nsec end)
{
	struct trace_span *s;
	uint16_t at;

	if (t == NULL || !parent->sampled || uuid_is_zero(&parent->trace))
		return NULL;
	if (t->n == LIMIT_TRACE_SPANS) {
		atomic_fetch_add_explicit(&t->of->dropped, 1, memory_order_relaxed);
		return NULL;
	}
	s = &t->ring[(t->first + t->n++) % LIMIT_TRACE_SPANS];
	atomic_fetch_add_explicit(&t->of->waiting, 1, memory_order_relaxed);
	s->tracer = t;
	s->at = *parent;
	s->at.span = id;
	s->parent = parent->span;
	s->kind = kind;
	s->start = start;
	s->end = end > start ? end : start;
	s->failed = false;
	s->message_n = 0;
	s->attrs_n = s->contents_n = 0;
	s->text_n = 0;
	put(s, str_cut(name, LIMIT_NAME_BYTES), &at, &s->name_n);
	send_look(t);
	return s;
}

static struct trace_attr *
attr(struct trace_span *s, const char *key, int kind)
{
	struct trace_attr *a;

	if (s == NULL || s->attrs_n == SPAN_ATTRS)
		return NULL;
	a = &s->attrs[s->attrs_n++];
	a->key = key;
	a->kind = kind;
	return a;
}

static void
text(struct trace_span *s, const char *key, struct str value, int kind)
{
	struct trace_attr *a = value.n > 0 ? attr(s, key, kind) : NULL;

	if (a != NULL && !put(s, value, &a->u.text.at, &a->u.text.n))
		s->attrs_n--;
}

void
trace_text(struct trace_span *s, const char *key, struct str value)
{
	text(s, key, value, ATTR_TEXT);
}

void
trace_texts(struct trace_span *s, const char *key, struct str value)
{
	text(s, key, value, ATTR_TEXTS);
}

void
trace_int(struct trace_span *s, const char *key, int64_t value)
{
	struct trace_attr *a = attr(s, key, ATTR_INT);

	if (a != NULL)
		a->u.number = value;
}

void
trace_real(struct trace_span *s, const char *key, double value)
{
	struct trace_attr *a = attr(s, key, ATTR_REAL);

	if (a != NULL)
		a->u.real = value;
}

void
trace_content(struct trace_span *s, const char *key, struct str value)
{
	struct tracer *t = s != NULL ? s->tracer : NULL;
	struct str fits = str_cut(value, LIMIT_TRACE_CONTENT_BYTES);

	if (s == NULL || !t->of->content || s->contents_n == SPAN_CONTENTS || fits.n == 0 ||
	    t->content + fits.n > LIMIT_TRACE_CONTENTS_BYTES)
		return;
	s->contents[s->contents_n].key = key;
	s->contents[s->contents_n].text = mem_cstr(fits);
	s->contents[s->contents_n++].n = fits.n;
	t->content += fits.n;
}

void
trace_failed(struct trace_span *s, struct str type, struct str message)
{
	if (s == NULL)
		return;
	s->failed = true;
	trace_text(s, "error.type", type);
	put(s, str_cut(message, SPAN_TEXT / 3), &s->message_at, &s->message_n);
}
