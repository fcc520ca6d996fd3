/*
 * wasm_local.h - modules on this machine, without a server: read, checked, compiled.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WASM_LOCAL_H
#define MAIN_WASM_LOCAL_H

#include "base/flags.h"
#include "wasm/build.h"
#include "wasm/limits.h"

/* --cache, or the user's own: $XDG_CACHE_HOME/cohort/wasm, ~/.cache/cohort/wasm. */
#define WASM_CACHE_FLAG                                                           \
	{ "cache", .kind = FLAG_TEXT, .value = "DIR", .help = "where compiled modules are " \
	  "kept; a server's is wasm.cache; default: that of the user" }
int  wasm_local_cache_user(char *out, size_t size, struct err *e);
int  wasm_local_cache(const struct flag_line *l, char *out, size_t size, struct err *e);

/* The flags of a guest's limits, and their values. */
#define WASM_LIMIT_FLAGS                                                          \
	{ "memory", .kind = FLAG_TEXT, .value = "BYTES", .help = "memory, as in 16MB; that is " \
	  "the usual" },                                                          \
	{ "fuel", .kind = FLAG_TEXT, .value = "N", .help = "about one an instruction, of each " \
	  "call; 100000000" },                                                    \
	{ "cpu", .kind = FLAG_TEXT, .value = "TIME", .help = "of each call; 5ms" }, \
	{ "depth", .kind = FLAG_TEXT, .value = "N", .help = "calls of functions within each " \
	  "other; 1000" },                                                        \
	{ "message-max", .kind = FLAG_TEXT, .value = "BYTES", .help = "of a message to it or " \
	  "of it; 1MB" },                                                         \
	{ "rate", .kind = FLAG_TEXT, .value = "N", .help = "messages a second that one agent " \
	  "handles; any" }
int  wasm_local_limits(const struct flag_line *l, struct wasm_limits *out, uint32_t *rate,
    struct err *e);

/* A module; the text format is made one. */
int  wasm_local_read(struct buf *out, struct str path, struct err *e);

/* Takes turns of s until it is compiled, or found in the cache (*took 0).  any: as
 * wasm_module_read has it. */
struct wasm_local_build { const char *cache; struct str bytes; enum wasm_compiler compiler; bool any; };
int  wasm_local_build(struct wasm_code **out, struct shard *s, const struct wasm_local_build *w,
    nsec *took, struct err *e);

/* The path of cohort-wasm-host. */
int  wasm_local_host(char *out, size_t size, struct err *e);

#endif
