/*
 * load_priv.h - an agent being made of a tree; shared by the files that compile
 * its parts.
 *
 * The first failure stays in struct load and disables what follows, so that the
 * code reads as a list of parts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_LOAD_PRIV_H
#define AGENT_LOAD_PRIV_H

#include "agent/agent.h"
#include "agent/tree.h"
#include "base/limits.h"

/* Which names an expression may use. */
enum names {
	NAMES_ALL,
	NAMES_RUN,                           /* config, context, params: before the run has
	                                        a state */
	NAMES_NONE                           /* a constant */
};

/* An agent called by name: where its work is, and where in the file. */
struct agent_link {
	struct agent_work *work;
	struct str place;                    /* `file:line:column: path` */
};

/* A tool from elsewhere, named in the file. */
struct agent_named { struct str name, place; };

/* What agent_free releases besides the arena. */
struct agent_holds {
	struct expr **exprs;
	size_t exprs_n, exprs_cap;
	struct val *vals;
	size_t vals_n, vals_cap;
	struct agent **children;             /* definitions in place */
	size_t children_n, children_cap;
	struct agent_link *links;
	size_t links_n, links_cap;
	struct agent_link *tool_links;       /* of agents as tools: these may call each other
	                                        in cycles, which end at a depth */
	size_t tool_links_n, tool_links_cap;
	struct agent_named *names;
	size_t names_n, names_cap;
};

struct load {
	struct agent *a;
	const struct tree *t;
	const struct task_kinds *kinds;
	struct err *e;
	int rc;
	enum names names;
	bool of_session;                     /* a guard or an action of a chart, which may
	                                        call In() and visits() */
	struct as_name { struct str name; int slot; } as[LIMIT_AGENT_NAMES];
	size_t as_n;                         /* visible now */
	int as_next;                         /* slot of the next one */
	unsigned nesting;                    /* definitions in place around this one */
	const struct tree_node *state;       /* the map of channels; NULL: none */
	const struct tree_node *nodes;       /* the map of nodes; NULL: of a chart */
	struct load_hidden_of {              /* an llm's channels that nobody declares */
		const struct tree_node *n;
		int keep, summary;
	} *hidden;
	size_t hidden_n;
	size_t undeclared_n;                 /* channels behind those of the file */
	const char *const *own_keys;         /* load_work skips these keys of its map */
};

/* undeclared.c: names that a chart reads as data.NAME and does not declare. */
struct load_undeclared { struct str at[16]; size_t n; };
void load_undeclared(struct load *l, const struct tree_node *context,
    struct load_undeclared *u);

/* ---- failures, sticky ---------------------------------------------------------- */

