/*
 * crons.c - runs that begin at given times.
 *
 * A cron's body is a run's, with a schedule.  It is checked as a run's when the cron is
 * made, so that its runs are not refused later.  A change is merged into the cron's body,
 * and the whole is read again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <stdio.h>

#include "run/cron.h"
#include "run/hook.h"

#define TIME_MAX 64                          /* bytes of a time */

/* The fields of its runs; null in a change removes one. */
static const char *const payload_names[] = {
	"assistant_id", "input", "config", "context", "webhook", "interrupt_before",
	"interrupt_after", "multitask_strategy", "stream_mode", "stream_subgraphs",
	"stream_resumable", "durability", NULL
};
static const char *const own_names[] = {
	"schedule", "timezone", "end_time", "enabled", "on_run_completed", "metadata",
	"checkpoint_during", NULL
};

/* ---- reading ----------------------------------------------------------------- */

/* Of a run's fields some have no meaning here. */
static void
names_check(struct call *c)
{
	struct json_iter it = json_each(c->in->node);

	while (c->in->rc == OK && json_next(&it)) {
		struct str_near near = { .word = json_str(it.key) };
		char name[64];

		if (json_is_null(it.value) ||
		    str_near_row(&near, payload_names, sizeof *payload_names) != NULL ||
		    str_near_row(&near, own_names, sizeof *own_names) != NULL)
			continue;
		snprintf(name, sizeof name, "%.*s", FMT(param_shown(near.word)));
		fields_fail(c->in, name, ERR_INVALID, "a cron has no such field%s%s",
		    near.best != NULL ? "; did you mean " : "",
		    near.best != NULL ? near.best : "");
	}
}

/* Python's datetimes may have no zone: then they are UTC. */
static void
time_read(struct call *c, const char *key, msec *out)
{
	struct str s = STR_NONE;

	fields_str(c->in, key, TIME_MAX, &s);
	if (s.p != NULL && !clock_read_iso(s, out) &&
	    !clock_read_iso(arena_fmt(&c->r->arena, "%.*sZ", FMT(s)), out))
		fields_fail(c->in, key, ERR_INVALID, "expected a time such as "
		    "\"2026-11-21T00:15:00Z\", got \"%.*s\"", FMT(param_shown(s)));
}

/* The fields of its runs, as they came; checkpoint_during as durability. */
static void
payload_read(struct call *c, struct store_cron *cron)
{
	jnode during = json_get(c->in->node, S("checkpoint_during"));
	struct buf b = BUF(2 * (size_t)LIMIT_CRON_BYTES);

	buf_add_char(&b, '{');
	for (size_t i = 0; payload_names[i] != NULL; i++) {
		jnode n = json_get(c->in->node, str_of(payload_names[i]));

		if (json_is_null(n))
			continue;
		json_add_key(&b, payload_names[i]);
		json_add_node(&b, n);
	}
	if (json_is_bool(during) && json_is_null(json_get(c->in->node, S("durability"))))
		json_add_fmt(&b, ",'durability':%s", json_bool(during) ? "async" : "exit");
	buf_add_char(&b, '}');
	if (b.failed || b.n > LIMIT_CRON_BYTES)
		fields_fail(c->in, "input", ERR_TOOBIG, "with all that its runs are asked: "
		    "larger than %d bytes", LIMIT_CRON_BYTES);
	else
		cron->payload_json = arena_str(&c->r->arena, buf_str(&b));
	buf_release(&b);
}

static void
completed_read(struct call *c, struct store_cron *cron)
{
	static const char *const words[] = { "delete", "keep", NULL };
	bool has_thread = !uuid_is_zero(&cron->thread_id);

	cron->keeps = has_thread;
	fields_enum(c->in, "on_run_completed", words, &cron->keeps);
	if (has_thread && !cron->keeps)
		fields_fail(c->in, "on_run_completed", ERR_INVALID, "a cron on a thread "
		    "keeps it; leave it out or send \"keep\"");
}

