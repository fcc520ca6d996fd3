/*
 * api.h - the LangGraph Agent Server API over HTTP.
 *
 * Turns requests into store commands and runs, and what comes back into
 * answers.  It decides nothing about runs: it checks what a client sent,
 * names what is wrong with it, and asks the rooms below.
 *
 * One struct api_shared a process (options, routes), one struct api a shard.
 * A request is served by the shard whose listener accepted it; the hooks find
 * that shard's struct api by the request's shard.
 *
 * The routes are one table (routes.c): it drives dispatch, 405, the preflight,
 * the metrics' labels and /openapi.json.  The fields that are known and not
 * supported yet are one table (absent.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_API_H
#define API_API_H

#include "api/cors.h"
#include "api/mount.h"
#include "auth/auth.h"
#include "net/http.h"
#include "run/run.h"
#include "store/store.h"

struct api;
struct api_shared;
struct office;
struct offices;
struct bus;
struct bus_lag;
struct catalog;
struct cluster;
struct wasm_agents;
struct wasm_desk;
struct worker_desk;
struct workers;

/* Patterns of header names, as in "x-a,x-b-*"; both empty: the default. */
struct header_rules {
	struct str includes;                 /* only these; empty: the default's */
	struct str excludes;                 /* but none of these */
};

struct api_options {
	struct store *store;
	struct auth *auth;
	struct policy *policy;               /* NULL: none */
	struct audit *audit;                 /* NULL: none */
	struct offices *offices;
	struct workers *workers;
	bool worker_certs;                   /* they have to show a certificate (TLS) */
	struct cluster *cluster;             /* NULL: this node is alone */
	struct bus *bus;                     /* NULL: no NATS */
	const struct bus_lag *lag;           /* of it; NULL likewise */
	/* Removes a graph that no worker serves (main/catalog.h). */
	void (*forget_graph)(struct catalog *h, struct str id,
	    void (*done)(void *ctx, int rc, const struct err *e), void *ctx);
	/* Publishes what another node has changed. */
	void (*see_graphs)(struct catalog *h,
	    void (*done)(void *ctx, int rc, const struct err *e), void *ctx);
	struct catalog *graphs;
	struct origin_rules origin;
	struct cors_rules cors;
	struct header_rules configurable;    /* headers that runs see */
	struct header_rules logged;          /* headers in a request's line of the log; by
	                                        default none */
	struct str prefix;                   /* of all paths, as in "/api"; may be empty */
	unsigned groups_off;                 /* bits 1 << enum route_group */
	struct str openapi;                  /* {"securitySchemes":{},"security":[]} of its
	                                        document; empty: the server's own */
	struct str assistants;               /* {"GRAPH":{"configurable":{},"context":{}}}:
	                                        of system assistants that are made; may be
	                                        empty */
	bool plain_errors;                   /* text/plain, the bare message */
	bool access_log;                     /* a line a request, at level info */
	msec slow_ms;                        /* a longer one is logged; 0: none is */
	bool test_hooks;                     /* POST /internal/truncate is there */
	bool end_event;                      /* a run's stream ends with `end` */
	unsigned shards;
	struct str model;                    /* shown by /info */
	struct str settings;                 /* the answer of GET /settings, JSON */
};

/* Everything named in the options outlives it. */
struct api_shared *api_shared_new(const struct api_options *o);
void api_shared_free(struct api_shared *sh); /* after every struct api */

/* Creates the assistant of each agent that is not in `before` (NULL: of each), unless
 * it exists; done is called on s, at once if there is nothing to do. */
void api_seed_begin(struct api_shared *sh, struct shard *s, struct agents *agents,
    const struct agents *before, msec now,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx);
/* The same before the first request: takes turns of s, which has no thread yet. */
int  api_seed(struct api_shared *sh, struct shard *s, struct agents *agents, msec now,
    struct err *e);

/* The shard's own; made before the listener is attached.  wasm NULL: there are no guests. */
struct api *api_new(struct api_shared *sh, struct shard *s, struct runs *rs,
    struct office *office, struct worker_desk *desk, struct wasm_desk *wasm,
    struct store_reader *reader);
/* Requests about what another node has go there; rl outlives a.  NULL: there are no others. */
struct relay;
void api_set_relay(struct api *a, struct relay *rl);
/* Agents that are guests of this shard, for /metrics; they outlive a.  NULL: there are none. */
void api_count_guests(struct api *a, const struct wasm_agents *guests);
/* Ends the answers that would never end by themselves (streams of events), and
 * takes no new ones.  done: nothing of them is under way any more. */
void api_drain(struct api *a, void (*done)(void *ctx), void *ctx);
void api_free(struct api *a);                /* after the shard has stopped */

/* Are the origins, CORS, header patterns, prefix and JSON of the options well-formed?
 * ERR_INVALID with the setting. */
int api_options_check(const struct api_options *o, struct err *e);

/* For http_server_new; valid as long as sh. */
const struct http_hooks *api_hooks(struct api_shared *sh);

/* Of a run for its webhook: the members that GET shows, without braces. */
struct store_hook;
void api_add_hook_run(struct buf *b, const struct store_hook *h);

/* ---- the tables, for documentation --------------------------------------- */

/* Markdown of the routes, of how much of the LangGraph API each is, and of the series
 * of GET /metrics. */
void api_add_routes_markdown(struct buf *b);
void api_add_compat_markdown(struct buf *b);
void api_add_commands_markdown(struct buf *b);           /* of the thread protocol */
void api_add_metrics_markdown(struct buf *b);
void api_add_openapi(struct buf *b, const struct api_options *o);
void api_add_openai_markdown(struct buf *b);             /* OpenAI's parameters */

#endif
