/*
 * store_reads.c - the contract of the slow reads: history, search, run list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

#include "store/find.h"

/* ---- history ------------------------------------------------------------- */

static struct store_history
history(struct fix *f, owner_t owner, int64_t thread, int64_t limit,
    const char *metadata, unsigned before)
{
	struct store_history h = { .thread_seq = thread, .limit = limit,
	    .metadata_json = str_of(metadata) };

	if (before > 0)
		h.before = id_of(ID_CHECKPOINT, before);
	CHECK_RC(fix_do(f, &h, STORE_HISTORY, owner), OK);
	return h;
}

/* A turn, then a turn that replaces the last message and is cut short.
 *    1 input     -> 2 "h"      -> 3 "h a"
 *    4 input (of run 2)        -> 5 "h b" (new list), next node never ran */
static int64_t
two_runs(struct fix *f)
{
	static const struct str m[] = { { "\"h\"", 3 }, { "\"a\"", 3 }, { "\"b\"", 3 } };
	struct step s[] = {
		step_new(1, -1, 0, NULL, 0), step_new(2, 0, 0, m, 1),
		step_new(3, 1, 1, m + 1, 1), step_new(4, -1, 2, NULL, 0),
		step_new(5, 3, 1, m + 2, 1)
	};
	struct store_run run = start_run(f, 7, 1, 1);

	s[2].next = STR_NONE;
	CHECK_RC(finish_run(f, 7, &run, s, 3), OK);
	run = start_run(f, 7, 1, 2);
	CHECK_RC(finish_run(f, 7, &run, s + 3, 2), OK);
	return run.thread_seq;
}

/* Goal: newest first, each with its own messages and what its node wrote. */
CONTRACT(history_newest_first)
{
	struct store_history h = history(f, 7, two_runs(f), 10, NULL, 0);

	CHECK_INT(h.items_n, 5);
	for (unsigned i = 0; i < 5; i++) {
		struct uuid id = id_of(ID_CHECKPOINT, 5 - i);

		CHECK(uuid_eq(&h.items[i].c.id, &id));
	}
	CHECK_INT(h.items[0].messages_n, 2);
	CHECK_STR(h.items[0].messages[0], "\"h\"");
	CHECK_STR(h.items[0].messages[1], "\"b\"");
	CHECK(!h.items[0].has_result);
	/* The state before it: its child wrote one message on a new list. */
	CHECK_STR(h.items[1].messages[1], "\"a\"");
	CHECK(h.items[1].has_result);
	CHECK_INT(h.items[1].result_n, 1);
	CHECK_STR(h.items[1].result[0], "\"b\"");
	/* The end of run 1: what follows is another run's input, no result. */
	CHECK_INT(h.items[2].messages_n, 2);
	CHECK(!h.items[2].has_result);
	CHECK_STR(h.items[3].result[0], "\"a\"");
	CHECK_INT(h.items[4].messages_n, 0);
	CHECK_STR(h.items[4].result[0], "\"h\"");
	/* States of one list share its texts. */
	CHECK(h.items[2].messages == h.items[3].messages);
	CHECK(uuid_eq(&h.items[0].c.parent_id, &h.items[1].c.id));
}

CONTRACT(history_pages)
{
	int64_t thread = two_runs(f);
	struct store_history h = history(f, 7, thread, 2, NULL, 0);
	struct uuid id = id_of(ID_CHECKPOINT, 2);

	CHECK_INT(h.items_n, 2);
	h = history(f, 7, thread, 1, NULL, 3);
	CHECK_INT(h.items_n, 1);
	CHECK(uuid_eq(&h.items[0].c.id, &id));
	CHECK_STR(h.items[0].result[0], "\"a\"");    /* its child is not on the page */
	h = history(f, 7, thread, 5, NULL, 1);
	CHECK_INT(h.items_n, 0);
	h = history(f, 7, thread, 0, NULL, 0);
	CHECK_INT(h.items_n, 0);
	h = history(f, 8, thread, 10, NULL, 0);      /* somebody else's */
	CHECK_INT(h.items_n, 0);
	h = history(f, 7, thread, 10, NULL, 1000);   /* before one that is not there */
	CHECK_INT(h.items_n, 5);
	CHECK(!h.items[0].has_result);
}

