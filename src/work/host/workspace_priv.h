/*
 * workspace_priv.h - what the files of a workspace share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_HOST_WORKSPACE_PRIV_H
#define WORK_HOST_WORKSPACE_PRIV_H

#include "base/limits.h"
#include "work/host/host.h"

/* The prefix a new tracker there would have. */
void workspace_prefix(const struct workspace *h, char out[LIMIT_WORK_PREFIX_BYTES + 1]);
/* Opens a file of ours there, which is made (0600) if it is missing.  What
 * somebody else may have put in its place is refused: a link, another's file,
 * anything that is not a file.  -1: errno says why. */
int workspace_open_file(const char *path, int flags);
/* ERR_IO with words: there was a tracker here and its file is gone, is empty
 * or, says the caller, is blank. */
int workspace_check_lost(const struct workspace *h, bool blank, struct err *e);
/* Writes .gitignore unless there is one. */
int workspace_ignore(const struct workspace *h, struct err *e);
/* workdb_open, and a tracker is made also where one was lost, with this prefix;
 * empty: workspace_prefix. */
int workdb_make(struct workdb *d, const struct workspace *h, struct str prefix, msec now,
    struct err *e);

#endif
