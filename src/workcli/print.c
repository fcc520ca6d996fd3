/*
 * print.c - what people read after a command that changed something.
 *
 * Everything comes from the answer, so that it is the same with a daemon,
 * without one, and from a server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

/* `✓ Updated issue: `, in green where there are colours. */
static void
add_done(struct cli_ctx *x, const char *what)
{
	cli_add_ink(x, INK_GREEN, S("\xe2\x9c\x93"));
	buf_add_fmt(&x->out, " %s", what);
}

static void
done(struct cli_ctx *x, const char *what, jnode item, struct str more)
{
	if (x->hand.quiet)
		return;
	add_done(x, what);
	cli_add_line(&x->out, cli_get_str(item, "id"));
	if (more.n > 0) {
		buf_lit(&x->out, ": ");
		cli_add_line(&x->out, more);
	}
	buf_add_char(&x->out, '\n');
}

void
cli_print_created(struct cli_ctx *x, jnode item)
{
	struct buf *b = &x->out;

	if (x->hand.quiet) {
		cli_add_line(b, cli_get_str(item, "id"));
		buf_add_char(b, '\n');
		return;
	}
	add_done(x, "Created issue: ");
	cli_add_line(b, cli_get_str(item, "id"));
	buf_lit(b, "\n  Title: ");
	cli_add_line(b, cli_get_str(item, "title"));
	buf_lit(b, "\n  Priority: ");
	cli_add_priority(x, cli_get_int(item, "priority", 0));
	buf_lit(b, "\n  Status: ");
	cli_add_status(x, cli_get_str(item, "status"), 0);
	buf_add_char(b, '\n');
}

void
cli_print_updated(struct cli_ctx *x, jnode item)
{
	done(x, "Updated issue: ", item, STR_NONE);
}

void
cli_print_closed(struct cli_ctx *x, jnode item)
{
	struct str reason = line_text(x->line, "reason");
	jnode next = json_get(item, S("claimed"));

	done(x, "Closed ", item, reason.n > 0 ? reason : S("Closed"));
	if (json_is_object(next))
		cli_print_claimed(x, next);
	else if (next != NULL && !x->hand.quiet)
		buf_lit(&x->out, "No ready work is left to claim.\n");
}

void
cli_print_reopened(struct cli_ctx *x, jnode item)
{
	struct str reason = line_text(x->line, "reason");

	if (x->hand.quiet)
		return;
	cli_add_ink(x, INK_BLUE, S("\xe2\x86\xbb"));
	buf_lit(&x->out, " Reopened ");
	cli_add_line(&x->out, cli_get_str(item, "id"));
	if (reason.n > 0) {
		buf_lit(&x->out, ": ");
		cli_add_line(&x->out, reason);
	}
	buf_add_char(&x->out, '\n');
}

void
cli_print_claimed(struct cli_ctx *x, jnode item)
{
	jnode lease = json_get(item, S("lease"));

	if (!json_is_object(item)) {
		buf_lit(&x->out, "No ready work to claim.\n");
		return;
	}
	if (x->hand.quiet) {
		cli_add_line(&x->out, cli_get_str(item, "id"));
		buf_add_char(&x->out, '\n');
		return;
	}
	add_done(x, "Claimed ");
	cli_add_line(&x->out, cli_get_str(item, "id"));
	buf_lit(&x->out, ": ");
	cli_add_line(&x->out, cli_get_str(item, "title"));
	buf_lit(&x->out, "\n  Lease of ");
	cli_add_line(&x->out, cli_get_str(lease, "holder"));
	buf_lit(&x->out, " until ");
	cli_add_line(&x->out, cli_get_str(lease, "until"));
	buf_add_char(&x->out, '\n');
}

void
cli_print_released(struct cli_ctx *x, jnode item)
{
	done(x, "Released ", item, STR_NONE);
}

void
cli_print_comment(struct cli_ctx *x, jnode comment)
{
	if (x->hand.quiet)
		return;
	buf_lit(&x->out, "Comment added to ");
	cli_add_line(&x->out, cli_get_str(comment, "issue_id"));
	buf_add_char(&x->out, '\n');
}

/* ---- labels -------------------------------------------------------------------- */

static struct str
label_of(const struct cli_ctx *x)
{
	return x->line->operand[x->line->operands_n - 1];
}

