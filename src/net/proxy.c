/*
 * proxy.c - see proxy.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "net/host.h"

struct net {
	uint8_t address[16];
	unsigned n, bits;                    /* n 0: Unix sockets */
};

struct proxy_trust {
	size_t n;
	struct net at[];
};

/* ---- addresses ---------------------------------------------------------------- */

/* One that listens on [::] sees IPv4 clients as ::ffff:a.b.c.d. */
static void
unmap(uint8_t *address, unsigned *n)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (*n != 16 || memcmp(address, mapped, sizeof mapped) != 0)
		return;
	memmove(address, address + 12, 4);
	memset(address + 4, 0, 12);
	*n = 4;
}

void
proxy_hop_unmap(struct proxy_hop *hop)
{
	unmap(hop->address, &hop->n);
}

static bool
read_host(struct str text, struct proxy_hop *out)
{
	*out = (struct proxy_hop){ .n = 0 };
	out->n = (unsigned)host_bytes(text, out->address);
	unmap(out->address, &out->n);
	return out->n != 0;
}

static bool
read_port(struct str text, uint16_t *out)
{
	int64_t n;

	if (text.n == 0 || text.n > 5 || !str_to_i64(text, &n) || n < 0 || n > UINT16_MAX)
		return false;
	*out = (uint16_t)n;
	return true;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static bool
read_node(struct str text, struct proxy_hop *out)
{
	ptrdiff_t end;
	struct str port = STR_NONE;

	if (read_host(text, out))
		return true;
	if (text.n > 0 && text.p[0] == '[') {
		end = str_index(text, ']');
		if (end < 0)
			return false;
		port = str_sub(text, (size_t)end + 1, text.n);
		text = str_sub(text, 1, (size_t)end - 1);
		if (str_index(text, ':') < 0 || (port.n > 0 && port.p[0] != ':'))
			return false;
		port = str_sub(port, 1, port.n);
	} else {
		end = str_index(text, ':');
		if (end < 0)
			return false;
		port = str_sub(text, (size_t)end + 1, text.n);
		text = str_sub(text, 0, (size_t)end);
		if (port.n == 0)
			return false;
	}
	return read_host(text, out) && (port.n == 0 || read_port(port, &out->port));
}

void
proxy_hop_text(const struct proxy_hop *hop, char out[PROXY_HOP_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (hop->n == 0) {
		snprintf(out, PROXY_HOP_TEXT, "%s", HTTP_PEER_UNIX);
		return;
	}
	inet_ntop(hop->n == 4 ? AF_INET : AF_INET6, hop->address, host, sizeof host);
	snprintf(out, PROXY_HOP_TEXT, hop->n == 4 ? "%s:%u" : "[%s]:%u", host, hop->port);
}

/* ---- trust -------------------------------------------------------------------- */

static bool
read_net(struct str text, struct net *out)
{
	ptrdiff_t slash = str_index(text, '/');
	struct str host = slash < 0 ? text : str_sub(text, 0, (size_t)slash);
	int64_t bits;

	*out = (struct net){ .n = 0 };
	if (str_eq(text, S("unix")))
		return true;
	out->n = (unsigned)host_bytes(host, out->address);
	if (out->n == 0)
		return false;
	out->bits = out->n * 8;
	if (slash < 0) {
		unmap(out->address, &out->n);
		out->bits = out->n * 8;
		return true;
	}
	if (!str_to_i64(str_sub(text, (size_t)slash + 1, text.n), &bits) || bits < 0 ||
	    bits > out->bits)
		return false;
	out->bits = (unsigned)bits;
	return true;
}

int
proxy_trust_new(struct proxy_trust **out, struct str list, struct err *e)
{
	struct proxy_trust *t;
	struct str one;

	*out = NULL;
	if (list.n == 0)
		return OK;
	t = mem_zero(sizeof *t + LIMIT_PROXY_NETS * sizeof t->at[0]);
	while (list.n > 0 && str_next(&list, ',', &one)) {
		one = str_trim(one);
		if (t->n == LIMIT_PROXY_NETS || !read_net(one, &t->at[t->n])) {
			int rc = t->n == LIMIT_PROXY_NETS ? err_set(e, ERR_INVALID,
			    "expected at most %d entries", LIMIT_PROXY_NETS) :
			    err_set(e, ERR_INVALID, "expected an address, a network as 10.0.0.0/8, or "
			    "unix, got \"%.*s\"", FMT(str_sub(one, 0, 100)));

			free(t);
			return rc;
		}
		t->n++;
	}
	*out = t;
	return OK;
}

void
proxy_trust_free(struct proxy_trust *t)
{
	free(t);
}

bool
proxy_trusts(const struct proxy_trust *t, const struct proxy_hop *hop)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		if (t->at[i].n == hop->n &&
		    (hop->n == 0 || host_is_in(hop->address, t->at[i].address, t->at[i].bits)))
			return true;
	return false;
}

/* ---- the PROXY protocol --------------------------------------------------------- */

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
#define SIGNATURE  (sizeof signature - 1)
#define V2_HEAD    16
#define V1_LEAST   15                        /* "PROXY UNKNOWN\r\n" */
#define V1_MOST    107

static const char not_proxy[] = "expected a header of the PROXY protocol";

static unsigned
word_at(struct str s, size_t at)
{
	return (unsigned)(uint8_t)s.p[at] << 8 | (uint8_t)s.p[at + 1];
}

static enum proxy_got
read_v2(struct str h, size_t *need, struct proxy_hop *client, const char **why)
{
	static const struct { unsigned family, n; } kinds[] = { { 0x11, 4 }, { 0x21, 16 } };
	unsigned command, family;
	size_t length;

	*need = V2_HEAD - h.n;
	if (h.n < V2_HEAD)
		return PROXY_MORE;
	command = (uint8_t)h.p[12];
	family = (uint8_t)h.p[13];
	length = word_at(h, 14);
	*why = "a header of the PROXY protocol that is too long";
	if (length > LIMIT_PROXY_BYTES - V2_HEAD)
		return PROXY_BAD;
	*why = "a command of the PROXY protocol that is not known";
	if (command != 0x20 && command != 0x21)
		return PROXY_BAD;
	*need = V2_HEAD + length - h.n;
	if (*need > 0)
		return PROXY_MORE;
	if (command == 0x20 || family == 0x00 || family == 0x31)
		return PROXY_ITSELF;         /* a check, or who came by no network */
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (kinds[i].family != family || length < 2 * kinds[i].n + 4)
			continue;
		*client = (struct proxy_hop){ .n = kinds[i].n,
		    .port = (uint16_t)word_at(h, V2_HEAD + 2 * kinds[i].n) };
		memcpy(client->address, h.p + V2_HEAD, kinds[i].n);
		unmap(client->address, &client->n);
		return PROXY_CLIENT;
	}
	*why = "a header of the PROXY protocol with addresses that are not of TCP";
	return PROXY_BAD;
}

