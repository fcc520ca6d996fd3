/*
 * access.c - what the caller may do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>

int
call_may(struct call *c, enum access a, struct str metadata_json)
{
	(void)metadata_json;
	api_call_check(c);
	assert(a != ACCESS_NONE);
	return OK;
}
