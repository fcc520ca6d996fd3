/*
 * module_types.c - the types of what is on the stack: the algorithm of the core
 * specification's appendix, on one function's body.
 *
 * Behind an instruction that never goes on (br, return, unreachable) the stack holds
 * whatever is needed, until its block ends.
 *
 * Invariants
 *   1. frames[0] is the function's own; frames_n falls to 0 with its `end`.
 *   2. values_n >= the height of the last frame.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include "wasm/module_priv.h"

#define ANY UINT8_MAX                        /* a type that nothing is known of */

/* What numeric, memory and constant instructions take and give: i I f F are i32 i64 f32 f64. */
static const char *const types[256] = {
	[0x28] = "i>i", [0x29] = "i>I", [0x2a] = "i>f", [0x2b] = "i>F", [0x2c ... 0x2f] = "i>i", [0x30 ... 0x35] = "i>I",
	[0x36] = "ii>", [0x37] = "iI>", [0x38] = "if>", [0x39] = "iF>", [0x3a ... 0x3b] = "ii>", [0x3c ... 0x3e] = "iI>",
	[0x3f] = ">i", [0x40] = "i>i", [0x41] = ">i", [0x42] = ">I", [0x43] = ">f", [0x44] = ">F",
	[0x45] = "i>i", [0x46 ... 0x4f] = "ii>i", [0x50] = "I>i", [0x51 ... 0x5a] = "II>i",
	[0x5b ... 0x60] = "ff>i", [0x61 ... 0x66] = "FF>i",
	[0x67 ... 0x69] = "i>i", [0x6a ... 0x78] = "ii>i", [0x79 ... 0x7b] = "I>I", [0x7c ... 0x8a] = "II>I",
	[0x8b ... 0x91] = "f>f", [0x92 ... 0x98] = "ff>f", [0x99 ... 0x9f] = "F>F", [0xa0 ... 0xa6] = "FF>F",
	[0xa7] = "I>i", [0xa8 ... 0xa9] = "f>i", [0xaa ... 0xab] = "F>i", [0xac ... 0xad] = "i>I",
	[0xae ... 0xaf] = "f>I", [0xb0 ... 0xb1] = "F>I", [0xb2 ... 0xb3] = "i>f", [0xb4 ... 0xb5] = "I>f",
	[0xb6] = "F>f", [0xb7 ... 0xb8] = "i>F", [0xb9 ... 0xba] = "I>F", [0xbb] = "f>F",
	[0xbc] = "f>i", [0xbd] = "F>I", [0xbe] = "i>f", [0xbf] = "I>F", [0xc0 ... 0xc1] = "i>i", [0xc2 ... 0xc4] = "I>I",
};
/* Those behind 0xfc that are the same for all tables. */
static const char *const types_fc[] = {
	"f>i", "f>i", "F>i", "F>i", "f>I", "f>I", "F>I", "F>I",
	"iii>", ">", "iii>", "iii>", "iii>", ">", "iii>", NULL, ">i",
};

/* Blocks whose type is one result, by enum wasm_type; and the block of none. */
static const enum wasm_type each[] = { WASM_I32, WASM_I64, WASM_F32, WASM_F64, WASM_FUNCREF, WASM_EXTERNREF };
static const struct wasm_signature singles[] = {
	{ .results = &each[0], .results_n = 1 }, { .results = &each[1], .results_n = 1 },
	{ .results = &each[2], .results_n = 1 }, { .results = &each[3], .results_n = 1 },
	{ .results = &each[4], .results_n = 1 }, { .results = &each[5], .results_n = 1 },
};
static const struct wasm_signature none;

static struct wasm_block *
top(struct wasm_stack *s)
{
	assert(s->frames_n > 0 && s->values_n >= s->frames[s->frames_n - 1].height);
	return &s->frames[s->frames_n - 1];
}

