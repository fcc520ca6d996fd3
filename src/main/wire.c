/*
 * wire.c - see wire.h.  With wire_open.c the only place where the rooms meet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/wire_priv.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/limits.h"
#include "base/log.h"
#include "cluster/lag.h"
#include "cluster/mail.h"
#include "cluster/node.h"
#include "cluster/relay_net.h"
#include "mail/host/socket.h"
#include "main/agents.h"
#include "main/catalog.h"
#include "main/items.h"
#include "main/reload.h"
#include "main/work_agent.h"
#include "net/host.h"
#include "run/sweep.h"
#include "tools/mcp.h"
#include "worker/desk.h"

extern char **environ;

#define DAY_S 86400

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
	if (rc == OK && n->tracing != NULL) {
		w->tracer = tracer_new(n->tracing, w->shard, w->client);
		runs_trace(w->runs, w->tracer);
	}
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

/* Of shard 0: follows changes of rows by other nodes: by message, or by looking. */
static void
talk_open(struct worker *w)
{
	struct node *n = w->node;

	if (n->bus != NULL || config_store_is_server(n->config))
		wire_talk_open(&n->talk, &(struct wire_talk_needs){ .bus = n->bus,
		    .shard = w->shard, .auth = n->auth, .catalog = n->catalog,
		    .modules = w->guests.desk, .desk = w->desk, .reader = w->reader,
		    .runs = w->runs });
}

static void
worker_boot(struct worker *w)
{
	struct err e = { 0 };
	int rc = worker_open(w, &e);

	if (rc < 0)
		node_fail(w->node, rc, &e);
	else if (w->id == 0)
		talk_open(w);
	worker_finish(w);
}

static void
worker_drained(void *ctx)
{
	worker_finish(ctx);
}

/* The first shard takes for all what other nodes have left. */
static void
recover_among_others(struct worker *w)
{
	if (w->id == 0) {
		mail_carrier_begin(w->node->carrier, w->office);
		office_join(w->office, worker_drained, w);
	} else {
		worker_finish(w);
	}
}

/* Durable agents, before anybody writes to them. */
static void
worker_recover(struct worker *w)
{
	struct err e = { 0 };
	int rc = OK;

	if (w->node->carrier != NULL) {
		recover_among_others(w);
		return;
	}
	rc = office_recover(w->office, &e);
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

	if (n->cluster != NULL)
		cluster_attach(n->cluster, w->runs);
	if (n->relay != NULL) {
		w->relay = relay_net_open(n->relay, w->shard);
		api_set_relay(w->api, w->relay);
	}
	for (size_t i = w->id; i < n->pending_n; i += n->workers_n)
		runs_adopt(w->runs, n->pending[i].owner, n->pending[i].thread_seq,
		    &n->pending[i].thread_id);
	runs_wake_due(w->runs);
	runs_sweep(w->runs);
	rc = n->carrier == NULL ? office_resume(w->office, &e) : OK;
	if (rc == OK)
		rc = http_server_attach(n->http, w->shard, &e);
	if (rc < 0)
		node_fail(n, rc, &e);
	else if (n->socket != NULL)
		mail_socket_attach(n->socket, w->office, w->reader);
	if (w->id == 0 && n->lag != NULL)
		bus_lag_begin(n->lag, w->shard);
	worker_finish(w);
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
	if (w->id == 0)
		wire_talk_drain(&w->node->talk);
	if (w->id == 0 && w->node->cluster != NULL)
		cluster_drain(w->node->cluster);
	worker_desk_drain(w->desk);
	if (w->relay != NULL)
		relay_drain(w->relay);
	if (w->id == 0)
		catalog_drain(w->node->catalog, worker_catalog_drained, w);
	else
		worker_catalog_drained(w);
}

static void
worker_http_drained(void *ctx)
{
	struct worker *w = ctx;

	if (w->relay != NULL)
		relay_net_stop(w->node->relay, w->shard);
	worker_finish(w);
}

