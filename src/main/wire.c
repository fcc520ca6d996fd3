/*
 * wire.c - see wire.h.  The only place where the rooms meet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wire.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/account.h"
#include "base/file.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "llm/script.h"
#include "mail/host/external.h"
#include "mail/host/socket.h"
#include "main/agents.h"
#include "main/catalog.h"
#include "main/items.h"
#include "main/models.h"
#include "main/options.h"
#include "main/oversight.h"
#include "main/reload.h"
#include "main/sandbox.h"
#include "main/work_agent.h"
#include "main/work_tools.h"
#include "net/host.h"
#include "run/hook.h"
#include "run/sweep.h"
#include "tools/mcp.h"
#include "work/host/guest.h"
#include "worker/desk.h"

#define SHARDS_DEFAULT 4                     /* keeps the process at 8 threads */
#define SCRIPT_MAX     (16 * MB)

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
	struct mcp *mcp;
	struct llm *llm;
	struct runs *runs;
	struct office *office;
	struct worker_desk *desk;            /* of workers outside */
	struct sandbox_shard guests;
	struct work_agent *work;             /* the agent `work` */
	struct api *api;
	struct shard_job job;                /* this phase */
};

struct node {
	const struct config *config;
	const struct models *models;
	struct buf model, fields, hook_headers;      /* the default; paths of store items */
	struct work_board *board;            /* the tracker, the store's guest */
	struct store *store;
	struct auth *auth;
	struct oversight oversight;
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
	pthread_mutex_t lock;                /* of rc and err */
	int rc;
	struct err err;
	void (*listening)(void *ctx);
	void *ctx;
};

/* ---- phases -------------------------------------------------------------- */

static void
node_fail(struct node *n, int rc, const struct err *e)
{
	assert(rc < 0);
	pthread_mutex_lock(&n->lock);
	if (n->rc == OK) {
		n->rc = rc;
		n->err = *e;
	}
	pthread_mutex_unlock(&n->lock);
}

static void
worker_finish(struct worker *w)
{
	struct node *n = w->node;

	if (atomic_fetch_sub_explicit(&n->left, 1, memory_order_acq_rel) == 1)
		shard_post(n->workers[0].shard, &n->next);
}

static int
worker_open(struct worker *w, struct err *e)
{
	struct node *n = w->node;
	const struct config *c = n->config;
	struct llm_options o = {
		.default_model = buf_str(&n->model),
		.models = n->models,
		.script = n->script,
		.allow_base_url = config_bool(c, SETTING_ALLOW_BASE_URL),
	};
	int rc;

	rc = store_reader_open(n->store, &w->reader, e);
	if (rc == OK)
		rc = client_new(&w->client, w->shard, e);
	if (rc == OK)
		auth_attach(n->auth, w->shard, w->client);
	if (rc == OK)
		rc = llm_new(&w->llm, w->shard, w->client, &o, e);
	if (rc == OK)
		rc = runs_new(&w->runs, n->shared, w->shard, w->reader, w->llm, e);
	if (rc == OK)
		rc = items_open(w->runs, e);
	if (rc == OK)
		runs_allow_http(w->runs, w->client, config_str(c, SETTING_HTTP_HOSTS),
		    config_bool(c, SETTING_HTTP_PRIVATE));
	if (rc == OK) {
		w->mcp = mcp_new(w->shard, w->client);
		runs_allow_mcp(w->runs, w->mcp, config_str(c, SETTING_MCP_HOSTS));
	}
	if (rc == OK)
		rc = office_new(&w->office, n->offices, w->shard, w->reader, e);
	if (rc == OK) {
		runs_allow_mail(w->runs, w->office);
		w->work = work_agent_new(w->office, n->store);
	}
	if (rc == OK)
		rc = sandbox_shard_open(&w->guests, &n->sandbox, &(struct sandbox_needs){
		    w->shard, n->store, w->reader, w->runs, w->office, n->tools }, e);
	if (rc == OK) {
		w->desk = worker_desk_new(n->desk, w->shard);
		runs_allow_workers(w->runs, w->desk);
		w->api = api_new(n->api, w->shard, w->runs, w->office, w->desk, w->guests.desk,
		    w->reader);
		api_count_guests(w->api, w->guests.agents);
	}
	return rc;
}

