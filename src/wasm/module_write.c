/*
 * module_write.c - the module that is compiled: see module.h.
 *
 * The functions of the new module are the imports that are used, in the order of enum
 * wasm_import, then f and b, then those of the guest, then x_refs, x_drop, x_put.  Types,
 * locals, labels, tables, memory and segments keep their numbers, and so do globals: what is
 * added comes behind.  Only numbers of functions change, so a body is copied but for its
 * calls and for what is put in:
 *
 *   begin of a body, head of a loop   i64.const COST  call f
 *   before memory.fill, ...           i32.const SHIFT call b      (the length is on top;
 *                                     memory.grow and table.grow charge in wasm-rt.h)
 *   behind data.drop, elem.drop       i32.const 1     global.set of its mark
 *   for f32.neg, f64.neg              the sign bit is changed as an integer's: C's minus of a
 *                                     NaN keeps the sign under tcc, and results of tcc's and
 *                                     gcc's objects must be the same to the bit
 *
 * A length stands before its bytes in five bytes, which are filled in behind them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/module_priv.h"

/* Added types, behind the guest's. */
enum { TYPE_FUEL, TYPE_BULK, TYPE_REFS, TYPE_DROP, TYPE_PUT, TYPES_ADDED };

struct writer {
	const struct wasm_module *m;
	struct buf *out;
	uint32_t slots[WASM_IMPORTS];        /* numbers of imports; WASM_NONE: not used */
	uint32_t fuel, bulk, first;          /* numbers of f, b and the guest's first function */
	uint32_t drops;                      /* number of the first segment's global */
	bool refs, drop, put;                /* which of x_* are there */
	uint32_t *costs;                     /* of one body: its beginning, then its loops */
	size_t costs_n, costs_cap;
};

static void
put_u8(struct writer *w, uint32_t byte)
{
	buf_add_char(w->out, (char)byte);
}

static void
put_u32(struct writer *w, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_u8(w, v | 0x80);
	put_u8(w, v);
}

static void
put_signed(struct writer *w, int64_t v)
{
	for (; v < -64 || v > 63; v >>= 7)
		put_u8(w, (uint32_t)(v & 0x7f) | 0x80);
	put_u8(w, (uint32_t)(v & 0x7f));
}

static void
put_bytes(struct writer *w, size_t at, size_t end)
{
	assert(at <= end);
	buf_add(w->out, (struct str){ (const char *)w->m->bytes + at, end - at });
}

static void
put_name(struct writer *w, struct str s)
{
	put_u32(w, (uint32_t)s.n);
	buf_add(w->out, s);
}

static void
put_letter_name(struct writer *w, char letter, uint32_t n)
{
	char text[16];

	snprintf(text, sizeof text, "%c%u", letter, n);
	put_name(w, str_of(text));
}

/* A place for a length; size_end fills it with what came behind. */
static size_t
size_begin(struct writer *w)
{
	buf_lit(w->out, "\0\0\0\0\0");
	return w->out->n;
}

static void
size_end(struct writer *w, size_t begin)
{
	size_t n = w->out->n - begin;

	if (w->out->failed)
		return;
	assert(n <= UINT32_MAX);
	for (unsigned i = 0; i < 5; i++)
		w->out->p[begin - 5 + i] = (char)(((n >> (7 * i)) & 0x7f) | (i < 4 ? 0x80 : 0));
}

static size_t
section_begin(struct writer *w, uint8_t id)
{
	put_u8(w, id);
	return size_begin(w);
}

static uint32_t
new_function(const struct writer *w, uint32_t function)
{
	return function < w->m->imports_n ? w->slots[w->m->imports[function]] : w->first + (function - w->m->imports_n);
}

static void
put_op(struct writer *w, uint32_t op)
{
	if (op > 0xff) {
		put_u8(w, op >> 8);
		put_u32(w, op & 0xff);
	} else {
		put_u8(w, op);
	}
}

static void
put_op_u32(struct writer *w, uint32_t op, uint32_t x)
{
	put_op(w, op);
	put_u32(w, x);
}

static void
put_i32(struct writer *w, int32_t v)
{
	put_u8(w, OP_I32_CONST);
	put_signed(w, v);
}

