/*
 * words.c - store items by the words of their values.
 *
 * An index of SQLite's (FTS5; on PostgreSQL: pg_words.c) has the words of each item's texts
 * and numbers, under a
 * number made of its owner and its change (item_key).  It keeps no texts: what is taken
 * out of it must be the very text that was put in, so this is made by one function, of
 * the value and of the paths that are kept beside it.
 *
 * A character of a script that is written without blanks (Chinese, Japanese) is a word
 * of its own: a query of several finds them side by side.
 *
 * A word matches without regard to case and accents.  All words of a query must occur;
 * `word*` is the beginning of one.  The best come first (sqlite_rank.c), of the newest
 * LIMIT_WORDS_RANKED that match; then the best of as many before these, and so on.  So a
 * word that every item has costs as much as one that some have, and nothing is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/near_priv.h"
#include "store/store_priv.h"

/* ---- characters --------------------------------------------------------------- */

struct range { uint32_t from, to; };

/* Code points past ASCII that are in no word: punctuation, symbols, emoji. */
static const struct range marks[] = {
	{ 0x80, 0xa9 }, { 0xab, 0xb1 }, { 0xb4, 0xb4 }, { 0xb6, 0xb8 }, { 0xbb, 0xbb },
	{ 0xbf, 0xbf }, { 0xd7, 0xd7 }, { 0xf7, 0xf7 }, { 0x2000, 0x206f },
	{ 0x20a0, 0x20cf }, { 0x2190, 0x245f }, { 0x2500, 0x2775 }, { 0x2794, 0x2bff },
	{ 0x2e00, 0x2e2e }, { 0x3000, 0x3004 }, { 0x3008, 0x3020 }, { 0x3030, 0x3030 },
	{ 0xfe00, 0xfe6f }, { 0xff01, 0xff0f }, { 0x1f000, 0x1faff },
};

/* Han characters and kana. */
static const struct range alone[] = {
	{ 0x2e80, 0x2fdf }, { 0x3005, 0x3007 }, { 0x3041, 0x30ff }, { 0x3400, 0x4dbf },
	{ 0x4e00, 0x9fff }, { 0xf900, 0xfaff }, { 0x20000, 0x3ffff },
};

static uint32_t
code_point(struct str s, size_t n)
{
	static const uint8_t first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (uint8_t)s.p[0] & first[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((uint8_t)s.p[i] & 0x3f);
	return c;
}

static bool
in_ranges(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].from && c <= r[i].to)
			return true;
	return false;
}

/* c, which is one character, with blanks around it if it is a word of its own. */
static void
char_add(struct buf *b, struct str c)
{
	bool word = c.n >= 3 && in_ranges(code_point(c, c.n), alone, COUNT(alone));

	if (word)
		buf_add_char(b, ' ');
	buf_add(b, c);
	if (word)
		buf_add_char(b, ' ');
}

/* s without its NULs, which would end the text, and quotes, which would end a phrase:
 * both stand between words. */
static void
chars_add(struct buf *b, struct str s)
{
	while (s.n > 0) {
		size_t n = str_utf8_step(s);

		n = n == 0 ? 1 : n;
		char_add(b, s.p[0] == '\0' || s.p[0] == '"' ? S(" ") : str_sub(s, 0, n));
		s = str_sub(s, n, s.n);
	}
}

/* ---- what is indexed ---------------------------------------------------------- */

static void
text_add(struct buf *b, jnode n)
{
	struct json_iter it;

	if (json_is_string(n)) {
		chars_add(b, str_cut(json_str(n), LIMIT_ITEM_WORDS_BYTES -
		    (b->n < LIMIT_ITEM_WORDS_BYTES ? b->n : LIMIT_ITEM_WORDS_BYTES)));
		buf_add_char(b, ' ');
	} else if (json_is_number(n)) {
		json_add_node(b, n);
		buf_add_char(b, ' ');
	}
	for (it = json_each(n); b->n < LIMIT_ITEM_WORDS_BYTES && json_next(&it); )
		text_add(b, it.value);
}

int
words_text(struct buf *b, struct str value_json, struct str paths_json)
{
	struct json_doc value = { 0 }, paths = { 0 };
	jnode parts[LIMIT_ITEM_PARTS];
	size_t n = 0;
	int rc = json_parse(&value, value_json, NULL);

	buf_clear(b);
	if (rc == OK && paths_json.n > 0)
		rc = json_parse(&paths, paths_json, NULL);
	if (rc == OK)
		n = item_parts(value.root, paths.root, parts, COUNT(parts));
	for (size_t i = 0; i < n && b->n < LIMIT_ITEM_WORDS_BYTES; i++)
		text_add(b, parts[i]);
	json_release(&value);
	json_release(&paths);
	return rc == OK && !b->failed ? OK : ERR_IO; /* stored JSON does not parse */
}

int
words_change(struct store *st, enum sql text, owner_t owner, int64_t seq,
    struct str value_json, struct str paths_json)
{
	int rc = words_text(&st->pack, value_json, paths_json);

