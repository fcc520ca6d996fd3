/*
 * main.c - `cohortd`: everything that `cohort` does not do itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "main/cmd.h"
#include "main/upgrade.h"
#include "workcli/cli.h"

extern char **environ;

static bool
is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* `cohort bench`: the first word of several commands, and what followed. */
static int
command_group(const char *group, const char *word)
{
	struct buf b = BUF(16 * KB);
	bool asked = word != NULL && is_help(word);

	if (word != NULL && !asked)
		buf_add_fmt(&b, "cohort %s: unknown command \"%s\"\n\n", group, word);
	buf_add_fmt(&b, "usage: cohort %s COMMAND [OPTIONS]\n\n", group);
	flags_add_list(&b, &command_table, str_of(group));
	buf_add_fmt(&b, "\n'cohort %s COMMAND --help' explains one.\n", group);
	fwrite(b.p, 1, b.n, asked ? stdout : stderr);
	buf_release(&b);
	return asked ? 0 : EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	size_t i;
	int words;

	upgrade_note(argv, environ);
	if (argc > 0 && cli_is_bd(argv[0]))
		return cmd_work_bd(argc - 1, argv + 1);
	if (argc < 2) {
		fprintf(stderr, "cohortd is started by cohort; try 'cohort help'.\n");
		return EXIT_USAGE;
	}
	i = command_find(argc - 1, argv + 1, &words);
	if (i == command_table.n)
		return command_group(argv[1], argc > 2 ? argv[2] : NULL);
	return command_run(i, argc - 1 - words, argv + 1 + words);
}
