/*
 * anthropic.c - Anthropic's Messages API: POST {base}/v1/messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "llm/anthropic_priv.h"

#define VERSION "2023-06-01"

static void
anthropic_path(struct buf *url, const struct llm_target *t, bool stream)
{
	struct str base = t->base_url, v1 = S("/v1");

	(void)stream;
	if (base.n < v1.n || !str_eq(str_sub(base, base.n - v1.n, base.n), v1))
		buf_add(url, v1);
	buf_lit(url, "/messages");
}

static void
anthropic_headers(struct buf *b, const struct llm_target *t)
{
	struct str version = t->api_version;

	if (t->api_key.n > 0)
		buf_add_fmt(b, "x-api-key: %.*s\r\n", FMT(t->api_key));
	buf_add_fmt(b, "anthropic-version: %.*s\r\n",
	    FMT(version.n > 0 ? version : S(VERSION)));
}

const struct wire anthropic_wire = {
	.add_path = anthropic_path, .add_headers = anthropic_headers,
	.build = anthropic_build, .take = anthropic_take,
	.take_whole = anthropic_take_whole,
};

const struct provider anthropic_provider = {
	.name = { "anthropic", 9 }, .base_url = "https://api.anthropic.com",
	.key_env = { "ANTHROPIC_API_KEY" }, PROVIDER_OF_WIRE(anthropic_wire),
};
