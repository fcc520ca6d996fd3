/*
 * store_fix.c - see store_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#ifdef STORE_ON_POSTGRES
#include "pg_fix.h"
#endif
#include "store/sqlite_priv.h"

static struct fix *waiting;                  /* whose shard is having its turn */

static void
fix_came(struct store_cmd *c)
{
	waiting->order[waiting->back++ % COUNT(waiting->order)] = c;
}

#ifdef STORE_ON_POSTGRES
/* To make the tables takes a third of a second, so programs of the same server use the same
 * ones, one after the other: each has a schema for as long as it has the lock of a file
 * beside the server's data. */
static void
schema_take(char url[PG_URL_MAX])
{
	static const char clean[] = "DO $$ DECLARE t record; BEGIN FOR t IN SELECT relname, relkind"
	    " FROM pg_class WHERE relnamespace = 'pool%d'::regnamespace AND relkind IN ('r', 'S')"
	    " AND relname <> 'cohort_format' LOOP IF t.relkind = 'r' THEN"
	    " EXECUTE 'DELETE FROM pool%d.' || t.relname; ELSE"
	    " EXECUTE 'ALTER SEQUENCE pool%d.' || t.relname || ' RESTART'; END IF; END LOOP; END $$";
	const char *base = getenv("COHORT_TEST_PG"), *from = strstr(base, "host=") + 5;
	char dir[128], path[160], sql[1024];
	size_t at = 0;
	int n = 0, fd;

	while (*from != '\0' && *from != '&' && at + 1 < sizeof dir) {
		dir[at++] = strncmp(from, "%2F", 3) == 0 ? '/' : *from;
		from += dir[at - 1] == '/' ? 3 : 1;
	}
	dir[at] = '\0';

	do {
		CHECK(++n < 1000);
		snprintf(path, sizeof path, "%s/pool-%d", dir, n);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		CHECK(fd >= 0);
	} while (flock(fd, LOCK_EX | LOCK_NB) != 0 && close(fd) == 0);
	snprintf(url, PG_URL_MAX, "%s&options=-csearch_path%%3Dpool%d", base, n);
	snprintf(sql, sizeof sql, "CREATE SCHEMA IF NOT EXISTS pool%d", n);
	pg_do(base, sql);
	snprintf(sql, sizeof sql, clean, n, n, n);
	pg_do(base, sql);
}
#endif

void
fix_open_with(struct fix *f, const char *driver, struct vfs_faults *x)
{
	memset(f, 0, sizeof *f);
	CHECK_RC(shard_new(&f->shard, 0, &f->e), OK);
	f->a = ARENA(64 * MB);
#ifdef STORE_ON_POSTGRES
	schema_take(f->url);
#endif
	f->options = (struct store_options){
		.driver = str_of(driver), .path = f->url[0] != '\0' ? str_of(f->url) : S("db"),
		.scan_ms = 60000             /* also where a machine is busy */
	};
	if (store_open_with(&f->st, &f->options, x, &f->e) != OK)
		test_fail(__FILE__, __LINE__, "open: %s", f->e.text);
	CHECK_RC(store_reader_open(f->st, &f->r, &f->e), OK);
}

void
fix_open(struct fix *f, const char *driver)
{
	fix_open_with(f, driver, NULL);
}

void
fix_open_hasty(struct fix *f, int64_t ms)
{
	fix_open(f, "memory");
	f->options.scan_ms = ms;
	f->options.scan_cpu = true;
	fix_reopen(f);
}

void
fix_close(struct fix *f)
{
	if (!f->broken)
		check_consistent(f);
	store_reader_close(f->r);
	store_close(f->st);
	shard_free(f->shard);
	f->shard = NULL;
	arena_release(&f->a);
}

void
fix_reopen(struct fix *f)
{
	store_reader_close(f->r);
	store_close(f->st);
	if (store_open(&f->st, &f->options, &f->e) != OK)
		test_fail(__FILE__, __LINE__, "reopen: %s", f->e.text);
	CHECK_RC(store_reader_open(f->st, &f->r, &f->e), OK);
}

int
fix_offer(struct fix *f, void *cmd, enum store_op op, owner_t owner, bool force)
{
	struct store_cmd *c = cmd;

	c->op = op;
	c->owner = owner;
	c->done = fix_came;
	return store_submit(f->st, f->shard, c, force);
}

