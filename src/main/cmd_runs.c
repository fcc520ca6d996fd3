/*
 * cmd_runs.c - `cohort runs list|show|cancel`: the runs of a server, of all threads.
 *
 * What is to be cancelled is found first, page by page, so that the question says how many it
 * is about; then it is cancelled, so many at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/mem.h"
#include "main/bulk.h"
#include "main/cmd.h"
#include "main/confirm.h"
#include "main/mail_remote.h"

#define LIST_DEFAULT 100
#define CANCEL_NS (600 * (nsec)NS_PER_S)     /* a page of runs may take so long to end */

#define FILTER_FLAGS                                                              \
	{ "status", .kind = FLAG_TEXT, .value = "LIST", .fallback = "pending,running", \
	  .help = "of pending, running, success, error, timeout and interrupted" }, \
	{ "older", .kind = FLAG_TEXT, .value = "AGE",                             \
	  .help = "began so long ago, at least, as in 90s, 30m, 1h or 2d" },      \
	{ "thread", .kind = FLAG_TEXT, .value = "THREAD", .help = "only of this thread" }, \
	{ "assistant", .kind = FLAG_TEXT, .value = "ASSISTANT",                   \
	  .help = "only of this assistant, or agent" }

const struct flag cmd_runs_flags[] = {
	FILTER_FLAGS, BULK_OWNER_FLAG,
	{ "limit", .kind = FLAG_INT, .value = "N", .min = 1, .max = INT32_MAX,
	  .fallback = "100", .help = "at most so many" },
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};
const struct flag cmd_runs_show_flags[] = { BULK_OWNER_FLAG, REMOTE_FLAGS, { NULL } };
const struct flag cmd_runs_cancel_flags[] = {
	FILTER_FLAGS, BULK_OWNER_FLAG,
	{ "rollback", .help = "remove them, with all that they did" },
	CONFIRM_FLAG,
	REMOTE_FLAGS,
	{ NULL }
};

/* ---- asking ---------------------------------------------------------------------- */

static void
add_text(struct buf *b, const char *key, struct str value)
{
	if (value.n == 0)
		return;
	json_add_key(b, key);
	json_add_str(b, value);
}

static int
add_question(struct buf *b, const struct flag_line *l, int64_t limit, int64_t after,
    struct err *e)
{
	struct str rest = line_text(l, "status"), one, older = line_text(l, "older");
	int64_t age;
	int rc = older.n > 0 ? bulk_age(older, &age, e) : OK;

	json_add_fmt(b, "{'limit':%lld", (long long)limit);
	if (after > 0)
		json_add_fmt(b, ",'after':%lld", (long long)after);
	if (older.n > 0 && rc == OK)
		json_add_fmt(b, ",'older_than_s':%lld", (long long)age);
	add_text(b, "thread_id", line_text(l, "thread"));
	add_text(b, "assistant_id", line_text(l, "assistant"));
	if (rest.n == 0)
		rest = S("pending,running");
	json_add_key(b, "status");
	buf_add_char(b, '[');
	for (bool first = true; str_next(&rest, ',', &one); first = false) {
		if (!first)
			buf_add_char(b, ',');
		json_add_str(b, str_trim(one));
	}
	buf_lit(b, "]}");
	return rc;
}

/* Each run that the flags name, at most max, newest first. */
static int
each_run(struct remote *r, const struct flag_line *l, int64_t max,
    void (*each)(void *ctx, struct val run), void *ctx, struct err *e)
{
	struct buf body = BUF(64 * KB);
	int64_t after = 0;
	int rc = bulk_about_flag(r, l, e);

	while (rc == OK && max > 0 && after >= 0) {
		struct val page = VAL_UNDEF, runs, next;

		buf_clear(&body);
		rc = add_question(&body, l, max < LIMIT_PAGE_ROWS ? max : LIMIT_PAGE_ROWS,
		    after, e);
		if (rc == OK)
			rc = remote_value(r, "POST", S("/runs/search"), buf_str(&body), &page,
			    e);
		runs = val_get(page, S("runs"));
		next = val_get(page, S("next"));
		for (size_t i = 0; rc == OK && i < val_count(runs); i++)
			each(ctx, val_at(runs, i));
		max -= (int64_t)val_count(runs);
		after = val_is_number(next) ? (int64_t)val_number(next) : -1;
		val_drop(page);
	}
	buf_release(&body);
	return rc;
}

