/*
 * compare.c - see compare.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/compare.h"

#include <string.h>

#include "agent/agent.h"
#include "base/id.h"
#include "base/mem.h"
#include "main/pages.h"

void
compare_release(struct compare *c)
{
	free(c->pairs);
	*c = (struct compare){ 0 };
}

/* ---- values ----------------------------------------------------------------------- */

static bool
pair_is(struct compare *c, const char *a, const char *b)
{
	for (size_t i = 0; i < c->n; i++) {
		bool left = memcmp(c->pairs[i].recorded, a, UUID_TEXT) == 0;
		bool right = memcmp(c->pairs[i].replayed, b, UUID_TEXT) == 0;

		if (left || right)
			return left && right;
	}
	mem_grow(c->pairs, c->n, c->cap);
	memcpy(c->pairs[c->n].recorded, a, UUID_TEXT);
	memcpy(c->pairs[c->n++].replayed, b, UUID_TEXT);
	return true;
}

static bool
uuid_at(struct str s, size_t at)
{
	struct uuid id;

	return s.n - at >= UUID_TEXT && uuid_parse(str_sub(s, at, UUID_TEXT), &id);
}

static bool
texts_same(struct compare *c, struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; ) {
		if (a.p[i] == b.p[i]) {
			i++;
		} else {
			/* UUIDs of one moment begin alike. */
			size_t from = i;

			while (from > 0 && i - from < UUID_TEXT && !(uuid_at(a, from) &&
			    uuid_at(b, from)))
				from--;
			if (!uuid_at(a, from) || !uuid_at(b, from) ||
			    from + UUID_TEXT <= i || !pair_is(c, a.p + from, b.p + from))
				return false;
			i = from + UUID_TEXT;
		}
	}
	return true;
}

static bool
objects_same(struct compare *c, struct val a, struct val b)
{
	for (size_t i = 0; i < val_count(a); i++)
		if (!compare_values(c, val_member(a, i), val_get(b, val_key(a, i))))
			return false;
	return val_count(a) == val_count(b);
}

bool
compare_values(struct compare *c, struct val a, struct val b)
{
	if (a.kind != b.kind)
		return val_is_number(a) && val_is_number(b) && val_equal(a, b);
	switch (a.kind) {
	case VAL_STRING:
		return texts_same(c, val_str(a), val_str(b));
	case VAL_OBJECT:
		return objects_same(c, a, b);
	case VAL_ARRAY:
		for (size_t i = 0; i < val_count(a); i++)
			if (!compare_values(c, val_at(a, i), val_at(b, i)))
				return false;
		return val_count(a) == val_count(b);
	default:
		return val_equal(a, b);
	}
}

/* ---- entries ------------------------------------------------------------------------- */

/* What is compared of each kind beside node and task. */
static const struct { const char *kind, *names[5]; } kinds[] = {
	{ "entered", { "state" } },
	{ "exited", { "state" } },
	{ "transition", { "event", "from", "to" } },
	{ "event-dropped", { "event", "why" } },
	{ "request", { "model", "key" } },
	{ "tool_call", { "call_id", "name", "args" } },
	{ "checkpoint", { "checkpoint_id", "step", "source" } },
	{ "interrupt", { "interrupt_id", "key", "value" } },
	{ "error", { "event", "name", "message" } },
	{ "message", { "direction" } },      /* ids and times are its own */
	{ "run_end", { "status" } },
};

static size_t
row_of(struct val entry)
{
	size_t i = 0;

	while (i < COUNT(kinds) && !entry_is(entry, kinds[i].kind))
		i++;
	return i;
}

bool
compare_counts(struct val entry)
{
	return row_of(entry) < COUNT(kinds);
}

static bool
member_same(struct compare *c, struct val a, struct val b, const char *name)
{
	return compare_values(c, val_get(a, str_of(name)), val_get(b, str_of(name)));
}

/* How many messages an item of a request's list stands for. */
static size_t
stands_for(struct val item)
{
	struct val from = val_get(item, S("from")), to = val_get(item, S("to"));

	return from.kind == VAL_INT && to.kind == VAL_INT ? (size_t)(to.u.i - from.u.i) : 1;
}

static size_t
count_messages(struct val list)
{
	size_t n = 0;

	for (size_t i = 0; i < val_count(list); i++)
		n += stands_for(val_at(list, i));
	return n;
}

static bool
is_whole(struct val message)
{
	return !val_has(message, S("from")) && !val_has(message, S("as_before"));
}

