/*
 * saver_bench.c - what the rows of worker graphs' savers cost the store.
 *
 *   saver-bench [-f FILE] [-t THREADS] [-n STEPS] [-r READS]
 *
 * Each thread has a run that takes STEPS steps: a put of a checkpoint of 6 channels, of which
 * 3 change (one of 4 KB), with the checkpoint that clients see; then the writes of two tasks,
 * 3 rows each.  First all threads at once, a command of each under way; then one alone; then
 * reads of the newest checkpoint of a random thread, inline.  Prints for each command its
 * share of the time, the CPU of the whole process for it, and the median and the 99th
 * percentile of how long it was under way.  FILE must not exist; it stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/saver.h"

#define CHANGED 3
#define WRITES  6
#define VERSIONS "{\"messages\":%u,\"branch:to:a\":%u,\"branch:to:b\":%u,"            \
	"\"__start__\":1,\"plan\":2,\"todos\":3}"

struct thread {
	struct bench *b;
	struct uuid id;
	int64_t seq, run_seq;
	struct store_run_save save;
	struct store_checkpoint_put seen;
	struct store_channel_change change;
	struct store_saver_put put;
	struct store_saver_blob blobs[6];
	struct store_saver_write writes[WRITES];
	struct uuid checkpoint;
	char text[UUID_TEXT], parent[UUID_TEXT], versions[160];
	unsigned step;                       /* half steps: a put, writes, ... */
	nsec since;
};

struct bench {
	struct store *st;
	struct shard *shard;
	struct thread *threads;
	size_t threads_n;
	unsigned steps;
	size_t reads, under_way, done;
	nsec *took;
};

static char body[4096];

static void
check(const struct store_cmd *c)
{
	if (c->rc == OK)
		return;
	fprintf(stderr, "%s: %s\n", rc_name(c->rc), c->err.text);
	exit(1);
}

static struct store_saver_value
value(size_t n)
{
	return (struct store_saver_value){ S("json"), { body, n } };
}

static void step(struct thread *t);

static void
came(struct store_cmd *c)
{
	struct thread *t = CONTAINER_OF(c, struct thread, save.cmd);

	check(c);
	t->b->took[t->b->done++] = clock_mono() - t->since;
	t->b->under_way--;
	if (++t->step < 2 * t->b->steps)
		step(t);
}

static void
put_make(struct thread *t)
{
	unsigned v = t->step / 2 + 4;

	memcpy(t->parent, t->text, sizeof t->parent);
	t->checkpoint = uuid_v6(v);
	uuid_format(&t->checkpoint, t->text);
	snprintf(t->versions, sizeof t->versions, VERSIONS, v, v, v);
	t->put = (struct store_saver_put){ .id = { t->text, UUID_TEXT },
	    .parent = { t->parent, t->step > 0 ? UUID_TEXT : 0 }, .checkpoint = value(900),
	    .metadata = value(200), .versions_json = str_of(t->versions), .blobs = t->blobs,
	    .blobs_n = t->step > 0 ? CHANGED : 6 };
	t->change = (struct store_channel_change){ .name = S("todos"), .kind = STORE_VALUE,
	    .type = S("json"), .body = S("[1,2,3]") };
	t->seen = (struct store_checkpoint_put){ .id = t->checkpoint, .step = (int)v,
	    .source = SOURCE_LOOP, .created = 1, .channels = &t->change, .channels_n = 1 };
	t->save.changes = (struct store_changes){ .saver_puts = &t->put, .saver_puts_n = 1,
	    .checkpoints = &t->seen, .checkpoints_n = 1 };
}

static void
writes_make(struct thread *t)
{
	static const struct str tasks[] = { { "0b3ef9d1-0c8f-5a5e-8d4b-3f1f6f2a7c11", 36 },
	    { "7d9f0b52-6a34-5b9c-9f1e-2c4d8a1b3e22", 36 } };

	for (int i = 0; i < WRITES; i++)
		t->writes[i] = (struct store_saver_write){ .id = { t->text, UUID_TEXT },
		    .task = tasks[i % 2], .path = S("~__pregel_pull, agent"), .idx = i / 2,
		    .channel = S("messages"), .value = value(i < 2 ? 600 : 20) };
	t->save.changes = (struct store_changes){ .saver_writes = t->writes,
	    .saver_writes_n = WRITES };
}

static void
step(struct thread *t)
{
	if (t->step % 2 == 0)
		put_make(t);
	else
		writes_make(t);
	t->save.cmd = (struct store_cmd){ .op = STORE_RUN_SAVE, .done = came };
	t->save.run_seq = t->run_seq;
	t->save.thread_seq = t->seq;
	t->since = clock_mono();
	t->b->under_way++;
	t->save.cmd.rc = store_submit(t->b->st, t->b->shard, &t->save.cmd, false);
	check(&t->save.cmd);
}

