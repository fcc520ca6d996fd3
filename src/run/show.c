/*
 * show.c - how states, runs and values look from outside (contract sections
 * 5 and 6).  Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/run.h"

static void
add_uuid(struct buf *b, const char *key, const struct uuid *id)
{
	json_add_key(b, key);
	buf_add_char(b, '"');
	uuid_add(b, id);
	buf_add_char(b, '"');
}

static void
add_time(struct buf *b, const char *key, msec t)
{
	json_add_key(b, key);
	buf_add_char(b, '"');
	clock_add_iso(b, t);
	buf_add_char(b, '"');
}

static void
add_raw(struct buf *b, const char *key, struct str json, struct str fallback)
{
	json_add_key(b, key);
	buf_add(b, json.n > 0 ? json : fallback);
}

void
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
add_checkpoint(struct buf *b, const char *key, const struct uuid *thread_id,
    const struct uuid *id)
{
	json_add_key(b, key);
	buf_add_char(b, '{');
	add_uuid(b, "thread_id", thread_id);
	add_uuid(b, "checkpoint_id", id);
	buf_lit(b, ",\"checkpoint_ns\":\"\",\"checkpoint_map\":null}");
}

static void
add_task(struct buf *b, const struct store_history_item *item)
{
	const struct store_checkpoint *c = &item->c;

	buf_add_char(b, '{');
	add_uuid(b, "id", &c->task_id);
	json_add_key(b, "name");
	json_add_str(b, c->next);
	json_add_key(b, "error");
	if (c->task_error.n > 0)
		json_add_str(b, c->task_error);
	else
		buf_lit(b, "null");
	buf_lit(b, ",\"interrupts\":[],\"path\":[\"__pregel_pull\",");
	json_add_str(b, c->next);
	buf_lit(b, "],\"checkpoint\":null,\"state\":null,\"result\":");
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
	if (base.n > 2)
		buf_add(b, str_sub(base, 0, base.n - 1));
	else
		buf_add_char(b, '{');
	json_add_key(b, "source");
	json_add_str(b, str_of(checkpoint_source_names[c->source]));
	json_add_key(b, "step");
	buf_add_i64(b, c->step);
	buf_lit(b, ",\"parents\":{}}");
}

void
state_add_json(struct buf *b, const struct uuid *thread_id,
    const struct store_history_item *item)
{
	const struct store_checkpoint *c = item == NULL ? NULL : &item->c;

	if (c == NULL || c->seq == 0) {
		buf_lit(b, "{\"values\":{},\"next\":[],\"tasks\":[],\"created_at\":null,"
		    "\"checkpoint\":null,\"parent_checkpoint\":null}");
		return;
	}
	buf_lit(b, "{\"values\":");
	values_add_json(b, item->messages, item->messages_n);
	buf_lit(b, ",\"next\":[");
	if (c->next.n > 0)
		json_add_str(b, c->next);
	buf_lit(b, "],\"tasks\":[");
	if (c->next.n > 0)
		add_task(b, item);
	buf_add_char(b, ']');
	add_metadata(b, c);
	add_time(b, "created_at", c->created);
	add_checkpoint(b, "checkpoint", thread_id, &c->id);
	if (c->parent_seq != 0)
		add_checkpoint(b, "parent_checkpoint", thread_id, &c->parent_id);
	else
		buf_lit(b, ",\"parent_checkpoint\":null");
	buf_add_char(b, '}');
}

void
run_add_json(struct buf *b, const struct store_run *run)
{
	buf_add_char(b, '{');
	add_uuid(b, "run_id", &run->id);
	add_uuid(b, "thread_id", &run->thread_id);
	add_uuid(b, "assistant_id", &run->assistant_id);
	add_raw(b, "metadata", run->metadata_json, S("{}"));
	json_add_key(b, "status");
	json_add_str(b, str_of(run_status_names[run->status]));
	add_raw(b, "kwargs", run->kwargs_json, S("{}"));
	json_add_key(b, "multitask_strategy");
	json_add_str(b, str_of(multitask_names[run->multitask]));
	add_time(b, "created_at", run->created);
	add_time(b, "updated_at", run->updated);
	buf_add_char(b, '}');
}
