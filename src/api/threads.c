/*
 * threads.c - durable conversations: threads, copies of them, what they hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

/* ---- finding ------------------------------------------------------------- */

int
api_thread_find(struct call *c, struct store_thread *out)
{
	return store_thread_get(c->api->reader, c->owner, &c->thread_id,
	    &c->r->arena, out);
}

static int
answer_thread(struct call *c, const struct store_thread *t)
{
	static const struct uuid newest;
	struct shown_thread shown = { .f = { .t = *t },
	    .agent = api_thread_agent(c, t) };
	int rc = store_state_get(c->api->reader, c->owner, t->seq, STR_NONE, &newest,
	    STATE_CHANNELS | STATE_TASKS, &c->r->arena, &shown.f.state);

	shown.f.has_state = rc == OK;
	return rc < 0 && rc != ERR_NOTFOUND ? rc :
	    call_object(c, thread_members, &shown);
}

/* ---- create, get, update, delete ----------------------------------------- */

/* With do_nothing it may be one that has run. */
static int
thread_created(struct call *c)
{
	return answer_thread(c, &c->op.thread_create.t);
}

int
api_thread_create(struct call *c)
{
	struct store_thread_create *op = &c->op.thread_create;
	msec now = shard_wall(c->api->shard);
	int rc;

	*op = (struct store_thread_create){ .t = { .config_json = S("{}"),
	    .metadata_json = S("{}"), .created = now, .updated = now } };
	call_read_id(c, "thread_id", &op->t.id);
	op->do_nothing = call_read_do_nothing(c);
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &op->t.metadata_json);
	rc = call_read_seed(c, op->t.metadata_json);
	if (rc < 0)
		return rc;
	if (c->update != NULL)
		op->changes = update_changes(c->update);
	return call_submit(c, STORE_THREAD_CREATE, thread_created);
}

int
api_thread_get(struct call *c)
{
	struct store_thread t;
	int rc = api_thread_find(c, &t);

	return rc < 0 ? rc : answer_thread(c, &t);
}

static int
thread_updated(struct call *c)
{
	return answer_thread(c, &c->op.thread_update.t);
}

int
api_thread_update(struct call *c)
{
	struct store_thread_update *op = &c->op.thread_update;
	bool minimal = str_contains(http_header(c->r, S("prefer")),
	    S("return=minimal"));

	*op = (struct store_thread_update){ .id = c->thread_id,
	    .now = shard_wall(c->api->shard) };
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &op->metadata_json);
	return call_submit(c, STORE_THREAD_UPDATE, minimal ? NULL : thread_updated);
}

static int
thread_deleted(struct call *c)
{
	runs_thread_deleted(c->api->runs, &c->thread_id);
	call_empty(c, 204);
	return OK;
}

int
api_thread_delete(struct call *c)
{
	c->op.thread_delete = (struct store_thread_delete){ .id = c->thread_id };
	return call_submit(c, STORE_THREAD_DELETE, thread_deleted);
}

/* ---- copies, storage ------------------------------------------------------ */

static int
thread_copied(struct call *c)
{
	struct shown_thread shown = { .f = { .t = c->op.thread_copy.t } };

	return call_object(c, thread_members, &shown);
}

/* As the JS server: a thread that is not there is a conflict. */
int
api_thread_copy(struct call *c)
{
	struct store_thread_copy *op = &c->op.thread_copy;
	struct store_thread t;
	struct str until = STR_NONE;
	char id[UUID_TEXT];
	int rc = api_thread_find(c, &t);

	if (rc < 0)
		return rc == ERR_NOTFOUND ? err_set(&c->err, ERR_CONFLICT,
		    "Thread not found") : rc;
	*op = (struct store_thread_copy){ .from = t.id, .id = uuid_v7(),
	    .now = shard_wall(c->api->shard) };
	call_read_str(c, "checkpoint_id", UUID_TEXT, &until);
	if (until.n > 0 && !uuid_parse(until, &op->until))
		fields_fail(c->in, "checkpoint_id", ERR_INVALID, "expected a checkpoint's id, "
		    "a UUID");
	uuid_format(&op->id, id);
	op->metadata_json = arena_fmt(&c->r->arena, "{\"thread_id\":\"%.*s\"}",
	    UUID_TEXT, id);
	return call_submit(c, STORE_THREAD_COPY, thread_copied);
}

/* Where a table's bytes are told; the others belong to runs. */
static const char *
section_of(const char *table)
{
	static const struct { const char *table, *section; } rows[] = {
		{ "checkpoint", "checkpoints" }, { "channel", "channel_values" },
		{ "entry", "channel_values" }, { "task_write", "pending_writes" },
		{ "interrupt", "pending_writes" }, { "record", "pending_writes" },
		{ "wait", "pending_writes" },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_eq(str_of(table), str_of(rows[i].table)))
			return rows[i].section;
	return "runs";
}

static int
storage_found(struct call *c)
{
	static const char *const sections[] = { "checkpoints", "channel_values",
	    "pending_writes", "runs" };
	const struct store_storage *op = &c->op.storage;
	struct buf *b = call_out(c);
	int64_t total = 0;

	json_add_fmt(b, "{'thread_id':'");
	uuid_add(b, &op->thread_id);
	buf_add_char(b, '"');
	for (size_t k = 0; k < COUNT(sections); k++) {
		int64_t bytes = 0;

		json_add_fmt(b, ",%s:{", sections[k]);
		for (size_t i = 0; i < op->parts_n; i++) {
			const struct store_storage_part *p = &op->parts[i];

			if (!str_eq(str_of(section_of(p->table)), str_of(sections[k])))
				continue;
			json_add_fmt(b, ",%s:{'rows':%lld,'bytes':%lld}", p->table,
			    (long long)p->rows, (long long)p->bytes);
			bytes += p->bytes;
		}
		json_add_fmt(b, ",'bytes':%lld}", (long long)bytes);
		total += k < 3 ? bytes : 0;
	}
	json_add_fmt(b, ",'total_bytes':%lld}", (long long)total);
	return call_json(c, STR_NONE);
}

int
api_thread_storage(struct call *c)
{
	c->op.storage = (struct store_storage){ .thread_id = c->thread_id };
	return call_submit(c, STORE_STORAGE, storage_found);
}