CONTRACT(history_by_metadata)
{
	int64_t thread = two_runs(f);
	struct store_history h = history(f, 7, thread, 10, "{\"source\":\"input\"}", 0);

	CHECK_INT(h.items_n, 2);
	CHECK_INT(h.items[0].c.step, -1);
	CHECK_STR(h.items[0].result[0], "\"b\"");
	h = history(f, 7, thread, 1, "{\"step\":0}", 0);
	CHECK_INT(h.items_n, 1);
	CHECK_STR(h.items[0].messages[0], "\"h\"");
	h = history(f, 7, thread, 10, "{\"n\":{\"a\":1},\"run\":\"base\"}", 0);
	CHECK_INT(h.items_n, 5);
	h = history(f, 7, thread, 10, "{\"n\":{\"a\":2}}", 0);
	CHECK_INT(h.items_n, 0);
	h = (struct store_history){ .thread_seq = thread, .limit = 1,
	    .metadata_json = S("[1]") };
	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 7), ERR_INVALID);
	h.metadata_json = S("{");
	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 7), ERR_SYNTAX);
}

/* Goal: a page that does not fit its memory is an error, not a crash. */
CONTRACT(history_over_its_memory)
{
	int64_t thread = two_runs(f);
	struct arena small = ARENA(600);
	struct store_history h = { .thread_seq = thread, .limit = 10,
	    .cmd.arena = &small };

	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 7), ERR_TOOBIG);
	arena_release(&small);
}

/* ---- run list ------------------------------------------------------------ */

CONTRACT(run_list)
{
	struct store_run first = start_run(f, 7, 1, 1);
	struct store_run_create c = run_new(1, 2), d = run_new(1, 3);
	struct store_run_list l = { .thread_seq = first.thread_seq, .status = -1,
	    .limit = 2 };

	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &l, STORE_RUN_LIST, 7), OK);
	CHECK_INT(l.runs_n, 2);
	CHECK(l.more);
	CHECK(uuid_eq(&l.runs[0].id, &d.run.id));
	CHECK(uuid_eq(&l.runs[1].id, &c.run.id));
	l.offset = 2;
	CHECK_RC(fix_do(f, &l, STORE_RUN_LIST, 7), OK);
	CHECK_INT(l.runs_n, 1);
	CHECK(!l.more);
	CHECK(uuid_eq(&l.runs[0].id, &first.id));
	l.offset = 0, l.status = RUN_RUNNING;
	CHECK_RC(fix_do(f, &l, STORE_RUN_LIST, 7), OK);
	CHECK_INT(l.runs_n, 1);
	CHECK(uuid_eq(&l.runs[0].id, &first.id));
	CHECK_RC(fix_do(f, &l, STORE_RUN_LIST, 8), OK);
	CHECK_INT(l.runs_n, 0);
}

static struct str
active(struct fix *f, owner_t owner, struct store_run_active x)
{
	struct str s = S("");

	CHECK_RC(fix_do(f, &x, STORE_RUN_ACTIVE, owner), OK);
	for (size_t i = 0; i < x.found_n; i++)
		s = arena_fmt(&f->a, "%.*s%s%u", FMT(s), i == 0 ? "" : ",",
		    x.found[i].run_id.b[15]);
	return s;
}

