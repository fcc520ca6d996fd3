/*
 * main_langgraph.c - langgraph.json: what its keys set, and what is said of those that
 * cannot be honoured.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "main/config.h"

static int
read(struct config *c, const char *text, struct err *e)
{
	char *none[] = { NULL };

	CHECK_RC(config_load(c, 0, none, none, e), OK);
	return langgraph_read(c, "app/langgraph.json", str_of(text), e);
}

/* Goal: each key sets its setting, with its place as the origin. */
TEST(langgraph_keys_set_settings)
{
	static const struct { const char *text; enum setting_id id; const char *value; } rows[] = {
		{ "{\"auth\":{\"policy\":\"p.yaml\"}}", SETTING_AUTH_POLICY, "app/p.yaml" },
		{ "{\"auth\":{\"policy\":\"/p.yaml\"}}", SETTING_AUTH_POLICY, "/p.yaml" },
		{ "{\"auth\":{\"openapi\":{\"security\":[]}}}", SETTING_AUTH_OPENAPI,
		  "{\"security\":[]}" },
		{ "{\"auth\":{\"cache\":{\"cache_keys\":[\"a\",\"b\"]}}}", SETTING_AUTH_CACHE_KEYS,
		  "a,b" },
		{ "{\"store\":{\"index\":{\"dims\":64}}}", SETTING_STORE_INDEX_DIMS, "64" },
		{ "{\"store\":{\"ttl\":{\"default_ttl\":0.5}}}", SETTING_STORE_TTL_DEFAULT_TTL,
		  "0.5" },
		{ "{\"store\":{\"ttl\":{\"refresh_on_read\":false}}}",
		  SETTING_STORE_TTL_REFRESH_ON_READ, "false" },
		{ "{\"checkpointer\":{\"ttl\":{\"default_ttl\":43200.0}}}",
		  SETTING_THREADS_TTL_DEFAULT_TTL, "43200" },
		{ "{\"http\":{\"cors\":{\"allow_origins\":[\"https://a.example\"]}}}",
		  SETTING_CORS_ORIGINS, "https://a.example" },
		{ "{\"http\":{\"disable_store\":true}}", SETTING_HTTP_DISABLE_STORE, "true" },
		{ "{\"webhooks\":{\"url\":{\"allowed_ports\":[443,8443]}}}",
		  SETTING_WEBHOOKS_ALLOWED_PORTS, "443,8443" },
		{ "{\"webhooks\":{\"headers\":{\"X\":\"a,b\"}}}", SETTING_WEBHOOKS_HEADERS,
		  "{\"X\":\"a,b\"}" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c;
		struct err e = { 0 };

		CHECK_RC(read(&c, rows[i].text, &e), OK);
		CHECK(str_eq(config_str(&c, rows[i].id), str_of(rows[i].value)));
		CHECK(str_starts(str_of(c.at[rows[i].id].origin), S("app/langgraph.json: ")));
		config_release(&c);
	}
}

TEST(langgraph_refuses_with_the_key)
{
	static const struct { const char *text, *words; } rows[] = {
		{ "[]", "expected an object, got an array" },
		{ "{\"graph\":{}}", "unknown key \"graph\"; did you mean graphs?" },
		{ "{\"http\":{\"mount_prefx\":\"/a\"}}", "did you mean http.mount_prefix?" },
		{ "{\n// text\n\"graphs\":{}}", "app/langgraph.json:2: a comment" },
		{ "{\"env\":{\"A\":\"http://x\"} /* x */}", "json:1: a comment" },
		{ "{\"env\":{\"A\":\"http://x\"},}", "line 1" },
		{ "{\"auth\":{\"path\":\"./auth.py:auth\"}}", "json: auth.path: is not supported" },
		{ "{\"auth\":{\"disable_studio_auth\":false}}", "auth.disable_studio_auth: false" },
		{ "{\"encryption\":{\"path\":\"x\"}}", "encryption: is not supported" },
		{ "{\"checkpointer\":{\"path\":\"x\"}}", "checkpointer.path: is not supported" },
		{ "{\"checkpointer\":{\"serde\":{}}}", "checkpointer.serde: is not supported" },
		{ "{\"checkpointer\":{\"ttl\":{\"strategy\":\"drop\"}}}",
		  "json: checkpointer.ttl.strategy: " },
		{ "{\"http\":{\"app\":\"./app.py:app\"}}", "http.app: is not supported" },
		{ "{\"ui\":{}}", "ui: is not supported" },
		{ "{\"store\":{\"index\":{\"dims\":\"64\"}}}",
		  "store.index.dims: expected a number, got a string" },
		{ "{\"store\":{\"index\":{\"fields\":\"$\"}}}", "expected an array, got a string" },
		{ "{\"store\":{\"index\":{\"fields\":[{}]}}}", "expected an array of strings" },
		{ "{\"store\":{\"index\":{\"fields\":[\"a,b\"]}}}", "texts without commas" },
		{ "{\"store\":[]}", "store: expected an object, got an array" },
		{ "{\"store\":{},\"store\":{}}", "store: given twice" },
		{ "{\"graphs\":{\"a\":\"./agent.rb:graph\"}}", "or code as in ./agent.py:graph" },
		{ "{\"graphs\":{\"a\":\"./agent.py:g\",\"a\":\"./b.yaml\"}}", "graphs.a: given twice" },
		{ "{\"graphs\":{\"a\":\":graph\"}}", "expected the path of an agent file" },
		{ "{\"graphs\":{\"a\":\"./agent.py:\"}}", "expected the path of an agent file" },
		{ "{\"graphs\":{\"a\":\"a.yaml:graph\"}}", "without \":graph\"" },
		{ "{\"graphs\":{\"a/b\":\"a.yaml\"}}", "graphs.a/b: expected a name" },
		{ "{\"graphs\":{\"a\":{\"description\":\"d\"}}}", "an object with a path, got none" },
		{ "{\"graphs\":{\"a\":{\"path\":\"a.yaml\",\"descr\":\"d\"}}}", "got \"descr\"" },
		{ "{\"graphs\":{\"a\":\"a.yaml\",\"a\":\"b.yaml\"}}", "graphs.a: given twice" },
		{ "{\"env\":[\"A\"]}", "env: expected an object or a path, got an array" },
		{ "{\"env\":{\"A\":5}}", "env.A: expected a string, got a number" },
		{ "{\"env\":{\"A-B\":\"x\"}}", "env.A-B: expected a name" },
		{ "{\"env\":\"nowhere.env\"}", "app/nowhere.env" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c;
		struct err e = { 0 };

		CHECK(read(&c, rows[i].text, &e) < 0);
		if (!str_contains(str_of(e.text), str_of(rows[i].words)))
			test_fail("main_langgraph.c", __LINE__, "row %zu: %s", i, e.text);
		config_release(&c);
	}
}

TEST(langgraph_graphs_and_idle_keys)
{
	struct config c;
	struct err e = { 0 };

	CHECK_RC(read(&c, "{\"dependencies\":[\".\"],\"python_version\":\"3.12\",\"auth\":null,"
	    "\"graphs\":{\"a\":\"./a.yaml\",\"b\":{\"path\":\"/x/b.scxml\",\"description\":\"d\"}}}",
	    &e), OK);
	CHECK_INT(c.langgraph.graphs_n, 2);
	CHECK_STR(str_of(c.langgraph.graphs[0].path), "app/./a.yaml");
	CHECK_STR(str_of(c.langgraph.graphs[1].id), "b");
	CHECK_STR(str_of(c.langgraph.graphs[1].path), "/x/b.scxml");
	CHECK_STR(str_of(c.langgraph.graphs[1].description), "d");
	CHECK_STR(buf_str(&c.warnings), "app/langgraph.json: these keys have no effect here: "
	    "dependencies, python_version\n");
	config_release(&c);
}

TEST(env_file_lines)
{
	static const struct { const char *text, *first; } rows[] = {
		{ "A=b", "A=b" }, { "# c\n\n export A = b c # d\r\n", "A=b c" },
		{ "A='b $X ${Y} #'", "A=b $X ${Y} #" }, { "A=\"b\\n\\\"\" # c", "A=b\n\"" },
		{ "A=", "A=" }, { "A=b#c", "A=b#c" }, { "A=1\nA=2", "A=2" },
		{ "A", NULL }, { "A-B=1", NULL }, { "=1", NULL }, { "A='b", NULL },
		{ "A=\"b\" c", NULL }, { "A=${B}", NULL }, { "A=\"${B}\"", NULL },
		{ "A=\"\\x\"", NULL }, { "1A=2", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct env_list l = { 0 };
		struct err e = { 0 };
		int rc = env_file_read(&l, ".env", str_of(rows[i].text), &e);

		CHECK_RC(rc, rows[i].first != NULL ? OK : ERR_INVALID);
		if (rc == OK)
			CHECK(str_eq(str_of(l.at[0]), str_of(rows[i].first)));
		else
			CHECK(str_starts(str_of(e.text), S(".env:1: ")));
		CHECK(l.at == NULL || l.at[l.n] == NULL);
		env_list_release(&l);
	}
}

/* Goal: flags, the environment, the file's env, the file, cohort.yaml: in this order. */
TEST(langgraph_stands_between_environment_and_yaml)
{
	char *argv[] = { "lg.json", NULL }, *env[] = { "COHORT_SHARDS=3", NULL };
	FILE *f = fopen("lg.json", "w");
	struct config c;
	struct err e = { 0 };

	fputs("{\"env\":{\"COHORT_SHARDS\":\"2\",\"PORT\":\"7\",\"COHORT_MODEL\":\"m\"},"
	    "\"checkpointer\":{\"ttl\":{\"default_ttl\":5}}}", f);
	fclose(f);
	f = fopen("cohort.yaml", "w");
	fputs("threads.ttl.default-ttl: 6\nport: 8\nhost: '::1'\n", f);
	fclose(f);
	CHECK_RC(config_load(&c, 1, argv, env, &e), OK);
	CHECK_INT(config_int(&c, SETTING_SHARDS), 3);
	CHECK_INT(config_int(&c, SETTING_PORT), 7);
	CHECK_STR(str_of(c.at[SETTING_PORT].origin), "lg.json: env.PORT");
	CHECK_STR(config_str(&c, SETTING_MODEL), "m");
	CHECK_INT(config_int(&c, SETTING_THREADS_TTL_DEFAULT_TTL), 5);
	CHECK_STR(str_of(c.at[SETTING_THREADS_TTL_DEFAULT_TTL].origin),
	    "lg.json: checkpointer.ttl.default_ttl");
	CHECK_STR(config_str(&c, SETTING_HOST), "::1");

	err_set(&e, ERR_INVALID, "port: is wrong");
	config_add_origin(&c, &e);
	CHECK_STR(str_of(e.text), "lg.json: env.PORT: is wrong");
	err_set(&e, ERR_INVALID, "portal: is wrong");
	config_add_origin(&c, &e);
	CHECK_STR(str_of(e.text), "portal: is wrong");
	config_release(&c);
}

/* Goal: a project whose graphs are code is taken, and says what serves them. */
TEST(langgraph_graphs_of_code)
{
	struct config c = { 0 };
	struct buf b = BUF(4 * KB);
	struct err e = { 0 };

	CHECK_RC(langgraph_read(&c, "p/langgraph.json", S("{\"graphs\":{\"agent\":"
	    "\"./src/agent.ts:graph\",\"b\":{\"path\":\"./b.mjs\"},\"c\":\"pkg.mod:make\","
	    "\"d\":\"./d.yaml\"}}"), &e), OK);
	CHECK_INT(c.langgraph.code_n, 3);
	CHECK_INT(c.langgraph.graphs_n, 1);
	CHECK(langgraph_has_code(&c.langgraph, CODE_JS));
	langgraph_add_code(&b, &c.langgraph);
	CHECK_STR(buf_str(&b), "agent (./src/agent.ts:graph), b (./b.mjs): code, served by a worker, "
	    "which runs beside the server: npx cohort-worker p/langgraph.json\n"
	    "c (pkg.mod:make): code, served by a worker, which runs beside the server: python -m "
	    "cohort_worker p/langgraph.json\n");
	buf_release(&b);
	config_release(&c);
}
