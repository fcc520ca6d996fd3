/*
 * sql_size_priv.h - statements about what a thread holds, as rows and bytes; see sql_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_SQL_SIZE_PRIV_H
#define STORE_SQL_SIZE_PRIV_H

#define SQL_SIZE_MAP(X)                                                        \
	X(SIZE_CHECKPOINT, "SELECT count(*), coalesce(sum(64 +"                \
	    " coalesce(length(CAST(ns AS BLOB)), 0) +"                         \
	    " coalesce(length(CAST(channels AS BLOB)), 0) +"                   \
	    " coalesce(length(CAST(tasks AS BLOB)), 0) +"                      \
	    " coalesce(length(CAST(snapshot AS BLOB)), 0) +"                   \
	    " coalesce(length(CAST(wrote AS BLOB)), 0) +"                      \
	    " coalesce(length(CAST(extra AS BLOB)), 0)), 0) FROM"              \
	    " checkpoint WHERE thread = ?")                                    \
	X(SIZE_CHANNELS, "SELECT name, count(*), coalesce(sum(16 +"            \
	    " coalesce(length(CAST(ns AS BLOB)), 0) +"                         \
	    " coalesce(length(CAST(name AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(type AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(body AS BLOB)), 0)), 0) FROM"               \
	    " channel WHERE thread = ? GROUP BY name")                         \
	X(SIZE_WRITE, "SELECT count(*), coalesce(sum(32 +"                     \
	    " coalesce(length(CAST(path AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(channel AS BLOB)), 0) +"                    \
	    " coalesce(length(CAST(type AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(body AS BLOB)), 0)), 0) FROM"               \
	    " task_write WHERE thread = ?")                                    \
	X(SIZE_INTERRUPT, "SELECT count(*), coalesce(sum(64 +"                 \
	    " coalesce(length(CAST(ns AS BLOB)), 0) +"                         \
	    " coalesce(length(CAST(key AS BLOB)), 0) +"                        \
	    " coalesce(length(CAST(value AS BLOB)), 0) +"                      \
	    " coalesce(length(CAST(schema AS BLOB)), 0) +"                     \
	    " coalesce(length(CAST(answer AS BLOB)), 0)), 0) FROM"             \
	    " interrupt WHERE thread = ?")                                     \
	X(SIZE_RECORD, "SELECT count(*), coalesce(sum(32 +"                    \
	    " coalesce(length(CAST(key AS BLOB)), 0) +"                        \
	    " coalesce(length(CAST(name AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(result AS BLOB)), 0)), 0) FROM"             \
	    " record WHERE thread = ?")                                        \
	X(SIZE_WAIT, "SELECT count(*), count(*) * 24 FROM wait"                \
	    " WHERE thread = ?")                                               \
	X(SIZE_RUN, "SELECT count(*), coalesce(sum(80 +"                       \
	    " coalesce(length(CAST(graph AS BLOB)), 0) +"                      \
	    " coalesce(length(CAST(kwargs AS BLOB)), 0) +"                     \
	    " coalesce(length(CAST(metadata AS BLOB)), 0) +"                   \
	    " coalesce(length(CAST(base AS BLOB)), 0) +"                       \
	    " coalesce(length(CAST(error AS BLOB)), 0)), 0) FROM run"          \
	    " WHERE thread = ?")                                               \
	X(SIZE_STREAM, "SELECT count(*), coalesce(sum(24 +"                    \
	    " coalesce(length(CAST(s.body AS BLOB)), 0)), 0) FROM"             \
	    " stream s CROSS JOIN run r ON r.seq = s.run WHERE"                \
	    " r.thread = ?")                                                   \
	X(SIZE_EVENT, "SELECT count(*), coalesce(sum(24 + length(e.body)), 0)" \
	    " FROM event e CROSS JOIN run r ON r.seq = e.run WHERE"            \
	    " r.thread = ?")                                                   \
	X(SIZE_TRANSCRIPT, "SELECT count(*), coalesce(sum(24 +"                \
	    " length(x.body)), 0) FROM transcript x CROSS JOIN run r"          \
	    " ON r.seq = x.run WHERE r.thread = ?")                            \
	X(SIZE_ENTRY, "SELECT count(*), coalesce(sum(16 + length(body)), 0)"   \
	    " FROM entry WHERE key >= ? AND key < ?")

#endif
