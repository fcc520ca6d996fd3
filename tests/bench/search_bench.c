/*
 * search_bench.c - what searches take in a large store.
 *
 *   search-bench [-n ROWS] [-r ROUNDS] [-f FILE]
 *
 * Fills FILE with ROWS items of one owner (150 bytes each, 1,000 namespaces)
 * and as many threads, each with a state of one value, and prints the median and the worst of ROUNDS searches
 * of each kind, from submit to answer, warm; then of histories while four
 * others search items without a pause; then of 1,000 changes of threads a second,
 * in turns alone and beside sixteen searches that find nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define SEARCHERS 4
#define ROUNDS    1000

static void
measure(struct client *k, const struct store_item_search *what, int rounds,
    const char *name, const char *limit)
{
	static nsec t[ROUNDS];

	for (int i = -1; i < rounds; i++) {
		struct store_item_search s = *what;
		nsec took = client_do(k, &s, STORE_ITEM_SEARCH);

		if (s.truncated)
			die(name, "cut");
		if (i >= 0)
			t[i] = took;
	}
	show(name, t, rounds, limit);
}

/* ---- beside searchers ------------------------------------------------------ */

struct searcher {
	pthread_t thread;
	struct client client;
	_Atomic bool *stop;
	int64_t done;
};

static void *
searcher_main(void *arg)
{
	struct searcher *s = arg;

	for (; !atomic_load(s->stop); s->done++) {
		struct store_item_search x = { .filter_json = S("{\"kind\":\"none\"}"),
		    .limit = 10 };

		client_do(&s->client, &x, STORE_ITEM_SEARCH);
	}
	return NULL;
}

static struct store_run
history_make(struct client *k)
{
	static const struct str m[] = { S("{\"type\":\"human\",\"content\":\"hi\"}"),
	    S("{\"type\":\"ai\",\"content\":\"hello\"}") };
	struct store_run_create r = { .create_thread = true, .run = {
	    .id = uuid_v7(), .thread_id = uuid_v7(), .assistant_id = uuid_v7(),
	    .graph_id = S("agent"), .created = 1, .updated = 1 } };
	struct store_checkpoint_put steps[10];
	struct store_channel_change x[10];
	struct store_run_end f;

	client_do(k, &r, STORE_RUN_CREATE);
	for (size_t i = 0; i < COUNT(steps); i++) {
		x[i] = (struct store_channel_change){ .name = S("messages"),
		    .kind = STORE_LIST, .keep = (uint32_t)(2 * i), .entries = m,
		    .entries_n = 2 };
		steps[i] = (struct store_checkpoint_put){ .id = uuid_v6((unsigned)i),
		    .step = (int)i, .channels = &x[i], .channels_n = 1 };
	}
	f = (struct store_run_end){ .run_seq = r.run.seq,
	    .thread_seq = r.run.thread_seq, .changes = { .checkpoints = steps,
	    .checkpoints_n = COUNT(steps) }, .status = RUN_SUCCESS };
	client_do(k, &f, STORE_RUN_END);
	return r.run;
}

static void
histories(struct client *k, int rounds, const struct store_run *run,
    const char *name, const char *limit)
{
	static nsec t[ROUNDS];

	for (int i = 0; i < rounds; i++) {
		struct store_history h = { .thread_seq = run->thread_seq, .limit = 10 };

		t[i] = client_do(k, &h, STORE_HISTORY);
	}
	show(name, t, rounds, limit);
}

static void
beside_searchers(struct client *k, int rounds)
{
	static struct searcher s[SEARCHERS];
	struct store_run run = history_make(k);
	_Atomic bool stop = false;

	histories(k, rounds, &run, "history, alone", "");
	for (size_t i = 0; i < SEARCHERS; i++) {
		client_init(&s[i].client, k->st);
		s[i].stop = &stop;
		pthread_create(&s[i].thread, NULL, searcher_main, &s[i]);
	}
	histories(k, rounds, &run, "history beside 4 searchers", "<= 3 ms");
	atomic_store(&stop, true);
	for (size_t i = 0; i < SEARCHERS; i++) {
		pthread_join(s[i].thread, NULL);
		arena_release(&s[i].client.arena);
	}
}

/* ---- threads ---------------------------------------------------------------- */

