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

#define UUID_OF(column)                                                        \
	"lower(substr(hex(" column "), 1, 8) || '-' || substr(hex(" column "), 9, 4)" \
	" || '-' || substr(hex(" column "), 13, 4) || '-' || substr(hex(" column "),"  \
	" 17, 4) || '-' || substr(hex(" column "), 21))"

/* A state of channels in namespaces, tasks with pending writes, interrupts and a
 * journal by task.  A position is now in `tasks`; the snapshots of before are of
 * no use, for they do not tell the shape of their chart. */
static const char version_4[] =
"ALTER TABLE thread ADD COLUMN state_updated INTEGER NOT NULL DEFAULT 0;"
"UPDATE thread SET state_updated = coalesce((SELECT created FROM checkpoint"
"	WHERE seq = thread.checkpoint), 0) WHERE checkpoint <> 0;"
"ALTER TABLE run ADD COLUMN agent BLOB;"          /* hash; NULL: none */

"CREATE TABLE agent ("                           /* what runs began with */
"	hash BLOB PRIMARY KEY,"
"	id TEXT NOT NULL,"
"	body TEXT NOT NULL,"
"	created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

"CREATE TABLE channel ("
"	thread INTEGER NOT NULL,"
"	ns TEXT NOT NULL,"
"	name TEXT NOT NULL,"                     /* escaped as in JSON */
"	version INTEGER NOT NULL,"               /* seq of the checkpoint */
"	type TEXT NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (thread, ns, name, version)) STRICT, WITHOUT ROWID;"

"CREATE TABLE list ("                            /* those with a base, or empty */
"	seq INTEGER PRIMARY KEY,"
"	base INTEGER NOT NULL,"                  /* 0: none */
"	base_len INTEGER NOT NULL,"
"	depth INTEGER NOT NULL,"
"	thread INTEGER NOT NULL) STRICT;"        /* 0: gone; others need it */
"CREATE INDEX list_base ON list(base, base_len) WHERE base <> 0;"

"CREATE TABLE task_write ("
"	thread INTEGER NOT NULL,"
"	task BLOB NOT NULL,"
"	idx INTEGER NOT NULL,"
"	path TEXT NOT NULL,"
"	channel TEXT NOT NULL,"
"	type TEXT NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (thread, task, idx)) STRICT, WITHOUT ROWID;"

"CREATE TABLE interrupt ("
"	thread INTEGER NOT NULL,"
"	id BLOB NOT NULL,"
"	owner INTEGER NOT NULL,"
"	ns TEXT NOT NULL,"
"	task BLOB NOT NULL,"
"	checkpoint INTEGER NOT NULL,"            /* seq */
"	run INTEGER NOT NULL,"                   /* seq of who asked, then of who
						    answered; 0: none */
"	key TEXT NOT NULL,"
"	value TEXT NOT NULL,"
"	schema TEXT,"
"	state INTEGER NOT NULL,"                 /* 0 waits, 1 answered, 2 void */
"	answer TEXT,"
"	created INTEGER NOT NULL,"
"	PRIMARY KEY (thread, id)) STRICT, WITHOUT ROWID;"
"CREATE INDEX interrupt_task ON interrupt(thread, task);"
"CREATE INDEX interrupt_waits ON interrupt(owner, created) WHERE state = 0;"
"CREATE INDEX interrupt_waits_thread ON interrupt(thread) WHERE state = 0;"

"CREATE TABLE record ("
"	thread INTEGER NOT NULL,"
"	task BLOB NOT NULL,"
"	key TEXT NOT NULL,"
"	run INTEGER NOT NULL,"
"	name TEXT,"
"	result TEXT,"                            /* NULL: started, not done */
"	PRIMARY KEY (thread, task, key)) STRICT, WITHOUT ROWID;"

"CREATE TABLE wait ("
"	thread INTEGER NOT NULL,"
"	task BLOB NOT NULL,"
"	kind TEXT NOT NULL,"
"	key TEXT NOT NULL,"
"	run INTEGER NOT NULL,"
"	due INTEGER,"                            /* ms; NULL: none */
"	PRIMARY KEY (thread, task, kind, key)) STRICT, WITHOUT ROWID;"
"CREATE INDEX wait_due ON wait(due) WHERE due IS NOT NULL;"

