/*
 * expr_parse.c - from text to a tree, by recursive descent with one token of
 * look-ahead and a table of binary operators.
 *
 * Two bounds keep the stack small: how deep the parser may nest
 * (LIMIT_EXPR_DEPTH) and how deep the tree may become (EXPR_TREE_DEPTH; a
 * chain of operators is deep without nesting).
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_lex_priv.h"
#include "chart/expr_priv.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"

struct parser {
	struct lexer lex;
	struct expr *x;
	struct err *e;
	unsigned depth;
	struct str locals[EXPR_LOCALS];
	unsigned locals_n;
	struct u32s {
		uint32_t *at;
		size_t n, cap;
	} stack;                     /* children of the lists being read */
};

static const struct binary {
	enum punct punct;
	const char *word;
	enum op op;
	int level;                   /* higher binds tighter */
} binaries[] = {
	{ P_COALESCE, NULL, X_COALESCE, 1 },
	{ P_OR, NULL, X_OR, 2 },       { P_AND, NULL, X_AND, 3 },
	{ P_BITOR, NULL, X_BITOR, 4 }, { P_BITXOR, NULL, X_BITXOR, 5 },
	{ P_BITAND, NULL, X_BITAND, 6 },
	{ P_EQ, NULL, X_EQ, 7 },       { P_NE, NULL, X_NE, 7 },
	{ P_SEQ, NULL, X_SEQ, 7 },     { P_SNE, NULL, X_SNE, 7 },
	{ P_LT, NULL, X_LT, 8 },       { P_LE, NULL, X_LE, 8 },
	{ P_GT, NULL, X_GT, 8 },       { P_GE, NULL, X_GE, 8 },
	{ P_NONE, "in", X_IN, 8 },     { P_NONE, "instanceof", X_INSTANCEOF, 8 },
	{ P_ADD, NULL, X_ADD, 9 },     { P_SUB, NULL, X_SUB, 9 },
	{ P_MUL, NULL, X_MUL, 10 },    { P_DIV, NULL, X_DIV, 10 },
	{ P_MOD, NULL, X_MOD, 10 },
};

static int parse_expr(struct parser *p, uint32_t *out);
static int parse_unary(struct parser *p, uint32_t *out);

/* ---- nodes --------------------------------------------------------------- */

static int
node_new(struct parser *p, enum op op, size_t at, uint32_t *out)
{
	struct expr *x = p->x;

	mem_grow(x->nodes, x->nodes_n, x->nodes_cap);
	x->nodes[x->nodes_n] = (struct node){ .op = (uint8_t)op, .slot = -1,
		.column = (uint32_t)at + 1, .depth = 1 };
	*out = (uint32_t)x->nodes_n++;
	return OK;
}

static struct node *
node_at(struct parser *p, uint32_t i)
{
	assert(i < p->x->nodes_n);
	return &p->x->nodes[i];
}

/* The parent is one deeper than its deepest child. */
static int
node_over(struct parser *p, uint32_t parent, uint32_t child)
{
	struct node *n = node_at(p, parent), *c = node_at(p, child);

	if (c->depth >= n->depth)
		n->depth = (uint16_t)(c->depth + 1);
	if (n->depth > EXPR_TREE_DEPTH)
		return err_set(p->e, ERR_SYNTAX, "column %u: the expression is too deep",
		    n->column);
	return OK;
}

static void
push(struct parser *p, uint32_t child)
{
	struct u32s *s = &p->stack;

	mem_grow(s->at, s->n, s->cap);
	s->at[s->n++] = child;
}

/* Moves what was pushed since `base` into the list of `parent`. */
static int
take_list(struct parser *p, uint32_t parent, size_t base)
{
	struct expr *x = p->x;

	node_at(p, parent)->a = (uint32_t)x->list_n;
	node_at(p, parent)->b = (uint32_t)(p->stack.n - base);
	for (size_t i = base; i < p->stack.n; i++) {
		int rc = node_over(p, parent, p->stack.at[i]);
		if (rc != OK)
			return rc;
		mem_grow(x->list, x->list_n, x->list_cap);
		x->list[x->list_n++] = p->stack.at[i];
	}
	p->stack.n = base;
	return OK;
}

static int
next(struct parser *p)
{
	return lex_next(&p->lex, p->e);
}

