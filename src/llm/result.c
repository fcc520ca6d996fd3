/*
 * result.c - a model's answer as it grows: its texts, its calls and which piece
 * belongs to which, what is kept apart.  What it becomes: result_build.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

#define ANSWER_MAX ((size_t)LIMIT_LLM_BODY_BYTES)

void
result_init(struct llm_result *r)
{
	*r = (struct llm_result){
		.id = BUF(LIMIT_NAME_BYTES),
		.content_raw = BUF(ANSWER_MAX),
		.reasoning_raw = BUF(ANSWER_MAX),
		.refusal_raw = BUF(ANSWER_MAX),
		.finish_raw = BUF(LIMIT_NAME_BYTES),
		.model_raw = BUF(LIMIT_NAME_BYTES),
		.usage = BUF(LIMIT_LLM_LINE_BYTES),
		.extra = BUF(LIMIT_LLM_LINE_BYTES),
		.details = BUF(LIMIT_LLM_LINE_BYTES),
	};
}

static void
check_result(const struct llm_result *r)
{
	assert(r->calls_n <= r->calls_cap && r->calls_n <= LIMIT_TOOL_CALLS);
	assert(r->content_raw.max == ANSWER_MAX);     /* after result_init */
}

void
result_release(struct llm_result *r)
{
	for (size_t i = 0; i < r->calls_n; i++) {
		buf_release(&r->calls[i].id_raw);
		buf_release(&r->calls[i].wire_id_raw);
		buf_release(&r->calls[i].name_raw);
		buf_release(&r->calls[i].args_raw);
		buf_release(&r->calls[i].extra);
	}
	free(r->calls);
	for (size_t i = 0; i < r->blocks_n; i++) {
		buf_release(&r->blocks[i].seal_raw);
		buf_release(&r->blocks[i].notes);
	}
	free(r->blocks);
	buf_release(&r->id);
	buf_release(&r->content_raw);
	buf_release(&r->reasoning_raw);
	buf_release(&r->refusal_raw);
	buf_release(&r->finish_raw);
	buf_release(&r->model_raw);
	buf_release(&r->usage);
	buf_release(&r->extra);
	buf_release(&r->details);
	result_init(r);
}

size_t
result_held(const struct llm_result *r)
{
	size_t n = r->content_raw.n + r->reasoning_raw.n + r->refusal_raw.n +
	    r->details.n + r->extra.n;

	for (size_t i = 0; i < r->calls_n; i++)
		n += r->calls[i].args_raw.n + r->calls[i].extra.n;
	for (size_t i = 0; i < r->blocks_n; i++)
		n += sizeof r->blocks[i] + r->blocks[i].seal_raw.n + r->blocks[i].notes.n;
	return n;
}

/* ---- what is kept apart ----------------------------------------------------- */

struct result_block *
result_block_add(struct llm_result *r, int kind)
{
	struct result_block *b;

	check_result(r);
	if (r->blocks_n == LIMIT_LLM_BLOCKS)
		return NULL;
	mem_grow(r->blocks, r->blocks_n, r->blocks_cap);
	b = &r->blocks[r->blocks_n++];
	*b = (struct result_block){
		.kind = kind,
		.from = kind == BLOCK_TEXT ? r->content_raw.n : r->reasoning_raw.n,
		.seal_raw = BUF(LIMIT_LLM_LINE_BYTES),
		.notes = BUF(LIMIT_LLM_LINE_BYTES),
	};
	return b;
}

struct result_block *
result_block_at(struct llm_result *r, int kind)
{
	if (r->blocks_n > 0 && (int)r->blocks[r->blocks_n - 1].kind == kind)
		return &r->blocks[r->blocks_n - 1];
	return result_block_add(r, kind);
}

/* ---- which call a fragment belongs to ------------------------------------- */

static struct result_call *
call_new(struct llm_result *r, const struct result_fragment *f)
{
	struct result_call *c;
	int64_t index = f->wire < 0 ? 0 : f->wire;

	if (r->calls_n == LIMIT_TOOL_CALLS)
		return NULL;
	for (size_t i = 0; i < r->calls_n; i++)
		if (r->calls[i].index >= index)
			index = r->calls[i].index + 1;
	mem_grow(r->calls, r->calls_n, r->calls_cap);
	c = &r->calls[r->calls_n++];
	*c = (struct result_call){
		.index = index,
		.wire = f->wire,
		.id_raw = BUF(LIMIT_LLM_ID_BYTES),
		.wire_id_raw = BUF(LIMIT_LLM_ID_BYTES),
		.name_raw = BUF(LIMIT_NAME_BYTES),
		.args_raw = BUF(ANSWER_MAX),
		.extra = BUF(LIMIT_LLM_LINE_BYTES),
	};
	return c;
}

