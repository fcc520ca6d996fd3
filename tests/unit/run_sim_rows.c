/*
 * run_sim_rows.c - the simulator's store, read: as the core asks for it, and as the
 * tests do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_sim.h"

#include "base/limits.h"
#include "base/mem.h"

const struct uuid sim_no_id;

/* ---- rows ---------------------------------------------------------------------------- */

struct uuid
run_uuid(unsigned run)
{
	return (struct uuid){ .b = { [0] = 0xaa, [14] = (uint8_t)(run >> 8),
	    [15] = (uint8_t)run } };
}

struct str
sim_kept(struct sim *s, struct str text)
{
	return arena_str(&s->arena, text);
}

const struct sim_checkpoint *
sim_checkpoint_at(const struct sim *s, struct str ns, size_t i)
{
	for (size_t k = 0; k < s->checkpoints_n; k++)
		if (!s->checkpoints[k].gone && str_eq(s->checkpoints[k].ns, ns) && i-- == 0)
			return &s->checkpoints[k];
	return NULL;
}

size_t
sim_count(const struct sim *s, struct str ns)
{
	size_t n = 0;

	while (sim_checkpoint_at(s, ns, n) != NULL)
		n++;
	return n;
}

const struct sim_checkpoint *
sim_find(const struct sim *s, struct str ns, const struct uuid *id)
{
	const struct sim_checkpoint *found = NULL;

	for (size_t k = 0; k < s->checkpoints_n; k++) {
		const struct sim_checkpoint *c = &s->checkpoints[k];

		if (!c->gone && str_eq(c->ns, ns) &&
		    (uuid_is_zero(id) || uuid_eq(&c->id, id)))
			found = c;           /* the newest is the last */
	}
	return found;
}

bool
sim_has(const struct sim *s, const struct uuid *task, int what, unsigned run)
{
	struct uuid id = run_uuid(run);

	for (size_t i = 0; i < s->writes_n; i++) {
		const struct sim_write *w = &s->writes[i];

		if (w->gone || !uuid_eq(&w->task, task))
			continue;
		if ((int)w->what == what && (what != FAILED || (w->idx == s->attempt &&
		    uuid_eq(&w->run, &id))))
			return true;
		if (what == WRITTEN && w->what == NOTHING)
			return true;
	}
	return false;
}

const struct sim_interrupt *
sim_asked(const struct sim *s, const struct uuid *task, unsigned key)
{
	for (size_t i = 0; i < s->interrupts_n; i++)
		if (!s->interrupts[i].gone && uuid_eq(&s->interrupts[i].i.task, task) &&
		    str_eq(s->interrupts[i].i.key, str_of(ask_keys[key])))
			return &s->interrupts[i];
	return NULL;
}

struct str
sim_child_ns(struct sim *s, struct str ns, const char *node, const struct uuid *task)
{
	struct buf b = BUF(LIMIT_CHECKPOINT_NS_BYTES);
	struct str out;

	buf_add(&b, ns);
	buf_add(&b, str_of(ns.n > 0 ? "|" : ""));
	buf_add(&b, str_of(node));
	if (task != NULL) {
		buf_lit(&b, ":");
		uuid_add(&b, task);
	}
	out = sim_kept(s, buf_str(&b));
	buf_release(&b);
	return out;
}

/* ---- effects: reading -------------------------------------------------------------------- */

struct loaded { struct core_saved s; struct arena arena; };

static void
load_task(const struct sim *s, const struct sim_task *row, struct core_saved_task *t,
    struct arena *a)
{
	*t = (struct core_saved_task){ .id = row->id, .name = row->name };
	t->writes = arena_alloc(a, (s->writes_n + 1) * sizeof *t->writes);
	t->records = arena_alloc(a, (s->writes_n + 1) * sizeof *t->records);
	for (size_t i = 0; i < s->writes_n; i++) {
		const struct sim_write *w = &s->writes[i];

		if (w->gone || !uuid_eq(&w->task, &t->id))
			continue;
		t->done = t->done || w->what == WRITTEN || w->what == NOTHING;
		if (w->what == WRITTEN)
			t->writes[t->writes_n++] = (struct core_name_value){ w->name,
			    w->value };
		if (w->what == RECORDED)
			t->records[t->records_n++] = (struct task_record){ w->name,
			    S("tool"), S("1") };
	}
}

static void
load_left(const struct sim *s, struct core_saved *out, const struct sim_checkpoint *c,
    struct arena *a)
{
	out->carried = arena_alloc(a, (s->writes_n + 1) * sizeof *out->carried);
	out->interrupts = arena_alloc(a, (s->interrupts_n + 1) * sizeof *out->interrupts);
	for (size_t k = 0; k < c->tasks_n; k++) {
		for (size_t i = 0; i < s->writes_n; i++)
			if (!s->writes[i].gone && s->writes[i].what == CARRIED &&
			    uuid_eq(&s->writes[i].task, &c->tasks[k].id))
				out->carried[out->carried_n++] = (struct core_name_value){
				    s->writes[i].name, s->writes[i].value };
		for (size_t i = 0; i < s->interrupts_n; i++)
			if (!s->interrupts[i].gone && s->interrupts[i].state != ASK_VOID &&
			    uuid_eq(&s->interrupts[i].i.task, &c->tasks[k].id))
				out->interrupts[out->interrupts_n++] = s->interrupts[i].i;
	}
}

