/*
 * command_state.c - commands about what is there: state.get, state.listCheckpoints,
 * input.inject.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/command_priv.h"

#include "run/protocol.h"
#include "run/view.h"

#define LIST_DEFAULT 10
#define RUNS_LOOKED  (LIMIT_QUEUED_RUNS + 1)  /* behind those that wait is the one that runs */

/* ---- state.get ----------------------------------------------------------------- */

/* The state's values in the form that events have; with `keys` only those. */
static void
add_values(struct command *x, struct view *v, const struct store_state *s)
{
	struct buf state = BUF(2 * (size_t)LIMIT_STATE_BYTES);
	struct buf *out = command_result(x);
	struct val shown;

	buf_lit(out, "{\"values\":");
	if (s == NULL) {
		buf_lit(out, "{}}");
		return;
	}
	if (view_add_state(&state, v, s) != OK || state.failed) {
		out->failed = true;
	} else {
		shown = val_json_trusted(buf_str(&state));
		protocol_add_state(out, val_get(shown, S("values")));
		val_drop(shown);
	}
	buf_release(&state);
	json_add_fmt(out, ",'checkpoint':{");
	show_id(out, "id", &s->c.id);
	json_add_fmt(out, ",'ns':%.*s}}", FMT(s->c.ns));
}

static int
no_namespace(struct command *x, struct str ns)
{
	x->missing = COMMAND_NO_SUCH_NAMESPACE;
	return err_set(&x->c.err, ERR_NOTFOUND, "namespace: the thread has no state in "
	    "\"%.*s\"", FMT(param_shown(ns)));
}

int
command_state_get(struct command *x)
{
	static const struct uuid newest;
	struct call *c = &x->c;
	struct str ns = call_read_namespace(c);
	struct words keys = words_read(c, "keys", fields_any(c->in, "keys"), LIMIT_PAGE_ROWS);
	struct view v = { .members = VIEW_VALUES, .newest = true, .channels = keys.at,
	    .channels_n = keys.n };
	struct store_thread t;
	struct store_state s;
	int rc = c->in->rc;

	if (rc == OK)
		rc = api_thread_find(c, &t);
	if (rc < 0)
		return rc;
	call_open_view(c, &t, ns, &v);
	rc = store_state_get(c->api->reader, c->owner, t.seq, ns, &newest,
	    STATE_CHANNELS | STATE_TASKS, &c->r->arena, &s);
	if (rc == ERR_NOTFOUND && ns.n > 0)
		return no_namespace(x, ns);
	if (rc < 0 && rc != ERR_NOTFOUND)
		return rc;
	add_values(x, &v, rc == OK ? &s : NULL);
	command_answer(x);
	return OK;
}

/* ---- state.listCheckpoints -------------------------------------------------------- */

static void
add_checkpoint(struct buf *b, const struct uuid *thread_id,
    const struct store_checkpoint *c)
{
	json_add_fmt(b, ",{");
	show_id(b, "id", &c->id);
	show_time(b, "timestamp", c->created);
	json_add_fmt(b, ",'step':%d,'metadata':", c->step);
	view_add_metadata(b, thread_id, c);
	buf_add_char(b, '}');
}

static int
checkpoints_found(struct call *c)
{
	struct command *x = command_of(c);
	const struct store_history *op = &c->op.history;
	struct buf *b = command_result(x);

	buf_lit(b, "{\"checkpoints\":[");
	for (size_t i = 0; i < op->items_n; i++)
		add_checkpoint(b, &c->thread_id, &op->items[i].c);
	buf_lit(b, "]}");
	command_answer(x);
	return OK;
}

int
command_list_checkpoints(struct command *x)
{
	struct call *c = &x->c;
	struct store_history *op = &c->op.history;
	struct str before = STR_NONE;
	struct store_thread t;
	int rc;

	*op = (struct store_history){ .limit = LIST_DEFAULT };
	op->ns = call_read_namespace(c);
	fields_int(c->in, "limit", 1, LIMIT_PAGE_ROWS, &op->limit);
	fields_str(c->in, "before", LIMIT_NAME_BYTES, &before);
	if (before.n > 0)
		call_parse_id(c, "before", before, &op->before);
	rc = c->in->rc;
	if (rc == OK)
		rc = api_thread_find(c, &t);
	if (rc < 0)
		return rc;
	op->thread_seq = t.seq;
	return call_submit(c, STORE_HISTORY, checkpoints_found);
}

/* ---- input.inject -------------------------------------------------------------------- */

/* The run under way. */
static int
run_under_way(struct call *c, struct uuid *id)
{
	struct store_run_name *runs = NULL;
	struct store_thread t;
	size_t n = 0;
	int rc = api_thread_find(c, &t);

	if (rc == OK)
		rc = store_runs_newest(c->api->reader, c->owner, t.seq, RUNS_LOOKED,
		    &c->r->arena, &runs, &n);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (runs[i].status != RUN_RUNNING)
			continue;
		*id = runs[i].run_id;
		return OK;
	}
	return err_set(&c->err, ERR_NOTFOUND, "no run is under way on the thread");
}

static int
injected(struct call *c)
{
	struct command *x = command_of(c);

	buf_lit(command_result(x), "{}");
	command_answer(x);
	return OK;
}

int
command_input_inject(struct command *x)
{
	int rc = run_under_way(&x->c, &x->c.run_id);

	return rc == OK ? call_inject(&x->c, injected) : rc;
}
