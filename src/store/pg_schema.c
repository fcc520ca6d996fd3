/*
 * pg_schema.c - the store's tables, for PostgreSQL.
 *
 * They are those of sqlite_schema.c, and made in steps as there; a step is never edited
 * once released.  What differs:
 *
 *   - Texts that were decoded from a client's JSON (names, keys, namespaces) may have a NUL,
 *     which a text of PostgreSQL cannot: they are bytea.  Bytes are also what they are
 *     compared and sorted by.
 *   - A row of an index ends at 2,700 bytes: where texts may be longer the index has their
 *     hash.  What is longer still (namespace and key of an item) is refused.
 *   - There are no references: owner checks have found the row that one would look for,
 *     and its lock on that row would be taken in no order.
 *   - Numbers come from sequences (pg_begin.c), in blocks, so that a node asks seldom.
 *   - Words are rows of tokens with an index of them (pg_words.c).
 *
 * Nodes that start at the same time migrate one after the other: under an advisory lock.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "store/node.h"
#include "store/pg_begin_priv.h"
#include "store/pg_priv.h"

#define MIGRATE_MS 600000
#define MIGRATE_LOOK_MS 100                  /* between two looks at what another node does */

/* Owners, assistants and their graphs */
static const char owners_1[] =
"CREATE TABLE owner ("
"	seq bigint PRIMARY KEY, subject bytea NOT NULL UNIQUE);"
"CREATE TABLE assistant ("
"	seq bigint PRIMARY KEY, uuid bytea UNIQUE, owner bigint NOT NULL,"
"	system bigint NOT NULL, version bigint NOT NULL,"
"	latest bigint NOT NULL, created bigint NOT NULL,"
"	updated bigint NOT NULL);"
"CREATE INDEX assistant_dead ON assistant(owner) WHERE owner < 0;"
"CREATE INDEX assistant_owner ON assistant(owner);"
"CREATE TABLE assistant_version ("
"	assistant bigint NOT NULL, version bigint NOT NULL,"
"	graph bytea NOT NULL, name bytea NOT NULL, description bytea,"
"	config text NOT NULL, context text NOT NULL,"
"	metadata text NOT NULL, created bigint NOT NULL,"
"	PRIMARY KEY (assistant, version));"
"CREATE TABLE agent ("
"	hash bytea PRIMARY KEY, id bytea NOT NULL, body text NOT NULL,"
"	created bigint NOT NULL);"
"CREATE TABLE hosted ("
"	graph bytea PRIMARY KEY, key bytea NOT NULL, body text NOT NULL,"
"	hash bytea NOT NULL, updated bigint NOT NULL);"
"CREATE TABLE usage ("
"	owner bigint NOT NULL, thread bigint NOT NULL,"
"	run bigint NOT NULL, day bigint NOT NULL, model bytea NOT NULL,"
"	calls bigint NOT NULL, input bigint NOT NULL,"
"	cached bigint NOT NULL, output bigint NOT NULL,"
"	reasoning bigint NOT NULL, cost bigint NOT NULL,"
"	PRIMARY KEY (owner, thread, run, day, model));"
"CREATE TABLE payer ("
"	id bytea PRIMARY KEY, day bigint NOT NULL,"
"	tokens bigint NOT NULL);"
"CREATE TABLE once ("
"	owner bigint NOT NULL, key bytea NOT NULL,"
"	request bytea NOT NULL, id bytea NOT NULL,"
"	created bigint NOT NULL, PRIMARY KEY (owner, key));"
"CREATE INDEX once_created ON once(created);";

