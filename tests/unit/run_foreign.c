/*
 * run_foreign.c - readers of another node's run, by what that one stores: a run that was
 * told here once is shown again as another's, and its events come once more.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "run/event_log.h"
#include "run/foreign_priv.h"
#include "run/pack.h"
#include "run_fix.h"
#include "store/db.h"
#include "store/node.h"

#define US   5
#define THEM 99
#define READERS 200

static void
change(const char *text)
{
	static const struct db_sql none = { .n = 0 };
	struct err e;
	struct db db;

	CHECK_RC(db_open(&db, "db", NULL, &none, DB_WRITE, &e), OK);
	if (db_exec(&db, text, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	db_close(&db);
}

static void
put_row(struct event_log *l, struct buf *sql, struct buf *body)
{
	int64_t first, last;

	buf_clear(body);
	CHECK(event_log_take(l, body, &first, &last));
	buf_clear(sql);
	buf_add_fmt(sql, "INSERT INTO event(run, first, last, body) VALUES (1, %lld, %lld, x'",
	    (long long)first, (long long)last);
	for (size_t i = 0; i < body->n; i++)
		buf_add_fmt(sql, "%02x", (uint8_t)body->p[i]);
	buf_lit(sql, "')");
	buf_add_char(sql, '\0');
	change(sql->p);
}

/* The run's events become rows of four each, however it has stored them. */
static void
split(const struct uuid *run_id)
{
	static const char *const texts[] = { "SELECT body FROM event ORDER BY last" };
	static const struct db_sql sql = { .text = texts, .n = 1 };
	struct event_log *from = event_log_new(0), *to = event_log_new(0);
	struct buf row = BUF(1 * MB), body = BUF(1 * MB);
	struct event_reader reader = { 0 };
	struct event_cursor c = { .after = -1 };
	struct event_entry e;
	struct query q;
	struct db db;
	struct err err;

	CHECK_RC(db_open(&db, "db", NULL, &sql, DB_READ, &err), OK);
	q = query_of(&db, 0);
	while (query_row(&q) == OK)
		CHECK_RC(event_log_load(from, run_id, query_borrow(&q, 0)), OK);
	query_end(&q);
	db_close(&db);
	change("DELETE FROM event");
	event_log_begin(to, run_id, true);
	event_cursor_open(from, &c);
	for (unsigned n = 1; event_cursor_read(&c, &e); n++) {
		const struct run_event *ev;
		bool refers;

		CHECK_RC(event_unpack(&reader, e.fields, &ev, &refers), OK);
		event_log_add(to, ev, e.id);
		if (n % 4 == 0 || e.seq == event_log_last(from))
			put_row(to, &row, &body);
	}
	event_cursor_close(&c);
	event_reader_release(&reader);
	event_log_free(from);
	event_log_free(to);
	buf_release(&row);
	buf_release(&body);
}

static void
count(struct desk *d, void *arg)
{
	*(uint64_t *)arg = foreign_queries(d->runs);
}

static uint64_t
queries(struct fix *f)
{
	uint64_t n;

	desk_do(&f->desks[0], count, &n);
	return n;
}

#define RULES "{\"rules\":[{\"match\":\"gate\",\"tool_calls\":[{\"name\":\"gate\"}]}]," \
	"\"default\":{\"reply\":\"Done .\"}}"

#define NEXT_ROW "INSERT INTO event SELECT * FROM kept WHERE last = (SELECT min(last) FROM kept" \
	" WHERE last > (SELECT max(last) FROM event))"

static const unsigned modes[] = { MODE_VALUES | MODE_UPDATES, MODE_UPDATES, 0 };

/* Goal: whoever reads, whenever he came, gets what the first reader got, once; and all of
 * them cost what one does. */
TEST(foreign_run_is_read_once_for_all_its_readers)
{
	static struct ear ears[READERS];
	struct ear own, late, ahead, new, want[2];
	uint64_t before;
	struct fix f;

	fix_open(&f, "sqlite", 1, RULES);
	CHECK_RC(ear_start(&own, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = SAY("gate"), .modes = MODE_VALUES | MODE_UPDATES, .resumable = true }), OK);
	gate_until_held(&f, 1);
	gate_open(&f);
	ear_until_end(&own);
	split(&own.run_id);
	for (int i = 0; i < 2; i++) {
		ear_join(&want[i], &f.desks[0], &own, modes[i], -1);
		ear_until_end(&want[i]);
	}
	CHECK(str_eq(ear_text(&want[0]), ear_text(&own)));
	change("UPDATE run SET status = 1; UPDATE thread SET node = 99;"
	    " CREATE TABLE kept AS SELECT * FROM event;"
	    " DELETE FROM event WHERE last > (SELECT min(last) FROM event)");
	store_set_node(f.st, US);
	for (size_t i = 0; i < READERS; i++)
		ear_join(&ears[i], &f.desks[0], &own, modes[i % 3], -1);
	for (size_t i = 0; i < READERS; i++)
		if (modes[i % 3] != 0)
			ear_until_text(&ears[i], "event: metadata");
	before = queries(&f);
	change(NEXT_ROW);
	ear_until_text(&ears[0], "\nid: 3\n");
	ear_join(&late, &f.desks[0], &own, modes[0], 1);
	ear_join(&new, &f.desks[0], &own, modes[0], INT64_MAX);
	ear_until_text(&late, "\nid: 3\n");
	/* He has read already what is news to the others. */
	change(NEXT_ROW);
	ear_join(&ahead, &f.desks[0], &own, modes[0], -1);
	change("INSERT INTO event SELECT * FROM kept WHERE last NOT IN (SELECT last FROM event);"
	    " UPDATE run SET status = 2");
	for (size_t i = 0; i < READERS; i++) {
		ear_until_end(&ears[i]);
		CHECK_INT(ears[i].status, RUN_SUCCESS);
		if (modes[i % 3] != 0)
			CHECK_STR(ear_text(&ears[i]), ear_text(&want[i % 3]).p);
		else
			CHECK(str_contains(buf_str(&ears[i].values), S("Done .")));
		ear_free(&ears[i]);
	}
	CHECK(queries(&f) - before < READERS);
	ear_until_end(&late);
	ear_until_end(&new);
	ear_until_end(&ahead);
	CHECK(str_eq(ear_text(&ahead), ear_text(&own)));
	ear_check_ids(&late, 2);
	CHECK(str_ends(ear_text(&own), ear_text(&late)));
	CHECK(str_ends(ear_text(&late), ear_text(&new)));
	ear_free(&late);
	ear_free(&new);
	ear_free(&ahead);
	ear_free(&want[0]);
	ear_free(&want[1]);
	ear_free(&own);
	fix_close(&f);
}