/* of (run, step); rows of other runs than those under way may go */
"CREATE INDEX checkpoint_old ON checkpoint(run, step);"
"INSERT OR IGNORE INTO record SELECT r.thread, coalesce(c.task,"
"	call_task(j.run, j.step)), j.call, j.run, j.name, j.result"
"	FROM journal j CROSS JOIN run r ON r.seq = j.run LEFT JOIN checkpoint c"
"	ON c.run = j.run AND c.step = j.step AND c.task IS NOT NULL"
"	WHERE c.task IS NOT NULL OR r.status < 2;"
"DROP TABLE journal;"
"INSERT INTO task_write SELECT thread, task, -1, '', '__error__', 'json',"
"	CAST(task_error AS BLOB) FROM checkpoint"
"	WHERE task IS NOT NULL AND task_error IS NOT NULL;"

"CREATE TABLE checkpoint_4 ("
"	seq INTEGER PRIMARY KEY,"
"	uuid BLOB NOT NULL,"
"	thread INTEGER NOT NULL REFERENCES thread(seq),"
"	ns TEXT NOT NULL,"                       /* '': the root */
"	parent INTEGER NOT NULL,"                /* seq; 0: none */
"	run INTEGER NOT NULL,"                   /* seq; 0: none */
"	step INTEGER NOT NULL,"
"	source INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	channels TEXT NOT NULL,"                 /* channels.c */
"	tasks TEXT,"                             /* that come next; NULL: [] */
"	snapshot TEXT,"
"	wrote TEXT,"                             /* what led here */
"	extra TEXT) STRICT;"                     /* metadata beyond the run's */
"INSERT INTO checkpoint_4 SELECT seq, uuid, thread, '', parent, run, step,"
"	source, created, CASE WHEN list = 0 THEN '{}' ELSE '{\"messages\":['"
"	|| list || ',' || len || ']}' END, CASE WHEN coalesce(next, '') = '' OR"
"	task IS NULL THEN NULL ELSE json_array(json_object('id', " UUID_OF("task")
"	, 'name', next)) END, NULL, CASE WHEN source = 1 AND list <> 0 THEN"
"	'{\"messages\":[' || keep || ',' || len || ']}' END, NULL FROM checkpoint;"
/* a list without entries has a row */
"INSERT INTO list SELECT list, 0, 0, 0, min(thread) FROM checkpoint"
"	WHERE list <> 0 GROUP BY list HAVING max(len) = 0;"
"DROP TABLE checkpoint;"
"ALTER TABLE checkpoint_4 RENAME TO checkpoint;"
"CREATE UNIQUE INDEX checkpoint_ns ON checkpoint(thread, ns, uuid);"
"ALTER TABLE message RENAME TO entry;";

/* Events of runs as fields. */
static const char version_5[] =
"CREATE TABLE event ("
"	run INTEGER NOT NULL,"
"	last INTEGER NOT NULL,"                  /* numbers of the thread */
"	first INTEGER NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (run, last)) STRICT, WITHOUT ROWID;"
"ALTER TABLE thread ADD COLUMN event_next INTEGER NOT NULL DEFAULT 0;"
"ALTER TABLE thread ADD COLUMN event_run INTEGER NOT NULL DEFAULT 0;"
				/* its events go when another's come; 0: none */
"ALTER TABLE run ADD COLUMN cancel_reason TEXT;";         /* NULL: it was not */

/* What models took (thread, run 0: of threads that are gone, and of runs without
 * one), and transcripts of runs.  Their rows are some 1 KB, too long for the leaf of an
 * index: as a table of its key alone each took a page of its own.  In the order they
 * come in, rows of all runs fill pages together, and one commit writes few. */
static const char version_6[] =
"CREATE TABLE usage ("
"	owner INTEGER NOT NULL,"
"	thread INTEGER NOT NULL,"
"	run INTEGER NOT NULL,"
"	day INTEGER NOT NULL,"                   /* since 1970-01-01 */
"	model TEXT NOT NULL,"
"	calls INTEGER NOT NULL,"
"	input INTEGER NOT NULL,"                 /* tokens */
"	cached INTEGER NOT NULL,"                /* of input */
"	output INTEGER NOT NULL,"
"	reasoning INTEGER NOT NULL,"             /* of output */
"	cost INTEGER NOT NULL,"                  /* nano-USD */
"	PRIMARY KEY (owner, thread, run, day, model)) STRICT, WITHOUT ROWID;"
"CREATE TABLE transcript ("
"	run INTEGER NOT NULL,"
"	last INTEGER NOT NULL,"                  /* numbers of its entries */
"	first INTEGER NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (run, last)) STRICT;"

