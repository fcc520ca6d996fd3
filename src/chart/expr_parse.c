/*
 * expr_parse.c - from text to a tree, by recursive descent with one token of
 * look-ahead and a table of binary operators.  The first error is kept in the
 * parser and disables the rest.
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
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

struct parser {
	struct lexer lex;
	struct expr *x;
	struct err *e;
	int rc;                      /* of the first error */
	unsigned depth;
	struct str locals[EXPR_LOCALS];
	unsigned locals_n;
	struct u32s {
		uint32_t *at;
		size_t n, cap;
	} stack;                     /* children of the lists being read */
};

#define NO_NODE UINT32_MAX

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

static uint32_t parse_expr(struct parser *p);
static uint32_t parse_unary(struct parser *p);

/* ---- tokens and errors --------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
parser_fail(struct parser *p, size_t at, const char *format, ...)
{
	char text[200];
	va_list ap;

	if (p->rc != OK)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	p->rc = err_set(p->e, ERR_SYNTAX, "column %zu: %s", at + 1, text);
}

static void
expected(struct parser *p, const char *what)
{
	if (p->rc == OK)
		p->rc = lex_expected(&p->lex, what, p->e);
}

static void
next(struct parser *p)
{
	if (p->rc == OK)
		p->rc = lex_next(&p->lex, p->e);
}

/* Is it the current token?  Never after an error. */
static bool
is_at(const struct parser *p, enum punct punct)
{
	return p->rc == OK && lex_is(&p->lex, punct);
}

static bool
accept(struct parser *p, enum punct punct)
{
	if (!is_at(p, punct))
		return false;
	next(p);
	return true;
}

static void
expect(struct parser *p, enum punct punct)
{
	char what[8];

	snprintf(what, sizeof what, "'%s'", punct_text(punct));
	if (!accept(p, punct))
		expected(p, what);
}

/* Is there one more item before the end of a list? */
static bool
has_item(const struct parser *p, enum punct close)
{
	return p->rc == OK && !lex_is(&p->lex, close);
}

/* What follows an item: a comma, or the end of the list. */
static void
end_item(struct parser *p, enum punct close)
{
	char what[16];

	snprintf(what, sizeof what, "',' or '%s'", punct_text(close));
	if (!accept(p, P_COMMA) && !is_at(p, close))
		expected(p, what);
}

static bool
enter(struct parser *p)
{
	if (p->depth >= LIMIT_EXPR_DEPTH)
		parser_fail(p, p->lex.token.at, "nested deeper than %d", LIMIT_EXPR_DEPTH);
	if (p->rc != OK)
		return false;
	p->depth++;
	return true;
}

/* ---- nodes --------------------------------------------------------------- */

static struct node *
node_at(struct parser *p, uint32_t i)
{
	assert(i < p->x->nodes_n);
	return &p->x->nodes[i];
}

static uint32_t
node_new(struct parser *p, enum op op, size_t at)
{
	struct expr *x = p->x;

	mem_grow(x->nodes, x->nodes_n, x->nodes_cap);
	x->nodes[x->nodes_n] = (struct node){ .op = (uint8_t)op, .slot = -1,
		.column = (uint32_t)at + 1, .depth = 1 };
	return (uint32_t)x->nodes_n++;
}

static uint32_t
const_new(struct parser *p, size_t at, struct val v)
{
	uint32_t i = node_new(p, X_CONST, at);

	node_at(p, i)->k = v;
	return i;
}

/* A name, or the local of a lambda that hides it. */
static uint32_t
name_new(struct parser *p, const struct token *t)
{
	uint32_t i = node_new(p, X_NAME, t->at);
	struct node *n = node_at(p, i);

	n->k = val_string(t->name);
	for (unsigned k = 0; k < p->locals_n; k++)
		if (str_eq(p->locals[k], t->name)) {
			n->op = X_LOCAL;
			n->slot = (int32_t)k;
		}
	return i;
}

/* The parent is one deeper than its deepest child. */
static void
adopt(struct parser *p, uint32_t parent, uint32_t child)
{
	struct node *n = node_at(p, parent);

	if (p->rc != OK || child == NO_NODE)
		return;
	if (node_at(p, child)->depth >= n->depth)
		n->depth = (uint16_t)(node_at(p, child)->depth + 1);
	if (n->depth > EXPR_TREE_DEPTH)
		parser_fail(p, n->column - 1, "the expression is too deep");
}

static uint32_t
node_over(struct parser *p, enum op op, size_t at, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t i = node_new(p, op, at);
	struct node *n = node_at(p, i);

	n->a = a;
	n->b = b;
	n->c = c;
	adopt(p, i, a);
	adopt(p, i, b);
	adopt(p, i, c);
	return i;
}

