/*
 * migration.h - what a start would do to a database file of an earlier version.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_MIGRATION_H
#define STORE_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rc.h"

#define MIGRATION_PARTS 8

struct store_guest;

/* Tables of one room: of the store, or of a guest. */
struct migration_part {
	const char *name;
	int version, newest;                 /* version 0: they are not there yet */
};

struct migration {
	struct migration_part part[MIGRATION_PARTS];
	int n;
	bool due;                            /* some part has steps to come */
	bool copies;                         /* the file is copied first: it has data */
	int64_t bytes, room;                 /* of that copy; free on the file's disk */
};

/* Changes nothing.  ERR_NOTFOUND: there is no file; ERR_INVALID: another program's, or newer;
 * ERR_IO.  guests: NULL-ended, or NULL. */
int  store_migration_look(struct migration *m, const char *path, const char *layer,
    const struct store_guest *const *guests, struct err *e);

#endif
