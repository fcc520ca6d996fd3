/*
 * ear.c - see ear_priv.h.
 *
 *   away                            home
 *     open   ------ arrive ---------> joins the ear, or `refuse`
 *     <----- joined, pieces, live ---   what happened before, then what happens
 *     <----- told -------------------   once for all readers of the branch
 *     ready  ------ again ----------> replays from where it stands
 *     <----- pieces, live -----------
 *     close  ------ leave ----------> leaves; `parted` -----> away frees it
 *     <----- over -------------------   the end of all readers of the branch
 *
 * Parcels between two shards keep their order.  So what is told behind `live` follows
 * what was replayed, and after `parted` nothing on the way names the reader.  A branch
 * is home's until `over`, or the `parted` of its last reader; then away frees it.
 *
 * A reader that is full drops what comes, and is not live any more.  When it is ready
 * it asks for what it has missed.  The pieces of an answer and its `live` come in one
 * turn (net/courier.h), so none is on its way when the reader asks again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/ear_priv.h"

#include <assert.h>

#include "base/mem.h"

struct branch {
	struct runs *away, *home;
	/* home's */
	struct ear *ear;                     /* NULL: it is over */
	struct branch *next;
	size_t n, wires[EAR_WIRES];          /* readers that have joined and not left */
	/* away's */
	struct reader *first, *cursor;       /* cursor: the next one that is told */
	size_t held;                         /* readers that are not freed */
	bool over;
	/* from home to away */
	struct parcel end;
	int rc;
};

/* ---- ears -------------------------------------------------------------------------- */

static const void *
ear_key(const void *value)
{
	return &((const struct ear *)value)->key;
}

static uint64_t
ear_hash(const void *key)
{
	return uuid_hash(&((const struct ear_key *)key)->thread_id);
}

static bool
ear_eq(const void *value, const void *key)
{
	const struct ear *ear = value;
	const struct ear_key *k = key;

	return uuid_eq(&ear->key.thread_id, &k->thread_id) &&
	    (k->any ? ear->thread_seq != 0 : ear->key.owner == k->owner);
}

void
ear_init(struct runs *rs)
{
	map_init(&rs->ears, ear_hash, ear_eq, ear_key);
}

void
ear_release(struct runs *rs)
{
	assert(rs->ears.n == 0);
	map_release(&rs->ears);
}

struct ear *
ear_find(const struct runs *here, owner_t owner, const struct uuid *thread_id)
{
	struct ear_key key = { .thread_id = *thread_id, .owner = owner };

	return here->ears.n == 0 ? NULL : map_get(&here->ears, &key);
}

static struct ear *
ear_of(struct runs *here, const struct reader *r)
{
	struct ear *ear = ear_find(here, r->owner, &r->thread_id);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_thread t;

	if (ear == NULL) {
		ear = mem_new(struct ear);
		ear->key = (struct ear_key){ .thread_id = r->thread_id, .owner = r->owner };
		ear->rs = here;
		map_put(&here->ears, ear);
		foreign_read_thread(here);
	}
	if (ear->thread_seq == 0 && store_thread_get(here->reader, r->owner, &r->thread_id,
	    &a, &t) == OK)
		ear->thread_seq = t.seq;
	arena_release(&a);
	return ear;
}

/* Frees the ear when its last reader has left. */
static void
ear_look(struct ear *ear)
{
	if (ear->readers > 0)
		return;
	assert(ear->branches == NULL);
	listen_close(ear);
	subscribe_close(ear);
	map_take(&ear->rs->ears, &ear->key);
	free(ear);
}

bool
ear_wants(const struct ear *ear, unsigned wire, unsigned channel)
{
	return ear->wants[wire][__builtin_ctz(channel)] > 0;
}

static void
count(struct ear *ear, const struct reader *r, int change)
{
	for (unsigned i = 0; i < EAR_CHANNELS; i++)
		if ((r->channels >> i & 1) != 0)
			ear->wants[r->wire][i] += (unsigned)change;
	ear->readers += (size_t)change;
}

void
ear_each_live(struct runs *here, owner_t owner, const struct uuid *thread_id,
    void (*each)(void *ctx, struct run *run), void *ctx)
{
	size_t n;
	struct uuid *ids = directory_runs(here->sh->directory, owner, thread_id, &n);

	for (size_t i = 0; i < n; i++) {
		struct run *run = run_find(here, &ids[i]);

		if (run != NULL && (run->phase == PHASE_LIVE || run->phase == PHASE_ENDING))
			each(ctx, run);
	}
	free(ids);
}

