/*
 * fuzz_time.c - times of RFC 3339: what was read is written and read again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/clock.h"

#define YEAR_0    (-INT64_C(62167219200000))
#define YEAR_9999 INT64_C(253402300799999)

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char text[CLOCK_ISO_SIZE];
	msec at, again;

	if (!clock_read_iso((struct str){ (const char *)data, n }, &at) || at < YEAR_0 ||
	    at > YEAR_9999)
		return 0;
	clock_write_iso(text, at);
	assert(clock_read_iso((struct str){ text, sizeof text }, &again) && again == at);
	return 0;
}
