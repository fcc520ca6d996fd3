/*
 * import_priv.h - the inside of an import: import.c says which items there are and
 * what becomes of each, import_write.c writes them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORK_EXCHANGE_IMPORT_PRIV_H
#define WORK_EXCHANGE_IMPORT_PRIV_H

#include "base/map.h"
#include "work/exchange/record_priv.h"
#include "work/exchange/rename_priv.h"

/* Steps of an import, for its progress: read the lines, sort them, and write
 * them in six. */
#define IMPORT_STEPS 8

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
	struct str merged;                   /* of this line and others of its id, in
	                                        place of its text; p NULL: it is alone */
};

struct wait {
	int64_t item, target;
};

struct import {
	struct work *w;
	struct work_call *c;
	struct arena plan;                   /* what lives as long as the import */
	struct entry *list;
	size_t n;
	struct map ids;                      /* entry by id */
	/* import_rename.c.  Ids of lines that are others here: `found` while the
	 * lines are first read, `moves` from then on.  What theirs and ours say
	 * was renamed: told, follow; ours that now are: ours.  known: what the
	 * base does not know yet, and back the other way round. */
	struct renames moves, found, told, follow, ours, known, back;
	struct str prefix;                   /* of ours, if it became another */
	size_t line;                         /* of the entry at hand */
	struct json_doc doc;                 /* of it, if it came as text */
	struct buf translated;               /* of it, if it came in other words */
	bool strict, resolve_cycles;
	bool omits_zero;                     /* a priority that is missing is 0 */
	bool reads;                          /* the lines for the first time: what is
	                                        strange in them is told */
	struct wait *late;                   /* edges that would close a cycle */
	size_t late_n, late_cap;
	/* the answer */
	int64_t created, updated, deleted, unchanged, skipped, bad;
	struct buf conflicts, renamed, warnings;
	size_t reports, more;
};

/* import.c */
int import_entry_open(struct import *im, const struct entry *x, struct record *r);
/* `line 12: ` before the words of an error that is the line's. */
int import_fail_line(struct import *im, int rc);
int import_entry_value(struct import *im, const struct entry *x, jnode *out,
    struct err *e);
void import_warn(struct import *im, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room in a list of the answer?  Then a comma if it needs one. */
bool import_report_begin(struct import *im, struct buf *list);
void import_report_clash(void *ctx, const struct clash *c);
int import_base_get(struct import *im, struct str id, struct str *line);
/* It is another item than the one of its id: it gets one of its own, and the one
 * it had is free for who has it.  ERR_CONFLICT: that is in the import, too. */
int import_entry_move(struct import *im, struct entry *x, const struct record *r);
void import_report_move(struct import *im, struct str from, struct str to,
    struct str title);

/* import_foreign.c: an item in words of other trackers, put in ours.  `is`: is
 * there something to translate?  omits_zero: a priority that is missing is 0. */
bool import_foreign_is(jnode item, bool omits_zero);
void import_foreign_translate(struct buf *b, jnode item, bool omits_zero);
bool import_foreign_lacks_priority(jnode item);
void import_foreign_report(struct import *im, jnode item);

/* import_twin.c: two lines with one id, one of which is known.  The same item
 * twice is merged; of two items the later gets another id. */
int import_twins_settle(struct import *im, struct entry *twin, struct entry *x,
    const struct record *r);

/* import_rename.c: notes while the lines are read, then does it. */
void import_rename_told(struct import *im, const struct entry *x, const struct record *r);
int import_rename_follow(struct import *im, struct entry *x);
int import_renames_apply(struct import *im);
void import_renames_end(struct import *im);

/* import_cycle.c: sync drops an edge of each cycle where import refuses it. */
int import_cycle_note(struct import *im, int64_t item, int64_t target);
int import_cycles_resolve(struct import *im);

/* import_write.c */
int import_write(struct import *im);
/* Gives our own item another id, everywhere. */
int import_item_move(struct import *im, struct item *it, struct str to);

#endif
