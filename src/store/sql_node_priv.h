/*
 * sql_node_priv.h - statements about nodes, and whose threads are; see sql_priv.h.
 *
 * Times are the database's.  Texts with a time are macros of it, for PostgreSQL has
 * its own (pg_sql.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_NODE_PRIV_H
#define STORE_SQL_NODE_PRIV_H

#define NOW_SQLITE "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
#define NOW_PG     "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"

#define NODE_INSERT_TEXT(now)                                                  \
	"INSERT INTO node(seq, name, address, info, started, expires, state)"  \
	" VALUES (?1, ?2, ?3, ?4, " now ", " now " + ?5, 0)"
/* Also one that is over: nobody has marked it. */
#define NODE_BEAT_TEXT(now)                                                    \
	"UPDATE node SET expires = " now " + ?2 WHERE seq = ?1 AND state = 0"
#define NODES_LATE_TEXT(now)                                                   \
	"SELECT seq FROM node WHERE state = 0 AND expires < " now " ORDER BY seq"
#define NODE_LIST_TEXT(now)                                                    \
	"SELECT n.seq, n.name, n.address, n.info, n.state, n.started,"         \
	" n.expires - " now ", CASE WHEN ? = 1 THEN (SELECT count(*) FROM thread t" \
	" WHERE t.node = n.seq AND t.node > 0) ELSE 0 END FROM node n ORDER BY n.seq"
#define NODE_THREADS_TEXT                                                      \
	"SELECT t.seq, t.uuid, t.owner FROM thread t"                          \
	" WHERE t.node = ?1 AND t.node > 0 ORDER BY t.seq LIMIT ?2"

#define SQL_NODE_MAP(X)                                                        \
	X(NODE_INSERT, NODE_INSERT_TEXT(NOW_SQLITE))                           \
	X(NODE_BEAT, NODE_BEAT_TEXT(NOW_SQLITE))                               \
	X(NODE_LEAVE, "UPDATE node SET state = 1 WHERE seq = ? AND state = 0") \
	X(NODES_LATE, NODES_LATE_TEXT(NOW_SQLITE))                             \
	X(NODE_MARK, "UPDATE node SET state = 2 WHERE seq = ? AND state = 0")  \
	X(NODES_OVER, "SELECT seq, state FROM node WHERE state > 0 ORDER BY seq") \
	X(NODE_ERASE, "DELETE FROM node WHERE seq = ?1 AND state > 0 AND NOT EXISTS" \
	    " (SELECT 1 FROM thread t WHERE t.node = ?1 AND t.node > 0)")      \
	X(NODE_LIST, NODE_LIST_TEXT(NOW_SQLITE))                               \
	X(NODE_THREADS, NODE_THREADS_TEXT)                                     \
	/* of a thread that an owner-checked row named, or to look for its node */ \
	X(THREAD_NODE_AT, "SELECT node FROM thread WHERE seq = ?")             \
	X(THREAD_NODE_OF, "SELECT node FROM thread WHERE uuid = ?")            \
	/* many at once; the caller compares the owners */                     \
	X(RUNS_NEWS, "SELECT r.seq, t.owner, r.status, t.node, coalesce((SELECT"  \
	    " max(e.last) FROM event e WHERE e.run = r.seq), -1) FROM json_each(?) j"  \
	    " CROSS JOIN run r ON r.seq = j.value CROSS JOIN thread t ON t.seq = r.thread") \
	X(THREADS_THERE, "SELECT t.seq, t.owner FROM json_each(?) j CROSS JOIN thread t"  \
	    " ON t.seq = j.value")                                             \
	/* while that run of it is running */                                   \
	X(THREAD_PLACE, "SELECT uuid, owner FROM thread WHERE seq = ?1 AND node = ?2" \
	    " AND EXISTS (SELECT 1 FROM run r WHERE r.seq = ?3 AND r.thread = ?1"   \
	    " AND r.status = 1)")                                              \
	X(THREAD_NODE_SET, "UPDATE thread SET node = ?2 WHERE seq = ?1 AND node <> ?2") \
	/* its run is parked, and none waits behind it here */                 \
	X(THREAD_NODE_REST, "UPDATE thread SET node = 0 - ?2 WHERE seq = ?1"      \
	    " AND NOT EXISTS (SELECT 1 FROM run r INDEXED BY run_active"       \
	    " WHERE r.thread = ?1 AND r.status < 2 AND r.status = 0 AND r.held = 0)") \
	X(RUNS_UNDER_WAY, "SELECT seq, status, held > 0 FROM run"              \
	    " INDEXED BY run_active WHERE thread = ? AND status < 2")          \
	X(WANTED_PUT, "INSERT INTO run_wanted(run, how, why) VALUES (?, ?, ?)" \
	    " ON CONFLICT (run) DO UPDATE SET how = CASE"                      \
	    " WHEN excluded.how > run_wanted.how THEN excluded.how"            \
	    " ELSE run_wanted.how END")                                        \
	/* of ours, and of threads that their nodes have left since they were asked: with */ \
	/* a parked run, or one that is held */                                \
	X(WANTED_CANCELS, "SELECT t.owner, t.uuid, r.uuid, w.how, w.why"       \
	    " FROM run_wanted w CROSS JOIN run r ON r.seq = w.run"             \
	    " CROSS JOIN thread t ON t.seq = r.thread"                         \
	    " WHERE r.status < 2 AND (t.node = ? OR t.node <= 0) ORDER BY w.run") \
	X(WANTED_OVER, "DELETE FROM run_wanted WHERE NOT EXISTS (SELECT 1 FROM run r" \
	    " WHERE r.seq = run_wanted.run AND r.status < 2)")                 \
	X(WANTED_STALE, "SELECT count(*) FROM run_wanted w WHERE NOT EXISTS"   \
	    " (SELECT 1 FROM run r WHERE r.seq = w.run AND r.status < 2)")     \
	/* runs of our threads that wait for nothing */                        \
	X(WANTED_THREADS, "SELECT t.owner, t.seq, t.uuid, r.uuid, r.status,"   \
	    " r.seq"                                                           \
	    " FROM thread t INDEXED BY thread_node JOIN run r"                 \
	    " INDEXED BY run_active ON r.thread = t.seq"                       \
	    " WHERE t.node = ?1 AND t.node > 0 AND t.seq > ?3"                 \
	    " AND r.status < 2 AND r.held = 0 AND NOT EXISTS (SELECT 1 FROM wait w" \
	    " WHERE w.thread = r.thread AND w.run = r.seq)"                    \
	    " ORDER BY t.seq, r.status DESC LIMIT ?2")

#endif
