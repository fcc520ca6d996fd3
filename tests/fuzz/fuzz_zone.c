/*
 * fuzz_zone.c - any bytes as a time zone's file: spans follow each other without a gap.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	int64_t t = -4000000000;
	struct zone *z;
	struct err e;

	if (zone_parse(&z, (struct str){ (const char *)data, n }, &e) != OK)
		return 0;
	for (int i = 0; i < 1000; i++) {
		struct zone_span s = zone_at(z, t);

		assert(s.begin <= t && t < s.end);
		if (s.end > 8000000000)
			break;
		t = s.end;
	}
	zone_free(z);
	return 0;
}
