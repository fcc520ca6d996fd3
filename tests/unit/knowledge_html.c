/*
 * knowledge_html.c - HTML in chunks.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "harness/test.h"
#include "knowledge/knowledge.h"

static struct arena arena = ARENA(KNOWLEDGE_ARENA_BYTES);

static struct knowledge
html(struct str text, size_t target)
{
	struct knowledge k;
	struct err e = { 0 };

	CHECK_RC(knowledge_read(KNOWLEDGE_HTML, text, (struct knowledge_size){ target, 0 },
	    &arena, &k, &e), OK);
	return k;
}

TEST(knowledge_html_text_alone)
{
	struct knowledge k = html(S("<!doctype html><title>A &amp; B</title><style>p{}</style>\n<nav>Menu</nav>\n"
	    "<body><h1>Guide</h1>\n<p>One &lt;two&gt; <b>three</b>\nfour<script>var x = '<p>no</p>'</script>.\n<p>Five<br>six"), 400);

	CHECK_STR(k.title, "A & B");
	CHECK(k.n == 1);
	CHECK_STR(k.at[0].heading, "Guide");
	CHECK_STR(k.at[0].text, "One <two> three four.\n\nFive\nsix");
	CHECK_INT(k.at[0].first, 3);
}

TEST(knowledge_html_blocks)
{
	struct knowledge k = html(S("<main><h2>Lists</h2><div>in a <div>div</div> and after</div>"
	    "<ul><li>one<li>two<ul><li><p>deep</ul></ul><ol><li>a<li>b</ol><pre>x  y\n  z</pre>"
	    "<table><caption>Cap</caption><tr><th>n<th>p<tr><td>a<td>1</table><img src=x alt='a &quot;cat&quot;'>"
	    "<p hidden>no<p aria-hidden=true>no<template>no</template><button>no</button></main>"), 1200);

	CHECK(k.n == 1);
	CHECK_STR(k.at[0].heading, "Lists");
	CHECK_STR(k.at[0].text, "in a\n\ndiv\n\nand after\n\n- one\n- two\n  - deep\n\n1. a\n2. b\n\n"
	    "```\nx  y\n  z\n```\n\nCap\n\nn | p\na | 1\n\na \"cat\"");
}

TEST(knowledge_html_hostile)
{
	static const char *const pieces[] = { "<div>", "<b>", "<p><b><i>", "<table><tr><td>", "<svg><g>",
		"<a href=x>", "<select><option>", "</p>", "<", "<!--", "<![CDATA[", "&#x1F600;", "&#0;&#xD800;",
		"<template>", "<frameset>", "<math><mi><annotation-xml>", "<ruby><rt>" };
	struct knowledge_size size = KNOWLEDGE_SIZE_DEFAULT;

	for (size_t i = 0; i < COUNT(pieces); i++)
		for (int n = 900; n <= 90000; n *= 10) {
			struct buf b = BUF(1 << 22);
			struct knowledge k;
			struct err e = { 0 };
			int rc;

			for (int j = 0; j < n; j++)
				buf_add(&b, str_of(pieces[i]));
			buf_lit(&b, "end");
			rc = knowledge_read(KNOWLEDGE_HTML, buf_str(&b), size, &arena, &k, &e);
			CHECK(rc == OK || rc == ERR_TOOBIG);
			CHECK(i > 0 || rc == (n > 1000 ? ERR_TOOBIG : OK));
			arena_clear(&arena);
			buf_release(&b);
		}
}

/* Each <p> has all <b> anew: 800 times as many elements as the page has. */
TEST(knowledge_html_that_grows)
{
	struct knowledge_size size = KNOWLEDGE_SIZE_DEFAULT;
	static const char *const dense[] = { "<p>", "<br>", "<i></i>", "<li>", "<td>", "<a>x</a>" };
	struct buf b = BUF(4 * MB);
	struct knowledge k;
	struct err e = { 0 };

	buf_lit(&b, "<p>");
	for (int i = 0; i < 800; i++)
		buf_add_fmt(&b, "<b id=%d>", i);
	for (int i = 0; i < 2000; i++)
		buf_lit(&b, "</p><p>x");
	CHECK_RC(knowledge_read(KNOWLEDGE_HTML, buf_str(&b), size, &arena, &k, &e), ERR_TOOBIG);
	CHECK(str_contains(str_of(e.text), S("formatting that is not closed")));
	for (size_t i = 0; i < COUNT(dense); i++) {
		buf_clear(&b);
		while (b.n < MB)
			buf_add(&b, str_of(dense[i]));
		CHECK_RC(knowledge_read(KNOWLEDGE_HTML, buf_str(&b), size, &arena, &k, &e), OK);
		arena_clear(&arena);
	}
	buf_release(&b);
}

TEST(knowledge_html_bytes_are_mended)
{
	struct knowledge k = html(S("<p>caf\xe9 &eacute; &nosuch; &#x110000;</p"), 400);

	CHECK(k.n == 1 && str_is_utf8(k.at[0].text));
	CHECK(str_starts(k.at[0].text, S("caf\xef\xbf\xbd \xc3\xa9 &nosuch;")));
}
