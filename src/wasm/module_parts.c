/*
 * module_parts.c - imports, exports, segments and constant expressions of a module.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include "base/limits.h"
#include "wasm/module_priv.h"

void *
wasm_room(struct wasm_module *m, struct wasm_reader *r, size_t n, size_t size)
{
	void *p = r->rc == OK ? arena_zero(m->arena, (n > 0 ? n : 1) * size) : NULL;

	if (p == NULL)
		wasm_fail(r, ERR_TOOBIG, r->at, "checking the module takes more memory than it may");
	return p;
}

const struct wasm_signature *
wasm_function_type(const struct wasm_module *m, uint32_t function)
{
	assert(function < m->imports_n + m->defined_n);
	return &m->types[function < m->imports_n ? m->import_types[function] : m->defined[function - m->imports_n].type];
}

/* A name whose bytes may stand in any file that is made of it. */
static struct str
read_name(struct wasm_reader *r, const char *what)
{
	size_t at = r->at;
	uint32_t n = wasm_count(r, "bytes of a name", LIMIT_WASM_EXPORT_BYTES);
	struct str s = { (const char *)r->p + r->at, n };

	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		uint8_t c = r->p[r->at + i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '_' || c == '.' || c == '-'))
			wasm_fail(r, ERR_INVALID, r->at + i,
			    "byte 0x%02x in the name of an %s; accepted are A-Z a-z 0-9 _ . -", c, what);
	}
	if (r->rc == OK && n == 0)
		wasm_fail(r, ERR_INVALID, at, "an %s without a name", what);
	wasm_skip(r, n);
	return r->rc == OK ? s : STR_NONE;
}

