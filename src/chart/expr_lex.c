/*
 * expr_lex.c - see expr_lex_priv.h.  One token of look-ahead; only decoded
 * strings are copied.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_lex_priv.h"

#include <string.h>

#include "base/limits.h"
#include "chart/expr.h"

static const struct {
	enum punct punct;
	const char *text;
	size_t n;
} puncts[] = {
#define X(name, text) { P_##name, text, sizeof text - 1 },
	PUNCT_MAP(X)
#undef X
};

const char *
punct_text(enum punct p)
{
	for (size_t i = 0; i < COUNT(puncts); i++)
		if (puncts[i].punct == p)
			return puncts[i].text;
	return "";
}

void
lex_init(struct lexer *l, struct str text)
{
	*l = (struct lexer){ .text = text, .string = BUF(LIMIT_EXPR_BYTES) };
}

void
lex_release(struct lexer *l)
{
	buf_release(&l->string);
}

bool
lex_is(const struct lexer *l, enum punct p)
{
	return l->token.kind == T_PUNCT && l->token.punct == p;
}

bool
lex_is_word(const struct lexer *l, const char *word)
{
	return l->token.kind == T_NAME && str_eq(l->token.name, str_of(word));
}

int
lex_expected(const struct lexer *l, const char *what, struct err *e)
{
	const struct token *t = &l->token;

	if (t->kind == T_END)
		return err_set(e, ERR_SYNTAX, "column %zu: expected %s, got the end",
		    t->at + 1, what);
	return err_set(e, ERR_SYNTAX, "column %zu: expected %s, got '%.*s'", t->at + 1,
	    what, FMT(str_sub(t->name, 0, 40)));
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    c == '$' || (unsigned char)c >= 0x80;
}

static char
peek(const struct lexer *l, size_t ahead)
{
	return l->at + ahead < l->text.n ? l->text.p[l->at + ahead] : '\0';
}

static int
fail_at(size_t at, struct err *e, const char *what)
{
	return err_set(e, ERR_SYNTAX, "column %zu: %s", at + 1, what);
}

static int
skip_blanks(struct lexer *l, struct err *e)
{
	l->newline = false;
	while (l->at < l->text.n) {
		char c = peek(l, 0);
		struct str rest = str_sub(l->text, l->at, SIZE_MAX);

		if (c == '\n')
			l->newline = true;
		if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			l->at++;
		} else if (str_starts(rest, S("\xc2\xa0"))) {
			l->at += 2;
		} else if (str_starts(rest, S("//"))) {
			ptrdiff_t end = str_index(rest, '\n');

			l->at = end < 0 ? l->text.n : l->at + (size_t)end;
		} else if (str_starts(rest, S("/*"))) {
			size_t from = l->at;

			for (l->at += 2; !(peek(l, 0) == '*' && peek(l, 1) == '/');
			    l->at++)
				if (l->at >= l->text.n)
					return fail_at(from, e, "comment is not closed");
			l->at += 2;
		} else {
			break;
		}
	}
	return OK;
}

/* n hex digits at l->at; -1 when they are not there. */
static int32_t
lex_hex(struct lexer *l, size_t n)
{
	int32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		int d = str_hex_digit(peek(l, i));

		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	l->at += n;
	return v;
}

/* The code point of \uXXXX (surrogate pairs joined) or \u{...}; l->at is
 * behind the u.  -1: malformed. */
static int32_t
lex_unicode(struct lexer *l)
{
	int32_t c, low;

	if (peek(l, 0) == '{') {
		size_t n = 1;

		while (n <= 7 && str_hex_digit(peek(l, n)) >= 0)
			n++;
		l->at++;
		c = n > 1 && n <= 7 ? lex_hex(l, n - 1) : -1;
		if (c < 0 || c > 0x10ffff || peek(l, 0) != '}')
			return -1;
		l->at++;
	} else {
		c = lex_hex(l, 4);
	}
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || peek(l, 0) != '\\' || peek(l, 1) != 'u')
		return -1;
	l->at += 2;
	low = lex_hex(l, 4);
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* One escape; l->at is behind the backslash. */
static int
lex_escape(struct lexer *l, struct err *e)
{
	static const char from[] = "nrtbfv0", to[] = "\n\r\t\b\f\v";
	size_t at = l->at - 1;
	char c = peek(l, 0);
	const char *known = c != '\0' ? strchr(from, c) : NULL;
	int32_t code;

	if (l->at >= l->text.n)
		return fail_at(at, e, "text ends in an escape");
	l->at++;
	if (c == '0' && is_digit(peek(l, 0)))
		return fail_at(at, e, "octal escapes are not part of the language");
	if (known != NULL) {
		buf_add_char(&l->string, c == '0' ? '\0' : to[known - from]);
		return OK;
	}
	if (c == 'u' || c == 'x') {
		code = c == 'u' ? lex_unicode(l) : lex_hex(l, 2);
		if (code < 0)
			return fail_at(at, e, "malformed escape");
		buf_add_utf8(&l->string, (uint32_t)code);
		return OK;
	}
	if (c != '\n')                       /* a line continued */
		buf_add_char(&l->string, c);
	return OK;
}

