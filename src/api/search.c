/*
 * search.c - searching and counting threads and assistants; changing a
 * thread's metadata.
 *
 * The headers of a page tell the total, and the offset of the next page if
 * there is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"
#include "api/fields.h"
#include "api/params.h"

#define SEARCH_DEFAULT 10

static const char *const orders[] = { "desc", "asc", NULL };

static const char *const thread_sorts[] = {
	[STORE_SORT_CREATED] = "created_at", [STORE_SORT_UPDATED] = "updated_at",
	[STORE_SORT_STATUS] = "status", [STORE_SORT_ID] = "thread_id", NULL
};
static const char *const assistant_sorts[] = {
	"created_at", "updated_at", "assistant_id", "name", "graph_id", NULL
};
static const enum store_sort assistant_sort[] = {
	STORE_SORT_CREATED, STORE_SORT_UPDATED, STORE_SORT_ID, STORE_SORT_NAME,
	STORE_SORT_GRAPH
};

struct member {
	const char *name;
	unsigned bit;                        /* 0: known, and in no object of ours */
};

static const struct member thread_members[] = {
	{ "thread_id", SELECT_ID }, { "created_at", SELECT_CREATED },
	{ "updated_at", SELECT_UPDATED }, { "metadata", SELECT_METADATA },
	{ "status", SELECT_STATUS }, { "config", SELECT_CONFIG },
	{ "values", SELECT_VALUES }, { "interrupts", SELECT_INTERRUPTS },
	{ "error", SELECT_ERROR }, { "context", 0 }, { "state_updated_at", 0 },
	{ "extracted", 0 }, { "ttl", 0 },
};
static const struct member assistant_members[] = {
	{ "assistant_id", SELECT_ID }, { "graph_id", SELECT_GRAPH },
	{ "name", SELECT_NAME }, { "description", SELECT_DESCRIPTION },
	{ "config", SELECT_CONFIG }, { "context", SELECT_CONTEXT },
	{ "metadata", SELECT_METADATA }, { "version", SELECT_VERSION },
	{ "created_at", SELECT_CREATED }, { "updated_at", SELECT_UPDATED },
};

/* ---- reading --------------------------------------------------------------- */

static int
member_error(struct call *c, const struct member *m, size_t n, struct str word)
{
	struct buf list = BUF(KB);

	for (size_t i = 0; i < n; i++)
		if (m[i].bit != 0)
			buf_add_fmt(&list, "%s%s", i > 0 ? ", " : "", m[i].name);
	err_set(&c->err, ERR_INVALID, "select: expected some of %.*s, got \"%.*s\"",
	    FMT(buf_str(&list)), FMT(shown(word)));
	buf_release(&list);
	return ERR_INVALID;
}

/* The bits of the names in `select`; absent or empty: all. */
static int
read_select(struct call *c, jnode body, const struct member *m, size_t n)
{
	struct json_iter it;
	jnode list;
	int rc = json_get_array(body, "select", "select", &list, &c->err);

	c->select = SELECT_ALL;
	if (rc != OK || json_count(list) == 0)
		return rc;
	c->select = 0;
	for (it = json_each(list); json_next(&it); ) {
		struct str word = json_str(it.value);
		size_t i = 0;

		if (!json_is_string(it.value))
			return err_set(&c->err, ERR_INVALID,
			    "select: expected an array of strings, got %s in it",
			    json_kind(it.value));
		while (i < n && !str_eq(word, str_of(m[i].name)))
			i++;
		if (i == n)
			return member_error(c, m, n, word);
		c->select |= m[i].bit;
	}
	return OK;
}

static int
read_metadata(struct call *c, jnode body, struct str *out)
{
	jnode metadata;
	int rc = json_get_object(body, "metadata", "metadata", &metadata, &c->err);

	return rc != OK ? rc : call_text(c, metadata, "metadata", STR_NONE,
	    LIMIT_FILTER_BYTES, out);
}

