/*
 * work.c - the engine: the table of operations, what every call has in common
 * (arguments, the counts, answers kept under a key), and trackers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "work/work_priv.h"

#define TICK_STEPS 256                       /* between two looks up */

const char *const work_status_names[] = {
	"open", "in_progress", "blocked", "deferred", "closed", NULL
};
const char *const work_type_names[] = {
	"bug", "feature", "task", "epic", "chore", NULL
};
const char *const work_dep_names[] = {
	"blocks", "related", "parent-child", "discovered-from", NULL
};

/* ---- arguments ------------------------------------------------------------- */

static const char *const *
words_of(enum arg_kind kind)
{
	switch (kind) {
	case ARG_STATUS: return work_status_names;
	case ARG_TYPE:   return work_type_names;
	case ARG_DEP:    return work_dep_names;
	default:         return NULL;
	}
}

static int
texts_check(const struct arg *arg, jnode args, struct err *e)
{
	struct json_iter it;
	jnode array;
	size_t i = 0;
	int rc = json_get_array(args, arg->name, arg->name, &array, e);

	if (rc == OK && json_count(array) > (size_t)arg->min)
		return err_set(e, ERR_TOOBIG, "%s: at most %lld entries, got %zu",
		    arg->name, (long long)arg->min, json_count(array));
	it = json_each(array);
	for (; rc == OK && json_next(&it); i++) {
		struct str s = json_str(it.value);

		if (!json_is_string(it.value) || s.n == 0)
			return err_set(e, ERR_INVALID, "%s[%zu]: expected a string "
			    "that is not empty, got %s", arg->name, i,
			    s.n == 0 && json_is_string(it.value) ? "an empty one" :
			    json_kind(it.value));
		if (s.n > (size_t)arg->max)
			return err_set(e, ERR_TOOBIG, "%s[%zu]: at most %lld bytes, "
			    "got %zu", arg->name, i, (long long)arg->max, s.n);
	}
	return rc;
}

static int
arg_check(const struct arg *arg, jnode args, struct err *e)
{
	struct str s;
	int64_t n;
	bool b;
	int word;

	switch (arg->kind) {
	case ARG_TEXT:
		return json_get_str(args, arg->name, arg->name, STR_NONE,
		    (size_t)arg->max, &s, e);
	case ARG_INT:
		return json_get_int(args, arg->name, arg->name, arg->min, arg->min,
		    arg->max, &n, e);
	case ARG_BOOL:
		return json_get_bool(args, arg->name, arg->name, false, &b, e);
	case ARG_TEXTS:
		return texts_check(arg, args, e);
	case ARG_STATUS: case ARG_TYPE: case ARG_DEP:
		return json_get_enum(args, arg->name, arg->name,
		    words_of(arg->kind), 0, &word, e);
	case ARG_ARRAY:
		return json_get_array(args, arg->name, arg->name, &args, e);
	}
	return OK;
}

static const char *
arg_name(const void *table, size_t i)
{
	return ((const struct arg *)table)[i].name;
}

static int
unknown_arg(const struct operation *op, struct str key, struct err *e)
{
	const char *near;
	size_t n = 0;

	while (op->args[n].name != NULL)
		n++;
	near = str_nearest(key, arg_name, op->args, n);
	return err_near(e, ERR_INVALID, near, "\"", "%s: \"%.*s\" is not an argument of it",
	    op->name, FMT(key));
}

static const struct arg *
arg_find(const struct operation *op, struct str key)
{
	for (const struct arg *a = op->args; a->name != NULL; a++) {
		if (str_eq(str_of(a->name), key))
			return a;
	}
	return NULL;
}

static int
args_check(const struct operation *op, jnode args, struct err *e)
{
	struct json_iter it = json_each(args);
	int rc = OK;

	if (args != NULL && !json_is_object(args))
		return err_set(e, ERR_INVALID, "args: expected an object, got %s",
		    json_kind(args));
	while (rc == OK && json_next(&it)) {
		const struct arg *a = arg_find(op, json_str(it.key));

		rc = a == NULL ? unknown_arg(op, json_str(it.key), e) :
		    arg_check(a, args, e);
	}
	for (const struct arg *a = op->args; rc == OK && a->name != NULL; a++) {
		if (a->required && json_is_null(json_get(args, str_of(a->name))))
			rc = err_set(e, ERR_INVALID, "%s: \"%s\" is missing",
			    op->name, a->name);
	}
	return rc;
}

