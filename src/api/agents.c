/*
 * agents.c - agents as addresses: spawned or registered, looked at, found, stopped.
 *
 * {agent} of a path is an id or a name.  Another owner's agent does not exist.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <string.h>

#include "base/mem.h"
#include "mail/host/spec_read.h"

#define SEARCH_DEFAULT 10
#define FOUND_BYTES    (64 * MB)             /* of agents that a search shows or skips */

/* ---- showing ------------------------------------------------------------------ */

static void
add_json(struct buf *b, const char *key, struct str json, struct str none)
{
	json_add_key(b, key);
	buf_add(b, json.n > 0 ? json : none);
}

static void
add_books(struct buf *b, const struct mail_books *m)
{
	json_add_fmt(b, ",'books':{'sent':%llu,'delivered':%llu,'dead':%llu,'expired':%llu,"
	    "'pending':%llu,'retried':%llu,'refused':%llu}", (unsigned long long)m->sent,
	    (unsigned long long)m->delivered, (unsigned long long)m->dead,
	    (unsigned long long)m->expired, (unsigned long long)m->pending,
	    (unsigned long long)m->retried, (unsigned long long)m->refused);
}

static void
agent_add(struct buf *b, const struct office_shown *x)
{
	const struct office_spec *s = &x->spec;

	json_add_fmt(b, ",{'agent_id':'");
	uuid_add(b, &s->id);
	buf_add_char(b, '"');
	show_text(b, "name", s->name);
	json_add_fmt(b, ",'kind':%.*s", FMT(s->kind));
	show_text(b, "graph_id", s->graph_id);
	json_add_fmt(b, ",'state':%s,'capabilities':[", mail_state_names[x->state]);
	for (size_t i = 0; i < s->capabilities_n; i++)
		json_add_fmt(b, ",%.*s", FMT(s->capabilities[i]));
	json_add_fmt(b, "],'durable':%hhd,'mailbox_max':%u,'waiting':%u", s->durable,
	    s->mailbox_max > 0 ? s->mailbox_max : LIMIT_MAILBOX_LETTERS, x->waiting);
	add_books(b, &x->books);
	json_add_fmt(b, ",'supervision':{'restart':%s,'max_restarts':%u,'window':%lld,"
	    "'backoff':%lld,'restarts':%u}", supervise_restart_names[s->restart],
	    s->restarts_max, (long long)s->restarts_window, (long long)s->backoff,
	    x->restarts);
	add_json(b, "input", s->input_json, S("null"));
	add_json(b, "config", s->config_json, S("{}"));
	add_json(b, "metadata", s->metadata_json, S("{}"));
	show_text(b, "error", x->error);
	show_time(b, "created_at", x->created);
	show_time(b, "updated_at", x->updated);
	buf_add_char(b, '}');
}

static void
agent_shown(void *ctx, int rc, const struct office_shown *x, const struct err *e)
{
	struct call *c = ctx;

	if (rc < 0) {
		call_fail(c, rc, e);
		return;
	}
	agent_add(call_out(c), x);
	call_finish(c, call_json(c, STR_NONE));
}

int
api_agent_get(struct call *c)
{
	c->in = NULL;
	office_show(c->api->office, c->owner, c->param[0], agent_shown, c);
	return OK;
}

/* ---- spawning ------------------------------------------------------------------ */

struct spawn { struct call *c; struct office_spawn s; };

/* What a supervisor does that was asked for and not told more. */
#define RESTARTS_MAX 3
#define WINDOW_MS    60000
#define BACKOFF_MS   1000

static void
read_supervision(struct call *c, struct office_spec *s)
{
	int64_t max = -1, window = -1, backoff = -1;
	int restart = RESTART_NEVER;
	struct fields f;

	if (!fields_object(c->in, "supervision", &f))
		return;
	fields_enum(&f, "restart", supervise_restart_names, &restart);
	fields_int(&f, "max_restarts", 0, LIMIT_AGENT_RESTARTS, &max);
	fields_int(&f, "window", 1, LIMIT_AGENT_WINDOW_MS, &window);
	fields_int(&f, "backoff", 0, LIMIT_AGENT_WINDOW_MS, &backoff);
	fields_end(&f);
	s->restart = (enum supervise_restart)restart;
	if (restart == RESTART_NEVER) {
		if (max >= 0 || window >= 0 || backoff >= 0)
			fields_fail(&f, "restart", ERR_INVALID, "expected on_failure or always "
			    "beside the others");
		return;
	}
	s->restarts_max = max < 0 ? RESTARTS_MAX : (uint32_t)max;
	s->restarts_window = window < 0 ? WINDOW_MS : window;
	s->backoff = backoff < 0 ? BACKOFF_MS : backoff;
}

