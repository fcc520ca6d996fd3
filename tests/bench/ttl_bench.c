/*
 * ttl_bench.c - what it takes to be rid of threads, while others are served.
 *
 *   ttl-bench [-n THREADS] [-c CHECKPOINTS] [-f FILE]
 *
 * Fills FILE with THREADS threads of CHECKPOINTS checkpoints, two messages and a value
 * each; a quarter each is swept by its ttl (deleted, pruned), pruned by id, and deleted
 * one by one.  Meanwhile somebody else creates, changes and deletes threads, 500 times a
 * second; what that takes is told for each part, and alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client.h"

#define EVERY  (2 * NS_PER_MS)
#define MOST   100000                        /* changes that are timed in a part */
#define PASS   1000                          /* threads in a sweep's pass, at most */

enum part { ALONE, SWEPT, COMPACTED, PRUNED, DELETED, PARTS };
static const char *const names[PARTS] = { "nothing else", "ttl, delete",
    "ttl, keep_latest", "prune, keep_latest", "delete" };

static _Atomic int part = ALONE;
static nsec times[PARTS][MOST];
static _Atomic size_t times_n[PARTS];        /* only grows, by the one thread */

/* ---- the others -------------------------------------------------------------- */

static void *
others_main(void *arg)
{
	struct client k;
	struct uuid id = { { 0 } };
	nsec due = clock_mono();

	client_init(&k, arg);
	for (int i = 0; atomic_load(&part) < PARTS; i++, due += EVERY) {
		struct store_thread_create c = { .t = { .id = uuid_v7(), .created = 1,
		    .updated = 1, .metadata_json = S("{\"a\":1}"), .config_json = S("{}") } };
		struct store_thread_update u = { .id = id, .metadata_json = S("{\"b\":2}") };
		struct store_thread_delete d = { .id = id };
		int at = atomic_load(&part);

		wait_until(due);
		if (i % 3 == 0)
			client_do(&k, &c, STORE_THREAD_CREATE);
		else if (i % 3 == 1)
			client_do(&k, &u, STORE_THREAD_UPDATE);
		else
			client_do(&k, &d, STORE_THREAD_DELETE);
		id = i % 3 == 0 ? c.t.id : id;
		if (at < PARTS && times_n[at] < MOST) {
			times[at][times_n[at]] = clock_mono() - due;
			times_n[at]++;
		}
	}
	arena_release(&k.arena);
	return NULL;
}

/* ---- threads ------------------------------------------------------------------- */

static struct uuid
make(struct client *k, size_t checkpoints)
{
	static const struct str m[] = { S("{\"type\":\"human\",\"content\":\"a question of "
	    "some length, as people ask\"}"), S("{\"type\":\"ai\",\"content\":\"an answer of "
	    "some length, as models give\"}") };
	struct store_run_create r = { .create_thread = true, .run = {
	    .id = uuid_v7(), .thread_id = uuid_v7(), .assistant_id = uuid_v7(),
	    .graph_id = S("agent"), .created = 1, .updated = 1 } };
	struct store_checkpoint_put *p = mem_zero(checkpoints * sizeof *p);
	struct store_channel_change *x = mem_zero(2 * checkpoints * sizeof *x);
	struct store_run_end end = { .changes = { .checkpoints = p,
	    .checkpoints_n = checkpoints }, .status = RUN_SUCCESS };

	client_do(k, &r, STORE_RUN_CREATE);
	for (size_t i = 0; i < checkpoints; i++) {
		x[2 * i] = (struct store_channel_change){ .name = S("messages"),
		    .kind = STORE_LIST, .keep = (uint32_t)(2 * i), .entries = m,
		    .entries_n = 2 };
		x[2 * i + 1] = (struct store_channel_change){ .name = S("count"),
		    .kind = STORE_VALUE, .type = S("json"), .body = S("12345") };
		p[i] = (struct store_checkpoint_put){ .id = uuid_v6((unsigned)i),
		    .step = (int)i, .channels = &x[2 * i], .channels_n = 2 };
	}
	end.run_seq = r.run.seq;
	end.thread_seq = r.run.thread_seq;
	client_do(k, &end, STORE_RUN_END);
	free(p);
	free(x);
	return r.run.thread_id;
}

