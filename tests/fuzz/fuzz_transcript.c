/*
 * fuzz_transcript.c - rows of a transcript: any bytes are refused or read, and what
 * was read is written and read the same again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "run/transcript.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
json_of(struct buf *b, const struct transcript_reader *r)
{
	buf_clear(b);
	transcript_add_json(b, r, S("run"), NULL, 7);
}

static bool
is_cut(const struct transcript_reader *r)
{
	return r->cut[0] || r->cut[1];
}

/* What is longer than may be, or was cut, is not written the same. */
static bool
fits(const struct transcript_entry *e)
{
	for (size_t i = 0; i < COUNT(e->text); i++)
		if (e->text[i].n > LIMIT_TRANSCRIPT_TEXT)
			return false;
	return e->kind != TRANSCRIPT_CUT;
}

static void
again(const struct transcript_reader *r, struct buf *first, struct buf *second)
{
	struct transcript t;
	struct transcript_reader twin = { 0 };
	struct buf row = BUF(0);
	int64_t from, to;

	transcript_open(&t, 1);
	transcript_add(&t, &r->e);
	if (transcript_take(&t, &row, &from, &to)) {
		assert(from == 1 && to == 1);
		twin.rest = buf_str(&row);
		assert(transcript_read(&twin) == OK);
		json_of(second, &twin);
		assert(twin.e.kind == TRANSCRIPT_CUT ||
		    str_eq(buf_str(first), buf_str(second)));
		assert(transcript_read(&twin) == ERR_NOTFOUND);
	}
	buf_release(&row);
	transcript_release(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct transcript_reader r = { .rest = { (const char *)data, n } };
	struct buf first = BUF(16 * MB), second = BUF(16 * MB);

	while (transcript_read(&r) == OK) {
		json_of(&first, &r);
		if (!is_cut(&r) && fits(&r.e))
			again(&r, &first, &second);
	}
	buf_release(&first);
	buf_release(&second);
	return 0;
}
