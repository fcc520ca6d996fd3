/*
 * place.h - a file that is written beside its place and then takes it, whole and
 * durably, so that who reads it sees the old one or the new one.
 *
 * While it is written it is PATH.tmp.PID, locked; one that nobody has locked was
 * left by a writer that was killed, and the next one for that place removes it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WORK_PLACE_H
#define MAIN_WORK_PLACE_H

#include "base/buf.h"
#include "base/rc.h"

struct place {
	int fd;                              /* -1: not begun, or over */
	char *path, *temp;
	uint64_t bytes;                      /* so far */
};

/* All return ERR_IO with the path.  Release in any case: what did not end is
 * removed. */
int place_begin(struct place *p, const char *path, struct err *e);
int place_add(struct place *p, struct str text, struct err *e);
/* It is on the disk, under its name. */
int place_end(struct place *p, struct err *e);
void place_release(struct place *p);

/* Removes what killed writers left of PATH, or of all whose paths begin so. */
void place_sweep(const char *path);

/* All of a text at once. */
int work_write_file(const char *path, struct str text, struct err *e);
int place_write(int fd, struct str text);    /* all of it; ERR_IO with errno */

#endif
