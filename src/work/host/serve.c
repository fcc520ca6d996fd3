/*
 * serve.c - what the daemon does with requests.
 *
 *   lines --intake--> waiting --round--> one transaction --> answers
 *
 * Answers are added after the commit and leave with the next rpc_wait.
 *
 * Connections with requests take turns, one request a turn, however many each
 * has sent.  A round ends early after workdb.round_time or round_bytes; a request
 * that did not run is the next of its connection.  A connection that has not read
 * its answers is parked until it has, so a client that sends far ahead is slowed
 * down and not cut off.
 *
 * A few requests are the daemon's own (controls).  They run in their turn, after
 * the round's commit; a cancel runs when it is read, before the request it names.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "work/host/daemon_priv.h"

#define SPARES       256                     /* tasks kept */
#define KEEP_BYTES   (64 * KB)               /* of an answer's memory */
#define LOOK_EVERY   (5 * NS_PER_MS)         /* at the sockets, in an operation */
#define TELL_EVERY   (50 * NS_PER_MS)        /* of progress */
#define EVENTS_AHEAD (1 * MB)                /* unsent, before more are added */

struct control {
	const char *name;
	int (*run)(struct task *t);
	const char *arg;                     /* the one it takes, or NULL */
};

/* ---- tasks ------------------------------------------------------------------- */

static struct task *
task_new(struct daemon *d)
{
	struct task *t = d->spare;

	if (t == NULL) {
		t = mem_new(struct task);
		t->data = BUF(LIMIT_WORK_OUT_BYTES);
	} else {
		struct buf data = t->data;

		d->spare = t->next;
		d->spares--;
		memset(t, 0, sizeof *t);
		t->data = data;
		buf_clear(&t->data);
	}
	t->d = d;
	t->deadline = NEVER;
	return t;
}

static void
task_free(struct task *t)
{
	struct daemon *d = t->d;

	wire_release(&t->req);
	if (t->conn != NULL)
		rpc_drop(t->conn);
	if (t->data.cap > KEEP_BYTES)
		buf_release(&t->data);
	if (d->spares == SPARES) {
		buf_release(&t->data);
		free(t);
		return;
	}
	t->next = d->spare;
	d->spare = t;
	d->spares++;
}

/* Answers and frees it. */
static void
task_end(struct task *t)
{
	if (!rpc_gone(t->conn))
		wire_answer(rpc_out(t->conn), t->req.id, t->rc, t->call.err.text,
		    buf_str(&t->data), t->control == NULL &&
		    t->req.version.n > 0 &&
		    !str_eq(t->req.version, S(COHORT_VERSION)) ? COHORT_VERSION :
		    NULL);
	task_free(t);
}

static int
task_fail(struct task *t, int rc, const char *words)
{
	t->rc = err_set(&t->call.err, rc, "%s", words);
	return rc;
}

/* ---- controls ------------------------------------------------------------------ */

static struct peer *
peer_of(struct task *t)
{
	struct peer *p = rpc_user(t->conn);

	if (p == NULL) {
		p = mem_new(struct peer);
		p->conn = t->conn;
		p->last = &p->first;
		rpc_set_user(t->conn, p);
	}
	return p;
}

static const char *
who_of(struct task *t)
{
	struct peer *p = peer_of(t);

	if (p->who[0] == '\0')
		snprintf(p->who, sizeof p->who, "uid:%lld",
		    (long long)rpc_peer_uid(t->conn));
	return p->who;
}

/* As the engine's, without a transaction. */
static int
run_ping(struct task *t)
{
	buf_lit(&t->data, "{\"message\":\"pong\",\"version\":\"" COHORT_VERSION "\"}");
	return OK;
}

