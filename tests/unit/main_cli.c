/*
 * main_cli.c - command lines, as people type them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "main/cmd.h"

static const struct cli_option table[] = {
	{ "name", "NAME", "a name" },
	{ "quiet", NULL, "say nothing" },
};

static int
parse(struct cli *cli, char **argv, size_t operands, struct err *e)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return cli_parse(cli, table, COUNT(table), argc, argv, operands, e);
}

#define ARGS(...) (char *[]){ __VA_ARGS__ __VA_OPT__(,) NULL }

TEST(cli_options_and_operands)
{
	struct cli cli;
	struct err e;

	CHECK_RC(parse(&cli, ARGS("--name", "--odd", "file", "--quiet"), 1, &e), OK);
	CHECK_STR(cli_get(&cli, "name"), "--odd");
	CHECK(cli_has(&cli, "quiet"));
	CHECK_STR(cli.operand[0], "file");
	CHECK_RC(parse(&cli, ARGS("--name=a=b", "--", "--quiet"), 1, &e), OK);
	CHECK_STR(cli_get(&cli, "name"), "a=b");
	CHECK(!cli_has(&cli, "quiet"));
	CHECK_STR(cli.operand[0], "--quiet");
}

TEST(cli_errors_name_the_nearest_option)
{
	struct cli cli;
	struct err e;

	CHECK_RC(parse(&cli, ARGS("--nmae", "x"), 0, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "unknown option --nmae; did you mean --name?");
	CHECK_RC(parse(&cli, ARGS("--zzzzzzzz"), 0, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "unknown option --zzzzzzzz");
	CHECK_RC(parse(&cli, ARGS("--name"), 0, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "--name needs a value (NAME)");
	CHECK_RC(parse(&cli, ARGS("--quiet=1"), 0, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "--quiet takes no value");
	CHECK_RC(parse(&cli, ARGS("one"), 0, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "unexpected argument \"one\"");
}

TEST(commands_of_one_and_two_words)
{
	int words;

	CHECK_STR(str_of(command_find(2, ARGS("bench", "flow"), &words)->name),
	    "bench flow");
	CHECK_INT(words, 2);
	CHECK_STR(str_of(command_find(2, ARGS("serve", "flow"), &words)->name),
	    "serve");
	CHECK_INT(words, 1);
	CHECK(command_find(1, ARGS("bench"), &words) == NULL);
	CHECK(command_find(1, ARGS("serv"), &words) == NULL);
}

TEST(commands_all_have_help)
{
	for (size_t i = 0; i < commands_n; i++) {
		struct buf b = BUF(64 * KB);

		command_add_help(&b, &commands[i]);
		CHECK(!b.failed);
		CHECK(str_contains(buf_str(&b), str_of(commands[i].summary)));
		buf_release(&b);
	}
}
