/*
 * passes.c - see passes.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/passes.h"

#include "base/mem.h"

struct shared_passes {
	struct talk *talk;
	struct shard *shard;
	struct auth *auth;
};

static bool
say(void *ctx, uint64_t to, struct str word)
{
	struct shared_passes *p = ctx;

	return talk_say(p->talk, to, TALK_PASSES, &word, 1) == OK;
}

static bool
is_up(void *ctx)
{
	return talk_is_up(((struct shared_passes *)ctx)->talk);
}

static void
on_word(void *ctx, uint64_t from, struct str what)
{
	struct shared_passes *p = ctx;

	auth_peers_heard(p->auth, from, what, shard_wall(p->shard));
}

static void
on_bus(void *ctx, bool up)
{
	auth_peers_changed(((struct shared_passes *)ctx)->auth, up);
}

struct shared_passes *
shared_passes_new(struct talk *t, struct shard *s, struct auth *a)
{
	struct shared_passes *p = mem_new(struct shared_passes);

	*p = (struct shared_passes){ t, s, a };
	auth_set_peers(a, &(struct auth_peers){ say, is_up, p });
	talk_on(t, TALK_PASSES, &(struct talk_ear){ .heard = on_word, .changed = on_bus,
	    .ctx = p });
	return p;
}

void
shared_passes_free(struct shared_passes *p)
{
	free(p);
}
