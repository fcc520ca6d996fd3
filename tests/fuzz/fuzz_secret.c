/*
 * fuzz_secret.c - any text as a setting that may name a secret: what names none stays as it
 * is; what names one has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "base/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char *env[] = { "A=a@/b", "B=1", NULL };
	struct str text = { (const char *)data, n };
	struct buf b = BUF(LIMIT_SECRET_BYTES);
	struct err e;
	int rc;

	/* Files of this machine are none of its business. */
	if (str_contains(text, S("file:")) || n > 4000)
		return 0;
	rc = secret_add(&b, text, env, &e);
	assert(rc == OK || secret_is_named(text));
	assert(secret_is_named(text) || str_eq(buf_str(&b), text));
	buf_release(&b);
	return 0;
}
