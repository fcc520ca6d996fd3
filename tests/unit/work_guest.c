/*
 * work_guest.c - the tracker inside a server's store: batches that are rolled
 * back and run again, reads that have to write, keys, deadlines and news.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "work/host/guest.h"

#define FLIGHTS 64

struct bed {
	struct work_board *board;
	struct store *st;
	struct shard *shard;                 /* turned by the test */
	struct arena a;                      /* this thread's */
	struct arena answers[FLIGHTS];       /* each of one ask under way */
	size_t asked;
	msec now;
	size_t done;
	struct err e;
};

static void
bed_open(struct bed *b, const char *driver, int64_t fail_at)
{
	struct store_options o = { .driver = str_of(driver), .path = S("db"),
	    .fail_at = fail_at };

	*b = (struct bed){ .now = 1763700000000, .a = ARENA(64 * MB) };
	for (size_t i = 0; i < FLIGHTS; i++)
		b->answers[i] = ARENA(64 * MB);
	CHECK_RC(shard_new(&b->shard, 0, &b->e), OK);
	b->board = work_board_new();
	o.guests = (const struct store_guest *const[]){
	    work_board_guest(b->board), NULL };
	if (store_open(&b->st, &o, &b->e) != OK)
		test_fail(__FILE__, __LINE__, "open: %s", b->e.text);
}

static void
bed_close(struct bed *b)
{
	store_close(b->st);
	shard_free(b->shard);
	work_board_free(b->board);
	for (size_t i = 0; i < FLIGHTS; i++)
		arena_release(&b->answers[i]);
	arena_release(&b->a);
}

struct ask {
	struct work_cmd cmd;
	struct bed *b;
};

static void
ask_done(struct store_cmd *c)
{
	CONTAINER_OF(c, struct ask, cmd.cmd)->b->done++;
}

/* args with ' for ". */
static void
ask_send(struct bed *b, struct ask *q, const char *operation, const char *args, ...)
{
	struct buf text = BUF(MB);
	va_list ap;

	va_start(ap, args);
	buf_add_vfmt(&text, args, ap);
	va_end(ap);
	for (size_t i = 0; i < text.n; i++)
		text.p[i] = text.p[i] == '\'' ? '"' : text.p[i];
	q->b = b;
	q->cmd.cmd.arena = &b->answers[b->asked++ % FLIGHTS];
	q->cmd.cmd.done = ask_done;
	if (q->cmd.project.n == 0)
		q->cmd.project = S("t");
	if (q->cmd.actor.n == 0)
		q->cmd.actor = S("ada");
	q->cmd.operation = str_of(operation);
	q->cmd.args_json = arena_str(&b->a, buf_str(&text));
	q->cmd.now = ++b->now;
	buf_release(&text);
	CHECK_RC(work_submit(b->st, b->shard, &q->cmd), OK);
}

static void
wait_for(struct bed *b, size_t done)
{
	while (b->done < done)
		shard_turn(b->shard);
}

#define ASK(b, q, ...)                                                         \
	(ask_send((b), (q), __VA_ARGS__), wait_for((b), (b)->done + 1),        \
	(q)->cmd.cmd.rc)

/* A member of an answer. */
static struct str
member(struct bed *b, const struct ask *q, const char *key)
{
	struct json_doc d = { 0 };
	struct str s = S("");

	if (json_parse(&d, q->cmd.data, NULL) == OK)
		s = arena_str(&b->a, json_str(json_get(d.root, str_of(key))));
	json_release(&d);
	return s;
}

static size_t
count(struct bed *b, const char *operation, const char *args)
{
	struct ask q = { 0 };
	struct json_doc d = { 0 };
	size_t n;

	CHECK_RC(ASK(b, &q, operation, "%s", args), OK);
	CHECK_RC(json_parse(&d, q.cmd.data, NULL), OK);
	n = json_count(d.root);
	json_release(&d);
	return n;
}

static void
check_recount(struct bed *b)
{
	struct ask q = { 0 };

	CHECK_RC(ASK(b, &q, "recount", "{}"), OK);
	if (!str_contains(q.cmd.data, S("\"ok\":true")))
		test_fail(__FILE__, __LINE__, "recount: %.*s", FMT(q.cmd.data));
}

