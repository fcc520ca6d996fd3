/*
 * audit.h - the audit log: an append-only file of JSON lines.
 *
 * An action has two lines with one id: before it is done (if that line cannot be written,
 * nothing is done), and before it is answered, with the status.  A refusal and a reload of a
 * file have one line.
 *
 * A line is given to the kernel before the action goes on, and is not synced: it
 * outlives the process, not a power cut of the last seconds.  No credentials are in it.
 *
 * Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_AUDIT_H
#define AUTH_AUDIT_H

#include "auth/auth.h"
#include "base/id.h"

struct audit;

struct audit_line {
	struct uuid id;
	msec at;
	const char *phase;                   /* "begins", "ends", "denied", "reloaded" */
	const struct principal *who;         /* NULL: the server itself */
	const char *action;                  /* "threads:delete" */
	struct str method, object;           /* how and what: the path; or empty */
	struct str remote;
	int status;                          /* 0: not known yet */
	struct str error;
};

/* Opens the file or makes it, for its owner alone.  ERR_DENIED: others can write it;
 * ERR_IO. */
int  audit_open(struct audit **out, struct str file, struct err *e);
/* Opens it again by its name: it may have been moved away.  After an error the old
 * one stays. */
int  audit_reopen(struct audit *a, struct err *e);
void audit_close(struct audit *a);           /* NULL is fine */

/* ERR_IO: it is not written, and the log says why. */
int  audit_write(struct audit *a, const struct audit_line *x);

#endif