static void
run_make(struct bench *b, struct thread *t)
{
	static const char *const names[] = { "messages", "branch:to:a", "branch:to:b",
	    "__start__", "plan", "todos" };
	struct arena a = ARENA(MB);
	struct store_run_create c = { .cmd = { .op = STORE_RUN_CREATE, .arena = &a },
	    .run = { .id = uuid_v7(), .thread_id = t->id = uuid_v7(), .assistant_id =
	    uuid_v7(), .graph_id = S("agent"), .kwargs_json = S("{}"),
	    .metadata_json = S("{}"), .base_json = S("{}") }, .create_thread = true };

	c.cmd.rc = store_submit(b->st, b->shard, &c.cmd, false);
	check(&c.cmd);
	while (c.cmd.under_way)
		shard_turn(b->shard);
	check(&c.cmd);
	t->b = b;
	t->seq = c.run.thread_seq;
	t->run_seq = c.run.seq;
	for (size_t i = 0; i < COUNT(names); i++)
		t->blobs[i] = (struct store_saver_blob){ str_of(names[i]),
		    value(i == 0 ? sizeof body : 30) };
	arena_release(&a);
}

static nsec
cpu(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int
by_time(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return (x > y) - (x < y);
}

static void
report(struct bench *b, const char *what, nsec since, nsec used)
{
	double n = (double)b->done;

	qsort(b->took, b->done, sizeof *b->took, by_time);
	printf("%-10s %8.1f us/command %8.1f us CPU   under way p50 %8.1f us  p99 %8.1f us\n",
	    what, (double)(clock_mono() - since) / 1000 / n,
	    (double)(cpu(CLOCK_PROCESS_CPUTIME_ID) - used) / 1000 / n,
	    (double)b->took[b->done / 2] / 1000, (double)b->took[b->done * 99 / 100] / 1000);
	b->done = 0;
}

/* Threads from first to last take their steps. */
static void
steps_take(struct bench *b, const char *what, size_t n)
{
	nsec since = clock_mono(), used = cpu(CLOCK_PROCESS_CPUTIME_ID);

	for (size_t i = 0; i < n; i++) {
		b->threads[i].step = b->threads[i].step > 0 ? 2 : 0;
		step(&b->threads[i]);
	}
	while (b->under_way > 0)
		shard_turn(b->shard);
	report(b, what, since, used);
}

static void
reads(struct bench *b, struct store_reader *r)
{
	nsec since = clock_mono(), used = cpu(CLOCK_PROCESS_CPUTIME_ID);
	struct arena a = ARENA(MB);
	struct store_saver_found x;

	while (b->done < b->reads) {
		const struct thread *t = &b->threads[(b->done * 7919) % b->threads_n];
		nsec at = clock_mono();
		int rc = store_saver_get(r, 0, t->seq, S(""), STR_NONE, &a, &x);

		b->took[b->done++] = clock_mono() - at;
		if (rc != OK || x.blobs_n != 6 || x.writes_n != WRITES)
			exit(1);
		arena_clear(&a);
	}
	report(b, "get", since, used);
	arena_release(&a);
}

int
main(int argc, char **argv)
{
	struct store_options o = { .driver = S("sqlite"), .path = S("saver.db") };
	struct bench b = { .threads_n = 50, .steps = 200, .reads = 20000 };
	struct store_reader *r;
	struct err e;
	int opt;

	while ((opt = getopt(argc, argv, "f:t:n:r:")) != -1) {
		switch (opt) {
		case 'f': o.path = str_of(optarg); break;
		case 't': b.threads_n = strtoul(optarg, NULL, 10); break;
		case 'n': b.steps = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'r': b.reads = strtoul(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	memset(body, 'x', sizeof body);
	b.threads = mem_zero(b.threads_n * sizeof *b.threads);
	b.took = mem_alloc((2 * b.threads_n * b.steps + b.reads) * sizeof *b.took);
	if (shard_new(&b.shard, 0, &e) != OK || store_open(&b.st, &o, &e) != OK ||
	    store_reader_open(b.st, &r, &e) != OK) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	for (size_t i = 0; i < b.threads_n; i++)
		run_make(&b, &b.threads[i]);
	steps_take(&b, "together", b.threads_n);
	steps_take(&b, "alone", 1);
	reads(&b, r);
	store_reader_close(r);
	store_close(b.st);
	shard_free(b.shard);
	return 0;
}
