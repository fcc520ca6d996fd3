/*
 * listen.c - see listen.h.
 *
 * The ear of a thread (ear_priv.h) has one watcher on each live run (a *tap*), which
 * gives each frame its id in the thread, once, and hands the one block to everybody.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/listen_priv.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"
#include "run/frame_priv.h"
#include "run/job_priv.h"
#include "run/tape_priv.h"

#define ALL_MODES (MODE_META - 1u)

const char *const listen_mode_names[] = { "run_modes", "lifecycle", "state_update", NULL };

struct listener {
	struct reader r;
	struct thread_ear *e;                /* away's; NULL: it has left */
	int64_t thread_seq;
	struct uuid run_id;                  /* behind event `after` of this one; as in */
	int64_t after;                       /* struct thread_ear */
};

struct tap {
	struct run_watch w;
	struct ear *ear;
	struct tap *next;
};

/* ---- frames ------------------------------------------------------------------------ */

/* RUN:N in place of N; a frame without an id stays as it is. */
static void
add_frame(struct buf *out, struct str frame, const struct uuid *run_id, int64_t id)
{
	static const struct str tail = { "id: ", 4 };
	size_t at = frame.n;

	if (id == FRAME_NO_ID) {
		buf_add(out, frame);
		return;
	}
	while (at > 0 && !str_starts(str_sub(frame, at, frame.n), tail))
		at--;
	buf_add(out, str_sub(frame, 0, at));
	buf_add(out, tail);
	uuid_add(out, run_id);
	buf_add_fmt(out, ":%" PRId64 "\n\n", id);
}

static struct sse_block *
with_ids(const struct sse_block *b, const struct uuid *run_id)
{
	struct buf out = BUF(SIZE_MAX / 2);
	struct str rest = { b->bytes, b->n }, frame, event;
	struct sse_block *made;
	int64_t id;

	while (frame_next(&rest, &frame, &event, &id))
		add_frame(&out, frame, run_id, id);
	made = sse_block_new(buf_str(&out));
	buf_release(&out);
	return made;
}

/* One event of our own about a run. */
static struct sse_block *
lifecycle(const char *event, const struct uuid *run_id, const char *status, const char *id)
{
	struct buf out = BUF(KB);
	struct sse_block *b;
	char run[UUID_TEXT];

	uuid_format(run_id, run);
	buf_add_fmt(&out, "event: %s\ndata: {\"run_id\":\"%.*s\",\"status\":\"%s\"}\n"
	    "id: %.*s:%s\n\n", event, UUID_TEXT, run, status, UUID_TEXT, run, id);
	b = sse_block_new(buf_str(&out));
	buf_release(&out);
	return b;
}

static bool
heard(const struct ear *ear, enum listen_mode mode)
{
	return ear_wants(ear, WIRE_CLASSIC, mode);
}

/* To readers of any of the modes; b is taken. */
static void
tell_all(struct ear *ear, unsigned modes, struct sse_block *b)
{
	struct sse_block *blocks[EAR_WIRES] = { [WIRE_CLASSIC] = b };

	ear_tell(ear, &(struct heard){ .channel = modes }, blocks);
}

/* ---- taps ---------------------------------------------------------------------------- */

static void
tap_frames(struct run_watch *w, struct sse_block *b)
{
	struct tap *t = CONTAINER_OF(w, struct tap, w);

	if (heard(t->ear, LISTEN_RUNS))
		tell_all(t->ear, LISTEN_RUNS, with_ids(b, &w->run_id));
}

static void
tap_free(struct tap *t)
{
	struct tap **at = &t->ear->taps;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	free(t);
}

static void
tap_end(struct run_watch *w, int rc, const struct run_end *end, const struct err *e)
{
	struct tap *t = CONTAINER_OF(w, struct tap, w);

	(void)e;
	/* Otherwise the run goes on elsewhere, or after a restart. */
	if (rc == OK)
		tell_all(t->ear, LISTEN_RUNS | LISTEN_LIFECYCLE, lifecycle("end", &w->run_id,
		    run_end_name(end), "end"));
	tap_free(t);
}