/* ---- many runs ------------------------------------------------------------------- */

#define RUNS 400

/* Of threads of their own, like the one that is there. */
static struct uuid
run_more(unsigned n)
{
	struct uuid id = { { 0 } };
	char text[512];

	snprintf(text, sizeof text, "UPDATE tt SET seq = seq + 1, uuid = randomblob(16);"
	    " INSERT INTO thread SELECT * FROM tt; UPDATE rr SET seq = seq + 1,"
	    " thread = thread + 1, uuid = CAST('many-runs-%06u' AS BLOB);"
	    " INSERT INTO run SELECT * FROM rr", n);
	change(text);
	snprintf(text, sizeof text, "many-runs-%06u", n);
	memcpy(id.b, text, sizeof id.b);
	return id;
}

/* Desks that would ask all the time, each a query of some rows and now and then one more, for
 * some seconds of a clock of ours; how many queries they made. */
static unsigned
asked(struct foreign_rate *desks, unsigned shards, nsec from, nsec until)
{
	unsigned n = 0;

	for (nsec now = from; now < until; now += NS_PER_MS)
		for (unsigned i = 0; i < shards; i++)
			while (foreign_rate_wait(&desks[i], now) <= 0) {
				unsigned some = 1 + n % 3;

				foreign_rate_pay(&desks[i], some, shards, now);
				n += some;
			}
	return n;
}

/* Goal: a process asks about others' runs at most so often, however many shards it has and
 * however long it did not ask; and not much less often, if there is so much to ask. */
TEST(foreign_queries_have_a_rate)
{
	static const unsigned shards[] = { 1, 2, 4, 16 };
	const unsigned most = LIMIT_FOREIGN_QUERIES, burst = most / 20;

	for (size_t i = 0; i < COUNT(shards); i++) {
		struct foreign_rate desks[16] = { 0 };
		unsigned n, slack = burst + 3 * shards[i];

		n = asked(desks, shards[i], 5 * NS_PER_S, 15 * NS_PER_S);
		CHECK(n <= 10 * most + slack);
		CHECK(n >= 10 * most - slack);
		/* An hour of nothing is no credit. */
		n = asked(desks, shards[i], 3600 * NS_PER_S, 3601 * NS_PER_S);
		CHECK(n <= most + slack && n >= most - slack);
	}
}

/* Goal: many runs cost few queries, and each gets its turn. */
TEST(foreign_runs_are_asked_about_together)
{
	static struct ear ears[RUNS];
	struct ear own, of;
	uint64_t before;
	struct fix f;

	fix_open(&f, "sqlite", 1, RULES);
	CHECK_RC(ear_start(&own, &f.desks[0], (struct ask){ .thread = thread_no(1),
	    .input = HI, .modes = MODE_VALUES }), OK);
	ear_until_end(&own);
	change("UPDATE run SET status = 1; UPDATE thread SET node = 99;"
	    " CREATE TABLE tt AS SELECT * FROM thread; CREATE TABLE rr AS SELECT * FROM run");
	store_set_node(f.st, US);
	before = queries(&f);
	for (unsigned i = 0; i < RUNS; i++) {
		of.run_id = run_more(i);
		ear_join(&ears[i], &f.desks[0], &of, i % 2 == 0 ? MODE_VALUES : 0, -1);
	}
	while (queries(&f) - before < 20)
		poll(NULL, 0, 1);
	change("DELETE FROM run WHERE seq > 1");
	before = queries(&f);
	for (unsigned i = 0; i < RUNS; i++) {
		ear_until_any_end(&ears[i]);
		CHECK_INT(ears[i].rc, OK);
		CHECK_INT(ears[i].status, RUN_INTERRUPTED);
		ear_free(&ears[i]);
	}
	CHECK(queries(&f) - before < RUNS / 2);
	ear_free(&own);
	fix_close(&f);
}
