/*
 * work_bench.c - what the tracker's operations cost, by its size.
 *
 *   work-bench [-f FILE] [-n ITEMS] [-r REPEATS] [-p PART]
 *
 * Fills FILE (made anew) to 100, 1,000, ... ITEMS items and prints at each size
 * the ns per operation: creates in transactions of 128 and of one (WAL,
 * synchronous FULL), and the reads.  -p runs one part only, for a profile.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "work/operation.h"

#define BATCH 128

struct bench {
	struct db db;
	struct work *w;
	int64_t tracker;
	msec now;
	struct buf data;
	char last[LIMIT_WORK_ID_BYTES + 1];  /* an id to show */
	int64_t n;                           /* items */
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
run(struct bench *b, const char *operation, const char *args)
{
	struct work_call c = { .tracker = b->tracker, .actor = S("bench"),
		.operation = str_of(operation), .now = ++b->now, .data = &b->data };
	struct json_doc doc;

	buf_clear(&b->data);
	if (json_parse(&doc, str_of(args), &c.err) != OK)
		die(args, c.err.text);
	c.args = doc.root;
	if (work_run(b->w, &c) != OK)
		die(operation, c.err.text);
	json_release(&doc);
}

/* Every tenth is blocked by the one before it, every 20th in progress, and
 * half of those that a batch begins with are closed. */
static void
create(struct bench *b)
{
	char args[1024];
	int64_t i = b->n++;
	struct str id, rest;

	snprintf(args, sizeof args, "{\"title\":\"Item number %lld of the bench\","
	    "\"description\":\"What is to be done, in a sentence or two, so that "
	    "the row has a size that is usual. It is about 200 bytes long, as "
	    "descriptions written by agents are, or longer.\",\"priority\":%lld,"
	    "\"issue_type\":\"task\",\"status\":\"%s\",\"labels\":[\"bench\"]%s%s%s}",
	    (long long)i, (long long)(i % 5), i % 20 == 19 ? "in_progress" :
	    i % 4 == 3 ? "closed" : "open", i % 10 == 5 ? ",\"dependencies\":[\"" :
	    "", i % 10 == 5 ? b->last : "", i % 10 == 5 ? "\"]" : "");
	run(b, "create", args);
	rest = str_sub(buf_str(&b->data), sizeof "{\"id\":\"" - 1, b->data.n);
	str_next(&rest, '"', &id);
	snprintf(b->last, sizeof b->last, "%.*s", FMT(id));
}

static nsec
creates(struct bench *b, int64_t n, int64_t batch)
{
	nsec from = clock_mono();

	for (int64_t i = 0; i < n; i++) {
		if (i % batch == 0)
			sql(b, "BEGIN IMMEDIATE");
		create(b);
		if (i % batch == batch - 1 || i == n - 1)
			sql(b, "COMMIT");
	}
	return n > 0 ? (clock_mono() - from) / n : 0;
}

static nsec
reads(struct bench *b, const char *operation, const char *args, int repeats)
{
	nsec from;

	run(b, operation, args);             /* statements are prepared, pages read */
	from = clock_mono();
	for (int i = 0; i < repeats; i++)
		run(b, operation, args);
	return (clock_mono() - from) / repeats;
}

static bool
is_on(const char *part, const char *name)
{
	return part == NULL || strcmp(part, name) == 0;
}

static void
level(struct bench *b, const char *part, int repeats)
{
	char show[128];
	const struct { const char *name, *operation, *args; } rows[] = {
		{ "list(50)", "list", "{\"limit\":50}" },
		{ "list(50, open)", "list", "{\"limit\":50,\"status\":\"open\"}" },
		{ "list(50, closed)", "list", "{\"limit\":50,\"status\":\"closed\"}" },
		{ "list(50, label)", "list", "{\"limit\":50,\"label\":\"bench\"}" },
		{ "ready(10)", "ready", "{}" },
		{ "blocked(10)", "blocked", "{\"limit\":10}" },
		{ "search(10)", "search", "{\"query\":\"sentence number\","
		  "\"limit\":10}" },
		{ "stats", "stats", "{}" },
		{ "show", "show", show },
		{ "ping", "ping", "{}" },
	};

	snprintf(show, sizeof show, "{\"id\":\"%s\"}", b->last);
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (is_on(part, rows[i].operation))
			printf("%8lld  %-18s %9lld ns\n", (long long)b->n,
			    rows[i].name, (long long)reads(b, rows[i].operation,
			    rows[i].args, repeats));
	}
	if (is_on(part, "create")) {
		printf("%8lld  %-18s %9lld ns\n", (long long)b->n, "create in 128s",
		    (long long)creates(b, repeats, BATCH));
		printf("%8lld  %-18s %9lld ns\n", (long long)b->n, "create",
		    (long long)creates(b, repeats, 1));
	}
	fflush(stdout);
}

static void
open_at(struct bench *b, const char *file)
{
	char beside[DB_PATH_MAX];
	struct err e;

	for (int i = 0; i < 3; i++) {
		snprintf(beside, sizeof beside, "%s%s", file,
		    i == 0 ? "" : i == 1 ? "-wal" : "-shm");
		unlink(beside);
	}
	b->data = BUF(256 * MB);
	b->now = 1763700000000;
	if (db_open(&b->db, file, NULL, &work_sql, DB_WRITE, &e) != OK ||
	    db_log_enable(&b->db, &e) != OK ||
	    db_migrate(&b->db, &work_format, &e) != OK)
		die(file, e.text);
	sql(b, "PRAGMA synchronous = FULL");
	sql(b, "PRAGMA wal_autocheckpoint = 4096");      /* as the daemon */
	b->w = work_new(&b->db);
	if (work_tracker_make(b->w, 0, S(""), S("b"), b->now, &b->tracker, &e) != OK)
		die(file, e.text);
}

int
main(int argc, char **argv)
{
	const char *file = "work-bench.db", *part = NULL;
	struct bench b = { 0 };
	long items = 100000, repeats = 1000;
	int opt;

	while ((opt = getopt(argc, argv, "f:n:p:r:")) != -1) {
		switch (opt) {
		case 'f': file = optarg; break;
		case 'n': items = strtol(optarg, NULL, 10); break;
		case 'p': part = optarg; break;
		case 'r': repeats = strtol(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	open_at(&b, file);
	for (long n = 100; n <= items; n *= 10) {
		if (n > b.n)
			creates(&b, n - b.n, BATCH);
		level(&b, part, (int)(repeats < n ? repeats : n));
	}
	work_free(b.w);
	db_close(&b.db);
	buf_release(&b.data);
	return 0;
}
