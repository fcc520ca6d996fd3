/*
 * limits.c - the table of limits.h as data, for `config --limits` and docs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"

const struct limit limits[] = {
#define X(name, value, unit, why) { #name, value, unit, why },
	LIMIT_MAP(X)
#undef X
};

const size_t limits_n = sizeof limits / sizeof limits[0];
