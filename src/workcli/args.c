/*
 * args.c - from a command line to the arguments of its operation.
 *
 * Values are checked only as far as JSON needs it; the operation checks the rest,
 * as it does for every other client.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "workcli/cmd.h"

void
args_add_text(struct buf *b, const char *key, struct str value)
{
	json_add_fmt(b, ",%s:%.*s", key, FMT(value));
}

bool
cli_duration(struct str s, nsec *out)
{
	return clock_parse(s, 0, out) && *out > 0;
}

/* ---- flags ------------------------------------------------------------------------ */

static int
add_number(struct buf *b, const struct flag_given *g, struct err *e)
{
	struct str s = g->value;
	int64_t v;

	if (g->flag->kind == FLAG_PRIORITY && s.n > 1 && (s.p[0] | 0x20) == 'p')
		s = str_sub(s, 1, s.n);
	if (!str_to_i64(s, &v))
		return err_set(e, ERR_INVALID, "--%s takes a number, not \"%.*s\"",
		    g->flag->name, FMT(g->value));
	buf_add_i64(b, v);
	return OK;
}

static int
add_duration(struct buf *b, const struct flag_given *g, struct err *e)
{
	nsec t;

	if (!cli_duration(g->value, &t))
		return err_set(e, ERR_INVALID, "--%s takes a time such as 90s, 30m or 2h, "
		    "not \"%.*s\"", g->flag->name, FMT(g->value));
	buf_add_i64(b, (t + NS_PER_MS - 1) / NS_PER_MS);
	return OK;
}

/* Adds the values of all flags of this argument; empty ones are left out. */
static void
add_list(struct buf *b, const struct flag_line *l, const char *arg)
{
	buf_add_char(b, '[');
	for (size_t i = 0; i < l->given_n; i++) {
		struct str rest = l->given[i].value, part;

		if (l->given[i].flag->arg == NULL ||
		    strcmp(l->given[i].flag->arg, arg) != 0)
			continue;
		while (str_next(&rest, ',', &part)) {
			part = str_trim(part);
			if (part.n == 0)
				continue;
			if (b->p[b->n - 1] != '[')
				buf_add_char(b, ',');
			json_add_str(b, part);
		}
	}
	buf_add_char(b, ']');
}

/* A later flag for the same argument, or NULL. */
static const struct flag *
given_again(const struct flag_line *l, size_t i)
{
	for (size_t k = i + 1; k < l->given_n; k++) {
		if (l->given[k].flag->arg != NULL &&
		    strcmp(l->given[k].flag->arg, l->given[i].flag->arg) == 0)
			return l->given[k].flag;
	}
	return NULL;
}

static int
add_flag(struct buf *b, const struct flag_line *l, const struct flag_given *g,
    struct err *e)
{
	bool on = false;

	json_add_key(b, g->flag->arg);
	switch (g->flag->kind) {
	case FLAG_SWITCH:
		if (g->flag->fallback != NULL)
			break;               /* its value is a text by now */
		flag_switch(g->value, &on);
		buf_add(b, on ? S("true") : S("false"));
		return OK;
	case FLAG_INT:
	case FLAG_PRIORITY:
		return add_number(b, g, e);
	case FLAG_TIME:
		return add_duration(b, g, e);
	case FLAG_LIST:
		add_list(b, l, g->flag->arg);
		return OK;
	}
	if (!str_is_utf8(g->value))
		return err_set(e, ERR_INVALID, "--%s: not UTF-8", g->flag->name);
	json_add_str(b, g->value);
	return OK;
}

/* The last of equal flags counts.  One with a text and one that reads it from
 * elsewhere exclude each other. */
static int
add_given(struct buf *b, const struct flag_line *l, size_t i, struct err *e)
{
	const struct flag_given *g = &l->given[i];
	const struct flag *again = given_again(l, i);

	if (again == NULL)
		return add_flag(b, l, g, e);
	return again->kind == g->flag->kind ? OK :
	    err_set(e, ERR_INVALID, "--%s and --%s exclude each other", g->flag->name,
	        again->name);
}

