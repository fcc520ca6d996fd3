/*
 * table.c - the operations of the engine, one row each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/args.h"
#include "work/listing.h"
#include "work/work_priv.h"

/* ---- arguments that several operations have ----------------------------------- */

#define TITLE(row)                                                             \
	row("title", LIMIT_WORK_TITLE_BYTES, "the title, one line")
#define ITEM_FIELDS                                                            \
	LONG("description", "what is to be done, and why"),                    \
	LONG("design", "how it is to be done"),                                \
	LONG("acceptance_criteria", "how to see that it is done"),             \
	LONG("notes", "what was found out so far"),                            \
	WORD("status", work_status_names, STATUSES),                           \
	PRIORITY("0 (most urgent) to 4 (least); 2 is normal"),                 \
	WORD("issue_type", work_type_names, TYPES),                            \
	ASSIGNEE("who works on it"),                                           \
	INT("estimated_minutes", 0, LIMIT_WORK_MINUTES, "how long it may take"), \
	TEXT("external_ref", LIMIT_WORK_NAME_BYTES, "as gh-9 or jira-ABC")

/* What ready, claim, list and count choose by. */
#define SOME_ITEMS                                                             \
	PRIORITY("only of this priority"),                                     \
	ASSIGNEE("only theirs"),                                               \
	BOOL("no_assignee", "only what nobody has"),                           \
	WORD("issue_type", work_type_names, "only " TYPES),                    \
	TEXT("label", LIMIT_WORK_LABEL_BYTES, "only with this label"),         \
	LABELS("labels", "only with all of these labels"),                     \
	LABELS("labels_any", "only with one of these labels"),                 \
	TEXT("parent", LIMIT_WORK_ID_BYTES, "only the children of this item")
#define LISTED_ITEMS STATUS_FILTER, SOME_ITEMS,                                \
	TEXT("title", LIMIT_WORK_TITLE_BYTES,                                  \
	    "only with this in the title, in any case"),                       \
	TEXT("query", LIMIT_WORK_TITLE_BYTES,                                  \
	    "only with this in the id, the title or the description"),         \
	IDS("ids", LIMIT_WORK_ROWS, "only these"),                             \
	TIME("updated_after", "only what changed since: a time, a date or an " \
	    "age such as 36h or 30d"),                                         \
	TIME("updated_before", "only what did not change since")

#define LABELS_OF_ITEM                                                         \
	TEXT("label", LIMIT_WORK_LABEL_BYTES, "a label"), LABELS("labels", "labels")
#define EDGE                                                                   \
	NEED("from_id", LIMIT_WORK_ID_BYTES, "the item that has to wait"),     \
	NEED("to_id", LIMIT_WORK_ID_BYTES, "the item it waits for"),           \
	WORD("dep_type", work_dep_names, DEPS " (default blocks)")

/* ---- the table ------------------------------------------------------------------ */

