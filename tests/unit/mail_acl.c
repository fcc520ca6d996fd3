/*
 * mail_acl.c - a message in its three forms: what is read is what was meant, and each form
 * written and read again is the same message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/mem.h"
#include "mail/acl.h"

#define NOW INT64_C(1764504000000)           /* 2025-11-30T12:00:00Z */

/* A message and what it borrows from. */
struct read {
	struct acl m;
	struct acl_room room;
	struct arena a;
	struct json_doc doc;
	struct err e;
	int rc;
};

static struct read *
new_read(void)
{
	struct read *r = mem_new(struct read);

	r->a = ARENA(8 * MB);
	return r;
}

static void
drop(struct read *r)
{
	arena_release(&r->a);
	json_release(&r->doc);
	free(r);
}

static struct read *
of_json(const char *text, bool trusted)
{
	struct read *r = new_read();

	CHECK_RC(json_parse(&r->doc, str_of(text), &r->e), OK);
	r->rc = acl_from_json(&r->m, r->doc.root, trusted, &r->a, &r->room, &r->e);
	return r;
}

static struct read *
of_text(const char *text, bool trusted)
{
	struct read *r = new_read();

	r->rc = acl_from_text(&r->m, str_of(text), trusted, NOW, &r->a, &r->room, &r->e);
	return r;
}

static struct read *
good(struct read *r)
{
	if (r->rc != OK)
		test_fail(__FILE__, __LINE__, "%s: %s", rc_name(r->rc), r->e.text);
	return r;
}

static struct buf
packed(const struct acl *m)
{
	struct buf b = BUF(LIMIT_ACL_BYTES);

	acl_pack(m, &b);
	CHECK(!b.failed);
	return b;
}

static void
check_same(const struct acl *a, const struct acl *b)
{
	struct buf x = packed(a), y = packed(b);

	CHECK(str_eq(buf_str(&x), buf_str(&y)));
	buf_release(&x);
	buf_release(&y);
}

/* Through every form and back. */
static void
check_forms(const struct acl *m)
{
	struct buf p = packed(m), json = BUF(4 * MB), text = BUF(4 * MB), again;
	struct read *r = new_read(), *j, *t;

	CHECK_RC(acl_unpack(&r->m, buf_str(&p), &r->room, &r->e), OK);
	again = packed(&r->m);
	CHECK(str_eq(buf_str(&p), buf_str(&again)));
	acl_add_json(m, &json);
	j = good(of_json(json.p, true));
	check_same(m, &j->m);
	acl_add_text(m, &text);
	t = good(of_text(text.p, true));
	check_same(m, &t->m);
	drop(r);
	drop(j);
	drop(t);
	buf_release(&p);
	buf_release(&again);
	buf_release(&json);
	buf_release(&text);
}

static const char all[] =
    "{\"performative\":\"cfp\",\"message_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
    "\"created_at\":\"2025-11-30T11:59:59.123Z\","
    "\"delivery\":{\"priority\":3,\"ttl\":30000,\"receipt\":true,\"max_retries\":5,\"durable\":true},"
    "\"sender\":\"alice\",\"receiver\":[\"bob\",\"cap:paint:v2\",\"all:sell\"],"
    "\"reply_to\":\"carol@host:1099/JADE\",\"protocol\":\"fipa-contract-net\","
    "\"conversation_id\":\"01-c\",\"reply_with\":\"a b\",\"in_reply_to\":\"w\\\\\","
    "\"reply_by\":\"2025-11-30T12:00:30.000Z\",\"language\":\"fipa-sl\",\"encoding\":\"utf-8\","
    "\"ontology\":\"houses (\\\"old\\\")\","
    "\"trace\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\","
    "\"x-one\":1.5,\"x-two\":{\"a\":[true,null]},\"x-three\":\"7\",\"X-four\":\"word\","
    "\"content\":{\"text\":\"\\\\ \\\" \xc3\xa4\",\"n\":[1,2]}}";

