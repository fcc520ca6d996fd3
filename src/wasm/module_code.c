/*
 * module_code.c - one function's body: each index that an instruction names is there, blocks
 * nest and end, types fit (module_types.c), and what compilers and instances must carry is
 * bounded.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include "base/limits.h"
#include "wasm/module_priv.h"

/* Of the body that is read. */
struct body {
	struct wasm_module *m;
	struct wasm_reader *r;
	struct wasm_stack *stack;
};

static void
check_index(const struct body *b, const struct wasm_instr *in, uint32_t index, uint32_t n, const char *what)
{
	if (index < n)
		return;
	if (n == 0)
		wasm_fail(b->r, ERR_INVALID, in->at, "%s %" PRIu32 " is named; the module has none", what, index);
	else
		wasm_fail(b->r, ERR_INVALID, in->at, "%s %" PRIu32 " is named; the last is %" PRIu32, what, index, n - 1);
}

static void
check_memory(const struct body *b, const struct wasm_instr *in)
{
	if (!b->m->facts.has_memory)
		wasm_fail(b->r, ERR_INVALID, in->at, "memory is used; the module has none");
}

static void
check_global(struct body *b, const struct wasm_instr *in)
{
	check_index(b, in, in->x, b->m->globals_n, "global");
	if (b->r->rc == OK && in->op == OP_GLOBAL_SET && !b->m->globals[in->x].variable)
		wasm_fail(b->r, ERR_INVALID, in->at, "global %" PRIu32 " is set; it cannot be changed", in->x);
}

static void
check_call(struct body *b, const struct wasm_instr *in)
{
	check_index(b, in, in->x, b->m->imports_n + b->m->defined_n, "function");
	if (b->r->rc == OK)
		b->m->marks[in->x] |= MARK_USED;
}

static void
check_ref_func(struct body *b, const struct wasm_instr *in)
{
	check_index(b, in, in->x, b->m->imports_n + b->m->defined_n, "function");
	if (b->r->rc != OK)
		return;
	if ((b->m->marks[in->x] & MARK_DECLARED) == 0)
		wasm_fail(b->r, ERR_INVALID, in->at,
		    "ref.func %" PRIu32 ": no export, global or element segment names that function", in->x);
	b->m->marks[in->x] |= MARK_USED | MARK_REF;
}

static void
check_table(struct body *b, const struct wasm_instr *in)
{
	check_index(b, in, in->x, b->m->tables_n, "table");
	if (in->op == OP_TABLE_SET || in->op == OP_TABLE_GROW || in->op == OP_TABLE_FILL)
		b->m->facts.tables_change = true;
}

static void
check_call_indirect(const struct body *b, const struct wasm_instr *in)
{
	check_index(b, in, in->x, b->m->types_n, "type");
	check_index(b, in, in->y, b->m->tables_n, "table");
	if (b->r->rc == OK && b->m->tables[in->y].type != WASM_FUNCREF)
		wasm_fail(b->r, ERR_INVALID, in->at, "call_indirect by table %" PRIu32 ", which holds no functions", in->y);
}

static void
check_data(struct body *b, const struct wasm_instr *in)
{
	if (b->m->data_said == WASM_NONE) {
		wasm_fail(b->r, ERR_INVALID, in->at, "a data segment is named without a data count section");
		return;
	}
	check_index(b, in, in->x, b->m->data_said, "data segment");
	if (b->r->rc == OK && in->op == OP_DATA_DROP)
		b->m->data_segments[in->x].dropped = true;
}

static void
check_elements(struct body *b, const struct wasm_instr *in)
{
	check_index(b, in, in->x, b->m->elements_n, "element segment");
	if (in->op == OP_ELEM_DROP) {
		if (b->r->rc == OK)
			b->m->element_segments[in->x].dropped = true;
		return;
	}
	check_index(b, in, in->y, b->m->tables_n, "table");
	if (b->r->rc == OK && b->m->elements[in->x].type != b->m->tables[in->y].type)
		wasm_fail(b->r, ERR_INVALID, in->at, "table.init of a table by elements of another type");
	b->m->facts.tables_change = true;
}

