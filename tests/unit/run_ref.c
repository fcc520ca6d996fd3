/*
 * run_ref.c - what a thread's runs and edits come to, told plainly: Pregel's steps
 * without effects, ids, events or crashes.  See run_sim.h and core.md.
 *
 * A run that failed or was cancelled left its other tasks somewhere: how far they
 * came is read from the store, and nothing else is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_ref.h"

#include <string.h>

#include "base/mem.h"

/* ---- the graph ------------------------------------------------------------------------------- */

static bool
join_full(const struct place *p, const struct sim_agent *a, size_t e)
{
	for (size_t k = 0; k < a->edge[e].from_n; k++)
		if (!p->arrived[e][k])
			return false;
	return a->edge[e].from_n > 1 && a->edge[e].to != TO_END;
}

/* What was to come next is over; instead: dropped, and its joins stand. */
void
ref_place_begin(struct place *p, const struct sim_agent *a, bool instead)
{
	for (size_t e = 0; e < a->edges_n && !instead; e++)
		if (join_full(p, a, e) && p->next[a->edge[e].to])
			memset(p->arrived[e], 0, sizeof p->arrived[e]);
	for (size_t i = 0; i < NODES; i++) {
		p->reached[i] = p->reached[i] && !p->next[i];
		p->next[i] = false;
	}
	p->start = false;
	ref_sends_drop(p);
}

void
ref_place_write(struct place *p, const struct rwrite *w)
{
	if (w->channel == TO_NODE)
		p->reached[w->at] = true;
	else if (w->channel == TO_JOIN)
		p->arrived[w->at][w->slot] = true;
	else
		ref_send_push(p, w->at, val_ref(w->v));
}

void
ref_place_settle(struct place *p, const struct sim_agent *a)
{
	for (int last = 0; last < 2; last++) {
		bool any = p->sends_n > 0 || p->start;

		for (size_t i = 0; i < a->nodes_n; i++) {
			p->next[i] = p->next[i] || (p->reached[i] &&
			    (last || !a->node[i].defer));
			any = any || p->next[i];
		}
		for (size_t e = 0; e < a->edges_n; e++) {
			int to = a->edge[e].to;

			if (!join_full(p, a, e) || (!last && a->node[to].defer))
				continue;
			p->next[to] = true;
			any = true;
		}
		if (any)
			return;
	}
}

static void
edge_follow(const struct sim_agent *a, size_t e, int from, const struct val *view,
    struct rtask *t)
{
	const struct sim_edge *ed = &a->edge[e];

	if (ed->send) {
		for (int64_t k = 0; k < view[CH_N].u.i % 3; k++)
			ref_write_push(&t->w, &t->wn, TO_SEND, ed->to, 0,
			    val_set_take(val_object_empty(), S("x"), val_int(k)));
		return;
	}
	if (ed->to == TO_END)
		return;
	if (ed->from_n == 1) {
		ref_write_push(&t->w, &t->wn, TO_NODE, ed->to, 0, VAL_UNDEF);
		return;
	}
	for (size_t k = 0; k < ed->from_n; k++)
		if (ed->from[k] == from)
			ref_write_push(&t->w, &t->wn, TO_JOIN, (int)e, (int)k, VAL_UNDEF);
}

static bool
edge_leaves(const struct sim_edge *ed, int node)
{
	for (size_t k = 0; k < ed->from_n; k++)
		if (ed->from[k] == node)
			return true;
	return false;
}

/* The first that holds, or all with `all`; else those without `when`. */
void
ref_follow_edges(const struct sim_agent *a, const struct val *state, struct rtask *t)
{
	struct val view[CHANNELS];
	bool won = false;

	for (int i = 0; i < CHANNELS; i++)
		view[i] = val_ref(state[i]);
	for (size_t i = 0; i < t->wn; i++)
		if (t->w[i].channel >= 0)
			view[t->w[i].channel] = ref_reduced((enum channel_no)t->w[i].channel,
			    view[t->w[i].channel], t->w[i].v);
	for (size_t e = 0; e < a->edges_n; e++) {
		const struct sim_edge *ed = &a->edge[e];

		if (!edge_leaves(ed, t->node) || ed->mod == 0 ||
		    view[CH_N].u.i % ed->mod != ed->rest || (won && !ed->all))
			continue;
		edge_follow(a, e, t->node, view, t);
		won = true;
	}
	for (size_t e = 0; e < a->edges_n && !won; e++)
		if (edge_leaves(&a->edge[e], t->node) && a->edge[e].mod == 0)
			edge_follow(a, e, t->node, view, t);
	ref_values_drop(view);
}

