/*
 * sql_mail_priv.h - statements about messages between agents; see sql_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_MAIL_PRIV_H
#define STORE_SQL_MAIL_PRIV_H

/* Letters l of messages m; those of a message have the keys that follow its own.  A
 * conversation shows a message also when its first letter was pruned. */
#define LETTER_COLUMNS                                                         \
	"SELECT l.key, m.owner, m.id, m.sender, l.receiver, m.conversation,"   \
	" coalesce(l.state, 2), l.reason, l.tries, m.created, m.expires,"      \
	" l.since, m.body "
#define LETTER_COUNTS                                                          \
	", m.letters, (SELECT count(*) FROM letter o WHERE o.key >= m.key"     \
	" AND o.key < m.key + m.letters AND o.state = 0), (SELECT count(*)"    \
	" FROM letter o WHERE o.key >= m.key AND o.key < m.key + m.letters"    \
	" AND o.state = 1) "

#define MAILER_COLUMNS                                                         \
	"SELECT owner, id, name, kind, graph, spec, state, error, restarts,"   \
	" created, updated, node "
#define NODES_LIVE "(SELECT n.seq FROM node n WHERE n.state = 0)"
#define MAILERS_LOST_TEXT                                                      \
	MAILER_COLUMNS "FROM mailer WHERE node <> 0 AND node NOT IN " NODES_LIVE \
	" ORDER BY key LIMIT ?1"
/* To whom, whose node, and the sender's. */
#define LETTERS_LOST_TEXT                                                      \
	"SELECT l.key, l.receiver, coalesce((SELECT a.node FROM mailer a"      \
	" WHERE a.owner = l.owner AND a.id = l.receiver), 0),"                 \
	" coalesce((SELECT a.node FROM mail m CROSS JOIN mailer a"             \
	" ON a.owner = m.owner AND a.id = m.sender WHERE m.key = l.mail), 0)"  \
	" FROM letter l WHERE l.state = 0 AND l.node <> 0"                     \
	" AND l.node NOT IN " NODES_LIVE                                       \
	" AND l.node <> coalesce((SELECT a.node FROM mailer a"                 \
	" WHERE a.owner = l.owner AND a.id = l.receiver), 0)"                  \
	" ORDER BY l.key LIMIT ?1"

