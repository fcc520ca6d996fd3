/*
 * agent.h - the definition of an agent: read from a file, checked, compiled.
 *
 * One tree (YAML or JSON) becomes channels, nodes with their work, and edges; an
 * SCXML document becomes a chart, its invokes of kinds of work the nodes; the text
 * {"hosted": ...} becomes the description of a graph that runs in a worker.
 * Everything is checked at load: unknown keys, names, expressions; an error is
 *   file:line:column: path: words
 * What a node can do is a table of kinds (struct task_kind), which the room of
 * the kinds gives to agent_load: this room knows their fields, not what they do.
 *
 * Threads: a compiled agent is immutable, its values' reference counts too;
 * every shard may read it.  A value that is kept is copied (val_copy).
 * Memory: everything in a struct agent lives as long as the agent.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rc.h"
#include "base/val.h"
#include "state/channels.h"

struct agent;
struct agent_scope;
struct expr;
struct chart;
struct graph;
struct graph_spec;
struct task_kind;
struct agent_wasm;

/* ---- fields and values ----------------------------------------------------- */

/* How a field is written, and so what its strings are. */
enum agent_field_kind {
	AGENT_NAME,          /* plain text: a tool */
	AGENT_TEXT,          /* a template: text with ${expr} inside */
	AGENT_EXPR,          /* an expression; a number, true, false, null too */
	AGENT_DATA,          /* a string is an expression; an object or array is taken as
	                        it is, each string in it an expression */
	AGENT_TEXTS,         /* a list of templates, or one */
	AGENT_NAMES,         /* a list of plain texts */
	AGENT_PLAIN,         /* JSON as it is: a schema */
	AGENT_BOOL,          /* true or false */
	AGENT_INT,           /* a whole number >= 0 */
	AGENT_WORD,          /* one of `words`; its value is the index in them */
	AGENT_CHILD,         /* an agent: a name, or a definition in place */
	AGENT_WORKS,         /* a list of work */
	AGENT_AS,            /* a name that expressions further inside see */
	AGENT_SET,           /* channel: data, ...  as `writes` */
	AGENT_CHANNEL        /* a channel's name; its value is the index */
};

enum agent_value_form { VALUE_NONE, VALUE_CONST, VALUE_EXPR, VALUE_LIST, VALUE_OBJECT };

/* One compiled field; VALUE_NONE (zeroed): the file does not have it. */
struct agent_value {
	enum agent_value_form form;
	bool reads_data;                     /* it needs `data` as a whole */
	bool text;                           /* of a template: its value is a string */
	struct val constant;                 /* CONST: a name, a text without holes, plain
	                                        data, a bool, an int, a word's index */
	struct expr *x;                      /* EXPR */
	struct str source;                   /* EXPR: its text */
	const struct agent_value *items;     /* LIST, OBJECT: n of them */
	const struct str *keys;              /* OBJECT */
	size_t n;
	unsigned line, column;
};

static inline bool
agent_has(const struct agent_value *v)
{
	return v->form != VALUE_NONE;
}

/* Constants, read without evaluation; the fallback if the field is absent. */
struct str agent_name(const struct agent_value *v);      /* NAME; empty if absent */
bool agent_bool(const struct agent_value *v, bool fallback);
int64_t agent_int(const struct agent_value *v, int64_t fallback);   /* INT, WORD */

/* ---- kinds of work --------------------------------------------------------- */

enum agent_field_flags {
	FIELD_REQUIRED = 1,
	FIELD_SHORT = 2,     /* the kind's value may be this field alone: `tool: search` */
	FIELD_BODY = 4,      /* the kind's value is always this field: `do: [...]` */
	FIELD_BESIDE = 8,    /* written beside the kind's key, not inside: `input` of agent */
	FIELD_LATER = 16,    /* known, and refused as not supported yet */
	FIELD_LIST_LATER = 32        /* a list of them is */
};

