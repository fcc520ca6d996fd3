/*
 * commands.c - the table of cohortd's commands, and help made from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "main/cmd.h"
#include "main/config.h"

static void
add_settings(struct buf *b)
{
	config_add_help(b);
	buf_lit(b, "\nEach is also COHORT_A_B in the environment and a.b in "
	    "cohort.yaml; an option wins\nover the environment, and that over the "
	    "file.\n");
}

static void
add_config_options(struct buf *b)
{
	cli_add_options(b, config_options, config_options_n);
	buf_lit(b, "\nand, to see what they would do:\n\n");
	add_settings(b);
}

static void
add_token_options(struct buf *b)
{
	cli_add_options(b, token_options, token_options_n);
	buf_lit(b, "\nIt is signed with the server's secret: COHORT_JWT_SECRET in "
	    "the environment, or\njwt.secret in cohort.yaml.\n");
}

static void
add_chart_run_options(struct buf *b)
{
	cli_add_options(b, chart_run_options, chart_run_options_n);
}

/* Help on options, by command; a command that is not here has none. */
static const struct {
	int (*run)(const struct command *cmd, int argc, char **argv);
	void (*add)(struct buf *b);
} options[] = {
	{ cmd_serve, add_settings },
	{ cmd_config, add_config_options },
	{ cmd_token, add_token_options },
	{ cmd_chart_run, add_chart_run_options },
	{ cmd_mock_llm, mock_llm_add_options },
	{ cmd_bench_flow, bench_flow_add_options },
	{ cmd_bench_streams, bench_streams_add_options },
	{ cmd_bench_work, bench_work_add_options },
};

const struct command commands[] = {
#define X(function, name, arguments, summary)                                 \
	{ name, arguments, summary, cmd_##function },
	COMMAND_MAP(X)
#undef X
};
const size_t commands_n = COUNT(commands);

static bool
words_match(const char *name, int argc, char **argv, int *words)
{
	struct str rest = str_of(name), word;

	*words = 0;
	while (str_next(&rest, ' ', &word)) {
		if (*words >= argc || !str_eq(word, str_of(argv[*words])))
			return false;
		(*words)++;
	}
	return true;
}

const struct command *
command_find(int argc, char **argv, int *words)
{
	for (size_t i = 0; i < commands_n; i++) {
		if (words_match(commands[i].name, argc, argv, words))
			return &commands[i];
	}
	return NULL;
}

void
command_add_help(struct buf *b, const struct command *cmd)
{
	buf_add_fmt(b, "cohort %s: %s\n\nusage: cohort %s%s%s", cmd->name,
	    cmd->summary, cmd->name, cmd->arguments[0] != '\0' ? " " : "",
	    cmd->arguments);
	for (size_t i = 0; i < COUNT(options); i++) {
		if (options[i].run != cmd->run)
			continue;
		buf_lit(b, " [OPTIONS]\n\n");
		options[i].add(b);
		return;
	}
	buf_lit(b, "\n");
}

void
commands_add_group(struct buf *b, struct str group)
{
	for (size_t i = 0; i < commands_n; i++) {
		struct str rest = str_of(commands[i].name), first;

		if (str_next(&rest, ' ', &first) && rest.n > 0 && str_eq(first, group))
			buf_add_fmt(b, "  %-14s %s\n", commands[i].name,
			    commands[i].summary);
	}
}

int
cmd_version(const struct command *cmd, int argc, char **argv)
{
	(void)cmd, (void)argc, (void)argv;
	printf("cohort " COHORT_VERSION "\n");
	return 0;
}

static const char *
name_at(const void *table, size_t i)
{
	return ((const struct command *)table)[i].name;
}

int
cmd_help(const struct command *cmd, int argc, char **argv)
{
	struct buf b = BUF(64 * KB);
	const struct command *about;
	int words;

	(void)cmd;
	about = argc > 0 ? command_find(argc, argv, &words) : NULL;
	if (about != NULL) {
		command_add_help(&b, about);
	} else if (argc > 0) {
		const char *near = str_nearest(str_of(argv[0]), name_at, commands,
		    commands_n);

		commands_add_group(&b, str_of(argv[0]));
		if (b.n == 0) {
			fprintf(stderr, "cohort help: unknown command \"%s\"%s%s%s\n",
			    argv[0], near != NULL ? "; did you mean \"" : "",
			    near != NULL ? near : "", near != NULL ? "\"?" : "");
			buf_release(&b);
			return EXIT_USAGE;
		}
	}
	for (size_t i = 0; argc == 0 && i < commands_n; i++)
		buf_add_fmt(&b, "  %-14s %s\n", commands[i].name,
		    commands[i].summary);
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
	return 0;
}
