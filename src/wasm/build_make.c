/*
 * build_make.c - the programs that make an object of a module, and what they say.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/build_child.h"
#include "wasm/build_priv.h"

#define SAID_MAX  (8 * KB)
#define PATH_SIZE 512
#define ARGS_MAX  32
#define FULL      (1 * MB)                   /* a disk with less is full */

/* The package of Debian that has a program. */
static const char *
package_of(const char *program)
{
	return str_starts(str_of(program), S("wa")) ? "wabt" : program;
}

static int
program_find(const char *name, char path[PATH_SIZE], struct err *e)
{
	if (wasm_program_find(name, path, PATH_SIZE))
		return OK;
	return err_set(e, ERR_NOTFOUND, "%s is missing: apt-get install %s", name,
	    package_of(name));
}

/* The first line that says more than where, without control bytes. */
static void
words_of(const struct buf *said, char out[300])
{
	struct str rest = buf_str(said), line, found = STR_NONE;
	size_t n = 0;

	while (str_next(&rest, '\n', &line))
		if (str_contains(line, S("error")) || found.n == 0) {
			found = line;
			if (str_contains(line, S("error")))
				break;
		}
	for (size_t i = 0; i < found.n && n < 299; i++)
		out[n++] = found.p[i] >= ' ' && found.p[i] < 127 ? found.p[i] : '?';
	out[n] = '\0';
}

/* What a failure means, by what the program said. */
static int
failure(int rc, const char *what, const char *dir, const struct buf *said, struct err *e)
{
	struct statvfs fs;
	char words[300];
	struct err was = *e;

	if (rc != ERR_INVALID)
		return rc;
	if (str_contains(buf_str(said), S("No space left on device")) ||
	    (dir != NULL && statvfs(dir, &fs) == 0 && fs.f_bavail * fs.f_frsize < FULL))
		return err_set(e, ERR_IO, "%s: the disk is full", dir);
	if (str_contains(buf_str(said), S("alloca.h")) || str_contains(buf_str(said), S("math.h")))
		return err_set(e, ERR_NOTFOUND,
		    "the headers of the C library are missing: apt-get install libc6-dev");
	words_of(said, words);
	return err_set(e, ERR_INVALID, "%s: %s%s%s", what, was.text, words[0] != '\0' ? ": " : "",
	    words);
}

static int
run(const char *const argv[], const char *dir, bool forks, msec time, const atomic_bool *stop,
    const char *what, struct err *e)
{
	struct wasm_child c = { .argv = argv, .dir = dir, .time = time, .forks = forks,
	    .stop = stop };
	struct buf said = BUF(SAID_MAX);
	int rc = wasm_child_run(&c, &said, e);

	rc = failure(rc, what, dir, &said, e);
	buf_release(&said);
	return rc;
}

/* -- versions -- */

/* The first word that begins with a digit. */
static void
version_ask(const char *name, const char *flag, char out[64])
{
	char path[PATH_SIZE];
	const char *const argv[] = { path, flag, NULL };
	struct wasm_child c = { .argv = argv, .time = LIMIT_WASM_BUILD_MS };
	struct buf said = BUF(SAID_MAX);
	struct err e;
	struct str rest, word;

	out[0] = '\0';
	if (wasm_program_find(name, path, sizeof path) && wasm_child_run(&c, &said, &e) == OK) {
		rest = buf_str(&said);
		while (out[0] == '\0' && str_next(&rest, ' ', &word)) {
			word = str_trim(word);
			if (word.n > 0 && word.n < 64 && word.p[0] >= '0' && word.p[0] <= '9')
				(void)snprintf(out, 64, "%.*s", FMT(word));
		}
	}
	buf_release(&said);
}

void
wasm_tools_find(struct wasm_tools *out)
{
	version_ask("wasm2c", "--version", out->wasm2c);
	version_ask("wat2wasm", "--version", out->wat2wasm);
	version_ask("tcc", "-v", out->tcc);
	version_ask("gcc", "-dumpfullversion", out->gcc);
}

