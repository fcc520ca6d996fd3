/*
 * update.c - see update.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/update.h"

#include <stdio.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/scan.h"
#include "run/changes_priv.h"
#include "run/child.h"
#include "run/edit_priv.h"
#include "run/saved_priv.h"
#include "state/message.h"

struct update {
	const struct update_request *q;      /* while it is made */
	const struct agent *agent;           /* of the namespace */
	struct core_request request;
	struct changes changes;
	struct store_changes rows;
	struct uuid head, newest;
	bool ended;                          /* nothing comes next on the thread */
};

/* ---- the core's effects ----------------------------------------------------------- */

static struct uuid
on_new_id(void *ctx, struct str ns, int step)
{
	(void)ns;
	(void)ctx;
	return uuid_v6((unsigned)step);
}

static void
on_checkpoint(void *ctx, const struct core_checkpoint *c)
{
	struct update *u = ctx;

	changes_checkpoint(&u->changes, c, u->q->now);
	u->ended = c->ns.n == 0 && c->tasks_n == 0;
}

static void
on_writes(void *ctx, const struct core_task *t, struct val error)
{
	changes_writes(&((struct update *)ctx)->changes, t, error);
}

static void
on_void_all(void *ctx)
{
	((struct update *)ctx)->changes.void_moved = true;
}

static bool
on_wants(void *ctx, enum event_kind kind, bool root)
{
	(void)ctx;
	(void)kind;
	(void)root;
	return false;
}

static const struct core_effects effects = {
	.new_id = on_new_id, .checkpoint = on_checkpoint, .writes = on_writes,
	.void_all = on_void_all, .wants = on_wants,
};

/* ---- what was asked for ------------------------------------------------------------- */

/* With the names of the nodes that there are. */
static int
node_check(const struct update *u, const struct update_write *w, struct err *e)
{
	static const char *const special[] = { "__start__", "__input__", "__copy__", "__end__" };
	const struct agent *a = u->agent;
	struct buf names = BUF(KB);
	int rc = OK;

	if (w->as_node.p == NULL || a->graph == NULL || agent_node_find(a, w->as_node) >= 0)
		return OK;
	for (size_t i = 0; i < COUNT(special); i++)
		if (str_eq(w->as_node, str_of(special[i])))
			return OK;
	for (size_t i = 0; i < a->nodes_n && names.n < 200; i++)
		buf_add_fmt(&names, "%s%.*s", i > 0 ? ", " : "", FMT(a->nodes[i].name));
	rc = err_set(e, ERR_INVALID, "%s: no node is called \"%.*s\"; there are %.*s",
	    w->node_path, FMT(str_cut(w->as_node, 64)), FMT(buf_str(&names)));
	buf_release(&names);
	return rc;
}

/* Messages are put into their stored form here, so that an error has its path. */
static int
values_read(const struct update *u, struct val in, const char *path, struct val *out,
    struct err *e)
{
	const struct agent *a = u->agent;
	int rc = OK;

	*out = val_ref(in);
	for (size_t i = 0; i < val_count(in) && rc == OK; i++) {
		int at = agent_channel_find(a, val_key(in, i));
		struct val messages;
		char place[160];

		if (at < 0 || a->channels[at].reducer != REDUCE_MESSAGES ||
		    val_member(in, i).kind == VAL_NULL ||
		    reduce_is_overwrite(val_member(in, i), &messages))
			continue;
		snprintf(place, sizeof place, "%s.%.*s", path, FMT(val_key(in, i)));
		rc = messages_from(val_member(in, i), place, &messages, NULL, e);
		if (rc == OK)
			*out = val_set_take(*out, val_key(in, i), messages);
	}
	return rc;
}

static int
write_read(const struct update *u, const struct update_write *w,
    struct edit_update *out, struct err *e)
{
	int rc = node_check(u, w, e);

	out->as_node = w->as_node;
	out->values = VAL_UNDEF;
	if (rc != OK)
		return rc;
	if (w->values.kind == VAL_OBJECT)
		return values_read(u, w->values, w->path, &out->values, e);
	if (w->values.kind != VAL_ARRAY) {
		out->values = val_ref(w->values);
		return OK;
	}
	out->values = val_array_empty();
	for (size_t i = 0; i < val_count(w->values) && rc == OK; i++) {
		struct val one;
		char place[128];

		snprintf(place, sizeof place, "%s[%zu]", w->path, i);
		rc = values_read(u, val_at(w->values, i), place, &one, e);
		out->values = val_push_take(out->values, one);
	}
	return rc;
}

/* In LangGraph's words; what a client sent is never in conflict with another. */
static int
refuse(const struct update_step *s, int rc, struct err *e)
{
	struct err why = *e;

	if (s->n > 1 && str_starts(s->at[0].as_node, S("__")))
		err_set(e, rc, "%s \"%.*s\": %s", s->at[0].node_path,
		    FMT(s->at[0].as_node), why.text);
	return rc == ERR_CONFLICT ? ERR_INVALID : rc;
}

static int
step_make(const struct update *u, struct edit *x, const struct update_step *s,
    struct err *e)
{
	struct edit_update *updates = mem_zero((s->n + 1) * sizeof *updates);
	int rc = OK;

