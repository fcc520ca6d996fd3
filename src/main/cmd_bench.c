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
finish(const struct command *cmd, int code, const struct err *e)
{
	if (code >= 0)
		return code;
	fprintf(stderr, "cohort %s: %s\n", cmd->name, e->text);
	return 1;
}

int
cmd_mock_llm(const struct command *cmd, int argc, char **argv)
{
	struct mock_llm_options o;
	struct err e = { 0 };
	int rc;

	setenv("UV_THREADPOOL_SIZE", "2", 0);
	rc = mock_llm_options_default(&o, &e);
	if (rc == OK)
		rc = bench_options_parse(mock_llm_option_table, &o, argc, argv, &e);
	if (rc < 0)
		return cli_usage_error(cmd->name, &e);
	return finish(cmd, mock_llm_run(&o, &e), &e);
}

void
mock_llm_add_options(struct buf *b)
{
	bench_options_help(mock_llm_option_table, b);
	buf_lit(b, "\nA request's last user message may ask for a fault:\n\n");
	mock_llm_faults_help(b);
}

int
cmd_bench_flow(const struct command *cmd, int argc, char **argv)
{
	struct flow_options o;
	struct err e = { 0 };
	int rc;

	rc = flow_options_default(&o, &e);
	if (rc == OK)
		rc = bench_options_parse(flow_option_table, &o, argc, argv, &e);
	if (rc < 0)
		return cli_usage_error(cmd->name, &e);
	/* The report shows the whole command line. */
	return finish(cmd, bench_flow(&o, argc + WORDS_BEFORE,
	    argv - WORDS_BEFORE, &e), &e);
}

void
bench_flow_add_options(struct buf *b)
{
	bench_options_help(flow_option_table, b);
}

int
cmd_bench_streams(const struct command *cmd, int argc, char **argv)
{
	struct streams_options o;
	struct err e = { 0 };
	int rc;

	rc = streams_options_default(&o, &e);
	if (rc == OK)
		rc = bench_options_parse(streams_option_table, &o, argc, argv, &e);
	if (rc < 0)
		return cli_usage_error(cmd->name, &e);
	return finish(cmd, bench_streams(&o, argc + WORDS_BEFORE,
	    argv - WORDS_BEFORE, &e), &e);
}

void
bench_streams_add_options(struct buf *b)
{
	bench_options_help(streams_option_table, b);
}

int
cmd_bench_work(const struct command *cmd, int argc, char **argv)
{
	struct bench_work_options o;
	struct err e = { 0 };
	int rc;

	rc = bench_work_options_default(&o, &e);
	if (rc == OK)
		rc = bench_options_parse(bench_work_option_table, &o, argc, argv, &e);
	if (rc < 0)
		return cli_usage_error(cmd->name, &e);
	return finish(cmd, bench_work(&o, argc + WORDS_BEFORE,
	    argv - WORDS_BEFORE, &e), &e);
}

void
bench_work_add_options(struct buf *b)
{
	bench_options_help(bench_work_option_table, b);
	buf_lit(b, "\nworkloads:\n\n");
	bench_work_add_workloads(b);
}
