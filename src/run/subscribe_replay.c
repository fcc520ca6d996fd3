/*
 * subscribe_replay.c - what happened on a thread before: for a reader that comes, and
 * for one that was behind.
 *
 * Each run is told by an encoder of its own, from its first event on, so numbers and
 * bytes are those of the first time.  For a reader that was behind, pieces of one block
 * of a message are joined: they have the number of the last of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/subscribe_priv.h"

#include "base/mem.h"

#define SEND_BYTES  (64 * KB)                /* to a reader at once */
/* As they are told, events take several times the bytes of the log; states are not in it
 * at all. */
#define TOLD_BYTES  (4 * (size_t)LIMIT_LOG_BYTES)
#define ROUND_BYTES (4 * (size_t)LIMIT_READER_QUEUE_BYTES)   /* to one that was behind */

/* Pieces that were joined and not told yet. */
struct joined {
	struct joined *next;
	struct protocol_event e;
	struct buf text;
};

struct telling {
	struct ear *ear;
	const struct reader *r;
	const struct protocol_filter *filter;
	int64_t since;
	bool again;
	struct pieces *out;
	struct buf block;                    /* events that are not in a piece yet */
	int64_t first, last, n;
	struct buf scratch;
	/* of the run that is told */
	struct protocol_feed feed;
	struct uuid run_id;
	size_t most;                         /* bytes of it */
	bool over;                           /* it has more */
	int64_t only;                        /* the run in short: its last state; -1: no */
	struct joined *joined;               /* by seq */
};

/* ---- events into pieces ------------------------------------------------------------ */

static void
cut(struct telling *t)
{
	if (t->block.n == 0)
		return;
	pieces_add(t->out, sse_block_new(buf_str(&t->block)), t->first, t->last, t->n);
	buf_clear(&t->block);
	t->n = 0;
}

static void
put(struct telling *t, const struct protocol_event *e)
{
	struct sse_block *b = protocol_block(t->r->wire, e, &t->run_id, &t->scratch);

	if (t->n++ == 0)
		t->first = e->seq;
	t->last = e->seq;
	buf_add(&t->block, (struct str){ b->bytes, b->n });
	sse_block_drop(b);
	if (t->block.n >= SEND_BYTES)
		cut(t);
}

static void
put_joined(struct telling *t)
{
	while (t->joined != NULL) {
		struct joined *j = t->joined;

		t->joined = j->next;
		j->e.data[j->e.join == JOIN_APPEND] = buf_str(&j->text);
		put(t, &j->e);
		buf_release(&j->text);
		free(j);
	}
}

/* Takes the one of this block out, or makes it. */
static struct joined *
take_joined(struct telling *t, uint64_t block)
{
	struct joined **at = &t->joined, *j;

	while (*at != NULL && (*at)->e.block != block)
		at = &(*at)->next;
	j = *at;
	if (j == NULL) {
		j = mem_new(struct joined);
		j->text = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	} else {
		*at = j->next;
	}
	return j;
}

static void
join(struct telling *t, const struct protocol_event *e)
{
	struct joined *j = take_joined(t, e->block), **end = &t->joined;

	if (e->join == JOIN_LATEST)
		buf_clear(&j->text);
	buf_add(&j->text, e->data[e->join == JOIN_APPEND]);
	j->e = *e;
	j->next = NULL;
	while (*end != NULL)
		end = &(*end)->next;
	*end = j;
}

static bool
is_of_short(const struct telling *t, const struct protocol_event *e)
{
	return e->life || e->channel == CHANNEL_INPUT ||
	    (e->seq / LIMIT_PROTOCOL_SEQS == protocol_first(0) / LIMIT_PROTOCOL_SEQS + t->only &&
	    (e->channel & (CHANNEL_VALUES | CHANNEL_CHECKPOINTS)) != 0);
}

static bool
telling_wants(void *ctx, const struct protocol_event *e)
{
	const struct telling *t = ctx;

	return e->seq > t->since && (t->only < 0 || is_of_short(t, e)) &&
	    protocol_matches(t->filter, e->channel, e->custom, e->ns);
}

