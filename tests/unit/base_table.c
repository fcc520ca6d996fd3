/*
 * base_table.c - the hash table and the histogram.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/hist.h"
#include "base/map.h"

#include <math.h>

struct thing {
	uint64_t id;
	bool present;
};

static uint64_t
hash_id(const void *key)
{
	return *(const uint64_t *)key * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

/* The worst hash there is: everything meets in one slot. */
static uint64_t
hash_same(const void *key)
{
	(void)key;
	return 15;
}

static bool
is_id(const void *value, const void *key)
{
	return ((const struct thing *)value)->id == *(const uint64_t *)key;
}

static const void *
id_of(const void *value)
{
	return &((const struct thing *)value)->id;
}

/* Against a model: 512 things come and go by a fixed pseudo-random walk. */
static void
walk(uint64_t (*hash)(const void *key), int steps)
{
	static struct thing things[512];
	struct map m;
	uint64_t x = 1;
	size_t n = 0;

	map_init(&m, hash, is_id, id_of);
	for (size_t i = 0; i < COUNT(things); i++)
		things[i] = (struct thing){ .id = i * 64 };
	for (int step = 0; step < steps; step++) {
		struct thing *t;

		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		t = &things[x >> 33 & 511];
		CHECK(map_get(&m, &t->id) == (t->present ? t : NULL));
		if (t->present)
			CHECK(map_take(&m, &t->id) == t);
		else
			CHECK(map_put(&m, t) == NULL);
		n += t->present ? (size_t)-1 : 1;
		t->present = !t->present;
		CHECK_INT(m.n, n);
	}
	CHECK(m.cap <= 2048);                /* graves do not make it grow */
	map_release(&m);
	CHECK(map_get(&m, &things[0].id) == NULL);
}

TEST(map_agrees_with_a_model)
{
	walk(hash_id, 200000);
}

TEST(map_survives_colliding_hashes)
{
	walk(hash_same, 5000);
}

/* Goal: where new keys come as fast as old ones go, as the ids of requests do,
 * looking for what is not there still ends. */
TEST(map_of_a_moving_window_stays_searchable)
{
	static struct thing things[2000];
	const uint64_t none = UINT64_MAX;
	struct map m;

	map_init(&m, hash_id, is_id, id_of);
	for (size_t i = 0; i < COUNT(things); i++) {
		things[i].id = i;
		CHECK(map_put(&m, &things[i]) == NULL);
		if (i >= 8)
			CHECK(map_take(&m, &things[i - 8].id) == &things[i - 8]);
		CHECK(map_get(&m, &none) == NULL);
	}
	CHECK_INT(m.n, 8);
	CHECK(m.cap <= 64);
	map_release(&m);
}

TEST(map_put_returns_what_it_replaced)
{
	struct thing a = { .id = 7 }, b = { .id = 7 };
	struct map m;

	map_init(&m, hash_id, is_id, id_of);
	CHECK(map_take(&m, &a.id) == NULL);
	CHECK(map_put(&m, &a) == NULL);
	CHECK(map_put(&m, &b) == &a);
	CHECK(map_get(&m, &a.id) == &b);
	CHECK_INT(m.n, 1);
	map_release(&m);
}

TEST(map_current_element_may_go_while_iterating)
{
	static struct thing things[300];
	struct map m;
	struct thing *t;
	size_t at = 0, seen = 0;

	map_init(&m, hash_id, is_id, id_of);
	for (size_t i = 0; i < COUNT(things); i++) {
		things[i].id = i;
		map_put(&m, &things[i]);
	}
	for (t = map_each(&m, &at); t != NULL; t = map_each(&m, &at)) {
		CHECK(!t->present);
		t->present = true;
		seen++;
		if (t->id % 3 != 0)
			CHECK(map_take(&m, &t->id) == t);
	}
	CHECK_INT(seen, 300);
	CHECK_INT(m.n, 100);
	for (size_t i = 0; i < COUNT(things); i++)
		CHECK((map_get(&m, &things[i].id) != NULL) == (i % 3 == 0));
	map_release(&m);
}

TEST(hist_is_within_one_percent)
{
	static struct hist h;
	static const double points[] = { 1, 25, 50, 90, 99, 99.9 };

	hist_clear(&h);
	CHECK_INT(hist_percentile(&h, 50), 0);
	for (uint64_t v = 1; v <= 1000000; v++)
		hist_add(&h, v * 1000);
	for (size_t i = 0; i < COUNT(points); i++) {
		double exact = points[i] / 100 * 1e9;
		double got = (double)hist_percentile(&h, points[i]);

		CHECK(fabs(got - exact) <= exact * 0.01);
	}
	CHECK_INT(hist_percentile(&h, 0), 1000);
	CHECK_INT(hist_percentile(&h, 100), 1000000000);
	CHECK(fabs(hist_mean(&h) - 500000500.0) < 1);
}

TEST(hist_takes_the_extremes)
{
	static struct hist h, other;

	hist_clear(&h);
	hist_clear(&other);
	hist_add(&h, 0);
	hist_add(&h, 63);
	hist_add(&h, 64);
	hist_add(&other, UINT64_C(1) << 41);
	hist_add(&other, UINT64_MAX);
	hist_merge(&h, &other);
	CHECK_INT(h.count, 5);
	CHECK_INT(h.min, 0);
	CHECK(h.max == UINT64_MAX);
	CHECK_INT(hist_percentile(&h, 20), 0);
	CHECK_INT(hist_percentile(&h, 40), 63);
	CHECK_INT(hist_percentile(&h, 60), 64);
	CHECK(hist_percentile(&h, 80) >= UINT64_C(1) << 41);
	hist_clear(&other);
	hist_merge(&h, &other);              /* empty: min stays */
	CHECK_INT(h.min, 0);
	CHECK_INT(h.count, 5);
}
