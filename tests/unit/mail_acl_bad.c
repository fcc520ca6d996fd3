/*
 * mail_acl_bad.c - what is wrong in a message, in each of its forms: the code, and the words that
 * say where it is and what would be right.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/mem.h"
#include "mail/acl.h"

#include <string.h>

#define M "{\"performative\":\"inform\",\"receiver\":\"b\","

static const struct { const char *text; int rc; const char *words; } json[] = {
	{ "[]", ERR_INVALID, "message: expected an object, got an array" },
	{ "{}", ERR_INVALID, "performative: missing; expected a communicative act" },
	{ "{\"performative\":7}", ERR_INVALID, "performative: expected a string, got a number" },
	{ "{\"performative\":\"enquire\",\"receiver\":\"b\"}", ERR_INVALID,
	  "performative: \"enquire\" is none of the 22 communicative acts" },
	{ "{\"performative\":\"accept_proposal\",\"receiver\":\"b\"}", ERR_INVALID,
	  "did you mean \"accept-proposal\"?" },
	{ "{\"performative\":\"inform\"}", ERR_INVALID, "receiver: missing; expected an agent's id" },
	{ "{\"performative\":\"inform\",\"receiver\":[]}", ERR_INVALID, "receiver: missing" },
	{ "{\"performative\":\"inform\",\"receiver\":7}", ERR_INVALID,
	  "receiver: expected an address, or an array of them, got a number" },
	{ "{\"performative\":\"inform\",\"receiver\":[\"a\",{}]}", ERR_INVALID,
	  "receiver.1: expected an address, got an object" },
	{ "{\"performative\":\"inform\",\"receiver\":[\"a\",\"b c\"]}", ERR_INVALID,
	  "receiver.1: expected an agent's id or name, cap:NAME or all:NAME" },
	{ "{\"performative\":\"inform\",\"receiver\":\"\"}", ERR_INVALID, "receiver: expected an agent" },
	{ "{\"performative\":\"inform\",\"receiver\":\"cap:\"}", ERR_INVALID,
	  "receiver: expected cap: and a capability's NAME or NAME:VERSION, got \"cap:\"" },
	{ "{\"performative\":\"inform\",\"receiver\":\"all:a:b:c\"}", ERR_INVALID,
	  "receiver: expected all: and a capability's NAME" },
	{ "{\"performative\":\"inform\",\"receiver\":\"a\\tb\"}", ERR_INVALID,
	  "receiver: expected a text without control characters, got 0x09 as byte 2" },
	{ M "\"reply_to\":[\"a\",\"b\"]}", ERR_INVALID, "reply_to: expected a string, got an array" },
	{ M "\"reply_to\":\"a(b)\"}", ERR_INVALID, "reply_to: expected an agent's id or name" },
	{ M "\"sender\":\"me\"}", ERR_INVALID, "sender: the server sets it" },
	{ M "\"created_at\":\"2025-11-30T12:00:00Z\"}", ERR_INVALID, "created_at: the server sets it" },
	{ M "\"message_id\":\"7\"}", ERR_INVALID, "message_id: expected a UUID, got \"7\"" },
	{ M "\"message_id\":\"00000000-0000-0000-0000-000000000000\"}", ERR_INVALID,
	  "message_id: expected a UUID" },
	{ M "\"language\":{}}", ERR_INVALID, "language: expected a string, got an object" },
	{ M "\"ontology\":\"a\\u0000b\"}", ERR_INVALID, "ontology: expected a text without control" },
	{ M "\"conversation_id\":12}", ERR_INVALID, "conversation_id: expected a string, got a number" },
	{ M "\"reply_by\":\"tomorrow\"}", ERR_INVALID,
	  "reply_by: expected a date of RFC 3339 with its zone, as in \"2026-11-30T12:00:00Z\", or "
	  "Unix milliseconds, got \"tomorrow\"" },
	{ M "\"reply_by\":\"2025-11-30T12:00:00\"}", ERR_INVALID, "reply_by: expected a date" },
	{ M "\"reply_by\":-5}", ERR_INVALID, "reply_by: expected a date" },
	{ M "\"reply_by\":1e300}", ERR_INVALID, "reply_by: expected a date" },
	{ M "\"reply_by\":true}", ERR_INVALID, "got a boolean" },
	{ M "\"trace\":\"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01\"}", ERR_INVALID,
	  "trace: expected a traceparent, as in 00-0af7651916cd43dd8448eb211c80319c" },
	{ M "\"delivery\":7}", ERR_INVALID, "delivery: expected an object, got a number" },
	{ M "\"delivery\":{\"priority\":4}}", ERR_INVALID, "delivery.priority: " },
	{ M "\"delivery\":{\"max_retries\":0}}", ERR_INVALID, "delivery.max_retries: " },
	{ M "\"delivery\":{\"durable\":1}}", ERR_INVALID,
	  "delivery.durable: expected true or false, got a number" },
	{ M "\"delivery\":{\"ttl\":0}}", ERR_INVALID, "delivery.ttl: expected milliseconds" },
	{ M "\"delivery\":{\"ttl\":\"400d\"}}", ERR_INVALID, "from 1 ms to 366 days" },
	{ M "\"delivery\":{\"ttl\":99999999999999}}", ERR_INVALID, "delivery.ttl: expected" },
	{ M "\"delivery\":{\"retries\":1}}", ERR_INVALID, "delivery.retries: unknown key" },
	{ M "\"reply_bye\":1}", ERR_INVALID, "reply_bye: unknown key; did you mean \"reply_by\"?" },
	{ M "\"x-\":1}", ERR_INVALID, "x-: expected a name that begins with x-" },
	{ M "\"x-a b\":1}", ERR_INVALID, "x-a b: expected a name that begins with x-" },
	{ M "\"X-TTL\":1}", ERR_INVALID, "X-TTL: this name has a meaning in the text form" },
};

#define T "(inform :receiver b "

static const struct { const char *text; int rc; const char *words; } text[] = {
	{ "", ERR_SYNTAX, "byte 1: expected ( and a communicative act" },
	{ "inform", ERR_SYNTAX, "byte 1: expected ( and a communicative act" },
	{ "()", ERR_SYNTAX, "byte 2: expected a communicative act, as in (inform ...)" },
	{ "(\"inform\")", ERR_SYNTAX, "byte 2: expected a communicative act" },
	{ "(enquire)", ERR_INVALID, "\"enquire\" is none of the 22 communicative acts" },
	{ "(inform)", ERR_INVALID, ":receiver: missing; expected an agent" },
	{ "(inform :receiver (set))", ERR_INVALID, ":receiver: missing" },
	{ T, ERR_SYNTAX, "byte 21: expected a :parameter or )" },
	{ T "x)", ERR_SYNTAX, "byte 21: expected a :parameter or )" },
	{ T ") x", ERR_SYNTAX, "byte 23: expected nothing after the message" },
	{ T ":languge a)", ERR_INVALID, ":languge: unknown parameter; one's own begin with x-; "
	  "did you mean \"language\"?" },
	{ T ":language)", ERR_SYNTAX, ":language: byte 30: expected a word or a string" },
	{ T ":language :ontology x)", ERR_SYNTAX, ":language: byte 31: expected a word or a string" },
	{ T ":language (a))", ERR_SYNTAX, ":language: byte 31: expected a word or a string" },
	{ T ":language a :LANGUAGE b)", ERR_INVALID, ":LANGUAGE: given twice" },
	{ T ":content \"a\\\")", ERR_SYNTAX, ":content: byte 30: a string that has no end" },
	{ T ":content #x\"a\")", ERR_SYNTAX, ":content: byte 30: expected #LENGTH\"" },
	{ T ":content #9\"ab)", ERR_SYNTAX, ":content: byte 30: a string of more bytes than follow" },
	{ T ":content (a (b)", ERR_SYNTAX, ":content: byte 36: expected an expression" },
	{ T ":content )", ERR_SYNTAX, ":content: byte 30: expected an expression" },
	{ T ":content \"{\" :language json)", ERR_SYNTAX, ":content: line 1, column 2" },
	{ T ":x-content json)", ERR_INVALID, ":content: is missing" },
	{ T ":x-content xml :content a)", ERR_INVALID, ":x-content: expected json" },
	{ T ":reply-by soon)", ERR_INVALID, ":reply-by: expected a date as in 20261130T120000000Z, or "
	  "+00000000T000015000 from now, got \"soon\"" },
	{ T ":reply-by 20251330T120000000Z)", ERR_INVALID, ":reply-by: expected a date" },
	{ T ":reply-by 20251130T120000000E)", ERR_INVALID, ":reply-by: expected a date" },
	{ T ":reply-by 2025-11-30T120000000Z)", ERR_INVALID, ":reply-by: expected a date" },
	{ T ":reply-by -99990000T000000000)", ERR_INVALID, ":reply-by: expected a date" },
	{ T ":reply-to (set (agent-identifier :name a) b))", ERR_LIMIT,
	  ":reply-to: expected at most 1 agent, got more" },
	{ T ":sender (agent-identifier :addresses (sequence a)))", ERR_SYNTAX,
	  "an agent-identifier without :name" },
	{ T ":sender (agent-identifier :name a b))", ERR_SYNTAX,
	  ":sender: byte 55: expected a parameter of the agent-identifier, or )" },
	{ T ":sender (set (agent :name a)))", ERR_SYNTAX, ":sender: byte 35: expected agent-identifier" },
	{ T ":sender :x)", ERR_SYNTAX, ":sender: byte 29: expected (agent-identifier :name NAME)" },
	{ "(inform :receiver (set :x))", ERR_SYNTAX, ":receiver: byte 24: expected an agent or )" },
	{ "(inform :receiver \"b c\")", ERR_INVALID, ":receiver: expected an agent's id or name" },
	{ T ":x-a)", ERR_SYNTAX, ":x-a: byte 25: expected an expression" },
	{ T ":x-a (b)", ERR_SYNTAX, "expected a :parameter or )" },
	{ T ":x-a ((((((((((((((((((1)))))))))))))))))))", ERR_SYNTAX, "more than 16 levels" },
	{ T ":x-a (json \"{\"))", ERR_SYNTAX, ":x-a: line 1, column 2" },
	{ T ":x-a (json \"1\" 2))", ERR_SYNTAX, ":x-a: byte 36: expected )" },
	{ T ":x-a 1 :X-A 2)", ERR_INVALID, ":X-A: given twice" },
	{ T ":x-priority 4)", ERR_INVALID, ":x-priority: expected a number from 0 to 3" },
	{ T ":x-durable yes)", ERR_INVALID, ":x-durable: expected true or false" },
	{ T ":x-ttl 0)", ERR_INVALID, ":x-ttl: expected a number from 1 to" },
	{ T ":x-created-at 20251130T120000000Z)", ERR_INVALID, ":x-created-at: the server sets it" },
	{ T ":x-message-id 7)", ERR_INVALID, ":x-message-id: expected a UUID, got \"7\"" },
	{ T ":ontology \"\xff\")", ERR_SYNTAX, "expected UTF-8" },
	{ T ":ontology \"a\nb\")", ERR_INVALID, ":ontology: expected a text without control characters" },
};

#define F "\1\7"                             /* inform */
#define B "\5\1b"                            /* to b */

