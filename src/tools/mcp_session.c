/*
 * mcp_session.c - the protocol: JSON-RPC 2.0 with an MCP server.
 *
 * We ask for tools and call them.  Of what a server may ask of us we answer ping
 * and roots/list; sampling and elicitation were not offered to it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/mcp_priv.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"

#define UNASKED_MS 10000
#define TIMEOUTS   3             /* in a row: it hangs, and is ended */

static const char *const versions[] = { "2025-11-25", "2025-06-18", "2025-03-26",
	"2024-11-05" };

static void
check_session(const struct mcp_session *s)
{
	CHECK_MARK(s, MCP_MARK);
	assert((s->state == MCP_CLOSED) == (s->link == NULL));
}

/* ---- waits ------------------------------------------------------------------------ */

void
mcp_wait_free(struct mcp_wait *w)
{
	struct mcp_session *s = w->s;

	CHECK_MARK(w, MCP_WAIT_MARK);
	shard_timer_cancel(s->m->shard, &w->timer);
	if (w->post != NULL)
		s->kind->forget(s, w);
	list_remove(&w->in);
	s->waits_n--;
	buf_release(&w->params);
	CHECK_END(w);
	free(w);
	if (list_empty(&s->waits))
		shard_timer_set(s->m->shard, &s->idle, LIMIT_MCP_IDLE_MS);
}

/* Tells whose it is, and frees it. */
void
mcp_wait_failed(struct mcp_wait *w, int rc, const struct err *e)
{
	struct mcp_wait was = *w;
	struct mcp_result r = { .sent = w->id > 0 && w->ask == MCP_CALL };

	mcp_wait_free(w);
	if (was.listed != NULL)
		was.listed(was.ctx, rc, NULL, e);
	else if (was.called != NULL)
		was.called(was.ctx, rc, &r, e);
}

static void
fail(struct mcp_wait *w, int rc, const char *words)
{
	struct err e;

	err_set(&e, rc, "the MCP server %.*s: %s", FMT(w->s->spec.name), words);
	mcp_wait_failed(w, rc, &e);
}

/* A list of them as it is now: a callback may add some. */
static void
fail_all(struct mcp_session *s, bool sent_only, int rc, const char *words)
{
	struct list failing;

	list_init(&failing);
	for (struct list *l = s->waits.next, *next; l != &s->waits; l = next) {
		struct mcp_wait *w = CONTAINER_OF(l, struct mcp_wait, in);

		next = l->next;
		if (sent_only && w->id == 0)
			continue;
		list_remove(l);
		list_append(&failing, l);
	}
	while (!list_empty(&failing))
		fail(CONTAINER_OF(failing.next, struct mcp_wait, in), rc, words);
}

static void send_waiting(struct mcp_session *s);

void
mcp_forget(struct mcp_wait *w)
{
	struct mcp_session *s = w->s;
	bool list = w->ask == MCP_LIST && w->id > 0;
	struct buf b = BUF(KB);

	CHECK_MARK(w, MCP_WAIT_MARK);
	if (w->id > 0 && w->ask == MCP_CALL && s->state == MCP_READY) {
		buf_add_fmt(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
		    "\"params\":{\"requestId\":%lld}}", (long long)w->id);
		(void)s->kind->send(s, buf_str(&b), NULL);
		buf_release(&b);
	}
	mcp_wait_free(w);
	if (list && s->state == MCP_READY) {
		s->listing = false;
		mcp_session_hold(s);
		send_waiting(s);                     /* others may wait for it */
		mcp_session_unhold(s);
	}
}

