/*
 * schema.c - a tool's schema in the subset that every provider takes.
 *
 * Gemini and some chat templates refuse a list of types, an object without
 * properties, `additionalProperties` and an empty `required`; OpenAI refuses
 * an object without `properties`; Mistral a tool without `parameters`.  So a
 * list becomes its first type, empty members are left out, and a tool without
 * arguments is shown with one that has no effect.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/tools_priv.h"

#include "base/buf.h"

const char schema_no_arguments[] = "{\"type\":\"object\",\"properties\":{\"note\":"
    "{\"type\":\"string\",\"description\":\"Not used; leave it out.\"}},"
    "\"additionalProperties\":false}";

bool
schema_is_bare(jnode schema)
{
	return json_count(json_get(schema, S("properties"))) == 0;
}

static void
add_type(struct buf *b, jnode type)
{
	jnode first = json_is_array(type) ? json_at(type, 0) : type;

	json_add_node(b, first);
}

static void
add_properties(struct buf *b, jnode properties)
{
	struct json_iter it = json_each(properties);

	buf_add_char(b, '{');
	while (json_next(&it)) {
		json_add_fmt(b, ",%p:", it.key);
		schema_add_common(b, it.value);
	}
	buf_add_char(b, '}');
}

/* Goes as deep as the schema does, which is ours. */
void
schema_add_common(struct buf *b, jnode schema)
{
	struct json_iter it = json_each(schema);

	buf_add_char(b, '{');
	while (json_next(&it)) {
		struct str key = json_str(it.key);
		bool list = str_eq(key, S("required")) || str_eq(key, S("properties"));

		if (str_eq(key, S("additionalProperties")) ||
		    (list && json_count(it.value) == 0))
			continue;
		json_add_fmt(b, ",%.*s:", FMT(key));
		if (str_eq(key, S("type")))
			add_type(b, it.value);
		else if (str_eq(key, S("properties")))
			add_properties(b, it.value);
		else if (str_eq(key, S("items")))
			schema_add_common(b, it.value);
		else
			json_add_node(b, it.value);
	}
	buf_add_char(b, '}');
}
