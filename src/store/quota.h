/*
 * quota.h - how much an owner may have, and has.
 *
 * A command that makes something carries what its caller may have; the writer looks at what
 * the owner has in the same transaction, so that two requests at once do not pass together;
 * several nodes take a lock of the owner's for it.  What is counted is the owner's, whoever
 * made it; what is made without a quota counts too.
 *
 * Counts are kept with what they count, or read by an index and no further than the quota.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_QUOTA_H
#define STORE_QUOTA_H

#include "store/store.h"

/* The words of settings and of the keys file. */
#define QUOTA_MAP(X)                                                           \
	X(RUNS,        "runs")               /* pending or running */          \
	X(THREADS,     "threads")                                              \
	X(STORE_ITEMS, "store-items")                                          \
	X(STORE_BYTES, "store-bytes")        /* of their values */             \
	X(AGENTS,      "agents")             /* those without a row: mail/host */ \
	X(CRONS,       "crons")

enum quota_kind {
#define X(id, name) QUOTA_##id,
	QUOTA_MAP(X)
#undef X
	QUOTAS
};
extern const char *const quota_names[QUOTAS];

/* 0: no limit. */
struct store_quota { int64_t max[QUOTAS]; };

/* What the owner has of each; of agents, those that have a row.  ERR_IO. */
int store_quota_used(struct store_reader *r, owner_t o, int64_t used[QUOTAS]);
int store_quota_agents(struct store_reader *r, owner_t o, int64_t most, int64_t *out);

/* Words about a quota that does not allow it: ERR_LIMIT for runs, which end by themselves,
 * and ERR_DENIED. */
int quota_refuse(enum quota_kind q, int64_t max, int64_t used, struct err *e);

#endif
