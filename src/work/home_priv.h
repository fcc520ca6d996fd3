/*
 * home_priv.h - what the files of a workspace share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOME_PRIV_H
#define WORK_HOME_PRIV_H

#include "base/limits.h"
#include "work/home.h"

/* The prefix a new tracker there would have. */
void home_prefix(const struct home *h, char out[LIMIT_WORK_PREFIX_BYTES + 1]);
/* Opens a file of ours there, which is made (0600) if it is missing.  What
 * somebody else may have put in its place is refused: a link, another's file,
 * anything that is not a file.  -1: errno says why. */
int home_open(const char *path, int flags);
/* ERR_IO with words: there was a tracker here and its file is gone, is empty
 * or, says the caller, is blank. */
int home_check_lost(const struct home *h, bool blank, struct err *e);
/* Writes .gitignore unless there is one. */
int home_ignore(const struct home *h, struct err *e);
/* desk_open, and a tracker is made also where one was lost, with this prefix;
 * empty: home_prefix. */
int desk_make(struct desk *d, const struct home *h, struct str prefix, msec now,
    struct err *e);

#endif
