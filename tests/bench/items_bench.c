/*
 * items_bench.c - what searches of store items by words and by vectors take.
 *
 *   items-bench [-n ITEMS] [-d DIMS] [-r ROUNDS] [-f FILE]
 *
 * Puts ITEMS items of one owner into FILE with the store's own commands, each with a
 * vector of DIMS numbers and a text of 30 words; how rare a word is stands in its name.
 * Prints the median and the worst of ROUNDS searches of each kind, from submit to
 * answer, warm; vectors from memory, under a prefix, and from disk.  Then 1,000 puts,
 * reads and deletes a second, in turns alone and beside one who searches without pause.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/mem.h"
#include "client.h"

#define ROUNDS   1000
#define AT_ONCE  256                         /* puts under way */
#define DIMS_MAX 4096

static size_t dims = 384;

/* ---- items ----------------------------------------------------------------- */

static uint32_t
dice(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/* Of length 1; the same for the same seed. */
static struct str
vector_of(struct arena *a, uint64_t seed)
{
	float *v = arena_alloc(a, dims * sizeof *v);
	double sum = 0;

	for (size_t i = 0; i < dims; i++) {
		v[i] = (float)(dice(&seed) % 20001) / 10000 - 1;
		sum += (double)v[i] * (double)v[i];
	}
	for (size_t i = 0; i < dims; i++)
		v[i] /= (float)sqrt(sum);
	return (struct str){ (const char *)v, dims * sizeof *v };
}

/* Words of a language: few are in many texts, most in few. */
static struct str
text_of(struct arena *a, int64_t i)
{
	struct buf b = BUF(4 * KB);
	uint64_t seed = (uint64_t)i;
	struct str text;

	json_add_fmt(&b, "{'n':%lld,'text':\"always", (long long)i);
	if (i % 10 != 0)
		buf_lit(&b, " ninety");
	if (i % 10 == 3)
		buf_lit(&b, " tenth");
	if (i % 100 == 3)
		buf_lit(&b, " hundredth");
	if (i % 10007 == 1)
		buf_lit(&b, " rare");
	for (int k = 0; k < 28; k++) {
		uint32_t u = dice(&seed) % 1000, word = u * u / 50 + dice(&seed) % 100;

		buf_add_char(&b, ' ');
		for (int c = 0; c < 5; c++, word /= 12)
			buf_add_char(&b, "aeioustrnlmk"[(word + (uint32_t)c * 5) % 12]);
	}
	buf_lit(&b, "\"}");
	text = arena_str(a, buf_str(&b));
	buf_release(&b);
	return text;
}

struct putting {
	struct store_item_put put;
	struct arena arena;
	char ns[32], key[32];
};

static void
item_make(struct putting *p, int64_t i)
{
	arena_clear(&p->arena);
	snprintf(p->ns, sizeof p->ns, "users.u%d", (int)(i % 1000));
	snprintf(p->key, sizeof p->key, "key-%lld", (long long)i);
	p->put = (struct store_item_put){ .cmd = { .op = STORE_ITEM_PUT, .owner = OWNER,
	    .arena = &p->arena }, .item = { .ns = str_of(p->ns), .key = str_of(p->key),
	    .value_json = text_of(&p->arena, i), .created = i + 1, .updated = i + 1 },
	    .vectors = vector_of(&p->arena, (uint64_t)i) };
}

static void
fill(struct client *k, int64_t n)
{
	static struct putting p[AT_ONCE];
	nsec since = clock_mono();

	for (size_t i = 0; i < COUNT(p); i++)
		p[i].arena = ARENA(MB);
	for (int64_t i = 0; i < n + AT_ONCE; i++) {
		struct putting *x = &p[i % AT_ONCE];

		while (x->put.cmd.under_way)
			shard_turn(k->shard);
		if (x->put.cmd.rc != OK)
			die("put", x->put.cmd.err.text);
		if (i >= n)
			continue;
		item_make(x, i);
		if (store_submit(k->st, k->shard, &x->put.cmd, true) != OK)
			die("put", "refused");
	}
	for (size_t i = 0; i < COUNT(p); i++)
		arena_release(&p[i].arena);
	printf("%lld puts with words and a vector, %d at once: %.0f a second\n",
	    (long long)n, AT_ONCE, (double)n * 1e9 / (double)(clock_mono() - since));
}

/* ---- searches -------------------------------------------------------------- */

static void
measure(struct client *k, const struct store_item_search *what, int rounds,
    const char *name, const char *limit)
{
	static nsec t[ROUNDS];

	for (int i = -2; i < rounds; i++) {
		struct store_item_search s = *what;
		nsec took = client_do(k, &s, STORE_ITEM_SEARCH);

		if (i < 0)
			continue;            /* the first may be cut: it fills the matrix */
		if (s.truncated || s.items_n == 0)
			die(name, s.truncated ? "cut" : "nothing found");
		t[i] = took;
	}
	show(name, t, rounds, limit);
}

static void
words(struct client *k, int rounds)
{
	static const char *const queries[] = { "rare", "hundredth", "tenth", "ninety",
	    "always", "ninety rare", "ninety always", "tenth hundredth", "hundr*", "nine*",
	    "ni*", "a*", "s*", "a* ninety" };

	for (size_t i = 0; i < COUNT(queries); i++)
		measure(k, &(struct store_item_search){ .limit = 10,
		    .query = str_of(queries[i]) }, rounds, queries[i], "<= 20 ms");
	measure(k, &(struct store_item_search){ .limit = 10, .query = S("ninety"),
	    .ns = S("users.u7") }, rounds, "ninety, under one prefix of 1,000", "");
	measure(k, &(struct store_item_search){ .limit = 10, .query = S("ninety"),
	    .filter_json = S("{\"n\":{\"$lt\":50}}") }, rounds < 10 ? rounds : 10,
	    "ninety, of the oldest 50", "");
}

static void
vectors(struct client *k, int rounds)
{
	struct arena a = ARENA(MB);
	struct store_item_search s = { .limit = 10, .vector = vector_of(&a, 4711) };
	size_t capacity = account_vectors.capacity;

	measure(k, &s, rounds, "vectors in memory", "<= 20 ms");
	s.ns = S("users");
	measure(k, &s, rounds, "the same, under a wide prefix", "");
	s.ns = S("users.u7");
	measure(k, &s, rounds, "the same, under one prefix of 1,000", "");
	s.ns = STR_NONE;
	account_set_capacity(&account_vectors, 0);
	vectors_close(k->st);                /* the reader thread is idle */
	measure(k, &s, rounds, "vectors on disk", "<= 80 ms");
	account_set_capacity(&account_vectors, capacity);
	arena_release(&a);
}

/* ---- beside a searcher -------------------------------------------------------- */

#define SLICES 10
#define SLICE  1000                          /* operations, one a millisecond */

struct searcher {
	pthread_t thread;
	struct client client;
	_Atomic bool stop;
	const char *query;                   /* NULL: by a vector */
	int64_t done;
};

static void *
searcher_main(void *arg)
{
	struct searcher *s = arg;
	struct arena a = ARENA(MB);
	struct str vector = vector_of(&a, 4711);

	for (; !atomic_load(&s->stop); s->done++) {
		struct store_item_search x = { .limit = 10 };

		if (s->query != NULL)
			x.query = str_of(s->query);
		else
			x.vector = vector;
		client_do(&s->client, &x, STORE_ITEM_SEARCH);
	}
	arena_release(&a);
	return NULL;
}

/* Put, read, put again, delete: the time from when it was due. */
static void
slice(struct client *k, struct store_reader *r, nsec *t, int64_t from)
{
	static struct putting p = { .arena = ARENA(MB) };
	nsec start = clock_mono();

	for (int i = 0; i < SLICE; i++) {
		nsec due = start + i * NS_PER_MS;
		struct store_item_delete d = { .ns = S("beside"), .key = str_of(p.key) };
		struct store_item got;

		if (i % 2 == 0)
			item_make(&p, from + i / 4);
		p.put.item.ns = d.ns;
		wait_until(due);
		if (i % 4 == 1)
			(void)store_item_get(r, OWNER, d.ns, d.key, 1, &k->arena, &got);
		else if (i % 4 == 3)
			client_do(k, &d, STORE_ITEM_DELETE);
		else
			client_do(k, &p.put, STORE_ITEM_PUT);
		t[i] = clock_mono() - due;
	}
}

static void
beside(struct client *k, struct store_reader *r, int64_t n, const char *query,
    const char *name)
{
	static nsec t[2][SLICES / 2 * SLICE];
	struct searcher s = { .query = query };

	client_init(&s.client, k->st);
	for (int i = 0; i < SLICES; i++) {
		atomic_store(&s.stop, false);
		if (i % 2 == 1)
			pthread_create(&s.thread, NULL, searcher_main, &s);
		slice(k, r, &t[i % 2][i / 2 * SLICE], n);
		atomic_store(&s.stop, true);
		if (i % 2 == 1)
			pthread_join(s.thread, NULL);
	}
	show_tail("1,000 changes/s, alone", t[0], SLICES / 2 * SLICE);
	show_tail(name, t[1], SLICES / 2 * SLICE);
	printf("%lld searches meanwhile\n", (long long)s.done);
	arena_release(&s.client.arena);
}

/* ---- main ------------------------------------------------------------------ */

int
main(int argc, char **argv)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("items-bench.db") };
	struct store_reader *r;
	struct err e = { 0 };
	int64_t n = 100000;
	int rounds = 100, c;
	struct store *st;
	struct client k;

	while ((c = getopt(argc, argv, "n:d:r:f:")) != -1) {
		if (c == 'n')
			n = strtoll(optarg, NULL, 10);
		else if (c == 'd')
			dims = (size_t)strtol(optarg, NULL, 10);
		else if (c == 'r')
			rounds = (int)strtol(optarg, NULL, 10);
		else if (c == 'f')
			o.path = str_of(optarg);
		else
			return 2;
	}
	if (n < 20000 || rounds < 1 || rounds > ROUNDS || dims < 1 || dims > DIMS_MAX)
		die("usage", "-n at least 20000, -r 1 to 1000, -d 1 to 4096");
	if (store_open(&st, &o, &e) != OK || store_reader_open(st, &r, &e) != OK)
		die("open", e.text);
	client_init(&k, st);
	fill(&k, n);
	words(&k, rounds);
	vectors(&k, rounds);
	beside(&k, r, n, "ninety", "the same beside searches by a word");
	beside(&k, r, n, NULL, "the same beside searches by a vector");
	store_reader_close(r);
	arena_release(&k.arena);
	store_close(st);
	return 0;
}
