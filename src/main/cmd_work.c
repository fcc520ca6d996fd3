/*
 * cmd_work.c - `cohort work` in cohortd, which can reach a server's tracker.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/cmd.h"
#include "main/work/cli.h"
#include "main/work/hand.h"

static const struct work_host host = {
	.remote_open = work_remote_open,
	.remote_close = work_remote_close,
};

int
cmd_work_bd(int argc, char **argv)
{
	return work_main(argc, argv, "bd", &host);
}

int
cmd_work(const struct flag_command *cmd, int argc, char **argv)
{
	(void)cmd;
	return work_main(argc, argv, "cohort work", &host);
}