struct agent_field {
	const char *name;
	enum agent_field_kind kind;
	const char *help;                    /* a few words, for editors */
	unsigned flags;
	const char *alias;                   /* another name for it; or NULL */
	const char *const *words;            /* WORD: NULL-ended */
	unsigned ops;                        /* of which ops, a bit each; 0: of all */
	unsigned group;                      /* not 0: at most one of those with the same
	                                        number; of REQUIRED ones exactly one */
	const char *with;                    /* only beside that field; or NULL */
	/* PLAIN: what else must be so; ERR_INVALID says what is not.  Or NULL */
	int (*check)(struct val v, struct err *e);
};

/* What a kind writes when the file has no `writes`. */
enum agent_default_writes { WRITES_NONE, WRITES_MESSAGES, WRITES_OUTPUT };

/* A kind of work: the table of its fields, and what it does (the room above).
 * A kind with `ops` is written `kind: {op: {fields}}`; the index of the op is
 * work->op. */
struct task_run;
struct task_kind {
	const char *name, *alias;            /* alias NULL: none */
	const char *help;
	const struct agent_field *fields;    /* a slot each */
	size_t fields_n;
	const char *const *ops;              /* NULL-ended, or NULL; op i has bit 1 << i */
	enum agent_default_writes writes;
	bool of_chart;                       /* work of a state: a graph takes no events */
	/* Do the fields go together?  NULL, or what is wrong.  Or no function. */
	const char *(*check)(const struct agent_value *fields);
	const struct task_run *run;
};

struct task_kinds {
	const struct task_kind *const *at;
	size_t n;
};

/* The type of a chart's sends to other agents (FIPA ACL): the target is an address, or
 * several with blanks between; the event's name the act; the data an object of the
 * other fields of the kind `message`. */
#define AGENT_SEND_TYPE "fipa"

/* ---- the compiled definition ------------------------------------------------ */

/* What may be spent: a number of each kind, or BUDGET_NONE.  cost is in
 * nano-USD, wall in milliseconds. */
#define BUDGET_NONE INT64_MAX
enum agent_budget_kind {
	BUDGET_TOKENS, BUDGET_COST, BUDGET_TURNS, BUDGET_TOOL_CALLS, BUDGET_WALL, BUDGET_KINDS
};
extern const char *const agent_budget_names[];       /* NULL-ended */
struct agent_budget {
	int64_t most[BUDGET_KINDS];
	struct str file;
	unsigned line;
};

/* Of a state of a chart: counted anew at each entry. */
struct agent_state_budget {
	struct str state;
	struct agent_budget budget;
};

/* `capabilities`: what the agent and those that it calls may use.  A part that is
 * not given (has_ false) allows everything. */
struct agent_limits {
	bool has_tools, has_hosts, has_paths;
	const struct str *tools;             /* names, or beginnings: "store_*" */
	size_t tools_n;
	const struct str *hosts;             /* as the setting http-hosts has them */
	size_t hosts_n;
	const struct str *paths;             /* folders and files, absolute: what MCP servers
	                                        are told */
	size_t paths_n;
};
/* NULL: everything.  group: of the tool, or empty. */
bool agent_limits_tool(const struct agent_limits *of, struct str name, struct str group);

struct agent_write {
	unsigned channel;
	struct agent_value value;
};

/* `retry` and `timeout` of a piece of work. */
struct agent_guard {
	bool retries;
	unsigned max;                        /* attempts after the first */
	const struct str *on;                /* events, as SCXML matches them; none: what is
	                                        worth it */
	size_t on_n;
	int64_t delay_ms, max_delay_ms;
	double factor, jitter;
	int64_t timeout_ms;                  /* of each attempt; 0: none */
};

