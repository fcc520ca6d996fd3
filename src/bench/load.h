/*
 * load.h - the common part of load drivers: options, a shard on the calling
 * thread, the driver's own CPU share and lag, the server's use of the machine,
 * the mock's count of requests, progress, and single requests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "base/flags.h"
#include "base/hist.h"
#include "bench/machine.h"
#include "bench/own.h"
#include "bench/report.h"
#include "bench/lean.h"

struct load_options {
	const char *url, *name, *token, *graph, *model, *mock_url;
	const char *thresholds, *json, *markdown;
	int64_t pid;                         /* the server's; 0: unknown */
	msec timeout;                        /* of one request */
	bool own_server;
};

/* Their common rows, for a table of a struct that begins with them. */
#define LOAD_FLAG(field) offsetof(struct load_options, field)
#define LOAD_URL "http://127.0.0.1:2024"
#define LOAD_FLAGS                                                           \
	{ "url", "RUNTIME_URL", FLAG_TEXT, LOAD_URL, "URL",                  \
	    "the server", LOAD_FLAG(url) },                                  \
	{ "token", "AUTH_TOKEN", FLAG_TEXT, NULL, "TOKEN",                   \
	    "sent as a bearer", LOAD_FLAG(token) },                          \
	{ "graph", "GRAPH_ID", FLAG_TEXT, "agent", "ID",                     \
	    "the agent to run", LOAD_FLAG(graph) },                          \
	{ "pid", NULL, FLAG_INT, NULL, "PID",                                \
	    "of the server: report its CPU and memory", LOAD_FLAG(pid), 1,   \
	    INT32_MAX }
#define LOAD_FLAG_NAME                                                       \
	{ "name", "RUNTIME_NAME", FLAG_TEXT, NULL, "NAME",                   \
	    "what to call the server; else its own name", LOAD_FLAG(name) }
#define LOAD_FLAG_OWN                                                        \
	{ "own-server", NULL, FLAG_SWITCH, NULL, NULL, "instead of --url: a " \
	    "server of this executable with an SQLite file and the mock model, " \
	    "started for the run", LOAD_FLAG(own_server) }
#define LOAD_FLAG_MODEL                                                      \
	{ "model", "MODEL_NAME", FLAG_TEXT, NULL, "NAME",                    \
	    "configurable.model_name of the runs", LOAD_FLAG(model) }
#define LOAD_FLAG_MOCK                                                       \
	{ "mock-url", "MOCK_LLM_URL", FLAG_TEXT, NULL, "URL", "compare the " \
	    "mock's count of requests with the runs that were asked for",    \
	    LOAD_FLAG(mock_url) }
#define LOAD_FLAGS_RESULT REPORT_FLAGS(LOAD_FLAG(json), LOAD_FLAG(markdown))

/* Another server under the same load. */
struct peer_options {
	const char *url, *name, *token;      /* url NULL: none */
	int64_t pid, rounds;
};

#define PEER_ROUNDS  20                      /* passes on each server at most */
#define PEER_DEFAULT 6                       /* rounds 0 */
#define PEER_FLAGS(type)                                                     \
	{ "peer", NULL, FLAG_TEXT, NULL, "URL", "another server: the same "   \
	    "load on both, in turns, and their ratios",                      \
	    offsetof(type, peer.url) },                                      \
	{ "peer-name", NULL, FLAG_TEXT, NULL, "NAME", "what to call it "      \
	    "(default: peer)", offsetof(type, peer.name) },                  \
	{ "peer-token", NULL, FLAG_TEXT, NULL, "TOKEN",                      \
	    "sent to it as a bearer", offsetof(type, peer.token) },          \
	{ "peer-pid", NULL, FLAG_INT, NULL, "PID", "of it: report its CPU",  \
	    offsetof(type, peer.pid), 1, INT32_MAX },                        \
	{ "rounds", NULL, FLAG_INT, NULL, "N", "with --peer: passes on each " \
	    "server (default: 6)", offsetof(type, peer.rounds), 1, PEER_ROUNDS }

struct load {
	const struct load_options *o;
	struct shard *shard;
	const char *label;
	/* For progress: how far (0..1), and a few words.  */
	double (*fraction)(void *ctx);
	void (*words)(void *ctx, struct buf *out);
	void *ctx;
	bool any_server;                     /* it need not answer info with 200 */
	struct lean_target target;           /* of o->url */
	struct buf headers;                  /* of every request */
	struct buf info, mock_stats;         /* JSON of the server and of the mock */
	int64_t mock_before;                 /* the mock's count of requests */

	nsec began, ended;                   /* of the measured part, or the last of them */
	struct machine_usage before, after;
	bool on;                             /* it is being measured */
	nsec wall, cpu;                      /* of all measured parts; cpu: the driver's */
	double server_cpu_s;
	int64_t peak_rss_kb, peak_threads;
	struct hist lag_us;
	struct wheel_timer beat, look;
	nsec beat_due, shown;
	bool tty;
};

/* Starts what --own-server asks for, and sets url, pid and, where every request to the
 * model is counted, mock_url; nothing without the flag.  delay_ms, token_ms: of the mock. */
int  load_own(struct load_options *o, struct own_servers *own, int64_t delay_ms,
    int64_t token_ms, bool counted, struct err *e);

/* Checks the options, and asks the server for the path info and the mock for its
 * count.  fraction, words and ctx are set before.  Release also after errors. */
int  load_open(struct load *l, const char *label, const struct load_options *o,
    struct str info, struct err *e);
/* A measured part starts now.  There may be several, one after the other. */
void load_begin(struct load *l);
void load_end(struct load *l);
/* A new shard, for another part after the last one's has stopped. */
int  load_again(struct load *l, struct err *e);
void load_release(struct load *l);

/* Wall time, the driver's CPU and lag, the server's CPU and memory, the
 * thresholds; per_unit is the unit of the server's CPU time ("flow"), units
 * their number.  Fails the report when the driver was the bottleneck, or when
 * the mock has not seen calls requests: a server that retries or caches. */
int  load_report(struct load *l, struct report *r, const char *per_unit,
    uint64_t units, uint64_t calls, struct err *e);

#endif
