/*
 * routes.c - every route of the server, one row each, and what is made from
 * the rows: /openapi.json and the table in the documentation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/absent.h"
#include "api/api_priv.h"
#include "worker/worker.h"

#define NONE 0
#define SMALL (64 * KB)
#define OBJECT (512 * KB)
#define INPUT ((size_t)LIMIT_HTTP_BODY_BYTES)

#define RUN_BODY "assistant_id*, input, config, context, metadata, "           \
	"command, checkpoint, checkpoint_id, interrupt_before, "               \
	"interrupt_after, strict_resume, stream_mode, stream_subgraphs, "      \
	"stream_resumable, multitask_strategy, on_disconnect, if_not_exists, " \
	"durability, checkpoint_during (its older form), after_seconds, webhook, " \
	"langsmith_tracer (project_name, example_id)"
#define STATELESS_BODY "assistant_id*, input, config, context, metadata, "     \
	"command, interrupt_before, interrupt_after, stream_mode, "            \
	"stream_subgraphs, stream_resumable, on_disconnect, on_completion, " \
	"after_seconds, webhook, langsmith_tracer (project_name, example_id)"
#define CRON_BODY "schedule*, assistant_id*, timezone, end_time, enabled, input, "    \
	"config, context, metadata, interrupt_before, interrupt_after, "       \
	"multitask_strategy, stream_mode, stream_subgraphs, stream_resumable, " \
	"durability, checkpoint_during, webhook"
#define AGENT "agent_id, name, kind, graph_id, state, capabilities, durable, "    \
	"mailbox_max, waiting, books, supervision, input, config, metadata, "  \
	"error, created_at, updated_at"
#define MESSAGE "performative*, receiver*, content, reply_to, language, "      \
	"encoding, ontology, protocol, conversation_id, reply_with, "          \
	"in_reply_to, reply_by, message_id, trace, delivery, x-...; or "       \
	"messages: an array of them; or another content type"
#define WASM_VERSION "number, created_at, hash, bytes, state, compiler, error, allow, tools, " \
	"limits, imports, exports, memory_pages, functions, calls, errors, p99_us"
#define STATE "values, next, tasks, metadata, created_at, checkpoint, "       \
	"parent_checkpoint, interrupts"

/* Columns: method, path, access, flags, body_max, handler, summary, request,
 * response, status of success, places, the handler's argument. */
