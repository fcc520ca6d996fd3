/*
 * wire_open.c - the node is made: the store, the shards, what all of them share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wire_priv.h"

#include <stdio.h>
#include <unistd.h>

#include "api/api.h"
#include "base/file.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/lag.h"
#include "cluster/mail.h"
#include "cluster/node.h"
#include "cluster/relay_net.h"
#include "llm/script.h"
#include "mail/host/external.h"
#include "mail/host/socket.h"
#include "main/agents.h"
#include "main/catalog.h"
#include "main/items.h"
#include "main/models.h"
#include "main/options.h"
#include "main/wire_cluster.h"
#include "main/work_tools.h"
#include "net/host.h"
#include "net/proxy.h"
#include "run/sweep.h"
#include "store/db.h"
#include "work/host/guest.h"
#include "worker/desk.h"

#define SHARDS_DEFAULT 4                     /* keeps the process at 8 threads */
#define SCRIPT_MAX     (16 * MB)

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
open_http(struct node *n, struct err *e)
{
	struct http_options o = { .at = n->ways.at, .at_n = n->ways.n,
		.shards = n->files.shards, .tls = n->tls, .trust = n->trust,
		.proxy_protocol = config_bool(n->config, SETTING_PROXY_PROTOCOL),
		.inherited = n->inherited, .inherited_n = n->inherited_n };

	n->inherited_n = 0;
	return http_server_open(&n->http, &o, e);
}

/* While a start waits nobody is to wait for it: the port is closed. */
static void
start_waits(void *ctx)
{
	struct node *n = ctx;

	http_server_free(n->http);
	n->http = NULL;
}

static int
open_server_store(struct node *n, const struct store_options *o, struct err *e)
{
	int rc;

	db_server_lease(config_int(n->config, SETTING_CLUSTER_LEASE));
	rc = cluster_store_open(&n->store, o, n->config, start_waits, n, e);
	/* What is opened from now on cannot be closed and tried again as a whole. */
	db_server_wait(config_int(n->config, SETTING_CLUSTER_WAIT));
	return rc == OK && n->http == NULL ? open_http(n, e) : rc;
}

/* The tracker's tables are in the store's file, or in a file of this node. */
static int
open_store(struct node *n, struct err *e)
{
	bool server = config_store_is_server(n->config);
	struct store_options o, house;
	int rc = options_store(n->config, &o, e);

	if (rc == OK && server)
		rc = options_guest_house(n->config, &house, e);
	if (rc < 0)
		return rc;
	n->board = work_board_new();
	*(server ? &house.guests : &o.guests) = (const struct store_guest *const[]){
	    work_board_guest(n->board), NULL };
	if (server)
		rc = store_open(&n->guest_house, &house, e);
	o.guest_house = n->guest_house;
	if (rc < 0)
		return rc;
	return server ? open_server_store(n, &o, e) : store_open(&n->store, &o, e);
}

static void
node_changed(void *ctx, int64_t node)
{
	struct node *n = ctx;

	if (n->carrier != NULL)
		mail_carrier_changed(n->carrier, node);
	if (n->desk != NULL)
		workers_set_node(n->desk, node > 0 ? node : 0);
	if (n->relay != NULL)
		relay_net_set_node(n->relay, node);
	if (n->tracing != NULL)
		tracing_set_node(n->tracing, node > 0 ? node : 0);
}

static void
outdated(void *ctx)
{
	node_outdated(ctx);
}

static void
others_gone(void *ctx)
{
	struct node *n = ctx;

	if (n->carrier != NULL)
		mail_carrier_gone(n->carrier);
}

/* Requests about what another node has go there. */
static void
open_relay(struct node *n)
{
	int64_t node;

	if (n->bus == NULL || n->cluster == NULL)
		return;
	n->relay = relay_net_new(&(struct relay_net_options){ .bus = n->bus,
	    .cluster = n->cluster, .http = n->http, .runs = n->shared, .offices = n->offices,
	    .shards = n->shards, .shards_n = n->workers_n });
	node = cluster_node(n->cluster);
	workers_set_node(n->desk, node > 0 ? node : 0);
	relay_net_set_node(n->relay, node);
}

static void
wake_node(void *ctx, int64_t node)
{
	cluster_wake_node(ctx, node);
}

/* On PostgreSQL this is one of several nodes, or may become one. */
static int
join_cluster(struct node *n, struct err *e)
{
	char name[LIMIT_CLUSTER_NAME_BYTES + 1];
	struct buf info = BUF(4 * KB), address = BUF(KB);
	int rc = OK;

	if (config_store_is_server(n->config)) {
		cluster_name_of(n->config, name);
		cluster_info_of(n->config, &info);
		cluster_address_of(n->config, http_server_port(n->http), &address);
		rc = cluster_open(&n->cluster, n->store, n->workers[0].shard,
		    &(struct cluster_options){ .name = str_of(name),
		    .address = buf_str(&address), .info = buf_str(&info),
		    .lease = config_int(n->config, SETTING_CLUSTER_LEASE),
		    .changed = node_changed, .gone = others_gone,
		    .outdated = outdated, .ctx = n }, e);
		if (rc == OK)
			cluster_set_bus(n->cluster, n->bus);
	}
	buf_release(&info);
	buf_release(&address);
	return rc;
}

