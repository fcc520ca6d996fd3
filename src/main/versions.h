/*
 * versions.h - a folder that is a link to one of several versions of it, which are beside it.
 *
 *   agents -> .agents.sync/000007-COMMIT
 *   .agents.sync/000006-COMMIT     the one before, for a way back
 *                lock              held by who changes them
 *                next              a version that is being made
 *                held              the hash of what was taken back
 *
 * A version is written, synced and named before the link to it replaces the link before, by
 * rename(2): whenever it is cut off, the folder is the old version or the new one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_VERSIONS_H
#define MAIN_VERSIONS_H

#include "main/git_folder.h"
#include "main/package.h"

struct versions {
	char *link, *dir;                    /* agents, .agents.sync */
	char *next, *cache;                  /* in dir */
	char *now;                           /* name of the version in use; NULL: none */
	int lock;
};

/* Waits for others; removes what one that was killed has left.  make: dir, if it is not there.
 * ERR_CONFLICT: the link is something else; ERR_NOTFOUND; ERR_IO; ERR_CANCELLED. */
int  versions_open(struct versions *v, struct str folder, bool make, struct err *e);
void versions_close(struct versions *v);

/* Makes `next` the version in use.  v->now: its name. */
int  versions_switch(struct versions *v, const char *commit, struct err *e);
/* Goes back to the one before; notes the hash of what is left in `held`. */
int  versions_back(struct versions *v, struct err *e);
/* Was it taken back, and nothing else taken since? */
bool versions_are_held(const struct versions *v, const char hash[PACKAGE_HASH]);

/* The commit of a version's name. */
const char *version_commit(const char *name);

#endif
