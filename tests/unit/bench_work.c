/*
 * bench_work.c - the tracker's benchmark: its lists, and its clients against a
 * server that answers what it is told to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "bench/work_priv.h"

TEST(work_only_takes_ids_of_either_case)
{
	bool on[32] = { false };
	struct err e;
	size_t n = 0;

	CHECK(work_rows_n <= COUNT(on));
	CHECK_RC(work_only_parse(STR_NONE, on, work_rows_n, &e), OK);
	for (size_t i = 0; i < work_rows_n; i++)
		n += on[i];
	CHECK_INT((long long)n, (long long)work_rows_n);
	CHECK_RC(work_only_parse(S("s1, B9"), on, work_rows_n, &e), OK);
	n = 0;
	for (size_t i = 0; i < work_rows_n; i++) {
		bool named = strcmp(work_rows[i].id, "S1") == 0 ||
		    strcmp(work_rows[i].id, "B9") == 0;

		CHECK(on[i] == named);
		n += on[i];
	}
	CHECK_INT((long long)n, 2);
	CHECK_RC(work_only_parse(S("S1,B99"), on, work_rows_n, &e), ERR_INVALID);
	CHECK(strstr(e.text, "B99") != NULL && strstr(e.text, "S5") != NULL);
	CHECK_RC(work_only_parse(S("S1,,S2"), on, work_rows_n, &e), ERR_INVALID);
}

TEST(work_mode_is_one_of_three)
{
	struct bench_work_options o = { 0 };
	struct err e;

	CHECK_RC(flags_default(bench_work_flags, &o, &e), OK);
	CHECK_STR(str_of(o.mode), "both");
	CHECK_RC(flags_fill(bench_work_flags, &o, 1, (char *[]){ (char *)"--mode=direct" }, &e),
	    OK);
	CHECK_STR(str_of(o.mode), "direct");
	CHECK_RC(flags_fill(bench_work_flags, &o, 1, (char *[]){ (char *)"--mode=rpc" }, &e),
	    ERR_INVALID);
}

TEST(work_sizes_increase)
{
	static const char *const bad[] = { "", "5", "100,100", "1000,100", "10,x",
		"10,20,30,40,50", "99999999" };
	size_t sizes[4], n;
	struct err e;

	CHECK_RC(work_sizes_parse(S("100,1000, 10000"), sizes, COUNT(sizes), &n, &e), OK);
	CHECK(n == 3 && sizes[0] == 100 && sizes[2] == 10000);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (work_sizes_parse(str_of(bad[i]), sizes, COUNT(sizes), &n, &e) == OK)
			test_fail(__FILE__, __LINE__, "\"%s\" was taken", bad[i]);
}

/* Bounds move with the machine and with its disk, and a time without a sample, or
 * with an error, meets none. */
TEST(work_bounds_are_told_in_floors_and_commits)
{
	struct trial *t = mem_new(struct trial);
	struct meter *m;

	t->workload = "B1";
	t->floor = trial_meter(t, "floor");
	t->commit = trial_meter(t, "commit");
	m = trial_meter(t, "what is measured");
	hist_add(&t->floor->times, NS_PER_MS);
	hist_add(&t->commit->times, 4 * NS_PER_MS);
	CHECK(trial_limit(t, 2, 0) > 1.9 && trial_limit(t, 2, 0) < 2.1);
	CHECK(trial_limit(t, 2, 1.5) > 7.8 && trial_limit(t, 2, 1.5) < 8.2);
	trial_p50(t, m, 2, 1.5);
	CHECK(!t->report.check[0].passed);
	trial_answer(t, m, &(struct answer){ .success = true, .took = 7 * NS_PER_MS }, false);
	CHECK_INT((long long)m->times.count, 0);
	trial_answer(t, m, &(struct answer){ .success = true, .took = 7 * NS_PER_MS }, true);
	CHECK_INT((long long)m->times.count, 1);
	trial_p50(t, m, 2, 1.5);
	CHECK(t->report.check[1].passed);
	trial_p50(t, m, 2, 1);
	CHECK(!t->report.check[2].passed);
	trial_answer(t, m, &(struct answer){ .line = S("{\"error\":\"no\",\"code\":\"GONE\"}") },
	    true);
	CHECK_INT((long long)m->errors, 1);
	CHECK_STR(str_of(t->sample.text), "B1: no (GONE)");
	trial_p50(t, m, 2, 1.5);
	CHECK(!t->report.check[3].passed);
	for (size_t i = 0; i < t->meters_n; i++)
		free(t->meter[i]);
	free(t);
}

