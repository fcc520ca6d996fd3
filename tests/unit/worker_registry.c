/*
 * worker_registry.c - who may serve what; what is remembered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker_fix.h"

#include <string.h>

#include "base/mem.h"

static const struct { const char *body, *words; } wrong[] = {
	{ "[]", "body: expected an object" },
	{ "{}", "name: expected a text, got nothing" },
	{ "{'name':'','build':'b','lang':'c','slots':{},'runs':[{'id':'r'}]}",
	  "name: expected a text" },
	{ "{'name':'a\\u001b[2J','build':'b','lang':'c'}", "name: expected a text without control" },
	{ "{'name':1}", "name: expected a string" },
	{ "{'name':'w','lang':'c','slots':{},'runs':[{'id':'r'}]}", "build: expected a text" },
	{ "{'name':'w','build':'b','slots':{},'runs':[{'id':'r'}]}", "lang: expected a text" },
	{ "{'name':'w','build':'b','lang':'c','runs':[{'id':'r'}]}", "slots: expected {" },
	{ "{'name':'w','build':'b','lang':'c','slots':{'run':-1},'runs':[{'id':'r'}]}",
	  "slots.run: expected" },
	{ "{'name':'w','build':'b','lang':'c','slots':{'run':1000000},'runs':[{'id':'r'}]}",
	  "slots.run: expected" },
	{ "{'name':'w','build':'b','lang':'c','slots':{'x':1},'runs':[{'id':'r'}]}",
	  "slots.x" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'protocol':2,'runs':[{'id':'r'}]}",
	  "protocol: expected" },
	{ "{'name':'w','build':'b','lang':'c','slots':{}}", "expected 1 to 1000 graphs" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[]}", "expected 1 to" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':{}}", "expected 1 to" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':['g']}",
	  "graphs.0: expected an object" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{}]}",
	  "graphs.0.id: expected letters" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'a b'}]}",
	  "graphs.0.id: expected letters" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'a/b'}]}",
	  "graphs.0.id: expected letters" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},"
	  "'graphs':[{'id':'00000000-0000-4000-8000-000000000000'}]}", "no UUID" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g'},{'id':'g'}]}",
	  "graphs.1.id: \"g\" is named twice" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g'}],"
	  "'runs':[{'id':'g'}]}", "runs.0.id: \"g\" is named twice" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g','x':1}]}",
	  "graphs.0.x" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g','schemas':[]}]}",
	  "graphs.0.schemas: expected an object" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g',"
	  "'schemas':{'input':1}}]}", "graphs.0.schemas.input: expected an object" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g',"
	  "'schemas':{'inputs':{}}}]}", "graphs.0.schemas.inputs" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g',"
	  "'drawing':{'nodes':[]}}]}", "graphs.0.drawing.edges: expected an array" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g',"
	  "'drawing':{'nodes':[1],'edges':[]}}]}", "graphs.0.drawing.nodes.0" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'g',"
	  "'subgraphs':{'a':1}}]}", "graphs.0.subgraphs: expected an object for each" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'runs':[{'id':'r','drawing':{}}]}",
	  "runs.0.drawing" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'nodes':[{'name':'n','schema':{}}]}",
	  "nodes.0.schema" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'nodes':[{'name':'n','timeout_s':0}]}",
	  "nodes.0.timeout_s" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'nodes':[{'name':'n',"
	  "'idempotent':'yes'}]}", "nodes.0.idempotent" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'tools':[{'name':'t','schema':{}}]}",
	  "tools.0.description: expected what the model" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'tools':[{'name':'t',"
	  "'description':'d'}]}", "tools.0.schema: expected the JSON Schema" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'tools':[{'name':'a__b',"
	  "'description':'d','schema':{}}]}", "tools.0.name: expected 1 to 64" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'tools':[{'name':'a.b',"
	  "'description':'d','schema':{}}]}", "tools.0.name: expected 1 to 64" },
	{ "{'name':'w','build':'b','lang':'c','slots':{},'runs':[{'id':'r'}],'colour':1}",
	  "colour" },
};

static int
read_it(const char *text, struct worker_may may, struct err *e)
{
	struct worker_intake in = { .arena = ARENA(MB) };
	struct buf b = BUF(MB);
	struct json_doc doc;
	int rc;

	buf_add(&b, str_of(text));
	for (size_t i = 0; i < b.n; i++)
		b.p[i] = (char)(b.p[i] == '\'' ? '"' : b.p[i]);
	CHECK_RC(json_parse(&doc, buf_str(&b), e), OK);
	rc = worker_intake_read(&in, doc.root, may, e);
	json_release(&doc);
	buf_release(&b);
	arena_release(&in.arena);
	return rc;
}

TEST(worker_registration_says_what_is_wrong_and_where)
{
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct err e = { .text = "" };
		int rc = read_it(wrong[i].body, (struct worker_may){ NULL, 0 }, &e);

		if (rc != ERR_INVALID || strstr(e.text, wrong[i].words) == NULL)
			test_fail(__FILE__, __LINE__, "%s: %s %s", wrong[i].body, rc_name(rc),
			    e.text);
	}
}

TEST(worker_key_serves_only_what_it_lists)
{
	const struct str ids[] = { S("a"), S("b") };
	struct worker_may may = { ids, 2 };
	struct err e;

	CHECK_RC(read_it("{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'a'}],"
	    "'tools':[{'name':'b','description':'d','schema':{}}]}", may, &e), OK);
	CHECK_RC(read_it("{'name':'w','build':'b','lang':'c','slots':{},'graphs':[{'id':'c'}]}",
	    may, &e), ERR_DENIED);
	CHECK(strstr(e.text, "graphs.0.id") != NULL);
	CHECK_RC(read_it("{'name':'w','build':'b','lang':'c','slots':{},'nodes':[{'name':'c'}]}",
	    may, &e), ERR_DENIED);
}

/* {verb, body, what is said of it: NULL: it is taken}. */
static const struct { enum worker_verb verb; const char *body, *words; } bodies[] = {
	{ WORKER_EVENTS, "{'events':[]}", NULL },
	{ WORKER_EVENTS, "{'events':[{'n':1,'ns':[],'mode':'values','data':{'any':1}}]}", NULL },
	{ WORKER_EVENTS, "{}", "events: expected an array, got nothing" },
	{ WORKER_EVENTS, "{'events':[{'n':1},{'m':1}]}", "events[1].m: not a field of this" },
	{ WORKER_EVENTS, "{'events':[],'done':1}", "done: not a field of this object" },
	{ WORKER_SAVER, "{'op':'get','ns':''}", NULL },
	{ WORKER_SAVER, "{'op':'get','limit':1}", "limit: not a field of the operation \"get\"" },
	{ WORKER_SAVER, "{'op':'what','limit':1}", NULL },
	{ WORKER_SAVER, "{'op':'get','thread_id':'x'}", "thread_id: not a field" },
	{ WORKER_SAVER, "{'op':'writes','groups':[{'ns':'','id':'','task_id':'','x':1}]}",
	  "groups[0].x: not a field" },
	{ WORKER_STORE, "{'ops':[{'op':'get','namespace':[],'key':'k','value':1}]}",
	  "ops[0].value: not a field of the operation \"get\"" },
	{ WORKER_STORE, "{'ops':{}}", "ops: expected an array, got an object" },
	{ WORKER_END, "{'status':'success','output':{'any':1}}", NULL },
	{ WORKER_END, "{'state':'success'}", "state: not a field" },
};

