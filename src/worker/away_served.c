/*
 * away_served.c - what workers of other nodes serve, and with which builds: who is told to
 * wait for a build, or that nobody serves a graph, is told so by what all nodes have.
 *
 * A node says what it serves when that has changed, and from time to time; a list replaces
 * the one before, and counts for LIMIT_WORKER_AWAY_MS.
 *
 *     SERVED name, what was registered, of each build: when it came, how many workers
 *
 * A worker's registration asks all nodes before it is answered, and they expect its build
 * from then on: a run that begins behind it, at any node, is not given to an older one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/away_priv.h"

#include <string.h>

/* In `build` of SERVED, each with its text behind it; the oldest first. */
struct build_row { int64_t born; uint32_t live, attached, text_n; };

#define BUILDS_MAX ((size_t)64 * KB)
#define COMES_NS   (2 * LIMIT_WORKER_ASK_MS * NS_PER_MS)

/* ---- builds ----------------------------------------------------------------------------- */

bool
build_lives(const struct worker_build *b, nsec now)
{
	bool lives = b->live > 0;

	for (size_t i = 0; !lives && i < b->away_n; i++)
		lives = b->away[i].live > 0 && b->away[i].until > now;
	return lives;
}

unsigned
service_away(const struct worker_service *sv, nsec now, bool attached)
{
	unsigned n = 0;

	for (struct list *l = sv->builds.next; l != &sv->builds; l = l->next) {
		const struct worker_build *b = CONTAINER_OF(l, struct worker_build, in_service);

		for (size_t i = 0; i < b->away_n; i++)
			if (b->away[i].until > now)
				n += attached ? b->away[i].attached : b->away[i].live;
	}
	return n;
}

/* What a node said before goes, and what is too old. */
static void
build_forget(struct worker_build *b, uint64_t from, nsec now)
{
	for (size_t i = b->away_n; i-- > 0; )
		if (b->away[i].from == from || b->away[i].until <= now)
			b->away[i] = b->away[--b->away_n];
}

static void
build_set(struct worker_build *b, const struct build_away *said, nsec now)
{
	build_forget(b, said->from, now);
	mem_grow(b->away, b->away_n, b->away_cap);
	b->away[b->away_n++] = *said;
}

void
build_comes(struct worker_service *sv, struct str build, msec wall, nsec now)
{
	build_set(build_get(sv, build, wall), &(struct build_away){ .live = 1, .attached = 1,
	    .until = now + COMES_NS }, now);
}

/* ---- what is served here -------------------------------------------------------------- */

static void
add_build(struct buf *out, const struct worker_service *sv, const struct worker_build *b)
{
	struct build_row row = { .born = b->born, .live = b->live,
		.text_n = (uint32_t)b->text.n };

	for (struct list *l = sv->rows.next; l != &sv->rows; l = l->next) {
		const struct worker_row *r = CONTAINER_OF(l, struct worker_row, in_service);

		row.attached += r->build == b && !r->session->copy;
	}
	if (row.attached == 0)
		return;
	buf_add(out, (struct str){ (const char *)&row, sizeof row });
	buf_add(out, b->text);
}

/* Under the lock. */
static void
tell(struct worker_away *w, struct worker_service *sv)
{
	struct away_head h = { .word = SERVED, .kind = (uint8_t)sv->key.kind,
		.served = (uint8_t)sv->served };
	struct buf builds = BUF(BUILDS_MAX);

	buf_add_char(&builds, 'b');          /* an empty list is one, too */
	for (struct list *l = sv->builds.prev; l != &sv->builds; l = l->prev)
		add_build(&builds, sv, CONTAINER_OF(l, struct worker_build, in_service));
	away_say(w, 0, &h, sv->key.name, buf_str(&builds), STR_NONE, buf_str(&sv->json));
	sv->changed = false;
	buf_release(&builds);
}

static void
tell_all(struct worker_away *w, bool all)
{
	struct workers *ws = w->d->workers;
	struct worker_service *sv;
	bool any = false;
	size_t at = 0;

	workers_lock(ws);
	for (sv = map_each(&ws->services, &at); sv != NULL; sv = map_each(&ws->services, &at)) {
		bool served = service_is_served(sv);

		any = any || served;
		if (sv->changed || (all && served))
			tell(w, sv);
	}
	workers_unlock(ws);
	if (any && !w->draining)
		shard_timer_set(w->d->shard, &w->beat, LIMIT_WORKER_AWAY_MS / 3);
}

void
worker_away_tell(struct worker_away *w)
{
	tell_all(w, true);
}

void
away_on_beat(struct wheel_timer *t)
{
	worker_away_tell(CONTAINER_OF(t, struct worker_away, beat));
}

void
away_on_changed(struct shard_job *job)
{
	struct worker_away *w = CONTAINER_OF(job, struct worker_away, changed);

	atomic_store(&w->changed_posted, false);
	tell_all(w, false);
}

void
away_changed(struct workers *ws)
{
	struct worker_away *w = ws->away;

	if (w != NULL && !atomic_exchange(&w->changed_posted, true))
		shard_post(w->d->shard, &w->changed);
}

/* ---- what is served elsewhere --------------------------------------------------------- */

/* Under the lock.  How many workers there are. */
static uint32_t
take_builds(struct worker_service *sv, uint64_t from, struct str list, nsec now)
{
	struct build_row row;
	uint32_t n = 0;

	for (list = str_sub(list, 1, list.n); list.n >= sizeof row; ) {
		struct worker_build *b;

		memcpy(&row, list.p, sizeof row);
		list = str_sub(list, sizeof row, list.n);
		if (row.text_n > list.n || row.text_n > LIMIT_WORKER_NAME_BYTES)
			break;
		b = build_get(sv, str_sub(list, 0, row.text_n), row.born);
		list = str_sub(list, row.text_n, list.n);
		build_forget(b, 0, now);     /* it has come */
		build_set(b, &(struct build_away){ from, row.live, row.attached,
		    now + LIMIT_WORKER_AWAY_MS * NS_PER_MS }, now);
		n += row.attached;
	}
	return n;
}

/* Under the lock. */
static uint32_t
take_list(struct worker_away *w, struct worker_service *sv, uint64_t from, struct str list)
{
	nsec now = shard_now(w->d->shard);
	uint32_t n = 1;

	for (struct list *l = sv->builds.next; l != &sv->builds; l = l->next)
		build_forget(CONTAINER_OF(l, struct worker_build, in_service), from, now);
	if (list.n > 0)
		n = take_builds(sv, from, list, now);
	else                                 /* of a node that does not tell builds */
		build_set(build_get(sv, STR_NONE, 0), &(struct build_away){ from, 1, 1,
		    now + LIMIT_WORKER_AWAY_MS * NS_PER_MS }, now);
	build_trim(sv, BUILDS_KEPT);
	service_settle(w->d, sv);            /* what waited for a build that has gone */
	return n;
}

void
away_is_served(struct worker_away *w, uint64_t from, const struct away_head *h,
    const struct str texts[4])
{
	struct workers *ws = w->d->workers;
	struct worker_service *sv;
	bool waits = false;

	workers_lock(ws);
	sv = service_get(ws, h->kind, texts[0]);
	if (sv != NULL && take_list(w, sv, from, texts[1]) > 0 && !service_is_served(sv) &&
	    !str_eq(buf_str(&sv->json), texts[3]))
		service_set_json(ws, sv, h->served, texts[3]);
	waits = sv != NULL && sv->offers_n > 0;
	workers_unlock(ws);
	if (waits)
		away_ask(w);
}