static void
push(struct parser *p, uint32_t child)
{
	struct u32s *s = &p->stack;

	mem_grow(s->at, s->n, s->cap);
	s->at[s->n++] = child;
}

/* Moves what was pushed since `base` into the list of `parent`. */
static void
take_list(struct parser *p, uint32_t parent, size_t base)
{
	struct expr *x = p->x;

	node_at(p, parent)->a = (uint32_t)x->list_n;
	node_at(p, parent)->b = (uint32_t)(p->stack.n - base);
	for (size_t i = base; i < p->stack.n; i++) {
		adopt(p, parent, p->stack.at[i]);
		mem_grow(x->list, x->list_n, x->list_cap);
		x->list[x->list_n++] = p->stack.at[i];
	}
	p->stack.n = base;
}

/* ---- primaries ----------------------------------------------------------- */

static uint32_t
parse_array(struct parser *p)
{
	uint32_t array = node_new(p, X_ARRAY, p->lex.token.at);
	size_t base = p->stack.n;

	next(p);
	while (has_item(p, P_RBRACK)) {
		if (is_at(p, P_SPREAD))
			expected(p, "a value (use concat or merge)");
		push(p, parse_expr(p));
		end_item(p, P_RBRACK);
	}
	take_list(p, array, base);
	expect(p, P_RBRACK);
	return array;
}

/* One `key: value`, `key` alone or `[expr]: value`. */
static void
parse_member(struct parser *p)
{
	struct token t = p->lex.token;

	if (accept(p, P_LBRACK)) {
		push(p, parse_expr(p));
		expect(p, P_RBRACK);
	} else if (t.kind == T_NAME || t.kind == T_NUMBER) {
		push(p, const_new(p, t.at, val_string(t.name)));
		next(p);
		if (t.kind == T_NAME && !lex_is_reserved(t.name) && !is_at(p, P_COLON)) {
			push(p, name_new(p, &t));
			return;
		}
	} else if (t.kind == T_STRING) {
		push(p, const_new(p, t.at, val_string(buf_str(t.string))));
		next(p);
	} else {
		expected(p, "a key");
	}
	expect(p, P_COLON);
	push(p, parse_expr(p));
}

static uint32_t
parse_object(struct parser *p)
{
	uint32_t object = node_new(p, X_OBJECT, p->lex.token.at);
	size_t base = p->stack.n;

	next(p);
	while (has_item(p, P_RBRACE)) {
		parse_member(p);
		end_item(p, P_RBRACE);
	}
	take_list(p, object, base);
	expect(p, P_RBRACE);
	return object;
}

/* Text and expressions in turn; lex.at is the first raw character. */
static uint32_t
parse_template(struct parser *p, bool quoted)
{
	size_t base = p->stack.n, from = p->lex.at;
	uint32_t template = node_new(p, X_TEMPLATE, from);
	bool hole = true;

	while (p->rc == OK && hole) {
		p->rc = lex_template(&p->lex, quoted, &hole, p->e);
		if (p->rc == OK && p->lex.string.n > 0)
			push(p, const_new(p, from, val_string(buf_str(&p->lex.string))));
		if (!hole)
			break;
		next(p);
		push(p, parse_expr(p));
		/* The closing brace is the current token; raw text follows it. */
		if (!is_at(p, P_RBRACE))
			expected(p, "'}'");
	}
	take_list(p, template, base);
	if (quoted)
		next(p);
	return template;
}

static uint32_t parse_call(struct parser *p, const struct token *name, uint32_t recv);

static uint32_t
parse_name(struct parser *p)
{
	static const struct { const char *word; struct val v; } words[] = {
		{ "true", { .kind = VAL_BOOL, .u.b = true } },
		{ "false", { .kind = VAL_BOOL, .u.b = false } },
		{ "null", { .kind = VAL_NULL } },
		{ "undefined", { .kind = VAL_UNDEFINED } },
	};
	struct token t = p->lex.token;

	next(p);
	for (size_t i = 0; i < COUNT(words); i++)
		if (str_eq(t.name, str_of(words[i].word)))
			return const_new(p, t.at, words[i].v);
	if (lex_is_reserved(t.name))
		parser_fail(p, t.at, "'%.*s' is not part of the language", FMT(t.name));
	return is_at(p, P_LPAREN) ? parse_call(p, &t, NO_NODE) : name_new(p, &t);
}

static uint32_t
parse_primary(struct parser *p)
{
	struct token t = p->lex.token;
	uint32_t out;

	if (t.kind == T_BACKTICK)
		return parse_template(p, true);
	if (t.kind == T_NAME)
		return parse_name(p);
	if (is_at(p, P_LBRACK))
		return parse_array(p);
	if (is_at(p, P_LBRACE))
		return parse_object(p);
	if (t.kind == T_NUMBER || t.kind == T_STRING) {
		out = const_new(p, t.at, t.kind == T_NUMBER ? t.number :
		    val_string(buf_str(t.string)));
		next(p);
		return out;
	}
	if (!accept(p, P_LPAREN))
		expected(p, "a value");
	out = parse_expr(p);
	expect(p, P_RPAREN);
	return out;
}