jnode
arg_node(const struct work_call *c, const char *name)
{
	jnode n = c->args == NULL ? NULL : json_get(c->args, str_of(name));

	return json_is_null(n) ? NULL : n;
}

bool
arg_given(const struct work_call *c, const char *name)
{
	return arg_node(c, name) != NULL;
}

struct str
arg_text(const struct work_call *c, const char *name)
{
	jnode n = arg_node(c, name);

	return n == NULL ? STR_NONE : json_str(n);
}

int64_t
arg_int(const struct work_call *c, const char *name, int64_t fallback)
{
	jnode n = arg_node(c, name);

	return n == NULL ? fallback : json_int(n);
}

bool
arg_bool(const struct work_call *c, const char *name)
{
	return json_bool(arg_node(c, name));
}

int
arg_word(const struct work_call *c, const char *name, const char *const *words,
    int fallback)
{
	jnode n = arg_node(c, name);

	for (int i = 0; n != NULL && words[i] != NULL; i++) {
		if (str_eq(json_str(n), str_of(words[i])))
			return i;
	}
	return fallback;
}

/* ---- failing --------------------------------------------------------------- */

int
fail(struct work *w, int rc, const char *format, ...)
{
	struct err *e = &w->call->err;
	va_list ap;

	va_start(ap, format);
	vsnprintf(e->text, sizeof e->text, format, ap);
	va_end(ap);
	e->code = rc;
	return rc;
}

int
fail_db(struct work *w, int rc)
{
	return fail(w, rc, "%s", w->db.err.text[0] != '\0' ? w->db.err.text :
	    rc_text(rc));
}

/* ---- trackers --------------------------------------------------------------- */

int
work_tracker_find(struct work *w, int64_t owner, struct str project,
    int64_t *tracker, struct err *e)
{
	struct query q = query_of(&w->db, SQL_TRACKER_FIND);
	int rc;

	bind_i64(&q, owner);
	bind_text(&q, project);
	rc = query_row(&q);
	if (rc == OK)
		*tracker = col_i64(&q, 0);
	query_end(&q);
	if (rc == ERR_NOTFOUND)
		return err_set(e, rc, "no project \"%.*s\"", FMT(project));
	return rc == OK ? OK : err_set(e, rc, "%s", w->db.err.text);
}

static int
room_check(struct work *w, int64_t owner, struct err *e)
{
	struct query q = query_of(&w->db, SQL_TRACKER_COUNT);
	int64_t n;
	int rc;

	bind_i64(&q, owner);
	rc = query_row(&q);
	n = rc == OK ? col_i64(&q, 0) : 0;
	query_end(&q);
	if (rc != OK)
		return err_set(e, rc, "%s", w->db.err.text);
	return n < LIMIT_WORK_PROJECTS ? OK : err_set(e, ERR_LIMIT,
	    "project: there are %d already, which is the most one owner may have",
	    LIMIT_WORK_PROJECTS);
}

int
work_tracker_make(struct work *w, int64_t owner, struct str project,
    struct str prefix, msec now, int64_t *tracker, struct err *e)
{
	int rc = work_tracker_find(w, owner, project, tracker, e);
	struct query q;

	if (rc != ERR_NOTFOUND)
		return rc;
	rc = prefix_check(prefix, e);
	if (rc == OK)
		rc = room_check(w, owner, e);
	if (rc != OK)
		return rc;
	q = query_of(&w->db, SQL_TRACKER_MAKE);
	bind_i64(&q, owner);
	bind_text(&q, project);
	bind_text(&q, prefix);
	bind_i64(&q, now);
	rc = query_run(&q);
	if (rc != OK)
		return err_set(e, rc, "%s", w->db.err.text);
	*tracker = sqlite3_last_insert_rowid(w->db.h);
	return OK;
}

void
work_tracker_drop(struct work *w, int64_t tracker)
{
	struct query q = query_of(&w->db, SQL_TRACKER_DROP);

	bind_i64(&q, tracker);
	query_run(&q);
}

static int
tracker_load(struct work *w, int64_t tracker)
{
	struct query q = query_of(&w->db, SQL_TRACKER_GET);
	int rc;

	w->t = (struct tracker){ .seq = tracker, .prefix = w->call->prefix };
	if (tracker == WORK_TRACKER_NONE)
		return OK;
	bind_i64(&q, tracker);
	rc = query_row(&q);
	if (rc == OK) {
		w->t.prefix = col_str(&q, 0, &w->a);
		w->t.edges = col_i64(&q, 1);
		w->t.lead_ms = col_i64(&q, 2);
	}
	query_end(&q);
	return rc == OK ? OK : fail_db(w, rc);
}

