/*
 * messages.c - add_messages: how a step's messages change a thread's list.
 *
 * A message with a known id replaces in place, `remove` takes out, everything
 * else is appended; `remove` of __remove_all__ starts over.  First the place
 * of every message of the write is found, which is all that can fail; then the
 * list changes.
 *
 * A long list is lazy, and most ids are new.  Few ids are searched for in the
 * texts as they are (`"id":"..."`), which decodes nothing; neighbours that lie
 * in one source are searched at once.  What is found is looked at again: the
 * words may stand in a content or in a tool call.  Many ids get a table.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "base/find.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "state/message.h"
#include "state/state_priv.h"

#define SEARCH_MAX  8        /* so many ids are searched for; more get a table */
#define NOWHERE     SIZE_MAX

/* Places of messages by id. */
struct places {
	struct map map;
	struct place { struct str id; size_t at; } *slots;
	size_t n;
};

/* One message of the write. */
struct item {
	struct val m;                        /* borrowed */
	struct str id;
	bool remove;
	size_t at;                           /* its place in the result */
};

/* The write, and what becomes of it. */
struct plan {
	struct str name;
	struct val old;                      /* borrowed */
	size_t kept;                         /* messages of old: all, or none of them */
	struct item *items;
	size_t from, n;                      /* those after the last `remove everything` */
	size_t total;                        /* places: kept and appended */
	bool removes;
	struct places places;
	struct err *e;
};

/* ---- the write ------------------------------------------------------------- */

static int
look_at(struct plan *p, size_t i, struct val m)
{
	enum message_type type = message_type(m);
	struct str id = message_id(m);

	if (type == MSG_NONE || id.n == 0)
		return err_set(p->e, ERR_INVALID,
		    "%.*s[%zu]: expected a stored message with id and type",
		    FMT(p->name), i);
	p->items[i] = (struct item){ m, id, type == MSG_REMOVE, NOWHERE };
	p->removes |= type == MSG_REMOVE;
	if (type == MSG_REMOVE && str_eq(id, S(MESSAGE_REMOVE_ALL))) {
		p->from = i + 1;
		p->kept = 0;
	}
	return OK;
}

/* right: an array, or one message. */
static int
look_at_all(struct plan *p, struct val right)
{
	bool list = right.kind == VAL_ARRAY;
	int rc = OK;

	p->n = list ? val_count(right) : 1;
	p->items = mem_alloc((p->n + 1) * sizeof *p->items);
	for (size_t i = 0; i < p->n && rc == OK; i++)
		rc = look_at(p, i, list ? val_at(right, i) : right);
	return rc;
}

/* ---- searching in texts ------------------------------------------------------ */

/* Neighbours [from, to) whose texts are one piece of memory. */
struct run {
	size_t from, to;
	struct str text;
};

