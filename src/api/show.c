/*
 * show.c - how threads, assistants, runs and items look from outside.
 *
 * A kind of object is a table of its members: the same rows write it, whole or
 * in part, and say which members a client may select.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/a2a.h"

#include <string.h>

#include "run/view.h"
#include "store/hook.h"

/* ---- one member, with its key -------------------------------------------- */

void
show_id(struct buf *b, const char *key, const struct uuid *id)
{
	json_add_key(b, key);
	if (uuid_is_zero(id)) {
		buf_lit(b, "null");
		return;
	}
	buf_add_char(b, '"');
	uuid_add(b, id);
	buf_add_char(b, '"');
}

static void
add_uuid(struct buf *b, const char *key, const void *at)
{
	show_id(b, key, at);
}

void
show_text(struct buf *b, const char *key, struct str text)
{
	json_add_key(b, key);
	if (text.n > 0)
		json_add_str(b, text);
	else
		buf_lit(b, "null");
}

void
show_time(struct buf *b, const char *key, msec at)
{
	json_add_key(b, key);
	buf_add_char(b, '"');
	clock_add_iso(b, at);
	buf_add_char(b, '"');
}

static void
add_time(struct buf *b, const char *key, const void *at)
{
	show_time(b, key, *(const msec *)at);
}

static void
add_int(struct buf *b, const char *key, const void *at)
{
	json_add_key(b, key);
	buf_add_i64(b, *(const int64_t *)at);
}

/* p NULL: null. */
static void
add_text(struct buf *b, const char *key, const void *at)
{
	const struct str *s = at;

	json_add_key(b, key);
	if (s->p == NULL)
		buf_lit(b, "null");
	else
		json_add_str(b, *s);
}

/* JSON; empty: {}. */
static void
add_object(struct buf *b, const char *key, const void *at)
{
	const struct str *json = at;

	json_add_key(b, key);
	buf_add(b, json->n > 0 ? *json : S("{}"));
}

/* ---- threads ------------------------------------------------------------- */

static void
add_thread_status(struct buf *b, const char *key, const void *at)
{
	json_add_key(b, key);
	json_add_str(b, str_of(thread_status_names[*(const enum thread_status *)at]));
}

static void
add_thread_values(struct buf *b, const char *key, const void *at)
{
	const struct shown_thread *s = at;

	if (!s->f.has_state)
		return;
	json_add_key(b, key);
	view_add_values(b, s->agent, &s->f.state, false);
}

/* A pending task has an entry even when it asks nothing; of one under way nothing
 * is told. */
static void
add_thread_interrupts(struct buf *b, const char *key, const void *at)
{
	const struct shown_thread *s = at;

	if (!s->f.has_state)
		return;
	json_add_key(b, key);
	if (s->f.t.status == THREAD_BUSY)
		buf_lit(b, "{}");
	else
		view_add_interrupts(b, &s->f.state);
}

/* null: it lives until it is deleted. */
static void
add_thread_ttl(struct buf *b, const char *key, const void *at)
{
	const struct store_thread *t = at;

	json_add_key(b, key);
	if (t->ttl.ms == 0) {
		buf_lit(b, "null");
		return;
	}
	json_add_fmt(b, "{'strategy':%s,'ttl_minutes':", thread_ttl_names[t->ttl.strategy]);
	json_add_double(b, (double)t->ttl.ms / (60 * 1000));
	if (t->expires != 0)
		show_time(b, "expires_at", t->expires);
	else
		buf_lit(b, ",\"expires_at\":null");
	buf_add_char(b, '}');
}

static void
add_thread_extracted(struct buf *b, const char *key, const void *at)
{
	const struct str *json = at;

	if (json->n > 0)
		add_object(b, key, json);
}

static void
add_thread_error(struct buf *b, const char *key, const void *at)
{
	if (((const struct str *)at)->n > 0)
		add_object(b, key, at);
}

#define AT(type, member) offsetof(struct type, member)