static int
open_auth(struct node *n, struct err *e)
{
	struct auth_options o = options_auth(n->config);

	return auth_new(&n->auth, &o, e);
}

/* At which other machines may reach it; NULL: at none. */
static const struct http_listen *
far_way(const struct node *n)
{
	for (size_t i = 0; i < n->ways.n; i++)
		if (!ways_is_near(&n->ways.at[i]))
			return &n->ways.at[i];
	return NULL;
}

static int
check_exposure(struct node *n, struct err *e)
{
	const struct config *c = n->config;
	struct str host = config_str(c, SETTING_HOST);
	const struct http_listen *far;

	if (!host_is_literal(host) && !str_eq(host, S("localhost")))
		return err_set(e, ERR_INVALID, "%s: expected an IP address or "
		    "localhost, got \"%.*s\"", c->at[SETTING_HOST].origin, FMT(host));
	far = far_way(n);
	if (far == NULL)
		return OK;
	if (config_bool(c, SETTING_TEST_HOOKS))
		return err_set(e, ERR_INVALID, "--test-hooks works on loopback "
		    "only, not on %.*s", FMT(far->host));
	if (auth_enabled(n->auth) || config_bool(c, SETTING_INSECURE))
		return OK;
	return err_set(e, ERR_INVALID, "refusing to serve %.*s to anyone: set "
	    "--jwt-secret or --api-keys, or say --insecure", FMT(far->host));
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
	ways_of(&n->ways, n->config);
	rc = files_plan_make(&n->files, n->shards_asked, n->ways.n - 1, e);
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
	return rc == OK ? join_cluster(n, e) : rc;
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
		.forget_graph = catalog_forget, .see_graphs = catalog_see, .cluster = n->cluster, .bus = n->bus,
		.lag = n->lag,
		.worker_certs = str_eq(config_str(n->config, SETTING_TLS_CLIENT_AUTH), S("workers")),
		.plain_errors = config_bool(n->config, SETTING_PLAIN_ERRORS),
		.access_log = config_bool(n->config, SETTING_LOG_ACCESS),
		.slow_ms = config_int(n->config, SETTING_LOG_SLOW_REQUEST),
		.test_hooks = config_bool(n->config, SETTING_TEST_HOOKS),
		.end_event = config_bool(n->config, SETTING_STREAMS_END_EVENT),
		.shards = n->workers_n, .model = buf_str(&n->model),
		.origin = {
			.allowed_hosts = config_str(n->config, SETTING_ALLOWED_HOSTS),
			.cors_origins = config_str(n->config, SETTING_CORS_ORIGINS),
			.pattern = n->pages,
			.auth = auth_enabled(n->auth),
			.check_host = far_way(n) == NULL &&
			    !config_bool(n->config, SETTING_INSECURE),
		},
	};

	options_http(n->config, &o);
	n->settings = BUF(MB);
	config_add_json(&n->settings, n->config);
	o.settings = buf_str(&n->settings);
	if (rc == OK)
		rc = api_options_check(&o, e);
	if (rc == OK)
		n->api = api_shared_new(&o);
	if (rc == OK)
		rc = api_seed(n->api, n->workers[0].shard,
		    catalog_agents(n->catalog), clock_wall_ms(), e);
	return rc;
}

static bool
lease_holds(void *ctx)
{
	return cluster_holds(ctx);
}

static void
give_up_lease(void *ctx)
{
	cluster_give_up(ctx, "what a run was to write could not be written in time");
}

static void
set_runs(struct node *n)
{
	const struct config *c = n->config;
	msec test = config_int(c, SETTING_TEST_SWEEP_MS);

	sweep_set(n->shared, SWEEP_THREADS, test > 0 ? test :
	    config_int(c, SETTING_THREADS_TTL_SWEEP_INTERVAL) * 60 * 1000,
	    config_int(c, SETTING_THREADS_TTL_SWEEP_LIMIT));
	if (n->cluster != NULL) {
		runs_shared_set_foreign(n->shared, wake_node, n->cluster);
		runs_shared_set_lease(n->shared, lease_holds, give_up_lease, n->cluster);
		runs_shared_set_deleted(n->shared, wire_talk_deleted, &n->talk);
	}
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
	    .shards_n = n->workers_n, .kept = wire_talk_graphs, .ctx = &n->talk };

	n->desk = workers_new(&(struct workers_options){ .shards = n->workers_n,
	    .lease = config_int(n->config, SETTING_WORKERS_LEASE), .poll = LIMIT_WORKER_POLL_MS,
	    .grace = LIMIT_WORKER_GRACE_MS, .sticky = LIMIT_WORKER_STICKY_MS });
	workers_set_keys(n->desk, key_is_valid, n);
	o.workers = n->desk;
	n->sandbox.changed = wire_talk_modules;
	n->sandbox.ctx = &n->talk;
	return catalog_open(&n->catalog, &o, folder_agents(n->folder), e);
}

