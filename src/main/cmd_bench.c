/*
 * cmd_bench.c - the commands that measure: each reads its command line with
 * the bench room's table and hands it over.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/agents.h"
#include "bench/all.h"
#include "bench/cluster.h"
#include "bench/detector.h"
#include "bench/floor.h"
#include "bench/flow.h"
#include "bench/messages.h"
#include "bench/mock_llm.h"
#include "bench/ramp.h"
#include "bench/recover.h"
#include "bench/scenario.h"
#include "bench/sessions.h"
#include "bench/streams.h"
#include "bench/wasm.h"
#include "bench/watch.h"
#include "bench/work.h"
#include "main/cmd.h"

/* Words of "bench flow" and of the program before the options. */
#define WORDS_BEFORE 3

/* The options of cmd's table; OK, or the exit code of a wrong command line. */
static int
options_read(const struct flag_command *cmd, void *o, int argc, char **argv)
{
	struct err e = { 0 };
	int rc = flags_default(cmd->own, o, &e);

	if (rc == OK)
		rc = flags_fill(cmd->own, o, argc, argv, &e);
	return rc < 0 ? command_usage_error(cmd->name, &e) : OK;
}

/* The room's exit code; below 0 an error, which is printed. */
static int
finish(const struct flag_command *cmd, int code, const struct err *e)
{
	if (code >= 0)
		return code;
	fprintf(stderr, "cohort %s: %s\n", cmd->name, e->text);
	return 1;
}

int
cmd_mock_llm(const struct flag_command *cmd, int argc, char **argv)
{
	struct mock_llm_options o = { .ttft_ms = -1 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	setenv("UV_THREADPOOL_SIZE", "2", 0);
	return code != OK ? code : finish(cmd, mock_llm_run(&o, &e), &e);
}

/* The report shows the whole command line. */
#define LINE argc + WORDS_BEFORE, argv - WORDS_BEFORE

/* Are there flags of the measuring rules?  Then the workload runs as a process, once
 * or more, and what it said is put together. */
static bool
has_rules(const struct flag_command *cmd, const struct flag_line *l)
{
	for (size_t i = 0; i < l->given_n; i++)
		if (flags_has(cmd->common, l->given[i].flag))
			return true;
	return false;
}

/* True: *code is the exit code. */
static bool
measured(const struct flag_command *cmd, int argc, char **argv, int *code)
{
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e = { 0 };
	int rc = line_parse(&l, cmd, argc, argv, &a, &e);
	bool rules = rc == OK && has_rules(cmd, &l);

	if (rc < 0)
		*code = command_usage_error(cmd->name, &e);
	else if (rules)
		*code = finish(cmd, bench_measure(cmd->name, &l, cmd->own, LINE, &e), &e);
	arena_release(&a);
	return rc < 0 || rules;
}

/* A workload: its options are struct OPTIONS, and it is run by bench_NAME. */
#define WORKLOAD(name, options)                                               \
	int                                                                   \
	cmd_bench_##name(const struct flag_command *cmd, int argc, char **argv) \
	{                                                                     \
		struct options o = { 0 };                                     \
		struct err e;                                                 \
		int code;                                                     \
									      \
		if (measured(cmd, argc, argv, &code))                         \
			return code;                                          \
		code = options_read(cmd, &o, argc, argv);                     \
		return code != OK ? code :                                    \
		    finish(cmd, bench_##name(&o, LINE, &e), &e);              \
	}

WORKLOAD(cluster, bench_cluster_options)
WORKLOAD(messages, messages_options)
WORKLOAD(floor, floor_options)
WORKLOAD(detector, detector_options)
WORKLOAD(flow, flow_options)
WORKLOAD(load, scenario_options)
WORKLOAD(streams, streams_options)
WORKLOAD(ramp, ramp_options)
WORKLOAD(recover, recover_options)
WORKLOAD(sessions, sessions_options)
WORKLOAD(agents, agents_options)
WORKLOAD(wasm, wasm_bench_options)
WORKLOAD(work, bench_work_options)

/* ---- the suite ------------------------------------------------------------------- */

static int
run_group(const struct flag_command *cmd, enum suite_group group, int argc, char **argv)
{
	struct suite_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_suite(cmd->name + sizeof "bench " - 1,
	    group, &o, LINE, &e), &e);
}

#define GROUP(name, group)                                                    \
	int                                                                   \
	cmd_bench_##name(const struct flag_command *cmd, int argc, char **argv) \
	{                                                                     \
		return run_group(cmd, group, argc, argv);                     \
	}

GROUP(all, SUITE_GROUPS)
GROUP(throughput, SUITE_THROUGHPUT)
GROUP(latency, SUITE_LATENCY)
GROUP(scalability, SUITE_SCALABILITY)
GROUP(resources, SUITE_RESOURCES)
GROUP(resilience, SUITE_RESILIENCE)

int
cmd_bench_caxton(const struct flag_command *cmd, int argc, char **argv)
{
	struct suite_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_caxton(&o, LINE, &e), &e);
}

