/*
 * confirm.c - see confirm.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/confirm.h"

#include <stdio.h>
#include <unistd.h>

int
confirm(const struct flag_line *line, const char *question, struct err *e)
{
	char answer[16] = "";

	if (line_has(line, "yes"))
		return OK;
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERR_INVALID, "%s There is no terminal to ask: say --yes",
		    question);
	fprintf(stderr, "%s [y/N] ", question);
	if (fgets(answer, sizeof answer, stdin) != NULL &&
	    (str_eq_nocase(str_trim(str_of(answer)), S("y")) ||
	    str_eq_nocase(str_trim(str_of(answer)), S("yes"))))
		return OK;
	return err_set(e, ERR_CLOSED, "nothing was done");
}