const struct member thread_members[] = {
	{ "thread_id", add_uuid, AT(shown_thread, f.t.id) },
	{ "created_at", add_time, AT(shown_thread, f.t.created) },
	{ "updated_at", add_time, AT(shown_thread, f.t.updated) },
	{ "metadata", add_object, AT(shown_thread, f.t.metadata_json) },
	{ "status", add_thread_status, AT(shown_thread, f.t.status) },
	{ "config", add_object, AT(shown_thread, f.t.config_json) },
	[THREAD_VALUES] = { "values", add_thread_values, 0 },
	[THREAD_INTERRUPTS] = { "interrupts", add_thread_interrupts, 0 },
	{ "error", add_thread_error, AT(shown_thread, f.t.error_json) },
	{ "state_updated_at", add_time, AT(shown_thread, f.t.state_updated) },
	{ "context", NULL, 0 },
	[THREAD_EXTRACTED] = { "extracted", add_thread_extracted, AT(shown_thread, extracted) },
	[THREAD_TTL] = { "ttl", add_thread_ttl, AT(shown_thread, f.t) }, { NULL, NULL, 0 },
};

/* ---- assistants, runs, items ---------------------------------------------- */

const struct member assistant_members[] = {
	{ "assistant_id", add_uuid, AT(store_assistant, id) },
	{ "version", add_int, AT(store_assistant, version) },
	{ "config", add_object, AT(store_assistant, config_json) },
	{ "context", add_object, AT(store_assistant, context_json) },
	{ "created_at", add_time, AT(store_assistant, created) },
	{ "updated_at", add_time, AT(store_assistant, updated) },
	{ "graph_id", add_text, AT(store_assistant, graph_id) },
	{ "metadata", add_object, AT(store_assistant, metadata_json) },
	{ "name", add_text, AT(store_assistant, name) },
	{ "description", add_text, AT(store_assistant, description) },
	{ NULL, NULL, 0 },
};

const struct member version_members[] = {
	{ "assistant_id", add_uuid, AT(store_assistant, id) },
	{ "version", add_int, AT(store_assistant, version) },
	{ "graph_id", add_text, AT(store_assistant, graph_id) },
	{ "config", add_object, AT(store_assistant, config_json) },
	{ "context", add_object, AT(store_assistant, context_json) },
	{ "created_at", add_time, AT(store_assistant, created) },
	{ "metadata", add_object, AT(store_assistant, metadata_json) },
	{ "name", add_text, AT(store_assistant, name) },
	{ "description", add_text, AT(store_assistant, description) },
	{ NULL, NULL, 0 },
};

static void
add_run_status(struct buf *b, const char *key, const void *at)
{
	json_add_key(b, key);
	json_add_str(b, str_of(run_status_names[*(const enum run_status *)at]));
}

static void
add_multitask(struct buf *b, const char *key, const void *at)
{
	json_add_key(b, key);
	json_add_str(b, str_of(multitask_names[*(const enum multitask *)at]));
}

/* Few runs have one: most are not read for it. */
static void
add_session(struct buf *b, const char *key, const void *at)
{
	const struct str *kwargs = at;
	struct json_doc d = { 0 };
	jnode n = NULL;

	if (kwargs->n > 0 && memmem(kwargs->p, kwargs->n, RUN_TRACER_PROJECT,
	    sizeof RUN_TRACER_PROJECT - 1) != NULL && json_parse(&d, *kwargs, NULL) == OK)
		n = json_get(json_get(json_get(d.root, S("config")), S("configurable")),
		    S(RUN_TRACER_PROJECT));
	json_add_key(b, key);
	json_add_node(b, json_is_string(n) ? n : NULL);
	json_release(&d);
}

const struct member run_members[] = {
	{ "run_id", add_uuid, AT(store_run, id) },
	{ "thread_id", add_uuid, AT(store_run, thread_id) },
	{ "assistant_id", add_uuid, AT(store_run, assistant_id) },
	{ "metadata", add_object, AT(store_run, metadata_json) },
	{ "status", add_run_status, AT(store_run, status) },
	{ "kwargs", add_object, AT(store_run, kwargs_json) },
	{ "multitask_strategy", add_multitask, AT(store_run, multitask) },
	{ "created_at", add_time, AT(store_run, created) },
	{ "updated_at", add_time, AT(store_run, updated) },
	{ "cancel_reason", add_text, AT(store_run, cancel_reason) },
	{ "langsmith_session_name", add_session, AT(store_run, kwargs_json) },
	{ NULL, NULL, 0 },
};

/* 0: null. */
static void
add_time_or_null(struct buf *b, const char *key, const void *at)
{
	if (*(const msec *)at != 0) {
		add_time(b, key, at);
		return;
	}
	json_add_key(b, key);
	buf_lit(b, "null");
}

static void
add_enabled(struct buf *b, const char *key, const void *at)
{
	json_add_key(b, key);
	buf_add(b, *(const int *)at ? S("true") : S("false"));
}

