/*
 * fleet_pg.c - see fleet.h: a model of PostgreSQL.
 *
 * A transaction takes CPU time in slices of the cores, in turn, as processes that an
 * operating system schedules do; then it waits for its round trips; then, if it wrote, for
 * the log, which is written for all that wait at once (group commit).  It sees and locks
 * rows when it begins and changes them when it is committed, but for the mark of a node
 * whose lease is over, which others see at once.
 *
 * Costs are of PostgreSQL 15 under three nodes, by pg_stat_statements and the CPU time of
 * its processes (tests/bench/cluster-statements.mjs).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/fleet_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define US           INT64_C(1000)
#define SLICE        (500 * US)
#define STATEMENT    (40 * US)               /* protocol and switches, of each statement */
#define CONNECT      (3000 * US)             /* a process, its caches, what it prepares */

/* statements, their time without STATEMENT, rows of the answer. */
struct cost { int statements; nsec time; int rows; };
static const struct cost costs[] = {
	[OP_LINK]      = { 0, 0, 0 },        /* by connection */
	[OP_JOIN]      = { 6, 250 * US, 2 },
	[OP_LEAVE]     = { 5, 200 * US, 1 },
	[OP_BEAT]      = { 1, 85 * US, 1 },
	[OP_LIST]      = { 5, 190 * US, 0 },
	[OP_WANTED]    = { 7, 420 * US, 1 },
	[OP_SCHEDULES] = { 12, 110 * US, 2 },
	[OP_TAKE]      = { 9, 450 * US, 3 },
	[OP_CLAIM]     = { 3, 60 * US, 1 },
};
#define LIST_FIRST   32                      /* rows of the first answer; then the rest */
#define LIST_ROW     INT64_C(950)            /* ns */
#define OWN_ROW      INT64_C(5700)           /* of a thread that a node compares */
#define LATE_ROW     INT64_C(100)            /* of a row that a take looks at */
#define SKIP_ROW     (2 * US)                /* of a thread that another has locked */
static const struct cost take_row    = { 4, 160 * US, 0 };   /* of a node that is over */
static const struct cost take_thread = { 5, 150 * US, 4 };
static const struct cost claim_thread = { 30, 1200 * US, 12 };

/* ---- rows -------------------------------------------------------------------------- */

void
fpg_open(struct fleet *f)
{
	f->pg = (struct pg){ .queue_first = -1, .queue_last = -1, .log_first = -1,
	    .flushing = -1, .op_free = -1, .waiting_since = NEVER };
	f->pg.next = mem_alloc((size_t)f->o->threads * sizeof *f->pg.next);
}

void
fpg_close(struct fleet *f)
{
	free(f->pg.op);
	free(f->pg.row);
	free(f->pg.live);
	free(f->pg.next);
}

int32_t
fpg_row_new(struct fleet *f, int32_t node, nsec expires)
{
	struct pg *p = &f->pg;
	int32_t r = (int32_t)p->rows_n;

	mem_grow(p->row, p->rows_n, p->rows_cap);
	p->row[p->rows_n++] = (struct row){ .expires = expires, .state = NODE_LIVE,
	    .present = true, .runs = true, .node = node, .first = -1 };
	mem_grow(p->live, p->live_n, p->live_cap);
	p->live[p->live_n++] = r;
	return r;
}

static void
row_erase(struct pg *p, int32_t r)
{
	size_t to = 0;

	p->row[r].present = false;
	for (size_t i = 0; i < p->live_n; i++)
		if (p->live[i] != r)
			p->live[to++] = p->live[i];
	p->live_n = to;
}

void
fpg_thread_put(struct fleet *f, int32_t row, int32_t thread)
{
	struct row *r = &f->pg.row[row];

	f->pg.next[thread] = r->first;
	r->first = thread;
	r->threads_n++;
}

static int32_t
thread_pop(struct pg *p, struct row *r)
{
	int32_t t = r->first;

	r->first = p->next[t];
	r->threads_n--;
	return t;
}

/* ---- what a transaction sees when it begins ------------------------------------------ */

