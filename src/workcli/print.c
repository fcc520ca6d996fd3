/*
 * print.c - what commands that change something print for people.
 *
 * All of it comes from the answer, so it is the same with a daemon, without one
 * and from a server.  Where a template is enough it is in table.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#define SHORT "  <id>: <title>\n"

void
cli_print_closed(struct cli_ctx *x, jnode item)
{
	struct str reason = line_text(x->line, "reason");
	jnode next = json_get(item, S("claimed"));

	if (!x->quiet) {
		cli_add_fmt(x, item, "<ok> Closed <id>: ");
		cli_add_line(x->out, reason.n > 0 ? reason : S("Closed"));
		buf_add_char(x->out, '\n');
	}
	cli_add_if(x, item, "unblocked", "\nNow ready:\n");
	cli_add_each(x, json_get(item, S("unblocked")), SHORT);
	if (json_is_object(next))
		cli_print_claimed(x, next);
	else if (next != NULL && !x->quiet)
		buf_lit(x->out, "No ready work is left to claim.\n");
}

void
cli_print_reopened(struct cli_ctx *x, jnode item)
{
	struct str reason = line_text(x->line, "reason");

	if (x->quiet)
		return;
	cli_add_ink(x, INK_BLUE, S("\xe2\x86\xbb"));
	cli_add_fmt(x, item, reason.n > 0 ? " Reopened <id>: " : " Reopened <id>");
	cli_add_line(x->out, reason);
	buf_add_char(x->out, '\n');
}

void
cli_print_claimed(struct cli_ctx *x, jnode item)
{
	cli_add_fmt(x, item, !json_is_object(item) ? "No ready work to claim.\n" :
	    x->quiet ? "<id>\n" : "<ok> Claimed <id>: <title>\n"
	    "  Lease of <lease.holder> until <lease.until>\n");
}

/* ---- delete -------------------------------------------------------------------------- */

static void
delete_preview(struct cli_ctx *x, jnode data)
{
	struct buf *b = x->out;

	cli_add_ink(x, INK_YELLOW, S("DELETE PREVIEW"));
	buf_lit(b, "\n\nIssues to delete:\n");
	cli_add_each(x, json_get(data, S("issues")), SHORT);
	if (cli_get_int(data, "dependencies_removed", 0) > 0)
		cli_add_fmt(x, data, "\nDependency links to remove: "
		    "<dependencies_removed>\n");
	cli_add_each(x, json_get(data, S("dependencies")),
	    "  <issue_id> \xe2\x86\x92 <depends_on_id> (<type>)\n");
	cli_add_if(x, data, "dependents", "\nConnected issues, which stay:\n");
	cli_add_each(x, json_get(data, S("dependents")), SHORT);
	cli_add_fmt(x, data, "\nNothing is deleted yet. To delete: <program> delete");
	for (size_t i = 0; i < x->line->operands_n; i++) {
		buf_add_char(b, ' ');
		cli_add_line(b, x->line->operand[i]);
	}
	buf_lit(b, " --force\n");
}

void
cli_print_deleted(struct cli_ctx *x, jnode data)
{
	if (!json_bool(json_get(data, S("deleted")))) {
		delete_preview(x, data);
		return;
	}
	if (x->quiet)
		return;
	cli_add_each(x, json_get(data, S("issues")), "<ok> Deleted <id>\n");
	if (cli_get_int(data, "dependencies_removed", 0) > 0)
		cli_add_fmt(x, data, "  Removed <dependencies_removed> dependency "
		    "link(s)\n");
	if (cli_get_int(data, "references_updated", 0) > 0)
		cli_add_fmt(x, data, "  Updated text references in "
		    "<references_updated> issue(s)\n");
}

/* Appends all members of an object except one, each after a comma. */
static void
add_members(jnode o, struct str but, struct buf *out)
{
	struct json_iter it = json_each(o);

	while (json_next(&it)) {
		if (str_eq(json_str(it.key), but))
			continue;
		json_add_fmt(out, ",%p:%p", it.key, it.value);
	}
}

/* As in bd, `deleted` is the id, or an array of several. */
void
cli_json_deleted(struct cli_ctx *x, jnode data, struct buf *out)
{
	struct json_iter it = json_each(json_get(data, S("issues")));
	size_t n = json_count(json_get(data, S("issues")));

	(void)x;
	if (!json_bool(json_get(data, S("deleted")))) {
		json_add_node(out, data);
		return;
	}
	json_add_fmt(out, "{'deleted':%-s", n == 1 ? "" : "[");
	for (const char *comma = ""; json_next(&it); comma = ",")
		json_add_fmt(out, "%-s%.*s", comma, FMT(cli_get_str(it.value, "id")));
	json_add_fmt(out, "%-s,'deleted_count':%zu", n == 1 ? "" : "]", n);
	add_members(data, S("deleted"), out);
	buf_add_char(out, '}');
}

void
cli_json_renamed(struct cli_ctx *x, jnode data, struct buf *out)
{
	(void)x;
	json_add_fmt(out, "{'issues_count':%lld",
	    (long long)cli_get_int(data, "renamed", 0));
	add_members(data, S(""), out);
	buf_add_char(out, '}');
}

/* ---- rename-prefix, batch ---------------------------------------------------------------- */

void
cli_print_renamed(struct cli_ctx *x, jnode data)
{
	struct json_iter it = json_each(json_get(data, S("issues")));
	bool dry = line_has(x->line, "dry-run");

	if (!dry && x->quiet)
		return;
	cli_add_fmt(x, data, dry ? "DRY RUN: would rename" : "<ok> Renamed");
	cli_add_fmt(x, data, " <renamed> issues: prefix <old_prefix> \xe2\x86\x92 "
	    "<new_prefix>\n");
	for (int shown = 0; dry && shown < 5 && json_next(&it); shown++)
		cli_add_fmt(x, it.value, "  <old> -> <new>\n");
}

/* The template for an answer: an item, an edge, or something else. */
static const char *
batch_answer(jnode data)
{
	return cli_get_str(data, "depends_on_id").n > 0 ?
	    "<ok> <issue_id> \xe2\x86\x92 <depends_on_id>\n" :
	    cli_get_str(data, "id").n == 0 ? "<ok> done\n" :
	    cli_get_str(data, "title").n > 0 ? "<ok> <id>: <title>\n" : "<ok> <id>\n";
}

void
cli_print_batch(struct cli_ctx *x, jnode data)
{
	struct json_iter it = json_each(json_get(data, S("results")));

	while (!x->quiet && json_next(&it)) {
		jnode result = json_get(it.value, S("data"));

		if (!json_bool(json_get(it.value, S("success")))) {
			cli_add_ink(x, INK_RED, S("\xe2\x9c\x97"));
			cli_add_fmt(x, it.value, " <error>\n");
		} else if (json_bool(json_get(it.value, S("rolled_back")))) {
			buf_lit(x->out, "- rolled back\n");
		} else {
			cli_add_fmt(x, result, batch_answer(result));
		}
	}
}