/* Threads and runs */
static const char threads_1[] =
"CREATE TABLE thread ("
"	seq bigint PRIMARY KEY, uuid bytea UNIQUE, owner bigint NOT NULL,"
"	status bigint NOT NULL, checkpoint bigint NOT NULL,"
"	created bigint NOT NULL, updated bigint NOT NULL,"
"	assistant bytea, metadata text NOT NULL, config text NOT NULL,"
"	error text, state_updated bigint NOT NULL DEFAULT 0,"
"	event_next bigint NOT NULL DEFAULT 0,"
"	event_run bigint NOT NULL DEFAULT 0,"
"	ttl bigint NOT NULL DEFAULT 0,"
"	ttl_keeps bigint NOT NULL DEFAULT 0, expires bigint,"
"	temporary bigint NOT NULL DEFAULT 0,"
"	node bigint NOT NULL DEFAULT 0);"
"CREATE INDEX thread_dead ON thread(owner) WHERE owner < 0;"
"CREATE INDEX thread_assistant ON thread(assistant) WHERE assistant IS NOT NULL;"
"CREATE INDEX thread_created ON thread(owner, created, seq);"
"CREATE INDEX thread_status ON thread(owner, status, created, seq);"
"CREATE INDEX thread_expires ON thread(expires) WHERE expires IS NOT NULL AND"
"     status <> 1;"
"CREATE INDEX thread_updated ON thread(owner, updated, seq);"
"CREATE INDEX thread_state ON thread(owner, state_updated, seq);"
"CREATE INDEX thread_node ON thread(node) WHERE node > 0;"
"CREATE TABLE thread_count ("
"	owner bigint NOT NULL, what bigint NOT NULL, n bigint NOT NULL,"
"	PRIMARY KEY (owner, what));"
"CREATE TABLE facet ("
"	owner bigint NOT NULL, hash bigint NOT NULL,"
"	created bigint NOT NULL, thread bigint NOT NULL,"
"	PRIMARY KEY (owner, hash, created, thread));"
"CREATE TABLE run ("
"	seq bigint PRIMARY KEY, uuid bytea NOT NULL UNIQUE,"
"	thread bigint NOT NULL, status bigint NOT NULL,"
"	multitask bigint NOT NULL, attempt bigint NOT NULL,"
"	created bigint NOT NULL, updated bigint NOT NULL,"
"	assistant bytea NOT NULL, graph bytea NOT NULL,"
"	kwargs text NOT NULL, metadata text NOT NULL, base text NOT NULL,"
"	error text, agent bytea, cancel_reason bytea,"
"	held bigint NOT NULL DEFAULT 0, webhook text, push text,"
"	payer bytea);"
"CREATE INDEX run_thread ON run(thread);"
"CREATE INDEX run_active ON run(thread, status) WHERE status < 2;"
"CREATE INDEX run_held ON run(held) WHERE held > 0;"
"CREATE TABLE wait ("
"	thread bigint PRIMARY KEY, run bigint NOT NULL,"
"	due bigint NOT NULL);"
"CREATE INDEX wait_due ON wait(due);"
"CREATE TABLE hook ("
"	seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
"	owner bigint NOT NULL, thread bigint NOT NULL, id bytea NOT NULL,"
"	url text NOT NULL,"
"	receiver text COLLATE \"C\" GENERATED ALWAYS AS (lower(left(url, least("
"		strpos(substr(url, 9) || '/', '/') + 7, 1000)))) STORED,"
"	headers text NOT NULL, push text, body text,"
"	tries bigint NOT NULL, due bigint NOT NULL, assistant bytea,"
"	status bigint, multitask bigint, created bigint, started bigint,"
"	ended bigint, kwargs text, metadata text, error text,"
"	cancel_reason bytea, checkpoint bytea);"
"CREATE INDEX hook_receiver ON hook(receiver, due);"
"CREATE INDEX hook_due ON hook(due);"
"CREATE INDEX hook_thread ON hook(thread);"
"CREATE TABLE cron ("
"	seq bigint PRIMARY KEY, uuid bytea NOT NULL,"
"	owner bigint NOT NULL, assistant bigint NOT NULL, thread bigint,"
"	schedule text NOT NULL, zone text, enabled bigint NOT NULL,"
"	keeps bigint, ends bigint, next bigint, version bigint NOT NULL,"
"	created bigint NOT NULL, updated bigint NOT NULL,"
"	payload text NOT NULL, metadata text NOT NULL, error text);"
"CREATE UNIQUE INDEX cron_uuid ON cron(uuid);"
"CREATE INDEX cron_owner ON cron(owner);"
"CREATE INDEX cron_assistant ON cron(assistant);"
"CREATE INDEX cron_thread ON cron(thread) WHERE thread IS NOT NULL;"
"CREATE INDEX cron_next ON cron(next) WHERE next IS NOT NULL;"
"CREATE TABLE stream ("
"	run bigint NOT NULL, last bigint NOT NULL, first bigint NOT NULL,"
"	body bytea NOT NULL, PRIMARY KEY (run, last));"
"CREATE TABLE event ("
"	run bigint NOT NULL, last bigint NOT NULL, first bigint NOT NULL,"
"	body bytea NOT NULL, PRIMARY KEY (run, last));"
"CREATE TABLE transcript ("
"	run bigint NOT NULL, last bigint NOT NULL, first bigint NOT NULL,"
"	body bytea NOT NULL, PRIMARY KEY (run, last));";

