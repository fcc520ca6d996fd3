/*
 * known.c - the members that bodies about tasks may have: a misspelt one is refused by its
 * name, whoever reads the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>

#include "worker/desk.h"

#define MEMBERS_MAX 12

/* The members of an object; of an operation, those of this `op`. */
struct known { const char *op; const char *members[MEMBERS_MAX]; };

static const struct known events[] = { { NULL, { "events" } }, { NULL, { NULL } } };
static const struct known event[] = { { NULL, { "n", "ns", "mode", "data" } }, { NULL, { NULL } } };
static const struct known saver[] = {
	{ "get", { "op", "ns", "id" } },
	{ "list", { "op", "ns", "id", "before", "limit", "filter" } },
	{ "put", { "op", "ns", "id", "parent_id", "checkpoint", "metadata", "versions", "blobs",
	    "view" } },
	{ "writes", { "op", "groups" } },
	{ "delete_thread", { "op" } },
	{ NULL, { NULL } },
};
static const struct known group[] = {
	{ NULL, { "ns", "id", "task_id", "task_path", "writes", "interrupts" } },
	{ NULL, { NULL } },
};
static const struct known store[] = { { NULL, { "ops" } }, { NULL, { NULL } } };
static const struct known item[] = {
	{ "get", { "op", "namespace", "key" } },
	{ "put", { "op", "namespace", "key", "value", "index", "ttl" } },
	{ "search", { "op", "namespace", "filter", "query", "limit", "offset" } },
	{ "namespaces", { "op", "prefix", "suffix", "max_depth", "limit", "offset" } },
	{ NULL, { NULL } },
};
static const struct known end[] = {
	{ NULL, { "status", "view", "output", "error", "checkpoint" } },
	{ NULL, { NULL } },
};

/* The bodies of a verb, and the objects in their list. */
static const struct {
	const struct known *body;
	const char *list;
	const struct known *each;
} verbs[] = {
	[WORKER_EVENTS] = { events, "events", event },
	[WORKER_SAVER] = { saver, "groups", group },
	[WORKER_STORE] = { store, "ops", item },
	[WORKER_END] = { end, NULL, NULL },
};

static bool
is_known(const struct known *k, struct str name)
{
	for (size_t i = 0; i < MEMBERS_MAX && k->members[i] != NULL; i++)
		if (str_eq(str_of(k->members[i]), name))
			return true;
	return false;
}

/* The row of this object; NULL: its `op` is wrong, which its reader tells. */
static const struct known *
row_of(const struct known *k, jnode object)
{
	struct str op = json_str(json_get(object, S("op")));

	while (k->op != NULL && !str_eq(str_of(k->op), op))
		k++;
	return k->members[0] != NULL ? k : NULL;
}

/* at: where the object is, with a dot; more: a further member that it may have. */
static int
check_object(const struct known *rows, jnode object, const char *at, struct str more,
    struct err *e)
{
	const struct known *k = row_of(rows, object);
	struct json_iter it = json_each(object);

	while (k != NULL && json_is_object(object) && json_next(&it)) {
		struct str name = json_str(it.key);

		if (!is_known(k, name) && !(more.n > 0 && str_eq(more, name)))
			return err_set(e, ERR_INVALID, "%s%.*s: not a field of %s%s%s", at,
			    FMT(str_cut(name, 64)), k->op != NULL ? "the operation \"" : "this",
			    k->op != NULL ? k->op : " object", k->op != NULL ? "\"" : "");
	}
	return OK;
}

int
worker_body_check(enum worker_verb verb, jnode body, bool named, struct err *e)
{
	struct json_iter it;
	char at[32];
	size_t i = 0;
	int rc;

	assert(verb < COUNT(verbs));
	rc = check_object(verbs[verb].body, body, "", named ? S("thread_id") : STR_NONE, e);
	if (rc < 0 || verbs[verb].list == NULL)
		return rc;
	it = json_each(json_get(body, str_of(verbs[verb].list)));
	if (verb != WORKER_SAVER && !json_is_array(it.container))
		return err_set(e, ERR_INVALID, "%s: expected an array, got %s",
		    verbs[verb].list, json_kind(it.container));
	if (verb == WORKER_EVENTS && json_count(it.container) > LIMIT_WORKER_EVENTS)
		return err_set(e, ERR_INVALID, "events: expected at most %d, got %zu",
		    LIMIT_WORKER_EVENTS, json_count(it.container));
	while (rc == OK && json_is_array(it.container) && json_next(&it)) {
		snprintf(at, sizeof at, "%s[%zu].", verbs[verb].list, i++);
		rc = check_object(verbs[verb].each, it.value, at, STR_NONE, e);
	}
	return rc;
}
