/*
 * mock_answer.c - one answer on its schedule.
 *
 *            ttft                 every token_ms
 *   waiting ------> open, first --------------> next ... --------> close
 *
 * Each answer has one timer on the shard's wheel; when it fires the answer
 * joins the queue of those that are due.  An idle handle processes a slice of
 * the queue every turn, so that requests are read and other answers are written
 * in between.  A visit sends, in one write, all tokens that are due.  When the
 * queue is long, the next visit of each answer is delayed by about the waiting
 * time (but never past the answer's end), so a mock that is late sends fewer,
 * larger writes; it reports the lag.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/mock_priv.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

#define SLICE     128                        /* visits a turn */
#define ARGS_PART 6                          /* bytes of arguments a token */

bool
answer_has_text(const struct answer *a)
{
	return a->tokens > 0 || a->turn.calls_n == 0;
}

static int64_t
words_of(struct str text)
{
	struct str word;
	int64_t n = 0;

	while (script_next_token(&text, &word))
		n++;
	return n;
}

/* Counts the tokens of the answer. */
static void
answer_plan(struct answer *a)
{
	a->rest = a->turn.reply;
	a->tokens = words_of(a->turn.reply);
	a->sent = 0;
	a->total = a->tokens;
	for (size_t i = 0; i < a->turn.calls_n; i++)
		a->total += 1 + (int64_t)((a->turn.calls[i].args_json.n + ARGS_PART - 1) /
		    ARGS_PART);
	a->call_i = a->args_at = 0;
	a->call_open = a->midway_done = a->begun = a->cut = false;
}

static void
spare_add(struct answer *a)
{
	a->next = a->ms->spares;
	a->ms->spares = a;
}

static void
answer_release(struct answer *a)
{
	struct mock_shard *ms = a->ms;

	shard_timer_cancel(ms->shard, &a->timer);
	if (a->prev != NULL)
		a->prev->next = a->next;
	else
		ms->live = a->next;
	if (a->next != NULL)
		a->next->prev = a->prev;
	if (a->stream)
		atomic_fetch_sub(&ms->open_streams, 1);
	a->r = NULL;
	if (!a->queued)
		spare_add(a);                /* else when it is dequeued */
}

/* Ends the response at any state. */
static void
answer_end(struct answer *a, bool orderly)
{
	struct http_req *r = a->r;

	if (!a->begun)
		http_stream_begin(r, 200, S("text/event-stream"), STR_NONE);
	answer_release(a);
	if (orderly)
		http_stream_end(r);
	else
		http_stream_abort(r);
}

static void
answer_gone(struct http_req *r)
{
	struct answer *a = r->user;

	answer_end(a, false);
}

static void
answer_fail(struct answer *a, int status, const char *type, bool retry_after)
{
	struct http_req *r = a->r;
	struct buf *out = &a->ms->frames;
	char message[64];

	snprintf(message, sizeof message, "mock %d", status);
	buf_clear(out);
	a->wire->error(type, message, out);
	answer_release(a);
	http_reply(r, status, S("application/json"),
	    retry_after ? S("Retry-After: 1\r\n") : STR_NONE, buf_str(out));
}

/* The next token of any kind; false after the last. */
static bool
answer_next(struct answer *a, struct buf *out)
{
	const struct script_call *call;
	struct str part;

	if (script_next_token(&a->rest, &part)) {
		a->sent++;
		a->wire->text(a, part, out);
		return true;
	}
	if (a->call_i == a->turn.calls_n)
		return false;
	call = &a->turn.calls[a->call_i];
	a->sent++;
	if (!a->call_open) {
		a->wire->call(a, a->call_i, out);
		a->call_open = true;
		a->args_at = 0;
	} else {
		part = str_sub(call->args_json, a->args_at, ARGS_PART);
		a->args_at += part.n;
		a->wire->args(a, a->call_i, part, out);
	}
	if (a->args_at == call->args_json.n) {
		a->call_i++;
		a->call_open = false;
	}
	return true;
}

/* Sleeps until the next token is due, or longer when the shard is behind. */
static void
answer_wait(struct answer *a, nsec now)
{
	nsec end = a->due + (a->total - a->sent) * a->token_ms * NS_PER_MS;
	nsec at = now + (a->begun ? a->ms->put_off : 0), left;

	at = at < a->due ? a->due : at;
	left = (at < end ? at : end) - now;
	shard_timer_set(a->ms->shard, &a->timer,
	    left > 0 ? (left + NS_PER_MS - 1) / NS_PER_MS : 0);
}