static void
worker_boot(struct worker *w)
{
	struct err e = { 0 };
	int rc = worker_open(w, &e);

	if (rc < 0)
		node_fail(w->node, rc, &e);
	worker_finish(w);
}

/* Durable agents, before anybody writes to them. */
static void
worker_recover(struct worker *w)
{
	struct err e = { 0 };
	int rc = office_recover(w->office, &e);

	if (rc < 0)
		node_fail(w->node, rc, &e);
	worker_finish(w);
}

static void
worker_listen(struct worker *w)
{
	struct node *n = w->node;
	struct err e = { 0 };
	int rc;

	for (size_t i = w->id; i < n->pending_n; i += n->workers_n)
		runs_adopt(w->runs, n->pending[i].owner, n->pending[i].thread_seq,
		    &n->pending[i].thread_id);
	runs_wake_due(w->runs);
	runs_sweep(w->runs);
	rc = office_resume(w->office, &e);
	if (rc == OK)
		rc = http_server_attach(n->http, w->shard, &e);
	if (rc < 0)
		node_fail(n, rc, &e);
	else if (n->socket != NULL)
		mail_socket_attach(n->socket, w->office, w->reader);
	worker_finish(w);
}

static void
worker_drained(void *ctx)
{
	worker_finish(ctx);
}

static void
worker_catalog_drained(void *ctx)
{
	struct worker *w = ctx;

	api_drain(w->api, worker_drained, w);
}

/* Ends streams, which would delay the next phase. */
static void
worker_drain_api(struct worker *w)
{
	worker_desk_drain(w->desk);
	if (w->id == 0)
		catalog_drain(w->node->catalog, worker_catalog_drained, w);
	else
		worker_catalog_drained(w);
}

static void
worker_drain_http(struct worker *w)
{
	http_server_drain(w->node->http, w->shard, worker_drained, w);
}

static void
worker_drain_socket(struct worker *w)
{
	if (w->node->socket != NULL)
		mail_socket_drain(w->node->socket, w->shard, worker_drained, w);
	else
		worker_finish(w);
}

static void
worker_drain_runs(struct worker *w)
{
	runs_drain(w->runs, worker_drained, w);
}

static void
worker_drain_work(struct worker *w)
{
	work_agent_drain(w->work, worker_drained, w);
}

static void
worker_drain_office(struct worker *w)
{
	office_drain(w->office, worker_drained, w);
}

static void
worker_drain_guests(struct worker *w)
{
	sandbox_shard_drain(&w->guests, worker_drained, w);
}

/* Empty: when it has run on every shard, all messages of the phase before are
 * in the mailboxes, ahead of the job that closes. */
static void
worker_settle(struct worker *w)
{
	worker_finish(w);
}

static void
worker_close(struct worker *w)
{
	api_free(w->api);
	office_free(w->office);
	work_agent_free(w->work);
	runs_free(w->runs);
	sandbox_shard_free(&w->guests);
	worker_desk_free(w->desk);
	mcp_free(w->mcp);
	llm_free(w->llm);
	auth_detach(w->node->auth, w->shard);
	client_free(w->client);
	store_reader_close(w->reader);
	w->api = NULL;
	worker_finish(w);
}

enum { BOOT, RECOVER, LISTEN, DRAIN_API, DRAIN_HTTP, DRAIN_SOCKET, DRAIN_RUNS, DRAIN_WORK,
	DRAIN_OFFICE, DRAIN_GUESTS, SETTLE, CLOSE, PHASES };

