/*
 * peer.c - the kinds spawn and stop: other agents begin and end.
 *
 * The id of an agent that is spawned is made of the task and the place in it, so another
 * attempt finds the one of the first instead of spawning a second.  That an agent is about
 * to be stopped is in the journal first: another attempt takes it as done when it is gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/acl.h"
#include "task/task_priv.h"

struct peer_piece {
	struct piece p;
	struct task_peer peer;
	struct val agent, name, capabilities;
	struct str *list;                    /* of the capabilities */
	struct buf input;
	struct journaled *held;              /* until its start is in the journal */
	bool under_way;
};

static struct peer_piece *
peer_of(struct piece *p)
{
	return CONTAINER_OF(p, struct peer_piece, p);
}

/* ---- names ------------------------------------------------------------------------ */

int
peer_name_check(struct val v, struct err *e)
{
	struct acl_address a;
	struct err words;

	if (v.kind == VAL_STRING && (val_str(v).n > LIMIT_NAME_BYTES ||
	    acl_address_parse(val_str(v), &a, &words) != OK || a.kind != ACL_TO_NAME))
		return err_set(e, ERR_INVALID, "expected a name: no UUID, not cap: or all:, no "
		    "blanks, quotes and parentheses, got '%.*s'", FMT(str_cut(val_str(v), 100)));
	return OK;
}

int
peer_address_check(struct val v, struct err *e)
{
	struct acl_address a;
	struct err words;

	if (v.kind == VAL_STRING && (acl_address_parse(val_str(v), &a, &words) != OK ||
	    (a.kind != ACL_TO_NAME && a.kind != ACL_TO_ID)))
		return err_set(e, ERR_INVALID, "expected the id or the name of an agent, got "
		    "'%.*s'", FMT(str_cut(val_str(v), 100)));
	return OK;
}

static bool
is_capability(struct str s)
{
	struct buf b = BUF(LIMIT_NAME_BYTES + 4);
	struct acl_address a;
	struct err words;
	bool fits;

	buf_lit(&b, "cap:");
	buf_add(&b, s);
	fits = !b.failed && acl_address_parse(buf_str(&b), &a, &words) == OK;
	buf_release(&b);
	return fits;
}

int
peer_capabilities_check(struct val v, struct err *e)
{
	if (val_count(v) > LIMIT_MAIL_CAPABILITIES)
		return err_set(e, ERR_INVALID, "expected at most %d", LIMIT_MAIL_CAPABILITIES);
	for (size_t i = 0; i < val_count(v); i++)
		if (val_at(v, i).kind == VAL_STRING && !is_capability(val_str(val_at(v, i))))
			return err_set(e, ERR_INVALID, "expected NAME or NAME:VERSION, without "
			    "blanks, quotes and parentheses, got '%.*s'",
			    FMT(str_cut(val_str(val_at(v, i)), 100)));
	return OK;
}

/* ---- fields ------------------------------------------------------------------------- */

static void
fail(struct piece *p, const char *words)
{
	piece_fail(p, "error.communication", "AgentError", "%s: %s", piece_kind(p), words);
}

/* A text field that names an agent; empty (a template without a value): not given. */
static bool
read_text(struct piece *p, unsigned field, int (*check)(struct val v, struct err *e),
    struct val *keep, struct str *out)
{
	struct err e;

	if (!piece_eval_text(p, field, keep))
		return false;
	*out = keep->kind == VAL_STRING ? val_str(*keep) : STR_NONE;
	if (out->n == 0 || check == NULL || check(*keep, &e) == OK)
		return true;
	fail(p, e.text);
	return false;
}

static bool
read_capabilities(struct peer_piece *w)
{
	struct err e;
	size_t n;

	if (!piece_eval(&w->p, SPAWN_CAPABILITIES, &w->capabilities))
		return false;
	if (peer_capabilities_check(w->capabilities, &e) != OK) {
		fail(&w->p, e.text);
		return false;
	}
	n = val_count(w->capabilities);
	w->list = mem_zero((n + 1) * sizeof *w->list);
	for (size_t i = 0; i < n; i++)
		w->list[i] = val_str(val_at(w->capabilities, i));
	w->peer.capabilities = w->list;
	w->peer.capabilities_n = n;
	return true;
}

static bool
read_input(struct peer_piece *w)
{
	struct val input;

	w->input = BUF(LIMIT_HTTP_BODY_BYTES);
	if (!piece_eval(&w->p, SPAWN_INPUT, &input))
		return false;
	if (input.kind != VAL_UNDEFINED)
		val_add_json(&w->input, input);
	val_drop(input);
	w->peer.input_json = buf_str(&w->input);
	if (w->input.failed)
		fail(&w->p, "the input is too large");
	return !w->input.failed;
}

