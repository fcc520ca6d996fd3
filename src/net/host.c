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

bool
host_is_any(struct str host)
{
	static const uint8_t none[16];
	uint8_t bytes[16];
	size_t n = host_bytes(host, bytes);

	return n > 0 && memcmp(bytes, none, n) == 0;
}

const char *const host_kind_names[] = { "unknown", "public", "loopback", "private",
	"link-local", "reserved", NULL };

/* The one table of addresses: what is in no row is public in IPv4 and in 2000::/3. */
static const struct {
	uint8_t net[16];
	unsigned n, bits;                    /* n: 4 or 16 bytes */
	enum host_kind kind;
} nets[] = {
	{ { 0 }, 4, 8, HOST_RESERVED }, { { 10 }, 4, 8, HOST_PRIVATE },
	{ { 100, 64 }, 4, 10, HOST_PRIVATE }, { { 127 }, 4, 8, HOST_LOOPBACK },
	{ { 169, 254 }, 4, 16, HOST_LINK_LOCAL }, { { 172, 16 }, 4, 12, HOST_PRIVATE },
	{ { 192, 0, 0 }, 4, 24, HOST_RESERVED }, { { 192, 168 }, 4, 16, HOST_PRIVATE },
	{ { 198, 18 }, 4, 15, HOST_RESERVED }, { { 224 }, 4, 4, HOST_RESERVED },
	{ { 240 }, 4, 4, HOST_RESERVED },
	{ { [15] = 1 }, 16, 128, HOST_LOOPBACK },
	{ { 0xfc }, 16, 7, HOST_PRIVATE }, { { 0xfe, 0x80 }, 16, 10, HOST_LINK_LOCAL },
	{ { 0x20, 0x01 }, 16, 32, HOST_RESERVED },   /* Teredo: hides an IPv4 address */
};

/* Where an IPv4 address stands in an IPv6 one. */
static const struct { uint8_t net[12]; unsigned bits, at; } inside[] = {
	{ { [10] = 0xff, [11] = 0xff }, 96, 12 },    /* mapped */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, 12 },      /* NAT64 */
	{ { 0x20, 0x02 }, 16, 2 },                   /* 6to4 */
};

bool
host_is_in(const uint8_t *address, const uint8_t *net, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(address, net, whole) == 0 && (rest == 0 ||
	    ((address[whole] ^ net[whole]) >> (8 - rest)) == 0);
}

enum host_kind
host_kind_bytes(const uint8_t *address, size_t n)
{
	for (size_t i = 0; i < COUNT(nets); i++)
		if (nets[i].n == n && host_is_in(address, nets[i].net, nets[i].bits))
			return nets[i].kind;
	if (n == 4)
		return HOST_PUBLIC;
	for (size_t i = 0; i < COUNT(inside); i++)
		if (host_is_in(address, inside[i].net, inside[i].bits))
			return host_kind_bytes(address + inside[i].at, 4);
	return (address[0] & 0xe0) == 0x20 ? HOST_PUBLIC : HOST_RESERVED;
}

enum host_kind
host_kind(struct str address)
{
	uint8_t bytes[16];
	size_t n = host_bytes(address, bytes);

	return n == 0 ? HOST_NAME : host_kind_bytes(bytes, n);
}

struct str
host_of_peer(struct str peer)
{
	size_t n = peer.n;

	while (n > 0 && peer.p[n - 1] != ':')
		n--;
	if (n > 0)
		peer.n = n - 1;
	return peer.n > 2 && peer.p[0] == '[' ? str_sub(peer, 1, peer.n - 2) : peer;
}

bool
host_is_private(struct str address)
{
	return host_kind(address) > HOST_PUBLIC;
}

static bool
all_of(struct str s, const char *digits)
{
	for (size_t i = 0; i < s.n; i++)
		if (!str_char_in(s.p[i], digits))
			return false;
	return s.n > 0;
}

bool
host_is_number(struct str host)
{
	struct str last = host;

	if (host_is_literal(host))
		return false;
	if (last.n > 0 && last.p[last.n - 1] == '.')
		last.n--;
	for (size_t i = last.n; i > 0; i--)
		if (last.p[i - 1] == '.') {
			last = str_sub(last, i, last.n - i);
			break;
		}
	if (last.n > 2 && last.p[0] == '0' && (last.p[1] == 'x' || last.p[1] == 'X'))
		return all_of(str_sub(last, 2, last.n - 2), "0123456789abcdefABCDEF");
	return all_of(last, "0123456789");
}