void
fix_submit(struct fix *f, void *cmd, enum store_op op, owner_t owner)
{
	CHECK_RC(fix_offer(f, cmd, op, owner, false), OK);
}

void
fix_wait(struct fix *f, size_t back)
{
	waiting = f;
	while (f->back < back)
		shard_turn(f->shard);
}

int
fix_do(struct fix *f, void *cmd, enum store_op op, owner_t owner)
{
	struct store_cmd *c = cmd;
	size_t back = f->back;               /* nothing else is under way */

	if (c->arena == NULL)
		c->arena = &f->a;
	fix_submit(f, cmd, op, owner);
	fix_wait(f, back + 1);
	CHECK(c->rc == OK || c->err.text[0] != '\0');
	return c->rc;
}

struct uuid
id_of(unsigned kind, unsigned n)
{
	struct uuid u = { { 0 } };

	u.b[6] = kind == ID_CHECKPOINT ? 0x60 : 0x70;
	u.b[8] = 0x80;
	u.b[9] = (uint8_t)(kind + 1);
	/* Checkpoints sort by number. */
	for (int i = 0; i < 4; i++)
		u.b[(kind == ID_CHECKPOINT ? 0 : 12) + i] = (uint8_t)(n >> 8 * (3 - i));
	return u;
}

struct store_thread_create
thread_new(unsigned n)
{
	return (struct store_thread_create){
		.t = { .id = id_of(ID_THREAD, n), .metadata_json = S("{}"),
		    .config_json = S("{}"), .created = 1000 + n, .updated = 1000 + n }
	};
}

struct store_assistant_create
assistant_new(unsigned n)
{
	return (struct store_assistant_create){
		.a = { .id = id_of(ID_ASSISTANT, n), .graph_id = S("agent"),
		    .name = S("Ann"), .config_json = S("{\"tags\":[1]}"),
		    .context_json = S("{}"), .metadata_json = S("{\"k\":1}"),
		    .created = 2000 + n, .updated = 2000 + n }
	};
}

struct store_run_create
run_new(unsigned thread, unsigned run)
{
	return (struct store_run_create){
		.run = { .id = id_of(ID_RUN, run), .thread_id = id_of(ID_THREAD, thread),
		    .assistant_id = id_of(ID_ASSISTANT, 1), .graph_id = S("agent"),
		    .kwargs_json = S("{\"input\":1}"), .metadata_json = S("{\"m\":1}"),
		    .base_json = S("{\"run\":\"base\",\"n\":{\"a\":1,\"b\":2}}"),
		    .created = 3000 + run, .updated = 3000 + run }
	};
}

struct step
step_new(unsigned n, int step, uint32_t keep, const struct str *messages,
    size_t messages_n)
{
	return (struct step){
		.id = id_of(ID_CHECKPOINT, n), .step = step,
		.source = step < 0 ? SOURCE_INPUT : SOURCE_LOOP,
		.next = step < 0 ? S("__start__") : S("agent"),
		.snapshot = S("{\"c\":1}"), .keep = keep, .messages = messages,
		.messages_n = messages_n, .created = 4000 + n,
	};
}

static struct str
tasks_of(struct fix *f, const struct step *s)
{
	struct uuid task = s->id;
	char id[UUID_TEXT];

	task.b[15] = 'T';
	uuid_format(&task, id);
	return s->next.n == 0 ? STR_NONE : arena_fmt(&f->a,
	    "[{\"id\":\"%.*s\",\"name\":\"%.*s\"}]", UUID_TEXT, id, FMT(s->next));
}

struct store_changes
changes_of(struct fix *f, const struct step *steps, size_t n)
{
	struct store_checkpoint_put *p = arena_zero(&f->a, (n + 1) * sizeof *p);
	struct store_channel_change *x = arena_zero(&f->a, (n + 1) * sizeof *x);

	for (size_t i = 0; i < n; i++) {
		const struct step *s = &steps[i];
		bool loop = s->source == SOURCE_LOOP;

		x[i] = (struct store_channel_change){ .name = S("messages"),
		    .kind = STORE_LIST, .keep = s->keep, .entries = s->messages,
		    .entries_n = s->messages_n };
		p[i] = (struct store_checkpoint_put){ .id = s->id, .step = s->step,
		    .source = s->source, .created = s->created,
		    .tasks_json = tasks_of(f, s), .snapshot = s->snapshot,
		    .channels = &x[i], .channels_n = loop || s->messages_n > 0 };
		if (loop)
			p[i].wrote_json = arena_fmt(&f->a, "{\"messages\":[%u,%zu]}",
			    s->keep, s->keep + s->messages_n);
	}
	return (struct store_changes){ .checkpoints = p, .checkpoints_n = n };
}

