/*
 * cmd_token.c - `cohort token`: a signed token, one that another server gives for a
 * password, or an API key with the line for the keys file.
 *
 * The secret is that of `cohort serve`: from the environment or cohort.yaml,
 * never a flag, which other users of the machine could read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "main/cmd.h"
#include "main/config.h"
#include "main/login.h"

#define TTL_DEFAULT 3600
#define TTL_MAX     ((int64_t)100 * 366 * 24 * 3600)

extern char **environ;

#define TEXT(n, v, h) { n, .kind = FLAG_TEXT, .value = v, .help = h }

const struct flag cmd_token_flags[] = {
	TEXT("sub", "NAME", "whose token it is [user]"),
	TEXT("aud", "NAME", "claim aud [jwt.audience, or authenticated]"),
	TEXT("role", "NAME", "claim role [authenticated]"),
	TEXT("email", "ADDRESS", "claim email"),
	TEXT("iss", "NAME", "claim iss [jwt.issuer]"),
	TEXT("scope", "WORDS", "claim scope: \"admin\" for operators"),
	TEXT("ttl", "SECONDS", "how long it is good; below 0: has expired [3600]"),
	TEXT("login", "URL", "fetch a token by GoTrue's password grant instead; with --email"),
	TEXT("anon-key", "KEY", "of the project at that URL [$SUPABASE_ANON_KEY]"),
	{ "api-key", .help = "make an API key and its keys-file line instead" },
	TEXT("limits", "WORDS", "of the key: \"concurrency=2 requests-per-second=5 "
	    "tokens-per-day=100000 scopes=threads:read\"; of a worker \"scopes=worker "
	    "graphs=agent,other\""),
	{ NULL }
};

static struct str
get_or(const struct flag_line *line, const char *name, struct str fallback)
{
	struct str s = line_text(line, name);

	return s.p != NULL ? s : fallback;
}

/* A flag that says nothing here would be taken for one that does. */
static int
refuse_others(const struct flag_line *line, const char *const *names, size_t n,
    const char *why, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (line_text(line, names[i]).p != NULL)
			return err_set(e, ERR_INVALID, "--%s: %s", names[i], why);
	return OK;
}

static int
make_key(const struct flag_line *line, struct err *e)
{
	static const char *const others[] = { "aud", "role", "email", "iss", "scope", "ttl" };
	struct str owner = line_text(line, "sub");
	struct buf key = BUF(KB), row = BUF(16 * KB);
	int rc = refuse_others(line, others, COUNT(others), "a key has none; what it may do is "
	    "in --limits, and it is good until its line is taken away", e);

	if (rc != OK)
		return rc;
	if (owner.n == 0)
		return err_set(e, ERR_INVALID, "--api-key needs --sub NAME: "
		    "whose key it is");
	rc = auth_key_make(&key, &row, owner, line_text(line, "limits"), e);
	if (rc < 0)
		return rc;
	printf("%.*s\n", FMT(buf_str(&key)));
	fprintf(stderr, "Shown once.  Add this line to the file of --api-keys:\n");
	printf("%.*s\n", FMT(str_trim(buf_str(&row))));
	buf_release(&key);
	buf_release(&row);
	return OK;
}

static int
print_token(const struct flag_line *line, const struct config *config, struct err *e)
{
	struct str secret = config_str(config, SETTING_JWT_SECRET);
	struct str audience = config_str(config, SETTING_JWT_AUDIENCE);
	struct str ttl = line_text(line, "ttl");
	int64_t now = clock_wall_ms() / 1000, seconds = TTL_DEFAULT;
	struct buf token = BUF(16 * KB);
	struct jwt_claims c = {
		.sub = get_or(line, "sub", S("user")),
		.aud = get_or(line, "aud",
		    audience.n > 0 ? audience : S("authenticated")),
		.role = get_or(line, "role", S("authenticated")),
		.email = line_text(line, "email"),
		.iss = get_or(line, "iss", config_str(config, SETTING_JWT_ISSUER)),
		.scope = line_text(line, "scope"),
		.iat = now,
	};

	if (secret.n == 0)
		return err_set(e, ERR_INVALID, "no secret to sign with: set "
		    "$COHORT_JWT_SECRET, or jwt.secret in cohort.yaml");
	if (ttl.p != NULL && (!str_to_i64(ttl, &seconds) || seconds > TTL_MAX ||
	    seconds < -TTL_MAX))
		return err_set(e, ERR_INVALID, "--ttl: expected a whole number of "
		    "seconds, at most %lld, got \"%.*s\"", (long long)TTL_MAX,
		    FMT(ttl));
	if (secret.n < JWT_SECRET_BYTES)
		fprintf(stderr, "cohort token: the secret has %zu bytes; "
		    "HS256 needs %d\n", secret.n, JWT_SECRET_BYTES);
	c.exp = now + seconds;
	jwt_sign(&token, secret, &c);
	printf("%.*s\n", FMT(buf_str(&token)));
	buf_release(&token);
	return OK;
}

static int
make_token(const struct flag_line *line, struct err *e)
{
	static const char *const others[] = { "limits" };
	struct config config;
	int rc = refuse_others(line, others, COUNT(others), "of a key, with --api-key; a "
	    "token's scopes are --scope", e);

	if (rc != OK)
		return rc;
	rc = config_load(&config, 0, NULL, environ, e);

	if (rc == OK)
		rc = print_token(line, &config, e);
	config_release(&config);
	return rc;
}

/* The server at --login decides the token's claims. */
static int
check_login(const struct flag_line *line, struct err *e)
{
	static const char *const others[] = { "sub", "aud", "role", "iss", "scope", "ttl",
	    "limits" };

	if (line_text(line, "email").n == 0)
		return err_set(e, ERR_INVALID, "--login needs --email ADDRESS");
	if (line_has(line, "api-key"))
		return err_set(e, ERR_INVALID, "--login and --api-key: one of them");
	return refuse_others(line, others, COUNT(others), "the server at --login decides that",
	    e);
}

static int
fetch_token(const struct flag_line *line, struct err *e)
{
	struct buf token = BUF(64 * KB);
	int rc = check_login(line, e);

	if (rc == OK)
		rc = login_token(line_text(line, "login"), line_text(line, "email"),
		    get_or(line, "anon-key", str_of(getenv("SUPABASE_ANON_KEY"))), &token, e);
	if (rc == OK)
		printf("%.*s\n", FMT(buf_str(&token)));
	buf_release(&token);
	return rc;
}

int
cmd_token(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int rc;

	rc = line_parse(&line, cmd, argc, argv, &a, &e);
	if (rc == OK)
		rc = line_text(&line, "login").p != NULL ? fetch_token(&line, &e) :
		    line_has(&line, "api-key") ? make_key(&line, &e) :
		    make_token(&line, &e);
	arena_release(&a);
	return rc < 0 ? command_usage_error(cmd->name, &e) : 0;
}
