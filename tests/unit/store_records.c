/*
 * store_records.c - the contract of owners, assistants, threads and items.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

/* Goal: one subject, one number, the same after a restart. */
CONTRACT(owner_is_interned_once)
{
	struct store_owner_intern a = { .subject = S("ann") }, b = a;
	struct store_owner_intern c = { .subject = S("bob") };
	owner_t found;

	CHECK_RC(store_owner_find(f->r, S("ann"), &found), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &a, STORE_OWNER_INTERN, 0), OK);
	CHECK_RC(fix_do(f, &b, STORE_OWNER_INTERN, 0), OK);
	CHECK_RC(fix_do(f, &c, STORE_OWNER_INTERN, 0), OK);
	CHECK(a.id > 0);
	CHECK_INT(a.id, b.id);
	CHECK(c.id != a.id);
	CHECK_RC(store_owner_find(f->r, S("ann"), &found), OK);
	CHECK_INT(found, a.id);
}

/* Goal: what was created is read back whole, a null description as null. */
CONTRACT(assistant_create_and_get)
{
	struct store_assistant_create c = assistant_new(1);
	struct store_assistant got;

	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	CHECK_INT(c.a.version, 1);
	CHECK_RC(store_assistant_get(f->r, 7, &c.a.id, &f->a, &got), OK);
	CHECK(uuid_eq(&got.id, &c.a.id));
	CHECK_STR(got.graph_id, "agent");
	CHECK_STR(got.name, "Ann");
	CHECK(got.description.p == NULL);
	CHECK_STR(got.config_json, "{\"tags\":[1]}");
	CHECK_STR(got.context_json, "{}");
	CHECK_STR(got.metadata_json, "{\"k\":1}");
	CHECK_INT(got.version, 1);
	CHECK_INT(got.created, 2001);
	CHECK_RC(store_assistant_get(f->r, 8, &c.a.id, &f->a, &got), ERR_NOTFOUND);
}

CONTRACT(assistant_create_twice)
{
	struct store_assistant_create c = assistant_new(1), again = assistant_new(1);
	struct store_assistant_create other = assistant_new(1);

	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &again, STORE_ASSISTANT_CREATE, 7), ERR_CONFLICT);
	again.do_nothing = true;
	again.a.name = S("Bob");
	CHECK_RC(fix_do(f, &again, STORE_ASSISTANT_CREATE, 7), OK);
	CHECK_STR(again.a.name, "Ann");
	/* Another owner learns only that the id is taken. */
	other.do_nothing = true;
	CHECK_RC(fix_do(f, &other, STORE_ASSISTANT_CREATE, 8), ERR_CONFLICT);
}

/* Goal: every update is a version; what is not given stays; metadata merges. */
CONTRACT(assistant_update_makes_versions)
{
	struct store_assistant_create c = assistant_new(1);
	struct store_assistant_update u = { .now = 5000 }, empty = { .now = 6000 };
	struct store_assistant got;

	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	u.a.id = empty.a.id = c.a.id;
	u.a.description = S("");
	u.a.config_json = S("{\"new\":true}");
	u.a.metadata_json = S("{\"j\":2}");
	CHECK_RC(fix_do(f, &u, STORE_ASSISTANT_UPDATE, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &u, STORE_ASSISTANT_UPDATE, 7), OK);
	CHECK_INT(u.a.version, 2);
	CHECK_STR(u.a.name, "Ann");
	CHECK_RC(fix_do(f, &empty, STORE_ASSISTANT_UPDATE, 7), OK);
	CHECK_INT(empty.a.version, 3);
	CHECK_RC(store_assistant_get(f->r, 7, &c.a.id, &f->a, &got), OK);
	CHECK_INT(got.version, 3);
	CHECK(got.description.p != NULL && got.description.n == 0);
	CHECK_STR(got.config_json, "{\"new\":true}");
	CHECK_STR(got.metadata_json, "{\"k\":1,\"j\":2}");
	CHECK_INT(got.created, 2001);
	CHECK_INT(got.updated, 6000);
	CHECK_INT(count_rows(f, "assistant_version"), 3);
}

