/*
 * access.h - what a request may be about: one action on one resource.
 *
 * The names are those of the official server's auth handlers, `threads:create`,
 * and further ones for what only this server has.  A route names the action that
 * a caller needs; a policy gives or refuses it (policy.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AUTH_ACCESS_H
#define AUTH_ACCESS_H

#include "base/str.h"

#define ACCESS_MAP(X)                                                          \
	X(ASSISTANTS_CREATE,     "assistants:create")                          \
	X(ASSISTANTS_READ,       "assistants:read")                            \
	X(ASSISTANTS_UPDATE,     "assistants:update")                          \
	X(ASSISTANTS_DELETE,     "assistants:delete")                          \
	X(ASSISTANTS_SEARCH,     "assistants:search")                          \
	X(THREADS_CREATE,        "threads:create")                             \
	X(THREADS_READ,          "threads:read")     /* its runs and states */ \
	X(THREADS_UPDATE,        "threads:update")   /* cancelling a run too */\
	X(THREADS_DELETE,        "threads:delete")   /* a run of it too */     \
	X(THREADS_SEARCH,        "threads:search")                             \
	X(THREADS_CREATE_RUN,    "threads:create_run")                         \
	X(CRONS_CREATE,          "crons:create")                               \
	X(CRONS_READ,            "crons:read")                                 \
	X(CRONS_UPDATE,          "crons:update")                               \
	X(CRONS_DELETE,          "crons:delete")                               \
	X(CRONS_SEARCH,          "crons:search")                               \
	X(STORE_PUT,             "store:put")                                  \
	X(STORE_GET,             "store:get")                                  \
	X(STORE_SEARCH,          "store:search")                               \
	X(STORE_DELETE,          "store:delete")                               \
	X(STORE_LIST_NAMESPACES, "store:list_namespaces")                      \
	X(AGENTS_CREATE,         "agents:create")                              \
	X(AGENTS_READ,           "agents:read")                                \
	X(AGENTS_DELETE,         "agents:delete")                              \
	X(AGENTS_SEARCH,         "agents:search")                              \
	X(MESSAGES_SEND,         "messages:send")                              \
	X(MESSAGES_READ,         "messages:read")    /* and acknowledge */     \
	X(MESSAGES_UPDATE,       "messages:update")  /* dead letters */        \
	X(WORK_READ,             "work:read")                                  \
	X(WORK_UPDATE,           "work:update")                                \
	X(USAGE_READ,            "usage:read")                                 \
	X(WORKERS_SERVE,         "workers:serve")    /* with a worker's key only */ \
	X(WORKERS_READ,          "workers:read")     /* with scope admin, as the next */ \
	X(WORKERS_UPDATE,        "workers:update")                             \
	X(CLUSTER_READ,          "cluster:read")     /* the same */            \
	X(SETTINGS_READ,         "settings:read")    /* the same */            \
	X(WASM_PUT,              "wasm:put")         /* and roll back */       \
	X(WASM_READ,             "wasm:read")                                  \
	X(WASM_DELETE,           "wasm:delete")                                \
	X(WASM_SEARCH,           "wasm:search")                                \
	X(SESSIONS_CREATE,       "sessions:create")                            \
	X(SESSIONS_READ,         "sessions:read")                              \
	X(SESSIONS_DELETE,       "sessions:delete")                            \
	X(OWNERS_ERASE,          "owners:erase")     /* with scope admin */    \
	X(ADMIN_TRUNCATE,        "admin:truncate")

enum access {
	ACCESS_NONE,                         /* needs no credentials */
#define X(name, text) name,
	ACCESS_MAP(X)
#undef X
	ACCESS_N
};

/* "threads:create"; of ACCESS_NONE "none". */
const char *access_name(enum access a);
/* "threads" and "create" of it. */
struct str access_resource(enum access a);
struct str access_action(enum access a);

#endif