static void
push(struct wasm_stack *s, uint8_t type)
{
	if (s->values_n == LIMIT_WASM_STACK)
		wasm_fail(s->r, ERR_TOOBIG, s->at, "more than %d values on the stack", LIMIT_WASM_STACK);
	else
		s->values[s->values_n++] = type;
}

/* The value `under` the top one; ANY: it is not known. */
static uint8_t
peek(struct wasm_stack *s, uint32_t under, const char *needed)
{
	struct wasm_block *f = top(s);

	if (s->values_n - f->height > under)
		return s->values[s->values_n - 1 - under];
	if (!f->dead)
		wasm_fail(s->r, ERR_INVALID, s->at, "nothing is on the stack where %s is needed", needed);
	return ANY;
}

static void
check_type(struct wasm_stack *s, uint8_t is, enum wasm_type needed)
{
	if (is != ANY && is != needed)
		wasm_fail(s->r, ERR_INVALID, s->at, "%s is on the stack where %s is needed", wasm_type_names[is], wasm_type_names[needed]);
}

static uint8_t
pop_any(struct wasm_stack *s, const char *needed)
{
	uint8_t type = peek(s, 0, needed);

	if (s->values_n > top(s)->height)
		s->values_n--;
	return type;
}

static void
pop(struct wasm_stack *s, enum wasm_type needed)
{
	check_type(s, pop_any(s, wasm_type_names[needed]), needed);
}

static void
pop_all(struct wasm_stack *s, const enum wasm_type *list, uint32_t n)
{
	while (n > 0 && s->r->rc == OK)
		pop(s, list[--n]);
}

static void
push_all(struct wasm_stack *s, const enum wasm_type *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		push(s, (uint8_t)list[i]);
}

static void
never_goes_on(struct wasm_stack *s)
{
	struct wasm_block *f = top(s);

	s->values_n = f->height;
	f->dead = true;
}

static void
frame_push(struct wasm_stack *s, uint32_t op, const struct wasm_signature *type)
{
	if (s->frames_n > LIMIT_WASM_NESTING) {
		wasm_fail(s->r, ERR_TOOBIG, s->at, "blocks nest deeper than %d", LIMIT_WASM_NESTING);
		return;
	}
	s->frames[s->frames_n++] = (struct wasm_block){ .op = (uint8_t)op, .height = s->values_n, .type = type };
	push_all(s, type->params, type->params_n);
}

/* The results of the innermost block are there, and nothing else. */
static void
check_block_end(struct wasm_stack *s)
{
	struct wasm_block *f = top(s);

	pop_all(s, f->type->results, f->type->results_n);
	if (s->values_n != f->height)
		wasm_fail(s->r, ERR_INVALID, s->at, "%" PRIu32 " values too many at the end of a block", s->values_n - f->height);
}

static void
do_block(struct wasm_stack *s, const struct wasm_instr *in)
{
	const struct wasm_signature *type = in->block >= 0 ? &s->m->types[in->block] :
	    in->x == WASM_NONE ? &none : &singles[in->x];

	if (in->op == OP_IF)
		pop(s, WASM_I32);
	pop_all(s, type->params, type->params_n);
	if (s->r->rc == OK)
		frame_push(s, in->op, type);
}

static void
do_else(struct wasm_stack *s)
{
	struct wasm_block f = *top(s);

	if (f.op != OP_IF)
		wasm_fail(s->r, ERR_INVALID, s->at, "`else` without `if`");
	check_block_end(s);
	s->frames_n--;
	s->values_n = f.height;
	frame_push(s, OP_ELSE, f.type);
}

static void
do_end(struct wasm_stack *s)
{
	struct wasm_block f = *top(s);

	check_block_end(s);
	if (f.op == OP_IF && (f.type->params_n != f.type->results_n ||
	    (f.type->params_n > 0 && memcmp(f.type->params, f.type->results, f.type->params_n * sizeof *f.type->params) != 0)))
		wasm_fail(s->r, ERR_INVALID, s->at, "an `if` without `else` gives other types than it takes");
	s->frames_n--;
	s->values_n = f.height;
	push_all(s, f.type->results, f.type->results_n);
}