static void
pay(struct fleet *f, struct op *op, const struct cost *c, int64_t times)
{
	struct second *s = &f->second[f->now / NS_PER_S];

	op->left += times * (c->statements * STATEMENT + c->time);
	op->trips += times * c->statements * f->o->trip;
	s->statements += (double)times * c->statements;
	s->rows += (double)times * c->rows;
}

static void
pay_rows(struct fleet *f, struct op *op, int64_t rows, nsec each)
{
	op->left += rows * each;
	f->second[f->now / NS_PER_S].rows += (double)rows;
}

/* SQL_NODES_LATE: rows that another transaction holds are passed over. */
static void
take_mark(struct fleet *f, struct op *op)
{
	struct pg *p = &f->pg;

	op->left += (nsec)p->live_n * LATE_ROW;
	for (size_t i = 0; i < p->live_n; i++) {
		struct row *r = &p->row[p->live[i]];

		if (r->state != NODE_LIVE || r->expires >= f->now || r->shared > 0)
			continue;
		r->state = NODE_LOST;
		fleet_note(f, (uint64_t)p->live[i]);
	}
}

/* SQL_NODE_THREADS of one row, and its end when it has none. */
static void
take_drain(struct fleet *f, struct op *op, int32_t row)
{
	struct row *r = &f->pg.row[row];
	int32_t before = op->threads_n;

	pay(f, op, &take_row, 1);
	op->left += r->locked * SKIP_ROW;
	while (op->threads_n < LIMIT_TAKE_THREADS && r->threads_n > 0) {
		op->from[op->threads_n] = row;
		op->threads[op->threads_n++] = thread_pop(&f->pg, r);
		r->locked++;
	}
	pay(f, op, &take_thread, op->threads_n - before);
}

static void
take_start(struct fleet *f, struct op *op)
{
	struct pg *p = &f->pg;
	size_t over = 0, first;

	if (p->row[op->row].state != NODE_LIVE) {
		op->rc = ERR_CANCELLED;      /* fenced */
		return;
	}
	p->row[op->row].shared++;
	if (!op->spare)
		take_mark(f, op);
	for (size_t i = 0; i < p->live_n; i++)
		over += p->row[p->live[i]].state != NODE_LIVE;
	op->more = over > 0;
	if (over == 0)
		return;
	/* As node_take of store/node.c: of many some, from any of them on. */
	first = over > NODE_TAKE_NODES ? fleet_any(f) % over : 0;
	for (size_t i = 0, k = 0; k < first + over && k < first + NODE_TAKE_NODES &&
	    op->threads_n < LIMIT_TAKE_THREADS; i++) {
		int32_t at = p->live[i % p->live_n];

		if (p->row[at].state == NODE_LIVE)
			continue;
		if (k++ >= first)
			take_drain(f, op, at);
	}
}

static void
start(struct fleet *f, struct op *op)
{
	const struct fleet_node *n = &f->node[op->node];

	pay(f, op, &costs[op->kind], 1);
	op->commits = op->kind == OP_JOIN || op->kind == OP_LEAVE || op->kind == OP_BEAT ||
	    op->kind == OP_TAKE || op->kind == OP_CLAIM;
	switch (op->kind) {
	case OP_LINK:
		op->left += f->o->connections * CONNECT;
		break;
	case OP_LIST:
		pay(f, op, &(struct cost){ f->pg.live_n > LIST_FIRST, 0, 0 }, 1);
		pay_rows(f, op, (int64_t)f->pg.live_n, LIST_ROW);
		break;
	case OP_WANTED:
		if (n->row != NO_ROW && !op->cancels_only)
			op->threads_n = f->pg.row[n->row].threads_n < LIMIT_NODE_RUNS ?
			    f->pg.row[n->row].threads_n : LIMIT_NODE_RUNS;
		pay_rows(f, op, op->threads_n, OWN_ROW);
		break;
	case OP_TAKE:
		take_start(f, op);
		break;
	case OP_CLAIM:
		pay(f, op, &claim_thread, op->threads_n);
		op->trips = op->trips / 4;   /* by shards */
		break;
	default:
		break;
	}
}

/* ---- cores ------------------------------------------------------------------------------ */

