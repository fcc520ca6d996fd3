/*
 * definition.c - see definition_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/definition_priv.h"

#include "base/id.h"
#include "base/limits.h"
#include "run/run_priv.h"
#include "task/kinds.h"

/* Checked against the official value for "agent" by a unit test. */
static const struct uuid graph_namespace = { {
	0x6b, 0xa7, 0xb8, 0x21, 0x9d, 0xad, 0x11, 0xd1,
	0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8
} };

struct uuid
runs_assistant_id(struct str graph_id)
{
	return uuid_v5(&graph_namespace, graph_id);
}

struct definition
definition_hold(const struct definition *d)
{
	return (struct definition){ d->set != NULL ? agents_hold(d->set) : NULL,
	    d->agent };
}

void
definition_drop(struct definition *d)
{
	agents_free(d->set);
	*d = (struct definition){ 0 };
}

int
definition_current(struct definition *out, const struct runs *rs, struct str id,
    struct err *e)
{
	*out = (struct definition){ .agent = agents_find(rs->agents, id) };
	if (out->agent == NULL)
		return err_set(e, ERR_INVALID, "assistant: no graph is called \"%.*s\"",
		    FMT(str_sub(id, 0, 64)));
	out->set = agents_hold(rs->agents);
	return OK;
}

/* ---- earlier ones ----------------------------------------------------------- */

void
definitions_release(struct definitions *x)
{
	for (size_t i = 0; i < DEFINITIONS_OLD; i++)
		agents_free(x->at[i]);
}

/* The agent of that hash in a set; NULL: it is not there. */
static const struct agent *
agent_of(const struct agents *set, struct str id, struct str hash)
{
	const struct agent *a = set != NULL ? agents_find(set, id) : NULL;

	return a != NULL && str_eq(agents_hash(set, a), hash) ? a : NULL;
}

static bool
find_old(struct definition *out, const struct definitions *old, struct str id,
    struct str hash)
{
	for (size_t i = 0; i < DEFINITIONS_OLD; i++) {
		const struct agent *a = agent_of(old->at[i], id, hash);

		if (a != NULL) {
			*out = (struct definition){ agents_hold(old->at[i]), a };
			return true;
		}
	}
	return false;
}

static int
read_old(struct definition *out, struct runs *rs, struct str id, struct str hash,
    struct err *e)
{
	struct definitions *old = &rs->definitions;
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct agents *set = NULL;
	struct store_agent row;
	struct err why = { 0 };
	int rc = store_agent_get(rs->reader, hash, &a, &row);

	if (rc == OK)
		rc = agents_read(&set, row.body, &task_kinds, &why);
	arena_release(&a);
	if (rc == OK && agent_of(set, id, hash) == NULL) {
		agents_free(set);
		rc = err_set(&why, ERR_INVALID, "the text has another meaning now");
	}
	if (rc != OK)
		return err_set(e, rc == ERR_IO ? rc : ERR_INVALID, "the version of \"%.*s\" "
		    "that this began with cannot be read any more%s%s",
		    FMT(str_sub(id, 0, 64)), why.text[0] != '\0' ? ": " : "", why.text);
	agents_set_kept(set, agents_find(set, id));
	agents_free(old->at[old->next]);
	old->at[old->next] = set;
	old->next = (old->next + 1) % DEFINITIONS_OLD;
	*out = (struct definition){ agents_hold(set), agents_find(set, id) };
	return OK;
}

int
definition_of_hash(struct definition *out, struct runs *rs, struct str id,
    struct str hash, struct err *e)
{
	const struct agent *current = agent_of(rs->agents, id, hash);

	*out = (struct definition){ 0 };
	if (hash.n == 0)
		return definition_current(out, rs, id, e);
	if (current != NULL) {
		*out = (struct definition){ agents_hold(rs->agents), current };
		return OK;
	}
	if (find_old(out, &rs->definitions, id, hash))
		return OK;
	return read_old(out, rs, id, hash, e);
}

/* ---- of what waits ------------------------------------------------------------ */

/* What comes behind a run that is under way goes on where that one stops. */
bool
definition_goes_on(const struct store_thread *t)
{
	return t->status == THREAD_INTERRUPTED || t->status == THREAD_BUSY;
}

int
definition_of_thread(struct definition *out, struct runs *rs, owner_t owner,
    const struct store_thread *t, struct str id, struct err *e)
{
	static const struct uuid head;
	struct arena a = ARENA(THREAD_ARENA);
	struct str hash = STR_NONE;
	struct store_state st;
	struct store_run run;
	int rc;

	/* A run that was deleted is as one of an earlier program: nothing tells. */
	if (store_state_get(rs->reader, owner, t->seq, STR_NONE, &head, 0, &a, &st) == OK &&
	    store_run_get(rs->reader, owner, &st.c.run_id, &a, &run) == OK &&
	    str_eq(run.graph_id, id))
		hash = run.agent_hash;
	rc = definition_of_hash(out, rs, id, hash, e);
	arena_release(&a);
	return rc;
}

/* The shard keeps it: as current, or among its earlier ones. */
const struct agent *
runs_thread_agent(struct runs *rs, owner_t owner, const struct store_thread *t,
    struct str graph_id)
{
	struct definition d;
	const struct agent *a;
	struct err e;

	if (!definition_goes_on(t) ||
	    definition_of_thread(&d, rs, owner, t, graph_id, &e) != OK)
		return runs_agent(rs, graph_id);
	a = d.agent;
	definition_drop(&d);
	return a;
}
