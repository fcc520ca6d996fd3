/*
 * console.c - see console.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "wasm/host/console.h"
#include "wasm/host/guest_priv.h"
#include "wasm/host/lock.h"
#include "wasm/host/memory.h"

#define LINE_BYTES  (2 * MB)
#define VALUES_MAX  1000                     /* arguments or results; the language's engines take 1,000 */

static struct object object;
static struct guest *guest;
static struct buf line, out, saved;
static struct guest_limits bounds = {
	.allow = UINT32_MAX, .pages = 65536, .depth = LIMIT_WASM_DEPTH_MAX, .host_calls = UINT32_MAX,
	.message_bytes = LIMIT_WASM_MESSAGE_BYTES, .fuel = INT64_C(1) << 40, .cpu = LIMIT_WASM_CPU_MAX_US * INT64_C(1000),
};

static const char *const trap_names[] = {
#define X(name, text) #name,
	WASM_TRAP_MAP(X)
#undef X
};
static const char *const trap_texts[] = {
#define X(name, text) text,
	WASM_TRAP_MAP(X)
#undef X
};

static void
flush(void)
{
	for (size_t at = 0; at < out.n; ) {
		ssize_t n = write(1, out.p + at, out.n - at);

		if (n < 0 && errno != EINTR)
			_exit(1);
		at += n > 0 ? (size_t)n : 0;
	}
	buf_clear(&out);
}

/* A line of what the guest said; it has no line ends of its own. */
static void
say(const char *what, struct str text)
{
	buf_add(&out, str_of(what));
	for (size_t i = 0; i < text.n; i++)
		buf_add_char(&out, text.p[i] == '\n' ? ' ' : text.p[i]);
	buf_lit(&out, "\n");
}

static void
on_log(void *arg, int level, struct str text)
{
	char what[16];

	(void)arg;
	snprintf(what, sizeof what, "log %d ", level);
	say(what, text);
}

static void
on_send(void *arg, struct str json)
{
	(void)arg;
	say("send ", json);
}

static void
on_reply(void *arg, struct str json)
{
	(void)arg;
	say("reply ", json);
}

static void
on_ask(void *arg, enum wasm_import what, struct str name, struct str body)
{
	static const char *const words[] = {
		[WASM_STORE_GET] = "store_get ", [WASM_STORE_PUT] = "store_put ", [WASM_TOOL_CALL] = "tool_call ",
	};

	(void)arg;
	say(words[what], name);
	if (body.n > 0)
		say("  ", body);
}

static const struct guest_host hooks = { .log = on_log, .send = on_send, .reply = on_reply, .ask = on_ask };

/* There is no server here: the store is empty and there are no tools. */
static enum guest_end
finished(enum guest_end end)
{
	while (end == GUEST_WAITS)
		end = guest_answer(guest, GUEST_ENOENT, STR_NONE);
	if (end == GUEST_TRAPPED)
		buf_add_fmt(&out, "trap %s %s\n", trap_names[guest_trap(guest)], trap_texts[guest_trap(guest)]);
	return end;
}

static void
renew(void)
{
	guest_free(guest);
	guest = guest_new(&object, &bounds, NULL);
}

static void
do_new(struct str rest)
{
	(void)rest;
	renew();
	if (finished(guest_start(guest)) == GUEST_DONE)
		buf_lit(&out, "=\n");
}

static const struct { char letter; const char *name; int digits; } types[] = {
	{ 'i', "i32", 8 }, { 'I', "i64", 16 }, { 'f', "f32", 8 }, { 'F', "f64", 16 },
};

static int
type_of(char letter)
{
	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].letter == letter)
			return (int)i;
	return -1;
}

static bool
hex_bits(struct str s, int digits, uint64_t *bits)
{
	*bits = 0;
	for (size_t i = 0; i < s.n; i++) {
		int d = str_hex_digit(s.p[i]);

		if (d < 0)
			return false;
		*bits = *bits << 4 | (unsigned)d;
	}
	return s.n > 0 && s.n <= (size_t)digits;
}

