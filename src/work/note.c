/*
 * note.c - what is put on an item: labels and comments.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/work_priv.h"

/* ---- labels ------------------------------------------------------------------------------- */

/* `label` and `labels` together, trimmed, sorted, without doubles. */
static int
labels_wanted(struct work *w, struct str **out, size_t *n)
{
	jnode list = arg_node(w->call, "labels");
	struct json_iter at = json_each(list);
	struct str one = str_trim(arg_text(w->call, "label"));

	*n = 0;
	*out = arena_alloc(&w->a, (json_count(list) + 1) * sizeof **out);
	if (*out == NULL)
		return fail(w, ERR_TOOBIG, "too many labels");
	if (one.n > 0)
		(*out)[(*n)++] = one;
	while (json_next(&at)) {
		struct str s = str_trim(json_str(at.value));

		if (s.n > 0)
			(*out)[(*n)++] = s;
	}
	labels_sort(*out, n);
	return *n > 0 ? OK : fail(w, ERR_INVALID,
	    "expected a label that is not empty, in \"label\" or \"labels\"");
}

static bool
label_in(const struct str *labels, size_t n, struct str label)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(labels[i], label))
			return true;
	}
	return false;
}

/* Of `from` those that are not in `less`, into `out`. */
static size_t
labels_less(struct str *out, const struct str *from, size_t from_n,
    const struct str *less, size_t less_n)
{
	size_t n = 0;

	for (size_t i = 0; i < from_n; i++) {
		if (!label_in(less, less_n, from[i]))
			out[n++] = from[i];
	}
	return n;
}

/* {"label":"x"} */
static struct str
label_json(struct work *w, struct str label)
{
	struct buf b = BUF(8 * KB);
	struct str out = STR_NONE;

	buf_lit(&b, "{\"label\":");
	json_add_str(&b, label);
	buf_add_char(&b, '}');
	if (!b.failed)
		out = arena_str(&w->a, buf_str(&b));
	buf_release(&b);
	return out;
}

static int
label_events(struct work *w, const struct item *it, enum event_kind kind,
    const struct str *labels, size_t n)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++) {
		struct str json = label_json(w, labels[i]);
		bool added = kind == EVENT_label_added;

		rc = event_add(w, it->seq, it->id, kind, added ? STR_NONE : json,
		    added ? json : STR_NONE, false);
	}
	return rc;
}

/* The item with other labels: those that changed are in `changed`. */
static int
labels_write(struct work *w, struct item *it, const struct item *was,
    enum event_kind kind, const struct str *changed, size_t changed_n)
{
	int rc = OK;

	if (it->labels_n > LIMIT_WORK_LABELS)
		return fail(w, ERR_TOOBIG, "%.*s: at most %d labels", FMT(it->id),
		    LIMIT_WORK_LABELS);
	if (changed_n > 0) {
		it->updated_at = now_text(w);
		rc = item_save(w, it, was);
	}
	if (rc == OK)
		rc = label_events(w, it, kind, changed, changed_n);
	return rc == OK ? item_add(w, it->seq, false, w->call->data) : rc;
}

/* An item that has the label already, or has it not, stays as it is. */
static int
labels_change(struct work *w, bool add)
{
	struct str *wanted = NULL, *changed, *now;
	struct item it, was;
	size_t n = 0, changed_n;
	int rc = item_find(w, arg_text(w->call, "id"), &it);

	if (rc == OK)
		rc = labels_wanted(w, &wanted, &n);
	if (rc != OK)
		return rc;
	was = it;
	changed = arena_alloc(&w->a, (n + it.labels_n) * sizeof *changed);
	now = arena_alloc(&w->a, (n + it.labels_n) * sizeof *now);
	if (changed == NULL || now == NULL)
		return fail(w, ERR_TOOBIG, "too many labels");
	if (add) {
		changed_n = labels_less(changed, wanted, n, it.labels, it.labels_n);
		memcpy(now, changed, changed_n * sizeof *now);
		if (it.labels_n > 0)
			memcpy(now + changed_n, it.labels, it.labels_n * sizeof *now);
		it.labels_n += changed_n;
		labels_sort(now, &it.labels_n);
	} else {
		it.labels_n = labels_less(now, was.labels, was.labels_n, wanted, n);
		changed_n = labels_less(changed, was.labels, was.labels_n, now,
		    it.labels_n);
	}
	it.labels = now;
	return labels_write(w, &it, &was, add ? EVENT_label_added :
	    EVENT_label_removed, changed, changed_n);
}

int
op_label_add(struct work *w, struct work_call *c)
{
	(void)c;
	return labels_change(w, true);
}

int
op_label_remove(struct work *w, struct work_call *c)
{
	(void)c;
	return labels_change(w, false);
}

/* ---- comments ----------------------------------------------------------------------------- */

static int
comment_insert(struct work *w, const struct item *it, struct str text,
    int64_t *seq)
{
	struct query q = query_of(&w->db, SQL_COMMENT_ADD);
	int rc;

	bind_i64(&q, it->seq);
	bind_str(&q, w->call->actor);
	bind_str(&q, it->updated_at);
	bind_str(&q, text);
	rc = query_run(&q);
	*seq = sqlite3_last_insert_rowid(w->db.h);
	return rc == OK ? OK : fail_db(w, rc);
}

/* The new comment, as comment_list gives it. */
static void
comment_add(struct work *w, const struct item *it, int64_t seq, struct str text,
    struct buf *b)
{
	buf_lit(b, "{\"id\":");
	buf_add_i64(b, seq);
	json_add_key(b, "issue_id");
	json_add_str(b, it->id);
	json_add_key(b, "author");
	json_add_str(b, w->call->actor);
	json_add_key(b, "text");
	json_add_str(b, text);
	json_add_key(b, "created_at");
	json_add_str(b, it->updated_at);
	buf_add_char(b, '}');
}

int
op_comment(struct work *w, struct work_call *c)
{
	struct str text = arg_text(c, "text");
	struct item it, was;
	int64_t seq = 0;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	if (str_trim(text).n == 0)
		return fail(w, ERR_INVALID, "text: expected a comment, got an empty "
		    "one");
	was = it;
	it.comments++;
	it.updated_at = now_text(w);
	rc = item_save(w, &it, &was);
	if (rc == OK)
		rc = comment_insert(w, &it, text, &seq);
	if (rc != OK)
		return rc;
	buf_clear(&w->scratch);
	comment_add(w, &it, seq, text, &w->scratch);
	buf_add(c->data, buf_str(&w->scratch));
	return event_add(w, it.seq, it.id, EVENT_commented, STR_NONE,
	    buf_str(&w->scratch), false);
}
