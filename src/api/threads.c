/*
 * threads.c - durable conversations: threads, copies of them, what they hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "api/api_priv.h"

/* ---- finding ------------------------------------------------------------- */

int
api_thread_find(struct call *c, struct store_thread *out)
{
	return store_thread_get(c->api->reader, c->owner, &c->thread_id,
	    &c->r->arena, out);
}

static int
answer_shown(struct call *c, const struct shown_thread *t)
{
	if (!call_has_room(c))
		return OK;
	members_add(call_out(c), thread_members, c->select, t);
	return call_json(c, c->lines);
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
	return rc < 0 && rc != ERR_NOTFOUND ? rc : answer_shown(c, &shown);
}

/* ---- ttl ------------------------------------------------------------------- */

#define MINUTE_MS (60 * 1000)

/* Minutes, or {ttl: minutes, strategy}. */
static void
read_ttl(struct call *c, struct store_ttl *out)
{
	jnode n = fields_any(c->in, "ttl");
	int strategy = TTL_DELETE;
	struct fields ttl;

	if (json_is_object(n) && fields_object(c->in, "ttl", &ttl)) {
		n = fields_any(&ttl, "ttl");
		fields_enum(&ttl, "strategy", thread_ttl_names, &strategy);
		if (json_is_null(n))
			fields_fail(&ttl, "ttl", ERR_INVALID, "expected minutes, got nothing");
		(void)fields_end(&ttl);
	}
	if (json_is_null(n))
		return;
	if (!json_is_number(n) || json_number(n) <= 0 ||
	    json_number(n) > LIMIT_THREAD_TTL_MINUTES)
		fields_fail(c->in, "ttl", ERR_INVALID, "expected minutes, a number above 0 and "
		    "up to %d, or {\"ttl\": minutes, \"strategy\": \"delete\" or "
		    "\"keep_latest\"}, got %s", LIMIT_THREAD_TTL_MINUTES,
		    json_is_number(n) ? "another number" : json_kind(n));
	else
		*out = (struct store_ttl){ (msec)(json_number(n) * MINUTE_MS + 0.5),
		    (enum thread_ttl)strategy };
	if (c->in->rc == OK && out->ms == 0)
		out->ms = 1;
}

/* What a thread is shown with: `include`, in any of the forms of a list, or with
 * commas. */
static void
read_include(struct call *c)
{
	struct words list = param_list(c, "include");

	c->select = THREAD_USUAL;
	for (size_t i = 0; i < list.n; i++) {
		struct str rest = list.at[i], word;

		while (rest.n > 0 && str_next(&rest, ',', &word)) {
			if (str_eq(word, S("ttl")))
				c->select |= 1u << THREAD_TTL;
			else
				fields_fail(c->in, "include", ERR_INVALID, "expected ttl, "
				    "got \"%.*s\"", FMT(param_shown(word)));
		}
	}
}

/* ---- create, get, update, delete ----------------------------------------- */

/* With do_nothing it may be one that has run. */
static int
thread_created(struct call *c)
{
	return answer_thread(c, &c->op.thread_create.t);
}

static int
thread_seeded(struct call *c)
{
	struct store_thread t;
	int rc = api_thread_find(c, &t);

	return rc < 0 ? rc : answer_thread(c, &t);
}

/* A thread that was there already keeps what it has. */
static int
thread_to_seed(struct call *c)
{
	const struct store_thread *t = &c->op.thread_create.t;

	c->thread_id = t->id;
	return t->checkpoint == 0 ? graph_state_seed(c, thread_seeded) : thread_created(c);
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
	read_ttl(c, &op->t.ttl);
	c->select = THREAD_USUAL;
	rc = call_read_seed(c, op->t.metadata_json);
	if (rc < 0)
		return rc;
	if (c->update != NULL)
		op->changes = update_changes(c->update);
	return call_submit(c, STORE_THREAD_CREATE, c->seed.n > 0 ? thread_to_seed :
	    thread_created);
}

int
api_thread_get(struct call *c)
{
	struct store_thread t;
	int rc;

	read_include(c);
	rc = c->in->rc < 0 ? c->in->rc : api_thread_find(c, &t);
	return rc < 0 ? rc : answer_thread(c, &t);
}

int
api_thread_again(struct call *c)
{
	c->thread_id = c->once.id;
	return api_thread_get(c);
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
	read_ttl(c, &op->ttl);
	c->select = THREAD_USUAL;
	return call_submit(c, STORE_THREAD_UPDATE, minimal ? NULL : thread_updated);
}

