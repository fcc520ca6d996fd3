/*
 * pg_begin_priv.h - numbers of rows on PostgreSQL: how many a node takes at once.
 *
 * They are steps of sequences, in the tables of every database: never edited.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_PG_BEGIN_PRIV_H
#define STORE_PG_BEGIN_PRIV_H

#include "store/store_priv.h"

#define PG_BLOCK_ONE  1
#define PG_BLOCK_SOME 16
#define PG_BLOCK_MANY 1024

#endif