/* Goal: everyone sees a system assistant; only owner 0 can change it. */
CONTRACT(assistant_of_the_system)
{
	struct store_assistant_create c = assistant_new(1), seen = assistant_new(1);
	struct store_assistant_update u = { .a.id = id_of(ID_ASSISTANT, 1) };
	struct store_assistant_delete d = { .id = id_of(ID_ASSISTANT, 1) };
	struct store_assistant got;

	c.system = true;
	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 0), OK);
	CHECK_RC(store_assistant_get(f->r, 7, &c.a.id, &f->a, &got), OK);
	seen.do_nothing = true;
	CHECK_RC(fix_do(f, &seen, STORE_ASSISTANT_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &u, STORE_ASSISTANT_UPDATE, 7), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &u, STORE_ASSISTANT_UPDATE, 0), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 0), OK);
	CHECK_RC(store_assistant_get(f->r, 0, &c.a.id, &f->a, &got), ERR_NOTFOUND);
}

/* Goal: an ordinary assistant of owner 0 is not everybody's. */
CONTRACT(assistant_of_owner_zero_is_private)
{
	struct store_assistant_create c = assistant_new(1);
	struct store_assistant got;

	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 0), OK);
	CHECK_RC(store_assistant_get(f->r, 1, &c.a.id, &f->a, &got), ERR_NOTFOUND);
}

CONTRACT(assistant_delete)
{
	struct store_assistant_create c = assistant_new(1), again = assistant_new(1);
	struct store_assistant_delete d = { .id = c.a.id };

	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), ERR_NOTFOUND);
	CHECK_INT(count_rows(f, "assistant"), 0);
	CHECK_INT(count_rows(f, "assistant_version"), 0);
	CHECK_RC(fix_do(f, &again, STORE_ASSISTANT_CREATE, 8), OK);
}

/* Goal: a run that was on its way when its assistant was deleted does not begin, and leaves
 * nothing. */
CONTRACT(assistant_delete_before_a_run_of_it_begins)
{
	struct store_assistant_create c = assistant_new(1);
	struct store_assistant_delete d = { .id = c.a.id };
	struct store_run_create r[2] = { run_new(1, 1), run_new(2, 2) };

	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	for (int i = 0; i < 2; i++) {
		r[i].run.assistant_id = c.a.id;
		r[i].create_thread = r[i].of_assistant = true;
	}
	CHECK_RC(fix_do(f, &r[0], STORE_RUN_CREATE, 7), OK);
	CHECK_RC(finish_run(f, 7, &r[0].run, NULL, 0), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK_RC(fix_do(f, &r[1], STORE_RUN_CREATE, 7), ERR_NOTFOUND);
	CHECK(strstr(r[1].cmd.err.text, "it was deleted") != NULL);
	CHECK_INT(count_rows(f, "thread"), 1);
	CHECK_INT(count_rows(f, "run"), 1);
}

/* Goal: its threads go with it, those of others and of other owners stay, and
 * nothing goes while one of them is at work. */
CONTRACT(assistant_delete_with_threads)
{
	struct store_assistant_create c = assistant_new(1);
	struct store_assistant_delete d = { .id = c.a.id, .threads = true };
	struct store_thread_create named = thread_new(3), plain = thread_new(4);
	struct uuid id = id_of(ID_THREAD, 1), foreign = id_of(ID_THREAD, 2);
	struct store_run run, theirs;
	struct store_thread got;
	char text[UUID_TEXT];

	uuid_format(&c.a.id, text);
	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	run = start_run(f, 7, 1, 1);
	theirs = start_run(f, 8, 2, 2);
	named.t.metadata_json = arena_fmt(&f->a, "{\"assistant_id\":\"%.*s\"}",
	    UUID_TEXT, text);
	CHECK_RC(fix_do(f, &named, STORE_THREAD_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &plain, STORE_THREAD_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK(d.busy && d.gone_n == 0);
	CHECK_RC(store_thread_get(f->r, 7, &named.t.id, &f->a, &got), OK);
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK(!d.busy && !d.more);
	CHECK_INT(d.gone_n, 2);
	CHECK_RC(store_thread_get(f->r, 7, &id, &f->a, &got), ERR_NOTFOUND);
	CHECK_RC(store_thread_get(f->r, 7, &named.t.id, &f->a, &got), ERR_NOTFOUND);
	CHECK_RC(store_thread_get(f->r, 7, &plain.t.id, &f->a, &got), OK);
	CHECK_RC(store_thread_get(f->r, 8, &foreign, &f->a, &got), OK);
	CHECK_RC(finish_run(f, 8, &theirs, NULL, 0), OK);
}

/* Goal: however many threads an assistant has, each command takes a bounded part, and
 * the assistant is there until the last one. */
CONTRACT(assistant_delete_with_many_threads)
{
	struct store_assistant_create c = assistant_new(1);
	struct store_assistant_delete d = { .id = c.a.id, .threads = true };
	struct store_assistant got;
	size_t gone = 0, commands = 0;
	char text[UUID_TEXT];

	uuid_format(&c.a.id, text);
	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	for (unsigned n = 1; n <= 250; n++) {
		struct store_thread_create t = thread_new(n);

		t.t.metadata_json = arena_fmt(&f->a, "{\"assistant_id\":\"%.*s\"}",
		    UUID_TEXT, text);
		CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, 7), OK);
	}
	do {
		CHECK_RC(store_assistant_get(f->r, 7, &c.a.id, &f->a, &got), OK);
		CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), OK);
		gone += d.gone_n;
		commands++;
	} while (d.more);
	CHECK_INT(gone, 250);
	CHECK_INT(commands, 3);
	CHECK_RC(store_assistant_get(f->r, 7, &c.a.id, &f->a, &got), ERR_NOTFOUND);
}

