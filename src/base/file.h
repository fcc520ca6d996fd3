/*
 * file.h - a whole file in memory, and back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/rc.h"

/* Appends a file.  ERR_NOTFOUND: there is none; ERR_IO; ERR_TOOBIG: past out's
 * maximum.  The words begin with its path. */
int file_add(const char *path, struct buf *out, struct err *e);
/* The same of an open file, from where it stands, and without its path.  wait:
 * before each read; its failure ends it; may be NULL. */
int file_add_fd(int fd, struct buf *out, int (*wait)(struct err *e), struct err *e);

/* Writes all of it; ERR_IO, and errno says why. */
int file_write(int fd, struct str s);

/* A file with this content; ERR_IO with the path. */
int file_put(const char *path, struct str s, struct err *e);

/* Makes the names in a folder durable, or in the folder that a path is in: what was made,
 * renamed or removed there.  ERR_IO with the folder. */
int file_sync_folder(const char *folder, struct err *e);
int file_sync_folder_of(const char *path, struct err *e);

/* The first file of that name beside this executable or in the folder `also`,
 * relative to it ("../bin/").  ERR_NOTFOUND; ERR_IO. */
int file_beside(const char *name, const char *also, char *out, size_t size,
    struct err *e);

/* The beginning of a file, as much as fits with a NUL after it; empty when it
 * cannot be read.  Does not wait for a pipe's writer. */
struct str file_head(const char *path, char *out, size_t size);

#endif