static void
telling_event(void *ctx, const struct protocol_event *e)
{
	struct telling *t = ctx;

	if (t->again && e->join != JOIN_NONE) {
		join(t, e);
		return;
	}
	put_joined(t);
	put(t, e);
}

/* ---- one run --------------------------------------------------------------------------- */

static bool
tell_entry(void *ctx, const struct event_entry *e)
{
	struct telling *t = ctx;

	t->over = t->out->bytes + t->block.n >= t->most;
	if (!t->over)
		protocol_feed_event(&t->feed, e);
	return !t->over;
}

struct search {
	struct event_reader reader;
	int64_t found;
};

static bool
find_state(void *ctx, const struct event_entry *e)
{
	struct search *s = ctx;
	const struct run_event *ev;
	bool refers;

	if (event_unpack(&s->reader, e->fields, &ev, &refers) == OK && ev->ns.n == 0 &&
	    (ev->kind == EVENT_INPUT || ev->kind == EVENT_VALUES))
		s->found = e->seq;
	return true;
}

/* The number of a run's last state; if it has none, a number that no event has. */
static int64_t
last_state(const struct tape_source *from)
{
	struct search s = { .found = INT64_MAX / 2 };

	tape_each(from, find_state, &s);
	event_reader_release(&s.reader);
	return s.found;
}

/* A run of the thread, as the window has it. */
struct kept {
	const struct store_run_name *name;
	struct run *run;                     /* it lives here; or NULL */
	bool in_short;
};

static bool
has_ended(const struct kept *k)
{
	return k->run == NULL && k->name->status > RUN_RUNNING;
}

static void
tell_end(struct telling *t)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;

	if (store_run_get(t->ear->rs->reader, t->r->owner, &t->run_id, &a, &row) == OK)
		protocol_feed_end(&t->feed, row.status, row.error_json, row.updated);
	arena_release(&a);
}

static void
tell_run(struct telling *t, const struct kept *k)
{
	struct tape_source from = { .rs = t->ear->rs, .owner = t->r->owner,
	    .run_seq = k->name->seq, .thread_seq = t->ear->thread_seq,
	    .thread_id = t->r->thread_id, .run_id = k->name->run_id,
	    .log = k->run != NULL ? k->run->stream.log : NULL };

	t->run_id = k->name->run_id;
	t->only = k->in_short ? last_state(&from) : -1;
	t->most = k->in_short ? SIZE_MAX : t->again ? ROUND_BYTES : TOLD_BYTES;
	t->over = false;
	protocol_feed_open(&t->feed, &from, &(struct protocol_sink){ telling_wants,
	    telling_event, t });
	tape_each(&from, tell_entry, t);
	if (!t->over && has_ended(k))
		tell_end(t);
	put_joined(t);
	cut(t);
	protocol_feed_close(&t->feed);
}

/* ---- the window ------------------------------------------------------------------------- */

struct window {
	struct kept runs[LIMIT_REPLAY_RUNS]; /* the newest first */
	size_t n;
	int64_t bytes;                       /* of those that have ended */
	bool whole;                          /* nothing older is behind `since` */
	bool ended;                          /* there is one that has ended */
};

static bool
is_live(const struct run *run)
{
	return run != NULL && (run->phase == PHASE_LIVE || run->phase == PHASE_ENDING);
}