static int
run_status(struct task *t)
{
	const struct daemon *d = t->d;

	json_add_fmt(&t->data, "{'pid':%d,'version':'" COHORT_VERSION "',"
	    "'uptime_ms':%lld,'connections':%zu,'requests':%llu,'commits':%llu,"
	    "'database':%s}", (int)getpid(),
	    (long long)((clock_mono() - d->started) / NS_PER_MS), rpc_conns(d->rpc),
	    (unsigned long long)d->requests,
	    (unsigned long long)d->workdb.commit.commits, d->workspace->db);
	return OK;
}

static int
run_shutdown(struct task *t)
{
	t->d->stopping = true;
	t->d->why = "shutdown";
	buf_lit(&t->data, "{\"stopping\":true}");
	return OK;
}

static int
run_subscribe(struct task *t)
{
	struct peer *p = peer_of(t);
	int64_t after, last = work_event_last(t->d->workdb.w, t->d->workdb.tracker);
	int rc = json_get_int(t->req.args, "after", "after", last, 0, INT64_MAX,
	    &after, &t->call.err);

	if (rc != OK)
		return rc;
	p->after = after;
	if (!p->subscribed) {
		p->subscribed = true;
		p->next_subscribed = t->d->subscribed;
		t->d->subscribed = p;
		rpc_hold(p->conn);
	}
	json_add_fmt(&t->data, "{'after':%lld}", (long long)after);
	return OK;
}

static void
unsubscribe(struct daemon *d, struct peer *p)
{
	struct peer **at = &d->subscribed;

	if (!p->subscribed)
		return;
	while (*at != p)
		at = &(*at)->next_subscribed;
	*at = p->next_subscribed;
	p->subscribed = false;
	rpc_drop(p->conn);
}

static int
run_unsubscribe(struct task *t)
{
	unsubscribe(t->d, peer_of(t));
	buf_lit(&t->data, "{}");
	return OK;
}

