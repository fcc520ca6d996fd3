/*
 * history.c - a namespace's checkpoints, newest first, each as a state.
 *
 * What the tasks of a state wrote is known from the state after it (its child),
 * or from their pending writes.  A child that began a run (source input) is not
 * the tasks' doing and gives no result.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "base/scan.h"
#include "store/store_priv.h"

struct page {
	struct db *db;
	struct store_history *x;
	struct wanted want;
	int64_t limit;
	struct store_state **all;            /* the page's, then children that are
	                                        not on it */
	size_t all_n;
};

/* Containment in what the state shows as metadata: the run's base, its own, its
 * source and its step. */
static int
matches(struct page *p, const struct store_checkpoint *c, bool *yes)
{
	struct buf own = BUF(4 * LIMIT_METADATA_BYTES);
	struct buf text = BUF(4 * LIMIT_METADATA_BYTES);
	struct json_doc base = { 0 }, more = { 0 };
	int rc;

	buf_add(&own, c->extra_json.n > 2 ?
	    str_sub(c->extra_json, 0, c->extra_json.n - 1) : S("{"));
	json_add_comma(&own);
	buf_add_fmt(&own, "\"source\":\"%s\",\"step\":%d}",
	    checkpoint_source_names[c->source], c->step);
	rc = json_parse(&more, buf_str(&own), NULL);
	if (rc == OK)
		rc = json_parse(&base, c->base_json.n == 0 ? S("{}") : c->base_json, NULL);
	if (rc == OK)
		json_add_merged(&text, base.root, more.root);
	rc = rc == OK ? OK : ERR_IO;         /* stored JSON does not parse */
	*yes = rc == OK && !text.failed;
	if (*yes)
		rc = wanted_test(&p->want, buf_str(&text), yes);
	json_release(&base);
	json_release(&more);
	buf_release(&text);
	buf_release(&own);
	return rc;
}

static int
row_read(struct page *p, const struct query *q)
{
	struct store_history *x = p->x;
	struct store_state *s = &x->states[x->states_n];
	bool yes = true;
	int rc;

	memset(s, 0, sizeof *s);
	rc = checkpoint_read(p->db, q, x->thread_seq, x->cmd.arena, &s->c);
	if (rc == OK && !wanted_is_open(&p->want))
		rc = matches(p, &s->c, &yes);
	if (rc == OK && yes)
		p->all[p->all_n++] = &x->states[x->states_n++];
	return rc;
}

/* Those before an id, as many as the page has if each of them is wanted. */
static struct query
rows_of(const struct page *p, const struct uuid *before)
{
	struct db_value thread = db_i64(p->x->thread_seq), owner = db_i64(p->x->cmd.owner);

	if (wanted_is_open(&p->want))
		return query_of(p->db, SQL_CHECKPOINT_BACK, thread, owner, db_text(p->x->ns),
		    db_uuid(before), db_i64(p->limit));
	return query_of(p->db, SQL_CHECKPOINT_BACK_ALL, thread, owner, db_text(p->x->ns),
	    db_uuid(before));
}