static int
expect(struct parser *p, enum punct punct)
{
	char what[8];

	if (lex_is(&p->lex, punct))
		return next(p);
	snprintf(what, sizeof what, "'%s'", punct_text(punct));
	return lex_expected(&p->lex, what, p->e);
}

static int
const_new(struct parser *p, size_t at, struct val v, uint32_t *out)
{
	int rc = node_new(p, X_CONST, at, out);

	node_at(p, *out)->k = v;
	return rc;
}

static int
enter(struct parser *p)
{
	if (p->depth >= LIMIT_EXPR_DEPTH)
		return err_set(p->e, ERR_SYNTAX,
		    "column %zu: nested deeper than %d", p->lex.token.at + 1,
		    LIMIT_EXPR_DEPTH);
	p->depth++;
	return OK;
}

/* ---- primaries ----------------------------------------------------------- */

static int
parse_list_until(struct parser *p, enum punct close, uint32_t node, bool spread)
{
	size_t base = p->stack.n;
	int rc = OK;

	while (rc == OK && !lex_is(&p->lex, close)) {
		uint32_t child;

		if (spread && lex_is(&p->lex, P_SPREAD))
			return lex_expected(&p->lex, "a value (use concat or merge)", p->e);
		rc = parse_expr(p, &child);
		if (rc != OK)
			break;
		push(p, child);
		if (lex_is(&p->lex, P_COMMA))
			rc = next(p);
		else if (!lex_is(&p->lex, close))
			rc = lex_expected(&p->lex, close == P_RBRACK ? "',' or ']'" :
			    "',' or ')'", p->e);
	}
	if (rc == OK)
		rc = take_list(p, node, base);
	return rc == OK ? expect(p, close) : rc;
}

static int
parse_array(struct parser *p, uint32_t *out)
{
	int rc = node_new(p, X_ARRAY, p->lex.token.at, out);

	if (rc == OK)
		rc = next(p);
	return rc == OK ? parse_list_until(p, P_RBRACK, *out, true) : rc;
}

/* One `key: value`, `key` alone or `[expr]: value`. */
static int
parse_member(struct parser *p, uint32_t *key, uint32_t *value)
{
	struct token t = p->lex.token;
	int rc;

	if (lex_is(&p->lex, P_LBRACK)) {
		rc = next(p);
		if (rc == OK)
			rc = parse_expr(p, key);
		if (rc == OK)
			rc = expect(p, P_RBRACK);
	} else if (t.kind == T_NAME || t.kind == T_NUMBER) {
		rc = const_new(p, t.at, val_string(t.name), key);
		if (rc == OK)
			rc = next(p);
		if (rc == OK && t.kind == T_NAME && !lex_is_reserved(t.name) &&
		    !lex_is(&p->lex, P_COLON)) {
			rc = node_new(p, X_NAME, t.at, value);
			node_at(p, *value)->k = val_string(t.name);
			for (unsigned i = p->locals_n; i-- > 0; )
				if (str_eq(p->locals[i], t.name)) {
					node_at(p, *value)->op = X_LOCAL;
					node_at(p, *value)->slot = (int32_t)i;
					break;
				}
			return rc;
		}
	} else if (t.kind == T_STRING) {
		rc = const_new(p, t.at, val_string(buf_str(t.string)), key);
		if (rc == OK)
			rc = next(p);
	} else {
		return lex_expected(&p->lex, "a key", p->e);
	}
	if (rc == OK)
		rc = expect(p, P_COLON);
	return rc == OK ? parse_expr(p, value) : rc;
}

static int
parse_object(struct parser *p, uint32_t *out)
{
	size_t base = p->stack.n;
	int rc = node_new(p, X_OBJECT, p->lex.token.at, out);

	if (rc == OK)
		rc = next(p);
	while (rc == OK && !lex_is(&p->lex, P_RBRACE)) {
		uint32_t key, value;

		rc = parse_member(p, &key, &value);
		if (rc != OK)
			return rc;
		push(p, key);
		push(p, value);
		if (lex_is(&p->lex, P_COMMA))
			rc = next(p);
		else if (!lex_is(&p->lex, P_RBRACE))
			return lex_expected(&p->lex, "',' or '}'", p->e);
	}
	if (rc == OK)
		rc = take_list(p, *out, base);
	return rc == OK ? next(p) : rc;
}

