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
#include "bench/streams.h"
#include "bench/work.h"
#include "main/cmd.h"

/* Words of "bench flow" and of the program before the options. */
#define WORDS_BEFORE 3

/* The room's exit code, or what was wrong. */
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
	struct mock_llm_options o;
	struct err e = { 0 };
	int rc;

	setenv("UV_THREADPOOL_SIZE", "2", 0);
	rc = mock_llm_options_default(&o, &e);
	if (rc == OK)
		rc = flags_fill(mock_llm_flags, &o, argc, argv, &e);
	if (rc < 0)
		return command_usage_error(cmd->name, &e);
	return finish(cmd, mock_llm_run(&o, &e), &e);
}

void
mock_llm_add_more(struct buf *b)
{
	buf_lit(b, "A request's last user message may ask for a fault:\n\n");
	mock_llm_faults_help(b);
}

int
cmd_bench_flow(const struct flag_command *cmd, int argc, char **argv)
{
	struct flow_options o;
	struct err e = { 0 };
	int rc;

	rc = flow_options_default(&o, &e);
	if (rc == OK)
		rc = flags_fill(bench_flow_flags, &o, argc, argv, &e);
	if (rc < 0)
		return command_usage_error(cmd->name, &e);
	/* The report shows the whole command line. */
	return finish(cmd, bench_flow(&o, argc + WORDS_BEFORE,
	    argv - WORDS_BEFORE, &e), &e);
}

int
cmd_bench_streams(const struct flag_command *cmd, int argc, char **argv)
{
	struct streams_options o;
	struct err e = { 0 };
	int rc;

	rc = streams_options_default(&o, &e);
	if (rc == OK)
		rc = flags_fill(bench_streams_flags, &o, argc, argv, &e);
	if (rc < 0)
		return command_usage_error(cmd->name, &e);
	return finish(cmd, bench_streams(&o, argc + WORDS_BEFORE,
	    argv - WORDS_BEFORE, &e), &e);
}

int
cmd_bench_work(const struct flag_command *cmd, int argc, char **argv)
{
	struct bench_work_options o;
	struct err e = { 0 };
	int rc;

	rc = bench_work_options_default(&o, &e);
	if (rc == OK)
		rc = flags_fill(bench_work_flags, &o, argc, argv, &e);
	if (rc < 0)
		return command_usage_error(cmd->name, &e);
	return finish(cmd, bench_work(&o, argc + WORDS_BEFORE,
	    argv - WORDS_BEFORE, &e), &e);
}

void
bench_work_add_more(struct buf *b)
{
	buf_lit(b, "workloads:\n\n");
	bench_work_add_workloads(b);
}
