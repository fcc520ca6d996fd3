/*
 * cmd_threads.c - `cohort threads list|delete|prune`: the threads of a server.
 *
 * By age they are read in the order of their last change, the oldest first, so that the rest
 * need not be read.  What is to go is found first, so that the question says how many it is about.
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
#define PRUNE_NS     (600 * (nsec)NS_PER_S)  /* of one request; threads may be large */

#define FILTER_FLAGS                                                              \
	{ "status", .kind = FLAG_TEXT, .value = "STATUS",                         \
	  .help = "idle, busy, interrupted or error" },                           \
	{ "older", .kind = FLAG_TEXT, .value = "AGE",                             \
	  .help = "not changed for so long, as in 90s, 30m, 1h or 2d" },          \
	BULK_OWNER_FLAG

const struct flag cmd_threads_flags[] = {
	FILTER_FLAGS,
	{ "limit", .kind = FLAG_INT, .value = "N", .min = 1, .max = INT32_MAX,
	  .fallback = "100", .help = "at most so many" },
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};
const struct flag cmd_threads_delete_flags[] = { BULK_OWNER_FLAG, CONFIRM_FLAG, REMOTE_FLAGS,
    { NULL } };
const struct flag cmd_threads_prune_flags[] = {
	FILTER_FLAGS,
	{ "keep-latest", .help = "only what came before a thread's newest state goes" },
	CONFIRM_FLAG,
	REMOTE_FLAGS,
	{ NULL }
};

/* ---- finding ------------------------------------------------------------------------ */

static void
add_question(struct buf *b, const struct flag_line *l, int64_t limit, int64_t offset)
{
	struct str status = line_text(l, "status");

	buf_clear(b);
	json_add_fmt(b, "{'limit':%lld,'offset':%lld,'sort_by':'updated_at','sort_order':%s,"
	    "'select':['thread_id','status','created_at','updated_at']", (long long)limit,
	    (long long)offset, line_text(l, "older").n > 0 ? "asc" : "desc");
	if (status.n > 0)
		json_add_fmt(b, ",'status':%.*s", FMT(status));
	buf_add_char(b, '}');
}

/* Each thread that the flags name, at most max. */
static int
each_thread(struct remote *r, const struct flag_line *l, int64_t max,
    void (*each)(void *ctx, struct val thread), void *ctx, struct err *e)
{
	struct str older = line_text(l, "older");
	struct buf body = BUF(64 * KB);
	int64_t offset = 0, age = 0, n = LIMIT_PAGE_ROWS;
	msec last = NEVER, at;
	int rc = older.n > 0 ? bulk_age(older, &age, e) : OK;

	if (older.n > 0)
		last = clock_wall_ms() - age * 1000;
	while (rc == OK && max > 0 && n == LIMIT_PAGE_ROWS) {
		struct val page = VAL_UNDEF;

		add_question(&body, l, LIMIT_PAGE_ROWS, offset);
		rc = remote_value(r, "POST", S("/threads/search"), buf_str(&body), &page, e);
		n = (int64_t)val_count(page);
		for (int64_t i = 0; rc == OK && i < n && max > 0; i++) {
			struct val one = val_at(page, (size_t)i);

			if (!clock_read_iso(entry_text(one, "updated_at"), &at) || at > last) {
				max = 0;     /* it has changed later, as have those behind it */
				break;
			}
			each(ctx, one);
			max--;
		}
		offset += n;
		val_drop(page);
	}
	buf_release(&body);
	return rc;
}

static void
print_thread(void *ctx, struct val one)
{
	if (line_has(ctx, "json"))
		print_value(one);
	else
		printf("%.*s  %-11.*s  thread=%.*s\n", FMT(entry_text(one, "updated_at")),
		    FMT(entry_text(one, "status")), FMT(entry_text(one, "thread_id")));
}

