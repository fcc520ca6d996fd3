/*
 * pg.c - the driver for PostgreSQL: statements, transactions, its table.
 *
 * A statement is prepared when it first runs: with bigint for what is bound as a
 * number, and with the server's own choice for the rest, which it tells.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/pg_priv.h"

#define TEXT_BYTES  (64 * KB)
#define CONNECT_MS  100                      /* that statements wait for a connect; one that
	                                        takes longer goes on beside */
#define INT8        20
#define PUSH_BYTES  (32 * KB)

static struct pg_stmt *
stmt_of(struct db_stmt *s)
{
	return (struct pg_stmt *)s;
}

static nsec
soon(const struct pg *p)
{
	return (p->state == PG_CONNECTING ? p->since : clock_mono()) +
	    CONNECT_MS * NS_PER_MS;
}

/* ---- connections ----------------------------------------------------------- */

static int
conn_open(struct db_conn *c, const char *path, const char *layer, enum db_use use)
{
	struct pg *p = NULL;
	int rc;

	(void)layer;
	rc = pg_open(&p, c, path, use);
	c->h = p;
	return rc;
}

static void
conn_close(struct db_conn *c)
{
	if (c->h != NULL)
		pg_close(c->h);
}

static int
conn_exec(struct db_conn *c, const char *text)
{
	return pg_exec(c->h, text);
}

static bool
conn_in_tx(const struct db_conn *c)
{
	return ((struct pg *)c->h)->in_tx;
}

static int
conn_revive(struct db_conn *c, nsec until)
{
	((struct pg *)c->h)->torn = false;
	return pg_up(c->h, until);
}

static bool
conn_in_doubt(const struct db_conn *c)
{
	return ((struct pg *)c->h)->committing;
}

static int64_t
conn_last_id(const struct db_conn *c)
{
	char text[32] = "";
	int64_t id = 0;

	if (pg_ask(c->h, "SELECT lastval()", NULL, text, sizeof text) == OK)
		str_to_i64(str_of(text), &id);
	return id;
}

static int64_t
conn_changes(const struct db_conn *c, bool all)
{
	struct pg *p = c->h;
	PGresult *res;

	if (all)
		return (int64_t)p->sent;
	if (p->state != PG_UP || p->aborted || p->torn || pg_wait(p, &res) != OK)
		return 0;
	pq.clear(res);
	return p->changes;
}

/* Results say which statements wrote; those that are to come may have. */
static bool
conn_wrote(const struct db_conn *c, int64_t mark)
{
	const struct pg *p = c->h;
	uint64_t since = (uint64_t)mark > p->got ? (uint64_t)mark : p->got;

	return p->wrote > (uint64_t)mark || p->may_write > since;
}

/* ---- transactions ------------------------------------------------------------ */

