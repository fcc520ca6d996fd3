/*
 * chart_import.c - reading SCXML: what is refused, where and in which words,
 * and the encodings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "chart/chart.h"

#define IN(body) "<scxml>\n" body "\n</scxml>"

static int
load(struct str text, struct chart **out, struct err *e)
{
	*e = (struct err){ 0 };
	return chart_from_scxml(out, text, NULL, e);
}

static const struct {
	const char *text, *want;
} refused[] = {
	{ "", "line 1, column 1: no element found" },
	{ "<scxml>", "line 1, column 8: no element found" },
	{ "<scxml><state></scxml>", "line 1, column 17: mismatched tag" },
	{ "<a/>", "line 1, column 1: a: the root must be scxml" },
	{ "<scxml xmlns='urn:x'/>", "the root must be scxml" },
	{ "<scxml/>", "line 1, column 1: the chart has no states" },
	{ "<scxml version='2.0'><state/></scxml>", "version must be 1.0, not '2.0'" },
	{ "<scxml datamodel='xpath'><state/></scxml>", "the datamodel is not known: 'xpath'" },
	{ "<scxml binding='x'><state/></scxml>", "binding must be 'early' or 'late', not 'x'" },
	{ "<scxml initial='x'>\n<state id='s'/></scxml>",
	  "line 1, column 1: initial: unknown target 'x'" },
	{ IN("<state id='s'><onentry><raise event='e' color='red'/></onentry></state>"),
	  "line 2, column 24: state 's': raise: unknown attribute 'color'" },
	{ IN("<state id='s'>\n  <transition event='e' target='nowhere'/></state>"),
	  "line 3, column 3: state 's': transition: unknown target 'nowhere'" },
	{ IN("<state id='s'><transition/></state>"),
	  "line 2, column 15: state 's': transition: event, cond or target is needed" },
	{ IN("<state id='s'><transition event=' '/></state>"), "the event is empty" },
	{ IN("<state id='s'><transition event='e' target=''/></state>"), "the target is empty" },
	{ IN("<state id='s'><transition event='e' type='sideways'/></state>"),
	  "transition: type must be 'external' or 'internal', not 'sideways'" },
	{ IN("<state id='s'/>\n<state id='s'/>"), "line 3, column 1: state 's': the id is used twice" },
	{ IN("<state id='a b'/>"), "'a b' cannot be an id" },
	{ IN("<state id='s'><dance/></state>"),
	  "line 2, column 15: state 's': state: element 'dance' is not allowed here" },
	{ IN("<state id='s'>hello</state>"), "state 's': state: text is not allowed here" },
	{ IN("<final id='f'><transition event='e' target='f'/></final>"),
	  "final: element 'transition' is not allowed here" },
	{ IN("<state id='s' initial='t'><state id='u'/></state><state id='t'/>"),
	  "state 's': initial: 't' is not inside the state" },
	{ IN("<state id='s' initial='u'><initial><transition target='u'/></initial>"
	     "<state id='u'/></state>"), "state 's': initial is given twice" },
	{ IN("<state id='s'><initial><transition event='e' target='u'/></initial>"
	     "<state id='u'/></state>"), "initial: its transition has no event and no cond" },
	{ IN("<state id='s' initial='s'/>"), "initial needs a state with children" },
	{ IN("<state id='s'><history id='h'/><state id='u'/></state>"),
	  "state 'h': a history needs one transition" },
	{ IN("<state id='s'><history id='h'><transition target='v'/></history>"
	     "<state id='u'/></state><state id='v'/>"), "state 'h': history: 'v' is not inside the state" },
	{ IN("<state id='s'><history id='h'><transition target='g'/></history>"
	     "<history id='g'><transition target='u'/></history><state id='u'/></state>"),
	  "a history cannot lead to a history" },
	{ IN("<state id='s'><transition event='e' target='a b'/>"
	     "<state id='a'/><state id='b'/></state>"),
	  "targets 'a' and 'b' cannot be active together" },
	{ IN("<parallel id='p'><history id='h'><transition target='a'/></history>"
	     "<state id='a'><state id='b'/><state id='c'/></state><state id='d'/></parallel>"
	     "<state id='o'><transition event='e' target='h c'/></state>"),
	  "state 'o': transition: targets 'h' and 'c' cannot be active together" },
	{ IN("<datamodel><data id='x'/><data id='x'/></datamodel><state/>"),
	  "data: 'x' is declared twice" },
	{ IN("<datamodel><data id='_x'/></datamodel><state/>"), "names with '_' are the system's" },
	{ IN("<datamodel><data id='return'/></datamodel><state/>"), "'return' is not a name" },
	{ IN("<datamodel><data id='x' expr='1'>2</data></datamodel><state/>"),
	  "expr and inline content cannot both be given" },
	{ IN("<datamodel><data id='x' src='a'/></datamodel><state/>"),
	  "data: src is not allowed here 'a'" },
	{ IN("<state id='s'><onentry><send event='a' eventexpr='b'/></onentry></state>"),
	  "state 's': send: event and eventexpr cannot both be given" },
	{ IN("<state id='s'><onentry><send/></onentry></state>"),
	  "send: event, eventexpr or content is needed" },
	{ IN("<state id='s'><onentry><send event='e' delay='soon'/></onentry></state>"),
	  "send: 'soon' is not a time, as in 1.5s or 200ms" },
	{ IN("<state id='s'><onentry><send event='e' delay='1s' target='#_internal'/>"
	     "</onentry></state>"), "#_internal takes no delay" },
	{ IN("<state id='s'><onentry><send event='e'><content>1</content><param name='a' "
	     "expr='1'/></send></onentry></state>"), "content excludes param and namelist" },
	{ IN("<state id='s'><onentry><send event='e'><param name='a'/></send></onentry></state>"),
	  "param needs expr or location" },
	{ IN("<state id='s'><onentry><raise/></onentry></state>"), "raise: event is missing" },
	{ IN("<state id='s'><onentry><assign location='x'/></onentry></state>"), "assign: expr is missing" },
	{ IN("<state id='s'><onentry><assign expr='1'/></onentry></state>"), "location is missing" },
	{ IN("<state id='s'><onentry><raise event='a b'/></onentry></state>"),
	  "line 2, column 24: state 's': raise: 'a b' is not the name of an event: one word" },
	{ IN("<state id='s'><onentry><send event='a b'/></onentry></state>"),
	  "line 2, column 24: state 's': send: 'a b' is not the name of an event" },
	{ IN("<state id='s'><onexit><raise event='a.*'/></onexit></state>"),
	  "raise: 'a.*' is not the name of an event: one word without '*'" },
	{ IN("<state id='s'><transition event='a.*.b' target='s'/></state>"),
	  "line 2, column 15: state 's': transition: 'a.*.b' matches nothing: '*' is allowed alone" },
	{ IN("<state id='s'><transition event='x *y' target='s'/></state>"),
	  "'*y' matches nothing" },
	{ IN("<state id='s'><transition event='a*' target='s'/></state>"), "'a*' matches nothing" },
	{ IN("<state id='s'><transition event='*.' target='s'/></state>"), "'*.' matches nothing" },
	{ IN("<state id='s'><transition event='.' target='s'/></state>"), "'.' matches nothing" },
	{ IN("<state id='s'><invoke><finalize><send event='e'/></finalize></invoke></state>"),
	  "line 2, column 33: state 's': send: does not belong in finalize" },
	{ IN("<state id='s'><invoke><finalize><if cond='1'><raise event='e'/></if></finalize>"
	     "</invoke></state>"), "raise: does not belong in finalize" },
	{ IN("<state id='s'><invoke><finalize/><finalize/></invoke></state>"),
	  "finalize: given twice" },
	{ IN("<state id='s'><invoke namelist='x'><param name='x' expr='1'/></invoke></state>"),
	  "line 2, column 15: state 's': invoke: namelist and param cannot both be given" },
	{ IN("<datamodel/>\n<datamodel/><state/>"),
	  "line 3, column 1: datamodel: given twice; one datamodel holds all data" },
	{ IN("<state id='s'><datamodel><data id='x'/></datamodel><datamodel/></state>"),
	  "state 's': datamodel: given twice" },
	{ "<scxml exmode='quick'><state/></scxml>",
	  "line 1, column 1: scxml: exmode must be 'lax' or 'strict', not 'quick'" },
	{ IN("<state id='s'><onentry><cancel/></onentry></state>"), "sendid or sendidexpr is needed" },
	{ IN("<state id='s'><onentry><foreach item='x'/></onentry></state>"), "array and item are needed" },
	{ IN("<state id='s'><onentry><if/></onentry></state>"), "if: cond is missing" },
	{ IN("<state id='s'><onentry><if cond='1'><else/><elseif cond='1'/></if></onentry></state>"),
	  "else comes last" },
	{ IN("<state id='s'><invoke src='a' srcexpr='b'/></state>"),
	  "state 's': invoke: src and srcexpr cannot both be given" },
	{ IN("<state id='s'><invoke id='a'/></state><state id='t'><invoke id='a'/></state>"),
	  "invoke: the id 'a' is used twice" },
	{ IN("<state id='s'><invoke autoforward='maybe'/></state>"), "autoforward must be" },
	{ IN("<state id='s'><invoke><content>\n<scxml><state><transition target='q'/></state>"
	     "</scxml></content></invoke></state>"),
	  "line 3, column 15: transition: unknown target 'q'" },
	{ IN("<script>x = 1;\n  frobnicate();</script><state/>"),
	  "line 3, column 3: script: only assignments are supported" },
	{ IN("<script>x = return</script><state/>"), "'return' is not part of the language" },
	{ IN("<script>1 = 2</script><state/>"), "this cannot be assigned to" },
	{ IN("<script src='a.js'/><state/>"), "script: src is not allowed here 'a.js'" },
	{ "<!DOCTYPE a [<!ENTITY x 'y'>]><scxml/>", "line 1, column 25: entity declarations are refused" },
	{ "<scxml>&x;</scxml>", "undefined entity" },
	{ "<?xml version='1.0' encoding='utf-99'?><scxml/>", "unknown encoding" },
	{ "<scxml>\xff</scxml>", "not well-formed" },
};

TEST(import_errors_name_the_place)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct chart *c;
		struct err e;
		int rc = load(str_of(refused[i].text), &c, &e);

		if (rc == OK || c != NULL || !str_contains(str_of(e.text), str_of(refused[i].want)))
			test_fail(__FILE__, __LINE__, "%s\n   got  %s %s\n   want %s", refused[i].text,
			    rc_name(rc), e.text, refused[i].want);
	}
}

static void
add_nested(struct buf *b, int depth)
{
	buf_clear(b);
	buf_lit(b, "<scxml>");
	for (int i = 0; i < depth; i++)
		buf_add_fmt(b, "<state id='s%d'>", i);
	for (int i = 0; i < depth; i++)
		buf_lit(b, "</state>");
	buf_lit(b, "</scxml>");
}

TEST(import_is_bounded)
{
	struct buf b = BUF(4 * MB);
	struct chart *c;
	struct err e;

	add_nested(&b, LIMIT_CHART_DEPTH);
	CHECK_RC(load(buf_str(&b), &c, &e), OK);
	chart_free(c);
	add_nested(&b, LIMIT_CHART_DEPTH + 1);
	CHECK_RC(load(buf_str(&b), &c, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("nested deeper than 64")));
	add_nested(&b, 300);
	CHECK_RC(load(buf_str(&b), &c, &e), ERR_TOOBIG);

	buf_clear(&b);
	buf_lit(&b, "<scxml>");
	for (int i = 0; i < LIMIT_CHART_STATES; i++)
		buf_lit(&b, "<state/>");
	buf_lit(&b, "</scxml>");
	CHECK_RC(load(buf_str(&b), &c, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("more than 4096 states")));

	buf_clear(&b);
	buf_lit(&b, "<scxml><state><onentry>");
	for (int i = 0; i < 80; i++)
		buf_lit(&b, "<if cond='1'>");
	for (int i = 0; i < 80; i++)
		buf_lit(&b, "</if>");
	buf_lit(&b, "</onentry></state></scxml>");
	CHECK_RC(load(buf_str(&b), &c, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("nested deeper than 64")));

	buf_clear(&b);
	buf_lit(&b, "<scxml><state/><!-- ");
	while (b.n <= LIMIT_CHART_BYTES)
		buf_lit(&b, "padding padding padding padding ");
	buf_lit(&b, "--></scxml>");
	CHECK_RC(load(buf_str(&b), &c, &e), ERR_TOOBIG);
	buf_release(&b);
}

/* ---- what is accepted ---------------------------------------------------- */

