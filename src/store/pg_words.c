/*
 * pg_words.c - store items by the words of their values, on PostgreSQL.
 *
 * A row of `word` has the words of an item as FTS5 makes them of its text (words.c): its
 * tokenizer is used by itself, so both find the same.  PostgreSQL's index of lexemes gives
 * the rows that have all words of a query, wherever they stand; here it is looked whether
 * those of a phrase stand side by side, and how well the row matches.
 *
 * A lexeme is the owner's number and the word, which is cut to LEXEME characters there and
 * in queries; so another owner's rows are never read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/near_priv.h"
#include "store/sqlite_priv.h"
#include "store/store_priv.h"

#define LEXEME     500                       /* as in pg_sql.c */
#define AT_ONCE    128                       /* rows, each up to LIMIT_ITEM_WORDS_BYTES */
#define WORDS_MAX  64                        /* of a phrase */

struct tokens {
	sqlite3 *db;                         /* in memory, and empty */
	fts5_tokenizer run;
	Fts5Tokenizer *made;
};

/* ---- words of a text --------------------------------------------------------------- */

int
tokens_open(struct tokens **out, struct err *e)
{
	static const char *options[] = { "remove_diacritics", "2" };
	struct tokens *t = mem_new(struct tokens);
	fts5_api *api = NULL;
	void *ctx = NULL;

	*out = t;
	if (sqlite3_open(":memory:", &t->db) == SQLITE_OK)
		api = sqlite_fts5(t->db);
	if (api == NULL || api->xFindTokenizer(api, "unicode61", &ctx, &t->run) != SQLITE_OK ||
	    t->run.xCreate(ctx, options, COUNT(options), &t->made) != SQLITE_OK)
		return err_set(e, ERR_IO, "SQLite was built without FTS5");
	return OK;
}

void
tokens_close(struct tokens *t)
{
	if (t == NULL)
		return;
	if (t->made != NULL)
		t->run.xDelete(t->made);
	sqlite3_close(t->db);
	free(t);
}

static int
token_add(void *buf, int flags, const char *p, int n, int from, int to)
{
	struct buf *b = buf;

	(void)flags, (void)from, (void)to;
	if (b->n > 0)
		buf_add_char(b, ' ');
	buf_add(b, (struct str){ p, (size_t)n });
	return SQLITE_OK;
}

static int
tokens_of(struct tokens *t, struct str text, struct buf *out)
{
	int rc = text.n == 0 ? SQLITE_OK : t->run.xTokenize(t->made, out,
	    FTS5_TOKENIZE_DOCUMENT, text.p, (int)text.n, token_add);

	return rc == SQLITE_OK && !out->failed ? OK : ERR_IO;
}

int
tokens_replace(struct tokens *t, struct buf *text)
{
	struct buf words = BUF(4 * LIMIT_ITEM_WORDS_BYTES);
	int rc = tokens_of(t, buf_str(text), &words);

	buf_clear(text);
	buf_add(text, buf_str(&words));
	buf_release(&words);
	return rc;
}

/* ---- a query ------------------------------------------------------------------------ */

struct phrase {
	struct str word[WORDS_MAX];
	size_t n;
	bool begins;                         /* the last is the beginning of a word */
};
struct words_query {
	struct finder *f;
	struct phrase *phrase;               /* QUERY_WORDS */
	size_t n;
	struct buf text, words, match;       /* match: a tsquery */
};

/* The first LEXEME characters. */
static struct str
lexeme(struct str word)
{
	size_t at = 0;

	for (int i = 0; i < LEXEME && at < word.n; i++) {
		size_t n = str_utf8_step(str_sub(word, at, word.n));

		at += n == 0 ? 1 : n;
	}
	return str_sub(word, 0, at);
}

/* Words are letters and digits: nothing in them means anything to a tsquery but in
 * quotes. */
static void
match_add(struct words_query *w, struct str word, bool begins)
{
	if (w->match.n > 0)
		buf_lit(&w->match, " & ");
	buf_add_fmt(&w->match, "'%lld:", (long long)w->f->x->cmd.owner);
	buf_add(&w->match, lexeme(word));
	buf_add(&w->match, begins ? S("':*") : S("'"));
}

/* ERR_NOTFOUND: it has no word, so nothing matches. */
static int
phrase_make(struct words_query *w, struct phrase *p, struct str words, bool begins)
{
	for (struct str word; p->n < WORDS_MAX && str_next(&words, ' ', &word); )
		if (word.n > 0)
			p->word[p->n++] = word;
	p->begins = begins;
	for (size_t i = 0; i < p->n; i++)
		match_add(w, p->word[i], begins && i + 1 == p->n);
	return p->n == 0 ? ERR_NOTFOUND : OK;
}

