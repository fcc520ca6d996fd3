/*
 * wasm_build.c - modules become objects: by both compilers, from the cache, and not when
 * something is missing, wrong, slow or full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "wasm/abi.h"
#include "wasm/build.h"

#define GUEST                                                                          \
	"(module (import \"cohort\" \"reply\" (func $reply (param i32 i32) (result i32)))"   \
	"(memory (export \"memory\") 1)"                                                    \
	"(func (export \"alloc\") (param i32) (result i32) i32.const 1024)"                 \
	"(func (export \"handle_message\") (param i32 i32) (result i32)"                    \
	"local.get 0 local.get 1 call $reply))"

static char cache[PATH_MAX];
static struct shard *shard;

static void
set_up(void)
{
	struct err e;
	char here[PATH_MAX - 16];

	CHECK(getcwd(here, sizeof here) != NULL);
	snprintf(cache, sizeof cache, "%s/cache", here);
	CHECK_RC(shard_new(&shard, 0, &e), OK);
}

static void
tear_down(void)
{
	shard_free(shard);
}

static struct buf
assemble(const char *text)
{
	struct buf b = BUF(LIMIT_WASM_MODULE_BYTES);
	struct err e;

	if (wasm_text_read(cache, str_of(text), &b, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	return b;
}

struct result { int rc, n; struct wasm_code *code; struct err e; };

static void
built(struct wasm_build *b, int rc, struct wasm_code *code, const struct err *e)
{
	struct result *r = b->build_data;

	*r = (struct result){ rc, r->n + 1, code, *e };
}

static int
build(struct str module, enum wasm_compiler compiler, msec time, struct result *r)
{
	struct wasm_build b = { .bytes = module, .compiler = compiler, .any = true, .time = time,
	    .done = built, .build_data = r };

	*r = (struct result){ 0 };
	wasm_build_start(shard, cache, &b);
	while (r->n == 0)
		shard_turn(shard);
	return r->rc;
}

/* A folder that is all of PATH; `programs`: of the system, by name. */
static void
path_only(const char *const *programs)
{
	char here[PATH_MAX - 16], from[64], to[64], bin[PATH_MAX];

	CHECK(mkdir("bin", 0700) == 0 && getcwd(here, sizeof here) != NULL);
	for (; *programs != NULL; programs++) {
		snprintf(from, sizeof from, "/usr/bin/%s", *programs);
		snprintf(to, sizeof to, "bin/%s", *programs);
		CHECK(symlink(from, to) == 0);
	}
	snprintf(bin, sizeof bin, "%s/bin", here);
	CHECK(setenv("PATH", bin, 1) == 0);
}

static void
script_put(const char *path, const char *text)
{
	struct err e;

	CHECK_RC(file_put(path, str_of(text), &e), OK);
	CHECK(chmod(path, 0700) == 0);
}

/* -- an object, as a host process has it -- */

static sigjmp_buf trapped;

static void trap_now(int why) { siglongjmp(trapped, why); }

static uint8_t *
memory_new(uint32_t pages, uint32_t *max)
{
	uint8_t *p = mmap(NULL, ((size_t)8 << 30) + 65536, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED && mprotect(p, (size_t)pages << 16, PROT_READ | PROT_WRITE) == 0);
	*max = *max < 16 ? *max : 16;
	return p;
}

static int
memory_grow(uint8_t *p, uint32_t pages, uint32_t more)
{
	return mprotect(p + ((size_t)pages << 16), (size_t)more << 16, PROT_READ | PROT_WRITE);
}

static void memory_free(uint8_t *p) { munmap(p, ((size_t)8 << 30) + 65536); }

static void *
table_new(void *old, size_t bytes)
{
	return bytes > MB ? NULL : realloc(old, bytes);
}

static uint64_t calls[2];

static uint64_t
host_call(unsigned which, const uint64_t *args)
{
	CHECK_INT(which, WASM_REPLY);
	calls[0] = args[0];
	calls[1] = args[1];
	return 7;
}

