/*
 * files.c - items to and from files: export, import, batch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "workcli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"
#include "workcli/lines.h"
#include "workcli/replace.h"
#include "work/exchange/exchange.h"

#define REQUEST_BYTES (16 * MB)              /* of lines; quoted they may double */

/* ---- files ----------------------------------------------------------------- */

int
cli_read_file(struct str path, struct buf *out, struct err *e)
{
	char *name;
	int fd, rc;

	if (str_eq(path, S("-")))
		return file_add_fd(STDIN_FILENO, out, cli_stdin_wait, e);
	name = mem_cstr(path);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	free(name);
	if (fd < 0)
		return err_set(e, ERR_IO, "%s", strerror(errno));
	rc = file_add_fd(fd, out, NULL, e);
	close(fd);
	return rc;
}

int
cli_read_present(const char *path, struct buf *out, struct err *e)
{
	struct err why;
	int rc = file_add(path, out, &why);

	return rc == OK || rc == ERR_NOTFOUND ? OK : err_set(e, rc, "%s", why.text);
}

/* ---- export ---------------------------------------------------------------- */

/* Appends the lines of an answer {"lines":[..],..}; false: it is not one. */
static bool
add_answered_lines(struct buf *out, struct str answer, size_t *n)
{
	struct scan s = scan_of(answer);
	bool member = true, element = true;
	struct str key, line;

	if (!scan_open(&s, '{') || !scan_member(&s, &member, &key) ||
	    !SCAN_IS(key, "lines") || !scan_open(&s, '['))
		return false;
	while (scan_element(&s, &element) && scan_value(&s, &line)) {
		buf_add(out, line);
		buf_add_char(out, '\n');
		++*n;
	}
	return !s.bad;
}

struct export {
	struct client *c;
	struct str status;
	const struct cli_sink *sink;
	struct buf after;                    /* the last id; empty: at the end */
	size_t n;
	struct err *e;
};

/* first: if there are more pages, sets *more and passes nothing on. */
static int
export_page(struct export *x, bool first, bool *more)
{
	struct buf args = BUF(4 * KB), lines = BUF(4 * (size_t)LIMIT_WORK_PAGE_BYTES);
	struct reply r = { 0 };
	int rc;

	json_add_fmt(&args, "{'tombstones':%hhd", x->status.n == 0);
	if (x->status.n > 0)
		args_add_text(&args, "status", x->status);
	if (x->after.n > 0)
		args_add_text(&args, "after", buf_str(&x->after));
	buf_add_char(&args, '}');
	rc = client_call(x->c, "export", buf_str(&args), &r);
	buf_clear(&x->after);
	*more = rc == OK && first && cli_get_str(r.data, "next").n > 0;
	if (rc < 0) {
		*x->e = r.err;
	} else if (!*more) {
		if (!add_answered_lines(&lines, r.data_text, &x->n))
			rc = err_set(x->e, ERR_SYNTAX, "the answer is not an export");
		buf_add(&x->after, cli_get_str(r.data, "next"));
		if (lines.failed)
			rc = err_set(x->e, ERR_TOOBIG, "an item is over %d bytes",
			    LIMIT_WORK_ITEM_BYTES);
		if (rc == OK)
			rc = x->sink->add(x->sink->ctx, buf_str(&lines), x->e);
	}
	reply_release(&r);
	buf_release(&lines);
	buf_release(&args);
	return rc;
}

/* A page is of one moment; several are read in one transaction. */
int
cli_export(struct client *c, struct str status, const struct cli_sink *sink,
    size_t *n, struct err *e)
{
	struct export x = { c, status, sink, BUF(4 * KB), 0, e };
	bool more;
	int rc = export_page(&x, true, &more);

	if (rc == OK && more) {
		rc = client_hold(c, e);
		buf_clear(&x.after);
		do
			rc = rc == OK ? export_page(&x, false, &more) : rc;
		while (rc == OK && x.after.n > 0);
		client_let_go(c);
	}
	buf_release(&x.after);
	*n = x.n;
	return rc;
}

/* ---- export, the command --------------------------------------------------- */

struct output {
	struct cli_ctx *x;
	struct replace place;                  /* or, path NULL: */
	int fd;                              /* a pipe or device; -1: stdout */
};