/* What all shards share, above the store. */
static int
open_shared(struct node *n, struct err *e)
{
	int rc;

	n->tools = tools_new();
	work_tools_add(n->tools);
	rc = open_catalog(n, e);
	if (rc == OK)
		rc = sandbox_open(&n->sandbox, n->config, n->store, n->workers_n, n->folder, e);
	if (rc < 0)
		return rc;
	n->shared = runs_shared_new(n->store, n->tools, catalog_agents(n->catalog),
	    config_bool(n->config, SETTING_KEEP_PARTIAL));
	n->offices = offices_new(n->store, catalog_agents(n->catalog));
	open_relay(n);
	set_runs(n);
	if (n->tracing != NULL && n->cluster != NULL)
		tracing_set_node(n->tracing, cluster_node(n->cluster));
	if (!config_bool(n->config, SETTING_HTTP_DISABLE_WEBHOOKS))
		runs_shared_set_hooks(n->shared, &n->hooks, api_add_hook_run);
	if (n->cluster != NULL)
		n->carrier = mail_carrier_new(n->offices, n->bus, n->cluster);
	external_set_batch(n->offices, (uint32_t)config_int(n->config, SETTING_MAIL_BATCH_SIZE),
	    config_int(n->config, SETTING_MAIL_BATCH_TIMEOUT));
	runs_shared_set_slow(n->shared, config_int(n->config, SETTING_LOG_SLOW_RUN));
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

/* What the settings name, without a socket or the store. */
static int
node_prepare(struct node *n, struct err *e)
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
		rc = tracing_open(&n->tracing, n->config, e);
	if (rc == OK)
		rc = folder_open(&n->folder, config_str(n->config, SETTING_AGENTS),
		    &n->config->langgraph, n->models, buf_str(&n->model), e);
	if (rc == OK)
		rc = client_global_init(e);
	if (rc == OK)
		rc = ways_tls(&n->tls, n->config, e);
	if (rc == OK)
		rc = proxy_trust_new(&n->trust, config_str(n->config, SETTING_PROXY_TRUSTED), e);
	return rc;
}

static int
test_start(const struct node *n, struct err *e)
{
	const char *file = n->config->at[SETTING_TEST_FAIL_START].text;

	return file[0] != '\0' && unlink(file) == 0 ?
	    err_set(e, ERR_IO, "test.fail-start: %s was there", file) : OK;
}

static int
node_open(struct node *n, struct err *e)
{
	int rc = node_prepare(n, e);

	if (rc == OK)
		rc = test_start(n, e);

	/* Before the store: if the port is taken, no file is created. */
	if (rc == OK)
		rc = open_http(n, e);
	if (rc == OK)
		rc = open_store(n, e);
	if (rc == OK)
		rc = cluster_bus_open(&n->bus, n->config, e);
	if (n->bus != NULL)
		n->lag = bus_lag_new(n->bus);
	if (rc == OK)
		rc = workers_make(n, e);
	if (rc == OK)
		rc = store_recover(n->store, n->workers[0].shard, clock_wall_ms(),
		    note_pending, n, e);
	return rc == OK ? open_shared(n, e) : rc;
}

static struct node *
node_make(const struct config *c, const struct models *m)
{
	struct node *n = mem_new(struct node);

	n->config = c;
	n->models = m;
	pthread_mutex_init(&n->lock, NULL);
	return n;
}

int
node_check(const struct config *c, const struct models *m, struct err *e)
{
	struct node *n = node_make(c, m);
	int rc = node_prepare(n, e);

	node_free(n);
	return rc;
}

int
node_new(struct node **out, const struct config *c, const struct models *m,
    const int *inherited, size_t inherited_n, struct err *e)
{
	struct node *n = node_make(c, m);
	int rc;

	*out = NULL;
	n->inherited = inherited;
	n->inherited_n = inherited_n;
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
	cluster_stop(n->cluster);
	bus_close(n->bus);
	relay_net_free(n->relay);
	wire_talk_close(&n->talk);
	bus_lag_free(n->lag);
	/* Queued writes are committed; their callbacks are not called. */
	store_close(n->store);
	store_close(n->guest_house);
	cluster_free(n->cluster);
	work_board_free(n->board);
	for (unsigned i = 0; i < n->workers_n; i++)
		shard_free(n->workers[i].shard);
	api_shared_free(n->api);
	origin_pattern_free(n->pages);
	runs_shared_free(n->shared);
	sandbox_close(&n->sandbox);
	mail_socket_free(n->socket);
	offices_free(n->offices);
	mail_carrier_free(n->carrier);
	catalog_free(n->catalog);
	workers_free(n->desk);
	folder_free(n->folder);
	tools_free(n->tools);
	tracing_free(n->tracing);
	script_free(n->script);
	oversight_close(&n->oversight);
	auth_free(n->auth);
	tls_free(n->tls);
	proxy_trust_free(n->trust);
	buf_release(&n->model);
	buf_release(&n->fields);
	buf_release(&n->hook_headers);
	buf_release(&n->settings);
	free(n->workers);
	free(n->shards);
	free(n->pending);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
