/*
 * record_merge.c - merges three records by the rules in record_priv.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "work/exchange/record_priv.h"

/* ---- fields ---------------------------------------------------------------- */

enum field_kind { FIELD_TEXT, FIELD_STATUS, FIELD_PRIORITY, FIELD_TYPE, FIELD_MINUTES };

static const struct field {
	const char *name;
	enum field_kind kind;
	size_t at;                           /* FIELD_TEXT: where in struct item */
} fields[] = {
	{ "title", FIELD_TEXT, offsetof(struct item, title) },
	{ "description", FIELD_TEXT, offsetof(struct item, description) },
	{ "design", FIELD_TEXT, offsetof(struct item, design) },
	{ "acceptance_criteria", FIELD_TEXT, offsetof(struct item, acceptance) },
	{ "notes", FIELD_TEXT, offsetof(struct item, notes) },
	{ "assignee", FIELD_TEXT, offsetof(struct item, assignee) },
	{ "external_ref", FIELD_TEXT, offsetof(struct item, external_ref) },
	{ "created_at", FIELD_TEXT, offsetof(struct item, created_at) },
	{ "status", FIELD_STATUS, 0 },
	{ "priority", FIELD_PRIORITY, 0 },
	{ "issue_type", FIELD_TYPE, 0 },
	{ "estimated_minutes", FIELD_MINUTES, 0 },
};

/* Room for a number in digits. */
struct digits { char text[24]; };

static struct str
number(struct digits *d, int64_t n)
{
	if (n < 0)
		return STR_NONE;
	return (struct str){ d->text, (size_t)snprintf(d->text, sizeof d->text,
	    "%lld", (long long)n) };
}

static struct str *
text_at(struct item *it, const struct field *f)
{
	return (struct str *)(void *)((char *)it + f->at);
}

static struct str
field_get(const struct item *it, const struct field *f, struct digits *d)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return *(const struct str *)(const void *)((const char *)it + f->at);
	case FIELD_STATUS:
		return it->status == STATUS_TOMBSTONE ? S("tombstone") :
		    str_of(work_status_names[it->status]);
	case FIELD_PRIORITY:
		return number(d, it->priority);
	case FIELD_TYPE:
		return str_of(work_type_names[it->type]);
	case FIELD_MINUTES:
		return number(d, it->estimated);
	}
	return STR_NONE;
}

static void
field_copy(struct item *to, const struct item *from, const struct field *f)
{
	switch (f->kind) {
	case FIELD_TEXT:
		*text_at(to, f) = *(const struct str *)(const void *)
		    ((const char *)from + f->at);
		if (f->at == offsetof(struct item, created_at))
			to->created = from->created;
		break;
	case FIELD_STATUS:   to->status = from->status;       break;
	case FIELD_PRIORITY: to->priority = from->priority;   break;
	case FIELD_TYPE:     to->type = from->type;           break;
	case FIELD_MINUTES:  to->estimated = from->estimated; break;
	}
}

/* ---- who wins -------------------------------------------------------------- */

/* > 0: a was updated later. */
static int
updated_order(const struct item *a, const struct item *b)
{
	msec at = 0, bt = 0;

	clock_read_iso(a->updated_at, &at);
	clock_read_iso(b->updated_at, &bt);
	return at < bt ? -1 : at > bt;
}

/* Both changed it: the side updated later wins, else the larger bytes. */
static bool
ours_wins(const struct item *ours, const struct item *theirs, struct str a,
    struct str b)
{
	int order = updated_order(ours, theirs);

	return order != 0 ? order > 0 : str_cmp(a, b) >= 0;
}

static void
clash(struct merge *m, struct str id, const char *field, struct str ours,
    struct str theirs, bool ours_kept)
{
	struct clash c = { id, field, ours, theirs, ours_kept ? ours : theirs };

	if (m->report != NULL)
		m->report(m->ctx, &c);
}

/* Chooses a value: true for ours, a. */
static bool
choose(struct merge *m, const struct item *ours, const struct item *theirs,
    const char *field, const struct str *base, struct str a, struct str b)
{
	bool won;

	if (str_eq(a, b))
		return true;
	if (base != NULL && str_eq(*base, a))
		return false;
	if (base != NULL && str_eq(*base, b))
		return true;
	won = ours_wins(ours, theirs, a, b);
	if (base != NULL)
		clash(m, ours->id, field, a, b, won);
	return won;
}

