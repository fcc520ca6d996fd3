/*
 * commit.c - see commit.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/commit.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#define LOG_FRAMES_MAX  4096                 /* of 4 KB: 16 MB */
#define LOG_FRAMES_MORE 1024                 /* and again, if it did not restart */
#define LOG_IDLE        (1 * NS_PER_S)       /* after the last commit */
#define TRIES           5                    /* of a group that met a deadlock */

/* True at every door. */
static void
check_commit(const struct commit *c)
{
	assert(c->db != NULL && c->db->on != NULL);
	assert(c->log_limit >= LOG_FRAMES_MORE);
	assert((c->commits == 0) == (c->last == 0));
}

void
commit_init(struct commit *c, struct db *db, enum commit_log log)
{
	*c = (struct commit){ .db = db, .log = log, .log_limit = LOG_FRAMES_MAX };
	db->on->log_frames = 0;
	check_commit(c);
}

/* ---- groups --------------------------------------------------------------- */

/* OK: all ran that are not left out, up to c->ran.  ERR_AGAIN: one more is to be
 * left out.  ERR_IO: the medium failed. */
static int
members_run(struct commit *c, const struct commit_group *g)
{
	for (c->ran = 0; c->ran < g->n; c->ran++) {
		int64_t before = db_mark(c->db);
		size_t i = c->ran;
		bool kept;

		if (i > 0 && g->is_full != NULL && g->is_full(g->ctx))
			return OK;
		if (c->left_out[i])
			continue;
		kept = g->run(g->ctx, i);
		if (db_broken(c->db))
			return c->db->on->err.code;
		c->left_out[i] = !kept && db_wrote(c->db, before);
		if (c->left_out[i])
			return ERR_AGAIN;
	}
	return OK;
}

static int
commit(struct commit *c)
{
	nsec since = clock_mono();
	int rc;

	if (c->log == COMMIT_LOG_STEPS)
		db_log_lengthen(c->db);
	else if (c->log == COMMIT_LOG_FIXED)
		db_log_reach(c->db, COMMIT_LOG_BYTES);
	rc = db_commit(c->db);
	if (rc != OK)
		return rc;
	c->last = clock_mono();
	c->commit_ns += c->last - since;
	c->commits++;
	if (c->db->on->log_frames < LOG_FRAMES_MAX)
		c->log_limit = LOG_FRAMES_MAX;
	return OK;
}

static int
group_run(struct commit *c, const struct commit_group *g)
{
	int64_t before = db_mark(c->db);
	int rc;

	c->db->on->fault = DB_SOUND;
	rc = c->held ? OK : g->begin == NULL ? db_begin(c->db, DB_WRITE) :
	    g->begin(g->ctx);
	if (rc == OK)
		rc = members_run(c, g);
	if (rc == OK && g->finish != NULL)
		rc = g->finish(g->ctx, db_wrote(c->db, before));
	if (rc == OK && db_wrote(c->db, before))
		rc = commit(c);
	if (!c->held)
		db_rollback(c->db);
	return rc;
}

/* ---- with a database server ------------------------------------------------ */

#define EVERY SIZE_MAX

/* Nobody is left out; or all but one are. */
static void
members_choose(struct commit *c, const struct commit_group *g, size_t only)
{
	for (size_t i = 0; i < g->n; i++)
		c->left_out[i] = only != EVERY && i != only;
}

/* Two that met in a deadlock come back at different times. */
static void
pause_before(int try)
{
	poll(NULL, 0, (2 << try) + (int)(clock_mono() / 1000 % (2 << try)));
}

static int
lost(struct commit *c, const struct commit_group *g)
{
	int rc = g->settle == NULL ? ERR_BUSY : g->settle(g->ctx);

	if (rc == OK) {
		c->last = clock_mono();
		c->commits++;
	}
	return rc;
}

static int
group_try(struct commit *c, const struct commit_group *g, size_t only)
{
	int rc = ERR_AGAIN;

	for (int try = 0; try < TRIES; try++) {
		members_choose(c, g, only);
		do
			rc = group_run(c, g);
		while (rc == ERR_AGAIN);
		if (rc == OK)
			return OK;
		if (c->db->on->fault == DB_LOST) {
			rc = lost(c, g);
			if (rc != ERR_AGAIN)
				return rc;
		} else if (c->db->on->fault == DB_AGAIN) {
			pause_before(try);
		} else {
			return rc;
		}
		c->again++;
	}
	return rc == ERR_AGAIN ? ERR_BUSY : rc;
}

static void
one_by_one(struct commit *c, const struct commit_group *g)
{
	int rc = OK;

	for (size_t i = 0; i < g->n; i++) {
		c->single++;
		if (c->db->on->fault != DB_LOST)
			rc = group_try(c, g, i);
		if (rc != OK)
			g->failed(g->ctx, i, rc);
	}
}

int
commit_run(struct commit *c, const struct commit_group *g)
{
	enum db_fault fault;
	int rc;

	check_commit(c);
	assert(g->n <= COMMIT_MEMBERS);
	rc = group_try(c, g, EVERY);
	fault = c->db->on->fault;
	if (rc != OK && g->n > 0 && (fault == DB_AGAIN || fault == DB_ABORTED)) {
		one_by_one(c, g);
		rc = OK;
	}
	if (rc != OK)
		c->ran = g->n;
	check_commit(c);
	return rc;
}

int
commit_hold(struct commit *c)
{
	int rc;

	check_commit(c);
	assert(!c->held);
	rc = db_begin(c->db, DB_READ);
	c->held = rc == OK;
	return rc;
}

void
commit_let_go(struct commit *c)
{
	if (c->held)
		db_rollback(c->db);
	c->held = false;
}

/* ---- the log -------------------------------------------------------------- */

nsec
commit_log_due(const struct commit *c)
{
	return c->db->on->log_frames > 0 ? c->last + LOG_IDLE : NEVER;
}

bool
commit_log_is_due(const struct commit *c, bool idle)
{
	return c->db->on->log_frames >= c->log_limit ||
	    (idle && clock_mono() >= commit_log_due(c));
}

int
commit_log_move(struct commit *c)
{
	check_commit(c);
	c->log_limit = c->db->on->log_frames + LOG_FRAMES_MORE;
	return db_log_move(c->db, false);
}