void load_fail(struct load *l, const struct tree_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At the key of n, and the name that may have been meant (or NULL). */
void load_fail_key(struct load *l, const struct tree_node *n, const char *near,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* At n, likewise. */
void load_fail_near(struct load *l, const struct tree_node *n, const char *near,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* True, unless it failed or n is of another kind, which fails: "expected a map of
 * channels, got a string".  what: "a map of channels". */
bool load_wants(struct load *l, const struct tree_node *n, enum tree_kind kind,
    const char *what);
/* The text of a string; empty after a failure. */
struct str load_string(struct load *l, const struct tree_node *n, const char *what);

/* ---- memory of the agent ------------------------------------------------------- */

void *load_alloc(struct load *l, size_t n, size_t size);     /* zeroed; never NULL for n 0 */
struct str load_str(struct load *l, struct str s);
struct val load_val(struct load *l, struct val v);           /* takes; released with a */

/* ---- names ----------------------------------------------------------------------- */

extern const char *const load_reserved[];    /* by slot, NULL-ended */
/* A place for a name that later expressions see; -1 after a failure. */
int load_as(struct load *l, const struct tree_node *n);
int load_channel_find(const struct load *l, struct str name);        /* or -1 */
/* The same, and a failure at n if there is none. */
int load_channel(struct load *l, const struct tree_node *n, struct str name, bool is_key);
/* The node by the name of n, a failure if there is none: -1.  or_end: START and END
 * could have been meant. */
int load_node_ref(struct load *l, const struct tree_node *n, bool or_end);

/* ---- parts ------------------------------------------------------------------------ */

/* A field of any kind but CHILD, WORKS, AS, SET. */
void load_value(struct load *l, const struct tree_node *n, const struct agent_field *f,
    struct agent_value *out);
/* The same by its kind alone. */
void load_kind(struct load *l, const struct tree_node *n, enum agent_field_kind kind,
    struct agent_value *out);
/* The work in a node's map, or in an item's; keys of the node itself are skipped. */
void load_work(struct load *l, const struct tree_node *n, bool is_item,
    struct agent_work *out);
/* limits.c: a budget; wall: it may have one.  False: it failed. */
bool load_budget(struct load *l, const struct tree_node *n, bool wall,
    struct agent_budget *b);
/* tools.c: `tools` of the agent; and the names of tools in a work, for later. */
void load_tools(struct load *l, const struct tree_node *root);
void load_note_tools(struct load *l, const struct tree_node *n, const struct agent_work *w);
/* An agent by its name, or a definition in place.  as_tool: models call it. */
void load_agent_ref(struct load *l, const struct tree_node *n, struct agent_work *w,
    bool as_tool);
/* Appends `file:line:column: path: `. */
void load_add_place(struct load *l, const struct tree_node *n, struct buf *b);
/* mcp.c: `mcp` of the agent; and names of tools in work. */
void load_mcp(struct load *l, const struct tree_node *root);
void load_check_policies(struct load *l, const struct tree_node *root);
void load_check_mcp(struct load *l, const struct tree_node *n, const struct agent_work *w);
/* `capabilities` of the agent. */
void load_limits(struct load *l, const struct tree_node *n);
/* Tools that a work names must be among them. */
void load_check_limits(struct load *l, const struct tree_node *n,
    const struct agent_work *w);
/* `budget` in a map; NULL: there is none. */
const struct agent_budget *load_own_budget(struct load *l, const struct tree_node *of,
    bool wall);
/* `retry` and `timeout` beside the kind of a work, in its map. */
void load_guard(struct load *l, const struct tree_node *n, struct agent_work *w);
/* A time in milliseconds, not below `least`. */
int64_t load_time(struct load *l, const struct tree_node *n, int64_t least);
void load_edges(struct load *l, const struct tree_node *n);
/* The `states` of a map, and what is of the chart itself. */
void load_states(struct load *l, const struct tree_node *n);
/* Refuses keys that are not in the list; one that ends with '!' is known, and not
 * supported yet. */
void load_check_keys(struct load *l, const struct tree_node *n, const char *const *known);
/* The same, and a kind's name may have been meant. */
void load_check_node_keys(struct load *l, const struct tree_node *n,
    const char *const *known);
/* say.c: does the statement `send` (or `reply`) have that field of the kind `message`? */
bool load_say_has(const struct agent_field *f, bool reply);
/* By its name or alias; NULL. */
const struct task_kind *load_kind_find(const struct task_kinds *kinds, struct str key);
/* Is there a key of a kind? */
bool load_has_kind(struct load *l, const struct tree_node *n);
/* hosted.c: {"hosted": {...}}, a graph that a worker runs. */
bool load_is_hosted(struct load *l, const struct tree_node *root);
void load_hosted(struct load *l, const struct tree_node *root);
/* wasm.c: {wasm: {module, ...}}, a module in a sandbox. */
bool load_is_wasm(struct load *l, const struct tree_node *root);
void load_wasm(struct load *l, const struct tree_node *root);
/* Everything of an agent that is a map. */
void load_root(struct load *l, const struct tree_node *n);
/* The id of the agent, given at n; p NULL: it is made of the file's name. */
void load_id(struct load *l, const struct tree_node *n, struct str id);
/* A chart in SCXML; t is l->t, and gets what the document says of channels and work. */
void load_scxml(struct load *l, struct tree *t, struct str text);
/* hidden.c: the channels that its llms keep conversations in, after the others; and
 * those of the llm whose map is n. */
void load_hidden(struct load *l, const struct tree_node *n);
void load_hidden_find(const struct load *l, const struct tree_node *n,
    struct agent_work *w);
/* Compiles a map as an agent; the failure is in l. */
struct agent *load_child(struct load *l, const struct tree_node *n);
/* Is `key` one of a node itself (defer, description)? */
bool load_is_node_key(struct str key);

#endif
