/*
 * tool.c - see tool.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/host/tool.h"

#include <assert.h>

#include "work/work.h"

#define FIELDS "title description design acceptance_criteria priority issue_type " \
	"assignee"

const struct work_tool work_tools[WORK_TOOLS] = {
	{ .name = "work_create", .operation = "create",
	  .args = FIELDS " labels dependencies parent",
	  .description = "Creates a work item (a task, bug, feature, epic or chore) "
	      "and returns it with its id. State dependencies at once, so that it "
	      "only becomes ready when they are closed." },
	{ .name = "work_list", .operation = "list", .reads = true,
	  .args = "status priority issue_type assignee labels title parent limit",
	  .description = "Lists items, most urgent and newest first. All filters "
	      "given must agree." },
	{ .name = "work_ready", .operation = "ready", .reads = true,
	  .args = "priority assignee labels limit",
	  .description = "Lists items that can be worked on now: open, and nothing "
	      "they depend on is left. Most urgent first. To take one use work_claim." },
	{ .name = "work_show", .operation = "show", .reads = true, .args = "id",
	  .description = "Shows one item with all its fields, dependencies, "
	      "dependents and comments." },
	{ .name = "work_update", .operation = "update",
	  .args = "id " FIELDS " notes status",
	  .description = "Changes fields of an item; fields not given stay. To begin "
	      "work use work_claim, to end it work_close." },
	{ .name = "work_claim", .operation = "claim", .otherwise = "ready",
	  .args = "id priority",
	  .description = "Takes an item for you, so that nobody else works on it: "
	      "the one with this id or, without an id, the most urgent that is ready. "
	      "Returns the item, or null when none is ready. Claim it again to keep it "
	      "longer than half an hour." },
	{ .name = "work_close", .operation = "close", .args = "id reason claim_next",
	  .description = "Closes an item that is done. What depended on it may "
	      "become ready. With claim_next the next ready item is claimed for you "
	      "and returned as \"claimed\"." },
	{ .name = "work_release", .operation = "release", .args = "id",
	  .description = "Gives back an item you claimed and cannot finish; it is "
	      "open again." },
	{ .name = "work_comment", .operation = "comment", .args = "id text",
	  .description = "Adds a comment to an item, for whoever works on it next." },
	{ .name = "work_dep", .operation = "dep_add", .instead = "remove=dep_remove",
	  .args = "id=from_id depends_on_id=to_id type=dep_type",
	  .description = "Makes an item depend on another one: with type blocks it "
	      "is not ready before that one is closed. With remove the dependency "
	      "goes." },
	{ .name = "work_blocked", .operation = "blocked", .reads = true,
	  .args = "limit",
	  .description = "Lists items that wait for others, with the open items they "
	      "wait for." },
	{ .name = "work_stats", .operation = "stats", .reads = true, .args = "",
	  .description = "Counts items: total, open, in progress, blocked, ready, "
	      "closed." },
};

/* ---- schemas ------------------------------------------------------------------ */

/* "id=from_id": the tool's name of an argument, and the operation's. */
static bool
next_arg(struct str *rest, struct str *name, struct str *arg)
{
	struct str pair;

	if (rest->n == 0 || !str_next(rest, ' ', &pair))
		return false;
	*arg = pair;
	str_next(arg, '=', name);
	if (arg->p == NULL)
		*arg = *name;
	return true;
}

static void
add_words(struct buf *b, const char *const *words)
{
	buf_lit(b, ",\"enum\":[");
	for (; *words != NULL; words++)
		json_add_fmt(b, ",%s", *words);
	buf_add_char(b, ']');
}

