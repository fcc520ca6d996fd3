/*
 * store_state.c - the contract of states: channels, tasks, namespaces, forks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <string.h>

#define NODE "a:11111111-1111-4111-8111-111111111111"

static const char *const task_text[] = {
	"11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
};

static struct uuid
task_id(unsigned i)
{
	struct uuid id = { { 0 } };

	CHECK(uuid_parse(str_of(task_text[i]), &id));
	return id;
}

static int
save(struct fix *f, const struct store_run *run, struct store_changes changes)
{
	struct store_run_save c = { .run_seq = run->seq,
	    .thread_seq = run->thread_seq, .changes = changes };

	return fix_do(f, &c, STORE_RUN_SAVE, 7);
}

static int
put(struct fix *f, const struct store_run *run, const struct store_checkpoint_put *p)
{
	return save(f, run, (struct store_changes){ .checkpoints = p,
	    .checkpoints_n = 1 });
}

static struct store_checkpoint_put
checkpoint(unsigned n, const struct store_channel_change *x, size_t channels)
{
	return (struct store_checkpoint_put){ .id = id_of(ID_CHECKPOINT, n),
	    .step = (int)n, .source = SOURCE_LOOP, .created = 4000 + n,
	    .channels = x, .channels_n = channels };
}

static struct store_channel_change
value(const char *name, const char *body)
{
	return (struct store_channel_change){ .name = str_of(name),
	    .kind = STORE_VALUE, .type = S("json"), .body = str_of(body) };
}

static struct store_channel_change
list(const char *name, uint32_t keep, const struct str *entries, size_t n)
{
	return (struct store_channel_change){ .name = str_of(name),
	    .kind = STORE_LIST, .keep = keep, .entries = entries, .entries_n = n };
}

static struct store_state
state(struct fix *f, int64_t thread, const char *ns, unsigned n)
{
	struct store_state s;
	struct uuid id = { { 0 } };

	if (n > 0)
		id = id_of(ID_CHECKPOINT, n);
	CHECK_RC(store_state_get(f->r, 7, thread, str_of(ns), &id, STATE_ALL, &f->a,
	    &s), OK);
	return s;
}

/* The state as text: "name=value" of each channel, entries of a list in a row. */
static const char *
text(struct fix *f, const struct store_state *s)
{
	struct buf b = BUF(4096);
	const char *out;

	for (size_t i = 0; i < s->channels_n; i++) {
		const struct store_channel *c = &s->channels[i];

		buf_add_fmt(&b, "%s%.*s=", i > 0 ? " " : "", FMT(c->name));
		buf_add(&b, c->body);
		for (size_t j = 0; j < c->entries_n; j++)
			buf_add(&b, c->entries[j]);
	}
	out = arena_str(&f->a, buf_str(&b)).p;
	buf_release(&b);
	return out == NULL ? "" : out;
}

static bool
shows(struct fix *f, int64_t thread, unsigned n, const char *want)
{
	struct store_state s = state(f, thread, "", n);

	if (strcmp(text(f, &s), want) != 0)
		printf("checkpoint %u: %s\n", n, text(f, &s));
	return strcmp(text(f, &s), want) == 0;
}

static const struct str letters[] = { { "a", 1 }, { "b", 1 }, { "c", 1 },
    { "d", 1 }, { "e", 1 } };

/* Goal: a step writes what it changes, each state shows all, and a version is
 * never that of another value. */