/* States */
static const char states_1[] =
"CREATE TABLE checkpoint ("
"	seq bigint PRIMARY KEY, uuid bytea NOT NULL,"
"	thread bigint NOT NULL, ns bytea NOT NULL,"
"	parent bigint NOT NULL, run bigint NOT NULL,"
"	step bigint NOT NULL, source bigint NOT NULL,"
"	created bigint NOT NULL, channels text NOT NULL, tasks text,"
"	snapshot text, wrote text, extra text);"
"CREATE UNIQUE INDEX checkpoint_ns ON checkpoint(thread, ns, uuid);"
"CREATE TABLE channel ("
"	thread bigint NOT NULL, ns bytea NOT NULL, name bytea NOT NULL,"
"	version bigint NOT NULL, type bytea NOT NULL,"
"	body bytea NOT NULL);"
"CREATE UNIQUE INDEX channel_key ON channel(thread, version, md5(ns), md5(name));"
"CREATE TABLE list ("
"	seq bigint PRIMARY KEY, base bigint NOT NULL,"
"	base_len bigint NOT NULL, depth bigint NOT NULL,"
"	thread bigint NOT NULL);"
"CREATE INDEX list_base ON list(base, base_len) WHERE base <> 0;"
"CREATE TABLE entry ("
"	key bigint PRIMARY KEY, n bigint NOT NULL, body bytea NOT NULL);"
"CREATE TABLE task_write ("
"	thread bigint NOT NULL, task bytea NOT NULL, idx bigint NOT NULL,"
"	path bytea NOT NULL, channel bytea NOT NULL, type bytea NOT NULL,"
"	body bytea NOT NULL, run bigint NOT NULL DEFAULT 0,"
"	PRIMARY KEY (thread, task, idx));"
"CREATE TABLE record ("
"	thread bigint NOT NULL, task bytea NOT NULL, key bytea NOT NULL,"
"	run bigint NOT NULL, name bytea, result text,"
"	PRIMARY KEY (thread, task, key));"
"CREATE TABLE interrupt ("
"	thread bigint NOT NULL, id bytea NOT NULL, owner bigint NOT NULL,"
"	ns bytea NOT NULL, task bytea NOT NULL,"
"	checkpoint bigint NOT NULL, run bigint NOT NULL,"
"	key bytea NOT NULL, value text NOT NULL, schema text,"
"	state bigint NOT NULL, answer text, created bigint NOT NULL,"
"	due bigint, assignee bytea, asked bigint NOT NULL DEFAULT 0,"
"	PRIMARY KEY (thread, id));"
"CREATE INDEX interrupt_task ON interrupt(thread, task);"
"CREATE INDEX interrupt_waits ON interrupt(owner, created) WHERE state = 0;"
"CREATE INDEX interrupt_waits_thread ON interrupt(thread) WHERE state = 0;"
"CREATE INDEX interrupt_due ON interrupt(due) WHERE state = 0 AND due IS NOT NULL;"
"CREATE INDEX interrupt_assignee ON interrupt(owner, assignee, created) WHERE"
"     state = 0 AND assignee IS NOT NULL;"
"CREATE TABLE checkpoint_before ("
"	thread bigint NOT NULL, run bigint NOT NULL,"
"	checkpoint bigint NOT NULL, tasks text, snapshot text,"
"	PRIMARY KEY (thread, run, checkpoint));";

