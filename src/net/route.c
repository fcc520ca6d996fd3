/*
 * route.c - see route.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "net/route.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
starts_nocase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq_nocase(str_sub(s, 0, prefix.n), prefix);
}

static struct str
rest_from(struct str s, size_t at)
{
	return str_sub(s, at, s.n);
}

/* Splits "host", "host:port", "[v6]" or "[v6]:port". */
static int
split_authority(struct str text, struct route *r, struct err *e)
{
	struct str port = STR_NONE;
	uint64_t number;
	ptrdiff_t at;

	if (text.n > 0 && text.p[0] == '[') {
		at = str_index(text, ']');
		if (at < 0)
			return err_set(e, ERR_INVALID, "url: no ] after the address");
		r->host = str_sub(text, 1, (size_t)at - 1);
		port = rest_from(text, (size_t)at + 1);
		if (!host_is_literal(r->host) || (port.n > 0 && port.p[0] != ':'))
			return err_set(e, ERR_INVALID, "url: bad address in [ ]");
	} else {
		at = str_index(text, ':');
		r->host = at < 0 ? text : str_sub(text, 0, (size_t)at);
		port = at < 0 ? STR_NONE : rest_from(text, (size_t)at);
	}
	if (r->host.n == 0 || r->host.n > ROUTE_HOST_MAX)
		return err_set(e, ERR_INVALID, "url: no host, or too long a name");
	if (port.n > 1) {
		if (!str_to_u64(rest_from(port, 1), &number) || number == 0 ||
		    number > UINT16_MAX)
			return err_set(e, ERR_INVALID, "url: bad port");
		r->port = (uint16_t)number;
	}
	r->literal = host_is_literal(r->host);
	return OK;
}

/* The part up to the path; what is before '@' is left out of the host. */
static int
parse_after_scheme(struct str rest, struct route *r, struct err *e)
{
	struct str authority;
	size_t end = 0, user = 0;

	while (end < rest.n && strchr("/?#", rest.p[end]) == NULL) {
		unsigned char c = (unsigned char)rest.p[end];

		if (c <= ' ' || c == 0x7f || c == '\\')
			return err_set(e, ERR_INVALID, "url: bad character in the host");
		if (c == '@')
			user = end + 1;
		end++;
	}
	authority = str_sub(rest, user, end - user);
	r->path = rest_from(rest, end);
	return split_authority(authority, r, e);
}

int
route_parse(struct str url, struct route *out, struct err *e)
{
	*out = (struct route){ .port = 80 };
	if (starts_nocase(url, S("http://")))
		return parse_after_scheme(rest_from(url, 7), out, e);
	if (!starts_nocase(url, S("https://")))
		return err_set(e, ERR_INVALID, "url: must begin with http:// or https://");
	out->tls = true;
	out->port = 443;
	return parse_after_scheme(rest_from(url, 8), out, e);
}

/* The first of a NULL-ended list of variables that is set and not empty. */
static const char *
env_first(const char *const *names)
{
	for (; *names != NULL; names++) {
		const char *value = getenv(*names);

		if (value != NULL && value[0] != '\0')
			return value;
	}
	return NULL;
}

/* A proxy's URL may lack the scheme; http:// is meant then. */
static int
proxy_set(struct proxy *p, const char *value, struct err *e)
{
	static const struct { struct str prefix; uint16_t port; } schemes[] = {
		{ { "http://", 7 }, 1080 }, { { "https://", 8 }, 443 },
		{ { "socks5h://", 10 }, 1080 },
	};
	struct str text = str_of(value);

	if (value == NULL)
		return OK;
	if (strstr(value, "://") == NULL) {
		p->url = mem_alloc(text.n + 8);
		memcpy(p->url, "http://", 7);
		memcpy(p->url + 7, text.p, text.n + 1);
	} else {
		p->url = mem_cstr(text);
	}
	text = str_of(p->url);
	for (size_t i = 0; i < COUNT(schemes); i++) {
		if (!starts_nocase(text, schemes[i].prefix))
			continue;
		p->route = (struct route){ .port = schemes[i].port };
		return parse_after_scheme(rest_from(text, schemes[i].prefix.n),
		    &p->route, e);
	}
	return err_set(e, ERR_INVALID,
	    "proxy from the environment: only http, https and socks5h are supported");
}

int
proxies_load(struct proxies *p, struct err *e)
{
	static const char *const plain[] = { "http_proxy", "all_proxy", "ALL_PROXY", NULL };
	static const char *const tls[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
	    "ALL_PROXY", NULL };
	static const char *const none[] = { "no_proxy", "NO_PROXY", NULL };
	const char *bypass = env_first(none);
	int rc;

	*p = (struct proxies){ 0 };
	rc = proxy_set(&p->plain, env_first(plain), e);
	if (rc == OK)
		rc = proxy_set(&p->tls, env_first(tls), e);
	if (rc == OK && bypass != NULL)
		p->bypass = mem_cstr(str_of(bypass));
	if (rc != OK)
		proxies_release(p);
	return rc;
}

void
proxies_release(struct proxies *p)
{
	free(p->plain.url);
	free(p->tls.url);
	free(p->bypass);
	*p = (struct proxies){ 0 };
}

/* "10.0.0.0/8" against an address. */
static bool
in_network(struct str network, struct str host)
{
	uint8_t net[16], address[16];
	ptrdiff_t slash = str_index(network, '/');
	size_t n = host_bytes(host, address);
	uint64_t bits;

	if (slash < 0 || n == 0 ||
	    host_bytes(str_sub(network, 0, (size_t)slash), net) != n ||
	    !str_to_u64(rest_from(network, (size_t)slash + 1), &bits) || bits > n * 8)
		return false;
	for (size_t i = 0; i < n && bits > 0; i++) {
		unsigned take = bits > 8 ? 8 : (unsigned)bits;
		unsigned mask = 0xffu << (8 - take) & 0xffu;

		if (((net[i] ^ address[i]) & mask) != 0)
			return false;
		bits -= take;
	}
	return true;
}

/* One word of no_proxy: a domain with all below it, an address, a network. */
static bool
bypasses(struct str word, struct str host)
{
	struct str tail;

	if (word.n > 0 && word.p[0] == '.')
		word = rest_from(word, 1);
	if (word.n == 0)
		return false;
	if (str_eq(word, S("*")) || str_eq_nocase(word, host) || in_network(word, host))
		return true;
	if (host.n <= word.n || host_is_literal(host))
		return false;
	tail = rest_from(host, host.n - word.n);
	return host.p[host.n - word.n - 1] == '.' && str_eq_nocase(tail, word);
}

const struct proxy *
proxies_pick(const struct proxies *p, const struct route *r)
{
	const struct proxy *pick = r->tls ? &p->tls : &p->plain;
	struct str rest = str_of(p->bypass), part;

	if (pick->url == NULL || host_is_loopback(r->host))
		return NULL;
	while (str_next(&rest, ',', &part)) {
		struct str word;

		part = str_trim(part);
		while (str_next(&part, ' ', &word))
			if (bypasses(word, r->host))
				return NULL;
	}
	return pick;
}
