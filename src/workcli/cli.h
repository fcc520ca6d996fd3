/*
 * cli.h - `cohort work COMMAND ...`, and `bd COMMAND ...` by a link: the
 * tracker's command line, the same in both executables.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_CLI_H
#define WORKCLI_CLI_H

#include "work/host/client.h"

/* What the executable around it can do. */
struct cli_host {
	/* Over HTTP, for --server; NULL: it cannot, */
	int (*remote_open)(struct client_remote *out, struct str url,
	    struct str project, struct err *e);
	void (*remote_close)(struct client_remote *r);
	/* but it can become one that can, with its own arguments.  Returns only
	 * to fail. */
	int (*become)(void);
};

/* Was the executable called by a link named bd? */
bool cli_is_bd(const char *argv0);

/* argv: without the program's name.  program: how people call it, "bd" or
 * "cohort work".  Returns the exit code. */
int cli_main(int argc, char **argv, const char *program,
    const struct cli_host *host);

/* Appends what bash completes for bd and `cohort work`: _cohort_work. */
void cli_completion(struct buf *b);

/* the exit code beyond 0 and 1, which are bd's */
enum { EXIT_TIMEOUT = 124 };

#endif