/* Modes of frames that some reader wants; without any, ends of runs still come. */
static unsigned
tap_modes(const struct ear *ear)
{
	return heard(ear, LISTEN_RUNS) ? ALL_MODES : 0;
}

static bool
needs_taps(const struct ear *ear)
{
	return heard(ear, LISTEN_RUNS) || heard(ear, LISTEN_LIFECYCLE);
}

static void
tap_open(void *ctx, struct run *run)
{
	struct ear *ear = ctx;
	struct tap *t = mem_new(struct tap);

	t->ear = ear;
	t->next = ear->taps;
	ear->taps = t;
	t->w = (struct run_watch){ .run_id = run->place.run_id, .runs = ear->rs,
	    .modes = tap_modes(ear), .after = INT64_MAX,
	    .wants_events = true, .frames = tap_frames, .end = tap_end };
	stream_attach(&run->stream, &t->w);
}

static void
tap_close(struct tap *t)
{
	struct run *run = run_find(t->ear->rs, &t->w.run_id);

	if (run != NULL) {
		stream_detach(&run->stream, &t->w);
		if (run->phase == PHASE_LIVE)
			job_look(run->job);
	}
	tap_free(t);
}

void
listen_begins(struct run *run)
{
	struct ear *ear = run->stateless ? NULL :
	    ear_find(run->rs, run->place.owner, &run->place.thread_id);

	if (ear == NULL || !needs_taps(ear))
		return;
	tell_all(ear, LISTEN_LIFECYCLE, lifecycle("metadata", &run->place.run_id,
	    "running", "0"));
	tap_open(ear, run);
}

void
listen_close(struct ear *ear)
{
	while (ear->taps != NULL)
		tap_close(ear->taps);
}

/* Runs that live already have one tap each, of the modes that are heard. */
static void
changed(struct ear *ear)
{
	if (!needs_taps(ear) || (ear->taps != NULL && ear->taps->w.modes != tap_modes(ear)))
		listen_close(ear);
	if (needs_taps(ear) && ear->taps == NULL)
		ear_each_live(ear->rs, ear->key.owner, &ear->key.thread_id, tap_open, ear);
}

/* ---- what is kept -------------------------------------------------------------------- */

struct replaying {
	struct run_watch w;
	struct pieces *out;
};

static void
replay_frames_of(struct run_watch *w, struct sse_block *b)
{
	pieces_add(CONTAINER_OF(w, struct replaying, w)->out, with_ids(b, &w->run_id), 0, 0, 0);
}

static bool
never(const void *ctx)
{
	(void)ctx;
	return false;
}

/* One run, behind `after`: its events as far as they are kept, and its end. */
static void
replay_run(struct runs *here, const struct listener *l, const struct store_run_name *r,
    int64_t after, struct pieces *out)
{
	const struct run *run = run_find(here, &r->run_id);
	struct tape_source s = { .rs = here, .owner = l->r.owner, .run_seq = r->seq,
	    .thread_seq = l->thread_seq, .thread_id = l->r.thread_id, .run_id = r->run_id,
	    .ids = true, .log = run != NULL ? run->stream.log : NULL };
	struct replaying p = { .out = out, .w = { .run_id = r->run_id, .modes = ALL_MODES,
	    .wants_events = true, .after = after, .frames = replay_frames_of } };

	if (after < 0 && (l->r.channels & LISTEN_LIFECYCLE))
		pieces_add(out, lifecycle("metadata", &r->run_id, "running", "0"), 0, 0, 0);
	if (l->r.channels & LISTEN_RUNS)
		(void)tape_replay(&s, &p.w, never, NULL);
	if (r->status > RUN_RUNNING && (l->r.channels & (LISTEN_RUNS | LISTEN_LIFECYCLE)))
		pieces_add(out, lifecycle("end", &r->run_id, run_status_names[r->status],
		    "end"), 0, 0, 0);
}