/* A number no other change has: the time's low bits would not do, for a
 * rollback takes the old one back while the memory keeps the new. */
static int64_t
edges_number(void)
{
	uint64_t n;

	id_random(&n, sizeof n);
	return (int64_t)(n >> 1);
}

/* What the operation changed of the tracker's numbers, once at its end. */
static int
tracker_save(struct work *w)
{
	int rc = OK;

	for (int i = 0; rc == OK && i < STATES; i++) {
		struct query q;

		if (w->t.counts[i] == 0)
			continue;
		q = query_of(&w->db, SQL_COUNT_ADD);
		bind_i64(&q, w->t.seq);
		bind_i64(&q, i);
		bind_i64(&q, w->t.counts[i]);
		rc = query_run(&q);
		w->t.counts[i] = 0;
	}
	if (rc == OK && (w->t.edges_changed || w->t.lead_change != 0)) {
		struct query q = query_of(&w->db, SQL_TRACKER_SET);

		bind_i64(&q, w->t.edges);
		bind_i64(&q, w->t.lead_ms + w->t.lead_change);
		bind_i64(&q, w->t.seq);
		rc = query_run(&q);
		w->t.lead_ms += w->t.lead_change;
		w->t.lead_change = 0;
		w->t.edges_changed = false;
	}
	return rc == OK ? OK : fail_db(w, rc);
}

void
tracker_edges_changed(struct work *w)
{
	if (!w->t.edges_changed)
		w->t.edges = edges_number();
	w->t.edges_changed = true;
}

/* ---- answers kept under a key -------------------------------------------------- */

/* Agents count their steps from one: a key is its actor's, for one operation. */
static struct str
once_key(struct work *w, const struct work_call *c)
{
	return arena_fmt(&w->a, "%.*s\n%.*s\n%.*s", FMT(c->once), FMT(c->operation),
	    FMT(c->actor));
}

/* Was it asked before?  Then its answer is given again. */
static bool
once_answer(struct work *w, struct work_call *c, int *rc)
{
	struct query q = query_of(&w->db, SQL_ONCE_GET);

	bind_i64(&q, c->tracker);
	bind_str(&q, once_key(w, c));
	*rc = query_row(&q);
	if (*rc == OK)
		buf_add(c->data, col_borrow(&q, 0));
	query_end(&q);
	if (*rc != OK && *rc != ERR_NOTFOUND)
		fail_db(w, *rc);
	return *rc != ERR_NOTFOUND;
}

static int
once_keep(struct work *w, struct work_call *c, struct str data)
{
	struct query q = query_of(&w->db, SQL_ONCE_PUT);
	int rc;

	bind_i64(&q, c->tracker);
	bind_str(&q, once_key(w, c));
	bind_i64(&q, c->now);
	bind_str(&q, data);
	rc = query_run(&q);
	if (rc == OK) {
		q = query_of(&w->db, SQL_ONCE_PRUNE);
		bind_i64(&q, c->tracker);
		bind_i64(&q, c->now - LIMIT_WORK_ONCE_MS);
		rc = query_run(&q);
	}
	return rc == OK ? OK : fail_db(w, rc);
}

/* ---- the table ------------------------------------------------------------------ */

#define TEXT(name, max) { name, ARG_TEXT, false, 0, max }
#define NEED(name, max) { name, ARG_TEXT, true, 0, max }
#define LONG(name)      { name, ARG_TEXT, false, 0, LIMIT_WORK_TEXT_BYTES }
#define INT(name, min, max) { name, ARG_INT, false, min, max }
#define BOOL(name)      { name, ARG_BOOL, false, 0, 0 }
#define WORDS(name, kind) { name, kind, false, 0, 0 }
#define LIST(name, count, max) { name, ARG_TEXTS, false, count, max }
#define LABELS(name)    LIST(name, LIMIT_WORK_LABELS, LIMIT_WORK_LABEL_BYTES)
#define ID              NEED("id", LIMIT_WORK_ID_BYTES)
#define PRIORITY        INT("priority", 0, PRIORITY_MAX)
#define ASSIGNEE        TEXT("assignee", LIMIT_WORK_NAME_BYTES)
#define ROWS            INT("limit", 0, LIMIT_WORK_ROWS)
#define PAGES           BOOL("page"), TEXT("after", LIMIT_WORK_ID_BYTES)
#define END             { NULL }
#define ARGS(...)       (const struct arg[]){ __VA_ARGS__ }