/* Runs that left memory while they wait for a time, one a thread; questions with a
 * time limit, and whose they are. */
"DROP TABLE wait;"
"CREATE TABLE wait ("
"	thread INTEGER PRIMARY KEY,"
"	run INTEGER NOT NULL,"                   /* its status is running */
"	due INTEGER NOT NULL) STRICT;"           /* ms */
"CREATE INDEX wait_due ON wait(due);"
"ALTER TABLE interrupt ADD COLUMN due INTEGER;"          /* ms; NULL: none */
"ALTER TABLE interrupt ADD COLUMN assignee TEXT;"
"CREATE INDEX interrupt_due ON interrupt(due)"
"	WHERE state = 0 AND due IS NOT NULL;"
"CREATE INDEX interrupt_assignee ON interrupt(owner, assignee, created)"
"	WHERE state = 0 AND assignee IS NOT NULL;";

/* Messages between agents, with a letter for each receiver (letters of a message have
 * its key, and those that follow it), and agents that live on.  States of letters: 0
 * waits, 1 dead, others are over. */
static const char version_7[] =
"CREATE TABLE mail ("
"	key INTEGER PRIMARY KEY,"                /* the order */
"	owner INTEGER NOT NULL,"
"	id BLOB NOT NULL,"                       /* message_id */
"	letters INTEGER NOT NULL,"               /* at first */
"	sender BLOB,"                            /* NULL: a client */
"	conversation TEXT,"
"	created INTEGER NOT NULL,"
"	expires INTEGER NOT NULL,"               /* ms; 0: never */
"	body BLOB) STRICT;"                      /* NULL: kept no more */
"CREATE UNIQUE INDEX mail_id ON mail(owner, id);"
"CREATE INDEX mail_conversation ON mail(owner, conversation)"
"	WHERE conversation IS NOT NULL;"
"CREATE TABLE letter ("
"	key INTEGER PRIMARY KEY,"
"	mail INTEGER NOT NULL,"
"	owner INTEGER NOT NULL,"
"	receiver BLOB NOT NULL,"
"	state INTEGER NOT NULL,"
"	reason INTEGER NOT NULL,"                /* of a dead one */
"	tries INTEGER NOT NULL,"                 /* of the same */
"	since INTEGER NOT NULL) STRICT;"         /* in this state */
"CREATE INDEX letter_waits ON letter(key) WHERE state = 0;"
"CREATE INDEX letter_dead ON letter(owner, key) WHERE state = 1;"
"CREATE INDEX letter_over ON letter(key) WHERE state > 1;"
"CREATE TABLE mailer ("
"	key INTEGER PRIMARY KEY,"
"	owner INTEGER NOT NULL,"
"	id BLOB NOT NULL,"
"	name TEXT,"
"	kind TEXT NOT NULL,"
"	graph TEXT,"
"	spec TEXT NOT NULL,"
"	state INTEGER NOT NULL,"
"	error TEXT,"
"	restarts INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	updated INTEGER NOT NULL) STRICT;"
"CREATE UNIQUE INDEX mailer_id ON mailer(owner, id);"
"CREATE UNIQUE INDEX mailer_name ON mailer(owner, name)"
"	WHERE name IS NOT NULL;";

/* Threads that end by themselves, and orders to search them in.  A busy one does not
 * expire. */
#define THREADS_8                                                              \
	"ALTER TABLE thread ADD COLUMN ttl INTEGER NOT NULL DEFAULT 0;" /* ms */ \
	"ALTER TABLE thread ADD COLUMN ttl_keeps INTEGER NOT NULL DEFAULT 0;"  \
	"ALTER TABLE thread ADD COLUMN expires INTEGER;" /* ms; NULL: never */ \
	"CREATE INDEX thread_expires ON thread(expires)"                       \
	"	WHERE expires IS NOT NULL AND status <> 1;"                    \
	"CREATE INDEX thread_updated ON thread(owner, updated);"               \
	"CREATE INDEX thread_state ON thread(owner, state_updated);"           \
	"UPDATE thread SET state_updated = created WHERE state_updated = 0;"
