/*
 * expr_lex_priv.h - from text to tokens; positions are byte columns from 1.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_EXPR_LEX_PRIV_H
#define CHART_EXPR_LEX_PRIV_H

#include "base/buf.h"
#include "base/rc.h"
#include "base/val.h"

enum token_kind { T_END, T_NUMBER, T_STRING, T_NAME, T_PUNCT, T_BACKTICK };

/* Punctuators, longest first so that the first match is the right one. */
#define PUNCT_MAP(X)                                                         \
	X(SEQ, "===") X(SNE, "!==") X(SPREAD, "...") X(ARROW, "=>")          \
	X(EQ, "==") X(NE, "!=") X(LE, "<=") X(GE, ">=") X(AND, "&&")         \
	X(OR, "||") X(COALESCE, "??") X(INC, "++") X(DEC, "--")              \
	X(ADD_SET, "+=") X(SUB_SET, "-=") X(MUL_SET, "*=") X(DIV_SET, "/=")  \
	X(POW, "**") X(CHAIN, "?.") X(DOT, ".") X(COMMA, ",") X(COLON, ":")  \
	X(SEMI, ";") X(QUESTION, "?") X(SET, "=") X(LT, "<") X(GT, ">")      \
	X(ADD, "+") X(SUB, "-") X(MUL, "*") X(DIV, "/") X(MOD, "%")          \
	X(NOT, "!") X(TILDE, "~") X(BITAND, "&") X(BITOR, "|") X(BITXOR, "^")\
	X(LPAREN, "(") X(RPAREN, ")") X(LBRACK, "[") X(RBRACK, "]")          \
	X(LBRACE, "{") X(RBRACE, "}")

enum punct {
	P_NONE,
#define X(name, text) P_##name,
	PUNCT_MAP(X)
#undef X
	P_COUNT
};

struct token {
	enum token_kind kind;
	enum punct punct;
	size_t at, end;              /* bytes in the text */
	struct str name;             /* NAME; also the text of any other token */
	struct val number;
	struct buf *string;          /* STRING: the lexer's buffer, decoded */
};

struct lexer {
	struct str text;
	size_t at;
	struct token token;          /* the current one */
	struct buf string;
	bool newline;                /* a line ended before the current token */
};

void lex_init(struct lexer *l, struct str text);
void lex_release(struct lexer *l);
/* Moves to the next token.  ERR_SYNTAX with the column. */
int  lex_next(struct lexer *l, struct err *e);
/* Raw text of a template up to ${ or the end (a backtick if quoted, else the end
 * of the text), decoded into l->string.  *hole: a ${ follows. */
int  lex_template(struct lexer *l, bool quoted, bool *hole, struct err *e);
/* "column N: expected WHAT, got ..." */
int  lex_expected(const struct lexer *l, const char *what, struct err *e);
const char *punct_text(enum punct p);
bool lex_is_reserved(struct str name);       /* can never be a variable */
bool lex_is(const struct lexer *l, enum punct p);
bool lex_is_word(const struct lexer *l, const char *word);

#endif
