/*
 * job.c - a run while it lives: joins the core's decisions (live.c) with the
 * model, the tools, the store and the readers.
 *
 * With durability sync the stream is closed from a checkpoint until it is
 * committed, and the next node starts after that.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "run/run_priv.h"

#define STREAM_ID_GAP 1000000

/* ---- telling ------------------------------------------------------------- */

/* Is this event to be encoded now?  It counts even if nobody reads it. */
static bool
wanted(struct run *run, unsigned mode)
{
	if ((run->stream.modes & mode) == 0)
		return false;
	atomic_fetch_add_explicit(&run->rs->stats.events, 1, memory_order_relaxed);
	if (stream_wants(&run->stream, mode))
		return true;
	stream_skip(&run->stream);
	return false;
}

static void
tell(struct run *run, unsigned mode, struct sse_block *b)
{
	stream_send(&run->stream, mode, b);
	record_stream_later(run);
}

static void
tell_begin(struct run *run)
{
	struct buf b = BUF(256);
	struct str data;

	if (!wanted(run, MODE_META))
		return;
	buf_lit(&b, "{\"run_id\":\"");
	uuid_add(&b, &run->place.run_id);
	buf_add_fmt(&b, "\",\"attempt\":%lld}", (long long)run->attempt);
	data = buf_str(&b);
	tell(run, MODE_META, frame_make(S("metadata"), &data, 1, stream_id(&run->stream)));
	buf_release(&b);
}

static void
tell_error(struct run *run, struct str error_json)
{
	if (wanted(run, MODE_META))
		tell(run, MODE_META, frame_make(S("error"), &error_json, 1,
		    stream_id(&run->stream)));
}

void
job_tell_lost(struct run *run, struct str error_json)
{
	stream_discard(&run->stream);
	tell_error(run, error_json);
}

void
job_add_metadata(const struct job *j, struct buf *b)
{
	struct str provider, model;

	if (j->kind == NODE_LLM) {
		llm_model_split(j->run->rs->llm, j->plan->model, &provider, &model);
		frame_add_model_metadata(b, &j->place, provider, model, true);
	} else {
		frame_add_node_metadata(b, &j->place);
	}
}

/* Messages that were not streamed: each whole, once. */
static void
tell_tuples(struct job *j, const struct message_list *writes)
{
	struct run *run = j->run;
	struct buf metadata = BUF(RUN_METADATA_BYTES);

	for (size_t i = 0; i < writes->n; i++) {
		struct str parts[] = { S("["), writes->at[i]->json, S(","), STR_NONE, S("]") };

		if (!wanted(run, MODE_MESSAGES_TUPLE))
			continue;
		if (metadata.n == 0)
			job_add_metadata(j, &metadata);
		parts[3] = buf_str(&metadata);
		tell(run, MODE_MESSAGES_TUPLE, frame_make(S("messages"), parts,
		    COUNT(parts), stream_id(&run->stream)));
	}
	buf_release(&metadata);
}

static void
tell_update(struct job *j, struct str node, const struct message_list *writes)
{
	struct run *run = j->run;
	struct buf open = BUF(LIMIT_METADATA_BYTES);

	if (!wanted(run, MODE_UPDATES))
		return;
	buf_add_fmt(&open, "{\"%.*s\":{\"messages\":[", FMT(node));
	tell(run, MODE_UPDATES, frame_messages(S("updates"), buf_str(&open), writes, 0,
	    writes->n, S("]}}"), stream_id(&run->stream)));
	buf_release(&open);
}

static void
tell_values(struct job *j)
{
	struct run *run = j->run;

	if (wanted(run, MODE_VALUES))
		tell(run, MODE_VALUES, frame_messages(S("values"), S("{\"messages\":["),
		    &j->core.list, 0, j->core.list.n, S("]}"), stream_id(&run->stream)));
}

