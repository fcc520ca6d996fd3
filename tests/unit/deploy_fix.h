/*
 * deploy_fix.h - what the tests of deployments share: a server of two shards with a store, and
 * builds and first starts that end as the module's text says.
 *
 *   "bad ..."   no compiler takes it      "stuck ..."  its build does not end
 *   "trap ..."  it does not start         "send ..."   it imports cohort.send
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_DEPLOY_FIX_H
#define UNIT_DEPLOY_FIX_H

#include "harness/test.h"
#include "wasm/deploy/deploy_priv.h"

enum { DESKS = 2, HEARD = 64 };

/* What stands for builds and host processes. */
extern struct world {
	struct wasm_build *builds[32];
	size_t builds_n, started[WASM_COMPILERS];
	struct wasm_instance *starting[8];
	size_t instances, replaced;
	bool no_tcc, no_gcc, gcc_waits, gcc_full, cached;
	_Atomic long codes;
} world;
void code_drop(struct wasm_code *c);

struct heard {
	int64_t from, to;                    /* numbers; 0: none */
	enum wasm_strategy strategy;
	bool switched;
	int rc;
};

struct fix {
	struct store *st;
	struct wasm_deploy *d;
	struct shard *shard[DESKS];
	struct store_reader *reader[DESKS];
	struct wasm_desk *desk[DESKS];
	struct wasm_listener ear[DESKS];
	struct wheel_timer tick[DESKS];
	struct heard heard[DESKS][HEARD];
	size_t heard_n[DESKS];
	struct wasm_release *held[HEARD];
	size_t held_n;
	int ready;                           /* what listeners say of a parallel reload */
	bool mute;                           /* they say nothing */
	size_t drained;
	bool real, deaf, shared;             /* deaf: nobody listens */
	void (*changed)(void *ctx);          /* as the registry's option */
	unsigned changes;
	char cache[512], host[512];
	struct err e;
};

void fix_open(struct fix *f);
/* With the builds and host processes that there are; cache: the folder "cache" here. */
void fix_open_real(struct fix *f);
void fix_close(struct fix *f);
void fix_restart(struct fix *f);             /* the registry and its desks */
/* Another node on the same store and shards: its registry and desks, in f. */
void fix_join(struct fix *f, struct fix *with);
void fix_leave(struct fix *f);
/* One turn of all; what is built and started ends, but for what is stuck. */
void turn(struct fix *f);
void turns(struct fix *f);                   /* enough for what is under way */
#define UNTIL(f, condition) while (!(condition)) turn(f)

/* What the last put, rollback or delete was told. */
extern struct answer { bool done; int rc; int64_t number; struct err e; } answer;
void on_put(struct wasm_put *p, int rc, int64_t number, const struct err *e);
void put_begin(struct fix *f, int desk, owner_t owner, const char *name, const char *bytes,
    struct wasm_reload how);
int  put_how(struct fix *f, owner_t owner, const char *name, const char *bytes,
    struct wasm_reload how);
int  put(struct fix *f, owner_t owner, const char *name, const char *bytes);
int  back(struct fix *f, owner_t owner, const char *name, int64_t number);
int  drop(struct fix *f, owner_t owner, const char *name);

/* Held until the desks close; NULL: rc was not OK. */
struct wasm_release *find(struct fix *f, owner_t owner, const char *name, int want);
/* The current version's number, held by nobody. */
int64_t current(struct fix *f, owner_t owner, const char *name);
/* "a@2: 1 2 [split] promoted: ..." */
struct str shown(struct fix *f, owner_t owner, const char *name);
#define SHOWS(f, owner, name, words)                                             \
	do {                                                                     \
		struct str got_ = shown(f, owner, name);                         \
		if (!str_contains(got_, S(words)))                               \
			test_fail(__FILE__, __LINE__, "%.*s: lacks %s", FMT(got_), words); \
	} while (0)
/* The last that desk i heard. */
struct heard last(const struct fix *f, int i);

#endif
