/*
 * result_read.c - results read from their documents.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/fields.h"
#include "base/mem.h"
#include "eval/result.h"

#define TEXT_MAX LIMIT_EVAL_OUTPUT_BYTES
#define COUNT_MAX INT64_C(1000000000000000)

static void
read_text(struct fields *f, const char *key, struct eval_result *r, struct str *out)
{
	struct str s = STR_NONE;

	fields_str(f, key, TEXT_MAX, &s);
	*out = eval_result_text(r, s);
}

static double
read_number(struct fields *f, const char *key, double min, double max)
{
	jnode n = fields_any(f, key);
	double d = json_number(n);

	if (f->rc == OK && (!json_is_number(n) || !(d >= min && d <= max)))
		fields_fail(f, key, ERR_INVALID, "expected a number from %g to %g", min, max);
	return f->rc == OK ? d : 0;
}

/* ---- a row ---------------------------------------------------------------------------- */

static void
read_usage(struct fields *f, const char *key, struct eval_usage *out)
{
	struct fields u;

	if (!fields_object(f, key, &u))
		return;
	fields_int(&u, "input_tokens", 0, COUNT_MAX, &out->input_tokens);
	fields_int(&u, "output_tokens", 0, COUNT_MAX, &out->output_tokens);
	out->cost_nano = llround(read_number(&u, "cost_usd", 0, 1e9) * 1e9);
	fields_end(&u);
}

static void
read_scores(struct fields *f, struct eval_result *r, struct eval_row *row)
{
	jnode scores = fields_any(f, "scores");

	for (size_t i = 0; i < r->scorers_n && f->rc == OK; i++) {
		jnode one = json_get(scores, r->scorer[i].name);
		jnode n = json_get(one, S("score"));
		double d = json_number(n);

		if (!json_is_number(n) || !(d >= 0 && d <= 1))
			fields_fail(f, "scores", ERR_INVALID, "%.*s.score: expected a number from "
			    "0 to 1", FMT(str_cut(r->scorer[i].name, 100)));
		row->score[i].score = d;
		row->score[i].why = eval_result_text(r, json_str(json_get(one, S("why"))));
	}
}

static int
read_row(struct eval_result *r, jnode n, size_t order, struct err *e)
{
	struct eval_row row = { .order = order, .repeat = 1 };
	struct buf output = BUF(2 * (size_t)LIMIT_EVAL_OUTPUT_BYTES + 64);
	struct fields f;
	int rc;

	fields_open(&f, n, "a run", e);
	read_text(&f, "id", r, &row.id);
	if (row.id.n == 0)
		fields_fail(&f, "id", ERR_INVALID, "expected a text");
	fields_int(&f, "repeat", 1, LIMIT_EVAL_REPEAT, &row.repeat);
	json_add_node(&output, fields_any(&f, "output"));
	row.output_json = eval_result_text(r, buf_str(&output));
	read_scores(&f, r, &row);
	read_text(&f, "error", r, &row.error);
	read_usage(&f, "usage", &row.usage);
	read_usage(&f, "judge_usage", &row.judge);
	row.ms = read_number(&f, "ms", 0, 1e12);
	rc = fields_end(&f);
	if (rc == OK && (r->arena.failed || output.failed))
		rc = err_set(e, ERR_TOOBIG, "more than %d bytes of results",
		    LIMIT_EVAL_RESULT_BYTES);
	buf_release(&output);
	if (rc != OK)
		return rc;
	mem_grow(r->row, r->rows_n, r->rows_cap);
	r->row[r->rows_n++] = row;
	return OK;
}

int
eval_result_add_row(struct eval_result *r, struct str json, size_t order, struct err *e)
{
	struct json_doc d = { 0 };
	int rc = json_parse(&d, json, e);

	if (rc == OK)
		rc = read_row(r, d.root, order, e);
	json_release(&d);
	return rc;
}

/* ---- the document ------------------------------------------------------------------------ */

static void
read_scorers(struct fields *f, struct eval_result *r)
{
	struct fields list, one;

	if (!fields_array(f, "scorers", LIMIT_EVAL_SCORERS, &list))
		fields_fail(f, "scorers", ERR_INVALID, "expected a list");
	while (f->rc == OK && fields_next(&list, &one)) {
		read_text(&one, "name", r, &r->scorer[r->scorers_n].name);
		read_text(&one, "kind", r, &r->scorer[r->scorers_n].kind);
		r->scorer[r->scorers_n].pass = read_number(&one, "pass", 0, 1);
		fields_end(&one);
		r->scorers_n++;
	}
}

static void
read_head(struct fields *f, struct eval_result *r)
{
	int64_t schema = 0;

	fields_int(f, "schema", EVAL_RESULT_SCHEMA, EVAL_RESULT_SCHEMA, &schema);
	if (schema == 0)
		fields_fail(f, "schema", ERR_INVALID, "missing: this is no result of an eval");
	read_text(f, "eval", r, &r->eval);
	fields_bool(f, "partial", &r->partial);
	read_text(f, "started", r, &r->started);
	read_text(f, "version", r, &r->version);
	read_text(f, "url", r, &r->url);
	read_text(f, "agent", r, &r->agent);
	read_text(f, "agent_hash", r, &r->agent_hash);
	read_text(f, "model", r, &r->model);
	read_text(f, "dataset", r, &r->dataset);
	read_text(f, "dataset_hash", r, &r->dataset_hash);
	fields_int(f, "cases", 0, LIMIT_EVAL_CASES, &r->cases);
	fields_int(f, "repeat", 1, LIMIT_EVAL_REPEAT, &r->repeat);
	if (!json_is_null(json_get(f->node, S("threshold"))))
		r->threshold = read_number(f, "threshold", 0, 1);
	else
		(void)fields_any(f, "threshold");
	read_scorers(f, r);
	(void)fields_any(f, "summary");      /* made of the runs */
}

static int
read_document(struct eval_result *r, jnode root, struct err *e)
{
	struct fields f;
	jnode runs;
	int rc;

	fields_open(&f, root, "the result", e);
	read_head(&f, r);
	runs = fields_any(&f, "runs");
	if (f.rc == OK && !json_is_array(runs))
		fields_fail(&f, "runs", ERR_INVALID, "expected a list");
	rc = fields_end(&f);
	for (struct json_iter it = json_each(runs); rc == OK && json_next(&it);) {
		struct err why = { 0 };

		rc = read_row(r, it.value, r->rows_n, &why);
		if (rc != OK)
			err_set(e, rc, "runs.%zu: %s", r->rows_n, why.text);
	}
	return rc;
}

int
eval_result_read(struct eval_result *r, struct str text, struct str file, struct err *e)
{
	struct json_doc d = { 0 };
	struct err why = { 0 };
	int rc;

	eval_result_init(r, NULL);
	rc = json_parse(&d, text, &why);
	if (rc == OK)
		rc = read_document(r, d.root, &why);
	if (rc != OK)
		err_set(e, rc, "%.*s: %s", FMT(file), why.text);
	json_release(&d);
	return rc;
}
