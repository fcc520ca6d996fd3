/*
 * script_schema.c - the smallest value that fits a JSON schema, for a request that
 * wants one and that no rule of the script answers.
 *
 * const, enum and default are taken as they are; an object has its required members,
 * an array its minItems, a number its lower bound, a string the words it is given,
 * cut or repeated to its bounds.  Of anyOf and oneOf the first alternative is made, of
 * allOf the first as well: what needs more than that, or a pattern, needs a rule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "llm/script.h"

#include <math.h>

#include "base/limits.h"

#define DEPTH_MAX 32                         /* references may go in cycles */
#define ITEMS_MAX 1000

struct fit {
	struct buf *out;
	jnode root;
	struct str words;
	unsigned depth;
};

static void fit_value(struct fit *f, jnode schema);

/* "#/$defs/question" in the document. */
static jnode
resolve(const struct fit *f, struct str ref)
{
	struct str rest = ref, part;
	jnode at = f->root;

	if (!str_next(&rest, '/', &part) || !str_eq(part, S("#")))
		return NULL;
	while (rest.n > 0 && str_next(&rest, '/', &part))
		at = json_get(at, part);
	return at;
}

static double
number_of(jnode schema, const char *key, double fallback)
{
	jnode n = json_get(schema, str_of(key));

	return json_is_number(n) ? json_number(n) : fallback;
}

/* ---- kinds ------------------------------------------------------------------------ */

static void
fit_object(struct fit *f, jnode schema)
{
	struct json_iter it = json_each(json_get(schema, S("required")));
	jnode properties = json_get(schema, S("properties"));

	buf_add_char(f->out, '{');
	while (json_is_array(it.container) && json_next(&it)) {
		json_add_comma(f->out);
		json_add_str(f->out, json_str(it.value));
		buf_add_char(f->out, ':');
		fit_value(f, json_get(properties, json_str(it.value)));
	}
	buf_add_char(f->out, '}');
}

static void
fit_array(struct fit *f, jnode schema)
{
	double least = number_of(schema, "minItems", 0);
	jnode prefix = json_get(schema, S("prefixItems"));

	buf_add_char(f->out, '[');
	for (size_t i = 0; i < ITEMS_MAX && (double)i < least; i++) {
		if (i > 0)
			buf_add_char(f->out, ',');
		fit_value(f, i < json_count(prefix) ? json_at(prefix, i) :
		    json_get(schema, S("items")));
	}
	buf_add_char(f->out, ']');
}

static const struct { const char *format, *text; } formats[] = {
	{ "date-time", "2000-01-01T00:00:00Z" }, { "date", "2000-01-01" },
	{ "time", "00:00:00Z" }, { "email", "someone@example.com" },
	{ "uri", "https://example.com" }, { "uuid", "00000000-0000-4000-8000-000000000000" },
};

/* How many bytes of s its first n characters have. */
static size_t
bytes_of(struct str s, double n)
{
	size_t at = 0;

	for (double i = 0; i < n && at < s.n; i++)
		at += str_utf8_step(str_sub(s, at, s.n));
	return at;
}

static void
fit_string(struct fit *f, jnode schema)
{
	struct str format = json_str(json_get(schema, S("format")));
	double least = number_of(schema, "minLength", 0);
	double most = number_of(schema, "maxLength", INFINITY);
	struct buf text = BUF(LIMIT_SCRIPT_BYTES);

	for (size_t i = 0; i < COUNT(formats); i++) {
		if (str_eq(format, str_of(formats[i].format))) {
			json_add_str(f->out, str_of(formats[i].text));
			return;
		}
	}
	buf_add(&text, f->words);
	for (double n = (double)str_characters(f->words); n < least && !text.failed; n++)
		buf_add_char(&text, '.');
	json_add_str(f->out, str_sub(buf_str(&text), 0, bytes_of(buf_str(&text), most)));
	f->out->failed |= text.failed;
	buf_release(&text);
}

