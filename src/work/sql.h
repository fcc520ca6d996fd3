/*
 * sql.h - every statement the tracker runs, by name.
 *
 * One row each: the name, the text; in the order of the files that use them.
 * What a client names (an id, a label) is looked up with its tracker; `seq`
 * and `item` are numbers that only such a look-up, or an edge between items of
 * one tracker, can have given.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_SQL_H
#define WORK_SQL_H

#define ITEM_COLUMNS "seq, state, created, blockers, held_parents,"            \
	" comments, children, lease_until, body"

/* One priority of one state; a statement per state, for a list has them open side
 * by side, newest first; what is ready is shown oldest first. */
#define LIST_ROWS "SELECT seq, created, body FROM work_item"                   \
	" INDEXED BY work_item_state"                                          \
	" WHERE tracker = ?1 AND state = ?2 AND priority = ?3"                 \
	" AND (?4 IS NULL OR type = ?4) AND ((?5 IS NULL AND ?6 = 0)"          \
	" OR assignee = ?5 OR (?6 = 1 AND assignee IS NULL))"
#define LIST_STATE LIST_ROWS                                                   \
	" AND created <= ?7 AND (created < ?7 OR seq < ?8)"                    \
	" ORDER BY created DESC, seq DESC"
#define LIST_COLUMNS "i.seq, i.state, i.priority, i.created, i.type, i.assignee"
#define EVENT_COLUMNS "seq, kind, id, actor, at, old, new, ready"