/* ---- a namespace under way ---------------------------------------------------------------------- */

int
ref_step_of(const struct scope_ref *s)
{
	return s->head != NULL ? s->head->step : s->edited ? -1 : -2;
}

void
ref_task_add(struct rcheckpoint *c, int node, bool push, unsigned index, struct val input)
{
	struct rtask t = { .node = node, .push = push, .index = index, .input = input };

	for (size_t k = 0; k < ASKS; k++)
		t.ask[k].answer = VAL_UNDEF;
	c->tasks = mem_resize(c->tasks, (c->tasks_n + 1) * sizeof *c->tasks);
	c->tasks[c->tasks_n++] = t;
}

static void
prepare(struct rcheckpoint *c, const struct place *p)
{
	if (p->start)
		ref_task_add(c, AT_START, false, 0, VAL_UNDEF);
	for (int i = 0; i < NODES; i++)
		if (p->next[i])
			ref_task_add(c, i, false, 0, VAL_UNDEF);
	for (size_t i = 0; i < p->sends_n; i++)
		ref_task_add(c, p->sends[i].node, true, (unsigned)i,
		    val_ref(p->sends[i].input));
}

void
ref_save(struct scope_ref *s)
{
	struct rns *ns = s->ns;

	if (s->head == NULL || s->head_at >= 0 || s->refused)
		return;
	ns->at = mem_resize(ns->at, (ns->n + 1) * sizeof *ns->at);
	ns->at[ns->n] = s->head;
	s->head_at = s->parent = (int)ns->n++;
}

void
ref_checkpoint(struct scope_ref *s, enum checkpoint_source source)
{
	struct rcheckpoint *c = mem_new(struct rcheckpoint);

	c->step = ref_step_of(s) + 1;
	c->parent = s->parent;
	c->source = source;
	c->run = s->r->run;
	c->serial = ++s->r->serial;
	for (int i = 0; i < CHANNELS; i++)
		c->v[i] = val_ref(s->v[i]);
	c->place = ref_place_copy(&s->place);
	prepare(c, &s->place);
	ref_checkpoint_free(s->spare);
	s->spare = s->head_at < 0 ? s->head : NULL;
	s->head = c;
	s->head_at = -1;
	if (!s->r->exit)
		ref_save(s);
}

void
ref_scope_load(struct scope_ref *s, struct rcheckpoint *c, int at)
{
	ref_values_drop(s->v);
	ref_sends_drop(&s->place);
	s->head = c;
	s->head_at = s->parent = at;
	for (int i = 0; i < CHANNELS; i++)
		s->v[i] = val_ref(c->v[i]);
	s->place = ref_place_copy(&c->place);
	if (c->tasks_n == 1 && c->tasks[0].node != AT_START) {
		/* alone, it is done when the next checkpoint is there */
		ref_writes_drop(&c->tasks[0].w, &c->tasks[0].wn);
		c->tasks[0].done = false;
	}
}

void
ref_scope_make(struct scope_ref *s, struct ref *r, struct rns *ns, struct str name)
{
	*s = (struct scope_ref){ .r = r, .ns = ns, .name = name, .head_at = -1,
	    .parent = -1, .key = root_key };
	ref_defaults(s->v);
}

void
ref_scope_drop(struct scope_ref *s)
{
	if (s->head_at < 0)
		ref_checkpoint_free(s->head);
	ref_checkpoint_free(s->spare);
	ref_values_drop(s->v);
	ref_sends_drop(&s->place);
}

/* ---- how far a task came, of a run that was cut off ------------------------------------------------ */

static const struct sim_checkpoint *
row_of(const struct scope_ref *s)
{
	return sim_checkpoint_at(s->r->sim, s->name, (size_t)s->head_at);
}

const struct uuid *
ref_id_of(const struct scope_ref *s, const struct rtask *t)
{
	size_t i = (size_t)(t - s->head->tasks);
	const struct sim_checkpoint *row = row_of(s);

	return row != NULL && i < row->tasks_n ? &row->tasks[i].id : NULL;
}

static bool
has_row(const struct scope_ref *s, const struct rtask *t, int what)
{
	const struct uuid *id = ref_id_of(s, t);

	return id != NULL && sim_has(s->r->sim, id, what, s->r->run);
}

static bool
came_to_its_end(const struct scope_ref *s, const struct rtask *t)
{
	if (!s->r->cut)
		return true;
	if (s->head->tasks_n == 1)
		return sim_count(s->r->sim, s->name) > s->ns->n;
	return has_row(s, t, WRITTEN);
}

/* ---- steps ------------------------------------------------------------------------------------------- */