#define BOTH(id)                                                               \
	static void both_##id(const char *driver);                             \
	TEST(id##_sqlite) { both_##id("sqlite"); }                             \
	TEST(id##_memory) { both_##id("memory"); }                             \
	static void both_##id(const char *driver)

/* Goal: an operation whose answer has no room has changed nothing. */
BOTH(tracker_keeps_nothing_without_an_answer)
{
	struct ask q = { 0 }, r = { 0 };
	struct bed b;

	bed_open(&b, driver, 0);
	CHECK_RC(ASK(&b, &q, "create", "{'title':'a'}"), OK);
	for (int i = 0; i < 2; i++) {        /* with a key there is a savepoint */
		r.cmd.once = i == 1 ? S("key") : STR_NONE;
		b.answers[b.asked % FLIGHTS] = ARENA(1);
		CHECK_RC(ASK(&b, &r, "create", "{'title':'b'}"), ERR_TOOBIG);
	}
	CHECK_INT(count(&b, "list", "{}"), 1);
	check_recount(&b);
	bed_close(&b);
}

/* Goal: whichever command of a batch is doomed, the others' graph and counts are
 * as if it had never been there. */
BOTH(tracker_survives_a_doomed_command)
{
	for (int64_t fail_at = 1; fail_at <= 8; fail_at++) {
		struct ask q[9] = { 0 };
		struct bed b;
		size_t failed = 0;

		unlink("db");
		unlink("db-wal");
		bed_open(&b, driver, fail_at);
		ask_send(&b, &q[0], "create", "{'id':'t-0','title':'0'}");
		wait_for(&b, 1);
		for (int i = 1; i < 8; i++)
			ask_send(&b, &q[i], "create", "{'id':'t-%d','title':'%d',"
			    "'dependencies':['t-0']}", i, i);
		ask_send(&b, &q[8], "close", "{'id':'t-0'}");
		wait_for(&b, 9);
		for (int i = 0; i < 9; i++)
			failed += q[i].cmd.cmd.rc == ERR_IO;
		CHECK_INT(failed, 1);
		check_recount(&b);
		CHECK_INT(count(&b, "list", "{'limit':0}"), fail_at == 1 ? 0 : 7);
		bed_close(&b);
	}
}

/* Goal: an operation that fails has left nothing, without anybody's rollback. */
BOTH(refused_operations_leave_nothing)
{
	static const struct { const char *operation, *args; int rc; } rows[] = {
		{ "create", "{'title':'x','dependencies':['t-1','t-9']}", ERR_NOTFOUND },
		{ "create", "{'title':'x','labels':['a'],'dependencies':['t-1','t-1']}",
		  ERR_INVALID },
		{ "create", "{'title':'x','parent':'t-9'}", ERR_NOTFOUND },
		{ "create", "{'title':'x','parent':'t-1','dependencies':['t-9']}",
		  ERR_NOTFOUND },
		{ "create", "{'id':'t-1','title':'x','dependencies':['t-2']}", ERR_CONFLICT },
		{ "update", "{'id':'t-9','title':'x'}", ERR_NOTFOUND },
		{ "update", "{'id':'t-1','title':''}", ERR_INVALID },
		{ "close", "{'id':'t-9'}", ERR_NOTFOUND },
		{ "claim", "{'id':'t-2'}", ERR_CONFLICT },
		{ "release", "{'id':'t-1'}", ERR_CONFLICT },
		{ "delete", "{'ids':['t-1','t-9'],'force':true}", ERR_NOTFOUND },
		{ "label_add", "{'id':'t-9','label':'x'}", ERR_NOTFOUND },
		{ "rename_prefix", "{'prefix':'7'}", ERR_INVALID },
		{ "nothing", "{}", ERR_METHOD },
	};
	struct ask before = { 0 }, after = { 0 }, q = { 0 };
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	CHECK_RC(ASK(&b, &q, "create", "{'id':'t-1','title':'1'}"), OK);
	CHECK_RC(ASK(&b, &q, "create", "{'id':'t-2','title':'2','dependencies':['t-1']}"),
	    OK);
	CHECK_RC(ASK(&b, &before, "list", "{}"), OK);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ask x = { 0 };
		int64_t events = (int64_t)count(&b, "history", "{}");
		int rc = ASK(&b, &x, rows[i].operation, "%s", rows[i].args);

		if (rc != rows[i].rc)
			test_fail(__FILE__, __LINE__, "%s %s: %s (%s)",
			    rows[i].operation, rows[i].args, rc_name(rc),
			    x.cmd.cmd.err.text);
		CHECK(x.cmd.cmd.err.text[0] != '\0');
		after = (struct ask){ 0 };
		CHECK_RC(ASK(&b, &after, "list", "{}"), OK);
		if (!str_eq(after.cmd.data, before.cmd.data) ||
		    (int64_t)count(&b, "history", "{}") != events)
			test_fail(__FILE__, __LINE__, "%s %s left: %.*s",
			    rows[i].operation, rows[i].args, FMT(after.cmd.data));
	}
	check_recount(&b);
	bed_close(&b);
}

/* Goal: a read that finds an old lease goes to the writer by itself. */
BOTH(a_read_may_have_to_write)
{
	struct ask q = { 0 };
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	CHECK_INT(count(&b, "ready", "{}"), 0);     /* of a project not made yet */
	CHECK_RC(ASK(&b, &q, "create", "{'id':'t-1','title':'1'}"), OK);
	CHECK_RC(ASK(&b, &q, "claim", "{'id':'t-1','lease_ms':1000}"), OK);
	CHECK_INT(count(&b, "ready", "{}"), 0);
	b.now += 2000;
	CHECK_INT(count(&b, "ready", "{}"), 1);
	CHECK_RC(ASK(&b, &q, "show", "{'id':'t-1'}"), OK);
	CHECK_STR(member(&b, &q, "status"), "open");
	bed_close(&b);
}

/* Goal: a key's second call gets the first one's answer and does nothing; each
 * project has keys of its own. */
BOTH(a_key_counts_once)
{
	struct ask first = { 0 }, second = { 0 }, other = { 0 };
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	first.cmd.once = second.cmd.once = other.cmd.once = S("k");
	other.cmd.project = S("other");
	CHECK_RC(ASK(&b, &first, "create", "{'title':'1'}"), OK);
	CHECK_RC(ASK(&b, &second, "create", "{'title':'1'}"), OK);
	CHECK(str_eq(first.cmd.data, second.cmd.data) && first.cmd.data.n > 0);
	CHECK_INT(count(&b, "list", "{}"), 1);
	CHECK_RC(ASK(&b, &other, "create", "{'title':'1'}"), OK);
	CHECK(str_starts(member(&b, &other, "id"), S("other-")));
	bed_close(&b);
}

/* Goal: past its deadline an operation is not begun. */
BOTH(a_deadline_is_kept)
{
	struct ask late = { .cmd.deadline = clock_mono() - 1 };
	struct ask well = { .cmd.deadline = clock_mono() + 60 * NS_PER_S };
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	CHECK_RC(ASK(&b, &late, "create", "{'title':'1'}"), ERR_TIMEOUT);
	CHECK_RC(ASK(&b, &well, "create", "{'title':'1'}"), OK);
	CHECK_INT(count(&b, "list", "{}"), 1);
	bed_close(&b);
}

/* Goal: owners and projects do not see each other. */
BOTH(trackers_apart)
{
	struct ask mine = { .cmd.cmd.owner = 1 }, other = { .cmd.cmd.owner = 2 };
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	CHECK_RC(ASK(&b, &mine, "create", "{'id':'t-1','title':'1'}"), OK);
	CHECK_RC(ASK(&b, &other, "show", "{'id':'t-1'}"), ERR_NOTFOUND);
	CHECK_INT(count(&b, "list", "{}"), 0);
	bed_close(&b);
}

/* Goal: a key is its actor's and its operation's: two agents that count their
 * steps do not take each other's answers for their own. */
BOTH(a_key_is_its_actors)
{
	struct ask ada = { 0 }, bob = { 0 }, note = { 0 };
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	ada.cmd.once = bob.cmd.once = note.cmd.once = S("1");
	bob.cmd.actor = S("bob");
	CHECK_RC(ASK(&b, &ada, "create", "{'id':'t-1','title':'1'}"), OK);
	CHECK_RC(ASK(&b, &bob, "create", "{'id':'t-2','title':'2'}"), OK);
	CHECK_RC(ASK(&b, &note, "comment", "{'id':'t-1','text':'x'}"), OK);
	CHECK_STR(member(&b, &note, "author"), "ada");
	CHECK_INT(count(&b, "list", "{}"), 2);
	bed_close(&b);
}

/* Goal: an owner's projects are bounded, and neither a look nor what is refused
 * makes one. */
BOTH(projects_are_bounded)
{
	struct ask other = { .cmd.cmd.owner = 7 };
	char name[24];
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	for (int i = 0; i < LIMIT_WORK_PROJECTS + 2; i++) {
		struct ask q = { .cmd.project = arena_fmt(&b.a, "look-%d", i) };
		static const char *const looks[] = { "list", "stats", "info",
		    "dep_cycles", "export", "history", "search" };

		CHECK_RC(ASK(&b, &q, looks[i % 7], i % 7 == 6 ? "{'query':'x'}" :
		    "{}"), OK);
		CHECK_RC(ASK(&b, &q, "show", "{'id':'t-1'}"), ERR_NOTFOUND);
		CHECK_RC(ASK(&b, &q, "create", "{'title':''}"), ERR_INVALID);
	}
	for (int i = 0; i <= LIMIT_WORK_PROJECTS; i++) {
		struct ask q = { 0 };

		snprintf(name, sizeof name, "project-%d", i);
		q.cmd.project = str_of(name);
		CHECK_RC(ASK(&b, &q, "create", "{'title':'1'}"),
		    i < LIMIT_WORK_PROJECTS ? OK : ERR_LIMIT);
	}
	CHECK_RC(ASK(&b, &other, "create", "{'title':'1'}"), OK);
	bed_close(&b);
}

/* ---- news ---------------------------------------------------------------------- */

struct ear {
	struct work_listener l;
	int heard;
};

static void
heard(struct shard_job *job)
{
	CONTAINER_OF(job, struct ear, l.job)->heard++;
}

static struct ear
ear_of(struct bed *b, owner_t owner, struct str project)
{
	return (struct ear){ .l = { .shard = b->shard, .job.run = heard,
	    .owner = owner, .project = project } };
}

/* Goal: who listens is told of commits of its project, once until it has asked
 * again, and reads what happened since. */
BOTH(news_of_a_project)
{
	struct ear a, b2, c;
	struct ask q = { 0 }, rows = { .cmd.after = -1 };
	struct bed b;

	unlink("db");
	bed_open(&b, driver, 0);
	a = ear_of(&b, 0, S("t"));
	b2 = ear_of(&b, 0, S("other"));
	c = ear_of(&b, 1, S("t"));
	work_listen(b.st, &a.l);
	work_listen(b.st, &b2.l);
	work_listen(b.st, &c.l);
	CHECK_RC(ASK(&b, &rows, "", ""), OK);
	CHECK_INT(rows.cmd.last, 0);
	CHECK_RC(ASK(&b, &q, "create", "{'title':'1'}"), OK);
	CHECK_INT(a.heard, 1);
	CHECK_RC(ASK(&b, &q, "create", "{'title':'2'}"), OK);
	CHECK_INT(a.heard, 1);
	CHECK_INT(count(&b, "list", "{}"), 2);      /* reads are no news */
	work_listen_again(b.st, &a.l);
	CHECK_INT(a.heard, 1);
	rows.cmd.after = 0;
	CHECK_RC(ASK(&b, &rows, "", ""), OK);
	CHECK(rows.cmd.last >= 2);
	CHECK(str_contains(rows.cmd.data, S("\"kind\":\"created\"")));
	CHECK_RC(ASK(&b, &q, "create", "{'title':'3'}"), OK);
	CHECK_INT(a.heard, 2);
	CHECK_INT(b2.heard + c.heard, 0);
	CHECK(work_unlisten(b.st, &a.l));
	CHECK(!work_unlisten(b.st, &b2.l));
	CHECK_RC(ASK(&b, &q, "create", "{'title':'4'}"), OK);
	CHECK_INT(a.heard, 2);
	CHECK(!work_unlisten(b.st, &c.l));
	bed_close(&b);
}
