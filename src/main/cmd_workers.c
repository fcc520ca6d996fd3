/*
 * cmd_workers.c - `cohort workers list|show|drain|log|forget`: the worker processes of a server,
 * and who tried which task.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/limits.h"
#include "base/mem.h"
#include "main/cmd.h"
#include "main/mail_remote.h"

const struct flag cmd_workers_flags[] = {
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};
const struct flag cmd_workers_log_flags[] = {
	{ "name", .kind = FLAG_TEXT, .value = "NAME", .help = "only of this graph, node or tool" },
	{ "run", .kind = FLAG_TEXT, .value = "RUN", .help = "only of this run" },
	{ "worker", .kind = FLAG_TEXT, .value = "WORKER", .help = "only by this worker" },
	{ "limit", .kind = FLAG_INT, .value = "N", .min = 1, .max = LIMIT_PAGE_ROWS,
	  .fallback = "50", .help = "at most so many, the newest" },
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};

/* ---- showing ----------------------------------------------------------------------- */

static double
number(struct val of, const char *name)
{
	struct val v = val_get(of, str_of(name));

	return val_is_number(v) ? val_number(v) : 0;
}

/* The names of a list, with a word before them; nothing if there are none. */
static void
print_names(struct val one, const char *list, const char *word)
{
	struct val names = val_get(one, str_of(list));

	for (size_t i = 0; i < val_count(names); i++) {
		struct str name = val_str(val_at(names, i));

		printf("%s%.*s", i == 0 ? word : ",", FMT(name));
	}
}

static void
print_worker(struct val one)
{
	struct val slots = val_get(one, S("slots"));

	printf("%.*s  %-8.*s  %.*s %.*s  %.0f tasks of %.0f+%.0f", FMT(entry_text(one,
	    "worker_id")), FMT(entry_text(one, "status")), FMT(entry_text(one, "name")),
	    FMT(entry_text(one, "build")), number(one, "tasks"), number(slots, "run"),
	    number(slots, "node"));
	print_names(one, "graphs", "  graphs=");
	print_names(one, "nodes", "  nodes=");
	print_names(one, "tools", "  tools=");
	if (number(one, "silent_ms") >= 1000)
		printf("  silent %.0f s", number(one, "silent_ms") / 1000);
	putchar('\n');
}

static void
print_attempt(struct val one)
{
	struct str run = entry_text(one, "run_id"), ended = entry_text(one, "ended_at");

	printf("%.*s  %-11.*s  %.*s %.*s #%.0f  run=%.*s  worker=%.*s build=%.*s%s%.*s\n",
	    FMT(entry_text(one, "began_at")), FMT(entry_text(one, "how")),
	    FMT(entry_text(one, "kind")), FMT(entry_text(one, "name")),
	    number(one, "attempt"), FMT(run.n > 0 ? run : S("-")), FMT(entry_text(one, "worker")),
	    FMT(entry_text(one, "build")), ended.n > 0 ? " ended=" : "", FMT(ended));
}

static int
print_list(struct remote *r, const struct flag_line *l, struct str path,
    void (*print)(struct val one), struct err *e)
{
	struct val all = VAL_UNDEF;
	int rc = remote_value(r, "GET", path, STR_NONE, &all, e);

	for (size_t i = 0; rc == OK && i < val_count(all); i++)
		(line_has(l, "json") ? print_value : print)(val_at(all, i));
	val_drop(all);
	return rc;
}

/* ---- the commands -------------------------------------------------------------------- */

static int
list(struct remote *r, const struct flag_line *l, struct err *e)
{
	return print_list(r, l, S("/workers"), print_worker, e);
}

/* `before` ID `behind`, escaped. */
static struct str
path_of(struct buf *b, const struct remote *r, const struct flag_line *l, const char *before,
    const char *behind)
{
	remote_add_path(r, b, before, l->operand[0], behind);
	return buf_str(b);
}

static int
show(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	struct val one = VAL_UNDEF;
	int rc = remote_value(r, "GET", path_of(&b, r, l, "/workers/", ""), STR_NONE, &one, e);

	if (rc == OK)
		(line_has(l, "json") ? print_value : print_worker)(one);
	val_drop(one);
	buf_release(&b);
	return rc;
}

static int
drain(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	int rc = remote_done(r, "POST", path_of(&b, r, l, "/workers/", "/drain"), S("{}"), e);

	buf_release(&b);
	return rc;
}

static int
forget(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	int rc = remote_done(r, "DELETE", path_of(&b, r, l, "/workers/graphs/", ""), STR_NONE, e);

	buf_release(&b);
	return rc;
}

static int
attempts(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf b = BUF(LIMIT_HTTP_URL_BYTES);
	int rc;

	buf_add_fmt(&b, "/workers/log?limit=%.*s", FMT(line_text(l, "limit")));
	remote_add_parameter(r, &b, '&', "name", line_text(l, "name"));
	remote_add_parameter(r, &b, '&', "run_id", line_text(l, "run"));
	remote_add_parameter(r, &b, '&', "worker_id", line_text(l, "worker"));
	rc = print_list(r, l, buf_str(&b), print_attempt, e);
	buf_release(&b);
	return rc;
}

int
cmd_workers_list(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, list);
}

int
cmd_workers_show(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, show);
}

int
cmd_workers_drain(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, drain);
}

int
cmd_workers_forget(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, forget);
}

int
cmd_workers_log(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, attempts);
}
