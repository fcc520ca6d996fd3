/*
 * tools.c - the registry, and the life of a call.
 *
 * A call owns its parsed arguments and an arena.  What a tool needs while it
 * waits (a command for the store) is in the arena and is freed by the answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tools/tools_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define ARENA_BYTES ((size_t)LIMIT_STORE_VALUE_BYTES * 4)
#define NAMES_MAX   256                      /* of the tools listed to a model */
#define NAME_SHOWN  64                       /* of a tool that does not exist */
#define SCHEMA_BYTES (64 * KB)

struct entry {
	const struct tool *tool;
	struct json_doc schema;              /* its arguments are checked against */
	struct buf shown;                    /* to models */
};

struct tools {
	struct entry *at;
	size_t n, cap;
};

struct tool_call {
	const struct tool *tool;             /* NULL: there is none */
	struct tool_env env;
	tool_done *done;
	void *ctx;
	struct json_doc args;
	struct arena arena;
};

/* ---- the registry ----------------------------------------------------------- */

static int
current_time_start(struct tool_call *c)
{
	char iso[CLOCK_ISO_SIZE];

	clock_write_iso(iso, tool_env(c)->now);
	tool_reply(c, (struct str){ iso, sizeof iso });
	return OK;
}

static const struct tool current_time = {
	.name = "current_time",
	.description = "Tells the current date and time in UTC (ISO 8601).",
	.parameters_json = "{\"type\":\"object\",\"properties\":{},"
	    "\"additionalProperties\":false}",
	.idempotent = true,
	.start = current_time_start,
};

struct tools *
tools_new(void)
{
	struct tools *t = mem_new(struct tools);

	tools_add(t, &current_time);
	tools_add(t, &tool_store_put);
	tools_add(t, &tool_store_search);
	tools_add(t, &tool_calculate);
	tools_add(t, &tool_http_get);
	tools_add(t, &tool_run_agent);
	tools_add(t, &tool_knowledge_search);
	return t;
}

void
tools_free(struct tools *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++) {
		json_release(&t->at[i].schema);
		buf_release(&t->at[i].shown);
	}
	free(t->at);
	free(t);
}

void
tools_add(struct tools *t, const struct tool *tool)
{
	struct entry entry = { .tool = tool, .shown = BUF(SCHEMA_BYTES) };
	struct err e = { 0 };
	int rc;

	assert(tool->start != NULL && tool->description != NULL);
	assert(tools_find(t, str_of(tool->name)) == NULL);
	rc = json_parse(&entry.schema, str_of(tool->parameters_json), &e);
	if (rc == OK && schema_is_bare(entry.schema.root)) {
		json_release(&entry.schema);
		rc = json_parse(&entry.schema, str_of(schema_no_arguments), &e);
	}
	if (rc == OK)
		rc = args_schema_valid(entry.schema.root, &e);
	if (rc != OK)
		log_error("tools", "bad_schema", "tool=%s error=%s", tool->name, e.text);
	assert(rc == OK);
	schema_add_common(&entry.shown, entry.schema.root);
	assert(!entry.shown.failed);
	mem_grow(t->at, t->n, t->cap);
	t->at[t->n++] = entry;
}

static const struct entry *
find(const struct tools *t, struct str name)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(str_of(t->at[i].tool->name), name))
			return &t->at[i];
	return NULL;
}

const struct tool *
tools_find(const struct tools *t, struct str name)
{
	const struct entry *entry = find(t, name);

	return entry != NULL ? entry->tool : NULL;
}

struct str
tools_schema(const struct tools *t, const struct tool *tool)
{
	const struct entry *entry = find(t, str_of(tool->name));

	assert(entry != NULL && entry->tool == tool);
	return buf_str(&entry->shown);
}

size_t
tools_count(const struct tools *t)
{
	return t->n;
}

const struct tool *
tools_at(const struct tools *t, size_t i)
{
	assert(i < t->n);
	return t->at[i].tool;
}

/* ---- a call ------------------------------------------------------------------ */

const struct tool *
tool_of(const struct tool_call *c)
{
	return c->tool;
}

jnode
tool_args(const struct tool_call *c)
{
	return c->args.root;
}

const struct tool_env *
tool_env(const struct tool_call *c)
{
	return &c->env;
}

struct arena *
tool_arena(struct tool_call *c)
{
	return &c->arena;
}

static void
answer(struct tool_call *c, bool ok, struct str content)
{
	const struct tool_result r = { .ok = ok, .content = content };

	c->done(c->ctx, &r);
	json_release(&c->args);
	arena_release(&c->arena);
	free(c);
}

void
tool_reply(struct tool_call *c, struct str content)
{
	struct buf shorter = BUF(LIMIT_TOOL_RESULT_BYTES);
	char note[96];
	int n;

	if (content.n <= LIMIT_TOOL_RESULT_BYTES) {
		answer(c, true, content);
		return;
	}
	n = snprintf(note, sizeof note, "\n[cut: %zu bytes, the limit is %d]",
	    content.n, LIMIT_TOOL_RESULT_BYTES);
	buf_add(&shorter, str_cut(content, LIMIT_TOOL_RESULT_BYTES - (size_t)n));
	buf_add(&shorter, str_of(note));
	assert(!shorter.failed);
	answer(c, true, buf_str(&shorter));
	buf_release(&shorter);
}

void
tool_refuse(struct tool_call *c, const char *format, ...)
{
	char words[sizeof ((struct err *)NULL)->text];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	assert(n > 0);
	answer(c, false, str_cut((struct str){ words, (size_t)n }, sizeof words - 1));
}

static void
refuse_unknown(const struct tools *t, struct tool_call *c, struct str name)
{
	struct buf names = BUF(NAMES_MAX);

	for (size_t i = 0; i < t->n; i++)
		buf_add_fmt(&names, "%s%s", i > 0 ? ", " : "", t->at[i].tool->name);
	name = str_cut(name, NAME_SHOWN);
	tool_refuse(c, "There is no tool named \"%.*s\". The tools are: %.*s.",
	    FMT(name), FMT(buf_str(&names)));
	buf_release(&names);
}

static int
read_args(const struct entry *entry, struct json_doc *out, struct str args_json,
    struct err *e)
{
	struct err why;
	int rc;

	if (str_trim(args_json).n == 0)
		args_json = S("{}");
	rc = json_parse(out, args_json, &why);
	if (rc != OK)
		return err_set(e, rc, "The arguments are not valid JSON: %s", why.text);
	return args_check(entry->schema.root, out->root, e);
}

int
tools_read_args(const struct tools *t, const struct tool *tool, struct str args_json,
    struct json_doc *out, struct err *e)
{
	const struct entry *entry = find(t, str_of(tool->name));

	assert(entry != NULL && entry->tool == tool);
	return read_args(entry, out, args_json, e);
}

void
tools_call(const struct tools *t, struct str name, struct str args_json,
    const struct tool_env *env, tool_done *done, void *ctx)
{
	const struct entry *entry = find(t, name);
	struct tool_call *c = mem_new(struct tool_call);
	struct err e = { 0 };
	int rc;

	c->tool = entry != NULL ? entry->tool : NULL;
	c->env = *env;
	c->done = done;
	c->ctx = ctx;
	c->arena = ARENA(ARENA_BYTES);
	if (entry == NULL) {
		refuse_unknown(t, c, name);
		return;
	}
	if (read_args(entry, &c->args, args_json, &e) != OK) {
		tool_refuse(c, "%s", e.text);
		return;
	}
	rc = entry->tool->start(c);
	if (rc != OK)
		tool_refuse(c, "%s: %s", entry->tool->name, rc_text(rc));
}