/* Pieces of text and expressions by turns; lex.at stands at the first raw
 * character. */
static int
parse_template(struct parser *p, bool quoted, uint32_t *out)
{
	size_t base = p->stack.n, from = p->lex.at;
	bool hole = true;
	int rc = node_new(p, X_TEMPLATE, from, out);

	while (rc == OK && hole) {
		uint32_t piece;

		rc = lex_template(&p->lex, quoted, &hole, p->e);
		if (rc == OK && p->lex.string.n > 0) {
			rc = const_new(p, from, val_string(buf_str(&p->lex.string)), &piece);
			push(p, piece);
		}
		if (rc != OK || !hole)
			break;
		rc = next(p);
		if (rc == OK)
			rc = parse_expr(p, &piece);
		if (rc != OK)
			return rc;
		push(p, piece);
		/* The closing brace is the current token; raw text follows it. */
		if (!lex_is(&p->lex, P_RBRACE))
			return lex_expected(&p->lex, "'}'", p->e);
	}
	if (rc == OK)
		rc = take_list(p, *out, base);
	return rc == OK && quoted ? next(p) : rc;
}

static int
parse_name(struct parser *p, uint32_t *out)
{
	struct token t = p->lex.token;
	static const struct { const char *word; struct val v; } words[] = {
		{ "true", { .kind = VAL_BOOL, .u.b = true } },
		{ "false", { .kind = VAL_BOOL, .u.b = false } },
		{ "null", { .kind = VAL_NULL } },
		{ "undefined", { .kind = VAL_UNDEFINED } },
	};
	int rc;

	for (size_t i = 0; i < COUNT(words); i++) {
		if (!str_eq(t.name, str_of(words[i].word)))
			continue;
		rc = const_new(p, t.at, words[i].v, out);
		return rc == OK ? next(p) : rc;
	}
	if (lex_is_reserved(t.name))
		return err_set(p->e, ERR_SYNTAX,
		    "column %zu: '%.*s' is not part of the language", t.at + 1, FMT(t.name));
	rc = node_new(p, X_NAME, t.at, out);
	node_at(p, *out)->k = val_string(t.name);
	for (unsigned i = p->locals_n; i-- > 0; ) {
		if (!str_eq(p->locals[i], t.name))
			continue;
		node_at(p, *out)->op = X_LOCAL;
		node_at(p, *out)->slot = (int32_t)i;
		break;
	}
	return rc == OK ? next(p) : rc;
}

static int
parse_primary(struct parser *p, uint32_t *out)
{
	struct token t = p->lex.token;
	int rc;

	switch (t.kind) {
	case T_NUMBER:
		rc = const_new(p, t.at, t.number, out);
		return rc == OK ? next(p) : rc;
	case T_STRING:
		rc = const_new(p, t.at, val_string(buf_str(t.string)), out);
		return rc == OK ? next(p) : rc;
	case T_BACKTICK:
		return parse_template(p, true, out);
	case T_NAME:
		return parse_name(p, out);
	case T_PUNCT:
	case T_END:
		break;
	}
	if (lex_is(&p->lex, P_LBRACK))
		return parse_array(p, out);
	if (lex_is(&p->lex, P_LBRACE))
		return parse_object(p, out);
	if (!lex_is(&p->lex, P_LPAREN))
		return lex_expected(&p->lex, "a value", p->e);
	rc = next(p);
	if (rc == OK)
		rc = parse_expr(p, out);
	return rc == OK ? expect(p, P_RPAREN) : rc;
}

/* ---- calls --------------------------------------------------------------- */

/* Is the current token the start of `x =>` or `(x) =>`?  Looks ahead with a
 * lexer of its own, so that nothing has to be taken back. */
static bool
at_lambda(const struct parser *p)
{
	struct lexer l = p->lex;
	bool paren = lex_is(&l, P_LPAREN), found = false;

	l.string = BUF(LIMIT_EXPR_BYTES);
	if ((!paren || lex_next(&l, NULL) == OK) && l.token.kind == T_NAME &&
	    lex_next(&l, NULL) == OK &&
	    (!paren || (lex_is(&l, P_RPAREN) && lex_next(&l, NULL) == OK)))
		found = lex_is(&l, P_ARROW);
	lex_release(&l);
	return found;
}