/* The message of the run whose text holds `p`. */
static size_t
holder_of(struct val list, const struct run *r, const char *p)
{
	size_t low = r->from, high = r->to;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (val_json_text(val_at(list, mid)).p <= p)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static size_t
search_run(const struct find *f, struct val list, const struct run *r, struct str id)
{
	struct str rest = r->text;

	for (;;) {
		const char *hit = find_in(f, rest);
		size_t at;

		if (hit == NULL)
			return NOWHERE;
		at = holder_of(list, r, hit);
		if (str_eq(message_id(val_at(list, at)), id))
			return at;
		rest = str_sub(rest, (size_t)(hit - rest.p) + 1, SIZE_MAX);
	}
}

/* Among the first n of list. */
static size_t
search(struct val list, size_t n, struct str id)
{
	struct buf word = BUF(LIMIT_NAME_BYTES + 16);
	size_t found = NOWHERE;
	struct run r = { 0 };
	struct find f;

	buf_lit(&word, "\"id\":\"");
	buf_add(&word, id);
	buf_add_char(&word, '"');
	find_init(&f, buf_str(&word));
	for (size_t at = 0; at < n && found == NOWHERE; at = r.to) {
		r.from = at;
		r.to = at + val_spans(list, at, n, &r.text);
		if (r.to > at && !word.failed)
			found = search_run(&f, list, &r, id);
		else if (str_eq(message_id(val_at(list, r.to++)), id))
			found = at;
	}
	buf_release(&word);
	return found;
}

/* ---- a table ----------------------------------------------------------------- */

static uint64_t
place_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
place_eq(const void *value, const void *key)
{
	return str_eq(((const struct place *)value)->id, *(const struct str *)key);
}

static const void *
place_key(const void *value)
{
	return &((const struct place *)value)->id;
}

static void
place_add(struct places *p, struct str id, size_t at)
{
	struct place *slot = &p->slots[p->n++];

	*slot = (struct place){ id, at };
	map_put(&p->map, slot);
}

static void
places_init(struct plan *p)
{
	p->places.slots = mem_alloc((p->kept + p->n) * sizeof *p->places.slots);
	map_init(&p->places.map, place_hash, place_eq, place_key);
	for (size_t i = 0; i < p->kept; i++)
		place_add(&p->places, message_id(val_at(p->old, i)), i);
}

static void
places_release(struct places *p)
{
	if (p->slots != NULL) {
		map_release(&p->map);
		free(p->slots);
	}
}

/* ---- the plan ---------------------------------------------------------------- */

/* Where the message with this id is, when the items before `i` have been
 * applied. */
static size_t
find(const struct plan *p, struct str id, size_t i, bool in_old)
{
	if (p->places.slots != NULL) {
		const struct place *slot = map_get(&p->places.map, &id);

		return slot == NULL ? NOWHERE : slot->at;
	}
	for (size_t j = p->from; j < i; j++)
		if (str_eq(p->items[j].id, id))
			return p->items[j].at;
	return in_old ? search(p->old, p->kept, id) : NOWHERE;
}

static int
plan_one(struct plan *p, size_t i, bool in_old)
{
	struct item *item = &p->items[i];

	item->at = find(p, item->id, i, in_old);
	if (item->at != NOWHERE)
		return OK;
	if (item->remove)
		return err_set(p->e, ERR_INVALID, "Attempting to delete a message with an "
		    "ID that doesn't exist ('%.*s')", FMT(str_sub(item->id, 0, 64)));
	item->at = p->total++;
	if (p->places.slots != NULL)
		place_add(&p->places, item->id, item->at);
	return OK;
}

static int
plan_all(struct plan *p, bool new_ids)
{
	bool in_old = !new_ids || p->removes;
	int rc = OK;

	p->total = p->kept;
	if (p->n - p->from > SEARCH_MAX)
		places_init(p);
	for (size_t i = p->from; i < p->n && rc == OK; i++)
		rc = plan_one(p, i, in_old);
	return rc;
}

/* ---- the change -------------------------------------------------------------- */

/* Which places end empty: what came last for them was a remove. */
static bool *
gone_places(const struct plan *p, size_t *n)
{
	bool *gone = mem_zero(p->total + 1);

	*n = 0;
	for (size_t i = p->from; i < p->n; i++) {
		const struct item *item = &p->items[i];

		*n += (size_t)item->remove - (size_t)gone[item->at];
		gone[item->at] = item->remove;
	}
	return gone;
}

/* Takes list. */
static struct val
close_up(const struct plan *p, struct val list, const bool *gone)
{
	struct val out = val_array_empty();

	for (size_t i = 0; i < p->total; i++)
		if (!gone[i])
			out = val_push_take(out, val_ref(val_at(list, i)));
	val_drop(list);
	return out;
}

/* A message that is removed and written again keeps its place, as in the
 * reference; so removes are written too, and taken out at the end. */
static struct val
changed(const struct plan *p, struct val list)
{
	for (size_t i = p->from; i < p->n; i++)
		list = val_set_at_take(list, p->items[i].at, val_ref(p->items[i].m));
	return list;
}

static size_t
front(const struct plan *p)
{
	size_t keep = p->kept;

	for (size_t i = p->from; i < p->n; i++)
		keep = p->items[i].at < keep ? p->items[i].at : keep;
	return keep;
}

static int
apply(struct plan *p, struct val *value, size_t *keep)
{
	bool *gone = NULL;
	size_t gone_n = 0;
	int rc = OK;

	if (p->removes)
		gone = gone_places(p, &gone_n);
	if (p->total - gone_n > LIMIT_MESSAGES) {
		rc = err_set(p->e, ERR_LIMIT, "%.*s: more than %d messages in one thread",
		    FMT(p->name), LIMIT_MESSAGES);
	} else {
		struct val list = *value;

		if (list.kind != VAL_ARRAY || p->kept == 0) {
			val_drop(list);
			list = val_array_empty();
		}
		list = changed(p, list);
		*value = gone_n > 0 ? close_up(p, list, gone) : list;
		*keep = front(p);
	}
	free(gone);
	return rc;
}

/* value: an array, or nothing. */
static int
reduce_stored(struct str name, struct val *value, struct val right, bool new_ids,
    size_t *keep, struct err *e)
{
	struct plan p = { .name = name, .old = *value, .kept = val_count(*value), .e = e };
	int rc = look_at_all(&p, right);

	if (rc == OK)
		rc = plan_all(&p, new_ids);
	if (rc == OK)
		rc = apply(&p, value, keep);
	free(p.items);
	places_release(&p.places);
	return rc;
}

int
reduce_messages(struct str name, struct val *value, struct val write, unsigned known,
    size_t *keep, struct err *e)
{
	bool minted = (known & REDUCE_NEW_IDS) != 0, all;
	char path[LIMIT_NAME_BYTES / 4];
	struct val right;
	int rc;

	if (value->kind != VAL_ARRAY && value->kind != VAL_UNDEFINED &&
	    value->kind != VAL_NULL)
		return err_set(e, ERR_INVALID, "%.*s: expected an array of messages, got %s",
		    FMT(name), val_kind_name(*value));
	if ((known & REDUCE_STORED) != 0)
		return reduce_stored(name, value, write, minted, keep, e);
	snprintf(path, sizeof path, "%.*s", FMT(name));
	rc = messages_from(write, path, &right, &all, e);
	if (rc != OK)
		return rc;
	rc = reduce_stored(name, value, right, minted || all, keep, e);
	val_drop(right);
	return rc;
}
