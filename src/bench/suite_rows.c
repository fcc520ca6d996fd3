/*
 * suite_rows.c - the rows of the suite; suite.h tells how to add one.
 *
 * B1 to B27 are the list of `bench caxton`.  A row without words is not built; it
 * is shown as not measured.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/suite.h"

#define A_MODEL  "a model's own work, a network, other programs"

/* What every arm of `bench sessions` is judged by. */
#define SESSION_METRICS                                                      \
	{ { "latency_infl", "x", DOWN, 0, 0, 0 },                             \
	    { "latency_infl_p99", "x", DOWN, 0, 0, 0 },                       \
	    { "cpu_ms_per_turn", "ms", DOWN, 0, 0, 0 },                       \
	    { "marginal_rss_kb", "KB", DOWN, 0, 0, 0 },                       \
	    { "errors", "", COUNTED, 0, 0, 0 } }

#define SESSION_ROW(name, what, yes, no)                                     \
	{ .id = "sessions-" name, .title = what, .group = SUITE_SCALABILITY,  \
	    .words = "sessions --arm " name,                                  \
	    .quick = "--concurrency 200 --turns 3 --ttft 50 --tokens 20",     \
	    .full = "--concurrency 4000", .measures = yes, .not_measures = no, \
	    .metric = SESSION_METRICS, .seconds = 40 }

