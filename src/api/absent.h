/*
 * absent.h - what clients may send or ask for and this server does not do.
 *
 * A field of this API that is not supported is refused with 422 when it
 * carries anything but its default: silently ignoring it would change what
 * the client asked for.  A few are accepted without effect, because nothing
 * the client can see depends on them.  One table names the fields, a second
 * one the endpoints; the documentation of compatibility is made from both.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_ABSENT_H
#define API_ABSENT_H

#include "base/buf.h"

struct call;

/* Where a field may come; a route says which of them it is. */
enum place {
	PLACE_RUN = 1,                       /* POST runs, wait, stream */
	PLACE_THREAD_SEARCH = 2,             /* POST /threads/search */
	/* queries */
	PLACE_METRICS = 4                    /* GET /metrics */
};

struct absent_field {
	const char *name;
	const char *word;                    /* of a supported field: this alone */
	unsigned places;
	const char *why;                     /* or what to do instead */
	bool ignored;                        /* accepted without effect */
};

extern const struct absent_field absent_fields[];
extern const size_t absent_fields_n;

/* Refuses what the request's places do not support: a failure of c->in that
 * names the first such field. */
void absent_check(struct call *c, unsigned places);

struct absent_route {
	const char *method, *path;
	const char *name;                    /* "NAME is not supported yet" */
};

extern const struct absent_route absent_routes[];
extern const size_t absent_routes_n;

/* NULL: not one of them. */
const char *absent_route_name(struct str method, struct str path);

#endif
