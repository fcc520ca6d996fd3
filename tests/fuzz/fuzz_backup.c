/*
 * fuzz_backup.c - any bytes as the records of a backup's file: what is taken lies within
 * them, and a head is written again as it was read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/limits.h"
#include "store/backup_priv.h"
#include "store/pages_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
pages_look(const struct backup_record *r, uint32_t size, struct str text)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const char *page = backup_page(r, size, i);

		assert(page >= text.p && page + size <= text.p + text.n);
		(void)backup_page_number(r, i);
	}
}

static void
records_look(struct str text)
{
	struct backup_record r;
	struct backup_head h = { .page_size = 0 };
	struct err e;
	size_t used;

	while (backup_record_parse(text, h.page_size, &r, &used, &e) == OK) {
		assert(used > 0 && used <= text.n && r.body.n <= used);
		assert(r.body.n == 0 || r.body.p + r.body.n <= text.p + used);
		if (h.page_size == 0 && backup_head_parse(&r, &h, &e) != OK)
			return;
		if (r.kind == RECORD_PAGES)
			pages_look(&r, h.page_size, text);
		text = str_sub(text, used, text.n);
	}
}

static int64_t
read_text(void *ctx, void *to, size_t n, int64_t at)
{
	const struct str *text = ctx;
	size_t have = (size_t)at >= text->n ? 0 : text->n - (size_t)at;

	n = n < have ? n : have;
	if (n > 0)
		memcpy(to, text->p + at, n);
	return (int64_t)n;
}

/* The same bytes as a database's log. */
static void
log_look(struct str text)
{
	struct log_reader r;
	uint32_t number, commit, frames = 0;

	log_reader_init(&r, 512);
	r.read = read_text;
	r.ctx = &text;
	if (log_reader_begin(&r, NULL) == OK)
		while (log_reader_next(&r, &number, &commit) == OK)
			assert(number > 0 && r.at.frames == ++frames);
	log_reader_release(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = { (const char *)data, n };

	records_look(text);
	log_look(text);
	return 0;
}
