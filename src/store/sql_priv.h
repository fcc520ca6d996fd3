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

#include "store/sql_item_priv.h"
#include "store/sql_mail_priv.h"
#include "store/sql_saver_priv.h"
#include "store/sql_node_priv.h"
#include "store/sql_owner_priv.h"
#include "store/sql_size_priv.h"
#include "store/sql_wasm_priv.h"

#define ASSISTANT_SELECT                                                       \
	"SELECT a.uuid, v.graph, v.name, v.description, v.config, v.context,"  \
	" v.metadata, a.version, a.created, a.updated, a.seq, a.owner, a.latest" \
	" FROM assistant a CROSS JOIN assistant_version v"                     \
	" ON v.assistant = a.seq AND v.version = a.version "

/* A version as the assistant that it was. */
#define VERSION_SELECT                                                         \
	"SELECT a.uuid, v.graph, v.name, v.description, v.config, v.context,"  \
	" v.metadata, v.version, v.created, 0"                                 \
	" FROM assistant a CROSS JOIN assistant_version v"                     \
	" ON v.assistant = a.seq "

#define THREAD_SELECT                                                          \
	"SELECT t.uuid, t.seq, t.status, t.metadata, t.config, t.error,"       \
	" t.created, t.updated, t.checkpoint, t.state_updated, t.ttl,"         \
	" t.ttl_keeps, t.expires, t.node FROM thread t "

/* At ?2 the time of one that keeps its latest state begins anew. */
#define THREAD_REARM                                                           \
	" expires = CASE ttl_keeps WHEN 0 THEN expires ELSE"                   \
	" ?2 + nullif(ttl, 0) END "

/* Candidates of a search, in order of creation. */
#define SEEK_COLUMNS                                                           \
	"SELECT t.seq, t.status, t.created, t.updated, t.uuid, t.metadata,"    \
	" t.state_updated, t.checkpoint "
#define SEEK_BY(index) SEEK_COLUMNS                                            \
	"FROM thread t INDEXED BY " index " WHERE t.owner = ?1 "
#define SEEK_STATUS(status) SEEK_COLUMNS                                       \
	"FROM thread t INDEXED BY thread_status"                               \
	" WHERE t.owner = ?1 AND t.status = " status " "
#define SEEK_ALL                                                               \
	SEEK_STATUS("0") "UNION ALL " SEEK_STATUS("1") "UNION ALL "            \
	SEEK_STATUS("2") "UNION ALL " SEEK_STATUS("3")
#define SEEK_FACET SEEK_COLUMNS                                                \
	"FROM facet f CROSS JOIN thread t ON t.seq = f.thread"                 \
	" WHERE f.owner = ?1 AND f.hash = ?2 AND t.owner = ?1 "

/* What a model took: columns, how they add up, and of whom. */
#define USAGE_SUMS "coalesce(sum(calls), 0), coalesce(sum(input), 0),"         \
	" coalesce(sum(cached), 0), coalesce(sum(output), 0),"                 \
	" coalesce(sum(reasoning), 0), coalesce(sum(cost), 0)"
#define USAGE_FOLDED "sum(calls), sum(input), sum(cached), sum(output), sum(reasoning), sum(cost)"
#define USAGE_SUM                                                              \
	" ON CONFLICT (owner, thread, run, day, model) DO UPDATE SET"          \
	" calls = usage.calls + excluded.calls,"                               \
	" input = usage.input + excluded.input,"                               \
	" cached = usage.cached + excluded.cached,"                            \
	" output = usage.output + excluded.output,"                            \
	" reasoning = usage.reasoning + excluded.reasoning,"                   \
	" cost = usage.cost + excluded.cost"
#define USAGE_RANGE "WHERE owner = ?1 AND thread BETWEEN ?2 AND ?3"            \
	" AND run BETWEEN ?4 AND ?5 AND day BETWEEN ?6 AND ?7"

#define RUN_COLUMNS                                                            \
	"SELECT r.uuid, t.uuid, r.assistant, r.seq, r.thread, r.status,"       \
	" r.multitask, r.attempt, r.graph, r.kwargs, r.metadata, r.base,"      \
	" r.error, r.created, r.updated, r.agent, r.cancel_reason, r.held "
#define RUN_FOUND "SELECT r.seq, t.uuid, r.uuid, r.assistant, r.status, r.created," \
	" r.updated, r.graph FROM "
#define RUN_WANTED "+t.owner = ?1 AND (CAST(?2 AS bigint) & (1 << CAST(r.status AS integer))) <> 0" \
	" AND (r.assistant = ?4 OR ?4 IS NULL) AND r.created < ?5 AND r.seq < ?6" \
	" ORDER BY r.seq DESC LIMIT ?7"
#define RUN_SELECT RUN_COLUMNS                                                 \
	"FROM run r CROSS JOIN thread t ON t.seq = r.thread "

#define HOOK_COLUMNS                                                           \
	"SELECT h.seq, h.thread, h.owner, h.id, h.url, h.headers,"             \
	" h.body, h.tries, t.uuid, h.assistant, h.status, h.multitask,"        \
	" h.created, h.started, h.ended, h.kwargs, h.metadata, h.error,"       \
	" h.cancel_reason, h.checkpoint, h.push, h.due"

/* Running and in nobody's memory by now. */
#define CUT_OFF_SELECT                                                         \
	"SELECT r.seq, r.thread, r.attempt, t.owner FROM run r"                \
	" INDEXED BY run_active CROSS JOIN thread t ON t.seq = r.thread"       \
	" WHERE r.status < 2 AND r.status = 1 AND (NOT EXISTS (SELECT 1"       \
	" FROM wait w WHERE w.thread = r.thread AND w.run = r.seq)"            \
	" OR EXISTS (SELECT 1 FROM run p INDEXED BY run_active"                \
	" WHERE p.thread = r.thread AND p.status < 2 AND p.status = 0"         \
	" AND p.multitask >= 2 AND p.seq > r.seq))"

/* Crons whose assistant and thread are there; those of a buried one go later. */
#define CRON_FROM                                                              \
	"FROM cron c CROSS JOIN assistant a ON a.seq = c.assistant"            \
	" LEFT JOIN thread t ON t.seq = c.thread "
#define CRON_THERE "a.uuid IS NOT NULL AND (c.thread IS NULL OR t.uuid IS NOT NULL) "
#define CRON_SELECT                                                            \
	"SELECT c.uuid, a.uuid, t.uuid, c.seq, c.owner,"                       \
	" (SELECT subject FROM owner WHERE seq = c.owner), c.schedule, c.zone," \
	" c.enabled, c.keeps, c.ends, c.next, c.version, c.created, c.updated," \
	" c.payload, c.metadata, c.error " CRON_FROM

#define CHECKPOINT_COLUMNS                                                     \
	"SELECT c.seq, c.parent, c.uuid, p.uuid, c.ns, c.step, c.source,"      \
	" r.uuid, r.base, c.channels, c.tasks, c.snapshot, c.wrote, c.extra,"  \
	" c.created "
#define CHECKPOINT_JOINS                                                       \
	" LEFT JOIN checkpoint p ON p.seq = c.parent"                          \
	" LEFT JOIN run r ON r.seq = c.run "
#define CHECKPOINT_SELECT CHECKPOINT_COLUMNS                                   \
	"FROM thread t CROSS JOIN checkpoint c ON c.thread = t.seq"            \
	CHECKPOINT_JOINS "WHERE t.seq = ?1 AND +t.owner = ?2 "

#define INTERRUPT_COLUMNS                                                      \
	"SELECT i.id, i.ns, i.task, c.uuid, i.key, i.value, i.schema,"         \
	" i.created, i.state, i.answer, r.uuid, t.uuid, i.thread "
#define INTERRUPT_JOINS                                                        \
	" CROSS JOIN thread t ON t.seq = i.thread"                             \
	" LEFT JOIN checkpoint c ON c.seq = i.checkpoint"                      \
	" LEFT JOIN run r ON r.seq = i.run "

