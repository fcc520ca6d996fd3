/*
 * mend.c - issues.jsonl as a merge by lines leaves it: both sides of a conflict
 * between git's markers, or two lines with one id.
 *
 * SPDX-License-Identifier: MIT
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "workcli/context.h"
#include "workcli/replace.h"
#include "work/exchange/exchange.h"

enum part { BOTH, OURS, BASE, THEIRS, PARTS };

struct mend {
	char path[PATH_MAX];
	struct buf text, side[PARTS];        /* side[BOTH]: not used */
	size_t conflicts;
	bool has_base;                       /* the markers say what it was */
};

static void
mend_init(struct mend *m, const struct workspace *workspace)
{
	memset(m, 0, sizeof *m);
	snprintf(m->path, sizeof m->path, "%.*s/issues.jsonl", PATH_MAX - 16,
	    workspace->dir);
	m->text = BUF(4 * (size_t)LIMIT_WORK_MEMORY_BYTES);
	for (int i = 0; i < PARTS; i++)
		m->side[i] = BUF(4 * (size_t)LIMIT_WORK_MEMORY_BYTES);
}

static void
mend_release(struct mend *m)
{
	buf_release(&m->text);
	for (int i = 0; i < PARTS; i++)
		buf_release(&m->side[i]);
}

/* What stands outside of the markers is on all sides. */
static void
split(struct mend *m)
{
	static const struct { const char *mark; enum part part; } marks[] = {
		{ "<<<<<<< ", OURS }, { "||||||| ", BASE }, { "=======", THEIRS },
		{ ">>>>>>> ", BOTH },
	};
	struct str rest = buf_str(&m->text), line;
	enum part part = BOTH;

	while (str_next(&rest, '\n', &line)) {
		bool marker = exchange_line_is_marker(str_trim(line));

		for (size_t i = 0; marker && i < COUNT(marks); i++) {
			if (str_starts(line, str_of(marks[i].mark)))
				part = marks[i].part;
		}
		m->conflicts += marker && part == OURS;
		m->has_base = m->has_base || (marker && part == BASE);
		for (int s = OURS; !marker && s <= THEIRS; s++) {
			if (part != BOTH && (int)part != s)
				continue;
			buf_add(&m->side[s], line);
			buf_add_char(&m->side[s], '\n');
		}
	}
	if (!m->has_base)
		buf_clear(&m->side[BASE]);
}

/* ---- ids that stand twice ---------------------------------------------------------- */

static uint64_t
id_hash(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
id_eq(const void *value, const void *key)
{
	return str_eq(*(const struct str *)value, *(const struct str *)key);
}

static const void *
id_of(const void *value)
{
	return value;
}

/* Of lines as they are exported, which begin with it. */
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
	size_t n = 0, cap = 0, found = 0, at = 0;
	struct map m;

	while (exchange_line_next(&text, &line, &at)) {
		mem_grow(ids, n, cap);
		ids[n++] = line_id(line);
	}
	map_init(&m, id_hash, id_eq, id_of);
	for (size_t i = 0; i < n; i++) {
		if (ids[i].n == 0)
			continue;
		if (map_get(&m, &ids[i]) != NULL)
			found++;
		else
			map_put(&m, &ids[i]);
	}
	map_release(&m);
	free(ids);
	return found;
}

/* ---- both ------------------------------------------------------------------------------- */

void
cli_file_faults(const struct cli_ctx *h, struct buf *out)
{
	struct mend m;
	struct err e;
	size_t n;

	mend_init(&m, h->workspace);
	if (cli_read_present(m.path, &m.text, &e) == OK) {
		split(&m);
		n = twice(buf_str(m.conflicts > 0 ? &m.side[OURS] : &m.text));
		if (m.conflicts > 0)
			buf_add_fmt(out, "%zu conflicts of git's that are not resolved",
			    m.conflicts);
		if (n > 0)
			buf_add_fmt(out, "%s%zu lines with an id that another has",
			    out->n > 0 ? ", " : "", n);
	} else {
		buf_add(out, str_of(e.text));
	}
	mend_release(&m);
}

int
cli_mend_file(struct cli_ctx *h, struct err *e)
{
	struct buf faults = BUF(4 * KB), out = BUF(4 * (size_t)LIMIT_WORK_MEMORY_BYTES);
	struct merge_count n;
	struct mend m;
	int rc = OK;

	mend_init(&m, h->workspace);
	cli_file_faults(h, &faults);
	if (faults.n > 0)
		rc = cli_read_present(m.path, &m.text, e);
	if (rc == OK && faults.n > 0) {
		struct err why = { 0 };

		split(&m);
		rc = exchange_merge(buf_str(&m.side[BASE]), buf_str(&m.side[OURS]),
		    buf_str(&m.side[THEIRS]), &out, h->notes, &n, &why);
		if (rc != OK)
			err_set(e, rc, "%s: %s", m.path, why.text);
	}
	if (rc == OK && faults.n > 0)
		rc = replace_file(m.path, buf_str(&out), e);
	if (rc == OK && faults.n > 0 && !h->quiet)
		buf_add_fmt(h->notes, "%s: mended %.*s\n", m.path,
		    FMT(buf_str(&faults)));
	buf_release(&faults);
	buf_release(&out);
	mend_release(&m);
	return rc;
}
