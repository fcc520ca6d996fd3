/*
 * cmd_wasm.c - `cohort wasm check|build`: what a module is, and its compiled form.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/hmac.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "main/cmd.h"
#include "main/wasm_local.h"
#include "wasm/limits.h"

#define FACTS_BYTES (256 * MB)
#define PATH_BYTES  4096

const struct flag cmd_wasm_check_flags[] = {
	{ "json", .help = "each as a line of JSON" },
	{ NULL }
};
static const char *const compilers[] = { "tcc", "gcc", "both", NULL };
const struct flag cmd_wasm_build_flags[] = {
	{ "compiler", .kind = FLAG_TEXT, .value = "NAME", .fallback = "both", .words = compilers,
	  .help = "tcc is quick, gcc's code is; a server starts with the first and goes on "
	  "with the second" },
	{ "any", .help = "also a module that is no guest: for tests of the language" },
	WASM_CACHE_FLAG,
	{ NULL }
};

static const char *const type_names[] = {
	[WASM_I32] = "i32", [WASM_I64] = "i64", [WASM_F32] = "f32", [WASM_F64] = "f64",
	[WASM_FUNCREF] = "funcref", [WASM_EXTERNREF] = "externref",
};

/* ---- check ---------------------------------------------------------------------------- */

static void
hash_add(struct buf *b, struct str bytes)
{
	uint8_t hash[SHA256_SIZE];

	sha256(bytes, hash);
	hex_add(b, hash, sizeof hash);
}

static void
types_add(struct buf *b, const enum wasm_type *types, uint32_t n)
{
	buf_add_char(b, '[');
	for (uint32_t i = 0; i < n; i++)
		json_add_fmt(b, ",%s", type_names[types[i]]);
	buf_add_char(b, ']');
}

static void
print_json(struct str path, struct str bytes, const struct wasm_facts *f)
{
	struct buf b = BUF(FACTS_BYTES);

	json_add_fmt(&b, "{'file':%.*s,'hash':'", FMT(path));
	hash_add(&b, bytes);
	json_add_fmt(&b, "','bytes':%zu,'imports':", bytes.n);
	wasm_allow_add_json(&b, f->imports);
	json_add_fmt(&b, ",'exports':[");
	for (uint32_t i = 0; i < f->exports_n; i++) {
		const struct wasm_signature *type = f->exports[i].type;

		json_add_fmt(&b, ",{'name':%.*s,'params':", FMT(f->exports[i].name));
		types_add(&b, type->params, type->params_n);
		json_add_fmt(&b, ",'results':");
		types_add(&b, type->results, type->results_n);
		buf_add_char(&b, '}');
	}
	json_add_fmt(&b, "],'memory':{'pages':%u,'pages_max':", f->pages);
	if (f->pages_max == UINT32_MAX)
		buf_lit(&b, "null");
	else
		buf_add_fmt(&b, "%u", f->pages_max);
	json_add_fmt(&b, "},'functions':%u,'tables':%u,'start':%hhd}\n", f->functions_n,
	    f->tables_n, f->has_start);
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
}

static void
print_facts(struct str path, struct str bytes, const struct wasm_facts *f)
{
	struct buf b = BUF(FACTS_BYTES);

	buf_add_fmt(&b, "%.*s: a guest, %zu bytes, SHA-256 ", FMT(path), bytes.n);
	hash_add(&b, bytes);
	buf_lit(&b, "\n  imports  ");
	for (int i = 0, n = 0; i < WASM_IMPORTS; i++)
		if (f->imports >> i & 1)
			buf_add_fmt(&b, "%s%s", n++ > 0 ? ", " : "", wasm_import_names[i]);
	buf_add_fmt(&b, "%s\n  exports  ", f->imports == 0 ? "nothing" : "");
	for (uint32_t i = 0; i < f->exports_n; i++)
		buf_add_fmt(&b, "%s%.*s", i > 0 ? ", " : "", FMT(f->exports[i].name));
	buf_add_fmt(&b, "\n  memory   %u KB at the start", f->pages * 64);
	if (f->pages_max != UINT32_MAX)
		buf_add_fmt(&b, ", at most %u KB by its own declaration", f->pages_max * 64);
	buf_add_fmt(&b, "\n  code     %u functions%s\n", f->functions_n,
	    f->has_start ? ", a start function" : "");
	if (f->pages > LIMIT_WASM_PAGES)
		buf_add_fmt(&b, "  needs    memory of %u KB where it is deployed: the usual "
		    "limit is %d KB\n", f->pages * 64, LIMIT_WASM_PAGES * 64);
	if ((f->imports & ~WASM_ALLOW_USUAL) != 0)
		buf_add_fmt(&b, "  needs    to be allowed what it imports: --allow, or `allow` of "
		    "its file\n");
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
}

