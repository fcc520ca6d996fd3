/*
 * sql_saver_priv.h - statements about the rows of worker graphs' savers, and about
 * registered graphs; see sql_priv.h.
 *
 * saver_checkpoint.channels names the blob of each channel: {channel: [version, id of
 * the checkpoint that wrote it]}; id "": this one's own; none: it has no value.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_SAVER_PRIV_H
#define STORE_SQL_SAVER_PRIV_H

#define SAVER_COLUMNS                                                          \
	"SELECT s.seq, s.ns, s.id, s.parent, s.type, s.body, s.meta_type,"     \
	" s.meta, s.channels, s.thread "
#define SAVER_OF "FROM thread t CROSS JOIN saver_checkpoint s"                 \
	" ON s.thread = t.seq WHERE t.seq = ?1 AND +t.owner = ?2 "
/* ?4: an id, or a blob, which is greater than all */
#define SAVER_LISTED "AND s.id < ?4 AND (s.id = ?5 OR ?5 IS NULL) "

/* An id of a checkpoint as savers write it. */
#define SAVER_ID(u) "lower(substr(hex(" u "), 1, 8) || '-' || substr(hex(" u   \
	"), 9, 4) || '-' || substr(hex(" u "), 13, 4) || '-' || substr(hex("   \
	u "), 17, 4) || '-' || substr(hex(" u "), 21))"
/* The checkpoints of a thread beside those of savers. */
#define SAVER_SIBLINGS(thread)                                                 \
	"(SELECT ns, " SAVER_ID("uuid") " FROM checkpoint WHERE thread = " thread ")"

#define THREAD_PART(table, bit)                                                \
	"CASE WHEN EXISTS (SELECT 1 FROM " table " WHERE thread = ?1) THEN " bit " ELSE 0 END"

