/*
 * find_assistants.c - searching and counting assistants: an owner's and the system's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

/* Columns of ASSISTANTS_OF. */
enum { SEQ, ID, CREATED, UPDATED, GRAPH, NAME, METADATA };

static bool
matches(const struct store_cmd *c, const struct query *q)
{
	const struct store_assistant_search *x = (const struct store_assistant_search *)c;

	return (x->graph_id.n == 0 || str_eq(query_borrow(q, GRAPH), x->graph_id)) &&
	    str_contains_nocase(query_borrow(q, NAME), x->name);
}

static void
key(const struct query *q, enum store_sort sort, struct arena *a, struct hit *h)
{
	h->id = query_uuid(q, ID);
	h->number = query_i64(q, sort == STORE_SORT_UPDATED ? UPDATED : CREATED);
	if (sort == STORE_SORT_GRAPH || sort == STORE_SORT_NAME)
		h->text = query_str(q, sort == STORE_SORT_GRAPH ? GRAPH : NAME, a);
}

static int
assistant_search(struct store *st, struct store_cmd *c)
{
	static const struct lookup_kind kind = { SQL_ASSISTANTS_OF, METADATA,
	    SQL_ASSISTANT_AT, &store_assistant_record, sizeof(struct store_assistant),
	    matches, key };
	struct store_assistant_search *x = (struct store_assistant_search *)c;
	void *found;
	int rc = lookup_run(st, c, &kind, x->metadata_json, &x->page, &found,
	    &x->found_n, &x->total);

	x->found = found;
	return rc;
}
const struct op store_op_assistant_search = { .run = assistant_search, .lane = OP_READ_SHORT };
