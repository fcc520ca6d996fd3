/*
 * run.c - commands that are one operation, or one an item.
 *
 * With several ids every one is tried: a failure is reported and makes the exit
 * code 1, but does not stop the others.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "work/exchange/exchange.h"

/* Writes the line's arguments without the closing brace.  ERR_SYNTAX: a usage
 * error, reported. */
static int
args_begin(struct cli_ctx *x, struct buf *args)
{
	struct err e = { 0 };

	buf_clear(args);
	buf_add_char(args, '{');
	if (args_add_line(x->line, x->cmd, args, &e) < 0)
		return cli_fail(x, ERR_SYNTAX, "%s", e.text);
	return OK;
}

static struct str
args_end(struct buf *args)
{
	buf_add_char(args, '}');
	return buf_str(args);
}

int
cli_run_with(struct cli_ctx *x, const char *operation, const char *key,
    struct str value)
{
	struct buf args = BUF(LIMIT_WORK_LINE_BYTES);
	struct reply r = { 0 };
	int rc = args_begin(x, &args);

	assert(operation != NULL);
	if (key != NULL)
		args_add_text(&args, key, value);
	if (rc == OK)
		rc = cli_call(x, operation, args_end(&args), &r);
	if (rc == OK)
		cli_show(x, &r);
	reply_release(&r);
	buf_release(&args);
	return rc;
}

int
cli_run_one(struct cli_ctx *x)
{
	return cli_run_with(x, x->cmd->operation, NULL, STR_NONE);
}

/* ---- several ids --------------------------------------------------------------------- */

struct each {
	struct cli_ctx *x;
	bool array;                          /* JSON: always an array */
	size_t n;                            /* operands that are ids */
	struct buf args, json;
	const char *extra_key;               /* one more argument, or NULL */
	struct str extra;
};

static void
each_add_json(struct each *s, const struct reply *r)
{
	json_add_comma(&s->json);
	cli_json(s->x, r->data, r->data_text, &s->json);
}

static int
each_call(struct each *s, struct str id)
{
	struct reply r = { 0 };
	int rc = args_begin(s->x, &s->args);

	if (rc < 0)
		return rc;
	args_add_text(&s->args, "id", id);
	if (s->extra_key != NULL)
		args_add_text(&s->args, s->extra_key, s->extra);
	rc = cli_call(s->x, s->x->cmd->operation, args_end(&s->args), &r);
	if (rc == OK && s->x->json)
		each_add_json(s, &r);
	else if (rc == OK)
		cli_print(s->x, r.data);
	reply_release(&r);
	return rc;
}

static void
each_show(struct each *s)
{
	if (s->json.n > 0)
		cli_add_json(s->x, s->array || s->n > 1 ? "[%-.*s]" : "%-.*s",
		    FMT(buf_str(&s->json)));
}

/* Returns the last failure.  A timeout ends the loop: the next call would wait,
 * too. */
static int
each_run(struct each *s)
{
	int worst = OK;

	s->args = BUF(LIMIT_WORK_LINE_BYTES);
	s->json = BUF(LIMIT_WORK_OUT_BYTES);
	for (size_t i = 0; i < s->n; i++) {
		struct str id = s->x->line->operand[i];
		int rc = str_is_utf8(id) ? each_call(s, id) :
		    cli_fail(s->x, ERR_INVALID, "\"%.*s\": not UTF-8", FMT(id));

		if (rc < 0)
			worst = rc;
		if (rc == ERR_TIMEOUT || rc == ERR_SYNTAX)
			break;
	}
	if (s->x->json)
		each_show(s);
	buf_release(&s->args);
	buf_release(&s->json);
	return worst;
}

int
cli_run_each(struct cli_ctx *x)
{
	struct each s = { .x = x, .n = x->line->operands_n };

	return each_run(&s);
}

int
cli_run_array(struct cli_ctx *x)
{
	struct each s = { .x = x, .n = x->line->operands_n, .array = true };

	return each_run(&s);
}

