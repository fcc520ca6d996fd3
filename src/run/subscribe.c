/*
 * subscribe.c - see subscribe.h and subscribe_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/subscribe_priv.h"

#include <assert.h>

#include "base/mem.h"
#include "run/job_priv.h"

/* ---- voices ----------------------------------------------------------------------- */

struct voice {
	struct event_cursor cursor;
	struct ear *ear;
	struct run *run;
	struct voice *next;
	struct protocol_feed feed;
	struct buf scratch;
	bool silent;                         /* the events fed now were told before */
};

bool
subscribe_wants(const struct ear *ear, const struct protocol_event *e)
{
	return ear_wants(ear, PROTOCOL_SSE, e->channel) ||
	    ear_wants(ear, PROTOCOL_SOCKET, e->channel);
}

void
subscribe_tell(struct ear *ear, const struct protocol_event *e, const struct uuid *run_id,
    struct buf *scratch)
{
	struct sse_block *blocks[EAR_WIRES] = { NULL };
	struct heard h = { .channel = e->channel, .custom = e->custom, .ns = e->ns,
	    .first = e->seq, .last = e->seq };

	for (unsigned i = 0; i < PROTOCOL_WIRES; i++)
		if (ear_wants(ear, i, e->channel))
			blocks[i] = protocol_block(i, e, run_id, scratch);
	ear_tell(ear, &h, blocks);
}

static bool
voice_wants(void *ctx, const struct protocol_event *e)
{
	const struct voice *v = ctx;

	return !v->silent && subscribe_wants(v->ear, e);
}

static void
voice_event(void *ctx, const struct protocol_event *e)
{
	struct voice *v = ctx;

	subscribe_tell(v->ear, e, &v->run->place.run_id, &v->scratch);
}

static void
voice_ready(struct event_cursor *c)
{
	struct voice *v = CONTAINER_OF(c, struct voice, cursor);
	struct event_entry e;

	while (event_cursor_read(c, &e))
		protocol_feed_event(&v->feed, &e);
}

static bool
feed_silently(void *ctx, const struct event_entry *e)
{
	struct voice *v = ctx;

	protocol_feed_event(&v->feed, e);
	return true;
}

static void
voice_open(struct ear *ear, struct run *run)
{
	struct tape_source from = { .rs = run->rs, .owner = run->place.owner,
	    .run_seq = run->seq, .thread_seq = run->thread_seq,
	    .thread_id = run->place.thread_id, .run_id = run->place.run_id,
	    .log = run->stream.log };
	struct voice *v = mem_new(struct voice);

	v->ear = ear;
	v->run = run;
	v->scratch = BUF(LIMIT_EVENT_NS_BYTES * 8u + KB);
	v->next = ear->voices;
	ear->voices = run->voice = v;
	protocol_feed_open(&v->feed, &from, &(struct protocol_sink){ voice_wants,
	    voice_event, v });
	v->silent = true;
	tape_each(&from, feed_silently, v);
	v->silent = false;
	v->cursor = (struct event_cursor){ .after = v->feed.last, .ready = voice_ready };
	event_cursor_open(run->stream.log, &v->cursor);
	voice_ready(&v->cursor);
}

static void
voice_close(struct voice *v)
{
	struct voice **at = &v->ear->voices;

	while (*at != v)
		at = &(*at)->next;
	*at = v->next;
	v->run->voice = NULL;
	event_cursor_close(&v->cursor);
	protocol_feed_close(&v->feed);
	buf_release(&v->scratch);
	free(v);
}

/* ---- runs -------------------------------------------------------------------------- */

/* Does anybody read the protocol? */
static bool
is_read(const struct ear *ear)
{
	bool yes = false;

	for (unsigned i = 0; i < EAR_CHANNELS; i++)
		yes = yes || ear->wants[PROTOCOL_SSE][i] > 0 ||
		    ear->wants[PROTOCOL_SOCKET][i] > 0;
	return yes;
}

