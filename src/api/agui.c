/*
 * agui.c - POST /agui/{assistant_id}: a run for a client of AG-UI.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/agui.h"

#include "base/mem.h"

/* A run that is told. */
struct agui {
	struct str thread, run;              /* the client's names, owned */
	struct agui_tell tell;
};

static struct str
keep(struct str s)
{
	return (struct str){ mem_cstr(s), s.n };
}

static struct agui *
agui_new(const struct agui_in *x, const struct agent *a)
{
	struct agui *g = mem_new(struct agui);

	g->thread = keep(x->thread);
	g->run = keep(x->run);
	agui_tell_init(&g->tell, a, x->subagents);
	return g;
}

static void
agui_free(void *ctx)
{
	struct agui *g = ctx;

	agui_tell_release(&g->tell);
	free((char *)(uintptr_t)g->thread.p);
	free((char *)(uintptr_t)g->run.p);
	free(g);
}

/* ---- events ------------------------------------------------------------------------- */

static void
flush(struct door *d, struct agui *g)
{
	struct buf out = g->tell.out;

	if (out.n == 0 && !out.failed)
		return;
	g->tell.out = BUF(out.max);
	door_send_buf(d, &out);
}

static void
add_names(struct buf *b, const struct agui *g)
{
	json_add_fmt(b, ",'threadId':%.*s,'runId':%.*s", FMT(g->thread), FMT(g->run));
}

static void
run_started(struct door *d, void *ctx)
{
	struct agui *g = ctx;
	struct call *c = door_call(d);
	struct buf *b = &g->tell.out;

	door_stream(d, call_location(c, door_thread(d), door_run(d), NULL));
	agui_event(b, "RUN_STARTED");
	add_names(b, g);
	json_add_fmt(b, ",'protocolVersion':'1.0','metadata':{'cohort':{");
	show_id(b, "thread_id", door_thread(d));
	show_id(b, "run_id", door_run(d));
	buf_lit(b, "}}");
	agui_event_end(b);
	flush(d, g);
}

static void
run_frames(struct door *d, void *ctx, struct str frames)
{
	struct agui *g = ctx;

	agui_tell_take(&g->tell, frames);
	flush(d, g);
}

/* ---- the end --------------------------------------------------------------------------- */

static void
add_error(struct buf *b, struct str name, struct str message)
{
	agui_event(b, "RUN_ERROR");
	json_add_fmt(b, ",'message':%.*s,'code':%.*s", FMT(message), FMT(name));
	agui_event_end(b);
}

static void
add_usage(struct buf *b, const struct llm_usage *u)
{
	if (u->input_tokens + u->output_tokens > 0)
		json_add_fmt(b, ",'usage':[{'inputTokens':%lld,'outputTokens':%lld,"
		    "'totalTokens':%lld,'cachedInputTokens':%lld,'reasoningTokens':%lld}]",
		    (long long)u->input_tokens, (long long)u->output_tokens,
		    (long long)(u->input_tokens + u->output_tokens),
		    (long long)u->cached_tokens, (long long)u->reasoning_tokens);
}

static void
add_outcome(struct buf *b, const struct agui *g, const struct run_end *end)
{
	struct json_doc values = { 0 };

	buf_lit(b, ",\"outcome\":{\"type\":");
	if (end->status == RUN_INTERRUPTED && end->interrupts_json.n > 0) {
		(void)json_parse(&values, end->values_json, NULL);
		buf_lit(b, "\"interrupt\",\"interrupts\":[");
		agui_add_interrupts(b, end->interrupts_json, values.root);
		buf_lit(b, "]}");
	} else if (end->status == RUN_INTERRUPTED && g->tell.breakpoint) {
		buf_lit(b, "\"interrupt\",\"interrupts\":[");
		agui_add_breakpoint(b);
		buf_lit(b, "]}");
	} else {
		buf_add(b, end->status == RUN_INTERRUPTED ? S("\"cancelled\"}") :
		    S("\"success\"}"));
	}
	json_release(&values);
}

static void
add_finished(struct buf *b, const struct agui *g, const struct run_end *end)
{
	agui_event(b, "RUN_FINISHED");
	add_names(b, g);
	add_outcome(b, g, end);
	add_usage(b, &end->usage);
	agui_event_end(b);
}

static void
run_ended(struct door *d, void *ctx, int rc, const struct run_end *end, const struct err *e)
{
	struct arena arena = ARENA(LIMIT_STATE_BYTES);
	struct call *c = door_call(d);
	struct agui *g = ctx;
	struct buf *b = &g->tell.out;
	struct door_failure f;

	if (rc < 0 && c != NULL) {
		call_fail(c, rc, e);
		return;
	}
	if (rc < 0) {
		add_error(b, str_of(rc_name(rc)), str_of(e->text));
	} else if (end->error_json.n > 0) {
		agui_tell_end(&g->tell, end->values_json);
		f = door_failure(&arena, end->error_json);
		add_error(b, f.name, f.message);
	} else {
		agui_tell_end(&g->tell, end->values_json);
		add_finished(b, g, end);
	}
	flush(d, g);
	door_end_stream(d);
	arena_release(&arena);
}

int
api_agui(struct call *c)
{
	static const struct door_events events = { .started = run_started,
	    .frames = run_frames, .end = run_ended, .release = agui_free };
	struct door_ask ask = { .modes = AGUI_MODES, .wants_values = true };
	struct agui_in x;
	struct agui *g;
	int rc = agui_read(c, &x, &ask);

	if (rc == OK) {
		g = agui_new(&x, door_agent(c, &ask));
		rc = door_start(c, &ask, &events, g);
		if (rc != OK)
			agui_free(g);
	}
	agui_in_release(&x);
	return rc == ERR_AGAIN ? OK : rc;
}
