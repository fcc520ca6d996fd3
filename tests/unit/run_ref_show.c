/*
 * run_ref_show.c - the interpreter's history beside the store's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_ref.h"

#include <stdarg.h>

/* ---- what came of it ---------------------------------------------------------------------------------------------------- */

_Noreturn void
ref_fail_with(struct ref *r, const char *format, ...)
{
	struct buf all = BUF(MB);
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ref_describe(r, &all);
	test_fail(__FILE__, __LINE__, "%s\n%.*s", text, FMT(buf_str(&all)));
}

static void
differ(struct ref *r, struct str ns, size_t i, const char *what, struct val got,
    struct val want)
{
	struct buf a = BUF(MB), b = BUF(MB), all = BUF(MB);

	val_add_json(&a, got);
	val_add_json(&b, want);
	ref_describe(r, &all);
	test_fail(__FILE__, __LINE__, "after run %u, namespace \"%.*s\", checkpoint %zu: %s\n"
	    "   is        %.*s\n   should be %.*s\n%.*s", r->run, FMT(ns), i, what,
	    FMT(buf_str(&a)), FMT(buf_str(&b)), FMT(buf_str(&all)));
}

static void
same_int(struct ref *r, struct str ns, size_t i, const char *what, int64_t got,
    int64_t want)
{
	if (got != want)
		differ(r, ns, i, what, val_int(got), val_int(want));
}

static void
same_val(struct ref *r, struct str ns, size_t i, const char *what, struct val got,
    struct val want)
{
	if (got.kind != want.kind || (got.kind != VAL_UNDEFINED && !val_equal(got, want)))
		differ(r, ns, i, what, got, want);
}

static void compare_ns(struct ref *r, const struct rns *ns, struct str name);

static void
compare_checkpoint(struct ref *r, const struct rns *ns, struct str name, size_t i)
{
	const struct sim_checkpoint *c = sim_checkpoint_at(r->sim, name, i), *parent;
	const struct rcheckpoint *x = ns->at[i];
	struct val initial[CHANNELS];

	same_int(r, name, i, "step", c->step, x->step);
	same_int(r, name, i, "source", c->source, x->source);
	same_int(r, name, i, "run", c->run.b[15], x->run & 255);
	parent = x->parent < 0 ? NULL : sim_checkpoint_at(r->sim, name, (size_t)x->parent);
	if (parent == NULL ? !uuid_is_zero(&c->parent) : !uuid_eq(&parent->id, &c->parent))
		differ(r, name, i, "parent", VAL_NIL, val_int(x->parent));
	ref_defaults(initial);
	for (int k = 0; k < CHANNELS; k++)
		same_val(r, name, i, sim_channels[k].name, c->v[k].kind !=
		    VAL_UNDEFINED ? c->v[k] : initial[k], x->v[k]);
	ref_values_drop(initial);
	same_int(r, name, i, "number of tasks", (int64_t)c->tasks_n, (int64_t)x->tasks_n);
	for (size_t k = 0; k < x->tasks_n; k++) {
		const struct rtask *t = &x->tasks[k];

		same_int(r, name, i, "task", c->tasks[k].node, t->node);
		same_int(r, name, i, "push", c->tasks[k].push, t->push);
		same_int(r, name, i, "index", c->tasks[k].index, t->index);
		same_val(r, name, i, "input", c->tasks[k].input, t->input);
		if (t->child != NULL)
			compare_ns(r, t->child, sim_child_ns(r->sim, name,
			    sim_node_name(t->node), &c->tasks[k].id));
	}
}

static void
compare_ns(struct ref *r, const struct rns *ns, struct str name)
{
	same_int(r, name, 0, "number of checkpoints", (int64_t)sim_count(r->sim, name),
	    (int64_t)ns->n);
	for (size_t i = 0; i < ns->n; i++)
		compare_checkpoint(r, ns, name, i);
	for (int i = 0; i < NODES; i++)
		if (ns->lasting[i] != NULL)
			compare_ns(r, ns->lasting[i], sim_child_ns(r->sim, name,
			    sim_node_name(i), NULL));
}

void
ref_compare(struct ref *r)
{
	struct uuid ids[256];
	size_t n, waits = 0;

	compare_ns(r, r->root, STR_NONE);
	n = ref_waiting(r, ids, COUNT(ids));
	for (size_t i = 0; i < r->sim->interrupts_n; i++) {
		const struct sim_interrupt *x = &r->sim->interrupts[i];
		bool there = false;

		for (size_t k = 0; k < n; k++)
			there = there || uuid_eq(&ids[k], &x->i.id);
		if (x->gone || !sim_waits(r->sim, x)) {
			if (there)
				same_int(r, x->i.ns, i, "a question waits", 0, 1);
			continue;
		}
		if (!there)
			same_int(r, x->i.ns, i, "a question waits", 1, 0);
		waits++;
	}
	same_int(r, STR_NONE, 0, "waiting questions", (int64_t)waits, (int64_t)n);
}

size_t
ref_checkpoints(const struct ref *r)
{
	return r->root->n;
}

static void
describe(struct buf *b, const struct rns *ns, unsigned level)
{
	static const char *const sources[] = { "input", "loop", "update", "fork" };

	for (size_t i = 0; i < ns->n; i++) {
		const struct rcheckpoint *c = ns->at[i];

		buf_add_fmt(b, "%*s%zu: step %d, %s, after %d, run %u, next", (int)level * 4,
		    "", i, c->step, sources[c->source], c->parent, c->run);
		for (size_t k = 0; k < c->tasks_n; k++)
			buf_add_fmt(b, " %s%s%s", sim_node_name(c->tasks[k].node),
			    c->tasks[k].push ? "[]" : "", c->tasks[k].done ? "(done)" :
			    c->tasks[k].ask[0].asked ? "(asked)" : "");
		buf_add_fmt(b, ", n %lld\n", (long long)c->v[CH_N].u.i);
		for (size_t k = 0; k < c->tasks_n; k++)
			if (c->tasks[k].child != NULL)
				describe(b, c->tasks[k].child, level + 1);
	}
	for (int i = 0; i < NODES; i++)
		if (ns->lasting[i] != NULL) {
			buf_add_fmt(b, "%*s%s keeps\n", (int)level * 4, "", sim_node_name(i));
			describe(b, ns->lasting[i], level + 1);
		}
}

void
ref_describe(struct ref *r, struct buf *b)
{
	sim_agent_yaml(b, r->spec);
	buf_add_char(b, '\n');
	describe(b, r->root, 0);
}
