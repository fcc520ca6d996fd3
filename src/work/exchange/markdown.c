/*
 * markdown.c - see exchange.h.
 *
 * One pass over the lines.  A line that starts with `## ` or `### ` begins an item
 * or a section, except in a fenced block; any other line is text of the current
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/exchange/exchange.h"
#include "work/operation.h"

enum section {
	NO_ITEM, TITLE, PRIORITY, TYPE, DESCRIPTION, DESIGN, ACCEPTANCE, NOTES,
	ASSIGNEE, LABELS, DEPENDENCIES, OTHER, SECTIONS
};

static const struct { const char *word; enum section section; } words[] = {
	{ "priority", PRIORITY }, { "type", TYPE },
	{ "description", DESCRIPTION }, { "design", DESIGN },
	{ "acceptance criteria", ACCEPTANCE }, { "acceptance", ACCEPTANCE },
	{ "notes", NOTES }, { "assignee", ASSIGNEE }, { "labels", LABELS },
	{ "dependencies", DEPENDENCIES }, { "deps", DEPENDENCIES },
};

struct reader {
	struct buf *out;
	struct err *e;
	size_t n, line;
	/* of the current item */
	enum section section;
	size_t title_line, lines[SECTIONS];  /* on which each begins */
	struct str title;
	struct buf text[SECTIONS];           /* TITLE: the text before a section */
	bool fenced;
};

/* ---- values ---------------------------------------------------------------- */

static int
bad(struct reader *r, enum section s, int rc, const char *what)
{
	return err_set(r->e, rc, "line %zu: %s", r->lines[s], what);
}

static void
add_text(struct reader *r, const char *key, struct str s)
{
	if (s.n > 0)
		json_add_fmt(r->out, ",%s:%.*s", key, FMT(s));
}

static int
add_long(struct reader *r, const char *key, enum section s, size_t max)
{
	struct str text = str_trim(buf_str(&r->text[s]));

	if (text.n > max)
		return err_set(r->e, ERR_TOOBIG, "line %zu: %s: at most %zu bytes, got "
		    "%zu", r->lines[s], key, max, text.n);
	if (!str_is_utf8(text))
		return bad(r, s, ERR_INVALID, "not UTF-8");
	add_text(r, key, text);
	return OK;
}

/* 0 to 4, or P0 to P4. */
static int
add_priority(struct reader *r)
{
	struct str s = str_trim(buf_str(&r->text[PRIORITY]));

	if (s.n == 0)
		return OK;
	if (s.n > 1 && (s.p[0] | 0x20) == 'p')
		s = str_sub(s, 1, s.n);
	if (s.p[0] < '0' || s.p[0] > '0' + PRIORITY_MAX || (s.n > 1 &&
	    ((s.p[1] >= '0' && s.p[1] <= '9') || (s.p[1] & 0x80) != 0)))
		return bad(r, PRIORITY, ERR_INVALID, "priority: expected 0 to 4");
	json_add_key(r->out, "priority");
	buf_add_char(r->out, s.p[0]);
	return OK;
}

static int
add_type(struct reader *r)
{
	struct str s = str_trim(buf_str(&r->text[TYPE]));

	if (s.n == 0)
		return OK;
	for (int i = 0; work_type_names[i] != NULL; i++) {
		if (str_eq_nocase(s, str_of(work_type_names[i]))) {
			add_text(r, "issue_type", str_of(work_type_names[i]));
			return OK;
		}
	}
	return bad(r, TYPE, ERR_INVALID,
	    "type: expected bug, feature, task, epic or chore");
}

/* Words separated by commas, blanks and list marks. */
static int
add_list(struct reader *r, const char *key, enum section s, size_t max_n,
    size_t max)
{
	struct str rest = buf_str(&r->text[s]);
	size_t n = 0, from = 0;

	for (size_t i = 0; i <= rest.n; i++) {
		char c = i < rest.n ? rest.p[i] : ' ';
		struct str word = str_sub(rest, from, i - from);

		if (c != ',' && c != ' ' && c != '\t' && c != '\n' && c != '\r')
			continue;
		from = i + 1;
		if (word.n == 0 || str_eq(word, S("-")) || str_eq(word, S("*")))
			continue;
		if (word.n > max || !str_is_utf8(word))
			return bad(r, s, ERR_TOOBIG, "a word of the list is too long, or "
			    "not UTF-8");
		if (n == max_n)
			return bad(r, s, ERR_TOOBIG, "the list is too long");
		if (n++ == 0)
			json_add_fmt(r->out, ",%s:[", key);
		json_add_fmt(r->out, ",%.*s", FMT(word));
	}
	if (n > 0)
		buf_add_char(r->out, ']');
	return OK;
}

/* ---- items ----------------------------------------------------------------- */

