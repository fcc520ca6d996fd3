/*
 * model_priv.h - a compiled chart: flat arrays, small integers.
 *
 * States are numbered in document order, the root is 0.  The descendants of
 * state s are exactly s+1 .. states[s].last, so ancestry is two comparisons
 * and the children of s are s+1, last(s+1)+1, ...  Nothing here is written
 * after chart_compile; sessions on all shards read it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHART_MODEL_PRIV_H
#define CHART_MODEL_PRIV_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "chart/chart.h"
#include "chart/draft.h"
#include "chart/expr.h"

#define SCXML_TYPE "http://www.w3.org/TR/scxml/"     /* of an invoke without one */

#define NO_STATE   UINT32_MAX
#define CONF_WORDS (LIMIT_CHART_STATES / 64)

struct range {
	uint32_t first, n;
};

/* An expression; x NULL: malformed, `bad` is the error (SCXML only). */
struct code {
	struct expr *x;
	struct str bad;
	struct str text;             /* as written, for messages */
};

/* A literal, or an expression when code != 0 (index into codes). */
struct value {
	struct str text;
	uint32_t code;
};

enum content_kind { CONTENT_NONE, CONTENT_CODE, CONTENT_CONST, CONTENT_CHILD };

struct content {
	enum content_kind kind;
	uint32_t at;                 /* code, constant or child */
	struct str text;             /* CONST, CHILD: as written */
};

struct payload {
	struct range params;         /* of params */
	struct content content;
};

struct param {
	struct str name;
	uint32_t code;
	uint32_t location;           /* its code; 0: none */
	bool required;               /* of a namelist: an error fails the payload */
};

struct branch {
	uint32_t cond;               /* 0: else */
	struct range body;
};

struct send {
	struct value event, target, type, id, delay;
	int64_t delay_ms;
	uint32_t idlocation;
	struct payload payload;
};

struct action {
	enum action_kind kind;
	bool declare;
	uint32_t a, b;               /* ASSIGN: location, value code; LOG: -, code;
	                                FOREACH: array code, item text; SEND: index */
	int32_t slot, slot2;         /* ASSIGN; FOREACH: item and index */
	struct value text;           /* RAISE, CANCEL; LOG: label */
	struct content content;      /* ASSIGN: inline */
	struct range range;          /* IF: branches; FOREACH: its body */
};

struct invoke {
	uint32_t state;
	struct value type, src, id;
	uint32_t idlocation;
	struct payload payload;
	struct range finalize;
	bool has_finalize, autoforward;
};

struct datum {
	int32_t slot;
	bool top;                    /* of the root: params may override it */
	struct content content;      /* NONE: undefined */
};

#define DOMAIN_NONE    UINT32_MAX       /* no targets */
#define DOMAIN_DYNAMIC (UINT32_MAX - 1) /* depends on a history */

struct transition {
	uint32_t source;
	struct range events;         /* of descriptors */
	struct range targets;        /* of ids */
	struct range body;
	uint32_t cond;
	uint32_t domain;
	uint32_t line;               /* of the document; 0: unknown */
	bool internal, any;          /* any: event="*" */
	bool eventless;
};

struct state {
	struct str id;               /* first: the key of chart.by_id */
	enum state_kind kind;
	bool deep, named;
	uint32_t parent, last, depth;
	uint32_t initial;            /* transition; NO_STATE: none */
	uint32_t number;             /* HISTORY: index among histories, initial is its
	                                default; PARALLEL: index among parallels */
	uint32_t regions;            /* PARALLEL: children that are not histories */
	struct range histories;      /* of chart.nested: its children of that kind */
	struct range transitions, invokes, data;
	uint32_t cost;               /* of selection: 1, its transitions and their
	                                descriptors */
	struct range entry, exit;    /* of blocks */
	struct payload donedata;
	bool has_donedata;
	struct str done;             /* "done.state.ID" */
};

struct slot {
	struct str name;             /* first: the key of chart.by_slot */
	uint32_t index;
};

#define VECTOR(type) struct { type *at; size_t n, cap; }
/* A place for one more.  What is written there must not add to the vector. */
#define vector_add(v) (mem_grow((v).at, (v).n, (v).cap), &(v).at[(v).n++])

struct chart {
	struct arena arena;          /* texts */
	struct str name;
	bool late;
	bool lenient;                /* its expressions are */
	bool eventless;              /* some transition of a state is */
	bool visits;                 /* some expression calls visits() */
	uint32_t words;              /* of a set of states */
	uint32_t histories, parallels;
	uint64_t shape;              /* of states, ids and invokes: see snapshot.c */
	VECTOR(struct state) states;
	VECTOR(struct transition) transitions;
	VECTOR(uint32_t) ids, nested;
	VECTOR(struct str) descriptors;
	VECTOR(struct range) blocks;
	VECTOR(struct action) actions;
	VECTOR(struct branch) branches;
	VECTOR(struct send) sends;
	VECTOR(struct param) params;
	VECTOR(struct invoke) invokes;
	VECTOR(struct datum) data;
	VECTOR(struct code) codes;   /* 0 is no code */
	VECTOR(struct val) consts;
	VECTOR(struct chart *) children;
	VECTOR(struct slot *) slots;
	struct map by_id, by_slot;
	struct range script;
};

static inline bool
is_descendant(const struct chart *c, uint32_t s, uint32_t of)
{
	return s > of && s <= c->states.at[of].last;
}

static inline bool
is_atomic(const struct state *s)
{
	return s->kind == STATE_ATOMIC || s->kind == STATE_FINAL;
}

uint32_t chart_find(const struct chart *c, struct str id);   /* or NO_STATE */
int chart_slot(const struct chart *c, struct str name);      /* or -1 */
uint64_t chart_shape(const struct chart *c);
bool transition_matches(const struct chart *c, const struct transition *t,
    struct str event);

/* ---- compile.c and compile_code.c ---------------------------------------- */

struct compile {
	struct chart *c;
	struct draft *d;
	const struct chart_files *files;     /* may be NULL */
	struct err *e;
	int rc;                      /* of the first error; the chart is discarded */
	const struct draft_state *where;     /* for messages */
	const char *what;            /* "transition", ...; NULL: the state */
	unsigned depth;              /* of nested actions */
	bool in_finalize;
	struct spot *spots;          /* of the codes by their index; of one not in the
	                                document zeroed */
	size_t spots_n, spots_cap;
};

void compile_fail(struct compile *k, struct spot at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct str compile_text(struct compile *k, struct str s);
int compile_slot(struct compile *k, struct str name);
uint32_t compile_code(struct compile *k, const struct draft_text *t);
struct value compile_value(struct compile *k, const struct draft_text *literal,
    const struct draft_text *expr, const char *name);
uint32_t compile_location(struct compile *k, const struct draft_text *t);
struct content compile_content(struct compile *k, const struct draft_content *from);
struct payload compile_payload(struct compile *k, const struct draft_payload *from,
    bool both);
struct range compile_block(struct compile *k, const struct draft_action *body);
void compile_bind(struct compile *k);

#endif
