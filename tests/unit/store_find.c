/*
 * store_find.c - searching and counting threads and assistants, changing a
 * thread's metadata, deleting a run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <poll.h>
#include <string.h>

static void
thread(struct fix *f, owner_t owner, unsigned n, const char *metadata)
{
	struct store_thread_create c = thread_new(n);

	c.t.metadata_json = str_of(metadata);
	CHECK_RC(fix_do(f, &c, STORE_THREAD_CREATE, owner), OK);
}

static struct store_thread_search
ask(const char *metadata)
{
	return (struct store_thread_search){ .metadata_json = str_of(metadata),
	    .status = -1, .page.limit = 100 };
}

/* The numbers of the threads found: "3,1/2": of two in all. */
static struct str
found(struct fix *f, owner_t owner, struct store_thread_search x)
{
	struct str s = S("");

	CHECK_RC(fix_do(f, &x, STORE_THREAD_SEARCH, owner), OK);
	for (size_t i = 0; i < x.found_n; i++) {
		const uint8_t *b = x.found[i].t.id.b + 12;
		unsigned n = (unsigned)(b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3]);

		s = arena_fmt(&f->a, "%.*s%s%u", FMT(s), i == 0 ? "" : ",", n);
	}
	return arena_fmt(&f->a, "%.*s/%lld", FMT(s), (long long)x.total);
}

static struct str
found_by(struct fix *f, const char *metadata)
{
	return found(f, 7, ask(metadata));
}

/* Goal: containment as PostgreSQL's, newest first, for one's own threads. */
CONTRACT(threads_by_metadata)
{
	thread(f, 7, 1, "{\"user\":\"ann\",\"n\":{\"a\":1,\"b\":[1,2]}}");
	thread(f, 7, 2, "{\"user\":\"ann\",\"n\":{\"a\":1.0}}");
	thread(f, 7, 3, "{\"user\":\"bob\",\"tags\":[\"x\",{\"k\":\"v\",\"l\":1}]}");
	thread(f, 7, 4, "{\"user\":null,\"ok\":true,\"e\":{}}");
	thread(f, 7, 5, "{}");
	thread(f, 8, 6, "{\"user\":\"ann\"}");
	CHECK_STR(found_by(f, ""), "5,4,3,2,1/5");
	CHECK_STR(found_by(f, "{}"), "5,4,3,2,1/5");
	CHECK_STR(found_by(f, "{\"user\":\"ann\"}"), "2,1/2");
	CHECK_STR(found_by(f, "{\"user\":\"an\"}"), "/0");
	CHECK_STR(found_by(f, "{\"user\":null}"), "4/1");
	CHECK_STR(found_by(f, "{\"ok\":true,\"user\":null}"), "4/1");
	CHECK_STR(found_by(f, "{\"ok\":false}"), "/0");
	CHECK_STR(found_by(f, "{\"n\":{\"a\":1}}"), "2,1/2");
	CHECK_STR(found_by(f, "{\"n\":{\"b\":[2]}}"), "1/1");
	CHECK_STR(found_by(f, "{\"n\":{\"b\":[2,2,1]}}"), "1/1");
	CHECK_STR(found_by(f, "{\"n\":{\"b\":2}}"), "/0");
	CHECK_STR(found_by(f, "{\"n\":{\"b\":[3]}}"), "/0");
	CHECK_STR(found_by(f, "{\"tags\":[{\"k\":\"v\"}]}"), "3/1");
	CHECK_STR(found_by(f, "{\"tags\":[{\"k\":\"v\"}],\"user\":\"ann\"}"), "/0");
	CHECK_STR(found_by(f, "{\"e\":{}}"), "4/1");
	CHECK_STR(found_by(f, "{\"n\":{}}"), "2,1/2");
	CHECK_STR(found_by(f, "{\"n\":[]}"), "/0");
	CHECK_STR(found_by(f, "{\"user\":\"ann\",\"n\":{}}"), "2,1/2");
	CHECK_STR(found(f, 8, ask("{\"user\":\"ann\"}")), "6/1");
	CHECK_STR(found(f, 9, ask("")), "/0");
	check_consistent(f);
}