static void
on_timeout(struct wheel_timer *t)
{
	struct mcp_wait *w = CONTAINER_OF(t, struct mcp_wait, timer);
	struct mcp_session *s = w->s;
	struct buf b = BUF(KB);
	struct err e;

	mcp_session_hold(s);
	if (w->ask == MCP_INITIALIZE) {
		err_set(&e, ERR_TIMEOUT, "it did not answer in %d s after it was started",
		    LIMIT_MCP_START_MS / 1000);
		mcp_session_ended(s, &e);
	} else {
		buf_add_fmt(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
		    "\"params\":{\"requestId\":%lld,\"reason\":\"timeout\"}}", (long long)w->id);
		(void)s->kind->send(s, buf_str(&b), NULL);
		err_set(&e, ERR_TIMEOUT, "the MCP server %.*s: no answer in %lld ms",
		    FMT(s->spec.name), (long long)w->timeout);
		if (w->ask == MCP_LIST)
			s->listing = false;
		mcp_wait_failed(w, ERR_TIMEOUT, &e);
		if (s->state == MCP_READY)
			send_waiting(s);             /* others may wait for the list */
		if (++s->timeouts >= TIMEOUTS && s->state == MCP_READY) {
			err_set(&e, ERR_TIMEOUT, "%d calls in a row were not answered", TIMEOUTS);
			mcp_session_ended(s, &e);
		}
	}
	buf_release(&b);
	mcp_session_unhold(s);
}

static bool
send_request(struct mcp_session *s, struct mcp_wait *w, const char *method,
    const struct buf *params, const char *more)
{
	struct buf b = BUF(LIMIT_MCP_MESSAGE_BYTES);
	int rc;

	w->id = ++s->next_id;
	w->since = shard_now(s->m->shard);
	w->timer.fire = on_timeout;
	shard_timer_set(s->m->shard, &w->timer, w->ask == MCP_INITIALIZE ?
	    LIMIT_MCP_START_MS : w->timeout);
	buf_add_fmt(&b, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"method\":\"%s\",\"params\":",
	    (long long)w->id, method);
	buf_add(&b, buf_str(params));
	buf_add(&b, str_of(more));
	buf_lit(&b, "}");
	rc = b.failed ? ERR_TOOBIG : s->kind->send(s, buf_str(&b), w);
	buf_release(&b);
	return rc == OK;
}

/* ---- opening ------------------------------------------------------------------------ */

static void
list_tools(struct mcp_session *s, struct str cursor)
{
	struct mcp_wait *w = NULL;

	/* The page is asked for in the name of the first who waits for the list. */
	for (struct list *l = s->waits.next; l != &s->waits && w == NULL; l = l->next)
		if (CONTAINER_OF(l, struct mcp_wait, in)->ask == MCP_LIST)
			w = CONTAINER_OF(l, struct mcp_wait, in);
	if (w == NULL) {
		s->listing = false;
		return;
	}
	s->listing = true;
	buf_clear(&w->params);
	buf_lit(&w->params, "{");
	if (cursor.n > 0) {
		buf_lit(&w->params, "\"cursor\":");
		json_add_str(&w->params, cursor);
	} else {
		mcp_tools_release(&s->growing);
		s->changed = false;
	}
	if (!send_request(s, w, "tools/list", &w->params, "}")) {
		s->listing = false;
		fail(w, ERR_CLOSED, "it takes no more");
	}
}

static void
answer_list(struct mcp_session *s, int rc, const struct err *e)
{
	struct mcp_list list = { s->tools.at, s->tools.n };
	struct list asked;

	list_init(&asked);
	for (struct list *l = s->waits.next, *next; l != &s->waits; l = next) {
		struct mcp_wait *w = CONTAINER_OF(l, struct mcp_wait, in);

		next = l->next;
		if (w->ask != MCP_LIST)
			continue;
		list_remove(l);
		list_append(&asked, l);
	}
	while (!list_empty(&asked)) {
		struct mcp_wait *w = CONTAINER_OF(asked.next, struct mcp_wait, in);
		struct mcp_wait was = *w;

		mcp_wait_free(w);
		was.listed(was.ctx, rc, rc == OK ? &list : NULL, e);
	}
}

