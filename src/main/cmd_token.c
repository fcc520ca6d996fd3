/*
 * cmd_token.c - `cohort token`: a signed token, or an API key with the line
 * for the keys file.
 *
 * The secret is what `cohort serve` would find here: environment or
 * cohort.yaml, never an option, which other users of the machine could read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "auth/auth.h"
#include "main/cmd.h"
#include "main/config.h"

#define TTL_DEFAULT 3600
#define TTL_MAX     ((int64_t)100 * 366 * 24 * 3600)

extern char **environ;

const struct cli_option token_options[] = {
	{ "sub", "NAME", "whose token it is [user]" },
	{ "aud", "NAME", "claim aud [jwt.audience, or authenticated]" },
	{ "role", "NAME", "claim role [authenticated]" },
	{ "email", "ADDRESS", "claim email" },
	{ "iss", "NAME", "claim iss [jwt.issuer]" },
	{ "ttl", "SECONDS", "how long it is good; below 0: has expired [3600]" },
	{ "api-key", NULL, "make an API key and its keys-file line instead" },
};
const size_t token_options_n = COUNT(token_options);

static struct str
get_or(const struct cli *cli, const char *name, struct str fallback)
{
	struct str s = cli_get(cli, name);

	return s.p != NULL ? s : fallback;
}

static int
make_key(const struct cli *cli, struct err *e)
{
	struct str owner = cli_get(cli, "sub");
	struct buf key = BUF(KB), line = BUF(4 * KB);

	if (owner.n == 0)
		return err_set(e, ERR_INVALID, "--api-key needs --sub NAME: "
		    "whose key it is");
	auth_key_make(&key, &line, owner);
	printf("%.*s\n", FMT(buf_str(&key)));
	fprintf(stderr, "Shown once.  Add this line to the file of --api-keys:\n");
	printf("%.*s\n", FMT(str_trim(buf_str(&line))));
	buf_release(&key);
	buf_release(&line);
	return OK;
}

static int
print_token(const struct cli *cli, const struct config *config, struct err *e)
{
	struct str secret = config_str(config, SETTING_JWT_SECRET);
	struct str audience = config_str(config, SETTING_JWT_AUDIENCE);
	struct str ttl = cli_get(cli, "ttl");
	int64_t now = clock_wall_ms() / 1000, seconds = TTL_DEFAULT;
	struct buf token = BUF(16 * KB);
	struct jwt_claims c = {
		.sub = get_or(cli, "sub", S("user")),
		.aud = get_or(cli, "aud",
		    audience.n > 0 ? audience : S("authenticated")),
		.role = get_or(cli, "role", S("authenticated")),
		.email = cli_get(cli, "email"),
		.iss = get_or(cli, "iss", config_str(config, SETTING_JWT_ISSUER)),
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
		    "HS256 wants %d\n", secret.n, JWT_SECRET_BYTES);
	c.exp = now + seconds;
	jwt_sign(&token, secret, &c);
	printf("%.*s\n", FMT(buf_str(&token)));
	buf_release(&token);
	return OK;
}

static int
make_token(const struct cli *cli, struct err *e)
{
	struct config config;
	int rc = config_load(&config, 0, NULL, environ, e);

	if (rc == OK)
		rc = print_token(cli, &config, e);
	config_release(&config);
	return rc;
}

int
cmd_token(const struct command *cmd, int argc, char **argv)
{
	struct cli cli;
	struct err e = { 0 };
	int rc;

	rc = cli_parse(&cli, token_options, token_options_n, argc, argv, 0, &e);
	if (rc == OK)
		rc = cli_has(&cli, "api-key") ? make_key(&cli, &e) :
		    make_token(&cli, &e);
	return rc < 0 ? cli_usage_error(cmd->name, &e) : 0;
}
