/*
 * schema.c - the tracker's tables and statements.
 *
 * A step is never edited once released.  docs/storage.md explains every table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/operation.h"

static const char *const sql_text[SQL_COUNT] = {
#define X(name, text) [SQL_##name] = text,
	SQL_MAP(X)
#undef X
};
const struct db_sql work_sql = { sql_text, SQL_COUNT };

static const char version_1[] =
"CREATE TABLE work_tracker ("
"	seq INTEGER PRIMARY KEY,"
"	owner INTEGER NOT NULL,"
"	project TEXT NOT NULL,"
"	prefix TEXT NOT NULL,"
"	created INTEGER NOT NULL,"
"	edges INTEGER NOT NULL,"                 /* see cycle.c */
"	lead_ms INTEGER NOT NULL,"               /* sum over closed items */
"	UNIQUE (owner, project)) STRICT;"

/* How many items are in each state. */
"CREATE TABLE work_count ("
"	tracker INTEGER NOT NULL REFERENCES work_tracker(seq),"
"	state INTEGER NOT NULL,"
"	n INTEGER NOT NULL,"
"	PRIMARY KEY (tracker, state)) STRICT, WITHOUT ROWID;"

"CREATE TABLE work_item ("
"	seq INTEGER PRIMARY KEY,"
"	tracker INTEGER NOT NULL REFERENCES work_tracker(seq),"
"	id TEXT NOT NULL,"
"	state INTEGER NOT NULL,"                 /* 2 * status + held */
"	priority INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"               /* ms, for the order */
"	type INTEGER NOT NULL,"
"	assignee TEXT,"
"	blockers INTEGER NOT NULL,"
"	held_parents INTEGER NOT NULL,"
"	comments INTEGER NOT NULL,"
"	children INTEGER NOT NULL,"
"	lease_until INTEGER,"                    /* NULL: no lease */
"	body TEXT NOT NULL) STRICT;"
"CREATE UNIQUE INDEX work_item_id ON work_item(tracker, id);"
"CREATE INDEX work_item_state"
"	ON work_item(tracker, state, priority, created);"
"CREATE INDEX work_item_assignee"
"	ON work_item(tracker, assignee, state) WHERE assignee IS NOT NULL;"
"CREATE INDEX work_item_lease ON work_item(tracker, lease_until)"
"	WHERE lease_until IS NOT NULL;"

"CREATE TABLE work_edge ("
"	item INTEGER NOT NULL REFERENCES work_item(seq),"
"	target INTEGER NOT NULL REFERENCES work_item(seq),"
"	type INTEGER NOT NULL,"
"	PRIMARY KEY (item, target)) STRICT, WITHOUT ROWID;"
"CREATE INDEX work_edge_target ON work_edge(target, type, item);"

"CREATE TABLE work_label ("
"	tracker INTEGER NOT NULL,"
"	label TEXT NOT NULL,"
"	item INTEGER NOT NULL REFERENCES work_item(seq),"
"	PRIMARY KEY (tracker, label, item)) STRICT, WITHOUT ROWID;"

"CREATE TABLE work_comment ("
"	seq INTEGER PRIMARY KEY,"
"	item INTEGER NOT NULL REFERENCES work_item(seq),"
"	author TEXT NOT NULL,"
"	created TEXT NOT NULL,"                  /* RFC 3339, as it came */
"	text TEXT NOT NULL) STRICT;"
"CREATE INDEX work_comment_item ON work_comment(item);"

/* The audit: append only. */
"CREATE TABLE work_event ("
"	seq INTEGER PRIMARY KEY,"
"	tracker INTEGER NOT NULL,"
"	item INTEGER NOT NULL,"
"	id TEXT NOT NULL,"                       /* as it was then */
"	kind INTEGER NOT NULL,"
"	ready INTEGER NOT NULL,"                 /* by this it became ready */
"	at INTEGER NOT NULL,"
"	actor TEXT NOT NULL,"
"	old TEXT,"
"	new TEXT) STRICT;"
"CREATE INDEX work_event_item ON work_event(item);"

/* Dependencies that an import left in a body though there is no such item:
 * they become edges when it comes. */
"CREATE TABLE work_loose ("
"	tracker INTEGER NOT NULL,"
"	target TEXT NOT NULL,"
"	item INTEGER NOT NULL REFERENCES work_item(seq),"
"	PRIMARY KEY (tracker, target, item)) STRICT, WITHOUT ROWID;"
"CREATE INDEX work_loose_item ON work_loose(item);"

/* What both sides had after the last sync: the base of the next merge. */
"CREATE TABLE work_base ("
"	tracker INTEGER NOT NULL,"
"	id TEXT NOT NULL,"
"	line TEXT NOT NULL,"
"	PRIMARY KEY (tracker, id)) STRICT, WITHOUT ROWID;"

/* Answers kept under a caller's key. */
"CREATE TABLE work_once ("
"	tracker INTEGER NOT NULL,"
"	key TEXT NOT NULL,"
"	at INTEGER NOT NULL,"
"	data TEXT NOT NULL,"
"	PRIMARY KEY (tracker, key)) STRICT, WITHOUT ROWID;"
"CREATE INDEX work_once_at ON work_once(tracker, at);";

static const char version_2[] =
/* What clients keep with a tracker; the engine reads none of it. */
"CREATE TABLE work_config ("
"	tracker INTEGER NOT NULL REFERENCES work_tracker(seq),"
"	key TEXT NOT NULL,"
"	value TEXT NOT NULL,"
"	PRIMARY KEY (tracker, key)) STRICT, WITHOUT ROWID;";

static const char *const steps[] = { version_1, version_2 };
const struct db_format work_format = { 0x436f6857, { steps, COUNT(steps) } };
