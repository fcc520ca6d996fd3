/*
 * list.c - list, ready and search: many items, by priority and then the newest
 * first, or the oldest first for what is ready.
 *
 * There is one index for all of them, by (tracker, state, priority, created).
 * A list walks it priority by priority, with one cursor per wanted state, and
 * takes the newest of those under the cursors: what it costs is the size of
 * the answer, not of the tracker.  A filter by ids, parent, labels or assignee
 * whose items are few starts at those instead, and sorts them.
 *
 * Other orders have no index: all that is wanted is walked, its keys are sorted,
 * and then the answer is read by number.
 *
 * With `page` an answer ends after LIMIT_WORK_PAGE_BYTES and says where the next
 * one begins; without it, and without a limit, more than LIMIT_WORK_ROWS items
 * are an error, for an array cannot say that it was cut.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "work/listing.h"
#include "work/work_priv.h"

#define FEW         4096                     /* items worth sorting */
#define GLANCE      512                      /* rows worth a look before that */

_Static_assert(SQL_LIST_9 - SQL_LIST_0 == LIST_STATES - 1,
    "a list statement per state");

const char *const work_order_names[] = {
	"priority", "created", "updated", "closed", "status", "id", "title", "type",
	"assignee", NULL
};
const char *const work_policy_names[] = { "priority", "oldest", "hybrid", NULL };

enum { ORDER_PRIORITY, ORDER_CREATED, ORDER_UPDATED, ORDER_CLOSED, ORDER_STATUS,
	ORDER_ID, ORDER_TITLE, ORDER_TYPE, ORDER_ASSIGNEE,
	ORDER_POLICY = ORDER_ASSIGNEE, ORDER_OLDEST, ORDER_HYBRID };

/* ---- one item ----------------------------------------------------------------------- */

static int
listed_add(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	(void)l, (void)seq;
	json_add_comma(w->call->data);
	return body_add(w, body, true, w->call->data);
}

/* One that is wanted is in the answer. */
static int
put(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	int rc;

	if (l->all && l->left == 1)
		return work_fail(w, ERR_LIMIT, "more than %d items: ask for fewer, with a "
		    "limit or a filter, or for pages (\"page\": true)", LIMIT_WORK_ROWS);
	l->left--;
	rc = l->add(w, l, seq, body);
	if (l->page && w->call->data->n - l->from > LIMIT_WORK_PAGE_BYTES)
		l->left = 0;
	return rc;
}

/* A row whose columns fit. */
static int
offer(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	bool yes = false;
	int rc = filter_match(w, &l->f, seq, body, &l->looked, &yes);

	return rc == OK && yes ? put(w, l, seq, body) : rc;
}

/* By its number, when it is known to be wanted or its columns to fit. */
static int
offer_seq(struct work *w, struct listing *l, int64_t seq,
    int (*how)(struct work *, struct listing *, int64_t, struct str))
{
	struct query q = query_of(&w->db, SQL_ITEM_BODY, db_i64(seq));
	int rc = query_row(&q);

	rc = rc == OK ? how(w, l, seq, query_borrow(&q, 0)) : work_fail_db(w, rc);
	query_end(&q);
	return rc;
}

/* ---- walking the index ---------------------------------------------------------------- */

struct cursor {
	struct query q;
	int64_t seq, created;
	bool live;
};

static int
cursor_next(struct work *w, struct cursor *c)
{
	int rc = query_row(&c->q);

	c->live = rc == OK;
	if (rc != OK)
		return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
	c->seq = query_i64(&c->q, 0);
	c->created = query_i64(&c->q, 1);
	return OK;
}

static int
cursor_open(struct work *w, struct cursor *c, const struct listing *l, int state,
    int priority)
{
	bool resumes = l->resumes && l->after.priority == priority;
	int64_t begin = l->oldest ? INT64_MIN : INT64_MAX;

	c->q = query_of(&w->db, l->oldest ? SQL_READY : SQL_LIST_0 + (enum sql)state,
	    db_i64(w->t.seq), db_i64(state), db_i64(priority),
	    l->f.type < 0 ? db_null() : db_i64(l->f.type),
	    db_str(l->f.assignee), db_i64((l->f.whose & WHOSE_NOBODYS) != 0),
	    db_i64(resumes ? l->after.created : begin),
	    db_i64(resumes ? l->after.seq : begin));
	return cursor_next(w, c);
}

