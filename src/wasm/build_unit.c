/*
 * build_unit.c - a module from outside as what is compiled: metered bytes, adapter, and the
 * name that both have in the cache.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hmac.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/abi.h"
#include "wasm/build_priv.h"

#define ADAPTER_MAX (16 * MB)

const char *const wasm_compiler_names[] = { [WASM_TCC] = "tcc", [WASM_GCC] = "gcc" };

const struct wasm_text wasm_runtime[] = {
#include "wasm/wasm_runtime.h"
	{ NULL, NULL, NULL }
};

#define COMMON "-shared", "-w", "-DNDEBUG"

static const char *const tcc_flags[] = { COMMON, NULL };

/* A value that a trap needs is not optimised away, and a large frame touches each page of
 * the stack on its way. */
static const char *const gcc_flags[] = {
	COMMON, "-std=gnu11", "-O2", "-fPIC", "-fvisibility=hidden", "-fno-strict-aliasing",
	"-fwrapv", "-fno-optimize-sibling-calls", "-frounding-math", "-fsignaling-nans",
	"-ffp-contract=off", "-fno-math-errno", "-fstack-clash-protection",
	"-fno-asynchronous-unwind-tables", "-fno-unwind-tables",
	"-Wl,-z,defs,-z,now,-z,relro,-z,noexecstack,--build-id=none", NULL
};
const char *const *const wasm_flags[] = { [WASM_TCC] = tcc_flags, [WASM_GCC] = gcc_flags };

#if defined(__x86_64__)
#define MACHINE "x86-64 sysv"
#elif defined(__aarch64__)
#define MACHINE "aarch64 aapcs64"
#else
#error "which calling convention is this machine's?"
#endif

/* Changes when other files are made of the same parts (build_elf.c). */
#define FORMAT "2"

/* Each part with its length, so that nothing moves from one to the next. */
static void
part(struct buf *b, struct str s)
{
	buf_add_fmt(b, "%zu ", s.n);
	buf_add(b, s);
}

static void
digest(struct str s, char out[65])
{
	uint8_t sum[SHA256_SIZE];
	struct buf hex = BUF(64);

	sha256(s, sum);
	hex_add(&hex, sum, sizeof sum);
	memcpy(out, hex.p, 65);
	buf_release(&hex);
}

static void
key_make(struct wasm_unit *u)
{
	struct buf all = BUF(SIZE_MAX / 2);
	char module[65];

	digest(buf_str(&u->module), module);
	part(&all, S(MACHINE " " FORMAT));
	part(&all, str_of(module));
	part(&all, buf_str(&u->adapter));
	for (const struct wasm_text *t = wasm_runtime; t->file != NULL; t++)
		part(&all, str_of(t->text));
	for (int c = 0; c < WASM_COMPILERS; c++)
		for (const char *const *f = wasm_flags[c]; *f != NULL; f++)
			part(&all, str_of(*f));
	digest(buf_str(&all), u->key);
	buf_release(&all);
}

int
wasm_unit_read(struct wasm_unit *u, struct str bytes, bool any, bool unmetered, struct err *e)
{
	struct wasm_code *code = mem_new(struct wasm_code);
	struct wasm_module *m;
	int rc;

	*u = (struct wasm_unit){ .code = code, .module = BUF(LIMIT_WASM_OUT_BYTES),
	    .adapter = BUF(ADAPTER_MAX) };
	atomic_init(&code->refs, 1);
	code->arena = ARENA(LIMIT_WASM_CHECK_BYTES);
	rc = wasm_module_read(&m, bytes, any, &code->arena, e);
	if (rc == OK && unmetered)
		wasm_module_unmeter(m);
	if (rc == OK)
		rc = wasm_module_write(m, &u->module);
	if (rc == OK) {
		code->facts = wasm_module_facts(m);
		digest(bytes, code->hash);
		wasm_adapter_write(code->facts, &u->adapter);
		rc = u->adapter.failed ? err_set(e, ERR_TOOBIG, "the module's exports are too "
		    "many: their adapter has more than %zu bytes", ADAPTER_MAX) : OK;
	} else if (rc == ERR_TOOBIG && e->code != rc) {
		(void)err_set(e, rc, "the module is too large with its metering");
	}
	if (rc == OK)
		key_make(u);
	else
		wasm_unit_release(u);
	return rc;
}

void
wasm_unit_release(struct wasm_unit *u)
{
	wasm_code_drop(u->code);
	u->code = NULL;
	buf_release(&u->module);
	buf_release(&u->adapter);
}