TEST(worker_bodies_with_unknown_members_are_refused)
{
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct err e = { .text = "" };
		struct buf b = BUF(KB);
		struct json_doc doc;
		int rc;

		buf_add(&b, str_of(bodies[i].body));
		for (size_t k = 0; k < b.n; k++)
			b.p[k] = (char)(b.p[k] == '\'' ? '"' : b.p[k]);
		CHECK_RC(json_parse(&doc, buf_str(&b), &e), OK);
		rc = worker_body_check(bodies[i].verb, doc.root, false, &e);
		if (bodies[i].words == NULL ? rc != OK : strstr(e.text, bodies[i].words) == NULL)
			test_fail(__FILE__, __LINE__, "%s: %s", bodies[i].body, e.text);
		json_release(&doc);
		buf_release(&b);
	}
}

static bool
is_own(void *ctx, enum worker_kind kind, struct str name)
{
	(void)ctx;
	return kind == WORKER_TOOL ? str_eq(name, S("calculate")) : str_eq(name, S("mine"));
}

static uint8_t good;

static bool
is_good(void *ctx, const uint8_t key[SHA256_SIZE])
{
	(void)ctx;
	return key[0] == good;
}

TEST(worker_name_is_of_the_key_that_serves_it)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct uuid a, b;
	struct asked poll;
	const char *why;
	struct err e;
	uint8_t key[SHA256_SIZE];
	struct buf text = BUF(KB);

	place_open(&p, &o);
	workers_set_reserved(p.ws, is_own, NULL);
	CHECK_RC(place_register(&p, "'graphs':[{'id':'g'}],'tools':[{'name':'t',"
	    "'description':'d','schema':{'type':'object'}}]", "b1", 1, &a, &why, &e), OK);
	CHECK_RC(place_register(&p, "'graphs':[{'id':'g'}]", "b2", 1, &b, &why, &e), OK);
	CHECK_RC(place_register(&p, "'runs':[{'id':'g'}]", "b1", 2, &b, &why, &e), ERR_CONFLICT);
	CHECK_STR(str_of(why), "graph_taken");
	CHECK_RC(place_register(&p, "'tools':[{'name':'t','description':'d','schema':{}}]", "b1",
	    2, &b, &why, &e), ERR_CONFLICT);
	CHECK_STR(str_of(why), "tool_taken");
	CHECK_RC(place_register(&p, "'graphs':[{'id':'mine'}]", "b1", 2, &b, &why, &e),
	    ERR_CONFLICT);
	CHECK_STR(str_of(why), "graph_taken");
	CHECK_RC(place_register(&p, "'tools':[{'name':'calculate','description':'d',"
	    "'schema':{}}]", "b1", 2, &b, &why, &e), ERR_INVALID);

	/* A node of that name is another thing. */
	CHECK_RC(place_register(&p, "'nodes':[{'name':'g'}]", "b1", 2, &b, &why, &e), OK);
	ask_key(&p, &poll, &b, 1, 0, 1, ERR_DENIED);
	ask_key(&p, &poll, &(struct uuid){ { 1 } }, 1, 0, 1, ERR_NOTFOUND);
	memset(key, 2, sizeof key);
	CHECK_RC(workers_leave(p.desk, &a, key, &e), ERR_DENIED);

	/* What was persisted for a key, until that key is not good any more. */
	memset(key, 7, sizeof key);
	worker_key_text(&text, key);
	workers_set_keys(p.ws, is_good, NULL);
	good = 7;
	workers_claim(p.ws, S("old"), buf_str(&text));
	CHECK_RC(place_register(&p, "'graphs':[{'id':'old'}]", "b", 2, &b, &why, &e),
	    ERR_CONFLICT);
	good = 8;
	CHECK_RC(place_register(&p, "'graphs':[{'id':'old'}]", "b", 2, &b, &why, &e), OK);
	buf_release(&text);
	place_close(&p);
}

