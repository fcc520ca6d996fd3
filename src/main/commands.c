/*
 * commands.c - the table of cohortd's commands, and help made from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

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
#include "main/config.h"
#include "main/explain.h"
#include "workcli/cli.h"

#define SETTINGS_DETAIL "Each setting is also COHORT_A_B in the environment and a.b " \
	"in cohort.yaml; a flag wins over the environment, and that over the file.  A "\
	"langgraph.json sets what its keys stand for here, over cohort.yaml; a key that "\
	"cannot be honoured is an error."

static const char *const shells[] = { "bash", "zsh", "fish", NULL };

static const struct flag help_flags[] = {
	{ "man", .help = "print the manual page of all commands; --man settings: of cohort.yaml" },
	{ "completion", .kind = FLAG_TEXT, .value = "SHELL",
	    .words = shells,
	    .help = "print what bash, zsh or fish completes" },
	{ NULL }
};

enum {
#define X(function, name, arguments, summary) COMMAND_##function,
	COMMAND_MAP(X)
#undef X
	COMMANDS
};

static int (*const runs[])(const struct flag_command *cmd, int argc, char **argv) = {
#define X(function, name, arguments, summary) cmd_##function,
	COMMAND_MAP(X)
#undef X
};

static const struct flag_command rows[] = {
#define X(function, command, arguments, words) [COMMAND_##function] = {      \
	.name = command, .operands = arguments, .summary = words },
	COMMAND_MAP(X)
#undef X
};

/* What a row has beyond its words. */
static const struct flag_command extras[COMMANDS] = {
	[COMMAND_serve] = { .max = 1, .own = cmd_serve_flags, .detail = SETTINGS_DETAIL },
	[COMMAND_dev] = { .max = 1, .own = cmd_dev_flags, .detail = "Graphs that are code are "
	    "served by workers, and so is what a PROGRAM (.py, .js, .ts) serves by itself: child processes, started again when a file of the project "
	    "changes; what runs ends in the old ones.  TypeScript needs tsx in the project.  The "
	    "server keeps its data in .cohort/ of the project and listens on 127.0.0.1:2024.  "
	    SETTINGS_DETAIL },
	[COMMAND_new] = { .min = 1, .max = 1 },
	[COMMAND_config] = { .max = 1, .own = cmd_config_flags, .detail = SETTINGS_DETAIL },
	[COMMAND_token] = { .own = cmd_token_flags, .detail = "It is signed with the "
	    "server's secret: COHORT_JWT_SECRET in the environment, or jwt.secret in "
	    "cohort.yaml.  With --login it is fetched: the password is $COHORT_PASSWORD, or "
	    "is asked for, or is the first line of stdin." },
	[COMMAND_transcript] = { .min = 1, .max = 1, .own = cmd_transcript_flags },
	[COMMAND_replay] = { .min = 1, .max = 1, .own = cmd_replay_flags },
	[COMMAND_fork] = { .min = 1, .max = 1, .own = cmd_fork_flags },
	[COMMAND_chart_run] = { .min = 1, .max = 1, .own = cmd_chart_run_flags },
	[COMMAND_cluster_status] = { .own = cmd_cluster_flags },
	[COMMAND_usage] = { .own = cmd_usage_flags },
	[COMMAND_doctor] = { .max = 1, .own = cmd_doctor_flags, .detail = "Give it the flags and the "
	    "environment of the server.  The exit code is 0 if all is well, 1 with warnings, 2 with "
	    "errors.  " SETTINGS_DETAIL },
	[COMMAND_top] = { .own = cmd_top_flags },
	[COMMAND_workers_list] = { .own = cmd_workers_flags },
	[COMMAND_workers_show] = { .min = 1, .max = 1, .own = cmd_workers_flags },
	[COMMAND_workers_drain] = { .min = 1, .max = 1, .own = cmd_workers_flags },
	[COMMAND_workers_forget] = { .min = 1, .max = 1, .own = cmd_workers_flags,
	    .detail = "Not while a worker serves it." },
	[COMMAND_workers_log] = { .own = cmd_workers_log_flags },
	[COMMAND_runs_list] = { .own = cmd_runs_flags },
	[COMMAND_runs_show] = { .min = 2, .max = 2, .own = cmd_runs_show_flags },
	[COMMAND_runs_cancel] = { .own = cmd_runs_cancel_flags, .detail = "Says how many they "
	    "are and asks, unless --yes is given.  Runs that end meanwhile stay as they ended." },
	[COMMAND_threads_list] = { .own = cmd_threads_flags },
	[COMMAND_threads_delete] = { .min = 1, .max = -1, .own = cmd_threads_delete_flags },
	[COMMAND_threads_prune] = { .own = cmd_threads_prune_flags, .detail = "Says how many they "
	    "are and asks, unless --yes is given.  Those with a run under way stay." },
	[COMMAND_owner_export] = { .max = 1, .own = cmd_owner_export_flags, .detail = "Without "
	    "OWNER what the credentials' own owner has; with it the scope admin is needed.  Each "
	    "line is {\"kind\": \"thread\", \"value\": {...}}." },
	[COMMAND_owner_erase] = { .min = 1, .max = 1, .own = cmd_owner_erase_flags, .detail = "It "
	    "needs the scope admin, and asks, unless --yes is given.  Done again it goes on where "
	    "it was cut off.  Backups of before have him still." },
	[COMMAND_knowledge_add] = { .min = 1, .max = -1, .own = cmd_knowledge_add_flags,
	    .detail = "PATH is a file or a folder, of which all .md, .markdown, .html, .htm and "
	    ".txt are read, but hidden ones and links; - is stdin, with --name.  Documents that "
	    "have not changed are skipped.  The exit code is 1 when one could not be read." },
	[COMMAND_knowledge_list] = { .own = cmd_knowledge_list_flags },
	[COMMAND_knowledge_search] = { .min = 1, .max = 1, .own = cmd_knowledge_search_flags },
	[COMMAND_knowledge_remove] = { .min = 1, .max = -1, .own = cmd_knowledge_remove_flags },
	[COMMAND_agent_check] = { .min = 1, .max = -1 },
	[COMMAND_agent_show] = { .min = 1, .max = 1, .own = cmd_agent_show_flags },
	[COMMAND_agent_run] = { .min = 1, .max = 1, .own = cmd_agent_run_flags },
	[COMMAND_agent_test] = { .min = 1, .max = -1 },
	[COMMAND_eval_run] = { .min = 1, .max = 1, .own = cmd_eval_run_flags, .detail = "Exit "
	    "code 1: a scorer's mean is below the eval's threshold, or no case could be run.  "
	    "docs/evals.md has the format of FILE." },
	[COMMAND_eval_compare] = { .min = 1, .max = 2, .own = cmd_eval_compare_flags,
	    .detail = "Without B the newest result beside A." },
	[COMMAND_eval_case] = { .min = 1, .max = 1, .own = cmd_eval_case_flags, .detail = "The "
	    "input, the answers of people, and what the run answered as expected; by itself the "
	    "thread's last run that ended well.  What cannot be taken is refused, or told." },
	[COMMAND_eval_report] = { .min = 1, .max = -1, .own = cmd_eval_report_flags },
	[COMMAND_agent_import] = { .min = 1, .max = 1, .own = cmd_agent_import_flags,
	    .detail = "FILE is Markdown with front matter (skills beside it in "
	    "skills/NAME/SKILL.md), agents.yaml or tasks.yaml of CrewAI, a file of Docker "
	    "Agent, or a machine of XState as JSON." },
	[COMMAND_agent_hash] = { .min = 1, .max = -1, .detail = "docs/agents.md says what is "
	    "hashed, and what a server does with it." },
	[COMMAND_agent_sync] = { .min = 2, .max = 2, .own = cmd_agent_sync_flags, .detail =
	    "REPOSITORY is a path or an address, as git has them; FOLDER is what the server has as "
	    "--agents: a link that this command makes and replaces.  A commit of which an agent "
	    "does not load changes nothing; the exit code is 1 then.  Needs git." },
	[COMMAND_agent_rollback] = { .min = 1, .max = 1, .detail = "What is taken back, agent sync "
	    "does not take again before the repository has something else, or with --force." },
	[COMMAND_agent_schema] = { .own = cmd_agent_schema_flags },
	[COMMAND_agent_spawn] = { .max = 1, .own = cmd_agent_spawn_flags,
	    .detail = "GRAPH is the id of an agent's file; --kind external registers a "
	    "client, which takes none.  Prints the agent's id." },
	[COMMAND_agent_list] = { .own = cmd_agent_list_flags },
	[COMMAND_agent_stop] = { .min = 1, .max = 1, .own = cmd_agent_stop_flags },
	[COMMAND_agent_send] = { .min = 1, .max = 2, .own = cmd_agent_send_flags,
	    .detail = "AGENT is an id, a name, cap:NAME (one that can do it) or all:NAME "
	    "(everyone who can); several with commas.  CONTENT is JSON; other text is sent as a string.  Prints "
	    "the message's id." },
	[COMMAND_agent_tail] = { .min = 1, .max = 1, .own = cmd_agent_tail_flags,
	    .detail = "Durable messages are acked when they were shown." },
	[COMMAND_mail_dead] = { .min = 1, .max = 2, .own = cmd_mail_flags },
	[COMMAND_mail_conversation] = { .min = 1, .max = 1, .own = cmd_mail_flags },
	[COMMAND_models_check] = { .max = -1, .own = cmd_models_check_flags },
	[COMMAND_mock_llm] = { .own = mock_llm_flags, .more = cmd_mock_llm_add_more },
	[COMMAND_bench_flow] = { .own = bench_flow_flags, .common = bench_rule_flags },
	[COMMAND_bench_load] = { .own = bench_load_flags, .common = bench_rule_flags },
	[COMMAND_bench_scenario] = { .max = 1, .own = bench_scenario_flags,
	    .common = bench_rule_flags, .more = cmd_bench_scenario_add_more },
	[COMMAND_bench_streams] = { .own = bench_streams_flags, .common = bench_rule_flags },
	[COMMAND_bench_ramp] = { .own = bench_ramp_flags, .common = bench_rule_flags },
	[COMMAND_bench_recover] = { .own = bench_recover_flags, .common = bench_rule_flags },
	[COMMAND_bench_cluster] = { .own = bench_cluster_flags, .common = bench_rule_flags,
	    .more = bench_cluster_add_scenarios },
	[COMMAND_bench_sessions] = { .own = bench_sessions_flags,
	    .common = bench_rule_flags, .more = cmd_bench_sessions_add_more },
	[COMMAND_bench_agents] = { .own = bench_agents_flags,
	    .common = bench_rule_flags, .more = cmd_bench_agents_add_more },
	[COMMAND_bench_wasm] = { .own = bench_wasm_flags,
	    .common = bench_rule_flags, .more = cmd_bench_wasm_add_more },
	[COMMAND_bench_work] = { .own = bench_work_flags, .common = bench_rule_flags,
	    .more = cmd_bench_work_add_more },
	[COMMAND_bench_messages] = { .own = bench_messages_flags, .common = bench_rule_flags,
	    .more = bench_messages_add_cases },
	[COMMAND_bench_floor] = { .own = bench_floor_flags, .common = bench_rule_flags },
	[COMMAND_bench_detector] = { .own = bench_detector_flags, .common = bench_rule_flags },
	[COMMAND_bench_all] = { .own = bench_suite_flags, .more = bench_suite_add_list },
	[COMMAND_bench_throughput] = { .own = bench_suite_flags },
	[COMMAND_bench_latency] = { .own = bench_suite_flags },
	[COMMAND_bench_scalability] = { .own = bench_suite_flags },
	[COMMAND_bench_resources] = { .own = bench_suite_flags },
	[COMMAND_bench_resilience] = { .own = bench_suite_flags },
	[COMMAND_bench_caxton] = { .own = bench_suite_flags },
	[COMMAND_bench_compare] = { .min = 1, .max = 2, .own = bench_compare_flags,
	    .detail = "BASE and CURRENT are baselines (--save-baseline) or executables; "
	    "CURRENT is this one if it is not given." },
	[COMMAND_bench_report] = { .min = 1, .max = -1, .own = bench_report_flags,
	    .detail = "FILE is what --json of a benchmark wrote; \"-\" is standard output." },
	[COMMAND_bench_watch] = { .own = bench_watch_flags, .detail = "Alerts are high_latency, "
	    "high_error_rate and recovered. Requests whose time is a model's (stream, wait, "
	    "join) are not judged." },
	[COMMAND_bench_history] = { .min = 1, .max = 1, .own = bench_history_flags,
	    .detail = "METRIC is a key of a RESULT line, as in B1.messages_per_s, or without "
	    "the workload." },
	[COMMAND_wasm_check] = { .min = 1, .max = -1, .own = cmd_wasm_check_flags },
	[COMMAND_wasm_build] = { .min = 1, .max = -1, .own = cmd_wasm_build_flags,
	    .detail = "A server that has no compiler uses what is in its cache (wasm.cache)." },
	[COMMAND_wasm_run] = { .min = 1, .max = 1, .own = cmd_wasm_run_flags,
	    .detail = "Its store is empty and goes with the command." },
	[COMMAND_wasm_bench] = { .own = bench_wasm_flags, .common = bench_rule_flags,
	    .more = cmd_bench_wasm_add_more },
	[COMMAND_wasm_deploy] = { .min = 2, .max = 2, .own = cmd_wasm_deploy_flags,
	    .detail = "graceful: what waits is done by the old version first.  immediate: calls "
	    "under way are done again by the new one.  parallel: the new agents take over when "
	    "all have started.  split: some of the messages go to the new version, which is "
	    "judged by them." },
	[COMMAND_wasm_list] = { .own = cmd_wasm_flags },
	[COMMAND_wasm_show] = { .min = 1, .max = 1, .own = cmd_wasm_flags },
	[COMMAND_wasm_rollback] = { .min = 1, .max = 1, .own = cmd_wasm_rollback_flags },
	[COMMAND_wasm_delete] = { .min = 1, .max = 1, .own = cmd_wasm_flags },
	[COMMAND_backup] = { .own = cmd_backup_flags, .detail = "The first one in a folder is "
	    "full; those after it have what changed since." },
	[COMMAND_backup_list] = { .min = 1, .max = 1 },
	[COMMAND_backup_verify] = { .min = 1, .max = 1, .own = cmd_backup_verify_flags },
	[COMMAND_encrypt] = { .own = cmd_encrypt_flags, .detail = "The server is stopped. The key "
	    "is $COHORT_ENCRYPTION_KEY, or what that names (env:, file:, credential:); to change "
	    "it, the one of before is $COHORT_ENCRYPTION_OLD_KEY." },
	[COMMAND_migrate] = { .own = cmd_migrate_flags, .detail = "A server does the same when it "
	    "starts.  Each part is one transaction, after a copy of the file." },
	[COMMAND_restore] = { .own = cmd_restore_flags, .detail = "A file that is there is kept "
	    "as FILE.replaced." },
	[COMMAND_work] = { .max = -1, .detail = "cohort-work(1) has its commands." },
	[COMMAND_help] = { .max = 2, .own = help_flags },
};

