/*
 * cors.h - what browsers are told about requests of other origins' pages.
 *
 * Whether such a page may use the server at all is origin.h's question; this is what
 * its browser must hear before it shows the answer.  By default every origin is
 * allowed, without credentials.  With credentials an answer names the origin, and only
 * one that the operator listed: never `*`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_CORS_H
#define API_CORS_H

#include "api/origin.h"
#include "net/http.h"

/* Lists are as in "a,b"; empty: the default. */
struct cors_rules {
	struct str methods;                  /* GET,HEAD,PUT,POST,DELETE,PATCH */
	struct str headers;                  /* what a preflight asks for */
	struct str expose;                   /* beside those that the API has */
	bool credentials;
	int64_t max_age_s;                   /* of a preflight's answer */
};

/* Headers every answer carries by default. */
#define API_CORS                                                              \
	"access-control-allow-origin: *\r\n"                                  \
	"access-control-expose-headers: " CORS_EXPOSED "\r\n"
#define CORS_EXPOSED                                                          \
	"content-location,location,x-pagination-total,x-pagination-next,"     \
	"x-search-truncated,warning,idempotency-replayed"

/* ERR_INVALID with the setting: names that are none, credentials for everybody. */
int  cors_rules_check(const struct cors_rules *c, const struct origin_rules *origins,
    struct err *e);

/* Header lines of an answer to r, and those that a preflight has beside them; in r's
 * arena, or static. */
struct str cors_lines(const struct cors_rules *c, const struct origin_rules *origins,
    struct http_req *r);
struct str cors_preflight(const struct cors_rules *c, struct http_req *r);

#endif
