/*
 * tracing.c - see tracing.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/tracing.h"

#include "base/limits.h"
#include "main/wire_cluster.h"

#define TRACES_PATH "/v1/traces"

int
config_check_otel_endpoint(struct str text, const char *origin, struct err *e)
{
	struct err why;

	if (text.n == 0 || tracing_check_url(text, &why) == OK)
		return OK;
	return err_set(e, ERR_INVALID, "%s: %s", origin, why.text);
}

int
config_check_otel_headers(struct str text, const char *origin, struct err *e)
{
	struct err why;

	if (tracing_check_headers(text, &why) == OK)
		return OK;
	return err_set(e, ERR_INVALID, "%s: %s", origin, why.text);
}

int
config_check_otel_sample(struct str text, const char *origin, struct err *e)
{
	double ratio;

	if (str_to_double(text, &ratio) && ratio >= 0 && ratio <= 1)
		return OK;
	return err_set(e, ERR_INVALID, "%s: expected a number from 0 to 1, got \"%.*s\"", origin,
	    FMT(str_cut(text, 40)));
}

/* The variable for traces alone is the whole address, as OTLP has it; the others are where
 * the collector is. */
static void
add_url(struct buf *b, const struct config *c)
{
	const struct config_value *v = &c->at[SETTING_OTEL_ENDPOINT];
	struct str url = str_of(v->text);

	while (str_ends(url, S("/")))
		url.n--;
	buf_add(b, url);
	if (!str_ends(url, S(TRACES_PATH)) &&
	    !str_contains(str_of(v->origin), S("OTLP_TRACES_ENDPOINT")))
		buf_lit(b, TRACES_PATH);
}

int
tracing_open(struct tracing **out, const struct config *c, struct err *e)
{
	char name[LIMIT_CLUSTER_NAME_BYTES + 1];
	struct buf url = BUF(2 * (size_t)LIMIT_HTTP_URL_BYTES);
	struct tracing_options o = { .headers = config_str(c, SETTING_OTEL_HEADERS),
	    .service = config_str(c, SETTING_OTEL_SERVICE_NAME),
	    .content = config_bool(c, SETTING_OTEL_CONTENT) };
	int rc = OK;

	*out = NULL;
	if (config_str(c, SETTING_OTEL_ENDPOINT).n == 0)
		return OK;
	add_url(&url, c);
	cluster_name_of(c, name);
	o.url = buf_str(&url);
	o.instance = str_of(name);
	str_to_double(config_str(c, SETTING_OTEL_SAMPLE), &o.sample);
	rc = tracing_new(out, &o, e);
	buf_release(&url);
	return rc;
}
