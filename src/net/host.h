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

/* An address of no use on the public internet: loopback, private, link-local (the
 * metadata services of clouds), multicast, reserved; IPv4 inside of IPv6, too. */
bool host_is_private(struct str address);

#endif
