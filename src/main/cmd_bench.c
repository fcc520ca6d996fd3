/*
 * cmd_bench.c - the commands that measure: each reads its command line with
 * the bench room's table and hands it over.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/flow.h"
#include "bench/mock_llm.h"
#include "bench/ramp.h"
#include "bench/sessions.h"
#include "bench/streams.h"
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

int
cmd_bench_flow(const struct flag_command *cmd, int argc, char **argv)
{
	struct flow_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_flow(&o, LINE, &e), &e);
}

int
cmd_bench_streams(const struct flag_command *cmd, int argc, char **argv)
{
	struct streams_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_streams(&o, LINE, &e), &e);
}

int
cmd_bench_ramp(const struct flag_command *cmd, int argc, char **argv)
{
	struct ramp_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_ramp(&o, LINE, &e), &e);
}

int
cmd_bench_sessions(const struct flag_command *cmd, int argc, char **argv)
{
	struct sessions_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_sessions(&o, LINE, &e), &e);
}

int
cmd_bench_work(const struct flag_command *cmd, int argc, char **argv)
{
	struct bench_work_options o = { 0 };
	struct err e;
	int code = options_read(cmd, &o, argc, argv);

	return code != OK ? code : finish(cmd, bench_work(&o, LINE, &e), &e);
}

void
cmd_mock_llm_add_more(struct buf *b)
{
	buf_lit(b, "A request's last user message may ask for a fault:\n\n");
	mock_llm_faults_help(b);
}

void
cmd_bench_sessions_add_more(struct buf *b)
{
	buf_lit(b, "arms:\n\n");
	bench_sessions_add_arms(b);
}

void
cmd_bench_work_add_more(struct buf *b)
{
	buf_lit(b, "workloads:\n\n");
	bench_work_add_workloads(b);
}
