/*
 * fuzz_acl_text.c - any bytes as a message in the string encoding: refused with words, or what is
 * written of it reads as the same message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz_acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
one(struct str text, bool trusted)
{
	struct arena a = ARENA(FUZZ_ACL_BYTES);
	struct err e = { 0 };
	struct acl_room room;
	struct acl m;
	int rc = acl_from_text(&m, text, trusted, FUZZ_ACL_NOW, &a, &room, &e);

	assert((rc == OK) == (e.text[0] == '\0'));
	if (rc == OK) {
		struct buf packed = fuzz_acl_pack(&m);

		fuzz_acl_packed(buf_str(&packed));
		fuzz_acl_json(&m, false);
		fuzz_acl_text(&m, 1);
		buf_release(&packed);
	}
	arena_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };

	one(text, true);
	one(text, false);
	return 0;
}
