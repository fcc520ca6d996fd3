/*
 * limits.h - every size, count, depth and time that comes from outside has
 * its bound here, with the reason for the number.  docs/limits.md is made
 * from this table by `cohort config --limits`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#define LIMIT_MAP(X)                                                            \
	/* name, value, unit, why */                                            \
	X(HTTP_HEADER_BYTES,   32768,     "bytes",  "all headers of a request; browsers send under 8 KB") \
	X(HTTP_HEADER_COUNT,   100,       "headers","as nginx and Apache") \
	X(HTTP_URL_BYTES,      8192,      "bytes",  "request line") \
	X(HTTP_BODY_BYTES,     16777216,  "bytes",  "largest request body of any route") \
	X(HTTP_HEADER_MS,      10000,     "ms",     "from first byte to end of headers: slow loris") \
	X(HTTP_BODY_MS,        30000,     "ms",     "between two reads of a body") \
	X(HTTP_BODY_SLOW_MS,   30000,     "ms",     "a body may take so long, and longer as far as it comes at HTTP_BODY_RATE") \
	X(HTTP_BODY_RATE,      8192,      "bytes/s", "a slower body is given up: an ISDN line has it") \
	X(HTTP_BODY_STILL_MS,  1000,      "ms",     "a body that has not moved by 16 KB for so long goes when HTTP_BODIES_BYTES are held") \
	X(HTTP_SKIP_BYTES,     65536,     "bytes",  "of a body refused by its head that are read over, so that the connection is kept") \
	X(HTTP_BODIES_BYTES,   268435456, "bytes",  "requests being read, of all connections; or a quarter of the memory, if that is less; past it 503, and the idlest goes") \
	X(HTTP_IDLE_MS,        75000,     "ms",     "a kept connection without a request") \
	X(HTTP_IDLE_MIN_MS,    1000,      "ms",     "idle before a connection may be closed for another that needs its descriptor") \
	X(HTTP_DRAIN_MS,       10000,     "ms",     "shutdown waits so long for replies under way") \
	X(UPGRADE_ASK_MS,      30000,     "ms",     "that a new program may take to say whether it would start") \
	X(UPGRADE_DRAIN_MS,    200,       "ms",     "an upgrade waits so long for replies under way") \
	X(UPGRADE_SOCKETS,     1024,      "sockets", "that a process gets from the one before, or from systemd") \
	X(HTTP_LINGER_MS,      2000,      "ms",     "a refused client that still sends is read so long, to let it read why") \
	X(HTTP_OUTPUT_BYTES,   268435456, "bytes",  "answers and events that wait, of all connections; or a quarter of the memory, if that is less; past it the largest queue goes") \
	X(HTTP_OUT_BYTES,      33554432,  "bytes",  "unsent on one connection whose client reads nothing; one answer, or the events of one turn, may be larger") \
	X(HTTP_OUT_STILL_MS,   5000,      "ms",     "a client that takes nothing for so long goes when answers wait for room") \
	X(DOOR_VOICES,         64,        "messages", "that one run says at once to a client of another protocol; the oldest counts as over then") \
	X(JSONRPC_ID_BYTES,    1024,      "bytes",  "id of a request of MCP or A2A, as JSON; and a token of progress") \
	X(MCP_TOOLS_PAGE,      100,       "tools",  "of one answer to a list of MCP's tools") \
	X(MCP_TOOL_NAME_BYTES, 64,        "bytes",  "name of a tool that is an assistant; some clients take no more") \
	X(A2A_TASKS_PAGE,      100,       "tasks",  "of one list; half of it unless pageSize says") \
	X(A2A_PUSH_TEXT_BYTES, 4096,      "bytes",  "token or credentials of a push notification") \
	X(ANSWER_LARGE_BYTES,  65536,     "bytes",  "a larger answer is made when HTTP_OUTPUT_BYTES has room for it") \
	X(ANSWER_WAIT_MS,      10000,     "ms",     "that it waits for, then 503 with Retry-After") \
	X(ANSWERS_WAITING,     256,       "answers", "of one event loop; more are told 503 at once") \
	X(ACL_RECEIVERS,       64,        "addresses", "of one message; more are a capability's `all:`") \
	X(ACL_DEPTH,           16,        "levels", "of lists in the text form of a message") \
	X(ACL_EXTRAS,          16,        "parameters", "of one message that begin with x-") \
	X(ACL_CONTENT_BYTES,   1048576,   "bytes",  "content of a message, as JSON") \
	X(ACL_BYTES,           1245184,   "bytes",  "a message, packed: the longest content and all other parameters at their longest") \
	X(ACL_PARAM_BYTES,     1024,      "bytes",  "one parameter of a message but its content: an address, an id, a name") \
	X(TALKS,               100000,    "conversations", "of a protocol that is checked, under way or just over, of one shard; past it a new one is refused") \
	X(TALKS_BYTES,         67108864,  "bytes",  "of them: ids and names may be ACL_PARAM_BYTES long") \
	X(TALK_GRACE_MS,       60000,     "ms",     "a conversation that is over is remembered, so that what comes late is told so") \
	X(TALK_IDLE_MS,        604800000, "ms",     "nothing was said in a conversation without a deadline: it is forgotten") \
	X(MAILBOX_LETTERS,     1000,      "letters", "that wait in one mailbox, where the agent says nothing else; then 429") \
	X(MAILBOX_LETTERS_MAX, 1000000,   "letters", "that an agent may ask for") \
	X(AGENT_PAUSE_MS,      60000,     "ms",     "longest pause before a supervisor starts an agent again") \
	X(MAIL_CAPABILITIES,   64,        "capabilities", "that one agent says it has") \
	X(MAIL_NEAR,           256,       "names",  "that an address nobody has is compared with, for did-you-mean") \
	X(MAIL_KEPT,           100000,    "letters", "that are over, kept as the history of conversations; the oldest go") \
	X(MAIL_KEPT_MS,        604800000, "ms",     "after a message was sent it is history: a week") \
	X(MAIL_DRAIN_MS,       30000,     "ms",     "that an agent is drained where nobody says how long") \
	X(MAIL_DRAIN_MAX_MS,   3600000,   "ms",     "that it can be asked for") \
	X(MAIL_STOP_MS,        10000,     "ms",     "that another node has to answer that its agent has stopped") \
	X(MAIL_SENDS,          256,       "messages", "of one client of the socket, sent and not answered; it is not read meanwhile") \
	X(MAIL_BYTES,          268435456, "bytes",  "of messages that wait in all mailboxes; or a quarter of the memory, if that is less; past it senders get 429, and what agents send in memory waits and then dies") \
	X(MAIL_DEAD,           10000,     "letters", "that are dead, of one owner, and some dozens more; the oldest go") \
	X(MAIL_KEPT_BYTES,     65536,     "bytes",  "of a message whose content is kept when it is over") \
	X(ACL_BATCH,           1000,      "messages", "in one request") \
	X(MAILBOX_WAIT_MS,     60000,     "ms",     "a long poll of a mailbox may wait") \
	X(MAILBOX_ROOM_BYTES,  65536,     "bytes",  "of letters under way to one reader of a mailbox; more wait in it") \
	X(MAIL_BATCH,          1000,      "letters", "that one reader of a mailbox is handed at once, at most") \
	X(MAIL_BATCH_MS,       60000,     "ms",     "that a letter waits for others to be handed over with, at most") \
	X(AGENT_RESTARTS,      1000000,   "restarts", "that a supervisor may be asked for") \
	X(AGENT_WINDOW_MS,     86400000,  "ms",     "longest window and backoff of a supervisor") \
	X(MAIL_RETRIES,        5,         "tries",  "of a letter after the first, where the message says nothing else; then it is dead") \
	X(MAIL_RETRY_MS,       1000,      "ms",     "before the first of them, then twice as long each time; also what a client is told to wait by 429") \
	X(MAIL_RETRY_MAX_MS,   60000,     "ms",     "between two of them") \
	X(MAIL_TROUBLES,       8,         "rounds", "in which a chart hears, in one event, of its sends that failed") \
	X(AGENTS_LIVE,         1000000,   "agents", "with a mailbox, of one server") \
	X(HTTP_CONNS,          20000,     "connections", "per process; past it, or without open files, the idlest are closed, or the new ones wait") \
	X(HTTP_CONNS_MIN,      8,         "connections", "with fewer open files than these need the server does not start") \
	X(TLS_CERTIFICATES,    64,        "certificates", "that one server has; the host that a client names chooses") \
	X(TLS_HANDSHAKE_MS,    10000,     "ms",     "from connecting to the end of the handshake") \
	X(TLS_HANDSHAKE_BYTES, 65536,     "bytes",  "that one handshake is counted as, of TLS_BYTES") \
	X(TLS_CONN_BYTES,      16384,     "bytes",  "that a connection with TLS is counted as, of TLS_BYTES") \
	X(TLS_BYTES,           536870912, "bytes",  "of connections with TLS, beside what they read and write; or a quarter of the memory, if that is less; past it the oldest handshake goes, or the new one") \
	X(TLS_TICKET_MS,       3600000,   "ms",     "a key of session tickets seals so long, and opens for twice as long after") \
	X(TLS_WARN_DAYS,       14,        "days",   "before its end a certificate is logged daily") \
	X(PROXY_NETS,          64,        "networks", "of proxies that are trusted") \
	X(PROXY_HOPS,          32,        "entries", "of X-Forwarded-For and Forwarded that are looked at, the last ones") \
	X(PROXY_BYTES,         2048,      "bytes",  "header of the PROXY protocol, with what it has beside addresses") \
	X(LISTEN,              16,        "addresses", "that one server listens on") \
	X(SHARDS,              64,        "event loops", "of one process") \
	X(FILES_PROCESS,       12,        "files",  "of the store, its lock and the signals, beside those open at the start") \
	X(FILES_SHARD,         11,        "files",  "of one shard: its loop, its reader, its listener, libcurl") \
	X(FILES_SPARE,         8,         "files",  "opened for a moment: names that are looked up, keys, certificates, metrics") \
	X(SSE_QUEUE_BYTES,     262144,    "bytes",  "a slower reader loses its connection and resumes by id") \
	X(SSE_HEARTBEAT_MS,    5000,      "ms",     "clients arm an idle watchdog of three intervals") \
	X(WS_MESSAGE_BYTES,    16777216,  "bytes",  "of one message that a WebSocket client sends: a command with its input, as large as over HTTP; a larger one ends the socket (1009)") \
	X(WS_MESSAGE_FRAMES,   65536,     "frames", "of one message: the largest in pieces of 256 bytes; more end the socket (1008)") \
	X(WS_CONTROLS,         100,       "frames/s", "pings and pongs of a WebSocket client; more end the socket (1008)") \
	X(WS_PING_MS,          20000,     "ms",     "between two pings of a WebSocket; a client that has sent nothing since the last one is gone") \
	X(WS_UNREAD_BYTES,     65536,     "bytes",  "queued on a WebSocket; past it no more of what its client sends is read until all of it has left") \
	X(RELAY_WINDOW_BYTES,  262144,    "bytes",  "of an answer under way from one node to another that its client has not taken") \
	X(RELAY_STREAMS,       50000,     "requests", "of clients of other nodes that one shard serves at a time; past it their node answers 503") \
	X(RELAY_LISTENED,      1000000,   "threads", "that are listened to on other nodes; more are not known here") \
	X(RELAY_LINKS,         4096,      "links",  "of one shard to shards of other nodes") \
	X(RELAY_PING_MS,       1000,      "ms",     "between two pings of shards of two nodes that have a request under way") \
	X(RELAY_DOWN_MS,       2000,      "ms",     "without an answer to a ping, or without the bus; then requests between nodes are cut") \
	X(RELAY_BEAT_MS,       60000,     "ms",     "between two heartbeats that a node makes for a stream of another node") \
	X(RELAY_ASK_MS,        1000,      "ms",     "to find which node has a run, worker or task") \
	X(RELAY_ASKS,          1000,      "questions", "of one shard under way") \
	X(RELAY_HOPS,          3,         "nodes",  "that name another one before a request is answered with 503") \
	X(SOCKET_COMMANDS,     16,        "commands", "of one WebSocket under way; past it no more of what its client sends is read") \
	X(SOCKET_SUBSCRIPTIONS, 64,       "subscriptions", "of one WebSocket") \
	X(LOG_BURST,           50,        "lines",  "of one event in a period of the log; the rest is counted and told in one line") \
	X(LOG_PERIOD_MS,       10000,     "ms",     "such a period") \
	X(LOG_AGAIN_MS,        60000,     "ms",     "between two lines about a failure that goes on") \
	X(STREAM_RING_BYTES,   1048576,   "bytes",  "replay kept in memory for one live run") \
	X(STREAM_FLUSH_BYTES,  16384,     "bytes",  "resumable events are written past this") \
	X(STREAM_FLUSH_MS,     100,       "ms",     "or after this long") \
	X(LOG_BYTES,           1048576,   "bytes",  "events of one thread in memory: its run under way and those before") \
	X(LOG_BATCH_BYTES,     65536,     "bytes",  "of them in one row of the store") \
	X(TRANSCRIPT_PAYLOAD,  262144,    "bytes",  "of one message, argument or result in a transcript; a larger one is cut") \
	X(TRANSCRIPT_TEXT,     65536,     "bytes",  "of one text in it: a system prompt, the words of an error") \
	X(TRANSCRIPT_HELD,     1048576,   "bytes",  "of a transcript between two commits; what is more is left out") \
	X(TRANSCRIPT_BYTES,    67108864,  "bytes",  "of one run's transcript") \
	X(TRANSCRIPT_ENTRIES,  200000,    "entries", "of one run's transcript") \
	X(DIFF_WORDS,          4000,      "words",  "of each of two answers that are compared word by word") \
	X(TRANSCRIPT_NOTED,    4096,      "messages", "of a run that its transcript names by id after their first time") \
	X(HOSTED_NAMESPACES,   10000,     "namespaces", "of a graph in a worker that one run has open at once") \
	X(HOSTED_TASKS,        10000,     "tasks",  "of a graph in a worker that one run has open at once; and questions of it") \
	X(HOSTED_SAID,         10000,     "messages", "of a graph in a worker that are told and not saved yet; the oldest count as saved") \
	X(HOSTED_LOSSES,       3,         "leases", "that a run loses one after the other without a step saved: then it fails") \
	X(HOSTED_APPENDS,      16,        "batches", "of events of one run on their way to the store: then its worker is asked to wait") \
	X(HOSTED_SHOW_MS,      250,       "ms",     "after that the tasks of a step of a graph in a worker are in the store, if the step lasts") \
	X(HOSTED_HOLD_MS,      25,        "ms",     "a checkpoint is told with the tasks that come next, which may be in the worker's next batch") \
	X(HOSTED_STICKY,       1024,      "threads", "whose last worker is known, of one shard") \
	X(EVENT_NS_BYTES,      16384,     "bytes",  "names and ids of the tasks a graph is nested in") \
	X(JSON_DEPTH,          128,       "levels", "nesting of any JSON from outside") \
	X(JSON_VALUES,         2000000,   "values", "in one document; a parsed one takes 16 bytes") \
	X(JSON_STRING_BYTES,   8388608,   "bytes",  "one string of a request") \
	X(NAME_BYTES,          512,       "bytes",  "a name, key or label") \
	X(METADATA_BYTES,      65536,     "bytes",  "metadata, config or context of one object") \
	X(FILTER_BYTES,        8192,      "bytes",  "a filter or query: matching a row costs its size times the row's") \
	X(THREAD_TTL_MINUTES,  5256000,   "minutes", "a thread's ttl: ten years") \
	X(SWEEP_MINUTES,       10080,     "minutes", "between two sweeps: a week") \
	X(SWEEP_ROWS,          1000000,   "threads", "that one sweep may be told to remove") \
	X(PRUNE_IDS,           1000,      "threads", "that one request prunes") \
	X(EXTRACTS,            10,        "paths",  "that a search of threads takes values from, as LangGraph") \
	X(EXTRACT_STEPS,       32,        "steps",  "of one such path: names and indexes") \
	X(MESSAGES,            10000,     "messages", "in one thread's list") \
	X(CHANNELS,            1024,      "channels", "of one checkpoint") \
	X(TASKS,               10000,     "tasks",  "that come next after one checkpoint") \
	X(SAVER_ID_BYTES,      256,       "bytes",  "id of a checkpoint or a task of a worker's graph; UUIDs are 36") \
	X(SAVER_PATH_BYTES,    8192,      "bytes",  "path of a task in its graph: a level for each Send within a Send") \
	X(SAVER_CHANNEL_BYTES, 8192,      "bytes",  "name of a channel of a worker's graph: a join names all the nodes that it waits for") \
	X(SAVER_TYPE_BYTES,    64,        "bytes",  "name of a serialiser's type: json, msgpack") \
	X(SAVER_PAGE,          100,       "checkpoints", "of one list of a worker's saver") \
	X(SAVER_PAGE_BYTES,    4194304,   "bytes",  "of the same; a single checkpoint may be larger") \
	X(CHECKPOINT_NS_BYTES, 4096,      "bytes",  "a checkpoint's namespace: a node and a task id for each level") \
	X(CHECKPOINT_NS_PUT_BYTES, 2400,  "bytes",  "of a checkpoint that is saved; with SAVER_ID_BYTES it fits an entry of an index of PostgreSQL, 2,704 bytes; older versions saved longer ones on SQLite, which are read") \
	X(NAMESPACES,          10000,     "namespaces", "of one thread in one answer") \
	X(INTERRUPTS,          1000,      "interrupts", "that wait on one thread") \
	X(STATE_BYTES,         33554432,  "bytes",  "all values of one thread") \
	X(PAGE_ROWS,           1000,      "rows",   "largest limit of a search") \
	X(SCAN_MS,             2000,      "ms",     "a search takes no longer; one of store items ends with what it has and says so") \
	X(NAMESPACE_LABELS,    32,        "labels", "of a store namespace") \
	X(NAMESPACE_BYTES,     16416,     "bytes",  "labels of one store namespace at their longest, and what is between them") \
	X(ITEM_NAMESPACE_BYTES, 2048,     "bytes",  "of an item that is put; with its key it fits an entry of an index of PostgreSQL") \
	X(ITEM_PATHS,          32,        "paths",  "that one store item is found by") \
	X(ITEM_PARTS,          64,        "parts",  "of one store item's value at these paths; each has a vector") \
	X(ITEM_WORDS_BYTES,    262144,    "bytes",  "of one store item's texts that its words are taken from") \
	X(WORDS_RANKED,        2048,      "items",  "that match a query of words and are ranked together; beyond these, the newest of all, come as many older ones") \
	X(ITEM_TTL_MS,         3153600000000, "ms", "longest ttl of a store item: a hundred years") \
	X(STORE_VALUE_BYTES,   4194304,   "bytes",  "one store item") \
	X(PG_WAIT_MS,          2000,      "ms",     "PostgreSQL says nothing or cannot be reached: then 503, and at once while it stays so") \
	X(PG_MIGRATE_MS,       60000,     "ms",     "that a start waits for another node that makes the tables of a newer version") \
	X(CLUSTER_WAIT_MS,     3600000,   "ms",     "longest that a start waits for PostgreSQL (cluster.wait)") \
	X(CLUSTER_WAIT_SAY_MS, 10000,     "ms",     "between two lines of the log of a start that waits for it") \
	X(PG_OPEN_MS,          10000,     "ms",     "that a start tries for each connection once the first one was there; cluster.wait, where that is longer, once the store is open") \
	X(PG_RETRY_MS,         250,       "ms",     "between two tries to reach it") \
	X(PG_STATEMENT_MS,     1500,      "ms",     "of one statement in PostgreSQL, but of a search, which has SCAN_MS; below PG_WAIT_MS, so that the server ends it and not the connection") \
	X(PG_LOCK_MS,          1000,      "ms",     "that a statement waits there for a lock; then its transaction runs again") \
	X(BACKUP_RECORD_BYTES, 1048576,   "bytes",  "a record of a backup's file; they are made of 256 KB of pages, or of one of 64 KB") \
	X(BACKUP_FILES,        100000,    "files",  "of one folder of backups") \
	X(BACKUP_LOG_BYTES,    67108864,  "bytes",  "a shipped log; past it the next file of it begins") \
	X(BACKUP_LAG_FRAMES,   16384,     "pages",  "of the database's log that wait for a slow backup folder: 64 MB; past it the log is moved, and a new increment takes up") \
	X(BACKUP_STAMPS,       65536,     "commits", "whose times wait for that; later ones share a time") \
	X(BACKUP_SHIP_MS,      1000,      "ms",     "between two looks at what is to be shipped: what a lost disk may cost") \
	X(BACKUP_RETRY_MS,     10000,     "ms",     "after a backup that failed") \
	X(PG_DOUBT_MS,         10000,     "ms",     "that commands wait for PostgreSQL to come back when it went away during their commit; then 503, and nobody knows") \
	X(PG_IDLE_MS,          2000,      "ms",     "that a transaction is open there and nothing comes; then PostgreSQL ends it, so that a node that stopped holds no locks") \
	X(WRITER_BYTES,        67108864,  "bytes",  "queued writes; past it 503 with Retry-After") \
	X(WRITER_OPS,          20000,     "operations", "queued writes; past it 503 with Retry-After") \
	X(WRITER_BATCH,        512,       "operations", "in one transaction, so that readers see progress") \
	X(WRITER_LINGER_MS,    20,        "ms",     "a write nobody waits for may wait so long for company") \
	X(LIVE_RUNS,           131072,    "runs",   "sessions in memory; past it a run stays pending") \
	X(LIVE_RUN_BYTES,      16384,     "bytes",  "of memory for each of them: a machine with less has fewer") \
	X(HOOK_TRIES,          5,         "tries",  "of a message to another server, the last one within the hour; then it is given up") \
	X(HOOK_MS,             10000,     "ms",     "of one try, from the name to the end of the answer") \
	X(HOOK_BODY_BYTES,     33554432,  "bytes",  "of such a message; values of a run that do not fit are left out, and it says so") \
	X(HOOK_HEADER_BYTES,   16384,     "bytes",  "of the setting webhooks.headers, once its variables are filled in") \
	X(HOOK_ANSWER_BYTES,   65536,     "bytes",  "of its answer, which is read over; past them the connection is cut") \
	X(HOOK_URL_BYTES,      8192,      "bytes",  "largest webhooks.max-url-length") \
	X(HOOKS_SENDING,       64,        "messages", "that are being sent, of the process") \
	X(HOOKS_RECEIVER,      8,         "messages", "of them to one scheme, host and port: others are not held up") \
	X(HOOKS_BYTES,         67108864,  "bytes",  "of them; past it only those under way are sent") \
	X(RUN_SLEEP_MS,        5000,      "ms",     "a run whose tasks all wait for longer, and that nobody watches, leaves memory") \
	X(WAKE_BATCH,          256,       "runs",   "that fell due are taken up at once; then the next") \
	X(TAKE_THREADS,        64,        "threads","of a lost node that one node takes in a transaction; then the next") \
	X(NODE_RUNS,           1000,      "runs",   "of its own that a node compares with the store in one look") \
	X(NODE_MISSED,         16384,     "runs",   "that should be in a node's memory and are not, remembered until it is sure; then the next") \
	X(NODE_YIELD_MS,       5000,      "ms",     "that what fell due waits for the node that has the readers of its thread; then any takes it up") \
	X(NODE_LOOK_MS,        1000,      "ms",     "between two looks of a node at what other nodes have written for it, and at what falls due") \
	X(CLOCK_CHECK_MS,      60000,     "ms",     "the wall clock is looked at so often while something waits for it") \
	X(ASK_AGAIN_MS,        30000,     "ms",     "a question whose time is over on a busy thread is looked at again") \
	X(AFTER_SECONDS,       31536000,  "s",      "that a run may begin later than it is made: a year; what is planned for longer is a cron's") \
	X(BATCH_RUNS,          200,       "runs",   "in one request that starts many") \
	X(CANCEL_RUNS,         1000,      "runs",   "named in one request that cancels many; by status they are cancelled so many at a time") \
	X(LISTENERS,           20000,     "streams", "of threads, open at once, of either kind; more get 429") \
	X(THREAD_LISTENERS,    2000,      "streams", "of one thread and owner; more are closed at once") \
	X(READER_QUEUE_BYTES,  65536,     "bytes",  "unsent to a reader of the thread protocol; past it live events wait in the log, and deltas are joined") \
	X(FILTER_CHANNELS,     64,        "channels", "that one reader of the thread protocol names") \
	X(FILTER_NAMESPACES,   256,       "namespaces", "the same") \
	X(NAMESPACE_SEGMENTS,  64,        "segments", "of a namespace that a client names: one for each sub-agent inside another") \
	X(PROTOCOL_SEQS,       4096,      "events", "of the thread protocol that one event of a run may become; their numbers are apart so far") \
	X(REPLAY_RUNS,         20,        "runs",   "of a thread whose kept events a stream of it repeats, the newest") \
	X(QUEUED_RUNS,         1000,      "runs",   "pending on one thread") \
	X(RUN_ATTEMPTS,        3,         "attempts", "a run that was cut off so often, and did not leave memory in between, becomes error") \
	X(RECURSION_DEFAULT,   25,        "steps",  "LangGraph's default") \
	X(ASSISTANT_VERSIONS,  10000,     "versions", "of one assistant; every change is one, and none is ever lost") \
	X(ONCE_KEYS,           1000000,   "keys",   "of requests (Idempotency-Key) that are kept, of all owners, some 150 bytes each; the oldest go") \
	X(ONCE_MS,             86400000,  "ms",     "that a key is kept") \
	X(RECURSION_MAX,       10000,     "steps",  "largest recursion_limit") \
	X(LLM_BODY_BYTES,      33554432,  "bytes",  "answer of a model") \
	X(LLM_LINE_BYTES,      16777216,  "bytes",  "one line of a model's stream; some servers send a whole image or all arguments in one") \
	X(LLM_FREE_BYTES,      262144,    "bytes",  "of an answer under way; what it holds beyond is charged to the process's account of output") \
	X(LLM_DONE_MS,         100,       "ms",     "a connection may stay open after [DONE], to be used again; then it is cut") \
	X(LLM_FINISH_MS,       10000,     "ms",     "and so long after a finish_reason without [DONE]") \
	X(LLM_REDIRECTS,       3,         "redirects", "of one request to a model; same origin, 307 and 308 only") \
	X(LLM_QUIRKS,          256,       "models", "whose servers refused a part of a request are remembered; the oldest goes") \
	X(LLM_CONNECT_MS,      10000,     "ms",     "to connect to a model") \
	X(LLM_SILENCE_MS,      120000,    "ms",     "without a byte from a model") \
	X(LLM_ID_BYTES,        65536,     "bytes",  "id of a tool call; some gateways put the model's signature into it") \
	X(LLM_BLOCKS,          4096,      "blocks", "of a model's answer that are kept apart: thoughts, signed texts") \
	X(LLM_ANSWER_TOKENS,   16384,     "tokens", "an Anthropic model may answer with where the agent says nothing; the API wants a number") \
	X(LLM_CACHE_BYTES,     16384,     "bytes",  "of a conversation from which on Anthropic is asked to cache it") \
	X(LLM_SCHEMA_NODES,    5000,      "schemas", "in one tool's parameters as written for Gemini, where $ref is written out") \
	X(LLM_SCHEMA_DEPTH,    32,        "levels", "of the same; deeper is any object") \
	X(LLM_RETRIES,         3,         "retries", "of a transient model error") \
	X(LLM_RETRY_AFTER_MS,  60000,     "ms",     "longest Retry-After that is honoured") \
	X(LLM_CONCURRENCY,     8192,      "calls",  "to one provider at once; more wait") \
	X(LLM_WAITING,         20000,     "calls",  "that wait for a turn at one provider; past it error.llm.overloaded") \
	X(LLM_TURN_MS,         600000,    "ms",     "longest wait for a provider's requests_per_minute and tokens_per_minute; past it the next target, or error.llm.rate_limited") \
	X(LLM_HERE_MS,         5000,      "ms",     "longest Retry-After that is waited for when there is another target; past it that one is asked") \
	X(LLM_CIRCUITS,        256,       "targets", "that are left out until their Retry-After is over; the oldest is forgotten") \
	X(EMBEDS,              64,        "requests", "to the embedding model at once, of one event loop; more wait") \
	X(EMBED_TEXTS,         256,       "texts",  "in one request to the embedding model") \
	X(EMBEDS_WAITING,      1000,      "calls",  "that wait for it, of one event loop; past it 503") \
	X(EMBED_BYTES,         1048576,   "bytes",  "the texts of one store item, for the embedding model; and of one request to it") \
	X(EMBED_SILENCE_MS,    30000,     "ms",     "without a byte from the embedding model") \
	X(VECTOR_DIMS,         8192,      "dims",   "of an embedding") \
	X(VECTORS_BYTES,       268435456, "bytes",  "of embeddings that searches keep in memory; or a quarter of the memory, if that is less; an owner with more is searched on disk") \
	X(CONFIG_VALUES,       20000,     "values", "of providers and models in cohort.yaml") \
	X(PROVIDERS,           64,        "providers", "in cohort.yaml, with those built in") \
	X(MODEL_ALIASES,       1000,      "aliases", "of models in cohort.yaml") \
	X(MODEL_TARGETS,       16,        "targets", "of one alias, with those of aliases it names; and of one call, with its fallbacks") \
	X(SCRIPT_BYTES,        1048576,   "bytes",  "a file of scripted answers") \
	X(DNS_TTL_MS,          60000,     "ms",     "a name's addresses are kept; the system's resolver tells no TTL") \
	X(DNS_FAIL_MS,         1000,      "ms",     "a name that did not resolve is not asked again") \
	X(DNS_NAMES,           1024,      "names",  "kept at once; the oldest goes") \
	X(LLM_CORRECTIONS,     2,         "times",  "a model is told what is wrong with its answer, in one piece of work") \
	X(LLM_EVENTS,          64,        "events", "of one llm") \
	X(LLM_INJECTS,         64,        "messages", "of clients that wait for the next turn of one task") \
	X(TOOL_CALLS,          64,        "calls",  "in one model answer") \
	X(TOOL_TURN_BYTES,     4194304,   "bytes",  "results of all tool calls of one message; the rest is cut") \
	X(WORKER_INPUT_BYTES,  16777216,  "bytes",  "state and input of a node, or arguments of a tool, that an external worker gets") \
	X(WORKER_ERROR_BYTES,  65536,     "bytes",  "of the words of an error that a worker tells; the rest is cut") \
	X(WORKER_TRIES,        3,         "attempts", "of a node or a tool that may be done twice, when its worker is lost") \
	X(WORKER_TOOL_WAIT_MS, 600000,    "ms",     "a call of a tool waits so long for a worker that takes it") \
	X(WORKER_KNOWN_MS,     30000,     "ms",     "a model waits so long for the schema of a worker's tool that nobody has registered yet") \
	X(WORKER_ABSENT_MS,    10000,     "ms",     "a node that no worker serves waits so long in memory") \
	X(WORKER_LOOK_MS,      60000,     "ms",     "then its run leaves memory, and looks again after this") \
	X(TOOL_RETRIES,        100,       "retries", "of one tool call") \
	X(TOOL_PAGE_BYTES,     100000,    "bytes",  "of a page that a model reads with http_get; the rest is cut") \
	X(TOOL_RESULT_BYTES,   1048576,   "bytes",  "result of one tool call") \
	X(MAP_ELEMENTS,        100000,    "elements", "of one map; each has a piece of memory") \
	X(MAP_PARALLEL,        1000,      "elements", "of one map at work at once; a map without a concurrency has as many") \
	X(MCP_SESSIONS,        64,        "servers", "MCP servers connected to, of one event loop") \
	X(MCP_MESSAGE_BYTES,   8388608,   "bytes",  "one message of an MCP server; a longer one ends the connection") \
	X(MCP_TOOLS,           1024,      "tools",  "of one MCP server") \
	X(MCP_CALLS,           1024,      "calls",  "under way or waiting at one MCP server") \
	X(MCP_START_MS,        60000,     "ms",     "from starting an MCP server to its first answer: npx may load it first") \
	X(MCP_CALL_MS,         60000,     "ms",     "an answer of an MCP server; each progress notification begins it anew") \
	X(MCP_CALL_MAX_MS,     3600000,   "ms",     "however much progress it tells") \
	X(MCP_IDLE_MS,         300000,    "ms",     "a connection that nobody uses") \
	X(MCP_RETRY_MS,        30000,     "ms",     "longest pause before a server that failed is started again") \
	X(MCP_UNASKED,         1000,      "messages", "in ten seconds that nobody asked an MCP server for; then it is ended") \
	X(AGENT_MCP,           16,        "servers", "of MCP that one agent, or a run, names") \
	X(MCP_NAME_BYTES,      32,        "bytes",  "name of an MCP server in an agent") \
	X(MCP_PARTS,           64,        "values", "arguments, variables, headers or tools of an MCP server in an agent") \
	X(MCP_REFERENCE_BYTES, 4096,      "bytes",  "a file that a header or variable of an MCP server is read from") \
	X(PROCESS_QUEUE_BYTES, 16777216,  "bytes",  "that wait for a child process to read them") \
	X(HTTP_GET_BYTES,      1048576,   "bytes",  "answer to http_get") \
	X(HTTP_GET_MS,         60000,     "ms",     "http_get, to the end of its answer") \
	X(TASK_PIECES,         1000000,   "pieces", "of work in one task: items of sequences, elements, turns; each may write") \
	X(REPEAT_TURNS,        10000,     "turns",  "of one repeat") \
	X(RETRIES,             1000,      "retries", "of one piece of work") \
	X(WAIT_DAYS,           366,       "days",   "longest wait of a task") \
	X(CHART_STATES,        4096,      "states", "in one chart") \
	X(CHART_BYTES,         1048576,   "bytes",  "source of one chart") \
	X(CHART_DEPTH,         64,        "levels", "nesting of states") \
	X(CHART_STEPS,         10000,     "microsteps", "in one macrostep; past it error.execution, and the session ends if nothing takes it, or after a tenth more") \
	X(CHART_ACTIONS,       100000,    "actions", "executed in one macrostep, turns of loops too; past it as CHART_STEPS") \
	X(CHART_WORK,          5000000,   "steps",  "in one macrostep: of expressions (16 bytes made count as one), transitions tried, states entered and left; past it as CHART_STEPS") \
	X(CHART_QUEUE,         10000,     "events", "waiting in one session; past it as CHART_STEPS, and they are dropped; a send past it fails") \
	X(CHART_SESSIONS,      256,       "sessions", "of one chart and the charts that it invokes, at once; past it an invoke fails") \
	X(CHART_NESTING,       32,        "levels", "of charts that invoke charts") \
	X(GOTOS,               1000,      "nodes",  "in one command's goto, or in one list of breakpoints") \
	X(UPDATES,             1000,      "updates", "of a state in one request: objects of values, supersteps, their updates") \
	X(GRAPH_NODES,         4096,      "nodes",  "in one graph, as CHART_STATES") \
	X(GRAPH_EDGES,         16384,     "edges",  "in one graph; an edge that waits for several nodes counts as many") \
	X(GRAPH_SENDS,         10000,     "sends",  "that one step of a graph leaves for the next: each is a task") \
	X(AGENT_BYTES,         1048576,   "bytes",  "the file of one agent") \
	X(AGENT_DEPTH,         64,        "levels", "nesting in it") \
	X(AGENT_VALUES,        100000,    "values", "in it") \
	X(AGENT_CHANNELS,      1024,      "channels", "of one agent") \
	X(AGENT_NAMES,         256,       "names",  "from `as` in one node's work") \
	X(DRAWING_NODES,       10000,     "nodes",  "in one drawing of an agent with its sub-agents, or sub-agents in one list of them") \
	X(DRAWING_EDGES,       50000,     "edges",  "in one drawing") \
	X(PICTURE_NODES,       1000,      "nodes",  "in a drawing that is laid out, with the dots where groups begin") \
	X(PICTURE_EDGES,       2000,      "edges",  "in such a drawing") \
	X(AGENT_NESTING,       16,        "levels", "of agents that call agents") \
	X(AGENT_TOOLS,         1024,      "tools",  "that one agent describes, or one llm names; providers take 128") \
	X(AGENT_CALLED,        512,       "agents", "that one agent calls, with those that they call, as tools too") \
	X(AGENTS,              10000,     "agents", "of one server") \
	X(EXPR_BYTES,          65536,     "bytes",  "one expression") \
	X(EXPR_DEPTH,          64,        "levels", "nesting of one expression") \
	X(EXPR_STEPS,          100000,    "steps",  "one evaluation") \
	X(EXPR_BYTES_OUT,      8388608,   "bytes",  "values made by one evaluation") \
	X(WORK_TITLE_BYTES,    500,       "bytes",  "of a work item's title, as bd") \
	X(WORK_TEXT_BYTES,     1048576,   "bytes",  "of a description, design, comment, reason") \
	X(WORK_ITEM_BYTES,     8388608,   "bytes",  "one work item with all its fields") \
	X(WORK_ID_BYTES,       64,        "bytes",  "of an id") \
	X(WORK_PARTIAL_BYTES,  3,         "bytes",  "at least, of the beginning of a hash that names an item in a change") \
	X(WORK_PREFIX_BYTES,   32,        "bytes",  "of the ids' prefix") \
	X(WORK_NAME_BYTES,     256,       "bytes",  "an actor, assignee or external reference") \
	X(WORK_LABEL_BYTES,    128,       "bytes",  "one label") \
	X(WORK_LABELS,         128,       "labels", "of one item") \
	X(WORK_DEPS,           1024,      "dependencies", "of one item") \
	X(WORK_CHILDREN,       100000,    "children", "with a number of their own, of one item") \
	X(WORK_MINUTES,        5256000,   "minutes", "an estimate: ten years") \
	X(WORK_ROWS,           100000,    "items",  "in one answer") \
	X(WORK_IMPORT_ITEMS,   1000000,   "items",  "in one import; in one transaction") \
	X(WORK_SCAN,           1000000,   "items",  "whose texts one search reads; past it the search says so") \
	X(WORK_DIFFERENCES,    1000,      "differences", "that one recount shows; it counts and mends all") \
	X(WORK_READY_ROWS,     10,        "items",  "of ready without -n, as bd") \
	X(WORK_IDS,            1000,      "ids",    "in one operation") \
	X(WORK_TREE_DEPTH,     1000,      "levels", "of dep tree") \
	X(WORK_GRAPH_EDGES,    1000000,   "dependencies", "of one tracker kept in memory to find cycles, about 60 MB; past it they are read one by one") \
	X(WORK_BATCH,          10000,     "operations", "in one batch") \
	X(WORK_LEASE_MS,       1800000,   "ms",     "a claim without a length; a heartbeat extends it") \
	X(WORK_LEASE_MIN_MS,   1000,      "ms",     "shortest claim") \
	X(WORK_LEASE_MAX_MS,   604800000, "ms",     "longest claim: a week") \
	X(WORK_ONCE_MS,        604800000, "ms",     "an answer is kept under its caller's key") \
	X(WORK_PROJECTS,       1000,      "projects", "of one owner of a server, one tracker each") \
	X(WORK_PROJECT_BYTES,  128,       "bytes",  "name of a project, one tracker each") \
	X(WORK_EVENTS,         256,       "events", "read at once for a stream of them") \
	X(WORK_MCP_BYTES,      16777216,  "bytes",  "one message of an MCP client: an item of the longest texts, quoted") \
	X(WORK_MEMORY_BYTES,   134217728, "bytes",  "for one operation and its answer") \
	X(WORK_PAGE_BYTES,     4194304,   "bytes",  "of items in one page of an export") \
	X(WORK_MARKDOWN_ITEMS, 1000,      "items",  "in one file of create -f") \
	X(WORK_GIT_BYTES,      1048576,   "bytes",  "of what git prints that are read") \
	X(WORK_GIT_LOCK_MS,    10000,     "ms",     "waited for a lock of another git") \
	X(WORK_GIT_MS,         120000,    "ms",     "one step of git in the checkout; a large one writes for minutes") \
	X(WORK_GIT_REMOTE_MS,  300000,    "ms",     "one fetch or push; a remote that hangs is given up") \
	X(WORK_SYNC_STOP_MS,   5000,      "ms",     "a sync of the daemon's may go on when it is to stop") \
	X(WORK_SYNC_BACKOFF_MS, 600000,   "ms",     "longest pause of the daemon after syncs that failed") \
	X(WORK_GIT_TRIES,      20,        "times",  "that is waited for") \
	X(WORK_SYNC_TRIES,     5,         "times",  "pull and push when others push at the same time") \
	X(WORK_REPORTS,        10000,     "entries", "clashes, warnings and new ids that one import names; the rest is counted") \
	X(CRONS,               20000,     "crons",  "of one owner") \
	X(CRON_BYTES,          262144,    "bytes",  "what a cron's runs are asked, its input among it") \
	X(SCHEDULE_BYTES,      256,       "bytes",  "the five fields of a cron") \
	X(ZONE_BYTES,          65536,     "bytes",  "a time zone's file; the largest of 2025 has 4 KB") \
	X(API_KEYS,            1000,      "keys",   "in the keys file; each is compared for each request") \
	X(KEYS_FILE_BYTES,     1048576,   "bytes",  "the keys file") \
	X(SECRET_BYTES,        65536,     "bytes",  "a secret that a setting names (env:, file:, credential:)") \
	X(JWT_BYTES,           8192,      "bytes",  "one token") \
	X(POLICY_BYTES,        262144,    "bytes",  "a policy file") \
	X(POLICY_RULES,        256,       "rules",  "of a policy; each request looks at all of them") \
	X(JWT_SKEW_S,          30,        "s",      "clock difference that is forgiven") \
	X(JWKS_KEYS,           100,       "keys",   "in a JWK set") \
	X(JWKS_BYTES,          1048576,   "bytes",  "a JWK set") \
	X(JWK_ID_BYTES,        512,       "bytes",  "the kid of a key") \
	X(JWK_RSA_MIN_BITS,    2048,      "bits",   "smallest RSA key (RFC 7518 section 3.3)") \
	X(JWK_RSA_MAX_BITS,    8192,      "bits",   "largest RSA key; verifying with it takes 0.3 ms") \
	X(JWKS_KEEP_MIN_MS,    60000,     "ms",     "an issuer's keys are kept at least, whatever it says") \
	X(JWKS_KEEP_MAX_MS,    86400000,  "ms",     "and at most: a day") \
	X(JWKS_PAUSE_MS,       10000,     "ms",     "between two fetches of an issuer's keys for tokens of unknown keys") \
	X(AUTH_ASK_MS,         5000,      "ms",     "an issuer or a verifier may take to answer") \
	X(AUTH_ASKING,         1024,      "questions", "to a verifier at once, of the process") \
	X(AUTH_WAITING,        8192,      "requests", "that wait for their answers, of the process") \
	X(AUTH_ANSWER_BYTES,   16384,     "bytes",  "what a verifier tells of a user") \
	X(AUTH_NO_MS,          5000,      "ms",     "a verifier's no is kept") \
	X(AUTH_DOWN_MS,        1000,      "ms",     "a verifier that failed is not asked again about the same credentials") \
	X(AUTH_KEY_LOOK_MS,    3000,      "ms",     "between two looks whether a stream's API key is still in the file") \
	X(SESSION_MS,          43200000,  "ms",     "a session lasts at most: half a day; its credentials may end it sooner") \
	X(SESSIONS,            32768,     "sessions", "of the process, some 1 KB each; the oldest goes") \
	X(SESSIONS_OWNER,      32,        "sessions", "of one user; his oldest goes") \
	X(SESSIONS_BYTES,      33554432,  "bytes",  "credentials that sessions stand for; and as many that tickets do") \
	X(PASS_ASK_MS,         250,       "ms",     "that other nodes are waited for to show a session or a ticket that is not known here") \
	X(PASS_END_MS,         25,        "ms",     "before the end of a session is confirmed, for its message to reach other nodes; that takes some 0.1 ms") \
	X(PASSES_ENDED,        4096,      "sessions", "ended while NATS was away, that other nodes are told of when it is back") \
	X(SESSION_SWEEP_MS,    60000,     "ms",     "between two looks for sessions and tickets that are over") \
	X(TICKET_MS,           30000,     "ms",     "a WebSocket must begin within, to take its ticket") \
	X(TICKETS,             32768,     "tickets", "of the process that were not taken; the oldest goes") \
	X(TICKETS_OWNER,       256,       "tickets", "of one user; his oldest goes") \
	X(KEY_NUMBER,          1000000000, "",       "the largest limit of a caller") \
	X(AUTH_SCOPES,         256,       "scopes", "of a caller; more are not looked at") \
	X(WORK_SETTINGS,       1000,      "settings", "that clients keep with one tracker") \
	X(WORK_SETTING_BYTES,  4096,      "bytes",  "of one of them") \
	X(WORK_LINE_BYTES,     67108864,  "bytes",  "one request of the tracker's daemon: an import of 10,000 items is 10 MB") \
	X(WORK_OUT_BYTES,      134217728, "bytes",  "unsent answers of one of its connections; a slower reader is closed") \
	X(WORK_CONNS,          1000,      "connections", "of one daemon; more are told that it is busy") \
	X(WORK_CONNS_MIN,      8,         "connections", "of one daemon, however few files it may open") \
	X(WORK_FILES,          48,        "files",  "of a daemon kept back from connections, for the tracker's file, its log and git") \
	X(BENCH_SESSIONS,      1000000,   "sessions", "at once in one benchmark; each is 5 KB and more") \
	X(BENCH_TURNS,         1000,      "turns",  "of a benchmark's session") \
	X(BENCH_TOKENS,        10000,     "tokens", "of an answer in a benchmark") \
	X(BENCH_BURN,          1000000,   "turns",  "of an empty loop for each delta of a benchmark") \
	X(BENCH_STATE_KB,      1024,      "KB",     "state of a benchmark's session at its start") \
	X(SCENARIO_PHASES,     64,        "phases", "of a load scenario") \
	X(SCENARIO_SEQUENCES,  32,        "sequences", "of a load scenario") \
	X(SCENARIO_STEPS,      64,        "steps",  "of a sequence") \
	X(SCENARIO_ROWS,       40,        "names",  "of steps in a load scenario: each has its own figures") \
	X(SCENARIO_NAME_BYTES, 24,        "bytes",  "such a name: figures are called ratio_NAME_p99_high") \
	X(SCENARIO_VARIABLES,  64,        "variables", "of a load scenario, with those it captures") \
	X(SCENARIO_USERS,      20000,     "users",  "of a load scenario at once, each a connection") \
	X(SCENARIO_RATE,       1000000,   "/s",     "sequences that a load scenario begins") \
	X(SCENARIO_MS,         604800000, "ms",     "a phase, pause or timeout of a load scenario: a week") \
	X(SCENARIO_EVENTS,     10000,     "events", "of a stream after which a load driver leaves; all are looked at again for each") \
	X(SCENARIO_ANSWER_BYTES, 16777216, "bytes", "one answer that a load driver reads") \
	X(DEV_FILES,           20000,     "files",  "of a project that `cohort dev` looks at") \
	X(DEV_FOLDERS,         2000,      "folders", "of a project that `cohort dev` watches") \
	X(DEV_STOP_MS,         10000,     "ms",     "that workers of `cohort dev` may take to end; then they are killed") \
	X(WORKERS,             20000,     "workers", "registered at once, of one server") \
	X(HOSTED_GRAPHS,       1000,      "graphs", "of workers that one server keeps: their schemas and drawings") \
	X(WORKER_NAMES,        20000,     "names",  "of graphs, nodes and tools that workers serve or served; those that nobody needs go first") \
	X(WORKER_SERVES,       1000,      "names",  "that one worker serves: graphs, runs, nodes and tools") \
	X(WORKER_BYTES,        4194304,   "bytes",  "one registration: schemas and drawings of all its graphs") \
	X(WORKERS_BYTES,       268435456, "bytes",  "of what is registered, of all names") \
	X(WORKER_NAME_BYTES,   200,       "bytes",  "name, build or language of a worker, name of what it serves") \
	X(WORKER_SLOTS,        10000,     "tasks",  "of one kind that one worker takes at once") \
	X(WORKER_OFFERS,       100000,    "tasks",  "that wait for workers, of one server; more are refused") \
	X(LEASE_MIN_MS,        1000,      "ms",     "shortest lease of a node of a cluster (cluster.lease)") \
	X(LEASE_MS,            60000,     "ms",     "longest: so long its runs stand still when it dies") \
	X(CLUSTER_NAME_BYTES,  64,        "bytes",  "name of a node, and the prefix of a cluster's subjects") \
	X(WORKER_LEASE_MS,     3600000,   "ms",     "longest lease of a worker's task: its loss is noticed as late") \
	X(WORKER_LEASE_MIN_MS, 200,       "ms",     "shortest; a worker beats four times in it") \
	X(WORKER_POLL_MS,      25000,     "ms",     "a poll of a worker waits; shorter than the idle time of most proxies") \
	X(WORKER_GRACE_MS,     10000,     "ms",     "from a cancel to the end of the lease: time to clean up") \
	X(WORKER_UPDATE_MS,    15000,     "ms",     "that a change of a thread's state waits for a worker, and then that the worker has for it") \
	X(WORKER_STICKY_MS,    1000,      "ms",     "that a task waits for the worker that has its thread in memory, or for the newest build") \
	X(WORKER_TASK_BYTES,   16777216,  "bytes",  "one request about a task: a checkpoint, a batch of events") \
	X(WORKER_EVENTS,       10000,     "events", "of one request") \
	X(WORKER_ATTEMPTS,     200,       "attempts", "of one name that are remembered") \
	X(WORKER_ATTEMPTS_ALL, 100000,    "attempts", "remembered of all names; past it 8 of a name") \
	X(WASM_MODULE_BYTES,   16777216,  "bytes",  "a module of WebAssembly; HTTP_BODY_BYTES, too") \
	X(WASM_FUNCTIONS,      20000,     "functions", "of one module: a compiler takes them all") \
	X(WASM_LOCALS,         1000,      "locals", "of one function, with its parameters") \
	X(WASM_BODY_BYTES,     524288,    "bytes",  "code of one function") \
	X(WASM_EXPORTS,        1000,      "exports", "of one module") \
	X(WASM_TABLE,          100000,    "entries", "of all tables of one module") \
	X(WASM_OUT_BYTES,      50331648,  "bytes", "a module with its metering: three times the largest") \
	X(WASM_CHECK_BYTES,    67108864,  "bytes", "of memory while a module is checked") \
	X(WASM_TYPES,          10000,     "types", "of functions in one module") \
	X(WASM_PARAMS,         100,       "values", "parameters of one function, and results") \
	X(WASM_NESTING,        2000,      "levels", "of blocks in one function; a switch of C has one for each case") \
	X(WASM_STACK,          200000,    "values", "on the stack of one function: each is a variable of what is compiled") \
	X(WASM_GLOBALS,        1000,      "globals", "of one module") \
	X(WASM_TABLES,         16,        "tables", "of one module") \
	X(WASM_SEGMENTS,       10000,     "segments", "of data, or of elements, in one module") \
	X(WASM_EXPORT_BYTES,   256,       "bytes", "name of an export or import; Rust mangles its own") \
	X(WASM_PAGES,          256,       "pages",  "of 64 KB: memory of a guest where its policy says nothing else") \
	X(WASM_PAGES_MAX,      16000,     "pages",  "that a policy may give: 1,000 MB") \
	X(WASM_FUEL,           100000000, "fuel",   "of one call, about one an instruction, where the policy says nothing else") \
	X(WASM_FUEL_MAX,       2000000000, "fuel",   "that a policy may give") \
	X(WASM_CPU_US,         5000,      "us",     "of CPU for one call, where the policy says nothing else") \
	X(WASM_CPU_MAX_US,     1000000,   "us",     "that a policy may give") \
	X(WASM_DEPTH,          1000,      "calls",  "of functions within each other, where the policy says nothing else") \
	X(WASM_DEPTH_MAX,      10000,     "calls",  "that a policy may give") \
	X(WASM_MESSAGE_BYTES,  1048576,   "bytes",  "a message to a guest or from one, as JSON; also the most that a policy may give") \
	X(WASM_SAID_BYTES,     8388608,   "bytes",  "messages and replies of one call of a guest, together") \
	X(WASM_HOST_CALLS,     1000,      "calls",  "that a guest makes of the server while it handles one message") \
	X(WASM_RATE_MAX,       1000000,   "messages/s", "that a policy may let one agent handle") \
	X(WASM_HOSTS,          256,       "processes", "that run guests, of one server") \
	X(WASM_MEMORY_MB,      65536,     "MB",     "that a setting may give the guests of one host process") \
	X(WASM_INSTANCES,      10000,     "instances", "in one host process") \
	X(WASM_HOST_MB,        4096,      "MB",     "that all guests of one host process may touch; what they do touch is mostly far less") \
	X(WASM_PARKED,         256,       "calls",  "in one host process that wait for the server") \
	X(WASM_WEDGED_MS,      2000,      "ms",     "without a frame from a host process with work under way; then it is killed") \
	X(WASM_OFFENCES,       3,         "calls",  "stopped by time or fuel in a minute; then the module's agents of that owner go to the quarantine") \
	X(WASM_IMAGE_BYTES,    33554432,  "bytes",  "what is saved of a guest: memory that it changed, globals, tables") \
	X(WASM_BUILDS,         2,         "builds", "of modules at once") \
	X(WASM_BUILDS_WAITING, 64,        "builds", "that wait for their turn; more are refused") \
	X(WASM_BUILD_MS,       60000,     "ms",     "one compiler may take") \
	X(WASM_BUILD_MEMORY,   2147483648, "bytes",  "of one compiler: its address space") \
	X(WASM_BUILD_FILE,     536870912, "bytes",  "one file of a build: the C of a module, or its object") \
	X(WASM_CACHE_BYTES,    1073741824, "bytes", "of objects in wasm.cache; more go, the longest unused first") \
	X(WASM_MODULES,        100,       "modules", "that one owner has") \
	X(WASM_OWNER_BYTES,    268435456, "bytes",    "of modules of one owner, all versions that are kept") \
	X(WASM_VERSIONS,       3,         "versions", "of a module that are kept; more while agents use them") \
	X(WASM_NAME_BYTES,     64,        "bytes",  "name of a module") \
	X(WASM_TOOLS,          64,        "tools",  "that one module may call") \
	X(WASM_POLICY_BYTES,   16384,     "bytes",  "of a module, as JSON") \
	X(WASM_DRAIN_MS,       30000,     "ms",     "that a graceful reload waits for an agent, where it says nothing else") \
	X(WASM_DRAIN_MAX_MS,   3600000,   "ms",     "that it may say") \
	X(WASM_SPLIT_CALLS,    1000,      "messages", "that a split gives the new version before it is judged, where it says nothing else") \
	X(WASM_SPLIT_LEAST,    20,        "messages", "without so many a version is not judged by its errors or its p99") \
	X(WASM_SPLIT_MS,       60000,     "ms",     "that a split lasts, where it says nothing else") \
	X(WASM_SPLIT_MAX_MS,   3600000,   "ms",     "that it may say") \
	X(WASM_READY_MS,       30000,     "ms",     "that a parallel reload waits for all agents to start; then the old version stays") \
	X(WORK_QUEUE,          8192,      "requests", "read and waiting, of all connections; past it the rest is not read") \
	X(WORK_QUEUE_BYTES,    67108864,  "bytes",  "of them, as text") \
	X(WORK_ROUND,          512,       "requests", "in one transaction, so that the first is not kept waiting for the last") \
	X(WORK_ROUND_BYTES,    16777216,  "bytes",  "of answers in one transaction; the rest of its requests wait for the next") \
	X(WORK_ROUND_MS,       50,        "ms",     "one transaction of many requests; the rest waits, and others come first") \
	X(WORK_HELD_BYTES,     1073741824, "bytes", "in the buffers of all connections of a daemon, or a quarter of the memory, if that is less; past it the largest is closed") \
	X(WORK_REQUEST_ID_BYTES, 1024,    "bytes",  "a request's id, which is echoed") \
	X(WORK_ONCE_BYTES,     256,       "bytes",  "the key under which an answer is kept") \
	X(WORK_REQUEST_MS,     30000,     "ms",     "a command waits for an answer without --timeout, as bd") \
	X(WORK_TIMEOUT_MS,     3600000,   "ms",     "longest deadline of a request") \
	X(WORK_BUSY_MS,        5000,      "ms",     "another process may hold the tracker's file so long") \
	X(WORK_LOG_BYTES,      1048576,   "bytes",  "the daemon's log; begun anew past it, at a start") \
	X(QUOTA_TELL_MS,       100,       "ms",     "after which a node has told the others what its callers took; an eighth of a limit is told at once") \
	X(QUOTA_SILENT_MS,     3000,      "ms",     "without a message from a node, after which its requests under way do not count; it repeats them each third of that") \
	X(QUOTA_ASK_MS,        1000,      "ms",     "that other nodes are waited for to say what a caller has under way there, before its request is refused for what they said before") \
	X(QUOTA_TOLD_BYTES,    131072,    "bytes",  "of callers' counts in one message between nodes") \
	X(TALK_LOOK_MS,        1000,      "ms",     "between two looks at rows that other nodes may have changed while NATS is away, and up to half of it more") \
	X(FOREIGN_QUERIES,     200,       "queries/s", "of a process, about runs of other nodes and about threads that are read here while NATS is away; more wait in turn") \
	X(FOREIGN_BATCH,       256,       "runs",   "or threads, in one of these queries") \
	X(WORKER_ASK_MS,       1000,      "ms",     "between two questions to other nodes for workers of offers that wait; and a place of a worker is kept for them so long") \
	X(WORKER_AWAY_MS,      15000,     "ms",     "that a name counts as served by another node after it said so; it says so three times as often") \
	X(WORKER_AWAY_BYTES,   33554432,  "bytes",  "of tasks that another node has for a worker here, in one answer") \
	X(CARRIER_BYTES,       196608,    "bytes",  "of one announcement of agents to other nodes; below BUS_MESSAGE_BYTES") \
	X(BUS_MESSAGE_BYTES,   262144,    "bytes",  "of one message between nodes; larger ones are cut by who sends them") \
	X(BUS_WAITING_BYTES,   33554432,  "bytes",  "that wait to be sent to other nodes; then senders are told that the bus is busy") \
	X(BUS_UNSENT_BYTES,    1048576,   "bytes",  "of them handed to the library of NATS; the rest waits in our queue") \
	X(BUS_BEHIND_BYTES,    67108864,  "bytes",  "received from other nodes and not yet handled by an event loop; more is dropped, and it is notified of an outage") \
	X(BUS_SUBJECT_BYTES,   512,       "bytes",  "subject of a message between nodes") \
	X(BUS_CONNECT_MS,      2000,      "ms",     "that a NATS server may take to accept a connection") \
	X(BUS_RETRY_MS,        250,       "ms",     "between two attempts to connect to NATS, and up to half of it more") \
	X(BUS_DENIED_MS,       30000,     "ms",     "that a node does without NATS when a subject was refused there while it was up") \
	X(BUS_LAG_MS,          1000,      "ms",     "between two messages of a node through NATS to itself, whose time is shown as the lag of the bus") \
	X(BUS_LAG_LOST_MS,     10000,     "ms",     "after which one of them that has not come back is given up") \
	X(BUS_PING_MS,         1000,      "ms",     "between two pings of the NATS server") \
	X(BUS_PINGS,           3,         "pings",  "in a row without anything received: the connection is lost") \
	X(BUS_CLOSE_MS,        500,       "ms",     "that a node which ends takes to send what waits") \
	X(WASM_RING_BYTES,     4194304,   "bytes",  "each way between a server's shard and a host process of guests; of these only what is used takes memory") \
	X(WASM_LOG_BYTES,      1000,      "bytes",  "of one line that a guest logs; the rest is cut off") \
	X(WASM_KEY_BYTES,      1024,      "bytes",  "key of a guest's store, or name of a tool that it calls") \
	X(WASM_FRAME_BYTES,    1114112,   "bytes",  "of one frame in them: a message of 1 MB and what stands beside it") \
	X(WASM_QUEUE_BYTES,    16777216,  "bytes",  "that wait for room in the ring to one host process; then a guest gets no new message") \
	X(WASM_QUEUE_MAX_BYTES, 67108864, "bytes",  "of them with what cannot be refused (answers, checkpoints); a process that reads so little is killed") \
	X(WASM_SLOTS,          10000,     "numbers", "of instances in one host process, with those that end: each reserves 8 GiB of addresses, in one piece of the 85 TiB below the program") \
	X(WASM_OBJECTS,        1000,      "modules", "in one host process") \
	X(WASM_START_MS,       10000,     "ms",     "that a host process may take to load its modules") \
	X(WASM_STUCK_MS,       10000,     "ms",     "that a module waits for a process when all generations are in use; then the oldest is killed") \
	X(WASM_IDLE_MS,        300000,    "ms",     "without guests a host process ends; an unused module is not loaded again") \
	X(WASM_QUARANTINE_MS,  600000,    "ms",     "that a module of an owner stays in the quarantine after its last stop") \
	X(WASM_TURN_FRAMES,    1024,      "frames", "of one host process that are read in one turn of the loop") \
	X(WASM_TURN_BYTES,     4194304,   "bytes",  "of them") \
	X(TRACE_SPANS,         4096,      "spans",  "of a shard that wait for the collector; what comes then is dropped") \
	X(TRACE_BATCH,         256,       "spans",  "of one request to it: a millisecond of writing") \
	X(TRACE_BATCH_BYTES,   1048576,   "bytes",  "of one, past which no span is added") \
	X(TRACE_DELAY_MS,      1000,      "ms",     "that a span waits for others") \
	X(TRACE_CONTENT_BYTES, 65536,     "bytes",  "of what a model or a tool was told, or said, in a span") \
	X(TRACE_CONTENTS_BYTES, 16777216, "bytes",  "of these in all spans of a shard that wait") \
	X(TRACE_SEND_MS,       10000,     "ms",     "that the collector may be silent: the default of OTLP exporters") \
	X(TRACE_TRIES,         6,         "requests", "with the same spans; then they are given up") \
	X(TRACE_PAUSE_MS,      1000,      "ms",     "before the second of them; doubles") \
	X(TRACE_PAUSE_MAX_MS,  60000,     "ms",     "that a collector's Retry-After may ask for") \
	X(TRACE_ANSWER_BYTES,  65536,     "bytes",  "of its answer") \
	X(TRACE_DRAIN_MS,      5000,      "ms",     "that a server that stops waits for it") \
	X(KNOWLEDGE_DOCUMENT_BYTES, 16777216, "bytes", "of a document that is read into a store of knowledge") \
	X(KNOWLEDGE_CHUNK_MIN_BYTES, 200,  "bytes",  "smallest size that its passages may be asked for") \
	X(KNOWLEDGE_CHUNK_BYTES, 16384,    "bytes",  "largest: more than most embedding models take at once") \
	X(KNOWLEDGE_CHUNKS,    100000,    "passages", "of one document") \
	X(KNOWLEDGE_DEPTH,     1000,      "elements", "inside each other in a document of HTML; browsers draw 512") \
	X(KNOWLEDGE_COLLECTION_BYTES, 128, "bytes",  "name of a collection of documents") \
	X(PACKAGES,            256,       "packages", "in one agents.lock") \
	X(PACKAGE_LOCK_BYTES,  65536,     "bytes",  "agents.lock") \
	X(PACKAGE_FILES,       10000,     "files",  "in one package, or a folder of agents that comes from git") \
	X(PACKAGE_BYTES,       67108864,  "bytes",  "of all its files") \
	X(PACKAGE_PATH_BYTES,  1024,      "bytes",  "of one path in it") \
	X(PACKAGE_DEPTH,       32,        "folders", "inside each other") \
	X(AGENT_SYNC_VERSIONS, 5,         "versions", "of a folder of agents that comes from git: the one in use and those before it") \
	X(AGENT_SYNC_FETCH_BYTES, 268435456, "bytes", "of one file that git writes while it fetches such a folder") \
	X(AGENT_SYNC_MEMORY_BYTES, 4294967296, "bytes", "of address space for that git") \
	X(AGENT_SYNC_LIST_BYTES, 16777216, "bytes", "of git's list of the files of a commit") \
	X(AGENT_SYNC_WAIT_MS,  600000,    "ms",     "that a sync waits for another one of the same folder") \
	X(AGENT_SYNC_WATCH_MIN_MS, 1000,  "ms",     "between two looks at the repository") \
	X(EVAL_NAME_BYTES,     64,        "bytes",  "the name of an eval") \
	X(EVAL_SCORERS,        16,        "scorers", "of one eval") \
	X(EVAL_CHOICES,        16,        "choices", "of one judge") \
	X(EVAL_REPEAT,         100,       "runs",   "of each case of an eval") \
	X(EVAL_CASES,          100000,    "cases",  "of one dataset") \
	X(EVAL_CASE_BYTES,     4194304,   "bytes",  "a case of a dataset: its line") \
	X(EVAL_DATASET_BYTES,  268435456, "bytes",  "one dataset") \
	X(EVAL_OUTPUT_BYTES,   1048576,   "bytes",  "of an agent's output that scorers see; a larger one fails the case") \
	X(EVAL_WHY_BYTES,      400,       "bytes",  "of the reason for a score; the rest is cut off") \
	X(EVAL_RESULT_BYTES,   536870912, "bytes",  "all outputs and reasons of one eval") \
	X(EVAL_SCRIPT_MS,      60000,     "ms",     "that a script may take to score one case") \
	X(EVAL_SCRIPT_BYTES,   65536,     "bytes",  "of what it says") \
	X(EVAL_PAGE_CASES,     2000,      "cases",  "that a page of an eval shows; those that differ come first") \
	X(EVAL_PAGE_OUTPUT,    16384,     "bytes",  "of each output on it; the rest is cut off") \
	X(EVAL_PAGE_RESULTS,   8,         "results", "on one page") \
	X(EVAL_JOBS,           64,        "cases",  "that one eval runs at once") \
	X(WASM_EMPTY_WAKES,    10000,     "wakes",  "in a row by a host process without a frame; then it is killed")

/* Each in an enum of its own: gcc 13 and later give all constants of one the type that the
 * largest needs.  With one below 0 beside it, so that a large one is signed: else
 * `n < LIMIT_X` would be true of no negative n. */
#define X(name, value, unit, why) enum { LIMIT_##name = value, LIMIT_##name##_SIGNED = -1 };
LIMIT_MAP(X)
#undef X

struct limit {
	const char *name;
	int64_t value;
	const char *unit, *why;
};

extern const struct limit limits[];
extern const size_t limits_n;

#endif
