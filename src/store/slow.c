/*
 * slow.c - the one thread for reads that may take long, and the plainest of
 * them.  Each has LIMIT_SCAN_MS; SQLite's own work is interrupted by the
 * progress handler of its connection (db.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/store_priv.h"

static void
command_run(struct store *st, struct store_cmd *c)
{
	st->slow.broken = false;
	st->slow.err.text[0] = '\0';
	st->slow.deadline = clock_mono() + LIMIT_SCAN_MS * NS_PER_MS;
	c->rc = store_ops[c->op].run(st, c);
	if (c->rc == ERR_TIMEOUT)
		err_set(&c->err, c->rc, "the search took longer than %d ms",
		    LIMIT_SCAN_MS);
	else if (c->rc != OK && c->err.text[0] == '\0')
		err_set(&c->err, c->rc, "%s", st->slow.err.text[0] != '\0' ?
		    st->slow.err.text : rc_text(c->rc));
}

/* All it reads, it sees at one moment. */
int
op_guest_read(struct store *st, struct store_cmd *c)
{
	int rc = db_exec(&st->slow, "BEGIN", &c->err);

	if (rc != OK)
		return rc;
	rc = st->guest->run(st->guest_slow, c);
	db_exec(&st->slow, "ROLLBACK", NULL);
	return rc;
}

void *
reader_main(void *arg)
{
	struct store *st = arg;
	struct store_cmd *c;
	bool closing = false;

	while (!closing) {
		if (queue_take(&st->reads, &c, 1, NEVER, &closing) == 0)
			continue;
		command_run(st, c);
		c->port->post(c->port, c);
	}
	return NULL;
}

int
op_run_list(struct store *st, struct store_cmd *c)
{
	struct store_run_list *x = (struct store_run_list *)c;
	int64_t limit = x->limit < LIMIT_PAGE_ROWS ? x->limit : LIMIT_PAGE_ROWS;
	struct query q = query_of(&st->slow, SQL_RUN_LIST);
	int rc;

	assert(limit >= 0 && x->offset >= 0);
	x->runs_n = 0;
	x->runs = arena_alloc(c->arena, ((size_t)limit + 1) * sizeof *x->runs);
	rc = arena_rc(c->arena);
	bind_i64(&q, x->thread_seq);
	bind_i64(&q, c->owner);
	bind_i64(&q, x->status);
	bind_i64(&q, limit);
	bind_i64(&q, x->offset);
	while (rc == OK) {
		rc = query_row(&q);
		if (rc == OK)
			rc = run_read(&q, c->arena, &x->runs[x->runs_n++]);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}
