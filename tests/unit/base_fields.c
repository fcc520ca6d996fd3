/*
 * base_fields.c - what the sticky reader takes, refuses and says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/fields.h"

#include <string.h>

/* ---- reading --------------------------------------------------------------- */

static const char *const colours[] = { "red", "green", NULL };

struct thing {
	struct str name;
	int64_t width, parts;
	bool big;
	int colour;
};

/* {name, size: {width, big}, colour, parts: [{width}], other} */
static int
thing_read(struct thing *t, jnode n, struct err *e)
{
	struct fields f, size, parts, part;

	*t = (struct thing){ .name = S("none"), .width = 7, .colour = 1 };
	fields_open(&f, n, "the thing", e);
	fields_str(&f, "name", 8, &t->name);
	if (str_eq(t->name, S("bad")))
		fields_fail(&f, "name", ERR_CONFLICT, "\"%s\" is taken", "bad");
	if (str_eq(t->name, S("worse")))
		fields_fail(&f, NULL, ERR_CONFLICT, "cannot be worse");
	fields_object(&f, "size", &size);
	fields_int(&size, "width", 1, 100, &t->width);
	fields_bool(&size, "big", &t->big);
	fields_end(&size);
	fields_enum(&f, "colour", colours, &t->colour);
	fields_array(&f, "parts", 3, &parts);
	while (fields_next(&parts, &part)) {
		fields_int(&part, "width", 1, 100, &t->parts);
		fields_end(&part);
	}
	if (json_is_number(fields_any(&f, "other")))
		fields_fail(&f, "other", ERR_INVALID, "no numbers");
	return fields_end(&f);
}

/* Goal: a text that is missing, null or empty is refused in the same words; of one of another
 * kind the first failure stays. */
TEST(fields_that_have_to_be_there)
{
	static const struct { const char *json, *says; } rows[] = {
		{ "{\"id\":\"x\"}", NULL },
		{ "{}", "id: expected a thing's id, got nothing" },
		{ "{\"id\":null}", "id: expected a thing's id, got nothing" },
		{ "{\"id\":\"\"}", "id: expected a thing's id, got nothing" },
		{ "{\"id\":1}", "id: expected a string, got a number" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str id = STR_NONE;
		struct err e = { 0 };
		struct json_doc d;
		struct fields f;

		CHECK_RC(json_parse(&d, str_of(rows[i].json), &e), OK);
		fields_open(&f, d.root, "the thing", &e);
		fields_need_str(&f, "id", 8, "a thing's id", &id);
		CHECK_RC(fields_end(&f), rows[i].says == NULL ? OK : ERR_INVALID);
		if (rows[i].says != NULL)
			CHECK_STR(str_of(e.text), rows[i].says);
		json_release(&d);
	}
}

TEST(fields_are_read_or_keep_their_defaults)
{
	struct json_doc d;
	struct thing t;
	struct err e = { 0 };

	CHECK_RC(json_parse(&d, S("{\"name\":\"x\",\"size\":{\"width\":3,\"big\":true},"
	    "\"colour\":\"red\",\"parts\":[{\"width\":4},{\"width\":5}],\"other\":[]}"), &e), OK);
	CHECK_RC(thing_read(&t, d.root, &e), OK);
	CHECK_STR(t.name, "x");
	CHECK_INT(t.width, 3);
	CHECK(t.big);
	CHECK_INT(t.colour, 0);
	CHECK_INT(t.parts, 5);
	json_release(&d);
	CHECK_RC(json_parse(&d, S("{\"name\":null,\"size\":null,\"parts\":[]}"), &e), OK);
	CHECK_RC(thing_read(&t, d.root, &e), OK);
	CHECK_STR(t.name, "none");
	CHECK_INT(t.width, 7);
	CHECK(!t.big);
	CHECK_INT(t.colour, 1);
	json_release(&d);
	CHECK_RC(thing_read(&t, NULL, &e), OK);      /* all of it is absent */
	CHECK_INT(t.width, 7);
}

TEST(fields_keep_the_first_failure_and_say_where)
{
	static const struct { const char *text, *words; int rc; } rows[] = {
		{ "[]", "the thing: expected an object, got an array", ERR_INVALID },
		{ "{\"name\":5,\"colour\":1}", "name: expected a string, got a number",
		  ERR_INVALID },
		{ "{\"name\":\"123456789\"}", "name: expected at most 8 bytes, got 9",
		  ERR_INVALID },
		{ "{\"name\":\"bad\",\"other\":1}", "name: \"bad\" is taken", ERR_CONFLICT },
		{ "{\"name\":\"worse\"}", "the thing: cannot be worse", ERR_CONFLICT },
		{ "{\"size\":3}", "size: expected an object, got a number", ERR_INVALID },
		{ "{\"size\":{\"width\":0},\"other\":1}",
		  "size.width: expected an integer from 1 to 100, got 0", ERR_INVALID },
		{ "{\"size\":{\"big\":1}}", "size.big: expected true or false, got a number",
		  ERR_INVALID },
		{ "{\"colour\":\"blue\"}", "colour: expected \"red\" or \"green\", got \"blue\"",
		  ERR_INVALID },
		{ "{\"parts\":{}}", "parts: expected an array, got an object", ERR_INVALID },
		{ "{\"parts\":[{},{},{},{}]}", "parts: expected at most 3, got 4", ERR_LIMIT },
		{ "{\"parts\":[{},7,8]}", "parts.1: expected an object, got a number",
		  ERR_INVALID },
		{ "{\"parts\":[{},{\"width\":101},{\"width\":102}]}",
		  "parts.1.width: expected an integer from 1 to 100, got 101", ERR_INVALID },
		{ "{\"other\":1}", "other: no numbers", ERR_INVALID },
		{ "{\"nam\":\"x\"}", "nam: unknown key; did you mean \"name\"?", ERR_INVALID },
		{ "{\"name\":5,\"wholly\":1}", "wholly: unknown key", ERR_INVALID },
		{ "{\"parts\":[{},{\"with\":1}]}",
		  "parts.1.with: unknown key; did you mean \"width\"?", ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_doc d;
		struct thing t;
		struct err e = { 0 };

		CHECK_RC(json_parse(&d, str_of(rows[i].text), &e), OK);
		CHECK_RC(thing_read(&t, d.root, &e), rows[i].rc);
		CHECK_INT(e.code, rows[i].rc);
		if (strcmp(e.text, rows[i].words) != 0)
			test_fail(__FILE__, __LINE__, "%s: %s", rows[i].text, e.text);
		CHECK_RC(thing_read(&t, d.root, NULL), rows[i].rc);
		json_release(&d);
	}
}
