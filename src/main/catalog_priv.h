/*
 * catalog_priv.h - what the files of the catalog share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CATALOG_PRIV_H
#define MAIN_CATALOG_PRIV_H

#include <pthread.h>
#include <uv.h>

#include "base/hmac.h"
#include "base/limits.h"
#include "main/catalog.h"
#include "store/saver.h"

#define TEXT_MAX (2 * (size_t)LIMIT_AGENT_BYTES)

/* One that is there. */
struct graph {
	char *id, *key;
	uint8_t hash[SHA256_SIZE];           /* of its text */
	struct agents *set;                  /* of it alone */
	bool hidden;                         /* behind a file, which was logged */
};

/* One of a registration. */
struct entry {
	struct order *of;
	struct str id;
	struct buf text, key;
	uint8_t hash[SHA256_SIZE];
	bool fresh, kept;                    /* another text; to be put into the store */
	struct agents *set;                  /* of a fresh one */
	struct store_hosted_put put;
};

struct order {
	struct shard_job job;                /* to shard 0, and back */
	struct order *next;
	struct catalog *c;
	struct shard *home;
	struct worker_intake *in;            /* a registration */
	struct entry *entries;
	size_t n, left;
	bool fresh;
	uv_work_t work;
	char *id;                            /* of a removal; NULL, without `in`: a look */
	struct store_hosted_delete del;
	void (*done)(void *ctx, int rc, const struct err *e);
	void *ctx;
	int rc;
	struct err err;
};

struct catalog {
	struct catalog_options o;
	pthread_mutex_t lock;                /* of the pointer `folder` */
	struct agents *folder;               /* held */
	struct agents *current;              /* held: what is published, or is about to be */
	struct api_shared *api;
	struct runs_shared *runs;
	struct offices *offices;
	struct graph *graphs;
	size_t n, cap;
	struct order *head, **tail;
	struct order *now;                   /* under way; NULL: none, or the folder */
	bool busy, folder_waits;
	struct store_reader *reader;         /* NULL: no other node changes the rows */
	bool look;                           /* somebody asked for one */
	bool closed;                         /* nothing more is taken */
	void (*drained)(void *ctx);          /* to be called */
	void *ctx;
};

/* ---- catalog_graphs.c ------------------------------------------------------------ */

struct graph *catalog_find(const struct catalog *c, struct str id);
void catalog_drop(struct graph *g);
void catalog_remove(struct catalog *c, struct graph *g);       /* the last takes its place */
/* Takes the set; NULL: as it is. */
void catalog_put(struct catalog *c, struct str id, struct str key, const uint8_t *hash,
    struct agents *set);
/* Appends the text of an agent for what a worker registered. */
void catalog_add_text(struct buf *b, const struct worker_intake *in,
    const struct worker_served *s);
void catalog_add_run(struct buf *b, const struct worker_served *s);
/* A set of the agent alone. */
int  catalog_compile(struct agents **out, struct str id, struct str text, struct err *e);
/* From its row; one that cannot be read is logged and left out. */
void catalog_recall(struct catalog *c, const struct store_hosted *row);

/* Is it an agent of a file?  A built-in one is not. */
bool catalog_is_file(const struct agents *folder, struct str id);
struct agents *catalog_join(struct catalog *c);
/* All rows, as they are now; true: something is to be published.  What a worker serves
 * here stays, for it was registered here. */
bool catalog_take_rows(struct catalog *c, const struct store_hosted *rows, size_t n);

#endif