static struct cursor *
newest(struct cursor *c, size_t n)
{
	struct cursor *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (c[i].live && (best == NULL || c[i].created > best->created ||
		    (c[i].created == best->created && c[i].seq > best->seq)))
			best = &c[i];
	}
	return best;
}

static int
walk_priority(struct work *w, struct listing *l, unsigned states, int priority)
{
	struct cursor c[LIST_STATES], *at;
	size_t n = 0;
	int rc = OK;

	for (int s = 0; rc == OK && s < LIST_STATES; s++) {
		if ((states & (1u << s)) != 0)
			rc = cursor_open(w, &c[n++], l, s, priority);
	}
	while (rc == OK && l->left > 0 && l->rows > 0) {
		at = newest(c, n);
		if (at == NULL)
			break;
		l->rows--;
		l->last = (struct place){ priority, at->created, at->seq };
		rc = offer(w, l, at->seq, query_borrow(&at->q, 2));
		if (rc == OK)
			rc = cursor_next(w, at);
	}
	for (size_t i = 0; i < n; i++)
		query_end(&c[i].q);
	return rc;
}

/* Of the wanted states those some item is in, or may be since this operation
 * began.  One alone is not worth the look. */
static int
states_used(struct work *w, unsigned wanted, unsigned *states)
{
	struct query q;
	int rc;

	*states = wanted;
	if ((wanted & (wanted - 1)) == 0)
		return OK;
	*states = 0;
	for (int i = 0; i < LIST_STATES; i++)
		*states |= w->t.counts[i] != 0 ? 1u << i : 0;
	q = query_of(&w->db, SQL_COUNTS, db_i64(w->t.seq));
	while ((rc = query_row(&q)) == OK) {
		int64_t state = query_i64(&q, 0);

		if (query_i64(&q, 1) > 0 && state >= 0 && state < LIST_STATES)
			*states |= 1u << state;
	}
	return work_rows_end(w, &q, rc);
}

static int
walk(struct work *w, struct listing *l)
{
	unsigned states;
	int rc = states_used(w, l->f.states, &states);

	states &= l->f.states;
	for (int p = 0; rc == OK && l->left > 0 && l->rows > 0 &&
	    p <= PRIORITY_MAX; p++) {
		if ((l->f.priority < 0 || l->f.priority == p) &&
		    (!l->resumes || p >= l->after.priority))
			rc = walk_priority(w, l, states, p);
	}
	return rc;
}

/* ---- starting at the few ---------------------------------------------------------------- */

struct candidates {
	struct place *list;
	size_t n, max;
	bool many;                           /* more than max: walk instead */
};

static int
newest_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->created != y->created)
		return x->created > y->created ? -1 : 1;
	return x->seq > y->seq ? -1 : x->seq < y->seq;
}

static int
oldest_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->priority == y->priority ? newest_order(b, a) : newest_order(a, b);
}

/* A row of (seq, state, priority, created, type, assignee), if it fits. */
static void
candidate_note(struct candidates *cs, const struct filter *f,
    const struct query *q)
{
	if (!filter_fits(f, query_i64(q, 1), query_i64(q, 2), query_i64(q, 4),
	    query_borrow(q, 5)))
		return;
	if (cs->n == cs->max)
		cs->many = true;
	else
		cs->list[cs->n++] = (struct place){ query_i64(q, 2),
			query_i64(q, 3), query_i64(q, 0) };
}

/* All rows of a statement whose parameters are bound. */
static int
candidates_of(struct work *w, struct candidates *cs, const struct filter *f,
    struct query *q)
{
	size_t rows = 0;
	int rc = OK;

	while (!cs->many && (rc = query_row(q)) == OK) {
		candidate_note(cs, f, q);
		if (++rows > FEW)
			cs->many = true;
	}
	return work_rows_end(w, q, rc);
}

static int
candidates_parent(struct work *w, struct candidates *cs, const struct filter *f)
{
	struct query q = query_of(&w->db, SQL_LIST_CHILDREN, db_i64(f->parent));

	return candidates_of(w, cs, f, &q);
}

