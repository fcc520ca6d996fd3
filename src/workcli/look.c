/*
 * look.c - what commands that only read print for people: one item a line, in
 * columns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include "base/limits.h"

struct widths { size_t id, type, status; };

static size_t
wider(size_t width, struct str s)
{
	return cli_text_width(s) > width ? cli_text_width(s) : width;
}

static struct widths
widths_of(jnode items)
{
	struct json_iter it = json_each(items);
	struct widths w = { 0 };

	while (json_next(&it)) {
		w.id = wider(w.id, cli_get_str(it.value, "id"));
		w.type = wider(w.type, cli_get_str(it.value, "issue_type"));
		w.status = wider(w.status, cli_get_str(it.value, "status"));
	}
	return w;
}

static void
add_labels(struct cli_ctx *x, jnode labels)
{
	if (json_count(labels) == 0)
		return;
	buf_lit(x->out, "  [");
	cli_add_joined(x, labels, INK_CYAN, ' ');
	buf_add_char(x->out, ']');
}

static void
add_row(struct cli_ctx *x, jnode item, struct widths w)
{
	struct buf *b = x->out;

	cli_add_padded(b, cli_get_str(item, "id"), w.id);
	buf_lit(b, "  ");
	cli_add_priority(x, cli_get_int(item, "priority", 0));
	buf_lit(b, "  ");
	cli_add_word(x, cli_get_str(item, "issue_type"), w.type);
	buf_lit(b, "  ");
	if (w.status > 0) {
		cli_add_word(x, cli_get_str(item, "status"), w.status);
		buf_lit(b, "  ");
	}
	cli_add_line(b, cli_get_str(item, "title"));
	cli_add_if(x, item, "assignee", "  @<assignee>");
	add_labels(x, json_get(item, S("labels")));
	buf_add_char(b, '\n');
}

static void
add_rows(struct cli_ctx *x, jnode items, bool status)
{
	struct widths w = widths_of(items);
	struct json_iter it = json_each(items);

	if (!status)
		w.status = 0;
	while (json_next(&it))
		add_row(x, it.value, w);
}

void
cli_print_items(struct cli_ctx *x, jnode items)
{
	add_rows(x, items, true);
}

void
cli_print_ready(struct cli_ctx *x, jnode items)
{
	size_t n = json_count(items);
	struct str limit = line_text(x->line, "limit");
	int64_t most = LIMIT_WORK_READY_ROWS;
	bool cut = (limit.p == NULL || str_to_i64(limit, &most)) && most > 0 &&
	    n >= (size_t)most;

	if (!x->quiet)
		buf_add_fmt(x->out, "\xf0\x9f\x93\x8b Ready work (%s%zu issue%s with no "
		    "blockers%s):\n\n", cut ? "the first " : "", n, n == 1 ? "" : "s",
		    cut ? "; -n 0 shows all" : "");
	add_rows(x, items, false);
}

static void
add_blockers(struct cli_ctx *x, jnode item)
{
	long long n = cli_get_int(item, "blocked_by_count", 0);

	if (n == 0) {
		buf_lit(x->out, "  Blocked by its status\n");
		return;
	}
	buf_add_fmt(x->out, "  Blocked by %lld open dependenc%s: [", n,
	    n == 1 ? "y" : "ies");
	cli_add_joined(x, json_get(item, S("blocked_by")), INK_NONE, ' ');
	buf_lit(x->out, "]\n");
}

void
cli_print_blocked(struct cli_ctx *x, jnode items)
{
	struct widths w = widths_of(items);
	struct json_iter it = json_each(items);

	if (!x->quiet)
		buf_add_fmt(x->out, "\xf0\x9f\x9a\xab Blocked issues (%zu):\n\n",
		    json_count(items));
	while (json_next(&it)) {
		add_row(x, it.value, w);
		add_blockers(x, it.value);
	}
}

/* ---- show --------------------------------------------------------------------------- */

static void
add_part(struct cli_ctx *x, jnode item, const char *key, const char *heading)
{
	struct str s = cli_get_str(item, key);

	if (s.n == 0)
		return;
	buf_add_char(x->out, '\n');
	cli_add_ink(x, INK_BOLD, str_of(heading));
	buf_lit(x->out, ":\n");
	cli_add_lines(x->out, s);
	if (!str_ends(s, S("\n")))
		buf_add_char(x->out, '\n');
}

/* "ID: Title [P1] (open)", with the type of its edge unless that is blocks. */
static void
add_node(struct cli_ctx *x, jnode item, struct str type)
{
	cli_add_fmt(x, item, "<id>: <title> [<priority>] (<status>");
	if (type.n > 0 && !str_eq(type, S("blocks"))) {
		buf_lit(x->out, ", ");
		cli_add_line(x->out, type);
	}
	buf_add_char(x->out, ')');
}

