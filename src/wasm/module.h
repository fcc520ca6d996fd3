/*
 * module.h - a WebAssembly module from outside: checked, then made into one that can be
 * compiled and metered.
 *
 * wasm_module_read reads the binary strictly (WebAssembly core specification 2.0, section 5)
 * and refuses what a guest may not have: imports that are not of include/cohort_guest.h,
 * names outside [A-Za-z0-9_.-], threads, exceptions, memory64, several memories, SIMD, tail
 * calls.  wasm2c checks it all once more, in its own way.
 *
 * wasm_module_write makes the module that is compiled.  It has no custom section and no name
 * of the guest's; its functions and state are found by exports of fixed names:
 *
 *   e0, e1, ...   the functions that the guest exports, in its order
 *   m             its memory
 *   g0, g1, ...   its mutable globals that are numbers, in order; after them one i32 for each
 *                 passive segment that an instruction can drop, not 0: it was dropped
 *   t0, t1, ...   its tables; after them `r`, a table of every function that can be in a
 *                 table, which is empty until x_refs is called
 *   x_refs ()     fills `r`; x_drop (i32): drops the segment of the nth such i32
 *   x_put (i32 table, i32 at, i32 ref)   puts entry `ref` of `r` there
 *                 (only those that the module needs are there: struct wasm_facts)
 * Its imports are of module "h": i0, i1, ... by enum wasm_import, of those that are used, and
 *   f (i64)                    what comes costs so much fuel
 *   b (i32 n, i32 shift) -> i32   n; it costs n >> shift more
 *   Fuel is charged at the start of a function and at the head of each loop, for the
 *   instructions up to the next such place, one each; and by length for memory.fill,
 *   memory.copy, memory.init (1 a 16 bytes), table.fill, table.copy, table.init (1 an
 *   entry).  The runtime charges table.grow (1 an entry) and memory.grow (64 a page), unless
 *   the growth is over the maximum and so denied.
 *
 * Pure.  Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_MODULE_H
#define WASM_MODULE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rc.h"

/* What a guest may import from "cohort", in the order of wasm_import_names; one bit each in
 * an `allow` mask: 1u << WASM_SEND. */
enum wasm_import {
	WASM_LOG,            /* (i32 level, i32 ptr, i32 len) */
	WASM_NOW_MS,         /* () -> i64 */
	WASM_SEND,           /* (i32 ptr, i32 len) -> i32 */
	WASM_REPLY,          /* (i32 ptr, i32 len) -> i32 */
	WASM_STORE_GET,      /* (i32 key, i32 key_len, i32 out, i32 out_cap) -> i32 */
	WASM_STORE_PUT,      /* (i32 key, i32 key_len, i32 value, i32 value_len) -> i32 */
	WASM_TOOL_CALL,      /* (i32 name, i32 name_len, i32 args, i32 args_len, i32 out, i32 out_cap) -> i32 */
	WASM_IMPORTS
};
extern const char *const wasm_import_names[];        /* "log", ...; NULL-ended */

enum wasm_type { WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_FUNCREF, WASM_EXTERNREF };

struct wasm_signature {
	const enum wasm_type *params, *results;
	uint32_t params_n, results_n;
};

struct wasm_export {                         /* a function */
	struct str name;
	const struct wasm_signature *type;
};

struct wasm_facts {
	const struct wasm_export *exports;
	uint32_t exports_n;
	/* Places in exports; -1: it has none.  initialize: `_initialize`, of a reactor. */
	int handle_message, alloc, initialize;
	uint32_t imports;                    /* a bit each; only what a function may call */
	const enum wasm_type *globals;       /* g0, ...: mutable ones, then segments */
	uint32_t globals_n;
	uint32_t tables_n;                   /* without `r` */
	const uint32_t *tables_max;          /* of each, at most LIMIT_WASM_TABLE */
	uint32_t refs_n;                     /* entries of `r`; 0: no `r` and no x_refs */
	uint32_t drops_n;                    /* passive segments that an instruction can drop */
	bool tables_change;                  /* by an instruction: else x_put is not there */
	bool has_memory, has_start;
	uint32_t pages, pages_max;           /* of its memory; pages_max UINT32_MAX: none is said */
	uint32_t functions_n;                /* with code */
};

/* A guest has handle_message, alloc and a memory; `any`: other modules too (tests of the
 * language).  Texts, names and all are in a, which outlives m; bytes are needed until it is
 * written. */
struct wasm_module;
int  wasm_module_read(struct wasm_module **out, struct str bytes, bool any, struct arena *a,
    struct err *e);          /* ERR_INVALID, ERR_TOOBIG (words name section, function, offset) */
const struct wasm_facts *wasm_module_facts(const struct wasm_module *m);
/* It is written without the fuel of its loops and functions; only to measure what that takes. */
void wasm_module_unmeter(struct wasm_module *m);
/* Appends the module that is compiled.  ERR_TOOBIG. */
int  wasm_module_write(const struct wasm_module *m, struct buf *out);

#endif
