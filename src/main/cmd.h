/*
 * cmd.h - the commands of cohortd: one file each, one table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_CMD_H
#define MAIN_CMD_H

#include "base/flags.h"
#include "main/commands.h"

/* cmd: its row, for the parser and errors.  argv: the arguments after its name.
 * Returns the exit code. */
#define X(function, name, arguments, summary)                                 \
	int cmd_##function(const struct flag_command *cmd, int argc, char **argv);
COMMAND_MAP(X)
#undef X

extern const struct flag_commands command_table;

/* The command argv begins with; *words: how many of its words it took.  Returns
 * its place in the table, command_table.n if there is none. */
size_t command_find(int argc, char **argv, int *words);
int command_run(size_t i, int argc, char **argv);

/* Prints `cohort COMMAND: text` and the hint to help; returns EXIT_USAGE. */
int command_usage_error(const char *command, const struct err *e);
/* Takes a flag without a value out of the words, which others read then; was it there? */
bool command_take_flag(int *argc, char **argv, const char *flag);

/* The file layer (store/crypt.h) of the key that a variable of the environment has, or names;
 * *layer NULL: it is not set. */
int cmd_key_layer(const char *variable, const char **layer, struct err *e);

/* cmd_work, called by a link named bd. */
int cmd_work_bd(int argc, char **argv);

/* Flags of commands, and the text after them in help. */
extern const struct flag cmd_serve_flags[], cmd_token_flags[], cmd_models_check_flags[], cmd_config_flags[],
	cmd_chart_run_flags[], cmd_agent_show_flags[], cmd_agent_sync_flags[], cmd_transcript_flags[],
	cmd_replay_flags[], cmd_fork_flags[], cmd_agent_run_flags[], cmd_agent_schema_flags[],
	cmd_agent_import_flags[], cmd_agent_spawn_flags[], cmd_agent_list_flags[],
	cmd_eval_run_flags[], cmd_eval_compare_flags[], cmd_eval_report_flags[],
	cmd_eval_case_flags[],
	cmd_dev_flags[], cmd_agent_stop_flags[], cmd_agent_send_flags[], cmd_agent_tail_flags[], cmd_mail_flags[],
	cmd_threads_flags[], cmd_threads_delete_flags[], cmd_threads_prune_flags[],
	cmd_owner_erase_flags[], cmd_owner_export_flags[], cmd_runs_flags[], cmd_runs_show_flags[], cmd_runs_cancel_flags[],
	cmd_knowledge_add_flags[], cmd_knowledge_list_flags[], cmd_knowledge_search_flags[], cmd_knowledge_remove_flags[],
	cmd_cluster_flags[], cmd_doctor_flags[], cmd_usage_flags[], cmd_top_flags[], cmd_workers_flags[], cmd_workers_log_flags[], cmd_wasm_check_flags[],
	cmd_wasm_build_flags[], cmd_wasm_run_flags[], cmd_wasm_deploy_flags[],
	cmd_wasm_flags[], cmd_wasm_rollback_flags[], cmd_backup_flags[],
	cmd_backup_verify_flags[], cmd_restore_flags[],
	cmd_migrate_flags[], cmd_encrypt_flags[];
void cmd_mock_llm_add_more(struct buf *b);
void cmd_bench_scenario_add_more(struct buf *b);
void cmd_bench_sessions_add_more(struct buf *b);
void cmd_bench_agents_add_more(struct buf *b);
void cmd_bench_wasm_add_more(struct buf *b);
void cmd_bench_work_add_more(struct buf *b);

#endif