CONTRACT(state_channels)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_channel_change one[] = { list("m", 0, letters, 2),
	    value("x", "1"), value("q\"\\", "\x01\xff") };
	struct store_channel_change two[] = { value("x", "2"),
	    list("m", 2, letters + 2, 1), { .name = S("q\"\\"), .kind = STORE_GONE } };
	struct store_checkpoint_put p[] = { checkpoint(1, one, 3), checkpoint(2, two, 3),
	    checkpoint(3, NULL, 0) };
	struct store_state s, t;

	p[1].wrote_json = S("{\"m\":[2,3]}");
	p[2].extra_json = S("{\"parents\":{}}");
	p[2].snapshot = S("snap");
	CHECK_RC(save(f, &run, (struct store_changes){ .checkpoints = p,
	    .checkpoints_n = 3 }), OK);
	CHECK(shows(f, run.thread_seq, 1, "m=ab x=1 q\\\"\\\\=\x01\xff"));
	CHECK(shows(f, run.thread_seq, 2, "m=abc x=2"));
	s = state(f, run.thread_seq, "", 0);
	CHECK_STR(str_of(text(f, &s)), "m=abc x=2");
	CHECK_STR(s.c.extra_json, "{\"parents\":{}}");
	CHECK_STR(s.c.snapshot, "snap");
	CHECK(s.child == NULL);
	CHECK_STR(s.channels[1].type, "json");
	CHECK(!s.channels[1].is_list && s.channels[0].is_list);
	t = state(f, run.thread_seq, "", 2);
	CHECK(str_eq(s.channels[0].version, t.channels[0].version));
	CHECK(str_eq(s.channels[1].version, t.channels[1].version));
	CHECK(uuid_eq(&t.c.parent_id, &p[0].id));
	t = state(f, run.thread_seq, "", 1);
	CHECK(!str_eq(s.channels[0].version, t.channels[0].version));
	CHECK(!str_eq(s.channels[1].version, t.channels[1].version));
	CHECK_STR(t.child->c.wrote_json, "{\"m\":[2,3]}");
	CHECK_STR(str_of(text(f, t.child)), "m=abc x=2");
	/* one row of entries for both steps; a row for each value */
	CHECK_INT(count_rows(f, "entry"), 1);
	CHECK_INT(count_rows(f, "channel"), 3);
	CHECK_RC(store_state_get(f->r, 8, run.thread_seq, S(""), &p[0].id, STATE_ALL,
	    &f->a, &t), ERR_NOTFOUND);
}

/* Goal: two lists of one checkpoint do not mix; an empty list is a value. */
CONTRACT(state_lists)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_channel_change one[] = { list("m", 0, letters, 2),
	    list("n", 0, letters + 3, 2), list("none", 0, NULL, 0) };
	struct store_channel_change two[] = { list("n", 1, letters, 1),
	    list("none", 0, letters, 1), list("m", 0, NULL, 0) };
	struct store_channel_change three[] = { value("m", "v"), list("n", 2, NULL, 0) };
	struct store_checkpoint_put p[] = { checkpoint(1, one, 3), checkpoint(2, two, 3),
	    checkpoint(3, three, 2) };

	for (size_t i = 0; i < 3; i++)
		CHECK_RC(put(f, &run, &p[i]), OK);
	CHECK(shows(f, run.thread_seq, 1, "m=ab n=de none="));
	CHECK(shows(f, run.thread_seq, 2, "m= n=da none=a"));
	CHECK(shows(f, run.thread_seq, 3, "m=v n=da none=a"));
}

/* Goal: what cannot be is refused in words, and nothing of it is written. */
CONTRACT(state_refusals)
{
	struct store_run run = start_run(f, 7, 1, 1), other = run;
	struct str *many = calloc(LIMIT_MESSAGES + 1, sizeof *many);
	struct store_channel_change good = value("x", "1"), bad[2];
	struct store_checkpoint_put p[2] = { checkpoint(1, &good, 1),
	    checkpoint(2, bad, 1) };
	struct store_changes both = { .checkpoints = p, .checkpoints_n = 2 };
	struct store_interrupt i = { .id = id_of(0, 1), .task = task_id(0),
	    .ns = S(""), .value_json = S("1"), .checkpoint = id_of(ID_CHECKPOINT, 77) };

	bad[0] = list("m", 1, letters, 1);
	CHECK_RC(save(f, &run, both), ERR_INVALID);
	for (size_t k = 0; k <= LIMIT_MESSAGES; k++)
		many[k] = S("a");
	bad[0] = list("m", 0, many, LIMIT_MESSAGES + 1);
	CHECK_RC(save(f, &run, both), ERR_LIMIT);
	bad[0] = bad[1] = good;
	p[1].channels_n = 2;
	CHECK_RC(save(f, &run, both), ERR_INVALID);
	p[1].channels_n = 1;
	bad[0] = value("", "1");
	CHECK_RC(save(f, &run, both), ERR_INVALID);
	p[1].channels_n = 0;
	p[1].parent = id_of(ID_CHECKPOINT, 99);
	CHECK_RC(save(f, &run, both), ERR_NOTFOUND);
	both.checkpoints_n = 1;
	both.interrupts = &i;
	both.interrupts_n = 1;
	CHECK_RC(save(f, &run, both), ERR_NOTFOUND);
	other.seq += 1;
	CHECK_RC(put(f, &other, p), ERR_NOTFOUND);
	CHECK_INT(count_rows(f, "checkpoint") + count_rows(f, "channel"), 0);
	free(many);
}

