/*
 * commands.h - the names of the commands, known to both executables.
 *
 * The thin `cohort` needs them for help and did-you-mean; cohortd's table
 * (commands.c) adds options and functions to the same names.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MAIN_COMMANDS_H
#define MAIN_COMMANDS_H

#define COMMAND_MAP(X)                                                        \
	/* function, name, arguments, summary */                              \
	X(serve,         "serve",         "[langgraph.json]",                                 \
	    "run the agent server")                                           \
	X(dev,           "dev",           "[langgraph.json | PROGRAM]",       \
	    "run the server and the workers of a project's code, anew at each change") \
	X(new,           "new",           "NAME",                               \
	    "make a folder with what a project begins with: an agent, a test, an eval") \
	X(mock_llm,      "mock-llm",      "",                                 \
	    "run a model that answers from a script")                         \
	X(bench_flow,    "bench flow",    "",                                 \
	    "measure the agent life cycle over HTTP")                         \
	X(bench_load,    "bench load",    "",                                 \
	    "measure runs that come at a rate, second by second")             \
	X(bench_scenario, "bench scenario", "FILE",                           \
	    "load that a file describes, against any server")                 \
	X(bench_streams, "bench streams", "",                                 \
	    "measure many streaming runs at once")                            \
	X(bench_ramp,    "bench ramp",    "",                                 \
	    "measure sessions step by step, each step in a box")              \
	X(bench_recover, "bench recover", "",                                 \
	    "measure the start after kill -9, with durable messages that wait") \
	X(bench_cluster, "bench cluster", "",                                 \
	    "simulate many nodes on one PostgreSQL, and what is lost when")  \
	X(bench_sessions, "bench sessions", "",                               \
	    "measure many sessions at once in one process")                   \
	X(bench_agents, "bench agents", "",                               \
	    "measure agents in one process: latency, scale, memory, books")                 \
	X(bench_wasm, "bench wasm", "",                               \
	    "measure sandboxed agents: overhead, memory, endless loops, scale") \
	X(bench_work,    "bench work",    "",                                 \
	    "measure the work tracker, its daemon and its command line")      \
	X(bench_messages, "bench messages", "",                               \
	    "measure messages between agents of one process")                 \
	X(bench_floor,   "bench floor",   "",                                 \
	    "measure what this machine gives without an engine")              \
	X(bench_detector, "bench detector", "",                               \
	    "measure whether compare finds a slowdown, and none where none is") \
	X(bench_all,     "bench all",     "",                                 \
	    "run every workload of the suite")                                \
	X(bench_throughput, "bench throughput", "",                           \
	    "run the workloads of throughput")                                \
	X(bench_latency, "bench latency", "",                                 \
	    "run the workloads of latency")                                   \
	X(bench_scalability, "bench scalability", "",                         \
	    "run the workloads with more and more agents or sessions")        \
	X(bench_resources, "bench resources", "",                             \
	    "run the workloads of memory, CPU and allocations")               \
	X(bench_resilience, "bench resilience", "",                           \
	    "run the workloads with bursts, kills and full mailboxes")        \
	X(bench_caxton,  "bench caxton",  "",                                 \
	    "run the list B1 to B27 and grade it")                            \
	X(bench_compare, "bench compare", "BASE [CURRENT]",                   \
	    "run two builds in turns and tell whether one is slower")         \
	X(bench_report,  "bench report",  "FILE...",                          \
	    "show results as Markdown, a page, JUnit XML, Prometheus text")   \
	X(bench_history, "bench history", "METRIC",                           \
	    "show a metric over saved results")                               \
	X(bench_watch,   "bench watch",   "",                                 \
	    "watch a server in production and alert")                         \
	X(chart_run,     "chart run",     "FILE",                             \
	    "run an SCXML chart to its end")                                  \
	X(cluster_status, "cluster status", "",                               \
	    "show the nodes that share a PostgreSQL, and their leases")       \
	X(usage,         "usage",         "",                                 \
	    "report what models took: tokens and money, by owner")           \
	X(doctor,        "doctor",        "",                                 \
	    "look for what is known to go wrong: settings, files, machine")   \
	X(top,           "top",           "",                                 \
	    "show what a server does now: runs, tokens, queues")              \
	X(workers_list,  "workers list",  "",                                 \
	    "list the worker processes of a server")                          \
	X(workers_show,  "workers show",  "WORKER",                           \
	    "show one of them")                                               \
	X(workers_drain, "workers drain", "WORKER",                           \
	    "give it no more tasks: it ends those that it has, and leaves")   \
	X(workers_log,   "workers log",   "",                                 \
	    "show who tried which task, and how it ended")                    \
	X(workers_forget, "workers forget", "GRAPH",                          \
	    "end a graph that workers served: its assistant goes, its name is free") \
	X(runs_list,     "runs list",     "",                                 \
	    "list runs of all threads, newest first")                         \
	X(runs_show,     "runs show",     "THREAD RUN",                       \
	    "show one of them")                                               \
	X(runs_cancel,   "runs cancel",   "",                                 \
	    "cancel runs under way: those that the flags name, or all")       \
	X(threads_list,  "threads list",  "",                                 \
	    "list threads, those that changed last first")                    \
	X(threads_delete, "threads delete", "THREAD...",                      \
	    "delete threads with all that is in them")                        \
	X(threads_prune, "threads prune", "",                                 \
	    "delete threads of an age or a status, or only their past")       \
	X(owner_export,  "owner export",  "[OWNER]",                          \
	    "write all that a server has of an owner to a file of JSON lines") \
	X(owner_erase,   "owner erase",   "OWNER",                            \
	    "remove an owner with all that a server has of him")              \
	X(knowledge_add, "knowledge add", "PATH...",                          \
	    "read documents into a collection that agents search")            \
	X(knowledge_list, "knowledge list", "",                               \
	    "list the sources of a collection")                               \
	X(knowledge_search, "knowledge search", "QUERY",                      \
	    "show the passages of a collection that fit a query best")        \
	X(knowledge_remove, "knowledge remove", "SOURCE...",                  \
	    "remove sources with their passages")                             \
	X(agent_check,   "agent check",   "FILE...",                          \
	    "check files of agents, and who calls whom")                      \
	X(agent_show,    "agent show",    "FILE",                             \
	    "show an agent: channels, nodes and edges")                       \
	X(agent_run,     "agent run",     "FILE",                             \
	    "run an agent in the terminal, without a server")                 \
	X(agent_test,    "agent test",    "FILE...",                          \
	    "run the tests of agents' files")                                 \
	X(eval_run,      "eval run",      "FILE",                             \
	    "run an agent over a dataset, and score what it answers")         \
	X(eval_compare,  "eval compare",  "A [B]",                            \
	    "compare two results of an eval; exit 1 if B is worse")           \
	X(eval_report,   "eval report",   "RESULT...",                        \
	    "show a result of an eval, or several as a page")                 \
	X(eval_case,     "eval case",     "THREAD",                           \
	    "make a case of a dataset from a thread's transcript")            \
	X(agent_schema,  "agent schema",  "",                                 \
	    "print the JSON Schema of agent files, for editors")              \
	X(agent_hash,    "agent hash",    "FOLDER...",                        \
	    "print the hashes of packages of agents, as agents.lock has them") \
	X(agent_sync,    "agent sync",    "REPOSITORY FOLDER",                \
	    "make a server's folder of agents what a git repository has")     \
	X(agent_rollback, "agent rollback", "FOLDER",                         \
	    "make it what it was before the last sync that changed it")       \
	X(agent_import,  "agent import",  "FILE",                             \
	    "make files of another program's agents")                          \
	X(agent_spawn,   "agent spawn",   "[GRAPH]",                          \
	    "spawn an agent with an address on a server, or register one")    \
	X(agent_list,    "agent list",    "",                                 \
	    "list a server's agents, newest first")                           \
	X(agent_stop,    "agent stop",    "AGENT",                            \
	    "stop an agent of a server")                                      \
	X(agent_send,    "agent send",    "AGENT [CONTENT]",                  \
	    "send a message to agents of a server")                           \
	X(agent_tail,    "agent tail",    "AGENT",                            \
	    "show what comes to an external agent, as it comes")              \
	X(mail_dead,     "mail dead",     "list | retry ID | drop ID",        \
	    "list, retry or drop dead letters")                               \
	X(mail_conversation, "mail conversation", "ID",                       \
	    "show the durable messages of a conversation")                    \
	X(transcript,    "transcript",    "THREAD",                           \
	    "show what a thread's runs did")                                  \
	X(replay,        "replay",        "RUN",                              \
	    "make a run again without a model, and compare")                  \
	X(fork,          "fork",          "THREAD",                           \
	    "copy a thread up to a checkpoint, and try a turn in another way") \
	X(models_list,   "models list",   "",                                 \
	    "show the models and providers that there are")                   \
	X(models_check,  "models check",  "[ALIAS...]",                       \
	    "ask models a short question and show what works")                \
	X(wasm_check,    "wasm check",    "FILE...",                          \
	    "check modules of WebAssembly: what they import, export and need") \
	X(wasm_build,    "wasm build",    "FILE...",                          \
	    "compile modules into a cache")                                   \
	X(wasm_run,      "wasm run",      "FILE",                             \
	    "give a guest messages in a host process, without a server")      \
	X(wasm_bench,    "wasm bench",    "",                                 \
	    "measure guests beside native code: as bench wasm")               \
	X(wasm_deploy,   "wasm deploy",   "NAME FILE",                        \
	    "deploy a module on a server, a new version of NAME")             \
	X(wasm_list,     "wasm list",     "",                                 \
	    "list the modules of a server")                                   \
	X(wasm_show,     "wasm show",     "NAME",                             \
	    "show a module and its versions")                                 \
	X(wasm_rollback, "wasm rollback", "NAME",                             \
	    "go back to an earlier version of a module")                      \
	X(wasm_delete,   "wasm delete",   "NAME",                             \
	    "delete a module that no agent uses")                             \
	X(token,         "token",         "",                                 \
	    "make a signed token or an API key")                              \
	X(work,          "work",          "COMMAND",                          \
	    "the work tracker: a to-do list with dependencies, also as bd")   \
	X(backup_list,   "backup list",   "DIR",                              \
	    "list the backups of a folder, and what is wrong with them")      \
	X(backup_verify, "backup verify", "DIR",                              \
	    "read all backups of a folder, and restore them for a test")      \
	X(backup,        "backup",        "",                                 \
	    "back up a database file, beside the server that has it")         \
	X(restore,       "restore",       "",                                 \
	    "make a database file again of its backups, as of any moment")    \
	X(encrypt,       "encrypt",       "",                                 \
	    "encrypt a database file, change its key, or decrypt it")         \
	X(migrate,       "migrate",       "",                                 \
	    "bring a database file to this version, or say what that takes")  \
	X(config,        "config",        "",                                 \
	    "show the settings in effect and where each comes from")          \
	X(version,       "version",       "",                                 \
	    "print the version")                                              \
	X(help,          "help",          "[COMMAND]",                        \
	    "explain a command and its options")

#endif
