/*
 * ramp_judge.c - what follows from the steps: the knee.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/ramp_priv.h"

struct ramp_knee
ramp_knee(const struct ramp_step *s, size_t n)
{
	struct ramp_knee k = { 0 };
	bool before = true;                  /* all smaller ones were below, too */

	for (size_t i = 0; i < n && s[i].cause == COLLAPSE_NONE; i++) {
		k.completes = s[i].c;
		before = before && s[i].infl < RAMP_KNEE;
		if (before)
			k.below = s[i].c;
	}
	return k;
}
