/*
 * store_migrate.c - files of versions 3 and 6 become ones of today, and go on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

#include "store/mail.h"

static struct uuid
uuid_of(const char *text)
{
	struct uuid id = { { 0 } };

	CHECK(uuid_parse(str_of(text), &id));
	return id;
}

static void
old_file_of(struct fix *f, const char *made, int version)
{
	struct db db;
	char mark[96];

	memset(f, 0, sizeof *f);
	snprintf(mark, sizeof mark, "PRAGMA application_id = %d;"
	    "PRAGMA user_version = %d", STORE_APP, version);
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f->e), OK);
	if (db_exec(&db, made, &f->e) != OK || db_exec(&db, mark, &f->e) != OK)
		test_fail(__FILE__, __LINE__, "%s", f->e.text);
	db_close(&db);
	fix_open(f, "sqlite");
}

static void
old_file(struct fix *f)
{
	old_file_of(f, store_v3, 3);
}

static struct store_history
whole(struct fix *f, int64_t thread)
{
	struct store_history h = { .thread_seq = thread, .limit = 100, .whole = true };

	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 0), OK);
	return h;
}

/* Goal: every state shows what it showed, with its place and its task's id. */
TEST(old_states)
{
	static const struct { int step; const char *next; size_t messages, wrote; } want[] = {
		{ 6, "", 6, 1 }, { 5, "agent", 5, 5 }, { 4, "__start__", 5, 0 },
		{ 3, "", 5, 1 }, { 2, "agent", 4, 2 }, { 1, "tools", 2, 1 },
		{ 0, "agent", 1, 1 }, { -1, "__start__", 0, 0 },
	};
	struct store_history h;
	struct store_thread t;
	struct uuid id = uuid_of("11111111-0000-4000-8000-000000000001");
	struct uuid task = uuid_of("37e6aecb-0a8f-5c1d-a201-ee305e64b272");
	struct fix f;

	old_file(&f);
	CHECK_RC(store_thread_get(f.r, 0, &id, &f.a, &t), OK);
	CHECK(t.state_updated > 0);
	h = whole(&f, t.seq);
	CHECK_INT(h.states_n, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		const struct store_state *s = &h.states[i];
		const struct store_channel *m = state_channel(s, S("messages"));

		CHECK_INT(s->c.step, want[i].step);
		CHECK_STR(s->c.next, want[i].next);
		CHECK_INT(m == NULL ? 0 : m->entries_n, want[i].messages);
		CHECK_INT(s->c.snapshot.n, 0);
		CHECK_INT(s->c.source, want[i].wrote > 0 ? SOURCE_LOOP : SOURCE_INPUT);
		CHECK((s->c.wrote_json.n > 0) == (want[i].wrote > 0));
		CHECK(s->c.base_json.n > 2);
	}
	/* The edited message is another one before and after. */
	CHECK(str_contains(state_channel(&h.states[3], S("messages"))->entries[0],
	    S("please remember")));
	CHECK(str_contains(state_channel(&h.states[0], S("messages"))->entries[0],
	    S("\"hi\"")));
	CHECK(uuid_eq(&h.states[5].c.task_id, &task));
	CHECK(h.states[5].child == &h.states[4]);
	CHECK_STR(h.states[4].c.wrote_json, "{\"messages\":[2,4]}");
	fix_close(&f);
}

/* Goal: the failure of a task, the journal and a run's stream come along. */
TEST(old_tasks)
{
	struct uuid thread = uuid_of("11111111-0000-4000-8000-000000000002"), task;
	struct store_record *r;
	struct store_thread t;
	struct store_state s;
	struct str *blocks;
	int64_t last;
	size_t n;
	struct fix f;

	old_file(&f);
	CHECK_RC(store_thread_get(f.r, 0, &thread, &f.a, &t), OK);
	CHECK_RC(store_state_get(f.r, 0, t.seq, S(""), &(struct uuid){ { 0 } },
	    STATE_ALL, &f.a, &s), OK);
	CHECK_INT(s.writes_n, 1);
	CHECK_INT(s.writes[0].idx, WRITE_ERROR);
	CHECK(str_contains(s.writes[0].body, S("the model broke")));
	task = uuid_of("37e6aecb-0a8f-5c1d-a201-ee305e64b272");
	CHECK_RC(store_records_get(f.r, 0, 1, &task, &f.a, &r, &n), OK);
	CHECK_INT(n, 1);
	CHECK_STR(r[0].key, "call_a");
	CHECK_STR(r[0].result, "{\"content\":\"sent\"}");
	/* What was under way is kept, though its checkpoint is not there. */
	task = task_of_step(4, 9);
	CHECK_RC(store_records_get(f.r, 0, 3, &task, &f.a, &r, &n), OK);
	CHECK_INT(n, 1);
	CHECK(r[0].result.p == NULL);
	CHECK_INT(count_rows(&f, "record"), 3);
	CHECK_RC(store_stream_get(f.r, 0, 2, -1, MB, &f.a, &blocks, &n, &last), OK);
	CHECK_INT(n, 1);
	CHECK_INT(last, 2);
	fix_close(&f);
}

