/*
 * sqlite_schema.c - the store's tables, for SQLite.
 *
 * A step is never edited once released.  docs/storage.md explains every table.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/sqlite_priv.h"
#include "store/store_priv.h"

static const char version_1[] =
"CREATE TABLE owner ("
"	seq INTEGER PRIMARY KEY,"
"	subject TEXT NOT NULL UNIQUE) STRICT;"

"CREATE TABLE assistant ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB UNIQUE,"                       /* NULL: buried */
"	owner INTEGER NOT NULL,"                 /* -1: buried */
"	system INTEGER NOT NULL,"
"	version INTEGER NOT NULL,"
"	latest INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL) STRICT;"
"CREATE INDEX assistant_dead ON assistant(owner) WHERE owner < 0;"

"CREATE TABLE assistant_version ("
"	assistant INTEGER NOT NULL REFERENCES assistant(seq),"
"	version INTEGER NOT NULL,"
"	graph TEXT NOT NULL,"
"	name TEXT NOT NULL,"
"	description TEXT,"
"	config TEXT NOT NULL,"
"	context TEXT NOT NULL,"
"	metadata TEXT NOT NULL,"
"	created INTEGER NOT NULL,"
"	PRIMARY KEY (assistant, version)) STRICT, WITHOUT ROWID;"

"CREATE TABLE thread ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB UNIQUE,"                       /* NULL: buried */
"	owner INTEGER NOT NULL,"                 /* -1: buried */
"	status INTEGER NOT NULL,"
"	checkpoint INTEGER NOT NULL,"            /* the latest; 0: none */
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL,"
"	assistant BLOB,"                         /* metadata.assistant_id */
"	metadata TEXT NOT NULL,"
"	config TEXT NOT NULL,"
"	error TEXT) STRICT;"
"CREATE INDEX thread_dead ON thread(owner) WHERE owner < 0;"
"CREATE INDEX thread_assistant ON thread(assistant)"
"	WHERE assistant IS NOT NULL;"

"CREATE TABLE run ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB NOT NULL UNIQUE,"
"	thread INTEGER NOT NULL REFERENCES thread(seq),"
"	status INTEGER NOT NULL,"
"	multitask INTEGER NOT NULL,"
"	attempt INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL,"
"	assistant BLOB NOT NULL,"
"	graph TEXT NOT NULL,"
"	kwargs TEXT NOT NULL,"
"	metadata TEXT NOT NULL,"
"	base TEXT NOT NULL,"
"	error TEXT) STRICT;"
"CREATE INDEX run_thread ON run(thread);"
"CREATE INDEX run_active ON run(thread, status) WHERE status < 2;"

"CREATE TABLE checkpoint ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB NOT NULL,"
"	thread INTEGER NOT NULL REFERENCES thread(seq),"
"	parent INTEGER NOT NULL,"                /* seq; 0: none */
"	run INTEGER NOT NULL,"
"	step INTEGER NOT NULL,"
"	source INTEGER NOT NULL,"
"	list INTEGER NOT NULL,"                  /* seq of the one that began it */
"	keep INTEGER NOT NULL,"                  /* entries from before this step */
"	len INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	next TEXT,"
"	task BLOB,"
"	task_error TEXT,"
"	chart TEXT) STRICT;"
"CREATE UNIQUE INDEX checkpoint_thread ON checkpoint(thread, uuid);"

"CREATE TABLE message ("
"	key INTEGER PRIMARY KEY,"                /* list * 2^20 + first */
"	n INTEGER NOT NULL,"
"	body BLOB NOT NULL) STRICT;"

"CREATE TABLE item ("
"	owner INTEGER NOT NULL,"
"	ns TEXT NOT NULL,"
"	key TEXT NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL,"
"	value TEXT NOT NULL,"
"	PRIMARY KEY (owner, ns, key)) STRICT, WITHOUT ROWID;"

