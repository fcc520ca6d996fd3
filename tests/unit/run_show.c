/*
 * run_show.c - what a run's config is merged from, and settings that are nearly
 * right.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/arena.h"
#include "harness/test.h"
#include "run/config_priv.h"
#include "task/kinds.h"

#define T "01a1fb74-f13c-7602-b977-7e2dba96d18e"
#define C1 "1f1e5409-bccb-6d70-8001-bb78e0bbaa82"
#define C0 "1f1e5409-ba55-6f50-8000-57652155daaf"

static struct uuid
id(const char *text)
{
	struct uuid u;

	CHECK(uuid_parse(str_of(text), &u));
	return u;
}

static struct agent *
built_in(void)
{
	struct agent *a;
	struct err e;

	CHECK_RC(agent_load(&a, agent_builtin_text(S("agent")), S("agent.yaml"),
	    &task_kinds, &e), OK);
	return a;
}

TEST(setting_like_what_somebody_nearly_wrote)
{
	static const struct { const char *name, *like; } rows[] = {
		{ "modelName", "model_name" }, { "model-name", "model_name" },
		{ "modle_name", "model_name" }, { "temprature", "temperature" },
		{ "maxTokens", "max_tokens" }, { "max_token", "max_tokens" },
		{ "sytem_prompt", "system_prompt" }, { "baseurl", "base_url" },
		{ "tool", "tools" }, { "TOOLS", "tools" },
		{ "model_name", NULL }, { "tools", NULL }, { "model", NULL },
		{ "user_id", NULL }, { "thread_id", NULL }, { "x-tools-used", NULL },
		{ "", NULL }, { "___", NULL }, { "top_p", NULL },
		{ "a_name_that_is_very_much_longer_than_any_setting_is", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *like = setting_like(str_of(rows[i].name));

		CHECK(rows[i].like == NULL ? like == NULL :
		    like != NULL && strcmp(like, rows[i].like) == 0);
	}
}

/* ---- config -------------------------------------------------------------- */

struct asked {
	struct json_doc config, context, metadata, input;
	struct run_request q;
};

static jnode
parse(struct json_doc *d, const char *text)
{
	struct err e;

	if (text == NULL)
		return NULL;
	CHECK_RC(json_parse(d, str_of(text), &e), OK);
	return d->root;
}

static void
ask(struct asked *a, const char *input, const char *config, const char *metadata)
{
	*a = (struct asked){ 0 };
	a->q.thread_id = id(T);
	a->q.assistant = (struct store_assistant){ .id = id(C0), .graph_id = S("agent"),
	    .config_json = S("{\"configurable\":{\"model_name\":\"m-assistant\",\"a\":1},"
		"\"recursion_limit\":7}"),
	    .context_json = S("{\"c\":1}"), .metadata_json = S("{\"created_by\":\"system\"}") };
	a->q.input = parse(&a->input, input);
	a->q.config = parse(&a->config, config);
	a->q.metadata = parse(&a->metadata, metadata);
	a->q.headers_json = S("{\"user-agent\":\"curl\"}");
	a->q.modes_json = S("[\"values\",\"messages-tuple\"]");
}

static void
asked_release(struct asked *a)
{
	json_release(&a->config);
	json_release(&a->metadata);
	json_release(&a->input);
}

TEST(config_merges_assistant_thread_and_run)
{
	struct store_thread t = { .config_json = S("{\"configurable\":{\"model_name\":"
	    "\"m-thread\",\"t\":2}}"), .metadata_json = S("{\"name\":\"t1\"}") };
	struct uuid run = id(C1);
	struct tools *tools = tools_new();
	struct agent *agent;
	struct run_texts x;
	struct asked a;
	struct plan *p;
	struct err e = { 0 };

	ask(&a, "{\"messages\":\"hi\"}", "{\"configurable\":{\"temperature\":0.5,"
	    "\"run_id\":\"forged\"},\"tags\":[\"x\"]}", "{\"m\":1}");
	CHECK_RC(run_texts_write(&x, &a.q, &t, &run, &e), OK);
	CHECK_STR(buf_str(&x.metadata), "{\"created_by\":\"system\",\"graph_id\":\"agent\","
	    "\"assistant_id\":\"" C0 "\",\"name\":\"t1\",\"m\":1}");
	CHECK_STR(buf_str(&x.kwargs), "{\"input\":{\"messages\":\"hi\"},\"config\":{"
	    "\"recursion_limit\":7,\"tags\":[\"x\"],\"configurable\":{\"model_name\":"
	    "\"m-thread\",\"a\":1,\"t\":2,\"temperature\":0.5,\"user-agent\":\"curl\","
	    "\"run_id\":\"" C1 "\",\"thread_id\":\"" T "\",\"graph_id\":\"agent\","
	    "\"assistant_id\":\"" C0 "\"},\"metadata\":{\"created_by\":\"system\","
	    "\"graph_id\":\"agent\",\"assistant_id\":\"" C0 "\",\"name\":\"t1\",\"m\":1}},"
	    "\"context\":{\"c\":1},\"stream_mode\":[\"values\",\"messages-tuple\"],"
	    "\"temporary\":false,\"subgraphs\":false,\"resumable\":false,"
	    "\"durability\":\"async\"}");
	CHECK_STR(buf_str(&x.thread_config), "{\"tags\":[\"x\"],\"configurable\":{"
	    "\"model_name\":\"m-thread\",\"t\":2,\"temperature\":0.5,\"user-agent\":\"curl\"}}");
	CHECK_STR(buf_str(&x.base), "{\"user-agent\":\"curl\",\"created_by\":\"system\","
	    "\"graph_id\":\"agent\",\"assistant_id\":\"" C0 "\",\"name\":\"t1\",\"m\":1,"
	    "\"ls_integration\":\"langgraph\",\"run_attempt\":1,\"langgraph_version\":\""
	    COHORT_VERSION "\",\"langgraph_plan\":\"developer\","
	    "\"langgraph_host\":\"self-hosted\",\"thread_id\":\"" T "\",\"run_id\":\"" C1 "\"}");
	agent = built_in();
	CHECK_RC(plan_read(&p, buf_str(&x.kwargs), &run, agent, tools, &e), OK);
	CHECK_STR(p->defaults.model, "m-thread");
	CHECK(p->defaults.temperature == 0.5);
	CHECK_INT(p->q.recursion_limit, 7);
	CHECK_INT(p->defaults.max_tokens, 0);
	CHECK_INT(p->modes, MODE_VALUES | MODE_MESSAGES_TUPLE);
	CHECK(p->defaults.all_tools);
	CHECK_INT(val_count(val_get(p->q.input, S("messages"))), 1);
	plan_free(p);
	agent_free(agent);
	run_texts_release(&x);
	asked_release(&a);
	tools_free(tools);
}

