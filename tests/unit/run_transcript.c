/*
 * run_transcript.c - entries as rows: what comes back is what went in, rows that are
 * cut or of another version are not taken, limits hold, secrets stay out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "harness/test.h"
#include "run/transcript.h"

/* With every field; kinds leave out what they do not have. */
static struct transcript_entry
an_entry(int kind, msec now)
{
	return (struct transcript_entry){ .kind = kind, .now = now,
	    .place = { S("sub:1"), S("ask"), { .b = { 7, 1 } } },
	    .id = { .b = { 9, 9 } }, .text = { S("a \"text\""), S("b"), S("c"), S("d") },
	    .number = { 3, -4 }, .json = { S("{\"x\":[1,2]}"), S("[\"y\"]") } };
}

static const struct transcript_run row_of_run = {
	.kwargs_json = { "{\"input\":[1],\"config\":{\"api_key\":\"sk\"},\"token\":\"t\"}", 51 },
};

static void
read_all(struct str row, struct buf *out, size_t *n)
{
	struct transcript_reader r = { .rest = row };

	for (*n = 0; transcript_read(&r) == OK; ++*n) {
		transcript_add_json(out, &r, S("r"), &row_of_run, (int64_t)*n + 1);
		buf_add_char(out, '\n');
	}
}

static void
take(struct transcript *t, struct buf *row, int64_t first, int64_t last)
{
	int64_t a, b;

	CHECK(transcript_take(t, row, &a, &b));
	CHECK_INT(a, first);
	CHECK_INT(b, last);
}

/* Goal: an entry of every kind is read as it was written, in JSON that parses. */
TEST(transcript_every_kind_comes_back)
{
	struct transcript t;
	struct buf row = BUF(0), text = BUF(MB);
	struct json_doc d = { 0 };
	struct str rest, line;
	size_t n;

	transcript_open(&t, 5);
	for (int kind = 0; kind < TRANSCRIPT_KINDS; kind++) {
		struct transcript_entry e = an_entry(kind, 1000 + kind);

		transcript_add(&t, &e);
	}
	take(&t, &row, 5, 4 + TRANSCRIPT_KINDS);
	read_all(buf_str(&row), &text, &n);
	CHECK_INT(n, TRANSCRIPT_KINDS);
	rest = buf_str(&text);
	for (int kind = 0; str_next(&rest, '\n', &line) && line.n > 0; kind++) {
		CHECK_RC(json_parse(&d, line, NULL), OK);
		CHECK_STR(json_str(json_get(d.root, S("kind"))), transcript_kind_names[kind]);
		CHECK_STR(json_str(json_get(d.root, S("node"))), "ask");
		CHECK_INT(json_int(json_get(d.root, S("seq"))), kind + 1);
		json_release(&d);
	}
	CHECK(strstr(text.p, "\"to\":{\"x\":[1,2]}") != NULL);
	CHECK(strstr(text.p, "\"request\":{\"config\":{\"api_key\":\"[not kept]\"},"
	    "\"token\":\"[not kept]\"}}") != NULL);
	CHECK(strstr(text.p, "\"input\":[1]}") != NULL);
	CHECK(strstr(text.p, "1970-01-01T00:00:01.003") != NULL);
	buf_release(&row);
	buf_release(&text);
	transcript_release(&t);
}

/* Goal: nothing that is shorter than a row is taken for one without a word, and
 * no prefix is read past its end. */
TEST(transcript_prefixes_are_not_taken)
{
	struct transcript t;
	struct buf row = BUF(0);

	transcript_open(&t, 1);
	for (int kind = 0; kind < TRANSCRIPT_KINDS; kind++) {
		struct transcript_entry e = an_entry(kind, 1000);
		size_t whole = 0;

		transcript_add(&t, &e);
		take(&t, &row, kind + 1, kind + 1);
		for (size_t n = 0; n < row.n; n++) {
			char *exact = malloc(n + 1);
			struct transcript_reader r = { .rest = { exact, n } };

			memcpy(exact, row.p, n);
			whole += transcript_read(&r) == OK;
			free(exact);
		}
		CHECK_INT(whole, 0);
		row.p[0] = 99;
		CHECK_RC(transcript_read(&(struct transcript_reader){
		    .rest = buf_str(&row) }), ERR_SYNTAX);
		buf_release(&row);
	}
	transcript_release(&t);
}

/* Goal: a large payload is cut and says so; what does not fit between two commits
 * is counted; a full transcript says it once and still takes the end. */