#define ITEM_TEXTS LONG("description"), LONG("design"),                        \
	LONG("acceptance_criteria"), LONG("notes")
#define ITEM_FIELDS ITEM_TEXTS, WORDS("status", ARG_STATUS), PRIORITY,         \
	WORDS("issue_type", ARG_TYPE), ASSIGNEE,                               \
	INT("estimated_minutes", 0, LIMIT_WORK_MINUTES),                       \
	TEXT("external_ref", LIMIT_WORK_NAME_BYTES)

#define OP_ALONE (OP_WRITES | OP_SAVEPOINT | OP_WHOLE)

const struct operation operations[] = {
	{ "ping", op_ping, OP_READS, ARGS(END) },
	{ "create", op_create, OP_WRITES, ARGS(
	    TEXT("id", LIMIT_WORK_ID_BYTES), NEED("title", LIMIT_WORK_TITLE_BYTES),
	    ITEM_FIELDS, LABELS("labels"),
	    LIST("dependencies", LIMIT_WORK_DEPS, LIMIT_WORK_ID_BYTES + 32),
	    TEXT("parent", LIMIT_WORK_ID_BYTES), END) },
	{ "update", op_update, OP_WRITES, ARGS(ID,
	    TEXT("title", LIMIT_WORK_TITLE_BYTES), ITEM_FIELDS, BOOL("claim"),
	    END) },
	{ "close", op_close, OP_WRITES, ARGS(ID,
	    LONG("reason"), BOOL("claim_next"), END) },
	{ "reopen", op_reopen, OP_WRITES, ARGS(ID, LONG("reason"), END) },
	{ "show", op_show, OP_READS, ARGS(ID, END) },
	{ "list", op_list, OP_READS, ARGS(WORDS("status", ARG_STATUS), PRIORITY,
	    ASSIGNEE, WORDS("issue_type", ARG_TYPE),
	    TEXT("label", LIMIT_WORK_LABEL_BYTES), LABELS("labels"),
	    LABELS("labels_any"), TEXT("title", LIMIT_WORK_TITLE_BYTES),
	    TEXT("query", LIMIT_WORK_TITLE_BYTES),
	    LIST("ids", LIMIT_WORK_ROWS, LIMIT_WORK_ID_BYTES), ROWS, PAGES,
	    END) },
	{ "ready", op_ready, OP_READS, ARGS(ROWS, PRIORITY, ASSIGNEE, END) },
	{ "blocked", op_blocked, OP_READS, ARGS(ROWS, PAGES, END) },
	{ "stats", op_stats, OP_READS, ARGS(END) },
	{ "search", op_search, OP_READS, ARGS(
	    NEED("query", LIMIT_WORK_TITLE_BYTES), WORDS("status", ARG_STATUS),
	    ROWS, PAGES, END) },
	{ "claim", op_claim, OP_WRITES, ARGS(TEXT("id", LIMIT_WORK_ID_BYTES),
	    BOOL("ready"), PRIORITY, ASSIGNEE,
	    INT("lease_ms", LIMIT_WORK_LEASE_MIN_MS, LIMIT_WORK_LEASE_MAX_MS),
	    END) },
	{ "release", op_release, OP_WRITES, ARGS(ID, BOOL("force"), END) },
	{ "delete", op_delete, OP_WRITES | OP_SAVEPOINT, ARGS(
	    { "ids", ARG_TEXTS, true, LIMIT_WORK_IDS, LIMIT_WORK_ID_BYTES },
	    BOOL("force"), END) },
	{ "comment", op_comment, OP_WRITES, ARGS(ID,
	    NEED("text", LIMIT_WORK_TEXT_BYTES), END) },
	{ "comment_list", op_comment_list, OP_READS, ARGS(ID, END) },
	{ "label_add", op_label_add, OP_WRITES, ARGS(ID,
	    TEXT("label", LIMIT_WORK_LABEL_BYTES), LABELS("labels"), END) },
	{ "label_remove", op_label_remove, OP_WRITES, ARGS(ID,
	    TEXT("label", LIMIT_WORK_LABEL_BYTES), LABELS("labels"), END) },
	{ "label_list", op_label_list, OP_READS, ARGS(ID, END) },
	{ "label_list_all", op_label_list_all, OP_READS, ARGS(END) },
	{ "dep_add", op_dep_add, OP_WRITES, ARGS(
	    NEED("from_id", LIMIT_WORK_ID_BYTES), NEED("to_id", LIMIT_WORK_ID_BYTES),
	    WORDS("dep_type", ARG_DEP), END) },
	{ "dep_remove", op_dep_remove, OP_WRITES, ARGS(
	    NEED("from_id", LIMIT_WORK_ID_BYTES), NEED("to_id", LIMIT_WORK_ID_BYTES),
	    WORDS("dep_type", ARG_DEP), END) },
	{ "dep_tree", op_dep_tree, OP_READS, ARGS(ID,
	    INT("max_depth", 1, LIMIT_WORK_TREE_DEPTH), BOOL("reverse"), END) },
	{ "dep_cycles", op_dep_cycles, OP_READS, ARGS(END) },
	{ "history", op_history, OP_READS, ARGS(TEXT("id", LIMIT_WORK_ID_BYTES),
	    ROWS, INT("after", 0, INT64_MAX), END) },
	{ "resolve", op_resolve, OP_READS, ARGS(ID, END) },
	{ "batch", op_batch, OP_ALONE, ARGS(
	    { "operations", ARG_ARRAY, true }, BOOL("partial"), END) },
	{ "export", op_export, OP_READS, ARGS(TEXT("after", LIMIT_WORK_ID_BYTES),
	    WORDS("status", ARG_STATUS), BOOL("tombstones"), BOOL("whole"), ROWS,
	    END) },
	{ "import", op_import, OP_ALONE, ARGS(
	    { "items", ARG_ARRAY, true }, INT("first_line", 1, INT32_MAX),
	    BOOL("dry_run"), BOOL("skip_existing"), BOOL("strict"), BOOL("base"),
	    BOOL("resolve_rings"), BOOL("skip_bad"),
	    END) },
	{ "rename_prefix", op_rename_prefix, OP_ALONE, ARGS(
	    NEED("prefix", LIMIT_WORK_PREFIX_BYTES), BOOL("dry_run"), END) },
	{ "recount", op_recount, OP_ALONE, ARGS(BOOL("fix"), END) },
	{ "info", op_info, OP_READS, ARGS(END) },
};
const size_t operations_n = COUNT(operations);

