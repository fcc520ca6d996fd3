/*
 * serve.c - what the daemon does with requests.
 *
 *   lines --intake--> waiting --round--> one transaction --> answers
 *
 * The dearer a commit, the more requests share it.  What is told to a client
 * was committed: answers are added after, and leave with the next rpc_wait.
 *
 * Who waits is in order of turns, not of arrival: a connection's n-th request
 * comes after every other's first, however many it sent before.  A round ends
 * early when it took long or made much (desk.round_time, round_bytes).  What a
 * connection asks while it has not read its answers is parked until it has, so
 * that a client which sends far ahead is slow and not cut off.
 *
 * A few requests are the daemon's own (controls).  They run in their turn,
 * after the round's commit; only a cancel is heard as it is read, for what it
 * cancels came before it.
 *
 * SPDX-License-Identifier: MIT
 */
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

static void
task_answer(struct task *t)
{
	if (rpc_gone(t->conn))
		return;
	wire_answer(rpc_out(t->conn), t->req.id, t->rc, t->call.err.text,
	    buf_str(&t->data), t->control == NULL && t->req.version.n > 0 &&
	    !str_eq(t->req.version, S(COHORT_VERSION)) ? COHORT_VERSION : NULL);
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
		p->parked_end = &p->parked;
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

/* As the engine's, without its transaction. */
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
	    (unsigned long long)d->desk.commit.commits, d->workspace->db);
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
	int64_t after, last = work_event_last(t->d->desk.w, t->d->desk.tracker);
	int rc = json_get_int(t->req.args, "after", "after", last, 0, INT64_MAX,
	    &after, &t->call.err);

	if (rc != OK)
		return rc;
	p->after = after;
	if (!p->subscribed) {
		p->subscribed = true;
		p->next = t->d->subscribed;
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
		at = &(*at)->next;
	*at = p->next;
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
cancel_in(struct task *o, const struct rpc_conn *conn, jnode id)
{
	for (; o != NULL; o = o->next) {
		if (o->conn != conn || o->req.id == NULL || o->cancelled ||
		    !same_id(o->req.id, id))
			continue;
		o->cancelled = true;
		return true;
	}
	return false;
}

/* Of the same connection: waiting, or in the round that runs (which is still
 * at the head of those that wait). */
static int
run_cancel(struct task *t)
{
	jnode id = json_get(t->req.args, S("request_id"));
	bool found;

	if (json_is_null(id))
		return err_set(&t->call.err, ERR_INVALID,
		    "cancel: \"request_id\" is missing");
	found = cancel_in(t->d->first, t->conn, id) ||
	    cancel_in(peer_of(t)->parked, t->conn, id);
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
			    "%s: \"%.*s\" is not an argument of it",
			    t->control->name, key.n > 64 ? 64 : (int)key.n, key.p);
	}
	return t->control->run(t);
}

/* ---- intake ---------------------------------------------------------------------- */

/* Before each, and between the parts of a long one: who sent it may have lost
 * interest. */
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

	t->bytes = line.n;
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
	c->tracker = t->d->desk.tracker;
	c->operation = t->req.operation;
	c->args = t->req.args;
	c->actor = t->req.actor.n > 0 ? t->req.actor : str_of(who_of(t));
	c->once = t->req.once;
	c->tick = task_tick;
	c->tick_ctx = t;
	c->data = &t->data;
}

/* ---- the queue -------------------------------------------------------------------- */

static void
task_turn(struct daemon *d, struct task *t)
{
	struct peer *p = peer_of(t);

	p->turn = (p->turn > d->turn ? p->turn : d->turn) + 1;
	t->turn = p->turn;
}

/* Behind all of its turn; mostly that is the end. */
static void
queue_put(struct daemon *d, struct task *t)
{
	struct task **at = d->last;

	if (d->first != NULL && d->tail->turn > t->turn) {
		at = &d->first;
		/* Those that are running stay in front. */
		while (*at != NULL && ((*at)->running || (*at)->turn <= t->turn))
			at = &(*at)->next;
	}
	t->next = *at;
	*at = t;
	if (t->next == NULL) {
		d->tail = t;
		d->last = &t->next;
	}
	d->queued++;
	d->queued_bytes += t->bytes;
}

/* The one behind `before`, or the first. */
static struct task *
queue_take(struct daemon *d, struct task *before)
{
	struct task **at = before == NULL ? &d->first : &before->next, *t = *at;

	*at = t->next;
	if (t->next == NULL) {
		d->tail = before;
		d->last = at;
	}
	d->queued--;
	d->queued_bytes -= t->bytes;
	t->next = NULL;
	return t;
}

static bool
is_behind(const struct daemon *d, const struct task *t)
{
	return !d->stopping && !rpc_gone(t->conn) && rpc_is_behind(t->conn);
}

/* Too much parked: whom it waits for reads nothing at all. */
static void
park(struct daemon *d, struct task *t)
{
	struct peer *p = peer_of(t);

	if (p->parked == NULL) {
		p->next_parked = d->parked;
		d->parked = p;
	}
	*p->parked_end = t;
	p->parked_end = &t->next;
	d->parks++;
	d->parks_bytes += t->bytes;
	if (d->parks > LIMIT_WORK_QUEUE || d->parks_bytes > LIMIT_WORK_QUEUE_BYTES)
		rpc_hang_up(t->conn);
}

static void
unpark(struct daemon *d, struct peer *p)
{
	struct task *t = p->parked;

	p->parked = NULL;
	p->parked_end = &p->parked;
	while (t != NULL) {
		struct task *next = t->next;

		d->parks--;
		d->parks_bytes -= t->bytes;
		queue_put(d, t);
		t = next;
	}
}

