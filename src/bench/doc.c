/*
 * doc.c - see doc.h: reading, text, Markdown.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/doc.h"

#include <stdio.h>

#include "base/file.h"
#include "bench/doc_priv.h"
#include "bench/suite.h"

#define FILE_BYTES (64 * MB)

/* ---- reading --------------------------------------------------------------------- */

static int
add_element(struct doc *d, jnode element, jnode suite, const char *path, struct err *e)
{
	if (!json_is_object(element))
		return err_set(e, ERR_INVALID, "%s: an element of \"results\" is no object", path);
	if (d->n == DOC_ELEMENTS)
		return err_set(e, ERR_LIMIT, "%s: more than %d results", path, DOC_ELEMENTS);
	d->element[d->n] = element;
	d->suite[d->n++] = suite;
	return OK;
}

int
doc_parse(struct doc *d, struct str text, const char *path, struct err *e)
{
	struct json_doc *j = &d->json[d->files_n];
	struct err inner;
	jnode results;
	int rc;

	if (d->files_n == DOC_FILES)
		return err_set(e, ERR_LIMIT, "%s: more than %d files", path, DOC_FILES);
	rc = json_parse(j, text, &inner);
	if (rc != OK)
		return err_set(e, rc, "%s: %s", path, inner.text);
	d->files_n++;
	results = json_get(j->root, S("results"));
	if (!json_is_int(json_get(j->root, S("schema"))) || (!json_is_array(results) &&
	    !json_is_string(json_get(j->root, S("workload")))))
		return err_set(e, ERR_INVALID, "%s: not a result of `cohort bench` (no "
		    "\"schema\" with \"workload\" or \"results\")", path);
	if (!json_is_array(results))
		return add_element(d, j->root, j->root, path, e);
	for (struct json_iter it = json_each(results); json_next(&it) && rc == OK;)
		rc = add_element(d, it.value, j->root, path, e);
	return rc;
}

int
doc_read(struct doc *d, const char *path, struct err *e)
{
	struct buf *text = &d->text[d->files_n];
	int rc;

	if (d->files_n == DOC_FILES)
		return err_set(e, ERR_LIMIT, "%s: more than %d files", path, DOC_FILES);
	*text = BUF(FILE_BYTES);
	rc = file_add(path, text, e);
	if (rc == OK)
		rc = doc_parse(d, buf_str(text), path, e);
	if (rc != OK && d->files_n < DOC_FILES)
		buf_release(text);
	return rc;
}

void
doc_release(struct doc *d)
{
	for (size_t i = 0; i < DOC_FILES; i++) {
		json_release(&d->json[i]);
		buf_release(&d->text[i]);
	}
	d->files_n = d->n = 0;
}

/* ---- members --------------------------------------------------------------------- */

struct str
doc_str(jnode element, const char *key)
{
	return json_str(json_get(element, str_of(key)));
}

struct str
doc_id(jnode element)
{
	struct str id = doc_str(element, "id");

	return id.n > 0 ? id : doc_str(element, "workload");
}

bool
doc_measured(jnode element)
{
	struct str state = doc_str(element, "state");

	return state.n == 0 || str_eq(state, S("measured"));
}

/* Graded, and below the page's target. */
static bool
below_target(jnode target)
{
	struct str grade = doc_str(target, "grade");

	return grade.n > 0 && !str_eq(grade, str_of(suite_grades[GRADE_TARGET])) &&
	    !str_eq(grade, str_of(suite_grades[GRADE_NONE]));
}

bool
doc_passed(jnode element)
{
	bool passed = json_bool(json_get(element, S("passed")));

	for (struct json_iter it = json_each(json_get(element, S("targets"))); json_next(&it);) {
		jnode met = json_get(it.value, S("met"));

		passed = passed && (met == NULL || json_bool(met)) && !below_target(it.value);
	}
	for (struct json_iter it = json_each(json_get(element, S("changes"))); json_next(&it);)
		passed = passed && !str_eq(doc_str(it.value, "verdict"), S("worse"));
	return passed;
}

jnode
doc_about(const struct doc *d, size_t i, const char *key)
{
	jnode own = json_get(d->element[i], str_of(key));

	return own != NULL ? own : json_get(d->suite[i], str_of(key));
}

