/*
 * line.c - reads a command line of the tracker against the table.
 *
 * base/flags.h reads flags, which may also come before the command's words.  The
 * last of a flag that was given twice counts, but lists grow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "workcli/cmd.h"

struct reader {
	struct cli_line *l;
	struct arena *a;
	struct err *e;
};

const struct cli_command *
cli_command_find(struct str name)
{
	for (size_t i = 0; i < cli_commands_n; i++) {
		if (str_eq(name, str_of(cli_commands[i].name)))
			return &cli_commands[i];
	}
	return NULL;
}

/* ---- the command ----------------------------------------------------------------- */

/* What people and models say elsewhere. */
static const struct { const char *word, *command; } other_words[] = {
	{ "add", "create" }, { "new", "create" }, { "edit", "update" },
	{ "set", "update" }, { "take", "claim" }, { "start", "claim" },
	{ "heartbeat", "claim" }, { "renew", "claim" }, { "done", "close" },
	{ "finish", "close" }, { "complete", "close" }, { "unclaim", "release" },
	{ "rm", "delete" }, { "remove", "delete" }, { "find", "search" },
	{ "grep", "search" }, { "get", "show" }, { "view", "show" },
	{ "next", "ready" }, { "todo", "ready" },
	{ "log", "history" }, { "watch", "events" },
	{ "deps", "dep tree" }, { "tree", "dep tree" }, { "block", "dep add" },
	{ "labels", "label list-all" }, { "tag", "label add" }, { "note", "comment" },
};

const char *
cli_command_near(struct str name)
{
	struct str_near near = { .word = name };

	for (size_t i = 0; i < COUNT(other_words); i++) {
		if (str_eq(name, str_of(other_words[i].word)))
			return other_words[i].command;
	}
	for (size_t i = 0; i < cli_commands_n; i++)
		str_near_try(&near, cli_commands[i].name);
	return near.best;
}

static int
command_unknown(struct reader *r, struct str name)
{
	const char *near = cli_command_near(name);

	return err_near(r->e, ERR_METHOD, near, "\"", "unknown command \"%.*s\"",
	    FMT(name));
}

/* `dep` alone: which words may follow. */
static int
word_missing(struct reader *r, struct str first)
{
	struct str words = S("");

	for (size_t i = 0; i < cli_commands_n; i++) {
		struct str rest = str_of(cli_commands[i].name), group;

		if (str_next(&rest, ' ', &group) && str_eq(group, first) && rest.n > 0)
			words = arena_fmt(r->a, "%.*s%s%.*s", FMT(words),
			    words.n > 0 ? ", " : "", FMT(rest));
	}
	return err_set(r->e, ERR_METHOD, "\"%.*s\" needs a second word: %.*s",
	    FMT(first), FMT(words));
}

/* Once the command is known its flags are, too. */
static void
command_set(struct reader *r, const struct cli_command *c)
{
	r->l->cmd = c;
	r->l->in.own = c != NULL ? cli_row(c).own : NULL;
	r->l->in.texts = c != NULL && c->max != 0;
}

/* The next word of the command's name, after the global flags before it; empty
 * when there is none. */
static int
next_word(struct reader *r, struct str *word)
{
	struct flag_line *in = &r->l->in;

	*word = STR_NONE;
	while (line_at_flag(in)) {
		int rc;

		if (strcmp(in->argv[in->at], "--") == 0)
			return OK;
		rc = line_read_flag(in, r->e);
		if (rc < 0)
			return rc;
	}
	if (in->at < in->argc)
		*word = str_of(in->argv[in->at++]);
	return OK;
}

/* `dep add`, and `comments add` beside `comments ID`. */
static int
parse_group(struct reader *r, struct str first)
{
	struct flag_line *in = &r->l->in;
	struct str second, name;
	int rc, mark = in->at;

	r->l->group = first;
	command_set(r, cli_command_find(first));
	if (r->l->cmd != NULL && line_at_flag(in))
		return OK;
	rc = next_word(r, &second);
	if (rc < 0 || (second.n == 0 && r->l->cmd != NULL))
		return rc;
	if (second.n == 0)
		return line_has(in, "help") ? OK : word_missing(r, first);
	name = arena_fmt(r->a, "%.*s %.*s", FMT(first), FMT(second));
	if (cli_command_find(name) != NULL) {
		command_set(r, cli_command_find(name));
		return OK;
	}
	if (r->l->cmd == NULL)
		return command_unknown(r, name);
	in->at = mark;                       /* it was an operand */
	return OK;
}

static int
parse_command(struct reader *r)
{
	struct str word;
	int rc = next_word(r, &word);

	if (rc < 0 || word.n == 0)
		return rc;
	if (flags_is_group(&cli_list, word))
		return parse_group(r, word);
	command_set(r, cli_command_find(word));
	return r->l->cmd != NULL ? OK : command_unknown(r, word);
}

int
cli_parse(struct cli_line *l, int argc, char **argv, struct arena *a,
    struct err *e)
{
	struct reader r = { l, a, e };
	struct flag_command row;
	int rc;

	*l = (struct cli_line){ 0 };
	rc = line_init(&l->in, argc, argv, a, e);
	l->in.common = cli_globals;
	if (rc == OK)
		rc = parse_command(&r);
	if (rc < 0 || l->cmd == NULL)
		return rc;
	if (l->cmd->refused != NULL)
		return err_set(e, ERR_METHOD, "there is no %s: %s", l->cmd->name,
		    l->cmd->refused);
	rc = line_read_rest(&l->in, e);
	row = cli_row(l->cmd);
	if (rc < 0 || line_has(&l->in, "help") || line_has(&l->in, "version"))
		return rc;
	return line_check_operands(&l->in, &row, e);
}