static enum end run_child(struct scope_ref *up, struct rtask *t, uint64_t key,
    struct val *added);

/* One write of a task to a channel that keeps the last. */
void
ref_task_write(struct rtask *t, int channel, struct val v)
{
	for (size_t i = 0; i < t->wn; i++)
		if (t->w[i].channel == channel &&
		    sim_channels[channel].reducer == REDUCE_LAST) {
			val_drop(t->w[i].v);
			t->w[i].v = val_ref(v);
			return;
		}
	ref_write_push(&t->w, &t->wn, channel, 0, 0, val_ref(v));
}

static enum end
run_asks(const struct scope_ref *s, struct rtask *t, const struct act *a,
    struct val *answers)
{
	bool asks = false;

	for (unsigned k = 0; k < a->asks; k++) {
		answers[k] = t->ask[k].answer;
		if (answers[k].kind != VAL_UNDEFINED || (asks && !a->together))
			continue;
		if (s->r->cut && (ref_id_of(s, t) == NULL ||
		    sim_asked(s->r->sim, ref_id_of(s, t), k) == NULL))
			return END_STOPPED;
		asks = t->ask[k].asked = true;
	}
	return asks ? END_WAITS : END_DONE;
}

static enum end
run_task(struct scope_ref *s, struct rtask *t)
{
	uint64_t key = task_key(s->key, s->head->step + 1, t->node, t->push, t->index);
	struct val added = VAL_UNDEF, answers[ASKS];
	bool known = s->r->error[0] != '\0';
	enum end end = END_DONE;
	struct act a;

	if (s->ns->a->node[t->node].child != NULL)
		end = run_child(s, t, key, &added);
	task_act(&a, &s->r->rules, key, s->r->run);
	if (end == END_DONE)
		end = run_asks(s, t, &a, answers);
	if (end == END_DONE && a.fails)
		end = END_FAILED;
	if (end == END_FAILED && s->r->cut && !has_row(s, t, FAILED)) {
		end = END_STOPPED;           /* and nobody heard of it */
		if (!known)
			s->r->error[0] = '\0';
	}
	if (end == END_FAILED && a.fails && s->r->error[0] == '\0')
		snprintf(s->r->error, sizeof s->r->error, "PlannedError");
	if (end == END_DONE && !came_to_its_end(s, t))
		end = END_STOPPED;
	a.n = end == END_DONE ? a.n : 0;
	if (end == END_DONE) {
		task_act_writes(&a, key, answers, t->input);
		for (size_t i = 0; i < val_count(added); i++)
			ref_task_write(t, ref_channel_of(val_key(added, i)), val_member(added, i));
		for (size_t i = 0; i < a.n; i++)
			ref_task_write(t, (int)a.write[i].channel, a.write[i].value);
		ref_follow_edges(s->ns->a, s->v, t);
		t->done = true;
	}
	act_release(&a);
	val_drop(added);
	return end;
}

/* Tasks in order.  False: two wrote what only one may. */
bool
ref_apply(struct scope_ref *s, bool instead)
{
	bool written[CHANNELS] = { false }, over[CHANNELS] = { false };

	ref_place_begin(&s->place, s->ns->a, instead);
	for (size_t i = 0; i < s->head->tasks_n; i++)
		for (size_t k = 0; k < s->head->tasks[i].wn; k++) {
			const struct rwrite *w = &s->head->tasks[i].w[k];
			int c = w->channel;
			bool all;

			if (c < 0) {
				ref_place_write(&s->place, w);
				continue;
			}
			all = ref_overwritten(w->v).kind != VAL_UNDEFINED;
			if ((written[c] && sim_channels[c].reducer == REDUCE_LAST) ||
			    (over[c] && all))
				return false;
			if (!over[c])
				s->v[c] = ref_reduced((enum channel_no)c, s->v[c], w->v);
			written[c] = true;
			over[c] = over[c] || all;
		}
	ref_place_settle(&s->place, s->ns->a);
	if (!written[CH_EPHEMERAL]) {
		val_drop(s->v[CH_EPHEMERAL]);
		s->v[CH_EPHEMERAL] = VAL_UNDEF;
	}
	return true;
}

static bool
stops_at(const struct scope_ref *s, const struct rtask *t, bool before)
{
	const struct core_stops *asked = before ? &s->r->q->before : &s->r->q->after;
	const struct sim_node *x = t->node < 0 ? NULL : &s->ns->a->node[t->node];

	if (x == NULL)
		return false;
	if (s->child || !asked->given)
		return before ? x->before : x->after;
	for (size_t i = 0; i < asked->n; i++)
		if (str_eq(asked->at[i], str_of(sim_node_name(t->node))))
			return true;
	return asked->all;
}