static bool
same_id(jnode a, jnode b)
{
	struct buf x = BUF(8 * LIMIT_WORK_REQUEST_ID_BYTES), y = x;
	bool same;

	json_add_node(&x, a);
	json_add_node(&y, b);
	same = !x.failed && !y.failed && str_eq(buf_str(&x), buf_str(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

static bool
task_cancel(struct task *t, const struct rpc_conn *conn, jnode id)
{
	if (t->conn != conn || t->req.id == NULL || t->cancelled ||
	    !same_id(t->req.id, id))
		return false;
	t->cancelled = true;
	return true;
}

/* Of the same connection: in the round that runs, or waiting. */
static int
run_cancel(struct task *t)
{
	struct daemon *d = t->d;
	jnode id = json_get(t->req.args, S("request_id"));
	bool found = false;

	if (json_is_null(id))
		return err_set(&t->call.err, ERR_INVALID,
		    "cancel: \"request_id\" is missing");
	for (size_t i = 0; !found && i < d->round_n; i++)
		found = task_cancel(d->round[i], t->conn, id);
	for (struct task *o = peer_of(t)->first; !found && o != NULL; o = o->next)
		found = task_cancel(o, t->conn, id);
	buf_add_fmt(&t->data, "{\"cancelled\":%s}", found ? "true" : "false");
	return OK;
}

static const struct control controls[] = {
	{ "ping", run_ping, NULL },
	{ "status", run_status, NULL },
	{ "shutdown", run_shutdown, NULL },
	{ "subscribe", run_subscribe, "after" },
	{ "unsubscribe", run_unsubscribe, NULL },
	{ "cancel", run_cancel, "request_id" },
};

static const struct control *
control_find(struct str name)
{
	for (size_t i = 0; i < COUNT(controls); i++) {
		if (str_eq(str_of(controls[i].name), name))
			return &controls[i];
	}
	return NULL;
}

static int
control_run(struct task *t)
{
	struct json_iter it = json_each(t->req.args);

	while (json_next(&it)) {
		struct str key = json_str(it.key);

		if (t->control->arg == NULL || !str_eq(key, str_of(t->control->arg)))
			return err_set(&t->call.err, ERR_INVALID,
			    "%s: unknown argument \"%.*s\"",
			    t->control->name, key.n > 64 ? 64 : (int)key.n, key.p);
	}
	return t->control->run(t);
}

/* ---- intake ---------------------------------------------------------------------- */

/* Called before each call and between the parts of a long one.  Not OK: its client
 * has cancelled it or hung up, or its time is up. */
static int
task_tick(void *ctx, size_t done, size_t total)
{
	struct task *t = ctx;
	struct daemon *d = t->d;
	nsec now = clock_mono();

	if (t->req.progress && total > 0 && now - t->told >= TELL_EVERY &&
	    !rpc_gone(t->conn)) {
		struct buf *out = rpc_out(t->conn);

		t->told = now;
		json_add_fmt(out, "{'request_id':%p,'progress':{'done':%zu,"
		    "'total':%zu}}\n", t->req.id, done, total);
	}
	if (now >= t->deadline)
		return err_set(&t->call.err, ERR_TIMEOUT, "timed out");
	if (now - d->looked >= LOOK_EVERY) {
		rpc_wait(d->rpc, 0);
		serve_intake(d);
		d->looked = clock_mono();
	}
	return t->cancelled || rpc_gone(t->conn) ?
	    err_set(&t->call.err, ERR_CANCELLED, "cancelled") : OK;
}

static void
task_prepare(struct task *t, struct str line)
{
	struct work_call *c = &t->call;

	t->bytes = (int64_t)line.n;
	if (line.p == NULL) {
		t->rc = err_set(&t->call.err, ERR_TOOBIG,
		    "request: a line may have at most %d bytes", LIMIT_WORK_LINE_BYTES);
		return;
	}
	t->rc = wire_parse(&t->req, line, &c->err);
	if (t->rc != OK)
		return;
	if (t->req.deadline_ms >= 0)
		t->deadline = clock_mono() + t->req.deadline_ms * NS_PER_MS;
	t->control = control_find(t->req.operation);
	if (t->control == NULL && t->req.version.n > 0 &&
	    !str_eq(t->req.version, S(COHORT_VERSION)))
		task_fail(t, ERR_CONFLICT, "the daemon is of version "
		    COHORT_VERSION);
	c->tracker = t->d->workdb.tracker;
	c->operation = t->req.operation;
	c->args = t->req.args;
	c->actor = t->req.actor.n > 0 ? t->req.actor : str_of(who_of(t));
	c->once = t->req.once;
	c->tick = task_tick;
	c->tick_ctx = t;
	c->data = &t->data;
}

/* ---- the queue -------------------------------------------------------------------- */

/* A peer with requests has its turn, or is parked. */
static void
check_peer(const struct peer *p)
{
	assert((p->first == NULL) == (p->load.n == 0));
	assert(*p->last == NULL && (p->last == &p->first) == (p->first == NULL));
	assert(!p->parked || p->first != NULL);
}

static bool
load_is_full(const struct load *l)
{
	return l->n >= LIMIT_WORK_QUEUE || l->bytes >= LIMIT_WORK_QUEUE_BYTES;
}

static void
load_add(struct load *l, int64_t n, int64_t bytes)
{
	l->n += n;
	l->bytes += bytes;
	assert(l->n >= 0 && l->bytes >= 0);
}

static void
turn_give(struct daemon *d, struct peer *p, bool next)
{
	struct peer **at = next ? &d->turns : d->turns_end;

	p->next = *at;
	*at = p;
	if (p->next == NULL)
		d->turns_end = &p->next;
}

static struct peer *
turn_take(struct daemon *d)
{
	struct peer *p = d->turns;

	d->turns = p->next;
	if (d->turns == NULL)
		d->turns_end = &d->turns;
	return p;
}

/* next: it was taken and did not run.  Past the limit of parked requests the
 * connection is closed. */
static void
queue_put(struct daemon *d, struct task *t, bool next)
{
	struct peer *p = peer_of(t);
	struct task **at = next ? &p->first : p->last;
	bool is_first = p->first == NULL;

	t->next = *at;
	*at = t;
	if (t->next == NULL)
		p->last = &t->next;
	load_add(&p->load, 1, t->bytes);
	load_add(p->parked ? &d->parks : &d->queued, 1, t->bytes);
	if (p->parked && load_is_full(&d->parks))
		rpc_hang_up(t->conn);
	if (is_first)
		turn_give(d, p, next);
	check_peer(p);
}

/* The first of a peer that is not parked. */
static struct task *
queue_take(struct daemon *d, struct peer *p)
{
	struct task *t = p->first;

	p->first = t->next;
	if (p->first == NULL)
		p->last = &p->first;
	load_add(&p->load, -1, -t->bytes);
	load_add(&d->queued, -1, -t->bytes);
	check_peer(p);
	return t;
}

static bool
is_behind(const struct daemon *d, const struct peer *p)
{
	return !d->stopping && !rpc_gone(p->conn) && rpc_is_behind(p->conn);
}

static void
park(struct daemon *d, struct peer *p)
{
	p->parked = true;
	p->next = d->parked;
	d->parked = p;
	load_add(&d->queued, -p->load.n, -p->load.bytes);
	load_add(&d->parks, p->load.n, p->load.bytes);
}

void
serve_unpark(struct daemon *d)
{
	struct peer **at = &d->parked;

	while (*at != NULL) {
		struct peer *p = *at;

		if (is_behind(d, p)) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		p->parked = false;
		load_add(&d->parks, -p->load.n, -p->load.bytes);
		load_add(&d->queued, p->load.n, p->load.bytes);
		turn_give(d, p, false);
	}
}

/* One request a turn. */
static void
round_take(struct daemon *d)
{
	assert(d->round_n == 0);
	while (d->turns != NULL && d->round_n < LIMIT_WORK_ROUND) {
		struct peer *p = turn_take(d);

		if (is_behind(d, p)) {
			park(d, p);
			continue;
		}
		d->round[d->round_n++] = queue_take(d, p);
		if (p->first != NULL)
			turn_give(d, p, false);
	}
}

/* ---- intake ---------------------------------------------------------------------- */

void
serve_intake(struct daemon *d)
{
	struct rpc_conn *conn;
	struct str line;

	while (!load_is_full(&d->queued) && rpc_next(d->rpc, &conn, &line)) {
		struct task *t = task_new(d);

		rpc_hold(conn);
		t->conn = conn;
		d->requests++;
		task_prepare(t, line);
		if (t->rc == OK && t->control != NULL && t->control->run == run_cancel) {
			t->rc = control_run(t);
			task_end(t);
			continue;
		}
		queue_put(d, t, false);
	}
}

/* ---- a round ---------------------------------------------------------------------- */

/* False: it is refused, cancelled or too late, and t->rc says so. */
static bool
is_to_run(struct task *t, nsec now)
{
	if (t->rc != OK)
		return false;
	if (t->cancelled || rpc_gone(t->conn))
		task_fail(t, ERR_CANCELLED, "cancelled before it began");
	else if (now >= t->deadline)
		task_fail(t, ERR_TIMEOUT, "timed out before it began");
	return t->rc == OK;
}

/* calls[i] is NULL: task i is not for the engine.  *soonest: the first deadline.
 * False: there is no call. */
static bool
round_fill(struct daemon *d, struct work_call **calls, nsec *soonest)
{
	nsec now = clock_mono();
	msec wall = workdb_now(&d->workdb);
	bool any = false;

	*soonest = NEVER;
	for (size_t i = 0; i < d->round_n; i++) {
		struct task *t = d->round[i];

		calls[i] = is_to_run(t, now) && t->control == NULL ? &t->call : NULL;
		if (calls[i] == NULL)
			continue;
		any = true;
		t->call.now = wall;
		if (t->deadline < *soonest)
			*soonest = t->deadline;
	}
	return any;
}

/* When the deadline of one ends while another process holds the file, the others go
 * on waiting.  Returns how many of the round are done. */
static size_t
round_run(struct daemon *d)
{
	struct work_call *calls[LIMIT_WORK_ROUND];
	int rcs[LIMIT_WORK_ROUND], rc;
	const char *words = "";
	nsec soonest;

	do {
		if (!round_fill(d, calls, &soonest))
			return d->round_n;
		d->workdb.busy_until = soonest == NEVER ? 0 : soonest;
		rc = workdb_run(&d->workdb, calls, rcs, d->round_n);
	} while (rc == ERR_TIMEOUT && clock_mono() >= soonest);
	for (size_t i = 0; i < d->workdb.commit.ran; i++) {
		if (calls[i] == NULL)
			continue;
		d->round[i]->rc = rcs[i];
		words = calls[i]->err.text;
	}
	if (rc != OK)
		log_error("work", "round", "requests=%zu error=%s", d->round_n, words);
	return d->workdb.commit.ran;
}

void
serve_round(struct daemon *d)
{
	size_t through;

	round_take(d);
	d->looked = d->active = clock_mono();
	d->rested = false;
	through = round_run(d);
	for (size_t i = 0; i < through; i++) {
		struct task *t = d->round[i];

		if (t->rc == OK && t->control != NULL)
			t->rc = control_run(t);
		task_end(t);
	}
	for (size_t i = d->round_n; i > through; i--)
		queue_put(d, d->round[i - 1], true);
	d->round_n = 0;
	if (d->subscribed != NULL)
		serve_events(d);
}

void
serve_refuse(struct daemon *d, int rc, const char *words)
{
	while (d->turns != NULL) {
		struct peer *p = turn_take(d);
		struct task *t = queue_take(d, p);

		if (p->first != NULL)
			turn_give(d, p, true);
		if (t->rc == OK)
			task_fail(t, rc, words);
		task_end(t);
	}
}

/* ---- events ----------------------------------------------------------------------- */

static void
event_lines(struct buf *out, struct str lines)
{
	struct str line;

	while (str_next(&lines, '\n', &line)) {
		if (line.n == 0)
			continue;
		json_add_fmt(out, "{'event':%-.*s}\n", FMT(line));
	}
}

/* Returns whether there is more. */
static bool
peer_events(struct daemon *d, struct peer *p, struct buf *page)
{
	while (p->after < d->event) {
		int64_t last = p->after;

		if (rpc_unsent(p->conn) > EVENTS_AHEAD)
			return true;
		buf_clear(page);
		if (work_events(d->workdb.w, d->workdb.tracker, p->after,
		    LIMIT_WORK_EVENTS, page, &last) != OK || last == p->after)
			return false;
		event_lines(rpc_out(p->conn), buf_str(page));
		p->after = last;
	}
	return false;
}

void
serve_events(struct daemon *d)
{
	struct buf page = BUF(LIMIT_WORK_OUT_BYTES);

	d->event = work_event_last(d->workdb.w, d->workdb.tracker);
	d->lagging = false;
	for (struct peer *p = d->subscribed, *next; p != NULL; p = next) {
		next = p->next_subscribed;
		if (rpc_gone(p->conn))
			unsubscribe(d, p);
		else
			d->lagging |= peer_events(d, p, &page);
	}
	buf_release(&page);
}

/* ---- the end ---------------------------------------------------------------------- */

/* Its peer is not subscribed: a subscription holds the connection. */
void
serve_conn_closed(void *ctx, struct rpc_conn *c)
{
	(void)ctx;
	free(rpc_user(c));
}

void
serve_release(struct daemon *d)
{
	while (d->subscribed != NULL)
		unsubscribe(d, d->subscribed);
	d->stopping = true;
	serve_unpark(d);
	serve_refuse(d, ERR_CLOSED, "");
	while (d->spare != NULL) {
		struct task *t = d->spare;

		d->spare = t->next;
		buf_release(&t->data);
		free(t);
	}
}
