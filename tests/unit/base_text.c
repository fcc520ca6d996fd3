/*
 * base_text.c - codes, borrowed text, owned text, turn memory, time as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/json.h"
#include "base/log_priv.h"
#include "base/mem.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

TEST(rc_every_code_has_words_and_a_name)
{
	CHECK_STR(str_of(rc_name(OK)), "OK");
	CHECK_STR(str_of(rc_name(ERR_NOTFOUND)), "NOTFOUND");
	CHECK_STR(str_of(rc_text(ERR_AGAIN)), "not ready yet");
	CHECK_STR(str_of(rc_text(-999)), "unknown error");
	CHECK_STR(str_of(rc_name(7)), "UNKNOWN");
}

TEST(err_is_cut_between_characters)
{
	struct err e;
	char text[600];

	memset(text, 'x', sizeof text);
	/* 494 bytes, then a euro sign whose last byte does not fit. */
	CHECK_RC(err_set(&e, ERR_INVALID, "%.*s\xe2\x82\xac", 493, text), ERR_INVALID);
	CHECK_INT(strlen(e.text), 493);
	err_set(&e, ERR_INVALID, "%.*s\xe2\x82\xac", 492, text);
	CHECK_INT(strlen(e.text), 495);
	CHECK(str_is_utf8(str_of(e.text)));
	err_set(&e, ERR_IO, "again: %.10s", e.text);     /* from itself */
	CHECK_STR(str_of(e.text), "again: xxxxxxxxxx");
	CHECK_RC(err_set(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

TEST(str_put_fills_a_block)
{
	char block[5], *to = block;
	struct str a = str_put(&to, S("ab")), none = str_put(&to, STR_NONE);
	struct str b = str_put(&to, S("cde"));

	CHECK_STR(a, "ab");
	CHECK_INT(none.n, 0);
	CHECK_STR(b, "cde");
	CHECK(to == block + sizeof block);
}

TEST(str_cuts_and_compares)
{
	struct str rest = S("a,,b,"), part;

	CHECK(str_next(&rest, ',', &part));
	CHECK_STR(part, "a");
	CHECK(str_next(&rest, ',', &part));
	CHECK_STR(part, "");
	CHECK(str_next(&rest, ',', &part));
	CHECK_STR(part, "b");
	CHECK(str_next(&rest, ',', &part));
	CHECK_STR(part, "");
	CHECK(!str_next(&rest, ',', &part));

	CHECK(str_eq(STR_NONE, S("")));
	CHECK(str_eq_nocase(S("BeArEr"), S("bearer")));
	CHECK(!str_eq_nocase(S("a["), S("A{")));
	CHECK(str_cmp(S("ab"), S("abc")) < 0 && str_cmp(S("b"), S("abc")) > 0);
	CHECK(str_cmp(S("\xff"), S("a")) > 0);
	CHECK(str_starts(S("abc"), S("ab")) && !str_starts(S("a"), S("ab")));
	CHECK(str_ends(S("abc"), S("bc")) && !str_ends(S("c"), S("bc")));
	CHECK(str_contains(S("abc"), S("")) && !str_contains(STR_NONE, S("a")));
	CHECK_STR(str_trim(S(" \t a b\r\n")), "a b");
	CHECK_STR(str_trim(S("  ")), "");
	CHECK_STR(str_sub(S("abc"), 1, 100), "bc");
	CHECK_STR(str_sub(S("abc"), 9, 1), "");
	CHECK_INT(str_index(S("abc"), 'c'), 2);
	CHECK_INT(str_index(S("abc"), 'x'), -1);
}

TEST(str_numbers_are_whole_or_refused)
{
	static const char *const not_i64[] = { "", "-", "+1", " 1", "1 ", "1x",
		"9223372036854775808", "-9223372036854775809", "--1", "0x10" };
	static const char *const not_double[] = { "", " 1", "1 ", "nan", "inf",
		"0x1p3", "1e999", "1e", ".", "1.2.3" };
	int64_t i;
	uint64_t u;
	double d;

	for (size_t k = 0; k < COUNT(not_i64); k++)
		CHECK(!str_to_i64(str_of(not_i64[k]), &i));
	for (size_t k = 0; k < COUNT(not_double); k++)
		CHECK(!str_to_double(str_of(not_double[k]), &d));
	CHECK(str_to_i64(S("-9223372036854775808"), &i) && i == INT64_MIN);
	CHECK(str_to_i64(S("9223372036854775807"), &i) && i == INT64_MAX);
	CHECK(str_to_u64(S("18446744073709551615"), &u) && u == UINT64_MAX);
	CHECK(!str_to_u64(S("18446744073709551616"), &u));
	CHECK(!str_to_u64(S("-1"), &u));
	CHECK(str_to_double(S("-2.5e3"), &d) && d == -2500);
}

TEST(str_utf8_is_strict)
{
	static const char *const good[] = { "", "plain ascii, rather long", "\xc3\xa9",
		"\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf",
		"12345678\xc3\xa9" };
	static const char *const bad[] = { "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff",
		"12345678\xe2\x82", "\xe2\x28\xa1", "\xf0\x9f\x98" };

	for (size_t i = 0; i < COUNT(good); i++)
		CHECK(str_is_utf8(str_of(good[i])));
	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK(!str_is_utf8(str_of(bad[i])));
	CHECK_INT(str_utf8_step(S("\xe2\x82\xac.")), 3);
	CHECK_INT(str_utf8_step(S("\xe2\x82")), 0);
	CHECK_INT(str_characters(S("a\xc3\xa9\xf0\x9f\x98\x80")), 3);
	CHECK(str_char_in('b', "abc") && !str_char_in('d', "abc") && !str_char_in('\0', "abc"));
}

TEST(str_hashes_tell_neighbours_apart)
{
	CHECK(str_hash(S("thread_id")) == str_hash(S("thread_id")));
	CHECK(str_hash(S("thread_id")) != str_hash(S("thread_ie")));
	CHECK(str_hash(S("")) != str_hash(S("\0")));
	CHECK(str_hash_keyed(S("a")) == str_hash_keyed(S("a")));
	CHECK(str_hash_keyed(S("a")) != str_hash_keyed(S("a\0")));
	CHECK(str_hash_keyed(S("12345678")) != str_hash_keyed(S("12345679")));
}

static const char *
nearest(const char *word, size_t n)
{
	static const char *const names[] = { "close", "create", "clone" };
	struct str_near near = { .word = str_of(word) };

	for (size_t i = 0; i < n; i++)
		str_near_try(&near, names[i]);
	return near.best;
}

/* Goal: did-you-mean names what is near, the first of two that are as near, and
 * nothing rather than something far. */
TEST(str_nearest_finds_what_is_near)
{
	CHECK_STR(str_of(nearest("craete", 3)), "create");
	CHECK_STR(str_of(nearest("clole", 3)), "close");
	CHECK_STR(str_of(nearest("cl", 3)), "close");
	CHECK(nearest("zzzzzzz", 3) == NULL);
	CHECK(nearest("close", 0) == NULL);
}

TEST(str_near_row_finds_a_row_or_what_is_near)
{
	static const struct { const char *name; int n; } rows[] = { { "open", 1 }, { "close", 2 },
		{ NULL, 0 } };
	struct str_near known = { .word = S("close") }, near = { .word = S("opne") };

	CHECK(str_near_row(&known, rows, sizeof *rows) == &rows[1]);
	CHECK(str_near_row(&near, rows, sizeof *rows) == NULL);
	CHECK_STR(str_of(near.best), "open");
}

TEST(str_distance_is_capped)
{
	CHECK_INT(str_distance(S("kitten"), S("sitting"), 5), 3);
	CHECK_INT(str_distance(S("kitten"), S("sitting"), 2), 3);
	CHECK_INT(str_distance(S("same"), S("same"), 2), 0);
	CHECK_INT(str_distance(S(""), S("ab"), 3), 2);
	CHECK_INT(str_distance(S("a"), S("abcdefgh"), 2), 3);
}

TEST(buf_keeps_its_maximum)
{
	struct buf b = BUF(10);

	buf_lit(&b, "12345678");
	buf_lit(&b, "90X");                  /* one too many: none of it */
	CHECK(b.failed);
	CHECK_STR(buf_str(&b), "12345678");
	buf_lit(&b, "9");                    /* would fit, but not after a hole */
	buf_add_fmt(&b, "%d", 9);
	CHECK_STR(buf_str(&b), "12345678");
	CHECK(buf_room(&b, 0) == NULL);
	buf_clear(&b);
	CHECK(!b.failed);
	buf_lit(&b, "1234567890");
	CHECK(!b.failed && b.p[10] == '\0');
	buf_add_char(&b, 'x');
	CHECK(b.failed && b.n == 10);
	buf_release(&b);
	CHECK(b.p == NULL && b.max == 10 && !b.failed);
}

TEST(buf_formats_at_the_edge)
{
	struct buf b = BUF(100);

	/* 63 characters and the NUL fill the first capacity exactly. */
	buf_add_fmt(&b, "%063d", 7);
	CHECK_INT(b.n, 63);
	buf_add_fmt(&b, "%s", "and more than the room that is left");
	CHECK_INT(b.n, 98);
	buf_add_fmt(&b, "%s", "abc");
	CHECK(b.failed);
	CHECK_INT(b.n, 98);
	CHECK(b.p[98] == '\0');
	buf_release(&b);
}

TEST(buf_numbers_and_cuts)
{
	struct buf b = BUF(1000);

	buf_add_i64(&b, INT64_MIN);
	buf_add_char(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	buf_add_char(&b, ' ');
	buf_add_i64(&b, 0);
	CHECK_STR(buf_str(&b), "-9223372036854775808 18446744073709551615 0");
	buf_drop_front(&b, 21);
	CHECK_STR(buf_str(&b), "18446744073709551615 0");
	buf_cut(&b, 4);
	CHECK_STR(buf_str(&b), "1844");
	CHECK(b.p[4] == '\0');
	memcpy(buf_room(&b, 3), "xyz", 3);
	buf_added(&b, 2);
	CHECK_STR(buf_str(&b), "1844xy");
	buf_fit(&b);
	CHECK_INT(b.cap, b.n + 1);
	buf_add_char(&b, '!');
	CHECK(!b.failed && b.p[b.n - 1] == '!' && b.p[b.n] == '\0');
	buf_release(&b);
}

/* Goal: a list in an arena keeps what it holds while it grows, and past the
 * arena's maximum there is no room instead of a short list. */
TEST(arena_grows_a_list)
{
	struct arena a = ARENA(64 * KB);
	size_t n = 0, cap = 0;
	int *list = NULL;

	while (n < 1000 && arena_grow(&a, list, n, cap)) {
		list[n] = (int)n;
		n++;
	}
	CHECK_INT(n, 1000);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(list[i], (int)i);
	while (arena_grow(&a, list, n, cap))
		n++;
	CHECK(list == NULL && a.failed && n < 64 * KB / sizeof *list);
	arena_release(&a);
}

TEST(arena_aligns_and_keeps_its_maximum)
{
	struct arena a = ARENA(100 * KB);
	char *p = arena_alloc(&a, 1), *q = arena_zero(&a, 17);

	CHECK((uintptr_t)p % 16 == 0 && (uintptr_t)q % 16 == 0 && p != q);
	for (size_t i = 0; i < 17; i++)
		CHECK(q[i] == 0);
	CHECK_STR(arena_fmt(&a, "%s-%d", "x", 5), "x-5");
	CHECK_STR(arena_str(&a, S("copy")), "copy");
	CHECK(arena_alloc(&a, 80 * KB) != NULL);         /* beside the blocks */
	CHECK_STR(arena_str(&a, S("still small")), "still small");
	CHECK(arena_alloc(&a, 30 * KB) == NULL);
	CHECK(a.failed);
	CHECK(arena_alloc(&a, 1) == NULL);               /* sticky */
	arena_clear(&a);
	CHECK(!a.failed && a.used == 0);
	CHECK(arena_alloc(&a, 100 * KB) != NULL);
	CHECK(arena_alloc(&a, 1) == NULL);
	arena_clear(&a);
	CHECK(a.blocks == NULL);             /* a large first block is not kept */
	arena_release(&a);
	arena_release(&a);
}

TEST(arena_clear_reuses_the_first_block)
{
	struct arena a = ARENA(MB);
	void *first = arena_alloc(&a, 16);

	for (int i = 0; i < 1000; i++)
		CHECK(arena_alloc(&a, 100) != NULL);
	arena_clear(&a);
	CHECK(arena_alloc(&a, 16) == first);
	CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
	CHECK(arena_alloc(&a, SIZE_MAX - 20) == NULL);
	arena_release(&a);
}

TEST(clock_writes_rfc3339)
{
	static const struct { msec wall; const char *text; } cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ INT64_C(1795220107580), "2026-11-21T00:15:07.580Z" },
		{ INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
		{ INT64_C(4107542400000), "2100-03-01T00:00:00.000Z" },
		{ INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ INT64_MIN, "0000-01-01T00:00:00.000Z" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF(24);

		clock_add_iso(&b, cases[i].wall);
		CHECK_STR(buf_str(&b), cases[i].text);
		buf_release(&b);
	}
	CHECK(clock_mono() > 0 && clock_cpu() > 0 && clock_wall_ms() > 1700000000000);
}

/* What log_event writes, after the time stamp. */
static struct str
logged(char *text, size_t size)
{
	int fd = open("log", O_RDONLY);
	ssize_t n = read(fd, text, size);

	close(fd);
	CHECK(n > 25 && text[n - 1] == '\n');
	return (struct str){ text + 25, (size_t)n - 26 };
}

TEST(log_values_cannot_forge_fields)
{
	char text[8192], big[5000];
	int fd = open("log", O_CREAT | O_RDWR | O_TRUNC, 0600);
	int saved = dup(STDERR_FILENO);

	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	log_event(LOG_DEBUG, "net", "hidden", "%s", "");
	log_event(LOG_WARN, "net", "conn.closed",
	    "port=%d host=%s why=%.*s id=%08x n=%zu at=%lld f=%.2f p=%d%% u=%s", 80, "h",
	    FMT(S("a b=\"c\"\nlevel=error")), 0xbeefu, (size_t)7, 9000000000LL, 1.5, 50, "a=b");
	dup2(saved, STDERR_FILENO);
	CHECK_STR(logged(text, sizeof text), "warn net conn.closed port=80 host=h "
	    "why=\"a b=\\\"c\\\"\\x0alevel=error\" id=0000beef n=7 at=9000000000 "
	    "f=1.50 p=50% u=\"a=b\"");

	CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	dup2(fd, STDERR_FILENO);
	memset(big, '\n', sizeof big);
	log_event(LOG_ERROR, "x", "y", "a=%.*s b=%.*s c=%s", 5000, big, 5000, big, "");
	dup2(saved, STDERR_FILENO);
	CHECK_INT(logged(text, sizeof text).n, 4096 - 26);       /* one write of a pipe */
	CHECK(memchr(text, '\n', 4000) == NULL);
	close(fd);
}

/* Repeated lines are counted, each event for itself, and told once. */

static struct {
	size_t shown[2], told, suppressed, summaries;
} flood;

static void
count_lines(const char *path)
{
	char line[512], event[64], rest[64];
	FILE *f = fopen(path, "r");
	unsigned n;

	CHECK(f != NULL);
	memset(&flood, 0, sizeof flood);
	while (fgets(line, sizeof line, f) != NULL) {
		CHECK(sscanf(line, "%*s warn net %63s %63s", event, rest) == 2);
		if (sscanf(rest, "suppressed=%u", &n) == 1) {
			flood.summaries++;
			flood.suppressed += n;
		} else if (strcmp(event, "each") == 0) {
			flood.told++;
		} else {
			flood.shown[strcmp(event, "flood-b") == 0]++;
		}
	}
	fclose(f);
}

static void *
log_much(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		log_warn("net", "flood-a", "n=%d", i);
		log_at(LOG_WARN, "net", "each", "n=%d", i);
	}
	return arg;
}

TEST(log_of_repeated_lines_is_short)
{
	int fd = open("log", O_CREAT | O_RDWR | O_APPEND, 0600);
	int saved = dup(STDERR_FILENO);
	pthread_t threads[4];

	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	CHECK(log_due() == NEVER);
	for (size_t i = 0; i < COUNT(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, log_much, NULL) == 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	log_warn("net", "flood-b", "n=%d", 0);
	CHECK(log_due() != NEVER && log_due() > clock_mono());
	log_flush(log_due() - 1);            /* not yet */
	count_lines("log");
	CHECK_INT(flood.shown[0], LIMIT_LOG_BURST);
	CHECK_INT(flood.shown[1], 1);
	CHECK_INT(flood.told, 4000);
	CHECK_INT(flood.summaries, 0);
	log_flush(log_due());
	log_warn("net", "flood-a", "n=%d", 1);       /* a new period */
	dup2(saved, STDERR_FILENO);
	CHECK(log_due() == NEVER);
	count_lines("log");
	CHECK_INT(flood.summaries, 1);
	CHECK_INT(flood.suppressed, 4000 - LIMIT_LOG_BURST);
	CHECK_INT(flood.shown[0], LIMIT_LOG_BURST + 1);
	close(fd);
}

/* Goal: a failure that goes on is told when it begins and when it is over, with how often; one
 * that was over at the second try is told once. */
TEST(log_of_a_failure_that_goes_on_is_two_lines)
{
	struct log_spell s = { 0 };
	char text[4096] = "", *line;
	int fd = open("log", O_CREAT | O_RDWR | O_APPEND, 0600);
	int saved = dup(STDERR_FILENO);

	CHECK(dup2(fd, STDERR_FILENO) >= 0);
	log_works(&s, "net", "spell");
	log_fails(&s, "net", "spell", "n=%d", 1);
	log_works(&s, "net", "spell");
	for (int i = 2; i < 1000; i++)
		log_fails(&s, "net", "spell", "n=%d", i);
	s.told -= LIMIT_LOG_AGAIN_MS * NS_PER_MS;
	log_fails(&s, "net", "spell", "n=%d", 1000);
	log_works(&s, "net", "spell");
	log_works(&s, "net", "spell");
	dup2(saved, STDERR_FILENO);
	CHECK(pread(fd, text, sizeof text - 1, 0) > 0);
	close(fd);
	line = strstr(text, "warn net spell n=1\n");
	CHECK(line != NULL);
	line = strstr(line, "warn net spell n=2\n");
	CHECK(line != NULL);
	line = strstr(line, "warn net spell n=1000\n");
	CHECK(line != NULL);
	line = strstr(line, "info net spell over=true times=999 ms=");
	CHECK(line != NULL);
	line = strchr(line, '\n');
	CHECK(line != NULL && line[1] == '\0');
}

static void
check_json(const char *line, const char *want)
{
	struct buf b = BUF(8 * KB);

	log_json_add(&b, str_of(line), 4095);
	CHECK_STR(buf_str(&b), want);
	CHECK_RC(json_check(buf_str(&b), NULL), OK);
	buf_release(&b);
}

TEST(log_as_json_says_the_same)
{
	struct buf big = BUF(8 * KB), b = BUF(8 * KB);

	check_json("T info net listening",
	    "{\"ts\":\"T\",\"level\":\"info\",\"room\":\"net\",\"event\":\"listening\"}");
	check_json("T warn a b port=80 ms=1.50 ok=true host=h peer=\"a \\\"b\\x0a\" z=\"7\" "
	    "id=007 v=1.2.3 n=-5 big=1234567890123456 safe=123456789012345 empty= "
	    "m=openai:\"a b\"",
	    "{\"ts\":\"T\",\"level\":\"warn\",\"room\":\"a\",\"event\":\"b\",\"port\":80,"
	    "\"ms\":1.50,\"ok\":true,\"host\":\"h\",\"peer\":\"a \\\"b\\n\",\"z\":\"7\","
	    "\"id\":\"007\",\"v\":\"1.2.3\",\"n\":-5,\"big\":\"1234567890123456\","
	    "\"safe\":123456789012345,\"empty\":\"\",\"m\":\"openai:a b\"}");
	/* Bytes that are no UTF-8 do not make it invalid. */
	check_json("T info a b x=\xff!", "{\"ts\":\"T\",\"level\":\"info\",\"room\":\"a\","
	    "\"event\":\"b\",\"x\":\"\xef\xbf\xbd!\"}");
	/* One write of a pipe, whole JSON all the same. */
	buf_lit(&big, "T info a b x=1 y=");
	for (int i = 0; i < 4000; i++)
		buf_add_char(&big, '\x02');
	log_json_add(&b, buf_str(&big), 4095);
	CHECK(b.n <= 4095);
	CHECK(str_ends(buf_str(&b), S("\"x\":1,\"cut\":true}")));
	CHECK_RC(json_check(buf_str(&b), NULL), OK);
	for (size_t n = 4000; n < 4095; n++) {       /* with and without room for that */
		buf_clear(&big);
		buf_clear(&b);
		buf_lit(&big, "T info a b x=1 y=");
		while (big.n < n)
			buf_add_char(&big, 'y');
		log_json_add(&b, buf_str(&big), 4095);
		CHECK(b.n <= 4095);
		CHECK_RC(json_check(buf_str(&b), NULL), OK);
	}
	buf_release(&big);
	buf_release(&b);
}

TEST(log_levels_and_secrets)
{
	enum log_level level;

	CHECK(log_level_parse(S("WARN"), &level) && level == LOG_WARN);
	CHECK(!log_level_parse(S("loud"), &level));
	CHECK_STR(str_of(log_redact(STR_NONE).text), "unset");
	CHECK_STR(str_of(log_redact(S("hunter2")).text), "set");
	CHECK_STR(str_of(log_redact(S("sk-0123456789abcdef")).text), "sk-0...(19)");
}

TEST(limits_table_has_reasons)
{
	CHECK(limits_n > 40);
	for (size_t i = 0; i < limits_n; i++) {
		CHECK(limits[i].value > 0);
		CHECK(limits[i].name[0] != '\0' && limits[i].why[0] != '\0');
	}
}

TEST(mem_grows_arrays)
{
	int *list = NULL;
	size_t cap = 0;
	char *text = mem_cstr(S("abc"));

	for (size_t n = 0; n < 100; n++) {
		mem_grow(list, n, cap);
		list[n] = (int)n;
	}
	CHECK(cap >= 100 && list[99] == 99);
	CHECK_STR(str_of(text), "abc");
	free(list);
	free(text);
}

TEST(file_whole_absent_and_too_big)
{
	struct buf whole = BUF(5), small = BUF(4), none = BUF(MB);
	struct err e;
	FILE *f = fopen("five", "w");
	char head[4];

	CHECK(f != NULL);
	fputs("12345", f);
	fclose(f);
	CHECK_RC(file_add("five", &whole, &e), OK);
	CHECK_STR(buf_str(&whole), "12345");
	CHECK_RC(file_add("five", &small, &e), ERR_TOOBIG);
	CHECK_STR(str_of(e.text), "five: more than 4 bytes");
	CHECK_RC(file_add("six", &none, &e), ERR_NOTFOUND);
	CHECK_STR(str_of(e.text), "six: No such file or directory");
	CHECK_STR(file_head("five", head, sizeof head), "123");
	CHECK_STR(str_of(head), "123");
	CHECK_INT(file_head("six", head, sizeof head).n, 0);
	CHECK_RC(file_add(".", &none, &e), ERR_IO);
	CHECK_STR(str_of(e.text), ".: Is a directory");
	remove("five");
	buf_release(&whole);
	buf_release(&small);
	buf_release(&none);
}

TEST(err_near_adds_a_name_when_there_is_one)
{
	struct err e;

	CHECK_RC(err_near(&e, ERR_INVALID, "port", "--", "no --%s", "prot"), ERR_INVALID);
	CHECK_STR(str_of(e.text), "no --prot; did you mean --port?");
	err_near(&e, ERR_INVALID, "a", "'", "no 'b'");
	CHECK_STR(str_of(e.text), "no 'b'; did you mean 'a'?");
	CHECK_RC(err_near(&e, ERR_METHOD, NULL, "\"", "no %s", "x"), ERR_METHOD);
	CHECK_STR(str_of(e.text), "no x");
}
