/*
 * talks.c - a hash table of conversations; a wheel has one timer for each: its deadline, or when
 * it is forgotten.  Those that are over are in a list too, oldest first: a full table drops them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/talks.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/wheel.h"

struct key {
	int64_t owner;
	const struct protocol *protocol;
	struct uuid initiator, participant;
	struct str conversation_id;
};

struct entry {
	struct key key;
	struct talk talk;
	uint64_t number;                     /* of the change that was the last */
	struct talks *ts;
	struct wheel_timer timer;
	struct list over;
	char *reply_with;                    /* of what the initiator said last; NULL: none */
	size_t reply_with_n, bytes;
	char conversation_id[];
};

struct talks {
	struct map map;
	struct wheel wheel;
	struct list over;
	size_t max, over_n, bytes;
	uint64_t number;
	msec now;                            /* of talks_run */
	void (*each)(void *ctx, const struct talks_due *d);
	void *ctx;
};

static void
check_talks(const struct talks *ts)
{
	assert(ts->map.n <= ts->max && ts->over_n <= ts->map.n);
	assert((ts->over_n == 0) == list_empty(&ts->over) && ts->bytes <= LIMIT_TALKS_BYTES);
}

static uint64_t
hash_key(const void *p)
{
	const struct key *k = p;

	return str_hash_keyed(k->conversation_id) ^ uuid_hash(&k->initiator) ^
	    uuid_hash(&k->participant) * 3 ^ (uint64_t)k->owner;
}

static bool
is_key(const void *value, const void *p)
{
	const struct key *a = &((const struct entry *)value)->key, *b = p;

	return a->owner == b->owner && a->protocol == b->protocol &&
	    uuid_eq(&a->initiator, &b->initiator) &&
	    uuid_eq(&a->participant, &b->participant) &&
	    str_eq(a->conversation_id, b->conversation_id);
}

static const void *
key_of(const void *value)
{
	return &((const struct entry *)value)->key;
}

struct talks *
talks_new(size_t max, msec now)
{
	struct talks *ts = mem_new(struct talks);

	assert(max > 0);
	map_init(&ts->map, hash_key, is_key, key_of);
	wheel_init(&ts->wheel, now);
	list_init(&ts->over);
	ts->max = max;
	ts->now = now;
	return ts;
}

/* ---- entries ------------------------------------------------------------------------ */

static void
set_over(struct entry *x, bool over)
{
	if (list_joined(&x->over) == over)
		return;
	if (over)
		list_append(&x->ts->over, &x->over);
	else
		list_remove(&x->over);
	x->ts->over_n += over ? 1 : (size_t)-1;
}

static void
entry_free(struct entry *x)
{
	struct talks *ts = x->ts;

	set_over(x, false);
	wheel_cancel(&ts->wheel, &x->timer);
	map_take(&ts->map, &x->key);
	ts->bytes -= x->bytes;
	free(x->reply_with);
	free(x);
}

void
talks_free(struct talks *ts)
{
	size_t at = 0;
	struct entry *x;

	if (ts == NULL)
		return;
	while ((x = map_each(&ts->map, &at)) != NULL)
		entry_free(x);
	map_release(&ts->map);
	free(ts);
}

/* Room for n more bytes and one more entry. */
static bool
make_room(struct talks *ts, size_t entries, size_t n, const struct entry *but)
{
	while (ts->map.n + entries > ts->max || ts->bytes + n > LIMIT_TALKS_BYTES) {
		struct list *first = ts->over.next;

		if (first != &ts->over && but != NULL && first == &but->over)
			first = first->next;
		if (first == &ts->over)
			return false;
		entry_free(CONTAINER_OF(first, struct entry, over));
	}
	return true;
}

static void fire(struct wheel_timer *t);

static struct entry *
entry_new(struct talks *ts, const struct key *k)
{
	size_t n = sizeof(struct entry) + k->conversation_id.n;
	struct entry *x;

	if (!make_room(ts, 1, n, NULL))
		return NULL;
	x = mem_zero(n);
	x->key = *k;
	x->ts = ts;
	x->bytes = n;
	x->timer.fire = fire;
	memcpy(x->conversation_id, k->conversation_id.p, k->conversation_id.n);
	x->key.conversation_id.p = x->conversation_id;
	ts->bytes += n;
	map_put(&ts->map, x);
	return x;
}

/* What a failure will name; left out when there is no room. */
static void
keep_reply_with(struct entry *x, struct str s)
{
	struct talks *ts = x->ts;

	free(x->reply_with);
	x->reply_with = NULL;
	ts->bytes -= x->reply_with_n;
	x->bytes -= x->reply_with_n;
	x->reply_with_n = 0;
	if (s.n == 0 || !make_room(ts, 0, s.n, x))
		return;
	x->reply_with = mem_cstr(s);
	x->reply_with_n = s.n;
	ts->bytes += s.n;
	x->bytes += s.n;
}

/* After a change: when it is looked at next. */
static void
rearm(struct entry *x, msec now)
{
	bool over = talk_over(&x->talk);
	msec due = now + (over ? LIMIT_TALK_GRACE_MS : LIMIT_TALK_IDLE_MS);

	set_over(x, over);
	if (x->talk.deadline > 0 && x->talk.deadline < due)
		due = x->talk.deadline;
	wheel_set(&x->ts->wheel, &x->timer, due);
}

/* ---- messages ----------------------------------------------------------------------- */

struct look {                                /* one message */
	struct talks *ts;
	const struct acl *m;
	struct key as_initiator, as_participant;
	msec now;
	struct talks_seen *seen;
};