struct store_run_save
save_of(struct fix *f, const struct store_run *run, const struct step *steps, size_t n)
{
	return (struct store_run_save){ .run_seq = run->seq,
	    .thread_seq = run->thread_seq, .changes = changes_of(f, steps, n) };
}

struct store_run
start_run(struct fix *f, owner_t owner, unsigned thread, unsigned run)
{
	struct store_run_create c = run_new(thread, run);

	c.create_thread = true;
	CHECK_RC(fix_do(f, &c, STORE_RUN_CREATE, owner), OK);
	CHECK_INT(c.run.status, RUN_RUNNING);
	return c.run;
}

int
finish_run(struct fix *f, owner_t owner, const struct store_run *run,
    const struct step *steps, size_t n)
{
	struct store_run_end c = {
		.run_seq = run->seq, .thread_seq = run->thread_seq,
		.changes = changes_of(f, steps, n), .status = RUN_SUCCESS,
		.thread_status = THREAD_IDLE, .now = 9000,
	};

	return fix_do(f, &c, STORE_RUN_END, owner);
}

struct db_format
fix_format(int version)
{
	return (struct db_format){ STORE_APP, { store_format.sqlite.text, version } };
}

int64_t
count_rows(struct fix *f, const char *table)
{
	struct db db;
	char text[160];
	int64_t n = -1;

	snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
	CHECK_RC(db_open(&db, f->st->medium.path, NULL, &store_sql, DB_READ, &f->e), OK);
	CHECK_RC(db_read_i64(&db, text, &n, &f->e), OK);
	db_close(&db);
	return n;
}

void
change_file(struct fix *f, const char *sql)
{
	struct db db;

	CHECK_RC(db_open(&db, f->st->medium.path, NULL, &store_sql, DB_WRITE, &f->e), OK);
	if (db_exec(&db, sql, &f->e) != OK)
		test_fail(__FILE__, __LINE__, "%s", f->e.text);
	db_close(&db);
}

static int
gate_commit(void *arg)
{
	struct gate *g = arg;

	if (g->passed)
		return 0;
	g->passed = true;
	sem_post(&g->reached);
	pthread_mutex_lock(&g->lock);
	pthread_mutex_unlock(&g->lock);
	return 0;
}

void
gate_shut(struct fix *f, struct gate *g, struct store_cmd *c)
{
	*g = (struct gate){ 0 };
	sem_init(&g->reached, 0, 0);
	pthread_mutex_init(&g->lock, NULL);
	pthread_mutex_lock(&g->lock);
	if (!f->st->pg)
		sqlite3_commit_hook(sqlite_of(&f->st->w), gate_commit, g);
	CHECK_RC(store_submit(f->st, f->shard, c, false), OK);
	if (!f->st->pg)
		sem_wait(&g->reached);
}

/* What checkpoints name: lists by (thread, ns, uuid); m: each with its longest
 * state.  e: where lists end. */
#define MENTIONS "WITH named AS (SELECT c.thread, c.ns, c.uuid, json_extract("      \
	"j.value, '$[0]') AS list, json_extract(j.value, '$[1]') AS len"           \
	" FROM checkpoint c JOIN thread t ON t.seq = c.thread AND t.owner >= 0,"   \
	" json_each(c.channels) j WHERE j.type = 'array'),"                        \
	" m AS (SELECT list, max(len) AS len FROM named GROUP BY list),"           \
	" l AS (SELECT list FROM m UNION SELECT seq FROM list) "
#define ENDS ", e AS (SELECT l.list, coalesce((SELECT base_len FROM list WHERE seq" \
	" = l.list), 0) AS base_len, coalesce((SELECT max(key + n) - (l.list << 20)" \
	" FROM entry WHERE key >> 20 = l.list), (SELECT base_len FROM list WHERE"  \
	" seq = l.list), 0) AS end FROM l) "

