/*
 * away.c - see away.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/away.h"

#include <string.h>

#include "base/scan.h"
#include "worker/away_priv.h"

/* A copy's poll. */
struct copy_poll {
	struct worker_poll p;
	struct list in;
	struct worker_away *away;
	struct wheel_timer timer;
	uint64_t from;
	struct away_head have;
};

/* What comes in pieces. */
struct away_coming {
	uint64_t from;
	struct buf text;
};

#define NAMES_MAX 64                         /* asked for at once; the others follow */
#define PIECE     ((size_t)LIMIT_BUS_MESSAGE_BYTES / 2)

bool
away_say(struct worker_away *w, uint64_t to, struct away_head *h, struct str name,
    struct str build, struct str lang, struct str text)
{
	struct str pieces[] = { { (const char *)h, sizeof *h }, name, build, lang, text };

	h->name_n = (uint32_t)name.n;
	h->build_n = (uint32_t)build.n;
	h->lang_n = (uint32_t)lang.n;
	h->text_n = (uint32_t)text.n;
	return w->o.say(w->o.ctx, to, pieces, COUNT(pieces));
}

/* ---- A: asking ------------------------------------------------------------------- */

struct wanted {
	const struct worker_service *service;
	const struct worker_build *build;    /* NULL: any */
	enum worker_slot slot;
	uint32_t n;
	struct away_head h;
	struct str name, text;
};

/* One more of these. */
static size_t
count_one(struct wanted *out, size_t from, size_t n, const struct wanted *one)
{
	for (size_t i = from; i < n; i++)
		if (out[i].slot == one->slot && out[i].build == one->build) {
			out[i].n++;
			return n;
		}
	if (n < NAMES_MAX)
		out[n++] = *one;
	return n;
}

/* Under the lock: how many offers for a name wait, by places and by the build they wait for. */
static size_t
count_offers(const struct worker_service *sv, nsec now, struct wanted *out, size_t n)
{
	const struct worker_build *newest = newest_build(sv, now);
	size_t from = n;

	for (struct list *l = sv->lanes.next; l != &sv->lanes; l = l->next) {
		const struct worker_lane *lane = CONTAINER_OF(l, struct worker_lane,
		    in_service);

		for (struct list *k = lane->offers.next; k != &lane->offers; k = k->next)
			n = count_one(out, from, n, &(struct wanted){ .service = sv, .n = 1,
			    .slot = lane->key.slot, .build = offer_build(CONTAINER_OF(k,
			    struct worker_offer, in_lane), newest, now) });
	}
	return n;
}

/* Offers that waited for a build may have one of another by now. */
static size_t
collect(struct worker_desk *d, struct arena *a, struct wanted *out)
{
	struct workers *ws = d->workers;
	struct worker_service *sv;
	size_t at = 0, n = 0;

	workers_lock(ws);
	for (sv = map_each(&ws->services, &at); sv != NULL && n < NAMES_MAX;
	    sv = map_each(&ws->services, &at)) {
		service_settle(d, sv);
		if (sv->offers_n > 0)
			n = count_offers(sv, shard_now(d->shard), out, n);
	}
	for (size_t i = 0; i < n; i++) {
		out[i].h = (struct away_head){ .word = WANT, .n = out[i].n,
			.kind = (uint8_t)out[i].service->key.kind, .slot = (uint8_t)out[i].slot };
		out[i].name = arena_str(a, out[i].service->key.name);
		if (out[i].build != NULL)
			out[i].text = arena_str(a, out[i].build->text);
	}
	workers_unlock(ws);
	return n;
}

void
away_ask(struct worker_away *w)
{
	struct arena a = ARENA(MB);
	struct wanted *at = mem_zero(NAMES_MAX * sizeof *at);
	size_t n = w->draining ? 0 : collect(w->d, &a, at);

	for (size_t i = 0; i < n; i++)
		away_say(w, 0, &at[i].h, at[i].name, at[i].text, STR_NONE, STR_NONE);
	if (n > 0)
		shard_timer_set(w->d->shard, &w->again, LIMIT_WORKER_ASK_MS);
	free(at);
	arena_release(&a);
}

static void
on_again(struct wheel_timer *t)
{
	away_ask(CONTAINER_OF(t, struct worker_away, again));
}

static void
on_want(struct shard_job *job)
{
	struct worker_away *w = CONTAINER_OF(job, struct worker_away, job);

	atomic_store(&w->posted, false);
	away_ask(w);
}