static void
type_section(struct writer *w)
{
	size_t s = section_begin(w, 1);

	put_u32(w, w->m->types_n + TYPES_ADDED);
	put_bytes(w, w->m->types_bytes.at, w->m->types_bytes.end);
	buf_lit(w->out, "\x60\1\x7e\0");                     /* f: i64 -> */
	buf_lit(w->out, "\x60\2\x7f\x7f\1\x7f");             /* b: i32 i32 -> i32 */
	buf_lit(w->out, "\x60\0\0");
	buf_lit(w->out, "\x60\1\x7f\0");
	buf_lit(w->out, "\x60\3\x7f\x7f\x7f\0");
	size_end(w, s);
}

static void
put_import(struct writer *w, struct str name, uint32_t type)
{
	put_name(w, S("h"));
	put_name(w, name);
	put_u8(w, 0);
	put_u32(w, type);
}

static void
import_section(struct writer *w)
{
	const struct wasm_module *m = w->m;
	size_t s = section_begin(w, 2);

	put_u32(w, w->bulk + 1);
	for (uint32_t what = 0; what < WASM_IMPORTS; what++) {
		char name[8];
		uint32_t i = 0;

		if (w->slots[what] == WASM_NONE)
			continue;
		while (m->imports[i] != what)
			i++;
		snprintf(name, sizeof name, "i%u", what);
		put_import(w, str_of(name), m->import_types[i]);
	}
	put_import(w, S("f"), m->types_n + TYPE_FUEL);
	put_import(w, S("b"), m->types_n + TYPE_BULK);
	size_end(w, s);
}

static void
function_section(struct writer *w)
{
	const struct wasm_module *m = w->m;
	size_t s = section_begin(w, 3);

	put_u32(w, m->defined_n + w->refs + w->drop + w->put);
	for (uint32_t i = 0; i < m->defined_n; i++)
		put_u32(w, m->defined[i].type);
	if (w->refs)
		put_u32(w, m->types_n + TYPE_REFS);
	if (w->drop)
		put_u32(w, m->types_n + TYPE_DROP);
	if (w->put)
		put_u32(w, m->types_n + TYPE_PUT);
	size_end(w, s);
}

static void
put_table(struct writer *w, enum wasm_type type, uint32_t min, uint32_t max)
{
	put_u8(w, wasm_type_byte(type));
	put_u8(w, 1);
	put_u32(w, min);
	put_u32(w, max);
}

static void
table_section(struct writer *w)
{
	const struct wasm_module *m = w->m;
	size_t s;

	if (m->tables_n + w->refs == 0)
		return;
	s = section_begin(w, 4);
	put_u32(w, m->tables_n + w->refs);
	for (uint32_t i = 0; i < m->tables_n; i++)
		put_table(w, m->tables[i].type, m->tables[i].min, m->tables[i].max);
	if (w->refs)
		put_table(w, WASM_FUNCREF, 0, m->facts.refs_n);
	size_end(w, s);
}

/* A section as it came. */
static void
copy_section(struct writer *w, uint8_t id, struct wasm_span span)
{
	size_t s;

	if (span.end == 0)
		return;
	s = section_begin(w, id);
	put_bytes(w, span.at, span.end);
	size_end(w, s);
}

static void
put_constant(struct writer *w, const struct wasm_constant *c)
{
	if (c->op != OP_REF_FUNC) {
		put_bytes(w, c->bytes.at, c->bytes.end);
		return;
	}
	put_op_u32(w, OP_REF_FUNC, new_function(w, c->x));
	put_u8(w, OP_END);
}

static void
global_section(struct writer *w)
{
	const struct wasm_module *m = w->m;
	size_t s;

	if (m->globals_n + m->facts.drops_n == 0)
		return;
	s = section_begin(w, 6);
	put_u32(w, m->globals_n + m->facts.drops_n);
	for (uint32_t i = 0; i < m->globals_n; i++) {
		put_u8(w, wasm_type_byte(m->globals[i].type));
		put_u8(w, m->globals[i].variable);
		put_constant(w, &m->globals[i].init);
	}
	for (uint32_t i = 0; i < m->facts.drops_n; i++) {
		put_u8(w, wasm_type_byte(WASM_I32));
		put_u8(w, 1);
		put_i32(w, 0);
		put_u8(w, OP_END);
	}
	size_end(w, s);
}

static void
put_export(struct writer *w, struct str name, uint8_t kind, uint32_t index)
{
	put_name(w, name);
	put_u8(w, kind);
	put_u32(w, index);
}

