/*
 * fuzz_acl_json.c - any bytes as a message in JSON: refused with words, or it goes through every
 * form and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz_acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
one(jnode root, bool trusted)
{
	struct arena a = ARENA(FUZZ_ACL_BYTES);
	struct err e = { 0 };
	struct acl_room room;
	struct acl m;
	int rc = acl_from_json(&m, root, trusted, &a, &room, &e);

	assert((rc == OK) == (e.text[0] == '\0'));
	if (rc == OK) {
		struct buf packed = fuzz_acl_pack(&m);

		assert(trusted || m.receivers_n > 0);
		fuzz_acl_packed(buf_str(&packed));
		fuzz_acl_json(&m, true);
		fuzz_acl_text(&m, 2);
		buf_release(&packed);
	}
	arena_release(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_doc d;

	if (json_parse(&d, (struct str){ (const char *)data, n }, NULL) == OK) {
		one(d.root, true);
		one(d.root, false);
	}
	json_release(&d);
	return 0;
}
