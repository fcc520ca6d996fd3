/*
 * guest.c - an instance of a release, as an agent has it, and what it says and asks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/wasm.h"
#include "wasm/agent/agents_priv.h"

/* ---- its hooks --------------------------------------------------------------------- */

/* Too many instances, or the host process was lost or could not be started: another try is
 * worth it. */
static bool
is_passing(int rc)
{
	return rc == ERR_LIMIT || rc == ERR_BUSY || rc == ERR_CLOSED || rc == ERR_IO;
}

/* The image cannot be restored (another module's, or damaged): start without it. */
static void
start_fresh(struct guest *g, const struct err *e)
{
	struct wasm_agent *w = g->w;
	struct err again;

	log_warn("wasm", "agent_not_restored", "agent=%.*s error=%s", FMT(agent_address(w)),
	    e->text);
	g->fresh = true;
	if (guest_start(g, &again) != OK) {
		if (w->l != NULL && w->at == g)
			letter_back(w);
		agent_rest(w, LIMIT_MAIL_RETRY_MS);
	}
}

static void
not_started(struct guest *g, int rc, const struct err *e)
{
	struct wasm_agent *w = g->w;
	bool restored = g->restores;

	guest_leave(g);
	if (g == w->next && w->readies != NULL) {
		reload_ready(w, rc);
		return;
	}
	wasm_desk_report(w->all->o.desk, g->release, false, 0);
	if (is_passing(rc)) {
		log_warn("wasm", "agent_not_started", "agent=%.*s error=%s",
		    FMT(agent_address(w)), e->text);
		if (w->l != NULL && w->at == g)
			letter_back(w);
		agent_rest(w, LIMIT_MAIL_RETRY_MS);
	} else if (restored) {
		start_fresh(g, e);
	} else if (w->l != NULL && w->at == g) {
		letter_trapped(w, false, str_of(e->text));
	} else if (g == w->now) {
		office_ended(w->agent, rc, str_of(e->text));
	}
}

static void
on_started(void *arg, int rc, const struct err *e)
{
	struct guest *g = arg;
	struct wasm_agent *w = g->w;

	if (rc != OK) {
		not_started(g, rc, e);
		return;
	}
	g->started = true;
	if (g->restores)
		STAT(w->all, restored);
	if (g == w->next && w->readies != NULL)
		reload_ready(w, OK);
	else if (w->phase == STARTS && w->at == g)
		letter_begin(w);
	else
		reload_look(w);
}

static void
on_log(void *arg, int level, struct str text)
{
	struct guest *g = arg;

	wasm_log(level, agent_address(g->w), text);
}

/* The agent whose letter it handles; NULL: it has none, and says something all the same. */
static struct wasm_agent *
at_work(const struct guest *g)
{
	return g->w->at == g ? g->w : NULL;
}

static void
on_send(void *arg, struct str json)
{
	if (at_work(arg) != NULL)
		say_add(at_work(arg), json, false);
}

static void
on_reply(void *arg, struct str json)
{
	if (at_work(arg) != NULL)
		say_add(at_work(arg), json, true);
}

static void
on_ask(void *arg, const struct wasm_ask *q)
{
	if (at_work(arg) != NULL)
		ask_begin(at_work(arg), q);
}

static void
on_done(void *arg, int32_t result, const struct wasm_cost *cost)
{
	(void)cost;
	if (at_work(arg) != NULL)
		letter_done(at_work(arg), result);
}

static void
on_trapped(void *arg, enum wasm_trap why, struct str text, const struct wasm_cost *cost)
{
	struct guest *g = arg;
	struct wasm_agent *w = g->w;
	bool lost = why == WASM_TRAP_OTHER;
	struct buf words = BUF(KB);

	(void)cost;
	buf_add(&words, str_cut(text, KB - 1));
	guest_leave(g);
	stat_add(w->all, lost ? offsetof(struct wasm_agents_stats, lost) :
	    offsetof(struct wasm_agents_stats, trapped), 1);
	if (w->l != NULL && w->at == g)
		letter_trapped(w, lost, buf_str(&words));
	else if (g == w->now && w->supervised)
		office_ended(w->agent, ERR_CLOSED, buf_str(&words));
	else if (g == w->next && w->readies != NULL)
		reload_ready(w, ERR_CLOSED);
	buf_release(&words);
}

static void
on_saved(void *arg, int rc, struct str body)
{
	if (at_work(arg) != NULL)
		save_image(at_work(arg), rc, body);
}

static const struct wasm_hooks hooks = {
	.started = on_started, .log = on_log, .send = on_send, .reply = on_reply, .ask = on_ask,
	.done = on_done, .trapped = on_trapped, .saved = on_saved,
};

/* ---- its life --------------------------------------------------------------------------- */

struct guest *
guest_new(struct wasm_agent *w, struct wasm_release *held)
{
	struct guest *g = mem_new(struct guest);

	g->w = w;
	g->release = held;
	return g;
}

void
guest_leave(struct guest *g)
{
	wasm_instance_free(g->instance);
	g->instance = NULL;
	g->started = g->restores = false;
}

void
guest_free(struct guest *g)
{
	if (g == NULL)
		return;
	guest_leave(g);
	if (g->release != NULL)
		wasm_release_drop(g->release);
	free(g);
}

static bool
is_of(const struct wasm_release *r, const struct store_wasm_image *image)
{
	return str_eq(r->name, image->name) && (r->folder ? image->number == 0 :
	    r->number == image->number);
}

int
guest_start(struct guest *g, struct err *e)
{
	struct wasm_agent *w = g->w;
	const struct wasm_policy *p = &g->release->policy;
	struct wasm_instance_options o = { .owner = w->owner, .limits = p->limits,
		.allow = p->allow };
	struct arena a = ARENA(2u * LIMIT_WASM_IMAGE_BYTES);
	struct store_wasm_image image;
	int rc;

	if (w->durable && !g->fresh && save_read(w, &a, &image) == OK &&
	    is_of(g->release, &image))
		o.restore = image.body;
	g->restores = o.restore.n > 0;
	g->started = false;
	o.code = wasm_release_code(g->release);
	rc = wasm_instance_new(&g->instance, wasm_desk_pool(w->all->o.desk), &o, &hooks, g, e);
	wasm_code_drop(o.code);
	arena_release(&a);
	return rc;
}