/* What a branch to a label must bring. */
static const enum wasm_type *
label_types(const struct wasm_stack *s, uint32_t label, uint32_t *n)
{
	const struct wasm_block *f = &s->frames[s->frames_n - 1 - label];

	*n = f->op == OP_LOOP ? f->type->params_n : f->type->results_n;
	return f->op == OP_LOOP ? f->type->params : f->type->results;
}

static void
check_label(struct wasm_stack *s, uint32_t label)
{
	uint32_t n;
	const enum wasm_type *list = label_types(s, label, &n);

	for (uint32_t i = 0; i < n && s->r->rc == OK; i++)
		check_type(s, peek(s, n - 1 - i, wasm_type_names[list[i]]), list[i]);
}

static void
do_br_table(struct wasm_stack *s, const struct wasm_instr *in)
{
	struct wasm_reader r = *s->r;
	uint32_t n, arity = 0, count;

	pop(s, WASM_I32);
	r.at = in->at + 1;
	n = wasm_u32(&r);
	for (uint32_t i = 0; i <= n && s->r->rc == OK; i++) {
		uint32_t label = wasm_u32(&r);

		label_types(s, label, &count);
		if (i > 0 && count != arity)
			wasm_fail(s->r, ERR_INVALID, s->at, "labels of br_table take %" PRIu32 " and %" PRIu32 " values", arity, count);
		arity = count;
		check_label(s, label);
	}
	never_goes_on(s);
}

static void
do_br(struct wasm_stack *s, const struct wasm_instr *in)
{
	uint32_t n;
	const enum wasm_type *list = label_types(s, in->x, &n);

	if (in->op == OP_BR) {
		check_label(s, in->x);
		never_goes_on(s);
		return;
	}
	pop(s, WASM_I32);
	pop_all(s, list, n);
	push_all(s, list, n);
}

static void
do_call(struct wasm_stack *s, const struct wasm_instr *in)
{
	const struct wasm_signature *t = in->op == OP_CALL ? wasm_function_type(s->m, in->x) : &s->m->types[in->x];

	if (in->op == OP_CALL_INDIRECT)
		pop(s, WASM_I32);
	pop_all(s, t->params, t->params_n);
	push_all(s, t->results, t->results_n);
}

static void
do_select(struct wasm_stack *s, const struct wasm_instr *in)
{
	uint8_t a, b;

	pop(s, WASM_I32);
	if (in->shape == SHAPE_TYPES) {
		pop(s, (enum wasm_type)in->x);
		pop(s, (enum wasm_type)in->x);
		push(s, (uint8_t)in->x);
		return;
	}
	a = pop_any(s, "a value");
	b = pop_any(s, "a value");
	if ((a != ANY && a > WASM_F64) || (b != ANY && b > WASM_F64))
		wasm_fail(s->r, ERR_INVALID, s->at, "select of references without their type");
	else if (a != ANY && b != ANY && a != b)
		wasm_fail(s->r, ERR_INVALID, s->at, "select of %s and %s", wasm_type_names[b], wasm_type_names[a]);
	push(s, a != ANY ? a : b);
}

static void
do_variable(struct wasm_stack *s, uint32_t op, uint32_t get, uint32_t set, enum wasm_type type)
{
	if (op != get)
		pop(s, type);
	if (op != set)
		push(s, (uint8_t)type);
}

static void
do_table(struct wasm_stack *s, const struct wasm_instr *in)
{
	enum wasm_type type = s->m->tables[in->x].type;

	if (in->op == OP_TABLE_SET)
		pop(s, type);
	if (in->op == OP_TABLE_GROW || in->op == OP_TABLE_FILL)
		pop(s, WASM_I32);
	if (in->op == OP_TABLE_GROW || in->op == OP_TABLE_FILL)
		pop(s, type);
	if (in->op != OP_TABLE_GROW && in->op != OP_TABLE_SIZE)
		pop(s, WASM_I32);
	if (in->op == OP_TABLE_GET)
		push(s, (uint8_t)type);
	if (in->op == OP_TABLE_GROW || in->op == OP_TABLE_SIZE)
		push(s, WASM_I32);
}

