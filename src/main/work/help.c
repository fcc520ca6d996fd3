/*
 * help.c - everything that explains the table: help, the manual page, the
 * tables of docs/work.md, and what a shell completes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "main/work/cmd.h"

static const char *const states[] = { "supported", "accepted without effect",
	"refused" };

static bool
is_in_group(const struct work_command *c, struct str group)
{
	struct str name = str_of(c->name), first;

	return c->refused == NULL && (group.n == 0 ||
	    (str_next(&name, ' ', &first) && str_eq(first, group)));
}

/* ---- help ------------------------------------------------------------------------- */

/* Wraps text at 78 columns, each line after `indent` blanks. */
static void
add_wrapped(struct buf *b, struct str text, size_t indent, size_t column)
{
	struct str word;

	while (str_next(&text, ' ', &word)) {
		if (column > indent && column + 1 + text_width(word) > 78) {
			buf_add_fmt(b, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			buf_add_char(b, ' ');
			column++;
		}
		buf_add(b, word);
		column += text_width(word);
	}
	buf_add_char(b, '\n');
}

#define FLAG_COLUMN 30

static void
add_flag(struct buf *b, const struct work_flag *f)
{
	size_t start = b->n;
	struct buf why = BUF(KB);

	if (f->letter != 0)
		buf_add_fmt(b, "  -%c, --%s", f->letter, f->name);
	else
		buf_add_fmt(b, "      --%s", f->name);
	if (f->value != NULL)
		buf_add_fmt(b, " %s", f->value);
	do
		buf_add_char(b, ' ');
	while (b->n - start < FLAG_COLUMN && !b->failed);
	buf_add_fmt(&why, "%s%s%s", f->state != FLAG_SUPPORTED ? states[f->state] : "",
	    f->state != FLAG_SUPPORTED ? ": " : "", f->help);
	add_wrapped(b, buf_str(&why), FLAG_COLUMN,
	    b->n - start > FLAG_COLUMN ? b->n - start : FLAG_COLUMN);
	buf_release(&why);
}

static void
add_flags(struct buf *b, const struct work_flag *f)
{
	for (; f != NULL && f->name != NULL; f++)
		add_flag(b, f);
}

void
work_add_usage(struct buf *b, const char *program, const struct work_command *cmd)
{
	buf_add_fmt(b, "usage: %s %s%s%s%s\n", program, cmd->name,
	    cmd->operands[0] != '\0' ? " " : "", cmd->operands,
	    cmd->flags != NULL ? " [FLAGS]" : "");
}

void
work_add_command_help(struct buf *b, const char *program,
    const struct work_command *cmd)
{
	buf_add_fmt(b, "%s %s: %s\n\n", program, cmd->name, cmd->summary);
	work_add_usage(b, program, cmd);
	if (cmd->detail != NULL) {
		buf_add_char(b, '\n');
		add_wrapped(b, str_of(cmd->detail), 0, 0);
	}
	if (cmd->flags != NULL)
		buf_lit(b, "\nFlags:\n");
	add_flags(b, cmd->flags);
	buf_add_fmt(b, "\nFlags of all commands: %s help\n", program);
}

void
work_add_help(struct buf *b, const char *program, struct str group)
{
	buf_lit(b, "A to-do list with dependencies, for agents and people.\n\n");
	buf_add_fmt(b, "usage: %s COMMAND [OPERANDS] [FLAGS]\n\n", program);
	for (size_t i = 0; i < work_commands_n; i++) {
		const struct work_command *c = &work_commands[i];
		size_t start = b->n;

		if (!is_in_group(c, group))
			continue;
		buf_add_fmt(b, "  %s %s", c->name, c->operands);
		do
			buf_add_char(b, ' ');
		while (b->n - start < FLAG_COLUMN && !b->failed);
		buf_add_fmt(b, "%s\n", c->summary);
	}
	buf_lit(b, "\nFlags of all commands:\n");
	add_flags(b, work_globals);
	buf_add_fmt(b, "\n'%s help COMMAND' explains one.\n", program);
}

/* ---- the manual page ----------------------------------------------------------------- */

/* troff: no line begins with a dot or quote, backslashes and hyphens escaped. */
static void
man_add(struct buf *b, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\')
			buf_lit(b, "\\e");
		else if (*p == '-')
			buf_lit(b, "\\-");
		else if ((p == text || p[-1] == '\n') && (*p == '.' || *p == '\''))
			buf_add_fmt(b, "\\&%c", *p);
		else
			buf_add_char(b, *p);
	}
}

static void
man_add_flags(struct buf *b, const struct work_flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		buf_lit(b, ".TP\n.B ");
		if (f->letter != 0)
			buf_add_fmt(b, "\\-%c, ", f->letter);
		buf_lit(b, "\\-\\-");
		man_add(b, f->name);
		if (f->value != NULL) {
			buf_lit(b, " \\fI");
			man_add(b, f->value);
			buf_lit(b, "\\fR");
		}
		buf_add_char(b, '\n');
		if (f->state != FLAG_SUPPORTED)
			buf_add_fmt(b, "(%s) ", states[f->state]);
		man_add(b, f->help);
		buf_add_char(b, '\n');
	}
}

