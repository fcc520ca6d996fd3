/*
 * lines.c - see lines.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "workcli/cmd.h"
#include "workcli/lines.h"
#include "workcli/replace.h"
#include "work/exchange/exchange.h"

#define WINDOW (256 * KB)

static int
source_get(void *ctx, size_t i, struct str *text, size_t *line, struct err *e)
{
	struct lines *l = ctx;

	*line = l->list[i].number;
	return lines_get(l, i, text, e);
}

/* ---- where they are --------------------------------------------------------------- */

struct scan {
	struct lines *l;
	struct line_at line;                 /* that is being read */
	bool blank;
};

static int
line_end(struct scan *s, uint64_t at, struct err *e)
{
	struct lines *l = s->l;
	uint64_t n = at - s->line.at;

	s->line.number++;
	if (!s->blank && n > LIMIT_WORK_LINE_BYTES)
		return err_set(e, ERR_TOOBIG, "line %u: more than %d bytes",
		    s->line.number, LIMIT_WORK_LINE_BYTES);
	if (!s->blank) {
		s->line.n = (uint32_t)n;
		mem_grow(l->list, l->n, l->cap);
		l->list[l->n++] = s->line;
	}
	s->line.at = at + 1;
	s->blank = true;
	return OK;
}

static int
scan_block(struct scan *s, const char *p, size_t n, uint64_t at, struct err *e)
{
	int rc = OK;

	for (size_t i = 0; rc == OK && i < n; i++) {
		if (p[i] == '\n')
			rc = line_end(s, at + i, e);
		else if (s->blank)
			s->blank = p[i] == ' ' || p[i] == '\t' || p[i] == '\r';
	}
	return rc;
}

static int
scan_file(struct lines *l, struct err *e)
{
	struct scan s = { .l = l, .blank = true };
	char *block = mem_alloc(WINDOW);
	uint64_t at = 0;
	ssize_t n;
	int rc = OK;

	while (rc == OK && (n = pread(l->fd, block, WINDOW, (off_t)at)) != 0) {
		size_t skip = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = err_set(e, ERR_IO, "%s", strerror(errno));
			break;
		}
		if (at == 0 && n >= 3 && memcmp(block, "\xef\xbb\xbf", 3) == 0)
			s.line.at = skip = 3;
		rc = scan_block(&s, block + skip, (size_t)n - skip, at + skip, e);
		at += (uint64_t)n;
	}
	if (rc == OK && at > s.line.at)
		rc = line_end(&s, at, e);
	free(block);
	l->bytes = at;
	return rc;
}

/* ---- opening ------------------------------------------------------------------------ */

/* What is read from fd until its end, in a file without a name. */
static int
put_aside(int fd, bool is_stdin, struct err *e)
{
	FILE *f = tmpfile();
	char block[64 * 1024];
	ssize_t n = 0;
	int rc = OK, copy = f == NULL ? -1 : fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);

	if (f != NULL)
		fclose(f);
	while (copy >= 0) {
		rc = is_stdin ? cli_stdin_wait(e) : OK;
		n = rc == OK ? read(fd, block, sizeof block) : 0;
		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || replace_write(copy, (struct str){ block, (size_t)n }) != OK)
			break;
	}
	if (copy >= 0 && rc == OK && n == 0)
		return copy;
	if (rc == OK)
		err_set(e, ERR_IO, "%s", strerror(errno));
	if (copy >= 0)
		close(copy);
	return -1;
}

/* fd is l's from now on. */
static int
open_taken(struct lines *l, int fd, bool is_stdin, struct err *e)
{
	struct stat st;
	int rc;

	*l = (struct lines){ .fd = fd, .window = BUF(LIMIT_WORK_LINE_BYTES + WINDOW) };
	if (fd < 0)
		return err_set(e, ERR_IO, "%s", strerror(errno));
	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
		rc = err_set(e, ERR_IO, "%s", strerror(EISDIR));
	} else if (!S_ISREG(st.st_mode) || lseek(fd, 0, SEEK_CUR) != 0) {
		l->fd = put_aside(fd, is_stdin, e);
		close(fd);
		rc = l->fd < 0 ? e->code : OK;
	} else {
		rc = OK;
	}
	return rc == OK ? scan_file(l, e) : rc;
}

