/*
 * reduce.c - add_messages: how a step's messages change a thread's list.
 *
 * A message with a known id replaces in place, `remove` takes out, everything
 * else is appended; `remove` of __remove_all__ starts over.  The list changes
 * as a whole or, after an error, not at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/message.h"

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"

/* Places of messages by id, for lists where looking at each would cost more
 * than a table. */
struct places {
	struct map map;
	struct place { struct str id; size_t at; } *slots;
	size_t n;
};

#define SCAN_MAX 4096    /* comparisons that are cheaper than a table */

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
places_init(struct places *p, const struct message_list *l, size_t more)
{
	*p = (struct places){ 0 };
	if (l->n * more <= SCAN_MAX && more * more <= SCAN_MAX)
		return;
	p->slots = mem_alloc((l->n + more) * sizeof *p->slots);
	map_init(&p->map, place_hash, place_eq, place_key);
	for (size_t i = 0; i < l->n; i++)
		place_add(p, l->at[i]->id, i);
}

static void
places_release(struct places *p)
{
	if (p->slots == NULL)
		return;
	map_release(&p->map);
	free(p->slots);
}

static ptrdiff_t
find(const struct message_list *l, const struct places *p, struct str id)
{
	if (p->slots != NULL) {
		const struct place *slot = map_get(&p->map, &id);

		return slot == NULL ? -1 : (ptrdiff_t)slot->at;
	}
	for (size_t i = l->n; i > 0; i--)
		if (str_eq(l->at[i - 1]->id, id))
			return (ptrdiff_t)(i - 1);
	return -1;
}

/* Where the last `remove everything` stands, plus one; 0: there is none. */
static size_t
after_remove_all(const struct message_list *right)
{
	for (size_t i = right->n; i > 0; i--)
		if (right->at[i - 1]->kind == MESSAGE_REMOVE &&
		    str_eq(right->at[i - 1]->id, S("__remove_all__")))
			return i;
	return 0;
}

/* Removes by an empty place, closed up at the end, so that a message that is
 * removed and sent again keeps its place as in the reference. */
static int
apply(struct message_list *l, struct places *p, struct message *m, size_t *keep,
    struct err *e)
{
	ptrdiff_t at = find(l, p, m->id);

	if (at < 0 && m->kind == MESSAGE_REMOVE)
		return err_set(e, ERR_INVALID, "messages: cannot remove \"%.*s\": "
		    "no message has that id", FMT(str_sub(m->id, 0, 64)));
	if (at < 0) {
		if (p->slots != NULL)
			place_add(p, m->id, l->n);
		message_list_add(l, message_ref(m));
		return OK;
	}
	if ((size_t)at < *keep)
		*keep = (size_t)at;
	message_drop(l->at[at]);
	l->at[at] = message_ref(m);
	return OK;
}

static void
close_up(struct message_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->at[i]->kind == MESSAGE_REMOVE)
			message_drop(l->at[i]);
		else
			l->at[n++] = l->at[i];
	}
	l->n = n;
}

static int
check_size(const struct message_list *l, struct err *e)
{
	size_t bytes = 0;

	if (l->n > LIMIT_MESSAGES)
		return err_set(e, ERR_LIMIT, "messages: more than %d in one thread",
		    LIMIT_MESSAGES);
	for (size_t i = 0; i < l->n; i++)
		bytes += l->at[i]->json.n + 1;
	if (bytes > LIMIT_STATE_BYTES)
		return err_set(e, ERR_TOOBIG, "messages: more than %d bytes in one thread",
		    LIMIT_STATE_BYTES);
	return OK;
}

int
message_reduce(struct message_list *l, const struct message_list *right,
    size_t *keep, struct err *e)
{
	struct message_list work = { 0 };
	struct places places;
	size_t from = after_remove_all(right);
	int rc = OK;

	*keep = from > 0 ? 0 : l->n;
	for (size_t i = 0; from == 0 && i < l->n; i++)
		message_list_add(&work, message_ref(l->at[i]));
	places_init(&places, &work, right->n - from);
	for (size_t i = from; rc == OK && i < right->n; i++)
		rc = apply(&work, &places, right->at[i], keep, e);
	places_release(&places);
	close_up(&work);
	if (rc == OK)
		rc = check_size(&work, e);
	if (rc != OK) {
		message_list_release(&work);
		return rc;
	}
	message_list_release(l);
	*l = work;
	return OK;
}