/* ---- the command ---------------------------------------------------------------------- */

static struct val
spawned(const struct peer_piece *w)
{
	char id[UUID_TEXT];
	struct val v = val_object_empty();

	uuid_format(&w->peer.id, id);
	v = val_set_take(v, S("agent_id"), val_string((struct str){ id, UUID_TEXT }));
	return val_set_take(v, S("name"), w->peer.name.n > 0 ? val_string(w->peer.name) :
	    VAL_NIL);
}

static void
on_peer(struct task_peer *x, int rc, const struct err *e)
{
	struct peer_piece *w = CONTAINER_OF(x, struct peer_piece, peer);
	struct piece *p = &w->p;
	struct task *t = p->task;

	w->under_way = false;
	if (!task_enter(t))
		return;
	if (rc == OK)
		piece_done(p, x->op == TASK_PEER_SPAWN ? spawned(w) : VAL_NIL);
	else
		fail(p, e->text);
	task_leave(t);
}

static void
ask(struct peer_piece *w)
{
	struct task *t = w->p.task;

	w->peer.done = on_peer;
	w->under_way = true;
	t->host->peer(t->ctx, &w->peer);
}

static bool
is_possible(struct piece *p)
{
	if (p->task->host->peer != NULL)
		return true;
	fail(p, "other agents need a server");
	return false;
}

static void
spawn_start(struct piece *p)
{
	struct peer_piece *w = peer_of(p);
	struct buf key = BUF(KEY_BYTES);

	piece_add_key(&key, p, S("agent"));
	w->peer.op = TASK_PEER_SPAWN;
	w->peer.memory = agent_bool(piece_field(p, SPAWN_MEMORY), false);
	w->peer.id = uuid_v5(&p->task->id, buf_str(&key));
	buf_release(&key);
	if (is_possible(p) &&
	    read_text(p, SPAWN_AGENT, NULL, &w->agent, &w->peer.agent) &&
	    read_text(p, SPAWN_NAME, peer_name_check, &w->name, &w->peer.name) &&
	    read_capabilities(w) && read_input(w))
		ask(w);
}

/* ---- the journal -------------------------------------------------------------------------- */

/* Outlives its piece, which may be stopped before the start is written. */
struct journaled {
	struct peer_piece *w;
};

static void
on_started(void *arg, int rc)
{
	struct journaled *x = arg;
	struct peer_piece *w = x->w;

	free(x);
	if (w == NULL)
		return;
	w->held = NULL;
	if (!task_enter(w->p.task))
		return;
	if (rc == OK)
		ask(w);
	else
		fail(&w->p, "its start could not be written");
	task_leave(w->p.task);
}

static void
stop_start(struct piece *p)
{
	struct peer_piece *w = peer_of(p);
	const struct task_host *host = p->task->host;
	struct buf key = BUF(KEY_BYTES);

	w->peer.op = TASK_PEER_STOP;
	w->peer.drain = agent_bool(piece_field(p, STOP_DRAIN), false);
	w->peer.again = record_find(p, S("begun")) != NULL;
	piece_add_key(&key, p, S("begun"));
	if (is_possible(p) &&
	    read_text(p, STOP_AGENT, peer_address_check, &w->agent, &w->peer.agent)) {
		if (host->record_start == NULL || w->peer.again) {
			ask(w);
		} else {
			w->held = mem_new(struct journaled);
			w->held->w = w;
			host->record_start(p->task->ctx, buf_str(&key), str_of(piece_kind(p)),
			    on_started, w->held);
		}
	}
	buf_release(&key);
}

static void
peer_stop(struct piece *p)
{
	struct peer_piece *w = peer_of(p);

	if (w->held != NULL)
		w->held->w = NULL;
	w->held = NULL;
	if (w->under_way)
		p->task->host->peer_forget(p->task->ctx, &w->peer);
	w->under_way = false;
}

static void
peer_release(struct piece *p)
{
	struct peer_piece *w = peer_of(p);

	val_drop(w->agent);
	val_drop(w->name);
	val_drop(w->capabilities);
	free(w->list);
	buf_release(&w->input);
}

const struct task_run task_spawn = {
	.size = sizeof(struct peer_piece), .traits = TASK_EFFECT, .start = spawn_start,
	.stop = peer_stop, .release = peer_release,
};

const struct task_run task_stop_agent = {
	.size = sizeof(struct peer_piece), .traits = TASK_EFFECT, .start = stop_start,
	.stop = peer_stop, .release = peer_release,
};
