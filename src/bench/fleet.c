/*
 * fleet.c - see fleet.h: the clock, what goes wrong, what is counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/fleet_priv.h"

#include <string.h>

#include "base/mem.h"

#define STEADY       (30 * NS_PER_S)
#define CHECK_EACH   (100 * NS_PER_MS)

const char *const fleet_names[] = {
#define X(name, text, what) text,
	FLEET_MAP(X)
#undef X
};
const char *const fleet_texts[] = {
#define X(name, text, what) what,
	FLEET_MAP(X)
#undef X
};

/* ---- the clock ------------------------------------------------------------------- */

static bool
is_before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void
fleet_at(struct fleet *f, nsec at, enum fleet_event kind, int32_t who, uint32_t turn)
{
	struct event e = { at > f->now ? at : f->now, f->order++, kind, who, turn };
	size_t i = f->heap_n;

	mem_grow(f->heap, f->heap_n, f->heap_cap);
	f->heap_n++;
	for (; i > 0 && is_before(&e, &f->heap[(i - 1) / 2]); i = (i - 1) / 2)
		f->heap[i] = f->heap[(i - 1) / 2];
	f->heap[i] = e;
}

static struct event
heap_pop(struct fleet *f)
{
	struct event top = f->heap[0], e = f->heap[--f->heap_n];
	size_t i = 0;

	for (size_t k = 1; k < f->heap_n; k = 2 * i + 1) {
		k += k + 1 < f->heap_n && is_before(&f->heap[k + 1], &f->heap[k]);
		if (!is_before(&f->heap[k], &e))
			break;
		f->heap[i] = f->heap[k];
		i = k;
	}
	f->heap[i] = e;
	return top;
}

