/*
 * list.c - list, search and blocked: many items, by priority and then newest
 * first.
 *
 * There is one index for all of them, by (tracker, state, priority, created).
 * A list walks it priority by priority, with one cursor per wanted state, and
 * takes the newest of those under the cursors: what it costs is the size of
 * the answer, not of the tracker.  A filter by ids, labels or assignee whose
 * items are few starts at those instead, and sorts them.
 *
 * With `page` an answer ends after LIMIT_WORK_PAGE_BYTES and says where the next
 * one begins; without it, and without a limit, more than LIMIT_WORK_ROWS items
 * are an error, for an array cannot say that it was cut.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "work/row.h"
#include "work/work_priv.h"

#define LIST_STATES 10                       /* all but the tombstones' */
#define FEW         4096                     /* items worth sorting */
#define GLANCE      512                      /* rows worth a look before that */

_Static_assert(SQL_LIST_9 - SQL_LIST_0 == LIST_STATES - 1,
    "a list statement per state");
_Static_assert(LIST_STATES == 2 * STATUS_TOMBSTONE, "states before tombstones");

/* What is wanted; texts with p == NULL and numbers < 0 do not matter. */
struct filter {
	unsigned states;                     /* a bit each */
	int64_t priority, type;
	struct str assignee;
	struct str title, query;             /* anywhere in the title; in id,
	                                        title or description */
	struct str *words;                   /* all of them anywhere */
	size_t words_n;
	struct str *all, *any;               /* labels */
	size_t all_n, any_n;
};

/* The position of an item in the order of a list. */
struct replace {
	int64_t priority, created, seq;
};

/* The answer that is being written. */
struct listing {
	const struct filter *f;
	int64_t left;                        /* items that still fit */
	bool page, all;                      /* the answer is a page; no limit was given */
	size_t from;                         /* of the answer in its text */
	struct replace after;                  /* it begins behind this; */
	bool resumes;                        /* if so */
	struct replace last;                   /* the item that was offered last */
	int64_t looked;                      /* bodies read to find texts */
	int64_t rows;                        /* that may still be walked over */
	int (*add)(struct work *w, int64_t seq, struct str body);
};

/* ---- texts -------------------------------------------------------------------- */

static bool
any_member_has(jnode item, const char *const *keys, struct str needle)
{
	for (; *keys != NULL; keys++) {
		if (str_contains_nocase(json_str(json_get(item, str_of(*keys))), needle))
			return true;
	}
	return false;
}

static bool
texts_match(const struct filter *f, jnode item)
{
	static const char *const in_title[] = { "title", NULL };
	static const char *const in_query[] = { "id", "title", "description", NULL };
	static const char *const in_search[] = { "id", "title", "description",
		"notes", "design", "acceptance_criteria", NULL };

	if (f->title.p != NULL && !any_member_has(item, in_title, f->title))
		return false;
	if (f->query.p != NULL && !any_member_has(item, in_query, f->query))
		return false;
	for (size_t i = 0; i < f->words_n; i++) {
		if (!any_member_has(item, in_search, f->words[i]))
			return false;
	}
	return true;
}

static bool
wants_texts(const struct filter *f)
{
	return f->title.p != NULL || f->query.p != NULL || f->words_n > 0;
}

/* *yes: does the body have the texts? */
static int
body_matches(struct work *w, struct listing *l, struct str body, bool *yes)
{
	struct json_doc doc;
	struct err e;
	int rc;

	*yes = true;
	if (!wants_texts(l->f))
		return OK;
	if (++l->looked > LIMIT_WORK_SCAN)
		return work_fail(w, ERR_LIMIT, "more than %d items were searched: narrow "
		    "it with a status, a label or a limit", LIMIT_WORK_SCAN);
	rc = json_parse(&doc, body, &e);
	if (rc == OK)
		*yes = texts_match(l->f, doc.root);
	json_release(&doc);
	return rc == OK ? OK : work_fail(w, ERR_IO, "an item is damaged: %s", e.text);
}

/* ---- labels --------------------------------------------------------------------- */