/* Goal: pending writes come in the order of (path, task, idx); the first write of
 * an index stays, and the last one below 0. */
CONTRACT(state_writes)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_checkpoint_put p = checkpoint(1, NULL, 0);
	struct store_write w[] = {
		{ task_id(1), 1, S("b"), S("x"), S("json"), S("b1") },
		{ task_id(1), 0, S("b"), S("x"), S("json"), S("b0") },
		{ task_id(0), 0, S("c"), S("x"), S("json"), S("c0") },
		{ task_id(1), 0, S("b"), S("x"), S("json"), S("late") },
		{ task_id(0), WRITE_ERROR, S("c"), S("__error__"), S("json"), S("e1") },
		{ task_id(0), WRITE_ERROR, S("c"), S("__error__"), S("json"), S("e2") },
	};
	static const char *const want[] = { "b0", "b1", "e2", "c0" };
	struct store_state s;

	p.tasks_json = arena_fmt(&f->a, "[{\"id\":\"%s\",\"name\":\"a\"},"
	    "{\"name\":\"b\",\"id\":\"%s\",\"path\":[1,{}]}]", task_text[0], task_text[1]);
	CHECK_RC(put(f, &run, &p), OK);
	CHECK_RC(save(f, &run, (struct store_changes){ .writes = w, .writes_n = 6 }), OK);
	s = state(f, run.thread_seq, "", 0);
	CHECK_INT(s.writes_n, 4);
	for (size_t i = 0; i < 4; i++)
		CHECK_STR(s.writes[i].body, want[i]);
	CHECK_INT(s.writes[2].idx, WRITE_ERROR);
	CHECK_STR(s.writes[2].channel, "__error__");
	CHECK_STR(s.c.task_error, "e2");
	/* A task that begins anew has none. */
	CHECK_RC(save(f, &run, (struct store_changes){ .drop_tasks = &w[0].task,
	    .drop_tasks_n = 1 }), OK);
	s = state(f, run.thread_seq, "", 0);
	CHECK_INT(s.writes_n, 2);
}

/* Goal: a record is started once and done once; its result stays. */
CONTRACT(state_records)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_record r[] = {
		{ task_id(0), S("k1"), S("tool"), STR_NONE },
		{ task_id(0), S("k1"), S("tool"), S("done") },
		{ task_id(0), S("k1"), S("tool"), S("again") },
		{ task_id(0), S("k0"), S("tool"), STR_NONE },
	};
	struct store_record *got;
	struct uuid id = task_id(0);
	size_t n;

	CHECK_RC(save(f, &run, (struct store_changes){ .records = r, .records_n = 4 }),
	    OK);
	CHECK_RC(store_records_get(f->r, 7, run.thread_seq, &id, &f->a, &got, &n), OK);
	CHECK_INT(n, 2);
	CHECK_STR(got[0].key, "k0");
	CHECK(got[0].result.p == NULL);
	CHECK_STR(got[1].result, "done");
	CHECK_RC(store_records_get(f->r, 8, run.thread_seq, &id, &f->a, &got, &n),
	    ERR_NOTFOUND);
}

/* Goal: namespaces have chains and channels of their own, are found below one
 * another, and a place in time is found in each. */