/* splitmix64 */
uint32_t
fleet_any(struct fleet *f)
{
	uint64_t z = f->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* ---- what counts ------------------------------------------------------------------- */

void
fleet_note(struct fleet *f, uint64_t what)
{
	f->hash = (f->hash ^ what ^ ((uint64_t)f->now << 20)) * 1099511628211u;
}

void
fleet_adopted(struct fleet *f, int32_t thread, int32_t row)
{
	const struct row *before = &f->pg.row[f->runner[thread]];

	if (f->runner[thread] == row)
		return;
	f->out->moved++;
	if (before->runs)
		f->out->twice++;
	else
		hist_add(&f->takeover, (uint64_t)(f->now - before->ended) / 1000);
	f->runner[thread] = row;
	fleet_note(f, (uint64_t)thread << 32 | (uint64_t)row);
}

/* Threads that no process runs, or another than the database says. */
static int64_t
stuck(const struct fleet *f)
{
	int64_t well = 0;

	for (size_t i = 0; i < f->pg.live_n; i++) {
		int32_t at = f->pg.live[i];

		if (!f->pg.row[at].runs || f->pg.row[at].state != NODE_LIVE)
			continue;
		for (int32_t t = f->pg.row[at].first; t >= 0; t = f->pg.next[t])
			well += f->runner[t] == at;
	}
	return f->o->threads - well;
}

/* Is all as it should be? */
static bool
is_settled(const struct fleet *f)
{
	int64_t up = 0;

	for (int64_t i = 0; i < f->o->nodes; i++) {
		if (f->node[i].up && f->node[i].row == NO_ROW)
			return false;
		up += f->node[i].up;
	}
	if ((int64_t)f->pg.live_n != up)
		return false;
	for (size_t i = 0; i < f->pg.live_n; i++)
		if (f->pg.row[f->pg.live[i]].state != NODE_LIVE)
			return false;
	return stuck(f) == 0;
}

static struct fleet_load
load_of(const struct second *s, double seconds)
{
	return (struct fleet_load){ s->statements / seconds, s->rows / seconds,
	    s->commits / seconds, (double)s->cpu / NS_PER_S / seconds };
}

static void
higher(double *a, double b)
{
	if (b > *a)
		*a = b;
}

static void
count(struct fleet *f)
{
	struct fleet_result *r = f->out;
	nsec end = f->now / NS_PER_S;
	struct second all = { 0 };

	for (nsec i = FAULT_AT / NS_PER_S; i < end; i++) {
		const struct second *s = &f->second[i];
		struct fleet_load one = load_of(s, 1);

		all = (struct second){ all.statements + s->statements, all.rows + s->rows,
		    all.commits + s->commits, 0, all.cpu + s->cpu };
		higher(&r->peak.statements, one.statements);
		higher(&r->peak.rows, one.rows);
		higher(&r->peak.commits, one.commits);
		higher(&r->peak.cores, one.cores);
		higher(&r->messages, s->messages);
	}
	r->mean = load_of(&all, (double)(end - FAULT_AT / NS_PER_S));
	r->takeover_max = (double)f->takeover.max / 1e6;
	r->takeover_p50 = (double)hist_percentile(&f->takeover, 50) / 1e6;
	r->stuck = stuck(f);
	r->hash = f->hash;
	r->events = (int64_t)f->order;
}

/* ---- what goes wrong ------------------------------------------------------------------ */

static void
harm(struct fleet *f, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		f->node[i].harmed = true;
}

static void
restart_some(struct fleet *f)
{
	int64_t n = f->o->nodes >= 100 ? f->o->nodes / 100 : 1;

	if (f->restart >= f->o->nodes) {
		f->fault_over = f->now;
		return;
	}
	for (; n > 0 && f->restart < f->o->nodes; n--) {
		f->restarting++;
		fnode_restart(f, f->restart++);
	}
}

void
fleet_restarted(struct fleet *f)
{
	if (--f->restarting == 0)
		restart_some(f);
}

static void
fault(struct fleet *f, bool ends)
{
	nsec end = f->now + 3 * f->o->lease * NS_PER_MS;
	int64_t n = f->o->scenario == FLEET_ONE ? 1 : f->o->kill;

	f->fault_over = ends || f->o->scenario < FLEET_CUT ? f->now : NEVER;
	switch (f->o->scenario) {
	case FLEET_STEADY:
	case FLEET_SCENARIOS:
		break;
	case FLEET_ONE:
	case FLEET_TENTH:
		harm(f, n);
		for (int32_t i = 0; i < n; i++)
			fnode_crash(f, i);
		break;
	case FLEET_CUT:
		harm(f, n);
		for (int32_t i = 0; i < n; i++)
			f->node[i].cut = !ends;
		break;
	case FLEET_AWAY:
		harm(f, f->o->nodes);
		if (ends)
			fpg_come_back(f);
		else
			fpg_go_away(f);
		break;
	case FLEET_ROLLING:
		f->fault_over = NEVER;
		harm(f, f->o->nodes);
		restart_some(f);
		break;
	}
	if (!ends && (f->o->scenario == FLEET_CUT || f->o->scenario == FLEET_AWAY))
		fleet_at(f, end, EV_FAULT, 1, 0);
}

/* Over when it was settled for a lease. */
static void
check(struct fleet *f)
{
	nsec limit = f->fault_over == NEVER ? NEVER : f->fault_over +
	    20 * f->o->lease * NS_PER_MS + 300 * NS_PER_S;
	double *settled = &f->out->settled;

	if (f->o->scenario == FLEET_STEADY) {
		f->over = f->now >= FAULT_AT + STEADY;
		*settled = 0;
	} else if (*settled >= 0) {
		f->over = f->now >= f->fault_over + (nsec)(*settled * NS_PER_S) +
		    f->o->lease * NS_PER_MS;
	} else if (f->now >= f->fault_over && is_settled(f)) {
		*settled = (double)(f->now - f->fault_over) / NS_PER_S;
	}
	f->over = f->over || f->now >= limit || f->now >= (SECONDS - 2) * NS_PER_S;
	fleet_at(f, f->now + CHECK_EACH, EV_CHECK, 0, 0);
}

/* ---- life -------------------------------------------------------------------------------- */

static void
populate(struct fleet *f)
{
	for (int32_t i = 0; i < f->o->nodes; i++)
		fnode_begin(f, i);
	for (int32_t t = 0; t < f->o->threads; t++) {
		int32_t row = f->node[t % f->o->nodes].row;

		fpg_thread_put(f, row, t);
		f->runner[t] = row;
	}
	fleet_at(f, FAULT_AT, EV_FAULT, 0, 0);
	fleet_at(f, FAULT_AT, EV_CHECK, 0, 0);
}

static void
happen(struct fleet *f, const struct event *e)
{
	switch (e->kind) {
	case EV_FAULT:
		fault(f, e->who != 0);
		break;
	case EV_CHECK:
		check(f);
		break;
	case EV_SLICE:
	case EV_TRIPS:
	case EV_FLUSHED:
	case EV_REPLY:
		fpg_event(f, e);
		break;
	case EV_HEARD:
		f->second[f->now / NS_PER_S].messages++;
		fnode_event(f, e);
		break;
	default:
		fnode_event(f, e);
	}
}

void
fleet_run(const struct fleet_options *o, struct fleet_result *out)
{
	struct fleet *f = mem_new(struct fleet);

	*out = (struct fleet_result){ .settled = -1, .beat_late = (double)o->lease };
	f->o = o;
	f->out = out;
	f->random = o->seed;
	f->fault_over = NEVER;
	f->node = mem_zero((size_t)o->nodes * sizeof *f->node);
	f->runner = mem_alloc((size_t)o->threads * sizeof *f->runner);
	f->second = mem_zero(SECONDS * sizeof *f->second);
	hist_clear(&f->takeover);
	fpg_open(f);
	populate(f);
	while (!f->over) {
		struct event e = heap_pop(f);

		f->now = e.at;
		happen(f, &e);
	}
	count(f);
	fpg_close(f);
	for (int64_t i = 0; i < o->nodes; i++)
		fnode_release(&f->node[i]);
	free(f->heap);
	free(f->node);
	free(f->runner);
	free(f->second);
	free(f);
}