/* The C that this wasm2c writes: the number for COHORT_WASM2C. */
static int
dialect_find(const char **define, struct err *e)
{
	char version[64];
	int a, b, c;

	version_ask("wasm2c", "--version", version);
	if (sscanf(version, "%d.%d.%d", &a, &b, &c) != 3)
		return err_set(e, ERR_NOTFOUND, "wasm2c does not tell its version: apt-get install "
		    "--reinstall wabt");
	if (a == 1 && b == 0 && c == 32)
		*define = "-DCOHORT_WASM2C=10032";
	else if (a > 1 || b > 0 || c >= 36)
		*define = "-DCOHORT_WASM2C=10036";
	else
		return err_set(e, ERR_NOTFOUND, "wasm2c %s is not one that is known here; 1.0.32 is, "
		    "and 1.0.36 and later", version);
	return OK;
}

/* -- steps -- */

static int
put(const char *dir, const char *name, struct str text, struct err *e)
{
	char path[PATH_SIZE];

	if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
		return err_set(e, ERR_TOOBIG, "%s: the path is too long", dir);
	return file_put(path, text, e);
}

static int
files_write(const struct wasm_unit *u, const char *dir, struct err *e)
{
	int rc = put(dir, "m.wasm", buf_str(&u->module), e);

	if (rc == OK)
		rc = put(dir, "adapter.c", buf_str(&u->adapter), e);
	for (const struct wasm_text *t = wasm_runtime; rc == OK && t->file != NULL; t++)
		rc = put(dir, t->file, str_of(t->text), e);
	return rc;
}

static int
compile(enum wasm_compiler compiler, const char *define, const char *dir, msec time,
    const atomic_bool *stop, struct err *e)
{
	char path[PATH_SIZE];
	const char *argv[ARGS_MAX];
	size_t n = 0;
	int rc = program_find(wasm_compiler_names[compiler], path, e);

	if (rc != OK)
		return rc;
	argv[n++] = path;
	for (const char *const *f = wasm_flags[compiler]; *f != NULL && n < ARGS_MAX - 6; f++)
		argv[n++] = *f;
	argv[n++] = define;
	argv[n++] = "-o";
	argv[n++] = WASM_MADE;
	argv[n++] = "adapter.c";
	argv[n++] = "-lm";
	argv[n] = NULL;
	return run(argv, dir, compiler == WASM_GCC, time, stop,
	    "the C of the module cannot be compiled", e);
}

int
wasm_make(const struct wasm_unit *u, enum wasm_compiler compiler, const char *dir, msec time,
    const atomic_bool *stop, struct err *e)
{
	char path[PATH_SIZE];
	const char *const argv[] = { path, "m.wasm", "-n", "m", "-o", "m.c", NULL };
	const char *define = NULL;
	int rc = program_find("wasm2c", path, e);

	if (time == 0)
		time = LIMIT_WASM_BUILD_MS;
	if (rc == OK)
		rc = dialect_find(&define, e);
	if (rc == OK)
		rc = files_write(u, dir, e);
	if (rc == OK)
		rc = run(argv, dir, false, time, stop, "the module is not valid", e);
	if (rc == OK)
		rc = compile(compiler, define, dir, time, stop, e);
	return rc;
}

/* -- the text format -- */

bool
wasm_is_text(struct str bytes)
{
	return !str_starts(bytes, (struct str){ "\0asm", 4 });
}

static int
text_make(const char *dir, struct str text, struct buf *out, struct err *e)
{
	char path[PATH_SIZE], made[PATH_SIZE];
	const char *const argv[] = { path, "m.wat", "-o", "m.wasm", NULL };
	int rc = program_find("wat2wasm", path, e);

	if (rc == OK)
		rc = put(dir, "m.wat", text, e);
	if (rc == OK)
		rc = run(argv, dir, false, LIMIT_WASM_BUILD_MS, NULL, "the text is not a module", e);
	if (rc == OK && (size_t)snprintf(made, sizeof made, "%s/m.wasm", dir) >= sizeof made)
		rc = err_set(e, ERR_TOOBIG, "%s: the path is too long", dir);
	if (rc == OK)
		rc = file_add(made, out, e);
	return rc;
}

int
wasm_text_read(const char *cache, struct str text, struct buf *out, struct err *e)
{
	char *dir;
	int rc = wasm_cache_open(cache, e);

	if (rc == OK)
		rc = wasm_folder_new(&dir, cache, e);
	if (rc != OK)
		return rc;
	rc = text_make(dir, text, out, e);
	wasm_folder_remove(dir);
	free(dir);
	return rc;
}
