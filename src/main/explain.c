/*
 * explain.c - see explain.h.
 *
 * Both shells look at the words of the line that are no flags: those before the cursor
 * are a group, or begin with a command.  The tracker's commands come first, because a
 * case of zsh is the first that fits and `work` takes all of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/explain.h"

#include <string.h>

#include "main/cmd.h"
#include "main/config.h"
#include "workcli/cmd.h"

/* ---- cohort.yaml(5) ---------------------------------------------------------------- */

static void
add_setting(struct buf *b, size_t id)
{
	const struct setting *s = &config_settings[id];
	struct buf words = BUF(4 * KB);
	char env[64];

	buf_lit(b, ".TP\n.B ");
	flags_add_man_text(b, s->key);
	if (s->value != NULL) {
		buf_lit(b, ": \\fI");
		flags_add_man_text(b, s->value);
		buf_lit(b, "\\fR");
	}
	buf_add_fmt(&words, "\n%s.", s->help);
	if (s->type == TYPE_INT && s->max < INT64_MAX)
		buf_add_fmt(&words, "\nFrom %lld to %lld%s%s.", (long long)s->min,
		    (long long)s->max, s->unit != NULL ? " " : "", s->unit != NULL ? s->unit : "");
	if (s->fallback[0] != '\0')
		buf_add_fmt(&words, "\nDefault: %s.", s->fallback);
	config_env_name(s, env);
	buf_add_fmt(&words, "\n--%s, %s", config_rows()[id].name, env);
	for (size_t a = 0; a < COUNT(s->aliases); a++)
		if (s->aliases[a] != NULL)
			buf_add_fmt(&words, ", %s", s->aliases[a]);
	buf_lit(&words, ".\n");
	flags_add_man_text(b, words.p);
	buf_release(&words);
}

void
explain_add_settings_man(struct buf *b)
{
	buf_lit(b, ".TH COHORT.YAML 5 \"\" \"cohort " COHORT_VERSION "\" \"File Formats\"\n.nh\n.ad l\n.ds AD l\n"
	    ".SH NAME\ncohort.yaml \\- settings of the Cohort agent server\n"
	    ".SH DESCRIPTION\n"
	    "A server reads the file cohort.yaml of the folder where it is started, or the file\n"
	    "that \\-\\-config names.\n"
	    "Each line is a setting and its value; a setting\n.B a.b\n"
	    "may stand as b below a too, as everywhere in YAML.\n"
	    "A flag of the command line wins over the variable of the environment, and that\n"
	    "over the file; all three are named with each setting.\n"
	    "A secret may be the name of one: env:NAME, file:PATH or credential:NAME.\n"
	    ".PP\n.B cohort config\nprints what is in effect, and where it comes from.\n"
	    ".PP\nThe keys providers and models of the file say which models there are, and how they\n"
	    "are reached.\n.SH SETTINGS\n");
	for (size_t i = 0; i < SETTINGS; i++)
		add_setting(b, i);
	buf_lit(b, ".SH EXAMPLE\n.nf\nhost: 0.0.0.0\nport: 2024\n"
	    "jwt:\n  secret: file:/etc/cohort/jwt\n.fi\n"
	    ".SH SEE ALSO\n.BR cohort (1)\n");
}

/* ---- shells ------------------------------------------------------------------------ */

static const struct list {
	const char *prefix;                  /* of its commands, with a blank */
	const struct flag_commands *commands;
} lists[] = {
	{ "work ", &cli_list },
	{ "", &command_table },
};

/* In a text between single quotes; a colon ends zsh's word. */
static void
add_quoted(struct buf *b, const char *text, bool fish)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\'')
			buf_add(b, fish ? S("\\'") : S("'\\''"));
		else if (*p == '\\')
			buf_lit(b, "\\\\");
		else
			buf_add_char(b, *p);
	}
}

/* The first word of a command of two, in *group; false: it is of one. */
static bool
is_of_group(const struct flag_command *c, struct str *group)
{
	struct str rest = str_of(c->name);

	*group = S("");
	str_next(&rest, ' ', group);
	return rest.n > 0;
}

/* What may stand behind `prefix group`: calls `add` with each word and what it is for.  A
 * group is told once, without words. */
typedef void word_add(struct buf *b, struct str prefix, struct str group, struct str word, const char *words);

static void
each_word(struct buf *b, const struct list *l, struct str group, word_add *add)
{
	struct str last = S("");

	for (size_t i = 0; i < l->commands->n; i++) {
		struct flag_command c = l->commands->at(i);
		struct str first;
		bool two = is_of_group(&c, &first);

		if (c.summary == NULL)
			continue;
		if (group.n > 0 && two && str_eq(first, group))
			add(b, str_of(l->prefix), group, str_of(c.name + first.n + 1), c.summary);
		else if (group.n == 0 && !str_eq(first, last))
			add(b, str_of(l->prefix), group, first, two ? "" : c.summary);
		last = first;
	}
}