/* Goal: pages are slices of one order, and each says how many there are. */
CONTRACT(threads_by_page)
{
	struct store_thread_search x = ask("{\"k\":1}");

	for (unsigned n = 1; n <= 5; n++)
		thread(f, 7, n, n == 3 ? "{\"k\":2}" : "{\"k\":1}");
	x.page.limit = 2;
	CHECK_STR(found(f, 7, x), "5,4/4");
	x.page.offset = 1;
	CHECK_STR(found(f, 7, x), "4,2/4");
	x.page.offset = 9;
	CHECK_STR(found(f, 7, x), "/4");
	x.page.offset = 0, x.page.limit = 0;
	CHECK_STR(found(f, 7, x), "/4");
	x.page.limit = 3, x.page.ascending = true;
	CHECK_STR(found(f, 7, x), "1,2,4/4");
	x = ask("");
	x.page.limit = 2, x.page.offset = 2;
	CHECK_STR(found(f, 7, x), "3,2/5");
	x.page.ascending = true;
	CHECK_STR(found(f, 7, x), "3,4/5");
}

static struct str
of_status(struct fix *f, const char *metadata, int status)
{
	struct store_thread_search x = ask(metadata);

	x.status = status;
	return found(f, 7, x);
}

/* Goal: a status is found as it is now, alone and beside metadata. */
CONTRACT(threads_by_status)
{
	struct store_thread_delete gone = { .id = id_of(ID_THREAD, 3) };
	struct store_run run;

	for (unsigned n = 1; n <= 3; n++)
		thread(f, 7, n, "{\"k\":1}");
	run = start_run(f, 7, 2, 1);
	CHECK_STR(of_status(f, "", THREAD_IDLE), "3,1/2");
	CHECK_STR(of_status(f, "", THREAD_BUSY), "2/1");
	CHECK_STR(of_status(f, "{\"k\":1}", THREAD_BUSY), "2/1");
	CHECK_STR(of_status(f, "{\"k\":1}", THREAD_IDLE), "3,1/2");
	CHECK_STR(of_status(f, "{\"k\":2}", THREAD_IDLE), "/0");
	/* A run gives its thread metadata of its own. */
	CHECK_STR(found_by(f, "{\"graph_id\":\"agent\"}"), "2/1");
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	CHECK_STR(of_status(f, "", THREAD_BUSY), "/0");
	CHECK_STR(of_status(f, "", THREAD_IDLE), "3,2,1/3");
	CHECK_RC(fix_do(f, &gone, STORE_THREAD_DELETE, 7), OK);
	CHECK_STR(of_status(f, "", THREAD_IDLE), "2,1/2");
	CHECK_STR(found_by(f, "{\"k\":1}"), "2,1/2");
	check_consistent(f);
}

/* Goal: an order by anything else is that order. */
CONTRACT(threads_in_order)
{
	struct store_thread_update u = { .id = id_of(ID_THREAD, 1), .now = 9999 };
	struct store_thread_search x = ask("{\"k\":1}");

	for (unsigned n = 1; n <= 3; n++)
		thread(f, 7, n, "{\"k\":1}");
	start_run(f, 7, 2, 1);
	CHECK_RC(fix_do(f, &u, STORE_THREAD_UPDATE, 7), OK);
	x.page.sort = STORE_SORT_UPDATED;
	CHECK_STR(found(f, 7, x), "1,2,3/3");
	x.page.ascending = true;
	CHECK_STR(found(f, 7, x), "3,2,1/3");
	x.page.sort = STORE_SORT_STATUS;
	CHECK_STR(found(f, 7, x), "2,1,3/3");
	x.page.sort = STORE_SORT_ID, x.page.limit = 2;
	CHECK_STR(found(f, 7, x), "1,2/3");
	x.page.ascending = false, x.page.offset = 1;
	CHECK_STR(found(f, 7, x), "2,1/3");
}

/* Goal: of equal keys the last one counts; whole numbers that share a double
 * are told apart. */
