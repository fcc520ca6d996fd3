/*
 * hook.c - the sender: rows that are due, tries, and what becomes of them.
 *
 *   due --> sending --> 2xx                          the row goes
 *              |------> anything else, no answer     due again later, or, after the
 *              |                                     last try, a log line and it goes
 *              '------> 410, or a URL that the       the same at once
 *                       rules do not allow any more
 *
 * What a try came to is written lazily; a row counts as being sent until that is
 * committed.  If it cannot be written it is written later: a row that was delivered
 * is not sent again while the server lives.
 *
 * Of several nodes the one that takes a row sends it (store/hook.h).  If it dies over
 * that, the row is due again for all in TAKEN_MS.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/hook_priv.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/node.h"

#define RETRY_MS  1000
#define TAKEN_MS  (3 * LIMIT_HOOK_MS)
#define LOOK_MS   5000                       /* at rows of nodes that are no more */
#define ROUND     256                        /* receivers that are asked for in one look */
#define URL_SHOWN 100                        /* bytes of a URL in the log: no query */

/* Before the second try and those behind it: the fifth ends within the hour. */
static const msec pauses[] = { 10 * 1000, 60 * 1000, 10 * 60 * 1000, 45 * 60 * 1000 };
_Static_assert(COUNT(pauses) == LIMIT_HOOK_TRIES - 1, "a pause before each try");

struct hooks {
	struct runs *rs;
	struct wheel_timer timer;
	struct list sending;
	size_t n, bytes;                     /* of them */
	char *at;                            /* the receiver it was at last; NULL: none */
	bool closed;
	struct log_spell unread;
};

/* A try, until what it came to is written. */
struct sending {
	struct list in;
	struct hooks *hooks;
	struct store_hook_set set;
	struct store_hook_take take;
	owner_t owner;
	struct uuid id;
	char *receiver, *url;
	size_t bytes;
	struct client_call *call;            /* NULL: it is over */
	struct wheel_timer timer;            /* it takes too long; then: writes again */
};

static void
count(atomic_ullong *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void look(struct hooks *h);

static void
sending_free(struct sending *s)
{
	struct hooks *h = s->hooks;

	assert(s->call == NULL && h->n > 0);
	shard_timer_cancel(h->rs->shard, &s->timer);
	list_remove(&s->in);
	h->n--;
	h->bytes -= s->bytes;
	free(s->receiver);
	free(s->url);
	free(s);
}

/* ---- what a try came to -------------------------------------------------------------- */

static void settle(struct sending *s);

static void
on_settle(struct wheel_timer *t)
{
	settle(CONTAINER_OF(t, struct sending, timer));
}

static void
settled(struct store_cmd *cmd)
{
	struct sending *s = CONTAINER_OF(cmd, struct sending, set.cmd);
	struct hooks *h = s->hooks;
	struct runs *rs = h->rs;

	if (cmd->rc == OK || h->closed) {
		sending_free(s);
		look(h);
	} else {
		log_warn("hook", "not_written", "rc=%s reason=%s", rc_name(cmd->rc),
		    cmd->err.text);
		s->timer.fire = on_settle;
		shard_timer_set(rs->shard, &s->timer, RETRY_MS);
	}
	runs_busy(rs, -1);
}

static void
settle(struct sending *s)
{
	struct runs *rs = s->hooks->rs;
	int rc;

	s->set.cmd.op = STORE_HOOK_SET;
	s->set.cmd.owner = s->owner;
	s->set.cmd.lazy = true;
	s->set.cmd.done = settled;
	rc = store_submit(rs->sh->store, rs->shard, &s->set.cmd, true);
	assert(rc == OK);                    /* forced */
	runs_busy(rs, 1);
}

/* The part that tells no secrets. */
static struct str
shown(const struct sending *s)
{
	struct str url = str_of(s->url);
	ptrdiff_t query = str_index(url, '?');

	return str_cut(query < 0 ? url : str_sub(url, 0, (size_t)query), URL_SHOWN);
}

static void
delivered(struct sending *s)
{
	s->set.over = true;
	count(&s->hooks->rs->sh->hooks_delivered);
	settle(s);
}

/* final: no other try would help. */
static void
failed(struct sending *s, bool final, int status, const char *why)
{
	struct runs *rs = s->hooks->rs;
	char id[UUID_TEXT];

	uuid_format(&s->id, id);
	s->set.tries++;
	s->set.over = final || s->set.tries >= LIMIT_HOOK_TRIES;
	if (!s->set.over)
		s->set.due = shard_wall(rs->shard) + pauses[s->set.tries - 1];
	count(&rs->sh->hooks_failed);
	if (s->set.over) {
		count(&rs->sh->hooks_dropped);
		log_warn("hook", "given_up", "id=%.*s url=%.*s tries=%lld status=%d reason=%s",
		    UUID_TEXT, id, FMT(shown(s)), (long long)s->set.tries, status, why);
	} else {
		log_info("hook", "failed", "id=%.*s url=%.*s try=%lld status=%d reason=%s",
		    UUID_TEXT, id, FMT(shown(s)), (long long)s->set.tries, status, why);
	}
	settle(s);
}

/* ---- a try ------------------------------------------------------------------------------ */

/* An answer that is too long to be read is one all the same. */
static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct sending *s = ctx;
	bool answered = rc == OK || (rc == ERR_TOOBIG && a->status != 0);

	s->call = NULL;
	shard_timer_cancel(s->hooks->rs->shard, &s->timer);
	if (answered && a->status / 100 == 2)
		delivered(s);
	else
		failed(s, answered && a->status == 410, a->status,
		    answered ? "the answer is not 2xx" : e->text);
}