/* Each runs on every shard, which ends with worker_finish. */
static const struct {
	const char *name;
	void (*run)(struct worker *w);
} phases[PHASES] = {
	[BOOT] = { "boot", worker_boot },
	[RECOVER] = { "recover", worker_recover },
	[LISTEN] = { "listen", worker_listen },
	[DRAIN_API] = { "drain api", worker_drain_api },
	[DRAIN_HTTP] = { "drain http", worker_drain_http },
	[DRAIN_SOCKET] = { "drain socket", worker_drain_socket },
	[DRAIN_RUNS] = { "drain runs", worker_drain_runs },
	[DRAIN_WORK] = { "drain work", worker_drain_work },
	[DRAIN_OFFICE] = { "drain office", worker_drain_office },
	[DRAIN_GUESTS] = { "drain guests", worker_drain_guests },
	[SETTLE] = { "settle", worker_settle },
	[CLOSE] = { "close", worker_close },
};

static void
run_phase(struct shard_job *job)
{
	struct worker *w = CONTAINER_OF(job, struct worker, job);

	phases[w->node->phase].run(w);
}

static void
phase_begin(struct node *n, size_t phase)
{
	log_debug("main", "phase", "name=%s", phases[phase].name);
	n->phase = phase;
	atomic_store_explicit(&n->left, n->workers_n, memory_order_release);
	for (unsigned i = 0; i < n->workers_n; i++) {
		n->workers[i].job.run = run_phase;
		shard_post(n->workers[i].shard, &n->workers[i].job);
	}
}

/* ---- agents that change ---------------------------------------------------- */

static void
folder_changed(void *ctx, struct agents *set, struct agents *before)
{
	struct node *n = ctx;

	(void)before;
	oversight_note(&n->oversight, "agents", &(struct err){ .text = "" });
	catalog_set_folder(n->catalog, set);
}

static void
serves(struct node *n)
{
	if (folder_path(n->folder) != NULL)
		n->reload = reload_new(n->workers[0].shard, n->folder, folder_changed, n,
		    sandbox_read, &n->sandbox);
	n->listening(n->ctx);
}

/* All shards have finished a phase. */
static void
phase_ended(struct shard_job *job)
{
	struct node *n = CONTAINER_OF(job, struct node, next);

	if (n->phase == BOOT && n->rc != OK)
		phase_begin(n, SETTLE);
	else if (n->phase == LISTEN && n->rc == OK && !n->draining)
		serves(n);
	else if (n->phase + 1 < PHASES)
		phase_begin(n, n->phase + 1);
	else
		for (unsigned i = 0; i < n->workers_n; i++)
			shard_stop(n->workers[i].shard);
}

void
node_reload(struct node *n)
{
	struct err e = { 0 };

	if (auth_reload(n->auth, &e) == OK)
		log_info("main", "reloaded", "keys=%s jwks=%s",
		    n->config->at[SETTING_API_KEYS].text,
		    n->config->at[SETTING_AUTH_JWKS].text);
	else
		log_error("main", "reload_failed", "error=%s", e.text);
	oversight_reload(&n->oversight);
	oversight_note(&n->oversight, "keys", &e);
	if (n->reload != NULL)
		reload_now(n->reload);
}

void
node_drain(struct node *n)
{
	bool serving = n->phase == LISTEN && atomic_load(&n->left) == 0;

	if (n->draining)
		return;
	n->draining = true;
	reload_free(n->reload);
	n->reload = NULL;
	/* Earlier phases check n->draining at their end. */
	if (serving)
		phase_begin(n, DRAIN_API);
}

int
node_run(struct node *n, void (*listening)(void *ctx), void *ctx, struct err *e)
{
	int rc = OK;

	n->listening = listening;
	n->ctx = ctx;
	for (unsigned i = 1; rc == OK && i < n->workers_n; i++) {
		rc = shard_start(n->workers[i].shard, e);
		n->workers[i].started = rc == OK;
	}
	if (rc == OK) {
		phase_begin(n, BOOT);
		shard_run(n->workers[0].shard);
	}
	for (unsigned i = 1; i < n->workers_n; i++) {
		if (!n->workers[i].started)
			continue;
		shard_stop(n->workers[i].shard);
		shard_join(n->workers[i].shard);
		n->workers[i].started = false;
	}
	if (rc == OK && n->rc < 0) {
		rc = n->rc;
		*e = n->err;
	}
	return rc;
}

/* ---- making -------------------------------------------------------------- */

