/*
 * ship_priv.h - backups that a server makes by itself, and the log that it ships.
 *
 * A thread of its own makes a full backup or an increment when one is due, and between them
 * appends each commit to a log in the same folder (backup_priv.h).  The writer stamps its
 * commits with their times, and does not move the database's log while there are frames that
 * are not shipped, unless too many wait: then the log has a gap, and an increment, which needs
 * no log, takes up.  So a slow, full or missing folder costs backups and never holds up the
 * writer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SHIP_PRIV_H
#define STORE_SHIP_PRIV_H

#include "store/store.h"

struct ship;

/* path: of the database; layer: see db_open.  ERR_NOTFOUND: the folder is not there. */
int  ship_open(struct ship **out, const struct store_backup *o, const char *path,
    const char *layer, struct err *e);
/* What was committed is shipped first.  The database is open until then.  NULL is fine. */
void ship_close(struct ship *s);

/* By the writer: so many frames are in the log after the commit. */
void ship_committed(void *ship, int frames);
/* May the log be moved now?  If not, it may be soon. */
bool ship_lets_move(struct ship *s, int frames);

void ship_stats(struct ship *s, struct store_backup_stats *out);

#endif
