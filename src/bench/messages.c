/*
 * messages.c - see messages.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/messages.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/farm.h"
#include "bench/machine.h"
#include "bench/rate.h"

#define AT(field)   offsetof(struct messages_options, field)
#define FIRST       10000                    /* that are there already */
#define TEXTS       64                       /* prebuilt, used in turn */
#define BATCH       256

enum shape { ONE_ONE, ANY_ANY, ANY_ONE, ONE_ALL };

static const struct message_case {
	const char *name;                    /* the figure is NAME_per_s */
	enum shape shape;
	size_t agents, size, batch;
	const char *what;
} cases[] = {
	{ "messages", ONE_ONE, 2, 64, BATCH, "one agent to another, 64 bytes" },
	{ "any_to_any", ANY_ANY, 1000, 64, BATCH, "1,000 agents to each other, 64 bytes" },
	{ "any_to_any_100k", ANY_ANY, 100000, 64, BATCH, "100,000 agents to each other" },
	{ "any_to_one", ANY_ONE, 1000, 64, BATCH, "1,000 agents to one" },
	{ "one_to_all_1kb", ONE_ALL, 1000, 1024, 1, "one to 1,000 agents, 1 KB, shared" },
	{ "messages_1kb", ONE_ONE, 2, 1024, BATCH, "one agent to another, 1 KB by reference" },
	{ "messages_32kb", ONE_ONE, 2, 32768, BATCH, "the same, 32 KB" },
	{ "batch_1", ONE_ONE, 2, 64, 1, "64 bytes, taken one at a time" },
	{ "batch_10", ONE_ONE, 2, 64, 10, "64 bytes, taken 10 at a time" },
	{ "batch_1000", ONE_ONE, 2, 64, 1000, "64 bytes, taken 1,000 at a time" },
};

const struct flag bench_messages_flags[] = {
	{ "only", NULL, FLAG_TEXT, NULL, "LIST", "these cases, as in messages,any_to_one",
	    AT(only) },
	{ "duration", NULL, FLAG_MS, "500ms", "TIME", "of each case", AT(duration) },
	SLOW_FLAG(AT(slow)),
	{ "thresholds", NULL, FLAG_TEXT, NULL, "LIST", "what must hold, as in "
	    "messages_per_s>5000000", AT(thresholds) },
	{ "json", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(json) },
	{ "markdown", NULL, FLAG_TEXT, NULL, "FILE", "the result", AT(markdown) },
	{ NULL }
};

void
bench_messages_add_cases(struct buf *b)
{
	buf_lit(b, "cases:\n\n");
	for (size_t i = 0; i < COUNT(cases); i++)
		buf_add_fmt(b, "  %-16s %s\n", cases[i].name, cases[i].what);
}

/* ---- agents ---------------------------------------------------------------------- */

struct flood {
	const struct message_case *c;
	struct farm farm;
	struct mail_text *text[TEXTS];
	uint64_t sent;
};

static void
flood_open(struct flood *f, const struct message_case *c)
{
	*f = (struct flood){ .c = c };
	farm_open(&f->farm, NULL, c->agents, 0);
	for (size_t i = 0; i < TEXTS; i++)
		f->text[i] = farm_text(c->size);
}

static void
flood_close(struct flood *f)
{
	for (size_t i = 0; i < TEXTS; i++)
		mail_text_drop(f->text[i]);
	farm_close(&f->farm, NULL);
}

/* What is sent before the receivers run; how many that is. */
static size_t
send_batch(struct flood *f)
{
	const struct message_case *c = f->c;
	size_t n = c->shape == ONE_ALL ? c->agents : c->batch;

	for (size_t i = 0; i < n; i++) {
		/* A broadcast shares one text. */
		size_t text = c->shape == ONE_ALL ? f->sent / n : f->sent;
		const struct farm_agent *from = &f->farm.agent[0];
		const struct farm_agent *to = &f->farm.agent[c->agents - 1];

		if (c->shape == ANY_ANY || c->shape == ANY_ONE)
			from = farm_pick(&f->farm);
		if (c->shape == ANY_ANY)
			to = farm_pick(&f->farm);
		if (c->shape == ONE_ALL)
			to = &f->farm.agent[i];
		if (farm_send(&f->farm, from, to, f->text[text % TEXTS], ACL_INFORM) == OK)
			f->sent++;
	}
	return n;
}

/* ---- a case ---------------------------------------------------------------------- */

/* 10,000 that wait already: how long until the last one is taken. */
static double
drain_first(struct flood *f)
{
	nsec began;

	while (f->sent < FIRST)
		send_batch(f);
	began = clock_mono();
	farm_run(&f->farm);
	return (double)f->sent * (double)NS_PER_S / (double)(clock_mono() - began);
}