CONTRACT(threads_by_what_the_index_blurs)
{
	struct buf wide = BUF(4 * KB);

	thread(f, 7, 1, "{\"d\":1,\"d\":2}");
	thread(f, 7, 2, "{\"n\":9007199254740992}");
	thread(f, 7, 3, "{\"n\":9007199254740993}");
	thread(f, 7, 4, "{\"n\":9223372036854775807}");
	thread(f, 7, 5, "{\"n\":9223372036854775808}");
	thread(f, 7, 6, "{\"z\":-0.0}");
	CHECK_STR(found_by(f, "{\"d\":1}"), "/0");
	CHECK_STR(found_by(f, "{\"d\":2}"), "1/1");
	CHECK_STR(found_by(f, "{\"d\":1,\"d\":2}"), "1/1");
	CHECK_STR(found_by(f, "{\"n\":9007199254740992}"), "2/1");
	CHECK_STR(found_by(f, "{\"n\":9007199254740993}"), "3/1");
	CHECK_STR(found_by(f, "{\"n\":9223372036854775808}"), "5/1");
	CHECK_STR(found_by(f, "{\"z\":0}"), "6/1");

	/* Wider than the index takes, all members alike. */
	buf_lit(&wide, "{\"w\":{\"k\":1");
	for (int i = 0; i < FACETS_MAX; i++)
		buf_add_fmt(&wide, ",\"k%d\":{}", i);
	buf_lit(&wide, "}}");
	thread(f, 7, 7, wide.p);
	CHECK_STR(found_by(f, wide.p), "7/1");
	CHECK_STR(found_by(f, "{\"w\":{\"k\":1}}"), "7/1");
	buf_release(&wide);
}

/* Goal: ids choose among one's own, each once; the rest of the question holds. */
CONTRACT(threads_by_ids)
{
	struct uuid ids[] = { id_of(ID_THREAD, 3), id_of(ID_THREAD, 1),
	    id_of(ID_THREAD, 3), id_of(ID_THREAD, 4), id_of(ID_THREAD, 99) };
	struct store_thread_search x = ask("");

	for (unsigned n = 1; n <= 3; n++)
		thread(f, 7, n, n == 1 ? "{\"k\":1}" : "{}");
	thread(f, 8, 4, "{}");
	x.ids = ids, x.ids_n = COUNT(ids);
	CHECK_STR(found(f, 7, x), "3,1/2");
	x.metadata_json = S("{\"k\":1}");
	CHECK_STR(found(f, 7, x), "1/1");
	x.status = THREAD_BUSY;
	CHECK_STR(found(f, 7, x), "/0");
}

/* Goal: metadata merges shallowly; what it no longer says is not found. */
CONTRACT(thread_update)
{
	struct store_thread_update u = { .id = id_of(ID_THREAD, 1), .now = 5000,
	    .metadata_json = S("{\"a\":2,\"n\":{\"y\":1}}") };
	struct store_thread t;

	thread(f, 7, 1, "{\"a\":1,\"n\":{\"x\":1},\"k\":\"v\"}");
	CHECK_RC(fix_do(f, &u, STORE_THREAD_UPDATE, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &u, STORE_THREAD_UPDATE, 7), OK);
	CHECK_RC(store_thread_get(f->r, 7, &u.id, &f->a, &t), OK);
	CHECK_STR(t.metadata_json, "{\"a\":2,\"n\":{\"y\":1},\"k\":\"v\"}");
	CHECK(str_eq(t.metadata_json, u.t.metadata_json));
	CHECK_INT(t.updated, 5000);
	CHECK_INT(t.created, 1001);
	CHECK_STR(found_by(f, "{\"a\":1}"), "/0");
	CHECK_STR(found_by(f, "{\"n\":{\"x\":1}}"), "/0");
	CHECK_STR(found_by(f, "{\"a\":2,\"k\":\"v\",\"n\":{\"y\":1}}"), "1/1");
	u.metadata_json = STR_NONE, u.now = 6000;
	CHECK_RC(fix_do(f, &u, STORE_THREAD_UPDATE, 7), OK);
	CHECK_STR(u.t.metadata_json, "{\"a\":2,\"n\":{\"y\":1},\"k\":\"v\"}");
	CHECK_INT(u.t.updated, 6000);
	check_consistent(f);
}

/* Goal: metadata with more leaves than are indexed is found by each of them. */
CONTRACT(threads_with_large_metadata)
{
	struct store_thread_update u = { .id = id_of(ID_THREAD, 1), .now = 1 };
	struct buf b = BUF(LIMIT_METADATA_BYTES);

	thread(f, 7, 0, "{\"k99\":99}");
	thread(f, 7, 1, "{\"k99\":1,\"small\":true}");
	buf_lit(&b, "{");
	for (int i = 0; i < 100; i++)
		buf_add_fmt(&b, "%s\"k%d\":%d", i == 0 ? "" : ",", i, i);
	buf_lit(&b, "}");
	thread(f, 7, 2, arena_str(&f->a, buf_str(&b)).p);
	thread(f, 7, 3, "{\"k99\":99}");
	CHECK_STR(found_by(f, "{\"k99\":99}"), "3,2,0/3");
	CHECK_STR(found_by(f, "{\"k99\":99,\"k1\":1}"), "2/1");
	CHECK_STR(found_by(f, "{\"k99\":1}"), "1/1");
	CHECK_STR(found_by(f, arena_str(&f->a, buf_str(&b)).p), "2/1");
	CHECK_INT(count_rows(f, "facet WHERE thread = (SELECT max(seq) FROM thread)"), 1);
	u.metadata_json = arena_str(&f->a, buf_str(&b));
	CHECK_RC(fix_do(f, &u, STORE_THREAD_UPDATE, 7), OK);
	CHECK_STR(found_by(f, "{\"small\":true}"), "1/1");
	CHECK_STR(found_by(f, "{\"k98\":98}"), "2,1/2");
	check_consistent(f);
	buf_release(&b);
}

