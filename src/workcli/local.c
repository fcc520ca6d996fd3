/*
 * local.c - commands that are no operation: init, sync, merge, events, and what
 * the program says about itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"
#include "workcli/git.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

/* ---- init ------------------------------------------------------------------------- */

/* beads: there is a .beads/ whose items were not imported. */
static void
init_show(struct cli_ctx *x, struct str prefix, bool again, bool beads)
{
	if (x->json) {
		cli_add_json(x, "{'database':%s,'prefix':%.*s,'created':%hhd}",
		    x->workspace->db, FMT(prefix), !again);
	} else if (!x->quiet) {
		cli_add_fmt(x, NULL, "<ok>");
		buf_add_fmt(x->out, " The workspace is %s.\n\n  Database: %s\n"
		    "  Issue prefix: %.*s\n  Issues will be named: %.*s-a3f8, ...\n\n"
		    "Run %s quickstart to get started.\n",
		    again ? "there already" : "ready", x->workspace->db, FMT(prefix),
		    FMT(prefix), x->program);
	}
	if (beads && !x->quiet)
		buf_add_fmt(x->notes, "The items of .beads/ are not in it: '%s init "
		    "--from-beads' takes them over.\n", x->program);
}

/* The imports and the merge driver that were asked for, then the message. */
static int
init_rest(struct cli_ctx *x, bool again)
{
	struct reply r = { 0 };
	struct err e = { 0 };
	int rc = cli_open_client(x, &e);

	if (rc == OK && !again)
		rc = cli_import_made(x, &e);
	if (rc == OK && line_has(x->line, "from-beads"))
		rc = cli_import_beads(x, STR_NONE, line_has(x->line,
		    "skip-bad"), &e);
	if (rc == OK && line_has(x->line, "merge-driver"))
		rc = cli_install_merge_driver(x->workspace, &e);
	if (rc < 0)
		return cli_fail(x, rc, "%s", e.text);
	rc = cli_call(x, "info", STR_NONE, &r);
	if (rc == OK)
		init_show(x, cli_get_str(r.data, "prefix"), again, !line_has(x->line,
		    "from-beads") && access(".beads", F_OK) == 0 &&
		    cli_get_int(r.data, "events", 0) == 0);
	reply_release(&r);
	return rc;
}

int
cli_run_init(struct cli_ctx *x)
{
	struct str prefix = line_text(x->line, "prefix");
	struct buf theirs = BUF(KB);
	struct err e = { 0 };
	int rc = OK;

	while (str_ends(prefix, S("-")))
		prefix.n--;
	if (prefix.n == 0 && line_has(x->line, "from-beads")) {
		rc = cli_beads_prefix(&theirs, &e);
		prefix = buf_str(&theirs);
	}
	if (rc == OK)
		rc = workspace_make(&x->found, ".", prefix, clock_wall_ms(), &e);
	buf_release(&theirs);
	if (rc < 0 && rc != ERR_CONFLICT)
		return cli_fail(x, rc, "%s", e.text);
	x->workspace = &x->found;
	return init_rest(x, rc == ERR_CONFLICT);
}

/* ---- git ---------------------------------------------------------------------------- */

static int
told(struct cli_ctx *x, int rc, const struct err *e)
{
	return rc < 0 ? cli_fail(x, rc, "%s", e->text) : OK;
}

int
cli_run_sync(struct cli_ctx *x)
{
	const struct cli_sync_options o = {
		.message = line_text(x->line, "message"),
		.dry_run = line_has(x->line, "dry-run"),
		.no_pull = line_has(x->line, "no-pull"),
		.no_push = line_has(x->line, "no-push"),
		.flush_only = line_has(x->line, "flush-only"),
		.strict = line_has(x->line, "strict"),
	};
	struct err e = { 0 };

	return told(x, cli_sync(x, &o, &e), &e);
}

int
cli_run_merge(struct cli_ctx *x)
{
	struct err e = { 0 };
	char *name[4] = { NULL };
	int rc;

	for (size_t i = 0; i < x->line->operands_n; i++)
		name[i] = mem_cstr(x->line->operand[i]);
	rc = cli_merge_files(name[0], name[1], name[2], name[3], x->notes, &e);
	for (size_t i = 0; i < x->line->operands_n; i++)
		free(name[i]);
	return told(x, rc, &e);
}

/* ---- events --------------------------------------------------------------------------- */

#define EVENTS_PAUSE_MS 100

static int
events_begin(struct cli_ctx *x, int64_t *after)
{
	struct str given = line_text(x->line, "after");
	struct reply r = { 0 };
	int rc;

	if (given.p != NULL)
		return str_to_i64(given, after) ? OK : cli_fail(x, ERR_SYNTAX,
		    "--after takes a number, not \"%.*s\"", FMT(given));
	rc = cli_call(x, "info", STR_NONE, &r);
	*after = cli_get_int(r.data, "events", 0);
	reply_release(&r);
	return rc;
}

static void
events_show(struct cli_ctx *x, jnode events)
{
	struct json_iter it = json_each(events);

	if (!x->json) {
		cli_print_events(x, events);
		return;
	}
	while (json_next(&it)) {
		json_add_node(x->out, it.value);
		buf_add_char(x->out, '\n');
	}
}

