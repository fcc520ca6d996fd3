/*
 * foreign_gone.c - threads that are read here may be deleted at another node, which says so
 * by the bus.  While that brings nothing, and once when it does again, the threads of all
 * readers are looked up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/foreign_priv.h"

#include "base/limits.h"
#include "base/mem.h"
#include "run/ear_priv.h"

void
runs_set_informed(struct runs *rs, bool yes)
{
	struct runs_shared *sh = rs->sh;

	if (!atomic_exchange(&sh->informed, yes) && yes)
		atomic_fetch_add(&sh->outages, 1);
}

/* ---- one look --------------------------------------------------------------------------- */

bool
foreign_gone_waits(const struct foreign_desk *d)
{
	return d->at < d->n;
}

static void on_look(struct wheel_timer *t);

static void
look_later(struct foreign_desk *d)
{
	d->looks = true;
	d->look.fire = on_look;
	shard_timer_set(d->rs->shard, &d->look, LIMIT_TALK_LOOK_MS);
}

static void
look_is_over(struct foreign_desk *d, bool whole)
{
	free(d->threads);
	free(d->ids);
	d->threads = NULL;
	d->ids = NULL;
	d->at = d->n = 0;
	if (whole)
		d->outages = d->seen;
	look_later(d);
}

void
foreign_gone_look(struct foreign_desk *d)
{
	struct store_thread_there *at = &d->threads[d->at];
	size_t left = d->n - d->at, n = left < LIMIT_FOREIGN_BATCH ? left : LIMIT_FOREIGN_BATCH;
	int rc = store_threads_there(d->rs->reader, at, n);

	foreign_pay(d, 1);
	for (size_t i = 0; rc == OK && i < n; i++)
		if (!at[i].there)
			runs_thread_gone(d->rs, &d->ids[d->at + i]);
	d->at += n;
	if (rc != OK || d->at == d->n)
		look_is_over(d, rc == OK);
}

static void
look_begin(struct foreign_desk *d)
{
	const struct map *ears = &d->rs->ears;
	const struct ear *ear;
	size_t at = 0;

	d->seen = atomic_load(&d->rs->sh->outages);
	d->threads = mem_alloc(ears->n * sizeof *d->threads);
	d->ids = mem_alloc(ears->n * sizeof *d->ids);
	while ((ear = map_each(ears, &at)) != NULL) {
		if (ear->thread_seq == 0)
			continue;            /* it is not there yet */
		d->ids[d->n] = ear->key.thread_id;
		d->threads[d->n++] = (struct store_thread_there){ .owner = ear->key.owner,
		    .thread_seq = ear->thread_seq };
	}
	if (d->n == 0)
		look_is_over(d, true);
	else
		foreign_turn(d);
}

static void
on_look(struct wheel_timer *t)
{
	struct foreign_desk *d = CONTAINER_OF(t, struct foreign_desk, look);
	const struct runs_shared *sh = d->rs->sh;

	d->looks = false;
	if (d->rs->ears.n == 0)
		return;
	d->looks = true;
	if (atomic_load(&sh->informed) && d->outages == atomic_load(&sh->outages))
		look_later(d);
	else
		look_begin(d);
}

/* ---- life ---------------------------------------------------------------------------------- */

void
foreign_read_thread(struct runs *rs)
{
	if (rs->sh->deleted != NULL && !rs->foreign->looks && !rs->draining)
		look_later(rs->foreign);
}

void
foreign_gone_close(struct foreign_desk *d)
{
	shard_timer_cancel(d->rs->shard, &d->look);
	free(d->threads);
	free(d->ids);
	d->threads = NULL;
	d->ids = NULL;
	d->at = d->n = 0;
	d->looks = false;
}