/* line: without its end. */
static enum proxy_got
read_v1_line(struct str line, struct proxy_hop *client, const char **why)
{
	struct str word[6], part;
	struct proxy_hop server;
	size_t n = 0;

	*why = "a PROXY line that cannot be read";
	while (str_next(&line, ' ', &part)) {
		if (n == COUNT(word))
			return PROXY_BAD;
		word[n++] = part;
	}
	/* What follows UNKNOWN is to be ignored. */
	if (n >= 2 && str_eq(word[1], S("UNKNOWN")))
		return PROXY_ITSELF;
	if (n != COUNT(word) || (!str_eq(word[1], S("TCP4")) && !str_eq(word[1], S("TCP6"))))
		return PROXY_BAD;
	if (!read_host(word[2], client) || !read_host(word[3], &server) ||
	    !read_port(word[4], &client->port) || !read_port(word[5], &server.port) ||
	    (str_index(word[2], ':') < 0) != str_eq(word[1], S("TCP4")))
		return PROXY_BAD;
	return PROXY_CLIENT;
}

static enum proxy_got
read_v1(struct str h, size_t *need, struct proxy_hop *client, const char **why)
{
	*need = h.n < V1_LEAST ? V1_LEAST - h.n : 1;
	*why = "a line of the PROXY protocol without an end";
	if (h.n >= V1_LEAST && str_ends(h, S("\r\n")))
		return read_v1_line(str_sub(h, 0, h.n - 2), client, why);
	return h.n < V1_MOST ? PROXY_MORE : PROXY_BAD;
}

static bool
begins(struct str h, const char *with, size_t n)
{
	return memcmp(h.p, with, h.n < n ? h.n : n) == 0;
}

