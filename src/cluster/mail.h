/*
 * mail.h - what offices say to those of other nodes goes over the bus (mail/host/carrier.h).
 *
 * Threads: mail_carrier_begin and what follows it are the first shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLUSTER_MAIL_H
#define CLUSTER_MAIL_H

#include "mail/host/carrier.h"

struct bus;
struct cluster;
struct mail_carrier;

/* Before the shards run.  bus: NULL: offices look into the store each second. */
struct mail_carrier *mail_carrier_new(struct offices *os, struct bus *bus, struct cluster *c);
void mail_carrier_free(struct mail_carrier *m);      /* after the offices; accepts NULL */
/* When office_join was called: receives and announces from now on. */
void mail_carrier_begin(struct mail_carrier *m, struct office *first);
void mail_carrier_end(struct mail_carrier *m);       /* before its office is freed */
/* As of cluster_options.changed; before mail_carrier_begin: nothing. */
void mail_carrier_changed(struct mail_carrier *m, int64_t node);
/* As of cluster_options.gone; likewise. */
void mail_carrier_gone(struct mail_carrier *m);

#endif
