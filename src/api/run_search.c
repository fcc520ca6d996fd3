/*
 * run_search.c - runs of all threads of an owner, page by page.
 *
 * A page has no total, and begins behind the last run of the one before: what is cancelled
 * or comes meanwhile moves nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#define PAGE_DEFAULT 100
#define OLDEST_S     (INT64_C(100) * 366 * 24 * 3600)

static void
add_run(struct buf *b, const struct store_run_found *f)
{
	json_add_fmt(b, ",{");
	show_id(b, "run_id", &f->run_id);
	show_id(b, "thread_id", &f->thread_id);
	show_id(b, "assistant_id", &f->assistant_id);
	json_add_fmt(b, ",'graph_id':%.*s,'status':%s", FMT(f->graph_id),
	    run_status_names[f->status]);
	show_time(b, "created_at", f->created);
	show_time(b, "updated_at", f->updated);
	buf_add_char(b, '}');
}

static int
runs_found(struct call *c)
{
	const struct store_run_search *op = &c->op.run_search;
	struct buf *b;

	if (!call_has_room(c))
		return OK;
	b = call_out(c);
	json_add_fmt(b, "{'runs':[");
	for (size_t i = 0; i < op->found_n; i++)
		/* Hidden by the policy: it is not there. */
		if (c->grant.filter_json.n == 0 ||
		    call_may_run(c, THREADS_SEARCH, &op->found[i].run_id) == OK)
			add_run(b, &op->found[i]);
	c->err = (struct err){ .code = OK };
	if (op->more)
		json_add_fmt(b, "],'next':%lld}", (long long)op->found[op->found_n - 1].seq);
	else
		json_add_fmt(b, "],'next':null}");
	return call_json(c, STR_NONE);
}

static void
read_statuses(struct call *c, unsigned *statuses)
{
	struct words list = call_read_list(c, "status", 6);

	if (list.n > 0)
		*statuses = 0;
	for (size_t i = 0; i < list.n; i++) {
		int at = words_index(c, "status", run_status_names, list.at[i]);

		if (at < 0)
			return;
		*statuses |= 1u << at;
	}
}

/* An assistant may be named by its graph, as everywhere. */
static int
read_assistant(struct call *c, struct uuid *id)
{
	struct store_assistant a;
	struct str text = STR_NONE;
	int rc = OK;

	call_read_str(c, "assistant_id", LIMIT_NAME_BYTES, &text);
	if (text.n > 0)
		rc = api_assistant_find(c, text, &a);
	if (text.n > 0 && rc == OK)
		*id = a.id;
	return rc == ERR_NOTFOUND ? err_set(&c->err, rc, "Assistant not found") : rc;
}

static int
read_thread(struct call *c, int64_t *seq)
{
	struct str text = STR_NONE;
	struct store_thread t;
	struct uuid id;
	int rc = OK;

	call_read_str(c, "thread_id", LIMIT_NAME_BYTES, &text);
	if (text.n > 0)
		call_parse_id(c, "thread_id", text, &id);
	if (text.n == 0 || c->in->rc != OK)
		return c->in->rc;
	rc = store_thread_get(c->api->reader, c->owner, &id, &c->r->arena, &t);
	if (rc == OK)
		*seq = t.seq;
	return rc == ERR_NOTFOUND ? err_set(&c->err, rc, "Thread not found") : rc;
}

int
api_run_search(struct call *c)
{
	struct store_run_search *op = &c->op.run_search;
	int64_t older = -1;
	int rc;

	*op = (struct store_run_search){ .statuses = 1 << RUN_PENDING | 1 << RUN_RUNNING,
	    .limit = PAGE_DEFAULT };
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	fields_int(c->in, "after", 1, INT64_MAX, &op->behind);
	fields_int(c->in, "older_than_s", 0, OLDEST_S, &older);
	read_statuses(c, &op->statuses);
	if (older >= 0)
		op->before = shard_wall(c->api->shard) - older * 1000;
	rc = read_thread(c, &op->thread_seq);
	if (rc == OK && c->in->rc == OK)
		rc = read_assistant(c, &op->assistant);
	if (c->in->rc != OK)
		return c->in->rc;
	return rc == OK ? call_submit(c, STORE_RUN_SEARCH, runs_found) : rc;
}
