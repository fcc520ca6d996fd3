/*
 * sources.h - tells when the source files of a project have changed: those of its folder
 * and of the folders in it, but not of what is installed, built or hidden.
 *
 * A change is told once, when nothing has changed for a moment, and only if some file has
 * another size or time than before.
 *
 * Threads: the shard's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_SOURCES_H
#define MAIN_SOURCES_H

#include "base/str.h"

struct shard;
struct sources;

/* path: one that has changed, below the folder. */
struct sources *sources_new(struct shard *s, const char *folder,
    void (*changed)(void *ctx, struct str path), void *ctx);
void sources_free(struct sources *w);        /* before the shard; NULL: nothing */

#endif
