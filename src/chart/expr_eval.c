/*
 * expr_eval.c - walks the tree.
 *
 * Intermediate values are borrowed where possible (struct ref), so that a
 * guard over existing data counts no references and allocates nothing.
 * Recursion follows the tree, whose depth the parser bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/expr_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

const char *const expr_field_names[FIELD_COUNT] = {
	"name", "type", "sendid", "origin", "origintype", "invokeid", "data",
};

int
eval_fail(struct eval *ev, const struct node *n, const char *format, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return err_set(ev->e, ERR_INVALID, "column %u: %s", n->column, text);
}

int
eval_steps(struct eval *ev, size_t n)
{
	ev->steps += n;
	if (ev->steps > LIMIT_EXPR_STEPS)
		return err_set(ev->e, ERR_LIMIT, "the expression takes more than %d steps",
		    LIMIT_EXPR_STEPS);
	return OK;
}

int
eval_bytes(struct eval *ev, size_t n)
{
	ev->bytes += n;
	if (ev->bytes > LIMIT_EXPR_BYTES_OUT)
		return err_set(ev->e, ERR_LIMIT, "the expression makes more than %d bytes",
		    LIMIT_EXPR_BYTES_OUT);
	return OK;
}

int
eval_take(struct eval *ev, struct ref r, struct val *out)
{
	int rc = r.own == OWN_CONST ? eval_bytes(ev, val_bytes(r.v)) : OK;

	*out = rc == OK ? ref_take(r) : VAL_UNDEF;
	return rc;
}

/* ---- names --------------------------------------------------------------- */

/* ERR_NOTFOUND, without a message, if it is not declared. */
static int
find_name(struct eval *ev, const struct node *n, struct ref *out)
{
	const struct expr_scope *s = ev->scope;

	out->own = OWN_BORROWED;
	if (n->op == X_SLOT) {
		uint32_t slot = (uint32_t)n->slot;

		if (ev->x->lenient) {
			out->v = s->slots[slot];
			eval_missing(ev, out);
			return OK;
		}
		if ((s->declared[slot / 64] >> (slot % 64) & 1) == 0)
			return ERR_NOTFOUND;
		out->v = s->slots[slot];
		return OK;
	}
	return s->lookup != NULL ? s->lookup(s->ctx, val_str(n->k), &out->v) :
	    ERR_NOTFOUND;
}

static int
eval_name(struct eval *ev, const struct node *n, struct ref *out)
{
	int rc = find_name(ev, n, out);

	if (rc == ERR_NOTFOUND)
		return eval_fail(ev, n, "'%.*s' is not declared", FMT(val_str(n->k)));
	return rc;
}

static int
eval_field(struct eval *ev, const struct node *n, struct ref *out)
{
	const struct expr_scope *s = ev->scope;
	int rc = s->event_field == NULL ? ERR_NOTFOUND :
	    s->event_field(s->ctx, (enum expr_field)n->slot, &out->v);

	out->own = OWN_MINE;
	if (rc == ERR_NOTFOUND && ev->x->lenient) {
		out->v = VAL_NIL;
		return OK;
	}
	if (rc == ERR_NOTFOUND)
		return eval_fail(ev, n, "there is no event");
	eval_missing(ev, out);
	return rc;
}

static int
eval_typeof(struct eval *ev, const struct node *n, struct ref *out)
{
	static const char *const names[] = {
		[VAL_UNDEFINED] = "undefined", [VAL_NULL] = "null",
		[VAL_BOOL] = "boolean", [VAL_INT] = "number", [VAL_DOUBLE] = "number",
		[VAL_STRING] = "string", [VAL_ARRAY] = "array", [VAL_OBJECT] = "object",
	};
	const struct node *child = &ev->x->nodes[n->a];
	struct ref r = ref_mine(VAL_UNDEF);
	int rc;

	/* The type of an undeclared name is undefined, as in JavaScript. */
	if (child->op == X_NAME || child->op == X_SLOT) {
		rc = find_name(ev, child, &r);
		if (rc == ERR_NOTFOUND) {
			r = ref_mine(VAL_UNDEF);
			rc = OK;
		}
	} else {
		rc = eval_node(ev, n->a, &r);
	}
	if (rc != OK)
		return rc;
	*out = ref_mine(val_string(str_of(names[r.v.kind])));
	ref_drop(r);
	return OK;
}