/* The metadata of a thread, as older clients change it. */
int
api_thread_patch_state(struct call *c)
{
	struct store_thread_update *op = &c->op.thread_update;

	*op = (struct store_thread_update){ .id = c->thread_id,
	    .now = shard_wall(c->api->shard) };
	if (json_is_null(fields_any(c->in, "metadata")))
		fields_fail(c->in, "metadata", ERR_INVALID, "expected an object, got nothing");
	call_read_object(c, "metadata", LIMIT_METADATA_BYTES, &op->metadata_json);
	return call_submit(c, STORE_THREAD_UPDATE, NULL);
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

/* ---- prune ---------------------------------------------------------------- */

static int
threads_pruned(struct call *c)
{
	struct store_thread_prune *op = &c->op.thread_prune;

	for (size_t i = 0; op->strategy == TTL_DELETE && i < op->pruned_n; i++)
		runs_thread_deleted(c->api->runs, &op->pruned[i]);
	c->done += (int64_t)op->pruned_n;
	if (op->next < op->n) {
		op->at = op->next;
		return call_submit(c, STORE_THREAD_PRUNE, threads_pruned);
	}
	json_add_fmt(call_out(c), "{'pruned_count':%lld}", (long long)c->done);
	return call_json(c, STR_NONE);
}

static int
by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

int
api_thread_prune(struct call *c)
{
	struct store_thread_prune *op = &c->op.thread_prune;
	struct words list = call_read_list(c, "thread_ids", LIMIT_PRUNE_IDS);
	struct uuid *ids = call_parse_ids(c, "thread_ids", list);
	int strategy = TTL_DELETE;
	size_t n = 0;

	fields_enum(c->in, "strategy", thread_ttl_names, &strategy);
	if (json_is_null(fields_any(c->in, "thread_ids")))
		fields_fail(c->in, "thread_ids", ERR_INVALID, "expected an array of UUIDs, "
		    "got nothing");
	if (c->in->rc < 0)
		return c->in->rc;
	qsort(ids, list.n, sizeof *ids, by_bytes);           /* each counts once */
	for (size_t i = 0; i < list.n; i++)
		if ((n == 0 || !uuid_eq(&ids[i], &ids[n - 1])) &&
		    call_may_thread(c, THREADS_DELETE, &ids[i]) == OK)
			ids[n++] = ids[i];
	*op = (struct store_thread_prune){ .ids = ids, .n = n,
	    .strategy = (enum thread_ttl)strategy };
	return call_submit(c, STORE_THREAD_PRUNE, threads_pruned);
}

/* ---- copies, storage ------------------------------------------------------ */

static int
thread_copied(struct call *c)
{
	struct shown_thread shown = { .f = { .t = c->op.thread_copy.t } };

	return answer_shown(c, &shown);
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
	c->select = THREAD_USUAL;
	uuid_format(&op->id, id);
	op->metadata_json = arena_fmt(&c->r->arena, "{\"thread_id\":\"%.*s\"}",
	    UUID_TEXT, id);
	return call_submit(c, STORE_THREAD_COPY, thread_copied);
}

static int
storage_found(struct call *c)
{
	static const char *const names[STORE_SECTIONS] = {
		[STORE_OF_CHECKPOINTS] = "checkpoints", [STORE_OF_VALUES] = "channel_values",
		[STORE_OF_WRITES] = "pending_writes", [STORE_OF_RUNS] = "runs",
	};
	const struct store_storage *op = &c->op.storage;
	struct buf *b = call_out(c);
	int64_t total = 0;

	json_add_fmt(b, "{'thread_id':'");
	uuid_add(b, &op->thread_id);
	buf_add_char(b, '"');
	for (size_t i = 0; i < COUNT(names); i++) {
		const struct store_size *s = &op->section[i];

		json_add_fmt(b, ",%s:{'count':%lld,'bytes':%lld", names[i],
		    (long long)s->rows, (long long)s->bytes);
		if (i == STORE_OF_VALUES)
			json_add_fmt(b, ",'by_channel':{");
		for (size_t k = 0; i == STORE_OF_VALUES && k < op->channels_n; k++) {
			json_add_comma(b);
			buf_add_fmt(b, "\"%.*s\":{", FMT(op->channels[k].name));
			json_add_fmt(b, "'versions':%lld,'bytes':%lld}",
			    (long long)op->channels[k].size.rows,
			    (long long)op->channels[k].size.bytes);
		}
		buf_add(b, i == STORE_OF_VALUES ? S("}}") : S("}"));
		total += i == STORE_OF_RUNS ? 0 : s->bytes;
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
