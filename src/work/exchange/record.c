/*
 * record.c - one line of an export, read and written.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "work/exchange/record_priv.h"

/* ---- reading --------------------------------------------------------------- */

static int
text_of(jnode o, const char *key, const char *path, size_t max, struct str *out,
    struct err *e)
{
	return json_get_str(o, key, path, STR_NONE, max, out, e);
}

static int
comment_decode(struct comment *c, jnode n, struct err *e)
{
	msec ms;
	int rc;

	if (!json_is_object(n))
		return err_set(e, ERR_INVALID, "comments: expected objects, got %s",
		    json_kind(n));
	rc = text_of(n, "author", "comments.author", LIMIT_WORK_NAME_BYTES,
	    &c->author, e);
	if (rc == OK)
		rc = text_of(n, "text", "comments.text", LIMIT_WORK_TEXT_BYTES,
		    &c->text, e);
	if (rc == OK)
		rc = text_of(n, "created_at", "comments.created_at", 64,
		    &c->created_at, e);
	if (rc == OK && !clock_read_iso(c->created_at, &ms))
		rc = err_set(e, ERR_INVALID, "comments.created_at: expected a time "
		    "as 2026-11-21T08:30:00Z, got \"%.*s\"", FMT(c->created_at));
	return rc;
}

static int
comment_order(const void *left, const void *right)
{
	const struct comment *a = left, *b = right;
	msec at = 0, bt = 0;
	int order;

	clock_read_iso(a->created_at, &at);
	clock_read_iso(b->created_at, &bt);
	if (at != bt)
		return at < bt ? -1 : 1;
	order = str_cmp(a->created_at, b->created_at);
	if (order == 0)
		order = str_cmp(a->author, b->author);
	return order != 0 ? order : str_cmp(a->text, b->text);
}

void
record_comments_sort(struct comment *list, size_t *n)
{
	size_t kept = 0;

	if (*n == 0)
		return;
	qsort(list, *n, sizeof *list, comment_order);
	for (size_t i = 0; i < *n; i++) {
		if (i == 0 || comment_order(&list[i], &list[kept - 1]) != 0)
			list[kept++] = list[i];
	}
	*n = kept;
}

static int
comments_decode(struct record *r, jnode n, struct arena *a, struct err *e)
{
	struct json_iter at = json_each(n);
	int rc = OK;

	if (json_is_null(n))
		return OK;
	if (!json_is_array(n))
		return err_set(e, ERR_INVALID, "comments: expected an array, got %s",
		    json_kind(n));
	r->comments = arena_zero(a, (json_count(n) + 1) * sizeof *r->comments);
	if (r->comments == NULL)
		return err_set(e, ERR_TOOBIG, "comments: too many");
	while (rc == OK && json_next(&at))
		rc = comment_decode(&r->comments[r->comments_n++], at.value, e);
	if (rc == OK)
		record_comments_sort(r->comments, &r->comments_n);
	return rc;
}

static int
deps_check(const struct item *it, struct arena *a, struct err *e)
{
	struct str *ids = arena_alloc(a, (it->deps_n + 1) * sizeof *ids);

	if (ids == NULL)
		return err_set(e, ERR_TOOBIG, "dependencies: too many");
	for (size_t i = 0; i < it->deps_n; i++) {
		ids[i] = it->deps[i].id;
		if (str_eq(ids[i], it->id))
			return err_set(e, ERR_INVALID, "dependencies: %.*s depends on "
			    "itself", FMT(it->id));
	}
	if (it->deps_n > 1)
		qsort(ids, it->deps_n, sizeof *ids, work_str_order);
	for (size_t i = 1; i < it->deps_n; i++) {
		if (str_eq(ids[i], ids[i - 1]))
			return err_set(e, ERR_INVALID, "dependencies: %.*s is named "
			    "twice", FMT(ids[i]));
	}
	return OK;
}

void
record_extra(struct json_doc *doc, const struct item *it)
{
	struct buf b = BUF(LIMIT_WORK_ITEM_BYTES);
	struct err e;

	*doc = (struct json_doc){ 0 };
	buf_add_char(&b, '{');
	if (it != NULL)
		buf_add(&b, it->extra);
	buf_add_char(&b, '}');
	json_parse(doc, buf_str(&b), &e);
	buf_release(&b);
}

/* A member that is a string; empty: absent or no string. */
static struct str
extra_text(const struct item *it, const char *key, struct arena *a)
{
	struct json_doc doc;
	struct str s, out = STR_NONE;

	if (it->extra.n == 0)
		return out;
	record_extra(&doc, it);
	s = json_str(json_get(doc.root, str_of(key)));
	if (s.n > 0)
		out = arena_str(a, s);
	json_release(&doc);
	return out;
}

