/*
 * report.c - commands of bd that are answered by other operations: config, dep
 * list, epic status, count, stale and others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include "base/limits.h"

/* ---- settings ----------------------------------------------------------------------- */

void
cli_print_config(struct cli_ctx *x, jnode config)
{
	struct json_iter it = json_each(config);

	buf_lit(x->out, "\nConfiguration:\n");
	while (json_next(&it)) {
		buf_lit(x->out, "  ");
		cli_add_line(x->out, json_str(it.key));
		buf_lit(x->out, " = ");
		cli_add_line(x->out, json_str(it.value));
		buf_add_char(x->out, '\n');
	}
}

/* bd's file of settings calls the prefix issue-prefix. */
static struct str
setting_key(const struct cli_ctx *x)
{
	struct str key = x->line->operand[0];

	return str_eq(key, S("issue-prefix")) ? S("issue_prefix") : key;
}

void
cli_print_setting(struct cli_ctx *x, jnode config)
{
	struct str key = setting_key(x), value = json_str(json_get(config, key));

	cli_add_lines(x->out, value.n > 0 ? value : key);
	buf_add(x->out, value.n > 0 ? S("\n") : S(" (not set)\n"));
}

void
cli_json_setting(struct cli_ctx *x, jnode config, struct buf *out)
{
	struct str key = setting_key(x);

	json_add_fmt(out, "{'key':%.*s,'value':%.*s}", FMT(key),
	    FMT(json_str(json_get(config, key))));
}

/* ---- dependencies ------------------------------------------------------------------- */

static bool
is_upwards(const struct cli_ctx *x)
{
	return str_eq(line_text(x->line, "direction"), S("up"));
}

/* Moves to the next neighbour of the type that was asked for. */
static bool
neighbour_next(const struct cli_ctx *x, struct json_iter *it)
{
	struct str type = line_text(x->line, "type");
	bool more;

	do
		more = json_next(it);
	while (more && type.p != NULL &&
	    !str_eq(cli_get_str(it->value, "dependency_type"), type));
	return more;
}

static struct json_iter
neighbours(const struct cli_ctx *x, jnode item)
{
	return json_each(json_get(item, is_upwards(x) ? S("dependents") :
	    S("dependencies")));
}

void
cli_print_dep_list(struct cli_ctx *x, jnode item)
{
	struct json_iter it = neighbours(x, item);
	bool any = false;

	for (; neighbour_next(x, &it); any = true) {
		if (!any && !x->quiet)
			cli_add_fmt(x, item, is_upwards(x) ?
			    "\n\xf0\x9f\x93\x8b Issues that depend on <id>:\n\n" :
			    "\n\xf0\x9f\x93\x8b <id> depends on:\n\n");
		cli_add_fmt(x, it.value, "  <id>: <title> [<priority>] (<status>) via "
		    "<dependency_type>\n");
	}
	if (!x->quiet)
		cli_add_fmt(x, item, any ? "\n" : is_upwards(x) ?
		    "\nNo issues depend on <id>\n" : "\n<id> has no dependencies\n");
}

void
cli_json_dep_list(struct cli_ctx *x, jnode item, struct buf *out)
{
	struct json_iter it = neighbours(x, item);

	buf_add_char(out, '[');
	while (neighbour_next(x, &it))
		json_add_fmt(out, ",%p", it.value);
	buf_add_char(out, ']');
}

static bool
is_dep_type(struct str type)
{
	size_t i = 0;

	while (work_dep_names[i] != NULL && !str_eq(type, str_of(work_dep_names[i])))
		i++;
	return work_dep_names[i] != NULL;
}

int
cli_run_dep_list(struct cli_ctx *x)
{
	struct str way = line_text(x->line, "direction");
	struct str type = line_text(x->line, "type");

	if (way.p != NULL && !is_upwards(x) && !str_eq(way, S("down")))
		return cli_fail(x, ERR_SYNTAX, "--direction takes down or up, not "
		    "\"%.*s\"", FMT(way));
	if (type.p != NULL && !is_dep_type(type))
		return cli_fail(x, ERR_SYNTAX, "--type: there is no dependency of the "
		    "type \"%.*s\"", FMT(type));
	return cli_run_one(x);
}

int
cli_run_relate(struct cli_ctx *x)
{
	return cli_run_with(x, x->cmd->operation, "dep_type", S("relates-to"));
}