static int
parse_lambda(struct parser *p, uint32_t *out)
{
	bool paren = lex_is(&p->lex, P_LPAREN);
	uint32_t body;
	int rc = node_new(p, X_LAMBDA, p->lex.token.at, out);

	if (paren && rc == OK)
		rc = next(p);
	if (rc != OK)
		return rc;
	if (lex_is_reserved(p->lex.token.name))
		return lex_expected(&p->lex, "a name", p->e);
	if (p->locals_n == EXPR_LOCALS)
		return err_set(p->e, ERR_SYNTAX, "column %zu: lambdas nested too deep",
		    p->lex.token.at + 1);
	p->locals[p->locals_n++] = p->lex.token.name;
	rc = next(p);
	if (paren && rc == OK)
		rc = next(p);
	if (rc == OK)
		rc = next(p);                /* => */
	if (rc == OK)
		rc = parse_expr(p, &body);
	p->locals_n--;
	if (rc != OK)
		return rc;
	node_at(p, *out)->a = body;
	return node_over(p, *out, body);
}

static int
unknown_function(struct parser *p, struct str name, size_t at)
{
	const char *near = expr_function_near(name);

	return err_near(p->e, ERR_SYNTAX, near, "'", "column %zu: no function '%.*s'",
	    at + 1, FMT(name));
}

/* Arguments up to the closing parenthesis; those already pushed since base
 * (the receiver of a method call) come first. */
static int
parse_arguments(struct parser *p, const struct expr_function *f, uint32_t node,
    size_t base, size_t at)
{
	struct expr_arity arity = expr_function_arity(f);
	bool lambda = false;
	size_t n;
	int rc = OK;

	while (rc == OK && !lex_is(&p->lex, P_RPAREN)) {
		uint32_t child;

		if (lambda)
			return lex_expected(&p->lex, "')': the lambda comes last", p->e);
		if (arity.takes_lambda && p->stack.n > base && at_lambda(p)) {
			rc = parse_lambda(p, &child);
			lambda = true;
		} else {
			rc = parse_expr(p, &child);
		}
		if (rc != OK)
			return rc;
		push(p, child);
		if (lex_is(&p->lex, P_COMMA))
			rc = next(p);
		else if (!lex_is(&p->lex, P_RPAREN))
			rc = lex_expected(&p->lex, "',' or ')'", p->e);
	}
	n = p->stack.n - base;
	if (rc == OK && (n < arity.min || n > arity.max) && arity.min == arity.max)
		return err_set(p->e, ERR_SYNTAX, "column %zu: %s takes %u argument%s, got %zu",
		    at + 1, f->name, arity.min, arity.min == 1 ? "" : "s", n);
	if (rc == OK && (n < arity.min || n > arity.max))
		return err_set(p->e, ERR_SYNTAX, "column %zu: %s takes %u to %u arguments, "
		    "got %zu", at + 1, f->name, arity.min, arity.max, n);
	if (rc == OK && arity.wants_lambda && !lambda)
		return err_set(p->e, ERR_SYNTAX,
		    "column %zu: %s wants a lambda, as in %s(xs, x => x)", at + 1, f->name,
		    f->name);
	if (rc == OK)
		rc = take_list(p, node, base);
	return rc == OK ? next(p) : rc;
}

/* f(args) with callee a name, or recv.f(args) with `recv` the receiver. */
static int
parse_call(struct parser *p, struct str name, size_t at, const uint32_t *recv,
    uint32_t *out)
{
	size_t base = p->stack.n;
	int f, rc;

	if (recv == NULL && str_eq(name, S("In"))) {
		rc = node_new(p, X_IN_STATE, at, out);
		if (rc == OK)
			rc = next(p);
		if (rc == OK)
			rc = parse_list_until(p, P_RPAREN, *out, false);
		if (rc == OK && node_at(p, *out)->b != 1)
			rc = err_set(p->e, ERR_SYNTAX, "column %zu: In takes 1 argument",
			    at + 1);
		return rc;
	}
	/* Math.floor(x) is floor(x). */
	if (recv != NULL && node_at(p, *recv)->op == X_NAME &&
	    str_eq(val_str(node_at(p, *recv)->k), S("Math")))
		recv = NULL;
	f = expr_function_find(name);
	if (f < 0)
		return unknown_function(p, name, at);
	rc = node_new(p, X_CALL, at, out);
	node_at(p, *out)->slot = f;
	if (recv != NULL)
		push(p, *recv);
	if (rc == OK)
		rc = next(p);
	return rc == OK ? parse_arguments(p, expr_function_at(f), *out, base, at) : rc;
}