static int
list(struct remote *r, const struct flag_line *l, struct err *e)
{
	int64_t limit = LIST_DEFAULT;
	int rc = bulk_about_flag(r, l, e);

	str_to_i64(line_text(l, "limit"), &limit);   /* checked as a flag */
	return rc == OK ? each_thread(r, l, limit, print_thread, (void *)(uintptr_t)l, e) : rc;
}

/* ---- removing ------------------------------------------------------------------------- */

struct found { char id[UUID_TEXT + 1]; };
struct all_found { struct found *at; size_t n, cap; };

static void
keep_id(struct all_found *f, struct str id)
{
	mem_grow(f->at, f->n, f->cap);
	snprintf(f->at[f->n++].id, sizeof f->at[0].id, "%.*s", FMT(id));
}

static void
keep_thread(void *ctx, struct val one)
{
	keep_id(ctx, entry_text(one, "thread_id"));
}

static int
prune_page(struct remote *r, const struct found *at, size_t n, bool keeps, int64_t *gone,
    struct err *e)
{
	struct buf body = BUF(MB);
	struct val got = VAL_UNDEF, count;
	int rc;

	json_add_fmt(&body, "{'strategy':%s,'thread_ids':[", keeps ? "keep_latest" : "delete");
	for (size_t i = 0; i < n; i++)
		json_add_fmt(&body, ",%s", at[i].id);
	buf_lit(&body, "]}");
	rc = remote_value_in(r, "POST", S("/threads/prune"), buf_str(&body), PRUNE_NS, &got, e);
	count = val_get(got, S("pruned_count"));
	*gone += rc == OK && val_is_number(count) ? (int64_t)val_number(count) : 0;
	val_drop(got);
	buf_release(&body);
	return rc;
}

static int
remove_all(struct remote *r, const struct flag_line *l, const struct all_found *f,
    struct err *e)
{
	bool keeps = line_has(l, "keep-latest");
	int64_t gone = 0;
	char question[100];
	int rc = OK;

	if (f->n == 0) {
		printf("there are none\n");
		return OK;
	}
	snprintf(question, sizeof question, "%s %zu thread%s?", keeps ? "Remove the past of" :
	    "Delete", f->n, f->n == 1 ? "" : "s");
	rc = confirm(l, question, e);
	for (size_t i = 0; rc == OK && i < f->n; i += LIMIT_PRUNE_IDS) {
		size_t n = f->n - i < LIMIT_PRUNE_IDS ? f->n - i : LIMIT_PRUNE_IDS;

		rc = prune_page(r, &f->at[i], n, keeps, &gone, e);
	}
	if (rc == OK)
		printf("%lld of %zu %s\n", (long long)gone, f->n, keeps ? "pruned" : "deleted");
	if (rc == OK && gone < (int64_t)f->n)
		fprintf(stderr, "the others have a run under way, or are gone\n");
	return rc;
}

static int
prune(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct all_found f = { 0 };
	int rc = bulk_about_flag(r, l, e);

	if (rc == OK && line_text(l, "older").n == 0 && line_text(l, "status").n == 0)
		rc = err_set(e, ERR_METHOD, "expected --older or --status: which threads");
	if (rc == OK)
		rc = each_thread(r, l, INT32_MAX, keep_thread, &f, e);
	if (rc == OK)
		rc = remove_all(r, l, &f, e);
	free(f.at);
	return rc;
}

static int
delete(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct all_found f = { 0 };
	struct uuid id;
	int rc = bulk_about_flag(r, l, e);

	for (size_t i = 0; rc == OK && i < l->operands_n; i++) {
		if (!uuid_parse(l->operand[i], &id))
			rc = err_set(e, ERR_INVALID, "expected a thread's id, a UUID, got \"%.*s\"",
			    FMT(str_cut(l->operand[i], 100)));
		keep_id(&f, l->operand[i]);
	}
	if (rc == OK)
		rc = remove_all(r, l, &f, e);
	free(f.at);
	return rc;
}

int
cmd_threads_list(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, list);
}

int
cmd_threads_prune(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, prune);
}

int
cmd_threads_delete(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, delete);
}
