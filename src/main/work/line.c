/*
 * line.c - reads a command line of the tracker against the table.
 *
 * As pflag does for bd: -p1, -p 1, -p=1, --priority=1, --priority 1, grouped
 * switches, flags before and after operands and before the command's words,
 * `--` ends them.  The last of a flag that was given twice counts, but lists
 * grow.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/limits.h"
#include "main/cli.h"
#include "main/work/cmd.h"

struct reader {
	struct work_line *l;
	int argc, at;
	char **argv;
	struct arena *a;
	struct err *e;
};

const struct work_command *
work_command_find(struct str name)
{
	for (size_t i = 0; i < work_commands_n; i++) {
		if (str_eq(name, str_of(work_commands[i].name)))
			return &work_commands[i];
	}
	return NULL;
}

bool
work_is_group(struct str word)
{
	for (size_t i = 0; i < work_commands_n; i++) {
		struct str name = str_of(work_commands[i].name), first;

		if (str_next(&name, ' ', &first) && name.n > 0 && str_eq(first, word))
			return true;
	}
	return false;
}

/* ---- flags ------------------------------------------------------------------- */

static const struct work_flag *
find_in(const struct work_flag *f, struct str name, char letter)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (letter != 0 ? f->letter == letter : str_eq(str_of(f->name), name))
			return f;
	}
	return NULL;
}

/* The command's own flags come first: `export -s` is not the global one. */
static const struct work_flag *
flag_find(const struct work_line *l, struct str name, char letter)
{
	const struct work_flag *f = NULL;

	if (l->cmd != NULL)
		f = find_in(l->cmd->flags, name, letter);
	return f != NULL ? f : find_in(work_globals, name, letter);
}

struct names { const struct work_flag *own; size_t own_n; };

static const char *
flag_name(const void *table, size_t i)
{
	const struct names *t = table;

	return i < t->own_n ? t->own[i].name : work_globals[i - t->own_n].name;
}

static size_t
flags_count(const struct work_flag *f)
{
	size_t n = 0;

	while (f != NULL && f[n].name != NULL)
		n++;
	return n;
}

/* It may have been meant as a text. */
static const char *
text_hint(const struct work_line *l)
{
	return l->cmd == NULL || l->cmd->max == 0 ? "" :
	    "; what begins with a dash and is no flag goes after --";
}

static int
flag_unknown(struct reader *r, struct str name)
{
	struct names t = { 0 };
	const char *near;

	if (r->l->cmd != NULL)
		t.own = r->l->cmd->flags;
	t.own_n = flags_count(t.own);
	near = str_nearest(name, flag_name, &t, t.own_n + flags_count(work_globals));
	if (near != NULL)
		return err_set(r->e, ERR_INVALID,
		    "unknown flag: --%.*s; did you mean --%s?", FMT(name), near);
	return err_set(r->e, ERR_INVALID, "unknown flag: --%.*s%s", FMT(name),
	    text_hint(r->l));
}

/* "true" or "false" as Go's ParseBool reads them. */
static bool
switch_value(struct str s, struct str *out)
{
	static const char *const words[] = { "true", "1", "t", "T", "TRUE", "True",
		"false", "0", "f", "F", "FALSE", "False" };

	for (size_t i = 0; i < COUNT(words); i++) {
		if (str_eq(s, str_of(words[i]))) {
			*out = i < COUNT(words) / 2 ? S("true") : S("false");
			return true;
		}
	}
	return false;
}

static int
flag_give(struct reader *r, const struct work_flag *f, struct str value)
{
	struct work_line *l = r->l;

	if (f->kind == FLAG_SWITCH && !switch_value(value, &value))
		return err_set(r->e, ERR_INVALID, "--%s takes true or false, not \"%.*s\"",
		    f->name, FMT(value));
	if (f->state == FLAG_REFUSED)
		return err_set(r->e, ERR_INVALID, "--%s: %s", f->name, f->help);
	if (strcmp(f->name, "help") == 0)
		l->help = true;
	l->given[l->given_n++] = (struct work_given){ f, value };
	return OK;
}

static int
flag_value(struct reader *r, const struct work_flag *f)
{
	if (f->kind == FLAG_SWITCH)
		return flag_give(r, f, S("true"));
	if (r->at == r->argc)
		return err_set(r->e, ERR_INVALID, "flag needs an argument: --%s %s",
		    f->name, f->value);
	return flag_give(r, f, str_of(r->argv[r->at++]));
}

