/*
 * note.c - what is put on an item: labels and comments.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "work/row.h"
#include "work/work_priv.h"

/* ---- labels ------------------------------------------------------------------------------- */

int
labels_read(struct work *w, const char *arg, struct str also, struct str **out,
    size_t *n)
{
	jnode list = arg_node(w->call, arg);
	struct json_iter at = json_each(list);

	*n = 0;
	*out = arena_alloc(&w->a, (json_count(list) + 1) * sizeof **out);
	if (*out == NULL)
		return work_fail(w, ERR_TOOBIG, "too many labels");
	if (str_trim(also).n > 0)
		(*out)[(*n)++] = str_trim(also);
	while (json_next(&at)) {
		struct str s = str_trim(json_str(at.value));

		if (s.n > 0)
			(*out)[(*n)++] = s;
	}
	work_strs_sort(*out, n);
	return OK;
}

/* Those of `from` that are not in `less`, added to `to`. */
static void
labels_add_less(struct item *to, const struct str *from, size_t n,
    const struct str *less, size_t less_n)
{
	for (size_t i = 0; i < n; i++) {
		if (!work_label_in(less, less_n, from[i]))
			to->labels[to->labels_n++] = from[i];
	}
}

/* The item with these labels added, or without them. */
static int
labels_change(struct work *w, struct item *it, const struct str *labels, size_t n,
    bool add)
{
	struct item was = *it;

	it->labels = arena_alloc(&w->a, (n + was.labels_n + 1) * sizeof *it->labels);
	it->labels_n = 0;
	if (it->labels == NULL)
		return work_fail(w, ERR_TOOBIG, "too many labels");
	labels_add_less(it, was.labels, was.labels_n, labels, n);
	if (add)
		labels_add_less(it, labels, n, NULL, 0);
	work_strs_sort(it->labels, &it->labels_n);
	return it->labels_n <= LIMIT_WORK_LABELS ? OK : work_fail(w, ERR_TOOBIG,
	    "%.*s: at most %d labels", FMT(it->id), LIMIT_WORK_LABELS);
}

int
labels_update(struct work *w, struct item *it)
{
	struct str *labels;
	size_t n;
	int rc = OK;

	if (arg_given(w->call, "set_labels"))
		rc = labels_read(w, "set_labels", STR_NONE, &it->labels, &it->labels_n);
	if (rc == OK && arg_given(w->call, "add_labels")) {
		rc = labels_read(w, "add_labels", STR_NONE, &labels, &n);
		rc = rc == OK ? labels_change(w, it, labels, n, true) : rc;
	}
	if (rc == OK && arg_given(w->call, "remove_labels")) {
		rc = labels_read(w, "remove_labels", STR_NONE, &labels, &n);
		rc = rc == OK ? labels_change(w, it, labels, n, false) : rc;
	}
	return rc;
}

/* An event for each that `to` has and `from` has not. */
static int
label_events(struct work *w, const struct item *from, const struct item *to,
    enum event_kind kind)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < to->labels_n; i++) {
		struct buf b = BUF(8 * KB);
		bool added = kind == EVENT_label_added;
		struct str json;

		if (work_label_in(from->labels, from->labels_n, to->labels[i]))
			continue;
		json_add_fmt(&b, "{'label':%.*s}", FMT(to->labels[i]));
		json = work_text_keep(w, &b);
		rc = event_add(w, to->seq, to->id, kind, added ? STR_NONE : json,
		    added ? json : STR_NONE, false);
	}
	return rc;
}

int
labels_note(struct work *w, const struct item *it, const struct item *was)
{
	int rc = label_events(w, was, it, EVENT_label_added);

	assert(it->seq == was->seq);
	return rc == OK ? label_events(w, it, was, EVENT_label_removed) : rc;
}

/* An item that has the labels already, or has them not, stays as it is. */
static int
label_change(struct work *w, bool add)
{
	struct str *labels = NULL;
	struct item it, was;
	size_t n = 0;
	int rc = item_find(w, arg_text(w->call, "id"), &it);

	if (rc == OK)
		rc = labels_read(w, "labels", arg_text(w->call, "label"), &labels, &n);
	if (rc != OK)
		return rc;
	if (n == 0)
		return work_fail(w, ERR_INVALID, "expected a label that is not empty, in "
		    "\"label\" or \"labels\"");
	was = it;
	rc = labels_change(w, &it, labels, n, add);
	if (rc == OK && it.labels_n != was.labels_n) {
		item_touch(w, &it);
		rc = item_save(w, &it, &was);
	}
	if (rc == OK)
		rc = labels_note(w, &it, &was);
	return rc == OK ? item_add(w, it.seq, true, w->call->data) : rc;
}

int
op_label_add(struct work *w, struct work_call *c)
{
	(void)c;
	return label_change(w, true);
}

int
op_label_remove(struct work *w, struct work_call *c)
{
	(void)c;
	return label_change(w, false);
}

/* ---- comments ----------------------------------------------------------------------------- */

int
comment_insert(struct work *w, int64_t item, struct str author,
    struct str created, struct str text, int64_t *seq)
{
	int rc = query_insert(query_of(&w->db, SQL_COMMENT_ADD, db_i64(item),
	    db_text(author), db_str(created), db_text(text)), seq);

	return rc == OK ? OK : work_fail_db(w, rc);
}

int
comments_drop(struct work *w, int64_t item)
{
	return work_exec(w, SQL_COMMENTS_DROP, db_i64(item));
}

int
op_comment(struct work *w, struct work_call *c)
{
	struct str text = arg_text(c, "text"), now = work_now_text(w);
	struct str author = arg_text(c, "author");
	struct item it, was;
	int64_t seq;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	if (str_trim(text).n == 0)
		return work_fail(w, ERR_INVALID, "text: expected a comment, got an empty "
		    "one");
	if (author.n == 0)
		author = c->actor;
	was = it;
	it.comments++;
	item_touch(w, &it);
	rc = item_save(w, &it, &was);
	if (rc == OK)
		rc = comment_insert(w, it.seq, author, now, text, &seq);
	if (rc != OK)
		return rc;
	buf_clear(&w->scratch);
	comment_encode(&w->scratch, seq, it.id, author, text, now);
	buf_add(c->data, buf_str(&w->scratch));
	return event_add(w, it.seq, it.id, EVENT_commented, STR_NONE,
	    buf_str(&w->scratch), false);
}