int
cli_run_close(struct cli_ctx *x)
{
	if (x->line->operands_n > 1 && line_has(x->line, "claim-next"))
		return cli_fail(x, ERR_SYNTAX, "--claim-next goes with one id");
	return cli_run_array(x);
}

int
cli_run_label(struct cli_ctx *x)
{
	struct each s = { .x = x, .n = x->line->operands_n - 1, .extra_key = "label" };

	s.extra = x->line->operand[s.n];
	return each_run(&s);
}

/* The first flag that is an argument of the operation, or NULL. */
static const struct flag *
first_argument(const struct flag_line *l)
{
	for (size_t i = 0; i < l->given_n; i++) {
		if (l->given[i].flag->arg != NULL)
			return l->given[i].flag;
	}
	return NULL;
}

int
cli_run_update(struct cli_ctx *x)
{
	struct each s = { .x = x, .n = x->line->operands_n };

	if (first_argument(x->line) != NULL)
		return each_run(&s);
	buf_lit(x->json ? x->notes : x->out, "No updates specified\n");
	return OK;
}

int
cli_run_claim(struct cli_ctx *x)
{
	struct each s = { .x = x, .n = x->line->operands_n };
	bool ready = line_has(x->line, "ready");

	if (ready == (s.n > 0))
		return cli_fail(x, ERR_SYNTAX, ready ?
		    "claim takes ids or --ready, not both" :
		    "claim what? Give an id, or --ready for the first ready one");
	return ready ? cli_run_one(x) : each_run(&s);
}

/* --dry-run wins over --force. */
int
cli_run_delete(struct cli_ctx *x)
{
	const struct flag_line *l = x->line;

	for (size_t i = 0; line_has(l, "dry-run") && i < l->given_n; i++) {
		if (strcmp(l->given[i].flag->name, "force") == 0)
			l->given[i].value = S("false");
	}
	return cli_run_one(x);
}

/* ---- lists ----------------------------------------------------------------------------- */

/* An answer in pages.  If it fits on one page, the daemon gives it; else all pages
 * are read directly from one snapshot and printed one by one. */
struct pages {
	struct cli_ctx *x;
	const char *operation;
	int64_t left;                        /* of --limit; INT64_MAX: none */
	size_t shown;
	struct buf after, args;
	/* For list --format; else pages are printed as the command prints. */
	void (*draw)(struct cli_format *f, struct buf *b, jnode items);
	struct cli_format *drawn;
};

/* --limit counts the items of all pages together. */
static void
pages_limit(struct pages *p)
{
	const struct flag_line *l = p->x->line;
	int64_t most = p->left < LIMIT_WORK_ROWS ? p->left : LIMIT_WORK_ROWS;

	for (size_t i = 0; p->left != INT64_MAX && i < l->given_n; i++) {
		if (strcmp(l->given[i].flag->name, "limit") == 0)
			l->given[i].value = arena_fmt(p->x->a, "%lld",
			    (long long)most);
	}
}

/* The text of the array in `{"items":[...],"next":...}`. */
static struct str
page_text(const struct reply *r)
{
	struct str begin = S("{\"items\":"), s = r->data_text;
	size_t end = s.n;

	while (end > 0 && s.p[end - 1] != ']')
		end--;
	return str_sub(s, begin.n, end > begin.n ? end - begin.n : 0);
}

static int
page_ask(struct pages *p, struct reply *r)
{
	int rc;

	pages_limit(p);
	rc = args_begin(p->x, &p->args);
	if (rc != OK)
		return rc;
	json_add_key(&p->args, "page");
	buf_lit(&p->args, "true");
	if (p->after.n > 0)
		args_add_text(&p->args, "after", buf_str(&p->after));
	return cli_call(p->x, p->operation, args_end(&p->args), r);
}