static bool
same_types(const enum wasm_type *a, uint32_t a_n, const enum wasm_type *b, uint32_t b_n)
{
	if (a_n != b_n)
		return false;
	for (uint32_t i = 0; i < a_n; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static bool
same_signature(const struct wasm_signature *a, const struct wasm_signature *b)
{
	return same_types(a->params, a->params_n, b->params, b->params_n) &&
	    same_types(a->results, a->results_n, b->results, b->results_n);
}

static uint32_t
find_import(struct wasm_reader *r, size_t at, struct str module, struct str name)
{
	struct str_near near = { .word = name };

	for (uint32_t i = 0; i < WASM_IMPORTS && str_eq(module, S("cohort")); i++) {
		if (str_eq(name, str_of(wasm_import_names[i])))
			return i;
		str_near_try(&near, wasm_import_names[i]);
	}
	wasm_fail(r, ERR_INVALID, at,
	    "import of %.*s.%.*s; a guest may import cohort.log, .now_ms, .send, .reply, .store_get, .store_put, .tool_call%s%s%s",
	    FMT(module), FMT(name), near.best != NULL ? "; did you mean \"" : "",
	    near.best != NULL ? near.best : "", near.best != NULL ? "\"?" : "");
	return 0;
}

static void
read_import(struct wasm_module *m, struct wasm_reader *r, uint32_t i)
{
	static const char *const kinds[] = { "function", "table", "memory", "global", "tag" };
	size_t at = r->at, kind_at;
	struct str module = read_name(r, "import"), name = read_name(r, "import");
	uint8_t kind;

	kind_at = r->at;
	kind = wasm_u8(r);
	if (r->rc == OK && kind != 0)
		wasm_fail(r, ERR_INVALID, kind_at, "import of %.*s.%.*s is a %s; only functions can be imported",
		    FMT(module), FMT(name), kind < COUNT(kinds) ? kinds[kind] : "thing of an unknown kind");
	if (r->rc != OK)
		return;
	m->imports[i] = find_import(r, at, module, name);
	m->import_types[i] = wasm_u32(r);
	if (r->rc == OK && m->import_types[i] >= m->types_n)
		wasm_fail(r, ERR_INVALID, at, "import of %.*s.%.*s has type %" PRIu32 ", which is not there",
		    FMT(module), FMT(name), m->import_types[i]);
	if (r->rc == OK && !same_signature(&m->types[m->import_types[i]], &wasm_import_signatures[m->imports[i]]))
		wasm_fail(r, ERR_INVALID, at, "import of %.*s.%.*s has another type than in cohort_guest.h",
		    FMT(module), FMT(name));
}

void
wasm_imports_read(struct wasm_module *m, struct wasm_reader *r)
{
	uint32_t n = wasm_count(r, "imports", LIMIT_WASM_EXPORTS);

	m->imports = wasm_room(m, r, n, sizeof *m->imports);
	m->import_types = wasm_room(m, r, n, sizeof *m->import_types);
	for (uint32_t i = 0; i < n && r->rc == OK; i++)
		read_import(m, r, i);
	m->imports_n = r->rc == OK ? n : 0;
}

/* What kind of thing is exported, and whether it is there. */
static void
check_export(struct wasm_module *m, struct wasm_reader *r, size_t at, uint8_t kind, uint32_t index)
{
	uint32_t n[] = { m->imports_n + m->defined_n, m->tables_n, m->facts.has_memory ? 1 : 0, m->globals_n };

	if (r->rc != OK)
		return;
	if (kind >= COUNT(n))
		wasm_fail(r, ERR_INVALID, at, "an export of kind %u is not accepted", kind);
	else if (index >= n[kind])
		wasm_fail(r, ERR_INVALID, at, "an export names number %" PRIu32 " of %" PRIu32, index, n[kind]);
	else if (kind == 0 && index < m->imports_n)
		wasm_fail(r, ERR_INVALID, at, "an export of an imported function is not accepted");
}

void
wasm_exports_read(struct wasm_module *m, struct wasm_reader *r)
{
	uint32_t n = wasm_count(r, "exports", LIMIT_WASM_EXPORTS);
	struct wasm_export *exports = wasm_room(m, r, n, sizeof *exports);
	struct str *names = wasm_room(m, r, n, sizeof *names);

	m->exports = wasm_room(m, r, n, sizeof *m->exports);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		size_t at = r->at;
		uint8_t kind;
		uint32_t index;

		names[i] = read_name(r, "export");
		for (uint32_t k = 0; k < i && r->rc == OK; k++)
			if (str_eq(names[i], names[k]))
				wasm_fail(r, ERR_INVALID, at, "a second export with the name %.*s", FMT(names[i]));
		kind = wasm_u8(r);
		index = wasm_u32(r);
		check_export(m, r, at, kind, index);
		if (r->rc != OK || kind != 0)
			continue;
		m->marks[index] |= MARK_DECLARED;
		exports[m->exports_n].name = arena_str(m->arena, names[i]);
		exports[m->exports_n].type = wasm_function_type(m, index);
		m->exports[m->exports_n++] = index;
	}
	m->facts.exports = exports;
	m->facts.exports_n = m->exports_n;
}

struct wasm_constant
wasm_constant_read(struct wasm_module *m, struct wasm_reader *r, enum wasm_type t)
{
	static const enum wasm_type consts[] = { WASM_I32, WASM_I64, WASM_F32, WASM_F64 };
	struct wasm_constant c = { .bytes = { r->at, r->at } };
	struct wasm_instr in, end;

	if (!wasm_instr(r, &in))
		return c;
	c.op = in.op;
	c.x = in.x;
	if (in.op >= OP_I32_CONST && in.op <= OP_F64_CONST) {
		c.type = consts[in.op - OP_I32_CONST];
	} else if (in.op == OP_REF_NULL) {
		c.type = (enum wasm_type)in.x;
	} else if (in.op == OP_REF_FUNC) {
		c.type = WASM_FUNCREF;
		if (in.x >= m->imports_n + m->defined_n)
			wasm_fail(r, ERR_INVALID, in.at, "ref.func %" PRIu32 " is not there", in.x);
		else
			m->marks[in.x] |= MARK_DECLARED | MARK_USED | MARK_REF;
	} else {
		wasm_fail(r, ERR_INVALID, in.at, in.op == OP_GLOBAL_GET ?
		    "a constant expression names a global that is not imported" :
		    "instruction 0x%02" PRIx32 " is not accepted in a constant expression", in.op);
	}
	if (r->rc == OK && c.type != t)
		wasm_fail(r, ERR_INVALID, in.at, "a constant of type %s, where %s is needed",
		    wasm_type_names[c.type], wasm_type_names[t]);
	if (wasm_instr(r, &end) && end.op != OP_END)
		wasm_fail(r, ERR_INVALID, end.at, "a constant expression has more than one instruction");
	c.bytes.end = r->at;
	return c;
}

/* `elemkind`, or a type, that comes where a segment says what it holds. */
static enum wasm_type
read_element_type(struct wasm_reader *r, bool expressions)
{
	size_t at = r->at;
	enum wasm_type t = WASM_FUNCREF;

	if (!expressions) {
		if (wasm_u8(r) != 0 && r->rc == OK)
			wasm_fail(r, ERR_INVALID, at, "an element segment of an unknown kind");
		return t;
	}
	t = wasm_value_type(r);
	if (r->rc == OK && t != WASM_FUNCREF && t != WASM_EXTERNREF)
		wasm_fail(r, ERR_INVALID, at, "an element segment of %s; it can hold references only", wasm_type_names[t]);
	return t;
}

static uint32_t
read_element(struct wasm_module *m, struct wasm_reader *r, const struct wasm_elements *s, bool expressions)
{
	size_t at = r->at;
	uint32_t x;

	if (expressions) {
		struct wasm_constant c = wasm_constant_read(m, r, s->type);

		return c.op == OP_REF_FUNC ? c.x : WASM_NONE;
	}
	x = wasm_u32(r);
	if (r->rc == OK && x >= m->imports_n + m->defined_n)
		wasm_fail(r, ERR_INVALID, at, "an element is function %" PRIu32 ", which is not there", x);
	if (r->rc == OK)
		m->marks[x] |= MARK_DECLARED | MARK_USED | MARK_REF;
	return x;
}

/* Flags: 1 not active, 2 a table or (not active) declared, 4 expressions. */
static void
read_elements(struct wasm_module *m, struct wasm_reader *r, struct wasm_elements *s, uint32_t *left)
{
	size_t at = r->at;
	uint32_t flags = wasm_u32(r);

	if (flags > 7)
		wasm_fail(r, ERR_INVALID, at, "an element segment of an unknown form %" PRIu32, flags);
	s->mode = (flags & 1) == 0 ? SEGMENT_ACTIVE : (flags & 2) == 0 ? SEGMENT_PASSIVE : SEGMENT_DECLARED;
	if (s->mode == SEGMENT_ACTIVE) {
		s->table = (flags & 2) != 0 ? wasm_u32(r) : 0;
		if (r->rc == OK && s->table >= m->tables_n)
			wasm_fail(r, ERR_INVALID, at, "an element segment is for table %" PRIu32 ", which is not there", s->table);
		s->offset = wasm_constant_read(m, r, WASM_I32);
	}
	s->type = (flags & 3) != 0 ? read_element_type(r, (flags & 4) != 0) : WASM_FUNCREF;
	if (r->rc == OK && s->mode == SEGMENT_ACTIVE && m->tables[s->table].type != s->type)
		wasm_fail(r, ERR_INVALID, at, "an element segment of %s for a table of %s",
		    wasm_type_names[s->type], wasm_type_names[m->tables[s->table].type]);
	s->n = wasm_count(r, "elements, with those of other segments,", *left);
	*left -= s->n;
	s->functions = wasm_room(m, r, s->n, sizeof *s->functions);
	for (uint32_t i = 0; i < s->n && r->rc == OK; i++)
		s->functions[i] = read_element(m, r, s, (flags & 4) != 0);
}

void
wasm_elements_read(struct wasm_module *m, struct wasm_reader *r)
{
	uint32_t n = wasm_count(r, "element segments", LIMIT_WASM_SEGMENTS), left = LIMIT_WASM_TABLE;

	m->elements = wasm_room(m, r, n, sizeof *m->elements);
	m->element_segments = wasm_room(m, r, n, sizeof *m->element_segments);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		read_elements(m, r, &m->elements[i], &left);
		m->element_segments[i].mode = m->elements[i].mode;
	}
	m->elements_n = r->rc == OK ? n : 0;
}

