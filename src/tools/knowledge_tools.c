/*
 * knowledge_tools.c - knowledge_search: passages of documents, with marks to cite.
 *
 * The passages are items of the run's owner (docs/knowledge.md says under which
 * namespaces).  One counts when its source's record has its version: those of a document
 * that was replaced or removed meanwhile are left out, as is a text that is there already.
 *
 * A store without an embedding model wants all words of a query.  Questions have more
 * than passages, so a search that finds nothing is made again with fewer of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/tools_priv.h"

#include <assert.h>

#include "base/limits.h"
#include "knowledge/knowledge.h"
#include "store/items.h"

#define LIMIT_DEFAULT 5
#define LIMIT_MOST    20                     /* as in the schema below */
#define MORE          2                      /* times as many are asked for: some may not count */
#define SHORTER       8                      /* searches at most */

struct find {
	struct store_item_search cmd;
	struct tool_call *call;
	struct str collection;
	size_t limit;
	double min_score;
	int asked;
	struct knowledge_passage passages[LIMIT_MOST];
	size_t n;
	size_t bytes;
};

/* ---- what counts ---------------------------------------------------------------------- */

/* Has the source this version now? */
static bool
is_current(struct find *f, struct str source, struct str version)
{
	const struct tool_env *env = tool_env(f->call);
	struct arena *a = tool_arena(f->call);
	struct json_doc d = { 0 };
	struct store_item item;
	bool yes = false;

	if (source.n == 0 || source.n > LIMIT_NAME_BYTES || version.n == 0 || store_item_get(
	    env->reader, env->owner, arena_fmt(a, "knowledge.%.*s.sources", FMT(f->collection)),
	    source, env->now, a, &item) != OK)
		return false;
	if (json_parse(&d, item.value_json, NULL) == OK)
		yes = str_starts(json_str(json_get(d.root, S("hash"))), version);
	json_release(&d);
	return yes;
}

static bool
is_there(const struct find *f, struct str text)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->passages[i].text, text))
			return true;
	return false;
}

static unsigned
line_at(jnode lines, size_t i)
{
	int64_t n = json_is_int(json_at(lines, i)) ? json_int(json_at(lines, i)) : 0;

	return n > 0 && n <= UINT32_MAX ? (unsigned)n : 0;
}

static void
take_item(struct find *f, const struct store_item *item)
{
	struct arena *a = tool_arena(f->call);
	struct knowledge_passage *p = &f->passages[f->n];
	struct json_doc d = { 0 };
	jnode lines;

	if (json_parse(&d, item->value_json, NULL) != OK)
		return;
	lines = json_get(d.root, S("lines"));
	*p = (struct knowledge_passage){
		.source = arena_str(a, json_str(json_get(d.root, S("source")))),
		.heading = arena_str(a, json_str(json_get(d.root, S("heading")))),
		.version = arena_str(a, json_str(json_get(d.root, S("version")))),
		.text = arena_str(a, json_str(json_get(d.root, S("text")))),
		.n = json_is_int(json_get(d.root, S("n"))) ? json_int(json_get(d.root, S("n"))) : 0,
		.first = line_at(lines, 0), .last = line_at(lines, 1) };
	json_release(&d);
	f->bytes += p->text.n + p->text.n / 2 + KB;  /* with what stands around it */
	if (p->n > 0 && p->text.n > 0 && f->bytes < LIMIT_TOOL_RESULT_BYTES &&
	    !is_there(f, p->text) && is_current(f, p->source, p->version))
		f->n++;
}

/* ---- a call ------------------------------------------------------------------------------ */

static int find_ask(struct find *f);

static void
find_reply(struct find *f)
{
	struct buf b = BUF(2 * LIMIT_TOOL_RESULT_BYTES);

	knowledge_add_passages(&b, f->collection, f->passages, f->n);
	tool_reply(f->call, buf_str(&b));
	buf_release(&b);
}

/* Are there fewer words to ask with? */
static bool
find_shorten(struct find *f)
{
	struct buf b = BUF(LIMIT_FILTER_BYTES);
	bool yes = f->asked < SHORTER && knowledge_shorten(f->cmd.query, &b);

	if (yes)
		f->cmd.query = arena_str(tool_arena(f->call), buf_str(&b));
	buf_release(&b);
	return yes;
}

static void
find_done(struct store_cmd *cmd)
{
	struct find *f = CONTAINER_OF(cmd, struct find, cmd.cmd);

	if (cmd->rc != OK) {
		store_tool_refuse(f->call, cmd);
		return;
	}
	for (size_t i = 0; i < f->cmd.items_n && f->n < f->limit; i++)
		if (!f->cmd.items[i].has_score || f->cmd.items[i].score >= f->min_score)
			take_item(f, &f->cmd.items[i]);
	if (f->n == 0 && f->cmd.items_n == 0 && find_shorten(f)) {
		if (find_ask(f) != OK)
			tool_refuse(f->call, "The store is busy; try again later.");
	} else {
		find_reply(f);
	}
}

static int
find_ask(struct find *f)
{
	struct store_item_search *x = &f->cmd;

	f->asked++;
	*x = (struct store_item_search){ .query = x->query, .now = tool_env(f->call)->now,
	    .ns = arena_fmt(tool_arena(f->call), "knowledge.%.*s.chunks", FMT(f->collection)),
	    .filter_json = S("{}"), .limit = (int64_t)f->limit * MORE };
	return tool_arena(f->call)->failed ? ERR_TOOBIG :
	    store_tool_submit(f->call, &x->cmd, STORE_ITEM_SEARCH, find_done);
}

static int
find_start(struct tool_call *c)
{
	struct find *f = arena_new(tool_arena(c), struct find);
	jnode args = tool_args(c), limit = json_get(args, S("limit"));
	jnode collection = json_get(args, S("collection"));
	struct err e = { 0 };

	if (f == NULL)
		return ERR_LIMIT;
	f->call = c;
	f->limit = json_is_null(limit) ? LIMIT_DEFAULT : (size_t)json_number(limit);
	f->min_score = json_number(json_get(args, S("min_score")));
	f->collection = json_is_null(collection) ? S("default") : json_str(collection);
	f->cmd.query = str_trim(json_str(json_get(args, S("query"))));
	assert(f->limit > 0 && f->limit <= LIMIT_MOST);
	if (f->cmd.query.n == 0 || f->cmd.query.n > LIMIT_NAME_BYTES) {
		tool_refuse(c, "argument \"query\": expected 1 to %d bytes", LIMIT_NAME_BYTES);
		return OK;
	}
	if (knowledge_check_collection(f->collection, &e) != OK) {
		tool_refuse(c, "argument \"collection\": %s", e.text);
		return OK;
	}
	return find_ask(f);
}

const struct tool tool_knowledge_search = {
	.name = "knowledge_search",
	.description = "Finds passages of documents about something. Each has a mark, by which "
	    "an answer cites it.",
	.parameters_json = "{\"type\":\"object\",\"properties\":{"
	    "\"query\":{\"type\":\"string\",\"description\":\"What to look for: a few words that "
	    "the passage would have.\"},"
	    "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":20,"
	    "\"description\":\"At most so many; 5 if not given.\"},"
	    "\"collection\":{\"type\":\"string\",\"description\":\"Which documents; \\\"default\\\" "
	    "if not given.\"},"
	    "\"min_score\":{\"type\":\"number\",\"description\":\"Leave out what fits less.\"}},"
	    "\"required\":[\"query\"],\"additionalProperties\":false}",
	.idempotent = true,
	.start = find_start,
	.group = "knowledge",
};