/* Goal: one commit may change more counters than are added up at once. */
CONTRACT(threads_of_many_kinds_at_once)
{
	struct store_thread_create c[30];
	struct store_item_put held = { .item = { .ns = S("n"), .key = S("k"),
	    .value_json = S("1") }, .cmd.op = STORE_ITEM_PUT };
	struct buf b = BUF(LIMIT_METADATA_BYTES);
	struct gate g;

	gate_shut(f, &g, &held.cmd);
	for (unsigned i = 0; i < COUNT(c); i++) {
		buf_clear(&b);
		buf_lit(&b, "{\"same\":1");
		for (int k = 0; k < 60; k++)
			buf_add_fmt(&b, ",\"k%d\":%u", k, i);
		buf_lit(&b, "}");
		c[i] = thread_new(i + 1);
		c[i].t.metadata_json = arena_str(&f->a, buf_str(&b));
		c[i].cmd.arena = &f->a;
		fix_submit(f, &c[i], STORE_THREAD_CREATE, 7);
	}
	pthread_mutex_unlock(&g.lock);
	fix_wait(f, COUNT(c));
	CHECK_STR(found_by(f, "{\"k3\":4,\"same\":1}"), "5/1");
	CHECK_STR(found(f, 7, (struct store_thread_search){ .status = -1, .page.limit = 1,
	    .metadata_json = S("{\"same\":1}") }), "30/30");
	buf_release(&b);
}

/* Goal: a kind of thread that there is no more leaves no counter behind. */
CONTRACT(threads_gone_are_not_counted)
{
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 2) };
	int64_t before;

	thread(f, 7, 1, "{}");
	before = count_rows(f, "thread_count");
	thread(f, 7, 2, "{\"user\":\"ann\",\"n\":1}");
	CHECK_INT(count_rows(f, "thread_count"), before + 2);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	CHECK_STR(found_by(f, "{\"n\":1}"), "/0");
	CHECK_INT(count_rows(f, "thread_count"), before);
}

/* ---- against the plain way ------------------------------------------------- */

static unsigned
dice(unsigned *seed, unsigned sides)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 16) % sides;
}

static void
add_value(struct buf *b, unsigned *seed, unsigned depth)
{
	static const char *const scalars[] = { "1", "2", "1.0", "\"a\"", "\"b\"",
	    "true", "null" };
	unsigned kind = depth == 0 ? 0 : dice(seed, 4), n = dice(seed, 3);

	if (kind < 2) {
		buf_add(b, str_of(scalars[dice(seed, COUNT(scalars))]));
		return;
	}
	buf_add_char(b, kind == 2 ? '[' : '{');
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		if (kind == 3)
			buf_add_fmt(b, "\"%c\":", (char)('x' + (int)i));
		add_value(b, seed, depth - 1);
	}
	buf_add_char(b, kind == 2 ? ']' : '}');
}

static struct str
some_metadata(struct fix *f, unsigned *seed)
{
	struct buf b = BUF(KB);
	unsigned n = dice(seed, 4);
	struct str s;

	buf_add_char(&b, '{');
	for (unsigned i = 0; i < n; i++) {
		buf_add_fmt(&b, "%s\"%c\":", i > 0 ? "," : "", (char)('p' + (int)i));
		add_value(&b, seed, 3);
	}
	buf_add_char(&b, '}');
	s = arena_str(&f->a, buf_str(&b));
	buf_release(&b);
	return s;
}