static void
tell_complete(struct job *j, const struct message_list *l, size_t from)
{
	struct run *run = j->run;

	if (from < l->n && wanted(run, MODE_MESSAGES))
		tell(run, MODE_MESSAGES, frame_messages(S("messages/complete"), S("["), l,
		    from, l->n, S("]"), stream_id(&run->stream)));
}

/* ---- the core's effects -------------------------------------------------- */

static void
on_checkpoint(void *ctx, const struct live_checkpoint *c)
{
	struct job *j = ctx;
	struct buf chart = BUF(LIMIT_STATE_BYTES);
	msec now = shard_wall(j->run->rs->shard);

	if (j->run->stateless)
		return;
	if (c->with_chart)
		live_save(&j->core, &chart);
	if (j->plan->durability == DURABILITY_EXIT)
		steps_merge(&j->steps, c, &j->core.list, buf_str(&chart), now);
	else
		steps_add(&j->steps, c, &j->core.list, buf_str(&chart), now);
	buf_release(&chart);
	if (j->plan->durability == DURABILITY_SYNC)
		stream_close(&j->run->stream);
}

static void
on_wrote(void *ctx, struct str node, const struct message_list *writes, size_t keep)
{
	struct job *j = ctx;

	if (node.n == 0) {
		tell_values(j);
		tell_complete(j, &j->core.list, keep);
		return;
	}
	if (!j->streamed)
		tell_tuples(j, writes);
	tell_update(j, node, writes);
	if (writes->n > 0)
		tell_values(j);
	tell_complete(j, writes, 0);
}

static void
add_error(struct buf *b, const char *first, struct str one, const char *second,
    struct str two)
{
	buf_add_char(b, '{');
	json_add_key(b, first);
	json_add_str(b, one);
	json_add_key(b, second);
	json_add_str(b, two);
	buf_add_char(b, '}');
}

/* The log line of a failed run. */
static void
log_failed(const struct job *j, const struct live_error *error)
{
	const struct run *run = j->run;
	char id[UUID_TEXT], thread[UUID_TEXT], assistant[UUID_TEXT];
	struct str provider = STR_NONE, model = STR_NONE;

	uuid_format(&run->place.run_id, id);
	uuid_format(&run->place.thread_id, thread);
	uuid_format(&j->assistant_id, assistant);
	if (j->plan != NULL)
		llm_model_split(run->rs->llm, j->plan->model, &provider, &model);
	log_info("run", "failed", "run=%.*s thread=%.*s assistant=%.*s "
	    "model=%.*s:%.*s error=%.*s message=%.*s ms=%.1f", UUID_TEXT, id,
	    UUID_TEXT, thread, UUID_TEXT, assistant, FMT(provider), FMT(model),
	    FMT(error->name), FMT(error->message),
	    (double)(shard_now(run->rs->shard) - j->started) / NS_PER_MS);
}

/* A node that failed shows why on its task, in the checkpoint that names it. */
static void
end_with(struct job *j, const struct live_error *error)
{
	struct buf text = BUF(LIMIT_METADATA_BYTES), task = BUF(LIMIT_METADATA_BYTES);

	add_error(&text, "error", error->name, "message", error->message);
	if (error->of_node)
		add_error(&task, "message", error->message, "name", error->name);
	log_failed(j, error);
	tell_error(j->run, buf_str(&text));
	record_finish(j->run, RUN_ERROR, buf_str(&text), buf_str(&task));
	buf_release(&text);
	buf_release(&task);
}

static const struct live_error storage_error = {
	S("StorageError"), S("a checkpoint could not be written"), false
};

static void
on_end(void *ctx, const struct live_error *error)
{
	struct job *j = ctx;

	if (error != NULL)
		end_with(j, error);
	else if (j->broken)
		end_with(j, &storage_error);
	else
		record_finish(j->run, RUN_SUCCESS, STR_NONE, STR_NONE);
}

static const struct live_error empty_input_error = {
	S("EmptyInputError"), S("Received no input writes for \"__start__\""), false
};