static void
fields_merge(struct item *out, const struct item *base, const struct item *ours,
    const struct item *theirs, struct merge *m)
{
	struct digits digits[3];

	for (size_t i = 0; i < COUNT(fields); i++) {
		const struct field *f = &fields[i];
		struct str was = base == NULL ? STR_NONE :
		    field_get(base, f, &digits[0]);
		struct str a = field_get(ours, f, &digits[1]);
		struct str b = field_get(theirs, f, &digits[2]);

		field_copy(out, choose(m, ours, theirs, f->name,
		    base == NULL ? NULL : &was, a, b) ? ours : theirs, f);
	}
}

/* The later update, and the earlier closing. */
static void
times_merge(struct item *out, const struct item *ours, const struct item *theirs)
{
	int order = updated_order(ours, theirs);
	msec a = 0, b = 0;

	if (order == 0)
		order = str_cmp(ours->updated_at, theirs->updated_at);
	out->updated_at = order >= 0 ? ours->updated_at : theirs->updated_at;
	out->closed_at = ours->closed_at;
	if (ours->closed_at.p == NULL || (theirs->closed_at.p != NULL &&
	    clock_read_iso(ours->closed_at, &a) &&
	    clock_read_iso(theirs->closed_at, &b) &&
	    (b < a || (a == b &&
	    str_cmp(theirs->closed_at, ours->closed_at) < 0))))
		out->closed_at = theirs->closed_at;
	record_settle(out);
}

/* ---- members we do not know ------------------------------------------------ */

static struct str
member_text(const struct json_doc *doc, struct str key, struct arena *a)
{
	struct buf b = BUF(LIMIT_WORK_ITEM_BYTES);
	jnode n = doc->root == NULL ? NULL : json_get(doc->root, key);
	struct str out = STR_NONE;

	if (n != NULL) {
		json_add_node(&b, n);
		out = arena_str(a, buf_str(&b));
	}
	buf_release(&b);
	return out;
}

static size_t
keys_take(struct str *keys, size_t n, const struct json_doc *doc, struct arena *a)
{
	struct json_iter at = json_each(doc->root);

	while (json_next(&at))
		keys[n++] = arena_str(a, json_str(at.key));
	return n;
}

/* Merges key by key; the result is sorted. */
static void
extra_members(struct item *out, const struct item *ours, const struct item *theirs,
    bool based, struct json_doc docs[3], struct merge *m)
{
	struct buf b = BUF(2 * LIMIT_WORK_ITEM_BYTES);
	struct str *keys = arena_alloc(m->a, (json_count(docs[1].root) +
	    json_count(docs[2].root) + 1) * sizeof *keys);
	size_t n = 0;

	if (keys == NULL)
		return;
	n = keys_take(keys, n, &docs[1], m->a);
	n = keys_take(keys, n, &docs[2], m->a);
	work_strs_sort(keys, &n);
	for (size_t i = 0; i < n; i++) {
		struct str was = member_text(&docs[0], keys[i], m->a);
		struct str x = member_text(&docs[1], keys[i], m->a);
		struct str y = member_text(&docs[2], keys[i], m->a);
		struct str kept;

		/* Without a base a member of one side is kept. */
		if (!based && (x.n == 0 || y.n == 0))
			kept = x.n > 0 ? x : y;
		else
			kept = choose(m, ours, theirs, keys[i].p,
			    based ? &was : NULL, x, y) ? x : y;
		if (kept.n == 0)
			continue;
		json_add_fmt(&b, ",%.*s:%-.*s", FMT(keys[i]), FMT(kept));
	}
	out->extra = b.n > 0 ? arena_str(m->a, buf_str(&b)) : STR_NONE;
	buf_release(&b);
}

static void
extra_merge(struct item *out, const struct item *base, const struct item *ours,
    const struct item *theirs, struct merge *m)
{
	struct json_doc docs[3];

	out->extra = ours->extra;
	if (str_eq(ours->extra, theirs->extra))
		return;
	if (base != NULL && str_eq(base->extra, ours->extra)) {
		out->extra = theirs->extra;
		return;
	}
	if (base != NULL && str_eq(base->extra, theirs->extra))
		return;
	record_extra(&docs[0], base);
	record_extra(&docs[1], ours);
	record_extra(&docs[2], theirs);
	extra_members(out, ours, theirs, base != NULL, docs, m);
	for (size_t i = 0; i < COUNT(docs); i++)
		json_release(&docs[i]);
}

