/*
 * record.c - see record.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/record.h"

#include "base/limits.h"
#include "task/kinds.h"

int
record_state(struct remote *r, struct str thread, struct str ns, struct str checkpoint,
    struct val *out, struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES), body = BUF(64 * KB);
	int rc;

	remote_add_path(r, &path, "/threads/", thread, "/state/checkpoint");
	json_add_fmt(&body, "{'checkpoint':{'checkpoint_ns':%.*s,'checkpoint_id':%.*s}}",
	    FMT(ns), FMT(checkpoint));
	rc = remote_value(r, "POST", buf_str(&path), buf_str(&body), out, e);
	buf_release(&path);
	buf_release(&body);
	return rc;
}

int
record_state_before(struct remote *r, struct str thread, struct str checkpoint,
    struct val *out, struct err *e)
{
	struct val state;
	struct str before;
	int rc = record_state(r, thread, STR_NONE, checkpoint, &state, e);

	*out = VAL_UNDEF;
	if (rc != OK)
		return rc;
	before = entry_text(val_get(state, S("parent_checkpoint")), "checkpoint_id");
	if (before.n > 0)
		rc = record_state(r, thread, STR_NONE, before, out, e);
	val_drop(state);
	return rc;
}

/* ---- the definition ---------------------------------------------------------------------- */

int
record_definition(struct remote *r, struct str thread, struct str run, struct agent_file *f,
    struct err *e)
{
	struct buf path = BUF(LIMIT_HTTP_URL_BYTES);
	struct buf of = BUF(LIMIT_HTTP_URL_BYTES);
	struct val answer;
	int rc;

	remote_add_path(r, &of, "/runs/", run, "/agent");
	remote_add_path(r, &path, "/threads/", thread, of.p);
	rc = remote_value(r, "GET", buf_str(&path), STR_NONE, &answer, e);
	if (rc == OK)
		rc = agents_read(&f->set, entry_text(answer, "text"), &task_kinds, e);
	if (rc == OK)
		f->agent = agents_find(f->set, entry_text(answer, "graph_id"));
	if (rc == OK && f->agent == NULL)
		rc = err_set(e, ERR_INVALID, "the definition has no agent of that name");
	val_drop(answer);
	buf_release(&path);
	buf_release(&of);
	return rc;
}
