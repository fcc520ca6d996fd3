/*
 * wasm_host_memory.c - memories of guests: what one left is not seen by the next, what is not
 * open cannot be touched, and the account.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/test.h"
#include "wasm/host/memory.h"

static void
setup(uint32_t places, size_t account)
{
	struct err e;

	CHECK_RC(memories_setup(places, account, &e), OK);
}

/* Does a touch of it end a process? */
static bool
faults(volatile uint8_t *at)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		(void)*at;
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Goal: a memory that is taken again has nothing of the instance before, also where that had
 * grown, and is as small as it was asked for. */
TEST(wasm_memory_recycled_is_empty_and_closed)
{
	uint8_t *a, *b;

	setup(2, 100 * MEMORY_PAGE);
	a = memory_take(1);
	CHECK(a != NULL && memory_grow(a, 5));
	memset(a, 0x5a, 5 * MEMORY_PAGE);
	memory_give(a);
	b = memory_take(2);
	CHECK(b == a);
	CHECK(all_zero(b, 2 * MEMORY_PAGE));
	CHECK(faults(b + 2 * MEMORY_PAGE));
	CHECK(memory_grow(b, 5));
	CHECK(all_zero(b, 5 * MEMORY_PAGE));
	memory_give(b);
	b = memory_take(0);
	CHECK(b == a && faults(b));
	memory_give(b);
}

/* Goal: the farthest address that an access can make is in the place, and closed. */
TEST(wasm_memory_guards_whatever_an_offset_can_reach)
{
	uint8_t *a, *b;

	setup(2, 100 * MEMORY_PAGE);
	a = memory_take(1);
	b = memory_take(1);
	CHECK(faults(a + MEMORY_PAGE));
	CHECK(faults(a + UINT32_MAX));
	CHECK(faults(a + UINT32_MAX + (size_t)UINT32_MAX + 16));
	CHECK(b - a > UINT32_MAX + (ptrdiff_t)UINT32_MAX + 16);
	memory_give(a);
	memory_give(b);
}

TEST(wasm_memory_account_denies_and_forgets)
{
	uint8_t *a, *b;

	setup(3, 4 * MEMORY_PAGE);
	a = memory_take(3);
	CHECK(a != NULL && account_used() == 3 * MEMORY_PAGE);
	CHECK(memory_take(2) == NULL);
	b = memory_take(1);
	CHECK(b != NULL);
	CHECK(!memory_grow(a, 4) && memory_pages(a) == 3);
	memory_give(b);
	CHECK(memory_grow(a, 4) && account_used() == 4 * MEMORY_PAGE);
	CHECK(!account_take(1));
	memory_give(a);
	CHECK(account_used() == 0);
}

/* Goal: so many places as there are instances in a process, of whatever pieces, are all there,
 * and apart; more than there are addresses for are fewer. */
TEST(wasm_memory_ten_thousand_places)
{
	static uint8_t *all[20000];
	size_t n = 0;

	setup(20000, 20000 * MEMORY_PAGE);
	while (n < COUNT(all) && (all[n] = memory_take(1)) != NULL) {
		all[n][0] = (uint8_t)n;
		all[n][MEMORY_PAGE - 1] = (uint8_t)(n >> 8);
		n++;
	}
	CHECK(n >= 10000 + 256 && n < 20000);
	for (size_t i = 0; i < n; i++)
		CHECK(all[i][0] == (uint8_t)i && all[i][MEMORY_PAGE - 1] == (uint8_t)(i >> 8));
	for (size_t i = 0; i < n; i++)
		memory_give(all[i]);
	CHECK(account_used() == 0);
}

/* Goal: places do not run out, nor do the kernel's mappings, however often they are used. */
TEST(wasm_memory_places_last)
{
	uint8_t *held[50];

	setup(50, 1000 * MEMORY_PAGE);
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 50; i++) {
			held[i] = memory_take((uint32_t)(i + round) % 4);
			CHECK(held[i] != NULL);
			if ((i + round) % 4 > 0)
				held[i][0] = 1;
		}
		CHECK(memory_take(1) == NULL);
		for (int i = 0; i < 50; i++)
			memory_give(held[i]);
	}
	CHECK(account_used() == 0);
}