	if (rc == OK && st->pg)
		rc = tokens_replace(st->tokens, &st->pack);
	if (rc != OK || st->pack.n == 0)
		return rc;
	return db_run(&st->w, text, db_i64(ITEM_KEY(owner, seq)),
	    db_text(buf_str(&st->pack)));
}

/* ---- what is asked for --------------------------------------------------------- */

static bool
in_words(uint32_t c)
{
	if (c < 0x80)
		return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
	return !in_ranges(c, marks, COUNT(marks));
}

/* A phrase without a letter or digit would match nothing at all. */
static bool
has_word(struct str s)
{
	while (s.n > 0) {
		size_t n = str_utf8_step(s);

		if (n == 0 || in_words(code_point(s, n)))
			return true;
		s = str_sub(s, n, s.n);
	}
	return false;
}

/* A word as FTS5's string: but for its quotes no character means anything there. */
static void
phrase_add(struct buf *b, struct str word)
{
	bool begins = word.n > 1 && word.p[word.n - 1] == '*';

	if (b->n > 0)
		buf_lit(b, " AND ");
	buf_add_char(b, '"');
	chars_add(b, str_sub(word, 0, word.n - begins));
	buf_add_char(b, '"');
	if (begins)
		buf_add_char(b, '*');
}

int
words_query(struct buf *b, struct str query, struct err *e)
{
	size_t n = 0;

	for (struct str word; str_next(&query, ' ', &word); ) {
		word = str_trim(word);
		if (!has_word(word))
			continue;
		if (++n > QUERY_WORDS)
			return err_set(e, ERR_INVALID, "query: over %d words", QUERY_WORDS);
		phrase_add(b, word);
	}
	return b->failed ? err_set(e, ERR_TOOBIG, "query: over %zu bytes", b->max) : OK;
}

/* ---- finding ---------------------------------------------------------------------- */

/* Those that match up to `to`, the newest WORDS_RANKED; ERR_NOTFOUND: there are no more
 * than these. */
static int
block_load(struct finder *f, struct str match, int64_t to, struct near *at, size_t *n)
{
	struct query q = query_of(f->db, SQL_WORD_FIND, db_str(match),
	    db_i64(ITEM_KEY(f->x->cmd.owner, 0)), db_i64(to), db_i64(LIMIT_WORDS_RANKED));
	int rc = OK;

	for (*n = 0; rc == OK && *n < LIMIT_WORDS_RANKED; *n += rc == OK) {
		rc = query_row(&q);
		if (rc == OK)
			at[*n] = (struct near){ .seq = ITEM_SEQ(query_i64(&q, 0)),
			    .score = (float)((double)query_i64(&q, 1) / WORD_RANK_ONE) };
	}
	query_end(&q);
	return rc;
}

/* The best first. */
int
words_try(struct finder *f, struct near *at, size_t n)
{
	int rc = OK;

	near_sort(at, n);
	for (size_t i = 0; rc == OK && f->left > 0 && i < n; i++)
		rc = finder_try(f, at[i].seq, (double)at[i].score);
	return rc;
}

static int
blocks_find(struct finder *f, struct str match)
{
	struct near *at = mem_alloc(LIMIT_WORDS_RANKED * sizeof *at);
	int64_t to = ITEM_KEY(f->x->cmd.owner + 1, 0) - 1;
	int more = OK, rc = OK;

	while (rc == OK && more == OK && f->left > 0) {
		size_t n;

		more = block_load(f, match, to, at, &n);
		if (n > 0)
			to = ITEM_KEY(f->x->cmd.owner, at[n - 1].seq) - 1;
		rc = more == OK || more == ERR_NOTFOUND ? words_try(f, at, n) : more;
	}
	free(at);
	return rc;
}

int
words_phrases(struct str query, struct buf *text, size_t *n, struct words_phrase *out,
    struct err *e)
{
	*n = 0;
	for (struct str word; str_next(&query, ' ', &word); ) {
		size_t from = text->n;
		bool begins;

		word = str_trim(word);
		if (!has_word(word))
			continue;
		if (*n == QUERY_WORDS)
			return err_set(e, ERR_INVALID, "query: over %d words", QUERY_WORDS);
		begins = word.n > 1 && word.p[word.n - 1] == '*';
		chars_add(text, str_sub(word, 0, word.n - begins));
		out[(*n)++] = (struct words_phrase){ from, text->n, begins };
	}
	return text->failed ? err_set(e, ERR_TOOBIG, "query: over %zu bytes", text->max) : OK;
}

int
words_find(struct finder *f)
{
	struct buf b = BUF(4 * LIMIT_FILTER_BYTES);
	int rc;

	if (db_is_server(f->db)) {
		buf_release(&b);
		return pg_words_find(f);
	}
	rc = words_query(&b, f->x->query, &f->x->cmd.err);
	if (rc == OK && b.n > 0)
		rc = blocks_find(f, buf_str(&b));
	buf_release(&b);
	return rc;
}