static void
export_section(struct writer *w)
{
	const struct wasm_module *m = w->m;
	const struct wasm_facts *f = &m->facts;
	uint32_t next = w->first + m->defined_n, g = 0;
	size_t s = section_begin(w, 7);

	put_u32(w, m->exports_n + f->has_memory + f->globals_n + m->tables_n + 2 * w->refs + w->drop + w->put);
	for (uint32_t i = 0; i < m->exports_n; i++) {
		put_letter_name(w, 'e', i);
		put_u8(w, 0);
		put_u32(w, new_function(w, m->exports[i]));
	}
	if (f->has_memory)
		put_export(w, S("m"), 2, 0);
	for (uint32_t i = 0; i < m->globals_n + f->drops_n; i++) {
		if (i < m->globals_n && !(m->globals[i].variable && m->globals[i].type <= WASM_F64))
			continue;
		put_letter_name(w, 'g', g++);
		put_u8(w, 3);
		put_u32(w, i);
	}
	for (uint32_t i = 0; i < m->tables_n; i++) {
		put_letter_name(w, 't', i);
		put_u8(w, 1);
		put_u32(w, i);
	}
	if (w->refs) {
		put_export(w, S("r"), 1, m->tables_n);
		put_export(w, S("x_refs"), 0, next++);
	}
	if (w->drop)
		put_export(w, S("x_drop"), 0, next++);
	if (w->put)
		put_export(w, S("x_put"), 0, next++);
	size_end(w, s);
	assert(g == f->globals_n);
}

static void
start_section(struct writer *w)
{
	size_t s;

	if (w->m->start == WASM_NONE)
		return;
	s = section_begin(w, 8);
	put_u32(w, new_function(w, w->m->start));
	size_end(w, s);
}

/* In the form with expressions, which can say everything. */
static void
put_elements(struct writer *w, const struct wasm_elements *e)
{
	static const uint8_t flags[] = { [SEGMENT_ACTIVE] = 6, [SEGMENT_PASSIVE] = 5, [SEGMENT_DECLARED] = 7 };

	put_u32(w, flags[e->mode]);
	if (e->mode == SEGMENT_ACTIVE) {
		put_u32(w, e->table);
		put_constant(w, &e->offset);
	}
	put_u8(w, wasm_type_byte(e->type));
	put_u32(w, e->n);
	for (uint32_t i = 0; i < e->n; i++) {
		if (e->functions[i] == WASM_NONE)
			put_op_u32(w, OP_REF_NULL, wasm_type_byte(e->type));
		else
			put_op_u32(w, OP_REF_FUNC, new_function(w, e->functions[i]));
		put_u8(w, OP_END);
	}
}

static void
element_section(struct writer *w)
{
	size_t s;

	if (w->m->elements_n == 0)
		return;
	s = section_begin(w, 9);
	put_u32(w, w->m->elements_n);
	for (uint32_t i = 0; i < w->m->elements_n; i++)
		put_elements(w, &w->m->elements[i]);
	size_end(w, s);
}

static void
cost_begin(struct writer *w)
{
	mem_grow(w->costs, w->costs_n, w->costs_cap);
	w->costs[w->costs_n++] = 0;
}

/* What each beginning of the body, and of its loops, costs: the instructions that follow, up
 * to the loop's end, but not those of loops within. */
static void
count_costs(struct writer *w, struct wasm_reader r)
{
	uint32_t payer[LIMIT_WASM_NESTING + 1], depth = 1;
	struct wasm_instr in;

	w->costs_n = 0;
	cost_begin(w);
	payer[0] = 0;
	while (depth > 0 && wasm_instr(&r, &in)) {
		if (in.op == OP_END) {
			depth--;
			continue;
		}
		if (in.op != OP_ELSE)
			w->costs[payer[depth - 1]]++;
		if (in.shape != SHAPE_BLOCK)
			continue;
		payer[depth] = payer[depth - 1];
		if (in.op == OP_LOOP) {
			payer[depth] = (uint32_t)w->costs_n;
			cost_begin(w);
		}
		depth++;
	}
	assert(depth == 0);
}

static void
put_charge(struct writer *w, uint32_t cost)
{
	if (w->m->unmetered)
		return;
	put_u8(w, OP_I64_CONST);
	put_signed(w, cost > 0 ? cost : 1);
	put_op_u32(w, OP_CALL, w->fuel);
}

