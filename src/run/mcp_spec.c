/*
 * mcp_spec.c - a server of an agent as the MCP client takes it: references are
 * resolved now, so that a secret is nowhere but in its session.
 *
 * A value is a text, or ends with a reference: "env:NAME", "Bearer file:/run/token".
 * What a client names is never resolved: it could send our variables anywhere.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/mcp_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"

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
read_file(struct str path, struct arena *a, struct str *out, struct err *e)
{
	char text[LIMIT_MCP_REFERENCE_BYTES + 2];
	struct str s = str_trim(file_head(arena_str(a, path).p, text, sizeof text));

	if (s.n > LIMIT_MCP_REFERENCE_BYTES)
		return err_set(e, ERR_TOOBIG, "the file %.*s has more than %d bytes",
		    FMT(path), LIMIT_MCP_REFERENCE_BYTES);
	if (s.n == 0)
		return err_set(e, ERR_NOTFOUND, "the file %.*s is empty, or cannot be read",
		    FMT(path));
	*out = arena_str(a, s);
	return OK;
}

static int
resolve(struct str value, struct arena *a, struct str *out, struct err *e)
{
	size_t at = last_word(value);
	struct str word = str_sub(value, at, value.n), found = STR_NONE;
	int rc = OK;

	*out = value;
	if (str_starts(word, S("env:"))) {
		const char *name = arena_str(a, str_sub(word, 4, word.n)).p;

		if (name == NULL || getenv(name) == NULL)
			return err_set(e, ERR_NOTFOUND, "the environment variable %.*s is not "
			    "set", FMT(str_sub(word, 4, word.n)));
		found = str_of(getenv(name));
	} else if (str_starts(word, S("file:"))) {
		rc = read_file(str_sub(word, 5, word.n), a, &found, e);
	} else {
		return OK;
	}
	if (rc == OK)
		*out = arena_join(a, str_sub(value, 0, at), STR_NONE, found);
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
