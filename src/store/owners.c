/*
 * owners.c - see owner.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <time.h>

#include "base/hmac.h"
#include "base/log.h"
#include "store/owner.h"
#include "store/ship_priv.h"
#include "store/store_priv.h"

#define LEFT "\nerased"                      /* no name from outside has a newline */
#define BURIED_AT_ONCE 2000                  /* rows */
#define LOG_TRIES      1000                  /* for readers to end, 10 ms each */

/* ---- the name -------------------------------------------------------------------- */

static struct buf
left_name(struct str subject)
{
	struct buf name = BUF(2 * LIMIT_NAME_BYTES + sizeof LEFT);

	buf_add(&name, subject);
	buf_lit(&name, LEFT);
	return name;
}

/* Of one whose rows are gone, until the file is scrubbed. */
static struct buf
gone_name(struct str subject)
{
	struct buf name = BUF(2 * SHA256_SIZE + sizeof LEFT);
	uint8_t digest[SHA256_SIZE];

	sha256(subject, digest);
	buf_lit(&name, LEFT);
	hex_add(&name, digest, sizeof digest);
	return name;
}

static int
named(struct db *db, struct str subject, owner_t *out)
{
	return query_one_i64(query_of(db, SQL_OWNER_FIND, db_text(subject)), out);
}

static int
leaving(struct db *db, struct str subject, owner_t *out)
{
	struct buf left = left_name(subject), gone = gone_name(subject);
	int rc = named(db, buf_str(&left), out);

	if (rc == ERR_NOTFOUND)
		rc = named(db, buf_str(&gone), out);
	buf_release(&left);
	buf_release(&gone);
	return rc;
}

int
store_owner_leaving(struct store_reader *r, struct str subject, owner_t *out)
{
	return leaving(reader_db(r), subject, out);
}

/* One whose erasure was cut off goes first. */
static int
leaves(struct store *st, struct store_owner_erase *x)
{
	struct buf name;
	owner_t another;
	int rc = leaving(&st->w, x->subject, &x->id);

	if (rc == OK) {
		rc = named(&st->w, x->subject, &another);
		x->more = rc == OK;
		return rc == ERR_NOTFOUND ? OK : rc;
	}
	if (rc == ERR_NOTFOUND)
		rc = named(&st->w, x->subject, &x->id);
	if (rc != OK)
		return rc;
	name = left_name(x->subject);
	rc = db_run(&st->w, SQL_OWNER_RENAME, db_text(buf_str(&name)), db_i64(x->id));
	buf_release(&name);
	return rc;
}

static int
gone(struct store *st, struct store_owner_erase *x)
{
	struct buf name = gone_name(x->subject);
	int rc = db_run(&st->w, SQL_FORGET_COUNT, db_i64(x->cmd.owner));

	if (rc == OK)
		rc = db_run(&st->w, SQL_OWNER_RENAME, db_text(buf_str(&name)),
		    db_i64(x->cmd.owner));
	buf_release(&name);
	return rc;
}

/* The file was scrubbed before: the digest leaves no bytes either. */
static int
ends(struct store *st, owner_t owner)
{
	bool file = !db_is_server(&st->w);
	struct err *e = &st->w.on->err;
	int rc = file ? db_exec(&st->w, "PRAGMA secure_delete = ON", e) : OK;

	if (rc == OK)
		rc = db_run(&st->w, SQL_OWNER_FORGET, db_i64(owner));
	if (file)
		(void)db_exec(&st->w, "PRAGMA secure_delete = OFF", e);
	return rc;
}

/* ---- rows -------------------------------------------------------------------------- */

static int
run_all(struct store *st, const enum sql *texts, size_t n, owner_t owner)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++)
		rc = db_run(&st->w, texts[i], db_i64(owner));
	return rc;
}

static int
stills(struct store *st, owner_t owner)
{
	static const enum sql texts[] = { SQL_FORGET_CRON, SQL_FORGET_HOOK, SQL_FORGET_ONCE };

	return run_all(st, texts, COUNT(texts), owner);
}