static int64_t
sweep_all(struct client *k, msec now)
{
	struct store_sweep s;
	int64_t removed = 0;

	do {
		s = (struct store_sweep){ .now = now, .limit = PASS };
		client_do(k, &s, STORE_THREAD_SWEEP);
		removed += s.removed;
		poll(NULL, 0, 10);           /* as run/sweep.c */
	} while (s.more);
	return removed;
}

static int64_t
prune_all(struct client *k, const struct uuid *ids, size_t n)
{
	struct store_thread_prune x = { .strategy = TTL_KEEP_LATEST, .ids = ids, .n = n };
	int64_t pruned = 0;

	for (; x.at < n; x.at = x.next) {
		client_do(k, &x, STORE_THREAD_PRUNE);
		pruned += (int64_t)x.pruned_n;
	}
	return pruned;
}

static int64_t
delete_all(struct client *k, const struct uuid *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct store_thread_delete d = { .id = ids[i] };

		client_do(k, &d, STORE_THREAD_DELETE);
	}
	return (int64_t)n;
}

static int64_t
work(struct client *k, enum part p, const struct uuid *ids, size_t n)
{
	switch (p) {
	case ALONE:
		poll(NULL, 0, 3000);
		return 0;
	case SWEPT:
		return sweep_all(k, 100);
	case COMPACTED:
		return sweep_all(k, 100000);
	case PRUNED:
		return prune_all(k, ids, n);
	default:
		return delete_all(k, ids, n);
	}
}

/* ---- main ------------------------------------------------------------------ */

static double
megabytes(struct store *st)
{
	struct store_stats s;

	store_stats(st, &s);
	return (double)s.file_bytes / MB;
}

static void
part_run(struct client *k, enum part p, const struct uuid *ids, size_t n)
{
	static nsec t[MOST];
	nsec since = clock_mono();
	int64_t done;
	size_t timed;

	atomic_store(&part, p);
	done = work(k, p, ids, n);
	printf("%-20s %6lld threads in %7.2f s   file %8.1f MB", names[p], (long long)done,
	    (double)(clock_mono() - since) / NS_PER_S, megabytes(k->st));
	timed = times_n[p];
	memcpy(t, times[p], timed * sizeof *t);
	qsort(t, timed, sizeof *t, by_time);
	if (timed > 0)
		printf("   others p50 %6.2f ms p99 %7.2f ms max %7.2f ms",
		    (double)t[timed / 2] / NS_PER_MS, (double)t[timed * 99 / 100] / NS_PER_MS,
		    (double)t[timed - 1] / NS_PER_MS);
	printf("\n");
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("ttl-bench.db") };
	size_t n = 10000, checkpoints = 50, quarter;
	pthread_t others;
	struct err e = { 0 };
	struct uuid *ids;
	struct store *st;
	struct client k;
	int c;

	while ((c = getopt(argc, argv, "n:c:f:")) != -1) {
		if (c == 'n')
			n = strtoul(optarg, NULL, 10);
		else if (c == 'c')
			checkpoints = strtoul(optarg, NULL, 10);
		else if (c == 'f')
			o.path = str_of(optarg);
		else
			return 2;
	}
	if (n < 4 || checkpoints < 1 || store_open(&st, &o, &e) != OK)
		die("open", e.text);
	client_init(&k, st);
	quarter = n / 4;
	ids = mem_zero(n * sizeof *ids);
	for (size_t i = 0; i < n; i++) {
		/* Of new threads; the writer is at rest. */
		st->thread_ttl = (struct store_ttl){ i < quarter ? 10 : i < 2 * quarter ?
		    10000 : 0, i < quarter ? TTL_DELETE : TTL_KEEP_LATEST };
		ids[i] = make(&k, checkpoints);
	}
	st->thread_ttl = (struct store_ttl){ 0, TTL_DELETE };
	printf("%zu threads of %zu checkpoints: %.1f MB\n", n, checkpoints, megabytes(st));
	pthread_create(&others, NULL, others_main, st);
	for (enum part p = ALONE; p < PARTS; p++)
		part_run(&k, p, ids + (p == PRUNED ? 2 : 3) * quarter, quarter);
	atomic_store(&part, PARTS);
	pthread_join(others, NULL);
	free(ids);
	arena_release(&k.arena);
	store_close(st);
	return 0;
}
