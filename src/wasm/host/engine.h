/*
 * engine.h - the guests of a host process: frames in, frames out.
 *
 * Frames are those of wasm/protocol.h.  The server is trusted by its host process, but what
 * cannot be is refused: ERR_INVALID, and the process ends.
 *
 * Threads: one.  There is one engine in a process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef HOST_ENGINE_H
#define HOST_ENGINE_H

#include "base/rc.h"
#include "base/str.h"
#include "wasm/protocol.h"

struct engine_options {
	size_t memory_max;                   /* the account (memory.h) */
	uint32_t instances_max;
	/* Takes a frame; n is not set.  Blocks while there is no room. */
	void (*put)(void *arg, const struct wasm_frame *f, const struct str *parts, size_t n);
	void *arg;
};

int  engine_setup(const struct engine_options *o, struct err *e);
/* The next object of the list. */
int  engine_load(const char *hash, const char *path, struct err *e);
/* Of START to STOP; body is borrowed. */
int  engine_frame(const struct wasm_frame *f, struct str body, struct err *e);
uint32_t engine_instances(void);

#endif