void
away_want(const struct worker_offer *o)
{
	struct worker_away *w = o->home->workers->away;

	if (w != NULL && o->state == WORKER_QUEUED && !atomic_exchange(&w->posted, true))
		shard_post(w->d->shard, &w->job);
}

/* ---- B: places of workers here ------------------------------------------------------ */

/* Under the lock: places of a worker's poll that waits, which are its no more. */
static uint32_t
take_places(struct worker_session *s, enum worker_slot slot, uint32_t most)
{
	int64_t n = s->free[slot] - s->flight[slot];

	if (n > most)
		n = most;
	s->free[slot] -= n;
	return (uint32_t)n;
}

static void
wanted(struct worker_away *w, uint64_t from, const struct away_head *h, struct str name,
    struct str build)
{
	struct workers *ws = w->d->workers;
	struct worker_service *sv;
	uint32_t left = h->n;
	struct list *l;

	workers_lock(ws);
	sv = service_find(ws, h->kind, name);
	l = sv == NULL ? NULL : sv->ready[h->slot].next;
	while (l != NULL && l != &sv->ready[h->slot] && left > 0) {
		struct worker_row *r = CONTAINER_OF(l - h->slot, struct worker_row, ready[0]);
		struct worker_session *s = r->session;
		struct away_head have = { .word = HAVE, .kind = h->kind, .slot = h->slot,
		    .worker = s->id };

		l = l->next;
		if (s->copy || (build.n > 0 && !str_eq(build, r->build->text)))
			continue;
		have.n = take_places(s, h->slot, left);
		have.serial = s->poll->serial;
		memcpy(have.key, s->key, sizeof have.key);
		left -= have.n;
		away_say(w, from, &have, name, s->build, s->lang, s->name);
		session_serve(w->d, s);      /* it is ready for less */
		l = sv->ready[h->slot].next;
	}
	if (sv != NULL && left > 0 && service_is_served(sv))
		sv->wanted_until = shard_now(w->d->shard) + 2 * LIMIT_WORKER_ASK_MS * NS_PER_MS;
	workers_unlock(ws);
}

static bool
has_ready(const struct worker_service *sv)
{
	for (unsigned k = 0; k < WORKER_SLOTS; k++)
		for (struct list *l = sv->ready[k].next; l != &sv->ready[k]; l = l->next)
			if (!CONTAINER_OF(l - k, struct worker_row, ready[0])->session->copy)
				return true;
	return false;
}

static void
on_ready(struct shard_job *job)
{
	struct worker_away *w = CONTAINER_OF(job, struct worker_away, ready);
	struct workers *ws = w->d->workers;
	nsec now = shard_now(w->d->shard);
	struct worker_service *sv;
	size_t at = 0;

	atomic_store(&w->ready_posted, false);
	workers_lock(ws);
	for (sv = map_each(&ws->services, &at); sv != NULL; sv = map_each(&ws->services, &at)) {
		struct away_head h = { .word = READY, .kind = (uint8_t)sv->key.kind };

		if (sv->wanted_until < now || !has_ready(sv))
			continue;
		sv->wanted_until = 0;
		away_say(w, 0, &h, sv->key.name, STR_NONE, STR_NONE, STR_NONE);
	}
	workers_unlock(ws);
}

void
away_ready(struct workers *ws, const struct worker_session *s, nsec now)
{
	struct worker_away *w = ws->away;
	bool wanted = false;

	for (size_t i = 0; w != NULL && !s->copy && i < s->rows_n; i++)
		wanted = wanted || s->rows[i].service->wanted_until >= now;
	if (wanted && !atomic_exchange(&w->ready_posted, true))
		shard_post(w->d->shard, &w->ready);
}

static void
is_ready(struct worker_away *w, const struct away_head *h, struct str name)
{
	struct workers *ws = w->d->workers;
	struct worker_service *sv;
	bool waits;

	workers_lock(ws);
	sv = service_find(ws, h->kind, name);
	waits = sv != NULL && sv->offers_n > 0;
	workers_unlock(ws);
	if (waits)
		away_ask(w);
}

/* Under the lock.  They are the worker's again, unless it has polled anew. */
static void
return_places(struct worker_away *w, struct worker_session *s, const struct away_head *h)
{
	if (s->poll == NULL || s->poll->serial != h->serial || h->n == 0)
		return;
	s->free[h->slot] += h->n;
	if (s->free[h->slot] > s->slots[h->slot])
		s->free[h->slot] = s->slots[h->slot];
	session_serve(w->d, s);
}

