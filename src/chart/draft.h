/*
 * draft.h - the syntax tree of a chart: nodes of borrowed text.
 *
 * Every syntax (SCXML here; YAML, JSON and agent keys in src/agent) is read into
 * a draft; chart_compile (compile.c) checks it and makes the struct chart.  So
 * rules and messages exist once.  A reader checks syntax only: unknown keys,
 * wrong nesting, exclusive attributes.
 *
 * All nodes and texts live in the draft's arena.  Zero means "not given":
 * absent text has p == NULL, an empty one has p != NULL and n == 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_DRAFT_H
#define CHART_DRAFT_H

#include "base/arena.h"
#include "base/rc.h"
#include "base/str.h"
#include "chart/chart.h"

#define DRAFT_BYTES (64 * MB)    /* a document of CHART_BYTES has fewer nodes */

struct spot {
	uint32_t line, column;       /* from 1; 0: unknown */
	const void *node;            /* the reader's own, for draft.refuse */
};

struct draft_text {
	struct str s;
	struct spot at;
	bool template;               /* of an expression: text with ${} holes */
};

/* Inline content: its expression, or text (JSON, else a string with its white
 * space normalised unless raw), or a chart. */
struct draft_content {
	struct draft_text expr, text;
	struct draft *child;
	struct str bad;              /* the error, if it could not be read */
	bool given, raw;
};

struct draft_param {
	struct draft_param *next;
	struct draft_text name, expr, location;
	struct spot at;
};

struct draft_payload {
	struct draft_text namelist;
	struct draft_param *params;
	struct draft_content content;
};

enum action_kind {
	ACTION_RAISE, ACTION_SEND, ACTION_CANCEL, ACTION_ASSIGN, ACTION_LOG,
	ACTION_IF, ACTION_FOREACH
};

struct draft_branch {
	struct draft_branch *next;
	struct draft_text cond;      /* absent: else */
	struct draft_action *body;
	struct spot at;
};

/* One struct for all kinds; each uses its own attributes of SCXML. */
struct draft_action {
	struct draft_action *next;
	enum action_kind kind;
	struct spot at;
	bool declare;                /* ASSIGN: `var x = ...` declares x; `var x`
	                                alone keeps its value */
	struct draft_text event, eventexpr, target, targetexpr, type, typeexpr;
	struct draft_text id, idlocation, delay, delayexpr;
	struct draft_text label, expr, location, item, index, array;
	struct draft_payload payload;        /* SEND, ASSIGN: inline content */
	struct draft_branch *branches;       /* IF */
	struct draft_action *body;           /* FOREACH */
};

struct draft_block {
	struct draft_block *next;
	struct draft_action *body;
};

struct draft_transition {
	struct draft_transition *next;
	struct spot at;
	struct draft_text event, cond, target;
	bool internal;
	struct draft_action *body;
};

struct draft_invoke {
	struct draft_invoke *next;
	struct spot at;
	struct draft_text type, typeexpr, src, srcexpr, id, idlocation;
	struct draft_payload payload;
	bool autoforward, has_finalize;
	struct draft_action *finalize;
};

struct draft_data {
	struct draft_data *next;
	struct spot at;
	struct draft_text id;
	struct draft_content value;
};

enum state_kind {
	STATE_ROOT, STATE_ATOMIC, STATE_COMPOUND, STATE_PARALLEL, STATE_FINAL,
	STATE_HISTORY
};

struct draft_state {
	struct draft_state *parent, *first, *last, *next;
	enum state_kind kind;        /* COMPOUND is decided by chart_compile */
	bool deep;                   /* HISTORY */
	struct spot at;
	struct draft_text id;
	struct draft_text initial;   /* ids, separated by white space */
	struct draft_transition *initial_transition;
	struct draft_transition *transitions;        /* HISTORY: its default */
	struct draft_block *entry, *exit;
	struct draft_invoke *invokes;
	struct draft_data *data;
	bool has_data;               /* there was a datamodel element */
	struct draft_payload *donedata;
	uint32_t index;              /* chart_compile's */
};

struct draft {
	struct arena arena;
	struct str name;
	bool late;                   /* binding="late" */
	bool null_model;             /* SCXML B.1: In(ID), the id without quotes */
	bool lax;                    /* SCXML: a malformed expression is an error
	                                event at run time, not of the document; and
	                                expressions are not lenient (expr.h) */
	bool visits;                 /* entries of states are counted (session_visits) */
	/* Instead of draft_fail: an error as the reader writes it.  Returns a code. */
	int (*refuse)(void *ctx, struct spot at, const char *words, struct err *e);
	void *refuse_ctx;
	struct draft_state *root;    /* may have transitions, entry and exit (not in
	                                SCXML) */
	struct draft_action *script; /* of the root, run before the start */
	struct draft *children;      /* inline charts, to be freed */
	struct draft *next;
};

struct draft *draft_new(void);
void draft_free(struct draft *d);
/* A zeroed node; NULL when the draft has grown too large (arena.failed). */
#define draft_node(d, type) arena_new(&(d)->arena, type)
/* A state appended to parent (NULL: the root). */
struct draft_state *draft_state_add(struct draft *d, struct draft_state *parent,
    enum state_kind kind, struct spot at);

/* Next in document order; NULL at the end. */
struct draft_state *draft_next_state(const struct draft_state *s);

/* The draft of an SCXML document, with `lax` set; files and errors as
 * chart_from_scxml.  *out is NULL after an error. */
int draft_from_scxml(struct draft **out, struct str text,
    const struct chart_files *files, struct err *e);

/* Checks and compiles.  files (may be NULL): knows.  ERR_INVALID with place and
 * path. */
int chart_compile(struct chart **out, struct draft *d,
    const struct chart_files *files, struct err *e);

/* `line 3, column 7: state 's1': ` and then what; returns rc. */
int draft_fail(struct err *e, int rc, struct spot at, const struct draft_state *s,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Cuts the next word (white space separates) off *rest; false at the end. */
bool draft_word(struct str *rest, struct str *word);

/* "1.5s", "200ms", "2m", "1h", "3d".  False: malformed. */
bool delay_parse(struct str text, int64_t *ms);

/* Reads `var x = 1; x += 2; a.b = c` as a list of assignments. */
int script_parse(struct draft *d, struct str text, struct spot at,
    struct draft_action **out, struct err *e);

#endif