static int
read_script(struct node *n, struct err *e)
{
	const char *path = n->config->at[SETTING_LLM_SCRIPT].text;
	struct buf text = BUF(SCRIPT_MAX);
	int rc = OK;

	if (path[0] != '\0')
		rc = file_add(path, &text, e);
	else
		buf_add(&text, str_of(script_first_steps));
	if (rc == OK)
		rc = script_new(&n->script, buf_str(&text), e);
	buf_release(&text);
	return rc;
}

static int
open_store(struct node *n, struct err *e)
{
	struct store_options o;
	int rc = options_store(n->config, &o, e);

	if (rc < 0)
		return rc;
	n->board = work_board_new();
	o.guests = (const struct store_guest *const[]){
	    work_board_guest(n->board), NULL };
	return store_open(&n->store, &o, e);
}

static int
open_auth(struct node *n, struct err *e)
{
	struct auth_options o = options_auth(n->config);

	return auth_new(&n->auth, &o, e);
}

static int
check_exposure(const struct node *n, struct err *e)
{
	const struct config *c = n->config;
	struct str host = config_str(c, SETTING_HOST);

	if (!host_is_literal(host) && !str_eq(host, S("localhost")))
		return err_set(e, ERR_INVALID, "%s: expected an IP address or "
		    "localhost, got \"%.*s\"", c->at[SETTING_HOST].origin, FMT(host));
	if (host_is_loopback(host))
		return OK;
	if (config_bool(c, SETTING_TEST_HOOKS))
		return err_set(e, ERR_INVALID, "--test-hooks works on loopback "
		    "only, not on %.*s", FMT(host));
	if (auth_enabled(n->auth) || config_bool(c, SETTING_INSECURE))
		return OK;
	return err_set(e, ERR_INVALID, "refusing to serve %.*s to anyone: set "
	    "--jwt-secret or --api-keys, or say --insecure", FMT(host));
}

static void
note_pending(void *ctx, owner_t owner, int64_t thread_seq,
    const struct uuid *thread_id)
{
	struct node *n = ctx;

	mem_grow(n->pending, n->pending_n, n->pending_cap);
	n->pending[n->pending_n++] = (struct pending){ owner, thread_seq, *thread_id };
}

/* The number of shards that open files allow.  Called before any file is
 * opened. */
static int
plan_files(struct node *n, struct err *e)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t asked = config_int(n->config, SETTING_SHARDS);
	int rc;

	if (asked == 0)
		asked = cores < 1 ? 1 : cores < SHARDS_DEFAULT ? cores : SHARDS_DEFAULT;
	n->shards_asked = (unsigned)asked;
	rc = files_plan_make(&n->files, n->shards_asked, e);
	if (rc == OK && n->files.shards < n->shards_asked)
		log_warn("main", "shards_lowered", "asked=%u shards=%u files=%zu",
		    n->shards_asked, n->files.shards, n->files.allowed);
	return rc;
}

static int
workers_make(struct node *n, struct err *e)
{
	int rc = OK;

	n->workers_n = n->files.shards;
	n->workers = mem_zero(n->workers_n * sizeof *n->workers);
	n->shards = mem_zero(n->workers_n * sizeof *n->shards);
	for (unsigned i = 0; rc == OK && i < n->workers_n; i++) {
		struct worker *w = &n->workers[i];

		w->node = n;
		w->id = i;
		rc = shard_new(&w->shard, i, e);
		n->shards[i] = w->shard;
	}
	return rc;
}