/* Prints the values of one page, indented as parts of the whole array. */
static void
json_part(struct pages *p, struct str array)
{
	struct buf *out = p->x->out, one = BUF(LIMIT_WORK_OUT_BYTES);
	struct str s;

	cli_add_indented(&one, array);
	s = buf_str(&one);
	buf_add(out, p->shown == 0 ? S("[\n") : S(",\n"));
	buf_add(out, str_sub(s, 2, s.n > 5 ? s.n - 5 : 0));
	buf_release(&one);
}

static void
page_show(struct pages *p, jnode items, struct str text, bool whole)
{
	struct cli_ctx *x = p->x;
	bool quiet = x->quiet;

	x->quiet = quiet || !whole;     /* a heading would count one page */
	if (!x->json)
		cli_print(x, items);
	else if (whole)
		cli_add_indented(x->out, text);
	else if (json_count(items) > 0)
		json_part(p, text);
	x->quiet = quiet;
}

static void
page_take(struct pages *p, const struct reply *r, bool whole)
{
	jnode items = json_get(r->data, S("items"));

	if (p->draw != NULL)
		p->draw(p->drawn, p->x->out, items);
	else
		page_show(p, items, page_text(r), whole);
	p->shown += json_count(items);
	if (p->left != INT64_MAX)
		p->left -= (int64_t)json_count(items);
	buf_clear(&p->after);
	buf_add(&p->after, cli_get_str(r->data, "next"));
	if (!whole)
		cli_flush(p->x);
}

static int
pages_rest(struct pages *p)
{
	struct reply r = { 0 };
	struct err e;
	int rc = client_hold(p->x->client, &e);

	if (rc != OK)
		return cli_fail(p->x, rc, "%s", e.text);
	do {
		rc = page_ask(p, &r);
		if (rc == OK)
			page_take(p, &r, false);
	} while (rc == OK && p->after.n > 0 && p->left > 0 &&
	    !p->x->unwritten);
	client_let_go(p->x->client);
	reply_release(&r);
	return rc;
}

static int
pages_run(struct pages *p)
{
	struct str limit = line_text(p->x->line, "limit");
	struct reply r = { 0 };
	bool whole;
	int rc;

	p->args = BUF(LIMIT_WORK_LINE_BYTES);
	p->after = BUF(KB);
	if (!str_to_i64(limit, &p->left) || p->left <= 0)
		p->left = INT64_MAX;
	rc = page_ask(p, &r);
	whole = rc == OK && (cli_get_str(r.data, "next").n == 0 ||
	    (int64_t)json_count(json_get(r.data, S("items"))) >= p->left);
	if (whole)
		page_take(p, &r, true);
	reply_release(&r);
	if (rc == OK && !whole)
		rc = pages_rest(p);
	buf_release(&p->args);
	buf_release(&p->after);
	return rc;
}

int
cli_run_pages(struct cli_ctx *x)
{
	struct pages p = { .x = x, .operation = x->cmd->operation };
	int rc = pages_run(&p);

	/* Pages were flushed; only the closing bracket is missing. */
	if (rc == OK && x->json && p.shown > 0 && x->out->n == 0)
		buf_lit(x->out, "\n]\n");
	return rc;
}

/* A graph needs all its nodes before its edges: the list is read twice. */
static int
list_formatted(struct cli_ctx *x, struct str format)
{
	struct cli_format f;
	struct pages p = { .x = x, .operation = "list", .drawn = &f };
	struct err e = { 0 };
	int rc = OK;

	if (cli_format_check(format, &e) < 0)
		return cli_fail(x, ERR_SYNTAX, "%s", e.text);
	cli_format_init(&f, format);
	if (f.graph) {
		p.draw = cli_format_know;
		rc = pages_run(&p);
	}
	if (rc == OK) {
		p.draw = cli_format_add;
		rc = pages_run(&p);
	}
	if (rc == OK)
		cli_format_end(&f, x->out);
	cli_format_release(&f);
	return rc;
}

