/*
 * admin.c - the tracker as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/work_priv.h"

/* ---- info ------------------------------------------------------------------------------- */

/* events: the number of the last one, which in a file of its own is how many
 * there are. */
int
op_info(struct work *w, struct work_call *c)
{
	int64_t items = 0, gone = 0;
	int rc;
	struct query q = query_of(&w->db, SQL_COUNTS, db_i64(w->t.seq));

	while ((rc = query_row(&q)) == OK)
		*(query_i64(&q, 0) < 2 * STATUS_TOMBSTONE ? &items : &gone) +=
		    query_i64(&q, 1);
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return work_fail_db(w, rc);
	json_add_fmt(c->data, "{'prefix':%.*s,'items':%lld,'deleted':%lld,"
	    "'events':%lld,'version':'" COHORT_VERSION "','schema':%lld,'database':%s}",
	    FMT(w->t.prefix), (long long)items, (long long)gone,
	    (long long)work_event_last(w, w->t.seq), (long long)work_format.sqlite.n,
	    db_path(&w->db));
	return OK;
}