/* ---- members ------------------------------------------------------------- */

/* Replaces the container *r by one of its members. */
static void
step_into(struct ref *r, struct val member)
{
	if (r->own != OWN_MINE) {
		r->v = member;
		return;
	}
	struct val whole = r->v;
	r->v = val_ref(member);
	val_drop(whole);
}

static int
eval_member(struct eval *ev, const struct node *n, struct ref *out)
{
	int rc = eval_node(ev, n->a, out);
	struct str key;

	if (rc != OK)
		return rc;
	if (out->v.kind == VAL_OBJECT) {
		step_into(out, val_get(out->v, val_str(n->k)));
		eval_missing(ev, out);
		return OK;
	}
	key = val_str(n->k);
	if (val_is_nothing(out->v)) {
		if (n->optional || ev->x->lenient) {
			out->v = ev->x->lenient ? VAL_NIL : VAL_UNDEF;
			return OK;
		}
		return eval_fail(ev, n, "cannot read '%.*s' of %s", FMT(key),
		    val_kind_name(out->v));
	}
	if (str_eq(key, S("length")) && out->v.kind == VAL_ARRAY)
		step_into(out, val_int((int64_t)val_count(out->v)));
	else if (str_eq(key, S("length")) && out->v.kind == VAL_STRING)
		step_into(out, val_int((int64_t)expr_text_count(val_str(out->v))));
	else
		step_into(out, VAL_UNDEF);
	eval_missing(ev, out);
	return OK;
}

/* The i-th character of a string, as a string. */
static struct val
char_at(struct str s, int64_t i)
{
	struct str rest = i >= 0 ? str_sub(s, expr_text_offset(s, (size_t)i), SIZE_MAX) : STR_NONE;

	return rest.n > 0 ? val_string(str_sub(rest, 0, expr_text_offset(rest, 1))) : VAL_UNDEF;
}

/* A string or a whole number as a member's name; else p is NULL. */
static struct str
key_name(struct val key, char text[24])
{
	if (key.kind == VAL_STRING)
		return val_str(key);
	if (key.kind != VAL_INT)
		return STR_NONE;
	return (struct str){ text, (size_t)snprintf(text, 24, "%lld", (long long)key.u.i) };
}

/* Replaces the container *out by its member. */
static int
index_into(struct eval *ev, const struct node *n, struct ref *out, struct val key)
{
	const struct ref of = *out;
	char text[24];
	struct str name = key_name(key, text);

	if (of.v.kind == VAL_OBJECT && name.p != NULL) {
		step_into(out, val_get(of.v, name));
	} else if (of.v.kind == VAL_ARRAY && val_is_number(key)) {
		bool whole = key.kind == VAL_INT && key.u.i >= 0;

		step_into(out, whole ? val_at(of.v, (size_t)key.u.i) : VAL_UNDEF);
	} else if (of.v.kind == VAL_STRING && key.kind == VAL_INT) {
		*out = ref_mine(char_at(val_str(of.v), key.u.i));
		ref_drop(of);
	} else {
		return eval_fail(ev, n, "cannot index %s with %s", val_kind_name(of.v),
		    val_kind_name(key));
	}
	eval_missing(ev, out);
	return OK;
}

