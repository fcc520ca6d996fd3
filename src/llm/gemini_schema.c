/*
 * gemini_schema.c - a JSON Schema as Gemini takes it.
 *
 * Gemini refuses the whole request for a keyword that it does not know.  What can be
 * said in another way is: const and a type of several become enum, anyOf and nullable;
 * oneOf becomes anyOf; exclusive bounds become bounds; $ref is written out.  The rest
 * is left out: the arguments are checked by the tool.
 *
 * Writing out $ref can multiply a schema; past LIMIT_LLM_SCHEMA_NODES what is left is
 * "any object".
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "llm/gemini_priv.h"

struct writer {
	struct buf *b;
	jnode root;
	size_t nodes;                        /* schemas so far */
	unsigned depth;
};

static void add_schema(struct writer *w, jnode schema);

/* Keywords that are copied as they are. */
static const struct str plain[] = {
	S("title"), S("description"), S("nullable"), S("minItems"), S("maxItems"),
	S("minProperties"), S("maxProperties"), S("minLength"), S("maxLength"),
	S("pattern"), S("minimum"), S("maximum"),
};

/* ---- where a schema is ---------------------------------------------------------- */

/* "#/$defs/Name": what it points to; NULL: nothing, or somewhere else. */
static jnode
pointed(jnode root, struct str ref)
{
	struct str rest, part = STR_NONE;

	if (!str_starts(ref, S("#/")))
		return str_eq(ref, S("#")) ? root : NULL;
	rest = str_sub(ref, 2, ref.n);
	while (root != NULL && rest.n > 0 && str_next(&rest, '/', &part))
		root = json_get(root, part);
	return root;
}

/* The schema itself, behind $ref and an allOf of one. */
static jnode
resolved(const struct writer *w, jnode schema)
{
	for (unsigned hops = 0; hops < 8 && json_is_object(schema); hops++) {
		jnode ref = json_get(schema, S("$ref")), all = json_get(schema, S("allOf"));

		if (json_is_string(ref))
			schema = pointed(w->root, json_str(ref));
		else if (json_is_array(all) && json_count(all) == 1 &&
		    json_is_null(json_get(schema, S("type"))))
			schema = json_at(all, 0);
		else
			break;
	}
	return schema;
}

/* ---- types ---------------------------------------------------------------------- */

static bool
is_null_type(jnode type)
{
	return str_eq(json_str(type), S("null"));
}

/* The one type of a schema that is not null; STR_NONE: several, or none. */
static struct str
one_type(jnode type, bool *nullable)
{
	struct json_iter it = json_each(type);
	struct str found = STR_NONE;
	size_t n = 0;

	if (json_is_string(type))
		return json_str(type);
	while (json_is_array(type) && json_next(&it)) {
		if (is_null_type(it.value)) {
			*nullable = true;
			continue;
		}
		found = json_str(it.value);
		n++;
	}
	return n == 1 ? found : STR_NONE;
}

/* A schema that says no type has the one that its keywords are for. */
static struct str
guessed_type(jnode schema)
{
	if (!json_is_null(json_get(schema, S("properties"))))
		return S("object");
	if (!json_is_null(json_get(schema, S("items"))))
		return S("array");
	if (json_is_string(json_at(json_get(schema, S("enum")), 0)) ||
	    json_is_string(json_get(schema, S("const"))))
		return S("string");
	return STR_NONE;
}

static void
add_format(struct writer *w, struct str type, struct str format)
{
	static const struct { struct str type, format; } known[] = {
		{ S("string"), S("enum") }, { S("string"), S("date-time") },
		{ S("integer"), S("int32") }, { S("integer"), S("int64") },
		{ S("number"), S("float") }, { S("number"), S("double") },
	};

	for (size_t i = 0; i < COUNT(known); i++)
		if (str_eq(type, known[i].type) && str_eq(format, known[i].format))
			json_add_fmt(w->b, ",'format':%.*s", FMT(format));
}

/* ---- keywords ------------------------------------------------------------------- */

/* Members of an enum are strings; null in it means nullable. */
static void
add_enum(struct writer *w, jnode schema, struct str type, bool *nullable)
{
	jnode list = json_get(schema, S("enum")), only = json_get(schema, S("const"));
	struct json_iter it = json_each(list);
	bool strings = json_is_array(list);

	if (str_eq(type, S("string")) && json_is_string(only)) {
		json_add_fmt(w->b, ",'enum':[%p]", (void *)only);
		return;
	}
	while (strings && json_next(&it))
		strings = json_is_string(it.value) || json_is_null(it.value);
	if (!strings || !str_eq(type, S("string")))
		return;
	json_add_fmt(w->b, ",'enum':[");
	for (it = json_each(list); json_next(&it); ) {
		*nullable |= json_is_null(it.value);
		if (json_is_string(it.value))
			json_add_fmt(w->b, ",%p", (void *)it.value);
	}
	buf_add_char(w->b, ']');
}

static void
add_bound(struct writer *w, jnode schema, struct str from, const char *to, int step)
{
	jnode v = json_get(schema, from);

	if (!json_is_number(v) || !json_is_null(json_get(schema, str_of(to))))
		return;
	json_add_key(w->b, to);
	if (json_is_int(v) && text_is(schema, S("type"), S("integer")) &&
	    json_int(v) < INT64_MAX && json_int(v) > INT64_MIN)
		buf_add_i64(w->b, json_int(v) + step);
	else
		json_add_node(w->b, v);
}

