/*
 * table.c - the operations of the engine, one row each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/args.h"
#include "work/work_priv.h"

const struct operation work_operations[] = {
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
	{ "recount", op_recount, OP_ALONE, ARGS(BOOL("fix"), END) },
	{ "info", op_info, OP_READS, ARGS(END) },
	{ NULL }
};

/* The i-th of all tables; NULL past the last. */
static const struct operation *
operation_at(size_t i)
{
	for (size_t t = 0; work_tables[t] != NULL; t++) {
		for (const struct operation *o = work_tables[t]; o->name != NULL; o++) {
			if (i-- == 0)
				return o;
		}
	}
	return NULL;
}

const char *
work_operation(size_t i)
{
	const struct operation *o = operation_at(i);

	return o == NULL ? NULL : o->name;
}

const struct operation *
work_operation_find(struct str name)
{
	const struct operation *o;

	for (size_t i = 0; (o = operation_at(i)) != NULL; i++) {
		if (str_eq(str_of(o->name), name))
			return o;
	}
	return NULL;
}

int
work_operation_unknown(struct str name, struct err *e)
{
	struct str_near near = { .word = name };

	for (size_t i = 0; work_operation(i) != NULL; i++)
		str_near_try(&near, work_operation(i));
	return err_near(e, ERR_METHOD, near.best, "\"",
	    "unknown operation \"%.*s\"", FMT(name));
}
