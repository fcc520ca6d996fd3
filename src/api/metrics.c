/*
 * metrics.c - see metrics.h, and GET /metrics: every counter of the process
 * in Prometheus' text exposition format 0.0.4.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/metrics.h"

#include <assert.h>
#include <stdio.h>

#include "api/api_priv.h"
#include "base/account.h"
#include "base/mem.h"
#include "cluster/bus.h"
#include "cluster/lag.h"
#include "cluster/node.h"
#include "cluster/relay.h"
#include "mail/host/office.h"
#include "net/client.h"
#include "net/files.h"
#include "net/tls.h"
#include "run/hook.h"
#include "trace/trace.h"
#include "wasm/agent/agents.h"
#include "worker/desk.h"

const uint32_t metrics_bounds_us[METRICS_BUCKETS] = {
	500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	1000000, 2500000, 10000000
};

void
metrics_add(_Atomic uint64_t *counter, uint64_t n)
{
	/* One writer: a plain add in two relaxed halves is enough. */
	atomic_store_explicit(counter,
	    atomic_load_explicit(counter, memory_order_relaxed) + n,
	    memory_order_relaxed);
}

void
metrics_count(struct metrics *m, size_t route, int status, nsec took,
    size_t bytes_out)
{
	struct metrics_route *at = &m->route[route];
	uint64_t us = took > 0 ? (uint64_t)took / 1000 : 0;
	size_t bucket = 0;
	int class = status / 100 - 1;

	assert(route < METRICS_ROUTES);
	if (class < 0 || class >= METRICS_CLASSES)
		class = METRICS_CLASSES - 1;
	while (bucket < METRICS_BUCKETS && us > metrics_bounds_us[bucket])
		bucket++;
	metrics_add(&at->by_class[class], 1);
	metrics_add(&at->bucket[bucket], 1);
	metrics_add(&at->sum_us, us);
	metrics_add(&m->bytes_out, bytes_out);
}

static uint64_t
load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- series ---------------------------------------------------------------- */

/* What one reading of the process has; a row of SERIES_MAP names a part of it. */
struct reading {
	struct runs_stats runs;
	struct hooks_stats hooks;
	struct trace_stats traces;
	struct office_stats mail;
	struct client_pool pool;
	struct store_stats store;
	struct worker_figures workers;
	struct wasm_figures guests;
	struct cluster_stats node;
	struct bus_stats bus;
	struct relay_stats relay;
	nsec bus_lag;                        /* -1: it is down */
	uint64_t bytes_out;
	int64_t watchers;
};

static double
mail_pending(const struct mail_books *b)
{
	return (double)(int64_t)(b->pending + (b->gone - b->left) - (b->come - b->arrived));
}

static uint64_t
agents_live(const struct office_stats *s)
{
	return s->agents[AGENT_LOADED] + s->agents[AGENT_READY] + s->agents[AGENT_RUNNING] +
	    s->agents[AGENT_DRAINING];
}

/* Every series without labels: name, kind, meaning, its value in `const struct
 * reading *f`.  docs/metrics.md is made from it. */