/* ---- to readers ---------------------------------------------------------------------- */

struct piece {
	struct parcel parcel;
	struct piece *next;
	struct reader *r;
	struct sse_block *block;
	int64_t first, last;
};

void
pieces_add(struct pieces *p, struct sse_block *b, int64_t first, int64_t last,
    int64_t events)
{
	struct piece *x = mem_new(struct piece);

	x->block = b;
	x->first = first;
	x->last = last;
	*p->end = x;
	p->end = &x->next;
	p->events += events;
	p->bytes += b->n;
}

void
pieces_move(struct pieces *to, struct pieces *from)
{
	if (from->first != NULL) {
		*to->end = from->first;
		to->end = from->end;
	}
	to->events += from->events;
	to->bytes += from->bytes;
	to->more |= from->more;
	*from = (struct pieces){ .end = &from->first };
}

void
pieces_drop(struct pieces *p)
{
	while (p->first != NULL) {
		struct piece *x = p->first;

		p->first = x->next;
		sse_block_drop(x->block);
		free(x);
	}
	*p = (struct pieces){ .end = &p->first };
}

/* One that has no room for more is full. */
static void
hand(struct reader *r, struct sse_block *b, int64_t first, int64_t last)
{
	r->after = last;
	if (!r->kind->block(r, b, first, last)) {
		r->full = true;
		r->live = false;
	}
}

static void
piece_open(void *ctx, struct parcel *p)
{
	struct piece *x = CONTAINER_OF(p, struct piece, parcel);
	struct reader *r = x->r;

	(void)ctx;
	if (!r->left && !r->full)
		hand(r, x->block, x->first, x->last);
	sse_block_drop(x->block);
	free(x);
}

static void
send_pieces(struct reader *r, struct pieces *p)
{
	while (p->first != NULL) {
		struct piece *x = p->first;

		p->first = x->next;
		x->r = r;
		x->parcel.open = piece_open;
		runs_send(r->home, r->away, &x->parcel);
	}
}

struct told {
	struct parcel parcel;
	struct branch *branch;
	struct sse_block *blocks[EAR_WIRES];
	struct heard heard;
	char texts[];
};

static void
told_open(void *ctx, struct parcel *p)
{
	struct told *x = CONTAINER_OF(p, struct told, parcel);
	struct branch *b = x->branch;
	struct reader *r = b->first;

	(void)ctx;
	while (r != NULL) {
		struct sse_block *block = x->blocks[r->wire];

		b->cursor = r->next;
		if (r->live && block != NULL && r->kind->matches(r, &x->heard))
			hand(r, block, x->heard.first, x->heard.last);
		r = b->cursor;
	}
	for (unsigned i = 0; i < EAR_WIRES; i++)
		if (x->blocks[i] != NULL)
			sse_block_drop(x->blocks[i]);
	free(x);
}

static void
tell_branch(struct branch *b, const struct heard *h, struct sse_block *blocks[EAR_WIRES])
{
	struct told *x = NULL;
	char *to;

	for (unsigned i = 0; i < EAR_WIRES; i++) {
		if (blocks[i] == NULL || b->wires[i] == 0)
			continue;
		if (x == NULL)
			x = mem_zero(sizeof *x + h->custom.n + h->ns.n);
		x->blocks[i] = sse_block_ref(blocks[i]);
	}
	if (x == NULL)
		return;
	to = x->texts;
	x->branch = b;
	x->heard = *h;
	x->heard.custom = str_put(&to, h->custom);
	x->heard.ns = str_put(&to, h->ns);
	x->parcel.open = told_open;
	runs_send(b->home, b->away, &x->parcel);
}

void
ear_tell(struct ear *ear, const struct heard *h, struct sse_block *blocks[EAR_WIRES])
{
	for (struct branch *b = ear->branches; b != NULL; b = b->next)
		tell_branch(b, h, blocks);
	for (unsigned i = 0; i < EAR_WIRES; i++)
		if (blocks[i] != NULL)
			sse_block_drop(blocks[i]);
}

/* ---- away: what home says ------------------------------------------------------------- */

static void
reader_free(struct reader *r)
{
	struct branch *b = r->branch;

	atomic_fetch_sub(&r->away->sh->listeners, 1);
	r->kind->free(r);
	if (b == NULL)
		return;
	assert(b->held > 0);
	if (--b->held == 0 && b->over)
		free(b);
}