static const struct { struct str bytes; int rc; const char *words; } frames[] = {
	{ S(""), ERR_SYNTAX, "packed message: expected version 1 and one of 22 acts" },
	{ S("\2\7"), ERR_SYNTAX, "expected version 1" },
	{ S("\1\26"), ERR_SYNTAX, "one of 22 acts" },
	{ S(F), ERR_INVALID, "receiver: missing" },
	{ S(F "\0\1a"), ERR_SYNTAX, "unknown tag 0; expected 1 to 17" },
	{ S(F "\22\1a"), ERR_SYNTAX, "unknown tag 18" },
	{ S(F "\5"), ERR_SYNTAX, "receiver: expected a length of up to 4 bytes" },
	{ S(F "\5\x80\x80\x80\x80\1b"), ERR_SYNTAX, "receiver: expected a length of up to 4 bytes" },
	{ S(F "\5\x81\0b"), ERR_SYNTAX, "receiver: a length with zeros at its end" },
	{ S(F "\5\0"), ERR_SYNTAX, "receiver: empty" },
	{ S(F "\5\2b"), ERR_SYNTAX, "receiver: longer than the message" },
	{ S(F "\5\1\xff"), ERR_SYNTAX, "receiver: expected UTF-8" },
	{ S(F "\10\1c" B), ERR_SYNTAX, "receiver: out of order" },
	{ S(F B "\10\1c\10\1c"), ERR_SYNTAX, "conversation_id: twice" },
	{ S(F "\1\1a" B), ERR_SYNTAX, "message_id: expected 16 bytes" },
	{ S(F "\1\20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" B), ERR_SYNTAX, "message_id: all zero" },
	{ S(F B "\13\2\0\1"), ERR_SYNTAX, "reply_by: expected a time of up to 8 bytes" },
	{ S(F B "\13\11\1\1\1\1\1\1\1\1\1"), ERR_SYNTAX, "reply_by: expected a time of up to 8" },
	{ S(F B "\13\10\x7f\1\1\1\1\1\1\1"), ERR_SYNTAX, "reply_by: a time past the year 9999" },
	{ S(F "\3\1\1" B), ERR_SYNTAX, "delivery: expected at least 2 bytes" },
	{ S(F "\3\2\0\0" B), ERR_SYNTAX, "delivery: all zero" },
	{ S(F "\3\2\20\0" B), ERR_SYNTAX, "delivery: expected a priority up to 3" },
	{ S(F "\3\2\0\x65" B), ERR_SYNTAX, "up to 100 retries" },
	{ S(F B "\20\2\0\0"), ERR_SYNTAX, "x-...: expected a name and a value" },
	{ S(F B "\20\6\0\3x-a1\20\6\0\3x-a1"), ERR_SYNTAX, "x-...: a name twice" },
	{ S(F B "\20\5\0\2ab1"), ERR_INVALID, "x-...: expected a name that begins with x-" },
	{ S(F B "\20\6\0\3x-a?"), ERR_SYNTAX, "x-...: line 1, column 1" },
	{ S(F B "\21\2{]"), ERR_SYNTAX, "content: line 1, column 2" },
	{ S(F "\4\1a" B), ERR_INVALID, "sender: the server sets it" },
	{ S(F "\2\1\1" B), ERR_INVALID, "created_at: the server sets it" },
	{ S(F "\5\3a b"), ERR_INVALID, "receiver: expected an agent's id or name" },
	{ S(F B "\6\1\n"), ERR_INVALID, "reply_to: expected a text without control characters" },
	{ S(F B "\17\1a"), ERR_INVALID, "trace: expected a traceparent" },
};

