/*
 * wasm_folder.h - modules that agents of the folder name (agent/wasm.h), on their way to the
 * registry.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WASM_FOLDER_H
#define MAIN_WASM_FOLDER_H

#include "agent/agent.h"
#include "wasm/deploy/deploy.h"

struct guest_files;

struct folder;
/* cache: where texts are made modules (build.h); borrowed, as f is. */
struct guest_files *guest_files_new(struct wasm_deploy *d, const char *cache,
    const struct folder *f);
void guest_files_free(struct guest_files *g);        /* NULL: nothing */

/* Reads the modules of these agents again and tells the registry.  One that cannot be read is
 * logged, once for what is wrong, and stays as it was.  Any thread, one at a time; takes as
 * long as the disk and wat2wasm do. */
void guest_files_read(struct guest_files *g, const struct agents *set);

/* Is the agent's module there, and does it keep to what its file says?  ERR_INVALID, ... with
 * `file:line:column: wasm.module: words`.  OK for an agent that has none. */
int  guest_files_check(const struct agent *a, struct err *e);

/* May the file of that name be a module's? */
bool guest_files_takes(struct str name);

#endif
