/*
 * ops.c - the registry with the builds and host processes that there are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/deploy/deploy_priv.h"

static const struct deploy_ops ops = {
	.code_hold = wasm_code_hold, .code_drop = wasm_code_drop,
	.build_start = wasm_build_start, .build_stop = wasm_build_stop,
	.build_cached = wasm_build_cached,
	.pool_new = wasm_pool_new, .pool_free = wasm_pool_free,
	.pool_replace = wasm_pool_replace,
	.instance_new = wasm_instance_new, .instance_answer = wasm_instance_answer,
	.instance_free = wasm_instance_free,
};

int
wasm_deploy_new(struct wasm_deploy **out, const struct wasm_deploy_options *o, struct err *e)
{
	return deploy_new_with(out, o, &ops, e);
}
