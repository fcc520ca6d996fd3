/*
 * task_scxml.c - agents that are SCXML documents: what becomes of invokes and
 * data, what is kept, and what is refused with its place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "base/mem.h"
#include "task/kinds.h"

#define DOCUMENT(inside) "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" version=\"1.0\">\n" \
	inside "\n</scxml>\n"
#define STATE(inside) DOCUMENT("<datamodel><data id=\"messages\"/><data id=\"n\" expr=\"1\"/>" \
	"</datamodel><state id=\"a\">\n" inside "\n</state>")
#define INVOKE(type, params) STATE("<invoke " type ">" params "</invoke>")
#define PARAM(name, expr) "<param name=\"" name "\" expr=\"" expr "\"/>"

/* A document, and the error behind its name. */
static const struct row { const char *text, *want; } rows[] = {
	{ "<scxml><", ":1:8: unclosed token" },
	{ STATE("<invok/>"), ":3:1: state 'a': state: element 'invok' is not allowed here" },
	{ STATE("<transition event=\"e\" target=\"b\"/>"),
	    ":3:1: state 'a': transition: unknown target 'b'" },
	{ STATE("<transition event=\"e\" cond=\"1 +\"/>"),
	    ":3:1: state 'a': transition: column 4: expected a value, got the end" },
	{ STATE("<transition event=\"e\" cond=\"n == m\"/>"), ":3:1: 'm' is not declared" },
	{ STATE("<transition event=\"e\"><assign location=\"n\" expr=\"data.m\"/></transition>"),
	    ":3:23: 'm' is not declared" },
	{ DOCUMENT("<datamodel><data id=\"messages\" expr=\"1\"/></datamodel><state/>"),
	    ":2:12: state.messages: expected a constant list, because the reducer of 'messages' "
	        "is 'messages'" },
	{ DOCUMENT("<datamodel><data id=\"m\"/><data id=\"m\"/></datamodel><state/>"),
	    ":2:26: the key 'm' is given twice; first in line 2" },
	{ DOCUMENT("<state id=\"a\"><invoke type=\"llm\"/></state>"),
	    ":2:15: invoke.a: it writes the channel 'messages', which the agent does not have: "
	        "add it to state, or say what is written with `writes`" },
	{ DOCUMENT("<state><invoke type=\"llm\"/></state>"), ":2:8: invoke: the id is missing" },
	{ INVOKE("type=\"lmm\"", ""),
	    ":3:1: invoke: 'lmm' is neither a kind of work nor a chart; did you mean 'llm'?" },
	{ INVOKE("type=\"wasm\"", ""), ":3:1: the param 'wasm' is missing" },
	{ INVOKE("type=\"llm\" id=\"a.b\"", ""),
	    ":3:1: 'a.b' cannot be an invoke's name: expected a word without . : | # * $" },
	{ INVOKE("type=\"llm\" src=\"x\"", ""),
	    ":3:1: invoke: 'src' is for a chart; work has params" },
	{ INVOKE("typeexpr=\"n\"", ""), ":3:1: invoke: expected a constant type and id" },
	{ INVOKE("type=\"llm\"", PARAM("replly", "1")),
	    ":3:20: invoke.a.llm: unknown key 'replly'; did you mean 'reply'?" },
	{ INVOKE("type=\"llm\"", PARAM("events", "{}")),
	    ":3:20: invoke.a.llm.events: expected a map of events, as in "
	    "{paid: {schema: {...}}}" },
	{ INVOKE("type=\"llm\"", PARAM("reply", "1") PARAM("replies", "[]")),
	    ":3:1: invoke.a.llm: either 'reply' or 'replies', not both" },
	{ INVOKE("type=\"llm\"", PARAM("reply", "1") PARAM("chunk", "'words'")),
	    ":3:50: invoke.a.llm.chunk: expected 1 or word, got 'words'; did you mean 'word'?" },
	{ INVOKE("type=\"llm\"", PARAM("writes", "{m: 'result.text'}")),
	    ":3:20: invoke.a.writes: there is no channel 'm'; did you mean 'n'?" },
	{ INVOKE("type=\"tool\"", PARAM("name", "n")),
	    ":3:21: param 'name': expected a constant, because it is read when the agent is "
	        "loaded; a text has quotes: \"'text'\"" },
	{ INVOKE("type=\"tool\"", PARAM("name", "a b")),
	    ":3:21: param 'name': column 3: expected the end, got 'b'" },
	{ INVOKE("type=\"tool\"", PARAM("args", "n")), ":3:1: the param 'name' is missing" },
	{ INVOKE("type=\"emit\"", PARAM("data", "1") PARAM("data", "2")),
	    ":3:50: the key 'data' is given twice; first in line 3" },
	{ INVOKE("type=\"set\"", ""), ":3:1: the param 'set' is missing" },
	{ INVOKE("type=\"store\"", ""),
	    ":3:1: 'store': expected an operation, as in 'store.get'" },
	{ INVOKE("type=\"store.gett\"", ""),
	    ":3:1: invoke.a.store: unknown operation 'gett'; did you mean 'get'?" },
	{ INVOKE("type=\"llm.get\"", ""),
	    ":3:1: 'llm.get': expected the type 'llm', which has no operations" },
	{ INVOKE("type=\"scxml\" src=\"x.scxml\"", ""),
	    ":3:1: invoke: expected a chart inside <content>; src, srcexpr and a chart that is "
	        "computed are not supported" },
	{ INVOKE("", "<content><scxml><state><invoke type=\"llm\"/></state></scxml></content>"),
	    ":3:33: invoke: work is for the chart of the agent, not for one inside it" },
};

