/*
 * mail.c - messages between agents that must not be lost.
 *
 * A message is a row with its content and a *letter* for each receiver.  Letters have
 * the message's number and those that follow it.  A message that is sent again is
 * noticed by (owner, message_id).  States of a letter:
 *
 *               taken, expired
 *     WAITING -----------------> DELIVERED, EXPIRED --.
 *      |   ^                                          +--> history, then pruned
 *      |   | retried      dropped                     |
 *      '-> DEAD ------------------> DROPPED ----------'
 *
 * Each command that makes n letters history prunes up to 2 n old ones, so that history
 * is over its limits by one command's letters at most.  Of dead letters an owner keeps the
 * newest.  A message goes with its last letter.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/mail.h"
#include "store/node.h"
#include "store/store_priv.h"

/* ---- on the writer ----------------------------------------------------------- */

static int
letters_put(struct store *st, owner_t owner, const struct store_mail *m, int64_t us)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < m->to_n; i++) {
		int64_t self = us < 0 ? -us : us, node = m->nodes != NULL ? m->nodes[i] : self;

		assert(!uuid_is_zero(&m->to[i]));
		rc = db_run(&st->w, SQL_LETTER_INSERT, db_i64(m->first + (int64_t)i),
		    db_i64(m->first), db_i64(owner), db_uuid(&m->to[i]), db_i64(m->created),
		    db_i64(node == MAIL_UNREAD ? self : node), db_i64(node == us));
	}
	return rc;
}

static int
mail_write(struct store *st, owner_t owner, struct store_mail *m, int64_t us)
{
	int rc;

	assert(m->to_n > 0 && !uuid_is_zero(&m->id));
	m->first = store_seq_take(st, SEQ_MAIL, (int64_t)m->to_n);
	rc = db_run(&st->w, SQL_MAIL_INSERT, db_i64(m->first), db_i64(owner),
	    db_uuid(&m->id), db_i64((int64_t)m->to_n), db_uuid(&m->sender),
	    m->conversation.n == 0 ? db_null() : db_str(m->conversation),
	    db_i64(m->created), db_i64(m->expires), db_blob(m->packed));
	m->known = rc == OK && db_changes(&st->w) == 0;
	if (m->known)
		m->first = 0;
	return rc == OK && !m->known ? letters_put(st, owner, m, us) : rc;
}

/* Letters of this node are its that sent the command: if it is that no more, others take
 * them (mail_nodes.c). */
int
mails_put(struct store *st, owner_t owner, int64_t us, struct store_mail *mails, size_t n)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++)
		rc = mail_write(st, owner, &mails[i], us);
	return rc;
}

size_t
mails_bytes(const struct store_mail *mails, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += 192 + 64 * mails[i].to_n + mails[i].packed.n +
		    mails[i].conversation.n;
	return bytes;
}

static int
mail_put(struct store *st, struct store_cmd *c)
{
	struct store_mail_put *x = (struct store_mail_put *)c;

	bool late = st->fenced || store_is_late(st, c);

	/* Of a node that is gone they are unread: whoever has the agent reads them in order. */
	return mails_put(st, c->owner, late && c->node > 0 ? -c->node : c->node, x->mails,
	    x->mails_n);
}

static size_t
mail_put_bytes(const struct store_cmd *c)
{
	const struct store_mail_put *x = (const void *)c;

	return mails_bytes(x->mails, x->mails_n);
}
const struct op store_op_mail_put = { .run = mail_put, .bytes = mail_put_bytes,
    .locks = lock_nothing };

/* ---- what became of letters ---------------------------------------------------- */

/* After the statement that changed its state. */
static int
letter_over(struct store *st, int64_t number)
{
	/* To know it on a server would be to wait for it. */
	if (!st->pg && db_changes(&st->w) == 0)
		return OK;
	return db_run(&st->w, SQL_MAIL_CUT, db_i64(number),
	    db_i64(LIMIT_MAIL_KEPT_BYTES));
}

static int
letter_erase(struct store *st, int64_t number, int64_t mail)
{
	int rc = db_run(&st->w, SQL_LETTER_ERASE, db_i64(number));

	return rc == OK ? db_run(&st->w, SQL_MAIL_ERASE, db_i64(mail)) : rc;
}

