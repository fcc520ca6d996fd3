/*
 * route.h - where a URL leads: host, port, TLS, and through which proxy.
 *
 * The proxies are read from the environment once, by libcurl's names and
 * rules (http_proxy only in small letters; https_proxy, all_proxy, no_proxy in
 * both), because whoever resolves names must know whether it is the proxy's
 * name or the host's.  Loopback is never sent through a proxy.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include "base/rc.h"
#include "base/str.h"
#include "net/host.h"

#define ROUTE_HOST_MAX 253                   /* RFC 1035: a name as text */

struct route {
	struct str host;                     /* without brackets */
	struct str path;                     /* from '/', '?' or '#'; may be empty */
	uint16_t port;
	bool tls, literal;                   /* literal: an address, not a name */
};

/* Borrows from url.  ERR_INVALID: neither http nor https, no host, bad port. */
int route_parse(struct str url, struct route *out, struct err *e);


struct proxy {
	char *url;                           /* NULL: none */
	struct route route;                  /* of url */
};

struct proxies {
	struct proxy plain, tls;             /* for http: and for https: */
	char *bypass;                        /* no_proxy, or NULL */
};

/* ERR_INVALID: a scheme we cannot use (http, https and socks5h are fine). */
int  proxies_load(struct proxies *p, struct err *e);
void proxies_release(struct proxies *p);

/* The proxy for this route; NULL: straight there. */
const struct proxy *proxies_pick(const struct proxies *p, const struct route *r);

#endif
