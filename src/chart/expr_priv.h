/*
 * expr_priv.h - the compiled form of an expression, shared by its parser,
 * its evaluator and the table of functions.
 *
 * A tree in one flat array.  Strings in it belong to the expression and are
 * only read: an evaluation borrows them and copies those that it keeps (see
 * struct ref).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_EXPR_PRIV_H
#define CHART_EXPR_PRIV_H

#include "base/limits.h"
#include "chart/expr.h"

#define EXPR_TREE_DEPTH  1024    /* of nodes: a chain a + b + c... nests to the left */
#define EXPR_LOCALS      16      /* lambdas inside lambdas */
#define EXPR_ARGS        16      /* of one call, not counting concat's like */
#define EXPR_BYTES_PER_STEP 16   /* made, for one step of work */

enum op {
	X_CONST, X_NAME, X_SLOT, X_LOCAL, X_FIELD,
	X_MEMBER, X_INDEX, X_ARRAY, X_OBJECT, X_TEMPLATE,
	X_NOT, X_NEG, X_PLUS, X_TYPEOF,
	X_AND, X_OR, X_COALESCE, X_COND,
	X_ADD, X_SUB, X_MUL, X_DIV, X_MOD,
	X_EQ, X_NE, X_SEQ, X_SNE, X_LT, X_LE, X_GT, X_GE,
	X_IN, X_INSTANCEOF, X_BITOR, X_BITXOR, X_BITAND,
	X_CALL, X_IN_STATE, X_VISITS, X_LAMBDA
};

struct node {
	uint8_t op;
	bool optional;               /* ?. : undefined instead of an error */
	uint16_t depth;
	uint32_t column;
	uint32_t a, b, c;            /* children; list: a is the first, b how many */
	int32_t slot;                /* SLOT, LOCAL, FIELD; CALL: the function */
	struct val k;                /* CONST: value; NAME, SLOT, MEMBER: string */
};

struct expr {
	struct node *nodes;
	uint32_t *list;              /* children of arrays, objects, calls, ... */
	size_t nodes_n, nodes_cap, list_n, list_cap;
	uint32_t root;
	bool lenient;                /* see expr_bind_lenient */
};

/* An intermediate value.  Most are only read, so references are not counted. */
enum own {
	OWN_BORROWED,                /* lives longer than the evaluation */
	OWN_CONST,                   /* of the expression: copy to keep */
	OWN_MINE
};

struct ref {
	struct val v;
	enum own own;
};

struct eval {
	const struct expr *x;
	const struct expr_scope *scope;
	struct err *e;
	size_t steps, bytes;
	uint32_t locals_n;
	struct val locals[EXPR_LOCALS];      /* borrowed */
};

int eval_node(struct eval *ev, uint32_t at, struct ref *out);
/* Calls the lambda node with one value (borrowed). */
int eval_lambda(struct eval *ev, uint32_t lambda, struct val v, struct ref *out);
/* a op b, for operators that look at both; drops neither. */
int eval_operator(struct eval *ev, const struct node *n, struct ref a, struct ref b,
    struct ref *out);
int eval_instance_of(struct eval *ev, const struct node *n, struct val v, bool *out);
int eval_fail(struct eval *ev, const struct node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Counts work and memory; ERR_LIMIT past the bound. */
int eval_steps(struct eval *ev, size_t n);
int eval_bytes(struct eval *ev, size_t n);
/* val_equal and ref_take, charged for what they look at and copy. */
int eval_equal(struct eval *ev, struct val a, struct val b, bool *out);
int eval_take(struct eval *ev, struct ref r, struct val *out);

/* Charges for reading n bytes of text: one step for 256. */
static inline int
eval_look(struct eval *ev, size_t n)
{
	return n < 256 ? OK : eval_steps(ev, n / 256);
}

static inline void
ref_drop(struct ref r)
{
	if (r.own == OWN_MINE)
		val_drop(r.v);
}

/* The value, owned by the caller from now on. */
static inline struct val
ref_take(struct ref r)
{
	if (r.own == OWN_MINE)
		return r.v;
	return r.own == OWN_CONST ? val_copy(r.v) : val_ref(r.v);
}

/* Another reference; r keeps its own.  For a function that returns an argument,
 * because its caller drops the arguments. */
static inline struct val
ref_share(struct ref r)
{
	return r.own == OWN_CONST ? val_copy(r.v) : val_ref(r.v);
}

static inline struct ref
ref_mine(struct val v)
{
	return (struct ref){ v, OWN_MINE };
}

/* In a lenient expression a value that is missing is null. */
static inline void
eval_missing(const struct eval *ev, struct ref *r)
{
	if (ev->x->lenient && r->v.kind == VAL_UNDEFINED)
		r->v = VAL_NIL;
}

static inline bool
val_is_nothing(struct val v)
{
	return v.kind == VAL_NULL || v.kind == VAL_UNDEFINED;
}

/* Text of a scalar as in a template; containers as JSON. */
void val_add_text(struct buf *b, struct val v);

/* ---- characters of a text ------------------------------------------------ */

size_t expr_text_count(struct str s);
size_t expr_text_offset(struct str s, size_t at);         /* byte of a character; s.n
                                                past the end */
ptrdiff_t expr_text_find(struct str s, struct str what);  /* byte; -1: nowhere */

/* ---- functions ----------------------------------------------------------- */

struct call {
	const struct node *node;
	const struct expr_function *f;
	struct ref *args;
	size_t n;
	uint32_t lambda;             /* node of the lambda; UINT32_MAX: none given */
};

struct expr_function {
	const char *name;
	/* A letter an argument: s string, a array, o object, i whole number,
	 * n number, . any, f a lambda, which is the last.  Those behind ? may be
	 * left out; one before * may be repeated. */
	const char *args;
	int (*fn)(struct eval *ev, const struct call *c, struct ref *out);
	int how;                     /* which of its names, for fn */
};

struct expr_arity {
	unsigned min, max;           /* arguments, the lambda counted */
	bool takes_lambda, wants_lambda;
};

struct expr_arity expr_function_arity(const struct expr_function *f);
/* Checks the arguments and calls it. */
int expr_function_call(struct eval *ev, const struct call *c, struct ref *out);
/* The index of a function, or -1. */
int expr_function_find(struct str name);
const struct expr_function *expr_function_at(int index);
/* The nearest name, for "did you mean"; NULL when none is near. */
const char *expr_function_near(struct str name);

/* Orders numbers before strings before the rest; total. */
int val_order(struct val a, struct val b);

#endif