static void
source_set(struct lines *l)
{
	l->source = (struct work_lines){ l->n, source_get, l };
}

int
lines_open_fd(struct lines *l, int fd, struct err *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3), rc;

	if (copy >= 0)
		lseek(copy, 0, SEEK_SET);
	rc = open_taken(l, copy, false, e);
	source_set(l);
	return rc;
}

int
lines_open(struct lines *l, struct str path, struct err *e)
{
	char *name;
	int rc;

	if (str_eq(path, S("-"))) {
		rc = open_taken(l, fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3),
		    true, e);
	} else {
		name = mem_cstr(path);
		rc = open_taken(l, open(name, O_RDONLY | O_CLOEXEC), false, e);
		free(name);
	}
	source_set(l);
	return rc;
}

int
lines_open_present(struct lines *l, const char *path, struct err *e)
{
	struct err why = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0 && errno == ENOENT) {
		*l = (struct lines){ .fd = -1 };
		source_set(l);
		return OK;
	}
	rc = open_taken(l, fd, false, &why);
	source_set(l);
	return rc == OK ? OK : err_set(e, rc, "%s: %s", path, why.text);
}

void
lines_release(struct lines *l)
{
	if (l->fd > 0)
		close(l->fd);
	free(l->list);
	buf_release(&l->window);
	*l = (struct lines){ .fd = -1 };
}

/* ---- their text ---------------------------------------------------------------------- */

/* The bytes of a line, from a window that the next ones are in, too. */
static int
window_move(struct lines *l, const struct line_at *x)
{
	size_t want = x->n > WINDOW ? x->n : WINDOW;
	char *room;
	ssize_t n;

	buf_clear(&l->window);
	l->window_at = x->at;
	room = buf_room(&l->window, want);
	while (room != NULL && l->window.n < x->n) {
		n = pread(l->fd, room + l->window.n, want - l->window.n,
		    (off_t)(x->at + l->window.n));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ERR_IO;
		buf_added(&l->window, (size_t)n);
	}
	return room == NULL ? ERR_TOOBIG : OK;
}

int
lines_get(struct lines *l, size_t i, struct str *text, struct err *e)
{
	const struct line_at *x = &l->list[i];

	if ((l->window.n == 0 || x->at < l->window_at || x->at + x->n >
	    l->window_at + l->window.n) && window_move(l, x) != OK)
		return err_set(e, ERR_IO, "line %u: the file changed while it was "
		    "read", x->number);
	*text = str_trim((struct str){ l->window.p + (x->at - l->window_at), x->n });
	if (exchange_line_is_marker(*text))
		return err_set(e, ERR_SYNTAX, "line %u: a conflict of git's that is "
		    "not resolved", x->number);
	return OK;
}

/* ---- which are new -------------------------------------------------------------------- */

static int
hash_order(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

int
lines_set_of(struct line_set *s, struct lines *l, struct err *e)
{
	struct str text;
	int rc = OK;

	*s = (struct line_set){ .list = mem_alloc((l->n + 1) * sizeof *s->list) };
	for (; rc == OK && s->n < l->n; s->n++) {
		rc = lines_get(l, s->n, &text, e);
		s->list[s->n] = rc == OK ? str_hash_keyed(text) : 0;
	}
	if (s->n > 1)
		qsort(s->list, s->n, sizeof *s->list, hash_order);
	return rc;
}

void
lines_set_release(struct line_set *s)
{
	free(s->list);
	*s = (struct line_set){ .list = NULL };
}

int
lines_keep_new(struct lines *l, const struct line_set *known, bool *renames,
    struct err *e)
{
	size_t n = 0;
	int rc = OK;

	*renames = false;
	for (size_t i = 0; rc == OK && i < l->n; i++) {
		struct str text;
		uint64_t hash;

		rc = lines_get(l, i, &text, e);
		if (rc != OK)
			break;
		hash = str_hash_keyed(text);
		if (known->n > 0 && bsearch(&hash, known->list, known->n, sizeof hash,
		    hash_order) != NULL)
			continue;
		*renames = *renames || str_contains(text, S("\"renamed_to\""));
		l->list[n++] = l->list[i];
	}
	l->n = n;
	source_set(l);
	return rc;
}