#define SERIES_MAP(X)                                                         \
	X(cohort_http_bytes_out_total, counter, "Bytes of answers.",           \
	    f->bytes_out)                                                     \
	X(cohort_http_bodies_bytes, gauge,                                    \
	    "Bytes of requests that are being read.",                         \
	    account_used(&account_bodies))                                    \
	X(cohort_http_output_bytes, gauge,                                    \
	    "Bytes of answers and events that wait for their clients.",       \
	    account_used(&account_output))                                    \
	X(cohort_tls_connections, gauge, "Connections by TLS, handshakes under way among " \
	    "them.", (double)atomic_load_explicit(&tls_open_now, memory_order_relaxed)) \
	X(cohort_tls_bytes, gauge, "What they are counted as.", account_used(&account_tls)) \
	X(cohort_tls_handshakes_total, counter, "Handshakes that were done.", load(&tls_handshakes)) \
	X(cohort_tls_resumed_total, counter, "Those that resumed a session.", load(&tls_resumed)) \
	X(cohort_tls_handshakes_failed_total, counter, "Handshakes that were not.", \
	    load(&tls_handshakes_failed))                                     \
	X(cohort_tls_certificate_end_seconds, gauge, "When the first of the certificates ends, in " \
	    "Unix time; 0: there is none.",                                   \
	    (double)atomic_load_explicit(&tls_ends_at, memory_order_relaxed)) \
	X(cohort_relay_sent_total, counter,                                   \
	    "Requests that another node was asked to serve.", f->relay.sent)  \
	X(cohort_relay_served_total, counter,                                 \
	    "Requests of other nodes' clients that were served here.",        \
	    f->relay.served)                                                  \
	X(cohort_relay_cut_total, counter,                                    \
	    "Requests between nodes that were cut: a node or the bus was lost.", \
	    f->relay.lost)                                                    \
	X(cohort_relay_streams, gauge,                                        \
	    "Requests between nodes that are under way.", f->relay.streams)   \
	X(cohort_run_watchers, gauge,                                         \
	    "Requests that wait for or stream a run.", f->watchers)           \
	X(cohort_runs_live, gauge, "Runs under way.", f->runs.live)           \
	X(cohort_runs_pending, gauge, "Runs that wait their turn.",           \
	    f->runs.pending)                                                  \
	X(cohort_runs_started_total, counter, "Runs started.", f->runs.started) \
	X(cohort_runs_finished_total, counter, "Runs ended, any way.",        \
	    f->runs.finished)                                                 \
	X(cohort_runs_failed_total, counter, "Runs ended in error.",          \
	    f->runs.failed)                                                   \
	X(cohort_run_events_total, counter, "Stream events made.",            \
	    f->runs.events)                                                   \
	X(cohort_model_calls_total, counter, "Answers of models.",            \
	    f->runs.calls)                                                    \
	X(cohort_model_input_tokens_total, counter,                           \
	    "Tokens that models were sent.", f->runs.tokens_in)               \
	X(cohort_model_output_tokens_total, counter,                          \
	    "Tokens that models answered.", f->runs.tokens_out)               \
	X(cohort_model_cost_usd_total, counter,                               \
	    "What models cost, by the prices of the configuration.",          \
	    (double)f->runs.cost_nano / 1e9)                                  \
	X(cohort_webhooks_delivered_total, counter,                           \
	    "Messages to other servers that were answered with 2xx.",         \
	    f->hooks.delivered)                                               \
	X(cohort_webhooks_failed_total, counter, "Tries that were not.",      \
	    f->hooks.failed)                                                  \
	X(cohort_webhooks_dropped_total, counter,                             \
	    "Messages given up after their last try.", f->hooks.dropped)      \
	X(cohort_trace_spans_exported_total, counter,                         \
	    "Spans that the collector of traces has taken.", f->traces.exported) \
	X(cohort_trace_spans_dropped_total, counter,                          \
	    "Spans for which there was no room, or no time when the server stopped.", \
	    f->traces.dropped)                                                \
	X(cohort_trace_spans_rejected_total, counter,                         \
	    "Spans that the collector has refused one by one.",               \
	    f->traces.rejected)                                               \
	X(cohort_trace_spans_failed_total, counter,                           \
	    "Spans that were given up: the collector refused their request, or could " \
	    "not be reached.", f->traces.failed)                              \
	X(cohort_trace_spans_waiting, gauge, "Spans that are to be sent.",    \
	    f->traces.waiting)                                                \
	/* A letter between two shards is pending: so the books balance. */       \
	X(cohort_mail_sent_total, counter, "Letters: messages, once for each " \
	    "receiver. Is delivered + dead + expired + pending.",             \
	    f->mail.books.sent)                                               \
	X(cohort_mail_delivered_total, counter, "Letters that were taken.",   \
	    f->mail.books.delivered)                                          \
	X(cohort_mail_dead, gauge, "Letters that could not be delivered; "    \
	    "less when they are tried again.", f->mail.books.dead)            \
	X(cohort_mail_expired_total, counter, "Letters whose ttl was over.",  \
	    f->mail.books.expired)                                            \
	X(cohort_mail_arrived_total, counter, "Letters that other nodes sent " \
	    "here; sent and they are delivered, dead, expired, pending or left.", \
	    f->mail.books.arrived)                                            \
	X(cohort_mail_left_total, counter, "Letters that are for other "      \
	    "nodes.", f->mail.books.left)                                     \
	X(cohort_mail_pending, gauge, "Letters that wait or are under way.",  \
	    mail_pending(&f->mail.books))                                     \
	X(cohort_mail_retried_total, counter, "Tries that failed.",           \
	    f->mail.books.retried)                                            \
	X(cohort_mail_refused_total, counter, "Letters that were not "        \
	    "accepted, mostly for a full mailbox.", f->mail.books.refused)    \
	X(cohort_mail_talks, gauge, "Conversations of checked protocols under way.", \
	    f->mail.talks)                                                    \
	X(cohort_agents_live, gauge, "Agents with a mailbox.",                \
	    agents_live(&f->mail))                                            \
	X(cohort_agents_loaded, gauge, "Those that are not started yet, or "  \
	    "wait to be started again.", f->mail.agents[AGENT_LOADED])        \
	X(cohort_agents_ready, gauge, "Those that have taken no letter yet.", \
	    f->mail.agents[AGENT_READY])                                      \
	X(cohort_agents_running, gauge, "Those that have.",                   \
	    f->mail.agents[AGENT_RUNNING])                                    \
	X(cohort_agents_draining, gauge, "Those that take in no more letters.", \
	    f->mail.agents[AGENT_DRAINING])                                   \
	X(cohort_agents_failed, gauge, "Agents that failed for good.",        \
	    f->mail.agents[AGENT_FAILED])                                     \
	X(cohort_mail_connections_open, gauge,                                \
	    "Clients that read a mailbox.", f->mail.conns_open)               \
	X(cohort_mail_connections_idle, gauge,                                \
	    "Those to which no letter is under way.", f->mail.conns_idle)     \
	X(cohort_mail_connections_reused_total, counter,                      \
	    "Letters to one that had got others before.",                     \
	    f->mail.conns_reused)                                             \
	X(cohort_client_connections_open, gauge,                              \
	    "Connections to models, tools and MCP servers.", f->pool.open)    \
	X(cohort_client_connections_idle, gauge,                              \
	    "Those that wait for the next request.", f->pool.idle)            \
	X(cohort_client_connections_reused_total, counter,                    \
	    "Requests over one that was there.", f->pool.reused)              \
	X(cohort_store_commits_total, counter, "Transactions.",               \
	    f->store.commits)                                                 \
	X(cohort_store_commit_seconds_total, counter,                         \
	    "Time spent in commits.", (double)f->store.commit_ns_sum / 1e9)   \
	X(cohort_store_commands_total, counter, "Commands finished.",         \
	    f->store.commands)                                                \
	X(cohort_store_failed_total, counter, "Commands that failed.",        \
	    f->store.failed)                                                  \
	X(cohort_store_queue_operations, gauge,                               \
	    "Commands that wait for the writer.", f->store.queue_ops)         \
	X(cohort_store_queue_bytes, gauge,                                    \
	    "Bytes that wait for the writer.", f->store.queue_bytes)          \
	X(cohort_store_file_bytes, gauge, "Size of the database.",            \
	    f->store.file_bytes)                                              \
	X(cohort_store_full, gauge,                                           \
	    "1 while the disk has no room for writes.", f->store.full)        \
	X(cohort_store_lost, gauge,                                           \
	    "1 while the database was deleted, moved or replaced.",           \
	    f->store.lost)                                                    \
	X(cohort_backup_last_timestamp_seconds, gauge,                        \
	    "When the newest backup in backup.to was made; 0: there is none.", \
	    (double)f->store.backup.last / 1e3)                               \
	X(cohort_backup_log_timestamp_seconds, gauge,                         \
	    "What was committed until then is in the shipped log; 0: none is.", \
	    (double)f->store.backup.logged / 1e3)                             \
	X(cohort_backup_made_total, counter, "Backups made by this process.", \
	    f->store.backup.made)                                             \
	X(cohort_backup_failures_total, counter,                              \
	    "Backups, or appends to the shipped log, that failed.",           \
	    f->store.backup.failures)                                         \
	X(cohort_backup_gaps_total, counter,                                  \
	    "Gaps in the shipped log: the folder was slower than the commits.", \
	    f->store.backup.gaps)                                             \
	X(cohort_workers_live, gauge, "Workers that are registered.",         \
	    f->workers.live)                                                  \
	X(cohort_worker_polls, gauge, "Polls of workers that wait.",          \
	    f->workers.polls)                                                 \
	X(cohort_worker_free_runs, gauge, "Free slots for runs of those.",    \
	    f->workers.free_run)                                              \
	X(cohort_worker_free_nodes, gauge, "Free slots for nodes and tools of those.", \
	    f->workers.free_node)                                             \
	X(cohort_worker_tasks_waiting, gauge, "Tasks that wait for a worker.", \
	    f->workers.waiting)                                               \
	X(cohort_worker_tasks_leased, gauge, "Tasks that a worker has.",      \
	    f->workers.leases)                                                \
	X(cohort_worker_tasks_total, counter, "Attempts offered to workers.", \
	    f->workers.offers)                                                \
	X(cohort_worker_lost_total, counter,                                  \
	    "Tasks taken away from a worker that was silent or left.",        \
	    f->workers.lost)                                                  \
	X(cohort_worker_calls_total, counter, "Requests about tasks.",        \
	    f->workers.calls)                                                 \
	X(cohort_worker_refused_total, counter,                               \
	    "Those about tasks that were not the worker's any more.",         \
	    f->workers.conflicts)                                             \
	X(cohort_worker_events_total, counter, "Events that workers told.",   \
	    f->workers.events)                                                \
	X(cohort_worker_polls_total, counter, "Polls of workers.",            \
	    f->workers.poll_waits)                                            \
	X(cohort_wasm_hosts, gauge, "Host processes of guests.", f->guests.pool.hosts) \
	X(cohort_wasm_hosts_lost_total, counter,                              \
	    "Instances that were lost with their host process.",              \
	    f->guests.pool.lost)                                              \
	X(cohort_wasm_instances, gauge, "Guests in them.", f->guests.pool.instances) \
	X(cohort_wasm_quarantined, gauge, "Of those, in the quarantine.",     \
	    f->guests.pool.quarantined)                                       \
	X(cohort_wasm_moved_total, counter,                                   \
	    "Guests that moved to another host process.", f->guests.pool.moved) \
	X(cohort_wasm_calls_total, counter, "Messages that guests were given.", \
	    f->guests.pool.calls)                                             \
	X(cohort_wasm_cpu_seconds_total, counter, "CPU time of those calls.", \
	    (double)f->guests.pool.cpu / 1e9)                                 \
	X(cohort_wasm_fuel_total, counter, "Fuel of those calls.",            \
	    f->guests.pool.fuel)                                              \
	X(cohort_wasm_agents, gauge, "Agents that are guests.",               \
	    f->guests.agents.agents)                                          \
	X(cohort_wasm_handled_total, counter, "Letters that they have handled.", \
	    f->guests.agents.handled)                                         \
	X(cohort_wasm_failed_total, counter, "Tries that failed.",            \
	    f->guests.agents.failed)                                          \
	X(cohort_wasm_saved_total, counter, "Images of durable ones that were written.", \
	    f->guests.agents.saved)                                           \
	X(cohort_wasm_restored_total, counter,                                \
	    "Instances that began with such an image.", f->guests.agents.restored) \
	X(cohort_wasm_reloaded_total, counter,                                \
	    "Agents that another version has taken over.",                    \
	    f->guests.agents.reloaded)                                        \
	X(cohort_cluster_node, gauge,                                         \
	    "Number of this node in its cluster; 0: it is alone, -1: it has lost its lease.", \
	    f->node.node)                                                     \
	X(cohort_cluster_nodes, gauge, "Other nodes that live.", f->node.others) \
	X(cohort_cluster_lease_left_seconds, gauge,                           \
	    "Until this node counts itself as lost.", (double)f->node.left / 1000) \
	X(cohort_cluster_beats_total, counter, "Renewals of the lease.", f->node.beats) \
	X(cohort_cluster_beats_failed_total, counter, "Those that failed.",   \
	    f->node.beats_failed)                                             \
	X(cohort_cluster_lost_total, counter, "Leases that this process lost.", \
	    f->node.lost)                                                     \
	X(cohort_cluster_taken_threads_total, counter,                        \
	    "Threads taken over from other nodes.", f->node.took_threads)     \
	X(cohort_bus_up, gauge, "1: connected to NATS.", f->bus.up)           \
	X(cohort_bus_lag_seconds, gauge,                                      \
	    "Of a message from this node through NATS to itself; -1: NATS is away.", \
	    f->bus_lag < 0 ? -1 : (double)f->bus_lag / 1e9)                   \
	X(cohort_bus_connects_total, counter, "Connections to NATS made.", f->bus.connects) \
	X(cohort_bus_sent_total, counter, "Messages to other nodes.", f->bus.sent) \
	X(cohort_bus_sent_bytes_total, counter, "Their bytes.", f->bus.sent_bytes) \
	X(cohort_bus_received_total, counter, "Messages of other nodes.", f->bus.heard) \
	X(cohort_bus_received_bytes_total, counter, "Their bytes.", f->bus.heard_bytes) \
	X(cohort_bus_dropped_total, counter,                                  \
	    "Messages that a shard was too slow for; it is told and asks again.", \
	    f->bus.dropped)                                                   \
	X(cohort_bus_refused_total, counter,                                  \
	    "Messages not sent: NATS was away, or too much waited.", f->bus.refused) \
	X(cohort_bus_waiting_bytes, gauge, "Bytes that wait to be sent.",     \
	    f->bus.waiting_bytes)                                             \
	X(process_resident_memory_bytes, gauge, "Resident memory.",           \
	    mem_resident())                                                   \
	X(process_cpu_seconds_total, counter, "User and system CPU time.",    \
	    (double)clock_cpu() / 1e9)                                        \
	X(process_open_fds, gauge, "Open file descriptors.", files_open())

