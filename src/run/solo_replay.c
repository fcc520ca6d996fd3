/*
 * solo_replay.c - a run made again: what the world gave comes from the run's
 * transcript, in the order of the transcript, on a clock that goes by its times.
 *
 * A call is matched with its entry when it is made, by its task and its name in it
 * (models: the key of the question; tools: the call's id; the rest: what was asked),
 * not by order: branches that run at once may ask in another order.  Of the calls
 * that wait, the one whose entry comes first is answered next.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/mem.h"
#include "run/solo_priv.h"

#define NOWHERE SIZE_MAX

enum want_kind { WANT_MODEL, WANT_TOOL, WANT_STORE, WANT_PAGE, WANT_PEER, WANT_WORKER,
	WANT_TIMER };

/* Something that a task waits for. */
struct want {
	struct want *next;
	enum want_kind kind;
	size_t at;                           /* its entry; NOWHERE: there is none */
	struct llm_hooks hooks;
	tool_done *done;
	void *arg;
	struct task_store *store;
	struct task_http *page;
	struct task_peer *peer;
	struct task_worker *worker;
	struct task_timer *timer;
	msec due;
};

struct replay {
	const struct solo_tape *tape;
	bool *used;                          /* entries that were given */
	size_t *asked;                       /* of answers: the request; NOWHERE: none */
	struct want *wants;
	struct buf hosts;                    /* of pages it read */
};

/* ---- the tape ------------------------------------------------------------------- */

static struct str
text(struct val entry, const char *name)
{
	struct val v = val_get(entry, str_of(name));

	return v.kind == VAL_STRING ? val_str(v) : STR_NONE;
}

static bool
is(struct val entry, const char *kind)
{
	return str_eq(text(entry, "kind"), str_of(kind));
}

static bool
same(struct val a, struct val b, const char *name)
{
	return val_equal(val_get(a, str_of(name)), val_get(b, str_of(name)));
}

/* Answers name the call, requests name it too and have the key. */
static void
find_requests(struct replay *r)
{
	const struct solo_tape *t = r->tape;

	for (size_t i = 0; i < t->n; i++) {
		r->asked[i] = NOWHERE;
		if (!is(t->entries[i], "answer"))
			continue;
		for (size_t k = i; k > 0 && r->asked[i] == NOWHERE; k--)
			if (is(t->entries[k - 1], "run_start"))
				break;
			else if (is(t->entries[k - 1], "request") &&
			    same(t->entries[k - 1], t->entries[i], "task") &&
			    same(t->entries[k - 1], t->entries[i], "call"))
				r->asked[i] = k - 1;
	}
}

/* "a.example,b.example:8080" of the pages that were read. */
static void
find_hosts(struct replay *r)
{
	r->hosts = BUF(MB);
	for (size_t i = 0; i < r->tape->n; i++) {
		struct str url = text(r->tape->entries[i], "what"), rest = url, part;

		if (!is(r->tape->entries[i], "result") || !str_starts(url, S("http")))
			continue;
		(void)str_next(&rest, '/', &part);
		(void)str_next(&rest, '/', &part);
		if (!str_next(&rest, '/', &part))
			continue;
		if (r->hosts.n > 0)
			buf_add_char(&r->hosts, ',');
		buf_add(&r->hosts, part);
	}
}

struct replay *
replay_new(const struct solo_tape *tape)
{
	struct replay *r = mem_new(struct replay);

	r->tape = tape;
	r->used = mem_zero((tape->n + 1) * sizeof *r->used);
	r->asked = mem_zero((tape->n + 1) * sizeof *r->asked);
	find_requests(r);
	find_hosts(r);
	return r;
}

void
replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	assert(r->wants == NULL);
	free(r->used);
	free(r->asked);
	buf_release(&r->hosts);
	free(r);
}

/* The kth checkpoint of a namespace has the id that it had. */
struct uuid
replay_new_id(struct replay *r, struct str ns, int step)
{
	const struct solo_tape *t = r->tape;
	struct uuid id;

	for (size_t i = 0; i < t->n; i++) {
		if (r->used[i] || !is(t->entries[i], "checkpoint") ||
		    !str_eq(text(t->entries[i], "ns"), ns) ||
		    !uuid_parse(text(t->entries[i], "checkpoint_id"), &id))
			continue;
		r->used[i] = true;
		return id;
	}
	return uuid_v6((unsigned)step);
}

