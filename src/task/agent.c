/*
 * agent.c - another agent does the work: a child with channels of its own.
 *
 * Without `input` it gets the channels of equal name that it lets a client
 * write; what it added to its output channels goes to those of equal name here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/task_priv.h"

static struct child_piece *
child_of(struct piece *p)
{
	return CONTAINER_OF(p, struct child_piece, p);
}

/* ---- how it comes back ---------------------------------------------------------- */

static bool
write_added(struct piece *p, const struct agent *child, struct val output,
    struct val added)
{
	for (size_t i = 0; i < child->channels_n; i++) {
		const struct channel *c = &child->channels[i];
		int to = channels_find(p->task->view.state, c->name);
		struct val v = added.kind == VAL_OBJECT ? val_get(added, c->name) :
		    VAL_UNDEF;

		if (!c->output || to == CHANNEL_NONE || v.kind == VAL_UNDEFINED)
			continue;
		if (!piece_write(p, (unsigned)to, val_ref(v), 0))
			return false;
		/* A node that is a child shows all of its output. */
		if (piece_is_whole(p) && output.kind == VAL_OBJECT)
			p->view->writes[p->view->n - 1].shown =
			    val_ref(val_get(output, c->name));
	}
	return true;
}

static void
on_child(struct task_child *child, enum child_end end, struct val output,
    struct val added, const struct task_error *e)
{
	struct child_piece *c = CONTAINER_OF(child, struct child_piece, child);
	struct task *t = c->p.task;

	c->under_way = false;
	if (!task_enter(t))
		return;
	if (end == CHILD_FAILED)
		piece_fail_with(&c->p, e);
	else if (end == CHILD_WAITS)
		piece_waits(&c->p);
	else if (!piece_writes_default(&c->p) || write_added(&c->p, child->agent,
	    output, added))
		piece_done(&c->p, val_ref(output));
	task_leave(t);
}

/* ---- how it begins ------------------------------------------------------------------ */

static bool
input_of_equal_names(struct piece *p, const struct agent *child, struct val *out)
{
	const struct channels *cs = piece_state(p);

	*out = val_object_empty();
	for (size_t i = 0; cs != NULL && i < child->channels_n; i++) {
		const struct channel *c = &child->channels[i];
		int from = channels_find(cs, c->name);
		struct val v = from == CHANNEL_NONE || !c->input ? VAL_UNDEF :
		    channels_get(cs, (size_t)from);

		if (v.kind != VAL_UNDEFINED)
			*out = val_set_take(*out, c->name, val_ref(v));
	}
	return cs != NULL;
}

static bool
read_input(struct child_piece *c, const struct agent *child,
    const struct agent_value *input)
{
	struct piece *p = &c->p;

	if (agent_has(input)) {
		val_drop(c->input);
		if (!piece_eval_value(p, input, "input", &c->input))
			return false;
	} else if (c->input.kind == VAL_UNDEFINED) {
		return input_of_equal_names(p, child, &c->input);
	}
	if (c->input.kind == VAL_OBJECT)
		return true;
	piece_fail(p, "error.execution", "ExpressionError", "line %u: input: expected an "
	    "object of channels", p->spec->line);
	return false;
}

void
child_begin(struct child_piece *c, const struct agent *agent, struct str name,
    const struct agent_value *input, struct val otherwise, bool persist)
{
	struct piece *p = &c->p;
	struct task *t = p->task;
	struct buf key = BUF(KEY_BYTES);

	c->input = otherwise;
	if (agent == NULL && t->host->agent != NULL)
		agent = t->host->agent(t->ctx, name);
	if (agent == NULL || t->host->child == NULL) {
		piece_fail(p, "error.execution", "NotFoundError",
		    "there is no agent \"%.*s\" here", FMT(name));
		return;
	}
	if (!read_input(c, agent, input))
		return;
	piece_add_key(&key, p, STR_NONE);
	c->key = mem_cstr(buf_str(&key));
	buf_release(&key);
	c->child = (struct task_child){ .key = str_of(c->key), .agent = agent,
	    .input = c->input, .persist = persist, .done = on_child,
	    .may_spend = spend_child_may, .spent = spend_child,
	    .tokens_left = spend_child_left };
	c->under_way = true;
	t->host->child(t->ctx, &c->child);
}

void
child_leave(struct piece *p)
{
	struct child_piece *c = child_of(p);

	if (c->under_way)
		p->task->host->child_stop(p->task->ctx, &c->child);
	c->under_way = false;
}

void
child_release(struct piece *p)
{
	struct child_piece *c = child_of(p);

	val_drop(c->input);
	free(c->key);
}

bool
child_sleeps(const struct piece *p, msec *until)
{
	(void)p;
	*until = TASK_NEVER;
	return true;
}

static void
agent_start(struct piece *p)
{
	const struct agent_work *w = p->spec;

	child_begin(child_of(p), w->child, w->child_name,
	    piece_field(p, AGENT_KIND_INPUT), VAL_UNDEF,
	    agent_bool(piece_field(p, AGENT_KIND_PERSIST), false));
}

const struct task_run task_agent = {
	.size = sizeof(struct child_piece), .traits = TASK_EFFECT | TASK_WAITS,
	.start = agent_start, .stop = child_leave, .release = child_release,
	.sleeps = child_sleeps,
};