/* Headings and arrows for both ends of an edge; only blocks holds an item back. */
static const struct kind {
	const char *type;
	struct { const char *heading, *arrow; } down, up;
} kinds[] = {
	{ "parent-child", { "Parent", "\xe2\x86\x91" }, { "Children", "\xe2\x86\xb3" } },
	{ "blocks", { "Depends on", "\xe2\x86\x92" }, { "Blocks", "\xe2\x86\x90" } },
	{ "related", { "Related", "\xe2\x86\x94" }, { "Related", "\xe2\x86\x94" } },
	{ "relates-to", { "Relates to", "\xe2\x86\x94" },
	    { "Relates to", "\xe2\x86\x94" } },
	{ "discovered-from", { "Discovered from", "\xe2\x97\x8a" },
	    { "Discovered", "\xe2\x97\x8a" } },
};

static bool
is_neighbour(jnode list, const char *type, struct str id)
{
	struct json_iter it = json_each(list);

	while (json_next(&it)) {
		if (str_eq(cli_get_str(it.value, "dependency_type"), str_of(type)) &&
		    str_eq(cli_get_str(it.value, "id"), id))
			return true;
	}
	return false;
}

/* Those of `list` that `told` lacks. */
static void
add_neighbours(struct cli_ctx *x, jnode list, jnode told, const char *type,
    const char *heading, const char *arrow)
{
	struct json_iter it = json_each(list);
	struct buf *b = x->out, rows = BUF(LIMIT_WORK_OUT_BYTES);
	size_t n = 0;

	x->out = &rows;
	while (json_next(&it)) {
		if (!str_eq(cli_get_str(it.value, "dependency_type"), str_of(type)) ||
		    is_neighbour(told, type, cli_get_str(it.value, "id")))
			continue;
		buf_add_fmt(&rows, "  %s ", arrow);
		add_node(x, it.value, STR_NONE);
		buf_add_char(&rows, '\n');
		n++;
	}
	x->out = b;
	if (n > 0)
		buf_add_fmt(b, "\n%s (%zu):\n", heading, n);
	buf_add(b, buf_str(&rows));
	buf_release(&rows);
}

/* A link that both items have is told once. */
static void
add_all_neighbours(struct cli_ctx *x, jnode item)
{
	jnode down = json_get(item, S("dependencies"));
	jnode up = json_get(item, S("dependents"));

	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++)
		add_neighbours(x, down, NULL, k->type, k->down.heading,
		    k->down.arrow);
	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++)
		add_neighbours(x, up, strcmp(k->down.heading, k->up.heading) == 0 ?
		    down : NULL, k->type, k->up.heading, k->up.arrow);
}

static void
add_comments(struct cli_ctx *x, jnode comments)
{
	struct json_iter it = json_each(comments);
	struct buf *b = x->out;

	while (json_next(&it)) {
		cli_add_fmt(x, it.value, "[<author>] at <created_at>\n  ");
		cli_add_lines(b, cli_get_str(it.value, "text"));
		buf_add_char(b, '\n');
	}
}

static void
add_facts(struct cli_ctx *x, jnode item)
{
	static const struct { const char *key, *template; } facts[] = {
		{ "assignee", "Assignee: <assignee>\n" },
		{ "lease", "Lease: <lease.holder> until <lease.until>\n" },
		{ "estimated_minutes", "Estimated: <estimated_minutes> minutes\n" },
		{ "external_ref", "External ref: <external_ref>\n" },
		{ "created_at", "Created: <created_at>\n" },
		{ "updated_at", "Updated: <updated_at>\n" },
		{ "closed_at", "Closed: <closed_at>\n" },
	};

	cli_add_fmt(x, item, "Status: <status>\nPriority: <priority>\n"
	    "Type: <issue_type>\n");
	for (size_t i = 0; i < COUNT(facts); i++)
		cli_add_if(x, item, facts[i].key, facts[i].template);
}

void
cli_print_show(struct cli_ctx *x, jnode item)
{
	jnode labels = json_get(item, S("labels"));
	jnode comments = json_get(item, S("comments"));
	struct buf *b = x->out;

	buf_add_char(b, '\n');
	cli_add_ink(x, INK_CYAN, cli_get_str(item, "id"));
	cli_add_fmt(x, item, ": <title>\n");
	add_facts(x, item);
	add_part(x, item, "description", "Description");
	add_part(x, item, "design", "Design");
	add_part(x, item, "notes", "Notes");
	add_part(x, item, "acceptance_criteria", "Acceptance Criteria");
	if (json_count(labels) > 0) {
		buf_lit(b, "\nLabels:");
		add_labels(x, labels);
		buf_add_char(b, '\n');
	}
	add_all_neighbours(x, item);
	if (json_count(comments) > 0) {
		buf_add_fmt(b, "\nComments (%zu):\n", json_count(comments));
		add_comments(x, comments);
	}
	buf_add_char(b, '\n');
}

void
cli_print_comments(struct cli_ctx *x, jnode comments)
{
	add_comments(x, comments);
}

/* ---- counts -------------------------------------------------------------------------- */