/* Closes the connection in 1 ms, after the written bytes are sent. */
static void
answer_cut(struct answer *a)
{
	nsec now = shard_now(a->ms->shard);

	a->cut = true;
	a->due = now + NS_PER_MS;
	answer_wait(a, now);
}

/* Applies the fault at half of the answer; false: it has ended. */
static bool
answer_midway(struct answer *a, struct buf *out)
{
	if (a->midway_done || a->fault->midway == MIDWAY_NOTHING || a->sent < a->total / 2)
		return true;
	a->midway_done = true;
	if (a->fault->midway == MIDWAY_BREAK) {
		a->wire->broken_frame(out);
		return true;
	}
	if (a->fault->midway == MIDWAY_ERROR)
		a->wire->error_frame(out);
	http_stream_write(a->r, buf_str(out));
	if (a->fault->midway == MIDWAY_RESET)
		answer_cut(a);
	if (a->fault->midway == MIDWAY_ERROR)
		answer_end(a, true);
	return false;                        /* a stall lasts until the client leaves */
}

static nsec
jitter(struct mock_shard *ms)
{
	uint64_t range = (uint64_t)ms->mock->o.jitter_ms * NS_PER_MS;

	return range == 0 ? 0 : (nsec)(mock_random(ms) % range);
}

/* Sends what is due by now. */
static void
answer_visit(struct answer *a, nsec now)
{
	struct mock_shard *ms = a->ms;
	struct buf *out = &ms->frames;
	bool more = true;

	buf_clear(out);
	if (!a->begun) {
		http_stream_begin(a->r, 200, S("text/event-stream"),
		    S("Cache-Control: no-cache\r\n"));
		a->begun = true;
		a->wire->open(a, out);
	}
	while (more && a->due <= now) {
		if (!answer_midway(a, out))
			return;
		more = answer_next(a, out);
		if (more) {
			a->due += a->token_ms * NS_PER_MS + jitter(ms);
			atomic_fetch_add_explicit(&ms->tokens, 1, memory_order_relaxed);
		}
	}
	if (!more)
		a->wire->close(a, out);
	assert(!out->failed);
	http_stream_write(a->r, buf_str(out));
	if (more)
		answer_wait(a, now);
	else
		answer_end(a, true);
}

static void
answer_whole(struct answer *a)
{
	struct http_req *r = a->r;
	struct buf *out = &a->ms->frames;

	buf_clear(out);
	a->wire->whole(a, out);
	assert(!out->failed);
	atomic_fetch_add_explicit(&a->ms->tokens, (unsigned long long)a->sent,
	    memory_order_relaxed);
	if (a->fault->midway == MIDWAY_NOTHING) {
		answer_release(a);
		http_reply(r, 200, S("application/json"), STR_NONE, buf_str(out));
		return;
	}
	/* Half of it, then the fault. */
	http_stream_begin(r, 200, S("application/json"), STR_NONE);
	a->begun = true;
	http_stream_write(r, str_sub(buf_str(out), 0, out->n / 2));
	if (a->fault->midway == MIDWAY_RESET)
		answer_cut(a);
	else if (a->fault->midway != MIDWAY_STALL)
		answer_end(a, true);
}

static void answer_pump(uv_idle_t *idle);

static void
answer_due(struct wheel_timer *t)
{
	struct answer *a = CONTAINER_OF(t, struct answer, timer);
	struct mock_shard *ms = a->ms;

	if (a->fault->drop) {
		answer_end(a, false);
		return;
	}
	if (a->fault->status != 0) {
		answer_fail(a, a->fault->status, a->fault->type, a->fault->retry_after);
		return;
	}
	if (a->turn.status != 0) {
		answer_fail(a, a->turn.status, "server_error", a->turn.status == 429);
		return;
	}
	a->queued = true;
	a->queued_at = shard_now(ms->shard);
	a->ready_next = NULL;
	if (ms->ready == NULL)
		uv_idle_start(&ms->pump, answer_pump);
	*ms->ready_end = a;
	ms->ready_end = &a->ready_next;
}

