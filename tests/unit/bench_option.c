/*
 * bench_option.c - one row is flag, variable, default and help.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "bench/option.h"

struct settings {
	bool quick;
	int64_t users;
	msec pause;
	const char *name;
};

static const struct bench_option rows[] = {
	{ "quick", NULL, BENCH_FLAG, NULL, NULL, "be quick", offsetof(struct settings, quick) },
	{ "users", "T_USERS", BENCH_INT, "5", "N", "how many",
	    offsetof(struct settings, users), 1, 100 },
	{ "pause", NULL, BENCH_MS, "1.5s", "TIME", "between two",
	    offsetof(struct settings, pause) },
	{ "name", "T_NAME", BENCH_TEXT, NULL, "TEXT", "whose",
	    offsetof(struct settings, name) },
};

static int
parse(struct settings *s, struct err *e, const char *const *argv)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return bench_options_parse(BENCH_OPTIONS(rows), s, argc, (char *const *)argv, e);
}

TEST(option_default_then_environment_then_command_line)
{
	struct settings s = { 0 };
	struct err e;

	setenv("T_USERS", "7", 1);
	setenv("T_NAME", "", 1);
	CHECK_RC(bench_options_init(BENCH_OPTIONS(rows), &s, &e), OK);
	CHECK_INT(s.users, 7);
	CHECK_INT(s.pause, 1500);
	CHECK(s.name == NULL && !s.quick);
	CHECK_RC(parse(&s, &e, (const char *[]){ "--users=9", "--quick", "--name", "x",
	    "--pause", "2m", NULL }), OK);
	CHECK_INT(s.users, 9);
	CHECK_INT(s.pause, 120000);
	CHECK(s.quick && strcmp(s.name, "x") == 0);
}

TEST(option_says_what_is_wrong)
{
	static const struct { const char *arg, *says; int rc; } cases[] = {
		{ "--usres=1", "did you mean --users", ERR_NOTFOUND },
		{ "--users=x", "--users: expected a number, got \"x\"", ERR_INVALID },
		{ "--users=101", "101 is not within 1 and 100", ERR_INVALID },
		{ "--users", "--users: expected a number", ERR_INVALID },
		{ "--pause=5y", "--pause: expected a time", ERR_INVALID },
		{ "--quick=maybe", "--quick: expected true or false", ERR_INVALID },
		{ "users", "users: not an option", ERR_INVALID },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct settings s = { 0 };
		struct err e;

		CHECK_RC(parse(&s, &e, (const char *[]){ cases[i].arg, NULL }), cases[i].rc);
		if (strstr(e.text, cases[i].says) == NULL)
			test_fail(__FILE__, __LINE__, "%s", e.text);
	}
}

TEST(option_help_comes_from_the_row)
{
	struct buf b = BUF(4096);

	bench_options_help(BENCH_OPTIONS(rows), &b);
	CHECK(str_contains(buf_str(&b), S("  --users N                  how many [5] (T_USERS)\n")));
	buf_release(&b);
}