static const struct wasm_env env = { trap_now, memory_new, memory_grow, memory_free, table_new,
    free, host_call };

static const struct wasm_object *
load(const struct wasm_code *code)
{
	void *so = dlopen(code->path.p, RTLD_NOW | RTLD_LOCAL);
	const struct wasm_object *o;
	struct buf maps = BUF(MB);
	struct err e;

	if (so == NULL)
		test_fail(__FILE__, __LINE__, "%s", dlerror());
	o = dlsym(so, "cohort_wasm_object");
	CHECK(o != NULL && o->abi == WASM_ABI);
	/* tcc's objects would have made the stack so. */
	CHECK_RC(file_add("/proc/self/maps", &maps, &e), OK);
	CHECK(!str_contains(buf_str(&maps), S("rwxp")));
	buf_release(&maps);
	o->bind(&env);
	o->meter_set(&(struct wasm_meter){ 1000000, 0, 500 });
	return o;
}

/* -- tests -- */

TEST(wasm_build_by_both_compilers_then_from_the_cache)
{
	struct buf m;
	struct result r;
	struct wasm_code *code;
	struct err e;
	struct wasm_meter after;

	set_up();
	m = assemble(GUEST);
	for (int c = 0; c < WASM_COMPILERS; c++) {
		CHECK_RC(build(buf_str(&m), (enum wasm_compiler)c, 0, &r), OK);
		CHECK_INT(r.code->compiler, c);
		CHECK(str_ends(r.code->path, c == WASM_TCC ? S(".tcc.so") : S(".gcc.so")));
		const struct wasm_object *o = load(r.code);
		void *i = calloc(1, o->instance_bytes);
		CHECK_INT(sigsetjmp(trapped, 0), 0);
		o->instantiate(i);
		CHECK_INT(o->alloc(i, 10), 1024);
		CHECK_INT(o->handle_message(i, 5, 6), 7);
		CHECK(calls[0] == 5 && calls[1] == 6);
		o->meter_get(&after);
		CHECK(after.fuel < 1000000 && after.fuel > 999900 && after.depth == 0);
		CHECK_STR(str_of(o->export_names[1]), "handle_message");
		CHECK_STR(str_of(o->export_types[1]), "ii>i");
		o->release(i);
		free(i);
		CHECK_RC(wasm_build_cached(&code, cache, buf_str(&m), false, &e), OK);
		CHECK(str_eq(code->path, r.code->path) && strlen(code->hash) == 64);
		wasm_code_drop(code);
		wasm_code_drop(r.code);
	}
	/* Without any program. */
	path_only((const char *const[]){ NULL });
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), OK);
	wasm_code_drop(r.code);
	buf_release(&m);
	tear_down();
}

TEST(wasm_build_says_what_is_missing)
{
	struct buf m;
	struct result r;
	struct err e;
	struct wasm_code *code;
	struct wasm_tools tools;

	set_up();
	m = assemble(GUEST);
	path_only((const char *const[]){ "wasm2c", NULL });
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_NOTFOUND);
	CHECK_STR(str_of(r.e.text), "tcc is missing: apt-get install tcc");
	CHECK_RC(build(buf_str(&m), WASM_GCC, 0, &r), ERR_NOTFOUND);
	CHECK_STR(str_of(r.e.text), "gcc is missing: apt-get install gcc");
	wasm_tools_find(&tools);
	CHECK(strchr(tools.wasm2c, '.') != NULL && tools.tcc[0] == '\0' && tools.gcc[0] == '\0');
	CHECK(unlink("bin/wasm2c") == 0);
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_NOTFOUND);
	CHECK_STR(str_of(r.e.text), "wasm2c is missing: apt-get install wabt");
	CHECK_RC(wasm_text_read(cache, S("(module)"), &m, &e), ERR_NOTFOUND);
	CHECK_RC(wasm_build_cached(&code, cache, buf_str(&m), true, &e), ERR_NOTFOUND);
	script_put("bin/wasm2c", "#!/bin/sh\necho 1.0.34\n");
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_NOTFOUND);
	CHECK(str_starts(str_of(r.e.text), S("wasm2c 1.0.34 is not one that is known here")));
	buf_release(&m);
	tear_down();
}

