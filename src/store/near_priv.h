/*
 * near_priv.h - see near.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef STORE_NEAR_PRIV_H
#define STORE_NEAR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* out[i]: the products of q and the ith of n rows, summed.  Rows need no alignment
 * beyond a float's. */
void near_dots(const float *q, const float *rows, size_t n, size_t dims, float *out);

struct near {
	float score;
	int64_t seq;                         /* of equal ones the highest is first */
};
void near_sort(struct near *at, size_t n);   /* the nearest first */

/* The `keep` nearest items of many, in one pass.  It has no more than twice as many,
 * and drops the further half whenever it is full.  Zeroed before its first use; free(at)
 * after the last. */
struct nears {
	struct near *at;
	size_t n, cap, keep;
	bool cut;                            /* some were dropped: */
	float least;                         /* none nearer than that */
};
void nears_begin(struct nears *l, size_t keep);      /* keep > 0, at most SIZE_MAX / 2 */
/* One of an item's vectors; they come one after another, and the nearest counts. */
void nears_add(struct nears *l, int64_t seq, float score);
/* Sorts them, the nearest first; `keep` at most, if any were dropped. */
void nears_end(struct nears *l);

#endif
