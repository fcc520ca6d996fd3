/*
 * event.c - the audit: who did what to which item, and when; append only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "work/row.h"

const char *const event_names[] = {
#define X(name) #name,
	EVENT_MAP(X)
#undef X
};

int
event_add(struct work *w, int64_t item, struct str id, enum event_kind kind,
    struct str old_json, struct str new_json, bool ready)
{
	assert(item > 0 && id.n > 0 && kind < EVENTS);
	return work_exec(w, SQL_EVENT_ADD, db_i64(w->t.seq), db_i64(item),
	    db_str(id), db_i64((int64_t)kind), db_i64(ready),
	    db_i64(w->call->now), db_str(w->call->actor), db_str(old_json),
	    db_str(new_json));
}

/* The newest event has the latest time that any process stamped. */
void
work_follow(struct work *w)
{
	int64_t newest = 0;

	query_one_i64(query_of(&w->db, SQL_EVENT_NEWEST), &newest);
	if (newest > w->clock && newest <= WORK_TIME_MAX_MS)
		w->clock = newest;
}

/* The columns of SQL_EVENTS_AFTER. */
void
event_encode(struct buf *b, const struct query *q)
{
	int64_t kind = query_i64(q, 1);
	char at[CLOCK_ISO_SIZE];

	clock_write_iso(at, query_i64(q, 4));
	json_add_fmt(b, "{'seq':%lld,'kind':%s,'issue_id':%.*s,'actor':%.*s,'at':%.*s",
	    (long long)query_i64(q, 0),
	    kind >= 0 && kind < EVENTS ? event_names[kind] : "unknown",
	    FMT(query_borrow(q, 2)), FMT(query_borrow(q, 3)),
	    (int)sizeof at, at);
	if (!query_null(q, 5))
		json_add_fmt(b, ",'old':%-.*s", FMT(query_borrow(q, 5)));
	if (!query_null(q, 6))
		json_add_fmt(b, ",'new':%-.*s", FMT(query_borrow(q, 6)));
	if (query_i64(q, 7) != 0)
		buf_lit(b, ",\"ready\":true");
	buf_add_char(b, '}');
}

int
work_events(struct work *w, int64_t tracker, int64_t after, size_t max,
    struct buf *out, int64_t *last)
{
	struct query q;
	int rc;

	*last = after;
	q = query_of(&w->db, SQL_EVENTS_AFTER, db_i64(after), db_i64(tracker),
	    db_i64((int64_t)max));
	while ((rc = query_row(&q)) == OK) {
		event_encode(out, &q);
		buf_add_char(out, '\n');
		*last = query_i64(&q, 0);
	}
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return rc;
	return out->failed ? ERR_TOOBIG : OK;
}

int64_t
work_event_last(struct work *w, int64_t tracker)
{
	int64_t last = 0;

	query_one_i64(query_of(&w->db, SQL_EVENT_LAST, db_i64(tracker)), &last);
	return last;
}
