/*
 * router.h - from method and path to a row of the routes table.
 *
 * Patterns are literal segments and {params}.  Patterns of one length are kept
 * together, more literal ones first, so `/runs/wait` wins over
 * `/runs/{run_id}`; a look-up compares whole segments of a few candidates.  A
 * segment contains no '/' and is not empty.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_ROUTER_H
#define API_ROUTER_H

#include "auth/access.h"
#include "base/buf.h"
#include "base/rc.h"

struct call;

enum { ROUTE_PARAMS = 2, ROUTE_SEGMENTS = 6 };

enum route_flags {
	ROUTE_OPEN = 1,                      /* needs no credentials */
	ROUTE_BODY = 2,                      /* reads a JSON object */
	ROUTE_STREAM = 4,                    /* answers text/event-stream */
	ROUTE_TEXT = 8,                      /* answers text/plain */
	ROUTE_PAGE = 32,                     /* answers text/html */
	ROUTE_ORIGIN = 64,                   /* the page's origin counts with auth too */
	ROUTE_BODY_OPTIONAL = 16,            /* with BODY: none will do */
	ROUTE_READS = 128,                   /* changes nothing: may be handled
	                                        again; see room.c */
	ROUTE_ARRAY = 512,                   /* with BODY: a JSON array */
	ROUTE_SLASH = 1024,                  /* also with one `/` behind its path */
	ROUTE_COMMANDS = 2048,               /* each command of it asks for an access of
	                                        its own; see command.h */
	ROUTE_SOCKET = 4096,                 /* may begin a WebSocket: takes tickets of
	                                        the thread, its first parameter */
	ROUTE_KEEPS = 16384,                 /* with BODY: it is kept, however large: another node
	                                        may turn out to be the one that takes it */
	ROUTE_MODULE = 8192,                 /* reads a module of WebAssembly */
	ROUTE_OWNER = 32768,                 /* `owner`: operators may name whose it is about */
	ROUTE_ACL = 256                      /* with BODY: messages of other content
	                                        types too; see messages.c */
};

struct route {
	const char *method, *path;
	enum access access;                  /* what a caller must be allowed */
	unsigned flags;
	size_t body_max;
	int (*handle)(struct call *c);
	const char *summary;
	const char *request;                 /* what it takes; NULL: nothing */
	const char *response;                /* what it answers */
	int status;                          /* of success */
	unsigned places;                     /* enum place: fields that are refused */
	unsigned arg;                        /* the handler's */
	const char *operation;               /* of the tracker, whose arguments it
	                                        takes besides `request`; or NULL */
};

struct router;

/* The table must outlive it.  Two rows of one method and shape are a bug. */
struct router *router_new(const struct route *table, size_t n);
void router_free(struct router *rt);

/* OK, ERR_NOTFOUND (no such path), ERR_METHOD (the path has others; ask
 * router_allow).  HEAD finds GET.  param borrows from path. */
int  router_find(const struct router *rt, struct str method, struct str path,
    const struct route **route, struct str param[ROUTE_PARAMS]);
/* "GET, HEAD, POST, OPTIONS" for the path; nothing when there is none. */
void router_allow(const struct router *rt, struct str path, struct buf *out);

#endif