void
doc_why(jnode element, struct buf *out)
{
	struct str why = doc_str(element, "why");

	buf_add(out, why);
	for (struct json_iter it = json_each(json_get(element, S("targets"))); json_next(&it);) {
		jnode met = json_get(it.value, S("met"));

		if (below_target(it.value))
			buf_add_fmt(out, "%s%.*s is %.*s, not at target", out->n > 0 ? "; " : "",
			    FMT(doc_str(it.value, "core")), FMT(doc_str(it.value, "grade")));
		if (met == NULL || json_bool(met))
			continue;
		buf_add_fmt(out, "%s%.*s is %g %.*s, the target %g", out->n > 0 ? "; " : "",
		    FMT(doc_str(it.value, "key")), json_number(json_get(it.value, S("value"))),
		    FMT(doc_str(it.value, "unit")), json_number(json_get(it.value, S("ours"))));
	}
	for (struct json_iter it = json_each(json_get(element, S("changes"))); json_next(&it);)
		if (str_eq(doc_str(it.value, "verdict"), S("worse")))
			buf_add_fmt(out, "%s%.*s is worse by %.1f %%", out->n > 0 ? "; " : "",
			    FMT(doc_str(it.value, "metric")),
			    json_number(json_get(it.value, S("change_percent"))));
	if (out->n == 0 && !doc_passed(element))
		buf_lit(out, "a check was missed");
}

struct doc_count
doc_count(const struct doc *d)
{
	struct doc_count n = { 0 };

	for (size_t i = 0; i < d->n; i++) {
		jnode x = d->element[i];

		n.measured += doc_measured(x);
		n.not_measured += str_eq(doc_str(x, "state"), S("not measured"));
		n.missed += !str_eq(doc_str(x, "state"), S("not measured")) && !doc_passed(x);
		for (struct json_iter it = json_each(json_get(x, S("changes"))); json_next(&it);) {
			struct str v = doc_str(it.value, "verdict");

			n.worse += str_eq(v, S("worse"));
			n.better += str_eq(v, S("better"));
		}
	}
	return n;
}

/* 12,345,678 */
void
doc_add_number(struct buf *out, double v)
{
	char text[64];
	size_t n, digits;
	double size = v < 0 ? -v : v;

	if (size > 0 && size < 0.01)
		snprintf(text, sizeof text, "%.3g", v);
	else
		snprintf(text, sizeof text, "%.*f", size >= 1000 || v == 0 ? 0 : size >= 100 ?
		    1 : size >= 1 ? 2 : 3, v);
	n = strlen(text);
	digits = strcspn(text, ".");
	for (size_t i = 0; i < n; i++) {
		buf_add_char(out, text[i]);
		if (i + 1 < digits && (digits - i - 1) % 3 == 0 && text[i] != '-')
			buf_add_char(out, ',');
	}
}

/* " (1.2 to 1.4)" */
static void
add_spread(jnode element, struct str key, struct buf *out)
{
	jnode s = json_get(json_get(element, S("spread")), key);

	if (s == NULL)
		return;
	buf_lit(out, " (");
	doc_add_number(out, json_number(json_get(s, S("low"))));
	buf_lit(out, " to ");
	doc_add_number(out, json_number(json_get(s, S("high"))));
	buf_lit(out, ")");
}

void
doc_add_value(jnode element, jnode target, struct buf *out)
{
	doc_add_number(out, json_number(json_get(target, S("value"))));
	if (json_bool(json_get(target, S("few_samples"))))
		buf_add_char(out, '~');
	if (doc_str(target, "unit").n > 0)
		buf_add_fmt(out, " %.*s", FMT(doc_str(target, "unit")));
	add_spread(element, doc_str(target, "key"), out);
}

void
doc_add_goal(jnode target, struct buf *out)
{
	jnode ours = json_get(target, S("ours"));

	if (ours == NULL)
		return;
	buf_add(out, str_eq(doc_str(target, "better"), S("up")) ? S(">= ") : S("<= "));
	doc_add_number(out, json_number(ours));
	buf_add(out, json_bool(json_get(target, S("met"))) ? S(" met") : S(" MISSED"));
}