/* Goal: the index finds what comparing each thread finds. */
TEST(threads_found_are_those_that_contain)
{
	enum { THREADS = 150, QUESTIONS = 300 };
	struct json_doc have[THREADS] = { { 0 } };
	unsigned seed = 7, some = 0;
	struct fix f;

	fix_open(&f, "memory");
	for (unsigned i = 0; i < THREADS; i++) {
		struct str m = some_metadata(&f, &seed);

		thread(&f, 7, i, m.p);
		CHECK_RC(json_parse(&have[i], m, NULL), OK);
	}
	for (unsigned q = 0; q < QUESTIONS; q++) {
		struct str m = some_metadata(&f, &seed), want = S("");
		struct store_thread_search x = ask(m.p);
		struct json_doc d = { 0 };
		unsigned n = 0;

		CHECK_RC(json_parse(&d, m, NULL), OK);
		for (unsigned i = THREADS; i > 0; i--)
			if (json_contains(have[i - 1].root, d.root, NULL))
				want = arena_fmt(&f.a, "%.*s%s%u", FMT(want),
				    n++ == 0 ? "" : ",", i - 1);
		x.page.limit = THREADS;
		want = arena_fmt(&f.a, "%.*s/%u", FMT(want), n);
		if (!str_eq(found(&f, 7, x), want))
			test_fail(__FILE__, __LINE__, "%.*s: %.*s, not %.*s", FMT(m),
			    FMT(found(&f, 7, x)), FMT(want));
		some += n > 0 && n < THREADS;
		json_release(&d);
	}
	CHECK(some > 50);
	for (unsigned i = 0; i < THREADS; i++)
		json_release(&have[i]);
	check_consistent(&f);
	fix_close(&f);
}

/* {"a":[n times what]}, and `last` as one more. */
static void
add_array(struct buf *b, int n, const char *what, const char *last)
{
	buf_lit(b, "{\"a\":[");
	for (int i = 0; i < n; i++)
		buf_add_fmt(b, "%s,", what);
	buf_add_fmt(b, "%s]}", last);
}

/* Goal: comparing one object may take long; short reads pass meanwhile, and
 * past its time the search is given up. */
TEST(costly_metadata_holds_nobody_up)
{
	struct buf have = BUF(64 * KB), want = BUF(8 * KB);
	struct store_thread_search x = ask("");
	struct store_run_list l = { .status = -1, .limit = 10 };
	struct arena a[2] = { ARENA(MB), ARENA(MB) };
	struct store_run run;
	struct fix f;
	size_t back;

	fix_open_hasty(&f, 200);
	run = start_run(&f, 7, 1, 1);
	add_array(&have, 32000, "1", "2");
	add_array(&want, 4000, "2", "2");
	thread(&f, 7, 2, have.p);
	x.metadata_json = buf_str(&want);
	x.cmd.arena = &a[0];
	l.cmd.arena = &a[1];
	l.thread_seq = run.thread_seq;
	back = f.back;
	fix_submit(&f, &x, STORE_THREAD_SEARCH, 7);
	while (!queue_empty(&f.st->reads))
		poll(NULL, 0, 1);
	fix_submit(&f, &l, STORE_RUN_LIST, 7);
	fix_wait(&f, back + 2);
	CHECK(f.order[back] == &l.cmd);
	CHECK_RC(x.cmd.rc, ERR_TIMEOUT);
	fix_close(&f);
	arena_release(&a[0]);
	arena_release(&a[1]);
	buf_release(&have);
	buf_release(&want);
}

/* Goal: so it is for assistants, and for histories that compare metadata,
 * which are not short reads. */