CONTRACT(state_namespaces)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_channel_change x[] = { value("x", "1"), value("x", "2"),
	    value("x", "3"), value("x", "4") };
	struct store_checkpoint_put p[] = { checkpoint(1, &x[0], 1),
	    checkpoint(2, &x[1], 1), checkpoint(3, &x[2], 1), checkpoint(4, &x[3], 1),
	    checkpoint(5, NULL, 0) };
	struct store_history h = { .thread_seq = run.thread_seq, .limit = 10,
	    .whole = true, .ns = S(NODE) };
	struct store_state s;
	struct str *ns;
	struct uuid at = id_of(ID_CHECKPOINT, 3);
	size_t n;

	p[1].ns = p[3].ns = S(NODE);
	p[2].ns = S(NODE "|b");
	CHECK_RC(save(f, &run, (struct store_changes){ .checkpoints = p,
	    .checkpoints_n = 5 }), OK);
	s = state(f, run.thread_seq, NODE, 0);
	CHECK_STR(str_of(text(f, &s)), "x=4");
	CHECK(uuid_eq(&s.c.parent_id, &p[1].id));
	CHECK_STR(s.c.ns, NODE);
	s = state(f, run.thread_seq, "", 0);
	CHECK_STR(str_of(text(f, &s)), "x=1");
	CHECK(uuid_eq(&s.c.id, &p[4].id));
	CHECK_RC(store_namespaces_get(f->r, 7, run.thread_seq, S(""), &f->a, &ns, &n), OK);
	CHECK_INT(n, 2);
	CHECK_STR(ns[1], NODE "|b");
	CHECK_RC(store_namespaces_get(f->r, 7, run.thread_seq, S(NODE), &f->a, &ns, &n),
	    OK);
	CHECK_INT(n, 1);
	CHECK_RC(store_namespaces_get(f->r, 8, run.thread_seq, S(""), &f->a, &ns, &n), OK);
	CHECK_INT(n, 0);
	CHECK_RC(store_state_get(f->r, 7, run.thread_seq, S(NODE), &at, STATE_BEFORE,
	    &f->a, &s), OK);
	CHECK(uuid_eq(&s.c.id, &p[1].id));
	CHECK_RC(store_state_get(f->r, 7, run.thread_seq, S(NODE), &at, STATE_ALL,
	    &f->a, &s), ERR_NOTFOUND);
	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 7), OK);
	CHECK_INT(h.states_n, 2);
	CHECK_STR(str_of(text(f, &h.states[1])), "x=2");
	CHECK(h.states[1].child == &h.states[0] || h.states[1].child == NULL);
}

/* Goal: a fork leaves the other branch alone, whichever way it went on, and both
 * can be read; the thread stands on the newest. */
CONTRACT(state_forks)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_channel_change x[] = { list("m", 0, letters, 1),
	    list("m", 1, letters + 1, 1), list("m", 1, letters + 2, 1),
	    list("m", 2, letters + 3, 1), list("m", 2, letters + 4, 1) };
	struct store_checkpoint_put p[] = { checkpoint(1, &x[0], 1),
	    checkpoint(2, &x[1], 1), checkpoint(3, &x[2], 1), checkpoint(4, &x[3], 1),
	    checkpoint(5, NULL, 0), checkpoint(6, &x[4], 1) };
	struct store_history h = { .thread_seq = run.thread_seq, .limit = 10,
	    .whole = true };

	p[2].parent = p[0].id;               /* a, then c */
	p[4].parent = p[1].id;               /* ab, nothing yet */
	for (size_t i = 0; i < COUNT(p); i++)
		CHECK_RC(put(f, &run, &p[i]), OK);
	CHECK(shows(f, run.thread_seq, 1, "m=a"));
	CHECK(shows(f, run.thread_seq, 2, "m=ab"));
	CHECK(shows(f, run.thread_seq, 3, "m=ac"));
	CHECK(shows(f, run.thread_seq, 4, "m=acd"));
	CHECK(shows(f, run.thread_seq, 5, "m=ab"));
	CHECK(shows(f, run.thread_seq, 0, "m=abe"));
	CHECK_RC(fix_do(f, &h, STORE_HISTORY, 7), OK);
	CHECK_INT(h.states_n, 6);
	CHECK_STR(str_of(text(f, &h.states[2])), "m=acd");
	CHECK(uuid_eq(&h.states[3].c.parent_id, &p[0].id));
	CHECK(h.states[5].channels[0].entries[0].p == h.states[4].channels[0].entries[0].p);
	/* a | b | c | d | e: no entry is there twice */
	CHECK_INT(count_rows(f, "entry"), 5);
}

/* Goal: many edits, each at another place, cost what they change, and every state
 * is as it was. */
CONTRACT(state_edits)
{
	struct store_run run = start_run(f, 7, 1, 1);
	char want[32][40] = { 0 };
	unsigned n = 32;

	for (unsigned i = 0; i < n; i++) {
		uint32_t keep = i == 0 ? 0 : i - (i % 3 == 2 ? 2 : 1);
		struct store_channel_change x = list("m", keep, letters + i % 3, 2);
		struct store_checkpoint_put p = checkpoint(i + 1, &x, 1);

		if (i > 0)
			memcpy(want[i], want[i - 1], sizeof want[i]);
		if (strlen(want[i]) < keep)
			x.keep = keep = (uint32_t)strlen(want[i]);
		want[i][keep] = "abc"[i % 3];
		want[i][keep + 1] = "bcd"[i % 3];
		want[i][keep + 2] = '\0';
		CHECK_RC(put(f, &run, &p), OK);
	}
	for (unsigned i = 0; i < n; i++)
		CHECK(shows(f, run.thread_seq, i + 1, arena_fmt(&f->a, "m=%s", want[i]).p));
	CHECK(count_rows(f, "list WHERE depth > 8") == 0);
	CHECK(count_rows(f, "list WHERE depth = 8") > 0);
}

