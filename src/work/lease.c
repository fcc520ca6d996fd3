/*
 * lease.c - who works on what.
 *
 * A claim sets assignee and status, and gives a lease: who holds it, until
 * when.  Claiming again extends it (a heartbeat).  The next operation on the
 * tracker ends a lease that has expired: the item is open again, without an
 * assignee.  Until then only the holder may change status and assignee; anybody
 * may close the item, or release it by force.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "work/listing.h"
#include "work/work_priv.h"

/* ---- the end of a lease --------------------------------------------------------------- */

static int
due_first(struct work *w, int64_t tracker, msec now, int64_t *seq)
{
	return query_one_i64(query_of(&w->db, SQL_LEASE_DUE, db_i64(tracker),
	    db_i64(now)), seq);
}

bool
lease_due(struct work *w, int64_t tracker, msec now)
{
	int64_t seq;

	return due_first(w, tracker, now, &seq) == OK;
}

static void
lease_drop(struct work *w, struct item *it)
{
	item_set_status(w, it, STATUS_OPEN);
	it->assignee = STR_NONE;
}

/* {"holder":..,"until":..,"why":..} */
static struct str
lease_json(struct work *w, const struct item *it, const char *why)
{
	struct buf b = BUF(8 * KB);

	buf_add_char(&b, '{');
	lease_add(&b, it);
	json_add_fmt(&b, ",'reason':%s}", why);
	return work_text_keep(w, &b);
}

static int
lease_end(struct work *w, struct item *it, const char *why)
{
	struct item was = *it;
	int rc;

	lease_drop(w, it);
	item_touch(w, it);
	rc = item_save(w, it, &was);
	if (rc == OK)
		rc = event_add(w, it->seq, it->id, EVENT_released,
		    lease_json(w, &was, why), STR_NONE, !item_held(it));
	return rc;
}

/* Any number can be due, each as large as an item may be: one arena at a time. */
int
lease_expire(struct work *w)
{
	struct arena kept = w->a;
	struct item it;
	int64_t seq;
	int rc;

	if (db_is_read_only(&w->db))
		return OK;
	w->a = ARENA(kept.max);
	while ((rc = due_first(w, w->t.seq, w->call->now, &seq)) == OK) {
		rc = item_load(w, seq, &it);
		if (rc == OK)
			rc = lease_end(w, &it, "its time was up");
		if (rc != OK)
			break;
		arena_clear(&w->a);
	}
	arena_release(&w->a);
	w->a = kept;
	return rc == ERR_NOTFOUND ? OK : rc == OK || w->call->err.text[0] != '\0' ?
	    rc : work_fail_db(w, rc);
}

/* ---- claim -------------------------------------------------------------------------------- */

int
lease_guard(struct work *w, const struct item *it)
{
	char until[CLOCK_ISO_SIZE];

	if (it->lease_holder.p == NULL ||
	    str_eq(it->lease_holder, w->call->actor))
		return OK;
	clock_write_iso(until, it->lease_until);
	return work_fail(w, ERR_CONFLICT, "%.*s is claimed by %.*s until %.*s",
	    FMT(it->id), FMT(it->lease_holder), (int)sizeof until, until);
}

/* What keeps it from being worked on. */
static int
held_words(struct work *w, const struct item *it)
{
	char text[300] = "";
	size_t at = 0, n = 0;
	int rc = OK;
	struct query q = query_of(&w->db, SQL_BLOCKERS, db_i64(it->seq));

	while (n < 4 && (rc = query_row(&q)) == OK)
		at += n++ == 3 ? (size_t)snprintf(text + at, sizeof text - at,
		    ", ...") : (size_t)snprintf(text + at, sizeof text - at,
		    "%s%.*s", n > 1 ? ", " : "", FMT(query_borrow(&q, 1)));
	query_end(&q);
	if (rc != OK && rc != ERR_NOTFOUND)
		return work_fail_db(w, rc);
	if (n > 0)
		return work_fail(w, ERR_CONFLICT, "%.*s is blocked by %s", FMT(it->id),
		    text);
	return work_fail(w, ERR_CONFLICT, "%.*s is blocked, as its parent is",
	    FMT(it->id));
}

