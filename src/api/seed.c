/*
 * seed.c - a thread that is created with a history: supersteps of updates, each as
 * if its nodes had returned the values.
 *
 *   supersteps: [{updates: [{values, as_node, command?: {update}}, ...]}, ...]
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <stdio.h>

#include "agent/agent.h"
#include "base/scan.h"

struct seed {
	struct update_step *steps;
	size_t steps_n;
	size_t updates_n;                    /* of all steps so far */
};

static const char *
path_of(struct call *c, size_t step, size_t update, const char *name)
{
	return arena_fmt(&c->r->arena, "supersteps[%zu].updates[%zu]%s", step, update,
	    name).p;
}

/* A command's update stands for values; the rest of one belongs to runs. */
static jnode
values_of(struct call *c, size_t step, size_t i, jnode update)
{
	jnode command = json_get(update, S("command"));
	const char *path = path_of(c, step, i, ".command");

	if (json_is_null(command) || path == NULL)
		return json_get(update, S("values"));
	if (!json_is_object(command))
		fields_fail(c->in, path, ERR_INVALID, "expected an object, got %s",
		    json_kind(command));
	else if (!json_is_null(json_get(command, S("resume"))) ||
	    !json_is_null(json_get(command, S("goto"))))
		fields_fail(c->in, path, ERR_INVALID, "only update can be given here; "
		    "resume and goto belong to runs");
	return json_get(command, S("update"));
}

static void
update_read(struct call *c, size_t step, size_t i, jnode n, struct update_write *w)
{
	jnode node = json_get(n, S("as_node")), values;
	const char *path = path_of(c, step, i, "");

	w->path = path_of(c, step, i, ".values");
	w->node_path = path_of(c, step, i, ".as_node");
	if (w->path == NULL || w->node_path == NULL || path == NULL) {
		fields_fail(c->in, "supersteps", ERR_TOOBIG, "too large");
		return;
	}
	if (!json_is_object(n)) {
		fields_fail(c->in, path, ERR_INVALID, "expected an object, got %s",
		    json_kind(n));
		return;
	}
	values = values_of(c, step, i, n);
	call_check_values(c, w->path, values);
	if (!json_is_string(node) || json_str(node).n == 0)
		fields_fail(c->in, w->node_path, ERR_INVALID, "expected a node's name, "
		    "got %s", node == NULL ? "nothing" : json_is_string(node) ?
		    "an empty string" : json_kind(node));
	w->as_node = arena_str(&c->r->arena, json_str(node));
	(void)call_val(c, w->path, values, &w->values);
}

static void
step_read(struct call *c, struct seed *s, size_t step, jnode n)
{
	jnode updates = json_get(n, S("updates"));
	struct json_iter it = json_each(updates);
	struct update_write *all;
	char place[64];

	snprintf(place, sizeof place, "supersteps[%zu]%s", step,
	    json_is_object(n) ? ".updates" : "");
	if (!json_is_object(n))
		fields_fail(c->in, place, ERR_INVALID, "expected an object with updates, "
		    "got %s", json_kind(n));
	else if (!json_is_array(updates) || json_count(updates) == 0)
		fields_fail(c->in, place, ERR_INVALID, "expected an array of updates, got "
		    "%s", updates == NULL ? "nothing" : json_is_array(updates) ?
		    "an empty one" : json_kind(updates));
	s->updates_n += json_count(updates);
	if (s->updates_n > LIMIT_UPDATES)
		fields_fail(c->in, "supersteps", ERR_INVALID, "more than %d updates",
		    LIMIT_UPDATES);
	if (c->in->rc != OK)
		return;
	all = arena_zero(&c->r->arena, json_count(updates) * sizeof *all);
	for (size_t i = 0; all != NULL && c->in->rc == OK && json_next(&it); i++) {
		update_read(c, step, i, it.value, &all[i]);
		s->steps[step] = (struct update_step){ all, i + 1 };
	}
	s->steps_n = step + 1;
}

static void
steps_read(struct call *c, struct seed *s, jnode n)
{
	struct json_iter it = json_each(n);

	*s = (struct seed){ 0 };
	if (!json_is_array(n))
		fields_fail(c->in, "supersteps", ERR_INVALID, "expected an array, got %s",
		    json_kind(n));
	if (json_count(n) > LIMIT_UPDATES)
		fields_fail(c->in, "supersteps", ERR_INVALID, "expected at most %d, got "
		    "%zu", LIMIT_UPDATES, json_count(n));
	if (c->in->rc != OK)
		return;
	s->steps = arena_zero(&c->r->arena, json_count(n) * sizeof *s->steps);
	for (size_t i = 0; s->steps != NULL && c->in->rc == OK && json_next(&it); i++)
		step_read(c, s, i, it.value);
	if (c->r->arena.failed)
		fields_fail(c->in, "supersteps", ERR_TOOBIG, "too large");
}

static void
seed_release(struct seed *s)
{
	for (size_t i = 0; i < s->steps_n; i++)
		for (size_t k = 0; k < s->steps[i].n; k++)
			val_drop(s->steps[i].at[k].values);
}

static int
seed_make(struct call *c, const struct seed *s, struct str metadata)
{
	struct store_thread t = { .metadata_json = metadata };
	struct update_request q = { .graph_id = api_thread_graph(&t),
	    .thread_id = c->op.thread_create.t.id, .reader = c->api->reader,
	    .owner = c->owner, .ns = STR_NONE, .steps = s->steps,
	    .steps_n = s->steps_n, .now = shard_wall(c->api->shard) };

	if (q.graph_id.n == 0)
		return err_set(&c->err, ERR_SYNTAX, "metadata.graph_id: expected the graph "
		    "that supersteps are of, got nothing");
	q.agent = api_thread_agent(c, &t);
	if (q.agent == NULL)
		return err_set(&c->err, ERR_NOTFOUND, "metadata.graph_id: Graph '%.*s' not "
		    "found", FMT(param_shown(q.graph_id)));
	if (q.agent->hosted == NULL)
		return update_new(&c->update, &q, &c->err);
	c->seed = graph_state_steps(c, s->steps, s->steps_n);
	return c->seed.n > 0 ? OK : err_set(&c->err, ERR_TOOBIG, "supersteps: too large");
}

int
call_read_seed(struct call *c, struct str metadata_json)
{
	jnode n = fields_any(c->in, "supersteps");
	struct seed s;
	int rc;

	if (json_is_null(n) || (json_is_array(n) && json_count(n) == 0))
		return c->in->rc;
	steps_read(c, &s, n);
	rc = c->in->rc;
	if (rc == OK)
		rc = seed_make(c, &s, metadata_json);
	seed_release(&s);
	return rc;
}
