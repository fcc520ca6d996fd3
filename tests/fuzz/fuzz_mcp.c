/*
 * fuzz_mcp.c - any bytes as messages of an MCP client, one a line: whatever is
 * answered is one JSON object on one line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "work/host/mcp.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_answer(const struct buf *out)
{
	struct json_doc d = { 0 };

	assert(!out->failed && str_index(buf_str(out), '\n') < 0);
	assert(json_parse(&d, buf_str(out), NULL) == OK);
	assert(json_is_object(d.root) && json_count(d.root) == 3);
	json_release(&d);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = { (const char *)data, n }, line;
	struct buf out = BUF(LIMIT_LLM_BODY_BYTES);
	struct mcp m = { 0 };
	struct mcp_call q;

	mcp_call_init(&q);
	while (rest.n > 0 && str_next(&rest, '\n', &line)) {
		enum mcp_next next = mcp_read(&m, line, &q, &out);

		if (next == MCP_CALL) {
			assert(q.operation != NULL && json_check(buf_str(&q.args), NULL) == OK);
			mcp_answer(buf_str(&q.id), ERR_NOTFOUND, STR_NONE, S("no \"such\"\n item"), &out);
			check_answer(&out);
			buf_clear(&out);
			mcp_answer(buf_str(&q.id), OK, S("[1,{\"a\":\"\\n\"}]"), STR_NONE, &out);
		}
		if (next == MCP_SILENT)
			assert(out.n == 0);
		else
			check_answer(&out);
		buf_clear(&out);
	}
	mcp_call_release(&q);
	buf_release(&out);
	return 0;
}