static void
value(struct report *r, const char *name, const char *what, double v, int digits)
{
	char key[48];

	snprintf(key, sizeof key, "%s%s", name, what);
	report_value(r, v, digits, key);
}

/* All that was sent was taken, and nothing is left. */
static void
check_books(const struct flood *f, struct report *r)
{
	struct mail_books b;
	uint64_t taken = 0;

	for (size_t i = 0; i < f->c->agents; i++)
		taken += f->farm.agent[i].taken;
	post_books(f->farm.post, &b);
	post_check(f->farm.post);
	report_check(r, b.sent == f->sent && b.delivered == f->sent && taken == f->sent &&
	    b.pending == 0 && b.dead == 0 && b.expired == 0, "%s: %llu sent, %llu delivered, "
	    "%llu taken, %llu pending", f->c->name, (unsigned long long)b.sent,
	    (unsigned long long)b.delivered, (unsigned long long)taken,
	    (unsigned long long)b.pending);
}

static size_t
allocated(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void
run_case(const struct messages_options *o, const struct message_case *c, struct report *r)
{
	struct flood f;
	struct rate rate;
	nsec began, cpu, end;
	uint64_t before;
	double wall, first;
	size_t bytes;

	flood_open(&f, c);
	first = drain_first(&f);
	for (end = clock_mono() + o->duration * NS_PER_MS / 10; clock_mono() < end; farm_run(&f.farm))
		send_batch(&f);              /* until the slabs are as large as they get */
	bytes = allocated();
	before = f.sent;
	began = clock_mono();
	cpu = clock_thread();
	rate_init(&rate, o->slow);
	end = began + o->duration * NS_PER_MS;
	do {
		double n = (double)send_batch(&f);

		farm_run(&f.farm);
		rate_add(&rate, n);
	} while (clock_mono() < end);
	cpu = clock_thread() - cpu;
	wall = (double)(clock_mono() - began) / (double)NS_PER_S;
	value(r, c->name, "_per_s", rate_median(&rate), 0);
	value(r, c->name, "_total_per_s", (double)(f.sent - before) / wall, 0);
	value(r, c->name, "_first_per_s", first, 0);
	value(r, c->name, "_cpu_ns", (double)cpu / (double)(f.sent - before), 1);
	/* Beside the slices of the rate itself. */
	value(r, c->name, "_allocated_bytes", (double)allocated() - (double)bytes -
	    (double)malloc_usable_size(rate.slice), 0);
	check_books(&f, r);
	rate_release(&rate);
	flood_close(&f);
}

static int
choose(const struct messages_options *o, bool on[COUNT(cases)], struct err *e)
{
	struct str rest = str_of(o->only), part;

	for (size_t i = 0; i < COUNT(cases); i++)
		on[i] = rest.n == 0;
	while (rest.n > 0 && str_next(&rest, ',', &part)) {
		struct str_near near = { .word = str_trim(part) };
		size_t i = 0;

		while (i < COUNT(cases) && !str_eq(near.word, str_of(cases[i].name)))
			str_near_try(&near, cases[i++].name);
		if (i == COUNT(cases))
			return err_near(e, ERR_INVALID, near.best, "\"", "--only: no case \"%.*s\"",
			    FMT(near.word));
		on[i] = true;
	}
	return o->duration >= 10 ? report_thresholds(NULL, o->thresholds, e) :
	    err_set(e, ERR_INVALID, "--duration: 10 ms or more");
}

int
bench_messages(const struct messages_options *o, int argc, char *const *argv, struct err *e)
{
	struct report *r = mem_new(struct report);
	struct machine_usage u;
	bool on[COUNT(cases)];
	int rc = choose(o, on, e);

	*r = (struct report){ .workload = "messages", .loop = "closed", .argc = argc,
		.argv = argv, .started = clock_wall_ms(),
		.measures = "sending, mailbox and delivery of packed messages between agents of "
		"one shard, on one thread; rates are medians of slices.",
		.not_measures = "reading and writing of messages' text, other shards, durability, "
		"sockets." };
	for (size_t i = 0; i < COUNT(cases) && rc == OK; i++)
		if (on[i])
			run_case(o, &cases[i], r);
	if (rc == OK) {
		machine_usage(getpid(), &u);
		report_value(r, (double)u.rss_kb / 1024, 1, "rss_mb");
		rc = report_thresholds(r, o->thresholds, e);
	}
	if (rc == OK)
		rc = report_finish(r, o->json, o->markdown, e);
	free(r);
	return rc;
}