/* Savers */
static const char savers_1[] =
"CREATE TABLE saver_checkpoint ("
"	seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
"	thread bigint NOT NULL, ns bytea NOT NULL, id bytea NOT NULL,"
"	parent bytea, run bigint NOT NULL, type bytea NOT NULL,"
"	body bytea NOT NULL, meta_type bytea NOT NULL,"
"	meta bytea NOT NULL, channels text NOT NULL);"
"CREATE UNIQUE INDEX saver_checkpoint_id ON saver_checkpoint(thread, ns, id);"
"CREATE TABLE saver_blob ("
"	thread bigint NOT NULL, ns bytea NOT NULL, id bytea NOT NULL,"
"	channel bytea NOT NULL, type bytea NOT NULL,"
"	body bytea NOT NULL);"
"CREATE UNIQUE INDEX saver_blob_key ON saver_blob(thread, id, md5(ns), md5(channel));"
"CREATE TABLE saver_write ("
"	thread bigint NOT NULL, ns bytea NOT NULL, id bytea NOT NULL,"
"	task bytea NOT NULL, idx bigint NOT NULL, run bigint NOT NULL,"
"	path bytea NOT NULL, channel bytea NOT NULL, type bytea NOT NULL,"
"	body bytea NOT NULL);"
"CREATE UNIQUE INDEX saver_write_key ON saver_write(thread, id, md5(ns), task,"
"     idx, run);";

/* Items */
static const char items_1[] =
"CREATE TABLE item ("
"	owner bigint NOT NULL, seq bigint NOT NULL, ns bytea NOT NULL,"
"	key bytea NOT NULL, created bigint NOT NULL,"
"	updated bigint NOT NULL, ttl bigint, expires bigint, paths text,"
"	value text NOT NULL, PRIMARY KEY (owner, seq));"
"CREATE UNIQUE INDEX item_key ON item(owner, ns, key);"
"CREATE INDEX item_expires ON item(expires) WHERE expires IS NOT NULL;"
"CREATE TABLE item_total ("
"	owner bigint PRIMARY KEY, seq bigint NOT NULL,"
"	items bigint NOT NULL, vectors bigint NOT NULL);"
"CREATE TABLE namespace ("
"	owner bigint NOT NULL, path bytea NOT NULL,"
"	items bigint NOT NULL, mortal bigint NOT NULL,"
"	PRIMARY KEY (owner, path));"
"CREATE TABLE vector ("
"	key bigint PRIMARY KEY, body bytea NOT NULL);"
"CREATE TABLE vector_index ("
"	embed bytea NOT NULL, dims bigint NOT NULL);"
/* lexemes: the words, each behind its owner's number, so that a search reads its owner's
 * only; words: all of them in their order. */
"CREATE TABLE word ("
"	key bigint PRIMARY KEY, words text NOT NULL, lexemes tsvector NOT NULL);"
"CREATE INDEX word_lexemes ON word USING gin (lexemes);";

/* Mail */
static const char mail_1[] =
"CREATE TABLE mail ("
"	key bigint PRIMARY KEY, owner bigint NOT NULL, id bytea NOT NULL,"
"	letters bigint NOT NULL, sender bytea, conversation bytea,"
"	created bigint NOT NULL, expires bigint NOT NULL, body bytea);"
"CREATE UNIQUE INDEX mail_id ON mail(owner, id);"
"CREATE INDEX mail_conversation ON mail(owner, conversation) WHERE conversation"
"     IS NOT NULL;"
"CREATE TABLE letter ("
"	key bigint PRIMARY KEY, mail bigint NOT NULL,"
"	owner bigint NOT NULL, receiver bytea NOT NULL,"
"	state bigint NOT NULL, reason bigint NOT NULL,"
"	tries bigint NOT NULL, since bigint NOT NULL);"
"CREATE INDEX letter_waits ON letter(key) WHERE state = 0;"
"CREATE INDEX letter_dead ON letter(owner, key) WHERE state = 1;"
"CREATE INDEX letter_over ON letter(key) WHERE state > 1;"
"CREATE TABLE mailer ("
"	key bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
"	owner bigint NOT NULL, id bytea NOT NULL, name bytea,"
"	kind text NOT NULL, graph bytea, spec text NOT NULL,"
"	state bigint NOT NULL, error text, restarts bigint NOT NULL,"
"	created bigint NOT NULL, updated bigint NOT NULL);"
"CREATE UNIQUE INDEX mailer_id ON mailer(owner, id);"
"CREATE UNIQUE INDEX mailer_name ON mailer(owner, name) WHERE name IS NOT NULL;";

