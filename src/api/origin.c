/*
 * origin.c - see origin.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/origin.h"

#include "net/host.h"

/* The host of "host", "host:80", "[::1]:80", without a final dot; empty when
 * the text is not a host with an optional port. */
static struct str
host_name(struct str authority)
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
		if (entry.n > 0 && host_name(origin_authority(entry)).n == 0)
			return err_set(e, ERR_INVALID, "cors-origins: expected "
			    "scheme://host or scheme://host:port, as in "
			    "https://chat.example.org, got \"%.*s\"", FMT(entry));
	}
	list = rules->allowed_hosts;
	while (list.n > 0 && str_next(&list, ',', &entry)) {
		entry = str_trim(entry);
		if (entry.n > 0 && (host_name(entry).n == 0 ||
		    str_index(entry, '/') >= 0))
			return err_set(e, ERR_INVALID, "allowed-hosts: expected host or "
			    "host:port, as in agents.example.org, got \"%.*s\"",
			    FMT(entry));
	}
	return OK;
}

int
origin_check(const struct origin_rules *rules, struct str host,
    struct str origin, bool always, struct err *e)
{
	struct str name = host_name(host);

	if (!rules->auth && rules->check_host && host.n > 0 &&
	    !host_is_loopback(name) &&
	    !listed(rules->allowed_hosts, host, name))
		return err_set(e, ERR_DENIED, "this server has no auth and answers to "
		    "loopback names only, not to \"%.*s\"; allow the name with "
		    "--allowed-hosts, or turn on auth", FMT(str_sub(host, 0, 128)));
	if (origin.n == 0 || (rules->auth && !always && rules->cors_origins.n == 0) ||
	    host_is_loopback(host_name(origin_authority(origin))) ||
	    listed(rules->cors_origins, origin, origin))
		return OK;
	return err_set(e, ERR_DENIED, "pages of \"%.*s\" may not use this server; "
	    "allow the origin with --cors-origins", FMT(str_sub(origin, 0, 128)));
}
