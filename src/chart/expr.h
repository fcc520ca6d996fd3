/*
 * expr.h - the expression language: small, total, pure.
 *
 * JavaScript-looking.  Compiled once per chart into an immutable tree;
 * evaluated against a session's data without conversion.  Every evaluation
 * ends: a step counter (LIMIT_EXPR_STEPS) and a byte cap
 * (LIMIT_EXPR_BYTES_OUT) bound it.
 *
 * Differences from JavaScript, all on the side of fewer surprises: `==` never
 * converts (null == undefined is the one liberty) and compares arrays and
 * objects by content; `<` wants two numbers or two strings; `+` adds numbers,
 * joins strings and arrays, and takes a number or boolean beside a string;
 * a member of null or undefined is an error; division by zero is an error.
 * `xs.map(f)` is `map(xs, f)` for every function.
 *
 * Threads: a compiled expression is never written after expr_bind, not even
 * its reference counts, so every shard may evaluate it at once.
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
/* Text with ${} holes, as in a prompt; its value is a string. */
int  expr_parse_template(struct expr **out, struct str text, struct err *e);
void expr_free(struct expr *x);

/* The fields of _event, in the order of the object that `_event` gives. */
enum expr_field {
	FIELD_NAME, FIELD_TYPE, FIELD_SENDID, FIELD_ORIGIN, FIELD_ORIGINTYPE,
	FIELD_INVOKEID, FIELD_DATA,
	FIELD_COUNT
};
extern const char *const expr_field_names[FIELD_COUNT];

/* Where names come from.  lookup: ERR_NOTFOUND for an undeclared name. The
 * value is borrowed.  in_state: for In('s').  The rest serves expressions
 * that went through expr_bind: slot values with a bit for each that is
 * declared by now, and _event's fields without building the object (the
 * value is owned by the caller). */
struct expr_scope {
	int  (*lookup)(void *ctx, struct str name, struct val *out);
	bool (*in_state)(void *ctx, struct str state_id);
	void *ctx;
	const struct val *slots;
	const uint64_t *declared;
	int  (*event_field)(void *ctx, enum expr_field field, struct val *out);
	size_t *work;                /* if given: steps and bytes / 64 are added,
	                                to bound many evaluations together */
};

/* Turns names into slot numbers, once, before the first evaluation.
 * slot_of: the slot of a name, or -1 for one that lookup must find. */
void expr_bind(struct expr *x, int (*slot_of)(void *ctx, struct str name),
    void *ctx);

/* *out is owned by the caller.  ERR_INVALID (error.execution) with words;
 * ERR_LIMIT when a bound was hit. */
int expr_eval(const struct expr *x, const struct expr_scope *scope,
    struct val *out, struct err *e);
/* The same, when only the truth of the value matters: makes no value. */
int expr_eval_bool(const struct expr *x, const struct expr_scope *scope,
    bool *out, struct err *e);

/* Is it something that can be assigned to: `a`, `a.b`, `a['b'][0]`?  Then
 * *root is the variable's name (borrowed from x). */
bool expr_is_location(const struct expr *x, struct str *root);
/* The slot of the root after expr_bind; -1 when it has none. */
int expr_root_slot(const struct expr *x);
/* Replaces the place x names inside `data` (value of the root variable,
 * taken) by v (taken): returns the changed root value in *out.  After an
 * error *out is the root value as it was. */
int expr_store(const struct expr *x, const struct expr_scope *scope,
    struct val data, struct val v, struct val *out, struct err *e);

/* A plain variable name that is not a reserved word. */
bool expr_is_name(struct str s);

/* A copy that shares nothing; for values kept in a chart. */
struct val val_copy(struct val v);
/* ERR_TOOBIG: nested deeper than LIMIT_JSON_DEPTH or larger than max_bytes. */
int val_check(struct val v, size_t max_bytes);

#endif