const char *
work_operation(size_t i)
{
	return i < operations_n ? operations[i].name : NULL;
}

static const char *
operation_name(const void *table, size_t i)
{
	return ((const struct operation *)table)[i].name;
}

const struct operation *
operation_find(struct str name)
{
	for (size_t i = 0; i < operations_n; i++) {
		if (str_eq(str_of(operations[i].name), name))
			return &operations[i];
	}
	return NULL;
}

static int
unknown_operation(struct work *w, struct str name)
{
	const char *near = str_nearest(name, operation_name, operations, operations_n);

	return fail(w, ERR_METHOD, "unknown operation \"%.*s\"%s%s%s", FMT(name),
	    near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	    near != NULL ? "\"?" : "");
}

/* ---- a call -------------------------------------------------------------------- */

struct work *
work_new(const struct db *on)
{
	struct work *w = mem_new(struct work);

	db_share(&w->db, on, &work_sql);
	w->a = ARENA(LIMIT_WORK_MEMORY_BYTES);
	w->scratch = BUF(LIMIT_WORK_MEMORY_BYTES);
	return w;
}

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	graph_drop(w);
	db_close(&w->db);
	arena_release(&w->a);
	buf_release(&w->scratch);
	free(w);
}

void
work_rest(struct work *w)
{
	arena_release(&w->a);
	buf_release(&w->scratch);
}

bool
call_writes(const struct work *w)
{
	const struct operation *op = operation_find(w->call->operation);

	return op != NULL && (op->flags & OP_WRITES) != 0;
}

bool
work_means_to_write(struct work *w, const struct work_call *c)
{
	const struct operation *op = operation_find(c->operation);

	(void)w;
	return op != NULL && ((op->flags & OP_WRITES) != 0 || c->once.n > 0);
}

bool
work_writes(struct work *w, const struct work_call *c)
{
	msec now = c->now > w->clock ? c->now : w->clock;

	return work_means_to_write(w, c) ||
	    (operation_find(c->operation) != NULL &&
	    lease_due(w, c->tracker, now));
}

