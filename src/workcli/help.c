/*
 * help.c - what explains the table: help, the manual page, the tables of
 * docs/work.md, and what bash completes for bd.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

/* ---- help ------------------------------------------------------------------------- */

void
cli_add_command_help(struct buf *b, const char *program,
    const struct cli_command *cmd)
{
	struct flag_command row = cli_row(cmd);

	flags_add_command(b, program, &row);
	buf_add_fmt(b, "\nFlags of all commands: %s help\n", program);
}

void
cli_add_help(struct buf *b, const char *program, struct str group)
{
	buf_lit(b, "A to-do list with dependencies, for agents and people.\n\n");
	buf_add_fmt(b, "usage: %s COMMAND [OPERANDS] [FLAGS]\n\n", program);
	flags_add_list(b, &cli_list, group);
	buf_lit(b, "\nFlags of all commands:\n");
	flags_add_rows(b, cli_globals);
	buf_add_fmt(b, "\n'%s help COMMAND' explains one.\n", program);
}

void
cli_add_man(struct buf *b)
{
	buf_lit(b, ".TH COHORT-WORK 1 \"\" \"cohort " COHORT_VERSION "\" "
	    "\"User Commands\"\n.SH NAME\ncohort-work, bd \\- a to-do list with "
	    "dependencies, for agents and people\n.SH SYNOPSIS\n.B cohort work\n"
	    ".I command\n[operands] [flags]\n.br\n.B bd\n.I command\n"
	    "[operands] [flags]\n.SH GLOBAL FLAGS\n");
	flags_add_man_rows(b, cli_globals);
	buf_lit(b, ".SH COMMANDS\n");
	flags_add_man(b, &cli_list);
	buf_lit(b, ".SH EXIT STATUS\n0: done. 1: an error, told on stderr. "
	    "124: no answer in time.\n");
}

/* ---- the tables of docs/work.md -------------------------------------------------------- */

/* In a table, a bar ends the cell. */
static void
md_add(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			buf_add_char(b, '\\');
		buf_add_char(b, *text);
	}
}

static void
md_add_flags(struct buf *b, const char *command, const struct flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		buf_add_fmt(b, "| %s | `--%s%s", command, f->name,
		    f->value != NULL ? " " : "");
		md_add(b, f->value != NULL ? f->value : "");
		buf_add_char(b, '`');
		if (f->letter != 0)
			buf_add_fmt(b, ", `-%c`", f->letter);
		buf_add_fmt(b, " | %s | ", flag_states[f->state]);
		md_add(b, f->help);
		buf_lit(b, " |\n");
	}
}

void
cli_add_markdown(struct buf *b)
{
	buf_lit(b, "| command | what it does |\n|---|---|\n");
	for (size_t i = 0; i < cli_commands_n; i++) {
		const struct cli_command *c = &cli_commands[i];

		buf_add_fmt(b, "| `%s%s%s` | ", c->name, c->operands[0] != '\0' ? " " : "",
		    c->operands);
		if (c->refused != NULL)
			buf_lit(b, "refused: ");
		md_add(b, c->refused != NULL ? c->refused : c->summary);
		buf_lit(b, " |\n");
	}
	buf_lit(b, "\nOperations of the protocol:");
	for (size_t i = 0; work_operation(i) != NULL; i++)
		buf_add_fmt(b, "%s `%s`", i > 0 ? "," : "", work_operation(i));
	buf_lit(b, ".\n\n| command | flag | | what it does, or why not |\n|---|---|---|---|\n");
	md_add_flags(b, "all", cli_globals);
	for (size_t i = 0; i < cli_commands_n; i++)
		md_add_flags(b, cli_commands[i].name, cli_row(&cli_commands[i]).own);
}

/* ---- completion ------------------------------------------------------------------------ */

void
cli_completion(struct buf *b)
{
	flags_add_completion(b, "_cohort_work_words", &cli_list, cli_globals);
	buf_lit(b, "_cohort_work()\n{\n"
	    "\tif [ \"${COMP_WORDS[0]##*/}\" = bd ]; then\n\t\t_cohort_work_words 1\n"
	    "\telif [ \"${COMP_WORDS[1]}\" = work ]; then\n\t\t_cohort_work_words 2\n"
	    "\tfi\n}\ncomplete -o default -F _cohort_work cohort bd\n");
}