/* One piece of work: a node's, or an item of do, repeat or map. */
struct agent_work {
	const struct task_kind *kind;        /* never NULL: an item of writes alone is `set` */
	const struct agent_value *fields;    /* by slot, kind->fields_n of them */
	int op;                              /* of a kind with ops; else -1 */
	struct agent_value when;             /* NONE: always */
	int as;                              /* slot of the result's name; -1: none */
	bool returns;                        /* ends the node's work */
#define AGENT_KEEP_NONE  (-1)
#define AGENT_KEEP_STATE (-2)
	int keep, summary;                   /* of an llm: hidden channels (agent/hidden.c) of
	                                        its conversation, and of what stands for a part
	                                        of it that is cut off; NONE, STATE: in none */
	bool has_writes;                     /* the file says what is written (set: always) */
	const struct agent_write *writes;    /* seen by them: the result, `as` names */
	size_t writes_n;
	const struct agent_work *items;      /* do; the `do` of repeat and map */
	size_t items_n;
	const struct agent_guard *guard;     /* NULL: none */
	int each;                            /* slot of the element or count in repeat and
	                                        map; -1: none */
	struct str each_name;                /* its name, or empty */
	const struct agent *child;           /* agent, map: in place, or found by agents_link;
	                                        NULL before */
	struct str child_name;               /* empty: in place */
	const struct agent_budget *budget;   /* NULL: none */
	unsigned line, column;
};

struct agent_node {
	struct str name;                     /* as in the file, maybe a template */
	struct agent_value label;            /* its name in a run: CONST, or a template of the
	                                        run's config, context and params */
	struct str description;
	bool defer;
	struct agent_work work;
	const unsigned *budgets;             /* of a chart: of its state and those around, */
	size_t budgets_n;                    /* by index in state_budgets */
	unsigned line, column;
};

/* What the graph asks of an edge, by the same index.  over: of a send. */
struct agent_edge {
	struct agent_value when;
	struct agent_value over, input;      /* input NONE: {as: element}; the element if
	                                        it has no name */
	int as;                              /* slot of the element; -1 without a name */
	struct str as_name;
	unsigned line, column;
};

struct agent_stops {                         /* a list of nodes, or all */
	bool all;
	const unsigned *nodes;
	size_t n;
};

/* How a tool may be used. */
enum agent_said { AGENT_UNSAID, AGENT_NO, AGENT_YES };
struct agent_policy {
	int64_t timeout_ms;                  /* of a call; 0: none */
	unsigned retries;                    /* calls after the first */
	enum agent_said idempotent;          /* may a call be made twice?  UNSAID: as the tool
	                                        itself says */
	struct val approval;                 /* true, or an object as in a run's interrupt_on;
	                                        UNDEF: nobody is asked */
	struct val args;                     /* arguments that every call has, and that the model
	                                        is not shown; an object, or UNDEF */
};

/* A tool of the file: its answer is an expression, in which `input` is the call's
 * arguments; or another agent does it; or an external worker. */
struct agent_tool {
	struct str name, description;
	struct val schema;                   /* of its arguments; an object */
	struct agent_value reply;
	struct agent_work *call;             /* the agent; NULL: `reply`, or a worker */
	bool worker;                         /* without description and schema it has those
	                                        that the worker has registered */
	struct agent_policy policy;
};

/* A server of the Model Context Protocol (mcp.c).  Values of env and headers may be
 * references: env:NAME, file:PATH. */
struct agent_pair { struct str name, value; };
struct agent_mcp {
	struct str name;
	const struct str *command;           /* program and arguments; n 0: url */
	size_t command_n;
	struct str cwd;                      /* empty: ours */
	const struct agent_pair *env;
	size_t env_n;
	struct str url;
	const struct agent_pair *headers;
	size_t headers_n;
	bool some;                           /* only these of its tools */
	const struct str *tools;             /* by its own names */
	size_t tools_n;
};

/* The hidden event of an `after` or a state's `timeout`, and how people see it. */
struct agent_after {
	const struct agent_after *next;
	struct str event, label;             /* "after 30s" */
};

/* A graph that runs in a worker: what the worker said of it.  All values are JSON as it
 * was given; UNDEFINED where it was not. */
enum agent_schema {
	SCHEMA_INPUT, SCHEMA_OUTPUT, SCHEMA_STATE, SCHEMA_CONFIG, SCHEMA_CONTEXT, SCHEMAS
};
extern const char *const agent_schema_names[];       /* "input", ...; NULL-ended */

