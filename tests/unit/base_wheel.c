/*
 * base_wheel.c - timers fire once, on time and in order, however time jumps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/mem.h"
#include "base/wheel.h"

struct alarm {
	struct wheel_timer timer;
	int64_t set_at;                      /* order of setting */
	int fired;
};

static struct wheel wheel;
static struct alarm alarms[4000];
static int64_t order[8000];
static size_t order_n;

static void
note(struct wheel_timer *t)
{
	struct alarm *a = CONTAINER_OF(t, struct alarm, timer);

	CHECK(!wheel_armed(t));
	CHECK(t->due <= wheel.now);
	a->fired++;
	order[order_n++] = a - alarms;
}

static void
arm(size_t i, int64_t due)
{
	alarms[i].timer.fire = note;
	wheel_set(&wheel, &alarms[i].timer, due);
}

TEST(wheel_fires_in_deadline_order_after_a_jump)
{
	static const int64_t dues[] = { 70000, 5, 64, 63, 5, 4096, 4095, 100000000, 65 };
	static const int64_t want[] = { 1, 4, 3, 2, 8, 6, 5, 0, 7 };

	wheel_init(&wheel, 0);
	for (size_t i = 0; i < COUNT(dues); i++)
		arm(i, dues[i]);
	CHECK_INT(wheel.count, 9);
	wheel_advance(&wheel, 200000000);
	CHECK_INT(order_n, 9);
	for (size_t i = 0; i < COUNT(want); i++)
		CHECK_INT(order[i], want[i]);
	CHECK_INT(wheel.count, 0);
	CHECK(wheel_next(&wheel) == NEVER);
}

TEST(wheel_fires_at_its_tick_not_before)
{
	static const int64_t dues[] = { 1, 63, 64, 65, 127, 128, 4095, 4096, 4097,
		262143, 262144, 262145, 16777215, 16777216, 16777217, 1073741823,
		1073741824, 1073741825, 1200000000, 2500000000 };

	for (size_t i = 0; i < COUNT(dues); i++) {
		for (int64_t start = 0; start < 200; start += 61) {
			int64_t due = start + dues[i];

			wheel_init(&wheel, start);
			alarms[0].fired = 0;
			arm(0, due);
			wheel_advance(&wheel, due - 1);
			CHECK_INT(alarms[0].fired, 0);
			CHECK_INT(wheel_next(&wheel), due);
			wheel_advance(&wheel, due);
			CHECK_INT(alarms[0].fired, 1);
		}
	}
}

/* Random sets, moves and cancels against random steps, checked by a scan. */
static void
walk(int64_t longest, int64_t step_max, uint64_t x)
{
	int64_t now = 1000000007;

	wheel_init(&wheel, now);
	for (int step = 0; step < 20000; step++) {
		struct alarm *a;
		int64_t earliest = NEVER;

		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		a = &alarms[x >> 40 & 255];
		a->timer.fire = note;
		if ((x >> 60) < 2)
			wheel_cancel(&wheel, &a->timer);
		else
			wheel_set(&wheel, &a->timer,
			    now - 3 + (int64_t)(x >> 20 & 0xfffff) % longest);
		if (step % 4 == 0)
			now += (int64_t)(x >> 10 & 0xffffff) % step_max;
		order_n = 0;
		wheel_advance(&wheel, now);
		for (size_t i = 1; i < order_n; i++)
			CHECK(alarms[order[i - 1]].timer.due <= alarms[order[i]].timer.due);
		for (size_t i = 0; i < 256; i++) {
			if (!wheel_armed(&alarms[i].timer))
				continue;
			CHECK(alarms[i].timer.due > now);
			if (alarms[i].timer.due < earliest)
				earliest = alarms[i].timer.due;
		}
		CHECK(wheel_next(&wheel) <= earliest);
		CHECK(earliest == NEVER || wheel_next(&wheel) > now);
	}
	for (size_t i = 0; i < 256; i++)
		wheel_cancel(&wheel, &alarms[i].timer);
	CHECK_INT(wheel.count, 0);
	for (size_t level = 0; level < WHEEL_LEVELS; level++)
		CHECK(wheel.busy[level] == 0);
}

