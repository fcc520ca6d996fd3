/*
 * listen.c - see listen.h.
 *
 * A thread that is listened to is *pinned*: it has one home for as long, so what its
 * runs tell is told on one shard.  There an *ear* hears for all listeners of the
 * thread: it has one watcher on each live run (a *tap*), which gives each frame its
 * id in the thread, once, and hands the one block to everybody.
 *
 *   away                          home
 *     listen  ------ arrive --------> into the ear
 *     <------- frames, end ----------
 *     unlisten ------ leave --------> out of it; parted -----> away frees it
 *
 * As in join.c: parcels between two shards keep their order, so after `end` nothing
 * more comes, and after `parted` neither side knows the listener.  Away frees it on
 * `end`, unless it has sent `leave`: then on `parted`.
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
	struct parcel arrive, leave, end, parted;
	struct runs *away, *home;
	struct thread_ear *e;                /* away's; NULL: it has left */
	bool leaving;                        /* away's: `leave` was sent */
	int rc;                              /* of the end */
	owner_t owner;
	int64_t thread_seq;
	struct uuid thread_id, run_id;
	int64_t after;
	unsigned modes;
	/* home's */
	struct ear *ear;                     /* NULL: in none (any more) */
	struct listener *next;
};

struct tap {
	struct run_watch w;
	struct ear *ear;
	struct tap *next;
};

struct ear {
	struct runs *rs;
	struct uuid thread_id;
	struct listener *first;
	size_t n;
	unsigned modes;                      /* that any of them hears */
	struct tap *taps;
};

/* ---- from home to a listener ----------------------------------------------------- */

struct told {
	struct parcel parcel;
	struct listener *l;
	struct sse_block *block;
};

static void
told_open(void *ctx, struct parcel *p)
{
	struct told *x = CONTAINER_OF(p, struct told, parcel);
	struct thread_ear *e = x->l->e;

	(void)ctx;
	if (e != NULL)
		e->frames(e, x->block);
	sse_block_drop(x->block);
	free(x);
}

static void
tell(struct listener *l, struct sse_block *b)
{
	struct told *x = mem_new(struct told);

	x->l = l;
	x->block = sse_block_ref(b);
	x->parcel.open = told_open;
	runs_send(l->home, l->away, &x->parcel);
}

static void
tell_take(struct listener *l, struct sse_block *b)
{
	tell(l, b);
	sse_block_drop(b);
}

static void
listener_free(struct listener *l)
{
	atomic_fetch_sub(&l->away->sh->listeners, 1);
	free(l);
}

static void
end_open(void *ctx, struct parcel *p)
{
	struct listener *l = CONTAINER_OF(p, struct listener, end);
	struct thread_ear *e = l->e;
	int rc = l->rc;

	(void)ctx;
	if (l->leaving)
		return;                      /* `parted` comes */
	listener_free(l);
	e->link = NULL;
	e->end(e, rc);
}

static void
parted_open(void *ctx, struct parcel *p)
{
	struct listener *l = CONTAINER_OF(p, struct listener, parted);

	(void)ctx;
	assert(l->leaving && l->e == NULL);
	listener_free(l);
}

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

static void
tell_all(struct ear *ear, unsigned modes, struct sse_block *b)
{
	for (struct listener *l = ear->first; l != NULL; l = l->next)
		if (l->modes & modes)
			tell(l, b);
	sse_block_drop(b);
}

/* ---- taps ---------------------------------------------------------------------------- */