/* Tasks for a worker here, objects with commas between. */
static void
hand_over(struct worker_away *w, const struct away_head *h, struct str text)
{
	struct workers *ws = w->d->workers;
	struct worker_session *s;

	workers_lock(ws);
	s = session_find(ws, &h->worker);
	if (s != NULL && text.n > 0) {
		struct worker_task *t = mem_new(struct worker_task);

		t->text = BUF(SIZE_MAX / 2);
		buf_add(&t->text, text);
		list_append(&s->outbox, &t->in_session);
		poll_poke(w->d, s);
	}
	if (s != NULL)
		return_places(w, s, h);
	workers_unlock(ws);
}

static struct away_coming *
coming_of(struct worker_away *w, uint64_t from)
{
	for (size_t i = 0; i < w->coming_n; i++)
		if (w->coming[i].from == from)
			return &w->coming[i];
	mem_grow(w->coming, w->coming_n, w->coming_cap);
	w->coming[w->coming_n] = (struct away_coming){ from, BUF(LIMIT_WORKER_AWAY_BYTES) };
	return &w->coming[w->coming_n++];
}

/* A piece that does not follow the last one: some was lost, and so is all of it. */
static void
tasks_came(struct worker_away *w, uint64_t from, const struct away_head *h, struct str text)
{
	struct away_coming *c = coming_of(w, from);

	if (h->at == 0)
		buf_clear(&c->text);
	if (h->at != c->text.n)
		return;
	buf_add(&c->text, text);
	if (c->text.failed || c->text.n < h->all)
		return;
	hand_over(w, h, buf_str(&c->text));
	buf_release(&c->text);
}

void
away_drop_tasks(struct worker_session *s)
{
	struct list *next;

	for (struct list *l = s->outbox.next; l != &s->outbox; l = next) {
		struct worker_task *t = CONTAINER_OF(l, struct worker_task, in_session);

		next = l->next;
		if (t->offer == NULL)
			outbox_drop(t);
	}
	for (struct list *l = s->notices.next; l != &s->notices; l = next) {
		struct worker_notice *n = CONTAINER_OF(l, struct worker_notice, in_session);

		next = l->next;
		if (n->offer == NULL)
			notice_free(n);
	}
}

/* ---- a worker is silent, or a task of it is cancelled ------------------------------- */

static void
mute_all(struct worker_desk *d, const struct uuid *worker)
{
	struct worker_session *s;
	size_t at = 0;

	for (s = map_each(&d->workers->sessions, &at); s != NULL;
	    s = map_each(&d->workers->sessions, &at))
		if (uuid_eq(s->copy ? &s->of : &s->id, worker))
			session_mute(d, s);
}

void
away_mute(struct worker_desk *d, struct worker_session *s)
{
	struct worker_away *w = d->workers->away;
	struct away_head h = { .word = MUTE, .worker = s->copy ? s->of : s->id };

	if (w == NULL) {
		session_mute(d, s);
		return;
	}
	mute_all(d, &h.worker);
	away_say(w, 0, &h, STR_NONE, STR_NONE, STR_NONE, STR_NONE);
}

static void
is_silent(struct worker_away *w, const struct away_head *h)
{
	workers_lock(w->d->workers);
	mute_all(w->d, &h->worker);
	workers_unlock(w->d->workers);
}

/* The task's id is where a build is in others; n: it is rolled back. */
void
away_cancel(struct workers *ws, const struct worker_offer *o)
{
	struct away_head h = { .word = CANCEL, .n = o->rollback, .worker = o->session->of };
	struct str id = { (const char *)o->task_id.b, sizeof o->task_id.b };

	away_say(ws->away, o->session->from, &h, STR_NONE, id, STR_NONE, o->reason);
}

static void
is_cancelled(struct worker_away *w, const struct away_head *h, struct str id, struct str reason)
{
	struct worker_notice n = { .rollback = h->n > 0 };
	struct worker_session *s;

	if (id.n != sizeof n.task_id.b)
		return;
	memcpy(n.task_id.b, id.p, id.n);
	workers_lock(w->d->workers);
	s = session_find(w->d->workers, &h->worker);
	if (s != NULL)
		(void)notice_add(w->d, s, &n, reason);
	workers_unlock(w->d->workers);
}

/* ---- A: a worker has places ---------------------------------------------------------- */