/* Goal: a thread that the assistant has is not taken from under another's run. */
CONTRACT(assistant_delete_waits_for_others)
{
	struct store_assistant_create c = assistant_new(1);
	struct store_assistant_delete d = { .id = c.a.id, .threads = true };
	struct store_run_create other = run_new(1, 1), own = run_new(1, 2);
	struct store_run_cancel cancel = { .run_id = own.run.id };
	struct store_thread got;

	other.create_thread = true;
	other.run.assistant_id = id_of(ID_ASSISTANT, 2);
	CHECK_RC(fix_do(f, &c, STORE_ASSISTANT_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &other, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &own, STORE_RUN_CREATE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK(d.busy);
	CHECK_RC(fix_do(f, &cancel, STORE_RUN_CANCEL, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), ERR_CONFLICT);
	CHECK_RC(finish_run(f, 7, &other.run, NULL, 0), OK);
	CHECK_RC(fix_do(f, &d, STORE_ASSISTANT_DELETE, 7), OK);
	CHECK_RC(store_thread_get(f->r, 7, &other.run.thread_id, &f->a, &got), ERR_NOTFOUND);
}

CONTRACT(thread_create_and_get)
{
	struct store_thread_create c = thread_new(1), again = thread_new(1);
	struct store_thread got;

	c.t.metadata_json = S("{\"a\":1}");
	CHECK_RC(fix_do(f, &c, STORE_THREAD_CREATE, 7), OK);
	CHECK(c.t.seq > 0);
	CHECK_RC(store_thread_get(f->r, 7, &c.t.id, &f->a, &got), OK);
	CHECK_INT(got.seq, c.t.seq);
	CHECK_INT(got.status, THREAD_IDLE);
	CHECK_INT(got.checkpoint, 0);
	CHECK_STR(got.metadata_json, "{\"a\":1}");
	CHECK_INT(got.error_json.n, 0);
	CHECK_INT(got.created, 1001);
	CHECK_RC(store_thread_get(f->r, 8, &c.t.id, &f->a, &got), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &again, STORE_THREAD_CREATE, 7), ERR_CONFLICT);
	again.do_nothing = true;
	CHECK_RC(fix_do(f, &again, STORE_THREAD_CREATE, 8), ERR_CONFLICT);
	CHECK_RC(fix_do(f, &again, STORE_THREAD_CREATE, 7), OK);
	CHECK_STR(again.t.metadata_json, "{\"a\":1}");
	CHECK_INT(again.t.seq, c.t.seq);
}

/* Goal: a deleted thread leaves no row behind, and its id is free again. */
CONTRACT(thread_delete_takes_everything)
{
	struct str m[] = { S("\"one\""), S("\"two\"") };
	struct step s[] = {
		step_new(1, -1, 0, NULL, 0), step_new(2, 0, 0, m, 2)
	};
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_stream_append block = { .run_seq = run.seq, .first_id = 0,
	    .last_id = 3, .bytes = S("x") };
	struct store_record record = { id_of(ID_RUN, 50), S("c1"), S("t"), STR_NONE };
	struct store_run_save call = { .run_seq = run.seq, .thread_seq = run.thread_seq,
	    .changes = { .records = &record, .records_n = 1 } };
	static const char *const tables[] = {
		"thread", "run", "checkpoint", "entry", "stream", "record"
	};
	struct store_thread_create again = thread_new(1);

	CHECK_RC(fix_do(f, &block, STORE_STREAM_APPEND, 7), OK);
	CHECK_RC(fix_do(f, &call, STORE_RUN_SAVE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), ERR_CONFLICT);
	CHECK_RC(finish_run(f, 7, &run, s, 2), OK);
	for (size_t i = 0; i < COUNT(tables); i++)
		CHECK(count_rows(f, tables[i]) > 0);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 8), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	for (size_t i = 0; i < COUNT(tables); i++)
		CHECK_INT(count_rows(f, tables[i]), 0);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &again, STORE_THREAD_CREATE, 8), OK);
}

