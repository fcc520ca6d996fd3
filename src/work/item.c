/*
 * item.c - an item as JSON: the body of its row, a line of an export.
 *
 * Encoding and decoding are inverse: what an import brought that we do not
 * know comes out again, and a time comes out in the words it came in.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "work/row.h"

/* ---- encoding ---------------------------------------------------------------- */

static void
add_text(struct buf *b, const char *key, struct str s)
{
	if (s.p == NULL)
		return;
	json_add_key(b, key);
	json_add_str(b, s);
}

static void
number_add(struct buf *b, const char *key, int64_t n)
{
	json_add_key(b, key);
	buf_add_i64(b, n);
}

static void
add_labels(struct buf *b, const struct item *it)
{
	if (it->labels_n == 0)
		return;
	json_add_key(b, "labels");
	for (size_t i = 0; i < it->labels_n; i++) {
		buf_add_char(b, i == 0 ? '[' : ',');
		json_add_str(b, it->labels[i]);
	}
	buf_add_char(b, ']');
}

void
item_add_edges(struct buf *b, const struct item *it, const char *key)
{
	if (it->deps_n == 0)
		return;
	json_add_key(b, key);
	for (size_t i = 0; i < it->deps_n; i++) {
		const struct dep *d = &it->deps[i];

		buf_add(b, i == 0 ? S("[{") : S(",{"));
		add_text(b, "issue_id", it->id);
		add_text(b, "depends_on_id", d->id);
		add_text(b, "type", str_of(work_dep_names[d->type]));
		add_text(b, "created_at", d->created_at);
		add_text(b, "created_by", d->created_by);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

void
lease_add(struct buf *b, const struct item *it)
{
	char until[CLOCK_ISO_SIZE];

	if (it->lease_holder.p == NULL)
		return;
	clock_write_iso(until, it->lease_until);
	json_add_key(b, "lease");
	buf_add_char(b, '{');
	add_text(b, "holder", it->lease_holder);
	add_text(b, "until", (struct str){ until, sizeof until });
	buf_add_char(b, '}');
}

void
item_add_fields(struct buf *b, const struct item *it)
{
	add_text(b, "id", it->id);
	add_text(b, "title", it->title);
	add_text(b, "description", it->description.p == NULL ? S("") :
	    it->description);
	add_text(b, "design", it->design);
	add_text(b, "acceptance_criteria", it->acceptance);
	add_text(b, "notes", it->notes);
	add_text(b, "status", it->status == STATUS_TOMBSTONE ? S("tombstone") :
	    str_of(work_status_names[it->status]));
	number_add(b, "priority", it->priority);
	add_text(b, "issue_type", str_of(work_type_names[it->type]));
	add_text(b, "assignee", it->assignee);
	if (it->estimated >= 0)
		number_add(b, "estimated_minutes", it->estimated);
	add_text(b, "created_at", it->created_at);
	add_text(b, "updated_at", it->updated_at);
	add_text(b, "closed_at", it->closed_at);
	add_text(b, "external_ref", it->external_ref);
	if (it->extra.n > 0) {
		buf_add_char(b, ',');
		buf_add(b, it->extra);
	}
	add_labels(b, it);
}

void
item_encode(struct buf *b, const struct item *it, struct str comments)
{
	buf_add_char(b, '{');
	item_add_fields(b, it);
	item_add_edges(b, it, "dependencies");
	lease_add(b, it);
	if (comments.n > 0) {
		json_add_key(b, "comments");
		buf_add(b, comments);
	}
	buf_add_char(b, '}');
}

struct str
item_json(struct work *w, const struct item *it)
{
	buf_clear(&w->scratch);
	item_encode(&w->scratch, it, STR_NONE);
	return arena_str(&w->a, buf_str(&w->scratch));
}

void
comment_encode(struct buf *b, int64_t number, struct str issue,
    struct str author, struct str text, struct str created_at)
{
	buf_lit(b, "{\"id\":");
	buf_add_i64(b, number);
	add_text(b, "issue_id", issue);
	json_add_key(b, "author");
	json_add_str(b, author);
	json_add_key(b, "text");
	json_add_str(b, text);
	add_text(b, "created_at", created_at);
	buf_add_char(b, '}');
}

struct str
work_text_keep(struct work *w, struct buf *b)
{
	struct str out = b->failed ? STR_NONE : arena_str(&w->a, buf_str(b));

	buf_release(b);
	return out;
}

/* ---- decoding ------------------------------------------------------------------ */

/* What is being decoded: its errors name the key. */
struct decode {
	struct item *it;
	struct arena *a;
	bool copy;
	struct buf *extra;
	struct err *e;
};

static struct str
keep(struct decode *d, struct str s)
{
	return d->copy && s.p != NULL ? arena_str(d->a, s) : s;
}

static int
read_text(struct decode *d, const char *key, jnode n, size_t max, struct str *out)
{
	if (json_is_null(n)) {
		*out = STR_NONE;
		return OK;
	}
	if (!json_is_string(n))
		return err_set(d->e, ERR_INVALID, "%s: expected a string, got %s",
		    key, json_kind(n));
	if (json_str(n).n > max)
		return err_set(d->e, ERR_TOOBIG, "%s: at most %zu bytes, got %zu",
		    key, max, json_str(n).n);
	*out = json_str(n).n == 0 ? STR_NONE : keep(d, json_str(n));
	return OK;
}

static int
read_time(struct decode *d, const char *key, jnode n, struct str *out, msec *ms)
{
	int rc = read_text(d, key, n, 64, out);

	*ms = 0;
	if (rc == OK && out->p != NULL && !clock_read_iso(*out, ms))
		rc = err_set(d->e, ERR_INVALID, "%s: expected a time as "
		    "2026-11-21T08:30:00Z, got \"%.*s\"", key, FMT(*out));
	return rc;
}

static int
read_int(struct decode *d, const char *key, jnode n, int64_t max, int64_t *out)
{
	if (!json_is_int(n))
		return err_set(d->e, ERR_INVALID, "%s: expected an integer, got %s",
		    key, json_kind(n));
	if (json_int(n) < 0 || json_int(n) > max)
		return err_set(d->e, ERR_INVALID, "%s: expected 0 to %lld, got %lld",
		    key, (long long)max, (long long)json_int(n));
	*out = json_int(n);
	return OK;
}

static int
read_word(struct decode *d, const char *key, jnode n, const char *const *words,
    int *out)
{
	if (!json_is_string(n))
		return err_set(d->e, ERR_INVALID, "%s: expected a string, got %s",
		    key, json_kind(n));
	return work_word_read(words, json_str(n), key, out, d->e);
}

static int
read_status(struct decode *d, jnode n)
{
	int word = 0, rc;

	if (json_is_string(n) && str_eq(json_str(n), S("tombstone"))) {
		d->it->status = STATUS_TOMBSTONE;
		return OK;
	}
	rc = read_word(d, "status", n, work_status_names, &word);
	d->it->status = (enum status)word;
	return rc;
}

int
work_str_order(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

void
work_strs_sort(struct str *list, size_t *n)
{
	size_t kept = 0;

	if (*n > 1)
		qsort(list, *n, sizeof *list, work_str_order);
	for (size_t i = 0; i < *n; i++) {
		if (i == 0 || !str_eq(list[i], list[kept - 1]))
			list[kept++] = list[i];
	}
	*n = kept;
}

bool
work_label_in(const struct str *labels, size_t n, struct str label)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(labels[i], label))
			return true;
	}
	return false;
}