static void
read_kind(struct call *c, struct office_spec *s)
{
	static const char *const kinds[] = { "external", "chart", "run", "wasm", NULL };
	int kind = -1;

	call_read_str(c, "graph_id", LIMIT_NAME_BYTES, &s->graph_id);
	fields_enum(c->in, "kind", kinds, &kind);
	if (kind >= 0)
		s->kind = str_of(kinds[kind]);
	if (kind < 0 && s->graph_id.n == 0)
		fields_fail(c->in, "graph_id", ERR_INVALID, "expected the id of a graph, or "
		    "kind external");
	else if (kind == 0 && s->graph_id.n > 0)
		fields_fail(c->in, "graph_id", ERR_INVALID, "an external agent is a client and "
		    "has none");
	else if (kind > 0 && s->graph_id.n == 0)
		fields_fail(c->in, "graph_id", ERR_INVALID, "missing: what an agent of kind %s "
		    "does", kinds[kind]);
	s->durable = kind != 1;              /* a chart lives in memory */
}

static void
read_input(struct call *c, struct office_spec *s)
{
	struct arena *a = &c->r->arena;
	struct fields config;

	office_json_read(c->in, a, "input", LIMIT_HTTP_BODY_BYTES, &s->input_json);
	if (fields_object(c->in, "config", &config))
		office_json_read(c->in, a, "config", LIMIT_METADATA_BYTES, &s->config_json);
	if (str_eq(s->kind, S("external")) && s->input_json.n + s->config_json.n > 0)
		fields_fail(c->in, s->input_json.n > 0 ? "input" : "config", ERR_INVALID,
		    "an external agent takes none");
}

static void
spawned(struct office_spawn *s, int rc, const struct err *e)
{
	struct spawn *x = CONTAINER_OF(s, struct spawn, s);
	struct call *c = x->c;
	char id[UUID_TEXT];

	if (rc < 0) {
		/* A definition that is not there is a mistake in the body. */
		call_fail(c, rc == ERR_NOTFOUND ? ERR_INVALID : rc, e);
		return;
	}
	uuid_format(&s->spec.id, id);
	office_show(c->api->office, c->owner, (struct str){ id, UUID_TEXT }, agent_shown, c);
}

int
api_agent_spawn(struct call *c)
{
	struct spawn *x = arena_new(&c->r->arena, struct spawn);
	struct office_spec *s;

	if (x == NULL)
		return ERR_TOOBIG;
	x->c = c;
	x->s.done = spawned;
	s = &x->s.spec;
	s->owner = c->owner;
	s->subject = c->who.subject;
	read_kind(c, s);
	office_spec_read(c->in, &c->r->arena, s);
	read_input(c, s);
	read_supervision(c, s);
	fields_end(c->in);
	if (c->in->rc != OK)
		return c->in->rc;
	c->in = NULL;
	office_spawn(c->api->office, &x->s);
	return OK;
}

/* ---- stopping ------------------------------------------------------------------- */

static void
stopped(void *ctx, int rc, const struct err *e)
{
	struct call *c = ctx;

	if (rc < 0)
		call_fail(c, rc, e);
	else
		call_empty(c, 204);
}

int
api_agent_stop(struct call *c)
{
	bool drain = false;
	int64_t deadline = -1;

	param_bool(c, "drain", &drain);
	param_int(c, "deadline", 0, LIMIT_MAIL_DRAIN_MAX_MS, &deadline);
	if (c->in->rc == OK && deadline >= 0 && !drain)
		fields_fail(c->in, "deadline", ERR_INVALID, "expected drain=true beside it");
	if (c->in->rc != OK)
		return c->in->rc;
	c->in = NULL;
	office_stop(c->api->office, c->owner, c->param[0], drain,
	    deadline >= 0 ? deadline : LIMIT_MAIL_DRAIN_MS, stopped, c);
	return OK;
}

