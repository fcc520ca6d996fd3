/*
 * fuzz_wasm_module.c - a module from outside: a guest, or any.  What is accepted can be
 * written, and is told of within its own bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "wasm/module.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_facts(const struct wasm_facts *f)
{
	if (f->handle_message >= (int)f->exports_n || f->alloc >= (int)f->exports_n ||
	    f->initialize >= (int)f->exports_n || f->drops_n > f->globals_n ||
	    f->imports >= 1u << WASM_IMPORTS || f->functions_n > LIMIT_WASM_FUNCTIONS)
		__builtin_trap();
	for (uint32_t i = 0; i < f->globals_n; i++)
		if (f->globals[i] > WASM_F64)
			__builtin_trap();
	for (uint32_t i = 0; i < f->tables_n; i++)
		if (f->tables_max[i] > LIMIT_WASM_TABLE)
			__builtin_trap();
}

static void
try_module(struct str bytes, bool any)
{
	struct arena a = ARENA(LIMIT_WASM_CHECK_BYTES);
	struct buf out = BUF(LIMIT_WASM_OUT_BYTES);
	struct wasm_module *m;
	struct err e = { 0 };
	int rc = wasm_module_read(&m, bytes, any, &a, &e);

	if (rc != OK && (m != NULL || e.text[0] == '\0' || (rc != ERR_INVALID && rc != ERR_TOOBIG)))
		__builtin_trap();
	if (rc == OK) {
		check_facts(wasm_module_facts(m));
		if (!any && wasm_module_facts(m)->handle_message < 0)
			__builtin_trap();
		if (wasm_module_write(m, &out) != OK)
			__builtin_trap();
	}
	arena_release(&a);
	buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str bytes = { (const char *)data, n };

	try_module(bytes, false);
	try_module(bytes, true);
	return 0;
}
