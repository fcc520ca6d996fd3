/*
 * base_flags.c - one row is flag, variable, default, help, man and completion.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <string.h>

#include "base/clock.h"
#include "base/flags.h"

struct settings {
	bool quick;
	int64_t users;
	msec pause;
	const char *name;
};

static const struct flag rows[] = {
	{ "quick", NULL, FLAG_SWITCH, NULL, NULL, "be quick", offsetof(struct settings, quick) },
	{ "users", "T_USERS", FLAG_INT, "5", "N", "how many",
	    offsetof(struct settings, users), 1, 100 },
	{ "pause", NULL, FLAG_MS, "1.5s", "TIME", "between two",
	    offsetof(struct settings, pause) },
	{ "name", "T_NAME", FLAG_TEXT, NULL, "TEXT", "whose",
	    offsetof(struct settings, name), .letter = 'n' },
	{ NULL }
};

static int
parse(struct settings *s, struct err *e, const char *const *argv)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return flags_fill(rows, s, argc, (char **)argv, e);
}

TEST(flags_default_then_environment_then_command_line)
{
	struct settings s = { 0 };
	struct err e;

	setenv("T_USERS", "7", 1);
	setenv("T_NAME", "", 1);
	CHECK_RC(flags_default(rows, &s, &e), OK);
	CHECK_INT(s.users, 7);
	CHECK_INT(s.pause, 1500);
	CHECK(s.name == NULL && !s.quick);
	CHECK_RC(parse(&s, &e, (const char *[]){ "--users=9", "--quick", "--name", "x",
	    "--pause", "2m", NULL }), OK);
	CHECK_INT(s.users, 9);
	CHECK_INT(s.pause, 120000);
	CHECK(s.quick && strcmp(s.name, "x") == 0);
}

TEST(flags_says_what_is_wrong)
{
	static const struct { const char *arg, *says; } cases[] = {
		{ "--usres=1", "unknown flag: --usres; did you mean --users?" },
		{ "--users=x", "--users: expected a whole number from 1 to 100, got \"x\"" },
		{ "--users=101", "from 1 to 100, got \"101\"" },
		{ "--users", "flag needs an argument: --users N" },
		{ "--pause=5y", "--pause: expected a time" },
		{ "--quick=maybe", "--quick takes true or false, not \"maybe\"" },
		{ "users", "unexpected \"users\"" },
		{ "-x", "unknown shorthand flag: -x" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct settings s = { 0 };
		struct err e;

		CHECK_RC(parse(&s, &e, (const char *[]){ cases[i].arg, NULL }), ERR_INVALID);
		if (strstr(e.text, cases[i].says) == NULL)
			test_fail(__FILE__, __LINE__, "%s", e.text);
	}
}

TEST(flags_bounds_are_within)
{
	struct settings s = { 0 };
	struct err e;

	CHECK_RC(parse(&s, &e, (const char *[]){ "--users=100", NULL }), OK);
	CHECK_INT(s.users, 100);
	CHECK_RC(parse(&s, &e, (const char *[]){ "--users=1", NULL }), OK);
	CHECK_RC(parse(&s, &e, (const char *[]){ "--users=0", NULL }), ERR_INVALID);
}

TEST(flags_letters_operands_and_the_end)
{
	const struct flag_command c = { "c", "A B", 1, 2, "s", .own = rows };
	struct arena a = ARENA(MB);
	struct flag_line l;
	struct err e;

	CHECK_RC(line_parse(&l, &c, 5, (char *[]){ "x", "-nsome=one", "--quick=no", "--",
	    "--quick" }, &a, &e), OK);
	CHECK_STR(line_text(&l, "name"), "some=one");
	CHECK(!line_has(&l, "quick"));
	CHECK_STR(l.operand[1], "--quick");
	CHECK_RC(line_parse(&l, &c, 1, (char *[]){ "--quick" }, &a, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "c needs A B");
	CHECK_RC(line_parse(&l, &c, 3, (char *[]){ "a", "b", "c" }, &a, &e), ERR_INVALID);
	/* A flag with the text "no" is given all the same. */
	CHECK_RC(line_parse(&l, &c, 3, (char *[]){ "x", "--name", "no" }, &a, &e), OK);
	CHECK(line_has(&l, "name"));
	/* What has a blank is a text, not a flag. */
	CHECK_RC(line_parse(&l, &c, 1, (char *[]){ "--name is odd" }, &a, &e), OK);
	CHECK_INT(l.operands_n, 1);
	arena_release(&a);
}

static struct flag_command
at(size_t i)
{
	return i == 0 ? (struct flag_command){ "c", "A B", 1, 2, "does it", .own = rows } :
	    i == 1 ? (struct flag_command){ "d one", "", .summary = "one" } :
	    (struct flag_command){ "gone", "", .detail = "it went" };
}

TEST(flags_words_come_from_the_rows)
{
	const struct flag_commands list = { 3, at };
	struct flag_command c = at(0);
	struct buf b = BUF(MB);
	struct str s;

	flags_add_command(&b, "p", &c);
	s = buf_str(&b);
	CHECK(str_starts(s, S("p c: does it\n\nusage: p c A B [FLAGS]\n\nFlags:\n")));
	CHECK(str_contains(s, S("      --users N               how many [5] (T_USERS)\n")));
	CHECK(str_contains(s, S("  -n, --name TEXT             whose (T_NAME)\n")));
	buf_clear(&b);
	flags_add_man(&b, &list);
	s = buf_str(&b);
	CHECK(str_contains(s, S(".SS c A B\ndoes it.\n")));
	CHECK(str_contains(s, S(".B \\-n, \\-\\-name \\fITEXT\\fR\nwhose (T_NAME)\n")));
	CHECK(!str_contains(s, S("gone")));
	buf_clear(&b);
	flags_add_completion(&b, "_p", &list, NULL);
	s = buf_str(&b);
	CHECK(str_contains(s, S("words=\" c d\"\n")));
	CHECK(str_contains(s, S("\td) words=\" one\" ;;\n")));
	CHECK(str_contains(s, S("\t\"c\"\\ *) words+=\" --quick --users --pause --name\" ;;\n")));
	CHECK(!str_contains(s, S("gone")));
	buf_release(&b);
}

TEST(flags_durations)
{
	nsec t;

	CHECK(clock_parse(S("250"), NS_PER_MS, &t) && t == 250 * NS_PER_MS);
	CHECK(clock_parse(S("1m30s"), NS_PER_MS, &t) && t == 90 * NS_PER_S);
	CHECK(clock_parse(S("0"), NS_PER_S, &t) && t == 0);
	CHECK(clock_parse(S("1.5h"), 0, &t) && t == 5400 * NS_PER_S);
	CHECK(!clock_parse(S("250"), 0, &t));
	CHECK(!clock_parse(S(""), NS_PER_S, &t));
	CHECK(!clock_parse(S("5m6"), NS_PER_S, &t));
	CHECK(!clock_parse(S("-1s"), NS_PER_S, &t));
}