const struct route routes[] = {
	{ "GET", "/", ACCESS_NONE, ROUTE_OPEN | ROUTE_PAGE, NONE, api_system_page,
	  "What this server is, for people", NULL, "a page", 200 },
	{ "GET", "/ok", ACCESS_NONE, ROUTE_OPEN, NONE, api_system_ok,
	  "Liveness", "check_db", "{\"ok\":true}", 200 },
	{ "GET", "/info", ACCESS_NONE, ROUTE_OPEN, NONE, api_system_info,
	  "Version and features", NULL, "version, flags, metadata", 200 },
	{ "GET", "/health", ACCESS_NONE, ROUTE_OPEN, NONE, api_system_health,
	  "Liveness, for load balancers", NULL, "{\"status\":\"ok\"}", 200 },
	{ "GET", "/metrics", ACCESS_NONE, ROUTE_OPEN | ROUTE_TEXT, NONE, api_system_metrics,
	  "Counters for Prometheus", NULL, "text exposition format", 200, PLACE_METRICS },
	{ "GET", "/docs", ACCESS_NONE, ROUTE_OPEN | ROUTE_PAGE, NONE, api_system_docs,
	  "This interface for people, a page without scripts", NULL, "a page", 200 },
	{ "GET", "/ui", ACCESS_NONE, ROUTE_OPEN | ROUTE_PAGE | ROUTE_SLASH, NONE, api_console,
	  "The console, for people; see console.md", NULL, "a page", 200 },
	{ "GET", "/ui/{file}", ACCESS_NONE, ROUTE_OPEN | ROUTE_PAGE, NONE, api_console,
	  "A file of the console", NULL, "the file; 304 for If-None-Match", 200 },
	{ "POST", "/internal/truncate", ADMIN_TRUNCATE, ROUTE_BODY, SMALL, api_truncate,
	  "Remove what the caller has; only with --test-hooks",
	  "threads, assistants, store, runs, checkpointer (true: they go)",
	  "{\"ok\":true}", 200 },
	{ "POST", "/owner/erase", OWNERS_ERASE, ROUTE_BODY | ROUTE_BODY_OPTIONAL | ROUTE_OWNER,
	  SMALL, api_owner_erase, "Remove an owner with all that there is of him",
	  "query: owner*", "owner, threads, agents, scrubbed (the file was written anew)", 200 },
	{ "GET", "/openapi.json", ACCESS_NONE, ROUTE_OPEN, NONE, api_system_openapi,
	  "This interface as OpenAPI", NULL, "an OpenAPI 3.1 document", 200 },

	{ "POST", "/session", SESSIONS_CREATE, ROUTE_BODY | ROUTE_BODY_OPTIONAL, NONE,
	  api_session_create, "Sign a browser in: its credentials become a cookie", NULL,
	  "auth, session, credentials, user, owner, organization, name, email, role, scopes, "
	  "expires_at; Set-Cookie", 200 },
	{ "GET", "/session", SESSIONS_READ, 0, NONE, api_session_get,
	  "Who the caller is", NULL, "as POST", 200 },
	{ "DELETE", "/session", SESSIONS_DELETE, 0, NONE, api_session_delete,
	  "Sign a browser out", NULL, "nothing; Set-Cookie", 204 },
	{ "POST", "/session/ticket", THREADS_READ, ROUTE_BODY, NONE, api_session_ticket,
	  "Get a ticket for one WebSocket, for pages of other origins", "thread_id*",
	  "ticket, expires_at", 200 },

	{ "POST", "/assistants", ASSISTANTS_CREATE,
	  ROUTE_BODY, OBJECT, api_assistant_create,
	  "Create an assistant",
	  "graph_id*, assistant_id, name, description, config, context, "
	  "metadata, if_exists (raise, do_nothing)", "the assistant", 200 },
	{ "POST", "/assistants/search", ASSISTANTS_SEARCH,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL | ROUTE_READS | ROUTE_OWNER,
	  SMALL, api_assistant_search, "Find assistants, newest first", "metadata, graph_id, "
	  "name (a part of it), limit, offset, sort_by (created_at, updated_at, "
	  "assistant_id, name, graph_id), sort_order, select",
	  "an array of assistants; X-Pagination-Total, X-Pagination-Next", 200 },
	{ "POST", "/assistants/count", ASSISTANTS_SEARCH,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL, SMALL,
	  api_assistant_count, "Count assistants", "metadata, graph_id, name",
	  "a number", 200 },
	{ "GET", "/assistants/{assistant_id}", ASSISTANTS_READ,
	  ROUTE_READS, NONE, api_assistant_get,
	  "Get an assistant by its id or its graph's", NULL, "the assistant", 200 },
	{ "PATCH", "/assistants/{assistant_id}", ASSISTANTS_UPDATE,
	  ROUTE_BODY, OBJECT, api_assistant_update,
	  "Change an assistant: a new version",
	  "graph_id, name, description, config, context, metadata (merged)",
	  "the assistant", 200 },
	{ "DELETE", "/assistants/{assistant_id}", ASSISTANTS_DELETE,
	  0, NONE, api_assistant_delete,
	  "Delete an assistant", "delete_threads", "[\"<id>\"]", 200 },
	{ "POST", "/assistants/{assistant_id}/versions", ASSISTANTS_READ, ROUTE_BODY |
	  ROUTE_BODY_OPTIONAL | ROUTE_READS | ROUTE_OWNER, SMALL, api_assistant_versions,
	  "The versions of an assistant, newest first", "metadata, limit, offset",
	  "an array of versions; X-Pagination-Next", 200 },
	{ "POST", "/assistants/{assistant_id}/latest", ASSISTANTS_UPDATE, ROUTE_BODY, SMALL,
	  api_assistant_latest, "Go back to a version of an assistant", "version*",
	  "the assistant, with that version's number", 200 },
	{ "GET", "/assistants/{assistant_id}/graph", ASSISTANTS_READ, ROUTE_READS, NONE,
	  api_assistant_graph, "Draw an assistant's graph",
	  "xray (true, or levels of sub-agents)", "nodes, edges", 200 },
	{ "GET", "/assistants/{assistant_id}/drawing", ASSISTANTS_READ, ROUTE_READS, NONE,
	  api_assistant_drawing, "A picture of an assistant's nodes or states, laid out", NULL,
	  "width, height, nodes (id, type, parent, label, detail, description, x, y, width, "
	  "height), edges (source, target, label, conditional, path, lines, x, y)", 200 },
	{ "GET", "/assistants/{assistant_id}/schemas", ASSISTANTS_READ, ROUTE_READS, NONE,
	  api_assistant_schemas, "Get the schemas of an assistant's graph", NULL,
	  "graph_id, input_schema, output_schema, state_schema, config_schema, "
	  "context_schema", 200 },
	{ "GET", "/assistants/{assistant_id}/subgraphs", ASSISTANTS_READ, ROUTE_READS, NONE,
	  api_assistant_subgraphs, "Get the schemas of an assistant's sub-agents",
	  "recurse", "schemas by namespace: state, input, output, config", 200 },
	{ "GET", "/assistants/{assistant_id}/subgraphs/{namespace}", ASSISTANTS_READ,
	  ROUTE_READS, NONE,
	  api_assistant_subgraphs, "Get the schemas of one sub-agent", "recurse",
	  "schemas by namespace", 200 },

	{ "POST", "/threads", THREADS_CREATE, ROUTE_BODY, OBJECT, api_thread_create,
	  "Create a thread",
	  "thread_id, metadata, if_exists (raise, do_nothing), supersteps, ttl (minutes, or "
	  "{ttl, strategy: delete or keep_latest})",
	  "the thread", 200 },
	{ "POST", "/threads/search", THREADS_SEARCH,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL | ROUTE_READS | ROUTE_OWNER,
	  SMALL, api_thread_search, "Find threads, newest first", "metadata, values (of the "
	  "state), status, ids, limit, offset, sort_by (created_at, updated_at, "
	  "state_updated_at, status, thread_id), sort_order, select, extract ({alias: path})",
	  "an array of threads; X-Pagination-Total where it is known, X-Pagination-Next", 200,
	  PLACE_THREAD_SEARCH },
	{ "POST", "/threads/count", THREADS_SEARCH, ROUTE_BODY | ROUTE_BODY_OPTIONAL, SMALL,
	  api_thread_count, "Count threads", "metadata, values, status, ids", "a number", 200 },
	{ "GET", "/threads/{thread_id}", THREADS_READ, ROUTE_READS, NONE, api_thread_get,
	  "Get a thread with its values", "include (ttl)", "the thread", 200 },
	{ "PATCH", "/threads/{thread_id}", THREADS_UPDATE,
	  ROUTE_BODY, OBJECT, api_thread_update,
	  "Change a thread's metadata or ttl", "metadata (merged), ttl; "
	  "Prefer: return=minimal", "the thread; 204 and nothing when minimal", 200 },
	{ "POST", "/threads/prune", THREADS_DELETE, ROUTE_BODY | ROUTE_OWNER, SMALL, api_thread_prune,
	  "Delete threads, or only what came before their newest state; not those with a run "
	  "under way", "thread_ids*, strategy (delete, keep_latest)", "pruned_count", 200 },
	{ "DELETE", "/threads/{thread_id}", THREADS_DELETE, 0, NONE, api_thread_delete,
	  "Delete a thread with all it holds", NULL, "nothing", 204 },
	{ "POST", "/threads/{thread_id}/copy", THREADS_CREATE,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL, SMALL,
	  api_thread_copy, "Copy a thread with its history", "checkpoint_id (the "
	  "history up to there)", "the new thread", 200 },
	{ "GET", "/threads/{thread_id}/storage", THREADS_READ,
	  ROUTE_READS, NONE, api_thread_storage,
	  "Tell what a thread holds", NULL, "total_bytes; checkpoints, channel_values, "
	  "pending_writes, runs: count, bytes; of channel_values by_channel: versions, bytes",
	  200 },
	{ "PATCH", "/threads/{thread_id}/state", THREADS_UPDATE, ROUTE_BODY, OBJECT,
	  api_thread_patch_state, "Change a thread's metadata, as older clients do",
	  "metadata* (merged)", "nothing", 204 },
	{ "GET", "/threads/{thread_id}/state", THREADS_READ,
	  ROUTE_READS, NONE, api_state_get,
	  "Get a thread's newest state", "subgraphs, select", STATE, 200 },
	{ "POST", "/threads/{thread_id}/state", THREADS_UPDATE,
	  ROUTE_BODY, INPUT, api_state_update,
	  "Change a thread's state, as if a node had returned the values",
	  "values*, as_node, checkpoint, checkpoint_id",
	  "{\"checkpoint\":{thread_id, checkpoint_ns, checkpoint_id}}", 200 },
	{ "GET", "/threads/{thread_id}/state/{checkpoint_id}", THREADS_READ,
	  ROUTE_READS, NONE,
	  api_state_get, "Get the state of a checkpoint", "subgraphs, select", STATE, 200 },
	{ "POST", "/threads/{thread_id}/state/checkpoint", THREADS_READ,
	  ROUTE_BODY | ROUTE_READS,
	  OBJECT, api_state_at, "Get the state of a checkpoint, a sub-agent's too",
	  "checkpoint* (checkpoint_id, checkpoint_ns), subgraphs", STATE, 200 },
	{ "POST", "/threads/{thread_id}/history", THREADS_READ,
	  ROUTE_BODY | ROUTE_READS | ROUTE_OWNER, SMALL, api_history,
	  "Past states, newest first", "limit, before, metadata, checkpoint "
	  "(checkpoint_ns), select", "an array of states", 200 },
	{ "GET", "/threads/{thread_id}/history", THREADS_READ,
	  ROUTE_READS, NONE, api_history_get,
	  "Past states, newest first", "limit, before, select", "an array of states", 200 },
	{ "GET", "/quota", USAGE_READ, ROUTE_READS | ROUTE_OWNER, NONE, api_quota,
	  "What the caller may have, and has", "query: owner (scope admin)", "an object of runs, "
	  "threads, store-items, store-bytes, agents and crons: limit (null: none), used", 200 },
	{ "GET", "/usage", USAGE_READ, ROUTE_READS | ROUTE_OWNER, NONE, api_usage,
	  "What models took, of the caller", "thread_id, run_id, from, to (days), "
	  "group_by (day, model, thread, run, owner), limit, offset", "total, groups: calls, "
	  "input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost", 200 },
	{ "GET", "/threads/{thread_id}/transcript", THREADS_READ,
	  ROUTE_READS | ROUTE_OWNER, NONE, api_transcript,
	  "What the thread's runs did, oldest first", "run_id, after (RUN_ID:SEQ), limit, "
	  "format (json, jsonl), kinds (entered,exited; with jsonl)", "an array of entries, "
	  "empty at the end; as lines all of it", 200 },
	{ "GET", "/interrupts", THREADS_SEARCH, ROUTE_READS, NONE, api_interrupt_list,
	  "List everything that waits for a person, newest first",
	  "status (waiting), assignee, limit, offset", "an array of interrupts: id, value, "
	  "response_schema, thread_id, run_id, task_id, checkpoint_id, checkpoint_ns, "
	  "created_at", 200 },

	{ "GET", "/threads/{thread_id}/stream", THREADS_READ, ROUTE_STREAM, NONE,
	  api_thread_stream, "Stream the events of all runs of a thread, from Last-Event-ID "
	  "on (- for all that is kept)", "stream_modes or stream_mode (run_modes, lifecycle, "
	  "state_update)", "server-sent events, without an end", 200 },
	{ "POST", "/threads/{thread_id}/commands", ACCESS_NONE, ROUTE_COMMANDS, INPUT,
	  api_command,
	  "Run one command of the thread protocol; see protocol.md", "id*, method*, params",
	  "{type: success, id, result, meta: {thread_id, applied_through_seq}}, or {type: "
	  "error, id, error, message}", 200 },
	{ "GET", "/threads/{thread_id}/stream/events", ACCESS_NONE,
	  ROUTE_COMMANDS | ROUTE_SOCKET, NONE, api_socket,
	  "The same as a WebSocket: commands, their answers and events, a text message each; "
	  "see protocol.md", NULL, "the handshake; 426 without one", 101 },
	{ "POST", "/threads/{thread_id}/stream/events", THREADS_READ, ROUTE_STREAM, SMALL,
	  api_events, "Stream the events of all runs of a thread, in the thread protocol; see "
	  "protocol.md", "channels*, namespaces, depth, since, or Last-Event-ID",
	  "server-sent events, without an end", 200 },
	{ "POST", "/threads/{thread_id}/runs", THREADS_CREATE_RUN,
	  ROUTE_BODY, INPUT, api_run_start,
	  "Start a run in the background", RUN_BODY, "the run", 200, PLACE_RUN },
	{ "GET", "/threads/{thread_id}/runs", THREADS_READ, ROUTE_READS | ROUTE_OWNER, NONE, api_run_list,
	  "List a thread's runs, newest first", "limit, offset, status, select",
	  "an array of runs; X-Pagination-Next", 200 },
	{ "POST", "/threads/{thread_id}/runs/wait", THREADS_CREATE_RUN, ROUTE_BODY, INPUT,
	  api_run_start, "Start a run and wait for its values", RUN_BODY,
	  "the final values, or {\"__error__\":{error, message}}", 200, PLACE_RUN, WATCH_WAIT },
	{ "POST", "/threads/{thread_id}/runs/stream", THREADS_CREATE_RUN,
	  ROUTE_BODY | ROUTE_STREAM,
	  INPUT, api_run_start, "Start a run and stream its events", RUN_BODY,
	  "server-sent events", 200, PLACE_RUN, WATCH_STREAM },
	{ "GET", "/threads/{thread_id}/runs/{run_id}", THREADS_READ,
	  ROUTE_READS | ROUTE_OWNER, NONE, api_run_get,
	  "Get a run", "query: owner (scope admin)", "the run", 200 },
	{ "GET", "/threads/{thread_id}/runs/{run_id}/agent", THREADS_READ,
	  ROUTE_READS, NONE,
	  api_run_agent, "Get the definition that a run goes by", NULL,
	  "graph_id, hash, text", 200 },
	{ "DELETE", "/threads/{thread_id}/runs/{run_id}", THREADS_DELETE, 0, NONE,
	  api_run_delete, "Delete a run that has ended, with what it left at "
	  "the thread's end", NULL, "nothing", 204 },
	{ "GET", "/threads/{thread_id}/runs/{run_id}/join", THREADS_READ, 0, NONE,
	  api_run_join, "Wait for a run's values", "cancel_on_disconnect",
	  "the final values", 200, 0, WATCH_JOIN },
	{ "GET", "/threads/{thread_id}/runs/{run_id}/stream", THREADS_READ,
	  ROUTE_STREAM, NONE,
	  api_run_join, "Stream a run's events, from Last-Event-ID on",
	  "stream_mode, namespace, checkpoint_id, cancel_on_disconnect",
	  "server-sent events", 200, 0, WATCH_JOIN_STREAM },
	{ "POST", "/threads/{thread_id}/runs/{run_id}/cancel", THREADS_UPDATE, 0, NONE,
	  api_run_cancel, "Cancel a run", "wait, action (interrupt, rollback), reason",
	  "nothing; 204 when it waited", 202 },

	{ "POST", "/threads/{thread_id}/runs/{run_id}/inject", THREADS_UPDATE,
	  ROUTE_BODY | ROUTE_KEEPS, INPUT,
	  api_run_inject, "Put a message into the conversation of a run under way",
	  "message* (role user or system), namespace", "{}, once it is stored", 200 },

	{ "POST", "/runs", THREADS_CREATE_RUN, ROUTE_BODY, INPUT, api_run_start,
	  "Start a run without a thread, in the background", STATELESS_BODY,
	  "the run", 200, PLACE_RUN },
	{ "POST", "/runs/batch", THREADS_CREATE_RUN, ROUTE_BODY | ROUTE_ARRAY, INPUT,
	  api_run_batch,
	  "Start many runs without a thread, in the background, or none of them",
	  "an array of: " STATELESS_BODY, "an array of runs, in the same order", 200 },
	{ "POST", "/runs/cancel", THREADS_UPDATE, ROUTE_BODY | ROUTE_OWNER, OBJECT,
	  api_run_cancel_many, "Cancel runs of a thread, or all that have a status, or these",
	  "thread_id and run_ids; or status (pending, running, all); or runs: an array of "
	  "{thread_id, run_id}; query: action (interrupt, rollback), owner (scope admin)",
	  "nothing; 404 when one of them is not there, or none has the status", 204 },
	{ "POST", "/runs/search", THREADS_SEARCH,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL | ROUTE_READS | ROUTE_OWNER, SMALL, api_run_search,
	  "Find runs of all threads, newest first", "status: an array (those under way without "
	  "it), thread_id, assistant_id, older_than_s, limit, after; query: owner (scope admin)",
	  "runs: run_id, thread_id, assistant_id, graph_id, status, created_at, updated_at; "
	  "next: what `after` takes for the next page, or null", 200 },
	{ "POST", "/runs/wait", THREADS_CREATE_RUN, ROUTE_BODY, INPUT, api_run_start,
	  "Run without a thread and wait for the values", STATELESS_BODY,
	  "the final values, or {\"__error__\":{error, message}}", 200, PLACE_RUN, WATCH_WAIT },
	{ "POST", "/runs/stream", THREADS_CREATE_RUN, ROUTE_BODY | ROUTE_STREAM, INPUT,
	  api_run_start, "Run without a thread and stream the events",
	  STATELESS_BODY, "server-sent events", 200, PLACE_RUN, WATCH_STREAM },
	{ "GET", "/runs/{run_id}/join", THREADS_READ, 0, NONE, api_run_join,
	  "Wait for the values of a run under way", "cancel_on_disconnect",
	  "the final values", 200, 0, WATCH_JOIN },
	{ "GET", "/runs/{run_id}/stream", THREADS_READ, ROUTE_STREAM, NONE, api_run_join,
	  "Stream the events of a run under way, from Last-Event-ID on",
	  "stream_mode, namespace, checkpoint_id, cancel_on_disconnect",
	  "server-sent events", 200, 0, WATCH_JOIN_STREAM },

	{ "POST", "/runs/crons", CRONS_CREATE, ROUTE_BODY, OBJECT, api_cron_create,
	  "Begin runs at given times, each on a thread of its own", CRON_BODY
	  ", on_run_completed (delete, keep)", "the cron", 200, PLACE_RUN },
	{ "POST", "/threads/{thread_id}/runs/crons", CRONS_CREATE, ROUTE_BODY, OBJECT,
	  api_cron_create, "Begin runs on a thread at given times", CRON_BODY, "the cron", 200,
	  PLACE_RUN },
	{ "POST", "/runs/crons/search", CRONS_SEARCH,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL | ROUTE_READS | ROUTE_OWNER, SMALL, api_cron_search,
	  "Find crons, newest first", "assistant_id, thread_id, enabled, metadata, limit, "
	  "offset, sort_by (created_at, updated_at, cron_id, assistant_id, thread_id, "
	  "next_run_date, end_time), sort_order, select",
	  "an array of crons; X-Pagination-Total, X-Pagination-Next", 200 },
	{ "POST", "/runs/crons/count", CRONS_SEARCH, ROUTE_BODY | ROUTE_BODY_OPTIONAL, SMALL,
	  api_cron_count, "Count crons", "assistant_id, thread_id, enabled, metadata",
	  "a number", 200 },
	{ "GET", "/runs/crons/{cron_id}", CRONS_READ, ROUTE_READS, NONE, api_cron_get,
	  "Get a cron", NULL, "the cron", 200 },
	{ "PATCH", "/runs/crons/{cron_id}", CRONS_UPDATE, ROUTE_BODY, OBJECT, api_cron_update,
	  "Change a cron", "any of what it was made with; null clears; metadata (merged)",
	  "the cron", 200, PLACE_RUN },
	{ "DELETE", "/runs/crons/{cron_id}", CRONS_DELETE, 0, NONE, api_cron_delete,
	  "Delete a cron", NULL, "{}", 200 },

	{ "POST", "/agents", AGENTS_CREATE, ROUTE_BODY, INPUT, api_agent_spawn,
	  "Spawn an agent that has an address, or register a client as one",
	  "graph_id, kind (external, chart, run, wasm), agent_id, name, capabilities, input, "
	  "config, metadata, durable, mailbox_max, supervision (restart, max_restarts, "
	  "window, backoff)", AGENT, 200 },
	{ "POST", "/agents/search", AGENTS_SEARCH,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL | ROUTE_READS | ROUTE_OWNER, SMALL,
	  api_agent_search, "Find agents, newest first", "name (a part of it), capability, "
	  "state, kind, limit, offset", "an array of agents; X-Pagination-Total, "
	  "X-Pagination-Next", 200 },
	{ "GET", "/agents/{agent}", AGENTS_READ, ROUTE_READS, NONE, api_agent_get,
	  "Get an agent by its id or name", NULL, AGENT, 200 },
	{ "DELETE", "/agents/{agent}", AGENTS_DELETE, 0, NONE, api_agent_stop,
	  "Stop an agent, at once or when it has taken what waits",
	  "drain, deadline (ms)", "nothing, when it has stopped", 204 },
	{ "POST", "/agents/{agent}/messages", MESSAGES_SEND,
	  ROUTE_BODY | ROUTE_ACL, INPUT, api_message_send,
	  "Send messages as this agent", MESSAGE, "message_id, receivers; of many: results",
	  200 },
	{ "GET", "/agents/{agent}/mailbox", MESSAGES_READ, 0, NONE, api_mailbox_read,
	  "Read the mailbox of an external agent: a long poll, or with Accept: "
	  "text/event-stream a stream, from Last-Event-ID on", "wait (ms), max, "
	  "batch_size, batch_timeout (ms)",
	  "an array of messages, empty when the time is over; or server-sent events", 200 },
	{ "POST", "/agents/{agent}/mailbox/ack", MESSAGES_READ,
	  ROUTE_BODY, OBJECT, api_mailbox_ack,
	  "Ack durable messages, which wait until then", "message_ids*", "acked: how many "
	  "it was", 200 },
	{ "POST", "/messages", MESSAGES_SEND,
	  ROUTE_BODY | ROUTE_ACL, INPUT, api_message_send,
	  "Send messages to agents", MESSAGE, "message_id, receivers; of many: results", 200 },
	{ "GET", "/messages", MESSAGES_READ, ROUTE_READS | ROUTE_OWNER, NONE, api_message_list,
	  "List durable messages of all conversations that are stored, oldest first",
	  "limit, offset; query: owner (scope admin)", "an array, as of a conversation", 200 },
	{ "GET", "/messages/dead", MESSAGES_READ, ROUTE_READS, NONE, api_message_dead_list,
	  "List dead letters, newest first", "limit, offset", "an array: message_id, "
	  "receiver, reason, tries, age, created_at, dead_at, message; X-Pagination-Next", 200 },
	{ "POST", "/messages/dead/{message_id}/retry", MESSAGES_UPDATE,
	  0, NONE, api_message_dead_retry,
	  "Deliver a message's dead letters once more", NULL, "letters: how many", 200 },
	{ "DELETE", "/messages/dead/{message_id}", MESSAGES_UPDATE,
	  0, NONE, api_message_dead_drop,
	  "Drop a message's dead letters", NULL, "nothing", 204 },
	{ "GET", "/conversations/{conversation_id}", MESSAGES_READ,
	  ROUTE_READS, NONE, api_conversation,
	  "Get the durable messages of a conversation, oldest first", "limit, offset",
	  "an array: message_id, sender, receiver, state, letters, waiting, dead, "
	  "created_at, message; X-Pagination-Next", 200 },

	{ "POST", "/workers", WORKERS_SERVE, ROUTE_BODY, LIMIT_WORKER_BYTES,
	  api_worker_register, "Register a worker: which graphs, nodes and tools it serves; see "
	  "workers.md", "name*, build*, lang*, protocol, slots* (run, node), graphs (id*, "
	  "description, schemas, drawing, xray, subgraphs), runs (id*, description, schemas), "
	  "nodes (name*, description, input_schema, idempotent, timeout_s), tools (name*, "
	  "description*, schema*, idempotent, timeout_s)",
	  "worker_id, beat_s, lease_s, poll_s, now", 200 },
	{ "POST", "/workers/{worker_id}/poll", WORKERS_SERVE, ROUTE_BODY, SMALL,
	  api_worker_poll, "Wait for tasks, a long poll", "free* (run, node)",
	  "tasks, quiet, cancel, now", 200 },
	{ "POST", "/workers/{worker_id}/leave", WORKERS_SERVE, ROUTE_BODY |
	  ROUTE_BODY_OPTIONAL, SMALL, api_worker_leave,
	  "A worker goes; its tasks are given to others", NULL, "ok, now", 200 },
	{ "POST", "/workers/{worker_id}/drain", WORKERS_UPDATE, ROUTE_BODY |
	  ROUTE_BODY_OPTIONAL, SMALL, api_worker_drain,
	  "Give a worker no more tasks; it ends those that it has, and leaves", NULL,
	  "ok, now", 200 },
	{ "GET", "/cluster", CLUSTER_READ, ROUTE_READS, NONE, api_cluster,
	  "The nodes that share the store", NULL, "alone, store, node, nodes (node, name, "
	  "address, state, here, started_at, lease_left_ms, threads, info), bus", 200 },
	{ "GET", "/settings", SETTINGS_READ, ROUTE_READS, NONE, api_settings,
	  "The settings in effect; of secrets only whether they are set", NULL, "an array: key, "
	  "type, value, set, default, origin, source (default, file, langgraph, environment, "
	  "flag), reread (at SIGHUP), unit, help", 200 },
	{ "GET", "/workers", WORKERS_READ, ROUTE_READS, NONE, api_worker_list,
	  "The workers that are registered", NULL, "an array of workers", 200 },
	{ "GET", "/workers/log", WORKERS_READ, ROUTE_READS, NONE, api_worker_log,
	  "Who tried which task, newest first", "name, run_id, worker_id, limit",
	  "an array of attempts", 200 },
	{ "GET", "/workers/{worker_id}", WORKERS_READ, ROUTE_READS, NONE, api_worker_get,
	  "One of them", NULL, "worker_id, name, build, lang, status, slots, tasks, polling, "
	  "silent_ms, since, graphs, nodes, tools", 200 },
	{ "DELETE", "/workers/graphs/{graph_id}", WORKERS_UPDATE, 0, NONE, api_graph_forget,
	  "Forget a graph that no worker serves any more", NULL, "ok", 200 },
	{ "POST", "/tasks/{task_id}/events", WORKERS_SERVE, 0, LIMIT_WORKER_TASK_BYTES,
	  api_worker_task, "Tell events of a task, and that it is alive; X-Task-Token",
	  "events", "lease_until, cancel, wait_ms, now", 200, .arg = WORKER_EVENTS },
	{ "POST", "/tasks/{task_id}/saver", WORKERS_SERVE, 0, LIMIT_WORKER_TASK_BYTES,
	  api_worker_task, "Read and write checkpoints of the task's thread; X-Task-Token",
	  "op*, and what it takes", "what it gives, lease_until, cancel, now", 200,
	  .arg = WORKER_SAVER },
	{ "POST", "/tasks/{task_id}/store", WORKERS_SERVE, 0, LIMIT_WORKER_TASK_BYTES,
	  api_worker_task, "Read and write the store of the run's owner; X-Task-Token", "ops*",
	  "results, lease_until, cancel, now", 200, .arg = WORKER_STORE },
	{ "POST", "/tasks/{task_id}/end", WORKERS_SERVE, 0, LIMIT_WORKER_TASK_BYTES,
	  api_worker_task, "A task has ended; X-Task-Token",
	  "status* (success, interrupted, error), view, output, error, checkpoint", "now", 200,
	  .arg = WORKER_END },

	{ "PUT", "/wasm/modules/{name}", WASM_PUT, ROUTE_MODULE, LIMIT_WASM_MODULE_BYTES,
	  api_wasm_put,
	  "Deploy a module of WebAssembly, its bytes as application/wasm; see sandbox.md",
	  "in the query: allow (log, now_ms, send, reply, store_get, store_put, tool_call, all; "
	  "with commas), tools, memory, fuel, cpu, depth, message, rate, strategy (graceful, "
	  "immediate, parallel, split), drain, percent, calls, wait, error_percent, p99_factor",
	  "name, folder, current, reload, outcome, " WASM_VERSION, 200 },
	{ "GET", "/wasm/modules", WASM_SEARCH, ROUTE_READS | ROUTE_OWNER, NONE, api_wasm_list,
	  "The modules that the caller's agents can be made of", NULL,
	  "an array: name, folder, current, reload, outcome, versions (" WASM_VERSION ")", 200 },
	{ "GET", "/wasm/modules/{name}", WASM_READ, ROUTE_READS, NONE, api_wasm_get,
	  "One of them", NULL, "as in the list", 200 },
	{ "POST", "/wasm/modules/{name}/rollback", WASM_PUT, ROUTE_BODY | ROUTE_BODY_OPTIONAL,
	  SMALL, api_wasm_rollback, "Go back to a version of a module, by itself to the one "
	  "before the current", "number", "as PUT", 200 },
	{ "DELETE", "/wasm/modules/{name}", WASM_DELETE, 0, NONE, api_wasm_delete,
	  "Delete a module with its versions; not while an agent uses it", NULL, "nothing", 204 },

	{ "GET", "/work/items", WORK_READ, ROUTE_READS | ROUTE_OWNER, NONE, api_work_operation,
	  "List work items, most urgent first", "project (label may be repeated)",
	  "an array of items", 200,
	  .operation = "list" },
	{ "POST", "/work/items", WORK_UPDATE, ROUTE_BODY, OBJECT, api_work_operation,
	  "Create a work item", "actor", "the item", 200,
	  .operation = "create" },
	{ "GET", "/work/items/{id}", WORK_READ, ROUTE_READS | ROUTE_OWNER, NONE, api_work_operation,
	  "Get a work item with its comments", "project", "the item", 200,
	  .operation = "show" },
	{ "PATCH", "/work/items/{id}", WORK_UPDATE, ROUTE_BODY, OBJECT, api_work_operation,
	  "Change a work item", "actor", "the item", 200,
	  .operation = "update" },
	{ "DELETE", "/work/items/{id}", WORK_UPDATE, 0, NONE, api_work_delete,
	  "Delete a work item", "project", "what went with it", 200,
	  .operation = "delete" },
	{ "POST", "/work/items/{id}/close", WORK_UPDATE,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL, OBJECT,
	  api_work_operation, "Close a work item", "actor",
	  "the item; with claim_next the claimed one too", 200,
	  .operation = "close" },
	{ "GET", "/work/ready", WORK_READ, ROUTE_READS, NONE, api_work_operation,
	  "List the items that can be worked on now", "project (label may be repeated)",
	  "an array of items", 200,
	  .operation = "ready" },
	{ "POST", "/work/claim", WORK_UPDATE,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL, SMALL, api_work_claim,
	  "Claim an item, or the next ready one", "actor",
	  "the item, or null when none is ready", 200,
	  .operation = "claim" },
	{ "POST", "/work/batch", WORK_UPDATE, ROUTE_BODY, INPUT, api_work_operation,
	  "Run operations in one transaction, all or none", "actor",
	  "{\"results\":[...]}", 200,
	  .operation = "batch" },
	{ "POST", "/work/rpc", WORK_READ, ROUTE_BODY, INPUT, api_work_rpc,
	  "Run any operation of the tracker", "operation*, args, actor, "
	  "request_id, once, deadline_ms", "{request_id, success, data}", 200 },
	{ "GET", "/work/events", WORK_READ, ROUTE_STREAM, NONE, api_work_events,
	  "Stream a project's events, from Last-Event-ID on", "after, project",
	  "server-sent events", 200 },

	{ "POST", "/mcp", ASSISTANTS_SEARCH, ROUTE_ORIGIN | ROUTE_SLASH, INPUT, api_mcp,
	  "Assistants as tools of MCP (streamable HTTP, without sessions); see mcp.md",
	  "a JSON-RPC 2.0 message", "its answer, with a progressToken as server-sent "
	  "events; 202 to a notification", 200 },
	{ "POST", "/agui/{assistant_id}", THREADS_CREATE_RUN, ROUTE_BODY | ROUTE_STREAM, INPUT,
	  api_agui, "Run an assistant for a frontend that speaks AG-UI; see agui.md",
	  "threadId*, runId*, messages*, state, context, resume, forwardedProps (config), "
	  "protocolVersion", "server-sent events", 200 },
	{ "POST", "/a2a/{assistant_id}", ASSISTANTS_READ, ROUTE_ORIGIN, INPUT, api_a2a,
	  "Run an assistant as an A2A agent; see a2a.md", "a JSON-RPC 2.0 request, of A2A 1.0 or "
	  "0.3", "its answer; or server-sent events", 200 },
	{ "GET", "/a2a/{assistant_id}/.well-known/agent-card.json", ASSISTANTS_READ, 0, NONE,
	  api_a2a_card, "An assistant's A2A card", NULL, "the card", 200 },
	{ "GET", "/.well-known/agent-card.json", ASSISTANTS_READ, 0, NONE, api_a2a_well_known,
	  "An assistant's A2A card", "assistant_id*", "the card", 200 },
	{ "POST", "/work/mcp", WORK_READ, ROUTE_ORIGIN, INPUT, api_work_mcp,
	  "The tracker's tools over MCP (streamable HTTP, without sessions)",
	  "a JSON-RPC 2.0 message; project", "its answer; 202 to a notification",
	  200 },

	{ "POST", "/v1/chat/completions", THREADS_CREATE_RUN, ROUTE_BODY | ROUTE_STREAM,
	  INPUT, api_openai_chat, "Run an assistant, as an OpenAI chat completion",
	  "model*, messages*, stream, stream_options, temperature, max_tokens, "
	  "max_completion_tokens, metadata (thread_id); see openai.md",
	  "a chat completion; or server-sent events", 200 },
	{ "POST", "/v1/responses", THREADS_CREATE_RUN, ROUTE_BODY | ROUTE_STREAM, INPUT,
	  api_openai_respond, "Run an assistant, as an OpenAI response",
	  "model*, input*, instructions, stream, store, background, "
	  "previous_response_id, conversation, temperature, max_output_tokens, metadata; "
	  "see openai.md", "a response; or server-sent events", 200 },
	{ "GET", "/v1/responses/{response_id}", THREADS_READ, 0, NONE, api_openai_response,
	  "Get a response that is stored", NULL, "the response", 200 },
	{ "DELETE", "/v1/responses/{response_id}", THREADS_DELETE, 0, NONE,
	  api_openai_delete, "Delete a response, as its run", NULL,
	  "id, object, deleted", 200 },
	{ "POST", "/v1/responses/{response_id}/cancel", THREADS_UPDATE, 0, NONE,
	  api_openai_cancel, "Cancel a response under way", NULL, "the response", 200 },
	{ "GET", "/v1/models", ASSISTANTS_SEARCH, ROUTE_READS, NONE, api_openai_models,
	  "List assistants as OpenAI's models, newest first", NULL,
	  "{\"object\":\"list\",\"data\":[...]}", 200 },
	{ "GET", "/v1/models/{model}", ASSISTANTS_READ, 0, NONE, api_openai_model,
	  "Get an assistant as a model, by its id, graph or name", NULL, "the model", 200 },

	{ "PUT", "/store/items", STORE_PUT, ROUTE_BODY, LIMIT_STORE_VALUE_BYTES + SMALL,
	  api_item_put, "Put an item",
	  "namespace*, key*, value*, ttl (minutes), index (false, or paths)",
	  "nothing", 204 },
	{ "GET", "/store/items", STORE_GET, ROUTE_READS, NONE, api_item_get,
	  "Get an item", "namespace* (joined by dots), key*, refresh_ttl",
	  "the item, or null", 200 },
	{ "DELETE", "/store/items", STORE_DELETE,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL, SMALL, api_item_delete,
	  "Delete an item", "namespace*, key* (body or query)", "nothing", 204 },
	{ "POST", "/store/items/search", STORE_SEARCH,
	  ROUTE_BODY | ROUTE_READS | ROUTE_OWNER, SMALL, api_item_search,
	  "Search items",
	  "namespace_prefix* (or namespace), filter, query, limit, offset, refresh_ttl",
	  "{\"items\":[...]}, the best first, without a query the newest change; "
	  "\"truncated\":true and X-Search-Truncated when it was cut by time", 200 },
	{ "POST", "/store/namespaces", STORE_LIST_NAMESPACES,
	  ROUTE_BODY | ROUTE_BODY_OPTIONAL | ROUTE_READS, SMALL, api_namespace_list,
	  "List namespaces that have items", "prefix, suffix, max_depth, limit, offset",
	  "{\"namespaces\":[[...]]}, in order; \"truncated\":true as in a search", 200 },
};
const size_t routes_n = COUNT(routes);

