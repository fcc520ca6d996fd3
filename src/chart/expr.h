/*
 * expr.h - the expression language: small, total, pure.
 *
 * JavaScript-looking (contract charts.md, "Expressions").  Compiled once per
 * chart into an immutable tree; evaluated against a session's data without
 * conversion.  Every evaluation ends: a step counter (LIMIT_EXPR_STEPS) and a
 * byte cap (LIMIT_EXPR_BYTES_OUT) bound it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_EXPR_H
#define CHART_EXPR_H

#include "base/rc.h"
#include "base/val.h"

struct expr;

/* ERR_SYNTAX with `column N: expected ..., got ...`. */
int  expr_parse(struct expr **out, struct str text, struct err *e);
void expr_free(struct expr *x);

/* Where names come from.  lookup: ERR_NOTFOUND for an undeclared name. The
 * value is borrowed.  in_state: for In('s'). */
struct expr_scope {
	int  (*lookup)(void *ctx, struct str name, struct val *out);
	bool (*in_state)(void *ctx, struct str state_id);
	void *ctx;
};

/* *out is owned by the caller.  ERR_INVALID (error.execution) with words. */
int expr_eval(const struct expr *x, const struct expr_scope *scope,
    struct val *out, struct err *e);

/* Is it something that can be assigned to: `a`, `a.b`, `a['b'][0]`?  Then
 * *root is the variable's name. */
bool expr_is_location(const struct expr *x, struct str *root);
/* Replaces the place x names inside `data` (value of the root variable,
 * taken) by v (taken): returns the changed root value in *out. */
int expr_store(const struct expr *x, const struct expr_scope *scope,
    struct val data, struct val v, struct val *out, struct err *e);

#endif
