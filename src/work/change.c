/*
 * change.c - the operations that change one item.
 *
 * Each one reads, decides, and only then writes: a refused operation has
 * changed nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "work/graph.h"
#include "work/row.h"
#include "work/work_priv.h"

/* ---- what is wanted ---------------------------------------------------------------- */

static struct str
text_or_absent(struct str s)
{
	return s.n == 0 ? STR_NONE : s;
}

/* Fields named alike in arguments and items; absent ones stay as they are. */
static void
fields_take(const struct work_call *c, struct item *it)
{
	const struct { const char *name; struct str *to; } texts[] = {
		{ "title", &it->title }, { "description", &it->description },
		{ "design", &it->design }, { "acceptance_criteria", &it->acceptance },
		{ "notes", &it->notes }, { "assignee", &it->assignee },
		{ "external_ref", &it->external_ref },
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		jnode n = arg_node(c, texts[i].name);

		if (n != NULL)
			*texts[i].to = text_or_absent(json_str(n));
	}
	it->priority = (int)arg_int(c, "priority", it->priority);
	it->estimated = arg_int(c, "estimated_minutes", it->estimated);
	it->type = (enum type)arg_word(c, "issue_type", work_type_names,
	    (int)it->type);
}

/* Below the notes that are there. */
static int
notes_append(struct work *w, struct item *it)
{
	struct str more = arg_text(w->call, "append_notes");

	if (more.n == 0)
		return OK;
	if (it->notes.n + more.n + 1 > LIMIT_WORK_TEXT_BYTES)
		return work_fail(w, ERR_TOOBIG, "notes: at most %d bytes, got %zu",
		    LIMIT_WORK_TEXT_BYTES, it->notes.n + more.n + 1);
	it->notes = arena_join(&w->a, it->notes, it->notes.n > 0 ? S("\n") : S(""),
	    more);
	return OK;
}

static int
title_check(struct work *w, struct str title)
{
	if (str_trim(title).n == 0)
		return work_fail(w, ERR_INVALID, "title: expected 1 to %d bytes of text, "
		    "got an empty one", LIMIT_WORK_TITLE_BYTES);
	return OK;
}

/* One edge of an item that is being made. */
struct wish {
	int64_t target;
	enum dep_type type;
};

/* Notes an edge to `target`; a second one to the same item is refused. */
static int
wish_add(struct work *w, struct item *it, struct wish *wishes,
    enum dep_type type, const struct str id, int64_t target)
{
	int blockers, parents, rc;

	for (size_t i = 0; i < it->deps_n; i++) {
		if (wishes[i].target == target)
			return work_fail(w, ERR_INVALID, "dependencies: %.*s is named twice",
			    FMT(id));
	}
	rc = edge_weight(w, target, type, &blockers, &parents);
	if (rc != OK)
		return rc;
	it->blockers += blockers;
	it->held_parents += parents;
	wishes[it->deps_n] = (struct wish){ target, type };
	it->deps[it->deps_n++] = (struct dep){ id, type, it->created_at,
		w->call->actor };
	return OK;
}

/* "id" or "type:id" */
static int
wish_parse(struct work *w, struct item *it, struct wish *wishes, struct str text)
{
	ptrdiff_t colon = str_index(text, ':');
	int type = DEP_BLOCKS;
	int64_t seq = 0;
	struct item target;
	int rc = OK;

	if (colon >= 0) {
		rc = work_word_read(work_dep_names, str_trim(str_sub(text, 0,
		    (size_t)colon)), "dependencies", &type, &w->call->err);
		text = str_sub(text, (size_t)colon + 1, text.n);
	}
	if (rc == OK)
		rc = item_seq(w, str_trim(text), &seq);
	if (rc == OK)
		rc = item_load(w, seq, &target);
	if (rc == OK)
		rc = dep_direction(w, it, &target, (enum dep_type)type);
	return rc == OK ? wish_add(w, it, wishes, (enum dep_type)type, target.id,
	    seq) : rc;
}

static int
wishes_take(struct work *w, struct item *it, struct wish **out)
{
	jnode list = arg_node(w->call, "dependencies");
	struct json_iter at = json_each(list);
	struct wish *wishes;
	int rc = OK;

	*out = NULL;
	if (list == NULL && !arg_given(w->call, "parent"))
		return OK;
	wishes = arena_alloc(&w->a, (json_count(list) + 1) * sizeof *wishes);
	it->deps = arena_alloc(&w->a, (json_count(list) + 1) * sizeof *it->deps);
	if (wishes == NULL || it->deps == NULL)
		return work_fail(w, ERR_TOOBIG, "too many dependencies");
	while (rc == OK && json_next(&at))
		rc = wish_parse(w, it, wishes, json_str(at.value));
	*out = wishes;
	return rc;
}

