/*
 * wasm_host_fix.h - modules in text, compiled and loaded in this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_WASM_HOST_FIX_H
#define UNIT_WASM_HOST_FIX_H

#include "base/str.h"
#include "wasm/host/guest.h"

/* The path of the object of a module; compiler: "tcc" or "gcc".  Wants wat2wasm and wasm2c. */
const char *fix_object(const char *wat, const char *compiler);

/* Memories, stacks and hooks of a process with so much memory; what guests say is written
 * down in fix_said, a line each: `log 1 TEXT`, `send TEXT`, `ask 4 NAME BODY`. */
void fix_guests(size_t memory_bytes);
extern char fix_said[4096];

#define FIX_HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* The usual limits, and time enough for a busy machine. */
struct guest_limits fix_limits(void);

/* A loaded module of that text, for ever. */
struct object *fix_load(const char *wat, const char *compiler);
/* An instance of it, started. */
struct guest *fix_started(struct object *o);
/* Calls an export by its name with i32 arguments, up to the first that is not given; *result:
 * slot 0. */
enum guest_end fix_invoke(struct guest *g, const char *name, uint64_t *result, size_t n, const uint64_t *args);

#define INVOKE(g, name, result, ...) \
	fix_invoke((g), (name), (result), COUNT(((uint64_t[]){ 0, __VA_ARGS__ })) - 1, \
	    (uint64_t[]){ 0, __VA_ARGS__ } + 1)

#endif