/* The kwargs' config of a run on a thread with this config. */
static jnode
merged(struct json_doc *d, struct asked *a, const char *thread_config)
{
	struct store_thread t = { .config_json = str_of(thread_config),
	    .metadata_json = S("{}") };
	struct uuid run = id(C1);
	struct run_texts x;
	struct err e = { 0 };

	CHECK_RC(run_texts_write(&x, &a->q, &t, &run, &e), OK);
	CHECK_RC(json_parse(d, buf_str(&x.kwargs), &e), OK);
	run_texts_release(&x);
	return json_get(d->root, S("config"));
}

static struct str
configurable(jnode config, struct str key)
{
	return json_str(json_get(json_get(config, S("configurable")), key));
}

TEST(config_of_one_run_does_not_bind_the_next)
{
	struct json_doc d;
	struct asked a;
	jnode config;

	ask(&a, "{}", "{}", NULL);
	config = merged(&d, &a, "{\"recursion_limit\":1,\"tags\":[\"old\"],"
	    "\"configurable\":{\"t\":\"kept\"}}");
	CHECK(json_number(json_get(config, S("recursion_limit"))) == 7);
	CHECK(json_get(config, S("tags")) == NULL);
	CHECK_STR(configurable(config, S("t")), "kept");
	json_release(&d);
	asked_release(&a);
}

TEST(config_takes_headers_before_what_the_body_says_they_are)
{
	struct json_doc d;
	struct asked a;

	ask(&a, "{}", "{\"configurable\":{\"x-tenant\":\"forged\"}}", NULL);
	a.q.headers_json = S("{\"x-tenant\":\"from the proxy\"}");
	CHECK_STR(configurable(merged(&d, &a, "{\"configurable\":{\"x-tenant\":"
	    "\"older\"}}"), S("x-tenant")), "from the proxy");
	json_release(&d);
	asked_release(&a);
}

TEST(config_names_the_user)
{
	struct json_doc d;
	struct asked a;
	jnode config, user;

	ask(&a, "{}", "{\"configurable\":{\"langgraph_auth_user\":\"forged\"}}", NULL);
	a.q.subject = S("ann");
	config = merged(&d, &a, "{}");
	user = json_get(json_get(config, S("configurable")), S("langgraph_auth_user"));
	CHECK_STR(configurable(config, S("user_id")), "ann");
	CHECK_STR(configurable(config, S("langgraph_auth_user_id")), "ann");
	CHECK_STR(json_str(json_get(user, S("identity"))), "ann");
	json_release(&d);
	asked_release(&a);

	ask(&a, "{}", "{\"configurable\":{\"user_id\":\"u-17\"}}", NULL);
	a.q.subject = S("ann");
	config = merged(&d, &a, "{}");
	CHECK_STR(configurable(config, S("user_id")), "u-17");
	CHECK_STR(configurable(config, S("langgraph_auth_user_id")), "ann");
	json_release(&d);
	asked_release(&a);
}

TEST(config_errors_name_the_setting)
{
	static const char *const rows[][3] = {
		{ "{}", "{\"configurable\":{\"temperature\":\"hot\"}}",
		  "config.configurable.temperature: expected" },
		{ "{}", "{\"configurable\":{\"temperature\":3}}",
		  "config.configurable.temperature: expected" },
		{ "{}", "{\"configurable\":{\"tools\":[\"nope\"]}}",
		  "config.configurable.tools[0]: no tool is called \"nope\"" },
		{ "{}", "{\"configurable\":[]}", "config.configurable: expected an object" },
		{ "{}", "{\"recursion_limit\":0}", "config.recursion_limit: expected" },
		{ "[]", "{}", "input: expected an object" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"x\"}]}", "{}",
		  "input.messages[1]: unknown role" },
	};
	struct agent *agent = built_in();
	struct tools *tools = tools_new();
	struct uuid run = id(C1);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct plan *p = NULL;
		struct run_texts x;
		struct asked a;
		struct err e = { 0 };
		int rc;

		ask(&a, rows[i][0], rows[i][1], NULL);
		rc = run_texts_write(&x, &a.q, NULL, &run, &e);
		if (rc == OK)
			rc = plan_read(&p, buf_str(&x.kwargs), &run, agent, tools, &e);
		CHECK_RC(rc, ERR_INVALID);
		CHECK(p == NULL);
		if (!str_starts(str_of(e.text), str_of(rows[i][2])))
			test_fail(__FILE__, __LINE__, "%s: %s", rows[i][1], e.text);
		run_texts_release(&x);
		asked_release(&a);
	}
	tools_free(tools);
	agent_free(agent);
}
