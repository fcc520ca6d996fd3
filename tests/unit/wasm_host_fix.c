/*
 * wasm_host_fix.c - see wasm_host_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "harness/test.h"
#include "unit/wasm_host_fix.h"
#include "wasm/build_priv.h"
#include "wasm/host/memory.h"

extern char **environ;

char fix_said[4096];

static void
tool(const char *const *argv)
{
	pid_t child;
	int status;

	CHECK(posix_spawnp(&child, argv[0], NULL, NULL, (char *const *)argv, environ) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
file_write(const char *path, struct str bytes)
{
	FILE *f = fopen(path, "wb");

	CHECK(f != NULL && fwrite(bytes.p, 1, bytes.n, f) == bytes.n && fclose(f) == 0);
}

static void
file_read(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	CHECK(f != NULL);
	while ((n = fread(buf_room(out, 4096), 1, 4096, f)) > 0)
		buf_added(out, n);
	CHECK(fclose(f) == 0);
}

/* The C that the wasm2c here writes. */
static const char *
dialect(void)
{
	struct wasm_tools tools;

	wasm_tools_find(&tools);
	return strcmp(tools.wasm2c, "1.0.32") == 0 ? "-DCOHORT_WASM2C=10032" : "-DCOHORT_WASM2C=10036";
}

const char *
fix_object(const char *wat, const char *compiler)
{
	static const char include[] = "-I" TESTS "/../src/wasm";
	static int number;
	static char paths[16][32];
	const char *const wat2wasm[] = { "wat2wasm", "m.wat", "-o", "m.wasm", NULL };
	const char *const wasm2c[] = { "wasm2c", "n.wasm", "-n", "m", "-o", "m.c", NULL };
	char *object = paths[number];
	const char *const tcc[] = { "tcc", "-shared", "-w", "-DNDEBUG", dialect(), include, "-I.",
	    "adapter.c", "-o", object, "-lm", NULL };
	const char *const gcc[] = { "gcc", "-w", "-O1", "-fPIC", "-shared", "-fno-strict-aliasing",
	    "-fno-optimize-sibling-calls", "-frounding-math", "-fsignaling-nans", "-fstack-clash-protection",
	    "-fvisibility=hidden", "-DNDEBUG", dialect(), include, "-I.", "adapter.c",
	    "-o", object, "-lm", NULL };
	struct buf bytes = BUF(MB), out = BUF(MB), adapter = BUF(MB);
	struct wasm_module *m;
	struct arena a = ARENA(16 * MB);
	struct err e;

	CHECK(number < (int)COUNT(paths));
	snprintf(object, sizeof paths[0], "./object%d.so", number++);
	file_write("m.wat", str_of(wat));
	tool(wat2wasm);
	file_read("m.wasm", &bytes);
	if (wasm_module_read(&m, buf_str(&bytes), true, &a, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	CHECK_RC(wasm_module_write(m, &out), OK);
	file_write("n.wasm", buf_str(&out));
	tool(wasm2c);
	wasm_adapter_write(wasm_module_facts(m), &adapter);
	file_write("adapter.c", buf_str(&adapter));
	tool(strcmp(compiler, "gcc") == 0 ? gcc : tcc);
	buf_release(&bytes);
	buf_release(&out);
	buf_release(&adapter);
	arena_release(&a);
	return object;
}

static void
note(const char *format, ...)
{
	size_t n = strlen(fix_said);
	va_list ap;

	va_start(ap, format);
	vsnprintf(fix_said + n, sizeof fix_said - n, format, ap);
	va_end(ap);
}

static void
on_log(void *arg, int level, struct str text)
{
	(void)arg;
	note("log %d %.*s\n", level, FMT(text));
}

static void
on_send(void *arg, struct str json)
{
	(void)arg;
	note("send %.*s\n", FMT(json));
}

static void
on_reply(void *arg, struct str json)
{
	(void)arg;
	note("reply %.*s\n", FMT(json));
}

static void
on_ask(void *arg, enum wasm_import what, struct str name, struct str body)
{
	(void)arg;
	note("ask %d %.*s %.*s\n", what, FMT(name), FMT(body));
}

void
fix_guests(size_t memory_bytes)
{
	static const struct guest_host hooks = { on_log, on_send, on_reply, on_ask };
	struct err e;

	CHECK_RC(memories_setup(100, memory_bytes, &e), OK);
	CHECK_RC(run_setup(4, &e), OK);
	guests_setup(&hooks);
}

struct guest_limits
fix_limits(void)
{
	return (struct guest_limits){
		.allow = UINT32_MAX, .pages = 16, .depth = LIMIT_WASM_DEPTH, .host_calls = LIMIT_WASM_HOST_CALLS,
		.message_bytes = LIMIT_WASM_MESSAGE_BYTES, .fuel = LIMIT_WASM_FUEL, .cpu = 2 * NS_PER_S,
	};
}

struct object *
fix_load(const char *wat, const char *compiler)
{
	static struct object all[16];
	static size_t n;
	struct object *o = &all[n++];
	struct err e;

	CHECK(n <= COUNT(all));
	if (object_load(o, fix_object(wat, compiler), FIX_HASH, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	return o;
}

struct guest *
fix_started(struct object *o)
{
	struct guest_limits given = fix_limits();
	struct guest *g = guest_new(o, &given, NULL);

	CHECK(guest_start(g) == GUEST_DONE);
	return g;
}

enum guest_end
fix_invoke(struct guest *g, const char *name, uint64_t *result, size_t n, const uint64_t *args)
{
	const struct wasm_object *t = guest_object(g)->table;
	static uint64_t slots[16];
	enum guest_end end;

	for (uint32_t i = 0; i < t->exports_n; i++) {
		if (strcmp(t->export_names[i], name) != 0)
			continue;
		memset(slots, 0, sizeof slots);
		memcpy(slots, args, n * sizeof *slots);
		end = guest_invoke(g, i, slots);
		if (result != NULL)
			*result = slots[0];
		return end;
	}
	test_fail(__FILE__, __LINE__, "no export %s", name);
}