void
wasm_data_read(struct wasm_module *m, struct wasm_reader *r)
{
	size_t at = r->at;
	uint32_t n = wasm_count(r, "data segments", LIMIT_WASM_SEGMENTS);

	if (r->rc == OK && m->data_said != WASM_NONE && n != m->data_said)
		wasm_fail(r, ERR_INVALID, at, "%" PRIu32 " data segments; the data count section says %" PRIu32, n, m->data_said);
	if (m->data_said == WASM_NONE)
		m->data_segments = wasm_room(m, r, n, sizeof *m->data_segments);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		size_t flags_at = r->at;
		uint32_t flags = wasm_u32(r);

		if (flags > 2 || (flags == 2 && wasm_u32(r) != 0)) {
			wasm_fail(r, ERR_INVALID, flags_at, "a data segment of an unknown form, or for a memory other than 0");
			break;
		}
		m->data_segments[i].mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
		if (flags != 1 && !m->facts.has_memory)
			wasm_fail(r, ERR_INVALID, flags_at, "a data segment is for a memory; the module has none");
		if (flags != 1)
			wasm_constant_read(m, r, WASM_I32);
		wasm_skip(r, wasm_count(r, "bytes of data", UINT32_MAX));
	}
	m->data_n = r->rc == OK ? n : 0;
}
