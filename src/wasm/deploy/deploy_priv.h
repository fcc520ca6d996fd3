/*
 * deploy_priv.h - the registry of modules, and what its files ask of each other.
 *
 *   deploy.c   modules and releases      desk.c     a shard's interface; notices
 *   usable.c   from bytes to code        move.c     a release on its way to be current
 *   contest.c  an old and a new release  folder.c   modules of the folder
 *              side by side              policy.c   policies as JSON
 *   show.c     lists                     ops.c      builds and instances, as they are
 *   told.c     what other nodes changed
 *
 * One lock guards modules, their lists of releases, contests and the desks' list.  Work (a
 * build, a command of the store, a first start) belongs to the desk where it was asked for, and
 * calls back on its shard.  While a move of a module is under way it is *busy*: no other one
 * begins.  A client's waits for a TOLD: it did not ask for that one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WASM_DEPLOY_DEPLOY_PRIV_H
#define WASM_DEPLOY_DEPLOY_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/hist.h"
#include "base/hmac.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/list.h"
#include "store/wasm.h"
#include "wasm/deploy/deploy.h"

/* Builds and instances; a table, so that tests decide how they end. */
struct deploy_ops {
	struct wasm_code *(*code_hold)(struct wasm_code *c);
	void (*code_drop)(struct wasm_code *c);
	void (*build_start)(struct shard *s, const char *cache, struct wasm_build *b);
	void (*build_stop)(struct wasm_build *b);
	int  (*build_cached)(struct wasm_code **out, const char *cache, struct str bytes,
	    bool any, struct err *e);
	int  (*pool_new)(struct wasm_pool **out, struct shard *s,
	    const struct wasm_pool_options *o, struct err *e);
	void (*pool_free)(struct wasm_pool *p);
	void (*pool_replace)(struct wasm_pool *p, struct wasm_code *old, struct wasm_code *now);
	int  (*instance_new)(struct wasm_instance **out, struct wasm_pool *p,
	    const struct wasm_instance_options *o, const struct wasm_hooks *h, void *arg,
	    struct err *e);
	void (*instance_answer)(struct wasm_instance *i, int32_t rc, struct str body);
	void (*instance_free)(struct wasm_instance *i);
};
int deploy_new_with(struct wasm_deploy **out, const struct wasm_deploy_options *o,
    const struct deploy_ops *ops, struct err *e);

/* ---- releases -------------------------------------------------------------------- */

enum release_state { RELEASE_STORED, RELEASE_BUILDING, RELEASE_READY, RELEASE_FAILED };

struct release {                             /* what a struct wasm_release is inside */
	struct wasm_release r;
	const struct deploy_ops *ops;
	uint8_t sha[SHA256_SIZE];
	char hash[2 * SHA256_SIZE + 1];
	uint64_t size;
	struct str bytes;                    /* of the folder; empty: the store has them */
	/* Under the registry's lock. */
	uint32_t inner;                      /* references that the registry itself holds */
	enum release_state state;
	struct err why;                      /* of RELEASE_FAILED */
	nsec failed;                         /* when */
	struct wasm_code *first;             /* the code before the present one; or NULL */
	/* Under its own. */
	pthread_mutex_t lock;
	uint64_t calls, errors;
	struct hist took;                    /* ns */
};

static inline struct release *
release_of(struct wasm_release *r)
{
	return CONTAINER_OF(r, struct release, r);
}

/* bytes.n 0: the store's, with this hash; else they are hashed, and copied if `keep`. */
struct release_spec {
	owner_t owner;
	bool folder, keep;
	struct str name, bytes, hash;
	int64_t number, size;
	const struct wasm_policy *policy;
	msec created;
};
/* With one inner reference.  ERR_TOOBIG. */
int  release_new(struct release **out, const struct deploy_ops *ops,
    const struct release_spec *s, struct err *e);
