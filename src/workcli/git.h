/*
 * git.h - git as a child process: arguments as an array, no shell, no
 * terminal, no editor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_GIT_H
#define WORKCLI_GIT_H

#include "base/buf.h"
#include "base/rc.h"

/* Set in the environment of every git we start, and so of its hooks: a hook that
 * calls sync must not wait for the sync that runs it. */
#define GIT_RUNS_FOR_US "COHORT_WORK_SYNC"

struct git_limits { uint64_t file, memory; };        /* bytes: of a file, of addresses */

struct git {
	const char *dir;                     /* it runs there */
	const char *const *config;           /* pairs of -c key=value, NULL-ended;
	                                        may be NULL */
	struct buf out, err;                 /* of the last run */
	int status;                          /* its exit code; -1: a signal */
	int in;                              /* its stdin, from where it stands; 0: empty */
	const struct git_limits *limits;     /* NULL: none */
	const char *index;                   /* GIT_INDEX_FILE; NULL: the user's */
	bool tells;                          /* says on stderr what it waits for */
	bool tidying;                        /* it undoes something: runs also after a
	                                        signal */
};

/* $COHORT_WORK_GIT_TIMEOUT (as "90s") limits each run; else a limit for those with
 * a remote, and a shorter one for others. */
void git_init(struct git *g, const char *dir);
void git_release(struct git *g);

/* Runs `git ARGS...` to its end.  OK: it exited with 0.  ERR_NOTFOUND: there is no
 * git.  ERR_INVALID: another exit code; e has its output.  ERR_TIMEOUT: it did not
 * end, and its process group was killed.  ERR_CANCELLED: after a signal nothing is
 * started, and a run with a remote is stopped.  While another git holds a lock it
 * waits and runs again; ERR_BUSY: the lock stayed for LIMIT_WORK_GIT_LOCK_MS. */
int git_run(struct git *g, const char *const *args, struct err *e);
#define GIT(g, e, ...) git_run((g), (const char *const[]){ __VA_ARGS__, NULL }, (e))

/* Waits until the lock of another git is gone.  ERR_BUSY with a hint. */
int git_lock_wait(const char *path, bool tells, struct err *e);

/* Its output, without line ends at the end. */
struct str git_out(const struct git *g);
/* Runs it and keeps its output as a string, cut at size; empty if it failed. */
int git_ask(struct git *g, char *out, size_t size, const char *const *args,
    struct err *e);
#define GIT_ASK(g, e, out, ...) git_ask((g), (out), sizeof (out),              \
	(const char *const[]){ __VA_ARGS__, NULL }, (e))
/* Does it name a commit? */
bool git_has(struct git *g, const char *revision);
/* The path of a file in git's own folder.  As git_run; ERR_TOOBIG. */
int git_path(struct git *g, const char *name, char *out, size_t size,
    struct err *e);

/* Notes SIGTERM, SIGINT and SIGHUP, so that a step is not interrupted. */
void git_catch_signals(void);
bool git_is_stopping(void);

/* Sleeps. */
void git_pause_ms(long ms);

#endif