/* From the run that it names on; without one, the newest that are kept. */
static int
replay(struct ear *ear, struct reader *r, bool again, struct pieces *out)
{
	const struct listener *l = CONTAINER_OF(r, struct listener, r);
	struct runs *here = ear->rs;
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run_name *names = NULL;
	size_t n = 0;
	bool from_here = uuid_is_zero(&l->run_id);

	assert(!again);                      /* its connection is cut in time */
	(void)again;
	if (l->after == INT64_MAX && from_here)
		return OK;
	if (store_runs_newest(here->reader, r->owner, l->thread_seq, LIMIT_REPLAY_RUNS, &a,
	    &names, &n) != OK)
		n = 0;
	while (n > 0) {
		const struct store_run_name *one = &names[--n];

		if (one->status == RUN_PENDING)
			continue;
		if (from_here)
			replay_run(here, l, one, -1, out);
		else if (uuid_eq(&one->run_id, &l->run_id) && l->after < INT64_MAX)
			replay_run(here, l, one, l->after, out);
		from_here = from_here || uuid_eq(&one->run_id, &l->run_id);
	}
	arena_release(&a);
	return OK;
}

/* ---- coming and going ---------------------------------------------------------------- */

static struct listener *
of(const struct reader *r)
{
	return CONTAINER_OF((struct reader *)(uintptr_t)r, struct listener, r);
}

static bool
matches(const struct reader *r, const struct heard *h)
{
	return (r->channels & h->channel) != 0;
}

static void
opened(struct reader *r, int64_t replayed)
{
	(void)r;
	(void)replayed;
}

static bool
block(struct reader *r, struct sse_block *b, int64_t first, int64_t last)
{
	(void)first;
	(void)last;
	of(r)->e->frames(of(r)->e, b);
	return true;
}

static void
end(struct reader *r, int rc)
{
	struct thread_ear *e = of(r)->e;

	of(r)->e = NULL;
	e->link = NULL;
	e->end(e, rc);
}

static void
release(struct reader *r)
{
	free(of(r));
}

static const struct reader_kind kind = {
	.replay = replay, .changed = changed, .matches = matches, .opened = opened,
	.block = block, .end = end, .free = release,
};

int
thread_listen(struct runs *rs, owner_t owner, const struct store_thread *t,
    struct thread_ear *e)
{
	struct listener *l = mem_new(struct listener);
	int rc;

	l->r = (struct reader){ .kind = &kind, .wire = WIRE_CLASSIC, .channels = e->modes,
	    .owner = owner, .thread_id = t->id };
	l->e = e;
	l->thread_seq = t->seq;
	l->run_id = e->run_id;
	l->after = e->after;
	rc = reader_open(rs, &l->r);
	if (rc == OK)
		e->link = l;
	else
		free(l);
	return rc;
}

void
thread_unlisten(struct thread_ear *e)
{
	struct listener *l = e->link;

	if (l == NULL)
		return;
	e->link = NULL;
	l->e = NULL;
	reader_close(&l->r);
}

/* ---- updates -------------------------------------------------------------------------- */

struct updated {
	struct parcel parcel;
	owner_t owner;
	struct uuid thread_id;
	struct sse_block *block;
};

static void
updated_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct updated *x = CONTAINER_OF(p, struct updated, parcel);
	struct ear *ear = ear_find(here, x->owner, &x->thread_id);

	if (ear != NULL)
		tell_all(ear, LISTEN_UPDATES, x->block);
	else
		sse_block_drop(x->block);
	free(x);
}

void
thread_updated(struct runs *rs, owner_t owner, const struct uuid *thread_id, struct str json)
{
	struct runs *home = directory_thread(rs->sh->directory, thread_id);
	struct buf frame = BUF(SIZE_MAX / 2);
	struct updated *x;

	if (home == NULL)
		return;                      /* nobody listens */
	x = mem_new(struct updated);
	x->owner = owner;
	x->thread_id = *thread_id;
	sse_add_frame(&frame, S("state_update"), json, -1);
	x->block = sse_block_new(buf_str(&frame));
	buf_release(&frame);
	x->parcel.open = updated_open;
	runs_send(rs, home, &x->parcel);
}
