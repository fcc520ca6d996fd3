/*
 * lag.h - how long a message takes from this node through NATS back to it: what the bus
 * lags behind, with all that waits before it at either end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_LAG_H
#define CLUSTER_LAG_H

#include "cluster/bus.h"

struct bus_lag;

struct bus_lag *bus_lag_new(struct bus *b);
/* On s: asks now, and each LIMIT_BUS_LAG_MS.  Once. */
void bus_lag_begin(struct bus_lag *l, struct shard *s);
void bus_lag_end(struct bus_lag *l);         /* on s; nothing if it has not begun */
void bus_lag_free(struct bus_lag *l);        /* accepts NULL */

/* Any thread.  Nanoseconds; of a message that has not come back, how long it is under
 * way if that is longer.  -1: the bus is down, or none has come back yet. */
nsec bus_lag(const struct bus_lag *l);

#endif