/* Wasm */
static const char wasm_1[] =
"CREATE TABLE wasm_bytes ("
"	seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
"	hash bytea NOT NULL UNIQUE, body bytea NOT NULL);"
"CREATE TABLE wasm_release ("
"	owner bigint NOT NULL, name text COLLATE \"C\" NOT NULL,"
"	number bigint NOT NULL, hash bytea NOT NULL,"
"	policy text NOT NULL, size bigint NOT NULL,"
"	created bigint NOT NULL, current bigint NOT NULL,"
"	PRIMARY KEY (owner, name, number));"
"CREATE INDEX wasm_release_hash ON wasm_release(hash);"
"CREATE TABLE wasm_image ("
"	seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
"	owner bigint NOT NULL, agent bytea NOT NULL,"
"	name text COLLATE \"C\" NOT NULL, number bigint NOT NULL,"
"	body bytea NOT NULL, updated bigint NOT NULL);"
"CREATE UNIQUE INDEX wasm_image_agent ON wasm_image(owner, agent);"
"CREATE INDEX wasm_image_release ON wasm_image(owner, name, number);";

/* Nodes, the last group that each has written, and cancels that one asks another for. */
static const char nodes_1[] =
"CREATE TABLE node ("
"	seq bigint PRIMARY KEY, name bytea NOT NULL, address bytea NOT NULL,"
"	info text NOT NULL, started bigint NOT NULL, expires bigint NOT NULL,"
"	state bigint NOT NULL);"
"CREATE TABLE node_batch (node bigint PRIMARY KEY, batch bigint NOT NULL);"
"CREATE TABLE run_wanted (run bigint PRIMARY KEY, how bigint NOT NULL,"
"	why bytea NOT NULL);";

/* nextval gives the first number of a block. */
#define NUMBER_TEXT(n) #n
#define SEQUENCE(name, block) "CREATE SEQUENCE seq_" name " INCREMENT "                \
	NUMBER_TEXT(block) ";"
static const char numbers_1[] =
    SEQUENCE("owner", PG_BLOCK_ONE) SEQUENCE("assistant", PG_BLOCK_ONE)
    SEQUENCE("thread", PG_BLOCK_SOME) SEQUENCE("run", PG_BLOCK_SOME)
    SEQUENCE("checkpoint", PG_BLOCK_MANY) SEQUENCE("list", PG_BLOCK_SOME)
    SEQUENCE("mail", PG_BLOCK_MANY) SEQUENCE("cron", PG_BLOCK_ONE)
    SEQUENCE("node", PG_BLOCK_ONE);

static const char *const steps_1[] = { owners_1, threads_1, states_1, savers_1, items_1, mail_1,
    wasm_1, nodes_1, numbers_1, NULL };

/* Whose a letter that waits is, and an agent.  come: that node has it in memory. */
static const char mail_2[] =
"ALTER TABLE letter ADD COLUMN node bigint NOT NULL DEFAULT 0,"
"	ADD COLUMN come bigint NOT NULL DEFAULT 1;"
"ALTER TABLE mailer ADD COLUMN node bigint NOT NULL DEFAULT 0;"
"CREATE INDEX letter_new ON letter(key) WHERE state = 0 AND come = 0 AND node <> 0;"
"CREATE INDEX letter_receiver ON letter(receiver) WHERE state = 0 AND node <> 0;"
"CREATE INDEX mailer_node ON mailer(node) WHERE node <> 0;";
static const char *const steps_2[] = { mail_2, NULL };

/* How large an owner's items are.  What a node of before puts meanwhile is not counted. */
static const char items_3[] =
"ALTER TABLE item_total ADD COLUMN bytes bigint NOT NULL DEFAULT 0;"
"UPDATE item_total SET bytes = (SELECT coalesce(sum(octet_length(value)), 0)"
"	FROM item WHERE item.owner = item_total.owner);";
static const char *const steps_3[] = { items_3, NULL };

