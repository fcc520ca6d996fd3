/*
 * backup.h - copies of a database file, made beside the server that has it.
 *
 * A folder has full backups, increments (the pages that changed since the backup before) and
 * shipped logs (each commit with its time).  What is restored is a full backup, the
 * increments after it, and of the log what was committed until a time.  backup_priv.h has
 * the file's format.
 *
 * Each function opens what it needs and closes it again.  Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "base/clock.h"
#include "base/id.h"
#include "base/rc.h"
#include "base/str.h"

#define BACKUP_PATH_MAX 4096
#define BACKUP_NAME_MAX 64

enum backup_kind { BACKUP_FULL = 1, BACKUP_INCREMENT, BACKUP_LOG };
extern const char *const backup_kinds[];     /* by value */

struct backup_made {
	char name[BACKUP_NAME_MAX];
	enum backup_kind kind;
	msec time;
	uint32_t pages, copied, page_size;
	int64_t bytes;
};

/* Told now and then; may be NULL, and its functions too. */
struct backup_watch {
	void (*progress)(void *ctx, uint64_t done, uint64_t of);
	bool (*stop)(void *ctx);             /* give up: ERR_CANCELLED */
	void *ctx;
};

/* layer: of crypt.h, or NULL: the pages are as encrypted as the file.
 * ERR_NOTFOUND: there is no such file or folder; ERR_BUSY: another backup goes into the
 * folder; ERR_INVALID: the folder has those of another database. */
int  backup_make(const char *db, const char *layer, const char *dir, bool full, const struct backup_watch *watch,
    struct backup_made *out, struct err *e);

struct backup_restored {
	msec time;                           /* of the last transaction */
	uint64_t transactions;
	uint32_t pages, page_size;
	bool cut;                            /* the log stops within a transaction */
	bool kept;                           /* the file of before is beside it */
};
/* at: NEVER: all that there is.  The file appears whole.  ERR_CONFLICT: there is one, and not
 * force; ERR_BUSY: a server has it; ERR_NOTFOUND: nothing is as old as that; ERR_INVALID:
 * a file is damaged, or one that is needed is missing. */
int  backup_restore(const char *dir, const char *db, msec at, bool force,
    struct backup_restored *out, struct err *e);

/* Those that a store makes by itself (store_options); to empty: none. */
struct store_backup {
	struct str to;                       /* a folder */
	msec every, full_every;
	int64_t keep_days;
	bool log;                            /* each commit, within a second or so */
};
struct store_backup_stats {
	bool on;
	msec last, logged;                   /* of the newest backup; all until then is shipped */
	uint64_t made, failures, gaps;
};

/* What a folder has, oldest first. */
struct backup_listed {
	const char *name, *path;
	enum backup_kind kind;
	msec time, until;                    /* until: of the last transaction */
	uint64_t transactions;
	int64_t bytes;
	struct uuid chain;
	const char *wrong;                   /* words; NULL: it is whole */
	bool open;                           /* a log without an end */
};
int  backup_list(const char *dir, void (*each)(void *ctx, const struct backup_listed *b),
    void *ctx, struct err *e);
/* Reads all of it, and restores the newest state and looks at it with SQLite's
 * integrity_check, in a file in `scratch`.  The same as list, and ERR_INVALID if anything is
 * wrong. */
int  backup_verify(const char *dir, const char *scratch, const char *layer,
    void (*each)(void *ctx, const struct backup_listed *b), void *ctx, struct err *e);

#endif
