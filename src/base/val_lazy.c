/*
 * val_lazy.c - values that keep their JSON text until somebody looks inside.
 *
 * Text from outside is checked whole by scan.h, so that decoding a level later
 * cannot fail.  What is unusual (nested deeper than LAZY_DEPTH, very large, in
 * any way wrong) goes through json_parse instead, which decodes at once or has
 * the words for the error.  LAZY_DEPTH bounds how often a byte is looked at
 * when all levels are decoded one after the other.
 *
 * Text of our own that is damaged on its way through a file never ends the
 * process: what cannot be decoded is null or missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/json.h"
#include "base/json_priv.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/skim.h"
#include "base/val_priv.h"

#define LAZY_DEPTH  16
#define SOME_ITEMS   1                       /* room at first; most lists are short */
#define SOME_MEMBERS 8                       /* what is over is given back */
#define DETACH_FROM KB                       /* less is not worth a copy */

struct str
val_lazy_text(const struct val_lazy *l)
{
	return (struct str){ l->text, l->h.n };
}

static bool
is_open(char c)
{
	return c == '{' || c == '[';
}

/* Takes a reference of source.  text begins with its bracket. */
static struct val
lazy_new(struct val_string *source, struct str text, unsigned depth)
{
	struct val_lazy *l = mem_alloc(sizeof *l);
	enum val_kind kind = text.p[0] == '{' ? VAL_OBJECT : VAL_ARRAY;

	assert(text.p >= source->text && text.p + text.n <= source->text + source->n);
	assert(source->refs > 0 && source->refs < UINT32_MAX);
	source->refs++;
	*l = (struct val_lazy){ .text = text.p, .source = source };
	l->h.refs = 1;
	l->h.n = (uint32_t)text.n;
	l->h.depth = (uint16_t)depth;
	l->h.kind = kind;
	l->h.lazy = true;
	l->h.bytes = sizeof *l + text.n;
	return (struct val){ .kind = kind, .u.h = &l->h };
}

/* ---- scalars --------------------------------------------------------------- */

/* The text of a raw inside; *own is for one with escapes. */
static struct str
unescaped(struct str raw, struct buf *own)
{
	if (raw.n == 0 || memchr(raw.p, '\\', raw.n) == NULL)
		return raw;
	(void)json_unescape(raw, own);       /* checked before, or damaged */
	return buf_str(own);
}

static struct val
string_of(struct str raw)
{
	struct buf own = BUF(raw.n);
	struct val v = val_string(unescaped(raw, &own));

	buf_release(&own);
	return v;
}

static struct val
number_of(struct str raw)
{
	int64_t i;
	double d;

	if (str_to_i64(raw, &i))
		return val_int(i);
	return str_to_double(raw, &d) ? val_double(d) : VAL_NIL;
}

/* A scalar with its quotes. */
static struct val
scalar_of(struct str raw)
{
	switch (raw.n > 0 ? raw.p[0] : 'n') {
	case '"':
		return string_of(str_sub(raw, 1, raw.n - 2));
	case 't':
	case 'f':
		return val_bool(raw.p[0] == 't');
	case 'n':
		return VAL_NIL;
	default:
		return number_of(raw);
	}
}

/* ---- keys ------------------------------------------------------------------ */

/* Messages have the same few keys, so a thread's objects share them: the last
 * ones that were decoded, by hash. */
#define KEYS    256
#define KEY_MAX 24

static _Thread_local struct val_string *keys[KEYS];
static pthread_key_t keys_end;
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void
drop_keys(void *of_thread)
{
	struct val_string **all = of_thread;

	for (size_t i = 0; i < KEYS; i++)
		if (all[i] != NULL)
			val_string_drop(all[i]);
	memset(all, 0, sizeof keys);
}

static void
make_keys_end(void)
{
	(void)pthread_key_create(&keys_end, drop_keys);
}

/* A string val; borrowed until the next one. */
static struct val
shared_key(struct str text)
{
	struct val_string **slot = &keys[str_hash(text) % KEYS];

	if (*slot == NULL || !str_eq(val_string_str(*slot), text)) {
		(void)pthread_once(&keys_once, make_keys_end);
		(void)pthread_setspecific(keys_end, keys);
		if (*slot != NULL)
			val_string_drop(*slot);
		*slot = val_string(text).u.s;
	}
	return (struct val){ .kind = VAL_STRING, .u.s = *slot };
}

/* ---- decoding one level ---------------------------------------------------- */