static void
check(const char *what, size_t i, int got, const struct err *e, int rc, const char *words)
{
	if (got != rc || !str_contains(str_of(e->text), str_of(words)))
		test_fail(__FILE__, __LINE__, "%s %zu: %s: \"%s\"\n   not %s: \"%s\"", what, i,
		    rc_name(got), e->text, rc_name(rc), words);
}

TEST(acl_bad_json)
{
	struct acl_room *room = mem_new(struct acl_room);

	for (size_t i = 0; i < COUNT(json); i++) {
		struct arena a = ARENA(MB);
		struct err e = { 0 };
		struct json_doc d;
		struct acl m;

		CHECK_RC(json_parse(&d, str_of(json[i].text), &e), OK);
		check("json", i, acl_from_json(&m, d.root, false, &a, room, &e), &e, json[i].rc,
		    json[i].words);
		json_release(&d);
		arena_release(&a);
	}
	free(room);
}

TEST(acl_bad_text)
{
	struct acl_room *room = mem_new(struct acl_room);

	for (size_t i = 0; i < COUNT(text); i++) {
		struct arena a = ARENA(MB);
		struct err e = { 0 };
		struct acl m;

		check("text", i, acl_from_text(&m, str_of(text[i].text), false,
		    INT64_C(1764504000000), &a, room, &e), &e, text[i].rc, text[i].words);
		arena_release(&a);
	}
	free(room);
}

