/*
 * cmd_agent_hash.c - `cohort agent hash`: lines of agents.lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>

#include "main/cmd.h"
#include "main/package.h"

static int
print(struct str folder, struct err *e)
{
	struct str rest = folder, part, name = STR_NONE;
	struct package p;
	int rc = package_read(&p, AT_FDCWD, folder.p, folder.p, e);  /* an argument: it ends */

	if (rc != OK)
		return rc;
	while (str_next(&rest, '/', &part))
		if (part.n > 0)
			name = part;
	printf("sha256:%.*s  %.*s\n", PACKAGE_HASH, p.hash, FMT(name));
	package_release(&p);
	return OK;
}

int
cmd_agent_hash(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line line;
	struct err e = { 0 };
	int bad = 0;

	if (line_parse(&line, cmd, argc, argv, &a, &e) < 0) {
		arena_release(&a);
		return command_usage_error(cmd->name, &e);
	}
	for (size_t i = 0; i < line.operands_n; i++)
		if (print(line.operand[i], &e) != OK) {
			fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
			bad = 1;
		}
	arena_release(&a);
	return bad;
}