/* limit, offset, sort_order. */
static int
read_page(struct call *c, jnode body, int64_t *limit, int64_t *offset,
    bool *ascending)
{
	int order = 0;
	int rc = json_get_int(body, "limit", "limit", SEARCH_DEFAULT, 1,
	    LIMIT_PAGE_ROWS, limit, &c->err);

	if (rc == OK)
		rc = json_get_int(body, "offset", "offset", 0, 0, INT32_MAX, offset,
		    &c->err);
	if (rc == OK)
		rc = json_get_enum(body, "sort_order", "sort_order", orders, 0,
		    &order, &c->err);
	*ascending = order == 1;
	return rc;
}

static int
read_ids(struct call *c, jnode body, struct store_thread_search *op)
{
	struct json_iter it;
	struct uuid *ids;
	jnode list;
	int rc = json_get_array(body, "ids", "ids", &list, &c->err);

	if (rc != OK || json_count(list) == 0)
		return rc;
	if (json_count(list) > LIMIT_PAGE_ROWS)
		return err_set(&c->err, ERR_INVALID, "ids: more than %d",
		    LIMIT_PAGE_ROWS);
	ids = arena_alloc(&c->r->arena, json_count(list) * sizeof *ids);
	if (ids == NULL)
		return err_set(&c->err, ERR_TOOBIG, "ids: too large");
	for (it = json_each(list); json_next(&it); op->ids_n++)
		if (!json_is_string(it.value) ||
		    !uuid_parse(json_str(it.value), &ids[op->ids_n]))
			return err_set(&c->err, ERR_INVALID,
			    "ids[%zu]: expected a UUID, got %s", op->ids_n,
			    json_kind(it.value));
	op->ids = ids;
	return OK;
}

/* The fields that search and count share. */
static int
read_threads(struct call *c, jnode body, struct store_thread_search *op)
{
	int rc = field_check(body, FIELD_THREAD_SEARCH, &c->err);

	if (rc == OK)
		rc = read_metadata(c, body, &op->metadata_json);
	if (rc == OK)
		rc = json_get_enum(body, "status", "status", thread_status_names,
		    -1, &op->status, &c->err);
	return rc == OK ? read_ids(c, body, op) : rc;
}

/* ---- answering -------------------------------------------------------------- */

static int
answer_page(struct call *c, int64_t offset, size_t n, int64_t total)
{
	int64_t next = offset + (int64_t)n;

	if (next < total)
		return call_json(c, arena_fmt(&c->r->arena, "x-pagination-total: "
		    "%lld\r\nx-pagination-next: %lld\r\n", (long long)total,
		    (long long)next));
	return call_json(c, arena_fmt(&c->r->arena, "x-pagination-total: %lld\r\n",
	    (long long)total));
}

static int
answer_count(struct call *c, int64_t total)
{
	buf_add_i64(call_out(c), total);
	return call_json(c, STR_NONE);
}

/* ---- threads ---------------------------------------------------------------- */

static int
threads_found(struct call *c)
{
	const struct store_thread_search *op = &c->op.thread_search;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_lit(b, "[");
	for (size_t i = 0; i < op->found_n; i++) {
		const struct store_thread_found *f = &op->found[i];

		if (i > 0)
			buf_lit(b, ",");
		thread_add_json(b, &f->t, f->has_state ? &f->state : NULL, c->select);
	}
	buf_lit(b, "]");
	return answer_page(c, op->offset, op->found_n, op->total);
}

static int
threads_counted(struct call *c)
{
	return answer_count(c, c->op.thread_search.total);
}

int
thread_search(struct call *c)
{
	jnode body = c->in->node;
	struct store_thread_search *op = &c->op.thread_search;
	int sort = 0, rc;

	*op = (struct store_thread_search){ .status = -1 };
	rc = read_threads(c, body, op);
	if (rc == OK)
		rc = read_page(c, body, &op->limit, &op->offset, &op->ascending);
	if (rc == OK)
		rc = json_get_enum(body, "sort_by", "sort_by", thread_sorts, 0,
		    &sort, &c->err);
	if (rc == OK)
		rc = read_select(c, body, thread_members, COUNT(thread_members));
	if (rc < 0)
		return rc;
	op->sort = (enum store_sort)sort;
	op->states = (c->select & (SELECT_VALUES | SELECT_INTERRUPTS)) != 0;
	return call_submit(c, STORE_THREAD_SEARCH, threads_found);
}

