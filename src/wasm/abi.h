/*
 * abi.h - between a compiled module, which is a shared object, and the host process that
 * loads it.  The object has one symbol, `cohort_wasm_object`.
 *
 * This file is compiled with every module, by gcc and by tcc, so it includes only the
 * standard.  State that is not an instance's (fuel, depth) is static in the object: one
 * thread runs guests in a host process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_ABI_H
#define WASM_ABI_H

#include <stddef.h>
#include <stdint.h>

#define WASM_ABI 1

/* Why a call ended early. */
#define WASM_TRAP_MAP(X)                                                        \
	X(NONE, "none")                                                         \
	X(MEMORY, "an address out of bounds")                                   \
	X(INT_OVERFLOW, "integer overflow")                                     \
	X(DIV_BY_ZERO, "integer division by zero")                              \
	X(CONVERSION, "a number that cannot be converted to an integer")        \
	X(UNREACHABLE, "unreachable code")                                      \
	X(CALL_INDIRECT, "an indirect call of no function, or of another type") \
	X(DEPTH, "calls nested too deeply")                                     \
	X(FUEL, "out of fuel")                                                  \
	X(TIME, "out of time")                                                  \
	X(HOST_CALLS, "too many host calls")                                    \
	X(MEMORY_START, "more memory at the start than it may have")            \
	X(HOST_MEMORY, "no memory left for another guest in the host process")  \
	X(ANSWER, "a bad result of alloc")                                      \
	X(OTHER, "a fault of the host process")
enum wasm_trap {
#define X(name, text) WASM_TRAP_##name,
	WASM_TRAP_MAP(X)
#undef X
	WASM_TRAPS
};

/* What the host gives an object, before all else. */
struct wasm_env {
	/* Does not return. */
	void (*trap)(int why);
	/* 8 GiB of addresses, so many pages of them usable and zero; *pages_max is lowered
	 * to what the instance may have.  Traps. */
	uint8_t *(*memory_new)(uint32_t pages, uint32_t *pages_max);
	int  (*memory_grow)(uint8_t *data, uint32_t pages, uint32_t more);   /* 0: done */
	void (*memory_free)(uint8_t *data);
	void *(*table_new)(void *old, size_t bytes);         /* as realloc; NULL: no room */
	void (*table_free)(void *p);
	/* A host call of the running instance, `which` of enum wasm_import; the i32 are
	 * zero-extended.  Comes back with the result, or traps after it was done. */
	uint64_t (*host_call)(unsigned which, const uint64_t *args);
};

struct wasm_meter { int64_t fuel; uint32_t depth, depth_max; };

struct wasm_object {
	uint32_t abi;
	uint32_t instance_bytes;             /* the caller gives them, zeroed, 16-aligned */
	uint32_t exports_n, globals_n, tables_n, refs_n;
	uint32_t drops_n;                    /* passive segments: the last so many globals */
	uint32_t has_start;                  /* 1: instantiate runs code of the guest */
	/* By export: NUL-ended name; types "iIfFr>iIfFr", parameters before results, r a
	 * reference. */
	const char *const *export_names, *const *export_types;
	const uint8_t *globals;              /* bytes of each: 4, 8; 0: a reference */
	void (*bind)(const struct wasm_env *env);
	/* Its memory, tables and segments; runs `start`.  Traps; then release all the same. */
	void (*instantiate)(void *instance);
	void (*release)(void *instance);
	/* Around each call. */
	void (*meter_set)(const struct wasm_meter *m);
	void (*meter_get)(struct wasm_meter *m);
	/* Export n of wasm_facts: arguments in, results out, from slot 0; f32 in the low half.
	 * NULL where a type is a reference. */
	void (*const *exports)(void *instance, uint64_t *slots);
	/* The exports of a guest, called directly.  NULL: the module is not a guest. */
	uint32_t (*alloc)(void *instance, uint32_t n);
	uint32_t (*handle_message)(void *instance, uint32_t ptr, uint32_t n);
	/* `_initialize`, once after instantiate and not before a restore.  NULL: none. */
	void (*initialize)(void *instance);
	/* State; both NULL without a memory.  memory_grow: 0: done, or it has so many. */
	uint8_t *(*memory)(void *instance, uint32_t *pages);
	int  (*memory_grow)(void *instance, uint32_t to_pages);
	void *(*global)(void *instance, uint32_t k);         /* to 4 or 8 bytes */
	/* refs: once an object, with any instance, before table_get and table_put; it and drop
	 * are not metered.  NULL: refs and table_put, where tables do not change; drop, without
	 * passive segments. */
	void (*refs)(void *instance);
	uint32_t (*table_size)(void *instance, uint32_t k);
	int  (*table_grow)(void *instance, uint32_t k, uint32_t to);         /* 0: done */
	int32_t (*table_get)(void *instance, uint32_t k, uint32_t at);       /* -1: null */
	void (*table_put)(void *instance, uint32_t k, uint32_t at, int32_t ref);
	void (*drop)(void *instance, uint32_t segment);
};

extern const struct wasm_object cohort_wasm_object;

#endif