/* With the place in a trace that its server's spans are below. */
static bool
send_call(struct mcp_session *s, struct mcp_wait *w)
{
	char more[128] = ",\"_meta\":{\"progressToken\":0}}";

	if (w->traceparent[0] != '\0')
		snprintf(more, sizeof more, ",\"_meta\":{\"progressToken\":0,\"traceparent\":"
		    "\"%s\"}}", w->traceparent);
	return send_request(s, w, "tools/call", &w->params, more);
}

/* Everything that waits and was not sent. */
static void
send_waiting(struct mcp_session *s)
{
	bool again = true;

	if (s->lists && s->listed)
		answer_list(s, OK, NULL);
	else if (!s->lists)
		answer_list(s, OK, NULL);
	else if (!s->listing)
		list_tools(s, STR_NONE);
	while (again && s->state == MCP_READY) {
		again = false;
		for (struct list *l = s->waits.next; l != &s->waits && !again; l = l->next) {
			struct mcp_wait *w = CONTAINER_OF(l, struct mcp_wait, in);

			if (w->id != 0 || w->ask != MCP_CALL)
				continue;
			again = true;
			if (!send_call(s, w))
				fail(w, ERR_BUSY, "too much waits to be sent");
		}
	}
}

static void
initialize(struct mcp_session *s)
{
	struct mcp_wait *w = mem_new(struct mcp_wait);

	w->mark = MCP_WAIT_MARK;
	w->s = s;
	w->ask = MCP_INITIALIZE;
	w->params = BUF(KB);
	list_append(&s->waits, &w->in);
	s->waits_n++;
	buf_add_fmt(&w->params, "{\"protocolVersion\":\"%s\",\"capabilities\":{%s},"
	    "\"clientInfo\":{\"name\":\"cohort\",\"version\":\"" COHORT_VERSION "\"}}",
	    versions[0], s->spec.roots_n > 0 ? "\"roots\":{\"listChanged\":false}" : "");
	if (!send_request(s, w, "initialize", &w->params, "")) {
		struct err e;

		err_set(&e, ERR_CLOSED, "it takes nothing");
		mcp_session_ended(s, &e);
	}
}

void
mcp_session_want(struct mcp_session *s)
{
	struct err e = { 0 };
	msec now = shard_wall(s->m->shard);
	int rc;

	check_session(s);
	shard_timer_cancel(s->m->shard, &s->idle);
	if (s->state == MCP_READY)
		send_waiting(s);
	if (s->state != MCP_CLOSED)
		return;
	if (now < s->retry_at && s->why != NULL) {
		fail_all(s, false, ERR_CLOSED, s->why);
		return;
	}
	s->listing = s->listed = false;
	s->opened++;
	rc = s->kind->open(s, &e);
	if (rc != OK) {
		mcp_session_ended(s, &e);
		return;
	}
	s->state = MCP_OPENING;
	initialize(s);
}

/* ---- the end ------------------------------------------------------------------------ */

void
mcp_session_close(struct mcp_session *s, bool at_once)
{
	if (s->link == NULL)
		return;
	s->kind->close(s, at_once);
	assert(s->link == NULL);
	s->state = MCP_CLOSED;
	s->listing = s->listed = false;
	free(s->version);
	s->version = NULL;
}

void
mcp_session_idle(struct mcp_session *s)
{
	if (!list_empty(&s->waits))
		return;
	mcp_session_close(s, false);
}

/* A server that was ready is started again at once by who needs it; one that never
 * was makes a pause that grows. */
