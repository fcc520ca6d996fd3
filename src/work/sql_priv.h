/*
 * sql_priv.h - every statement the tracker runs, by name.
 *
 * One row each: the name, the text; in the order of the files that use them.
 * What a client names (an id, a label) is looked up with its tracker; `seq`
 * and `item` are numbers that only such a look-up, or an edge between items of
 * one tracker, can have given.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_SQL_PRIV_H
#define WORK_SQL_PRIV_H

#define ITEM_COLUMNS "seq, state, created, blockers, held_parents,"            \
	" comments, children, lease_until, body"

#define SQL_MAP(X)                                                             \
	/* work.c */                                                           \
	X(SAVEPOINT, "SAVEPOINT work_op")                                      \
	X(SAVEPOINT_BACK, "ROLLBACK TO work_op")                               \
	X(SAVEPOINT_END, "RELEASE work_op")                                    \
	X(TRACKER_FIND, "SELECT seq FROM work_tracker"                         \
	    " WHERE owner = ? AND project = ?")                                \
	X(TRACKER_MAKE, "INSERT INTO work_tracker(owner, project, prefix,"     \
	    " created, edges, lead_ms) VALUES (?, ?, ?, ?, 0, 0)")             \
	X(TRACKER_GET, "SELECT prefix, edges, lead_ms FROM work_tracker"       \
	    " WHERE seq = ?")                                                  \
	X(TRACKER_SET, "UPDATE work_tracker SET edges = ?, lead_ms = ?"        \
	    " WHERE seq = ?")                                                  \
	X(COUNT_ADD, "INSERT INTO work_count(tracker, state, n)"               \
	    " VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n")  \
	X(COUNTS, "SELECT state, n FROM work_count WHERE tracker = ?")         \
	X(ONCE_GET, "SELECT data FROM work_once"                               \
	    " WHERE tracker = ? AND key = ?")                                  \
	X(ONCE_PUT, "INSERT INTO work_once(tracker, key, at, data)"            \
	    " VALUES (?, ?, ?, ?)")                                            \
	X(ONCE_PRUNE, "DELETE FROM work_once WHERE (tracker, key) IN"          \
	    " (SELECT tracker, key FROM work_once INDEXED BY work_once_at"     \
	    " WHERE tracker = ? AND at < ? ORDER BY at LIMIT 16)")             \
	/* row.c */                                                            \
	X(ITEM_GET, "SELECT " ITEM_COLUMNS " FROM work_item"                   \
	    " WHERE tracker = ? AND id = ? AND state < 10")                    \
	X(ITEM_AT, "SELECT " ITEM_COLUMNS " FROM work_item WHERE seq = ?")     \
	X(ITEM_SEQ, "SELECT seq FROM work_item"                                \
	    " WHERE tracker = ? AND id = ? AND state < 10")                    \
	X(ITEM_BODY, "SELECT body, comments, id FROM work_item WHERE seq = ?") \
	X(ITEM_RANGE, "SELECT seq, id FROM work_item WHERE tracker = ?"        \
	    " AND id >= ? AND id < ? AND state < 10 ORDER BY id LIMIT ?")      \
	X(ITEM_INSERT, "INSERT INTO work_item(tracker, id, state, priority,"   \
	    " created, type, assignee, blockers, held_parents, comments,"      \
	    " children, lease_until, body)"                                    \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                 \
	X(ITEM_UPDATE, "UPDATE work_item SET id = ?, state = ?, priority = ?," \
	    " created = ?, type = ?, assignee = ?, comments = ?,"              \
	    " children = ?, lease_until = ?, body = ? WHERE seq = ?")          \
	X(LABEL_PUT, "INSERT INTO work_label(tracker, label, item)"            \
	    " VALUES (?, ?, ?) ON CONFLICT DO NOTHING")                        \
	X(LABEL_TAKE, "DELETE FROM work_label"                                 \
	    " WHERE tracker = ? AND label = ? AND item = ?")                   \
	X(COMMENTS_OF, "SELECT seq, author, text, created FROM work_comment"   \
	    " WHERE item = ? ORDER BY seq")                                    \
	/* ident.c */                                                          \
	X(ID_TAKEN, "SELECT 1 FROM work_item WHERE tracker = ? AND id = ?")    \
	/* event.c */                                                          \
	X(EVENT_ADD, "INSERT INTO work_event(tracker, item, id, kind, ready,"  \
	    " at, actor, old, new) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")        \
	X(EVENTS_AFTER, "SELECT seq, kind, id, actor, at, old, new, ready"     \
	    " FROM work_event WHERE seq > ?1 AND tracker = ?2"                 \
	    " ORDER BY seq LIMIT ?3")                                          \
	X(EVENT_LAST, "SELECT seq FROM work_event WHERE tracker = ?"           \
	    " ORDER BY seq DESC LIMIT 1")                                      \
	/* graph.c */                                                          \
	X(EDGE_PUT, "INSERT INTO work_edge(item, target, type)"                \
	    " VALUES (?, ?, ?)")                                               \
	X(EDGE_TAKE, "DELETE FROM work_edge WHERE item = ? AND target = ?")    \
	X(EDGE_GET, "SELECT type FROM work_edge WHERE item = ? AND target = ?") \
	X(EDGES_OF, "SELECT target, type FROM work_edge WHERE item = ?")       \
	X(EDGES_TO, "SELECT item FROM work_edge WHERE target = ? AND type = ?") \
	X(HOLD_GET, "SELECT state, blockers, held_parents, id FROM work_item"  \
	    " WHERE seq = ?")                                                  \
	X(HOLD_SET, "UPDATE work_item SET state = ?, blockers = ?,"            \
	    " held_parents = ? WHERE seq = ?")                                 \
	/* look.c */                                                           \
	X(SHOW_TARGETS, "SELECT e.target, e.type FROM work_edge e"             \
	    " CROSS JOIN work_item i ON i.seq = e.target WHERE e.item = ?"     \
	    " ORDER BY i.priority, i.id")                                      \
	X(SHOW_SOURCES, "SELECT e.item, e.type FROM work_edge e"               \
	    " CROSS JOIN work_item i ON i.seq = e.item WHERE e.target = ?"     \
	    " ORDER BY i.priority, i.id")                                      \
	X(READY, "SELECT body FROM work_item WHERE tracker = ?1 AND state = 0" \
	    " AND priority = ?2 AND (?3 IS NULL OR assignee = ?3)"             \
	    " ORDER BY created")                                               \
	/* lease.c */                                                          \
	X(LEASE_DUE, "SELECT seq FROM work_item INDEXED BY work_item_lease"    \
	    " WHERE tracker = ? AND lease_until <= ?"                          \
	    " AND lease_until IS NOT NULL ORDER BY lease_until LIMIT 1")       \
	X(READY_FIRST, "SELECT seq FROM work_item WHERE tracker = ?1"          \
	    " AND state = 0 AND priority = ?2 AND (assignee = ?3"              \
	    " OR (assignee IS NULL AND ?4 = 0)) ORDER BY created LIMIT 1")     \
	/* deps.c, cycle.c */                                                  \
	/* jsonl.c, merge.c */                                                 \
	/* admin.c */                                                          \
	X(CHANGES, "SELECT total_changes()")

enum sql {
#define X(name, text) SQL_##name,
	SQL_MAP(X)
#undef X
	SQL_COUNT
};

#endif
