/*
 * mcp.c - the door of the MCP client: sessions by what they are, and who waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/mcp_priv.h"

#include <assert.h>
#include <string.h>

#define SPEC_BYTES (256 * KB)

/* ---- sessions ------------------------------------------------------------------- */

static void
key_part(struct buf *b, char tag, struct str s)
{
	buf_add_fmt(b, "%c%zu:", tag, s.n);
	buf_add(b, s);
}

/* Everything that makes it this server and no other. */
static void
key_of(struct buf *b, const struct mcp_spec *spec)
{
	for (size_t i = 0; i < spec->command_n; i++)
		key_part(b, 'c', spec->command[i]);
	key_part(b, 'd', spec->cwd);
	key_part(b, spec->public_only ? 'p' : 'u', spec->url);
	for (size_t i = 0; i < spec->env_n; i++) {
		key_part(b, 'e', spec->env[i].name);
		key_part(b, 'v', spec->env[i].value);
	}
	for (size_t i = 0; i < spec->headers_n; i++) {
		key_part(b, 'h', spec->headers[i].name);
		key_part(b, 'v', spec->headers[i].value);
	}
	for (size_t i = 0; i < spec->roots_n; i++)
		key_part(b, 'r', spec->roots[i]);
}

static const struct str *
copy_texts(struct arena *a, const struct str *at, size_t n)
{
	struct str *out = arena_alloc(a, (n + 1) * sizeof *out);

	for (size_t i = 0; out != NULL && i < n; i++)
		out[i] = arena_str(a, at[i]);
	return out;
}

static const struct mcp_pair *
copy_pairs(struct arena *a, const struct mcp_pair *at, size_t n)
{
	struct mcp_pair *out = arena_alloc(a, (n + 1) * sizeof *out);

	for (size_t i = 0; out != NULL && i < n; i++)
		out[i] = (struct mcp_pair){ arena_str(a, at[i].name),
			arena_str(a, at[i].value) };
	return out;
}

static void
session_free(struct mcp_session *s)
{
	mcp_session_close(s, true);
	while (!list_empty(&s->waits))
		mcp_wait_free(CONTAINER_OF(s->waits.next, struct mcp_wait, in));
	shard_timer_cancel(s->m->shard, &s->idle);
	list_remove(&s->in);
	s->m->sessions_n--;
	mcp_tools_release(&s->tools);
	mcp_tools_release(&s->growing);
	buf_release(&s->key);
	arena_release(&s->texts);
	free(s->version);
	free(s->why);
	CHECK_END(s);
	free(s);
}

/* The one that has been unused for longest, if there is one without waits. */
static bool
make_room(struct mcp *m)
{
	for (struct list *l = m->sessions.next; l != &m->sessions; l = l->next) {
		struct mcp_session *s = CONTAINER_OF(l, struct mcp_session, in);

		if (list_empty(&s->waits) && s->holds == 0) {
			session_free(s);
			return true;
		}
	}
	return false;
}

static void
on_idle(struct wheel_timer *t)
{
	mcp_session_idle(CONTAINER_OF(t, struct mcp_session, idle));
}

static struct mcp_session *
session_new(struct mcp *m, const struct mcp_spec *spec, const struct buf *key)
{
	struct mcp_session *s = mem_new(struct mcp_session);

	s->mark = MCP_MARK;
	s->m = m;
	s->texts = ARENA(SPEC_BYTES + 16 * KB);
	s->key = BUF(SPEC_BYTES);
	buf_add(&s->key, buf_str(key));
	s->spec = *spec;
	s->spec.name = arena_str(&s->texts, spec->name);
	s->spec.command = copy_texts(&s->texts, spec->command, spec->command_n);
	s->spec.roots = copy_texts(&s->texts, spec->roots, spec->roots_n);
	s->spec.env = copy_pairs(&s->texts, spec->env, spec->env_n);
	s->spec.headers = copy_pairs(&s->texts, spec->headers, spec->headers_n);
	s->spec.cwd = arena_str(&s->texts, spec->cwd);
	s->spec.url = arena_str(&s->texts, spec->url);
	s->kind = spec->command_n > 0 ? &mcp_stdio : &mcp_http;
	s->tools.texts = ARENA(LIMIT_MCP_MESSAGE_BYTES);
	s->growing.texts = ARENA(LIMIT_MCP_MESSAGE_BYTES);
	s->idle.fire = on_idle;
	list_init(&s->waits);
	list_append(&m->sessions, &s->in);
	m->sessions_n++;
	return s;
}

/* The session of a spec, the last in the list; NULL with e. */
static struct mcp_session *
session_of(struct mcp *m, const struct mcp_spec *spec, struct err *e)
{
	struct mcp_session *found = NULL;
	struct buf key = BUF(SPEC_BYTES);

	key_of(&key, spec);
	for (struct list *l = m->sessions.next; l != &m->sessions && found == NULL; l = l->next) {
		struct mcp_session *s = CONTAINER_OF(l, struct mcp_session, in);

		if (str_eq(buf_str(&s->key), buf_str(&key)))
			found = s;
	}
	if (key.failed) {
		err_set(e, ERR_TOOBIG, "the MCP server %.*s: its description is too long",
		    FMT(spec->name));
	} else if (found != NULL) {
		list_remove(&found->in);
		list_append(&m->sessions, &found->in);
	} else if (m->sessions_n >= LIMIT_MCP_SESSIONS && !make_room(m)) {
		err_set(e, ERR_BUSY, "the MCP server %.*s: %d others are connected to",
		    FMT(spec->name), LIMIT_MCP_SESSIONS);
	} else {
		found = session_new(m, spec, &key);
	}
	buf_release(&key);
	return found;
}