struct wanted { const char *kind; struct str key, of, what, call_id; };

static bool
fits(const struct replay *r, size_t i, const struct wanted *w)
{
	struct val e = r->tape->entries[i];

	if (!is(e, w->kind))
		return false;
	if (is(e, "answer"))
		return r->asked[i] != NOWHERE &&
		    str_eq(text(r->tape->entries[r->asked[i]], "key"), w->key);
	return str_eq(text(e, "call_id"), w->call_id) && str_eq(text(e, "of"), w->of) &&
	    str_eq(text(e, "what"), w->what);
}

static size_t
find(const struct replay *r, const struct core_task *t, const struct wanted *w)
{
	char id[UUID_TEXT];
	struct str task = STR_NONE;

	if (t != NULL) {
		uuid_format(&t->id, id);
		task = (struct str){ id, UUID_TEXT };
	}
	for (size_t i = 0; i < r->tape->n; i++)
		if (!r->used[i] && str_eq(text(r->tape->entries[i], "task"), task) &&
		    fits(r, i, w))
			return i;
	return NOWHERE;
}

/* ---- what is wanted ---------------------------------------------------------------- */

static struct want *
want(struct solo_task *t, enum want_kind kind, const struct wanted *w)
{
	struct replay *r = t->solo->replay;
	struct want *x = mem_new(struct want), **end = &r->wants;

	x->kind = kind;
	x->at = find(r, t->core, w);
	if (x->at != NOWHERE)
		r->used[x->at] = true;
	while (*end != NULL)
		end = &(*end)->next;
	*end = x;
	return x;
}

static void
unwant(struct replay *r, struct want *x)
{
	struct want **at = &r->wants;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	free(x);
}

static void
give_model(struct val e, const struct want *w)
{
	struct val m = val_get(e, S("message")), usage = val_get(m, S("usage_metadata"));
	struct buf json = BUF(16 * MB);
	struct llm_answer a = { .id = text(m, "id") };
	struct err why = { 0 };
	struct buf event = BUF(KB);
	struct val in = val_get(usage, S("input_tokens"));
	struct val out = val_get(usage, S("output_tokens"));

	val_add_json(&json, m);
	a.message_json = buf_str(&json);
	a.usage.input_tokens = in.kind == VAL_INT ? in.u.i : 0;
	a.usage.output_tokens = out.kind == VAL_INT ? out.u.i : 0;
	buf_add(&event, text(e, "error"));
	if (event.n > 0 || m.kind != VAL_OBJECT || val_has(m, S("cut")))
		w->hooks.done(w->hooks.ctx, err_set(&why, ERR_CLOSED, "%.*s",
		    FMT(text(e, "words"))), NULL, event.n > 0 ? event.p :
		    "error.llm.backend", &why);
	else
		w->hooks.done(w->hooks.ctx, OK, &a, NULL, &why);
	buf_release(&json);
	buf_release(&event);
}

static void
give_tool(struct val e, const struct want *w)
{
	struct val content = val_get(e, S("content"));
	struct buf b = BUF(16 * MB);

	if (content.kind == VAL_UNDEFINED)
		content = val_get(e, S("value"));
	if (content.kind == VAL_STRING)
		buf_add(&b, val_str(content));
	else if (content.kind != VAL_UNDEFINED)
		val_add_json(&b, content);
	w->done(w->arg, &(struct tool_result){ .ok = val_truthy(val_get(e, S("ok"))),
	    .content = buf_str(&b) });
	buf_release(&b);
}

static int
failure(struct val e, struct err *why)
{
	return val_truthy(val_get(e, S("ok"))) ? OK :
	    err_set(why, ERR_CLOSED, "%.*s", FMT(text(e, "words")));
}

