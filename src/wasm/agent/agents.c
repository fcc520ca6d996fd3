/*
 * agents.c - see agents.h: the agents of a shard, made and stopped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/wasm.h"
#include "wasm/agent/agents_priv.h"

#define BUILD_LOOK_MS 1000                   /* for a release that is being built */

void
stat_add(struct wasm_agents *all, size_t at, int64_t n)
{
	atomic_fetch_add_explicit(&all->stats[at / sizeof(uint64_t)], (uint64_t)n,
	    memory_order_relaxed);
}

void
agents_busy(struct wasm_agents *all, int n)
{
	void (*done)(void *ctx) = all->drained;

	assert(n > 0 || all->busy > 0);
	all->busy += (size_t)n;
	if (all->busy > 0 || done == NULL)
		return;
	all->drained = NULL;
	done(all->drained_ctx);
}

struct str
agent_address(const struct wasm_agent *w)
{
	return office_agent_address(w->agent);
}

/* ---- its release ----------------------------------------------------------------------- */

/* The release that saved its image; if that is gone, the agent starts fresh on the current one. */
static int
find_saved(struct wasm_agent *w, struct wasm_release **out, struct err *e)
{
	struct wasm_desk *k = w->all->o.desk;
	struct arena a = ARENA(2u * LIMIT_WASM_IMAGE_BYTES);
	struct store_wasm_image image;
	int rc = save_read(w, &a, &image);

	if (rc == OK && image.number > 0) {
		rc = wasm_desk_find_number(k, w->owner, image.name, image.number, out, e);
		if (rc == ERR_NOTFOUND)
			log_warn("wasm", "agent_release_gone", "agent=%.*s module=%.*s release=%lld "
			    "error=%s", FMT(agent_address(w)), FMT(image.name),
			    (long long)image.number, e->text);
	} else {
		rc = rc == OK || rc == ERR_NOTFOUND ? ERR_NOTFOUND :
		    err_set(e, rc, "what was saved of the agent cannot be read");
	}
	arena_release(&a);
	return rc;
}

int
agent_find(struct wasm_agent *w, struct err *e)
{
	struct wasm_release *r;
	int rc = ERR_NOTFOUND;

	if (w->durable)
		rc = find_saved(w, &r, e);
	if (rc == ERR_NOTFOUND)
		rc = wasm_desk_find(w->all->o.desk, w->owner,
		    office_agent_spec(w->agent)->graph_id, &r, e);
	if (rc == OK)
		w->now = guest_new(w, r);
	return rc;
}

static void
on_wake(struct wheel_timer *t)
{
	struct wasm_agent *w = CONTAINER_OF(t, struct wasm_agent, wake);
	struct err e;
	int rc = OK;

	w->pause = 0;
	if (w->now == NULL)
		rc = agent_find(w, &e);
	if (rc == ERR_BUSY)
		agent_rest(w, BUILD_LOOK_MS);
	else if (rc != OK)
		office_ended(w->agent, rc, str_of(e.text));
	else
		office_agent_wake(w->agent);
}

void
agent_rest(struct wasm_agent *w, msec ms)
{
	struct shard *s = w->all->o.shard;
	msec until = shard_wall(s) + ms;

	if (ms > 0 && w->pause > until)
		return;
	w->pause = until;
	w->wake.fire = on_wake;
	shard_timer_cancel(s, &w->wake);
	shard_timer_set(s, &w->wake, ms);
}

/* ---- the kind ---------------------------------------------------------------------------- */

static int
check(const struct office_spec *s, struct err *e)
{
	if (s->graph_id.n == 0)
		return err_set(e, ERR_INVALID, "graph_id: expected the name of a module");
	if (s->input_json.n + s->config_json.n > 0)
		return err_set(e, ERR_INVALID, "%s: an agent of kind wasm has none: send it a "
		    "message", s->input_json.n > 0 ? "input" : "config");
	return OK;
}

