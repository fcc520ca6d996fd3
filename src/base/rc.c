/*
 * rc.c - see rc.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/rc.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *name, *text; } codes[] = {
	{ "OK", "ok" },
#define X(id, value, words) [-(value)] = { #id, words },
	RC_MAP(X)
#undef X
};

static int
code_index(int rc)
{
	return rc <= 0 && rc > -(int)COUNT(codes) ? -rc : -1;
}

const char *
rc_text(int rc)
{
	int i = code_index(rc);

	return i < 0 ? "unknown error" : codes[i].text;
}

const char *
rc_name(int rc)
{
	int i = code_index(rc);

	return i < 0 ? "UNKNOWN" : codes[i].name;
}

int
err_vset(struct err *e, int rc, const char *format, va_list ap)
{
	char text[sizeof e->text];           /* arguments may point into e */
	int n;

	if (e == NULL)
		return rc;
	n = vsnprintf(text, sizeof text, format, ap);
	if (n < 0)
		text[0] = '\0';
	if (n >= (int)sizeof text)
		text[str_cut(str_of(text), sizeof text).n] = '\0';
	e->code = rc;
	memcpy(e->text, text, sizeof text);
	return rc;
}

int
err_set(struct err *e, int rc, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	err_vset(e, rc, format, ap);
	va_end(ap);
	return rc;
}

int
err_near(struct err *e, int rc, const char *near, const char *mark,
    const char *format, ...)
{
	struct err words;
	va_list ap;

	va_start(ap, format);
	err_vset(&words, rc, format, ap);
	va_end(ap);
	if (near == NULL)
		return err_set(e, rc, "%s", words.text);
	return err_set(e, rc, "%s; did you mean %s%s%s?", words.text, mark, near,
	    mark[0] == '-' ? "" : mark);
}