static int
make_api(struct node *n, struct err *e)
{
	int rc = origin_pattern_new(&n->pages, config_str(n->config,
	    SETTING_HTTP_CORS_ALLOW_ORIGIN_REGEX), e);
	struct api_options o = {
		.store = n->store, .auth = n->auth, .policy = n->oversight.policy,
		.audit = n->oversight.audit,
		.offices = n->offices, .workers = n->desk, .graphs = n->catalog,
		.forget_graph = catalog_forget,
		.plain_errors = config_bool(n->config, SETTING_PLAIN_ERRORS),
		.access_log = config_bool(n->config, SETTING_LOG_ACCESS),
		.test_hooks = config_bool(n->config, SETTING_TEST_HOOKS),
		.end_event = config_bool(n->config, SETTING_STREAMS_END_EVENT),
		.shards = n->workers_n, .model = buf_str(&n->model),
		.origin = {
			.allowed_hosts = config_str(n->config, SETTING_ALLOWED_HOSTS),
			.cors_origins = config_str(n->config, SETTING_CORS_ORIGINS),
			.pattern = n->pages,
			.auth = auth_enabled(n->auth),
			.check_host = host_is_loopback(config_str(n->config, SETTING_HOST)) &&
			    !config_bool(n->config, SETTING_INSECURE),
		},
	};

	options_http(n->config, &o);
	if (rc == OK)
		rc = api_options_check(&o, e);
	if (rc == OK)
		n->api = api_shared_new(&o);
	if (rc == OK)
		rc = api_seed(n->api, n->workers[0].shard,
		    catalog_agents(n->catalog), clock_wall_ms(), e);
	return rc;
}

static void
set_sweeps(struct node *n)
{
	const struct config *c = n->config;
	msec test = config_int(c, SETTING_TEST_SWEEP_MS);

	sweep_set(n->shared, SWEEP_THREADS, test > 0 ? test :
	    config_int(c, SETTING_THREADS_TTL_SWEEP_INTERVAL) * 60 * 1000,
	    config_int(c, SETTING_THREADS_TTL_SWEEP_LIMIT));
}

static int
node_items(struct node *n, struct err *e)
{
	struct items_rules rules;
	msec sweep = 0;
	int rc;

	n->fields = BUF(LIMIT_FILTER_BYTES * 2);
	rc = items_read(n->config, &rules, &sweep, &n->fields, e);
	if (rc == OK && rules.embed.n > 0)
		rc = store_vectors_are(n->store, n->workers[0].shard, rules.embed, rules.dims,
		    config_bool(n->config, SETTING_STORE_INDEX_RESET), e);
	if (rc != OK)
		return rc;
	runs_shared_set_items(n->shared, &rules);
	sweep_set(n->shared, SWEEP_ITEMS, sweep, INT64_MAX);
	return OK;
}

static bool
key_is_valid(void *ctx, const uint8_t key[SHA256_SIZE])
{
	struct node *n = ctx;

	return auth_key_valid(n->auth, key);
}

/* Those that serve agents from outside, and their graphs. */
static int
open_catalog(struct node *n, struct err *e)
{
	struct catalog_options o = { .store = n->store, .tools = n->tools, .shards = n->shards,
	    .shards_n = n->workers_n };

	n->desk = workers_new(&(struct workers_options){ .shards = n->workers_n,
	    .lease = config_int(n->config, SETTING_WORKERS_LEASE), .poll = LIMIT_WORKER_POLL_MS,
	    .grace = LIMIT_WORKER_GRACE_MS, .sticky = LIMIT_WORKER_STICKY_MS });
	workers_set_keys(n->desk, key_is_valid, n);
	o.workers = n->desk;
	return catalog_open(&n->catalog, &o, folder_agents(n->folder), e);
}

