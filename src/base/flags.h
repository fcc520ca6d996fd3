/*
 * flags.h - flags of a command line: rows in, checked values out; help, the
 * manual page and what bash completes come from the same rows.
 *
 * As in pflag: --name value, --name=value, -n value, -nvalue, -n=value, grouped
 * switches, flags before and after operands; `--` ends the flags.  A command's
 * own rows are looked at first, then those it has in common with others.  All
 * is borrowed from the rows and from argv.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_FLAGS_H
#define BASE_FLAGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/rc.h"

enum { EXIT_USAGE = 2 };                     /* exit code: a wrong command line */

enum flag_kind {
	FLAG_SWITCH,                         /* bool: --name, --name=false */
	FLAG_TEXT,                           /* const char * */
	FLAG_INT,                            /* int64_t */
	FLAG_MS,                             /* msec: 250, 250ms, 10s, 1m30s */
	FLAG_KINDS                           /* from here: texts that a table's user
	                                        reads by itself */
};

enum flag_state { FLAG_SUPPORTED, FLAG_IGNORED, FLAG_REFUSED };

struct flag {
	const char *name;                    /* without the dashes; NULL ends a table */
	const char *env;                     /* variable that sets it; NULL: none */
	int kind;
	const char *fallback;                /* as it would be typed; NULL: nothing */
	const char *value;                   /* what help calls it; NULL: a switch */
	const char *help;                    /* why, when it is not supported */
	size_t at;                           /* offset in the struct of flags_fill */
	int64_t min, max;                    /* INT; both 0: 0..INT64_MAX */
	char letter;                         /* 'p' of -p, or 0 */
	const char *arg;                     /* the user's own word for it, or NULL */
	enum flag_state state;
	const char *unit;                    /* INT, for errors; or NULL */
	const char *const *words;            /* TEXT: these only, NULL-ended; or NULL */
};

/* ---- a line (flags.c) ------------------------------------------------------- */

struct flag_given { const struct flag *flag; struct str value; };

struct flag_line {
	const struct flag *own, *common;     /* NULL: none */
	struct flag_given *given;            /* in order; a switch alone: "true" */
	size_t given_n;
	struct str *operand;
	size_t operands_n;
	bool texts;                          /* an operand may be any text */
	int argc, at;                        /* argv[at] is read next */
	char **argv;
};

/* What one can call, for its parser and for those who read about it. */
struct flag_command {
	const char *name, *operands;         /* "dep add", "ID DEPENDS-ON" */
	int min, max;                        /* how many operands; max -1: any */
	const char *summary;                 /* NULL: there is no such command, */
	const char *detail;                  /* because of this; may be NULL */
	const struct flag *own, *common;     /* may be NULL */
	void (*more)(struct buf *b);         /* lines after the flags; may be NULL */
};

#define LINE_BYTES (16 * MB)                 /* more than the kernel passes on */

/* Room for all of argv, from a.  ERR_TOOBIG. */
int line_init(struct flag_line *l, int argc, char **argv, struct arena *a,
    struct err *e);
/* Is argv[at] a flag, or `--`?  What has a blank before its `=` is a text. */
bool line_at_flag(const struct flag_line *l);
int line_read_flag(struct flag_line *l, struct err *e);      /* ERR_INVALID */
/* Flags and operands to the end. */
int line_read_rest(struct flag_line *l, struct err *e);
int line_check_operands(const struct flag_line *l, const struct flag_command *c,
    struct err *e);
/* All four for a command's arguments. */
int line_parse(struct flag_line *l, const struct flag_command *c, int argc,
    char **argv, struct arena *a, struct err *e);

/* The last value given, STR_NONE if none was. */
struct str line_text(const struct flag_line *l, const char *flag);
bool line_has(const struct flag_line *l, const char *flag);  /* switches: is on */

/* ---- values (flags.c) --------------------------------------------------------- */

/* true, false, yes, no in any case, 1, 0, t, f. */
bool flag_switch(struct str s, bool *on);
/* Is text a value of this row?  origin: "--port", for the error. */
int flag_check(const struct flag *f, struct str text, const char *origin,
    struct err *e);
/* Has it another value in that struct than the one it has by itself? */
bool flag_differs(const struct flag *f, const void *in);
/* The values of all flags that were given. */
int line_check_values(const struct flag_line *l, struct err *e);
/* Fills a struct of plain values: defaults, then the environment (an empty
 * variable counts as unset); then the command line, which has no operands. */
int flags_default(const struct flag *t, void *into, struct err *e);
int flags_fill(const struct flag *t, void *into, int argc, char **argv,
    struct err *e);
/* The flags of a line that are rows of t. */
int flags_store(const struct flag *t, const struct flag_line *l, void *into,
    struct err *e);
bool flags_has(const struct flag *t, const struct flag *f);  /* is f a row of t? */
/* {"name":value,...} of such a struct. */
void flags_add_json(const struct flag *t, const void *from, struct buf *out);

/* ---- words about them (flags_help.c) ---------------------------------------- */

struct flag_commands {
	size_t n;
	struct flag_command (*at)(size_t i);
};

extern const char *const flag_states[];      /* by enum flag_state */

void flags_add_rows(struct buf *b, const struct flag *t);
void flags_add_usage(struct buf *b, const char *program,
    const struct flag_command *c);
void flags_add_command(struct buf *b, const char *program,
    const struct flag_command *c);
/* A line a command; group "dep": only those of its two words; empty: all. */
void flags_add_list(struct buf *b, const struct flag_commands *list,
    struct str group);
/* Sections of a manual page: one a command; rows; text as it is. */
void flags_add_man(struct buf *b, const struct flag_commands *list);
void flags_add_man_rows(struct buf *b, const struct flag *t);
void flags_add_man_text(struct buf *b, const char *text);
/* A bash function NAME AT: completes commands whose first word is number AT of
 * the line, their second words and flags. */
void flags_add_completion(struct buf *b, const char *name,
    const struct flag_commands *list, const struct flag *common);

/* Is it the first word of commands of two? */
bool flags_is_group(const struct flag_commands *list, struct str word);

#endif