const struct operation work_operations[] = {
	{ "ping", op_ping, OP_READS, ARGS(END) },
	{ "create", op_create, OP_WRITES, ARGS(
	    TEXT("id", LIMIT_WORK_ID_BYTES, "this id instead of a new one"),
	    TITLE(NEED), ITEM_FIELDS, LABELS("labels", "labels"),
	    LIST("dependencies", LIMIT_WORK_DEPS, LIMIT_WORK_ID_BYTES + 32,
	        "what it depends on: ids, or TYPE:ID with the type " DEPS),
	    TEXT("parent", LIMIT_WORK_ID_BYTES, "makes it a child of this item"),
	    END) },
	{ "update", op_update, OP_WRITES, ARGS(ID, TITLE(TEXT), ITEM_FIELDS,
	    LONG("append_notes", "more notes, below those that are there"),
	    LABELS("add_labels", "labels to add"),
	    LABELS("remove_labels", "labels to remove"),
	    LABELS("set_labels", "these labels instead of all it has"),
	    TEXT("parent", LIMIT_WORK_ID_BYTES, "its only parent; empty: none"),
	    BOOL("claim", "and claim it, atomically"), END) },
	{ "close", op_close, OP_WRITES, ARGS(ID,
	    LONG("reason", "what was done (default: Closed)"),
	    BOOL("claim_next", "and claim the next ready item"),
	    BOOL("suggest_next", "and list the items that became ready by it"),
	    END) },
	{ "reopen", op_reopen, OP_WRITES, ARGS(ID,
	    LONG("reason", "why, for the audit"), END) },
	{ "show", op_show, OP_READS, ARGS(ID, END) },
	{ "list", op_list, OP_READS, ARGS(LISTED_ITEMS,
	    WORD("sort", work_order_names, "by priority (default), created, "
	        "updated, closed, status, id, title, type or assignee"),
	    BOOL("reverse", "in the reverse order"),
	    ROWS("at most so many; 0: all"), PAGES, END) },
	{ "count", op_count, OP_READS, ARGS(LISTED_ITEMS,
	    WORD("by", work_group_names, "per status, priority, type, assignee or "
	        "label"), END) },
	{ "ready", op_ready, OP_READS, ARGS(SOME_ITEMS,
	    WORD("sort", work_policy_names, "by priority, then the oldest first "
	        "(priority, default); the oldest first (oldest); what is older "
	        "than two days last, the oldest first (hybrid)"),
	    ROWS("at most so many (default 10); 0: all"), END) },
	{ "blocked", op_blocked, OP_READS, ARGS(
	    ROWS("at most so many; 0: all"), PAGES, END) },
	{ "stats", op_stats, OP_READS, ARGS(END) },
	{ "search", op_search, OP_READS, ARGS(
	    NEED("query", LIMIT_WORK_TITLE_BYTES, "words; all of them are there"),
	    STATUS_FILTER, ROWS("at most so many; 0: all"), PAGES, END) },
	{ "claim", op_claim, OP_WRITES, ARGS(
	    TEXT("id", LIMIT_WORK_ID_BYTES, "the item's id"),
	    BOOL("ready", "the first of the ready ones, instead of an id"),
	    SOME_ITEMS,
	    INT("lease_ms", LIMIT_WORK_LEASE_MIN_MS, LIMIT_WORK_LEASE_MAX_MS,
	        "how long it is yours without another claim (default 30m)"),
	    END) },
	{ "release", op_release, OP_WRITES, ARGS(ID,
	    BOOL("force", "also when somebody else holds it"), END) },
	{ "delete", op_delete, OP_WRITES | OP_SAVEPOINT, ARGS(
	    { "ids", ARG_TEXTS, true, LIMIT_WORK_IDS, LIMIT_WORK_ID_BYTES, NULL,
	        "the items' ids" },
	    BOOL("force", "delete them; without it only say what would be deleted"),
	    END) },
	{ "comment", op_comment, OP_WRITES, ARGS(ID,
	    NEED("text", LIMIT_WORK_TEXT_BYTES, "the comment"),
	    TEXT("author", LIMIT_WORK_NAME_BYTES, "whose words it has, if not "
	        "those of who writes it"), END) },
	{ "comment_list", op_comment_list, OP_READS, ARGS(ID, END) },
	{ "label_add", op_label_add, OP_WRITES, ARGS(ID, LABELS_OF_ITEM, END) },
	{ "label_remove", op_label_remove, OP_WRITES, ARGS(ID, LABELS_OF_ITEM, END) },
	{ "label_list", op_label_list, OP_READS, ARGS(ID, END) },
	{ "label_list_all", op_label_list_all, OP_READS, ARGS(END) },
	{ "dep_add", op_dep_add, OP_WRITES, ARGS(EDGE, END) },
	{ "dep_remove", op_dep_remove, OP_WRITES, ARGS(EDGE, END) },
	{ "dep_tree", op_dep_tree, OP_READS, ARGS(ID,
	    INT("max_depth", 1, LIMIT_WORK_TREE_DEPTH, "no deeper (default 50)"),
	    BOOL("reverse", "what depends on it, instead"), END) },
	{ "dep_cycles", op_dep_cycles, OP_READS, ARGS(END) },
	{ "history", op_history, OP_READS, ARGS(
	    TEXT("id", LIMIT_WORK_ID_BYTES, "only of this item"),
	    ROWS("at most so many; 0: all"),
	    INT("after", 0, INT64_MAX, "only what came after this number"), END) },
	{ "resolve", op_resolve, OP_READS, ARGS(ID, END) },
	{ "batch", op_batch, OP_ALONE, ARGS(
	    { "operations", ARG_ARRAY, true, 0, 0, NULL,
	        "objects of \"operation\" and \"args\"" },
	    BOOL("partial", "keep those that succeed though others fail"), END) },
	{ "recount", op_recount, OP_ALONE, ARGS(
	    BOOL("fix", "and repair what can be"), END) },
	{ "info", op_info, OP_READS, ARGS(END) },
	{ "config_list", op_config_list, OP_READS, ARGS(END) },
	{ "config_set", op_config_set, OP_WRITES, ARGS(
	    NEED("key", LIMIT_WORK_NAME_BYTES, "its name"),
	    TEXT("value", LIMIT_WORK_SETTING_BYTES, "without it the setting "
	        "is removed"), END) },
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

bool
work_operation_writes(struct str operation)
{
	const struct operation *o = work_operation_find(operation);

	return o != NULL && (o->flags & OP_WRITES) != 0;
}

/* Asked several times a call. */
const struct operation *
work_operation_find(struct str name)
{
	for (size_t t = 0; work_tables[t] != NULL; t++) {
		for (const struct operation *o = work_tables[t]; o->name != NULL; o++) {
			if (str_eq(str_of(o->name), name))
				return o;
		}
	}
	return NULL;
}

const struct work_arg *
work_args(struct str operation)
{
	const struct operation *o = work_operation_find(operation);

	return o == NULL ? NULL : o->args;
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
