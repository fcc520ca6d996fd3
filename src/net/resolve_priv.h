/*
 * resolve_priv.h - addresses of names, for libcurl.
 *
 * libcurl's own resolver makes one thread a transfer.  Here a name is looked
 * up once through the loop's small thread pool, whoever asks meanwhile waits
 * for the same look-up, and the answer is kept for LIMIT_DNS_TTL_MS (a failure
 * for LIMIT_DNS_FAIL_MS, so that a wrong name does not cost a look-up a call).
 *
 * An answer is a line for CURLOPT_RESOLVE, "+host:port:addr,addr".  libcurl's
 * multi handle remembers it (for longer than we do), so it need be passed only
 * until one transfer has surely read it: `known`.
 *
 * Invariants: a waiter is in at most one list; the table holds at most
 * LIMIT_DNS_NAMES names; an entry with waiters or a look-up is never dropped.
 * Threads: the shard's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_RESOLVE_PRIV_H
#define NET_RESOLVE_PRIV_H

#include "base/list.h"
#include "base/rc.h"
#include "base/str.h"
#include "net/shard.h"

struct resolver;

struct resolved {
	int rc;                              /* OK, ERR_CLOSED or ERR_LIMIT */
	char *line;                          /* when OK */
	uint64_t serial;                     /* of this answer, never 0 */
	bool known;
	struct err why;                      /* when not OK */
};

struct resolve_waiter {
	struct list in;                      /* those for one name */
	void (*done)(struct resolve_waiter *w, struct resolved *a);
};

struct resolver *resolver_new(struct shard *s);
void resolver_free(struct resolver *r);      /* nobody may wait any more */

/* The answer when it is at hand (good until the next call), else NULL and
 * w->done is called later, never before this returns. */
struct resolved *resolver_get(struct resolver *r, struct str host, uint16_t port,
    struct resolve_waiter *w);
void resolver_forget(struct resolve_waiter *w);      /* no callback follows */
/* A transfer that carried the line of this serial has connected. */
void resolver_known(struct resolver *r, struct str host, uint16_t port,
    uint64_t serial);

#endif
