/*
 * build_child.h - one program run on input that is not trusted: wasm2c, a compiler.
 *
 * The child has an empty environment but for PATH and its folder, a process group of its
 * own, limits of CPU time, memory and file size, and at least nice 10.  It cannot gain privileges
 * (no_new_privs) and may make only the system calls of a list: no network, no ptrace, no
 * mount, no signal to others, no change of modes or owners, and no other process unless
 * `forks`.  Where the kernel has Landlock it reads /usr, /lib and the program's own folder
 * only, and writes its folder only; there it executes nothing.
 *
 * Threads: any; waits for the child's end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_BUILD_CHILD_H
#define WASM_BUILD_CHILD_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rc.h"

struct wasm_child {
	const char *const *argv;             /* argv[0]: a path; NULL-ended */
	const char *dir;                     /* its folder, absolute, where it starts; NULL: none */
	msec time;                           /* after that it is killed, with what it started */
	bool forks;                          /* gcc runs cc1, as and ld */
	const atomic_bool *stop;             /* set from elsewhere: killed; may be NULL */
};

/* said: what it printed, as much as fits.  ERR_NOTFOUND: no such program; ERR_TIMEOUT;
 * ERR_CANCELLED; ERR_INVALID: it failed, or a signal ended it; ERR_IO: it could not be
 * started, or not be locked in. */
int wasm_child_run(const struct wasm_child *c, struct buf *said, struct err *e);

/* Does the kernel keep a child in its folder (Landlock)? */
bool wasm_child_is_confined(void);

/* The path of a program, by PATH; false: it is not here. */
bool wasm_program_find(const char *name, char *out, size_t size);

#endif
