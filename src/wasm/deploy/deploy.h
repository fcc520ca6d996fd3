/*
 * deploy.h - modules by owner and name, their versions, and how a new one takes over.
 *
 * A module comes from a client (PUT, kept in the store) or from the folder of agents
 * (everybody's; a client's of that name has precedence for its owner).  Each that is put
 * is a *release* with a number; the last LIMIT_WASM_VERSIONS are kept, and one of them is
 * current.  A release is usable when tcc has built it; gcc's object follows by itself.
 *
 * Callers that run guests (agents, tasks) ask for the current release, and get a *reload*:
 *   graceful   the old one first handles the agent's waiting letters, at most `drain` ms
 *   immediate  the new one is next; a call under way is dropped and repeated by it
 *   parallel   the new ones start beside; when all are ready they take over at once
 *   split      so many per cent of the messages go to the new one; after `calls` of them,
 *              or `wait` ms, it takes over, or goes: when its errors are more than
 *              `error_percent`, or its p99 is more than `p99_factor` times the old one's
 * A release that cannot be started is never current: the old one stays (`rolled_back`).
 *
 * Threads: one struct wasm_deploy a process, locked inside; a desk belongs to its shard.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_DEPLOY_DEPLOY_H
#define WASM_DEPLOY_DEPLOY_H

#include "store/store.h"
#include "wasm/pool.h"

struct wasm_deploy;
struct wasm_desk;

struct wasm_policy {
	uint32_t allow;                      /* enum wasm_import, a bit each */
	const struct str *tools;             /* that tool_call may name */
	size_t tools_n;
	struct wasm_limits limits;
	uint32_t rate;                       /* messages a second that one agent handles; 0: any */
};

/* Is it within the limits, and (facts not NULL) does the module keep to it?  ERR_INVALID. */
int  wasm_policy_fits(const struct wasm_policy *p, const struct wasm_facts *facts,
    struct err *e);
bool wasm_policy_has_tool(const struct wasm_policy *p, struct str name);

/* Immutable but for its code, which may become a better one; counted. */
struct wasm_release {
	_Atomic uint32_t refs;
	owner_t owner;                       /* 0 with `folder`: everybody's */
	bool folder;
	struct str name;
	int64_t number;                      /* from 1, of its name */
	struct wasm_policy policy;
	struct wasm_code *_Atomic code;      /* wasm_release_code */
	msec created;
	struct arena arena;
};
struct wasm_release *wasm_release_hold(struct wasm_release *r);
void wasm_release_drop(struct wasm_release *r);
struct wasm_code *wasm_release_code(struct wasm_release *r);    /* held for the caller */

enum wasm_strategy { WASM_GRACEFUL, WASM_IMMEDIATE, WASM_PARALLEL, WASM_SPLIT, WASM_STRATEGIES };
extern const char *const wasm_strategy_names[];      /* NULL-ended */

struct wasm_reload {
	enum wasm_strategy strategy;
	struct wasm_release *from, *to;      /* borrowed */
	msec drain;                          /* graceful; 0: the usual */
	unsigned percent;                    /* split: 1..99 */
	int64_t calls; msec wait;            /* split; 0: the usual */
	double error_percent, p99_factor;    /* split; 0: the usual, 5 % and 3 */
};

/* ---- of the process ------------------------------------------------------------- */

struct wasm_deploy_options {
	struct store *store;                 /* NULL: modules of the folder alone */
	const char *cache;                   /* build.h; NULL: modules cannot be used */
	struct wasm_pool_options pool;       /* of each desk */
	unsigned shards_n;                   /* desks, by the shards' ids */
	bool shared;                         /* other nodes write to the store, too */
	void (*changed)(void *ctx);          /* on a desk's shard: rows were written, other
	                                        nodes are to look; NULL: there are none */
	void *ctx;
};
/* Texts are borrowed.  ERR_IO: the store cannot be read. */
int  wasm_deploy_new(struct wasm_deploy **out, const struct wasm_deploy_options *o, struct err *e);
void wasm_deploy_free(struct wasm_deploy *d);        /* after its desks; NULL is fine */

/* Modules of the folder, as they are now; those that changed are built and reloaded (graceful)
 * by the first desk; those that are not among them are gone, but for agents that run with them.
 * Any thread; bytes and policies are copied. */
struct wasm_folder_module { struct str name; struct str bytes; struct wasm_policy policy; };
void wasm_deploy_folder(struct wasm_deploy *d, const struct wasm_folder_module *at, size_t n);

/* ---- of a shard --------------------------------------------------------------------- */

/* Guests of this shard; the desk has a pool.  Without the program of host processes it has none,
 * and nothing is found and put: ERR_NOTFOUND says why. */
int  wasm_desk_new(struct wasm_desk **out, struct wasm_deploy *d, struct shard *s,
    struct store_reader *reader, struct err *e);
