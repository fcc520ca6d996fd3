/*
 * origin.h - may this page, under this host name, use the server at all?
 *
 * A browser sends requests to a loopback address for any page that asks it
 * to: text/plain needs no preflight, and a name that resolves to 127.0.0.1
 * makes a foreign page same-origin (DNS rebinding).  Without auth nothing else
 * tells a person from a page, so the server looks at Host and Origin.
 * With auth a page needs a token, which no browser adds by itself, or the
 * cookie of a session, which counts for this server's own pages only (session.h).
 *
 *   Host    without auth on loopback: a loopback name, or one of allowed-hosts
 *   Origin  absent, loopback, one of cors-origins (`*`: all), or as the pattern says;
 *           with auth and neither of them any, but for MCP (its specification asks
 *           for a check)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_ORIGIN_H
#define API_ORIGIN_H

#include "base/rc.h"
#include "base/str.h"

/* Of whole origins: a POSIX extended regular expression. */
struct origin_pattern;

struct origin_rules {
	struct str allowed_hosts;            /* "name,name:port"; may be empty */
	struct str cors_origins;             /* "https://a,http://b:1", "*"; may be empty */
	const struct origin_pattern *pattern;        /* NULL: none */
	bool auth;                           /* credentials are asked for */
	bool check_host;                     /* listens on loopback, not --insecure */
};

/* ERR_INVALID with the entry that can match nothing. */
int  origin_rules_check(const struct origin_rules *rules, struct err *e);

/* Empty text: *out is NULL.  ERR_INVALID: it is none, or another dialect's. */
int  origin_pattern_new(struct origin_pattern **out, struct str text, struct err *e);
void origin_pattern_free(struct origin_pattern *p);  /* NULL: nothing */

/* Is it one of cors-origins, or as the pattern says?  `*` and `null` name nobody. */
bool origin_is_named(const struct origin_rules *rules, struct str origin);

/* host and origin: the headers, empty when absent.  always: the Origin rule
 * holds with auth too.  ERR_DENIED with the setting that would allow it. */
int  origin_check(const struct origin_rules *rules, struct str host,
    struct str origin, bool always, struct err *e);

/* The host of "host", "host:80", "[::1]:80", without a final dot; empty when
 * the text is not a host with an optional port. */
struct str origin_host(struct str authority);

/* Does a request that a browser gave a cookie come from a page of this server's own?
 * fetch_site: the header Sec-Fetch-Site, which no page can set and which counts alone
 * where it is there; else the page's origin must be the host's.  safe: it changes
 * nothing, and neither need be there.  ERR_DENIED. */
int  origin_own_check(struct str host, struct str origin, struct str fetch_site,
    bool safe, struct err *e);

#endif
