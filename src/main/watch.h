/*
 * watch.h - tells when files of a folder have changed.
 *
 * The kernel tells (inotify).  What happens within a moment is told once, after
 * it: an editor that writes a file by several calls, or a temporary file and a
 * rename, makes one call.  A folder that is a link is watched where it leads, and the link in
 * the folder that it is in.
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WATCH_H
#define MAIN_WATCH_H

#include "base/str.h"

struct shard;
struct watch;

/* wanted: may a file of that name matter?  A folder that cannot be watched is
 * logged; changed is then called by watch_again only. */
struct watch *watch_new(struct shard *s, const char *folder, bool (*wanted)(struct str name),
    void (*changed)(void *ctx), void *ctx);
void watch_free(struct watch *w);            /* before the shard; NULL: nothing */

/* Watches the folder that has the name now, and calls changed soon. */
void watch_again(struct watch *w);

#endif
