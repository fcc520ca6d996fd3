/*
 * join.c - watching a run that exists, wherever it is.
 *
 * A watcher asks its own shard (away) where the run is.  On that same shard
 * it joins the run's list itself.  On another (home) a *bridge* joins the list
 * for it, and forwards what it receives.
 *
 *   away                                home
 *     route  ---------- arrive ----------> attach    or   refuse ---> route again
 *     <- started, frames, end ------------
 *     leave  ---------------------------->  detach; parted -----> away frees it
 *
 * Parcels between two shards keep their order, so: after `end` nothing more
 * comes, and after `parted` neither side knows the bridge.  Away frees it on
 * `end`, unless it has sent `leave`: then on `parted`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/tape_priv.h"
#include "store/node.h"

#define TRIES_MAX 16

struct bridge {
	struct run_watch proxy;              /* home's: in the run's list */
	bool attached;                       /* home's */
	struct runs *away, *home;            /* home NULL: still asking where */
	struct run_watch *w;                 /* away's; NULL: it has left */
	bool leaving;                        /* away's: `leave` was sent */
	unsigned tries;
	owner_t owner;
	struct uuid thread_id, run_id;
	struct str *namespaces;              /* the proxy's: copies, then their texts */
};

void
bridge_free(struct bridge *r)
{
	free(r->namespaces);
	free(r);
}

/* What travels. */
struct note {
	struct parcel parcel;
	struct bridge *bridge;
	struct sse_block *block;
	struct uuid thread_id, run_id;
	int rc;
	struct run_end end;
	struct err err;
	char text[];                         /* of end */
};

static struct note *
note_new(struct bridge *r, void (*open)(void *ctx, struct parcel *p),
    size_t text)
{
	struct note *n = mem_zero(sizeof *n + text);

	n->bridge = r;
	n->parcel.open = open;
	return n;
}

static void
to_away(struct bridge *r, struct note *n)
{
	runs_send(r->home, r->away, &n->parcel);
}

static void
to_home(struct bridge *r, struct note *n)
{
	runs_send(r->away, r->home, &n->parcel);
}

void
watch_end(struct run_watch *w, int rc, const struct run_end *end, const struct err *e)
{
	static const struct err none;

	w->runs = NULL;
	w->link = NULL;
	w->end(w, rc, rc == OK ? end : NULL, e != NULL ? e : &none);
}

/* ---- what home says, heard away ------------------------------------------ */

static void
started_open(void *ctx, struct parcel *p)
{
	struct note *n = CONTAINER_OF(p, struct note, parcel);
	struct run_watch *w = n->bridge->w;

	(void)ctx;
	if (w != NULL && w->started != NULL)
		w->started(w, &n->thread_id, &n->run_id);
	free(n);
}

static void
frame_open(void *ctx, struct parcel *p)
{
	struct note *n = CONTAINER_OF(p, struct note, parcel);
	struct run_watch *w = n->bridge->w;

	(void)ctx;
	if (w != NULL)
		w->frames(w, n->block);
	sse_block_drop(n->block);
	free(n);
}

static void
end_open(void *ctx, struct parcel *p)
{
	struct note *n = CONTAINER_OF(p, struct note, parcel);
	struct bridge *r = n->bridge;
	struct run_watch *w = r->w;

	(void)ctx;
	if (!r->leaving)
		bridge_free(r);
	if (w != NULL)
		watch_end(w, n->rc, &n->end, &n->err);
	free(n);
}

static void
parted_open(void *ctx, struct parcel *p)
{
	struct note *n = CONTAINER_OF(p, struct note, parcel);

	(void)ctx;
	assert(n->bridge->leaving && n->bridge->w == NULL);
	free(n->bridge);
	free(n);
}

/* ---- what the proxy receives at home ------------------------------------- */

static void
proxy_started(struct run_watch *w, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	struct bridge *r = CONTAINER_OF(w, struct bridge, proxy);
	struct note *n = note_new(r, started_open, 0);

	n->thread_id = *thread_id;
	n->run_id = *run_id;
	to_away(r, n);
}

static void
proxy_frames(struct run_watch *w, struct sse_block *b)
{
	struct bridge *r = CONTAINER_OF(w, struct bridge, proxy);
	struct note *n = note_new(r, frame_open, 0);

	n->block = sse_block_ref(b);
	to_away(r, n);
}