/* False: the window is full; older runs are not taken. */
static bool
take_run(struct telling *t, struct window *w, const struct store_run_name *name)
{
	struct runs *here = t->ear->rs;
	int64_t after = t->since / LIMIT_PROTOCOL_SEQS - 2;
	struct store_events_size size = { 0, -1, -1 };
	struct run *run = run_find(here, &name->run_id);
	struct kept k = { .name = name, .run = is_live(run) ? run : NULL };
	bool ended = has_ended(&k), first = !w->ended;

	if (name->status == RUN_PENDING)
		return true;
	(void)store_events_size(here->reader, t->r->owner, name->seq, after, &size);
	if (size.last < 0 && k.run == NULL) {
		if (first && !t->again)
			subscribe_shorten(t->ear, &name->run_id);
		w->ended = w->ended || ended;
		return true;
	}
	w->whole = ended && protocol_first(protocol_end_number(size.last)) <= t->since;
	if (w->whole)
		return false;
	if (ended) {
		w->ended = true;
		w->bytes += size.bytes;
		k.in_short = !t->again && first && size.bytes > LIMIT_LOG_BYTES;
		if (!t->again && !first && w->bytes > LIMIT_LOG_BYTES)
			return false;
	}
	w->runs[w->n++] = k;
	w->whole = size.first >= 0 && protocol_first(size.first) <= t->since;
	return !k.in_short && !w->whole;
}

static bool
window(struct telling *t, struct window *w, struct arena *a)
{
	struct store_run_name *names = NULL;
	size_t n = 0;
	bool more = true;

	if (store_runs_newest(t->ear->rs->reader, t->r->owner, t->ear->thread_seq,
	    LIMIT_REPLAY_RUNS, a, &names, &n) != OK)
		return false;
	for (size_t i = 0; i < n && more; i++)
		more = take_run(t, w, &names[i]);
	return w->whole || n < LIMIT_REPLAY_RUNS;
}

/* ---- runs in order ---------------------------------------------------------------------- */

/* For a reader that was behind: oldest run first, up to the limit of one answer. */
static void
tell_missed(struct telling *t, struct window *w)
{
	while (w->n > 0 && !t->out->more) {
		tell_run(t, &w->runs[--w->n]);
		t->out->more = t->over;
	}
}

/* False: the run does not fit.  The newest run that has ended is then told in short. */
static bool
tell_fitting(struct telling *t, struct kept *k, size_t *ended)
{
	tell_run(t, k);
	if (!has_ended(k)) {
		t->out->more = t->over;      /* it asks for the rest */
		return true;
	}
	if (*ended + t->out->bytes <= TOLD_BYTES && !t->over) {
		*ended += t->out->bytes;
		return true;
	}
	pieces_drop(t->out);
	k->in_short = *ended == 0;
	*ended = TOLD_BYTES;
	if (k->in_short)
		tell_run(t, k);
	return k->in_short;
}

/* For a new reader: newest run first, as long as they fit. */
static void
tell_window(struct telling *t, struct window *w)
{
	struct pieces runs[LIMIT_REPLAY_RUNS], *out = t->out;
	size_t n = 0, ended = 0;
	bool fits = true;

	for (; n < w->n && fits; n++) {
		runs[n] = (struct pieces){ .end = &runs[n].first };
		t->out = &runs[n];
		fits = tell_fitting(t, &w->runs[n], &ended);
	}
	while (n > 0)
		pieces_move(out, &runs[--n]);
}

int
subscribe_replay(struct ear *ear, struct reader *r, bool again, struct pieces *out)
{
	struct telling t = { .ear = ear, .r = r, .since = r->after, .again = again, .out = out,
	    .filter = CONTAINER_OF(r, struct protocol_reader, r)->filter, .only = -1,
	    .block = BUF(SIZE_MAX / 2), .scratch = BUF(LIMIT_EVENT_NS_BYTES * 8u + KB) };
	struct arena a = ARENA(THREAD_ARENA);
	struct window w = { .n = 0 };
	bool whole;

	if (ear->thread_seq == 0)
		return OK;
	if (!again && t.since > subscribe_position(ear->rs, r->owner, &r->thread_id,
	    ear->thread_seq))
		t.since = r->after = -1;     /* of another thread, or another store */
	whole = window(&t, &w, &a);
	if (!again)
		tell_window(&t, &w);
	else if (whole)
		tell_missed(&t, &w);
	buf_release(&t.block);
	buf_release(&t.scratch);
	arena_release(&a);
	return whole || !again ? OK : ERR_LIMIT;
}
