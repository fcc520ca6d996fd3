/*
 * search.c - searching and counting threads, assistants and crons.
 *
 * The headers of a page tell the total, if it is known without looking further, and
 * the offset of the next page if there is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#define SEARCH_DEFAULT 10

/* ---- pages --------------------------------------------------------------- */

/* A member to sort by.  The first row of a table is the default. */
struct sort {
	const char *name;                    /* NULL: the end */
	enum store_sort by;
};

/* And c->select: which members are shown. */
static struct store_page
page_read(struct call *c, const struct member *members, const struct sort *sorts)
{
	static const char *const orders[] = { "desc", "asc", NULL };
	struct store_page p = { .limit = SEARCH_DEFAULT };
	const char *names[8] = { NULL };
	int order = 0, sort = 0;

	for (size_t i = 0; sorts[i].name != NULL; i++)
		names[i] = sorts[i].name;
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &p.limit);
	fields_int(c->in, "offset", 0, INT32_MAX, &p.offset);
	fields_enum(c->in, "sort_order", orders, &order);
	fields_enum(c->in, "sort_by", names, &sort);
	p.ascending = order == 1;
	p.sort = sorts[sort].by;
	c->select = members_select(c, members,
	    call_read_list(c, "select", LIMIT_PAGE_ROWS));
	return p;
}

struct str
call_page_lines(struct call *c, int64_t next, int64_t total)
{
	if (next < total)
		return arena_fmt(&c->r->arena, "x-pagination-total: %lld\r\n"
		    "x-pagination-next: %lld\r\n", (long long)total, (long long)next);
	return arena_fmt(&c->r->arena, "x-pagination-total: %lld\r\n",
	    (long long)total);
}

struct str
call_next_line(struct call *c, int64_t next)
{
	return arena_fmt(&c->r->arena, "x-pagination-next: %lld\r\n", (long long)next);
}

static int
answer_count(struct call *c, int64_t total)
{
	buf_add_i64(call_out(c), total);
	return call_json(c, STR_NONE);
}

/* ---- threads ------------------------------------------------------------- */

static void
ids_read(struct call *c, struct store_thread_search *op)
{
	struct words list = call_read_list(c, "ids", LIMIT_PAGE_ROWS);

	op->ids = call_parse_ids(c, "ids", list);
	op->ids_n = list.n;
}

/* What search and count share. */
static struct store_thread_search *
threads_read(struct call *c)
{
	struct store_thread_search *op = &c->op.thread_search;

	*op = (struct store_thread_search){ .status = -1 };
	call_read_object(c, "metadata", LIMIT_FILTER_BYTES, &op->metadata_json);
	call_read_object(c, "values", LIMIT_FILTER_BYTES, &op->values_json);
	fields_enum(c->in, "status", thread_status_names, &op->status);
	ids_read(c, op);
	return op;
}

static struct str
threads_page_lines(struct call *c, const struct store_thread_search *op)
{
	int64_t next = op->page.offset + (int64_t)op->found_n;

	if (op->total >= 0)
		return call_page_lines(c, next, op->total);
	return call_next_line(c, next);
}

static int
threads_found(struct call *c)
{
	const struct store_thread_search *op = &c->op.thread_search;
	struct shown_thread *shown = arena_alloc(&c->r->arena,
	    (op->found_n + 1) * sizeof *shown);

	if (shown == NULL)
		return ERR_TOOBIG;
	for (size_t i = 0; i < op->found_n; i++)
		shown[i] = (struct shown_thread){ op->found[i],
		    api_thread_agent(c, &op->found[i].t), STR_NONE };
	for (size_t i = 0; c->extracts != NULL && i < op->found_n; i++) {
		int rc = extracts_take(c, &shown[i]);

		if (rc < 0)
			return rc;
	}
	return call_list(c, thread_members, shown, sizeof *shown, op->found_n,
	    threads_page_lines(c, op));
}

int
api_thread_search(struct call *c)
{
	static const struct sort sorts[] = {
		{ "created_at", STORE_SORT_CREATED }, { "updated_at", STORE_SORT_UPDATED },
		{ "state_updated_at", STORE_SORT_STATE_UPDATED },
		{ "status", STORE_SORT_STATUS }, { "thread_id", STORE_SORT_ID },
		{ NULL, 0 }
	};
	struct store_thread_search *op = threads_read(c);

	op->page = page_read(c, thread_members, sorts);
	if (c->select == MEMBERS_ALL)
		c->select = THREAD_USUAL;
	op->states = (c->select & (1u << THREAD_VALUES | 1u << THREAD_INTERRUPTS)) != 0;
	if (extracts_read(c))
		op->states = true;
	if (c->extracts != NULL)
		c->select |= 1u << THREAD_EXTRACTED;
	return call_submit(c, STORE_THREAD_SEARCH, threads_found);
}