static void
agents_stop(void *self)
{
	struct wasm_agent *w = self;
	struct letter *l;

	reload_left(w);
	save_forget(w);
	l = letter_clear(w);
	if (l != NULL)
		office_agent_return(w->agent, l);
	shard_timer_cancel(w->all->o.shard, &w->wake);
	shard_timer_cancel(w->all->o.shard, &w->drain);
	guest_free(w->now);
	guest_free(w->next);
	list_remove(&w->in);
	free(w->sends);
	stat_add(w->all, offsetof(struct wasm_agents_stats, agents), -1);
	free(w);
}

static struct wasm_agent *
agent_new(struct wasm_agents *all, struct office_agent *a)
{
	const struct office_spec *s = office_agent_spec(a);
	struct wasm_agent *w = mem_new(struct wasm_agent);

	w->all = all;
	w->agent = a;
	w->owner = s->owner;
	w->id = s->id;
	w->durable = s->durable;
	w->supervised = s->restart != RESTART_NEVER;
	list_append(&all->agents, &w->in);
	STAT(all, agents);
	return w;
}

/* A new one starts at once, so that the client that spawns it soon sees an error; one that
 * is recovered with the server starts with its first letter. */
static int
agents_start(void *ctx, struct office_agent *a, void **self, enum office_start how,
    struct err *e)
{
	struct wasm_agent *w;
	struct err passing;
	int rc = check(office_agent_spec(a), e);

	if (rc != OK)
		return rc;
	w = agent_new(ctx, a);
	rc = agent_find(w, e);
	if (rc == ERR_BUSY) {
		agent_rest(w, BUILD_LOOK_MS);
	} else if (rc != OK) {
		agents_stop(w);
		return rc;
	} else if (how != START_RECOVERED) {
		(void)guest_start(w->now, &passing);
	}
	*self = w;
	return OK;
}

static const struct office_kind kind = {
	.name = "wasm", .start = agents_start, .take = letter_take, .stop = agents_stop,
	.durable = true, .modules = true,
};

/* ---- of a shard --------------------------------------------------------------------------- */

struct wasm_agents *
wasm_agents_new(const struct wasm_agents_options *o)
{
	struct wasm_agents *all = mem_new(struct wasm_agents);

	all->o = *o;
	list_init(&all->agents);
	office_kind_add(o->office, &kind, all);
	reload_listen(all);
	return all;
}

void
wasm_agents_drain(struct wasm_agents *all, void (*done)(void *ctx), void *ctx)
{
	all->draining = true;
	if (all->busy == 0) {
		done(ctx);
		return;
	}
	all->drained = done;
	all->drained_ctx = ctx;
}

void
wasm_agents_free(struct wasm_agents *all)
{
	if (all == NULL)
		return;
	assert(list_empty(&all->agents) && all->busy == 0);
	free(all);
}

void
wasm_agents_stats(const struct wasm_agents *all, struct wasm_agents_stats *out)
{
	uint64_t *at = (uint64_t *)out;

	for (size_t i = 0; i < STATS_WORDS; i++)
		at[i] = atomic_load_explicit(&all->stats[i], memory_order_relaxed);
}

static void
add_agents(struct wasm_agents_stats *to, const struct wasm_agents_stats *s)
{
	uint64_t *at = (uint64_t *)to;
	const uint64_t *more = (const uint64_t *)s;

	for (size_t i = 0; i < STATS_WORDS; i++)
		at[i] += more[i];
}

void
wasm_figures_add(struct wasm_figures *to, const struct wasm_agents *all)
{
	struct wasm_agents_stats s;
	struct wasm_pool_stats p;

	wasm_agents_stats(all, &s);
	add_agents(&to->agents, &s);
	wasm_pool_stats(wasm_desk_pool(all->o.desk), &p);
	to->pool.hosts += p.hosts;
	to->pool.instances += p.instances;
	to->pool.quarantined += p.quarantined;
	to->pool.waiting += p.waiting;
	to->pool.calls += p.calls;
	for (size_t i = 0; i < WASM_TRAPS; i++)
		to->pool.traps[i] += p.traps[i];
	to->pool.lost += p.lost;
	to->pool.moved += p.moved;
	to->pool.cpu += p.cpu;
	to->pool.fuel += p.fuel;
}
