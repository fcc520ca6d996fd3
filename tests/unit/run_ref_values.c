/*
 * run_ref_values.c - what the plain interpreter keeps, and its reducers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_ref.h"

#include "base/mem.h"

/* ---- memory ------------------------------------------------------------------------- */

static void rns_free(struct rns *ns);

void
ref_writes_drop(struct rwrite **w, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		val_drop((*w)[i].v);
	free(*w);
	*w = NULL;
	*n = 0;
}

void
ref_write_push(struct rwrite **w, size_t *n, int channel, int at, int slot, struct val v)
{
	*w = mem_resize(*w, (*n + 1) * sizeof **w);
	(*w)[(*n)++] = (struct rwrite){ channel, at, slot, v };
}

void
ref_sends_drop(struct place *p)
{
	for (size_t i = 0; i < p->sends_n; i++)
		val_drop(p->sends[i].input);
	free(p->sends);
	p->sends = NULL;
	p->sends_n = 0;
}

void
ref_send_push(struct place *p, int node, struct val input)
{
	p->sends = mem_resize(p->sends, (p->sends_n + 1) * sizeof *p->sends);
	p->sends[p->sends_n++] = (struct rsend){ node, input };
}

struct place
ref_place_copy(const struct place *from)
{
	struct place p = *from;

	p.sends = NULL;
	p.sends_n = 0;
	for (size_t i = 0; i < from->sends_n; i++)
		ref_send_push(&p, from->sends[i].node, val_ref(from->sends[i].input));
	return p;
}

void
ref_task_forget(struct rtask *t)
{
	ref_writes_drop(&t->w, &t->wn);
	for (size_t k = 0; k < ASKS; k++) {
		val_drop(t->ask[k].answer);
		t->ask[k].answer = VAL_UNDEF;
		t->ask[k].asked = false;
	}
	rns_free(t->child);
	t->child = NULL;
	t->done = false;
}

void
ref_checkpoint_free(struct rcheckpoint *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < CHANNELS; i++)
		val_drop(c->v[i]);
	for (size_t i = 0; i < c->tasks_n; i++) {
		ref_task_forget(&c->tasks[i]);
		val_drop(c->tasks[i].input);
	}
	free(c->tasks);
	val_drop(c->input);
	ref_writes_drop(&c->carried, &c->carried_n);
	ref_sends_drop(&c->place);
	free(c);
}

static void
rns_free(struct rns *ns)
{
	if (ns == NULL)
		return;
	for (size_t i = 0; i < ns->n; i++)
		ref_checkpoint_free(ns->at[i]);
	for (size_t i = 0; i < NODES; i++)
		rns_free(ns->lasting[i]);
	free(ns->at);
	free(ns);
}

struct rns *
ref_rns_new(const struct sim_agent *a)
{
	struct rns *ns = mem_new(struct rns);

	ns->a = a;
	return ns;
}

struct ref *
ref_new(const struct sim_agent *spec, struct sim_rules rules, struct sim *sim)
{
	struct ref *r = mem_new(struct ref);

	r->spec = spec;
	r->rules = rules;
	r->sim = sim;
	r->root = ref_rns_new(spec);
	return r;
}

void
ref_free(struct ref *r)
{
	rns_free(r->root);
	free(r);
}

/* ---- reducers --------------------------------------------------------------------------- */

struct val
ref_overwritten(struct val w)
{
	return w.kind == VAL_OBJECT ? val_get(w, S("__overwrite__")) : VAL_UNDEF;
}

static struct val
add_message(struct val list, struct val m)
{
	for (size_t i = 0; i < val_count(list); i++)
		if (val_equal(val_get(val_at(list, i), S("id")), val_get(m, S("id"))))
			return val_set_at_take(list, i, val_ref(m));
	return val_push_take(list, val_ref(m));
}

/* old is taken. */
struct val
ref_reduced(enum channel_no c, struct val old, struct val w)
{
	struct val all = ref_overwritten(w);
	bool none = old.kind == VAL_UNDEFINED;

	if (all.kind != VAL_UNDEFINED) {
		val_drop(old);
		return val_ref(all);
	}
	switch (sim_channels[c].reducer) {
	case REDUCE_SUM:
		return val_int(w.u.i + (none ? 0 : old.u.i));
	case REDUCE_MAX:
		return none || w.u.i > old.u.i ? w : old;
	case REDUCE_MIN:
		return none || w.u.i < old.u.i ? w : old;
	case REDUCE_MERGE:
		old = none ? val_object_empty() : old;
		for (size_t i = 0; i < val_count(w); i++)
			old = val_set_take(old, val_key(w, i), val_ref(val_member(w, i)));
		return old;
	case REDUCE_APPEND:
		if (w.kind != VAL_ARRAY)
			return val_push_take(old, val_ref(w));
		for (size_t i = 0; i < val_count(w); i++)
			old = val_push_take(old, val_ref(val_at(w, i)));
		return old;
	case REDUCE_MESSAGES:
		for (size_t i = 0; i < val_count(w); i++)
			old = add_message(old, val_at(w, i));
		return old;
	default:
		val_drop(old);
		return val_ref(w);
	}
}

void
ref_defaults(struct val *v)
{
	for (size_t i = 0; i < CHANNELS; i++)
		v[i] = VAL_UNDEF;
	v[CH_N] = val_int(0);
	v[CH_MIN] = val_int(50);
	v[CH_LOG] = val_array_empty();
	v[CH_MESSAGES] = val_array_empty();
}

void
ref_values_drop(struct val *v)
{
	for (size_t i = 0; i < CHANNELS; i++)
		val_drop(v[i]);
}

int
ref_channel_of(struct str name)
{
	for (int i = 0; i < CHANNELS; i++)
		if (str_eq(name, str_of(sim_channels[i].name)))
			return i;
	return -1;
}