static int
query_make(struct words_query *w, struct tokens *t)
{
	struct words_phrase at[QUERY_WORDS];
	size_t ends[QUERY_WORDS];
	int rc = words_phrases(w->f->x->query, &w->text, &w->n, at, &w->f->x->cmd.err);

	for (size_t i = 0; rc == OK && i < w->n; i++) {
		rc = tokens_of(t, str_sub(buf_str(&w->text), at[i].from, at[i].to),
		    &w->words);
		ends[i] = w->words.n;
	}
	for (size_t i = 0; rc == OK && i < w->n; i++)
		rc = phrase_make(w, &w->phrase[i], str_sub(buf_str(&w->words),
		    i == 0 ? 0 : ends[i - 1], ends[i]), at[i].begins);
	if (rc == OK && w->match.failed)
		rc = err_set(&w->f->x->cmd.err, ERR_TOOBIG, "query: over %zu bytes",
		    w->match.max);
	return rc;
}

/* ---- rows ---------------------------------------------------------------------------- */

/* Does the phrase stand at the beginning of these words? */
static bool
stands(const struct phrase *p, struct str words)
{
	struct str word;

	for (size_t i = 0; i < p->n; i++) {
		bool last = i + 1 == p->n;

		if (!str_next(&words, ' ', &word))
			return false;
		if (last && p->begins ? !str_starts(word, p->word[i]) :
		    !str_eq(word, p->word[i]))
			return false;
	}
	return true;
}

/* false: a phrase is nowhere. */
static bool
row_rank(const struct words_query *w, struct str words, float *score)
{
	double times[QUERY_WORDS] = { 0 };
	struct str rest = words, word;
	int length = 0;

	for (struct str here = rest; str_next(&rest, ' ', &word); here = rest) {
		length++;
		for (size_t i = 0; i < w->n; i++)
			times[i] += stands(&w->phrase[i], here);
	}
	for (size_t i = 0; i < w->n; i++)
		if (times[i] == 0)
			return false;
	*score = (float)words_rank(times, length);
	return true;
}

/* Rows up to *to, the newest first, until there are enough; *to: those that are left end
 * there.  ERR_NOTFOUND: these were the last. */
static int
block_load(struct words_query *w, int64_t *to, struct near *at, size_t *n)
{
	struct finder *f = w->f;
	int rc = OK;

	*n = 0;
	while (rc == OK && *n + AT_ONCE <= LIMIT_WORDS_RANKED) {
		struct query q = query_of(f->db, SQL_WORD_FIND, db_str(buf_str(&w->match)),
		    db_i64(ITEM_KEY(f->x->cmd.owner, 0)), db_i64(*to), db_i64(AT_ONCE));
		int rows = 0;

		for (rc = query_row(&q); rc == OK; rc = query_row(&q), rows++) {
			int64_t key = query_i64(&q, 0);

			at[*n].seq = ITEM_SEQ(key);
			*n += row_rank(w, query_borrow(&q, 1), &at[*n].score);
			*to = key - 1;
			if (!db_go_on(f->db->on) && f->db->on->pace_until != 0)
				break;
		}
		query_end(&q);
		rc = rc == OK ? f->db->on->pace_rc : rc != ERR_NOTFOUND ? rc :
		    rows == AT_ONCE ? OK : ERR_NOTFOUND;
	}
	return rc;
}

static int
blocks_find(struct words_query *w)
{
	struct finder *f = w->f;
	struct near *at = mem_alloc(LIMIT_WORDS_RANKED * sizeof *at);
	int64_t to = ITEM_KEY(f->x->cmd.owner + 1, 0) - 1;
	int more = OK, rc = OK;

	while (rc == OK && more == OK && f->left > 0) {
		size_t n;

		more = block_load(w, &to, at, &n);
		rc = more == OK || more == ERR_NOTFOUND ? words_try(f, at, n) : more;
	}
	free(at);
	return rc;
}

/* A tokenizer keeps what it works with, so each search makes its own. */
int
pg_words_find(struct finder *f)
{
	struct words_query w = { .f = f, .phrase = mem_zero(QUERY_WORDS *
	    sizeof *w.phrase), .text = BUF(4 * LIMIT_FILTER_BYTES),
	    .words = BUF(8 * LIMIT_FILTER_BYTES), .match = BUF(16 * LIMIT_FILTER_BYTES) };
	struct tokens *t = NULL;
	int rc = tokens_open(&t, &f->x->cmd.err);

	if (rc == OK)
		rc = query_make(&w, t);
	if (rc == OK && w.n > 0)
		rc = blocks_find(&w);
	tokens_close(t);
	free(w.phrase);
	buf_release(&w.text);
	buf_release(&w.words);
	buf_release(&w.match);
	return rc == ERR_NOTFOUND ? OK : rc;
}
