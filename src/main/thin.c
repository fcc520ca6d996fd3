/*
 * thin.c - `cohort`: starts in about a millisecond, runs the tracker's commands,
 * and executes cohortd for the others.
 *
 * cohortd is beside this executable, as in a build directory, or in
 * ../libexec/cohort/, as in an installation.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/flags.h"
#include "base/str.h"
#include "main/commands.h"
#include "workcli/cli.h"

static const struct name { const char *name, *arguments, *summary; } names[] = {
#define X(function, name, arguments, summary) { name, arguments, summary },
	COMMAND_MAP(X)
#undef X
};

static int
print_help(FILE *to)
{
	fprintf(to, "Cohort " COHORT_VERSION
	    ", an agent server.\n\nusage: cohort COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < COUNT(names); i++)
		fprintf(to, "  %-16s %s\n", names[i].name, names[i].summary);
	fprintf(to, "\n'cohort help COMMAND' explains one.\n");
	return to == stdout ? 0 : EXIT_USAGE;
}

/* The first word of a known command? */
static bool
is_known(struct str word)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		struct str first, rest = str_of(names[i].name);

		if (str_next(&rest, ' ', &first) && str_eq(first, word))
			return true;
	}
	return false;
}

static int
unknown(const char *word)
{
	struct str_near near = { .word = str_of(word) };
	struct err e;

	for (size_t i = 0; i < COUNT(names); i++)
		str_near_try(&near, names[i].name);
	err_near(&e, ERR_METHOD, near.best, "\"", "unknown command \"%s\"", word);
	fprintf(stderr, "cohort: %s\nTry 'cohort help'.\n", e.text);
	return EXIT_USAGE;
}

/* Only returns when there is no cohortd to become. */
static int
become_cohortd(char **argv)
{
	char path[PATH_MAX + 32];
	struct err e;

	if (file_beside("cohortd", "../libexec/cohort/", path, sizeof path, &e) == OK) {
		execv(path, argv);
		err_set(&e, ERR_IO, "%s: %s", path, strerror(errno));
	}
	fprintf(stderr, "cohort: %s\n", e.text);
	return 1;
}

static char **own_argv;

static int
become_for_server(void)
{
	return become_cohortd(own_argv);
}

/* Runs the tracker's commands, except those that need HTTP. */
static const struct cli_host host = { .become = become_for_server };

int
main(int argc, char **argv)
{
	struct str word = str_of(argc > 1 ? argv[1] : NULL);

	own_argv = argv;
	if (argc > 0 && cli_is_bd(argv[0]))
		return cli_main(argc - 1, argv + 1, "bd", &host);
	if (argc > 2 && str_eq(word, S("help")) && str_eq(str_of(argv[2]), S("work")))
		return cli_main(1, argv + 1, "cohort work", &host);
	if (str_eq(word, S("work")))
		return cli_main(argc - 2, argv + 2, "cohort work", &host);
	if (argc < 2)
		return print_help(stderr);
	if (str_eq(word, S("version")) || str_eq(word, S("--version")) ||
	    str_eq(word, S("-v"))) {
		printf("cohort " COHORT_VERSION "\n");
		return 0;
	}
	if (argc == 2 && (str_eq(word, S("help")) || str_eq(word, S("--help")) ||
	    str_eq(word, S("-h"))))
		return print_help(stdout);
	if (!is_known(word))
		return unknown(argv[1]);
	return become_cohortd(argv);
}
