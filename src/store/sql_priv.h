/*
 * sql_priv.h - every statement the store ever runs, by name.
 *
 * One row each: the name, the text.  A connection prepares a statement the
 * first time it needs it and keeps it.  Column lists that several statements
 * share are macros, so one function can read each record.
 *
 * Every statement that touches what belongs to somebody filters by owner,
 * directly or through its thread.  The exceptions work on numbers (run,
 * list) that only an owner-checked read can have given, and say so.
 *
 * `status < 2` is written wherever the partial index run_active is to be used:
 * SQLite proves the use of a partial index by matching its terms.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_PRIV_H
#define STORE_SQL_PRIV_H

#define ASSISTANT_SELECT                                                       \
	"SELECT a.uuid, v.graph, v.name, v.description, v.config, v.context,"  \
	" v.metadata, a.version, a.created, a.updated, a.seq, a.owner, a.latest" \
	" FROM assistant a CROSS JOIN assistant_version v"                     \
	" ON v.assistant = a.seq AND v.version = a.version "

#define THREAD_SELECT                                                          \
	"SELECT t.uuid, t.seq, t.status, t.metadata, t.config, t.error,"       \
	" t.created, t.updated, t.checkpoint FROM thread t "

/* Candidates of a search, in order of creation. */
#define SEEK_COLUMNS                                                           \
	"SELECT t.seq, t.status, t.created, t.updated, t.uuid, t.metadata "
#define SEEK_STATUS(status) SEEK_COLUMNS                                       \
	"FROM thread t INDEXED BY thread_status"                               \
	" WHERE t.owner = ?1 AND t.status = " status " "
#define SEEK_ALL                                                               \
	SEEK_STATUS("0") "UNION ALL " SEEK_STATUS("1") "UNION ALL "            \
	SEEK_STATUS("2") "UNION ALL " SEEK_STATUS("3")
#define SEEK_FACET SEEK_COLUMNS                                                \
	"FROM facet f CROSS JOIN thread t ON t.seq = f.thread"                 \
	" WHERE f.owner = ?1 AND f.hash = ?2 AND t.owner = ?1 "

#define RUN_COLUMNS                                                            \
	"SELECT r.uuid, t.uuid, r.assistant, r.seq, r.thread, r.status,"       \
	" r.multitask, r.attempt, r.graph, r.kwargs, r.metadata, r.base,"      \
	" r.error, r.created, r.updated "
#define RUN_SELECT RUN_COLUMNS                                                 \
	"FROM run r CROSS JOIN thread t ON t.seq = r.thread "

#define CHECKPOINT_SELECT                                                      \
	"SELECT c.seq, c.parent, c.uuid, p.uuid, c.step, c.source, c.next,"    \
	" c.task, c.task_error, r.uuid, r.base, c.chart, c.list, c.len,"       \
	" c.created, c.keep FROM thread t CROSS JOIN checkpoint c"             \
	" ON c.thread = t.seq LEFT JOIN checkpoint p ON p.seq = c.parent"      \
	" LEFT JOIN run r ON r.seq = c.run "