static int
lex_string(struct lexer *l, struct err *e)
{
	size_t from = l->at;
	char quote = peek(l, 0);

	buf_clear(&l->string);
	l->at++;
	for (;;) {
		char c = peek(l, 0);

		if (l->at >= l->text.n || c == '\n')
			return fail_at(from, e, "string is not closed");
		l->at++;
		if (c == quote)
			break;
		if (c != '\\') {
			buf_add_char(&l->string, c);
			continue;
		}
		int rc = lex_escape(l, e);
		if (rc != OK)
			return rc;
	}
	l->token.kind = T_STRING;
	l->token.string = &l->string;
	return OK;
}

int
lex_template(struct lexer *l, bool quoted, bool *hole, struct err *e)
{
	size_t from = l->at;

	buf_clear(&l->string);
	for (;;) {
		char c = peek(l, 0);

		*hole = false;
		if (l->at >= l->text.n)
			return quoted ? fail_at(from, e, "template is not closed") : OK;
		if (quoted && c == '`') {
			l->at++;
			return OK;
		}
		if (c == '$' && peek(l, 1) == '{') {
			l->at += 2;
			*hole = true;
			return OK;
		}
		l->at++;
		if (c == '\\' && (quoted || peek(l, 0) == '$')) {
			int rc = lex_escape(l, e);
			if (rc != OK)
				return rc;
			continue;
		}
		buf_add_char(&l->string, c);
	}
}

static int
lex_number(struct lexer *l, struct err *e)
{
	size_t from = l->at;
	struct str text;
	int64_t i;
	double d;

	l->token.kind = T_NUMBER;
	if (peek(l, 0) == '0' && (peek(l, 1) | 0x20) == 'x') {
		int64_t v = 0;

		l->at += 2;
		while (str_hex_digit(peek(l, 0)) >= 0 && l->at - from < 17) {
			v = v * 16 + str_hex_digit(peek(l, 0));
			l->at++;
		}
		if (l->at - from < 3 || is_name_start(peek(l, 0)) || is_digit(peek(l, 0)))
			return fail_at(from, e, "malformed number");
		l->token.number = val_int(v);
		return OK;
	}
	while (is_digit(peek(l, 0)) || peek(l, 0) == '.')
		l->at++;
	if ((peek(l, 0) | 0x20) == 'e') {
		l->at++;
		if (peek(l, 0) == '+' || peek(l, 0) == '-')
			l->at++;
		while (is_digit(peek(l, 0)))
			l->at++;
	}
	text = str_sub(l->text, from, l->at - from);
	if (is_name_start(peek(l, 0)))
		return fail_at(from, e, "malformed number");
	if (text.n > 1 && text.p[0] == '0' && is_digit(text.p[1]))
		return fail_at(from, e, "octal numbers are not part of the language");
	if (str_to_i64(text, &i)) {
		l->token.number = val_int(i);
		return OK;
	}
	if (!str_to_double(text, &d))
		return fail_at(from, e, "malformed number");
	l->token.number = val_double(d);
	return OK;
}

static int
lex_punct(struct lexer *l, struct err *e)
{
	struct str rest = str_sub(l->text, l->at, SIZE_MAX);

	for (size_t i = 0; i < COUNT(puncts); i++) {
		if (!str_starts(rest, (struct str){ puncts[i].text, puncts[i].n }))
			continue;
		/* `a?.5:b` is a condition, not a chain. */
		if (puncts[i].punct == P_CHAIN && is_digit(peek(l, 2)))
			continue;
		l->token.kind = T_PUNCT;
		l->token.punct = puncts[i].punct;
		l->at += puncts[i].n;
		return OK;
	}
	return err_set(e, ERR_SYNTAX, "column %zu: unexpected character '%c'", l->at + 1,
	    peek(l, 0) >= ' ' ? peek(l, 0) : '?');
}

int
lex_next(struct lexer *l, struct err *e)
{
	int rc = skip_blanks(l, e);
	char c = peek(l, 0);

	l->token = (struct token){ .kind = T_END, .at = l->at };
	if (rc != OK || l->at >= l->text.n)
		return rc;
	if (is_digit(c) || (c == '.' && is_digit(peek(l, 1)))) {
		rc = lex_number(l, e);
	} else if (is_name_start(c)) {
		while (is_name_start(peek(l, 0)) || is_digit(peek(l, 0)))
			l->at++;
		l->token.kind = T_NAME;
	} else if (c == '\'' || c == '"') {
		rc = lex_string(l, e);
	} else if (c == '`') {
		l->token.kind = T_BACKTICK;
		l->at++;
	} else {
		rc = lex_punct(l, e);
	}
	l->token.end = l->at;
	l->token.name = str_sub(l->text, l->token.at, l->at - l->token.at);
	return rc;
}

/* ---- names --------------------------------------------------------------- */

/* Words of JavaScript that cannot be names, for a clearer error than an
 * undeclared variable. */
static const char *const reserved[] = {
	"return", "function", "var", "let", "const", "new", "delete", "void", "for",
	"while", "do", "if", "else", "switch", "case", "default", "this", "class",
	"throw", "try", "catch", "finally", "continue", "break", "yield", "await",
	"import", "export", "super", "with", "debugger", "extends", "enum",
	"in", "instanceof", "typeof", "true", "false", "null", "undefined",
};

bool
lex_is_reserved(struct str s)
{
	for (size_t i = 0; i < COUNT(reserved); i++)
		if (str_eq(s, str_of(reserved[i])))
			return true;
	return false;
}

bool
expr_is_name(struct str s)
{
	if (s.n == 0 || lex_is_reserved(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		bool digit = c >= '0' && c <= '9';

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && c != '$' &&
		    c < 0x80 && !(digit && i > 0))
			return false;
	}
	return true;
}