void
mcp_session_ended(struct mcp_session *s, const struct err *e)
{
	bool ready = s->state == MCP_READY;
	msec pause = 500;

	mcp_session_hold(s);
	log_warn("mcp", "ended", "server=%.*s why=\"%s\"", FMT(s->spec.name), e->text);
	s->failures = ready ? 1 : s->failures + 1;
	for (unsigned i = 1; i < s->failures && pause < LIMIT_MCP_RETRY_MS; i++)
		pause *= 2;
	s->retry_at = ready ? 0 : shard_wall(s->m->shard) + pause;
	free(s->why);
	s->why = mem_cstr(str_of(e->text));
	mcp_session_close(s, true);
	s->timeouts = 0;
	fail_all(s, ready, e->code, s->why);
	if (s->state == MCP_CLOSED && !list_empty(&s->waits))
		mcp_session_want(s);                 /* those that were not sent */
	mcp_session_unhold(s);
}

void
mcp_session_hold(struct mcp_session *s)
{
	CHECK_MARK(s, MCP_MARK);
	s->holds++;
}

void
mcp_session_unhold(struct mcp_session *s)
{
	assert(s->holds > 0);
	s->holds--;
}

/* ---- messages ------------------------------------------------------------------------ */

void
mcp_tools_release(struct mcp_tools *t)
{
	free(t->at);
	arena_release(&t->texts);
	*t = (struct mcp_tools){ .texts = ARENA(LIMIT_MCP_MESSAGE_BYTES) };
}

static bool
hint(jnode tool, struct str name)
{
	jnode v = json_get(json_get(tool, S("annotations")), name);

	return json_is_bool(v) && json_bool(v);
}

static void
take_tools(struct mcp_session *s, jnode list)
{
	struct mcp_tools *t = &s->growing;
	struct json_iter it = json_each(list);

	while (json_next(&it) && t->n < LIMIT_MCP_TOOLS) {
		struct str name = json_str(json_get(it.value, S("name")));
		jnode schema = json_get(it.value, S("inputSchema"));
		struct buf text = BUF(LIMIT_MCP_MESSAGE_BYTES);

		if (name.n == 0 || name.n > LIMIT_NAME_BYTES)
			continue;
		if (json_is_object(schema))
			json_add_node(&text, schema);
		else
			buf_lit(&text, "{\"type\":\"object\"}");
		mem_grow(t->at, t->n, t->cap);
		t->at[t->n++] = (struct mcp_tool){ .name = arena_str(&t->texts, name),
			.description = arena_str(&t->texts,
			    json_str(json_get(it.value, S("description")))),
			.schema_json = arena_str(&t->texts, buf_str(&text)),
			.read_only = hint(it.value, S("readOnlyHint")),
			.idempotent = hint(it.value, S("idempotentHint")) };
		buf_release(&text);
	}
}

static void
on_list(struct mcp_session *s, struct mcp_wait *w, jnode result)
{
	struct str next = json_str(json_get(result, S("nextCursor")));
	struct mcp_tools old;

	take_tools(s, json_get(result, S("tools")));
	shard_timer_cancel(s->m->shard, &w->timer);
	if (w->post != NULL)
		s->kind->forget(s, w);
	w->id = 0;
	if (next.n > 0 && s->growing.n < LIMIT_MCP_TOOLS && !s->growing.texts.failed) {
		list_tools(s, next);
		return;
	}
	old = s->tools;
	s->tools = s->growing;
	s->growing = (struct mcp_tools){ .texts = ARENA(LIMIT_MCP_MESSAGE_BYTES) };
	s->listing = false;
	s->listed = !s->changed;
	answer_list(s, OK, NULL);
	mcp_tools_release(&old);
}

static void
on_call(struct mcp_session *s, struct mcp_wait *w, jnode result)
{
	struct mcp_wait was = *w;
	struct buf text = BUF(LIMIT_MCP_MESSAGE_BYTES);
	struct mcp_result r = { .sent = true };

	(void)s;
	mcp_result_add(&text, result, &r.failed);
	r.text = buf_str(&text);
	mcp_wait_free(w);
	was.called(was.ctx, OK, &r, NULL);
	buf_release(&text);
}

