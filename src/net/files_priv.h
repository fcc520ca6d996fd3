/*
 * files_priv.h - descriptors that are kept for later use are given back when
 * another connection needs one now.
 *
 * Each shard has two lenders: its idle connections to models, and its idle
 * clients.  A caller that finds the account full asks, and tries again after
 * FILES_RETRY_MS: the lender may be another shard's.  Models' connections are
 * asked for first: nobody notices when they are opened again.
 *
 * Threads: a lender is made, told and freed by its shard's thread; the rest
 * any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_FILES_PRIV_H
#define NET_FILES_PRIV_H

#include "base/account.h"
#include "net/files.h"
#include "net/shard.h"

#define FILES_RETRY_MS 50                    /* between two tries for one */

struct files_lender;

enum files_rank { FILES_MODELS, FILES_CLIENTS };         /* asked in this order */

/* yield: closes up to n idle ones, oldest first. */
struct files_lender *files_lender_new(struct shard *s, enum files_rank rank,
    void (*yield)(void *ctx, size_t n), void *ctx);
void files_lender_free(struct files_lender *fl);         /* accepts NULL */
void files_lender_set(struct files_lender *fl, size_t idle);
size_t files_lender_idle(const struct files_lender *fl);

/* Asks the lender with the most idle ones, of `from` or, if none has any, of
 * a later rank. */
void files_ask(enum files_rank from);

size_t files_clients_max(void);              /* connections of clients */
size_t files_models_kept(void);              /* connections to models, a shard */

#endif
