/*
 * worker_list.c - what operators see of workers: who is there, and who tried what.
 *
 * Each node knows its own workers, and the attempts of its own runs; the lists of the others
 * are asked for.  A node that does not answer is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "api/api_priv.h"
#include "api/peer.h"
#include "base/mem.h"
#include "base/scan.h"
#include "worker/desk.h"

#define LOG_DEFAULT 50
#define LIST_BYTES  (16 * MB)                /* of the other nodes, together */

struct row { struct str json, at; size_t order; };

/* The lists of all nodes. */
struct lists {
	struct call *c;
	struct str by;                       /* the member with a time: the newest first */
	size_t limit, waits;
	struct buf text;                     /* arrays, one behind the other */
	struct row *rows;
	size_t n, cap;
};

static int
newest_first(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int order = str_cmp(y->at, x->at);

	return order != 0 ? order : x->order < y->order ? -1 : 1;
}

/* The objects of all arrays. */
static void
read_rows(struct lists *l)
{
	struct scan s = scan_of(buf_str(&l->text));

	while (scan_peek(&s) == '[' && scan_open(&s, '[')) {
		bool first = true;
		struct str one;

		while (scan_element(&s, &first) && scan_value(&s, &one)) {
			mem_grow(l->rows, l->n, l->cap);
			l->rows[l->n] = (struct row){ one, scan_find(one, l->by), l->n };
			l->n++;
		}
	}
}

static void
lists_answer(struct lists *l)
{
	struct call *c = l->c;
	struct buf *b = call_out(c);

	read_rows(l);
	if (l->n > 0)
		qsort(l->rows, l->n, sizeof *l->rows, newest_first);
	buf_add_char(b, '[');
	for (size_t i = 0; i < l->n && i < l->limit; i++) {
		json_add_comma(b);
		buf_add(b, l->rows[i].json);
	}
	buf_add_char(b, ']');
	buf_release(&l->text);
	free(l->rows);
	free(l);
	call_finish(c, call_json(c, STR_NONE));
}

static void
list_came(void *ctx, struct str body)
{
	struct lists *l = ctx;

	buf_add(&l->text, body);
	if (--l->waits == 0)
		lists_answer(l);
}

/* call_out has this node's list. */
static int
with_others(struct call *c, const struct buf *own, const char *by, size_t limit)
{
	struct lists *l = mem_new(struct lists);

	*l = (struct lists){ .c = c, .by = str_of(by), .limit = limit,
	    .text = BUF(LIST_BYTES + own->n) };
	buf_add(&l->text, buf_str(own));
	if (!own->failed)
		l->waits = peer_ask_all(c, STR_NONE, LIST_BYTES, list_came, l);
	if (l->waits > 0)
		return OK;
	buf_release(&l->text);
	free(l);
	return call_json(c, STR_NONE);
}

int
api_worker_list(struct call *c)
{
	struct buf *b = call_out(c);

	buf_add_char(b, '[');
	workers_add_list(c->api->shared->o.workers, shard_now(c->r->shard), b);
	buf_add_char(b, ']');
	return with_others(c, b, "since", SIZE_MAX);
}

int
api_worker_log(struct call *c)
{
	struct worker_log_query q = { .name = param_str(c, "name"),
		.worker_id = param_str(c, "worker_id") };
	int64_t limit = LOG_DEFAULT;
	struct buf *b;

	param_int(c, "limit", 1, LIMIT_PAGE_ROWS, &limit);
	param_id(c, "run_id", &q.run_id);
	if (c->in->rc != OK)
		return c->in->rc;
	q.limit = (size_t)limit;
	b = call_out(c);
	buf_add_char(b, '[');
	workers_add_log(c->api->shared->o.workers, &q, b);
	buf_add_char(b, ']');
	return with_others(c, b, "began_at", q.limit);
}