/* ---- create ----------------------------------------------------------------------------- */

static int
id_given(struct work *w, struct str id)
{
	int64_t seq;
	int rc;

	if (!id_is_valid(id))
		return work_fail(w, ERR_INVALID, "id: expected PREFIX-name as in "
		    "%.*s-a3f8, got \"%.*s\"", FMT(w->t.prefix), FMT(id));
	rc = id_seq(w, id, &seq);
	if (rc == OK)
		return work_fail(w, ERR_CONFLICT, "id: there is an issue %.*s already "
		    "(or was: ids are not used twice)", FMT(id));
	return rc == ERR_NOTFOUND ? OK : rc;
}

/* The id: given, a child's, or drawn.  `parent` is changed, not saved. */
static int
id_choose(struct work *w, struct item *it, struct item *parent)
{
	struct str id = arg_text(w->call, "id");

	if (id.n > 0) {
		it->id = id;
		return id_given(w, id);
	}
	return parent->seq != 0 ? id_child(w, parent, &it->id) :
	    id_make(w, &it->id);
}

static int
created_check(struct work *w, const struct item *it, const struct wish *wishes)
{
	int64_t *targets = arena_alloc(&w->a, (it->deps_n + 1) * sizeof *targets);

	if (targets == NULL)
		return work_fail(w, ERR_TOOBIG, "too many dependencies");
	for (size_t i = 0; i < it->deps_n; i++)
		targets[i] = wishes[i].target;
	return loose_allows(w, it, targets);
}

static int
created_write(struct work *w, struct item *it, const struct wish *wishes,
    struct str *body)
{
	int rc = created_check(w, it, wishes);

	if (rc == OK)
		rc = item_save(w, it, NULL);

	if (rc == OK)
		*body = buf_str(&w->scratch);
	for (size_t i = 0; rc == OK && i < it->deps_n; i++)
		rc = edge_put(w, it->seq, wishes[i].target, wishes[i].type);
	if (rc == OK)
		rc = event_add(w, it->seq, it->id, EVENT_created, STR_NONE, *body,
		    it->status == STATUS_OPEN && !item_held(it));
	return rc;
}

int
op_create(struct work *w, struct work_call *c)
{
	struct item it = { .estimated = -1, .priority = PRIORITY_DEFAULT,
		.type = TYPE_TASK, .created = c->now };
	struct item parent = { 0 }, was;
	struct wish *wishes = NULL;
	struct str body;
	int rc;

	fields_take(c, &it);
	it.created_at = it.updated_at = work_now_text(w);
	item_set_status(w, &it, (enum status)arg_word(c, "status",
	    work_status_names, STATUS_OPEN));
	rc = title_check(w, it.title);
	if (rc == OK)
		rc = labels_read(w, "labels", STR_NONE, &it.labels, &it.labels_n);
	if (rc == OK)
		rc = wishes_take(w, &it, &wishes);
	if (rc == OK && arg_given(c, "parent")) {
		rc = item_find(w, arg_text(c, "parent"), &parent);
		if (rc == OK)
			rc = dep_direction(w, &it, &parent, DEP_PARENT_CHILD);
		if (rc == OK)
			rc = wish_add(w, &it, wishes, DEP_PARENT_CHILD, parent.id,
			    parent.seq);
	}
	was = parent;
	if (rc == OK)
		rc = id_choose(w, &it, &parent);
	if (rc == OK)
		rc = created_write(w, &it, wishes, &body);
	if (rc == OK)
		rc = body_add(w, body, true, c->data);
	if (rc == OK)
		rc = loose_take(w, it.id, it.seq);
	if (rc == OK && parent.children != was.children)
		rc = item_save(w, &parent, &was);
	return rc;
}

/* ---- update, close, reopen ------------------------------------------------------------------ */

int
change_save(struct work *w, struct item *it, const struct item *was,
    enum event_kind kind, struct str new_json)
{
	bool ready = it->status == STATUS_OPEN && was->status != STATUS_OPEN &&
	    !item_held(it);
	struct str old_json = item_json(w, was);
	struct buf *b = &w->scratch;
	int rc;

	assert(it->seq > 0 && it->seq == was->seq);
	item_touch(w, it);
	rc = item_save(w, it, was);
	if (new_json.p == NULL)
		new_json = arena_str(&w->a, buf_str(b));
	if (rc == OK)
		rc = body_add(w, buf_str(b), true, w->call->data);
	if (rc == OK)
		rc = event_add(w, it->seq, it->id, kind, old_json, new_json, ready);
	if (rc == OK && status_is_done(it->status) != status_is_done(was->status))
		rc = graph_closed(w, it->seq, status_is_done(it->status));
	return rc;
}

