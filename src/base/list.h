/*
 * list.h - doubly linked rings; the links lie in what they join.
 *
 * A head joins nothing and is set up by list_init.  A link in no list is zero,
 * as memory from mem_zero is.  A list may be walked by `next` up to its head
 * while the link at hand stays in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <assert.h>
#include "base/mem.h"

struct list {
	struct list *next, *prev;
};

static inline void
list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool
list_empty(const struct list *head)
{
	return head->next == head;
}

static inline size_t
list_count(const struct list *head)
{
	size_t n = 0;

	for (const struct list *l = head->next; l != head; l = l->next)
		n++;
	return n;
}

/* Is it in a list? */
static inline bool
list_joined(const struct list *l)
{
	assert((l->next == NULL) == (l->prev == NULL));
	return l->next != NULL;
}

static inline void
list_append(struct list *head, struct list *l)
{
	assert(!list_joined(l) && head->prev->next == head);
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void
list_prepend(struct list *head, struct list *l)
{
	list_append(head->next, l);
}

/* From whatever list it is in; in none: nothing. */
static inline void
list_remove(struct list *l)
{
	if (!list_joined(l))
		return;
	assert(l->prev->next == l && l->next->prev == l);
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}

/* All of from to the end of to. */
static inline void
list_move(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#endif