void
cli_print_stats(struct cli_ctx *x, jnode data)
{
	double hours = json_number(json_get(data, S("average_lead_time_hours")));

	cli_add_fmt(x, data, "\n\xf0\x9f\x93\x8a Statistics:\n\n"
	    "Total Issues:      <total_issues>\n"
	    "Open:              <open_issues>\n"
	    "In Progress:       <in_progress_issues>\n"
	    "Deferred:          <deferred_issues>\n"
	    "Closed:            <closed_issues>\n"
	    "Blocked:           <blocked_issues>\n"
	    "Ready:             <ready_issues>\n");
	if (hours > 0)
		buf_add_fmt(x->out, "%-18s %.1f hours\n", "Avg Lead Time:", hours);
	buf_add_char(x->out, '\n');
}

void
cli_print_labels(struct cli_ctx *x, jnode labels)
{
	struct json_iter it = json_each(labels);

	while (json_next(&it)) {
		cli_add_ink(x, INK_CYAN, json_str(it.value));
		buf_add_char(x->out, '\n');
	}
}

void
cli_print_all_labels(struct cli_ctx *x, jnode labels)
{
	struct json_iter it = json_each(labels);
	size_t width = 0;

	while (json_next(&it))
		width = wider(width, cli_get_str(it.value, "label"));
	it = json_each(labels);
	while (json_next(&it)) {
		long long n = cli_get_int(it.value, "count", 0);

		cli_add_padded(x->out, cli_get_str(it.value, "label"), width);
		buf_add_fmt(x->out, "  (%lld issue%s)\n", n, n == 1 ? "" : "s");
	}
}

/* ---- the graph ------------------------------------------------------------------------ */

void
cli_print_tree(struct cli_ctx *x, jnode rows)
{
	struct json_iter it = json_each(rows);
	struct buf *b = x->out;
	bool cut = false;

	while (json_next(&it)) {
		bool here = json_bool(json_get(it.value, S("truncated")));

		for (int64_t d = cli_get_int(it.value, "depth", 0); d > 0; d--)
			buf_lit(b, "  ");
		buf_lit(b, "\xe2\x86\x92 ");
		add_node(x, it.value, cli_get_str(it.value, "type"));
		buf_add(b, here ? S(" \xe2\x80\xa6 [truncated]\n") : S("\n"));
		cut |= here;
	}
	if (cut)
		buf_lit(b, "\nThe tree goes on below what is truncated; see "
		    "--max-depth.\n");
}

void
cli_print_cycles(struct cli_ctx *x, jnode cycles)
{
	struct json_iter it = json_each(cycles);
	struct buf *b = x->out;

	if (json_count(cycles) == 0) {
		cli_add_fmt(x, cycles, "<ok> No dependency cycles detected\n");
		return;
	}
	buf_add_fmt(b, "Found %zu dependency cycle(s):\n", json_count(cycles));
	while (json_next(&it)) {
		buf_lit(b, "  ");
		cli_add_joined(x, it.value, INK_NONE, ' ');
		buf_add_char(b, '\n');
	}
}

/* ---- the audit -------------------------------------------------------------------------- */

static void
add_plain(struct buf *b, jnode v)
{
	if (json_is_string(v))
		cli_add_line(b, str_sub(json_str(v), 0, 60));
	else
		json_add_node(b, v);
}

/* Times and the id are columns of the event already. */
static bool
is_told(struct str key)
{
	return str_eq(key, S("id")) || str_ends(key, S("_at"));
}

/* Prints the members of `to` that differ in `from`. */
static void
add_differences(struct buf *b, jnode from, jnode to)
{
	struct json_iter it = json_each(to);

	while (json_next(&it)) {
		struct str key = json_str(it.key);
		jnode was = json_get(from, key);

		if (is_told(key) || (was != NULL && json_contains(was, it.value, NULL) &&
		    json_contains(it.value, was, NULL)))
			continue;
		buf_lit(b, "  ");
		cli_add_line(b, key);
		buf_add_char(b, ' ');
		if (was != NULL) {
			add_plain(b, was);
			buf_lit(b, " \xe2\x86\x92 ");
		}
		add_plain(b, it.value);
	}
}

static void
add_change(struct buf *b, jnode from, jnode to)
{
	if (json_is_object(to) && (json_is_object(from) || cli_get_str(to, "title").n == 0)) {
		add_differences(b, from, to);
	} else if (json_is_object(to)) {     /* a new item */
		buf_lit(b, "  ");
		cli_add_line(b, cli_get_str(to, "title"));
	} else if (!json_is_null(to)) {
		buf_lit(b, "  ");
		add_plain(b, to);
	}
}

void
cli_print_events(struct cli_ctx *x, jnode events)
{
	struct json_iter it = json_each(events);
	struct buf *b = x->out;

	while (json_next(&it)) {
		buf_add_fmt(b, "%6lld  ", (long long)cli_get_int(it.value, "seq", 0));
		cli_add_fmt(x, it.value, "<at>  <issue_id:8>  <kind:18>  <actor>");
		add_change(b, json_get(it.value, S("old")), json_get(it.value, S("new")));
		if (json_bool(json_get(it.value, S("ready"))))
			buf_lit(b, "  (ready)");
		buf_add_char(b, '\n');
	}
}