/* ---- waits ------------------------------------------------------------------------ */

static struct mcp_wait *
wait_new(struct mcp_session *s, enum mcp_ask ask, void *ctx)
{
	struct mcp_wait *w = mem_new(struct mcp_wait);

	w->mark = MCP_WAIT_MARK;
	w->s = s;
	w->ask = ask;
	w->ctx = ctx;
	w->timeout = LIMIT_MCP_CALL_MS;
	w->timeout_max = LIMIT_MCP_CALL_MAX_MS;
	w->params = BUF(LIMIT_MCP_MESSAGE_BYTES);
	list_append(&s->waits, &w->in);
	s->waits_n++;
	return w;
}

static int
check_room(const struct mcp_session *s, struct err *e)
{
	return s->waits_n < LIMIT_MCP_CALLS ? OK : err_set(e, ERR_BUSY,
	    "the MCP server %.*s: %d calls wait", FMT(s->spec.name), LIMIT_MCP_CALLS);
}

/* Is it still there after its session was asked? */
static struct mcp_wait *
want(struct mcp_session *s, struct mcp_wait *w)
{
	bool here = false;

	mcp_session_hold(s);
	mcp_session_want(s);
	for (struct list *l = s->waits.next; l != &s->waits; l = l->next)
		here = here || CONTAINER_OF(l, struct mcp_wait, in) == w;
	mcp_session_unhold(s);
	return here ? w : NULL;
}

struct mcp_wait *
mcp_list(struct mcp *m, const struct mcp_spec *spec, mcp_listed *done, void *ctx)
{
	struct mcp_session *s;
	struct mcp_wait *w;
	struct err e = { 0 };

	CHECK_MARK(m, MCP_MARK);
	s = session_of(m, spec, &e);
	if (s == NULL || check_room(s, &e) != OK) {
		done(ctx, e.code, NULL, &e);
		return NULL;
	}
	if (s->state == MCP_READY && s->listed) {
		struct mcp_list list = { s->tools.at, s->tools.n };

		mcp_session_hold(s);
		done(ctx, OK, &list, NULL);
		mcp_session_unhold(s);
		return NULL;
	}
	w = wait_new(s, MCP_LIST, ctx);
	w->listed = done;
	return want(s, w);
}

struct mcp_wait *
mcp_call(struct mcp *m, const struct mcp_spec *spec, struct str tool, struct str args_json,
    msec timeout, struct str traceparent, mcp_called *done, void *ctx)
{
	const struct mcp_result none = { 0 };
	struct json_doc args = { 0 };
	struct mcp_session *s;
	struct mcp_wait *w;
	struct err e = { 0 };
	int rc;

	CHECK_MARK(m, MCP_MARK);
	s = session_of(m, spec, &e);
	if (s == NULL || check_room(s, &e) != OK) {
		done(ctx, e.code, &none, &e);
		return NULL;
	}
	w = wait_new(s, MCP_CALL, ctx);
	w->called = done;
	if (traceparent.n > 0 && traceparent.n < sizeof w->traceparent)
		memcpy(w->traceparent, traceparent.p, traceparent.n);
	if (timeout > 0)
		w->timeout = w->timeout_max = timeout;
	buf_lit(&w->params, "{\"name\":");
	json_add_str(&w->params, tool);
	buf_lit(&w->params, ",\"arguments\":");
	rc = json_parse(&args, args_json.n > 0 ? args_json : S("{}"), &e);
	if (rc == OK)
		json_add_node(&w->params, args.root);        /* on one line */
	json_release(&args);
	if (w->params.failed)
		rc = err_set(&e, ERR_TOOBIG, "the arguments have more than %d bytes",
		    LIMIT_MCP_MESSAGE_BYTES);
	if (rc == OK)
		return want(s, w);
	mcp_wait_free(w);
	done(ctx, e.code, &none, &e);
	return NULL;
}

/* ---- the whole ---------------------------------------------------------------------- */

struct mcp *
mcp_new(struct shard *shard, struct client *c)
{
	struct mcp *m = mem_new(struct mcp);

	m->mark = MCP_MARK;
	m->shard = shard;
	m->client = c;
	list_init(&m->sessions);
	return m;
}

void
mcp_free(struct mcp *m)
{
	if (m == NULL)
		return;
	CHECK_MARK(m, MCP_MARK);
	while (!list_empty(&m->sessions)) {
		struct mcp_session *s = CONTAINER_OF(m->sessions.next, struct mcp_session, in);

		assert(s->holds == 0);
		session_free(s);
	}
	CHECK_END(m);
	free(m);
}
