/*
 * ship.c - see ship_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/ship_priv.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/hmac.h"
#include "base/mem.h"
#include "store/backup_priv.h"
#include "store/pages_priv.h"

#define MS_PER_DAY (INT64_C(24) * 3600 * 1000)

struct stamp { uint32_t frames; msec time; };

struct ship {
	char dir[BACKUP_PATH_MAX], path[BACKUP_PATH_MAX];
	const char *layer;
	msec every, full_every, keep;
	bool log_on;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t wake;                 /* of CLOCK_MONOTONIC */
	bool closing;
	bool follows;                        /* the log is shipped from a known place on */
	bool gap;                            /* it was, and frames are gone */
	struct stamp *stamp;                 /* a ring of LIMIT_BACKUP_STAMPS */
	size_t first, n;

	_Atomic int64_t last, logged;        /* wall clock, ms */
	_Atomic uint64_t made, failures, gaps;

	/* The thread's. */
	struct db db;                        /* to read the log by */
	struct log_reader reader;
	struct log_place place;
	struct backup_item base;             /* what the next log goes on from */
	struct backup_sum base_sum;
	struct backup_writer log;
	bool log_open;
	msec log_time;                       /* of the last commit in it */
	nsec due;                            /* the next backup; 0: now */
	struct log_spell spell;
};

/* ---- the writer's side ------------------------------------------------------------- */

void
ship_committed(void *ship, int frames)
{
	struct ship *s = ship;
	struct stamp x = { (uint32_t)frames, clock_wall_ms() };

	pthread_mutex_lock(&s->lock);
	if (s->follows) {
		s->n += s->n < LIMIT_BACKUP_STAMPS;
		s->stamp[(s->first + s->n - 1) % LIMIT_BACKUP_STAMPS] = x;
	}
	pthread_mutex_unlock(&s->lock);
}

/* The lock is held. */
static void
follow(struct ship *s, bool on)
{
	s->follows = on;
	s->n = 0;
}

bool
ship_lets_move(struct ship *s, int frames)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	if (s->follows && s->n > 0 && frames >= LIMIT_BACKUP_LAG_FRAMES) {
		follow(s, false);
		s->gap = true;
	}
	yes = !s->follows || s->n == 0;
	if (!yes || s->gap)
		pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return yes;
}

void
ship_stats(struct ship *s, struct store_backup_stats *out)
{
	*out = (struct store_backup_stats){ .on = true, .last = atomic_load(&s->last),
	    .logged = atomic_load(&s->logged), .made = atomic_load(&s->made),
	    .failures = atomic_load(&s->failures), .gaps = atomic_load(&s->gaps) };
}

/* ---- the log -------------------------------------------------------------------------- */

static bool
is_closing(void *ship)
{
	struct ship *s = ship;
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->closing;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

/* What a failed write left goes, so that the file ends behind a record. */
static void
log_drop(struct ship *s)
{
	if (s->log_open && ftruncate(s->log.fd, s->log.bytes) != 0)
		log_warn("store", "backup_log", "file=%s error=%s", s->log.name,
		    "what is not whole at its end cannot be cut off");
	backup_writer_close(&s->log);
	s->log_open = false;
}

static int
log_end(struct ship *s, struct err *e)
{
	int rc;

	if (!s->log_open)
		return OK;
	rc = backup_put_end(&s->log, e);
	if (rc == OK)
		rc = backup_writer_sync(&s->log, e);
	s->base.head = s->log.head;          /* the next part goes on from it */
	s->base_sum = s->log.sum;
	log_drop(s);
	return rc;
}

static int
log_begin(struct ship *s, msec time, struct err *e)
{
	struct backup_head h = s->base.head;
	int rc;

	h.kind = BACKUP_LOG;
	h.id = uuid_v4();
	h.parent = s->base.head.id;
	h.parent_sum = s->base_sum;
	h.number = s->base.head.number + 1;
	h.time = time;
	h.path = str_of(s->path);
	h.sealed = crypt_is_layer(s->layer);
	rc = backup_writer_open(&s->log, s->dir, &h, e);
	s->log.keys = crypt_keys_of(s->layer);
	if (rc == OK)
		rc = backup_writer_show(&s->log, e);
	s->log_open = rc == OK;
	if (rc != OK)
		backup_writer_close(&s->log);
	s->log.head.path = STR_NONE;
	return rc;
}

/* When the commit that ends with this frame was made; 0: not stamped yet. */
static msec
time_of(struct ship *s, uint32_t frames)
{
	msec time = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && time == 0; i++) {
		const struct stamp *x = &s->stamp[(s->first + i) % LIMIT_BACKUP_STAMPS];

		time = x->frames >= frames ? x->time : 0;
	}
	pthread_mutex_unlock(&s->lock);
	return time;
}

