/*
 * replace.h - replaces a file whole and durably: it is written under another name
 * and renamed, so that a reader sees the old file or the new one.
 *
 * The other name is PATH.tmp.PID, locked while it is written.  One that is not
 * locked was left by a writer that was killed; the next writer removes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_REPLACE_H
#define WORKCLI_REPLACE_H

#include "base/buf.h"
#include "base/rc.h"

struct replace {
	int fd;                              /* -1: not begun, or ended */
	char *path, *temp;
	uint64_t bytes;                      /* so far */
};

/* All return ERR_IO with the path.  Release in any case: that removes the file if
 * replace_end did not succeed. */
int replace_begin(struct replace *p, const char *path, struct err *e);
int replace_add(struct replace *p, struct str text, struct err *e);
/* Syncs the file and renames it. */
int replace_end(struct replace *p, struct err *e);
void replace_release(struct replace *p);

/* Removes files that killed writers left, for all paths that begin with `path`. */
void replace_sweep(const char *path);

/* All steps, for one text. */
int replace_file(const char *path, struct str text, struct err *e);

#endif
