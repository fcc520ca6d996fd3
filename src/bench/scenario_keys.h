/*
 * scenario_keys.h - what the two readers of a scenario's file share: maps whose keys
 * stand in tables, values, and the failure that stays.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SCENARIO_KEYS_H
#define BENCH_SCENARIO_KEYS_H

#include "bench/scenario_priv.h"

struct reading {
	struct scenario *plan;
	struct tree tree;
	struct err *e;
	int rc;
	unsigned ids;                        /* that the sequence's steps have made */
	bool captured[LIMIT_SCENARIO_VARIABLES];     /* by slot, by them */
};

struct key {
	const char *name;
	bool required;
	void (*take)(struct reading *r, const struct tree_node *n, void *into);
	const char *value, *help;
};

/* ---- failures: the first one stays ---------------------------------------- */

void reading_fail(struct reading *r, const struct tree_node *n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* At the key of n, with what may have been meant (or NULL). */
void reading_fail_near(struct reading *r, const struct tree_node *n, const char *near,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* True, unless it failed or n is of another kind, which fails. */
bool reading_wants(struct reading *r, const struct tree_node *n, enum tree_kind kind,
    const char *what);
/* A list of 1 to max. */
bool reading_wants_list(struct reading *r, const struct tree_node *n, size_t max,
    const char *what);
/* Refuses other keys and missing ones; then takes each in the order of the table. */
void reading_map(struct reading *r, const struct tree_node *n, const struct key *keys,
    const char *what, void *into);
/* Zeroed, of the plan; NULL after a failure. */
void *reading_alloc(struct reading *r, const struct tree_node *n, size_t count, size_t size);

/* ---- values --------------------------------------------------------------- */

int64_t reading_int(struct reading *r, const struct tree_node *n, int64_t min, int64_t max);
msec reading_time(struct reading *r, const struct tree_node *n, msec min, msec max);
/* Names are part of metrics, and of thresholds. */
struct str reading_name(struct reading *r, const struct tree_node *n);
struct str reading_string(struct reading *r, const struct tree_node *n, const char *what);

/* ---- parts ---------------------------------------------------------------- */

/* The slot of a variable, or -1; a new one. */
int  variable_find(const struct scenario *p, struct str name);
struct variable *variable_add(struct reading *r, const struct tree_node *n, struct str name);
/* scenario_steps.c: the steps of a sequence. */
void take_steps(struct reading *r, const struct tree_node *n, void *sequence);
extern const struct key scenario_step_keys[], scenario_request_keys[];

#endif