/* Runs that begin later, and threads that live as long as their runs. */
#define RUNS_8                                                                 \
"ALTER TABLE run ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"                   \
				/* ms; pending, and not before then; 0: it is not held */ \
"CREATE INDEX run_held ON run(held) WHERE held > 0;"                           \
"ALTER TABLE thread ADD COLUMN temporary INTEGER NOT NULL DEFAULT 0;"
/* Webhooks that are to be delivered. */
#define HOOKS_8                                                                \
"ALTER TABLE run ADD COLUMN webhook TEXT;"                                     \
"ALTER TABLE run ADD COLUMN push TEXT;"    /* of a client of A2A: what its webhook says */ \
"CREATE TABLE hook ("                                                          \
"	seq INTEGER PRIMARY KEY,"                                              \
"	owner INTEGER NOT NULL,"                                               \
"	thread INTEGER NOT NULL,"                /* seq; 0: none */            \
"	id BLOB NOT NULL,"                       /* of a run: its own */       \
"	url TEXT NOT NULL,"                                                    \
"	receiver TEXT GENERATED ALWAYS AS (lower(substr(url, 1,"               \
"	    instr(substr(url, 9) || '/', '/') + 7))) VIRTUAL,"                 \
"	headers TEXT NOT NULL,"                                                \
"	push TEXT,"                              /* of a run: its own */        \
"	body TEXT,"                              /* NULL: made of what follows */ \
"	tries INTEGER NOT NULL,"                                               \
"	due INTEGER NOT NULL,"                   /* ms */                      \
"	assistant BLOB,"                         /* of a run, as it ended */   \
"	status INTEGER,"                         /* -1: it was rolled back */  \
"	multitask INTEGER,"                                                    \
"	created INTEGER,"                                                      \
"	started INTEGER,"                        /* NULL: it did not */        \
"	ended INTEGER,"                                                        \
"	kwargs TEXT,"                                                          \
"	metadata TEXT,"                                                        \
"	error TEXT,"                                                           \
"	cancel_reason TEXT,"                                                   \
"	checkpoint BLOB) STRICT;"                /* uuid of the thread's newest */ \
"CREATE INDEX hook_receiver ON hook(receiver, due);"                           \
"CREATE INDEX hook_due ON hook(due);"                                          \
"CREATE INDEX hook_thread ON hook(thread);"
/* Items that expire, their words and their vectors. */
#define ITEMS_8                                                                \
	"ALTER TABLE item RENAME TO item_7;"                                   \
	"CREATE TABLE item ("                                                  \
	"	owner INTEGER NOT NULL,"                                       \
	"	seq INTEGER NOT NULL,"           /* the change; counts up */   \
	"	ns TEXT NOT NULL,"                                             \
	"	key TEXT NOT NULL,"                                            \
	"	created INTEGER NOT NULL,"                                     \
	"	updated INTEGER NOT NULL,"                                     \
	"	ttl INTEGER,"                    /* ms; NULL: it does not end */ \
	"	expires INTEGER,"                /* ms; NULL likewise */       \
	"	paths TEXT,"                     /* it is found by; JSON; NULL: $ */ \
	"	value TEXT NOT NULL,"                                          \
	"	PRIMARY KEY (owner, seq)) STRICT, WITHOUT ROWID;"              \
	"INSERT INTO item SELECT owner, seq, ns, key, created, updated, NULL, NULL," \
	"	NULL, value FROM item_7;"                                      \
	"DROP TABLE item_7;"                                                   \
	"CREATE UNIQUE INDEX item_key ON item(owner, ns, key);"                \
	"CREATE INDEX item_expires ON item(expires) WHERE expires IS NOT NULL;" \
	"CREATE TABLE item_total ("                                            \
	"	owner INTEGER PRIMARY KEY,"                                    \
	"	seq INTEGER NOT NULL,"           /* the last one given */      \
	"	items INTEGER NOT NULL,"                                       \
	"	vectors INTEGER NOT NULL) STRICT;"       /* items that have any */ \
	"INSERT INTO item_total SELECT owner, max(seq), count(*), 0 FROM item" \
	"	GROUP BY owner;"                                               \
	"CREATE TABLE namespace ("                                             \
	"	owner INTEGER NOT NULL,"                                       \
	"	path BLOB NOT NULL,"             /* labels, NUL between them */ \
	"	items INTEGER NOT NULL,"                                       \
	"	mortal INTEGER NOT NULL,"        /* of them, those that end */ \
	"	PRIMARY KEY (owner, path)) STRICT, WITHOUT ROWID;"             \
	"INSERT INTO namespace SELECT owner, namespace_path(ns), count(*), 0 FROM item" \
	"	GROUP BY owner, ns;"                                           \
	"CREATE VIRTUAL TABLE word USING fts5(text, content='',"               \
	"	tokenize='unicode61 remove_diacritics 2', prefix='1 2');"  /* words.c */ \
	"INSERT INTO word(rowid, text) SELECT (owner << 40) + seq,"            \
	"	item_words(value) FROM item WHERE item_words(value) <> '';"    \
	"CREATE TABLE vector ("                                                \
	"	key INTEGER PRIMARY KEY,"        /* owner * 2^40 + seq of the item */ \
	"	body BLOB NOT NULL) STRICT;"     /* float32, one after another */ \
	"CREATE TABLE vector_index ("            /* at most one row */         \
	"	embed TEXT NOT NULL,"            /* the model they are of */   \
	"	dims INTEGER NOT NULL) STRICT;"