static struct str
note_text(struct note *n, size_t *at, struct str s)
{
	struct str copy = { n->text + *at, s.n };

	for (size_t i = 0; i < s.n; i++)
		n->text[*at + i] = s.p[i];
	*at += s.n;
	return copy;
}

static void
proxy_end(struct run_watch *w, int rc, const struct run_end *end,
    const struct err *e)
{
	struct bridge *r = CONTAINER_OF(w, struct bridge, proxy);
	size_t size = end == NULL ? 0 : end->values_json.n + end->error_json.n +
	    end->interrupts_json.n, at = 0;
	struct note *n = note_new(r, end_open, size);

	r->attached = false;
	n->rc = rc;
	n->err = *e;
	if (end != NULL) {
		n->end.status = end->status;
		n->end.rolled_back = end->rolled_back;
		n->end.values_json = note_text(n, &at, end->values_json);
		n->end.error_json = note_text(n, &at, end->error_json);
		n->end.interrupts_json = note_text(n, &at, end->interrupts_json);
		n->end.usage = end->usage;
	}
	to_away(r, n);
}

/* The watcher's own may go while home still reads them. */
static void
copy_namespaces(struct bridge *r, const struct run_watch *w)
{
	size_t n = w->namespaces_n, bytes = n * sizeof *r->namespaces;
	char *to;

	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		bytes += w->namespaces[i].n;
	r->namespaces = mem_alloc(bytes);
	to = (char *)(r->namespaces + n);
	for (size_t i = 0; i < n; i++) {
		r->namespaces[i] = (struct str){ to, w->namespaces[i].n };
		for (size_t k = 0; k < w->namespaces[i].n; k++)
			*to++ = w->namespaces[i].p[k];
	}
	r->proxy.namespaces = r->namespaces;
	r->proxy.namespaces_n = n;
}

bool
bridge_is_gone(const struct bridge *r)
{
	return r->w == NULL;
}

struct run_watch *
bridge_watch(const struct bridge *r)
{
	return r->w;
}

struct bridge *
bridge_new(struct runs *away, struct runs *home, owner_t owner, struct run_watch *w)
{
	struct bridge *r = mem_new(struct bridge);

	r->owner = owner;
	r->run_id = w->run_id;
	r->proxy.run_id = w->run_id;
	r->away = away;
	r->home = home;
	r->w = w;
	r->proxy.modes = w->modes;
	r->proxy.after = w->after;
	r->proxy.after_checkpoint = w->after_checkpoint;
	copy_namespaces(r, w);
	r->proxy.cancel_on_gone = w->cancel_on_gone;
	r->proxy.wants_events = w->wants_events;
	r->proxy.wants_values = w->wants_values;
	r->proxy.started = proxy_started;
	r->proxy.frames = proxy_frames;
	r->proxy.end = proxy_end;
	w->link = r;
	return r;
}

/* ---- replay -------------------------------------------------------------- */

/* A watcher on this shard may leave while it gets what it has missed; a proxy
 * (no guard) cannot. */
static bool
has_left(const void *guard)
{
	return guard != NULL && ((const struct bridge *)guard)->w == NULL;
}

/* What a run that is here has told. */
static struct tape_source
source_of(const struct run *run)
{
	struct tape_source s = { .rs = run->rs, .owner = run->place.owner,
	    .run_id = run->place.run_id, .ids = true, .log = run->stream.log };

	if (!run->stateless) {
		s.run_seq = run->seq;
		s.thread_seq = run->thread_seq;
		s.thread_id = run->place.thread_id;
	}
	return s;
}

void
bridge_attach(struct bridge *r, struct run *run)
{
	bool here = r->away == run->rs;
	bool kept = run->stream.keeps || (run->seq != 0 && run->phase == PHASE_PENDING);
	struct run_watch *w = here ? r->w : &r->proxy;
	struct tape_source s = source_of(run);

	if (kept && !tape_replay(&s, w, has_left, here ? r : NULL)) {
		bridge_free(r);               /* only one that is here can leave now */
		return;
	}
	if (here) {
		w->link = NULL;
		bridge_free(r);
	} else {
		r->attached = true;
		w->runs = run->rs;
	}
	stream_attach(&run->stream, w);
}

/* ---- where is it --------------------------------------------------------- */

static bool
is_foreign(struct runs *rs, const struct uuid *thread_id)
{
	int64_t node = 0;

	return store_thread_node(rs->reader, thread_id, &node) == OK && node != 0 &&
	    node != store_node(rs->sh->store);
}