static void
give_page(struct val e, const struct want *w)
{
	struct val status = val_get(e, S("status"));
	struct task_http_answer a = { .status = status.kind == VAL_INT ?
	    (int)status.u.i : 0, .content_type = text(e, "content_type"),
	    .body = text(e, "value") };
	struct err why = { 0 };
	int rc = failure(e, &why);

	w->page->done(w->page, rc, rc == OK ? &a : NULL, &why);
}

static void
give_worker(struct val e, const struct want *w)
{
	struct val value = val_get(e, S("value"));
	struct task_worker_error why = { .name = text(e, "content_type"),
	    .message = text(e, "words") };
	bool done = val_truthy(val_get(e, S("ok")));

	w->worker->done(w->worker, done ? TASK_WORKER_DONE : str_eq(why.name, S("WorkerLost")) ?
	    TASK_WORKER_LOST : TASK_WORKER_FAILED, done && value.kind == VAL_UNDEFINED ? VAL_NIL :
	    value, done ? NULL : &why);
}

static void
give(struct val e, const struct want *w)
{
	struct err why = { 0 };
	struct val value = val_get(e, S("value"));
	int rc;

	switch (w->kind) {
	case WANT_MODEL:
		give_model(e, w);
		return;
	case WANT_TOOL:
		give_tool(e, w);
		return;
	case WANT_STORE:
		rc = failure(e, &why);
		w->store->done(w->store, rc, value.kind == VAL_UNDEFINED ? VAL_NIL : value,
		    &why);
		return;
	case WANT_PAGE:
		give_page(e, w);
		return;
	case WANT_PEER:
		rc = failure(e, &why);
		w->peer->done(w->peer, rc, &why);
		return;
	case WANT_WORKER:
		give_worker(e, w);
		return;
	default:
		w->timer->fire(w->timer);
	}
}

/* ---- the clock ---------------------------------------------------------------------- */

static void
set_clock(struct solo *s, msec now)
{
	s->now = now > s->now ? now : s->now;
}

static void
clock_of(struct solo *s, struct val entry)
{
	msec now;

	if (clock_read_iso(text(entry, "time"), &now))
		set_clock(s, now);
}

static void
take(struct solo *s, struct want *x)
{
	struct want w = *x;

	if (w.kind == WANT_TIMER)
		w.timer->host_data = NULL;
	else if (w.kind == WANT_STORE)
		w.store->host_data = NULL;
	else if (w.kind == WANT_PAGE)
		w.page->host_data = NULL;
	else if (w.kind == WANT_PEER)
		w.peer->host_data = NULL;
	else if (w.kind == WANT_WORKER)
		w.worker->host_data = NULL;
	unwant(s->replay, x);
	if (w.at == NOWHERE)
		set_clock(s, w.due);
	else
		clock_of(s, s->replay->tape->entries[w.at]);
	give(w.at == NOWHERE ? VAL_UNDEF : s->replay->tape->entries[w.at], &w);
}

static struct want *
first_known(const struct replay *r)
{
	struct want *best = NULL;

	for (struct want *w = r->wants; w != NULL; w = w->next)
		if (w->at != NOWHERE && (best == NULL || w->at < best->at))
			best = w;
	return best;
}

/* A timer that the record does not have falls due when nothing else is left. */
static struct want *
first_timer(const struct replay *r)
{
	struct want *best = NULL;

	for (struct want *w = r->wants; w != NULL; w = w->next)
		if (w->kind == WANT_TIMER && (best == NULL || w->due < best->due))
			best = w;
	return best;
}

/* The next message of that direction; NOWHERE: there is none. */
static size_t
next_message(const struct replay *r, const char *direction)
{
	for (size_t i = 0; i < r->tape->n; i++)
		if (!r->used[i] && is(r->tape->entries[i], "message") &&
		    str_eq(text(r->tape->entries[i], "direction"), str_of(direction)))
			return i;
	return NOWHERE;
}

size_t
replay_sent(struct solo *s)
{
	struct replay *r = s->replay;
	size_t at = next_message(r, "sent");
	struct val n = VAL_UNDEF;

	if (at != NOWHERE) {
		r->used[at] = true;
		n = val_get(r->tape->entries[at], S("receivers"));
	}
	return n.kind == VAL_INT ? (size_t)n.u.i : 0;
}