/* ---- what is made from the rows ------------------------------------------ */

void
route_add_request(struct buf *b, const struct route *r)
{
	const struct work_arg *a = r->operation == NULL ? NULL :
	    work_args(str_of(r->operation));
	bool in_path = strchr(r->path, '{') != NULL;

	if (in_path && strcmp(r->method, "DELETE") == 0)
		a = NULL;
	for (; a != NULL && a->name != NULL; a++) {
		if (!in_path || strcmp(a->name, "id") != 0)
			buf_add_fmt(b, "%s%s, ", a->name, a->required ? "*" : "");
	}
	buf_add(b, str_of(r->request));
}

void
api_add_routes_markdown(struct buf *b)
{
	buf_lit(b, "| route | what it does | takes | answers |\n|---|---|---|---|\n");
	for (size_t i = 0; i < routes_n; i++) {
		const struct route *r = &routes[i];

		buf_add_fmt(b, "| `%s %s` | %s%s | ", r->method, r->path, r->summary,
		    r->flags & ROUTE_OPEN ? " (no credentials)" : "");
		route_add_request(b, r);
		buf_add_fmt(b, " | %d: %s |\n", r->status, r->response);
	}
}

static void
add_parameters(struct buf *b, const struct route *r)
{
	struct str rest = str_of(r->path), part;

	json_add_fmt(b, ",'parameters':[");
	while (str_next(&rest, '/', &part))
		if (part.n > 0 && part.p[0] == '{')
			json_add_fmt(b, ",{'name':%.*s,'in':'path','required':true,"
			    "'schema':{'type':'string'}}", (int)part.n - 2, part.p + 1);
	buf_add_char(b, ']');
}