bool
run_is_taken(const struct run *run)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	int rc = store_run_get(run->rs->reader, run->place.owner, &run->place.run_id, &a, &row);
	bool taken = rc == ERR_NOTFOUND || (rc == OK && (row.status > RUN_RUNNING ||
	    is_foreign(run->rs, &run->place.thread_id)));

	arena_release(&a);
	return taken;
}

enum whereabouts
run_locate(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, struct arena *a, struct runs **home,
    struct store_run *row, int *rc)
{
	struct directory *d = rs->sh->directory;

	/* A run is in the directory until its end is committed; so a miss, then a
	 * row that is not ended, means it was about to end or to be taken. */
	for (int look = 0; look < 2; look++) {
		*home = directory_find(d, owner, thread_id, run_id);
		if (*home != NULL)
			return AT_HOME;
		*rc = store_run_get(rs->reader, owner, run_id, a, row);
		if (*rc == OK && !uuid_is_zero(thread_id) &&
		    !uuid_eq(thread_id, &row->thread_id))
			*rc = ERR_NOTFOUND;
		if (*rc != OK)
			return AT_NONE;
		if (row->status > RUN_RUNNING)
			return AT_REST;
		if (is_foreign(rs, &row->thread_id))
			return AT_FOREIGN;
		*home = directory_thread(d, &row->thread_id);
		if (*home != NULL)
			return AT_HOME;
	}
	return AT_LARGE;
}

static void route_open(void *ctx, struct parcel *p);

static void
route_again(struct bridge *r)
{
	struct note *n = note_new(r, route_open, 0);

	r->home = NULL;
	r->tries++;
	runs_send(r->away, r->away, &n->parcel);
}

static void
refused_open(void *ctx, struct parcel *p)
{
	struct note *n = CONTAINER_OF(p, struct note, parcel);

	(void)ctx;
	if (!n->bridge->leaving)
		route_again(n->bridge);
	free(n);
}

struct run *
run_expect(struct runs *here, owner_t owner, const struct uuid *run_id)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	struct run *run = run_find(here, run_id);

	if (run != NULL)
		return run;
	if (store_run_get(here->reader, owner, run_id, &a, &row) == OK &&
	    row.status <= RUN_RUNNING && !is_foreign(here, &row.thread_id) &&
	    directory_thread(here->sh->directory, &row.thread_id) == here) {
		run = run_new(&row.id, &row.thread_id, owner);
		run->rs = here;
		run->seq = row.seq;
		run->thread_seq = row.thread_seq;
		run_set_phase(run, PHASE_PENDING);
		directory_enter(here->sh->directory, &run->place, false, here);
		map_put(&here->runs, run);
		if (row.held > 0)
			run_set_held(run);
		run->wakes = row.status == RUN_RUNNING;
		if (run->wakes)
			admit_large(here, owner, &row);      /* it is parked */
	}
	arena_release(&a);
	return run;
}

/* At home. */
static void
arrive(struct runs *here, struct bridge *r)
{
	struct run *run = run_expect(here, r->owner, &r->run_id);

	if (run != NULL)
		bridge_attach(r, run);
	else if (r->away == here)
		route_again(r);
	else
		to_away(r, note_new(r, refused_open, 0));
}

static void
arrive_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct note *n = CONTAINER_OF(p, struct note, parcel);

	arrive(here, n->bridge);
	free(n);
}

/* ---- away ---------------------------------------------------------------- */

void
bridge_end(struct bridge *r, int rc, const struct run_end *end, const struct err *e)
{
	struct run_watch *w = r->w;

	bridge_free(r);
	watch_end(w, rc, end, e);
}

/* What is stored and it has not read.  False: it has left, and is freed. */
bool
bridge_replay(struct bridge *r, const struct store_run *row)
{
	struct tape_source s = { .rs = r->away, .owner = r->owner, .run_seq = row->seq,
	    .thread_seq = row->thread_seq, .thread_id = row->thread_id,
	    .run_id = row->id, .ids = true };
	bool stays = tape_replay(&s, r->w, has_left, r);

	if (!stays)
		bridge_free(r);
	return stays;
}

/* It has ended: what is stored is replayed, then the end. */
void
bridge_rest(struct bridge *r, const struct store_run *row)
{
	struct buf values = BUF(2u * LIMIT_STATE_BYTES);
	struct run_end end = { .status = row->status, .error_json = row->error_json };

	if (!bridge_replay(r, row))
		return;
	if (!r->w->wants_events)
		thread_values(r->away, r->owner, row->thread_seq, &values);
	end.values_json = buf_str(&values);
	bridge_end(r, OK, &end, NULL);
	buf_release(&values);
}