#define SQL_MAP(X)                                                             \
	X(CHECK, "SELECT count(*) FROM (SELECT 1 FROM owner LIMIT 1)")         \
	/* owners */                                                           \
	X(OWNER_FIND, "SELECT seq FROM owner WHERE subject = ?")               \
	X(OWNER_INSERT, "INSERT INTO owner(seq, subject) VALUES (?, ?)")       \
	/* assistants */                                                       \
	X(ASSISTANT_GET, ASSISTANT_SELECT                                      \
	    "WHERE a.uuid = ? AND (a.owner = ? OR a.system = 1)")              \
	X(ASSISTANT_OWN, ASSISTANT_SELECT                                      \
	    "WHERE a.uuid = ? AND a.owner = ?")                                \
	X(ASSISTANT_AT, ASSISTANT_SELECT                                       \
	    "WHERE a.seq = ? AND (a.owner = ? OR a.system = 1)")               \
	X(ASSISTANTS_OF, "SELECT a.seq, a.uuid, a.created, a.updated, v.graph," \
	    " v.name, v.metadata FROM assistant a CROSS JOIN assistant_version v" \
	    " ON v.assistant = a.seq AND v.version = a.version"                \
	    " WHERE a.owner IN (?1, 0) AND (a.owner = ?1 OR a.system = 1)")    \
	X(ASSISTANT_INSERT, "INSERT INTO assistant(seq, uuid, owner, system,"  \
	    " version, latest, created, updated)"                              \
	    " VALUES (?, ?, ?, ?, 1, 1, ?, ?) ON CONFLICT DO NOTHING")         \
	X(ASSISTANT_UPDATE, "UPDATE assistant SET version = ?, latest = ?,"    \
	    " updated = ? WHERE seq = ? AND owner = ?")                        \
	X(ASSISTANT_BURY, "UPDATE assistant SET owner = -1, uuid = NULL"       \
	    " WHERE seq = ? AND owner = ?")                                    \
	X(ASSISTANT_ERASE, "DELETE FROM assistant WHERE seq = ?")              \
	X(ASSISTANT_DEAD, "SELECT seq FROM assistant INDEXED BY assistant_dead" \
	    " WHERE owner < 0 LIMIT 1")                                        \
	X(VERSION_INSERT, "INSERT INTO assistant_version(assistant, version,"  \
	    " graph, name, description, config, context, metadata, created)"   \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")                             \
	X(VERSION_ERASE, "DELETE FROM assistant_version WHERE assistant = ?1"  \
	    " AND version < coalesce((SELECT version FROM assistant_version"   \
	    " WHERE assistant = ?1 ORDER BY version LIMIT 1 OFFSET ?2), 1 << 62)") \
	/* threads */                                                          \
	X(THREAD_GET, THREAD_SELECT "WHERE t.uuid = ? AND t.owner = ?")        \
	X(THREAD_AT, THREAD_SELECT "WHERE t.seq = ? AND t.owner = ?")          \
	X(THREAD_NEXT_OF, THREAD_SELECT "WHERE t.assistant = ?"                \
	    " AND t.seq > ? AND t.owner = ? ORDER BY t.seq LIMIT 1")           \
	X(THREAD_UPDATE, "UPDATE thread SET updated = ?, assistant = ?,"       \
	    " metadata = ? WHERE seq = ? AND owner = ?")                       \
	X(THREADS_NEW, SEEK_ALL "ORDER BY 3 DESC, 1 DESC")                     \
	X(THREADS_OLD, SEEK_ALL "ORDER BY 3, 1")                               \
	X(THREADS_OF_STATUS_NEW, SEEK_STATUS("?2")                             \
	    "ORDER BY t.created DESC, t.seq DESC")                             \
	X(THREADS_OF_STATUS_OLD, SEEK_STATUS("?2")                             \
	    "ORDER BY t.created, t.seq")                                       \
	X(THREADS_OF_FACET_NEW, SEEK_FACET                                     \
	    "ORDER BY f.created DESC, f.thread DESC")                          \
	X(THREADS_OF_FACET_OLD, SEEK_FACET "ORDER BY f.created, f.thread")     \
	X(THREADS_OF_ID, SEEK_COLUMNS                                          \
	    "FROM thread t WHERE t.owner = ? AND t.uuid = ?")                  \
	X(COUNT_GET, "SELECT n FROM thread_count WHERE owner = ? AND what = ?") \
	X(COUNT_CHANGE, "UPDATE thread_count SET n = n + ?3"                   \
	    " WHERE owner = ?1 AND what = ?2")                                 \
	X(COUNT_INSERT, "INSERT INTO thread_count(owner, what, n)"             \
	    " VALUES (?, ?, ?)")                                               \
	X(COUNT_ERASE, "DELETE FROM thread_count"                              \
	    " WHERE owner = ? AND what = ? AND n = 0")                         \
	X(FACET_INSERT, "INSERT INTO facet(owner, hash, created, thread)"      \
	    " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")                     \
	X(FACET_DELETE, "DELETE FROM facet WHERE owner = ? AND hash = ?"       \
	    " AND created = ? AND thread = ?")                                 \
	X(THREAD_INSERT, "INSERT INTO thread(seq, uuid, owner, status,"        \
	    " checkpoint, created, updated, assistant, metadata, config)"      \
	    " VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")   \
	X(THREAD_BEGIN_RUN, "UPDATE thread SET status = ?, updated = ?,"       \
	    " assistant = ?, metadata = ?, config = ?"                         \
	    " WHERE seq = ? AND owner = ?")                                    \
	X(THREAD_ADVANCE, "UPDATE thread SET checkpoint = ?"                   \
	    " WHERE seq = ? AND owner = ?")                                    \
	X(THREAD_END_RUN, "UPDATE thread SET status = ?, updated = ?,"         \
	    " checkpoint = ?, error = ? WHERE seq = ? AND owner = ?")          \
	X(THREAD_STATUS, "UPDATE thread SET status = ?, updated = ?"           \
	    " WHERE seq = ? AND owner = ?")                                    \
	X(THREAD_FAIL, "UPDATE thread SET status = ?, updated = ?, error = ?"  \
	    " WHERE seq = ?")                                                  \
	X(THREAD_BURY, "UPDATE thread SET owner = -1, uuid = NULL"             \
	    " WHERE seq = ? AND owner = ?")                                    \
	/* for what is left of a run: a thread that is buried from the start */ \
	X(THREAD_GRAVE, "INSERT INTO thread(seq, owner, status, checkpoint,"   \
	    " created, updated, metadata, config)"                             \
	    " VALUES (?, -1, 0, 0, 0, 0, '{}', '{}')")                         \
	X(THREAD_ERASE, "DELETE FROM thread WHERE seq = ?")                    \
	X(THREAD_DEAD, "SELECT seq FROM thread INDEXED BY thread_dead"         \
	    " WHERE owner < 0 LIMIT 1")                                        \
	X(THREADS_BUSY_OF, "SELECT t.uuid FROM thread t CROSS JOIN run r"      \
	    " INDEXED BY run_active ON r.thread = t.seq AND r.status < 2"      \
	    " WHERE t.assistant = ? AND t.owner = ? LIMIT 1")                  \
	/* runs; ACTIVE: (running, all) of a thread */                         \
	X(RUN_GET, RUN_SELECT "WHERE r.uuid = ? AND t.owner = ?")              \
	X(RUN_AT, RUN_SELECT "WHERE r.seq = ? AND t.owner = ?")                \
	X(RUN_LIST, RUN_COLUMNS "FROM thread t CROSS JOIN run r"               \
	    " ON r.thread = t.seq WHERE t.seq = ?1 AND t.owner = ?2"           \
	    " AND (?3 < 0 OR r.status = ?3)"                                   \
	    " ORDER BY r.seq DESC LIMIT ?4 OFFSET ?5")                         \
	X(RUN_ACTIVE, "SELECT coalesce(sum(status = 1), 0), count(*)"          \
	    " FROM run INDEXED BY run_active WHERE thread = ? AND status < 2") \
	/* pending comes first in the index; the owner is asked by RUN_AT */    \
	X(RUN_OLDEST, "SELECT seq FROM run INDEXED BY run_active"              \
	    " WHERE thread = ? AND status < 2 AND +status = 0"                 \
	    " ORDER BY status, seq LIMIT 1")                                   \
	X(RUN_INSERT, "INSERT INTO run(seq, uuid, thread, status, multitask,"  \
	    " attempt, created, updated, assistant, graph, kwargs, metadata,"  \
	    " base) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)"            \
	    " ON CONFLICT DO NOTHING")                                         \
	X(RUN_OPEN, "SELECT r.status, t.checkpoint, coalesce(c.list, 0),"      \
	    " coalesce(c.len, 0) FROM run r CROSS JOIN thread t"               \
	    " ON t.seq = r.thread LEFT JOIN checkpoint c ON c.seq = t.checkpoint" \
	    " WHERE r.seq = ? AND t.seq = ? AND t.owner = ?")                  \
	/* the next three after an owner-checked read in the same command */   \
	X(RUN_TAKE, "UPDATE run SET status = 1, updated = ? WHERE seq = ?")    \
	X(RUN_END, "UPDATE run SET status = ?, error = ?, updated = ?"         \
	    " WHERE seq = ?")                                                  \
	X(RUN_RETRY, "UPDATE run SET status = 0, attempt = ?1, updated = ?2,"  \
	    " base = json_replace(base, '$.run_attempt', ?1) WHERE seq = ?3")  \
	X(RUN_MOVE, "UPDATE run SET thread = ?, uuid = randomblob(16)"         \
	    " WHERE seq = ?")                                                  \
	X(RUN_ERASE, "DELETE FROM run WHERE seq = ?")                          \
	X(RUN_ONE_OF, "SELECT seq FROM run INDEXED BY run_thread"              \
	    " WHERE thread = ? ORDER BY seq LIMIT 1")                          \
	X(RUNS_CUT_OFF, "SELECT r.seq, r.thread, r.attempt, t.owner FROM run r" \
	    " INDEXED BY run_active CROSS JOIN thread t ON t.seq = r.thread"   \
	    " WHERE r.status < 2 AND r.status = 1")                            \
	/* a node's end leaves one checkpoint, the input two before the first */ \
	X(RUN_STEPS, "WITH RECURSIVE own(parent, source) AS"                   \
	    " (SELECT c.parent, c.source FROM run r CROSS JOIN thread t"       \
	    " ON t.seq = r.thread CROSS JOIN checkpoint c"                     \
	    " ON c.seq = t.checkpoint"                                         \
	    " WHERE r.seq = ?1 AND t.owner = ?2 AND c.run = ?1 UNION ALL"      \
	    " SELECT c.parent, c.source FROM own CROSS JOIN checkpoint c"      \
	    " ON c.seq = own.parent WHERE c.run = ?1)"                         \
	    " SELECT count(*) - 2 * coalesce(sum(source = 0), 0) FROM own")    \
	X(THREADS_PENDING, "SELECT t.owner, t.seq, t.uuid FROM thread t"       \
	    " WHERE t.seq IN (SELECT thread FROM run INDEXED BY run_active"    \
	    " WHERE status < 2 AND status = 0) ORDER BY t.seq")                \
	/* checkpoints */                                                      \
	X(CHECKPOINT_LATEST, CHECKPOINT_SELECT                                 \
	    "WHERE t.seq = ? AND t.owner = ? AND c.seq = t.checkpoint")        \
	X(CHECKPOINT_AT, CHECKPOINT_SELECT                                     \
	    "WHERE t.seq = ? AND t.owner = ? AND c.seq = ?")                   \
	X(CHECKPOINT_FIND, CHECKPOINT_SELECT                                   \
	    "WHERE t.seq = ? AND t.owner = ? AND c.uuid = ?")                  \
	X(CHECKPOINT_CHILD, CHECKPOINT_SELECT                                  \
	    "WHERE t.seq = ? AND t.owner = ? AND c.uuid >= ?"                  \
	    " ORDER BY c.uuid LIMIT 1")                                        \
	X(CHECKPOINT_BACK, CHECKPOINT_SELECT                                   \
	    "WHERE t.seq = ? AND t.owner = ? AND c.uuid < ?"                   \
	    " ORDER BY c.uuid DESC LIMIT ?")                                   \
	X(CHECKPOINT_INSERT, "INSERT INTO checkpoint(seq, uuid, thread, parent," \
	    " run, step, source, list, keep, len, created, next, task, chart)" \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")              \
	/* after an owner-checked read in the same command */                  \
	X(CHECKPOINT_PLACE, "SELECT parent, run, list, len FROM checkpoint"    \
	    " WHERE seq = ? AND thread = ?")                                   \
	X(CHECKPOINT_DROP, "DELETE FROM checkpoint WHERE seq = ? AND thread = ?") \
	X(CHECKPOINT_ORPHAN, "UPDATE checkpoint SET run = 0"                   \
	    " WHERE thread = ? AND run = ?")                                   \
	X(MESSAGE_DROP, "DELETE FROM message WHERE key >= ? AND key < ?")      \
	X(CHECKPOINT_FAIL, "UPDATE checkpoint SET task_error = ?"              \
	    " WHERE seq = ? AND thread = ? AND task = ?")                      \
	/* of a buried thread, or one that this command deletes */             \
	X(CHECKPOINT_OLDEST, "SELECT uuid, seq, list FROM checkpoint"          \
	    " WHERE thread = ? ORDER BY uuid LIMIT ?")                         \
	X(CHECKPOINT_ERASE, "DELETE FROM checkpoint WHERE thread = ?"          \
	    " AND uuid <= ?")                                                  \
	/* messages: by a list that an owner-checked checkpoint named */       \
	X(MESSAGE_INSERT, "INSERT INTO message(key, n, body) VALUES (?, ?, ?)") \
	X(MESSAGE_GET, "SELECT key, n, body FROM message WHERE key >="         \
	    " coalesce((SELECT key FROM message WHERE key <= ?1 AND key >= ?2" \
	    " ORDER BY key DESC LIMIT 1), ?2) AND key < ?3 ORDER BY key")      \
	X(MESSAGE_ERASE, "DELETE FROM message WHERE key >= ?1 AND key <"       \
	    " coalesce((SELECT key FROM message WHERE key >= ?1 AND key < ?2"  \
	    " ORDER BY key LIMIT 1 OFFSET ?3), ?2)")                           \
	/* items */                                                            \
	X(ITEM_GET, "SELECT value, created, updated FROM item"                 \
	    " WHERE owner = ? AND ns = ? AND key = ?")                         \
	/* the newest change has the highest seq of its owner */               \
	X(ITEM_CHANGE, "UPDATE item SET seq = (SELECT max(seq) + 1 FROM item"  \
	    " WHERE owner = ?1), updated = ?4, value = ?5"                     \
	    " WHERE owner = ?1 AND ns = ?2 AND key = ?3")                      \
	X(ITEM_INSERT, "INSERT INTO item(owner, ns, key, updated, value,"      \
	    " created, seq) SELECT ?1, ?2, ?3, ?4, ?5, ?6,"                    \
	    " coalesce((SELECT max(seq) FROM item WHERE owner = ?1), 0) + 1")  \
	X(ITEM_DELETE, "DELETE FROM item"                                      \
	    " WHERE owner = ? AND ns = ? AND key = ?")                         \
	X(ITEM_NEWEST, "SELECT ns, key, value, created, updated FROM item"     \
	    " WHERE owner = ? ORDER BY seq DESC LIMIT -1 OFFSET ?")            \
	X(ITEM_AT, "SELECT ns, key, value, created, updated FROM item"         \
	    " WHERE owner = ? AND seq = ?")                                    \
	X(ITEM_UNDER, "SELECT seq FROM item INDEXED BY item_key"               \
	    " WHERE owner = ?1 AND ns = ?3 UNION ALL"                          \
	    " SELECT seq FROM item INDEXED BY item_key"                        \
	    " WHERE owner = ?1 AND ns >= ?3 || '.' AND ns < ?3 || '/'"         \
	    " LIMIT ?2")                                                       \
	/* streams */                                                          \
	X(STREAM_INSERT, "INSERT INTO stream(run, last, first, body)"          \
	    " SELECT r.seq, ?3, ?4, ?5 FROM run r CROSS JOIN thread t"         \
	    " ON t.seq = r.thread WHERE r.seq = ?1 AND t.owner = ?2")          \
	X(STREAM_GET, "SELECT s.last, s.body FROM run r CROSS JOIN thread t"   \
	    " ON t.seq = r.thread CROSS JOIN stream s ON s.run = r.seq"        \
	    " WHERE r.seq = ? AND t.owner = ? AND s.last > ? ORDER BY s.last") \
	X(STREAM_LAST, "SELECT max(last) FROM stream WHERE run = ?")           \
	X(STREAM_ERASE, "DELETE FROM stream WHERE run = ?1 AND last <"         \
	    " coalesce((SELECT last FROM stream WHERE run = ?1"                \
	    " ORDER BY last LIMIT 1 OFFSET ?2), 9223372036854775807)")         \
	/* journal */                                                          \
	X(CALL_START, "INSERT INTO journal(run, step, call, name)"             \
	    " SELECT r.seq, ?4, ?5, ?6 FROM run r CROSS JOIN thread t"         \
	    " ON t.seq = r.thread WHERE r.seq = ?1 AND t.seq = ?2"             \
	    " AND t.owner = ?3 ON CONFLICT DO NOTHING")                        \
	X(CALL_DONE, "INSERT INTO journal(run, step, call, name, result)"      \
	    " SELECT r.seq, ?4, ?5, ?6, ?7 FROM run r CROSS JOIN thread t"     \
	    " ON t.seq = r.thread WHERE r.seq = ?1 AND t.seq = ?2"             \
	    " AND t.owner = ?3 ON CONFLICT (run, step, call)"                  \
	    " DO UPDATE SET result = excluded.result")                         \
	X(CALL_LIST, "SELECT call, result FROM journal"                        \
	    " WHERE run = ? AND step = ? ORDER BY call")                       \
	X(CALL_ERASE, "DELETE FROM journal WHERE run = ?1 AND (step, call) IN" \
	    " (SELECT step, call FROM journal WHERE run = ?1 LIMIT ?2)")       \
	/* numbers and times to go on from */                                  \
	X(SEQ_OWNER, "SELECT max(seq) FROM owner")                             \
	X(SEQ_ASSISTANT, "SELECT max(seq) FROM assistant")                     \
	X(SEQ_THREAD, "SELECT max(seq) FROM thread")                           \
	X(SEQ_RUN, "SELECT max(seq) FROM run")                                 \
	X(SEQ_CHECKPOINT, "SELECT max(seq) FROM checkpoint")                   \
	X(LAST_RUN_ID, "SELECT uuid FROM run ORDER BY seq DESC LIMIT 1")       \
	X(LAST_CHECKPOINT_ID, "SELECT uuid FROM checkpoint"                    \
	    " ORDER BY seq DESC LIMIT 1")

enum sql {
#define X(name, text) SQL_##name,
	SQL_MAP(X)
#undef X
	SQL_COUNT
};

#endif