int
dep_order(const void *left, const void *right)
{
	const struct dep *a = left, *b = right;
	msec at = 0, bt = 0;

	clock_read_iso(a->created_at, &at);
	clock_read_iso(b->created_at, &bt);
	if (at != bt)
		return at < bt ? -1 : 1;
	return str_cmp(a->id, b->id);
}

void
deps_sort(struct dep *list, size_t n)
{
	if (n > 1)
		qsort(list, n, sizeof *list, dep_order);
}

static int
read_labels(struct decode *d, jnode n)
{
	struct json_iter it = json_each(n);
	int rc = OK;

	d->it->labels_n = 0;                 /* of a member that comes twice the last */
	if (json_is_null(n))
		return OK;
	if (!json_is_array(n))
		return err_set(d->e, ERR_INVALID, "labels: expected an array, got %s",
		    json_kind(n));
	if (json_count(n) > LIMIT_WORK_LABELS)
		return err_set(d->e, ERR_TOOBIG, "labels: at most %d, got %zu",
		    LIMIT_WORK_LABELS, json_count(n));
	d->it->labels = arena_alloc(d->a, (json_count(n) + 1) *
	    sizeof *d->it->labels);
	while (rc == OK && d->it->labels != NULL && json_next(&it)) {
		struct str *label = &d->it->labels[d->it->labels_n];

		rc = read_text(d, "labels", it.value, LIMIT_WORK_LABEL_BYTES, label);
		d->it->labels_n += rc == OK && label->n > 0;
	}
	if (d->it->labels != NULL)
		work_strs_sort(d->it->labels, &d->it->labels_n);
	return rc;
}