/* The id the model knows it by. */
static struct str
wire_id(const struct result_call *c)
{
	return buf_str(c->wire_id_raw.n > 0 ? &c->wire_id_raw : &c->id_raw);
}

/* The call that the fragment could continue. */
static struct result_call *
call_near(struct llm_result *r, const struct result_fragment *f)
{
	struct result_call *last = r->calls_n > 0 ? &r->calls[r->calls_n - 1] : NULL;

	for (size_t i = r->calls_n; f->id_raw.n > 0 && i-- > 0; )
		if ((f->wire < 0 || r->calls[i].wire == f->wire) &&
		    str_eq(wire_id(&r->calls[i]), f->id_raw))
			return &r->calls[i];
	for (size_t i = r->calls_n; f->wire >= 0 && i-- > 0; )
		if (r->calls[i].wire == f->wire)
			return &r->calls[i];
	/* Without an index, or with one for the first time. */
	return f->wire < 0 || (f->id_raw.n == 0 && f->name_raw.n == 0) ? last : NULL;
}

static bool
starts_another(const struct result_call *c, const struct result_fragment *f)
{
	bool other_name = !str_eq(buf_str(&c->name_raw), f->name_raw);
	bool other_id = f->id_raw.n > 0 && !str_eq(wire_id(c), f->id_raw);

	if (f->name_raw.n == 0 || c->name_raw.n == 0)
		return false;
	return c->edge.whole || c->chunk == f->chunk ||
	    (other_name && (other_id || f->wire < 0));
}

struct result_call *
result_call_for(struct llm_result *r, const struct result_fragment *f)
{
	struct result_call *c;

	check_result(r);
	c = f->alone ? NULL : call_near(r, f);

	if (c == NULL || starts_another(c, f))
		c = call_new(r, f);
	if (c != NULL)
		c->chunk = f->chunk;
	return c;
}

void
result_add_id(struct buf *b, const char *prefix)
{
	struct uuid u = uuid_v4();

	buf_add(b, str_of(prefix));
	uuid_add(b, &u);
}

/* Readers join what is told again, so an id is told once: the model's, or one
 * of ours when the call is named and has none, or has another call's. */
static void
id_add(struct llm_result *r, struct result_call *c, struct str *id_raw)
{
	bool taken = false;

	for (size_t i = 0; i < r->calls_n; i++)
		taken |= &r->calls[i] != c && id_raw->n > 0 &&
		    str_eq(buf_str(&r->calls[i].id_raw), *id_raw);
	if (c->id_raw.n > 0 || taken) {
		if (c->wire_id_raw.n == 0)
			buf_add(&c->wire_id_raw, *id_raw);
		*id_raw = STR_NONE;
	}
	if (c->id_raw.n > 0 || (id_raw->n == 0 && c->name_raw.n == 0))
		return;
	buf_add(&c->id_raw, *id_raw);
	if (id_raw->n > 0)
		return;
	result_add_id(&c->id_raw, "call_");
	*id_raw = buf_str(&c->id_raw);
}

/* A name counts once too; a second one before any arguments is its rest. */
static void
name_add(struct result_call *c, struct str *name_raw)
{
	if (c->name_raw.n > 0 && (c->args_raw.n > 0 ||
	    str_eq(buf_str(&c->name_raw), *name_raw)))
		*name_raw = STR_NONE;
	buf_add(&c->name_raw, *name_raw);
}

void
result_call_add(struct llm_result *r, struct result_call *c, struct str *id_raw,
    struct str *name_raw, struct str args_raw)
{
	check_result(r);
	assert(c >= r->calls && c < r->calls + r->calls_n);
	name_add(c, name_raw);
	id_add(r, c, id_raw);
	buf_add(&c->args_raw, args_raw);
	scan_edge(&c->edge, args_raw);
}

void
result_need_id(struct llm_result *r)
{
	if (r->id.n > 0)
		return;
	r->id.failed = false;
	result_add_id(&r->id, "run-");
}

int
result_check(const struct llm_result *r)
{
	bool failed = r->content_raw.failed || r->reasoning_raw.failed ||
	    r->refusal_raw.failed || r->usage.failed || r->extra.failed ||
	    r->details.failed;

	for (size_t i = 0; i < r->calls_n; i++) {
		const struct result_call *c = &r->calls[i];

		failed |= c->id_raw.failed || c->name_raw.failed ||
		    c->args_raw.failed || c->extra.failed;
	}
	for (size_t i = 0; i < r->blocks_n; i++)
		failed |= r->blocks[i].seal_raw.failed || r->blocks[i].notes.failed;
	return failed ? ERR_TOOBIG : OK;
}
