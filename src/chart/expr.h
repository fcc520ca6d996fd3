/*
 * expr.h - the expression language: small, total, pure.
 *
 * JavaScript-looking.  Compiled once per chart into an immutable tree;
 * evaluated against a session's data without conversion.  Every evaluation
 * ends: a step counter (LIMIT_EXPR_STEPS) and a byte cap
 * (LIMIT_EXPR_BYTES_OUT) bound it.
 *
 * Differences from JavaScript, chosen for fewer surprises: `==` never
 * converts (but null == undefined) and compares arrays and
 * objects by content; `<` wants two numbers or two strings; `+` adds numbers,
 * joins strings and arrays, and takes a number or boolean beside a string;
 * a member of null or undefined is an error; division by zero is an error.
 * `xs.map(f)` is `map(xs, f)` for every function.
 *
 * Agents bind expressions leniently (expr_bind_lenient): what is missing (a
 * member, of null too, an element, a name without a value) is null, undefined
 * does not occur, and null in a template is empty.
 *
 * Threads: a compiled expression is immutable after expr_bind, including its
 * reference counts, so every shard may evaluate it at once.
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

/* Resolves names.  lookup: ERR_NOTFOUND for an undeclared name; the value is
 * borrowed.  in_state: for In('s'); visits: for visits('s').  The rest is for
 * expressions after expr_bind: slot values, a bit for each declared slot, and fields of _event
 * without building the object (the value is owned by the caller). */
struct expr_scope {
	int  (*lookup)(void *ctx, struct str name, struct val *out);
	bool (*in_state)(void *ctx, struct str state_id);
	int64_t (*visits)(void *ctx, struct str state_id);
	void *ctx;
	const struct val *slots;
	const uint64_t *declared;
	int  (*event_field)(void *ctx, enum expr_field field, struct val *out);
	size_t *work;                /* if given: steps, and a step for every 16
	                                bytes made, are added, to bound many
	                                evaluations together */
};

/* Turns names into slot numbers, once, before the first evaluation.
 * slot_of: the slot of a name, or -1 for one that lookup must find; of_data: the
 * name was written data.NAME. */
typedef int expr_slot_of(void *ctx, struct str name, bool of_data);
void expr_bind(struct expr *x, expr_slot_of *slot_of, void *ctx);
/* The same, and the expression is lenient; `declared` and event_field of its
 * scope are not used. */
void expr_bind_lenient(struct expr *x, expr_slot_of *slot_of, void *ctx);
/* True if it has this slot anywhere, after expr_bind. */
bool expr_has_slot(const struct expr *x, int slot);
/* True if it does not need a scope: no names, no states. */
bool expr_is_constant(const struct expr *x);
/* True if it calls In() or visits(). */
bool expr_asks_states(const struct expr *x);

/* *out is owned by the caller.  ERR_INVALID (error.execution) with a message;
 * ERR_LIMIT when a limit is exceeded. */
int expr_eval(const struct expr *x, const struct expr_scope *scope,
    struct val *out, struct err *e);
/* The same for a condition: true if the value is truthy. */
int expr_eval_bool(const struct expr *x, const struct expr_scope *scope,
    bool *out, struct err *e);

/* True if it can be assigned to: `a`, `a.b`, `a['b'][0]`.  Then *root is the
 * variable's name (borrowed from x). */
bool expr_is_location(const struct expr *x, struct str *root);
/* True if it calls visits(). */
bool expr_counts_visits(const struct expr *x);
/* The slot of the root after expr_bind; -1 when it has none. */
int expr_root_slot(const struct expr *x);
/* Writes v (taken) to the location x inside `data`, the value of the root
 * variable (taken); *out is the changed root value, after an error the
 * unchanged one. */
int expr_store(const struct expr *x, const struct expr_scope *scope,
    struct val data, struct val v, struct val *out, struct err *e);

/* A plain variable name that is not a reserved word. */
bool expr_is_name(struct str s);

/* A string or, if s is empty, undefined; and back. */
struct val val_of_text(struct str s);
struct str val_text(struct val v);
/* ERR_TOOBIG: nested deeper than LIMIT_JSON_DEPTH or larger than max_bytes. */
int val_check(struct val v, size_t max_bytes);

#endif
