/*
 * store_tools.c - store_put and store_search: a model's own notes.
 *
 * They act as the run's owner: items of other owners are not found.  The
 * command is in the call's arena until it is back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/tools_priv.h"

#include <assert.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/items.h"

#define SEARCH_DEFAULT 10
#define SEARCH_MAX     100                   /* as in the schema below */

struct put {
	struct store_item_put cmd;
	struct tool_call *call;
};

struct search {
	struct store_item_search cmd;
	struct store_item_refresh again;     /* of what it found */
	struct tool_call *call;
};

/* ---- arguments -------------------------------------------------------------- */

static int
label_check(struct str label, struct err *e)
{
	if (label.n == 0 || str_index(label, '.') >= 0)
		return err_set(e, ERR_INVALID,
		    "argument \"namespace\": labels cannot be empty or contain periods");
	if (str_index(label, '\0') >= 0)
		return err_set(e, ERR_INVALID,
		    "argument \"namespace\": labels cannot contain U+0000");
	if (label.n > LIMIT_NAME_BYTES)
		return err_set(e, ERR_INVALID,
		    "argument \"namespace\": a label is longer than %d bytes",
		    LIMIT_NAME_BYTES);
	return OK;
}

static int
label_add(struct buf *ns, size_t *count, struct str label, struct err *e)
{
	int rc = label_check(label, e);

	if (rc == OK && ++*count > LIMIT_NAMESPACE_LABELS)
		rc = err_set(e, ERR_INVALID, "argument \"namespace\": more than %d labels",
		    LIMIT_NAMESPACE_LABELS);
	if (ns->n > 0)
		buf_add_char(ns, '.');
	buf_add(ns, label);
	return rc;
}

int
namespace_read(struct arena *a, jnode n, bool may_be_empty, struct str *out,
    struct err *e)
{
	struct buf ns = BUF((LIMIT_NAME_BYTES + 1) * (LIMIT_NAMESPACE_LABELS + 1));
	struct json_iter it = json_each(n);
	struct str rest = json_str(n), label;
	size_t count = 0;
	int rc = OK;

	if (json_is_string(n) && rest.n > 0)
		while (rc == OK && str_next(&rest, '.', &label))
			rc = label_add(&ns, &count, label, e);
	while (json_is_array(n) && rc == OK && json_next(&it))
		rc = label_add(&ns, &count, json_str(it.value), e);
	if (rc == OK && count == 0 && !may_be_empty)
		rc = err_set(e, ERR_INVALID, "argument \"namespace\": empty");
	*out = arena_str(a, buf_str(&ns));
	buf_release(&ns);
	return rc;
}

/* ---- failures --------------------------------------------------------------- */

/* Failures that a model can act on.  Others go to the log. */
static const struct {
	int rc;
	const char *words;                   /* NULL: the store's own */
} refusals[] = {
	{ ERR_BUSY,    "The store is busy; try again later." },
	{ ERR_TIMEOUT, "That took too long; ask for less." },
	{ ERR_TOOBIG,  "That is too much at once; ask for less." },
	{ ERR_LIMIT,   "That is too much at once; ask for less." },
	{ ERR_INVALID, NULL },
};

void
store_tool_refuse(struct tool_call *c, const struct store_cmd *cmd)
{
	for (size_t i = 0; i < COUNT(refusals); i++) {
		if (refusals[i].rc != cmd->rc)
			continue;
		tool_refuse(c, "%s", refusals[i].words != NULL ? refusals[i].words :
		    cmd->err.text[0] != '\0' ? cmd->err.text : rc_text(cmd->rc));
		return;
	}
	log_warn("tools", "store_failed", "rc=%s op=%d", rc_name(cmd->rc), (int)cmd->op);
	tool_refuse(c, "The store failed.");
}

int
store_tool_submit(struct tool_call *c, struct store_cmd *cmd, enum store_op op,
    void (*done)(struct store_cmd *cmd))
{
	const struct tool_env *env = tool_env(c);

	cmd->op = op;
	cmd->owner = env->owner;
	cmd->arena = tool_arena(c);
	cmd->done = done;
	return env->submit != NULL ? env->submit(env->submit_ctx, cmd) :
	    store_submit(env->store, env->shard, cmd, false);
}

