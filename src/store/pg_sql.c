/*
 * pg_sql.c - statements of sql_priv.h whose text for PostgreSQL is another one.
 *
 * All others are translated word by word (pg_text.c); so are parameters and casts here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

/* The checkpoints of a thread beside those of savers, whose ids are texts. */
#define SIBLINGS(thread)                                                                \
	"(SELECT ns, convert_to(CAST(CAST(encode(uuid, 'hex') AS uuid) AS text), 'UTF8')" \
	" FROM checkpoint WHERE thread = " thread ")"

/* A JSON document whose values can be taken: a string of it may be a NUL, which PostgreSQL
 * does not read.  Escapes keep their length, so this one is not taken for part of another. */
#define JSON(column) "CAST(replace(" column ", '\\u0000', '\\u0020') AS json)"

/* The number of the attempt stands behind all that a client may have said. */
#define ATTEMPT(n) "regexp_replace(base, '^(.*\"run_attempt\":)[0-9]+', '\\1' || " n ")"

/* The numbers of a JSON array. */
#define NUMBERS(array) "(SELECT unnest(CAST(translate(CAST(" array " AS TEXT), '[]', '{}')" \
	" AS bigint[])) AS value)"

const char *const store_sql_pg[SQL_COUNT] = {
/* Who changes or deletes it waits for those that begin a run of it, and they for it. */
[SQL_ASSISTANT_OWN] = ASSISTANT_SELECT "WHERE a.uuid = ? AND a.owner = ? FOR UPDATE OF a",
[SQL_ASSISTANT_STAYS] = "SELECT 1 FROM assistant a WHERE a.uuid = ?"
    " AND (a.owner = ? OR a.system = 1) FOR KEY SHARE",
[SQL_RUNS_NEWS] = "SELECT r.seq, t.owner, r.status, t.node, coalesce((SELECT max(e.last)"
    " FROM event e WHERE e.run = r.seq), -1) FROM " NUMBERS("?") " j"
    " JOIN run r ON r.seq = j.value JOIN thread t ON t.seq = r.thread",
[SQL_THREADS_THERE] = "SELECT t.seq, t.owner FROM " NUMBERS("?") " j"
    " JOIN thread t ON t.seq = j.value",
/* It would sort all that the branches of a UNION ALL give. */
[SQL_THREADS_NEW] = SEEK_COLUMNS "FROM thread t WHERE t.owner = ?1"
    " ORDER BY t.created DESC, t.seq DESC",
[SQL_THREADS_OLD] = SEEK_COLUMNS "FROM thread t WHERE t.owner = ?1 ORDER BY t.created, t.seq",
[SQL_RUN_RETRY] = "UPDATE run SET status = 0, attempt = ?1, updated = ?2,"
    " base = " ATTEMPT("CAST(?1 AS INTEGER)") " WHERE seq = ?3",
[SQL_RUN_RESTED] = "UPDATE run SET attempt = 1, base = " ATTEMPT("'1'")
    " WHERE seq = ?1 AND attempt > 1",
[SQL_RUN_MOVE] = "UPDATE run SET thread = ?, uuid = uuid_send(gen_random_uuid()), held = 0"
    " WHERE seq = ?",
[SQL_RUN_DUE] = "SELECT coalesce(max(CAST(substring(result FROM '^[0-9]+') AS INTEGER)), 0)"
    " FROM record WHERE thread = ?1 AND run = ?2 AND name = 'wait'"
    " AND (key = 'due' OR key LIKE '%/due')",
[SQL_RUN_HOSTED] = "SELECT 1 FROM run r CROSS JOIN agent a ON a.hash = r.agent"
    " WHERE r.seq = ? AND json_typeof(" JSON("a.body") " #> '{0,1,hosted}') = 'object'",
[SQL_SAVER_LIST_NAMED] = "SELECT s.seq, s.id, " JSON("t.metadata") " ->> 'saver_thread'"
    " FROM thread t CROSS JOIN saver_checkpoint s ON s.thread = t.seq"
    " WHERE t.owner = ?2 AND strpos(t.metadata, '\"saver_thread\"') > 0"
    " AND json_typeof(" JSON("t.metadata") " -> 'saver_thread') = 'string'"
    " AND (s.ns = ?3 OR ?3 IS NULL) AND CAST(?1 AS INTEGER) IS NOT NULL "
    SAVER_LISTED "ORDER BY s.id DESC, t.seq, s.ns",
[SQL_SAVER_LIST] = "SELECT s.seq, s.id, NULL " SAVER_OF "AND CAST(?3 AS TEXT) IS NULL "
    SAVER_LISTED "ORDER BY s.id DESC, s.ns",
[SQL_SAVER_BLOB_PUT] = "INSERT INTO saver_blob(thread, ns, id, channel, type, body)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (thread, id, md5(ns), md5(channel))"
    " DO UPDATE SET type = excluded.type, body = excluded.body",
[SQL_SAVER_WRITE_LAST] = "INSERT INTO saver_write(thread, ns, id, task, idx, run, path,"
    " channel, type, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (thread, id, md5(ns), task, idx, run) DO UPDATE SET"
    " path = excluded.path, channel = excluded.channel, type = excluded.type,"
    " body = excluded.body",
[SQL_SAVER_BLOBS_OF_RUN] = "DELETE FROM saver_blob WHERE thread = ?1 AND (ns, id) IN"
    " (SELECT ns, id FROM saver_checkpoint WHERE thread = ?1 AND run = ?2"
    " AND (ns, id) NOT IN " SIBLINGS("?1") ")",
[SQL_SAVER_PUTS_OF_RUN] = "DELETE FROM saver_checkpoint WHERE thread = ?1 AND run = ?2"
    " AND (ns, id) NOT IN " SIBLINGS("?1"),
[SQL_SAVER_PRUNE_PUTS] = "DELETE FROM saver_checkpoint WHERE seq IN (SELECT seq"
    " FROM saver_checkpoint WHERE thread = ?1 AND (ns, id) NOT IN " SIBLINGS("?1")
    " LIMIT ?2)",
[SQL_SAVER_PRUNE_WRITES] = "DELETE FROM saver_write WHERE thread = ?1"
    " AND (ns, id, task, idx) IN (SELECT ns, id, task, idx FROM saver_write"
    " WHERE thread = ?1 AND (ns, id) NOT IN " SIBLINGS("?1") " LIMIT ?2)",
[SQL_SAVER_COPY] = "INSERT INTO saver_checkpoint(thread, ns, id, parent, run, type, body,"
    " meta_type, meta, channels) SELECT ?2, ns, id, parent, 0, type, body, meta_type, meta,"
    " channels FROM saver_checkpoint WHERE thread = ?1 AND (ns, id) IN " SIBLINGS("?2"),
[SQL_NODE_INSERT] = NODE_INSERT_TEXT(NOW_PG),
[SQL_NODE_BEAT] = NODE_BEAT_TEXT(NOW_PG),
/* Of these a node takes what no other is taking. */
[SQL_NODES_LATE] = NODES_LATE_TEXT(NOW_PG) " FOR UPDATE SKIP LOCKED",
[SQL_NODE_THREADS] = NODE_THREADS_TEXT " FOR NO KEY UPDATE SKIP LOCKED",
/* Numbers have gaps here: ?1 is how many are kept; < 0: not looked at now (mail.c). */
[SQL_LETTERS_OLD] = "SELECT key, mail FROM (SELECT l.key, l.mail, m.created FROM letter l"
    " CROSS JOIN mail m ON m.key = l.mail WHERE l.state > 1 ORDER BY l.key LIMIT ?3) x"
    " WHERE created < ?2 OR CASE WHEN ?1 >= 0 THEN key <= (SELECT o.key FROM letter o"
    " WHERE o.state > 1 ORDER BY o.key DESC OFFSET greatest(?1, 0) LIMIT 1) ELSE false END",
[SQL_MAILERS_LOST] = MAILERS_LOST_TEXT " FOR NO KEY UPDATE SKIP LOCKED",
[SQL_LETTERS_LOST] = LETTERS_LOST_TEXT " FOR NO KEY UPDATE SKIP LOCKED",
[SQL_NODE_LIST] = NODE_LIST_TEXT(NOW_PG),
/* pg_words.c */
[SQL_WORD_INSERT] = "INSERT INTO word(key, words, lexemes) SELECT ?1, CAST(?2 AS TEXT),"
    " array_to_tsvector(ARRAY(SELECT DISTINCT (CAST(?1 AS INTEGER) >> 40) || ':' || left(w, 500)"
    " FROM unnest(string_to_array(CAST(?2 AS TEXT), ' ')) w))",
[SQL_WORD_ERASE] = "DELETE FROM word WHERE key = ?1 AND CAST(?2 AS TEXT) IS NOT NULL",
[SQL_WORD_FIND] = "SELECT key, words FROM word WHERE lexemes @@ CAST(CAST(?1 AS TEXT)"
    " AS tsquery) AND key BETWEEN ?2 AND ?3 ORDER BY key DESC LIMIT ?4",
};