static void
tap_frames(struct run_watch *w, struct sse_block *b)
{
	struct tap *t = CONTAINER_OF(w, struct tap, w);

	if (t->ear->modes & LISTEN_RUNS)
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

static void
tap_open(struct ear *ear, struct run *run)
{
	struct tap *t = mem_new(struct tap);

	t->ear = ear;
	t->next = ear->taps;
	ear->taps = t;
	t->w = (struct run_watch){ .run_id = run->place.run_id, .runs = ear->rs,
	    .modes = ear->modes & LISTEN_RUNS ? ALL_MODES : 0, .after = INT64_MAX,
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
	struct ear *ear = run->rs->ears.n == 0 || run->stateless ? NULL :
	    map_get(&run->rs->ears, &run->place.thread_id);

	if (ear == NULL)
		return;
	tell_all(ear, LISTEN_LIFECYCLE, lifecycle("metadata", &run->place.run_id,
	    "running", "0"));
	tap_open(ear, run);
}

/* Those that live already; each once. */
static void
ear_taps(struct ear *ear)
{
	struct run *run;
	size_t at = 0;

	while (ear->taps != NULL)
		tap_close(ear->taps);
	for (run = map_each(&ear->rs->runs, &at); run != NULL;
	    run = map_each(&ear->rs->runs, &at))
		if (run->phase == PHASE_LIVE && !run->stateless &&
		    uuid_eq(&run->place.thread_id, &ear->thread_id))
			tap_open(ear, run);
}

/* ---- ears ---------------------------------------------------------------------------- */

static const void *
ear_key(const void *value)
{
	return &((const struct ear *)value)->thread_id;
}

static uint64_t
ear_hash(const void *key)
{
	return uuid_hash(key);
}

static bool
ear_eq(const void *value, const void *key)
{
	return uuid_eq(ear_key(value), key);
}

void
listen_init(struct runs *rs)
{
	map_init(&rs->ears, ear_hash, ear_eq, ear_key);
}

void
listen_release(struct runs *rs)
{
	assert(rs->ears.n == 0);
	map_release(&rs->ears);
}

static void
ear_modes(struct ear *ear)
{
	ear->modes = 0;
	for (const struct listener *l = ear->first; l != NULL; l = l->next)
		ear->modes |= l->modes;
}

/* The last one takes the ear with it. */
static void
ear_drop(struct listener *l)
{
	struct ear *ear = l->ear;
	struct listener **at = &ear->first;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	l->ear = NULL;
	ear->n--;
	ear_modes(ear);
	directory_unpin(ear->rs->sh->directory, &ear->thread_id);
	if (ear->n > 0)
		return;
	while (ear->taps != NULL)
		tap_close(ear->taps);
	map_take(&ear->rs->ears, &ear->thread_id);
	free(ear);
}

static void
ear_add(struct runs *here, struct listener *l)
{
	struct ear *ear = map_get(&here->ears, &l->thread_id);
	unsigned heard;

	if (ear == NULL) {
		ear = mem_new(struct ear);
		ear->rs = here;
		ear->thread_id = l->thread_id;
		map_put(&here->ears, ear);
	}
	heard = ear->modes;
	l->ear = ear;
	l->next = ear->first;
	ear->first = l;
	ear->n++;
	ear_modes(ear);
	if (ear->n == 1 || ((heard ^ ear->modes) & LISTEN_RUNS))
		ear_taps(ear);
}

static void
say_end(struct listener *l, int rc)
{
	if (l->ear != NULL)
		ear_drop(l);
	l->rc = rc;
	l->end.open = end_open;
	runs_send(l->home, l->away, &l->end);
}

static void
ear_end(struct ear *ear, int rc)
{
	for (size_t n = ear->n; n > 0; n--)
		say_end(ear->first, rc);     /* the last one frees it */
}

void
listen_gone(struct runs *here, const struct uuid *thread_id)
{
	struct ear *ear = map_get(&here->ears, thread_id);

	if (ear != NULL)
		ear_end(ear, ERR_NOTFOUND);
}

void
listen_end(struct runs *rs)
{
	struct ear *ear;
	size_t at = 0;

	while ((ear = map_each(&rs->ears, &at)) != NULL) {
		ear_end(ear, ERR_CLOSED);
		at = 0;
	}
}

/* ---- what is kept -------------------------------------------------------------------- */

struct replaying {
	struct run_watch w;
	struct listener *l;
};

static void
replay_frames_of(struct run_watch *w, struct sse_block *b)
{
	tell_take(CONTAINER_OF(w, struct replaying, w)->l, with_ids(b, &w->run_id));
}

static bool
never(const void *ctx)
{
	(void)ctx;
	return false;
}

/* One run, behind `after`: its events as far as they are kept, and its end. */
static void
replay_run(struct runs *here, struct listener *l, const struct store_run_name *r,
    int64_t after)
{
	const struct run *run = run_find(here, &r->run_id);
	struct tape_source s = { .rs = here, .owner = l->owner, .run_seq = r->seq,
	    .thread_seq = l->thread_seq, .thread_id = l->thread_id, .run_id = r->run_id,
	    .ids = true, .log = run != NULL ? run->stream.log : NULL };
	struct replaying p = { .l = l, .w = { .run_id = r->run_id, .modes = ALL_MODES,
	    .wants_events = true, .after = after, .frames = replay_frames_of } };

	if (after < 0 && (l->modes & LISTEN_LIFECYCLE))
		tell_take(l, lifecycle("metadata", &r->run_id, "running", "0"));
	if (l->modes & LISTEN_RUNS)
		(void)tape_replay(&s, &p.w, never, NULL);
	if (r->status > RUN_RUNNING && (l->modes & (LISTEN_RUNS | LISTEN_LIFECYCLE)))
		tell_take(l, lifecycle("end", &r->run_id, run_status_names[r->status], "end"));
}

/* From the run that it names on; without one, the newest that are kept. */
static void
replay(struct runs *here, struct listener *l)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run_name *r = NULL;
	size_t n = 0;
	bool from_here = uuid_is_zero(&l->run_id);

	if (l->after == INT64_MAX && from_here)
		return;
	if (store_runs_newest(here->reader, l->owner, l->thread_seq, LIMIT_REPLAY_RUNS, &a,
	    &r, &n) != OK)
		n = 0;
	while (n > 0) {
		const struct store_run_name *one = &r[--n];

		if (one->status == RUN_PENDING)
			continue;
		if (from_here)
			replay_run(here, l, one, -1);
		else if (uuid_eq(&one->run_id, &l->run_id) && l->after < INT64_MAX)
			replay_run(here, l, one, l->after);
		from_here = from_here || uuid_eq(&one->run_id, &l->run_id);
	}
	arena_release(&a);
}

/* ---- coming and going ---------------------------------------------------------------- */

static void
arrive_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct listener *l = CONTAINER_OF(p, struct listener, arrive);
	const struct ear *ear = map_get(&here->ears, &l->thread_id);
	bool full = ear != NULL && ear->n >= LIMIT_THREAD_LISTENERS;

	if (here->draining || full) {
		directory_unpin(here->sh->directory, &l->thread_id);
		say_end(l, full ? ERR_LIMIT : ERR_CLOSED);
		return;
	}
	replay(here, l);
	ear_add(here, l);
}

