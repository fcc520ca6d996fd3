/*
 * mend.c - finds and repairs what a merge by lines leaves in issues.jsonl: both
 * sides of a conflict between git's markers, and two lines with one id.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "workcli/context.h"
#include "workcli/replace.h"
#include "work/exchange/exchange.h"
#include "work/item.h"

enum { OURS = MARKER_OURS, BASE, THEIRS, SIDES };

struct mend {
	char path[PATH_MAX];
	struct buf text, side[SIDES];
	size_t conflicts;
	bool has_base;                       /* the markers include the base */
};

static void
mend_release(struct mend *m)
{
	buf_release(&m->text);
	for (int i = OURS; i < SIDES; i++)
		buf_release(&m->side[i]);
}

/* Lines outside of markers belong to all sides. */
static void
split(struct mend *m)
{
	struct str rest = buf_str(&m->text), line;
	enum marker side = MARKER_END, marker;

	while (str_next(&rest, '\n', &line)) {
		marker = exchange_line_marker(str_trim(line));
		side = marker != MARKER_NONE ? marker : side;
		m->conflicts += marker == MARKER_OURS;
		m->has_base = m->has_base || marker == MARKER_BASE;
		for (int s = OURS; marker == MARKER_NONE && s < SIDES; s++) {
			if (side != MARKER_END && (int)side != s)
				continue;
			buf_add(&m->side[s], line);
			buf_add_char(&m->side[s], '\n');
		}
	}
	if (!m->has_base)
		buf_clear(&m->side[BASE]);
}

/* ---- ids that stand twice -------------------------------------------------- */

/* An exported line begins with its id. */
static struct str
line_id(struct str line)
{
	struct str begin = S("{\"id\":\"");
	ptrdiff_t end;

	if (!str_starts(line, begin))
		return STR_NONE;
	line = str_sub(line, begin.n, line.n);
	end = str_index(line, '"');
	return str_sub(line, 0, end < 0 ? 0 : (size_t)end);
}

static size_t
twice(struct str text)
{
	struct str *ids = NULL, line;
	size_t n = 0, cap = 0, at = 0, all;

	while (exchange_line_next(&text, &line, &at)) {
		mem_grow(ids, n, cap);
		ids[n] = line_id(line);
		n += ids[n].n > 0;
	}
	all = n;
	if (n > 0)
		work_strs_sort(ids, &n);
	free(ids);
	return all - n;
}

/* ---- both ------------------------------------------------------------------ */

/* Reads the file and appends what is wrong with it. */
static int
mend_begin(struct mend *m, const struct workspace *workspace, struct buf *faults,
    struct err *e)
{
	size_t n;
	int rc;

	memset(m, 0, sizeof *m);
	snprintf(m->path, sizeof m->path, "%.*s/issues.jsonl", PATH_MAX - 16,
	    workspace->dir);
	m->text = BUF(4 * (size_t)LIMIT_WORK_MEMORY_BYTES);
	for (int i = OURS; i < SIDES; i++)
		m->side[i] = BUF(4 * (size_t)LIMIT_WORK_MEMORY_BYTES);
	rc = cli_read_present(m->path, &m->text, e);
	if (rc != OK)
		return rc;
	split(m);
	n = twice(buf_str(m->conflicts > 0 ? &m->side[OURS] : &m->text));
	if (m->conflicts > 0)
		buf_add_fmt(faults, "%zu unresolved conflicts of git",
		    m->conflicts);
	if (n > 0)
		buf_add_fmt(faults, "%s%zu lines with the id of another",
		    faults->n > 0 ? ", " : "", n);
	return OK;
}

void
cli_file_faults(const struct cli_ctx *x, struct buf *out)
{
	struct mend m;
	struct err e;

	if (mend_begin(&m, x->workspace, out, &e) != OK)
		buf_add(out, str_of(e.text));
	mend_release(&m);
}

int
cli_mend_file(struct cli_ctx *x, struct err *e)
{
	struct buf faults = BUF(4 * KB), out = BUF(4 * (size_t)LIMIT_WORK_MEMORY_BYTES);
	struct err why = { 0 };
	struct merge_count n;
	struct mend m;
	int rc = mend_begin(&m, x->workspace, &faults, e);

	if (rc == OK && faults.n > 0) {
		rc = exchange_merge(buf_str(&m.side[BASE]), buf_str(&m.side[OURS]),
		    buf_str(&m.side[THEIRS]), &out, x->notes, &n, &why);
		rc = rc == OK ? replace_file(m.path, buf_str(&out), e) :
		    err_set(e, rc, "%s: %s", m.path, why.text);
		if (rc == OK && !x->quiet)
			buf_add_fmt(x->notes, "%s: repaired %.*s\n", m.path,
			    FMT(buf_str(&faults)));
	}
	buf_release(&faults);
	buf_release(&out);
	mend_release(&m);
	return rc;
}