/* The export of that name; -1 and a line if it cannot be called. */
static int
export_named(struct str name)
{
	const struct wasm_object *t = object.table;

	for (uint32_t i = 0; i < t->exports_n; i++) {
		if (!str_eq(name, str_of(t->export_names[i])))
			continue;
		if (t->exports[i] != NULL && strlen(t->export_types[i]) <= VALUES_MAX)
			return (int)i;
		buf_lit(&out, "error its types cannot be given here\n");
		return -1;
	}
	buf_add_fmt(&out, "error no function `%.*s` is exported\n", FMT(name));
	return -1;
}

/* Fills slots; NULL and a line if they are not of `letters`; else what follows `>`. */
static const char *
arguments(struct str rest, const char *letters, uint64_t *slots)
{
	struct str part;

	for (; *letters != '>'; letters++) {
		int type = type_of(*letters);

		if (type < 0 || !str_next(&rest, ' ', &part) || !hex_bits(part, types[type].digits, slots++)) {
			buf_lit(&out, "error the arguments are not of the function's types\n");
			return NULL;
		}
	}
	if (str_next(&rest, ' ', &part)) {
		buf_lit(&out, "error too many arguments\n");
		return NULL;
	}
	return letters + 1;
}

static void
do_invoke(struct str rest)
{
	static uint64_t slots[VALUES_MAX];
	struct str name = STR_NONE;
	const char *results;
	int n;

	str_next(&rest, ' ', &name);
	n = export_named(name);
	if (n < 0)
		return;
	memset(slots, 0, sizeof slots);
	results = arguments(rest, object.table->export_types[n], slots);
	if (results == NULL || finished(guest_invoke(guest, (uint32_t)n, slots)) != GUEST_DONE)
		return;
	buf_lit(&out, "=");
	for (size_t i = 0; results[i] != '\0'; i++) {
		int type = type_of(results[i]);

		buf_add_fmt(&out, " %s:%0*llx", types[type].name, types[type].digits,
		    (unsigned long long)(types[type].digits == 8 ? (uint32_t)slots[i] : slots[i]));
	}
	buf_lit(&out, "\n");
}

static void
do_call(struct str rest)
{
	if (object.table->alloc == NULL || object.table->handle_message == NULL || rest.n > bounds.message_bytes) {
		buf_lit(&out, "error the module takes no messages, or none so large\n");
		return;
	}
	if (finished(guest_call(guest, rest)) == GUEST_DONE)
		buf_add_fmt(&out, "= %d\n", guest_result(guest));
}

/* FNV-1a: only to compare. */
static uint64_t
hash_of(const void *p, size_t n)
{
	const unsigned char *bytes = p;
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n; i++)
		h = (h ^ bytes[i]) * UINT64_C(1099511628211);
	return h;
}

static void
do_state(struct str rest)
{
	const struct wasm_object *t = object.table;
	uint32_t pages;
	const uint8_t *memory = guest_memory(guest, &pages);

	(void)rest;
	buf_add_fmt(&out, "= pages=%u memory=%016llx", pages, (unsigned long long)hash_of(memory, pages * MEMORY_PAGE));
	for (uint32_t k = 0; k < t->globals_n; k++) {
		uint64_t bits = 0;

		memcpy(&bits, t->global(guest_instance(guest), k), t->globals[k]);
		buf_add_fmt(&out, " g%u=%llx", k, (unsigned long long)bits);
	}
	buf_lit(&out, "\n");
}

static void
do_save(struct str rest)
{
	struct err e;

	(void)rest;
	buf_clear(&saved);
	if (guest_save(guest, &saved, &e) != OK) {
		buf_release(&saved);
		buf_add_fmt(&out, "error %s\n", e.text);
		return;
	}
	buf_add_fmt(&out, "= %zu %016llx\n", saved.n, (unsigned long long)hash_of(saved.p, saved.n));
}

static void
do_restore(struct str rest)
{
	struct err e;

	(void)rest;
	renew();
	if (guest_restore(guest, buf_str(&saved), &e) == OK)
		buf_lit(&out, "=\n");
	else
		buf_add_fmt(&out, "error %s\n", e.text);
}