static int
node_open(struct node *n, struct err *e)
{
	int64_t seed = config_int(n->config, SETTING_TEST_ID_SEED);
	int rc;

	if (seed != 0)
		id_seed_random((uint64_t)seed);
	clock_set_ahead(config_int(n->config, SETTING_TEST_CLOCK_MS));
	options_set_accounts(n->config);
	models_default(&n->model, n->models, n->config);
	rc = plan_files(n, e);
	if (rc == OK)
		mem_setup(n->files.shards);
	if (rc == OK)
		rc = open_auth(n, e);
	if (rc == OK)
		rc = oversight_open(&n->oversight, n->config, auth_enabled(n->auth), e);
	if (rc == OK)
		rc = check_exposure(n, e);
	if (rc == OK)
		rc = read_script(n, e);
	if (rc == OK)
		rc = options_hooks(n->config, &n->hooks, &n->hook_headers, e);
	if (rc == OK)
		rc = folder_open(&n->folder, config_str(n->config, SETTING_AGENTS),
		    &n->config->langgraph, n->models, buf_str(&n->model), e);
	if (rc == OK)
		rc = client_global_init(e);
	/* Before the store: if the port is taken, no file is created. */
	if (rc == OK)
		rc = http_server_new(&n->http, config_str(n->config, SETTING_HOST),
		    (uint16_t)config_int(n->config, SETTING_PORT), NULL, e);
	if (rc == OK)
		rc = open_store(n, e);
	if (rc == OK)
		rc = workers_make(n, e);
	if (rc == OK)
		rc = store_recover(n->store, n->workers[0].shard, clock_wall_ms(),
		    note_pending, n, e);
	if (rc < 0)
		return rc;
	n->tools = tools_new();
	work_tools_add(n->tools);
	rc = open_catalog(n, e);
	if (rc == OK)
		rc = sandbox_open(&n->sandbox, n->config, n->store, n->workers_n, n->folder, e);
	if (rc < 0)
		return rc;
	n->shared = runs_shared_new(n->store, n->tools, catalog_agents(n->catalog),
	    config_bool(n->config, SETTING_KEEP_PARTIAL));
	set_sweeps(n);
	if (!config_bool(n->config, SETTING_HTTP_DISABLE_WEBHOOKS))
		runs_shared_set_hooks(n->shared, &n->hooks, api_add_hook_run);
	n->offices = offices_new(n->store, catalog_agents(n->catalog));
	external_set_batch(n->offices, (uint32_t)config_int(n->config, SETTING_MAIL_BATCH_SIZE),
	    config_int(n->config, SETTING_MAIL_BATCH_TIMEOUT));
	rc = node_items(n, e);
	runs_shared_set_transcript(n->shared,
	    str_eq(config_str(n->config, SETTING_TRANSCRIPT), S("on")));
	if (rc == OK && config_str(n->config, SETTING_MAIL_SOCKET).n > 0)
		rc = mail_socket_new(&n->socket, n->config->at[SETTING_MAIL_SOCKET].text,
		    n->auth, n->oversight.policy, n->store, n->workers_n, e);
	if (rc == OK)
		rc = make_api(n, e);
	if (rc == OK)
		catalog_serve(n->catalog, n->api, n->shared, n->offices);
	if (rc == OK)
		http_server_hook(n->http, api_hooks(n->api));
	return rc;
}

int
node_new(struct node **out, const struct config *c, const struct models *m,
    struct err *e)
{
	struct node *n = mem_new(struct node);
	int rc;

	*out = NULL;
	n->config = c;
	n->models = m;
	n->next.run = phase_ended;
	pthread_mutex_init(&n->lock, NULL);
	rc = node_open(n, e);
	if (rc < 0) {
		node_free(n);
		return rc;
	}
	*out = n;
	return OK;
}

void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	http_server_free(n->http);
	/* Queued writes are committed; their callbacks are not called. */
	store_close(n->store);
	work_board_free(n->board);
	for (unsigned i = 0; i < n->workers_n; i++)
		shard_free(n->workers[i].shard);
	api_shared_free(n->api);
	origin_pattern_free(n->pages);
	runs_shared_free(n->shared);
	sandbox_close(&n->sandbox);
	mail_socket_free(n->socket);
	offices_free(n->offices);
	catalog_free(n->catalog);
	workers_free(n->desk);
	folder_free(n->folder);
	tools_free(n->tools);
	script_free(n->script);
	oversight_close(&n->oversight);
	auth_free(n->auth);
	buf_release(&n->model);
	buf_release(&n->fields);
	buf_release(&n->hook_headers);
	free(n->workers);
	free(n->shards);
	free(n->pending);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

/* ---- what serve shows ---------------------------------------------------- */

struct shard *
node_shard(struct node *n)
{
	return n->workers[0].shard;
}

struct node_status
node_status(const struct node *n)
{
	return (struct node_status){ .shards = n->workers_n, .files = n->files,
		.port = http_server_port(n->http), .model = buf_str(&n->model),
		.scripted = str_starts(buf_str(&n->model), S("scripted:")),
		.auth = auth_enabled(n->auth), .recovered = n->pending_n };
}
