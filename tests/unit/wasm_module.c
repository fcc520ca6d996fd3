/*
 * wasm_module.c - modules from outside: what is accepted and told of, what is refused and
 * with which words, and what is written for the compiler.
 *
 * A module is made of the sections of a small guest, in hex, of which a test replaces some.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include "base/limits.h"
#include "harness/test.h"
#include "wasm/module.h"

#define HANDLE "0e 68616e646c655f6d657373616765"     /* "handle_message" */
#define ALLOC  "05 616c6c6f63"

/* In the order of a file; [0] is a custom section at the end. */
enum { CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, COUNT_, CODE, DATA, PARTS };
static const int ids[PARTS] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11 };
static const char *const guest[PARTS] = {
	/* (i32 i32) -> i32, (i32) -> i32, () -> () */
	[TYPE] = "03 60 02 7f7f 01 7f  60 01 7f 01 7f  60 00 00",
	[FUNCTION] = "02 00 01",
	[MEMORY] = "01 00 01",
	[EXPORT] = "02" HANDLE "00 00" ALLOC "00 01",
	[CODE] = "02  04 00 41 00 0b  04 00 41 10 0b",
};

static void
add_hex(struct buf *b, const char *hex)
{
	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		buf_add_char(b, (char)(str_hex_digit(hex[0]) << 4 | str_hex_digit(hex[1])));
		hex++;
	}
}

static void
add_u32(struct buf *b, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_add_char(b, (char)(v | 0x80));
	buf_add_char(b, (char)v);
}

static void
add_section(struct buf *b, int id, struct str content)
{
	buf_add_char(b, (char)id);
	add_u32(b, (uint32_t)content.n);
	buf_add(b, content);
}

/* The guest with one section replaced, or put where it belongs. */
static void
make(struct buf *b, const char *const parts[PARTS])
{
	buf_lit(b, "\0asm\1\0\0\0");
	for (int i = 1; i <= PARTS; i++) {
		int at = i % PARTS;
		struct buf content = BUF(1 * MB);

		if (parts[at] == NULL)
			continue;
		add_hex(&content, parts[at]);
		add_section(b, ids[at], buf_str(&content));
		buf_release(&content);
	}
	CHECK(!b->failed);
}

static int
read_bytes(struct wasm_module **m, struct str bytes, struct arena *a, struct err *e)
{
	e->text[0] = '\0';
	return wasm_module_read(m, bytes, false, a, e);
}

static void
check_refused(struct str bytes, int rc, const char *words)
{
	struct arena a = ARENA(LIMIT_WASM_CHECK_BYTES);
	struct wasm_module *m;
	struct err e;

	CHECK_RC(read_bytes(&m, bytes, &a, &e), rc);
	CHECK(m == NULL);
	if (strstr(e.text, words) == NULL)
		test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", e.text, words);
	arena_release(&a);
}

TEST(wasm_module_of_a_guest_is_told_of)
{
	struct arena a = ARENA(LIMIT_WASM_CHECK_BYTES);
	struct buf b = BUF(1 * MB);
	const char *parts[PARTS];
	const struct wasm_facts *f;
	struct wasm_module *m;
	struct err e;

	memcpy(parts, guest, sizeof parts);
	/* cohort.send is called, cohort.reply is not; alloc is function 3 then. */
	parts[IMPORT] = "02  06 636f686f7274 04 73656e64 00 00  06 636f686f7274 05 7265706c79 00 00";
	parts[EXPORT] = "02" HANDLE "00 02" ALLOC "00 03";
	parts[CODE] = "02  08 00 41 00 41 00 10 00 0b  04 00 41 10 0b";
	parts[MEMORY] = "01 01 02 10";
	parts[GLOBAL] = "02 7f 01 41 05 0b  7c 00 44 0000000000000000 0b";
	make(&b, parts);
	CHECK_RC(read_bytes(&m, buf_str(&b), &a, &e), OK);
	f = wasm_module_facts(m);
	CHECK_INT(f->imports, 1u << WASM_SEND);
	CHECK_INT(f->exports_n, 2);
	CHECK_INT(f->handle_message, 0);
	CHECK_INT(f->alloc, 1);
	CHECK_INT(f->initialize, -1);
	CHECK_STR(f->exports[1].name, "alloc");
	CHECK_INT(f->exports[0].type->params_n, 2);
	CHECK_INT(f->pages, 2);
	CHECK_INT(f->pages_max, 16);
	CHECK_INT(f->globals_n, 1);
	CHECK(f->globals[0] == WASM_I32);
	CHECK_INT(f->functions_n, 2);
	CHECK(f->has_memory && !f->has_start && !f->tables_change);
	arena_release(&a);
	buf_release(&b);
}