static int
candidates_label(struct work *w, struct candidates *cs, const struct filter *f,
    struct str label)
{
	struct query q = query_of(&w->db, SQL_LIST_LABEL, db_i64(w->t.seq),
	    db_str(label));

	return candidates_of(w, cs, f, &q);
}

static int
candidates_assignee(struct work *w, struct candidates *cs, const struct filter *f)
{
	struct query q;
	int low = 0, high = LIST_STATES - 1;

	while (low < high && (f->states & (1u << low)) == 0)
		low++;
	while (high > low && (f->states & (1u << high)) == 0)
		high--;
	q = query_of(&w->db, SQL_LIST_ASSIGNEE, db_i64(w->t.seq),
	    db_str(f->assignee), db_i64(low), db_i64(high));
	return candidates_of(w, cs, f, &q);
}

static int
candidates_ids(struct work *w, struct candidates *cs, const struct filter *f,
    jnode ids)
{
	struct json_iter at = json_each(ids);
	int rc = OK;

	while (rc == OK && json_next(&at)) {
		struct query q;
		int64_t seq = 0;

		rc = item_seq(w, json_str(at.value), &seq);
		if (rc != OK)
			break;
		q = query_of(&w->db, SQL_LIST_SEQ, db_i64(seq));
		rc = candidates_of(w, cs, f, &q);
	}
	return rc;
}

/* The same item may be there twice: by two labels, or named twice. */
static int
candidates_offer(struct work *w, struct listing *l, struct candidates *cs)
{
	int (*order)(const void *, const void *) = l->oldest ? oldest_order :
	    newest_order;
	int rc = OK;

	qsort(cs->list, cs->n, sizeof *cs->list, order);
	for (size_t i = 0; rc == OK && l->left > 0 && i < cs->n; i++) {
		if ((i > 0 && cs->list[i].seq == cs->list[i - 1].seq) ||
		    (l->resumes && order(&cs->list[i], &l->after) <= 0))
			continue;
		l->last = cs->list[i];
		rc = offer_seq(w, l, cs->list[i].seq, offer);
	}
	return rc;
}

/* From one property after another, until what has it is few. */
static int
candidates_find(struct work *w, struct candidates *cs, const struct filter *f,
    jnode ids)
{
	int rc = OK;

	cs->many = ids == NULL;
	if (ids != NULL)
		return candidates_ids(w, cs, f, ids);
	if (f->parent > 0) {
		cs->n = 0, cs->many = false;
		rc = candidates_parent(w, cs, f);
	}
	for (size_t i = 0; rc == OK && cs->many && i < f->all_n; i++) {
		cs->n = 0, cs->many = false;
		rc = candidates_label(w, cs, f, f->all[i]);
	}
	if (rc == OK && cs->many && f->any_n > 0) {
		cs->n = 0, cs->many = false;
		for (size_t i = 0; rc == OK && !cs->many && i < f->any_n; i++)
			rc = candidates_label(w, cs, f, f->any[i]);
	}
	if (rc == OK && cs->many && f->whose == WHOSE_THEIRS) {
		cs->n = 0, cs->many = false;
		rc = candidates_assignee(w, cs, f);
	}
	return rc;
}

/* *done: what is wanted was found from one of its properties. */
static int
from_few(struct work *w, struct listing *l, jnode ids, bool *done)
{
	const struct filter *f = &l->f;
	struct candidates cs = { .max = FEW };
	int rc;

	if (ids == NULL && f->parent == 0 && f->all_n == 0 && f->any_n == 0 &&
	    f->whose != WHOSE_THEIRS)
		return OK;
	if (ids != NULL && json_count(ids) > cs.max)
		cs.max = json_count(ids);
	cs.list = arena_alloc(&w->a, cs.max * sizeof *cs.list);
	if (cs.list == NULL)
		return work_fail(w, ERR_TOOBIG, "too many ids");
	rc = candidates_find(w, &cs, f, ids);
	*done = !cs.many;
	return rc == OK && *done ? candidates_offer(w, l, &cs) : rc;
}

/* A label that many items have is found on the first rows of the index. */
static int
glance(struct work *w, struct listing *l, bool *done)
{
	struct listing try = *l;
	size_t at = w->call->data->n;
	int rc;

	try.rows = GLANCE;
	rc = walk(w, &try);
	*done = try.rows > 0;
	if (!*done)
		buf_cut(w->call->data, at);
	else
		*l = try;
	return rc;
}