#define SQL_CORE_MAP(X)                                                        \
	X(CHECK, "SELECT count(*) FROM (SELECT 1 FROM owner LIMIT 1) o")       \
	/* owners */                                                           \
	X(OWNER_FIND, "SELECT seq FROM owner WHERE subject = ?")               \
	X(OWNER_INSERT, "INSERT INTO owner(seq, subject) VALUES (?, ?)"        \
	    " ON CONFLICT DO NOTHING")                                         \
	/* assistants */                                                       \
	X(ASSISTANT_GET, ASSISTANT_SELECT                                      \
	    "WHERE a.uuid = ? AND (a.owner = ? OR a.system = 1)")              \
	X(ASSISTANT_OWN, ASSISTANT_SELECT                                      \
	    "WHERE a.uuid = ? AND +a.owner = ?")                                \
	X(ASSISTANT_STAYS, "SELECT 1 FROM assistant a"                         \
	    " WHERE a.uuid = ? AND (+a.owner = ? OR a.system = 1)")            \
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
	    " updated = ? WHERE seq = ? AND +owner = ?")                        \
	X(ASSISTANT_BURY, "UPDATE assistant SET owner = -1, uuid = NULL"       \
	    " WHERE seq = ? AND +owner = ?")                                    \
	X(ASSISTANT_ERASE, "DELETE FROM assistant WHERE seq = ?")              \
	X(ASSISTANT_ANY_OF, "SELECT seq FROM assistant INDEXED BY assistant_owner" \
	    " WHERE owner = ? AND system = 0 LIMIT 1")                         \
	X(ASSISTANT_DEAD, "SELECT seq FROM assistant INDEXED BY assistant_dead" \
	    " WHERE owner < 0 LIMIT 1")                                        \
	X(VERSION_INSERT, "INSERT INTO assistant_version(assistant, version,"  \
	    " graph, name, description, config, context, metadata, created)"   \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")                             \
	X(ASSISTANT_LATEST, "UPDATE assistant SET version = ?, updated = ?"    \
	    " WHERE seq = ? AND +owner = ?")                                    \
	X(VERSION_AT, VERSION_SELECT                                           \
	    "WHERE a.seq = ? AND v.version = ?")                               \
	X(VERSIONS_OF, VERSION_SELECT                                          \
	    "WHERE a.uuid = ? AND (a.owner = ? OR a.system = 1)"               \
	    " ORDER BY v.version DESC")                                        \
	X(VERSIONS_COUNT, "SELECT count(*) FROM assistant_version"             \
	    " WHERE assistant = ?")                                            \
	X(VERSION_ERASE, "DELETE FROM assistant_version WHERE assistant = ?1"  \
	    " AND version < coalesce((SELECT version FROM assistant_version"   \
	    " WHERE assistant = ?1 ORDER BY version LIMIT 1 OFFSET ?2), 4611686018427387904)") \
	/* keys of requests */                                                 \
	X(ONCE_GET, "SELECT request, id FROM once WHERE owner = ? AND key = ?") \
	X(ONCE_PUT, "INSERT INTO once(owner, key, request, id, created)"       \
	    " VALUES (?, ?, ?, ?, ?)")                                         \
	X(ONCE_COUNT, "SELECT count(*) FROM once INDEXED BY once_created")     \
	X(ONCE_SWEEP, "DELETE FROM once WHERE (owner, key) IN (SELECT owner, key" \
	    " FROM once INDEXED BY once_created WHERE created < ?"             \
	    " ORDER BY created LIMIT ?)")                                      \
	/* threads */                                                          \
	X(THREAD_GET, THREAD_SELECT "WHERE t.uuid = ? AND +t.owner = ?")        \
	X(THREAD_AT, THREAD_SELECT "WHERE t.seq = ? AND +t.owner = ?")          \
	X(THREAD_NEXT_OF, THREAD_SELECT "WHERE t.assistant = ?"                \
	    " AND t.owner = ? ORDER BY t.seq LIMIT 1")                         \
	X(THREAD_UPDATE, "UPDATE thread SET updated = ?, assistant = ?,"       \
	    " metadata = ? WHERE seq = ? AND +owner = ?")                       \
	X(THREADS_NEW, SEEK_ALL "ORDER BY 3 DESC, 1 DESC")                     \
	X(THREADS_OLD, SEEK_ALL "ORDER BY 3, 1")                               \
	X(THREADS_OF_STATUS_NEW, SEEK_STATUS("?2")                             \
	    "ORDER BY t.created DESC, t.seq DESC")                             \
	X(THREADS_OF_STATUS_OLD, SEEK_STATUS("?2")                             \
	    "ORDER BY t.created, t.seq")                                       \
	X(THREADS_OF_FACET_NEW, SEEK_FACET                                     \
	    "ORDER BY f.created DESC, f.thread DESC")                          \
	X(THREADS_OF_FACET_OLD, SEEK_FACET "ORDER BY f.created, f.thread")     \
	X(THREADS_UPDATED_NEW, SEEK_BY("thread_updated")                       \
	    "ORDER BY t.updated DESC, t.seq DESC")                             \
	X(THREADS_UPDATED_OLD, SEEK_BY("thread_updated")                       \
	    "ORDER BY t.updated, t.seq")                                       \
	X(THREADS_STATE_NEW, SEEK_BY("thread_state")                           \
	    "ORDER BY t.state_updated DESC, t.seq DESC")                       \
	X(THREADS_STATE_OLD, SEEK_BY("thread_state")                           \
	    "ORDER BY t.state_updated, t.seq")                                 \
	/* of a thread that an owner-checked row named */                      \
	X(CHANNELS_AT, "SELECT channels FROM checkpoint WHERE seq = ?")        \
	X(THREADS_OF_ID, SEEK_COLUMNS                                          \
	    "FROM thread t WHERE t.owner = ? AND t.uuid = ?")                  \
	X(COUNT_GET, "SELECT n FROM thread_count WHERE owner = ? AND what = ?") \
	X(COUNT_ADD, "INSERT INTO thread_count(owner, what, n)"                \
	    " VALUES (?, ?, ?) ON CONFLICT (owner, what)"                      \
	    " DO UPDATE SET n = thread_count.n + excluded.n")                  \
	X(COUNT_ERASE, "DELETE FROM thread_count"                              \
	    " WHERE owner = ? AND what = ? AND n = 0")                         \
	X(FACET_INSERT, "INSERT INTO facet(owner, hash, created, thread)"      \
	    " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")                     \
	X(FACET_DELETE, "DELETE FROM facet WHERE owner = ? AND hash = ?"       \
	    " AND created = ? AND thread = ?")                                 \
	X(THREAD_INSERT, "INSERT INTO thread(seq, uuid, owner, status,"        \
	    " checkpoint, created, updated, assistant, metadata, config,"      \
	    " state_updated, ttl, ttl_keeps, expires, node) VALUES (?1, ?2,"   \
	    " ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?5, ?10, ?11, nullif(?12, 0), ?13)" \
	    " ON CONFLICT DO NOTHING")                                         \
	X(THREAD_COPY, "INSERT INTO thread(seq, uuid, owner, status, checkpoint," \
	    " created, updated, assistant, metadata, config, error, state_updated," \
	    " ttl, ttl_keeps, expires) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?," \
	    " ?, ?, ?, nullif(?, 0)) ON CONFLICT DO NOTHING")                  \
	X(THREAD_BEGIN_RUN, "UPDATE thread SET status = ?, updated = ?,"       \
	    " assistant = ?, metadata = ?, config = ?, node = ?"               \
	    " WHERE seq = ? AND +owner = ?")                                    \
	/* ms 0: the state is as it was */                                     \
	X(THREAD_ADVANCE, "UPDATE thread SET checkpoint = ?1,"                 \
	    " state_updated = max(state_updated, ?2) WHERE seq = ?3 AND +owner = ?4") \
	X(THREAD_END_RUN, "UPDATE thread SET status = ?1, updated = ?2,"       \
	    " checkpoint = ?3, error = ?4, state_updated = max(state_updated, ?5)," \
	    " node = ?8," THREAD_REARM "WHERE seq = ?6 AND +owner = ?7")        \
	X(THREAD_STATUS, "UPDATE thread SET status = ?1, updated = ?2,"        \
	    THREAD_REARM "WHERE seq = ?3 AND +owner = ?4")                      \
	X(THREAD_FAIL, "UPDATE thread SET status = ?1, updated = ?2, error = ?3," \
	    THREAD_REARM "WHERE seq = ?4")                                     \
	X(USAGE_ADD, "INSERT INTO usage(owner, thread, run, day, model, calls, input, cached," \
	    " output, reasoning, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" USAGE_SUM) \
	/* A late record of a day that is over changes nothing. */               \
	X(PAYER_ADD, "INSERT INTO payer(id, day, tokens) VALUES (?, ?, ?)"       \
	    " ON CONFLICT(id) DO UPDATE SET tokens = excluded.tokens +"          \
	    " CASE payer.day WHEN excluded.day THEN payer.tokens ELSE 0 END,"    \
	    " day = excluded.day WHERE excluded.day >= payer.day")               \
	X(PAYER_GET, "SELECT tokens FROM payer WHERE id = ? AND day = ?")        \
	X(USAGE_FOLD, "INSERT INTO usage SELECT owner, 0, 0, day, model, " USAGE_FOLDED \
	    " FROM usage WHERE owner = ? AND thread = ? GROUP BY owner, day, model" USAGE_SUM) \
	X(USAGE_FOLD_RUN, "INSERT INTO usage SELECT owner, thread, 0, day, model, " \
	    USAGE_FOLDED " FROM usage WHERE owner = (SELECT owner FROM thread"  \
	    " WHERE seq = ?1) AND thread = ?1 AND run = ?2"                      \
	    " GROUP BY owner, thread, day, model" USAGE_SUM)                    \
	X(USAGE_DROP_RUN, "DELETE FROM usage WHERE owner = (SELECT owner FROM thread" \
	    " WHERE seq = ?1) AND thread = ?1 AND run = ?2")                     \
	X(USAGE_DROP, "DELETE FROM usage WHERE owner = ? AND thread = ?")        \
	X(USAGE_TOTAL, "SELECT " USAGE_SUMS ", 0 FROM usage " USAGE_RANGE " LIMIT ?8 OFFSET ?9") \
	X(USAGE_BY_DAY, "SELECT " USAGE_SUMS ", day FROM usage " USAGE_RANGE     \
	    " GROUP BY day ORDER BY day DESC LIMIT ?8 OFFSET ?9")                \
	X(USAGE_BY_MODEL, "SELECT " USAGE_SUMS ", model FROM usage " USAGE_RANGE \
	    " GROUP BY model ORDER BY sum(cost) DESC, model LIMIT ?8 OFFSET ?9") \
	X(USAGE_BY_THREAD, "SELECT g.*, (SELECT uuid FROM thread t WHERE t.seq = g.thread" \
	    " AND t.owner = ?1) FROM (SELECT " USAGE_SUMS ", thread FROM usage " USAGE_RANGE \
	    " GROUP BY thread ORDER BY thread DESC LIMIT ?8 OFFSET ?9) g")       \
	X(USAGE_BY_RUN, "SELECT g.*, (SELECT uuid FROM thread t WHERE t.seq = g.thread" \
	    " AND t.owner = ?1), (SELECT uuid FROM run r WHERE r.seq = g.run AND" \
	    " r.thread = g.thread) FROM (SELECT " USAGE_SUMS ", thread, run FROM usage " \
	    USAGE_RANGE " GROUP BY thread, run ORDER BY thread DESC, run DESC"   \
	    " LIMIT ?8 OFFSET ?9) g")                                            \
	X(USAGE_ALL, "SELECT " USAGE_SUMS ", 0 FROM usage WHERE day BETWEEN ?1 AND ?2") \
	X(USAGE_BY_OWNER, "SELECT g.*, (SELECT subject FROM owner o WHERE"       \
	    " o.seq = g.owner) FROM (SELECT " USAGE_SUMS ", owner FROM usage"    \
	    " WHERE day BETWEEN ?1 AND ?2 GROUP BY owner ORDER BY sum(cost) DESC," \
	    " sum(input) DESC, owner LIMIT ?3 OFFSET ?4) g")                     \
	X(THREAD_BURY, "UPDATE thread SET owner = -1, uuid = NULL,"            \
	    " assistant = NULL, expires = NULL WHERE seq = ? AND +owner = ?")   \
	X(THREAD_LIVES_ON, "UPDATE thread SET expires = NULL WHERE seq = ?")   \
	X(THREAD_TTL, "UPDATE thread SET ttl = ?, ttl_keeps = ?, expires = ?"  \
	    " WHERE seq = ? AND +owner = ?")                                    \
	X(THREAD_ANY_OF, THREAD_SELECT "WHERE t.owner = ? LIMIT 1")            \
	/* of all owners; a busy one is not in this index */                   \
	X(THREADS_EXPIRED, "SELECT t.owner, t.seq FROM thread t"               \
	    " INDEXED BY thread_expires WHERE t.expires IS NOT NULL"           \
	    " AND t.status <> 1 AND t.expires <= ? ORDER BY t.expires LIMIT 1") \
	/* temporary, and no webhook is to be sent of it any more */           \
	X(THREAD_UNNEEDED, THREAD_SELECT "WHERE t.seq = ?1 AND +t.owner = ?2"   \
	    " AND t.temporary = 1"                                             \
	    " AND NOT EXISTS (SELECT 1 FROM hook WHERE thread = ?1)")          \
	X(THREAD_SET_TEMPORARY, "UPDATE thread SET temporary = 1 WHERE seq = ?") \
	/* for what is left of a run: a thread that is buried from the start */ \
	X(THREAD_GRAVE, "INSERT INTO thread(seq, owner, status, checkpoint,"   \
	    " created, updated, metadata, config)"                             \
	    " VALUES (?, -1, 0, 0, 0, 0, '{}', '{}')")                         \
	X(THREAD_ERASE, "DELETE FROM thread WHERE seq = ?")                    \
	X(THREAD_DEAD, "SELECT seq FROM thread INDEXED BY thread_dead"         \
	    " WHERE owner < 0 LIMIT 1")                                        \
	X(THREADS_BUSY_OF, "SELECT t.uuid FROM thread t CROSS JOIN run r"      \
	    " INDEXED BY run_active WHERE r.thread = t.seq AND r.status < 2"   \
	    " AND t.assistant = ? AND t.owner = ? LIMIT 1")                    \
	/* runs; ACTIVE: (running, all) of a thread */                         \
	X(RUN_GET, RUN_SELECT "WHERE r.uuid = ? AND +t.owner = ?")              \
	X(RUN_AT, RUN_SELECT "WHERE r.seq = ? AND +t.owner = ?")                \
	X(RUN_LIST, RUN_COLUMNS "FROM thread t CROSS JOIN run r"               \
	    " ON r.thread = t.seq WHERE t.seq = ?1 AND +t.owner = ?2"           \
	    " AND (?3 < 0 OR CASE WHEN r.status = 1 AND r.uuid = ?6 THEN 0"    \
	    " ELSE r.status END = ?3) ORDER BY r.seq DESC LIMIT ?4 OFFSET ?5") \
	X(RUNS_NEWEST, "SELECT r.seq, t.uuid, r.uuid, r.status FROM thread t"  \
	    " CROSS JOIN run r ON r.thread = t.seq WHERE t.seq = ? AND +t.owner = ?" \
	    " ORDER BY r.seq DESC LIMIT ?")                                    \
	X(RUNS_ACTIVE, "SELECT r.seq, t.uuid, r.uuid, r.status FROM run r"     \
	    " INDEXED BY run_active CROSS JOIN thread t ON t.seq = r.thread"   \
	    " WHERE r.status < 2 AND t.owner = ?1 AND (?2 < 0 OR r.status = ?2)" \
	    " AND r.seq > ?3 AND (r.assistant = ?5 OR ?5 IS NULL)"             \
	    " ORDER BY r.seq LIMIT ?4")                                        \
	/* ?3: of one thread, in RUNS_OF alone */                              \
	X(RUNS_FOUND_ACTIVE, RUN_FOUND "run r INDEXED BY run_active CROSS JOIN thread t" \
	    " ON t.seq = r.thread WHERE r.status < 2 AND ?3 = 0 AND " RUN_WANTED) \
	X(RUNS_FOUND, RUN_FOUND "run r CROSS JOIN thread t ON t.seq = r.thread" \
	    " WHERE ?3 = 0 AND " RUN_WANTED)                                   \
	X(RUNS_FOUND_OF, RUN_FOUND "thread t CROSS JOIN run r ON r.thread = t.seq" \
	    " WHERE t.seq = ?3 AND " RUN_WANTED)                               \
	X(RUN_ACTIVE_OF, "SELECT 1 FROM run r INDEXED BY run_active CROSS JOIN" \
	    " thread t ON t.seq = r.thread"                                    \
	    " WHERE r.status < 2 AND r.assistant = ? AND t.owner = ? LIMIT 1") \
	X(RUN_ACTIVE, "SELECT coalesce(sum(CASE status WHEN 1 THEN 1 ELSE 0 END), 0)," \
	    " count(*), coalesce(sum(CASE WHEN held > 0 THEN 1 ELSE 0 END), 0)" \
	    " FROM run INDEXED BY run_active WHERE thread = ? AND status < 2") \
	X(RUN_RELEASE, "UPDATE run INDEXED BY run_active SET held = 0"         \
	    " WHERE thread = ?1 AND status < 2 AND +status = 0 AND held > 0"   \
	    " AND held <= ?2")                                                 \
	/* not those of threads that another node has; ?3, ?1: this one */     \
	X(HELD_DUE, "SELECT r.held, r.thread, t.uuid, t.owner, NULL, NULL FROM run r" \
	    " INDEXED BY run_held CROSS JOIN thread t ON t.seq = r.thread"     \
	    " WHERE r.held > 0 AND r.held <= ?1 AND t.owner >= 0"              \
	    " AND (t.node <= 0 OR t.node = ?3) ORDER BY r.held LIMIT ?2")      \
	X(HELD_NEXT, "SELECT r.held FROM run r INDEXED BY run_held"            \
	    " CROSS JOIN thread t ON t.seq = r.thread WHERE r.held > 0"        \
	    " AND (t.node <= 0 OR t.node = ?1) ORDER BY r.held LIMIT 1")       \
	/* In the index's order: to sort, SQLite would open a table even when  \
	 * there is no row. */                                                 \
	X(RUNS_PENDING, "SELECT seq, uuid, held > 0, created FROM run"         \
	    " INDEXED BY run_active WHERE thread = ? AND status < 2"           \
	    " AND +status = 0 ORDER BY status, seq")                           \
	/* the newest of those that take the place of the one that runs; a held \
	 * one that is older has ended others, long ago */                     \
	X(RUN_DISPLACER, "SELECT multitask FROM run INDEXED BY run_active"     \
	    " WHERE thread = ?1 AND status < 2 AND +status = 0 AND multitask >= 2" \
	    " AND seq > ?2"                                                    \
	    " ORDER BY status DESC, seq DESC LIMIT 1")                         \
	X(RUN_RUNNING, "SELECT seq, uuid FROM run INDEXED BY run_active"       \
	    " WHERE thread = ? AND status < 2 AND +status = 1")                \
	X(RUN_INSERT, "INSERT INTO run(seq, uuid, thread, status, multitask,"  \
	    " attempt, created, updated, assistant, graph, kwargs, metadata,"  \
	    " base, agent, held, payer)"                                       \
	    " VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"         \
	    " ON CONFLICT DO NOTHING")                                         \
	X(RUN_OPEN, "SELECT r.status, t.checkpoint, c.uuid, c.channels,"       \
	    " r.payer, r.webhook IS NOT NULL, t.temporary, t.node"             \
	    " FROM run r CROSS JOIN thread t"                                  \
	    " ON t.seq = r.thread LEFT JOIN checkpoint c ON c.seq = t.checkpoint" \
	    " WHERE r.seq = ? AND t.seq = ? AND +t.owner = ?")                  \
	/* the next three after an owner-checked read in the same command */   \
	X(RUN_TAKE, "UPDATE run SET status = 1, updated = ? WHERE seq = ?")    \
	X(RUN_END, "UPDATE run SET status = ?, error = ?, updated = ?,"        \
	    " cancel_reason = ?, held = 0 WHERE seq = ?")                      \
	X(RUN_RETRY, "UPDATE run SET status = 0, attempt = ?1, updated = ?2,"  \
	    " base = json_replace(base, '$.run_attempt', ?1) WHERE seq = ?3")  \
	/* one that is parked has done well up to then */                     \
	X(RUN_RESTED, "UPDATE run SET attempt = 1,"                            \
	    " base = json_replace(base, '$.run_attempt', 1)"                   \
	    " WHERE seq = ?1 AND attempt > 1")                                 \
	/* when the last of its long waits is over */                         \
	X(RUN_DUE, "SELECT coalesce(max(CAST(result AS INTEGER)), 0)"          \
	    " FROM record WHERE thread = ?1 AND run = ?2 AND name = 'wait'"    \
	    " AND (key = 'due' OR key LIKE '%/due')")                          \
	X(RUN_MOVE, "UPDATE run SET thread = ?, uuid = randomblob(16), held = 0" \
	    " WHERE seq = ?")                                                  \
	X(RUN_ERASE, "DELETE FROM run WHERE seq = ?")                          \
	X(RUN_ONE_OF, "SELECT seq FROM run INDEXED BY run_thread"              \
	    " WHERE thread = ? ORDER BY seq LIMIT 1")                          \
	/* not those that left memory, unless another is to take their place */ \
	X(RUNS_CUT_OFF, CUT_OFF_SELECT)                                        \
	X(RUN_CUT_OFF, CUT_OFF_SELECT " AND r.thread = ?")                     \
	/* checkpoints of its own, in the line of the head */                  \
	X(RUN_STEPS, "WITH RECURSIVE own(parent) AS"                           \
	    " (SELECT c.parent FROM run r CROSS JOIN thread t"                 \
	    " ON t.seq = r.thread CROSS JOIN checkpoint c"                     \
	    " ON c.seq = t.checkpoint"                                         \
	    " WHERE r.seq = ?1 AND +t.owner = ?2 AND c.run = ?1 UNION ALL"      \
	    " SELECT c.parent FROM own CROSS JOIN checkpoint c"                \
	    " ON c.seq = own.parent WHERE c.run = ?1)"                         \
	    " SELECT count(*) FROM own")                                       \
	X(THREADS_PENDING, "SELECT t.owner, t.seq, t.uuid FROM thread t"       \
	    " WHERE t.seq IN (SELECT thread FROM run INDEXED BY run_active"    \
	    " WHERE status < 2 AND status = 0 AND held = 0) AND t.node <= 0"   \
	    " ORDER BY t.seq")                                                 \
	/* checkpoints */                                                      \
	X(CHECKPOINT_LATEST, CHECKPOINT_SELECT "AND c.seq = t.checkpoint")     \
	X(CHECKPOINT_AT, CHECKPOINT_SELECT "AND c.seq = ?3")                   \
	X(CHECKPOINT_FIND, CHECKPOINT_SELECT "AND c.ns = ?3 AND c.uuid = ?4")  \
	/* the newest of a namespace that is not past an id */                 \
	X(CHECKPOINT_BEFORE, CHECKPOINT_SELECT "AND c.ns = ?3 AND c.uuid <= ?4" \
	    " ORDER BY c.uuid DESC LIMIT 1")                                   \
	X(CHECKPOINT_HEAD, CHECKPOINT_SELECT "AND c.ns = ?3"                   \
	    " ORDER BY c.uuid DESC LIMIT 1")                                   \
	X(CHECKPOINT_BACK, CHECKPOINT_SELECT "AND c.ns = ?3 AND c.uuid < ?4"   \
	    " ORDER BY c.uuid DESC LIMIT ?5")                                  \
	X(CHECKPOINT_BACK_ALL, CHECKPOINT_SELECT                               \
	    "AND c.ns = ?3 AND c.uuid < ?4 ORDER BY c.uuid DESC")              \
	X(CHECKPOINT_CHILD, "SELECT seq FROM checkpoint WHERE thread = ?1"     \
	    " AND ns = ?2 AND uuid > ?3 AND parent = ?4 AND source = 1"        \
	    " ORDER BY uuid LIMIT 1")                                          \
	X(NAMESPACE_NEXT, "SELECT c.ns FROM thread t CROSS JOIN checkpoint c"  \
	    " ON c.thread = t.seq WHERE t.seq = ? AND +t.owner = ? AND c.ns > ?" \
	    " ORDER BY c.ns LIMIT 1")                                          \
	X(CHECKPOINT_INSERT, "INSERT INTO checkpoint(seq, uuid, thread, ns,"   \
	    " parent, run, step, source, created, channels, tasks, snapshot,"  \
	    " wrote, extra)"                                                   \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")              \
	/* after an owner-checked read in the same command; of a place: seq,   \
	 * uuid, run, channels, tasks */                                       \
	X(PLACE_HEAD, "SELECT seq, uuid, run, channels, tasks, parent"         \
	    " FROM checkpoint WHERE thread = ? AND ns = ?"                     \
	    " ORDER BY uuid DESC LIMIT 1")                                     \
	X(PLACE_FIND, "SELECT seq, uuid, run, channels, tasks, parent"         \
	    " FROM checkpoint WHERE thread = ? AND ns = ? AND uuid = ?")       \
	X(PLACE_AT, "SELECT seq, uuid, run, channels, tasks, parent"           \
	    " FROM checkpoint WHERE seq = ?")                                  \
	X(CHECKPOINTS_OF, "SELECT c.seq, c.parent, c.channels, c.run, r.base," \
	    " c.extra FROM checkpoint c LEFT JOIN run r ON r.seq = c.run"      \
	    " WHERE c.thread = ? ORDER BY c.seq")                              \
	X(CHECKPOINT_COPY, "INSERT INTO checkpoint(seq, uuid, thread, ns,"     \
	    " parent, run, step, source, created, channels, tasks, snapshot,"  \
	    " wrote, extra) SELECT ?2, uuid, ?3, ns, ?4, 0, step, source,"     \
	    " created, ?5, tasks, snapshot, wrote, ?6 FROM checkpoint"         \
	    " WHERE seq = ?1")                                                 \
	X(CHANNEL_COPY, "INSERT INTO channel(thread, ns, name, version, type," \
	    " body) SELECT ?2, ns, name, version, type, body FROM channel"     \
	    " WHERE thread = ?1")                                              \
	X(WRITE_COPY, "INSERT INTO task_write(thread, task, idx, path, channel," \
	    " type, body) SELECT ?2, task, idx, path, channel, type, body"     \
	    " FROM task_write WHERE thread = ?1")                              \
	X(RECORD_COPY, "INSERT INTO record(thread, task, key, run, name, result)" \
	    " SELECT ?2, task, key, 0, name, result FROM record WHERE thread = ?1") \
	X(INTERRUPT_COPY, "INSERT INTO interrupt(thread, id, owner, ns, task," \
	    " checkpoint, run, key, value, schema, state, answer, created)"    \
	    " SELECT ?2, i.id, i.owner, i.ns, i.task, n.seq, 0, i.key, i.value," \
	    " i.schema, i.state, i.answer, i.created FROM interrupt i"         \
	    " CROSS JOIN checkpoint o ON o.seq = i.checkpoint CROSS JOIN"      \
	    " checkpoint n ON n.thread = ?2 AND n.ns = o.ns AND n.uuid = o.uuid" \
	    " WHERE i.thread = ?1")                                            \
	X(NAMESPACE_AFTER, "SELECT ns FROM checkpoint WHERE thread = ?"        \
	    " AND ns > ? ORDER BY ns LIMIT 1")                                 \
	X(CHECKPOINT_REBASE, "UPDATE checkpoint SET channels = ? WHERE seq = ?") \
	X(CHECKPOINT_DROP, "DELETE FROM checkpoint WHERE seq = ? AND thread = ?") \
	/* what came before the newest state */                                \
	X(PRUNE_READ, "SELECT seq, channels FROM checkpoint WHERE thread = ?"  \
	    " ORDER BY ns, uuid")                                              \
	X(PRUNE_PARENTS, "UPDATE checkpoint SET parent = 0 WHERE thread = ?1"  \
	    " AND parent <> 0 AND NOT EXISTS (SELECT 1 FROM checkpoint p"      \
	    " WHERE p.seq = checkpoint.parent)")                               \
	X(PRUNE_VALUES, "SELECT ns, name, version FROM channel WHERE thread = ?") \
	X(PRUNE_TASKS, "SELECT task FROM task_write WHERE thread = ?1 UNION"   \
	    " SELECT task FROM record WHERE thread = ?1 UNION"                 \
	    " SELECT task FROM interrupt WHERE thread = ?1")                   \
	/* what a task asks that outlived its checkpoint */                    \
	X(PRUNE_INTERRUPTS, "UPDATE interrupt SET checkpoint = coalesce((SELECT" \
	    " c.seq FROM checkpoint c WHERE c.thread = ?1 AND c.ns = interrupt.ns" \
	    " ORDER BY c.uuid DESC LIMIT 1), checkpoint) WHERE thread = ?1"    \
	    " AND NOT EXISTS (SELECT 1 FROM checkpoint c WHERE c.seq ="        \
	    " interrupt.checkpoint)")                                          \
	X(CHECKPOINT_ORPHAN, "UPDATE checkpoint SET run = 0"                   \
	    " WHERE thread = ? AND run = ?")                                   \
	/* of a buried thread, or one that this command deletes */             \
	X(CHECKPOINT_OLDEST, "SELECT ns, uuid, channels FROM checkpoint"       \
	    " WHERE thread = ? ORDER BY ns, uuid LIMIT ?")                     \
	X(CHECKPOINT_ERASE, "DELETE FROM checkpoint WHERE thread = ?"          \
	    " AND (ns, uuid) <= (?, ?)")                                       \
	/* lists: by a number that an owner-checked checkpoint named */        \
	X(ENTRY_INSERT, "INSERT INTO entry(key, n, body) VALUES (?, ?, ?)")    \
	X(ENTRY_GET, "SELECT key, n, body FROM entry WHERE key >="             \
	    " coalesce((SELECT key FROM entry WHERE key <= ?1 AND key >= ?2"   \
	    " ORDER BY key DESC LIMIT 1), ?2) AND key < ?3 ORDER BY key")      \
	X(ENTRY_DROP, "DELETE FROM entry WHERE key >= ? AND key < ?")          \
	X(ENTRY_ERASE, "DELETE FROM entry WHERE key >= ?1 AND key <"           \
	    " coalesce((SELECT key FROM entry WHERE key >= ?1 AND key < ?2"    \
	    " ORDER BY key LIMIT 1 OFFSET ?3), ?2)")                           \
	X(LIST_END, "SELECT key + n FROM entry WHERE key >= ? AND key < ?"     \
	    " ORDER BY key DESC LIMIT 1")                                      \
	X(LIST_GET, "SELECT base, base_len, depth FROM list WHERE seq = ?")    \
	X(LIST_INSERT, "INSERT INTO list(seq, base, base_len, depth, thread)"  \
	    " VALUES (?, ?, ?, ?, ?)")                                         \
	X(LIST_ERASE, "DELETE FROM list WHERE seq = ?")                        \
	X(LIST_NEEDED, "SELECT coalesce(max(base_len), 0) FROM list"           \
	    " WHERE base <> 0 AND base = ?")                                   \
	/* do others need it, and has it a row? */                             \
	X(LIST_NEEDS, "SELECT EXISTS(SELECT 1 FROM list WHERE base <> 0"       \
	    " AND base = ?1), EXISTS(SELECT 1 FROM list WHERE seq = ?1)")      \
	/* its base, if that is nobody's and only this list needs it */        \
	X(LIST_LONE_BASE, "SELECT l.base FROM list l CROSS JOIN list b"        \
	    " ON b.seq = l.base WHERE l.seq = ? AND b.thread = 0"              \
	    " AND (SELECT count(*) FROM list o WHERE o.base <> 0"              \
	    " AND o.base = l.base) = 1")                                       \
	X(LIST_ORPHAN, "INSERT INTO list(seq, base, base_len, depth, thread)"  \
	    " VALUES (?, 0, 0, 0, 0) ON CONFLICT (seq) DO UPDATE SET thread = 0") \
	/* values, writes, the journal: after an owner-checked read */         \
	X(CHANNEL_GET, "SELECT type, body FROM channel WHERE thread = ?"       \
	    " AND ns = ? AND name = ? AND version = ?")                        \
	X(CHANNEL_INSERT, "INSERT INTO channel(thread, ns, name, version, type," \
	    " body) VALUES (?, ?, ?, ?, ?, ?)")                                \
	X(CHANNEL_DROP, "DELETE FROM channel WHERE thread = ? AND ns = ?"      \
	    " AND name = ? AND version = ?")                                   \
	X(CHANNEL_ERASE, "DELETE FROM channel WHERE thread = ?1"               \
	    " AND (ns, name, version) IN (SELECT ns, name, version"            \
	    " FROM channel WHERE thread = ?1 LIMIT ?2)")                       \
	X(WRITES_OF, "SELECT task, idx, path, channel, type, body"             \
	    " FROM task_write WHERE thread = ? AND task = ? ORDER BY idx")     \
	X(WRITE_AT, "SELECT body FROM task_write"                              \
	    " WHERE thread = ? AND task = ? AND idx = ?")                      \
	X(WRITE_FIRST, "INSERT INTO task_write(thread, task, idx, path,"       \
	    " channel, type, body, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"       \
	    " ON CONFLICT DO NOTHING")                                         \
	X(WRITE_LAST, "INSERT INTO task_write(thread, task, idx, path,"        \
	    " channel, type, body, run) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"       \
	    " ON CONFLICT (thread, task, idx) DO UPDATE SET path = excluded.path," \
	    " channel = excluded.channel, type = excluded.type,"               \
	    " body = excluded.body, run = excluded.run")                       \
	X(WRITES_DROP, "DELETE FROM task_write WHERE thread = ? AND task = ?") \
	X(WRITE_ERASE, "DELETE FROM task_write WHERE thread = ?1"              \
	    " AND (task, idx) IN (SELECT task, idx FROM task_write"            \
	    " WHERE thread = ?1 LIMIT ?2)")                                    \
	X(RECORD_PUT, "INSERT INTO record(thread, task, key, run, name, result)" \
	    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (thread, task, key)"       \
	    " DO UPDATE SET result = excluded.result WHERE record.result IS NULL") \
	X(RECORDS_OF, "SELECT task, key, name, result FROM record"             \
	    " WHERE thread = ? AND task = ? ORDER BY key")                     \
	X(RECORDS_DROP, "DELETE FROM record WHERE thread = ? AND task = ?")    \
	X(RECORDS_OF_RUN, "DELETE FROM record WHERE thread = ? AND run = ?")   \
	X(RECORD_ERASE, "DELETE FROM record WHERE thread = ?1"                 \
	    " AND (task, key) IN (SELECT task, key FROM record"                \
	    " WHERE thread = ?1 LIMIT ?2)")                                    \
	X(WAIT_ERASE, "DELETE FROM wait WHERE thread = ?1 AND ?2 > 0")         \
	X(WAITS_OF_RUN, "DELETE FROM wait WHERE thread = ? AND run = ?")       \
	X(WAIT_PUT, "INSERT INTO wait(thread, run, due) VALUES (?, ?, ?)"      \
	    " ON CONFLICT (thread) DO UPDATE SET run = excluded.run,"          \
	    " due = excluded.due")                                             \
	X(WAIT_OF, "SELECT run FROM wait WHERE thread = ?")                    \
	X(WAIT_GONE, "DELETE FROM wait WHERE thread = ?")                      \
	/* what is due, the earliest first */                                  \
	X(WAITS_DUE, "SELECT w.due, w.thread, t.uuid, t.owner, NULL, NULL FROM wait w" \
	    " INDEXED BY wait_due CROSS JOIN thread t ON t.seq = w.thread"     \
	    " WHERE w.due <= ?1 AND t.owner >= 0 AND (t.node <= 0 OR t.node = ?3)" \
	    " ORDER BY w.due LIMIT ?2")                                        \
	X(WAITS_NEXT, "SELECT w.due FROM wait w INDEXED BY wait_due CROSS JOIN" \
	    " thread t ON t.seq = w.thread WHERE t.node <= 0 OR t.node = ?1"   \
	    " ORDER BY w.due LIMIT 1")                                         \
	X(ASKS_DUE, "SELECT i.due, i.thread, t.uuid, t.owner, i.id, r.uuid"    \
	    " FROM interrupt i INDEXED BY interrupt_due CROSS JOIN thread t"   \
	    " ON t.seq = i.thread LEFT JOIN run r ON r.seq = i.run"            \
	    " WHERE i.state = 0 AND i.due IS NOT NULL AND i.due <= ?1"         \
	    " AND t.owner >= 0 AND (t.node <= 0 OR t.node = ?3)"               \
	    " ORDER BY i.due LIMIT ?2")                                        \
	X(ASKS_NEXT, "SELECT i.due FROM interrupt i INDEXED BY interrupt_due"  \
	    " CROSS JOIN thread t ON t.seq = i.thread"                         \
	    " WHERE i.state = 0 AND i.due IS NOT NULL"                         \
	    " AND (t.node <= 0 OR t.node = ?1) ORDER BY i.due LIMIT 1")        \
	X(ASK_LATER, "UPDATE interrupt SET due = ? WHERE thread = ? AND id = ?" \
	    " AND state = 0 AND due IS NOT NULL")                              \
	/* crons */                                                            \
	X(CRON_GET, CRON_SELECT "WHERE c.uuid = ? AND +c.owner = ? AND " CRON_THERE) \
	X(CRON_AT, CRON_SELECT "WHERE c.seq = ? AND +c.owner = ? AND " CRON_THERE) \
	X(CRONS_OF, "SELECT c.seq, c.uuid, a.uuid, t.uuid, c.enabled, c.created," \
	    " c.updated, c.next, c.ends, c.metadata " CRON_FROM                \
	    "WHERE c.owner = ? AND " CRON_THERE)                               \
	X(QUOTA_RUNS, "SELECT count(*) FROM (SELECT 1 FROM thread t"           \
	    " INDEXED BY thread_status CROSS JOIN run r INDEXED BY run_active"  \
	    " WHERE r.thread = t.seq AND t.owner = ? AND t.status = 1"         \
	    " AND r.status < 2 LIMIT ?) AS one")                               \
	X(QUOTA_THREADS, "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM thread_count" \
	    " WHERE owner = ? AND what BETWEEN 1 AND 4")                       \
	X(QUOTA_AGENTS, "SELECT count(*) FROM (SELECT 1 FROM mailer"          \
	    " WHERE owner = ? LIMIT ?) AS one")                                \
	X(QUOTA_ITEMS, "SELECT items FROM item_total WHERE owner = ?")         \
	X(QUOTA_BYTES, "SELECT bytes FROM item_total WHERE owner = ?")         \
	X(CRONS_COUNT, "SELECT count(*) FROM cron WHERE owner = ?")            \
	X(CRON_INSERT, "INSERT INTO cron(seq, uuid, owner, assistant, thread," \
	    " schedule, zone, enabled, keeps, ends, next, version, created,"   \
	    " updated, payload, metadata)"                                     \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)")        \
	X(CRON_UPDATE, "UPDATE cron SET assistant = ?, schedule = ?, zone = ?," \
	    " enabled = ?,"                                                    \
	    " keeps = ?, ends = ?, next = ?, version = version + 1, updated = ?," \
	    " payload = ?, metadata = ?, error = ? WHERE seq = ? AND +owner = ?") \
	X(CRON_FIRED, "UPDATE cron SET next = ?1,"                            \
	    " enabled = CASE WHEN CAST(?1 AS INTEGER) IS NULL THEN 0 ELSE 1 END,"  \
	    " error = ?2 WHERE uuid = ?3 AND +owner = ?4 AND version = ?5"      \
	    " AND next = ?6")                                                  \
	X(CRON_DELETE, "DELETE FROM cron WHERE uuid = ? AND +owner = ?")        \
	/* whatever owner: the cron is fired as its own */                     \
	X(CRONS_DUE, "SELECT c.next, 0, t.uuid, c.owner, c.uuid, NULL"         \
	    " FROM cron c INDEXED BY cron_next CROSS JOIN assistant a"         \
	    " ON a.seq = c.assistant LEFT JOIN thread t ON t.seq = c.thread"   \
	    " WHERE c.next IS NOT NULL AND c.next <= ?1 AND " CRON_THERE       \
	    "ORDER BY c.next LIMIT ?2")                                        \
	X(CRONS_NEXT, "SELECT c.next FROM cron c INDEXED BY cron_next"         \
	    " CROSS JOIN assistant a ON a.seq = c.assistant LEFT JOIN thread t" \
	    " ON t.seq = c.thread WHERE c.next IS NOT NULL AND " CRON_THERE    \
	    "ORDER BY c.next LIMIT 1")                                         \
	X(CRON_ERASE, "DELETE FROM cron WHERE seq IN (SELECT seq FROM cron"    \
	    " INDEXED BY cron_thread WHERE thread = ? LIMIT ?)")               \
	X(CRON_ERASE_OF, "DELETE FROM cron WHERE assistant = ?1 AND seq <"     \
	    " coalesce((SELECT seq FROM cron WHERE assistant = ?1"             \
	    " ORDER BY seq LIMIT 1 OFFSET ?2), 4611686018427387904)")                      \
	/* interrupts */                                                       \
	X(INTERRUPT_INSERT, "INSERT INTO interrupt(thread, id, owner, ns, task," \
	    " checkpoint, run, key, value, schema, state, created, due,"       \
	    " assignee, asked) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10," \
	    " 0, ?11, ?12, ?13, ?7)"                                           \
	    " ON CONFLICT DO NOTHING")                                         \
	X(INTERRUPT_ANSWER, "UPDATE interrupt SET state = 1, answer = ?,"      \
	    " run = coalesce(nullif(?, 0), run)"                               \
	    " WHERE thread = ? AND id = ? AND state = 0")                      \
	X(INTERRUPT_VOID, "UPDATE interrupt SET state = 2"                     \
	    " WHERE thread = ? AND id = ? AND state = 0")                      \
	X(INTERRUPTS_DROP, "DELETE FROM interrupt WHERE thread = ? AND task = ?") \
	X(INTERRUPT_ERASE, "DELETE FROM interrupt WHERE thread = ?1"           \
	    " AND id IN (SELECT id FROM interrupt WHERE thread = ?1 LIMIT ?2)") \
	X(INTERRUPTS_WAIT, "SELECT id, ns, task FROM interrupt"                \
	    " INDEXED BY interrupt_waits_thread WHERE thread = ? AND state = 0") \
	X(INTERRUPTS_OF_TASK, INTERRUPT_COLUMNS "FROM interrupt i"             \
	    " INDEXED BY interrupt_task" INTERRUPT_JOINS                       \
	    "WHERE i.thread = ? AND i.task = ? ORDER BY i.created, i.id")      \
	X(INTERRUPTS_OF, INTERRUPT_COLUMNS "FROM interrupt i"                  \
	    " INDEXED BY interrupt_waits_thread" INTERRUPT_JOINS               \
	    "WHERE i.thread = ? AND i.state = 0 ORDER BY i.created, i.id")     \
	/* by the run under way */                                             \
	X(INTERRUPTS_GIVEN, INTERRUPT_COLUMNS "FROM interrupt i"               \
	    INTERRUPT_JOINS "WHERE i.thread = ?1 AND i.state = 1 AND i.run ="  \
	    " (SELECT seq FROM run INDEXED BY run_active WHERE thread = ?1"    \
	    " AND status < 2 AND +status = 1)")                                \
	X(INTERRUPTS_BY_ASSIGNEE, INTERRUPT_COLUMNS "FROM interrupt i"         \
	    " INDEXED BY interrupt_assignee" INTERRUPT_JOINS                   \
	    "WHERE i.owner = ? AND i.state = 0 AND i.assignee = ?"             \
	    " AND t.owner = i.owner ORDER BY i.created DESC LIMIT ? OFFSET ?") \
	X(INTERRUPTS_BY_OWNER, INTERRUPT_COLUMNS "FROM interrupt i"            \
	    " INDEXED BY interrupt_waits" INTERRUPT_JOINS                      \
	    "WHERE i.owner = ? AND i.state = 0 AND t.owner = i.owner"          \
	    " ORDER BY i.created DESC LIMIT ? OFFSET ?")                       \
	/* definitions */                                                      \
	X(AGENT_PUT, "INSERT INTO agent(hash, id, body, created)"              \
	    " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")                     \
	X(AGENT_GET, "SELECT id, body FROM agent WHERE hash = ?")              \
	/* messages to servers of others; the numbers are of rows that were read */ \
	X(RUN_WEBHOOK, "UPDATE run SET webhook = ?2, push = ?3 WHERE seq = ?1") \
	X(RUN_PUSH, "UPDATE run SET webhook = ?3, push = ?4 WHERE uuid = ?1"   \
	    " AND (push IS NOT NULL OR webhook IS NULL)"                       \
	    " AND thread IN (SELECT seq FROM thread WHERE owner = ?2)")        \
	X(RUN_PUSH_GET, "SELECT r.push FROM run r CROSS JOIN thread t"         \
	    " ON t.seq = r.thread WHERE r.uuid = ? AND +t.owner = ?")           \
	X(HOOK_OF_RUN, "INSERT INTO hook(owner, thread, id, url, headers,"     \
	    " push, tries, due, assistant, status, multitask, created, started,"     \
	    " ended, kwargs, metadata, error, cancel_reason, checkpoint)"      \
	    " SELECT t.owner, r.thread, r.uuid, r.webhook, '', r.push, 0, ?5," \
	    " r.assistant, ?2, r.multitask, r.created, CASE r.status WHEN 1"   \
	    " THEN r.updated END, ?5, r.kwargs, r.metadata, ?3, ?4, (SELECT"   \
	    " c.uuid FROM checkpoint c WHERE c.thread = r.thread AND"          \
	    " c.ns = '' ORDER BY c.uuid DESC LIMIT 1)"                         \
	    " FROM run r CROSS JOIN thread t ON t.seq = r.thread"              \
	    " WHERE r.seq = ?1 AND r.webhook IS NOT NULL AND r.status < 2")    \
	X(HOOK_INSERT, "INSERT INTO hook(owner, thread, id, url, headers,"     \
	    " body, tries, due) VALUES (?, ?, ?, ?, ?, ?, 0, ?)")              \
	X(HOOK_DONE, "DELETE FROM hook WHERE seq = ?")                         \
	X(HOOK_LATER, "UPDATE hook SET tries = ?, due = ? WHERE seq = ?")      \
	X(HOOK_ERASE, "DELETE FROM hook WHERE seq IN (SELECT seq FROM hook"    \
	    " WHERE thread = ?1 LIMIT ?2)")                                    \
	X(HOOK_RECEIVER, "SELECT min(receiver) FROM hook WHERE receiver > ?")  \
	X(HOOK_TAKE, "UPDATE hook SET due = ?3 WHERE seq = ?1 AND due = ?2")   \
	X(HOOK_AT, HOOK_COLUMNS " FROM hook h LEFT JOIN thread t"              \
	    " ON t.seq = h.thread WHERE h.seq = ?"                             \
	    " AND (h.thread = 0 OR t.owner = h.owner)")                        \
	X(HOOKS_DUE, HOOK_COLUMNS                                              \
	    " FROM hook h INDEXED BY hook_receiver LEFT JOIN thread t"         \
	    " ON t.seq = h.thread WHERE h.receiver = ? AND h.due <= ?"         \
	    " AND (h.thread = 0 OR t.owner = h.owner) ORDER BY h.due LIMIT ?") \
	X(HOOK_NEXT, "SELECT min(due) FROM hook WHERE due > ?")                \
	X(HOOKS_WANTED, "SELECT EXISTS (SELECT 1 FROM hook) OR EXISTS (SELECT 1" \
	    " FROM run INDEXED BY run_active WHERE status < 2"                 \
	    " AND webhook IS NOT NULL)")                                       \
	X(SIZE_HOOK, "SELECT count(*), coalesce(sum(80 +"                      \
	    " length(CAST(url AS BLOB)) +"                                     \
	    " coalesce(length(CAST(push AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(body AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(kwargs AS BLOB)), 0) +"                     \
	    " coalesce(length(CAST(metadata AS BLOB)), 0) +"                   \
	    " coalesce(length(CAST(error AS BLOB)), 0)), 0) FROM hook"         \
	    " WHERE thread = ?")                                               \
	/* streams */                                                          \
	X(STREAM_INSERT, "INSERT INTO stream(run, last, first, body)"          \
	    " SELECT r.seq, ?3, ?4, ?5 FROM run r CROSS JOIN thread t"         \
	    " ON t.seq = r.thread WHERE r.seq = ?1 AND +t.owner = ?2"           \
	    " ON CONFLICT DO NOTHING")                                         \
	X(STREAM_GET, "SELECT s.last, s.body FROM run r CROSS JOIN thread t"   \
	    " ON t.seq = r.thread CROSS JOIN stream s ON s.run = r.seq"        \
	    " WHERE r.seq = ? AND +t.owner = ? AND s.last > ? ORDER BY s.last") \
	X(STREAM_LAST, "SELECT max(last) FROM stream WHERE run = ?")           \
	X(STREAM_ERASE, "DELETE FROM stream WHERE run = ?1 AND last <"         \
	    " coalesce((SELECT last FROM stream WHERE run = ?1"                \
	    " ORDER BY last LIMIT 1 OFFSET ?2), 9223372036854775807)")         \
	/* events */                                                           \
	X(EVENT_DROP, "DELETE FROM event WHERE run = (SELECT event_run"        \
	    " FROM thread WHERE seq = ?1) AND run <> ?2")                      \
	X(EVENT_BEGIN, "UPDATE thread SET event_run = ?2 WHERE seq = ?1")      \
	X(EVENT_INSERT, "INSERT INTO event(run, last, first, body)"            \
	    " SELECT r.seq, ?4, ?5, ?6 FROM run r CROSS JOIN thread t"         \
	    " ON t.seq = r.thread WHERE r.seq = ?1 AND t.seq = ?2"             \
	    " AND +t.owner = ?3")                                               \
	X(EVENT_RESERVE, "UPDATE thread SET event_next = max(event_next, ?2)"  \
	    " WHERE seq = ?1")                                                 \
	X(EVENT_GET, "SELECT e.last, e.body FROM run r CROSS JOIN thread t"    \
	    " ON t.seq = r.thread CROSS JOIN event e ON e.run = r.seq"         \
	    " WHERE r.seq = ? AND +t.owner = ? AND e.last > ? ORDER BY e.last") \
	X(EVENT_NEXT, "SELECT event_next FROM thread WHERE seq = ?"            \
	    " AND +owner = ?")                                                  \
	/* what a run's events behind a number take; the first and the last */ \
	X(EVENT_SIZE, "SELECT coalesce(sum(CASE WHEN e.last > ?3"              \
	    " THEN length(e.body) ELSE 0 END), 0), coalesce(min(e.first), -1)," \
	    " coalesce(max(e.last), -1)"                                       \
	    " FROM run r CROSS JOIN thread t ON t.seq = r.thread"              \
	    " CROSS JOIN event e ON e.run = r.seq"                             \
	    " WHERE r.seq = ?1 AND +t.owner = ?2")                              \
	X(EVENT_SKIP, "UPDATE thread SET event_next = event_next + ?2 WHERE seq = ?1") \
	X(EVENT_ERASE, "DELETE FROM event WHERE run = ?1 AND last <"           \
	    " coalesce((SELECT last FROM event WHERE run = ?1"                 \
	    " ORDER BY last LIMIT 1 OFFSET ?2), 9223372036854775807)")         \
	/* transcripts */                                                      \
	X(TRANSCRIPT_INSERT, "INSERT INTO transcript(run, last, first, body)"  \
	    " VALUES (?, ?, ?, ?)")                                            \
	X(TRANSCRIPT_LAST, "SELECT coalesce((SELECT last FROM transcript"      \
	    " WHERE run = r.seq ORDER BY last DESC LIMIT 1), 0) FROM run r"    \
	    " CROSS JOIN thread t ON t.seq = r.thread WHERE r.seq = ?"         \
	    " AND +t.owner = ?")                                                \
	X(TRANSCRIPT_PAGE, "SELECT r.seq, r.uuid, x.first, x.body,"            \
	    " CASE x.first WHEN 1 THEN r.kwargs END,"                          \
	    " CASE x.first WHEN 1 THEN r.graph END, CASE x.first WHEN 1"       \
	    " THEN r.agent END, r.assistant FROM run r"                        \
	    " CROSS JOIN thread t ON t.seq = r.thread CROSS JOIN transcript x" \
	    " ON x.run = r.seq WHERE r.thread = ?1 AND t.owner = ?2"           \
	    " AND r.seq >= ?3 AND r.seq <= ?4 AND x.last >"                    \
	    " CASE r.seq WHEN ?3 THEN ?5 ELSE 0 END"                           \
	    " ORDER BY r.seq, x.last")                                         \
	X(TRANSCRIPT_ERASE, "DELETE FROM transcript WHERE run = ?1 AND last <" \
	    " coalesce((SELECT last FROM transcript WHERE run = ?1"            \
	    " ORDER BY last LIMIT 1 OFFSET ?2), 9223372036854775807)")         \
	/* numbers and times to go on from */                                  \
	X(SEQ_OWNER, "SELECT max(seq) FROM owner")                             \
	X(SEQ_ASSISTANT, "SELECT max(seq) FROM assistant")                     \
	X(SEQ_THREAD, "SELECT max(seq) FROM thread")                           \
	X(SEQ_RUN, "SELECT max(seq) FROM run")                                 \
	X(SEQ_CHECKPOINT, "SELECT max(seq) FROM checkpoint")                   \
	X(SEQ_MAIL, "SELECT max(coalesce((SELECT max(key) FROM mail), 0),"        \
	    " coalesce((SELECT max(key) FROM letter), 0))")                               \
	X(SEQ_CRON, "SELECT max(seq) FROM cron")                               \
	X(SEQ_NODE, "SELECT max(seq) FROM node")                               \
	/* old lists have the numbers of checkpoints */                        \
	X(SEQ_LIST, "SELECT max(coalesce((SELECT max(seq) FROM list), 0),"     \
	    " coalesce((SELECT max(key) FROM entry), 0) >> 20,"                \
	    " coalesce((SELECT max(seq) FROM checkpoint), 0))")                \
	X(LAST_RUN_ID, "SELECT uuid FROM run ORDER BY seq DESC LIMIT 1")       \
	/* copies have high numbers and old ids */                                     \
	X(LAST_CHECKPOINT_ID, "SELECT uuid FROM (SELECT uuid FROM checkpoint"  \
	    " ORDER BY seq DESC LIMIT 2000) c ORDER BY uuid DESC LIMIT 1")

/* Those of items, of messages between agents, of savers, of sizes and of modules stand in
 * headers of their own. */
#define SQL_MAP(X) SQL_CORE_MAP(X) SQL_ITEM_MAP(X) SQL_MAIL_MAP(X) SQL_SAVER_MAP(X)    \
	SQL_NODE_MAP(X) SQL_OWNER_MAP(X) SQL_SIZE_MAP(X) SQL_WASM_MAP(X)

enum sql {
#define X(name, text) SQL_##name,
	SQL_MAP(X)
#undef X
	SQL_COUNT
};

#endif
