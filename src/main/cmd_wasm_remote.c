/*
 * cmd_wasm_remote.c - `cohort wasm deploy|list|show|rollback|delete`: the modules of a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "main/cmd.h"
#include "main/mail_remote.h"
#include "main/wasm_local.h"

#define DEPLOY_NS (300 * (nsec)NS_PER_S)     /* it is compiled before it answers */
#define HASH_SHOWN 12

static const char *const strategies[] = { "graceful", "immediate", "parallel", "split", NULL };

const struct flag cmd_wasm_deploy_flags[] = {
	{ "allow", .kind = FLAG_TEXT, .value = "LIST", .help = "host calls that it may make: "
	    "log, now_ms, send, reply, store_get, store_put, tool_call, all; default: log, "
	    "now_ms, reply" },
	{ "tools", .kind = FLAG_TEXT, .value = "LIST", .help = "that tool_call may name" },
	WASM_LIMIT_FLAGS,
	{ "strategy", .kind = FLAG_TEXT, .value = "NAME", .words = strategies,
	  .help = "how it takes over from the version before: graceful, immediate, parallel, "
	  "split; default: graceful" },
	{ "drain", .kind = FLAG_TEXT, .value = "TIME", .help = "graceful: at most so long; 30s" },
	{ "percent", .kind = FLAG_TEXT, .value = "N", .help = "split: of the messages; 10" },
	{ "calls", .kind = FLAG_TEXT, .value = "N", .help = "split: judged after so many; 1000" },
	{ "wait", .kind = FLAG_TEXT, .value = "TIME", .help = "split: or after so long; 60s" },
	{ "error-percent", .kind = FLAG_TEXT, .value = "N", .help = "split: more errors, and "
	  "the old version stays" },
	{ "p99-factor", .kind = FLAG_TEXT, .value = "N", .help = "split: a p99 more than so many "
	  "times the old one's, and the old version stays" },
	{ "json", .help = "the answer as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};
const struct flag cmd_wasm_flags[] = {
	{ "json", .help = "each as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};
const struct flag cmd_wasm_rollback_flags[] = {
	{ "number", .kind = FLAG_INT, .value = "N", .min = 1, .max = INT64_MAX,
	  .help = "to this version; default: the one before the current" },
	{ "json", .help = "the answer as a line of JSON" },
	REMOTE_FLAGS,
	{ NULL }
};

/* Flags that are parameters of PUT, by their names there. */
static const struct { const char *flag, *name; } parameters[] = {
	{ "allow", "allow" }, { "tools", "tools" }, { "memory", "memory" }, { "fuel", "fuel" },
	{ "cpu", "cpu" }, { "depth", "depth" }, { "message-max", "message" },
	{ "rate", "rate" }, { "strategy", "strategy" }, { "drain", "drain" },
	{ "percent", "percent" }, { "calls", "calls" }, { "wait", "wait" },
	{ "error-percent", "error_percent" }, { "p99-factor", "p99_factor" },
};

/* ---- showing ----------------------------------------------------------------------- */

static double
number(struct val of, const char *name)
{
	struct val v = val_get(of, str_of(name));

	return val_is_number(v) ? val_number(v) : 0;
}

static void
print_words(const char *before, struct val list)
{
	printf("%s", before);
	for (size_t i = 0; i < val_count(list); i++)
		printf("%s%.*s", i > 0 ? "," : "", FMT(val_str(val_at(list, i))));
	if (val_count(list) == 0)
		printf("nothing");
}

static void
print_version(struct val v)
{
	struct val bound = val_get(v, S("limits"));
	struct str error = entry_text(v, "error"), compiler = entry_text(v, "compiler");

	printf("%.0f  %.*s  %.*s%s%.*s  %.0f bytes  %.*s", number(v, "number"),
	    FMT(entry_text(v, "created_at")), FMT(entry_text(v, "state")),
	    compiler.n > 0 ? " " : "", FMT(compiler), number(v, "bytes"),
	    FMT(str_sub(entry_text(v, "hash"), 0, HASH_SHOWN)));
	print_words("  allow=", val_get(v, S("allow")));
	if (val_count(val_get(v, S("tools"))) > 0)
		print_words("  tools=", val_get(v, S("tools")));
	printf("  memory=%.0fKB fuel=%.0f cpu=%.0fus  %.0f calls, %.0f errors, p99 %.1f us",
	    number(bound, "memory") / KB, number(bound, "fuel"), number(bound, "cpu_us"),
	    number(v, "calls"), number(v, "errors"), number(v, "p99_us"));
	if (error.n > 0)
		printf("  error: %.*s", FMT(error));
	putchar('\n');
}

static void
print_head(struct val one)
{
	struct str reload = entry_text(one, "reload"), outcome = entry_text(one, "outcome");

	printf("%.*s%s  current %.0f", FMT(entry_text(one, "name")),
	    val_truthy(val_get(one, S("folder"))) ? " (folder)" : "", number(one, "current"));
	if (reload.n > 0)
		printf("  %.*s under way", FMT(reload));
	if (outcome.n > 0)
		printf("  %.*s", FMT(outcome));
	putchar('\n');
}

static void
print_module(struct val one)
{
	struct val versions = val_get(one, S("versions"));

	print_head(one);
	for (size_t i = 0; i < val_count(versions); i++) {
		printf("  ");
		print_version(val_at(versions, i));
	}
}

/* Of PUT and of a rollback. */
static void
print_answer(struct val one)
{
	print_head(one);
	printf("  ");
	print_version(one);
}

/* ---- asking ------------------------------------------------------------------------- */

/* /wasm/modules/NAME and `behind`. */
static void
add_path(struct buf *b, const struct remote *r, const struct flag_line *l, const char *behind)
{
	char *name = remote_escape(r, l->operand[0]);

	buf_add_fmt(b, "/wasm/modules/%s%s", name, behind);
	free(name);
}

static void
add_parameters(struct buf *b, const struct remote *r, const struct flag_line *l)
{
	char mark = '?';

	for (size_t i = 0; i < COUNT(parameters); i++)
		if (remote_add_parameter(r, b, mark, parameters[i].name,
		    line_text(l, parameters[i].flag)))
			mark = '&';
}

static int
show_answer(struct remote *r, const struct flag_line *l, const char *method, struct str path,
    struct str body, void (*print)(struct val one), struct err *e)
{
	struct val one = VAL_UNDEF;
	int rc = remote_value_in(r, method, path, body, DEPLOY_NS, &one, e);

	if (rc == OK)
		(line_has(l, "json") ? print_value : print)(one);
	val_drop(one);
	return rc;
}

static int
deploy(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), bytes;
	int rc = wasm_local_read(&bytes, l->operand[1], e);

	if (rc == OK && bytes.n == 0)
		rc = err_set(e, ERR_INVALID, "%.*s is empty", FMT(l->operand[1]));
	if (rc == OK) {
		add_path(&path, r, l, "");
		add_parameters(&path, r, l);
		remote_set_type(r, "application/wasm");
		rc = show_answer(r, l, "PUT", buf_str(&path), buf_str(&bytes), print_answer, e);
	}
	buf_release(&bytes);
	buf_release(&path);
	return rc;
}

static int
list(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct val all = VAL_UNDEF;
	int rc = remote_value(r, "GET", S("/wasm/modules"), STR_NONE, &all, e);

	for (size_t i = 0; rc == OK && i < val_count(all); i++)
		(line_has(l, "json") ? print_value : print_head)(val_at(all, i));
	val_drop(all);
	return rc;
}

static int
show(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	int rc;

	add_path(&path, r, l, "");
	rc = show_answer(r, l, "GET", buf_str(&path), STR_NONE, print_module, e);
	buf_release(&path);
	return rc;
}

static int
rollback(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct str to = line_text(l, "number");
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), body = BUF(KB);
	int rc;

	add_path(&path, r, l, "/rollback");
	buf_add_fmt(&body, to.n > 0 ? "{\"number\":%.*s}" : "{}", FMT(to));
	rc = show_answer(r, l, "POST", buf_str(&path), buf_str(&body), print_answer, e);
	buf_release(&path);
	buf_release(&body);
	return rc;
}

static int
delete(struct remote *r, const struct flag_line *l, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	int rc;

	add_path(&path, r, l, "");
	rc = remote_done(r, "DELETE", buf_str(&path), STR_NONE, e);
	buf_release(&path);
	return rc;
}

int
cmd_wasm_deploy(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, deploy);
}

int
cmd_wasm_list(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, list);
}

int
cmd_wasm_show(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, show);
}

int
cmd_wasm_rollback(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, rollback);
}

int
cmd_wasm_delete(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, delete);
}