static int
savepoint_run(struct work *w, enum sql what)
{
	struct query q = query_of(&w->db, what);
	int rc = query_run(&q);

	return rc == OK ? OK : fail_db(w, rc);
}

int
savepoint_begin(struct work *w)
{
	return savepoint_run(w, SQL_SAVEPOINT);
}

int
savepoint_end(struct work *w, int rc, bool keep)
{
	struct err why = w->call->err;
	int end = OK;

	if (w->db.broken)
		return rc;
	if (rc != OK || !keep)
		end = savepoint_run(w, SQL_SAVEPOINT_BACK);
	if (end == OK)
		end = savepoint_run(w, SQL_SAVEPOINT_END);
	if (end != OK)
		w->db.broken = true;
	if (rc == OK)
		return end;
	w->call->err = why;
	return rc;
}

int
call_tick(struct work *w, size_t done, size_t total)
{
	struct work_call *c = w->call;
	int rc = c->tick == NULL || done % TICK_STEPS != 0 ? OK :
	    c->tick(c->tick_ctx, done, total);

	return rc == OK ? OK : fail(w, rc, "%.*s was ended after %zu of %zu steps "
	    "(%s); nothing was changed", FMT(c->operation), done, total, rc_text(rc));
}

/* The operation with its arguments checked; its changes of the counts too. */
static int
operation_run(struct work *w, const struct operation *op, struct work_call *c)
{
	int rc = args_check(op, c->args, &c->err);

	if (rc == OK)
		rc = op->run(w, c);
	if (rc == OK)
		rc = tracker_save(w);
	if (rc == OK && (c->data->failed || w->a.failed || w->scratch.failed))
		rc = fail(w, ERR_TOOBIG, "%s: the answer is too large", op->name);
	return rc;
}

/* In a savepoint if it may fail halfway.  What was not written is forgotten. */
static int
operation_guard(struct work *w, const struct operation *op, struct work_call *c)
{
	size_t at = c->data->n;
	int rc;

	if ((op->flags & OP_SAVEPOINT) == 0 && c->once.n == 0)
		return operation_run(w, op, c);
	rc = savepoint_begin(w);
	if (rc != OK)
		return rc;
	rc = operation_run(w, op, c);
	if (rc == OK && c->once.n > 0)
		rc = once_keep(w, c, str_sub(buf_str(c->data), at, c->data->n - at));
	rc = savepoint_end(w, rc, true);
	if (rc != OK)
		graph_drop(w);
	return rc;
}

int
work_run_inner(struct work *w, struct work_call *c)
{
	const struct operation *op = operation_find(c->operation);
	struct work_call *outer = w->call;
	int rc;

	w->call = c;
	w->db.err.text[0] = '\0';
	w->scratch.failed = false;
	c->err.text[0] = '\0';
	if (op == NULL)
		rc = unknown_operation(w, c->operation);
	else if ((op->flags & OP_WHOLE) != 0)
		rc = fail(w, ERR_INVALID, "%s cannot be part of a batch", op->name);
	else
		rc = operation_run(w, op, c);
	w->call = outer;
	return rc;
}

int
work_run_apart(struct work *w, struct work_call *c)
{
	struct tracker kept = w->t;
	int rc = savepoint_begin(w);

	if (rc != OK)
		return rc;
	rc = work_run_inner(w, c);
	if (rc != OK)
		w->t = kept;
	return savepoint_end(w, rc, true);
}

static int
call_run(struct work *w, const struct operation *op, struct work_call *c)
{
	int rc = tracker_load(w, c->tracker);

	if (rc == OK)
		rc = lease_expire(w);
	if (rc == OK)
		rc = tracker_save(w);
	return rc == OK ? operation_guard(w, op, c) : rc;
}

int
work_run(struct work *w, struct work_call *c)
{
	const struct operation *op = operation_find(c->operation);
	int rc;

	assert(w->call == NULL && c->actor.n > 0);
	w->call = c;
	w->db.err.text[0] = '\0';
	w->db.broken = false;
	arena_clear(&w->a);
	w->a.failed = w->scratch.failed = false;
	c->err.text[0] = '\0';
	if (w->clock == 0 && call_writes(w))
		work_follow(w);
	if (c->now < w->clock)
		c->now = w->clock;
	w->clock = c->now;
	if (op == NULL)
		rc = unknown_operation(w, c->operation);
	else if (c->once.n == 0 || !once_answer(w, c, &rc))
		rc = call_run(w, op, c);
	w->call = NULL;
	return rc;
}