static void
give_message(struct solo *s, size_t at)
{
	struct val entry = s->replay->tape->entries[at];

	s->replay->used[at] = true;
	clock_of(s, entry);
	solo_hear(s, val_get(entry, S("message")));
}

static void
fire_chart(struct solo *s, msec due)
{
	set_clock(s, due);
	core_fire(s->core);
}

bool
replay_next(struct solo *s)
{
	struct replay *r = s->replay;
	struct want *w = first_known(r);
	msec due = core_due(s->core);
	size_t chart = due == CORE_NEVER ? NOWHERE : find(r, NULL, &(struct wanted){
	    .kind = "timer" });

	size_t mail = next_message(r, "received");

	if (mail != NOWHERE && mail < chart && (w == NULL || mail < w->at)) {
		give_message(s, mail);
		return true;
	}
	if (chart != NOWHERE && (w == NULL || chart < w->at)) {
		r->used[chart] = true;
		clock_of(s, r->tape->entries[chart]);
		fire_chart(s, due);
		return true;
	}
	if (w == NULL)
		w = first_timer(r);
	if (w == NULL || (w->at == NOWHERE && due < w->due)) {
		if (due == CORE_NEVER)
			return false;
		fire_chart(s, due);
		return true;
	}
	take(s, w);
	return true;
}

/* ---- what a task may reach --------------------------------------------------------------- */

static struct llm_call *
on_llm(void *ctx, const struct llm_request *q, const struct llm_hooks *h, struct err *e)
{
	struct solo_task *t = ctx;
	struct want *w = want(t, WANT_MODEL, &(struct wanted){ .kind = "answer",
	    .key = q->key });
	struct run_event ev = core_event(t->core, EVENT_MODEL_START);
	struct note note = solo_task_note(t);

	(void)e;
	note_request(&note, q, 0, core_task_state(t->core), &ev.checkpoint);
	w->hooks = *h;
	return (struct llm_call *)(void *)w;
}

static void
on_llm_stop(void *ctx, struct llm_call *call)
{
	unwant(((struct solo_task *)ctx)->solo->replay, (struct want *)(void *)call);
}

/* The call's id was told just before. */
static void
on_tools_call(void *ctx, struct str name, struct str args_json, struct str once,
    tool_done *done, void *arg)
{
	struct solo_task *t = ctx;
	struct want *w = want(t, WANT_TOOL, &(struct wanted){ .kind = "tool_result",
	    .call_id = str_of(t->call_id) });

	(void)name;
	(void)args_json;
	(void)once;
	w->done = done;
	w->arg = arg;
}

static void
on_work(void *ctx, struct str operation, struct str args_json, struct str once,
    tool_done *done, void *arg)
{
	struct want *w = want(ctx, WANT_TOOL, &(struct wanted){ .kind = "result",
	    .of = S("work"), .what = operation });

	(void)args_json;
	(void)once;
	w->done = done;
	w->arg = arg;
}

static void
on_store(void *ctx, struct task_store *x)
{
	static const char *const names[] = { [TASK_STORE_GET] = "store.get",
		[TASK_STORE_PUT] = "store.put", [TASK_STORE_SEARCH] = "store.search",
		[TASK_STORE_DELETE] = "store.delete" };
	struct buf what = BUF(MB);
	struct want *w;

	buf_add(&what, x->ns);
	buf_add_char(&what, '/');
	buf_add(&what, x->op == TASK_STORE_SEARCH ? x->query : x->key);
	w = want(ctx, WANT_STORE, &(struct wanted){ .kind = "result",
	    .of = str_of(names[x->op]), .what = buf_str(&what) });
	w->store = x;
	x->host_data = w;
	buf_release(&what);
}

static void
on_store_stop(void *ctx, struct task_store *x)
{
	if (x->host_data != NULL)
		unwant(((struct solo_task *)ctx)->solo->replay, x->host_data);
	x->host_data = NULL;
}

static void
on_http(void *ctx, struct task_http *h)
{
	struct want *w = want(ctx, WANT_PAGE, &(struct wanted){ .kind = "result",
	    .of = S("http"), .what = h->url });

	w->page = h;
	h->host_data = w;
}

