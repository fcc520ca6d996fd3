/*
 * listen_priv.h - what the runs of a shard tell those who listen to their threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RUN_LISTEN_PRIV_H
#define RUN_LISTEN_PRIV_H

#include "run/ear_priv.h"
#include "run/listen.h"

struct run;

/* A run begins to live, before it tells anything. */
void listen_begins(struct run *run);

#endif