static int
eval_index(struct eval *ev, const struct node *n, struct ref *out)
{
	struct ref key;
	int rc = eval_node(ev, n->a, out);

	if (rc != OK)
		return rc;
	if ((n->optional || ev->x->lenient) && val_is_nothing(out->v)) {
		out->v = ev->x->lenient ? VAL_NIL : VAL_UNDEF;
		return OK;
	}
	rc = eval_node(ev, n->b, &key);
	if (rc == OK) {
		if (key.v.kind == VAL_STRING || out->v.kind == VAL_STRING)
			rc = eval_look(ev, val_str(key.v.kind == VAL_STRING ? key.v : out->v).n);
		if (rc == OK)
			rc = index_into(ev, n, out, key.v);
		ref_drop(key);
	}
	if (rc != OK)
		ref_drop(*out);
	return rc;
}

/* ---- literals ------------------------------------------------------------ */

static int
eval_array(struct eval *ev, const struct node *n, struct ref *out)
{
	struct val array = val_array_empty();

	for (uint32_t i = 0; i < n->b; i++) {
		struct ref r;
		struct val v;
		int rc = eval_node(ev, ev->x->list[n->a + i], &r);

		if (rc == OK)
			rc = eval_take(ev, r, &v);
		if (rc != OK) {
			val_drop(array);
			return rc;
		}
		array = val_push_take(array, v);
	}
	*out = ref_mine(array);
	return eval_bytes(ev, 32 + 16 * n->b) == OK ? OK : (val_drop(array), ERR_LIMIT);
}

/* Keys may be computed: strings and whole numbers. */
static int
eval_object(struct eval *ev, const struct node *n, struct ref *out)
{
	struct val object = val_object_empty();
	int rc = eval_bytes(ev, 48 + 32 * n->b);

	for (uint32_t i = 0; i + 1 < n->b && rc == OK; i += 2) {
		struct ref key, value;
		struct str name;
		struct val v;
		char text[24];

		rc = eval_node(ev, ev->x->list[n->a + i], &key);
		if (rc != OK)
			break;
		name = key_name(key.v, text);
		rc = name.p != NULL ? eval_bytes(ev, name.n) : eval_fail(ev, n,
		    "a key must be a string, not %s", val_kind_name(key.v));
		if (rc == OK)
			rc = eval_node(ev, ev->x->list[n->a + i + 1], &value);
		if (rc == OK)
			rc = eval_take(ev, value, &v);
		if (rc == OK)
			object = val_set_take(object, name, v);
		ref_drop(key);
	}
	if (rc != OK) {
		val_drop(object);
		return rc;
	}
	*out = ref_mine(object);
	return OK;
}

void
val_add_text(struct buf *b, struct val v)
{
	if (v.kind == VAL_STRING)
		buf_add(b, val_str(v));
	else if (v.kind == VAL_UNDEFINED)
		buf_lit(b, "undefined");
	else
		val_add_json(b, v);
}

static int
eval_template(struct eval *ev, const struct node *n, struct ref *out)
{
	struct buf b = BUF(LIMIT_EXPR_BYTES_OUT);
	int rc = OK;

	for (uint32_t i = 0; i < n->b && rc == OK; i++) {
		struct ref r;

		rc = eval_node(ev, ev->x->list[n->a + i], &r);
		if (rc != OK)
			break;
		if (ev->x->lenient && val_is_nothing(r.v))
			continue;
		if (r.v.kind == VAL_UNDEFINED)
			rc = eval_fail(ev, &ev->x->nodes[ev->x->list[n->a + i]],
			    "undefined in a template");
		else
			val_add_text(&b, r.v);
		ref_drop(r);
	}
	if (rc == OK)
		rc = eval_bytes(ev, b.failed ? LIMIT_EXPR_BYTES_OUT + 1 : b.n);
	if (rc == OK)
		*out = ref_mine(val_string(buf_str(&b)));
	buf_release(&b);
	return rc;
}

/* ---- operators ----------------------------------------------------------- */

