/*
 * wasm_priv.h - the parts of `bench wasm`, and what they share: a pool of host processes, and
 * guests that are called one message at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_WASM_PRIV_H
#define BENCH_WASM_PRIV_H

#include "bench/parts.h"
#include "bench/report.h"
#include "bench/scratch.h"
#include "bench/wasm.h"
#include "wasm/pool.h"

#define WASM_ENDLESS_FUEL ((int64_t)1 << 60) /* the time is what ends it */

struct wasm_farm {
	struct scratch scratch;
	char cache[WB_PATH + 8];
	struct shard *shard;
	struct wasm_pool *pool;
};

/* pool: host_program is set here.  Close it also after errors. */
int  wasm_farm_open(struct wasm_farm *f, const char *scratch, const struct wasm_pool_options *pool,
    struct err *e);
void wasm_farm_close(struct wasm_farm *f);
/* A module of wasm_guests.c, compiled. */
int  wasm_farm_build(struct wasm_farm *f, const char *text, enum wasm_compiler by, bool unmetered,
    struct wasm_code **out, struct err *e);

struct wasm_guest {
	struct wasm_instance *instance;
	bool busy;                           /* a call, a start or a checkpoint is under way */
	int rc;                              /* of the last; ERR_CLOSED: it was stopped */
	struct err why;                      /* of a failed start */
	enum wasm_trap trap;
	int32_t result;
	struct wasm_cost cost;
	nsec sent, came;
	struct buf image;                    /* the last checkpoint */
	/* Called when it is no longer busy; NULL: nobody is told. */
	void (*ready)(struct wasm_guest *g);
	void *arg;
};

/* Starts; g is all zero, or only ready and arg are set.  code is the caller's. */
int  wasm_guest_begin(struct wasm_farm *f, struct wasm_guest *g, struct wasm_code *code,
    const struct wasm_limits *l, int64_t owner, struct str restore, struct err *e);
int  wasm_guest_start(struct wasm_farm *f, struct wasm_guest *g, struct wasm_code *code,
    const struct wasm_limits *l, struct err *e);     /* and waits */
void wasm_guest_send(struct wasm_guest *g, struct str message);      /* busy; rc if it is not */
void wasm_guest_wait(struct wasm_farm *f, struct wasm_guest *g);
/* One message of work: what to do, and how much.  Waits. */
void wasm_guest_do(struct wasm_farm *f, struct wasm_guest *g, char what, uint32_t n);
void wasm_guest_save(struct wasm_farm *f, struct wasm_guest *g);
void wasm_guest_end(struct wasm_guest *g);

struct wasm_host_use { double rss_kb, tables_kb; int hosts; };
/* Of all host processes of this one. */
struct wasm_host_use wasm_hosts_use(void);

/* The guests: `small` counts its messages; `work` does, by the first byte of a message and the
 * number in the next four, h: hash so many times 64 KB, s: sort so many numbers, g: grow until
 * it is denied and give the pages, f: fill all memory, l: loop without end. */
extern const char wasm_text_small[], wasm_text_work[];
/* The same in C, of this program's compiler. */
uint32_t wasm_native_hash(uint32_t rounds), wasm_native_sort(uint32_t n);

wasm_part_run wasm_part_overhead;                                /* wasm_overhead.c */
wasm_part_run wasm_part_memory, wasm_part_scale, wasm_part_checkpoint;   /* wasm_cost.c */
wasm_part_run wasm_part_endless, wasm_part_neighbours;           /* wasm_endless.c */
wasm_part_run wasm_part_reload;                                  /* wasm_reload.c */

double wasm_median(double *values, size_t n);        /* sorts them */

#endif
