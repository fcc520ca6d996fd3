/*
 * files.h - how many descriptors the process may open, and what they are for.
 *
 *   open files allowed (RLIMIT_NOFILE, raised to its hard limit)
 *   = open at the start + FILES_PROCESS + FILES_SPARE + FILES_SHARD a shard,
 *   and one for each further address that it listens on
 *   + capacity of account_files: clients and connections to models
 *
 * Clients get at most three quarters of the account: each may wait for a run,
 * and the run for a connection to its model.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_FILES_H
#define NET_FILES_H

#include "base/rc.h"

struct files_plan {
	size_t allowed;                      /* open files */
	unsigned shards;                     /* at most those asked for */
	size_t shared;                       /* capacity of account_files */
	size_t clients;                      /* connections at once */
};

/* Raises the limit, plans for so many shards, that listen on `more` addresses beside the first, or for fewer when the files do
 * not suffice, and sets the account.  Before any shard.  ERR_LIMIT when they
 * do not suffice for one: e says how many are needed. */
int files_plan_make(struct files_plan *p, unsigned shards, size_t more, struct err *e);
/* Descriptors that this process has open now. */
size_t files_open(void);
/* The plan for `allowed` files, `open` of them open.  Changes nothing. */
int files_plan_divide(struct files_plan *p, size_t allowed, size_t open,
    unsigned shards, struct err *e);

#endif
