/*
 * run_message.c - what becomes of a message that a client sends, and of a
 * list that a step writes to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "harness/test.h"
#include "run/message.h"

/* Coerces `text`; the id in the result is replaced by ID when it was made up. */
static void
check_coerced(const char *text, const char *expected)
{
	struct buf got = BUF(4096);
	struct json_doc d;
	struct message *m;
	struct err e = { 0 };
	struct str json;
	const char *at;

	CHECK_RC(json_parse(&d, str_of(text), &e), OK);
	if (message_coerce(&m, d.root, "messages[0]", &e) != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", text, e.text);
	json = m->json;
	at = memmem(json.p, json.n, m->id.p, m->id.n);
	CHECK(at == m->id.p || m->id.n != 36);
	if (m->id.n == 36) {
		buf_add(&got, str_sub(json, 0, (size_t)(m->id.p - json.p)));
		buf_lit(&got, "ID");
		json = str_sub(json, (size_t)(m->id.p - json.p) + 36, json.n);
	}
	buf_add(&got, json);
	CHECK_STR(buf_str(&got), expected);
	buf_release(&got);
	message_drop(m);
	json_release(&d);
}

TEST(message_forms_become_the_stored_one)
{
	static const char *const rows[][2] = {
		{ "{\"role\":\"user\",\"content\":\"u\"}",
		  "{\"content\":\"u\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"human\"}" },
		{ "{\"type\":\"user\",\"content\":\"u2\"}",
		  "{\"content\":\"u2\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"human\"}" },
		{ "{\"role\":\"developer\",\"content\":\"d\"}",
		  "{\"content\":\"d\",\"additional_kwargs\":{\"__openai_role__\":\"developer\"},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"system\"}" },
		{ "{\"role\":\"system\",\"content\":\"s\"}",
		  "{\"content\":\"s\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"system\"}" },
		{ "{\"role\":\"tool\",\"content\":\"t\",\"tool_call_id\":\"c1\"}",
		  "{\"content\":\"t\",\"tool_call_id\":\"c1\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"tool\"}" },
		{ "\"plain string\"",
		  "{\"content\":\"plain string\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"human\"}" },
		{ "[\"human\",\"tuple\"]",
		  "{\"content\":\"tuple\",\"additional_kwargs\":{},\"response_metadata\":{},"
		  "\"id\":\"ID\",\"type\":\"human\"}" },
		{ "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"blk\"}]}",
		  "{\"content\":[{\"type\":\"text\",\"text\":\"blk\"}],\"tool_calls\":[],"
		  "\"invalid_tool_calls\":[],\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"ai\"}" },
		{ "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\","
		  "\"name\":\"f\",\"args\":{\"a\":1},\"type\":\"tool_call\"}]}",
		  "{\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\",\"name\":\"f\","
		  "\"args\":{\"a\":1},\"type\":\"tool_call\"}],\"invalid_tool_calls\":[],"
		  "\"additional_kwargs\":{},\"response_metadata\":{},\"id\":\"ID\","
		  "\"type\":\"ai\"}" },
		{ "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\","
		  "\"type\":\"function\",\"function\":{\"name\":\"f\","
		  "\"arguments\":\"{\\\"a\\\":1}\"}}]}",
		  "{\"content\":\"\",\"tool_calls\":[{\"id\":\"c1\",\"args\":{\"a\":1},"
		  "\"name\":\"f\",\"type\":\"tool_call\"}],\"invalid_tool_calls\":[],"
		  "\"additional_kwargs\":{},\"response_metadata\":{},\"id\":\"ID\","
		  "\"type\":\"ai\"}" },
		/* a given id stays where it was */
		{ "{\"role\":\"user\",\"content\":\"hi\",\"id\":\"h1\"}",
		  "{\"content\":\"hi\",\"id\":\"h1\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"type\":\"human\"}" },
		/* null members of the Python client are absent ones */
		{ "{\"type\":\"ai\",\"content\":null,\"id\":null,\"name\":null,"
		  "\"tool_calls\":null,\"example\":false}",
		  "{\"content\":\"\",\"example\":false,\"tool_calls\":[],"
		  "\"invalid_tool_calls\":[],\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"id\":\"ID\",\"type\":\"ai\"}" },
		/* LangChain's constructor form */
		{ "{\"lc\":1,\"type\":\"constructor\",\"id\":[\"langchain_core\",\"messages\","
		  "\"HumanMessage\"],\"kwargs\":{\"content\":\"lc\",\"id\":\"x\"}}",
		  "{\"content\":\"lc\",\"id\":\"x\",\"additional_kwargs\":{},"
		  "\"response_metadata\":{},\"type\":\"human\"}" },
		{ "{\"type\":\"remove\",\"id\":\"h1\"}", "{\"id\":\"h1\",\"type\":\"remove\"}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check_coerced(rows[i][0], rows[i][1]);
}

TEST(message_errors_name_the_place)
{
	static const char *const rows[][2] = {
		{ "{\"role\":\"weird\",\"content\":\"x\"}", "messages[0]: unknown role \"weird\"" },
		{ "{\"content\":\"norole\"}", "messages[0]: expected a role or type" },
		{ "{\"role\":\"user\"}", "messages[0].content: expected" },
		{ "{\"role\":\"user\",\"content\":7}", "messages[0].content: expected" },
		{ "{\"role\":\"tool\",\"content\":\"x\"}", "messages[0].tool_call_id: expected" },
		{ "{\"role\":\"user\",\"content\":\"x\",\"id\":1}", "messages[0].id: expected" },
		{ "{\"role\":\"user\",\"content\":\"x\",\"id\":\"a\\\"b\"}",
		  "messages[0].id: expected no quotes" },
		{ "{\"type\":\"remove\"}", "messages[0].id: expected" },
		{ "[\"human\"]", "messages[0]: expected [role, content]" },
		{ "12", "messages[0]: expected a message" },
		{ "{\"role\":\"ai\",\"tool_calls\":[{\"function\":{\"name\":\"f\","
		  "\"arguments\":\"{\"}}]}", "messages[0].tool_calls[0].function.arguments" },
		{ "{\"role\":\"ai\",\"tool_calls\":[{\"id\":\"c\"}]}",
		  "messages[0].tool_calls[0].name" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_doc d;
		struct message *m;
		struct err e = { 0 };

		CHECK_RC(json_parse(&d, str_of(rows[i][0]), &e), OK);
		CHECK_RC(message_coerce(&m, d.root, "messages[0]", &e), ERR_INVALID);
		if (!str_starts(str_of(e.text), str_of(rows[i][1])) ||
		    !str_contains(str_of(e.text), S("MESSAGE_COERCION_FAILURE")))
			test_fail(__FILE__, __LINE__, "%s: %s", rows[i][0], e.text);
		json_release(&d);
	}
}

TEST(message_stored_text_gives_id_and_kind)
{
	static const char text[] = "{\"content\":\"say \\\"id\\\":\\\"no\\\" \\\\\","
	    "\"response_metadata\":{\"id\":\"inner\",\"type\":\"x\"},\"id\":\"outer\","
	    "\"tool_calls\":[{\"id\":\"c\",\"type\":\"tool_call\"}],\"type\":\"ai\"}";
	struct message *m, *renamed;
	struct err e;

	CHECK_RC(message_from_stored(&m, str_of(text), &e), OK);
	CHECK_STR(m->id, "outer");
	CHECK_INT(m->kind, MESSAGE_AI);
	CHECK_STR(m->json, text);
	CHECK_RC(message_from_answer(&renamed, m->json, S("fresh"), &e), OK);
	CHECK_STR(renamed->id, "fresh");
	CHECK_INT(renamed->json.n, m->json.n);
	message_drop(renamed);
	message_drop(m);
	CHECK_RC(message_from_stored(&m, S("{\"content\":\"x\",\"type\":\"ai\"}"), &e),
	    ERR_INVALID);
}

/* ---- the reducer --------------------------------------------------------- */

static struct message_list
list_of(const char *json)
{
	struct message_list l;
	struct json_doc d;
	struct err e;

	CHECK_RC(json_parse(&d, str_of(json), &e), OK);
	CHECK_RC(message_list_coerce(&l, d.root, "messages", &e), OK);
	json_release(&d);
	return l;
}

#define M(id, text) "{\"role\":\"user\",\"content\":\"" text "\",\"id\":\"" id "\"}"
#define R(id) "{\"type\":\"remove\",\"id\":\"" id "\"}"

/* ids and first letters of contents: "a:x b:y " */
static void
check_reduced(const char *left, const char *right, const char *expected, size_t keep)
{
	struct message_list l = list_of(left), r = list_of(right);
	struct buf got = BUF(1024);
	struct err e = { 0 };
	size_t kept;

	if (message_reduce(&l, &r, &kept, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s + %s: %s", left, right, e.text);
	for (size_t i = 0; i < l.n; i++)
		buf_add_fmt(&got, "%.*s:%c ", FMT(l.at[i]->id), l.at[i]->json.p[12]);
	CHECK_STR(buf_str(&got), expected);
	CHECK_INT(kept, keep);
	buf_release(&got);
	message_list_release(&l);
	message_list_release(&r);
}

TEST(reduce_appends_replaces_and_removes)
{
	const char *ab = "[" M("a", "1") "," M("b", "2") "]";

	check_reduced("[]", ab, "a:1 b:2 ", 0);
	check_reduced(ab, "[" M("c", "3") "]", "a:1 b:2 c:3 ", 2);
	check_reduced(ab, "[" M("b", "9") "]", "a:1 b:9 ", 1);
	check_reduced(ab, "[" M("c", "3") "," M("a", "9") "]", "a:9 b:2 c:3 ", 0);
	check_reduced(ab, "[" R("a") "]", "b:2 ", 0);
	check_reduced(ab, "[" R("b") "," M("c", "3") "]", "a:1 c:3 ", 1);
	/* removed and sent again: it keeps its place */
	check_reduced(ab, "[" R("a") "," M("a", "9") "]", "a:9 b:2 ", 0);
	check_reduced(ab, "[" R("__remove_all__") "," M("z", "0") "]", "z:0 ", 0);
	check_reduced(ab, "[" M("c", "3") "," R("__remove_all__") "]", "", 0);
	check_reduced(ab, "[]", "a:1 b:2 ", 2);
}

TEST(reduce_refuses_to_remove_what_is_not_there)
{
	struct message_list l = list_of("[" M("a", "1") "]");
	struct message_list r = list_of("[" M("b", "2") "," R("zzz") "]");
	struct err e;
	size_t keep;

	CHECK_RC(message_reduce(&l, &r, &keep, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("zzz")));
	CHECK_INT(l.n, 1);               /* as it was */
	message_list_release(&l);
	message_list_release(&r);
}

/* Goal: a long import does not compare everything with everything, and gives
 * the same list. */
TEST(reduce_of_many_messages_finds_them_by_table)
{
	struct message_list l = { 0 }, r = { 0 };
	struct err e;
	size_t keep;

	for (int i = 0; i < 2 * LIMIT_MESSAGES - 2000; i++) {
		struct message_list *to = i % 2 == 0 ? &l : &r;
		struct buf b = BUF(200);
		struct message *m;

		buf_add_fmt(&b, "{\"content\":\"%c\",\"id\":\"m%d\",\"type\":\"human\"}",
		    i % 2 == 0 ? 'l' : 'r', i % 4 == 1 ? i - 1 : i);
		CHECK_RC(message_from_stored(&m, buf_str(&b), &e), OK);
		message_list_add(to, m);
		buf_release(&b);
	}
	CHECK_INT(l.n, 9000);
	CHECK_RC(message_reduce(&l, &r, &keep, &e), ERR_LIMIT);
	r.n /= 10;                       /* 900: half of them replace */
	for (size_t i = r.n; i < 9000; i++)
		message_drop(r.at[i]);
	CHECK_RC(message_reduce(&l, &r, &keep, &e), OK);
	CHECK_INT(l.n, 9450);
	CHECK_INT(keep, 0);
	CHECK_STR(l.at[2]->json, "{\"content\":\"r\",\"id\":\"m4\",\"type\":\"human\"}");
	CHECK_STR(l.at[9000]->id, "m3");
	message_list_release(&l);
	message_list_release(&r);
}
