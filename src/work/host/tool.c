/*
 * tool.c - see tool.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/host/tool.h"

#define OBJECT(properties, required) "{\"type\":\"object\",\"properties\":{"      \
	properties "},\"required\":[" required "],\"additionalProperties\":false}"
#define TEXT(name, words)                                                      \
	"\"" name "\":{\"type\":\"string\",\"description\":\"" words "\"}"
#define TEXTS(name, words)                                                     \
	"\"" name "\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},"    \
	"\"description\":\"" words "\"}"
#define BOOL(name, words)                                                      \
	"\"" name "\":{\"type\":\"boolean\",\"description\":\"" words "\"}"
#define ENUM(name, values)                                                     \
	"\"" name "\":{\"type\":\"string\",\"enum\":[" values "]}"
#define PRIORITY                                                               \
	"\"priority\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":4,"      \
	"\"description\":\"0 most urgent, 4 least; 2 is normal.\"}"
#define LIMIT                                                                  \
	"\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,"      \
	"\"description\":\"At most so many.\"}"
#define ID TEXT("id", "Id of the item.")
#define STATUS ENUM("status", "\"open\",\"in_progress\",\"blocked\","          \
	"\"deferred\",\"closed\"")
#define TYPE ENUM("issue_type", "\"bug\",\"feature\",\"task\",\"epic\",\"chore\"")
#define FIELDS                                                                 \
	TEXT("description", "What is to be done, and why.") ","                \
	TEXT("design", "How it is to be done.") ","                            \
	TEXT("acceptance_criteria", "How to see that it is done.") ","         \
	PRIORITY "," TYPE ","                                                  \
	TEXT("assignee", "Who works on it.")

const struct work_tool work_tools[WORK_TOOLS] = {
	{ .name = "work_create", .operation = "create",
	  .description = "Creates a work item (a task, bug, feature, epic or chore) "
	      "and returns it with its id. State dependencies at once, so that it "
	      "only becomes ready when they are closed.",
	  .parameters_json = OBJECT(
	      TEXT("title", "One line.") "," FIELDS ","
	      TEXTS("labels", "Labels.") ","
	      TEXTS("dependencies", "Ids of items that must be closed first, or "
	      "type:id with type blocks, related, parent-child or discovered-from.")
	      "," TEXT("parent", "Id of the epic it belongs to."), "\"title\"") },
	{ .name = "work_list", .operation = "list", .reads = true,
	  .description = "Lists items, most urgent and newest first. All filters "
	      "given must agree.",
	  .parameters_json = OBJECT(STATUS "," PRIORITY "," TYPE ","
	      TEXT("assignee", "Who works on it.") ","
	      TEXTS("labels", "It has all of these.") ","
	      TEXT("title", "Words in its title.") "," LIMIT, "") },
	{ .name = "work_ready", .operation = "ready", .reads = true,
	  .description = "Lists items that can be worked on now: open, and nothing "
	      "they depend on is left. Most urgent first. To take one use work_claim.",
	  .parameters_json = OBJECT(PRIORITY ","
	      TEXT("assignee", "Who works on it.") "," LIMIT, "") },
	{ .name = "work_show", .operation = "show", .reads = true,
	  .description = "Shows one item with all its fields, dependencies, "
	      "dependents and comments.",
	  .parameters_json = OBJECT(ID, "\"id\"") },
	{ .name = "work_update", .operation = "update",
	  .description = "Changes fields of an item; fields not given stay. To begin "
	      "work use work_claim, to end it work_close.",
	  .parameters_json = OBJECT(ID "," TEXT("title", "One line.") "," FIELDS ","
	      TEXT("notes", "What was found out so far.") "," STATUS, "\"id\"") },
	{ .name = "work_claim", .operation = "claim", .otherwise = "ready",
	  .description = "Takes an item for you, so that nobody else works on it: "
	      "the one with this id or, without an id, the most urgent that is ready. "
	      "Returns the item, or null when none is ready. Claim it again to keep it "
	      "longer than half an hour.",
	  .parameters_json = OBJECT(ID "," PRIORITY, "") },
	{ .name = "work_close", .operation = "close",
	  .description = "Closes an item that is done. What depended on it may "
	      "become ready. With claim_next the next ready item is claimed for you "
	      "and returned as \"claimed\".",
	  .parameters_json = OBJECT(ID "," TEXT("reason", "What was done.") ","
	      BOOL("claim_next", "Claim the next ready item."), "\"id\"") },
	{ .name = "work_release", .operation = "release",
	  .description = "Gives back an item you claimed and cannot finish; it is "
	      "open again.",
	  .parameters_json = OBJECT(ID, "\"id\"") },
	{ .name = "work_comment", .operation = "comment",
	  .description = "Adds a comment to an item, for whoever works on it next.",
	  .parameters_json = OBJECT(ID "," TEXT("text", "The comment."),
	      "\"id\",\"text\"") },
	{ .name = "work_dep", .operation = "dep_add", .instead = "remove=dep_remove",
	  .renames = "id=from_id depends_on_id=to_id type=dep_type",
	  .description = "Makes an item depend on another one: with type blocks it "
	      "is not ready before that one is closed. With remove the dependency "
	      "goes.",
	  .parameters_json = OBJECT(TEXT("id", "The item that has to wait.") ","
	      TEXT("depends_on_id", "The item it waits for.") ","
	      ENUM("type", "\"blocks\",\"related\",\"parent-child\","
	      "\"discovered-from\"") ","
	      BOOL("remove", "Remove it instead."), "\"id\",\"depends_on_id\"") },
	{ .name = "work_blocked", .operation = "blocked", .reads = true,
	  .description = "Lists items that wait for others, with the open items they "
	      "wait for.",
	  .parameters_json = OBJECT(LIMIT, "") },
	{ .name = "work_stats", .operation = "stats", .reads = true,
	  .description = "Counts items: total, open, in progress, blocked, ready, "
	      "closed.",
	  .parameters_json = OBJECT("", "") },
};

const struct work_tool *
work_tool_find(struct str name)
{
	for (size_t i = 0; i < WORK_TOOLS; i++)
		if (str_eq(str_of(work_tools[i].name), name))
			return &work_tools[i];
	return NULL;
}

/* "a=b c=d": what stands for the key, the key itself if nothing does. */
static struct str
renamed(const char *renames, struct str key)
{
	struct str rest = str_of(renames), pair, from;

	while (str_next(&rest, ' ', &pair))
		if (str_next(&pair, '=', &from) && str_eq(from, key))
			return pair;
	return key;
}

const char *
work_tool_args(const struct work_tool *t, jnode args, struct buf *out)
{
	struct str to = str_of(t->instead), by = STR_NONE;
	const char *operation = t->operation;
	struct json_iter it = json_each(args);

	str_next(&to, '=', &by);
	buf_lit(out, "{");
	while (json_next(&it)) {
		struct str key = json_str(it.key);

		if (by.n > 0 && str_eq(key, by) && json_is_bool(it.value)) {
			operation = json_bool(it.value) ? to.p : t->operation;
			continue;
		}
		json_add_fmt(out, ",%.*s:%p", FMT(renamed(t->renames, key)), it.value);
	}
	if (t->otherwise != NULL && json_is_null(json_get(args, S("id"))))
		json_add_fmt(out, ",%s:true", t->otherwise);
	buf_lit(out, "}");
	return operation;
}
