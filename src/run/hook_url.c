/*
 * hook_url.c - to whom a message may go; see hook.h.
 *
 * The URL is read strictly, so that nobody reads another host out of it than we do:
 * no user names, of a name only letters, digits, '.', '-' and '_', no address in any
 * spelling but the usual one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "net/route.h"
#include "run/hook_priv.h"

#define REFUSED(e, ...) err_set((e), ERR_INVALID, "webhook: " __VA_ARGS__)

/* ---- the URL --------------------------------------------------------------------- */

static bool
has_odd_bytes(struct str url)
{
	for (size_t i = 0; i < url.n; i++) {
		unsigned char c = (unsigned char)url.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '\\')
			return true;
	}
	return false;
}

static bool
is_name(struct str host)
{
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
			return false;
	}
	return true;
}

/* "a.example", or "*.example" for all below it. */
static bool
domain_matches(struct str entry, struct str host)
{
	if (!str_starts(entry, S("*.")))
		return str_eq_nocase(entry, host);
	entry = str_sub(entry, 1, entry.n);
	return host.n > entry.n &&
	    str_eq_nocase(str_sub(host, host.n - entry.n, entry.n), entry);
}

static bool
list_has_domain(struct str list, struct str host)
{
	struct str entry;

	while (str_next(&list, ',', &entry))
		if (domain_matches(str_trim(entry), host))
			return true;
	return false;
}

static bool
list_has_port(struct str list, uint16_t port)
{
	struct str entry;
	uint64_t one;

	while (str_next(&list, ',', &entry))
		if (str_to_u64(str_trim(entry), &one) && one == port)
			return true;
	return false;
}

/* Kinds of addresses that are not asked, by these rules. */
unsigned
hook_refused(const struct hook_rules *r)
{
	return HOST_BIT(HOST_LINK_LOCAL) | HOST_BIT(HOST_RESERVED) |
	    (r->allow_loopback ? 0 : HOST_BIT(HOST_LOOPBACK)) |
	    (r->allow_private ? 0 : HOST_BIT(HOST_PRIVATE));
}

static int
check_host(const struct hook_rules *r, struct str host, struct err *e)
{
	enum host_kind kind = host_kind(host);
	struct str bare = host;

	if (bare.p[bare.n - 1] == '.')
		bare.n--;
	if (kind == HOST_NAME && host_is_loopback(bare))
		kind = HOST_LOOPBACK;
	if (hook_refused(r) & HOST_BIT(kind))
		return REFUSED(e, "%.*s is a %s address%s", FMT(host), host_kind_names[kind],
		    kind == HOST_LOOPBACK ?
		    "; the setting webhooks.disable-loopback=false allows it" :
		    kind == HOST_PRIVATE ?
		    "; the setting webhooks.allow-private allows it" : "");
	if (kind == HOST_NAME && (host_is_number(host) || !is_name(host)))
		return REFUSED(e, "\"%.*s\" is no host name, and no address in its usual "
		    "form", FMT(host));
	if (r->allowed_domains.n > 0 && !list_has_domain(r->allowed_domains, bare))
		return REFUSED(e, "the host %.*s is not among those of the setting "
		    "webhooks.allowed-domains", FMT(host));
	return OK;
}

int
hook_check(const struct hook_rules *r, struct str url, struct err *e)
{
	struct route to;
	struct err why;
	struct str authority;

	if (url.n > r->max_url_bytes)
		return REFUSED(e, "the URL has %zu bytes; at most %zu are allowed", url.n,
		    r->max_url_bytes);
	if (str_starts(url, S("/")))
		return REFUSED(e, "a path would be delivered to this server itself, which "
		    "is not supported; give a whole URL");
	if (has_odd_bytes(url))
		return REFUSED(e, "the URL has a space, a backslash or another byte that "
		    "must be percent-encoded");
	if (route_parse(url, &to, &why) != OK)
		return REFUSED(e, "%s", why.text);
	if (to.path.n > 0 && to.path.p[0] != '/')
		return REFUSED(e, "expected / behind the host, got %c", to.path.p[0]);
	authority = (struct str){ url.p, (size_t)(to.path.p - url.p) };
	if (str_index(authority, '@') >= 0)
		return REFUSED(e, "the URL has a user name; send secrets with the setting "
		    "webhooks.headers");
	if (r->require_https && !to.tls)
		return REFUSED(e, "expected https, got http (webhooks.require-https)");
	if (r->allowed_ports.n > 0 && !list_has_port(r->allowed_ports, to.port))
		return REFUSED(e, "the port %u is not among those of the setting "
		    "webhooks.allowed-ports", to.port);
	return check_host(r, to.host, e);
}

int
runs_check_hook(const struct runs *rs, struct str url, struct err *e)
{
	if (rs->sh->hook_rules == NULL)
		return REFUSED(e, "this server sends none");
	return hook_check(rs->sh->hook_rules, url, e);
}

/* ---- the operator's settings ------------------------------------------------------- */

static int
check_list(struct str list, const char *name, bool (*good)(struct str entry),
    const char *expected, struct err *e)
{
	struct str entry;

	while (list.n > 0 && str_next(&list, ',', &entry))
		if (!good(str_trim(entry)))
			return err_set(e, ERR_INVALID, "%s: expected %s, got \"%.*s\"",
			    name, expected, FMT(entry));
	return OK;
}