TEST(wasm_build_refuses_what_is_not_valid)
{
	struct buf m = BUF(1000);
	struct result r;
	struct err e;

	set_up();
	CHECK_RC(build(S("not a module"), WASM_TCC, 0, &r), ERR_INVALID);
	CHECK_RC(wasm_text_read(cache, S("(module (func i32.nonsense))"), &m, &e), ERR_INVALID);
	CHECK(str_contains(str_of(e.text), S("i32.nonsense")));
	/* (func (result i32)) with an empty body. */
	CHECK_RC(build((struct str){ "\0asm\1\0\0\0\1\5\1\140\0\1\177\3\2\1\0\12\4\1\2\0\13", 25 },
	    WASM_TCC, 0, &r), ERR_INVALID);
	CHECK(str_contains(str_of(r.e.text), S("function 0, byte 24: nothing is on the stack where i32 is needed")));
	buf_release(&m);
	tear_down();
}

TEST(wasm_build_with_a_compiler_that_hangs_or_makes_nothing)
{
	struct buf m;
	struct result r;

	set_up();
	m = assemble(GUEST);
	path_only((const char *const[]){ "wasm2c", NULL });
	script_put("bin/tcc", "#!/bin/sh\nwhile :; do :; done\n");
	CHECK_RC(build(buf_str(&m), WASM_TCC, 4000, &r), ERR_TIMEOUT);
	CHECK_STR(str_of(r.e.text), "tcc did not end within 4 s");
	script_put("bin/tcc", "#!/bin/sh\nexit 0\n");
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_IO);
	CHECK(str_starts(str_of(r.e.text), S("tcc made no object")));
	script_put("bin/tcc", "#!/bin/sh\necho none >out.so\n");
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_IO);
	CHECK_STR(str_of(r.e.text), "the compiler made no shared object");
	script_put("bin/tcc", "#!/bin/sh\necho \"adapter.c:1: error: no \033[31mluck\"\nexit 1\n");
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_INVALID);
	CHECK(str_contains(str_of(r.e.text), S("error: no ?[31mluck")));
	buf_release(&m);
	tear_down();
}

TEST(wasm_build_stopped_says_nothing_more)
{
	struct buf m;
	struct result r = { 0 };
	struct wasm_build b = { .any = true, .done = built, .build_data = &r };

	set_up();
	m = assemble(GUEST);
	path_only((const char *const[]){ "wasm2c", NULL });
	/* The thread's work ends soon after, and with it the folder. */
	script_put("bin/tcc", "#!/bin/sh\n>runs\nwhile :; do :; done\n");
	b.bytes = buf_str(&m);
	wasm_build_start(shard, cache, &b);
	wasm_build_stop(&b);
	wasm_build_stop(&b);
	CHECK_RC(build(buf_str(&m), WASM_TCC, 300, &r), ERR_TIMEOUT);
	CHECK_INT(r.n, 1);
	buf_release(&m);
	tear_down();
}

TEST(wasm_build_queue_has_an_end)
{
	enum { MANY = LIMIT_WASM_BUILDS_WAITING + LIMIT_WASM_BUILDS + 1 };
	static struct wasm_build b[MANY];
	static struct result r[MANY];
	struct buf m;

	set_up();
	m = assemble(GUEST);
	path_only((const char *const[]){ "wasm2c", NULL });
	script_put("bin/tcc", "#!/bin/sh\nwhile :; do :; done\n");
	for (int i = 0; i < MANY; i++) {
		b[i] = (struct wasm_build){ .bytes = buf_str(&m), .any = true, .done = built,
		    .build_data = &r[i] };
		wasm_build_start(shard, cache, &b[i]);
	}
	while (r[MANY - 1].n == 0)
		shard_turn(shard);
	CHECK_RC(r[MANY - 1].rc, ERR_LIMIT);
	CHECK(str_contains(str_of(r[MANY - 1].e.text), S("try again later")));
	for (int i = 0; i < MANY; i++)
		wasm_build_stop(&b[i]);
	buf_release(&m);
	tear_down();
}