/* Goal: a thread of before goes on: at the end of its list, and from an old state. */
TEST(old_threads_go_on)
{
	struct store_history h;
	struct str more = S("{\"type\":\"human\",\"content\":\"more\"}");
	struct store_channel_change x = { .name = S("messages"), .kind = STORE_LIST,
	    .keep = 6, .entries = &more, .entries_n = 1 };
	struct store_checkpoint_put p = { .id = uuid_v6(7), .step = 7,
	    .source = SOURCE_UPDATE, .created = 1, .channels = &x, .channels_n = 1 };
	struct store_state_update u = { .thread_id =
	    uuid_of("11111111-0000-4000-8000-000000000001"), .status = -1, .now = 2,
	    .changes = { .checkpoints = &p, .checkpoints_n = 1 } };
	struct store_thread_delete d = { .id = u.thread_id };
	struct fix f;

	old_file(&f);
	h = whole(&f, 1);
	u.head = h.states[0].c.id;
	CHECK_RC(fix_do(&f, &u, STORE_STATE_UPDATE, 0), OK);
	u.head = p.id;
	p.id = uuid_v6(8);
	p.parent = h.states[5].c.id;
	x.keep = 2;
	CHECK_RC(fix_do(&f, &u, STORE_STATE_UPDATE, 0), OK);
	h = whole(&f, 1);
	CHECK_INT(state_channel(&h.states[0], S("messages"))->entries_n, 3);
	CHECK_INT(state_channel(&h.states[1], S("messages"))->entries_n, 7);
	CHECK_INT(state_channel(&h.states[5], S("messages"))->entries_n, 5);
	check_consistent(&f);
	CHECK_RC(fix_do(&f, &d, STORE_THREAD_DELETE, 0), OK);
	CHECK_INT(count_rows(&f, "checkpoint WHERE thread = 1"), 0);
	fix_close(&f);
}

static void
pending(void *ctx, owner_t owner, int64_t thread_seq, const struct uuid *thread)
{
	(void)owner, (void)thread_seq, (void)thread;
	++*(int *)ctx;
}

static void
count_letter(void *ctx, const struct store_letter *l)
{
	(void)l;
	++*(int *)ctx;
}

/* Goal: what waited in a file of version 6 waits, what was said is there, and the file
 * takes messages between agents. */
TEST(old_file_takes_messages)
{
	struct uuid id = uuid_of("22222222-0000-4000-8000-000000000001");
	struct store_mail m = { .id = id_of(ID_RUN, 9), .to = &id, .to_n = 1,
	    .packed = S("x"), .created = 1 };
	struct store_mail_put put = { .mails = &m, .mails_n = 1 };
	struct store_transcript x = { .thread_id = id, .max_bytes = MB };
	struct store_usage_get u = { .to = INT64_MAX, .limit = 10 };
	struct store_interrupt_search asks = { .limit = 10 };
	struct store_due *due;
	struct store_thread t;
	int n = 0;
	size_t found;
	struct fix f;

	old_file_of(&f, store_v6, 6);
	CHECK_RC(store_thread_get(f.r, 0, &id, &f.a, &t), OK);
	CHECK_INT(state_channel(&whole(&f, t.seq).states[0], S("messages"))->entries_n, 2);
	CHECK_RC(fix_do(&f, &x, STORE_TRANSCRIPT, 0), OK);
	CHECK(x.rows_n > 0);
	CHECK_RC(fix_do(&f, &u, STORE_USAGE_GET, 0), OK);
	CHECK_INT(u.total.calls, 1);
	CHECK_RC(fix_do(&f, &asks, STORE_INTERRUPT_SEARCH, 0), OK);
	CHECK_INT(asks.found_n, 1);
	CHECK_RC(store_recover(f.st, f.shard, 1, pending, &n, &f.e), OK);
	CHECK_INT(n, 0);                     /* the one that is parked stays so */
	CHECK_RC(store_due_get(f.r, INT64_MAX, 10, &f.a, &due, &found), OK);
	CHECK_INT(found, 1);
	CHECK_RC(fix_do(&f, &put, STORE_MAIL_PUT, 0), OK);
	fix_reopen(&f);
	CHECK_RC(store_letters_each(f.r, count_letter, &n), OK);
	CHECK_INT(n, 1);
	fix_close(&f);
}
