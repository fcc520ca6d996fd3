/*
 * home_priv.h - what the files of a workspace share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOME_PRIV_H
#define WORK_HOME_PRIV_H

#include "base/limits.h"
#include "work/home.h"

/* The prefix a new tracker there would have. */
void home_prefix(const struct home *h, char out[LIMIT_WORK_PREFIX_BYTES + 1]);
/* Writes .gitignore unless there is one. */
int home_ignore(const struct home *h, struct err *e);
/* desk_open with the prefix of a tracker that is made.  prefix empty:
 * home_prefix. */
int desk_make(struct desk *d, const struct home *h, struct str prefix, msec now,
    struct err *e);

/* ---- the protocol (wire.c) ---------------------------------------------------- */

struct request {
	struct json_doc doc;                 /* the texts below are in it */
	jnode id, args;                      /* NULL: absent */
	struct str operation, actor, once;   /* empty: absent */
	struct str version;
	msec deadline_ms;                    /* -1: none */
	bool progress;
};

/* A request line.  On failure e says why, and r->id is there if it was
 * readable.  Release in any case. */
int  request_parse(struct request *r, struct str line, struct err *e);
void request_release(struct request *r);

/* The answer's line, with its end.  id NULL: null.  data: JSON, empty: none.
 * words: of a failure; version: only where the other side's was refused. */
void answer_add(struct buf *out, jnode id, int rc, const char *words,
    struct str data, const char *version);

#endif