int
listing_each(struct work *w, struct listing *l)
{
	jnode ids = arg_node(w->call, "ids");
	const struct filter *f = &l->f;
	bool done = false;
	int rc = OK;

	assert(l->add != NULL && l->left > 0 && l->rows > 0);
	assert((f->states & ~LIST_EACH) == 0 && f->parent >= 0);
	if (l->add == listed_add && f->all_n + f->any_n > 0 && f->whose == 0 &&
	    f->parent == 0 && f->type < 0 && ids == NULL)
		rc = glance(w, l, &done);
	if (rc == OK && !done)
		rc = from_few(w, l, ids, &done);
	return rc == OK && !done ? walk(w, l) : rc;
}

/* ---- other orders ------------------------------------------------------------------------ */

struct key {
	int64_t n;
	struct str s;
	size_t i;                            /* in the order of the walk */
	int64_t seq;
};

struct keys {
	struct key *list;
	size_t n, cap;
};

static struct str
lower(struct work *w, struct str s)
{
	char *p = arena_alloc(&w->a, s.n + 1);

	for (size_t i = 0; p != NULL && i < s.n; i++)
		p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
	return p == NULL ? STR_NONE : (struct str){ p, s.n };
}

/* What is ready and older than two days comes after the rest, by its age. */
static int64_t
hybrid_key(const struct work *w, const struct place *at)
{
	bool old = w->call->now - at->created > 2 * 24 * 3600 * INT64_C(1000);

	return old ? PRIORITY_MAX + 1 + at->created : at->priority;
}

static int
key_add(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	static const struct str members[] = { [ORDER_UPDATED] = S("updated_at"),
		[ORDER_CLOSED] = S("closed_at"), [ORDER_STATUS] = S("status"),
		[ORDER_ID] = S("id"), [ORDER_TITLE] = S("title"),
		[ORDER_TYPE] = S("issue_type"), [ORDER_ASSIGNEE] = S("assignee"),
		[ORDER_HYBRID] = S("") };
	struct keys *keys = l->ctx;
	struct str text = body_text(body, members[l->order]);
	struct key k = { .i = keys->n, .seq = seq };
	msec at = 0;

	if (keys->n == LIMIT_WORK_SCAN)
		return work_fail(w, ERR_LIMIT, "more than %d items to sort: narrow it with "
		    "a filter", LIMIT_WORK_SCAN);
	switch (l->order) {
	case ORDER_PRIORITY: k.n = l->last.priority; break;
	case ORDER_CREATED:  k.n = -l->last.created; break;
	case ORDER_OLDEST:   k.n = l->last.created; break;
	case ORDER_HYBRID:   k.n = hybrid_key(w, &l->last); break;
	case ORDER_UPDATED: case ORDER_CLOSED:
		k.n = clock_read_iso(text, &at) ? -at : INT64_MAX;
		break;
	default:
		k.s = lower(w, text);
	}
	mem_grow(keys->list, keys->n, keys->cap);
	keys->list[keys->n++] = k;
	return OK;
}

static int
key_order(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = str_cmp(x->s, y->s);

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return order != 0 ? order : x->i < y->i ? -1 : x->i > y->i;
}

static int
keys_put(struct work *w, struct listing *l, const struct keys *keys)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && l->left > 0 && i < keys->n; i++) {
		int64_t seq = keys->list[l->reverse ? keys->n - 1 - i : i].seq;

		if (l->resumes) {
			l->resumes = seq != l->after.seq;
			continue;
		}
		l->last = (struct place){ .seq = seq };
		rc = offer_seq(w, l, seq, put);
	}
	if (rc == OK && l->resumes)
		return work_fail(w, ERR_CONFLICT, "after: that item is no longer listed");
	return rc;
}

static int
answer_sorted(struct work *w, struct listing *l)
{
	struct keys keys = { 0 };
	struct listing each = { .f = l->f, .oldest = l->oldest, .order = l->order,
		.left = INT64_MAX, .rows = INT64_MAX, .add = key_add, .ctx = &keys };
	int rc = listing_each(w, &each);

	if (keys.n > 1)
		qsort(keys.list, keys.n, sizeof *keys.list, key_order);
	if (rc == OK)
		rc = keys_put(w, l, &keys);
	free(keys.list);
	return rc;
}

