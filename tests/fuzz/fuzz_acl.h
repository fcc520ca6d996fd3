/*
 * fuzz_acl.h - a message that was read goes through all three forms and is the same.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FUZZ_ACL_H
#define FUZZ_ACL_H

#include <assert.h>

#include "mail/acl.h"

#define FUZZ_ACL_NOW INT64_C(1764504000000)
#define FUZZ_ACL_BYTES (16 * MB)

/* The canonical bytes of m; a form that was read before is compared with them. */
static inline struct buf
fuzz_acl_pack(const struct acl *m)
{
	struct buf b = BUF(FUZZ_ACL_BYTES);

	acl_pack(m, &b);
	assert(!b.failed);
	return b;
}

static inline void
fuzz_acl_same(const struct acl *m, struct str packed)
{
	struct buf b = fuzz_acl_pack(m);

	assert(str_eq(buf_str(&b), packed));
	buf_release(&b);
}

/* Packed, unpacked, packed. */
static inline void
fuzz_acl_packed(struct str packed)
{
	struct acl_room room;
	struct acl m;

	assert(acl_unpack(&m, packed, &room, NULL) == OK);
	fuzz_acl_same(&m, packed);
}

/* Written as JSON and read is *m again, written anew as the readers write it. */
static inline void
fuzz_acl_json(const struct acl *m, bool exactly)
{
	struct buf first = fuzz_acl_pack(m), json = BUF(FUZZ_ACL_BYTES), again = BUF(FUZZ_ACL_BYTES);
	struct arena a = ARENA(FUZZ_ACL_BYTES);
	struct acl_room room;
	struct json_doc d;
	struct acl read;

	acl_add_json(m, &json);
	assert(json_parse(&d, buf_str(&json), NULL) == OK);
	assert(acl_from_json(&read, d.root, true, &a, &room, NULL) == OK);
	if (exactly)
		fuzz_acl_same(&read, buf_str(&first));
	acl_add_json(&read, &again);
	assert(!exactly || str_eq(buf_str(&json), buf_str(&again)));
	json_release(&d);
	arena_release(&a);
	buf_release(&first);
	buf_release(&json);
	buf_release(&again);
}

/* The same for text, `times` over: the first reading may write a string another way. */
static inline void
fuzz_acl_text(const struct acl *m, int times)
{
	struct buf packed = fuzz_acl_pack(m), text = BUF(FUZZ_ACL_BYTES);
	struct arena a = ARENA(FUZZ_ACL_BYTES);
	struct acl_room room;
	struct acl read;

	acl_add_text(m, &text);
	assert(!text.failed && str_is_utf8(buf_str(&text)));
	assert(acl_from_text(&read, buf_str(&text), true, FUZZ_ACL_NOW, &a, &room, NULL) == OK);
	if (times > 1)
		fuzz_acl_text(&read, times - 1);
	else
		fuzz_acl_same(&read, buf_str(&packed));
	arena_release(&a);
	buf_release(&packed);
	buf_release(&text);
}

#endif