TEST(costly_metadata_everywhere)
{
	struct buf have = BUF(64 * KB), want = BUF(8 * KB);
	struct store_assistant_search x = { .page.limit = 10 };
	struct store_assistant_create made = assistant_new(1);
	struct store_run_create c = run_new(1, 1);
	struct store_history h = { .limit = 10 };
	struct str m[] = { S("\"m\"") };
	struct step step = step_new(1, 0, 0, m, 1);
	struct fix f;

	fix_open_hasty(&f, 50);
	add_array(&have, 32000, "1", "2");
	add_array(&want, 4000, "2", "2");
	made.a.metadata_json = buf_str(&have);
	CHECK_RC(fix_do(&f, &made, STORE_ASSISTANT_CREATE, 7), OK);
	x.metadata_json = buf_str(&want);
	CHECK_RC(fix_do(&f, &x, STORE_ASSISTANT_SEARCH, 7), ERR_TIMEOUT);

	c.create_thread = true;
	c.run.base_json = buf_str(&have);
	CHECK_RC(fix_do(&f, &c, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(finish_run(&f, 7, &c.run, &step, 1), OK);
	h.thread_seq = c.run.thread_seq;
	CHECK_RC(fix_do(&f, &h, STORE_HISTORY, 7), OK);
	CHECK(!h.cmd.long_read);
	h.metadata_json = buf_str(&want);
	CHECK_RC(fix_do(&f, &h, STORE_HISTORY, 7), ERR_TIMEOUT);
	CHECK(h.cmd.long_read);
	fix_close(&f);
	buf_release(&have);
	buf_release(&want);
}

/* Goal: the threads of a file from before are found too. */
TEST(threads_of_an_old_file)
{
	const struct db_format first = fix_format(1);
	struct db db;
	struct fix f;

	memset(&f, 0, sizeof f);
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_migrate(&db, &first, &f.e), OK);
	CHECK_RC(db_exec(&db, "INSERT INTO thread(seq, uuid, owner, status,"
	    " checkpoint, created, updated, metadata, config) VALUES"
	    " (1, x'00000000000000000000000000000001', 7, 0, 0, 1, 1, '{\"k\":1}', '{}'),"
	    " (2, x'00000000000000000000000000000002', 7, 2, 0, 2, 2, '{\"k\":1}', '{}'),"
	    " (3, x'00000000000000000000000000000003', 7, 0, 0, 3, 3, '{}', '{}'),"
	    " (4, NULL, -1, 0, 0, 4, 4, '{\"k\":1}', '{}')", &f.e), OK);
	db_close(&db);
	fix_open(&f, "sqlite");
	CHECK_STR(found(&f, 7, ask("{\"k\":1}")), "2,1/2");
	CHECK_STR(of_status(&f, "", THREAD_IDLE), "3,1/2");
	CHECK_STR(of_status(&f, "{\"k\":1}", THREAD_INTERRUPTED), "2/1");
	while (count_rows(&f, "thread") > 3)
		CHECK_RC(store_check(f.st, &f.e), OK);       /* the buried one goes */
	check_consistent(&f);
	fix_close(&f);
}

/* Goal: states come along when they are asked for. */
CONTRACT(threads_with_states)
{
	struct str m[] = { S("\"one\""), S("\"two\"") };
	struct step s = step_new(1, 0, 0, m, 2);
	struct store_thread_search x = ask("");
	struct store_run run = start_run(f, 7, 1, 1);

	CHECK_RC(finish_run(f, 7, &run, &s, 1), OK);
	thread(f, 7, 2, "{}");
	x.states = true;
	CHECK_RC(fix_do(f, &x, STORE_THREAD_SEARCH, 7), OK);
	CHECK_INT(x.found_n, 2);
	CHECK(uuid_eq(&x.found[1].t.id, &run.thread_id) == (x.found[1].has_state));
	for (size_t i = 0; i < 2; i++) {
		if (!x.found[i].has_state)
			continue;
		CHECK_INT(x.found[i].state.channels_n, 1);
		CHECK_INT(x.found[i].state.channels[0].entries_n, 2);
		CHECK_STR(x.found[i].state.channels[0].entries[1], "\"two\"");
	}
	CHECK(x.found[0].has_state + x.found[1].has_state == 1);
}

/* Goal: a search that looks at more than a short one may is answered as well. */
TEST(threads_in_order_of_many)
{
	struct store_thread_search x = ask("");
	struct fix f;

	fix_open(&f, "memory");
	change_file(&f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM"
	    " n WHERE i < 9000) INSERT INTO thread(seq, uuid, owner, status,"
	    " checkpoint, created, updated, metadata, config) SELECT i, CAST("
	    "printf('%016d', i) AS BLOB), 7, 0, 0, i, 10000 - i, '{}', '{}' FROM n;"
	    "INSERT INTO thread_count VALUES (7, 1, 9000)");
	x.page.sort = STORE_SORT_UPDATED, x.page.limit = 2;
	CHECK_RC(fix_do(&f, &x, STORE_THREAD_SEARCH, 7), OK);
	CHECK_INT(x.total, 9000);
	CHECK_INT(x.found_n, 2);
	CHECK_INT(x.found[0].t.created, 1);
	CHECK_INT(x.found[1].t.created, 2);
	fix_close(&f);
}

/* Goal: threads that go with their assistant leave nothing behind. */
CONTRACT(threads_gone_with_an_assistant)
{
	struct store_assistant_create a = assistant_new(1);
	struct store_assistant_delete gone = { .id = id_of(ID_ASSISTANT, 1),
	    .threads = true };

	CHECK_RC(fix_do(f, &a, STORE_ASSISTANT_CREATE, 7), OK);
	for (unsigned n = 1; n <= 3; n++) {
		struct store_run run = start_run(f, 7, n, n);

		CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	}
	thread(f, 7, 9, "{\"graph_id\":\"agent\"}");
	CHECK_STR(found_by(f, "{\"graph_id\":\"agent\"}"), "3,2,1,9/4");
	CHECK_RC(fix_do(f, &gone, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK_STR(found_by(f, "{\"graph_id\":\"agent\"}"), "9/1");
	CHECK_STR(found_by(f, ""), "9/1");
	check_consistent(f);
}

/* ---- assistants ------------------------------------------------------------- */

static struct str
assistants(struct fix *f, owner_t owner, struct store_assistant_search x)
{
	struct str s = S("");

	CHECK_RC(fix_do(f, &x, STORE_ASSISTANT_SEARCH, owner), OK);
	for (size_t i = 0; i < x.found_n; i++)
		s = arena_fmt(&f->a, "%.*s%s%.*s", FMT(s), i == 0 ? "" : ",",
		    FMT(x.found[i].name));
	return arena_fmt(&f->a, "%.*s/%lld", FMT(s), (long long)x.total);
}

CONTRACT(assistants_found)
{
	static const char *const names[] = { "Ann", "bert", "Cleo" };
	struct store_assistant_search x = { .page.limit = 10 };
	struct store_assistant_update u = { .a.id = id_of(ID_ASSISTANT, 1),
	    .a.metadata_json = S("{\"v\":2}"), .now = 9000 };

	for (unsigned i = 0; i < 3; i++) {
		struct store_assistant_create a = assistant_new(i);

		a.a.name = str_of(names[i]);
		a.a.graph_id = i == 2 ? S("other") : S("agent");
		a.a.metadata_json = i == 1 ? S("{\"k\":[1,2]}") : S("{}");
		a.system = i == 0;
		CHECK_RC(fix_do(f, &a, STORE_ASSISTANT_CREATE, i == 0 ? 0 : 7), OK);
	}
	CHECK_STR(assistants(f, 7, x), "Cleo,bert,Ann/3");
	CHECK_STR(assistants(f, 8, x), "Ann/1");     /* the system's */
	CHECK_STR(assistants(f, 0, x), "Ann/1");
	x.name = S("N");
	CHECK_STR(assistants(f, 7, x), "Ann/1");
	x.name = S("E");
	CHECK_STR(assistants(f, 7, x), "Cleo,bert/2");
	x.graph_id = S("agent");
	CHECK_STR(assistants(f, 7, x), "bert/1");
	x = (struct store_assistant_search){ .page.limit = 10,
	    .metadata_json = S("{\"k\":[2]}") };
	CHECK_STR(assistants(f, 7, x), "bert/1");
	CHECK_RC(fix_do(f, &u, STORE_ASSISTANT_UPDATE, 7), OK);
	CHECK_STR(assistants(f, 7, x), "bert/1");    /* of its newest version */
	x.metadata_json = S("{\"v\":2}");
	CHECK_STR(assistants(f, 7, x), "bert/1");
	x = (struct store_assistant_search){ .page.limit = 1, .page.offset = 1,
	    .page.sort = STORE_SORT_NAME, .page.ascending = true };
	CHECK_STR(assistants(f, 7, x), "Cleo/3");
	x.page.sort = STORE_SORT_UPDATED, x.page.ascending = false, x.page.offset = 0;
	CHECK_STR(assistants(f, 7, x), "bert/3");
	x.page.limit = 0;
	CHECK_STR(assistants(f, 7, x), "/3");
}

/* ---- deleting a run --------------------------------------------------------- */

static int
run_delete(struct fix *f, owner_t owner, unsigned thread, unsigned run)
{
	struct store_run_delete d = { .thread_id = id_of(ID_THREAD, thread),
	    .run_id = id_of(ID_RUN, run) };

	return fix_do(f, &d, STORE_RUN_DELETE, owner);
}

/* Run n on thread 1: one step that keeps and adds. */
static void
a_run(struct fix *f, unsigned n, uint32_t keep, const char *says)
{
	struct str m = str_of(says);
	struct step s[] = { step_new(2 * n, (int)n, keep, &m, 1),
	    step_new(2 * n + 1, (int)n, keep + 1, NULL, 0) };
	struct store_run run = start_run(f, 7, 1, n);
	struct store_stream_append a = { .run_seq = run.seq, .first_id = 1,
	    .last_id = 2, .bytes = S("x") };

	CHECK_RC(fix_do(f, &a, STORE_STREAM_APPEND, 7), OK);
	CHECK_RC(finish_run(f, 7, &run, s, 2), OK);
}

static uint32_t
messages_now(struct fix *f)
{
	struct uuid id = id_of(ID_THREAD, 1);
	struct store_checkpoint c;
	struct store_thread t;
	struct str *m;

	CHECK_RC(store_thread_get(f->r, 7, &id, &f->a, &t), OK);
	if (t.checkpoint == 0)
		return 0;
	CHECK_RC(store_checkpoint_get(f->r, 7, t.seq, 0, &f->a, &c), OK);
	CHECK_RC(store_messages_get(f->r, c.list, 0, c.len, &f->a, &m), OK);
	return c.len;
}

/* Goal: a run takes along what it left at the thread's end; what later ones
 * stand on stays. */
CONTRACT(run_deleted)
{
	a_run(f, 1, 0, "\"one\"");
	a_run(f, 2, 1, "\"two\"");
	a_run(f, 3, 1, "\"three\"");         /* a list of its own */
	a_run(f, 4, 2, "\"four\"");
	CHECK_INT(messages_now(f), 3);
	CHECK_RC(run_delete(f, 8, 1, 4), ERR_NOTFOUND);
	CHECK_RC(run_delete(f, 7, 2, 4), ERR_NOTFOUND);
	CHECK_RC(run_delete(f, 7, 1, 4), OK);
	CHECK_RC(run_delete(f, 7, 1, 4), ERR_NOTFOUND);
	CHECK_INT(messages_now(f), 2);
	check_consistent(f);
	CHECK_RC(run_delete(f, 7, 1, 2), OK);        /* of the middle */
	CHECK_INT(messages_now(f), 2);
	check_consistent(f);
	CHECK_RC(run_delete(f, 7, 1, 3), OK);
	CHECK_INT(messages_now(f), 2);       /* "one", "two": run 2's state */
	check_consistent(f);
	a_run(f, 5, 2, "\"five\"");          /* goes on from there */
	CHECK_INT(messages_now(f), 3);
	CHECK_RC(run_delete(f, 7, 1, 5), OK);
	CHECK_RC(run_delete(f, 7, 1, 1), OK);
	CHECK_INT(count_rows(f, "run"), 0);
	CHECK_INT(count_rows(f, "stream"), 0);
	check_consistent(f);
}

CONTRACT(run_deleted_that_was_the_only_one)
{
	a_run(f, 1, 0, "\"one\"");
	CHECK_RC(run_delete(f, 7, 1, 1), OK);
	CHECK_INT(messages_now(f), 0);
	CHECK_INT(count_rows(f, "checkpoint"), 0);
	CHECK_INT(count_rows(f, "entry"), 0);
	a_run(f, 2, 0, "\"again\"");
	CHECK_INT(messages_now(f), 1);
	check_consistent(f);
}

/* Goal: nothing is taken from under a run. */
CONTRACT(run_under_way_is_not_deleted)
{
	struct store_run_create next = run_new(1, 3);

	a_run(f, 1, 0, "\"one\"");
	start_run(f, 7, 1, 2);
	CHECK_RC(fix_do(f, &next, STORE_RUN_CREATE, 7), OK);
	for (unsigned n = 1; n <= 3; n++)
		CHECK_RC(run_delete(f, 7, 1, n), ERR_CONFLICT);
	CHECK_INT(messages_now(f), 1);
	check_consistent(f);
}

/* Goal: a run with thousands of rows is gone at once for everybody, and its
 * rows go in pieces. */
CONTRACT(run_with_many_rows_deleted)
{
	a_run(f, 1, 0, "\"one\"");
	change_file(f, "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1"
	    " FROM n WHERE i < 3000) INSERT INTO stream(run, last, first, body)"
	    " SELECT (SELECT seq FROM run), i, i, (SELECT uuid FROM run) FROM n");
	CHECK_RC(run_delete(f, 7, 1, 1), OK);
	CHECK_RC(run_delete(f, 7, 1, 1), ERR_NOTFOUND);
	while (count_rows(f, "run") > 0)
		CHECK_RC(store_check(f->st, &f->e), OK);     /* the writer is at it */
	CHECK_INT(count_rows(f, "stream"), 0);
	CHECK_INT(count_rows(f, "thread"), 1);
	check_consistent(f);
}