TEST(transcript_limits_are_told)
{
	struct transcript t;
	struct transcript_entry e = an_entry(TRANSCRIPT_TOOL_CALL, 1);
	struct buf row = BUF(0), text = BUF(4 * MB);
	size_t large = LIMIT_TRANSCRIPT_PAYLOAD + 1, n;
	char *s = malloc(large);

	memset(s, 'x', large);
	s[0] = s[large - 1] = '"';
	e.json[0] = (struct str){ s, large };
	transcript_open(&t, 1);
	transcript_add(&t, &e);
	take(&t, &row, 1, 1);
	CHECK(row.n < 1024);
	read_all(buf_str(&row), &text, &n);
	CHECK(strstr(text.p, "\"args\":{\"cut\":{\"bytes\":262145,\"sha256\":\"") != NULL);
	buf_release(&row);

	e.json[0].n = LIMIT_TRANSCRIPT_PAYLOAD;
	for (int i = 0; i < 10; i++)
		transcript_add(&t, &e);
	take(&t, &row, 2, 5);                /* three, and one that tells of seven */
	buf_clear(&text);
	read_all(buf_str(&row), &text, &n);
	CHECK_INT(n, 4);
	CHECK(strstr(text.p, "\"kind\":\"cut\"") != NULL);
	CHECK(strstr(text.p, "\"entries\":7") != NULL);
	buf_release(&row);

	t.next = LIMIT_TRANSCRIPT_ENTRIES + 1;
	for (int i = 0; i < 3; i++)
		transcript_add(&t, &e);
	e.kind = TRANSCRIPT_RUN_END;
	transcript_add(&t, &e);
	take(&t, &row, LIMIT_TRANSCRIPT_ENTRIES + 1, LIMIT_TRANSCRIPT_ENTRIES + 2);
	buf_release(&row);
	buf_release(&text);
	free(s);
	transcript_release(&t);
}

/* Goal: what was said once is known the second time. */
TEST(transcript_notes_messages)
{
	struct transcript t;

	transcript_open(&t, 1);
	CHECK(!transcript_note(&t, S("one")));
	CHECK(!transcript_note(&t, S("two")));
	CHECK(transcript_note(&t, S("one")));
	for (int i = 0; i < LIMIT_TRANSCRIPT_NOTED + 10; i++) {
		char text[16];

		snprintf(text, sizeof text, "m%d", i);
		(void)transcript_note(&t, str_of(text));
	}
	CHECK_INT(t.said_n, LIMIT_TRANSCRIPT_NOTED);
	transcript_release(&t);
}

/* Goal: values under such names, at any depth, and users of URLs are not kept. */
TEST(transcript_secrets_stay_out)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "{\"model\":\"m\",\"max_tokens\":5,\"thread_id\":\"t\"}",
		  "{\"model\":\"m\",\"max_tokens\":5,\"thread_id\":\"t\"}" },
		{ "{\"openai_api_key\":\"sk-1\",\"apiKey\":\"sk-2\",\"X-Api-Key\":\"sk-3\"}",
		  "{\"openai_api_key\":\"[not kept]\",\"apiKey\":\"[not kept]\","
		  "\"X-Api-Key\":\"[not kept]\"}" },
		{ "{\"a\":[{\"headers\":{\"Authorization\":\"Bearer x\",\"n\":1}}]}",
		  "{\"a\":[{\"headers\":{\"Authorization\":\"[not kept]\",\"n\":1}}]}" },
		{ "{\"env\":{\"GITHUB_TOKEN\":\"g\",\"token\":\"t\",\"Cookie\":\"c\"}}",
		  "{\"env\":{\"GITHUB_TOKEN\":\"[not kept]\",\"token\":\"[not kept]\","
		  "\"Cookie\":\"[not kept]\"}}" },
		{ "{\"db_password\":{\"x\":1},\"client-secret\":[1],\"private_key\":null}",
		  "{\"db_password\":\"[not kept]\",\"client-secret\":\"[not kept]\","
		  "\"private_key\":\"[not kept]\"}" },
		{ "{\"base_url\":\"https://me:pw@a.example/v1\",\"u\":\"http://a/b@c\"}",
		  "{\"base_url\":\"https://a.example/v1\",\"u\":\"http://a/b@c\"}" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct val v = val_json_trusted(str_of(cases[i].in));
		struct buf b = BUF(KB);

		transcript_add_open(&b, v);
		CHECK_STR(buf_str(&b), cases[i].out);
		buf_release(&b);
		val_drop(v);
	}
}
