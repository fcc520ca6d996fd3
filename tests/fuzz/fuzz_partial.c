/*
 * fuzz_partial.c - a tool call's arguments, cut anywhere: what is shown must
 * be a JSON object, and of a whole object nothing may be missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/json.h"
#include "base/limits.h"
#include "run/partial_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };
	struct buf whole = BUF(LIMIT_LLM_BODY_BYTES), out = BUF(LIMIT_LLM_BODY_BYTES);
	struct json_doc d = { 0 }, got = { 0 };
	struct err e;
	bool is_whole = json_parse(&d, text, &e) == OK && json_is_object(d.root);

	if (partial_object(text, &out)) {
		assert(json_parse(&got, buf_str(&out), &e) == OK);
		assert(json_is_object(got.root));
	} else {
		assert(out.n == 0);
	}
	if (is_whole) {
		json_add_node(&whole, d.root);
		assert(str_eq(buf_str(&whole), buf_str(&out)));
	}
	json_release(&got);
	json_release(&d);
	buf_release(&whole);
	buf_release(&out);
	return 0;
}
