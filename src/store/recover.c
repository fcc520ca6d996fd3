/*
 * recover.c - recovery: the first thing after a start.
 *
 * A run that is still RUNNING was cut off: it becomes PENDING with one more
 * attempt, or ERROR after LIMIT_RUN_ATTEMPTS.  One whose place a pending run was
 * to take (interrupt, rollback) ends as it would have.  One that is parked stays
 * so (waits.c).  All are found by the partial
 * index of active runs, so the time depends on what was under way, not on
 * what the file holds.  New ids continue after the newest in the file, even
 * if the clock was set back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/node.h"
#include "store/store_priv.h"

struct recover {
	struct store_cmd cmd;
	msec now;
};

struct cut_offs {
	struct cut_off *at;
	size_t n, cap;
};

struct cut_off
cut_off_read(const struct query *q)
{
	return (struct cut_off){ .run = query_i64(q, 0), .thread = query_i64(q, 1),
	    .attempt = query_i64(q, 2), .owner = query_i64(q, 3) };
}

static int
cut_offs_load(struct store *st, struct cut_offs *l)
{
	struct query q = query_of(&st->w, SQL_RUNS_CUT_OFF);
	int rc;

	for (;;) {
		rc = query_row(&q);
		if (rc != OK)
			break;
		mem_grow(l->at, l->n, l->cap);
		l->at[l->n++] = cut_off_read(&q);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
run_retry(struct store *st, const struct cut_off *cut, msec now)
{
	return db_run(&st->w, SQL_RUN_RETRY, db_i64(cut->attempt + 1),
	    db_i64(now), db_i64(cut->run));
}

static int
thread_active(struct store *st, int64_t thread, int64_t *all)
{
	struct query q = query_of(&st->w, SQL_RUN_ACTIVE, db_i64(thread));
	int rc = query_row(&q);

	if (rc == OK)
		*all = query_i64(&q, 1);
	query_end(&q);
	return rc;
}

static int
run_give_up(struct store *st, const struct cut_off *cut, msec now)
{
	struct str error;
	int64_t all = 0;
	int rc;

	error = arena_fmt(&st->scratch, "{\"error\":\"RunInterrupted\","
	    "\"message\":\"The server stopped %lld times while this run was under "
	    "way; it is not tried again\"}", (long long)cut->attempt);
	rc = run_ends(st, cut->run, true, RUN_ERROR, error, STR_NONE, now);
	if (rc == OK)
		rc = thread_active(st, cut->thread, &all);
	if (rc == OK)
		rc = tally_move(st, cut->owner, THREAD_BUSY, all > 0 ?
		    THREAD_BUSY : THREAD_ERROR);
	if (rc == OK)
		rc = db_run(&st->w, SQL_THREAD_FAIL,
		    db_i64(all > 0 ? THREAD_BUSY : THREAD_ERROR), db_i64(now),
		    db_str(error), db_i64(cut->thread));
	return rc == OK && all == 0 ? threads_settled(st, cut->owner, cut->thread) : rc;
}

/* Is a pending run to take its place?  MULTITASK_ENQUEUE: none is. */
static int
displacer_find(struct store *st, const struct cut_off *cut, int64_t *how)
{
	int rc = query_one_i64(query_of(&st->w, SQL_RUN_DISPLACER, db_i64(cut->thread),
	    db_i64(cut->run)), how);

	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
run_displace(struct store *st, struct store_cmd *c, const struct cut_off *cut,
    int64_t how, msec now)
{
	int64_t newest = 0;
	int rc = wait_drop(st, cut->thread);

	if (rc != OK)
		return rc;
	if (how == MULTITASK_INTERRUPT)
		return run_ends(st, cut->run, true, RUN_INTERRUPTED, STR_NONE,
		    S("interrupt: superseded by another run"), now);
	rc = run_rollback(st, c, cut->owner, cut->run, cut->thread, &newest);
	return rc != OK ? rc : db_run(&st->w, SQL_THREAD_ADVANCE, db_i64(newest),
	    db_i64(0), db_i64(cut->thread), db_i64(cut->owner));
}

/* A run that was waiting when the server stopped did nothing wrong: that is no
 * attempt that failed.  Nor did one whose graph is in a worker: that did not stop with
 * the server, and its own attempts are counted by the leases that it lost. */
static int
may_go_on(struct store *st, const struct cut_off *cut, msec now, bool *out)
{
	int64_t due = 0;
	int rc;

	*out = cut->attempt < LIMIT_RUN_ATTEMPTS;
	if (*out)
		return OK;
	rc = query_one_i64(query_of(&st->w, SQL_RUN_DUE, db_i64(cut->thread),
	    db_i64(cut->run)), &due);
	if (rc != OK || due > now) {
		*out = due > now;
		return rc;
	}
	rc = query_any(query_of(&st->w, SQL_RUN_HOSTED, db_i64(cut->run)));
	*out = rc == OK;
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* Readers may have been told events that were not written.  Their numbers are not given
 * again: more than the write queue can have held. */
#define EVENTS_SKIPPED 1000000

static int
events_skip(struct store *st, const struct cut_off *cut)
{
	return db_run(&st->w, SQL_EVENT_SKIP, db_i64(cut->thread), db_i64(EVENTS_SKIPPED));
}

int
run_recover(struct store *st, struct store_cmd *c, const struct cut_off *cut,
    msec now, bool counts, size_t *given_up)
{
	int64_t how = MULTITASK_ENQUEUE;
	int rc = displacer_find(st, cut, &how);
	bool again = true;

	if (rc == OK)
		rc = events_skip(st, cut);
	if (rc == OK && how >= MULTITASK_INTERRUPT)
		return run_displace(st, c, cut, how, now);
	if (rc == OK && counts)
		rc = may_go_on(st, cut, now, &again);
	if (rc != OK)
		return rc;
	*given_up += again ? 0 : 1;
	return again ? run_retry(st, cut, now) : run_give_up(st, cut, now);
}

static int
recover(struct store *st, struct store_cmd *c)
{
	const struct recover *x = (struct recover *)c;
	struct cut_offs l = { 0 };
	size_t given_up = 0;
	int rc = cut_offs_load(st, &l);

	for (size_t i = 0; rc == OK && i < l.n; i++)
		rc = run_recover(st, c, &l.at[i], x->now, true, &given_up);
	if (rc == OK && l.n > 0)
		log_info("store", "recovered", "runs=%zu given_up=%zu", l.n,
		    given_up);
	free(l.at);
	return rc;
}
const struct op store_op_recover = { .run = recover };

/* ---- the caller's side --------------------------------------------------- */

static int
runs_recover(struct store *st, struct shard *s, msec now, struct err *e)
{
	struct recover x = { .cmd.op = STORE_RECOVER, .now = now };
	int rc = store_submit(st, s, &x.cmd, true);

	if (rc != OK)
		return err_set(e, rc, "recovery: %s", rc_text(rc));
	while (x.cmd.under_way)
		shard_turn(s);
	if (x.cmd.rc != OK)
		return err_set(e, x.cmd.rc, "recovery: %s", x.cmd.err.text);
	return OK;
}

/* Milliseconds of a v6 or v7 id; 0 for any other. */
static msec
id_time(const struct uuid *u)
{
	uint64_t high = 0, ticks;

	switch (u->b[6] >> 4) {
	case 7:
		return uuid_v7_time(u);
	case 6:
		for (int i = 0; i < 6; i++)
			high = high << 8 | u->b[i];
		ticks = high << 12 | (uint64_t)(u->b[6] & 0xf) << 8 | u->b[7];
		/* 100 ns since 1582-10-15 (RFC 9562, 5.6) */
		return (msec)(ticks / 10000) - INT64_C(12219292800000);
	default:
		return 0;
	}
}

/* Runs and checkpoints only: their ids are ours.  A thread's may come from a
 * client, who could push the clock of ids ahead by centuries. */
static int
ids_go_on(struct db *db)
{
	static const enum sql texts[] = { SQL_LAST_RUN_ID, SQL_LAST_CHECKPOINT_ID };
	msec newest = 0;

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct query q = query_of(db, texts[i]);
		struct uuid id;
		int rc = query_row(&q);

		if (rc == OK) {
			id = query_uuid(&q, 0);
			newest = id_time(&id) > newest ? id_time(&id) : newest;
		}
		query_end(&q);
		if (rc != OK && rc != ERR_NOTFOUND)
			return rc;
	}
	if (newest > 0)
		id_seed_floor(newest);
	return OK;
}

struct pending {
	owner_t owner;
	int64_t thread;
	struct uuid id;
};

static int
pending_load(struct db *db, struct pending **out, size_t *n)
{
	struct query q = query_of(db, SQL_THREADS_PENDING);
	size_t cap = 0;
	int rc;

	for (;;) {
		rc = query_row(&q);
		if (rc != OK)
			break;
		mem_grow(*out, *n, cap);
		(*out)[(*n)++] = (struct pending){
			.owner = query_i64(&q, 0), .thread = query_i64(&q, 1),
			.id = query_uuid(&q, 2),
		};
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
store_recover(struct store *st, struct shard *s, msec now,
    void (*each)(void *ctx, owner_t owner, int64_t thread_seq,
	const struct uuid *thread_id), void *ctx, struct err *e)
{
	struct store_reader *r = NULL;
	struct pending *list = NULL;
	size_t n = 0;
	/* Of several nodes each has what it takes (node.h). */
	int rc = store_node(st) == NODE_ALONE ? runs_recover(st, s, now, e) : OK;

	if (rc == OK)
		rc = store_reader_open(st, &r, e);
	if (rc != OK)
		return rc;
	rc = ids_go_on(&r->db);
	if (rc == OK)
		rc = pending_load(&r->db, &list, &n);
	if (rc != OK)
		err_set(e, rc, "recovery: %s", r->db.on->err.text);
	store_reader_close(r);
	for (size_t i = 0; rc == OK && i < n; i++)
		each(ctx, list[i].owner, list[i].thread, &list[i].id);
	free(list);
	return rc;
}
