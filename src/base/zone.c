/*
 * zone.c - TZif files: see zone.h.
 *
 * Only the second, 64-bit block is read; files of version 1 alone are from before 2005.
 * A file's lengths are checked against its size before anything is read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/zone_priv.h"

#define FOLDER "/usr/share/zoneinfo"
#define HEAD   44                            /* bytes */

struct zone {
	struct zone_rule rule;               /* after the last transition, */
	bool has_rule;                       /* if the file has one */
	int32_t first;                       /* offset before the first one */
	size_t n;
	struct transition {
		int64_t at;
		int32_t offset;              /* from then on */
	} list[];
};

/* ---- the file ------------------------------------------------------------------ */

static int64_t
big_endian(const char *p, size_t bytes)
{
	uint64_t v = (unsigned char)p[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | (unsigned char)p[i];
	return (int64_t)v;
}

/* Counts of a header, in the order of the file. */
enum { UT, WALL, LEAPS, TIMES, TYPES, CHARS, COUNTS };

struct block {
	size_t count[COUNTS];
	struct str data;
	size_t bytes;                        /* of the data */
};

static bool
block_read(struct str file, size_t time_bytes, struct block *b)
{
	if (file.n < HEAD || memcmp(file.p, "TZif", 4) != 0 || file.p[4] < '2')
		return false;
	for (size_t i = 0; i < COUNTS; i++) {
		b->count[i] = (size_t)(uint32_t)big_endian(file.p + 20 + 4 * i, 4);
		if (b->count[i] > file.n)
			return false;
	}
	b->bytes = b->count[TIMES] * (time_bytes + 1) + b->count[TYPES] * 6 +
	    b->count[CHARS] + b->count[LEAPS] * (time_bytes + 4) + b->count[WALL] +
	    b->count[UT];
	b->data = str_sub(file, HEAD, file.n);
	return b->bytes <= b->data.n && b->count[TYPES] > 0;
}

/* Reads transitions into z; false: out of order, or a type that there is not. */
static bool
transitions_read(struct zone *z, const struct block *b)
{
	const char *times = b->data.p, *types = times + 8 * b->count[TIMES];
	const char *offsets = types + b->count[TIMES];

	z->n = b->count[TIMES];
	z->first = (int32_t)big_endian(offsets, 4);
	for (size_t i = 0; i < z->n; i++) {
		size_t type = (unsigned char)types[i];

		if (type >= b->count[TYPES])
			return false;
		z->list[i].at = big_endian(times + 8 * i, 8);
		z->list[i].offset = (int32_t)big_endian(offsets + 6 * type, 4);
		if ((i > 0 && z->list[i].at <= z->list[i - 1].at) ||
		    abs(z->list[i].offset) > 26 * 3600)
			return false;
	}
	return abs(z->first) <= 26 * 3600;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; nothing between: the last offset stays. */
static bool
footer_read(struct zone *z, struct str s)
{
	ptrdiff_t end;

	if (s.n == 0 || s.p[0] != '\n')
		return false;
	s = str_sub(s, 1, s.n);
	end = str_index(s, '\n');
	if (end < 0)
		return false;
	z->has_rule = end > 0;
	return end == 0 || zone_rule_parse(&z->rule, str_sub(s, 0, (size_t)end));
}

int
zone_parse(struct zone **out, struct str bytes, struct err *e)
{
	struct block b;
	struct zone *z;

	*out = NULL;
	if (!block_read(bytes, 4, &b))
		return err_set(e, ERR_INVALID, "not a time zone file (TZif, version 2)");
	if (!block_read(str_sub(b.data, b.bytes, b.data.n), 8, &b))
		return err_set(e, ERR_INVALID, "the time zone file is damaged");
	if (b.count[LEAPS] > 0)
		return err_set(e, ERR_INVALID, "the time zone counts leap seconds");
	z = mem_zero(sizeof *z + b.count[TIMES] * sizeof z->list[0]);
	if (!transitions_read(z, &b) ||
	    !footer_read(z, str_sub(b.data, b.bytes, b.data.n))) {
		zone_free(z);
		return err_set(e, ERR_INVALID, "the time zone file is damaged");
	}
	*out = z;
	return OK;
}

/* Parts of letters, digits, _, + and -, joined by /: no path leads out of the folder. */
static bool
is_name(struct str s)
{
	struct str part;

	if (s.n > ZONE_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '_' && c != '+' && c != '-' && c != '/')
			return false;
	}
	while (str_next(&s, '/', &part))
		if (part.n == 0)
			return false;
	return true;
}

static int
file_load(struct zone **out, struct str name, struct err *e)
{
	struct buf bytes = BUF(LIMIT_ZONE_BYTES);
	char path[sizeof FOLDER + ZONE_NAME_MAX + 1];
	struct stat st;
	int rc;

	snprintf(path, sizeof path, FOLDER "/%.*s", FMT(name));
	rc = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? file_add(path, &bytes, e) :
	    ERR_NOTFOUND;
	if (rc == OK)
		rc = zone_parse(out, buf_str(&bytes), e);
	buf_release(&bytes);
	if (rc != OK && access(FOLDER, R_OK) != 0)
		rc = err_set(e, ERR_IO, "the system has no time zones in " FOLDER
		    "; install tzdata");
	else if (rc == ERR_NOTFOUND || rc == ERR_INVALID || rc == ERR_TOOBIG)
		rc = err_set(e, ERR_INVALID, "there is no time zone \"%.*s\"", FMT(name));
	return rc;
}

int
zone_load(struct zone **out, struct str name, struct err *e)
{
	*out = NULL;
	if (name.n == 0 || str_eq(name, S("UTC"))) {
		*out = mem_new(struct zone);
		return OK;
	}
	if (!is_name(name))
		return err_set(e, ERR_INVALID, "not the name of a time zone; expected one "
		    "like \"Europe/Berlin\"");
	return file_load(out, name, e);
}

void
zone_free(struct zone *z)
{
	free(z);
}

/* ---- spans --------------------------------------------------------------------- */

struct zone_span
zone_at(const struct zone *z, int64_t t)
{
	struct zone_span s = { INT64_MIN, INT64_MAX, z->first };
	size_t low = 0, high = z->n;         /* how many are at t or before */

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->list[mid].at <= t)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == z->n && z->has_rule) {
		s = zone_rule_at(&z->rule, t);
		if (z->n > 0 && s.begin < z->list[z->n - 1].at)
			s.begin = z->list[z->n - 1].at;
		return s;
	}
	if (low < z->n)
		s.end = z->list[low].at;
	if (low > 0) {
		s.begin = z->list[low - 1].at;
		s.offset = z->list[low - 1].offset;
	}
	return s;
}