/* The series of each route, with the label route, as in "GET /threads/{id}". */
#define ROUTE_SERIES_MAP(X)                                                   \
	/* name, kind, more labels, meaning, what adds a route's lines */     \
	X(cohort_http_requests_total, counter, "`class`: 1xx to 5xx",         \
	    "Requests answered, by route and status class.", add_requests)    \
	X(cohort_http_request_seconds, histogram, "`le`",                     \
	    "From the request's first byte to its answer's last.", add_latency)

/* Why guests were stopped: the label `reason`. */
#define TRAPS_NAME "cohort_wasm_traps_total"
#define TRAPS_HELP "Calls of guests that were stopped."
static const char *const trap_reasons[] = {
#define X(name, text) #name,
	WASM_TRAP_MAP(X)
#undef X
};

static void
add_head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_add_fmt(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
add_one(struct buf *b, const char *name, const char *type, const char *help,
    double value)
{
	add_head(b, name, type, help);
	buf_add_fmt(b, "%s %.15g\n", name, value);
}

/* Sums over the shards. */
static void
route_sum(const struct api_shared *sh, size_t route, struct metrics_route *sum)
{
	for (unsigned s = 0; s < sh->o.shards; s++) {
		const struct metrics_route *m;

		if (sh->at[s] == NULL)
			continue;
		m = &sh->at[s]->metrics.route[route];
		for (size_t i = 0; i < METRICS_CLASSES; i++)
			metrics_add(&sum->by_class[i], load(&m->by_class[i]));
		for (size_t i = 0; i <= METRICS_BUCKETS; i++)
			metrics_add(&sum->bucket[i], load(&m->bucket[i]));
		metrics_add(&sum->sum_us, load(&m->sum_us));
	}
}

static uint64_t
requests_of(const struct metrics_route *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i < METRICS_CLASSES; i++)
		n += load(&m->by_class[i]);
	return n;
}