/* ---- sets ------------------------------------------------------------------ */

static bool
has_label(const struct item *it, struct str label)
{
	return it != NULL && work_label_in(it->labels, it->labels_n, label);
}

/* Both have it, or one side added it. */
static bool
set_keeps(bool base, bool ours, bool theirs)
{
	return (ours && theirs) || ((ours || theirs) && !base);
}

static void
labels_merge(struct item *out, const struct item *base, const struct item *ours,
    const struct item *theirs, struct merge *m)
{
	const struct item *sides[] = { ours, theirs };
	struct str *list = arena_alloc(m->a, (ours->labels_n + theirs->labels_n +
	    1) * sizeof *list);
	size_t n = 0;

	if (list == NULL)
		return;
	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; i < sides[s]->labels_n; i++) {
			struct str label = sides[s]->labels[i];

			if (set_keeps(has_label(base, label), has_label(ours, label),
			    has_label(theirs, label)))
				list[n++] = label;
		}
	}
	if (n > 0)
		work_strs_sort(list, &n);
	out->labels = list;
	out->labels_n = n;
}

static const struct dep *
dep_of(const struct item *it, struct str id)
{
	for (size_t i = 0; it != NULL && i < it->deps_n; i++) {
		if (str_eq(it->deps[i].id, id))
			return &it->deps[i];
	}
	return NULL;
}

/* Both sides have the edge: its type is merged as a field; of equal types the edge
 * created first is kept. */
static const struct dep *
dep_choose(const struct item *base, const struct item *ours,
    const struct item *theirs, const struct dep *x, const struct dep *y,
    struct merge *m)
{
	const struct dep *was = dep_of(base, x->id);
	struct str type = was == NULL ? STR_NONE :
	    str_of(work_dep_names[was->type]);
	int order;

	if (x->type != y->type)
		return choose(m, ours, theirs, "dependencies",
		    was == NULL ? NULL : &type, str_of(work_dep_names[x->type]),
		    str_of(work_dep_names[y->type])) ? x : y;
	order = dep_order(x, y);
	if (order == 0)
		order = str_cmp(x->created_at, y->created_at);
	if (order == 0)
		order = str_cmp(x->created_by, y->created_by);
	return order <= 0 ? x : y;
}

static bool
deps_equal(const struct item *a, const struct item *b)
{
	if (a->deps_n != b->deps_n)
		return false;
	for (size_t i = 0; i < a->deps_n; i++) {
		const struct dep *x = &a->deps[i], *y = &b->deps[i];

		if (!str_eq(x->id, y->id) || x->type != y->type ||
		    !str_eq(x->created_at, y->created_at) ||
		    !str_eq(x->created_by, y->created_by))
			return false;
	}
	return true;
}

static void
deps_merge(struct item *out, const struct item *base, const struct item *ours,
    const struct item *theirs, struct merge *m)
{
	struct dep *list;
	size_t n = 0;

	out->deps = ours->deps;
	out->deps_n = ours->deps_n;
	if (deps_equal(ours, theirs))
		return;
	list = arena_alloc(m->a, (ours->deps_n + theirs->deps_n + 1) * sizeof *list);
	if (list == NULL)
		return;
	for (size_t i = 0; i < ours->deps_n; i++) {
		const struct dep *x = &ours->deps[i], *y = dep_of(theirs, x->id);

		if (y != NULL)
			list[n++] = *dep_choose(base, ours, theirs, x, y, m);
		else if (dep_of(base, x->id) == NULL)
			list[n++] = *x;
	}
	for (size_t i = 0; i < theirs->deps_n; i++) {
		const struct dep *y = &theirs->deps[i];

		if (dep_of(ours, y->id) == NULL && dep_of(base, y->id) == NULL)
			list[n++] = *y;
	}
	deps_sort(list, n);
	out->deps = list;
	out->deps_n = n;
}

