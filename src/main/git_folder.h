/*
 * git_folder.h - the files of a commit of a git repository, as a folder.
 *
 * The system's git fetches, lists and prints; the files are written here.  So nothing of the
 * repository is run or followed: no hook, filter, attribute, submodule or link, and no path
 * leaves the folder.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_GIT_FOLDER_H
#define MAIN_GIT_FOLDER_H

#include "base/buf.h"
#include "base/rc.h"

#define GIT_ID_BYTES 65                      /* of SHA-256 as digits, and a NUL */

struct git_folder {
	const char *cache;                   /* a folder for git's objects; made anew when
	                                        a fetch was cut off */
	const char *source;                  /* as `git fetch` takes it */
	const char *ref;                     /* a branch, tag or commit; NULL: HEAD */
	const char *path;                    /* in the repository; NULL: all of it */
};

/* May git be given them?  ERR_INVALID. */
int  git_folder_check(const struct git_folder *g, struct err *e);
/* Fetches, and makes the folder `to`, which must not exist.  commit: its id.  ERR_NOTFOUND:
 * there is no git; ERR_INVALID: git's words, or what of the commit is refused; ERR_TOOBIG. */
int  git_folder_take(const struct git_folder *g, const char *to, char commit[GIT_ID_BYTES],
    struct err *e);

/* The source without a user and password. */
void git_folder_add_source(struct buf *b, const char *source);
/* Removes a folder with all in it. */
void folder_remove(const char *path);

#endif