static void
fit_number(struct fit *f, jnode schema, bool whole)
{
	double low = number_of(schema, "minimum", -INFINITY);
	double high = number_of(schema, "maximum", INFINITY);
	double above = number_of(schema, "exclusiveMinimum", -INFINITY);
	double below = number_of(schema, "exclusiveMaximum", INFINITY);
	double step = number_of(schema, "multipleOf", whole ? 1 : 0), v = 0;

	if (v < low || v <= above)
		v = low > above ? low : above + (whole ? 1 : (below < INFINITY ?
		    (below - above) / 2 : 1));
	if (v > high || v >= below)
		v = high < below ? high : below - (whole ? 1 : (above > -INFINITY ?
		    (below - above) / 2 : 1));
	if (step > 0)
		v = v > 0 ? ceil(v / step) * step : floor(v / step) * step;
	if (v == rint(v) && fabs(v) < 1e15)
		buf_add_fmt(f->out, "%.0f", v);
	else
		json_add_double(f->out, v);
}

static void
fit_integer(struct fit *f, jnode schema)
{
	fit_number(f, schema, true);
}

static void
fit_double(struct fit *f, jnode schema)
{
	fit_number(f, schema, false);
}

static void
fit_boolean(struct fit *f, jnode schema)
{
	(void)schema;
	buf_lit(f->out, "false");
}

static void
fit_null(struct fit *f, jnode schema)
{
	(void)schema;
	buf_lit(f->out, "null");
}

/* keys: one of them makes a schema without a type one of this kind. */
static const struct {
	const char *type, *keys[3];
	void (*fit)(struct fit *f, jnode schema);
} kinds[] = {
	{ "object", { "properties", "required" }, fit_object },
	{ "array", { "items", "prefixItems", "minItems" }, fit_array },
	{ "string", { "minLength", "maxLength", "format" }, fit_string },
	{ "integer", { 0 }, fit_integer },
	{ "number", { "minimum", "maximum" }, fit_double },
	{ "boolean", { 0 }, fit_boolean },
	{ "null", { 0 }, fit_null },
};

static bool
is_kind(size_t i, jnode schema)
{
	jnode type = json_get(schema, S("type"));

	if (json_is_array(type))
		type = json_at(type, 0);
	if (json_is_string(type))
		return str_eq(json_str(type), str_of(kinds[i].type));
	for (size_t k = 0; k < COUNT(kinds[i].keys) && kinds[i].keys[k] != NULL; k++)
		if (json_get(schema, str_of(kinds[i].keys[k])) != NULL)
			return true;
	return false;
}

/* ---- any --------------------------------------------------------------------------- */

/* A value that the schema itself gives, or NULL. */
static jnode
given(jnode schema)
{
	jnode v = json_get(schema, S("const"));

	if (v == NULL)
		v = json_get(schema, S("default"));
	return v != NULL ? v : json_at(json_get(schema, S("enum")), 0);
}

/* The schema to look at instead of this one, or NULL. */
static jnode
instead(const struct fit *f, jnode schema)
{
	static const char *const parts[] = { "anyOf", "oneOf", "allOf" };
	jnode ref = json_get(schema, S("$ref")), list;

	if (json_is_string(ref))
		return resolve(f, json_str(ref));
	for (size_t i = 0; i < COUNT(parts); i++) {
		list = json_get(schema, str_of(parts[i]));
		if (json_is_array(list) && json_count(list) > 0)
			return json_at(list, 0);
	}
	return NULL;
}

static void
fit_value(struct fit *f, jnode schema)
{
	jnode other = instead(f, schema), value = given(schema);
	size_t i = 0;

	if (value != NULL) {
		json_add_node(f->out, value);
		return;
	}
	if (f->depth == DEPTH_MAX || f->out->failed) {
		buf_lit(f->out, "null");
		return;
	}
	f->depth++;
	while (other == NULL && i < COUNT(kinds) && !is_kind(i, schema))
		i++;
	if (other != NULL)
		fit_value(f, other);
	else if (i < COUNT(kinds))
		kinds[i].fit(f, schema);
	else
		fit_string(f, schema);       /* any value is right */
	f->depth--;
}

int
script_fit(struct str schema, struct str words, struct buf *out, struct err *e)
{
	struct json_doc d = { 0 };
	struct fit f = { .out = out, .words = str_trim(words) };
	int rc = json_parse(&d, schema, e);

	f.root = d.root;
	if (rc == OK)
		fit_value(&f, d.root);
	if (rc == OK && out->failed)
		rc = err_set(e, ERR_TOOBIG, "the schema's smallest value is larger than %zu "
		    "bytes", out->max);
	json_release(&d);
	return rc;
}
