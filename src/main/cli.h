/*
 * cli.h - command lines: tables in, checked options out.
 *
 * Options are `--name value`, `--name=value`, or `--name` for switches; what
 * is left are operands.  `--` ends the options.  An unknown name is refused
 * with the nearest known one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CLI_H
#define MAIN_CLI_H

#include "base/buf.h"
#include "base/rc.h"

enum { CLI_OPTIONS = 64, CLI_OPERANDS = 8 };

struct cli_option {
	const char *name;                    /* "sub" */
	const char *value;                   /* "NAME"; NULL: a switch */
	const char *help;
};

struct cli {
	const struct cli_option *options;
	size_t options_n;
	struct str value[CLI_OPTIONS];       /* p NULL: not given */
	struct str operand[CLI_OPERANDS];
	size_t operands_n;
};

struct command {
	const char *name, *arguments, *summary;
	/* args: what follows the command's name.  Returns the exit code. */
	int (*run)(const struct command *cmd, int argc, char **argv);
};

/* One option of a row's table, for the help text. */
void cli_add_option(struct buf *b, const char *name, const char *value,
    const char *help);

void cli_add_options(struct buf *b, const struct cli_option *options, size_t n);

/* Reads argv against the table.  ERR_INVALID with words for the user. */
int cli_parse(struct cli *cli, const struct cli_option *options, size_t n,
    int argc, char **argv, size_t operands_max, struct err *e);
/* Value of an option of the table, STR_NONE if it was not given. */
struct str cli_get(const struct cli *cli, const char *name);
bool cli_has(const struct cli *cli, const char *name);

/* Splits "--name=value" or takes the next argument.  *at is moved past what
 * was used.  ERR_NOTFOUND: not an option (an operand). */
int cli_next(int argc, char **argv, int *at, struct str *name, struct str *value,
    bool *has_value);

/* Prints `cohort COMMAND: text` and the hint to help; returns EXIT_USAGE. */
int cli_usage_error(const char *command, const struct err *e);

#endif
