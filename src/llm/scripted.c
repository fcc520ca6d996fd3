/*
 * scripted.c - the provider inside this process: a script's answers, told the
 * way a model would, in the time the script asks for.
 *
 * Without a pause each call says one token a round of the ready list, so that
 * many calls go forward together; with one, each has its own timer.  There
 * are no retries: the same question gets the same answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "llm/llm_priv.h"

/* Calls whose next token is due now.  The job may outlive its llm: it frees
 * itself when it finds that it has. */
struct scripted_ready {
	struct shard_job job;
	struct llm *llm;                     /* NULL: gone */
	struct list calls;
	bool queued;                         /* the job is posted, or runs now */
};

static void step(struct llm_call *c);

static void
ready_add(struct scripted_ready *r, struct llm_call *c)
{
	list_append(&r->calls, &c->u.scripted.ready);
	if (!r->queued)
		shard_post(r->llm->shard, &r->job);
	r->queued = true;
}

/* Every call that is ready now takes one step; those that become ready while
 * we are here wait for the next round. */
static void
on_ready(struct shard_job *job)
{
	struct scripted_ready *r = CONTAINER_OF(job, struct scripted_ready, job);

	struct list now;

	assert(r->queued);
	list_init(&now);
	list_move(&now, &r->calls);
	while (!list_empty(&now)) {
		struct llm_call *c = CONTAINER_OF(now.next, struct llm_call,
		    u.scripted.ready);

		list_remove(&c->u.scripted.ready);
		llm_call_hold(c);
		step(c);
		llm_call_unhold(c);
	}
	if (r->llm == NULL) {
		free(r);
		return;
	}
	r->queued = !list_empty(&r->calls);
	if (r->queued)
		shard_post(r->llm->shard, &r->job);
}

struct scripted_ready *
scripted_ready_new(struct llm *l)
{
	struct scripted_ready *r = mem_new(struct scripted_ready);

	r->llm = l;
	list_init(&r->calls);
	r->job.run = on_ready;
	return r;
}

void
scripted_ready_free(struct scripted_ready *r)
{
	assert(list_empty(&r->calls));
	if (!r->queued)
		free(r);
	else
		r->llm = NULL;
}

/* ---- what was asked ------------------------------------------------------- */

/* The text of a stored message. */
static void
message_text(struct buf *text, struct str json)
{
	struct str content = scan_find(json, S("content")), block = STR_NONE;
	struct scan in = scan_of(content);
	bool first = true;

	if (content.n >= 2 && content.p[0] == '"')
		json_unescape(str_sub(content, 1, content.n - 2), text);
	if (content.n == 0 || content.p[0] != '[')
		return;
	for (scan_open(&in, '['); scan_element(&in, &first) && scan_value(&in, &block); ) {
		struct str part = block;

		if (part.p[0] == '{')
			part = scan_find(block, S("text"));
		if (part.n >= 2 && part.p[0] == '"')
			json_unescape(str_sub(part, 1, part.n - 2), text);
	}
}

static struct str
role_of(struct str json)
{
	static const struct { struct str type, role; } roles[] = {
		{ { "\"ai\"", 4 }, { "assistant", 9 } },
		{ { "\"system\"", 8 }, { "system", 6 } },
		{ { "\"tool\"", 6 }, { "tool", 4 } },
		{ { "\"function\"", 10 }, { "function", 8 } },
	};
	struct str type = scan_find(json, S("type"));

	for (size_t i = 0; i < COUNT(roles); i++)
		if (str_eq(type, roles[i].type))
			return roles[i].role;
	return S("user");
}

static int64_t
words(struct str s)
{
	struct str word;
	int64_t n = 0;

	for (s = str_trim(s); script_next_token(&s, &word); )
		n++;
	return n;
}

/* The sentence is no JSON: who wants an answer of a schema gets one, about the words
 * that were asked. */
static void
fit_schema(struct scripted_call *s, struct str schema, struct str words)
{
	struct buf reply = BUF(LIMIT_LLM_BODY_BYTES);

	if (s->turn.canned && schema.n > 0 &&
	    script_fit(schema, words, &reply, NULL) == OK)
		s->turn.reply = arena_str(&s->filled, buf_str(&reply));
	buf_release(&reply);
}

static int
scripted_prepare(struct llm_call *c, const struct llm_request *rq,
    const struct llm_target *t, struct err *e)
{
	struct scripted_call *s = &c->u.scripted;
	struct buf text = BUF(LIMIT_STATE_BYTES);
	struct str role = S("user");

	(void)e;
	json_add_escaped(&c->result.model_raw, t->name);
	s->prompt_words = words(rq->system_prompt);
	for (size_t i = 0; i < rq->messages_n; i++) {
		buf_clear(&text);
		message_text(&text, rq->messages[i]);
		s->prompt_words += words(buf_str(&text));
		role = role_of(rq->messages[i]);
	}
	s->filled = ARENA(LIMIT_LLM_BODY_BYTES);
	script_answer(c->llm->script, role, buf_str(&text), &s->filled, &s->turn);
	fit_schema(s, rq->output_schema_json, buf_str(&text));
	s->rest = s->turn.reply;
	s->random = ++c->llm->asked * 2654435761u;
	buf_release(&text);
	return OK;
}