/* ---- the commands ------------------------------------------------------------------ */

static void
print_run(void *ctx, struct val run)
{
	const struct flag_line *l = ctx;

	if (line_has(l, "json")) {
		print_value(run);
		return;
	}
	printf("%.*s  %-11.*s  run=%.*s  thread=%.*s  %.*s\n", FMT(entry_text(run, "created_at")),
	    FMT(entry_text(run, "status")), FMT(entry_text(run, "run_id")),
	    FMT(entry_text(run, "thread_id")), FMT(entry_text(run, "graph_id")));
}

static int
list(struct remote *r, const struct flag_line *l, struct err *e)
{
	int64_t limit = LIST_DEFAULT;

	str_to_i64(line_text(l, "limit"), &limit);   /* checked as a flag */
	return each_run(r, l, limit, print_run, (void *)(uintptr_t)l, e);
}

static int
show(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	char *thread = remote_escape(r, l->operand[0]), *run = remote_escape(r, l->operand[1]);
	struct val one = VAL_UNDEF;
	int rc = bulk_about_flag(r, l, e);

	buf_add_fmt(&b, "/threads/%s/runs/%s", thread, run);
	if (rc == OK)
		rc = remote_value(r, "GET", buf_str(&b), STR_NONE, &one, e);
	if (rc == OK)
		print_value(one);
	val_drop(one);
	free(thread);
	free(run);
	buf_release(&b);
	return rc;
}

struct found { char thread[UUID_TEXT + 1], run[UUID_TEXT + 1]; };
struct all_found { struct found *at; size_t n, cap; };

static void
keep_run(void *ctx, struct val run)
{
	struct all_found *f = ctx;
	struct found *one;

	mem_grow(f->at, f->n, f->cap);
	one = &f->at[f->n++];
	snprintf(one->thread, sizeof one->thread, "%.*s", FMT(entry_text(run, "thread_id")));
	snprintf(one->run, sizeof one->run, "%.*s", FMT(entry_text(run, "run_id")));
}

static int
cancel_page(struct remote *r, struct str path, const struct found *at, size_t n, struct err *e)
{
	struct buf body = BUF(MB);
	struct json_doc d = { 0 };
	struct str answer;
	struct err why;
	long status;
	int rc;

	json_add_fmt(&body, "{'runs':[");
	for (size_t i = 0; i < n; i++)
		json_add_fmt(&body, ",{'thread_id':%s,'run_id':%s}", at[i].thread, at[i].run);
	buf_lit(&body, "]}");
	rc = remote_ask(r, "POST", path, buf_str(&body), CANCEL_NS, &status, &answer, e);
	/* One that is gone meanwhile: the others are cancelled nevertheless. */
	if (rc == OK && status != 204 && status != 404) {
		(void)json_parse(&d, answer, &why);
		rc = remote_refused(r, status, d.root, "", e);
		json_release(&d);
	}
	buf_release(&body);
	return rc;
}

static int
cancel_all(struct remote *r, const struct flag_line *l, const struct all_found *f,
    struct err *e)
{
	struct str target = line_has(l, "rollback") ? S("/runs/cancel?action=rollback") :
	    S("/runs/cancel");
	int rc = OK;

	/* The oldest first: what waits behind them does not begin meanwhile. */
	for (size_t left = f->n; rc == OK && left > 0; ) {
		size_t n = left < LIMIT_CANCEL_RUNS ? left : LIMIT_CANCEL_RUNS;

		left -= n;
		rc = cancel_page(r, target, &f->at[left], n, e);
		if (rc == OK)
			printf("%zu of %zu cancelled\n", f->n - left, f->n);
		fflush(stdout);
	}
	return rc;
}

static int
cancel(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct all_found f = { 0 };
	char question[80];
	int rc = each_run(r, l, INT32_MAX, keep_run, &f, e);

	if (rc == OK && f.n == 0)
		printf("there are none\n");
	snprintf(question, sizeof question, "%s %zu run%s?", line_has(l, "rollback") ?
	    "Cancel and remove" : "Cancel", f.n, f.n == 1 ? "" : "s");
	if (rc == OK && f.n > 0)
		rc = confirm(l, question, e);
	if (rc == OK && f.n > 0)
		rc = cancel_all(r, l, &f, e);
	free(f.at);
	return rc;
}

int
cmd_runs_list(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, list);
}

int
cmd_runs_show(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, show);
}

int
cmd_runs_cancel(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, cancel);
}