/* ---- store_put -------------------------------------------------------------- */

static void
put_done(struct store_cmd *cmd)
{
	struct put *p = CONTAINER_OF(cmd, struct put, cmd.cmd);
	struct str words;

	if (cmd->rc != OK) {
		store_tool_refuse(p->call, cmd);
		return;
	}
	words = arena_fmt(tool_arena(p->call), "Stored \"%.*s\" in \"%.*s\".",
	    FMT(p->cmd.item.key), FMT(p->cmd.item.ns));
	tool_reply(p->call, words.p != NULL ? words : S("Stored."));
}

static int
put_read(struct tool_call *c, struct store_item *item, struct err *e)
{
	struct buf value = BUF(LIMIT_STORE_VALUE_BYTES);
	jnode args = tool_args(c);
	int rc = namespace_read(tool_arena(c), json_get(args, S("namespace")), false,
	    &item->ns, e);

	item->key = json_str(json_get(args, S("key")));
	if (rc == OK && (item->key.n == 0 || item->key.n > LIMIT_NAME_BYTES))
		rc = err_set(e, ERR_INVALID, "argument \"key\": expected 1 to %d bytes",
		    LIMIT_NAME_BYTES);
	if (rc == OK && str_index(item->key, '\0') >= 0)
		rc = err_set(e, ERR_INVALID, "argument \"key\": expected no U+0000");
	json_add_node(&value, json_get(args, S("value")));
	if (rc == OK && value.failed)
		rc = err_set(e, ERR_TOOBIG, "argument \"value\": longer than %d bytes",
		    LIMIT_STORE_VALUE_BYTES);
	item->value_json = arena_str(tool_arena(c), buf_str(&value));
	item->created = item->updated = tool_env(c)->now;
	item->ttl = ITEM_TTL_DEFAULT;
	buf_release(&value);
	return rc;
}

static int
put_start(struct tool_call *c)
{
	struct put *p = arena_new(tool_arena(c), struct put);
	struct err e = { 0 };

	if (p == NULL)
		return ERR_LIMIT;
	p->call = c;
	if (put_read(c, &p->cmd.item, &e) != OK) {
		tool_refuse(c, "%s", e.text);
		return OK;
	}
	if (tool_arena(c)->failed)
		return ERR_TOOBIG;
	return store_tool_submit(c, &p->cmd.cmd, STORE_ITEM_PUT, put_done);
}

const struct tool tool_store_put = {
	.name = "store_put",
	.description = "Remembers a JSON object under a namespace and a key, beyond this "
	    "conversation. An object that was there under the same key is replaced.",
	.parameters_json = "{\"type\":\"object\",\"properties\":{"
	    "\"namespace\":{\"type\":[\"array\",\"string\"],\"items\":{\"type\":\"string\"},"
	    "\"description\":\"Labels from general to special, as [\\\"users\\\",\\\"ann\\\"] "
	    "or \\\"users.ann\\\".\"},"
	    "\"key\":{\"type\":\"string\",\"description\":\"Name of the object.\"},"
	    "\"value\":{\"type\":\"object\",\"description\":\"What to remember.\"}},"
	    "\"required\":[\"namespace\",\"key\",\"value\"],\"additionalProperties\":false}",
	.idempotent = true,
	.start = put_start,
};

/* ---- store_search ------------------------------------------------------------ */

static void
add_namespace(struct buf *b, struct str ns)
{
	struct str label;

	buf_add_char(b, '[');
	while (str_next(&ns, '.', &label))
		json_add_fmt(b, ",%.*s", FMT(label));
	buf_add_char(b, ']');
}

static void
add_item(struct buf *b, const struct store_item *item)
{
	json_add_fmt(b, "{'namespace':");
	add_namespace(b, item->ns);
	json_add_fmt(b, ",'key':%.*s,'value':%-.*s,'updated_at':'", FMT(item->key),
	    FMT(item->value_json));
	clock_add_iso(b, item->updated);
	json_add_fmt(b, "'}");
}