/* ---- text ------------------------------------------------------------------------ */

static void
add_plain_values(jnode element, struct buf *out)
{
	for (struct json_iter it = json_each(json_get(element, S("result"))); json_next(&it);) {
		if (!json_is_number(it.value))
			continue;
		buf_add_fmt(out, "    %-36.*s ", FMT(json_str(it.key)));
		doc_add_number(out, json_number(it.value));
		add_spread(element, json_str(it.key), out);
		buf_add_char(out, '\n');
	}
}

static void
add_text_change(jnode x, struct buf *out)
{
	buf_add_fmt(out, "    %-36.*s ", FMT(doc_str(x, "metric")));
	doc_add_number(out, json_number(json_get(x, S("baseline"))));
	buf_lit(out, " -> ");
	doc_add_number(out, json_number(json_get(x, S("current"))));
	buf_add_fmt(out, " %.*s  %+.1f %% (%+.1f to %+.1f, %lld pairs)  %.*s\n",
	    FMT(doc_str(x, "unit")), json_number(json_get(x, S("change_percent"))),
	    json_number(json_get(x, S("low_percent"))),
	    json_number(json_get(x, S("high_percent"))),
	    (long long)json_int(json_get(x, S("pairs"))), FMT(doc_str(x, "verdict")));
}

static void
add_text_element(jnode x, struct buf *out)
{
	struct buf why = BUF(4 * KB);
	struct str state = doc_str(x, "state");

	doc_why(x, &why);
	buf_add_fmt(out, "%-14.*s %.*s: %.*s\n", FMT(doc_id(x)), FMT(doc_str(x, "title")),
	    FMT(!doc_measured(x) ? state : doc_passed(x) ? S("ok") : S("MISSED")));
	if (why.n > 0 && !str_eq(state, S("not measured")))
		buf_add_fmt(out, "    %.*s\n", FMT(buf_str(&why)));
	if (json_count(json_get(x, S("targets"))) == 0)
		add_plain_values(x, out);
	for (struct json_iter it = json_each(json_get(x, S("targets"))); json_next(&it);) {
		buf_add_fmt(out, "    %-36.*s ", FMT(doc_str(it.value, "key")));
		doc_add_value(x, it.value, out);
		buf_lit(out, "  ");
		doc_add_goal(it.value, out);
		if (doc_str(it.value, "grade").n > 0)
			buf_add_fmt(out, "  [%.*s: %.*s]", FMT(doc_str(it.value, "core")),
			    FMT(doc_str(it.value, "grade")));
		buf_add_char(out, '\n');
	}
	for (struct json_iter it = json_each(json_get(x, S("changes"))); json_next(&it);)
		add_text_change(it.value, out);
	buf_release(&why);
}

void
doc_add_text(const struct doc *d, struct buf *out)
{
	struct doc_count n = doc_count(d);

	for (size_t i = 0; i < d->n; i++)
		add_text_element(d->element[i], out);
	buf_add_fmt(out, "\n%zu measured, %zu not measured, %zu missed or failed", n.measured,
	    n.not_measured, n.missed);
	if (n.worse + n.better > 0)
		buf_add_fmt(out, ", %zu worse, %zu better", n.worse, n.better);
	buf_lit(out, "\n");
}

/* ---- Markdown -------------------------------------------------------------------- */

/* A cell of a table. */
static void
add_cell(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '|')
			buf_add_char(out, '\\');
		buf_add_char(out, s.p[i] == '\n' ? ' ' : s.p[i]);
	}
}

void
doc_add_origin(const struct doc *d, struct buf *out)
{
	jnode machine = doc_about(d, 0, "machine"), base = json_get(d->suite[0], S("baseline"));

	buf_add_fmt(out, "Date %.*s, version %.*s, commit %.*s.\n\n    %.*s\n\nMachine: `",
	    FMT(json_str(doc_about(d, 0, "date"))), FMT(json_str(doc_about(d, 0, "version"))),
	    FMT(json_str(doc_about(d, 0, "commit"))),
	    FMT(json_str(json_get(d->suite[0], S("command")))));
	json_add_node(out, machine);
	buf_lit(out, "`\n\n");
	if (json_is_object(base))
		buf_add_fmt(out, "Baseline %.*s, commit %.*s; both were run now, in turns. A "
		    "difference counts from %g %% on.\n\n", FMT(doc_str(base, "name")),
		    FMT(doc_str(base, "commit")),
		    json_number(json_get(d->suite[0], S("threshold"))) * 100);
}