/* Of a checkpoint before its input was applied: what START's task wrote. */
static struct val
input_of(const struct sim *s, const struct sim_checkpoint *c)
{
	struct val input = VAL_UNDEF;

	for (size_t i = 0; i < s->writes_n; i++) {
		const struct sim_write *w = &s->writes[i];

		if (!w->gone && w->what == WRITTEN && uuid_eq(&w->task, &c->tasks[0].id) &&
		    !graph_channel_is_control(w->name))
			input = val_set_take(input.kind == VAL_UNDEFINED ?
			    val_object_empty() : input, w->name, val_ref(w->value));
	}
	for (size_t i = 0; input.kind == VAL_UNDEFINED && i < s->checkpoints_n; i++) {
		const struct sim_checkpoint *next = &s->checkpoints[i];

		if (!next->gone && next->source == SOURCE_LOOP &&
		    str_eq(next->ns, c->ns) && uuid_eq(&next->parent, &c->id))
			input = val_ref(next->wrote);
	}
	return input;
}

int
sim_load(void *ctx, struct str ns, const struct uuid *id, struct core_saved **out)
{
	struct sim *s = ctx;
	const struct sim_checkpoint *c = sim_find(s, ns, id);
	struct loaded *x;
	struct core_saved *o;

	*out = NULL;
	if (c == NULL)
		return OK;
	x = mem_new(struct loaded);
	x->arena = ARENA(MB * 64);
	o = &x->s;
	*o = (struct core_saved){ .id = c->id, .parent = c->parent, .run_id = c->run,
	    .step = c->step, .source = c->source, .snapshot = c->snapshot,
	    .head = sim_find(s, ns, &sim_no_id) == c };
	o->values = arena_alloc(&x->arena, CHANNELS * sizeof *o->values);
	for (size_t i = 0; i < CHANNELS; i++)
		if (c->v[i].kind != VAL_UNDEFINED)
			o->values[o->values_n++] = (struct core_name_value){
			    str_of(sim_channels[i].name), c->v[i] };
	o->tasks = arena_alloc(&x->arena, (c->tasks_n + 1) * sizeof *o->tasks);
	for (size_t i = 0; i < c->tasks_n; i++)
		load_task(s, &c->tasks[i], &o->tasks[o->tasks_n++], &x->arena);
	load_left(s, o, c, &x->arena);
	o->input = o->head || c->tasks_n != 1 || c->tasks[0].node != GRAPH_START ?
	    VAL_UNDEF : input_of(s, c);
	*out = o;
	return OK;
}

void
sim_load_release(void *ctx, struct core_saved *saved)
{
	struct loaded *x;

	(void)ctx;
	if (saved == NULL)
		return;
	x = CONTAINER_OF(saved, struct loaded, s);
	val_drop(saved->input);
	arena_release(&x->arena);
	free(x);
}

static bool
task_comes(const struct sim *s, struct str ns, const struct uuid *task)
{
	const struct sim_checkpoint *head = sim_find(s, ns, &sim_no_id);

	for (size_t i = 0; head != NULL && i < head->tasks_n; i++)
		if (uuid_eq(&head->tasks[i].id, task))
			return true;
	return false;
}

/* As the store's: of "a:T|b:U" T must come next in "" and U in "a:T". */
bool
sim_still_waits(const struct sim *s, const struct core_interrupt *i)
{
	struct str rest = i->ns, part;

	if (!task_comes(s, i->ns, &i->task))
		return false;
	while (str_next(&rest, '|', &part)) {
		struct str up = { i->ns.p, (size_t)(part.p - i->ns.p) };
		struct uuid task;

		if (part.n < UUID_TEXT || !uuid_parse(str_sub(part, part.n - UUID_TEXT,
		    UUID_TEXT), &task))
			continue;
		up.n -= up.n > 0;
		if (!task_comes(s, up, &task))
			return false;
	}
	return true;
}

bool
sim_waits(const struct sim *s, const struct sim_interrupt *x)
{
	return x->state == ASK_WAITS && sim_still_waits(s, &x->i);
}

int
sim_load_waiting(void *ctx, const struct core_interrupt **out, size_t *n)
{
	struct sim *s = ctx;

	*n = 0;
	for (size_t i = 0; i < s->interrupts_n; i++) {
		const struct sim_interrupt *x = &s->interrupts[i];

		if (x->gone || x->state != ASK_WAITS)
			continue;
		mem_grow(s->waiting, *n, s->waiting_cap);
		s->waiting[*n] = x->i;
		s->waiting[(*n)++].waits = sim_waits(s, x);
	}
	*out = s->waiting;
	return OK;
}