/* The letters that q finds, `max` at most. */
static int
letters_erase(struct store *st, struct query q, size_t max)
{
	struct old { int64_t number, mail; } *at = arena_alloc(&st->scratch,
	    max * sizeof *at);
	size_t old = 0;
	int rc;

	for (rc = at != NULL ? query_row(&q) : ERR_TOOBIG; rc == OK; rc = query_row(&q))
		at[old++] = (struct old){ query_i64(&q, 0), query_i64(&q, 1) };
	query_end(&q);
	rc = rc == ERR_NOTFOUND ? OK : rc;
	/* One node at a time, or the last two letters of a message could leave it behind. */
	if (rc == OK && old > 0)
		rc = store_lock_try(st, LOCK_HISTORY, 0);
	if (rc == ERR_AGAIN)
		return OK;
	for (size_t i = 0; rc == OK && i < old; i++)
		rc = letter_erase(st, at[i].number, at[i].mail);
	return rc;
}

/* n letters have become history.  Numbers have gaps on a server: there what is too many is
 * counted, one of SERVER_LOOK times. */
#define SERVER_LOOK 32
#define SERVER_ONCE 4096

static int
history_prune(struct store *st, size_t n, msec now)
{
	int64_t newest = st->seq[SEQ_MAIL] - LIMIT_MAIL_KEPT;
	size_t max = 2 * n;

	if (st->pg)
		newest = n > 0 && ++st->histories % SERVER_LOOK == 0 ? LIMIT_MAIL_KEPT : -1;
	if (st->pg && newest >= 0)
		max = SERVER_ONCE;
	return n == 0 ? OK : letters_erase(st, query_of(&st->w, SQL_LETTERS_OLD, db_i64(newest),
	    db_i64(now - LIMIT_MAIL_KEPT_MS), db_i64((int64_t)max)), max);
}

/* A letter has died.  To find what its owner has too many of costs a walk over all his
 * dead, so one of DEAD_LOOK does it. */
#define DEAD_LOOK 64
#define DEAD_ONCE 1024

static int
dead_prune(struct store *st, int64_t number)
{
	return number % DEAD_LOOK != 0 ? OK : letters_erase(st, query_of(&st->w,
	    SQL_LETTERS_DEAD_OVER, db_i64(number), db_i64(LIMIT_MAIL_DEAD),
	    db_i64(DEAD_ONCE)), DEAD_ONCE);
}

int
mails_taken(struct store *st, owner_t owner, const int64_t *numbers, size_t n, msec now)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++) {
		rc = db_run(&st->w, SQL_LETTER_TAKEN, db_i64(numbers[i]), db_i64(owner),
		    db_i64(now));
		if (rc == OK)
			rc = letter_over(st, numbers[i]);
	}
	return rc == OK ? history_prune(st, n, now) : rc;
}

static int
letter_became(struct store *st, const struct store_mail_became *b, msec now, int64_t us)
{
	int rc;

	assert(b->state != MAIL_WAITING);
	rc = db_run(&st->w, SQL_LETTER_BECAME, db_i64(b->number), db_i64(b->state),
	    db_i64(b->reason), db_i64(b->tries), db_i64(now), db_i64(us));
	if (rc != OK)
		return rc;
	return b->state == MAIL_DEAD ? dead_prune(st, b->number) : letter_over(st, b->number);
}

static int
mail_set(struct store *st, struct store_cmd *c)
{
	const struct store_mail_set *x = (struct store_mail_set *)c;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < x->n; i++)
		rc = letter_became(st, &x->at[i], x->now, c->node);
	return rc == OK ? history_prune(st, x->n, x->now) : rc;
}

static size_t
mail_set_bytes(const struct store_cmd *c)
{
	const struct store_mail_set *x = (const void *)c;

	return x->n * sizeof *x->at;
}
const struct op store_op_mail_set = { .run = mail_set, .bytes = mail_set_bytes,
    .locks = lock_nothing, .fenced = true };

/* ---- reads ----------------------------------------------------------------------- */