static void
label_done(struct cli_ctx *x, jnode item, const char *verb, const char *joint)
{
	if (x->hand.quiet)
		return;
	add_done(x, verb);
	buf_lit(&x->out, " label '");
	cli_add_line(&x->out, label_of(x));
	buf_add_fmt(&x->out, "' %s ", joint);
	cli_add_line(&x->out, cli_get_str(item, "id"));
	buf_add_char(&x->out, '\n');
}

void
cli_print_labelled(struct cli_ctx *x, jnode item)
{
	label_done(x, item, "Added", "to");
}

void
cli_print_unlabelled(struct cli_ctx *x, jnode item)
{
	label_done(x, item, "Removed", "from");
}

static void
label_json(struct cli_ctx *x, jnode item, const char *status, struct buf *out)
{
	json_add_fmt(out, "{'issue_id':%.*s,'label':%.*s,'status':%s}",
	    FMT(cli_get_str(item, "id")), FMT(label_of(x)), status);
}

void
cli_json_labelled(struct cli_ctx *x, jnode item, struct buf *out)
{
	label_json(x, item, "added", out);
}

void
cli_json_unlabelled(struct cli_ctx *x, jnode item, struct buf *out)
{
	label_json(x, item, "removed", out);
}

/* ---- dependencies ------------------------------------------------------------------ */

void
cli_print_depends(struct cli_ctx *x, jnode data)
{
	struct buf *b = &x->out;

	if (x->hand.quiet)
		return;
	add_done(x, "Added dependency: ");
	cli_add_line(b, cli_get_str(data, "issue_id"));
	buf_lit(b, " depends on ");
	cli_add_line(b, cli_get_str(data, "depends_on_id"));
	buf_lit(b, " (");
	cli_add_line(b, cli_get_str(data, "type"));
	buf_lit(b, ")\n");
}

void
cli_print_independent(struct cli_ctx *x, jnode data)
{
	struct buf *b = &x->out;

	if (x->hand.quiet)
		return;
	add_done(x, "Removed dependency: ");
	cli_add_line(b, cli_get_str(data, "issue_id"));
	buf_lit(b, " no longer depends on ");
	cli_add_line(b, cli_get_str(data, "depends_on_id"));
	buf_add_char(b, '\n');
}

static void
dep_json(jnode data, const char *status, struct buf *out)
{
	json_add_fmt(out, "{'depends_on_id':%.*s,'issue_id':%.*s,'status':%s",
	    FMT(cli_get_str(data, "depends_on_id")), FMT(cli_get_str(data, "issue_id")),
	    status);
}

void
cli_json_depends(struct cli_ctx *x, jnode data, struct buf *out)
{
	(void)x;
	dep_json(data, "added", out);
	json_add_fmt(out, ",'type':%.*s}", FMT(cli_get_str(data, "type")));
}

void
cli_json_independent(struct cli_ctx *x, jnode data, struct buf *out)
{
	(void)x;
	dep_json(data, "removed", out);
	buf_add_char(out, '}');
}

/* ---- delete -------------------------------------------------------------------------- */

static void
add_shorts(struct cli_ctx *x, jnode items)
{
	struct json_iter it = json_each(items);

	while (json_next(&it)) {
		buf_lit(&x->out, "  ");
		cli_add_line(&x->out, cli_get_str(it.value, "id"));
		buf_lit(&x->out, ": ");
		cli_add_line(&x->out, cli_get_str(it.value, "title"));
		buf_add_char(&x->out, '\n');
	}
}

static void
add_ties(struct cli_ctx *x, jnode ties)
{
	struct json_iter it = json_each(ties);

	while (json_next(&it)) {
		buf_lit(&x->out, "  ");
		cli_add_line(&x->out, cli_get_str(it.value, "issue_id"));
		buf_lit(&x->out, " \xe2\x86\x92 ");
		cli_add_line(&x->out, cli_get_str(it.value, "depends_on_id"));
		buf_lit(&x->out, " (");
		cli_add_line(&x->out, cli_get_str(it.value, "type"));
		buf_lit(&x->out, ")\n");
	}
}

