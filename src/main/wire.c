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
#include "main/work_tools.h"
#include "net/host.h"
#include "work/host/guest.h"

#define SHARDS_DEFAULT 4                     /* keeps the process at 8 threads */
#define MODEL_SCRIPTED "scripted:default"
#define MODEL_OPENAI   "openai:gpt-4o-mini"
#define SCRIPT_MAX     (16 * MB)

/* A thread with pending runs, found at start. */
struct pending {
	owner_t owner;
	int64_t thread_seq;
	struct uuid thread_id;
};

/* One shard and what lives on it. */
struct home {
	struct node *node;
	unsigned id;
	struct shard *shard;
	bool started;                        /* a thread of its own runs */
	struct store_reader *reader;
	struct client *client;
	struct llm *llm;
	struct runs *runs;
	struct api *api;
	struct shard_job job;                /* this phase */
};

/* Runs on every shard; home_finish when it is through. */
struct phase {
	const char *name;
	void (*run)(struct home *h);
};

struct node {
	const struct config *config;
	struct buf model;
	struct work_board *board;            /* the tracker, the store's guest */
	struct store *store;
	struct auth *auth;
	struct tools *tools;
	struct llm_script *script;
	struct runs_shared *shared;
	struct api_shared *api;
	struct http_server *http;
	struct home *homes;
	unsigned homes_n, shards_asked;
	struct files_plan files;
	struct pending *pending;
	size_t pending_n, pending_cap;
	const struct phase *phase;
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
home_finish(struct home *h)
{
	struct node *n = h->node;

	if (atomic_fetch_sub_explicit(&n->left, 1, memory_order_acq_rel) == 1)
		shard_post(n->homes[0].shard, &n->next);
}

static void
run_phase(struct shard_job *job)
{
	struct home *h = CONTAINER_OF(job, struct home, job);

	h->node->phase->run(h);
}

static void
phase_begin(struct node *n, const struct phase *phase)
{
	log_debug("main", "phase", "name=%s", phase->name);
	n->phase = phase;
	atomic_store_explicit(&n->left, n->homes_n, memory_order_release);
	for (unsigned i = 0; i < n->homes_n; i++) {
		n->homes[i].job.run = run_phase;
		shard_post(n->homes[i].shard, &n->homes[i].job);
	}
}

static int
workspace_make(struct home *h, struct err *e)
{
	struct node *n = h->node;
	const struct config *c = n->config;
	struct llm_options o = {
		.default_model = buf_str(&n->model),
		.openai_base_url = config_str(c, SETTING_OPENAI_BASE_URL),
		.openai_api_key = config_str(c, SETTING_OPENAI_API_KEY),
		.script = n->script,
		.allow_base_url = config_bool(c, SETTING_ALLOW_BASE_URL),
	};
	int rc;

	rc = store_reader_open(n->store, &h->reader, e);
	if (rc == OK)
		rc = client_new(&h->client, h->shard, e);
	if (rc == OK)
		rc = llm_new(&h->llm, h->shard, h->client, &o, e);
	if (rc == OK)
		rc = runs_new(&h->runs, n->shared, h->shard, h->reader, h->llm, e);
	if (rc == OK)
		h->api = api_new(n->api, h->shard, h->runs, h->reader);
	return rc;
}

static void
home_boot(struct home *h)
{
	struct err e = { 0 };
	int rc = workspace_make(h, &e);

	if (rc < 0)
		node_fail(h->node, rc, &e);
	home_finish(h);
}

static void
home_listen(struct home *h)
{
	struct node *n = h->node;
	struct err e = { 0 };
	int rc;

	for (size_t i = h->id; i < n->pending_n; i += n->homes_n)
		runs_adopt(h->runs, n->pending[i].owner, n->pending[i].thread_seq,
		    &n->pending[i].thread_id);
	rc = http_server_attach(n->http, h->shard, &e);
	if (rc < 0)
		node_fail(n, rc, &e);
	home_finish(h);
}

static void
home_drained(void *ctx)
{
	home_finish(ctx);
}

/* Streams that would keep the next phase waiting. */
static void
home_drain_api(struct home *h)
{
	api_drain(h->api, home_drained, h);
}

static void
home_drain_http(struct home *h)
{
	http_server_drain(h->node->http, h->shard, home_drained, h);
}

static void
home_drain_runs(struct home *h)
{
	runs_drain(h->runs, home_drained, h);
}

/* What a shard sent to another in its last turn is in that one's mailbox
 * when this phase has run everywhere: ahead of the job that closes. */
static void
home_settle(struct home *h)
{
	home_finish(h);
}

static void
home_close(struct home *h)
{
	api_free(h->api);
	runs_free(h->runs);
	llm_free(h->llm);
	client_free(h->client);
	store_reader_close(h->reader);
	h->api = NULL;
	home_finish(h);
}

static const struct phase
boot = { "boot", home_boot },
listen_ = { "listen", home_listen },
drain_api = { "drain api", home_drain_api },
drain_http = { "drain http", home_drain_http },
drain_runs = { "drain runs", home_drain_runs },
settle = { "settle", home_settle },
close_ = { "close", home_close };

/* All shards have finished a phase. */
static void
phase_ended(struct shard_job *job)
{
	struct node *n = CONTAINER_OF(job, struct node, next);

	if (n->phase == &boot) {
		phase_begin(n, n->rc == OK ? &listen_ : &settle);
	} else if (n->phase == &listen_) {
		if (n->rc == OK && !n->draining)
			n->listening(n->ctx);
		else
			phase_begin(n, &drain_api);
	} else if (n->phase == &drain_api) {
		phase_begin(n, &drain_http);
	} else if (n->phase == &drain_http) {
		phase_begin(n, &drain_runs);
	} else if (n->phase == &drain_runs) {
		phase_begin(n, &settle);
	} else if (n->phase == &settle) {
		phase_begin(n, &close_);
	} else {
		for (unsigned i = 0; i < n->homes_n; i++)
			shard_stop(n->homes[i].shard);
	}
}

void
node_reload(struct node *n)
{
	struct err e = { 0 };

	if (auth_reload(n->auth, &e) == OK)
		log_info("main", "reloaded", "keys=%s",
		    n->config->at[SETTING_API_KEYS].text);
	else
		log_error("main", "reload_failed", "error=%s", e.text);
}

void
node_drain(struct node *n)
{
	bool serving = n->phase == &listen_ && atomic_load(&n->left) == 0;

	if (n->draining)
		return;
	n->draining = true;
	/* Before that, the phases' ends look at it. */
	if (serving)
		phase_begin(n, &drain_api);
}

int
node_run(struct node *n, void (*listening)(void *ctx), void *ctx, struct err *e)
{
	int rc = OK;

	n->listening = listening;
	n->ctx = ctx;
	for (unsigned i = 1; rc == OK && i < n->homes_n; i++) {
		rc = shard_start(n->homes[i].shard, e);
		n->homes[i].started = rc == OK;
	}
	if (rc == OK) {
		phase_begin(n, &boot);
		shard_run(n->homes[0].shard);
	}
	for (unsigned i = 1; i < n->homes_n; i++) {
		if (!n->homes[i].started)
			continue;
		shard_stop(n->homes[i].shard);
		shard_join(n->homes[i].shard);
		n->homes[i].started = false;
	}
	if (rc == OK && n->rc < 0) {
		rc = n->rc;
		*e = n->err;
	}
	return rc;
}

/* ---- making -------------------------------------------------------------- */

/* The default model: what was asked for, else what could work, else the
 * scripted one, which always does. */
static void
choose_model(struct node *n)
{
	const struct config *c = n->config;
	struct str asked = config_str(c, SETTING_MODEL);
	bool openai = config_str(c, SETTING_OPENAI_API_KEY).n > 0 ||
	    !config_is_default(c, SETTING_OPENAI_BASE_URL);

	n->model = BUF(KB);
	if (asked.n == 0) {
		buf_add(&n->model, openai ? S(MODEL_OPENAI) : S(MODEL_SCRIPTED));
		return;
	}
	if (!llm_names_provider(asked))
		buf_lit(&n->model, "openai:");
	buf_add(&n->model, asked);
}

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

/* The folder of the database is the user's to make: a slip would put the
 * data somewhere else. */
static int
check_folder(const struct config *c, struct err *e)
{
	char *path = mem_cstr(config_str(c, SETTING_DB)), *slash = strrchr(path, '/');
	struct stat st;
	int rc = OK;

	if (slash != NULL && slash != path &&
	    !str_eq(config_str(c, SETTING_STORE), S("memory"))) {
		*slash = '\0';
		if (stat(path, &st) < 0)
			rc = err_set(e, ERR_NOTFOUND, "%s: the folder %s: %s",
			    c->at[SETTING_DB].origin, path, strerror(errno));
		else if (!S_ISDIR(st.st_mode))
			rc = err_set(e, ERR_INVALID, "%s: %s is not a folder",
			    c->at[SETTING_DB].origin, path);
	}
	free(path);
	return rc;
}

static int
open_store(struct node *n, struct err *e)
{
	const struct config *c = n->config;
	struct store_options o = {
		.driver = config_str(c, SETTING_STORE),
		.path = config_str(c, SETTING_DB),
		.fsync_delay_ms = config_int(c, SETTING_TEST_FSYNC_DELAY_MS),
		.scan_ms = config_int(c, SETTING_TEST_SCAN_MS),
		.fail_at = config_int(c, SETTING_TEST_FAIL_STORE_AT),
	};

	int rc = check_folder(c, e);

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
	const struct config *c = n->config;
	struct auth_options o = {
		.jwt_secret = config_str(c, SETTING_JWT_SECRET),
		.issuer = config_str(c, SETTING_JWT_ISSUER),
		.audience = config_str(c, SETTING_JWT_AUDIENCE),
		.keys_file = config_str(c, SETTING_API_KEYS),
	};

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

/* How many shards, as far as there are files for them.  Before anything is
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
make_homes(struct node *n, struct err *e)
{
	int rc = OK;

	n->homes_n = n->files.shards;
	n->homes = mem_zero(n->homes_n * sizeof *n->homes);
	for (unsigned i = 0; rc == OK && i < n->homes_n; i++) {
		struct home *h = &n->homes[i];

		h->node = n;
		h->id = i;
		rc = shard_new(&h->shard, i, e);
	}
	return rc;
}

static int
make_api(struct node *n, struct err *e)
{
	struct api_options o = {
		.store = n->store, .runs = n->shared, .auth = n->auth,
		.plain_errors = config_bool(n->config, SETTING_PLAIN_ERRORS),
		.access_log = config_bool(n->config, SETTING_LOG_ACCESS),
		.end_event = config_bool(n->config, SETTING_STREAMS_END_EVENT),
		.shards = n->homes_n, .model = buf_str(&n->model),
		.origin = {
			.allowed_hosts = config_str(n->config, SETTING_ALLOWED_HOSTS),
			.cors_origins = config_str(n->config, SETTING_CORS_ORIGINS),
			.auth = auth_enabled(n->auth),
			.check_host = host_is_loopback(config_str(n->config, SETTING_HOST)) &&
			    !config_bool(n->config, SETTING_INSECURE),
		},
	};
	int rc = origin_rules_check(&o.origin, e);

	if (rc == OK)
		rc = api_shared_new(&n->api, &o, e);
	if (rc == OK)
		rc = api_seed(n->api, n->homes[0].shard, clock_wall_ms(), e);
	return rc;
}

/* What all connections together may hold of this process's memory. */
static void
size_accounts(const struct config *c)
{
	uint64_t memory = (uint64_t)config_int(c, SETTING_TEST_MEMORY_BYTES);

	if (memory == 0)
		memory = memory_limit();
	account_set_capacity(&account_bodies, memory_share(memory, LIMIT_HTTP_BODIES_BYTES));
	account_set_capacity(&account_output, memory_share(memory, LIMIT_HTTP_OUTPUT_BYTES));
}

static int
node_open(struct node *n, struct err *e)
{
	int64_t seed = config_int(n->config, SETTING_TEST_ID_SEED);
	int rc;

	if (seed != 0)
		id_seed_random((uint64_t)seed);
	size_accounts(n->config);
	choose_model(n);
	rc = plan_files(n, e);
	if (rc == OK)
		mem_setup(n->files.shards);
	if (rc == OK)
		rc = open_auth(n, e);
	if (rc == OK)
		rc = check_exposure(n, e);
	if (rc == OK)
		rc = read_script(n, e);
	if (rc == OK)
		rc = client_global_init(e);
	/* Before the store: a port that is taken leaves no file behind. */
	if (rc == OK)
		rc = http_server_new(&n->http, config_str(n->config, SETTING_HOST),
		    (uint16_t)config_int(n->config, SETTING_PORT), NULL, e);
	if (rc == OK)
		rc = open_store(n, e);
	if (rc == OK)
		rc = make_homes(n, e);
	if (rc == OK)
		rc = store_recover(n->store, n->homes[0].shard, clock_wall_ms(),
		    note_pending, n, e);
	if (rc < 0)
		return rc;
	n->tools = tools_new();
	work_tools_add(n->tools);
	n->shared = runs_shared_new(n->store, n->tools, e);
	if (n->shared == NULL)
		return e->code < 0 ? e->code : ERR_INVALID;
	rc = make_api(n, e);
	if (rc == OK)
		http_server_hook(n->http, api_hooks(n->api));
	return rc;
}

int
node_new(struct node **out, const struct config *c, struct err *e)
{
	struct node *n = mem_new(struct node);
	int rc;

	*out = NULL;
	n->config = c;
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
	/* What is still queued commits, and comes back to nobody. */
	store_close(n->store);
	work_board_free(n->board);
	for (unsigned i = 0; i < n->homes_n; i++)
		shard_free(n->homes[i].shard);
	api_shared_free(n->api);
	runs_shared_free(n->shared);
	tools_free(n->tools);
	script_free(n->script);
	auth_free(n->auth);
	buf_release(&n->model);
	free(n->homes);
	free(n->pending);
	pthread_mutex_destroy(&n->lock);
	free(n);
}

/* ---- what serve shows ---------------------------------------------------- */

struct shard *
node_shard(struct node *n)
{
	return n->homes[0].shard;
}

unsigned
node_shards(const struct node *n)
{
	return n->homes_n;
}

const struct files_plan *
node_files(const struct node *n)
{
	return &n->files;
}

unsigned
node_port(const struct node *n)
{
	return http_server_port(n->http);
}

struct str
node_model(const struct node *n)
{
	return buf_str(&n->model);
}

bool
node_model_is_scripted(const struct node *n)
{
	return str_starts(buf_str(&n->model), S("scripted:"));
}

const char *
node_store(const struct node *n)
{
	return store_driver(n->store);
}

bool
node_auth(const struct node *n)
{
	return auth_enabled(n->auth);
}

size_t
node_recovered(const struct node *n)
{
	return n->pending_n;
}