TEST(acl_every_parameter_in_every_form)
{
	struct read *r = good(of_json(all, true));
	struct buf json = BUF(MB);

	CHECK(r->m.act == ACL_CFP && r->m.receivers_n == 3 && r->m.extras_n == 4);
	CHECK_INT(r->m.reply_by, NOW + 30000);
	CHECK_INT(r->m.delivery.ttl, 30000);
	CHECK(r->m.delivery.priority == 3 && r->m.delivery.max_retries == 5);
	CHECK(r->m.delivery.receipt && r->m.delivery.durable);
	acl_add_json(&r->m, &json);
	CHECK_STR(buf_str(&json), all);
	check_forms(&r->m);
	buf_release(&json);
	drop(r);
}

TEST(acl_every_act_alone)
{
	for (int act = 0; act < ACL_ACTS; act++) {
		struct acl m = { .act = (enum acl_act)act };

		CHECK_INT(acl_act_find(str_of(acl_act_names[act])), act);
		check_forms(&m);
	}
	CHECK_INT(acl_act_find(S("Query-REF")), ACL_QUERY_REF);
	CHECK_INT(acl_act_find(S("query_ref")), -1);
	CHECK_INT(acl_act_find(S("")), -1);
}

/* What JADE's StringACLCodec writes: acts in capitals, addresses, X- in capitals. */
TEST(acl_text_of_jade)
{
	struct read *r = good(of_text("(QUERY-REF\n"
	    " :sender  ( agent-identifier :name ping@host:1099/JADE :addresses (sequence "
	    "http://host:7778/acc ) :resolvers (sequence (agent-identifier :name df@host)) "
	    ":X-JADE-agent-classname test.Ping )\n"
	    " :receiver  (set ( agent-identifier :name pong@host:1099/JADE ) "
	    "(agent-identifier :name rma ) )\n"
	    " :reply-to (set \n( agent-identifier :name logger@host ) )\n"
	    ":X-JADE-Encoding Base64\n"
	    " :content  \"((all ?x (is \\\"a b\\\" ?x)))\" \n"
	    " :reply-with  R1764_0\n :in-reply-to 17\n :language  fipa-sl0\n"
	    " :ontology  \"my ontology\"\n :reply-by  20251130T120015000Z\n"
	    " :protocol fipa-query\n :conversation-id  C12_34 )", false));

	CHECK(r->m.act == ACL_QUERY_REF && r->m.receivers_n == 2 && r->m.extras_n == 1);
	CHECK_STR(r->m.sender, "ping@host:1099/JADE");
	CHECK_STR(r->m.receivers[0], "pong@host:1099/JADE");
	CHECK_STR(r->m.receivers[1], "rma");
	CHECK_STR(r->m.reply_to, "logger@host");
	CHECK_STR(r->m.content, "\"((all ?x (is \\\"a b\\\" ?x)))\"");
	CHECK_STR(r->m.in_reply_to, "17");
	CHECK_STR(r->m.ontology, "my ontology");
	CHECK_STR(r->m.extras[0].name, "X-JADE-Encoding");
	CHECK_STR(r->m.extras[0].value, "\"Base64\"");
	CHECK_INT(r->m.reply_by, NOW + 15000);
	check_forms(&r->m);
	drop(r);
}

/* FIPA 97: bare names; content that is an expression. */
TEST(acl_text_of_fipa_97)
{
	struct read *r = good(of_text("(inform :sender ann :receiver (bob carol)"
	    ":content (price (bid good02) \"1)50\") :language sl)", false));

	CHECK(r->m.receivers_n == 2);
	CHECK_STR(r->m.receivers[1], "carol");
	CHECK_STR(r->m.content, "\"(price (bid good02) \\\"1)50\\\")\"");
	drop(r);
	r = good(of_text("(inform :receiver bob :content good :reply-to \"x\")", false));
	CHECK_STR(r->m.receivers[0], "bob");
	CHECK_STR(r->m.reply_to, "x");
	CHECK_STR(r->m.content, "\"good\"");
	drop(r);
}