static const char *const rules[] = {
	/* busy exactly while something is under way; one runs at most */
	"SELECT count(*) FROM thread t WHERE (t.status = 1) <>"
	" EXISTS(SELECT 1 FROM run r WHERE r.thread = t.seq AND r.status < 2)",
	"SELECT count(*) FROM (SELECT thread FROM run WHERE status = 1"
	" GROUP BY thread HAVING count(*) > 1)",
	/* the latest checkpoint exists, parents too, in the same thread */
	"SELECT count(*) FROM thread t WHERE t.checkpoint <> 0 AND NOT EXISTS"
	" (SELECT 1 FROM checkpoint c WHERE c.seq = t.checkpoint"
	" AND c.thread = t.seq)",
	"SELECT count(*) FROM checkpoint c WHERE c.parent <> 0 AND NOT EXISTS"
	" (SELECT 1 FROM checkpoint p WHERE p.seq = c.parent"
	" AND p.thread = c.thread)",
	"SELECT count(*) FROM thread t WHERE t.checkpoint <> coalesce((SELECT"
	" seq FROM checkpoint c WHERE c.thread = t.seq AND c.ns = ''"
	" ORDER BY uuid DESC LIMIT 1), 0) AND t.owner >= 0",
	/* a list is as long as its longest state, or others need its end */
	MENTIONS ENDS "SELECT count(*) FROM m JOIN e USING (list) WHERE"
	" e.end < m.len OR (e.end > m.len AND e.end > coalesce((SELECT"
	" max(base_len) FROM list WHERE base = m.list), 0))",
	/* the newest of each namespace is at the end */
	MENTIONS ENDS "SELECT count(*) FROM named n JOIN e USING (list)"
	" WHERE n.len <> e.end AND n.uuid = (SELECT max(uuid) FROM checkpoint"
	" c WHERE c.thread = n.thread AND c.ns = n.ns)",
	/* own entries have no gap; bases reach as far as they are needed */
	MENTIONS ENDS "SELECT count(*) FROM e WHERE (SELECT coalesce(sum(n), 0)"
	" FROM entry WHERE key >> 20 = e.list) <> e.end - e.base_len",
	MENTIONS ENDS "SELECT count(*) FROM list l JOIN e ON e.list = l.base"
	" WHERE e.end < l.base_len OR l.base >= l.seq",
	/* nobody shares a list, and nothing is left of one that is gone */
	MENTIONS "SELECT count(*) FROM (SELECT list FROM named GROUP BY list"
	" HAVING count(DISTINCT thread) > 1)",
	MENTIONS "SELECT count(*) FROM entry WHERE key >> 20 NOT IN (SELECT"
	" list FROM named UNION SELECT seq FROM list WHERE thread = 0)",
	"SELECT count(*) FROM list l WHERE l.thread = 0 AND NOT EXISTS"
	" (SELECT 1 FROM list o WHERE o.base = l.seq)",
	MENTIONS "SELECT count(*) FROM list l WHERE l.thread <> 0 AND NOT EXISTS"
	" (SELECT 1 FROM named n WHERE n.list = l.seq AND n.thread = l.thread)",
	/* values are those that checkpoints name */
	"SELECT count(*) FROM (SELECT c.thread, c.ns, j.value"
	" FROM checkpoint c JOIN thread t ON t.seq = c.thread AND t.owner >= 0,"
	" json_each(c.channels) j WHERE j.type = 'integer' EXCEPT"
	" SELECT thread, ns, version FROM channel)",
	"SELECT count(*) FROM (SELECT thread, ns, version FROM channel EXCEPT"
	" SELECT c.thread, c.ns, j.value FROM checkpoint c,"
	" json_each(c.channels) j WHERE j.type = 'integer')",
	"SELECT count(*) FROM (SELECT thread FROM task_write UNION ALL SELECT"
	" thread FROM record UNION ALL SELECT thread FROM interrupt UNION ALL"
	" SELECT thread FROM wait) WHERE thread NOT IN (SELECT seq FROM thread)",
	/* rows of savers: each named value is there, and nothing is of no thread */
	"SELECT count(*) FROM (SELECT c.thread, c.ns, coalesce(nullif("
	"j.value ->> 1, ''), c.id), j.key FROM saver_checkpoint c, json_each(c.channels) j"
	" JOIN thread t ON t.seq = c.thread AND t.owner >= 0"
	" WHERE json_array_length(j.value) = 2 EXCEPT"
	" SELECT thread, ns, id, channel FROM saver_blob)",
	"SELECT count(*) FROM (SELECT thread FROM saver_checkpoint UNION ALL SELECT"
	" thread FROM saver_blob UNION ALL SELECT thread FROM saver_write UNION ALL"
	" SELECT thread FROM checkpoint_before)"
	" WHERE thread NOT IN (SELECT seq FROM thread)",
	"SELECT count(*) FROM assistant a WHERE a.latest <> (SELECT count(*)"
	" FROM assistant_version v WHERE v.assistant = a.seq)",
	/* counters count; leaves are those of threads that are there */
	"SELECT count(*) FROM (SELECT owner, what, n FROM thread_count"
	" WHERE n <> 0 EXCEPT SELECT owner, status + 1, count(*) FROM thread"
	" GROUP BY owner, status EXCEPT SELECT owner, hash, count(*) FROM facet"
	" GROUP BY owner, hash)",
	"SELECT count(*) FROM (SELECT owner, status + 1, count(*) FROM thread"
	" WHERE owner >= 0 GROUP BY owner, status UNION ALL SELECT owner, hash,"
	" count(*) FROM facet GROUP BY owner, hash EXCEPT SELECT owner, what, n"
	" FROM thread_count)",
	"SELECT count(*) FROM (SELECT owner, items, bytes FROM item_total EXCEPT SELECT"
	" t.owner, count(i.seq), coalesce(sum(length(CAST(i.value AS BLOB))), 0) FROM"
	" item_total t LEFT JOIN item i ON i.owner = t.owner GROUP BY t.owner)",
	"SELECT count(*) FROM facet f WHERE NOT EXISTS (SELECT 1 FROM thread t"
	" WHERE t.seq = f.thread AND t.owner = f.owner AND t.created = f.created)",
	"SELECT count(*) FROM thread t WHERE t.owner >= 0 AND EXISTS (SELECT 1"
	" FROM json_tree(t.metadata) WHERE type NOT IN ('object', 'array')) AND"
	" NOT EXISTS (SELECT 1 FROM facet f WHERE f.thread = t.seq)",
	/* letters have a message, and a message has letters, no more than at first */
	"SELECT count(*) FROM letter l WHERE NOT EXISTS (SELECT 1 FROM mail m WHERE"
	" m.key = l.mail AND m.owner = l.owner AND l.key >= m.key"
	" AND l.key < m.key + m.letters)",
	"SELECT count(*) FROM mail m WHERE NOT EXISTS (SELECT 1 FROM letter l"
	" WHERE l.mail = m.key)",
	"SELECT count(*) FROM mail m JOIN letter l ON l.mail = m.key"
	" WHERE l.state < 2 AND m.body IS NULL",
	/* modules: each has one current version and bytes, no bytes are of none; images
	 * are of agents */
	"SELECT count(*) FROM (SELECT 1 FROM wasm_release GROUP BY owner, name"
	" HAVING sum(current) <> 1)",
	"SELECT count(*) FROM wasm_release r WHERE NOT EXISTS (SELECT 1 FROM wasm_bytes b"
	" WHERE b.hash = r.hash AND length(b.body) = r.size)",
	"SELECT count(*) FROM wasm_bytes WHERE hash NOT IN (SELECT hash FROM wasm_release)",
	"SELECT count(*) FROM wasm_image i WHERE NOT EXISTS (SELECT 1 FROM mailer m"
	" WHERE m.owner = i.owner AND m.id = i.agent)",
	"SELECT count(*) FROM pragma_foreign_key_check",
	"SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
};

