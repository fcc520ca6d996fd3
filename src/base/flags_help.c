/*
 * flags_help.c - everything that explains rows and commands: help, the manual
 * page, and what a shell completes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/flags.h"

#include <string.h>

#define COLUMN 30
#define WIDTH  78

const char *const flag_states[] = { "supported", "accepted without effect",
	"refused" };

/* ---- help ------------------------------------------------------------------------- */

/* Blanks up to the column of what is explained, which begins at start. */
static size_t
add_blanks(struct buf *b, size_t start)
{
	do
		buf_add_char(b, ' ');
	while (b->n - start < COLUMN && !b->failed);
	return b->n - start;
}

/* Wraps text, each line after `indent` blanks. */
static void
add_wrapped(struct buf *b, struct str text, size_t indent, size_t column)
{
	struct str word;

	while (str_next(&text, ' ', &word)) {
		if (column > indent && column + 1 + word.n > WIDTH) {
			buf_add_fmt(b, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			buf_add_char(b, ' ');
			column++;
		}
		buf_add(b, word);
		column += word.n;
	}
	buf_add_char(b, '\n');
}

/* What a row means, its default and its variable. */
static void
add_meaning(struct buf *b, const struct flag *f)
{
	if (f->state != FLAG_SUPPORTED)
		buf_add_fmt(b, "%s: ", flag_states[f->state]);
	buf_add(b, str_of(f->help));
	if (f->fallback != NULL && f->fallback[0] != '\0' && f->kind != FLAG_SWITCH)
		buf_add_fmt(b, " [%s]", f->fallback);
	if (f->env != NULL)
		buf_add_fmt(b, " (%s)", f->env);
}

void
flags_add_rows(struct buf *b, const struct flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		struct buf words = BUF(4 * KB);
		size_t start = b->n;

		if (f->letter != 0)
			buf_add_fmt(b, "  -%c, --%s", f->letter, f->name);
		else
			buf_add_fmt(b, "      --%s", f->name);
		if (f->value != NULL)
			buf_add_fmt(b, " %s", f->value);
		start = add_blanks(b, start);
		add_meaning(&words, f);
		add_wrapped(b, buf_str(&words), COLUMN, start);
		buf_release(&words);
	}
}

void
flags_add_usage(struct buf *b, const char *program, const struct flag_command *c)
{
	bool flags = (c->own != NULL && c->own->name != NULL) || c->common != NULL;

	buf_add_fmt(b, "usage: %s %s%s%s%s\n", program, c->name,
	    c->operands[0] != '\0' ? " " : "", c->operands, flags ? " [FLAGS]" : "");
}

void
flags_add_command(struct buf *b, const char *program, const struct flag_command *c)
{
	buf_add_fmt(b, "%s %s: %s\n\n", program, c->name, c->summary);
	flags_add_usage(b, program, c);
	if (c->detail != NULL) {
		buf_add_char(b, '\n');
		add_wrapped(b, str_of(c->detail), 0, 0);
	}
	if (c->own != NULL && c->own->name != NULL) {
		buf_lit(b, "\nFlags:\n");
		flags_add_rows(b, c->own);
	}
	if (c->common != NULL) {
		buf_lit(b, "\nSettings:\n");
		flags_add_rows(b, c->common);
	}
	if (c->more != NULL) {
		buf_add_char(b, '\n');
		c->more(b);
	}
}

/* The first word; *rest: what follows it. */
static struct str
first_word(const struct flag_command *c, struct str *rest)
{
	struct str first = S("");

	*rest = str_of(c->name);
	str_next(rest, ' ', &first);
	return first;
}

bool
flags_is_group(const struct flag_commands *list, struct str word)
{
	for (size_t i = 0; i < list->n; i++) {
		struct flag_command c = list->at(i);
		struct str rest, first = first_word(&c, &rest);

		if (rest.n > 0 && str_eq(first, word))
			return true;
	}
	return false;
}

void
flags_add_list(struct buf *b, const struct flag_commands *list, struct str group)
{
	for (size_t i = 0; i < list->n; i++) {
		struct flag_command c = list->at(i);
		struct str rest, first = first_word(&c, &rest);
		size_t start = b->n;

		if (c.summary == NULL || (group.n > 0 && !str_eq(first, group)))
			continue;
		buf_add_fmt(b, "  %s %s", c.name, c.operands);
		add_blanks(b, start);
		buf_add_fmt(b, "%s\n", c.summary);
	}
}

/* ---- the manual page ----------------------------------------------------------------- */

/* troff: no line begins with a dot or quote, backslashes and hyphens escaped. */
void
flags_add_man_text(struct buf *b, const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\')
			buf_lit(b, "\\e");
		else if (*p == '-')
			buf_lit(b, "\\-");
		else if ((p == text || p[-1] == '\n') && (*p == '.' || *p == '\''))
			buf_add_fmt(b, "\\&%c", *p);
		else if ((*p == ',' || *p == '/') && p[1] != ' ' && p[1] != '\n' && p[1] != '\0')
			buf_add_fmt(b, "%c\\:", *p);       /* a long one may break here */
		else
			buf_add_char(b, *p);
	}
}