static void
add_operation(struct buf *b, const struct route *r)
{
	const char *type = r->flags & ROUTE_STREAM ? "text/event-stream" :
	    r->flags & ROUTE_TEXT ? "text/plain" :
	    r->flags & ROUTE_PAGE ? "text/html" : "application/json";
	struct buf request = BUF(16 * KB);

	json_add_comma(b);
	buf_add_char(b, '"');
	for (const char *m = r->method; *m != '\0'; m++)
		buf_add_char(b, (char)(*m + 32));
	json_add_fmt(b, "':{'summary':%s", r->summary);
	route_add_request(&request, r);
	if (request.n > 0)
		json_add_fmt(b, ",'description':%.*s", FMT(buf_str(&request)));
	buf_release(&request);
	add_parameters(b, r);
	if (r->flags & ROUTE_BODY)
		json_add_fmt(b, ",'requestBody':{'content':{'application/json':"
		    "{'schema':{'type':'object'}}}}");
	if (r->flags & ROUTE_MODULE)
		json_add_fmt(b, ",'requestBody':{'required':true,'content':{'application/wasm':"
		    "{'schema':{'type':'string','format':'binary'}}}}");
	if (r->flags & ROUTE_OPEN)
		json_add_fmt(b, ",'security':[]");
	else if (r->access != ACCESS_NONE)
		json_add_fmt(b, ",'x-access':%s", access_name(r->access));
	json_add_fmt(b, ",'responses':{'%d':{'description':%s", r->status, r->response);
	if (r->status == 200)
		json_add_fmt(b, ",'content':{%s:{}}", type);
	json_add_fmt(b, "},'default':{'$ref':'#/components/responses/Error'}}}");
}