static struct ear *
ear_of(const struct run *run)
{
	struct ear *ear = run->stateless ? NULL :
	    ear_find(run->rs, run->place.owner, &run->place.thread_id);

	return ear != NULL && is_read(ear) ? ear : NULL;
}

bool
subscribe_reads(const struct run *run)
{
	return ear_of(run) != NULL;
}

void
subscribe_begins(struct run *run)
{
	struct ear *ear = ear_of(run);

	if (ear == NULL)
		return;
	ear->thread_seq = run->thread_seq;
	if (run->stream.log != NULL)
		voice_open(ear, run);
}

void
subscribe_ended(struct run *run, enum run_status status, struct str error_json)
{
	struct voice *v = run->voice;
	struct ear *ear = ear_of(run);

	if (v != NULL) {
		protocol_feed_end(&v->feed, status, error_json, run->ended);
		voice_close(v);
	} else if (ear != NULL && !run->rollback) {
		ear->thread_seq = run->thread_seq;
		subscribe_shorten(ear, &run->place.run_id);  /* it has never lived */
	}
}

void
subscribe_left(struct run *run)
{
	if (run->voice != NULL)
		voice_close(run->voice);
}

void
subscribe_close(struct ear *ear)
{
	while (ear->voices != NULL)
		voice_close(ear->voices);
}

/* A run that is about to end is told in short, if it has no log. */
static void
begin_voice(void *ctx, struct run *run)
{
	struct ear *ear = ctx;

	if (run->voice != NULL)
		return;
	if (run->phase == PHASE_LIVE)
		job_keep_all(run->job);
	if (run->stream.log != NULL)
		voice_open(ear, run);
}

static void
changed(struct ear *ear)
{
	if (!is_read(ear))
		subscribe_close(ear);
	else if (ear->voices == NULL)
		ear_each_live(ear->rs, ear->key.owner, &ear->key.thread_id, begin_voice, ear);
}

/* ---- positions --------------------------------------------------------------------- */

static void
look_at_log(void *ctx, struct run *run)
{
	int64_t *seq = ctx, seen;

	if (run->stream.log == NULL)
		return;
	seen = protocol_first(event_log_seen(run->stream.log) + 1) - 1;
	*seq = *seq > seen ? *seq : seen;
}

int64_t
subscribe_position(struct runs *here, owner_t owner, const struct uuid *thread_id,
    int64_t thread_seq)
{
	int64_t seq = 0, next = 0;

	ear_each_live(here, owner, thread_id, look_at_log, &seq);
	if (seq > 0 || store_event_next(here->reader, owner, thread_seq, &next) != OK ||
	    next == 0)
		return seq;
	return protocol_first(next) - 1;
}

struct position {
	struct parcel parcel;
	struct runs *away, *at;
	owner_t owner;
	struct uuid thread_id;
	int64_t seq;
	void (*told)(void *ctx, int64_t seq);
	void *ctx;
};

static void
position_back(void *ctx, struct parcel *p)
{
	struct position *x = CONTAINER_OF(p, struct position, parcel);

	(void)ctx;
	x->told(x->ctx, x->seq);
	free(x);
}

static void
position_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct position *x = CONTAINER_OF(p, struct position, parcel);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_thread t;

	if (store_thread_get(here->reader, x->owner, &x->thread_id, &a, &t) == OK)
		x->seq = subscribe_position(here, x->owner, &x->thread_id, t.seq);
	arena_release(&a);
	runs_forward(&x->at, x->away, &x->parcel, position_back);
}

void
thread_position(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    void (*told)(void *ctx, int64_t seq), void *ctx)
{
	struct runs *home = directory_thread(rs->sh->directory, thread_id);
	struct position *x = mem_new(struct position);

	x->away = x->at = rs;
	x->owner = owner;
	x->thread_id = *thread_id;
	x->told = told;
	x->ctx = ctx;
	runs_forward(&x->at, home != NULL ? home : rs, &x->parcel, position_open);
}