static void
fail(struct job *j, const struct live_error *error)
{
	live_stop(&j->core);
	end_with(j, error);
}

static void
begin_node(struct run *run)
{
	static void (*const start[])(struct job *) = {
		[NODE_LLM] = model_start, [NODE_TOOLS] = calls_start,
	};
	struct job *j = run->job;

	if (j->broken) {
		stream_discard(&run->stream);
		fail(j, &storage_error);
		return;
	}
	stream_open(&run->stream);
	j->streamed = false;
	start[j->kind](j);
}

static void
on_invoke(void *ctx, enum node_kind kind)
{
	struct job *j = ctx;
	struct run *run = j->run;

	j->kind = kind;
	buf_clear(&j->task_ns);
	buf_add_fmt(&j->task_ns, "%.*s:", FMT(live_node(&j->core)));
	uuid_add(&j->task_ns, &j->core.task_id);
	j->place = (struct frame_place){ .run_members = buf_str(&j->members),
	    .node = live_node(&j->core), .step = j->core.step + 1,
	    .task_ns = buf_str(&j->task_ns) };
	if (run->stateless || j->steps.n == 0 ||
	    j->plan->durability == DURABILITY_EXIT) {
		begin_node(run);
	} else if (j->plan->durability == DURABILITY_SYNC) {
		record_steps(run, begin_node);
	} else {
		record_steps(run, NULL);
		begin_node(run);
	}
}

static const struct live_effects effects = {
	on_checkpoint, on_wrote, on_invoke, on_end
};

/* ---- nodes come back ----------------------------------------------------- */

void
job_node_done(struct job *j, struct message_list *writes, struct val data)
{
	if (j->broken) {
		val_drop(data);
		fail(j, &storage_error);
	} else {
		j->resumed = false;
		live_done(&j->core, writes, data);
	}
	message_list_release(writes);
}

void
job_node_failed(struct job *j, const char *event, struct str name,
    struct str message)
{
	struct live_error error = { name, message, true };

	live_failed(&j->core, str_of(event), &error);
}

/* ---- start and stop ------------------------------------------------------ */

/* The thread as its last checkpoint left it.  c->seq 0: it never ran. */
static int
load(struct job *j, struct arena *a, struct store_checkpoint *c)
{
	struct run *run = j->run;
	struct store_reader *r = run->rs->reader;
	struct message *m;
	struct str *texts;
	int rc;

	rc = store_checkpoint_get(r, run->place.owner, run->thread_seq, 0, a, c);
	if (rc == ERR_NOTFOUND) {
		*c = (struct store_checkpoint){ 0 };
		return OK;
	}
	if (rc == OK && uuid_eq(&c->run_id, &run->place.run_id))
		rc = store_run_steps(r, run->place.owner, run->seq, &j->core.steps);
	if (rc != OK || c->list == 0)
		return rc;
	j->core.written = true;
	rc = store_messages_get(r, c->list, 0, c->len, a, &texts);
	for (uint32_t i = 0; rc == OK && i < c->len; i++) {
		rc = message_from_stored(&m, texts[i], NULL);
		if (rc == OK)
			message_list_add(&j->core.list, m);
	}
	return rc;
}

/* From the input; or, when this run or nobody but an earlier one has begun,
 * from the last checkpoint; at its end there is nothing to do. */
static void
decide_start(struct job *j, const struct store_checkpoint *c)
{
	char id[UUID_TEXT];
	struct str text = { id, UUID_TEXT };
	bool can_resume = c->seq != 0 && c->next.n > 0 && c->chart.n > 0;
	bool ours = c->seq != 0 && uuid_eq(&c->run_id, &j->run->place.run_id);

	uuid_format(&j->run->place.run_id, id);
	if (can_resume && (ours || !j->plan->has_input)) {
		j->resumed = ours;
		tell_values(j);
		live_resume(&j->core, text, c->chart, c->step, &c->task_id);
	} else if (j->plan->has_input) {
		live_start(&j->core, &j->plan->input, text, c->seq != 0 ? c->step : -2);
	} else if (c->seq == 0) {
		fail(j, &empty_input_error);
	} else {
		tell_values(j);
		live_stop(&j->core);
		record_finish(j->run, RUN_SUCCESS, STR_NONE, STR_NONE);
	}
}