static int
unrelate(struct cli_ctx *x, struct str from, struct str to, struct reply *r)
{
	struct buf args = BUF(LIMIT_WORK_LINE_BYTES);
	int rc;

	json_add_fmt(&args, "{'from_id':%.*s,'to_id':%.*s,'dep_type':'relates-to'}",
	    FMT(from), FMT(to));
	rc = client_call(x->client, x->cmd->operation, buf_str(&args), r);
	buf_release(&args);
	return rc;
}

/* Removes the link in both directions; one of them may be missing. */
int
cli_run_unrelate(struct cli_ctx *x)
{
	const struct str *id = x->line->operand;
	struct reply there = { 0 }, back = { 0 };
	int rc = unrelate(x, id[0], id[1], &there);

	if (unrelate(x, id[1], id[0], &back) == OK && rc != OK)
		rc = OK;
	if (rc == OK)
		cli_show(x, there.rc == OK ? &there : &back);
	else
		cli_fail(x, rc, "%s", there.err.text);
	reply_release(&there);
	reply_release(&back);
	return rc;
}

/* ---- epics ---------------------------------------------------------------------------- */

struct epics {
	struct cli_ctx *x;
	struct buf json;                     /* the objects of the answer */
};

/* Children are the dependents by parent-child. */
static void
epic_add(struct epics *s, jnode epic, jnode shown)
{
	struct json_iter it = json_each(json_get(shown, S("dependents")));
	long long total = 0, closed = 0;
	bool eligible;

	while (json_next(&it)) {
		if (!str_eq(cli_get_str(it.value, "dependency_type"), S("parent-child")))
			continue;
		total++;
		closed += str_eq(cli_get_str(it.value, "status"), S("closed"));
	}
	eligible = total > 0 && closed == total;
	if (eligible || !line_has(s->x->line, "eligible-only"))
		json_add_fmt(&s->json, ",{'epic':%p,'total_children':%lld,"
		    "'closed_children':%lld,'eligible_for_close':%hhd}", epic, total,
		    closed, eligible);
}

/* An epic that was deleted after the list was read is left out. */
static int
epic_take(struct epics *s, jnode epic)
{
	struct buf args = BUF(KB);
	struct reply r = { 0 };
	int rc;

	if (str_eq(cli_get_str(epic, "status"), S("closed")))
		return OK;
	json_add_fmt(&args, "{'id':%.*s}", FMT(cli_get_str(epic, "id")));
	rc = client_call(s->x->client, "show", buf_str(&args), &r);
	if (rc == OK)
		epic_add(s, epic, r.data);
	else if (rc != ERR_NOTFOUND)
		cli_fail(s->x, rc, "%s", r.err.text);
	buf_release(&args);
	reply_release(&r);
	return rc == ERR_NOTFOUND ? OK : rc;
}

static int
epics_show(struct epics *s)
{
	struct reply r = { .data_text = buf_str(&s->json) };
	struct err e = { 0 };
	int rc = s->json.failed ? err_set(&e, ERR_TOOBIG, "too many epics") :
	    json_parse(&r.doc, r.data_text, &e);

	r.data = r.doc.root;
	if (rc == OK)
		cli_show(s->x, &r);
	else
		cli_fail(s->x, rc, "%s", e.text);
	reply_release(&r);
	return rc;
}

int
cli_run_epic_status(struct cli_ctx *x)
{
	struct epics s = { .x = x, .json = BUF(LIMIT_WORK_OUT_BYTES) };
	struct reply r = { 0 };
	int rc = cli_call(x, x->cmd->operation, S("{\"issue_type\":\"epic\"}"), &r);
	struct json_iter it = json_each(r.data);

	buf_add_char(&s.json, '[');
	while (rc == OK && json_next(&it))
		rc = epic_take(&s, it.value);
	buf_add_char(&s.json, ']');
	if (rc == OK)
		rc = epics_show(&s);
	reply_release(&r);
	buf_release(&s.json);
	return rc;
}