int
cmd_bench_watch(const struct flag_command *cmd, int argc, char **argv)
{
	struct watch_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_watch(&o, &e), &e);
}

/* Options and operands; OK, or the exit code of a wrong command line. */
static int
line_read(const struct flag_command *cmd, void *o, int argc, char **argv, struct arena *a,
    struct flag_line *l)
{
	struct err e = { 0 };
	int rc = flags_default(cmd->own, o, &e);

	if (rc == OK)
		rc = line_parse(l, cmd, argc, argv, a, &e);
	if (rc == OK)
		rc = flags_store(cmd->own, l, o, &e);
	return rc < 0 ? command_usage_error(cmd->name, &e) : OK;
}

int
cmd_bench_scenario(const struct flag_command *cmd, int argc, char **argv)
{
	struct scenario_options o = { 0 };
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e;
	int code;

	if (measured(cmd, argc, argv, &code))
		return code;
	code = line_read(cmd, &o, argc, argv, &a, &l);
	if (code == OK && !o.keys && l.operands_n == 0) {
		err_set(&e, ERR_INVALID, "expected FILE, a scenario");
		code = command_usage_error(cmd->name, &e);
	} else if (code == OK) {
		code = finish(cmd, bench_scenario(&o, l.operands_n > 0 ? l.operand[0].p : NULL,
		    LINE, &e), &e);
	}
	arena_release(&a);
	return code;
}

int
cmd_bench_compare(const struct flag_command *cmd, int argc, char **argv)
{
	struct compare_options o = { 0 };
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e;
	int code = line_read(cmd, &o, argc, argv, &a, &l);

	if (code == OK)
		code = finish(cmd, bench_compare(l.operand[0].p, l.operands_n > 1 ?
		    l.operand[1].p : NULL, &o, LINE, &e), &e);
	arena_release(&a);
	return code;
}

int
cmd_bench_report(const struct flag_command *cmd, int argc, char **argv)
{
	struct report_options o = { 0 };
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e;
	int code = line_read(cmd, &o, argc, argv, &a, &l);

	if (code == OK)
		code = finish(cmd, bench_report(l.operand, l.operands_n, &o, &e), &e);
	arena_release(&a);
	return code;
}

int
cmd_bench_history(const struct flag_command *cmd, int argc, char **argv)
{
	struct history_options o = { 0 };
	struct arena a = ARENA(LINE_BYTES);
	struct flag_line l;
	struct err e;
	int code = line_read(cmd, &o, argc, argv, &a, &l);

	if (code == OK)
		code = finish(cmd, bench_history(l.operand[0].p, &o, &e), &e);
	arena_release(&a);
	return code;
}

void
cmd_mock_llm_add_more(struct buf *b)
{
	buf_lit(b, "A request's last user message may ask for a fault:\n\n");
	mock_llm_faults_help(b);
}

void
cmd_bench_scenario_add_more(struct buf *b)
{
	buf_lit(b, "a scenario's keys (docs/benchmarking.md explains them):\n\n");
	bench_scenario_add_keys(b);
}

void
cmd_bench_sessions_add_more(struct buf *b)
{
	buf_lit(b, "arms:\n\n");
	bench_sessions_add_arms(b);
}

void
cmd_bench_agents_add_more(struct buf *b)
{
	buf_lit(b, "parts:\n\n");
	bench_agents_add_parts(b);
}

/* Where who works with modules looks for it. */
int
cmd_wasm_bench(const struct flag_command *cmd, int argc, char **argv)
{
	return cmd_bench_wasm(cmd, argc, argv);
}

void
cmd_bench_wasm_add_more(struct buf *b)
{
	buf_lit(b, "parts:\n\n");
	bench_wasm_add_parts(b);
}

void
cmd_bench_work_add_more(struct buf *b)
{
	buf_lit(b, "workloads:\n\n");
	bench_work_add_workloads(b);
}
