/*
 * wanted.c - does stored metadata, or a state, contain what a search asks for?
 *
 * SPDX-License-Identifier: MIT
 */
#include "store/store_priv.h"

#include "store/guard.h"

int
wanted_init(struct wanted *w, struct str metadata, struct str guard,
    struct db *db, struct err *e)
{
	int rc = OK;

	*w = (struct wanted){ .db = db, .pace = { .go_on = db_go_on, .ctx = db->on } };
	if (metadata.n > 0)
		rc = json_parse(&w->doc, metadata, e);
	if (rc == OK && w->doc.root != NULL && !json_is_object(w->doc.root))
		rc = err_set(e, ERR_INVALID, "metadata: expected an object, got %s",
		    json_kind(w->doc.root));
	if (rc == OK && guard.n > 0)
		rc = json_parse(&w->guard, guard, e);
	return rc;
}

void
wanted_release(struct wanted *w)
{
	json_release(&w->doc);
	json_release(&w->guard);
}

bool
wanted_is_guarded(const struct wanted *w)
{
	return w->guard.root != NULL;
}

bool
wanted_is_open(const struct wanted *w)
{
	return json_count(w->doc.root) == 0 && !wanted_is_guarded(w);
}

int
wanted_test(struct wanted *w, struct str stored, bool *yes)
{
	struct json_doc have = { 0 };
	int rc = OK;

	*yes = true;
	if (wanted_is_open(w))
		return OK;
	if (json_pace_steps(&w->pace, stored.n / PACE_PARSED))
		rc = json_parse(&have, stored, NULL);
	*yes = rc == OK && guard_holds(w->guard.root, have.root) &&
	    (w->doc.root == NULL || json_contains(have.root, w->doc.root, &w->pace));
	json_release(&have);
	if (w->pace.stopped)
		return w->db->on->pace_rc;
	return rc == OK ? OK : ERR_IO;       /* stored JSON does not parse */
}

/* ---- values ------------------------------------------------------------------- */

#define TEXT_MAX      (4 * (size_t)LIMIT_STATE_BYTES)
#define STEPS_A_STATE 64                     /* of the pace: reading it is work, too */

int
wanted_values_init(struct wanted_values *w, struct str values, struct db *db,
    struct err *e)
{
	struct buf name = BUF(8 * LIMIT_FILTER_BYTES);
	struct json_iter it;
	int rc = wanted_init(&w->want, values, STR_NONE, db, e);

	w->db = db;
	w->names_n = 0;
	w->arena = w->own = ARENA(TEXT_MAX);
	w->text = BUF(TEXT_MAX);
	w->names = arena_zero(&w->own, (json_count(w->want.doc.root) + 1) * sizeof *w->names);
	for (it = json_each(w->want.doc.root); rc == OK && w->names != NULL &&
	    json_next(&it); ) {
		buf_clear(&name);
		json_add_str(&name, json_str(it.key));
		w->names[w->names_n++] = arena_str(&w->own,
		    str_sub(buf_str(&name), 1, name.n - 2));
	}
	buf_release(&name);
	return rc == OK ? arena_rc(&w->own) : rc;
}

void
wanted_values_release(struct wanted_values *w)
{
	wanted_release(&w->want);
	arena_release(&w->arena);
	arena_release(&w->own);
	buf_release(&w->text);
}

/* *yes false: its type is not ours to read. */
static int
value_add(struct wanted_values *w, int64_t thread, const struct channel_ref *r, bool *yes)
{
	struct query q = query_of(w->db, SQL_CHANNEL_GET, db_i64(thread),
	    db_text(S("")), db_str(r->name), db_i64(r->value));
	int rc = query_row(&q);

	*yes = rc == OK && str_eq(query_borrow(&q, 0), S("json"));
	if (*yes)
		buf_add(&w->text, query_borrow(&q, 1));
	query_end(&q);
	return rc;
}

static int
list_add(struct wanted_values *w, const struct channel_ref *r)
{
	struct str *entries = NULL;
	int rc = r->len == 0 ? OK : lists_read(w->db, r->list, 0, r->len, &w->arena,
	    &entries);

	buf_add_char(&w->text, '[');
	for (uint32_t i = 0; rc == OK && i < r->len; i++) {
		if (i > 0)
			buf_add_char(&w->text, ',');
		buf_add(&w->text, entries[i]);
	}
	buf_add_char(&w->text, ']');
	return rc;
}

/* The channels that are wanted, as an object. */
static int
state_read(struct wanted_values *w, int64_t thread, const struct channel_map *map, bool *yes)
{
	int rc = OK;

	buf_clear(&w->text);
	w->text.failed = false;
	buf_add_char(&w->text, '{');
	for (size_t i = 0; rc == OK && *yes && i < w->names_n; i++) {
		const struct channel_ref *r = channels_ref(map, w->names[i]);

		*yes = r != NULL;
		if (!*yes)
			break;
		buf_add_fmt(&w->text, "%s\"%.*s\":", i > 0 ? "," : "", FMT(r->name));
		rc = r->is_list ? list_add(w, r) : value_add(w, thread, r, yes);
	}
	buf_add_char(&w->text, '}');
	return rc == OK && w->text.failed ? ERR_TOOBIG : rc;
}

int
wanted_values_test(struct wanted_values *w, int64_t thread, int64_t checkpoint, bool *yes)
{
	struct channel_map map = { 0 };
	struct query q;
	int rc;

	*yes = wanted_is_open(&w->want);
	if (*yes || checkpoint == 0)
		return OK;
	if (!json_pace_steps(&w->want.pace, STEPS_A_STATE))
		return w->db->on->pace_rc;
	arena_clear(&w->arena);
	q = query_of(w->db, SQL_CHANNELS_AT, db_i64(checkpoint));
	rc = query_row(&q);
	if (rc == OK)
		rc = channels_parse(&map, query_str(&q, 0, &w->arena), &w->arena);
	query_end(&q);
	*yes = rc == OK;
	if (rc == OK)
		rc = state_read(w, thread, &map, yes);
	return rc == OK && *yes ? wanted_test(&w->want, buf_str(&w->text), yes) : rc;
}