/* What replaces one section of the guest, and what is said of it. */
static const struct {
	int part;
	const char *hex;
	int rc;
	const char *words;
} refused[] = {
	{ TYPE, "01 5e 00", ERR_INVALID, "type section, byte 11: type 0 is not one of a function" },
	{ TYPE, "01 60 01 7b 00", ERR_INVALID, "SIMD" },
	{ TYPE, "01 60 65" , ERR_TOOBIG, "101 values of one type; at most 100" },
	{ TYPE, "03 60 02 7f7f 01 7f  60 01 7f 01 7f  60 00 00 00", ERR_INVALID, "1 bytes behind its end" },
	{ TYPE, "ff ff ff ff 1f", ERR_INVALID, "longer than 32 bits" },
	{ TYPE, "ff ff ff ff 0f", ERR_TOOBIG, "4294967295 types; at most 10000" },
	{ IMPORT, "01 03 656e76 04 73656e64 00 00", ERR_INVALID, "import of env.send; a guest may import cohort.log" },
	{ IMPORT, "01 06 636f686f7274 04 53656e64 00 00", ERR_INVALID, "did you mean \"send\"?" },
	{ IMPORT, "01 06 636f686f7274 04 73656e64 00 01", ERR_INVALID, "another type than in cohort_guest.h" },
	{ IMPORT, "01 06 636f686f7274 03 6d656d 02 00 01", ERR_INVALID, "is a memory; only functions" },
	{ IMPORT, "01 06 636f682a2f74 04 73656e64 00 00", ERR_INVALID, "byte 0x2a in the name of an import" },
	{ FUNCTION, "02 00 07", ERR_INVALID, "function 1 has type 7" },
	{ FUNCTION, "01 00", ERR_INVALID, "names number 1 of 1" },
	{ FUNCTION, "a1 9c 01", ERR_TOOBIG, "20001 functions; at most 20000" },
	{ TABLE, "01 70 00 a1 8d 06", ERR_TOOBIG, "a table of 100001 entries, with those before it more than 100000" },
	{ TABLE, "01 6e 00 01", ERR_INVALID, "type 0x6e (of a proposal)" },
	{ MEMORY, "01 03 01 02", ERR_INVALID, "threads are not accepted" },
	{ MEMORY, "01 04 01", ERR_INVALID, "memory64 is not accepted" },
	{ MEMORY, "02 00 01 00 01", ERR_INVALID, "2 memories; one is accepted" },
	{ MEMORY, "01 01 02 01", ERR_INVALID, "at least 2 and at most 1" },
	{ MEMORY, "01 00 81 80 04", ERR_TOOBIG, "more than 65536 pages" },
	{ MEMORY, "01 01 01 ff ff ff ff 0f", ERR_TOOBIG, "more than 65536 pages" },
	{ MEMORY, "00", ERR_INVALID, "the module has no memory" },
	{ GLOBAL, "01 7f 02 41 00 0b", ERR_INVALID, "neither constant nor variable" },
	{ GLOBAL, "01 7f 01 42 00 0b", ERR_INVALID, "a constant of type i64, where i32" },
	{ GLOBAL, "01 7f 00 23 00 0b", ERR_INVALID, "a global that is not imported" },
	{ GLOBAL, "01 7f 00 41 00 41 00 6a 0b", ERR_INVALID, "more than one instruction" },
	{ GLOBAL, "01 70 01 d0 70 0b", ERR_INVALID, "which a checkpoint cannot hold" },
	{ EXPORT, "01" ALLOC "00 01", ERR_INVALID, "no function is exported as handle_message" },
	{ EXPORT, "01" HANDLE "00 00", ERR_INVALID, "no function is exported as alloc" },
	{ EXPORT, "02" HANDLE "00 00" ALLOC "00 00", ERR_INVALID, "export alloc takes 2 and gives 1 values; it should take 1" },
	{ EXPORT, "02" ALLOC "00 01" ALLOC "00 01", ERR_INVALID, "a second export with the name alloc" },
	{ EXPORT, "01 03 612f2a 00 00", ERR_INVALID, "byte 0x2f in the name of an export" },
	{ EXPORT, "01 01 0a 00 00", ERR_INVALID, "byte 0x0a in the name of an export" },
	{ EXPORT, "01 00 00 00", ERR_INVALID, "an export without a name" },
	{ EXPORT, "01 01 61 04 00", ERR_INVALID, "an export of kind 4" },
	{ START, "00", ERR_INVALID, "takes or gives values" },
	{ START, "09", ERR_INVALID, "the start is function 9" },
	{ ELEMENT, "01 08", ERR_INVALID, "an unknown form 8" },
	{ ELEMENT, "01 00 41 00 0b 00", ERR_INVALID, "for table 0, which is not there" },
	{ ELEMENT, "01 01 00 01 09", ERR_INVALID, "an element is function 9" },
	{ COUNT_, "01", ERR_INVALID, "a data count section without its data section" },
	{ CODE, "01 04 00 41 00 0b", ERR_INVALID, "1 bodies for 2 functions" },
	{ CODE, "02 81 80 20", ERR_TOOBIG, "524289 bytes of a body" },
	{ DATA, "01 02 01 41 00 0b 00", ERR_INVALID, "for a memory other than 0" },
	{ DATA, "01 00 41 00 0b 05 00", ERR_INVALID, "5 bytes of data in 1 bytes" },
	{ CUSTOM, "02 c3 28", ERR_INVALID, "custom section, byte" },
};