static void
poll_end(struct copy_poll *c)
{
	list_remove(&c->in);
	shard_timer_cancel(c->away->d->shard, &c->timer);
	buf_release(&c->p.text);
	free(c);
}

/* The objects in `"tasks":[...],"quiet":...`, and how many. */
static struct str
tasks_of(struct str text, uint32_t *n)
{
	struct scan s = scan_of(str_sub(text, S("\"tasks\":").n, text.n)), all;
	struct str array = STR_NONE, one;
	bool first = true;

	*n = 0;
	if (!scan_value(&s, &array))
		return STR_NONE;
	all = scan_of(array);
	(void)scan_open(&all, '[');
	while (scan_element(&all, &first) && scan_value(&all, &one))
		++*n;
	return str_sub(array, 1, array.n - 2);
}

static void
send_tasks(struct copy_poll *c, struct str text, uint32_t used)
{
	struct away_head h = c->have;

	h.word = TASKS;
	h.n = used < h.n ? h.n - used : 0;
	h.all = (uint32_t)text.n;
	do {
		struct str piece = str_sub(text, h.at, PIECE);

		if (!away_say(c->away, c->from, &h, STR_NONE, STR_NONE, STR_NONE, piece))
			return;
		h.at += (uint32_t)piece.n;
	} while (h.at < h.all);
}

static void
copy_answered(struct worker_poll *p)
{
	struct copy_poll *c = p->ctx;
	uint32_t n;
	struct str tasks = tasks_of(buf_str(&p->text), &n);

	send_tasks(c, tasks, n);
	poll_end(c);
}

static void
poll_leave(struct copy_poll *c)
{
	worker_poll_leave(&c->p);
	send_tasks(c, STR_NONE, 0);
	poll_end(c);
}

/* Nothing for it any more, unless an offer has it and is about to be sent. */
static void
copy_over(struct wheel_timer *t)
{
	struct copy_poll *c = CONTAINER_OF(t, struct copy_poll, timer);
	struct worker_away *w = c->away;
	bool taken;

	workers_lock(w->d->workers);
	taken = c->p.session->flight[c->have.slot] > 0;
	workers_unlock(w->d->workers);
	if (taken)
		shard_timer_set(w->d->shard, t, LIMIT_WORKER_ASK_MS);
	else
		poll_leave(c);
}

/* One copy for each name that a worker serves. */
static struct uuid
copy_id(const struct uuid *worker, enum service_kind kind, struct str name)
{
	uint8_t digest[SHA256_SIZE];
	struct buf b = BUF(KB + name.n);
	struct uuid id;

	buf_add(&b, (struct str){ (const char *)worker->b, sizeof worker->b });
	buf_add_char(&b, (char)('0' + kind));
	buf_add(&b, name);
	sha256(buf_str(&b), digest);
	buf_release(&b);
	memcpy(id.b, digest, sizeof id.b);
	return id;
}

struct worker_session *
away_copy(struct workers *ws, const struct uuid *worker, const struct service_key *key)
{
	struct uuid id;

	if (ws->away == NULL)
		return NULL;
	id = copy_id(worker, key->kind, key->name);
	return session_find(ws, &id);
}

/* Under the lock. */
static bool
copy_get(struct worker_away *w, uint64_t from, const struct away_head *h, const struct str texts[4],
    const struct uuid *id)
{
	struct workers *ws = w->d->workers;
	struct worker_service *sv = service_get(ws, h->kind, texts[0]);
	struct worker_session *s = session_find(ws, id);
	struct worker_intake in = { .build = texts[1], .lang = texts[2], .name = texts[3] };

	if (s != NULL)
		s->from = from;
	if (sv == NULL || s != NULL)
		return s != NULL;
	memcpy(in.key, h->key, sizeof in.key);
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		in.slots[i] = INT32_MAX;     /* each poll says how many */
	s = worker_session_new(w->d, &in, *id);
	s->copy = true;
	s->from = from;
	s->of = h->worker;
	uuid_format(&h->worker, (char *)(uintptr_t)s->id_text.p);
	s->rows = mem_zero(sizeof *s->rows);
	session_add_row(s, sv);
	map_put(&ws->sessions, s);
	return true;
}