/* ---- operators ----------------------------------------------------------- */

/* `.name`, `?.name`, `.name(...)`; the current token is behind the dot. */
static int
parse_dot(struct parser *p, bool optional, uint32_t *out)
{
	struct token t = p->lex.token;
	uint32_t object = *out;
	int rc;

	if (t.kind != T_NAME)
		return lex_expected(&p->lex, "a name after '.'", p->e);
	rc = next(p);
	if (rc == OK && lex_is(&p->lex, P_LPAREN))
		return parse_call(p, t.name, t.at, &object, out);
	if (rc == OK)
		rc = node_new(p, X_MEMBER, t.at, out);
	if (rc != OK)
		return rc;
	node_at(p, *out)->a = object;
	node_at(p, *out)->k = val_string(t.name);
	node_at(p, *out)->optional = optional;
	return node_over(p, *out, object);
}

static int
parse_index(struct parser *p, bool optional, uint32_t *out)
{
	uint32_t object = *out, index;
	size_t at = p->lex.token.at;
	int rc = next(p);

	if (rc == OK)
		rc = parse_expr(p, &index);
	if (rc == OK)
		rc = expect(p, P_RBRACK);
	if (rc != OK)
		return rc;
	/* a['b'] is a.b */
	if (node_at(p, index)->op == X_CONST && node_at(p, index)->k.kind == VAL_STRING) {
		struct val key = val_string(val_str(node_at(p, index)->k));

		rc = node_new(p, X_MEMBER, at, out);
		node_at(p, *out)->k = key;
	} else {
		rc = node_new(p, X_INDEX, at, out);
		node_at(p, *out)->b = index;
		if (rc == OK)
			rc = node_over(p, *out, index);
	}
	if (rc != OK)
		return rc;
	node_at(p, *out)->a = object;
	node_at(p, *out)->optional = optional;
	return node_over(p, *out, object);
}

static int
parse_postfix(struct parser *p, uint32_t *out)
{
	int rc;

	if (p->lex.token.kind == T_NAME) {
		struct token t = p->lex.token;
		struct lexer saved = p->lex;

		rc = next(p);
		if (rc != OK)
			return rc;
		if (lex_is(&p->lex, P_LPAREN) && !lex_is_reserved(t.name)) {
			rc = parse_call(p, t.name, t.at, NULL, out);
		} else {
			/* The token behind may have moved the string buffer. */
			saved.string = p->lex.string;
			p->lex = saved;
			rc = parse_primary(p, out);
		}
	} else {
		rc = parse_primary(p, out);
	}
	while (rc == OK) {
		bool optional = lex_is(&p->lex, P_CHAIN);

		if (optional || lex_is(&p->lex, P_DOT)) {
			rc = next(p);
			if (rc == OK && optional && lex_is(&p->lex, P_LBRACK))
				rc = parse_index(p, true, out);
			else if (rc == OK)
				rc = parse_dot(p, optional, out);
		} else if (lex_is(&p->lex, P_LBRACK)) {
			rc = parse_index(p, false, out);
		} else {
			break;
		}
	}
	if (rc == OK && (lex_is(&p->lex, P_LPAREN)))
		return lex_expected(&p->lex, "an operator (values cannot be called)", p->e);
	return rc;
}

/* !x, -x, +x, typeof x; -5 becomes a constant. */
static int
parse_unary(struct parser *p, uint32_t *out)
{
	static const struct { enum punct punct; const char *word; enum op op; } ops[] = {
		{ P_NOT, NULL, X_NOT }, { P_SUB, NULL, X_NEG }, { P_ADD, NULL, X_PLUS },
		{ P_NONE, "typeof", X_TYPEOF },
	};
	size_t at = p->lex.token.at;
	uint32_t child;
	int rc = enter(p);

	if (rc != OK)
		return rc;
	for (size_t i = 0; i < COUNT(ops); i++) {
		if (ops[i].word != NULL ? !lex_is_word(&p->lex, ops[i].word) :
		    !lex_is(&p->lex, ops[i].punct))
			continue;
		rc = next(p);
		if (rc == OK)
			rc = parse_unary(p, &child);
		if (rc == OK)
			rc = node_new(p, ops[i].op, at, out);
		if (rc != OK)
			return rc;
		node_at(p, *out)->a = child;
		p->depth--;
		return node_over(p, *out, child);
	}
	rc = parse_postfix(p, out);
	p->depth--;
	return rc;
}