/* Goal: a small delete is one commit, like any other command. */
CONTRACT(thread_delete_costs_one_commit)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_stats before, after;

	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	store_stats(f->st, &before);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	fix_reopen(f);                       /* whatever was left to do is done */
	store_stats(f->st, &after);
	CHECK_INT(before.commits, 2);
	CHECK_INT(after.commits, 0);
}

/* Goal: a thread of thousands of rows disappears at once, its rows go later
 * and in pieces, its id is free meanwhile. */
CONTRACT(thread_delete_large)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_thread_delete d = { .id = id_of(ID_THREAD, 1) };
	struct store_thread_create again = thread_new(1);
	struct step *s = calloc(1000, sizeof *s);
	struct str m = S("\"m\"");
	struct store_thread got;
	struct store_stats stats;

	for (unsigned i = 0; i < 1000; i++)
		s[i] = step_new(i + 1, (int)i, i % 4 == 0 ? 0 : i % 4, &m, 1);
	CHECK_RC(finish_run(f, 7, &run, s, 1000), OK);
	CHECK_INT(count_rows(f, "entry"), 250);
	CHECK_RC(fix_do(f, &d, STORE_THREAD_DELETE, 7), OK);
	CHECK_RC(store_thread_get(f->r, 7, &d.id, &f->a, &got), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &again, STORE_THREAD_CREATE, 7), OK);
	while (count_rows(f, "thread") > 1)
		CHECK_RC(store_check(f->st, &f->e), OK);   /* the writer is at it */
	CHECK_INT(count_rows(f, "checkpoint"), 0);
	CHECK_INT(count_rows(f, "entry"), 0);
	CHECK_INT(count_rows(f, "run"), 0);
	CHECK_RC(store_thread_get(f->r, 7, &d.id, &f->a, &got), OK);
	store_stats(f->st, &stats);
	CHECK(stats.commits >= 5);           /* four commands, and the pieces */
	free(s);
}

/* Goal: put replaces the value and keeps `created`; get and delete are the
 * owner's alone; delete of nothing is fine. */
CONTRACT(item_put_get_delete)
{
	struct store_item_put p = { .item = { .ns = S("a.b"), .key = S("k"),
	    .value_json = S("{\"v\":1}"), .created = 10, .updated = 10 } };
	struct store_item_put q = p;
	struct store_item_delete d = { .ns = S("a.b"), .key = S("k") };
	struct store_item got;

	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, 7), OK);
	q.item.value_json = S("{\"v\":2}");
	q.item.created = q.item.updated = 20;
	CHECK_RC(fix_do(f, &q, STORE_ITEM_PUT, 7), OK);
	CHECK_RC(store_item_get(f->r, 7, S("a.b"), S("k"), 0, &f->a, &got), OK);
	CHECK_STR(got.value_json, "{\"v\":2}");
	CHECK_STR(got.ns, "a.b");
	CHECK_INT(got.created, 10);
	CHECK_INT(got.updated, 20);
	CHECK_RC(store_item_get(f->r, 8, S("a.b"), S("k"), 0, &f->a, &got), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &d, STORE_ITEM_DELETE, 8), OK);
	CHECK_RC(store_item_get(f->r, 7, S("a.b"), S("k"), 0, &f->a, &got), OK);
	CHECK_RC(fix_do(f, &d, STORE_ITEM_DELETE, 7), OK);
	CHECK_RC(fix_do(f, &d, STORE_ITEM_DELETE, 7), OK);
	CHECK_RC(store_item_get(f->r, 7, S("a.b"), S("k"), 0, &f->a, &got), ERR_NOTFOUND);
}