#define NOT_BUILT(name, what, of_group)                                      \
	{ .id = name, .title = what, .group = SUITE_##of_group }

const struct workload suite_rows[] = {
	{ .id = "B1", .title = "one-way throughput", .group = SUITE_THROUGHPUT,
	    .words = "messages", .quick = "--duration 200ms", .full = "--duration 5s",
	    .measures = "sending, mailbox and delivery of packed messages between agents of "
	    "one shard: one to one, many to many, to one, to all; 64 B to 32 KB; batches.",
	    .not_measures = "reading and writing of their text, other shards, durability, "
	    "sockets.",
	    .metric = { { "messages_per_s", "/s", UP, 5e6, CORE_THROUGHPUT, 0 },
		{ "any_to_any_100k_per_s", "/s", UP, 0, 0, 0 },
		{ "any_to_one_per_s", "/s", UP, 0, 0, 0 },
		{ "one_to_all_1kb_per_s", "/s", UP, 2e6, 0, 0 },
		{ "messages_cpu_ns", "ns", DOWN, 0, 0, 0 } },
	    .seconds = 60 },
	NOT_BUILT("B2", "task pool: 10 agents, 1,000 tasks in flight", THROUGHPUT),
	NOT_BUILT("B3", "request and reply", LATENCY),
	NOT_BUILT("B4", "agent response time", LATENCY),
	NOT_BUILT("B5", "horizontal scaling: 1 to 1,000,000 agents", SCALABILITY),
	{ .id = "B6", .title = "load test at a rate", .group = SUITE_SCALABILITY,
	    .words = "load --own-server", .quick = "--rate 50 --duration 3s --ramp-up 1s",
	    .full = "--rate 200 --duration 60s --ramp-up 10s",
	    .measures = "stateless runs over HTTP that come at a rate, each from the moment "
	    "it was due; the mock model takes 10 ms.", .not_measures = "messages, a network.",
	    .metric = { { "run_p99_ms", "ms", DOWN, 0, 0, 0 },
		{ "run_p50_ms", "ms", DOWN, 0, 0, 0 },
		{ "http_reqs_per_s", "/s", COUNTED, 0, 0, 0 },
		{ "server_cpu_ms_per_sequence", "ms", DOWN, 0, 0, 0 },
		{ "http_errors", "", COUNTED, 0, 0, 0 } },
	    .seconds = 75 },
	NOT_BUILT("B7", "memory of an agent: creation, messages, checkpoint", RESOURCES),
	NOT_BUILT("B8", "checkpoint and restore", RESOURCES),
	NOT_BUILT("B9", "CPU: idle, messages, spawns", RESOURCES),
	NOT_BUILT("B10", "WebAssembly against native code", RESOURCES),
	NOT_BUILT("B11", "WebAssembly memory limits", RESOURCES),
	NOT_BUILT("B12", "an endless loop in WebAssembly is stopped", RESILIENCE),
	{ .id = "B13", .title = "regression detector", .group = SUITE_RESILIENCE,
	    .words = "detector", .quick = "--trials 1", .full = NULL,
	    .measures = "whether `bench compare` finds a slowdown of 15 % beside a busy "
	    "process, and none between equal builds.",
	    .not_measures = "slowdowns that a workload does not show.",
	    .metric = { { "found_share", "", UP, 0.95, 0, 0 },
		{ "false_alarm_share", "", DOWN, 0.05, 0, 0 } },
	    .seconds = 1200 },
	NOT_BUILT("B14", "peak: 1,000 agents, 100,000 messages/s", SCALABILITY),
	NOT_BUILT("B15", "sustained: 100 agents, 10,000 messages/s", RESOURCES),
	NOT_BUILT("B16", "burst: 1,000 to 50,000/s", RESILIENCE),
	NOT_BUILT("B17", "batches: size against delay", THROUGHPUT),
	NOT_BUILT("B18", "copies and allocations per message", RESOURCES),
	NOT_BUILT("B22", "recovery after kill -9", RESILIENCE),
	NOT_BUILT("B23", "books: stopped agent, full mailbox, slow consumer", RESILIENCE),
	NOT_BUILT("B24", "capability lookup with 10 to 10,000 agents", SCALABILITY),
	NOT_BUILT("B25", "serialisation: JSON against binary framing", THROUGHPUT),
	NOT_BUILT("B26", "hot reload under load", RESILIENCE),
	NOT_BUILT("B27", "contract net: 1 manager, 1 to 1,000 bidders", SCALABILITY),

	{ .id = "floor", .title = "what this machine gives", .group = SUITE_RESOURCES,
	    .words = "floor", .quick = "--duration 200ms", .full = "--duration 2s",
	    .measures = "one thread's rate through a ring and of copies, a wake-up, a commit: "
	    "bounds of all others.", .not_measures = "anything of the engine.",
	    .metric = { { "queue_per_s", "/s", UP, 0, 0, 0 },
		{ "memcpy_gb_s", "GB/s", UP, 0, 0, 0 }, { "wakeup_us", "us", DOWN, 0, 0, 0 },
		{ "commit_us", "us", DOWN, 0, 0, 0 } },
	    .seconds = 8 },
	SESSION_ROW("chart-mem", "sessions of the engine, store in memory",
	    "the engine in process: charts, runs, a streaming model.", "HTTP, disk, " A_MODEL "."),
	SESSION_ROW("chart-ckpt", "sessions of the engine, on disk",
	    "the engine in process with an SQLite file, synchronous FULL.", "HTTP, " A_MODEL "."),
	SESSION_ROW("hand", "sessions of a bare loop",
	    "what timers and counting alone cost: the floor of the others.",
	    "an engine, storage, " A_MODEL "."),
	SESSION_ROW("http", "sessions through the whole server",
	    "the server, its file and its streams over loopback.", A_MODEL "."),
	{ .id = "streams", .title = "streams at once", .group = SUITE_SCALABILITY,
	    .words = "streams --own-server", .quick = "--concurrency 100 --rounds 2",
	    .full = "--concurrency 2000 --rounds 3", .measures = "streamed runs that are open "
	    "at the same time, against the time of the model alone: 200 ms and 5 ms a token.",
	    .not_measures = "arrivals over time, a network, " A_MODEL ".",
	    .metric = { { "inflation_p50", "x", DOWN, 0, 0, 0 },
		{ "inflation_p99", "x", DOWN, 0, 0, 0 },
		{ "first_words_inflation_p50", "x", DOWN, 0, 0, 0 },
		{ "server_cpu_ms_per_stream", "ms", DOWN, 0, 0, 0 },
		{ "server_peak_rss_mb", "MB", DOWN, 0, 0, 0 },
		{ "errors", "", COUNTED, 0, 0, 0 } },
	    .seconds = 30 },
	{ .id = "flow", .title = "the agent flow", .group = SUITE_LATENCY,
	    .words = "flow --own-server", .quick = "--vus 5 --duration 3s",
	    .full = "--profile default", .measures = "the twelve requests of an agent's life "
	    "over HTTP, by users who wait for each answer; the mock model takes 10 ms, and "
	    "5 ms a token.", .not_measures = "a given rate, a network, " A_MODEL ".",
	    .metric = { { "agent_flow_duration_p50_ms", "ms", DOWN, 0, 0, 0 },
		{ "agent_flow_duration_p99_ms", "ms", DOWN, 0, 0, 0 },
		{ "flows_per_s", "/s", UP, 0, 0, 0 },
		{ "server_cpu_ms_per_flow", "ms", DOWN, 0, 0, 0 },
		{ "server_peak_rss_mb", "MB", DOWN, 0, 0, 0 },
		{ "http_errors", "", COUNTED, 0, 0, 0 } },
	    .seconds = 100 },
	{ .id = "work", .title = "the work tracker", .group = SUITE_LATENCY,
	    .words = "work", .quick = "--quick --only S1,B1,B3,B4", .full = NULL,
	    .measures = "the tracker's daemon over its socket; changes are on disk when "
	    "they are answered.", .not_measures = "git, many checkouts.",
	    .metric = { { "b1_create_daemon_p50_ms", "ms", DOWN, 0, 0, 0 },
		{ "b1_create_daemon_p99_ms", "ms", DOWN, 0, 0, 0 },
		{ "b3_list_daemon_p50_ms", "ms", DOWN, 0, 0, 0 },
		{ "b4_ping_p50_ms", "ms", DOWN, 0, 0, 0 },
		{ "s1_pipelined_creates_per_s", "/s", UP, 0, 0, 0 } },
	    .seconds = 180 },
};
const size_t suite_rows_n = COUNT(suite_rows);