static void
unlink_reader(struct branch *b, struct reader *r)
{
	struct reader **at = &b->first;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (b->cursor == r)
		b->cursor = r->next;
}

struct note {
	struct parcel parcel;
	struct reader *r;
	struct branch *branch;
	int64_t events;
	bool more;
};

static struct note *
note_new(struct reader *r, void (*open)(void *ctx, struct parcel *p))
{
	struct note *n = mem_new(struct note);

	n->r = r;
	n->parcel.open = open;
	return n;
}

/* It is in the branch; what happened before comes now. */
static void
joined_open(void *ctx, struct parcel *p)
{
	struct note *n = CONTAINER_OF(p, struct note, parcel);
	struct reader *r = n->r;

	(void)ctx;
	r->branch = n->branch;
	r->branch->held++;
	if (!r->left) {
		r->next = r->branch->first;
		r->branch->first = r;
		r->kind->opened(r, n->events);
	}
	free(n);
}

static void
ask_again(struct reader *r)
{
	r->full = false;
	r->asking = true;
	runs_send(r->away, r->home, &r->again);
}

/* What follows is told by the branch. */
static void
live_open(void *ctx, struct parcel *p)
{
	struct note *n = CONTAINER_OF(p, struct note, parcel);
	struct reader *r = n->r;

	(void)ctx;
	r->asking = false;
	if (!r->left && !r->full && n->more)
		ask_again(r);
	else
		r->live = !r->left && !r->full;
	free(n);
}

/* Home has let a branch go: its last reader goes with this. */
static void
drop_branch(struct reader *r)
{
	if (r->dropped != NULL)
		r->dropped->over = true;
	r->dropped = NULL;
}

/* One reader's end. */
static void
refused_open(void *ctx, struct parcel *p)
{
	struct reader *r = CONTAINER_OF(p, struct reader, refused);

	(void)ctx;
	drop_branch(r);
	if (r->left)
		return;                      /* `parted` comes */
	if (r->branch != NULL)
		unlink_reader(r->branch, r);
	r->left = true;
	r->kind->end(r, r->rc);
	reader_free(r);
}

static void
parted_open(void *ctx, struct parcel *p)
{
	struct reader *r = CONTAINER_OF(p, struct reader, parted);

	(void)ctx;
	assert(r->left);
	drop_branch(r);
	reader_free(r);
}

/* A reader with a parcel under way to home is freed after that parcel. */
static void
over_open(void *ctx, struct parcel *p)
{
	struct branch *b = CONTAINER_OF(p, struct branch, end);

	(void)ctx;
	b->held++;                           /* it is in use here */
	while (b->first != NULL) {
		struct reader *r = b->first;
		bool asking = r->asking;

		unlink_reader(b, r);
		r->left = true;
		r->kind->end(r, b->rc);
		if (asking)
			runs_send(r->away, r->home, &r->leave);
		else
			reader_free(r);
	}
	b->over = true;
	if (--b->held == 0)
		free(b);
}

/* ---- home: joining and leaving ---------------------------------------------------------- */

static struct branch *
branch_of(struct ear *ear, const struct reader *r)
{
	struct branch *b = ear->branches;

	while (b != NULL && b->away != r->away)
		b = b->next;
	if (b == NULL) {
		b = mem_new(struct branch);
		b->away = r->away;
		b->home = r->home;
		b->ear = ear;
		b->next = ear->branches;
		ear->branches = b;
	}
	return b;
}

static void
branch_drop(struct branch *b)
{
	struct branch **at = &b->ear->branches;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	b->ear = NULL;
}

static void
refuse(struct reader *r, int rc)
{
	r->rc = rc;
	r->refused.open = refused_open;
	runs_send(r->home, r->away, &r->refused);
}

/* A reader is not at home with its thread any more. */
static void
unpin(struct runs *rs, const struct uuid *thread_id)
{
	directory_unpin(rs->sh->directory, thread_id);
	if (rs->sh->listened != NULL)
		rs->sh->listened(rs->sh->listened_ctx, thread_id, false);
}

static void
leave_ear(struct reader *r)
{
	struct branch *b = r->at;
	struct ear *ear = b->ear;

	r->at = NULL;
	b->wires[r->wire]--;
	count(ear, r, -1);
	if (--b->n == 0) {
		branch_drop(b);
		r->dropped = b;
	}
	unpin(ear->rs, &r->thread_id);
	r->kind->changed(ear);
	ear_look(ear);
}

