/*
 * base_account.c - what the process may use of one resource.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/account.h"

#include <pthread.h>

TEST(account_take_stops_at_the_capacity)
{
	struct account a = { .name = "test" };

	account_set_capacity(&a, 10);
	CHECK(account_take(&a, 10));
	CHECK(!account_take(&a, 1));
	CHECK(account_used(&a) == 10 && account_room(&a) == 0);
	account_give(&a, 4);
	CHECK(!account_take(&a, 5) && account_take(&a, 4));
	CHECK(!account_take(&a, SIZE_MAX));
}

TEST(account_charge_counts_beyond_the_capacity_and_says_so)
{
	struct account a = { .name = "test" };

	account_set_capacity(&a, 10);
	CHECK(account_charge(&a, 10));
	CHECK(!account_charge(&a, 5));
	CHECK(account_used(&a) == 15 && account_room(&a) == 0);
	CHECK(!account_take(&a, 0) && !account_take(&a, 1));
	account_give(&a, 15);
	CHECK(account_room(&a) == 10);
}

static struct account shared = { .name = "shared" };

static void *
take_all(void *arg)
{
	size_t *n = arg;

	while (account_take(&shared, 1))
		++*n;
	return NULL;
}

TEST(account_threads_take_no_more_than_there_is)
{
	pthread_t t[4];
	size_t n[4] = { 0 };

	account_set_capacity(&shared, 100000);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, take_all, &n[i]) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK(n[0] + n[1] + n[2] + n[3] == 100000);
	CHECK(account_room(&shared) == 0);
}

TEST(memory_limit_is_a_plausible_number)
{
	uint64_t n = account_memory_limit();

	CHECK(n >= UINT64_C(64) << 20 && n < UINT64_C(1) << 50);
}

TEST(memory_is_shared_out_in_quarters_up_to_a_bound)
{
	CHECK(account_share(1000, 300) == 250);
	CHECK(account_share(1000, 200) == 200);
	CHECK(account_share(UINT64_C(1) << 60, 7) == 7);
	CHECK(account_share(account_memory_limit(), SIZE_MAX) > 0);
}