/* Each user has ten threads; one thread in ten waits for somebody, one in 10,000 has
 * failed; `updated` goes through all in another order. */
static const char threads_sql[] =
"BEGIN; CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
"	FROM n WHERE i < %lld) SELECT i FROM n;"
"INSERT INTO thread(seq, uuid, owner, status, checkpoint, created, updated, metadata,"
"	config, state_updated) SELECT i + 10, CAST(printf('%%016d', i) AS BLOB), %d,"
"	CASE WHEN i %% 10000 = 1 THEN 3 WHEN i %% 10 = 2 THEN 2 ELSE 0 END, i + 10, i,"
"	i * 7919 %% %lld, printf('{\"graph_id\":\"agent\",\"tenth\":%%d,\"user\":\"u%%d\"}',"
"	i %% 10, i %% %lld), '{}', i * 104729 %% %lld FROM n;"
"INSERT INTO checkpoint(seq, uuid, thread, ns, parent, run, step, source, created,"
"	channels) SELECT i + 10, CAST(printf('%%016d', i) AS BLOB), i + 10, '', 0, 0, 0, 1,"
"	i, printf('{\"note\":%%d}', i + 10) FROM n;"
"INSERT INTO channel SELECT i + 10, '', 'note', i + 10, 'json', CAST(printf("
"	'{\"topic\":%%d,\"tags\":[\"a\",\"b%%d\"]}', i %% 10, i) AS BLOB) FROM n;"
"SELECT facets_make(owner, created, seq, metadata) FROM thread WHERE seq > 10;"
"DELETE FROM thread_count; INSERT INTO thread_count SELECT owner, status + 1, count(*)"
"	FROM thread GROUP BY owner, status UNION ALL SELECT owner, hash, count(*) FROM"
"	facet GROUP BY owner, hash; COMMIT";

static void
fill_threads(struct db *db, int64_t n)
{
	struct err e = { 0 };
	char sql[2048];

	snprintf(sql, sizeof sql, threads_sql, (long long)n, OWNER, (long long)n,
	    (long long)n / 10, (long long)n);
	if (db_exec(db, sql, &e) != OK)
		die("fill threads", e.text);
}

static void
measure_threads(struct client *k, const struct store_thread_search *what,
    int rounds, const char *name, const char *limit)
{
	static nsec t[ROUNDS];

	for (int i = -1; i < rounds; i++) {
		struct store_thread_search s = *what;
		nsec since = clock_mono();
		int rc = client_try(k, &s, STORE_THREAD_SEARCH);

		if (rc == ERR_TIMEOUT && what->values_json.n > 0)
			limit = "cut by its deadline";
		else if (rc != OK || s.found_n == 0)
			die(name, rc != OK ? s.cmd.err.text : "nothing found");
		if (i >= 0)
			t[i] = clock_mono() - since;
	}
	show(name, t, rounds, limit);
}