	for (size_t i = 0; i < s->n && rc == OK; i++)
		rc = write_read(u, &s->at[i], &updates[i], e);
	if (rc == OK) {
		rc = edit_step(x, updates, s->n, e);
		rc = rc == OK ? OK : refuse(s, rc, e);
	}
	for (size_t i = 0; i < s->n; i++)
		val_drop(updates[i].values);
	free(updates);
	return rc;
}

/* ---- from what stands ------------------------------------------------------------------ */

/* {"graph_id", "parents"}: these checkpoints have no run. */
static void
add_extra(struct update *u, struct str parents)
{
	struct changes *c = &u->changes;
	struct buf b = BUF(LIMIT_METADATA_BYTES);
	struct str text;

	json_add_fmt(&b, "{'graph_id':%.*s", FMT(u->q->graph_id));
	if (parents.n > 0)
		json_add_fmt(&b, ",'parents':%-.*s", FMT(parents));
	buf_add_char(&b, '}');
	text = arena_str(&c->arena, buf_str(&b));
	for (size_t i = 0; i < c->checkpoints_n; i++)
		c->checkpoints[i].extra_json = text;
	buf_release(&b);
}

/* What stands in the namespace: *saved NULL if nothing does. */
static int
load(struct update *u, struct core_saved **saved, struct str *parents, struct arena *a,
    struct err *e)
{
	const struct update_request *q = u->q;
	static const struct uuid none;
	struct saved_from l = { .reader = q->reader, .owner = q->owner,
	    .thread_seq = q->thread->seq, .last = true };
	struct store_state s;
	char id[UUID_TEXT];
	int rc;

	rc = store_state_get(q->reader, q->owner, l.thread_seq, STR_NONE, &none, 0, a, &s);
	if (rc == OK)
		u->head = s.c.id;
	if (rc == OK || rc == ERR_NOTFOUND)
		rc = store_state_get(q->reader, q->owner, l.thread_seq, q->ns,
		    &q->checkpoint, 0, a, &s);
	uuid_format(&q->checkpoint, id);
	if (rc == ERR_NOTFOUND && !uuid_is_zero(&q->checkpoint))
		return err_set(e, rc, "checkpoint_id: the thread has no checkpoint %.*s",
		    UUID_TEXT, id);
	if (rc == ERR_NOTFOUND && q->ns.n > 0)
		return err_set(e, rc, "checkpoint_ns: the thread has no state of \"%.*s\"",
		    FMT(str_cut(q->ns, 128)));
	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : rc;
	*parents = scan_find(s.c.extra_json, S("parents"));
	return saved_load(&l, q->ns, &q->checkpoint, saved);
}

static int
steps_make(struct update *u, const struct core_saved *saved, struct err *e)
{
	const struct update_request *q = u->q;
	struct edit *x;
	int rc = edit_new(&x, u->agent, &u->request, q->ns, saved, &effects, u, e);

	for (size_t i = 0; i < q->steps_n && rc == OK; i++)
		rc = step_make(u, x, &q->steps[i], e);
	if (rc == OK)
		u->newest = edit_checkpoint(x);
	edit_free(x);
	return rc;
}

/* Names of nodes may depend on the config of the thread's runs. */
static int
make(struct update *u, struct err *e)
{
	const struct update_request *q = u->q;
	struct arena a = ARENA(LIMIT_STATE_BYTES);
	struct core_saved *saved = NULL;
	struct str parents = STR_NONE;
	struct val config = VAL_UNDEF;
	int rc = OK;

	u->agent = child_find(q->agent, q->ns);
	if (u->agent == NULL)
		return err_set(e, ERR_NOTFOUND, "checkpoint_ns: no sub-agent has the "
		    "namespace \"%.*s\"", FMT(str_cut(q->ns, 128)));
	if (q->config_json.n > 0)
		config = val_json_trusted(q->config_json);
	if (q->thread != NULL)
		rc = load(u, &saved, &parents, &a, e);
	u->request = (struct core_request){ .config = config, .context = VAL_UNDEF,
	    .recursion_limit = LIMIT_RECURSION_DEFAULT };
	if (rc == OK)
		rc = steps_make(u, saved, e);
	if (rc == OK) {
		add_extra(u, parents);
		rc = changes_fill(&u->changes, &u->rows, e);
	}
	saved_free(saved);
	val_drop(config);
	arena_release(&a);
	return rc;
}

int
update_new(struct update **out, const struct update_request *q, struct err *e)
{
	struct update *u = mem_new(struct update);
	int rc;

	u->q = q;
	changes_init(&u->changes);
	rc = make(u, e);
	u->q = NULL;
	if (rc != OK) {
		update_free(u);
		u = NULL;
	}
	*out = u;
	return rc;
}

void
update_free(struct update *u)
{
	if (u == NULL)
		return;
	changes_release(&u->changes);
	free(u);
}

struct store_changes *
update_changes(struct update *u)
{
	return &u->rows;
}

struct uuid
update_head(const struct update *u)
{
	return u->head;
}

struct uuid
update_checkpoint(const struct update *u)
{
	return u->newest;
}

int
update_status(const struct update *u)
{
	return u->ended ? THREAD_IDLE : -1;
}
