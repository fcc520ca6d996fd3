/*
 * result.h - what came of an eval: a document of JSON with a line for each run of a
 * case, its summary, its comparison with another, and both as text.
 *
 * Pure.  Threads: a result belongs to one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EVAL_RESULT_H
#define EVAL_RESULT_H

#include "base/stats.h"
#include "eval/eval.h"

#define EVAL_RESULT_SCHEMA 1

/* Tokens are 0 where nobody told them. */
struct eval_usage { int64_t input_tokens, output_tokens, cost_nano; };

/* A run of a case.  Texts are in the arena of the result. */
struct eval_row {
	struct str id;
	int64_t repeat;                      /* from 1 */
	struct str output_json;
	struct { double score; struct str why; } score[LIMIT_EVAL_SCORERS];
	struct str error;                    /* it could not be run, all scores are 0; or empty */
	struct eval_usage usage, judge;      /* of the agent; of models as judges */
	double ms;
	size_t order;                        /* they are written by it */
};

struct eval_result {
	struct str eval, agent, agent_hash;  /* hash: empty with a server */
	struct str model, dataset, dataset_hash, started, version, url;
	bool partial;                        /* it was stopped */
	int64_t cases, repeat;               /* that were to be run */
	double threshold;                    /* NaN: none */
	struct { struct str name, kind; double pass; } scorer[LIMIT_EVAL_SCORERS];
	size_t scorers_n;
	struct eval_row *row;
	size_t rows_n, rows_cap;
	struct arena arena;
};

/* ---- making (result.c) -------------------------------------------------------------- */

/* The head for an eval: names, scorers, threshold; the rest is the caller's to set. */
void eval_result_init(struct eval_result *r, const struct eval *v);
void eval_result_release(struct eval_result *r);
struct str eval_result_text(struct eval_result *r, struct str s);    /* a copy in its arena */
/* One line of JSON; the texts of row may be anyone's. */
void eval_row_add_json(struct buf *b, const struct eval_result *r, const struct eval_row *row);
/* The document, rows by their order. */
void eval_result_add_json(struct buf *b, struct eval_result *r);

/* ---- reading (result_read.c) ---------------------------------------------------------- */

/* Adds a row of such a line.  ERR_INVALID, ERR_SYNTAX, ERR_TOOBIG. */
int  eval_result_add_row(struct eval_result *r, struct str json, size_t order, struct err *e);
/* ERR_* with the file.  Release also after errors. */
int  eval_result_read(struct eval_result *r, struct str text, struct str file, struct err *e);

/* ---- the summary (result.c) ------------------------------------------------------------ */

struct eval_summary {
	struct { double mean, low, high; size_t passed; } scorer[LIMIT_EVAL_SCORERS];
	size_t errors;
	struct eval_usage usage, judge;
	double ms_p50, ms_p95;
};
void eval_summarize(const struct eval_result *r, struct eval_summary *out);
/* Did the run end, with as much as each scorer wants? */
bool eval_row_passed(const struct eval_result *r, const struct eval_row *row);
/* Is the mean of this scorer below the threshold? */
bool eval_below(const struct eval_result *r, const struct eval_summary *s, size_t scorer);

/* ---- comparing (compare.c) -------------------------------------------------------------- */

/* Differences of scores within it are none, where nothing else is said. */
#define EVAL_MARGIN      0.02
#define EVAL_MARGIN_TEXT "0.02"

enum eval_verdict { EVAL_SAME, EVAL_BETTER, EVAL_WORSE, EVAL_UNCLEAR };
extern const char *const eval_verdicts[];    /* by value */

/* Means are over the cases that both have; a case's score is the mean of its repeats. */
struct eval_compared {
	struct str name;
	double a, b;
	struct stats_difference d;           /* b - a, of pairs of cases */
	enum eval_verdict verdict;
};

/* A case that a scorer passed in A and failed in B, or the other way. */
struct eval_turned { struct str id, scorer, why; double a, b; bool worse; };

struct eval_comparison {
	struct eval_compared scorer[LIMIT_EVAL_SCORERS];
	size_t scorers_n;
	double confidence;                   /* of each scorer, so that all are right in 95
	                                        of 100 comparisons of equals */
	double margin;
	size_t pairs, only_a, only_b;        /* cases */
	struct eval_compared tokens, cost;   /* of a case; cost in USD */
	struct stats_ratio ms;               /* of a case, b / a */
	double ms_a, ms_b;                   /* medians of cases */
	struct eval_turned *turned;          /* of A's order */
	size_t turned_n, turned_cap;
};

/* Pairs cases by id, scorers by name.  Same: the interval of the difference is within
 * the margin.  Better, worse: the interval is on one side of 0, and the sign-flip test
 * says so too.  Unclear: neither.  ERR_INVALID: no case or no scorer is in both. */
int  eval_compare(const struct eval_result *a, const struct eval_result *b, double margin,
    struct eval_comparison *out, struct err *e);
void eval_comparison_release(struct eval_comparison *c);
bool eval_is_worse(const struct eval_comparison *c); /* one of its scorers */

/* ---- as text (show.c) -------------------------------------------------------------------- */

enum eval_form { EVAL_TEXT, EVAL_MARKDOWN };
/* all: cases that passed too. */
void eval_add_report(struct buf *b, const struct eval_result *r, enum eval_form form, bool all);
void eval_add_comparison(struct buf *b, const struct eval_result *a,
    const struct eval_result *with, const struct eval_comparison *c, enum eval_form form);

#endif