/* ---- calls --------------------------------------------------------------- */

/* Is the current token the start of `x =>` or `(x) =>`?  Looks ahead with a
 * copy of the lexer. */
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

static uint32_t
parse_lambda(struct parser *p)
{
	bool paren = lex_is(&p->lex, P_LPAREN);
	size_t at = p->lex.token.at;
	uint32_t body;

	if (paren)
		next(p);
	if (lex_is_reserved(p->lex.token.name))
		expected(p, "a name");
	if (p->locals_n == EXPR_LOCALS)
		parser_fail(p, p->lex.token.at, "lambdas nested too deep");
	if (p->rc != OK)
		return NO_NODE;
	p->locals[p->locals_n++] = p->lex.token.name;
	next(p);
	if (paren)
		next(p);
	next(p);                             /* => */
	body = parse_expr(p);
	p->locals_n--;
	return node_over(p, X_LAMBDA, at, body, NO_NODE, NO_NODE);
}

static void
check_arity(struct parser *p, const struct expr_function *f, size_t at, size_t n,
    bool lambda)
{
	struct expr_arity a = expr_function_arity(f);

	if ((n < a.min || n > a.max) && a.min == a.max)
		parser_fail(p, at, "%s takes %u argument%s, got %zu", f->name, a.min,
		    a.min == 1 ? "" : "s", n);
	else if (n < a.min || n > a.max)
		parser_fail(p, at, "%s takes %u to %u arguments, got %zu", f->name, a.min,
		    a.max, n);
	else if (a.wants_lambda && !lambda)
		parser_fail(p, at, "%s wants a lambda, as in %s(xs, x => x)", f->name,
		    f->name);
}

/* Arguments up to the closing parenthesis; those already pushed since base
 * (the receiver of a method call) come first. */
static void
parse_arguments(struct parser *p, const struct expr_function *f, uint32_t node,
    size_t base, size_t at)
{
	bool takes_lambda = expr_function_arity(f).takes_lambda, lambda = false;

	while (has_item(p, P_RPAREN)) {
		if (lambda)
			expected(p, "')': the lambda comes last");
		lambda = takes_lambda && p->stack.n > base && at_lambda(p);
		push(p, lambda ? parse_lambda(p) : parse_expr(p));
		end_item(p, P_RPAREN);
	}
	check_arity(p, f, at, p->stack.n - base, lambda);
	take_list(p, node, base);
	next(p);
}

/* In('s') and visits('s'): what a session knows of a state. */
static uint32_t
parse_state_query(struct parser *p, enum op op, size_t at)
{
	uint32_t node = node_new(p, op, at);
	size_t base = p->stack.n;

	next(p);
	while (has_item(p, P_RPAREN)) {
		push(p, parse_expr(p));
		end_item(p, P_RPAREN);
	}
	take_list(p, node, base);
	expect(p, P_RPAREN);
	if (node_at(p, node)->b != 1)
		parser_fail(p, at, op == X_VISITS ? "visits takes 1 argument" :
		    "In takes 1 argument");
	return node;
}

/* name(args), or recv.name(args); the current token is the parenthesis. */
static uint32_t
parse_call(struct parser *p, const struct token *name, uint32_t recv)
{
	size_t base = p->stack.n;
	uint32_t node;
	int f;

	if (recv == NO_NODE && str_eq(name->name, S("In")))
		return parse_state_query(p, X_IN_STATE, name->at);
	if (recv == NO_NODE && str_eq(name->name, S("visits")))
		return parse_state_query(p, X_VISITS, name->at);
	f = expr_function_find(name->name);
	if (f < 0) {
		p->rc = err_near(p->e, ERR_SYNTAX, expr_function_near(name->name), "'",
		    "column %zu: no function '%.*s'", name->at + 1, FMT(name->name));
		return NO_NODE;
	}
	node = node_new(p, X_CALL, name->at);
	node_at(p, node)->slot = f;
	/* Math.floor(x) is floor(x). */
	if (recv != NO_NODE && !(node_at(p, recv)->op == X_NAME &&
	    str_eq(val_str(node_at(p, recv)->k), S("Math"))))
		push(p, recv);
	next(p);
	parse_arguments(p, expr_function_at(f), node, base, name->at);
	return node;
}

/* ---- operators ----------------------------------------------------------- */