/* breaks: nodes of the version before would write what is wrong, or fail.  Most steps only add,
 * and nodes of before go on beside it; one that breaks is not made while such a node lives. */
static const struct pg_step known[] = { { .texts = steps_1 }, { .texts = steps_2 },
    { .texts = steps_3 } };

int64_t
store_server_format(void)
{
	return COUNT(known);
}

/* ---- migration ------------------------------------------------------------------ */

/* The first schema of the search path, if there is none of the name. */
static const char schema_make[] =
"DO $$ DECLARE name text := btrim(split_part(current_setting('search_path'), ',', 1), ' \"');"
"BEGIN IF to_regnamespace(quote_ident(name)) IS NULL THEN"
"	EXECUTE format('CREATE SCHEMA %I', name); END IF; END $$";

struct plan { const struct pg_step *at; size_t n; };

static int
version_read(struct db *db, size_t newest, int64_t *version, struct err *e)
{
	int64_t there = 0;
	int rc = db_read_i64(db, "SELECT (to_regclass('cohort_format') IS NOT NULL)::int::bigint",
	    &there, e);

	*version = 0;
	if (rc == OK && there != 0)
		rc = db_read_i64(db, "SELECT max(version) FROM cohort_format", version, e);
	if (rc == OK && *version > (int64_t)newest)
		rc = err_set(e, ERR_INVALID, "%s was written by a newer Cohort (format %lld; this "
		    "one knows up to %zu): start the version that the other nodes have",
		    db_path(db), (long long)*version, newest);
	return rc;
}

static int
step_run(struct db *db, const char *const *texts, struct err *e)
{
	int rc = OK;

	for (; rc == OK && *texts != NULL; texts++)
		rc = db_exec(db, *texts, e);
	return rc;
}

/* ---- nodes of older versions ----------------------------------------------------- */

/* What a node says that it knows; those of before nodes said it know the second. */
#define NODE_FORMAT "coalesce(substring(info FROM '\"format\": *([0-9]+)')::bigint, 2)"

/* No node that lives knows less than `least`; those whose lease is over are marked, and write
 * nothing for runs if they wake up.  None comes meanwhile. */
static int
nodes_check(struct db *db, int64_t least, size_t to, struct err *e)
{
	char text[512], names[320] = "";
	int rc = db_exec(db, "LOCK TABLE node IN ACCESS EXCLUSIVE MODE", e);

	snprintf(text, sizeof text, "SELECT left(string_agg(convert_from(name, 'UTF8') || ' ('"
	    " || coalesce(substring(info FROM '\"version\": *\"([^\"]*)\"'), '?') || ')', ', '"
	    " ORDER BY seq), 60) FROM node WHERE state = 0 AND expires > " NOW_PG
	    " AND " NODE_FORMAT " < %lld", (long long)least);
	if (rc == OK && pg_ask(db->on->h, text, NULL, names, sizeof names) != OK)
		rc = db_failed(db, e);
	if (rc == OK && names[0] != '\0')
		rc = err_set(e, ERR_BUSY, "the tables must be changed to format %zu, and nodes of an "
		    "older version that cannot live with that are running: %s; stop them, then "
		    "start this one (docs/cluster.md, Restart and upgrade)", to, names);
	snprintf(text, sizeof text, "UPDATE node SET state = 2 WHERE state = 0 AND " NODE_FORMAT
	    " < %lld", (long long)least);
	return rc == OK ? db_exec(db, text, e) : rc;
}

/* From now on no older node joins, or renews its lease, whatever it looks at. */
static int
nodes_bar(struct db *db, int64_t least, struct err *e)
{
	char text[256];

	snprintf(text, sizeof text, "ALTER TABLE node DROP CONSTRAINT IF EXISTS node_format, ADD"
	    " CONSTRAINT node_format CHECK (" NODE_FORMAT " >= %lld) NOT VALID",
	    (long long)least);
	return db_exec(db, text, e);
}

