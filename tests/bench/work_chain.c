/*
 * work_chain.c - what a dependency costs at the end of a long chain, and what a
 * batch costs against its operations one by one.
 *
 *   work-chain [-f FILE] [ROUNDS]
 *
 * Prints microseconds, the middle of ROUNDS and the worst: an edge that is
 * accepted and one that would close the cycle, each with the engine as it lives
 * on in a daemon, with its memory dropped, and new as in a command of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "work/graph.h"

#define ROUNDS_MAX 1000

enum how { LIVES_ON, DROPPED, FRESH, HOWS };
static const char *const how_names[] = { "lives on", "no memory", "fresh" };

struct bench {
	struct db db;
	struct work *w;
	int64_t tracker;
	struct buf data;
	int rounds;
	nsec took[ROUNDS_MAX];
};

static _Noreturn void
die(const char *what, const char *text)
{
	fprintf(stderr, "%s: %s\n", what, text);
	exit(1);
}

static void
sql(struct bench *b, const char *text)
{
	struct err e;

	if (db_exec(&b->db, text, &e) != OK)
		die(text, e.text);
}

static void
run(struct bench *b, const char *operation, struct str args, int expected)
{
	struct work_call c = { .tracker = b->tracker, .actor = S("bench"),
		.operation = str_of(operation), .now = 1763700000000,
		.data = &b->data };
	struct json_doc doc;

	buf_clear(&b->data);
	if (json_parse(&doc, args, &c.err) != OK)
		die(operation, c.err.text);
	c.args = doc.root;
	if (work_run(b->w, &c) != expected)
		die(operation, c.err.text);
	json_release(&doc);
}

static void
create(struct bench *b, int i)
{
	char args[256];

	snprintf(args, sizeof args, i == 0 ? "{\"title\":\"x\",\"id\":\"t-%d\"}" :
	    "{\"title\":\"x\",\"id\":\"t-%d\",\"dependencies\":[\"t-%d\"]}",
	    i, i - 1);
	run(b, "create", str_of(args), OK);
}

static int
order(const void *a, const void *b)
{
	nsec x = *(const nsec *)a, y = *(const nsec *)b;

	return x < y ? -1 : x > y;
}

static void
report(struct bench *b, const char *what, const char *how, int size)
{
	qsort(b->took, (size_t)b->rounds, sizeof *b->took, order);
	printf("%-10s %-10s %6d %10.1f %10.1f\n", what, how, size,
	    (double)b->took[b->rounds / 2] / 1e3,
	    (double)b->took[b->rounds - 1] / 1e3);
}

static void
edge(struct bench *b, enum how how, int size, const char *what, int from,
    int to, int expected)
{
	char args[128];

	snprintf(args, sizeof args,
	    "{\"from_id\":\"t-%d\",\"to_id\":\"t-%d\"}", from, to);
	for (int i = 0; i < b->rounds; i++) {
		nsec start;

		sql(b, "BEGIN IMMEDIATE");
		if (how == DROPPED)
			graph_drop(b->w);
		start = clock_mono();
		if (how == FRESH) {
			work_free(b->w);
			b->w = work_new(&b->db);
		}
		run(b, "dep_add", str_of(args), expected);
		b->took[i] = clock_mono() - start;
		/* What a daemon would go on with. */
		if (how == LIVES_ON && expected == OK) {
			run(b, "dep_remove", str_of(args), OK);
			sql(b, "COMMIT");
		} else {
			sql(b, "ROLLBACK");
		}
	}
	report(b, what, how_names[how], size);
}

static void
chains(struct bench *b, int *have, int size)
{
	sql(b, "BEGIN IMMEDIATE");
	for (; *have < size; ++*have)
		create(b, *have);
	sql(b, "COMMIT");
	for (int how = 0; how < HOWS; how++) {
		edge(b, (enum how)how, size, "accepted", 2 * size / 3, size / 3, OK);
		edge(b, (enum how)how, size, "cycle", 0, size - 1, ERR_CONFLICT);
	}
}

static void
batches(struct bench *b, int n)
{
	struct buf args = BUF(16 * MB);

	buf_lit(&args, "{\"operations\":[");
	for (int i = 0; i < n; i++)
		buf_add_fmt(&args, "%s{\"operation\":\"create\",\"args\":"
		    "{\"title\":\"item %d\"}}", i > 0 ? "," : "", i);
	buf_lit(&args, "]}");
	for (int way = 0; way < 2; way++) {
		for (int i = 0; i < b->rounds; i++) {
			nsec start;

			sql(b, "BEGIN IMMEDIATE");
			start = clock_mono();
			if (way == 0)
				run(b, "batch", buf_str(&args), OK);
			for (int j = 0; way == 1 && j < n; j++)
				run(b, "create", S("{\"title\":\"item 500\"}"), OK);
			b->took[i] = (clock_mono() - start) / n;
			sql(b, "ROLLBACK");
		}
		report(b, "create", way == 0 ? "batch" : "single", n);
	}
	buf_release(&args);
}

int
main(int argc, char **argv)
{
	struct bench b = { .data = BUF(64 * MB), .rounds = 51 };
	const char *file = "/tmp/work-chain.db";
	struct err e;
	int have = 0, opt;

	while ((opt = getopt(argc, argv, "f:")) != -1) {
		if (opt != 'f')
			die("usage", "work-chain [-f FILE] [ROUNDS]");
		file = optarg;
	}
	if (optind < argc)
		b.rounds = (int)strtol(argv[optind], NULL, 10);
	if (b.rounds < 1 || b.rounds > ROUNDS_MAX)
		die("ROUNDS", "1 to 1000");
	unlink(file);
	if (db_open(&b.db, file, NULL, &work_sql, DB_WRITE, &e) != OK ||
	    db_migrate(&b.db, &work_format, &e) != OK ||
	    db_log_enable(&b.db, &e) != OK)
		die(file, e.text);
	b.w = work_new(&b.db);
	if (work_tracker_make(b.w, 0, S(""), S("t"), 1, &b.tracker, &e) != OK)
		die(file, e.text);
	printf("%-10s %-10s %6s %10s %10s\n", "", "engine", "size", "us", "worst");
	chains(&b, &have, 100);
	chains(&b, &have, 1000);
	chains(&b, &have, 5000);
	batches(&b, 1000);
	work_free(b.w);
	db_close(&b.db);
	buf_release(&b.data);
	unlink(file);
	return 0;
}