/* Waits for events of the daemon; without one, reads the history. */
static int
events_next(struct cli_ctx *x, int64_t after, int64_t left, struct reply *r)
{
	struct buf args = BUF(256);
	int rc = client_next_event(x->client, after, r);

	if (rc != ERR_AGAIN)
		return rc;
	json_add_fmt(&args, "{'after':%lld,'limit':%lld}", (long long)after,
	    (long long)(left < LIMIT_WORK_EVENTS ? left : LIMIT_WORK_EVENTS));
	rc = cli_call(x, "history", buf_str(&args), r);
	if (rc == OK && json_count(r->data) == 0)
		git_pause_ms(EVENTS_PAUSE_MS);
	buf_release(&args);
	return rc;
}

/* Prints the next events and moves *after and *left past them. */
static int
events_look(struct cli_ctx *x, int64_t *after, int64_t *left)
{
	struct reply r = { 0 };
	int rc = events_next(x, *after, *left, &r);
	size_t n = rc == OK ? json_count(r.data) : 0;

	if (n > 0) {
		events_show(x, r.data);
		cli_flush(x);
		*after = cli_get_int(json_at(r.data, n - 1), "seq", *after);
		*left -= (int64_t)n;
	}
	reply_release(&r);
	return rc;
}

int
cli_run_events(struct cli_ctx *x)
{
	struct str limit = line_text(x->line, "limit");
	int64_t after, left = INT64_MAX;
	int rc;

	if (limit.p != NULL && (!str_to_i64(limit, &left) || left < 1))
		return cli_fail(x, ERR_SYNTAX, "--limit takes a number from 1, not "
		    "\"%.*s\"", FMT(limit));
	rc = events_begin(x, &after);
	while (rc == OK && left > 0 && !x->unwritten)
		rc = events_look(x, &after, &left);
	return rc;
}

/* The version of bd whose commands and answers these are.  Programs made for bd
 * require a minimum, and read the first number of the line. */
#define BD_VERSION "0.9.8"

/* ---- about itself ------------------------------------------------------------------------ */

int
cli_run_version(struct cli_ctx *x)
{
	if (x->json)
		cli_add_json(x, "{'build':'cohort " COHORT_VERSION "','version':'"
		    BD_VERSION "'}");
	else
		buf_lit(x->out, "bd version " BD_VERSION " (cohort "
		    COHORT_VERSION ")\n");
	return OK;
}

static const char quickstart[] =
	"\nGETTING STARTED\n"
	"  <program> init                             make a workspace here\n"
	"  <program> init --from-beads                and take over the items of .beads/\n"
	"\nCREATING\n"
	"  <program> create \"Fix login\" -p 1 -t bug -l auth\n"
	"  <program> create \"Write tests\" --deps blocks:ID\n"
	"  <program> create \"Part\" --parent ID        a child: ID.1\n"
	"  <program> create -f plan.md                many at once\n"
	"\nWORKING\n"
	"  <program> ready                            what can be worked on now\n"
	"  <program> claim --ready                    take the first of it, atomically\n"
	"  <program> comment ID \"found the cause\"\n"
	"  <program> close ID -r \"done\" --claim-next  and take the next\n"
	"\nDEPENDENCIES\n"
	"  <program> dep add ID DEPENDS-ON            ID waits for DEPENDS-ON\n"
	"  <program> dep tree ID\n"
	"  <program> blocked                          what waits, and for what\n"
	"  blocks holds an item back, and what is below it; parent-child makes a\n"
	"  hierarchy; related and discovered-from only tell.\n"
	"\nLOOKING\n"
	"  <program> list -s open -p 0    <program> show ID    <program> search words"
	"    <program> stats\n"
	"\nGIT\n"
	"  <program> sync                             export, commit, pull, merge, push\n"
	"\nAGENTS\n"
	"  <program> prime at the start; --json with any command; --actor NAME or $BD_ACTOR\n"
	"  says who it is. An id may be given without its prefix.\n\n"
	"Ready to start! <program> create \"My first issue\"\n";

int
cli_run_quickstart(struct cli_ctx *x)
{
	cli_add_fmt(x, NULL, quickstart);
	return OK;
}

static int
help_unknown(struct cli_ctx *x, struct str name)
{
	const char *near = cli_command_near(name);
	struct err e;

	if (near == NULL)
		return cli_fail(x, ERR_SYNTAX, "unknown command \"%.*s\"; '%s help' "
		    "lists all", FMT(name), x->program);
	err_near(&e, ERR_SYNTAX, near, "\"", "unknown command \"%.*s\"", FMT(name));
	return cli_fail(x, e.code, "%s", e.text);
}

int
cli_run_help(struct cli_ctx *x)
{
	const struct flag_line *l = x->line;
	struct str first = l->operands_n > 0 ? l->operand[0] : S("");
	struct str shell = line_text(l, "completion");
	const struct cli_command *c;

	if (line_has(l, "man")) {
		cli_add_man(x->out);
		return OK;
	}
	if (line_has(l, "markdown")) {
		cli_add_markdown(x->out);
		return OK;
	}
	if (shell.p != NULL && !str_eq(shell, S("bash")))
		return cli_fail(x, ERR_SYNTAX, "--completion is for bash, not \"%.*s\"",
		    FMT(shell));
	if (shell.p != NULL) {
		cli_completion(x->out);
		return OK;
	}
	c = cli_command_find(l->operands_n == 2 ?
	    arena_fmt(x->a, "%.*s %.*s", FMT(first), FMT(l->operand[1])) : first);
	if (c != NULL && c->refused != NULL)
		buf_add_fmt(x->out, "There is no %s: %s.\n", c->name, c->refused);
	else if (c != NULL)
		cli_add_command_help(x->out, x->program, c);
	else if (l->operands_n == 0 || (l->operands_n == 1 && flags_is_group(&cli_list, first)))
		cli_add_help(x->out, x->program, first);
	else
		return help_unknown(x, first);
	return OK;
}