static void
on_late(struct wheel_timer *t)
{
	struct sending *s = CONTAINER_OF(t, struct sending, timer);

	client_cancel(s->call);
	s->call = NULL;
	failed(s, false, 0, "no answer in time");
}

static void
start(struct sending *s, const struct store_hook *row, struct str body)
{
	struct runs *rs = s->hooks->rs;
	const struct hook_rules *r = rs->sh->hook_rules;
	const struct client_hooks hooks = { .done = on_done, .ctx = s };
	struct buf lines = BUF(4 * (size_t)LIMIT_HOOK_HEADER_BYTES);
	struct client_request q = { .method = S("POST"), .url = row->url, .body = body,
	    .connect_ms = LIMIT_HOOK_MS, .silence_ms = LIMIT_HOOK_MS,
	    .refuse = hook_refused(r), .body_max = LIMIT_HOOK_ANSWER_BYTES };

	hook_headers_write(&lines, r, row, body, shard_wall(rs->shard));
	hook_add_trace(&lines, rs, row);
	q.headers = buf_str(&lines);
	s->timer.fire = on_late;
	shard_timer_set(rs->shard, &s->timer, LIMIT_HOOK_MS);
	s->call = client_start(rs->client, &q, &hooks);
	buf_release(&lines);
}

static void
begin(struct sending *s, const struct store_hook *row)
{
	struct hooks *h = s->hooks;
	struct buf body = BUF(0);
	struct err e;
	int rc;

	rc = hook_check(h->rs->sh->hook_rules, row->url, &e);
	if (rc == OK) {
		rc = hook_body_write(&body, h->rs, row);
		if (rc != OK)
			err_set(&e, rc, "the body: %s", rc_text(rc));
	}
	s->bytes = body.n;
	h->bytes += body.n;
	if (rc == OK)
		start(s, row, buf_str(&body));
	else
		failed(s, true, 0, e.text);
	buf_release(&body);
}

static void
taken(struct store_cmd *cmd)
{
	struct sending *s = CONTAINER_OF(cmd, struct sending, take.cmd);
	struct runs *rs = s->hooks->rs;
	struct arena a = ARENA(THREAD_ARENA);
	struct store_hook row;

	if (cmd->rc == OK && !s->hooks->closed &&
	    store_hook_get(rs->reader, s->set.seq, &a, &row) == OK)
		begin(s, &row);
	else
		sending_free(s);
	arena_release(&a);
	runs_busy(rs, -1);
}

static void
take(struct sending *s, const struct store_hook *row)
{
	struct runs *rs = s->hooks->rs;
	int rc;

	s->take = (struct store_hook_take){ .cmd = { .op = STORE_HOOK_TAKE,
	    .done = taken }, .seq = row->seq, .due = row->due,
	    .later = shard_wall(rs->shard) + TAKEN_MS };
	rc = store_submit(rs->sh->store, rs->shard, &s->take.cmd, true);
	assert(rc == OK);                    /* forced */
	runs_busy(rs, 1);
}

static bool
is_alone(const struct hooks *h)
{
	return store_node(h->rs->sh->store) == NODE_ALONE;
}

static void
send_row(struct hooks *h, const struct store_hook *row, struct str receiver)
{
	struct sending *s = mem_new(struct sending);

	s->hooks = h;
	s->set.seq = row->seq;
	s->set.thread_seq = row->thread_seq;
	s->owner = row->owner;
	s->set.tries = row->tries;
	s->id = row->id;
	s->receiver = mem_cstr(receiver);
	s->url = mem_cstr(row->url);
	list_append(&h->sending, &s->in);
	h->n++;
	if (is_alone(h))
		begin(s, row);
	else
		take(s, row);
}