#define SQL_MAP(X)                                                             \
	/* work.c */                                                           \
	X(SAVEPOINT, "SAVEPOINT work_op")                                      \
	X(SAVEPOINT_BACK, "ROLLBACK TO work_op")                               \
	X(SAVEPOINT_END, "RELEASE work_op")                                    \
	X(TRACKER_FIND, "SELECT seq FROM work_tracker"                         \
	    " WHERE owner = ? AND project = ?")                                \
	X(TRACKER_COUNT, "SELECT count(*) FROM work_tracker WHERE owner = ?")  \
	X(TRACKER_MAKE, "INSERT INTO work_tracker(owner, project, prefix,"     \
	    " created, edges, lead_ms) VALUES (?, ?, ?, ?, 0, 0)")             \
	X(ERASE_ONCE, "DELETE FROM work_once WHERE tracker = ?")               \
	X(ERASE_CONFIG, "DELETE FROM work_config WHERE tracker = ?")           \
	X(ERASE_BASE, "DELETE FROM work_base WHERE tracker = ?")               \
	X(ERASE_COUNT, "DELETE FROM work_count WHERE tracker = ?")             \
	X(ERASE_LOOSE, "DELETE FROM work_loose WHERE tracker = ?")             \
	X(ERASE_LABEL, "DELETE FROM work_label WHERE tracker = ?")             \
	X(ERASE_EVENT, "DELETE FROM work_event WHERE tracker = ?")             \
	X(ERASE_COMMENT, "DELETE FROM work_comment WHERE item IN"              \
	    " (SELECT seq FROM work_item WHERE tracker = ?)")                  \
	X(ERASE_EDGE, "DELETE FROM work_edge WHERE item IN"                    \
	    " (SELECT seq FROM work_item WHERE tracker = ?)")                  \
	X(ERASE_ITEM, "DELETE FROM work_item WHERE tracker = ?")               \
	X(TRACKER_ANY, "SELECT seq FROM work_tracker WHERE owner = ? LIMIT 1") \
	X(TRACKER_DROP, "DELETE FROM work_tracker WHERE seq = ?")              \
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
	X(ITEM_AT, "SELECT " ITEM_COLUMNS " FROM work_item WHERE seq = ?")     \
	X(ITEM_SEQ, "SELECT seq FROM work_item"                                \
	    " WHERE tracker = ? AND id = ? AND state < 10")                    \
	X(ID_SEQ, "SELECT seq FROM work_item WHERE tracker = ? AND id = ?")    \
	X(ITEM_BODY, "SELECT body, id FROM work_item WHERE seq = ?") \
	X(BODY_OF, "SELECT body FROM work_item"                                \
	    " WHERE tracker = ? AND id = ? AND state < 10")                    \
	X(ITEM_RANGE, "SELECT seq, id FROM work_item WHERE tracker = ?"        \
	    " AND id >= ? AND id < ? AND state < 10 ORDER BY id LIMIT ?")      \
	/* neither a child's number nor another prefix follows what it begins with */ \
	X(ITEM_HASHES, "SELECT seq, id, state FROM work_item"                  \
	    " WHERE tracker = ?1 AND id >= ?2 AND id < ?3 AND state < ?4"      \
	    " AND instr(substr(id, length(?2) + 1), '-') = 0"                  \
	    " AND instr(id, '.') = 0 ORDER BY id LIMIT ?5")                    \
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
	/* event.c */                                                          \
	X(EVENT_ADD, "INSERT INTO work_event(tracker, item, id, kind, ready,"  \
	    " at, actor, old, new) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")        \
	X(EVENTS_AFTER, "SELECT " EVENT_COLUMNS                                \
	    " FROM work_event WHERE seq > ?1 AND tracker = ?2"                 \
	    " ORDER BY seq LIMIT ?3")                                          \
	X(EVENT_NEWEST, "SELECT at FROM work_event ORDER BY seq DESC LIMIT 1") \
	X(EVENT_LAST, "SELECT seq FROM work_event WHERE tracker = ?"           \
	    " ORDER BY seq DESC LIMIT 1")                                      \
	X(UNBLOCKED, "SELECT item FROM work_event WHERE tracker = ?1"          \
	    " AND seq > ?2 AND kind = ?3 ORDER BY seq")                        \
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
	X(STATS, "SELECT n.state, n.n, t.lead_ms FROM work_tracker t"          \
	    " LEFT JOIN work_count n ON n.tracker = t.seq WHERE t.seq = ?")    \
	X(LABELS_ALL, "SELECT label, count(*) FROM work_label"                 \
	    " WHERE tracker = ? GROUP BY label ORDER BY label")                \
	X(EVENTS_LAST, "SELECT * FROM (SELECT " EVENT_COLUMNS                  \
	    " FROM work_event WHERE tracker = ? ORDER BY seq DESC LIMIT ?)"    \
	    " ORDER BY seq")                                                   \
	X(ITEM_EVENTS_AFTER, "SELECT " EVENT_COLUMNS " FROM work_event"        \
	    " WHERE item = ? AND seq > ? ORDER BY seq LIMIT ?")                \
	X(ITEM_EVENTS_LAST, "SELECT * FROM (SELECT " EVENT_COLUMNS             \
	    " FROM work_event WHERE item = ? ORDER BY seq DESC LIMIT ?)"       \
	    " ORDER BY seq")                                                   \
	/* list.c */                                                           \
	X(LIST_0, LIST_STATE) X(LIST_1, LIST_STATE) X(LIST_2, LIST_STATE)      \
	X(LIST_3, LIST_STATE) X(LIST_4, LIST_STATE) X(LIST_5, LIST_STATE)      \
	X(LIST_6, LIST_STATE) X(LIST_7, LIST_STATE) X(LIST_8, LIST_STATE)      \
	X(LIST_9, LIST_STATE)                                                  \
	X(READY, LIST_ROWS " AND created >= ?7 AND (created > ?7 OR seq > ?8)" \
	    " ORDER BY created, seq")                                          \
	X(LIST_CHILDREN, "SELECT " LIST_COLUMNS " FROM work_edge e"            \
	    " CROSS JOIN work_item i ON i.seq = e.item"                        \
	    " WHERE e.target = ? AND e.type = 2")                              \
	X(LIST_LABEL, "SELECT " LIST_COLUMNS " FROM work_label l"              \
	    " CROSS JOIN work_item i ON i.seq = l.item"                        \
	    " WHERE l.tracker = ? AND l.label = ?")                            \
	X(LIST_ASSIGNEE, "SELECT " LIST_COLUMNS " FROM work_item i"            \
	    " INDEXED BY work_item_assignee WHERE tracker = ?"                 \
	    " AND assignee = ? AND state BETWEEN ? AND ?")                     \
	X(LIST_SEQ, "SELECT " LIST_COLUMNS " FROM work_item i WHERE seq = ?")  \
	X(LABEL_HAS, "SELECT 1 FROM work_label"                                \
	    " WHERE tracker = ? AND label = ? AND item = ?")                   \
	X(BLOCKERS, "SELECT i.seq, i.id FROM work_edge e"                      \
	    " CROSS JOIN work_item i ON i.seq = e.target"                      \
	    " WHERE e.item = ? AND e.type = 0 AND i.state < 8"                 \
	    " ORDER BY e.target")                                              \
	X(PARENTS_HELD, "SELECT e.target FROM work_edge e"                     \
	    " CROSS JOIN work_item i ON i.seq = e.target"                      \
	    " WHERE e.item = ? AND e.type = 2 AND i.state & 1"                 \
	    " ORDER BY e.target")                                              \
	/* note.c, delete.c */                                                 \
	X(COMMENT_ADD, "INSERT INTO work_comment(item, author, created, text)" \
	    " VALUES (?, ?, ?, ?)")                                            \
	X(COMMENTS_DROP, "DELETE FROM work_comment WHERE item = ?")            \
	X(EDGES_FROM, "SELECT e.item, e.target, e.type, i.id, j.id"            \
	    " FROM work_edge e CROSS JOIN work_item i ON i.seq = e.item"       \
	    " CROSS JOIN work_item j ON j.seq = e.target"                      \
	    " WHERE e.item = ? ORDER BY e.target")                             \
	X(EDGES_INTO, "SELECT e.item, e.target, e.type, i.id, j.id"            \
	    " FROM work_edge e CROSS JOIN work_item i ON i.seq = e.item"       \
	    " CROSS JOIN work_item j ON j.seq = e.target"                      \
	    " WHERE e.target = ? ORDER BY e.item")                             \
	/* lease.c */                                                          \
	X(LEASE_DUE, "SELECT seq FROM work_item INDEXED BY work_item_lease"    \
	    " WHERE tracker = ? AND lease_until <= ?"                          \
	    " AND lease_until IS NOT NULL ORDER BY lease_until LIMIT 1")       \
	/* deps.c, cycle.c */                                                  \
	X(TRACKER_OTHER, "SELECT 1 FROM work_tracker WHERE seq <> ? LIMIT 1")  \
	X(EDGES_ALL, "SELECT item, target, type FROM work_edge")               \
	X(EDGES_TRACKER, "SELECT e.item, e.target, e.type"                     \
	    " FROM work_item i INDEXED BY work_item_state"                     \
	    " CROSS JOIN work_edge e ON e.item = i.seq WHERE i.tracker = ?")   \
	X(CYCLE_TARGETS, "SELECT target FROM work_edge"                         \
	    " WHERE item = ? AND type IN (0, 2)")                              \
	X(CYCLE_SOURCES, "SELECT item FROM work_edge"                           \
	    " WHERE target = ? AND type IN (0, 2)")                            \
	X(CYCLE_POSSIBLE, "SELECT 1 WHERE EXISTS (SELECT 1 FROM work_edge"      \
	    " WHERE item = ?1 AND type IN (0, 2))"                             \
	    " AND EXISTS (SELECT 1 FROM work_edge"                             \
	    " WHERE target = ?2 AND type IN (0, 2))")                          \
	/* export.c, import.c */                                                \
	X(EXPORT, "SELECT seq, id, state, body, comments,"                     \
	    " lease_until IS NOT NULL FROM work_item WHERE tracker = ?1"       \
	    " AND id > ?2 AND state < ?3 AND (?4 < 0 OR state / 2 = ?4)"       \
	    " ORDER BY id")                                                    \
	X(DELETED_BY, "SELECT actor FROM work_event WHERE item = ?"            \
	    " AND kind = ? ORDER BY seq DESC LIMIT 1")                         \
	X(IMPORT_EDGES, "SELECT e.target, e.type, j.id FROM work_edge e"       \
	    " CROSS JOIN work_item j ON j.seq = e.target WHERE e.item = ?")    \
	X(IMPORT_EDGES_TO, "SELECT item FROM work_edge WHERE target = ?")      \
	X(BASE_GET, "SELECT line FROM work_base WHERE tracker = ? AND id = ?") \
	X(BASE_FIRST, "SELECT new FROM work_event WHERE item = ?"              \
	    " AND new IS NOT NULL ORDER BY seq LIMIT 1")                       \
	X(BASE_PUT, "INSERT INTO work_base(tracker, id, line)"                 \
	    " VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET line = excluded.line") \
	X(LOOSE_PUT, "INSERT INTO work_loose(tracker, target, item)"           \
	    " VALUES (?, ?, ?) ON CONFLICT DO NOTHING")                        \
	X(LOOSE_DROP, "DELETE FROM work_loose WHERE item = ?")                 \
	X(LOOSE_HAS, "SELECT 1 FROM work_loose WHERE tracker = ?"              \
	    " AND target = ? AND item = ?")                                    \
	X(LOOSE_TO, "SELECT item FROM work_loose"                              \
	    " WHERE tracker = ? AND target = ?")                               \
	/* loose.c, rename.c */                                                \
	X(LOOSE_TAKE, "DELETE FROM work_loose WHERE tracker = ?"               \
	    " AND target = ?")                                                 \
	X(IDS_LIVE, "SELECT id FROM work_item WHERE tracker = ?"               \
	    " AND state < 10 ORDER BY id")                                     \
	X(ITEM_FORGET, "DELETE FROM work_item WHERE seq = ?")                  \
	/* recount.c, admin.c */                                               \
	X(ITEMS_ALL, "SELECT seq, id, state FROM work_item WHERE tracker = ?"      \
	    " ORDER BY id")                                                    \
	X(RECOUNT_ITEM, "SELECT id, state, priority, created, type, assignee," \
	    " comments, lease_until, body,"                                    \
	    " (SELECT count(*) FROM work_comment c WHERE c.item = i.seq)"      \
	    " FROM work_item i WHERE seq = ?")                                 \
	X(RECOUNT_EDGES, "SELECT e.target, e.type, j.id FROM work_edge e"      \
	    " LEFT JOIN work_item j ON j.seq = e.target WHERE e.item = ?")     \
	X(RECOUNT_LABELS, "SELECT l.item, l.label, i.id FROM work_label l"     \
	    " CROSS JOIN work_item i ON i.seq = l.item WHERE l.tracker = ?"    \
	    " ORDER BY l.item, l.label")                                       \
	X(TRACKER_PREFIX, "UPDATE work_tracker SET prefix = ? WHERE seq = ?")  \
	X(CONFIG_LIST, "SELECT key, value FROM work_config WHERE tracker = ?"  \
	    " ORDER BY key")                                                   \
	X(CONFIG_OTHERS, "SELECT count(*) FROM work_config WHERE tracker = ?"  \
	    " AND key <> ?")                                                   \
	X(CONFIG_PUT, "INSERT INTO work_config(tracker, key, value)"           \
	    " VALUES (?, ?, ?)"                                                \
	    " ON CONFLICT (tracker, key) DO UPDATE SET value = excluded.value") \
	X(CONFIG_DROP, "DELETE FROM work_config WHERE tracker = ? AND key = ?")

enum sql {
#define X(name, text) SQL_##name,
	SQL_MAP(X)
#undef X
	SQL_COUNT
};

#endif
