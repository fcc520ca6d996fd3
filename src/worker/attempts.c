/*
 * attempts.c - who tried what: the newest attempts of each name, and how they ended; and the
 * lists and figures that operators see.
 *
 * SPDX-License-Identifier: MIT
 */
#include "worker/worker_priv.h"

#include <stdio.h>
#include <string.h>

#define LOG_FIRST 8

/* ---- the log ----------------------------------------------------------------------- */

static void
log_grow(struct workers *ws, struct worker_service *sv)
{
	size_t cap = sv->log_cap == 0 ? LOG_FIRST : 2 * sv->log_cap;
	struct attempt *log;

	if (cap > LIMIT_WORKER_ATTEMPTS)
		cap = LIMIT_WORKER_ATTEMPTS;
	if (cap == sv->log_cap || (cap > LOG_FIRST &&
	    ws->log_n + cap - sv->log_cap > LIMIT_WORKER_ATTEMPTS_ALL))
		return;
	log = mem_zero(cap * sizeof *log);
	for (size_t i = 0; i < sv->log_cap; i++)
		if (sv->log[i].seq > 0)
			log[sv->log[i].seq % cap] = sv->log[i];
	free(sv->log);
	ws->log_n += cap - sv->log_cap;
	sv->log = log;
	sv->log_cap = cap;
}

void
attempt_begin(struct workers *ws, struct worker_offer *o, msec now)
{
	struct worker_service *sv = o->service;
	struct attempt *a;

	if (sv->log_seq + 1 >= sv->log_cap)
		log_grow(ws, sv);
	a = &sv->log[++sv->log_seq % sv->log_cap];
	if (a->session != NULL)
		session_drop(a->session);
	*a = (struct attempt){ .seq = sv->log_seq, .kind = o->kind, .task_id = o->task_id,
		.run_id = o->run_id, .thread_id = o->thread_id, .attempt = o->attempt,
		.session = o->session, .began = now };
	session_hold(a->session);
	o->attempt_seq = a->seq;
}

void
attempt_end(struct worker_offer *o, const char *how, msec now)
{
	struct worker_service *sv = o->service;
	struct attempt *a;

	if (o->attempt_seq == 0)
		return;
	a = &sv->log[o->attempt_seq % sv->log_cap];
	if (a->seq == o->attempt_seq) {
		a->ended = now;
		snprintf(a->how, sizeof a->how, "%s", how);
	}
	o->attempt_seq = 0;
}

void
attempts_release(struct worker_service *sv)
{
	for (size_t i = 0; i < sv->log_cap; i++)
		if (sv->log[i].session != NULL)
			session_drop(sv->log[i].session);
	free(sv->log);
	sv->log = NULL;
}

static bool
attempt_fits(const struct attempt *a, const struct worker_log_query *q)
{
	return (q->worker_id.n == 0 || str_eq(q->worker_id, a->session->id_text)) &&
	    (uuid_is_zero(&q->run_id) || uuid_eq(&q->run_id, &a->run_id));
}

static void
add_time(struct buf *b, const char *key, msec at)
{
	char text[CLOCK_ISO_SIZE];

	if (at == 0) {
		json_add_fmt(b, ",%s:null", key);
		return;
	}
	clock_write_iso(text, at);
	json_add_fmt(b, ",%s:%.*s", key, CLOCK_ISO_SIZE, text);
}

static void
add_id(struct buf *b, const char *key, const struct uuid *id)
{
	char text[UUID_TEXT];

	uuid_format(id, text);
	if (uuid_is_zero(id))
		json_add_fmt(b, ",%s:null", key);
	else
		json_add_fmt(b, ",%s:%.*s", key, UUID_TEXT, text);
}

static void
add_attempt(struct buf *b, const struct worker_service *sv, const struct attempt *a)
{
	const struct worker_session *s = a->session;

	json_add_fmt(b, ",{'name':%.*s,'kind':%s,'attempt':%u,'worker_id':%.*s,'worker':%.*s,"
	    "'build':%.*s", FMT(sv->key.name), worker_kind_name(a->kind), a->attempt,
	    FMT(s->id_text), FMT(s->name), FMT(s->build));
	add_id(b, "task_id", &a->task_id);
	add_id(b, "run_id", &a->run_id);
	add_id(b, "thread_id", &a->thread_id);
	add_time(b, "began_at", a->began);
	add_time(b, "ended_at", a->ended);
	json_add_fmt(b, ",'how':%s}", a->ended == 0 ? "running" : a->how);
}

struct found { const struct attempt *a; const struct worker_service *sv; };

