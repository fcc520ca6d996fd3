/*
 * records.c - rows to records, and the little JSON the store understands:
 * merging metadata, and the assistant that a thread's metadata names.
 *
 * The column numbers follow the *_SELECT macros of sql_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "store/store_priv.h"

/* graph_id and assistant_id must still fit a metadata that is full. */
#define MERGE_MAX (LIMIT_METADATA_BYTES + 2048)

int
arena_rc(const struct arena *a)
{
	return a->failed ? ERR_TOOBIG : OK;
}

int
assistant_read(const struct query *q, struct arena *a, struct store_assistant *out)
{
	*out = (struct store_assistant){
		.id = col_uuid(q, 0),
		.graph_id = col_str(q, 1, a),
		.name = col_str(q, 2, a),
		.description = col_str(q, 3, a),
		.config_json = col_str(q, 4, a),
		.context_json = col_str(q, 5, a),
		.metadata_json = col_str(q, 6, a),
		.version = col_i64(q, 7),
		.created = col_i64(q, 8),
		.updated = col_i64(q, 9),
	};
	return arena_rc(a);
}

int
thread_read(const struct query *q, struct arena *a, struct store_thread *out)
{
	*out = (struct store_thread){
		.id = col_uuid(q, 0),
		.seq = col_i64(q, 1),
		.status = (enum thread_status)col_i64(q, 2),
		.metadata_json = col_str(q, 3, a),
		.config_json = col_str(q, 4, a),
		.error_json = col_str(q, 5, a),
		.created = col_i64(q, 6),
		.updated = col_i64(q, 7),
		.checkpoint = col_i64(q, 8),
	};
	return arena_rc(a);
}

int
run_read(const struct query *q, struct arena *a, struct store_run *out)
{
	*out = (struct store_run){
		.id = col_uuid(q, 0),
		.thread_id = col_uuid(q, 1),
		.assistant_id = col_uuid(q, 2),
		.seq = col_i64(q, 3),
		.thread_seq = col_i64(q, 4),
		.status = (enum run_status)col_i64(q, 5),
		.multitask = (enum multitask)col_i64(q, 6),
		.attempt = col_i64(q, 7),
		.graph_id = col_str(q, 8, a),
		.kwargs_json = col_str(q, 9, a),
		.metadata_json = col_str(q, 10, a),
		.base_json = col_str(q, 11, a),
		.error_json = col_str(q, 12, a),
		.created = col_i64(q, 13),
		.updated = col_i64(q, 14),
	};
	return arena_rc(a);
}

int
checkpoint_read(const struct query *q, struct arena *a, struct store_checkpoint *out)
{
	*out = (struct store_checkpoint){
		.seq = col_i64(q, 0),
		.parent_seq = col_i64(q, 1),
		.id = col_uuid(q, 2),
		.parent_id = col_uuid(q, 3),
		.step = (int)col_i64(q, 4),
		.source = (enum checkpoint_source)col_i64(q, 5),
		.next = col_str(q, 6, a),
		.task_id = col_uuid(q, 7),
		.task_error = col_str(q, 8, a),
		.run_id = col_uuid(q, 9),
		.base_json = col_str(q, 10, a),
		.chart = col_str(q, 11, a),
		.list = col_i64(q, 12),
		.len = (uint32_t)col_i64(q, 13),
		.created = col_i64(q, 14),
	};
	return arena_rc(a);
}

static int
merge_parsed(struct arena *a, jnode first, jnode second, struct str *out,
    struct err *e)
{
	struct buf b = BUF(MERGE_MAX);
	int rc = OK;

	json_add_merged(&b, first, second);
	if (b.failed)
		rc = err_set(e, ERR_TOOBIG, "merged object: over %d bytes",
		    LIMIT_METADATA_BYTES);
	else
		*out = arena_str(a, buf_str(&b));
	buf_release(&b);
	return rc == OK ? arena_rc(a) : rc;
}

static bool
object_empty(struct str s)
{
	return s.n == 0 || str_eq(s, S("{}"));
}

int
object_merge(struct arena *a, struct str first, struct str second,
    struct str *out, struct err *e)
{
	struct json_doc x = { 0 }, y = { 0 };
	int rc;

	if (object_empty(first) || object_empty(second)) {
		*out = object_empty(second) ? first : second;
		return OK;
	}
	rc = json_parse(&x, first, e);
	if (rc == OK)
		rc = json_parse(&y, second, e);
	if (rc == OK)
		rc = merge_parsed(a, x.root, y.root, out, e);
	json_release(&x);
	json_release(&y);
	return rc;
}

struct uuid
metadata_assistant(struct str metadata)
{
	struct uuid id = { { 0 } };
	struct json_doc d = { 0 };

	if (!str_contains(metadata, S("\"assistant_id\"")))
		return id;
	if (json_parse(&d, metadata, NULL) == OK) {
		jnode n = json_get(d.root, S("assistant_id"));

		if (!json_is_string(n) || !uuid_parse(json_str(n), &id))
			id = (struct uuid){ { 0 } };
	}
	json_release(&d);
	return id;
}
