/*
 * sqlite_rank.c - word_rank(table): how well a row of an FTS5 index matches a query.
 *
 * The part of bm25 that the row alone decides: how often each word of the query occurs
 * in it, less for a long text, and less for each further time.  The rest of bm25, how
 * rare a word is in the whole index, is left out: SQLite counts every row that has the
 * word to know it, once a query, and it would tell an owner of the texts of others.
 * All words of a query must occur, so it would only weigh them against each other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/sqlite_priv.h"
#include "store/store_priv.h"

#define K1       1.2                         /* the usual constants of bm25 */
#define B        0.75
#define MEAN_LEN 64.0                        /* words of a text that is neither long nor
                                                short */

double
words_rank(const double *times, int length)
{
	double most = K1 * (1 - B + B * length / MEAN_LEN), score = 0;

	for (int i = 0; i < QUERY_WORDS; i++)
		score += times[i] * (K1 + 1) / (times[i] + most);
	return score;
}

static void
word_rank(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *c, int n,
    sqlite3_value **v)
{
	double times[QUERY_WORDS] = { 0 };
	int count = 0, length = 0;
	int rc = api->xInstCount(fts, &count);

	(void)n;
	(void)v;
	for (int i = 0; rc == SQLITE_OK && i < count; i++) {
		int phrase = 0, column, offset;

		rc = api->xInst(fts, i, &phrase, &column, &offset);
		if (phrase < QUERY_WORDS)
			times[phrase]++;
	}
	if (rc == SQLITE_OK)
		rc = api->xColumnSize(fts, -1, &length);
	if (rc != SQLITE_OK) {
		sqlite3_result_error_code(c, rc);
		return;
	}
	sqlite3_result_int64(c, (int64_t)(words_rank(times, length) * WORD_RANK_ONE));
}

/* As FTS5's documentation has it: a pointer is passed, which a statement may write. */
fts5_api *
sqlite_fts5(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	fts5_api *api = NULL;

	if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_pointer(stmt, 1, (void *)&api, "fts5_api_ptr", NULL);
		(void)sqlite3_step(stmt);
	}
	(void)sqlite3_finalize(stmt);
	return api;
}

int
words_rank_add(struct db *db, struct err *e)
{
	fts5_api *api = sqlite_fts5(sqlite_of(db));

	if (api == NULL || api->xCreateFunction(api, "word_rank", NULL, word_rank, NULL) !=
	    SQLITE_OK)
		return err_set(e, ERR_IO, "%s: SQLite was built without FTS5", db_path(db));
	return OK;
}