static int
record_check(struct record *r, struct arena *a, struct err *e)
{
	struct item *it = &r->it;

	if (it->id.n == 0)
		return err_set(e, ERR_INVALID, "id: is missing");
	if (!id_is_valid(it->id))
		return err_set(e, ERR_INVALID, "id: expected PREFIX-name as in "
		    "bd-a3f8, got \"%.*s\"", FMT(it->id));
	if (it->status != STATUS_TOMBSTONE && str_trim(it->title).n == 0)
		return err_set(e, ERR_INVALID, "title: is missing");
	if (it->status == STATUS_TOMBSTONE) {
		struct str to = record_renamed_to(it, a);

		if (to.p != NULL && (!id_is_valid(to) || str_eq(to, it->id)))
			return err_set(e, ERR_INVALID, "renamed_to: expected another "
			    "id, got \"%.*s\"", FMT(to));
	}
	return deps_check(it, a, e);
}

int
record_decode(struct record *r, jnode object, struct arena *a, struct err *e)
{
	int rc;

	*r = (struct record){ 0 };
	rc = item_decode(&r->it, object, false, a, e);
	if (rc == OK)
		rc = record_check(r, a, e);
	if (rc == OK)
		rc = comments_decode(r, json_get(object, S("comments")), a, e);
	if (rc == OK)
		record_settle(&r->it);
	return rc;
}

int
record_parse(struct record *r, struct json_doc *doc, struct str line, struct arena *a,
    struct err *e)
{
	int rc;

	json_release(doc);
	rc = json_parse(doc, line, e);
	return rc == OK ? record_decode(r, doc->root, a, e) : rc;
}

void
record_settle(struct item *it)
{
	if (it->status == STATUS_TOMBSTONE)
		return;
	if (it->status != STATUS_CLOSED)
		it->closed_at = STR_NONE;
	else if (it->closed_at.p == NULL)
		it->closed_at = it->updated_at;
}

/* ---- writing --------------------------------------------------------------- */

/* The JSON array, numbered from 1: the same on every machine. */
static void
comments_encode(struct buf *b, struct str id, const struct comment *list,
    size_t n)
{
	buf_add_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		json_add_comma(b);
		comment_encode(b, (int64_t)i + 1, id, list[i].author, list[i].text,
		    list[i].created_at);
	}
	buf_add_char(b, ']');
}

struct str
record_deleted_at(const struct item *it, struct str *by, struct arena *a)
{
	struct str at = extra_text(it, "deleted_at", a);
	msec ms;

	*by = extra_text(it, "deleted_by", a);
	return at.n > 0 && clock_read_iso(at, &ms) ? at : it->updated_at;
}

struct str
record_renamed_to(const struct item *it, struct arena *a)
{
	struct str to = extra_text(it, "renamed_to", a);

	return to.n > 0 ? to : STR_NONE;
}

static void
tombstone_encode(struct buf *b, const struct record *r)
{
	json_add_fmt(b, "{'id':%.*s", FMT(r->it.id));
	if (r->it.title.n > 0)
		json_add_fmt(b, ",'title':%.*s", FMT(r->it.title));
	json_add_fmt(b, ",'status':'tombstone'");
	if (r->it.created_at.n > 0)
		json_add_fmt(b, ",'created_at':%.*s", FMT(r->it.created_at));
	if (r->it.extra.n > 0)
		json_add_fmt(b, ",%-.*s}", FMT(r->it.extra));
	else
		json_add_fmt(b, ",'deleted_at':%.*s}", FMT(r->it.updated_at));
}

void
record_encode(struct buf *b, const struct record *r)
{
	struct item it = r->it;
	struct buf comments = BUF(LIMIT_WORK_MEMORY_BYTES);

	if (it.status == STATUS_TOMBSTONE) {
		tombstone_encode(b, r);
		return;
	}
	it.lease_holder = STR_NONE;
	if (r->comments_n > 0)
		comments_encode(&comments, it.id, r->comments,
		    r->comments_n);
	item_encode(b, &it, buf_str(&comments));
	if (comments.failed)
		b->failed = true;
	buf_release(&comments);
}

/* ---- one id, two items ----------------------------------------------------- */

/* Without times and titles they count as one. */
struct record *
record_to_move(struct record *a, struct record *b)
{
	if (a->it.created_at.n == 0 || b->it.created_at.n == 0 ||
	    a->it.created == b->it.created || a->it.title.n == 0 ||
	    b->it.title.n == 0 || str_eq(a->it.title, b->it.title))
		return NULL;
	return a->it.created > b->it.created ? a : b;
}

struct str
record_other_id(const struct record *r, struct arena *a)
{
	const struct str parts[] = { r->it.created_at, r->it.title, r->it.id };
	uint64_t hash = UINT64_C(14695981039346656037);     /* FNV-1a */
	size_t dash = 0;
	char text[8];

	assert(id_is_valid(r->it.id));
	for (size_t i = 0; i < COUNT(parts); i++) {
		for (size_t j = 0; j < parts[i].n; j++)
			hash = (hash ^ (uint8_t)parts[i].p[j]) *
			    UINT64_C(1099511628211);
		hash *= UINT64_C(1099511628211);
	}
	for (size_t i = 0; i < r->it.id.n; i++)
		dash = r->it.id.p[i] == '-' ? i : dash;
	for (size_t i = 0; i < sizeof text; i++, hash /= 36)
		text[i] = id_alphabet[hash % 36];
	return arena_fmt(a, "%.*s-%.*s", (int)dash, r->it.id.p, (int)sizeof text,
	    text);
}