/* --name, --name=value */
static int
parse_long(struct reader *r, struct str name)
{
	ptrdiff_t eq = str_index(name, '=');
	struct str value = STR_NONE;
	const struct work_flag *f;

	if (eq >= 0) {
		value = str_sub(name, (size_t)eq + 1, name.n);
		name.n = (size_t)eq;
	}
	f = flag_find(r->l, name, 0);
	if (f == NULL)
		return flag_unknown(r, name);
	return eq >= 0 ? flag_give(r, f, value) : flag_value(r, f);
}

/* -p1, -p=1, -p 1, -fq */
static int
parse_short(struct reader *r, struct str s)
{
	while (s.n > 0) {
		const struct work_flag *f = flag_find(r->l, STR_NONE, s.p[0]);
		struct str rest = str_sub(s, 1, s.n);
		int rc;

		if (f == NULL)
			return err_set(r->e, ERR_INVALID,
			    "unknown shorthand flag: -%c%s", s.p[0],
			    text_hint(r->l));
		if (rest.n > 0 && rest.p[0] == '=')
			return flag_give(r, f, str_sub(rest, 1, rest.n));
		if (rest.n > 0 && f->kind != FLAG_SWITCH)
			return flag_give(r, f, rest);
		rc = flag_value(r, f);
		if (rc < 0 || f->kind != FLAG_SWITCH)
			return rc;
		s = rest;
	}
	return OK;
}

/* No flag's name has a blank: `--json is wrong` is a title, and so is `-v shows
 * nothing` where no flag is -v. */
static bool
is_flag(const struct work_line *l, const char *arg)
{
	size_t n = strcspn(arg, "= \t\n");

	if (arg[0] != '-' || arg[1] == '\0')
		return false;
	return arg[n] == '\0' || arg[n] == '=' ||
	    (arg[1] != '-' && flag_find(l, STR_NONE, arg[1]) != NULL);
}

static int
parse_flag(struct reader *r)
{
	struct str arg = str_of(r->argv[r->at++]);

	if (str_starts(arg, S("--")))
		return parse_long(r, str_sub(arg, 2, arg.n));
	return parse_short(r, str_sub(arg, 1, arg.n));
}

/* ---- the command ----------------------------------------------------------------- */

static const char *
command_name(const void *table, size_t i)
{
	return ((const struct work_command *)table)[i].name;
}

/* What people and models say elsewhere. */
static const struct { const char *word, *command; } other_words[] = {
	{ "add", "create" }, { "new", "create" }, { "edit", "update" },
	{ "set", "update" }, { "take", "claim" }, { "start", "claim" },
	{ "heartbeat", "claim" }, { "renew", "claim" }, { "done", "close" },
	{ "finish", "close" }, { "complete", "close" }, { "unclaim", "release" },
	{ "rm", "delete" }, { "remove", "delete" }, { "find", "search" },
	{ "grep", "search" }, { "get", "show" }, { "view", "show" },
	{ "info", "show" }, { "next", "ready" }, { "todo", "ready" },
	{ "log", "history" }, { "status", "stats" }, { "watch", "events" },
	{ "deps", "dep tree" }, { "tree", "dep tree" }, { "block", "dep add" },
	{ "labels", "label list-all" }, { "tag", "label add" }, { "note", "comment" },
};

const char *
work_command_near(struct str name)
{
	for (size_t i = 0; i < COUNT(other_words); i++) {
		if (str_eq(name, str_of(other_words[i].word)))
			return other_words[i].command;
	}
	return str_nearest(name, command_name, work_commands, work_commands_n);
}

static int
command_unknown(struct reader *r, struct str name)
{
	const char *near = work_command_near(name);

	if (near != NULL)
		return err_set(r->e, ERR_METHOD,
		    "unknown command \"%.*s\"; did you mean \"%s\"?", FMT(name), near);
	return err_set(r->e, ERR_METHOD, "unknown command \"%.*s\"", FMT(name));
}

/* `dep` alone: which words may follow. */
static int
word_missing(struct reader *r, struct str first)
{
	struct str words = S("");

	for (size_t i = 0; i < work_commands_n; i++) {
		struct str rest = str_of(work_commands[i].name), group;

		if (str_next(&rest, ' ', &group) && str_eq(group, first) && rest.n > 0)
			words = arena_fmt(r->a, "%.*s%s%.*s", FMT(words),
			    words.n > 0 ? ", " : "", FMT(rest));
	}
	return err_set(r->e, ERR_METHOD, "\"%.*s\" needs a second word: %.*s",
	    FMT(first), FMT(words));
}

