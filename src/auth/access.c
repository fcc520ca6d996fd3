/*
 * access.c - the names of actions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "auth/access.h"

#include <assert.h>

static const char *const names[] = {
	"none",
#define X(name, text) text,
	ACCESS_MAP(X)
#undef X
};

const char *
access_name(enum access a)
{
	assert(a < ACCESS_N);
	return names[a];
}
