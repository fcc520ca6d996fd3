/*
 * lines.h - the lines of a file of any size: their places, and their text on
 * demand.
 *
 * Blank lines and a byte order mark are skipped.  A text, or what comes from a
 * pipe, is kept in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_LINES_H
#define WORKCLI_LINES_H

#include "base/buf.h"
#include "work/work.h"

struct line_at {
	uint64_t at;
	uint32_t n, number;                  /* bytes; from 1 */
};

struct lines {
	int fd;                              /* -1: empty, or all in the window */
	struct line_at *list;
	size_t n, cap;
	uint64_t bytes;                      /* of the file */
	struct buf window;                   /* a part of the file */
	uint64_t window_at;                  /* where it begins */
};

/* path: "-" is stdin.  ERR_IO; ERR_TOOBIG: a line is too long. */
int lines_open(struct lines *l, struct str path, struct err *e);
/* A missing file is empty. */
int lines_open_present(struct lines *l, const char *path, struct err *e);
int lines_open_text(struct lines *l, struct str text, struct err *e);
void lines_release(struct lines *l);         /* accepts zeroed */

/* The i-th line, trimmed; it lives until the next call.  ERR_IO: the file changed;
 * ERR_SYNTAX: a conflict marker of git.  Both with the line's number. */
int lines_get(struct lines *l, size_t i, struct str *text, struct err *e);
/* The same as work_lines.get; ctx: the lines. */
int lines_source(void *ctx, size_t i, struct str *text, size_t *line, struct err *e);

/* Hashes of lines, sorted. */
struct line_set {
	uint64_t *list;
	size_t n;
};

int lines_set_of(struct line_set *s, struct lines *l, struct err *e);
void lines_set_release(struct line_set *s);
/* Drops the lines that are in the set.  *renames: a line that stays has
 * `renamed_to`. */
int lines_keep_new(struct lines *l, const struct line_set *known, bool *renames,
    struct err *e);

#endif