void
cli_print_epics(struct cli_ctx *x, jnode epics)
{
	struct json_iter it = json_each(epics);

	while (json_next(&it)) {
		long long total = cli_get_int(it.value, "total_children", 0);
		long long closed = cli_get_int(it.value, "closed_children", 0);
		bool eligible = json_bool(json_get(it.value, S("eligible_for_close")));

		cli_add_fmt(x, it.value, eligible ? "<ok> <epic.id> <epic.title>\n" :
		    "\xe2\x97\x8b <epic.id> <epic.title>\n");
		buf_add_fmt(x->out, "   Progress: %lld/%lld children closed (%lld%%)\n%s\n",
		    closed, total, total > 0 ? closed * 100 / total : 0,
		    eligible ? "   Eligible for closure\n" : "");
	}
}

/* ---- counts ----------------------------------------------------------------------------- */

int
cli_run_count(struct cli_ctx *x)
{
	const struct flag_line *l = x->line;
	const char *by = NULL;

	for (size_t i = 0; i < l->given_n; i++) {
		struct str name = str_of(l->given[i].flag->name);

		if (!str_starts(name, S("by-")) || !line_has(l, name.p))
			continue;
		if (by != NULL && !str_eq(name, str_of(by)))
			return cli_fail(x, ERR_SYNTAX, "--%s does not go with --%s", name.p, by);
		by = name.p;
	}
	return cli_run_with(x, x->cmd->operation, by != NULL ? "by" : NULL,
	    by != NULL ? str_of(by + 3) : STR_NONE);
}

void
cli_print_count(struct cli_ctx *x, jnode data)
{
	if (json_get(data, S("groups")) == NULL) {
		cli_add_fmt(x, data, "<count>\n");
		return;
	}
	if (!x->quiet)
		cli_add_fmt(x, data, "Total: <total>\n\n");
	cli_add_each(x, json_get(data, S("groups")), "<group>: <count>\n");
}

/* ---- stale ------------------------------------------------------------------------------- */

#define STALE_DAYS "30"

static struct str
given_or(const struct cli_ctx *x, const char *flag, const char *fallback)
{
	struct str s = line_text(x->line, flag);

	return s.p != NULL ? s : str_of(fallback);
}

int
cli_run_stale(struct cli_ctx *x)
{
	struct str days = given_or(x, "days", STALE_DAYS);
	struct str limit = given_or(x, "limit", "50");
	struct str status = given_or(x, "status", "open,in_progress,blocked,deferred");
	struct buf args = BUF(LIMIT_WORK_LINE_BYTES);
	struct reply r = { 0 };
	int64_t n, most;
	int rc;

	if (!str_to_i64(days, &n) || n < 1 || n > 36500 || !str_to_i64(limit, &most))
		return cli_fail(x, ERR_SYNTAX, "--days and --limit take a number, days "
		    "from 1 to 36500");
	json_add_fmt(&args, "{'updated_before':'%-.*sd','status':%.*s,'sort':'updated',"
	    "'reverse':true,'limit':%lld}", FMT(days), FMT(status), (long long)most);
	rc = cli_call(x, x->cmd->operation, buf_str(&args), &r);
	if (rc == OK)
		cli_show(x, &r);
	reply_release(&r);
	buf_release(&args);
	return rc;
}

void
cli_print_stale(struct cli_ctx *x, jnode items)
{
	if (!x->quiet)
		buf_add_fmt(x->out, "\xe2\x8f\xb0 Stale issues (%zu not updated in "
		    "%.*s+ days):\n\n", json_count(items), FMT(given_or(x, "days", STALE_DAYS)));
	cli_add_each(x, items, "<id>: <title> [<priority>] (<status>), last updated "
	    "<updated_at>\n");
}

/* ---- ready --claim ----------------------------------------------------------------------- */

/* An array of one item or none, as ready gives. */
static void
claimed_json(struct cli_ctx *x, jnode item, struct buf *out)
{
	(void)x;
	json_add_fmt(out, json_is_object(item) ? "[%p]" : "[]", item);
}

int
cli_run_ready(struct cli_ctx *x)
{
	static const struct cli_command claim = { .name = "ready", .operation = "claim",
		.print = cli_print_claimed, .json = claimed_json };

	if (line_has(x->line, "claim"))
		x->cmd = &claim;
	return cli_run_one(x);
}

/* ---- nothing ---------------------------------------------------------------------------- */

int
cli_run_nothing(struct cli_ctx *x)
{
	cli_show(x, &(struct reply){ .data = NULL });
	return OK;
}
