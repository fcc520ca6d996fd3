/*
 * api_a2a.c - A2A, as far as it needs no server: parts of messages, and tasks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api_fix.h"

#include "api/a2a.h"

struct reading { int rc; char content[400], data[400], resume[400]; struct err e; };

static struct reading
reading_of(const char *json, bool old)
{
	struct reading r = { 0 };
	struct json_doc d = { 0 };
	struct a2a_said s;

	CHECK_RC(json_parse(&d, str_of(json), &r.e), OK);
	r.rc = a2a_read(d.root, old, &s, &r.e);
	snprintf(r.content, sizeof r.content, "%.*s", FMT(buf_str(&s.content)));
	snprintf(r.data, sizeof r.data, "%.*s", FMT(buf_str(&s.data)));
	snprintf(r.resume, sizeof r.resume, "%.*s", FMT(buf_str(&s.resume)));
	a2a_said_release(&s);
	json_release(&d);
	return r;
}

#define NEW(parts) "{\"messageId\":\"m\",\"role\":\"ROLE_USER\",\"parts\":" parts "}"
#define OLD(parts) "{\"messageId\":\"m\",\"role\":\"user\",\"parts\":" parts "}"

TEST(parts_become_content_data_and_answers)
{
	static const struct { const char *json; bool old; const char *content, *data, *resume; }
	rows[] = {
		{ NEW("[{\"text\":\"a\"},{\"text\":\"b\"}]"), false, "\"a\\nb\"", "", "" },
		{ OLD("[{\"kind\":\"text\",\"text\":\"a\"}]"), true, "\"a\"", "", "" },
		{ NEW("[{\"data\":{\"a\":1}},{\"data\":{\"b\":2}}]"), false, "",
		  "{\"a\":1,\"b\":2}", "" },
		{ NEW("[{\"data\":{\"resume\":[{\"id\":\"x\",\"value\":null}]}}]"), false, "", "",
		  "{\"x\":null}" },
		{ NEW("[{\"raw\":\"eA==\",\"mediaType\":\"image/png\"}]"), false,
		  "[{\"type\":\"image\",\"source_type\":\"base64\",\"data\":\"eA==\","
		  "\"mime_type\":\"image/png\"}]", "", "" },
		{ OLD("[{\"kind\":\"file\",\"file\":{\"uri\":\"https://h/f\",\"name\":\"f\"}}]"), true,
		  "[{\"type\":\"file\",\"source_type\":\"url\",\"url\":\"https://h/f\","
		  "\"filename\":\"f\"}]", "", "" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reading r = reading_of(rows[i].json, rows[i].old);

		CHECK_RC(r.rc, OK);
		CHECK_STR(str_of(r.content), rows[i].content);
		CHECK_STR(str_of(r.data), rows[i].data);
		CHECK_STR(str_of(r.resume), rows[i].resume);
	}
}

/* Goal: what cannot be meant is told with its place. */
TEST(parts_that_are_wrong_are_named)
{
	static const struct { const char *json; bool old; const char *words; } rows[] = {
		{ NEW("[{\"text\":\"a\",\"url\":\"https://h\"}]"), false, "message.parts[0]" },
		{ NEW("[{\"text\":\"a\"},{\"kind\":\"text\"}]"), false, "message.parts[1]" },
		{ OLD("[{\"text\":\"a\"}]"), true, "message.parts[0]" },
		{ OLD("[{\"kind\":\"file\",\"file\":{}}]"), true, "message.parts[0]" },
		{ NEW("[{\"url\":\"javascript:x\"}]"), false, "http" },
		{ NEW("[{\"raw\":\"a b\"}]"), false, "base64" },
		{ NEW("[{\"data\":{\"resume\":{}}}]"), false, "resume" },
		{ NEW("[]"), false, "message.parts" },
		{ OLD("[{\"kind\":\"text\",\"text\":\"x\"}]"), false, "message.role" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reading r = reading_of(rows[i].json, rows[i].old);

		CHECK_RC(r.rc, ERR_INVALID);
		CHECK(str_contains(str_of(r.e.text), str_of(rows[i].words)));
	}
}

/* Goal: a task shows public turns alone, and as an artifact the answer to the last. */
TEST(a_task_shows_the_conversation_and_no_more)
{
	struct a2a_shown t = { .state = A2A_COMPLETED, .history = -1 };
	struct json_doc d = { 0 };
	struct buf b = BUF(4 * KB);

	CHECK_RC(json_parse(&d, S("{\"messages\":[{\"type\":\"system\",\"content\":\"secret\"},"
	    "{\"type\":\"human\",\"id\":\"h\",\"content\":\"q\"},{\"type\":\"tool\","
	    "\"content\":\"secret\"},{\"type\":\"ai\",\"id\":\"a\",\"content\":[{\"type\":"
	    "\"reasoning\",\"text\":\"secret\"},{\"type\":\"text\",\"text\":\"said\"}]}]}"), NULL),
	    OK);
	t.values = d.root;
	a2a_add_task(&b, &t);
	CHECK(!str_contains(buf_str(&b), S("secret")));
	CHECK(str_contains(buf_str(&b), S("\"artifacts\":[{\"artifactId\":")));
	CHECK(str_contains(buf_str(&b), S("\"parts\":[{\"text\":\"said\"}]")));
	CHECK(str_contains(buf_str(&b), S("\"messageId\":\"h\"")));
	t.history = 1;
	buf_clear(&b);
	a2a_add_task(&b, &t);
	CHECK(!str_contains(buf_str(&b), S("\"messageId\":\"h\"")));
	CHECK(str_contains(buf_str(&b), S("\"messageId\":\"a\"")));
	json_release(&d);
	buf_release(&b);
}
