/*
 * records.c - the members that take the columns of a row, and metadata: merging
 * it, and the assistant that it names.
 *
 * Members are in the order of the *_SELECT macros of sql_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "store/cron.h"
#include "store/store_priv.h"

/* graph_id and assistant_id must still fit a metadata that is full. */
#define MERGE_MAX (LIMIT_METADATA_BYTES + 2048)

#define C(member) DB_COLUMN(struct store_assistant, member)
static const struct db_column assistant_columns[] = {
	C(id), C(graph_id), C(name), C(description), C(config_json),
	C(context_json), C(metadata_json), C(version), C(created), C(updated),
};
#undef C
const struct db_record store_assistant_record = DB_RECORD(assistant_columns);

#define C(member) DB_COLUMN(struct store_thread, member)
static const struct db_column thread_columns[] = {
	C(id), C(seq), C(status), C(metadata_json), C(config_json),
	C(error_json), C(created), C(updated), C(checkpoint),
	C(state_updated), C(ttl.ms), C(ttl.strategy), C(expires), C(node),
};
#undef C
const struct db_record store_thread_record = DB_RECORD(thread_columns);

#define C(member) DB_COLUMN(struct store_run, member)
static const struct db_column run_columns[] = {
	C(id), C(thread_id), C(assistant_id), C(seq), C(thread_seq), C(status),
	C(multitask), C(attempt), C(graph_id), C(kwargs_json),
	C(metadata_json), C(base_json), C(error_json), C(created), C(updated),
	C(agent_hash), C(cancel_reason), C(held),
};
#undef C
const struct db_record store_run_record = DB_RECORD(run_columns);

#define C(member) DB_COLUMN(struct store_cron, member)
static const struct db_column cron_columns[] = {
	C(id), C(assistant_id), C(thread_id), C(seq), C(owner), C(user), C(schedule),
	C(zone), C(enabled), C(keeps), C(ends), C(next), C(version), C(created),
	C(updated), C(payload_json), C(metadata_json), C(error_json),
};
#undef C
const struct db_record store_cron_record = DB_RECORD(cron_columns);

#define C(member) DB_COLUMN(struct store_checkpoint, member)
static const struct db_column checkpoint_columns[] = {
	C(seq), C(parent_seq), C(id), C(parent_id), C(ns), C(step), C(source),
	C(run_id), C(base_json), C(channels_json), C(tasks_json), C(snapshot),
	C(wrote_json), C(extra_json), C(created),
};
#undef C
const struct db_record store_checkpoint_record = DB_RECORD(checkpoint_columns);

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
records_merge(struct arena *a, struct str first, struct str second,
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
records_assistant(struct str metadata)
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
