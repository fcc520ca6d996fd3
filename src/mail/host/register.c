/*
 * register.c - see register.h.  What the store has no column for is one JSON object.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/register.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/host/carrier_priv.h"
#include "mail/host/durable.h"
#include "mail/host/office_priv.h"

#define SPEC_BYTES (4 * (size_t)LIMIT_HTTP_BODY_BYTES)

/* ---- a spec as JSON ------------------------------------------------------------- */

static void
add_member(struct buf *b, const char *key, struct str json)
{
	if (json.n > 0) {
		buf_add_fmt(b, ",\"%s\":", key);
		buf_add(b, json);
	}
}

static void
add_spec(struct buf *b, const struct office_spec *s)
{
	buf_lit(b, "{\"subject\":");
	json_add_str(b, s->subject);
	buf_lit(b, ",\"capabilities\":[");
	for (size_t i = 0; i < s->capabilities_n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		json_add_str(b, s->capabilities[i]);
	}
	buf_add_char(b, ']');
	add_member(b, "input", s->input_json);
	add_member(b, "config", s->config_json);
	add_member(b, "metadata", s->metadata_json);
	if (!s->durable)
		buf_lit(b, ",\"memory\":true");
	buf_add_fmt(b, ",\"mailbox_max\":%u,\"restart\":%d,\"restarts_max\":%u,\"window\":%lld,"
	    "\"backoff\":%lld}", s->mailbox_max, (int)s->restart, s->restarts_max,
	    (long long)s->restarts_window, (long long)s->backoff);
}

static struct str
text_of(struct arena *a, jnode object, const char *key)
{
	return arena_str(a, json_str(json_get(object, str_of(key))));
}

static struct str
json_of(struct arena *a, jnode object, const char *key)
{
	jnode n = json_get(object, str_of(key));
	struct buf b = BUF(SPEC_BYTES);
	struct str out = STR_NONE;

	if (!json_is_null(n)) {
		json_add_node(&b, n);
		out = arena_str(a, buf_str(&b));
	}
	buf_release(&b);
	return out;
}

static void
read_spec(struct arena *a, jnode n, struct office_spec *out)
{
	struct json_iter it = json_each(json_get(n, S("capabilities")));
	struct str *capabilities = arena_alloc(a, LIMIT_MAIL_CAPABILITIES * sizeof *capabilities);
	size_t count = 0;

	while (capabilities != NULL && count < LIMIT_MAIL_CAPABILITIES && json_next(&it))
		capabilities[count++] = arena_str(a, json_str(it.value));
	out->capabilities = capabilities;
	out->capabilities_n = count;
	out->subject = text_of(a, n, "subject");
	out->input_json = json_of(a, n, "input");
	out->config_json = json_of(a, n, "config");
	out->metadata_json = json_of(a, n, "metadata");
	out->mailbox_max = (uint32_t)json_int(json_get(n, S("mailbox_max")));
	out->restart = (enum supervise_restart)json_int(json_get(n, S("restart")));
	out->restarts_max = (uint32_t)json_int(json_get(n, S("restarts_max")));
	out->durable = json_is_null(json_get(n, S("memory")));
	out->restarts_window = json_int(json_get(n, S("window")));
	out->backoff = json_int(json_get(n, S("backoff")));
}

/* ---- commands -------------------------------------------------------------------- */

struct record {
	union {
		struct store_cmd cmd;
		struct store_mailer_put put;
		struct store_mailer_set set;
		struct store_mailer_delete drop;
	};
	struct arena arena;
	struct office *o;
	void (*done)(struct office *o, void *ctx, int rc, const struct err *e);
	void *ctx;
};

static void
record_done(struct store_cmd *c)
{
	struct record *r = CONTAINER_OF(c, struct record, cmd);
	struct office *o = r->o;

	if (c->op == STORE_MAILER_DELETE)
		over_deleted(o, c->owner, &r->drop.id);
	if (r->done != NULL)
		r->done(o, r->ctx, c->rc, c->rc == OK ? NULL : &c->err);
	else if (c->rc != OK && c->rc != ERR_NOTFOUND)
		log_warn("mail", "register", "error=%s", c->err.text);
	arena_release(&r->arena);
	free(r);
	office_idle(o);
}