static void
delete_preview(struct cli_ctx *x, jnode data)
{
	jnode near = json_get(data, S("dependents"));
	struct buf *b = &x->out;

	cli_add_ink(x, INK_YELLOW, S("DELETE PREVIEW"));
	buf_lit(b, "\n\nIssues to delete:\n");
	add_shorts(x, json_get(data, S("issues")));
	if (cli_get_int(data, "dependencies_removed", 0) > 0) {
		buf_add_fmt(b, "\nDependency links to remove: %lld\n",
		    (long long)cli_get_int(data, "dependencies_removed", 0));
		add_ties(x, json_get(data, S("dependencies")));
	}
	if (json_count(near) > 0) {
		buf_lit(b, "\nConnected issues, which stay:\n");
		add_shorts(x, near);
	}
	buf_add_fmt(b, "\nNothing is deleted yet. To delete: %s delete", x->program);
	for (size_t i = 0; i < x->line->operands_n; i++) {
		buf_add_char(b, ' ');
		cli_add_line(b, x->line->operand[i]);
	}
	buf_lit(b, " --force\n");
}

static void
add_count(struct cli_ctx *x, jnode data, const char *key, const char *words)
{
	long long n = cli_get_int(data, key, 0);

	if (n > 0)
		buf_add_fmt(&x->out, words, n);
}

void
cli_print_deleted(struct cli_ctx *x, jnode data)
{
	struct json_iter it = json_each(json_get(data, S("issues")));

	if (!json_bool(json_get(data, S("deleted")))) {
		delete_preview(x, data);
		return;
	}
	while (json_next(&it))
		done(x, "Deleted ", it.value, STR_NONE);
	if (x->hand.quiet)
		return;
	add_count(x, data, "dependencies_removed", "  Removed %lld dependency link(s)\n");
	add_count(x, data, "references_updated",
	    "  Updated text references in %lld issue(s)\n");
}

/* Appends the members of an object but the one named, each with a comma. */
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

/* As bd tells it: `deleted` is the id, of several an array of them. */
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
	struct buf *b = &x->out;
	size_t shown = 0;

	if (!dry) {
		if (x->hand.quiet)
			return;
		add_done(x, "");
		buf_add_fmt(b, "Renamed %lld issues: prefix ",
		    (long long)cli_get_int(data, "renamed", 0));
	} else {
		buf_add_fmt(b, "DRY RUN: would rename %lld issues: prefix ",
		    (long long)cli_get_int(data, "renamed", 0));
	}
	cli_add_line(b, cli_get_str(data, "old_prefix"));
	buf_lit(b, " \xe2\x86\x92 ");
	cli_add_line(b, cli_get_str(data, "new_prefix"));
	buf_add_char(b, '\n');
	while (dry && shown++ < 5 && json_next(&it)) {
		buf_lit(b, "  ");
		cli_add_line(b, cli_get_str(it.value, "old"));
		buf_lit(b, " -> ");
		cli_add_line(b, cli_get_str(it.value, "new"));
		buf_add_char(b, '\n');
	}
}

/* An item, an edge, or something that `--json` shows. */
static void
batch_answer(struct buf *b, jnode data)
{
	if (cli_get_str(data, "depends_on_id").n > 0) {
		cli_add_line(b, cli_get_str(data, "issue_id"));
		buf_lit(b, " \xe2\x86\x92 ");
		cli_add_line(b, cli_get_str(data, "depends_on_id"));
	} else if (cli_get_str(data, "id").n > 0) {
		cli_add_line(b, cli_get_str(data, "id"));
		if (cli_get_str(data, "title").n > 0)
			buf_lit(b, ": ");
		cli_add_line(b, cli_get_str(data, "title"));
	} else {
		buf_lit(b, "done");
	}
}

static void
batch_result(struct cli_ctx *x, jnode result)
{
	jnode data = json_get(result, S("data"));
	struct buf *b = &x->out;

	if (!json_bool(json_get(result, S("success")))) {
		cli_add_ink(x, INK_RED, S("\xe2\x9c\x97"));
		buf_add_char(b, ' ');
		cli_add_line(b, cli_get_str(result, "error"));
	} else if (json_bool(json_get(result, S("rolled_back")))) {
		buf_lit(b, "- rolled back");
	} else {
		add_done(x, "");
		batch_answer(b, data);
	}
	buf_add_char(b, '\n');
}

void
cli_print_batch(struct cli_ctx *x, jnode data)
{
	struct json_iter it = json_each(json_get(data, S("results")));

	while (!x->hand.quiet && json_next(&it))
		batch_result(x, it.value);
}
