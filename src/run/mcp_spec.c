/*
 * mcp_spec.c - a server of an agent as the MCP client takes it: references are
 * resolved now, so that a secret is nowhere but in its session.
 *
 * A value is a text, or ends with a reference: "env:NAME", "Bearer file:/run/token"
 * (base/secret.h).
 * What a client names is never resolved: it could send our variables anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/mcp_priv.h"

#include <unistd.h>

#include "base/limits.h"
#include "base/secret.h"

extern char **environ;

/* Where the last word begins. */
static size_t
last_word(struct str s)
{
	size_t at = s.n;

	while (at > 0 && s.p[at - 1] != ' ')
		at--;
	return at;
}

static int
resolve(struct str value, struct arena *a, struct str *out, struct err *e)
{
	size_t at = last_word(value);
	struct str word = str_sub(value, at, value.n);
	struct buf b = BUF(LIMIT_MCP_REFERENCE_BYTES + 1);
	int rc;

	*out = value;
	if (!secret_is_named(word))
		return OK;
	rc = secret_add(&b, word, environ, e);
	if (rc == OK)
		*out = arena_join(a, str_sub(value, 0, at), STR_NONE, str_trim(buf_str(&b)));
	buf_release(&b);
	return rc;
}

static int
pairs_of(const struct agent_pair *at, size_t n, bool plain, struct arena *a,
    const struct mcp_pair **out, struct err *e)
{
	struct mcp_pair *pairs = arena_zero(a, (n + 1) * sizeof *pairs);
	int rc = OK;

	for (size_t i = 0; pairs != NULL && i < n && rc == OK; i++) {
		pairs[i].name = at[i].name;
		pairs[i].value = at[i].value;
		if (!plain)
			rc = resolve(at[i].value, a, &pairs[i].value, e);
		if (rc == OK && !agent_mcp_is_header_value(pairs[i].value))
			rc = err_set(e, ERR_INVALID, "the value of %.*s has control characters",
			    FMT(at[i].name));
	}
	*out = pairs;
	return rc;
}

int
mcp_spec_make(struct mcp_spec *s, const struct task_mcp *m, struct str hosts,
    bool private, struct arena *a, struct err *e)
{
	const struct agent_mcp *of = m->server;
	int rc;

	*s = (struct mcp_spec){ .name = of->name, .command = of->command,
	    .command_n = of->command_n, .cwd = of->cwd, .url = of->url,
	    .env_n = of->env_n, .headers_n = of->headers_n,
	    .public_only = m->of_client && !private, .roots = m->roots,
	    .roots_n = m->roots_n };
	if (m->of_client && (of->command_n > 0 || !task_host_allowed(hosts, of->url)))
		return err_set(e, ERR_INVALID, "the server's setting mcp-hosts does not "
		    "allow it");
	rc = pairs_of(of->env, of->env_n, m->of_client, a, &s->env, e);
	if (rc == OK)
		rc = pairs_of(of->headers, of->headers_n, m->of_client, a, &s->headers, e);
	if (rc == OK && a->failed)
		rc = err_set(e, ERR_TOOBIG, "its variables and headers are too large");
	return rc;
}
