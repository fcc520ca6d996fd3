/*
 * module_import.c - what a guest may import: names and signatures, as
 * include/cohort_guest.h has them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/module_priv.h"

const char *const wasm_import_names[] = {
	[WASM_LOG] = "log",
	[WASM_NOW_MS] = "now_ms",
	[WASM_SEND] = "send",
	[WASM_REPLY] = "reply",
	[WASM_STORE_GET] = "store_get",
	[WASM_STORE_PUT] = "store_put",
	[WASM_TOOL_CALL] = "tool_call",
	[WASM_IMPORTS] = NULL,
};

static const enum wasm_type i32s[] = { WASM_I32, WASM_I32, WASM_I32, WASM_I32, WASM_I32, WASM_I32 };
static const enum wasm_type i64s[] = { WASM_I64 };

const struct wasm_signature wasm_import_signatures[WASM_IMPORTS] = {
	[WASM_LOG] = { .params = i32s, .params_n = 3 },
	[WASM_NOW_MS] = { .results = i64s, .results_n = 1 },
	[WASM_SEND] = { .params = i32s, .params_n = 2, .results = i32s, .results_n = 1 },
	[WASM_REPLY] = { .params = i32s, .params_n = 2, .results = i32s, .results_n = 1 },
	[WASM_STORE_GET] = { .params = i32s, .params_n = 4, .results = i32s, .results_n = 1 },
	[WASM_STORE_PUT] = { .params = i32s, .params_n = 4, .results = i32s, .results_n = 1 },
	[WASM_TOOL_CALL] = { .params = i32s, .params_n = 6, .results = i32s, .results_n = 1 },
};
