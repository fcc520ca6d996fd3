/*
 * bulk.h - what commands about many objects of a server share: ages, and whose they are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_BULK_H
#define MAIN_BULK_H

#include "base/flags.h"
#include "main/remote.h"

#define BULK_OWNER_FLAG                                                           \
	{ "owner", .kind = FLAG_TEXT, .value = "NAME",                            \
	  .help = "of this owner; needs the scope admin" }

/* "1h" as seconds.  ERR_INVALID: it names --older. */
int bulk_age(struct str s, int64_t *out, struct err *e);

/* Every request from now on is about this owner.  ERR_INVALID: that is no name. */
int bulk_about(struct remote *r, struct str owner, struct err *e);
/* The same by the flag, if it is given. */
int bulk_about_flag(struct remote *r, const struct flag_line *l, struct err *e);

#endif
