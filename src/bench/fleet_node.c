/*
 * fleet_node.c - see fleet.h: what node.c and node_take.c of cluster/ do, with ops of
 * the model in place of commands of the store, and events in place of timers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/fleet_priv.h"

#include <stdlib.h>

#include "base/mem.h"

#define HEARD        NS_PER_MS               /* a message of NATS */
#define CLAIMS       16                      /* runs that a node takes up at a time */
#define BOOT         (2 * NS_PER_S)          /* of a process that is restarted */

static void
ask(struct fleet *f, enum op_kind kind, int32_t n)
{
	fpg_send(f, fpg_ask(f, kind, n));
}

/* ---- the lease ----------------------------------------------------------------------- */

static void
runs_end(struct fleet *f, int32_t row)
{
	struct row *r = &f->pg.row[row];

	if (!r->runs)
		return;
	r->runs = false;
	r->ended = f->now;
}

static void
beat_soon(struct fleet *f, int32_t n)
{
	fleet_at(f, f->node[n].pace.next, EV_BEAT, n, ++f->node[n].beat_turn);
}

static void
lease_begin(struct fleet *f, int32_t n, int32_t row, nsec sent)
{
	struct fleet_node *x = &f->node[n];

	x->row = row;
	f->pg.row[row].runs = true;
	pace_begin(&x->pace, sent);
	beat_soon(f, n);
}

static void
beaten(struct fleet *f, int32_t n, int rc, nsec sent)
{
	struct fleet_node *x = &f->node[n];
	nsec left = x->pace.until - f->now;

	if (rc == OK && f->now >= FAULT_AT && !x->harmed) {
		double ms = (double)(f->now - sent) / NS_PER_MS;

		if (ms > f->out->beat_max)
			f->out->beat_max = ms;
		if ((double)left / NS_PER_MS < f->out->beat_late)
			f->out->beat_late = (double)left / NS_PER_MS;
	}
	if (pace_beaten(&x->pace, rc, sent, f->now) != PACE_LOST) {
		beat_soon(f, n);
		return;
	}
	f->out->lost += !x->harmed;
	fleet_note(f, (uint64_t)x->row);
	runs_end(f, x->row);
	x->before = x->row;
	x->row = NO_ROW;
	x->beat_turn++;
	x->claims_at = x->claims_n = 0;
	x->joining = f->now;
	ask(f, OP_JOIN, n);
}

static void
beat(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];
	nsec patience = pace_patience(&x->pace, f->now);
	struct op *op;

	if (patience <= 0) {
		beaten(f, n, ERR_TIMEOUT, f->now);
		return;
	}
	op = fpg_ask(f, OP_BEAT, n);
	op->beat = ++x->beat_turn;
	fpg_send(f, op);
	fleet_at(f, f->now + patience, EV_BEAT_LATE, n, x->beat_turn);
}

/* ---- looks ------------------------------------------------------------------------------- */

static void look(struct fleet *f, int32_t n);

static void
look_in(struct fleet *f, int32_t n, msec ms)
{
	f->node[n].look_at = f->now + ms * NS_PER_MS;
	fleet_at(f, f->node[n].look_at, EV_LOOK, n, ++f->node[n].look_turn);
}

static void
tell_all(struct fleet *f, int32_t n)
{
	for (int32_t i = 0; i < f->o->nodes; i++)
		if (i != n && f->node[i].serves)
			fleet_at(f, f->now + HEARD, EV_HEARD, i, f->node[i].life);
}

static void
take_begin(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];

	if (x->taking || x->row == NO_ROW)
		return;
	x->taking = true;
	ask(f, OP_TAKE, n);
}

static bool
sees_over(const struct fleet *f, const struct fleet_node *x)
{
	bool spare = f->now < x->spares;

	for (size_t i = 0; i < f->pg.live_n; i++) {
		const struct row *r = &f->pg.row[f->pg.live[i]];

		if (f->pg.live[i] != x->row && pace_is_over(r->state,
		    (r->expires - f->now) / NS_PER_MS, spare))
			return true;
	}
	return false;
}

static void
wanted_begin(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];
	struct op *op;

	if (x->wanting || x->row == NO_ROW)
		return;
	x->wanting = true;
	op = fpg_ask(f, OP_WANTED, n);
	op->cancels_only = f->now < x->compare_next;
	fpg_send(f, op);
}

