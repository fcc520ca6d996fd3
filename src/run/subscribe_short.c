/*
 * subscribe_short.c - a run that has told nothing, in short: that it began, its last
 * state, what it asks.  Made from its rows, and written down like any run's events, so
 * that its numbers are its own for good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/subscribe_priv.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/job_priv.h"
#include "run/scope_priv.h"

struct shorten {
	struct store_events_append c;
	struct shorten *next;
	struct runs *rs;
	struct buf bytes;
	struct uuid thread_id, run_id;
};

/* ---- its events ------------------------------------------------------------------------ */

static void
add_begin(struct event_log *log, struct runs *rs, const struct store_run *row)
{
	struct run_event ev = { .kind = EVENT_METADATA, .now = row->updated };
	struct val facts = val_object_empty();
	struct definition d;
	struct err e;

	if (definition_of_hash(&d, rs, row->graph_id, row->agent_hash, &e) == OK) {
		facts = val_set_take(facts, S("channels"), job_channels(d.agent));
		definition_drop(&d);
	}
	ev.u.metadata.attempt = row->attempt;
	ev.u.metadata.facts = val_set_take(facts, S("graph"), val_string(row->graph_id));
	event_log_add(log, &ev, 0);
	val_drop(ev.u.metadata.facts);
}

/* That the thread's head has, if it is this run's. */
static void
add_state(struct event_log *log, const struct saved_from *from, const struct store_run *row)
{
	static const struct uuid head;
	struct run_event ev = { .kind = EVENT_VALUES, .now = row->updated };
	struct core_saved *saved = NULL;

	if (saved_load(from, STR_NONE, &head, &saved) != OK || saved == NULL)
		return;
	if (uuid_eq(&saved->run_id, &row->id)) {
		ev.step = saved->step;
		ev.u.state = (struct event_state){ .id = saved->id, .parent = saved->parent,
		    .source = saved->source };
		event_log_add(log, &ev, 0);
	}
	saved_free(saved);
}

static void
add_question(struct event_log *log, const struct core_interrupt *i, msec now)
{
	struct run_event ev = { .kind = EVENT_INTERRUPT, .now = now, .ns = i->ns };

	ev.u.interrupts.list = val_push_take(val_array_empty(), core_show_interrupt(i));
	event_log_add(log, &ev, 0);
	val_drop(ev.u.interrupts.list);
}

static void
add_questions(struct event_log *log, const struct saved_from *from,
    const struct store_run *row)
{
	struct core_saved *waiting = NULL;

	if (row->status != RUN_INTERRUPTED || saved_load_waiting(from, &waiting) != OK)
		return;
	for (size_t i = 0; waiting != NULL && i < waiting->interrupts_n; i++)
		if (waiting->interrupts[i].waits)
			add_question(log, &waiting->interrupts[i], row->updated);
	saved_free(waiting);
}

/* Numbers of the thread's own log, if a run of it is under way. */
static void
find_log(void *ctx, struct run *run)
{
	struct event_log **log = ctx;

	if (run->stream.log != NULL)
		*log = run->stream.log;
}

static void
write_events(struct shorten *x, const struct store_run *row)
{
	struct saved_from from = { .reader = x->rs->reader, .owner = x->c.cmd.owner,
	    .thread_seq = row->thread_seq };
	struct event_log *log, *live = NULL;
	bool some;                           /* at least its begin can be told */

	ear_each_live(x->rs, x->c.cmd.owner, &x->thread_id, find_log, &live);
	log = event_log_new(live != NULL ? event_log_next(live) : tape_next(x->rs,
	    x->c.cmd.owner, &x->thread_id, row->thread_seq));
	event_log_begin(log, &row->id, true);
	add_begin(log, x->rs, row);
	add_state(log, &from, row);
	add_questions(log, &from, row);
	x->bytes = BUF(LIMIT_STATE_BYTES * 4u);
	some = event_log_take(log, &x->bytes, &x->c.first, &x->c.last);
	x->c.next = protocol_end_number(x->c.last) + 1;
	if (live != NULL)
		event_log_seek(live, x->c.next);
	event_log_end(log);
	event_log_free(log);
	assert(some);
	(void)some;
}

/* ---- told ---------------------------------------------------------------------------------- */

struct aloud {
	struct ear *ear;
	struct protocol_feed feed;
	struct uuid run_id;
	struct buf scratch;
};

