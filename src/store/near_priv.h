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
/* Makes a heap of n in any order, whose first is the nearest. */
void near_heap(struct near *h, size_t n);
/* Takes the first off; *n > 0. */
struct near near_pop(struct near *h, size_t *n);

#endif
