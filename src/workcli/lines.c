/*
 * lines.c - see lines.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/mem.h"
#include "workcli/cmd.h"
#include "workcli/lines.h"
#include "work/exchange/exchange.h"

#define WINDOW (256 * KB)

/* ---- where they are -------------------------------------------------------- */

/* Notes the lines of a part of the file, which begins at `at` and ends at the end
 * of a line or of the file. */
static int
part_note(struct lines *l, struct str part, uint64_t at, size_t *number, struct err *e)
{
	const char *begin = part.p;
	struct str text;

	if (part.n > 0 && part.p[part.n - 1] == '\n')
		part.n--;
	else if (part.n == 0)
		return OK;
	if (at == 0 && str_starts(part, S("\xef\xbb\xbf")))
		part = str_sub(part, 3, part.n);
	while (exchange_line_next(&part, &text, number)) {
		if (text.n > LIMIT_WORK_LINE_BYTES)
			return err_set(e, ERR_TOOBIG, "line %zu: more than %d bytes",
			    *number, LIMIT_WORK_LINE_BYTES);
		mem_grow(l->list, l->n, l->cap);
		l->list[l->n++] = (struct line_at){ at + (uint64_t)(text.p - begin),
			(uint32_t)text.n, (uint32_t)*number };
	}
	return OK;
}

/* Reads window by window; the rest of each is the beginning of a line. */
static int
file_note(struct lines *l, struct err *e)
{
	size_t number = 0;
	ssize_t n = 1;
	int rc = OK;

	while (rc == OK && n != 0) {
		char *room = buf_room(&l->window, WINDOW), *end;
		size_t whole;

		if (room == NULL)
			return err_set(e, ERR_TOOBIG, "line %zu: more than %d bytes",
			    number + 1, LIMIT_WORK_LINE_BYTES);
		n = pread(l->fd, room, WINDOW, (off_t)(l->bytes + l->window.n));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_IO, "%s", strerror(errno));
		end = memrchr(room, '\n', (size_t)n);
		buf_added(&l->window, (size_t)n);
		whole = n == 0 ? l->window.n :
		    end != NULL ? (size_t)(end + 1 - l->window.p) : 0;
		rc = part_note(l, str_sub(buf_str(&l->window), 0, whole), l->bytes,
		    &number, e);
		buf_drop_front(&l->window, whole);
		l->bytes += whole;
	}
	return rc;
}

static int
window_note(struct lines *l, struct err *e)
{
	size_t number = 0;

	l->bytes = l->window.n;
	return part_note(l, buf_str(&l->window), 0, &number, e);
}

/* ---- opening --------------------------------------------------------------- */

static void
lines_init(struct lines *l)
{
	*l = (struct lines){ .fd = -1, .window = BUF(LIMIT_WORK_LINE_BYTES + WINDOW) };
}

/* Takes fd. */
static int
open_taken(struct lines *l, int fd, bool is_stdin, struct err *e)
{
	struct stat st;
	int rc;

	lines_init(l);
	if (fd < 0)
		return err_set(e, ERR_IO, "%s", strerror(errno));
	l->fd = fd;
	if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode))
		return err_set(e, ERR_IO, "%s", strerror(EISDIR));
	if (S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0)
		return file_note(l, e);
	l->window.max = SIZE_MAX / 4;
	rc = file_add_fd(fd, &l->window, is_stdin ? cli_stdin_wait : NULL, e);
	close(fd);
	l->fd = -1;
	return rc == OK ? window_note(l, e) : rc;
}

int
lines_open_text(struct lines *l, struct str text, struct err *e)
{
	lines_init(l);
	l->window.max = text.n;
	buf_add(&l->window, text);
	return window_note(l, e);
}

int
lines_open(struct lines *l, struct str path, struct err *e)
{
	bool is_stdin = str_eq(path, S("-"));
	char *name = mem_cstr(path);
	int rc = open_taken(l, is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) :
	    open(name, O_RDONLY | O_CLOEXEC), is_stdin, e);

	free(name);
	return rc;
}

int
lines_open_present(struct lines *l, const char *path, struct err *e)
{
	struct err why = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = OK;

	if (fd < 0 && errno == ENOENT)
		lines_init(l);
	else
		rc = open_taken(l, fd, false, &why);
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

/* ---- their text ------------------------------------------------------------ */

/* Reads a window that begins with the line and has some of the next ones. */
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

	assert(i < l->n);
	if ((l->window.n == 0 || x->at < l->window_at || x->at + x->n >
	    l->window_at + l->window.n) && window_move(l, x) != OK)
		return err_set(e, ERR_IO, "line %u: the file changed while it was "
		    "read", x->number);
	*text = (struct str){ l->window.p + (x->at - l->window_at), x->n };
	if (exchange_line_marker(*text) != MARKER_NONE)
		return err_set(e, ERR_SYNTAX, "line %u: an unresolved conflict of "
		    "git", x->number);
	return OK;
}

int
lines_source(void *ctx, size_t i, struct str *text, size_t *line, struct err *e)
{
	struct lines *l = ctx;

	*line = l->list[i].number;
	return lines_get(l, i, text, e);
}

/* ---- which are new --------------------------------------------------------- */

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
	return rc;
}
