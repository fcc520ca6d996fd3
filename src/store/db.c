/*
 * db.c - see db.h: what is the same for all drivers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/driver_priv.h"

static void
check_db(const struct db *db)
{
	assert(db->on != NULL && db->on->driver != NULL);
	assert(db->sql != NULL && db->stmt != NULL);
}

/* ---- life ----------------------------------------------------------------- */

static void
statements_make(struct db *db, struct db_conn *on, const struct db_sql *sql)
{
	*db = (struct db){ .on = on, .sql = sql,
	    .stmt = mem_zero((size_t)sql->n * sizeof *db->stmt) };
}

int
db_open(struct db *db, const char *path, const char *layer,
    const struct db_sql *sql, enum db_use use, struct err *e)
{
	struct db_conn *on = mem_new(struct db_conn);
	int rc;

	on->driver = pg_is_url(path) ? &db_pg : &db_sqlite;
	statements_make(db, on, sql);
	rc = on->driver->open(on, path, layer, use);
	if (rc == OK)
		return OK;
	err_set(e, rc, "%s", on->err.text);
	db_close(db);
	return rc;
}

const char *
db_path(const struct db *db)
{
	return db->on->driver->path(db->on);
}

bool
db_is_server(const struct db *db)
{
	return db->on->driver == &db_pg;
}

int
db_revive(struct db *db, nsec until)
{
	const struct db_driver *d = db->on->driver;

	return d->revive == NULL ? OK : d->revive(db->on, until);
}

bool
db_in_doubt(const struct db *db)
{
	const struct db_driver *d = db->on->driver;

	return d->in_doubt != NULL && d->in_doubt(db->on);
}

void
db_share(struct db *db, const struct db *of, const struct db_sql *sql)
{
	check_db(of);
	statements_make(db, of->on, sql);
	db->shared = true;
}

void
db_close(struct db *db)
{
	struct db_conn *on = db->on;

	if (on == NULL)
		return;
	check_db(db);
	for (int i = 0; i < db->sql->n; i++)
		on->driver->finalize(db->stmt[i]);
	free(db->stmt);
	if (!db->shared) {
		for (int i = 0; i < DB_TX_N; i++)
			on->driver->finalize(on->tx[i]);
		on->driver->close(on);
		free(on);
	}
	*db = (struct db){ .on = NULL };
}

/* ---- slow reads ------------------------------------------------------------- */

static void
meanwhile(const struct db_conn *c)
{
	if (c->meanwhile != NULL)
		c->meanwhile(c->meanwhile_ctx);
}

nsec
db_clock(const struct db_conn *c)
{
	return c->by_cpu ? clock_thread() : clock_mono();
}

bool
db_go_on(void *conn)
{
	const struct db_conn *c = conn;

	meanwhile(c);
	return db_clock(c) < c->pace_until;
}

bool
db_interrupt(struct db_conn *c)
{
	meanwhile(c);
	return c->deadline != 0 && db_clock(c) >= c->deadline;
}

/* ---- transactions ------------------------------------------------------------ */