void wasm_desk_drain(struct wasm_desk *k, void (*done)(void *ctx), void *ctx);
void wasm_desk_free(struct wasm_desk *k);
struct wasm_pool *wasm_desk_pool(struct wasm_desk *k);

/* The current release of that name that the owner may use, held, with code.  ERR_NOTFOUND (near
 * names in words, or the program that is missing); ERR_BUSY: it is being built, and
 * `reload` with from NULL follows; ERR_INVALID: it cannot be built (words). */
int  wasm_desk_find(struct wasm_desk *k, owner_t owner, struct str name,
    struct wasm_release **out, struct err *e);
/* That very release, for an agent whose checkpoint it made.  ERR_NOTFOUND; the rest as
 * above. */
int  wasm_desk_find_number(struct wasm_desk *k, owner_t owner, struct str name, int64_t number,
    struct wasm_release **out, struct err *e);
/* While a split of `from` is under way: does the next message go to the new one?  Then *to is
 * that, held.  Keeps the share exactly, over all shards. */
bool wasm_desk_split(struct wasm_desk *k, struct wasm_release *from, struct wasm_release **to);
/* How a call of the release ended; what a split is judged by. */
void wasm_desk_report(struct wasm_desk *k, struct wasm_release *r, bool ok, nsec took);

/* Called on this shard, in a later turn, in order.  from NULL: the module has its first release,
 * or a build that `find` waited for has ended: find says how.  A split is one notice when it
 * begins, and `graceful` with the winner as `to`, the loser as `from`, when it is over. */
struct wasm_listener {
	void (*reload)(void *ctx, const struct wasm_reload *r);
	/* A parallel reload is over.  rc OK: r->to takes over at once; else its instances go. */
	void (*switched)(void *ctx, const struct wasm_reload *r, int rc);
	void *ctx;
	struct wasm_listener *next;
};
void wasm_desk_listen(struct wasm_desk *k, struct wasm_listener *l);
/* Of a parallel reload, once by each listener that got it: its new instances on this shard are
 * ready (or it has none), or cannot be started (rc).  When all have called it, or after
 * LIMIT_WASM_READY_MS, `switched` of all is called. */
void wasm_desk_ready(struct wasm_desk *k, const struct wasm_release *to, int rc);

/* Other nodes may have changed the store's rows. */
void wasm_desk_look(struct wasm_desk *k);

/* ---- for clients; done comes on this shard, once, later ----------------------------- */

struct wasm_put {
	owner_t owner;
	struct str name, bytes;              /* good until done */
	struct wasm_policy policy;
	struct wasm_reload how;              /* of from, to: nothing */
	void (*done)(struct wasm_put *p, int rc, int64_t number, const struct err *e);
	void *desk_data;
};
/* ERR_INVALID: the module or its policy (words: what, where), or it cannot be started;
 * ERR_LIMIT: the owner has too many modules or bytes; ERR_NOTFOUND: no compiler here;
 * ERR_CONFLICT: another reload of the module is under way.  Done when it is built, was started
 * once and is committed; a parallel or split one is not current yet then. */
void wasm_desk_put(struct wasm_desk *k, struct wasm_put *p);
/* number 0: the one before the current; while a split or parallel reload is under way: it ends,
 * and the old one stays.  Graceful.  ERR_CONFLICT: it is a module of the folder. */
void wasm_desk_rollback(struct wasm_desk *k, owner_t owner, struct str name, int64_t number,
    void (*done)(void *ctx, int rc, int64_t number, const struct err *e), void *ctx);
/* ERR_CONFLICT: an agent uses it; it is a module of the folder. */
void wasm_desk_delete(struct wasm_desk *k, owner_t owner, struct str name,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx);

struct wasm_shown {                          /* a module */
	struct str name;
	bool folder;
	int64_t current;
	struct wasm_shown_version {
		int64_t number; msec created; const char *hash; uint64_t bytes;
		struct wasm_policy policy;
		const struct wasm_facts *facts;      /* NULL: not "ready" */
		const char *state;           /* "building", "ready", "failed"; "stored": nobody
		                                has needed it since the start */
		struct str error;            /* of "failed" */
		const char *compiler;        /* "tcc", "gcc"; NULL: not "ready" */
		uint64_t calls, errors;      /* since the start */
		nsec p99;
	} *versions;
	size_t versions_n;
	const char *reload;                  /* strategy under way; or NULL */
	/* Of the last reload, or empty: "promoted: version 3 after 2", "rolled_back: 12.0 % errors
	 * of 50 messages, the limit is 5.0 %" */
	struct str outcome;
};
/* In the order of names; inline; everything good until the next call of the desk. */
void wasm_desk_list(struct wasm_desk *k, owner_t owner,
    void (*each)(void *ctx, const struct wasm_shown *x), void *ctx);
int  wasm_desk_show(struct wasm_desk *k, owner_t owner, struct str name,
    void (*shown)(void *ctx, const struct wasm_shown *x), void *ctx, struct err *e);

#endif