/* How a length is made fuel; false: the instruction costs as any other. */
static bool
length_shift(uint32_t op, int32_t *shift)
{
	switch (op) {
	case OP_MEMORY_INIT: case OP_MEMORY_COPY: case OP_MEMORY_FILL: *shift = 4; return true;
	case OP_TABLE_INIT: case OP_TABLE_COPY: case OP_TABLE_FILL: *shift = 0; return true;
	default: return false;
	}
}

static void
put_dropped(struct writer *w, const struct wasm_segment *s)
{
	if (s->number == WASM_NONE)
		return;
	put_i32(w, 1);
	put_op_u32(w, OP_GLOBAL_SET, w->drops + s->number);
}

/* In the place of an instruction; false: it stays. */
static bool
put_instead(struct writer *w, const struct wasm_instr *in)
{
	switch (in->op) {
	case OP_CALL: case OP_REF_FUNC:
		put_op_u32(w, in->op, new_function(w, in->x));
		return true;
	case OP_F32_NEG:
		put_op(w, OP_I32_OF_F32);
		put_i32(w, INT32_MIN);
		put_op(w, OP_I32_XOR);
		put_op(w, OP_F32_OF_I32);
		return true;
	case OP_F64_NEG:
		put_op(w, OP_I64_OF_F64);
		put_op(w, OP_I64_CONST);
		put_signed(w, INT64_MIN);
		put_op(w, OP_I64_XOR);
		put_op(w, OP_F64_OF_I64);
		return true;
	default:
		return false;
	}
}

static void
put_before(struct writer *w, uint32_t op)
{
	int32_t shift;

	if (!length_shift(op, &shift))
		return;
	put_i32(w, shift);
	put_op_u32(w, OP_CALL, w->bulk);
}

static void
put_behind(struct writer *w, const struct wasm_instr *in, size_t *loops)
{
	if (in->op == OP_LOOP)
		put_charge(w, w->costs[(*loops)++]);
	else if (in->op == OP_DATA_DROP)
		put_dropped(w, &w->m->data_segments[in->x]);
	else if (in->op == OP_ELEM_DROP)
		put_dropped(w, &w->m->element_segments[in->x]);
}

/* Most instructions stay as they are: they are copied in runs. */
static bool
stays(uint32_t op)
{
	int32_t shift;

	return op != OP_CALL && op != OP_REF_FUNC && op != OP_F32_NEG && op != OP_F64_NEG && op != OP_LOOP &&
	    op != OP_DATA_DROP && op != OP_ELEM_DROP && !length_shift(op, &shift);
}

static void
put_body(struct writer *w, const struct wasm_function *f)
{
	struct wasm_reader r = { .p = w->m->bytes, .at = f->code.at, .end = f->code.end, .function = WASM_NONE };
	size_t size = size_begin(w), from = f->code.at, loops = 0;
	struct wasm_instr in;

	count_costs(w, r);
	put_bytes(w, f->body.at, f->code.at);
	put_charge(w, w->costs[loops++]);
	while (r.at < r.end && wasm_instr(&r, &in)) {
		if (stays(in.op))
			continue;
		put_bytes(w, from, in.at);
		put_before(w, in.op);
		if (!put_instead(w, &in))
			put_bytes(w, in.at, in.end);
		put_behind(w, &in, &loops);
		from = in.end;
	}
	put_bytes(w, from, f->code.end);
	size_end(w, size);
	assert(r.rc == OK && loops == w->costs_n);
}

/* Makes `r` as long as it needs to be, then sets one entry after another. */
static void
put_refs_body(struct writer *w)
{
	const struct wasm_module *m = w->m;
	size_t size = size_begin(w);
	uint32_t at = 0;

	put_u8(w, 0);
	put_op_u32(w, OP_REF_NULL, wasm_type_byte(WASM_FUNCREF));
	put_i32(w, (int32_t)m->facts.refs_n);
	put_op_u32(w, OP_TABLE_GROW, m->tables_n);
	put_u8(w, OP_DROP);
	for (uint32_t i = 0; i < m->imports_n + m->defined_n; i++) {
		if ((m->marks[i] & MARK_REF) == 0)
			continue;
		put_i32(w, (int32_t)at++);
		put_op_u32(w, OP_REF_FUNC, new_function(w, i));
		put_op_u32(w, OP_TABLE_SET, m->tables_n);
	}
	put_u8(w, OP_END);
	size_end(w, size);
}

