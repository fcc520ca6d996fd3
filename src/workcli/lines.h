/*
 * lines.h - the lines of a file, of any size: where each one is, not the text.
 *
 * Blank lines are left out, and a byte order mark at the beginning.  What comes
 * through a pipe, or is a text, is kept in memory.
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
	struct buf window;                   /* what was read last, */
	uint64_t window_at;                  /* from there */
	struct work_lines source;            /* of these lines, for an import */
};

/* path: "-" is stdin.  ERR_IO; ERR_TOOBIG: a line, or too many. */
int lines_open(struct lines *l, struct str path, struct err *e);
/* One that is not there is empty. */
int lines_open_present(struct lines *l, const char *path, struct err *e);
int lines_open_text(struct lines *l, struct str text, struct err *e);
void lines_release(struct lines *l);         /* accepts zeroed */

/* The i-th without blanks around it; it lives until the next.  ERR_IO: the file
 * changed; ERR_SYNTAX: a conflict marker of git's.  Both with the line. */
int lines_get(struct lines *l, size_t i, struct str *text, struct err *e);

/* The hashes of lines, sorted, to tell which are new. */
struct line_set {
	uint64_t *list;
	size_t n;
};

int lines_set_of(struct line_set *s, struct lines *l, struct err *e);
void lines_set_release(struct line_set *s);
/* Takes out the lines that the set has.  *renames: one of those that stay says
 * `renamed_to`. */
int lines_keep_new(struct lines *l, const struct line_set *known, bool *renames,
    struct err *e);

#endif