static enum wasm_type
letter_type(char letter)
{
	return letter == 'i' ? WASM_I32 : letter == 'I' ? WASM_I64 : letter == 'f' ? WASM_F32 : WASM_F64;
}

static void
do_row(struct wasm_stack *s, uint32_t op)
{
	const char *type = op > 0xff ? types_fc[op & 0xff] : types[op];
	size_t n = 0;

	assert(type != NULL);
	while (type[n] != '>')
		n++;
	for (size_t k = n; k > 0; k--)
		pop(s, letter_type(type[k - 1]));
	if (type[n + 1] != '\0')
		push(s, (uint8_t)letter_type(type[n + 1]));
}

static void
do_plain(struct wasm_stack *s, const struct wasm_instr *in)
{
	uint8_t type;

	switch (in->op) {
	case OP_UNREACHABLE: never_goes_on(s); break;
	case OP_NOP: break;
	case OP_ELSE: do_else(s); break;
	case OP_END: do_end(s); break;
	case OP_RETURN:
		pop_all(s, s->frames[0].type->results, s->frames[0].type->results_n);
		never_goes_on(s);
		break;
	case OP_DROP: pop_any(s, "a value"); break;
	case OP_SELECT: do_select(s, in); break;
	case OP_REF_IS_NULL:
		type = pop_any(s, "a reference");
		if (type != ANY && type <= WASM_F64)
			wasm_fail(s->r, ERR_INVALID, s->at, "%s is on the stack where a reference is needed", wasm_type_names[type]);
		push(s, WASM_I32);
		break;
	default: do_row(s, in->op); break;
	}
}

void
wasm_stack_begin(struct wasm_stack *s, const struct wasm_module *m, struct wasm_reader *r, const struct wasm_signature *type)
{
	s->m = m;
	s->r = r;
	s->at = r->at;
	s->values_n = 0;
	s->frames[0] = (struct wasm_block){ .op = OP_BLOCK, .type = type };
	s->frames_n = 1;
}

void
wasm_stack_step(struct wasm_stack *s, const struct wasm_instr *in)
{
	s->at = in->at;
	switch (in->shape) {
	case SHAPE_PLAIN: do_plain(s, in); break;
	case SHAPE_BLOCK: do_block(s, in); break;
	case SHAPE_LABEL: do_br(s, in); break;
	case SHAPE_LABELS: do_br_table(s, in); break;
	case SHAPE_CALL: case SHAPE_CALL_INDIRECT: do_call(s, in); break;
	case SHAPE_TYPES: do_select(s, in); break;
	case SHAPE_LOCAL: do_variable(s, in->op, OP_LOCAL_GET, OP_LOCAL_SET, (enum wasm_type)s->locals[in->x]); break;
	case SHAPE_GLOBAL: do_variable(s, in->op, OP_GLOBAL_GET, OP_GLOBAL_SET, s->m->globals[in->x].type); break;
	case SHAPE_TABLE: do_table(s, in); break;
	case SHAPE_REF_NULL: push(s, (uint8_t)in->x); break;
	case SHAPE_REF_FUNC: push(s, WASM_FUNCREF); break;
	case SHAPE_ACCESS: case SHAPE_MEMORY: case SHAPE_MEMORIES: case SHAPE_I32: case SHAPE_I64:
	case SHAPE_F32: case SHAPE_F64: case SHAPE_DATA_MEMORY: case SHAPE_DATA: case SHAPE_ELEM_TABLE:
	case SHAPE_ELEM: case SHAPE_TABLES:
		do_row(s, in->op);
		break;
	case SHAPE_REFUSED: assert(false); break;
	}
}
