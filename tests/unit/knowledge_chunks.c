/*
 * knowledge_chunks.c - plain text, sizes, overlap, names and keys.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "harness/test.h"
#include "knowledge/knowledge.h"

static struct arena arena = ARENA(KNOWLEDGE_ARENA_BYTES);

static struct knowledge
read_as(enum knowledge_kind kind, struct str text, size_t target, size_t overlap)
{
	struct knowledge k;
	struct err e = { 0 };

	CHECK_RC(knowledge_read(kind, text, (struct knowledge_size){ target, overlap }, &arena,
	    &k, &e), OK);
	return k;
}

TEST(knowledge_text_by_paragraphs)
{
	struct knowledge k = read_as(KNOWLEDGE_TEXT, S("\xef\xbb\xbf" "one\r\ntwo\r\n\r\n\r\nthree\rfour\n"),
	    1200, 100);

	CHECK(k.n == 1);
	CHECK_STR(k.at[0].text, "one\ntwo\n\nthree\nfour");
	CHECK_INT(k.at[0].first, 1);
	CHECK_INT(k.at[0].last, 6);
	CHECK(k.title.n == 0 && k.at[0].heading.n == 0);
}

TEST(knowledge_of_nothing_is_nothing)
{
	CHECK(read_as(KNOWLEDGE_TEXT, S(""), 1200, 100).n == 0);
	CHECK(read_as(KNOWLEDGE_TEXT, S(" \n\n\t\n"), 1200, 100).n == 0);
	CHECK(read_as(KNOWLEDGE_MARKDOWN, S(""), 1200, 100).n == 0);
	CHECK(read_as(KNOWLEDGE_HTML, S(""), 1200, 100).n == 0);
}

/* Every word is there, in order; no chunk is larger than asked for; lines are those of the
 * source; each chunk begins with the end of the one before. */
TEST(knowledge_long_text_is_cut_at_words)
{
	struct buf text = BUF(1 << 20);
	struct knowledge k;
	size_t next = 0;

	for (int i = 0; i < 2000; i++)
		buf_add_fmt(&text, "word%04d%s", i, i % 10 == 9 ? "\n" : " ");
	k = read_as(KNOWLEDGE_TEXT, buf_str(&text), 400, 60);
	CHECK(k.n > 40);
	for (size_t i = 0; i < k.n; i++) {
		struct str t = k.at[i].text;
		int first = (int)strtol(t.p + 4, NULL, 10), line = first / 10 + 1;

		CHECK(t.n <= 400);
		CHECK(str_starts(t, S("word")));
		CHECK_INT(k.at[i].first, line);
		CHECK(i == 0 || (first < (int)next && first > (int)next - 8));
		next = (size_t)strtol(t.p + t.n - 4, NULL, 10) + 1;
	}
	CHECK(next == 2000);
	buf_release(&text);
}

TEST(knowledge_no_chunk_cuts_a_character)
{
	struct buf text = BUF(1 << 20);
	struct knowledge k;

	for (int i = 0; i < 3000; i++)
		buf_add(&text, i % 3 == 0 ? S("\xe6\xbc\xa2") : S("\xf0\x9f\x98\x80"));
	for (int kind = KNOWLEDGE_TEXT; kind <= KNOWLEDGE_HTML; kind++) {
		size_t bytes = 0;

		k = read_as((enum knowledge_kind)kind, buf_str(&text), 301, 0);
		for (size_t i = 0; i < k.n; i++) {
			CHECK(str_is_utf8(k.at[i].text) && k.at[i].text.n <= 301);
			bytes += k.at[i].text.n;
		}
		CHECK(bytes == text.n);
	}
	buf_release(&text);
}

TEST(knowledge_bytes_that_are_no_text)
{
	struct knowledge_size size = KNOWLEDGE_SIZE_DEFAULT;
	struct knowledge k = read_as(KNOWLEDGE_TEXT, S("caf\xe9 is \xff\xfe mended"), 1200, 100);
	struct err e = { 0 };

	CHECK_STR(k.at[0].text, "caf\xef\xbf\xbd is \xef\xbf\xbd\xef\xbf\xbd mended");
	CHECK_RC(knowledge_read(KNOWLEDGE_TEXT, S("\xff\xfeh\0i\0"), size, &arena, &k, &e), ERR_INVALID);
	CHECK_STR(str_of(e.text), "it is UTF-16; expected UTF-8");
	CHECK_RC(knowledge_read(KNOWLEDGE_TEXT, S("\x7f" "ELF\0\0"), size, &arena, &k, &e), ERR_INVALID);
	CHECK_RC(knowledge_read(KNOWLEDGE_TEXT, S("x"), (struct knowledge_size){ 199, 0 }, &arena,
	    &k, &e), ERR_INVALID);
	CHECK_RC(knowledge_read(KNOWLEDGE_TEXT, S("x"), (struct knowledge_size){ 400, 200 }, &arena,
	    &k, &e), ERR_INVALID);
}

static struct str
name_of(struct str path)
{
	static struct buf b = BUF(4096);

	buf_clear(&b);
	knowledge_add_name(&b, path);
	return buf_str(&b);
}

TEST(knowledge_names_end_no_mark)
{
	char longest[3000];
	struct str a;

	CHECK_STR(name_of(S("docs/a guide.md")), "docs/a guide.md");
	CHECK_STR(name_of(S("a[1]#2,3;%.md")), "a%5B1%5D%232%2C3%3B%25.md");
	CHECK_STR(name_of(S("caf\xe9\n.md")), "caf%E9%0A.md");
	CHECK_STR(name_of(S("\xe6\xbc\xa2.md")), "\xe6\xbc\xa2.md");
	memset(longest, 'x', sizeof longest);
	a = name_of((struct str){ longest, sizeof longest });
	CHECK(a.n < 400 && a.p[360] == '~');
	longest[2999] = 'y';
	CHECK(!str_eq(str_sub(a, 0, 0), name_of((struct str){ longest, sizeof longest })));
}

TEST(knowledge_hash_is_of_bytes_and_options)
{
	char a[KNOWLEDGE_HASH_BYTES + 1], b[KNOWLEDGE_HASH_BYTES + 1];
	struct buf key = BUF(1000);

	knowledge_hash(KNOWLEDGE_TEXT, S("x"), KNOWLEDGE_SIZE_DEFAULT, a);
	knowledge_hash(KNOWLEDGE_TEXT, S("x"), KNOWLEDGE_SIZE_DEFAULT, b);
	CHECK(strcmp(a, b) == 0);
	knowledge_hash(KNOWLEDGE_MARKDOWN, S("x"), KNOWLEDGE_SIZE_DEFAULT, b);
	CHECK(strcmp(a, b) != 0);
	knowledge_hash(KNOWLEDGE_TEXT, S("x"), (struct knowledge_size){ 1200, 151 }, b);
	CHECK(strcmp(a, b) != 0);
	knowledge_add_key(&key, S("a.md"), S("0123456789abcdef"), 12);
	CHECK_STR(buf_str(&key), "a.md#01234567-12");
	buf_release(&key);
}

TEST(knowledge_query_shortened)
{
	struct buf b = BUF(1000);

	CHECK(knowledge_shorten(S("How do I install the server?"), &b));
	CHECK_STR(buf_str(&b), "install server");
	CHECK(knowledge_shorten(S("install server"), &b));
	CHECK_STR(buf_str(&b), "install");
	CHECK(!knowledge_shorten(S("install"), &b));
	CHECK(!knowledge_shorten(S("how is it"), &b));
	CHECK(!knowledge_shorten(S(""), &b));
	buf_release(&b);
}