struct agent_subgraph { struct str ns; struct val schemas[SCHEMAS]; };   /* "a|b" */

struct agent_hosted {
	struct str build;
	struct val schemas[SCHEMAS];
	struct val drawing, xray;            /* {"nodes", "edges"}; xray: with sub-graphs */
	const struct str *nodes;             /* of the drawing, but for its ends */
	size_t nodes_n;
	const struct agent_subgraph *subgraphs;
	size_t subgraphs_n;
};

struct agent {
	struct str id, name, description;    /* name: the id if the file has none */
	struct str file;                     /* as given to agent_load */
	struct str text;                     /* the source; empty for one in place */
	struct str json;                     /* canonical: keys in order of bytes (of a chart as
	                                        they are written), no blanks; of an SCXML document
	                                {"scxml": its text}, which agent_load takes too */
	char hash[64];                       /* SHA-256 in hex of json */
	const struct channel *channels;      /* input, output, private: resolved */
	size_t channels_n;
	const struct agent_node *nodes;
	size_t nodes_n;
	const struct agent_edge *edges;
	size_t edges_n;
	struct agent_stops before, after;    /* interrupt_before, interrupt_after */
	const struct agent_tool *tools;
	size_t tools_n;
	const struct agent_tool *policies;   /* of tools from elsewhere: a name and a policy */
	size_t policies_n;
	const struct agent_mcp *mcp;
	size_t mcp_n;
	struct val context_schema;           /* or UNDEFINED */
	struct val tests;                    /* a list, not in json; or UNDEFINED */
	struct chart *chart;                 /* NULL: it is a graph.  Its nodes are the
	                                        invokes, by invokeid; channel i is slot i;
	                                        there are no edges */
	struct graph *graph;                 /* its stepper's half; NULL: names of nodes are
	                                        templates, see agent_graph */
	const struct graph_spec *spec;       /* what it was made of, names as in the file */
	const struct agent_hosted *hosted;   /* not NULL: a worker runs it; then there are
	                                        no channels, nodes, edges, graph, chart */
	const struct agent_wasm *wasm;       /* agent/wasm.h: not NULL: the module whose one node
	                                        it is */
	size_t slots_n;                      /* of a scope */
	const struct agent_budget *budget;   /* of the whole; NULL: none */
	const struct agent_state_budget *state_budgets;
	size_t state_budgets_n;
	const struct agent_limits *limits;   /* NULL: none */
	const struct agent_after *afters;    /* of a chart */
	bool budgeted;                       /* it, a state or some work has one */
	bool of_worker;                      /* set by who registers what workers serve: it
	                                        waits for one */
	struct arena arena;                  /* everything above */
	struct agent_holds *holds;           /* what agent_free releases; private */
};

/* text: YAML, JSON if it begins with '{', SCXML if it begins with '<' (the ending of
 * the file goes first).  file: for errors, and an id for an
 * agent that has none is its name without folder and ending.  Both are copied.
 * ERR_SYNTAX, ERR_INVALID, ERR_TOOBIG with `file:line:column: path: words`. */
int  agent_load(struct agent **out, struct str text, struct str file,
    const struct task_kinds *kinds, struct err *e);
void agent_free(struct agent *a);            /* NULL: nothing */
/* A file that is not an agent (tests of one), by the same rules; the caller drops it. */
int  agent_read_data(struct val *out, struct str text, struct str file, struct err *e);

/* The graph of a run, node names resolved by the run's config and context.
 * *mine: free it (graph_free) when the run ends; else it is the agent's own.
 * ERR_INVALID: a name is not a string, not a name, or there twice; it is a chart. */
int  agent_graph(const struct agent *a, const struct agent_scope *s, struct graph **out,
    bool *mine, struct err *e);

/* Of a hosted graph.  Does its drawing have that node?  True also without a drawing. */
bool agent_hosted_has_node(const struct agent_hosted *h, struct str name);
/* May a client write that member of its input?  True also if its schema does not tell. */
bool agent_hosted_takes(const struct agent_hosted *h, struct str name);

