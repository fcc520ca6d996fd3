/*
 * gemini.c - Google's Gemini: POST {base}/models/NAME:generateContent, or
 * :streamGenerateContent.
 *
 * Its own wire and not its OpenAI-compatible one, though both give thought
 * signatures back: here a signature stays on the part that it came with, also on a
 * text, and there are the reasons why something was blocked, the summaries of
 * thoughts, and their tokens.  The signature of a call is stored as that other
 * endpoint tells it (extra_content.google.thought_signature), so a conversation can
 * go from one to the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "llm/gemini_priv.h"

/* The base is an address with a version, or one that gets the usual one. */
static bool
has_version(struct str base)
{
	struct str rest = base, part = STR_NONE;
	bool found = false;

	while (rest.n > 0 && str_next(&rest, '/', &part))
		found |= part.n > 1 && part.p[0] == 'v' && part.p[1] >= '1' &&
		    part.p[1] <= '9';
	return found;
}

static void
gemini_path(struct buf *url, const struct llm_target *t, bool stream)
{
	static const struct str prefix = S("models/");
	struct str name = t->name;

	if (!has_version(t->base_url))
		buf_lit(url, "/v1beta");
	if (str_starts(name, prefix))
		name = str_sub(name, prefix.n, name.n);
	buf_lit(url, "/models/");
	wire_add_segment(url, name);
	buf_add(url, stream ? S(":streamGenerateContent?alt=sse") : S(":generateContent"));
}

static void
gemini_headers(struct buf *b, const struct llm_target *t)
{
	if (t->api_key.n > 0)
		buf_add_fmt(b, "x-goog-api-key: %.*s\r\n", FMT(t->api_key));
}

const struct wire gemini_wire = {
	.add_path = gemini_path, .add_headers = gemini_headers, .build = gemini_build,
	.take = gemini_take, .take_whole = gemini_take_whole, .settle = gemini_settle,
	.schema_excludes_tools = true,       /* of models before Gemini 3 */
};

const struct provider gemini_provider = {
	.name = { "google_genai", 12 }, .also = { "gemini", 6 },
	.base_url = "https://generativelanguage.googleapis.com",
	.key_env = { "GOOGLE_API_KEY", "GEMINI_API_KEY" }, PROVIDER_OF_WIRE(gemini_wire),
};
