/*
 * main_cli.c - the commands, as people type them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include "main/cmd.h"
#include "workcli/cli.h"

#define ARGS(...) (char *[]){ __VA_ARGS__ __VA_OPT__(,) NULL }

TEST(commands_of_one_and_two_words)
{
	int words;

	CHECK_STR(str_of(command_table.at(command_find(2, ARGS("bench", "flow"),
	    &words)).name), "bench flow");
	CHECK_INT(words, 2);
	CHECK_STR(str_of(command_table.at(command_find(2, ARGS("serve", "flow"),
	    &words)).name), "serve");
	CHECK_INT(words, 1);
	CHECK(command_find(1, ARGS("bench"), &words) == command_table.n);
	CHECK(command_find(1, ARGS("serv"), &words) == command_table.n);
}

/* Goal: no command and no flag is missing where people look. */
TEST(commands_and_flags_are_in_help_and_completion)
{
	struct buf all = BUF(MB), man = BUF(MB);

	flags_add_completion(&all, "_c", &command_table, NULL);
	flags_add_man(&man, &command_table);
	for (size_t i = 0; i < command_table.n; i++) {
		struct flag_command c = command_table.at(i);
		const struct flag *tables[] = { c.own, c.common };
		struct buf b = BUF(64 * KB);

		flags_add_command(&b, "cohort", &c);
		CHECK(!b.failed && str_contains(buf_str(&b), str_of(c.summary)));
		for (size_t t = 0; t < COUNT(tables); t++) {
			for (const struct flag *f = tables[t]; f && f->name; f++) {
				CHECK(str_contains(buf_str(&b), str_of(f->name)));
				CHECK(str_contains(buf_str(&all), str_of(f->name)));
				CHECK((f->kind == FLAG_SWITCH) == (f->value == NULL));
			}
		}
		buf_clear(&b);
		flags_add_man_text(&b, c.summary);
		CHECK(str_contains(buf_str(&man), buf_str(&b)));
		buf_release(&b);
	}
	CHECK(!all.failed && !man.failed);
	buf_release(&all);
	buf_release(&man);
}