static void
add_label(struct buf *b, size_t route)
{
	if (route < routes_n)
		buf_add_fmt(b, "route=\"%s %s\"", routes[route].method,
		    routes[route].path);
	else
		buf_lit(b, "route=\"none\"");
}

static void
add_requests(struct buf *b, size_t route, const struct metrics_route *m)
{
	for (size_t i = 0; i < METRICS_CLASSES; i++) {
		if (load(&m->by_class[i]) == 0)
			continue;
		buf_lit(b, "cohort_http_requests_total{");
		add_label(b, route);
		buf_add_fmt(b, ",class=\"%zuxx\"} %llu\n", i + 1,
		    (unsigned long long)load(&m->by_class[i]));
	}
}

static void
add_latency(struct buf *b, size_t route, const struct metrics_route *m)
{
	uint64_t n = 0;

	for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
		n += load(&m->bucket[i]);
		buf_lit(b, "cohort_http_request_seconds_bucket{");
		add_label(b, route);
		if (i < METRICS_BUCKETS)
			buf_add_fmt(b, ",le=\"%g\"} %llu\n",
			    metrics_bounds_us[i] / 1e6, (unsigned long long)n);
		else
			buf_add_fmt(b, ",le=\"+Inf\"} %llu\n", (unsigned long long)n);
	}
	buf_lit(b, "cohort_http_request_seconds_sum{");
	add_label(b, route);
	buf_add_fmt(b, "} %.6f\n", (double)load(&m->sum_us) / 1e6);
	buf_lit(b, "cohort_http_request_seconds_count{");
	add_label(b, route);
	buf_add_fmt(b, "} %llu\n", (unsigned long long)n);
}

