/*
 * chart_mail_bench.c - what a message to a chart in memory takes, and a chart itself.
 *
 *   chart-mail-bench [MESSAGES [CHART]]
 *
 * One shard, one office.  For each number of agents: nanoseconds and bytes of a spawn, and
 * the nanoseconds of one message, sent, delivered and run to completion, for each guard:
 * of CPU, the median of 11 rounds.  Messages go to the agents in turn, 64 between two deliveries.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/mem.h"
#include "mail/host/office_priv.h"
#include "net/shard.h"
#include "task/kinds.h"

#define SAMPLES 11
#define BURST   64
#define MANY    1000

#define CHART(id, guard) \
	"<scxml xmlns='http://www.w3.org/2005/07/scxml' version='1.0' name='" id "'>" \
	"<datamodel><data id='n' expr='0'/></datamodel><state id='open'>" \
	"<transition event='message.inform' cond=\"" guard "\"/>" \
	"<transition event='message.request' target='busy'/></state>" \
	"<state id='busy'><transition event='message.cancel' target='open'/></state></scxml>"

static const struct { const char *id, *content, *guard, *text; } charts[] = {
	{ "data", "7", "n == 0", CHART("data", "n == 0") },
	{ "number", "7", "event.data.content < 100",
	    CHART("number", "event.data.content &lt; 100") },
	{ "member", "{\"n\":7}", "event.data.content.n < 100",
	    CHART("member", "event.data.content.n &lt; 100") },
	{ "sender", "{\"n\":7}", "event.data.sender != 'me' && event.data.content.n < 100",
	    CHART("sender", "event.data.sender != 'me' &amp;&amp; event.data.content.n &lt; 100") },
};
static const size_t counts[] = { 1, 1000, 100000 };

struct bench {
	struct office *office;
	uint64_t messages;
	struct uuid *ids;
	struct mail_ref *refs;
	size_t n;
	const char *only;                    /* NULL: every chart */
};

static void
die(const char *what)
{
	fprintf(stderr, "chart-mail-bench: %s\n", what);
	exit(1);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* ---- agents --------------------------------------------------------------------- */

static void
spawned(struct office_spawn *s, int rc, const struct err *e)
{
	(void)s;
	if (rc != OK)
		die(e->text);
}

static void
spawn_all(struct bench *b, const char *id)
{
	struct office_spawn s = { .done = spawned };
	size_t before = mem_resident();
	nsec began = clock_thread();

	for (size_t i = 0; i < b->n; i++) {
		s.spec = (struct office_spec){ .owner = 1, .graph_id = str_of(id) };
		office_spawn(b->office, &s);
		b->ids[i] = s.spec.id;
	}
	if (b->n >= MANY)
		printf("%7zu agents: spawn %5.0f ns, %5.0f bytes each\n", b->n,
		    (double)(clock_thread() - began) / (double)b->n,
		    (double)(mem_resident() - before) / (double)b->n);
	for (size_t i = 0; i < b->n; i++)
		b->refs[i] = roster_find(b->office, 1, &b->ids[i])->ref;
}

static void
stopped(void *ctx, int rc, const struct err *e)
{
	(void)ctx;
	if (rc != OK)
		die(e->text);
}

static void
stop_all(struct bench *b)
{
	char text[UUID_TEXT];

	for (size_t i = 0; i < b->n; i++) {
		uuid_format(&b->ids[i], text);
		office_stop(b->office, 1, (struct str){ text, UUID_TEXT }, false, 0, stopped, NULL);
	}
}

/* ---- messages ------------------------------------------------------------------- */

static double
measure(struct bench *b, const char *content)
{
	const struct str to = S("receiver");
	const struct acl m = { .act = ACL_INFORM, .sender = S("0190b6a0-0000-7000-8000-000000000001"),
		.receivers = &to, .receivers_n = 1, .content = str_of(content),
		.message_id = uuid_v7(), .created = clock_wall_ms() };
	struct post *p = office_post(b->office);
	struct buf packed = BUF(KB);
	double sample[SAMPLES];
	size_t at = 0;

	acl_pack(&m, &packed);
	for (size_t i = 0; i < SAMPLES; i++) {
		struct post_letter l = { .act = m.act, .packed = buf_str(&packed) };
		nsec began = clock_thread();

		for (uint64_t k = 0; k < b->messages; k++) {
			l.to = b->refs[at];
			at = at + 1 < b->n ? at + 1 : 0;
			if (post_send(p, &l, m.created) != OK)
				die("a mailbox is full");
			if (k % BURST == BURST - 1)
				while (post_run(p, BURST, m.created))
					;
		}
		while (post_run(p, BURST, m.created))
			;
		sample[i] = (double)(clock_thread() - began) / (double)b->messages;
	}
	buf_release(&packed);
	qsort(sample, SAMPLES, sizeof *sample, by_value);
	return sample[SAMPLES / 2];
}

static void
measure_all(struct bench *b)
{
	for (size_t c = 0; c < COUNT(counts); c++) {
		b->n = counts[c];
		b->ids = mem_alloc(b->n * sizeof *b->ids);
		b->refs = mem_alloc(b->n * sizeof *b->refs);
		for (size_t i = 0; i < COUNT(charts); i++) {
			if (b->only != NULL && strcmp(b->only, charts[i].id) != 0)
				continue;
			spawn_all(b, charts[i].id);
			printf("%7zu agents: %5.0f ns  %s\n", b->n,
			    measure(b, charts[i].content), charts[i].guard);
			fflush(stdout);
			stop_all(b);
		}
		free(b->ids);
		free(b->refs);
	}
}

static void
load_all(struct agents *set)
{
	struct agent *a;
	struct err e;

	for (size_t i = 0; i < COUNT(charts); i++)
		if (agent_load(&a, str_of(charts[i].text), S("bench"), &task_kinds, &e) != OK ||
		    agents_add(set, a, &e) != OK)
			die(e.text);
	if (agents_link(set, &e) != OK)
		die(e.text);
}

int
main(int argc, char **argv)
{
	const struct store_options o = { .driver = S("memory") };
	struct bench b = { .messages = 200000 };
	struct agents *set = agents_new();
	struct store_reader *reader;
	struct offices *all;
	struct mail_books books;
	struct shard *shard;
	struct store *st;
	struct err e;

	if (argc > 1 && (!str_to_u64(str_of(argv[1]), &b.messages) || b.messages == 0)) {
		fprintf(stderr, "usage: chart-mail-bench [MESSAGES [CHART]]\n");
		return 2;
	}
	b.only = argc > 2 ? argv[2] : NULL;
	load_all(set);
	if (store_open(&st, &o, &e) != OK || store_reader_open(st, &reader, &e) != OK ||
	    shard_new(&shard, 0, &e) != OK)
		die(e.text);
	all = offices_new(st, set);
	if (office_new(&b.office, all, shard, reader, &e) != OK)
		die(e.text);
	measure_all(&b);
	post_books(office_post(b.office), &books);
	if (books.sent == 0 || books.sent != books.delivered)
		die("not all were delivered");
	office_free(b.office);
	store_reader_close(reader);
	store_close(st);
	shard_free(shard);
	offices_free(all);
	agents_free(set);
	return 0;
}