static int
has_label(struct work *w, int64_t seq, struct str label, bool *yes)
{
	struct query q = query_of(&w->db, SQL_LABEL_HAS, db_i64(w->t.seq),
	    db_str(label), db_i64(seq));
	int rc = query_row(&q);

	query_end(&q);
	*yes = rc == OK;
	return rc == OK || rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

static int
labels_match(struct work *w, const struct filter *f, int64_t seq, bool *yes)
{
	bool some = f->any_n == 0, all = true;
	int rc = OK;

	for (size_t i = 0; rc == OK && all && i < f->all_n; i++)
		rc = has_label(w, seq, f->all[i], &all);
	for (size_t i = 0; rc == OK && all && !some && i < f->any_n; i++)
		rc = has_label(w, seq, f->any[i], &some);
	*yes = all && some;
	return rc;
}

/* ---- one item ----------------------------------------------------------------------- */

static int
listed_add(struct work *w, int64_t seq, struct str body)
{
	(void)seq;
	return body_add(w, body, true, w->call->data);
}

/* A row whose columns fit: is it wanted, then it is in the answer. */
static int
offer(struct work *w, struct listing *l, int64_t seq, struct str body)
{
	bool yes;
	int rc = labels_match(w, l->f, seq, &yes);

	if (rc == OK && yes)
		rc = body_matches(w, l, body, &yes);
	if (rc != OK || !yes)
		return rc;
	if (l->all && l->left == 1)
		return work_fail(w, ERR_LIMIT, "more than %d items: ask for them by pages "
		    "(\"page\": true), or for fewer", LIMIT_WORK_ROWS);
	json_add_comma(w->call->data);
	l->left--;
	rc = l->add(w, seq, body);
	if (l->page && w->call->data->n - l->from > LIMIT_WORK_PAGE_BYTES)
		l->left = 0;
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

	c->q = query_of(&w->db, (int)SQL_LIST_0 + state, db_i64(w->t.seq),
	    db_i64(state), db_i64(priority),
	    l->f->type < 0 ? db_null() : db_i64(l->f->type),
	    db_str(l->f->assignee),
	    db_i64(resumes ? l->after.created : INT64_MAX),
	    db_i64(resumes ? l->after.seq : INT64_MAX));
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
		l->last = (struct replace){ priority, at->created, at->seq };
		rc = offer(w, l, at->seq, query_borrow(&at->q, 2));
		if (rc == OK)
			rc = cursor_next(w, at);
	}
	for (size_t i = 0; i < n; i++)
		query_end(&c[i].q);
	return rc;
}