/* Its worker has left: what it had of ours is lost now, not when its leases are over. */
static void
has_left(struct worker_away *w, const struct away_head *h, struct str name)
{
	struct uuid id = copy_id(&h->worker, h->kind, name);
	struct worker_session *s;

	workers_lock(w->d->workers);
	s = session_find(w->d->workers, &id);
	if (s != NULL && s->copy)
		session_end(w->d, s, "left");
	workers_unlock(w->d->workers);
}

static void
has_places(struct worker_away *w, uint64_t from, const struct away_head *h,
    const struct str texts[4])
{
	struct uuid id = copy_id(&h->worker, h->kind, texts[0]);
	struct copy_poll *c;
	bool there;

	workers_lock(w->d->workers);
	there = copy_get(w, from, h, texts, &id);
	workers_unlock(w->d->workers);
	if (!there || w->draining)
		return;
	c = mem_new(struct copy_poll);
	c->away = w;
	c->from = from;
	c->have = *h;
	c->have.at = 0;
	c->p.free[h->slot] = h->n;
	c->p.answered = copy_answered;
	c->p.ctx = c;
	c->timer.fire = copy_over;
	list_append(&w->polls, &c->in);
	shard_timer_set(w->d->shard, &c->timer, LIMIT_WORKER_ASK_MS);
	if (workers_poll(w->d, &c->p, &id, h->key, NULL) < 0)
		poll_end(c);
}

/* ---- B: a worker leaves ---------------------------------------------------------------- */

void
away_left(struct workers *ws, const struct worker_session *s)
{
	for (size_t i = 0; ws->away != NULL && i < s->rows_n; i++) {
		const struct worker_service *sv = s->rows[i].service;
		struct away_head h = { .word = LEFT, .kind = (uint8_t)sv->key.kind, .worker = s->id };

		away_say(ws->away, 0, &h, sv->key.name, STR_NONE, STR_NONE, STR_NONE);
	}
}

/* ---- words ------------------------------------------------------------------------------ */

static bool
read_texts(const struct away_head *h, struct str rest, struct str texts[4])
{
	const uint32_t n[4] = { h->name_n, h->build_n, h->lang_n, h->text_n };

	for (int i = 0; i < 4; i++) {
		if (rest.n < n[i])
			return false;
		texts[i] = str_sub(rest, 0, n[i]);
		rest = str_sub(rest, n[i], rest.n);
	}
	return true;
}

void
worker_away_heard(struct worker_away *w, uint64_t from, struct str word)
{
	struct str texts[4];
	struct away_head h;

	if (word.n < sizeof h || w->draining)
		return;
	memcpy(&h, word.p, sizeof h);
	if (h.kind > SERVICE_TOOL || h.slot >= WORKER_SLOTS || h.served >= SERVED_KINDS ||
	    !read_texts(&h, str_sub(word, sizeof h, word.n), texts))
		return;
	switch (h.word) {
	case WANT:
		wanted(w, from, &h, texts[0], texts[1]);
		break;
	case HAVE:
		has_places(w, from, &h, texts);
		break;
	case READY:
		is_ready(w, &h, texts[0]);
		break;
	case LEFT:
		has_left(w, &h, texts[0]);
		break;
	case MUTE:
		is_silent(w, &h);
		break;
	case CANCEL:
		is_cancelled(w, &h, texts[1], texts[3]);
		break;
	case TASKS:
		tasks_came(w, from, &h, texts[3]);
		break;
	case SERVED:
		away_is_served(w, from, &h, texts);
	}
}

/* ---- life ------------------------------------------------------------------------------- */

struct worker_away *
worker_away_new(struct worker_desk *d, const struct worker_away_options *o)
{
	struct worker_away *w = mem_new(struct worker_away);

	w->d = d;
	w->o = *o;
	w->job.run = on_want;
	w->changed.run = away_on_changed;
	w->ready.run = on_ready;
	w->again.fire = on_again;
	w->beat.fire = away_on_beat;
	list_init(&w->polls);
	d->workers->away = w;
	return w;
}

void
worker_away_drain(struct worker_away *w)
{
	w->draining = true;
	shard_timer_cancel(w->d->shard, &w->again);
	shard_timer_cancel(w->d->shard, &w->beat);
	while (!list_empty(&w->polls))
		poll_leave(CONTAINER_OF(w->polls.next, struct copy_poll, in));
}

void
worker_away_free(struct worker_away *w)
{
	if (w == NULL)
		return;
	assert(list_empty(&w->polls));
	for (size_t i = 0; i < w->coming_n; i++)
		buf_release(&w->coming[i].text);
	free(w->coming);
	free(w);
}