TEST(worker_facts_of_a_tool_outlive_its_worker)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct arena arena = ARENA(MB);
	struct worker_facts f;
	struct uuid w;
	uint8_t key[SHA256_SIZE] = { 0 };
	struct err e;

	place_open(&p, &o);
	CHECK(!workers_find(p.ws, WORKER_TOOL, S("t"), &arena, &f));
	w = worker_new(&p, "'tools':[{'name':'t','description':'does','schema':{'type':'object'},"
	    "'idempotent':true,'timeout_s':3}]", "b");
	CHECK_RC(workers_leave(p.desk, &w, key, &e), OK);
	CHECK_INT(workers_serving(p.ws, WORKER_TOOL, S("t")), 0);
	CHECK(workers_find(p.ws, WORKER_TOOL, S("t"), &arena, &f));
	CHECK_STR(f.description, "does");
	CHECK_STR(f.schema_json, "{\"type\":\"object\"}");
	CHECK(f.idempotent && f.timeout == 3000);
	arena_release(&arena);
	place_close(&p);
}

TEST(worker_that_is_silent_is_gone)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;

	o.lease = 300;
	place_open(&p, &o);
	worker_new(&p, "'runs':[{'id':'r'}]", "b");
	CHECK_INT(workers_serving(p.ws, WORKER_RUN, S("r")), 1);
	CHECK_INT(workers_serving(p.ws, WORKER_NODE, S("r")), 1);
	TURNS_UNTIL(&p, workers_serving(p.ws, WORKER_NODE, S("r")) == 0);
	place_close(&p);
}

