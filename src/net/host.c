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

static bool
is_private_v4(const uint8_t *b)
{
	static const struct { uint8_t net[4]; unsigned bits; } nets[] = {
		{ { 0 }, 8 }, { { 10 }, 8 }, { { 100, 64 }, 10 }, { { 127 }, 8 },
		{ { 169, 254 }, 16 }, { { 172, 16 }, 12 }, { { 192, 0, 0 }, 24 },
		{ { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 224 }, 4 }, { { 240 }, 4 },
	};
	uint32_t address = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
	    b[3];

	for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
		const uint8_t *n = nets[i].net;
		uint32_t net = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 |
		    (uint32_t)n[2] << 8 | n[3];

		if (((address ^ net) >> (32 - nets[i].bits)) == 0)
			return true;
	}
	return false;
}

bool
host_is_private(struct str address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
	static const uint8_t zero[12];
	uint8_t b[16];
	size_t n = host_bytes(address, b);

	if (n == 4)
		return is_private_v4(b);
	if (n == 0)
		return false;
	if (memcmp(b, mapped, sizeof mapped) == 0 || memcmp(b, nat64, sizeof nat64) == 0 ||
	    memcmp(b, zero, sizeof zero) == 0)
		return is_private_v4(b + 12);
	if (b[0] == 0x20 && b[1] == 0x02)    /* 6to4 */
		return is_private_v4(b + 2);
	return (b[0] & 0xe0) != 0x20;        /* 2000::/3 is the public part */
}
