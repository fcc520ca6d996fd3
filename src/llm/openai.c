/*
 * openai.c - OpenAI's chat completions, and servers that speak like them; Azure's
 * addresses for the same.
 *
 *   openai   {base}/chat/completions, Authorization: Bearer KEY
 *   azure    {base}/openai/deployments/{name}/chat/completions?api-version=...,
 *            or, when the base ends in /openai/v1, as openai; api-key: KEY
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "llm/wire_priv.h"

#define AZURE_VERSION "2024-10-21"           /* the last one that is not a preview */

bool
openai_counts_completion(struct str model)
{
	static const struct str families[] = { S("o1"), S("o3"), S("o4"), S("gpt-5") };

	/* "openai/gpt-5": the last part is the name. */
	for (ptrdiff_t slash; (slash = str_index(model, '/')) >= 0; )
		model = str_sub(model, (size_t)slash + 1, model.n);
	for (size_t i = 0; i < COUNT(families); i++) {
		struct str rest = str_sub(model, families[i].n, model.n);

		if (str_starts(model, families[i]) && (rest.n == 0 ||
		    str_index(S("-.:@_"), rest.p[0]) >= 0))
			return true;
	}
	return false;
}

/* ---- OpenAI ----------------------------------------------------------------- */

static void
openai_path(struct buf *url, const struct llm_target *t, bool stream)
{
	(void)t;
	(void)stream;
	buf_lit(url, "/chat/completions");
}

static void
openai_headers(struct buf *b, const struct llm_target *t)
{
	if (t->api_key.n > 0)
		buf_add_fmt(b, "Authorization: Bearer %.*s\r\n", FMT(t->api_key));
}

const struct wire openai_wire = {
	.add_path = openai_path, .add_headers = openai_headers, .build = openai_build,
	.take = openai_take, .take_whole = openai_take_whole,
};

const struct provider openai_provider = {
	.name = { "openai", 6 }, .base_url = "https://api.openai.com/v1",
	.key_env = { "OPENAI_API_KEY" }, PROVIDER_OF_WIRE(openai_wire),
};

/* ---- Azure ------------------------------------------------------------------ */

static bool
ends_with(struct str s, struct str end)
{
	return s.n >= end.n && str_eq(str_sub(s, s.n - end.n, s.n), end);
}

/* The base may be the resource's address, with or without /openai. */
static void
azure_path(struct buf *url, const struct llm_target *t, bool stream)
{
	struct str version = t->api_version;
	bool v1 = ends_with(t->base_url, S("/openai/v1"));

	(void)stream;
	if (!v1) {
		if (!ends_with(t->base_url, S("/openai")))
			buf_lit(url, "/openai");
		buf_lit(url, "/deployments/");
		wire_add_segment(url, t->name);
	}
	buf_lit(url, "/chat/completions");
	if (v1 && version.n == 0)
		return;                      /* it needs none */
	buf_lit(url, "?api-version=");
	wire_add_segment(url, version.n > 0 ? version : S(AZURE_VERSION));
}

static void
azure_headers(struct buf *b, const struct llm_target *t)
{
	if (t->api_key.n > 0)
		buf_add_fmt(b, "api-key: %.*s\r\n", FMT(t->api_key));
}

const struct wire azure_wire = {
	.add_path = azure_path, .add_headers = azure_headers, .build = openai_build,
	.take = openai_take, .take_whole = openai_take_whole,
};

const struct provider azure_provider = {
	.name = { "azure_openai", 12 }, .also = { "azure", 5 },
	.key_env = { "AZURE_OPENAI_API_KEY" }, PROVIDER_OF_WIRE(azure_wire),
};
