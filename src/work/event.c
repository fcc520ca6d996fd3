/*
 * event.c - the audit: who did what to which item, and when; append only.
 *
 * SPDX-License-Identifier: MIT
 */
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
	struct query q = query_of(&w->db, SQL_EVENT_ADD);
	int rc;

	bind_i64(&q, w->t.seq);
	bind_i64(&q, item);
	bind_str(&q, id);
	bind_i64(&q, (int64_t)kind);
	bind_i64(&q, ready);
	bind_i64(&q, w->call->now);
	bind_str(&q, w->call->actor);
	bind_str(&q, old_json);
	bind_str(&q, new_json);
	rc = query_run(&q);
	return rc == OK ? OK : work_fail_db(w, rc);
}

/* The time of the newest is what has been seen of the clock, by whoever wrote. */
void
work_follow(struct work *w)
{
	struct query q = query_of(&w->db, SQL_EVENT_NEWEST);

	if (query_row(&q) == OK && col_i64(&q, 0) > w->clock &&
	    col_i64(&q, 0) <= WORK_TIME_MAX_MS)
		w->clock = col_i64(&q, 0);
	query_end(&q);
}

/* The columns of SQL_EVENTS_AFTER. */
void
event_encode(struct buf *b, const struct query *q)
{
	char at[CLOCK_ISO_SIZE];

	clock_write_iso(at, col_i64(q, 4));
	json_add_fmt(b, "{'seq':%lld,'kind':%s,'issue_id':%.*s,'actor':%.*s,'at':%.*s",
	    (long long)col_i64(q, 0), event_names[col_i64(q, 1)],
	    FMT(col_borrow(q, 2)), FMT(col_borrow(q, 3)),
	    (int)sizeof at, at);
	if (!col_null(q, 5))
		json_add_fmt(b, ",'old':%-.*s", FMT(col_borrow(q, 5)));
	if (!col_null(q, 6))
		json_add_fmt(b, ",'new':%-.*s", FMT(col_borrow(q, 6)));
	if (col_i64(q, 7) != 0)
		buf_lit(b, ",\"ready\":true");
	buf_add_char(b, '}');
}

int
work_events(struct work *w, int64_t tracker, int64_t after, size_t max,
    struct buf *out, int64_t *last)
{
	struct query q = query_of(&w->db, SQL_EVENTS_AFTER);
	int rc;

	*last = after;
	bind_i64(&q, after);
	bind_i64(&q, tracker);
	bind_i64(&q, (int64_t)max);
	while ((rc = query_row(&q)) == OK) {
		event_encode(out, &q);
		buf_add_char(out, '\n');
		*last = col_i64(&q, 0);
	}
	query_end(&q);
	if (rc != ERR_NOTFOUND)
		return rc;
	return out->failed ? ERR_TOOBIG : OK;
}

int64_t
work_event_last(struct work *w, int64_t tracker)
{
	struct query q = query_of(&w->db, SQL_EVENT_LAST);
	int64_t last = 0;

	bind_i64(&q, tracker);
	if (query_row(&q) == OK)
		last = col_i64(&q, 0);
	query_end(&q);
	return last;
}