/* ---- PostgreSQL's rows in a file of SQLite's ------------------------------- */

#define COPY_TABLES 80
struct copy {
	sqlite3 *to;
	char *name[COPY_TABLES], *text[COPY_TABLES], *types[COPY_TABLES];
	int n;
};

/* Names of columns, in order; generated ones are left out. */
static void
copy_describe(struct copy *c, const char *table)
{
	char *sql = sqlite3_mprintf("SELECT 'SELECT ' || group_concat('\"' || name || '\"')"
	    " || ' FROM %s', group_concat(substr(type, 1, 1), '') FROM"
	    " pragma_table_xinfo(%Q) WHERE hidden = 0", table, table);
	sqlite3_stmt *s = NULL;

	CHECK(c->n < COPY_TABLES);
	CHECK(sqlite3_prepare_v2(c->to, sql, -1, &s, NULL) == SQLITE_OK);
	CHECK(sqlite3_step(s) == SQLITE_ROW);
	c->name[c->n] = sqlite3_mprintf("%s", table);
	c->text[c->n] = sqlite3_mprintf("%s", sqlite3_column_text(s, 0));
	c->types[c->n++] = sqlite3_mprintf("%s", sqlite3_column_text(s, 1));
	sqlite3_finalize(s);
	sqlite3_free(sql);
}