/* A thread that was there before stays in any case. */
static void
add_completed(struct buf *b, const char *key, const void *at)
{
	const struct store_cron *c = at;

	json_add_key(b, key);
	buf_add(b, !uuid_is_zero(&c->thread_id) ? S("null") : c->keeps ? S("\"keep\"") :
	    S("\"delete\""));
}

static void
add_error(struct buf *b, const char *key, const void *at)
{
	const struct str *json = at;

	json_add_key(b, key);
	buf_add(b, json->n > 0 ? *json : S("null"));
}

const struct member cron_members[] = {
	{ "cron_id", add_uuid, AT(store_cron, id) },
	{ "assistant_id", add_uuid, AT(store_cron, assistant_id) },
	{ "thread_id", add_uuid, AT(store_cron, thread_id) },
	{ "schedule", add_text, AT(store_cron, schedule) },
	{ "timezone", add_text, AT(store_cron, zone) },
	{ "end_time", add_time_or_null, AT(store_cron, ends) },
	{ "enabled", add_enabled, AT(store_cron, enabled) },
	{ "on_run_completed", add_completed, 0 },
	{ "created_at", add_time, AT(store_cron, created) },
	{ "updated_at", add_time, AT(store_cron, updated) },
	{ "next_run_date", add_time_or_null, AT(store_cron, next) },
	{ "user_id", add_text, AT(store_cron, user) },
	{ "payload", add_object, AT(store_cron, payload_json) },
	{ "metadata", add_object, AT(store_cron, metadata_json) },
	{ "last_error", add_error, AT(store_cron, error_json) },
	{ NULL, NULL, 0 },
};

void
api_add_hook_run(struct buf *b, const struct store_hook *h)
{
	if (h->push_json.n > 0) {
		a2a_add_push(b, h);
		return;
	}
	for (const struct member *m = run_members; m->name != NULL; m++)
		if (m->add == add_run_status && h->rolled_back)
			json_add_fmt(b, ",'status':'rollback'");
		else if (m->add != NULL)
			m->add(b, m->name, (const char *)&h->run + m->at);
}

static void
add_namespace(struct buf *b, const char *key, const void *at)
{
	struct str rest = *(const struct str *)at, label;

	json_add_key(b, key);
	buf_add_char(b, '[');
	while (rest.n > 0 && str_next(&rest, '.', &label))
		json_add_fmt(b, ",%.*s", FMT(label));
	buf_add_char(b, ']');
}

/* Of items that a query has found. */
static void
add_score(struct buf *b, const char *key, const void *at)
{
	const struct store_item *i = at;

	if (!i->has_score)
		return;
	json_add_key(b, key);
	json_add_double(b, i->score);
}

const struct member item_members[] = {
	{ "namespace", add_namespace, AT(store_item, ns) },
	{ "key", add_text, AT(store_item, key) },
	{ "value", add_object, AT(store_item, value_json) },
	{ "created_at", add_time, AT(store_item, created) },
	{ "updated_at", add_time, AT(store_item, updated) },
	{ "score", add_score, 0 },
	{ NULL, NULL, 0 },
};

/* ---- tables -------------------------------------------------------------- */

void
members_add(struct buf *b, const struct member *m, unsigned select,
    const void *object)
{
	json_add_comma(b);
	buf_add_char(b, '{');
	for (size_t i = 0; m[i].name != NULL; i++)
		if (m[i].add != NULL && (select & 1u << i))
			m[i].add(b, m[i].name, (const char *)object + m[i].at);
	buf_add_char(b, '}');
}

unsigned
members_select(struct call *c, const struct member *m, struct words list)
{
	struct buf names = BUF(KB);
	unsigned select = 0;

	for (size_t n = 0; n < list.n; n++) {
		size_t i = 0;

		while (m[i].name != NULL && !str_eq(list.at[n], str_of(m[i].name)))
			i++;
		if (m[i].name != NULL) {
			select |= 1u << i;
			continue;
		}
		for (i = 0; m[i].add != NULL; i++)
			buf_add_fmt(&names, "%s%s", i > 0 ? ", " : "", m[i].name);
		fields_fail(c->in, "select", ERR_INVALID,
		    "expected some of %.*s, got \"%.*s\"", FMT(buf_str(&names)),
		    FMT(param_shown(list.at[n])));
		break;
	}
	buf_release(&names);
	return list.n > 0 ? select : MEMBERS_ALL;
}
