/*
 * cmd_encrypt.c - `cohort encrypt`: a database file becomes one that is encrypted, has
 * another key, or is plain again.
 *
 * Keys come from the environment, never from the command line, which others can read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "main/cmd.h"
#include "store/crypt.h"

#define KEY     "COHORT_ENCRYPTION_KEY"
#define OLD_KEY "COHORT_ENCRYPTION_OLD_KEY"

extern char **environ;

const struct flag cmd_encrypt_flags[] = {
	{ "db", .kind = FLAG_TEXT, .value = "FILE", .help = "the database [cohort.db]" },
	{ "decrypt", .help = "make it plain; the key is that which it has" },
	{ NULL }
};

int
cmd_key_layer(const char *variable, const char **layer, struct err *e)
{
	const char *text = getenv(variable);
	struct buf b = BUF(64 * KB);
	uint8_t key[CRYPT_KEY];
	int rc;

	*layer = NULL;
	if (text == NULL || text[0] == '\0')
		return OK;
	rc = secret_add(&b, str_of(text), environ, e);
	if (rc == OK)
		rc = crypt_key_parse(buf_str(&b), key, e);
	if (rc == OK)
		*layer = crypt_layer(key);
	if (b.p != NULL)
		explicit_bzero(b.p, b.n);
	explicit_bzero(key, sizeof key);
	buf_release(&b);
	return rc;
}

static int
run(const char *db, bool decrypt, struct err *e)
{
	const char *key, *old;
	int rc = cmd_key_layer(KEY, &key, e);

	if (rc == OK)
		rc = cmd_key_layer(OLD_KEY, &old, e);
	if (rc == OK && key == NULL)
		rc = err_set(e, ERR_INVALID, "$" KEY " is not set: `openssl rand -hex 32` makes one");
	if (rc != OK)
		return rc;
	return decrypt ? crypt_convert(db, key, NULL, e) : crypt_convert(db, old, key, e);
}

int
cmd_encrypt(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	struct str db;
	int rc = line_parse(&line, cmd, argc, argv, &a, &e);

	if (rc < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	db = line_text(&line, "db");
	rc = run(db.n > 0 ? db.p : "cohort.db", line_has(&line, "decrypt"), &e);
	if (rc != OK)
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	arena_release(&a);
	return rc == OK ? 0 : 1;
}