/* ---- what is due --------------------------------------------------------------------------- */

static bool
is_sending(const struct hooks *h, int64_t seq)
{
	for (const struct list *l = h->sending.next; l != &h->sending; l = l->next)
		if (CONTAINER_OF(l, struct sending, in)->set.seq == seq)
			return true;
	return false;
}

static size_t
sent_to(const struct hooks *h, struct str receiver)
{
	size_t n = 0;

	for (const struct list *l = h->sending.next; l != &h->sending; l = l->next)
		n += str_eq(str_of(CONTAINER_OF(l, struct sending, in)->receiver), receiver);
	return n;
}

static bool
has_room(const struct hooks *h)
{
	return h->n < LIMIT_HOOKS_SENDING && h->bytes < LIMIT_HOOKS_BYTES;
}

/* Rows of one receiver; those under way are the first of them. */
static int
send_to(struct hooks *h, struct str receiver, struct arena *a)
{
	size_t under_way = sent_to(h, receiver), n = 0;
	struct store_hook *rows = NULL;
	int rc = OK;

	if (under_way < LIMIT_HOOKS_RECEIVER)
		rc = store_hooks_due(h->rs->reader, receiver, shard_wall(h->rs->shard),
		    LIMIT_HOOKS_RECEIVER, a, &rows, &n);
	for (size_t i = 0; rc == OK && i < n && has_room(h); i++) {
		if (is_sending(h, rows[i].seq) || under_way >= LIMIT_HOOKS_RECEIVER)
			continue;
		send_row(h, &rows[i], receiver);
		under_way++;
	}
	return rc;
}

/* The next receiver in turn, from the first again behind the last. */
static int
next_receiver(struct hooks *h, struct arena *a, struct str *out)
{
	int rc = store_hook_receiver(h->rs->reader, str_of(h->at), a, out);

	if (rc == ERR_NOTFOUND && h->at != NULL)
		rc = store_hook_receiver(h->rs->reader, STR_NONE, a, out);
	if (rc == OK) {
		free(h->at);
		h->at = mem_cstr(*out);
	}
	return rc;
}

/* Goes round once, or as far as there is room.  *more: it was not all the way. */
static int
go_round(struct hooks *h, bool *more)
{
	struct arena a = ARENA(THREAD_ARENA);
	char *first = NULL;
	struct str receiver;
	int rc = OK;

	*more = false;
	for (size_t i = 0; rc == OK && has_room(h); i++) {
		if (i == ROUND) {
			*more = true;
			break;
		}
		rc = next_receiver(h, &a, &receiver);
		if (rc != OK || (first != NULL && str_eq(receiver, str_of(first))))
			break;
		if (first == NULL)
			first = mem_cstr(receiver);
		rc = send_to(h, receiver, &a);
		arena_clear(&a);
	}
	free(first);
	arena_release(&a);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static void
on_time(struct wheel_timer *t)
{
	look(CONTAINER_OF(t, struct hooks, timer));
}

static void
look(struct hooks *h)
{
	struct shard *shard = h->rs->shard;
	msec now = shard_wall(shard), next = INT64_MAX, left;
	bool more = false;
	int rc;

	if (h->closed)
		return;
	rc = go_round(h, &more);
	if (rc == OK)
		rc = store_hook_next(h->rs->reader, now, &next);
	if (rc != OK)
		log_fails(&h->unread, "hook", "not_read", "rc=%s", rc_name(rc));
	else
		log_works(&h->unread, "hook", "not_read");
	left = rc != OK ? RETRY_MS : more ? 1 : next == INT64_MAX ? INT64_MAX : next - now;
	if (!is_alone(h) && left > LOOK_MS)
		left = LOOK_MS;
	shard_timer_cancel(shard, &h->timer);
	h->timer.fire = on_time;
	if (left < INT64_MAX)
		shard_timer_set(shard, &h->timer, left < LIMIT_CLOCK_CHECK_MS ? left :
		    LIMIT_CLOCK_CHECK_MS);
}

/* ---- from outside ----------------------------------------------------------------------------- */

static void
look_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;

	free(p);
	atomic_store_explicit(&here->sh->hooks_asked, false, memory_order_release);
	if (here->hooks != NULL)
		look(here->hooks);
}