CONTRACT(runs_under_way)
{
	struct store_run_create behind = run_new(1, 2), held = run_new(2, 3);
	struct store_run first = start_run(f, 7, 1, 1), done = start_run(f, 7, 3, 4);
	struct uuid other = id_of(ID_ASSISTANT, 2), none = id_of(ID_ASSISTANT, 3);
	struct store_run_name *newest;
	size_t n;

	start_run(f, 8, 4, 5);
	held.create_thread = true;
	held.run.held = 9999;
	held.run.assistant_id = other;
	CHECK_RC(fix_do(f, &behind, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &held, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(finish_run(f, 7, &done, NULL, 0), OK);
#define ACTIVE(owner, ...) active(f, owner, (struct store_run_active){ __VA_ARGS__ })
	CHECK_STR(ACTIVE(7, .status = -1, .limit = 10), "1,2,3");
	CHECK_STR(ACTIVE(7, .status = -1, .limit = 2), "1,2");
	CHECK_STR(ACTIVE(7, .status = -1, .limit = 10, .after = first.seq), "2,3");
	CHECK_STR(ACTIVE(7, .status = RUN_PENDING, .limit = 10), "2,3");
	CHECK_STR(ACTIVE(7, .status = RUN_RUNNING, .limit = 10), "1");
	CHECK_STR(ACTIVE(7, .status = -1, .limit = 10, .assistant = other), "3");
	CHECK_STR(ACTIVE(7, .status = -1, .limit = 10, .assistant = none), "");
	CHECK_STR(ACTIVE(8, .status = -1, .limit = 10), "5");
	CHECK_RC(store_runs_newest(f->r, 7, first.thread_seq, 1, &f->a, &newest, &n), OK);
	CHECK_INT(n, 1);
	CHECK(uuid_eq(&newest[0].run_id, &behind.run.id));
	CHECK_INT(newest[0].status, RUN_PENDING);
	CHECK_RC(store_runs_newest(f->r, 7, first.thread_seq, 9, &f->a, &newest, &n), OK);
	CHECK_INT(n, 2);
	CHECK_RC(store_runs_newest(f->r, 8, first.thread_seq, 9, &f->a, &newest, &n), OK);
	CHECK_INT(n, 0);
}

static struct str
found(struct fix *f, owner_t owner, struct store_run_search x)
{
	struct str s = S("");

	CHECK_RC(fix_do(f, &x, STORE_RUN_SEARCH, owner), OK);
	for (size_t i = 0; i < x.found_n; i++)
		s = arena_fmt(&f->a, "%.*s%s%u", FMT(s), i == 0 ? "" : ",",
		    x.found[i].run_id.b[15]);
	return arena_fmt(&f->a, "%.*s%s", FMT(s), x.more ? "+" : "");
}

/* Goal: an owner's runs of all threads, by status, age, thread and assistant, in pages that
 * begin behind a run. */
CONTRACT(run_search)
{
	struct store_run_create behind = run_new(1, 2), held = run_new(2, 3);
	struct store_run first = start_run(f, 7, 1, 1), done = start_run(f, 7, 3, 4);
	const unsigned way = 1 << RUN_PENDING | 1 << RUN_RUNNING, any = 63;
	struct uuid other = id_of(ID_ASSISTANT, 2);

	start_run(f, 8, 4, 5);
	held.create_thread = true;
	held.run.held = 9999;
	held.run.assistant_id = other;
	CHECK_RC(fix_do(f, &behind, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &held, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(finish_run(f, 7, &done, NULL, 0), OK);
#define FOUND(owner, ...) found(f, owner, (struct store_run_search){ __VA_ARGS__ })
	CHECK_STR(FOUND(7, .statuses = way, .limit = 10), "3,2,1");
	CHECK_STR(FOUND(7, .statuses = any, .limit = 10), "3,2,4,1");
	CHECK_STR(FOUND(7, .statuses = any, .limit = 2), "3,2+");
	CHECK_STR(FOUND(7, .statuses = any, .limit = 10, .behind = done.seq), "1");
	CHECK_STR(FOUND(7, .statuses = way, .limit = 10, .behind = first.seq), "");
	CHECK_STR(FOUND(7, .statuses = 1 << RUN_PENDING, .limit = 10), "3,2");
	CHECK_STR(FOUND(7, .statuses = 1 << RUN_SUCCESS, .limit = 10), "4");
	CHECK_STR(FOUND(7, .statuses = any, .limit = 10, .assistant = other), "3");
	CHECK_STR(FOUND(7, .statuses = any, .limit = 10, .thread_seq = first.thread_seq), "2,1");
	CHECK_STR(FOUND(7, .statuses = 1 << RUN_RUNNING, .limit = 10,
	    .thread_seq = first.thread_seq), "1");
	CHECK_STR(FOUND(7, .statuses = any, .limit = 10, .before = 3003), "2,1");
	CHECK_STR(FOUND(7, .statuses = 0, .limit = 10), "");
	CHECK_STR(FOUND(8, .statuses = any, .limit = 10), "5");
	CHECK_STR(FOUND(8, .statuses = any, .limit = 10, .thread_seq = first.thread_seq), "");
}

/* ---- search -------------------------------------------------------------- */

static void
put(struct fix *f, owner_t owner, const char *ns, const char *key,
    const char *value, msec at)
{
	struct store_item_put p = { .item = { .ns = str_of(ns), .key = str_of(key),
	    .value_json = str_of(value), .created = at, .updated = at } };

	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, owner), OK);
}

/* The keys found, joined: "c,a". */
static struct str
search(struct fix *f, owner_t owner, const char *ns, const char *filter,
    const char *query, int64_t limit, int64_t offset)
{
	struct store_item_search s = { .ns = str_of(ns),
	    .filter_json = str_of(filter), .query = str_of(query),
	    .limit = limit, .offset = offset };
	struct str keys = S("");

	CHECK_RC(fix_do(f, &s, STORE_ITEM_SEARCH, owner), OK);
	for (size_t i = 0; i < s.items_n; i++)
		keys = arena_fmt(&f->a, "%.*s%s%.*s", FMT(keys), i == 0 ? "" : ",",
		    FMT(s.items[i].key));
	return keys;
}

/* Goal: a prefix is whole labels; the newest change comes first. */
CONTRACT(search_by_prefix)
{
	put(f, 7, "users", "a", "{}", 1);
	put(f, 7, "users.ann", "b", "{}", 2);
	put(f, 7, "users.ann.x", "c", "{}", 3);
	put(f, 7, "users.anna", "d", "{}", 4);
	put(f, 7, "usersx", "e", "{}", 5);
	put(f, 7, "users-2", "g", "{}", 5);
	put(f, 8, "users.ann", "f", "{}", 6);
	CHECK_STR(search(f, 7, "users.ann", NULL, NULL, 10, 0), "c,b");
	CHECK_STR(search(f, 7, "users", NULL, NULL, 10, 0), "d,c,b,a");
	CHECK_STR(search(f, 7, "", NULL, NULL, 10, 0), "g,e,d,c,b,a");
	CHECK_STR(search(f, 7, "users", NULL, NULL, 2, 1), "c,b");
	CHECK_STR(search(f, 7, "users", NULL, NULL, 0, 0), "");
	CHECK_STR(search(f, 7, "none", NULL, NULL, 10, 0), "");
	put(f, 7, "users", "a", "{\"n\":1}", 9);
	CHECK_STR(search(f, 7, "users", NULL, NULL, 2, 0), "a,d");
}

/* Goal: operators compare like with like. */
CONTRACT(search_by_filter)
{
	put(f, 7, "n", "one", "{\"v\":1,\"s\":\"a\",\"t\":{\"x\":[1,2]}}", 1);
	put(f, 7, "n", "ten", "{\"v\":10,\"s\":\"b\",\"ok\":true}", 2);
	put(f, 7, "n", "text", "{\"v\":\"5\",\"s\":\"c\",\"nil\":null}", 3);
	CHECK_STR(search(f, 7, "n", "{}", NULL, 10, 0), "text,ten,one");
	CHECK_STR(search(f, 7, "n", "{\"v\":1}", NULL, 10, 0), "one");
	CHECK_STR(search(f, 7, "n", "{\"v\":1.0}", NULL, 10, 0), "one");
	CHECK_STR(search(f, 7, "n", "{\"v\":\"5\"}", NULL, 10, 0), "text");
	CHECK_STR(search(f, 7, "n", "{\"v\":{\"$gt\":1}}", NULL, 10, 0), "ten");
	CHECK_STR(search(f, 7, "n", "{\"v\":{\"$gte\":1,\"$lt\":10}}", NULL, 10, 0),
	    "one");
	CHECK_STR(search(f, 7, "n", "{\"v\":{\"$lte\":\"6\"}}", NULL, 10, 0), "text");
	CHECK_STR(search(f, 7, "n", "{\"s\":{\"$gt\":\"a\"},\"v\":{\"$eq\":10}}",
	    NULL, 10, 0), "ten");
	CHECK_STR(search(f, 7, "n", "{\"ok\":{\"$ne\":true}}", NULL, 10, 0),
	    "text,one");
	CHECK_STR(search(f, 7, "n", "{\"t\":{\"x\":[1,2]}}", NULL, 10, 0), "one");
	CHECK_STR(search(f, 7, "n", "{\"t\":{\"x\":[2,1]}}", NULL, 10, 0), "");
	CHECK_STR(search(f, 7, "n", "{\"nil\":null}", NULL, 10, 0), "text");
	CHECK_STR(search(f, 7, "n", "{\"s\":{\"$gte\":\"a\"}}", NULL, 1, 1), "ten");
}

CONTRACT(search_refuses_a_bad_filter)
{
	struct store_item_search s = { .limit = 1 };

	s.filter_json = S("{\"v\":{\"$regex\":\"x\"}}");
	CHECK_RC(fix_do(f, &s, STORE_ITEM_SEARCH, 7), ERR_INVALID);
	CHECK(str_contains(str_of(s.cmd.err.text), S("filter.v")));
	s.filter_json = S("[]");
	CHECK_RC(fix_do(f, &s, STORE_ITEM_SEARCH, 7), ERR_INVALID);
	s.filter_json = S("{");
	CHECK_RC(fix_do(f, &s, STORE_ITEM_SEARCH, 7), ERR_SYNTAX);
}

/* Goal: every word must occur, in any case and order, quotes included. */
CONTRACT(search_by_words)
{
	put(f, 7, "n", "a", "{\"text\":\"The Quick brown fox\"}", 1);
	put(f, 7, "n", "b", "{\"text\":\"a quick \\\"dog\\\"\"}", 2);
	CHECK_STR(search(f, 7, "n", NULL, "QUICK", 10, 0), "b,a");
	CHECK_STR(search(f, 7, "n", NULL, " fox  quick ", 10, 0), "a");
	CHECK_STR(search(f, 7, "n", NULL, "\"dog\"", 10, 0), "b");
	CHECK_STR(search(f, 7, "n", NULL, "cat", 10, 0), "");
	CHECK_STR(search(f, 7, "n", "{\"text\":{\"$gt\":\"b\"}}", "quick", 10, 0), "");
}
