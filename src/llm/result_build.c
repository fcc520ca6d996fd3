/*
 * result_build.c - the stored message that a model's answer becomes.
 *
 * The message has the keys and the order that LangChain's JS client writes,
 * because user interfaces were built against that; what the model sent as a
 * JSON string stays escaped the way it came.  Names, ids and arguments of
 * tool calls are decoded once, at the end.  Content is one text, or blocks where
 * a part of it is signed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

#define ANSWER_MAX ((size_t)LIMIT_LLM_BODY_BYTES)
#define USAGE_MAX  INT64_C(9007199254740991)  /* 2^53 - 1 */

/* ---- writing -------------------------------------------------------------- */

/* The code unit of a \u escape; -1: it is another one. */
static int
unit_at(struct str json, size_t at)
{
	int unit = 0;

	if (at + 6 > json.n || json.p[at] != '\\' || json.p[at + 1] != 'u')
		return -1;
	for (size_t i = at + 2; i < at + 6; i++) {
		char c = json.p[i];

		unit = unit * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return unit;
}

/* Appends the escape at `at`; its length.  Half a pair, which other readers refuse,
 * becomes U+FFFD. */
static size_t
add_escape(struct buf *b, struct str json, size_t at)
{
	int unit = unit_at(json, at), next = unit_at(json, at + 6);
	size_t n = unit < 0 ? 2 : 6;

	if (unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000)
		n = 12;
	else if (unit >= 0xd800 && unit < 0xe000) {
		buf_lit(b, "\\ufffd");
		return n;
	}
	buf_add(b, str_sub(json, at, n));
	return n;
}

void
result_add_minified(struct buf *b, struct str json)
{
	bool inside = false;

	for (size_t i = 0; i < json.n; i++) {
		char c = json.p[i];

		if (!inside && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
			continue;
		if (inside && c == '\\') {
			i += add_escape(b, json, i) - 1;
			continue;
		}
		buf_add_char(b, c);
		if (c == '"')
			inside = !inside;
	}
}

/* A raw inside as a JSON string.  Half an escaped pair is legal on the wire
 * but not in what we store. */
static void
add_raw(struct buf *b, struct str raw)
{
	struct buf plain = BUF(ANSWER_MAX);

	if (scan_surrogates_paired(raw)) {
		json_add_fmt(b, "'%-.*s'", FMT(raw));
		return;
	}
	if (json_unescape(raw, &plain) != OK || plain.failed)
		b->failed = true;
	json_add_str(b, buf_str(&plain));
	buf_release(&plain);
}

/* One call as it will be stored. */
struct final_call {
	int64_t index;
	struct str id, name, args;           /* plain; args as the model wrote them */
	struct str extra;                    /* JSON, or empty */
	struct str args_json;                /* one line; empty when invalid */
	const char *problem;                 /* NULL when valid */
};

static struct str
decoded(struct arena *a, const struct buf *raw)
{
	struct buf plain = BUF(ANSWER_MAX);
	struct str s;

	if (json_unescape(buf_str(raw), &plain) != OK)
		a->failed = true;
	s = arena_str(a, buf_str(&plain));
	buf_release(&plain);
	return s;
}

static struct str
minified(struct arena *a, struct str json)
{
	struct buf b = BUF(ANSWER_MAX);
	struct str s;

	result_add_minified(&b, json);
	s = arena_str(a, buf_str(&b));
	buf_release(&b);
	return s;
}

static struct final_call
final_call(struct arena *a, const struct result_call *c)
{
	struct final_call f = {
		.index = c->index,
		.id = decoded(a, &c->id_raw),
		.name = decoded(a, &c->name_raw),
		.args = decoded(a, &c->args_raw),
		.extra = buf_str(&c->extra),
	};
	struct str text = str_trim(f.args);
	struct err e;

	if (f.id.n == 0) {
		struct uuid u = uuid_v4();
		char hex[UUID_TEXT];

		uuid_format(&u, hex);
		f.id = arena_fmt(a, "call_%.*s", (int)sizeof hex, hex);
	}
	/* No arguments at all is how some models call a tool without any. */
	if (text.n == 0 || str_eq(text, S("null")))
		text = S("{}");
	if (f.name.n == 0)
		f.problem = "The call has no name.";
	else if (json_check(text, &e) != OK)
		f.problem = arena_fmt(a, "Malformed args: %s", e.text).p;
	else if (text.p[0] != '{')
		f.problem = "Malformed args: not an object.";
	else
		f.args_json = minified(a, text);
	return f;
}

/* ---- content ---------------------------------------------------------------- */

/* Must the message keep its blocks?  Else its content is one text. */
static bool
has_blocks(const struct llm_result *r)
{
	bool kept = false;

	for (size_t i = 0; i < r->blocks_n; i++)
		kept |= r->blocks[i].seal_raw.n > 0 || r->blocks[i].notes.n > 0;
	return kept;
}

/* Of the text, or the thoughts, that of block i. */
static struct str
block_raw(const struct llm_result *r, size_t i)
{
	const struct result_block *b = &r->blocks[i];
	const struct buf *all = b->kind == BLOCK_TEXT ? &r->content_raw : &r->reasoning_raw;
	size_t end = all->n;

	for (size_t k = r->blocks_n; k-- > i + 1; )
		if (r->blocks[k].kind == b->kind)
			end = r->blocks[k].from;
	return str_sub(buf_str(all), b->from, end - b->from);
}

/* In LangChain's forms of Anthropic's and Gemini's blocks. */
static void
add_block(struct buf *b, const struct llm_result *r, size_t i)
{
	const struct result_block *block = &r->blocks[i];
	struct str seal = buf_str(&block->seal_raw);

	if (block->kind == BLOCK_REDACTED) {
		json_add_fmt(b, ",{'type':'redacted_thinking','data':");
		add_raw(b, seal);
		buf_add_char(b, '}');
		return;
	}
	json_add_fmt(b, block->kind == BLOCK_TEXT ? ",{'type':'text','text':" :
	    ",{'type':'thinking','thinking':");
	add_raw(b, block_raw(r, i));
	if (block->kind == BLOCK_THOUGHT || seal.n > 0) {
		json_add_fmt(b, block->kind == BLOCK_THOUGHT ? ",'signature':" :
		    ",'extras':{'signature':");
		add_raw(b, seal);
		if (block->kind == BLOCK_TEXT)
			buf_add_char(b, '}');
	}
	if (block->notes.n > 0)
		json_add_fmt(b, ",'citations':[%-.*s]", FMT(buf_str(&block->notes)));
	buf_add_char(b, '}');
}

static void
add_content(struct buf *b, const struct llm_result *r)
{
	if (!has_blocks(r)) {
		add_raw(b, buf_str(&r->content_raw));
		return;
	}
	buf_add_char(b, '[');
	for (size_t i = 0; i < r->blocks_n; i++)
		if (r->blocks[i].kind != BLOCK_TEXT || block_raw(r, i).n > 0 ||
		    r->blocks[i].seal_raw.n > 0)
			add_block(b, r, i);
	buf_add_char(b, ']');
}

/* Thoughts that stand in the content are not said again. */
static bool
says_thoughts(const struct llm_result *r)
{
	bool kept = false;

	for (size_t i = 0; i < r->blocks_n; i++)
		kept |= r->blocks[i].kind == BLOCK_THOUGHT;
	return kept && has_blocks(r);
}

static void
add_kwargs(struct buf *b, const struct llm_result *r, const struct final_call *calls,
    size_t calls_n)
{
	buf_lit(b, "{");
	if (calls_n > 0) {
		json_add_fmt(b, "'tool_calls':[");
		for (size_t i = 0; i < calls_n; i++) {
			json_add_fmt(b, ",{'index':%lld,'id':%.*s,'type':'function',"
			    "'function':{'name':%.*s,'arguments':%.*s}",
			    (long long)calls[i].index, FMT(calls[i].id),
			    FMT(calls[i].name), FMT(calls[i].args));
			if (calls[i].extra.n > 0)
				json_add_fmt(b, ",'extra_content':%-.*s",
				    FMT(calls[i].extra));
			buf_lit(b, "}");
		}
		buf_lit(b, "]");
	}
	if (r->reasoning_raw.n > 0 && !says_thoughts(r)) {
		json_add_key(b, "reasoning_content");
		add_raw(b, buf_str(&r->reasoning_raw));
		if (r->named_reasoning)
			json_add_fmt(b, ",'__openai_reasoning__':'reasoning'");
	}
	if (r->details.n > 0)
		json_add_fmt(b, ",'reasoning_details':[%-.*s]",
		    FMT(buf_str(&r->details)));
	if (r->extra.n > 0)
		json_add_fmt(b, ",'extra_content':%-.*s", FMT(buf_str(&r->extra)));
	if (r->refusal_raw.n > 0) {
		json_add_key(b, "refusal");
		add_raw(b, buf_str(&r->refusal_raw));
	}
	buf_lit(b, "}");
}

enum calls_form { CALLS_AS_CHUNKS, CALLS_VALID, CALLS_INVALID };

static void
add_calls(struct buf *b, const struct final_call *calls, size_t n, enum calls_form form)
{
	buf_add_char(b, '[');
	for (const struct final_call *c = calls; c < calls + n; c++) {
		bool valid = c->problem == NULL;

		if (form == CALLS_AS_CHUNKS)
			json_add_fmt(b, ",{'name':%.*s,'args':%.*s,'id':%.*s,"
			    "'index':%lld,'type':'tool_call_chunk'}", FMT(c->name),
			    FMT(c->args), FMT(c->id), (long long)c->index);
		else if (form == CALLS_VALID && valid)
			json_add_fmt(b, ",{'name':%.*s,'args':%-.*s,'id':%.*s,"
			    "'type':'tool_call'}", FMT(c->name), FMT(c->args_json),
			    FMT(c->id));
		else if (form == CALLS_INVALID && !valid)
			json_add_fmt(b, ",{'name':%.*s,'args':%.*s,'id':%.*s,'error':%s,"
			    "'type':'invalid_tool_call'}", FMT(c->name), FMT(c->args),
			    FMT(c->id), c->problem);
	}
	buf_add_char(b, ']');
}

/* ---- usage ---------------------------------------------------------------- */

/* The members that count, found in one pass over an object. */
enum usage_key {
	U_TOTAL, U_PROMPT, U_INPUT, U_COMPLETION, U_OUTPUT, U_CACHE_HIT, U_IN_DETAILS,
	U_OUT_DETAILS, U_INPUT_DETAILS, U_OUTPUT_DETAILS, U_AUDIO, U_WRITTEN, U_CACHED,
	U_REASONING, U_KEYS
};

struct usage { struct str raw[U_KEYS]; };    /* empty: absent */

static void
usage_scan(struct str object, struct usage *u)
{
	static const char *const keys[U_KEYS] = {
		"total_tokens", "prompt_tokens", "input_tokens", "completion_tokens",
		"output_tokens", "prompt_cache_hit_tokens", "prompt_tokens_details",
		"completion_tokens_details", "input_tokens_details",
		"output_tokens_details", "audio_tokens", "cache_creation_tokens",
		"cached_tokens", "reasoning_tokens",
	};
	struct scan s = scan_of(object);
	struct str name, raw = STR_NONE;
	bool first = true;

	*u = (struct usage){ 0 };
	for (scan_open(&s, '{'); scan_member(&s, &first, &name); ) {
		size_t i = 0;

		if (!scan_value(&s, &raw))
			break;
		while (i < U_KEYS && !str_eq(name, str_of(keys[i])))
			i++;
		if (i < U_KEYS)
			u->raw[i] = raw;
	}
	if (!scan_end(&s))
		*u = (struct usage){ 0 };
}

/* No count is larger than a double tells exactly, so sums do not overflow;
 * -1: not told, or no count. */
static int64_t
usage_number(const struct usage *u, enum usage_key key)
{
	struct str raw = u->raw[key];
	double v;

	if (raw.n == 0 || !str_to_double(raw, &v) || !(v >= 0))
		return -1;
	return v > USAGE_MAX ? USAGE_MAX : (int64_t)v;
}

/* {"audio":..,"cache_read":..}: only what the model told. */
static void
add_details(struct buf *b, const struct usage *details, enum usage_key key,
    const char *as)
{
	int64_t audio = usage_number(details, U_AUDIO);
	int64_t written = usage_number(details, U_WRITTEN);
	int64_t other = usage_number(details, key);

	buf_lit(b, "{");
	if (audio >= 0)
		json_add_fmt(b, ",'audio':%lld", (long long)audio);
	if (written >= 0)
		json_add_fmt(b, ",'cache_creation':%lld", (long long)written);
	if (other >= 0) {
		json_add_key(b, as);
		buf_add_i64(b, other);
	}
	buf_lit(b, "}");
}

/* Of two names that servers use the first that is there. */
static int64_t
usage_either(const struct usage *u, enum usage_key one, enum usage_key other)
{
	int64_t n = usage_number(u, one);

	if (n < 0)
		n = usage_number(u, other);
	return n < 0 ? 0 : n;
}

static int64_t
told(int64_t n)
{
	return n < 0 ? 0 : n;
}

/* OpenAI's names; the other wires write them beside their own.  in, out: the details
 * under the first names, as they are shown; empty if they are not told. */
static void
read_usage(const struct usage *usage, const struct usage *in, const struct usage *out,
    struct llm_usage *u)
{
	struct usage other_in, other_out;

	if (usage->raw[U_IN_DETAILS].n == 0) {
		usage_scan(usage->raw[U_INPUT_DETAILS], &other_in);
		in = &other_in;
	}
	if (usage->raw[U_OUT_DETAILS].n == 0) {
		usage_scan(usage->raw[U_OUTPUT_DETAILS], &other_out);
		out = &other_out;
	}
	u->input_tokens = usage_either(usage, U_PROMPT, U_INPUT);
	u->output_tokens = usage_either(usage, U_COMPLETION, U_OUTPUT);
	u->cached_tokens = told(usage_number(in, U_CACHED));
	if (u->cached_tokens == 0)
		u->cached_tokens = told(usage_number(usage, U_CACHE_HIT));
	u->reasoning_tokens = told(usage_number(out, U_REASONING));
}

/* What LangChain calls them; what OpenAI did not tell is left out. */
static void
add_usage(struct buf *b, struct str text, struct llm_answer *a)
{
	struct llm_usage *u = &a->usage;
	struct usage usage, in, out;
	int64_t total;

	usage_scan(text, &usage);
	usage_scan(usage.raw[U_IN_DETAILS], &in);
	usage_scan(usage.raw[U_OUT_DETAILS], &out);
	read_usage(&usage, &in, &out, u);
	total = usage_number(&usage, U_TOTAL);
	json_add_fmt(b, ",'usage_metadata':{'input_tokens':%lld,'output_tokens':%lld,"
	    "'total_tokens':%lld,'input_token_details':", (long long)u->input_tokens,
	    (long long)u->output_tokens,
	    (long long)(total < 0 ? u->input_tokens + u->output_tokens : total));
	if (u->cached_tokens > 0 && usage.raw[U_IN_DETAILS].n == 0)
		json_add_fmt(b, "{'cache_read':%lld}", (long long)u->cached_tokens);
	else
		add_details(b, &in, U_CACHED, "cache_read");
	json_add_fmt(b, ",'output_token_details':");
	if (u->reasoning_tokens > 0 && usage.raw[U_OUT_DETAILS].n == 0)
		json_add_fmt(b, "{'reasoning':%lld}", (long long)u->reasoning_tokens);
	else
		add_details(b, &out, U_REASONING, "reasoning");
	buf_lit(b, "}");
}

/* ---- the whole ------------------------------------------------------------ */

static void
add_message(struct result_built *out, const struct llm_result *r,
    struct str provider, const struct final_call *calls, size_t calls_n)
{
	struct buf *b = &out->json;
	struct str usage = buf_str(&r->usage);

	json_add_fmt(b, "{'content':");
	add_content(b, r);
	json_add_fmt(b, ",'additional_kwargs':");
	add_kwargs(b, r, calls, calls_n);
	json_add_fmt(b, ",'response_metadata':{'model_provider':%.*s,'usage':",
	    FMT(provider));
	buf_add(b, usage.n > 0 ? usage : S("{}"));
	if (r->finish_raw.n > 0) {
		json_add_fmt(b, ",'finish_reason':");
		add_raw(b, buf_str(&r->finish_raw));
	}
	if (r->model_raw.n > 0) {
		json_add_fmt(b, ",'model_name':");
		add_raw(b, buf_str(&r->model_raw));
	}
	json_add_fmt(b, "},'tool_call_chunks':");
	add_calls(b, calls, calls_n, CALLS_AS_CHUNKS);
	json_add_fmt(b, ",'tool_calls':");
	add_calls(b, calls, calls_n, CALLS_VALID);
	json_add_fmt(b, ",'id':%.*s", FMT(buf_str(&r->id)));
	if (usage.n > 0)
		add_usage(b, usage, &out->answer);
	json_add_fmt(b, ",'invalid_tool_calls':");
	add_calls(b, calls, calls_n, CALLS_INVALID);
	json_add_fmt(b, ",'type':'ai'}");
}

/* The valid calls, then the others. */
static void
list_calls(struct result_built *out, const struct final_call *finals, size_t n)
{
	struct llm_tool_call *calls = arena_zero(&out->arena, (n + 1) * sizeof *calls);
	size_t at = 0;

	for (int valid = 1; calls != NULL && finals != NULL && valid >= 0; valid--) {
		for (size_t i = 0; i < n; i++)
			if ((finals[i].problem == NULL) == (valid == 1))
				calls[at++] = (struct llm_tool_call){ finals[i].id,
				    finals[i].name, finals[i].args_json };
		if (valid == 1)
			out->answer.calls_n = at;
	}
	out->answer.calls = calls;
	out->answer.invalid_n = at - out->answer.calls_n;
}

int
result_build(const struct llm_result *r, struct str provider,
    struct result_built *out, struct err *e)
{
	struct final_call *finals;
	size_t n = 0;

	assert(r->calls_n <= LIMIT_TOOL_CALLS);
	*out = (struct result_built){
		.json = BUF(8 * ANSWER_MAX),
		.arena = ARENA(8 * ANSWER_MAX),
	};
	finals = arena_zero(&out->arena, (r->calls_n + 1) * sizeof *finals);
	for (size_t i = 0; i < r->calls_n && finals != NULL; i++)
		if (!r->calls[i].output)
			finals[n++] = final_call(&out->arena, &r->calls[i]);
	if (!out->arena.failed)
		add_message(out, r, provider, finals, n);
	list_calls(out, finals, n);
	if (out->arena.failed || out->json.failed || result_check(r) != OK)
		return err_set(e, ERR_TOOBIG, "the model's answer is too large");
	out->answer.id = buf_str(&r->id);
	out->answer.message_json = buf_str(&out->json);
	return OK;
}

void
result_built_release(struct result_built *b)
{
	buf_release(&b->json);
	arena_release(&b->arena);
}
