/*
 * cmd_chart.c - `cohort chart run FILE`: a chart by itself, to its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "chart/sim.h"
#include "main/cmd.h"

const struct cli_option chart_run_options[] = {
	{ "virtual", NULL, "let the clock jump to the next delayed event" },
	{ "quiet", NULL, "do not show what the chart logs" },
};
const size_t chart_run_options_n = COUNT(chart_run_options);

int
cmd_chart_run(const struct command *cmd, int argc, char **argv)
{
	struct sim_options o = { 0 };
	struct buf final_id = BUF(4 * KB);
	struct cli cli;
	struct err e = { 0 };
	int rc;

	rc = cli_parse(&cli, chart_run_options, chart_run_options_n, argc, argv,
	    1, &e);
	if (rc == OK && cli.operands_n == 0)
		rc = err_set(&e, ERR_INVALID, "which FILE?");
	if (rc < 0)
		return cli_usage_error(cmd->name, &e);
	o.real = !cli_has(&cli, "virtual");
	o.log = cli_has(&cli, "quiet") ? NULL : stderr;
	rc = sim_run(cli.operand[0], &o, &final_id, &e);
	if (rc == OK)
		printf("%.*s\n", FMT(buf_str(&final_id)));
	else
		fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	buf_release(&final_id);
	return rc == OK ? 0 : 1;
}