static void
comments_merge(struct record *out, const struct record *ours,
    const struct record *theirs, struct merge *m)
{
	size_t n = ours->comments_n + theirs->comments_n;
	struct comment *list = arena_alloc(m->a, (n + 1) * sizeof *list);

	if (list == NULL)
		return;
	if (ours->comments_n > 0)
		memcpy(list, ours->comments, ours->comments_n * sizeof *list);
	if (theirs->comments_n > 0)
		memcpy(list + ours->comments_n, theirs->comments,
		    theirs->comments_n * sizeof *list);
	record_comments_sort(list, &n);
	out->comments = list;
	out->comments_n = n;
}

/* ---- deletions ------------------------------------------------------------- */

/* Both deleted it: the earlier deletion is kept. */
static bool
ours_deleted_first(const struct item *ours, const struct item *theirs,
    struct arena *a)
{
	struct str by, at_x = record_deleted_at(ours, &by, a);
	struct str at_y = record_deleted_at(theirs, &by, a);
	msec x = 0, y = 0;
	int order;

	clock_read_iso(at_x, &x);
	clock_read_iso(at_y, &y);
	if (x != y)
		return x < y;
	order = str_cmp(ours->extra, theirs->extra);
	return (order != 0 ? order : str_cmp(ours->title, theirs->title)) <= 0;
}

static bool
item_same(const struct record *a, const struct record *b)
{
	struct buf x = BUF(LIMIT_WORK_MEMORY_BYTES), y = BUF(LIMIT_WORK_MEMORY_BYTES);
	bool same;

	record_encode(&x, a);
	record_encode(&y, b);
	same = str_eq(buf_str(&x), buf_str(&y));
	buf_release(&x);
	buf_release(&y);
	return same;
}

/* Does the deletion win against the live side? */
static bool
deletion_stands(const struct record *base, const struct record *dead,
    const struct record *live, bool ours_dead, struct merge *m)
{
	struct str by, at = record_deleted_at(&dead->it, &by, m->a);
	msec deleted = 0, updated = 0;
	bool stands;

	if (base != NULL && base->it.status == STATUS_TOMBSTONE)
		return false;                /* the live side restored it */
	if (base != NULL && item_same(base, live))
		return true;
	clock_read_iso(at, &deleted);
	clock_read_iso(live->it.updated_at, &updated);
	stands = updated <= deleted;
	if (base != NULL || !stands)
		clash(m, live->it.id, "deleted", ours_dead ? at : live->it.updated_at,
		    ours_dead ? live->it.updated_at : at, ours_dead == stands);
	return stands;
}

/* One side or both are tombstones: does our record win as a whole? */
static bool
tombstone_ours(const struct record *base, const struct record *ours,
    const struct record *theirs, struct merge *m)
{
	bool ours_dead = ours->it.status == STATUS_TOMBSTONE;
	bool theirs_dead = theirs->it.status == STATUS_TOMBSTONE;

	if (ours_dead && theirs_dead)
		return ours_deleted_first(&ours->it, &theirs->it, m->a);
	if (ours_dead)
		return deletion_stands(base, ours, theirs, true, m);
	return !deletion_stands(base, theirs, ours, false, m);
}

/* ---- the whole ------------------------------------------------------------- */

/* Columns and the lease are our tracker's own. */
static void
columns_keep(struct item *out, const struct item *ours)
{
	out->seq = ours->seq;
	out->blockers = ours->blockers;
	out->held_parents = ours->held_parents;
	out->children = ours->children;
	out->lease_holder = ours->lease_holder;
	out->lease_until = ours->lease_until;
}

void
record_merge(struct record *out, const struct record *base,
    const struct record *ours, const struct record *theirs, struct merge *m)
{
	const struct item *was = base == NULL ? NULL : &base->it;

	assert(m->a != NULL);
	if (ours->it.status == STATUS_TOMBSTONE ||
	    theirs->it.status == STATUS_TOMBSTONE) {
		*out = tombstone_ours(base, ours, theirs, m) ? *ours : *theirs;
		columns_keep(&out->it, &ours->it);
		return;
	}
	if (was != NULL && was->status == STATUS_TOMBSTONE)
		was = NULL;                  /* both restored it */
	*out = *ours;
	fields_merge(&out->it, was, &ours->it, &theirs->it, m);
	times_merge(&out->it, &ours->it, &theirs->it);
	extra_merge(&out->it, was, &ours->it, &theirs->it, m);
	labels_merge(&out->it, was, &ours->it, &theirs->it, m);
	deps_merge(&out->it, was, &ours->it, &theirs->it, m);
	comments_merge(out, ours, theirs, m);
}
