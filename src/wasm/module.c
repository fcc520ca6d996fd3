/*
 * module.c - the sections of a module; see module.h.
 *
 *   module_bytes.c   integers, types, instructions
 *   module_parts.c   imports, exports, segments, constants
 *   module_code.c    bodies
 *   module_types.c   types of what is on the stack
 *   module_write.c   the module that is compiled
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/module_priv.h"

static const enum wasm_type *
read_types(struct wasm_module *m, struct wasm_reader *r, uint32_t *n)
{
	enum wasm_type *types;

	*n = wasm_count(r, "values of one type", LIMIT_WASM_PARAMS);
	types = wasm_room(m, r, *n, sizeof *types);
	for (uint32_t i = 0; i < *n && r->rc == OK; i++)
		types[i] = wasm_value_type(r);
	return types;
}

static void
type_section(struct wasm_module *m, struct wasm_reader *r)
{
	uint32_t n = wasm_count(r, "types", LIMIT_WASM_TYPES);

	m->types_bytes = (struct wasm_span){ r->at, r->end };
	m->types = wasm_room(m, r, n, sizeof *m->types);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		size_t at = r->at;

		if (wasm_u8(r) != 0x60 && r->rc == OK)
			wasm_fail(r, ERR_INVALID, at, "type %" PRIu32 " is not one of a function", i);
		m->types[i].params = read_types(m, r, &m->types[i].params_n);
		m->types[i].results = read_types(m, r, &m->types[i].results_n);
	}
	m->types_n = r->rc == OK ? n : 0;
}

static void
function_section(struct wasm_module *m, struct wasm_reader *r)
{
	uint32_t n = wasm_count(r, "functions", LIMIT_WASM_FUNCTIONS);

	m->defined = wasm_room(m, r, n, sizeof *m->defined);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		size_t at = r->at;

		m->defined[i].type = wasm_u32(r);
		if (r->rc == OK && m->defined[i].type >= m->types_n)
			wasm_fail(r, ERR_INVALID, at, "function %" PRIu32 " has type %" PRIu32 ", which is not there",
			    m->imports_n + i, m->defined[i].type);
	}
	m->defined_n = r->rc == OK ? n : 0;
}

/* A size at the start and the most that it may have; *max is WASM_NONE where none is said. */
static void
read_bounds(struct wasm_reader *r, uint32_t *min, uint32_t *max, const char *what)
{
	size_t at = r->at;
	uint8_t flags = wasm_u8(r);

	if (flags > 1)
		wasm_fail(r, ERR_INVALID, at, "%s %s", what,
		    flags & 4 ? "of 64-bit addresses: memory64 is not accepted" :
		    flags & 2 ? "that is shared: threads are not accepted" : "of an unknown form");
	*min = wasm_u32(r);
	*max = flags == 1 ? wasm_u32(r) : WASM_NONE;
	if (r->rc == OK && *max < *min)
		wasm_fail(r, ERR_INVALID, at, "%s of at least %" PRIu32 " and at most %" PRIu32, what, *min, *max);
}

static void
table_section(struct wasm_module *m, struct wasm_reader *r)
{
	uint32_t n = wasm_count(r, "tables", LIMIT_WASM_TABLES), left = LIMIT_WASM_TABLE;

	m->tables = wasm_room(m, r, n, sizeof *m->tables);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		struct wasm_table *t = &m->tables[i];
		size_t at = r->at;

		t->type = wasm_value_type(r);
		if (r->rc == OK && t->type != WASM_FUNCREF && t->type != WASM_EXTERNREF)
			wasm_fail(r, ERR_INVALID, at, "a table of %s; it can hold references only", wasm_type_names[t->type]);
		read_bounds(r, &t->min, &t->max, "a table");
		if (t->min > left)
			wasm_fail(r, ERR_TOOBIG, at, "a table of %" PRIu32 " entries, with those before it more than %d", t->min, LIMIT_WASM_TABLE);
		left -= r->rc == OK ? t->min : 0;
		if (t->max > LIMIT_WASM_TABLE)
			t->max = LIMIT_WASM_TABLE;
	}
	m->tables_n = r->rc == OK ? n : 0;
}

