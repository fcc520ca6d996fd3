/*
 * base_secret.c - secrets that stand elsewhere: what is found, and what is said when it is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/limits.h"
#include "base/secret.h"

static char *env[] = { "EMPTY=", "PW=p@ss word/%", "PWX=no", "CREDENTIALS_DIRECTORY=creds",
	NULL };

static void
write_file(const char *path, const char *text, size_t n, mode_t mode)
{
	FILE *f = fopen(path, "w");

	CHECK(f != NULL && fwrite(text, 1, n, f) == n && fclose(f) == 0);
	CHECK(chmod(path, mode) == 0);
}

static void
check_found(const char *text, const char *expected)
{
	struct buf b = BUF(1000);
	struct err e = { 0 };

	CHECK_RC(secret_add(&b, str_of(text), env, &e), OK);
	CHECK_STR(buf_str(&b), expected);
	buf_release(&b);
}

static void
check_str_refused(struct str text, int rc, const char *words)
{
	struct buf b = BUF(1000);
	struct err e = { 0 };

	CHECK(secret_is_named(text));
	CHECK_RC(secret_add(&b, text, env, &e), rc);
	CHECK_STR(str_of(e.text), words);
	buf_release(&b);
}

static void
check_refused(const char *text, int rc, const char *words)
{
	check_str_refused(str_of(text), rc, words);
}

TEST(secret_names_are_found)
{
	mkdir("creds", 0700);
	write_file("creds/db", "c1\n", 3, 0440);
	write_file("a", "two\nlines\n\n", 11, 0600);
	write_file("dos", "x\r\n", 3, 0600);
	check_found("env:PW", "p@ss word/%");
	check_found("file:a", "two\nlines\n");
	check_found("file:dos", "x");
	check_found("credential:db", "c1");
}

/* Goal: a secret itself is taken as it is, also where it looks like part of a name. */
TEST(secret_texts_that_are_none_stay)
{
	static const char *const texts[] = { "", "hunter2", "ENV:PW", "an env:PW", "e", "env",
		"postgres://ann:pw@h/db", "postgres://h/env:PW", "postgres://ann@h:5432/a@b",
		"postgres://env:PW", "nats://:@h", "://:env:", "sqlite", "a://b:/env:PW@c" };

	for (size_t i = 0; i < COUNT(texts); i++) {
		CHECK(!secret_is_named(str_of(texts[i])));
		check_found(texts[i], texts[i]);
	}
}

TEST(secret_names_may_be_passwords_of_addresses)
{
	write_file("nats.pw", "n:1\n", 4, 0600);
	check_found("postgres://ann:env:PW@h:5/db?x=1", "postgres://ann:p%40ss%20word%2F%25@h:5/db?x=1");
	check_found("nats://a:file:nats.pw@h:4222,tls://b:env:PW@i,j:1",
	    "nats://a:n%3A1@h:4222,tls://b:p%40ss%20word%2F%25@i,j:1");
	check_refused("postgres://ann:env:NOT@h/db", ERR_INVALID, "$NOT is not set");
	check_refused("a://b:env:PW@c,d://e:file:none@f", ERR_NOTFOUND,
	    "none: No such file or directory");
}

TEST(secret_names_have_no_nul_byte)
{
	write_file("a", "x", 1, 0600);
	check_str_refused(S("env:EMPTY=\0" "b"), ERR_INVALID, "the name of a secret has a NUL byte");
	check_str_refused(S("file:a\0b"), ERR_INVALID, "the name of a secret has a NUL byte");
	CHECK(env_find(env, S("PW=p@ss word/%\0\0")) == NULL);
	CHECK(env_find(env, S("PWX=no\0CREDENTIALS")) == NULL);
}

TEST(secret_errors_say_what_is_wrong)
{
	mkdir("creds", 0700);
	mkdir("folder", 0700);
	write_file("open", "s", 1, 0644);
	write_file("others", "s", 1, 0620);
	write_file("empty", "\n", 1, 0600);
	write_file("nul", "a\0b", 3, 0600);
	check_refused("env:", ERR_INVALID, "expected env:NAME, with a variable's name");
	check_refused("env:NOT", ERR_INVALID, "$NOT is not set");
	check_refused("env:EMPTY", ERR_INVALID, "$EMPTY is not set");
	check_refused("file:", ERR_INVALID, "expected file:PATH, with a file's path");
	check_refused("file:none", ERR_NOTFOUND, "none: No such file or directory");
	check_refused("file:folder", ERR_INVALID, "folder is a folder");
	check_refused("file:empty", ERR_INVALID, "empty is empty");
	check_refused("file:nul", ERR_INVALID, "nul: expected a text, it holds a NUL byte");
	check_refused("file:open", ERR_DENIED, "open: all users can read it, and it holds a "
	    "secret: chmod 600 (or 640) it");
	check_refused("file:others", ERR_DENIED, "others: others can write it, and it holds a "
	    "secret: chmod 600 (or 640) it");
	check_refused("credential:db", ERR_NOTFOUND, "creds/db: No such file or directory");
	check_refused("credential:../a", ERR_INVALID, "expected credential:NAME, as "
	    "LoadCredential= of the service names it, got \"credential:../a\"");
	env[3] = "X=";
	check_refused("credential:db", ERR_INVALID, "credential:db: $CREDENTIALS_DIRECTORY is not "
	    "set; systemd sets it for a service with LoadCredential=");
}

TEST(secret_too_long_is_refused)
{
	struct buf b = BUF(4);
	struct err e = { 0 };

	CHECK_RC(secret_add(&b, S("env:PW"), env, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "the secret is longer than 4 bytes");
	buf_release(&b);
}