static void
changed(struct look *l, struct entry *x, const struct talk *before, enum protocol_side from)
{
	x->number = ++l->ts->number;
	*l->seen = (struct talks_seen){ x->number, x->key.initiator, x->key.participant, *before };
	if (from == FROM_INITIATOR)
		keep_reply_with(x, l->m->reply_with);
	rearm(x, l->now);
}

static int
step(struct look *l, struct entry *x, enum protocol_side from, struct err *e)
{
	struct talk before = x->talk;
	int rc = talk_step(&x->talk, l->m, from, l->now, e);

	if (rc == OK)
		changed(l, x, &before, from);
	return rc;
}

/* x: one that is over, or NULL. */
static int
begin(struct look *l, struct entry *x, struct err *e)
{
	struct talk before = x != NULL ? x->talk : (struct talk){ 0 }, t;
	int rc = talk_begin(&t, l->as_initiator.protocol, l->m, e);

	if (rc != OK && x == NULL && l->m->delivery.durable)
		return OK;
	if (rc != OK)
		return rc;
	if (x == NULL)
		x = entry_new(l->ts, &l->as_initiator);
	if (x == NULL)
		return err_set(e, ERR_LIMIT, "conversation_id: %zu conversations are under way, as many "
		    "as there may be; expected some to end", l->ts->map.n);
	x->talk = t;
	changed(l, x, &before, FROM_INITIATOR);
	return OK;
}

/* As the initiator where that is legal, or else as the participant; or a new one begins. */
static int
look(struct look *l, struct err *e)
{
	struct entry *own = map_get(&l->ts->map, &l->as_initiator);
	struct entry *other = map_get(&l->ts->map, &l->as_participant);
	bool begins = protocol_begins(l->as_initiator.protocol, l->m->act);
	int rc = ERR_NOTFOUND;

	if (own != NULL && (!talk_over(&own->talk) || !begins))
		rc = step(l, own, FROM_INITIATOR, e);
	if (rc != OK && other != NULL) {
		struct err words;
		int as_other = step(l, other, FROM_PARTICIPANT, &words);

		if (as_other == OK)
			return OK;
		if (rc == ERR_NOTFOUND || as_other == ERR_TIMEOUT)
			rc = err_set(e, as_other, "%s", words.text);
	}
	if (rc != OK && (own == NULL || talk_over(&own->talk)) &&
	    (rc == ERR_NOTFOUND || begins))
		rc = begin(l, own, e);
	return rc;
}

int
talks_see(struct talks *ts, int64_t owner, const struct acl *m, const struct uuid *from,
    const struct uuid *to, msec now, struct talks_seen *seen, int *answer, struct err *e)
{
	const struct protocol *p = m->protocol.n > 0 ? protocol_find(m->protocol) : NULL;
	struct look l = { .ts = ts, .m = m, .now = now, .seen = seen,
	    .as_initiator = { owner, p, *from, *to, m->conversation_id },
	    .as_participant = { owner, p, *to, *from, m->conversation_id } };
	int rc;

	check_talks(ts);
	*seen = (struct talks_seen){ 0 };
	*answer = -1;
	if (p == NULL || m->conversation_id.n == 0)
		return OK;
	rc = look(&l, e);
	if (rc == ERR_TIMEOUT && m->act == ACL_PROPOSE)
		*answer = ACL_REJECT_PROPOSAL;
	check_talks(ts);
	return rc;
}

void
talks_undo(struct talks *ts, int64_t owner, const struct acl *m,
    const struct talks_seen *seen, msec now)
{
	struct key k = { owner, protocol_find(m->protocol), seen->initiator, seen->participant,
	    m->conversation_id };
	struct entry *x = seen->number > 0 ? map_get(&ts->map, &k) : NULL;

	if (x == NULL || x->number != seen->number)
		return;
	if (seen->before.p == NULL) {
		entry_free(x);
		return;
	}
	x->talk = seen->before;
	x->number = ++ts->number;
	rearm(x, now);
}

/* ---- time --------------------------------------------------------------------------- */

static void
tell(struct entry *x, msec deadline)
{
	struct talks_due d = { .owner = x->key.owner, .initiator = x->key.initiator,
	    .participant = x->key.participant, .protocol = protocol_name(x->key.protocol),
	    .conversation_id = x->key.conversation_id,
	    .reply_with = { x->reply_with, x->reply_with_n }, .act = ACL_FAILURE,
	    .deadline = deadline };

	x->ts->each(x->ts->ctx, &d);
}

/* Its deadline, or the end of its grace, or nothing was said for long. */
static void
fire(struct wheel_timer *t)
{
	struct entry *x = CONTAINER_OF(t, struct entry, timer);
	msec deadline = x->talk.deadline;
	enum talk_due due = talk_due(&x->talk, x->ts->now);

	if (due == TALK_GOES_ON) {
		entry_free(x);
		return;
	}
	x->number = ++x->ts->number;
	rearm(x, x->ts->now);
	if (due == TALK_FAILED)
		tell(x, deadline);
}

void
talks_run(struct talks *ts, msec now, void (*each)(void *ctx, const struct talks_due *d),
    void *ctx)
{
	check_talks(ts);
	if (now < ts->now)                   /* the wall clock was set back */
		return;
	ts->now = now;
	ts->each = each;
	ts->ctx = ctx;
	wheel_advance(&ts->wheel, now);
	check_talks(ts);
}

msec
talks_next(const struct talks *ts)
{
	return wheel_next(&ts->wheel);
}

void
talks_count(const struct talks *ts, struct talks_count *out)
{
	*out = (struct talks_count){ ts->map.n, ts->over_n, ts->bytes };
}