static void
wanted_done(struct fleet *f, int32_t n, const struct op *op)
{
	struct fleet_node *x = &f->node[n];

	x->wanting = false;
	if (op->rc == OK && !op->cancels_only)
		x->compare_next = f->now + NS_PER_MS *
		    pace_compare((size_t)op->threads_n, true, fleet_any(f));
}

static void
listed(struct fleet *f, int32_t n, int rc)
{
	struct fleet_node *x = &f->node[n];

	x->listing = false;
	if (rc == OK)
		x->list_next = f->now + pace_list(f->o->lease, f->pg.live_n) * NS_PER_MS;
	if (!x->serves) {                    /* it looks for its own dead before it joins */
		x->joining = f->now;
		ask(f, OP_JOIN, n);
		return;
	}
	if (rc != OK || x->row == NO_ROW)
		return;
	if (sees_over(f, x))
		take_begin(f, n);
	wanted_begin(f, n);
	if (x->asked) {
		x->asked = false;
		x->list_next = 0;
		look_in(f, n, 1);
	}
}

static void
look(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];

	look_in(f, n, pace_look(f->o->lease, fleet_any(f)));
	x->told = false;
	if (f->now < x->list_next) {
		wanted_begin(f, n);
		return;
	}
	if (x->listing) {
		x->asked = true;
		return;
	}
	x->listing = true;
	ask(f, OP_LIST, n);
}

static void
look_soon(struct fleet *f, int32_t n)
{
	f->node[n].list_next = f->node[n].compare_next = 0;
	look(f, n);
}

static void
look_told(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];
	msec ms = pace_told(f->o->lease, f->pg.live_n, fleet_any(f));

	x->list_next = 0;
	if (!x->serves || x->told)
		return;
	if (ms == 0) {
		look(f, n);
	} else if (f->now + ms * NS_PER_MS < x->look_at) {
		x->told = true;
		look_in(f, n, ms);
	}
}

/* ---- taking -------------------------------------------------------------------------------- */

/* Runs go on one after the other on each shard. */
static void
claim_some(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];
	struct op *op;

	if (x->claims_at == x->claims_n)
		x->claims_at = x->claims_n = 0;
	if (x->claiming || x->claims_n == 0 || x->row == NO_ROW)
		return;
	x->claiming = true;
	op = fpg_ask(f, OP_CLAIM, n);
	while (op->threads_n < CLAIMS && x->claims_at < x->claims_n)
		op->threads[op->threads_n++] = x->claims[x->claims_at++];
	fpg_send(f, op);
}

static void
taken(struct fleet *f, int32_t n, const struct op *op)
{
	struct fleet_node *x = &f->node[n];
	msec again = pace_take_again(op->rc == OK && op->more, (size_t)op->threads_n,
	    f->pg.live_n, fleet_any(f));

	x->taking = false;
	for (int32_t i = 0; op->rc == OK && x->row == op->row && i < op->threads_n; i++) {
		mem_grow(x->claims, x->claims_n, x->claims_cap);
		x->claims[x->claims_n++] = op->threads[i];
	}
	claim_some(f, n);
	if (again == 0) {
		take_begin(f, n);
	} else if (again > 0) {
		x->list_next = 0;
		look_in(f, n, again);
	}
}

static void
claimed(struct fleet *f, int32_t n, const struct op *op)
{
	for (int32_t i = 0; op->rc == OK && f->node[n].row == op->row && i < op->threads_n; i++)
		fleet_adopted(f, op->threads[i], op->row);
	f->node[n].claiming = false;
	claim_some(f, n);
}

/* ---- coming and going ------------------------------------------------------------------------ */

static void
joined(struct fleet *f, int32_t n, const struct op *op)
{
	struct fleet_node *x = &f->node[n];
	bool first = !x->serves;

	if (op->rc != OK) {
		fleet_at(f, f->now + pace_rejoin() * NS_PER_MS, EV_REJOIN, n, x->life);
		return;
	}
	f->out->joined++;
	x->serves = true;
	lease_begin(f, n, op->row, x->joining);
	if (first)
		fleet_at(f, f->now, EV_SCHEDULES, n, x->life);
	else
		x->spares = pace_spares(f->o->lease, f->now);
	look_soon(f, n);
	tell_all(f, n);
	if (first)
		fleet_restarted(f);
}