/* The index, or -1; a node by its name in the file. */
int agent_channel_find(const struct agent *a, struct str name);
int agent_node_find(const struct agent *a, struct str name);

/* What the file says of the tool; NULL: nothing. */
const struct agent_policy *agent_policy_of(const struct agent *a, struct str name);
/* Are the tools that its work names, and has not itself, among the names (NULL-ended)?
 * Those of MCP servers may be there or not.  ERR_INVALID with the place. */
int agent_check_tools(const struct agent *a, const char *const *names, struct err *e);
/* Calls check for each tool whose policy has args, of agents in place too; *place: where
 * the file names it. */
int agent_each_args(const struct agent *a, int (*check)(void *ctx, struct str place,
    struct str name, struct val args, struct err *e), void *ctx, struct err *e);

/* ---- evaluation --------------------------------------------------------------- */

/* Slots of a scope: the reserved names, then the channels, then names from `as`.
 * A slot that is UNDEFINED reads as null. */
enum agent_slot {
	SLOT_DATA,           /* all channels as an object; made when it is needed */
	SLOT_INPUT,          /* a task's private input; of a scripted tool: its arguments */
	SLOT_RESULT,         /* of the work whose writes are evaluated */
	SLOT_CONFIG,         /* the run's */
	SLOT_CONTEXT,        /* the run's */
	SLOT_PARAMS,         /* config.configurable */
	SLOT_EVENT,
	SLOT_CHANNEL         /* of the first channel */
};

/* What names stand for.  The slots are owned by the caller, agent->slots_n of
 * them (so a task has its own).  SLOT_DATA is made from the channels' slots when
 * something reads it, and kept there: after changing a channel's slot call
 * agent_scope_changed.  Private channels are in it too. */
struct agent_scope {
	const struct agent *agent;
	struct val *slots;
	size_t *work;                        /* if given: steps are added, to bound many
	                                        evaluations together */
};

void agent_scope_changed(const struct agent_scope *s);

/* *out is owned by the caller; null for an absent field.  A missing member is
 * null; null in arithmetic or a call is an error; null in a template is empty.
 * ERR_INVALID with `column N: words`, ERR_LIMIT. */
int agent_eval(const struct agent_value *v, const struct agent_scope *s,
    struct val *out, struct err *e);
/* Of a condition; true for an absent one. */
int agent_eval_bool(const struct agent_value *v, const struct agent_scope *s,
    bool *out, struct err *e);

/* ---- tools of MCP servers ---------------------------------------------------------- */

const struct agent_mcp *agent_mcp_find(const struct agent *a, struct str server);    /* NULL */
/* The name that a model sees: SERVER__TOOL, of at most 64 letters, digits, '_', '-'. */
void agent_mcp_name(struct buf *b, struct str server, struct str tool);
/* Reads such a name.  tool: as it is there. */
bool agent_mcp_split(struct str name, struct str *server, struct str *tool);
/* Does a name of the file mean the tool that a model sees by this one? */
bool agent_mcp_is(struct str name, struct str server, struct str offered);
/* Is the tool among those of the server that may be used? */
bool agent_mcp_offers(const struct agent_mcp *m, struct str offered);
/* For those who read servers from elsewhere. */
bool agent_mcp_is_server_name(struct str s);
bool agent_mcp_is_url(struct str s);
bool agent_mcp_is_header(struct str name);
bool agent_mcp_is_header_value(struct str s);

/* ---- a set of agents ------------------------------------------------------------ */

struct agents;

/* A set that others hold is not changed any more: it is replaced as a whole.  Who
 * uses an agent for longer than the set is sure to be there holds the set. */
struct agents *agents_new(void);             /* with one reference */
struct agents *agents_hold(struct agents *s);        /* any thread */
void agents_free(struct agents *s);          /* gives one back; any thread.  NULL: nothing.
                                                With the last one its agents go too */
/* Takes the agent.  ERR_CONFLICT: there is one with that id; a is freed then. */
int agents_add(struct agents *s, struct agent *a, struct err *e);
/* After the last agents_add: finds the agents that are called by name.
 * ERR_INVALID, with the place: a name that is unknown, agents that call each
 * other in a cycle, nesting past LIMIT_AGENT_NESTING. */
