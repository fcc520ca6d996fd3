/*
 * sql_item_priv.h - statements about store items; see sql_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_ITEM_PRIV_H
#define STORE_SQL_ITEM_PRIV_H

#define ITEM_OLD_COLUMNS "SELECT owner, seq, ns, paths, value, created, expires"

#define SQL_ITEM_MAP(X)                                                        \
	/* items */                                                            \
	X(ITEM_GET, "SELECT value, created, updated, seq, ttl, expires"        \
	    " FROM item INDEXED BY item_key WHERE owner = ? AND ns = ? AND key = ?" \
	    " AND (expires IS NULL OR expires > ?)")                           \
	/* the newest change has the highest seq of its owner */               \
	X(ITEM_OLD, ITEM_OLD_COLUMNS                                           \
	    " FROM item INDEXED BY item_key WHERE owner = ? AND ns = ? AND key = ?") \
	X(ITEM_INSERT, "INSERT INTO item(owner, seq, ns, key, created, updated," \
	    " ttl, expires, paths, value) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)") \
	X(ITEM_ERASE, "DELETE FROM item WHERE owner = ? AND seq = ?")          \
	X(ITEM_REFRESH, "UPDATE item SET expires = ?3 + ttl"                   \
	    " WHERE owner = ?1 AND seq = ?2 AND expires > ?3")                 \
	X(ITEM_ANY_OF, ITEM_OLD_COLUMNS " FROM item WHERE owner = ? LIMIT 1")  \
	X(ITEM_EXPIRED, ITEM_OLD_COLUMNS                                       \
	    " FROM item INDEXED BY item_expires WHERE expires <= ?"            \
	    " ORDER BY expires LIMIT 1")                                       \
	X(ITEM_TOTAL, "SELECT seq, items, vectors, bytes FROM item_total"      \
	    " WHERE owner = ?")                                               \
	X(ITEM_TOTAL_SET, "INSERT INTO item_total(owner, seq, items, vectors," \
	    " bytes) VALUES(?, ?, ?, ?, ?) ON CONFLICT (owner) DO UPDATE SET"  \
	    " seq = excluded.seq, items = excluded.items,"                     \
	    " vectors = excluded.vectors, bytes = excluded.bytes")                                     \
	X(ITEM_NEWEST, "SELECT ns, key, value, created, updated, seq, ttl, expires" \
	    " FROM item WHERE owner = ?1 AND (expires IS NULL OR expires > ?3)" \
	    " ORDER BY seq DESC LIMIT -1 OFFSET ?2")                           \
	X(ITEM_AT, "SELECT ns, key, value, created, updated, seq, ttl, expires" \
	    " FROM item WHERE owner = ? AND seq = ?"                           \
	    " AND (expires IS NULL OR expires > ?)")                           \
	X(ITEM_UNDER, "SELECT seq FROM item INDEXED BY item_key"               \
	    " WHERE owner = ?1 AND ns = ?3 UNION ALL"                          \
	    " SELECT seq FROM item INDEXED BY item_key"                        \
	    " WHERE owner = ?1 AND ns >= ?3 || '.' AND ns < ?3 || '/'"         \
	    " LIMIT ?2")                                                       \
	X(NAMESPACE_COUNT, "INSERT INTO namespace VALUES(?1, ?2, ?3, ?4)"      \
	    " ON CONFLICT (owner, path) DO UPDATE SET"                         \
	    " items = namespace.items + ?3, mortal = namespace.mortal + ?4")   \
	X(NAMESPACE_DROP, "DELETE FROM namespace WHERE owner = ? AND path = ?" \
	    " AND items <= 0")                                                 \
	X(NAMESPACE_FROM, "SELECT path, items = mortal FROM namespace"         \
	    " WHERE owner = ? AND path >= ? ORDER BY path")                    \
	X(NAMESPACE_ALIVE, "SELECT 1 FROM item INDEXED BY item_key"            \
	    " WHERE owner = ? AND ns = ? AND (expires IS NULL OR expires > ?)") \
	X(WORD_INSERT, "INSERT INTO word(rowid, text) VALUES(?, ?)")           \
	X(WORD_ERASE, "INSERT INTO word(word, rowid, text) VALUES('delete', ?, ?)") \
	X(WORD_FIND, "SELECT rowid, word_rank(word) FROM word"                 \
	    " WHERE word MATCH ? AND rowid BETWEEN ? AND ?"                    \
	    " ORDER BY rowid DESC LIMIT ?")                                    \
	X(VECTOR_INSERT, "INSERT INTO vector(key, body) VALUES(?, ?)")         \
	X(VECTOR_ERASE, "DELETE FROM vector WHERE key = ?")                    \
	X(VECTOR_AT, "SELECT body FROM vector WHERE key = ?")                  \
	X(VECTOR_FROM, "SELECT key, body FROM vector WHERE key > ? AND key < ?" \
	    " ORDER BY key")                                                   \
	X(VECTOR_INDEX, "SELECT embed, dims FROM vector_index")                \
	X(VECTOR_INDEX_SET, "INSERT INTO vector_index(embed, dims) VALUES(?, ?)") \
	X(VECTOR_INDEX_DROP, "DELETE FROM vector_index")                       \
	X(VECTOR_DROP, "DELETE FROM vector")                                   \
	X(ITEM_VECTORS, "SELECT vectors FROM item_total WHERE owner = ?")      \
	X(ITEM_VECTORS_DROP, "UPDATE item_total SET vectors = 0")              \
	X(ITEM_WITHOUT, "SELECT sum(items - vectors) FROM item_total")         \
	X(VECTOR_ANY, "SELECT 1 FROM vector LIMIT 1")

#endif