static bool
any_stops(const struct scope_ref *s, const struct rcheckpoint *c, bool before)
{
	for (size_t i = 0; s->changed && i < c->tasks_n; i++)
		if (stops_at(s, &c->tasks[i], before))
			return true;
	return false;
}

enum end
ref_fail(struct scope_ref *s, const char *name)
{
	if (s->r->error[0] == '\0')
		snprintf(s->r->error, sizeof s->r->error, "%s", name);
	return END_FAILED;
}

/* All tasks that are not done. */
static enum end
run_tasks(struct scope_ref *s)
{
	enum end all = END_DONE;

	for (size_t i = 0; i < s->head->tasks_n; i++) {
		enum end one = END_DONE;

		if (s->head->tasks[i].done)
			continue;
		if (all == END_FAILED && s->r->ordered)
			break;               /* they were stopped before they began */
		one = run_task(s, &s->head->tasks[i]);
		if (one == END_FAILED || (one == END_STOPPED && all != END_FAILED) ||
		    (one == END_WAITS && all == END_DONE))
			all = one;
	}
	return all;
}

/* Of a run that was cut off: the step did not end, or was refused. */
static enum end
step_not_taken(struct scope_ref *s)
{
	struct scope_ref copy = *s;
	bool ok;

	for (int i = 0; i < CHANNELS; i++)
		copy.v[i] = val_ref(s->v[i]);
	copy.place = ref_place_copy(&s->place);
	ok = ref_apply(&copy, false);
	ref_values_drop(copy.v);
	ref_sends_drop(&copy.place);
	return ok ? END_STOPPED : ref_fail(s, "InvalidUpdateError");
}

enum end
ref_step(struct scope_ref *s)
{
	const struct rcheckpoint *done = s->head;

	if (s->r->cut && sim_count(s->r->sim, s->name) <= s->ns->n)
		return step_not_taken(s);
	if (!ref_apply(s, false)) {
		s->refused = true;
		return ref_fail(s, "InvalidUpdateError");
	}
	s->changed = true;
	ref_checkpoint(s, SOURCE_LOOP);
	return any_stops(s, done, false) ? END_WAITS : END_DONE;
}

static bool
all_done(const struct rcheckpoint *c)
{
	for (size_t i = 0; i < c->tasks_n; i++)
		if (!c->tasks[i].done)
			return false;
	return true;
}

enum end
ref_scope_loop(struct scope_ref *s)
{
	for (;;) {
		enum end end = END_DONE;

		if (s->head->step + 1 > s->stop)
			return ref_fail(s, "GraphRecursionError");
		if (s->head->tasks_n == 0)
			return END_DONE;
		if (!all_done(s->head)) {
			if (any_stops(s, s->head, true))
				return END_WAITS;
			end = run_tasks(s);
		}
		if (end == END_DONE)
			end = ref_step(s);
		if (end != END_DONE)
			return end;
	}
}

/* ---- input ------------------------------------------------------------------------------------------------ */

/* The input's own step, from a checkpoint whose task is START.  A write of each
 * member in order. */
void
ref_take_input(struct rcheckpoint *c, const struct sim_agent *a, const struct val *state,
    struct val input, bool keep)
{
	for (size_t i = 0; i < val_count(input); i++) {
		int ch = ref_channel_of(val_key(input, i));

		if (ch >= 0 && sim_channels[ch].input)
			ref_task_write(&c->tasks[0], ch, val_member(input, i));
	}
	if (keep && val_count(input) > 0 && c->input.kind == VAL_UNDEFINED)
		c->input = val_ref(input);
	ref_follow_edges(a, state, &c->tasks[0]);
	c->tasks[0].done = true;
}

enum end
ref_begin_with(struct scope_ref *s, struct val input)
{
	enum end end;

	s->stop = ref_step_of(s) + s->r->limit + 2;
	ref_place_begin(&s->place, s->ns->a, false);
	s->place.start = true;
	val_drop(s->v[CH_EPHEMERAL]);
	s->v[CH_EPHEMERAL] = VAL_UNDEF;
	if (s->r->cut && sim_count(s->r->sim, s->name) <= s->ns->n)
		return END_STOPPED;
	ref_checkpoint(s, SOURCE_INPUT);
	ref_take_input(s->head, s->ns->a, s->v, input, !s->r->exit);
	end = ref_step(s);
	for (int i = 0; s->child && i < CHANNELS; i++)
		s->begun[i] = val_ref(s->v[i]);
	s->has_begun = s->child;
	return end == END_DONE ? ref_scope_loop(s) : end;
}