void
flags_add_man_rows(struct buf *b, const struct flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		struct buf words = BUF(4 * KB);

		buf_lit(b, ".TP\n.B ");
		if (f->letter != 0)
			buf_add_fmt(b, "\\-%c, ", f->letter);
		buf_lit(b, "\\-\\-");
		flags_add_man_text(b, f->name);
		if (f->value != NULL) {
			buf_lit(b, " \\fI");
			flags_add_man_text(b, f->value);
			buf_lit(b, "\\fR");
		}
		buf_add_char(b, '\n');
		add_meaning(&words, f);
		buf_add_char(&words, '\n');
		flags_add_man_text(b, words.p);
		buf_release(&words);
	}
}

static void
add_man_command(struct buf *b, const struct flag_command *c)
{
	buf_lit(b, ".SS ");
	flags_add_man_text(b, c->name);
	buf_add_char(b, ' ');
	flags_add_man_text(b, c->operands);
	buf_add_char(b, '\n');
	flags_add_man_text(b, c->summary);
	buf_lit(b, ".\n");
	if (c->detail != NULL) {
		flags_add_man_text(b, c->detail);
		buf_add_char(b, '\n');
	}
	flags_add_man_rows(b, c->own);
	flags_add_man_rows(b, c->common);
	if (c->more != NULL) {
		struct buf lines = BUF(64 * KB);

		c->more(&lines);
		buf_lit(b, ".PP\n.nf\n");
		flags_add_man_text(b, lines.p);
		buf_lit(b, ".fi\n");
		buf_release(&lines);
	}
}

void
flags_add_man(struct buf *b, const struct flag_commands *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct flag_command c = list->at(i);

		if (c.summary != NULL)
			add_man_command(b, &c);
	}
}

/* ---- completion ------------------------------------------------------------------------ */

static void
add_flag_words(struct buf *b, const struct flag *f)
{
	for (; f != NULL && f->name != NULL; f++) {
		if (f->state != FLAG_REFUSED)
			buf_add_fmt(b, " --%s", f->name);
	}
}

/* First words; or, of a group, its second ones. */
static void
add_words(struct buf *b, const struct flag_commands *list, struct str group)
{
	struct str last = S("");

	for (size_t i = 0; i < list->n; i++) {
		struct flag_command c = list->at(i);
		struct str rest, first = first_word(&c, &rest);

		if (c.summary == NULL)
			continue;
		if (group.n > 0 && str_eq(first, group) && rest.n > 0)
			buf_add_fmt(b, " %.*s", FMT(rest));
		else if (group.n == 0 && !str_eq(first, last))
			buf_add_fmt(b, " %.*s", FMT(first));
		last = first;
	}
}

static void
add_groups(struct buf *b, const struct flag_commands *list)
{
	struct str last = S("");

	for (size_t i = 0; i < list->n; i++) {
		struct flag_command c = list->at(i);
		struct str rest, first = first_word(&c, &rest);

		if (rest.n == 0 || str_eq(first, last))
			continue;
		last = first;
		buf_add_fmt(b, "\t%.*s) words=\"", FMT(first));
		add_words(b, list, first);
		buf_lit(b, "\" ;;\n");
	}
}

static void
add_cases(struct buf *b, const struct flag_commands *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct flag_command c = list->at(i);
		struct str rest;

		first_word(&c, &rest);
		if (c.summary == NULL || (c.own == NULL && c.common == NULL))
			continue;
		buf_add_fmt(b, "\t\"%s\"%s) words+=\"", c.name, rest.n > 0 ? "" : "\\ *");
		add_flag_words(b, c.own);
		add_flag_words(b, c.common);
		buf_lit(b, "\" ;;\n");
	}
}

void
flags_add_completion(struct buf *b, const char *name,
    const struct flag_commands *list, const struct flag *common)
{
	buf_add_fmt(b, "%s()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} at=$1 words=\n\n"
	    "\tif [ $COMP_CWORD = $at ]; then\n\t\twords=\"", name);
	add_words(b, list, S(""));
	buf_lit(b, "\"\n\telif [ $COMP_CWORD = $((at + 1)) ] && [ \"${cur:0:1}\" != - ]; "
	    "then\n\tcase ${COMP_WORDS[at]} in\n");
	add_groups(b, list);
	buf_lit(b, "\tesac\n\telif [ \"${cur:0:1}\" = - ]; then\n\twords=\"");
	add_flag_words(b, common);
	buf_lit(b, "\"\n\tcase \"${COMP_WORDS[at]} ${COMP_WORDS[at + 1]}\" in\n");
	add_cases(b, list);
	buf_lit(b, "\tesac\n\tfi\n"
	    "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n");
}
