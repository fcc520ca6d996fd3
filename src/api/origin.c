/*
 * origin.c - see origin.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/origin.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/host.h"

#define ORIGIN_MAX 300                       /* a scheme, a name of DNS, a port */

struct origin_pattern { regex_t regex; };

struct str
origin_host(struct str authority)
{
	struct str name = authority, port = STR_NONE;
	ptrdiff_t end = str_index(authority, authority.n > 0 &&
	    authority.p[0] == '[' ? ']' : ':');

	if (authority.n > 0 && authority.p[0] == '[') {
		if (end < 0)
			return STR_NONE;
		name = str_sub(authority, 1, (size_t)end - 1);
		port = str_sub(authority, (size_t)end + 1, authority.n);
		if (port.n > 0 && port.p[0] != ':')
			return STR_NONE;
		port = str_sub(port, 1, port.n);
	} else if (end >= 0) {
		name = str_sub(authority, 0, (size_t)end);
		port = str_sub(authority, (size_t)end + 1, authority.n);
	}
	for (size_t i = 0; i < port.n; i++) {
		if (port.p[i] < '0' || port.p[i] > '9')
			return STR_NONE;
	}
	if (name.n > 1 && name.p[name.n - 1] == '.')
		name.n--;
	return name;
}

/* Is one of the list's entries a or b? */
static bool
listed(struct str list, struct str a, struct str b)
{
	struct str entry;

	while (list.n > 0 && str_next(&list, ',', &entry)) {
		entry = str_trim(entry);
		if (entry.n > 0 && (str_eq_nocase(entry, a) || str_eq_nocase(entry, b)))
			return true;
	}
	return false;
}

/* The authority of "https://host:port"; empty when it is not exactly that. */
static struct str
origin_authority(struct str origin)
{
	struct str rest;

	if (str_starts(origin, S("https://")))
		rest = str_sub(origin, 8, origin.n);
	else if (str_starts(origin, S("http://")))
		rest = str_sub(origin, 7, origin.n);
	else
		return STR_NONE;
	return str_index(rest, '/') >= 0 || str_index(rest, '@') >= 0 ? STR_NONE : rest;
}

int
origin_rules_check(const struct origin_rules *rules, struct err *e)
{
	struct str list = rules->cors_origins, entry;

	while (list.n > 0 && str_next(&list, ',', &entry)) {
		entry = str_trim(entry);
		if (entry.n > 0 && !str_eq(entry, S("*")) &&
		    origin_host(origin_authority(entry)).n == 0)
			return err_set(e, ERR_INVALID, "cors-origins: expected "
			    "scheme://host, scheme://host:port or *, as in "
			    "https://chat.example.org, got \"%.*s\"", FMT(entry));
	}
	list = rules->allowed_hosts;
	while (list.n > 0 && str_next(&list, ',', &entry)) {
		entry = str_trim(entry);
		if (entry.n > 0 && (origin_host(entry).n == 0 ||
		    str_index(entry, '/') >= 0))
			return err_set(e, ERR_INVALID, "allowed-hosts: expected host or "
			    "host:port, as in agents.example.org, got \"%.*s\"",
			    FMT(entry));
	}
	return OK;
}

/* Syntax of other dialects, which POSIX reads differently or refuses.  Back references
 * (\1) are refused as well: matching them can take exponential time. */
static const char *
foreign_words(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '(' && p[1] == '?')
			return "(?";
		if (*p != '\\')
			continue;
		p++;
		if (*p == '\0')
			return NULL;
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9'))
			return "a backslash before a letter or digit";
	}
	return NULL;
}