/* ---- children --------------------------------------------------------------------------------------------- */

static struct val
added_to(const struct rcheckpoint *last, const struct val *before)
{
	struct val added = val_object_empty();

	for (int i = 0; i < CHANNELS; i++) {
		struct val now = last->v[i], more = VAL_UNDEF;
		size_t same = 0;

		if (!sim_channels[i].output || now.kind == VAL_UNDEFINED)
			continue;
		if (i == CH_N) {
			more = val_int(now.u.i - before[i].u.i);
		} else if (i == CH_LOG || i == CH_MESSAGES) {
			more = val_array_empty();
			while (same < val_count(now) && same < val_count(before[i]) &&
			    val_equal(val_at(now, same), val_at(before[i], same)))
				same++;
			for (; same < val_count(now); same++)
				more = val_push_take(more, val_ref(val_at(now, same)));
		} else {
			more = val_ref(now);
		}
		added = val_set_take(added, str_of(sim_channels[i].name), more);
	}
	return added;
}

/* The state in which the call began: after its input. */
static void
state_at_begin(const struct scope_ref *s, unsigned since, struct val input,
    struct val *before)
{
	const struct rcheckpoint *c = NULL;

	for (int at = (int)s->ns->n - 1; at >= 0 && c == NULL; at = s->ns->at[at]->parent)
		if (s->ns->at[at]->source == SOURCE_INPUT || s->ns->at[at]->serial < since)
			c = s->ns->at[at];
	if (c == NULL)
		ref_defaults(before);
	for (int i = 0; i < CHANNELS && c != NULL; i++)
		before[i] = val_ref(c->v[i]);
	for (size_t i = 0; i < val_count(input); i++) {
		int ch = ref_channel_of(val_key(input, i));

		if (ch >= 0 && sim_channels[ch].input)
			before[ch] = ref_reduced((enum channel_no)ch, before[ch],
			    val_member(input, i));
	}
}

/* Its newest checkpoint; of one that persists, before the chosen one that the run
 * began at. */
static int
child_at(const struct ref *r, const struct rns *ns, bool persists)
{
	int at = (int)ns->n - 1;

	while (persists && r->afresh && at >= 0 && ns->at[at]->run != r->run &&
	    ns->at[at]->serial > r->chosen)
		at = ns->at[at]->parent;
	return at;
}

static enum end
run_child(struct scope_ref *up, struct rtask *t, uint64_t key, struct val *added)
{
	struct ref *r = up->r;
	const struct sim_node *node = &up->ns->a->node[t->node];
	struct rns **place = node->persist ? &up->ns->lasting[t->node] : &t->child;
	bool goes_on;
	int at;
	const struct uuid *id = up->head_at >= 0 && !r->exit ? ref_id_of(up, t) : NULL;
	struct val input = child_input(key), before[CHANNELS];
	struct scope_ref s;
	enum end end;

	if (*place == NULL)
		*place = ref_rns_new(node->child);
	ref_scope_make(&s, r, *place, node->persist ? sim_child_ns(r->sim, up->name,
	    sim_node_name(t->node), NULL) : id != NULL ? sim_child_ns(r->sim, up->name,
	    sim_node_name(t->node), id) : S("?"));
	s.key = key;
	s.child = true;
	at = child_at(r, *place, node->persist);
	if (at >= 0)
		ref_scope_load(&s, (*place)->at[at], at);
	goes_on = at >= 0 && (!node->persist || s.head->serial > up->head->serial);
	if (goes_on) {
		s.stop = s.head->step + r->limit + 2;
		if (s.head->tasks_n == 1 && s.head->tasks[0].node == AT_START) {
			ref_task_forget(&s.head->tasks[0]);
			ref_take_input(s.head, s.ns->a, s.v, input, !r->exit);
			end = ref_step(&s);
			end = end == END_DONE ? ref_scope_loop(&s) : end;
		} else {
			end = ref_scope_loop(&s);
		}
	} else {
		end = ref_begin_with(&s, input);
	}
	if (end == END_DONE) {
		if (s.has_begun)
			memcpy(before, s.begun, sizeof before);
		else
			state_at_begin(&s, up->head->serial, input, before);
		s.has_begun = false;
		*added = added_to(s.head, before);
		ref_values_drop(before);
	}
	if (end != END_DONE || node->persist)
		ref_save(&s);
	if (s.has_begun)
		ref_values_drop(s.begun);
	ref_scope_drop(&s);
	val_drop(input);
	return end;
}