static int
check_file(struct str path, bool json, struct err *e)
{
	struct arena a = ARENA(FACTS_BYTES);
	struct wasm_module *m;
	struct buf bytes;
	int rc = wasm_local_read(&bytes, path, e);

	if (rc == OK) {
		rc = wasm_module_read(&m, buf_str(&bytes), false, &a, e);
		if (rc == OK)
			(json ? print_json : print_facts)(path, buf_str(&bytes),
			    wasm_module_facts(m));
		else
			printf("%.*s: refused: %s\n", FMT(path), e->text);
		e->text[0] = '\0';
	}
	buf_release(&bytes);
	arena_release(&a);
	return rc;
}

static void
print_tools(void)
{
	struct wasm_tools t;

	wasm_tools_find(&t);
	printf("compile with wasm2c %s, tcc %s, gcc %s\n",
	    t.wasm2c[0] != '\0' ? t.wasm2c : "(missing: apt install wabt)",
	    t.tcc[0] != '\0' ? t.tcc : "(missing: apt install tcc)",
	    t.gcc[0] != '\0' ? t.gcc : "(missing: apt install gcc libc6-dev)");
}

int
cmd_wasm_check(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e = { 0 };
	int rc = line_parse(&l, cmd, argc, argv, &a, &e), code = 0;

	if (rc < 0)
		code = command_usage_error(cmd->name, &e);
	for (size_t i = 0; rc == OK && i < l.operands_n; i++) {
		if (check_file(l.operand[i], line_has(&l, "json"), &e) == OK)
			continue;
		code = 1;
		if (e.text[0] != '\0')
			fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
	}
	if (rc == OK && !line_has(&l, "json"))
		print_tools();
	arena_release(&a);
	return code;
}

/* ---- build ---------------------------------------------------------------------------- */

static int
build_with(struct shard *s, struct str path, const struct wasm_local_build *w, struct err *e)
{
	const char *name = wasm_compiler_names[w->compiler];
	struct wasm_code *code;
	struct err why = { 0 };
	nsec took;
	int rc = wasm_local_build(&code, s, w, &took, &why);

	if (rc < 0)
		return err_set(e, rc, "%.*s: %s", FMT(path), why.text);
	if (took > 0)
		printf("%.*s: %s, %.2f s: %.*s\n", FMT(path), name, (double)took / NS_PER_S,
		    FMT(code->path));
	else
		printf("%.*s: %s, was in the cache: %.*s\n", FMT(path), name,
		    FMT(code->path));
	fflush(stdout);
	wasm_code_drop(code);
	return OK;
}

static int
build_file(struct shard *s, const struct flag_line *l, const char *cache, struct str path,
    struct err *e)
{
	struct str with = line_text(l, "compiler");
	bool both = with.n == 0 || str_eq(with, S("both"));
	struct buf bytes;
	int rc = wasm_local_read(&bytes, path, e);

	for (int c = 0; rc == OK && c < WASM_COMPILERS; c++)
		if (both || str_eq(with, str_of(wasm_compiler_names[c])))
			rc = build_with(s, path, &(struct wasm_local_build){ .cache = cache,
			    .bytes = buf_str(&bytes), .compiler = (enum wasm_compiler)c,
			    .any = line_has(l, "any") }, e);
	buf_release(&bytes);
	return rc;
}

/* Each is tried; what fails is told at once. */
static int
build(const struct flag_command *cmd, const struct flag_line *l)
{
	char cache[PATH_BYTES];
	struct shard *s = NULL;
	struct err e;
	int rc = wasm_local_cache(l, cache, sizeof cache, &e), bad = 0;

	if (rc == OK)
		rc = shard_new(&s, 0, &e);
	for (size_t i = 0; i < l->operands_n; i++) {
		if (s != NULL)
			rc = build_file(s, l, cache, l->operand[i], &e);
		bad += rc < 0;
		if (rc < 0)
			fprintf(stderr, "cohort %s: %s\n", cmd->name, e.text);
		if (s == NULL)
			break;
	}
	shard_free(s);
	return bad > 0;
}

int
cmd_wasm_build(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e = { 0 };
	int rc = line_parse(&l, cmd, argc, argv, &a, &e), code;

	if (rc == OK)
		rc = line_check_values(&l, &e);
	log_threshold = LOG_WARN;
	code = rc < 0 ? command_usage_error(cmd->name, &e) : build(cmd, &l);
	arena_release(&a);
	return code;
}
