/*
 * system.c - is it up, what is it, what does it offer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "cluster/bus.h"
#include "cluster/node.h"

int
api_system_ok(struct call *c)
{
	bool check = false;
	int rc;

	param_bool(c, "check_db", &check);
	rc = c->in->rc;
	if (rc == OK && check)
		rc = store_check(c->api->shared->o.store, &c->err);
	if (rc < 0)
		return rc;
	json_add_fmt(call_out(c), "{'ok':true}");
	return call_json(c, STR_NONE);
}

int
api_system_health(struct call *c)
{
	json_add_fmt(call_out(c), "{'status':'ok'}");
	return call_json(c, STR_NONE);
}

int
api_system_info(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;
	struct buf *b = call_out(c);

	json_add_fmt(b, "{'name':'cohort','version':'" COHORT_VERSION "',"
	    "'context':'c','flags':{'assistants':%hhd,'crons':true,"
	    "'langsmith':false,'langsmith_tracing_replicas':false},"
	    "'metadata':{'store':%s,'auth':%hhd,'auth_tier':%s,'shards':%u,'model':%.*s},"
	    "'workers':{'graphs':",
	    !(o->groups_off >> GROUP_ASSISTANTS & 1), store_driver(o->store),
	    auth_enabled(o->auth), auth_tier(o->auth), o->shards, FMT(o->model));
	graphs_add(b, c->api);
	buf_add_char(b, '}');
	if (o->cluster != NULL) {
		struct cluster_stats s = { 0 };

		cluster_stats(o->cluster, &s);
		json_add_fmt(b, ",'cluster':{'node':%lld,'nodes':%zu,'nats':%hhd}",
		    (long long)s.node, s.others + 1, o->bus != NULL && bus_is_up(o->bus));
	}
	buf_lit(b, ",\"wasm\":");
	wasm_add_info(b, c->api);
	buf_add_char(b, '}');
	return call_json(c, STR_NONE);
}

int
api_system_page(struct call *c)
{
	const struct api_options *o = &c->api->shared->o;
	struct str at = o->prefix;
	struct str console = o->groups_off >> GROUP_UI & 1 ? STR_NONE : arena_fmt(&c->r->arena,
	    "<li><a href=\"%.*s/ui\">/ui</a>: the console: chat with the agents, and answer "
	    "what waits for a person</li>\n", FMT(at));
	struct str page = arena_fmt(&c->r->arena,
	    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width\">\n"
	    "<title>Cohort</title>\n"
	    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;"
	    "margin:3em auto;padding:0 1em}code{background:#8882;padding:0 .2em}"
	    "</style>\n"
	    "<h1>Cohort " COHORT_VERSION "</h1>\n"
	    "<p>An agent server: it speaks the LangGraph Agent Server API. Point "
	    "an SDK or a chat UI at this address.</p>\n<ul>\n%.*s"
	    "<li><a href=\"%.*s/info\">/info</a>: version, model, features</li>\n"
	    "<li><a href=\"%.*s/docs\">/docs</a>: every route; for programs "
	    "<a href=\"%.*s/openapi.json\">/openapi.json</a></li>\n"
	    "<li><a href=\"%.*s/ok\">/ok</a>: is it up; "
	    "<a href=\"%.*s/ok?check_db=1\">and its database</a></li>\n"
	    "<li><a href=\"%.*s/metrics\">/metrics</a>: counters for Prometheus</li>\n"
	    "</ul>\n<p>A first question:</p>\n"
	    "<pre><code>curl -s -H 'Content-Type: application/json' "
	    "$URL/runs/wait -d \\\n  '{\"assistant_id\":\"agent\",\"input\":"
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}}'"
	    "</code></pre>\n</html>\n", FMT(console), FMT(at), FMT(at), FMT(at), FMT(at),
	    FMT(at), FMT(at));

	return call_page(c, page);
}

int
api_system_openapi(struct call *c)
{
	api_add_openapi(call_out(c), &c->api->shared->o);
	return call_json(c, STR_NONE);
}
