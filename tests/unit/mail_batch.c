/*
 * mail_batch.c - a batch is due by its size or by the age of its oldest letter,
 * whichever comes first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "mail/batch.h"

TEST(batch_empty_is_never_due)
{
	struct mail_batch b = mail_batch(3, 100);

	CHECK_INT(mail_batch_due(&b), NEVER);
	mail_batch_take(&b, 5000);
	mail_batch_done(&b);
	CHECK_INT(mail_batch_due(&b), NEVER);
}

TEST(batch_is_due_by_the_age_of_its_oldest)
{
	struct mail_batch b = mail_batch(3, 100);

	mail_batch_take(&b, 5000);
	CHECK_INT(mail_batch_due(&b), 5100);
	mail_batch_take(&b, 5090);
	CHECK_INT(mail_batch_due(&b), 5100);
	mail_batch_done(&b);
	mail_batch_take(&b, 5200);
	CHECK_INT(mail_batch_due(&b), 5300);

	/* One of a lower priority has waited longer. */
	mail_batch_take(&b, 5150);
	CHECK_INT(mail_batch_due(&b), 5250);
}

TEST(batch_is_due_by_its_size)
{
	struct mail_batch b = mail_batch(3, 60000);

	mail_batch_take(&b, 5000);
	mail_batch_take(&b, 5001);
	CHECK(!mail_batch_full(&b));
	CHECK_INT(mail_batch_due(&b), 65000);
	mail_batch_take(&b, 5002);
	CHECK(mail_batch_full(&b));
	CHECK(mail_batch_due(&b) <= 5002);
	mail_batch_done(&b);
	CHECK(!mail_batch_full(&b));
}

TEST(batch_without_a_timeout_is_due_at_once)
{
	struct mail_batch b = mail_batch(100, 0);

	mail_batch_take(&b, 5000);
	CHECK_INT(mail_batch_due(&b), 5000);
}

TEST(batch_of_one)
{
	struct mail_batch b = mail_batch(1, 60000);

	mail_batch_take(&b, 5000);
	CHECK(mail_batch_full(&b));
	CHECK_INT(mail_batch_due(&b), 5000);
}

/* Goal: whichever comes first, over a stream of arrivals.  Method: one letter each `gap` ms
 * in virtual time; a batch has size letters when those come within the timeout, else as many
 * as do, and none waits longer than the timeout. */
TEST(batch_of_a_steady_stream)
{
	static const struct { uint32_t size; msec timeout, gap; uint32_t each; } cases[] = {
		{ 10, 100, 5, 10 }, { 10, 20, 5, 5 }, { 10, 0, 5, 1 }, { 4, 1000, 1, 4 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mail_batch b = mail_batch(cases[i].size, cases[i].timeout);
		uint32_t batches = 0;

		for (msec now = 0; now < 10000; now++) {
			if (now % cases[i].gap == 0)
				mail_batch_take(&b, now);
			if (mail_batch_due(&b) > now)
				continue;
			CHECK(now - b.oldest <= cases[i].timeout);
			CHECK_INT(b.n, cases[i].each);
			mail_batch_done(&b);
			batches++;
		}
		CHECK(batches >= 10000 / cases[i].gap / cases[i].each - 1);
	}
}