/* Calls `each` with no group, and with every group. */
static void
each_group(struct buf *b, const struct list *l,
    void (*each)(struct buf *b, const struct list *l, struct str group))
{
	struct str last = S("");

	each(b, l, S(""));
	for (size_t i = 0; i < l->commands->n; i++) {
		struct flag_command c = l->commands->at(i);
		struct str group;

		if (c.summary == NULL || !is_of_group(&c, &group) || str_eq(group, last))
			continue;
		each(b, l, group);
		last = group;
	}
}

/* ---- zsh --------------------------------------------------------------------------- */

static void
zsh_word(struct buf *b, struct str prefix, struct str group, struct str word, const char *words)
{
	(void)prefix, (void)group;
	buf_add_fmt(b, " '%.*s:", FMT(word));
	add_quoted(b, words, false);
	buf_lit(b, "'");
}

static void
zsh_group(struct buf *b, const struct list *l, struct str group)
{
	struct str at = str_of(l->prefix);

	if (group.n == 0 && at.n > 0)
		at.n--;                      /* its blank */
	buf_add_fmt(b, "\t\t('%.*s%.*s') list=(", FMT(at), FMT(group));
	each_word(b, l, group, zsh_word);
	buf_lit(b, ") ;;\n");
}

static void
zsh_flags(struct buf *b, const struct flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (f->state == FLAG_REFUSED)
			continue;
		buf_add_fmt(b, " '--%s:", f->name);
		add_quoted(b, f->help, false);
		buf_lit(b, "'");
	}
}

void
explain_add_zsh(struct buf *b)
{
	buf_lit(b, "#compdef cohort bd\n\nlocal -a at list\nlocal word\n\n"
	    "for word in ${words[2,CURRENT-1]}; do [[ $word == -* ]] || at+=($word); done\n"
	    "[[ ${words[1]:t} != bd ]] || at=(work $at)\n"
	    "if [[ $PREFIX == -* ]]; then\n\tcase \"$at \" in\n");
	for (size_t k = 0; k < COUNT(lists); k++)
		for (size_t i = 0; i < lists[k].commands->n; i++) {
			struct flag_command c = lists[k].commands->at(i);

			if (c.summary == NULL)
				continue;
			buf_add_fmt(b, "\t\t('%s%s '*) list=(", lists[k].prefix, c.name);
			zsh_flags(b, c.own);
			zsh_flags(b, c.common);
			buf_lit(b, ") ;;\n");
		}
	buf_lit(b, "\tesac\n\t_describe -o flag list\nelse\n\tcase \"$at\" in\n");
	for (size_t k = 0; k < COUNT(lists); k++)
		each_group(b, &lists[k], zsh_group);
	buf_lit(b, "\t\t(*) _files; return ;;\n\tesac\n\t_describe command list\nfi\n");
}

/* ---- fish -------------------------------------------------------------------------- */

static void
fish_word(struct buf *b, struct str prefix, struct str group, struct str word, const char *words)
{
	buf_add_fmt(b, "complete -c cohort -n '__cohort_at %.*s%.*s' -f -a %.*s -d '", FMT(prefix),
	    FMT(group), FMT(word));
	add_quoted(b, words, true);
	buf_lit(b, "'\n");
}

static void
fish_group(struct buf *b, const struct list *l, struct str group)
{
	each_word(b, l, group, fish_word);
}

static void
fish_flags(struct buf *b, const char *prefix, const char *name, const struct flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (f->state == FLAG_REFUSED)
			continue;
		buf_add_fmt(b, "complete -c cohort -n '__cohort_in %s%s' -l %s%s -d '", prefix,
		    name, f->name, f->value != NULL ? " -r" : "");
		add_quoted(b, f->help, true);
		buf_lit(b, "'\n");
	}
}

void
explain_add_fish(struct buf *b)
{
	buf_lit(b, "function __cohort_words\n"
	    "\tset -l words (commandline -opc)\n"
	    "\tstring match -v -- '-*' $words[2..-1]\nend\n"
	    "function __cohort_at\n"
	    "\tset -l words (__cohort_words)\n\ttest \"$words\" = \"$argv\"\nend\n"
	    "function __cohort_in\n"
	    "\tset -l words (__cohort_words)\n\tstring match -q -- \"$argv *\" \"$words \"\nend\n");
	for (size_t k = 0; k < COUNT(lists); k++) {
		each_group(b, &lists[k], fish_group);
		for (size_t i = 0; i < lists[k].commands->n; i++) {
			struct flag_command c = lists[k].commands->at(i);

			if (c.summary == NULL)
				continue;
			fish_flags(b, lists[k].prefix, c.name, c.own);
			fish_flags(b, lists[k].prefix, c.name, c.common);
		}
	}
}