static void
add_markdown_rows(jnode x, struct buf *out)
{
	struct buf why = BUF(4 * KB);

	if (!doc_measured(x)) {
		doc_why(x, &why);
		buf_add_fmt(out, "| %.*s | ", FMT(doc_id(x)));
		add_cell(out, doc_str(x, "title"));
		buf_add_fmt(out, " | | %.*s | ", FMT(doc_str(x, "state")));
		add_cell(out, str_eq(doc_str(x, "state"), S("failed")) ? buf_str(&why) : STR_NONE);
		buf_lit(out, " | |\n");
	}
	for (struct json_iter it = json_each(json_get(x, S("targets"))); json_next(&it);) {
		buf_add_fmt(out, "| %.*s | ", FMT(doc_id(x)));
		add_cell(out, doc_str(x, "title"));
		buf_add_fmt(out, " | `%.*s` | ", FMT(doc_str(it.value, "key")));
		doc_add_value(x, it.value, out);
		buf_lit(out, " | ");
		doc_add_goal(it.value, out);
		buf_add_fmt(out, " | %.*s |\n", FMT(doc_str(it.value, "grade")));
	}
	buf_release(&why);
}

void
doc_add_markdown_changes(const struct doc *d, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += json_count(json_get(d->element[i], S("changes")));
	if (n == 0)
		return;
	buf_lit(out, "\n## Changes\n\n| metric | baseline | current | change | interval "
	    "| pairs | |\n|---|--:|--:|--:|---|--:|---|\n");
	for (size_t i = 0; i < d->n; i++)
		for (struct json_iter it = json_each(json_get(d->element[i], S("changes")));
		    json_next(&it);) {
			jnode x = it.value;
			bool same = str_eq(doc_str(x, "verdict"), S("no difference"));

			buf_add_fmt(out, "| `%.*s` | ", FMT(doc_str(x, "metric")));
			doc_add_number(out, json_number(json_get(x, S("baseline"))));
			buf_lit(out, " | ");
			doc_add_number(out, json_number(json_get(x, S("current"))));
			buf_add_fmt(out, " | %+.1f %% | %+.1f to %+.1f %% | %lld | %s%.*s%s |\n",
			    json_number(json_get(x, S("change_percent"))),
			    json_number(json_get(x, S("low_percent"))),
			    json_number(json_get(x, S("high_percent"))),
			    (long long)json_int(json_get(x, S("pairs"))), same ? "" : "**",
			    FMT(doc_str(x, "verdict")), same ? "" : "**");
		}
}

static void
add_details(const struct doc *d, struct buf *out)
{
	buf_lit(out, "\n## What was measured\n\n");
	for (size_t i = 0; i < d->n; i++) {
		jnode x = d->element[i];

		if (!doc_measured(x))
			continue;
		buf_add_fmt(out, "- **%.*s** `%.*s`: %.*s Not: %.*s\n", FMT(doc_id(x)),
		    FMT(doc_str(x, "command")), FMT(doc_str(x, "measures")),
		    FMT(doc_str(x, "does_not_measure")));
	}
}

void
doc_add_markdown(const struct doc *d, struct buf *out)
{
	struct doc_count n = doc_count(d);
	struct str name = d->n > 0 ? doc_str(d->suite[0], "suite") : STR_NONE;

	buf_add_fmt(out, "# bench %.*s\n\n", FMT(name.n > 0 ? name : S("report")));
	if (d->n == 0)
		return;
	doc_add_origin(d, out);
	buf_add_fmt(out, "%zu measured, %zu not measured, %zu missed or failed.\n\n"
	    "| id | workload | metric | value | ours | page |\n|---|---|---|--:|---|---|\n",
	    n.measured, n.not_measured, n.missed);
	for (size_t i = 0; i < d->n; i++)
		add_markdown_rows(d->element[i], out);
	doc_add_markdown_changes(d, out);
	add_details(d, out);
}