/* Of a row of the store; one that cannot be read is logged. */
int  release_of_row(struct release **out, const struct deploy_ops *ops,
    const struct store_wasm_release *row);
/* The registry's own references, under its lock. */
struct release *release_keep(struct release *x);
void release_let_go(struct release *x);      /* NULL is fine */
bool release_in_use(const struct release *x);

/* policy.c */
void wasm_policy_write(struct buf *b, const struct wasm_policy *p);
/* What the store gave back; texts in a. */
int  wasm_policy_read(struct wasm_policy *out, struct str json, struct arena *a, struct err *e);
int  wasm_policy_copy(struct wasm_policy *out, const struct wasm_policy *p, struct arena *a);
bool wasm_policy_eq(const struct wasm_policy *a, const struct wasm_policy *b);

/* ---- modules ----------------------------------------------------------------------- */

struct contest;

struct module {
	owner_t owner;
	bool folder;
	struct str name;                     /* its own */
	struct release **at;                 /* by number, rising; kept */
	size_t n, cap;
	struct release *current;             /* one of them; or NULL */
	bool busy, leaves;                   /* a move is under way; its deletion */
	bool follows;                        /* that move is a TOLD */
	struct list waiting;                 /* clients' moves, for the end of a TOLD */
	struct contest *contest;             /* or NULL */
	struct err outcome;                  /* text: of the last reload */
};

struct wasm_deploy {
	struct wasm_deploy_options o;
	const struct deploy_ops *ops;
	pthread_mutex_t lock;
	struct module **modules;             /* by owner, folder, name */
	size_t n, cap;
	struct wasm_desk *desks[LIMIT_SHARDS];       /* those that are told; or NULL */
	_Atomic size_t contests;             /* under way */
	struct folder_news *news;            /* of the folder, until a desk takes it */
};

/* Under the lock. */
struct module *module_get(struct wasm_deploy *d, owner_t owner, bool folder, struct str name);
/* The owner's own, else the folder's; NULL: none. */
struct module *module_for(struct wasm_deploy *d, owner_t owner, struct str name);
struct module *module_make(struct wasm_deploy *d, owner_t owner, bool folder, struct str name);
void module_remove(struct wasm_deploy *d, struct module *m);
/* Sets e: the owner has no module of that name. */
int  module_missing(struct wasm_deploy *d, owner_t owner, struct str name, struct err *e);
void module_add(struct module *m, struct release *x);        /* keeps another reference */
struct release *module_number(const struct module *m, int64_t number);
/* Those whose numbers are not among these go. */
void module_keep_only(struct module *m, const int64_t *numbers, size_t n);

/* ---- desks ------------------------------------------------------------------------- */

struct wasm_desk {
	struct wasm_deploy *d;
	struct shard *s;
	struct store_reader *reader;
	struct wasm_pool *pool;              /* NULL: guests cannot run here, says no_pool */
	struct err no_pool;
	struct wasm_listener *listeners;
	size_t listeners_n;                  /* read by others under the lock */
	struct list moves, builds;           /* under way here */
	struct list queue;                   /* moves of the folder that wait */
	size_t jobs;                         /* posted to it; under the lock */
	size_t commands;                     /* of the store, under way */
	struct log_spell unread;
	bool draining;
	void (*drained)(void *ctx);
	void *drained_ctx;
	struct arena shown;                  /* of the last list */
	struct release **shown_kept;
	size_t shown_n, shown_cap;
};

/* Under the lock: each desk is told, in a later turn of its shard, of a reload, or of how a
 * parallel one has ended.  Returns how many listeners will be. */
size_t desks_tell(struct wasm_deploy *d, const struct wasm_reload *r, const int *switched);
void desks_replace(struct wasm_deploy *d, struct wasm_code *old, struct wasm_code *now);
/* Under the lock: a job for that desk, which has not left. */
void desk_post(struct wasm_desk *k, struct shard_job *job);
void desk_job_over(struct wasm_desk *k);     /* each job's first call */
void desk_settle(struct wasm_desk *k);       /* something of it has ended */
int  desk_pool_check(const struct wasm_desk *k, struct err *e);      /* ERR_NOTFOUND: no_pool */