void
serve_unpark(struct daemon *d)
{
	struct peer **at = &d->parked;

	while (*at != NULL) {
		struct peer *p = *at;

		if (is_behind(d, p->parked)) {
			at = &p->next_parked;
			continue;
		}
		*at = p->next_parked;
		unpark(d, p);
	}
}

/* The first n that wait are to run, but for those that are parked. */
static size_t
queue_ready(struct daemon *d, size_t n)
{
	struct task *t, *before = NULL;
	size_t left = 0;

	while (left < n && (t = before == NULL ? d->first : before->next) != NULL) {
		if (is_behind(d, t) || peer_of(t)->parked != NULL) {
			park(d, queue_take(d, before));
		} else {
			t->running = true;
			before = t;
			left++;
		}
	}
	return left;
}

/* What the round had no more room for waits as before. */
static void
queue_leave(struct daemon *d)
{
	struct task *left = NULL, **end = &left;

	while (d->first != NULL && d->first->running) {
		*end = queue_take(d, NULL);
		end = &(*end)->next;
	}
	while (left != NULL) {
		struct task *t = left;

		left = t->next;
		t->running = false;
		queue_put(d, t);
	}
}

/* ---- intake ---------------------------------------------------------------------- */

void
serve_intake(struct daemon *d)
{
	struct rpc_conn *conn;
	struct str line;

	while (d->queued < LIMIT_WORK_QUEUE &&
	    d->queued_bytes < LIMIT_WORK_QUEUE_BYTES && rpc_next(d->rpc, &conn, &line)) {
		struct task *t = task_new(d);

		rpc_hold(conn);
		t->conn = conn;
		d->requests++;
		task_prepare(t, line);
		if (t->rc == OK && t->control != NULL && t->control->run == run_cancel) {
			t->rc = control_run(t);
			task_answer(t);
			task_free(t);
			continue;
		}
		task_turn(d, t);
		queue_put(d, t);
	}
}

/* ---- a round ----------------------------------------------------------------------- */

/* The first n that wait. */
struct round {
	struct work_call *calls[LIMIT_WORK_ROUND];   /* NULL: not the engine's */
	int rcs[LIMIT_WORK_ROUND];
	size_t n;
};

/* What need not run is answered with why: refused, cancelled, too late. */
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

/* Returns whether one is to run; *soonest: the first deadline of those. */
static bool
round_fill(struct daemon *d, struct round *r, nsec *soonest)
{
	nsec now = clock_mono();
	msec wall = desk_now(&d->desk);
	struct task *t = d->first;
	bool any = false;

	*soonest = NEVER;
	for (size_t i = 0; i < r->n; i++, t = t->next) {
		r->calls[i] = NULL;
		if (!is_to_run(t, now) || t->control != NULL)
			continue;
		t->call.now = wall;
		r->calls[i] = &t->call;
		any = true;
		if (t->deadline < *soonest)
			*soonest = t->deadline;
	}
	return any;
}

/* When the time of one is up while another process holds the file, the others
 * go on waiting.  Returns how many are through. */
static size_t
round_run(struct daemon *d, struct round *r)
{
	struct task *t = d->first;
	const char *words = "";
	nsec soonest;
	int rc;

	do {
		if (!round_fill(d, r, &soonest))
			return r->n;
		d->desk.busy_until = soonest == NEVER ? 0 : soonest;
		rc = desk_run(&d->desk, r->calls, r->rcs, r->n);
	} while (rc == ERR_TIMEOUT && clock_mono() >= soonest);
	for (size_t i = 0; i < d->desk.commit.ran; i++, t = t->next) {
		if (r->calls[i] == NULL)
			continue;
		t->rc = r->rcs[i];
		words = t->call.err.text;
	}
	if (rc != OK)
		log_error("work", "round", "requests=%zu error=%s", r->n, words);
	return d->desk.commit.ran;
}

static void
queue_drop(struct daemon *d)
{
	task_free(queue_take(d, NULL));
}

void
serve_round(struct daemon *d)
{
	static struct round r;
	size_t n;

	d->looked = d->active = clock_mono();
	d->rested = false;
	r.n = queue_ready(d, LIMIT_WORK_ROUND);
	for (n = round_run(d, &r); n > 0; n--) {
		struct task *t = d->first;

		if (t->rc == OK && t->control != NULL)
			t->rc = control_run(t);
		task_answer(t);
		d->turn = t->turn;
		queue_drop(d);
	}
	queue_leave(d);
	if (d->subscribed != NULL)
		serve_events(d);
}

void
serve_refuse(struct daemon *d, int rc, const char *words)
{
	while (d->first != NULL) {
		if (d->first->rc == OK)
			task_fail(d->first, rc, words);
		task_answer(d->first);
		queue_drop(d);
	}
}

/* ---- events ------------------------------------------------------------------------- */

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
		if (work_events(d->desk.w, d->desk.tracker, p->after, LIMIT_WORK_EVENTS,
		    page, &last) != OK || last == p->after)
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

	d->event = work_event_last(d->desk.w, d->desk.tracker);
	d->lagging = false;
	for (struct peer *p = d->subscribed, *next; p != NULL; p = next) {
		next = p->next;
		if (rpc_gone(p->conn))
			unsubscribe(d, p);
		else
			d->lagging |= peer_events(d, p, &page);
	}
	buf_release(&page);
}

/* ---- the end --------------------------------------------------------------------------- */

/* It was subscribed no more: that would have held it. */
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
	while (d->first != NULL)
		queue_drop(d);
	while (d->spare != NULL) {
		struct task *t = d->spare;

		d->spare = t->next;
		buf_release(&t->data);
		free(t);
	}
}