static void
memory_section(struct wasm_module *m, struct wasm_reader *r)
{
	size_t at = r->at;
	uint32_t n = wasm_count(r, "memories", UINT32_MAX);

	if (n > 1)
		wasm_fail(r, ERR_INVALID, at, "%" PRIu32 " memories; one is accepted", n);
	if (n == 0 || r->rc != OK)
		return;
	at = r->at;
	read_bounds(r, &m->facts.pages, &m->facts.pages_max, "a memory");
	if (r->rc == OK && (m->facts.pages > 65536 || (r->p[at] == 1 && m->facts.pages_max > 65536)))
		wasm_fail(r, ERR_TOOBIG, at, "a memory of more than 65536 pages, which are 4 GB");
	m->facts.has_memory = true;
}

static void
global_section(struct wasm_module *m, struct wasm_reader *r)
{
	uint32_t n = wasm_count(r, "globals", LIMIT_WASM_GLOBALS);

	m->globals = wasm_room(m, r, n, sizeof *m->globals);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		struct wasm_global *g = &m->globals[i];
		size_t at = r->at;
		uint8_t variable;

		g->type = wasm_value_type(r);
		variable = wasm_u8(r);
		if (variable > 1)
			wasm_fail(r, ERR_INVALID, at, "global %" PRIu32 " is neither constant nor variable", i);
		g->variable = variable == 1;
		if (!m->any && g->variable && (g->type == WASM_FUNCREF || g->type == WASM_EXTERNREF))
			wasm_fail(r, ERR_INVALID, at,
			    "global %" PRIu32 " is a variable of %s, which a checkpoint cannot hold; use a table",
			    i, wasm_type_names[g->type]);
		g->init = wasm_constant_read(m, r, g->type);
	}
	m->globals_n = r->rc == OK ? n : 0;
}

static void
start_section(struct wasm_module *m, struct wasm_reader *r)
{
	size_t at = r->at;
	uint32_t x = wasm_u32(r);
	const struct wasm_signature *t;

	if (r->rc == OK && x >= m->imports_n + m->defined_n)
		wasm_fail(r, ERR_INVALID, at, "the start is function %" PRIu32 ", which is not there", x);
	if (r->rc != OK)
		return;
	t = wasm_function_type(m, x);
	if (t->params_n != 0 || t->results_n != 0)
		wasm_fail(r, ERR_INVALID, at, "the start function %" PRIu32 " takes or gives values", x);
	m->start = x;
	m->facts.has_start = true;
}

static void
data_count_section(struct wasm_module *m, struct wasm_reader *r)
{
	size_t at = r->at;

	m->data_said = wasm_u32(r);
	if (m->data_said > LIMIT_WASM_SEGMENTS)
		wasm_fail(r, ERR_TOOBIG, at, "%" PRIu32 " data segments; at most %d", m->data_said, LIMIT_WASM_SEGMENTS);
	m->data_segments = wasm_room(m, r, m->data_said, sizeof *m->data_segments);
}

static void
code_section(struct wasm_module *m, struct wasm_reader *r)
{
	size_t at = r->at;
	uint32_t n = wasm_count(r, "bodies", LIMIT_WASM_FUNCTIONS);

	if (r->rc == OK && n != m->defined_n)
		wasm_fail(r, ERR_INVALID, at, "%" PRIu32 " bodies for %" PRIu32 " functions", n, m->defined_n);
	m->stack = mem_alloc(sizeof *m->stack);
	for (uint32_t i = 0; i < n && r->rc == OK; i++) {
		struct wasm_reader body;
		uint32_t size;

		r->function = m->imports_n + i;
		at = r->at;
		size = wasm_count(r, "bytes of a body", LIMIT_WASM_BODY_BYTES);
		body = *r;
		body.end = r->at + size;
		if (r->rc == OK)
			wasm_body_check(m, &body, &m->defined[i]);
		if (body.rc != OK) {
			r->rc = body.rc;
			return;
		}
		r->at = body.end;
	}
	r->function = WASM_NONE;
}

/* Known sections in the order in which they come; custom ones may stand anywhere. */
static const struct section {
	uint8_t id;
	const char *name;
	void (*read)(struct wasm_module *m, struct wasm_reader *r);
} sections[] = {
	{ 1, "type", type_section }, { 2, "import", wasm_imports_read }, { 3, "function", function_section },
	{ 4, "table", table_section }, { 5, "memory", memory_section }, { 6, "global", global_section },
	{ 7, "export", wasm_exports_read }, { 8, "start", start_section }, { 9, "element", wasm_elements_read },
	{ 12, "data count", data_count_section }, { 10, "code", code_section }, { 11, "data", wasm_data_read },
};