static int
output_add(void *ctx, struct str lines, struct err *e)
{
	struct output *o = ctx;

	if (o->place.path != NULL)
		return replace_add(&o->place, lines, e);
	if (o->fd >= 0)
		return file_write(o->fd, lines) == OK ? OK :
		    err_set(e, ERR_IO, "%s", strerror(errno));
	buf_add(o->x->out, lines);
	if (o->x->out->n > LIMIT_WORK_PAGE_BYTES)
		cli_flush(o->x);
	return o->x->unwritten ? err_set(e, ERR_IO, "stdout: %s",
	    strerror(errno)) : OK;
}

/* The number of items, with deleted ones; 0: unknown. */
static size_t
items_here(struct cli_ctx *x)
{
	struct reply r = { 0 };
	int64_t n = client_call(x->client, "info", STR_NONE, &r) != OK ? 0 :
	    cli_get_int(r.data, "items", 0) + cli_get_int(r.data, "deleted", 0);

	reply_release(&r);
	return n > 0 ? (size_t)n : 0;
}

/* Refuses to replace a file that has more items than the tracker. */
static int
overwrite_check(struct cli_ctx *x, size_t n, struct err *e)
{
	struct lines old = { .fd = -1 };
	struct str path = line_text(x->line, "output"), first = STR_NONE;
	struct err ignored;
	char *name = mem_cstr(path);
	size_t had = 0;

	if (!line_has(x->line, "force") &&
	    lines_open_present(&old, name, &ignored) == OK && old.n > n &&
	    lines_get(&old, 0, &first, &ignored) == OK && str_starts(first, S("{")))
		had = old.n;
	lines_release(&old);
	free(name);
	if (had == 0 || had <= n || (line_has(x->line, "status") &&
	    had <= items_here(x)))
		return OK;
	return err_set(e, ERR_CONFLICT, "%.*s has %zu items, the tracker %zu: "
	    "the others would be lost\nHint: import it first, or give --force",
	    FMT(path), had, n);
}

/* A pipe or a device is written to, not replaced; a link is followed. */
static int
output_open(struct output *o, struct str path, struct err *e)
{
	char *name = mem_cstr(path), *real = realpath(name, NULL);
	struct stat st;
	int rc = OK;

	if (stat(name, &st) != 0 || S_ISREG(st.st_mode)) {
		rc = replace_begin(&o->place, real != NULL ? real : name, e);
	} else {
		o->fd = open(name, O_WRONLY | O_CLOEXEC);
		if (o->fd < 0)
			rc = err_set(e, ERR_IO, "%s: %s", name, strerror(errno));
	}
	free(real);
	free(name);
	return rc;
}

int
cli_run_export(struct cli_ctx *x)
{
	struct output o = { .x = x, .place = { .fd = -1 }, .fd = -1 };
	const struct cli_sink sink = { output_add, &o };
	struct str format = line_text(x->line, "format");
	struct str path = line_text(x->line, "output");
	struct err e = { 0 };
	size_t n;
	int rc = OK;

	if (format.p != NULL && !str_eq(format, S("jsonl")))
		return cli_fail(x, ERR_SYNTAX, "only 'jsonl' format is currently "
		    "supported");
	if (path.p != NULL && !str_eq(path, S("-")))
		rc = output_open(&o, path, &e);
	if (rc == OK)
		rc = cli_export(x->client, line_text(x->line, "status"), &sink,
		    &n, &e);
	if (rc == OK && o.place.path != NULL) {
		rc = overwrite_check(x, n, &e);
		if (rc == OK)
			rc = replace_end(&o.place, &e);
	}
	replace_release(&o.place);
	if (o.fd >= 0)
		close(o.fd);
	return rc == OK ? OK : cli_fail(x, rc, "%s", e.text);
}

/* ---- lines ----------------------------------------------------------------- */

/* Appends a text with a value on each line as the values of an array.  Each line is
 * checked, so that an error has its number. */
static int
add_lines_as_values(struct buf *out, struct str text, struct err *e)
{
	struct str line;
	struct err bad;
	bool first = true;
	size_t n = 0;

	while (exchange_line_next(&text, &line, &n)) {
		if (exchange_line_marker(line) != MARKER_NONE)
			return err_set(e, ERR_SYNTAX, "line %zu: an unresolved conflict "
			    "of git", n);
		if (json_check(line, &bad) < 0)
			return err_set(e, ERR_SYNTAX, "line %zu: %s", n,
			    json_words(bad.text));
		if (!first)
			buf_add_char(out, ',');
		first = false;
		buf_add(out, line);
	}
	return OK;
}

/* ---- import ---------------------------------------------------------------- */

/* Appends the lines as strings, which the tracker parses one by one; a blank line
 * is null, so that the others keep their numbers. */
