/*
 * build_adapter.c - the C that stands between a module's C and wasm-object.h.
 *
 * Everything here is numbers and the fixed names of module.h, M(e0) and so on; nothing that
 * a guest chose can get into it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/build_priv.h"

/* By enum wasm_type: the C type; wasm2c's letter of it; how a slot is read and written. */
static const struct {
	const char *c, *get, *put;
	char letter;
} types[] = {
	[WASM_I32] = { "u32", "(u32)s[%u]", "s[%u] = ", 'i' },
	[WASM_I64] = { "u64", "s[%u]", "s[%u] = ", 'j' },
	[WASM_F32] = { "f32", "cohort_f32(s + %u)", "*(f32 *)cohort_zero(s + %u) = ", 'f' },
	[WASM_F64] = { "f64", "*(f64 *)(s + %u)", "*(f64 *)(s + %u) = ", 'd' },
};

static bool
values_only(const enum wasm_type *t, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (t[i] > WASM_F64)
			return false;
	return true;
}

static bool
callable(const struct wasm_signature *t)
{
	return values_only(t->params, t->params_n) && values_only(t->results, t->results_n);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
slot(struct buf *out, const char *format, uint32_t n)
{
	buf_add_fmt(out, format, n);
}
#pragma GCC diagnostic pop

static void
call_write(struct buf *out, uint32_t n, const struct wasm_signature *t)
{
	buf_add_fmt(out, "M(e%u)(i", n);
	for (uint32_t i = 0; i < t->params_n; i++) {
		buf_lit(out, ", ");
		slot(out, types[t->params[i]].get, i);
	}
	buf_lit(out, ")");
}

/* All arguments are read before a result is written. */
static void
export_write(struct buf *out, uint32_t n, const struct wasm_signature *t)
{
	buf_add_fmt(out, "static void x%u(void *i, uint64_t *s)\n{\n\t(void)s;\n\t", n);
	if (t->results_n == 1) {
		buf_add_fmt(out, "%s r = ", types[t->results[0]].c);
	} else if (t->results_n > 1) {
		buf_lit(out, "struct wasm_multi_");
		for (uint32_t i = 0; i < t->results_n; i++)
			buf_add_char(out, types[t->results[i]].letter);
		buf_lit(out, " r = ");
	}
	call_write(out, n, t);
	buf_lit(out, ";\n");
	for (uint32_t i = 0; i < t->results_n; i++) {
		buf_add_char(out, '\t');
		slot(out, types[t->results[i]].put, i);
		if (t->results_n == 1)
			buf_lit(out, "r;\n");
		else
			buf_add_fmt(out, "r.%c%u;\n", types[t->results[i]].letter, i);
	}
	buf_lit(out, "}\n");
}

static void
exports_write(struct buf *out, const struct wasm_facts *f)
{
	buf_lit(out,
	    "static inline f32 cohort_f32(const uint64_t *s)\n"
	    "{\n\treturn *(const f32 *)s;\n}\n"
	    "static inline void *cohort_zero(uint64_t *s)\n"
	    "{\n\t*s = 0;\n\treturn s;\n}\n");
	for (uint32_t i = 0; i < f->exports_n; i++)
		if (callable(f->exports[i].type))
			export_write(out, i, f->exports[i].type);
	buf_lit(out, "static void (*const cohort_exports[])(void *, uint64_t *) = {\n");
	for (uint32_t i = 0; i < f->exports_n; i++)
		if (callable(f->exports[i].type))
			buf_add_fmt(out, "\tx%u,\n", i);
		else
			buf_lit(out, "\t0,\n");
	buf_lit(out, "\t0\n};\n");
}

/* A name in numbers: it may have any bytes that are a C string. */
static void
names_write(struct buf *out, const struct wasm_facts *f)
{
	for (uint32_t i = 0; i < f->exports_n; i++) {
		struct str name = f->exports[i].name;

		buf_add_fmt(out, "static const char n%u[] = {", i);
		for (size_t k = 0; k < name.n; k++)
			buf_add_fmt(out, "%u,", (unsigned char)name.p[k]);
		buf_lit(out, "0};\n");
	}
	buf_lit(out, "static const char *const cohort_export_names[] = {\n");
	for (uint32_t i = 0; i < f->exports_n; i++)
		buf_add_fmt(out, "\tn%u,\n", i);
	buf_lit(out, "\t0\n};\nstatic const char *const cohort_export_types[] = {\n");
	for (uint32_t i = 0; i < f->exports_n; i++) {
		const struct wasm_signature *t = f->exports[i].type;

		buf_lit(out, "\t\"");
		for (uint32_t k = 0; k < t->params_n; k++)
			buf_add_char(out, "iIfFrr"[t->params[k]]);
		buf_add_char(out, '>');
		for (uint32_t k = 0; k < t->results_n; k++)
			buf_add_char(out, "iIfFrr"[t->results[k]]);
		buf_lit(out, "\",\n");
	}
	buf_lit(out, "\t0\n};\n");
}

static void
state_write(struct buf *out, const struct wasm_facts *f)
{
	static const unsigned char bytes[] = { 4, 8, 4, 8, 0, 0 };

	buf_lit(out, "static const unsigned char cohort_globals[] = { ");
	for (uint32_t i = 0; i < f->globals_n; i++)
		buf_add_fmt(out, "%u, ", bytes[f->globals[i]]);
	buf_lit(out, "0 };\n");
	buf_lit(out, "static void *cohort_global(void *i, uint32_t k)\n{\n\t(void)i;\n\tswitch (k) {\n");
	for (uint32_t i = 0; i < f->globals_n; i++)
		buf_add_fmt(out, "\tcase %u: return M(g%u)(i);\n", i, i);
	buf_lit(out, "\tdefault: return 0;\n\t}\n}\n"
	    "static bool cohort_table(void *i, uint32_t k, wasm_rt_funcref_table_t **t, "
	    "bool *functions)\n{\n\t(void)i;\n\tswitch (k) {\n");
	/* The two kinds of tables differ in the size of an entry only. */
	for (uint32_t i = 0; i < f->tables_n; i++)
		buf_add_fmt(out, "\tcase %u:\n\t\t*t = (wasm_rt_funcref_table_t *)M(t%u)(i);\n"
		    "\t\t*functions = sizeof *M(t%u)(i)->data == sizeof(wasm_rt_funcref_t);\n"
		    "\t\treturn true;\n", i, i, i);
	buf_lit(out, "\tdefault:\n\t\t*t = 0;\n\t\t*functions = false;\n\t\treturn false;\n\t}\n}\n");
}

void
wasm_adapter_write(const struct wasm_facts *f, struct buf *out)
{
	bool guest = f->handle_message >= 0 && f->alloc >= 0;

	buf_lit(out, "#include \"abi.h\"\n#include \"wasm-rt.h\"\n#include \"m.c\"\n");
	exports_write(out, f);
	names_write(out, f);
	state_write(out, f);
	buf_add_fmt(out, "#define COHORT_EXPORTS_N %u\n#define COHORT_GLOBALS_N %u\n"
	    "#define COHORT_TABLES_N %u\n#define COHORT_REFS_N %u\n"
	    "#define COHORT_DROPS_N %u\n#define COHORT_HAS_START %d\n"
	    "#define COHORT_MEMORY %d\n#define COHORT_GUEST %d\n",
	    f->exports_n, f->globals_n, f->tables_n, f->tables_change ? f->refs_n : 0, f->drops_n,
	    f->has_start, f->has_memory, guest);
	if (guest)
		buf_add_fmt(out, "#define COHORT_ALLOC M(e%d)\n"
		    "#define COHORT_HANDLE_MESSAGE M(e%d)\n", f->alloc, f->handle_message);
	if (f->initialize >= 0)
		buf_add_fmt(out, "#define COHORT_INITIALIZE M(e%d)\n", f->initialize);
	buf_lit(out, "#include \"wasm-object.h\"\n");
}