static struct flag_command
command_at(size_t i)
{
	struct flag_command c = extras[i];

	c.name = rows[i].name;
	c.operands = rows[i].operands;
	c.summary = rows[i].summary;
	if (i == COMMAND_serve || i == COMMAND_dev || i == COMMAND_config ||
	    i == COMMAND_doctor)
		c.common = config_rows();
	return c;
}

const struct flag_commands command_table = { COMMANDS, command_at };

static bool
words_match(const char *name, int argc, char **argv, int *words)
{
	struct str rest = str_of(name), word;

	*words = 0;
	while (str_next(&rest, ' ', &word)) {
		if (*words >= argc || !str_eq(word, str_of(argv[*words])))
			return false;
		(*words)++;
	}
	return true;
}

size_t
command_find(int argc, char **argv, int *words)
{
	size_t i = 0;

	while (i < COMMANDS && !words_match(rows[i].name, argc, argv, words))
		i++;
	return i;
}

/* `-h` first, or `--help` anywhere before `--`. */
static bool
asks_for_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0)
			return true;
	return argc > 0 && strcmp(argv[0], "-h") == 0;
}

int
command_run(size_t i, int argc, char **argv)
{
	struct flag_command c = command_at(i);
	bool own = i != COMMAND_work && argc > 0;        /* -h is ours */
	struct buf b = BUF(64 * KB);

	if (own && (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-v") == 0))
		return cmd_version(&c, 0, NULL);
	if (!own || !asks_for_help(argc, argv))
		return runs[i](&c, argc, argv);
	flags_add_command(&b, "cohort", &c);
	fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
	return 0;
}

bool
command_take_flag(int *argc, char **argv, const char *flag)
{
	for (int i = 0; i < *argc; i++) {
		if (strcmp(argv[i], flag) != 0)
			continue;
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
		--*argc;
		return true;
	}
	return false;
}

int
command_usage_error(const char *command, const struct err *e)
{
	fprintf(stderr, "cohort %s: %s\nTry 'cohort help %s'.\n", command, e->text,
	    command);
	return EXIT_USAGE;
}

int
cmd_version(const struct flag_command *cmd, int argc, char **argv)
{
	(void)cmd, (void)argc, (void)argv;
	printf("cohort " COHORT_VERSION "\n");
	return 0;
}

/* ---- help -------------------------------------------------------------------- */

static int
add_man(struct buf *b, struct str of, struct err *e)
{
	if (str_eq(of, S("settings"))) {
		explain_add_settings_man(b);
		return OK;
	}
	if (of.n > 0)
		return err_set(e, ERR_INVALID, "--man is of all commands, or of settings; not of \"%.*s\"",
		    FMT(of));
	buf_lit(b, ".TH COHORT 1 \"\" \"cohort " COHORT_VERSION "\" \"User Commands\"\n"
	    ".nh\n.ad l\n.ds AD l\n.SH NAME\ncohort \\- an agent server\n.SH SYNOPSIS\n.B cohort\n"
	    ".I command\n[flags]\n.SH COMMANDS\n");
	flags_add_man(b, &command_table);
	buf_lit(b, ".SH EXIT STATUS\n0: done. 1: an error, told on stderr. 2: a wrong "
	    "command line.\n.SH SEE ALSO\n.BR cohort\\-work (1),\n.BR cohort.yaml (5)\n");
	return OK;
}

/* Of `cohort` and of bd. */
static void
add_completion(struct buf *b, struct str shell)
{
	if (str_eq(shell, S("zsh"))) {
		explain_add_zsh(b);
		return;
	}
	if (str_eq(shell, S("fish"))) {
		explain_add_fish(b);
		return;
	}
	cli_completion(b);
	flags_add_completion(b, "_cohort_commands", &command_table, NULL);
	buf_lit(b, "_cohort()\n{\n"
	    "\tif [ $COMP_CWORD -gt 1 ] && [ \"${COMP_WORDS[1]}\" = work ]; then\n"
	    "\t\t_cohort_work\n\telse\n\t\t_cohort_commands 1\n\tfi\n}\n"
	    "complete -o default -F _cohort cohort\n");
}

static int
add_about(struct buf *b, int argc, char **argv, struct err *e)
{
	struct str first = str_of(argc > 0 ? argv[0] : "");
	struct str_near near = { .word = first };
	int words;
	size_t i = command_find(argc, argv, &words);

	if (i < COMMANDS) {
		struct flag_command c = command_at(i);

		flags_add_command(b, "cohort", &c);
		return OK;
	}
	if (argc > 0 && !flags_is_group(&command_table, first)) {
		for (i = 0; i < COMMANDS; i++)
			str_near_try(&near, rows[i].name);
		return err_near(e, ERR_INVALID, near.best, "\"",
		    "unknown command \"%.*s\"", FMT(first));
	}
	flags_add_list(b, &command_table, first);
	return OK;
}

int
cmd_help(const struct flag_command *cmd, int argc, char **argv)
{
	struct arena a = ARENA(LINE_BYTES);
	struct buf b = BUF(MB);
	struct flag_line l;
	struct err e = { 0 };
	int rc = line_parse(&l, cmd, argc, argv, &a, &e);

	if (rc == OK)
		rc = line_check_values(&l, &e);
	if (rc == OK && line_has(&l, "man"))
		rc = add_man(&b, argc > 1 ? str_of(argv[1]) : S(""), &e);
	else if (rc == OK && line_has(&l, "completion"))
		add_completion(&b, line_text(&l, "completion"));
	else if (rc == OK)
		rc = add_about(&b, argc, argv, &e);
	if (b.n > 0)
		fwrite(b.p, 1, b.n, stdout);
	buf_release(&b);
	arena_release(&a);
	if (rc < 0)
		fprintf(stderr, "cohort help: %s\n", e.text);
	return rc < 0 ? EXIT_USAGE : 0;
}