/* ---- what is said --------------------------------------------------------- */

static void
next_in(struct llm_call *c, msec pause)
{
	struct scripted_call *s = &c->u.scripted;
	int64_t span = pause * s->turn.jitter / 100;

	if (span > 0) {
		s->random = s->random * 1664525u + 1013904223u;
		pause += (int64_t)(s->random >> 8) % (2 * span + 1) - span;
	}
	if (pause > 0 && s->begun)
		shard_timer_follow(c->llm->shard, &c->timer, pause);
	else if (pause > 0)
		shard_timer_set(c->llm->shard, &c->timer, pause);
	else
		ready_add(c->llm->ready, c);
}

static void
say_status(struct llm_call *c)
{
	struct scripted_call *s = &c->u.scripted;
	struct failure f;

	failure_of_status(&f, s->turn.status, s->turn.reply);
	f.transient = false;
	llm_call_failed(c, &f);
}

static bool
say_begin(struct llm_call *c)
{
	struct llm_delta d = { .kind = LLM_DELTA_START };

	result_add_id(&c->result.id, "chatcmpl-");
	d.id = buf_str(&c->result.id);
	c->u.scripted.begun = true;
	return llm_call_delta(c, &d);
}

static void
say_token(struct llm_call *c, struct str token)
{
	struct buf *content = &c->result.content_raw;
	struct llm_delta d = { .kind = LLM_DELTA_TEXT, .id = buf_str(&c->result.id) };
	size_t from = content->n;

	json_add_escaped(content, token);
	d.text_raw = str_sub(buf_str(content), from, content->n);
	llm_call_delta(c, &d);
}

static void
say_call(struct llm_call *c, const struct script_call *call, int64_t index)
{
	const struct result_fragment whole = { .wire = index, .alone = true };
	struct result_call *r = result_call_for(&c->result, &whole);
	struct llm_delta d = { .kind = LLM_DELTA_TOOL, .index = index,
	    .id = buf_str(&c->result.id) };

	assert(r != NULL);                   /* script_new has counted them */
	result_add_id(&r->id_raw, "call_");
	json_add_escaped(&r->name_raw, call->name);
	json_add_escaped(&r->args_raw, call->args_json);
	d.id_raw = buf_str(&r->id_raw);
	d.name_raw = buf_str(&r->name_raw);
	d.args_raw = buf_str(&r->args_raw);
	llm_call_delta(c, &d);
}

static void
say_end(struct llm_call *c)
{
	struct scripted_call *s = &c->u.scripted;
	struct str id = buf_str(&c->result.id);
	struct llm_delta finish = { .kind = LLM_DELTA_FINISH, .id = id,
	    .finish_raw = s->turn.calls_n > 0 ? S("tool_calls") : S("stop"),
	    .model_raw = buf_str(&c->result.model_raw) };
	struct llm_delta usage = { .kind = LLM_DELTA_USAGE, .id = id };
	int64_t said = words(s->turn.reply);

	buf_add(&c->result.finish_raw, finish.finish_raw);
	json_add_fmt(&c->result.usage, "{'prompt_tokens':%lld,'completion_tokens':%lld,"
	    "'total_tokens':%lld,'prompt_tokens_details':{'cached_tokens':0},"
	    "'completion_tokens_details':{'reasoning_tokens':0}}",
	    (long long)s->prompt_words, (long long)said,
	    (long long)(s->prompt_words + said));
	usage.usage_raw = buf_str(&c->result.usage);
	if (llm_call_delta(c, &finish) && llm_call_delta(c, &usage))
		llm_call_answered(c);
}

/* The next token or call; false when all is said. */
static bool
say_next(struct llm_call *c)
{
	struct scripted_call *s = &c->u.scripted;
	struct str token;

	if (script_next_token(&s->rest, &token)) {
		say_token(c, token);
	} else if (s->calls_told < s->turn.calls_n) {
		s->calls_told++;
		say_call(c, &s->turn.calls[s->calls_told - 1],
		    (int64_t)s->calls_told - 1);
	} else {
		return false;
	}
	return true;
}

/* A call that is not streamed has no reader of deltas: it says all at once. */
static void
step(struct llm_call *c)
{
	const struct script_turn *turn = &c->u.scripted.turn;
	bool more;

	if (turn->status != 0) {
		say_status(c);
		return;
	}
	if (!c->u.scripted.begun && !say_begin(c))
		return;
	do
		more = say_next(c);
	while (more && !c->stream);
	if (c->state != LLM_RUNNING)
		return;
	if (more)
		next_in(c, turn->token_ms);
	else
		say_end(c);
}

static void
scripted_start(struct llm_call *c)
{
	next_in(c, c->u.scripted.turn.ttft_ms);
}

static void
scripted_stop(struct llm_call *c)
{
	list_remove(&c->u.scripted.ready);
}

static void
scripted_release(struct llm_call *c)
{
	assert(!list_joined(&c->u.scripted.ready));
	arena_release(&c->u.scripted.filled);
}

const struct provider scripted_provider = {
	.name = { "scripted", 8 },
	.prepare = scripted_prepare, .start = scripted_start,
	.stop = scripted_stop, .release = scripted_release, .wake = step,
};
