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

struct str
access_resource(enum access a)
{
	struct str s = str_of(access_name(a)), resource;

	(void)str_next(&s, ':', &resource);
	return resource;
}

struct str
access_action(enum access a)
{
	struct str s = str_of(access_name(a)), resource;

	(void)str_next(&s, ':', &resource);
	return s;
}