static void
add_routes(struct buf *b, const struct api_shared *sh, const char *name,
    const char *kind, const char *help,
    void (*add)(struct buf *, size_t, const struct metrics_route *))
{
	add_head(b, name, kind, help);
	for (size_t i = 0; i < METRICS_ROUTES; i++) {
		struct metrics_route sum = { 0 };

		route_sum(sh, i, &sum);
		if (requests_of(&sum) > 0)
			add(b, i, &sum);
	}
}

static void
read_runs(const struct api_shared *sh, struct reading *f)
{
	for (unsigned s = 0; s < sh->o.shards; s++) {
		struct runs_stats one = { 0 };

		if (sh->at[s] == NULL)
			continue;
		if (sh->at[s]->relay != NULL)
			relay_stats_add(&f->relay, sh->at[s]->relay);
		runs_stats(sh->at[s]->runs, &one);
		hooks_stats(sh->at[s]->runs, &f->hooks);
		f->runs.live += one.live;
		f->runs.pending += one.pending;
		f->runs.started += one.started;
		f->runs.finished += one.finished;
		f->runs.failed += one.failed;
		f->runs.events += one.events;
		f->runs.calls += one.calls;
		f->runs.tokens_in += one.tokens_in;
		f->runs.tokens_out += one.tokens_out;
		f->runs.cost_nano += one.cost_nano;
		if (sh->at[s]->guests != NULL)
			wasm_figures_add(&f->guests, sh->at[s]->guests);
		f->bytes_out += load(&sh->at[s]->metrics.bytes_out);
		f->watchers += atomic_load_explicit(&sh->at[s]->metrics.watchers,
		    memory_order_relaxed);
	}
}

