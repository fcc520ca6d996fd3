/*
 * save.c - durable agents: after each letter the image of the guest, that the letter was taken,
 * and what was sent, in one transaction.
 *
 * If it cannot be written, the guest is as it was before the letter: its instance goes, the
 * letter comes again, and another instance begins with the image that is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/hmac.h"
#include "store/wasm.h"
#include "wasm/agent/agents_priv.h"

_Static_assert(sizeof ((struct wasm_agent *)0)->digest == SHA256_SIZE, "a digest is SHA-256");

struct saving {
	struct store_wasm_save cmd;
	struct wasm_agents *all;
	struct wasm_agent *w;                /* NULL: it has stopped, or does not wait */
	struct arena arena;
	int64_t taken;
	uint8_t digest[SHA256_SIZE];
};

static void
saving_free(struct saving *x)
{
	struct wasm_agents *all = x->all;

	arena_release(&x->arena);
	free(x);
	agents_busy(all, -1);
}

static void
committed(struct wasm_agent *w, const struct saving *x)
{
	memcpy(w->digest, x->digest, sizeof w->digest);
	w->imaged = true;
	STAT(w->all, saved);
	letter_handled(w);
}

/* Messages of an agent that has stopped meanwhile are in the store, too. */
static void
saving_came(struct store_cmd *c)
{
	struct saving *x = CONTAINER_OF(c, struct saving, cmd.cmd);
	struct wasm_agent *w = x->w;

	if (w != NULL)
		w->saving = NULL;
	if (w != NULL && c->rc == OK) {
		committed(w, x);
	} else if (w != NULL) {
		log_warn("wasm", "agent_not_saved", "agent=%.*s error=%s", FMT(agent_address(w)),
		    c->err.text);
		guest_leave(w->at);
		letter_back(w);
		agent_rest(w, LIMIT_MAIL_RETRY_MS);
	}
	for (size_t i = 0; c->rc == OK && i < x->cmd.mails_n; i++)
		if (!x->cmd.mails[i].known)
			office_route(x->all->o.office, c->owner, &x->cmd.mails[i]);
	saving_free(x);
}

static struct saving *
saving_new(struct wasm_agent *w, const struct wasm_release *r)
{
	struct saving *x = mem_new(struct saving);

	x->all = w->all;
	x->arena = ARENA(2u * LIMIT_WASM_IMAGE_BYTES + 4u * LIMIT_WASM_SAID_BYTES);
	x->cmd = (struct store_wasm_save){ .cmd = { .op = STORE_WASM_SAVE, .owner = w->owner,
		.done = saving_came, .arena = &x->arena }, .agent = w->id,
		.name = arena_str(&x->arena, r->name), .number = r->folder ? 0 : r->number,
		.now = shard_wall(w->all->o.shard) };
	agents_busy(w->all, 1);
	return x;
}

static void
submit(struct wasm_agent *w, struct saving *x)
{
	const struct wasm_agents_options *o = &w->all->o;
	int rc;

	x->w = w;
	w->saving = x;
	rc = store_submit(o->store, o->shard, &x->cmd.cmd, false);
	if (rc == OK)
		return;
	x->cmd.cmd.rc = err_set(&x->cmd.cmd.err, rc, "the store is busy");
	saving_came(&x->cmd.cmd);
}

static void
save(struct wasm_agent *w, struct str body)
{
	struct saving *x = saving_new(w, w->at->release);
	struct letter *l = w->l;
	struct err e = { 0 };

	sha256(body, x->digest);
	x->cmd.keeps = w->imaged && memcmp(x->digest, w->digest, sizeof x->digest) == 0;
	if (!x->cmd.keeps)
		x->cmd.body = arena_str(&x->arena, body);
	x->taken = l->row;
	x->cmd.taken = &x->taken;
	x->cmd.taken_n = (l->flags & LETTER_DURABLE) != 0;
	if (say_prepare(w, &x->arena, &x->cmd.mails, &x->cmd.mails_n, &e) == OK) {
		submit(w, x);
	} else {
		saving_free(x);
		letter_failed(w, str_of(e.text));
	}
}

void
save_begin(struct wasm_agent *w)
{
	w->phase = SAVES;
	if (wasm_instance_save(w->at->instance) != OK)
		letter_trapped(w, true, S("its host process ended"));
}

void
save_image(struct wasm_agent *w, int rc, struct str body)
{
	if (w->phase != SAVES || w->saving != NULL)
		return;
	if (rc == OK)
		save(w, body);
	else if (rc == ERR_CLOSED)
		letter_trapped(w, true, S("its host process ended"));
	else
		letter_failed(w, S("the guest's state is too large to be saved, or holds "
		    "references that cannot be"));
}

void
save_forget(struct wasm_agent *w)
{
	if (w->saving != NULL)
		w->saving->w = NULL;
	w->saving = NULL;
}

void
save_drop(struct wasm_agent *w)
{
	struct saving *x = saving_new(w, w->now->release);

	w->imaged = false;
	if (store_submit(w->all->o.store, w->all->o.shard, &x->cmd.cmd, true) != OK)
		saving_free(x);
}

int
save_read(struct wasm_agent *w, struct arena *a, struct store_wasm_image *out)
{
	return store_wasm_image(w->all->o.reader, w->owner, &w->id, a, out);
}