/* The next word of the command's name, after the global flags before it; empty
 * when there is none. */
static int
next_word(struct reader *r, struct str *word)
{
	*word = STR_NONE;
	while (r->at < r->argc && is_flag(r->l, r->argv[r->at])) {
		int rc;

		if (strcmp(r->argv[r->at], "--") == 0)
			return OK;
		rc = parse_flag(r);
		if (rc < 0)
			return rc;
	}
	if (r->at < r->argc)
		*word = str_of(r->argv[r->at++]);
	return OK;
}

/* `dep add`, and `comments add` beside `comments ID`. */
static int
parse_group(struct reader *r, struct str first)
{
	struct str second, name;
	int rc, mark;

	r->l->group = first;
	r->l->cmd = work_command_find(first);
	mark = r->at;
	if (r->l->cmd != NULL && mark < r->argc && is_flag(r->l, r->argv[mark]))
		return OK;
	rc = next_word(r, &second);
	if (rc < 0 || (second.n == 0 && r->l->cmd != NULL))
		return rc;
	if (second.n == 0)
		return r->l->help ? OK : word_missing(r, first);
	name = arena_fmt(r->a, "%.*s %.*s", FMT(first), FMT(second));
	if (work_command_find(name) != NULL) {
		r->l->cmd = work_command_find(name);
		return OK;
	}
	if (r->l->cmd == NULL)
		return command_unknown(r, name);
	r->at = mark;                        /* it was an operand */
	return OK;
}

static int
parse_command(struct reader *r)
{
	struct str word;
	int rc = next_word(r, &word);

	if (rc < 0 || word.n == 0)
		return rc;
	if (work_is_group(word))
		return parse_group(r, word);
	r->l->cmd = work_command_find(word);
	return r->l->cmd != NULL ? OK : command_unknown(r, word);
}

static int
check_operands(struct reader *r)
{
	const struct work_line *l = r->l;
	const struct work_command *c = l->cmd;

	if ((int)l->operands_n < c->min)
		return err_set(r->e, ERR_INVALID, "%s needs %s", c->name, c->operands);
	if (c->max >= 0 && (int)l->operands_n > c->max)
		return err_set(r->e, ERR_INVALID, "unexpected \"%.*s\"%s",
		    FMT(l->operand[c->max]), c->max == 0 ? "" :
		    "; a text with blanks needs quotes");
	return OK;
}

static int
parse_rest(struct reader *r)
{
	struct work_line *l = r->l;
	bool ended = false;

	while (r->at < r->argc) {
		char *arg = r->argv[r->at];
		int rc;

		if (!ended && strcmp(arg, "--") == 0) {
			ended = true;
			r->at++;
		} else if (!ended && is_flag(l, arg)) {
			rc = parse_flag(r);
			if (rc < 0)
				return rc;
		} else {
			l->operand[l->operands_n++] = str_of(arg);
			r->at++;
		}
	}
	return l->help || line_has(l, "version") ? OK : check_operands(r);
}

int
work_parse(struct work_line *l, int argc, char **argv, struct arena *a,
    struct err *e)
{
	struct reader r = { l, argc, 0, argv, a, e };
	size_t letters = 1;
	int rc;

	*l = (struct work_line){ 0 };
	for (int i = 0; i < argc; i++) {
		if (argv[i][0] == '-')
			letters += strlen(argv[i]);
	}
	l->given = arena_alloc(a, letters * sizeof *l->given);
	l->operand = arena_alloc(a, ((size_t)argc + 1) * sizeof *l->operand);
	if (a->failed)
		return err_set(e, ERR_TOOBIG, "the command line is too long");
	rc = parse_command(&r);
	if (rc < 0 || l->cmd == NULL)
		return rc;
	if (l->cmd->refused != NULL)
		return err_set(e, ERR_METHOD, "there is no %s: %s", l->cmd->name,
		    l->cmd->refused);
	return parse_rest(&r);
}

struct str
line_text(const struct work_line *l, const char *flag)
{
	for (size_t i = l->given_n; i-- > 0; ) {
		if (strcmp(l->given[i].flag->name, flag) == 0)
			return l->given[i].value;
	}
	return STR_NONE;
}

bool
line_has(const struct work_line *l, const char *flag)
{
	struct str s = line_text(l, flag);

	return s.p != NULL && !str_eq(s, S("false"));
}