/* ---- texts from elsewhere --------------------------------------------------------- */

/* A line end at the end of the file is no part of the text. */
static int
body_read(struct flag_given *g, struct arena *a, struct err *e)
{
	struct buf text = BUF(LIMIT_WORK_LINE_BYTES);
	struct str path = g->value;
	int rc = cli_read_file(path, &text, e);
	struct err why = *e;

	if (rc < 0)
		err_set(e, rc, "--%s %.*s: %s", g->flag->name, FMT(path), why.text);
	if (str_ends(buf_str(&text), S("\n")))
		buf_cut(&text, text.n - 1);
	if (str_ends(buf_str(&text), S("\r")))
		buf_cut(&text, text.n - 1);
	g->value = arena_str(a, buf_str(&text));
	buf_release(&text);
	return rc;
}

int
args_read_bodies(const struct flag_line *l, struct arena *a, struct err *e)
{
	bool stdin_read = false;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < l->given_n; i++) {
		struct flag_given *g = &l->given[i];
		const struct flag *f = g->flag;
		bool is_stdin;

		if (f->kind == FLAG_SWITCH && f->fallback != NULL)
			g->value = str_of(f->fallback);
		is_stdin = str_eq(g->value, S("-"));
		if (f->kind != FLAG_BODY_FILE && (!is_stdin ||
		    (f->kind != FLAG_BODY && f->fallback == NULL)))
			continue;
		if (is_stdin && stdin_read)
			return err_set(e, ERR_INVALID, "--%s: only one text can be on stdin",
			    f->name);
		stdin_read |= is_stdin;
		rc = body_read(g, a, e);
	}
	return rc;
}

/* ---- operands ----------------------------------------------------------------------- */

static void
add_array(struct buf *b, const struct flag_line *l, size_t from)
{
	buf_add_char(b, '[');
	for (size_t i = from; i < l->operands_n; i++) {
		if (i > from)
			buf_add_char(b, ',');
		json_add_str(b, l->operand[i]);
	}
	buf_add_char(b, ']');
}

static void
add_joined(struct buf *b, const struct flag_line *l, size_t from)
{
	buf_add_char(b, '"');
	for (size_t i = from; i < l->operands_n; i++) {
		if (i > from)
			buf_add_char(b, ' ');
		json_add_escaped(b, l->operand[i]);
	}
	buf_add_char(b, '"');
}

static int
add_operands(const struct flag_line *l, const char *args, struct buf *b, struct err *e)
{
	struct str names = str_of(args), name;

	for (size_t i = 0; i < l->operands_n; i++) {
		if (!str_is_utf8(l->operand[i]))
			return err_set(e, ERR_INVALID, "\"%.*s\": not UTF-8",
			    FMT(l->operand[i]));
	}
	for (size_t i = 0; i < l->operands_n && str_next(&names, ' ', &name); i++) {
		char key[32] = { 0 }, how = name.p[name.n - 1];

		if (how == '*' || how == '+')
			name.n--;
		memcpy(key, name.p, name.n);
		json_add_key(b, key);
		if (how == '*')
			add_array(b, l, i);
		else if (how == '+')
			add_joined(b, l, i);
		else
			json_add_str(b, l->operand[i]);
	}
	return OK;
}

int
args_add_line(const struct flag_line *l, const struct cli_command *c,
    struct buf *out, struct err *e)
{
	struct buf args = BUF(out->max);
	int rc = add_operands(l, c->args, &args, e);

	for (size_t i = 0; rc == OK && i < l->given_n; i++) {
		if (l->given[i].flag->arg != NULL)
			rc = add_given(&args, l, i, e);
	}
	if (rc == OK && (args.failed || out->failed))
		rc = err_set(e, ERR_TOOBIG, "the command line is too long");
	buf_add(out, buf_str(&args));
	buf_release(&args);
	return rc;
}