static bool
aloud_wants(void *ctx, const struct protocol_event *e)
{
	return subscribe_wants(((struct aloud *)ctx)->ear, e);
}

static void
aloud_event(void *ctx, const struct protocol_event *e)
{
	struct aloud *a = ctx;

	subscribe_tell(a->ear, e, &a->run_id, &a->scratch);
}

static bool
feed(void *ctx, const struct event_entry *e)
{
	protocol_feed_event(&((struct aloud *)ctx)->feed, e);
	return true;
}

static void
tell(struct ear *ear, const struct store_run *row)
{
	struct tape_source from = { .rs = ear->rs, .owner = ear->key.owner,
	    .run_seq = row->seq, .thread_seq = row->thread_seq,
	    .thread_id = row->thread_id, .run_id = row->id };
	struct aloud a = { .ear = ear, .run_id = row->id,
	    .scratch = BUF(LIMIT_EVENT_NS_BYTES * 8u + KB) };

	protocol_feed_open(&a.feed, &from, &(struct protocol_sink){ aloud_wants, aloud_event,
	    &a });
	tape_each(&from, feed, &a);
	if (row->status > RUN_RUNNING)
		protocol_feed_end(&a.feed, row->status, row->error_json, row->updated);
	protocol_feed_close(&a.feed);
	buf_release(&a.scratch);
}

static void
forget(struct shorten *x)
{
	struct shorten **at = &x->rs->shortens;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	buf_release(&x->bytes);
	free(x);
}

static void
written(struct store_cmd *cmd)
{
	struct shorten *x = CONTAINER_OF(cmd, struct shorten, c.cmd);
	struct runs *rs = x->rs;
	struct ear *ear = ear_find(rs, cmd->owner, &x->thread_id);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;

	if (cmd->rc != OK && cmd->rc != ERR_NOTFOUND)
		log_error("run", "stream_lost", "rc=%s reason=%s", rc_name(cmd->rc),
		    cmd->err.text);
	if (cmd->rc == OK && ear != NULL && store_run_get(rs->reader, cmd->owner,
	    &x->run_id, &a, &row) == OK)
		tell(ear, &row);
	arena_release(&a);
	forget(x);
	runs_busy(rs, -1);
}

/* ---- the door -------------------------------------------------------------------------------- */

int64_t
subscribe_reserved(const struct runs *rs, owner_t owner, const struct uuid *thread_id)
{
	int64_t next = 0;

	for (const struct shorten *x = rs->shortens; x != NULL; x = x->next)
		if (x->c.cmd.owner == owner && uuid_eq(&x->thread_id, thread_id) &&
		    x->c.next > next)
			next = x->c.next;
	return next;
}

static bool
is_under_way(const struct runs *rs, const struct uuid *run_id)
{
	const struct shorten *x = rs->shortens;

	while (x != NULL && !uuid_eq(&x->run_id, run_id))
		x = x->next;
	return x != NULL;
}

static struct shorten *
shorten_new(struct runs *rs, owner_t owner, const struct store_run *row)
{
	struct shorten *x = mem_new(struct shorten);

	x->rs = rs;
	x->thread_id = row->thread_id;
	x->run_id = row->id;
	x->c.cmd.op = STORE_EVENTS_APPEND;
	x->c.cmd.owner = owner;
	x->c.cmd.done = written;
	x->c.run_seq = row->seq;
	x->c.thread_seq = row->thread_seq;
	x->c.begins = x->c.keeps = true;
	return x;
}

void
subscribe_shorten(struct ear *ear, const struct uuid *run_id)
{
	struct runs *rs = ear->rs;
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	struct shorten *x;
	int rc;

	if (rs->draining || is_under_way(rs, run_id) ||
	    store_run_get(rs->reader, ear->key.owner, run_id, &a, &row) != OK) {
		arena_release(&a);
		return;
	}
	x = shorten_new(rs, ear->key.owner, &row);
	write_events(x, &row);
	arena_release(&a);
	x->c.bytes = buf_str(&x->bytes);
	x->next = rs->shortens;
	rs->shortens = x;
	rc = store_submit(rs->sh->store, rs->shard, &x->c.cmd, true);
	assert(rc == OK);                    /* forced */
	(void)rc;
	runs_busy(rs, 1);
}