/* Starts the chart and compares the value of x. */
static void
check_x(struct str text, const char *want)
{
	const struct effect_sink nobody = { 0 };
	struct buf b = BUF(4096);
	struct session *s;
	struct chart *c;
	struct val data;
	struct err e;
	int rc = load(text, &c, &e);

	if (rc != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	s = session_new(c, S("s"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &nobody), OK);
	data = session_data(s);
	val_add_json(&b, val_get(data, S("x")));
	CHECK_STR(buf_str(&b), want);
	val_drop(data);
	buf_release(&b);
	session_free(s);
	chart_free(c);
}

#define DATA(inner) "<scxml><datamodel><data id='x'" inner "</datamodel><state/></scxml>"

TEST(import_reads_inline_values)
{
	static const struct { const char *text, *want; } rows[] = {
		{ DATA(">5</data>"), "5" }, { DATA(">\n [1, 2]\n</data>"), "[1,2]" },
		{ DATA(">{\"a\": null}</data>"), "{\"a\":null}" },
		{ DATA(">[1, 'a']</data>"), "[1,\"a\"]" },
		{ DATA(">{a: 1}</data>"), "{\"a\":1}" },
		{ DATA(">\n a  few\n words </data>"), "\"a few words\"" },
		{ DATA("> <b>x<c k='&lt;'/></b> </data>"), "\"<b>x<c k=\\\"&lt;\\\"></c></b>\"" },
		{ DATA("><![CDATA[1 < 2]]></data>"), "\"1 < 2\"" },
		{ DATA(" expr=\"'a' + 1\"/>"), "\"a1\"" },
		{ "<scxml><script>var x = 1; x += 2\nx *= 5; var y = {a: [1,\n2]}\ny.a[0] = x;"
		  "x--\nx = [x, y.a[0]]</script><state/></scxml>", "[14,15]" },
		{ "<scxml><script>var x = 1, y = 2; x = [x, y]\n x[0]++; ++x[1]</script><state/></scxml>",
		  "[2,3]" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check_x(str_of(rows[i].text), rows[i].want);
}

TEST(import_skips_notes_of_other_namespaces)
{
	check_x(S("<s:scxml xmlns:s='http://www.w3.org/2005/07/scxml' xmlns:q='urn:q' q:z='1'>"
	    "<q:info><q:b/></q:info><s:datamodel><s:data id='x' expr='1'/></s:datamodel>"
	    "<s:state q:pos='1,2'/></s:scxml>"), "1");
}

TEST(import_knows_four_encodings)
{
	static const char latin[] = "<?xml version='1.0' encoding='ISO-8859-1'?>"
	    DATA(">caf\xe9</data>");
	static const char windows[] = "<?xml version='1.0' encoding='windows-1252'?>"
	    DATA(">\x80 \x93q\x94</data>");
	static const char utf8[] = DATA(">caf\xc3\xa9</data>");
	struct buf wide = BUF(4096);

	check_x(str_of(latin), "\"caf\xc3\xa9\"");
	check_x(str_of(windows), "\"\xe2\x82\xac \xe2\x80\x9cq\xe2\x80\x9d\"");
	check_x(str_of(utf8), "\"caf\xc3\xa9\"");
	buf_lit(&wide, "\xff\xfe");
	for (const char *p = DATA(">hi</data>"); *p != '\0'; p++) {
		buf_add_char(&wide, *p);
		buf_add_char(&wide, '\0');
	}
	check_x(buf_str(&wide), "\"hi\"");
	buf_release(&wide);
}

/* Goal: what other tools leave in a document changes nothing, anywhere. */
TEST(import_ignores_other_namespaces_anywhere)
{
	check_x(S("<scxml xmlns:q='urn:q'><q:a>text</q:a><datamodel><q:b/><data id='x' expr='0'/>"
	    "</datamodel><state id='s'><onentry><q:c/><if cond='true'><q:d/>"
	    "<assign location='x' expr='x + 1'/><q:e><raise event='no'/></q:e><else/><q:f/></if>"
	    "<foreach item='i' array='[1]'><q:g/><assign location='x' expr='x + i'/></foreach>"
	    "<script>x += 1<q:h>no</q:h></script></onentry><transition event='e' target='s'><q:i/>"
	    "</transition><invoke><q:j/><param name='p' expr='1'><q:k/></param><finalize><q:l/>"
	    "</finalize></invoke></state></scxml>"), "3");
}

/* Goal: REC B.1: the null data model knows one predicate, its id unquoted. */
TEST(import_null_data_model_has_in)
{
	static const struct { const char *cond; bool holds; } rows[] = {
		{ "In(b)", true }, { " In( b ) ", true }, { "In(a-1)", false }, { "In(c.d)", true },
		{ "In('b')", true }, { "In(&quot;a-1&quot;)", false }, { "In(nobody)", false },
		{ "In(b) &amp;&amp; In(b)", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct effect_sink nobody = { 0 };
		struct buf text = BUF(4096);
		struct session *s;
		struct chart *c;
		struct err e;

		buf_add_fmt(&text, "<scxml datamodel='null' initial='c.d'><state id='a-1'/>"
		    "<final id='f'/><parallel id='c.d'><state id='b'><transition cond=\"%s\" "
		    "target='f'/></state></parallel></scxml>", rows[i].cond);
		if (load(buf_str(&text), &c, &e) != OK)
			test_fail(__FILE__, __LINE__, "%s", e.text);
		s = session_new(c, S("s"), VAL_UNDEF, STR_NONE);
		(void)session_start(s, &nobody);
		if (str_eq(session_final(s), S("f")) != rows[i].holds)
			test_fail(__FILE__, __LINE__, "%s", rows[i].cond);
		session_free(s);
		chart_free(c);
		buf_release(&text);
	}
}

static void
note(void *ctx, const char *text)
{
	buf_add_fmt(ctx, "%s\n", text);
}

TEST(import_warns_of_what_is_missing)
{
	struct buf said = BUF(4096);
	const struct chart_files files = { .warn = note, .ctx = &said };
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S("<scxml xmlns='http://www.w3.org/2005/07/scxml' "
	    "version='1.0'><state/></scxml>"), &files, &e), OK);
	CHECK_STR(buf_str(&said), "");
	chart_free(c);
	CHECK_RC(chart_from_scxml(&c, S("\n<scxml><state/></scxml>"), &files, &e), OK);
	CHECK_STR(buf_str(&said), "line 2, column 1: warning: scxml: the namespace is missing: "
	    "xmlns=\"http://www.w3.org/2005/07/scxml\"\n"
	    "line 2, column 1: warning: scxml: the version is missing: version=\"1.0\"\n");
	chart_free(c);
	/* Who reads no files still refuses src. */
	CHECK_RC(chart_from_scxml(&c, S(DATA(" src='a'/>")), &files, &e), ERR_DENIED);
	buf_release(&said);
}

static int
read_one(void *ctx, struct str name, struct buf *out, struct err *e)
{
	(void)ctx;
	if (!str_eq(name, S("file:v.json")))
		return err_set(e, ERR_NOTFOUND, "no such file");
	buf_lit(out, "{\"k\": 1}");
	return OK;
}

TEST(import_reads_files_through_its_host)
{
	const struct chart_files files = { .read = read_one };
	const struct effect_sink nobody = { 0 };
	struct session *s;
	struct chart *c;
	struct err e;

	CHECK_RC(chart_from_scxml(&c, S(DATA(" src='file:v.json'/>")), &files, &e), OK);
	chart_free(c);
	/* Data that cannot be read is an error event of the chart's, REC 5.2.2. */
	CHECK_RC(chart_from_scxml(&c, S("<scxml><datamodel><data id='x' src='gone'/></datamodel>"
	    "<state id='s'><transition event='error.execution' cond='x === undefined' target='f'/>"
	    "</state><final id='f'/></scxml>"), &files, &e), OK);
	s = session_new(c, S("s"), VAL_UNDEF, STR_NONE);
	CHECK_RC(session_start(s, &nobody), OK);
	CHECK_STR(session_final(s), "f");
	session_free(s);
	chart_free(c);
	CHECK_RC(chart_from_scxml(&c, S("<scxml><script src='gone'/><state/></scxml>"), &files,
	    &e), ERR_NOTFOUND);
	CHECK(str_contains(str_of(e.text), S("column 8: script: cannot read 'gone': no such file")));
}

TEST(import_numbers_states_in_document_order)
{
	struct chart *c;
	struct err e;

	CHECK_RC(load(S("<scxml name='n'><state id='a'><state/><invoke type='t'/></state>"
	    "<parallel id='_3'/><final id='z'/></scxml>"), &c, &e), OK);
	CHECK_STR(chart_name(c), "n");
	CHECK_INT(chart_states(c), 5);
	CHECK_STR(chart_state_id(c, 1), "a");
	CHECK_STR(chart_state_id(c, 2), "_2");
	CHECK_STR(chart_state_id(c, 4), "z");
	CHECK(chart_state_is_node(c, 1) && !chart_state_is_node(c, 2));
	chart_free(c);
}