/* Check its name as other decoders do; the section is not kept. */
static void
custom_section(struct wasm_reader *r)
{
	size_t at = r->at;
	uint32_t n = wasm_count(r, "bytes of a name", UINT32_MAX);

	if (r->rc == OK && !str_is_utf8((struct str){ (const char *)r->p + r->at, n }))
		wasm_fail(r, ERR_INVALID, at, "a name that is not UTF-8");
	r->at = r->end;
}

/* Function marks have their place once functions and imports are counted, which is before
 * anything can name one. */
static void
marks_new(struct wasm_module *m, struct wasm_reader *r)
{
	if (m->marks == NULL)
		m->marks = wasm_room(m, r, m->imports_n + m->defined_n, sizeof *m->marks);
}

static void
read_known(struct wasm_module *m, struct wasm_reader *r, uint8_t id, size_t at, size_t *next)
{
	size_t i = 0, begin = r->at;

	while (i < COUNT(sections) && sections[i].id != id)
		i++;
	if (i == COUNT(sections)) {
		wasm_fail(r, ERR_INVALID, at, "a section of kind %u%s", id,
		    id == 13 ? ": exceptions are not accepted" : ", which is not known");
		return;
	}
	r->section = sections[i].name;
	if (i < *next)
		wasm_fail(r, ERR_INVALID, at, "a section is repeated or out of order");
	*next = i + 1;
	if (id > 3)
		marks_new(m, r);
	if (r->rc == OK)
		sections[i].read(m, r);
	if (id == 5)
		m->memory_bytes = (struct wasm_span){ begin, r->end };
	else if (id == 12)
		m->data_count_bytes = (struct wasm_span){ begin, r->end };
	else if (id == 11)
		m->data_bytes = (struct wasm_span){ begin, r->end };
}

static void
read_section(struct wasm_module *m, struct wasm_reader *r, size_t *next)
{
	size_t at = r->at;
	uint8_t id = wasm_u8(r);
	uint32_t n = wasm_count(r, "bytes of a section", UINT32_MAX);
	struct wasm_reader s = *r;

	if (r->rc != OK)
		return;
	s.end = r->at + n;
	s.section = "custom";
	if (id == 0)
		custom_section(&s);
	else
		read_known(m, &s, id, at, next);
	if (s.rc == OK && s.at != s.end)
		wasm_fail(&s, ERR_INVALID, s.at, "%zu bytes behind its end", s.end - s.at);
	r->rc = s.rc;
	r->at += n;
}

static void
read_all(struct wasm_module *m, struct wasm_reader *r)
{
	size_t next = 0;

	if (r->end < 8 || memcmp(r->p, "\0asm", 4) != 0)
		wasm_fail(r, ERR_INVALID, 0, "not a WebAssembly module: it does not begin with \\0asm");
	else if (memcmp(r->p + 4, "\1\0\0\0", 4) != 0)
		wasm_fail(r, ERR_INVALID, 4, "not version 1 of a module; components are not accepted");
	else
		r->at = 8;
	while (r->rc == OK && r->at < r->end)
		read_section(m, r, &next);
	marks_new(m, r);
	if (r->rc == OK && m->defined_n > 0 && m->defined[m->defined_n - 1].body.end == 0)
		wasm_fail(r, ERR_INVALID, r->at, "%" PRIu32 " functions without a code section", m->defined_n);
	if (r->rc == OK && m->data_said != WASM_NONE && m->data_n != m->data_said)
		wasm_fail(r, ERR_INVALID, r->at, "a data count section without its data section");
}

/* The place of a function in exports, which must have the type that params and results say:
 * as many i32.  -1: it is not exported. */