/* In a transaction that holds the lock: another node may have done it meanwhile. */
static int
steps_run(struct db *db, const struct plan *p, struct err *e)
{
	int64_t version, least = 0;
	char mark[160];
	int rc = db_exec(db, schema_make, e);

	if (rc == OK)
		rc = version_read(db, p->n, &version, e);
	if (rc != OK || version == (int64_t)p->n)
		return rc;
	for (size_t v = (size_t)version; v < p->n; v++)
		least = p->at[v].breaks ? (int64_t)v + 1 : least;
	if (least > 0 && version > 0)
		rc = nodes_check(db, least, p->n, e);
	if (rc == OK)
		log_info("store", "migrate", "database=%s from=%lld to=%zu", db_path(db),
		    (long long)version, p->n);
	for (size_t v = (size_t)version; rc == OK && v < p->n; v++)
		rc = step_run(db, p->at[v].texts, e);
	if (rc == OK && least > 0)
		rc = nodes_bar(db, least, e);
	snprintf(mark, sizeof mark, "CREATE TABLE IF NOT EXISTS cohort_format (version bigint);"
	    "DELETE FROM cohort_format; INSERT INTO cohort_format VALUES (%zu)", p->n);
	return rc == OK ? db_exec(db, mark, e) : rc;
}

/* *busy: another node is at it, or its transactions hold the tables. */
static int
migrate_try(struct db *db, const struct plan *p, bool *busy, struct err *e)
{
	char lock[160];
	int64_t got = 0;
	int rc;

	db->on->fault = DB_SOUND;
	if (db_begin(db, DB_WRITE) != OK)
		return db_failed(db, e);
	/* A step may take longer than any command. */
	db->on->patience = MIGRATE_MS;
	rc = db_exec(db, "SET LOCAL statement_timeout = 0", e);
	snprintf(lock, sizeof lock, "SELECT CASE WHEN pg_try_advisory_xact_lock(%d, "
	    "hashtext(current_setting('search_path'))) THEN 1 ELSE 0 END", STORE_APP);
	if (rc == OK)
		rc = db_read_i64(db, lock, &got, e);
	*busy = rc == OK && got == 0;
	if (rc == OK && !*busy)
		rc = steps_run(db, p, e);
	if (rc == OK && !*busy && db_commit(db) != OK)
		rc = db_failed(db, e);
	if (rc != OK || *busy)
		db_rollback(db);
	db->on->patience = 0;
	if (rc != OK && db->on->fault == DB_AGAIN) {
		log_info("store", "migrate_waits", "reason=%s", e->text);
		*busy = true;
		return OK;
	}
	return rc;
}

/* Texts are UTF-8.  Another encoding has not all of their characters, or does not know what
 * a character is. */
static int
encoding_check(struct db *db, struct err *e)
{
	int64_t good = 0;
	int rc = db_read_i64(db, "SELECT (current_setting('server_encoding') = 'UTF8')"
	    "::int::bigint", &good, e);

	return rc != OK || good != 0 ? rc : err_set(e, ERR_INVALID, "the database's encoding is "
	    "not UTF8 (SHOW server_encoding says which); make one that is: "
	    "createdb --encoding UTF8 --template template0 cohort");
}

/* Nodes that start together: one makes the tables, and the others look until they are
 * there.  Not by waiting for the lock, for the connection's deadlines are short. */
int
pg_migrate_by(struct db *db, const struct pg_step *steps, size_t n, struct err *e)
{
	const struct plan plan = { steps, n };
	nsec until = clock_mono() + LIMIT_PG_MIGRATE_MS * NS_PER_MS;
	bool busy = false;
	int rc = encoding_check(db, e);

	if (rc != OK)
		return rc;
	do {
		int64_t version = 0;

		rc = version_read(db, n, &version, e);
		if (rc != OK || version == (int64_t)n)
			return rc;
		if (clock_mono() >= until)
			return err_set(e, ERR_BUSY, "PostgreSQL: for %d s another node has been "
			    "making the tables of format %zu, or transactions have held those of "
			    "format %lld; start again when they are done",
			    LIMIT_PG_MIGRATE_MS / 1000, n, (long long)version);
		if (busy)
			poll(NULL, 0, MIGRATE_LOOK_MS);
		rc = migrate_try(db, &plan, &busy, e);
	} while (rc == OK && busy);
	return rc;
}

int
pg_migrate(struct db *db, struct err *e)
{
	return pg_migrate_by(db, known, COUNT(known), e);
}