static int
item_fields(struct reader *r)
{
	static const struct { const char *key; enum section section; size_t max; }
	texts[] = {
		{ "description", DESCRIPTION, LIMIT_WORK_TEXT_BYTES },
		{ "design", DESIGN, LIMIT_WORK_TEXT_BYTES },
		{ "acceptance_criteria", ACCEPTANCE, LIMIT_WORK_TEXT_BYTES },
		{ "notes", NOTES, LIMIT_WORK_TEXT_BYTES },
		{ "assignee", ASSIGNEE, LIMIT_WORK_NAME_BYTES },
	};
	bool described = str_trim(buf_str(&r->text[DESCRIPTION])).n > 0;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < COUNT(texts); i++)
		rc = add_long(r, texts[i].key, i == 0 && !described ? TITLE :
		    texts[i].section, texts[i].max);
	if (rc == OK)
		rc = add_priority(r);
	if (rc == OK)
		rc = add_type(r);
	if (rc == OK)
		rc = add_list(r, "labels", LABELS, LIMIT_WORK_LABELS,
		    LIMIT_WORK_LABEL_BYTES);
	if (rc == OK)
		rc = add_list(r, "dependencies", DEPENDENCIES, LIMIT_WORK_DEPS,
		    LIMIT_WORK_ID_BYTES + 32);
	return rc;
}

static int
item_end(struct reader *r)
{
	int rc;

	if (r->section == NO_ITEM)
		return OK;
	if (r->title.n > LIMIT_WORK_TITLE_BYTES || !str_is_utf8(r->title))
		return err_set(r->e, ERR_TOOBIG, "line %zu: the title: at most %d bytes "
		    "of UTF-8, got %zu", r->title_line, LIMIT_WORK_TITLE_BYTES,
		    r->title.n);
	if (r->n >= LIMIT_WORK_MARKDOWN_ITEMS)
		return err_set(r->e, ERR_LIMIT, "line %zu: more than %d items",
		    r->title_line, LIMIT_WORK_MARKDOWN_ITEMS);
	r->n++;
	json_add_fmt(r->out, ",{'operation':'create','args':{");
	add_text(r, "title", r->title);
	rc = item_fields(r);
	buf_lit(r->out, "}}");
	for (int i = 0; i < SECTIONS; i++)
		buf_clear(&r->text[i]);
	return rc;
}

/* ---- lines ----------------------------------------------------------------- */

/* `## Title`: the text after the marks and a blank; empty: not a heading. */
static struct str
heading(struct str line, size_t marks)
{
	for (size_t i = 0; i < marks; i++) {
		if (i >= line.n || line.p[i] != '#')
			return STR_NONE;
	}
	if (line.n <= marks || (line.p[marks] != ' ' && line.p[marks] != '\t'))
		return STR_NONE;
	return str_trim(str_sub(line, marks, line.n));
}

static int
section_begin(struct reader *r, struct str name)
{
	r->section = OTHER;
	for (size_t i = 0; i < COUNT(words); i++) {
		if (str_eq_nocase(name, str_of(words[i].word)))
			r->section = words[i].section;
	}
	if (r->section == OTHER)
		return err_set(r->e, ERR_INVALID, "line %zu: expected Priority, Type, "
		    "Description, Design, Acceptance Criteria, Notes, Assignee, "
		    "Labels or Dependencies, got \"%.*s\"", r->line,
		    (int)(name.n < 60 ? name.n : 60), name.p);
	buf_clear(&r->text[r->section]);
	r->lines[r->section] = r->line;
	return OK;
}

static int
line_take(struct reader *r, struct str line)
{
	struct str title = r->fenced ? STR_NONE : heading(line, 2);
	struct str name = r->fenced ? STR_NONE : heading(line, 3);
	struct buf *text;
	int rc;

	if (title.n > 0) {
		rc = item_end(r);
		r->section = TITLE;
		r->title = title;
		r->title_line = r->lines[TITLE] = r->line;
		return rc;
	}
	if (r->section == NO_ITEM)
		return OK;
	if (name.n > 0)
		return section_begin(r, name);
	if (str_starts(str_trim(line), S("```")))
		r->fenced = !r->fenced;
	text = &r->text[r->section];
	buf_add(text, line);
	buf_add_char(text, '\n');
	return text->failed ? err_set(r->e, ERR_TOOBIG, "line %zu: the text is too "
	    "long", r->line) : OK;
}

int
markdown_parse(struct str text, struct buf *out, size_t *n, struct err *e)
{
	struct reader r = { .out = out, .e = e };
	struct str line;
	int rc = OK;

	for (int i = 0; i < SECTIONS; i++)
		r.text[i] = BUF(2 * LIMIT_WORK_TEXT_BYTES);
	buf_lit(out, "{\"operations\":[");
	while (rc == OK && str_next(&text, '\n', &line)) {
		r.line++;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		rc = line_take(&r, line);
	}
	if (rc == OK)
		rc = item_end(&r);
	buf_lit(out, "]}");
	for (int i = 0; i < SECTIONS; i++)
		buf_release(&r.text[i]);
	*n = r.n;
	if (rc == OK && r.n == 0)
		rc = err_set(e, ERR_INVALID, "no items found: expected lines as "
		    "\"## Title\"");
	return rc == OK && out->failed ? err_set(e, ERR_TOOBIG, "too many items") : rc;
}