static const struct binary *
binary_here(const struct parser *p)
{
	for (size_t i = 0; i < COUNT(binaries); i++)
		if (binaries[i].word != NULL ? lex_is_word(&p->lex, binaries[i].word) :
		    lex_is(&p->lex, binaries[i].punct))
			return &binaries[i];
	return NULL;
}

static int
parse_binary(struct parser *p, int level, uint32_t *out)
{
	int rc = parse_unary(p, out);

	while (rc == OK) {
		const struct binary *b = binary_here(p);
		size_t at = p->lex.token.at;
		uint32_t left = *out, right;

		if (b == NULL || b->level < level)
			return OK;
		rc = next(p);
		if (rc == OK)
			rc = parse_binary(p, b->level + 1, &right);
		if (rc == OK)
			rc = node_new(p, b->op, at, out);
		if (rc != OK)
			return rc;
		node_at(p, *out)->a = left;
		node_at(p, *out)->b = right;
		rc = node_over(p, *out, left);
		if (rc == OK)
			rc = node_over(p, *out, right);
	}
	return rc;
}

static int
parse_condition(struct parser *p, uint32_t cond, uint32_t *out)
{
	size_t at = p->lex.token.at;
	uint32_t yes, no;
	int rc = next(p);

	if (rc == OK)
		rc = parse_expr(p, &yes);
	if (rc == OK)
		rc = expect(p, P_COLON);
	if (rc == OK)
		rc = parse_expr(p, &no);
	if (rc == OK)
		rc = node_new(p, X_COND, at, out);
	if (rc != OK)
		return rc;
	node_at(p, *out)->a = cond;
	node_at(p, *out)->b = yes;
	node_at(p, *out)->c = no;
	rc = node_over(p, *out, cond);
	if (rc == OK)
		rc = node_over(p, *out, yes);
	return rc == OK ? node_over(p, *out, no) : rc;
}

static int
parse_expr(struct parser *p, uint32_t *out)
{
	int rc = enter(p);

	if (rc != OK)
		return rc;
	rc = parse_binary(p, 1, out);
	if (rc == OK && lex_is(&p->lex, P_QUESTION))
		rc = parse_condition(p, *out, out);
	p->depth--;
	return rc;
}

/* ---- the door ------------------------------------------------------------ */

static int
parse(struct expr **out, struct str text, bool template, struct err *e)
{
	struct parser p = { .e = e };
	int rc;

	*out = NULL;
	if (text.n > LIMIT_EXPR_BYTES)
		return err_set(e, ERR_SYNTAX, "the expression is longer than %d bytes",
		    LIMIT_EXPR_BYTES);
	if (!str_is_utf8(text))
		return err_set(e, ERR_SYNTAX, "the expression is not valid UTF-8");
	p.x = mem_new(struct expr);
	lex_init(&p.lex, text);
	if (template) {
		rc = parse_template(&p, false, &p.x->root);
	} else {
		rc = lex_next(&p.lex, e);
		if (rc == OK)
			rc = parse_expr(&p, &p.x->root);
		if (rc == OK && p.lex.token.kind != T_END)
			rc = lex_expected(&p.lex, "the end", e);
	}
	lex_release(&p.lex);
	free(p.stack.at);
	if (rc != OK) {
		expr_free(p.x);
		return rc;
	}
	*out = p.x;
	return OK;
}

int
expr_parse(struct expr **out, struct str text, struct err *e)
{
	return parse(out, text, false, e);
}

int
expr_parse_template(struct expr **out, struct str text, struct err *e)
{
	return parse(out, text, true, e);
}

void
expr_free(struct expr *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < x->nodes_n; i++)
		val_drop(x->nodes[i].k);
	free(x->nodes);
	free(x->list);
	free(x);
}
