/*
 * pg_rows.c - rows of which there may be many, in pieces.
 *
 * libpq gives all rows of a statement or none.  A search that has seen enough stops, so
 * where nobody writes a text with an order and without a limit is read by a cursor: some
 * rows first, and then as many at a time as fill some memory.  A cursor needs a
 * transaction; if none is open one is begun for it, in the same round trip, and ended
 * with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/pg_priv.h"

#define FIRST_ROWS  32
#define MOST_ROWS   2048
#define PIECE_BYTES (512 * KB)

bool
pg_rows_are_many(const char *text)
{
	const char *order = NULL;

	for (const char *p = strstr(text, "ORDER BY "); p != NULL; p = strstr(p, "ORDER BY "))
		order = p++;
	return order != NULL && (strstr(order, "LIMIT ") == NULL ||
	    strstr(order, "LIMIT ALL") != NULL);
}

static int
fetch(struct pg *p, struct pg_stmt *s, int rows)
{
	char text[64];
	int rc;

	snprintf(text, sizeof text, "FETCH %d FROM c%llu", rows,
	    (unsigned long long)s->cursor);
	rc = pg_send_text(p, text);
	if (rc != OK)
		return rc;
	s->wanted = rows;
	s->no = p->sent;
	s->next = p->keeps;
	p->keeps = s;
	return OK;
}

int
pg_rows_open(struct pg *p, struct pg_stmt *s, const struct pg_params *x)
{
	uint64_t no = ++p->named;
	size_t size = strlen(s->text) + 64;
	char *text;
	int rc = OK, ok;

	if (!p->in_tx) {
		rc = pg_begin(p, "BEGIN READ ONLY");
		p->own_tx = rc == OK;
	}
	if (rc != OK)
		return rc;
	text = mem_alloc(size);
	snprintf(text, size, "DECLARE c%llu NO SCROLL CURSOR FOR %s",
	    (unsigned long long)no, s->text);
	ok = pq.sendQueryParams(p->c, text, s->params, s->type, x->at, x->n, x->binary, 1);
	free(text);
	if (ok != 1)
		return pg_lose(p, pq.errorMessage(p->c));
	p->sent++;
	p->cursors++;
	s->cursor = no;
	return fetch(p, s, FIRST_ROWS);
}

int
pg_rows_next(struct pg *p, struct pg_stmt *s)
{
	size_t bytes;
	PGresult *res;
	int rows, rc;

	if (++s->row < s->rows)
		return OK;
	if (s->rows < s->wanted)
		return ERR_NOTFOUND;
	if (p->state != PG_UP || s->life != p->life)
		return ERR_BUSY;             /* its transaction went with the connection */
	bytes = pq.resultMemorySize(s->res) / (size_t)s->rows;
	rows = bytes >= PIECE_BYTES ? 1 : (int)(PIECE_BYTES / (bytes + 1));
	pq.clear(s->res);
	s->res = NULL;
	s->rows = 0;
	rc = fetch(p, s, rows > MOST_ROWS ? MOST_ROWS : rows);
	if (rc == OK)
		rc = pg_wait(p, &res);
	if (rc != OK)
		return rc;
	pq.clear(res);
	return ++s->row < s->rows ? OK : ERR_NOTFOUND;
}

void
pg_rows_close(struct pg *p, struct pg_stmt *s)
{
	char text[40];

	snprintf(text, sizeof text, "CLOSE c%llu", (unsigned long long)s->cursor);
	s->cursor = 0;
	if (p->cursors == 0 || s->life != p->life)
		return;                      /* its transaction is over */
	p->cursors--;
	if (p->own_tx && p->cursors == 0)
		pg_rollback(p);
	else if (p->state == PG_UP && !p->aborted)
		pg_send_text(p, text);
}