#define C(member) DB_COLUMN(struct store_letter, member)
static const struct db_column letter_columns[] = {
	C(number), C(owner), C(id), C(sender), C(to), C(conversation), C(state),
	C(reason), C(tries), C(created), C(expires), C(since), C(packed),
};
#undef C
static const struct db_record letter_record = DB_RECORD(letter_columns);

int
letters_read(struct query *q, struct arena *a, struct store_letter **out, size_t *n)
{
	int rc;

	*out = query_all(q, &letter_record, sizeof **out, a, n, &rc);
	return rc;
}

int
store_letters_each(struct store_reader *r, void (*each)(void *ctx,
    const struct store_letter *l), void *ctx)
{
	struct query q = query_of(reader_db(r), SQL_LETTERS_WAIT);
	struct arena row = ARENA(2 * LIMIT_ACL_BYTES);
	struct store_letter l;
	int rc;

	for (rc = query_row(&q); rc == OK; rc = rc == OK ? query_row(&q) : rc) {
		rc = query_read(&q, &letter_record, &l, &row);
		if (rc == OK)
			each(ctx, &l);
		arena_clear(&row);
	}
	query_end(&q);
	arena_release(&row);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
store_letters_last(struct store_reader *r, int64_t *out)
{
	return query_one_i64(query_of(reader_db(r), SQL_SEQ_MAIL), out);
}

static int
mail_dead(struct store *st, struct store_cmd *c)
{
	struct store_mail_dead *x = (struct store_mail_dead *)c;
	struct query q = query_of(&st->w, SQL_LETTERS_DEAD_OF, db_i64(c->owner),
	    db_uuid(&x->id));
	int rc = letters_read(&q, c->arena, &x->letters, &x->letters_n);

	if (rc == OK && x->letters_n == 0)
		rc = err_set(&c->err, ERR_NOTFOUND, "no dead letter of this message");
	for (size_t i = 0; rc == OK && i < x->letters_n; i++) {
		struct store_letter *l = &x->letters[i];

		l->state = x->drop ? MAIL_DROPPED : MAIL_WAITING;
		l->tries = l->reason = 0;
		l->since = x->now;
		rc = db_run(&st->w, SQL_LETTER_REVIVE, db_i64(l->number),
		    db_i64(c->owner), db_i64(l->state), db_i64(x->now));
	}
	return rc == OK && x->drop ? history_prune(st, x->letters_n, x->now) : rc;
}
const struct op store_op_mail_dead = { .run = mail_dead, .locks = lock_nothing };

static int
found_read(struct store_mail_list *x, struct query *q)
{
	struct arena *a = x->cmd.arena;
	size_t cap = 0;
	int rc;

	for (rc = query_row(q); rc == OK; rc = rc == OK ? query_row(q) : rc) {
		struct store_mail_found *f;

		if (!arena_grow(a, x->found, x->found_n, cap))
			return ERR_TOOBIG;
		f = &x->found[x->found_n++];
		f->letters = query_i64(q, letter_record.n);
		f->waiting = query_i64(q, letter_record.n + 1);
		f->dead = query_i64(q, letter_record.n + 2);
		rc = query_read(q, &letter_record, &f->letter, a);
	}
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
mail_list(struct store *st, struct store_cmd *c)
{
	struct store_mail_list *x = (struct store_mail_list *)c;
	int64_t limit = x->limit < LIMIT_PAGE_ROWS ? x->limit : LIMIT_PAGE_ROWS;
	struct db *db = slow_db(st, c);
	struct query q = x->conversation.n > 0 ? query_of(db, SQL_MAIL_OF_CONVERSATION,
	    db_i64(c->owner), db_str(x->conversation), db_i64(limit), db_i64(x->offset)) :
	    query_of(db, x->all ? SQL_MAIL_ALL : SQL_MAIL_ALL_DEAD, db_i64(c->owner), db_i64(limit),
	    db_i64(x->offset));
	int rc;

	assert(limit >= 0 && x->offset >= 0);
	x->found = NULL;
	x->found_n = 0;
	rc = found_read(x, &q);
	query_end(&q);
	return rc;
}
const struct op store_op_mail_list = { .run = mail_list,
    .texts = OP_TEXTS(OP_TEXT(mail_list, conversation)), .lane = OP_READ };