static void
send_live(struct reader *r, bool more)
{
	struct note *n = note_new(r, live_open);

	n->more = more;
	runs_send(r->home, r->away, &n->parcel);
}

static bool
is_full(const struct runs *here, const struct reader *r)
{
	const struct ear *ear = ear_find(here, r->owner, &r->thread_id);

	return ear != NULL && ear->readers >= LIMIT_THREAD_LISTENERS;
}

static void
join(struct runs *here, struct reader *r)
{
	struct ear *ear = ear_of(here, r);
	struct branch *b = branch_of(ear, r);
	struct note *n = note_new(r, joined_open);
	struct pieces out = { .end = &out.first };

	r->at = b;
	b->n++;
	b->wires[r->wire]++;
	count(ear, r, 1);
	r->kind->changed(ear);
	(void)r->kind->replay(ear, r, false, &out);
	n->branch = b;
	n->events = out.events;
	runs_send(r->home, r->away, &n->parcel);
	send_pieces(r, &out);
	send_live(r, out.more);
}

static void
arrive_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct reader *r = CONTAINER_OF(p, struct reader, arrive);

	if (here->draining || is_full(here, r)) {
		unpin(here, &r->thread_id);
		refuse(r, here->draining ? ERR_CLOSED : ERR_LIMIT);
		return;
	}
	join(here, r);
}

static void
again_open(void *ctx, struct parcel *p)
{
	struct reader *r = CONTAINER_OF(p, struct reader, again);
	struct pieces out = { .end = &out.first };
	int rc;

	(void)ctx;
	if (r->at->ear == NULL)
		return;                      /* it has ended: it leaves */
	rc = r->kind->replay(r->at->ear, r, true, &out);
	send_pieces(r, &out);
	if (rc == OK) {
		send_live(r, out.more);
	} else {
		leave_ear(r);
		refuse(r, rc);
	}
}

static void
leave_open(void *ctx, struct parcel *p)
{
	struct reader *r = CONTAINER_OF(p, struct reader, leave);

	(void)ctx;
	if (r->at != NULL && r->at->ear != NULL)
		leave_ear(r);
	r->parted.open = parted_open;
	runs_send(r->home, r->away, &r->parted);
}

/* ---- home: the end ------------------------------------------------------------------------ */

static void
end(struct ear *ear, int rc)
{
	for (size_t i = 0; i < ear->readers; i++)
		unpin(ear->rs, &ear->key.thread_id);
	ear->readers = 0;
	while (ear->branches != NULL) {
		struct branch *b = ear->branches;

		branch_drop(b);
		b->rc = rc;
		b->end.open = over_open;
		runs_send(b->home, b->away, &b->end);
	}
	ear_look(ear);
}

void
ear_gone(struct runs *here, const struct uuid *thread_id)
{
	struct ear_key key = { .thread_id = *thread_id, .any = true };
	struct ear *ear = here->ears.n == 0 ? NULL : map_get(&here->ears, &key);

	if (ear != NULL)
		end(ear, ERR_NOTFOUND);
}

void
ear_drain(struct runs *rs)
{
	struct ear *ear;
	size_t at = 0;

	while ((ear = map_each(&rs->ears, &at)) != NULL) {
		end(ear, ERR_CLOSED);
		at = 0;
	}
}

/* ---- away ------------------------------------------------------------------------------------ */

int
reader_open(struct runs *rs, struct reader *r)
{
	if (atomic_fetch_add(&rs->sh->listeners, 1) >= LIMIT_LISTENERS) {
		atomic_fetch_sub(&rs->sh->listeners, 1);
		return ERR_LIMIT;
	}
	r->away = rs;
	r->home = directory_pin(rs->sh->directory, &r->thread_id, rs);
	if (rs->sh->listened != NULL)
		rs->sh->listened(rs->sh->listened_ctx, &r->thread_id, true);
	r->arrive.open = arrive_open;
	r->again.open = again_open;
	r->leave.open = leave_open;
	runs_send(rs, r->home, &r->arrive);
	return OK;
}

void
reader_close(struct reader *r)
{
	assert(!r->left);
	if (r->branch != NULL)
		unlink_reader(r->branch, r);
	r->left = true;
	runs_send(r->away, r->home, &r->leave);
}

void
reader_ready(struct reader *r)
{
	if (!r->left && r->full)
		ask_again(r);
}
