/*
 * mail_supervise.c - which end is followed by another life, and after which pause.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "base/limits.h"
#include "mail/backoff.h"
#include "mail/supervise.h"

static struct supervisor s;

static void
begin(enum supervise_restart when, uint32_t max, msec window, msec backoff)
{
	supervise_begin(&s, &(struct supervise_rule){ when, max, window, backoff });
}

TEST(supervise_who_lives_again)
{
	static const struct { enum supervise_restart when; bool failed, again; } cases[] = {
		{ RESTART_NEVER, false, false }, { RESTART_NEVER, true, false },
		{ RESTART_ON_FAILURE, false, false }, { RESTART_ON_FAILURE, true, true },
		{ RESTART_ALWAYS, false, true }, { RESTART_ALWAYS, true, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		begin(cases[i].when, 1, 1000, 10);
		CHECK_INT(supervise_ended(&s, cases[i].failed, 0, 5000),
		    cases[i].again ? 10 : SUPERVISE_OVER);
	}
}

TEST(supervise_so_many_in_a_window)
{
	begin(RESTART_ALWAYS, 0, 1000, 0);
	CHECK_INT(supervise_ended(&s, true, 0, 5000), SUPERVISE_OVER);

	begin(RESTART_ALWAYS, 3, 1000, 0);
	for (int round = 0; round < 3; round++) {
		msec now = 5000 + 1000 * round;

		for (int i = 0; i < 3; i++)
			CHECK_INT(supervise_ended(&s, true, 7, now + 300 * i), 0);
		if (round == 2)
			CHECK_INT(supervise_ended(&s, true, 7, now + 999), SUPERVISE_OVER);
	}

	begin(RESTART_ALWAYS, 2, 0, 0);            /* a window that never ends */
	CHECK_INT(supervise_ended(&s, true, 0, 1), 0);
	CHECK_INT(supervise_ended(&s, true, 0, INT64_MAX / 2), 0);
	CHECK_INT(supervise_ended(&s, true, 0, INT64_MAX), SUPERVISE_OVER);
}

TEST(supervise_pauses_grow_and_are_forgotten)
{
	msec now = 1000000;

	begin(RESTART_ON_FAILURE, 1000, 10000, 100);
	for (int i = 0; i < 5; i++)
		CHECK_INT(supervise_ended(&s, true, 0, now), 100 << i);
	now += 1600 + 10000;                         /* a long life after the last pause */
	CHECK_INT(supervise_ended(&s, true, 0, now), 100);
	for (int i = 0; i < 100; i++)
		CHECK(supervise_ended(&s, true, 0, now) <= LIMIT_AGENT_PAUSE_MS);
	CHECK_INT(supervise_ended(&s, true, 0, now), LIMIT_AGENT_PAUSE_MS);
}

TEST(backoff_doubles_up_to_its_maximum)
{
	CHECK_INT(backoff_pause(100, 1000, 0, 0), 100);
	CHECK_INT(backoff_pause(100, 1000, 1, 0), 200);
	CHECK_INT(backoff_pause(100, 1000, 3, 0), 800);
	CHECK_INT(backoff_pause(100, 1000, 4, 0), 1000);
	CHECK_INT(backoff_pause(100, 1000, UINT32_MAX, 0), 1000);
	CHECK_INT(backoff_pause(2000, 1000, 0, 0), 1000);
	CHECK_INT(backoff_pause(0, 1000, UINT32_MAX, 99), 0);
	CHECK_INT(backoff_pause(100, NEVER, 200, 0), NEVER);
	for (uint64_t random = 0; random < 1000; random++) {
		msec pause = backoff_pause(100, 1000, 2, random);

		CHECK(pause >= 200 && pause <= 400);
	}
	CHECK_INT(backoff_pause(100, 1000, 2, 200), 200);
}