TEST(wasm_build_of_one_module_twice_at_once)
{
	struct buf m, log = BUF(10000);
	struct result r[2] = { 0 };
	struct wasm_build b[2];
	struct err e;
	struct str rest, line;
	int made = 0, found = 0;

	set_up();
	m = assemble(GUEST);
	CHECK(freopen("log", "w", stderr) != NULL);
	for (int i = 0; i < 2; i++) {
		b[i] = (struct wasm_build){ .bytes = buf_str(&m), .done = built, .build_data = &r[i] };
		wasm_build_start(shard, cache, &b[i]);
	}
	while (r[0].n == 0 || r[1].n == 0)
		shard_turn(shard);
	CHECK(r[0].rc == OK && r[1].rc == OK && str_eq(r[0].code->path, r[1].code->path));
	CHECK_RC(file_add("log", &log, &e), OK);
	rest = buf_str(&log);
	while (str_next(&rest, '\n', &line)) {
		made += str_contains(line, S("cached=false"));
		found += str_contains(line, S("cached=true"));
	}
	CHECK(made == 1 && found == 1);
	wasm_code_drop(r[0].code);
	wasm_code_drop(r[1].code);
	buf_release(&m);
	buf_release(&log);
	tear_down();
}

/* From now on this process mounts for itself, as root or as root of a namespace. */
static bool
mounts_own(void)
{
	char users[64], groups[64];
	struct err e;

	/* Not in a chroot: its / is no mount. */
	if (unshare(CLONE_NEWNS) == 0)
		return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	snprintf(users, sizeof users, "0 %u 1\n", (unsigned)geteuid());
	snprintf(groups, sizeof groups, "0 %u 1\n", (unsigned)getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	    file_put("/proc/self/setgroups", S("deny"), &e) == OK &&
	    file_put("/proc/self/uid_map", str_of(users), &e) == OK &&
	    file_put("/proc/self/gid_map", str_of(groups), &e) == OK &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

TEST(wasm_build_on_a_full_disk)
{
	struct buf m;
	struct result r;
	char size[64];
	int rc = ERR_IO;

	set_up();
	m = assemble(GUEST);
	if (!mounts_own()) {
		printf("a file system cannot be mounted here: not tested\n");
		return;
	}
	/* One file more fits each time; the object's copy is the last. */
	for (int kb = 8; rc != OK; kb += 8) {
		snprintf(size, sizeof size, "size=%dk,mode=0700", kb);
		CHECK(kb < 400 && mount("none", cache, "tmpfs", 0, size) == 0);
		rc = build(buf_str(&m), WASM_TCC, 0, &r);
		if (rc != OK && (rc != ERR_IO || (!str_contains(str_of(r.e.text), S("No space left")) &&
		    !str_contains(str_of(r.e.text), S("the disk is full")))))
			test_fail(__FILE__, __LINE__, "%d KB: %s: %s", kb, rc_name(rc), r.e.text);
		CHECK(umount(cache) == 0);
	}
	wasm_code_drop(r.code);
	buf_release(&m);
	tear_down();
}

TEST(wasm_build_takes_no_name_from_a_module)
{
	/* Custom section "name": module */
	static const char evil[] = "*/}\n#include \"/etc/passwd\"\nint x; /*";
	struct buf m, key = BUF(200);
	struct result r, plain;

	set_up();
	m = assemble("(module (memory (export \"memory\") 1)"
	    "(func (export \"a.b-c_Z0__\") (result i32) i32.const 3))");
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &plain), OK);
	buf_add_char(&m, 0);
	buf_add_char(&m, (char)(5 + 2 + 1 + sizeof evil - 1));
	buf_add(&m, (struct str){ "\4name\0", 6 });
	buf_add_char(&m, (char)(1 + sizeof evil - 1));
	buf_add_char(&m, (char)(sizeof evil - 1));
	buf_add(&m, str_of(evil));
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), OK);
	/* Another module, and yet the same object. */
	CHECK(strcmp(r.code->hash, plain.code->hash) != 0 && str_eq(r.code->path, plain.code->path));
	CHECK_STR(str_of(load(r.code)->export_names[0]), "a.b-c_Z0__");
	wasm_code_drop(r.code);
	wasm_code_drop(plain.code);
	buf_release(&m);
	buf_release(&key);
	tear_down();
}

