/*
 * wire_priv.h - what the files of the node share: wire.c is its life, wire_open.c how it
 * is made.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_WIRE_PRIV_H
#define MAIN_WIRE_PRIV_H

#include <pthread.h>

#include "main/oversight.h"
#include "main/sandbox.h"
#include "main/tracing.h"
#include "main/ways.h"
#include "main/wire.h"
#include "main/wire_talk.h"
#include "run/hook.h"

/* A thread with pending runs, found at start. */
struct pending {
	owner_t owner;
	int64_t thread_seq;
	struct uuid thread_id;
};

/* One shard and what runs on it. */
struct worker {
	struct node *node;
	unsigned id;
	struct shard *shard;
	bool started;                        /* a thread of its own runs */
	struct store_reader *reader;
	struct client *client;
	struct tracer *tracer;               /* NULL: no traces */
	struct mcp *mcp;
	struct llm *llm;
	struct runs *runs;
	struct office *office;
	struct worker_desk *desk;            /* of workers outside */
	struct sandbox_shard guests;
	struct work_agent *work;             /* the agent `work` */
	struct api *api;
	struct relay *relay;                 /* or NULL */
	struct shard_job job;                /* this phase */
};

struct node {
	const struct config *config;
	const struct models *models;
	struct ways ways;
	struct tls *tls;                     /* or NULL */
	struct proxy_trust *trust;           /* or NULL */
	struct wheel_timer tls_look;         /* at the ends of certificates, daily */
	struct buf model, fields, hook_headers;      /* the default; paths of store items */
	struct buf settings;                 /* as GET /settings answers */
	struct work_board *board;            /* the tracker, the store's guest */
	struct store *store;
	struct bus *bus;                     /* NULL: no NATS */
	struct bus_lag *lag;                 /* of it, likewise */
	struct cluster *cluster;             /* NULL: one node alone */
	struct mail_carrier *carrier;        /* the same */
	struct relay_net *relay;             /* to other nodes; NULL: no bus, or alone */
	struct wire_talk talk;               /* all zero: one node alone */
	struct store *guest_house;           /* the tracker's, where `store` is PostgreSQL */
	struct auth *auth;
	struct oversight oversight;
	struct tracing *tracing;             /* NULL: none */
	struct tools *tools;
	struct llm_script *script;
	struct hook_rules hooks;
	struct folder *folder;               /* of agents */
	struct reload *reload;               /* of it; NULL: it has no folder */
	struct catalog *catalog;               /* those of workers, with the folder's */
	struct runs_shared *shared;
	struct offices *offices;
	struct workers *desk;                /* that are outside */
	struct sandbox sandbox;
	struct mail_socket *socket;          /* NULL: off */
	struct api_shared *api;
	struct http_server *http;
	const int *inherited;                /* sockets for it, until it has them */
	size_t inherited_n;
	struct worker *workers;
	struct shard **shards;               /* theirs */
	unsigned workers_n, shards_asked;
	struct origin_pattern *pages;        /* http.cors.allow-origin-regex */
	struct files_plan files;
	struct pending *pending;
	size_t pending_n, pending_cap;
	size_t phase;                        /* of phases */
	_Atomic unsigned left;               /* shards that have not finished it */
	struct shard_job next;               /* on shard 0 when all have */
	bool draining;
	bool hands_over;                     /* to another process, so it drains at once */
	pthread_mutex_t lock;                /* of rc and err */
	int rc;
	struct err err;
	void (*listening)(void *ctx);
	void *ctx;
};

/* On shard 0: the tables have gone where this version cannot follow; it ends. */
void node_outdated(struct node *n);

#endif