/* A message may be there whole in one list and be named in the other, where it was
 * there before: those that are whole in both are compared. */
static bool
messages_same(struct compare *c, struct val a, struct val b)
{
	size_t i = val_count(a), k = val_count(b);

	if (count_messages(a) != count_messages(b))
		return false;
	for (; i > 0 && k > 0 && stands_for(val_at(a, i - 1)) == 1 &&
	    stands_for(val_at(b, k - 1)) == 1; i--, k--)
		if (is_whole(val_at(a, i - 1)) && is_whole(val_at(b, k - 1)) &&
		    !compare_values(c, val_at(a, i - 1), val_at(b, k - 1)))
			return false;
	return true;
}

/* The names of tools, without those of MCP servers, whose lists only they know. */
static struct val
own_tools(struct val params)
{
	struct val tools = val_get(params, S("tools")), own = val_array_empty();
	struct str server, tool;

	for (size_t i = 0; i < val_count(tools); i++) {
		struct val name = val_at(tools, i);

		if (name.kind != VAL_STRING || !agent_mcp_split(val_str(name), &server, &tool) ||
		    str_eq(server, S("event")))
			own = val_push_take(own, val_ref(name));
	}
	return own;
}

static bool
params_same(struct compare *c, struct val a, struct val b)
{
	struct val was, now;
	bool same;

	if (a.kind != VAL_OBJECT || b.kind != VAL_OBJECT)
		return compare_values(c, a, b);
	was = val_ref(a);
	now = val_ref(b);
	was = val_set_take(was, S("tools"), own_tools(a));
	now = val_set_take(now, S("tools"), own_tools(b));
	same = compare_values(c, was, now);
	val_drop(was);
	val_drop(now);
	return same;
}

static bool
requests_same(struct compare *c, struct val a, struct val b)
{
	struct val was = val_get(a, S("system")), now = val_get(b, S("system"));
	bool whole = was.kind == VAL_STRING && now.kind == VAL_STRING;

	return (!whole || compare_values(c, was, now)) &&
	    params_same(c, val_get(a, S("params")), val_get(b, S("params"))) &&
	    messages_same(c, val_get(a, S("messages")), val_get(b, S("messages")));
}

bool
compare_entries(struct compare *c, struct val a, struct val b)
{
	size_t row = row_of(a);

	if (row != row_of(b) || !member_same(c, a, b, "node") ||
	    !member_same(c, a, b, "task"))
		return false;
	for (size_t i = 0; i < COUNT(kinds[row].names) && kinds[row].names[i] != NULL; i++)
		if (!member_same(c, a, b, kinds[row].names[i]))
			return false;
	return !entry_is(a, "request") || requests_same(c, a, b);
}

/* ---- attempts -------------------------------------------------------------------------- */

/* An entry that another one of the same task ends. */
static const struct { const char *begins, *ends, *by; } pairs[] = {
	{ "entered", "exited", "state" }, { "request", "answer", "call" },
	{ "tool_call", "tool_result", "call_id" },
};

static bool
ends(struct val begin, struct val end, size_t pair)
{
	return (entry_is(end, pairs[pair].ends) &&
	    val_equal(val_get(begin, str_of(pairs[pair].by)),
	    val_get(end, str_of(pairs[pair].by))) ? true : entry_is(end, "error")) &&
	    val_equal(val_get(begin, S("task")), val_get(end, S("task")));
}

/* Was it under way when its attempt was cut off? */
static bool
is_open(struct val *entries, size_t n, size_t at)
{
	size_t pair = 0;
	bool cut = false;

	while (pair < COUNT(pairs) && !entry_is(entries[at], pairs[pair].begins))
		pair++;
	if (pair == COUNT(pairs) || !val_has(entries[at], S("task")))
		return false;
	for (size_t i = at + 1; i < n && !cut; i++) {
		if (ends(entries[at], entries[i], pair))
			return false;
		cut = entry_is(entries[i], "run_start");
	}
	return cut;
}

size_t
compare_settle(struct val *entries, size_t n)
{
	struct val *open = mem_alloc((n + 1) * sizeof *open);
	bool *is = mem_zero((n + 1) * sizeof *is);
	size_t kept = 0, opened = 0;

	for (size_t i = 0; i < n; i++)
		is[i] = is_open(entries, n, i);
	for (size_t i = 0; i < n; i++)
		if (is[i])
			open[opened++] = entries[i];
		else
			entries[kept++] = entries[i];
	for (size_t i = 0; i < opened; i++)
		entries[kept + i] = open[i];
	free(open);
	free(is);
	return kept;
}