static void
threads(struct client *k, int rounds)
{
	static const struct { const char *name, *metadata, *values; int status;
		enum store_sort sort; bool flat; } rows[] = {
		{ "newest", "", "", -1, STORE_SORT_CREATED, true },
		{ "1 in 10 by status", "", "", THREAD_INTERRUPTED, STORE_SORT_CREATED, true },
		{ "1 in 10,000 by status", "", "", THREAD_ERROR, STORE_SORT_CREATED, true },
		{ "1 in 10 by metadata", "{\"tenth\":3}", "", -1, STORE_SORT_CREATED, true },
		{ "ten by metadata", "{\"user\":\"u7\"}", "", -1, STORE_SORT_CREATED, true },
		{ "all by metadata", "{\"graph_id\":\"agent\"}", "", -1, STORE_SORT_CREATED, true },
		{ "1 in 10 by both", "{\"graph_id\":\"agent\"}", "", THREAD_INTERRUPTED,
		    STORE_SORT_CREATED, true },
		{ "newest, updated_at", "", "", -1, STORE_SORT_UPDATED, true },
		{ "1 in 10 by status, updated_at", "", "", THREAD_INTERRUPTED,
		    STORE_SORT_UPDATED, true },
		{ "1 in 10,000 by status, updated_at", "", "", THREAD_ERROR,
		    STORE_SORT_UPDATED, true },
		{ "1 in 10 by metadata, updated_at", "{\"tenth\":3}", "", -1,
		    STORE_SORT_UPDATED, true },
		{ "ten by metadata, updated_at", "{\"user\":\"u7\"}", "", -1,
		    STORE_SORT_UPDATED, true },
		{ "newest, state_updated_at", "", "", -1, STORE_SORT_STATE_UPDATED, true },
		{ "1 in 10 by status, state_updated", "", "", THREAD_INTERRUPTED,
		    STORE_SORT_STATE_UPDATED, true },
		{ "1 in 10 by metadata, state_updated", "{\"tenth\":3}", "", -1,
		    STORE_SORT_STATE_UPDATED, true },
		{ "1 in 10 by value", "", "{\"note\":{\"topic\":3}}", -1,
		    STORE_SORT_CREATED, false },
		{ "one by containment of values", "", "{\"note\":{\"tags\":[\"b500\"]}}", -1,
		    STORE_SORT_CREATED, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		measure_threads(k, &(struct store_thread_search){ .status = rows[i].status,
		    .page = { .limit = 10, .sort = rows[i].sort },
		    .metadata_json = str_of(rows[i].metadata),
		    .values_json = str_of(rows[i].values) },
		    rows[i].flat || rounds < 10 ? rounds : 10, rows[i].name,
		    rows[i].flat ? "<= twice that of 1,000" : "");
}

/* ---- changes beside searches that find nothing --------------------------------- */

#define HOSTILE   16
#define SLICES    10
#define SLICE     1000                       /* changes, one a millisecond */

static void *
hostile_main(void *arg)
{
	struct searcher *s = arg;

	for (; !atomic_load(s->stop); s->done++) {
		struct store_thread_search x = { .status = -1, .page.limit = 10,
		    .values_json = S("{\"note\":{\"tags\":[\"none\"]}}") };
		int rc = client_try(&s->client, &x, STORE_THREAD_SEARCH);

		if (rc != OK && rc != ERR_TIMEOUT)
			die("hostile search", x.cmd.err.text);
	}
	return NULL;
}

/* Create, change, read or delete a thread: the time from when it was due. */
static void
changes_slice(struct client *k, struct store_reader *r, nsec *t)
{
	nsec start = clock_mono();
	struct uuid id = { { 0 } };

	for (int i = 0; i < SLICE; i++) {
		nsec due = start + i * NS_PER_MS;
		struct store_thread_create c = { .t = { .id = uuid_v7(), .created = 1,
		    .updated = 1, .metadata_json = S("{\"a\":1}"), .config_json = S("{}") } };
		struct store_thread_update u = { .id = id, .metadata_json = S("{\"b\":2}") };
		struct store_thread_delete d = { .id = id };
		struct store_thread got;

		wait_until(due);
		if (i % 4 == 0) {
			id = c.t.id;
			client_do(k, &c, STORE_THREAD_CREATE);
		} else if (i % 4 == 1) {
			client_do(k, &u, STORE_THREAD_UPDATE);
		} else if (i % 4 == 2) {
			(void)store_thread_get(r, OWNER, &id, &k->arena, &got);
		} else {
			client_do(k, &d, STORE_THREAD_DELETE);
		}
		t[i] = clock_mono() - due;
	}
}

static void
beside_hostile(struct client *k)
{
	static nsec t[2][SLICES / 2 * SLICE];
	static struct searcher s[HOSTILE];
	struct store_reader *r;
	struct err e = { 0 };
	int64_t cut = 0;

	if (store_reader_open(k->st, &r, &e) != OK)
		die("reader", e.text);
	for (int i = 0; i < SLICES; i++) {
		_Atomic bool stop = false;

		for (size_t j = 0; i % 2 == 1 && j < HOSTILE; j++) {
			client_init(&s[j].client, k->st);
			s[j].stop = &stop;
			s[j].done = 0;
			pthread_create(&s[j].thread, NULL, hostile_main, &s[j]);
		}
		changes_slice(k, r, &t[i % 2][i / 2 * SLICE]);
		atomic_store(&stop, true);
		for (size_t j = 0; i % 2 == 1 && j < HOSTILE; j++) {
			pthread_join(s[j].thread, NULL);
			arena_release(&s[j].client.arena);
			cut += s[j].done;
		}
	}
	show_tail("1,000 changes/s, alone", t[0], SLICES / 2 * SLICE);
	show_tail("the same beside 16 searches", t[1], SLICES / 2 * SLICE);
	printf("%lld searches that found nothing\n", (long long)cut);
	store_reader_close(r);
}

/* ---- main ------------------------------------------------------------------ */

static void
fill(const char *path, int64_t n)
{
	struct err e = { 0 };
	char sql[640];
	struct db db;

	snprintf(sql, sizeof sql, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT"
	    " i + 1 FROM n WHERE i < %lld) INSERT INTO item(owner, seq, ns, key,"
	    " created, updated, value) SELECT %d, i, 'users.u' || (i %% 1000),"
	    " 'key-' || i, i, i, printf('{\"kind\":\"%%s\",\"n\":%%d,\"text\":"
	    "\"a note of some length that somebody wanted to keep for later, as"
	    " notes are\"}', CASE i %% 10007 WHEN 1 THEN 'rare' ELSE 'usual' END, i)"
	    " FROM n", (long long)n, OWNER);
	if (db_open(&db, path, NULL, &store_sql, DB_WRITE, &e) != OK ||
	    store_migrate(&db, &e) != OK || db_exec(&db, sql, &e) != OK ||
	    db_exec(&db, "INSERT INTO item_total SELECT owner, max(seq), count(*), 0 FROM"
	    " item GROUP BY owner; INSERT INTO namespace SELECT owner, namespace_path(ns),"
	    " count(*), 0 FROM item GROUP BY owner, ns; INSERT INTO word(rowid, text)"
	    " SELECT (owner << 40) + seq, item_words(value) FROM item", &e) != OK)
		die("fill", e.text);
	fill_threads(&db, n);
	db_close(&db);
}

static void
searches(struct client *k, int64_t n, int rounds)
{
	measure(k, &(struct store_item_search){ .limit = 10 }, rounds,
	    "limit 10 over all", "<= 2 ms");
	measure(k, &(struct store_item_search){ .limit = 1000,
	    .filter_json = S("{\"kind\":\"rare\"}") }, rounds, "rare filter",
	    "<= 60 ms at 100,000");
	measure(k, &(struct store_item_search){ .limit = 10, .query = S("RARE") },
	    rounds, "a word that is rare, limit 10", "");
	measure(k, &(struct store_item_search){ .limit = 100, .offset = n - 100 },
	    rounds, "last page of 100", "<= 30 ms at 100,000");
	measure(k, &(struct store_item_search){ .ns = S("users.u7"), .limit = 10 },
	    rounds, "limit 10 under a narrow prefix", "");
	measure(k, &(struct store_item_search){ .ns = S("users.u7"), .limit = 10,
	    .filter_json = S("{\"kind\":\"rare\"}") }, rounds,
	    "rare filter under a narrow prefix", "");
	measure(k, &(struct store_item_search){ .ns = S("users"), .limit = 10 },
	    rounds, "limit 10 under a wide prefix", "");
}

int
main(int argc, char **argv)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("search-bench.db") };
	int64_t n = 100000;
	struct err e = { 0 };
	struct store *st;
	struct client k;
	int rounds = 100, c;

	while ((c = getopt(argc, argv, "n:r:f:")) != -1) {
		if (c == 'n')
			n = strtoll(optarg, NULL, 10);
		else if (c == 'r')
			rounds = (int)strtol(optarg, NULL, 10);
		else if (c == 'f')
			o.path = str_of(optarg);
		else
			return 2;
	}
	if (n < 100 || rounds < 1 || rounds > ROUNDS)
		die("usage", "-n at least 100, -r 1 to 1000");
	if (store_open(&st, &o, &e) != OK)
		die("open", e.text);
	store_close(st);
	fill(o.path.p, n);
	if (store_open(&st, &o, &e) != OK)
		die("open", e.text);
	client_init(&k, st);
	printf("%lld items, as many threads\n", (long long)n);
	searches(&k, n, rounds);
	threads(&k, rounds);
	beside_searchers(&k, rounds);
	beside_hostile(&k);
	arena_release(&k.arena);
	store_close(st);
	return 0;
}
