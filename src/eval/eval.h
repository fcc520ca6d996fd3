/*
 * eval.h - an eval: what its file says, the cases of its dataset, and the scores that
 * its scorers give to what an agent answered.
 *
 * The room is pure: files are read, agents, models and scripts are run by the caller
 * (main/eval_run.h).
 *
 * Threads: struct eval and struct eval_cases are immutable after they were read; any
 * thread may score with them at once.  A scope belongs to one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef EVAL_EVAL_H
#define EVAL_EVAL_H

#include "base/arena.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/rc.h"
#include "base/val.h"

struct expr;

/* ---- the file (read.c) ------------------------------------------------------------ */

/* The key of a scorer that says how it scores; the order of eval_scorer_keys. */
enum eval_kind { EVAL_EXACT, EVAL_SCHEMA, EVAL_EXPRESSION, EVAL_JUDGE, EVAL_SCRIPT, EVAL_KINDS };
extern const char *const eval_kinds[];       /* "exact", ...; by value */

struct eval_choice { struct str name; double score; };

struct eval_scorer {
	struct str name;
	enum eval_kind kind;
	double pass;                         /* the score from which on a case passes */
	struct { bool ignore_case, trim, contains; } exact;
	struct json_doc schema;
	struct expr *expression;
	struct {
		struct str model;
		struct expr *prompt;         /* a template */
		struct eval_choice choice[LIMIT_EVAL_CHOICES];
		size_t choices_n;
	} judge;
	struct { const char **argv; } script;        /* NULL-ended */
};

struct eval {
	struct str name, agent, dataset;
	struct str script;                   /* of the scripted model; empty: none */
	struct expr *output;                 /* NULL: see eval_output */
	int64_t repeat;
	double threshold;                    /* NaN: none */
	struct eval_scorer scorer[LIMIT_EVAL_SCORERS];
	size_t scorers_n;
	struct arena arena;
};

/* YAML, or JSON if the file's name ends so.  ERR_* with `file:line:column: path:
 * words`.  Release also after errors. */
int  eval_read(struct eval *out, struct str text, struct str file, struct err *e);
void eval_release(struct eval *v);
/* Is it the name of an agent's file, and no id? */
bool eval_is_file(struct str agent);

/* ---- the dataset (cases.c) ---------------------------------------------------------- */

/* A line: {"id", "input", "expected", "replies", "answers", "tags"}. */
struct eval_case {
	struct str id;                       /* in the arena of its dataset */
	struct str json;                     /* the line; borrowed from the text */
	unsigned line;
	bool has_expected, has_replies;
};

struct eval_cases {
	struct eval_case *at;
	size_t n, cap;
	struct arena arena;
};

/* JSON Lines; empty lines are skipped.  ERR_* with `file:line: words`: not JSON, an
 * unknown member, a wrong type, an id that was there before.  text is borrowed.
 * Release also after errors. */
int  eval_cases_read(struct eval_cases *out, struct str text, struct str file,
    struct err *e);
void eval_cases_release(struct eval_cases *c);
/* Has each case what the scorers compare with?  ERR_INVALID with the place. */
int  eval_cases_check(const struct eval_cases *c, const struct eval *v, struct str file,
    struct err *e);

/* With a server nobody can answer in place of its model.  ERR_INVALID: a case has replies. */
int  eval_cases_check_remote(const struct eval_cases *c, struct str file, struct err *e);
bool eval_case_has_tag(const struct eval_case *c, struct str tag);

/* The members of a case, as values of this thread. */
struct eval_given { struct val input, expected, replies, answers; };     /* or UNDEF */
int  eval_given_read(struct eval_given *out, const struct eval_case *c, struct err *e);
void eval_given_release(struct eval_given *g);
/* The input for a run, owned by the caller: a text is a user's message. */
struct val eval_input(struct val input);

/* ---- scores (score.c) ---------------------------------------------------------------- */

/* The names of expressions, in the order of eval_names. */
enum eval_name { EVAL_INPUT, EVAL_OUTPUT, EVAL_EXPECTED, EVAL_STATE, EVAL_USAGE, EVAL_NAMES };
extern const char *const eval_names[];       /* NULL-ended */

/* What came of a case; borrowed.  text: the output as it is, where `output` was decoded. */
struct eval_scope { struct val v[EVAL_NAMES]; struct val text; };

/* What the agent answered, of the state where a run ended: the file's expression; else
 * the text of the last AI message; else `channels`, those that are output.  Sets OUTPUT
 * (decoded, where a text is a JSON object or array) and text of the scope; the caller
 * drops both.  ERR_*: the expression failed; ERR_TOOBIG. */
int  eval_output(const struct eval *v, struct eval_scope *scope, struct val channels,
    struct err *e);

struct eval_score { double score; char why[LIMIT_EVAL_WHY_BYTES]; };

/* By EXACT, SCHEMA, EXPRESSION.  What cannot be scored is 0, and why says it. */
void eval_score(const struct eval_scorer *s, const struct eval_scope *scope,
    struct eval_score *out);
/* 0, and why. */
void eval_score_fail(struct eval_score *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* By a model (judge.c): what it is told, what it is asked, the schema of its answer; then
 * its answer: {"choice", "why"}, or the choice alone. */
void eval_judge_add_system(const struct eval_scorer *s, struct buf *out);
int  eval_judge_add_prompt(const struct eval_scorer *s, const struct eval_scope *scope,
    struct buf *out, struct err *e);
void eval_judge_add_schema(const struct eval_scorer *s, struct buf *out);
void eval_judge_read(const struct eval_scorer *s, struct str answer, struct eval_score *out);

/* By a program (script.c): its stdin {"input", "output", "expected", "state"}, its stdout
 * {"score": 0..1, "why"}. */
void eval_script_add_input(const struct eval_scope *scope, struct buf *out);
void eval_script_read(struct str answer, struct eval_score *out);

#endif