void
fnode_begin(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];
	nsec lease = f->o->lease * NS_PER_MS;
	nsec ago = (nsec)(fleet_any(f) % (uint32_t)(f->o->lease / 4)) * NS_PER_MS;

	*x = (struct fleet_node){ .pace = { .lease = f->o->lease }, .up = true, .linked = true,
	    .serves = true, .before = NO_ROW };
	lease_begin(f, n, fpg_row_new(f, n, lease - ago), -ago);
	look_in(f, n, pace_look(f->o->lease, fleet_any(f)) * (msec)(fleet_any(f) % 1000) / 1000);
	fleet_at(f, (nsec)(fleet_any(f) % 1000) * NS_PER_MS, EV_SCHEDULES, n, 0);
}

static void
process_ends(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];

	if (x->row != NO_ROW)
		runs_end(f, x->row);
	free(x->claims);
	*x = (struct fleet_node){ .pace = { .lease = f->o->lease }, .row = NO_ROW,
	    .before = NO_ROW, .life = x->life + 1, .beat_turn = x->beat_turn + 1,
	    .look_turn = x->look_turn + 1, .harmed = x->harmed };
}

void
fnode_release(struct fleet_node *x)
{
	free(x->claims);
}

void
fnode_crash(struct fleet *f, int32_t n)
{
	process_ends(f, n);
}

/* It stops its runs, leaves, and is started again. */
void
fnode_restart(struct fleet *f, int32_t n)
{
	struct fleet_node *x = &f->node[n];

	runs_end(f, x->row);
	x->serves = false;
	x->beat_turn++;
	x->look_turn++;
	ask(f, OP_LEAVE, n);
}

static void
has_left(struct fleet *f, int32_t n)
{
	tell_all(f, n);
	process_ends(f, n);
	fleet_at(f, f->now + BOOT, EV_START, n, f->node[n].life);
}

/* Connections are tried again each LIMIT_PG_RETRY_MS. */
void
fnode_link_soon(struct fleet *f, int32_t n)
{
	fleet_at(f, f->now + (nsec)(fleet_any(f) % LIMIT_PG_RETRY_MS) * NS_PER_MS, EV_START, n,
	    f->node[n].life);
}

static void
linked(struct fleet *f, int32_t n, int rc)
{
	struct fleet_node *x = &f->node[n];

	x->linked = rc == OK;
	if (rc != OK)
		fnode_link_soon(f, n);
	else if (!x->serves && !x->listing) {
		x->listing = true;
		ask(f, OP_LIST, n);
	}
}

/* ---- what comes ---------------------------------------------------------------------------------- */

void
fnode_reply(struct fleet *f, struct op *op)
{
	struct fleet_node *x = &f->node[op->node];

	if (op->life != x->life)
		return;
	if (x->cut && op->rc == OK)
		op->rc = ERR_IO;             /* the answer does not come through */
	switch (op->kind) {
	case OP_LINK: linked(f, op->node, op->rc); break;
	case OP_JOIN: joined(f, op->node, op); break;
	case OP_LEAVE: has_left(f, op->node); break;
	case OP_BEAT:
		if (op->beat == x->beat_turn && x->row == op->row)
			beaten(f, op->node, op->rc, op->sent);
		break;
	case OP_LIST: listed(f, op->node, op->rc); break;
	case OP_WANTED: wanted_done(f, op->node, op); break;
	case OP_SCHEDULES: break;
	case OP_TAKE: taken(f, op->node, op); break;
	case OP_CLAIM: claimed(f, op->node, op); break;
	}
}

void
fnode_event(struct fleet *f, const struct event *e)
{
	int32_t n = e->who;
	struct fleet_node *x = &f->node[n];
	uint32_t turn = e->kind == EV_BEAT || e->kind == EV_BEAT_LATE ? x->beat_turn :
	    e->kind == EV_LOOK ? x->look_turn : x->life;

	if (e->turn != turn)
		return;
	switch (e->kind) {
	case EV_BEAT: beat(f, n); break;
	case EV_BEAT_LATE: beaten(f, n, ERR_TIMEOUT, f->now - pace_patience(&x->pace, f->now)); break;
	case EV_LOOK: look(f, n); break;
	case EV_HEARD: look_told(f, n); break;
	case EV_SCHEDULES:
		ask(f, OP_SCHEDULES, n);
		fleet_at(f, f->now + LIMIT_NODE_LOOK_MS * NS_PER_MS, EV_SCHEDULES, n, x->life);
		break;
	case EV_REJOIN: ask(f, OP_JOIN, n); x->joining = f->now; break;
	default:
		x->up = true;
		ask(f, OP_LINK, n);
	}
}