int
origin_pattern_new(struct origin_pattern **out, struct str text, struct err *e)
{
	struct buf whole = BUF(SIZE_MAX / 2);
	struct origin_pattern *p;
	const char *foreign;
	char why[100];
	int code;

	*out = NULL;
	if (text.n == 0)
		return OK;
	buf_add_fmt(&whole, "^(%.*s)$%c", FMT(text), '\0');
	foreign = foreign_words(whole.p);
	p = mem_new(struct origin_pattern);
	code = foreign != NULL ? REG_BADPAT : regcomp(&p->regex, whole.p, REG_EXTENDED);
	buf_release(&whole);
	if (code == 0) {
		*out = p;
		return OK;
	}
	if (foreign == NULL)
		regerror(code, &p->regex, why, sizeof why);
	free(p);
	if (foreign != NULL)
		return err_set(e, ERR_INVALID, "http.cors.allow-origin-regex: %s is not "
		    "allowed in a POSIX extended regular expression; write [0-9] for a digit, "
		    "( ) for a group", foreign);
	return err_set(e, ERR_INVALID, "http.cors.allow-origin-regex: \"%.*s\": %s",
	    FMT(str_cut(text, 100)), why);
}

void
origin_pattern_free(struct origin_pattern *p)
{
	if (p == NULL)
		return;
	regfree(&p->regex);
	free(p);
}

static bool
pattern_fits(const struct origin_pattern *p, struct str origin)
{
	char text[ORIGIN_MAX + 1];

	if (p == NULL || origin.n > ORIGIN_MAX || memchr(origin.p, '\0', origin.n) != NULL)
		return false;
	memcpy(text, origin.p, origin.n);
	text[origin.n] = '\0';
	return regexec(&p->regex, text, 0, NULL, 0) == 0;
}

bool
origin_is_named(const struct origin_rules *rules, struct str origin)
{
	return origin.n > 0 && !str_eq(origin, S("*")) && !str_eq(origin, S("null")) &&
	    (listed(rules->cors_origins, origin, origin) ||
	    pattern_fits(rules->pattern, origin));
}

int
origin_check(const struct origin_rules *rules, struct str host,
    struct str origin, bool always, struct err *e)
{
	struct str name = origin_host(host);

	if (!rules->auth && rules->check_host && host.n > 0 &&
	    !host_is_loopback(name) &&
	    !listed(rules->allowed_hosts, host, name))
		return err_set(e, ERR_DENIED, "this server has no auth and answers to "
		    "loopback names only, not to \"%.*s\"; allow the name with "
		    "--allowed-hosts, or turn on auth", FMT(str_sub(host, 0, 128)));
	if (origin.n == 0 || (rules->auth && !always && rules->cors_origins.n == 0 &&
	    rules->pattern == NULL) ||
	    host_is_loopback(origin_host(origin_authority(origin))) ||
	    listed(rules->cors_origins, S("*"), S("*")) || origin_is_named(rules, origin))
		return OK;
	return err_set(e, ERR_DENIED, "pages of \"%.*s\" may not use this server; "
	    "allow the origin with --cors-origins", FMT(str_sub(origin, 0, 128)));
}

/* Without the port that the origin's scheme has by default. */
static struct str
without_port(struct str authority, struct str origin)
{
	struct str port = str_starts(origin, S("https://")) ? S(":443") : S(":80");
	size_t n = authority.n;

	return n > port.n && str_eq(str_sub(authority, n - port.n, n), port) ?
	    str_sub(authority, 0, n - port.n) : authority;
}

int
origin_own_check(struct str host, struct str origin, struct str fetch_site, bool safe,
    struct err *e)
{
	struct str page = without_port(origin_authority(origin), origin);
	bool own;

	if (fetch_site.n > 0)
		own = str_eq(fetch_site, S("same-origin")) ||
		    (safe && str_eq(fetch_site, S("none")));
	else if (origin.n > 0)
		own = page.n > 0 && str_eq_nocase(page, without_port(host, origin));
	else
		own = safe;
	return own ? OK : err_set(e, ERR_DENIED, "a session's cookie is for pages of this "
	    "server's own; others send a token or an API key, or for a WebSocket a ticket");
}
