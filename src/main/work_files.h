/*
 * work_files.h - a file read whole, where one that is not there is empty.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WORK_FILES_H
#define MAIN_WORK_FILES_H

#include "base/buf.h"
#include "base/rc.h"

/* Appends.  ERR_IO, ERR_TOOBIG. */
int read_whole(const char *path, struct buf *out, struct err *e);

#endif
