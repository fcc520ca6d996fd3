/*
 * standing.c - ends streams whose caller's credentials have expired or been revoked.
 *
 * A client with new credentials reconnects with Last-Event-ID; any other gets 401.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

static void
arm(struct standing *s)
{
	msec left = s->who->again - shard_wall(s->shard);

	if (s->who->again != NEVER)
		shard_timer_set(s->shard, &s->timer, left > 0 ? left : 0);
}

static void
look(struct wheel_timer *t)
{
	struct standing *s = CONTAINER_OF(t, struct standing, timer);

	if (auth_again(s->auth, s->who, s->shard, shard_wall(s->shard)) == OK)
		arm(s);
	else
		s->over(s);
}

void
standing_begin(struct standing *s, struct call *c, void (*over)(struct standing *s))
{
	s->auth = c->api->shared->o.auth;
	s->shard = c->r->shard;
	s->who = &c->who;
	s->over = over;
	s->timer.fire = look;
	arm(s);
}

void
standing_keep(struct standing *s)
{
	if (s->who->again != NEVER)          /* else it is not asked again */
		s->who = s->kept = principal_copy(s->who, false);
}

void
standing_end(struct standing *s)
{
	if (s->shard != NULL)
		shard_timer_cancel(s->shard, &s->timer);
	free(s->kept);
	s->kept = NULL;
}
