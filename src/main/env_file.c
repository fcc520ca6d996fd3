/*
 * env_file.c - see env_file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/env_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

void
env_list_release(struct env_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->at[i]);
	free(l->at);
	*l = (struct env_list){ 0 };
}

void
env_list_add(struct env_list *l, struct str name, struct str value)
{
	struct buf text = BUF(SIZE_MAX / 2);
	size_t i = 0;

	buf_add(&text, name);
	buf_add_char(&text, '=');
	while (i < l->n && !str_starts(str_of(l->at[i]), buf_str(&text)))
		i++;
	buf_add(&text, value);
	if (i == l->n) {
		/* Room for the NULL too. */
		mem_grow(l->at, l->n + 1, l->cap);
		l->at[++l->n] = NULL;
	} else {
		free(l->at[i]);
	}
	l->at[i] = mem_cstr(buf_str(&text));
	buf_release(&text);
}

bool
env_name_is_good(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' &&
		    !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return name.n > 0;
}

/* The value after an opening quote; NULL, or what is wrong. */
static const char *
read_quoted(struct str s, char quote, struct buf *out)
{
	size_t i = 1;
	struct str after;

	for (; i < s.n && s.p[i] != quote; i++) {
		char c = s.p[i];

		if (quote == '"' && c == '$' && i + 1 < s.n && s.p[i + 1] == '{')
			return "${...} is not replaced; write the value, or put it in ''";
		if (quote == '"' && c == '\\' && i + 1 < s.n) {
			c = s.p[++i];
			if (strchr("nt\"\\$", c) == NULL)
				return "expected n, t, $, \" or \\ after a \\";
			c = (char)(c == 'n' ? '\n' : c == 't' ? '\t' : c);
		}
		buf_add_char(out, c);
	}
	if (i >= s.n)
		return "the quote does not end on its line";
	after = str_trim(str_sub(s, i + 1, s.n));
	return after.n > 0 && after.p[0] != '#' ? "text after the closing quote" : NULL;
}

static const char *
read_value(struct str s, struct buf *out)
{
	if (s.n > 0 && (s.p[0] == '"' || s.p[0] == '\''))
		return read_quoted(s, s.p[0], out);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '#' && (i == 0 || s.p[i - 1] == ' ' || s.p[i - 1] == '\t'))
			s.n = i;
		else if (s.p[i] == '$' && i + 1 < s.n && s.p[i + 1] == '{')
			return "${...} is not replaced; write the value, or put it in ''";
	}
	buf_add(out, str_trim(s));
	return NULL;
}

static const char *
read_line(struct env_list *l, struct str line)
{
	struct buf value = BUF(SIZE_MAX / 2);
	struct str name;
	const char *wrong;
	ptrdiff_t at;

	if (str_starts(line, S("export ")))
		line = str_trim(str_sub(line, 7, line.n));
	at = str_index(line, '=');
	name = str_trim(str_sub(line, 0, at < 0 ? line.n : (size_t)at));
	if (at < 0 || !env_name_is_good(name))
		return "expected NAME=value, the name of letters, digits and _";
	wrong = read_value(str_trim(str_sub(line, (size_t)at + 1, line.n)), &value);
	if (wrong == NULL)
		env_list_add(l, name, buf_str(&value));
	buf_release(&value);
	return wrong;
}

int
env_file_read(struct env_list *l, const char *name, struct str text, struct err *e)
{
	struct str rest = text, line;

	if (text.n > 0 && memchr(text.p, '\0', text.n) != NULL)
		return err_set(e, ERR_INVALID, "%s: holds a NUL byte", name);
	for (size_t at = 1; rest.n > 0 && str_next(&rest, '\n', &line); at++) {
		const char *wrong;

		line = str_trim(line);
		wrong = line.n == 0 || line.p[0] == '#' ? NULL : read_line(l, line);
		if (wrong != NULL)
			return err_set(e, ERR_INVALID, "%s:%zu: %s", name, at, wrong);
	}
	return OK;
}