int agents_link(struct agents *s, struct err *e);
const struct agent *agents_refused(const struct agents *s);  /* whose calls they were */
/* The agents of linked sets in one, which holds them; of two with one id, that of the
 * later set.  Calls stay as they were linked. */
struct agents *agents_join(struct agents *const *sets, size_t n);
const struct agent *agents_find(const struct agents *s, struct str id);  /* NULL */
size_t agents_count(const struct agents *s);
const struct agent *agents_at(const struct agents *s, size_t i);         /* by id */

/* An agent with those that it calls by name, as one text: what a run goes by, and
 * what is kept of it.  Its hash tells whether two are the same; the bytes live as
 * long as the set, which must be linked. */
struct str agents_hash(const struct agents *s, const struct agent *a);
void agents_add_text(struct buf *b, const struct agents *s, const struct agent *a);
/* A set of those agents, linked.  ERR_INVALID, ...: as agent_load. */
int  agents_read(struct agents **out, struct str text, const struct task_kinds *kinds,
    struct err *e);
/* Is the text under the hash in the store?  Once it is, it need not be given to it
 * again.  Any thread. */
bool agents_kept(const struct agents *s, const struct agent *a);
void agents_set_kept(struct agents *s, const struct agent *a);

/* The agents that every server has, as texts for agent_load: `agent` (ReAct),
 * `research_agent`.  NULL: there are no more of them. */
struct agent_builtin { const char *file, *id, *text; };
const struct agent_builtin *agent_builtin_at(size_t i);
struct str agent_builtin_text(struct str id);        /* empty: there is none */

/* ---- drawings and the schema ------------------------------------------------------ */

void agent_add_outline(struct buf *b, const struct agent *a);
void agent_add_dot(struct buf *b, const struct agent *a);
void agent_add_mermaid(struct buf *b, const struct agent *a);
/* A picture, without any other program (draw.c); active: names of nodes or states
 * that are marked.  ERR_INVALID: one is not there.  ERR_TOOBIG. */
int  agent_add_svg(struct buf *b, const struct agent *a, const struct str *active,
    size_t active_n, struct err *e);
int  agent_add_html(struct buf *b, const struct agent *a, const struct str *active,
    size_t active_n, struct err *e);     /* a page with it */
/* JSON Schema of agent files, for editors. */
void agent_add_schema(struct buf *b, const struct task_kinds *kinds);
/* The kinds and their fields as a table in Markdown, for docs/agents.md. */
void agent_add_kinds(struct buf *b, const struct task_kinds *kinds);

/* ---- for clients, as LangGraph answers (describe.c) -------------------------------- */

/* The first agent that a piece of work calls; NULL: none. */
const struct agent *agent_work_child(const struct agent_work *w);
/* {"nodes":[...],"edges":[...]}; down to `depth` levels a node that calls an agent
 * is drawn as that agent's nodes.  ERR_LIMIT. */
int  agent_add_drawing(struct buf *b, const struct agent *a, unsigned depth, struct err *e);
/* Its picture, laid out: {"width", "height", "nodes":[...],"edges":[...]}, docs/agents.md
 * has the members.  ERR_TOOBIG. */
int  agent_add_picture(struct buf *b, const struct agent *a, struct err *e);
/* {"graph_id", "input_schema", ...} */
void agent_add_schemas(struct buf *b, const struct agent *a);
/* Its input's schema, with one more member, `context`, for the context of a run; unless
 * it has a channel of that name. */
void agent_add_tool_schema(struct buf *b, const struct agent *a);
/* {"a": {"state", "input", "output", "config"}, "a|b": ...}: schemas of the agents that
 * nodes call, with recurse of theirs too.  ns: only of that one and those below; ids
 * of tasks in it are skipped.  ERR_LIMIT. */
int  agent_add_subgraphs(struct buf *b, const struct agent *a, struct str ns,
    bool recurse, struct err *e);

#endif