static void
add_object(struct writer *w, jnode schema)
{
	jnode members = json_get(schema, S("properties"));
	struct json_iter it = json_each(members);
	bool first = true;

	if (!json_is_object(members) || json_count(members) == 0)
		return;
	json_add_fmt(w->b, ",'properties':{");
	for (; json_next(&it); first = false) {
		json_add_comma(w->b);
		json_add_str(w->b, json_str(it.key));
		buf_add_char(w->b, ':');
		add_schema(w, it.value);
	}
	buf_add_char(w->b, '}');
	it = json_each(json_get(schema, S("required")));
	first = true;
	while (json_next(&it)) {
		if (!json_is_string(it.value) || json_get(members, json_str(it.value)) == NULL)
			continue;
		json_add_fmt(w->b, first ? ",'required':[%p" : ",%p", (void *)it.value);
		first = false;
	}
	if (!first)
		buf_add_char(w->b, ']');
}

static void
add_array(struct writer *w, jnode schema)
{
	jnode items = json_get(schema, S("items"));

	if (json_is_array(items))            /* a tuple: its first stands for all */
		items = json_at(items, 0);
	json_add_key(w->b, "items");
	if (json_is_object(items))
		add_schema(w, items);
	else
		json_add_fmt(w->b, "{'type':'string'}");
}

/* anyOf, oneOf; null among them means nullable. */
static bool
add_choices(struct writer *w, jnode list, bool *nullable)
{
	struct json_iter it = json_each(list);
	bool any = false;

	if (!json_is_array(list))
		return false;
	json_add_fmt(w->b, ",'anyOf':[");
	while (json_next(&it)) {
		if (is_null_type(json_get(it.value, S("type")))) {
			*nullable = true;
			continue;
		}
		json_add_comma(w->b);
		add_schema(w, it.value);
		any = true;
	}
	if (!any)
		json_add_fmt(w->b, "{'type':'string'}");
	buf_add_char(w->b, ']');
	return true;
}

/* Several types are a choice of them. */
static void
add_types(struct writer *w, jnode type)
{
	struct json_iter it = json_each(type);

	json_add_fmt(w->b, ",'anyOf':[");
	while (json_is_array(type) && json_next(&it)) {
		if (!json_is_string(it.value) || is_null_type(it.value))
			continue;
		json_add_fmt(w->b, ",{'type':%p", (void *)it.value);
		if (str_eq(json_str(it.value), S("array")))
			json_add_fmt(w->b, ",'items':{'type':'string'}");
		buf_add_char(w->b, '}');
	}
	buf_add_char(w->b, ']');
}

static void
add_typed(struct writer *w, jnode schema, struct str type, bool *nullable)
{
	json_add_fmt(w->b, ",'type':%.*s", FMT(type));
	add_format(w, type, text_of(schema, S("format")));
	add_enum(w, schema, type, nullable);
	add_bound(w, schema, S("exclusiveMinimum"), "minimum", 1);
	add_bound(w, schema, S("exclusiveMaximum"), "maximum", -1);
	if (str_eq(type, S("object")))
		add_object(w, schema);
	if (str_eq(type, S("array")))
		add_array(w, schema);
}

static void
add_keywords(struct writer *w, jnode schema)
{
	jnode type_node = json_get(schema, S("type"));
	bool nullable = false;
	struct str type = one_type(type_node, &nullable);
	jnode any = json_get(schema, S("anyOf"));

	for (size_t i = 0; i < COUNT(plain); i++) {
		jnode v = json_get(schema, plain[i]);

		if (!json_is_null(v))
			json_add_fmt(w->b, ",%.*s:%p", FMT(plain[i]), (void *)v);
	}
	if (json_is_null(any))
		any = json_get(schema, S("oneOf"));
	if (type.n == 0 && json_is_null(type_node))
		type = guessed_type(schema);
	if (type.n > 0)
		add_typed(w, schema, type, &nullable);
	else if (!add_choices(w, any, &nullable) && json_is_array(type_node))
		add_types(w, type_node);
	if (nullable && json_is_null(json_get(schema, S("nullable"))))
		json_add_fmt(w->b, ",'nullable':true");
}

static void
add_schema(struct writer *w, jnode schema)
{
	size_t from;

	schema = resolved(w, schema);
	if (!json_is_object(schema) || w->depth >= LIMIT_LLM_SCHEMA_DEPTH ||
	    ++w->nodes > LIMIT_LLM_SCHEMA_NODES) {
		json_add_fmt(w->b, "{'type':'object'}");
		return;
	}
	w->depth++;
	buf_add_char(w->b, '{');
	from = w->b->n;
	add_keywords(w, schema);
	if (w->b->n == from)                 /* it says nothing: anything goes */
		json_add_fmt(w->b, "'type':'string'");
	buf_add_char(w->b, '}');
	w->depth--;
}

bool
gemini_add_schema(struct buf *b, struct str schema)
{
	struct json_doc d = { 0 };
	struct writer w = { .b = b };
	bool some = false;

	if (json_parse(&d, schema, NULL) == OK) {
		w.root = d.root;
		some = json_count(json_get(resolved(&w, d.root), S("properties"))) > 0 ||
		    (json_is_object(d.root) && json_count(d.root) > 0 &&
		    !text_is(d.root, S("type"), S("object")));
	}
	if (some)
		add_schema(&w, d.root);
	json_release(&d);
	return some;
}
