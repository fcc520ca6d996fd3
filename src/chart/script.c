/*
 * script.c - <script>: a sequence of declarations and assignments.  Other
 * statements are refused.
 *
 * A statement ends at `;`, or at the end of a line where it is complete.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/draft.h"
#include "chart/expr.h"
#include "chart/expr_lex_priv.h"

#include <stdio.h>

struct script {
	struct draft *d;
	struct str text;
	struct spot at;
	struct lexer lex;
	struct draft_action **tail;
	struct err *e;
};

/* A statement, as offsets into the text. */
struct statement {
	size_t from, to;             /* the whole */
	size_t op_at, op_end;        /* its assignment operator; 0: none */
	enum punct op;
};

static int
refuse(const struct script *s, size_t at, const char *what)
{
	struct spot spot = s->at;

	for (size_t i = 0; i < at && i < s->text.n; i++) {
		spot.column++;
		if (s->text.p[i] == '\n') {
			spot.line++;
			spot.column = 1;
		}
	}
	return draft_fail(s->e, ERR_INVALID, spot, NULL, "script: %s", what);
}

static int
next(struct script *s)
{
	struct err why;

	if (lex_next(&s->lex, &why) == OK)
		return OK;
	return refuse(s, s->lex.token.at, why.text);
}

static bool
is_assignment(enum punct p)
{
	return p == P_SET || p == P_ADD_SET || p == P_SUB_SET || p == P_MUL_SET ||
	    p == P_DIV_SET || p == P_INC || p == P_DEC;
}

/* Could a statement end after this token? */
static bool
completes(const struct token *t)
{
	return t->kind != T_PUNCT || t->punct == P_RPAREN || t->punct == P_RBRACK ||
	    t->punct == P_RBRACE || t->punct == P_INC || t->punct == P_DEC;
}

/* Reads one statement; the token after it becomes the current one. */
static int
read_statement(struct script *s, bool commas, struct statement *st)
{
	struct token last = { .kind = T_PUNCT };
	int depth = 0;

	*st = (struct statement){ .from = s->lex.token.at, .to = s->lex.token.at };
	while (s->lex.token.kind != T_END) {
		const struct token *t = &s->lex.token;
		enum punct p = t->kind == T_PUNCT ? t->punct : P_NONE;

		if (depth == 0 && (p == P_SEMI || (commas && p == P_COMMA)))
			break;
		if (depth == 0 && s->lex.newline && p == P_NONE && completes(&last))
			break;
		if (t->kind == T_BACKTICK)
			return refuse(s, t->at, "templates are not supported in scripts");
		if (depth == 0 && st->op == P_NONE && is_assignment(p)) {
			st->op = p;
			st->op_at = t->at;
			st->op_end = t->end;
		}
		depth += p == P_LPAREN || p == P_LBRACK || p == P_LBRACE;
		depth -= p == P_RPAREN || p == P_RBRACK || p == P_RBRACE;
		last = *t;
		st->to = t->end;
		int rc = next(s);
		if (rc != OK)
			return rc;
	}
	return OK;
}

static struct draft_text
part(const struct script *s, size_t from, size_t to)
{
	struct str t = str_trim(str_sub(s->text, from, to - from));

	return (struct draft_text){ { t.n > 0 ? t.p : "", t.n }, s->at };
}

static int
add_assignment(struct script *s, const struct statement *st, bool declare)
{
	static const struct { enum punct op; const char *format; } forms[] = {
		{ P_ADD_SET, "%.*s + (%.*s)" }, { P_SUB_SET, "%.*s - (%.*s)" },
		{ P_MUL_SET, "%.*s * (%.*s)" }, { P_DIV_SET, "%.*s / (%.*s)" },
	};
	struct draft_action *a = draft_node(s->d, struct draft_action);
	struct draft_text value;

	if (a == NULL)
		return refuse(s, st->from, "too large");
	a->kind = ACTION_ASSIGN;
	a->at = s->at;
	a->declare = declare;
	a->location = part(s, st->from, st->op == P_NONE ? st->to : st->op_at);
	value = part(s, st->op == P_NONE ? st->to : st->op_end, st->to);
	a->expr = value;
	if (st->op == P_NONE)
		a->expr.s = STR_NONE;        /* declared, and keeps its value */
	for (size_t i = 0; i < COUNT(forms); i++)
		if (forms[i].op == st->op)
			a->expr.s = arena_fmt(&s->d->arena, forms[i].format,
			    FMT(a->location.s), FMT(value.s));
	if (st->op == P_INC || st->op == P_DEC) {
		if (a->location.s.n == 0)    /* ++x */
			a->location = value;
		else if (value.s.n > 0)
			return refuse(s, st->from, "expected x++ or ++x alone");
		a->expr.s = arena_fmt(&s->d->arena, "%.*s %c 1", FMT(a->location.s),
		    st->op == P_INC ? '+' : '-');
	}
	*s->tail = a;
	s->tail = &a->next;
	return OK;
}

/* Both sides must be expressions; checked here, where the position is known. */
static int
check(struct script *s, const struct statement *st, const struct draft_action *a)
{
	struct str texts[] = { a->location.s, a->expr.s }, root;
	char why[400];

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct expr *x;
		struct err e;
		bool place;

		if (texts[i].p == NULL)
			continue;
		if (expr_parse(&x, texts[i], &e) != OK) {
			snprintf(why, sizeof why, "only assignments are supported: %.300s", e.text);
			return refuse(s, st->from, why);
		}
		place = i > 0 || expr_is_location(x, &root);
		expr_free(x);
		if (!place)
			return refuse(s, st->from, "this cannot be assigned to");
	}
	return OK;
}

static int
one_statement(struct script *s)
{
	bool declare = lex_is_word(&s->lex, "var") || lex_is_word(&s->lex, "let") ||
	    lex_is_word(&s->lex, "const");
	struct draft_action **at = s->tail;
	struct statement st;
	int rc = declare ? next(s) : OK;

	do {
		if (rc == OK && *at != NULL && lex_is(&s->lex, P_COMMA))
			rc = next(s);
		at = s->tail;
		if (rc == OK)
			rc = read_statement(s, declare, &st);
		if (rc == OK && st.op == P_NONE && !declare)
			rc = refuse(s, st.from, "only assignments are supported");
		if (rc == OK)
			rc = add_assignment(s, &st, declare);
		if (rc == OK)
			rc = check(s, &st, *at);
	} while (rc == OK && declare && lex_is(&s->lex, P_COMMA));
	return rc;
}

int
script_parse(struct draft *d, struct str text, struct spot at,
    struct draft_action **out, struct err *e)
{
	struct script s = { .d = d, .text = text, .at = at, .tail = out, .e = e };
	int rc;

	*out = NULL;
	lex_init(&s.lex, text);
	rc = next(&s);
	while (rc == OK && s.lex.token.kind != T_END) {
		if (lex_is(&s.lex, P_SEMI))
			rc = next(&s);
		else
			rc = one_statement(&s);
	}
	lex_release(&s.lex);
	return rc;
}