static int
rows_read(struct page *p)
{
	struct query q;
	struct uuid before = p->x->before;
	int rc = OK;

	if (uuid_is_zero(&before))
		memset(before.b, 0xff, sizeof before.b);
	q = rows_of(p, &before);
	while (rc == OK && (int64_t)p->x->states_n < p->limit) {
		rc = query_row(&q);
		if (rc == OK)
			rc = row_read(p, &q);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* ---- children ---------------------------------------------------------------- */

/* The oldest on the page that goes on from the state: children are newer. */
static const struct store_state *
child_on_page(const struct store_history *x, size_t at)
{
	for (size_t i = at; i > 0; i--) {
		const struct store_checkpoint *c = &x->states[i - 1].c;

		if (c->parent_seq == x->states[at].c.seq && c->source == SOURCE_LOOP)
			return &x->states[i - 1];
	}
	return NULL;
}

/* When all are on the page, only the first one's can be elsewhere. */
static int
children_find(struct page *p)
{
	struct store_history *x = p->x;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < x->states_n; i++) {
		struct store_state *s = &x->states[i], *child = NULL;

		s->child = child_on_page(x, i);
		if (s->child != NULL || (i > 0 && wanted_is_open(&p->want)) ||
		    s->c.tasks_json.n <= 2)
			continue;
		rc = state_child(p->db, x->cmd.owner, x->thread_seq, s, x->cmd.arena,
		    &child);
		s->child = child;
		if (child != NULL)
			p->all[p->all_n++] = child;
	}
	return rc;
}

/* ---- in terms of messages ---------------------------------------------------- */

static void
result_point(struct store_history_item *item, const struct store_state *child)
{
	const struct store_channel *m = state_channel(child, S("messages"));
	struct str span = scan_find(child->c.wrote_json, S("messages"));
	int64_t from = 0, to = 0;
	ptrdiff_t comma = str_index(span, ',');

	item->has_result = true;
	if (m == NULL || comma < 0 || !str_to_i64(str_sub(span, 1, (size_t)comma - 1),
	    &from) || !str_to_i64(str_sub(span, (size_t)comma + 1,
	    span.n - (size_t)comma - 2), &to))
		return;
	if (from < 0 || from >= to || (size_t)to > m->entries_n)
		return;
	item->result = (struct str *)m->entries + from;
	item->result_n = (size_t)(to - from);
}

static int
items_make(struct store_history *x)
{
	x->items = arena_zero(x->cmd.arena, (x->states_n + 1) * sizeof *x->items);
	if (x->items == NULL)
		return ERR_TOOBIG;
	for (size_t i = 0; i < x->states_n; i++) {
		struct store_history_item *item = &x->items[i];
		const struct store_state *s = &x->states[i];
		const struct store_channel *m = state_channel(s, S("messages"));

		item->c = s->c;
		if (m != NULL && m->entries_n > 0) {
			item->messages = (struct str *)m->entries;
			item->messages_n = m->entries_n;
		}
		if (s->child != NULL)
			result_point(item, s->child);
	}
	x->items_n = x->states_n;
	return OK;
}

/* ---- the page ---------------------------------------------------------------- */

static int
page_load(struct page *p)
{
	struct store_history *x = p->x;
	struct arena *a = x->cmd.arena;
	int rc;

	x->states = arena_alloc(a, ((size_t)p->limit + 1) * sizeof *x->states);
	p->all = arena_alloc(a, (2 * (size_t)p->limit + 1) * sizeof *p->all);
	rc = arena_rc(a);
	if (rc == OK)
		rc = rows_read(p);
	if (rc == OK)
		rc = children_find(p);
	if (rc == OK)
		rc = states_fill(p->db, x->thread_seq, p->all, p->all_n,
		    STATE_CHANNELS, a);
	if (rc == OK && x->whole)
		rc = states_fill(p->db, x->thread_seq, p->all, x->states_n,
		    STATE_TASKS, a);
	return rc == OK && !x->whole ? items_make(x) : rc;
}

static int
thread_history(struct store *st, struct store_cmd *c)
{
	struct store_history *x = (struct store_history *)c;
	struct page p = { .x = x, .db = slow_db(st, c),
	    .limit = x->limit < LIMIT_PAGE_ROWS ? x->limit : LIMIT_PAGE_ROWS };
	int rc;

	assert(p.limit >= 0);
	x->items = NULL;
	x->states = NULL;
	x->items_n = x->states_n = 0;
	rc = wanted_init(&p.want, x->metadata_json, STR_NONE, p.db, &c->err);
	if (rc == OK)
		rc = page_load(&p);
	wanted_release(&p.want);
	return rc;
}
const struct op store_op_history = { .run = thread_history, .lane = OP_READ_SHORT };
