/*
 * main.c - `cohortd`: everything that `cohort` does not do itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "main/cmd.h"
#include "main/work/cli.h"

int
main(int argc, char **argv)
{
	const struct command *cmd;
	int words;

	if (argc > 0 && work_is_bd(argv[0]))
		return cmd_work_bd(argc - 1, argv + 1);
	if (argc < 2) {
		fprintf(stderr, "cohortd is started by cohort; try 'cohort help'.\n");
		return EXIT_USAGE;
	}
	cmd = command_find(argc - 1, argv + 1, &words);
	if (cmd == NULL) {
		/* `cohort bench`: its commands; anything else is unknown. */
		cmd_help(NULL, 1, argv + 1);
		return EXIT_USAGE;
	}
	argc -= 1 + words;
	argv += 1 + words;
	if (cmd->run != cmd_work && argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
		struct buf b = BUF(64 * KB);

		command_add_help(&b, cmd);
		fwrite(b.p, 1, b.n, stdout);
		buf_release(&b);
		return 0;
	}
	return cmd->run(cmd, argc, argv);
}