/* Rows of one path stand together in the document, wherever they stand in
 * the table: with the first of them. */
static bool
is_first(const struct route *r)
{
	const struct route *first = routes;

	while (!str_eq(str_of(first->path), str_of(r->path)))
		first++;
	return first == r;
}

/* What the document says of credentials: the operator's words or the server's. */
static void
add_security(struct buf *b, struct str given)
{
	struct json_doc doc = { 0 };
	struct err e;
	jnode schemes, security;

	if (given.n == 0 || json_parse(&doc, given, &e) != OK) {
		json_add_fmt(b, "'security':[{'bearer':[]},{'key':[]},{'session':[]}],"
		    "'components':{'securitySchemes':{'bearer':{'type':'http','scheme':'bearer',"
		    "'bearerFormat':'JWT'},'key':{'type':'apiKey','in':'header',"
		    "'name':'x-api-key'},'session':{'type':'apiKey','in':'cookie',"
		    "'name':'__Host-cohort-session'}},");
	} else {
		schemes = json_get(doc.root, S("securitySchemes"));
		security = json_get(doc.root, S("security"));
		json_add_fmt(b, "'security':%-s", security == NULL ? "[]" : "");
		if (security != NULL)
			json_add_node(b, security);
		json_add_fmt(b, ",'components':{'securitySchemes':%-s",
		    schemes == NULL ? "{}" : "");
		if (schemes != NULL)
			json_add_node(b, schemes);
		buf_add_char(b, ',');
	}
	json_release(&doc);
}