static void
add_property(struct buf *b, struct str name, const struct work_arg *a)
{
	static const char *const types[] = {
		[ARG_TEXT] = "string", [ARG_INT] = "integer", [ARG_BOOL] = "boolean",
		[ARG_TEXTS] = "array", [ARG_WORD] = "string", [ARG_WORDS] = "string",
		[ARG_TIME] = "string", [ARG_ARRAY] = "array"
	};

	json_add_fmt(b, ",%.*s:{'type':%s", FMT(name), types[a->kind]);
	if (a->kind == ARG_WORD)
		add_words(b, a->words);
	if (a->kind == ARG_INT)
		json_add_fmt(b, ",'minimum':%lld,'maximum':%lld", (long long)a->min,
		    (long long)a->max);
	if (a->kind == ARG_TEXTS)
		json_add_fmt(b, ",'items':{'type':'string'}");
	if (a->kind != ARG_WORD)
		json_add_fmt(b, ",'description':%s", a->help);
	buf_add_char(b, '}');
}

void
work_tool_add_schema(struct buf *b, const struct work_tool *t)
{
	const struct work_arg *args = work_args(str_of(t->operation)), *a;
	struct str rest = str_of(t->args), to = str_of(t->instead), name, arg;

	json_add_fmt(b, "{'type':'object','properties':{");
	while (next_arg(&rest, &name, &arg)) {
		a = work_arg_find(args, arg);
		assert(a != NULL);
		add_property(b, name, a);
	}
	if (str_next(&to, '=', &name) && name.n > 0)
		json_add_fmt(b, ",%.*s:{'type':'boolean','description':"
		    "'the other way: %-.*s'}", FMT(name), FMT(to));
	json_add_fmt(b, "},'required':[");
	rest = str_of(t->args);
	while (next_arg(&rest, &name, &arg)) {
		if (work_arg_find(args, arg)->required)
			json_add_fmt(b, ",%.*s", FMT(name));
	}
	json_add_fmt(b, "],'additionalProperties':false}");
}

/* ---- failures ------------------------------------------------------------------ */

static const struct {
	int rc;
	const char *words;                   /* NULL: the tracker's own */
} refusals[] = {
	{ ERR_INVALID, NULL }, { ERR_NOTFOUND, NULL }, { ERR_CONFLICT, NULL },
	{ ERR_TOOBIG, NULL },  { ERR_LIMIT, NULL },    { ERR_METHOD, NULL },
	{ ERR_BUSY, "The tracker is busy; try again later." },
	{ ERR_TIMEOUT, "That took too long; ask for less." },
};

const char *
work_tool_words(int rc, const struct err *e)
{
	for (size_t i = 0; i < COUNT(refusals); i++)
		if (refusals[i].rc == rc)
			return refusals[i].words != NULL ? refusals[i].words : e->text;
	return NULL;
}

/* ---- calls ---------------------------------------------------------------------- */

const struct work_tool *
work_tool_find(struct str name)
{
	for (size_t i = 0; i < WORK_TOOLS; i++)
		if (str_eq(str_of(work_tools[i].name), name))
			return &work_tools[i];
	return NULL;
}

/* The operation's name of an argument; the tool's own if it has no such. */
static struct str
renamed(const struct work_tool *t, struct str key)
{
	struct str rest = str_of(t->args), name, arg;

	while (next_arg(&rest, &name, &arg)) {
		if (str_eq(name, key))
			return arg;
	}
	return key;
}

const char *
work_tool_args(const struct work_tool *t, jnode args, struct buf *out)
{
	struct str to = str_of(t->instead), by = STR_NONE;
	const char *operation = t->operation;
	struct json_iter it = json_each(args);

	assert(args == NULL || json_is_object(args));
	str_next(&to, '=', &by);
	buf_lit(out, "{");
	while (json_next(&it)) {
		struct str key = json_str(it.key);

		if (by.n > 0 && str_eq(key, by) && json_is_bool(it.value)) {
			operation = json_bool(it.value) ? to.p : t->operation;
			continue;
		}
		json_add_fmt(out, ",%.*s:%p", FMT(renamed(t, key)), it.value);
	}
	if (t->otherwise != NULL && json_is_null(json_get(args, S("id"))))
		json_add_fmt(out, ",%s:true", t->otherwise);
	buf_lit(out, "}");
	return operation;
}