TEST(acl_bad_frames)
{
	struct acl_room *room = mem_new(struct acl_room);

	for (size_t i = 0; i < COUNT(frames); i++) {
		struct err e = { 0 };
		struct acl m;

		check("frame", i, acl_from_frame(&m, frames[i].bytes, room, &e), &e, frames[i].rc,
		    frames[i].words);
	}
	free(room);
}

/* ---- limits --------------------------------------------------------------------------------- */

static int
read_json(struct str s, struct err *e)
{
	struct acl_room *room = mem_new(struct acl_room);
	struct arena a = ARENA(8 * MB);
	struct json_doc d;
	struct acl m;
	int rc;

	CHECK_RC(json_parse(&d, s, e), OK);
	rc = acl_from_json(&m, d.root, false, &a, room, e);
	json_release(&d);
	arena_release(&a);
	free(room);
	return rc;
}

static int
read_text(struct str s, struct err *e)
{
	struct acl_room *room = mem_new(struct acl_room);
	struct arena a = ARENA(8 * MB);
	struct acl m;
	int rc = acl_from_text(&m, s, false, 1, &a, room, e);

	arena_release(&a);
	free(room);
	return rc;
}

/* The last that is taken, and one more. */
TEST(acl_limits)
{
	static const struct {
		bool text;
		const char *before, *each, *after;
		size_t n;
		int rc;
		const char *words;
	} cases[] = {
		{ false, "{\"performative\":\"inform\",\"receiver\":[\"a\"", ",\"b\"", "]}",
		  LIMIT_ACL_RECEIVERS - 1, ERR_LIMIT, "receiver: expected at most 64 addresses, got 65; "
		  "an address all:NAME reaches more" },
		{ true, "(inform :receiver (set a", " b", "))", LIMIT_ACL_RECEIVERS - 1, ERR_LIMIT,
		  ":receiver: expected at most 64 agents, got more" },
		{ false, M "\"content\":\"", "x", "\"}", LIMIT_ACL_CONTENT_BYTES - 2, ERR_TOOBIG,
		  "content: expected at most 1048576 bytes, got 1048577" },
		{ true, T ":content \"", "x", "\")", LIMIT_ACL_CONTENT_BYTES - 2, ERR_TOOBIG,
		  ":content: expected at most 1048576 bytes, got 1048577" },
		{ false, M "\"reply_with\":\"", "x", "\"}", LIMIT_ACL_PARAM_BYTES, ERR_INVALID,
		  "reply_with: expected at most 1024 bytes, got 1025" },
		{ true, T ":reply-with ", "x", ")", LIMIT_ACL_PARAM_BYTES, ERR_TOOBIG,
		  ":reply-with: expected at most 1024 bytes, got 1025" },
		{ false, M "\"x-a\":\"", "x", "\"}", LIMIT_ACL_PARAM_BYTES - 2, ERR_TOOBIG,
		  "x-a: expected at most 1024 bytes, got 1025" },
		{ true, T ":x-a ", "x", ")", LIMIT_ACL_PARAM_BYTES - 2, ERR_TOOBIG,
		  ":x-a: expected at most 1024 bytes, got 1025" },
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t more = 0; more < 2; more++) {
			struct buf b = BUF(4 * MB);
			struct err e = { 0 };
			int rc;

			buf_add(&b, str_of(cases[i].before));
			for (size_t k = 0; k < cases[i].n + more; k++)
				buf_add(&b, str_of(cases[i].each));
			buf_add(&b, str_of(cases[i].after));
			rc = cases[i].text ? read_text(buf_str(&b), &e) : read_json(buf_str(&b), &e);
			check("limit", i, rc, &e, more ? cases[i].rc : OK, more ? cases[i].words : "");
			buf_release(&b);
		}
}