static size_t
stamps_count(struct ship *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->n;
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Stamps of what is shipped, or is part of the base: of the first `most`, which are all of
 * the log that was read.  Those that came since may be of one that has begun anew. */
static void
stamps_drop(struct ship *s, uint32_t frames, size_t most)
{
	pthread_mutex_lock(&s->lock);
	while (most-- > 0 && s->n > 0 && s->stamp[s->first].frames <= frames) {
		s->first = (s->first + 1) % LIMIT_BACKUP_STAMPS;
		s->n--;
	}
	pthread_mutex_unlock(&s->lock);
}

/* The frames of a commit are appended as they come; the log ends behind a commit, or, after
 * a failure, has pages at its end that count for nothing. */
static int
commit_put(struct ship *s, uint32_t pages, msec time, struct err *e)
{
	int rc;

	s->log_time = time > s->log_time ? time : s->log_time;
	rc = backup_put_commit(&s->log, s->log_time, pages, e);
	if (rc == OK)
		s->place = s->reader.at;
	return rc;
}

/* Where the commit after s->place ends; ERR_NOTFOUND: there is none. */
static int
commit_find(struct ship *s, uint32_t *frames)
{
	uint32_t number, commit = 0;
	int rc = log_reader_begin(&s->reader, &s->place);

	while (rc == OK && commit == 0)
		rc = log_reader_next(&s->reader, &number, &commit);
	*frames = s->reader.at.frames;
	return rc;
}

static int
commit_ship(struct ship *s, msec time, struct err *e)
{
	uint32_t number, commit = 0;
	int rc = OK;

	if (!s->log_open)
		rc = log_begin(s, time > s->log_time ? time : s->log_time, e);
	if (rc == OK)
		rc = log_reader_begin(&s->reader, &s->place);
	while (rc == OK && commit == 0) {
		rc = log_reader_next(&s->reader, &number, &commit);
		if (rc == OK)
			rc = backup_put_page(&s->log, number, log_reader_page(&s->reader), e);
	}
	if (rc == ERR_NOTFOUND)
		return err_set(e, ERR_IO, "%s: the log changed while it was read", s->path);
	if (rc == OK)
		rc = commit_put(s, commit, time, e);
	if (rc == OK && s->log.bytes >= LIMIT_BACKUP_LOG_BYTES)
		rc = log_end(s, e);
	return rc;
}

static bool
is_past(const struct log_place *until, const struct log_place *at)
{
	return until != NULL && until->known && memcmp(until->salt, at->salt,
	    sizeof at->salt) == 0 && at->frames > until->frames;
}

/* All commits that are stamped; or those until a place, stamped or not. */
static int
log_ship(struct ship *s, const struct log_place *until, struct err *e)
{
	size_t stamped = stamps_count(s);
	msec now = clock_wall_ms();          /* what is committed later may not be read */
	uint32_t frames;
	int rc = OK;

	while (rc == OK && commit_find(s, &frames) == OK) {
		msec time = time_of(s, frames);

		if (until != NULL && (!until->known || is_past(until, &s->reader.at)))
			break;
		if (time == 0 && until == NULL)
			break;
		rc = commit_ship(s, time == 0 ? clock_wall_ms() : time, e);
	}
	if (rc == OK && s->log_open)
		rc = backup_writer_sync(&s->log, e);
	if (rc == OK)
		stamps_drop(s, s->place.frames, stamped);
	if (rc == OK)
		atomic_store(&s->logged, now);
	return rc;
}

/* ---- backups --------------------------------------------------------------------------- */

/* When the newest backup, and full backup, were made; 0: there is none. */
static int
newest(const struct ship *s, msec *last, msec *full, struct err *e)
{
	struct backup_set set;
	int rc = backup_set_read(&set, s->dir, e);

	*last = *full = 0;
	for (size_t i = 0; i < set.n; i++) {
		const struct backup_head *h = &set.at[i].head;

		if (h->kind != BACKUP_LOG && h->time > *last)
			*last = h->time;
		if (h->kind == BACKUP_FULL && h->time > *full)
			*full = h->time;
	}
	backup_set_release(&set);
	return rc;
}

static void
prune(struct ship *s)
{
	struct err e = { 0 };
	size_t removed = 0;
	int fd = backup_dir_lock(s->dir, &e), rc = fd < 0 ? fd : OK;

	if (rc == OK)
		rc = backup_dir_prune(s->dir, clock_wall_ms() - s->keep, &removed, &e);
	if (fd >= 0)
		close(fd);
	if (rc != OK)
		log_warn("store", "backup_keep", "folder=%s error=%s", s->dir, e.text);
	else if (removed > 0)
		log_info("store", "backup_keep", "folder=%s removed=%zu", s->dir, removed);
}

/* The old log ends exactly where the backup begins. */
static int
backup_pages(struct ship *s, struct pages *p, bool full, struct backup_made *made,
    struct err *e)
{
	const struct backup_watch watch = { .stop = is_closing, .ctx = s };
	int rc = s->log_open ? log_ship(s, &p->end, e) : OK;

	if (rc == OK)
		rc = log_end(s, e);
	if (rc == OK)
		rc = backup_of_pages(p, s->dir, full, &watch, made, &s->base, &s->base_sum, e);
	s->place = p->end;
	s->log_time = s->base.head.time;
	return rc;
}

static int
backup(struct ship *s, struct err *e)
{
	struct backup_made made;
	struct pages p = { .n = 0 };
	msec last, full;
	int rc = newest(s, &last, &full, e);

	pthread_mutex_lock(&s->lock);
	s->gap = false;
	if (s->log_on && !s->follows)
		follow(s, true);
	pthread_mutex_unlock(&s->lock);
	if (rc == OK)
		rc = pages_open(&p, s->path, s->layer, e);
	if (rc == OK)
		rc = backup_pages(s, &p, clock_wall_ms() >= full + s->full_every, &made, e);
	pages_close(&p);
	if (rc != OK)
		return rc;
	log_info("store", "backup", "file=%s kind=%s pages=%u copied=%u bytes=%lld", made.name,
	    backup_kinds[made.kind], made.pages, made.copied, (long long)made.bytes);
	atomic_store(&s->last, made.time);
	atomic_fetch_add(&s->made, 1);
	s->due = clock_mono() + s->every * NS_PER_MS;
	prune(s);
	return OK;
}

/* Nothing is known of the log any more; the writer moves it as it likes. */
static void
failed(struct ship *s, const struct err *e)
{
	log_drop(s);
	pthread_mutex_lock(&s->lock);
	follow(s, false);
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_add(&s->failures, 1);
	s->due = clock_mono() + LIMIT_BACKUP_RETRY_MS * NS_PER_MS;
	log_fails(&s->spell, "store", "backup_failed", "folder=%s error=%s", s->dir, e->text);
}

/* ---- the thread -------------------------------------------------------------------------- */

static int
reader_open(struct ship *s, struct err *e)
{
	static const struct db_sql none = { .n = 0 };
	int64_t n = 0, size = 0;
	int rc = db_open(&s->db, s->path, s->layer, &none, DB_READ, e);

	if (rc == OK)                        /* the log is opened by the first read */
		rc = db_read_i64(&s->db, "SELECT count(*) FROM sqlite_schema", &n, e);
	if (rc == OK)
		rc = db_read_i64(&s->db, "PRAGMA page_size", &size, e);
	if (rc != OK)
		return rc;
	log_reader_init(&s->reader, (uint32_t)size);
	s->reader.read = pages_log_read;
	s->reader.ctx = &s->db;
	return OK;
}

/* Its file was removed, and the chain with it: what is written there is lost. */
static bool
log_is_gone(const struct ship *s)
{
	struct stat st;

	return s->log_open && fstat(s->log.fd, &st) == 0 && st.st_nlink == 0;
}

static void
turn(struct ship *s, bool closing)
{
	struct err e = { 0 };
	bool follows, gap;
	int rc = OK;

	pthread_mutex_lock(&s->lock);
	follows = s->follows;
	gap = s->gap;
	pthread_mutex_unlock(&s->lock);
	if (gap) {
		atomic_fetch_add(&s->gaps, 1);
		log_warn("store", "backup_gap", "folder=%s reason=%s", s->dir,
		    "the folder is slower than the commits; an increment takes up");
		log_drop(s);
		s->due = 0;
	} else if (log_is_gone(s)) {
		log_warn("store", "backup_gone", "file=%s reason=%s", s->log.name,
		    "it was removed; a backup takes up");
		log_drop(s);
		s->due = 0;
	}
	if (!closing && clock_mono() >= s->due)
		rc = backup(s, &e);
	else if (follows && !gap)
		rc = log_ship(s, NULL, &e);
	if (rc == OK && closing)
		rc = log_end(s, &e);
	if (rc != OK && (rc != ERR_CANCELLED || !is_closing(s)))
		failed(s, &e);
	else if (rc == OK && !closing)
		log_works(&s->spell, "store", "backup_works");
}

/* Until something is due; true: it ends. */
static bool
rest(struct ship *s)
{
	nsec until = clock_mono() + LIMIT_BACKUP_SHIP_MS * NS_PER_MS;
	struct timespec ts;
	bool closing;

	if (!s->log_on && s->due > until)
		until = s->due;
	ts = (struct timespec){ until / NS_PER_S, until % NS_PER_S };
	pthread_mutex_lock(&s->lock);
	if (!s->closing)
		pthread_cond_timedwait(&s->wake, &s->lock, &ts);
	closing = s->closing;
	pthread_mutex_unlock(&s->lock);
	return closing;
}

static void *
ship_main(void *arg)
{
	struct ship *s = arg;
	bool closing;

	do {
		turn(s, false);
		closing = rest(s);
	} while (!closing);
	turn(s, true);
	log_drop(s);
	hash_thread_end();
	return NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

static struct ship *
ship_new(const struct store_backup *o, const char *path, const char *layer)
{
	struct ship *s = mem_new(struct ship);
	pthread_condattr_t attr;

	snprintf(s->dir, sizeof s->dir, "%.*s", FMT(o->to));
	snprintf(s->path, sizeof s->path, "%s", path);
	s->layer = layer;
	s->every = o->every;
	s->full_every = o->full_every;
	s->keep = o->keep_days * MS_PER_DAY;
	s->log_on = o->log;
	s->log.fd = -1;
	s->stamp = mem_alloc(LIMIT_BACKUP_STAMPS * sizeof *s->stamp);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

static void
ship_free(struct ship *s)
{
	log_reader_release(&s->reader);
	db_close(&s->db);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s->stamp);
	free(s);
}

int
ship_open(struct ship **out, const struct store_backup *o, const char *path,
    const char *layer, struct err *e)
{
	struct ship *s;
	struct stat st;
	msec last, full;
	struct err why;
	int rc = OK;

	*out = NULL;
	assert(o->every > 0 && o->full_every > 0 && o->keep_days > 0);
	if (o->to.n >= BACKUP_PATH_MAX)
		return err_set(e, ERR_INVALID, "backup.to: the path is too long");
	s = ship_new(o, path, layer);
	if (stat(s->dir, &st) != 0 || !S_ISDIR(st.st_mode))
		rc = err_set(e, ERR_NOTFOUND, "backup.to: there is no folder %s: make it first",
		    s->dir);
	else
		rc = reader_open(s, e);
	/* What is wrong in the folder is the first backup's to tell, and stops no start. */
	if (rc == OK && newest(s, &last, &full, &why) != OK)
		last = 0;
	if (rc == OK) {
		/* A log must go on from a backup; without one the last may be young enough. */
		atomic_store(&s->last, last);
		if (!s->log_on && last > 0 && clock_wall_ms() < last + s->every)
			s->due = clock_mono() + (last + s->every - clock_wall_ms()) * NS_PER_MS;
		if (pthread_create(&s->thread, NULL, ship_main, s) != 0)
			rc = err_set(e, ERR_IO, "backup: no thread");
	}
	if (rc != OK) {
		ship_free(s);
		return rc;
	}
	*out = s;
	return OK;
}

void
ship_close(struct ship *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->closing = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	ship_free(s);
}
