/*
 * filter.c - which items are wanted: by columns, labels, parent, texts, times.
 *
 * SPDX-License-Identifier: MIT
 */
#include "work/listing.h"

/* ---- the columns ------------------------------------------------------------------ */

bool
filter_fits(const struct filter *f, int64_t state, int64_t priority, int64_t type,
    struct str assignee)
{
	bool theirs = (f->whose & WHOSE_THEIRS) != 0 && assignee.p != NULL &&
	    str_eq(f->assignee, assignee);
	bool nobodys = (f->whose & WHOSE_NOBODYS) != 0 && assignee.p == NULL;

	return (f->states >> state & 1) != 0 &&
	    (f->priority < 0 || f->priority == priority) &&
	    (f->type < 0 || f->type == type) &&
	    (f->whose == 0 || theirs || nobodys);
}

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
body_matches(struct work *w, const struct filter *f, struct str body, bool *yes)
{
	struct json_doc doc;
	struct err e;
	int rc = json_parse(&doc, body, &e);

	if (rc == OK)
		*yes = texts_match(f, doc.root);
	json_release(&doc);
	return rc == OK ? OK : work_fail(w, ERR_IO, "an item is damaged: %s", e.text);
}

static bool
wants_times(const struct filter *f)
{
	return f->after != INT64_MIN || f->before != INT64_MIN;
}

static bool
times_match(const struct filter *f, struct str body)
{
	msec at = 0;

	clock_read_iso(body_text(body, S("updated_at")), &at);
	return (f->after == INT64_MIN || at > f->after) &&
	    (f->before == INT64_MIN || at < f->before);
}

/* ---- labels --------------------------------------------------------------------- */

static int
has_label(struct work *w, int64_t seq, struct str label, bool *yes)
{
	return work_has(w, query_of(&w->db, SQL_LABEL_HAS, db_i64(w->t.seq),
	    db_str(label), db_i64(seq)), yes);
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
parent_matches(struct work *w, const struct filter *f, int64_t seq, bool *yes)
{
	int64_t type = -1;
	int rc;

	if (f->parent == 0)
		return OK;
	rc = query_one_i64(query_of(&w->db, SQL_EDGE_GET, db_i64(seq),
	    db_i64(f->parent)), &type);
	*yes = rc == OK && type == DEP_PARENT_CHILD;
	return rc == OK || rc == ERR_NOTFOUND ? OK : work_fail_db(w, rc);
}

int
filter_match(struct work *w, const struct filter *f, int64_t seq, struct str body,
    int64_t *looked, bool *yes)
{
	int rc = labels_match(w, f, seq, yes);

	if (rc == OK && *yes)
		rc = parent_matches(w, f, seq, yes);
	if (rc != OK || !*yes || (!wants_texts(f) && !wants_times(f)))
		return rc;
	if (++*looked > LIMIT_WORK_SCAN)
		return work_fail(w, ERR_LIMIT, "more than %d items were searched: narrow "
		    "it with a status, a label or a limit", LIMIT_WORK_SCAN);
	*yes = times_match(f, body);
	return *yes && wants_texts(f) ? body_matches(w, f, body, yes) : OK;
}

/* ---- from arguments ----------------------------------------------------------------- */

/* Two states a status. */
static unsigned
states_of(unsigned statuses)
{
	unsigned states = 0;

	for (int s = 0; s < STATUS_TOMBSTONE; s++)
		states |= (statuses >> s & 1) != 0 ? 3u << (2 * s) : 0;
	return statuses == 0 ? LIST_EACH : states;
}

static struct str
wanted(const struct work_call *c, const char *name)
{
	struct str s = arg_text(c, name);

	return s.n == 0 ? STR_NONE : s;
}

/* A filter of blanks would choose everything. */
static int
labels_take(struct work *w, const char *arg, struct str also, struct str **out,
    size_t *n)
{
	int rc = labels_read(w, arg, also, out, n);

	if (rc == OK && *n == 0 &&
	    (also.n > 0 || json_count(arg_node(w->call, arg)) > 0))
		return work_fail(w, ERR_INVALID, "%s: a label is not blank",
		    also.n > 0 ? "label" : arg);
	return rc;
}

int
filter_take(struct work *w, struct filter *f)
{
	struct work_call *c = w->call;
	int rc = OK;

	*f = (struct filter){
		.states = states_of(arg_words(c, "status", work_status_names)),
		.priority = arg_int(c, "priority", -1),
		.type = arg_word(c, "issue_type", work_type_names, -1),
		.assignee = wanted(c, "assignee"), .title = wanted(c, "title"),
		.query = wanted(c, "query"), .after = arg_time(c, "updated_after"),
		.before = arg_time(c, "updated_before"),
	};
	f->whose = (f->assignee.p != NULL ? WHOSE_THEIRS : 0) |
	    (arg_bool(c, "no_assignee") ? WHOSE_NOBODYS : 0);
	if (f->whose == (WHOSE_THEIRS | WHOSE_NOBODYS))
		return work_fail(w, ERR_INVALID, "assignee and no_assignee exclude each "
		    "other");
	if (arg_given(c, "parent"))
		rc = item_seq(w, arg_text(c, "parent"), &f->parent);
	if (rc == OK)
		rc = labels_take(w, "labels", arg_text(c, "label"), &f->all,
		    &f->all_n);
	return rc == OK ? labels_take(w, "labels_any", STR_NONE, &f->any,
	    &f->any_n) : rc;
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* At most half as many words as bytes, rounded up. */
int
filter_take_words(struct work *w, struct filter *f, struct str text)
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