/* The states some item is in. */
static int
states_used(struct work *w, unsigned *states)
{
	struct query q;
	int rc;

	*states = 0;
	q = query_of(&w->db, SQL_COUNTS, db_i64(w->t.seq));
	while ((rc = query_row(&q)) == OK) {
		if (query_i64(&q, 1) > 0)
			*states |= 1u << query_i64(&q, 0);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

static int
walk(struct work *w, struct listing *l)
{
	unsigned states;
	int rc = states_used(w, &states);

	states &= l->f->states;
	for (int p = 0; rc == OK && l->left > 0 && l->rows > 0 &&
	    p <= PRIORITY_MAX; p++) {
		if ((l->f->priority < 0 || l->f->priority == p) &&
		    (!l->resumes || p >= l->after.priority))
			rc = walk_priority(w, l, states, p);
	}
	return rc;
}

/* ---- starting at the few ---------------------------------------------------------------- */

struct candidates {
	struct replace *list;
	size_t n, max;
	bool many;                           /* more than max: walk instead */
};

static int
candidate_order(const void *a, const void *b)
{
	const struct replace *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->created != y->created)
		return x->created > y->created ? -1 : 1;
	return x->seq > y->seq ? -1 : x->seq < y->seq;
}

/* A row of (seq, state, priority, created, type, assignee), if it fits. */
static void
candidate_note(struct candidates *cs, const struct filter *f,
    const struct query *q)
{
	if ((f->states & (1u << query_i64(q, 1))) == 0 ||
	    (f->priority >= 0 && f->priority != query_i64(q, 2)) ||
	    (f->type >= 0 && f->type != query_i64(q, 4)) ||
	    (f->assignee.p != NULL && !str_eq(f->assignee, query_borrow(q, 5))))
		return;
	if (cs->n == cs->max)
		cs->many = true;
	else
		cs->list[cs->n++] = (struct replace){ query_i64(q, 2),
			query_i64(q, 3), query_i64(q, 0) };
}

/* All rows of a statement whose parameters are bound. */
static int
candidates_of(struct work *w, struct candidates *cs, const struct filter *f,
    struct query *q)
{
	size_t rows = 0;
	int rc;

	while (!cs->many && (rc = query_row(q)) == OK) {
		candidate_note(cs, f, q);
		if (++rows > FEW)
			cs->many = true;
	}
	query_end(q);
	return cs->many || rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
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
	int rc = OK;

	qsort(cs->list, cs->n, sizeof *cs->list, candidate_order);
	for (size_t i = 0; rc == OK && l->left > 0 && i < cs->n; i++) {
		struct query q;

		if ((i > 0 && cs->list[i].seq == cs->list[i - 1].seq) ||
		    (l->resumes && candidate_order(&cs->list[i], &l->after) <= 0))
			continue;
		l->last = cs->list[i];
		q = query_of(&w->db, SQL_ITEM_BODY, db_i64(cs->list[i].seq));
		rc = query_row(&q);
		rc = rc == OK ? offer(w, l, cs->list[i].seq, query_borrow(&q, 0)) :
		    work_fail_db(w, rc);
		query_end(&q);
	}
	return rc;
}

/* *done: what is wanted was found from one of its properties. */
static int
from_few(struct work *w, struct listing *l, jnode ids, bool *done)
{
	const struct filter *f = l->f;
	struct candidates cs = { .max = FEW, .many = true };
	int rc = OK;

	if (ids != NULL && json_count(ids) > cs.max)
		cs.max = json_count(ids);
	*done = false;
	if (ids == NULL && f->all_n == 0 && f->any_n == 0 && f->assignee.p == NULL)
		return OK;
	cs.list = arena_alloc(&w->a, cs.max * sizeof *cs.list);
	if (cs.list == NULL)
		return work_fail(w, ERR_TOOBIG, "too many ids");
	if (ids != NULL) {
		cs.many = false;
		rc = candidates_ids(w, &cs, f, ids);
	}
	for (size_t i = 0; rc == OK && cs.many && i < f->all_n; i++) {
		cs.n = 0, cs.many = false;
		rc = candidates_label(w, &cs, f, f->all[i]);
	}
	if (rc == OK && cs.many && f->any_n > 0) {
		cs.n = 0, cs.many = false;
		for (size_t i = 0; rc == OK && !cs.many && i < f->any_n; i++)
			rc = candidates_label(w, &cs, f, f->any[i]);
	}
	if (rc == OK && cs.many && f->assignee.p != NULL) {
		cs.n = 0, cs.many = false;
		rc = candidates_assignee(w, &cs, f);
	}
	*done = !cs.many;
	return rc == OK && *done ? candidates_offer(w, l, &cs) : rc;
}

/* ---- the operations ----------------------------------------------------------------------- */

static unsigned
states_of(int status)
{
	return status < 0 ? (1u << LIST_STATES) - 1 : 3u << (2 * status);
}

static struct str
wanted(const struct work_call *c, const char *name)
{
	struct str s = arg_text(c, name);

	return s.n == 0 ? STR_NONE : s;
}

static int
strings_take(struct work *w, jnode list, struct str also, struct str **out,
    size_t *n)
{
	struct json_iter at = json_each(list);

	*n = 0;
	if (list == NULL && also.p == NULL)
		return OK;
	*out = arena_alloc(&w->a, (json_count(list) + 1) * sizeof **out);
	if (*out == NULL)
		return work_fail(w, ERR_TOOBIG, "too many labels");
	if (also.p != NULL)
		(*out)[(*n)++] = also;
	while (json_next(&at))
		(*out)[(*n)++] = json_str(at.value);
	return OK;
}

static int
filter_take(struct work *w, struct filter *f)
{
	struct work_call *c = w->call;
	int rc;

	*f = (struct filter){
		.states = states_of(arg_word(c, "status", work_status_names, -1)),
		.priority = arg_int(c, "priority", -1),
		.type = arg_word(c, "issue_type", work_type_names, -1),
		.assignee = wanted(c, "assignee"), .title = wanted(c, "title"),
		.query = wanted(c, "query"),
	};
	rc = strings_take(w, arg_node(c, "labels"), wanted(c, "label"), &f->all,
	    &f->all_n);
	return rc == OK ? strings_take(w, arg_node(c, "labels_any"), STR_NONE,
	    &f->any, &f->any_n) : rc;
}

static struct listing
listing_of(const struct work_call *c, const struct filter *f)
{
	struct listing l = { .f = f, .left = arg_int(c, "limit", 0),
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
op_list(struct work *w, struct work_call *c)
{
	struct filter f = { 0 };
	struct listing l = listing_of(c, &f);
	bool done = false;
	int rc = listing_begin(w, &l);

	if (rc == OK)
		rc = filter_take(w, &f);
	if (rc == OK && f.all_n + f.any_n > 0 && f.assignee.p == NULL &&
	    f.type < 0 && !arg_given(c, "ids"))
		rc = glance(w, &l, &done);
	if (rc == OK && !done)
		rc = from_few(w, &l, arg_node(c, "ids"), &done);
	if (rc == OK && !done)
		rc = walk(w, &l);
	listing_end(w, &l);
	return rc;
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* At most half as many words as bytes, rounded up. */
static int
words_take(struct work *w, struct str text, struct filter *f)
{
	size_t i = 0, from;

	f->words = arena_alloc(&w->a, (text.n / 2 + 1) * sizeof *f->words);
	if (f->words == NULL)
		return work_fail(w, ERR_TOOBIG, "query: too long");
	while (i < text.n) {
		while (i < text.n && is_blank(text.p[i]))
			i++;
		for (from = i; i < text.n && !is_blank(text.p[i]); )
			i++;
		if (i > from)
			f->words[f->words_n++] = str_sub(text, from, i - from);
	}
	return f->words_n > 0 ? OK :
	    work_fail(w, ERR_INVALID, "query: expected a word or more");
}

int
op_search(struct work *w, struct work_call *c)
{
	struct filter f = { .priority = -1, .type = -1,
		.states = states_of(arg_word(c, "status", work_status_names, -1)) };
	struct listing l = listing_of(c, &f);
	int rc = listing_begin(w, &l);

	if (rc == OK)
		rc = words_take(w, arg_text(c, "query"), &f);
	if (rc == OK)
		rc = walk(w, &l);
	listing_end(w, &l);
	return rc;
}

/* ---- blocked -------------------------------------------------------------------------------- */

/* What keeps an item from being worked on; the ids are in w->scratch, as JSON
 * strings with commas. */
struct blockers {
	int64_t found[LIMIT_WORK_DEPS];
	size_t found_n;
	int64_t from[LIMIT_WORK_TREE_DEPTH]; /* the item, then held ancestors */
	size_t from_n;
};

static void
blocker_note(struct work *w, struct blockers *b, const struct query *q)
{
	for (size_t i = 0; i < b->found_n; i++) {
		if (b->found[i] == query_i64(q, 0))
			return;
	}
	if (b->found_n == COUNT(b->found))
		return;
	b->found[b->found_n++] = query_i64(q, 0);
	json_add_comma(&w->scratch);
	json_add_str(&w->scratch, query_borrow(q, 1));
}

static void
ancestor_note(struct blockers *b, int64_t seq)
{
	for (size_t i = 0; i < b->from_n; i++) {
		if (b->from[i] == seq)
			return;
	}
	if (b->from_n < COUNT(b->from))
		b->from[b->from_n++] = seq;
}

/* Open ones of its own are noted; *own: there are some. */
static int
blockers_own(struct work *w, struct blockers *b, int64_t seq, bool *own)
{
	struct query q;
	int rc;

	*own = false;
	q = query_of(&w->db, SQL_BLOCKERS, db_i64(seq));
	while ((rc = query_row(&q)) == OK) {
		*own = true;
		blocker_note(w, b, &q);
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

static int
parents_held(struct work *w, struct blockers *b, int64_t seq)
{
	int rc;
	struct query q = query_of(&w->db, SQL_PARENTS_HELD, db_i64(seq));

	while ((rc = query_row(&q)) == OK)
		ancestor_note(b, query_i64(&q, 0));
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

/* Upwards, until on each way there is somebody with blockers of its own. */
static int
blockers_find(struct work *w, struct blockers *b, int64_t seq)
{
	int rc = OK;

	buf_clear(&w->scratch);
	b->found_n = 0;
	b->from_n = 1;
	b->from[0] = seq;
	for (size_t i = 0; rc == OK && i < b->from_n; i++) {
		bool own;

		rc = blockers_own(w, b, b->from[i], &own);
		if (rc == OK && (i == 0 || !own))
			rc = parents_held(w, b, b->from[i]);
	}
	return rc;
}

static int
blocked_add(struct work *w, int64_t seq, struct str body)
{
	struct buf *out = w->call->data;
	struct blockers b;
	int rc = blockers_find(w, &b, seq);

	if (rc == OK)
		rc = body_add(w, body, true, out);
	buf_cut(out, out->n - 1);
	json_add_fmt(out, ",'blocked_by_count':%lld,'blocked_by':[%-.*s]}",
	    (long long)b.found_n, FMT(buf_str(&w->scratch)));
	return rc;
}

int
op_blocked(struct work *w, struct work_call *c)
{
	struct filter f = { .priority = -1, .type = -1,
		.states = BLOCKED_STATES };
	struct listing l = listing_of(c, &f);
	int rc;

	l.add = blocked_add;
	rc = listing_begin(w, &l);
	if (rc == OK)
		rc = walk(w, &l);
	listing_end(w, &l);
	return rc;
}