/* Schedules. */
#define CRONS_8                                                                \
	"CREATE TABLE cron ("                                                  \
	"	seq INTEGER PRIMARY KEY,"                                      \
	"	uuid BLOB NOT NULL,"                                           \
	"	owner INTEGER NOT NULL,"                                       \
	"	assistant INTEGER NOT NULL,"                                   \
	"	thread INTEGER,"                     /* NULL: a new one each time */ \
	"	schedule TEXT NOT NULL,"                                       \
	"	zone TEXT,"                          /* NULL: UTC */           \
	"	enabled INTEGER NOT NULL,"                                     \
	"	keeps INTEGER,"                      /* the thread; NULL: not asked */ \
	"	ends INTEGER,"                       /* ms; NULL: never */     \
	"	next INTEGER,"                       /* ms; NULL: it does not fire */ \
	"	version INTEGER NOT NULL,"           /* of what clients set */ \
	"	created INTEGER NOT NULL,"                                     \
	"	updated INTEGER NOT NULL,"                                     \
	"	payload TEXT NOT NULL,"                                        \
	"	metadata TEXT NOT NULL,"                                       \
	"	error TEXT) STRICT;"                 /* of the last firing */  \
	"CREATE UNIQUE INDEX cron_uuid ON cron(uuid);"                         \
	"CREATE INDEX cron_owner ON cron(owner);"                              \
	"CREATE INDEX cron_assistant ON cron(assistant);"                      \
	"CREATE INDEX cron_thread ON cron(thread) WHERE thread IS NOT NULL;"   \
	"CREATE INDEX cron_next ON cron(next) WHERE next IS NOT NULL;"
/* Answers to requests with an idempotency key. */
#define ONCE_8                                                                 \
"CREATE TABLE once ("                                                          \
"	owner INTEGER NOT NULL,"                                                 \
"	key BLOB NOT NULL,"                      /* hash; with method and path */ \
"	request BLOB NOT NULL,"                  /* hash of the body */          \
"	id BLOB NOT NULL,"                       /* of what it made */           \
"	created INTEGER NOT NULL,"                                               \
"	PRIMARY KEY (owner, key)) STRICT, WITHOUT ROWID;"                        \
"CREATE INDEX once_created ON once(created);"
/* What keys took, and what was changed by whom. */
#define AUTH_8                                                                 \
"ALTER TABLE run ADD COLUMN payer BLOB;" /* NULL: no limit counts its tokens */ \
"CREATE TABLE payer(id BLOB PRIMARY KEY, day INTEGER NOT NULL,"                 \
"	tokens INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

static const char version_8[] =
    THREADS_8 RUNS_8 HOOKS_8 ITEMS_8 CRONS_8 ONCE_8 AUTH_8;

/* Graphs in workers: what their savers put, and what workers registered.  Rows of
 * checkpoints are some 1 KB: see version 6. */