static int
find_export(struct wasm_module *m, struct wasm_reader *r, struct str name, uint32_t params, uint32_t results)
{
	for (uint32_t i = 0; i < m->facts.exports_n; i++) {
		const struct wasm_signature *t = m->facts.exports[i].type;
		bool same = t->params_n == params && t->results_n == results;

		if (!str_eq(m->facts.exports[i].name, name))
			continue;
		for (uint32_t k = 0; same && k < params; k++)
			same = t->params[k] == WASM_I32;
		for (uint32_t k = 0; same && k < results; k++)
			same = t->results[k] == WASM_I32;
		if (same)
			return (int)i;
		if (!m->any)
			wasm_fail(r, ERR_INVALID, r->end, "export %.*s takes %" PRIu32 " and gives %" PRIu32
			    " values; it should take %" PRIu32 " i32 and give %" PRIu32, FMT(name), t->params_n, t->results_n,
			    params, results);
	}
	return -1;
}

static void
check_guest(struct wasm_module *m, struct wasm_reader *r)
{
	struct wasm_facts *f = &m->facts;

	f->handle_message = find_export(m, r, S("handle_message"), 2, 1);
	f->alloc = find_export(m, r, S("alloc"), 1, 1);
	f->initialize = find_export(m, r, S("_initialize"), 0, 0);
	if (m->any || r->rc != OK)
		return;
	if (f->handle_message < 0)
		wasm_fail(r, ERR_INVALID, r->end, "no function is exported as handle_message (i32, i32) -> i32");
	else if (f->alloc < 0)
		wasm_fail(r, ERR_INVALID, r->end, "no function is exported as alloc (i32) -> i32");
	else if (!f->has_memory)
		wasm_fail(r, ERR_INVALID, r->end, "the module has no memory, where messages are put");
}

static void
number_segments(struct wasm_module *m, struct wasm_segment *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		s[i].number = s[i].mode == SEGMENT_PASSIVE && s[i].dropped ? m->facts.drops_n++ : WASM_NONE;
}

/* Facts that follow from all sections together. */
static void
gather(struct wasm_module *m, struct wasm_reader *r)
{
	struct wasm_facts *f = &m->facts;
	enum wasm_type *globals = wasm_room(m, r, m->globals_n + m->data_n + m->elements_n, sizeof *globals);
	uint32_t *tables = wasm_room(m, r, m->tables_n, sizeof *tables);

	if (r->rc != OK)
		return;
	for (uint32_t i = 0; i < m->imports_n; i++)
		if (m->marks[i] & MARK_USED)
			f->imports |= 1u << m->imports[i];
	number_segments(m, m->data_segments, m->data_n);
	number_segments(m, m->element_segments, m->elements_n);
	for (uint32_t i = 0; i < m->globals_n; i++)
		if (m->globals[i].variable && m->globals[i].type <= WASM_F64)
			globals[f->globals_n++] = m->globals[i].type;
	for (uint32_t i = 0; i < f->drops_n; i++)
		globals[f->globals_n++] = WASM_I32;
	f->globals = globals;
	for (uint32_t i = 0; i < m->tables_n; i++)
		tables[i] = m->tables[i].max;
	f->tables_max = tables;
	f->tables_n = m->tables_n;
	for (uint32_t i = 0; f->tables_change && i < m->imports_n + m->defined_n; i++)
		f->refs_n += (m->marks[i] & MARK_REF) != 0;
	f->functions_n = m->defined_n;
}

int
wasm_module_read(struct wasm_module **out, struct str bytes, bool any, struct arena *a, struct err *e)
{
	struct wasm_module *m = arena_new(a, struct wasm_module);
	struct wasm_reader r = { .p = (const uint8_t *)bytes.p, .end = bytes.n, .function = WASM_NONE, .e = e };

	*out = NULL;
	if (m == NULL)
		return err_set(e, ERR_TOOBIG, "checking the module takes more memory than it may");
	if (bytes.n > LIMIT_WASM_MODULE_BYTES)
		return err_set(e, ERR_TOOBIG, "a module of %zu bytes; at most %d", bytes.n, LIMIT_WASM_MODULE_BYTES);
	m->bytes = r.p;
	m->any = any;
	m->arena = a;
	m->data_said = m->start = WASM_NONE;
	m->facts.pages_max = WASM_NONE;
	read_all(m, &r);
	free(m->stack);
	m->stack = NULL;
	check_guest(m, &r);
	gather(m, &r);
	if (r.rc != OK)
		return r.rc;
	*out = m;
	return OK;
}

const struct wasm_facts *
wasm_module_facts(const struct wasm_module *m)
{
	return &m->facts;
}
