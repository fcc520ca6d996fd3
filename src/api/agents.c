/*
 * agents.c - agents as addresses: spawned or registered, looked at, stopped.
 *
 * {agent} of a path is an id or a name.  Another owner's agent does not exist.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <string.h>

#include "base/mem.h"
#include "mail/host/spec_read.h"

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

void
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

/* Those of all nodes that have a row; of those that have none each node knows its own
 * (office_spawn). */
static int
agents_room(struct call *c, int64_t max)
{
	int64_t used = 0;
	int rc = max == 0 ? OK : store_quota_agents(c->api->reader, c->owner, max, &used);

	if (rc < 0)
		return err_set(&c->err, rc, "quota look-up: %s", rc_text(rc));
	return max == 0 || used < max ? OK : quota_refuse(QUOTA_AGENTS, max, used, &c->err);
}

int
api_agent_spawn(struct call *c)
{
	struct spawn *x = arena_new(&c->r->arena, struct spawn);
	struct office_spec *s;
	int rc;

	if (x == NULL)
		return ERR_TOOBIG;
	x->c = c;
	x->s.done = spawned;
	s = &x->s.spec;
	s->owner = c->owner;
	s->subject = c->who.subject;
	s->agents_max = c->who.limits.stored.max[QUOTA_AGENTS];
	read_kind(c, s);
	office_spec_read(c->in, &c->r->arena, s);
	read_input(c, s);
	read_supervision(c, s);
	fields_end(c->in);
	rc = c->in->rc == OK ? agents_room(c, s->agents_max) : c->in->rc;
	if (rc != OK)
		return rc;
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
