/*
 * fuzz_acl_frame.c - any bytes as a packed message: refused with words, or they are the one packed
 * form of what was read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz_acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str packed = { (const char *)data, n };
	struct err e = { 0 };
	struct acl_room room;
	struct acl m;
	int rc = acl_unpack(&m, packed, &room, &e);

	assert((rc == OK) == (e.text[0] == '\0'));
	if (rc == OK)
		fuzz_acl_same(&m, packed);
	if (acl_from_frame(&m, packed, &room, NULL) == OK) {
		assert(rc == OK && m.receivers_n > 0);
		fuzz_acl_json(&m, false);
		fuzz_acl_text(&m, 2);
	}
	return 0;
}