static void
copy_bind(sqlite3_stmt *s, const struct query *q, int col, char type)
{
	struct str v = query_null(q, col) || type == 'I' ? STR_NONE : query_borrow(q, col);

	if (query_null(q, col))
		sqlite3_bind_null(s, col + 1);
	else if (type == 'I')
		sqlite3_bind_int64(s, col + 1, query_i64(q, col));
	else if (type == 'B')
		sqlite3_bind_blob64(s, col + 1, v.n > 0 ? v.p : "", v.n, SQLITE_TRANSIENT);
	else
		sqlite3_bind_text64(s, col + 1, v.p, v.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void
copy_rows(struct copy *c, int table, struct db *from)
{
	struct query q = query_of(from, table);
	const char *types = c->types[table], *names = c->text[table] + strlen("SELECT ");
	char *sql = sqlite3_mprintf("INSERT INTO %s(%.*s) VALUES (?%s)", c->name[table],
	    (int)(strstr(names, " FROM ") - names), names, "");
	sqlite3_stmt *s = NULL;
	int rc;

	for (size_t i = 1; i < strlen(types); i++) {
		char *more = sqlite3_mprintf("%.*s, ?)", (int)strlen(sql) - 1, sql);

		sqlite3_free(sql);
		sql = more;
	}
	CHECK(sqlite3_prepare_v2(c->to, sql, -1, &s, NULL) == SQLITE_OK);
	for (rc = query_row(&q); rc == OK; rc = query_row(&q)) {
		for (int col = 0; types[col] != '\0'; col++)
			copy_bind(s, &q, col, types[col]);
		if (sqlite3_step(s) != SQLITE_DONE)
			test_fail(__FILE__, __LINE__, "%s: %s", sql, sqlite3_errmsg(c->to));
		sqlite3_reset(s);
	}
	if (rc != ERR_NOTFOUND)
		test_fail(__FILE__, __LINE__, "%s: %s", c->text[table], from->on->err.text);
	query_end(&q);
	sqlite3_finalize(s);
	sqlite3_free(sql);
}

/* So that one set of rules holds for both. */
static const char *
copy_out(struct fix *f)
{
	struct copy c = { 0 };
	struct db_sql sql = { .text = (const char *const *)c.text };
	struct db from, to;
	sqlite3_stmt *s = NULL;

	unlink("copy");
	CHECK_RC(db_open(&to, "copy", NULL, &store_sql, DB_WRITE, &f->e), OK);
	CHECK_RC(store_migrate(&to, &f->e), OK);
	c.to = sqlite_of(&to);
	sqlite3_exec(c.to, "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL);
	CHECK(sqlite3_prepare_v2(c.to, "SELECT name FROM sqlite_schema WHERE type = 'table'"
	    " AND name NOT LIKE 'word%' AND name NOT LIKE 'sqlite%' AND name <> 'identity'", -1, &s, NULL) == SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		copy_describe(&c, (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
	sql.n = c.n;
	CHECK_RC(db_open(&from, f->url, NULL, &sql, DB_READ, &f->e), OK);
	for (int i = 0; i < c.n; i++) {
		copy_rows(&c, i, &from);
		sqlite3_free(c.name[i]);
		sqlite3_free(c.types[i]);
	}
	db_close(&from);
	for (int i = 0; i < c.n; i++)
		sqlite3_free(c.text[i]);
	CHECK(sqlite3_exec(c.to, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
	db_close(&to);
	return "copy";
}

void
check_consistent(struct fix *f)
{
	const char *path = f->st->pg ? copy_out(f) : f->st->medium.path;
	struct db db;

	CHECK_RC(db_open(&db, path, NULL, &store_sql, DB_READ, &f->e), OK);
	for (size_t i = 0; i < COUNT(rules); i++) {
		int64_t n = -1;

		if (db_read_i64(&db, rules[i], &n, &f->e) != OK || n != 0)
			test_fail(__FILE__, __LINE__, "%lld rows: %s", (long long)n,
			    rules[i]);
	}
	db_close(&db);
}