static int
by_time(const void *a, const void *b)
{
	const struct attempt *x = ((const struct found *)a)->a, *y = ((const struct found *)b)->a;

	if (x->began != y->began)
		return x->began < y->began ? 1 : -1;
	return x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

void
workers_add_log(struct workers *ws, const struct worker_log_query *q, struct buf *b)
{
	struct worker_service *sv;
	struct found *list = NULL;
	size_t at = 0, n = 0, cap = 0;

	workers_lock(ws);
	for (sv = map_each(&ws->services, &at); sv != NULL; sv = map_each(&ws->services, &at)) {
		if (q->name.n > 0 && !str_eq(q->name, sv->key.name))
			continue;
		for (size_t i = 0; i < sv->log_cap; i++) {
			if (sv->log[i].seq == 0 || !attempt_fits(&sv->log[i], q))
				continue;
			mem_grow(list, n, cap);
			list[n++] = (struct found){ &sv->log[i], sv };
		}
	}
	if (n > 0)
		qsort(list, n, sizeof *list, by_time);
	for (size_t i = 0; i < n && i < q->limit; i++)
		add_attempt(b, list[i].sv, list[i].a);
	workers_unlock(ws);
	free(list);
}

/* ---- workers ------------------------------------------------------------------------- */

static void
add_names(struct buf *b, const char *key, const struct worker_session *s,
    enum service_kind kind)
{
	json_add_fmt(b, ",%s:[", key);
	for (size_t i = 0; i < s->rows_n; i++)
		if (s->rows[i].service->key.kind == kind)
			json_add_fmt(b, ",%.*s", FMT(s->rows[i].service->key.name));
	buf_add_char(b, ']');
}

static void
add_session(struct buf *b, const struct worker_session *s, nsec now)
{
	nsec ago = now - atomic_load_explicit(&s->seen, memory_order_relaxed);

	json_add_fmt(b, ",{'worker_id':%.*s,'name':%.*s,'build':%.*s,'lang':%.*s,"
	    "'status':%s,'slots':{'run':%lld,'node':%lld},'tasks':%zu,'polling':%hhd,"
	    "'silent_ms':%lld", FMT(s->id_text), FMT(s->name), FMT(s->build), FMT(s->lang),
	    s->quiet ? "draining" : s->mute ? "silent" : "live", (long long)s->slots[WORKER_SLOT_RUN],
	    (long long)s->slots[WORKER_SLOT_NODE], list_count(&s->leases), s->poll != NULL,
	    s->poll != NULL || ago < 0 ? 0 : (long long)(ago / NS_PER_MS));
	add_time(b, "since", s->since);
	add_names(b, "graphs", s, SERVICE_GRAPH);
	add_names(b, "nodes", s, SERVICE_NODE);
	add_names(b, "tools", s, SERVICE_TOOL);
	buf_add_char(b, '}');
}

void
workers_add_list(struct workers *ws, nsec now, struct buf *b)
{
	struct worker_session *s;
	size_t at = 0;

	workers_lock(ws);
	for (s = map_each(&ws->sessions, &at); s != NULL; s = map_each(&ws->sessions, &at))
		if (!s->copy)                /* its own node lists it */
			add_session(b, s, now);
	workers_unlock(ws);
}

int
workers_add_one(struct workers *ws, const struct uuid *worker_id, nsec now, struct buf *b,
    struct err *e)
{
	struct worker_session *s;

	workers_lock(ws);
	s = session_find(ws, worker_id);
	if (s != NULL)
		add_session(b, s, now);
	workers_unlock(ws);
	return s != NULL ? OK : err_set(e, ERR_NOTFOUND, "no worker of this id");
}

/* ---- figures --------------------------------------------------------------------------- */

static uint64_t
figure(_Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

void
workers_count_events(struct workers *ws, uint64_t n)
{
	atomic_fetch_add_explicit(&ws->events, n, memory_order_relaxed);
}

void
workers_figures(struct workers *ws, struct worker_figures *f)
{
	struct worker_session *s;
	size_t at = 0;

	*f = (struct worker_figures){ .offers = figure(&ws->offers), .lost = figure(&ws->lost),
		.events = figure(&ws->events), .calls = figure(&ws->calls),
		.poll_waits = figure(&ws->poll_waits), .conflicts = figure(&ws->conflicts) };
	workers_lock(ws);
	f->live = 0;
	f->waiting = ws->offers_n;
	f->leases = ws->leases_n;
	f->polls = ws->polls_n;
	for (s = map_each(&ws->sessions, &at); s != NULL; s = map_each(&ws->sessions, &at)) {
		f->live += !s->copy;
		if (s->copy || s->poll == NULL || !session_counts(s))
			continue;
		f->free_run += (uint64_t)(s->free[WORKER_SLOT_RUN] - s->flight[WORKER_SLOT_RUN]);
		f->free_node += (uint64_t)(s->free[WORKER_SLOT_NODE] -
		    s->flight[WORKER_SLOT_NODE]);
	}
	workers_unlock(ws);
}
