/*
 * fuzz_work_request.c - a request line of the tracker's daemon: what is taken
 * has an operation and is within its limits, what is refused is refused with
 * words, and either way the answer is one line of well-formed JSON that echoes
 * the id.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "work/host/wire_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct request r;
	struct buf out = BUF(1 * MB);
	struct json_doc d = { 0 };
	struct err e = { .text = "" };
	int rc = wire_parse(&r, (struct str){ (const char *)data, n }, &e);

	if (rc == OK) {
		assert(r.operation.n > 0);
		assert(r.args == NULL || json_is_object(r.args));
		assert(r.deadline_ms >= -1 && r.deadline_ms <= LIMIT_WORK_TIMEOUT_MS);
		assert(r.once.n <= LIMIT_WORK_ONCE_BYTES);
	} else {
		assert(e.text[0] != '\0');
	}
	wire_answer(&out, r.id, rc, e.text, S("{}"), rc == OK ? NULL : "1");
	assert(!out.failed && out.n > 0 && out.p[out.n - 1] == '\n');
	assert(memchr(out.p, '\n', out.n - 1) == NULL);
	assert(json_parse(&d, buf_str(&out), &e) == OK);
	assert(json_is_null(json_get(d.root, S("request_id"))) == (r.id == NULL));
	json_release(&d);
	buf_release(&out);
	wire_release(&r);
	return 0;
}
