/*
 * fuzz_work_markdown.c - a file of create -f from anyone: refused, or JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdint.h>

#include "base/json.h"
#include "work/exchange/exchange.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf out = BUF(16 * MB);
	size_t items;
	struct err e;

	if (markdown_parse((struct str){ (const char *)data, n }, &out, &items,
	    &e) == OK)
		assert(items > 0 && json_check(buf_str(&out), &e) == OK);
	buf_release(&out);
	return 0;
}