/* A server in a process of its own.  It answers each line, and hangs up after
 * `answers` of them. */

struct fake {
	struct space space;
	pid_t pid;
};

static void
fake_answer(FILE *f, const char *line, const char *body)
{
	const char *id = strstr(line, "\"request_id\":\"");
	size_t n;

	if (id == NULL)
		_exit(3);
	id += strlen("\"request_id\":\"");
	n = strcspn(id, "\"");
	if (strstr(line, "\"long\"") != NULL)
		fprintf(f, "{\"request_id\":\"%.*s\",\"progress\":{\"done\":1}}\n", (int)n, id);
	fprintf(f, "{\"request_id\":\"%.*s\",%s}\n", (int)n, id, body);
}

_Noreturn static void
fake_serve(int at, const char *body, int answers)
{
	char *line = NULL;
	size_t room = 0;

	for (;;) {
		int fd = accept(at, NULL, NULL);
		FILE *in, *out;

		if (fd < 0)
			_exit(4);
		if (fork() != 0) {
			close(fd);
			continue;
		}
		in = fdopen(fd, "r");
		out = fdopen(dup(fd), "w");
		while (answers-- > 0 && getline(&line, &room, in) > 0) {
			fake_answer(out, line, body);
			fflush(out);
		}
		_exit(0);
	}
}

static void
fake_start(struct fake *f, const char *body, int answers)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "fake.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	*f = (struct fake){ 0 };
	snprintf(f->space.sock, sizeof f->space.sock, "fake.sock");
	CHECK(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 64) == 0);
	f->pid = fork();
	if (f->pid == 0)
		fake_serve(fd, body, answers);
	close(fd);
}

static void
fake_stop(struct fake *f)
{
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
}

TEST(work_agent_reads_past_progress)
{
	struct fake f;
	struct agent a;
	struct json_doc d = { 0 };
	struct err e;

	fake_start(&f, "\"success\":true,\"data\":{\"id\":\"w-1\"}", 100);
	CHECK_RC(agent_open(&a, &f.space, 0, &e), OK);
	CHECK_RC(agent_call(&a, "create", &d, &e, "\"title\":\"long\",\"x\":\"long\""), OK);
	CHECK_STR(answer_id(json_get(d.root, S("data"))), "w-1");
	json_release(&d);
	agent_close(&a);
	fake_stop(&f);
}

TEST(work_agent_tells_a_failure_in_words)
{
	struct fake f;
	struct agent a;
	struct err e;

	fake_start(&f, "\"success\":false,\"error\":\"no such item\",\"code\":\"NOTFOUND\"", 9);
	CHECK_RC(agent_open(&a, &f.space, 0, &e), OK);
	CHECK_RC(agent_call(&a, "show", NULL, &e, "\"id\":\"w-1\""), ERR_INVALID);
	CHECK_STR(str_of(e.text), "show: no such item (NOTFOUND)");
	agent_close(&a);
	fake_stop(&f);
}

TEST(work_agent_wants_the_answer_to_its_request)
{
	struct fake f;
	struct agent a;
	struct err e;

	fake_start(&f, "\"success\":true", 9);
	CHECK_RC(agent_open(&a, &f.space, 0, &e), OK);
	a.asks = a.answers = 7;
	CHECK_RC(agent_call(&a, "ping", NULL, &e, "%s", ""), OK);
	a.answers = 3;
	CHECK_RC(agent_call(&a, "ping", NULL, &e, "%s", ""), ERR_INVALID);
	agent_close(&a);
	fake_stop(&f);
}