void
hooks_look(struct runs *rs)
{
	struct runs_shared *sh = rs->sh;
	struct parcel *p;

	if (!atomic_load_explicit(&sh->hooks_used, memory_order_relaxed) || rs->draining ||
	    sh->at[0] == NULL ||
	    atomic_exchange_explicit(&sh->hooks_asked, true, memory_order_acq_rel))
		return;
	p = mem_new(struct parcel);
	p->open = look_open;
	runs_send(rs, sh->at[0], p);
}

void
hooks_expect(struct runs_shared *sh)
{
	atomic_store_explicit(&sh->hooks_used, true, memory_order_relaxed);
}

void
runs_expect_hook(struct runs *rs)
{
	hooks_expect(rs->sh);
}

void
hooks_open(struct runs *rs)
{
	struct hooks *h;
	bool wanted = true;

	if (rs->index != 0 || rs->hooks != NULL || rs->sh->hook_rules == NULL)
		return;
	h = rs->hooks = mem_new(struct hooks);
	h->rs = rs;
	list_init(&h->sending);
	if (is_alone(h) && store_hooks_wanted(rs->reader, &wanted) == OK && !wanted)
		return;
	hooks_expect(rs->sh);
	look(h);
}

void
hooks_close(struct runs *rs)
{
	struct hooks *h = rs->hooks;
	struct list *next;

	if (h == NULL)
		return;
	h->closed = true;
	shard_timer_cancel(rs->shard, &h->timer);
	for (struct list *l = h->sending.next; l != &h->sending; l = next) {
		struct sending *s = CONTAINER_OF(l, struct sending, in);

		next = l->next;
		if (s->set.cmd.under_way || s->take.cmd.under_way)
			continue;
		if (s->call != NULL)
			client_cancel(s->call);
		s->call = NULL;
		sending_free(s);
	}
}

void
hooks_free(struct runs *rs)
{
	struct hooks *h = rs->hooks;

	if (h == NULL)
		return;
	hooks_close(rs);
	assert(h->n == 0);
	free(h->at);
	free(h);
	rs->hooks = NULL;
}

void
runs_shared_set_hooks(struct runs_shared *sh, const struct hook_rules *r,
    void (*add_run)(struct buf *b, const struct store_hook *h))
{
	sh->hook_rules = r;
	sh->hook_run = add_run;
}

void
hooks_stats(const struct runs *rs, struct hooks_stats *out)
{
	const struct runs_shared *sh = rs->sh;

	*out = (struct hooks_stats){
		.delivered = atomic_load_explicit(&sh->hooks_delivered, memory_order_relaxed),
		.failed = atomic_load_explicit(&sh->hooks_failed, memory_order_relaxed),
		.dropped = atomic_load_explicit(&sh->hooks_dropped, memory_order_relaxed),
	};
}

/* ---- messages that are not about the end of a run ------------------------------------------------- */

struct posting {
	struct store_hook_put put;
	struct runs *rs;
	char *url, *headers, *body;
	void (*done)(void *ctx, int rc);
	void *ctx;
};

static void
posted(struct store_cmd *cmd)
{
	struct posting *p = CONTAINER_OF(cmd, struct posting, put.cmd);
	struct runs *rs = p->rs;

	if (cmd->rc != OK)
		log_error("hook", "lost", "rc=%s reason=%s", rc_name(cmd->rc), cmd->err.text);
	else
		hooks_look(rs);
	if (p->done != NULL)
		p->done(p->ctx, cmd->rc);
	free(p->url);
	free(p->headers);
	free(p->body);
	free(p);
	runs_busy(rs, -1);
}

static struct str
copy(char **to, struct str s)
{
	*to = mem_cstr(s);
	return (struct str){ *to, s.n };
}

void
hook_send(struct runs *rs, const struct hook_message *m, void (*done)(void *ctx, int rc),
    void *ctx)
{
	struct posting *p = mem_new(struct posting);
	int rc;

	p->rs = rs;
	p->done = done;
	p->ctx = ctx;
	p->put.cmd.op = STORE_HOOK_PUT;
	p->put.cmd.owner = m->owner;
	p->put.cmd.done = posted;
	p->put.thread_seq = m->thread_seq;
	p->put.id = m->id;
	p->put.url = copy(&p->url, m->url);
	p->put.headers = copy(&p->headers, m->headers);
	p->put.body = copy(&p->body, m->body);
	p->put.now = shard_wall(rs->shard);
	hooks_expect(rs->sh);
	rc = store_submit(rs->sh->store, rs->shard, &p->put.cmd, true);
	assert(rc == OK);                    /* forced */
	runs_busy(rs, 1);
}
