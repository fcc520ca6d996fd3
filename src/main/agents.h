/*
 * agents.h - the agents a server has: the built-in ones and those of a folder.
 *
 * What the folder says is taken as a set, which is made anew and linked anew
 * whenever a file has changed.  A file that is broken is logged, once for what is
 * wrong, and its last good version stays; so does what others still call.
 *
 * Threads: one, but for the sets, which any may hold.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_AGENTS_H
#define MAIN_AGENTS_H

#include "agent/agent.h"

struct folder;
struct langgraph;
struct models;

/* Reads every *.yaml, *.yml, *.json and *.scxml file of the folder (path empty: none);
 * folders inside it are not looked into, and names that begin with '.' are not.
 * A file with the id of a built-in agent replaces it.  agents.lock names folders inside it,
 * whose files are agents as well, and the hash that each must have (package.h): where one
 * differs, it is an error here; folder_read leaves its agents as they were.  ERR_NOTFOUND,
 * ERR_IO: the folder.  more: files beside it, whose agents have the names that it gives them; each
 * must be there and good, or it is ERR_INVALID. */
int  folder_open(struct folder **out, struct str path, const struct langgraph *more,
    const struct models *m, struct str model, struct err *e);
void folder_free(struct folder *f);          /* NULL: nothing */

/* Reads it again.  True: there is another set.  A folder that cannot be read is
 * logged, and nothing changes. */
bool folder_read(struct folder *f);
/* The newest set; hold it. */
struct agents *folder_agents(const struct folder *f);

/* Has the file that content, if it is in a package?  For what the set's agents name beside
 * their files.  ERR_CONFLICT. */
int  folder_vouch(const struct folder *f, struct str path, struct str content, struct err *e);

/* Would a server begin with all of the folder?  Each mistake is told, as `path/file: words`.
 * What depends on the server's models is not looked at. */
bool folder_check(struct str path, void (*tell)(void *ctx, const char *text), void *ctx);

/* May that file be an agent's? */
bool folder_takes(struct str name);
const char *folder_path(const struct folder *f);     /* NULL: none */

#endif