static int
add_lines_as_texts(struct buf *out, struct lines *l, struct err *e)
{
	size_t written = 0;
	struct str one;
	int rc = OK;

	for (size_t i = 0; rc == OK && i < l->n; i++) {
		rc = lines_get(l, i, &one, e);
		for (; rc == OK && written + 1 < l->list[i].number; written++)
			buf_lit(out, "null,");
		if (rc == OK && !str_is_utf8(one))
			rc = err_set(e, ERR_SYNTAX, "line %u: not UTF-8",
			    l->list[i].number);
		if (rc == OK)
			json_add_str(out, one);
		buf_add_char(out, ',');
		written = l->list[i].number;
	}
	if (written > 0)
		buf_cut(out, out->n - 1);
	return rc;
}

/* A small import goes through the daemon, where it shares a commit; a large one
 * runs in this process. */
int
cli_import(struct client *c, struct lines *l,
    const struct cli_import_options *o, struct reply *r)
{
	const struct work_lines source = { l->n, lines_source, l };
	struct buf args = BUF(LIMIT_WORK_LINE_BYTES);
	bool here = l->bytes > REQUEST_BYTES && !client_is_remote(c);
	int rc = OK;

	json_add_fmt(&args, "{'dry_run':%hhd,'skip_existing':%hhd,'strict':%hhd,"
	    "'skip_bad':%hhd,'base':%hhd,'resolve_cycles':%hhd,'items':[", o->dry_run,
	    o->skip_existing, o->strict, o->skip_bad, o->base, o->resolve_cycles);
	if (!here)
		rc = add_lines_as_texts(&args, l, &r->err);
	buf_lit(&args, "]}");
	if (rc == OK && args.failed)
		rc = err_set(&r->err, ERR_TOOBIG, "a server takes imports of up to %d "
		    "bytes; split the file", LIMIT_WORK_LINE_BYTES);
	r->rc = rc;
	if (rc == OK && here)
		rc = client_call_lines(c, "import", buf_str(&args), &source, r);
	else if (rc == OK)
		rc = client_call(c, "import", buf_str(&args), r);
	buf_release(&args);
	return rc;
}

const char *
cli_bad_line_hint(const struct err *e, bool skippable)
{
	if (!str_starts(str_of(e->text), S("line ")))
		return "";
	if (strstr(e->text, "an unresolved conflict of git") != NULL)
		return "\nHint: 'doctor --fix' merges both sides of issues.jsonl";
	return skippable && (e->code == ERR_SYNTAX || e->code == ERR_INVALID ||
	    e->code == ERR_TOOBIG) ? "\nHint: --skip-bad leaves such lines out" : "";
}

int
cli_import_file(struct client *c, const char *path, struct lines *lines,
    const struct cli_import_options *o, struct reply *r, struct err *e)
{
	int rc = cli_import(c, lines, o, r);

	return rc == OK ? OK : err_set(e, rc, "%s: %s%s", path, r->err.text,
	    cli_bad_line_hint(&r->err, o->skippable));
}

void
cli_import_report(struct cli_ctx *x, const struct reply *r)
{
	static const char *const counts[][2] = {
		{ "deleted", ", <deleted> deleted" },
		{ "skipped", ", <skipped> skipped" },
		{ "bad", ", <bad> bad, left out" },
	};
	struct json_iter warnings = json_each(json_get(r->data, S("warnings")));
	struct json_iter conflicts = json_each(json_get(r->data, S("conflicts")));
	struct buf *out = x->out;

	x->out = x->notes;
	while (json_next(&warnings)) {
		buf_lit(x->out, "Warning: ");
		cli_add_line(x->out, json_str(warnings.value));
		buf_add_char(x->out, '\n');
	}
	while (json_next(&conflicts))
		cli_add_fmt(x, conflicts.value, cli_get_str(conflicts.value, "cycle").n >
		    0 ? "Conflict: <id>: dependencies: the one added last of a cycle "
		    "was dropped: <cycle>\n" :
		    "Conflict: <id>: <field> was changed on both sides; kept <kept>\n");
	cli_add_each(x, json_get(r->data, S("renamed")),
	    "Renamed: <old> \xe2\x86\x92 <new>\n");
	cli_add_if(x, r->data, "more", "... and <more> more\n");
	cli_add_fmt(x, r->data, "Import complete: <created> created, <updated> updated, "
	    "<unchanged> unchanged");
	for (size_t i = 0; i < COUNT(counts); i++) {
		if (cli_get_int(r->data, counts[i][0], 0) > 0)
			cli_add_fmt(x, r->data, counts[i][1]);
	}
	buf_add_char(x->out, '\n');
	x->out = out;
}

