/*
 * cmd.h - the tracker's command line, inside: one table of commands and
 * their flags, and what reads it.
 *
 * The table is table.c; base/flags.h reads lines and makes help of it, line.c
 * finds the command in them, args.c makes the arguments of the operation, help.c
 * the manual page and the table in docs/work.md.  A command runs by its row's
 * function: most are cli_run_one or cli_run_each, with a template or a printer
 * (print.c, look.c) for the answer; a few have their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WORKCLI_CMD_H
#define WORKCLI_CMD_H

#include "base/arena.h"
#include "base/flags.h"
#include "base/map.h"
#include "workcli/cli.h"
#include "workcli/context.h"

/* ---- the table -------------------------------------------------------------- */

enum {
	FLAG_ARG = FLAG_KINDS,               /* as its argument; see cli_row */
	FLAG_PRIORITY,                       /* 1 or P1 */
	FLAG_LIST,                           /* commas, and given again */
	FLAG_BODY,                           /* a text; "-": the one on stdin */
	FLAG_BODY_FILE,                      /* the text of a file; "-": stdin */
	FLAG_TIME                            /* 90s, 5m; the argument is in ms */
};

/* What must be there before the command runs. */
enum cli_need {
	NEED_NOTHING, NEED_CLIENT,
	NEED_WORKSPACE,                      /* not a server; no client yet */
	NEED_CLIENT_HERE                     /* both */
};

struct cli_command {
	const char *name;                    /* "dep add" */
	const char *operands;                /* "ID DEPENDS-ON", for people */
	int min, max;                        /* how many; max -1: any */
	/* The arguments they become, in order: "id", "ids*" an array of the
	 * rest, "text+" the rest with blanks between; NULL: see run. */
	const char *args;
	const char *summary, *detail;        /* detail may be NULL */
	struct flag *flags;                  /* NULL: none of its own; see cli_row */
	enum cli_need need;
	const char *operation;
	int (*run)(struct cli_ctx *x);      /* OK, or the failure, already told */
	void (*print)(struct cli_ctx *x, jnode data);       /* for people */
	/* Appends what --json shows when that is not the answer itself. */
	void (*json)(struct cli_ctx *x, jnode data, struct buf *out);
	const char *refused;                 /* why there is no such command */
	/* Templates (text.c) instead of print and json; with --quiet only
	 * `quiet` is printed.  none: for an empty array, if not NULL. */
	const char *text, *quiet, *shape, *none;
};

extern const struct cli_command cli_commands[];
extern const size_t cli_commands_n;
extern const struct flag cli_globals[];

/* ---- a command line (line.c) --------------------------------------------- */

struct cli_line {
	struct flag_line in;                 /* flags and operands */
	const struct cli_command *cmd;      /* NULL: none was named */
	struct str group;                    /* "dep" of `dep`, `help dep` */
};

/* argv without the program's name.  ERR_INVALID with words; ERR_METHOD: no such
 * command.  cmd is set as soon as it is known, for the hint. */
int cli_parse(struct cli_line *l, int argc, char **argv, struct arena *a,
    struct err *e);
const struct cli_command *cli_command_find(struct str name);
/* For parser and help, with the flags completed from the operation's arguments;
 * refused commands without a summary. */
struct flag_command cli_row(const struct cli_command *c);
extern const struct flag_commands cli_list;
/* The name of the command that may have been meant, or NULL. */
const char *cli_command_near(struct str name);

/* "90s", "1m30s"; positive. */
bool cli_duration(struct str s, nsec *out);

/* ---- arguments (args.c) --------------------------------------------------- */

/* Appends the arguments of the operation without the brackets around them: of
 * flags and operands.  What it appends is empty or begins with `"`. */
int args_add_line(const struct flag_line *l, const struct cli_command *c,
    struct buf *out, struct err *e);
/* Puts the texts of files and stdin where their flags are.  ERR_INVALID, ERR_IO. */
int args_read_bodies(const struct flag_line *l, struct arena *a, struct err *e);
/* Appends `"key":"value"`, after json_add_comma. */
void args_add_text(struct buf *b, const char *key, struct str value);

/* ---- stdin (input.c) ------------------------------------------------------- */

void cli_stdin_patience(nsec longest);      /* without a byte; 30 s unless set */
/* Before a read of it.  ERR_TIMEOUT with words: it gives nothing, nor ends. */
int cli_stdin_wait(struct err *e);
/* For what reads it unasked.  ERR_SYNTAX: it is a terminal. */
int cli_stdin_given(struct err *e);

/* ---- help (help.c) ---------------------------------------------------------- */

void cli_add_help(struct buf *b, const char *program, struct str group);
void cli_add_command_help(struct buf *b, const char *program,
    const struct cli_command *cmd);
void cli_add_man(struct buf *b);
void cli_add_markdown(struct buf *b);

/* ---- while it runs (main.c) -------------------------------------------------- */