static void
worker_drain_http(struct worker *w)
{
	http_server_drain(w->node->http, w->shard, worker_http_drained, w);
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

static void
worker_drain_trace(struct worker *w)
{
	tracer_drain(w->tracer, w->node->hands_over ? LIMIT_UPGRADE_DRAIN_MS :
	    LIMIT_TRACE_DRAIN_MS, worker_drained, w);
}

/* Nothing of runs is written any more: other nodes may have them. */
static void
worker_leave(struct worker *w)
{
	if (w->id == 0 && w->node->cluster != NULL)
		cluster_leave(w->node->cluster, worker_drained, w);
	else
		worker_finish(w);
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
	if (w->id == 0 && w->node->lag != NULL)
		bus_lag_end(w->node->lag);
	if (w->id == 0 && w->node->carrier != NULL)
		mail_carrier_end(w->node->carrier);
	office_free(w->office);
	work_agent_free(w->work);
	runs_free(w->runs);
	tracer_free(w->tracer);
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
	DRAIN_OFFICE, DRAIN_GUESTS, DRAIN_TRACE, LEAVE, SETTLE, CLOSE, PHASES };

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
	[DRAIN_TRACE] = { "drain trace", worker_drain_trace },
	[LEAVE] = { "leave", worker_leave },
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

/* A certificate that is about to end is said at the start and then each day. */
static void
look_at_ends(struct node *n)
{
	struct buf when = BUF(64);
	struct str file;
	int64_t end, left;

	if (n->tls == NULL)
		return;
	end = tls_first_end(n->tls, &file);
	left = end - clock_wall_ms() / 1000;
	clock_add_iso(&when, end * 1000);
	if (left <= 0)
		log_error("main", "certificate_ended", "file=%.*s end=%.*s", FMT(file),
		    FMT(buf_str(&when)));
	else if (left < LIMIT_TLS_WARN_DAYS * DAY_S)
		log_warn("main", "certificate_ends", "file=%.*s end=%.*s days=%lld", FMT(file),
		    FMT(buf_str(&when)), (long long)(left / DAY_S));
	buf_release(&when);
	shard_timer_set(n->workers[0].shard, &n->tls_look, DAY_S * 1000);
}

static void
on_tls_look(struct wheel_timer *t)
{
	look_at_ends(CONTAINER_OF(t, struct node, tls_look));
}

static void
reload_tls(struct node *n)
{
	struct err e;

	if (n->tls == NULL)
		return;
	if (tls_reload(n->tls, &e) != OK) {
		log_error("main", "reload_failed", "error=%s", e.text);
		return;
	}
	log_info("main", "certificates_reloaded", "files=%s",
	    n->config->at[SETTING_TLS_CERT].text);
	if (n->tls_look.fire != NULL)        /* it serves */
		look_at_ends(n);
}

static void
serves(struct node *n)
{
	n->tls_look.fire = on_tls_look;
	look_at_ends(n);
	if (n->cluster != NULL)
		cluster_serve(n->cluster);
	wire_talk_serve(&n->talk);
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

/* A file may have another secret now, as may a credential. */
static int
reload_secret(struct node *n, struct err *e)
{
	struct buf b = BUF(LIMIT_SECRET_BYTES);
	int rc = OK;

	if (n->config->at[SETTING_JWT_SECRET].named != NULL) {
		rc = config_read_secret(n->config, SETTING_JWT_SECRET, environ, &b, e);
		if (rc == OK)
			auth_set_secret(n->auth, buf_str(&b));
		if (b.n > 0)
			explicit_bzero(b.p, b.n);
	}
	buf_release(&b);
	return rc;
}

void
node_reload(struct node *n)
{
	struct err e = { 0 };
	int rc = auth_reload(n->auth, &e);

	if (rc == OK)
		rc = reload_secret(n, &e);
	if (rc == OK)
		log_info("main", "reloaded", "keys=%s jwks=%s",
		    n->config->at[SETTING_API_KEYS].text,
		    n->config->at[SETTING_AUTH_JWKS].text);
	else
		log_error("main", "reload_failed", "error=%s", e.text);
	reload_tls(n);
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
	shard_timer_cancel(n->workers[0].shard, &n->tls_look);
	/* Earlier phases check n->draining at their end. */
	if (serving)
		phase_begin(n, DRAIN_API);
}

size_t
node_hand_over(struct node *n, int *fds, size_t max)
{
	size_t got = http_server_hand_over(n->http, LIMIT_UPGRADE_DRAIN_MS, fds, max);

	n->hands_over = true;
	node_drain(n);
	return got;
}

size_t
node_connections(struct node *n, int *fds, size_t max)
{
	return http_server_connections(n->http, fds, max);
}

void
node_outdated(struct node *n)
{
	struct err e;

	if (n->draining)
		return;
	node_fail(n, err_set(&e, ERR_CONFLICT, "PostgreSQL has the tables of a newer Cohort, and this "
	    "one (%s, format %lld) cannot write to them: start the version that the other nodes "
	    "have", COHORT_VERSION, (long long)store_server_format()), &e);
	log_error("cluster", "outdated", "reason=%s", e.text);
	node_drain(n);
}

int
node_run(struct node *n, void (*listening)(void *ctx), void *ctx, struct err *e)
{
	int rc = OK;

	n->next.run = phase_ended;
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

/* ---- what serve shows ---------------------------------------------------- */

struct shard *
node_shard(struct node *n)
{
	return n->workers[0].shard;
}

void
node_add_urls(const struct node *n, const char *before, struct buf *b)
{
	for (size_t i = 1; i < n->ways.n; i++) {
		buf_add(b, str_of(before));
		ways_add_url(b, &n->ways.at[i], http_server_port_at(n->http, i));
		if (n->ways.at[i].path.n == 0)
			buf_add(b, config_str(n->config, SETTING_HTTP_MOUNT_PREFIX));
	}
}

struct node_status
node_status(const struct node *n)
{
	return (struct node_status){ .shards = n->workers_n, .files = n->files,
		.port = http_server_port(n->http), .model = buf_str(&n->model),
		.scripted = str_starts(buf_str(&n->model), S("scripted:")),
		.auth = auth_enabled(n->auth), .recovered = n->pending_n };
}
