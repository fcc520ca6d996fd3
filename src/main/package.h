/*
 * package.h - a folder as a package: its files, and a hash over all of them.
 *
 *   hash = SHA-256 of the text that has for each file, in the order of the bytes of the paths,
 *   the line
 *          64 digits of the SHA-256 of its content, two blanks, its path, \n
 *
 * which is what `sha256sum` prints.  Paths are relative to the folder.  Folders without a file,
 * modes, owners and times do not count.  Names that begin with '.', end with '~' or stand
 * between two '#' are left out, with all below them.  A link, a special file and a path that
 * package_path_check refuses make it no package.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_PACKAGE_H
#define MAIN_PACKAGE_H

#include "base/buf.h"
#include "base/rc.h"

#define PACKAGE_HASH 64                      /* digits */
#define PACKAGE_LOCK "agents.lock"

struct package_file {
	char *path;
	char hash[PACKAGE_HASH];
	struct buf text;                     /* of the agents' files in the folder itself */
};

struct package {
	struct package_file *files;          /* by path */
	size_t n, cap;
	uint64_t bytes;
	char hash[PACKAGE_HASH];
};

/* Reads the folder `path`, relative to the open folder `at` (AT_FDCWD: the working folder);
 * shown: how errors call it.  ERR_NOTFOUND, ERR_IO, ERR_INVALID, ERR_TOOBIG. */
int  package_read(struct package *p, int at, const char *path, const char *shown, struct err *e);
void package_release(struct package *p);
/* NULL: it has no such file. */
const struct package_file *package_find(const struct package *p, struct str path);
bool package_has_hash(const struct package *p, const char hash[PACKAGE_HASH]);

/* Is a file or folder of that name left out?  And any part of that path? */
bool package_ignores(struct str name);
bool package_ignores_path(struct str path);
/* Parts with '/' between them, none of them `.`, `..` or empty; UTF-8, without control
 * characters and backslashes; no longer and no deeper than the limits. */
int  package_path_check(struct str path, struct err *e);

/* What agents.lock says: lines `sha256:DIGITS  NAME`, as `cohort agent hash` prints them; `#`
 * begins a comment.  NAME is a folder beside the file. */
struct pin { char *name, hash[PACKAGE_HASH]; unsigned line; };
struct pins { struct pin *at; size_t n, cap; };
int  pins_read(struct pins *p, struct str text, const char *file, struct err *e);
void pins_release(struct pins *p);

#endif