/* `.name`, `?.name`, `.name(...)`; the current token is behind the dot. */
static uint32_t
parse_dot(struct parser *p, bool optional, uint32_t object)
{
	struct token t = p->lex.token;
	uint32_t out;

	if (t.kind != T_NAME)
		expected(p, "a name after '.'");
	next(p);
	if (is_at(p, P_LPAREN))
		return parse_call(p, &t, object);
	out = node_over(p, X_MEMBER, t.at, object, NO_NODE, NO_NODE);
	node_at(p, out)->k = val_string(t.name);
	node_at(p, out)->optional = optional;
	return out;
}

static uint32_t
parse_index(struct parser *p, bool optional, uint32_t object)
{
	size_t at = p->lex.token.at;
	struct val key = VAL_UNDEF;
	uint32_t index, out;

	next(p);
	index = parse_expr(p);
	expect(p, P_RBRACK);
	if (p->rc != OK)
		return NO_NODE;
	/* a['b'] is a.b */
	if (node_at(p, index)->op == X_CONST)
		key = node_at(p, index)->k;
	if (key.kind == VAL_STRING) {
		out = node_over(p, X_MEMBER, at, object, NO_NODE, NO_NODE);
		node_at(p, out)->k = val_string(val_str(key));
	} else {
		out = node_over(p, X_INDEX, at, object, index, NO_NODE);
	}
	node_at(p, out)->optional = optional;
	return out;
}

static uint32_t
parse_postfix(struct parser *p)
{
	uint32_t out = parse_primary(p);

	for (;;) {
		bool optional = is_at(p, P_CHAIN);

		if (optional || is_at(p, P_DOT)) {
			next(p);
			if (optional && is_at(p, P_LBRACK))
				out = parse_index(p, true, out);
			else
				out = parse_dot(p, optional, out);
		} else if (is_at(p, P_LBRACK)) {
			out = parse_index(p, false, out);
		} else {
			break;
		}
	}
	if (is_at(p, P_LPAREN))
		expected(p, "an operator (values cannot be called)");
	return out;
}

/* !x, -x, +x, typeof x */
static uint32_t
parse_unary(struct parser *p)
{
	static const struct { enum punct punct; const char *word; enum op op; } ops[] = {
		{ P_NOT, NULL, X_NOT }, { P_SUB, NULL, X_NEG }, { P_ADD, NULL, X_PLUS },
		{ P_NONE, "typeof", X_TYPEOF },
	};
	size_t at = p->lex.token.at, i = 0;
	uint32_t out;

	if (!enter(p))
		return NO_NODE;
	while (i < COUNT(ops) && !(ops[i].word != NULL ? lex_is_word(&p->lex, ops[i].word) :
	    lex_is(&p->lex, ops[i].punct)))
		i++;
	if (i < COUNT(ops)) {
		next(p);
		out = node_over(p, ops[i].op, at, parse_unary(p), NO_NODE, NO_NODE);
	} else {
		out = parse_postfix(p);
	}
	p->depth--;
	return out;
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

static uint32_t
parse_binary(struct parser *p, int level)
{
	uint32_t out = parse_unary(p);

	while (p->rc == OK) {
		const struct binary *b = binary_here(p);
		size_t at = p->lex.token.at;

		if (b == NULL || b->level < level)
			break;
		next(p);
		out = node_over(p, b->op, at, out, parse_binary(p, b->level + 1), NO_NODE);
	}
	return out;
}

static uint32_t
parse_expr(struct parser *p)
{
	uint32_t out, yes;
	size_t at;

	if (!enter(p))
		return NO_NODE;
	out = parse_binary(p, 1);
	at = p->lex.token.at;
	if (accept(p, P_QUESTION)) {
		yes = parse_expr(p);
		expect(p, P_COLON);
		out = node_over(p, X_COND, at, out, yes, parse_expr(p));
	}
	p->depth--;
	return out;
}

/* ---- the door ------------------------------------------------------------ */

static int
parse(struct expr **out, struct str text, bool template, struct err *e)
{
	struct parser p = { .e = e };

	*out = NULL;
	if (text.n > LIMIT_EXPR_BYTES)
		return err_set(e, ERR_SYNTAX, "the expression is longer than %d bytes",
		    LIMIT_EXPR_BYTES);
	if (!str_is_utf8(text))
		return err_set(e, ERR_SYNTAX, "the expression is not valid UTF-8");
	p.x = mem_new(struct expr);
	lex_init(&p.lex, text);
	if (template) {
		p.x->root = parse_template(&p, false);
	} else {
		next(&p);
		p.x->root = parse_expr(&p);
		if (p.lex.token.kind != T_END)
			expected(&p, "the end");
	}
	lex_release(&p.lex);
	free(p.stack.at);
	if (p.rc == OK)
		*out = p.x;
	else
		expr_free(p.x);
	return p.rc;
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