TEST(worker_log_keeps_the_newest_attempts)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct asked a;
	struct uuid w;
	struct json_doc doc;
	struct buf b = BUF(MB);
	struct worker_log_query q = { .name = S("n"), .limit = 1000 };
	struct err e;

	place_open(&p, &o);
	w = worker_new(&p, "'nodes':[{'name':'n'}]", "b");
	for (int i = 0; i < LIMIT_WORKER_ATTEMPTS + 20; i++) {
		struct job j = { .offer.kind = WORKER_NODE };

		ask(&p, &a, &w, 0, 1);
		job_offer(&p, &j, "n", 1);
		answer_tasks(&p, &a);
		asked_end(&a);
		workers_withdraw(&j.offer, i % 2 == 0 ? "success" : "error");
	}
	buf_add_char(&b, '[');
	workers_add_log(p.ws, &q, &b);
	buf_add_char(&b, ']');
	CHECK_RC(json_parse(&doc, buf_str(&b), &e), OK);
	CHECK_INT(json_count(doc.root), LIMIT_WORKER_ATTEMPTS);
	CHECK_STR(json_str(json_get(json_at(doc.root, 0), S("how"))), "error");
	json_release(&doc);
	buf_clear(&b);
	q.name = S("other");
	workers_add_log(p.ws, &q, &b);
	CHECK_INT(b.n, 0);
	buf_release(&b);
	place_close(&p);
}

/* A registration that is refused by those who publish its graphs leaves nothing. */
static int answer_rc;

static void
publish(void *ctx, struct worker_intake *in)
{
	struct err e;

	(void)ctx;
	CHECK_STR(in->served[0].facts.name, "g");
	workers_graphs_done(in, answer_rc, err_set(&e, answer_rc, "no") < 0 ? &e : NULL);
}

TEST(worker_is_entered_when_its_graphs_are_published)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;
	struct uuid w;
	const char *why;
	struct err e;

	place_open(&p, &o);
	workers_on_graphs(p.ws, publish, NULL);
	answer_rc = ERR_IO;
	CHECK_RC(place_register(&p, "'graphs':[{'id':'g'}]", "b", 1, &w, &why, &e), ERR_IO);
	CHECK_INT(workers_serving(p.ws, WORKER_RUN, S("g")), 0);
	answer_rc = OK;
	CHECK_RC(place_register(&p, "'graphs':[{'id':'g'}]", "b", 2, &w, &why, &e), OK);
	CHECK_INT(workers_serving(p.ws, WORKER_RUN, S("g")), 1);
	place_close(&p);
}

/* Registers n nodes, which are named from `first` on. */
static int
register_nodes(struct place *p, unsigned first, unsigned n)
{
	struct buf what = BUF(MB);
	struct uuid id;
	const char *why;
	struct err e;
	int rc;

	buf_add_fmt(&what, "'nodes':[{'name':'n%u'}", first);
	for (unsigned i = 1; i < n; i++)
		buf_add_fmt(&what, ",{'name':'n%u'}", first + i);
	buf_add_fmt(&what, "]%c", '\0');
	rc = place_register(p, what.p, "b", 0, &id, &why, &e);
	buf_release(&what);
	return rc;
}

/* Goal: a registration that needs more names than there is room for is refused whole: the
 * room that its first names found is not taken by its last ones. */
TEST(worker_names_have_a_limit)
{
	struct workers_options o = WORKER_OPTIONS;
	struct place p;

	place_open(&p, &o);
	for (unsigned i = 0; i + 1 < LIMIT_WORKER_NAMES / LIMIT_WORKER_SERVES; i++)
		CHECK_RC(register_nodes(&p, i * LIMIT_WORKER_SERVES, LIMIT_WORKER_SERVES), OK);
	CHECK_RC(register_nodes(&p, 100000, LIMIT_WORKER_SERVES / 2), OK);
	CHECK_RC(register_nodes(&p, 200000, LIMIT_WORKER_SERVES - 100), ERR_LIMIT);
	CHECK_RC(register_nodes(&p, 300000, LIMIT_WORKER_SERVES / 2), OK);
	CHECK_RC(register_nodes(&p, 400000, 1), ERR_LIMIT);
	CHECK_RC(register_nodes(&p, 0, LIMIT_WORKER_SERVES), OK);
	place_close(&p);
}
