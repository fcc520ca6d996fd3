/*
 * import_priv.h - what the files of an import share: import.c decides about each
 * item, import_write.c writes them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_EXCHANGE_IMPORT_PRIV_H
#define WORK_EXCHANGE_IMPORT_PRIV_H

#include "base/map.h"
#include "work/exchange/record_priv.h"
#include "work/exchange/rename_priv.h"

/* Passes over the entries, for the progress: reading, sorting, six of writing. */
#define IMPORT_STEPS 8

enum entry_kind {
	ENTRY_BLANK,                         /* an empty line */
	ENTRY_SKIP,                          /* it exists; --skip-existing */
	ENTRY_SAME,                          /* equal to its base */
	ENTRY_NEW, ENTRY_MERGE
};

struct entry {
	jnode node;
	struct str id;                       /* it will have */
	int64_t seq;                         /* of its row; 0: none yet */
	size_t line;
	enum entry_kind kind;
	bool written, closing, added;
	struct str merged;                   /* with other lines of its id; replaces its
	                                        text; p NULL: there are none */
};

struct wait {
	int64_t item, target;
};

struct import {
	struct work *w;
	struct work_call *c;
	struct arena plan;                   /* lives as long as the import */
	struct entry *list;
	size_t n;
	struct map ids;                      /* entry by id */
	/* import_rename.c.  Ids that change in the lines: collected in `found`
	 * while they are first read, applied as `moves` after that.  told: renames
	 * by them; follow: by us; ours: ids of ours to rename.  known: renames that
	 * the base does not have yet; back: their inverse. */
	struct renames moves, found, told, follow, ours, known, back;
	struct str prefix;                   /* our new one; empty: unchanged */
	size_t line;                         /* of the current entry */
	struct json_doc doc;                 /* of the current entry, if it was a text */
	struct buf translated;               /* its translation, if it needed one */
	bool strict, resolve_cycles;
	bool omits_zero;                     /* a priority that is missing is 0 */
	bool reads;                          /* first reading: unknown words are
	                                        reported */
	struct wait *late;                   /* edges that would close a cycle */
	size_t late_n, late_cap;
	/* the answer */
	int64_t created, updated, deleted, unchanged, skipped, bad;
	struct buf conflicts, renamed, warnings;
	size_t reports, more;
};

/* import.c */
int import_entry_open(struct import *im, const struct entry *x, struct record *r);
/* Puts `line 12: ` before the words of an error that the line caused. */
int import_fail_line(struct import *im, int rc);
int import_entry_value(struct import *im, const struct entry *x, jnode *out,
    struct err *e);
void import_warn(struct import *im, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* False: there are LIMIT_WORK_REPORTS; it is counted.  Else adds a comma if the
 * list needs one. */
bool import_report_begin(struct import *im, struct buf *list);
void import_report_clash(void *ctx, const struct clash *c);
int import_base_get(struct import *im, struct str id, struct str *line);
/* Gives an entry another id, so that its old one belongs to the other item alone.
 * ERR_CONFLICT: the import has the new id, too. */
int import_entry_move(struct import *im, struct entry *x, const struct record *r);
void import_report_move(struct import *im, struct str from, struct str to,
    struct str title);

/* import_foreign.c: translates the words of other trackers.  `is`: does the item
 * need it?  omits_zero: a missing priority is 0. */
bool import_foreign_is(jnode item, bool omits_zero);
void import_foreign_translate(struct buf *b, jnode item, bool omits_zero);
bool import_foreign_lacks_priority(jnode item);
void import_foreign_report(struct import *im, jnode item);

/* import_twin.c: two lines with one id, the first of which has been read.  The
 * same item is merged; of two items the later gets another id. */
int import_twins_settle(struct import *im, struct entry *twin, struct entry *x,
    const struct record *r);

/* import_rename.c: told and follow collect, apply renames. */
void import_rename_told(struct import *im, const struct entry *x, const struct record *r);
int import_rename_follow(struct import *im, struct entry *x);
int import_renames_apply(struct import *im);
void import_renames_end(struct import *im);

/* import_cycle.c: with resolve_cycles an edge of each cycle is dropped; without,
 * the import is refused. */
int import_cycle_note(struct import *im, int64_t item, int64_t target);
int import_cycles_resolve(struct import *im);

/* import_write.c */
int import_write(struct import *im);
/* Gives our own item another id, also where others depend on it. */
int import_item_move(struct import *im, struct item *it, struct str to);

#endif