TEST(what_is_wrong_in_a_document_has_its_place)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str want = str_of(rows[i].want);
		struct agent *a;
		struct err e = { 0 };
		int rc = agent_load(&a, str_of(rows[i].text), S("a"), &task_kinds, &e);

		if (rc == OK || !str_starts(str_of(e.text), S("a:")) ||
		    !str_eq(str_sub(str_of(e.text), 1, SIZE_MAX), want))
			test_fail(__FILE__, __LINE__, "%s:\n   got \"%s\"\n   not \"a%.*s\"",
			    rows[i].text, rc == OK ? "no error" : e.text, FMT(want));
		CHECK(a == NULL && e.code == rc);
	}
}

static struct agent *
load(const char *text, struct str file)
{
	struct agent *a = NULL;
	struct err e = { 0 };

	CHECK_RC(agent_load(&a, str_of(text), file, &task_kinds, &e), OK);
	return a;
}

static const char whole[] = "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" version=\"1.0\" "
    "name=\"whole\"><datamodel><data id=\"messages\"/><data id=\"ms\" expr=\"5\"/><data id=\"n\" expr=\"2\"/>"
    "<data id=\"list\">[1, 2]</data><data id=\"later\" expr=\"n + 1\"/></datamodel>"
    "<state id=\"s\">"
    "<invoke type=\"llm\" id=\"m\"><param name=\"prompt\" expr=\"'n ' + n\"/>"
    "<param name=\"replies\" expr=\"['x', '${y}']\"/><param name=\"max_turns\" expr=\"3\"/>"
    "<param name=\"output\" expr=\"{schema: {type: 'object'}}\"/></invoke>"
    "<invoke type=\"store.get\"><param name=\"namespace\" expr=\"'a'\"/>"
    "<param name=\"key\" expr=\"'k' + n\"/></invoke>"
    "<invoke type=\"agent\" id=\"sub\"><param name=\"agent\" expr=\"'other'\"/>"
    "<param name=\"input\" expr=\"{n: n}\"/></invoke>"
    "<invoke type=\"wait\" id=\"w\" namelist=\"ms\"/></state></scxml>";

/* Fields read what the chart gives to the task; constants are in them. */
TEST(params_are_the_fields_of_the_kind)
{
	struct agent *a = load(INVOKE("type=\"ask\"", PARAM("prompt", "'n' + n")
	    PARAM("options", "['yes', '${n}']")), S("folder/d.scxml"));
	struct val *slots = mem_zero(a->slots_n * sizeof *slots), out;
	struct agent_scope s = { .agent = a, .slots = slots };
	const struct agent_work *w = &a->nodes[0].work;
	struct err e;

	CHECK_STR(a->id, "d");
	CHECK_STR(a->nodes[0].name, "a");
	CHECK_RC(val_json(&slots[SLOT_INPUT],
	    S("{\"prompt\":\"go?\",\"options\":[\"yes\",\"${n}\"]}"), &e), OK);
	CHECK_RC(agent_eval(&w->fields[ASK_PROMPT], &s, &out, &e), OK);
	CHECK_STR(val_str(out), "go?");
	val_drop(out);
	CHECK_RC(agent_eval(&w->fields[ASK_OPTIONS], &s, &out, &e), OK);
	CHECK_STR(val_str(val_at(out, 1)), "${n}");
	val_drop(out);
	val_drop(slots[SLOT_INPUT]);
	free(slots);
	agent_free(a);
}

/* The definition that a store keeps is read again, and is the same. */
TEST(a_document_that_is_kept_is_the_same_agent)
{
	static const char other[] = "<scxml xmlns=\"http://www.w3.org/2005/07/scxml\" "
	    "version=\"1.0\"><datamodel><data id=\"n\"/></datamodel><final id=\"f\"/></scxml>";
	struct agents *set = agents_new(), *again;
	struct buf text = BUF(64 * KB);
	const struct agent *a;
	struct err e = { 0 };

	CHECK_RC(agents_add(set, load(other, S("other.scxml")), &e), OK);
	CHECK_RC(agents_add(set, load(whole, S("file.scxml")), &e), OK);
	CHECK_RC(agents_link(set, &e), OK);
	a = agents_find(set, S("whole"));
	CHECK_INT(a->nodes_n, 4);
	CHECK_STR(a->nodes[1].name, "s-2");
	CHECK_INT(a->channels_n, 5);
	CHECK(a->channels[0].reducer == REDUCE_MESSAGES);
	CHECK_INT(val_count(a->channels[3].initial), 2);
	CHECK(a->channels[4].initial.kind == VAL_UNDEFINED);
	agents_add_text(&text, set, a);
	CHECK_RC(agents_read(&again, buf_str(&text), &task_kinds, &e), OK);
	CHECK_INT(agents_count(again), 2);
	CHECK(str_eq(agents_hash(again, agents_find(again, S("whole"))), agents_hash(set, a)));
	agents_free(again);
	agents_free(set);
	buf_release(&text);
}
