/*
 * listing.h - answers of many items: which ones (filter.c), in what order and how
 * many of them (list.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_LISTING_H
#define WORK_LISTING_H

#include "work/row.h"

#define LIST_STATES (2 * STATUS_TOMBSTONE)   /* all but the tombstones' */
#define LIST_EACH   ((1u << LIST_STATES) - 1)

/* By value; of list's `sort`, ready's, count's `by`. */
extern const char *const work_order_names[], *const work_policy_names[];
extern const char *const work_group_names[];

/* ---- which ones (filter.c) ------------------------------------------------------ */

enum { WHOSE_THEIRS = 1, WHOSE_NOBODYS = 2 };

/* What is wanted; texts with p == NULL and numbers < 0 do not matter. */
struct filter {
	unsigned states;                     /* a bit each */
	int64_t priority, type;
	unsigned whose;                      /* WHOSE_ bits; 0: anybody's */
	struct str assignee;
	int64_t parent;                      /* 0: any */
	struct str title, query;             /* anywhere in the title; in id,
	                                        title or description */
	struct str *words;                   /* all of them anywhere */
	size_t words_n;
	struct str *all, *any;               /* labels */
	size_t all_n, any_n;
	msec after, before;                  /* updated; INT64_MIN: any time */
};

/* From the arguments of the call. */
int filter_take(struct work *w, struct filter *f);
/* The words of a search.  ERR_INVALID: there are none. */
int filter_take_words(struct work *w, struct filter *f, struct str text);
/* Do the columns of an item fit? */
bool filter_fits(const struct filter *f, int64_t state, int64_t priority,
    int64_t type, struct str assignee);
/* And all else?  *looked counts the texts that were read: ERR_LIMIT past
 * LIMIT_WORK_SCAN. */
int filter_match(struct work *w, const struct filter *f, int64_t seq,
    struct str body, int64_t *looked, bool *yes);

/* ---- the answer (list.c) -------------------------------------------------------- */

/* The position of an item in the order of a list. */
struct place {
	int64_t priority, created, seq;
};

struct listing {
	struct filter f;
	bool oldest;                         /* first, within a priority */
	int order;                           /* of work_order_names and then of
	                                        work_policy_names; 0: as it is walked */
	bool reverse;
	int64_t left;                        /* items that still fit */
	bool page, all;                      /* the answer is a page; no limit was given */
	size_t from;                         /* of the answer in its text */
	struct place after;                  /* it begins behind this; */
	bool resumes;                        /* if so */
	struct place last;                   /* the item that was offered last */
	int64_t looked;                      /* bodies read to find texts */
	int64_t rows;                        /* that may still be walked over */
	int (*add)(struct work *w, struct listing *l, int64_t seq, struct str body);
	void *ctx;                           /* add's */
};

/* Of a call with `limit` (fallback when absent; 0: all) and `page`. */
struct listing listing_of(const struct work_call *c, int64_t limit);
/* The whole answer: an array or a page of what l->f wants. */
int listing_answer(struct work *w, struct listing *l);
/* Calls add for each, in the order of the walk, with no text around them. */
int listing_each(struct work *w, struct listing *l);
/* What is ready and free for the caller, or as the call's arguments say.
 * *seq stays as it was if there is none. */
int ready_first(struct work *w, int64_t *seq);

#endif