static const char version_9[] =
"CREATE TABLE saver_checkpoint ("
"	seq INTEGER PRIMARY KEY,"
"	thread INTEGER NOT NULL,"
"	ns TEXT NOT NULL,"
"	id TEXT NOT NULL,"
"	parent TEXT,"                            /* its id; NULL: none */
"	run INTEGER NOT NULL,"                   /* seq; 0: none */
"	type TEXT NOT NULL,"                     /* of body */
"	body BLOB NOT NULL,"
"	meta_type TEXT NOT NULL,"
"	meta BLOB NOT NULL,"
"	channels TEXT NOT NULL) STRICT;"         /* sql_saver_priv.h */
"CREATE UNIQUE INDEX saver_checkpoint_id ON saver_checkpoint(thread, ns, id);"
"CREATE TABLE saver_blob ("
"	thread INTEGER NOT NULL,"
"	ns TEXT NOT NULL,"
"	id TEXT NOT NULL,"                       /* of the checkpoint that wrote it */
"	channel TEXT NOT NULL,"
"	type TEXT NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (thread, ns, id, channel)) STRICT, WITHOUT ROWID;"
"CREATE TABLE saver_write ("
"	thread INTEGER NOT NULL,"
"	ns TEXT NOT NULL,"
"	id TEXT NOT NULL,"                       /* of the checkpoint */
"	task TEXT NOT NULL,"
"	idx INTEGER NOT NULL,"
"	run INTEGER NOT NULL,"                   /* seq; 0: none */
"	path TEXT NOT NULL,"
"	channel TEXT NOT NULL,"
"	type TEXT NOT NULL,"
"	body BLOB NOT NULL,"
"	PRIMARY KEY (thread, ns, id, task, idx, run)) STRICT, WITHOUT ROWID;"
"ALTER TABLE interrupt ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;"
				/* run that asked, if it is known; `run` answered */
"ALTER TABLE task_write ADD COLUMN run INTEGER NOT NULL DEFAULT 0;"
"CREATE TABLE checkpoint_before ("              /* what it had before a later run */
"	thread INTEGER NOT NULL,"
"	run INTEGER NOT NULL,"                   /* that told its tasks anew */
"	checkpoint INTEGER NOT NULL,"            /* seq */
"	tasks TEXT,"
"	snapshot TEXT,"
"	PRIMARY KEY (thread, run, checkpoint)) STRICT, WITHOUT ROWID;"
"CREATE TABLE hosted ("
"	graph TEXT PRIMARY KEY,"
"	key TEXT NOT NULL,"                      /* the API key that serves it, or '' */
"	body TEXT NOT NULL,"
"	hash BLOB NOT NULL,"
"	updated INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* WebAssembly: modules, and what is saved of agents that they are.  Long bodies stand in
 * tables with rowids. */
static const char version_10[] =
"CREATE TABLE wasm_bytes ("
"	seq INTEGER PRIMARY KEY,"
"	hash BLOB NOT NULL UNIQUE,"
"	body BLOB NOT NULL) STRICT;"
"CREATE TABLE wasm_release ("
"	owner INTEGER NOT NULL,"
"	name TEXT NOT NULL,"
"	number INTEGER NOT NULL,"
"	hash BLOB NOT NULL,"
"	policy TEXT NOT NULL,"
"	size INTEGER NOT NULL,"
"	created INTEGER NOT NULL,"
"	current INTEGER NOT NULL,"
"	PRIMARY KEY (owner, name, number)) STRICT, WITHOUT ROWID;"
"CREATE INDEX wasm_release_hash ON wasm_release(hash);"
"CREATE TABLE wasm_image ("
"	seq INTEGER PRIMARY KEY,"
"	owner INTEGER NOT NULL,"
"	agent BLOB NOT NULL,"
"	name TEXT NOT NULL,"                     /* its release; number 0: of the folder */
"	number INTEGER NOT NULL,"
"	body BLOB NOT NULL,"
"	updated INTEGER NOT NULL) STRICT;"
"CREATE UNIQUE INDEX wasm_image_agent ON wasm_image(owner, agent);"
"CREATE INDEX wasm_image_release ON wasm_image(owner, name, number);";

/* Several nodes, which only PostgreSQL has: here for the same statements (pg_schema.c). */
static const char version_11[] =
"ALTER TABLE thread ADD COLUMN node INTEGER NOT NULL DEFAULT 0;"
"CREATE INDEX thread_node ON thread(node) WHERE node > 0;"
"CREATE TABLE node (seq INTEGER PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL,"
"	info TEXT NOT NULL, started INTEGER NOT NULL, expires INTEGER NOT NULL,"
"	state INTEGER NOT NULL) STRICT;"
"CREATE TABLE run_wanted (run INTEGER PRIMARY KEY, how INTEGER NOT NULL,"
"	why TEXT NOT NULL) STRICT;";

