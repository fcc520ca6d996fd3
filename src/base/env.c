/*
 * env.c - see env.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/env.h"

#include <string.h>

bool
env_names(const char *entry, struct str name)
{
	return strnlen(entry, name.n) == name.n && memcmp(entry, name.p, name.n) == 0 &&
	    entry[name.n] == '=';
}

const char *
env_find(char *const *env, struct str name)
{
	for (; env != NULL && *env != NULL; env++)
		if (env_names(*env, name))
			return *env + name.n + 1;
	return NULL;
}