static void
on_initialized(struct mcp_session *s, struct mcp_wait *w, jnode result)
{
	struct str version = json_str(json_get(result, S("protocolVersion")));
	jnode tools = json_get(json_get(result, S("capabilities")), S("tools"));
	jnode tells = json_get(tools, S("listChanged"));
	bool known = false;
	struct err e;

	for (size_t i = 0; i < COUNT(versions); i++)
		known = known || str_eq(version, str_of(versions[i]));
	if (!known) {
		err_set(&e, ERR_INVALID, "it speaks the revision \"%.*s\"; expected %s to %s",
		    FMT(str_cut(version, 40)), versions[COUNT(versions) - 1], versions[0]);
		mcp_session_ended(s, &e);
		return;
	}
	mcp_wait_free(w);
	s->version = mem_cstr(version);
	s->lists = json_is_object(tools);
	s->tells_lists = json_is_bool(tells) && json_bool(tells);
	s->state = MCP_READY;
	s->failures = 0;
	s->retry_at = 0;
	(void)s->kind->send(s, S("{\"jsonrpc\":\"2.0\","
	    "\"method\":\"notifications/initialized\"}"), NULL);
	if (s->kind->ready != NULL)
		s->kind->ready(s);
	log_info("mcp", "ready", "server=%.*s revision=%s", FMT(s->spec.name), s->version);
	send_waiting(s);
}

static void
on_error(struct mcp_session *s, struct mcp_wait *w, jnode error)
{
	struct str words = json_str(json_get(error, S("message")));
	struct err e;

	if (w->ask == MCP_INITIALIZE) {
		err_set(&e, ERR_INVALID, "it refuses: %.*s", FMT(str_cut(words, 300)));
		mcp_session_ended(s, &e);
		return;
	}
	if (w->ask == MCP_LIST) {
		s->listing = false;
		err_set(&e, ERR_INVALID, "the MCP server %.*s: tools/list: %.*s",
		    FMT(s->spec.name), FMT(str_cut(words, 300)));
		answer_list(s, ERR_INVALID, &e);
		return;
	}
	/* The tool's failure, as far as a model is concerned. */
	struct mcp_wait was = *w;
	struct buf text = BUF(64 * KB);
	struct mcp_result r = { .failed = true, .sent = true };

	buf_add(&text, str_cut(words, 32 * KB));
	r.text = buf_str(&text);
	mcp_wait_free(w);
	was.called(was.ctx, OK, &r, NULL);
	buf_release(&text);
}

static void
on_response(struct mcp_session *s, jnode m)
{
	jnode id = json_get(m, S("id")), error = json_get(m, S("error"));
	struct mcp_wait *w = NULL;

	for (struct list *l = s->waits.next; l != &s->waits && w == NULL; l = l->next) {
		struct mcp_wait *x = CONTAINER_OF(l, struct mcp_wait, in);

		if (json_is_int(id) && x->id > 0 && x->id == json_int(id) && !x->held)
			w = x;
	}
	if (w == NULL) {
		s->unasked++;                        /* late, early, twice, or never asked */
		return;
	}
	s->timeouts = 0;
	if (!json_is_null(error))
		on_error(s, w, error);
	else if (w->ask == MCP_INITIALIZE)
		on_initialized(s, w, json_get(m, S("result")));
	else if (w->ask == MCP_LIST)
		on_list(s, w, json_get(m, S("result")));
	else
		on_call(s, w, json_get(m, S("result")));
}

static void
add_roots(struct buf *b, const struct mcp_session *s)
{
	buf_lit(b, "\"result\":{\"roots\":[");
	for (size_t i = 0; i < s->spec.roots_n; i++) {
		struct buf uri = BUF(64 * KB);

		buf_add_fmt(&uri, "file://%.*s", FMT(s->spec.roots[i]));
		buf_add(b, i > 0 ? S(",{\"uri\":") : S("{\"uri\":"));
		json_add_str(b, buf_str(&uri));
		buf_lit(b, "}");
		buf_release(&uri);
	}
	buf_lit(b, "]}");
}