/* ---- the operations ----------------------------------------------------------------------- */

struct listing
listing_of(const struct work_call *c, int64_t limit)
{
	struct listing l = { .left = arg_int(c, "limit", limit),
		.page = arg_bool(c, "page"), .rows = INT64_MAX, .add = listed_add };

	l.all = l.left == 0 && !l.page;
	if (l.left == 0)
		l.left = LIMIT_WORK_ROWS + (l.all ? 1 : 0);
	return l;
}

/* "2.1764000000000.81": what a page before said was its last. */
static int
place_read(struct work *w, struct listing *l, struct str text)
{
	int64_t *const parts[] = { &l->after.priority, &l->after.created,
		&l->after.seq };
	struct str part, rest = text;
	size_t n = 0;

	while (n < COUNT(parts) && str_next(&rest, '.', &part) &&
	    str_to_i64(part, parts[n]))
		n++;
	l->resumes = true;
	return n == COUNT(parts) && rest.n == 0 ? OK : work_fail(w, ERR_INVALID,
	    "after: expected the \"next\" of a page before, got \"%.*s\"",
	    FMT(text));
}

static int
listing_begin(struct work *w, struct listing *l)
{
	struct str after = arg_text(w->call, "after");

	buf_add(w->call->data, l->page ? S("{\"items\":[") : S("["));
	l->from = w->call->data->n;
	if (!l->page && after.n > 0)
		return work_fail(w, ERR_INVALID, "after: goes with \"page\": true");
	return after.n > 0 ? place_read(w, l, after) : OK;
}

static void
listing_end(struct work *w, const struct listing *l)
{
	struct buf *b = w->call->data;

	buf_add_char(b, ']');
	if (!l->page)
		return;
	if (l->left > 0)
		buf_lit(b, ",\"next\":null}");
	else
		buf_add_fmt(b, ",\"next\":\"%lld.%lld.%lld\"}",
		    (long long)l->last.priority, (long long)l->last.created,
		    (long long)l->last.seq);
}

int
listing_answer(struct work *w, struct listing *l)
{
	int rc = listing_begin(w, l);

	if (rc == OK)
		rc = l->order > 0 || l->reverse ? answer_sorted(w, l) :
		    listing_each(w, l);
	listing_end(w, l);
	return rc;
}

int
op_list(struct work *w, struct work_call *c)
{
	struct listing l = listing_of(c, 0);
	int rc = filter_take(w, &l.f);

	l.order = arg_word(c, "sort", work_order_names, ORDER_PRIORITY);
	l.reverse = arg_bool(c, "reverse");
	return rc == OK ? listing_answer(w, &l) : rc;
}

int
op_search(struct work *w, struct work_call *c)
{
	struct listing l = listing_of(c, 0);
	int rc = filter_take(w, &l.f);

	l.f.query = STR_NONE;
	if (rc == OK)
		rc = filter_take_words(w, &l.f, arg_text(c, "query"));
	return rc == OK ? listing_answer(w, &l) : rc;
}

int
op_ready(struct work *w, struct work_call *c)
{
	struct listing l = listing_of(c, LIMIT_WORK_READY_ROWS);
	int policy = arg_word(c, "sort", work_policy_names, 0);
	int rc = filter_take(w, &l.f);

	l.f.states = 1u << STATE_READY;
	l.oldest = true;
	l.order = policy == 0 ? ORDER_PRIORITY : ORDER_POLICY + policy;
	return rc == OK ? listing_answer(w, &l) : rc;
}

static int
first_add(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	(void)w, (void)body;
	*(int64_t *)l->ctx = seq;
	return OK;
}

int
ready_first(struct work *w, int64_t *seq)
{
	struct listing l = { .oldest = true, .left = 1, .rows = INT64_MAX,
		.add = first_add, .ctx = seq };
	int rc = filter_take(w, &l.f);

	l.f.states = 1u << STATE_READY;
	if (l.f.whose == 0) {
		l.f.whose = WHOSE_THEIRS | WHOSE_NOBODYS;
		l.f.assignee = w->call->actor;
	}
	if (rc == OK)
		rc = listing_each(w, &l);
	return rc;
}