/* Checks all that a run is asked; c->in is the whole. */
static void
cron_read(struct call *c, struct store_cron *cron)
{
	bool enabled = true;
	struct run_ask ask;

	names_check(c);
	call_read_asked(c, &ask);
	if (c->in->rc == OK && ask.q.webhook.n > 0)
		c->in->rc = runs_check_hook(c->api->runs, ask.q.webhook, &c->err);
	cron->assistant_id = ask.q.assistant.id;
	if (json_is_null(ask.q.input) && uuid_is_zero(&cron->thread_id))
		fields_fail(c->in, "input", ERR_INVALID, "expected an object, got nothing; "
		    "a run begins with {\"messages\": [...]}");
	call_read_str(c, "schedule", LIMIT_SCHEDULE_BYTES, &cron->schedule);
	if (cron->schedule.n == 0)
		fields_fail(c->in, "schedule", ERR_INVALID, "expected five fields such as "
		    "\"0 9 * * mon-fri\", got nothing");
	call_read_str(c, "timezone", LIMIT_NAME_BYTES, &cron->zone);
	time_read(c, "end_time", &cron->ends);
	fields_bool(c->in, "enabled", &enabled);
	cron->enabled = enabled;
	completed_read(c, cron);
	payload_read(c, cron);
}

/* Its next firing from now on.  insists: without one the request is refused. */
static void
next_find(struct call *c, struct store_cron *cron, msec now, bool insists)
{
	struct err e = { 0 };
	const char *field;
	int rc;

	if (c->in->rc != OK)
		return;
	rc = cron_next(cron->schedule, cron->zone, now, cron->ends, &cron->next, &field, &e);
	if (rc != OK)
		fields_fail(c->in, field, rc, "%s", e.text);
	else if (cron->enabled && cron->next == 0 && insists)
		fields_fail(c->in, "end_time", ERR_INVALID, "the schedule does not fire "
		    "before it");
	cron->enabled = cron->enabled && cron->next != 0;
	if (!cron->enabled)
		cron->next = 0;
}

/* ---- creating ------------------------------------------------------------------ */

static int
cron_written(struct call *c, const struct store_cron *cron)
{
	cron_note(c->api->runs, cron->next);
	return call_object(c, cron_members, cron);
}

static int
cron_created(struct call *c)
{
	return cron_written(c, &c->op.cron_create.c);
}

int
api_cron_create(struct call *c)
{
	msec now = shard_wall(c->api->shard);
	struct store_cron cron = { .thread_id = c->thread_id, .id = uuid_v7(),
	    .created = now, .updated = now };
	int rc = OK;

	if (!uuid_is_zero(&c->thread_id)) {
		struct store_thread t;

		rc = api_thread_find(c, &t);
		if (rc == OK)
			rc = call_may(c, THREADS_CREATE_RUN, t.metadata_json);
	}
	if (rc < 0)
		return rc;
	cron_read(c, &cron);
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &cron.metadata_json);
	next_find(c, &cron, now, true);
	c->op.cron_create = (struct store_cron_create){ .c = cron };
	return call_submit(c, STORE_CRON_CREATE, cron_created);
}

int
api_cron_again(struct call *c)
{
	struct store_cron cron;
	int rc = store_cron_get(c->api->reader, c->owner, &c->once.id, &c->r->arena, &cron);

	return rc < 0 ? rc : call_object(c, cron_members, &cron);
}

/* ---- those that exist ------------------------------------------------------------ */

static int
cron_find(struct call *c, struct store_cron *out)
{
	struct uuid id;

	if (!uuid_parse(c->param[0], &id))
		return err_set(&c->err, ERR_INVALID, "cron_id: expected a UUID, got "
		    "\"%.*s\"", FMT(param_shown(c->param[0])));
	return store_cron_get(c->api->reader, c->owner, &id, &c->r->arena, out);
}

int
api_cron_get(struct call *c)
{
	struct store_cron cron;
	int rc = cron_find(c, &cron);

	return rc < 0 ? rc : call_object(c, cron_members, &cron);
}