int
openapi_check(struct str json, struct err *e)
{
	struct json_doc doc = { 0 };
	struct fields f, schemes;
	struct err why = { 0 };
	jnode security;
	int rc = json.n == 0 ? OK : json_parse(&doc, json, &why);

	if (rc == OK && json.n > 0 && !json_is_object(doc.root))
		rc = err_set(&why, ERR_INVALID, "expected an object, got %s",
		    json_kind(doc.root));
	if (rc != OK) {
		err_set(e, ERR_INVALID, "auth.openapi: %s", why.text);
	} else if (json.n > 0) {
		fields_open(&f, doc.root, "auth.openapi", &why);
		fields_object(&f, "securitySchemes", &schemes);
		security = fields_any(&f, "security");
		if (!json_is_null(security) && !json_is_array(security))
			fields_fail(&f, "security", ERR_INVALID, "expected an array, got %s",
			    json_kind(security));
		rc = fields_end(&f);
		if (rc != OK)
			err_set(e, ERR_INVALID, "auth.openapi.%s", why.text);
	}
	json_release(&doc);
	return rc == OK ? OK : ERR_INVALID;
}

bool
route_is_off(const struct api_options *o, const struct route *r)
{
	return (o->groups_off >> route_group(str_of(r->path)) & 1) != 0;
}

void
api_add_openapi(struct buf *b, const struct api_options *o)
{
	const struct route *end = routes + routes_n;

	json_add_fmt(b, "{'openapi':'3.1.0','info':{'title':'Cohort','version':'"
	    COHORT_VERSION "'},");
	if (o->prefix.n > 0)
		json_add_fmt(b, "'servers':[{'url':%.*s}],", FMT(o->prefix));
	json_add_fmt(b, "'paths':{");
	for (const struct route *r = routes; r < end; r++) {
		if (!is_first(r) || route_is_off(o, r))
			continue;
		json_add_fmt(b, ",%s:{", r->path);
		for (const struct route *same = r; same < end; same++)
			if (str_eq(str_of(same->path), str_of(r->path)))
				add_operation(b, same);
		buf_add_char(b, '}');
	}
	json_add_fmt(b, "},");
	add_security(b, o->openapi);
	json_add_fmt(b, "'responses':{'Error':{'description':"
	    "'An error','content':{'application/json':{'schema':{'type':"
	    "'object','properties':{'detail':{'type':'string'}}}}}}}}}");
}