static void
queue_add(struct pg *p, int32_t at)
{
	p->op[at].next = -1;
	if (p->queue_first < 0)
		p->queue_first = at;
	else
		p->op[p->queue_last].next = at;
	p->queue_last = at;
}

/* Work that waits gets the cores that are free. */
static void
cores_fill(struct fleet *f)
{
	struct pg *p = &f->pg;

	while (p->busy < f->o->cores && p->queue_first >= 0) {
		int32_t at = p->queue_first;
		struct op *op = &p->op[at];
		nsec slice = op->left < SLICE ? op->left : SLICE;

		p->queue_first = op->next;
		p->busy++;
		op->left -= slice;
		f->second[f->now / NS_PER_S].cpu += slice;
		fleet_at(f, f->now + slice, EV_SLICE, at, p->epoch);
	}
	if (p->queue_first >= 0 && p->waiting_since == NEVER) {
		p->waiting_since = f->now;
	} else if (p->queue_first < 0 && p->waiting_since != NEVER) {
		double s = (double)(f->now - p->waiting_since) / NS_PER_S;

		if (f->now >= FAULT_AT) {
			f->out->saturated += s;
			if (s > f->out->saturated_longest)
				f->out->saturated_longest = s;
		}
		p->waiting_since = NEVER;
	}
}

struct op *
fpg_ask(struct fleet *f, enum op_kind kind, int32_t node)
{
	struct pg *p = &f->pg;
	int32_t at = p->op_free;
	struct fleet_node *n = &f->node[node];
	struct op *op;

	if (at >= 0) {
		p->op_free = p->op[at].next;
	} else {
		mem_grow(p->op, p->ops_n, p->ops_cap);
		at = (int32_t)p->ops_n++;
		p->op[at].turn = 0;
	}
	op = &p->op[at];
	*op = (struct op){ .kind = kind, .live = true, .node = node, .row = n->row,
	    .life = n->life, .turn = op->turn + 1, .sent = f->now,
	    .spare = f->now < n->spares };
	if (p->away || n->cut || (!n->linked && kind != OP_LINK)) {
		op->rc = ERR_BUSY;
		op->done = true;
		fleet_at(f, f->now + (n->cut ? LIMIT_PG_WAIT_MS * NS_PER_MS : f->o->trip),
		    EV_REPLY, at, op->turn);
	}
	return op;
}

/* ---- the way through ------------------------------------------------------------------------ */

static void
op_free(struct pg *p, struct op *op)
{
	op->live = false;
	op->turn++;
	op->next = p->op_free;
	p->op_free = (int32_t)(op - p->op);
}

/* The threads go to the taker, or back. */
static void
take_end(struct fleet *f, struct op *op, bool committed)
{
	struct pg *p = &f->pg;

	if (op->rc != OK)
		return;
	p->row[op->row].shared--;
	for (int32_t i = 0; i < op->threads_n; i++) {
		p->row[op->from[i]].locked--;
		f->out->counted += committed && p->row[op->from[i]].state == NODE_LOST;
		fpg_thread_put(f, committed ? op->row : op->from[i], op->threads[i]);
	}
	for (size_t i = 0; committed && i < p->live_n; i++) {
		int32_t at = p->live[i];

		if (p->row[at].state != NODE_LIVE && p->row[at].threads_n == 0 &&
		    p->row[at].locked == 0) {
			row_erase(p, at);
			i--;
		}
	}
}

static void
committed(struct fleet *f, struct op *op)
{
	struct pg *p = &f->pg;
	nsec lease = f->o->lease * NS_PER_MS;

	f->second[f->now / NS_PER_S].commits += op->commits;
	switch (op->kind) {
	case OP_JOIN:
		if (f->node[op->node].before != NO_ROW &&
		    p->row[f->node[op->node].before].state == NODE_LIVE)
			p->row[f->node[op->node].before].state = NODE_LEFT;
		op->row = fpg_row_new(f, op->node, f->now + lease);
		p->row[op->row].runs = false;    /* until the node knows */
		break;
	case OP_LEAVE:
		if (p->row[op->row].state == NODE_LIVE)
			p->row[op->row].state = NODE_LEFT;
		break;
	case OP_BEAT:
		if (p->row[op->row].state != NODE_LIVE)
			op->rc = ERR_NOTFOUND;
		else
			p->row[op->row].expires = f->now + lease;
		break;
	case OP_TAKE:
		take_end(f, op, true);
		break;
	default:
		break;
	}
}

