/*
 * host.h - what a host's name alone tells.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <stdint.h>
#include "base/str.h"

/* Reads an address as 4 or 16 bytes; the number of bytes, 0 for a name. */
size_t host_bytes(struct str host, uint8_t out[16]);
/* An address, IPv4 or IPv6 without brackets; not a name. */
bool host_is_literal(struct str host);
/* localhost and names below it (RFC 6761 section 6.3), 127.0.0.0/8, ::1. */
bool host_is_loopback(struct str host);
/* 0.0.0.0 or ::, however written: to listen there is to listen on all addresses. */
bool host_is_any(struct str host);

/* What an address is for.  IPv4 inside of IPv6 (mapped, NAT64, 6to4) counts as the
 * IPv4 address. */
enum host_kind {
	HOST_NAME,                           /* no address */
	HOST_PUBLIC,
	HOST_LOOPBACK,                       /* 127.0.0.0/8, ::1 */
	HOST_PRIVATE,                        /* RFC 1918, 100.64.0.0/10, fc00::/7 */
	HOST_LINK_LOCAL,                     /* the metadata services of clouds are here */
	HOST_RESERVED                        /* 0.0.0.0, multicast, all others */
};
extern const char *const host_kind_names[];  /* "loopback" */
/* A set of kinds, for client_request.refuse. */
#define HOST_BIT(kind) (1u << (kind))
#define HOST_NOT_PUBLIC (HOST_BIT(HOST_LOOPBACK) | HOST_BIT(HOST_PRIVATE) | \
	HOST_BIT(HOST_LINK_LOCAL) | HOST_BIT(HOST_RESERVED))
enum host_kind host_kind(struct str address);
/* Of 4 or 16 bytes in network order. */
enum host_kind host_kind_bytes(const uint8_t *address, size_t n);

/* Are the first `bits` bits of address those of net?  Both in network order. */
bool host_is_in(const uint8_t *address, const uint8_t *net, unsigned bits);

/* The address of "127.0.0.1:4242" or "[::1]:4242"; what has no port whole.  Borrowed. */
struct str host_of_peer(struct str peer);

/* Not public, and no name. */
bool host_is_private(struct str address);

/* Neither a name nor an address as it is written, but read as an IPv4 address by
 * many programs: 2130706433, 0x7f.1, 0177.0.0.1, 127.1. */
bool host_is_number(struct str host);

#endif