static bool
is_domain(struct str entry)
{
	if (str_starts(entry, S("*.")))
		entry = str_sub(entry, 2, entry.n);
	return host_is_literal(entry) || (entry.n > 0 && is_name(entry));
}

static bool
is_port(struct str entry)
{
	uint64_t port;

	return str_to_u64(entry, &port) && port > 0 && port <= UINT16_MAX;
}

static bool
is_field(struct str entry)
{
	for (size_t i = 0; hook_fields[i] != NULL; i++)
		if (str_eq(entry, str_of(hook_fields[i])))
			return true;
	return false;
}

int
hook_rules_check(const struct hook_rules *r, struct err *e)
{
	int rc = check_list(r->allowed_domains, "webhooks.allowed-domains", is_domain,
	    "names as in a.example,*.b.example", e);

	if (rc == OK)
		rc = check_list(r->allowed_ports, "webhooks.allowed-ports", is_port,
		    "port numbers", e);
	if (rc == OK)
		rc = check_list(r->payload_fields, "webhooks.payload-fields", is_field,
		    "names of members of a webhook's body", e);
	return rc;
}

/* ---- headers ------------------------------------------------------------------------ */

#define HEADERS "webhooks.headers"

/* `${{ env.NAME }}`, from behind `${{`; the rest is left in *text. */
static int
add_variable(struct buf *out, struct str *text, struct str prefix, struct err *e)
{
	struct str name = STR_NONE;
	char key[LIMIT_NAME_BYTES];
	const char *value;
	size_t end = 0;

	while (end + 1 < text->n && !(text->p[end] == '}' && text->p[end + 1] == '}'))
		end++;
	if (end + 1 >= text->n)
		return err_set(e, ERR_INVALID, HEADERS ": no }} behind ${{");
	name = str_trim(str_sub(*text, 0, end));
	*text = str_sub(*text, end + 2, text->n);
	if (!str_starts(name, S("env.")))
		return err_set(e, ERR_INVALID, HEADERS ": expected ${{ env.NAME }}, got "
		    "${{ %.*s }}", FMT(name));
	name = str_sub(name, 4, name.n);
	if (!str_starts(name, prefix) || name.n == 0 || name.n >= sizeof key)
		return err_set(e, ERR_INVALID, HEADERS ": only variables that begin with "
		    "%.*s may be used (webhooks.env-prefix), not %.*s", FMT(prefix),
		    FMT(name));
	memcpy(key, name.p, name.n);
	key[name.n] = '\0';
	value = getenv(key);
	if (value == NULL)
		return err_set(e, ERR_INVALID, HEADERS ": $%s is not set", key);
	buf_add(out, str_of(value));
	return OK;
}

static int
add_value(struct buf *out, struct str text, struct str prefix, struct err *e)
{
	int rc = OK;

	while (rc == OK && text.n > 0) {
		if (str_starts(text, S("${{"))) {
			text = str_sub(text, 3, text.n);
			rc = add_variable(out, &text, prefix, e);
		} else {
			buf_add_char(out, text.p[0]);
			text = str_sub(text, 1, text.n);
		}
	}
	return rc;
}

/* RFC 9110: a token. */
static bool
is_header_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || str_char_in(c, "!#$%&'*+-.^_`|~")))
			return false;
	}
	return s.n > 0;
}

/* What the sender, or HTTP itself, says. */
static bool
is_taken(struct str name)
{
	static const char *const taken[] = { "host", "content-type", "content-length",
		"transfer-encoding", "connection", "expect", "x-cohort-delivery",
		"x-cohort-timestamp", "x-cohort-signature" };

	for (size_t i = 0; i < COUNT(taken); i++)
		if (str_eq_nocase(name, str_of(taken[i])))
			return true;
	return false;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

static int
add_header(struct buf *out, struct str name, jnode value, struct str prefix, struct err *e)
{
	size_t from;
	int rc;

	if (!is_header_name(name) || is_taken(name))
		return err_set(e, ERR_INVALID, HEADERS ": \"%.*s\" is %s", FMT(name),
		    is_taken(name) ? "set by the server" : "no name of a header");
	if (!json_is_string(value))
		return err_set(e, ERR_INVALID, HEADERS ".%.*s: expected a string, got %s",
		    FMT(name), json_kind(value));
	buf_add(out, name);
	buf_lit(out, ": ");
	from = out->n;
	rc = add_value(out, json_str(value), prefix, e);
	if (rc == OK && has_control(str_sub(buf_str(out), from, out->n)))
		rc = err_set(e, ERR_INVALID, HEADERS ".%.*s: the value has a control "
		    "character", FMT(name));
	buf_lit(out, "\r\n");
	return rc;
}

int
hook_headers_read(struct str json, struct str env_prefix, struct buf *out, struct err *e)
{
	struct json_doc d = { 0 };
	struct json_iter it;
	struct err why;
	int rc = OK;

	if (str_trim(json).n == 0)
		return OK;
	if (json_parse(&d, json, &why) != OK || !json_is_object(d.root))
		rc = err_set(e, ERR_INVALID, HEADERS ": expected an object as in "
		    "{\"Authorization\": \"Bearer ${{ env.LG_WEBHOOK_TOKEN }}\"}");
	it = json_each(d.root);
	while (rc == OK && json_next(&it))
		rc = add_header(out, json_str(it.key), it.value, env_prefix, e);
	if (rc == OK && out->failed)
		rc = err_set(e, ERR_TOOBIG, HEADERS ": longer than %zu bytes", out->max);
	json_release(&d);
	return rc;
}
