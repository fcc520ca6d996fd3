/*
 * show.c - how threads, assistants, runs, items and states look from outside.
 *
 * A kind of object is a table of its members: the same rows write it, whole or
 * in part, and say which members a client may select.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

/* ---- one member, with its key -------------------------------------------- */

static void
values_add_json(struct buf *b, const struct str *messages, size_t n)
{
	buf_lit(b, "{\"messages\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		buf_add(b, messages[i]);
	}
	buf_lit(b, "]}");
}

static void
add_uuid(struct buf *b, const char *key, const void *at)
{
	json_add_key(b, key);
	buf_add_char(b, '"');
	uuid_add(b, at);
	buf_add_char(b, '"');
}

static void
add_time(struct buf *b, const char *key, const void *at)
{
	json_add_key(b, key);
	buf_add_char(b, '"');
	clock_add_iso(b, *(const msec *)at);
	buf_add_char(b, '"');
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
	const struct store_thread_found *f = at;

	if (!f->has_state)
		return;
	json_add_key(b, key);
	values_add_json(b, f->state.messages, f->state.messages_n);
}

/* A pending task has an entry even when it asks nothing. */
static void
add_thread_interrupts(struct buf *b, const char *key, const void *at)
{
	const struct store_thread_found *f = at;
	const struct store_checkpoint *c = &f->state.c;

	if (!f->has_state)
		return;
	json_add_key(b, key);
	buf_add_char(b, '{');
	if (c->next.n > 0 && f->t.status != THREAD_BUSY && !uuid_is_zero(&c->task_id)) {
		buf_add_char(b, '"');
		uuid_add(b, &c->task_id);
		buf_lit(b, "\":[]");
	}
	buf_add_char(b, '}');
}

static void
add_thread_error(struct buf *b, const char *key, const void *at)
{
	if (((const struct str *)at)->n > 0)
		add_object(b, key, at);
}

#define AT(type, member) offsetof(struct type, member)

const struct member thread_members[] = {
	{ "thread_id", add_uuid, AT(store_thread_found, t.id) },
	{ "created_at", add_time, AT(store_thread_found, t.created) },
	{ "updated_at", add_time, AT(store_thread_found, t.updated) },
	{ "metadata", add_object, AT(store_thread_found, t.metadata_json) },
	{ "status", add_thread_status, AT(store_thread_found, t.status) },
	{ "config", add_object, AT(store_thread_found, t.config_json) },
	[THREAD_VALUES] = { "values", add_thread_values, 0 },
	[THREAD_INTERRUPTS] = { "interrupts", add_thread_interrupts, 0 },
	{ "error", add_thread_error, AT(store_thread_found, t.error_json) },
	{ "context", NULL, 0 }, { "state_updated_at", NULL, 0 },
	{ "extracted", NULL, 0 }, { "ttl", NULL, 0 }, { NULL, NULL, 0 },
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
	{ "cancel_reason", NULL, 0 }, { "langsmith_session_name", NULL, 0 },
	{ NULL, NULL, 0 },
};

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

const struct member item_members[] = {
	{ "namespace", add_namespace, AT(store_item, ns) },
	{ "key", add_text, AT(store_item, key) },
	{ "value", add_object, AT(store_item, value_json) },
	{ "created_at", add_time, AT(store_item, created) },
	{ "updated_at", add_time, AT(store_item, updated) },
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

/* ---- states -------------------------------------------------------------- */

static void
add_checkpoint(struct buf *b, const char *key, const struct uuid *thread_id,
    const struct uuid *id)
{
	json_add_fmt(b, ",%s:{", key);
	add_uuid(b, "thread_id", thread_id);
	add_uuid(b, "checkpoint_id", id);
	json_add_fmt(b, ",'checkpoint_ns':'','checkpoint_map':null}");
}

static void
add_task(struct buf *b, const struct store_history_item *item)
{
	const struct store_checkpoint *c = &item->c;
	struct str error = c->task_error.n > 0 ? c->task_error : STR_NONE;

	buf_add_char(b, '{');
	add_uuid(b, "id", &c->task_id);
	add_text(b, "name", &c->next);
	add_text(b, "error", &error);
	json_add_fmt(b, ",'interrupts':[],'path':['__pregel_pull',%.*s],"
	    "'checkpoint':null,'state':null,'result':", FMT(c->next));
	if (item->has_result && c->task_error.n == 0)
		values_add_json(b, item->result, item->result_n);
	else
		buf_lit(b, "null");
	buf_add_char(b, '}');
}

/* base_json is an object; source and step are the checkpoint's own. */
static void
add_metadata(struct buf *b, const struct store_checkpoint *c)
{
	struct str base = c->base_json;

	json_add_key(b, "metadata");
	buf_add(b, base.n > 2 ? str_sub(base, 0, base.n - 1) : S("{"));
	json_add_fmt(b, ",'source':%s,'step':%d,'parents':{}}",
	    checkpoint_source_names[c->source], c->step);
}

void
api_state_add(struct buf *b, const struct uuid *thread_id,
    const struct store_history_item *item)
{
	const struct store_checkpoint *c = &item->c;

	json_add_fmt(b, ",{'values':");
	if (c->seq == 0) {
		json_add_fmt(b, "{},'next':[],'tasks':[],'created_at':null,"
		    "'checkpoint':null,'parent_checkpoint':null}");
		return;
	}
	values_add_json(b, item->messages, item->messages_n);
	json_add_fmt(b, ",'next':[");
	if (c->next.n > 0)
		json_add_str(b, c->next);
	json_add_fmt(b, "],'tasks':[");
	if (c->next.n > 0)
		add_task(b, item);
	buf_add_char(b, ']');
	add_metadata(b, c);
	add_time(b, "created_at", &c->created);
	add_checkpoint(b, "checkpoint", thread_id, &c->id);
	if (c->parent_seq != 0)
		add_checkpoint(b, "parent_checkpoint", thread_id, &c->parent_id);
	else
		json_add_fmt(b, ",'parent_checkpoint':null");
	buf_add_char(b, '}');
}