static void
on_http_stop(void *ctx, struct task_http *h)
{
	if (h->host_data != NULL)
		unwant(((struct solo_task *)ctx)->solo->replay, h->host_data);
	h->host_data = NULL;
}

static void
on_peer(void *ctx, struct task_peer *x)
{
	struct want *w = want(ctx, WANT_PEER, &(struct wanted){ .kind = "result",
	    .of = x->op == TASK_PEER_SPAWN ? S("spawn") : S("stop"), .what = x->agent });

	w->peer = x;
	x->host_data = w;
}

static void
on_peer_forget(void *ctx, struct task_peer *x)
{
	if (x->host_data != NULL)
		unwant(((struct solo_task *)ctx)->solo->replay, x->host_data);
	x->host_data = NULL;
}

/* Somebody took it: what became of it is in the record. */
static void
on_worker(void *ctx, struct task_worker *x)
{
	const struct replay *r = ((struct solo_task *)ctx)->solo->replay;
	struct want *w = want(ctx, WANT_WORKER, &(struct wanted){ .kind = "result",
	    .of = S("worker"), .what = x->name });
	struct task_worker_facts facts = { 0 };

	w->worker = x;
	x->host_data = w;
	if (w->at != NOWHERE)
		facts.idempotent = val_truthy(val_get(r->tape->entries[w->at], S("status")));
	x->taken(x, &facts);
}

static void
on_worker_go(void *ctx, struct task_worker *x)
{
	(void)ctx;
	(void)x;
}

static void
on_worker_stop(void *ctx, struct task_worker *x)
{
	if (x->host_data != NULL)
		unwant(((struct solo_task *)ctx)->solo->replay, x->host_data);
	x->host_data = NULL;
}

static bool
on_worker_there(void *ctx, const struct task_worker *x)
{
	(void)ctx;
	(void)x;
	return true;
}

/* Those it asked. */
static struct str
on_http_hosts(void *ctx)
{
	const struct solo_task *t = ctx;

	return buf_str(&t->solo->replay->hosts);
}

static void
on_timer_set(void *ctx, struct task_timer *timer, int64_t ms)
{
	struct solo_task *t = ctx;
	struct want *w = want(t, WANT_TIMER, &(struct wanted){ .kind = "timer" });

	w->timer = timer;
	w->due = t->solo->now + ms;
	timer->host_data = w;
}

static void
on_timer_stop(void *ctx, struct task_timer *timer)
{
	struct solo_task *t = ctx;
	struct want *w = timer->host_data;

	if (w == NULL)
		return;
	/* Its entry, if it had one, is another timer's of the task. */
	if (w->at != NOWHERE)
		t->solo->replay->used[w->at] = false;
	unwant(t->solo->replay, w);
	timer->host_data = NULL;
}

struct task_host
replay_host(const struct tools *tools)
{
	struct task_host h = solo_host;

	h.tools = tools;
	h.llm = on_llm;
	h.llm_stop = on_llm_stop;
	h.tools_call = on_tools_call;
	h.mcp_list = h.mcp_call = h.mcp_stop = NULL;
	h.mcp_taped = true;
	h.work = on_work;
	h.store = on_store;
	h.store_stop = on_store_stop;
	h.peer = on_peer;
	h.peer_forget = on_peer_forget;
	h.http = on_http;
	h.http_stop = on_http_stop;
	h.http_hosts = on_http_hosts;
	h.worker = on_worker;
	h.worker_go = on_worker_go;
	h.worker_stop = on_worker_stop;
	h.worker_there = on_worker_there;
	h.timer_set = on_timer_set;
	h.timer_stop = on_timer_stop;
	return h;
}

/* Calls of tools outlive their tasks: nobody is told. */
void
replay_clear(struct replay *r)
{
	struct want *next;

	for (struct want *w = r->wants; w != NULL; w = next) {
		next = w->next;
		if (w->kind == WANT_TOOL)
			w->done(w->arg, &(struct tool_result){ .content = S("") });
		free(w);
	}
	r->wants = NULL;
}
