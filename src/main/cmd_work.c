/*
 * cmd_work.c - `cohort work` in cohortd, which can reach a server's tracker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/cmd.h"
#include "workcli/cli.h"
#include "workcli/context.h"

static const struct cli_host host = {
	.remote_open = cli_remote_open,
	.remote_close = cli_remote_close,
};

int
cmd_work_bd(int argc, char **argv)
{
	return cli_main(argc, argv, "bd", &host);
}

int
cmd_work(const struct flag_command *cmd, int argc, char **argv)
{
	(void)cmd;
	return cli_main(argc, argv, "cohort work", &host);
}