static void
answer_pump(uv_idle_t *idle)
{
	struct mock_shard *ms = CONTAINER_OF(idle, struct mock_shard, pump);
	nsec now = shard_now(ms->shard), waited = 0;
	uint64_t late[SLICE];
	size_t n = 0;

	while (ms->ready != NULL && n < SLICE) {
		struct answer *a = ms->ready;

		ms->ready = a->ready_next;
		if (ms->ready == NULL)
			ms->ready_end = &ms->ready;
		a->queued = false;
		if (a->r == NULL) {
			spare_add(a);        /* its client has left */
			continue;
		}
		waited = now - a->queued_at;
		late[n++] = a->due < now ? (uint64_t)(now - a->due) / 1000 : 0;
		if (a->cut)
			answer_end(a, false);
		else if (a->stream)
			answer_visit(a, now);
		else
			answer_whole(a);
	}
	ms->put_off += (2 * waited - ms->put_off) / 8;
	pthread_mutex_lock(&ms->lock);
	for (size_t i = 0; i < n; i++)
		hist_add(&ms->lag_us, late[i]);
	pthread_mutex_unlock(&ms->lock);
	if (ms->ready == NULL)
		uv_idle_stop(&ms->pump);
}

static struct answer *
answer_new(struct mock_shard *ms)
{
	struct answer *a = ms->spares;

	if (a != NULL) {
		ms->spares = a->next;
	} else {
		a = mem_new(struct answer);
		a->ms = ms;
		a->timer.fire = answer_due;
		a->prefix = BUF(64 * KB);
		a->model = BUF(4 * KB);
		a->tool = BUF(4 * KB);
		a->filled = ARENA(LIMIT_LLM_BODY_BYTES);
	}
	a->queued = false;
	a->prev = NULL;
	a->next = ms->live;
	if (ms->live != NULL)
		ms->live->prev = a;
	ms->live = a;
	return a;
}

static void
copy_text(struct buf *b, struct str s)
{
	buf_clear(b);
	buf_add(b, str_sub(s, 0, 1024));
}

/* A call whose arguments are cut off, of a tool the request offered. */
static void
answer_spoil(struct answer *a)
{
	a->bad_call = (struct script_call){ buf_str(&a->tool), S("{\"city\":\"Par") };
	a->turn = (struct script_turn){ .calls = &a->bad_call, .calls_n = 1,
	    .ttft_ms = a->turn.ttft_ms, .token_ms = a->turn.token_ms };
}

static msec
first_wait(const struct answer *a)
{
	const struct mock_llm_options *o = &a->ms->mock->o;

	if (a->fault->slow)
		return o->slow_ms;
	if (a->turn.ttft_ms >= 0)
		return a->turn.ttft_ms;
	return a->stream && o->ttft_ms >= 0 ? o->ttft_ms : o->delay_ms;
}

void
answer_start(struct mock_shard *ms, struct http_req *r, const struct ask *ask)
{
	struct answer *a = answer_new(ms);
	nsec now = shard_now(ms->shard);

	a->r = r;
	a->wire = ask->wire;
	a->stream = ask->stream;
	a->usage = ask->usage;
	a->thinks = ask->thinks;
	a->prompt_tokens = ask->prompt_tokens;
	a->id = ++ms->ids * (uint64_t)ms->mock->shards_n + shard_id(ms->shard);
	copy_text(&a->model, ask->model);
	copy_text(&a->tool, ask->tool);
	a->fault = mock_fault_pick(ms, ask->role, ask->last);
	a->thinks |= a->fault->thinks;
	arena_clear(&a->filled);
	script_answer(ms->mock->script, ask->role, ask->last, &a->filled, &a->turn);
	if (a->fault->bad_args)
		answer_spoil(a);
	answer_plan(a);
	a->token_ms = a->turn.token_ms >= 0 ? a->turn.token_ms : ms->mock->o.token_ms;
	a->due = now + first_wait(a) * NS_PER_MS;
	buf_clear(&a->prefix);
	if (a->stream)
		atomic_fetch_add(&ms->open_streams, 1);
	r->user = a;
	http_on_gone(r, answer_gone);
	if (a->due > now)
		answer_wait(a, now);
	else
		answer_due(&a->timer);       /* a timer would take up to 1 ms */
}

void
answer_abort_all(struct mock_shard *ms)
{
	while (ms->live != NULL)
		answer_end(ms->live, false);
	while (ms->ready != NULL)
		answer_pump(&ms->pump);
}

void
answer_spares_free(struct mock_shard *ms)
{
	while (ms->spares != NULL) {
		struct answer *a = ms->spares;

		ms->spares = a->next;
		buf_release(&a->prefix);
		buf_release(&a->model);
		buf_release(&a->tool);
		arena_release(&a->filled);
		free(a);
	}
}