static int
eval_binary(struct eval *ev, const struct node *n, struct ref *out)
{
	struct ref a, b;
	int rc = eval_node(ev, n->a, &a);

	if (rc != OK)
		return rc;
	if (n->op == X_INSTANCEOF) {
		bool truth = false;

		rc = eval_instance_of(ev, n, a.v, &truth);
		ref_drop(a);
		*out = ref_mine(val_bool(truth));
		return rc;
	}
	rc = eval_node(ev, n->b, &b);
	if (rc == OK) {
		rc = eval_operator(ev, n, a, b, out);
		ref_drop(b);
	}
	ref_drop(a);
	return rc;
}

/* && || ?? : the first operand decides whether the second is evaluated. */
static int
eval_logic(struct eval *ev, const struct node *n, struct ref *out)
{
	int rc = eval_node(ev, n->a, out);
	bool stop;

	if (rc != OK)
		return rc;
	stop = n->op == X_COALESCE ? !val_is_nothing(out->v) :
	    val_truthy(out->v) == (n->op == X_OR);
	if (stop)
		return OK;
	ref_drop(*out);
	return eval_node(ev, n->b, out);
}

static int
eval_unary(struct eval *ev, const struct node *n, struct ref *out)
{
	struct ref r;
	int rc = eval_node(ev, n->a, &r);
	struct val v;

	if (rc != OK)
		return rc;
	v = r.v;
	if (n->op == X_NOT) {
		*out = ref_mine(val_bool(!val_truthy(v)));
		ref_drop(r);
		return OK;
	}
	if (!val_is_number(v)) {
		rc = eval_fail(ev, n, "'%c' wants a number, got %s",
		    n->op == X_NEG ? '-' : '+', val_kind_name(v));
		ref_drop(r);
		return rc;
	}
	if (n->op == X_NEG)
		v = v.kind == VAL_INT && v.u.i != INT64_MIN ? val_int(-v.u.i) :
		    val_double(-val_number(v));
	*out = ref_mine(v);
	return OK;
}

/* ---- calls --------------------------------------------------------------- */

static int
eval_call(struct eval *ev, const struct node *n, struct ref *out)
{
	struct ref args[EXPR_ARGS];
	struct call c = { .node = n, .f = expr_function_at(n->slot), .args = args,
		.lambda = UINT32_MAX };
	int rc = OK;

	assert(n->b <= EXPR_ARGS);
	for (uint32_t i = 0; i < n->b && rc == OK; i++) {
		uint32_t child = ev->x->list[n->a + i];

		if (ev->x->nodes[child].op == X_LAMBDA) {
			c.lambda = child;
			break;
		}
		rc = eval_node(ev, child, &args[c.n]);
		if (rc != OK)
			break;
		c.n++;
		/* Most functions read their strings to the end. */
		if (args[c.n - 1].v.kind == VAL_STRING)
			rc = eval_look(ev, val_str(args[c.n - 1].v).n);
	}
	if (rc == OK)
		rc = expr_function_call(ev, &c, out);
	if (rc == OK)
		eval_missing(ev, out);
	for (size_t i = 0; i < c.n; i++)
		ref_drop(args[i]);
	return rc;
}

int
eval_lambda(struct eval *ev, uint32_t lambda, struct val v, struct ref *out)
{
	int rc;

	assert(ev->locals_n < EXPR_LOCALS);
	ev->locals[ev->locals_n++] = v;
	rc = eval_node(ev, ev->x->nodes[lambda].a, out);
	ev->locals_n--;
	return rc;
}

static int
eval_state_query(struct eval *ev, const struct node *n, struct ref *out)
{
	const struct expr_scope *s = ev->scope;
	bool visits = n->op == X_VISITS;
	struct ref id;
	int rc = eval_node(ev, ev->x->list[n->a], &id);

	if (rc != OK)
		return rc;
	if (id.v.kind != VAL_STRING)
		rc = eval_fail(ev, n, "%s wants a state's id, got %s",
		    visits ? "visits" : "In", val_kind_name(id.v));
	else if (visits)
		*out = ref_mine(val_int(s->visits != NULL ?
		    s->visits(s->ctx, val_str(id.v)) : 0));
	else
		*out = ref_mine(val_bool(s->in_state != NULL &&
		    s->in_state(s->ctx, val_str(id.v))));
	ref_drop(id);
	return rc;
}

