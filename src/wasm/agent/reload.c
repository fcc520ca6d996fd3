/*
 * reload.c - another release takes over the agents of a module (wasm/deploy/deploy.h).
 *
 * No strategy loses a letter: those that wait stay in the mailbox, and the one under way is
 * finished by the old guest, or (immediate) begun again by the new one.  A durable agent takes
 * no part in a split: its guest is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/agent/agents_priv.h"

/* The instances of a parallel reload on this shard. */
struct readying { struct wasm_release *to; size_t left; int rc; };

static bool
is_same(const struct wasm_release *a, const struct wasm_release *b)
{
	return a == b || (a->number == b->number && a->folder == b->folder &&
	    a->owner == b->owner && str_eq(a->name, b->name) && !a->folder);
}

static bool
concerns(const struct wasm_release *to, const struct wasm_agent *w)
{
	if (!str_eq(office_agent_spec(w->agent)->graph_id, to->name))
		return false;
	return to->folder ? w->now == NULL || w->now->release->folder : w->owner == to->owner;
}

/* ---- when it is time --------------------------------------------------------------------- */

static void
set_next(struct wasm_agent *w, struct wasm_release *to)
{
	w->drops = false;
	if (w->next != NULL && is_same(w->next->release, to))
		return;
	guest_free(w->next);
	w->next = guest_new(w, wasm_release_hold(to));
}

static void
take_over(struct wasm_agent *w)
{
	shard_timer_cancel(w->all->o.shard, &w->drain);
	guest_free(w->now);
	w->now = w->next;
	w->next = NULL;
	w->switches = false;
	w->to_drain = 0;
	STAT(w->all, reloaded);
	if (w->durable)
		save_drop(w);
	office_agent_wake(w->agent);
}

void
reload_look(struct wasm_agent *w)
{
	if (w->phase != IDLE)
		return;
	if (w->drops) {
		guest_free(w->next);
		w->next = NULL;
		w->drops = false;
	}
	if (w->switches && w->to_drain == 0)
		take_over(w);
}

void
reload_counted(struct wasm_agent *w)
{
	if (w->switches && w->to_drain > 0)
		w->to_drain--;
	reload_look(w);
}

static void
on_drained(struct wheel_timer *t)
{
	struct wasm_agent *w = CONTAINER_OF(t, struct wasm_agent, drain);

	w->to_drain = 0;
	reload_look(w);
}

/* ---- the strategies -------------------------------------------------------------------------- */

/* Is r->to its current release?  Then a split ended without a change; drop the other one. */
static bool
stays(struct wasm_agent *w, const struct wasm_reload *r)
{
	w->splits = false;
	if (w->now == NULL || !is_same(w->now->release, r->to))
		return false;
	w->switches = false;
	w->drops = w->next != NULL;
	reload_look(w);
	return true;
}

static void
graceful(struct wasm_agent *w, const struct wasm_reload *r)
{
	if (stays(w, r))
		return;
	set_next(w, r->to);
	w->switches = true;
	w->to_drain = (uint32_t)post_waiting(office_post(w->all->o.office),
	    office_agent_ref(w->agent));
	w->drain.fire = on_drained;
	shard_timer_set(w->all->o.shard, &w->drain, r->drain > 0 ? r->drain :
	    LIMIT_WASM_DRAIN_MS);
	reload_look(w);
}

/* As soon as it is idle: the old one finishes the letter under way. */
static void
switched(struct wasm_agent *w, const struct wasm_reload *r)
{
	if (stays(w, r))
		return;
	set_next(w, r->to);
	w->switches = true;
	w->to_drain = 0;
	reload_look(w);
}

/* The letter that the old one has is begun again by the new one. */
static void
begin_again(struct wasm_agent *w)
{
	struct letter *l = letter_clear(w);
	struct err e;

	take_over(w);
	w->l = l;
	w->at = w->now;
	w->phase = STARTS;
	if (guest_start(w->at, &e) != OK)
		letter_back(w);
}

static void
immediate(struct wasm_agent *w, const struct wasm_reload *r)
{
	switched(w, r);
	if (w->switches && (w->phase == STARTS || w->phase == CALLS))
		begin_again(w);
}

static void
split(struct wasm_agent *w, const struct wasm_reload *r)
{
	if (w->durable || w->now == NULL)
		return;
	set_next(w, r->to);
	w->splits = true;
}

void
reload_ready(struct wasm_agent *w, int rc)
{
	struct readying *x = w->readies;

	if (x == NULL)
		return;
	w->readies = NULL;
	x->left--;
	if (rc != OK)
		x->rc = rc;
	if (x->left > 0)
		return;
	wasm_desk_ready(w->all->o.desk, x->to, x->rc);
	wasm_release_drop(x->to);
	free(x);
}

void
reload_left(struct wasm_agent *w)
{
	reload_ready(w, OK);
}

/* x counts one more than there are agents, until all have been asked. */
static void
beside(struct wasm_agent *w, struct readying *x)
{
	struct err e;
	int rc;

	reload_ready(w, ERR_CANCELLED);
	set_next(w, x->to);
	w->readies = x;
	x->left++;
	rc = guest_start(w->next, &e);
	if (rc != OK)
		reload_ready(w, rc);
}

static void
parallel(struct wasm_agents *all, const struct wasm_reload *r)
{
	struct readying *x = mem_new(struct readying);

	*x = (struct readying){ .to = wasm_release_hold(r->to), .left = 1 };
	for (struct list *l = all->agents.next; l != &all->agents; l = l->next) {
		struct wasm_agent *w = CONTAINER_OF(l, struct wasm_agent, in);

		if (concerns(r->to, w) && w->now != NULL)
			beside(w, x);
	}
	if (--x->left > 0)
		return;
	wasm_desk_ready(all->o.desk, x->to, x->rc);
	wasm_release_drop(x->to);
	free(x);
}

/* ---- notices of the desk --------------------------------------------------------------------- */

static void (*const strategies[])(struct wasm_agent *w, const struct wasm_reload *r) = {
	[WASM_GRACEFUL] = graceful, [WASM_IMMEDIATE] = immediate, [WASM_SPLIT] = split,
};

/* Agents may end meanwhile: the list is walked by a copy of the next link. */
static void
each(struct wasm_agents *all, const struct wasm_reload *r,
    void (*f)(struct wasm_agent *w, const struct wasm_reload *r))
{
	for (struct list *l = all->agents.next, *next; l != &all->agents; l = next) {
		struct wasm_agent *w = CONTAINER_OF(l, struct wasm_agent, in);

		next = l->next;
		if (!concerns(r->to, w))
			continue;
		if (w->now == NULL)
			agent_rest(w, 0);    /* it looks again */
		else if (f != NULL)
			f(w, r);
	}
}

static void
on_reload(void *ctx, const struct wasm_reload *r)
{
	struct wasm_agents *all = ctx;

	if (r->from == NULL)
		each(all, r, NULL);
	else if (r->strategy == WASM_PARALLEL)
		parallel(all, r);
	else
		each(all, r, strategies[r->strategy]);
}

static void
not_switched(struct wasm_agent *w, const struct wasm_reload *r)
{
	(void)r;
	w->drops = w->next != NULL;
	reload_look(w);
}

static void
on_switched(void *ctx, const struct wasm_reload *r, int rc)
{
	each(ctx, r, rc == OK ? switched : not_switched);
}

void
reload_listen(struct wasm_agents *all)
{
	all->listener = (struct wasm_listener){ .reload = on_reload, .switched = on_switched,
		.ctx = all };
	wasm_desk_listen(all->o.desk, &all->listener);
}