/* Appends `Error: words` to the notes; returns rc. */
int cli_fail(struct cli_ctx *x, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Calls; a failure is told. */
int cli_call(struct cli_ctx *x, const char *operation, struct str args,
    struct reply *r);
/* Shows an answer, as people or programs want it: */
void cli_show(struct cli_ctx *x, const struct reply *r);
void cli_print(struct cli_ctx *x, jnode data);
void cli_json(struct cli_ctx *x, jnode data, struct str data_text, struct buf *out);
int cli_open_client(struct cli_ctx *x, struct err *e);
/* The command's operation with the line's arguments and one more. */
int cli_run_with(struct cli_ctx *x, const char *operation, const char *key,
    struct str value);

/* ---- the commands' functions -------------------------------------------------------- */

#define CLI_RUN_MAP(X)                                                        \
	/* run.c */                                                       \
	X(one) X(each) X(array) X(create) X(update) X(close) X(label) X(claim) \
	X(comments_add) X(list) X(pages) X(delete)                             \
	/* files.c */                                                     \
	X(export) X(import) X(batch)                                           \
	/* local.c */                                                     \
	X(init) X(version) X(quickstart) X(help) X(sync) X(merge)              \
	X(events)                                                              \
	/* files of their names */                                        \
	X(prime) X(mcp)                                                        \
	/* report.c */                                                    \
	X(dep_list) X(relate) X(unrelate) X(epic_status) X(nothing)            \
	X(ready) X(count) X(stale)                                             \
	/* service.c */                                                   \
	X(daemon) X(doctor)
#define X(name) int cli_run_##name(struct cli_ctx *x);
CLI_RUN_MAP(X)
#undef X

#define CLI_PRINT_MAP(X)                                                      \
	/* print.c */                                                     \
	X(closed) X(reopened) X(claimed) X(deleted) X(renamed) X(batch)        \
	/* look.c */                                                      \
	X(items) X(ready) X(blocked) X(show) X(stats) X(tree) X(cycles)        \
	X(labels) X(all_labels) X(comments) X(events)                          \
	/* report.c */                                                    \
	X(config) X(setting) X(dep_list) X(epics) X(count) X(stale)
#define X(name) void cli_print_##name(struct cli_ctx *x, jnode data);
CLI_PRINT_MAP(X)
#undef X

void cli_json_setting(struct cli_ctx *x, jnode data, struct buf *out);
void cli_json_dep_list(struct cli_ctx *x, jnode data, struct buf *out);
void cli_json_deleted(struct cli_ctx *x, jnode data, struct buf *out);
void cli_json_renamed(struct cli_ctx *x, jnode data, struct buf *out);

/* ---- text (text.c) ---------------------------------------------------------------- */

enum ink { INK_NONE, INK_RED, INK_GREEN, INK_YELLOW, INK_BLUE, INK_CYAN, INK_DIM,
	INK_BOLD };
void cli_add_ink(struct cli_ctx *x, enum ink ink, struct str s);
void cli_add_priority(struct cli_ctx *x, int64_t priority);
/* A status or a type in its colour, and blanks up to width columns. */
void cli_add_word(struct cli_ctx *x, struct str word, size_t width);
/* s, and blanks up to width columns. */
void cli_add_padded(struct buf *b, struct str s, size_t width);
size_t cli_text_width(struct str s);             /* columns on a terminal */
/* "2006-01-02 15:04 +02:00" of an RFC 3339 time, in its own zone, or "UTC". */
void cli_add_time(struct buf *b, struct str rfc3339);
/* One line a text: control characters become blanks. */
void cli_add_line(struct buf *b, struct str s);
struct str cli_get_str(jnode o, const char *key);        /* empty if absent */
int64_t cli_get_int(jnode o, const char *key, int64_t fallback);
/* The same, but line ends and tabs stay. */
void cli_add_lines(struct buf *b, struct str s);

/* A template with parts of an answer, each as one line of text: <key> is a member
 * of o, <a.b> a member of a member, <key:8> padded to 8 columns; priority, status
 * and issue_type have colours, times end in _at; <ok> is a check mark, <program>
 * how we were called, <workspace> its folder, <$> the last operand. */
void cli_add_fmt(struct cli_ctx *x, jnode o, const char *template);
void cli_add_each(struct cli_ctx *x, jnode list, const char *template);
/* If the member is there and not empty. */
void cli_add_if(struct cli_ctx *x, jnode o, const char *key, const char *template);
/* JSON with ' for " and parts of an answer: as above, <*> all of it. */
void cli_add_shape(struct cli_ctx *x, jnode o, const char *shape, struct buf *out);
/* The texts of an array, or the ids of its items. */
void cli_add_joined(struct cli_ctx *x, jnode list, enum ink ink, char separator);

/* Compact JSON, valid, as Go's encoder indents it, and a line end. */
void cli_add_indented(struct buf *b, struct str json);
/* The same to x->out, of json_add_fmt's format. */
void cli_add_json(struct cli_ctx *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- list --format (format.c) -------------------------------------------------------- */

/* dot, digraph, or a template like "{{.ID}} {{.Title}}".  ERR_INVALID. */
int cli_format_check(struct str format, struct err *e);
struct cli_format {
	struct str format;
	bool graph;                          /* edges between what is listed */
	struct map listed;                   /* ids */
	struct arena ids;
	bool begun;
};
/* Of a graph all items are made known first, page by page, then added. */
void cli_format_init(struct cli_format *f, struct str format);
void cli_format_know(struct cli_format *f, struct buf *b, jnode items);
void cli_format_add(struct cli_format *f, struct buf *b, jnode items);
void cli_format_end(struct cli_format *f, struct buf *b);
void cli_format_release(struct cli_format *f);

#endif