/* ---- usable.c ------------------------------------------------------------------------ */

/* Has x code, or can it have it at once?  Else a build begins here.  ERR_BUSY; else as
 * wasm_desk_find. */
int  release_usable(struct wasm_desk *k, struct release *x, struct err *e);
/* Builds it, unless it is ready; calls back later. */
struct building {
	struct wasm_build b;
	struct list in;
	struct shard_job job;
	struct wasm_desk *k;
	struct release *x;                   /* kept */
	struct arena bytes;
	void (*then)(void *ctx, int rc, const struct err *e);        /* NULL: nobody waits */
	void *ctx;
	bool tells;                          /* listeners, that it is over */
	bool improves;                       /* it has code already */
	struct wheel_timer later;            /* improves: when too many builds waited */
};
struct building *build_begin(struct wasm_desk *k, struct release *x,
    void (*then)(void *ctx, int rc, const struct err *e), void *ctx);
void building_stop(struct building *g);      /* then does not come */

/* ---- move.c -------------------------------------------------------------------------- */

/* TOLD: another node made it current. */
enum move_kind { MOVE_PUT, MOVE_FOLDER, MOVE_BACK, MOVE_DELETE, MOVE_TOLD };

struct move {
	enum move_kind kind;
	struct list in;
	struct list waits;                   /* for a TOLD of its module; under the lock */
	struct shard_job job;
	struct wasm_desk *k;
	bool looked;                         /* at what other nodes changed */
	struct module *m;                    /* busy with it; NULL: not yet */
	struct release *x;                   /* kept; of MOVE_DELETE NULL */
	owner_t owner;
	struct str name;                     /* its own copy */
	int64_t number;                      /* MOVE_BACK, MOVE_TOLD: asked for */
	struct wasm_reload how;
	struct building *building;
	struct wasm_instance *trial;
	union {
		struct store_cmd cmd;
		struct store_wasm_put put;
		struct store_wasm_current current;
		struct store_wasm_delete gone;
	} u;
	bool commands;                       /* the store has it */
	struct arena arena;
	struct buf policy;
	/* The requester. */
	struct wasm_put *asked;
	void (*done)(void *ctx, int rc, int64_t number, const struct err *e);
	void (*deleted)(void *ctx, int rc, const struct err *e);
	void *ctx;
};
struct move *move_new(struct wasm_desk *k, enum move_kind kind, owner_t owner,
    struct str name);
void move_go(struct move *v);                /* in a later turn */
void move_cancel(struct move *v);            /* the desk drains */

/* ---- contest.c ------------------------------------------------------------------------ */

/* Under the lock: m's current release and x side by side, as `how` says. */
void contest_begin(struct wasm_desk *k, struct module *m, struct release *x,
    const struct wasm_reload *how);
/* Under the lock: x handled a message. */
void contest_count(struct contest *c, const struct release *x, bool ok, nsec took);
bool contest_gives(struct contest *c, const struct release *from, struct release **to);
void contest_ready(struct contest *c, const struct release *to, int rc);
/* Under the lock: it is over, and the old one stays. */
bool contest_stop(struct contest *c, const char *why);    /* false: it is over already */
const char *contest_name(const struct contest *c);   /* the strategy's */
/* The desk drains: contests that it looks after end without a winner. */
void contests_drop(struct wasm_desk *k);

void desk_show_clear(struct wasm_desk *k);           /* show.c */

/* ---- folder.c --------------------------------------------------------------------------- */

void folder_take(struct wasm_desk *k);       /* what has come: begins its moves */
void folder_next(struct wasm_desk *k);       /* the next of them, if none is under way */
void folder_news_free(struct folder_news *n);

#endif