static void
add_traps(struct buf *b, const struct reading *f)
{
	add_head(b, TRAPS_NAME, "counter", TRAPS_HELP);
	for (size_t i = WASM_TRAP_NONE + 1; i < WASM_TRAPS; i++) {
		buf_lit(b, TRAPS_NAME "{reason=\"");
		for (const char *c = trap_reasons[i]; *c != '\0'; c++)
			buf_add_char(b, *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
		buf_add_fmt(b, "\"} %llu\n", (unsigned long long)f->guests.pool.traps[i]);
	}
}

static void
add_series(struct buf *b, const struct reading *f)
{
#define X(name, kind, help, value) add_one(b, #name, #kind, help, (double)(value));
	SERIES_MAP(X)
#undef X
}

int
api_system_metrics(struct call *c)
{
	struct api_shared *sh = c->api->shared;
	struct buf *b = call_out(c);
	struct reading f = { 0 };

#define X(name, kind, labels, help, add) add_routes(b, sh, #name, #kind, help, add);
	ROUTE_SERIES_MAP(X)
#undef X
	read_runs(sh, &f);
	store_stats(sh->o.store, &f.store);
	offices_stats(sh->o.offices, &f.mail);
	workers_figures(sh->o.workers, &f.workers);
	if (sh->o.cluster != NULL)
		cluster_stats(sh->o.cluster, &f.node);
	if (sh->o.bus != NULL)
		bus_stats(sh->o.bus, &f.bus);
	f.bus_lag = sh->o.lag != NULL ? bus_lag(sh->o.lag) : -1;
	client_pool(&f.pool);
	trace_stats(&f.traces);
	add_traps(b, &f);
	add_series(b, &f);
	call_reply(c, 200, S("text/plain; version=0.0.4; charset=utf-8"), STR_NONE,
	    buf_str(b));
	return OK;
}

void
api_add_metrics_markdown(struct buf *b)
{
	buf_lit(b, "| series | kind | labels | meaning |\n|---|---|---|---|\n");
#define X(name, kind, labels, help, add)                                      \
	buf_lit(b, "| `" #name "` | " #kind " | `route`, " labels " | " help " |\n");
	ROUTE_SERIES_MAP(X)
#undef X
	buf_lit(b, "| `" TRAPS_NAME "` | counter | `reason` | " TRAPS_HELP " |\n");
#define X(name, kind, help, value)                                            \
	buf_lit(b, "| `" #name "` | " #kind " | | " help " |\n");
	SERIES_MAP(X)
#undef X
}