/* Items that do not fit are left out whole, so that the JSON stays JSON. */
static void
search_reply(struct search *s)
{
	struct buf text = BUF(LIMIT_TOOL_RESULT_BYTES), item = BUF(LIMIT_TOOL_RESULT_BYTES);
	static const size_t tail = sizeof "],\"truncated\":true}";
	bool fits = true;

	json_add_fmt(&text, "{'items':[");
	for (size_t i = 0; i < s->cmd.items_n && fits; i++) {
		buf_clear(&item);
		add_item(&item, &s->cmd.items[i]);
		fits = !item.failed && text.n + item.n + tail < text.max;
		if (fits)
			json_add_fmt(&text, ",%-.*s", FMT(buf_str(&item)));
	}
	fits = fits && !s->cmd.truncated;
	buf_add(&text, fits ? S("]}") : S("],\"truncated\":true}"));
	assert(!text.failed);
	tool_reply(s->call, buf_str(&text));
	buf_release(&text);
	buf_release(&item);
}

static void
refresh_done(struct store_cmd *cmd)
{
	struct search *s = CONTAINER_OF(cmd, struct search, again.cmd);

	if (cmd->rc == OK)
		search_reply(s);
	else
		store_tool_refuse(s->call, cmd);
}

static void
search_done(struct store_cmd *cmd)
{
	struct search *s = CONTAINER_OF(cmd, struct search, cmd.cmd);
	bool refresh = false;

	if (cmd->rc != OK) {
		store_tool_refuse(s->call, cmd);
		return;
	}
	for (size_t i = 0; tool_env(s->call)->refresh && i < s->cmd.items_n; i++)
		refresh = refresh || store_item_refreshes(&s->cmd.items[i], s->cmd.now);
	s->again = (struct store_item_refresh){ .items = s->cmd.items,
	    .items_n = s->cmd.items_n, .now = s->cmd.now };
	if (!refresh || store_tool_submit(s->call, &s->again.cmd, STORE_ITEM_REFRESH, refresh_done) != OK)
		search_reply(s);
}

static int
search_start(struct tool_call *c)
{
	struct search *s = arena_new(tool_arena(c), struct search);
	jnode args = tool_args(c), limit = json_get(args, S("limit"));
	struct err e = { 0 };

	if (s == NULL)
		return ERR_LIMIT;
	s->call = c;
	s->cmd.now = tool_env(c)->now;
	s->cmd.query = json_str(json_get(args, S("query")));
	s->cmd.limit = json_is_null(limit) ? SEARCH_DEFAULT : (int64_t)json_number(limit);
	assert(s->cmd.limit > 0 && s->cmd.limit <= SEARCH_MAX);
	if (s->cmd.query.n > LIMIT_NAME_BYTES) {
		tool_refuse(c, "argument \"query\": longer than %d bytes", LIMIT_NAME_BYTES);
		return OK;
	}
	if (namespace_read(tool_arena(c), json_get(args, S("namespace")), true,
	    &s->cmd.ns, &e) != OK) {
		tool_refuse(c, "%s", e.text);
		return OK;
	}
	return store_tool_submit(c, &s->cmd.cmd, STORE_ITEM_SEARCH, search_done);
}

const struct tool tool_store_search = {
	.name = "store_search",
	.description = "Finds remembered objects under a namespace, newest first; with a "
	    "query those that fit it best, first.",
	.parameters_json = "{\"type\":\"object\",\"properties\":{"
	    "\"namespace\":{\"type\":[\"array\",\"string\"],\"items\":{\"type\":\"string\"},"
	    "\"description\":\"Its first labels, as [\\\"users\\\"] or \\\"users\\\"; [] for "
	    "everything.\"},"
	    "\"query\":{\"type\":\"string\",\"description\":\"What to look for.\"},"
	    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,"
	    "\"description\":\"At most so many; 10 if not given.\"}},"
	    "\"required\":[\"namespace\"],\"additionalProperties\":false}",
	.idempotent = true,
	.start = search_start,
};
