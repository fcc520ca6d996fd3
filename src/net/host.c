/*
 * host.c - see host.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/host.h"

#include <arpa/inet.h>
#include <string.h>

size_t
host_bytes(struct str host, uint8_t out[16])
{
	char text[INET6_ADDRSTRLEN];

	if (host.n == 0 || host.n >= sizeof text)
		return 0;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET, text, out) == 1)
		return 4;
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

bool
host_is_literal(struct str host)
{
	uint8_t bytes[16];

	return host_bytes(host, bytes) != 0;
}

bool
host_is_loopback(struct str host)
{
	static const uint8_t one[16] = { [15] = 1 };
	uint8_t bytes[16];
	size_t n = host_bytes(host, bytes);

	if (n == 4)
		return bytes[0] == 127;
	if (n == 16)
		return memcmp(bytes, one, sizeof one) == 0;
	if (str_eq_nocase(host, S("localhost")))
		return true;
	return host.n > 10 &&
	    str_eq_nocase(str_sub(host, host.n - 10, 10), S(".localhost"));
}
