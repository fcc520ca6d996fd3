/*
 * ways.c - see ways.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/ways.h"

#include <assert.h>

#include "net/host.h"
#include "net/proxy.h"

/* "127.0.0.1:80", "[::1]:80", "localhost:80". */
static bool
read_host(struct str text, struct http_listen *at)
{
	ptrdiff_t end = text.n > 0 && text.p[0] == '[' ? str_index(text, ']') : str_index(text, ':');
	int64_t port;

	if (end < 0)
		return false;
	at->host = str_sub(text, 0, (size_t)end);
	text = str_sub(text, (size_t)end, text.n);
	if (at->host.n > 0 && at->host.p[0] == '[') {
		at->host = str_sub(at->host, 1, at->host.n);
		text = str_sub(text, 1, text.n);
		if (str_index(at->host, ':') < 0)
			return false;
	}
	if (!host_is_literal(at->host) && !str_eq_nocase(at->host, S("localhost")))
		return false;
	if (text.n < 2 || text.p[0] != ':' || !str_to_i64(str_sub(text, 1, text.n), &port) ||
	    port < 0 || port > UINT16_MAX)
		return false;
	at->port = (uint16_t)port;
	return true;
}

static bool
read_way(struct str text, struct http_listen *at)
{
	*at = (struct http_listen){ .path = STR_NONE };
	if (str_starts(text, S("unix:"))) {
		at->path = str_sub(text, 5, text.n);
		return at->path.n > 0;
	}
	at->tls = str_starts(text, S("https://"));
	return (at->tls || str_starts(text, S("http://"))) &&
	    read_host(str_sub(text, at->tls ? 8 : 7, text.n), at);
}

int
config_check_listen(struct str text, const char *origin, struct err *e)
{
	struct http_listen at;
	struct str rest = text, one;
	size_t n = 1;

	while (rest.n > 0 && str_next(&rest, ',', &one)) {
		one = str_trim(one);
		if (!read_way(one, &at))
			return err_set(e, ERR_INVALID, "%s: expected unix:PATH, http://ADDRESS:PORT "
			    "or https://ADDRESS:PORT (an IP address or localhost), got \"%.*s\"", origin, FMT(one));
		if (++n > LIMIT_LISTEN)
			return err_set(e, ERR_INVALID, "%s: expected at most %d addresses, host and "
			    "port among them", origin, LIMIT_LISTEN);
	}
	return OK;
}

void
ways_of(struct ways *w, const struct config *c)
{
	struct str rest = config_str(c, SETTING_LISTEN), one;
	bool good;

	*w = (struct ways){ .n = 1 };
	w->at[0] = (struct http_listen){ .host = config_str(c, SETTING_HOST),
	    .port = (uint16_t)config_int(c, SETTING_PORT),
	    .tls = config_str(c, SETTING_TLS_CERT).n > 0 };
	while (rest.n > 0 && str_next(&rest, ',', &one)) {
		good = read_way(str_trim(one), &w->at[w->n]);
		assert(good && w->n < LIMIT_LISTEN);     /* checked when it was set */
		(void)good;
		w->n++;
	}
}

int
config_check_proxies(struct str text, const char *origin, struct err *e)
{
	struct proxy_trust *t;
	struct err why;
	int rc = proxy_trust_new(&t, text, &why);

	proxy_trust_free(t);
	return rc == OK ? OK : err_set(e, rc, "%s: %s", origin, why.text);
}

int
ways_check(const struct config *c, struct err *e)
{
	bool cert = config_str(c, SETTING_TLS_CERT).n > 0, key = config_str(c, SETTING_TLS_KEY).n > 0;
	bool ca = config_str(c, SETTING_TLS_CLIENT_CA).n > 0;
	bool asks = !str_eq(config_str(c, SETTING_TLS_CLIENT_AUTH), S("off"));
	struct ways w;

	if (cert != key)
		return err_set(e, ERR_INVALID, "%s: %s needs %s",
		    c->at[cert ? SETTING_TLS_CERT : SETTING_TLS_KEY].origin,
		    cert ? "tls.cert" : "tls.key", cert ? "tls.key" : "tls.cert");
	if (asks && !cert)
		return err_set(e, ERR_INVALID, "%s: client certificates need tls.cert and tls.key",
		    c->at[SETTING_TLS_CLIENT_AUTH].origin);
	if (asks != ca)
		return err_set(e, ERR_INVALID, "%s: %s",
		    c->at[ca ? SETTING_TLS_CLIENT_CA : SETTING_TLS_CLIENT_AUTH].origin, ca ?
		    "tls.client-ca needs tls.client-auth: optional, required or workers" :
		    "tls.client-auth needs tls.client-ca");
	if (config_bool(c, SETTING_PROXY_PROTOCOL) && config_str(c, SETTING_PROXY_TRUSTED).n == 0)
		return err_set(e, ERR_INVALID, "%s: proxy.protocol needs proxy.trusted",
		    c->at[SETTING_PROXY_PROTOCOL].origin);
	ways_of(&w, c);
	for (size_t i = 0; i < w.n; i++)
		if (w.at[i].tls && !cert)
			return err_set(e, ERR_INVALID, "%s: https:// needs tls.cert and tls.key",
			    c->at[SETTING_LISTEN].origin);
	return OK;
}

int
ways_tls(struct tls **out, const struct config *c, struct err *e)
{
	struct str ask = config_str(c, SETTING_TLS_CLIENT_AUTH);
	struct err why;
	int rc;

	*out = NULL;
	if (config_str(c, SETTING_TLS_CERT).n == 0)
		return OK;
	rc = tls_new(out, &(struct tls_options){ .certs = config_str(c, SETTING_TLS_CERT),
	    .keys = config_str(c, SETTING_TLS_KEY),
	    .client_ca = config_str(c, SETTING_TLS_CLIENT_CA),
	    .ask = str_eq(ask, S("off")) ? TLS_ASK_NOTHING : str_eq(ask, S("required")) ?
	    TLS_ASK_REQUIRED : TLS_ASK_OPTIONAL }, &why);
	return rc == OK ? OK : err_set(e, rc, "%s: %s", c->at[SETTING_TLS_CERT].origin, why.text);
}

bool
ways_is_near(const struct http_listen *at)
{
	return at->path.n > 0 || host_is_loopback(at->host);
}

void
ways_add_url(struct buf *b, const struct http_listen *at, uint16_t port)
{
	bool v6 = str_index(at->host, ':') >= 0;

	if (at->path.n > 0)
		buf_add_fmt(b, "unix:%.*s", FMT(at->path));
	else
		buf_add_fmt(b, "http%s://%s%.*s%s:%u", at->tls ? "s" : "", v6 ? "[" : "", FMT(at->host), v6 ? "]" : "",
		    port);
}