enum proxy_got
proxy_read(struct str header, size_t *need, struct proxy_hop *client, const char **why)
{
	*need = V1_LEAST;
	if (header.n == 0)
		return PROXY_MORE;
	if (begins(header, signature, SIGNATURE))
		return read_v2(header, need, client, why);
	if (begins(header, "PROXY ", 6))
		return read_v1(header, need, client, why);
	*why = not_proxy;
	return PROXY_BAD;
}

/* ---- headers of requests ---------------------------------------------------------- */

/* The last of all entries, in their order. */
struct entries {
	struct str at[LIMIT_PROXY_HOPS];
	size_t n;
	bool any;                            /* there is such a header */
};

static void
add_entry(struct entries *es, struct str one)
{
	if (es->n == LIMIT_PROXY_HOPS)
		memmove(&es->at[0], &es->at[1], --es->n * sizeof es->at[0]);
	es->at[es->n++] = str_trim(one);
}

/* Cuts up to a sep that is not in quotes. */
static struct str
cut(struct str *rest, char sep)
{
	struct str all = *rest;
	bool quoted = false;
	size_t i = 0;

	for (; i < all.n && (quoted || all.p[i] != sep); i++) {
		if (all.p[i] == '"')
			quoted = !quoted;
		else if (quoted && all.p[i] == '\\' && i + 1 < all.n)
			i++;
	}
	*rest = str_sub(all, i + 1, all.n);
	return str_sub(all, 0, i);
}

static void
collect(const struct http_header *headers, size_t n, struct str name, struct entries *out)
{
	struct str rest;

	out->n = 0;
	out->any = false;
	for (size_t i = 0; i < n; i++) {
		if (!str_eq_nocase(headers[i].name, name))
			continue;
		out->any = true;
		for (rest = headers[i].value; rest.n > 0; )
			add_entry(out, cut(&rest, ','));
	}
}

/* The parameter's value, without quotes; what has escapes is no address and no scheme. */
static struct str
parameter(struct str entry, struct str name)
{
	while (entry.n > 0) {
		struct str pair = str_trim(cut(&entry, ';')), value;
		ptrdiff_t eq = str_index(pair, '=');

		if (eq < 0 || !str_eq_nocase(str_sub(pair, 0, (size_t)eq), name))
			continue;
		value = str_sub(pair, (size_t)eq + 1, pair.n);
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = str_sub(value, 1, value.n - 2);
		return value;
	}
	return STR_NONE;
}

static void
set_scheme(struct proxy_told *out, struct str scheme)
{
	bool secure = str_eq_nocase(scheme, S("https")) || str_eq_nocase(scheme, S("wss"));

	if (!secure && !str_eq_nocase(scheme, S("http")) && !str_eq_nocase(scheme, S("ws")))
		return;
	out->has_scheme = true;
	out->secure = secure;
}

/* How many entries are the client's way, from the right; the last of them is the client. */
static size_t
walk(const struct proxy_trust *t, const struct entries *es, bool named, struct proxy_told *out)
{
	struct proxy_hop hop;
	size_t used = 0;

	while (used < es->n) {
		struct str entry = es->at[es->n - 1 - used];

		if (!read_node(named ? parameter(entry, S("for")) : entry, &hop))
			break;               /* "unknown", "_hidden": nobody says who */
		used++;
		out->client = hop;
		out->has_client = true;
		if (!proxy_trusts(t, &hop))
			break;
	}
	return used;
}

void
proxy_forwarded(const struct proxy_trust *t, const struct http_header *headers,
    size_t headers_n, struct proxy_told *out)
{
	struct entries hops, schemes;
	size_t used;

	*out = (struct proxy_told){ .has_client = false };
	collect(headers, headers_n, S("x-forwarded-for"), &hops);
	collect(headers, headers_n, S("x-forwarded-proto"), &schemes);
	if (hops.any || schemes.any) {
		used = walk(t, &hops, false, out);
		used = used == 0 ? 1 : used;
		if (schemes.n > 0)
			set_scheme(out, schemes.at[schemes.n - (used < schemes.n ? used :
			    schemes.n)]);
		return;
	}
	collect(headers, headers_n, S("forwarded"), &hops);
	used = walk(t, &hops, true, out);
	if (hops.n > 0)
		set_scheme(out, parameter(hops.at[hops.n - (used == 0 ? 1 : used)], S("proto")));
}