static int
threads_counted(struct call *c)
{
	return answer_count(c, c->op.thread_search.total);
}

int
api_thread_count(struct call *c)
{
	threads_read(c);
	return call_submit(c, STORE_THREAD_SEARCH, threads_counted);
}

/* ---- assistants ---------------------------------------------------------- */

static struct store_assistant_search *
assistants_read(struct call *c)
{
	struct store_assistant_search *op = &c->op.assistant_search;

	*op = (struct store_assistant_search){ 0 };
	call_read_object(c, "metadata", LIMIT_FILTER_BYTES, &op->metadata_json);
	call_read_str(c, "graph_id", LIMIT_METADATA_BYTES, &op->graph_id);
	call_read_str(c, "name", LIMIT_NAME_BYTES, &op->name);
	return op;
}

static int
assistants_found(struct call *c)
{
	const struct store_assistant_search *op = &c->op.assistant_search;

	return call_list(c, assistant_members, op->found, sizeof *op->found,
	    op->found_n, call_page_lines(c, op->page.offset + (int64_t)op->found_n, op->total));
}

int
api_assistant_search(struct call *c)
{
	static const struct sort sorts[] = {
		{ "created_at", STORE_SORT_CREATED }, { "updated_at", STORE_SORT_UPDATED },
		{ "assistant_id", STORE_SORT_ID }, { "name", STORE_SORT_NAME },
		{ "graph_id", STORE_SORT_GRAPH }, { NULL, 0 }
	};
	struct store_assistant_search *op = assistants_read(c);

	op->page = page_read(c, assistant_members, sorts);
	return call_submit(c, STORE_ASSISTANT_SEARCH, assistants_found);
}

static int
assistants_counted(struct call *c)
{
	return answer_count(c, c->op.assistant_search.total);
}

int
api_assistant_count(struct call *c)
{
	assistants_read(c);
	return call_submit(c, STORE_ASSISTANT_SEARCH, assistants_counted);
}

/* ---- crons --------------------------------------------------------------- */

static void
uuid_read(struct call *c, const char *key, struct uuid *out)
{
	struct str s = STR_NONE;

	fields_str(c->in, key, LIMIT_NAME_BYTES, &s);
	if (s.p != NULL)
		call_parse_id(c, key, s, out);
}

static struct store_cron_search *
crons_read(struct call *c)
{
	struct store_cron_search *op = &c->op.cron_search;
	struct str assistant = STR_NONE;
	bool enabled = false;

	*op = (struct store_cron_search){ .enabled = -1 };
	fields_str(c->in, "assistant_id", LIMIT_NAME_BYTES, &assistant);
	if (assistant.n > 0 && !api_assistant_id(c->api, assistant, &op->assistant))
		fields_fail(c->in, "assistant_id", ERR_INVALID, "expected the id of an "
		    "assistant or of a graph, got \"%.*s\"", FMT(param_shown(assistant)));
	uuid_read(c, "thread_id", &op->thread);
	call_read_object(c, "metadata", LIMIT_FILTER_BYTES, &op->metadata_json);
	fields_bool(c->in, "enabled", &enabled);
	if (!json_is_null(json_get(c->in->node, S("enabled"))))
		op->enabled = enabled;
	return op;
}

static int
crons_found(struct call *c)
{
	const struct store_cron_search *op = &c->op.cron_search;

	return call_list(c, cron_members, op->found, sizeof *op->found, op->found_n,
	    call_page_lines(c, op->page.offset + (int64_t)op->found_n, op->total));
}

int
api_cron_search(struct call *c)
{
	static const struct sort sorts[] = {
		{ "created_at", STORE_SORT_CREATED }, { "updated_at", STORE_SORT_UPDATED },
		{ "cron_id", STORE_SORT_ID }, { "assistant_id", STORE_SORT_ASSISTANT },
		{ "thread_id", STORE_SORT_THREAD }, { "next_run_date", STORE_SORT_NEXT },
		{ "end_time", STORE_SORT_ENDS }, { NULL, 0 }
	};
	struct store_cron_search *op = crons_read(c);

	op->page = page_read(c, cron_members, sorts);
	return call_submit(c, STORE_CRON_SEARCH, crons_found);
}

static int
crons_counted(struct call *c)
{
	return answer_count(c, c->op.cron_search.total);
}

int
api_cron_count(struct call *c)
{
	crons_read(c);
	return call_submit(c, STORE_CRON_SEARCH, crons_counted);
}