static void *
instance_of(const struct wasm_object *o)
{
	void *i = calloc(1, o->instance_bytes);

	CHECK(i != NULL);
	return i;
}

/* wabt#2854: a table that got no memory must not keep its size. */
TEST(wasm_build_tables_without_room)
{
	struct buf big, grows;
	struct result r;

	set_up();
	big = assemble("(module (table 90000 funcref) (func $f) (elem (i32.const 0) $f)"
	    "(func (export \"call\") (param i32) local.get 0 call_indirect))");
	grows = assemble("(module (table 1 funcref) (func (export \"grow\") (param i32) (result i32)"
	    "ref.null func local.get 0 table.grow 0) (func (export \"size\") (result i32) table.size 0)"
	    "(func (export \"set\") (param i32) local.get 0 ref.null func table.set 0))");
	for (int c = 0; c < WASM_COMPILERS; c++) {
		uint64_t slots[2] = { 0 };

		CHECK_RC(build(buf_str(&big), (enum wasm_compiler)c, 0, &r), OK);
		const struct wasm_object *volatile o = load(r.code);
		void *volatile i = instance_of(o);
		volatile int why = sigsetjmp(trapped, 0);
		if (why == 0) {
			o->instantiate(i);
			CHECK(!"it has a table");
		}
		CHECK_INT(why, WASM_TRAP_MEMORY_START);
		o->release(i);
		free(i);
		wasm_code_drop(r.code);

		CHECK_RC(build(buf_str(&grows), (enum wasm_compiler)c, 0, &r), OK);
		o = load(r.code);
		i = instance_of(o);
		CHECK_INT(sigsetjmp(trapped, 0), 0);
		o->instantiate(i);
		for (slots[0] = 7; (uint32_t)slots[0] != UINT32_MAX; ) {
			slots[0] = 7000;
			o->exports[0](i, slots);
		}
		o->exports[1](i, slots);
		CHECK(slots[0] >= 7001 && slots[0] < 100000 && slots[0] % 7000 == 1);
		CHECK_INT(o->table_size(i, 0), slots[0]);
		why = sigsetjmp(trapped, 0);
		if (why == 0) {
			o->exports[2](i, slots);
			CHECK(!"there is an entry after the last");
		}
		CHECK_INT(why, WASM_TRAP_MEMORY);
		o->release(i);
		free(i);
		wasm_code_drop(r.code);
	}
	buf_release(&big);
	buf_release(&grows);
	tear_down();
}

/* 150,000 values of 8 bytes wait on the stack; tcc gives each a place in the frame. */
TEST(wasm_build_frame_over_a_guard)
{
	struct buf text = BUF(2 * MB), m;
	struct result r;
	int why;

	set_up();
	buf_lit(&text, "(module (func $many (result");
	for (int i = 0; i < 100; i++)
		buf_lit(&text, " i64");
	buf_lit(&text, ")");
	for (int i = 0; i < 100; i++)
		buf_lit(&text, " i64.const 1");
	buf_lit(&text, ") (func (export \"f\") (result i64)");
	for (int i = 0; i < 1500; i++)
		buf_lit(&text, " call $many");
	for (int i = 1; i < 150000; i++)
		buf_lit(&text, " i64.add");
	buf_lit(&text, "))");
	m = assemble(text.p);
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), OK);
	const struct wasm_object *o = load(r.code);
	void *i = instance_of(o);
	uint64_t slots[1];
	why = sigsetjmp(trapped, 0);
	if (why == 0) {
		o->instantiate(i);
		o->exports[0](i, slots);
		CHECK(!"the frame is larger than a guard may be");
	}
	CHECK_INT(why, WASM_TRAP_DEPTH);
	free(i);
	wasm_code_drop(r.code);
	buf_release(&text);
	buf_release(&m);
	tear_down();
}

