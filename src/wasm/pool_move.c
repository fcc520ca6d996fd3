/*
 * pool_move.c - an instance moves from one process to the next, by checkpoint.
 *
 *   IDLE --SAVE--> LEAVES --SAVED, START in next--> ARRIVES --STARTED, STOP here--> IDLE
 *
 * It is in the old process until the new one has it, so a move that fails changes nothing:
 * the instance stays where it was, and is not moved again.  One call that arrives meanwhile
 * is held, and sent where the move ends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/pool_priv.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"

static bool
may_move(const struct group *g)
{
	return g->moves < MOVES_MAX && g->moves_bytes < MOVES_BYTES;
}

void
move_begin(struct wasm_instance *i)
{
	struct group *g = i->group;
	struct host *to = g->current;

	if (i->state != IDLE || i->fixed || to == NULL || i->host == to ||
	    i->unit->at == NOWHERE || !may_move(g))
		return;
	if (instance_send_save(i, LEAVES, false) == OK)
		g->moves++;
}

/* Of one old process. */
static void
leave_host(struct host *h)
{
	struct group *g = h->group;

	for (struct list *l = h->idle.next, *next; l != &h->idle && may_move(g); l = next) {
		next = l->next;
		move_begin(CONTAINER_OF(l, struct wasm_instance, in));
	}
	if (h->lives == 0 && h->stopping == 0)
		host_quit(h);
}

void
move_all(struct group *g)
{
	if (g->current == NULL)
		return;
	for (struct list *l = g->hosts.next, *next; l != &g->hosts; l = next) {
		struct host *h = CONTAINER_OF(l, struct host, in);

		next = l->next;
		if (h != g->current && h->state == HOST_LIVES && !h->quits && !h->broken)
			leave_host(h);
	}
}

void
move_resume(struct wasm_instance *i)
{
	struct str message = { i->held, i->held_n };
	char *held = i->held;

	i->held = NULL;
	i->held_n = 0;
	if (held != NULL)
		(void)instance_send_call(i, message, true);
	else if (i->save)
		(void)instance_send_save(i, SAVES, true);
	i->save = false;
	free(held);
}

void
move_saved(struct wasm_instance *i, bool possible)
{
	struct group *g = i->group;
	struct host *to = g->current;
	uint32_t number = NOWHERE;

	assert(i->state == LEAVES);
	if (possible && to != NULL && to != i->host && i->unit->at != NOWHERE && host_has_room(to))
		number = host_number(to, i);
	g->moves_bytes -= i->image.n;
	if (number == NOWHERE) {
		g->moves--;
		buf_release(&i->image);
		i->fixed = !possible;
		instance_become(i, IDLE);
		move_resume(i);
		return;
	}
	i->next_number = number;
	i->next = to;
	instance_become(i, ARRIVES);
	host_owes(to, 1);
	group_send_start(i, to, number);
}

void
move_end(struct wasm_instance *i, bool arrived, bool fixed)
{
	struct host *to = i->next;
	uint32_t number = i->next_number;

	assert(i->state == ARRIVES && to != NULL);
	i->group->moves--;
	host_owes(to, -1);
	i->next = NULL;
	if (arrived) {
		instance_leave(i, true);
		i->host = to;
		i->number = number;
		i->state = IDLE;
		TALLY(i->pool->moved, 1);
	} else {
		instance_drop_number(to, number, false);
		i->fixed = fixed;
	}
	instance_become(i, IDLE);
	move_resume(i);
}

void
move_orphan(struct wasm_instance *i)
{
	struct host *to = i->next;

	assert(i->state == ARRIVES && i->host->state == HOST_DEAD);
	i->group->moves--;
	i->next = NULL;
	instance_leave(i, false);
	i->host = to;
	i->number = i->next_number;
	i->state = STARTS;                   /* which `to` owes already */
	list_append(&to->busy, &i->in);
}

void
move_drop(struct wasm_instance *i)
{
	struct group *g = i->group;

	if (i->state != LEAVES && i->state != ARRIVES)
		return;
	g->moves--;
	if (i->state == LEAVES)
		g->moves_bytes -= i->image.n;
	if (i->state == ARRIVES) {
		struct host *to = i->next;

		i->next = NULL;
		host_owes(to, -1);
		instance_drop_number(to, i->next_number, true);
		instance_become(i, IDLE);
	}
}