/* Goal: an update needs the head it was made for, and an idle thread. */
CONTRACT(state_update)
{
	struct store_run run = start_run(f, 7, 1, 1);
	struct store_channel_change x = value("x", "1"), y = value("x", "2");
	struct store_checkpoint_put p = checkpoint(1, &x, 1), q = checkpoint(2, &y, 1);
	struct store_state_update u = { .thread_id = run.thread_id, .head = p.id,
	    .changes = { .checkpoints = &q, .checkpoints_n = 1 }, .status = -1,
	    .now = 5000 };

	CHECK_RC(put(f, &run, &p), OK);
	CHECK_RC(fix_do(f, &u, STORE_STATE_UPDATE, 7), ERR_CONFLICT);
	CHECK_STR(str_of(u.cmd.err.text), "Thread is busy");
	CHECK_RC(finish_run(f, 7, &run, NULL, 0), OK);
	CHECK_RC(fix_do(f, &u, STORE_STATE_UPDATE, 8), ERR_NOTFOUND);
	u.head = id_of(ID_CHECKPOINT, 9);
	CHECK_RC(fix_do(f, &u, STORE_STATE_UPDATE, 7), ERR_CONFLICT);
	u.head = p.id;
	u.status = THREAD_INTERRUPTED;
	CHECK_RC(fix_do(f, &u, STORE_STATE_UPDATE, 7), OK);
	CHECK_INT(u.t.status, THREAD_INTERRUPTED);
	CHECK_INT(u.t.state_updated, 4002);
	CHECK(shows(f, run.thread_seq, 0, "x=2"));
	CHECK_RC(fix_do(f, &u, STORE_STATE_UPDATE, 7), ERR_CONFLICT);
}

/* Goal: a thread may begin with a history. */
CONTRACT(thread_with_history)
{
	struct store_channel_change x = value("x", "1"), y = list("m", 0, letters, 2);
	struct store_checkpoint_put p[] = { checkpoint(1, &x, 1), checkpoint(2, &y, 1) };
	struct store_changes changes = { .checkpoints = p, .checkpoints_n = 2 };
	struct store_thread_create t = thread_new(1);
	struct store_storage s = { .thread_id = t.t.id };

	t.changes = &changes;
	CHECK_RC(fix_do(f, &t, STORE_THREAD_CREATE, 7), OK);
	CHECK(t.t.checkpoint > 0);
	CHECK(shows(f, t.t.seq, 0, "x=1 m=ab"));
	CHECK_RC(fix_do(f, &s, STORE_STORAGE, 7), OK);
	CHECK(s.section[STORE_OF_CHECKPOINTS].rows == 2 && s.section[STORE_OF_VALUES].rows == 2);
	CHECK(s.section[STORE_OF_WRITES].rows == 0 && s.section[STORE_OF_RUNS].bytes == 0);
	CHECK(s.channels_n == 2 && str_eq(s.channels[0].name, S("m")) &&
	    str_eq(s.channels[1].name, S("x")) && s.channels[1].size.rows == 1);
	CHECK_INT(s.channels[0].size.bytes + s.channels[1].size.bytes,
	    s.section[STORE_OF_VALUES].bytes);
	CHECK_RC(fix_do(f, &s, STORE_STORAGE, 8), ERR_NOTFOUND);
}

/* Goal: a search of threads gives whole states, and sorts by their changes. */
CONTRACT(threads_with_whole_states)
{
	struct store_thread_search x = { .status = -1, .states = true,
	    .page = { .limit = 10, .sort = STORE_SORT_STATE_UPDATED } };

	for (unsigned n = 1; n <= 2; n++) {
		struct store_run run = start_run(f, 7, n, n);
		struct store_channel_change c = value("x", n == 1 ? "one" : "two");
		struct store_checkpoint_put p = checkpoint(3 - n, &c, 1);

		CHECK_RC(put(f, &run, &p), OK);
	}
	CHECK_RC(fix_do(f, &x, STORE_THREAD_SEARCH, 7), OK);
	CHECK_INT(x.found_n, 2);
	CHECK_STR(str_of(text(f, &x.found[0].state)), "x=one");
	CHECK_STR(str_of(text(f, &x.found[1].state)), "x=two");
	CHECK(x.found[0].t.state_updated > x.found[1].t.state_updated);
}
