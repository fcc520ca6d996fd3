/*
 * store_copy.c - the contract of copied threads: they share entries, and nothing
 * else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

static const struct str letters[] = { { "\"a\"", 3 }, { "\"b\"", 3 },
    { "\"c\"", 3 }, { "\"d\"", 3 }, { "\"e\"", 3 }, { "\"f\"", 3 } };

/* Run n of a thread appends two entries to its list. */
static void
turn(struct fix *f, unsigned thread, unsigned n)
{
	struct step s = step_new(n, (int)n, 2 * (n - 1), letters + 2 * (n - 1), 2);
	struct store_run run = start_run(f, 7, thread, 10 * thread + n);

	s.id = id_of(ID_CHECKPOINT, 10 * n + thread);
	CHECK_RC(finish_run(f, 7, &run, &s, 1), OK);
}

static struct store_thread
copy(struct fix *f, unsigned from, unsigned to)
{
	struct store_thread_copy c = { .from = id_of(ID_THREAD, from),
	    .id = id_of(ID_THREAD, to), .now = 6000,
	    .metadata_json = S("{\"thread_id\":\"new\"}") };

	CHECK_RC(fix_do(f, &c, STORE_THREAD_COPY, 7), OK);
	return c.t;
}

static void
drop(struct fix *f, unsigned thread)
{
	struct store_thread_delete d = { .id = id_of(ID_THREAD, thread) };

	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
}

/* The newest state's entries, letters only. */
static const char *
reads(struct fix *f, unsigned thread)
{
	struct uuid id = id_of(ID_THREAD, thread);
	struct store_thread t;
	struct store_state s;
	struct buf b = BUF(256);
	const struct store_channel *m;
	const char *out;

	CHECK_RC(store_thread_get(f->r, 7, &id, &f->a, &t), OK);
	CHECK_RC(store_state_get(f->r, 7, t.seq, S(""), &(struct uuid){ { 0 } },
	    STATE_ALL, &f->a, &s), OK);
	m = state_channel(&s, S("messages"));
	for (size_t i = 0; i < m->entries_n; i++)
		buf_add_char(&b, m->entries[i].p[1]);
	out = arena_str(&f->a, buf_str(&b)).p;
	buf_release(&b);
	return out;
}
#define CHECK_READS(thread, want) CHECK_STR(str_of(reads(f, thread)), want)

/* Goal: a copy has the ids, times and metadata of the source's states, but no
 * runs; both go on apart. */
CONTRACT(copy_thread)
{
	struct store_history h = { .limit = 10, .whole = true }, k = h;
	struct store_thread t, was;
	struct store_thread_copy bad = { .from = id_of(ID_THREAD, 1),
	    .id = id_of(ID_THREAD, 2) };

	turn(f, 1, 1);
	turn(f, 1, 2);
	t = copy(f, 1, 2);
	CHECK(str_contains(t.metadata_json, S("\"thread_id\":\"new\"")));
	CHECK(str_contains(t.metadata_json, S("\"graph_id\":\"agent\"")));
	CHECK_INT(count_rows(f, "entry"), 2);
	CHECK_RC(store_thread_get(f->r, 7, &bad.from, &f->a, &was), OK);
	h.thread_seq = was.seq;
	k.thread_seq = t.seq;
	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 7), OK);
	CHECK_RC(fix_do(f, &k, STORE_HISTORY, 7), OK);
	CHECK_INT(k.states_n, 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK(uuid_eq(&h.states[i].c.id, &k.states[i].c.id));
		CHECK(uuid_eq(&h.states[i].c.parent_id, &k.states[i].c.parent_id));
		CHECK(str_eq(h.states[i].c.base_json, k.states[i].c.extra_json));
		CHECK(str_eq(h.states[i].c.tasks_json, k.states[i].c.tasks_json));
	}
	turn(f, 2, 3);
	CHECK_READS(1, "abcd");
	CHECK_READS(2, "abcdef");
	turn(f, 1, 3);
	CHECK_READS(1, "abcdef");
	CHECK_RC(fix_do(f, &bad, STORE_THREAD_COPY, 7), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &bad, STORE_THREAD_COPY, 8), ERR_NOTFOUND);
}

/* Goal: either may be deleted first: the other loses nothing, and in the end
 * nothing is left. */
CONTRACT(copy_then_delete)
{
	for (unsigned order = 0; order < 2; order++) {
		unsigned first = 3 * order + 1;

		turn(f, first, 1);
		turn(f, first, 2);
		copy(f, first, first + 1);
		copy(f, first + 1, first + 2);
		turn(f, first + 2, 3);
		drop(f, order == 0 ? first : first + 1);
		check_consistent(f);
		CHECK_READS(order == 0 ? first + 1 : first, "abcd");
		CHECK_READS(first + 2, "abcdef");
		drop(f, order == 0 ? first + 1 : first);
		check_consistent(f);
		CHECK_READS(first + 2, "abcdef");
		drop(f, first + 2);
		CHECK_INT(count_rows(f, "entry") + count_rows(f, "list") +
		    count_rows(f, "checkpoint"), 0);
	}
}

/* Goal: a run is taken back from the source; the copy keeps what it wrote, and the
 * source goes on from before it. */
CONTRACT(copy_then_rollback)
{
	struct store_run_delete d = { .thread_id = id_of(ID_THREAD, 1),
	    .run_id = id_of(ID_RUN, 12) };

	turn(f, 1, 1);
	turn(f, 1, 2);
	copy(f, 1, 2);
	CHECK_RC(fix_do(f, &d, STORE_RUN_DELETE, 7), OK);
	check_consistent(f);
	CHECK_READS(1, "ab");
	CHECK_READS(2, "abcd");
	turn(f, 1, 2);
	CHECK_READS(1, "abcd");
	drop(f, 2);
	check_consistent(f);
	CHECK_READS(1, "abcd");
	drop(f, 1);
	CHECK_INT(count_rows(f, "entry") + count_rows(f, "list"), 0);
}

/* Goal: a thread of many checkpoints and a copy of it are erased in pieces, across
 * a restart too. */
TEST(copy_is_erased_in_pieces)
{
	struct fix fix, *f = &fix;
	struct store_run run;
	struct step *s = calloc(500, sizeof *s);

	fix_open(f, "sqlite");
	run = start_run(f, 7, 1, 1);
	for (unsigned i = 0; i < 500; i++)
		s[i] = step_new(i + 1, (int)i, i % 50, letters + i % 6, 1);
	for (unsigned i = 0; i < 500; i++) {
		struct store_run_save save = save_of(f, &run, s + i, 1);

		CHECK_RC(fix_do(f, &save, STORE_RUN_SAVE, 7), OK);
	}
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	copy(f, 1, 2);
	drop(f, 1);
	fix_reopen(f);
	while (count_rows(f, "thread") > 1)
		CHECK_RC(store_check(f->st, &f->e), OK);
	check_consistent(f);
	drop(f, 2);
	while (count_rows(f, "thread") > 0)
		CHECK_RC(store_check(f->st, &f->e), OK);
	CHECK_INT(count_rows(f, "entry") + count_rows(f, "list") +
	    count_rows(f, "checkpoint"), 0);
	fix_close(f);
	free(s);
}