/* Whose a letter that waits is: 0 without other nodes.  come: that node has it in memory. */
static const char version_12[] =
"ALTER TABLE letter ADD COLUMN node INTEGER NOT NULL DEFAULT 0;"
"ALTER TABLE letter ADD COLUMN come INTEGER NOT NULL DEFAULT 1;"
"ALTER TABLE mailer ADD COLUMN node INTEGER NOT NULL DEFAULT 0;"
"CREATE INDEX letter_new ON letter(key) WHERE state = 0 AND come = 0 AND node <> 0;"
"CREATE INDEX letter_receiver ON letter(receiver) WHERE state = 0 AND node <> 0;"
"CREATE INDEX mailer_node ON mailer(node) WHERE node <> 0;";

/* How large an owner's items are, for a quota. */
static const char version_13[] =
"ALTER TABLE item_total ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
"UPDATE item_total SET bytes = (SELECT coalesce(sum(length(CAST(value AS BLOB))), 0)"
"	FROM item WHERE item.owner = item_total.owner);";

/* Which database it is, for its backups (backup_priv.h). */
static const char version_14[] =
"CREATE TABLE identity (id BLOB NOT NULL) STRICT;"
"INSERT INTO identity VALUES (randomblob(16));";

static const char *const steps[] = { version_1, version_2, version_3, version_4,
    version_5, version_6, version_7, version_8, version_9, version_10, version_11,
    version_12, version_13, version_14 };
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

/* Of a call that names a step in place of a task. */
struct uuid
task_of_step(int64_t run, int step)
{
	struct uuid id = { { 0 } };

	for (int i = 0; i < 8; i++) {
		id.b[i] = (uint8_t)((uint64_t)run >> 8 * (7 - i));
		id.b[8 + i] = (uint8_t)((uint64_t)(int64_t)step >> 8 * (7 - i));
	}
	return id;
}

/* call_task(run, step): the task of calls whose checkpoint is not there. */
static void
call_task(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct uuid id = task_of_step(sqlite3_value_int64(v[0]),
	    sqlite3_value_int(v[1]));

	(void)n;
	sqlite3_result_blob(c, id.b, sizeof id.b, SQLITE_TRANSIENT);
}

/* namespace_path(ns) */
static void
path_of_ns(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct str ns = { (const char *)sqlite3_value_text(v[0]), 0 };
	struct buf b = BUF(LIMIT_NAMESPACE_BYTES);

	(void)n;
	ns.n = (size_t)sqlite3_value_bytes(v[0]);
	namespace_path(&b, ns);
	sqlite3_result_blob(c, b.n > 0 ? b.p : "", (int)b.n, SQLITE_TRANSIENT);
	buf_release(&b);
}

/* item_words(value): of an item that all of its value finds. */
static void
words_of_value(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct str value = { (const char *)sqlite3_value_text(v[0]), 0 };
	struct buf b = BUF(2 * LIMIT_ITEM_WORDS_BYTES);

	(void)n;
	value.n = (size_t)sqlite3_value_bytes(v[0]);
	if (words_text(&b, value, STR_NONE) == OK)
		sqlite3_result_text(c, b.n > 0 ? b.p : "", (int)b.n, SQLITE_TRANSIENT);
	else
		sqlite3_result_error(c, "an item's value is no JSON", -1);
	buf_release(&b);
}

static const struct {
	const char *name;
	int n;
	void (*run)(sqlite3_context *c, int n, sqlite3_value **v);
} functions[] = {
	{ "facets_make", 4, facets_make }, { "call_task", 2, call_task },
	{ "namespace_path", 1, path_of_ns }, { "item_words", 1, words_of_value },
};

int
store_functions_add(struct db *db, struct err *e)
{
	int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;

	for (size_t i = 0; i < COUNT(functions); i++)
		if (sqlite3_create_function(sqlite_of(db), functions[i].name,
		    functions[i].n, flags, db, functions[i].run, NULL, NULL) != SQLITE_OK)
			return err_set(e, ERR_IO, "%s: %s", db_path(db),
			    sqlite3_errmsg(sqlite_of(db)));
	return OK;
}

int
store_migrate(struct db *db, struct err *e)
{
	int rc = store_functions_add(db, e);

	return rc == OK ? db_migrate(db, &store_format, e) : rc;
}