static void
check_tables(struct body *b, const struct wasm_instr *in)
{
	check_index(b, in, in->x, b->m->tables_n, "table");
	check_index(b, in, in->y, b->m->tables_n, "table");
	if (b->r->rc == OK && b->m->tables[in->x].type != b->m->tables[in->y].type)
		wasm_fail(b->r, ERR_INVALID, in->at, "table.copy between tables of different types");
	b->m->facts.tables_change = true;
}

static void
check_instr(struct body *b, const struct wasm_instr *in)
{
	switch (in->shape) {
	case SHAPE_BLOCK:
		if (in->block >= 0)
			check_index(b, in, in->block > UINT32_MAX ? UINT32_MAX : (uint32_t)in->block, b->m->types_n, "type");
		break;
	case SHAPE_LABEL: case SHAPE_LABELS: check_index(b, in, in->x, b->stack->frames_n, "label"); break;
	case SHAPE_CALL: check_call(b, in); break;
	case SHAPE_CALL_INDIRECT: check_call_indirect(b, in); break;
	case SHAPE_LOCAL: check_index(b, in, in->x, b->stack->locals_n, "local"); break;
	case SHAPE_GLOBAL: check_global(b, in); break;
	case SHAPE_TABLE: check_table(b, in); break;
	case SHAPE_REF_FUNC: check_ref_func(b, in); break;
	case SHAPE_ACCESS: case SHAPE_MEMORY: case SHAPE_MEMORIES: check_memory(b, in); break;
	case SHAPE_DATA_MEMORY: check_memory(b, in); check_data(b, in); break;
	case SHAPE_DATA: check_data(b, in); break;
	case SHAPE_ELEM_TABLE: case SHAPE_ELEM: check_elements(b, in); break;
	case SHAPE_TABLES: check_tables(b, in); break;
	case SHAPE_REFUSED: case SHAPE_PLAIN: case SHAPE_TYPES: case SHAPE_I32: case SHAPE_I64: case SHAPE_F32:
	case SHAPE_F64: case SHAPE_REF_NULL:
		break;
	}
}

/* The parameters, then the groups of locals. */
static void
read_locals(struct wasm_stack *s, struct wasm_reader *r, const struct wasm_signature *type)
{
	uint32_t groups = wasm_count(r, "groups of locals", UINT32_MAX);

	s->locals_n = 0;
	for (uint32_t i = 0; i < type->params_n; i++)
		s->locals[s->locals_n++] = (uint8_t)type->params[i];
	for (uint32_t i = 0; i < groups && r->rc == OK; i++) {
		size_t at = r->at;
		uint32_t n = wasm_u32(r);
		enum wasm_type t = wasm_value_type(r);

		if (n > LIMIT_WASM_LOCALS - s->locals_n)
			wasm_fail(r, ERR_TOOBIG, at, "%" PRIu64 " locals and parameters; at most %d",
			    (uint64_t)s->locals_n + n, LIMIT_WASM_LOCALS);
		for (uint32_t k = 0; k < n && r->rc == OK; k++)
			s->locals[s->locals_n++] = (uint8_t)t;
	}
}

void
wasm_body_check(struct wasm_module *m, struct wasm_reader *r, struct wasm_function *f)
{
	struct body b = { .m = m, .r = r, .stack = m->stack };
	struct wasm_instr in;

	f->body = (struct wasm_span){ r->at, r->end };
	read_locals(b.stack, r, &m->types[f->type]);
	f->code = (struct wasm_span){ r->at, r->end };
	wasm_stack_begin(b.stack, m, r, &m->types[f->type]);
	while (b.stack->frames_n > 0 && wasm_instr(r, &in)) {
		check_instr(&b, &in);
		if (r->rc == OK)
			wasm_stack_step(b.stack, &in);
	}
	if (r->rc == OK && r->at != r->end)
		wasm_fail(r, ERR_INVALID, r->at, "%zu bytes behind the end of the body", r->end - r->at);
}
