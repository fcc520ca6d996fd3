/*
 * cli.c - see cli.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/cli.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "main/commands.h"

#define HELP_COLUMN 30

void
cli_add_option(struct buf *b, const char *name, const char *value,
    const char *help)
{
	size_t start = b->n;

	buf_add_fmt(b, "  --%s%s%s", name, value != NULL ? " " : "",
	    value != NULL ? value : "");
	do
		buf_add_char(b, ' ');
	while (b->n - start < HELP_COLUMN && !b->failed);
	buf_add_fmt(b, "%s\n", help);
}

void
cli_add_options(struct buf *b, const struct cli_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cli_add_option(b, options[i].name, options[i].value,
		    options[i].help);
}

int
cli_next(int argc, char **argv, int *at, struct str *name, struct str *value,
    bool *has_value)
{
	struct str arg = str_of(argv[*at]);
	ptrdiff_t eq;

	(void)argc;
	*value = STR_NONE;
	*has_value = false;
	if (arg.n < 3 || !str_starts(arg, S("--")))
		return ERR_NOTFOUND;
	*name = str_sub(arg, 2, arg.n - 2);
	eq = str_index(*name, '=');
	if (eq >= 0) {
		*value = str_sub(*name, (size_t)eq + 1, name->n);
		*name = str_sub(*name, 0, (size_t)eq);
		*has_value = true;
	}
	(*at)++;
	return OK;
}

static const char *
option_name(const void *table, size_t i)
{
	return ((const struct cli_option *)table)[i].name;
}

static int
unknown_option(const struct cli *cli, struct str name, struct err *e)
{
	const char *near = str_nearest(name, option_name, cli->options,
	    cli->options_n);

	if (near != NULL)
		return err_set(e, ERR_INVALID,
		    "unknown option --%.*s; did you mean --%s?", FMT(name), near);
	return err_set(e, ERR_INVALID, "unknown option --%.*s", FMT(name));
}

static size_t
option_find(const struct cli *cli, struct str name)
{
	size_t i = 0;

	while (i < cli->options_n && !str_eq(str_of(cli->options[i].name), name))
		i++;
	return i;
}

/* The option at argv[*at]. */
static int
parse_option(struct cli *cli, int argc, char **argv, int *at, struct err *e)
{
	struct str name, value;
	bool has_value;
	size_t i;
	int rc;

	rc = cli_next(argc, argv, at, &name, &value, &has_value);
	if (rc < 0)
		return rc;
	i = option_find(cli, name);
	if (i == cli->options_n)
		return unknown_option(cli, name, e);
	if (cli->options[i].value == NULL) {
		if (has_value)
			return err_set(e, ERR_INVALID, "--%.*s takes no value",
			    FMT(name));
		value = S("true");
	} else if (!has_value) {
		if (*at >= argc)
			return err_set(e, ERR_INVALID, "--%.*s needs a value (%s)",
			    FMT(name), cli->options[i].value);
		value = str_of(argv[(*at)++]);
	}
	cli->value[i] = value;
	return OK;
}

int
cli_parse(struct cli *cli, const struct cli_option *options, size_t n,
    int argc, char **argv, size_t operands_max, struct err *e)
{
	bool options_end = false;
	int at = 0;

	assert(n <= CLI_OPTIONS && operands_max <= CLI_OPERANDS);
	*cli = (struct cli){ .options = options, .options_n = n };
	while (at < argc) {
		int rc = ERR_NOTFOUND;

		if (!options_end && strcmp(argv[at], "--") == 0) {
			options_end = true;
			at++;
			continue;
		}
		if (!options_end)
			rc = parse_option(cli, argc, argv, &at, e);
		if (rc == OK)
			continue;
		if (rc != ERR_NOTFOUND)
			return rc;
		if (cli->operands_n == operands_max)
			return err_set(e, ERR_INVALID, "unexpected argument \"%s\"",
			    argv[at]);
		cli->operand[cli->operands_n++] = str_of(argv[at++]);
	}
	return OK;
}

struct str
cli_get(const struct cli *cli, const char *name)
{
	size_t i = option_find(cli, str_of(name));

	assert(i < cli->options_n);
	return cli->value[i];
}

bool
cli_has(const struct cli *cli, const char *name)
{
	return cli_get(cli, name).p != NULL;
}

int
cli_usage_error(const char *command, const struct err *e)
{
	fprintf(stderr, "cohort %s: %s\nTry 'cohort help %s'.\n", command, e->text,
	    command);
	return EXIT_USAGE;
}