static struct record *
record_new(struct office *o, enum store_op op, owner_t owner)
{
	struct record *r = mem_new(struct record);

	r->arena = (struct arena)ARENA(2 * SPEC_BYTES);
	r->cmd.op = op;
	r->cmd.owner = owner;
	r->cmd.arena = &r->arena;
	r->cmd.done = record_done;
	r->o = o;
	return r;
}

static void
submit(struct record *r, bool force)
{
	int rc = store_submit(r->o->all->store, r->o->shard, &r->cmd, force);

	office_busy(r->o);
	if (rc == OK)
		return;
	r->cmd.rc = err_set(&r->cmd.err, rc, "the store is busy");
	record_done(&r->cmd);
}

void
register_put(struct office *o, const struct office_spec *s, bool follow, msec now,
    void (*done)(struct office *o, void *ctx, int rc, const struct err *e), void *ctx)
{
	struct record *r = record_new(o, STORE_MAILER_PUT, s->owner);
	struct buf json = BUF(SPEC_BYTES);

	add_spec(&json, s);
	r->done = done;
	r->ctx = ctx;
	r->put.follow = follow;
	r->put.m = (struct store_mailer){ .id = s->id, .name = arena_str(&r->arena, s->name),
		.kind = arena_str(&r->arena, s->kind),
		.graph_id = arena_str(&r->arena, s->graph_id),
		.spec_json = arena_str(&r->arena, buf_str(&json)), .state = AGENT_READY,
		.created = now, .updated = now };
	buf_release(&json);
	submit(r, done == NULL);
}

void
register_set(struct office *o, const struct office_agent *a)
{
	struct record *r = record_new(o, STORE_MAILER_SET, a->spec.owner);

	r->set.id = a->spec.id;
	r->set.state = a->state;
	r->set.error = arena_str(&r->arena, a->error);
	r->set.restarts = a->restarts;
	r->set.now = a->updated;
	r->cmd.lazy = true;
	submit(r, true);
}

void
register_delete(struct office *o, const struct office_spec *s,
    void (*done)(struct office *o, void *ctx, int rc, const struct err *e), void *ctx)
{
	struct record *r = record_new(o, STORE_MAILER_DELETE, s->owner);

	r->drop.id = s->id;
	r->done = done;
	r->ctx = ctx;
	submit(r, true);
}

/* ---- at start --------------------------------------------------------------------- */

struct reading {
	void (*each)(void *ctx, const struct register_row *row);
	void *ctx;
};

void
register_read(const struct store_mailer *m, void (*each)(void *ctx,
    const struct register_row *row), void *ctx)
{
	struct arena a = ARENA(2 * SPEC_BYTES);
	struct register_row row = { .spec = { .owner = m->owner, .id = m->id, .kind = m->kind,
	    .name = m->name, .graph_id = m->graph_id },
	    .state = (enum mail_state)m->state, .error = m->error,
	    .restarts = (uint32_t)m->restarts, .created = m->created };
	struct json_doc doc;
	struct err e;

	if (json_parse(&doc, m->spec_json, &e) == OK) {
		read_spec(&a, doc.root, &row.spec);
		each(ctx, &row);
	} else {
		log_error("mail", "register", "error=%s", e.text);
	}
	json_release(&doc);
	arena_release(&a);
}

static void
read_mailer(void *ctx, const struct store_mailer *m)
{
	const struct reading *r = ctx;

	register_read(m, r->each, r->ctx);
}

int
register_each(struct office *o, void (*each)(void *ctx, const struct register_row *row),
    void *ctx, struct err *e)
{
	struct reading r = { each, ctx };

	int rc = store_mailers_each(o->reader, read_mailer, &r);

	return rc == OK ? OK : err_set(e, rc, "the agents of the store cannot be read");
}
