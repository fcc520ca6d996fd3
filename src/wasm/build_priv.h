/*
 * build_priv.h - between the files of build.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_BUILD_PRIV_H
#define WASM_BUILD_PRIV_H

#include "wasm/build.h"

#include <stdatomic.h>

/* -- what is compiled (build_unit.c) -- */

struct wasm_unit {
	struct wasm_code *code;              /* without path and compiler yet */
	struct buf module, adapter;
	char key[65];                        /* name in the cache */
};
/* ERR_INVALID, ERR_TOOBIG: as wasm_module_read. */
int  wasm_unit_read(struct wasm_unit *u, struct str bytes, bool any, bool unmetered, struct err *e);
void wasm_unit_release(struct wasm_unit *u);

extern const char *const *const wasm_flags[];        /* by enum wasm_compiler; NULL-ended */
struct wasm_text { const char *file, *name, *text; };
extern const struct wasm_text wasm_runtime[];        /* headers; file NULL: the end */

/* The unit's C: it includes abi.h, wasm-rt.h, m.c and wasm-object.h.  The same for each
 * version of wasm2c (COHORT_WASM2C, a flag). */
void wasm_adapter_write(const struct wasm_facts *f, struct buf *out);

/* -- from a unit to an object (build_make.c) -- */

/* file: where the object is put, in dir, a folder that is empty. */
int  wasm_make(const struct wasm_unit *u, enum wasm_compiler compiler, const char *dir,
    msec time, const atomic_bool *stop, struct err *e);
#define WASM_MADE "out.so"

/* -- the cache (build_cache.c) -- */

int  wasm_cache_open(const char *cache, struct err *e);      /* makes it; ERR_IO, ERR_DENIED */
/* Fills path and compiler of u's code, and marks the object as used now. */
bool wasm_cache_find(const char *cache, struct wasm_unit *u, enum wasm_compiler compiler);
/* A folder for a build.  free() it after wasm_folder_remove. */
int  wasm_folder_new(char **out, const char *cache, struct err *e);
void wasm_folder_remove(const char *folder);
/* Copies what was made in the folder; then wasm_cache_find finds it. */
int  wasm_cache_put(const char *cache, const struct wasm_unit *u, enum wasm_compiler compiler,
    const char *folder, struct err *e);
/* The object in fd gets a stack that is not executable (build_elf.c). */
int  wasm_object_seal(int fd, struct err *e);
/* Removes what builds left that were killed, and the objects that are over. */
void wasm_cache_sweep(const char *cache);
/* Is it the path of a code of this process? (build.c) */
bool wasm_code_uses(const char *path);

/* -- what a child may do (build_lock.c) -- */

/* NULL: the list cannot be made here. */
struct sock_fprog;
const struct sock_fprog *wasm_calls_allowed(bool forks);
/* A Landlock ruleset: reads the system's programs and that of `program`; writes in dir.
 * *fd is -1 where the kernel has no Landlock.  ERR_IO. */
int  wasm_rules_new(int *fd, const char *dir, const char *program, struct err *e);
int  wasm_fd_move(int fd);

#endif
