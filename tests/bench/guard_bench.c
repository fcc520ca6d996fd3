/*
 * guard_bench.c - what a guard takes on data that is in memory.
 *
 *   guard-bench [ROUNDS]
 *
 * Prints the nanoseconds of one evaluation of each guard, the median of 21 rounds.
 * Data is as a chart has it: slots of values; the nested one is a message that came
 * as JSON and has been looked into.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "chart/expr.h"

#define SAMPLES 21

static const char *const names[] = { "n", "state", "log", "order" };

static const char *const guards[] = {
	"n < 6", "state == 'open'", "n < 6 && state == 'open'", "order.total > 100",
	"order.customer.level == 'gold'", "len(log) < 20", "!(n >= 6) || order.paid",
};

static int
slot_of(void *ctx, struct str name, bool of_data)
{
	(void)ctx, (void)of_data;
	for (size_t i = 0; i < COUNT(names); i++)
		if (str_eq(name, str_of(names[i])))
			return (int)i;
	return -1;
}

static void
data_fill(struct val slots[COUNT(names)])
{
	struct err e;

	slots[0] = val_int(3);
	slots[1] = val_string(S("open"));
	slots[2] = val_array_empty();
	for (int i = 0; i < 10; i++)
		slots[2] = val_push_take(slots[2], val_int(i));
	if (val_json(&slots[3], S("{\"id\":7,\"total\":250,\"paid\":false,"
	    "\"customer\":{\"name\":\"Ann\",\"level\":\"gold\"}}"), &e) != OK)
		exit(1);
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
measure(const struct expr *x, const struct expr_scope *scope, uint64_t rounds)
{
	double sample[SAMPLES];
	struct err e;
	bool out;

	for (size_t i = 0; i < SAMPLES; i++) {
		nsec began = clock_mono();

		for (uint64_t k = 0; k < rounds; k++)
			if (expr_eval_bool(x, scope, &out, &e) != OK || !out) {
				fprintf(stderr, "guard-bench: %s\n", e.text);
				exit(1);
			}
		sample[i] = (double)(clock_mono() - began) / (double)rounds;
	}
	qsort(sample, SAMPLES, sizeof *sample, by_value);
	return sample[SAMPLES / 2];
}

int
main(int argc, char **argv)
{
	uint64_t rounds = 200000;
	uint64_t declared = (1u << COUNT(names)) - 1;
	struct val slots[COUNT(names)];
	struct expr_scope scope = { .slots = slots, .declared = &declared };

	if (argc > 1 && (!str_to_u64(str_of(argv[1]), &rounds) || rounds == 0)) {
		fprintf(stderr, "usage: guard-bench [ROUNDS]\n");
		return 2;
	}
	data_fill(slots);
	for (size_t i = 0; i < COUNT(guards); i++) {
		struct expr *x;
		struct err e;

		if (expr_parse(&x, str_of(guards[i]), &e) != OK) {
			fprintf(stderr, "guard-bench: %s\n", guards[i]);
			return 1;
		}
		expr_bind(x, slot_of, NULL);
		printf("%7.1f ns  %s\n", measure(x, &scope, rounds), guards[i]);
		expr_free(x);
	}
	for (size_t i = 0; i < COUNT(names); i++)
		val_drop(slots[i]);
	return 0;
}
