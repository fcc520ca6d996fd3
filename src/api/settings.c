/*
 * settings.c - GET /settings: what the server was started with, and where it stands.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

int
api_settings(struct call *c)
{
	buf_add(call_out(c), c->api->shared->o.settings);
	return call_json(c, STR_NONE);
}
