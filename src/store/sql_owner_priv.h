/*
 * sql_owner_priv.h - statements about an owner as a whole; see sql_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_OWNER_PRIV_H
#define STORE_SQL_OWNER_PRIV_H

#define FORGET(table) "DELETE FROM " table " WHERE owner = ?"

#define SQL_OWNER_MAP(X)                                                       \
	X(OWNER_RENAME, "UPDATE owner SET subject = ? WHERE seq = ?")          \
	X(OWNER_FORGET, "DELETE FROM owner WHERE seq = ?")                     \
	X(FORGET_CRON, FORGET("cron"))                                         \
	X(FORGET_HOOK, FORGET("hook"))                                         \
	X(FORGET_ONCE, FORGET("once"))                                         \
	X(FORGET_LETTER, FORGET("letter"))                                     \
	X(FORGET_MAIL, FORGET("mail"))                                         \
	X(FORGET_MAILER, FORGET("mailer"))                                     \
	X(FORGET_IMAGE, FORGET("wasm_image"))                                  \
	X(FORGET_RELEASE, FORGET("wasm_release"))                              \
	X(FORGET_USAGE, FORGET("usage"))                                       \
	X(FORGET_NAMESPACE, FORGET("namespace"))                               \
	X(FORGET_TOTAL, FORGET("item_total"))                                  \
	X(FORGET_COUNT, FORGET("thread_count"))                                \
	/* what no release of anybody names */                                 \
	X(FORGET_BYTES, "DELETE FROM wasm_bytes WHERE hash NOT IN"             \
	    " (SELECT hash FROM wasm_release)")

#endif