static void
reply(struct fleet *f, struct op *op)
{
	op->done = true;
	fleet_at(f, f->now + f->o->trip, EV_REPLY, (int32_t)(op - f->pg.op), op->turn);
}

static void
flush_begin(struct fleet *f)
{
	struct pg *p = &f->pg;

	if (p->flushing >= 0 || p->log_first < 0)
		return;
	p->flushing = p->log_first;
	p->log_first = -1;
	fleet_at(f, f->now + f->o->flush, EV_FLUSHED, 0, p->epoch);
}

static void
flushed(struct fleet *f)
{
	struct pg *p = &f->pg;
	int32_t next;

	for (int32_t at = p->flushing; at >= 0; at = next) {
		next = p->op[at].next;
		committed(f, &p->op[at]);
		reply(f, &p->op[at]);
	}
	p->flushing = -1;
	flush_begin(f);
}

/* All is computed and sent: COMMIT. */
static void
finish(struct fleet *f, struct op *op)
{
	struct fleet_node *n = &f->node[op->node];

	if (!op->commits || op->rc != OK) {
		reply(f, op);
	} else if (n->cut || n->life != op->life) {
		if (op->kind == OP_TAKE)
			take_end(f, op, false);      /* its connection is gone */
		op->rc = ERR_IO;
		reply(f, op);
	} else {
		op->next = f->pg.log_first;
		f->pg.log_first = (int32_t)(op - f->pg.op);
		flush_begin(f);
	}
}

static void
sliced(struct fleet *f, int32_t at)
{
	struct op *op = &f->pg.op[at];

	f->pg.busy--;
	if (op->left > 0)
		queue_add(&f->pg, at);
	else if (op->trips > 0)
		fleet_at(f, f->now + op->trips, EV_TRIPS, at, op->turn);
	else
		finish(f, op);
	cores_fill(f);
}

void
fpg_send(struct fleet *f, struct op *op)
{
	if (op->done)
		return;                      /* it cannot be reached */
	start(f, op);
	queue_add(&f->pg, (int32_t)(op - f->pg.op));
	cores_fill(f);
}

/* All that is under way is undone. */
void
fpg_go_away(struct fleet *f)
{
	struct pg *p = &f->pg;

	p->away = true;
	p->epoch++;
	p->busy = 0;
	p->queue_first = p->log_first = p->flushing = -1;
	if (p->waiting_since != NEVER)
		p->waiting_since = NEVER;
	for (size_t i = 0; i < p->ops_n; i++) {
		struct op *op = &p->op[i];

		if (!op->live || op->done)
			continue;
		if (op->kind == OP_TAKE)
			take_end(f, op, false);
		op->turn++;
		op->rc = ERR_IO;
		reply(f, op);
	}
	for (int64_t i = 0; i < f->o->nodes; i++)
		f->node[i].linked = false;
}

void
fpg_come_back(struct fleet *f)
{
	f->pg.away = false;
	for (int32_t i = 0; i < f->o->nodes; i++)
		fnode_link_soon(f, i);
}

void
fpg_event(struct fleet *f, const struct event *e)
{
	struct op *op = e->kind == EV_TRIPS || e->kind == EV_REPLY ? &f->pg.op[e->who] : NULL;

	if (op != NULL && (!op->live || op->turn != e->turn))
		return;
	if (op == NULL && e->turn != f->pg.epoch)
		return;
	switch (e->kind) {
	case EV_SLICE:
		sliced(f, e->who);
		break;
	case EV_TRIPS:
		finish(f, op);
		break;
	case EV_FLUSHED:
		flushed(f);
		break;
	default: {
		struct op copy = *op;        /* an answer may ask again */

		op_free(&f->pg, op);
		fnode_reply(f, &copy);
	}
	}
}