/* Limits, from the next call or `new` on; each is in one of two types. */
static const struct { const char *word; uint64_t max; uint32_t *u32; int64_t *i64, unit; } settings[] = {
	{ "fuel", INT64_MAX, NULL, &bounds.fuel, 1 },
	{ "cpu", 1000 * (uint64_t)LIMIT_WASM_CPU_MAX_US, NULL, &bounds.cpu, 1000 },    /* microseconds */
	{ "depth", LIMIT_WASM_DEPTH_MAX, &bounds.depth, NULL, 1 },
	{ "pages", 65536, &bounds.pages, NULL, 1 },
	{ "calls", UINT32_MAX, &bounds.host_calls, NULL, 1 },
	{ "message", LIMIT_WASM_MESSAGE_BYTES, &bounds.message_bytes, NULL, 1 },
	{ "allow", UINT32_MAX, &bounds.allow, NULL, 1 },
};

static bool
setting(struct str word, struct str rest)
{
	uint64_t n;

	for (size_t i = 0; i < COUNT(settings); i++) {
		if (!str_eq(word, str_of(settings[i].word)))
			continue;
		if (!str_to_u64(rest, &n) || n > settings[i].max) {
			buf_add_fmt(&out, "error %s: expected a number of at most %llu\n", settings[i].word,
			    (unsigned long long)settings[i].max);
			return true;
		}
		if (settings[i].u32 != NULL)
			*settings[i].u32 = (uint32_t)n;
		else
			*settings[i].i64 = (int64_t)n * settings[i].unit;
		buf_lit(&out, "=\n");
		return true;
	}
	return false;
}

static const struct { const char *word; void (*run)(struct str rest); bool started; } words[] = {
	{ "invoke", do_invoke, false }, { "call", do_call, true }, { "new", do_new, false },
	{ "state", do_state, true }, { "save", do_save, true }, { "restore", do_restore, false },
};

static void
obey(struct str text)
{
	struct str word = STR_NONE, rest = text;

	str_next(&rest, ' ', &word);
	guest_limit(guest, &bounds);
	for (size_t i = 0; i < COUNT(words); i++) {
		if (!str_eq(word, str_of(words[i].word)))
			continue;
		if (words[i].started && !guest_started(guest))
			buf_lit(&out, "error the instance did not start\n");
		else
			words[i].run(rest);
		return;
	}
	if (!setting(word, rest))
		buf_add_fmt(&out, "error unknown command `%.*s`: expected invoke, call, new, state, save, restore, fuel, "
		    "cpu, depth, pages, calls, message or allow\n", FMT(str_cut(word, 40)));
}

static int
lines_run(struct err *e)
{
	for (;;) {
		char *room = buf_room(&line, 64 * KB);
		ssize_t n;
		char *end;

		if (room == NULL)
			return err_set(e, ERR_TOOBIG, "a line is over %zu bytes", (size_t)LINE_BYTES);
		n = read(0, room, 64 * KB);
		if (n == 0 || (n < 0 && errno != EINTR))
			return OK;
		buf_added(&line, n > 0 ? (size_t)n : 0);
		while (line.n > 0 && (end = memchr(line.p, '\n', line.n)) != NULL) {
			obey((struct str){ line.p, (size_t)(end - line.p) });
			buf_drop_front(&line, (size_t)(end - line.p) + 1);
			flush();
		}
	}
}

int
console_run(const char *path, struct err *e)
{
	char file[PATH_MAX];                 /* dlopen looks for a bare name elsewhere */
	int rc;

	if (realpath(path, file) == NULL)
		return err_set(e, ERR_NOTFOUND, "%s: %m", path);
	rc = memories_setup(4, (size_t)8 << 30, e);
	if (rc == OK)
		rc = run_setup(1, e);
	if (rc == OK)
		rc = object_load(&object, file, "0000000000000000000000000000000000000000000000000000000000000000", e);
	if (rc == OK)
		rc = lock_early(false, e);
	if (rc == OK && LOCKED_IN)
		rc = lock_in(e);
	if (rc != OK)
		return rc;
	guests_setup(&hooks);
	line = BUF(LINE_BYTES);
	saved = BUF(LIMIT_WASM_IMAGE_BYTES);
	out = BUF(64 * MB);
	do_new(STR_NONE);
	flush();
	return lines_run(e);
}