/* Two servers with one cache: either way there is one whole object. */
TEST(wasm_build_by_two_processes_at_once)
{
	struct buf m;
	struct result r;
	int status = 1;
	pid_t other;

	other = fork();
	CHECK(other >= 0);
	set_up();
	m = assemble(GUEST);
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), OK);
	CHECK(load(r.code)->handle_message != NULL);
	if (other == 0)
		_exit(0);
	CHECK(waitpid(other, &status, 0) == other && status == 0);
	wasm_code_drop(r.code);
	buf_release(&m);
	tear_down();
}

/* An object of so many bytes, or a folder (0), last used so long ago. */
static void
left_behind(const char *name, off_t bytes, time_t ago)
{
	char path[PATH_MAX + 64];
	struct timespec when[2] = { { .tv_sec = time(NULL) - ago }, { .tv_sec = time(NULL) - ago } };

	snprintf(path, sizeof path, "%s/%s", cache, name);
	if (bytes == 0) {
		CHECK(mkdir(path, 0700) == 0);
		snprintf(path, sizeof path, "%s/%s/link", cache, name);
		CHECK(symlink("../../kept", path) == 0);
		snprintf(path, sizeof path, "%s/%s", cache, name);
	} else {
		int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);
		CHECK(fd >= 0 && ftruncate(fd, bytes) == 0);
		close(fd);
	}
	CHECK(utimensat(AT_FDCWD, path, when, 0) == 0);
}

static bool
is_cached(const char *name)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof path, "%s/%s", cache, name);
	return access(path, F_OK) == 0;
}

TEST(wasm_build_cache_has_an_end)
{
	struct buf guest, other;
	struct result r, next;
	off_t half = LIMIT_WASM_CACHE_BYTES / 2;
	struct err e;

	set_up();
	guest = assemble(GUEST);
	other = assemble("(module (memory (export \"memory\") 1))");
	CHECK(mkdir("kept", 0700) == 0);
	CHECK_RC(file_put("kept/file", S("x"), &e), OK);
	CHECK_RC(build(buf_str(&guest), WASM_TCC, 0, &r), OK);
	/* It is the oldest, and in use. */
	CHECK(utimensat(AT_FDCWD, r.code->path.p, (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0) == 0);
	left_behind("old.tcc.so", half, 5000);
	left_behind("newer.tcc.so", half, 4000);
	left_behind("build-killed", 0, 4000);
	left_behind("new-killed", 10, 4000);
	left_behind("build-other", 0, 10);
	CHECK_RC(build(buf_str(&other), WASM_TCC, 0, &next), OK);
	CHECK(!is_cached("old.tcc.so") && is_cached("newer.tcc.so"));
	CHECK(!is_cached("build-killed") && !is_cached("new-killed") && is_cached("build-other"));
	CHECK(access(r.code->path.p, F_OK) == 0 && access("kept/file", F_OK) == 0);
	wasm_code_drop(r.code);
	wasm_code_drop(next.code);
	buf_release(&guest);
	buf_release(&other);
	tear_down();
}

TEST(wasm_build_cache_is_ours_alone)
{
	struct buf m;
	struct result r;
	struct wasm_code *code;
	struct err e;

	set_up();
	m = assemble(GUEST);
	CHECK(chmod(cache, 0755) == 0);
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_DENIED);
	CHECK(str_contains(str_of(r.e.text), S("chmod 700")));
	CHECK_RC(wasm_build_cached(&code, cache, buf_str(&m), true, &e), ERR_DENIED);
	CHECK(rename(cache, "other") == 0 && symlink("other", cache) == 0);
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_DENIED);
	CHECK(unlink(cache) == 0);
	snprintf(cache, sizeof cache, "relative");
	CHECK_RC(build(buf_str(&m), WASM_TCC, 0, &r), ERR_IO);
	buf_release(&m);
	tear_down();
}