TEST(wasm_module_refuses_with_section_and_place)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct buf b = BUF(1 * MB);
		const char *parts[PARTS];

		memcpy(parts, guest, sizeof parts);
		parts[refused[i].part] = refused[i].hex;
		make(&b, parts);
		check_refused(buf_str(&b), refused[i].rc, refused[i].words);
		buf_release(&b);
	}
}

/* Bodies of handle_message, without their lengths. */
static const struct { const char *hex; int rc; const char *words; } bodies[] = {
	{ "00 fd 0c", ERR_INVALID, "function 0, byte 68: instruction 0xfd: SIMD is not accepted" },
	{ "00 fe 00", ERR_INVALID, "threads are not accepted" },
	{ "00 06 40", ERR_INVALID, "exceptions are not accepted" },
	{ "00 12 00", ERR_INVALID, "tail calls are not accepted" },
	{ "00 14 00", ERR_INVALID, "typed function references" },
	{ "00 fb 00", ERR_INVALID, "garbage collection" },
	{ "00 27", ERR_INVALID, "there is no such instruction" },
	{ "00 fc 12", ERR_INVALID, "0xfc 0x12" },
	{ "00 10 02 0b", ERR_INVALID, "function 2 is named; the last is 1" },
	{ "00 11 00 00 0b", ERR_INVALID, "table 0 is named; the module has none" },
	{ "00 20 02 0b", ERR_INVALID, "local 2 is named; the last is 1" },
	{ "00 23 00 0b", ERR_INVALID, "global 0 is named; the module has none" },
	{ "00 0c 01 0b", ERR_INVALID, "label 1 is named; the last is 0" },
	{ "00 0e 01 00 05 0b", ERR_INVALID, "label 5" },
	{ "00 0e ff ff ff ff 0f 00 0b", ERR_INVALID, "4294967295 labels in" },
	{ "00 05 0b", ERR_INVALID, "`else` without `if`" },
	{ "00 41 00 04 40 05 05 0b 0b", ERR_INVALID, "`else` without `if`" },
	{ "00 02 40 0b", ERR_INVALID, "ends in the middle" },
	{ "00 41 00 0b 0b", ERR_INVALID, "1 bytes behind the end of the body" },
	{ "00 02 07 0b 0b", ERR_INVALID, "type 7 is named" },
	{ "00 02 7b 0b 0b", ERR_INVALID, "a type that is not accepted" },
	{ "00 28 03 00 0b", ERR_INVALID, "an alignment of 2^3; at most 2^2" },
	{ "00 28 42 00 00 0b", ERR_INVALID, "several memories" },
	{ "00 3f 01 0b", ERR_INVALID, "several memories" },
	{ "00 fc 08 00 00 0b", ERR_INVALID, "without a data count section" },
	{ "00 fc 0d 00 0b", ERR_INVALID, "element segment 0 is named" },
	{ "00 41 80 80 80 80 10 0b", ERR_INVALID, "longer than 32 bits" },
	{ "00 42 80 80 80 80 80 80 80 80 80 01 0b", ERR_INVALID, "longer than 64 bits" },
	{ "01 e7 07 7f 0b", ERR_TOOBIG, "1001 locals and parameters; at most 1000" },
	{ "02 ff ff ff ff 0f 7f ff ff ff ff 0f 7f 0b", ERR_TOOBIG, "locals and parameters" },
	{ "01 01 7b 0b", ERR_INVALID, "type 0x7b" },
	{ "00 0b", ERR_INVALID, "nothing is on the stack where i32 is needed" },
	{ "00 42 00 0b", ERR_INVALID, "i64 is on the stack where i32 is needed" },
	{ "00 41 00 41 00 0b", ERR_INVALID, "1 values too many at the end of a block" },
	{ "00 41 00 04 7f 41 00 0b 0b", ERR_INVALID, "an `if` without `else` gives other types than it takes" },
	{ "00 41 00 42 00 41 00 1b 0b", ERR_INVALID, "select of i32 and i64" },
	{ "00 d0 70 d0 70 41 00 1b 0b", ERR_INVALID, "select of references without their type" },
	{ "00 41 00 d1 0b", ERR_INVALID, "i32 is on the stack where a reference is needed" },
	{ "00 02 40 41 00 0e 01 00 01 0b 41 00 0b", ERR_INVALID, "labels of br_table take 0 and 1 values" },
	{ "00 00 42 00 0b", ERR_INVALID, "i64 is on the stack where i32 is needed" },
};

