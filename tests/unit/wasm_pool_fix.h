/*
 * wasm_pool_fix.h - a pool under test, and the fake host process that it starts: this same
 * program with the argument `serve` (wasm_pool_fix.c).
 *
 * The fake does what the name of its first object says at its start ("echo": nothing
 * special), and then what each message says.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef UNIT_WASM_POOL_FIX_H
#define UNIT_WASM_POOL_FIX_H

#include "harness/test.h"
#include "wasm/pool.h"

/* What an instance was told. */
struct guest {
	struct wasm_instance *i;
	int started, done, trapped, saved, logs, sends, replies, asks;
	int started_rc, saved_rc;
	int32_t result;
	enum wasm_trap why;
	struct wasm_cost cost;
	struct wasm_limits limits;           /* that it is started with */
	char text[200];                      /* of the last reply, error or trap */
	char image[4096];
	size_t image_n;
	void (*then)(struct guest *g);       /* after done */
};

extern struct shard *fix_shard;
extern struct wasm_pool *fix_pool;

void fix_open(const struct wasm_pool_options *o);    /* NULL: the usual */
void fix_close(void);
/* A module whose object is named so; held for ever. */
struct wasm_code *fix_code(const char *object);
void fix_start(struct guest *g, int64_t owner, struct wasm_code *code);
void fix_call(struct guest *g, const char *message);
int  fix_host(int nth);                      /* pid of the pool's nth process that is current */
#define UNTIL(condition)                                                     \
	do {                                                                 \
		long long end_ = fix_deadline();                             \
		while (!(condition))                                         \
			fix_turn(end_, #condition, __FILE__, __LINE__);      \
	} while (0)
long long fix_deadline(void);
void fix_turn(long long end, const char *what, const char *file, int line);
struct wasm_pool_stats fix_stats(void);

#endif
