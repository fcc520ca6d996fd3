/*
 * openai_response.c - see openai_response.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/openai_response.h"

static void
add_prefixed(struct buf *b, const char *key, const char *prefix, const struct uuid *id)
{
	json_add_key(b, key);
	buf_add_fmt(b, "\"%s", prefix);
	uuid_add(b, id);
	buf_add_char(b, '"');
}

void
response_add_item(struct buf *b, const struct response_item *i)
{
	bool prefixed = str_starts(i->id, S("msg_"));

	json_add_fmt(b, "{'id':\"%-s%-.*s\",'type':'message','status':%s,'role':'assistant',"
	    "'content':[", prefixed ? "" : "msg_", FMT(i->id),
	    i->done ? "completed" : "in_progress");
	if (i->done)
		json_add_fmt(b, "{'type':'output_text','text':\"%-.*s\",'annotations':[],"
		    "'logprobs':[]}", FMT(i->raw));
	buf_lit(b, "]}");
}

static void
add_usage(struct buf *b, const struct llm_usage *u)
{
	if (u == NULL) {
		json_add_fmt(b, ",'usage':null");
		return;
	}
	json_add_fmt(b, ",'usage':{'input_tokens':%lld,'input_tokens_details':{"
	    "'cached_tokens':%lld},'output_tokens':%lld,'output_tokens_details':{"
	    "'reasoning_tokens':%lld},'total_tokens':%lld}", (long long)u->input_tokens,
	    (long long)u->cached_tokens, (long long)u->output_tokens,
	    (long long)u->reasoning_tokens,
	    (long long)(u->input_tokens + u->output_tokens));
}

static void
add_outcome(struct buf *b, const struct response *r)
{
	if (r->failure != NULL)
		json_add_fmt(b, ",'error':{'code':'server_error','message':\"");
	else
		json_add_fmt(b, ",'error':null");
	if (r->failure != NULL) {
		json_add_escaped(b, r->failure->name);
		buf_lit(b, ": ");
		json_add_escaped(b, r->failure->message);
		buf_lit(b, "\"}");
	}
	if (r->incomplete.n > 0)
		json_add_fmt(b, ",'incomplete_details':{'reason':%.*s}",
		    FMT(r->incomplete));
	else
		json_add_fmt(b, ",'incomplete_details':null");
}

/* Members that are the same in all: what a run has no setting for. */
#define CONSTANT ",'max_output_tokens':null,'max_tool_calls':null,"                \
	"'parallel_tool_calls':true,'prompt_cache_key':null,'reasoning':{"         \
	"'effort':null,'summary':null},'safety_identifier':null,"                  \
	"'service_tier':'default','temperature':null,'text':{'format':{"           \
	"'type':'text'},'verbosity':'medium'},'tool_choice':'auto','tools':[],"    \
	"'top_logprobs':0,'top_p':null,'truncation':'disabled','user':null"

void
response_add(struct buf *b, const struct response *r)
{
	buf_add_char(b, '{');
	add_prefixed(b, "id", "resp_", &r->run_id);
	json_add_fmt(b, ",'object':'response','created_at':%lld,'status':%s,"
	    "'background':%hhd", (long long)(r->created / 1000), r->status, r->background);
	add_outcome(b, r);
	show_text(b, "instructions", r->instructions);
	json_add_fmt(b, ",'model':%.*s,'output':[", FMT(r->model));
	for (size_t i = 0; i < r->items_n; i++) {
		json_add_comma(b);
		response_add_item(b, &r->items[i]);
	}
	buf_add_char(b, ']');
	show_text(b, "previous_response_id", r->previous);
	json_add_key(b, "conversation");
	if (r->conversation) {
		buf_add_char(b, '{');
		add_prefixed(b, "id", "conv_", &r->thread_id);
		buf_add_char(b, '}');
	} else {
		buf_lit(b, "null");
	}
	json_add_fmt(b, ",'store':%hhd,'metadata':%-.*s" CONSTANT, r->store,
	    FMT(r->metadata_json.n > 0 ? r->metadata_json : S("{}")));
	add_usage(b, r->usage);
	buf_add_char(b, '}');
}

/* ---- in the run's metadata ----------------------------------------------------------- */

void
response_add_metadata(struct buf *b, const struct response *r)
{
	struct str own = r->metadata_json;

	if (own.n > 2) {
		buf_add(b, str_sub(own, 0, own.n - 1));
		buf_add_char(b, ',');
	} else {
		buf_add_char(b, '{');
	}
	json_add_fmt(b, "'" RESPONSE_KEY "':{'model':%.*s,'instructions':%.*s,"
	    "'previous_response_id':%.*s,'metadata':%-.*s,'background':%hhd,"
	    "'conversation':%hhd}}", FMT(r->model), FMT(r->instructions),
	    FMT(r->previous), FMT(own.n > 0 ? own : S("{}")), r->background,
	    r->conversation);
}

/* A run that was started elsewhere is a response too; its model is its graph. */
void
response_read(struct response *r, const struct store_run *run, struct arena *a)
{
	struct json_doc d = { 0 };
	struct buf b = BUF(LIMIT_METADATA_BYTES);
	jnode n;

	*r = (struct response){ .run_id = run->id, .thread_id = run->thread_id,
	    .created = run->created, .model = run->graph_id, .store = true };
	(void)json_parse(&d, run->metadata_json, NULL);
	n = json_get(d.root, S(RESPONSE_KEY));
	if (json_is_object(n)) {
		r->model = arena_str(a, json_str(json_get(n, S("model"))));
		r->instructions = arena_str(a, json_str(json_get(n, S("instructions"))));
		r->previous = arena_str(a, json_str(json_get(n, S("previous_response_id"))));
		json_add_node(&b, json_get(n, S("metadata")));
		r->metadata_json = arena_str(a, buf_str(&b));
		r->background = json_bool(json_get(n, S("background")));
		r->conversation = json_bool(json_get(n, S("conversation")));
	}
	buf_release(&b);
	json_release(&d);
}

/* ---- words -------------------------------------------------------------------------------- */

const char *
response_status(const struct store_run *run)
{
	static const char *const words[] = {
		[RUN_PENDING] = "queued", [RUN_RUNNING] = "in_progress",
		[RUN_SUCCESS] = "completed", [RUN_ERROR] = "failed",
		[RUN_TIMEOUT] = "failed", [RUN_INTERRUPTED] = "incomplete",
	};

	return run->cancel_reason.p != NULL ? "cancelled" : words[run->status];
}

struct str
response_incomplete(struct str finish_reason)
{
	const char *word = openai_finish(finish_reason);

	if (strcmp(word, "length") == 0)
		return S("max_output_tokens");
	return strcmp(word, "content_filter") == 0 ? S("content_filter") : STR_NONE;
}

bool
response_id_parse(struct str s, const char *prefix, struct uuid *id)
{
	struct str p = str_of(prefix);

	return uuid_parse(str_starts(s, p) ? str_sub(s, p.n, s.n) : s, id);
}
