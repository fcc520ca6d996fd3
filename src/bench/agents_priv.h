/*
 * agents_priv.h - the parts of `bench agents`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_AGENTS_PRIV_H
#define BENCH_AGENTS_PRIV_H

#include "bench/agents.h"
#include "bench/farm.h"
#include "bench/parts.h"

/* A part fills r.  ERR_INVALID: a flag it cannot do. */
part_run part_pool, part_request, part_response;   /* agents_flow.c */
part_run part_rate, part_burst;                                  /* agents_rate.c */
part_run part_batches;                                           /* agents_batch.c */
part_run part_scale, part_memory, part_cpu, part_copies, part_lookup, part_codec;        /* agents_cost.c */
part_run part_checkpoint;                                        /* agents_checkpoint.c */
part_run part_books, part_contract_net;                                          /* agents_books.c */

#endif