static int
tx_run(struct db *db, int which)
{
	struct db_conn *c = db->on;
	int rc;

	check_db(db);
	if (c->driver->tx_run != NULL)
		return c->driver->tx_run(c, which);
	if (c->tx[which] == NULL)
		c->tx[which] = c->driver->prepare(c, c->driver->tx[which]);
	rc = c->driver->step(c, c->tx[which]);
	c->driver->reset(c->tx[which]);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
db_begin(struct db *db, enum db_use use)
{
	return tx_run(db, use == DB_WRITE ? DB_TX_WRITE : DB_TX_READ);
}

int
db_commit(struct db *db)
{
	return tx_run(db, DB_TX_COMMIT);
}

/* After some failures the library has rolled back by itself.  What led here is
 * the failure to report. */
void
db_rollback(struct db *db)
{
	struct db_conn *c = db->on;
	enum db_fault fault = c->fault;
	struct err e = c->err;

	if (c->driver->in_tx(c)) {
		tx_run(db, DB_TX_ROLLBACK);
		c->fault = fault;
		c->err = e;
	}
}

int64_t
db_changes(const struct db *db)
{
	return db->on->driver->changes(db->on, false);
}

int64_t
db_mark(const struct db *db)
{
	return db->on->driver->changes(db->on, true);
}

bool
db_wrote(const struct db *db, int64_t mark)
{
	const struct db_driver *d = db->on->driver;

	return d->wrote != NULL ? d->wrote(db->on, mark) : d->changes(db->on, true) != mark;
}

int
db_failed(const struct db *db, struct err *e)
{
	return err_set(e, db->on->fault == DB_DAMAGED ? ERR_INVALID :
	    db->on->fault == DB_LOST ? ERR_BUSY : ERR_IO,
	    "%s: %s", db_path(db), db->on->err.text);
}

int
db_exec(struct db *db, const char *text, struct err *e)
{
	check_db(db);
	return db->on->driver->exec(db->on, text) == OK ? OK : db_failed(db, e);
}

int
db_read_i64(struct db *db, const char *text, int64_t *out, struct err *e)
{
	struct db_conn *c = db->on;
	struct db_stmt *s = c->driver->prepare(c, text);
	int rc = c->driver->step(c, s);

	if (rc == OK)
		*out = c->driver->i64(s, 0);
	c->driver->finalize(s);
	return rc == OK ? OK : db_failed(db, e);
}

/* ---- statements --------------------------------------------------------------- */

static const char *
text_of(const struct db *db, int sql)
{
	const char *pg = db->sql->pg == NULL || !db_is_server(db) ? NULL :
	    db->sql->pg[sql];

	return pg != NULL ? pg : db->sql->text[sql];
}

/* A statement that cannot be prepared shows at query_row. */
struct query
query_open(struct db *db, int sql, const struct db_value *values)
{
	struct query q = { .db = db };

	check_db(db);
	assert(sql >= 0 && sql < db->sql->n);
	if (db->stmt[sql] == NULL)
		db->stmt[sql] = db->on->driver->prepare(db->on, text_of(db, sql));
	q.s = db->stmt[sql];
	for (int i = 0; values[i].kind != DB_END; i++)
		db->on->driver->bind(q.s, i + 1, &values[i]);
	return q;
}

int
db_ready(struct db *db, int sql)
{
	struct query q = query_open(db, sql, DB_VALUES());
	struct db_conn *c = db->on;

	return q.s == NULL ? ERR_IO : c->driver->ready == NULL ? OK :
	    c->driver->ready(c, q.s);
}

void
query_start(struct query *q)
{
	const struct db_driver *d = q->db->on->driver;

	if (d->start != NULL)
		d->start(q->db->on, q->s);
}

int
query_row(struct query *q)
{
	return q->db->on->driver->step(q->db->on, q->s);
}

void
query_end(struct query *q)
{
	q->db->on->driver->reset(q->s);
}

int
query_run(struct query q)
{
	int rc = query_row(&q);

	assert(rc != OK);                    /* a row: use query_row */
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
query_insert(struct query q, int64_t *id)
{
	int rc = query_run(q);

	if (rc == OK)
		*id = q.db->on->driver->last_id(q.db->on);
	return rc;
}

bool
query_null(const struct query *q, int col)
{
	return q->db->on->driver->null(q->s, col);
}

int64_t
query_i64(const struct query *q, int col)
{
	return q->db->on->driver->i64(q->s, col);
}

struct str
query_borrow(const struct query *q, int col)
{
	return q->db->on->driver->str(q->s, col);
}

struct uuid
query_uuid(const struct query *q, int col)
{
	struct str s = query_borrow(q, col);
	struct uuid u = { { 0 } };

	if (s.n == sizeof u.b)
		memcpy(u.b, s.p, sizeof u.b);
	return u;
}

struct str
query_str(const struct query *q, int col, struct arena *a)
{
	struct str s = query_borrow(q, col);

	return s.p == NULL ? s : arena_str(a, s);
}

/* ---- rows as structs ------------------------------------------------------------ */

int
query_read(const struct query *q, const struct db_record *r, void *out,
    struct arena *a)
{
	for (int i = 0; i < r->n; i++) {
		void *to = (char *)out + r->column[i].offset;

		switch (r->column[i].kind) {
		case DB_TO_I64:
			*(int64_t *)to = query_i64(q, i);
			break;
		case DB_TO_I32:
			*(int32_t *)to = (int32_t)query_i64(q, i);
			break;
		case DB_TO_STR:
			*(struct str *)to = query_str(q, i, a);
			break;
		case DB_TO_UUID:
			*(struct uuid *)to = query_uuid(q, i);
			break;
		}
	}
	return a == NULL ? OK : arena_rc(a);
}

void *
query_all(struct query *q, const struct db_record *r, size_t size, struct arena *a,
    size_t *n, int *rc)
{
	char *rows = NULL;
	size_t cap = 0;

	*n = 0;
	for (*rc = query_row(q); *rc == OK; *rc = *rc == OK ? query_row(q) : *rc) {
		if (*n == cap)
			rows = arena_grow_(a, rows, &cap, size);
		*rc = rows == NULL ? ERR_TOOBIG : query_read(q, r, rows + size * *n, a);
		*n += *rc == OK;
	}
	query_end(q);
	*rc = *rc == ERR_NOTFOUND ? OK : *rc;
	return rows;
}

int
query_one(struct query q, const struct db_record *r, void *out, struct arena *a)
{
	int rc = query_row(&q);

	if (rc == OK)
		rc = query_read(&q, r, out, a);
	query_end(&q);
	return rc;
}

int
query_any(struct query q)
{
	int rc = query_row(&q);

	query_end(&q);
	return rc;
}

int
query_one_i64(struct query q, int64_t *out)
{
	int rc = query_row(&q);

	if (rc == OK)
		*out = query_i64(&q, 0);
	query_end(&q);
	return rc;
}
