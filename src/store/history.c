/*
 * history.c - a thread's checkpoints, newest first, each with its messages.
 *
 * States of one list are prefixes of it, so a list is read once, as far as
 * the longest state on the page needs it, and every item points into it.
 *
 * What the node of a state wrote is known from the state after it (its
 * child): the child's messages beyond those it kept.  A child that began a
 * run (source input) is not the node's doing and gives no result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "store/store_priv.h"

/* Where a result lies: entries [from, to) of a list. */
struct span {
	int64_t list;
	uint32_t from, to;
};

struct newer {
	int64_t parent;
	enum checkpoint_source source;
	struct span wrote;
};

struct loaded {                              /* a list, as far as it is needed */
	int64_t list;
	uint32_t len;
	struct str *messages;
};

struct page {
	struct db *db;
	struct store_history *x;
	struct wanted want;
	struct span *results;                /* by item */
	struct loaded *lists;
	size_t lists_n;
	struct newer newer;                  /* the state after the next one read */
};

static void
newer_set(struct newer *n, const struct query *q)
{
	n->parent = query_i64(q, 1);
	n->source = (enum checkpoint_source)query_i64(q, 5);
	n->wrote.list = query_i64(q, 12);
	n->wrote.from = (uint32_t)query_i64(q, 15);
	n->wrote.to = (uint32_t)query_i64(q, 13);
}

/* The state at or after `before`, which is the child of the first item. */
static int
newer_load(struct page *p)
{
	struct query q;
	int rc;

	if (uuid_is_zero(&p->x->before))
		return OK;
	q = query_of(p->db, SQL_CHECKPOINT_CHILD, db_i64(p->x->thread_seq),
	    db_i64(p->x->cmd.owner), db_uuid(&p->x->before));
	rc = query_row(&q);
	if (rc == OK)
		newer_set(&p->newer, &q);
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* Containment in what the state shows as metadata: the run's base, its source
 * and its step. */
static int
matches(struct page *p, const struct query *q, bool *yes)
{
	struct buf b = BUF(2 * LIMIT_METADATA_BYTES);
	struct buf text = BUF(2 * LIMIT_METADATA_BYTES);
	struct json_doc base = { 0 }, own = { 0 };
	struct str base_json = query_borrow(q, 10);
	int rc;

	buf_add_fmt(&b, "{\"source\":\"%s\",\"step\":%d}",
	    checkpoint_source_names[query_i64(q, 5)], (int)query_i64(q, 4));
	rc = json_parse(&own, buf_str(&b), NULL);
	if (rc == OK)
		rc = json_parse(&base, base_json.n == 0 ? S("{}") : base_json, NULL);
	if (rc == OK)
		json_add_merged(&text, base.root, own.root);
	rc = rc == OK ? OK : ERR_IO;         /* stored JSON does not parse */
	*yes = rc == OK && !text.failed;
	if (*yes)
		rc = wanted_test(&p->want, buf_str(&text), yes);
	json_release(&base);
	json_release(&own);
	buf_release(&text);
	buf_release(&b);
	return rc;
}

static int
item_add(struct page *p, const struct query *q)
{
	struct store_history *x = p->x;
	struct store_history_item *item = &x->items[x->items_n];
	int rc;

	memset(item, 0, sizeof *item);
	rc = query_read(q, &store_checkpoint_record, &item->c, x->cmd.arena);
	if (rc != OK)
		return rc;
	item->has_result = p->newer.parent == item->c.seq &&
	    p->newer.source == SOURCE_LOOP;
	if (item->has_result)
		p->results[x->items_n] = p->newer.wrote;
	x->items_n++;
	return OK;
}

static int
items_load(struct page *p, int64_t limit)
{
	struct query q;
	struct uuid before = p->x->before;
	int rc = OK;

	if (uuid_is_zero(&before))
		memset(before.b, 0xff, sizeof before.b);
	q = query_of(p->db, SQL_CHECKPOINT_BACK, db_i64(p->x->thread_seq),
	    db_i64(p->x->cmd.owner), db_uuid(&before),
	    db_i64(wanted_is_open(&p->want) ? limit : -1));
	while (rc == OK && (int64_t)p->x->items_n < limit) {
		bool yes = true;

		rc = query_row(&q);
		if (rc == OK && !wanted_is_open(&p->want))
			rc = matches(p, &q, &yes);
		if (rc == OK && yes)
			rc = item_add(p, &q);
		if (rc == OK)
			newer_set(&p->newer, &q);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- messages ------------------------------------------------------------ */

/* Items come in order, so the list wanted is nearly always the last one. */
static struct loaded *
list_of(struct page *p, int64_t list)
{
	for (size_t i = p->lists_n; i > 0; i--)
		if (p->lists[i - 1].list == list)
			return &p->lists[i - 1];
	p->lists[p->lists_n] = (struct loaded){ .list = list };
	return &p->lists[p->lists_n++];
}

static void
list_want(struct page *p, int64_t list, uint32_t len)
{
	struct loaded *s;

	if (list == 0 || len == 0)
		return;
	s = list_of(p, list);
	s->len = s->len > len ? s->len : len;
}

static int
lists_load(struct page *p)
{
	const struct store_history *x = p->x;
	int rc = OK;

	p->lists = arena_zero(x->cmd.arena,
	    (2 * x->items_n + 1) * sizeof *p->lists);
	if (p->lists == NULL)
		return ERR_TOOBIG;
	for (size_t i = 0; i < x->items_n; i++) {
		list_want(p, x->items[i].c.list, x->items[i].c.len);
		list_want(p, p->results[i].list, p->results[i].to);
	}
	for (size_t i = 0; rc == OK && i < p->lists_n; i++)
		rc = messages_read(p->db, p->lists[i].list, 0,
		    p->lists[i].len, x->cmd.arena, &p->lists[i].messages);
	return rc;
}

static void
items_point(struct page *p)
{
	for (size_t i = 0; i < p->x->items_n; i++) {
		struct store_history_item *item = &p->x->items[i];
		const struct span *r = &p->results[i];

		if (item->c.len > 0) {
			item->messages = list_of(p, item->c.list)->messages;
			item->messages_n = item->c.len;
		}
		if (item->has_result && r->to > r->from) {
			item->result = list_of(p, r->list)->messages + r->from;
			item->result_n = r->to - r->from;
		}
	}
}

static int
page_load(struct page *p, int64_t limit)
{
	struct store_history *x = p->x;
	int rc;

	x->items = arena_alloc(x->cmd.arena, ((size_t)limit + 1) * sizeof *x->items);
	p->results = arena_zero(x->cmd.arena,
	    ((size_t)limit + 1) * sizeof *p->results);
	rc = arena_rc(x->cmd.arena);
	if (rc == OK)
		rc = newer_load(p);
	if (rc == OK)
		rc = items_load(p, limit);
	if (rc == OK)
		rc = lists_load(p);
	if (rc == OK)
		items_point(p);
	return rc;
}

static int
thread_history(struct store *st, struct store_cmd *c)
{
	struct store_history *x = (struct store_history *)c;
	int64_t limit = x->limit < LIMIT_PAGE_ROWS ? x->limit : LIMIT_PAGE_ROWS;
	struct page p = { .x = x, .db = slow_db(st, c) };
	int rc;

	assert(limit >= 0);
	x->items = NULL;
	x->items_n = 0;
	rc = wanted_init(&p.want, x->metadata_json, p.db, &c->err);
	if (rc == OK)
		rc = page_load(&p, limit);
	wanted_release(&p.want);
	return rc;
}
const struct op store_op_history = { .run = thread_history, .lane = OP_READ_SHORT };