struct count {
	int64_t asked[8], heard[8];
};

static bool
count_next(void *ctx, const struct agent *a, struct ask *q)
{
	struct count *c = ctx;

	if (c->asked[a->index] == 500)
		return false;
	q->operation = "create";
	q->tag = (int)c->asked[a->index]++;
	return true;
}

static int
count_answer(void *ctx, const struct agent *a, const struct answer *r, struct err *e)
{
	struct count *c = ctx;

	(void)e;
	CHECK(r->success && r->tag == c->heard[a->index] && r->took > 0);
	c->heard[a->index]++;
	return OK;
}

TEST(work_crowd_asks_all_and_hears_all_in_order)
{
	struct count n = { { 0 }, { 0 } };
	struct fake f;
	struct crowd c = { .space = &f.space, .n = 8, .depth = 64, .next = count_next,
		.answer = count_answer, .ctx = &n };
	struct err e;

	fake_start(&f, "\"success\":true,\"data\":null", 1000);
	CHECK_RC(crowd_run(&c, &e), OK);
	CHECK(c.asked == 4000 && c.answered == 4000);
	fake_stop(&f);
}

TEST(work_crowd_hears_what_was_said_before_the_end)
{
	struct count n = { { 0 }, { 0 } };
	struct fake f;
	struct crowd c = { .space = &f.space, .n = 2, .depth = 16, .next = count_next,
		.answer = count_answer, .ctx = &n };
	struct err e;

	fake_start(&f, "\"success\":true,\"data\":null", 100);
	CHECK_RC(crowd_run(&c, &e), ERR_CLOSED);
	CHECK(c.answered >= 100 && (n.heard[0] == 100 || n.heard[1] == 100));
	fake_stop(&f);
}

TEST(work_scratch_goes_with_its_maker)
{
	struct scratch s = { 0 };
	struct hist times = { 0 };
	char root[WB_PATH];
	struct err e;

	CHECK_RC(scratch_make(&s, ".", false, &e), OK);
	CHECK(access(s.root, F_OK) == 0);
	CHECK_RC(scratch_commits(&s, 3, &times, &e), OK);
	CHECK(times.count == 3 && hist_percentile(&times, 50) > 0);
	snprintf(root, sizeof root, "%s", s.root);
	scratch_remove(&s);
	CHECK(access(root, F_OK) != 0);
}

TEST(work_files_of_a_place_are_read_and_written_whole)
{
	struct space p = { .dir = "." };
	struct buf out = BUF(MB);
	struct err e;

	CHECK_RC(space_file_write(&p, "file", S("words"), &e), OK);
	CHECK_RC(space_file_read(&p, "file", &out, &e), OK);
	CHECK_STR(buf_str(&out), "words");
	CHECK_RC(space_file_read(&p, "nothing", &out, &e), ERR_NOTFOUND);
	snprintf(p.dir, sizeof p.dir, "nowhere");
	CHECK_RC(space_file_write(&p, "file", S("words"), &e), ERR_IO);
	buf_release(&out);
}

/* As after a kill: the maker ends without a word. */
TEST(work_scratch_goes_when_its_maker_is_gone)
{
	char root[WB_PATH] = "";
	int ends[2], status;
	pid_t pid;

	CHECK(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		struct scratch s = { 0 };
		struct err e;

		if (scratch_make(&s, ".", false, &e) != OK)
			_exit(1);
		_exit(write(ends[1], s.root, sizeof s.root) == (ssize_t)sizeof s.root ? 0 : 1);
	}
	CHECK(read(ends[0], root, sizeof root) == (ssize_t)sizeof root);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	while (access(root, F_OK) == 0)
		poll(NULL, 0, 1);
}