/* An array or object inside source; deep ones at once. */
static struct val
container_of(struct val_string *source, struct str text, unsigned depth)
{
	struct val v = VAL_NIL;

	if (depth <= LAZY_DEPTH)
		return lazy_new(source, text, depth);
	if (json_text_to_val(text, &v, NULL) != OK)
		return VAL_NIL;
	return v;
}

/* The value at s.  False after a mistake. */
static bool
value_at(struct scan *s, const struct val_lazy *l, struct val *out)
{
	const char *from, *to;
	unsigned depth;
	struct str raw;

	if (!is_open(scan_peek(s))) {
		if (!scan_value(s, &raw))
			return false;
		*out = scalar_of(raw);
		return true;
	}
	from = s->p;
	to = skim_container(from, s->end, &depth);
	if (to == NULL) {
		s->bad = true;
		return false;
	}
	s->p = to;
	*out = container_of(l->source, (struct str){ from, (size_t)(to - from) }, depth);
	return true;
}

static struct val
decode_array(const struct val_lazy *l)
{
	struct scan s = scan_of(val_lazy_text(l));
	struct val a = val_array_sized(l->h.n > 2 ? SOME_ITEMS : 0), v;
	bool first = true;

	for (scan_open(&s, '['); scan_element(&s, &first) && value_at(&s, l, &v); )
		a = val_push_take(a, v);
	return a;
}

static struct val
add_member(struct val o, struct str raw_key, struct val v)
{
	struct buf own = BUF(raw_key.n);
	struct str key = unescaped(raw_key, &own);

	if (key.n <= KEY_MAX)
		o = val_set_key_take(o, shared_key(key), v);
	else
		o = val_set_take(o, key, v);
	buf_release(&own);
	return o;
}

static struct val
decode_object(const struct val_lazy *l)
{
	struct scan s = scan_of(val_lazy_text(l));
	struct val o = val_object_sized(l->h.n > 2 ? SOME_MEMBERS : 0), v;
	struct str key;
	bool first = true;

	for (scan_open(&s, '{'); scan_member(&s, &first, &key) && value_at(&s, l, &v); )
		o = add_member(o, key, v);
	return val_trim_take(o);
}

struct val_head *
val_lazy_made(struct val_lazy *l)
{
	assert(l->h.lazy && l->h.refs > 0);
	if (l->made == NULL && l->source == NULL)
		l->made = val_view_made(l);
	else if (l->made == NULL)
		l->made = (l->h.kind == VAL_OBJECT ? decode_object(l) : decode_array(l)).u.h;
	return l->made;
}

void
val_undecode(struct val v)
{
	struct val_lazy *l;

	if (!val_is_container(v) || !v.u.h->lazy || val_lazy_of(v.u.h)->source == NULL)
		return;
	l = val_lazy_of(v.u.h);
	if (l->made != NULL)
		val_drop((struct val){ .kind = v.kind, .u.h = l->made });
	l->made = NULL;
}

/* ---- from outside ---------------------------------------------------------- */

/* A copy without the blanks between tokens. */
static struct val_string *
compact(struct str text)
{
	struct val_string *s = val_string_sized(text.n);
	const char *p = text.p, *end = p + text.n;
	char *to = s->text;

	while (p < end) {
		const char *from = p;

		if (*p == '"')
			p = json_string_end(p + 1, end);
		p++;
		if (*from > ' ') {
			memcpy(to, from, (size_t)(p - from));
			to += p - from;
		}
	}
	*to = '\0';
	s->n = (uint32_t)(to - s->text);
	return mem_resize(s, sizeof *s + s->n + 1);
}

static struct val_string *
copy(struct str text)
{
	struct val_string *s = val_string_sized(text.n);

	memcpy(s->text, text.p, text.n);
	return s;
}

/* A well-formed array or object that decoding a level at a time suits. */
static bool
check_container(struct str json, struct scan *s, struct str *text)
{
	bool blanks;

	*s = scan_of(json);
	if (json.n > LIMIT_JSON_STRING_BYTES || !is_open(scan_peek(s)))
		return false;
	s->blanks = false;
	if (!scan_value(s, text))
		return false;
	blanks = s->blanks;
	if (!scan_end(s) || s->deepest > LAZY_DEPTH ||
	    s->parts > LIMIT_JSON_VALUES / 2)
		return false;
	s->blanks = blanks;
	return str_is_utf8(json) && scan_surrogates_paired(*text);
}

int
val_json(struct val *out, struct str json, struct err *e)
{
	struct val_string *source;
	struct str text;
	struct scan s;

	if (!check_container(json, &s, &text))
		return json_text_to_val(json, out, e);
	source = s.blanks ? compact(text) : copy(text);
	*out = lazy_new(source, val_string_str(source), s.deepest);
	val_string_drop(source);
	return OK;
}