int
eval_node(struct eval *ev, uint32_t at, struct ref *out)
{
	const struct node *n = &ev->x->nodes[at];
	int rc;

	ev->steps++;
	if (ev->steps > LIMIT_EXPR_STEPS)
		return eval_steps(ev, 0);
	switch ((enum op)n->op) {
	case X_CONST:
		*out = (struct ref){ n->k, OWN_CONST };
		eval_missing(ev, out);
		return OK;
	case X_LOCAL:
		*out = (struct ref){ ev->locals[n->slot], OWN_BORROWED };
		eval_missing(ev, out);
		return OK;
	case X_NAME: case X_SLOT:
		return eval_name(ev, n, out);
	case X_FIELD:
		return eval_field(ev, n, out);
	case X_MEMBER:
		return eval_member(ev, n, out);
	case X_INDEX:
		return eval_index(ev, n, out);
	case X_ARRAY:
		return eval_array(ev, n, out);
	case X_OBJECT:
		return eval_object(ev, n, out);
	case X_TEMPLATE:
		return eval_template(ev, n, out);
	case X_NOT: case X_NEG: case X_PLUS:
		return eval_unary(ev, n, out);
	case X_TYPEOF:
		return eval_typeof(ev, n, out);
	case X_AND: case X_OR: case X_COALESCE:
		return eval_logic(ev, n, out);
	case X_COND:
		rc = eval_node(ev, n->a, out);
		if (rc != OK)
			return rc;
		bool yes = val_truthy(out->v);
		ref_drop(*out);
		return eval_node(ev, yes ? n->b : n->c, out);
	case X_CALL:
		return eval_call(ev, n, out);
	case X_IN_STATE: case X_VISITS:
		return eval_state_query(ev, n, out);
	case X_LAMBDA:
		return eval_fail(ev, n, "a lambda is not a value");
	default:
		return eval_binary(ev, n, out);
	}
}

/* ---- the door ------------------------------------------------------------ */

static void
account(const struct eval *ev)
{
	if (ev->scope->work != NULL)
		*ev->scope->work += ev->steps + ev->bytes / EXPR_BYTES_PER_STEP;
}

/* Not an initialiser: that would clear the locals each time. */
static int
evaluate(struct eval *ev, const struct expr *x, const struct expr_scope *scope,
    struct err *e, struct ref *out)
{
	int rc;

	ev->x = x;
	ev->scope = scope;
	ev->e = e;
	ev->steps = ev->bytes = 0;
	ev->locals_n = 0;
	rc = eval_node(ev, x->root, out);
	account(ev);
	return rc;
}

int
expr_eval(const struct expr *x, const struct expr_scope *scope, struct val *out,
    struct err *e)
{
	struct eval ev;
	struct ref r;
	int rc = evaluate(&ev, x, scope, e, &r);

	*out = VAL_UNDEF;
	if (rc != OK)
		return rc;
	*out = ref_take(r);
	if (val_check(*out, LIMIT_EXPR_BYTES_OUT) != OK) {
		val_drop(*out);
		*out = VAL_UNDEF;
		return err_set(e, ERR_LIMIT, "the value is nested too deep or too large");
	}
	return OK;
}

int
expr_eval_bool(const struct expr *x, const struct expr_scope *scope, bool *out,
    struct err *e)
{
	struct eval ev;
	struct ref r;
	int rc = evaluate(&ev, x, scope, e, &r);

	*out = false;
	if (rc != OK)
		return rc;
	*out = val_truthy(r.v);
	ref_drop(r);
	return OK;
}
