/*
 * result.c - a result: made, written, summed up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "eval/result.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define NANO 1e9

void
eval_result_init(struct eval_result *r, const struct eval *v)
{
	*r = (struct eval_result){ .arena = ARENA((size_t)LIMIT_EVAL_RESULT_BYTES),
		.threshold = NAN, .repeat = 1, .version = S(COHORT_VERSION) };
	if (v == NULL)
		return;
	r->eval = eval_result_text(r, v->name);
	r->agent = eval_result_text(r, v->agent);
	r->dataset = eval_result_text(r, v->dataset);
	r->repeat = v->repeat;
	r->threshold = v->threshold;
	r->scorers_n = v->scorers_n;
	for (size_t i = 0; i < v->scorers_n; i++) {
		r->scorer[i].name = eval_result_text(r, v->scorer[i].name);
		r->scorer[i].kind = str_of(eval_kinds[v->scorer[i].kind]);
		r->scorer[i].pass = v->scorer[i].pass;
	}
}

void
eval_result_release(struct eval_result *r)
{
	free(r->row);
	arena_release(&r->arena);
	*r = (struct eval_result){ 0 };
}

struct str
eval_result_text(struct eval_result *r, struct str s)
{
	return s.n == 0 ? STR_NONE : arena_str(&r->arena, s);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void
add_usage(struct buf *b, const char *key, const struct eval_usage *u)
{
	json_add_fmt(b, ",%s:{'input_tokens':%lld,'output_tokens':%lld,'cost_usd':%.9f}", key,
	    (long long)u->input_tokens, (long long)u->output_tokens,
	    (double)u->cost_nano / NANO);
}

static void
add_text_or_null(struct buf *b, const char *key, struct str s)
{
	if (s.n > 0)
		json_add_fmt(b, ",%s:%.*s", key, FMT(s));
	else
		json_add_fmt(b, ",%s:null", key);
}

void
eval_row_add_json(struct buf *b, const struct eval_result *r, const struct eval_row *row)
{
	json_add_fmt(b, "{'id':%.*s,'repeat':%lld,'output':%-.*s,'scores':{", FMT(row->id),
	    (long long)row->repeat, FMT(row->output_json.n > 0 ? row->output_json : S("null")));
	for (size_t i = 0; i < r->scorers_n; i++) {
		json_add_fmt(b, ",%.*s:{'score':", FMT(r->scorer[i].name));
		json_add_double(b, row->score[i].score);
		json_add_fmt(b, ",'why':%.*s}", FMT(row->score[i].why));
	}
	buf_add_char(b, '}');
	add_text_or_null(b, "error", row->error);
	add_usage(b, "usage", &row->usage);
	add_usage(b, "judge_usage", &row->judge);
	json_add_fmt(b, ",'ms':%.3f}", row->ms);
}

static int
by_order(const void *a, const void *b)
{
	size_t x = ((const struct eval_row *)a)->order, y = ((const struct eval_row *)b)->order;

	return (x > y) - (x < y);
}

static void
add_summary(struct buf *b, const struct eval_result *r)
{
	struct eval_summary s;

	eval_summarize(r, &s);
	json_add_fmt(b, ",'summary':{'runs':%zu,'errors':%zu,'scorers':{", r->rows_n, s.errors);
	for (size_t i = 0; i < r->scorers_n; i++)
		json_add_fmt(b, ",%.*s:{'mean':%.6f,'low':%.6f,'high':%.6f,'passed':%zu}",
		    FMT(r->scorer[i].name), s.scorer[i].mean, s.scorer[i].low,
		    s.scorer[i].high, s.scorer[i].passed);
	buf_add_char(b, '}');
	add_usage(b, "usage", &s.usage);
	add_usage(b, "judge_usage", &s.judge);
	json_add_fmt(b, ",'ms':{'p50':%.3f,'p95':%.3f}}", s.ms_p50, s.ms_p95);
}

void
eval_result_add_json(struct buf *b, struct eval_result *r)
{
	json_add_fmt(b, "{'schema':%d,'eval':%.*s,'partial':%hhd,'started':%.*s,'version':%.*s",
	    EVAL_RESULT_SCHEMA, FMT(r->eval), r->partial, FMT(r->started), FMT(r->version));
	add_text_or_null(b, "url", r->url);
	json_add_fmt(b, ",'agent':%.*s", FMT(r->agent));
	add_text_or_null(b, "agent_hash", r->agent_hash);
	add_text_or_null(b, "model", r->model);
	json_add_fmt(b, ",'dataset':%.*s,'dataset_hash':%.*s,'cases':%lld,'repeat':%lld,"
	    "'threshold':", FMT(r->dataset), FMT(r->dataset_hash), (long long)r->cases,
	    (long long)r->repeat);
	if (isnan(r->threshold))
		buf_lit(b, "null");
	else
		json_add_double(b, r->threshold);
	buf_lit(b, ",\"scorers\":[");
	for (size_t i = 0; i < r->scorers_n; i++) {
		json_add_fmt(b, ",{'name':%.*s,'kind':%.*s,'pass':", FMT(r->scorer[i].name),
		    FMT(r->scorer[i].kind));
		json_add_double(b, r->scorer[i].pass);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
	add_summary(b, r);
	buf_lit(b, ",\n\"runs\":[");
	if (r->rows_n > 0)
		qsort(r->row, r->rows_n, sizeof *r->row, by_order);
	for (size_t i = 0; i < r->rows_n; i++) {
		buf_add(b, i == 0 ? S("\n") : S(",\n"));
		eval_row_add_json(b, r, &r->row[i]);
	}
	buf_lit(b, "\n]}\n");
}

/* ---- the summary --------------------------------------------------------------------------- */

static void
add_up(struct eval_usage *to, const struct eval_usage *u)
{
	to->input_tokens += u->input_tokens;
	to->output_tokens += u->output_tokens;
	to->cost_nano += u->cost_nano;
}

void
eval_summarize(const struct eval_result *r, struct eval_summary *out)
{
	double *v = mem_zero((r->rows_n + 1) * sizeof *v);

	*out = (struct eval_summary){ 0 };
	for (size_t i = 0; i < r->scorers_n; i++) {
		struct stats_difference d;

		for (size_t k = 0; k < r->rows_n; k++) {
			v[k] = r->row[k].score[i].score;
			out->scorer[i].passed += r->row[k].error.n == 0 &&
			    v[k] >= r->scorer[i].pass;
		}
		d = stats_difference(v, r->rows_n, 0.95);
		out->scorer[i].mean = d.mean;
		out->scorer[i].low = d.low;
		out->scorer[i].high = d.high;
	}
	for (size_t k = 0; k < r->rows_n; k++) {
		out->errors += r->row[k].error.n > 0;
		add_up(&out->usage, &r->row[k].usage);
		add_up(&out->judge, &r->row[k].judge);
		v[k] = r->row[k].ms;
	}
	out->ms_p50 = stats_quantile(v, r->rows_n, 0.5);
	out->ms_p95 = stats_quantile(v, r->rows_n, 0.95);
	free(v);
}

/* Sums of scores such as 0.1 have rounding errors. */
bool
eval_below(const struct eval_result *r, const struct eval_summary *s, size_t scorer)
{
	return !isnan(r->threshold) && s->scorer[scorer].mean < r->threshold - 1e-9;
}
