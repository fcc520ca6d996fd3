/*
 * cmd_usage.c - `cohort usage`: what models took, by owner, day, model, thread or run; as
 * a table, CSV or JSON lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include "base/limits.h"
#include "main/cmd.h"
#include "main/entry_line.h"
#include "main/mail_remote.h"
#include "workcli/cmd.h"

const struct flag cmd_usage_flags[] = {
	{ "owner", .kind = FLAG_TEXT, .value = "LIST", .help = "of these owners, with commas "
	  "between them; needs the scope admin; else the caller's own" },
	{ "by", .kind = FLAG_TEXT, .value = "WHAT", .fallback = "day",
	  .help = "a line for each day, model, thread or run; owner: for each of all owners, "
	  "needs the scope admin; total: one for all" },
	{ "from", .kind = FLAG_TEXT, .value = "DAY", .help = "the first day (UTC), as in 2026-11-01" },
	{ "to", .kind = FLAG_TEXT, .value = "DAY", .help = "the last one" },
	{ "csv", .help = "comma-separated values, with a line of names" },
	{ "json", .help = "each line as JSON" },
	REMOTE_FLAGS,
	{ NULL }
};

static const char *const sums[] = { "calls", "input_tokens", "cached_tokens", "output_tokens",
	"reasoning_tokens", "cost" };

enum form { TABLE, CSV, JSON };

struct report {
	struct remote *r;
	enum form form;
	struct str by, from, to, owner;      /* owner: of the rows at hand; empty: the caller */
	const char *key;                     /* of a group; NULL: total */
};

/* Is the owner a column of its own?  Else the groups are owners. */
static bool
has_owner(const struct report *x)
{
	return x->key == NULL || !str_eq(x->by, S("owner"));
}

/* ---- showing ----------------------------------------------------------------------------- */

/* What a spreadsheet would take for a formula gets an apostrophe. */
static void
add_field(struct buf *b, struct str s)
{
	bool formula = s.n > 0 && str_index(S("=+-@\t\r"), s.p[0]) >= 0;

	buf_add_char(b, '"');
	if (formula)
		buf_add_char(b, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			buf_add_char(b, '"');
		buf_add_char(b, s.p[i]);
	}
	buf_add_char(b, '"');
}

static void
print_head(const struct report *x)
{
	if (x->form == CSV)
		printf("%s%s,calls,input_tokens,cached_tokens,output_tokens,"
		    "reasoning_tokens,cost\n", has_owner(x) ? "owner," : "", x->key != NULL ? x->key : "total");
	else if (x->form == TABLE)
		printf("%10s %14s %14s %14s %14s %12s  %s\n", "CALLS", "INPUT", "CACHED", "OUTPUT",
		    "REASONING", "COST", "OF");
}

static void
print_row(const struct report *x, struct val row)
{
	static const int widths[] = { 10, 15, 15, 15, 15, 13 };
	struct str name = x->key != NULL ? entry_text(row, x->key) : S("total");
	struct buf b = BUF(64 * KB), n = BUF(64);

	if (x->form == JSON) {
		buf_add_char(&b, '{');
		if (has_owner(x))
			json_add_fmt(&b, "'owner':%.*s,", FMT(x->owner));
		json_add_fmt(&b, "%s:%.*s", x->key != NULL ? x->key : "total", FMT(name));
	} else if (x->form == CSV) {
		if (has_owner(x)) {
			add_field(&b, x->owner);
			buf_add_char(&b, ',');
		}
		add_field(&b, name);
	}
	for (size_t i = 0; i < COUNT(sums); i++) {
		buf_clear(&n);
		val_add_json(&n, val_get(row, str_of(sums[i])));
		if (x->form == TABLE)
			buf_add_fmt(&b, "%*s", widths[i], n.n > 0 ? n.p : "-");
		else if (x->form == CSV)
			buf_add_fmt(&b, ",%.*s", FMT(buf_str(&n)));
		else
			json_add_fmt(&b, ",%s:%-.*s", sums[i], FMT(buf_str(&n)));
	}
	if (x->form == TABLE) {
		buf_lit(&b, "  ");
		cli_add_line(&b, name);
		if (x->owner.n > 0)
			buf_lit(&b, " ");
		cli_add_line(&b, x->owner);
	}
	printf("%.*s%s\n", FMT(buf_str(&b)), x->form == JSON ? "}" : "");
	buf_release(&b);
	buf_release(&n);
}

/* ---- asking -------------------------------------------------------------------------------- */

static int
of_owner(const struct report *x, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	size_t n = LIMIT_PAGE_ROWS;
	int rc = OK;

	for (int64_t offset = 0; rc == OK && n == LIMIT_PAGE_ROWS; offset += LIMIT_PAGE_ROWS) {
		struct val page = VAL_UNDEF, groups;

		buf_clear(&path);
		buf_add_fmt(&path, "/usage?limit=%d&offset=%lld", LIMIT_PAGE_ROWS,
		    (long long)offset);
		if (x->key != NULL)
			remote_add_parameter(x->r, &path, '&', "group_by", x->by);
		remote_add_parameter(x->r, &path, '&', "from", x->from);
		remote_add_parameter(x->r, &path, '&', "to", x->to);
		remote_add_parameter(x->r, &path, '&', "owner", x->owner);
		rc = remote_value(x->r, "GET", buf_str(&path), STR_NONE, &page, e);
		groups = val_get(page, S("groups"));
		n = rc == OK ? val_count(groups) : 0;
		for (size_t i = 0; i < n; i++)
			print_row(x, val_at(groups, i));
		if (rc == OK && x->key == NULL)
			print_row(x, val_get(page, S("total")));
		val_drop(page);
	}
	buf_release(&path);
	return rc;
}

static int
usage(struct remote *r, const struct flag_line *l, struct err *e)
{
	static const struct { const char *by, *key; } groups[] = { { "day", "day" },
		{ "model", "model" }, { "thread", "thread_id" }, { "run", "run_id" },
		{ "owner", "owner" },
		{ "total", NULL } };
	struct report x = { .r = r, .form = line_has(l, "csv") ? CSV : line_has(l, "json") ? JSON :
	    TABLE, .by = line_text(l, "by"), .from = line_text(l, "from"), .to = line_text(l, "to") };
	struct str rest = line_text(l, "owner");
	size_t i = 0;
	int rc = OK;

	if (x.by.n == 0)
		x.by = S("day");
	while (i < COUNT(groups) && !str_eq(x.by, str_of(groups[i].by)))
		i++;
	if (i == COUNT(groups))
		return err_set(e, ERR_METHOD, "--by: expected day, model, thread, run, owner or total, got "
		    "\"%.*s\"", FMT(str_cut(x.by, 40)));
	x.key = groups[i].key;
	print_head(&x);
	if (rest.n == 0)
		return of_owner(&x, e);
	while (rc == OK && rest.n > 0 && str_next(&rest, ',', &x.owner)) {
		x.owner = str_trim(x.owner);
		rc = of_owner(&x, e);
	}
	return rc;
}

int
cmd_usage(const struct flag_command *cmd, int argc, char **argv)
{
	return remote_command(cmd, argc, argv, usage);
}