#define SQL_SAVER_MAP(X)                                                       \
	X(SAVER_HEAD, SAVER_COLUMNS SAVER_OF                                   \
	    "AND s.ns = ?3 ORDER BY s.id DESC LIMIT 1")                        \
	X(SAVER_FIND, SAVER_COLUMNS SAVER_OF "AND s.ns = ?3 AND s.id = ?4")    \
	X(SAVER_BEGAN, "SELECT s.run = ?3 OR EXISTS (SELECT 1 FROM saver_write w" \
	    " WHERE w.thread = ?1 AND w.ns = '' AND w.id = s.id AND w.run = ?3) " \
	    SAVER_OF "AND s.ns = '' ORDER BY s.id DESC LIMIT 1")               \
	/* seq, id, name of the thread */                                      \
	X(SAVER_LIST_NS, "SELECT s.seq, s.id, NULL " SAVER_OF                  \
	    "AND s.ns = ?3 " SAVER_LISTED "ORDER BY s.id DESC")                \
	X(SAVER_LIST, "SELECT s.seq, s.id, NULL " SAVER_OF                     \
	    SAVER_LISTED "ORDER BY s.id DESC, s.ns")                           \
	/* of threads that tests named; ?3 NULL: of all namespaces */          \
	X(SAVER_LIST_NAMED, "SELECT s.seq, s.id,"                              \
	    " json_extract(t.metadata, '$.saver_thread') FROM thread t"        \
	    " CROSS JOIN saver_checkpoint s ON s.thread = t.seq"               \
	    " WHERE t.owner = ?2 AND json_type(t.metadata, '$.saver_thread') = 'text'" \
	    " AND (s.ns = ?3 OR ?3 IS NULL) " SAVER_LISTED                     \
	    "ORDER BY s.id DESC, t.seq, s.ns")                                 \
	/* from here on by what an owner-checked read gave */                  \
	X(SAVER_AT, SAVER_COLUMNS "FROM saver_checkpoint s WHERE s.seq = ?")   \
	X(SAVER_WRITES, "SELECT task, path, idx, channel, type, body"          \
	    " FROM saver_write WHERE thread = ? AND ns = ? AND id = ?"         \
	    " ORDER BY task, idx, run")                                        \
	X(SAVER_BLOB, "SELECT type, body FROM saver_blob WHERE thread = ?"     \
	    " AND ns = ? AND id = ? AND channel = ?")                          \
	X(SAVER_CHANNELS, "SELECT channels FROM saver_checkpoint"              \
	    " WHERE thread = ? AND ns = ? AND id = ?")                         \
	X(SAVER_PUT, "INSERT INTO saver_checkpoint(thread, ns, id, parent, run," \
	    " type, body, meta_type, meta, channels)"                          \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"                           \
	    " ON CONFLICT (thread, ns, id) DO UPDATE SET"                      \
	    " parent = excluded.parent, run = excluded.run,"                   \
	    " type = excluded.type, body = excluded.body,"                     \
	    " meta_type = excluded.meta_type, meta = excluded.meta,"           \
	    " channels = excluded.channels")                                   \
	X(SAVER_BLOB_PUT, "INSERT INTO saver_blob(thread, ns, id, channel, type," \
	    " body) VALUES (?, ?, ?, ?, ?, ?)"                                 \
	    " ON CONFLICT (thread, ns, id, channel) DO UPDATE SET"             \
	    " type = excluded.type, body = excluded.body")                     \
	X(SAVER_WRITE_FIRST, "INSERT INTO saver_write(thread, ns, id, task, idx," \
	    " run, path, channel, type, body) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7," \
	    " ?8, ?9, ?10 WHERE NOT EXISTS (SELECT 1 FROM saver_write"         \
	    " WHERE thread = ?1 AND ns = ?2 AND id = ?3 AND task = ?4 AND idx = ?5)") \
	/* one of each run stays, so that a run can be taken back */           \
	X(SAVER_WRITE_LAST, "INSERT INTO saver_write(thread, ns, id, task, idx," \
	    " run, path, channel, type, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" \
	    " ON CONFLICT (thread, ns, id, task, idx, run) DO UPDATE SET"      \
	    " path = excluded.path, channel = excluded.channel,"               \
	    " type = excluded.type, body = excluded.body")                     \
	X(CHECKPOINT_BEFORE_PUT, "INSERT INTO checkpoint_before(thread, run,"  \
	    " checkpoint, tasks, snapshot) SELECT thread, ?2, seq, tasks, snapshot" \
	    " FROM checkpoint WHERE seq = ?1 AND run <> ?2 ON CONFLICT DO NOTHING") \
	X(CHECKPOINT_TASKS, "UPDATE checkpoint SET tasks = ?1, snapshot ="     \
	    " CASE ?2 WHEN '' THEN NULL ELSE coalesce(?2, snapshot) END"       \
	    " WHERE seq = ?3")                                                 \
	/* a question of a worker's graph whose id was there before */         \
	X(INTERRUPT_ANEW, "INSERT INTO interrupt(thread, id, owner, ns, task," \
	    " checkpoint, run, key, value, schema, state, created, due,"       \
	    " assignee, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10," \
	    " 0, ?11, ?12, ?13, ?7)"                                           \
	    " ON CONFLICT (thread, id) DO UPDATE SET ns = excluded.ns,"        \
	    " task = excluded.task,"                                           \
	    " checkpoint = excluded.checkpoint, run = excluded.run,"           \
	    " asked = excluded.asked,"                                         \
	    " key = excluded.key, value = excluded.value,"                     \
	    " schema = excluded.schema, state = 0, answer = NULL,"             \
	    " created = excluded.created, due = excluded.due,"                 \
	    " assignee = excluded.assignee")                                   \
	/* a checkpoint goes */                                                \
	X(SAVER_DROP, "DELETE FROM saver_checkpoint WHERE thread = ?"          \
	    " AND ns = ? AND id = ?")                                          \
	X(SAVER_BLOBS_DROP, "DELETE FROM saver_blob WHERE thread = ?"          \
	    " AND ns = ? AND id = ?")                                          \
	X(SAVER_WRITES_DROP, "DELETE FROM saver_write WHERE thread = ?"        \
	    " AND ns = ? AND id = ?")                                          \
	/* a run goes: what it put beside no checkpoint, and what it wrote in a \
	 * namespace that it has left nothing else in; the rest is nobody's */ \
	X(SAVER_BLOBS_OF_RUN, "DELETE FROM saver_blob WHERE thread = ?1"       \
	    " AND (ns, id) IN (SELECT ns, id FROM saver_checkpoint"            \
	    " WHERE thread = ?1 AND run = ?2 AND (ns, id) NOT IN "             \
	    SAVER_SIBLINGS("?1") ")")                                          \
	X(SAVER_PUTS_OF_RUN, "DELETE FROM saver_checkpoint WHERE thread = ?1"  \
	    " AND run = ?2 AND (ns, id) NOT IN " SAVER_SIBLINGS("?1"))         \
	X(SAVER_WRITES_OF_RUN, "DELETE FROM saver_write WHERE thread = ?1"     \
	    " AND run = ?2 AND ns NOT IN (SELECT ns FROM checkpoint"           \
	    " WHERE thread = ?1 AND run = ?2)")                                \
	/* likewise what it asked, answered and told of tasks there */         \
	X(INTERRUPTS_OF_RUN, "DELETE FROM interrupt WHERE thread = ?1"         \
	    " AND asked = ?2 AND state <> 1 AND ns NOT IN (SELECT ns"            \
	    " FROM checkpoint WHERE thread = ?1 AND run = ?2)")                \
	X(INTERRUPTS_UNANSWER, "UPDATE interrupt SET state = 0, answer = NULL," \
	    " run = asked WHERE thread = ?1 AND run = ?2 AND state = 1"            \
	    " AND ns NOT IN (SELECT ns FROM checkpoint WHERE thread = ?1"      \
	    " AND run = ?2)")                                                  \
	X(WRITES_OF_RUN, "DELETE FROM task_write WHERE thread = ?1"            \
	    " AND run = ?2 AND NOT EXISTS (SELECT 1 FROM checkpoint"           \
	    " WHERE thread = ?1 AND run = ?2)")                                \
	X(WRITES_ORPHAN, "UPDATE task_write SET run = 0"                       \
	    " WHERE thread = ? AND run = ?")                                   \
	X(INTERRUPTS_ORPHAN, "UPDATE interrupt SET"                            \
	    " run = CASE run WHEN ?2 THEN 0 ELSE run END,"                     \
	    " asked = CASE asked WHEN ?2 THEN 0 ELSE asked END WHERE thread = ?1" \
	    " AND (run = ?2 OR asked = ?2)")                                   \
	X(CHECKPOINT_BEFORE_BACK, "UPDATE checkpoint SET (tasks, snapshot) ="  \
	    " (SELECT tasks, snapshot FROM checkpoint_before WHERE thread = ?1" \
	    " AND run = ?2 AND checkpoint = checkpoint.seq) WHERE seq IN"      \
	    " (SELECT checkpoint FROM checkpoint_before WHERE thread = ?1"     \
	    " AND run = ?2) AND ns NOT IN (SELECT ns FROM checkpoint"          \
	    " WHERE thread = ?1 AND run = ?2)")                                \
	X(CHECKPOINT_BEFORE_DROP, "DELETE FROM checkpoint_before"              \
	    " WHERE thread = ? AND run = ?")                                   \
	X(SAVER_PUTS_ORPHAN, "UPDATE saver_checkpoint SET run = 0"             \
	    " WHERE thread = ? AND run = ?")                                   \
	/* nobody's: in place of those that are nobody's already */            \
	X(SAVER_WRITES_YIELD, "DELETE FROM saver_write WHERE thread = ?1 AND run = 0" \
	    " AND (ns, id, task, idx) IN (SELECT ns, id, task, idx"            \
	    " FROM saver_write WHERE thread = ?1 AND run = ?2)")               \
	X(SAVER_WRITES_ORPHAN, "UPDATE saver_write SET run = 0"                \
	    " WHERE thread = ? AND run = ?")                                   \
	/* only what stands beside a checkpoint stays */                       \
	X(SAVER_PRUNE_PUTS, "DELETE FROM saver_checkpoint WHERE seq IN"        \
	    " (SELECT seq FROM saver_checkpoint WHERE thread = ?1"             \
	    " AND (ns, id) NOT IN " SAVER_SIBLINGS("?1") " LIMIT ?2)")         \
	X(SAVER_PRUNE_WRITES, "DELETE FROM saver_write WHERE thread = ?1"      \
	    " AND (ns, id, task, idx) IN (SELECT ns, id, task, idx"            \
	    " FROM saver_write WHERE thread = ?1 AND (ns, id) NOT IN "         \
	    SAVER_SIBLINGS("?1") " LIMIT ?2)")                                 \
	X(CHECKPOINT_BEFORE_PRUNE, "DELETE FROM checkpoint_before"             \
	    " WHERE thread = ?1 AND (run, checkpoint) IN (SELECT run, checkpoint" \
	    " FROM checkpoint_before b WHERE thread = ?1 AND NOT EXISTS (SELECT 1" \
	    " FROM checkpoint c WHERE c.seq = b.checkpoint) LIMIT ?2)")        \
	X(SAVER_MAPS, "SELECT ns, id, channels FROM saver_checkpoint"          \
	    " WHERE thread = ?")                                               \
	X(SAVER_BLOBS_OF, "SELECT ns, id, channel FROM saver_blob"             \
	    " WHERE thread = ? ORDER BY ns, id, channel")                      \
	X(SAVER_BLOB_DROP, "DELETE FROM saver_blob WHERE thread = ?"           \
	    " AND ns = ? AND id = ? AND channel = ?")                          \
	/* a thread is copied: what stands beside checkpoints of the copy; blobs \
	 * also of checkpoints that are no more */                             \
	X(SAVER_COPY, "INSERT INTO saver_checkpoint(thread, ns, id, parent, run," \
	    " type, body, meta_type, meta, channels) SELECT ?2, ns, id, parent, 0," \
	    " type, body, meta_type, meta, channels FROM saver_checkpoint"     \
	    " WHERE thread = ?1 AND (ns, id) IN " SAVER_SIBLINGS("?2"))        \
	X(SAVER_COPY_BLOBS, "INSERT INTO saver_blob(thread, ns, id, channel, type," \
	    " body) SELECT ?2, ns, id, channel, type, body FROM saver_blob"    \
	    " WHERE thread = ?1 AND ((ns, id) IN (SELECT ns, id"               \
	    " FROM saver_checkpoint WHERE thread = ?2) OR (ns, id) NOT IN"     \
	    " (SELECT ns, id FROM saver_checkpoint WHERE thread = ?1))")       \
	/* but for what the step of ?3 has done: a blob, or an id of the root */ \
	X(SAVER_COPY_WRITES, "INSERT INTO saver_write(thread, ns, id, task, idx," \
	    " run, path, channel, type, body) SELECT ?2, ns, id, task, idx, 0," \
	    " path, channel, type, body FROM saver_write w WHERE thread = ?1"  \
	    " AND (ns, id) IN (SELECT ns, id FROM saver_checkpoint"            \
	    " WHERE thread = ?2) AND NOT (ns = '' AND id = ?3)"                \
	    " AND NOT EXISTS (SELECT 1 FROM saver_write o WHERE o.thread = ?1" \
	    " AND o.ns = w.ns AND o.id = w.id AND o.task = w.task"             \
	    " AND o.idx = w.idx AND o.run > w.run)")                           \
	/* a thread goes */                                                    \
	X(SAVER_ERASE, "DELETE FROM saver_checkpoint WHERE seq IN (SELECT seq" \
	    " FROM saver_checkpoint WHERE thread = ?1 LIMIT ?2)")              \
	X(SAVER_BLOB_ERASE, "DELETE FROM saver_blob WHERE thread = ?1"         \
	    " AND (ns, id, channel) IN (SELECT ns, id, channel"                \
	    " FROM saver_blob WHERE thread = ?1 LIMIT ?2)")                    \
	X(CHECKPOINT_BEFORE_ERASE, "DELETE FROM checkpoint_before"             \
	    " WHERE thread = ?1 AND (run, checkpoint) IN (SELECT run, checkpoint" \
	    " FROM checkpoint_before WHERE thread = ?1 LIMIT ?2)")             \
	X(SAVER_WRITE_ERASE, "DELETE FROM saver_write WHERE thread = ?1"       \
	    " AND (ns, id, task, idx) IN (SELECT ns, id, task, idx"            \
	    " FROM saver_write WHERE thread = ?1 LIMIT ?2)")                   \
	/* which rows of other tables has it? */                               \
	X(THREAD_PARTS, "SELECT " THREAD_PART("channel", "1") " + " THREAD_PART("task_write", "2")  \
	    " + " THREAD_PART("record", "4") " + " THREAD_PART("interrupt", "8")  \
	    " + " THREAD_PART("wait", "16") " + " THREAD_PART("cron", "32")  \
	    " + " THREAD_PART("hook", "64") " + " THREAD_PART("saver_checkpoint", "128")  \
	    " + " THREAD_PART("saver_blob", "256") " + " THREAD_PART("saver_write", "512")  \
	    " + " THREAD_PART("checkpoint_before", "1024"))\
	/* what a thread holds */                                              \
	X(SIZE_SAVER, "SELECT count(*), coalesce(sum(48 +"                     \
	    " length(CAST(ns AS BLOB)) + length(CAST(id AS BLOB)) +"           \
	    " coalesce(length(CAST(parent AS BLOB)), 0) + length(body) +"      \
	    " length(meta) + length(CAST(channels AS BLOB))), 0)"              \
	    " FROM saver_checkpoint WHERE thread = ?")                         \
	X(SIZE_BEFORE, "SELECT count(*), coalesce(sum(24 +"                    \
	    " coalesce(length(CAST(tasks AS BLOB)), 0) +"                      \
	    " coalesce(length(CAST(snapshot AS BLOB)), 0)), 0)"                \
	    " FROM checkpoint_before WHERE thread = ?")                        \
	X(SIZE_SAVER_WRITES, "SELECT count(*), coalesce(sum(32 +"              \
	    " length(CAST(ns AS BLOB)) + length(CAST(id AS BLOB)) +"           \
	    " length(CAST(task AS BLOB)) + length(CAST(path AS BLOB)) +"       \
	    " length(CAST(channel AS BLOB)) + length(body)), 0)"               \
	    " FROM saver_write WHERE thread = ?")                              \
	X(SIZE_SAVER_BLOBS, "SELECT channel, count(*), coalesce(sum(16 +"      \
	    " length(CAST(ns AS BLOB)) + length(CAST(id AS BLOB)) +"           \
	    " length(CAST(channel AS BLOB)) + length(body)), 0)"               \
	    " FROM saver_blob WHERE thread = ? GROUP BY channel")              \
	/* is its graph in a worker, not in this process? */                   \
	X(RUN_HOSTED, "SELECT 1 FROM run r CROSS JOIN agent a ON a.hash = r.agent" \
	    " WHERE r.seq = ? AND json_type(a.body, '$[0][1].hosted') = 'object'")   \
	/* registered graphs: of nobody */                                     \
	X(HOSTED_PUT, "INSERT INTO hosted(graph, key, body, hash, updated)"    \
	    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (graph) DO UPDATE SET"        \
	    " key = excluded.key, body = excluded.body, hash = excluded.hash," \
	    " updated = excluded.updated")                                     \
	X(HOSTED_DELETE, "DELETE FROM hosted WHERE graph = ?")                 \
	X(HOSTED_ALL, "SELECT graph, key, body, hash, updated FROM hosted"     \
	    " ORDER BY graph")

#endif
