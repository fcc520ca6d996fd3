/*
 * build.h - from a module to a shared object that a host process loads.
 *
 *   module.c (check, meter) -> wasm2c -> adapter.c -> tcc or gcc -> cache
 *
 * wasm2c and the compilers run one after another in a child process each, which may read
 * /usr and the like, write its own folder and use no network, with limits of time, memory
 * and file size (build_child.h).
 *
 * The cache is a folder (0700, its owner's): HASH.tcc.so and HASH.gcc.so, HASH being
 * SHA-256 of the metered module, the runtime headers, the adapter, the flags and the version
 * of the compiler's ABI (not of the compiler: a server without one finds what another built).
 * A file is written under another name, synced and renamed.  Objects that no code of this
 * process uses go, the longest unused first, when there are more than LIMIT_WASM_CACHE_BYTES.
 *
 * Threads: wasm_build_start and _stop, those of the shard; all else, any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_BUILD_H
#define WASM_BUILD_H

#include "net/shard.h"
#include "wasm/module.h"

enum wasm_compiler { WASM_TCC, WASM_GCC, WASM_COMPILERS };
extern const char *const wasm_compiler_names[];

/* Which of the programs are here, for `cohort wasm check`, doctor and errors. */
struct wasm_tools { char wasm2c[64], wat2wasm[64], tcc[64], gcc[64]; };  /* versions; empty: missing */
void wasm_tools_find(struct wasm_tools *out);        /* runs each; some ms */

/* A compiled module; immutable, shared by the shards, counted. */
struct wasm_code {
	_Atomic uint32_t refs;
	char hash[65];                       /* of the original bytes, SHA-256 in hex */
	const struct wasm_facts *facts;
	struct str path;                     /* of the object */
	enum wasm_compiler compiler;
	struct arena arena;
	struct wasm_code *next;              /* build.c's */
};
struct wasm_code *wasm_code_hold(struct wasm_code *c);
void wasm_code_drop(struct wasm_code *c);    /* NULL is fine */

/* One build; calls back on the shard.  done: once, later: the code (held for the caller) or
 * e.  ERR_INVALID: the module is refused, with words; ERR_NOTFOUND: a program is missing and
 * the cache has nothing: says which, and the command that installs it; ERR_TIMEOUT, ERR_IO,
 * ERR_LIMIT: too many builds wait.  At most LIMIT_WASM_BUILDS children at once a process. */
struct wasm_build {
	struct str bytes;                    /* copied */
	enum wasm_compiler compiler;
	bool any;                            /* module.h */
	bool unmetered;                      /* wasm_module_unmeter: never for a guest of a server */
	msec time;                           /* of each program; 0: LIMIT_WASM_BUILD_MS */
	void (*done)(struct wasm_build *b, int rc, struct wasm_code *code, const struct err *e);
	void *build_data;
	struct wasm_job *job;                /* build.c's */
};
void wasm_build_start(struct shard *s, const char *cache, struct wasm_build *b);
void wasm_build_stop(struct wasm_build *b);          /* done does not come */
/* What the cache has, at once; gcc's before tcc's.  ERR_NOTFOUND; else as a build. */
int  wasm_build_cached(struct wasm_code **out, const char *cache, struct str bytes, bool any,
    struct err *e);

/* A module in the text format, appended as bytes; wat2wasm runs in a child, some ms.
 * ERR_INVALID: with its words; ERR_NOTFOUND: no wat2wasm; ERR_TIMEOUT; ERR_IO. */
int  wasm_text_read(const char *cache, struct str text, struct buf *out, struct err *e);
bool wasm_is_text(struct str bytes);         /* no WebAssembly binary, perhaps a text */

#endif
