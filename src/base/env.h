/*
 * env.h - variables of an environment that is passed along: NULL-ended "NAME=value"
 * strings, as environ(7) has them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/str.h"

/* Is the entry NAME's?  No entry is of a name with a NUL byte. */
bool env_names(const char *entry, struct str name);
/* Its value, which is the entry's; NULL: not set, or env is NULL. */
const char *env_find(char *const *env, struct str name);

#endif