#define SQL_MAIL_MAP(X)                                                        \
	/* messages between agents */                                          \
	X(MAIL_INSERT, "INSERT INTO mail(key, owner, id, letters, sender,"     \
	    " conversation, created, expires, body)"                           \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")      \
	X(LETTER_INSERT, "INSERT INTO letter(key, mail, owner, receiver, state," \
	    " reason, tries, since, node, come) VALUES (?, ?, ?, ?, 0, 0, 0, ?, ?, ?)") \
	X(LETTER_TAKEN, "UPDATE letter SET state = 2, since = ?3"              \
	    " WHERE key = ?1 AND owner = ?2 AND state = 0")                    \
	/* the next two by numbers that only who wrote or recovered them has */ \
	X(LETTER_BECAME, "UPDATE letter SET state = ?2, reason = ?3, tries = ?4," \
	    " since = ?5 WHERE key = ?1 AND state = 0 AND node = ?6")          \
	/* unless another receiver needs it */                                 \
	X(MAIL_CUT, "UPDATE mail SET body = NULL WHERE key = (SELECT mail"     \
	    " FROM letter WHERE key = ?1) AND length(body) > ?2"               \
	    " AND NOT EXISTS (SELECT 1 FROM letter o WHERE o.key >= mail.key"  \
	    " AND o.key < mail.key + mail.letters AND o.state < 2)")           \
	/* of all owners */                                                    \
	X(LETTERS_OLD, "SELECT key, mail FROM (SELECT l.key, l.mail, m.created" \
	    " FROM letter l INDEXED BY letter_over CROSS JOIN mail m"          \
	    " ON m.key = l.mail WHERE l.state > 1 ORDER BY l.key LIMIT ?3) o"  \
	    " WHERE key < ?1 OR created < ?2")                                 \
	/* of the owner of a letter */                                          \
	X(LETTERS_DEAD_OVER, "SELECT key, mail FROM letter INDEXED BY letter_dead" \
	    " WHERE owner = (SELECT owner FROM letter WHERE key = ?1) AND state = 1" \
	    " ORDER BY key DESC LIMIT ?3 OFFSET ?2")                           \
	X(LETTER_ERASE, "DELETE FROM letter WHERE key = ?")                    \
	X(MAIL_ERASE, "DELETE FROM mail WHERE key = ?1 AND NOT EXISTS (SELECT 1" \
	    " FROM letter o WHERE o.key >= ?1 AND o.key < ?1 + mail.letters)") \
	X(LETTERS_DEAD_OF, LETTER_COLUMNS "FROM mail m CROSS JOIN letter l"    \
	    " ON l.key >= m.key AND l.key < m.key + m.letters"                 \
	    " WHERE m.owner = ? AND m.id = ? AND l.state = 1 ORDER BY l.key")  \
	/* its agent may be another node's now */                             \
	X(LETTER_REVIVE, "UPDATE letter SET state = ?3, reason = 0, tries = 0," \
	    " since = ?4, come = 0, node = coalesce((SELECT a.node FROM mailer a" \
	    " WHERE a.owner = letter.owner AND a.id = letter.receiver), node)" \
	    " WHERE key = ?1 AND owner = ?2 AND state = 1")                    \
	X(LETTERS_WAIT, LETTER_COLUMNS "FROM letter l INDEXED BY letter_waits" \
	    " CROSS JOIN mail m ON m.key = l.mail"                             \
	    " WHERE l.state = 0 ORDER BY l.key")                               \
	X(MAIL_OF_CONVERSATION, LETTER_COLUMNS LETTER_COUNTS "FROM mail m"     \
	    " INDEXED BY mail_conversation LEFT JOIN letter l ON l.key = m.key" \
	    " WHERE m.owner = ? AND m.conversation = ?"                        \
	    " ORDER BY m.key LIMIT ? OFFSET ?")                                \
	X(MAIL_ALL, LETTER_COLUMNS LETTER_COUNTS "FROM mail m"                 \
	    " LEFT JOIN letter l ON l.key = m.key WHERE m.owner = ?"           \
	    " ORDER BY m.key LIMIT ? OFFSET ?")                                \
	X(MAIL_ALL_DEAD, LETTER_COLUMNS LETTER_COUNTS "FROM letter l"          \
	    " INDEXED BY letter_dead CROSS JOIN mail m ON m.key = l.mail"      \
	    " WHERE l.owner = ? AND l.state = 1"                               \
	    " ORDER BY l.key DESC LIMIT ? OFFSET ?")                           \
	/* agents that live on */                                              \
	X(MAILER_INSERT, "INSERT INTO mailer(owner, id, name, kind, graph,"    \
	    " spec, state, error, restarts, created, updated, node)"           \
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING") \
	X(MAILER_SET, "UPDATE mailer SET state = ?, error = ?, restarts = ?,"  \
	    " updated = ? WHERE owner = ? AND id = ? AND node = ?")            \
	X(MAILER_DELETE, "DELETE FROM mailer WHERE owner = ? AND id = ? AND node = ?") \
	X(MAILER_OF_THREAD, "DELETE FROM mailer WHERE owner = ? AND id = ?"    \
	    " AND kind = 'run'")                                               \
	X(MAILERS, MAILER_COLUMNS "FROM mailer ORDER BY key")                  \
	X(MAILER_BY_ID, MAILER_COLUMNS "FROM mailer WHERE owner = ? AND id = ?") \
	X(MAILER_BY_NAME, MAILER_COLUMNS "FROM mailer WHERE owner = ? AND name = ?") \
	/* several nodes: of all owners; agents of those that are gone, and letters */ \
	X(MAILERS_LOST, MAILERS_LOST_TEXT)                                     \
	X(MAILER_MOVE, "UPDATE mailer SET node = ?3 WHERE owner = ?1 AND id = ?2" \
	    " AND node <> ?3")                                                 \
	X(LETTERS_LOST, LETTERS_LOST_TEXT)                                     \
	X(LETTER_MOVE, "UPDATE letter SET node = ?2, come = ?3 WHERE key = ?1" \
	    " AND state = 0")                                                  \
	X(LETTERS_FOLLOW, "UPDATE letter SET node = ?3, come = 0 WHERE owner = ?1" \
	    " AND receiver = ?2 AND state = 0 AND node <> 0 AND node <> ?3")   \
	/* whose the agent is now decides, so that what was sent to where it was before is \
	 * not overtaken */                                                    \
	X(LETTERS_NEW, LETTER_COLUMNS "FROM letter l INDEXED BY letter_new"    \
	    " CROSS JOIN mail m ON m.key = l.mail"                             \
	    " LEFT JOIN mailer a ON a.owner = l.owner AND a.id = l.receiver"   \
	    " WHERE l.state = 0 AND l.come = 0 AND l.node <> 0"                \
	    " AND coalesce(a.node, l.node) = ?1 ORDER BY l.key LIMIT ?2")

#endif