static void
leave_open(void *ctx, struct parcel *p)
{
	struct listener *l = CONTAINER_OF(p, struct listener, leave);

	(void)ctx;
	if (l->ear != NULL)
		ear_drop(l);
	l->parted.open = parted_open;
	runs_send(l->home, l->away, &l->parted);
}

int
thread_listen(struct runs *rs, owner_t owner, const struct store_thread *t,
    struct thread_ear *e)
{
	struct listener *l;

	if (atomic_fetch_add(&rs->sh->listeners, 1) >= LIMIT_LISTENERS) {
		atomic_fetch_sub(&rs->sh->listeners, 1);
		return ERR_LIMIT;
	}
	l = mem_new(struct listener);
	l->away = rs;
	l->e = e;
	l->owner = owner;
	l->thread_seq = t->seq;
	l->thread_id = t->id;
	l->run_id = e->run_id;
	l->after = e->after;
	l->modes = e->modes;
	l->home = directory_pin(rs->sh->directory, &t->id, rs);
	l->arrive.open = arrive_open;
	e->link = l;
	runs_send(rs, l->home, &l->arrive);
	return OK;
}

void
thread_unlisten(struct thread_ear *e)
{
	struct listener *l = e->link;

	if (l == NULL)
		return;
	e->link = NULL;
	l->e = NULL;
	l->leaving = true;
	l->leave.open = leave_open;
	runs_send(l->away, l->home, &l->leave);
}

/* ---- updates -------------------------------------------------------------------------- */

struct updated {
	struct parcel parcel;
	struct uuid thread_id;
	struct sse_block *block;
};

static void
updated_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct updated *x = CONTAINER_OF(p, struct updated, parcel);
	struct ear *ear = map_get(&here->ears, &x->thread_id);

	if (ear != NULL)
		tell_all(ear, LISTEN_UPDATES, x->block);
	else
		sse_block_drop(x->block);
	free(x);
}

void
thread_updated(struct runs *rs, const struct uuid *thread_id, struct str json)
{
	struct runs *home = directory_thread(rs->sh->directory, thread_id);
	struct buf frame = BUF(SIZE_MAX / 2);
	struct updated *x;

	if (home == NULL)
		return;                      /* nobody listens */
	x = mem_new(struct updated);
	x->thread_id = *thread_id;
	sse_add_frame(&frame, S("state_update"), json, -1);
	x->block = sse_block_new(buf_str(&frame));
	buf_release(&frame);
	x->parcel.open = updated_open;
	runs_send(rs, home, &x->parcel);
}
