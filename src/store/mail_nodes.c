/*
 * mail_nodes.c - agents and letters of several nodes: whose they are.
 *
 * A letter that waits has the number of a node.  come = 0: that node is to read it, with
 * MAIL_COME, which sets come: so each is read once, whatever is read again after a lost
 * connection.  Agents of nodes that are gone are taken with the letters that wait for them, so
 * that those are read before newer ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/log.h"
#include "store/mail.h"
#include "store/node.h"
#include "store/store_priv.h"

/* ---- agents ------------------------------------------------------------------- */

static int
mailer_take(struct store *st, struct store_cmd *c)
{
	struct store_mailer_take *x = (struct store_mailer_take *)c;
	struct query q = query_of(&st->w, SQL_MAILERS_LOST, db_i64(x->limit));
	int rc = mailer_rows_read(&q, c->arena, &x->mailers, &x->mailers_n);

	for (size_t i = 0; rc == OK && i < x->mailers_n; i++)
		rc = mailer_follow(st, x->mailers[i].owner, &x->mailers[i].id, c->node);
	return rc;
}
const struct op store_op_mailer_take = { .run = mailer_take, .locks = lock_nothing,
    .fenced = true };

/* ---- letters of nodes that are gone ---------------------------------------------- */

struct lost { int64_t number, node; bool orphan; };

/* An agent of the server has its name for an id, and is where the sender is. */
static bool
is_system(const struct uuid *id)
{
	return id->b[8] == 0;
}

static int
lost_read(struct store *st, const struct store_mail_take *x, struct lost **out, size_t *n)
{
	struct query q = query_of(&st->w, SQL_LETTERS_LOST, db_i64(x->limit));
	size_t cap = 0;
	int rc;

	*out = NULL;
	*n = 0;
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		struct uuid to = query_uuid(&q, 1);
		struct lost l = { .number = query_i64(&q, 0),
			.node = query_i64(&q, is_system(&to) ? 3 : 2) };

		if (!arena_grow(&st->scratch, *out, *n, cap))
			break;
		l.orphan = l.node == 0;
		if (l.orphan)
			l.node = x->cmd.node;
		(*out)[(*n)++] = l;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc == OK ? ERR_TOOBIG : rc;
}

static int
mail_take(struct store *st, struct store_cmd *c)
{
	struct store_mail_take *x = (struct store_mail_take *)c;
	struct lost *lost;
	size_t n;
	int rc = OK;

	x->moved = x->orphans = 0;
	for (size_t i = 0; rc == OK && i < x->moves_n; i++)
		rc = db_run(&st->w, SQL_LETTER_MOVE, db_i64(x->moves[i].number),
		    db_i64(x->moves[i].node), db_i64(0));
	if (rc == OK)
		rc = lost_read(st, x, &lost, &n);
	for (size_t i = 0; rc == OK && i < n; i++) {
		rc = db_run(&st->w, SQL_LETTER_MOVE, db_i64(lost[i].number),
		    db_i64(lost[i].node), db_i64(0));
		x->moved += !lost[i].orphan;
		x->orphans += lost[i].orphan;
	}
	if (rc == OK && n > 0)
		log_info("store", "letters_taken", "moved=%zu orphans=%zu", x->moved, x->orphans);
	return rc;
}
const struct op store_op_mail_take = { .run = mail_take, .locks = lock_nothing,
    .fenced = true };

/* ---- what has come ---------------------------------------------------------------- */

static int
mail_come(struct store *st, struct store_cmd *c)
{
	struct store_mail_come *x = (struct store_mail_come *)c;
	struct query q = query_of(&st->w, SQL_LETTERS_NEW, db_i64(c->node), db_i64(x->limit));
	int rc = letters_read(&q, c->arena, &x->letters, &x->letters_n);

	assert(c->node != NODE_ALONE);
	for (size_t i = 0; rc == OK && i < x->letters_n; i++)
		rc = db_run(&st->w, SQL_LETTER_MOVE, db_i64(x->letters[i].number),
		    db_i64(c->node), db_i64(1));
	return rc;
}
const struct op store_op_mail_come = { .run = mail_come, .locks = lock_nothing,
    .fenced = true };