/* What was told before a crash may not have been written, and a reader that
 * resumes after it must miss nothing: the next attempt's ids start past all
 * that the write queue can have held. */
static void
stream_begin(struct run *run, const struct plan *p)
{
	int64_t first = 0;

	if (p->resumable && !run->stateless && run->attempt > 1)
		first = store_stream_last(run->rs->reader, run->seq) + 1 +
		    STREAM_ID_GAP;
	stream_init(&run->stream, p->modes, !run->stateless || p->resumable,
	    p->resumable, first);
}

/* One name a thread, the same for all its runs and attempts. */
static void
name_actor(struct job *j, struct str graph_id)
{
	struct buf b = BUF(LIMIT_NAME_BYTES + 64);

	buf_lit(&b, "agent/");
	buf_add(&b, graph_id);
	buf_lit(&b, "/");
	uuid_add(&b, &j->run->place.thread_id);
	j->actor = mem_cstr(buf_str(&b));
	buf_release(&b);
}

void
job_start(struct run *run, const struct store_run *row, struct plan *plan,
    bool has_checkpoints)
{
	static const struct plan nothing;
	struct runs_shared *sh = run->rs->sh;
	struct job *j = mem_new(struct job);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_checkpoint c = { 0 };
	struct live_error error = { 0 };
	struct err e = { 0 };
	int rc = OK;

	assert(run->job == NULL);
	run->job = j;
	run_set_phase(run, PHASE_LIVE);
	run->attempt = row->attempt;
	j->run = run;
	j->started = shard_now(run->rs->shard);
	j->assistant_id = row->assistant_id;
	j->members = BUF(RUN_METADATA_BYTES);
	j->task_ns = BUF(LIMIT_EVENT_NS_BYTES);
	if (plan == NULL)
		rc = plan_read(&plan, row->kwargs_json, sh->tools, &e);
	j->plan = plan;
	name_actor(j, row->graph_id);
	stream_begin(run, plan != NULL ? plan : &nothing);
	live_init(&j->core, &effects, j, graphs_chart(sh->graphs, row->graph_id),
	    plan != NULL ? plan->recursion_limit : 0);
	/* The limit counts from the checkpoint the run starts from, and input
	 * takes two steps before the first node. */
	if (plan != NULL && !plan->has_input)
		j->core.free = 2;
	tell_begin(run);
	if (rc == OK && has_checkpoints && !run->stateless)
		rc = load(j, &a, &c);
	if (rc != OK) {
		error.name = plan == NULL ? S("ValueError") : storage_error.name;
		error.message = plan == NULL ? str_of(e.text) :
		    S("the thread could not be read");
		fail(j, &error);
	} else if (run->cancel) {
		live_stop(&j->core);
		record_finish(run, RUN_INTERRUPTED, STR_NONE, STR_NONE);
	} else {
		if ((plan->modes & (MODE_MESSAGES | MODE_MESSAGES_TUPLE)) != 0)
			run_members_write(&j->members, row->metadata_json, run->attempt,
			    &run->place.thread_id, &run->place.run_id);
		decide_start(j, &c);
	}
	arena_release(&a);
}

void
job_stop(struct run *run)
{
	struct job *j = run->job;

	live_stop(&j->core);
	model_stop(j);
	calls_stop(j);
}

void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	model_stop(j);
	calls_stop(j);
	shard_timer_cancel(j->run->rs->shard, &j->flush);
	live_release(&j->core);
	steps_release(&j->steps);
	buf_release(&j->members);
	buf_release(&j->task_ns);
	plan_free(j->plan);
	free(j->actor);
	free(j);
}
