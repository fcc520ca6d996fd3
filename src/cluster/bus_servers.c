/*
 * bus_servers.c - the URLs of NATS servers, and who we are there.
 *
 * A name and a password with other characters than letters and digits are written as in
 * any URL (%40 for an @).  libnats decodes them since 3.9 and takes them as they stand
 * before, so they are taken out of the URLs here; that is also what it uses at servers
 * of which another one tells.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/bus_priv.h"

#include <string.h>

#define URLS_MAX 32

/* In the URLs' text.  pass NULL: name is a token; name NULL: nobody. */
struct user { char *name, *pass; };

int
bus_failed(natsStatus st, const char *what, struct str value, struct err *e)
{
	struct str shown = value.n > 0 ? value : S("");

	return st == NATS_OK ? OK : err_set(e, ERR_INVALID, "NATS: %s%s%.*s: %s", what,
	    shown.n > 0 ? " " : "", FMT(shown), nats.natsStatus_GetText(st));
}

/* A % that is no escape stays. */
static void
decode(char *at)
{
	char *to = at;

	for (; *at != '\0'; at++, to++) {
		int high = *at == '%' ? str_hex_digit(at[1]) : -1;
		int low = high >= 0 ? str_hex_digit(at[2]) : -1;

		*to = low >= 0 ? (char)(high * 16 + low) : *at;
		at += low >= 0 ? 2 : 0;
	}
	*to = '\0';
}

/* The user goes from the URL: it ends at the last @, so that a password may have one. */
static struct user
take_user(char *url)
{
	char *begin = strstr(url, "://") + 3, *at = strrchr(begin, '@');
	struct user u = { NULL, NULL };

	if (at == NULL)
		return u;
	*at = '\0';
	u.name = mem_cstr(str_of(begin));
	memmove(begin, at + 1, strlen(at + 1) + 1);
	u.pass = strchr(u.name, ':');
	if (u.pass != NULL) {
		*u.pass++ = '\0';
		decode(u.pass);
	}
	decode(u.name);
	return u;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Cuts text at its commas into urls; text is changed. */
static int
split_urls(char *text, char **urls, int *n, bool *tls, struct err *e)
{
	struct str rest = str_of(text), one;

	*n = 0;
	*tls = false;
	while (str_next(&rest, ',', &one)) {
		one = str_trim(one);
		if (one.n == 0)
			continue;
		if (!str_starts(one, S("nats://")) && !str_starts(one, S("tls://")))
			return err_set(e, ERR_INVALID, "a URL of NATS begins with nats:// or "
			    "tls://, as nats://127.0.0.1:4222");
		if (*n == URLS_MAX)
			return err_set(e, ERR_INVALID, "more than %d URLs of NATS", URLS_MAX);
		*tls = *tls || str_starts(one, S("tls://"));
		urls[*n] = text + (one.p - text);
		urls[(*n)++][one.n] = '\0';
	}
	return *n > 0 ? OK : err_set(e, ERR_INVALID, "no URL of NATS is given, as "
	    "nats://127.0.0.1:4222");
}

/* One user for all: of the first URL that has one. */
static int
find_user(char **urls, int n, struct user *user, struct err *e)
{
	int rc = OK;

	for (int i = 0; i < n; i++) {
		struct user u = take_user(urls[i]);

		if (u.name == NULL)
			continue;
		if (user->name == NULL) {
			*user = u;
			continue;
		}
		if (!same(u.name, user->name) || !same(u.pass, user->pass))
			rc = err_set(e, ERR_INVALID, "the URLs of NATS have different users: "
			    "one is used at all servers");
		free(u.name);
	}
	return rc;
}

int
bus_set_servers(natsOptions *opts, struct str text, bool *tls, struct err *e)
{
	char *copy = mem_cstr(text), *urls[URLS_MAX];
	struct user user = { NULL, NULL };
	int n, rc = split_urls(copy, urls, &n, tls, e);

	if (rc == OK)
		rc = find_user(urls, n, &user, e);
	if (rc == OK)
		rc = bus_failed(nats.natsOptions_SetServers(opts, (const char **)urls, n),
		    "servers", STR_NONE, e);
	if (rc == OK && user.pass != NULL)
		rc = bus_failed(nats.natsOptions_SetUserInfo(opts, user.name, user.pass),
		    "user", STR_NONE, e);
	else if (rc == OK && user.name != NULL)
		rc = bus_failed(nats.natsOptions_SetToken(opts, user.name), "token", STR_NONE, e);
	free(user.name);
	free(copy);
	return rc;
}