static int
guests_erase(struct store *st, owner_t owner)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < st->seats_n; i++) {
		const struct store_seat *s = &st->seats[i];

		if (s->guest->erase != NULL)
			rc = s->guest->erase(s->w, owner);
	}
	return rc;
}

static int
rests(struct store *st, struct store_owner_erase *x)
{
	/* Letters before their mail, releases before their bytes. */
	static const enum sql texts[] = { SQL_FORGET_CRON, SQL_FORGET_HOOK, SQL_FORGET_ONCE,
		SQL_FORGET_LETTER, SQL_FORGET_MAIL, SQL_FORGET_MAILER, SQL_FORGET_IMAGE,
		SQL_FORGET_RELEASE, SQL_FORGET_USAGE, SQL_FORGET_NAMESPACE, SQL_FORGET_TOTAL };
	int rc = run_all(st, texts, COUNT(texts), x->cmd.owner);

	if (rc == OK)
		rc = db_run(&st->w, SQL_FORGET_BYTES);
	if (rc == OK)
		rc = guests_erase(st, x->cmd.owner);
	if (rc == OK && st->dead)
		rc = erase_buried(st, BURIED_AT_ONCE);
	x->more = rc == ERR_AGAIN || (rc == OK && st->dead);
	return rc == ERR_AGAIN ? OK : rc;
}

/* ---- the file ------------------------------------------------------------------------ */

static int
log_try(struct store *st)
{
	if (st->ship != NULL && !ship_lets_move(st->ship, st->w.on->log_frames))
		return err_set(&st->w.on->err, ERR_AGAIN, "it is not shipped yet");
	return db_log_move(&st->w, true);
}

/* A reader's snapshot keeps the log, and so does who ships it; no search lasts longer than
 * this. */
static int
log_empty(struct store *st)
{
	static const struct timespec pause = { 0, 10 * NS_PER_MS };
	int rc = log_try(st);

	for (int i = 0; rc != OK && i < LOG_TRIES; i++) {
		nanosleep(&pause, NULL);
		rc = log_try(st);
	}
	st->w.on->log_bytes = 0;
	return rc;
}

/* Freed space is overwritten while the file is copied; an index of words keeps those of
 * items that are gone until its parts are joined. */
void
owner_scrub(struct store *st)
{
	struct err *e = &st->scrub_err;
	nsec began = clock_mono();
	int rc;

	st->scrub_due = false;
	rc = db_exec(&st->w, "INSERT INTO word(word) VALUES('optimize')", e);
	if (rc == OK)
		rc = db_exec(&st->w, "PRAGMA secure_delete = ON; VACUUM", e);
	(void)db_exec(&st->w, "PRAGMA secure_delete = OFF", &st->w.on->err);
	if (rc == OK && log_empty(st) != OK)
		rc = err_set(e, ERR_IO, "the write-ahead log: %s", st->w.on->err.text);
	st->scrub_rc = rc;
	st->w.on->fault = DB_SOUND;
	if (rc == OK)
		log_info("store", "scrubbed", "ms=%lld",
		    (long long)((clock_mono() - began) / NS_PER_MS));
	else
		log_error("store", "scrub_failed", "error=%s", e->text);
}

static int
owner_erase(struct store *st, struct store_cmd *c)
{
	struct store_owner_erase *x = (struct store_owner_erase *)c;

	x->more = false;
	switch (x->step) {
	case OWNER_LEAVES:
		return leaves(st, x);
	case OWNER_STILLS:
		return stills(st, c->owner);
	case OWNER_RESTS:
		return rests(st, x);
	case OWNER_GONE:
		return gone(st, x);
	case OWNER_SCRUB:
		st->scrub_due = !db_is_server(&st->w);
		st->scrub_rc = OK;
		return OK;
	case OWNER_SCRUBBED:
		c->err = st->scrub_err;
		return st->scrub_rc;
	case OWNER_ENDS:
		return ends(st, c->owner);
	}
	assert(false);
	return ERR_IO;
}
OP_LOCK(owner_erase, lock_number(l, LOCK_ITEMS, x->cmd.owner), lock_number(l, LOCK_WASM, 0))
const struct op store_op_owner_erase = { .run = owner_erase, .locks = owner_erase_locks };
