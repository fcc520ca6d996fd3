/*
 * import_priv.h - the inside of an import: import.c says which items there are and
 * what becomes of each, import_write.c writes them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_IMPORT_PRIV_H
#define WORK_IMPORT_PRIV_H

#include "base/map.h"
#include "work/record_priv.h"

enum entry_kind {
	ENTRY_BLANK,                         /* an empty line */
	ENTRY_SKIP,                          /* there already; --skip-existing */
	ENTRY_SAME,                          /* as both sides had it last */
	ENTRY_NEW, ENTRY_MERGE
};

struct entry {
	jnode node;
	struct str id;                       /* it will have */
	int64_t seq;                         /* of its row; 0: none yet */
	size_t line;
	enum entry_kind kind;
	bool written, closing, added;
};

/* An item that takes another id, and all that name it in the import. */
struct move {
	struct str from, to;
};

struct import {
	struct work *w;
	struct work_call *c;
	struct arena plan;                   /* what lives as long as the import */
	struct entry *list;
	size_t n;
	struct map ids;                      /* entry by id */
	struct move *moves;
	size_t moves_n, moves_cap;
	size_t line;                         /* of the entry at hand */
	struct json_doc doc;                 /* of it, if it came as text */
	bool strict;
	/* the answer */
	int64_t created, updated, deleted, unchanged, skipped;
	struct buf conflicts, renamed, warnings;
	size_t reports, more;
};

/* The row, whole: with comments, and a tombstone with its time and actor.  In
 * w->a. */
int record_load(struct work *w, int64_t seq, struct record *r);

/* import.c */
int entry_open(struct import *im, const struct entry *x, struct record *r);
/* `line 12: ` before the words of an error that is the line's. */
int fail_line(struct import *im, int rc);
void warn(struct import *im, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void report_clash(void *ctx, const struct clash *c);
int base_get(struct import *im, struct str id, struct str *line);

/* import_write.c */
int entries_write(struct import *im);
/* Gives our own item another id, everywhere. */
int item_move(struct import *im, struct item *it, struct str to);

#endif