static int
read_dep(struct decode *d, jnode n, struct dep *dep)
{
	msec ignored;
	int type = DEP_BLOCKS;
	int rc;

	if (!json_is_object(n))
		return err_set(d->e, ERR_INVALID,
		    "dependencies: expected objects, got %s", json_kind(n));
	rc = read_text(d, "dependencies.depends_on_id",
	    json_get(n, S("depends_on_id")), LIMIT_WORK_ID_BYTES, &dep->id);
	if (rc == OK && dep->id.n == 0)
		rc = err_set(d->e, ERR_INVALID,
		    "dependencies: \"depends_on_id\" is missing");
	if (rc == OK && json_get(n, S("type")) != NULL)
		rc = read_word(d, "dependencies.type", json_get(n, S("type")),
		    work_dep_names, &type);
	dep->type = (enum dep_type)type;
	if (rc == OK)
		rc = read_time(d, "dependencies.created_at",
		    json_get(n, S("created_at")), &dep->created_at, &ignored);
	if (rc == OK)
		rc = read_text(d, "dependencies.created_by",
		    json_get(n, S("created_by")), LIMIT_WORK_NAME_BYTES,
		    &dep->created_by);
	return rc;
}

static int
read_deps(struct decode *d, jnode n)
{
	struct json_iter it = json_each(n);
	int rc = OK;

	d->it->deps_n = 0;
	if (json_is_null(n))
		return OK;
	if (!json_is_array(n))
		return err_set(d->e, ERR_INVALID,
		    "dependencies: expected an array, got %s", json_kind(n));
	if (json_count(n) > LIMIT_WORK_DEPS)
		return err_set(d->e, ERR_TOOBIG, "dependencies: at most %d, got %zu",
		    LIMIT_WORK_DEPS, json_count(n));
	d->it->deps = arena_alloc(d->a, (json_count(n) + 1) * sizeof *d->it->deps);
	while (rc == OK && d->it->deps != NULL && json_next(&it))
		rc = read_dep(d, it.value, &d->it->deps[d->it->deps_n++]);
	return rc;
}

static int
read_lease(struct decode *d, jnode n)
{
	struct str until;
	int rc;

	if (json_is_null(n))
		return OK;
	rc = read_text(d, "lease.holder", json_get(n, S("holder")),
	    LIMIT_WORK_NAME_BYTES, &d->it->lease_holder);
	if (rc == OK)
		rc = read_time(d, "lease.until", json_get(n, S("until")), &until,
		    &d->it->lease_until);
	return rc;
}