int
lease_take(struct work *w, struct item *it, msec length)
{
	struct str actor = w->call->actor;
	int rc = lease_guard(w, it);

	assert(length > 0 && actor.n > 0);
	if (rc != OK)
		return rc;
	if (it->status != STATUS_OPEN && it->status != STATUS_IN_PROGRESS)
		return work_fail(w, ERR_CONFLICT, "%.*s is %s", FMT(it->id),
		    work_status_names[it->status]);
	if (it->status == STATUS_IN_PROGRESS && it->assignee.p != NULL &&
	    !str_eq(it->assignee, actor))
		return work_fail(w, ERR_CONFLICT, "%.*s is in progress by %.*s",
		    FMT(it->id), FMT(it->assignee));
	if (it->lease_holder.p == NULL && item_held(it))
		return held_words(w, it);
	it->status = STATUS_IN_PROGRESS;
	it->assignee = actor;
	it->lease_holder = actor;
	it->lease_until = w->call->now + length;
	return OK;
}

/* A heartbeat changes nothing that others see: no event, the same updated_at. */
static int
claim_save(struct work *w, struct item *it, const struct item *was)
{
	int rc;

	if (was->lease_holder.p == NULL)
		return change_save(w, it, was, EVENT_claimed,
		    lease_json(w, it, "claim"));
	rc = item_save(w, it, was);
	return rc == OK ? body_add(w, buf_str(&w->scratch), true, w->call->data) :
	    rc;
}

static int
claim_item(struct work *w, int64_t seq)
{
	struct item it, was;
	int rc = item_load(w, seq, &it);

	if (rc != OK)
		return rc;
	was = it;
	rc = lease_take(w, &it, arg_int(w->call, "lease_ms", LIMIT_WORK_LEASE_MS));
	return rc == OK ? claim_save(w, &it, &was) : rc;
}

static int
claim_ready(struct work *w)
{
	int64_t seq = 0;
	int rc = ready_first(w, &seq);

	if (rc == OK && seq == 0)
		buf_lit(w->call->data, "null");
	return rc == OK && seq != 0 ? claim_item(w, seq) : rc;
}

int
lease_next(struct work *w, struct work_call *c)
{
	int rc;

	buf_cut(c->data, c->data->n - 1);
	buf_lit(c->data, ",\"claimed\":");
	rc = claim_ready(w);
	buf_add_char(c->data, '}');
	return rc;
}

int
op_claim(struct work *w, struct work_call *c)
{
	struct json_iter it = json_each(c->args);
	int64_t seq;
	int rc;

	if (arg_bool(c, "ready") == arg_given(c, "id"))
		return work_fail(w, ERR_INVALID,
		    "claim: expected either \"id\" or \"ready\"");
	if (arg_bool(c, "ready"))
		return claim_ready(w);
	while (json_next(&it)) {
		struct str key = json_str(it.key);

		if (!str_eq(key, S("id")) && !str_eq(key, S("lease_ms")) &&
		    !str_eq(key, S("ready")) && !json_is_null(it.value))
			return work_fail(w, ERR_INVALID, "claim: \"%.*s\" chooses among "
			    "the ready; leave it out with \"id\"", FMT(key));
	}
	rc = item_seq(w, arg_text(c, "id"), &seq);
	return rc == OK ? claim_item(w, seq) : rc;
}

int
op_release(struct work *w, struct work_call *c)
{
	struct item it, was;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	was = it;
	if (it.lease_holder.p == NULL)
		return work_fail(w, ERR_CONFLICT, "%.*s is not claimed", FMT(it.id));
	if (!str_eq(it.lease_holder, c->actor) && !arg_bool(c, "force"))
		return work_fail(w, ERR_CONFLICT, "%.*s is claimed by %.*s, not by you",
		    FMT(it.id), FMT(it.lease_holder));
	lease_drop(w, &it);
	return change_save(w, &it, &was, EVENT_released,
	    lease_json(w, &was, "release"));
}