"CREATE TABLE stream ("
"	run INTEGER NOT NULL REFERENCES run(seq),"
"	last INTEGER NOT NULL,"
"	first INTEGER NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (run, last)) STRICT, WITHOUT ROWID;"

"CREATE TABLE journal ("
"	run INTEGER NOT NULL REFERENCES run(seq),"
"	step INTEGER NOT NULL,"
"	call TEXT NOT NULL,"
"	name TEXT,"
"	result TEXT,"                            /* NULL: started, not done */
"	PRIMARY KEY (run, step, call)) STRICT, WITHOUT ROWID;";

/* Items in the order of their changes, with their values: a search reads from
 * the newest and stops early. */
static const char version_2[] =
"ALTER TABLE item RENAME TO item_1;"
"CREATE TABLE item ("
"	owner INTEGER NOT NULL,"
"	seq INTEGER NOT NULL,"                   /* the change; counts up */
"	ns TEXT NOT NULL,"
"	key TEXT NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL,"
"	value TEXT NOT NULL,"
"	PRIMARY KEY (owner, seq)) STRICT, WITHOUT ROWID;"
"INSERT INTO item SELECT k.owner, k.seq, k.ns, k.key, o.created, o.updated,"
"	o.value FROM (SELECT owner, ns, key, row_number() OVER (PARTITION BY"
"	owner ORDER BY updated, key DESC, ns DESC) AS seq FROM item_1) k"
"	CROSS JOIN item_1 o ON o.owner = k.owner AND o.ns = k.ns AND o.key = k.key;"
"CREATE UNIQUE INDEX item_key ON item(owner, ns, key);"
"DROP TABLE item_1;";

/* For searches of threads and assistants: threads by status and by the leaves
 * of their metadata (facets.c), with counters. */
static const char version_3[] =
"CREATE INDEX thread_status ON thread(owner, status, created);"
"CREATE INDEX assistant_owner ON assistant(owner);"
"CREATE TABLE facet ("
"	owner INTEGER NOT NULL,"
"	hash INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	thread INTEGER NOT NULL,"
"	PRIMARY KEY (owner, hash, created, thread)) STRICT, WITHOUT ROWID;"
"SELECT facets_make(owner, created, seq, metadata) FROM thread"
"	WHERE owner >= 0;"
"CREATE TABLE thread_count ("
"	owner INTEGER NOT NULL,"
"	what INTEGER NOT NULL,"                  /* status + 1, or a hash */
"	n INTEGER NOT NULL,"
"	PRIMARY KEY (owner, what)) STRICT, WITHOUT ROWID;"
"INSERT INTO thread_count SELECT owner, status + 1, count(*) FROM thread"
"	WHERE owner >= 0 GROUP BY owner, status;"
"INSERT INTO thread_count SELECT owner, hash, count(*) FROM facet"
"	GROUP BY owner, hash;";

static const char *const steps[] = { version_1, version_2, version_3 };
const struct db_format store_format = { STORE_APP, { steps, COUNT(steps) } };

/* facets_make(owner, created, seq, metadata): inserts a thread's rows. */
static void
facets_make(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct db *db = sqlite3_user_data(c);
	struct thread_key k = { .owner = sqlite3_value_int64(v[0]),
	    .created = sqlite3_value_int64(v[1]), .seq = sqlite3_value_int64(v[2]) };
	struct str json = { (const char *)sqlite3_value_text(v[3]), 0 };

	(void)n;
	json.n = (size_t)sqlite3_value_bytes(v[3]);
	if (facets_insert(db, &k, json) != OK)
		sqlite3_result_error(c, db->on->err.text, -1);
}

int
store_migrate(struct db *db, struct err *e)
{
	if (sqlite3_create_function(sqlite_of(db), "facets_make", 4,
	    SQLITE_UTF8 | SQLITE_DIRECTONLY, db, facets_make, NULL, NULL) !=
	    SQLITE_OK)
		return err_set(e, ERR_IO, "%s: %s", db_path(db),
		    sqlite3_errmsg(sqlite_of(db)));
	return db_migrate(db, &store_format, e);
}