int
cli_run_list(struct cli_ctx *x)
{
	struct str format = line_text(x->line, "format");

	if (str_eq(format, S("json"))) {
		x->json = true;
		format = STR_NONE;
	}
	return format.p != NULL ? list_formatted(x, format) : cli_run_pages(x);
}

/* ---- create ------------------------------------------------------------------------------ */

static void
show_created(struct cli_ctx *x, jnode results, struct str file)
{
	struct json_iter it = json_each(results);
	struct buf json = BUF(LIMIT_WORK_OUT_BYTES);

	if (!x->json && !x->quiet)
		buf_add_fmt(x->out, "\xe2\x9c\x93 Created %zu issues from %.*s:\n",
		    json_count(results), FMT(file));
	while (json_next(&it)) {
		jnode item = json_get(it.value, S("data"));

		if (x->json)
			json_add_fmt(&json, ",%p", item);
		else
			cli_add_fmt(x, item, x->quiet ? "<id>\n" :
			    "  <id>: <title> [<priority>, <issue_type>]\n");
	}
	if (x->json)
		cli_add_json(x, "[%-.*s]", FMT(buf_str(&json)));
	buf_release(&json);
}

static int
create_from(struct cli_ctx *x, struct str file)
{
	struct buf text = BUF(LIMIT_WORK_LINE_BYTES);
	struct buf args = BUF(LIMIT_WORK_LINE_BYTES);
	struct reply r = { 0 };
	struct err e = { 0 };
	size_t n;
	int rc = cli_read_file(file, &text, &e);

	if (rc == OK)
		rc = markdown_parse(buf_str(&text), &args, &n, &e);
	if (rc < 0)
		cli_fail(x, rc, "%.*s: %s", FMT(file), e.text);
	else
		rc = cli_call(x, "batch", buf_str(&args), &r);
	if (rc == OK)
		show_created(x, json_get(r.data, S("results")), file);
	reply_release(&r);
	buf_release(&text);
	buf_release(&args);
	return rc;
}

int
cli_run_create(struct cli_ctx *x)
{
	struct str file = line_text(x->line, "file");
	bool title = x->line->operands_n > 0 || line_has(x->line, "title");

	x->quiet |= line_has(x->line, "silent");
	if (x->line->operands_n > 0 && line_has(x->line, "title"))
		return cli_fail(x, ERR_SYNTAX, "the title is given twice");
	if (file.p != NULL && title)
		return cli_fail(x, ERR_SYNTAX,
		    "cannot specify both title and --file flag");
	if (file.p != NULL && first_argument(x->line) != NULL)
		return cli_fail(x, ERR_SYNTAX, "--%s does not go with --file",
		    first_argument(x->line)->name);
	if (file.p != NULL)
		return create_from(x, file);
	if (!title)
		return cli_fail(x, ERR_SYNTAX,
		    "title required (or use --file to create from markdown)");
	return cli_run_one(x);
}

/* ---- comments ----------------------------------------------------------------------------- */

int
cli_run_comments_add(struct cli_ctx *x)
{
	struct str file = line_text(x->line, "file");
	struct buf text = BUF(LIMIT_WORK_TEXT_BYTES);
	struct err e = { 0 };
	int rc = OK;

	if ((file.p != NULL) == (x->line->operands_n > 1))
		return cli_fail(x, ERR_SYNTAX,
		    "comment text required (use -f to read from file)");
	if (file.p == NULL)
		return cli_run_one(x);
	rc = cli_read_file(file, &text, &e);
	if (rc == OK && !str_is_utf8(buf_str(&text)))
		rc = err_set(&e, ERR_INVALID, "not UTF-8");
	if (rc < 0)
		cli_fail(x, rc, "%.*s: %s", FMT(file), e.text);
	else
		rc = cli_run_with(x, "comment", "text", buf_str(&text));
	buf_release(&text);
	return rc;
}