/* ---- readers ------------------------------------------------------------------------- */

static struct protocol_reader *
of(const struct reader *r)
{
	return CONTAINER_OF((struct reader *)(uintptr_t)r, struct protocol_reader, r);
}

static bool
matches(const struct reader *r, const struct heard *h)
{
	return h->first > r->after && protocol_matches(of(r)->filter, h->channel, h->custom,
	    h->ns);
}

static void
opened(struct reader *r, int64_t replayed)
{
	of(r)->s->opened(of(r)->s, replayed);
}

static bool
block(struct reader *r, struct sse_block *b, int64_t first, int64_t last)
{
	return of(r)->s->events(of(r)->s, b, first, last);
}

static void
end(struct reader *r, int rc)
{
	struct subscription *s = of(r)->s;

	of(r)->s = NULL;
	s->link = NULL;
	s->end(s, rc);
}

static void
release(struct reader *r)
{
	free(of(r)->filter);
	free(of(r));
}

static const struct reader_kind kind = {
	.replay = subscribe_replay, .changed = changed, .matches = matches, .opened = opened,
	.block = block, .end = end, .free = release,
};

/* ---- filters --------------------------------------------------------------------------- */

struct room {
	struct str *strs;
	struct protocol_prefix *prefixes;
	char *bytes;
};

static size_t
strs_size(const struct str *at, size_t n)
{
	size_t size = n * sizeof *at;

	for (size_t i = 0; i < n; i++)
		size += at[i].n;
	return size;
}

static const struct str *
strs_copy(struct room *to, const struct str *at, size_t n)
{
	struct str *first = to->strs;

	for (size_t i = 0; i < n; i++)
		*to->strs++ = str_put(&to->bytes, at[i]);
	return first;
}

/* In one piece: itself, prefixes, texts' places, texts. */
static struct protocol_filter *
filter_copy(const struct protocol_filter *f)
{
	size_t size = sizeof *f + f->namespaces_n * sizeof *f->namespaces, strs = f->customs_n;
	struct protocol_filter *copy;
	struct room to;

	size += strs_size(f->customs, f->customs_n);
	for (size_t i = 0; i < f->namespaces_n; i++) {
		size += strs_size(f->namespaces[i].at, f->namespaces[i].n);
		strs += f->namespaces[i].n;
	}
	copy = mem_alloc(size);
	*copy = *f;
	to.prefixes = (struct protocol_prefix *)(copy + 1);
	to.strs = (struct str *)(to.prefixes + f->namespaces_n);
	to.bytes = (char *)(to.strs + strs);
	copy->customs = strs_copy(&to, f->customs, f->customs_n);
	copy->namespaces = to.prefixes;
	for (size_t i = 0; i < f->namespaces_n; i++)
		to.prefixes[i] = (struct protocol_prefix){ strs_copy(&to,
		    f->namespaces[i].at, f->namespaces[i].n), f->namespaces[i].n };
	return copy;
}

/* ---- the door ---------------------------------------------------------------------------- */

int
subscribe(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    struct subscription *s)
{
	struct protocol_reader *x = mem_new(struct protocol_reader);
	int rc;

	x->s = s;
	x->filter = filter_copy(s->filter);
	x->r = (struct reader){ .kind = &kind, .wire = s->wire, .owner = owner,
	    .thread_id = *thread_id, .after = s->since,
	    .channels = s->filter->channels | (s->filter->customs_n > 0 ? CHANNEL_CUSTOM : 0) };
	rc = reader_open(rs, &x->r);
	if (rc != OK) {
		release(&x->r);
		return rc;
	}
	s->link = &x->r;
	return OK;
}

void
unsubscribe(struct subscription *s)
{
	struct reader *r = s->link;

	if (r == NULL)
		return;
	s->link = NULL;
	of(r)->s = NULL;
	reader_close(r);
}

void
subscription_ready(struct subscription *s)
{
	if (s->link != NULL)
		reader_ready(s->link);
}
