/*
 * wire_priv.h - the lines between a daemon and its clients: one request, one answer.
 * docs/work.md describes them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_WIRE_PRIV_H
#define WORK_HOST_WIRE_PRIV_H

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

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
int  wire_parse(struct request *r, struct str line, struct err *e);
void wire_release(struct request *r);

/* The answer's line, with its end.  id NULL: null.  data: JSON, empty: none.
 * words: of a failure; version: only where the other side's was refused. */
void wire_answer(struct buf *out, jnode id, int rc, const char *words,
    struct str data, const char *version);

#endif