/* What it asks of us. */
static void
on_request(struct mcp_session *s, jnode m, struct str method)
{
	struct buf b = BUF(LIMIT_MCP_MESSAGE_BYTES);

	s->unasked++;
	buf_lit(&b, "{\"jsonrpc\":\"2.0\",\"id\":");
	json_add_node(&b, json_get(m, S("id")));
	buf_lit(&b, ",");
	if (str_eq(method, S("ping")))
		buf_lit(&b, "\"result\":{}");
	else if (str_eq(method, S("roots/list")) && s->spec.roots_n > 0)
		add_roots(&b, s);
	else
		buf_lit(&b, "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}");
	buf_lit(&b, "}");
	if (!b.failed)
		(void)s->kind->send(s, buf_str(&b), NULL);
	buf_release(&b);
}

/* Progress: each call has its timeout anew, up to the most it may take.  Tokens are
 * not told apart: a server that tells progress is alive. */
static void
on_progress(struct mcp_session *s)
{
	nsec now = shard_now(s->m->shard);

	for (struct list *l = s->waits.next; l != &s->waits; l = l->next) {
		struct mcp_wait *w = CONTAINER_OF(l, struct mcp_wait, in);
		msec left = w->timeout_max - (msec)((now - w->since) / 1000000);

		if (w->ask == MCP_CALL && w->id > 0 && left > 0)
			shard_timer_set(s->m->shard, &w->timer,
			    w->timeout < left ? w->timeout : left);
	}
}

static void
on_notification(struct mcp_session *s, jnode m, struct str method)
{
	s->unasked++;
	if (str_eq(method, S("notifications/tools/list_changed"))) {
		s->listed = false;
		s->changed = true;
	} else if (str_eq(method, S("notifications/progress"))) {
		on_progress(s);
	} else if (str_eq(method, S("notifications/message"))) {
		log_debug("mcp", "says", "server=%.*s text=\"%.*s\"", FMT(s->spec.name),
		    FMT(str_cut(json_str(json_get(json_get(m, S("params")), S("data"))), 500)));
	}
}

static void
on_message(struct mcp_session *s, jnode m)
{
	jnode method = json_get(m, S("method"));

	if (!json_is_object(m))
		s->unasked++;
	else if (!json_is_string(method))
		on_response(s, m);
	else if (json_get(m, S("id")) != NULL)
		on_request(s, m, json_str(method));
	else
		on_notification(s, m, json_str(method));
}

/* Too much that nobody asked for: it is ended. */
static bool
floods(struct mcp_session *s)
{
	msec now = shard_wall(s->m->shard);
	struct err e;

	if (now - s->unasked_since > UNASKED_MS || now < s->unasked_since) {
		s->unasked_since = now;
		s->unasked = 0;
	}
	if (s->unasked <= LIMIT_MCP_UNASKED || s->link == NULL)
		return false;
	err_set(&e, ERR_LIMIT, "it sent more than %d messages in ten seconds that nobody "
	    "asked for", LIMIT_MCP_UNASKED);
	s->unasked = 0;
	mcp_session_ended(s, &e);
	return true;
}

void
mcp_session_message(struct mcp_session *s, struct str json)
{
	struct json_doc doc = { 0 };
	struct err e;

	check_session(s);
	mcp_session_hold(s);
	if (json_parse(&doc, json, &e) != OK) {
		s->unasked++;                        /* servers print other things, too */
		log_debug("mcp", "garbage", "server=%.*s text=\"%.*s\"", FMT(s->spec.name),
		    FMT(str_cut(json, 200)));
	} else if (json_is_array(doc.root)) {        /* a batch, of 2025-03-26 */
		struct json_iter it = json_each(doc.root);

		while (s->link != NULL && json_next(&it))
			on_message(s, it.value);
	} else {
		on_message(s, doc.root);
	}
	json_release(&doc);
	(void)floods(s);
	mcp_session_unhold(s);
}