TEST(wasm_module_refuses_bodies)
{
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct buf b = BUF(1 * MB), code = BUF(1 * MB), body = BUF(1 * MB);
		const char *parts[PARTS];

		memcpy(parts, guest, sizeof parts);
		parts[CODE] = NULL;
		make(&b, parts);
		add_hex(&code, "02");
		add_hex(&body, bodies[i].hex);
		add_u32(&code, (uint32_t)body.n);
		buf_add(&code, buf_str(&body));
		add_hex(&code, "04 00 41 10 0b");
		add_section(&b, 10, buf_str(&code));
		check_refused(buf_str(&b), bodies[i].rc, bodies[i].words);
		buf_release(&b);
		buf_release(&code);
		buf_release(&body);
	}
}

TEST(wasm_module_refuses_blocks_too_deep)
{
	struct buf b = BUF(1 * MB), code = BUF(1 * MB), body = BUF(1 * MB);
	const char *parts[PARTS];

	memcpy(parts, guest, sizeof parts);
	parts[CODE] = NULL;
	make(&b, parts);
	add_hex(&body, "00");
	for (int i = 0; i <= LIMIT_WASM_NESTING; i++)
		add_hex(&body, "02 40");
	add_hex(&code, "02");
	add_u32(&code, (uint32_t)body.n);
	buf_add(&code, buf_str(&body));
	add_hex(&code, "04 00 41 10 0b");
	add_section(&b, 10, buf_str(&code));
	check_refused(buf_str(&b), ERR_TOOBIG, "blocks nest deeper than 2000");
	buf_release(&b);
	buf_release(&code);
	buf_release(&body);
}

TEST(wasm_module_refuses_what_is_no_module_and_sections_out_of_place)
{
	check_refused(S(""), ERR_INVALID, "not a WebAssembly module");
	check_refused(S("(module)"), ERR_INVALID, "not a WebAssembly module");
	check_refused(S("\0asm\x0d\0\1\0"), ERR_INVALID, "components are not accepted");
	check_refused(S("\0asm\1\0\0\0\3\1\0\1\1\0"), ERR_INVALID, "a section is repeated or out of order");
	check_refused(S("\0asm\1\0\0\0\1\1\0\1\1\0"), ERR_INVALID, "a section is repeated or out of order");
	check_refused(S("\0asm\1\0\0\0\15\1\0"), ERR_INVALID, "exceptions are not accepted");
	check_refused(S("\0asm\1\0\0\0\16\1\0"), ERR_INVALID, "a section of kind 14, which is not known");
	check_refused(S("\0asm\1\0\0\0\1\x7f\0"), ERR_INVALID, "127 bytes of a section in 1 bytes");
}

TEST(wasm_module_cut_short_is_never_accepted)
{
	struct buf b = BUF(1 * MB);

	make(&b, guest);
	for (size_t n = 0; n < b.n; n++)
		check_refused((struct str){ b.p, n }, ERR_INVALID, "");
	buf_release(&b);
}

static bool
contains_hex(const struct buf *b, const char *hex)
{
	struct buf want = BUF(1 * MB);
	bool found;

	add_hex(&want, hex);
	found = str_contains(buf_str(b), buf_str(&want));
	buf_release(&want);
	return found;
}