/* `if` the first argument is n; the caller goes on. */
static void
put_if_is(struct writer *w, uint32_t n)
{
	put_op_u32(w, OP_LOCAL_GET, 0);
	put_i32(w, (int32_t)n);
	put_u8(w, OP_I32_EQ);
	put_op_u32(w, OP_IF, 0x40);
}

static void
put_drops(struct writer *w, uint32_t op, const struct wasm_segment *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (s[i].number == WASM_NONE)
			continue;
		put_if_is(w, s[i].number);
		put_op_u32(w, op, i);
		put_dropped(w, &s[i]);
		put_u8(w, OP_END);
	}
}

static void
put_drop_body(struct writer *w)
{
	size_t size = size_begin(w);

	put_u8(w, 0);
	put_drops(w, OP_DATA_DROP, w->m->data_segments, w->m->data_n);
	put_drops(w, OP_ELEM_DROP, w->m->element_segments, w->m->elements_n);
	put_u8(w, OP_END);
	size_end(w, size);
}

/* The reference number that the third argument is; below 0: null. */
static void
put_reference(struct writer *w, enum wasm_type type)
{
	if (type != WASM_FUNCREF || !w->refs) {
		put_op_u32(w, OP_REF_NULL, wasm_type_byte(type));
		return;
	}
	put_op_u32(w, OP_LOCAL_GET, 2);
	put_i32(w, 0);
	put_u8(w, OP_I32_LT_S);
	put_op_u32(w, OP_IF, wasm_type_byte(type));
	put_op_u32(w, OP_REF_NULL, wasm_type_byte(type));
	put_u8(w, OP_ELSE);
	put_op_u32(w, OP_LOCAL_GET, 2);
	put_op_u32(w, OP_TABLE_GET, w->m->tables_n);
	put_u8(w, OP_END);
}

static void
put_put_body(struct writer *w)
{
	size_t size = size_begin(w);

	put_u8(w, 0);
	for (uint32_t i = 0; i < w->m->tables_n; i++) {
		put_if_is(w, i);
		put_op_u32(w, OP_LOCAL_GET, 1);
		put_reference(w, w->m->tables[i].type);
		put_op_u32(w, OP_TABLE_SET, i);
		put_u8(w, OP_END);
	}
	put_u8(w, OP_END);
	size_end(w, size);
}

static void
code_section(struct writer *w)
{
	const struct wasm_module *m = w->m;
	size_t s = section_begin(w, 10);

	put_u32(w, m->defined_n + w->refs + w->drop + w->put);
	for (uint32_t i = 0; i < m->defined_n && !w->out->failed; i++)
		put_body(w, &m->defined[i]);
	if (w->refs)
		put_refs_body(w);
	if (w->drop)
		put_drop_body(w);
	if (w->put)
		put_put_body(w);
	size_end(w, s);
}

static void
number_functions(struct writer *w)
{
	uint32_t next = 0;

	for (uint32_t what = 0; what < WASM_IMPORTS; what++)
		w->slots[what] = w->m->facts.imports & 1u << what ? next++ : WASM_NONE;
	w->fuel = next;
	w->bulk = next + 1;
	w->first = next + 2;
	w->drops = w->m->globals_n;
	w->refs = w->m->facts.refs_n > 0;
	w->drop = w->m->facts.drops_n > 0;
	w->put = w->m->facts.tables_change;
}

void
wasm_module_unmeter(struct wasm_module *m)
{
	m->unmetered = true;
}

int
wasm_module_write(const struct wasm_module *m, struct buf *out)
{
	struct writer w = { .m = m, .out = out };

	number_functions(&w);
	buf_lit(out, "\0asm\1\0\0\0");
	type_section(&w);
	import_section(&w);
	function_section(&w);
	table_section(&w);
	copy_section(&w, 5, m->memory_bytes);
	global_section(&w);
	export_section(&w);
	start_section(&w);
	element_section(&w);
	copy_section(&w, 12, m->data_count_bytes);
	code_section(&w);
	copy_section(&w, 11, m->data_bytes);
	free(w.costs);
	return out->failed ? ERR_TOOBIG : OK;
}