/* ---- searching ------------------------------------------------------------------- */

struct found { struct uuid id; msec created; size_t at, n; };

struct search {
	struct call *c;
	struct str name, capability, kind;
	int state;                           /* -1: any */
	int64_t limit, offset;
	struct buf json;                     /* of all that were found */
	struct found *found;
	size_t n, cap;
};

static bool
has_capability(const struct office_spec *s, struct str wanted)
{
	for (size_t i = 0; i < s->capabilities_n; i++) {
		struct str have = s->capabilities[i];
		bool versions = str_index(wanted, ':') < 0;

		if (str_eq(have, wanted) || (versions && str_starts(have, wanted) &&
		    have.n > wanted.n && have.p[wanted.n] == ':'))
			return true;
	}
	return false;
}

static void
search_each(void *ctx, const struct office_shown *x)
{
	struct search *q = ctx;
	const struct office_spec *s = &x->spec;
	size_t at = q->json.n;

	if ((q->name.n > 0 && !str_contains_nocase(s->name, q->name)) ||
	    (q->kind.n > 0 && !str_eq(s->kind, q->kind)) ||
	    (q->state >= 0 && (int)x->state != q->state) ||
	    (q->capability.n > 0 && !has_capability(s, q->capability)))
		return;
	agent_add(&q->json, x);
	mem_grow(q->found, q->n, q->cap);
	q->found[q->n++] = (struct found){ s->id, x->created, at, q->json.n - at };
}

/* Newest first. */
static int
found_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	return memcmp(&y->id, &x->id, sizeof x->id);
}

static void
search_answer(struct search *q)
{
	struct call *c = q->c;
	struct buf *b = call_out(c);
	size_t from = (size_t)q->offset < q->n ? (size_t)q->offset : q->n;
	size_t to = from + (size_t)q->limit < q->n ? from + (size_t)q->limit : q->n;

	if (q->n > 0)
		qsort(q->found, q->n, sizeof *q->found, found_cmp);
	buf_add_char(b, '[');
	for (size_t i = from; i < to; i++) {
		struct str one = str_sub(buf_str(&q->json), q->found[i].at, q->found[i].n);

		json_add_comma(b);
		buf_add(b, one.p[0] == ',' ? str_sub(one, 1, one.n) : one);
	}
	buf_add_char(b, ']');
	call_finish(c, call_json(c, call_page_lines(c, (int64_t)to, (int64_t)q->n)));
}

static void
search_end(void *ctx)
{
	struct search *q = ctx;
	struct call *c = q->c;

	if (q->json.failed)
		call_finish(c, err_set(&c->err, ERR_TOOBIG, "the agents that match are "
		    "larger than %zu MB; ask for fewer", FOUND_BYTES / MB));
	else
		search_answer(q);
	buf_release(&q->json);
	free(q->found);
	free(q);
}

int
api_agent_search(struct call *c)
{
	static const char *const kinds[] = { "external", "chart", "run", "wasm", "native", NULL };
	struct search *q = mem_new(struct search);
	int kind = -1;

	*q = (struct search){ .c = c, .state = -1, .limit = SEARCH_DEFAULT,
	    .json = BUF(FOUND_BYTES) };
	call_read_str(c, "name", LIMIT_NAME_BYTES, &q->name);
	call_read_str(c, "capability", LIMIT_NAME_BYTES, &q->capability);
	fields_enum(c->in, "state", mail_state_names, &q->state);
	fields_enum(c->in, "kind", kinds, &kind);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &q->limit);
	fields_int(c->in, "offset", 0, INT32_MAX, &q->offset);
	fields_end(c->in);
	if (c->in->rc != OK) {
		int rc = c->in->rc;

		free(q);
		return rc;
	}
	if (kind >= 0)
		q->kind = str_of(kinds[kind]);
	c->in = NULL;
	office_list(c->api->office, c->owner, search_each, search_end, q);
	return OK;
}
