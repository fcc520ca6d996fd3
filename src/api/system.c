/*
 * system.c - is it up, what is it, what does it offer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "api/params.h"

void
system_ok(struct call *c, jnode body)
{
	bool check;
	int rc;

	(void)body;
	rc = param_bool(c->r, "check_db", false, &check, &c->err);
	if (rc < 0) {
		call_fail(c, rc, &c->err);
	} else if (check &&
	    (rc = store_check(c->api->shared->o.store, &c->err)) < 0) {
		call_fail(c, rc, &c->err);
	} else {
		buf_lit(call_out(c), "{\"ok\":true}");
		call_json(c, STR_NONE);
	}
}

void
system_health(struct call *c, jnode body)
{
	(void)body;
	buf_lit(call_out(c), "{\"status\":\"ok\"}");
	call_json(c, STR_NONE);
}

void
system_info(struct call *c, jnode body)
{
	const struct api_options *o = &c->api->shared->o;
	struct buf *b = call_out(c);

	(void)body;
	buf_lit(b, "{\"name\":\"cohort\",\"version\":\"" COHORT_VERSION "\","
	    "\"context\":\"c\",\"flags\":{\"assistants\":true,\"crons\":false,"
	    "\"langsmith\":false,\"langsmith_tracing_replicas\":false},"
	    "\"metadata\":{");
	buf_add_fmt(b, "\"store\":\"%s\",\"auth\":%s,\"shards\":%u,\"model\":",
	    store_driver(o->store), auth_enabled(o->auth) ? "true" : "false",
	    o->shards);
	json_add_str(b, o->model);
	buf_lit(b, "}}");
	call_json(c, STR_NONE);
}

void
system_openapi(struct call *c, jnode body)
{
	(void)body;
	api_add_openapi(call_out(c));
	call_json(c, STR_NONE);
}
