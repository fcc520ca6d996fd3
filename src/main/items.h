/*
 * items.h - the settings of store items (store.ttl.*, store.index.*), as the runs room wants them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_ITEMS_H
#define MAIN_ITEMS_H

#include "main/config.h"
#include "run/items.h"

/* Texts are of c, and of `fields`.  *sweep: between two sweeps.  ERR_INVALID: the words
 * begin with the key. */
int items_read(const struct config *c, struct items_rules *out, msec *sweep,
    struct buf *fields, struct err *e);

#endif