/* A member nobody knows is kept as it is. */
static int
read_extra(struct decode *d, struct str key, jnode n)
{
	if (d->extra->n > 0)
		buf_add_char(d->extra, ',');
	json_add_str(d->extra, key);
	buf_add_char(d->extra, ':');
	json_add_node(d->extra, n);
	return OK;
}

static int
read_member(struct decode *d, struct str key, jnode n)
{
	struct item *it = d->it;
	const struct { const char *key; struct str *to; size_t max; } texts[] = {
		{ "id", &it->id, LIMIT_WORK_ID_BYTES },
		{ "title", &it->title, LIMIT_WORK_TITLE_BYTES },
		{ "description", &it->description, LIMIT_WORK_TEXT_BYTES },
		{ "design", &it->design, LIMIT_WORK_TEXT_BYTES },
		{ "acceptance_criteria", &it->acceptance, LIMIT_WORK_TEXT_BYTES },
		{ "notes", &it->notes, LIMIT_WORK_TEXT_BYTES },
		{ "assignee", &it->assignee, LIMIT_WORK_NAME_BYTES },
		{ "external_ref", &it->external_ref, LIMIT_WORK_NAME_BYTES },
	};
	int64_t number = 0;
	int word = 0, rc;
	msec ms;

	for (size_t i = 0; i < COUNT(texts); i++) {
		if (str_eq(key, str_of(texts[i].key)))
			return read_text(d, texts[i].key, n, texts[i].max, texts[i].to);
	}
	if (str_eq(key, S("status")))
		return read_status(d, n);
	if (str_eq(key, S("priority"))) {
		rc = read_int(d, "priority", n, PRIORITY_MAX, &number);
		it->priority = (int)number;
		return rc;
	}
	if (str_eq(key, S("issue_type"))) {
		rc = read_word(d, "issue_type", n, work_type_names, &word);
		it->type = (enum type)word;
		return rc;
	}
	if (str_eq(key, S("estimated_minutes")))
		return json_is_null(n) ? OK : read_int(d, "estimated_minutes", n,
		    LIMIT_WORK_MINUTES, &it->estimated);
	if (str_eq(key, S("created_at")))
		return read_time(d, "created_at", n, &it->created_at, &it->created);
	if (str_eq(key, S("updated_at")))
		return read_time(d, "updated_at", n, &it->updated_at, &ms);
	if (str_eq(key, S("closed_at")))
		return read_time(d, "closed_at", n, &it->closed_at, &ms);
	if (str_eq(key, S("labels")))
		return read_labels(d, n);
	if (str_eq(key, S("dependencies")))
		return read_deps(d, n);
	if (str_eq(key, S("lease")))
		return read_lease(d, n);
	if (str_eq(key, S("comments")))
		return OK;                   /* rows of their own */
	return read_extra(d, key, n);
}

int
item_decode(struct item *it, jnode object, bool copy, struct arena *a,
    struct err *e)
{
	struct buf extra = BUF(LIMIT_WORK_TEXT_BYTES);
	struct decode d = { .it = it, .a = a, .copy = copy, .extra = &extra, .e = e };
	struct json_iter members = json_each(object);
	int rc = OK;

	if (!json_is_object(object))
		return err_set(e, ERR_INVALID, "expected an object, got %s",
		    json_kind(object));
	it->estimated = -1;
	it->priority = PRIORITY_DEFAULT;
	it->type = TYPE_TASK;
	while (rc == OK && json_next(&members))
		rc = read_member(&d, json_str(members.key), members.value);
	if (rc == OK && extra.failed)
		rc = err_set(e, ERR_TOOBIG, "more than %d bytes of other members",
		    LIMIT_WORK_TEXT_BYTES);
	if (rc == OK && extra.n > 0)
		it->extra = arena_str(a, buf_str(&extra));
	if (rc == OK && a->failed)
		rc = err_set(e, ERR_TOOBIG, "the item is too large");
	buf_release(&extra);
	return rc;
}