/* Goal: names of the guest reach no file of ours, and fuel is charged as module.h says. */
TEST(wasm_module_is_written_without_names_and_with_its_fuel)
{
	struct arena a = ARENA(LIMIT_WASM_CHECK_BYTES);
	struct buf b = BUF(1 * MB), out = BUF(LIMIT_WASM_OUT_BYTES);
	const char *parts[PARTS];
	struct wasm_module *m;
	struct err e;

	memcpy(parts, guest, sizeof parts);
	parts[CUSTOM] = "04 6e616d65 2a2f";
	/* loop (local.get 0, loop (local.get 1, br_if 0), br_if 0), 1, 2, 3 memory.fill, 0 */
	parts[CODE] = "02  1b 00 03 40 20 00 03 40 20 01 0d 00 0b 0d 00 0b"
	    "41 01 41 02 41 03 fc 0b 00 41 00 0b  04 00 41 10 0b";
	make(&b, parts);
	CHECK_RC(read_bytes(&m, buf_str(&b), &a, &e), OK);
	CHECK_RC(wasm_module_write(m, &out), OK);
	CHECK(!str_contains(buf_str(&out), S("alloc")));
	CHECK(!str_contains(buf_str(&out), S("name")));
	CHECK(!str_contains(buf_str(&out), S("*/")));
	/* f is function 0, b function 1: six instructions outside of loops, three in each. */
	CHECK(contains_hex(&out, "00 42 06 10 00 03 40 42 03 10 00 20 00 03 40 42 02 10 00 20 01 0d 00 0b 0d 00 0b"));
	CHECK(contains_hex(&out, "41 01 41 02 41 03 41 04 10 01 fc 0b 00 41 00 0b"));
	arena_release(&a);
	buf_release(&b);
	buf_release(&out);
}

TEST(wasm_module_written_has_the_room_that_it_is_given)
{
	struct arena a = ARENA(LIMIT_WASM_CHECK_BYTES), small = ARENA(64);
	struct buf b = BUF(1 * MB), out = BUF(40);
	struct wasm_module *m;
	struct err e;

	make(&b, guest);
	CHECK_RC(wasm_module_read(&m, buf_str(&b), false, &small, &e), ERR_TOOBIG);
	CHECK_RC(read_bytes(&m, buf_str(&b), &a, &e), OK);
	CHECK_RC(wasm_module_write(m, &out), ERR_TOOBIG);
	arena_release(&a);
	arena_release(&small);
	buf_release(&b);
	buf_release(&out);
}

/* Goal: a module that changes its tables and drops segments can be saved and restored: what
 * is needed for it is told of and written. */
TEST(wasm_module_that_changes_tables_can_be_restored)
{
	struct arena a = ARENA(LIMIT_WASM_CHECK_BYTES);
	struct buf b = BUF(1 * MB), out = BUF(LIMIT_WASM_OUT_BYTES);
	const char *parts[PARTS];
	const struct wasm_facts *f;
	struct wasm_module *m;
	struct err e;

	memcpy(parts, guest, sizeof parts);
	parts[TABLE] = "02 70 00 02  6f 01 01 03";
	/* An active segment and a passive one of both functions; passive data. */
	parts[ELEMENT] = "02  00 41 00 0b 02 00 01  01 00 01 01";
	parts[COUNT_] = "01";
	parts[DATA] = "01 01 02 6869";
	/* ref.func 1 -> table 0 [0]; data.drop 0; elem.drop 1; 0 */
	parts[CODE] = "02  10 00 41 00 d2 01 26 00 fc 09 00 fc 0d 01 41 00 0b  04 00 41 10 0b";
	make(&b, parts);
	CHECK_RC(read_bytes(&m, buf_str(&b), &a, &e), OK);
	f = wasm_module_facts(m);
	CHECK(f->tables_change);
	CHECK_INT(f->tables_n, 2);
	CHECK_INT(f->tables_max[0], LIMIT_WASM_TABLE);
	CHECK_INT(f->tables_max[1], 3);
	CHECK_INT(f->refs_n, 2);
	CHECK_INT(f->drops_n, 2);
	CHECK_INT(f->globals_n, 2);
	CHECK_RC(wasm_module_write(m, &out), OK);
	CHECK(str_contains(buf_str(&out), S("x_refs")));
	CHECK(str_contains(buf_str(&out), S("x_drop")));
	CHECK(str_contains(buf_str(&out), S("x_put")));
	arena_release(&a);
	buf_release(&b);
	buf_release(&out);
}