static void
route(struct runs *here, struct bridge *r)
{
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	struct runs *home = NULL;
	enum whereabouts at;
	struct err e;
	int rc = OK;

	at = run_locate(here, r->owner, &r->thread_id, &r->run_id, &a, &home, &row, &rc);
	if (at == AT_HOME && home == here) {
		arrive(here, r);
	} else if (at == AT_HOME) {
		r->home = home;
		r->proxy.after = r->w->after;        /* it may have read some in the store */
		to_home(r, note_new(r, arrive_open, 0));
	} else if (at == AT_REST) {
		bridge_rest(r, &row);
	} else if (at == AT_FOREIGN) {
		foreign_follow(here, r, r->owner, &row);
	} else if (at == AT_LARGE && r->tries < TRIES_MAX) {
		admit_large(here, r->owner, &row);
		route_again(r);
	} else {
		rc = at == AT_NONE ? rc : ERR_IO;
		err_set(&e, rc, rc == ERR_NOTFOUND ? "Run not found" :
		    "the run is not under way");
		bridge_end(r, rc, NULL, &e);
	}
	arena_release(&a);
}

static void
route_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct note *n = CONTAINER_OF(p, struct note, parcel);
	struct bridge *r = n->bridge;
	struct err e;

	free(n);
	if (r->w == NULL) {
		bridge_free(r);
	} else if (here->draining || r->tries > TRIES_MAX) {
		err_set(&e, ERR_BUSY, "the server is stopping");
		bridge_end(r, ERR_BUSY, NULL, &e);
	} else {
		route(here, r);
	}
}

void
bridge_route(struct bridge *r)
{
	route_again(r);
}

/* A watcher of another shard has its bridge there, which asks. */
void
bridge_again(struct run_watch *w, struct runs *home, owner_t owner)
{
	struct bridge *r;

	if (w->frames == proxy_frames) {
		r = CONTAINER_OF(w, struct bridge, proxy);
		r->attached = false;
		to_away(r, note_new(r, refused_open, 0));
		return;
	}
	w->runs = home;
	r = bridge_new(home, NULL, owner, w);
	r->proxy.started = NULL;
	route_again(r);
}

void
run_join(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, struct run_watch *w)
{
	struct bridge *r;
	struct note *n;

	w->runs = rs;
	w->run_id = *run_id;
	w->next = NULL;
	r = bridge_new(rs, NULL, owner, w);
	r->proxy.started = NULL;             /* it is known to exist */
	r->thread_id = *thread_id;
	n = note_new(r, route_open, 0);
	runs_send(rs, rs, &n->parcel);
}

/* ---- leaving ------------------------------------------------------------- */

/* One who watched it has left: it may leave memory. */
static void
run_unwatched(struct run *run)
{
	if (run->phase == PHASE_LIVE)
		job_look(run->job);
	else
		run_let_go(run);
}

static void
leave_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct note *n = CONTAINER_OF(p, struct note, parcel);
	struct bridge *r = n->bridge;
	struct run *run = run_find(here, &r->run_id);

	if (r->attached) {
		assert(run != NULL);
		stream_detach(&run->stream, &r->proxy);
		r->attached = false;
	}
	if (r->proxy.cancel_on_gone && run != NULL)
		run_stop(run);
	else if (run != NULL)
		run_unwatched(run);
	to_away(r, note_new(r, parted_open, 0));
	free(n);
}

void
run_unwatch(struct run_watch *w)
{
	struct runs *rs = w->runs;
	struct bridge *r = w->link;
	struct run *run;

	if (rs == NULL)
		return;
	w->runs = NULL;
	w->link = NULL;
	if (r != NULL) {
		r->w = NULL;
		r->proxy.cancel_on_gone = w->cancel_on_gone;
		if (r->home != NULL) {
			r->leaving = true;
			to_home(r, note_new(r, leave_open, 0));
		} else if (r->proxy.cancel_on_gone) {
			run_cancel_async(rs, &r->run_id, r->owner);
		}
		return;
	}
	run = run_find(rs, &w->run_id);
	if (run == NULL || !stream_detach(&run->stream, w))
		return;
	if (w->cancel_on_gone)
		run_cancel_async(rs, &run->place.run_id, run->place.owner);
	else
		run_unwatched(run);
}
