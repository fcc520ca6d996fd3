/*
 * sql_wasm_priv.h - statements about WebAssembly modules; see sql_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_WASM_PRIV_H
#define STORE_SQL_WASM_PRIV_H

#define SQL_WASM_MAP(X)                                                        \
	X(WASM_EACH, "SELECT owner, name, number, hash, policy, size, created," \
	    " current FROM wasm_release ORDER BY owner, name, number")         \
	X(WASM_BYTES_OF, "SELECT b.body FROM wasm_release r CROSS JOIN wasm_bytes b" \
	    " ON b.hash = r.hash WHERE r.owner = ? AND r.name = ? AND r.number = ?") \
	X(WASM_LAST, "SELECT coalesce(max(number), 0) FROM wasm_release"       \
	    " WHERE owner = ? AND name = ?")                                   \
	X(WASM_TOTALS, "SELECT count(DISTINCT name), coalesce(sum(size), 0)"   \
	    " FROM wasm_release WHERE owner = ?")                              \
	X(WASM_BYTES_PUT, "INSERT INTO wasm_bytes(hash, body) VALUES (?, ?)"   \
	    " ON CONFLICT DO NOTHING")                                         \
	X(WASM_INSERT, "INSERT INTO wasm_release(owner, name, number, hash, policy," \
	    " size, created, current) VALUES (?, ?, ?, ?, ?, ?, ?, 0)")        \
	X(WASM_CURRENT, "UPDATE wasm_release SET current = 1 - current"        \
	    " WHERE owner = ?1 AND name = ?2"                                  \
	    " AND current <> CASE number WHEN ?3 THEN 1 ELSE 0 END")           \
	/* each with: is it current, does an image need it */                  \
	X(WASM_OF, "SELECT number, hash, current, EXISTS (SELECT 1 FROM wasm_image i" \
	    " WHERE i.owner = r.owner AND i.name = r.name AND i.number = r.number)" \
	    " FROM wasm_release r WHERE owner = ? AND name = ? ORDER BY number") \
	X(WASM_DELETE, "DELETE FROM wasm_release WHERE owner = ? AND name = ?" \
	    " AND number = ?")                                                 \
	X(WASM_BYTES_DELETE, "DELETE FROM wasm_bytes WHERE hash = ?1"          \
	    " AND NOT EXISTS (SELECT 1 FROM wasm_release WHERE hash = ?1)")    \
	X(WASM_HAS, "SELECT 1 FROM wasm_release WHERE owner = ? AND name = ?"  \
	    " AND number = ?")                                                 \
	X(MAILER_HAS, "SELECT 1 FROM mailer WHERE owner = ? AND id = ?")       \
	X(WASM_IMAGE_PUT, "INSERT INTO wasm_image(owner, agent, name, number," \
	    " body, updated) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (owner, agent)" \
	    " DO UPDATE SET name = excluded.name, number = excluded.number,"   \
	    " body = excluded.body, updated = excluded.updated")               \
	X(WASM_IMAGE_OF, "SELECT name, number, body, updated FROM wasm_image"  \
	    " WHERE owner = ? AND agent = ?")                                  \
	X(WASM_IMAGE_DELETE, "DELETE FROM wasm_image WHERE owner = ? AND agent = ?")

#endif