int
cli_run_import(struct cli_ctx *x)
{
	const struct cli_import_options o = {
		.dry_run = line_has(x->line, "dry-run"),
		.skip_existing = line_has(x->line, "skip-existing"),
		.strict = line_has(x->line, "strict"),
		.skip_bad = line_has(x->line, "skip-bad"),
	};
	struct str path = line_text(x->line, "input");
	struct lines lines = { .fd = -1 };
	struct reply r = { 0 };
	int rc;

	if (path.p != NULL && x->line->operands_n > 0)
		return cli_fail(x, ERR_SYNTAX, "the file is given twice");
	if (x->line->operands_n > 0)
		path = x->line->operand[0];
	rc = path.p == NULL ? cli_stdin_given(&r.err) : OK;
	if (path.p == NULL)
		path = S("-");
	if (rc == OK)
		rc = lines_open(&lines, path, &r.err);
	if (rc == OK)
		rc = cli_import(x->client, &lines, &o, &r);
	if (rc < 0) {
		rc = cli_fail(x, rc == ERR_SYNTAX ? ERR_INVALID : rc, "%.*s: %s%s",
		    FMT(path), r.err.text, cli_bad_line_hint(&r.err, true));
	} else if (x->json) {
		cli_add_indented(x->out, r.data_text);
	} else if (!x->quiet) {
		if (o.dry_run)
			buf_lit(x->notes, "Dry run, nothing was changed.\n");
		cli_import_report(x, &r);
	}
	reply_release(&r);
	lines_release(&lines);
	return rc;
}

/* ---- batch ----------------------------------------------------------------- */

/* The operations in a file, as the inside of an array: an array, an object with
 * "operations", or one object a line. */
static int
add_operations(struct buf *out, struct str text, struct err *e)
{
	struct json_doc d = { 0 };
	jnode list = NULL;
	bool first = true;
	struct json_iter it;

	if (json_parse(&d, text, NULL) == OK)
		list = json_is_array(d.root) ? d.root : json_get(d.root, S("operations"));
	if (!json_is_array(list)) {
		json_release(&d);
		return add_lines_as_values(out, text, e);
	}
	it = json_each(list);
	while (json_next(&it)) {
		if (!first)
			buf_add_char(out, ',');
		first = false;
		json_add_node(out, it.value);
	}
	json_release(&d);
	return OK;
}

static bool
all_succeeded(jnode data)
{
	struct json_iter it = json_each(json_get(data, S("results")));

	while (json_next(&it)) {
		if (!json_bool(json_get(it.value, S("success"))))
			return false;
	}
	return true;
}

static int
batch_call(struct cli_ctx *x, struct str text, struct err *e)
{
	struct buf args = BUF(LIMIT_WORK_LINE_BYTES);
	struct reply r = { 0 };
	int rc;

	buf_add_char(&args, '{');
	args_add_line(x->line, x->cmd, &args, e);
	json_add_key(&args, "operations");
	buf_add_char(&args, '[');
	rc = add_operations(&args, text, e);
	buf_lit(&args, "]}");
	if (rc == OK)
		rc = client_call(x->client, "batch", buf_str(&args), &r);
	if (r.data != NULL)
		cli_show(x, &r);
	if (r.rc < 0)
		*e = r.err;
	if (rc == OK && !all_succeeded(r.data))
		rc = err_set(e, ERR_CONFLICT, "not all operations succeeded");
	reply_release(&r);
	buf_release(&args);
	return rc;
}

/* With --partial the call succeeds; the exit code tells of failed operations. */
int
cli_run_batch(struct cli_ctx *x)
{
	struct str path = line_text(x->line, "file");
	struct buf text = BUF(LIMIT_WORK_LINE_BYTES);
	struct err e = { 0 };
	int rc;

	rc = path.p == NULL ? cli_stdin_given(&e) : OK;
	if (path.p == NULL)
		path = S("-");
	if (rc == OK)
		rc = cli_read_file(path, &text, &e);
	if (rc < 0)
		cli_fail(x, rc, "%.*s: %s", FMT(path), e.text);
	else if ((rc = batch_call(x, buf_str(&text), &e)) < 0)
		rc = cli_fail(x, rc == ERR_SYNTAX ? ERR_INVALID : rc, "%s", e.text);
	buf_release(&text);
	return rc;
}
