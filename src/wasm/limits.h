/*
 * limits.h - what a guest may have, in the words of a query, a flag or a file:
 *
 *   memory   16MB, 65536        bytes, in pages of 64 KB
 *   fuel     100000000          of one call
 *   cpu      5ms, 500us, 1s     of one call; without a unit, milliseconds
 *   depth    1000               calls of functions within each other
 *   message  1MB                bytes of one that it gets or makes
 *   rate     100                messages a second that one agent handles
 *   allow    log,reply,...      host calls; "all", "none"
 *
 * Pure.  Threads: any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_LIMITS_H
#define WASM_LIMITS_H

#include "base/buf.h"
#include "wasm/pool.h"

/* What a guest may call where nothing is said: what stays within its own conversation. */
#define WASM_ALLOW_USUAL (1u << WASM_LOG | 1u << WASM_NOW_MS | 1u << WASM_REPLY)

/* memory, fuel, cpu, depth, message, rate; NULL-ended. */
extern const char *const wasm_limit_names[];

/* Sets the one of that name.  ERR_INVALID: "NAME: expected ..., got ..."; ERR_NOTFOUND: none
 * has that name. */
int  wasm_limit_set(struct wasm_limits *l, uint32_t *rate, struct str name, struct str text,
    struct err *e);
/* Adds names with commas or blanks between.  ERR_INVALID: an unknown name. */
int  wasm_allow_read(uint32_t *mask, struct str names, struct err *e);

/* What is in force: 'memory':N,'fuel':N,'cpu_us':N,'depth':N,'message':N,'rate':N as members
 * of an object (bytes; rate 0: any). */
void wasm_limits_add_json(struct buf *b, const struct wasm_limits *l, uint32_t rate);
void wasm_allow_add_json(struct buf *b, uint32_t mask);      /* ["log","reply"] */

#endif