static enum event_kind
kind_of(enum status from, enum status to)
{
	if (to == from)
		return EVENT_updated;
	return to == STATUS_CLOSED ? EVENT_closed :
	    from == STATUS_CLOSED ? EVENT_reopened : EVENT_status_changed;
}

/* Only its holder may change status and assignee of a claimed item, and gives up
 * the claim by it; anybody may close it. */
static int
claimed_check(struct work *w, struct item *it, const struct item *was)
{
	bool given = !str_eq(it->assignee, was->assignee);
	int rc = OK;

	if (given || (it->status != was->status && it->status != STATUS_CLOSED))
		rc = lease_guard(w, was);
	if (given && it->lease_holder.p != NULL &&
	    !str_eq(it->assignee, it->lease_holder)) {
		it->lease_holder = STR_NONE;
		it->lease_until = 0;
	}
	return rc;
}

static int
claim_take(struct work *w, struct item *it)
{
	if (arg_given(w->call, "status") || arg_given(w->call, "assignee"))
		return work_fail(w, ERR_INVALID, "claim sets status and assignee: leave "
		    "them out");
	return lease_take(w, it, LIMIT_WORK_LEASE_MS);
}

/* All of it is checked and changed in memory. */
static int
update_take(struct work *w, struct item *it, const struct item *was)
{
	enum status to;
	int rc = arg_bool(w->call, "claim") ? claim_take(w, it) : OK;

	if (rc != OK)
		return rc;
	fields_take(w->call, it);
	to = (enum status)arg_word(w->call, "status", work_status_names,
	    (int)it->status);
	if (to != it->status)
		item_set_status(w, it, to);
	rc = title_check(w, it->title);
	if (rc == OK)
		rc = claimed_check(w, it, was);
	if (rc == OK)
		rc = notes_append(w, it);
	if (rc == OK)
		rc = labels_update(w, it);
	return rc == OK && arg_given(w->call, "parent") ? parent_take(w, it) : rc;
}

int
op_update(struct work *w, struct work_call *c)
{
	struct item it, was;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	was = it;
	rc = update_take(w, &it, &was);
	if (rc == OK)
		rc = change_save(w, &it, &was, arg_bool(c, "claim") ? EVENT_claimed :
		    kind_of(was.status, it.status), STR_NONE);
	if (rc == OK)
		rc = labels_note(w, &it, &was);
	return rc == OK && arg_given(c, "parent") ? parent_note(w, &it, &was) : rc;
}

/* {"reason":...}, or nothing to say. */
static struct str
reason_json(struct work *w)
{
	struct str reason = arg_text(w->call, "reason");
	struct buf b = BUF(8 * LIMIT_WORK_TEXT_BYTES);

	if (reason.n == 0)
		return STR_NONE;
	json_add_fmt(&b, "{'reason':%.*s}", FMT(reason));
	return work_text_keep(w, &b);
}

/* The items that became ready since an event, as `unblocked` of the answer. */
static int
unblocked_add(struct work *w, int64_t after, struct buf *out)
{
	struct query q = query_of(&w->db, SQL_UNBLOCKED, db_i64(w->t.seq),
	    db_i64(after), db_i64(EVENT_unblocked));
	int rc;

	buf_cut(out, out->n - 1);
	json_add_key(out, "unblocked");
	buf_add_char(out, '[');
	while ((rc = query_row(&q)) == OK) {
		json_add_comma(out);
		rc = item_add(w, query_i64(&q, 0), true, out);
		if (rc != OK)
			break;
	}
	buf_lit(out, "]}");
	return work_rows_end(w, &q, rc);
}

/* Closing what is closed changes nothing and is no error. */
int
op_close(struct work *w, struct work_call *c)
{
	struct item it, was;
	int64_t last = 0;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	if (arg_bool(c, "suggest_next"))
		last = work_event_last(w, w->t.seq);
	was = it;
	if (it.status == STATUS_CLOSED) {
		rc = item_add(w, it.seq, true, c->data);
	} else {
		item_set_status(w, &it, STATUS_CLOSED);
		rc = change_save(w, &it, &was, EVENT_closed, reason_json(w));
	}
	if (rc == OK && arg_bool(c, "suggest_next"))
		rc = unblocked_add(w, last, c->data);
	if (rc == OK && arg_bool(c, "claim_next"))
		rc = lease_next(w, c);
	return rc;
}

int
op_reopen(struct work *w, struct work_call *c)
{
	struct item it, was;
	int rc = item_find(w, arg_text(c, "id"), &it);

	if (rc != OK)
		return rc;
	was = it;
	if (it.status == STATUS_OPEN)
		return item_add(w, it.seq, true, c->data);
	rc = lease_guard(w, &it);
	if (rc != OK)
		return rc;
	item_set_status(w, &it, STATUS_OPEN);
	return change_save(w, &it, &was, kind_of(was.status, STATUS_OPEN),
	    reason_json(w));
}