TEST(wheel_agrees_with_a_scan)
{
	walk(100, 3, 1);
	walk(10000, 100, 2);
	walk(1000000, 20000, 3);
	walk(50, 10000000, 4);
}

TEST(wheel_same_tick_keeps_the_order_of_setting)
{
	wheel_init(&wheel, 0);
	/* Set at different distances from the same deadline. */
	arm(0, 5000);
	wheel_advance(&wheel, 4000);
	arm(1, 5000);
	wheel_advance(&wheel, 4990);
	arm(2, 5000);
	arm(3, 4999);
	wheel_advance(&wheel, 6000);
	CHECK_INT(order_n, 4);
	CHECK_INT(order[0], 3);
	for (int i = 0; i < 3; i++)
		CHECK_INT(order[i + 1], i);
}

static void
rearm_now(struct wheel_timer *t)
{
	struct alarm *a = CONTAINER_OF(t, struct alarm, timer);

	a->fired++;
	wheel_set(&wheel, t, wheel.now);
}

TEST(wheel_rearming_cannot_starve_the_loop)
{
	wheel_init(&wheel, 10);
	alarms[0].timer.fire = rearm_now;
	wheel_set(&wheel, &alarms[0].timer, 5);          /* overdue when set */
	CHECK_INT(wheel_next(&wheel), 10);
	wheel_advance(&wheel, 10);
	CHECK_INT(alarms[0].fired, 1);
	CHECK_INT(wheel_next(&wheel), 10);
	wheel_advance(&wheel, 10);
	CHECK_INT(alarms[0].fired, 2);
	wheel_advance(&wheel, 5000);         /* a jump fires it once as well */
	CHECK_INT(alarms[0].fired, 3);
	wheel_advance(&wheel, 4000);         /* and a step back does no harm */
	CHECK_INT(alarms[0].fired, 4);
	CHECK_INT(wheel.now, 5000);
}

static void
cancel_neighbours(struct wheel_timer *t)
{
	note(t);
	wheel_cancel(&wheel, &alarms[1].timer);          /* due in this very turn */
	wheel_set(&wheel, &alarms[2].timer, 500);
}

TEST(wheel_a_timer_may_cancel_others_that_are_due)
{
	wheel_init(&wheel, 0);
	for (size_t i = 0; i < 4; i++)
		arm(i, 100 + (int64_t)i);
	alarms[0].timer.fire = cancel_neighbours;
	wheel_advance(&wheel, 200);
	CHECK_INT(order_n, 2);
	CHECK_INT(order[1], 3);
	CHECK_INT(wheel.count, 1);
	CHECK_INT(wheel_next(&wheel), 448);  /* a bound: its slot begins there */
	wheel_advance(&wheel, 448);
	CHECK_INT(wheel_next(&wheel), 500);
	wheel_advance(&wheel, 500);
	CHECK_INT(order_n, 3);
	wheel_cancel(&wheel, &alarms[2].timer);          /* idle: nothing */
	CHECK_INT(wheel.count, 0);
}

TEST(wheel_never_and_far_deadlines_wait)
{
	wheel_init(&wheel, 12345);
	arm(0, NEVER);
	arm(1, INT64_C(1) << 40);            /* 34 years */
	for (int64_t now = 12345; now < INT64_C(1) << 40;) {
		int64_t next = wheel_next(&wheel);

		CHECK(next > now && next <= INT64_C(1) << 40);
		CHECK_INT(order_n, 0);
		now = next;
		wheel_advance(&wheel, now);
	}
	CHECK_INT(order_n, 1);
	CHECK_INT(order[0], 1);
	CHECK(wheel_armed(&alarms[0].timer));
}

TEST(wheel_many_at_once)
{
	wheel_init(&wheel, 0);
	for (size_t i = 0; i < COUNT(alarms); i++)
		arm(i, 1 + (int64_t)(i * 7919 % 300007));
	wheel_advance(&wheel, 400000);
	CHECK_INT(order_n, COUNT(alarms));
	for (size_t i = 1; i < order_n; i++)
		CHECK(alarms[order[i - 1]].timer.due <= alarms[order[i]].timer.due);
}