static void
man_add_command(struct buf *b, const struct work_command *c)
{
	buf_lit(b, ".SS ");
	man_add(b, c->name);
	buf_add_char(b, ' ');
	man_add(b, c->operands);
	buf_lit(b, "\n");
	man_add(b, c->summary);
	buf_lit(b, ".\n");
	if (c->detail != NULL) {
		man_add(b, c->detail);
		buf_add_char(b, '\n');
	}
	man_add_flags(b, c->flags);
}

void
work_add_man(struct buf *b)
{
	buf_lit(b, ".TH COHORT-WORK 1 \"\" \"cohort " COHORT_VERSION "\" "
	    "\"User Commands\"\n.SH NAME\ncohort-work, bd \\- a to-do list with "
	    "dependencies, for agents and people\n.SH SYNOPSIS\n.B cohort work\n"
	    ".I command\n[operands] [flags]\n.br\n.B bd\n.I command\n"
	    "[operands] [flags]\n.SH GLOBAL FLAGS\n");
	man_add_flags(b, work_globals);
	buf_lit(b, ".SH COMMANDS\n");
	for (size_t i = 0; i < work_commands_n; i++) {
		if (work_commands[i].refused == NULL)
			man_add_command(b, &work_commands[i]);
	}
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
md_add_flags(struct buf *b, const char *command, const struct work_flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		buf_add_fmt(b, "| %s | `--%s%s%s`", command, f->name,
		    f->value != NULL ? " " : "", f->value != NULL ? f->value : "");
		if (f->letter != 0)
			buf_add_fmt(b, ", `-%c`", f->letter);
		buf_add_fmt(b, " | %s | ", states[f->state]);
		md_add(b, f->help);
		buf_lit(b, " |\n");
	}
}

void
work_add_markdown(struct buf *b)
{
	buf_lit(b, "| command | what it does |\n|---|---|\n");
	for (size_t i = 0; i < work_commands_n; i++) {
		const struct work_command *c = &work_commands[i];

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
	md_add_flags(b, "all", work_globals);
	for (size_t i = 0; i < work_commands_n; i++)
		md_add_flags(b, work_commands[i].name, work_commands[i].flags);
}

/* ---- completion ------------------------------------------------------------------------ */

static void
words_add_flags(struct buf *b, const struct work_flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (f->state != FLAG_REFUSED)
			buf_add_fmt(b, " --%s", f->name);
	}
}

/* First words; or, for a group, its second ones. */
static void
words_add_commands(struct buf *b, struct str group)
{
	struct str last = S("");

	for (size_t i = 0; i < work_commands_n; i++) {
		struct str rest = str_of(work_commands[i].name), first;

		str_next(&rest, ' ', &first);
		if (work_commands[i].refused != NULL)
			continue;
		if (group.n > 0 && str_eq(first, group) && rest.n > 0)
			buf_add_fmt(b, " %.*s", FMT(rest));
		else if (group.n == 0 && !str_eq(first, last))
			buf_add_fmt(b, " %.*s", FMT(first));
		last = first;
	}
}

static void
cases_add(struct buf *b)
{
	for (size_t i = 0; i < work_commands_n; i++) {
		const struct work_command *c = &work_commands[i];
		bool two = str_index(str_of(c->name), ' ') >= 0;

		if (c->refused != NULL || c->flags == NULL)
			continue;
		buf_add_fmt(b, "\t\"%s\"%s) words+=\"", c->name, two ? "" : "\\ *");
		words_add_flags(b, c->flags);
		buf_lit(b, "\" ;;\n");
	}
}

static void
groups_add(struct buf *b)
{
	struct str last = S("");

	for (size_t i = 0; i < work_commands_n; i++) {
		struct str rest = str_of(work_commands[i].name), first;

		str_next(&rest, ' ', &first);
		if (rest.n == 0 || str_eq(first, last))
			continue;
		last = first;
		buf_add_fmt(b, "\t%.*s) words=\"", FMT(first));
		words_add_commands(b, first);
		buf_lit(b, "\" ;;\n");
	}
}

void
work_add_completion(struct buf *b)
{
	buf_lit(b, "# Completes `cohort work` and `bd` in bash; made by:\n"
	    "# cohort work help --completion bash\n"
	    "_cohort_work()\n{\n"
	    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} at=2 words=\n\n"
	    "\t[ \"${COMP_WORDS[0]##*/}\" = bd ] && at=1\n"
	    "\tif [ $COMP_CWORD -lt $at ]; then\n"
	    "\t\tCOMPREPLY=($(compgen -W \"work serve bench chart config token "
	    "mock-llm version help\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
	    "\t[ $at = 1 ] || [ \"${COMP_WORDS[1]}\" = work ] || return\n"
	    "\tif [ $COMP_CWORD = $at ]; then\n\t\twords=\"");
	words_add_commands(b, S(""));
	buf_lit(b, "\"\n\telif [ $COMP_CWORD = $((at + 1)) ] && [ \"${cur:0:1}\" != - ]; "
	    "then\n\tcase ${COMP_WORDS[at]} in\n");
	groups_add(b);
	buf_lit(b, "\tesac\n\telif [ \"${cur:0:1}\" = - ]; then\n\twords=\"");
	words_add_flags(b, work_globals);
	buf_lit(b, "\"\n\tcase \"${COMP_WORDS[at]} ${COMP_WORDS[at + 1]}\" in\n");
	cases_add(b);
	buf_lit(b, "\tesac\n\tfi\n"
	    "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
	    "complete -o default -F _cohort_work cohort bd\n");
}
