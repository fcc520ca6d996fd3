/*
 * mock_embed.c - the mock's POST /v1/embeddings: vectors made of the texts alone, so that
 * texts that share words, or parts of words, are near.
 *
 * Each word, and each run of three of its letters, adds to a few numbers of the vector
 * that are drawn by its hash.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "bench/mock_priv.h"

#define FEATURES 4                           /* numbers that one piece adds to */
#define WHOLE    3.0f                        /* what a word weighs, against a run of 3 */

static void
piece_add(float *v, size_t dims, struct str piece, float weight)
{
	uint64_t h = str_hash(piece) * UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 0; i < FEATURES; i++) {
		h ^= h >> 29;
		h *= UINT64_C(0xbf58476d1ce4e5b9);
		v[(h >> 8) % dims] += (h & 1) != 0 ? weight : -weight;
	}
}

static void
word_add(float *v, size_t dims, struct str word)
{
	char low[64];
	struct str w = { low, word.n < sizeof low ? word.n : sizeof low };

	for (size_t i = 0; i < w.n; i++)
		low[i] = (char)(word.p[i] + (word.p[i] >= 'A' && word.p[i] <= 'Z' ? 32 : 0));
	piece_add(v, dims, w, WHOLE);
	for (size_t i = 0; i + 3 <= w.n; i++)
		piece_add(v, dims, str_sub(w, i, 3), 1);
}

static bool
is_blank(char c)
{
	return c <= ' ' || strchr(".,;:!?\"'(){}[]", c) != NULL;
}

static void
vector_make(float *v, size_t dims, struct str text)
{
	double sum = 0;

	memset(v, 0, dims * sizeof *v);
	for (size_t i = 0, from = 0; i <= text.n; i++) {
		if (i < text.n && !is_blank(text.p[i]))
			continue;
		if (i > from)
			word_add(v, dims, str_sub(text, from, i - from));
		from = i + 1;
	}
	for (size_t i = 0; i < dims; i++)
		sum += (double)v[i] * (double)v[i];
	for (size_t i = 0; i < dims && sum > 0; i++)
		v[i] = (float)(v[i] / sqrt(sum));
}

static void
vector_add(struct buf *out, float *v, size_t dims, size_t index, struct str text)
{
	vector_make(v, dims, text);
	json_add_fmt(out, ",{'object':'embedding','index':%zu,'embedding':[", index);
	for (size_t i = 0; i < dims; i++) {
		json_add_comma(out);
		buf_add_fmt(out, "%.7g", (double)v[i]);
	}
	buf_lit(out, "]}");
}

static void
embed_whole(struct answer *a, struct buf *out)
{
	struct json_doc d;
	int64_t dims = a->ms->mock->o.dims;
	jnode input, asked;
	struct json_iter it;
	float *v;

	(void)json_parse(&d, a->r->body, NULL);      /* it was read once already */
	input = json_get(d.root, S("input"));
	asked = json_get(d.root, S("dimensions"));
	if (json_is_int(asked) && json_int(asked) > 0 && json_int(asked) <= LIMIT_VECTOR_DIMS)
		dims = json_int(asked);
	v = mem_alloc((size_t)dims * sizeof *v);
	json_add_fmt(out, "{'object':'list','data':[");
	if (json_is_string(input))
		vector_add(out, v, (size_t)dims, 0, json_str(input));
	it = json_each(input);
	for (size_t i = 0; json_next(&it); i++)
		vector_add(out, v, (size_t)dims, i, json_is_string(it.value) ?
		    json_str(it.value) : STR_NONE);
	json_add_fmt(out, "],'model':%.*s,'usage':{'prompt_tokens':%lld,"
	    "'total_tokens':%lld}}", FMT(buf_str(&a->model)), (long long)a->prompt_tokens,
	    (long long)a->prompt_tokens);
	free(v);
	json_release(&d);
}

static void
embed_error(const char *type, const char *message, struct buf *out)
{
	mock_openai.error(type, message, out);
}

const struct mock_wire mock_embeddings = { .whole = embed_whole, .error = embed_error };
