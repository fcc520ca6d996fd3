/*
 * proxy.h - what proxies before the server say of their clients, and which are believed.
 *
 *   PROXY protocol, versions 1 and 2: a header before the connection's first byte
 *   X-Forwarded-For, X-Forwarded-Proto; else Forwarded (RFC 7239): of each request
 *
 * Whoever asks can write such a header, so it counts only as far as those that are trusted have
 * written it: of a list, which each proxy appends to, the entries are read from the
 * right as long as the one before is a trusted proxy's.
 *
 * No sockets, no clock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/http.h"

/* Where somebody is. */
struct proxy_hop {
	uint8_t address[16];
	unsigned n;                          /* 4 or 16 bytes of it; 0: a Unix socket */
	uint16_t port;                       /* 0: not known */
};

/* An IPv4 address inside of an IPv6 one becomes that. */
void proxy_hop_unmap(struct proxy_hop *hop);
/* "192.0.2.1:80", "[2001:db8::1]:80", HTTP_PEER_UNIX. */
#define PROXY_HOP_TEXT 64
void proxy_hop_text(const struct proxy_hop *hop, char out[PROXY_HOP_TEXT]);

struct proxy_trust;

/* list: addresses, NETWORK/BITS, and the word unix; empty: *out is NULL, which trusts nobody.
 * ERR_INVALID with the entry. */
int  proxy_trust_new(struct proxy_trust **out, struct str list, struct err *e);
void proxy_trust_free(struct proxy_trust *t);
bool proxy_trusts(const struct proxy_trust *t, const struct proxy_hop *hop);

enum proxy_got {
	PROXY_MORE,                          /* *need bytes, which are the header's */
	PROXY_CLIENT,                        /* it is whole, and *client is set */
	PROXY_ITSELF,                        /* it is whole: the proxy speaks for itself */
	PROXY_BAD                            /* *why */
};

/* header: all bytes up to here; none of what follows. */
enum proxy_got proxy_read(struct str header, size_t *need, struct proxy_hop *client,
    const char **why);

struct proxy_told {
	bool has_client;
	struct proxy_hop client;
	bool has_scheme, secure;             /* the client came by https, or by http */
};

/* Of a request that a trusted peer sent. */
void proxy_forwarded(const struct proxy_trust *t, const struct http_header *headers,
    size_t headers_n, struct proxy_told *out);

#endif