static int
cron_deleted(struct call *c)
{
	buf_lit(call_out(c), "{}");
	return call_json(c, STR_NONE);
}

int
api_cron_delete(struct call *c)
{
	struct store_cron cron;
	int rc = cron_find(c, &cron);

	if (rc < 0)
		return rc;
	c->op.cron_delete = (struct store_cron_delete){ .id = cron.id };
	return call_submit(c, STORE_CRON_DELETE, cron_deleted);
}

/* ---- changing ---------------------------------------------------------------------- */

/* The body that would make the cron as it is. */
static void
add_whole(struct buf *b, const struct store_cron *cron, jnode payload)
{
	buf_add_char(b, '{');
	for (struct json_iter it = json_each(payload); json_next(&it);) {
		json_add_comma(b);
		json_add_str(b, json_str(it.key));
		buf_add_char(b, ':');
		json_add_node(b, it.value);
	}
	json_add_fmt(b, ",'schedule':%.*s,'enabled':%hhd", FMT(cron->schedule),
	    (bool)cron->enabled);
	if (cron->zone.p != NULL)
		json_add_fmt(b, ",'timezone':%.*s", FMT(cron->zone));
	if (cron->ends != 0)
		show_time(b, "end_time", cron->ends);
	json_add_fmt(b, ",'on_run_completed':%s}", cron->keeps ||
	    !uuid_is_zero(&cron->thread_id) ? "keep" : "delete");
}

/* Merges the change into the cron's body. */
static int
whole_read(const struct store_cron *cron, jnode change, struct json_doc *out,
    struct err *e)
{
	struct json_doc payload = { 0 }, whole = { 0 };
	struct buf text = BUF(2 * (size_t)LIMIT_HTTP_BODY_BYTES);
	int rc = json_parse(&payload, cron->payload_json, e);

	if (rc == OK) {
		add_whole(&text, cron, payload.root);
		rc = json_parse(&whole, buf_str(&text), e);
	}
	if (rc == OK) {
		buf_clear(&text);
		json_add_merged(&text, whole.root, change);
		rc = text.failed ? ERR_TOOBIG : json_parse(out, buf_str(&text), e);
	}
	json_release(&payload);
	json_release(&whole);
	buf_release(&text);
	return rc;
}

static int
cron_updated(struct call *c)
{
	return cron_written(c, &c->op.cron_update.c);
}

static bool
is_in(jnode body, const char *name)
{
	return json_get(body, str_of(name)) != NULL;
}

/* c->in is the change; the whole is read in its place. */
static void
change_read(struct call *c, const struct store_cron *old, struct store_cron *cron)
{
	struct fields whole, *change = c->in;
	struct json_doc d = { 0 };
	int rc;

	names_check(c);
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &cron->metadata_json);
	if (change->rc != OK)
		return;
	rc = whole_read(old, change->node, &d, &c->err);
	if (rc == OK) {
		fields_open(&whole, d.root, "cron", &c->err);
		c->in = &whole;
		cron_read(c, cron);
		if (is_in(change->node, "schedule") || is_in(change->node, "timezone") ||
		    is_in(change->node, "end_time") || is_in(change->node, "enabled"))
			next_find(c, cron, cron->updated, is_in(change->node, "enabled"));
		rc = whole.rc;
		c->in = change;
	}
	change->rc = rc;
	json_release(&d);
}

int
api_cron_update(struct call *c)
{
	struct store_cron old, cron;
	int rc = cron_find(c, &old);

	if (rc < 0)
		return rc;
	cron = (struct store_cron){ .id = old.id, .thread_id = old.thread_id,
	    .version = old.version, .next = old.next, .error_json = old.error_json,
	    .updated = shard_wall(c->api->shard) };
	change_read(c, &old, &cron);
	c->op.cron_update = (struct store_cron_update){ .c = cron };
	return call_submit(c, STORE_CRON_UPDATE, cron_updated);
}