/* Quotes, backslashes, bytes that are counted; content that is JSON by its language or not. */
TEST(acl_text_contents)
{
	static const struct { const char *text, *content; } cases[] = {
		{ ":content \"a\\\"b\"", "\"a\\\"b\"" },
		{ ":content \"C:\\dir\\x\"", "\"C:\\\\dir\\\\x\"" },
		{ ":content \"say \\\\\"hi\\\\\"\"", "\"say \\\\\\\"hi\\\\\\\"\"" },
		{ ":content #4\"a\\)\"", "\"a\\\\)\\\"\"" },
		{ ":content #0\"", "\"\"" },
		{ ":content \"\"", "\"\"" },
		{ ":content \"line\none\"", "\"line\\none\"" },
		{ ":content \"{\\\"a\\\": 1}\"", "\"{\\\"a\\\": 1}\"" },
		{ ":content \"{\\\"a\\\":1}\" :language JSON", "{\"a\":1}" },
		{ ":language application/json :content \" [1] \"", "[1]" },
		{ ":content \"null\" :x-content json", "null" },
		{ ":content 12.50", "\"12.50\"" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF(KB);
		struct read *r;

		buf_add_fmt(&b, "(inform :receiver b %s)", cases[i].text);
		r = good(of_text(b.p, false));
		CHECK_STR(r->m.content, cases[i].content);
		check_forms(&r->m);
		drop(r);
		buf_release(&b);
	}
}

TEST(acl_text_dates)
{
	static const struct { const char *date; msec t; } cases[] = {
		{ "20251130T120000000Z", NOW }, { "20251130T120000500z", NOW + 500 },
		{ "20251130T120000Z", NOW }, { "20251130t120000001", NOW + 1 },
		{ "\"20251130T120000000Z\"", NOW }, { "2025-11-30T13:00:00+01:00", NOW },
		{ "+00000000T000015000", NOW + 15000 },
		{ "+00010101T010101001", NOW + INT64_C(396) * 86400000 + 3661001 },
		{ "-00000000T000000001", NOW - 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF(KB);
		struct read *r;

		buf_add_fmt(&b, "(cfp :receiver b :reply-by %s)", cases[i].date);
		r = good(of_text(b.p, false));
		CHECK_INT(r->m.reply_by, cases[i].t);
		drop(r);
		buf_release(&b);
	}
}

TEST(acl_text_parameters_of_ones_own)
{
	static const struct { const char *text, *json; } cases[] = {
		{ "word", "\"word\"" }, { "\"5\"", "\"5\"" }, { "5", "5" }, { "-1.5", "-1.5" },
		{ "+5", "\"+5\"" }, { "007", "\"007\"" }, { "(a 1 (b))", "[\"a\",1,[\"b\"]]" },
		{ "()", "[]" }, { "(json \"{\\\"a\\\":null}\")", "{\"a\":null}" },
		{ "(json word)", "[\"json\",\"word\"]" }, { "20251130T120000000Z", "\"20251130T120000000Z\"" },
		{ "#3\"(a)", "\"(a)\"" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF(KB);
		struct read *r;

		buf_add_fmt(&b, "(inform :receiver b :x-a %s)", cases[i].text);
		r = good(of_text(b.p, false));
		CHECK_STR(r->m.extras[0].value, cases[i].json);
		check_forms(&r->m);
		drop(r);
		buf_release(&b);
	}
}

TEST(acl_addresses)
{
	struct acl_address a;
	struct err e;

	CHECK_RC(acl_address_parse(S("bob@host:1099/JADE"), &a, &e), OK);
	CHECK(a.kind == ACL_TO_NAME);
	CHECK_RC(acl_address_parse(S("01890A5D-ac96-774b-bcce-b302099a8057"), &a, &e), OK);
	CHECK(a.kind == ACL_TO_ID && a.id.b[15] == 0x57);
	CHECK_RC(acl_address_parse(S("cap:paint"), &a, &e), OK);
	CHECK(a.kind == ACL_TO_ONE && a.version.n == 0);
	CHECK_STR(a.name, "paint");
	CHECK_RC(acl_address_parse(S("ALL:paint:v2"), &a, &e), OK);
	CHECK(a.kind == ACL_TO_ALL);
	CHECK_STR(a.version, "v2");
	CHECK_RC(acl_address_parse(S("cap:"), &a, &e), ERR_INVALID);
	CHECK_RC(acl_address_parse(S("cap:a:"), &a, &e), ERR_INVALID);
	CHECK_RC(acl_address_parse(S("cap:a:b:c"), &a, &e), ERR_INVALID);
	CHECK_RC(acl_address_parse(S(""), &a, &e), ERR_INVALID);
	CHECK_RC(acl_address_parse(S("a b"), &a, &e), ERR_INVALID);
	CHECK_RC(acl_address_parse(S("a\n"), &a, &e), ERR_INVALID);
	CHECK_RC(acl_address_parse(S("a\xff"), &a, &e), ERR_INVALID);
}

TEST(acl_a_reply_goes_where_it_was_asked_to)
{
	struct read *r = good(of_json(all, true));
	struct acl_room room;
	struct acl reply;

	acl_reply(&reply, &r->m, ACL_PROPOSE, &room);
	CHECK(reply.act == ACL_PROPOSE && reply.receivers_n == 1);
	CHECK_STR(reply.receivers[0], "carol@host:1099/JADE");
	CHECK_STR(reply.in_reply_to, "a b");
	CHECK_STR(reply.conversation_id, "01-c");
	CHECK_STR(reply.protocol, "fipa-contract-net");
	CHECK(reply.content.n == 0 && reply.sender.n == 0);
	r->m.reply_to = STR_NONE;
	acl_reply(&reply, &r->m, ACL_REFUSE, &room);
	CHECK_STR(reply.receivers[0], "alice");
	drop(r);
}

TEST(acl_a_sender_is_who_it_is)
{
	struct acl m = { .sender = S("ann") };
	struct uuid id = uuid_v7();
	char text[UUID_TEXT];
	struct err e;

	CHECK_RC(acl_check_sender(&m, &id, S("ann"), &e), OK);
	CHECK_RC(acl_check_sender(&m, &id, S("bob"), &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("bob or ")));
	CHECK_RC(acl_check_sender(&m, &id, STR_NONE, &e), ERR_INVALID);
	uuid_format(&id, text);
	m.sender = (struct str){ text, sizeof text };
	CHECK_RC(acl_check_sender(&m, &id, STR_NONE, &e), OK);
	m.sender = STR_NONE;
	CHECK_RC(acl_check_sender(&m, &id, STR_NONE, &e), OK);
}

/* Every cut and every changed byte of a packed message is refused, or is itself canonical. */
TEST(acl_packed_has_one_form)
{
	struct read *r = good(of_json(all, true)), *x = new_read();
	struct buf p = packed(&r->m), again;
	size_t taken = 0;

	for (size_t n = 0; n < p.n; n++)
		if (acl_unpack(&x->m, str_sub(buf_str(&p), 0, n), &x->room, &x->e) == OK)
			taken++;
	CHECK(taken > 0 && taken < 24);      /* cut between two parameters */
	for (size_t i = 0; i < p.n; i++)
		for (int bit = 0; bit < 8; bit++) {
			p.p[i] = (char)(p.p[i] ^ 1 << bit);
			if (acl_unpack(&x->m, buf_str(&p), &x->room, &x->e) == OK) {
				again = packed(&x->m);
				CHECK(str_eq(buf_str(&p), buf_str(&again)));
				buf_release(&again);
			} else {
				CHECK(x->e.text[0] != '\0');
			}
			p.p[i] = (char)(p.p[i] ^ 1 << bit);
		}
	buf_release(&p);
	drop(r);
	drop(x);
}

TEST(acl_a_frame_has_its_length_in_front)
{
	struct acl m = { .act = ACL_INFORM, .receivers = &S("bob"), .receivers_n = 1,
	    .content = S("{}") };
	struct buf b = BUF(KB);
	struct read *r = new_read();

	buf_lit(&b, "before");
	acl_add_frame(&m, &b);
	CHECK_INT(b.p[9], b.n - 6 - ACL_FRAME_HEAD);
	CHECK_RC(acl_from_frame(&r->m, str_sub(buf_str(&b), 10, b.n), &r->room, &r->e), OK);
	check_same(&m, &r->m);
	buf_release(&b);
	drop(r);
}