/* ---- our own --------------------------------------------------------------- */

static struct val
span_of(struct val_string *source, struct str text)
{
	unsigned depth;

	if (text.n == 0 || !is_open(text.p[0]))
		return scalar_of(text);
	if (skim_container(text.p, text.p + text.n, &depth) != text.p + text.n)
		return VAL_NIL;
	return container_of(source, text, depth);
}

struct val
val_json_trusted(struct str json)
{
	struct val_string *source;
	struct val v;

	if (json.n == 0 || !is_open(json.p[0]))
		return scalar_of(json);
	source = copy(json);
	v = span_of(source, val_string_str(source));
	val_string_drop(source);
	return v;
}

struct val
val_json_span(struct val source, struct str text)
{
	assert(source.kind == VAL_STRING);
	return span_of(source.u.s, text);
}

struct val
val_json_spans(struct val source, struct str text)
{
	struct val_lazy list = { .text = text.p, .source = source.u.s };

	assert(source.kind == VAL_STRING && text.n < UINT32_MAX);
	list.h.n = (uint32_t)text.n;
	list.h.lazy = true;
	return decode_array(&list);
}

/* The copy is never larger than what it frees. */
struct val
val_detach(struct val v)
{
	const struct val_lazy *l;
	struct val_string *source;
	struct val own;

	if (!val_is_container(v) || !v.u.h->lazy)
		return v;
	l = val_lazy_of(v.u.h);
	if (l->source == NULL || l->source->n < 2 * (size_t)l->h.n + DETACH_FROM)
		return v;
	source = copy(val_lazy_text(l));
	own = lazy_new(source, val_string_str(source), l->h.depth);
	val_string_drop(source);
	val_drop(v);
	return own;
}

/* ---- looking --------------------------------------------------------------- */

struct str
val_json_text(struct val v)
{
	return val_is_container(v) && v.u.h->lazy && val_lazy_of(v.u.h)->source != NULL ?
	    val_lazy_text(val_lazy_of(v.u.h)) : STR_NONE;
}

bool
val_is_decoded(struct val v)
{
	return !val_is_container(v) || !v.u.h->lazy || val_lazy_of(v.u.h)->made != NULL;
}

size_t
val_spans(struct val array, size_t from, size_t to, struct str *text)
{
	const struct val_array *a = val_array_of(array);
	size_t at = from;

	assert(from <= to && to <= a->h.n);
	*text = STR_NONE;
	for (; at < to; at++) {
		struct str next;

		if (!val_is_container(a->items[at]) || !a->items[at].u.h->lazy)
			break;
		next = val_lazy_text(val_lazy_of(a->items[at].u.h));
		if (text->p == NULL)
			text->p = next.p;
		else if (next.p != text->p + text->n + 1)
			break;
		text->n = (size_t)(next.p + next.n - text->p);
	}
	return at - from;
}

/* Moves behind the value at s; *raw: the inside of a string, else STR_NONE. */
static bool
look_at(struct scan *s, struct str *raw)
{
	unsigned depth;
	struct str other;

	*raw = STR_NONE;
	if (scan_peek(s) == '"')
		return scan_string(s, raw);
	if (!is_open(scan_peek(s)))
		return scan_value(s, &other);
	s->p = skim_container(s->p, s->end, &depth);
	s->bad |= s->p == NULL;
	return !s->bad;
}

/* Of a key that stands twice the last value counts; what an escaped key says
 * is not looked at. */
static bool
peek_text(const struct val_lazy *l, struct str key, struct str *out)
{
	struct scan s = scan_of(val_lazy_text(l));
	struct str name, raw, found = STR_NONE;
	bool first = true;

	for (scan_open(&s, '{'); scan_member(&s, &first, &name) && look_at(&s, &raw); ) {
		if (name.n > 0 && memchr(name.p, '\\', name.n) != NULL)
			return false;
		if (str_eq(name, key))
			found = raw;
	}
	if (found.p == NULL || memchr(found.p, '\\', found.n) != NULL)
		return false;
	*out = found;
	return true;
}

bool
val_peek_str(struct val object, struct str key, struct str *out)
{
	struct val v;

	*out = STR_NONE;
	if (object.kind != VAL_OBJECT)
		return false;
	if (object.u.h->lazy && val_lazy_of(object.u.h)->source != NULL &&
	    val_lazy_of(object.u.h)->made == NULL)
		return peek_text(val_lazy_of(object.u.h), key, out);
	v = val_get(object, key);
	if (v.kind == VAL_STRING)
		*out = val_str(v);
	return v.kind == VAL_STRING;
}