TEST(acl_limit_of_ones_own_parameters)
{
	for (size_t n = LIMIT_ACL_EXTRAS; n <= LIMIT_ACL_EXTRAS + 1; n++) {
		struct buf j = BUF(MB), t = BUF(MB);
		struct err e = { 0 };
		int rc = n > LIMIT_ACL_EXTRAS ? ERR_LIMIT : OK;

		buf_lit(&j, "{\"performative\":\"inform\",\"receiver\":\"b\"");
		buf_lit(&t, "(inform :receiver b");
		for (size_t i = 0; i < n; i++) {
			buf_add_fmt(&j, ",\"x-%zu\":%zu", i, i);
			buf_add_fmt(&t, " :x-%zu %zu", i, i);
		}
		buf_lit(&j, "}");
		buf_lit(&t, ")");
		check("extras", n, read_json(buf_str(&j), &e), &e, rc, rc == OK ? "" :
		    "x-16: expected at most 16 parameters that begin with x-");
		check("extras", n, read_text(buf_str(&t), &e), &e, rc, rc == OK ? "" :
		    ":x-16: expected at most 16 parameters that begin with x-");
		buf_release(&j);
		buf_release(&t);
	}
}

/* The longest message there may be has a packed form. */
TEST(acl_the_longest_message_fits)
{
	struct acl_room *room = mem_new(struct acl_room), *again = mem_new(struct acl_room);
	static char p[LIMIT_ACL_PARAM_BYTES], c[LIMIT_ACL_CONTENT_BYTES];
	static char names[LIMIT_ACL_EXTRAS][LIMIT_ACL_PARAM_BYTES];
	struct str s = { p, sizeof p };
	struct buf b = BUF(LIMIT_ACL_BYTES);
	struct acl m = { .act = ACL_INFORM, .sender = s, .receivers = room->receivers,
	    .receivers_n = LIMIT_ACL_RECEIVERS, .reply_to = s, .content = { c, sizeof c },
	    .language = s, .encoding = s, .ontology = s, .protocol = s, .conversation_id = s,
	    .reply_with = s, .in_reply_to = s, .extras = room->extras,
	    .extras_n = LIMIT_ACL_EXTRAS }, read;

	memset(p, 'a', sizeof p);
	memset(c, '1', sizeof c);
	memset(names, 'x', sizeof names);
	for (size_t i = 0; i < LIMIT_ACL_RECEIVERS; i++)
		room->receivers[i] = s;
	for (size_t i = 0; i < LIMIT_ACL_EXTRAS; i++) {
		names[i][0] = (char)('a' + i);
		room->extras[i] = (struct acl_extra){ { names[i], sizeof names[i] }, s };
	}
	acl_pack(&m, &b);
	CHECK(!b.failed);
	CHECK_RC(acl_unpack(&read, buf_str(&b), again, NULL), OK);
	CHECK_INT(read.content.n, sizeof c);
	buf_release(&b);
	free(room);
	free(again);
}