int
pg_send_text(struct pg *p, const char *text)
{
	if (pq.sendQueryParams(p->c, text, 0, NULL, NULL, NULL, NULL, 1) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	p->sent++;
	return OK;
}

int
pg_begin(struct pg *p, const char *text)
{
	int rc;

	assert(!p->in_tx);
	p->committing = p->torn = false;
	rc = pg_up(p, soon(p));
	if (rc == OK)
		rc = pg_send_text(p, text);
	p->in_tx = rc == OK;
	return rc;
}

/* The answer may say ROLLBACK, of a transaction that had failed. */
static int
commit(struct pg *p)
{
	PGresult *res = NULL;
	int rc;

	if (p->state != PG_UP || p->aborted || !p->in_tx)
		return p->on->err.code != OK ? p->on->err.code : ERR_IO;
	p->committing = true;
	rc = pg_send_text(p, "COMMIT");
	if (rc == OK)
		rc = pg_wait(p, &res);
	if (p->state == PG_UP)
		p->committing = false;
	if (rc != OK)
		return rc;
	p->in_tx = false;
	if (strcmp(pq.cmdStatus(res), "COMMIT") != 0) {
		p->on->fault = DB_BROKEN;
		rc = err_set(&p->on->err, ERR_IO, "PostgreSQL rolled back what was to "
		    "be committed");
	}
	pq.clear(res);
	return rc;
}

/* What nobody waited for may have failed: it is read first, for the server takes no
 * ROLLBACK behind a failure. */
int
pg_rollback(struct pg *p)
{
	int rc = p->state == PG_UP ? pg_settle(p) : OK;

	p->in_tx = p->aborted = p->own_tx = false;
	p->cursors = 0;
	if (p->state == PG_UP && rc == OK)
		rc = pg_send_text(p, "ROLLBACK");
	if (p->state == PG_UP && rc == OK)
		pg_push(p);
	return rc;
}

static int
conn_tx(struct db_conn *c, int which)
{
	switch (which) {
	case DB_TX_READ:
		return pg_begin(c->h, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
	case DB_TX_WRITE:
		return pg_begin(c->h, "BEGIN");
	case DB_TX_COMMIT:
		return commit(c->h);
	default:
		return pg_rollback(c->h);
	}
}

/* ---- statements --------------------------------------------------------------- */

static bool
writes(const char *text)
{
	static const char *const words[] = { "INSERT INTO", "UPDATE ", "DELETE FROM" };
	bool anywhere = strncmp(text, "WITH", 4) == 0;

	for (size_t i = 0; i < COUNT(words); i++) {
		const char *at = strstr(text, words[i]);

		if (at == text || (anywhere && at != NULL))
			return true;
	}
	return false;
}

static struct db_stmt *
stmt_prepare(struct db_conn *c, const char *text)
{
	struct buf b = BUF(TEXT_BYTES);
	struct pg_stmt *s = mem_new(struct pg_stmt);

	s->p = c->h;
	pg_translate(str_of(text), &b, &s->params);
	assert(!b.failed && s->params <= PG_PARAMS);
	s->text = mem_cstr(buf_str(&b));
	s->writes = writes(s->text);
	s->many = s->p->use != DB_WRITE && pg_rows_are_many(s->text);
	s->value = mem_zero(((size_t)s->params + 1) * sizeof *s->value);
	s->type = mem_zero(((size_t)s->params + 1) * sizeof *s->type);
	buf_release(&b);
	return (struct db_stmt *)s;
}

static void
stmt_reset(struct db_stmt *db)
{
	struct pg_stmt *s = stmt_of(db), **at;

	if (s->no != 0) {
		for (at = &s->p->keeps; *at != NULL; at = &(*at)->next) {
			if (*at == s) {
				*at = s->next;
				break;
			}
		}
	}
	pq.clear(s->res);
	s->res = NULL;
	s->no = 0;
	if (s->cursor != 0)
		pg_rows_close(s->p, s);
	for (int i = 0; i < s->params; i++)
		s->value[i] = db_null();
}

/* It stays prepared on the server until the connection ends. */
static void
stmt_finalize(struct db_stmt *db)
{
	struct pg_stmt *s = stmt_of(db);

	if (s == NULL)
		return;
	stmt_reset(db);
	free(s->text);
	free(s->value);
	free(s->type);
	free(s);
}

static void
stmt_bind(struct db_stmt *db, int at, const struct db_value *v)
{
	struct pg_stmt *s = stmt_of(db);

	assert(at >= 1 && at <= s->params && s->no == 0);
	s->value[at - 1] = *v;
}

/* The server says what it makes of the text. */
static int
describe(struct pg *p, struct pg_stmt *s)
{
	PGresult *res = NULL;
	int rc;

	snprintf(s->name, sizeof s->name, "s%llu", (unsigned long long)++p->named);
	for (int i = 0; i < s->params; i++)
		s->type[i] = s->value[i].kind == DB_I64 ? INT8 : 0;
	if (pq.sendPrepare(p->c, s->name, s->text, s->params, s->type) != 1 ||
	    pq.sendDescribePrepared(p->c, s->name) != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	p->sent += 2;
	rc = pg_wait(p, &res);
	if (rc != OK)
		return rc;
	assert(pq.nparams(res) == s->params);
	for (int i = 0; i < s->params; i++)
		s->type[i] = pq.paramtype(res, i);
	s->columns = pq.nfields(res);
	s->life = p->life;
	pq.clear(res);
	return OK;
}

static size_t
size_of(const struct pg_stmt *s)
{
	size_t n = 64;

	for (int i = 0; i < s->params; i++)
		n += 8 + s->value[i].str.n;
	return n;
}

/* What is sent is closed by a Sync before libpq sends some of it by itself (64 KB), so
 * that the server never waits in a transaction without a limit. */
static int
execute(struct pg *p, struct pg_stmt *s)
{
	struct pg_params x;
	int rc = pg_params_make(&x, s, &p->on->err), ok = 1;

	if (rc == OK && s->many)
		rc = pg_rows_open(p, s, &x);
	else if (rc == OK)
		ok = pq.sendQueryPrepared(p->c, s->name, s->params, x.at, x.n, x.binary, 1);
	pg_params_free(&x, s->params);
	if (rc != OK)
		return rc;
	if (ok != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	if (s->many)
		return OK;
	s->no = ++p->sent;
	if (s->writes)
		p->may_write = s->no;
	if (s->columns > 0) {
		s->next = p->keeps;
		p->keeps = s;
	}
	p->unasked += size_of(s);
	if (p->unasked >= PUSH_BYTES)
		pg_push(p);
	return p->state == PG_UP ? OK : ERR_BUSY;
}

static int
start(struct pg *p, struct pg_stmt *s)
{
	int rc = OK;

	if (p->aborted)
		return p->on->err.code;
	if (p->torn)
		return ERR_BUSY;
	if (!p->in_tx)
		rc = pg_up(p, soon(p));
	if (rc == OK && s->life != p->life)
		rc = describe(p, s);
	if (rc == OK)
		rc = execute(p, s);
	return rc;
}

static int
finish(struct pg *p, struct pg_stmt *s)
{
	PGresult *res = NULL;
	int rc;

	if (s->columns == 0 && p->in_tx && p->use == DB_WRITE)
		return ERR_NOTFOUND;         /* its failure would be the transaction's */
	if (s->res == NULL) {
		rc = pg_wait(p, &res);
		pq.clear(res);
		if (rc != OK)
			return rc;
	}
	if (s->columns == 0 || s->res == NULL)
		return ERR_NOTFOUND;
	if (s->cursor != 0)
		return pg_rows_next(p, s);
	return ++s->row < s->rows ? OK : ERR_NOTFOUND;
}

/* A read outside a transaction runs again if the connection turns out to be lost. */
static int
stmt_step(struct db_conn *c, struct db_stmt *db)
{
	struct pg *p = c->h;
	struct pg_stmt *s = stmt_of(db);
	bool again = s->no == 0 && !p->in_tx && !p->torn && !s->writes &&
	    p->state == PG_UP;
	int rc = s->no == 0 ? start(p, s) : OK;

	if (rc == OK)
		rc = finish(p, s);
	if (again && p->state == PG_DOWN) {
		c->fault = DB_SOUND;
		s->no = s->cursor = 0;
		rc = start(p, s);
		if (rc == OK)
			rc = finish(p, s);
	}
	return rc;
}

static int
stmt_start(struct db_conn *c, struct db_stmt *db)
{
	return stmt_of(db)->no == 0 ? start(c->h, stmt_of(db)) : OK;
}

static int
stmt_ready(struct db_conn *c, struct db_stmt *db)
{
	int rc = pg_up(c->h, soon(c->h));

	return rc == OK ? describe(c->h, stmt_of(db)) : rc;
}

static bool
stmt_null(struct db_stmt *db, int col)
{
	struct pg_stmt *s = stmt_of(db);

	assert(s->res != NULL && col >= 0 && col < s->columns && s->row < s->rows);
	return pq.getisnull(s->res, s->row, col);
}

static int64_t
stmt_i64(struct db_stmt *db, int col)
{
	struct pg_stmt *s = stmt_of(db);

	assert(s->res != NULL && col >= 0 && col < s->columns && s->row < s->rows);
	return pg_number(s->res, s->row, col);
}

static struct str
stmt_str(struct db_stmt *db, int col)
{
	struct pg_stmt *s = stmt_of(db);

	if (stmt_null(db, col))
		return STR_NONE;
	return (struct str){ pq.getvalue(s->res, s->row, col),
	    (size_t)pq.getlength(s->res, s->row, col) };
}

static const char *
conn_path(const struct db_conn *c)
{
	(void)c;
	return "PostgreSQL";                 /* its URL may have a password */
}

const struct db_driver db_pg = {
	.open = conn_open, .close = conn_close, .path = conn_path,
	.exec = conn_exec, .in_tx = conn_in_tx, .changes = conn_changes,
	.wrote = conn_wrote, .revive = conn_revive, .in_doubt = conn_in_doubt,
	.last_id = conn_last_id, .tx_run = conn_tx,
	.prepare = stmt_prepare, .finalize = stmt_finalize, .bind = stmt_bind,
	.start = stmt_start, .ready = stmt_ready,
	.step = stmt_step, .reset = stmt_reset,
	.null = stmt_null, .i64 = stmt_i64, .str = stmt_str,
};

bool
pg_is_url(const char *path)
{
	return strncmp(path, "postgres://", 11) == 0 ||
	    strncmp(path, "postgresql://", 13) == 0 ||
	    (path[0] != '/' && (strstr(path, "host=") != NULL ||
	    strstr(path, "dbname=") != NULL));
}