int
thread_count(struct call *c)
{
	jnode body = c->in->node;
	struct store_thread_search *op = &c->op.thread_search;
	int rc;

	*op = (struct store_thread_search){ .status = -1 };
	rc = read_threads(c, body, op);
	return rc < 0 ? rc : call_submit(c, STORE_THREAD_SEARCH, threads_counted);
}

static int
thread_updated(struct call *c)
{
	return answer_thread(c, &c->op.thread_update.t);
}

int
thread_update(struct call *c)
{
	jnode body = c->in->node;
	struct store_thread_update *op = &c->op.thread_update;
	jnode metadata;
	bool minimal;
	int rc;

	*op = (struct store_thread_update){ .id = c->thread_id,
	    .now = shard_wall(c->api->shard) };
	rc = field_check(body, FIELD_THREAD_UPDATE, &c->err);
	if (rc == OK)
		rc = json_get_object(body, "metadata", "metadata", &metadata,
		    &c->err);
	if (rc == OK)
		rc = call_text(c, metadata, "metadata", STR_NONE,
		    LIMIT_METADATA_BYTES, &op->metadata_json);
	if (rc < 0)
		return rc;
	minimal = str_contains(http_header(c->r, S("prefer")), S("return=minimal"));
	return call_submit(c, STORE_THREAD_UPDATE, minimal ? NULL : thread_updated);
}

/* ---- assistants ------------------------------------------------------------- */

static int
read_assistants(struct call *c, jnode body, struct store_assistant_search *op)
{
	int rc = read_metadata(c, body, &op->metadata_json);

	if (rc == OK)
		rc = json_get_str(body, "graph_id", "graph_id", STR_NONE,
		    LIMIT_METADATA_BYTES, &op->graph_id, &c->err);
	if (rc == OK)
		rc = json_get_str(body, "name", "name", STR_NONE, LIMIT_NAME_BYTES,
		    &op->name, &c->err);
	if (rc != OK)
		return rc;
	op->graph_id = arena_str(&c->r->arena, op->graph_id);
	op->name = arena_str(&c->r->arena, op->name);
	return OK;
}

static int
assistants_found(struct call *c)
{
	const struct store_assistant_search *op = &c->op.assistant_search;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	buf_lit(b, "[");
	for (size_t i = 0; i < op->found_n; i++) {
		if (i > 0)
			buf_lit(b, ",");
		assistant_add_json(b, &op->found[i], c->select);
	}
	buf_lit(b, "]");
	return answer_page(c, op->offset, op->found_n, op->total);
}

static int
assistants_counted(struct call *c)
{
	return answer_count(c, c->op.assistant_search.total);
}

int
assistant_search(struct call *c)
{
	jnode body = c->in->node;
	struct store_assistant_search *op = &c->op.assistant_search;
	int sort = 0, rc;

	*op = (struct store_assistant_search){ 0 };
	rc = read_assistants(c, body, op);
	if (rc == OK)
		rc = read_page(c, body, &op->limit, &op->offset, &op->ascending);
	if (rc == OK)
		rc = json_get_enum(body, "sort_by", "sort_by", assistant_sorts, 0,
		    &sort, &c->err);
	if (rc == OK)
		rc = read_select(c, body, assistant_members,
		    COUNT(assistant_members));
	if (rc < 0)
		return rc;
	op->sort = assistant_sort[sort];
	return call_submit(c, STORE_ASSISTANT_SEARCH, assistants_found);
}

int
assistant_count(struct call *c)
{
	jnode body = c->in->node;
	struct store_assistant_search *op = &c->op.assistant_search;
	int rc;

	*op = (struct store_assistant_search){ 0 };
	rc = read_assistants(c, body, op);
	return rc < 0 ? rc : call_submit(c, STORE_ASSISTANT_SEARCH, assistants_counted);
}
