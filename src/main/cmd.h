/*
 * cmd.h - the commands of cohortd: one file each, one table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CMD_H
#define MAIN_CMD_H

#include "main/cli.h"
#include "main/commands.h"

extern const struct command commands[];
extern const size_t commands_n;

#define X(function, name, arguments, summary)                                 \
	int cmd_##function(const struct command *cmd, int argc, char **argv);
COMMAND_MAP(X)
#undef X

/* The command argv begins with; *words: how many of its words it took. */
const struct command *command_find(int argc, char **argv, int *words);
/* A line for each command whose first word is `group` ("bench"), of several. */
void commands_add_group(struct buf *b, struct str group);
void command_add_help(struct buf *b, const struct command *cmd);

/* cmd_work, called by a link named bd. */
int cmd_work_bd(int argc, char **argv);

/* The options of the commands that have some. */
extern const struct cli_option token_options[], config_options[],
    chart_run_options[];
extern const size_t token_options_n, config_options_n, chart_run_options_n;

void mock_llm_add_options(struct buf *b);
void bench_flow_add_options(struct buf *b);
void bench_streams_add_options(struct buf *b);
void bench_work_add_options(struct buf *b);

#endif
