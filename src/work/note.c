/*
 * note.c - what is put on an item: labels and comments.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/row.h"
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
		return work_fail(w, ERR_TOOBIG, "too many labels");
	if (one.n > 0)
		(*out)[(*n)++] = one;
	while (json_next(&at)) {
		struct str s = str_trim(json_str(at.value));

		if (s.n > 0)
			(*out)[(*n)++] = s;
	}
	work_strs_sort(*out, n);
	return *n > 0 ? OK : work_fail(w, ERR_INVALID,
	    "expected a label that is not empty, in \"label\" or \"labels\"");
}

/* Of `from` those that are not in `less`, into `out`. */
static size_t
labels_less(struct str *out, const struct str *from, size_t from_n,
    const struct str *less, size_t less_n)
{
	size_t n = 0;

	for (size_t i = 0; i < from_n; i++) {
		if (!work_label_in(less, less_n, from[i]))
			out[n++] = from[i];
	}
	return n;
}

/* {"label":"x"} */
static struct str
label_json(struct work *w, struct str label)
{
	struct buf b = BUF(8 * KB);

	json_add_fmt(&b, "{'label':%.*s}", FMT(label));
	return work_text_keep(w, &b);
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
		return work_fail(w, ERR_TOOBIG, "%.*s: at most %d labels", FMT(it->id),
		    LIMIT_WORK_LABELS);
	if (changed_n > 0) {
		item_touch(w, it);
		rc = item_save(w, it, was);
	}
	if (rc == OK)
		rc = label_events(w, it, kind, changed, changed_n);
	return rc == OK ? item_add(w, it->seq, true, w->call->data) : rc;
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
		return work_fail(w, ERR_TOOBIG, "too many labels");
	if (add) {
		changed_n = labels_less(changed, wanted, n, it.labels, it.labels_n);
		memcpy(now, changed, changed_n * sizeof *now);
		if (it.labels_n > 0)
			memcpy(now + changed_n, it.labels, it.labels_n * sizeof *now);
		it.labels_n += changed_n;
		work_strs_sort(now, &it.labels_n);
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

int
comment_insert(struct work *w, int64_t item, struct str author,
    struct str created, struct str text, int64_t *seq)
{
	int rc = query_one_i64(query_of(&w->db, SQL_COMMENT_ADD, db_i64(item),
	    db_text(author), db_str(created), db_text(text)), seq);

	return rc == OK ? OK : work_fail_db(w, rc);
}

int
comments_drop(struct work *w, int64_t item)
{
	int rc = db_run(&w->db, SQL_COMMENTS_DROP, db_i64(item));

	return rc == OK ? OK : work_fail_db(w, rc);
}

int
op_comment(struct work *w, struct work_call *c)
{
	struct str text = arg_text(c, "text"), now = work_now_text(w);
	struct item it, was;
	int64_t seq;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	if (str_trim(text).n == 0)
		return work_fail(w, ERR_INVALID, "text: expected a comment, got an empty "
		    "one");
	was = it;
	it.comments++;
	item_touch(w, &it);
	rc = item_save(w, &it, &was);
	if (rc == OK)
		rc = comment_insert(w, it.seq, c->actor, now, text, &seq);
	if (rc != OK)
		return rc;
	buf_clear(&w->scratch);
	comment_encode(&w->scratch, seq, it.id, c->actor, text, now);
	buf_add(c->data, buf_str(&w->scratch));
	return event_add(w, it.seq, it.id, EVENT_commented, STR_NONE,
	    buf_str(&w->scratch), false);
}
