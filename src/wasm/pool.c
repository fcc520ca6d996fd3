/*
 * pool.c - a shard's pool: its turn's end, its life, its offenders.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wasm/pool_priv.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#define LOOK_MS     250
#define TOLD_A_TURN 256                      /* instances, of a process that is lost */

/* The turn's end. */

void
pool_turn(struct wasm_pool *p)
{
	shard_at_turn_end(p->shard, &p->turn);
}

static void
on_turn(struct shard_job *job)
{
	struct wasm_pool *p = CONTAINER_OF(job, struct wasm_pool, turn);

	CHECK_MARK(p, POOL_MARK);
	p->holds++;
	while (!list_empty(&p->dirty)) {
		struct host *h = CONTAINER_OF(p->dirty.next, struct host, dirty);

		list_remove(&h->dirty);
		if (h->broken)
			host_end(h, &h->why);
		else
			host_flush(h);
	}
	if (!p->stops && instance_tell_lost(p, TOLD_A_TURN))
		pool_turn(p);
	pool_drop(p);
}

static void
on_look(struct wheel_timer *t)
{
	struct wasm_pool *p = CONTAINER_OF(t, struct wasm_pool, look);

	CHECK_MARK(p, POOL_MARK);
	for (int k = 0; k < GROUPS; k++)
		group_look(&p->groups[k]);
	pool_watch(p);
}

void
pool_watch(struct wasm_pool *p)
{
	if (!p->stops && !wheel_armed(&p->look) && p->hosts > 0)
		shard_timer_set(p->shard, &p->look, LOOK_MS);
}

/* The pool. */

int
wasm_pool_new(struct wasm_pool **out, struct shard *s, const struct wasm_pool_options *o,
    struct err *e)
{
	struct wasm_pool *p;

	*out = NULL;
	if (o->host_program == NULL || access(o->host_program, X_OK) != 0)
		return err_set(e, ERR_NOTFOUND, "the program of host processes, %s, cannot be run: "
		    "it is installed as libexec/cohort/cohort-wasm-host",
		    o->host_program != NULL ? o->host_program : "(none)");
	p = mem_new(struct wasm_pool);
	p->mark = POOL_MARK;
	p->shard = s;
	p->options = *o;
	p->program = mem_cstr(str_of(o->host_program));
	p->options.host_program = p->program;
	if (p->options.hosts_max == 0)
		p->options.hosts_max = 2 * (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (p->options.memory_max == 0)
		p->options.memory_max = LIMIT_WASM_HOST_MB * MB;
	p->holds = 1;
	p->body = BUF(LIMIT_WASM_FRAME_BYTES);
	p->turn.run = on_turn;
	p->look.fire = on_look;
	list_init(&p->lost);
	list_init(&p->dirty);
	for (int k = 0; k < GROUPS; k++)
		group_init(&p->groups[k], p, k == QUARANTINE || o->all_quarantine);
	*out = p;
	return OK;
}

/* Handles of processes may close later than the pool is freed. */
void
pool_drop(struct wasm_pool *p)
{
	assert(p->holds > 0);
	if (--p->holds > 0)
		return;
	for (int k = 0; k < GROUPS; k++)
		group_free_units(&p->groups[k]);
	buf_release(&p->body);
	free(p->program);
	CHECK_END(p);
	free(p);
}

/* Calls no hooks of its instances; each holds the pool until it is freed. */
void
wasm_pool_free(struct wasm_pool *p)
{
	if (p == NULL)
		return;
	CHECK_MARK(p, POOL_MARK);
	p->stops = true;
	shard_timer_cancel(p->shard, &p->look);
	for (int k = 0; k < GROUPS; k++)
		group_release(&p->groups[k]);
	pool_drop(p);
}

void
wasm_pool_stats(const struct wasm_pool *p, struct wasm_pool_stats *out)
{
	*out = (struct wasm_pool_stats){ 0 };
	if (p == NULL)
		return;
	CHECK_MARK(p, POOL_MARK);
	*out = (struct wasm_pool_stats){ .hosts = p->hosts, .instances = p->instances,
		.quarantined = p->quarantined, .waiting = p->waiting, .calls = p->calls,
		.lost = p->lost_n, .moved = p->moved, .cpu = (nsec)p->cpu, .fuel = p->fuel };
	for (int k = 0; k < WASM_TRAPS; k++)
		out->traps[k] = p->traps[k];
}

void
wasm_pool_replace(struct wasm_pool *p, struct wasm_code *old, struct wasm_code *now)
{
	CHECK_MARK(p, POOL_MARK);
	for (int k = 0; k < GROUPS; k++)
		group_replace(&p->groups[k], old, now);
}

/* Offenders. */

static struct offender *
offender_find(struct wasm_pool *p, int64_t owner, const struct wasm_code *code)
{
	for (unsigned k = 0; k < OFFENDERS; k++) {
		struct offender *o = &p->offenders[k];

		if (o->n > 0 && o->owner == owner &&
		    memcmp(o->hash, code->hash, sizeof o->hash) == 0)
			return o;
	}
	return NULL;
}

/* Counted by owner and module: the instance is freed after each trap. */
void
pool_offend(struct wasm_instance *i)
{
	struct wasm_pool *p = i->pool;
	struct offender *o = offender_find(p, i->owner, i->unit->code);
	nsec now = shard_now(p->shard);

	if (o == NULL) {
		o = &p->offenders[p->offenders_at++ % OFFENDERS];
		*o = (struct offender){ .owner = i->owner, .first = now };
		memcpy(o->hash, i->unit->code->hash, sizeof o->hash);
	} else if (o->until <= now && now - o->first > 60 * NS_PER_S) {
		o->n = 0;
		o->first = now;
	}
	o->n++;
	if (o->n < LIMIT_WASM_OFFENCES)
		return;
	if (o->until <= now)
		log_warn("wasm", "quarantine", "shard=%u owner=%lld module=%.16s offences=%u",
		    shard_id(p->shard), (long long)i->owner, o->hash, o->n);
	o->until = now + LIMIT_WASM_QUARANTINE_MS * NS_PER_MS;
}

struct group *
pool_group(struct wasm_pool *p, int64_t owner, const struct wasm_code *code)
{
	const struct offender *o = offender_find(p, owner, code);
	struct group *g = &p->groups[((uint64_t)owner * UINT64_C(0x9e3779b97f4a7c15) >> 32) %
	    WASM_GROUPS];

	if (o != NULL && o->until > shard_now(p->shard))
		return &p->groups[QUARANTINE];
	return group_open(g) ? g : &p->groups[0];
}
