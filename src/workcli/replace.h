/*
 * replace.h - a file that is written beside its path and then replaces it, whole and
 * durably, so that who reads it sees the old one or the new one.
 *
 * While it is written it is PATH.tmp.PID, locked; one that nobody has locked was
 * left by a writer that was killed, and the next one for that place removes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_REPLACE_H
#define WORKCLI_REPLACE_H

#include "base/buf.h"
#include "base/rc.h"

struct replace {
	int fd;                              /* -1: not begun, or over */
	char *path, *temp;
	uint64_t bytes;                      /* so far */
};

/* All return ERR_IO with the path.  Release in any case: what did not end is
 * removed. */
int replace_begin(struct replace *p, const char *path, struct err *e);
int replace_add(struct replace *p, struct str text, struct err *e);
/* It is on the disk, under its name. */
int replace_end(struct replace *p, struct err *e);
void replace_release(struct replace *p);

/* Removes what killed writers left of PATH, or of all whose paths begin so. */
void replace_sweep(const char *path);

/* All of a text at once. */
int replace_file(const char *path, struct str text, struct err *e);

#endif
